//! How Parquet writes what is in a page: levels and codes in as few bits as they need, and the compressed whole.

use std::cell::RefCell;

use bytes::Bytes;
use parquet::basic::Compression;

/// Levels up to `most`, with their length before them.
pub fn put_levels(levels: &[u8], most: u8, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    hybrid(levels, bits(usize::from(most)), out);
    let length = (out.len() - start - 4) as u32;
    out[start..][..4].copy_from_slice(&length.to_le_bytes());
}

/// How many of the levels are this one.
pub fn count(levels: &[u8], level: u8) -> usize {
    // added up in bytes, which the processor does many at a time
    let count = |levels: &[u8]| levels.iter().map(|&found| u8::from(found == level)).sum::<u8>();
    levels.chunks(usize::from(u8::MAX)).map(|levels| usize::from(count(levels))).sum()
}

/// Bits of the numbers up to `most`.
pub fn bits(most: usize) -> u32 {
    usize::BITS - most.leading_zeros()
}

/// Parquet's hybrid of runs of one value and of values of so many bits.
pub fn hybrid<T: Copy + Into<u32> + PartialEq>(values: &[T], width: u32, out: &mut Vec<u8>) {
    // as many as stand together before one run of them is shorter
    const RUN_MIN: usize = 16;
    let mut packed = 0;
    let mut at = 0;
    while at < values.len() {
        let first = values[at];
        let run = run(&values[at..]);
        if run >= RUN_MIN || at == packed && run == values.len() - at {
            pack(&values[packed..at], width, out);
            varint((run as u64) << 1, out);
            out.extend_from_slice(&first.into().to_le_bytes()[..width.div_ceil(8) as usize]);
            at += run;
            packed = at;
        } else {
            // eight stand together; of a longer run the rest may begin one
            at = values.len().min(at + 8);
        }
    }
    pack(&values[packed..], width, out);
}

/// How many of the values are as the first one, without a break.
fn run<T: Copy + PartialEq>(values: &[T]) -> usize {
    // compared many at a time
    const STEP: usize = 64;
    let first = values[0];
    let same = |values: &[T]| values.iter().fold(true, |same, &value| same & (value == first));
    let whole = values.chunks_exact(STEP).take_while(|values| same(values)).count() * STEP;
    whole + values[whole..].iter().take_while(|&&value| value == first).count()
}

/// Values of so many bits, in groups of eight.
fn pack<T: Copy + Into<u32>>(values: &[T], width: u32, out: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    let groups = values.len().div_ceil(8);
    varint((groups as u64) << 1 | 1, out);
    put_bits(values, width, groups, out);
}

/// Values of so many bits, with zeros behind them up to so many groups of eight.
fn put_bits<T: Copy + Into<u32>>(values: &[T], width: u32, groups: usize, out: &mut Vec<u8>) {
    let end = out.len() + groups * width as usize;
    out.reserve(groups * width as usize + 4);
    let (mut word, mut filled) = (0u64, 0);
    for &value in values {
        word |= u64::from(value.into()) << filled;
        filled += width;
        if filled >= 32 {
            out.extend_from_slice(&(word as u32).to_le_bytes());
            word >>= 32;
            filled -= 32;
        }
    }
    out.extend_from_slice(&(word as u32).to_le_bytes());
    out.resize(end, 0);
}

/// Parquet's DELTA_BINARY_PACKED: the first number, and the steps from each to the next in as few bits as 32 of them need.
pub fn deltas(numbers: &[i32], out: &mut Vec<u8>) {
    const BLOCK: usize = 128;
    const PARTS: usize = 4;
    varint(BLOCK as u64, out);
    varint(PARTS as u64, out);
    varint(numbers.len() as u64, out);
    zigzag(numbers.first().copied().unwrap_or(0), out);
    let mut steps = [0; BLOCK];
    for start in (1..numbers.len()).step_by(BLOCK) {
        let count = BLOCK.min(numbers.len() - start);
        let step = |at: usize| numbers[start + at] - numbers[start + at - 1];
        let least = (0..count).map(step).min().expect("a block has a step");
        steps[..count].iter_mut().enumerate().for_each(|(at, own)| *own = step(at).wrapping_sub(least) as u32);
        let parts = steps[..count].chunks(BLOCK / PARTS);
        let mut widths = [0; PARTS];
        for (width, part) in widths.iter_mut().zip(parts.clone()) {
            *width = bits(part.iter().fold(0, |all, step| all | step) as usize) as u8;
        }
        zigzag(least, out);
        out.extend_from_slice(&widths);
        for (&width, part) in widths.iter().zip(parts) {
            put_bits(part, u32::from(width), BLOCK / PARTS / 8, out);
        }
    }
}

fn zigzag(number: i32, out: &mut Vec<u8>) {
    varint(u64::from((number << 1 ^ number >> 31) as u32), out);
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A page as the file has it.
pub fn compressed(compression: Compression, page: &[u8]) -> anyhow::Result<Bytes> {
    let level = match compression {
        Compression::ZSTD(level) => level.compression_level(),
        Compression::UNCOMPRESSED => return Ok(Bytes::copy_from_slice(page)),
        other => unreachable!("an archive has no {other}"),
    };
    COMPRESSOR.with_borrow_mut(|(made_for, compressor, out)| {
        if compressor.is_none() || *made_for != level {
            *compressor = Some(zstd::bulk::Compressor::new(level)?);
            *made_for = level;
        }
        out.clear();
        out.reserve(zstd::zstd_safe::compress_bound(page.len()));
        compressor.as_mut().expect("it was just made").compress_to_buffer(page, out)?;
        Ok(Bytes::copy_from_slice(out))
    })
}

type Compressor = (i32, Option<zstd::bulk::Compressor<'static>>, Vec<u8>);

thread_local! {
    /// With its level, and what it wrote last: it has large tables.
    static COMPRESSOR: RefCell<Compressor> = const { RefCell::new((0, None, Vec::new())) };
}
