//! JSON lines in a table's own column names → a batch, for tests.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};

use crate::table::{Batch, Table};

/// Columns that a line does not have are null.
pub fn batch(table: &'static Table, lines: &[&str]) -> Batch {
    let schema = table.schema();
    let plain = Schema::new(schema.fields().iter().map(plain).collect::<Fields>());
    let mut decoder =
        arrow::json::ReaderBuilder::new(Arc::new(plain)).with_batch_size(lines.len()).build_decoder().unwrap();
    let text = lines.join("\n");
    assert_eq!(decoder.decode(text.as_bytes()).unwrap(), text.len());
    let rows = decoder.flush().unwrap().unwrap();
    let columns = rows.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()).unwrap()).collect();
    Batch { table, rows: RecordBatch::try_new(schema, columns).unwrap() }
}

/// The field without dictionaries, which the JSON reader does not make.
fn plain(field: &FieldRef) -> FieldRef {
    let kind = match field.data_type() {
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain).collect()),
        DataType::List(item) => DataType::List(plain(item)),
        other => other.clone(),
    };
    Arc::new(Field::new(field.name(), kind, true))
}
