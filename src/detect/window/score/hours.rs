//! How odd the hour of a window is for its owner: the hours of the week at which it was there before, with those of its peers as
//! prior, and those of all as theirs.

use hashbrown::HashMap;

use super::ledger::Ledger;
use super::{LEARNED_DAYS, ODD, ODD_DAYS, Observed, Score, Why, decay, read_float, write_float};
use crate::detect::window::bytes::{Reader, Writer};
use crate::detect::window::seen::Name;
use crate::time::{MICROS_PER_DAY, MICROS_PER_HOUR};

/// Hours of a week. The first is that of Thursday at 00:00 UTC, as 1970 began.
const HOURS: usize = 168;
/// Of an owner, weeks that are known; the oldest counts for a twelfth of the last.
pub const WEEKS: u32 = 8;
/// In days.
const HALF_LIFE: f64 = 14.0;
/// What was not seen for so many days is forgotten.
pub const FORGET_DAYS: i64 = WEEKS as i64 * 7;
/// What an hour says of those two hours around it and less.
const KERNEL: [f64; 5] = [1.0 / 9.0, 2.0 / 9.0, 3.0 / 9.0, 2.0 / 9.0, 1.0 / 9.0];
/// Hours that a prior counts for: in the profile of an owner what it does on other days at that time, in that the profile of its peers, in theirs
/// that of all, and in that an even one. On made traffic half or twice of each ranks alike; without the second a first week's odd hours are found half
/// as often.
const DAYS_PRIOR: f64 = 4.0;
const PEERS_PRIOR: f64 = 8.0;
const ALL_PRIOR: f64 = 8.0;
const EVEN_PRIOR: f64 = 24.0;
/// The part of anybody's hours that are at no time of theirs. Without it the scores of these are far from all others, and the chances made of
/// them up to ten times too small.
const AT_ANY_HOUR: f64 = 0.003;

/// From how many owners on, whose hour is about as odd as another's at the same time, it is asked whether that is common; how many bits less are about as
/// odd; and how many times as many owners as there are by chance make it so. An evening on which many work is nobody's oddity.
const COMMON_MIN: usize = 5;
const COMMON_BITS: f64 = 2.0;
const COMMON_CHANGE: f64 = 5.0;

/// The weeks of owners, of their peers and of all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hours {
    owners: HashMap<Name, Owner>,
    peers: HashMap<Name, Week>,
    all: Week,
}

#[derive(Clone, Debug, PartialEq)]
struct Owner {
    /// Of each hour the last weeks in which it was there, that of `last` being the lowest bit.
    weeks: [u8; HOURS],
    /// Start of its last window, in microseconds since 1970.
    last: i64,
    days: u32,
    rows: u64,
    /// Days with hours that were told or hardly possible, and the last of them.
    odd_days: u16,
    odd_day: i64,
}

/// How often there was somebody in each hour of the week, decayed as of a day.
#[derive(Clone, Debug, PartialEq)]
struct Week {
    hours: [f64; HOURS],
    day: i64,
}

/// The numbers behind a score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Basis {
    /// Of the week that begins on Thursday at 00:00 UTC.
    pub hour: u8,
    /// Days with windows of the owner, and of its last eight weeks those in which it was there at this hour, or up to two from it.
    pub days: u32,
    pub weeks: u32,
    /// The part of the hours of its peers that are this one, or up to two from it.
    pub peers: f64,
    /// In `-log2`.
    pub bits: f64,
}

impl Default for Owner {
    fn default() -> Owner {
        Owner { weeks: [0; HOURS], last: 0, days: 0, rows: 0, odd_days: 0, odd_day: 0 }
    }
}

impl Default for Week {
    fn default() -> Week {
        Week { hours: [0.0; HOURS], day: 0 }
    }
}

fn day(time: i64) -> i64 {
    time.div_euclid(MICROS_PER_DAY)
}

fn week(time: i64) -> i64 {
    time.div_euclid(7 * MICROS_PER_DAY)
}

fn hour(time: i64) -> usize {
    time.div_euclid(MICROS_PER_HOUR).rem_euclid(HOURS as i64) as usize
}

/// An hour and those two on either side of it.
fn around(hour: usize) -> impl Iterator<Item = usize> {
    (0..KERNEL.len()).map(move |place| (hour + HOURS + place - KERNEL.len() / 2) % HOURS)
}

/// The shares of the hours, with a prior that counts for so many.
fn shares(hours: &[f64; HOURS], prior: &[f64; HOURS], weight: f64) -> [f64; HOURS] {
    let total: f64 = hours.iter().sum();
    let smoothed = |hour: usize| around(hour).zip(KERNEL).map(|(hour, part)| part * hours[hour]).sum::<f64>();
    std::array::from_fn(|hour| (smoothed(hour) + weight * prior[hour]) / (total + weight))
}

impl Hours {
    /// What is told within the budget teaches once it was on three days, as what is hardly possible does: bits of hours are few, and of an account
    /// taken over the second night would be a habit already.
    pub fn close(&mut self, ledger: &mut Ledger, start: i64, windows: &[Observed], budget: f64) -> Vec<Score> {
        let scores = self.scores(ledger, start, windows, i64::MIN);
        for (window, score) in windows.iter().zip(&scores) {
            if let Why::Hours(Basis { bits, .. }) = score.why {
                let was_told = self.owners.get(&window.owner).is_some_and(|owner| owner.odd_day == day(start));
                ledger.add(bits, score.chance, was_told);
            }
            self.teach(window, start, score.chance < ODD || score.is_within(budget));
        }
        scores
    }

    /// The scores of the windows of one pane, by what is known before it, without what was last seen before `since`. No window's depends on
    /// how many rows it has, nor on another's, unless [`COMMON_MIN`] are as odd: these have no bits.
    pub fn scores(&self, ledger: &Ledger, start: i64, windows: &[Observed], since: i64) -> Vec<Score> {
        let worth = ledger.worth();
        let even = [1.0 / HOURS as f64; HOURS];
        let all = shares(&self.all.at(start), &even, EVEN_PRIOR);
        let mut priors: HashMap<Name, [f64; HOURS]> = HashMap::new();
        let score = |window: &Observed| {
            let known = self.owners.get(&window.owner).filter(|owner| owner.last > since);
            let (days, rows) = known.map_or((0, 0), |owner| (owner.days, owner.rows));
            // many rows of one day say nothing of the others
            let Some(owner) = known.filter(|_| days >= LEARNED_DAYS) else {
                return Score { chance: 1.0, false_a_day: f64::INFINITY, why: Why::Learning { days, rows } };
            };
            let prior = priors.entry(window.peers).or_insert_with(|| match self.peers.get(&window.peers) {
                Some(peers) if peers.day > day(since) => shares(&peers.at(start), &all, ALL_PRIOR),
                _ => all,
            });
            let basis = owner.judge(prior, start);
            let (chance, false_a_day) = worth.of(basis.bits);
            Score { chance, false_a_day, why: Why::Hours(basis) }
        };
        let mut scores: Vec<Score> = windows.iter().map(score).collect();
        let mut all: Vec<f64> = scores.iter().filter_map(Score::bits_of_hours).collect();
        all.sort_by(f64::total_cmp);
        for score in &mut scores {
            let Why::Hours(basis) = &mut score.why else { continue };
            let least = basis.bits - COMMON_BITS;
            let as_odd = all.len() - all.partition_point(|bits| *bits < least);
            let by_chance = worth.of(least.max(0.0)).0 * all.len() as f64;
            if as_odd >= COMMON_MIN && as_odd as f64 >= COMMON_CHANGE * by_chance {
                (basis.bits, score.chance, score.false_a_day) = (0.0, 1.0, f64::INFINITY);
            }
        }
        scores
    }

    fn teach(&mut self, window: &Observed, start: i64, is_odd: bool) {
        let owner = self.owners.entry(window.owner).or_default();
        let (is_new, today) = (owner.rows == 0, day(start));
        if is_new || day(owner.last) != today {
            owner.days += 1;
        }
        (owner.weeks, owner.last) = (owner.weeks_at(start), start);
        owner.rows += window.rows.max(1);
        if is_odd && owner.odd_day != today {
            let goes_on = today - owner.odd_day <= 2 * HALF_LIFE as i64;
            owner.odd_days = if goes_on { owner.odd_days.saturating_add(1) } else { 1 };
            owner.odd_day = today;
        }
        if !is_odd || owner.odd_days >= ODD_DAYS {
            owner.weeks[hour(start)] |= 1;
            self.all.add(start);
            self.peers.entry(window.peers).or_default().add(start);
        }
    }

    /// What was last seen then, or before, is forgotten at a time.
    pub fn forgotten(start: i64) -> i64 {
        start - FORGET_DAYS * MICROS_PER_DAY
    }

    pub fn forget_before(&mut self, start: i64) {
        self.owners.retain(|_, owner| owner.last > Hours::forgotten(start));
        self.peers.retain(|_, week| week.day > day(Hours::forgotten(start)));
    }

    pub fn bytes_len(&self) -> usize {
        self.owners.len() * (size_of::<(Name, Owner)>() * 8 / 7 + 16)
            + self.peers.len() * (size_of::<(Name, Week)>() * 8 / 7 + 16)
    }

    pub fn shed(&mut self) -> u64 {
        let mut ages: Vec<(i64, Name)> = self.owners.iter().map(|(name, owner)| (owner.last, *name)).collect();
        ages.sort_unstable();
        let leaving = &ages[..ages.len().div_ceil(4)];
        leaving.iter().for_each(|(_, name)| {
            self.owners.remove(name);
        });
        let mut peers: Vec<Name> = self.peers.keys().copied().collect();
        peers.sort_unstable();
        peers.truncate(peers.len().div_ceil(4));
        peers.iter().for_each(|name| {
            self.peers.remove(name);
        });
        (leaving.len() + peers.len()) as u64
    }

    pub fn write(&self, to: &mut Writer) {
        self.all.write(to);
        let mut peers: Vec<_> = self.peers.iter().collect();
        peers.sort_unstable_by_key(|(name, _)| **name);
        to.number(peers.len() as u64);
        for (name, week) in peers {
            to.fixed(&name.to_le_bytes());
            week.write(to);
        }
        let mut owners: Vec<_> = self.owners.iter().collect();
        owners.sort_unstable_by_key(|(name, _)| **name);
        to.number(owners.len() as u64);
        for (name, owner) in owners {
            to.fixed(&name.to_le_bytes());
            to.fixed(&owner.weeks);
            to.signed(owner.last);
            to.number(u64::from(owner.days));
            to.number(owner.rows);
            to.number(u64::from(owner.odd_days));
            to.signed(owner.odd_day);
        }
    }

    pub fn read(from: &mut Reader) -> Option<Hours> {
        let mut hours = Hours { all: Week::read(from)?, ..Hours::default() };
        for _ in 0..from.number()? {
            let name = Name::from_le_bytes(from.fixed()?);
            hours.peers.insert(name, Week::read(from)?);
        }
        for _ in 0..from.number()? {
            let name = Name::from_le_bytes(from.fixed()?);
            let owner = Owner {
                weeks: from.fixed()?,
                last: from.signed()?,
                days: u32::try_from(from.number()?).ok()?,
                rows: from.number()?,
                odd_days: u16::try_from(from.number()?).ok()?,
                odd_day: from.signed()?,
            };
            hours.owners.insert(name, owner);
        }
        Some(hours)
    }
}

impl Score {
    fn bits_of_hours(&self) -> Option<f64> {
        match self.why {
            Why::Hours(basis) => Some(basis.bits),
            Why::Learning { .. } | Why::Rate(_) | Why::New(_) | Why::Rare(_) => None,
        }
    }
}

impl Owner {
    fn judge(&self, prior: &[f64; HOURS], start: i64) -> Basis {
        let weeks = self.weeks_at(start);
        let now = hour(start);
        // each counts from this hour, and as often: of the hours before it in the week that is the present week's, of this hour and those behind it
        // the last week's
        let worth: [f64; WEEKS as usize - 1] =
            std::array::from_fn(|age| decay(age as i64 * 7 * MICROS_PER_DAY, HALF_LIFE));
        let had = |weeks: u8| (0..worth.len()).filter(|age| weeks >> age & 1 == 1).map(|age| worth[age]).sum();
        let hours: [f64; HOURS] = std::array::from_fn(|hour| had(weeks[hour] >> u8::from(hour >= now)));
        let of_time = |hour: usize| (hour % 24..HOURS).step_by(24).map(|hour| hours[hour]).sum::<f64>();
        let days = shares(&std::array::from_fn(|hour| of_time(hour) / 7.0), prior, PEERS_PRIOR);
        let shares = shares(&hours, &days, DAYS_PRIOR);
        let shares = shares.map(|share| (1.0 - AT_ANY_HOUR) * share + AT_ANY_HOUR / HOURS as f64);
        let hour = now;
        // equal shares may differ in their last digit
        let least = shares[hour] * (1.0 + 1e-9);
        let chance: f64 = shares.iter().filter(|share| **share <= least).sum();
        Basis {
            hour: hour as u8,
            days: self.days,
            weeks: around(hour).fold(0, |all, hour| all | weeks[hour]).count_ones(),
            peers: around(hour).map(|hour| prior[hour]).sum(),
            bits: (-chance.log2()).max(0.0),
        }
    }

    /// Of each hour the last weeks in which it was there, as of a time.
    fn weeks_at(&self, start: i64) -> [u8; HOURS] {
        let passed = u32::try_from(week(start) - week(self.last)).unwrap_or(0);
        self.weeks.map(|weeks| weeks.checked_shl(passed).unwrap_or(0))
    }
}

impl Week {
    /// As of a time.
    fn at(&self, start: i64) -> [f64; HOURS] {
        let kept = decay((day(start) - self.day).max(0) * MICROS_PER_DAY, HALF_LIFE);
        self.hours.map(|had| kept * had)
    }

    fn add(&mut self, start: i64) {
        if day(start) > self.day {
            (self.hours, self.day) = (self.at(start), day(start));
        }
        self.hours[hour(start)] += 1.0;
    }

    fn write(&self, to: &mut Writer) {
        to.signed(self.day);
        self.hours.iter().for_each(|had| write_float(to, *had));
    }

    fn read(from: &mut Reader) -> Option<Week> {
        let mut week = Week { day: from.signed()?, ..Week::default() };
        for had in &mut week.hours {
            *had = read_float(from)?;
        }
        Some(week)
    }
}
