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
}

#[derive(Debug, PartialEq)]
struct Key {
    owner: Name,
    panes: Panes,
}

/// Numbers of panes, a bit each.
#[derive(Clone, Debug, Default, PartialEq)]
struct Panes {
    /// Number of the first bit, a multiple of 64.
    first: i64,
    words: Vec<u64>,
}

impl Seen {
    /// Notes a row of a key; true when the key is new in its pane, as far as is known now.
    pub fn note(&mut self, key: &[u8], owner: &[u8], pane: i64, first: FirstSeen) -> bool {
        let owner = hash(owner);
        self.owners.entry(owner).or_default().add(pane);
        let known = self.keys.entry(hash(key)).or_insert_with(|| Key { owner, panes: Panes::default() });
        known.panes.add(pane);
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
        const ENTRY: usize = size_of::<(Name, Key)>() * 8 / 7 + 16;
        (self.keys.len() + self.owners.len()) * ENTRY
    }

    /// Forgets the panes before this one, and keys that were seen in no other.
    pub fn forget_before(&mut self, pane: i64) {
        self.keys.retain(|_, key| key.panes.forget_before(pane));
        self.owners.retain(|_, panes| panes.forget_before(pane));
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
        leaving.len() as u64
    }

    pub fn write(&self, to: &mut Writer) {
        let mut keys: Vec<_> = self.keys.iter().collect();
        keys.sort_unstable_by_key(|(name, _)| **name);
        to.number(keys.len() as u64);
        for (name, key) in keys {
            to.fixed(&name.to_le_bytes());
            to.fixed(&key.owner.to_le_bytes());
            key.panes.write(to);
        }
        let mut owners: Vec<_> = self.owners.iter().collect();
        owners.sort_unstable_by_key(|(name, _)| **name);
        to.number(owners.len() as u64);
        for (name, panes) in owners {
            to.fixed(&name.to_le_bytes());
            panes.write(to);
        }
    }

    /// What [`Seen::write`] wrote; `None` when it did not.
    pub fn read(from: &mut Reader) -> Option<Seen> {
        let mut seen = Seen::default();
        for _ in 0..from.number()? {
            let (name, owner) = (Name::from_le_bytes(from.fixed()?), Name::from_le_bytes(from.fixed()?));
            seen.keys.insert(name, Key { owner, panes: Panes::read(from)? });
        }
        for _ in 0..from.number()? {
            seen.owners.insert(Name::from_le_bytes(from.fixed()?), Panes::read(from)?);
        }
        Some(seen)
    }
}

/// Words that panes may span, so that one clock that is a century off takes no memory: 2,000 years of days.
const WORDS_MAX: i64 = 11_500;

impl Panes {
    fn add(&mut self, pane: i64) {
        let word = pane.div_euclid(64);
        let first = self.first / 64;
        if self.words.is_empty() {
            self.first = word * 64;
            self.words.push(0);
        } else if word < first {
            if first - word + self.words.len() as i64 > WORDS_MAX {
                return;
            }
            self.words.splice(0..0, std::iter::repeat_n(0, (first - word) as usize));
            self.first = word * 64;
        } else if word - first >= self.words.len() as i64 {
            if word - first >= WORDS_MAX {
                return;
            }
            self.words.resize((word - first) as usize + 1, 0);
        }
        let place = pane - self.first;
        self.words[(place / 64) as usize] |= 1 << (place % 64);
    }

    /// How many panes there are from one number to, but without, another.
    fn count(&self, from: i64, to: i64) -> usize {
        let bits = self.words.len() as i64 * 64;
        let (from, to) = ((from - self.first).clamp(0, bits), (to - self.first).clamp(0, bits));
        (from..to).filter(|place| self.words[(place / 64) as usize] >> (place % 64) & 1 == 1).count()
    }

    fn last(&self) -> i64 {
        let word = self.words.iter().rposition(|word| *word != 0).unwrap_or(0);
        let high = self.words.get(word).map_or(0, |word| 63 - i64::from(word.leading_zeros().min(63)));
        self.first + word as i64 * 64 + high
    }

    /// False when none is left.
    fn forget_before(&mut self, pane: i64) -> bool {
        let gone = (pane - self.first).clamp(0, self.words.len() as i64 * 64);
        self.words.drain(..(gone / 64) as usize);
        self.first += gone / 64 * 64;
        if let Some(word) = self.words.first_mut() {
            *word &= u64::MAX << (gone % 64);
        }
        self.words.iter().any(|word| *word != 0)
    }

    fn write(&self, to: &mut Writer) {
        to.signed(self.first);
        to.number(self.words.len() as u64);
        self.words.iter().for_each(|word| to.fixed(&word.to_le_bytes()));
    }

    fn read(from: &mut Reader) -> Option<Panes> {
        let first = from.signed()?;
        let words = (0..from.number()?).map(|_| from.fixed().map(u64::from_le_bytes)).collect::<Option<_>>()?;
        Some(Panes { first, words })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn panes(numbers: &[i64]) -> Panes {
        let mut panes = Panes::default();
        numbers.iter().for_each(|number| panes.add(*number));
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
        fn panes_are_a_set(numbers in prop::collection::vec(-300i64..300, 0..40), from in -320i64..320, to in -320i64..320) {
            let mut kept = panes(&numbers);
            let set: BTreeSet<i64> = numbers.iter().copied().collect();
            prop_assert_eq!(kept.count(from, to), set.iter().filter(|number| (from..to).contains(number)).count());
            if let Some(last) = set.last() {
                prop_assert_eq!(kept.last(), *last);
            }
            let mut to_write = Writer::default();
            kept.write(&mut to_write);
            prop_assert_eq!(Panes::read(&mut Reader(&to_write.0)), Some(kept.clone()));
            let left: Vec<i64> = set.into_iter().filter(|number| *number >= from).collect();
            prop_assert_eq!(kept.forget_before(from), !left.is_empty());
            prop_assert_eq!(kept.count(-400, 400), left.len());
        }
    }
}
