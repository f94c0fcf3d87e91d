//! What holds for any bytes: each target takes some and panics where it does not.

pub mod cloudtrail_json;
pub mod decode;
pub mod glue_job_run;
pub mod glue_log;
pub mod guardduty_finding;
pub mod inflate;
pub mod vpc_flow;

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use serde_json::Value;

use weir::decode::{Counts, Input, Options, open};
use weir::logs;
use weir::table::{Batch, Origin, Reject};

/// What an object was read to.
pub struct Read {
    pub batches: Vec<Batch>,
    pub rejects: Vec<Reject>,
    pub counts: Counts,
}

/// Reads an object the way the pipeline does, and checks what holds for every input: every record is a row, a reject or
/// set aside, and the columns are those of the table and sound.
pub fn read(input: Input, options: &Options) -> Read {
    let mut read = Read { batches: Vec::new(), rejects: Vec::new(), counts: Counts::default() };
    let mut reader = open(input, Arc::new(Origin::default()), options);
    while let Some(records) = reader.next(&mut read.rejects, &mut read.counts).expect("memory can be read") {
        read.batches.extend(logs::batches(vec![records], options, &mut read.rejects, &mut read.counts));
    }
    let (mut rows, mut rejects) = (0, 0);
    for (table, tally) in &read.counts.0 {
        assert_eq!(tally.records, tally.rows + tally.rejects + tally.set_aside, "{table}");
        let of_table = read.batches.iter().filter(|batch| batch.table.name == *table);
        assert_eq!(tally.rows, of_table.map(|batch| batch.rows.num_rows() as u64).sum::<u64>(), "{table}");
        let of_table = read.rejects.iter().filter(|reject| reject.table == *table);
        assert_eq!(tally.rejects, of_table.map(Reject::records).sum::<u64>(), "{table}");
        (rows, rejects) = (rows + tally.rows, rejects + tally.rejects);
    }
    assert_eq!(rows, read.batches.iter().map(|batch| batch.rows.num_rows() as u64).sum::<u64>());
    assert_eq!(rejects, read.rejects.iter().map(Reject::records).sum::<u64>());
    for batch in &read.batches {
        assert_eq!(batch.rows.schema(), batch.table.schema());
        for column in batch.rows.columns() {
            column.to_data().validate_full().expect("an array of ours is sound");
        }
    }
    read
}

impl Read {
    /// A column of a table, as text.
    pub fn column(&self, table: &str, name: &str) -> Vec<Option<String>> {
        let mut texts = Vec::new();
        for batch in self.batches.iter().filter(|batch| batch.table.name == table) {
            let column = batch.rows.column_by_name(name).expect("a column of the table");
            let column = cast(column, &DataType::Utf8).expect("every column but a nested one has texts");
            let column = column.as_string::<i32>();
            texts.extend((0..column.len()).map(|row| column.is_valid(row).then(|| column.value(row).to_owned())));
        }
        texts
    }
}

/// The pieces of an input, which become values of the records of a document: eight at most, with a newline between.
pub fn pieces(data: &[u8]) -> Vec<&[u8]> {
    data.splitn(8, |byte| *byte == b'\n').collect()
}

/// A JSON document of records with the pieces in them, and for each piece its value, if it is JSON by itself.
///
/// `record` gives what stands before and behind the piece with a number.
pub fn document(
    pieces: &[&[u8]],
    wrapper: &str,
    record: impl Fn(usize) -> (String, String),
) -> (Vec<u8>, Vec<Option<Value>>) {
    let mut text = format!("{{\"{wrapper}\":[").into_bytes();
    for (number, piece) in pieces.iter().enumerate() {
        let (before, behind) = record(number);
        if number > 0 {
            text.push(b',');
        }
        text.extend_from_slice(before.as_bytes());
        text.extend_from_slice(piece);
        text.extend_from_slice(behind.as_bytes());
    }
    text.extend_from_slice(b"]}");
    (text, pieces.iter().map(|piece| serde_json::from_slice(piece).ok()).collect())
}

/// Whether a column of texts says what the value is: a string by its characters, anything else by its JSON.
pub fn says(text: Option<&str>, value: &Value) -> bool {
    match (text, value) {
        (None, Value::Null) => true,
        (Some(text), Value::String(expected)) => text == expected,
        (Some(text), other) => serde_json::from_str::<Value>(text).is_ok_and(|value| value == *other),
        (None, _) => false,
    }
}

/// Whether a column of JSON has the value. A string that holds an object or an array may stand there as that.
pub fn holds(text: Option<&str>, value: &Value) -> bool {
    let Some(text) = text else { return value.is_null() };
    let Ok(found) = serde_json::from_str::<Value>(text) else { return false };
    let inner = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    found == *value || inner.is_some_and(|inner| (inner.is_object() || inner.is_array()) && inner == found)
}
