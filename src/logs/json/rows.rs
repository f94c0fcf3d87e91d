//! CloudTrail's events, and what else is no flow log, in Parquet, as Athena, Glue, Spark and exports of CloudTrail Lake write them → records: JSON under the
//! names of the columns, nested ones as they are, and texts with JSON in them as what they say.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, RecordBatch, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, TimeUnit};
use arrow::error::ArrowError;
use arrow::json::EncoderOptions;
use arrow::json::writer::make_encoder;

use super::query::{add, add_free, names_events, quote};
use super::{Around, Parser, peel};
use crate::decode::{Json, Options, Text};
use crate::logs::TABLES;
use crate::logs::cloudtrail::CLOUDTRAIL;
use crate::logs::vpc_flow::{self, VPC_FLOW};
use crate::table::Origin;

/// Records are read when so many bytes of them are made.
const TEXT_BYTES: usize = 4 << 20;

/// Whether the columns are those of events, or of files of them that nobody took apart, or of other records that are no flows.
pub fn has_events(rows: &RecordBatch, options: &Options) -> bool {
    match options.table {
        Some(table) => table.name != VPC_FLOW.name,
        None => {
            let names: Vec<String> =
                rows.schema().fields().iter().map(|field| field.name().to_ascii_lowercase()).collect();
            names_events(&names) || names == ["records"] || !vpc_flow::has_flows(rows) && has_records(rows, &names)
        }
    }
}

/// Whether columns make records of another table, or have texts that may be records or lines of a log.
fn has_records(rows: &RecordBatch, names: &[String]) -> bool {
    let is_text =
        |field: &Arc<Field>| peel::NAMES_OF_TEXT.contains(&field.name().as_bytes()) && field.data_type().is_string();
    let tables = TABLES.iter().filter(|table| ![CLOUDTRAIL.name, VPC_FLOW.name].contains(&table.name));
    tables.into_iter().any(|table| peel::names_record(table, names)) || rows.schema().fields().iter().any(is_text)
}

impl Parser<'_> {
    pub(super) fn rows(&mut self, rows: &RecordBatch, origin: &Arc<Origin>, offset: u64) {
        // what is wrong with a row is told with the place of the rows around it
        let around = Around { origin, offset, context: None, depth: 1 };
        let mut at = 0;
        while at < rows.num_rows() {
            match records(rows, at) {
                Ok((records, end)) => {
                    self.text(Json::alone(Text::new(records)), &around);
                    at = end;
                }
                Err(error) => {
                    let reason = format!("not a Parquet file of records: {error}");
                    self.reject(CLOUDTRAIL.name, 0, &reason, b"PAR1", &around);
                    return;
                }
            }
        }
    }
}

/// Records of rows from a place on, one a line, and the place where they end.
fn records(rows: &RecordBatch, at: usize) -> Result<(Vec<u8>, usize), ArrowError> {
    let schema = rows.schema();
    let columns: Vec<(Arc<Field>, ArrayRef)> = schema
        .fields()
        .iter()
        .zip(rows.columns())
        .map(|(field, column)| plain(field, column))
        .collect::<Result<_, _>>()?;
    let options = EncoderOptions::default();
    let mut encoders = Vec::new();
    for (field, column) in &columns {
        encoders.push(match column.as_string_opt::<i32>() {
            Some(texts) => Cells::Texts(texts),
            None => Cells::Values(make_encoder(field, column, &options)?),
        });
    }
    let mut records = Vec::new();
    for row in at..rows.num_rows() {
        if records.len() >= TEXT_BYTES {
            return Ok((records, row));
        }
        records.push(b'{');
        for ((field, column), cells) in columns.iter().zip(&mut encoders) {
            match cells {
                // the encoder knows of nulls that the column has no bits for: of a type that has no values, and of dictionaries
                Cells::Values(encoder) if encoder.is_null(row) => {}
                Cells::Texts(_) if column.is_null(row) => {}
                Cells::Texts(texts) => add(&mut records, field.name().as_bytes(), texts.value(row).as_bytes()),
                Cells::Values(encoder) => {
                    if records.last() != Some(&b'{') {
                        records.push(b',');
                    }
                    quote(&mut records, field.name().as_bytes());
                    records.push(b':');
                    encoder.encode(row, &mut records);
                }
            }
        }
        records.extend_from_slice(b"}\n");
    }
    Ok((records, rows.num_rows()))
}

enum Cells<'a> {
    Texts(&'a StringArray),
    Values(arrow::json::writer::NullableEncoder<'a>),
}

/// Texts of one type, whatever the writer took for text, and times in UTC.
fn plain(field: &Field, column: &ArrayRef) -> Result<(Arc<Field>, ArrayRef), ArrowError> {
    let kind = match column.data_type() {
        DataType::LargeUtf8 | DataType::Utf8View | DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            DataType::Utf8
        }
        DataType::Timestamp(..) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        other => other.clone(),
    };
    let column = match column.as_map_opt() {
        Some(maps) if maps.value_type().is_string() => objects(maps)?,
        _ => cast(column, &kind)?,
    };
    Ok((Arc::new(field.clone().with_data_type(column.data_type().clone())), column))
}

/// Maps of texts as texts of JSON: what is an object or a list is so in `map<varchar, varchar>`, which CloudTrail Lake has for
/// what is an object in the record.
fn objects(maps: &MapArray) -> Result<ArrayRef, ArrowError> {
    let [keys, values] = [maps.keys(), maps.values()].map(|texts| cast(texts, &DataType::Utf8));
    let (keys, values) = (keys?, values?);
    let (keys, values) = (keys.as_string::<i32>(), values.as_string::<i32>());
    let mut texts = StringBuilder::new();
    for row in 0..maps.len() {
        if maps.is_null(row) {
            texts.append_null();
            continue;
        }
        let mut object = b"{".to_vec();
        let offsets = &maps.offsets()[row..];
        for entry in offsets[0] as usize..offsets[1] as usize {
            if values.is_valid(entry) {
                add_free(&mut object, keys.value(entry).as_bytes(), values.value(entry).as_bytes());
            }
        }
        object.push(b'}');
        texts.append_value(String::from_utf8_lossy(&object));
    }
    Ok(Arc::new(texts.finish()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        BooleanArray, DictionaryArray, Int32Array, ListArray, MapBuilder, NullArray, StructArray,
        TimestampMillisecondArray, TimestampNanosecondArray,
    };
    use arrow::buffer::OffsetBuffer;
    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;

    use super::*;
    use crate::decode::{self, Counts, Input};
    use crate::logs;
    use crate::logs::glue_job_run::GLUE_JOB_RUN;
    use crate::logs::glue_log::GLUE_LOG;
    use crate::table::{Batch, Reject};

    fn read(columns: Vec<(&str, ArrayRef)>, options: &Options) -> (Vec<Batch>, Vec<Reject>, Counts) {
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), None).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        let (mut done, mut rejects, mut counts) = (Vec::new(), Vec::new(), Counts::default());
        let mut reader = decode::open(Input::Bytes(Bytes::from(bytes)), Arc::new(Origin::default()), options);
        while let Some(records) = reader.next(&mut rejects, &mut counts).unwrap() {
            done.extend(logs::batches(vec![records], options, &mut rejects, &mut counts));
        }
        (done, rejects, counts)
    }

    fn texts(value: &str) -> ArrayRef {
        Arc::new(StringArray::from(vec![value]))
    }

    fn of(fields: Vec<(&str, ArrayRef)>) -> ArrayRef {
        let fields = fields
            .into_iter()
            .map(|(name, column)| (Arc::new(Field::new(name, column.data_type().clone(), true)), column));
        Arc::new(StructArray::from(fields.collect::<Vec<_>>()))
    }

    /// The one row, as JSON.
    fn row(columns: Vec<(&str, ArrayRef)>) -> serde_json::Value {
        let (batches, rejects, counts) = read(columns, &Options::default());
        assert_eq!((rejects.len(), counts.of_table("cloudtrail")), (0, (1, 1, 0)), "{rejects:?}");
        let mut json = arrow::json::LineDelimitedWriter::new(Vec::new());
        json.write(&batches[0].rows).unwrap();
        serde_json::from_slice(&json.into_inner()).unwrap()
    }

    fn common() -> Vec<(&'static str, ArrayRef)> {
        [
            ("eventversion", "1.08"),
            ("eventsource", "s3.amazonaws.com"),
            ("eventname", "GetObject"),
            ("awsregion", "eu-west-1"),
            ("recipientaccountid", "111122223333"),
        ]
        .map(|(name, value)| (name, texts(value)))
        .into()
    }

    #[test]
    fn columns_of_athena_s_table_are_an_event() {
        let mut columns = common();
        let resource = of(vec![("arn", texts("arn:aws:s3:::b")), ("accountid", texts("111122223333"))]);
        let item = Arc::new(Field::new_list_field(resource.data_type().clone(), true));
        let issuer = of(vec![("username", texts("app"))]);
        columns.extend([
            ("eventtime", texts("2024-08-01T10:00:00Z")),
            (
                "useridentity",
                of(vec![("type", texts("AssumedRole")), ("sessioncontext", of(vec![("sessionissuer", issuer)]))]),
            ),
            ("requestparameters", texts(r#"{"bucketName":"b"}"#)),
            ("responseelements", texts("{a=b, c=d}")),
            ("readonly", texts("true")),
            ("resources", Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([1]), resource, None))),
        ]);
        let row = row(columns);
        assert_eq!(row["eventtime"], "2024-08-01T10:00:00Z");
        assert_eq!(row["account"], "111122223333");
        assert_eq!(row["useridentity"]["sessioncontext"]["sessionissuer"]["username"], "app");
        assert_eq!(row["requestparameters"], r#"{"bucketName":"b"}"#);
        assert_eq!(row["responseelements"], r#"{"a":"b","c":"d"}"#);
        assert_eq!(row["readonly"], true);
        assert_eq!(row["resources"][0]["arn"], "arn:aws:s3:::b");
    }

    #[test]
    fn times_truths_and_maps_of_other_writers_are_read() {
        let mut parameters = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        parameters.keys().append_value("bucketName");
        parameters.values().append_value("b");
        parameters.keys().append_value("tagSet");
        parameters.values().append_value(r#"{"items":[1]}"#);
        parameters.append(true).unwrap();
        let parameters: ArrayRef = Arc::new(parameters.finish());
        let (millis, nanos) = (vec![1_722_506_400_000], vec![1_722_506_400_000_000_000]);
        let times: [ArrayRef; 2] =
            [Arc::new(TimestampMillisecondArray::from(millis)), Arc::new(TimestampNanosecondArray::from(nanos))];
        for time in times {
            let mut columns = common();
            columns.extend([
                ("eventTime", time),
                ("requestParameters", parameters.clone()),
                ("readOnly", Arc::new(BooleanArray::from(vec![false])) as ArrayRef),
                ("userIdentity", texts("{type=Root, arn=arn:aws:iam::111122223333:root}")),
            ]);
            let row = row(columns);
            assert_eq!(row["eventtime"], "2024-08-01T10:00:00Z");
            assert_eq!(row["requestparameters"], r#"{"bucketName":"b","tagSet":{"items":[1]}}"#);
            assert_eq!(row["readonly"], false);
            assert_eq!(row["useridentity"]["type"], "Root");
        }
    }

    #[test]
    fn columns_without_any_value_are_absent() {
        let nothing: ArrayRef = Arc::new(NullArray::new(1));
        let dictionary =
            DictionaryArray::new(Int32Array::from(vec![0]), Arc::new(StringArray::from(vec![None::<&str>])));
        let mut columns = common();
        columns.extend([
            ("eventtime", texts("2024-08-01T10:00:00Z")),
            ("sharedeventid", nothing.clone()),
            ("errorcode", Arc::new(dictionary)),
            ("useridentity", of(vec![("type", texts("Root")), ("invokedby", nothing)])),
        ]);
        let row = row(columns);
        assert_eq!((&row["eventname"], &row["useridentity"]["type"]), (&"GetObject".into(), &"Root".into()));
        assert_eq!((row.get("sharedeventid"), row.get("errorcode"), row.get("unmapped")), (None, None, None));
    }

    #[test]
    fn whole_events_and_whole_files_of_them_are_read() {
        let event = r#"{"eventVersion":"1.08","eventTime":"2024-08-01T10:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject"}"#;
        assert_eq!(row(vec![("eventJson", texts(event))])["eventname"], "GetObject");
        let fields = common().into_iter().chain([("eventtime", texts("2024-08-01T10:00:00Z"))]).collect();
        let record = of(fields);
        let item = Arc::new(Field::new_list_field(record.data_type().clone(), true));
        let records = ListArray::new(item, OffsetBuffer::from_lengths([1]), record, None);
        assert_eq!(row(vec![("Records", Arc::new(records))])["eventname"], "GetObject");
    }

    #[test]
    fn runs_and_lines_of_logs_are_read() {
        let run = || {
            vec![
                ("Id", texts("jr_1")),
                ("JobName", texts("j")),
                ("JobRunState", texts("FAILED")),
                ("StartedOn", texts("2024-05-01T12:00:00Z")),
            ]
        };
        let line = || vec![("message", texts("24/05/01 12:00:01 INFO A: x"))];
        for is_forced in [false, true] {
            let options = |table| Options { table: Some(table).filter(|_| is_forced), ..Options::default() };
            let (_, rejects, counts) = read(run(), &options(&GLUE_JOB_RUN));
            assert_eq!((rejects.len(), counts.of_table("glue_job_run")), (0, (1, 1, 0)), "{rejects:?}");
            let (_, rejects, counts) = read(line(), &options(&GLUE_LOG));
            assert_eq!((rejects.len(), counts.of_table("glue_log")), (0, (1, 1, 0)), "{rejects:?}");
        }
    }

    #[test]
    fn other_columns_are_no_events() {
        let (batches, rejects, _) = read(vec![("eventname", texts("GetObject"))], &Options::default());
        assert!(batches.is_empty());
        assert_eq!(rejects[0].reason, "Parquet in whose columns no table finds its records");
    }

    #[test]
    fn many_rows_are_read_in_several_texts() {
        let count = 5000;
        let mut columns = common();
        for (_, column) in &mut columns {
            let value = column.as_string::<i32>().value(0).to_owned();
            *column = Arc::new(StringArray::from(vec![value; count]));
        }
        let long = |row: usize| format!("{row}{}", "x".repeat(2000));
        columns.push(("useragent", Arc::new((0..count).map(|row| Some(long(row))).collect::<StringArray>())));
        let (_, rejects, counts) = read(columns, &Options::default());
        assert_eq!((rejects.len(), counts.of_table("cloudtrail")), (0, (count as u64, count as u64, 0)));
    }
}
