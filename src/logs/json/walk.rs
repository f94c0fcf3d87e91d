//! JSON text and its structural index → a cursor over values, which checks the grammar as it goes.

use std::borrow::Cow;

use super::plan::Key;
use super::scalar;
use crate::decode::index::{Backslashes, Indexer};

/// Objects and arrays nested deeper than this make a record damaged.
pub const DEPTH_MAX: u32 = 128;

const AFTER_MEMBER: &str = "a member of an object is followed by neither comma nor brace";
const AFTER_ITEM: &str = "an item of an array is followed by neither comma nor bracket";
pub const NO_KEY: &str = "a key of an object is no string";
pub const NO_VALUE: &str = "a value is no JSON";
pub const TOO_DEEP: &str = "nested more than 128 levels deep";
pub const NO_COLON: &str = "a key of an object is not followed by a colon";

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
    places: &'a [u32],
    heads: &'a [u8],
    backslashes: &'a [Backslashes],
    at: usize,
    /// Behind the value that was read last.
    ended: usize,
    /// There is no backslash from `clear` up to `backslash`, which is the first of the block with this number, or one of it.
    clear: usize,
    backslash: usize,
    block: usize,
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
    /// On the first place of the window that was indexed last.
    pub fn new(bytes: &'a [u8], index: &'a Indexer, unclean: bool) -> Cursor<'a> {
        let (places, heads, backslashes) = (index.places(), index.heads(), index.backslashes());
        Cursor { bytes, places, heads, backslashes, at: 0, ended: 0, clear: 0, backslash: 0, block: 0, unclean }
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

    /// Goes to the first place of the index that is at this position or behind it.
    pub fn seek(&mut self, position: usize) {
        self.at = self.places.partition_point(|&place| (place as usize) < position);
    }

    /// Stands at place `at` again, behind a value that ended at `ended`.
    pub fn settle(&mut self, at: usize, ended: usize) {
        self.go(at);
        self.ended = ended;
    }

    #[inline]
    fn position(&self, at: usize) -> Result<usize, Stop> {
        match self.places.get(at) {
            Some(&place) => Ok(place as usize),
            None => Err(Stop::Short),
        }
    }

    /// Bytes and positions of place `at` and the three after it: what a member has at least, which are its
    /// key, its colon, the beginning of its value, and what follows it.
    #[inline(always)]
    pub fn member(&self, at: usize) -> Result<([u8; 4], [usize; 4]), Stop> {
        let heads = self.heads.get(at..).and_then(|heads| heads.first_chunk());
        let places = self.places.get(at..).and_then(|places| places.first_chunk::<4>());
        match (heads, places) {
            (Some(heads), Some(places)) => Ok((*heads, places.map(|place| place as usize))),
            _ => Err(Stop::Short),
        }
    }

    /// Positions of the place the cursor is on and of those after it.
    #[inline(always)]
    pub fn ahead<const COUNT: usize>(&self) -> Option<&[u32; COUNT]> {
        self.places.get(self.at..)?.first_chunk()
    }

    /// Whether the place so many after the one the cursor is on is at `position`.
    #[inline]
    pub fn is_place(&self, after: usize, position: usize) -> bool {
        self.places.get(self.at + after).is_some_and(|&place| place as usize == position)
    }

    /// Position of the place the cursor is on.
    #[inline]
    pub fn here(&self) -> Result<usize, Stop> {
        self.position(self.at)
    }

    #[inline]
    pub fn byte(&self) -> Result<u8, Stop> {
        self.heads.get(self.at).copied().ok_or(Stop::Short)
    }

    /// Position behind the value that was read last.
    pub fn ended(&self) -> usize {
        self.ended
    }

    /// Position behind all that was read.
    pub fn behind(&self) -> usize {
        let place = self.at.checked_sub(1).map_or(0, |at| self.places[at] as usize + 1);
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
        // in ASCII the closing bracket is two after the opening one, for both kinds
        if self.byte()? == open + 2 {
            self.ended = self.here()? + 1;
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// Behind a member: to the next key, or out of the object.
    #[inline]
    pub fn more_members(&mut self) -> Result<bool, Stop> {
        self.more(b'}', AFTER_MEMBER)
    }

    /// Behind an item: to the next item, or out of the array.
    #[inline]
    pub fn more_items(&mut self) -> Result<bool, Stop> {
        self.more(b']', AFTER_ITEM)
    }

    #[inline(always)]
    fn more(&mut self, close: u8, otherwise: &'static str) -> Result<bool, Stop> {
        let byte = self.take()?;
        if byte == b',' {
            Ok(true)
        } else if byte == close {
            self.ended = self.position(self.at - 1)? + 1;
            Ok(false)
        } else {
            Err(Stop::Damaged(otherwise))
        }
    }

    /// Where the key at the cursor begins, inside its quotes.
    #[inline]
    pub fn key_start(&self) -> Result<usize, Stop> {
        if self.byte()? == b'"' { Ok(self.here()? + 1) } else { Err(Stop::Damaged(NO_KEY)) }
    }

    /// True when the key that begins at `start` is written exactly as `key`.
    #[inline(always)]
    pub fn key_is(&self, start: usize, key: &Key) -> bool {
        let Some(head) = self.bytes.get(start..start + Key::HEAD) else { return false };
        // without an early end, which makes vector code of it
        let mut is_same = true;
        for ((byte, mask), want) in head.iter().zip(&key.mask).zip(&key.want) {
            is_same &= byte & mask == *want;
        }
        is_same && (key.name.len() < Key::HEAD || self.bytes[start + Key::HEAD..].starts_with(key.behind_head()))
    }

    /// From a key to its value.
    #[inline]
    pub fn go_to_value(&mut self) -> Result<(), Stop> {
        self.at += 1;
        self.colon()
    }

    #[inline]
    pub fn colon(&mut self) -> Result<(), Stop> {
        if self.take()? == b':' { Ok(()) } else { Err(Stop::Damaged(NO_COLON)) }
    }

    /// Over the string at the cursor.
    #[inline(always)]
    pub fn string(&mut self) -> Result<Str, Stop> {
        let start = self.here()? + 1;
        // the index has no closing quotes: it is the last byte before the next place that is no white space
        let mut end = self.position(self.at + 1)? - 1;
        if self.bytes[end] != b'"' || end < start {
            end = self.closing_quote(start, end)?;
        }
        self.at += 1;
        self.ended = end + 1;
        Ok(Str { start, end, escaped: self.has_backslash(start, end) })
    }

    /// Whether there is a backslash between two positions; the one asked for last is seldom far away.
    #[inline(always)]
    pub fn has_backslash(&mut self, start: usize, end: usize) -> bool {
        (start < self.clear || self.backslash < end) && self.finds_backslash(start, end)
    }

    #[cold]
    fn closing_quote(&self, start: usize, mut end: usize) -> Result<usize, Stop> {
        while end > start && matches!(self.bytes[end], b' ' | b'\n' | b'\r' | b'\t') {
            end -= 1;
        }
        if end >= start && self.bytes[end] == b'"' { Ok(end) } else { Err(Stop::Damaged("a string is not closed")) }
    }

    /// Finds the first backslash at `start` or later, unless it is known: whether it is before `end`.
    #[inline(never)]
    fn finds_backslash(&mut self, start: usize, end: usize) -> bool {
        if (self.clear..=self.backslash).contains(&start) {
            return self.backslash < end;
        }
        if start < self.clear {
            // strings before the last one are read again
            self.block = self.backslashes.partition_point(|block| block.start as usize + 64 <= start);
        }
        let rest = &self.backslashes[self.block..];
        let found = rest.iter().enumerate().find_map(|(skipped, block)| {
            let before = start.saturating_sub(block.start as usize);
            let bits = if before < 64 { block.bits >> before << before } else { 0 };
            (bits != 0).then(|| (skipped, block.start as usize + bits.trailing_zeros() as usize))
        });
        let (skipped, backslash) = found.unwrap_or((rest.len(), usize::MAX));
        self.block += skipped;
        self.backslash = backslash;
        self.clear = start;
        backslash < end
    }

    /// Over the value at the cursor, whatever it is: where it stands.
    #[inline]
    pub fn skip(&mut self) -> Result<(usize, usize), Stop> {
        let start = self.here()?;
        match self.byte()? {
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
            Err(Stop::Damaged(NO_VALUE))
        }
    }

    /// Over the object or array at the cursor. Most tokens of a log are read here, so it goes along the index by itself.
    fn skip_nested(&mut self) -> Result<(), Stop> {
        let (heads, places) = (self.heads, self.places);
        let mut at = self.at;
        let byte_at = |at: usize| heads.get(at).copied().ok_or(Stop::Short);
        // one bit for each open bracket, the last one lowest: 1 for an object
        let mut kinds = 0u128;
        let mut depth = 0;
        'value: loop {
            let byte = byte_at(at)?;
            match byte {
                b'"' => at += 1,
                b'{' | b'[' => {
                    if depth == DEPTH_MAX {
                        return Err(Stop::Damaged(TOO_DEEP));
                    }
                    at += 1;
                    depth += 1;
                    kinds = kinds << 1 | u128::from(byte == b'{');
                    let first = byte_at(at)?;
                    // in ASCII the closing bracket is two after the opening one, for both kinds
                    if first == byte + 2 {
                        at += 1;
                        depth -= 1;
                        kinds >>= 1;
                    } else {
                        if byte == b'{' {
                            at = self.behind_key(at, &byte_at)?;
                        }
                        continue 'value;
                    }
                }
                _ => {
                    self.at = at;
                    self.scalar_end(places[at] as usize)?;
                    at += 1;
                }
            }
            // behind a value
            while depth > 0 {
                let byte = byte_at(at)?;
                at += 1;
                let object = kinds & 1 == 1;
                if byte == b',' {
                    if object {
                        at = self.behind_key(at, &byte_at)?;
                    }
                    continue 'value;
                }
                if byte != if object { b'}' } else { b']' } {
                    return Err(Stop::Damaged(if object { AFTER_MEMBER } else { AFTER_ITEM }));
                }
                depth -= 1;
                kinds >>= 1;
            }
            self.at = at;
            self.ended = places[at - 1] as usize + 1;
            return Ok(());
        }
    }

    /// The place behind a key and its colon, and behind all members before it whose values are strings.
    #[inline(always)]
    fn behind_key(&self, mut at: usize, byte_at: &impl Fn(usize) -> Result<u8, Stop>) -> Result<usize, Stop> {
        // most members: four places are looked at as one
        while self.heads[at..].starts_with(b"\":\",") {
            at += 4;
        }
        if byte_at(at)? != b'"' {
            return Err(Stop::Damaged(NO_KEY));
        }
        if byte_at(at + 1)? != b':' {
            return Err(Stop::Damaged(NO_COLON));
        }
        Ok(at + 2)
    }

    #[inline]
    pub fn is_null(&self, start: usize, end: usize) -> bool {
        end - start == 4 && self.bytes[start..end] == *b"null"
    }
}
