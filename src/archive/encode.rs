//! Sorted rows of one table → a Parquet file, its columns encoded side by side on all cores.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriter, compute_leaves,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;

use super::Config;
use super::chunk::{Chunk, Pages};
use super::gather::{self, Place, Rows};
use crate::table::{Column, Kind, PARTITIONS, Table};

/// Rows are gathered in pieces of this many: 128 KiB of string views, which stay in the cache until they are encoded.
const PIECE_ROWS: usize = 8192;

/// Bytes of a page before compression: whoever reads or merges files holds one of each column in memory.
const PAGE_BYTES: usize = 256 << 10;

/// The file is written in pieces of about this size.
const WRITE_BYTES: usize = 128 << 10;

/// A file being written. It holds one row group, encoded, in memory.
pub struct Encoder {
    file: SerializedFileWriter<BufWriter<File>>,
    /// Makes the writers of the columns that are not of [`Part::Texts`].
    others: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    group_rows_max: usize,
    group: Vec<Part>,
    group_rows: usize,
    /// How many are yet to come.
    rows_left: usize,
}

/// A column of the table, in the open row group.
enum Part {
    /// Texts, a struct of nothing else, or a list of these: one for each of its leaves.
    Texts(Vec<Chunk>),
    /// The column itself, or its fields when it is nested.
    Other { field: Arc<Field>, writers: Vec<ArrowColumnWriter> },
}

/// What a [`Part`] becomes.
enum Ended {
    Texts(Vec<(Pages, ColumnCloseResult)>),
    Other(Vec<ArrowColumnChunk>),
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
        let others = schema.fields().iter().filter(|field| !is_texts(field.data_type())).cloned().collect::<Fields>();
        let others = Arc::new(Schema::new(others));
        let (_, others) =
            ArrowWriter::try_new(io::sink(), others, Some(properties.clone()))?.into_serialized_writer()?;
        let file = BufWriter::with_capacity(WRITE_BYTES, File::create(path)?);
        let (file, _) = ArrowWriter::try_new(file, schema.clone(), Some(properties))?.into_serialized_writer()?;
        let group_rows_max = config.row_group_rows.max(1);
        Ok(Encoder { file, others, schema, group_rows_max, group: Vec::new(), group_rows: 0, rows_left: rows })
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
            self.group_rows += now.len();
            self.rows_left = self.rows_left.saturating_sub(now.len());
            if self.group_rows == self.group_rows_max || self.rows_left == 0 {
                // each column is closed before the next is begun: what it is compressed with is most of what a column takes
                let group = std::mem::take(&mut self.group).into_par_iter().enumerate().with_max_len(1);
                let ended = group.map(|(column, mut part)| {
                    part.append(from.column(column), now)?;
                    part.end()
                });
                self.write_group(ended.collect::<anyhow::Result<_>>()?)?;
            } else {
                let group = self.group.par_iter_mut().enumerate().with_max_len(1);
                group.try_for_each(|(column, part)| part.append(from.column(column), now))?;
            }
            places = later;
        }
        Ok(())
    }

    /// Ends the file, and gives its size. That the disk has it has still to be waited for.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(mut self) -> anyhow::Result<u64> {
        self.close_group()?;
        let file = self.file.into_inner()?.into_inner().map_err(|error| error.into_error())?;
        Ok(file.metadata()?.len())
    }

    fn open_group(&mut self) -> anyhow::Result<()> {
        let mut others = self.others.create_column_writers(self.file.flushed_row_groups().len())?.into_iter();
        let mut leaves = self.file.schema_descr().columns().iter();
        let properties = self.file.properties();
        let part = |field: &Arc<Field>| -> anyhow::Result<Part> {
            let leaves = leaves.by_ref().take(leaf_count(field.data_type()));
            if is_texts(field.data_type()) {
                let chunks = leaves.map(|leaf| Chunk::new(leaf.clone(), properties));
                return Ok(Part::Texts(chunks.collect::<Result<_, _>>()?));
            }
            Ok(Part::Other { field: field.clone(), writers: others.by_ref().take(leaves.count()).collect() })
        };
        self.group = self.schema.fields().iter().map(part).collect::<Result<_, _>>()?;
        self.group_rows = 0;
        Ok(())
    }

    fn close_group(&mut self) -> anyhow::Result<()> {
        let parts = std::mem::take(&mut self.group);
        if parts.is_empty() {
            return Ok(());
        }
        self.write_group(parts.into_par_iter().with_max_len(1).map(Part::end).collect::<anyhow::Result<_>>()?)
    }

    fn write_group(&mut self, parts: Vec<Ended>) -> anyhow::Result<()> {
        let mut group = self.file.next_row_group()?;
        for ended in parts {
            match ended {
                Ended::Texts(chunks) => {
                    chunks.into_iter().try_for_each(|(pages, close)| group.append_column(&pages, close))?;
                }
                Ended::Other(chunks) => {
                    chunks.into_iter().try_for_each(|chunk| chunk.append_to_row_group(&mut group))?;
                }
            }
        }
        group.close()?;
        Ok(())
    }
}

impl Part {
    fn append(&mut self, from: &gather::Column, places: &[Place]) -> anyhow::Result<()> {
        match self {
            Part::Texts(chunks) => {
                let items = from.items(places);
                let pairs = from.leaves().into_par_iter().zip(chunks).with_max_len(1);
                pairs.try_for_each(|(leaf, chunk)| match &items {
                    None => chunk.append(leaf, places),
                    Some(items) => chunk.append_items(leaf, items),
                })
            }
            Part::Other { field, writers } => places.chunks(PIECE_ROWS).try_for_each(|places| {
                let leaves = compute_leaves(field, &from.gather(places)?)?;
                let pairs = leaves.par_iter().zip(&mut *writers).with_max_len(1);
                Ok(pairs.try_for_each(|(leaf, writer)| writer.write(leaf))?)
            }),
        }
    }

    fn end(self) -> anyhow::Result<Ended> {
        Ok(match self {
            Part::Texts(chunks) => {
                Ended::Texts(chunks.into_par_iter().with_max_len(1).map(Chunk::close).collect::<Result<_, _>>()?)
            }
            Part::Other { writers, .. } => {
                let chunks = writers.into_par_iter().with_max_len(1).map(ArrowColumnWriter::close);
                Ended::Other(chunks.collect::<Result<_, _>>()?)
            }
        })
    }
}

/// The schema of a table's files: its columns, without the partition columns that the folders name.
pub fn file_schema(table: &Table) -> SchemaRef {
    let fields: Vec<Arc<Field>> = table.schema().fields().iter().skip(PARTITIONS.len()).cloned().collect();
    Arc::new(Schema::new(fields))
}

/// Whether it is texts, a struct of nothing else, or a list of these.
fn is_texts(kind: &DataType) -> bool {
    fn is_without_list(kind: &DataType) -> bool {
        match kind {
            DataType::Utf8View | DataType::Dictionary(..) => true,
            DataType::Struct(fields) => fields.iter().all(|field| is_without_list(field.data_type())),
            _ => false,
        }
    }
    match kind {
        DataType::List(item) => is_without_list(item.data_type()),
        _ => is_without_list(kind),
    }
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
    if matches!(column.kind, Kind::Text | Kind::Symbol | Kind::Json) {
        // for what stands in no dictionary: without lengths between them a match goes on from one text to the next, and where there is
        // none, as in ids, zstd soon looks at few places only
        builder = builder.set_column_encoding(leaf.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY);
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
