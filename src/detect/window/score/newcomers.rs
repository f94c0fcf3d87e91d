//! Windows of keys that have no history → how unusual they are among the first windows of all other keys.

use super::ledger::{Ledger, Worth};
use super::rate::Sums;
use super::tail::rate_bits;
use super::{ODD, ODD_WEIGHT, Score, Why, decay, read_float, write_float};
use crate::detect::window::bytes::{Reader, Writer};

/// In days: new keys are few.
const HALF_LIFE: f64 = 14.0;
/// First windows, decayed, and keys that had them, before a new key is compared with them.
const WINDOWS_MIN: f64 = 500.0;
const KEYS_MIN: u64 = 20;
/// Windows of one key that teach: else those that were there when all began would be all there is.
const FIRST: f64 = 20.0;
/// How far from the mean, in standard deviations, a number is taken for what it is when it teaches.
const TAUGHT_DEVIATIONS: f64 = 10.0;
/// So many times as careful as with keys that are known: what new keys add to the false findings is half of the budget.
const CAREFUL: f64 = 2.0;

/// What new keys have in their windows until they are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Newcomers {
    ledger: Ledger,
    sums: Sums,
    keys: u64,
    /// Start of the last pane, in microseconds since 1970.
    last: i64,
}

/// The numbers behind a score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Basis {
    pub seen: f64,
    /// Of the first windows of all keys.
    pub mean: f64,
    pub variance: f64,
    pub keys: u64,
    /// Days and rows that are known of this one.
    pub days: u32,
    pub rows: u64,
}

/// What is usual of new keys at one time.
pub struct Usual {
    worth: Worth,
    mean: f64,
    variance: f64,
    keys: u64,
}

impl Newcomers {
    /// Turns to a pane; what new keys usually have, `None` while too few were seen. `common` is how many times the usual all
    /// keys have in it.
    pub fn turn(&mut self, start: i64, common: f64) -> Option<Usual> {
        self.ledger.begin(start.div_euclid(crate::time::MICROS_PER_DAY));
        self.sums.fade(decay((start - self.last).max(0), HALF_LIFE));
        self.last = start;
        let Sums { windows, amount, squares } = self.sums;
        if windows < WINDOWS_MIN || self.keys < KEYS_MIN {
            return None;
        }
        let mean = (amount / windows).max(1e-3);
        let variance = (squares / windows - mean * mean).max(mean);
        Some(Usual {
            worth: self.ledger.worth(),
            mean: common * mean,
            variance: common * common * variance,
            keys: self.keys,
        })
    }

    pub fn judge(&self, usual: Option<&Usual>, seen: f64, days: u32, rows: u64) -> Score {
        let Some(Usual { worth, mean, variance, keys }) = usual else {
            return Score { chance: 1.0, false_a_day: f64::INFINITY, why: Why::Learning { days, rows } };
        };
        let (chance, false_a_day) = worth.of(rate_bits(seen, *mean, *variance));
        let basis = Basis { seen, mean: *mean, variance: *variance, keys: *keys, days, rows };
        Score { chance, false_a_day: CAREFUL * false_a_day, why: Why::New(basis) }
    }

    /// Learns a window that was judged, of a key that had so many before it. `was_told_today` is of the key.
    pub fn teach(&mut self, score: &Score, seen: f64, windows: f64, was_told_today: bool) {
        if windows >= FIRST {
            return;
        }
        self.keys += u64::from(windows == 0.0);
        let mut most = f64::INFINITY;
        if let Why::New(Basis { mean, variance, .. }) = score.why {
            self.ledger.add(rate_bits(seen, mean, variance), score.chance, was_told_today);
            most = mean + TAUGHT_DEVIATIONS * variance.sqrt();
        }
        self.sums.add(seen.min(most), if score.chance < ODD { ODD_WEIGHT } else { 1.0 });
    }

    pub fn write(&self, to: &mut Writer) {
        self.ledger.write(to);
        [self.sums.windows, self.sums.amount, self.sums.squares].iter().for_each(|number| write_float(to, *number));
        to.number(self.keys);
        to.signed(self.last);
    }

    pub fn read(from: &mut Reader) -> Option<Newcomers> {
        let ledger = Ledger::read(from)?;
        let sums = Sums { windows: read_float(from)?, amount: read_float(from)?, squares: read_float(from)? };
        Some(Newcomers { ledger, sums, keys: from.number()?, last: from.signed()? })
    }
}
