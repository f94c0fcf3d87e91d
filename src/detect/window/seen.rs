//! Which panes a key was seen in, so that a rule can ask whether it is new.

use hashbrown::{HashMap, HashSet};

use super::bytes::{Reader, Writer};
use super::log::{Entries, Log, Mark, Saving};
use super::part::hash;
use super::plan::FirstSeen;

/// Panes with rows that the keys which share all but the last column (of one principal, say) must have had within the
/// history, before anything of theirs counts as new: of what is not known yet everything is.
pub const LEARNED_PANES: usize = 3;

/// Stands for a key, or for what it shares with others, see [`hash`].
pub type Name = u64;

/// What one rule has seen: of each key its panes, and whose it is.
#[derive(Debug, Default)]
pub struct Seen {
    keys: Names,
    owners: Names,
    /// Of all of them.
    words: usize,
    /// What was seen before this pane was forgotten last.
    forgotten: Option<i64>,
}

#[derive(Debug, Default)]
struct Names {
    known: Known,
    log: Log<Name>,
    /// Names that changed, and those that were saved and are gone, since it was saved.
    changed: Vec<Name>,
    gone: Vec<Name>,
}

#[derive(Debug, Default)]
struct Known(HashMap<Name, Entry>);

#[derive(Debug)]
struct Entry {
    /// Whose the key is; of an owner nobody's.
    owner: Name,
    panes: Panes,
    mark: Mark,
}

/// Numbers of panes, a bit each: of every 64 of which there is one their number, and the bits. A pane of another century takes no more room than
/// any other.
#[derive(Clone, Debug, Default, PartialEq)]
struct Panes(Vec<(i64, u64)>);

impl Seen {
    /// Notes a row of a key; true when the key is new in its pane, as far as is known now.
    pub fn note(&mut self, key: Name, owner: Name, pane: i64, first: FirstSeen) -> bool {
        // no window asks for what is older than what was forgotten
        if self.forgotten.is_none_or(|before| before <= pane) {
            self.words += usize::from(self.owners.note(owner, 0, pane));
            self.words += usize::from(self.keys.note(key, owner, pane));
        }
        self.keys.count(key, pane, first) == 0
    }

    /// Whether nothing is known of a key in the history before this pane.
    pub fn is_new(&self, key: Name, pane: i64, first: FirstSeen) -> bool {
        self.keys.count(key, pane, first) == 0
    }

    /// Whether a key has rows in this pane and none in those of the history before it, while what it shares has.
    pub fn is_first(&self, key: &[u8], pane: i64, first: FirstSeen) -> bool {
        let name = hash(key);
        let Some(known) = self.keys.known.0.get(&name) else { return false };
        self.keys.count(name, pane, first) == 0 && self.owners.count(known.owner, pane, first) >= LEARNED_PANES
    }

    /// About what it takes, in bytes.
    pub fn bytes_len(&self) -> usize {
        // with the first of its words, and its names in what was saved
        const ENTRY: usize = size_of::<(Name, Entry)>() * 8 / 7 + 16 + 12;
        let entries = self.keys.known.0.len() + self.owners.known.0.len();
        entries * ENTRY + self.words.saturating_sub(entries) * size_of::<(i64, u64)>()
    }

    fn count_words(&mut self) {
        let all = self.keys.known.0.values().chain(self.owners.known.0.values());
        self.words = all.map(|entry| entry.panes.0.len()).sum();
    }

    /// Forgets the panes before this one, and keys that were seen in no other.
    pub fn forget_before(&mut self, pane: i64) {
        self.keys.forget_before(pane);
        self.owners.forget_before(pane);
        self.forgotten = self.forgotten.max(Some(pane));
        self.count_words();
    }

    /// Makes room: the keys that were seen longest ago are forgotten, a quarter of them. When they are seen again, they
    /// count as new. What they shared is forgotten with the last of them: nothing of it is known then, and all of it would
    /// count as new. Gives their number.
    pub fn shed(&mut self) -> u64 {
        let mut ages: Vec<(i64, Name)> =
            self.keys.known.0.iter().map(|(name, key)| (key.panes.last(), *name)).collect();
        ages.sort_unstable();
        let leaving: HashSet<Name> = ages[..ages.len().div_ceil(4)].iter().map(|(_, name)| *name).collect();
        self.keys.retain(|name| !leaving.contains(name));
        let known: HashSet<Name> = self.keys.known.0.values().map(|key| key.owner).collect();
        self.owners.retain(|owner| known.contains(owner));
        self.count_words();
        leaving.len() as u64
    }

    /// Saves what changed. `last` is the number of the last part.
    pub fn save(&mut self, last: &mut u64, to: &mut Saving) {
        for Names { known, log, changed, gone } in [&mut self.keys, &mut self.owners] {
            log.save(known, std::mem::take(changed).into_iter(), std::mem::take(gone).into_iter(), last, to);
        }
    }

    /// The numbers of the parts that have it.
    pub fn parts(&self) -> impl Iterator<Item = u64> {
        self.keys.log.parts().chain(self.owners.log.parts())
    }

    /// Writes what [`Seen::read`] asks for besides the parts.
    pub fn write(&self, to: &mut Writer) {
        to.byte(u8::from(self.forgotten.is_some()));
        to.signed(self.forgotten.unwrap_or(0));
        self.keys.log.write(to);
        self.owners.log.write(to);
    }

    /// What [`Seen::save`] saved; `None` when it did not.
    pub fn read<'a>(from: &mut Reader, saved: &impl Fn(u64) -> Option<&'a [u8]>) -> Option<Seen> {
        let is_forgotten = from.byte()? == 1;
        let forgotten = from.signed()?;
        let mut seen = Seen::default();
        for names in [&mut seen.keys, &mut seen.owners] {
            names.log = Log::read(from, &mut names.known, saved)?;
        }
        match is_forgotten {
            true => seen.forget_before(forgotten),
            false => seen.count_words(),
        }
        Some(seen)
    }
}

impl Names {
    /// True when the pane is the first of its word.
    fn note(&mut self, name: Name, owner: Name, pane: i64) -> bool {
        let new = || Entry { owner, panes: Panes::default(), mark: Mark::default() };
        let entry = self.known.0.entry(name).or_insert_with(new);
        let added = entry.panes.add(pane);
        if added != Added::Nothing && entry.mark.change() {
            self.changed.push(name);
        }
        added == Added::Word
    }

    /// Of the history before a pane, in how many a name was seen.
    fn count(&self, name: Name, pane: i64, first: FirstSeen) -> usize {
        self.known.0.get(&name).map_or(0, |entry| entry.panes.count(pane - first.panes, pane))
    }

    /// What leaves so needs not be told when it is saved: it is known since when all was forgotten.
    fn forget_before(&mut self, pane: i64) {
        let Names { known, changed, .. } = self;
        known.0.retain(|_, entry| entry.panes.forget_before(pane));
        // names that come and leave take no room where nothing is saved, or is for long
        changed.retain(|name| known.0.contains_key(name));
    }

    fn retain(&mut self, stays: impl Fn(&Name) -> bool) {
        let Names { known, changed, gone, .. } = self;
        known.0.retain(|name, entry| {
            let stays = stays(name);
            if !stays && entry.mark.was_saved() {
                gone.push(*name);
            }
            stays
        });
        changed.retain(stays);
    }
}

impl Entries for Known {
    type Name = Name;

    fn mark(&mut self, name: &Name) -> Option<&mut Mark> {
        self.0.get_mut(name).map(|entry| &mut entry.mark)
    }

    fn write_name(name: &Name, to: &mut Writer) {
        to.fixed(&name.to_le_bytes());
    }

    fn read_name(from: &mut Reader) -> Option<Name> {
        from.fixed().map(Name::from_le_bytes)
    }

    fn write(&self, name: &Name, to: &mut Writer) {
        let Entry { owner, panes, .. } = &self.0[name];
        to.fixed(&owner.to_le_bytes());
        to.number(panes.runs().count() as u64);
        panes.runs().for_each(|run| write_run(run, to));
    }

    fn read(&mut self, name: Name, from: &mut Reader, piece: u64) -> Option<Name> {
        let (owner, mut panes) = (Name::from_le_bytes(from.fixed()?), Panes::default());
        for _ in 0..from.number()? {
            panes.read_run(from)?;
        }
        self.0.insert(name, Entry { owner, panes, mark: Mark::saved(piece) });
        Some(name)
    }

    fn remove(&mut self, name: &Name) {
        self.0.remove(name);
    }
}

/// Words further apart than this are written apart from each other.
const APART: i64 = 64;

/// What became of a pane that was added.
#[derive(PartialEq)]
enum Added {
    /// It was there.
    Nothing,
    Bit,
    /// It is the first of its word.
    Word,
}

impl Panes {
    fn add(&mut self, pane: i64) -> Added {
        let (word, bit) = (pane.div_euclid(64), 1u64 << pane.rem_euclid(64));
        match self.0.binary_search_by_key(&word, |(word, _)| *word) {
            Ok(place) if self.0[place].1 & bit != 0 => Added::Nothing,
            Ok(place) => {
                self.0[place].1 |= bit;
                Added::Bit
            }
            Err(place) => {
                // most keys have one or two
                if self.0.len() < 4 {
                    self.0.reserve_exact(1);
                }
                self.0.insert(place, (word, bit));
                Added::Word
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
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    /// Of ten minutes each: now, and by clocks that are wrong.
    fn any_pane() -> impl Strategy<Value = i64> {
        prop_oneof![8 => 2_871_000i64..2_871_200, 1 => -70i64..70, 1 => 6_890_000i64..6_890_010]
    }

    /// Of names what is known, and whose they are.
    type Told = Vec<(Name, Name, Panes)>;

    /// What is known, in the order of names.
    fn told(seen: &Seen) -> ([Told; 2], usize) {
        let all = |names: &Names| {
            let entry = |(name, entry): (&Name, &Entry)| (*name, entry.owner, entry.panes.clone());
            let mut all: Vec<_> = names.known.0.iter().map(entry).collect();
            all.sort_by_key(|(name, ..)| *name);
            all
        };
        ([all(&seen.keys), all(&seen.owners)], seen.words)
    }

    /// What was saved, and the number of the last part.
    #[derive(Default)]
    struct Store(BTreeMap<u64, Vec<u8>>, u64);

    impl Store {
        /// Saves what changed, and reads all of it.
        fn copy(&mut self, seen: &mut Seen) -> Seen {
            let (mut to, mut head) = (Saving::new(), Writer::default());
            seen.save(&mut self.1, &mut to);
            seen.write(&mut head);
            self.0.extend(to.parts);
            self.0.retain(|_, bytes| !bytes.is_empty());
            let parts: BTreeSet<u64> = seen.parts().collect();
            assert!(parts.iter().eq(self.0.keys()), "what is not needed any more is forgotten");
            Seen::read(&mut Reader(&head.0), &|number| self.0.get(&number).map(Vec::as_slice)).unwrap()
        }
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
        assert!(seen.note(hash(b"eve Get"), hash(b"eve"), 100, first));
        assert!(!seen.is_first(b"eve Get", 100, first), "nothing is known of eve yet");
        seen.note(hash(b"eve Get"), hash(b"eve"), 101, first);
        seen.note(hash(b"eve Get"), hash(b"eve"), 102, first);
        assert!(seen.note(hash(b"eve Put"), hash(b"eve"), 103, first));
        assert!(seen.is_first(b"eve Put", 103, first));
        assert!(!seen.is_first(b"eve Get", 102, first));
        assert!(!seen.note(hash(b"eve Put"), hash(b"eve"), 104, first));
        // a row that comes late from a day before
        seen.note(hash(b"eve Put"), hash(b"eve"), 99, first);
        assert!(!seen.is_first(b"eve Put", 103, first));
        // and again after the history
        for day in 132..136 {
            seen.note(hash(b"eve Get"), hash(b"eve"), day, first);
        }
        assert!(seen.note(hash(b"eve Put"), hash(b"eve"), 136, first) && seen.is_first(b"eve Put", 136, first));
    }

    #[test]
    fn what_was_seen_longest_ago_is_forgotten_first() {
        let first = FirstSeen { panes: 30, value: 0 };
        let mut seen = Seen::default();
        for day in 0..8u8 {
            seen.note(hash(&[day]), hash(b"eve"), i64::from(day), first);
        }
        assert_eq!(seen.shed(), 2);
        assert!(!seen.keys.known.0.contains_key(&hash(&[1])) && seen.keys.known.0.contains_key(&hash(&[2])));
        seen.forget_before(4);
        assert_eq!(seen.keys.known.0.len(), 4);
    }

    #[test]
    fn who_has_nothing_left_is_forgotten_too_so_that_there_is_always_room_to_make() {
        let first = FirstSeen { panes: 30, value: 0 };
        let mut seen = Seen::default();
        for day in 0..8u8 {
            seen.note(hash(&[day]), hash(&[day % 4]), i64::from(day), first);
        }
        assert_eq!(seen.shed(), 2);
        assert_eq!(seen.owners.known.0.len(), 4, "each had two");
        while seen.bytes_len() > 0 {
            assert!(seen.shed() > 0);
            assert!(seen.owners.known.0.len() <= seen.keys.known.0.len());
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
                    seen.note(hash(&[*key]), hash(&[key % 2]), *pane, first);
                }
                seen
            };
            let (mut seen, other) = (of(&rows), of(&shuffled));
            prop_assert_eq!(told(&seen), told(&other));
            let mut store = Store::default();
            prop_assert_eq!(told(&store.copy(&mut seen)), told(&seen));
            for (key, pane) in &rows {
                let known = rows.iter().any(|(other, then)| other == key && (pane - 30..*pane).contains(then));
                prop_assert_eq!(seen.is_new(hash(&[*key]), *pane, first), !known);
            }
            seen.forget_before(before);
            prop_assert_eq!(told(&store.copy(&mut seen)), told(&seen));
            let left: BTreeSet<u8> = rows.iter().filter(|(_, pane)| *pane >= before).map(|(key, _)| *key).collect();
            prop_assert_eq!(seen.keys.known.0.len(), left.len());
            prop_assert_eq!(store.0.is_empty(), left.is_empty(), "what has nothing that still holds leaves");
            while seen.bytes_len() > 0 {
                prop_assert!(seen.shed() > 0);
                prop_assert_eq!(told(&store.copy(&mut seen)), told(&seen));
            }
        }

        #[test]
        fn what_changed_since_is_all_that_is_saved_and_what_was_saved_goes_on(
            rounds in prop::collection::vec((prop::collection::vec((0u8..90, any_pane()), 0..12), 0u8..12), 1..40),
        ) {
            let first = FirstSeen { panes: 30, value: 0 };
            let (mut seen, mut store) = (Seen::default(), Store::default());
            for (rows, what) in rounds {
                for (key, pane) in rows {
                    seen.note(hash(&[key]), hash(&[key % 2]), pane, first);
                }
                match what {
                    0 => drop(seen.shed()),
                    1 => seen.forget_before(2_871_100),
                    _ => {}
                }
                let read = store.copy(&mut seen);
                prop_assert_eq!(told(&read), told(&seen));
                if what == 2 {
                    seen = read;
                }
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
