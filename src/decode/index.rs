//! JSON bytes → the places of their structural characters.
//!
//! simdjson (Langdale and Lemire, 2019) reads JSON in two stages: vector code finds every `{ } [ ] : ,` outside
//! strings and the first byte of every string and scalar, and validates UTF-8; then a tape of values is built
//! from those places. We walk the places ourselves: the tape forgets where values stood, so free-form objects would
//! have to be written out again, and most of it describes values inside such objects that nobody asks for.
//!
//! Processors with AVX2 or AVX-512 run a first stage of our own, made as simdjson's is (`vector.rs`): it looks at UTF-8
//! only where there are bytes beyond ASCII, and knows at the end of a window whether a string is open. All others run
//! simd-json's. It has no call for the first stage alone, but keeps the index when the second stage
//! fails, so we make that fail at once, on a comma in front of the first value. Where both can run they find the
//! same places (`the_places_are_those_of_simd_json`).

#[cfg(target_arch = "x86_64")]
pub mod vector;

use simd_json::{Buffers, ErrorType, Tape};

use super::PADDING;

/// Finds structural characters; keeps its memory from one use to the next. A new one has none: some texts of a stream are so small
/// that what it takes to make one would count.
pub struct Indexer {
    places: Vec<u32>,
    heads: Vec<u8>,
    backslashes: Vec<Backslashes>,
    #[cfg(target_arch = "x86_64")]
    kind: Option<vector::Kind>,
    simd_json: Option<SimdJson>,
}

/// Which of 64 bytes from `start` on are backslashes, the first byte lowest; at least one is. Few blocks of a log have any, and that a
/// string has none is asked of every string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backslashes {
    pub start: u32,
    pub bits: u64,
}

/// What is found of a window, as [`Indexer`] has it.
struct Lists<'a> {
    places: &'a mut Vec<u32>,
    heads: &'a mut Vec<u8>,
    backslashes: &'a mut Vec<Backslashes>,
}

/// What simd-json needs.
struct SimdJson {
    buffers: Buffers,
    tape: Tape<'static>,
}

/// What [`Indexer::index`] found about a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    pub end: usize,
    /// Strings may hold raw control characters.
    pub unclean: bool,
    /// The window may end inside a string, and then structural characters of the last 64 bytes may be missing.
    pub short: bool,
    /// Not UTF-8.
    pub invalid: bool,
}

impl Default for Indexer {
    fn default() -> Indexer {
        Indexer {
            places: Vec::new(),
            heads: Vec::new(),
            backslashes: Vec::new(),
            #[cfg(target_arch = "x86_64")]
            kind: vector::Kind::of_processor(),
            simd_json: None,
        }
    }
}

impl Default for SimdJson {
    fn default() -> SimdJson {
        SimdJson { buffers: Buffers::new(0), tape: Tape::null().reset() }
    }
}

impl Indexer {
    /// Indexes `padded[start..end]`. `start` must be outside strings; `end` may be anywhere, and is moved back to the
    /// beginning of a character. There must be [`PADDING`] bytes after `end`, and the text may not begin with a quote.
    /// One that begins beyond ASCII may be called invalid though it is not.
    ///
    /// Bytes are changed while this runs and are as before when it returns.
    pub fn index(&mut self, padded: &mut [u8], start: usize, mut end: usize) -> Window {
        assert!(start < end && end + PADDING <= padded.len(), "a window with its padding lies inside the text");
        if end + PADDING < padded.len() {
            while end > start + 1 && padded[end] & 0xc0 == 0x80 {
                end -= 1;
            }
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(kind) = self.kind {
            let lists = Lists { places: &mut self.places, heads: &mut self.heads, backslashes: &mut self.backslashes };
            let found = vector::index(kind, &padded[..end], start, lists);
            let invalid = found.wide && simdutf8::basic::from_utf8(&padded[start..end]).is_err();
            return Window { end, unclean: found.controls, short: false, invalid };
        }
        self.by_simd_json(padded, start, end)
    }

    fn by_simd_json(&mut self, padded: &mut [u8], start: usize, end: usize) -> Window {
        // the byte that makes the second stage fail stands before the window; the first byte of a text may be
        // overwritten because it is no quote, so the strings behind it stay strings
        let from = start.saturating_sub(1);
        assert!(start > 0 || padded[0] != b'"', "a text does not begin with a quote");
        let first = std::mem::replace(&mut padded[from], b',');
        let own = self.simd_json.get_or_insert_default();
        let mut tape = std::mem::replace(&mut own.tape, Tape::null()).reset();
        let result = simd_json::fill_tape_padded(&mut padded[from..], end - from, &mut own.buffers, &mut tape);
        own.tape = tape.reset();
        padded[from] = first;
        let error = result.expect_err("no JSON begins with a comma");
        let failed = error.character().is_none();
        // the first stage names one error only, and this one last
        let invalid = failed
            && (*error.error() == ErrorType::InvalidUtf8 || simdutf8::basic::from_utf8(&padded[start..end]).is_err());
        let short = failed && !invalid;
        let found = own.buffers.structural_indexes();
        // the comma was put before the window, except at the beginning of a text
        let skip = usize::from(from < start).min(found.len());
        self.places.clear();
        self.places.extend(found[skip..].iter().map(|place| place + from as u32));
        self.heads.clear();
        self.heads.extend(self.places.iter().map(|&place| padded[place as usize]));
        self.backslashes.clear();
        for at in memchr::memchr_iter(b'\\', &padded[start..end]) {
            let (block, bit) = ((start + at / 64 * 64) as u32, 1 << (at % 64));
            match self.backslashes.last_mut() {
                Some(last) if last.start == block => last.bits |= bit,
                _ => self.backslashes.push(Backslashes { start: block, bits: bit }),
            }
        }
        let unclean = short && has_controls(&padded[start..end]);
        Window { end, unclean, short, invalid }
    }

    /// Places of the last window in the text, rising.
    pub fn places(&self) -> &[u32] {
        &self.places
    }

    /// The byte at each place, side by side: what follows what is seen by one look.
    pub fn heads(&self) -> &[u8] {
        &self.heads
    }

    /// Blocks of the last window that have a backslash, rising.
    pub fn backslashes(&self) -> &[Backslashes] {
        &self.backslashes
    }
}

/// Behind the last object of `text[start..]` that lies in no other; `start` is outside strings. `None` where there is none, where it
/// is not plainly a sequence of objects, and where this processor cannot tell faster than [`Indexer::index`] does.
pub fn last_object(text: &[u8], start: usize) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    return vector::last_object(text, start);
    #[cfg(not(target_arch = "x86_64"))]
    return None;
}

/// Looked for block by block, which compilers make vector code of.
fn has_controls(bytes: &[u8]) -> bool {
    bytes.chunks(64).any(|block| block.iter().fold(false, |found, byte| found | (*byte < b' ')))
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

    /// What simd-json finds, where there is another way to find it too.
    fn by_simd_json(text: &[u8], start: usize) -> (Vec<u32>, Window) {
        let mut padded = text.to_vec();
        padded.resize(text.len() + PADDING, 0);
        let mut indexer = Indexer::default();
        let window = indexer.by_simd_json(&mut padded, start, text.len());
        (indexer.places().to_vec(), window)
    }

    /// One for each way that this processor knows.
    fn indexers() -> Vec<Indexer> {
        #[cfg(target_arch = "x86_64")]
        {
            let kinds = vector::Kind::all().into_iter().filter(|kind| kind.is_there()).map(Some).chain([None]);
            kinds.map(|kind| Indexer { kind, ..Indexer::default() }).collect()
        }
        #[cfg(not(target_arch = "x86_64"))]
        vec![Indexer::default()]
    }

    proptest::proptest! {
        #[test]
        fn the_places_are_those_of_simd_json(text in "[\\[{]([\"\\\\\\[\\]{},: \n\r\ta0é€-]|[ -~]){0,300}", start in 0usize..80) {
            let start = (start..text.len()).find(|at| text.is_char_boundary(*at) && !text[*at..].starts_with('"')).unwrap_or(0);
            let (expected, window) = by_simd_json(text.as_bytes(), start);
            let mut padded = text.as_bytes().to_vec();
            padded.resize(text.len() + PADDING, 0);
            for mut indexer in indexers() {
                let found = indexer.index(&mut padded, start, text.len());
                proptest::prop_assert_eq!(found.invalid, window.invalid);
                if window.short {
                    // the last block is missing there
                    proptest::prop_assert!(indexer.places().starts_with(&expected));
                } else {
                    proptest::prop_assert_eq!(indexer.places(), &expected[..]);
                    let heads: Vec<u8> = expected.iter().map(|&place| text.as_bytes()[place as usize]).collect();
                    proptest::prop_assert_eq!(indexer.heads(), heads);
                    let blocks = indexer.backslashes().iter();
                    let marked = blocks.flat_map(|block| (0..64).filter(|bit| block.bits >> bit & 1 == 1).map(|bit| block.start as usize + bit));
                    let backslashes = memchr::memchr_iter(b'\\', &text.as_bytes()[start..]).map(|at| start + at);
                    proptest::prop_assert_eq!(marked.collect::<Vec<_>>(), backslashes.collect::<Vec<_>>());
                    proptest::prop_assert!(!found.unclean);
                }
            }
        }
    }

    #[test]
    fn strings_and_scalars_are_found_by_their_first_byte() {
        let (places, window) = places(r#"{"a":"x,{\"","b":[1, true]}"#, 0, 27);
        assert_eq!(places, [0, 1, 4, 5, 12, 13, 16, 17, 18, 19, 21, 25, 26]);
        assert_eq!(window, Window { end: 27, ..Window::default() });
    }

    #[test]
    fn places_count_from_the_beginning_of_the_text() {
        let text = r#"[{"a":1},{"b":2}]"#;
        assert_eq!(places(text, 9, 16).0, [9, 10, 13, 14, 15]);
        assert_eq!(by_simd_json(&text.as_bytes()[..16], 9).0, [9, 10, 13, 14, 15]);
    }

    #[test]
    fn an_open_string_a_raw_newline_and_bad_bytes_are_told_apart() {
        let open = r#"{"a":"xyz"#;
        assert!(by_simd_json(open.as_bytes(), 0).1.short && !places(open, 0, 9).1.unclean);
        let newline = "{\"a\":\"x\ny\"}";
        assert!(by_simd_json(newline.as_bytes(), 0).1.unclean && places(newline, 0, 11).1.unclean);
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
