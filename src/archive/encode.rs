//! Sorted rows of one table → a Parquet file, its columns encoded side by side on all cores.

use std::collections::HashSet;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriter, compute_leaves,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;

use super::Config;
use super::gather::{Place, Rows};
use crate::table::{Column, Kind, PARTITIONS, Table};

/// Rows are gathered in pieces of this many: 128 KiB of string views, which stay in the cache until they are encoded.
const PIECE_ROWS: usize = 8192;

/// Bytes of a page before compression: whoever reads or merges files holds one of each column in memory.
const PAGE_BYTES: usize = 256 << 10;

/// A file being written. It holds one row group, encoded, in memory.
pub struct Encoder {
    file: SerializedFileWriter<BufWriter<File>>,
    groups: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    group_rows_max: usize,
    group: Vec<Leaves>,
    group_rows: usize,
    /// How many are yet to come.
    rows_left: usize,
}

/// A column of the table: itself, or its fields when it is nested.
struct Leaves {
    field: Arc<Field>,
    writers: Vec<ArrowColumnWriter>,
}

impl Encoder {
    /// `rows` is how many there will be, and `empty` the columns in which none has a value, as far as is known.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(
        path: &Path,
        table: &Table,
        config: &Config,
        rows: usize,
        empty: &HashSet<ColumnPath>,
    ) -> anyhow::Result<Encoder> {
        let schema = file_schema(table);
        let mut properties = properties(table, rows, config)?;
        for column in empty {
            // a compressor of zstd is large, and there is nothing to compress
            properties = properties.set_column_compression(column.clone(), Compression::UNCOMPRESSED);
        }
        let properties = properties.build();
        let file = BufWriter::new(File::create(path)?);
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))?;
        let (file, groups) = writer.into_serialized_writer()?;
        let group_rows_max = config.row_group_rows.max(1);
        Ok(Encoder { file, groups, schema, group_rows_max, group: Vec::new(), group_rows: 0, rows_left: rows })
    }

    /// Adds rows, in the order of their places in `from`, which is of [`file_schema`].
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append(&mut self, from: &Rows, mut places: &[Place]) -> anyhow::Result<()> {
        while !places.is_empty() {
            if self.group.is_empty() {
                self.open_group()?;
            }
            let (now, later) = places.split_at(places.len().min(self.group_rows_max - self.group_rows));
            let append = |column: usize, leaves: &mut Leaves| {
                now.chunks(PIECE_ROWS).try_for_each(|places| leaves.append(&from.column(column).gather(places)?))
            };
            self.group_rows += now.len();
            self.rows_left = self.rows_left.saturating_sub(now.len());
            if self.group_rows == self.group_rows_max || self.rows_left == 0 {
                // each column is closed before the next is begun: what it is compressed with is most of what a column takes
                let group = std::mem::take(&mut self.group).into_par_iter().enumerate().with_max_len(1);
                let chunks = group.map(|(column, mut leaves)| {
                    append(column, &mut leaves)?;
                    leaves.close()
                });
                self.write_group(chunks.collect::<Result<_, _>>()?)?;
            } else {
                let group = self.group.par_iter_mut().enumerate().with_max_len(1);
                group.try_for_each(|(column, leaves)| append(column, leaves))?;
            }
            places = later;
        }
        Ok(())
    }

    /// Ends the file, waits until the disk has it, and gives its size.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(mut self) -> anyhow::Result<u64> {
        self.close_group()?;
        let file = self.file.into_inner()?.into_inner().map_err(|error| error.into_error())?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    }

    fn open_group(&mut self) -> anyhow::Result<()> {
        let mut writers = self.groups.create_column_writers(self.file.flushed_row_groups().len())?.into_iter();
        let leaves = |field: &Arc<Field>| {
            let count = leaf_count(field.data_type());
            Leaves { field: field.clone(), writers: writers.by_ref().take(count).collect() }
        };
        self.group = self.schema.fields().iter().map(leaves).collect();
        self.group_rows = 0;
        Ok(())
    }

    fn close_group(&mut self) -> anyhow::Result<()> {
        let columns = std::mem::take(&mut self.group);
        if columns.is_empty() {
            return Ok(());
        }
        self.write_group(columns.into_par_iter().with_max_len(1).map(Leaves::close).collect::<Result<_, _>>()?)
    }

    fn write_group(&mut self, columns: Vec<Vec<ArrowColumnChunk>>) -> anyhow::Result<()> {
        let mut group = self.file.next_row_group()?;
        for chunk in columns.into_iter().flatten() {
            chunk.append_to_row_group(&mut group)?;
        }
        group.close()?;
        Ok(())
    }
}

impl Leaves {
    fn append(&mut self, column: &ArrayRef) -> anyhow::Result<()> {
        let leaves = compute_leaves(&self.field, column)?;
        let pairs = leaves.par_iter().zip(&mut self.writers).with_max_len(1);
        Ok(pairs.try_for_each(|(leaf, writer)| writer.write(leaf))?)
    }

    fn close(self) -> anyhow::Result<Vec<ArrowColumnChunk>> {
        Ok(self.writers.into_par_iter().with_max_len(1).map(ArrowColumnWriter::close).collect::<Result<_, _>>()?)
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
fn properties(table: &Table, rows: usize, config: &Config) -> anyhow::Result<WriterPropertiesBuilder> {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(config.zstd_level)?))
        .set_max_row_group_row_count(Some(config.row_group_rows.max(1)))
        .set_data_page_size_limit(PAGE_BYTES)
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
    Ok(builder)
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
    let looked_up = table.lookups.contains(&path.join(".").as_str());
    let leaf = ColumnPath::new(path.clone());
    if looked_up {
        // the filter is folded to the values that there are
        builder = builder
            .set_column_bloom_filter_fpp(leaf.clone(), 0.01)
            .set_column_bloom_filter_max_ndv(leaf.clone(), rows.clamp(64, 65_536) as u64);
    }
    match column.kind {
        Kind::Struct(inner) => inner
            .iter()
            .fold(builder, |builder, field| column_properties(builder, below(&[], field), field, table, rows)),
        Kind::List(inner) => inner.iter().fold(builder, |builder, field| {
            column_properties(builder, below(&["list", "item"], field), field, table, rows)
        }),
        Kind::Text => {
            let unique = table.id == Some(column.name) || column.name == "requestid";
            if unique {
                // the bounds of random ids tell nothing, and the bloom filter finds one
                builder
                    .set_column_dictionary_enabled(leaf.clone(), false)
                    .set_column_statistics_enabled(leaf, EnabledStatistics::None)
            } else {
                builder
            }
        }
        Kind::Json => builder
            .set_column_dictionary_enabled(leaf.clone(), false)
            .set_column_statistics_enabled(leaf, EnabledStatistics::None),
        // sorted: the steps between times are smaller than any dictionary
        Kind::Time => builder
            .set_column_dictionary_enabled(leaf.clone(), false)
            .set_column_encoding(leaf, Encoding::DELTA_BINARY_PACKED),
        Kind::Symbol | Kind::Int | Kind::Float | Kind::Bool => builder,
    }
}
