//! A file of the archive → its metadata and ranges of its bytes, read by the thread that wants them: where a query asks many files, to hand
//! each read to another thread takes longer than the read.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::CachedParquetMetaData;
use datafusion::error::Result;
use datafusion::execution::cache::cache_manager::{CachedFileMetadataEntry, FileMetadataCache};
use datafusion::object_store::ObjectMeta;
use datafusion::object_store::local::LocalFileSystem;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::FutureExt;
use futures::future::{self, BoxFuture};
use parquet::arrow::ARROW_SCHEMA_META_KEY;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::bloom_filter::Sbbf;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetStatisticsPolicy,
};
use parquet::schema::types::SchemaDescPtr;

/// What is read first: the metadata of most files fit in.
const TAIL_BYTES: u64 = 32 << 10;

/// The files of one table.
#[derive(Debug)]
pub struct LocalFiles {
    /// Of files, as many as fit in.
    known: Arc<FileMetadataCache>,
    /// The columns of the first file, and the text in files that says the same: those of most others are not read again.
    columns: OnceLock<(String, SchemaDescPtr)>,
}

impl LocalFiles {
    pub fn new(known: Arc<FileMetadataCache>) -> LocalFiles {
        LocalFiles { known, columns: OnceLock::new() }
    }

    /// The metadata of a file without the indexes of its pages.
    ///
    /// # Errors
    /// When there is no such file, or it is no Parquet file.
    pub fn metadata(&self, file: &mut LocalFile) -> ParquetResult<Arc<ParquetMetaData>> {
        if let Some(entry) = self.known.get(&file.meta.location)
            && entry.is_valid_for(&file.meta)
            && let Some(known) = entry.file_metadata.as_any().downcast_ref::<CachedParquetMetaData>()
        {
            return Ok(known.parquet_metadata().clone());
        }
        let metadata = Arc::new(self.read(file)?);
        let entry = Arc::new(CachedParquetMetaData::new(metadata.clone()));
        self.known.put(&file.meta.location, CachedFileMetadataEntry::new(file.meta.clone(), entry));
        Ok(metadata)
    }

    fn read(&self, file: &mut LocalFile) -> ParquetResult<ParquetMetaData> {
        let columns = self.columns.get();
        if let Some((text, columns)) = columns
            && let Ok(metadata) = parsed(file, Some(columns))
            && columns_of(&metadata) == Some(text)
        {
            return Ok(metadata);
        }
        let metadata = parsed(file, None)?;
        if columns.is_none()
            && let Some(text) = columns_of(&metadata)
        {
            let columns = metadata.file_metadata().schema_descr_ptr();
            self.columns.get_or_init(|| (text.clone(), columns));
        }
        Ok(metadata)
    }
}

/// What the file says of its columns in Arrow's words.
fn columns_of(metadata: &ParquetMetaData) -> Option<&String> {
    let pairs = metadata.file_metadata().key_value_metadata()?;
    pairs.iter().find(|pair| pair.key == ARROW_SCHEMA_META_KEY)?.value.as_ref()
}

fn parsed(file: &mut LocalFile, columns: Option<&SchemaDescPtr>) -> ParquetResult<ParquetMetaData> {
    // no reader asks for these
    let mut options = ParquetMetaDataOptions::new()
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    if let Some(columns) = columns {
        options.set_schema(columns.clone());
    }
    let mut reader = ParquetMetaDataReader::new().with_metadata_options(Some(options));
    let size = file.meta.size;
    let tail = file.bytes(size.saturating_sub(TAIL_BYTES)..size)?;
    match reader.try_parse_sized(&tail, size) {
        Err(ParquetError::NeedMoreData(needed)) if needed as u64 > TAIL_BYTES && needed as u64 <= size => {
            reader.try_parse_sized(&file.bytes(size - needed as u64..size)?, size)?;
        }
        parsed => parsed?,
    }
    reader.finish()
}

/// Makes the readers of a scan.
#[derive(Debug)]
pub struct Readers(pub Arc<LocalFiles>);

impl ParquetFileReaderFactory for Readers {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        _: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let bytes_scanned = MetricBuilder::new(metrics).counter("bytes_scanned", partition);
        Ok(Box::new(Reader { files: self.0.clone(), file: LocalFile::of(&file)?, bytes_scanned }))
    }
}

/// A file that is opened when something of it is read.
pub struct LocalFile {
    path: PathBuf,
    meta: ObjectMeta,
    opened: Option<File>,
}

impl LocalFile {
    /// # Errors
    /// When the name is none of a file.
    pub fn of(file: &PartitionedFile) -> Result<LocalFile> {
        let path = LocalFileSystem::new().path_to_filesystem(&file.object_meta.location)?;
        Ok(LocalFile { path, meta: file.object_meta.clone(), opened: None })
    }

    fn opened(&mut self) -> ParquetResult<&File> {
        if self.opened.is_none() {
            self.opened = Some(File::open(&self.path)?);
        }
        Ok(self.opened.as_ref().expect("it was opened above"))
    }

    fn bytes(&mut self, range: Range<u64>) -> ParquetResult<Bytes> {
        // a damaged file may name any range
        if range.start > range.end || range.end > self.meta.size {
            return Err(ParquetError::EOF(format!("{range:?} of {} bytes", self.meta.size)));
        }
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.opened()?.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes.into())
    }

    /// The bloom filter of a column, where there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn bloom_filter(&mut self, column: &ColumnChunkMetaData) -> ParquetResult<Option<Sbbf>> {
        let filter = Sbbf::read_from_column_chunk(column, self.opened()?)?;
        Ok(filter.filter(|filter| filter.num_blocks() > 0))
    }
}

struct Reader {
    files: Arc<LocalFiles>,
    file: LocalFile,
    bytes_scanned: Count,
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.bytes_scanned.add(range.end.saturating_sub(range.start) as usize);
        future::ready(self.file.bytes(range)).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        let policy = options.map_or(PageIndexPolicy::Skip, |options| options.column_index_policy());
        future::ready(self.files.metadata(&mut self.file).and_then(|metadata| match policy {
            PageIndexPolicy::Skip => Ok(metadata),
            policy => {
                let metadata = ParquetMetaData::clone(&metadata);
                let mut reader = ParquetMetaDataReader::new_with_metadata(metadata).with_page_index_policy(policy);
                reader.read_page_indexes(self.file.opened()?)?;
                Ok(Arc::new(reader.finish()?))
            }
        }))
        .boxed()
    }
}
