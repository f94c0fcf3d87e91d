//! A scan of Parquet files → the same scan, which goes on behind a file that is damaged, and the names of those that are.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpenFuture, FileOpener, FileScanConfig, FileSource, ParquetSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::object_store::ObjectStore;
use datafusion::object_store::local::LocalFileSystem;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::filter_pushdown::FilterPushdownPropagation;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, SortOrderPushdownResult};
use futures::{FutureExt, StreamExt, future, stream};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::PageIndexPolicy;

use super::local::LocalFiles;
use super::lookups::Lookups;

/// The files that queries of a session could not read, or not to their end, and why.
#[derive(Debug, Default)]
pub struct Damaged(Mutex<BTreeMap<PathBuf, String>>);

impl Damaged {
    pub fn files(&self) -> Vec<(PathBuf, String)> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.iter().map(|(path, why)| (path.clone(), why.clone())).collect()
    }

    /// Notes the file that gave an error where it is damaged.
    ///
    /// # Errors
    /// The same error where it is not: then the query is wrong.
    fn judge(&self, path: &Path, error: DataFusionError) -> Result<()> {
        let is_known = self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(path);
        if is_known {
            return Ok(());
        }
        let Err(why) = read_whole(path) else { return Err(error) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), format!("{why:#}"));
        Ok(())
    }
}

/// Reads every row, for what fails in a scan may also be a condition that is asked of the rows in it.
fn read_whole(path: &Path) -> anyhow::Result<()> {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let mut rows = ParquetRecordBatchReaderBuilder::try_new_with_options(File::open(path)?, options)?.build()?;
    rows.try_for_each(|rows| rows.map(drop))?;
    Ok(())
}

/// A source of rows that ends a file where it is damaged, as if it had no more, and opens none that [`Lookups`] rule out.
pub struct GoesOn {
    source: Arc<dyn FileSource>,
    files: Arc<LocalFiles>,
    damaged: Arc<Damaged>,
}

impl GoesOn {
    /// `files` are those that the source reads.
    pub fn new(source: Arc<dyn FileSource>, files: Arc<LocalFiles>, damaged: Arc<Damaged>) -> GoesOn {
        GoesOn { source, files, damaged }
    }

    fn with(&self, source: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(GoesOn::new(source, self.files.clone(), self.damaged.clone()))
    }
}

impl FileSource for GoesOn {
    fn create_file_opener(
        &self,
        object_store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        let lookups = Arc::new(self.source.filter().as_ref().map(Lookups::of).unwrap_or_default());
        let (source, files, damaged) = (self.source.clone(), self.files.clone(), self.damaged.clone());
        let of_small: Arc<dyn FileSource> = match source.downcast_ref::<ParquetSource>() {
            Some(source) => Arc::new(source.clone().with_enable_page_index(false)),
            None => source.clone(),
        };
        let config = config.clone();
        Ok(Arc::new(Opener { source, of_small, lookups, files, damaged, object_store, config, partition }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.source.table_schema()
    }

    fn with_batch_size(&self, rows: usize) -> Arc<dyn FileSource> {
        self.with(self.source.with_batch_size(rows))
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.source.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.source.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.source.metrics()
    }

    fn file_type(&self) -> &str {
        self.source.file_type()
    }

    fn fmt_extra(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt_extra(kind, f)
    }

    fn supports_repartitioning(&self) -> bool {
        self.source.supports_repartitioning()
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let pushed = self.source.try_pushdown_filters(filters, config)?;
        let updated_node = pushed.updated_node.map(|source| self.with(source));
        Ok(FilterPushdownPropagation { updated_node, ..pushed })
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        Ok(self.source.try_pushdown_sort(order, properties)?.map(|source| self.with(source)))
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.source.reorder_files(files)
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        Ok(self.source.try_pushdown_projection(projection)?.map(|source| self.with(source)))
    }

    fn apply_expressions(
        &self,
        each: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.source.apply_expressions(each)
    }
}

/// To read the indexes of the pages of a smaller file takes longer than to read the few pages that they rule out.
const SMALL_BYTES: u64 = 2 << 20;

struct Opener {
    source: Arc<dyn FileSource>,
    /// The same for files under [`SMALL_BYTES`].
    of_small: Arc<dyn FileSource>,
    lookups: Arc<Lookups>,
    files: Arc<LocalFiles>,
    damaged: Arc<Damaged>,
    object_store: Arc<dyn ObjectStore>,
    config: FileScanConfig,
    partition: usize,
}

impl FileOpener for Opener {
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        let path = LocalFileSystem::new().path_to_filesystem(&file.object_meta.location)?;
        let (lookups, files, damaged) = (self.lookups.clone(), self.files.clone(), self.damaged.clone());
        let source = if file.object_meta.size < SMALL_BYTES { &self.of_small } else { &self.source };
        let morsels = source.create_morselizer(self.object_store.clone(), &self.config, self.partition)?;
        let opened = async move {
            let Some(file) = lookups.narrow(&files, file)? else { return Ok(Vec::new()) };
            let mut planners = VecDeque::from([morsels.plan_file(file)?]);
            let mut parts = Vec::new();
            while let Some(planner) = planners.pop_front() {
                let Some(mut plan) = planner.plan()? else { continue };
                parts.extend(plan.take_morsels());
                planners.extend(plan.take_ready_planners());
                if let Some(pending) = plan.take_pending_planner() {
                    planners.push_back(pending.await?);
                }
            }
            Ok(parts)
        };
        Ok(async move {
            let parts = match opened.await {
                Ok(parts) => parts,
                Err(error) => {
                    damaged.judge(&path, error)?;
                    Vec::new()
                }
            };
            let rows = stream::iter(parts).flat_map(|part| part.into_stream());
            let rows = rows.scan((), move |(), rows| {
                future::ready(match rows {
                    Ok(rows) => Some(Ok(rows)),
                    Err(error) => damaged.judge(&path, error).err().map(Err),
                })
            });
            Ok(rows.boxed())
        }
        .boxed())
    }
}
