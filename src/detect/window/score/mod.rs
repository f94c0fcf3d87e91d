//! How unusual the windows of a rule are: closed windows in, the chance of each out, and then they teach.
//!
//! A score is a tail probability: the chance, under what was learnt before its window, of something at least this unusual.
//! It is turned into a decision by a budget of false findings a day, see [`ledger`]. Everything goes by event time; a window is judged
//! by what closed before it, and windows of one time in the order of their keys, so that the same rows give the same scores.

pub mod tail;
mod alike;
mod hours;
mod ledger;
mod newcomers;
mod rate;
mod rare;
pub mod words;

use super::bytes::{Reader, Writer};
use super::seen::Name;
use crate::time::MICROS_PER_DAY;
use hours::Hours;
use ledger::Ledger;
use rare::Rares;
use rate::Rates;

/// Days with windows that an owner must have had before anything of it counts as unusual, or rows.
pub const LEARNED_DAYS: u32 = 3;
pub const LEARNED_ROWS: u64 = 200;

/// What is less likely than this teaches with a tenth of its weight until it was seen on three days: who does little by little
/// what he should not would else teach that it is usual.
const ODD: f64 = 1e-4;
const ODD_WEIGHT: f64 = 0.1;
const ODD_DAYS: u16 = 3;

/// What of a window is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A number, against the key's own windows and those of all keys.
    Rate,
    /// A column of the key, by its position: against what the other columns had, then the first of these, then all.
    Rare { value: usize },
    /// The hour of the week that a window begins at, against those of the key, of keys with the same first column, and of all.
    Hours,
}

impl What {
    /// Days after which what is not seen again is forgotten.
    pub fn days_kept(self) -> i32 {
        let days = match self {
            What::Rate => rate::FORGET_DAYS,
            What::Rare { .. } => rare::FORGET_DAYS,
            What::Hours => hours::FORGET_DAYS,
        };
        i32::try_from(days).expect("it is some weeks")
    }
}

/// A rule's question for how unusual its windows are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    pub what: What,
    /// False findings a day that are accepted.
    pub budget: f64,
}

/// A window, as far as it is scored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observed {
    /// Whose it is.
    pub owner: Name,
    /// Whom that is compared with before all others; of a rate nobody.
    pub peers: Name,
    /// The value that may be rare.
    pub value: Name,
    /// The number that may be unusual; never negative.
    pub amount: f64,
    pub rows: u64,
}

/// How unusual a window is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Of anything this unusual, calibrated; 1 while neither the owner is known yet nor how others began.
    pub chance: f64,
    /// Findings that ordinary traffic gives in a day when all that is this unlikely is told.
    pub false_a_day: f64,
    pub why: Why,
}

/// The numbers that made a score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Why {
    /// The owner has had too few windows, and so have all others when they were new.
    Learning {
        days: u32,
        rows: u64,
    },
    Rate(rate::Basis),
    /// The owner has had too few windows, and is compared with others when they were as new.
    New(newcomers::Basis),
    Rare(rare::Basis),
    Hours(hours::Basis),
}

impl Score {
    pub fn is_within(&self, budget: f64) -> bool {
        !matches!(self.why, Why::Learning { .. }) && self.false_a_day <= budget
    }
}

/// What a rule has learnt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    ledger: Ledger,
    rates: Rates,
    rares: Rares,
    hours: Hours,
}

impl Model {
    /// Scores the windows of one pane, in the order of their keys, and learns from them. `start` is the pane's, in
    /// microseconds since 1970; panes come in their order.
    pub fn close(&mut self, scored: Scored, start: i64, windows: &[Observed]) -> Vec<Score> {
        let day = start.div_euclid(MICROS_PER_DAY);
        let begins = self.ledger.begin(day);
        if begins {
            self.rates.forget_before(start);
            self.rares.forget_before(start);
            self.hours.forget_before(start);
        }
        let scores = match scored.what {
            What::Rate => self.rates.close(&mut self.ledger, start, windows, scored.budget),
            What::Rare { .. } => self.rares.close(&mut self.ledger, start, windows),
            What::Hours => self.hours.close(&mut self.ledger, start, windows, scored.budget),
        };
        if begins {
            self.rares.regroup(start);
        }
        scores
    }

    /// The scores that windows of the next pane will have when it closes, where these can be told before: of what is rare and of hours, as soon as
    /// no row can come for a pane before it.
    pub fn foresee(&self, scored: Scored, start: i64, windows: &[Observed]) -> Option<Vec<Score>> {
        if scored.what == What::Rate {
            return None;
        }
        let mut ledger = self.ledger.clone();
        let begins = ledger.begin(start.div_euclid(MICROS_PER_DAY));
        let since = |forgotten: i64| if begins { forgotten } else { i64::MIN };
        match scored.what {
            What::Rate => None,
            What::Rare { .. } => Some(self.rares.scores(&ledger, start, windows, since(Rares::forgotten(start)))),
            What::Hours => Some(self.hours.scores(&ledger, start, windows, since(Hours::forgotten(start)))),
        }
    }

    /// Shares of the scores of the last weeks that were below 1e-2, 1e-3 and 1e-4, and how many there were; `None` before the
    /// first. On ordinary traffic each is near what it is a share below.
    pub fn shares(&self) -> Option<([f64; 3], f64)> {
        self.ledger.shares()
    }

    /// About what it takes, in bytes.
    pub fn bytes_len(&self) -> usize {
        self.rates.bytes_len() + self.rares.bytes_len() + self.hours.bytes_len()
    }

    /// Makes room: what was seen longest ago is forgotten, a quarter of it, and is learnt again when it comes. Gives the number of
    /// owners and values.
    pub fn shed(&mut self) -> u64 {
        self.rates.shed() + self.rares.shed() + self.hours.shed()
    }

    pub fn write(&self, to: &mut Writer) {
        self.ledger.write(to);
        self.rates.write(to);
        self.rares.write(to);
        self.hours.write(to);
    }

    /// What [`Model::write`] wrote; `None` when it did not.
    pub fn read(from: &mut Reader) -> Option<Model> {
        let (ledger, rates, rares) = (Ledger::read(from)?, Rates::read(from)?, Rares::read(from)?);
        Some(Model { ledger, rates, rares, hours: Hours::read(from)? })
    }
}

/// What is left of something after a time, when half of it is after `half_life` days.
fn decay(micros: i64, half_life: f64) -> f64 {
    (-(micros as f64) / (half_life * MICROS_PER_DAY as f64)).exp2()
}

fn write_float(to: &mut Writer, number: f64) {
    to.fixed(&number.to_le_bytes());
}

fn read_float(from: &mut Reader) -> Option<f64> {
    from.fixed().map(f64::from_le_bytes)
}

#[cfg(test)]
mod tests;
