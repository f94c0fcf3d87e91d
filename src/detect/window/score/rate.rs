//! How unusual a number is under the owner's own history: a Gamma-Poisson model for each, with a prior from all.

use hashbrown::HashMap;

use super::ledger::Ledger;
use super::newcomers::Newcomers;
use super::tail::rate_bits;
use super::{
    LEARNED_DAYS, LEARNED_ROWS, ODD, ODD_DAYS, ODD_WEIGHT, Observed, Score, Why, decay, read_float, write_float,
};
use crate::detect::window::bytes::{Reader, Writer};
use crate::detect::window::seen::Name;
use crate::time::MICROS_PER_DAY;

/// In days.
const HALF_LIFE: f64 = 7.0;
/// An owner without windows for so many days is forgotten: 1/256 of its weight is left by then.
pub const FORGET_DAYS: i64 = 56;
/// Windows that the mean of all owners counts for in an owner's mean, and their spread in its spread.
const MEAN_PRIOR: f64 = 1.0;
const SPREAD_PRIOR: f64 = 10.0;
/// Known owners in one pane from which on it is asked whether all of them do more than usual; the part of them that does most is not asked.
const COMMON_MIN: usize = 8;
const COMMON_LEFT_OUT: usize = 4;
/// How differently owners take part in it: standard deviation, for a mean of 1.
const COMMON_SPREAD: f64 = 0.5;
/// From how many times the usual on all have changed.
const COMMON_CHANGE: f64 = 2.0;
/// How far from its mean, in standard deviations, a number is taken for what it is when it teaches: who does twice as much every day would else widen what
/// is usual as fast.
const TAUGHT_DEVIATIONS: f64 = 3.0;

/// What is usual, by owner.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rates {
    owners: HashMap<Name, Owner>,
    /// Of all windows of all owners.
    all: Sums,
    /// Squares of what was off the expected, and what was expected.
    off: f64,
    expected: f64,
    /// Of panes with enough known owners: how many, and the sum of what all had together, see [`together`].
    panes: f64,
    together: f64,
    last: i64,
    newcomers: Newcomers,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    pub windows: f64,
    pub amount: f64,
    pub squares: f64,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Owner {
    sums: Sums,
    /// Of the day of its last window, which teaches when it is over: else what grows hour by hour would make itself usual.
    today: Sums,
    /// Start of its last window, in microseconds since 1970.
    last: i64,
    /// Days with windows, and their rows.
    days: u32,
    rows: u64,
    /// Days with windows that were told or hardly possible, and the last of them.
    odd_days: u16,
    odd_day: i64,
}

/// The numbers behind a score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Basis {
    pub seen: f64,
    pub mean: f64,
    pub variance: f64,
    pub days: u32,
    /// How much more than usual all owners had in this window.
    pub common: f64,
    /// Under the model alone, in `-log2`.
    pub bits: f64,
}

/// What a window may teach.
#[derive(Clone, Copy)]
struct Believed {
    /// Of its number, as long as it is no habit.
    most: f64,
    /// Before its day is over: what all do at once is nobody's creeping.
    at_once: bool,
    /// It was told, or hardly possible, and is a habit only if it goes on.
    is_odd: bool,
}

impl Sums {
    pub fn fade(&mut self, kept: f64) {
        self.windows *= kept;
        self.amount *= kept;
        self.squares *= kept;
    }

    fn join(&mut self, other: Sums) {
        self.windows += other.windows;
        self.amount += other.amount;
        self.squares += other.squares;
    }

    pub fn add(&mut self, amount: f64, weight: f64) {
        self.windows += weight;
        self.amount += weight * amount;
        self.squares += weight * amount * amount;
    }
}

impl Rates {
    /// Scores the windows of one pane and learns from them. What is told within the budget becomes a habit after as many days as what is hardly
    /// possible: where few windows are judged a day, it need not be that unlikely, and would be told on each day for ever.
    pub fn close(&mut self, ledger: &mut Ledger, start: i64, windows: &[Observed], budget: f64) -> Vec<Score> {
        let kept = decay((start - self.last).max(0), HALF_LIFE);
        self.all.fade(kept);
        self.off *= kept;
        self.expected *= kept;
        self.panes *= kept;
        self.together *= kept;
        self.last = start;
        let prior = if self.all.windows > 0.0 { self.all.amount / self.all.windows } else { 1.0 };
        let usual: Vec<Option<(f64, f64)>> = windows.iter().map(|window| self.usual(window, start, prior)).collect();
        let common = self.common(windows, &usual);
        let worth = ledger.worth();
        let of_new = self.newcomers.turn(start, common);
        let day = start.div_euclid(MICROS_PER_DAY);
        let mut scores = Vec::with_capacity(windows.len());
        for (window, usual) in windows.iter().zip(usual) {
            let mut most = f64::INFINITY;
            let score = match usual {
                None => {
                    let known = self.owners.get(&window.owner);
                    let (days, rows) = known.map_or((0, 0), |owner| (owner.days, owner.rows));
                    let had = known.map_or(0.0, |owner| owner.sums.windows + owner.today.windows);
                    let was_told = known.is_some_and(|owner| owner.odd_day == day);
                    let score = self.newcomers.judge(of_new.as_ref(), window.amount, days, rows);
                    self.newcomers.teach(&score, window.amount, had, was_told);
                    score
                }
                Some((mean, spread)) => {
                    // what is off a Poisson count's spread grows with the mean, as in a gamma mixture; and not all
                    // have the same part in what all do more
                    let unequal = COMMON_SPREAD * (common - 1.0) * mean;
                    let variance = common * mean * (1.0 + (spread - 1.0) * common) + unequal * unequal;
                    let mean = common * mean;
                    let bits = rate_bits(window.amount, mean, variance);
                    let (chance, false_a_day) = worth.of(bits);
                    let owner = &self.owners[&window.owner];
                    ledger.add(bits, chance, owner.odd_day == day);
                    most = mean + TAUGHT_DEVIATIONS * variance.sqrt();
                    let days = owner.days;
                    let why = Why::Rate(Basis { seen: window.amount, mean, variance, days, common, bits });
                    Score { chance, false_a_day, why }
                }
            };
            let is_odd = score.chance < ODD || score.is_within(budget);
            let believed = Believed { most, at_once: common >= COMMON_CHANGE, is_odd };
            self.teach(window, start, prior, score.chance, believed);
            scores.push(score);
        }
        scores
    }

    /// How many times the usual all owners have in this pane: 1 where few are known, and at least 1. When a whole organisation does ten times
    /// as much, none of it is unusual.
    fn common(&mut self, windows: &[Observed], usual: &[Option<(f64, f64)>]) -> f64 {
        let Some(together) = together(windows, usual) else { return 1.0 };
        let ordinary = if self.panes > 0.0 { self.together / self.panes } else { 1.0 };
        self.panes += 1.0;
        self.together += together;
        (together / ordinary.clamp(0.1, 1.0)).max(1.0)
    }

    /// Mean of an owner's windows, and how many times that their variance is; `None` of one that is not known yet.
    fn usual(&self, window: &Observed, start: i64, prior: f64) -> Option<(f64, f64)> {
        let owner = self.owners.get(&window.owner)?;
        if owner.days < LEARNED_DAYS && owner.rows < LEARNED_ROWS {
            return None;
        }
        let mut sums = owner.sums;
        if owner.last.div_euclid(MICROS_PER_DAY) != start.div_euclid(MICROS_PER_DAY) {
            sums.join(owner.today);
        }
        sums.fade(decay(start - owner.last, HALF_LIFE));
        let weight = sums.windows + MEAN_PRIOR;
        let mean = ((sums.amount + MEAN_PRIOR * prior) / weight).max(1e-3);
        let all = if self.expected > 0.0 { self.off / self.expected } else { 1.0 };
        let own = (sums.squares - 2.0 * mean * sums.amount + mean * mean * sums.windows).max(0.0);
        let spread = (own / mean + SPREAD_PRIOR * all) / (sums.windows + SPREAD_PRIOR);
        // the mean is not known exactly either
        Some((mean, spread.max(1.0) * (1.0 + 1.0 / weight)))
    }

    fn teach(&mut self, window: &Observed, start: i64, prior: f64, chance: f64, believed: Believed) {
        let day = start.div_euclid(MICROS_PER_DAY);
        let owner = self.owners.entry(window.owner).or_default();
        let is_new = owner.rows == 0;
        if !is_new {
            let kept = decay(start - owner.last, HALF_LIFE);
            owner.sums.fade(kept);
            owner.today.fade(kept);
        }
        if is_new || owner.last.div_euclid(MICROS_PER_DAY) != day {
            owner.days += 1;
            owner.sums.join(std::mem::take(&mut owner.today));
        }
        owner.last = start;
        owner.rows += window.rows.max(1);
        if believed.is_odd && owner.odd_day != day {
            // what was long ago is no reason to believe it now
            let goes_on = day - owner.odd_day <= 2 * HALF_LIFE as i64;
            owner.odd_days = if goes_on { owner.odd_days.saturating_add(1) } else { 1 };
            owner.odd_day = day;
        }
        let is_habit = owner.odd_days >= ODD_DAYS;
        let weight = if chance < ODD && !is_habit { ODD_WEIGHT } else { 1.0 };
        let amount = if is_habit { window.amount } else { window.amount.min(believed.most) };
        let mean = (owner.sums.amount + MEAN_PRIOR * prior) / (owner.sums.windows + MEAN_PRIOR);
        // who is known by few days has not much else to go by
        let sums = if owner.days <= LEARNED_DAYS || believed.at_once { &mut owner.sums } else { &mut owner.today };
        sums.add(amount, weight);
        self.all.add(amount, weight);
        if !is_new {
            self.off += weight * (amount - mean).powi(2);
            self.expected += weight * mean;
        }
    }

    pub fn forget_before(&mut self, start: i64) {
        self.owners.retain(|_, owner| start - owner.last < FORGET_DAYS * MICROS_PER_DAY);
    }

    pub fn bytes_len(&self) -> usize {
        self.owners.len() * (size_of::<(Name, Owner)>() * 8 / 7 + 16)
    }

    pub fn shed(&mut self) -> u64 {
        let mut ages: Vec<(i64, Name)> = self.owners.iter().map(|(name, owner)| (owner.last, *name)).collect();
        ages.sort_unstable();
        let leaving = &ages[..ages.len().div_ceil(4)];
        leaving.iter().for_each(|(_, name)| {
            self.owners.remove(name);
        });
        leaving.len() as u64
    }

    pub fn write(&self, to: &mut Writer) {
        [self.all.windows, self.all.amount, self.all.squares, self.off, self.expected, self.panes, self.together]
            .iter()
            .for_each(|number| write_float(to, *number));
        to.signed(self.last);
        self.newcomers.write(to);
        let mut owners: Vec<_> = self.owners.iter().collect();
        owners.sort_unstable_by_key(|(name, _)| **name);
        to.number(owners.len() as u64);
        for (name, owner) in owners {
            to.fixed(&name.to_le_bytes());
            for sums in [owner.sums, owner.today] {
                [sums.windows, sums.amount, sums.squares].iter().for_each(|number| write_float(to, *number));
            }
            to.signed(owner.last);
            to.number(u64::from(owner.days));
            to.number(owner.rows);
            to.number(u64::from(owner.odd_days));
            to.signed(owner.odd_day);
        }
    }

    pub fn read(from: &mut Reader) -> Option<Rates> {
        let sums = |from: &mut Reader| {
            Some(Sums { windows: read_float(from)?, amount: read_float(from)?, squares: read_float(from)? })
        };
        let mut rates = Rates {
            all: sums(from)?,
            off: read_float(from)?,
            expected: read_float(from)?,
            panes: read_float(from)?,
            together: read_float(from)?,
            last: from.signed()?,
            newcomers: Newcomers::read(from)?,
            owners: HashMap::new(),
        };
        for _ in 0..from.number()? {
            let name = Name::from_le_bytes(from.fixed()?);
            let owner = Owner {
                sums: sums(from)?,
                today: sums(from)?,
                last: from.signed()?,
                days: u32::try_from(from.number()?).ok()?,
                rows: from.number()?,
                odd_days: u16::try_from(from.number()?).ok()?,
                odd_day: from.signed()?,
            };
            rates.owners.insert(name, owner);
        }
        Some(rates)
    }
}

/// How many times the usual the owners of one pane have together, without those that have most of it, who may be what is looked for; `None` of
/// few. On ordinary days it is somewhat below 1.
fn together(windows: &[Observed], usual: &[Option<(f64, f64)>]) -> Option<f64> {
    let known = windows.iter().zip(usual).filter_map(|(window, usual)| Some((window.amount, usual.as_ref()?.0)));
    let mut known: Vec<(f64, f64)> = known.collect();
    if known.len() < COMMON_MIN {
        return None;
    }
    known.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)).then(a.1.total_cmp(&b.1)));
    known.truncate(known.len() - known.len() / COMMON_LEFT_OUT);
    let (seen, mean) = known.iter().fold((0.0, 0.0), |(seen, mean), one| (seen + one.0, mean + one.1));
    Some(seen / mean)
}
