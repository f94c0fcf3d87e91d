//! Aggregates in pieces: rows → a part, parts of one group → one part. Any order and grouping gives the same.

use super::bytes::{Reader, Writer};
use super::chain::Chain;
use super::nested::{Row, Rows};
use super::smallest::Smallest;
use super::spread::Spread;
use super::text::{Sortable, add_shared};
use super::times::Times;
use crate::finding::Finding;

/// Distinct values counted in one group; a group that has more counts as having this many.
pub const DISTINCT_MAX: usize = 10_000;
/// Values that `sample` keeps: the smallest.
pub const SAMPLE_MAX: usize = Finding::SAMPLED_MAX;

/// Stands for a value: the first eight bytes of BLAKE3. A snapshot keeps them.
pub fn hash(value: &[u8]) -> u64 {
    let hash = blake3::hash(value);
    let (first, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 bytes");
    u64::from_le_bytes(*first)
}

/// What one aggregate knows of the rows of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// `count(*)`, `count(x)`
    Count(u64),
    /// `sum(x)` of integers
    Sum(Option<i64>),
    /// The same, where it is beyond the range of a BIGINT: it is then the end of that range, in any order of rows. In a box as a mean is
    Beyond(Box<i128>),
    /// `avg(x)` of integers; in a box, for it is longer than the others, and there are very many of them
    Mean(Box<Mean>),
    /// `min(x)`
    Least(Option<Sortable>),
    /// `max(x)`
    Greatest(Option<Sortable>),
    /// `count(DISTINCT x)`: hashes of the values, the smallest [`DISTINCT_MAX`]
    Distinct(Smallest<u64>),
    /// `sample(x)`: the smallest distinct values
    Sample(Smallest<Sortable>),
    /// `in_order(time, a, b, ...)`
    InOrder(Chain),
    /// `correlates(time, plan, rule, ..., value, ...)`
    Correlated(Rows),
    /// `regularity(time)`
    Regular(Times),
    /// `approx_percentile(x, share)`
    Spread(Spread),
}

/// Whole numbers that were added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mean {
    sum: i128,
    count: u64,
}

impl Mean {
    /// `None` of no numbers.
    pub fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    fn add(&mut self, sum: i128, count: u64) {
        self.sum += sum;
        self.count += count;
    }
}

impl Part {
    /// So many rows.
    pub fn count(&mut self, rows: u64) {
        if let Part::Count(count) = self {
            *count += rows;
        }
    }

    pub fn number(&mut self, value: i64) {
        match self {
            Part::Sum(sum) => match sum.unwrap_or(0).checked_add(value) {
                Some(fits) => *sum = Some(fits),
                None => self.add(i128::from(value)),
            },
            Part::Beyond(_) => self.add(i128::from(value)),
            Part::Mean(mean) => mean.add(i128::from(value), 1),
            _ => {}
        }
    }

    /// Adds to a sum.
    fn add(&mut self, value: i128) {
        let before = match self {
            Part::Sum(sum) => i128::from(sum.unwrap_or(0)),
            Part::Beyond(sum) => **sum,
            _ => return,
        };
        let sum = before + value;
        *self = i64::try_from(sum).map_or_else(|_| Part::Beyond(Box::new(sum)), |sum| Part::Sum(Some(sum)));
    }

    /// What a sum comes to; `None` of no numbers.
    pub fn sum(&self) -> Option<i64> {
        match self {
            Part::Sum(sum) => *sum,
            Part::Beyond(sum) => Some(if **sum > 0 { i64::MAX } else { i64::MIN }),
            _ => None,
        }
    }

    /// A number that may have a fraction.
    pub fn float(&mut self, value: f64) {
        if let Part::Spread(spread) = self {
            spread.add(value);
        }
    }

    /// A value in a form whose bytes order as the values do (`arrow::row`).
    pub fn value(&mut self, value: &Sortable) {
        match self {
            Part::Least(least) if least.as_ref().is_none_or(|least| value < least) => *least = Some(value.clone()),
            Part::Greatest(most) if most.as_ref().is_none_or(|most| value > most) => *most = Some(value.clone()),
            Part::Sample(values) => add_shared(values, value, SAMPLE_MAX),
            _ => {}
        }
    }

    /// A value by its [`hash`].
    pub fn hash(&mut self, hash: u64) {
        if let Part::Distinct(hashes) = self {
            hashes.add(hash, DISTINCT_MAX);
        }
    }

    /// A row of a step of `in_order`.
    pub fn step(&mut self, step: usize, time: i64) {
        if let Part::InOrder(chain) = self {
            chain.add(step, time);
        }
    }

    /// A row of a rule of `correlates`.
    pub fn row(&mut self, row: Row) {
        if let Part::Correlated(rows) = self {
            rows.add(row, 1);
        }
    }

    /// The time of a row, for `regularity`.
    pub fn time(&mut self, time: i64) {
        if let Part::Regular(times) = self {
            times.add(time);
        }
    }

    /// Adds the rows of another part of the same aggregate.
    pub fn merge(&mut self, other: &Part) {
        match (self, other) {
            (Part::Count(a), Part::Count(b)) => *a += b,
            (sum @ (Part::Sum(_) | Part::Beyond(_)), Part::Sum(Some(b))) => sum.add(i128::from(*b)),
            (sum @ (Part::Sum(_) | Part::Beyond(_)), Part::Beyond(b)) => sum.add(**b),
            (Part::Mean(a), Part::Mean(b)) => a.add(b.sum, b.count),
            (a @ (Part::Least(_) | Part::Greatest(_)), Part::Least(Some(b)) | Part::Greatest(Some(b))) => a.value(b),
            (Part::Distinct(a), Part::Distinct(b)) => a.merge(b, DISTINCT_MAX),
            (Part::Sample(a), Part::Sample(b)) => a.merge(b, SAMPLE_MAX),
            (Part::InOrder(a), Part::InOrder(b)) => a.merge(b),
            (Part::Correlated(a), Part::Correlated(b)) => a.merge(b),
            (Part::Regular(a), Part::Regular(b)) => a.merge(b),
            (Part::Spread(a), Part::Spread(b)) => a.merge(b),
            _ => {}
        }
    }

    /// Whether a count is at least so much; whether steps are in order; of any other aggregate, whether it has a value where 1 or more is asked for.
    pub fn is_at_least(&self, least: u64) -> bool {
        match self {
            Part::Count(count) => *count >= least,
            Part::Distinct(hashes) => hashes.as_slice().len() as u64 >= least.min(DISTINCT_MAX as u64),
            Part::Sum(sum) => least == 0 || sum.is_some(),
            Part::Beyond(_) => true,
            Part::Mean(mean) => least == 0 || mean.count > 0,
            Part::Least(value) | Part::Greatest(value) => least == 0 || value.is_some(),
            Part::Sample(_) => true,
            Part::InOrder(chain) => least == 0 || chain.holds(),
            Part::Correlated(rows) => least == 0 || !rows.is_empty(),
            Part::Regular(times) => least == 0 || times.regularity().is_some(),
            Part::Spread(spread) => least == 0 || !spread.is_empty(),
        }
    }

    /// False for parts of one aggregate that merged are certainly not at least so much, see [`Part::is_at_least`].
    pub fn may_be_at_least<'a>(parts: impl Iterator<Item = &'a Part>, least: u64) -> bool {
        let (mut most, mut missing) = (0u64, u64::MAX);
        for part in parts {
            most = most.saturating_add(part.at_most());
            if let Part::InOrder(chain) = part {
                missing &= chain.missing();
                // of steps that are not in order one may be missing
                most = if missing == 0 { u64::MAX } else { 0 };
            }
        }
        most >= least.min(DISTINCT_MAX as u64)
    }

    /// What this adds at most to a merged part, as one term of a sum, where [`Part::is_at_least`] looks at that.
    pub fn at_most(&self) -> u64 {
        let whether = |some: bool| if some { u64::MAX } else { 0 };
        match self {
            Part::Count(count) => *count,
            Part::Distinct(hashes) => hashes.as_slice().len() as u64,
            Part::Sum(sum) => whether(sum.is_some()),
            Part::Beyond(_) => u64::MAX,
            Part::Mean(mean) => whether(mean.count > 0),
            Part::Least(value) | Part::Greatest(value) => whether(value.is_some()),
            Part::Sample(_) => u64::MAX,
            Part::InOrder(chain) => whether(!chain.is_empty()),
            Part::Correlated(rows) => whether(!rows.is_empty()),
            Part::Regular(times) => whether(!times.as_slice().is_empty()),
            Part::Spread(spread) => whether(!spread.is_empty()),
        }
    }

    /// About what it takes, in bytes.
    pub fn bytes_len(&self) -> usize {
        let more = match self {
            Part::Count(_) | Part::Sum(_) => 0,
            Part::Mean(_) => size_of::<Mean>(),
            Part::Beyond(_) => size_of::<i128>(),
            Part::Least(value) | Part::Greatest(value) => value.as_ref().map_or(0, |value| value.len() + 16),
            Part::Distinct(hashes) => hashes.places_len(),
            Part::Sample(values) => {
                values.places_len() + values.as_slice().iter().map(|value| value.len() + 16).sum::<usize>()
            }
            Part::InOrder(chain) => chain.bytes_len(),
            Part::Correlated(rows) => rows.bytes_len(),
            Part::Regular(times) => times.bytes_len(),
            Part::Spread(spread) => spread.bytes_len(),
        };
        size_of::<Part>() + more
    }

    pub fn write(&self, to: &mut Writer) {
        match self {
            Part::Count(count) => {
                to.byte(0);
                to.number(*count);
            }
            Part::Sum(sum) => {
                to.byte(1);
                to.optional(sum.map(i64::to_le_bytes).as_ref().map(|bytes| &bytes[..]));
            }
            Part::Mean(mean) => {
                to.byte(2);
                to.bytes(&mean.sum.to_le_bytes());
                to.number(mean.count);
            }
            Part::Least(value) => {
                to.byte(3);
                to.optional(value.as_deref());
            }
            Part::Greatest(value) => {
                to.byte(4);
                to.optional(value.as_deref());
            }
            Part::Distinct(hashes) => {
                to.byte(5);
                to.number(hashes.as_slice().len() as u64);
                hashes.as_slice().iter().for_each(|hash| to.fixed(&hash.to_le_bytes()));
            }
            Part::Sample(values) => {
                to.byte(6);
                to.number(values.as_slice().len() as u64);
                values.as_slice().iter().for_each(|value| to.bytes(value));
            }
            Part::InOrder(chain) => {
                to.byte(7);
                chain.write(to);
            }
            Part::Regular(times) => {
                to.byte(8);
                times.write(to);
            }
            Part::Spread(spread) => {
                to.byte(9);
                spread.write(to);
            }
            Part::Correlated(rows) => {
                to.byte(10);
                rows.write(to);
            }
            Part::Beyond(sum) => {
                to.byte(11);
                to.bytes(&sum.to_le_bytes());
            }
        }
    }

    /// What [`Part::write`] wrote; `None` when it did not.
    pub fn read(from: &mut Reader) -> Option<Part> {
        Some(match from.byte()? {
            0 => Part::Count(from.number()?),
            1 => Part::Sum(match from.optional()? {
                Some(bytes) => Some(i64::from_le_bytes(bytes.try_into().ok()?)),
                None => None,
            }),
            2 => {
                let sum = i128::from_le_bytes(from.bytes()?.try_into().ok()?);
                Part::Mean(Box::new(Mean { sum, count: from.number()? }))
            }
            3 => Part::Least(from.optional()?.map(Into::into)),
            4 => Part::Greatest(from.optional()?.map(Into::into)),
            5 => {
                let count = from.number()?;
                Part::Distinct((0..count).map(|_| from.fixed().map(u64::from_le_bytes)).collect::<Option<_>>()?)
            }
            6 => {
                let count = from.number()?;
                Part::Sample((0..count).map(|_| from.bytes().map(Into::into)).collect::<Option<_>>()?)
            }
            7 => Part::InOrder(Chain::read(from)?),
            8 => Part::Regular(Times::read(from)?),
            9 => Part::Spread(Spread::read(from)?),
            10 => Part::Correlated(Rows::read(from)?),
            11 => Part::Beyond(Box::new(i128::from_le_bytes(from.bytes()?.try_into().ok()?))),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn empty(kind: usize) -> Part {
        let kinds = [
            Part::Count(0),
            Part::Sum(None),
            Part::Mean(Default::default()),
            Part::Least(None),
            Part::Greatest(None),
            Part::Distinct(Smallest::default()),
            Part::Sample(Smallest::default()),
            Part::InOrder(Chain::new(3)),
            Part::Regular(Times::default()),
            Part::Spread(Spread::default()),
            Part::Correlated(Rows::default()),
        ];
        kinds[kind].clone()
    }

    fn add(part: &mut Part, row: u8) {
        part.count(1);
        part.number(i64::from(row));
        part.float(f64::from(row));
        part.value(&Sortable::from([row]));
        part.hash(u64::from(row));
        part.step(usize::from(row % 3), i64::from(row));
        part.time(i64::from(row));
        part.row(Row { time: i64::from(row), rules: 1, values: Box::default() });
    }

    #[test]
    fn a_sum_beyond_its_range_is_the_end_of_it_in_any_order() {
        let of = |rows: &[i64]| {
            let mut part = empty(1);
            rows.iter().for_each(|row| part.number(*row));
            part
        };
        assert_eq!(of(&[i64::MAX, 1]).sum(), Some(i64::MAX));
        assert_eq!(of(&[i64::MIN, -1]).sum(), Some(i64::MIN));
        assert_eq!(of(&[i64::MAX, 1]).bytes_len(), size_of::<Part>() + 16);
        // what comes back into the range is exact
        let rows = [i64::MAX, i64::MAX, 7, i64::MIN, i64::MIN];
        for cut in 0..=rows.len() {
            let (mut one, other) = (of(&rows[..cut]), of(&rows[cut..]));
            one.merge(&other);
            assert_eq!(one, Part::Sum(Some(5)), "cut at {cut}");
        }
        for part in [of(&rows[..2]), of(&rows[3..])] {
            let mut bytes = Writer::default();
            part.write(&mut bytes);
            let bytes = bytes.0;
            assert_eq!(Part::read(&mut Reader(&bytes)).as_ref(), Some(&part));
            assert!(part.is_at_least(1) && part.at_most() == u64::MAX);
        }
    }

    proptest! {
        #[test]
        fn what_merged_parts_are_at_least_they_may_be(
            kind in 0usize..11,
            rows in proptest::collection::vec(proptest::collection::vec(0u8..9, 0..4), 0..5),
            least in 0u64..6,
        ) {
            let mut parts = vec![empty(kind); rows.len()];
            parts.iter_mut().zip(&rows).for_each(|(part, rows)| rows.iter().for_each(|row| add(part, *row)));
            let mut merged = empty(kind);
            parts.iter().for_each(|part| merged.merge(part));
            let most = parts.iter().fold(0u64, |most, part| most.saturating_add(part.at_most()));
            if merged.is_at_least(least) && !parts.is_empty() {
                prop_assert!(Part::may_be_at_least(parts.iter(), least) && most >= least);
            }
            if matches!(merged, Part::Count(_)) {
                prop_assert_eq!(Part::may_be_at_least(parts.iter(), least), merged.is_at_least(least));
            }
        }
    }
}
