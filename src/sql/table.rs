//! The committed files of one table → a table of the SQL session, with the partitions' account, Region and day as columns.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, AsArray, Date32Array, DictionaryArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, ScalarValue, project_schema};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::{PartitionedFile, helpers::expr_applicable_for_cols};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::object_store::{ObjectMeta, path::Path as ObjectPath};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::damaged::{Damaged, GoesOn};
use super::local::{LocalFiles, Readers};
use crate::archive::encode::file_schema;
use crate::archive::read::{self, Found};
use crate::table::{PARTITIONS, Table};

/// Columns that the folders name, in front of the file's own.
const FOLDERS: [&str; 3] = ["account", "region", "day"];

/// Files written with other columns fit in by name: a column that a file lacks is null there.
#[derive(Debug)]
pub struct ArchivedTable {
    dir: PathBuf,
    table: &'static Table,
    /// Those that were there when somebody first asked.
    files: OnceLock<Vec<(Found, PartitionedFile)>>,
    damaged: Arc<Damaged>,
    schema: SchemaRef,
    scanned: TableSchema,
}

impl ArchivedTable {
    /// `dir` is absolute; `damaged` is told of files that cannot be read.
    pub fn new(dir: &Path, table: &'static Table, damaged: Arc<Damaged>) -> ArchivedTable {
        let folders: Vec<Arc<Field>> = PARTITIONS
            .iter()
            .map(|column| Field::new(column.name, column.kind.data_type(), true))
            .chain([Field::new("day", DataType::Date32, true)])
            .map(Arc::new)
            .collect();
        let own = file_schema(table);
        let fields: Vec<_> = folders.iter().chain(own.fields().iter()).cloned().collect();
        ArchivedTable {
            dir: dir.to_owned(),
            table,
            files: OnceLock::new(),
            damaged,
            schema: Arc::new(Schema::new(fields)),
            scanned: TableSchema::builder(own).with_table_partition_cols(folders).build(),
        }
    }

    /// Looks for the files, where nobody has: those that come later are not seen.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn find_files(&self) -> anyhow::Result<()> {
        Ok(self.files().map(|_| ())?)
    }

    fn files(&self) -> Result<&[(Found, PartitionedFile)]> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let found = read::files(&self.dir, self.table).map_err(|error| DataFusionError::External(error.into()))?;
        let files = found.into_iter().map(|file| {
            let partitioned = partitioned(&file)?;
            Ok((file, partitioned))
        });
        let files = files.collect::<Result<Vec<_>>>()?;
        Ok(self.files.get_or_init(|| files))
    }

    /// The files that may hold rows for filters over [`FOLDERS`].
    fn pruned(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<PartitionedFile>> {
        let filters: Vec<_> = filters.iter().filter(|filter| is_of_folders(filter)).collect();
        let files = self.files()?;
        let mut keep = vec![true; files.len()];
        if !filters.is_empty() && !files.is_empty() {
            let rows = self.folder_rows(files)?;
            let schema = DFSchema::try_from(rows.schema())?;
            for filter in filters {
                let unqualified = unqualified(filter)?;
                let holds = state.create_physical_expr(unqualified, &schema)?.evaluate(&rows)?;
                let holds = holds.into_array(rows.num_rows())?;
                keep.iter_mut().zip(holds.as_boolean()).for_each(|(keep, holds)| *keep &= holds == Some(true));
            }
        }
        Ok(files.iter().zip(keep).filter(|(_, keep)| *keep).map(|((_, file), _)| file.clone()).collect())
    }

    /// A row of [`FOLDERS`] for each file.
    fn folder_rows(&self, files: &[(Found, PartitionedFile)]) -> Result<RecordBatch> {
        let partitions = || files.iter().map(|(found, _)| &found.partition);
        let symbols = |values: DictionaryArray<Int32Type>| Arc::new(values) as ArrayRef;
        let columns = vec![
            symbols(partitions().map(|partition| partition.account.as_str()).collect()),
            symbols(partitions().map(|partition| partition.region.as_str()).collect()),
            Arc::new(partitions().map(|partition| partition.day).collect::<Date32Array>()),
        ];
        let schema = Schema::new(self.schema.fields().iter().take(FOLDERS.len()).cloned().collect::<Vec<_>>());
        Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
    }

    fn plan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.pruned(state, filters)?;
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(project_schema(&self.schema, projection)?)));
        }
        let own = self.schema.fields().len() - FOLDERS.len();
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        // a scan has the folders' columns behind the file's
        let place = |&column: &usize| if column < FOLDERS.len() { own + column } else { column - FOLDERS.len() };
        let places = projection.unwrap_or(&all).iter().map(place).collect();
        // a limit may end the scan early only where no row is filtered out behind it
        let limit = limit.filter(|_| filters.iter().all(is_of_folders));
        let files_read = Arc::new(LocalFiles::new(state.runtime_env().cache_manager.get_file_metadata_cache()));
        let source = ParquetSource::new(self.scanned.clone())
            .with_table_parquet_options(state.default_table_options().parquet)
            .with_parquet_file_reader_factory(Arc::new(Readers(files_read.clone())));
        let source = Arc::new(GoesOn::new(Arc::new(source), files_read, self.damaged.clone()));
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), source)
            .with_file_groups(FileGroup::new(files).split_files(state.config().target_partitions()))
            .with_projection_indices(Some(places))?
            .with_limit(limit);
        Ok(DataSourceExec::from_data_source(config.build()))
    }
}

fn partitioned(found: &Found) -> Result<PartitionedFile> {
    let location =
        ObjectPath::from_absolute_path(&found.path).map_err(|error| DataFusionError::External(error.into()))?;
    let symbol = |value: &str| {
        let value = Box::new(ScalarValue::Utf8(Some(value.to_owned())));
        ScalarValue::Dictionary(Box::new(DataType::Int32), value)
    };
    let partition = &found.partition;
    let values = vec![symbol(&partition.account), symbol(&partition.region), ScalarValue::Date32(partition.day)];
    let meta =
        ObjectMeta { location, last_modified: found.modified.into(), size: found.bytes, e_tag: None, version: None };
    Ok(PartitionedFile::new_from_meta(meta).with_partition_values(values))
}

fn is_of_folders(filter: &Expr) -> bool {
    expr_applicable_for_cols(&FOLDERS, filter)
}

/// The expression with `table.column` as `column`.
fn unqualified(filter: &Expr) -> Result<Expr> {
    use datafusion::common::Column;
    use datafusion::common::tree_node::{Transformed, TreeNode};
    let changed = filter.clone().transform(|expr| match expr {
        Expr::Column(column) => Ok(Transformed::yes(Expr::Column(Column::new_unqualified(column.name)))),
        other => Ok(Transformed::no(other)),
    });
    Ok(changed?.data)
}

type Scan<'a> = Pin<Box<dyn Future<Output = Result<Arc<dyn ExecutionPlan>>> + Send + 'a>>;

impl TableProvider for ArchivedTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    // written out as `async_trait` would expand it, which spares the dependency
    fn scan<'this, 'state, 'projection, 'filters, 'scan>(
        &'this self,
        state: &'state dyn Session,
        projection: Option<&'projection Vec<usize>>,
        filters: &'filters [Expr],
        limit: Option<usize>,
    ) -> Scan<'scan>
    where
        'this: 'scan,
        'state: 'scan,
        'projection: 'scan,
        'filters: 'scan,
        Self: 'scan,
    {
        Box::pin(async move { self.plan(state, projection, filters, limit) })
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match is_of_folders(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Inexact,
        };
        Ok(filters.iter().map(support).collect())
    }
}
