//! Flow logs that AWS delivers as Parquet → batches. Column names have underscores or hyphens; `-` is null, and what does not fit
//! its column is kept as text beside it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, Scalar, StringArray, StringViewArray, new_null_array};
use arrow::compute::{can_cast_types, cast, is_not_null, kernels::cmp, nullif};
use arrow::datatypes::{DataType, Field, Int32Type, TimeUnit};
use arrow::error::ArrowError;
use arrow::json::EncoderOptions;
use arrow::json::writer::make_encoder;
use serde_json::Value;

use super::{OTHER_NAMES, VPC_FLOW, format};
use crate::decode::Counts;
use crate::table::{Batch, Origin, PARTITIONS, Reject};

/// Some rows of a file; when they are none of a flow log they are one reject. `offset` is the first row's number.
pub fn batch(
    rows: &RecordBatch,
    origin: &Arc<Origin>,
    offset: u64,
    rejects: &mut Vec<Reject>,
    counts: &mut Counts,
) -> Option<Batch> {
    if !has_flows(rows) {
        let tally = counts.of("");
        tally.records += 1;
        tally.rejects += 1;
        rejects.push(Reject::new(origin, offset, "", of_others(&names(rows)), b"PAR1"));
        return None;
    }
    let tally = counts.of(VPC_FLOW.name);
    match fitted(rows, origin) {
        Ok(rows) => {
            tally.records += rows.num_rows() as u64;
            tally.rows += rows.num_rows() as u64;
            Some(Batch { table: &VPC_FLOW, rows })
        }
        Err(error) => {
            tally.records += 1;
            tally.rejects += 1;
            let reason = format!("not a Parquet file of flow logs: {error}");
            rejects.push(Reject::new(origin, offset, VPC_FLOW.name, reason, b"PAR1"));
            None
        }
    }
}

/// What to say of a file with these columns.
fn of_others(names: &[String]) -> &'static str {
    match ["class_uid", "category_uid"].iter().all(|name| names.iter().any(|have| have == name)) {
        true => {
            "Parquet of events in OCSF, as Security Lake has them, which no table has: read the logs that they were made of"
        }
        false => "Parquet in whose columns no table finds its records",
    }
}

/// Names of the file's columns as the table would have them: `srcAddr` and `sourceaddress` are `srcaddr`, where no other is.
fn names(rows: &RecordBatch) -> Vec<String> {
    let schema = rows.schema();
    let mut names: Vec<String> =
        schema.fields().iter().map(|field| field.name().to_ascii_lowercase().replace('-', "_")).collect();
    for place in 0..names.len() {
        if let Some(own) = column_of(&names[place])
            && !names.iter().any(|name| name == own)
        {
            own.clone_into(&mut names[place]);
        }
    }
    names
}

/// The column that a name in lower case is of, however its words are parted, or as others call it.
fn column_of(name: &str) -> Option<&'static str> {
    let letters = |name: &str| name.replace('_', "");
    let is_other = |others: &[&str]| others.iter().any(|other| letters(other) == letters(name));
    let own = VPC_FLOW.columns.iter().map(|column| column.name).find(|own| letters(own) == letters(name));
    own.or_else(|| OTHER_NAMES.iter().find(|(_, others)| is_other(others)).map(|(own, _)| *own))
}

/// Whether the columns are those of a flow log: some that nothing else has, or most of them. Much has a `type`, a
/// `version` and an `action`.
pub fn has_flows(rows: &RecordBatch) -> bool {
    let names = names(rows);
    let has = |name: &str| names.iter().any(|have| have == name);
    let known = names.iter().filter(|name| format::is_field(&name.replace('_', "-"))).count();
    has("interface_id") || has("srcaddr") && has("dstaddr") || known * 2 > names.len()
}

/// The rows in the table's schema.
fn fitted(rows: &RecordBatch, origin: &Origin) -> Result<RecordBatch, ArrowError> {
    let names = names(rows);
    let fit = |name: &str, kind: &DataType| match names.iter().position(|have| have == name) {
        Some(place) => fit(rows.column(place), kind),
        None => Ok((new_null_array(kind, rows.num_rows()), None)),
    };
    let schema = VPC_FLOW.schema();
    let mut columns = Vec::new();
    for (field, from, around) in [("account", "account_id", &origin.account), ("region", "region", &origin.region)] {
        let kind = schema.field_with_name(field)?.data_type();
        columns.push(cast(&named(&fit(from, kind)?.0, around.as_deref()), kind)?);
    }
    let mut others = unknown(rows, &names)?;
    for field in schema.fields().iter().skip(PARTITIONS.len()).filter(|field| field.name() != "unmapped") {
        let (column, rest) = fit(field.name(), field.data_type())?;
        columns.push(column);
        others.extend(rest.map(|rest| (field.name().clone(), rest)));
    }
    let place = schema.index_of("unmapped")?;
    columns.insert(place, unmapped(rows.num_rows(), &others)?);
    RecordBatch::try_new(schema, columns)
}

/// A column as the table has it, and the values of it that it cannot have so: texts that are no numbers, numbers that are too large.
fn fit(column: &ArrayRef, kind: &DataType) -> Result<(ArrayRef, Option<ArrayRef>), ArrowError> {
    let plain = in_seconds(dash_is_null(column)?)?;
    if plain.data_type().is_nested() || !can_cast_types(plain.data_type(), kind) {
        return Ok((new_null_array(kind, plain.len()), Some(plain)));
    }
    let fitted = cast(&plain, kind)?;
    let is_whole = fitted.logical_null_count() == plain.logical_null_count();
    let rest = (!is_whole).then(|| nullif(&plain, &is_not_null(&fitted)?)).transpose()?;
    Ok((fitted, rest))
}

/// A text column of the table, or one of its dictionaries, with null for `-`.
pub fn without_dashes(column: &ArrayRef) -> ArrayRef {
    let dash = match column.data_type() {
        DataType::Utf8View => cmp::eq(column, &Scalar::new(StringViewArray::from(vec!["-"]))),
        DataType::Dictionary(..) => cmp::eq(column, &Scalar::new(StringArray::from(vec!["-"]))),
        _ => return column.clone(),
    };
    let dash = dash.expect("texts compare with texts");
    if dash.true_count() == 0 { column.clone() } else { nullif(column, &dash).expect("as long as the column") }
}

fn dash_is_null(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let plain = match column.data_type() {
        DataType::Dictionary(_, value) => cast(column, value)?,
        _ => column.clone(),
    };
    match plain.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Binary => {
            let texts = cast(&plain, &DataType::Utf8)?;
            let dash = cmp::eq(&texts, &Scalar::new(StringArray::from(vec!["-"])))?;
            nullif(&texts, &dash)
        }
        _ => Ok(plain),
    }
}

/// AWS writes times as numbers of seconds; what Athena or Glue made of such a file may have them as times of any unit.
fn in_seconds(column: ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::Timestamp(_, zone) => cast(&column, &DataType::Timestamp(TimeUnit::Second, zone.clone())),
        _ => Ok(column),
    }
}

/// Names of accounts or Regions, with what the path says where the rows do not.
fn named(column: &ArrayRef, around: Option<&str>) -> ArrayRef {
    let column = column.as_dictionary::<Int32Type>();
    let values = column.values().as_string::<i32>();
    let name = |row: usize| {
        let own = column.key(row).map(|key| values.value(key)).filter(|name| !name.is_empty() && *name != "unknown");
        own.or(around).unwrap_or("unknown")
    };
    Arc::new((0..column.len()).map(|row| Some(name(row))).collect::<StringArray>())
}

/// Columns that the table does not have.
fn unknown(rows: &RecordBatch, names: &[String]) -> Result<Vec<(String, ArrayRef)>, ArrowError> {
    let known = |name: &String| name == "region" || VPC_FLOW.columns.iter().any(|column| column.name == name);
    let others = names.iter().enumerate().filter(|(_, name)| !known(name));
    others.map(|(place, name)| Ok((name.clone(), dash_is_null(rows.column(place))?))).collect()
}

/// Columns as one JSON object for each row: what is nested as it is, all else as texts.
fn unmapped(rows: usize, columns: &[(String, ArrayRef)]) -> Result<ArrayRef, ArrowError> {
    let mut objects = vec![serde_json::Map::new(); rows];
    for (name, column) in columns {
        let values = if column.data_type().is_nested() { nested(column)? } else { texts(column)? };
        for (object, value) in objects.iter_mut().zip(values) {
            object.extend(value.map(|value| (name.clone(), value)));
        }
    }
    let text = |object: serde_json::Map<_, _>| (!object.is_empty()).then(|| Value::Object(object).to_string());
    Ok(Arc::new(objects.into_iter().map(text).collect::<StringViewArray>()))
}

fn texts(column: &ArrayRef) -> Result<Vec<Option<Value>>, ArrowError> {
    let texts = cast(column, &DataType::Utf8)?;
    Ok(texts.as_string::<i32>().iter().map(|text| text.map(Value::from)).collect())
}

fn nested(column: &ArrayRef) -> Result<Vec<Option<Value>>, ArrowError> {
    let field = Arc::new(Field::new("", column.data_type().clone(), true));
    let options = EncoderOptions::default();
    let mut encoder = make_encoder(&field, column, &options)?;
    let mut value = |row: usize| {
        let mut json = Vec::new();
        encoder.encode(row, &mut json);
        serde_json::from_slice(&json).map_err(|error| ArrowError::JsonError(error.to_string()))
    };
    (0..column.len()).map(|row| column.is_valid(row).then(|| value(row)).transpose()).collect()
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        Int32Array, Int64Array, ListArray, NullArray, StructArray, TimestampMillisecondArray, UInt64Array,
    };
    use arrow::datatypes::Int64Type;
    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;

    use super::*;
    use crate::decode::{self, Input, Options};
    use crate::logs;

    fn file(columns: Vec<(&str, ArrayRef)>) -> Bytes {
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), None).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        bytes.into()
    }

    /// Reads a file, and how many pieces it came in.
    fn read(file: Bytes, origin: Origin) -> (Vec<Batch>, Vec<Reject>, Counts, usize) {
        let (mut done, mut rejects, mut counts, mut pieces) = (Vec::new(), Vec::new(), Counts::default(), 0);
        let options = Options::default();
        let mut reader = decode::open(Input::Bytes(file), Arc::new(origin), &options);
        let mut end = 0;
        while let Some(records) = reader.next(&mut rejects, &mut counts).unwrap() {
            assert!(records.end() > end, "a piece ends behind the one before it");
            (end, pieces) = (records.end(), pieces + 1);
            done.extend(logs::batches(vec![records], &options, &mut rejects, &mut counts));
        }
        (done, rejects, counts, pieces)
    }

    #[test]
    fn a_large_file_comes_in_pieces() {
        let file = file(vec![("srcport", Arc::new(Int32Array::from_iter_values(0..50_000)))]);
        let (batches, rejects, counts, pieces) = read(file, Origin::default());
        assert_eq!((rejects.len(), counts.of_table("vpc_flow")), (0, (50_000, 50_000, 0)));
        assert_eq!(pieces, 7);
        let last = batches.last().unwrap().rows.column_by_name("srcport").unwrap().clone();
        assert_eq!(last.as_primitive::<Int64Type>().values().last(), Some(&49_999));
    }

    #[test]
    fn hyphens_dashes_and_narrow_numbers_fit_the_table() {
        let texts = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
        let file = file(vec![
            ("account-id", texts(vec!["111122223333", "-"])),
            ("srcaddr", texts(vec!["10.0.0.1", "-"])),
            ("dstport", Arc::new(Int32Array::from(vec![Some(22), None]))),
            ("brand_new", texts(vec!["x", "-"])),
        ]);
        let origin = Origin { region: Some("eu-west-1".into()), ..Origin::default() };
        let (batches, rejects, counts, _) = read(file, origin);
        let rows = &batches[0].rows;
        assert_eq!((rejects.len(), counts.of_table("vpc_flow")), (0, (2, 2, 0)));
        let text = |name: &str| cast(rows.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
        assert_eq!(text("account").as_string::<i32>(), &StringArray::from(vec!["111122223333", "unknown"]));
        assert_eq!(text("region").as_string::<i32>(), &StringArray::from(vec!["eu-west-1", "eu-west-1"]));
        assert_eq!(text("srcaddr").as_string::<i32>(), &StringArray::from(vec![Some("10.0.0.1"), None]));
        assert_eq!(text("unmapped").as_string::<i32>(), &StringArray::from(vec![Some(r#"{"brand_new":"x"}"#), None]));
        assert_eq!(rows.column_by_name("dstport").unwrap().as_primitive::<Int64Type>().value(0), 22);
    }

    #[test]
    fn columns_of_other_names_are_those_of_the_table() {
        let texts = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
        let columns =
            ["account", "interfaceid", "sourceaddress", "dstAddr", "numbytes", "bytes", "starttime", "logStatus"];
        let values = ["111122223333", "eni-1", "10.0.0.1", "10.0.0.2", "4", "5", "1674898496", "OK"];
        let file = file(columns.into_iter().zip(values.map(texts)).collect());
        let (batches, rejects, ..) = read(file, Origin::default());
        assert_eq!(rejects.len(), 0, "{rejects:?}");
        let text = |name: &str| cast(batches[0].rows.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
        let values = ["account", "interface_id", "srcaddr", "dstaddr", "bytes", "start", "log_status"]
            .map(|name| text(name).as_string::<i32>().value(0).to_owned());
        assert_eq!(values, ["111122223333", "eni-1", "10.0.0.1", "10.0.0.2", "5", "1674898496", "OK"]);
        assert_eq!(text("unmapped").as_string::<i32>().value(0), r#"{"numbytes":"4"}"#);
    }

    #[test]
    fn what_fits_no_column_is_kept_beside_it() {
        let tags = StructArray::from(vec![(
            Arc::new(Field::new("team", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec!["x", "y"])) as ArrayRef,
        )]);
        let file = file(vec![
            ("interface_id", Arc::new(StringArray::from(vec!["eni-1", "eni-2"]))),
            ("bytes", Arc::new(UInt64Array::from(vec![40, u64::MAX]))),
            ("packets", Arc::new(StringArray::from(vec!["-", "many"]))),
            ("srcaddr", Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([None, Some([Some(1)])]))),
            ("tags", Arc::new(tags)),
            ("vpc_id", Arc::new(NullArray::new(2))),
        ]);
        let (batches, rejects, counts, _) = read(file, Origin::default());
        assert_eq!((rejects.len(), counts.of_table("vpc_flow")), (0, (2, 2, 0)), "{rejects:?}");
        let column = |name: &str| batches[0].rows.column_by_name(name).unwrap().clone();
        assert_eq!(column("bytes").as_primitive::<Int64Type>(), &Int64Array::from(vec![Some(40), None]));
        assert_eq!(column("packets").null_count(), 2);
        let rest = [
            r#"{"tags":{"team":"x"}}"#,
            r#"{"tags":{"team":"y"},"srcaddr":[1],"packets":"many","bytes":"18446744073709551615"}"#,
        ];
        assert_eq!(column("unmapped").as_string_view(), &StringViewArray::from(rest.to_vec()));
    }

    #[test]
    fn times_of_any_unit_are_seconds() {
        let millis = vec![1_722_511_823_000];
        let starts: [ArrayRef; 2] =
            [Arc::new(TimestampMillisecondArray::from(millis.clone())), Arc::new(Int64Array::from(millis))];
        for start in starts {
            let (batches, ..) = read(file(vec![("start", start)]), Origin::default());
            let start = batches[0].rows.column_by_name("start").unwrap();
            assert_eq!(start.as_primitive::<Int64Type>().value(0), 1_722_511_823);
        }
    }

    #[test]
    fn a_few_columns_with_names_of_ours_make_no_flow_log() {
        let is_flow = |names: &[&str]| {
            let text: ArrayRef = Arc::new(StringArray::from(vec!["-"]));
            has_flows(&RecordBatch::try_from_iter(names.iter().map(|name| (*name, text.clone()))).unwrap())
        };
        assert!(!is_flow(&["id", "type", "title", "severity", "region"]));
        assert!(!is_flow(&["version", "action", "user", "page"]));
        assert!(!is_flow(&["level", "message", "unmapped"]));
        assert!(is_flow(&["version", "action", "type", "page"]));
        assert!(is_flow(&["interface-id", "a", "b", "c"]));
        assert!(is_flow(&["srcaddr", "dstaddr", "a", "b", "c", "d"]));
        assert!(is_flow(&["tgw_id", "packets_lost_blackhole", "a"]));
    }

    #[test]
    fn a_file_that_is_none_of_ours_is_a_reject() {
        let (batches, rejects, counts, _) = read("PAR1 and no more".into(), Origin::default());
        assert!(batches.is_empty());
        assert_eq!((rejects.len(), counts.of_table("vpc_flow")), (1, (1, 0, 1)));
        let other = file(vec![("eventname", Arc::new(StringArray::from(vec!["CreateUser"])))]);
        let (batches, rejects, counts, _) = read(other, Origin::default());
        assert!(batches.is_empty());
        assert_eq!((rejects.len(), counts.of_table("")), (1, (1, 0, 1)));
        assert_eq!(rejects[0].reason, "Parquet in whose columns no table finds its records");
    }
}
