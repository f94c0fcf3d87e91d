//! Owners that have the like values → groups of them, by MinHash.

use std::cmp::Reverse;

use hashbrown::HashMap;

use crate::detect::window::bytes::{Reader, Writer};
use crate::detect::window::seen::Name;
use crate::time::MICROS_PER_DAY;

/// What an owner had in its turn of so many days, and in the one before, is compared.
const TURN: i64 = 14 * MICROS_PER_DAY;
/// How many smallest hashes stand for the values of an owner: of two owners the share that is the same is about that of the values of either which both have.
const HASHES: usize = 32;
/// As many are the same of owners that are alike, and of those that go on to be: half, and a little more than a third.
const ALIKE: usize = 16;
const STILL_ALIKE: usize = 12;
/// Owners are compared that have two neighbouring hashes in common, as 99 of 100 that are alike do, and with so many of those at most that groups are
/// named for: what everybody has would else make everybody the neighbour of all.
const BAND: usize = 2;
const HEADS_MAX: usize = 64;
/// As many values an owner must have had ever, and about as many in both turns: of a few of them, most are what everybody has.
pub const VALUES_MIN: u32 = 8;

type Smallest = [u32; HASHES];

const NOTHING: Smallest = [u32::MAX; HASHES];

/// What owners have, and whom they are like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Groups {
    owners: HashMap<Name, Habit>,
}

#[derive(Clone, Debug, PartialEq)]
struct Habit {
    /// Of its last turn, and of the one before.
    now: Smallest,
    before: Smallest,
    turn: i64,
    /// The owner that its group is named for.
    group: Option<Name>,
    /// Of the group that is named for it.
    members: u32,
}

impl Groups {
    /// An owner has a value; again changes nothing in the same turn.
    pub fn add(&mut self, owner: Name, value: Name, start: i64) {
        let habit = self.owners.entry(owner).or_insert_with(Habit::new);
        habit.turn_to(start);
        for (place, smallest) in habit.now.iter_mut().enumerate() {
            *smallest = (*smallest).min(hash(value, place as u64));
        }
    }

    /// The name of an owner's group, and how many are in it; `None` where no other is.
    pub fn of(&self, owner: Name) -> Option<(Name, u32)> {
        let group = self.owners.get(&owner)?.group?;
        let members = self.owners.get(&group)?.members;
        (members > 1).then_some((group, members))
    }

    /// Finds anew who is like whom. Who is in a group, and still like the owner it is named for, stays; each of the others, in the order of their
    /// names, goes where it is most alike, or others may come to it.
    pub fn regroup(&mut self, start: i64) {
        self.owners.retain(|_, habit| {
            habit.turn_to(start);
            habit.smallest() != NOTHING
        });
        let all = self.owners.iter().map(|(name, habit)| (*name, habit.smallest()));
        let mut all: Vec<(Name, Smallest)> =
            all.filter(|(_, smallest)| values(smallest) >= f64::from(VALUES_MIN)).collect();
        all.sort_unstable_by_key(|(name, _)| *name);
        let smallest: HashMap<Name, Smallest> = all.iter().copied().collect();
        let mut found = self.who_stay(&smallest);
        let mut heads = Heads::default();
        for head in largest(&found) {
            // groups that began apart and are one
            match heads.nearest(&smallest[&head]) {
                Some(_) => found.retain(|_, group| *group != head),
                None => heads.add(head, &smallest[&head]),
            }
        }
        for (name, smallest) in &all {
            if found.contains_key(name) {
                continue;
            }
            let head = heads.nearest(smallest);
            if head.is_none() {
                heads.add(*name, smallest);
            }
            found.insert(*name, head.unwrap_or(*name));
        }
        let members = members(&found);
        for (name, habit) in &mut self.owners {
            habit.group = found.get(name).copied();
            habit.members = members.get(name).copied().unwrap_or(0);
        }
    }

    /// The groups of those who are in one with others, and are still like the owner that it is named for.
    fn who_stay(&self, all: &HashMap<Name, Smallest>) -> HashMap<Name, Name> {
        let still = |(name, own): (&Name, &Smallest)| {
            let (group, _) = self.of(*name)?;
            (same(all.get(&group)?, own) >= STILL_ALIKE).then_some((*name, group))
        };
        all.iter().filter_map(still).collect()
    }

    /// Leaves those for which this does not hold.
    pub fn retain(&mut self, stays: impl Fn(Name) -> bool) {
        self.owners.retain(|name, _| stays(*name));
    }

    pub fn bytes_len(&self) -> usize {
        self.owners.len() * (size_of::<(Name, Habit)>() * 8 / 7 + 16)
    }

    pub fn write(&self, to: &mut Writer) {
        let mut owners: Vec<_> = self.owners.iter().collect();
        owners.sort_unstable_by_key(|(name, _)| **name);
        to.number(owners.len() as u64);
        for (name, habit) in owners {
            to.fixed(&name.to_le_bytes());
            habit.now.iter().chain(&habit.before).for_each(|smallest| to.fixed(&smallest.to_le_bytes()));
            to.signed(habit.turn);
            to.byte(u8::from(habit.group.is_some()));
            to.fixed(&habit.group.unwrap_or(0).to_le_bytes());
            to.number(u64::from(habit.members));
        }
    }

    pub fn read(from: &mut Reader) -> Option<Groups> {
        let mut groups = Groups::default();
        for _ in 0..from.number()? {
            let name = Name::from_le_bytes(from.fixed()?);
            let mut habit = Habit::new();
            for smallest in habit.now.iter_mut().chain(&mut habit.before) {
                *smallest = u32::from_le_bytes(from.fixed()?);
            }
            habit.turn = from.signed()?;
            let is_in_one = from.byte()? == 1;
            habit.group = Some(Name::from_le_bytes(from.fixed()?)).filter(|_| is_in_one);
            habit.members = u32::try_from(from.number()?).ok()?;
            groups.owners.insert(name, habit);
        }
        Some(groups)
    }
}

/// How many are in each group.
fn members(found: &HashMap<Name, Name>) -> HashMap<Name, u32> {
    let mut members = HashMap::new();
    found.values().for_each(|group| *members.entry(*group).or_default() += 1);
    members
}

/// The groups, the largest first.
fn largest(found: &HashMap<Name, Name>) -> Vec<Name> {
    let mut groups: Vec<(Reverse<u32>, Name)> =
        members(found).into_iter().map(|(group, members)| (Reverse(members), group)).collect();
    groups.sort_unstable();
    groups.into_iter().map(|(_, group)| group).collect()
}

/// Which band of a signature it is, and what is in it.
type Band = (usize, [u32; BAND]);

/// The owners that groups are named for, by each of their bands.
#[derive(Default)]
struct Heads(HashMap<Band, Vec<(Name, Smallest)>>);

impl Heads {
    fn add(&mut self, name: Name, smallest: &Smallest) {
        for band in bands(smallest) {
            let heads = self.0.entry(band).or_default();
            if heads.len() < HEADS_MAX {
                heads.push((name, *smallest));
            }
        }
    }

    /// The one that these are most like, of several the first by name, where that is enough.
    fn nearest(&self, smallest: &Smallest) -> Option<Name> {
        let near = bands(smallest).filter_map(|band| self.0.get(&band)).flatten();
        let alike = near.map(|(name, of)| (same(of, smallest), Reverse(*name)));
        let (alike, Reverse(name)) = alike.max()?;
        (alike >= ALIKE).then_some(name)
    }
}

fn bands(smallest: &Smallest) -> impl Iterator<Item = Band> {
    let bands = smallest.chunks_exact(BAND).enumerate();
    bands.map(|(place, band)| (place, band.try_into().expect("a band has so many")))
}

impl Habit {
    fn new() -> Habit {
        Habit { now: NOTHING, before: NOTHING, turn: 0, group: None, members: 0 }
    }

    fn turn_to(&mut self, start: i64) {
        let turn = start.div_euclid(TURN);
        if turn > self.turn {
            self.before = if turn == self.turn + 1 { self.now } else { NOTHING };
            (self.now, self.turn) = (NOTHING, turn);
        }
    }

    /// Of both turns.
    fn smallest(&self) -> Smallest {
        std::array::from_fn(|place| self.now[place].min(self.before[place]))
    }
}

fn same(one: &Smallest, other: &Smallest) -> usize {
    one.iter().zip(other).filter(|(one, other)| one == other).count()
}

/// About how many values these are the smallest hashes of: the smallest of n is about the n-th part of all there are.
fn values(smallest: &Smallest) -> f64 {
    let parts = smallest.iter().map(|hash| f64::from(*hash) / f64::from(u32::MAX));
    HASHES as f64 / parts.sum::<f64>() - 1.0
}

/// One of the hashes of a value.
fn hash(value: Name, place: u64) -> u32 {
    (mix(value ^ mix(place + 1)) >> 32) as u32
}

/// Mixes the bits of a word (splitmix64).
pub fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Owners of a kind each have ten of its twelve values.
    fn three_kinds() -> Groups {
        let mut groups = Groups::default();
        for owner in 0..15u64 {
            let kind = owner % 3;
            let of_kind = (0..12).filter(|value| ![owner % 12, (owner + 5) % 12].contains(value));
            of_kind.for_each(|value| groups.add(owner, mix(kind * 100 + value), 0));
        }
        groups.regroup(0);
        groups
    }

    #[test]
    fn owners_that_have_the_like_are_a_group() {
        let groups = three_kinds();
        for owner in 0..15 {
            assert_eq!(groups.of(owner), Some((owner % 3, 5)), "{owner}");
        }
    }

    #[test]
    fn who_has_few_values_or_others_is_in_none() {
        let mut groups = three_kinds();
        (0..4).for_each(|value| groups.add(20, mix(value), 0));
        (0..12).for_each(|value| groups.add(21, mix(900 + value), 0));
        groups.regroup(0);
        assert_eq!((groups.of(20), groups.of(21)), (None, None));
        assert_eq!(groups.of(3), Some((0, 5)));
    }

    #[test]
    fn values_are_counted_by_their_smallest_hashes() {
        for count in [1u64, 10, 100, 1000] {
            let mut groups = Groups::default();
            (0..count).for_each(|value| groups.add(1, mix(value), 0));
            let about = values(&groups.owners[&1].smallest()) / count as f64;
            assert!((0.6..1.6).contains(&about), "{count}: {about}");
        }
    }

    #[test]
    fn who_becomes_another_goes_to_others_and_who_has_nothing_any_more_leaves() {
        let mut groups = three_kinds();
        for turn in 1..3 {
            for owner in 0..12 {
                let kind = if owner == 3 { 1 } else { owner % 3 };
                (0..12).for_each(|value| groups.add(owner, mix(kind * 100 + value), turn * TURN));
            }
        }
        groups.regroup(2 * TURN);
        assert_eq!(groups.of(3), Some((1, 5)));
        assert_eq!(groups.of(0), Some((0, 3)));
        assert_eq!(groups.of(12), None);
    }

    #[test]
    fn groups_are_read_as_they_were_written() {
        let groups = three_kinds();
        let mut to = Writer::default();
        groups.write(&mut to);
        assert_eq!(Groups::read(&mut Reader(&to.0)), Some(groups));
    }
}
