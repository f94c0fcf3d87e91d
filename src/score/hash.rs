//! 64 bits of a text, the same in every run.

/// Eight bytes at a time are multiplied to 128 bits, whose halves are folded (as wyhash does).
pub(super) fn hash(text: &[u8]) -> u64 {
    let mut state = 0x9E37_79B9_7F4A_7C15 ^ text.len() as u64;
    for chunk in text.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        state = folded(state ^ u64::from_le_bytes(word), 0xA076_1D64_78BD_642F);
    }
    folded(state, 0xE703_7ED1_A0B4_28DB)
}

/// Of an ordered pair.
pub(super) fn joined(first: u64, second: u64) -> u64 {
    folded(first.rotate_left(17) ^ 0x8EBC_6AF0_9C88_C6E3, second ^ 0x5899_65CC_7537_4CC3)
}

fn folded(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_places_and_order_matter() {
        let texts: [&[u8]; 8] = [b"", b"\0", b"\0\0", b"a", b"a\0", b"10.0.0.1", b"10.0.0.10", b"\0\0\0\0\0\0\0\0\0"];
        let mut hashes: Vec<u64> = texts.iter().map(|text| hash(text)).collect();
        hashes.extend([joined(1, 2), joined(2, 1), joined(0, 0)]);
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), texts.len() + 3);
    }
}
