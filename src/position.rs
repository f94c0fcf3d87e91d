//! How far we have read: an offset within a partition, and the set of offsets a commit makes permanent.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// How far one partition is done. Ordered: `At` by number, then `End`.
///
/// The digits are a byte count for a file, and for a stream the sequence number of the last record that is done; both
/// are decimal and may be longer than any machine integer, so they are compared as decimal text without leading
/// zeros. A record that holds many (the Kinesis Producer Library packs them) can be done in part: `SEQUENCE.SUB`
/// says up to which one, and stands before `SEQUENCE` alone, which says that all of it is done.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Offset {
    At(Box<str>),
    End,
}

impl Offset {
    pub fn at(number: u64) -> Offset {
        Offset::At(number.to_string().into())
    }

    /// The record of a stream with this sequence number is done: all of it, or up to and with the record inside it that
    /// has this number. `None` when the sequence number is not decimal.
    pub fn of_record(sequence: &str, sub_sequence: Option<u64>) -> Option<Offset> {
        if sequence.is_empty() || !sequence.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = match sequence.trim_start_matches('0') {
            "" => "0",
            digits => digits,
        };
        Some(match sub_sequence {
            Some(sub) => Offset::At(format!("{digits}.{sub}").into()),
            None => Offset::At(digits.into()),
        })
    }

    /// The sequence number and the number inside the record, as they were given to [`Offset::of_record`]; `None` at
    /// the end.
    pub fn record(&self) -> Option<(&str, Option<u64>)> {
        match self {
            Offset::At(text) => {
                let (sequence, sub) = parts(text);
                Some((sequence, sub.and_then(|sub| sub.parse().ok())))
            }
            Offset::End => None,
        }
    }
}

fn parts(text: &str) -> (&str, Option<&str>) {
    text.split_once('.').map_or((text, None), |(sequence, sub)| (sequence, Some(sub)))
}

/// Compares decimal numbers without leading zeros.
fn by_number(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

impl Ord for Offset {
    fn cmp(&self, other: &Offset) -> Ordering {
        match (self, other) {
            (Offset::At(a), Offset::At(b)) => {
                let ((a, a_sub), (b, b_sub)) = (parts(a), parts(b));
                by_number(a, b).then_with(|| match (a_sub, b_sub) {
                    (Some(a), Some(b)) => by_number(a, b),
                    // a part of the record comes before the whole of it
                    (None, _) | (_, None) => a_sub.is_none().cmp(&b_sub.is_none()),
                })
            }
            (Offset::At(_), Offset::End) => Ordering::Less,
            (Offset::End, Offset::At(_)) => Ordering::Greater,
            (Offset::End, Offset::End) => Ordering::Equal,
        }
    }
}

impl PartialOrd for Offset {
    fn partial_cmp(&self, other: &Offset) -> Option<Ordering> {
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

    /// The partitions whose names are this or come behind it.
    pub fn from(&self, name: &str) -> impl Iterator<Item = (&Arc<str>, &Offset)> {
        self.0.range::<str, _>((Bound::Included(name), Bound::Unbounded))
    }

    /// Drops what need not be known any more: a partition, or all whose names begin so when `name` ends with `/`.
    pub fn forget(&mut self, name: &str) {
        if !name.ends_with('/') {
            self.0.remove(name);
            return;
        }
        let below = self.from(name).take_while(|(partition, _)| partition.starts_with(name));
        let below: Vec<Arc<str>> = below.map(|(partition, _)| partition.clone()).collect();
        for partition in below {
            self.0.remove(&partition);
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
    fn a_part_of_a_record_comes_before_the_whole_of_it() {
        let long = "49590338271490256608559692538361571095921575989136588898";
        let next = "49590338271490256608559692538361571095921575989136588899";
        let at = |sequence, sub| Offset::of_record(sequence, sub).unwrap();
        let rising = [
            at("0", None),
            at("9", Some(0)),
            at("9", Some(9)),
            at("9", Some(10)),
            at("9", None),
            at("10", Some(0)),
            at(long, Some(u64::MAX)),
            at(long, None),
            at(next, Some(0)),
            Offset::End,
        ];
        for (i, a) in rising.iter().enumerate() {
            for (j, b) in rising.iter().enumerate() {
                assert_eq!(a.cmp(b), i.cmp(&j), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn a_record_is_named_by_decimal_numbers() {
        assert_eq!(Offset::of_record("0049", Some(3)), Some(Offset::At("49.3".into())));
        assert_eq!(Offset::At("49.3".into()).record(), Some(("49", Some(3))));
        assert_eq!(Offset::of_record("00", None), Some(Offset::at(0)));
        assert_eq!(Offset::at(49).record(), Some(("49", None)));
        assert_eq!(Offset::End.record(), None);
        for wrong in ["", "TRIM_HORIZON", "-1", "4.9"] {
            assert_eq!(Offset::of_record(wrong, None), None, "{wrong}");
        }
    }

    #[test]
    fn a_folder_is_forgotten_with_all_that_is_in_it_and_nothing_else() {
        let names = ["s3://b/a/1|x", "s3://b/a/b/2|x", "s3://b/a|x", "s3://b/ab/3|x"];
        let mut done = Checkpoint(names.map(|name| (name.into(), Offset::End)).into());
        done.forget("s3://b/a/");
        assert_eq!(done.0.keys().map(|name| &**name).collect::<Vec<_>>(), ["s3://b/ab/3|x", "s3://b/a|x"]);
        done.forget("s3://b/a|x");
        assert_eq!(done.0.keys().map(|name| &**name).collect::<Vec<_>>(), ["s3://b/ab/3|x"]);
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
