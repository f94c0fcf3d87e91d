//! How rare a value is of its owner: shares of windows, smoothed by those of owners that have the like values, these by those of its peers, and
//! these by those of all.

use hashbrown::HashMap;

use super::alike::{Groups, VALUES_MIN, mix};
use super::ledger::Ledger;
use super::{
    LEARNED_DAYS, LEARNED_ROWS, ODD, ODD_DAYS, ODD_WEIGHT, Observed, Score, Why, decay, read_float, write_float,
};
use crate::detect::window::bytes::{Reader, Writer};
use crate::detect::window::seen::Name;
use crate::time::MICROS_PER_DAY;

/// In days.
const HALF_LIFE: f64 = 14.0;
/// What was not seen for so many days is forgotten.
pub const FORGET_DAYS: i64 = 112;

/// Windows of owners, of their peers and of all, each by value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rares {
    cells: HashMap<Name, Cell>,
    /// Different values that there were.
    values: u64,
    groups: Groups,
}

/// Of an owner, of a value, or of a value of an owner.
#[derive(Clone, Debug, Default, PartialEq)]
struct Cell {
    /// Decayed. A window with three values counts once for each.
    windows: f64,
    /// Start of the last, in microseconds since 1970.
    last: i64,
    days: u32,
    rows: u64,
    /// Different values.
    values: u32,
}

/// The numbers behind a score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Basis {
    /// Days with windows of the owner, and those on which it had the value.
    pub days: u32,
    pub value_days: u32,
    /// Owners that have the like values; and of their windows, decayed, those that had the value, and all. Of none other it is 0.
    pub members: u32,
    pub alike_value: f64,
    pub alike: f64,
    /// Of all owners, decayed: windows that had the value, and windows.
    pub others: f64,
    pub all: f64,
    /// In `-log2`.
    pub bits: f64,
}

#[derive(Clone, Copy)]
struct Names {
    all: Name,
    value: Name,
    peers: Name,
    peers_value: Name,
    owner: Name,
    owner_value: Name,
    group: Option<Group>,
}

/// Of the owners that have the like values, where there are others.
#[derive(Clone, Copy)]
struct Group {
    all: Name,
    value: Name,
    members: u32,
}

/// Name of the cell of all.
const ALL: Name = 0;

/// What stands for two names in one of their parts; these are hashes, of which no more than a mix is needed.
fn name(part: u64, first: Name, second: Name) -> Name {
    mix(mix(mix(part) ^ first) ^ second)
}

fn day(time: i64) -> i64 {
    time.div_euclid(MICROS_PER_DAY)
}

impl Names {
    fn of(window: &Observed, groups: &Groups) -> Names {
        let group = |(group, members)| Group { all: name(6, group, 0), value: name(7, group, window.value), members };
        Names {
            all: ALL,
            value: name(1, window.value, 0),
            peers: name(2, window.peers, 0),
            peers_value: name(3, window.peers, window.value),
            owner: name(4, window.owner, 0),
            owner_value: name(5, window.owner, window.value),
            group: groups.of(window.owner).map(group),
        }
    }
}

impl Rares {
    pub fn close(&mut self, ledger: &mut Ledger, start: i64, windows: &[Observed]) -> Vec<Score> {
        let scores = self.scores(ledger, start, windows, i64::MIN);
        for (window, Score { chance, why, .. }) in windows.iter().zip(&scores) {
            if let Why::Rare(Basis { bits, .. }) = why {
                let known = self.cells.get(&Names::of(window, &self.groups).owner_value);
                ledger.add(*bits, *chance, known.is_some_and(|cell| day(cell.last) == day(start)));
            }
            self.teach(window, start, *chance);
        }
        scores
    }

    /// The scores of the windows of one pane, by what is known before it, without what was last seen before `since`. No window's depends on
    /// another's, nor on how many rows it has.
    pub fn scores(&self, ledger: &Ledger, start: i64, windows: &[Observed], since: i64) -> Vec<Score> {
        let worth = ledger.worth();
        let score = |window: &Observed| {
            let why = self.judge(&Names::of(window, &self.groups), start, since);
            let (chance, false_a_day) = match why {
                Why::Rare(Basis { bits, .. }) => worth.of(bits),
                Why::Learning { .. } | Why::Rate(_) | Why::New(_) | Why::Hours(_) => (1.0, f64::INFINITY),
            };
            Score { chance, false_a_day, why }
        };
        windows.iter().map(score).collect()
    }

    fn cell(&self, name: Name, since: i64) -> Option<&Cell> {
        self.cells.get(&name).filter(|cell| cell.last > since)
    }

    /// Windows and values of a cell at a time.
    fn at(&self, cell: Name, start: i64, since: i64) -> (f64, f64) {
        let faded = |cell: &Cell| (cell.windows * decay(start - cell.last, HALF_LIFE), f64::from(cell.values));
        self.cell(cell, since).map_or((0.0, 0.0), faded)
    }

    fn judge(&self, names: &Names, start: i64, since: i64) -> Why {
        let known = self.cell(names.owner, since);
        let (days, rows) = known.map_or((0, 0), |owner| (owner.days, owner.rows));
        if days < LEARNED_DAYS && rows < LEARNED_ROWS {
            return Why::Learning { days, rows };
        }
        let (all, others) = (self.at(names.all, start, since).0, self.at(names.value, start, since).0);
        let share = (others + 1.0 / (self.values as f64 + 1.0)) / (all + 1.0);
        // who had many different values is expected to have one more
        let smoothed = |whole: Name, part: Name, share: f64| {
            let (windows, values) = self.at(whole, start, since);
            let values = values.max(1.0);
            (self.at(part, start, since).0 + values * share) / (windows + values)
        };
        let mut share = smoothed(names.peers, names.peers_value, share);
        let (mut members, mut alike_value, mut alike) = (0, 0.0, 0.0);
        if let Some(group) = names.group {
            share = smoothed(group.all, group.value, share);
            members = group.members;
            (alike_value, alike) = (self.at(group.value, start, since).0, self.at(group.all, start, since).0);
        }
        let share = smoothed(names.owner, names.owner_value, share);
        let value_days = self.cell(names.owner_value, since).map_or(0, |cell| cell.days);
        let bits = (-share.log2()).max(0.0);
        Why::Rare(Basis { days, value_days, members, alike_value, alike, others, all, bits })
    }

    fn teach(&mut self, window: &Observed, start: i64, chance: f64) {
        let (names, rows) = (Names::of(window, &self.groups), window.rows);
        let known = self.cells.get(&names.owner_value);
        let days = known.map_or(0, |cell| cell.days);
        // once a day, so that what it had before it had many is soon there too
        let is_first = known.is_none_or(|cell| day(cell.last) != day(start));
        if is_first && self.cells.get(&names.owner).is_some_and(|owner| owner.values >= VALUES_MIN) {
            self.groups.add(window.owner, window.value, start);
        }
        let weight = if chance < ODD && days < u32::from(ODD_DAYS) { ODD_WEIGHT } else { 1.0 };
        self.values += u64::from(self.touch(names.value, start, rows, weight));
        self.touch(names.all, start, rows, weight);
        let pairs = [(names.peers, names.peers_value), (names.owner, names.owner_value)];
        let of_group = names.group.map(|group| (group.all, group.value));
        for (whole, part) in pairs.into_iter().chain(of_group) {
            let is_new = self.touch(part, start, rows, weight);
            self.touch(whole, start, rows, weight);
            self.cells.get_mut(&whole).expect("it was just touched").values += u32::from(is_new);
        }
    }

    /// Adds a window to a cell; true when it is a new one.
    fn touch(&mut self, cell: Name, start: i64, rows: u64, weight: f64) -> bool {
        let cell = self.cells.entry(cell).or_default();
        let is_new = cell.days == 0;
        if is_new || day(cell.last) != day(start) {
            cell.days += 1;
        }
        if !is_new {
            cell.windows *= decay(start - cell.last, HALF_LIFE);
        }
        cell.windows += weight;
        cell.rows += rows;
        cell.last = start;
        is_new
    }

    /// Finds anew who is like whom, when the first windows of a day have taught: those that come are judged by what is known before them.
    pub fn regroup(&mut self, start: i64) {
        self.groups.regroup(start);
    }

    /// What was last seen then, or before, is forgotten at a time.
    pub fn forgotten(start: i64) -> i64 {
        start - FORGET_DAYS * MICROS_PER_DAY
    }

    pub fn forget_before(&mut self, start: i64) {
        self.cells.retain(|_, cell| cell.last > Rares::forgotten(start));
    }

    pub fn bytes_len(&self) -> usize {
        self.cells.len() * (size_of::<(Name, Cell)>() * 8 / 7 + 16) + self.groups.bytes_len()
    }

    pub fn shed(&mut self) -> u64 {
        // without the cell of all, shares of it would be above 1 and nothing rare
        let leaving = self.cells.iter().filter(|(name, _)| **name != ALL);
        let mut ages: Vec<(i64, Name)> = leaving.map(|(name, cell)| (cell.last, *name)).collect();
        ages.sort_unstable();
        let leaving = &ages[..ages.len().div_ceil(4)];
        leaving.iter().for_each(|(_, name)| {
            self.cells.remove(name);
        });
        self.groups.retain(|owner| self.cells.contains_key(&name(4, owner, 0)));
        leaving.len() as u64
    }

    pub fn write(&self, to: &mut Writer) {
        to.number(self.values);
        let mut cells: Vec<_> = self.cells.iter().collect();
        cells.sort_unstable_by_key(|(name, _)| **name);
        to.number(cells.len() as u64);
        for (name, cell) in cells {
            to.fixed(&name.to_le_bytes());
            write_float(to, cell.windows);
            to.signed(cell.last);
            to.number(u64::from(cell.days));
            to.number(cell.rows);
            to.number(u64::from(cell.values));
        }
        self.groups.write(to);
    }

    pub fn read(from: &mut Reader) -> Option<Rares> {
        let mut rares = Rares { values: from.number()?, ..Rares::default() };
        for _ in 0..from.number()? {
            let name = Name::from_le_bytes(from.fixed()?);
            let cell = Cell {
                windows: read_float(from)?,
                last: from.signed()?,
                days: u32::try_from(from.number()?).ok()?,
                rows: from.number()?,
                values: u32::try_from(from.number()?).ok()?,
            };
            rares.cells.insert(name, cell);
        }
        rares.groups = Groups::read(from)?;
        Some(rares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_have_stays_when_room_is_made() {
        let mut rares = Rares::default();
        for owner in 1..=400 {
            let window = Observed { owner, peers: 7, value: mix(owner % 40), amount: 0.0, rows: 1 };
            rares.teach(&window, MICROS_PER_DAY, 1.0);
        }
        let before = rares.cells.len() as u64;
        let left = rares.shed();
        assert_eq!((rares.cells.len() as u64 + left, rares.cells[&ALL].windows), (before, 400.0));
    }
}
