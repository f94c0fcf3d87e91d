//! Rows of an answer → the JSON that `aws athena get-query-results` prints: texts as Athena writes them, and the columns' types.

use std::fmt::Write as _;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, Float64Type, Int64Type, IntervalMonthDayNanoType, IntervalUnit, Schema, TimeUnit,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::Serialize;

use crate::detect::athena::doubles;
use crate::detect::athena::names::type_name;

/// Begins with the row that Athena has in front: the names of the columns.
///
/// # Errors
/// When `out` cannot be written.
pub fn begin(schema: &Schema, out: &mut impl Write) -> anyhow::Result<()> {
    write!(out, "{{\"ResultSet\":{{\"Rows\":[\n{{\"Data\":[")?;
    for (place, field) in schema.fields().iter().enumerate() {
        datum(place, Some(field.name()), out)?;
    }
    Ok(out.write_all(b"]}")?)
}

/// One row a line.
///
/// # Errors
/// When a value has no text, or `out` cannot be written.
pub fn rows(batch: &RecordBatch, out: &mut impl Write) -> anyhow::Result<()> {
    let columns = batch.columns().iter().map(|column| Ok((texts(column)?, column.logical_nulls())));
    let columns = columns.collect::<anyhow::Result<Vec<_>>>()?;
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        out.write_all(b",\n{\"Data\":[")?;
        for (place, (texts, nulls)) in columns.iter().enumerate() {
            text.clear();
            let is_there = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            if is_there {
                texts(row, &mut text)?;
            }
            datum(place, is_there.then_some(&text), out)?;
        }
        out.write_all(b"]}")?;
    }
    Ok(())
}

/// Ends with the columns' types.
///
/// # Errors
/// When `out` cannot be written.
pub fn end(schema: &Schema, out: &mut impl Write) -> anyhow::Result<()> {
    out.write_all(b"\n],\"ResultSetMetadata\":{\"ColumnInfo\":")?;
    json(&schema.fields().iter().map(|field| column_info(field)).collect::<Vec<_>>(), out)?;
    Ok(out.write_all(b"}},\"UpdateCount\":0}\n")?)
}

/// A value of a row, which for null is an object without one.
fn datum(place: usize, text: Option<&String>, out: &mut impl Write) -> anyhow::Result<()> {
    out.write_all(if place == 0 { b"{" } else { b",{" })?;
    if let Some(text) = text {
        out.write_all(b"\"VarCharValue\":")?;
        json(text, out)?;
    }
    Ok(out.write_all(b"}")?)
}

/// An error of `out` stays what it is: that nobody reads on is none of the query.
fn json(value: &impl Serialize, out: &mut impl Write) -> std::io::Result<()> {
    Ok(serde_json::to_writer(out, value)?)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ColumnInfo<'a> {
    catalog_name: &'a str,
    schema_name: &'a str,
    table_name: &'a str,
    name: &'a str,
    label: &'a str,
    r#type: String,
    precision: u32,
    scale: i8,
    nullable: &'a str,
    case_sensitive: bool,
}

fn column_info(field: &Field) -> ColumnInfo<'_> {
    let whole = type_name(field.data_type());
    // what is inside of lists, maps and rows is not told
    let kind = match whole.split('(').next().unwrap_or_default() {
        "real" => "float",
        kind => kind,
    };
    let (precision, scale) = match (kind, field.data_type()) {
        (_, DataType::Decimal128(digits, scale) | DataType::Decimal256(digits, scale)) => (u32::from(*digits), *scale),
        ("tinyint" | "time" | "timestamp" | "timestamp with time zone", _) => (3, 0),
        ("smallint", _) => (5, 0),
        ("integer", _) => (10, 0),
        ("bigint", _) => (19, 0),
        ("float" | "double", _) => (17, 0),
        ("varchar", _) => (i32::MAX as u32, 0),
        ("varbinary", _) => (1 << 30, 0),
        _ => (0, 0),
    };
    ColumnInfo {
        catalog_name: "hive",
        schema_name: "",
        table_name: "",
        name: field.name(),
        label: field.name(),
        r#type: kind.to_owned(),
        precision,
        scale,
        nullable: "UNKNOWN",
        case_sensitive: kind == "varchar",
    }
}

/// Intervals as texts, `1 02:03:04.005` and `1-2`.
///
/// # Errors
/// When a value has no text.
pub fn intervals(column: &ArrayRef) -> anyhow::Result<ArrayRef> {
    let write = texts(column)?;
    let text = |row: usize| {
        let mut text = String::new();
        write(row, &mut text)?;
        anyhow::Ok(text)
    };
    let texts = (0..column.len()).map(|row| column.is_valid(row).then(|| text(row)).transpose());
    Ok(Arc::new(texts.collect::<anyhow::Result<StringArray>>()?))
}

/// Adds the text of one row's value, which is not null.
type Texts = Box<dyn Fn(usize, &mut String) -> anyhow::Result<()> + Send>;

fn texts(column: &ArrayRef) -> anyhow::Result<Texts> {
    Ok(match column.data_type() {
        DataType::Dictionary(..) => {
            let symbols = column.as_any_dictionary();
            // without values all are null, and nobody asks
            let places = if symbols.values().is_empty() { Vec::new() } else { symbols.normalized_keys() };
            let values = texts(symbols.values())?;
            Box::new(move |row, out| values(places[row], out))
        }
        DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            texts(&cast(column, &DataType::List(item.clone()))?)?
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            // 0.1 of a `real` is 0.1, and not the double next to it
            let is_double = column.data_type() == &DataType::Float64;
            let numbers =
                if is_double { column.clone() } else { cast(&cast(column, &DataType::Utf8)?, &DataType::Float64)? };
            Box::new(move |row, out| {
                out.push_str(&doubles::text(numbers.as_primitive::<Float64Type>().value(row)));
                Ok(())
            })
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            let bytes = cast(column, &DataType::Binary)?;
            Box::new(move |row, out| {
                let hex: Vec<_> =
                    bytes.as_binary::<i32>().value(row).iter().map(|byte| format!("{byte:02x}")).collect();
                out.push_str(&hex.join(" "));
                Ok(())
            })
        }
        DataType::Duration(_) => {
            let millis = cast(&cast(column, &DataType::Duration(TimeUnit::Millisecond))?, &DataType::Int64)?;
            Box::new(move |row, out| {
                interval(millis.as_primitive::<Int64Type>().value(row), out);
                Ok(())
            })
        }
        DataType::Interval(_) => {
            let spans = cast(column, &DataType::Interval(IntervalUnit::MonthDayNano))?;
            Box::new(move |row, out| {
                let span = spans.as_primitive::<IntervalMonthDayNanoType>().value(row);
                match span.months {
                    0 => interval(i64::from(span.days) * 86_400_000 + span.nanoseconds / 1_000_000, out),
                    months => {
                        let sign = if months < 0 { "-" } else { "" };
                        write!(out, "{sign}{}-{}", months.unsigned_abs() / 12, months.unsigned_abs() % 12)?;
                    }
                }
                Ok(())
            })
        }
        DataType::List(_) => {
            let list = column.as_list::<i32>().clone();
            let items = texts_or_null(list.values())?;
            Box::new(move |row, out| {
                let (begin, end) = (list.offsets()[row] as usize, list.offsets()[row + 1] as usize);
                around(out, ['[', ']'], begin..end, |item, out| items(item, out))
            })
        }
        DataType::Map(..) => {
            let map = column.as_map().clone();
            let (keys, values) = (texts_or_null(map.keys())?, texts_or_null(map.values())?);
            Box::new(move |row, out| {
                let (begin, end) = (map.offsets()[row] as usize, map.offsets()[row + 1] as usize);
                around(out, ['{', '}'], begin..end, |entry, out| {
                    keys(entry, out)?;
                    out.push('=');
                    values(entry, out)
                })
            })
        }
        DataType::Struct(fields) => {
            let values = column.as_struct().columns().iter().map(texts_or_null).collect::<anyhow::Result<Vec<_>>>()?;
            let fields = fields.clone();
            Box::new(move |row, out| {
                around(out, ['{', '}'], 0..fields.len(), |field, out| {
                    out.push_str(fields[field].name());
                    out.push('=');
                    values[field](row, out)
                })
            })
        }
        _ => {
            let texts = shown(column)?;
            Box::new(move |row, out| {
                out.push_str(texts.value(row));
                Ok(())
            })
        }
    })
}

/// The same, and `null` for what is null inside of another value.
fn texts_or_null(column: &ArrayRef) -> anyhow::Result<Texts> {
    let (texts, nulls) = (texts(column)?, column.logical_nulls());
    Ok(Box::new(move |row, out| {
        if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            out.push_str("null");
            return Ok(());
        }
        texts(row, out)
    }))
}

fn around(
    out: &mut String,
    [before, behind]: [char; 2],
    parts: Range<usize>,
    part: impl Fn(usize, &mut String) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    out.push(before);
    for (place, row) in parts.enumerate() {
        if place > 0 {
            out.push_str(", ");
        }
        part(row, out)?;
    }
    out.push(behind);
    Ok(())
}

/// Numbers, texts, days and times.
fn shown(column: &ArrayRef) -> anyhow::Result<StringArray> {
    let time = "%Y-%m-%d %H:%M:%S%.3f";
    let with_zone = match column.data_type() {
        DataType::Timestamp(_, Some(zone)) if !["UTC", "+00:00"].contains(&zone.as_ref()) => format!("{time} {zone}"),
        _ => format!("{time} UTC"),
    };
    let options = FormatOptions::default()
        .with_timestamp_format(Some(time))
        .with_timestamp_tz_format(Some(&with_zone))
        .with_time_format(Some("%H:%M:%S%.3f"));
    let shown = ArrayFormatter::try_new(column, &options)?;
    let texts = (0..column.len()).map(|row| column.is_valid(row).then(|| shown.value(row).try_to_string()).transpose());
    Ok(texts.collect::<Result<_, _>>()?)
}

/// Days, and the clock.
fn interval(millis: i64, out: &mut String) {
    let size = millis.unsigned_abs();
    let (seconds, rest) = (size / 1000, size % 1000);
    let sign = if millis < 0 { "-" } else { "" };
    let clock = format!("{:02}:{:02}:{:02}.{rest:03}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    out.push_str(&format!("{sign}{} {clock}", seconds / 86_400));
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        BinaryArray, BooleanArray, Date32Array, DictionaryArray, DurationMicrosecondArray, Float32Array, Float64Array,
        Int64Array, Int64Builder, ListArray, MapBuilder, NullArray, StringBuilder, StructArray,
        TimestampMicrosecondArray,
    };
    use arrow::datatypes::Int32Type;
    use serde_json::{Value, json};

    use super::*;

    fn printed(columns: Vec<(&str, ArrayRef)>) -> Value {
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, of)| (name, of, true)));
        let (batch, mut out) = (batch.unwrap(), Vec::new());
        begin(&batch.schema(), &mut out).unwrap();
        rows(&batch, &mut out).unwrap();
        end(&batch.schema(), &mut out).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn an_answer_has_the_shape_that_athena_gives_it() {
        let names: DictionaryArray<Int32Type> = [Some("say \"hi\""), None].into_iter().collect();
        let answer = printed(vec![("who", Arc::new(names)), ("n", Arc::new(Int64Array::from(vec![None, Some(7)])))]);
        let column = |name, kind, precision, is_case_sensitive| {
            json!({"CatalogName": "hive", "SchemaName": "", "TableName": "", "Name": name, "Label": name, "Type": kind,
                   "Precision": precision, "Scale": 0, "Nullable": "UNKNOWN", "CaseSensitive": is_case_sensitive})
        };
        let expected = json!({
            "ResultSet": {
                "Rows": [
                    {"Data": [{"VarCharValue": "who"}, {"VarCharValue": "n"}]},
                    {"Data": [{"VarCharValue": "say \"hi\""}, {}]},
                    {"Data": [{}, {"VarCharValue": "7"}]},
                ],
                "ResultSetMetadata": {"ColumnInfo": [column("who", "varchar", 2_147_483_647, true), column("n", "bigint", 19, false)]},
            },
            "UpdateCount": 0,
        });
        assert_eq!(answer, expected);
    }

    #[test]
    fn a_reader_that_has_enough_is_told_from_other_failures() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                if bytes.contains(&b'x') { Err(std::io::ErrorKind::BrokenPipe.into()) } else { Ok(bytes.len()) }
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let column: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
        let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
        let error = rows(&batch, &mut Closed).unwrap_err();
        let kind = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
        assert_eq!(kind, Some(std::io::ErrorKind::BrokenPipe), "{error:?}");
    }

    #[track_caller]
    fn check(column: impl Array + 'static, kind: &str, expected: &[&str]) {
        let answer = printed(vec![("x", Arc::new(column))]);
        let rows = answer["ResultSet"]["Rows"].as_array().unwrap();
        let texts: Vec<_> =
            rows[1..].iter().map(|row| row["Data"][0]["VarCharValue"].as_str().unwrap_or("-")).collect();
        assert_eq!(texts, expected);
        assert_eq!(answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"][0]["Type"], kind);
    }

    #[test]
    fn values_are_texts_as_athena_writes_them() {
        check(BooleanArray::from(vec![Some(true), None]), "boolean", &["true", "-"]);
        check(
            Float64Array::from(vec![1.0, 0.25, 1e7, 1234567.5, 1.5e-4, -0.0, f64::NAN, f64::NEG_INFINITY]),
            "double",
            &["1.0", "0.25", "1.0E7", "1234567.5", "1.5E-4", "-0.0", "NaN", "-Infinity"],
        );
        check(Float32Array::from(vec![0.1]), "float", &["0.1"]);
        check(Date32Array::from(vec![19936]), "date", &["2024-08-01"]);
        let times = || TimestampMicrosecondArray::from(vec![1_722_511_823_500_000]);
        check(times(), "timestamp", &["2024-08-01 11:30:23.500"]);
        check(times().with_timezone("UTC"), "timestamp with time zone", &["2024-08-01 11:30:23.500 UTC"]);
        check(
            times().with_timezone("America/New_York"),
            "timestamp with time zone",
            &["2024-08-01 07:30:23.500 America/New_York"],
        );
        let day = 86_400_000_000;
        check(
            DurationMicrosecondArray::from(vec![2 * day + 3_723_004_000, -day]),
            "interval day to second",
            &["2 01:02:03.004", "-1 00:00:00.000"],
        );
        check(BinaryArray::from(vec![&b"123"[..]]), "varbinary", &["31 32 33"]);
        check(NullArray::new(1), "unknown", &["-"]);
        check(vec![None::<&str>].into_iter().collect::<DictionaryArray<Int32Type>>(), "varchar", &["-"]);
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1), None]), None]);
        check(list, "array", &["[1, null]", "-"]);
        let mut maps = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
        maps.keys().append_value("a");
        maps.values().append_value(1);
        maps.keys().append_value("b");
        maps.values().append_null();
        maps.append(true).unwrap();
        check(maps.finish(), "map", &["{a=1, b=null}"]);
        let fields = [("type", DataType::Utf8), ("rate", DataType::Float64)];
        let fields = fields.map(|(name, kind)| Arc::new(Field::new(name, kind, true)));
        let columns: [ArrayRef; 2] =
            [Arc::new(StringArray::from(vec![Some("Root"), None])), Arc::new(Float64Array::from(vec![2.0, 0.5]))];
        let rows: Vec<_> = fields.into_iter().zip(columns).collect();
        check(StructArray::from(rows), "row", &["{type=Root, rate=2.0}", "{type=null, rate=0.5}"]);
    }
}
