//! The numbers of a group → how they are spread: which number a share of them does not exceed.

use super::bytes::{Reader, Writer};

/// Distinct numbers kept of one group. Of one that has more, the lowest bits of all are left off until no more than this differ.
pub const NUMBERS_MAX: usize = 4096;

/// Numbers in order, and how many there are of each.
///
/// How many bits are left off depends on the set of numbers alone, so that what is kept adds up the same in any order and grouping.
/// It leaves numbers of about the same size the same relative error, because the bits are those of a floating-point number: at
/// most 1/128 for whole numbers of one sign (there are 63 powers of two, and 64 steps of each are fewer than are kept), 1/64 where
/// there are numbers of both signs, and 1/512 where the largest is at most a thousand times the smallest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// How many of the lowest bits are left off.
    level: u32,
    /// What is left of [`ordered`], rising, with its count.
    counts: Vec<(u64, u64)>,
}

impl Spread {
    /// Adds a number; one that is not finite is none.
    pub fn add(&mut self, number: f64) {
        self.add_within(number, 1, NUMBERS_MAX);
    }

    /// Adds a number that comes so many times.
    pub fn add_times(&mut self, number: f64, times: u64) {
        self.add_within(number, times, NUMBERS_MAX);
    }

    pub fn merge(&mut self, other: &Spread) {
        self.merge_within(other, NUMBERS_MAX);
    }

    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The number that a share of them, 0 to 1, does not exceed; between two numbers in proportion, as `percentile_cont` and
    /// spreadsheets do (0.5 of two is their mean). `None` of no numbers.
    pub fn percentile(&self, share: f64) -> Option<f64> {
        let last = self.counts.iter().map(|(_, count)| count).sum::<u64>().checked_sub(1)?;
        let place = share * last as f64;
        let (below, above) = (self.at(place.floor() as u64), self.at(place.ceil() as u64));
        // of two that are one number nothing is computed, so that the largest there are stay what they are
        Some(if below == above { below } else { below + place.fract() * (above - below) })
    }

    /// The number at a place in their order, from 0; behind the last it is that.
    fn at(&self, place: u64) -> f64 {
        let mut before = 0;
        let found = self.counts.iter().find(|(_, count)| {
            before += count;
            before > place
        });
        let (key, _) = found.or(self.counts.last()).expect("a share is asked of numbers");
        self.number(*key)
    }

    /// What stands for numbers of which so many bits are left: the one in the middle of them, and 0 for itself.
    fn number(&self, key: u64) -> f64 {
        match self.level {
            0 => unordered(key),
            level if key == ordered(0.0) >> level => 0.0,
            level => unordered((key << level) | (1 << (level - 1))),
        }
    }

    fn add_within(&mut self, number: f64, times: u64, max: usize) {
        if number.is_finite() {
            self.add_key(ordered(number) >> self.level, times, max);
        }
    }

    fn add_key(&mut self, key: u64, times: u64, max: usize) {
        match self.counts.binary_search_by_key(&key, |(known, _)| *known) {
            Ok(place) => self.counts[place].1 += times,
            Err(place) => {
                self.counts.insert(place, (key, times));
                while self.counts.len() > max {
                    self.leave_off(1);
                }
            }
        }
    }

    fn merge_within(&mut self, other: &Spread, max: usize) {
        self.leave_off(other.level.saturating_sub(self.level));
        // as `add_key` may leave off more, of the rest too
        if other.counts.len() <= 8 {
            for (key, count) in &other.counts {
                self.add_key(key >> (self.level - other.level), *count, max);
            }
            return;
        }
        let more = self.level - other.level;
        self.counts.extend(other.counts.iter().map(|(key, count)| (key >> more, *count)));
        self.counts.sort();
        self.add_up();
        while self.counts.len() > max {
            self.leave_off(1);
        }
    }

    fn leave_off(&mut self, bits: u32) {
        if bits > 0 {
            self.level += bits;
            self.counts.iter_mut().for_each(|(key, _)| *key >>= bits);
            self.add_up();
        }
    }

    fn add_up(&mut self) {
        self.counts.dedup_by(|(key, count), (known, sum)| {
            let same = key == known;
            *sum += if same { *count } else { 0 };
            same
        });
    }

    /// About what it takes, in bytes.
    pub fn bytes_len(&self) -> usize {
        // a list that grew is about three quarters full
        self.counts.len() * 22
    }

    /// The bits that are left off, then what is left of each number, and its count.
    pub fn as_numbers(&self) -> impl Iterator<Item = u64> {
        std::iter::once(u64::from(self.level)).chain(self.counts.iter().flat_map(|(key, count)| [*key, *count]))
    }

    /// What [`Spread::as_numbers`] gave; `None` of anything else.
    pub fn from_numbers(numbers: &[u64]) -> Option<Spread> {
        let (level, pairs) = numbers.split_first()?;
        let (pairs, []) = pairs.as_chunks::<2>() else { return None };
        let counts: Vec<(u64, u64)> = pairs.iter().map(|[key, count]| (*key, *count)).collect();
        let level = u32::try_from(*level).ok().filter(|level| *level < u64::BITS)?;
        counts.is_sorted_by(|(key, _), (next, _)| key < next).then_some(Spread { level, counts })
    }

    pub fn write(&self, to: &mut Writer) {
        to.number(u64::from(self.level));
        to.number(self.counts.len() as u64);
        let mut before = 0;
        for (key, count) in &self.counts {
            to.number(key - before);
            to.number(*count);
            before = *key;
        }
    }

    /// What [`Spread::write`] wrote; `None` when it did not.
    pub fn read(from: &mut Reader) -> Option<Spread> {
        let mut numbers = vec![from.number()?];
        let mut key = 0u64;
        for _ in 0..from.number()? {
            key = key.checked_add(from.number()?)?;
            numbers.extend([key, from.number()?]);
        }
        Spread::from_numbers(&numbers)
    }
}

/// Bits in the order of the numbers: those of a floating-point number, in which the lowest are the finest.
fn ordered(number: f64) -> u64 {
    // 0 has two signs
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 0 { bits | SIGN } else { !bits }
}

fn unordered(key: u64) -> f64 {
    f64::from_bits(if key & SIGN == 0 { !key } else { key & !SIGN })
}

const SIGN: u64 = 1 << 63;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spread(numbers: &[f64]) -> Spread {
        let mut all = Spread::default();
        numbers.iter().for_each(|number| all.add(*number));
        all
    }

    fn sorted(mut numbers: Vec<f64>) -> Vec<f64> {
        numbers.sort_by(f64::total_cmp);
        numbers
    }

    /// By its definition, of numbers that rise.
    fn exact(sorted: &[f64], share: f64) -> f64 {
        let place = share * (sorted.len() - 1) as f64;
        let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
        below + place.fract() * (above - below)
    }

    #[test]
    fn a_percentile_lies_between_two_numbers_in_proportion() {
        let of = |numbers: &[f64], share: f64| spread(numbers).percentile(share);
        assert_eq!(of(&[], 0.5), None);
        assert_eq!(of(&[f64::NAN, f64::INFINITY], 0.5), None);
        assert_eq!(of(&[7.0], 0.99), Some(7.0));
        assert_eq!(of(&[4.0, 1.0, 3.0, 2.0], 0.5), Some(2.5));
        assert_eq!(of(&[4.0, 1.0, 3.0, 2.0], 0.25), Some(1.75));
        assert_eq!(of(&[10.0, -10.0, 10.0, 10.0], 0.0), Some(-10.0));
        assert_eq!(of(&[10.0, -10.0, 10.0, 10.0], 1.0), Some(10.0));
        assert_eq!(of(&[0.0, -0.0, -0.5, 0.5], 0.5), Some(0.0));
        assert_eq!(of(&[f64::MAX, f64::MAX, f64::MIN], 1.0), Some(f64::MAX));
    }

    #[test]
    fn of_more_numbers_than_are_kept_each_is_known_to_its_relative_error() {
        // 400 of each power of two, as far as whole numbers of 64 bits go
        let whole = |from: u32, to: u32| -> Vec<f64> {
            let of =
                |power: u32| (0..400).map(move |n| ((1u64 << power) as f64 * (1.0 + f64::from(n) / 400.0)).floor());
            (from..to).flat_map(of).collect()
        };
        let check = |numbers: Vec<f64>, most: f64| {
            let all = spread(&numbers);
            assert!(all.level > 0 && all.counts.len() <= NUMBERS_MAX);
            let numbers = sorted(numbers);
            for share in (0..=100).map(|share| f64::from(share) / 100.0) {
                let (told, exact) = (all.percentile(share).unwrap(), exact(&numbers, share));
                // half a step of a number at its lower end is all of it, and what is computed is rounded
                assert!((told - exact).abs() <= exact.abs() * most * (1.0 + 1e-9), "{share}: {told} is {exact}");
            }
        };
        check(whole(0, 63), 1.0 / 128.0);
        check(whole(0, 63).iter().map(|number| -number).collect(), 1.0 / 128.0);
        check((0..20_000).map(f64::from).collect(), 1.0 / 128.0);
        check((1000..1_000_000).step_by(41).map(f64::from).collect(), 1.0 / 512.0);
        // between a number and its negative nothing is relative: of both signs only what is there is asked for
        let both = sorted(whole(9, 63).into_iter().flat_map(|number| [number, -number]).collect());
        let all = spread(&both);
        for place in (0..both.len()).step_by(97) {
            assert!((all.at(place as u64) - both[place]).abs() <= both[place].abs() / 64.0);
        }
    }

    #[test]
    fn what_is_read_back_is_what_was_written() {
        for numbers in [vec![], vec![3.0, -1.5, 3.0], (0..9000).map(f64::from).collect()] {
            let all = spread(&numbers);
            let mut to = Writer::default();
            all.write(&mut to);
            assert_eq!(Spread::read(&mut Reader(&to.0)).as_ref(), Some(&all));
            for cut in [1, to.0.len() / 2] {
                assert_eq!(Spread::read(&mut Reader(&to.0[..to.0.len() - cut])), None);
            }
        }
        assert_eq!(Spread::from_numbers(&[64, 1, 1]), None);
        assert_eq!(Spread::from_numbers(&[0, 2, 1, 2, 1]), None);
        assert_eq!(Spread::from_numbers(&[0, 2]), None);
    }

    fn numbers() -> impl Strategy<Value = Vec<f64>> {
        let one = prop_oneof![(-20i32..20).prop_map(f64::from), any::<i64>().prop_map(|n| n as f64), any::<f64>()];
        proptest::collection::vec(one, 0..60)
    }

    proptest! {
        #[test]
        fn merged_in_any_order_and_grouping_it_is_the_same(
            (numbers, shuffled) in numbers().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
            cuts in proptest::collection::vec((1usize..20, any::<bool>()), 60),
            max in prop::sample::select(vec![8, 9, 20, 1000]),
        ) {
            let within = |numbers: &[f64]| {
                let mut all = Spread::default();
                numbers.iter().for_each(|number| all.add_within(*number, 1, max));
                all
            };
            let (mut left, mut merged) = (shuffled.as_slice(), Spread::default());
            for (size, into) in cuts {
                let (these, rest) = left.split_at(size.min(left.len()));
                left = rest;
                let mut other = within(these);
                if into {
                    other.merge_within(&merged, max);
                    merged = other;
                } else {
                    merged.merge_within(&other, max);
                }
            }
            prop_assert_eq!(&merged, &within(&numbers));
            prop_assert!(merged.counts.len() <= max);
        }

        #[test]
        fn of_few_numbers_it_is_exact(numbers in proptest::collection::vec(any::<i32>(), 1..60), share in 0.0..=1.0f64) {
            let numbers: Vec<f64> = numbers.into_iter().map(f64::from).collect();
            prop_assert_eq!(spread(&numbers).percentile(share), Some(exact(&sorted(numbers), share)));
        }
    }
}
