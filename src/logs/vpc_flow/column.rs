//! The words of one field of many lines → a column.

use std::ops::Range;

use crate::logs::build::{self, Numbers, Place, Views};
use crate::logs::symbols::Symbols;

/// The words of one field of the pending lines.
pub struct Column<'a> {
    /// The padded text.
    pub bytes: &'a [u8],
    /// Beginning and end of each word of each line.
    pub starts: &'a [u32],
    pub ends: &'a [u32],
    /// Which of a line's words, and how many there are.
    pub field: usize,
    pub fields: usize,
    /// Where they go.
    pub rows: Range<usize>,
}

impl<'a> Column<'a> {
    #[inline]
    fn words(&self) -> impl Iterator<Item = (usize, usize)> + use<'a> {
        let (field, fields) = (self.field, self.fields);
        let (starts, ends) = (&self.starts[field..], &self.ends[field..]);
        starts
            .iter()
            .step_by(fields)
            .zip(ends.iter().step_by(fields))
            .map(|(start, end)| (*start as usize, *end as usize))
    }

    /// Numbers up to `most`.
    pub fn numbers(&self, column: &mut Numbers<i64>, most: i64, bad: &mut Vec<(usize, usize)>) {
        let bytes = self.bytes;
        let (values, valid) = column.many(self.rows.clone());
        for (row, ((start, end), value)) in self.words().zip(values).enumerate() {
            match number(bytes, start, end) {
                Some(number) if number <= most => *value = number,
                None if &bytes[start..end] == b"-" => valid.clear(self.rows.start + row),
                Some(_) | None => bad.push((row, self.field)),
            }
        }
    }

    /// Times that are no seconds, but thousandths of them, millionths or billionths, and were too large for numbers.
    /// What is none is left in `bad`.
    #[cold]
    pub fn parts_of_seconds(&self, column: &mut Numbers<i64>, most: i64, bad: &mut Vec<(usize, usize)>) {
        /// The year 2286, past which a number of digits is no time that was logged.
        const SECONDS_MAX: i64 = 10_000_000_000;
        bad.retain(|(row, field)| {
            let place = row * self.fields + field;
            let (start, end) = (self.starts[place] as usize, self.ends[place] as usize);
            let Some(mut time) = number(self.bytes, start, end).filter(|_| *field == self.field) else { return true };
            while time > most {
                time /= 1000;
            }
            if time >= SECONDS_MAX {
                return true;
            }
            column.set(self.rows.start + row, time);
            false
        });
    }

    pub fn texts(&self, column: &mut Views, buffer: u32, bad: &mut Vec<(usize, usize)>) {
        let bytes = self.bytes;
        let (views, valid) = column.many(self.rows.clone());
        for (row, ((start, end), view)) in self.words().zip(views).enumerate() {
            match end - start {
                0 => bad.push((row, self.field)),
                1 if bytes[start] == b'-' => valid.clear(self.rows.start + row),
                length => {
                    *view = build::view(bytes, Place { buffer, start: start as u32, length: length as u32 });
                }
            }
        }
    }

    pub fn symbols(&self, column: &mut Symbols, bad: &mut Vec<(usize, usize)>) {
        let bytes = self.bytes;
        let (codes, valid, dictionary) = column.many(self.rows.clone());
        // the last word that differed from the one before it: neighbours often agree
        let (mut last, mut known, mut last_code) = ((0, 0), Sixteen::default(), 0);
        for (row, ((start, end), code)) in self.words().zip(codes).enumerate() {
            match end - start {
                0 => bad.push((row, self.field)),
                1 if bytes[start] == b'-' => valid.clear(self.rows.start + row),
                length => {
                    let head = Sixteen::of(bytes, start, length);
                    let same = head == known && (length <= 16 || bytes[start..end] == bytes[last.0..last.1]);
                    if !same {
                        last_code = dictionary.code_padded(bytes, start, length);
                        (last, known) = ((start, end), head);
                    }
                    *code = last_code;
                }
            }
        }
    }

    pub fn check(&self, bad: &mut Vec<(usize, usize)>) {
        let empty = |(_, (start, end)): &(usize, (usize, usize))| start == end;
        bad.extend(self.words().enumerate().filter(empty).map(|(row, _)| (row, self.field)));
    }
}

/// The length of a word and its first bytes, to tell most words apart at once.
#[derive(Default, PartialEq, Eq, Clone, Copy)]
struct Sixteen {
    length: usize,
    bytes: u128,
}

impl Sixteen {
    /// Behind a word at `start` the padding begins at the earliest, so 16 bytes can be read.
    #[inline(always)]
    fn of(bytes: &[u8], start: usize, length: usize) -> Sixteen {
        let word = u128::from_le_bytes(bytes[start..start + 16].try_into().expect("sixteen bytes"));
        let mask = if length < 16 { (1 << (8 * length)) - 1 } else { u128::MAX };
        Sixteen { length, bytes: word & mask }
    }
}

/// A number of digits alone.
#[inline(always)]
fn number(bytes: &[u8], start: usize, end: usize) -> Option<i64> {
    let length = end - start;
    if (1..=8).contains(&length) && end >= 8 {
        return eight(bytes, end, length).map(|value| value as i64);
    }
    if (9..=16).contains(&length) && end >= 16 {
        let high = eight(bytes, end - 8, length - 8)?;
        return Some((high * 100_000_000 + eight(bytes, end, 8)?) as i64);
    }
    let text = std::str::from_utf8(&bytes[start..end]).ok()?;
    text.starts_with(|first: char| first.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The `length` digits before `end`, 1 to 8 of them, as one number: all at once, by pairs, fours and the eight.
#[inline(always)]
fn eight(bytes: &[u8], end: usize, length: usize) -> Option<u64> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(bytes[end - 8..end].try_into().expect("eight bytes"));
    // what stands before the digits becomes zeros
    let digits = (word ^ (b'0' as u64 * ONES)) & (u64::MAX << (64 - 8 * length));
    if (digits.wrapping_add((0x7f - 9) * ONES) | digits) & (0x80 * ONES) != 0 {
        return None;
    }
    let pairs = (digits * 10).wrapping_add(digits >> 8);
    let low = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(0x000f_4240_0000_0064);
    let high = ((pairs >> 16) & 0x0000_00ff_0000_00ff).wrapping_mul(0x0000_2710_0000_0001);
    Some(low.wrapping_add(high) >> 32)
}
