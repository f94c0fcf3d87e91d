//! How far we have read: an offset within a partition, and the set of offsets a commit makes permanent.

use std::collections::BTreeMap;
use std::sync::Arc;

/// How far one partition is done. Ordered: `At` by number, then `End`.
///
/// The digits are a byte count for a file and a sequence number for a stream; both are decimal and may be
/// longer than any machine integer, so they are compared as decimal text without leading zeros.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Offset {
    At(Box<str>),
    End,
}

impl Offset {
    pub fn at(number: u64) -> Offset {
        Offset::At(number.to_string().into())
    }
}

impl Ord for Offset {
    fn cmp(&self, other: &Offset) -> std::cmp::Ordering {
        match (self, other) {
            (Offset::At(a), Offset::At(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
            (Offset::At(_), Offset::End) => std::cmp::Ordering::Less,
            (Offset::End, Offset::At(_)) => std::cmp::Ordering::Greater,
            (Offset::End, Offset::End) => std::cmp::Ordering::Equal,
        }
    }
}

impl PartialOrd for Offset {
    fn partial_cmp(&self, other: &Offset) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A place in the input. The partition of a file names the file and its version (size and time of change).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    pub partition: Arc<str>,
    pub offset: Offset,
}

/// Everything before these offsets is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Checkpoint(pub BTreeMap<Arc<str>, Offset>);

impl Checkpoint {
    /// Moves a partition forward; an older position changes nothing.
    pub fn advance(&mut self, position: Position) {
        let offset = self.0.entry(position.partition).or_insert_with(|| Offset::at(0));
        if position.offset > *offset {
            *offset = position.offset;
        }
    }

    /// True when the whole partition has been read.
    pub fn is_done(&self, partition: &str) -> bool {
        self.0.get(partition) == Some(&Offset::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_compare_as_numbers() {
        assert!(Offset::At("9".into()) < Offset::At("10".into()));
        assert!(
            Offset::At("49590338271490256608559692538361571095921575989136588898".into())
                > Offset::At("18446744073709551616".into())
        );
        assert!(Offset::At("9".into()) < Offset::End);
    }

    #[test]
    fn a_checkpoint_never_moves_back() {
        let mut done = Checkpoint::default();
        let at = |n| Position { partition: "a".into(), offset: Offset::at(n) };
        done.advance(at(10));
        done.advance(at(9));
        assert_eq!(done.0["a"], Offset::at(10));
        done.advance(Position { partition: "a".into(), offset: Offset::End });
        assert!(done.is_done("a"));
    }
}
