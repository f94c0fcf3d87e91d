//! Batches of one table → Parquet files, each of one partition and sorted by event time.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef, TimestampMicrosecondType};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, ArrowWriter, compute_leaves};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;

use super::Config;
use super::layout::{Partition, day_of};
use crate::table::{Batch, Column, Kind, PARTITIONS, Table};
use crate::time::Timestamp;

/// Where a row lies: batch, row.
type Place = (usize, usize);

/// Rows of one table, sorted into partitions and, inside each, by event time; equal times keep their order.
pub struct Sorted {
    table: &'static Table,
    batches: Vec<Batch>,
    times: Vec<Vec<Option<Timestamp>>>,
    pub partitions: BTreeMap<Partition, Vec<Place>>,
}

impl Sorted {
    pub fn new(table: &'static Table, batches: Vec<Batch>) -> Sorted {
        let times: Vec<_> = batches.par_iter().map(times).collect();
        let mut partitions: BTreeMap<Partition, Vec<Place>> = BTreeMap::new();
        for (index, batch) in batches.iter().enumerate() {
            let account = batch.rows.column(0).as_dictionary::<Int32Type>();
            let region = batch.rows.column(1).as_dictionary::<Int32Type>();
            let mut groups: HashMap<(Option<usize>, Option<usize>, Option<i32>), Vec<Place>> = HashMap::new();
            for (row, &time) in times[index].iter().enumerate() {
                groups.entry((account.key(row), region.key(row), day_of(time))).or_default().push((index, row));
            }
            let (accounts, regions) = (account.values().as_string::<i32>(), region.values().as_string::<i32>());
            for ((account, region, day), rows) in groups {
                let account = account.map(|key| accounts.value(key));
                let partition = Partition::new(account, region.map(|key| regions.value(key)), day);
                partitions.entry(partition).or_default().extend(rows);
            }
        }
        partitions.par_iter_mut().for_each(|(_, rows)| {
            rows.sort_by_key(|&(batch, row)| (times[batch][row], batch, row));
        });
        Sorted { table, batches, times, partitions }
    }

    /// First event time of sorted rows, as digits, so that a folder lists its files by time.
    pub fn stamp(&self, rows: &[Place]) -> String {
        let first = rows.iter().find_map(|&(batch, row)| self.times[batch][row]);
        first.map_or_else(|| "unknown".to_owned(), |time| time.to_string()[..19].replace([':', '-'], ""))
    }

    /// Writes the rows to a file and gives its size. Columns are encoded side by side.
    pub fn write(&self, rows: &[Place], path: &Path, config: &Config) -> anyhow::Result<u64> {
        let schema = file_schema(self.table);
        let properties = Arc::new(properties(self.table, rows.len(), config)?);
        let file = File::create(path)?;
        let writer = ArrowWriter::try_new(BufWriter::new(file), schema.clone(), Some((*properties).clone()))?;
        let (mut file, groups): (_, ArrowRowGroupWriterFactory) = writer.into_serialized_writer()?;
        for (index, rows) in rows.chunks(config.row_group_rows.max(1)).enumerate() {
            let mut writers = groups.create_column_writers(index)?.into_iter();
            let mut columns = Vec::new();
            for (place, field) in schema.fields().iter().enumerate() {
                let leaves = leaf_count(field.data_type());
                columns.push((place, field, writers.by_ref().take(leaves).collect::<Vec<_>>()));
            }
            let chunks: Vec<anyhow::Result<Vec<_>>> = columns
                .into_par_iter()
                .with_max_len(1)
                .map(|(place, field, mut writers)| {
                    let column = self.gather(place + PARTITIONS.len(), rows)?;
                    for (leaf, writer) in compute_leaves(field, &column)?.iter().zip(&mut writers) {
                        writer.write(leaf)?;
                    }
                    writers.into_iter().map(|writer| Ok(writer.close()?)).collect()
                })
                .collect();
            let mut group = file.next_row_group()?;
            for chunk in chunks {
                for column in chunk? {
                    column.append_to_row_group(&mut group)?;
                }
            }
            group.close()?;
        }
        let file = file.into_inner()?.into_inner().map_err(|error| error.into_error())?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    }

    /// One column of the rows.
    fn gather(&self, column: usize, rows: &[Place]) -> anyhow::Result<ArrayRef> {
        let arrays: Vec<&dyn Array> = self.batches.iter().map(|batch| batch.rows.column(column).as_ref()).collect();
        if let [only] = arrays[..]
            && rows.len() == only.len()
            && rows.iter().enumerate().all(|(index, &(_, row))| index == row)
        {
            return Ok(self.batches[0].rows.column(column).clone());
        }
        Ok(interleave(&arrays, rows)?)
    }
}

fn times(batch: &Batch) -> Vec<Option<Timestamp>> {
    let column = batch.rows.column_by_name(batch.table.time).expect("a table has its time column");
    match column.data_type() {
        DataType::Int64 => {
            column.as_primitive::<Int64Type>().iter().map(|time| time.map(Timestamp::from_seconds)).collect()
        }
        _ => column.as_primitive::<TimestampMicrosecondType>().iter().map(|time| time.map(Timestamp)).collect(),
    }
}

/// The schema of a table's files: its columns, without the partition columns that the folders name.
pub fn file_schema(table: &Table) -> SchemaRef {
    let fields: Vec<Arc<Field>> = table.schema().fields().iter().skip(PARTITIONS.len()).cloned().collect();
    Arc::new(Schema::new(fields))
}

fn leaf_count(kind: &DataType) -> usize {
    match kind {
        DataType::Struct(fields) => fields.iter().map(|field| leaf_count(field.data_type())).sum(),
        DataType::List(field) => leaf_count(field.data_type()),
        _ => 1,
    }
}

/// zstd and statistics everywhere; dictionaries for what repeats; page indexes, but not of long free text, whose pages'
/// bounds help no query; bloom filters on what people look up.
fn properties(table: &Table, rows: usize, config: &Config) -> anyhow::Result<WriterProperties> {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(config.zstd_level)?))
        .set_max_row_group_row_count(Some(config.row_group_rows.max(1)))
        .set_statistics_truncate_length(Some(64))
        .set_column_index_truncate_length(Some(64))
        .set_created_by(concat!("weir ", env!("CARGO_PKG_VERSION")).to_owned());
    let schema = ArrowSchemaConverter::new().convert(&file_schema(table))?;
    if let Some(leaf) = (0..schema.num_columns()).find(|&leaf| schema.column(leaf).path().string() == table.time) {
        let sorted = SortingColumn { column_idx: leaf as i32, descending: false, nulls_first: true };
        builder = builder.set_sorting_columns(Some(vec![sorted]));
    }
    for column in table.columns {
        builder = column_properties(builder, vec![column.name.to_owned()], column, table, rows);
    }
    Ok(builder.build())
}

fn column_properties(
    mut builder: WriterPropertiesBuilder,
    path: Vec<String>,
    column: &Column,
    table: &Table,
    rows: usize,
) -> WriterPropertiesBuilder {
    let below = |middle: &[&str], inner: &Column| {
        let mut below = path.clone();
        below.extend(middle.iter().map(|&part| part.to_owned()));
        below.push(inner.name.to_owned());
        below
    };
    match column.kind {
        Kind::Struct(inner) => inner
            .iter()
            .fold(builder, |builder, field| column_properties(builder, below(&[], field), field, table, rows)),
        Kind::List(inner) => inner.iter().fold(builder, |builder, field| {
            column_properties(builder, below(&["list", "item"], field), field, table, rows)
        }),
        Kind::Text | Kind::Json => {
            let looked_up = table.lookups.contains(&path.join(".").as_str());
            let path = ColumnPath::new(path);
            let unique = table.id == Some(column.name) || column.name == "requestid";
            let dictionary = matches!(column.kind, Kind::Text) && !unique;
            builder = builder.set_column_dictionary_enabled(path.clone(), dictionary);
            if matches!(column.kind, Kind::Json) {
                builder = builder.set_column_statistics_enabled(path.clone(), EnabledStatistics::None);
            }
            if looked_up {
                builder = builder
                    .set_column_bloom_filter_enabled(path.clone(), true)
                    .set_column_bloom_filter_fpp(path.clone(), 0.01)
                    .set_column_bloom_filter_max_ndv(path, rows.clamp(64, 65_536) as u64);
            }
            builder
        }
        Kind::Symbol if table.lookups.contains(&path.join(".").as_str()) => {
            let path = ColumnPath::new(path);
            builder
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_max_ndv(path, rows.clamp(64, 65_536) as u64)
        }
        Kind::Symbol | Kind::Int | Kind::Float | Kind::Bool | Kind::Time => builder,
    }
}
