//! JSON text and its structural index → a cursor over values, which checks the grammar as it goes.

use std::borrow::Cow;

use super::plan::Key;
use super::scalar;

/// Objects and arrays nested deeper than this make a record damaged.
pub const DEPTH_MAX: u32 = 128;

/// Why a walk ended before its value did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The index ends inside the value.
    Short,
    /// It is no JSON, or none we take; the reason in words.
    Damaged(&'static str),
}

/// Stands on a place of the index. Positions are those of `bytes`, the whole text.
pub struct Cursor<'a> {
    bytes: &'a [u8],
    base: usize,
    places: &'a [u32],
    at: usize,
    /// Behind the value that was read last.
    ended: usize,
    /// There is no backslash from `clear` up to `backslash`: known from the searches that strings needed.
    clear: usize,
    backslash: usize,
    /// Strings may hold raw control characters.
    unclean: bool,
}

/// The inside of a string.
#[derive(Clone, Copy, Debug)]
pub struct Str {
    pub start: usize,
    pub end: usize,
    /// It must go through [`Str::unescaped`] to be what it means.
    pub escaped: bool,
}

impl Str {
    pub fn unescaped<'a>(&self, cursor: &Cursor<'a>) -> Result<Cow<'a, [u8]>, Stop> {
        let inside = &cursor.bytes[self.start..self.end];
        if !self.escaped {
            return Ok(Cow::Borrowed(inside));
        }
        let mut text = Vec::with_capacity(inside.len());
        scalar::unescape(inside, &mut text).ok_or(Stop::Damaged("a string has an escape that JSON does not know"))?;
        Ok(Cow::Owned(text))
    }
}

impl<'a> Cursor<'a> {
    /// `places` count from `base`.
    pub fn new(bytes: &'a [u8], base: usize, places: &'a [u32], unclean: bool) -> Cursor<'a> {
        Cursor { bytes, base, places, at: 0, ended: base, clear: 0, backslash: 0, unclean }
    }

    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub fn unclean(&self) -> bool {
        self.unclean
    }

    /// Number of the place in the index.
    pub fn at(&self) -> usize {
        self.at
    }

    pub fn go(&mut self, at: usize) {
        self.at = at;
    }

    /// Stands at place `at` again, behind a value that ended at `ended`.
    pub fn settle(&mut self, at: usize, ended: usize) {
        self.go(at);
        self.ended = ended;
    }

    #[inline]
    fn position(&self, at: usize) -> Result<usize, Stop> {
        match self.places.get(at) {
            Some(&place) => Ok(self.base + place as usize),
            None => Err(Stop::Short),
        }
    }

    /// Position of the place the cursor is on.
    #[inline]
    pub fn here(&self) -> Result<usize, Stop> {
        self.position(self.at)
    }

    #[inline]
    pub fn byte(&self) -> Result<u8, Stop> {
        Ok(self.bytes[self.here()?])
    }

    /// Position behind the value that was read last.
    pub fn ended(&self) -> usize {
        self.ended
    }

    /// Position behind all that was read.
    pub fn behind(&self) -> usize {
        let place = self.at.checked_sub(1).map_or(0, |at| self.base + self.places[at] as usize + 1);
        place.max(self.ended)
    }

    #[inline]
    fn take(&mut self) -> Result<u8, Stop> {
        let byte = self.byte()?;
        self.at += 1;
        Ok(byte)
    }

    /// From the bracket at the cursor to the first thing inside. False when there is nothing, and the cursor is
    /// behind the closing bracket.
    #[inline]
    pub fn enter(&mut self) -> Result<bool, Stop> {
        let open = self.take()?;
        let here = self.here()?;
        // in ASCII the closing bracket is two after the opening one, for both kinds
        if self.bytes[here] == open + 2 {
            self.at += 1;
            self.ended = here + 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// Behind a member: to the next key, or out of the object.
    #[inline]
    pub fn more_members(&mut self) -> Result<bool, Stop> {
        self.more(b'}', "a member of an object is followed by neither comma nor brace")
    }

    /// Behind an item: to the next item, or out of the array.
    #[inline]
    pub fn more_items(&mut self) -> Result<bool, Stop> {
        self.more(b']', "an item of an array is followed by neither comma nor bracket")
    }

    #[inline]
    fn more(&mut self, close: u8, otherwise: &'static str) -> Result<bool, Stop> {
        let here = self.here()?;
        self.at += 1;
        let byte = self.bytes[here];
        if byte == b',' {
            Ok(true)
        } else if byte == close {
            self.ended = here + 1;
            Ok(false)
        } else {
            Err(Stop::Damaged(otherwise))
        }
    }

    /// Where the key at the cursor begins, inside its quotes.
    #[inline]
    pub fn key_start(&self) -> Result<usize, Stop> {
        let here = self.here()?;
        if self.bytes[here] == b'"' { Ok(here + 1) } else { Err(Stop::Damaged("a key of an object is no string")) }
    }

    /// True when the key that begins at `start` is written exactly as `key`.
    #[inline]
    pub fn key_is(&self, start: usize, key: &Key) -> bool {
        let Some(head) = self.bytes.get(start..start + 16) else { return false };
        let head = u128::from_le_bytes(head.try_into().expect("sixteen bytes"));
        if head & key.mask != key.want {
            return false;
        }
        let length = key.name.len();
        length < 16
            || (self.bytes.get(start + 16..start + length) == Some(&key.name[16..])
                && self.bytes.get(start + length) == Some(&b'"'))
    }

    /// From a key to its value.
    #[inline]
    pub fn go_to_value(&mut self) -> Result<(), Stop> {
        self.at += 1;
        self.colon()
    }

    #[inline]
    pub fn colon(&mut self) -> Result<(), Stop> {
        if self.take()? == b':' { Ok(()) } else { Err(Stop::Damaged("a key of an object is not followed by a colon")) }
    }

    /// Over the string at the cursor.
    #[inline]
    pub fn string(&mut self) -> Result<Str, Stop> {
        let start = self.here()? + 1;
        // the index has no closing quotes: it is the last byte before the next place that is no white space
        let mut end = self.position(self.at + 1)? - 1;
        while self.bytes[end] != b'"' {
            if end <= start || !matches!(self.bytes[end], b' ' | b'\n' | b'\r' | b'\t') {
                return Err(Stop::Damaged("a string is not closed"));
            }
            end -= 1;
        }
        if end < start {
            return Err(Stop::Damaged("a string is not closed"));
        }
        self.at += 1;
        self.ended = end + 1;
        if start < self.clear {
            // strings before the last one are read again: only what was not searched is
            if let Some(found) = memchr::memchr(b'\\', &self.bytes[start..self.clear]) {
                self.backslash = start + found;
            }
            self.clear = start;
        } else if self.backslash < start {
            self.backslash = memchr::memchr(b'\\', &self.bytes[start..]).map_or(usize::MAX, |found| start + found);
            self.clear = start;
        }
        Ok(Str { start, end, escaped: self.backslash < end })
    }

    /// Over the value at the cursor, whatever it is: where it stands.
    #[inline]
    pub fn skip(&mut self) -> Result<(usize, usize), Stop> {
        let start = self.here()?;
        match self.bytes[start] {
            b'{' | b'[' => self.skip_nested()?,
            b'"' => {
                let string = self.string()?;
                return Ok((start, string.end + 1));
            }
            _ => {
                let end = self.scalar_end(start)?;
                self.ended = end;
                self.at += 1;
            }
        }
        Ok((start, self.ended))
    }

    #[inline]
    fn scalar_end(&self, start: usize) -> Result<usize, Stop> {
        let mut end = self.position(self.at + 1)?;
        while end > start && matches!(self.bytes[end - 1], b' ' | b'\n' | b'\r' | b'\t') {
            end -= 1;
        }
        let text = &self.bytes[start..end];
        if matches!(text, b"null" | b"true" | b"false") || scalar::is_scalar(text) {
            Ok(end)
        } else {
            Err(Stop::Damaged("a value is no JSON"))
        }
    }

    fn skip_nested(&mut self) -> Result<(), Stop> {
        // one bit for each open bracket: 1 for an object
        let mut kinds = 0u128;
        let mut depth = 0;
        loop {
            let here = self.here()?;
            let byte = self.bytes[here];
            match byte {
                b'{' | b'[' => {
                    if depth == DEPTH_MAX {
                        return Err(Stop::Damaged("nested too deeply"));
                    }
                    if self.enter()? {
                        depth += 1;
                        kinds = kinds << 1 | u128::from(byte == b'{');
                        if byte == b'{' {
                            self.key_start()?;
                            self.go_to_value()?;
                        }
                        continue;
                    }
                }
                b'"' => self.at += 1,
                _ => {
                    self.scalar_end(here)?;
                    self.at += 1;
                }
            }
            // behind a value
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let object = kinds & 1 == 1;
                if if object { self.more_members()? } else { self.more_items()? } {
                    if object {
                        self.key_start()?;
                        self.go_to_value()?;
                    }
                    break;
                }
                depth -= 1;
                kinds >>= 1;
            }
        }
    }

    #[inline]
    pub fn is_null(&self, start: usize, end: usize) -> bool {
        end - start == 4 && self.bytes[start..end] == *b"null"
    }
}
