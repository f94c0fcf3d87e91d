//! Texts of a dictionary column, row by row → codes, and each distinct text once.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, StringArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::Int32Type;

use super::build::{Valid, put, values_of};

/// A dictionary column: each distinct text is kept once per batch.
#[derive(Default)]
pub struct Symbols {
    codes: Vec<i32>,
    valid: Valid,
    dictionary: Dictionary,
}

/// The distinct texts of a column.
pub struct Dictionary {
    /// Open addressing, a power of two: a code plus one; 0 is free. Many columns have no text, and no slots.
    slots: Vec<u32>,
    words: Vec<Words>,
    ends: Vec<i32>,
    texts: Vec<u8>,
}

impl Default for Dictionary {
    fn default() -> Dictionary {
        Dictionary { slots: Vec::new(), words: Vec::new(), ends: vec![0], texts: Vec::new() }
    }
}

/// A text's length and its first bytes, which are all there are up to [`Words::WHOLE`] of them: most texts are hashed
/// and compared by these alone, without a branch on their length.
#[derive(Clone, Copy)]
struct Words {
    length: usize,
    words: [u64; 4],
}

impl Words {
    const WHOLE: usize = 32;

    fn of(text: &[u8]) -> Words {
        let mut padded = [0; Words::WHOLE];
        let length = text.len().min(Words::WHOLE);
        padded[..length].copy_from_slice(&text[..length]);
        Words::masked(&padded, text.len())
    }

    /// `head` is the text, or its beginning, with anything behind it.
    #[inline(always)]
    fn masked(head: &[u8; Words::WHOLE], length: usize) -> Words {
        let mask = &MASKS[length.min(Words::WHOLE)];
        let word = |at: usize| u64::from_le_bytes(head[at * 8..][..8].try_into().expect("eight bytes")) & mask[at];
        Words { length, words: [word(0), word(1), word(2), word(3)] }
    }

    /// Compared word by word, in registers: as arrays they would go through memory, which stalls.
    #[inline(always)]
    fn same(&self, other: &Words) -> bool {
        let differ = |at: usize| self.words[at] ^ other.words[at];
        self.length == other.length && differ(0) | differ(1) | differ(2) | differ(3) == 0
    }

    /// `text` is what the words are of. Two halves, neither of which waits for the other.
    #[inline(always)]
    fn hash(&self, text: &[u8]) -> u64 {
        let halves = self.add([self.length as u64, 0]);
        let [left, right] = if self.length > Words::WHOLE { Words::add_rest(halves, text) } else { halves };
        left ^ right
    }

    /// `text` is longer than [`Words::WHOLE`].
    #[inline]
    fn add_rest(halves: [u64; 2], text: &[u8]) -> [u64; 2] {
        let (parts, _) = text[Words::WHOLE..].as_chunks();
        // some bytes of the last may have been among those before
        let last = text.last_chunk().expect("it is longer than 32 bytes");
        let all = parts.iter().chain([last]);
        all.fold(halves, |halves, part| Words::masked(part, Words::WHOLE).add(halves))
    }

    #[inline(always)]
    fn add(&self, [left, right]: [u64; 2]) -> [u64; 2] {
        let [a, b, c, d] = self.words;
        let left = Words::fold(left ^ a ^ 0x9e37_79b9_7f4a_7c15, b ^ 0xc2b2_ae3d_27d4_eb4f);
        let right = Words::fold(right ^ c ^ 0x1656_67b1_9e37_79f9, d ^ 0x27d4_eb2f_1656_67c5);
        [left, right]
    }

    /// Both halves of a product, so that its lowest bits, which say the slot, depend on all bytes.
    #[inline(always)]
    fn fold(one: u64, other: u64) -> u64 {
        let product = u128::from(one) * u128::from(other);
        product as u64 ^ (product >> 64) as u64
    }
}

/// By length: which bytes of four words belong to the text.
static MASKS: [[u64; 4]; Words::WHOLE + 1] = {
    let mut masks = [[0; 4]; Words::WHOLE + 1];
    let mut length = 0;
    while length <= Words::WHOLE {
        let mut byte = 0;
        while byte < length {
            masks[length][byte / 8] |= 0xff << (byte % 8 * 8);
            byte += 1;
        }
        length += 1;
    }
    masks
};

impl Dictionary {
    const SLOTS_MIN: usize = 128;
    /// For each text: whether a slot is taken by another is a branch that cannot be foreseen.
    const SLOTS_EACH: usize = 4;

    /// The code of a text, which need not become the value of a row.
    #[inline]
    pub fn code(&mut self, text: &[u8]) -> i32 {
        self.find(text, Words::of(text))
    }

    /// The same for a text inside a buffer, which is quicker where 32 bytes can be read from its beginning.
    #[inline]
    pub fn code_padded(&mut self, bytes: &[u8], start: usize, length: usize) -> i32 {
        let text = &bytes[start..start + length];
        match bytes[start..].first_chunk() {
            Some(head) => self.find(text, Words::masked(head, length)),
            None => self.code(text),
        }
    }

    /// The same for a text of up to twelve bytes, as a [`view`] has it.
    #[inline]
    pub fn code_short(&mut self, view: u128) -> i32 {
        let length = view as u32 as usize;
        let bytes = (view >> 32).to_le_bytes();
        let [first, second] = [view >> 32, view >> 96].map(|word| word as u64);
        self.find(&bytes[..length], Words { length, words: [first, second, 0, 0] })
    }

    // whether a text is that of the row before is not asked first: that is a branch that often cannot be foreseen
    #[inline(always)]
    fn find(&mut self, text: &[u8], words: Words) -> i32 {
        let hash = words.hash(text);
        if self.slots.is_empty() {
            self.begin();
        }
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let found = self.slots[slot];
            if found == 0 {
                return self.add(text, words, slot);
            }
            let code = found as usize - 1;
            if self.is(code, text, &words) {
                return code as i32;
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Makes room for the first texts.
    #[cold]
    fn begin(&mut self) {
        self.slots = vec![0; Dictionary::SLOTS_MIN];
        let texts = Dictionary::SLOTS_MIN / Dictionary::SLOTS_EACH;
        self.words.reserve_exact(texts);
        self.ends.reserve_exact(texts);
        self.texts.reserve(texts * Words::WHOLE);
    }

    /// Whether this code is there and is that of the text, which has these words.
    #[inline(always)]
    fn is(&self, code: usize, text: &[u8], words: &Words) -> bool {
        self.words.get(code).is_some_and(|known| known.same(words))
            && (words.length <= Words::WHOLE || self.text(code as i32) == text)
    }

    /// The text of a code.
    #[inline]
    pub fn text(&self, code: i32) -> &[u8] {
        let code = code as usize;
        &self.texts[self.ends[code] as usize..self.ends[code + 1] as usize]
    }

    /// Number of codes.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[cold]
    fn add(&mut self, text: &[u8], words: Words, slot: usize) -> i32 {
        let code = self.len();
        self.slots[slot] = code as u32 + 1;
        self.words.push(words);
        self.texts.extend_from_slice(text);
        // a batch is cut long before 2 GiB of distinct text
        self.ends.push(self.texts.len() as i32);
        if self.len() * Dictionary::SLOTS_EACH > self.slots.len() {
            self.grow();
        }
        code as i32
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 4 - 1;
        let mut slots = vec![0; mask + 1];
        for code in 0..self.len() {
            let hash = self.words[code].hash(self.text(code as i32));
            let mut slot = hash as usize & mask;
            while slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            slots[slot] = code as u32 + 1;
        }
        self.slots = slots;
    }
}

impl Symbols {
    #[inline]
    pub fn set(&mut self, row: usize, text: &[u8]) {
        let code = self.code(text);
        self.set_code(row, code);
    }

    /// The code of a text, which need not become the value of a row.
    #[inline]
    pub fn code(&mut self, text: &[u8]) -> i32 {
        self.dictionary.code(text)
    }

    /// The same as [`Symbols::set`], by [`Dictionary::code_padded`].
    #[inline]
    pub fn set_padded(&mut self, row: usize, bytes: &[u8], start: usize, length: usize) {
        let code = self.dictionary.code_padded(bytes, start, length);
        self.set_code(row, code);
    }

    /// Gives a row the text of a code that [`Symbols::code`] made.
    #[inline(always)]
    pub fn set_code(&mut self, row: usize, code: i32) {
        put(&mut self.codes, row, code);
        self.valid.set(row);
    }

    /// Makes room for so many more rows at once.
    pub fn reserve(&mut self, rows: usize) {
        self.codes.reserve(rows);
    }

    /// Room for the codes of rows that follow each other, which of them have one (all, until the caller clears
    /// some), and the texts of the codes.
    pub fn many(&mut self, rows: Range<usize>) -> (&mut [i32], &mut Valid, &mut Dictionary) {
        self.codes.resize(rows.end, 0);
        self.valid.set_all(rows.clone());
        (&mut self.codes[rows], &mut self.valid, &mut self.dictionary)
    }

    #[inline]
    pub fn code_of(&self, row: usize) -> Option<i32> {
        self.valid.is_set(row).then(|| self.codes[row])
    }

    pub fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    #[inline]
    pub fn is_set(&self, row: usize) -> bool {
        self.valid.is_set(row)
    }

    /// The text of a row.
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        self.code_of(row).map(|code| self.dictionary.text(code))
    }

    pub fn truncate(&mut self, rows: usize) {
        self.codes.truncate(rows);
        self.valid.truncate(rows);
    }

    /// # Safety
    /// Every text given to [`Symbols::set`] and [`Symbols::code`] was valid UTF-8.
    pub unsafe fn finish(self, rows: usize) -> ArrayRef {
        let Dictionary { mut ends, texts, .. } = self.dictionary;
        if ends.len() == 1 {
            // null rows need a code too
            ends.push(0);
        }
        let codes = Int32Array::new(values_of(self.codes, rows), self.valid.finish(rows));
        // SAFETY: the caller's promise; ends rise from 0 to the length of the texts, codes are below their number
        Arc::new(unsafe {
            let offsets = OffsetBuffer::new_unchecked(ScalarBuffer::from(ends));
            let texts = StringArray::new_unchecked(offsets, Buffer::from_vec(texts), None);
            DictionaryArray::<Int32Type>::new_unchecked(codes, Arc::new(texts))
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};

    use super::*;

    #[test]
    fn ten_thousand_symbols_keep_their_texts() {
        let mut symbols = Symbols::default();
        for row in 0..10_000 {
            symbols.set(row, format!("symbol {row}").as_bytes());
        }
        for row in 10_000..20_000 {
            symbols.set(row, format!("symbol {}", row - 10_000).as_bytes());
        }
        symbols.truncate(19_999);
        // SAFETY: ASCII
        let array = unsafe { symbols.finish(20_000) };
        array.to_data().validate_full().unwrap();
        let dictionary = array.as_dictionary::<Int32Type>();
        assert_eq!(dictionary.values().len(), 10_000);
        let texts = dictionary.downcast_dict::<StringArray>().unwrap();
        let text =
            |row| (!dictionary.is_null(row)).then(|| texts.values().value(dictionary.keys().value(row) as usize));
        assert_eq!(text(9_999), Some("symbol 9999"));
        assert_eq!(text(19_998), Some("symbol 9998"));
        assert_eq!(text(19_999), None);
    }
    #[test]
    fn long_texts_are_told_apart_by_every_byte() {
        for length in [31, 32, 33, 63, 64, 65, 100] {
            let mut dictionary = Dictionary::default();
            let texts: Vec<Vec<u8>> = (0..length)
                .map(|at| (0..length).map(|place| if place == at { b'x' } else { b'.' }).collect())
                .collect();
            for _ in 0..2 {
                let codes: Vec<i32> = texts.iter().map(|text| dictionary.code(text)).collect();
                assert_eq!(codes, (0..length as i32).collect::<Vec<_>>());
            }
            let hashes: std::collections::BTreeSet<u64> = texts.iter().map(|text| Words::of(text).hash(text)).collect();
            assert_eq!(hashes.len(), length, "no byte is left out of the hash");
        }
    }
}
