//! Every table there is: those of the logs, and the `reject` table of what could not be read.

use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray};

use crate::logs;
use crate::table::{Batch, Column, Kind, Names, Reject, Table};
use crate::time::Timestamp;

/// Records that could not be read, each with its bytes and the reason.
pub static REJECT: Table = Table {
    name: "reject",
    about: "records that could not be read: where they stood, why, and their bytes",
    time: "arrived",
    id: None,
    same: &[],
    names: Names { actor: "", session: "", source_ip: "", resource: "origin" },
    own: "",
    lookups: &[],
    columns: &[
        Column::new("arrived", "", Kind::Time, "when the record was read"),
        Column::new("origin", "", Kind::Symbol, "file or object it stood in"),
        Column::new("offset", "", Kind::Int, "place of its first byte in the inflated input"),
        Column::new("table", "", Kind::Symbol, "table it was taken for; null when nothing tells"),
        Column::new("reason", "", Kind::Text, "what is wrong with it"),
        Column::new("bytes", "", Kind::Text, "its first 4,096 bytes; what is not UTF-8 is shown as \\xNN"),
        Column::new("length", "", Kind::Int, "bytes it had"),
    ],
};

/// All tables, in the order `weir tables` shows them.
pub fn tables() -> impl Iterator<Item = &'static Table> {
    logs::TABLES.iter().copied().chain([&REJECT])
}

pub fn table(name: &str) -> Option<&'static Table> {
    tables().find(|table| table.name.eq_ignore_ascii_case(name))
}

/// The rejects as rows of the `reject` table; `None` when there are none.
pub fn rejects_batch(rejects: &[Reject], now: Timestamp) -> Option<Batch> {
    if rejects.is_empty() {
        return None;
    }
    let symbols = |value: &dyn Fn(&Reject) -> Option<String>| -> ArrayRef {
        let values: Vec<_> = rejects.iter().map(value).collect();
        Arc::new(values.iter().map(Option::as_deref).collect::<DictionaryArray<arrow::datatypes::Int32Type>>())
    };
    let texts = |value: &dyn Fn(&Reject) -> String| -> ArrayRef {
        Arc::new(rejects.iter().map(|reject| Some(value(reject))).collect::<StringViewArray>())
    };
    let numbers = |value: &dyn Fn(&Reject) -> u64| -> ArrayRef {
        Arc::new(rejects.iter().map(|reject| i64::try_from(value(reject)).ok()).collect::<Int64Array>())
    };
    let or_unknown = |value: &Option<String>| Some(value.clone().unwrap_or_else(|| "unknown".to_owned()));
    let columns = vec![
        symbols(&|reject| or_unknown(&reject.origin.account)),
        symbols(&|reject| or_unknown(&reject.origin.region)),
        Arc::new(TimestampMicrosecondArray::from_value(now.0, rejects.len()).with_timezone("UTC")),
        symbols(&|reject| Some(reject.origin.name.clone())),
        numbers(&|reject| reject.offset),
        symbols(&|reject| (!reject.table.is_empty()).then(|| reject.table.to_owned())),
        texts(&Reject::said),
        texts(&|reject| escaped(&reject.bytes)),
        numbers(&|reject| reject.length),
    ];
    let rows = RecordBatch::try_new(REJECT.schema(), columns).expect("the columns are those of the table");
    Some(Batch { table: &REJECT, rows })
}

/// Bytes as text; what is not UTF-8, and control characters but for white space, as `\xNN`.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\n' | '\r' | '\t' => text.push(character),
                control if control.is_ascii_control() => text.push_str(&format!("\\x{:02x}", control as u32)),
                other => text.push(other),
            }
        }
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;

    use super::*;
    use crate::table::Origin;

    #[test]
    fn a_reject_keeps_its_bytes_readable() {
        let origin = Arc::new(Origin { name: "a.json".into(), ..Origin::default() });
        let reject = Reject::new(&origin, 7, "cloudtrail", "not JSON", b"{\"a\":\xff\x00}");
        let batch = rejects_batch(&[reject], Timestamp(5)).unwrap();
        let text = |name: &str| batch.rows.column_by_name(name).unwrap().as_string_view().value(0).to_owned();
        assert_eq!(text("bytes"), "{\"a\":\\xff\\x00}");
        assert_eq!(text("reason"), "not JSON");
        assert!(rejects_batch(&[], Timestamp(5)).is_none());
    }
}
