//! How far we have read: an offset within a partition, and the set of offsets a commit makes permanent.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// How far one partition is done. Ordered: `At` by number, then `End`.
///
/// The digits are a byte count for a file, and for a stream the sequence number of the last record that is done; both
/// are decimal and may be longer than any machine integer, so they are compared as decimal text without leading
/// zeros. A record can be done in part, and such an offset stands before that of the whole: see [`Within`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Offset {
    At(Box<str>),
    End,
}

impl Offset {
    pub fn at(number: u64) -> Offset {
        Offset::At(number.to_string().into())
    }

    /// The record of a stream with this sequence number is done: all of it, or a part. `None` when the sequence number is
    /// not decimal.
    pub fn of_record(sequence: &str, within: Option<Within>) -> Option<Offset> {
        if sequence.is_empty() || !sequence.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = match sequence.trim_start_matches('0') {
            "" => "0",
            digits => digits,
        };
        Some(Offset::At(match within {
            None => digits.into(),
            Some(Within { sub_sequence, bytes: None }) => format!("{digits}.{sub_sequence}").into(),
            Some(Within { sub_sequence, bytes: Some(bytes) }) => format!("{digits}.{sub_sequence}.{bytes}").into(),
        }))
    }

    /// The sequence number and the part, as they were given to [`Offset::of_record`]; `None` at the end.
    pub fn record(&self) -> Option<(&str, Option<Within>)> {
        let Offset::At(text) = self else { return None };
        let mut numbers = text.split('.');
        let sequence = numbers.next()?;
        let mut number = || numbers.next().and_then(|number| number.parse().ok());
        Some((sequence, number().map(|sub_sequence| Within { sub_sequence, bytes: number() })))
    }
}

/// How far a record of a stream is done that holds many (the Kinesis Producer Library packs them), or much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within {
    /// Number, from 0, of the record inside of it that is done, and with it all before; 0 in one that is not packed.
    pub sub_sequence: u64,
    /// Only so many inflated bytes of it are done.
    pub bytes: Option<u64>,
}

/// Compares decimal numbers without leading zeros.
fn by_number(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Compares numbers with dots between them; a part comes before the whole of it.
fn by_parts(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (Some(a), Some(b)) => by_number(a, b),
            (None, None) => return Ordering::Equal,
            (a, b) => return a.is_none().cmp(&b.is_none()),
        };
        if order.is_ne() {
            return order;
        }
    }
}

impl Ord for Offset {
    fn cmp(&self, other: &Offset) -> Ordering {
        match (self, other) {
            (Offset::At(a), Offset::At(b)) => by_parts(a, b),
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

/// A place in the input. The partition of a file names the file and its version: size and time of change, and of a text of lines also what
/// stands before the place up to which it was read.
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

    /// Drops what need not be known any more: a partition; all whose names begin so when `name` ends with `/`; or all versions of the file
    /// that stands before a `|` at the end.
    pub fn forget(&mut self, name: &str) {
        // that of a message, or of an object without an ETag, ends with the `|` itself
        self.0.remove(name);
        let is_meant = match name.as_bytes().last() {
            Some(b'/') => |_: &str| true,
            Some(b'|') => is_version,
            _ => return,
        };
        let below = self.from(name).map(|(partition, _)| partition).take_while(|partition| partition.starts_with(name));
        let below: Vec<Arc<str>> = below.filter(|partition| is_meant(&partition[name.len()..])).cloned().collect();
        for partition in below {
            self.0.remove(&partition);
        }
    }

    /// True when the whole partition has been read.
    pub fn is_done(&self, partition: &str) -> bool {
        self.0.get(partition) == Some(&Offset::End)
    }
}

/// Whether this stands behind the name of a file: size and time of change, and of a text of lines also what was read of it. A name may have
/// the sign between them too.
fn is_version(rest: &str) -> bool {
    let mut parts = rest.split('|');
    let mut is_number =
        || parts.next().is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    is_number() && is_number() && parts.next().is_none_or(|mark| mark.contains(':')) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_versions_of_a_file_are_forgotten_and_those_of_no_other() {
        let gone = ["file:/l/a|12|34", "file:/l/a|13|35|9:-:00ff:1:2"];
        let kept = [
            "file:/l/a|b|12|34",
            "file:/l/a|1|12|34",
            "file:/l/a|1|12|34|9:-:00ff:1:2",
            "file:/l/a|1|2|b:c|12|34",
            "file:/l/ab|12|34",
        ];
        let all = gone.iter().chain(&kept).map(|name| ((*name).into(), Offset::End));
        let mut checkpoint = Checkpoint(all.collect());
        checkpoint.forget("file:/l/a|");
        assert!(checkpoint.0.keys().map(|name| &**name).eq(std::collections::BTreeSet::from(kept)));
    }

    #[test]
    fn a_message_is_forgotten_though_it_has_one_version_only() {
        let names = ["sqs://a|", "sqs://ab|"];
        let mut checkpoint = Checkpoint(names.map(|name| (name.into(), Offset::End)).into());
        checkpoint.forget("sqs://a|");
        assert_eq!(checkpoint.0.keys().map(|name| &**name).collect::<Vec<_>>(), ["sqs://ab|"]);
    }

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
        let at = |sequence, within| Offset::of_record(sequence, within).unwrap();
        let part = |sub_sequence, bytes| Some(Within { sub_sequence, bytes });
        let rising = [
            at("0", None),
            at("9", part(0, Some(9))),
            at("9", part(0, Some(10))),
            at("9", part(0, None)),
            at("9", part(9, None)),
            at("9", part(10, Some(0))),
            at("9", part(10, None)),
            at("9", None),
            at("10", part(0, Some(5))),
            at(long, part(u64::MAX, Some(u64::MAX))),
            at(long, None),
            at(next, part(0, None)),
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
        for (within, text) in [
            (Some(Within { sub_sequence: 3, bytes: None }), "49.3"),
            (Some(Within { sub_sequence: 3, bytes: Some(70) }), "49.3.70"),
            (None, "49"),
        ] {
            let offset = Offset::At(text.into());
            assert_eq!(
                (Offset::of_record("0049", within), offset.record()),
                (Some(offset.clone()), Some(("49", within)))
            );
        }
        assert_eq!(Offset::of_record("00", None), Some(Offset::at(0)));
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
