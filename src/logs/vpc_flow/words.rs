//! A stretch of text → where its lines end and what parts their words.
//!
//! 64 bytes make a mask with one bit a byte: simdjson's way (Langdale and Lemire,
//! 2019), with SSE2 where there is one, else eight bytes as one number.

/// Blanks and line ends of a stretch of text; keeps its memory from one use to the next.
#[derive(Default)]
pub struct Words {
    /// Places of blanks, that is of bytes up to the space which are no line end; then room to write ahead.
    blanks: Vec<u32>,
    /// Of each line: the place of its end, and the number of blanks up to there.
    pub lines: Vec<(u32, u32)>,
}

/// Blanks are written in fours, and up to four behind the last.
const AHEAD: usize = 64 + 4;

impl Words {
    /// Looks at `bytes[start..end]`. There must be 63 bytes behind `end`, which are not looked at.
    pub fn scan(&mut self, bytes: &[u8], start: usize, end: usize) {
        self.lines.clear();
        self.blanks.resize(self.blanks.len().max(end - start + AHEAD), 0);
        let mut used = 0;
        let mut at = start;
        while at < end {
            let block: &[u8; 64] = bytes[at..at + 64].try_into().expect("64 bytes");
            let inside = if end - at < 64 { (1 << (end - at)) - 1 } else { u64::MAX };
            let (white, newlines) = masks(block);
            let (mut blanks, mut newlines) = (white & !newlines & inside, newlines & inside);
            let count = blanks.count_ones() as usize;
            while newlines != 0 {
                let bit = newlines.trailing_zeros();
                let before = (blanks & ((1 << bit) - 1)).count_ones() as usize;
                self.lines.push((at as u32 + bit, (used + before) as u32));
                newlines &= newlines - 1;
            }
            let room: &mut [u32; AHEAD] = (&mut self.blanks[used..used + AHEAD]).try_into().expect("room for a block");
            let mut done = 0;
            while done < count {
                for slot in &mut room[done..done + 4] {
                    *slot = at as u32 + blanks.trailing_zeros();
                    blanks &= blanks.wrapping_sub(1);
                }
                done += 4;
            }
            used += count;
            at += 64;
        }
        // the last line may lack its end
        if end > start && bytes[end - 1] != b'\n' {
            self.lines.push((end as u32, used as u32));
        }
    }

    pub fn blanks(&self, from: u32, to: u32) -> &[u32] {
        &self.blanks[from as usize..to as usize]
    }
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
        let mut words = Words::default();
        words.scan(&padded, start, text.len());
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
        assert_eq!(words.blanks(0, blanks.len() as u32), blanks);
        assert_eq!(words.lines, lines);
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
