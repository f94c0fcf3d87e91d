//! The columns of a table → SQL with which DuckDB and chDB write the same events, in the same columns, to a Parquet file.
//!
//! Both are told the columns and their types: DuckDB takes more than twice as long when it must find them out. The level
//! of zstd is ours, and nothing need be kept in order.

use std::path::{Path, PathBuf};

use weir::table::{Column, Kind};

type Columns = &'static [Column];

/// What becomes of objects within an event.
#[derive(Clone, Copy)]
pub enum Nested {
    /// Columns of their own, as in the table.
    Columns,
    /// They stay as they are, as JSON text: less work.
    Text,
}

/// DuckDB, from events one a line.
pub fn duckdb_lines(columns: Columns, nested: Nested, from: &Path, to: &Path) -> String {
    let kind = |column: &Column| match (nested, column.kind) {
        (Nested::Text, Kind::Struct(_) | Kind::List(_)) => duckdb(Kind::Json),
        (Nested::Text | Nested::Columns, kind) => duckdb(kind),
    };
    let columns: Vec<_> = delivered(columns).map(|column| format!("'{}': '{}'", column.path, kind(column))).collect();
    let options = format!("format = 'newline_delimited', columns = {{{}}}", columns.join(", "));
    duckdb_copy(&format!("SELECT * FROM read_json('{}/*.ndjson', {options})", from.display()), to)
}

/// DuckDB, from files of `{"Records":[...]}`.
pub fn duckdb_records(columns: Columns, from: &[PathBuf], to: &Path) -> String {
    let from: Vec<_> = from.iter().map(|path| format!("'{}'", path.display())).collect();
    let options = format!(
        "columns = {{Records: '{}'}}, maximum_object_size = {}",
        duckdb(Kind::List(columns)),
        // one file is one object
        64 << 20
    );
    let select = format!("SELECT unnest(Records, max_depth := 2) FROM read_json([{}], {options})", from.join(", "));
    duckdb_copy(&select, to)
}

fn duckdb_copy(select: &str, to: &Path) -> String {
    let options = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1";
    format!("SET preserve_insertion_order = false; COPY ({select}) TO '{}' ({options})", to.display())
}

fn duckdb(kind: Kind) -> String {
    let fields = |columns: Columns| {
        let fields: Vec<_> =
            delivered(columns).map(|column| format!("\"{}\" {}", column.path, duckdb(column.kind))).collect();
        format!("STRUCT({})", fields.join(", "))
    };
    match kind {
        Kind::Text | Kind::Symbol => "VARCHAR".to_owned(),
        Kind::Int => "BIGINT".to_owned(),
        Kind::Float => "DOUBLE".to_owned(),
        Kind::Bool => "BOOLEAN".to_owned(),
        Kind::Time => "TIMESTAMP".to_owned(),
        Kind::Json => "JSON".to_owned(),
        Kind::Struct(columns) => fields(columns),
        Kind::List(columns) => fields(columns) + "[]",
    }
}

/// chDB, from gzipped files of `{"Records":[...]}`.
pub fn chdb_records(columns: Columns, from: &Path, to: &Path) -> String {
    let names: Vec<_> =
        delivered(columns).map(|column| format!("tupleElement(event, '{0}') AS `{0}`", column.path)).collect();
    let structure = format!("Records {}", clickhouse(Kind::List(columns))).replace('\'', "\\'");
    format!(
        "INSERT INTO FUNCTION file('{}', 'Parquet') SELECT {} FROM (SELECT arrayJoin(Records) AS event FROM \
         file('{}/**/*.json.gz', 'JSONEachRow', '{structure}', 'gzip')) SETTINGS \
         output_format_parquet_compression_method = 'zstd', output_format_compression_level = 1, \
         input_format_json_read_objects_as_strings = 1, input_format_json_named_tuples_as_objects = 1, \
         input_format_json_ignore_unknown_keys_in_named_tuple = 1, \
         input_format_json_defaults_for_missing_elements_in_named_tuple = 1, date_time_input_format = 'best_effort'",
        to.display(),
        names.join(", "),
        from.display(),
    )
}

/// Text that repeats is left plain: as `LowCardinality` it takes longer.
fn clickhouse(kind: Kind) -> String {
    let fields = |columns: Columns| {
        let fields: Vec<_> =
            delivered(columns).map(|column| format!("`{}` {}", column.path, clickhouse(column.kind))).collect();
        format!("Tuple({})", fields.join(", "))
    };
    match kind {
        Kind::Text | Kind::Symbol | Kind::Json => "Nullable(String)".to_owned(),
        Kind::Int => "Nullable(Int64)".to_owned(),
        Kind::Float => "Nullable(Float64)".to_owned(),
        Kind::Bool => "Nullable(Bool)".to_owned(),
        Kind::Time => "Nullable(DateTime('UTC'))".to_owned(),
        Kind::Struct(columns) => fields(columns),
        Kind::List(columns) => format!("Array({})", fields(columns)),
    }
}

/// Columns that AWS delivers, rather than those we derive.
fn delivered(columns: Columns) -> impl Iterator<Item = &'static Column> {
    columns.iter().filter(|column| !column.path.is_empty())
}

/// Leaves of the columns: what a Parquet file with all of them has at least.
pub fn leaves(columns: Columns, nested: Nested) -> usize {
    let leaf = |column: &Column| match (nested, column.kind) {
        (Nested::Columns, Kind::Struct(columns) | Kind::List(columns)) => leaves(columns, nested),
        _ => 1,
    };
    delivered(columns).map(leaf).sum()
}
