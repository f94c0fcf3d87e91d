//! What a table is: its columns with AWS's names, their kinds, and which of them say when, who, where and on what.

pub mod fetch;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::buffer::Buffer;
use arrow::datatypes::{
    DataType, Field, Fields, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use hashbrown::HashMap;

use crate::time::{MICROS_PER_SECOND, Timestamp};

/// One kind of row we observe. A table is data: its schema, its Parquet layout, `weir tables` and
/// `queries/TABLES.md` all come from this value.
pub struct Table {
    /// SQL name, also the name of its folders under `queries/` and `tests/data/`.
    pub name: &'static str,
    /// One sentence for people.
    pub about: &'static str,
    /// Column that says when: [`Kind::Time`], or [`Kind::Int`] holding epoch seconds (VPC flow `start`).
    pub time: &'static str,
    /// Column that names a record, for findings to say which.
    pub id: Option<&'static str>,
    /// Columns whose equal values together mean the same record delivered twice: an id, and where AWS tells of one id again,
    /// what differs then. Rows without a value of the id, or of the time where that is one of them, are all kept. Empty where
    /// records have no id.
    pub same: &'static [&'static str],
    /// SQL expressions over the columns that fill a finding where a rule does not.
    pub names: Names,
    /// SQL condition of rows that AWS services cause on their own behalf: rules skip them unless their
    /// header says `aws_services = true`. Empty where there are none.
    pub own: &'static str,
    /// Columns that get a bloom filter in the archive, dotted paths allowed.
    pub lookups: &'static [&'static str],
    /// The table's own columns. Every batch also has the columns of [`PARTITIONS`] in front.
    pub columns: &'static [Column],
}

/// Columns in front of every table: the account and Region a row belongs to, which are also the folders of the archive.
pub const PARTITIONS: &[Column] = &[
    Column::new("account", "", Kind::Symbol, "AWS account the row belongs to; `unknown` when nothing names it"),
    Column::new("region", "", Kind::Symbol, "AWS Region the row belongs to; `unknown` when nothing names it"),
];

/// SQL expressions, over a table's columns, for who did it, from where, and on what. Empty when the table has no such thing.
pub struct Names {
    pub actor: &'static str,
    /// Of whoever acts in a role: `ROLEID:session`.
    pub session: &'static str,
    pub source_ip: &'static str,
    pub resource: &'static str,
}

/// A column, or a field of a struct column.
#[derive(Debug)]
pub struct Column {
    /// AWS's own name folded to lower case.
    pub name: &'static str,
    /// The key in AWS's JSON, as AWS spells it (`userIdentity`), relative to the enclosing struct; or the
    /// field name of a text log. Names that differ between sources stand one after the other with `|`
    /// between. Empty when the value is derived.
    pub path: &'static str,
    pub kind: Kind,
    /// One sentence for people.
    pub about: &'static str,
}

impl Column {
    pub const fn new(name: &'static str, path: &'static str, kind: Kind, about: &'static str) -> Column {
        Column { name, path, kind, about }
    }
}

/// What a column holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any text: `Utf8View`.
    Text,
    /// Text that repeats: `Dictionary(Int32, Utf8)`.
    Symbol,
    /// `Int64`
    Int,
    /// `Float64`
    Float,
    /// `Boolean`
    Bool,
    /// `Timestamp(Microsecond, "UTC")`
    Time,
    /// A free-form value kept whole as JSON text: `Utf8View`.
    Json,
    /// Fields nested as AWS nests them.
    Struct(&'static [Column]),
    /// A list of structs.
    List(&'static [Column]),
}

impl Kind {
    pub fn data_type(self) -> DataType {
        match self {
            Kind::Text | Kind::Json => DataType::Utf8View,
            Kind::Symbol => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            Kind::Int => DataType::Int64,
            Kind::Float => DataType::Float64,
            Kind::Bool => DataType::Boolean,
            Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::Struct(columns) => DataType::Struct(fields(columns)),
            Kind::List(columns) => {
                DataType::List(Arc::new(Field::new("item", DataType::Struct(fields(columns)), true)))
            }
        }
    }
}

impl fmt::Display for Kind {
    /// The type as `weir tables` shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Text => "text",
            Kind::Symbol => "symbol",
            Kind::Int => "int",
            Kind::Float => "float",
            Kind::Bool => "bool",
            Kind::Time => "time",
            Kind::Json => "json",
            Kind::Struct(_) => "struct",
            Kind::List(_) => "list",
        })
    }
}

fn fields(columns: &[Column]) -> Fields {
    columns.iter().map(|column| Field::new(column.name, column.kind.data_type(), true)).collect()
}

impl Table {
    /// The schema of this table's batches: [`PARTITIONS`], then the columns. Every field is nullable.
    pub fn schema(&self) -> SchemaRef {
        let own = fields(self.columns);
        let all: Fields = fields(PARTITIONS).iter().chain(own.iter()).cloned().collect();
        Arc::new(Schema::new(all))
    }

    /// What the column of this name holds, which may be in any case.
    pub fn kind(&self, name: &[u8]) -> Option<Kind> {
        let column = self.columns.iter().find(|column| column.name.as_bytes().eq_ignore_ascii_case(name));
        column.map(|column| column.kind)
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Rows of one table, in the schema of [`Table::schema`].
#[derive(Clone, Debug)]
pub struct Batch {
    pub table: &'static Table,
    pub rows: RecordBatch,
}

/// Symbol columns of several batches (dictionaries of `Int32` to `Utf8`) → their texts, each once, and for each batch what its codes are
/// among these.
pub fn merge_texts(arrays: &[ArrayRef]) -> (Vec<Vec<i32>>, StringArray) {
    let (mut known, mut texts) = (HashMap::<&str, i32>::new(), Vec::<&str>::new());
    let mut codes = Vec::with_capacity(arrays.len());
    for array in arrays {
        let values = array.as_dictionary::<Int32Type>().values().as_string::<i32>();
        let mut code = |text| {
            *known.entry(text).or_insert_with(|| {
                texts.push(text);
                texts.len() as i32 - 1
            })
        };
        codes.push((0..values.len()).map(|value| code(values.value(value))).collect());
    }
    (codes, StringArray::from_iter_values(texts))
}

/// The same with the codes of all rows in place of those of their batch's texts. A row without a text has the first one's.
pub fn merge_symbols(arrays: &[ArrayRef]) -> (Vec<i32>, StringArray) {
    let (news, texts) = merge_texts(arrays);
    let mut codes = Vec::with_capacity(arrays.iter().map(|array| array.len()).sum());
    for (array, news) in arrays.iter().zip(news) {
        let keys = array.as_dictionary::<Int32Type>().keys().values().iter();
        codes.extend(keys.map(|&key| news.get(key as usize).copied().unwrap_or(0)));
    }
    (codes, texts)
}

impl Batch {
    /// The newest time of the rows that is not after `most`, to the second.
    pub fn newest(&self, most: Timestamp) -> Option<Timestamp> {
        let column = self.rows.column_by_name(self.table.time)?;
        let newest = |seconds: &mut dyn Iterator<Item = i64>| {
            seconds.map(Timestamp::from_seconds).filter(|time| *time <= most).max()
        };
        if let Some(times) = column.as_primitive_opt::<TimestampMicrosecondType>() {
            newest(&mut times.iter().flatten().map(|micros| micros.div_euclid(MICROS_PER_SECOND)))
        } else {
            newest(&mut column.as_primitive_opt::<Int64Type>()?.iter().flatten())
        }
    }

    /// Bytes in memory. Buffers that columns share count once.
    pub fn bytes_len(&self) -> usize {
        fn add(data: &ArrayData, seen: &mut HashSet<*const u8>) -> usize {
            let nulls = data.nulls().map(|nulls| nulls.buffer());
            let buffers = data.buffers().iter().chain(nulls);
            let own: usize = buffers.filter(|buffer| seen.insert(buffer.as_ptr())).map(Buffer::len).sum();
            data.child_data().iter().fold(own, |sum, child| sum + add(child, seen))
        }
        let mut seen = HashSet::new();
        self.rows.columns().iter().map(|column| add(&column.to_data(), &mut seen)).sum()
    }
}

/// Where bytes came from, as far as their name tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Path, URL or `-`, as shown to people.
    pub name: String,
    /// Account and Region read off an AWS delivery path (`AWSLogs/ACCOUNT/.../REGION/`), used where a record names none.
    pub account: Option<String>,
    pub region: Option<String>,
    /// Of small inputs that are read as one, one after the other, where each ends and its name.
    pub parts: Vec<(u64, String)>,
}

impl Origin {
    /// Of which input the byte at an offset is, and where in it.
    fn of_part(self: &Arc<Origin>, offset: u64) -> (Arc<Origin>, u64) {
        let Some(last) = self.parts.len().checked_sub(1) else { return (self.clone(), offset) };
        let place = self.parts.partition_point(|(end, _)| *end <= offset).min(last);
        let start = place.checked_sub(1).map_or(0, |before| self.parts[before].0);
        let origin = Origin { name: self.parts[place].1.clone(), parts: Vec::new(), ..(**self).clone() };
        (Arc::new(origin), offset - start)
    }

    /// Reads account and Region off an AWS delivery path, wherever it begins in the name:
    /// `AWSLogs/[o-ORG/]ACCOUNT/CloudTrail/REGION/2024/...`, or with Hive's names
    /// `AWSLogs/aws-account-id=ACCOUNT/aws-service=vpcflowlogs/aws-region=REGION/year=2024/...`.
    /// Where there is no such path, a file name as AWS makes it: `ACCOUNT_CloudTrail_REGION_...`.
    pub fn from_name(name: &str) -> Origin {
        let is_account = |part: &&str| part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit());
        let is_region = |part: &&str| {
            let mut words = part.split('-');
            words
                .next()
                .is_some_and(|area| (2..=6).contains(&area.len()) && area.bytes().all(|b| b.is_ascii_lowercase()))
                && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
                && words.count() >= 2
                && part.ends_with(|last: char| last.is_ascii_digit())
        };
        let mut parts: Vec<&str> = name.split(['/', '\\']).collect();
        let file = parts.pop().unwrap_or_default();
        let folders = match parts.iter().rposition(|part| *part == "AWSLogs") {
            Some(at) => &parts[at + 1..],
            None => &[],
        };
        let value = |key: &str| folders.iter().find_map(|part| part.strip_prefix(key));
        let (account, region) = if let Some(account) = value("aws-account-id=") {
            (Some(account), value("aws-region="))
        } else if let Some(at) = folders.iter().position(&is_account) {
            // the service stands between them
            (Some(folders[at]), folders.get(at + 2).copied().filter(is_region))
        } else {
            let words: Vec<&str> = file.split('_').collect();
            match words[..] {
                [account, _, region, ..] if is_account(&account) && is_region(&region) => (Some(account), Some(region)),
                _ => (None, None),
            }
        };
        let owned = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        Origin { name: name.to_owned(), account: owned(account), region: owned(region), parts: Vec::new() }
    }
}

/// A record that could not be read. It becomes a row of the `reject` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub origin: Arc<Origin>,
    /// Byte offset in the inflated input.
    pub offset: u64,
    /// Table the record was taken for, or empty.
    pub table: &'static str,
    /// What is wrong, in words.
    pub reason: String,
    /// The record's bytes, at most [`Reject::BYTES_MAX`] of them.
    pub bytes: Vec<u8>,
    /// How many bytes the record had.
    pub length: u64,
    /// Records that it stands for besides: see [`Reject::add`].
    pub more: u64,
}

impl Reject {
    pub const BYTES_MAX: usize = 4096;
    /// Rejects of what is parsed together that are kept apart.
    pub const APART_MAX: usize = 10_000;
    /// So many tables are recognized, and none.
    const TABLES_MAX: usize = 8;

    pub fn new(
        origin: &Arc<Origin>,
        offset: u64,
        table: &'static str,
        reason: impl Into<String>,
        bytes: &[u8],
    ) -> Reject {
        let (origin, offset) = origin.of_part(offset);
        Reject {
            origin,
            offset,
            table,
            reason: reason.into(),
            bytes: bytes[..bytes.len().min(Reject::BYTES_MAX)].to_vec(),
            length: bytes.len() as u64,
            more: 0,
        }
    }

    /// Adds a reject to those of what is parsed together. Past [`Reject::APART_MAX`], the last of the same input and table counts it: a
    /// text of two bytes a line would take hundreds of times its size else, and the archive as many rows that say the same.
    pub fn add(rejects: &mut Vec<Reject>, origin: &Arc<Origin>, table: &'static str, new: impl FnOnce() -> Reject) {
        if rejects.len() < Reject::APART_MAX {
            return rejects.push(new());
        }
        let new = new();
        // of inputs that were read as one each reject has an origin of its own
        let is_of = |last: &Reject| Arc::ptr_eq(&last.origin, origin) || *last.origin == *new.origin;
        match rejects.iter_mut().rev().take(Reject::TABLES_MAX).find(|last| last.table == table && is_of(last)) {
            Some(last) => last.more += 1,
            None => rejects.push(new),
        }
    }

    /// Records that it stands for.
    pub fn records(&self) -> u64 {
        1 + self.more
    }

    /// What is wrong, and for how many.
    pub fn said(&self) -> String {
        match self.more {
            0 => self.reason.clone(),
            more => format!("{}; {more} more records of this input, read with it, are none either", self.reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn past_many_rejects_of_an_input_the_last_counts_them() {
        let named = |name: &str| Arc::new(Origin { name: name.to_owned(), ..Origin::default() });
        let (one, other) = (named("one"), named("other"));
        let mut rejects = Vec::new();
        let mut add = |origin: &Arc<Origin>, table| {
            Reject::add(&mut rejects, origin, table, || Reject::new(origin, 0, table, "wrong", b"x"));
            rejects.len()
        };
        for _ in 0..Reject::APART_MAX {
            add(&one, "a");
        }
        // another table or input has one of its own
        assert_eq!([add(&one, "a"), add(&one, "b"), add(&one, "a"), add(&one, "b")], [10_000, 10_001, 10_001, 10_001]);
        assert_eq!([add(&other, "a"), add(&other, "a")], [10_002, 10_002]);
        let more: Vec<u64> = rejects[9_999..].iter().map(|reject| reject.more).collect();
        assert_eq!(more, [2, 1, 1]);
        assert_eq!(rejects[9_999].said(), "wrong; 2 more records of this input, read with it, are none either");
    }

    #[test]
    fn account_and_region_come_off_delivery_paths() {
        let check = |name: &str, account: Option<&str>, region: Option<&str>| {
            let origin = Origin::from_name(name);
            assert_eq!((origin.account.as_deref(), origin.region.as_deref()), (account, region), "{name}");
            assert_eq!(origin.name, name);
        };
        let both = (Some("111122223333"), Some("us-gov-west-1"));
        check("s3://b/p/AWSLogs/111122223333/CloudTrail/us-gov-west-1/2024/08/01/x.json.gz", both.0, both.1);
        check("AWSLogs/o-abc123/111122223333/CloudTrail-Insight/us-gov-west-1/2024/08/01/x", both.0, both.1);
        check(
            "AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=us-gov-west-1/year=2024/x",
            both.0,
            both.1,
        );
        check("d/111122223333_CloudTrail_us-gov-west-1_20240801T1130Z_abc.json.gz", both.0, both.1);
        check("111122223333_vpcflowlogs_us-gov-west-1_fl-1_20240801T1130Z_abc.log.gz", both.0, both.1);
        check("AWSLogs/111122223333/Config/ConfigWritabilityCheckFile", both.0, None);
        check("logs/111122223333/CloudTrail/us-east-1/x", None, None);
        check("-", None, None);
    }

    proptest! {
        #[test]
        fn what_a_name_says_stands_in_it(name in "([a-z0-9./\\\\=_-]|AWSLogs/|aws-account-id=|aws-region=|[0-9]{12}|us-east-1|é){0,12}") {
            let origin = Origin::from_name(&name);
            prop_assert_eq!(&origin.name, &name);
            for said in [&origin.account, &origin.region].into_iter().flatten() {
                prop_assert!(!said.is_empty() && name.contains(said.as_str()), "{}", said);
            }
            // nothing but a delivery path or a file's own name says where it came from
            let hive = name.contains("aws-account-id=");
            prop_assert!(hive || origin.account.is_none_or(|account| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())));
        }

        #[test]
        fn a_delivery_path_is_read_wherever_it_stands(
            before in "([a-z0-9-]{1,9}/){0,3}",
            organization in prop::option::of("o-[a-z0-9]{10}"),
            account in "[0-9]{12}",
            region in "(us|eu|ap|cn)-(gov-)?(east|west)-[1-9]",
        ) {
            let organization = organization.map_or_else(String::new, |id| format!("{id}/"));
            let name = format!("{before}AWSLogs/{organization}{account}/vpcflowlogs/{region}/2024/08/01/x.log.gz");
            let origin = Origin::from_name(&name);
            prop_assert_eq!((origin.account, origin.region), (Some(account), Some(region)));
        }
    }
}
