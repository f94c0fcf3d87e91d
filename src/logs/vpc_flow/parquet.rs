//! Flow logs that AWS delivers as Parquet → batches. Column names have underscores or hyphens; `-` is null.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, Scalar, StringArray, StringViewArray, new_null_array};
use arrow::compute::{cast, kernels::cmp, nullif};
use arrow::datatypes::{DataType, Int32Type};
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use super::VPC_FLOW;
use crate::decode::{Counts, Parquet};
use crate::logs::text::ROWS_MAX;
use crate::table::{Batch, Origin, PARTITIONS, Reject};

/// A file that cannot be read is one reject; rows read before the damage are kept.
pub fn batches(file: Parquet, origin: &Arc<Origin>, rejects: &mut Vec<Reject>, counts: &mut Counts) -> Vec<Batch> {
    let mut done = Vec::new();
    if let Err(error) = read(file, origin, &mut done) {
        let tally = counts.of(VPC_FLOW.name);
        tally.records += 1;
        tally.rejects += 1;
        rejects.push(Reject::new(origin, 0, VPC_FLOW.name, format!("not a readable Parquet file: {error}"), b"PAR1"));
    }
    let rows: usize = done.iter().map(|batch| batch.rows.num_rows()).sum();
    let tally = counts.of(VPC_FLOW.name);
    tally.records += rows as u64;
    tally.rows += rows as u64;
    done
}

fn read(file: Parquet, origin: &Origin, done: &mut Vec<Batch>) -> Result<(), ParquetError> {
    let reader = match file {
        Parquet::File(file) => ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(ROWS_MAX).build()?,
        Parquet::Bytes(bytes) => ParquetRecordBatchReaderBuilder::try_new(bytes)?.with_batch_size(ROWS_MAX).build()?,
    };
    for rows in reader {
        let rows = fitted(&rows?, origin)?;
        done.push(Batch { table: &VPC_FLOW, rows });
    }
    Ok(())
}

/// The rows in the table's schema; fails when no column is one of a flow log.
fn fitted(rows: &RecordBatch, origin: &Origin) -> Result<RecordBatch, ArrowError> {
    let names: Vec<String> =
        rows.schema().fields().iter().map(|field| field.name().to_ascii_lowercase().replace('-', "_")).collect();
    let found = |name: &str| names.iter().position(|have| have == name);
    let column = |name: &str, kind: &DataType| match found(name) {
        Some(place) => cast(&dash_is_null(rows.column(place))?, kind),
        None => Ok(new_null_array(kind, rows.num_rows())),
    };
    if !VPC_FLOW.columns.iter().any(|known| found(known.name).is_some()) {
        return Err(ArrowError::SchemaError("it has no column of a flow log".to_owned()));
    }
    let schema = VPC_FLOW.schema();
    let mut columns = Vec::new();
    for (field, from, around) in [("account", "account_id", &origin.account), ("region", "region", &origin.region)] {
        let kind = schema.field_with_name(field)?.data_type();
        columns.push(cast(&named(&column(from, kind)?, around.as_deref()), kind)?);
    }
    for field in schema.fields().iter().skip(PARTITIONS.len()) {
        columns.push(match field.name().as_str() {
            "unmapped" => unmapped(rows, &names)?,
            name => column(name, field.data_type())?,
        });
    }
    RecordBatch::try_new(schema, columns)
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

/// Columns that the table does not have, as one JSON object for each row.
fn unmapped(rows: &RecordBatch, names: &[String]) -> Result<ArrayRef, ArrowError> {
    let known = |name: &String| name == "region" || VPC_FLOW.columns.iter().any(|column| column.name == name);
    let mut others = Vec::new();
    for (place, name) in names.iter().enumerate().filter(|(_, name)| !known(name)) {
        others.push((name, cast(&dash_is_null(rows.column(place))?, &DataType::Utf8)?));
    }
    let object = |row: usize| {
        let pairs = others.iter().filter(|(_, column)| column.is_valid(row));
        let object: serde_json::Map<_, _> =
            pairs.map(|(name, column)| ((*name).clone(), column.as_string::<i32>().value(row).into())).collect();
        (!object.is_empty()).then(|| serde_json::Value::Object(object).to_string())
    };
    Ok(Arc::new((0..rows.num_rows()).map(object).collect::<StringViewArray>()))
}

#[cfg(test)]
mod tests {
    use arrow::array::Int32Array;
    use arrow::datatypes::Int64Type;
    use parquet::arrow::ArrowWriter;

    use super::*;

    fn file(columns: Vec<(&str, ArrayRef)>) -> Parquet {
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), None).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        Parquet::Bytes(bytes.into())
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
        let origin = Arc::new(Origin { region: Some("eu-west-1".into()), ..Origin::default() });
        let (mut rejects, mut counts) = (Vec::new(), Counts::default());
        let batches = batches(file, &origin, &mut rejects, &mut counts);
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
    fn a_file_that_is_none_of_ours_is_a_reject() {
        let origin = Arc::new(Origin::default());
        for broken in
            [Parquet::Bytes("PAR1 and no more".into()), file(vec![("x", Arc::new(Int32Array::from(vec![1])))])]
        {
            let (mut rejects, mut counts) = (Vec::new(), Counts::default());
            assert!(batches(broken, &origin, &mut rejects, &mut counts).is_empty());
            assert_eq!((rejects.len(), counts.of_table("vpc_flow")), (1, (1, 0, 1)));
        }
    }
}
