//! JSON log entries (log4j 2's layouts, Spark's structured logging, Python's JSON formatters) → what lines would give.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{Int32Type, TimestampMicrosecondType};
use serde_json::{Map, Value};

use super::{GLUE_LOG, entry};
use crate::logs::json::Clockwork;
use crate::table::Batch;

/// An entry in JSON that stands as a line among others.
pub struct InLine {
    /// Microseconds since the epoch.
    pub time: Option<i64>,
    /// What it says, by column.
    pub texts: Vec<(&'static str, String)>,
}

/// Reads a line that is an entry in JSON: an object with a level and a message, and with a time, a logger or a thread. `None` of any
/// other.
pub fn in_line(line: &str) -> Option<InLine> {
    if !line.starts_with('{') {
        return None;
    }
    let mut object: Map<String, Value> = serde_json::from_str(line.trim_end()).ok()?;
    let key_of = |name: &str| {
        let column = GLUE_LOG.columns.iter().find(|column| column.name == name).expect("a column of the table");
        column.path.split('|').find(|key| object.get(*key).is_some_and(|value| !value.is_null()))
    };
    let keys = ["level", "message", "timestamp", "logger", "thread", "exception"].map(key_of);
    let [level, message, time, logger, thread, exception] = keys;
    let (level, message) = (level?, message?);
    time.or(logger).or(thread)?;
    let text = |key: &str| match &object[key] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let message = text(message);
    let named = exception.map(|key| class(&text(key))).or_else(|| entry::exception(&message).map(str::to_owned));
    // the notation of lines knows no zone behind a blank
    let read =
        |text: String| Clockwork::default().read(text.as_bytes()).or_else(|| entry::time(&text).map(|(time, _)| time));
    let read_time = object.get("instant").and_then(instant).or_else(|| read(text(time?)));
    let mut texts = vec![("level", level_name(&text(level)))];
    texts.extend(logger.map(|key| ("logger", text(key))));
    texts.extend(thread.map(|key| ("thread", text(key))));
    texts.extend(named.map(|class| ("exception", class)));
    texts.push(("message", message));
    let is_left = |key: &str| !keys.contains(&Some(key)) || time == Some(key) && read_time.is_none();
    object.retain(|key, value| !value.is_null() && is_left(key));
    if !object.is_empty() {
        texts.push(("unmapped", Value::Object(object).to_string()));
    }
    Some(InLine { time: read_time, texts })
}

/// Microseconds since the epoch of log4j 2's `instant` object.
fn instant(instant: &Value) -> Option<i64> {
    let seconds = instant.get("epochSecond")?.as_i64()?.checked_mul(1_000_000)?;
    seconds.checked_add(instant.get("nanoOfSecond").and_then(Value::as_i64).unwrap_or(0) / 1_000)
}

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
        let text = || {
            let names = ["timestamp", "@timestamp", "time", "ts", "asctime"];
            names.iter().find_map(|name| Some(entry::time(object.get(*name)?.as_str()?)?.0))
        };
        object.get("instant").and_then(instant).or_else(text)
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
    fn entries_in_json_among_lines_are_rows_like_those_of_json() {
        let names = ["timestamp", "level", "logger", "unmapped", "message", "exception"];
        let json = r#"{"level":"error","location":"main:12","message":"Access Denied","timestamp":"2024-05-01 12:00:05,123+0000","logger":"orders"}"#;
        let failed = r#"{"timeMillis":1714564801118,"thread":"main","level":"WARN","loggerName":"a.B","message":"x","thrown":{"name":"java.io.IOException"}}"#;
        let expected = [
            ["2024-05-01T12:00:01Z", "INFO", "A", "", "begins", ""],
            ["2024-05-01T12:00:05.123Z", "ERROR", "orders", r#"{"location":"main:12"}"#, "Access Denied", ""],
            ["2024-05-01T12:00:06Z", "INFO", "A", "", "goes on\nand on", ""],
            ["2024-05-01T12:00:01.118Z", "WARN", "a.B", "", "x", "java.io.IOException"],
        ];
        let lines = ["24/05/01 12:00:01 INFO A: begins", json, "24/05/01 12:00:06 INFO A: goes on", "and on", failed];
        let of_file = lines.join("\n");
        let of_s3: String = lines.iter().map(|line| format!("2024-05-01T12:00:09.500Z {line}\n")).collect();
        let run = format!("jr_{}", "0a".repeat(32));
        let of_cli: String =
            lines.iter().map(|line| format!("2024-05-01T12:00:09.500000+00:00 {run}-driver {line}\n")).collect();
        for text in [of_file, of_s3, of_cli] {
            let found = read(&text, names);
            let found: Vec<[&str; 6]> =
                found.iter().map(|row| row.each_ref().map(|text| text.as_deref().unwrap_or_default())).collect();
            assert_eq!(found, expected, "{text}");
        }
        // a time that nobody reads is not lost, and one is read with its zone
        let others =
            [("yesterday", "", r#"{"ts":"yesterday"}"#), ("2024-05-01 12:00:05 -0500", "2024-05-01T17:00:05Z", "")];
        for (time, expected, unmapped) in others {
            let line = format!(r#"{{"ts":"{time}","level":"INFO","msg":"x","name":"a"}}"#);
            let found = read(&format!("24/05/01 12:00:01 INFO A: x\n{line}\n"), names);
            let found = [0, 3].map(|column| found[1][column].as_deref().unwrap_or_default());
            assert_eq!(found, [expected, unmapped], "{time}");
        }
        // alone they tell what a text is, and an object that has no more than a level does not
        let exported = |json: &str| format!("2024-05-01T12:00:09.500Z {json}\n2024-05-01T12:00:09.500Z {json}\n");
        assert_eq!(read(&exported(json), names).len(), 2);
        let is_known = |text: &str| super::super::recognize(text.as_bytes(), &Options::default()).is_some();
        assert!(!is_known(&exported(r#"{"level":3,"message":"x"}"#)));
    }

    #[test]
    fn an_entry_in_json_may_have_its_level_behind_a_long_message() {
        let long = "x".repeat(600);
        let line =
            |n: u8| format!(r#"{{ "message":"{n}{long}","timestamp":"2024-05-01T12:00:0{n}Z","level":"ERROR"}}"#);
        let text = format!("24/05/01 12:00:01 INFO A: x\n{}\n{}\nprinted\n{}\n", line(2), line(3), line(4));
        let found = read(&text, ["level", "message", "timestamp", "logger", "thread", "exception"]);
        let found: Vec<&str> = found.iter().map(|row| &row[1].as_deref().unwrap()[..1]).collect();
        assert_eq!(found, ["x", "2", "3", "p", "4"]);
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
