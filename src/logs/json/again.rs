//! Objects that come again → what their members were read to before.
//!
//! Those who call AWS call often: in a file of CloudTrail most `userIdentity` objects, which have a third of a record's members, are byte for
//! byte one that stood there before, and so are most `tlsDetails`. Such an object is not walked again: its text is compared, and the
//! row gets what the row before got.

use std::ops::Range;

use super::fill::Fill;
use super::plan::Action;
use super::walk::{Cursor, Stop};
use crate::logs::build::Arena;

/// Objects remembered for a batch, the longest of them, and slots to look them up by.
const OBJECTS_MAX: usize = 512;
const LENGTH_MAX: usize = 4 << 10;
const SLOTS: usize = 2048;
/// Slots looked at for an object. Objects that differ behind what is hashed stand next to each other.
const PROBES: usize = 4;
/// Places of the index from an object's brace on that its hash is made of, so it has at least three members or what follows it is
/// hashed too: then it is found only where the same follows it.
const HASHED: usize = 13;

/// The objects of one batch.
#[derive(Default)]
pub struct Again {
    /// A number of `objects` plus one; 0 is free.
    slots: Vec<u16>,
    objects: Vec<Object>,
    texts: Vec<u8>,
    codes: Vec<Code>,
    values: Vec<Value>,
}

struct Object {
    hash: u64,
    node: usize,
    /// Where its text begins in `texts`, its symbols in `codes`, and its other values in `values`; they end where those of the next begin.
    text: usize,
    codes: usize,
    values: usize,
    /// Places of the index from its opening brace to its closing one.
    places: usize,
}

/// What a column of symbols was given, as most of the columns are.
#[derive(Clone, Copy)]
struct Code {
    builder: u32,
    code: i32,
}

/// What another column was given. `bits` are a number, a flag, or a view; a view of a text in the input has its place
/// inside the object.
#[derive(Clone, Copy)]
struct Value {
    action: Action,
    bits: u128,
}

/// Bits of a view that say where its buffer is and where the text begins in it.
const BUFFER: u32 = 64;
const START: u32 = 96;

impl Again {
    /// Hash of the object at the cursor; `None` near the end of a window.
    #[inline]
    fn hash(cursor: &Cursor<'_>, node: usize) -> Option<u64> {
        let places: &[u32; HASHED] = cursor.ahead()?;
        let [start, end, third, last] = [places[7], places[8], places[11], places[12]].map(|place| place as usize);
        let word = |at: usize| Some(u64::from_le_bytes(*cursor.bytes().get(at..)?.first_chunk()?));
        // the second member's value from both ends, the beginning of the third's, and how long they are
        let words = [word(start + 1)?, word(start + 9)?, word(end.saturating_sub(9))?, word(third + 1)?];
        let lengths =
            (start - places[0] as usize) << 40 ^ (end - start) << 20 ^ (last - places[0] as usize) ^ node << 60;
        let mixed = words
            .into_iter()
            .fold(lengths as u64, |hash, word| (hash.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Some(mixed ^ mixed >> 29)
    }

    fn slots_of(hash: u64) -> impl Iterator<Item = usize> {
        (0..PROBES).map(move |probe| (hash as usize + probe) % SLOTS)
    }

    fn text(&self, number: usize) -> &[u8] {
        let end = self.objects.get(number + 1).map_or(self.texts.len(), |next| next.text);
        &self.texts[self.objects[number].text..end]
    }

    fn codes(&self, number: usize) -> Range<usize> {
        let end = self.objects.get(number + 1).map_or(self.codes.len(), |next| next.codes);
        self.objects[number].codes..end
    }

    fn values(&self, number: usize) -> Range<usize> {
        let end = self.objects.get(number + 1).map_or(self.values.len(), |next| next.values);
        self.objects[number].values..end
    }

    /// The object at the cursor, when it came before and lies in the window as a whole.
    #[inline]
    fn find(&self, cursor: &Cursor<'_>, start: usize, node: usize, hash: u64) -> Option<usize> {
        if self.objects.is_empty() {
            return None;
        }
        for slot in Again::slots_of(hash) {
            let number = usize::from(self.slots[slot]).checked_sub(1)?;
            let object = &self.objects[number];
            if object.hash == hash && object.node == node {
                let text = self.text(number);
                if cursor.bytes()[start..].starts_with(text)
                    && cursor.is_place(object.places - 1, start + text.len() - 1)
                {
                    return Some(number);
                }
            }
        }
        None
    }

    fn add(&mut self, object: Object, text: &[u8]) {
        if self.slots.is_empty() {
            self.slots = vec![0; SLOTS];
        }
        let Some(slot) = Again::slots_of(object.hash).find(|slot| self.slots[*slot] == 0) else {
            self.codes.truncate(object.codes);
            self.values.truncate(object.values);
            return;
        };
        self.objects.push(object);
        self.slots[slot] = self.objects.len() as u16;
        self.texts.extend_from_slice(text);
    }

    fn is_full(&self) -> bool {
        self.objects.len() == OBJECTS_MAX
    }
}

impl Fill {
    /// Reads the object at the cursor, which is the value of a member of the record.
    pub(super) fn object_again(
        &mut self,
        cursor: &mut Cursor<'_>,
        builder: usize,
        node: usize,
        row: usize,
    ) -> Result<(), Stop> {
        let (start, at) = (cursor.here()?, cursor.at());
        // a key that stands twice in a record adds to what the first one gave
        let is_first = !self.structs[builder].is_set(row);
        let hash = if is_first { Again::hash(cursor, node) } else { None };
        let Some(hash) = hash else {
            self.structs[builder].set(row);
            return self.object(cursor, node, row);
        };
        self.structs[builder].set(row);
        if let Some(number) = self.again.find(cursor, start, node, hash) {
            for &Code { builder, code } in &self.again.codes[self.again.codes(number)] {
                self.symbols[builder as usize].set_code(row, code);
            }
            for at in self.again.values(number) {
                self.give(self.again.values[at], row, start);
            }
            cursor.settle(at + self.again.objects[number].places, start + self.again.text(number).len());
            return Ok(());
        }
        let unmapped = self.unmapped.len();
        self.object(cursor, node, row)?;
        let length = cursor.ended() - start;
        if self.unmapped.len() == unmapped && length <= LENGTH_MAX && !self.again.is_full() {
            self.remember(cursor, start, at, node, row, hash);
        }
        Ok(())
    }

    #[cold]
    fn remember(&mut self, cursor: &Cursor<'_>, start: usize, at: usize, node: usize, row: usize, hash: u64) {
        let (codes, values) = (self.again.codes.len(), self.again.values.len());
        let origin = u128::from(self.arena.base()) + start as u128;
        for &action in &self.plan.nodes[node].inside {
            if !self.is_set(action, row) {
                continue;
            }
            let bits = match action {
                Action::Text(builder) | Action::Json(builder) => {
                    let view = self.texts[builder].view(row);
                    view - if is_in_input(view) { origin << START } else { 0 }
                }
                Action::Symbol(builder) => {
                    let code = self.symbols[builder].code_of(row).expect("it is set");
                    self.again.codes.push(Code { builder: builder as u32, code });
                    continue;
                }
                Action::Int(builder) => self.ints[builder].get(row) as u128,
                Action::Float(builder) => u128::from(self.floats[builder].get(row).to_bits()),
                Action::Flag(builder) => u128::from(self.flags[builder].get(row)),
                Action::Time(builder) => self.times[builder].get(row) as u128,
                Action::Struct { .. } => 0,
                Action::List { .. } | Action::Unknown => unreachable!("objects with lists are not remembered"),
            };
            self.again.values.push(Value { action, bits });
        }
        let text = &cursor.bytes()[start..cursor.ended()];
        let object = Object { hash, node, text: self.again.texts.len(), codes, values, places: cursor.at() - at };
        self.again.add(object, text);
    }

    #[inline]
    fn give(&mut self, value: Value, row: usize, start: usize) {
        let bits = value.bits;
        match value.action {
            Action::Text(builder) | Action::Json(builder) => {
                let view = if is_in_input(bits) {
                    let origin = u128::from(self.arena.base()) + start as u128;
                    let buffer = u128::from(self.arena.next());
                    (bits & !(u128::from(u32::MAX) << BUFFER) | buffer << BUFFER) + (origin << START)
                } else {
                    bits
                };
                self.texts[builder].set_view(row, view);
            }
            Action::Int(builder) => self.ints[builder].set(row, bits as i64),
            Action::Float(builder) => self.floats[builder].set(row, f64::from_bits(bits as u64)),
            Action::Flag(builder) => self.flags[builder].set(row, bits != 0),
            Action::Time(builder) => self.times[builder].set(row, bits as i64),
            Action::Struct { builder, .. } => self.structs[builder].set(row),
            Action::Symbol(_) => unreachable!("symbols are remembered by their codes"),
            Action::List { .. } | Action::Unknown => unreachable!("objects with lists are not remembered"),
        }
    }
}

/// Whether a view is of a text that stands in the buffer being read, and neither in the view itself nor in the side buffer.
#[inline]
fn is_in_input(view: u128) -> bool {
    view as u32 > 12 && (view >> BUFFER) as u32 != Arena::SIDE
}
