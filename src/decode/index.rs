//! JSON bytes → the places of their structural characters, made with simd-json's first stage alone.
//!
//! simdjson (Langdale and Lemire, 2019) reads JSON in two stages: vector code finds every `{ } [ ] : ,` outside
//! strings and the first byte of every string and scalar, and validates UTF-8; then a tape of values is built
//! from those places. We use simd-json's first stage and walk its result ourselves: the tape forgets where values
//! stood, so free-form objects would have to be written out again, and most of it describes values inside such
//! objects that nobody asks for. simd-json has no call for the first stage alone, but it keeps the index when the
//! second stage fails, so we make that fail at once, on a comma in front of the first value.

use simd_json::{Buffers, ErrorType, Tape};

use super::PADDING;

/// Finds structural characters; keeps its memory from one use to the next.
pub struct Indexer {
    buffers: Buffers,
    tape: Tape<'static>,
    /// Places before the window.
    before: usize,
}

/// What [`Indexer::index`] found about a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Where in the text the window begins; the index counts from here.
    pub start: usize,
    pub end: usize,
    /// The window ends inside a string, or holds raw control characters in strings. In the former case structural
    /// characters of the last 64 bytes may be missing.
    pub unclean: bool,
    /// Not UTF-8.
    pub invalid: bool,
}

impl Default for Indexer {
    fn default() -> Indexer {
        Indexer { buffers: Buffers::new(0), tape: Tape::null().reset(), before: 0 }
    }
}

impl Indexer {
    /// Indexes `padded[start..end]`. `start` must be outside strings; `end` may be anywhere, and is moved back to the
    /// beginning of a character. There must be [`PADDING`] bytes after `end`, and the text may not begin with a quote.
    ///
    /// Bytes are changed while this runs and are as before when it returns.
    pub fn index(&mut self, padded: &mut [u8], start: usize, mut end: usize) -> Window {
        assert!(start < end && end + PADDING <= padded.len(), "a window with its padding lies inside the text");
        if end + PADDING < padded.len() {
            while end > start + 1 && padded[end] & 0xc0 == 0x80 {
                end -= 1;
            }
        }
        // the byte that makes the second stage fail stands before the window; the first byte of a text may be
        // overwritten because it is no quote, so the strings behind it stay strings
        let from = start.saturating_sub(1);
        assert!(start > 0 || padded[0] != b'"', "a text does not begin with a quote");
        let first = std::mem::replace(&mut padded[from], b',');
        let mut tape = std::mem::replace(&mut self.tape, Tape::null()).reset();
        let result = simd_json::fill_tape_padded(&mut padded[from..], end - from, &mut self.buffers, &mut tape);
        self.tape = tape.reset();
        self.before = usize::from(from < start);
        padded[from] = first;
        let error = result.expect_err("no JSON begins with a comma");
        let failed = error.character().is_none();
        // the first stage names one error only, and this one last
        let invalid = failed
            && (*error.error() == ErrorType::InvalidUtf8 || simdutf8::basic::from_utf8(&padded[start..end]).is_err());
        Window { start: from, end, unclean: failed && !invalid, invalid }
    }

    /// Places of the last window, rising, counted from [`Window::start`].
    pub fn places(&self) -> &[u32] {
        let places = self.buffers.structural_indexes();
        // the comma was put before the window, except at the beginning of a text
        &places[(places.len().min(self.before))..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str, start: usize, end: usize) -> (Vec<u32>, Window) {
        let mut padded = text.as_bytes().to_vec();
        padded.resize(text.len() + PADDING, 0);
        let before = padded.clone();
        let mut indexer = Indexer::default();
        let window = indexer.index(&mut padded, start, end);
        assert_eq!(padded, before);
        (indexer.places().to_vec(), window)
    }

    #[test]
    fn strings_and_scalars_are_found_by_their_first_byte() {
        let (places, window) = places(r#"{"a":"x,{\"","b":[1, true]}"#, 0, 27);
        assert_eq!(places, [0, 1, 4, 5, 12, 13, 16, 17, 18, 19, 21, 25, 26]);
        assert_eq!(window, Window { start: 0, end: 27, unclean: false, invalid: false });
    }

    #[test]
    fn a_window_begins_after_the_byte_that_is_changed() {
        let (places, window) = places(r#"[{"a":1},{"b":2}]"#, 9, 16);
        assert_eq!(window.start, 8);
        assert_eq!(places, [1, 2, 5, 6, 7]);
    }

    #[test]
    fn an_open_string_and_bad_bytes_are_told_apart() {
        assert!(places(r#"{"a":"xyz"#, 0, 8).1.unclean);
        let mut padded = b"{\"a\":\"\xff\"}".to_vec();
        let end = padded.len();
        padded.resize(end + PADDING, 0);
        let window = Indexer::default().index(&mut padded, 0, end);
        assert!(window.invalid && !window.unclean);
    }

    #[test]
    fn a_window_ends_at_the_beginning_of_a_character() {
        let (_, window) = places("{\"a\":\"éé\"}", 0, 9);
        assert_eq!((window.end, window.invalid), (8, false));
    }
}
