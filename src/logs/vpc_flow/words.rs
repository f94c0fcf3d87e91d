//! A stretch of text → where its lines end and what parts their words.
//!
//! 64 bytes make a mask with one bit a byte: simdjson's way (Langdale and Lemire,
//! 2019), with AVX-512 or SSE2 where there is one, else eight bytes as one number.

#[cfg(target_arch = "x86_64")]
use crate::decode::index::vector;

/// Blanks and line ends of a stretch of text; keeps its memory from one use to the next.
pub struct Words {
    /// Places of blanks, that is of bytes up to the space which are no line end.
    blanks: Vec<u32>,
    /// Of each line: the place of its end, and the number of blanks up to there.
    pub lines: Vec<(u32, u32)>,
    #[cfg(target_arch = "x86_64")]
    kind: Option<vector::Kind>,
}

impl Default for Words {
    fn default() -> Words {
        Words {
            blanks: Vec::new(),
            lines: Vec::new(),
            #[cfg(target_arch = "x86_64")]
            kind: vector::Kind::of_processor(),
        }
    }
}

impl Words {
    /// Looks at `bytes[start..end]`. There must be 63 bytes behind `end`, which are not looked at.
    pub fn scan(&mut self, bytes: &[u8], start: usize, end: usize) {
        self.lines.clear();
        self.blanks.clear();
        if !self.scan_by_vector(bytes, start, end) {
            self.scan_by(bytes, start, end, masks, push);
        }
        // the last line may lack its end
        if end > start && bytes[end - 1] != b'\n' {
            self.lines.push((end as u32, self.blanks.len() as u32));
        }
    }

    /// False where the processor has not what it takes.
    #[cfg(target_arch = "x86_64")]
    fn scan_by_vector(&mut self, bytes: &[u8], start: usize, end: usize) -> bool {
        #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt,bmi1")]
        fn by_avx512(words: &mut Words, bytes: &[u8], start: usize, end: usize) {
            let push = |blanks: &mut Vec<u32>, bits, at| vector::push_by_avx512(blanks, bits, at);
            words.scan_by(bytes, start, end, |block| masks_by_avx512(block), push);
        }

        if self.kind != Some(vector::Kind::Avx512) {
            return false;
        }
        // SAFETY: it is the processor's kind, which has what the function needs
        unsafe { by_avx512(self, bytes, start, end) };
        true
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn scan_by_vector(&mut self, _: &[u8], _: usize, _: usize) -> bool {
        false
    }

    #[inline(always)]
    fn scan_by(
        &mut self,
        bytes: &[u8],
        start: usize,
        end: usize,
        masks: impl Fn(&[u8; 64]) -> (u64, u64),
        push: impl Fn(&mut Vec<u32>, u64, u32),
    ) {
        let mut at = start;
        while at < end {
            let block: &[u8; 64] = bytes[at..at + 64].try_into().expect("64 bytes");
            let inside = if end - at < 64 { (1 << (end - at)) - 1 } else { u64::MAX };
            let (white, newlines) = masks(block);
            let (blanks, mut newlines) = (white & !newlines & inside, newlines & inside);
            while newlines != 0 {
                let bit = newlines.trailing_zeros();
                let before = self.blanks.len() + (blanks & ((1 << bit) - 1)).count_ones() as usize;
                self.lines.push((at as u32 + bit, before as u32));
                newlines &= newlines - 1;
            }
            push(&mut self.blanks, blanks, at as u32);
            at += 64;
        }
    }

    pub fn blanks(&self, from: u32, to: u32) -> &[u32] {
        &self.blanks[from as usize..to as usize]
    }
}

/// Appends where the bits are that are set, counted from `at` on.
#[inline(always)]
fn push(places: &mut Vec<u32>, mut bits: u64, at: u32) {
    let used = places.len();
    let count = bits.count_ones() as usize;
    // in fours, and up to three more than there are
    places.resize(used + count.next_multiple_of(4), 0);
    for four in places[used..].as_chunks_mut::<4>().0 {
        for place in four {
            *place = at + bits.trailing_zeros();
            bits &= bits.wrapping_sub(1);
        }
    }
    places.truncate(used + count);
}

/// As [`masks`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
fn masks_by_avx512(block: &[u8; 64]) -> (u64, u64) {
    use std::arch::x86_64::{_mm512_cmpeq_epi8_mask, _mm512_cmple_epu8_mask, _mm512_loadu_si512, _mm512_set1_epi8};
    // SAFETY: the block has 64 bytes
    let bytes = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
    let is = |byte: u8| _mm512_set1_epi8(byte as i8);
    (_mm512_cmple_epu8_mask(bytes, is(b' ')), _mm512_cmpeq_epi8_mask(bytes, is(b'\n')))
}

/// Which bytes are not above the space, and which are line feeds.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn masks(block: &[u8; 64]) -> (u64, u64) {
    use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_set1_epi8};
    let (mut white, mut newlines) = (0, 0);
    for (index, part) in block.as_chunks::<16>().0.iter().enumerate() {
        // SAFETY: every x86-64 has SSE2, and the load reads the 16 bytes of `part`
        let (low, line) = unsafe {
            let bytes = _mm_loadu_si128(part.as_ptr().cast::<__m128i>());
            let low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(b' ' as i8)), bytes);
            let line = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\n' as i8));
            (_mm_movemask_epi8(low), _mm_movemask_epi8(line))
        };
        white |= u64::from(low as u16) << (16 * index);
        newlines |= u64::from(line as u16) << (16 * index);
    }
    (white, newlines)
}

#[cfg(not(target_arch = "x86_64"))]
use self::portable::masks;

/// Where there is no SSE2.
#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = 0x7f * ONES;

    /// Which bytes are not above the space, and which are line feeds.
    #[inline(always)]
    pub fn masks(block: &[u8; 64]) -> (u64, u64) {
        let (mut white, mut newlines) = (0, 0);
        for (index, word) in block.as_chunks::<8>().0.iter().enumerate() {
            let word = u64::from_le_bytes(*word);
            // the high bit of a byte is set when the byte is above the space
            let above = ((word & LOW) + (0x7f - b' ' as u64) * ONES) | word;
            let other = word ^ (b'\n' as u64 * ONES);
            let other = ((other & LOW) + LOW) | other;
            white |= gather(!above) << (8 * index);
            newlines |= gather(!other) << (8 * index);
        }
        (white, newlines)
    }

    /// The high bits of eight bytes as one byte.
    #[inline(always)]
    fn gather(word: u64) -> u64 {
        ((word >> 7) & ONES).wrapping_mul(0x0102_0408_1020_4080) >> 56
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &[u8], start: usize) {
        let mut padded = text.to_vec();
        padded.resize(text.len() + 64, b' ');
        let (mut blanks, mut lines) = (Vec::new(), Vec::new());
        for (place, &byte) in text.iter().enumerate().skip(start) {
            match byte {
                b'\n' => lines.push((place as u32, blanks.len() as u32)),
                0..=b' ' => blanks.push(place as u32),
                _ => {}
            }
        }
        if text.len() > start && text.last() != Some(&b'\n') {
            lines.push((text.len() as u32, blanks.len() as u32));
        }
        let plain = Words {
            #[cfg(target_arch = "x86_64")]
            kind: None,
            ..Words::default()
        };
        for mut words in [Words::default(), plain] {
            words.scan(&padded, start, text.len());
            assert_eq!(words.blanks(0, blanks.len() as u32), blanks);
            assert_eq!(words.lines, lines);
        }
    }

    #[test]
    fn every_byte_value_is_told_apart() {
        let all: Vec<u8> = (0..=255).collect();
        check(&all, 0);
        check(&all, 7);
        check(b"", 0);
    }

    proptest! {
        #[test]
        fn every_machine_sees_the_same(block in prop::collection::vec(any::<u8>(), 64)) {
            let block = block.try_into().expect("64 bytes");
            prop_assert_eq!(masks(&block), portable::masks(&block));
        }

        #[test]
        fn any_bytes_are_seen_as_one_by_one(text in prop::collection::vec(prop_oneof![any::<u8>(), Just(b' '), Just(b'\n')], 0..300), start in 0..70usize) {
            check(&text, start.min(text.len()));
        }
    }
}
