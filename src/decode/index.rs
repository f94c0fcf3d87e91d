//! JSON bytes → the places of their structural characters.
//!
//! simdjson (Langdale and Lemire, 2019) reads JSON in two stages: vector code finds every `{ } [ ] : ,` outside
//! strings and the first byte of every string and scalar, and validates UTF-8; then a tape of values is built
//! from those places. We walk the places ourselves: the tape forgets where values stood, so free-form objects would
//! have to be written out again, and most of it describes values inside such objects that nobody asks for.
//!
//! Processors with AVX-512 run a first stage of our own, made as simdjson's for Ice Lake is: it is two to three times
//! as fast as simd-json's, which has none for them, and knows at the end of a window whether a string is open. All
//! others run simd-json's. It has no call for the first stage alone, but keeps the index when the second stage
//! fails, so we make that fail at once, on a comma in front of the first value. Where both can run they find the
//! same places (`the_places_are_those_of_simd_json`).

use simd_json::{Buffers, ErrorType, Tape};

use super::PADDING;

/// Finds structural characters; keeps its memory from one use to the next.
pub struct Indexer {
    places: Vec<u32>,
    #[cfg(target_arch = "x86_64")]
    avx512: bool,
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
            #[cfg(target_arch = "x86_64")]
            avx512: avx512::is_there(),
            buffers: Buffers::new(0),
            tape: Tape::null().reset(),
        }
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
        if self.avx512 {
            // SAFETY: the processor has what the function needs
            let found = unsafe { avx512::index(&padded[..end], start, &mut self.places) };
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
        let mut tape = std::mem::replace(&mut self.tape, Tape::null()).reset();
        let result = simd_json::fill_tape_padded(&mut padded[from..], end - from, &mut self.buffers, &mut tape);
        self.tape = tape.reset();
        padded[from] = first;
        let error = result.expect_err("no JSON begins with a comma");
        let failed = error.character().is_none();
        // the first stage names one error only, and this one last
        let invalid = failed
            && (*error.error() == ErrorType::InvalidUtf8 || simdutf8::basic::from_utf8(&padded[start..end]).is_err());
        let short = failed && !invalid;
        let found = self.buffers.structural_indexes();
        // the comma was put before the window, except at the beginning of a text
        let skip = usize::from(from < start).min(found.len());
        self.places.clear();
        self.places.extend(found[skip..].iter().map(|place| place + from as u32));
        let unclean = short && has_controls(&padded[start..end]);
        Window { end, unclean, short, invalid }
    }

    /// Places of the last window in the text, rising.
    pub fn places(&self) -> &[u32] {
        &self.places
    }
}

/// Looked for block by block, which compilers make vector code of.
fn has_controls(bytes: &[u8]) -> bool {
    bytes.chunks(64).any(|block| block.iter().fold(false, |found, byte| found | (*byte < b' ')))
}

/// The first stage of simdjson for processors that have AVX-512 with byte compression (Ice Lake, Zen 4 and later).
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    pub struct Found {
        /// A string holds a raw control character.
        pub controls: bool,
        /// There are bytes beyond ASCII.
        pub wide: bool,
    }

    pub fn is_there() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi2")
            && is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("bmi1")
    }

    /// Places of structural characters of `text[start..]` in `text`; `start` is outside strings.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,pclmulqdq,popcnt,bmi1")]
    pub fn index(text: &[u8], start: usize, places: &mut Vec<u32>) -> Found {
        let mut state = State { places, escaped: 0, inside: 0, before: 1, controls: 0, wide: 0 };
        state.places.clear();
        let mut blocks = text[start..].chunks_exact(64);
        let mut at = start as u32;
        for block in blocks.by_ref() {
            // SAFETY: the block has 64 bytes
            state.block(unsafe { _mm512_loadu_si512(block.as_ptr().cast()) }, at);
            at += 64;
        }
        let rest = blocks.remainder();
        if !rest.is_empty() {
            let mut last = [b' '; 64];
            last[..rest.len()].copy_from_slice(rest);
            // SAFETY: as above
            state.block(unsafe { _mm512_loadu_si512(last.as_ptr().cast()) }, at);
        }
        Found { controls: state.controls != 0, wide: state.wide != 0 }
    }

    struct State<'a> {
        places: &'a mut Vec<u32>,
        /// 1 when a backslash before the block escapes its first byte.
        escaped: u64,
        /// All ones when the block begins inside a string.
        inside: u64,
        /// 1 when what stands before the block ends a token.
        before: u64,
        controls: u64,
        wide: u64,
    }

    impl State<'_> {
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,pclmulqdq,popcnt,bmi1")]
        fn block(&mut self, bytes: __m512i, at: u32) {
            let is = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8));
            self.wide |= _mm512_movepi8_mask(bytes);
            let backslashes = is(b'\\');
            let escaped = if backslashes | self.escaped == 0 { 0 } else { self.escape(backslashes) };
            let quotes = is(b'"') & !escaped;
            // inside strings, their opening quotes included: the parity of quotes up to each byte
            let ones = _mm_set1_epi8(-1);
            let parity = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, quotes as i64), ones);
            let strings = _mm_cvtsi128_si64(parity) as u64 ^ self.inside;
            self.inside = ((strings as i64) >> 63) as u64;
            self.controls |= _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(b' ' as i8)) & strings;

            // by the low half of a byte: the white space, and the operator with bit 5 set, that ends in it
            let spaces = _mm512_broadcast_i32x4(_mm_setr_epi8(
                b' ' as i8,
                100,
                100,
                100,
                17,
                100,
                113,
                2,
                100,
                b'\t' as i8,
                b'\n' as i8,
                112,
                100,
                b'\r' as i8,
                100,
                100,
            ));
            let operators = _mm512_broadcast_i32x4(_mm_setr_epi8(
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b':' as i8, b'{' as i8, b',' as i8, b'}' as i8, 0, 0,
            ));
            let white = _mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(spaces, bytes), bytes);
            let folded = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
            let operators = _mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(operators, bytes), folded);

            let structural = (operators & !strings) | quotes;
            let ends = structural | white;
            let follows = ends << 1 | self.before;
            self.before = ends >> 63;
            let starts = follows & !white & !strings;
            // the closing quotes are not wanted
            self.push((structural | starts) & !(quotes & !strings), at);
        }

        /// Which bytes a backslash escapes; simdjson's arithmetic on runs of backslashes.
        #[inline]
        fn escape(&mut self, backslashes: u64) -> u64 {
            const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
            let potential = backslashes & !self.escaped;
            let maybe = potential << 1;
            let codes = (maybe | ODD).wrapping_sub(potential);
            let escaped_or_escaping = codes ^ ODD;
            let escaped = escaped_or_escaping ^ (backslashes | self.escaped);
            self.escaped = (escaped_or_escaping & backslashes) >> 63;
            escaped
        }

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt,bmi1")]
        fn push(&mut self, bits: u64, at: u32) {
            let count = bits.count_ones() as usize;
            self.places.reserve(64);
            let numbers = _mm512_set_epi8(
                63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38,
                37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12,
                11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
            );
            let packed = _mm512_maskz_compress_epi8(bits, numbers);
            let base = _mm512_set1_epi32(at as i32);
            let place = |quarter: __m128i| _mm512_add_epi32(_mm512_cvtepu8_epi32(quarter), base);
            let old = self.places.len();
            // SAFETY: there is room for 64 more, and `count` of them are written
            unsafe {
                let out = self.places.as_mut_ptr().add(old);
                _mm512_storeu_si512(out.cast(), place(_mm512_castsi512_si128(packed)));
                if count > 16 {
                    _mm512_storeu_si512(out.add(16).cast(), place(_mm512_extracti32x4_epi32::<1>(packed)));
                    if count > 32 {
                        _mm512_storeu_si512(out.add(32).cast(), place(_mm512_extracti32x4_epi32::<2>(packed)));
                        _mm512_storeu_si512(out.add(48).cast(), place(_mm512_extracti32x4_epi32::<3>(packed)));
                    }
                }
                self.places.set_len(old + count);
            }
        }
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

    /// What simd-json finds, where there is another way to find it too.
    fn by_simd_json(text: &[u8], start: usize) -> (Vec<u32>, Window) {
        let mut padded = text.to_vec();
        padded.resize(text.len() + PADDING, 0);
        let mut indexer = Indexer::default();
        let window = indexer.by_simd_json(&mut padded, start, text.len());
        (indexer.places().to_vec(), window)
    }

    proptest::proptest! {
        #[test]
        fn the_places_are_those_of_simd_json(text in "[\\[{]([\"\\\\\\[\\]{},: \n\r\ta0é€-]|[ -~]){0,300}", start in 0usize..80) {
            let start = (start..text.len()).find(|at| text.is_char_boundary(*at) && !text[*at..].starts_with('"')).unwrap_or(0);
            let (expected, window) = by_simd_json(text.as_bytes(), start);
            let mut padded = text.as_bytes().to_vec();
            padded.resize(text.len() + PADDING, 0);
            let mut indexer = Indexer::default();
            let found = indexer.index(&mut padded, start, text.len());
            proptest::prop_assert_eq!(found.invalid, window.invalid);
            if window.short {
                // the last block is missing there
                proptest::prop_assert!(indexer.places().starts_with(&expected));
            } else {
                proptest::prop_assert_eq!(indexer.places(), &expected[..]);
                proptest::prop_assert!(!found.unclean);
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
