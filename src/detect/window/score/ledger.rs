//! Scores of the past → what a score is worth: its chance, and how many false findings a day come at it.
//!
//! A model is never quite right, so its chance `2^-bits` is not believed as it is. The share of past windows with at least as many bits
//! says more, and beyond the last few of these the tail is taken as exponential in bits, with the slope that they have: of a model that is right that
//! is `2^-bits` again. The histogram is of all owners of a rule, decayed.

use super::{ODD, read_float, write_float};
use crate::detect::window::bytes::{Reader, Writer};

/// Bins of a quarter bit; what is beyond the last is in it.
const BINS: usize = 512;
const BINS_PER_BIT: f64 = 4.0;
/// In days.
const HALF_LIFE: f64 = 14.0;
/// Past windows that the tail's slope is taken from at least, and at least this share of all.
const TAIL_MIN: f64 = 50.0;
const TAIL_SHARE: f64 = 0.0005;
/// Past windows below which the past is short.
const SHORT: f64 = 2000.0;
/// Windows of a model that is right, which every history begins with.
const PRIOR: f64 = 20.0;
/// Windows a day that are reckoned with at least. Of a rule that is asked less often its budget would else let pass what is not unusual at all:
/// one window in ten days, whatever it holds, is a tenth of a finding a day.
const PER_DAY_MIN: f64 = 20.0;
/// Bits behind the tail's begin that count for its slope: one attack must not hide the next.
const EXCESS_MAX: f64 = 20.0;

/// How many windows had how many bits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    bins: Vec<f64>,
    judged: f64,
    /// Of the scores themselves: below 1e-2, 1e-3, 1e-4.
    below: [f64; 3],
    /// Days that the sums are of, decayed as they are.
    days: f64,
    day: Option<i64>,
}

/// What scores are worth at one time.
pub struct Worth {
    /// Share of the windows in a bin and behind it, and what it may be at most where few are.
    shares: Vec<f64>,
    most: Vec<f64>,
    /// First bin of the tail, and the bits by which it falls to 1/e.
    tail: usize,
    slope: f64,
    per_day: f64,
    /// A short past may hold few kinds of scores, and nothing is then less likely than the model says.
    is_short: bool,
}

impl Ledger {
    /// Begins a day; false when it had begun.
    pub fn begin(&mut self, day: i64) -> bool {
        let passed = match self.day {
            Some(last) if last >= day => return false,
            Some(last) => day - last,
            None => 0,
        };
        self.day = Some(day);
        self.bins.resize(BINS, 0.0);
        let kept = (-1.0 / HALF_LIFE).exp2();
        for _ in 0..passed.min(400) {
            self.bins.iter_mut().for_each(|bin| *bin *= kept);
            self.below.iter_mut().for_each(|below| *below *= kept);
            self.judged *= kept;
            self.days = self.days * kept + 1.0;
        }
        true
    }

    pub fn worth(&self) -> Worth {
        let total: f64 = self.bins.iter().sum();
        let (mut behind, mut shares, mut most, mut tail) = (0.0, vec![0.0; BINS], vec![1.0; BINS], 0);
        let enough = TAIL_MIN.max(TAIL_SHARE * total);
        for (place, bin) in self.bins.iter().enumerate().rev() {
            behind += bin;
            let prior = PRIOR * (-(place as f64) / BINS_PER_BIT).exp2();
            shares[place] = (behind + prior) / (total + PRIOR);
            // two standard errors of a count, and three for none
            most[place] = (behind + 2.0 * f64::sqrt(behind) + 3.0) / total.max(1.0);
            if tail == 0 && behind >= enough {
                tail = place;
            }
        }
        let start = tail as f64 / BINS_PER_BIT;
        let (mut excess, mut count) = (PRIOR / std::f64::consts::LN_2, PRIOR);
        for (place, bin) in self.bins.iter().enumerate().skip(tail) {
            let middle = (place as f64 + 0.5) / BINS_PER_BIT;
            excess += bin * (middle - start).min(EXCESS_MAX);
            count += bin;
        }
        let per_day = (self.judged / self.days.max(1.0)).max(PER_DAY_MIN);
        // two standard errors flatter than it looks: a budget is kept by what is too careful
        let slope = excess / count * (1.0 + 2.0 / count.sqrt());
        Worth { shares, most, tail, slope, per_day, is_short: total < SHORT }
    }

    /// Notes a window that was judged: the bits of its model and the chance that was made of them. What is hardly possible counts too, or
    /// the far tail would look thinner than it is, but once a day of one owner, and its part in the slope is bounded by [`EXCESS_MAX`]: an
    /// attack that goes on must not hide itself.
    pub fn add(&mut self, bits: f64, chance: f64, was_told_today: bool) {
        if !was_told_today || chance >= ODD {
            self.bins[bin(bits)] += 1.0;
        }
        self.judged += 1.0;
        for (below, bound) in self.below.iter_mut().zip([1e-2, 1e-3, 1e-4]) {
            *below += f64::from(u8::from(chance < bound));
        }
    }

    pub fn shares(&self) -> Option<([f64; 3], f64)> {
        (self.judged > 0.0).then(|| (self.below.map(|below| below / self.judged), self.judged))
    }

    pub fn write(&self, to: &mut Writer) {
        to.signed(self.day.unwrap_or(i64::MIN));
        if self.day.is_some() {
            let sums = [self.judged, self.days];
            sums.iter().chain(&self.below).chain(&self.bins).for_each(|number| write_float(to, *number));
        }
    }

    pub fn read(from: &mut Reader) -> Option<Ledger> {
        let day = from.signed()?;
        if day == i64::MIN {
            return Some(Ledger::default());
        }
        let (judged, days) = (read_float(from)?, read_float(from)?);
        let below = [read_float(from)?, read_float(from)?, read_float(from)?];
        let bins = (0..BINS).map(|_| read_float(from)).collect::<Option<_>>()?;
        Some(Ledger { bins, judged, below, days, day: Some(day) })
    }
}

fn bin(bits: f64) -> usize {
    ((bits * BINS_PER_BIT) as usize).min(BINS - 1)
}

impl Worth {
    /// The chance of so many bits or more, and the false findings a day at it.
    pub fn of(&self, bits: f64) -> (f64, f64) {
        let place = bin(bits);
        let chance = match place > self.tail {
            false => self.shares[place],
            true => {
                let beyond = bits - self.tail as f64 / BINS_PER_BIT;
                // where bits end all at once, as those of values never seen, the tail is no exponential one
                let tail = self.shares[self.tail] * (-beyond / self.slope).exp();
                let least = if self.is_short { (-bits).exp2() } else { 0.0 };
                self.most[place].min(tail).max(least)
            }
        };
        (chance.min(1.0), chance.min(1.0) * self.per_day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten days with a thousand windows each, of which n in a thousand have `times` log2(1000/n) bits or more.
    fn ten_days(times: f64) -> Ledger {
        let mut ledger = Ledger::default();
        for day in 0..10 {
            ledger.begin(day);
            (1..=1000).for_each(|n| ledger.add(times * (1000.0 / f64::from(n)).log2(), 1.0, false));
        }
        ledger
    }

    #[test]
    fn bits_of_a_model_that_is_right_are_worth_what_they_say() {
        let worth = ten_days(1.0).worth();
        for bits in [1.0, 5.0, 9.0, 13.0] {
            let (chance, false_a_day) = worth.of(bits);
            let off = chance / (-bits).exp2();
            // bins are a quarter bit wide, the last day is not whole, and no window has more than ten bits
            assert!((0.4..3.0).contains(&off), "{bits} bits: {off}");
            assert!((900.0..1200.0).contains(&(false_a_day / chance)), "{}", false_a_day / chance);
        }
    }

    #[test]
    fn a_model_that_cries_too_often_is_believed_less() {
        let mut ledger = ten_days(2.0);
        let (chance, _) = ledger.worth().of(20.0);
        assert!((3e-4..3e-3).contains(&chance), "2^-10, not 2^-20: {chance}");
        // and after more than a year nothing of it is left
        ledger.begin(400);
        let (chance, _) = ledger.worth().of(20.0);
        assert!((1e-6..1e-4).contains(&chance), "{chance}");
    }

    #[test]
    fn of_a_rule_that_is_seldom_asked_the_ordinary_is_not_told() {
        let mut ledger = Ledger::default();
        for day in 0..30 {
            ledger.begin(day);
            if day % 10 == 0 {
                ledger.add(1.0, 1.0, false);
            }
        }
        let (chance, false_a_day) = ledger.worth().of(1.0);
        assert!(chance > 0.5, "{chance}");
        assert_eq!(false_a_day, 20.0 * chance);
        // a budget of 0.2 is for what one window in a hundred has
        let (chance, false_a_day) = ledger.worth().of(10.0);
        assert!(chance < 0.01 && false_a_day < 0.2, "{chance} {false_a_day}");
    }

    #[test]
    fn a_ledger_is_read_as_it_was_written() {
        let mut ledger = Ledger::default();
        ledger.begin(3);
        ledger.add(7.3, 0.004, false);
        let mut to = Writer::default();
        ledger.write(&mut to);
        assert_eq!(Ledger::read(&mut Reader(&to.0)), Some(ledger));
    }
}
