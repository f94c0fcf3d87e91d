//! The first stage of simdjson for processors that have AVX-512 with byte compression (Ice Lake, Zen 4 and later), and for those that
//! have AVX2 alone.

use std::arch::x86_64::*;
use std::ops::Range;
use std::slice;

use super::{Backslashes, Lists};

/// What the processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Avx512,
    Avx2,
}

impl Kind {
    /// The best that this processor has; `None` where it has neither.
    pub fn of_processor() -> Option<Kind> {
        Kind::all().into_iter().find(|kind| kind.is_there())
    }

    pub fn all() -> [Kind; 2] {
        [Kind::Avx512, Kind::Avx2]
    }

    pub fn is_there(self) -> bool {
        is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("bmi1")
            && match self {
                Kind::Avx512 => {
                    is_x86_feature_detected!("avx512f")
                        && is_x86_feature_detected!("avx512bw")
                        && is_x86_feature_detected!("avx512vbmi2")
                }
                Kind::Avx2 => is_x86_feature_detected!("avx2"),
            }
    }
}

pub struct Found {
    /// A string holds a raw control character.
    pub controls: bool,
    /// There are bytes beyond ASCII.
    pub wide: bool,
}

/// Places of structural characters of `text[start..]` in `text`, and the blocks that have backslashes; `start` is outside strings.
///
/// # Panics
/// Where the processor has not what the kind needs.
pub(super) fn index(kind: Kind, text: &[u8], start: usize, lists: Lists<'_>) -> Found {
    assert!(kind.is_there(), "the processor has {kind:?}");
    let Lists { places, heads, backslashes } = lists;
    places.clear();
    heads.clear();
    backslashes.clear();
    // SAFETY: the processor has what the functions need
    let state = match kind {
        Kind::Avx512 => unsafe { by_avx512(&text[start..], start as u32, places, heads, backslashes) },
        Kind::Avx2 => unsafe { by_avx2(&text[start..], start as u32, places, backslashes) },
    };
    if kind == Kind::Avx2 {
        // SAFETY: all places are of the text
        heads.extend(places.iter().map(|&place| unsafe { *text.get_unchecked(place as usize) }));
    }
    Found { controls: state.controls != 0, wide: state.wide != 0 }
}

/// So far before a block is looked at it is asked for.
const AHEAD: usize = 1024;

/// By the low half of a byte: the white space that ends in it; where there is none, a byte that ends otherwise.
const SPACES: [u8; 16] = [b' ', 100, 100, 100, 17, 100, 113, 2, 100, b'\t', b'\n', 112, 100, b'\r', 100, 100];
/// The same for the operators, with bit 5 set.
const OPERATORS: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b':', b'{', b',', b'}', 0, 0];

/// Bits of the 64 bytes of a block, the first byte lowest.
struct Block {
    backslashes: u64,
    quotes: u64,
    white: u64,
    operators: u64,
    controls: u64,
}

/// The blocks of a text, and what is left, filled up with blanks.
#[inline(always)]
fn blocks(text: &[u8]) -> (&[[u8; 64]], Option<[u8; 64]>) {
    let (blocks, rest) = text.as_chunks();
    let last = (!rest.is_empty()).then(|| {
        let mut last = [b' '; 64];
        last[..rest.len()].copy_from_slice(rest);
        last
    });
    (blocks, last)
}

/// Where the strings of a text are, from block to block.
#[derive(Default)]
struct Strings {
    /// 1 when a backslash before the block escapes its first byte.
    escaped: u64,
    /// All ones when the block begins inside a string.
    inside: u64,
}

impl Strings {
    /// The quotes of a block that begin and end strings, and the bytes inside of strings, their opening quotes included.
    #[inline]
    #[target_feature(enable = "pclmulqdq")]
    fn of(&mut self, backslashes: u64, quotes: u64) -> (u64, u64) {
        let escaped = if backslashes | self.escaped != 0 { self.escape(backslashes) } else { 0 };
        let quotes = quotes & !escaped;
        // the parity of quotes up to each byte
        let parity = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, quotes as i64), _mm_set1_epi8(-1));
        let strings = _mm_cvtsi128_si64(parity) as u64 ^ self.inside;
        self.inside = ((strings as i64) >> 63) as u64;
        (quotes, strings)
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
}

/// What is known of a text from block to block; a value that nobody else can see, which stays in registers.
struct State {
    strings: Strings,
    /// 1 when what stands before the block ends a token.
    before: u64,
    controls: u64,
    wide: u64,
}

impl State {
    fn new() -> State {
        State { strings: Strings::default(), before: 1, controls: 0, wide: 0 }
    }

    /// The places in a block that are wanted.
    #[inline]
    #[target_feature(enable = "pclmulqdq")]
    fn wanted(&mut self, block: &Block) -> u64 {
        let (quotes, strings) = self.strings.of(block.backslashes, block.quotes);
        self.controls |= block.controls & strings;

        let structural = (block.operators & !strings) | quotes;
        let ends = structural | block.white;
        let follows = ends << 1 | self.before;
        self.before = ends >> 63;
        let starts = follows & !block.white & !strings;
        // the closing quotes are not wanted
        (structural | starts) & !(quotes & !strings)
    }
}

/// Blocks of which the places are written before the lists are told how long they are: from block to block they would go through memory.
const GROUP: usize = 16;

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,pclmulqdq,popcnt,bmi1")]
fn by_avx512(
    text: &[u8],
    mut at: u32,
    places: &mut Vec<u32>,
    heads: &mut Vec<u8>,
    marked: &mut Vec<Backslashes>,
) -> State {
    let mut state = State::new();
    let (blocks, last) = blocks(text);
    let mut all = _mm512_setzero_si512();
    for group in blocks.chunks(GROUP).chain(last.as_ref().map(slice::from_ref)) {
        let mut backslashes = [0; GROUP];
        places.reserve(group.len() * 64);
        heads.reserve(group.len() * 64);
        let mut count = places.len();
        for (block, backslashes) in group.iter().zip(&mut backslashes) {
            // a text of this size comes from beyond the second-level cache; an address behind it does no harm
            _mm_prefetch::<_MM_HINT_T0>(block.as_ptr().wrapping_add(AHEAD).cast());
            // SAFETY: the block has 64 bytes, the tables have 16
            let (bytes, spaces, operators) = unsafe {
                let table = |table: &[u8; 16]| _mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().cast()));
                (_mm512_loadu_si512(block.as_ptr().cast()), table(&SPACES), table(&OPERATORS))
            };
            let is = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8));
            let folded = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
            *backslashes = is(b'\\');
            all = _mm512_or_si512(all, bytes);
            let wanted = state.wanted(&Block {
                backslashes: *backslashes,
                quotes: is(b'"'),
                white: _mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(spaces, bytes), bytes),
                operators: _mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(operators, bytes), folded),
                controls: _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(b' ' as i8)),
            });
            // SAFETY: there is room for all bytes of the group in both
            count += unsafe {
                _mm512_storeu_si512(heads.as_mut_ptr().add(count).cast(), _mm512_maskz_compress_epi8(wanted, bytes));
                put_by_avx512(places.as_mut_ptr().add(count), wanted, at)
            };
            at += 64;
        }
        // SAFETY: so many were written
        unsafe {
            places.set_len(count);
            heads.set_len(count);
        }
        mark(marked, &backslashes, at - 64 * group.len() as u32);
    }
    state.wide = _mm512_movepi8_mask(all);
    state
}

/// Appends the blocks of a group that begins at `at` that have backslashes.
#[inline]
fn mark(marked: &mut Vec<Backslashes>, backslashes: &[u64; GROUP], at: u32) {
    if backslashes.iter().fold(0, |all, bits| all | bits) != 0 {
        let blocks = (at..).step_by(64).zip(backslashes).filter(|(_, bits)| **bits != 0);
        marked.extend(blocks.map(|(start, &bits)| Backslashes { start, bits }));
    }
}

/// Appends where the bits are that are set, counted from `at` on.
///
/// # Safety
/// Only for processors that have what [`Kind::Avx512`] asks for.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt,bmi1")]
pub fn push_by_avx512(places: &mut Vec<u32>, bits: u64, at: u32) {
    places.reserve(64);
    let old = places.len();
    // SAFETY: there is room for 64 more, and as many as are counted are written
    unsafe {
        let count = put_by_avx512(places.as_mut_ptr().add(old), bits, at);
        places.set_len(old + count);
    }
}

/// Writes where the bits are that are set, counted from `at` on; how many there are.
///
/// # Safety
/// There is room for 64.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt,bmi1")]
unsafe fn put_by_avx512(out: *mut u32, bits: u64, at: u32) -> usize {
    let count = bits.count_ones() as usize;
    let numbers = _mm512_set_epi8(
        63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36,
        35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8,
        7, 6, 5, 4, 3, 2, 1, 0,
    );
    let packed = _mm512_maskz_compress_epi8(bits, numbers);
    let base = _mm512_set1_epi32(at as i32);
    let place = |quarter: __m128i| _mm512_add_epi32(_mm512_cvtepu8_epi32(quarter), base);
    // SAFETY: the caller's promise
    unsafe {
        _mm512_storeu_si512(out.cast(), place(_mm512_castsi512_si128(packed)));
        if count > 16 {
            _mm512_storeu_si512(out.add(16).cast(), place(_mm512_extracti32x4_epi32::<1>(packed)));
            if count > 32 {
                _mm512_storeu_si512(out.add(32).cast(), place(_mm512_extracti32x4_epi32::<2>(packed)));
                _mm512_storeu_si512(out.add(48).cast(), place(_mm512_extracti32x4_epi32::<3>(packed)));
            }
        }
    }
    count
}

/// Behind the last object of `text[start..]` that lies in no other, where brackets are followed and nothing else: a fraction of what
/// finding all places costs. `None` where there is none, where the brackets are not those of a sequence of objects, or where the
/// processor lacks AVX2. `start` is outside strings.
pub fn last_object(text: &[u8], start: usize) -> Option<usize> {
    if !Kind::Avx2.is_there() {
        return None;
    }
    // SAFETY: the processor has what the function needs
    unsafe { last_object_by_avx2(&text[start..]) }.map(|end| start + end)
}

#[target_feature(enable = "avx2,pclmulqdq,popcnt,bmi1")]
fn last_object_by_avx2(text: &[u8]) -> Option<usize> {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn bits(bytes: __m256i) -> [i32; 4] {
        let is =
            |bytes: __m256i, byte: u8| _mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte as i8)));
        let folded = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
        [is(bytes, b'\\'), is(bytes, b'"'), is(folded, b'{'), is(folded, b'}')]
    }

    let (blocks, last) = blocks(text);
    let mut strings = Strings::default();
    let (mut depth, mut end) = (0i64, None);
    for (number, block) in blocks.iter().chain(&last).enumerate() {
        // SAFETY: the block has 64 bytes
        let halves = unsafe {
            let half = |at: usize| _mm256_loadu_si256(block[at..].as_ptr().cast());
            [half(0), half(32)]
        };
        let [low, high] = [bits(halves[0]), bits(halves[1])];
        let both = |at: usize| u64::from(low[at] as u32) | u64::from(high[at] as u32) << 32;
        let (_, inside) = strings.of(both(0), both(1));
        let (mut opening, mut closing) = (both(2) & !inside, both(3) & !inside);
        if depth > i64::from(closing.count_ones()) {
            depth += i64::from(opening.count_ones()) - i64::from(closing.count_ones());
            continue;
        }
        // an object may end here
        while opening | closing != 0 {
            let at = (opening | closing).trailing_zeros() as usize;
            let opens = opening >> at & 1 == 1;
            (opening, closing) = (opening & !(1 << at), closing & !(1 << at));
            if depth == 0 && (!opens || block[at] != b'{') || depth == 1 && !opens && block[at] != b'}' {
                return None;
            }
            depth += if opens { 1 } else { -1 };
            if depth == 0 {
                end = Some(number * 64 + at + 1);
            }
        }
    }
    end
}

#[target_feature(enable = "avx2,pclmulqdq,popcnt,bmi1")]
fn by_avx2(text: &[u8], mut at: u32, places: &mut Vec<u32>, marked: &mut Vec<Backslashes>) -> State {
    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq,popcnt,bmi1")]
    fn look(block: &[u8; 64], state: &mut State) -> (u64, u64) {
        // SAFETY: the block has 64 bytes
        let halves = unsafe {
            let half = |at: usize| _mm256_loadu_si256(block[at..].as_ptr().cast());
            [half(0), half(32)]
        };
        let [low, high] = [bits(halves[0]), bits(halves[1])];
        let both = |at: usize| u64::from(low[at] as u32) | u64::from(high[at] as u32) << 32;
        let wanted = state.wanted(&Block {
            backslashes: both(0),
            quotes: both(1),
            white: both(2),
            operators: both(3),
            controls: both(4),
        });
        state.wide |= both(5);
        (wanted, both(0))
    }

    /// Of half a block, in the order of [`Block`], and the bytes beyond ASCII.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn bits(bytes: __m256i) -> [i32; 6] {
        // SAFETY: the tables have 16 bytes
        let [spaces, operators] = unsafe {
            [&SPACES, &OPERATORS].map(|table| _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast())))
        };
        let is = |byte: u8| _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte as i8));
        let folded = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
        let below_blank = _mm256_set1_epi8(b' ' as i8 - 1);
        [
            _mm256_movemask_epi8(is(b'\\')),
            _mm256_movemask_epi8(is(b'"')),
            _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(spaces, bytes), bytes)),
            _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(operators, bytes), folded)),
            _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(bytes, below_blank), below_blank)),
            _mm256_movemask_epi8(bytes),
        ]
    }

    #[inline]
    #[target_feature(enable = "popcnt,bmi1")]
    fn push(places: &mut Vec<u32>, mut bits: u64, at: u32) {
        let count = bits.count_ones() as usize;
        places.reserve(64);
        let old = places.len();
        let out = places.spare_capacity_mut();
        let mut put = |range: Range<usize>| {
            for out in &mut out[range] {
                out.write(at + bits.trailing_zeros());
                bits &= bits.wrapping_sub(1);
            }
        };
        // eight at a time, whether there are so many or not: a branch for each would cost more
        put(0..8);
        for from in (8..count).step_by(8) {
            put(from..from + 8);
        }
        // SAFETY: as many were written
        unsafe { places.set_len(old + count) };
    }

    let mut state = State::new();
    let (blocks, last) = blocks(text);
    // from one place, so that it is compiled into the loop
    for block in blocks.iter().chain(&last) {
        let (wanted, backslashes) = look(block, &mut state);
        push(places, wanted, at);
        if backslashes != 0 {
            marked.push(Backslashes { start: at, bits: backslashes });
        }
        at += 64;
    }
    state
}
