//! JSON log entries (log4j 2's layouts, Spark's structured logging, Python's JSON formatters) → what lines would give.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{Int32Type, TimestampMicrosecondType};
use serde_json::Value;

use super::entry;
use crate::table::Batch;

/// Levels in log4j's words, the class of the first exception, and times that no JSON time column reads.
pub fn settled(batch: Batch) -> Batch {
    let rows = &batch.rows;
    let schema = rows.schema();
    let columns = schema.fields().iter().zip(rows.columns()).map(|(field, column)| match field.name().as_str() {
        "level" => symbols(column, |_, level| level.map(level_name)),
        "exception" => {
            let message = rows.column_by_name("message").expect("a column of the table").as_string_view();
            symbols(column, |row, found| match found {
                Some(found) => Some(class(found)),
                None => entry::exception(message.is_valid(row).then(|| message.value(row))?).map(str::to_owned),
            })
        }
        "timestamp" => times(rows, column),
        _ => column.clone(),
    });
    let columns = columns.collect();
    let rows = RecordBatch::try_new(schema.clone(), columns).expect("the columns keep their kinds");
    Batch { rows, ..batch }
}

fn symbols(column: &ArrayRef, name: impl Fn(usize, Option<&str>) -> Option<String>) -> ArrayRef {
    let column = column.as_dictionary::<Int32Type>();
    let values = column.values().as_string::<i32>();
    let names = (0..column.len()).map(|row| name(row, column.key(row).map(|key| values.value(key))));
    let names: Vec<Option<String>> = names.collect();
    Arc::new(names.iter().map(Option::as_deref).collect::<DictionaryArray<Int32Type>>())
}

fn level_name(text: &str) -> String {
    let upper = text.trim().to_ascii_uppercase();
    entry::level(&upper).filter(|(_, length)| *length == upper.len()).map_or(upper, |(name, _)| name.to_owned())
}

/// The class in an exception that is an object or a whole stack trace.
fn class(text: &str) -> String {
    if let Ok(Value::Object(object)) = serde_json::from_str(text) {
        let named = ["class", "exception_class", "name", "type"].iter().find_map(|key| object.get(*key)?.as_str());
        if let Some(named) = named {
            return named.to_owned();
        }
    }
    // of a stack trace the first line begins with it, whatever it is called
    let name = text.split(['\n', ':']).next().unwrap_or_default().trim();
    let is_class =
        name.contains('.') && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._$".contains(&byte));
    entry::exception(text).unwrap_or(if is_class { name } else { text }).to_owned()
}

/// Fills in log4j 2's `instant` object, and times in the notation of lines, which were left in `unmapped`.
fn times(rows: &RecordBatch, column: &ArrayRef) -> ArrayRef {
    let times = column.as_primitive::<TimestampMicrosecondType>();
    let others = rows.column_by_name("unmapped").expect("a column of the table").as_string_view();
    let found = |row: usize| {
        let object: Value = serde_json::from_str(others.is_valid(row).then(|| others.value(row))?).ok()?;
        let instant = || {
            let instant = object.get("instant")?;
            let seconds = instant.get("epochSecond")?.as_i64()?.checked_mul(1_000_000)?;
            seconds.checked_add(instant.get("nanoOfSecond").and_then(Value::as_i64).unwrap_or(0) / 1_000)
        };
        let text = || {
            let names = ["timestamp", "@timestamp", "time", "ts", "asctime"];
            names.iter().find_map(|name| Some(entry::time(object.get(*name)?.as_str()?)?.0))
        };
        instant().or_else(text)
    };
    // the time in the entry is better than that of its envelope
    let filled: TimestampMicrosecondArray =
        (0..rows.num_rows()).map(|row| found(row).or_else(|| times.is_valid(row).then(|| times.value(row)))).collect();
    Arc::new(filled.with_timezone("UTC"))
}

#[cfg(test)]
mod tests {
    use arrow::compute::cast;
    use arrow::datatypes::DataType;
    use bytes::Bytes;

    use crate::decode::{self, Counts, Input, Options};
    use crate::logs;

    /// Each entry in all columns named, as text.
    fn read(text: &str, names: [&str; 6]) -> Vec<[Option<String>; 6]> {
        let (mut rejects, mut counts) = (Vec::new(), Counts::default());
        let options = Options::default();
        let mut reader =
            decode::open(Input::Bytes(Bytes::copy_from_slice(text.as_bytes())), Default::default(), &options);
        let mut done = Vec::new();
        while let Some(records) = reader.next(&mut rejects, &mut counts).unwrap() {
            for batch in logs::batches(vec![records], &options, &mut rejects, &mut counts) {
                assert_eq!(batch.table.name, "glue_log");
                let columns =
                    names.map(|name| cast(batch.rows.column_by_name(name).unwrap(), &DataType::Utf8).unwrap());
                done.extend((0..batch.rows.num_rows()).map(|row| {
                    columns.each_ref().map(|column| {
                        use arrow::array::{Array, AsArray};
                        let column = column.as_string::<i32>();
                        column.is_valid(row).then(|| column.value(row).to_owned())
                    })
                }));
            }
        }
        assert!(rejects.is_empty(), "{:?}", rejects[0].reason);
        done
    }

    fn check(line: &str, expected: [&str; 6]) {
        let found = read(line, ["timestamp", "level", "logger", "thread", "message", "exception"]);
        let found: Vec<[&str; 6]> =
            found.iter().map(|row| row.each_ref().map(|text| text.as_deref().unwrap_or_default())).collect();
        assert_eq!(found, [expected], "{line}");
    }

    #[test]
    fn every_json_layout_fills_the_same_columns() {
        check(
            r#"{"instant":{"epochSecond":1714564801,"nanoOfSecond":118000000},"thread":"main","level":"INFO","loggerName":"org.apache.spark.SparkContext","message":"Running Spark","endOfBatch":false}"#,
            ["2024-05-01T12:00:01.118Z", "INFO", "org.apache.spark.SparkContext", "main", "Running Spark", ""],
        );
        check(
            r#"{"timeMillis":1714564801118,"thread":"main","level":"WARN","loggerName":"a.B","message":"x"}"#,
            ["2024-05-01T12:00:01.118Z", "WARN", "a.B", "main", "x", ""],
        );
        check(
            r#"{"ts":"2024-05-01T12:00:01.118Z","level":"ERROR","msg":"Lost task","context":{"task_id":"3"},"exception":{"class":"java.io.IOException","msg":"m","stacktrace":[]},"logger":"TaskSetManager"}"#,
            ["2024-05-01T12:00:01.118Z", "ERROR", "TaskSetManager", "", "Lost task", "java.io.IOException"],
        );
        check(
            r#"{"ts":"2024-05-01T12:00:01.118Z","level":"ERROR","logger":"a.B","message":"x","stack_trace":"org.apache.spark.shuffle.FetchFailed: y\n\tat a.B.c(B.java:1)\nCaused by: z"}"#,
            ["2024-05-01T12:00:01.118Z", "ERROR", "a.B", "", "x", "org.apache.spark.shuffle.FetchFailed"],
        );
        check(
            r#"{"asctime":"2024-05-01 12:00:01,118","levelname":"warning","name":"my_job","message":"careful"}"#,
            ["2024-05-01T12:00:01.118Z", "WARN", "my_job", "", "careful", ""],
        );
        check(
            r#"{"timestamp":"2024-05-01T12:00:01Z","level":"CRITICAL","logger":"j","message":"no\nTraceback (most recent call last):\n  File \"a.py\"\nValueError: bad"}"#,
            [
                "2024-05-01T12:00:01Z",
                "FATAL",
                "j",
                "",
                "no\nTraceback (most recent call last):\n  File \"a.py\"\nValueError: bad",
                "ValueError",
            ],
        );
    }
}
