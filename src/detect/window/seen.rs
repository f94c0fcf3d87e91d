//! Which panes a key was seen in, so that a rule can ask whether it is new.

use hashbrown::{HashMap, HashSet};

use super::bytes::{Reader, Writer};
use super::part::hash;
use super::plan::FirstSeen;

/// Panes with rows that the keys which share all but the last column (of one principal, say) must have had within the
/// history, before anything of theirs counts as new: of what is not known yet everything is.
pub const LEARNED_PANES: usize = 3;

/// Stands for a key, or for what it shares with others, see [`hash`].
pub type Name = u64;

/// What one rule has seen: of each key its panes, and whose it is.
#[derive(Debug, Default, PartialEq)]
pub struct Seen {
    keys: HashMap<Name, Key>,
    owners: HashMap<Name, Panes>,
    /// Of all of them.
    words: usize,
}

#[derive(Debug, PartialEq)]
struct Key {
    owner: Name,
    panes: Panes,
}

/// Numbers of panes, a bit each: of every 64 of which there is one their number, and the bits. A pane of another century takes no more room than
/// any other.
#[derive(Clone, Debug, Default, PartialEq)]
struct Panes(Vec<(i64, u64)>);

impl Seen {
    /// Notes a row of a key; true when the key is new in its pane, as far as is known now.
    pub fn note(&mut self, key: &[u8], owner: &[u8], pane: i64, first: FirstSeen) -> bool {
        let owner = hash(owner);
        self.words += usize::from(self.owners.entry(owner).or_default().add(pane));
        let known = self.keys.entry(hash(key)).or_insert_with(|| Key { owner, panes: Panes::default() });
        self.words += usize::from(known.panes.add(pane));
        known.panes.count(pane - first.panes, pane) == 0
    }

    /// Whether nothing is known of a key in the history before this pane.
    pub fn is_new(&self, key: &[u8], pane: i64, first: FirstSeen) -> bool {
        self.keys.get(&hash(key)).is_none_or(|known| known.panes.count(pane - first.panes, pane) == 0)
    }

    /// Whether a key has rows in this pane and none in those of the history before it, while what it shares has.
    pub fn is_first(&self, key: &[u8], pane: i64, first: FirstSeen) -> bool {
        let Some(known) = self.keys.get(&hash(key)) else { return false };
        let learned = self.owners.get(&known.owner).map_or(0, |owner| owner.count(pane - first.panes, pane));
        known.panes.count(pane - first.panes, pane) == 0 && learned >= LEARNED_PANES
    }

    /// About what it takes, in bytes.
    pub fn bytes_len(&self) -> usize {
        // with the first of its words
        const ENTRY: usize = size_of::<(Name, Key)>() * 8 / 7 + 16;
        let entries = self.keys.len() + self.owners.len();
        entries * ENTRY + self.words.saturating_sub(entries) * size_of::<(i64, u64)>()
    }

    fn count_words(&mut self) {
        let panes = self.keys.values().map(|key| &key.panes).chain(self.owners.values());
        self.words = panes.map(|panes| panes.0.len()).sum();
    }

    /// Forgets the panes before this one, and keys that were seen in no other.
    pub fn forget_before(&mut self, pane: i64) {
        self.keys.retain(|_, key| key.panes.forget_before(pane));
        self.owners.retain(|_, panes| panes.forget_before(pane));
        self.count_words();
    }

    /// Makes room: the keys that were seen longest ago are forgotten, a quarter of them. When they are seen again, they
    /// count as new. What they shared is forgotten with the last of them: nothing of it is known then, and all of it would
    /// count as new. Gives their number.
    pub fn shed(&mut self) -> u64 {
        let mut ages: Vec<(i64, Name)> = self.keys.iter().map(|(name, key)| (key.panes.last(), *name)).collect();
        ages.sort_unstable();
        let leaving = &ages[..ages.len().div_ceil(4)];
        leaving.iter().for_each(|(_, name)| {
            self.keys.remove(name);
        });
        let known: HashSet<Name> = self.keys.values().map(|key| key.owner).collect();
        self.owners.retain(|owner, _| known.contains(owner));
        self.count_words();
        leaving.len() as u64
    }

    pub fn write(&self, to: &mut Writer) {
        let mut keys: Vec<_> = self.keys.iter().collect();
        keys.sort_unstable_by_key(|(name, _)| **name);
        to.number(keys.iter().map(|(_, key)| key.panes.runs().count() as u64).sum());
        for (name, key) in keys {
            for run in key.panes.runs() {
                to.fixed(&name.to_le_bytes());
                to.fixed(&key.owner.to_le_bytes());
                write_run(run, to);
            }
        }
        let mut owners: Vec<_> = self.owners.iter().collect();
        owners.sort_unstable_by_key(|(name, _)| **name);
        to.number(owners.iter().map(|(_, panes)| panes.runs().count() as u64).sum());
        for (name, panes) in owners {
            for run in panes.runs() {
                to.fixed(&name.to_le_bytes());
                write_run(run, to);
            }
        }
    }

    /// What [`Seen::write`] wrote; `None` when it did not.
    pub fn read(from: &mut Reader) -> Option<Seen> {
        let mut seen = Seen::default();
        for _ in 0..from.number()? {
            let (name, owner) = (Name::from_le_bytes(from.fixed()?), Name::from_le_bytes(from.fixed()?));
            let key = seen.keys.entry(name).or_insert_with(|| Key { owner, panes: Panes::default() });
            key.panes.read_run(from)?;
        }
        for _ in 0..from.number()? {
            let name = Name::from_le_bytes(from.fixed()?);
            seen.owners.entry(name).or_default().read_run(from)?;
        }
        seen.count_words();
        Some(seen)
    }
}

/// Words further apart than this are written apart from each other, as if of several keys.
const APART: i64 = 64;

impl Panes {
    /// Adds a pane; true when it is the first of its word.
    fn add(&mut self, pane: i64) -> bool {
        let (word, bit) = (pane.div_euclid(64), 1u64 << pane.rem_euclid(64));
        match self.0.binary_search_by_key(&word, |(word, _)| *word) {
            Ok(place) => {
                self.0[place].1 |= bit;
                false
            }
            Err(place) => {
                // most keys have one or two
                if self.0.len() < 4 {
                    self.0.reserve_exact(1);
                }
                self.0.insert(place, (word, bit));
                true
            }
        }
    }

    /// How many panes there are from one number to, but without, another.
    fn count(&self, from: i64, to: i64) -> usize {
        let start = self.0.partition_point(|(word, _)| *word < from.div_euclid(64));
        let within = self.0[start..].iter().take_while(|(word, _)| word * 64 < to);
        let counts = within.map(|(word, bits)| {
            let (before, behind) = ((from - word * 64).max(0), to - word * 64);
            let bits = bits & (u64::MAX << before);
            (if behind < 64 { bits & !(u64::MAX << behind) } else { bits }).count_ones() as usize
        });
        counts.sum()
    }

    fn last(&self) -> i64 {
        self.0.last().map_or(i64::MIN, |(word, bits)| word * 64 + 63 - i64::from(bits.leading_zeros()))
    }

    /// False when none is left.
    fn forget_before(&mut self, pane: i64) -> bool {
        let word = pane.div_euclid(64);
        self.0.drain(..self.0.partition_point(|(known, _)| *known < word));
        if let Some((first, bits)) = self.0.first_mut()
            && *first == word
        {
            *bits &= u64::MAX << pane.rem_euclid(64);
            if *bits == 0 {
                self.0.remove(0);
            }
        }
        !self.0.is_empty()
    }

    /// Its words, in stretches without wide gaps.
    fn runs(&self) -> impl Iterator<Item = &[(i64, u64)]> {
        self.0.chunk_by(|(one, _), (next, _)| next - one <= APART)
    }

    /// Adds what [`write_run`] wrote; `None` when it did not.
    fn read_run(&mut self, from: &mut Reader) -> Option<()> {
        let first = from.signed()?.div_euclid(64);
        for place in 0..i64::try_from(from.number()?).ok()? {
            let bits = u64::from_le_bytes(from.fixed()?);
            if bits != 0 {
                self.0.push((first + place, bits));
            }
        }
        Some(())
    }
}

/// The number of the first pane that the words can hold, how many words there are, and each.
fn write_run(run: &[(i64, u64)], to: &mut Writer) {
    let (Some((first, _)), Some((last, _))) = (run.first(), run.last()) else { return };
    to.signed(first * 64);
    to.number((last - first + 1) as u64);
    let mut next = *first;
    for (word, bits) in run {
        (next..*word).for_each(|_| to.fixed(&0u64.to_le_bytes()));
        to.fixed(&bits.to_le_bytes());
        next = word + 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Of ten minutes each: now, and by clocks that are wrong.
    fn any_pane() -> impl Strategy<Value = i64> {
        prop_oneof![8 => 2_871_000i64..2_871_200, 1 => -70i64..70, 1 => 6_890_000i64..6_890_010]
    }

    fn panes(numbers: &[i64]) -> Panes {
        let mut panes = Panes::default();
        for number in numbers {
            panes.add(*number);
        }
        panes
    }

    #[test]
    fn a_key_is_new_once_and_only_of_an_owner_that_is_known() {
        let first = FirstSeen { panes: 30, value: 0 };
        let mut seen = Seen::default();
        assert!(seen.note(b"eve Get", b"eve", 100, first));
        assert!(!seen.is_first(b"eve Get", 100, first), "nothing is known of eve yet");
        seen.note(b"eve Get", b"eve", 101, first);
        seen.note(b"eve Get", b"eve", 102, first);
        assert!(seen.note(b"eve Put", b"eve", 103, first));
        assert!(seen.is_first(b"eve Put", 103, first));
        assert!(!seen.is_first(b"eve Get", 102, first));
        assert!(!seen.note(b"eve Put", b"eve", 104, first));
        // a row that comes late from a day before
        seen.note(b"eve Put", b"eve", 99, first);
        assert!(!seen.is_first(b"eve Put", 103, first));
        // and again after the history
        for day in 132..136 {
            seen.note(b"eve Get", b"eve", day, first);
        }
        assert!(seen.note(b"eve Put", b"eve", 136, first) && seen.is_first(b"eve Put", 136, first));
    }

    #[test]
    fn what_was_seen_longest_ago_is_forgotten_first() {
        let first = FirstSeen { panes: 30, value: 0 };
        let mut seen = Seen::default();
        for day in 0..8u8 {
            seen.note(&[day], b"eve", i64::from(day), first);
        }
        assert_eq!(seen.shed(), 2);
        assert!(!seen.keys.contains_key(&hash(&[1])) && seen.keys.contains_key(&hash(&[2])));
        seen.forget_before(4);
        assert_eq!(seen.keys.len(), 4);
    }

    #[test]
    fn who_has_nothing_left_is_forgotten_too_so_that_there_is_always_room_to_make() {
        let first = FirstSeen { panes: 30, value: 0 };
        let mut seen = Seen::default();
        for day in 0..8u8 {
            seen.note(&[day], &[day % 4], i64::from(day), first);
        }
        assert_eq!(seen.shed(), 2);
        assert_eq!(seen.owners.len(), 4, "each had two");
        while seen.bytes_len() > 0 {
            assert!(seen.shed() > 0);
            assert!(seen.owners.len() <= seen.keys.len());
        }
    }

    proptest! {
        #[test]
        fn what_was_seen_is_the_same_in_any_order_and_read_as_it_was_written(
            (rows, shuffled) in prop::collection::vec((0u8..6, any_pane()), 0..60)
                .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
            before in any_pane(),
        ) {
            let first = FirstSeen { panes: 30, value: 0 };
            let of = |rows: &[(u8, i64)]| {
                let mut seen = Seen::default();
                for (key, pane) in rows {
                    seen.note(&[*key], &[key % 2], *pane, first);
                }
                seen
            };
            let (mut seen, other) = (of(&rows), of(&shuffled));
            prop_assert_eq!(&seen, &other);
            let copy = |seen: &Seen| {
                let mut to = Writer::default();
                seen.write(&mut to);
                Seen::read(&mut Reader(&to.0))
            };
            let read = copy(&seen);
            prop_assert_eq!(read.as_ref(), Some(&seen));
            for (key, pane) in &rows {
                let known = rows.iter().any(|(other, then)| other == key && (pane - 30..*pane).contains(then));
                prop_assert_eq!(seen.is_new(&[*key], *pane, first), !known);
            }
            seen.forget_before(before);
            let read = copy(&seen);
            prop_assert_eq!(read.as_ref(), Some(&seen));
            let left: BTreeSet<u8> = rows.iter().filter(|(_, pane)| *pane >= before).map(|(key, _)| *key).collect();
            prop_assert_eq!(seen.keys.len(), left.len());
            while seen.bytes_len() > 0 {
                prop_assert!(seen.shed() > 0);
            }
        }

        #[test]
        fn panes_are_a_set(numbers in prop::collection::vec(-300i64..300, 0..40), from in -320i64..320, to in -320i64..320) {
            let mut kept = panes(&numbers);
            let set: BTreeSet<i64> = numbers.iter().copied().collect();
            prop_assert_eq!(kept.count(from, to), set.iter().filter(|number| (from..to).contains(number)).count());
            if let Some(last) = set.last() {
                prop_assert_eq!(kept.last(), *last);
            }
            let left: Vec<i64> = set.into_iter().filter(|number| *number >= from).collect();
            prop_assert_eq!(kept.forget_before(from), !left.is_empty());
            prop_assert_eq!(kept.count(-400, 400), left.len());
            prop_assert_eq!(kept.count(i64::MIN / 2, i64::MAX / 2), left.len());
        }
    }
}
