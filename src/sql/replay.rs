//! Rows of the archive → batches, as the worker made them: what rules are tried over before they ship.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;
use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use datafusion::prelude::SessionContext;
use futures::{Stream, StreamExt};

use super::{query, readable};
use crate::table::{Batch, Table};
use crate::time::day_text;

/// First and last day, days since 1970-01-01, both with it; `None` is without end.
pub type Days = (Option<i32>, Option<i32>);

/// The rows of a table in those days, in no order. Only `columns` (top-level names) are read; account and Region are always
/// there, and all others null.
///
/// # Errors
/// When the archive cannot be read.
pub async fn batches(
    session: &SessionContext,
    table: &'static Table,
    columns: &BTreeSet<String>,
    (first, last): Days,
) -> anyhow::Result<impl Stream<Item = anyhow::Result<Batch>>> {
    let bound = |day: Option<i32>, relation: &str| {
        day.map_or(String::new(), |day| format!(" AND day {relation} DATE '{}'", day_text(day)))
    };
    rows(session, table, columns, format!("{}{}", bound(first, ">="), bound(last, "<="))).await
}

/// The same of one day, or, with `None`, of the rows whose time is missing or absurd.
///
/// # Errors
/// As [`batches`].
pub async fn batches_of(
    session: &SessionContext,
    table: &'static Table,
    columns: &BTreeSet<String>,
    day: Option<i32>,
) -> anyhow::Result<impl Stream<Item = anyhow::Result<Batch>>> {
    let of_day = day.map_or(" AND day IS NULL".to_owned(), |day| format!(" AND day = DATE '{}'", day_text(day)));
    rows(session, table, columns, of_day).await
}

async fn rows(
    session: &SessionContext,
    table: &'static Table,
    columns: &BTreeSet<String>,
    of_days: String,
) -> anyhow::Result<impl Stream<Item = anyhow::Result<Batch>>> {
    let schema = table.schema();
    let read = schema.fields().iter().enumerate();
    let read: Vec<usize> =
        read.filter(|(place, field)| *place < 2 || columns.contains(field.name())).map(|(place, _)| place).collect();
    let names: Vec<String> = read.iter().map(|place| format!("\"{}\"", schema.field(*place).name())).collect();
    let sql = format!("SELECT {} FROM {} WHERE true{of_days}", names.join(", "), table.name);
    let rows = query(session, &sql).await.with_context(|| format!("reading the archived {}", table.name))?;
    Ok(rows.map(move |rows| {
        let rows = rows.map_err(readable)?;
        Ok(Batch { table, rows: whole(&schema, &read, &rows)? })
    }))
}

/// The columns at `read`, with the table's types, and null ones for all others.
fn whole(schema: &SchemaRef, read: &[usize], rows: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let mut given = read.iter().zip(rows.columns()).peekable();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for (place, field) in schema.fields().iter().enumerate() {
        columns.push(match given.next_if(|(read, _)| **read == place) {
            Some((_, column)) => cast(column, field.data_type())?,
            None => new_null_array(field.data_type(), rows.num_rows()),
        });
    }
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
