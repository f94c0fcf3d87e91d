//! Ids in the order in which they were first seen → the parts of them that a commit writes, so that a run knows them after a stop.

use std::collections::BTreeMap;
use std::mem;

use bytes::Bytes;

/// Ids that were seen, in parts by number, eight bytes each. Of what changed, parts without bytes are to be forgotten.
pub type Parts = BTreeMap<u64, Bytes>;

/// Ids of a part, of which the last is written again until it is full: more of them would make a commit write more than what is new,
/// fewer would make more parts. With what redb adds they fit into one of its pages of 32 KiB; 4,096 took two.
pub const PART_IDS: usize = 4000;
const ID_BYTES: usize = size_of::<u64>();

/// Replaces what changed.
pub fn take(parts: &mut Parts, changes: Parts) {
    for (number, part) in changes {
        match part.is_empty() {
            true => parts.remove(&number),
            false => parts.insert(number, part),
        };
    }
}

/// What is written of two generations of ids.
#[derive(Default)]
pub struct Kept {
    /// Numbers of the parts that have them, without the last.
    newer: Vec<u64>,
    older: Vec<u64>,
    /// The last part, and its number.
    open: Vec<u64>,
    number: u64,
    is_changed: bool,
    changes: Parts,
}

impl Kept {
    /// Goes on behind what was committed. Gives the ids of the newer and of the older generation, each of at most so many: what is older than
    /// these is to be forgotten.
    pub fn restore(parts: &Parts, most: usize) -> (Kept, Vec<u64>, Vec<u64>) {
        let (mut kept, mut newer, mut older) = (Kept::default(), Vec::new(), Vec::new());
        for (&number, part) in parts.iter().rev() {
            let (chunks, _) = part.as_chunks::<ID_BYTES>();
            let ids = chunks.iter().map(|id| u64::from_le_bytes(*id));
            if newer.is_empty() && ids.len() < PART_IDS {
                kept.open = ids.clone().collect();
                newer.extend(ids);
            } else if older.is_empty() && newer.len() + ids.len() <= most {
                kept.newer.push(number);
                newer.extend(ids);
            } else if older.len() + ids.len() <= most {
                kept.older.push(number);
                older.extend(ids);
            } else {
                kept.changes.insert(number, Bytes::new());
            }
        }
        let last = parts.keys().next_back();
        kept.number = last.map_or(0, |last| if kept.open.is_empty() { last + 1 } else { *last });
        (kept, newer, older)
    }

    /// An id is new.
    pub fn add(&mut self, id: u64) {
        self.open.push(id);
        self.is_changed = true;
        if self.open.len() == PART_IDS {
            self.close();
        }
    }

    /// The newer generation becomes the older one, and that is forgotten.
    pub fn turn(&mut self) {
        self.close();
        let gone = mem::replace(&mut self.older, mem::take(&mut self.newer));
        self.changes.extend(gone.into_iter().map(|number| (number, Bytes::new())));
    }

    /// What changed since it was last asked.
    pub fn changes(&mut self) -> Parts {
        if mem::take(&mut self.is_changed) {
            self.changes.insert(self.number, packed(&self.open));
        }
        mem::take(&mut self.changes)
    }

    fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        self.changes.insert(self.number, packed(&self.open));
        self.newer.push(self.number);
        self.open.clear();
        self.number += 1;
        self.is_changed = false;
    }
}

fn packed(ids: &[u64]) -> Bytes {
    ids.iter().flat_map(|id| id.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(parts: &Parts) -> usize {
        parts.values().map(Bytes::len).sum()
    }

    #[test]
    fn a_commit_writes_what_is_new_and_at_most_one_part_of_what_is_not() {
        let mut kept = Kept::default();
        let mut whole = Parts::default();
        let mut ids = 0..;
        for new in [1, 100, 0, PART_IDS - 101, 3, 3 * PART_IDS, 17] {
            ids.by_ref().take(new).for_each(|id| kept.add(id));
            let changes = kept.changes();
            assert!(bytes(&changes) <= (new + PART_IDS) * ID_BYTES, "{new}");
            assert_eq!(changes.is_empty(), new == 0);
            take(&mut whole, changes);
            assert_eq!(bytes(&whole), ids.start as usize * ID_BYTES);
        }
        assert_eq!(whole.len(), ids.start as usize / PART_IDS + 1);
    }

    #[test]
    fn what_was_committed_is_gone_on_with_and_no_more_is_taken_than_there_is_room_for() {
        let (mut kept, mut whole) = (Kept::default(), Parts::default());
        let total = 5 * PART_IDS as u64 + 7;
        (0..total).for_each(|id| kept.add(id));
        take(&mut whole, kept.changes());
        let (mut kept, mut newer, older) = Kept::restore(&whole, 2 * PART_IDS);
        newer.sort_unstable();
        assert_eq!(newer, (4 * PART_IDS as u64..total).collect::<Vec<_>>());
        assert_eq!(older.len(), 2 * PART_IDS);
        // the last part is gone on with, and what there was no room for is forgotten
        kept.add(total);
        take(&mut whole, kept.changes());
        assert_eq!(whole.keys().copied().collect::<Vec<_>>(), [2, 3, 4, 5]);
        assert_eq!(whole[&5].len(), 8 * ID_BYTES);
        // as generations are
        kept.turn();
        take(&mut whole, kept.changes());
        assert_eq!(whole.keys().copied().collect::<Vec<_>>(), [4, 5]);
        kept.add(0);
        take(&mut whole, kept.changes());
        assert_eq!(whole.keys().copied().collect::<Vec<_>>(), [4, 5, 6]);
        kept.turn();
        take(&mut whole, kept.changes());
        assert_eq!(whole.keys().copied().collect::<Vec<_>>(), [6]);
    }
}
