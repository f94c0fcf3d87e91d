//! A text column of one batch → which of its rows have the same value.

use std::hash::BuildHasher;
use std::hint::black_box;
use std::ops::Range;
use std::sync::LazyLock;

use arrow::array::{Array, StringViewArray};
use hashbrown::{DefaultHashBuilder, HashTable};

/// One for all that know values, so that a value's hash is made once for all who look it up.
static HASHER: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);

pub fn hash(value: &str) -> u64 {
    HASHER.hash_one(value)
}

/// Rows whose texts are fetched before they are looked at.
pub const FETCHED: usize = 64;

/// Has texts come into the processor's cache: they lie far apart in memory, and in a loop that does nothing else many are fetched at a time.
pub fn fetch(column: &StringViewArray, rows: Range<usize>) {
    let firsts = rows.map(|row| column.value(row).as_bytes().first().map_or(0, |byte| *byte));
    black_box(firsts.fold(0, |all, byte| all ^ byte));
}

/// Which rows of a text column have the same value.
pub struct Alike {
    /// Of each row; where it has no value, one more than the last.
    pub codes: Vec<u32>,
    /// The first row of each code.
    pub firsts: Vec<u32>,
    /// Of each code's value, see [`hash`].
    pub hashes: Vec<u64>,
}

impl Alike {
    /// So few values are few in a batch of any size.
    const FEW: usize = 32;
    /// More than one value in so many rows, and the column does not repeat.
    const PART: usize = 4;

    /// Whether so many rows have so many values that their column does not repeat.
    pub fn differ(values: usize, rows: usize) -> bool {
        values > Alike::FEW + rows / Alike::PART
    }

    /// `None` when the column does not repeat.
    pub fn of(column: &StringViewArray) -> Option<Alike> {
        const NULL: u32 = u32::MAX;
        let (mut known, mut firsts, mut hashes) = (HashTable::<u32>::new(), Vec::new(), Vec::new());
        let mut codes = Vec::with_capacity(column.len());
        for start in (0..column.len()).step_by(FETCHED) {
            let rows = start..column.len().min(start + FETCHED);
            fetch(column, rows.clone());
            for row in rows {
                if column.is_null(row) {
                    codes.push(NULL);
                    continue;
                }
                let value = column.value(row);
                let hash = hash(value);
                let code = known.find(hash, |code| column.value(firsts[*code as usize] as usize) == value).copied();
                codes.push(code.unwrap_or_else(|| {
                    let code = firsts.len() as u32;
                    firsts.push(row as u32);
                    hashes.push(hash);
                    known.insert_unique(hash, code, |code| hashes[*code as usize]);
                    code
                }));
            }
            if Alike::differ(firsts.len(), column.len()) {
                return None;
            }
        }
        if column.null_count() > 0 {
            codes.iter_mut().filter(|code| **code == NULL).for_each(|code| *code = firsts.len() as u32);
        }
        Some(Alike { codes, firsts, hashes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_value_have_one_code() {
        let column: StringViewArray = [Some("a"), Some("b"), None, Some("a"), None, Some("")].into_iter().collect();
        let alike = Alike::of(&column).unwrap();
        assert_eq!((alike.codes, alike.firsts), (vec![0, 1, 3, 0, 3, 2], vec![0, 1, 5]));
        assert_eq!(alike.hashes, ["a", "b", ""].map(hash));
        let differ: StringViewArray = (0..100).map(|n| Some(n.to_string())).collect();
        assert!(Alike::of(&differ).is_none());
    }
}
