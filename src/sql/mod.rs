//! SQL text → rows of the archive: the analyst's session over every table of the catalog.

pub mod room;
mod functions;
mod plain;
mod pieces;
mod json_paths;
mod json_made;
mod maps;
mod map_sets;
mod rows;
mod typed;
mod patterns;
mod addresses;
mod lambdas;
mod scalar;
mod keyed;
mod correlated;
mod once;
mod unnested;
mod compiled;
mod per_value;
mod computed_keys;
mod window_fields;
mod numbered;
mod counted_ids;
pub mod replay;
mod local;
mod lookups;
mod damaged;
mod checked;
mod intervals;
mod asked;
mod totals;
mod moments;
mod describe;
mod table;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use futures::StreamExt;

use crate::archive::layout::PRIVATE;
use crate::archive::read::Reading;
use crate::catalog;
use crate::detect;
use crate::detect::athena;
use crate::detect::athena::tables::with_event_data_stores;
use crate::detect::athena::twice::unmarked;
use crate::detect::functions::percentile;
use crate::detect::plan::mistakes::Mistake;
use crate::detect::reference::{List, References, from_reference, lookup};
use crate::rule::dialect::SqlError;
use crate::rule::shape::LISTS;
use crate::rule::shorthand;
use asked::Asked;
use checked::Checked;
use damaged::Damaged;
use intervals::Intervals;
use table::ArchivedTable;

/// A session over the archive as it is now: files committed later are not seen. Tables without rows are there, empty.
/// While the session or a stream of it lives, the archive's files stay where they are, so compaction waits.
///
/// # Errors
/// When there is no archive in `dir`, or it cannot be read.
pub fn session(dir: &Path) -> anyhow::Result<SessionContext> {
    let (session, tables) = open(dir, &References::default(), None)?;
    tables.iter().try_for_each(|table| table.find_files())?;
    Ok(session)
}

/// A session for one query, with lists that `in_reference` and `from_reference` ask, that keeps to a limit of memory
/// ([`room::within`]). Only the folders of tables that the query asks are read, and when it does.
///
/// # Errors
/// As [`session`].
pub fn session_with(dir: &Path, references: &References, room: Arc<RuntimeEnv>) -> anyhow::Result<SessionContext> {
    Ok(open(dir, references, Some(room))?.0)
}

fn open(
    dir: &Path,
    references: &References,
    room: Option<Arc<RuntimeEnv>>,
) -> anyhow::Result<(SessionContext, Vec<Arc<ArchivedTable>>)> {
    // where a function of Lambda keeps one
    if dir.starts_with("s3:") {
        bail!("an archive in S3 is asked as a copy: `aws s3 sync {} archive`, then --archive archive", dir.display());
    }
    if matches!(dir.try_exists(), Ok(false)) {
        bail!("there is no archive {}: `weir run --archive {0}` makes one", dir.display());
    }
    let dir = dir.canonicalize().with_context(|| format!("opening the archive {}", dir.display()))?;
    let has_table = catalog::tables().any(|table| dir.join(table.name).is_dir());
    if !has_table && !dir.join(PRIVATE).is_dir() {
        bail!("{} is not an archive: `weir run --archive {0}` makes one", dir.display());
    }
    let damaged = Arc::new(Damaged::default());
    let config = SessionConfig::new()
        .with_information_schema(true)
        // the zone of Athena's sessions, of which `current_timestamp` is
        .set_str("datafusion.execution.time_zone", "UTC")
        // as in Athena: the most of something is not what has none of it
        .set_str("datafusion.sql_parser.default_null_ordering", "nulls_last")
        .with_parquet_bloom_filter_pruning(true)
        .with_parquet_page_index_pruning(true)
        .set_bool("datafusion.execution.parquet.pushdown_filters", true)
        .set_bool("datafusion.execution.parquet.reorder_filters", true)
        // DataFusion 55 passes over rows that are below the most of one column, also where another aggregate needs them: of
        // `max(eventTime), max(eventName)` and `max(bytes), max(bytes / packets)` the second was of some rows only
        .set_bool("datafusion.optimizer.enable_aggregate_dynamic_filter_pushdown", false)
        // DataFusion 55 knows of `CASE WHEN bytes > 5 AND dstaddr IS NOT NULL THEN dstaddr ELSE 'none' END` where it plans that it is never
        // null, and where it runs not, and by this check refuses to group by it
        .set_bool("datafusion.execution.skip_physical_aggregate_schema_check", true)
        .with_extension(damaged.clone())
        .with_extension(Arc::new(references.clone()))
        .with_extension(Arc::new(Reading::start(&dir)?));
    let mut state = SessionStateBuilder::new_from_existing(detect::session::session(config).state());
    if let Some(room) = room {
        state = state.with_runtime_env(room);
    }
    let session = SessionContext::new_with_state(
        state
            .with_optimizer_rules(unnested::rules())
            .with_analyzer_rule(Arc::new(Checked))
            .with_analyzer_rule(Arc::new(Intervals))
            .with_analyzer_rule(Arc::new(Asked))
            .build(),
    );
    for function in from_reference::functions(references) {
        session.register_udf(function.as_ref().clone());
    }
    session
        .catalog("datafusion")
        .context("a session has its catalog")?
        .register_schema(LISTS, Arc::new(lists(references)?))?;
    let functions = [functions::all(), plain::all(), typed::all(), patterns::all(), addresses::all()];
    functions
        .into_iter()
        .flatten()
        .chain(json_paths::all())
        .chain(json_made::all())
        .chain(map_sets::all())
        .chain(scalar::all())
        .chain([maps::split_to_map(), pieces::item_parts()])
        .chain([rows::row_is_outside(), rows::row_key()])
        .for_each(|function| session.register_udf(function));
    maps::aggregates()
        .into_iter()
        .chain(moments::aggregates())
        .chain([totals::sum(), totals::avg(), percentile::in_queries()])
        .for_each(|function| session.register_udaf(function));
    lambdas::all().into_iter().for_each(|function| session.register_higher_order_function(Arc::new(function)));
    let mut tables = Vec::new();
    for table in catalog::tables() {
        let archived = Arc::new(ArchivedTable::new(&dir, table, damaged.clone()));
        session.register_table(table.name, archived.clone())?;
        tables.push(archived);
    }
    Ok((session, tables))
}

/// The user's lists as tables.
fn lists(references: &References) -> anyhow::Result<MemorySchemaProvider> {
    let schema = MemorySchemaProvider::new();
    for (name, list) in references.all() {
        let List::Keyed(rows) = list else { continue };
        let table = MemTable::try_new(rows.rows().schema(), vec![vec![rows.rows().clone()]])?;
        schema.register_table(name.to_owned(), Arc::new(table))?;
    }
    Ok(schema)
}

/// Runs one query: SELECT, WITH, VALUES, EXPLAIN, SHOW or DESCRIBE. A field of a struct that has no alias is shown by
/// its last name where that is unique: `userIdentity.arn` as `arn`. Several columns may have one name, as in Athena.
///
/// # Errors
/// When the text is not one such query, or names what is not there; the message is written for the person who typed it.
pub async fn query(session: &SessionContext, sql: &str) -> anyhow::Result<SendableRecordBatchStream> {
    if let Some(hint) = hint(sql) {
        return Err(hint);
    }
    let mut statement = parse(&with_event_data_stores(sql))?;
    shorthand::expand(&mut statement);
    if let Some(references) = session.state().config().get_extension::<References>() {
        lookup::join_networks(&mut statement, &references)?;
    }
    athena::translate(&mut statement)?;
    let plan = session.state().statement_to_plan(statement).await;
    let plan = plan.map_err(|error| readable_in(sql, &error))?;
    if let LogicalPlan::DescribeTable(table) = &plan {
        return describe::columns(&table.schema);
    }
    let queries_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    if queries_only.verify_plan(&plan).is_err() {
        bail!(QUERIES_ONLY);
    }
    let stream = started(session, plan.clone()).await;
    let stream =
        stream.map_err(|error| correlated::instead(&plan, &error).unwrap_or_else(|| readable_in(sql, &error)))?;
    Ok(named_shortly(stream))
}

/// The rows of a plan. DataFusion 55 computes fields of structs near the files, and some plans it loses columns of by that, such as one
/// with `WHERE (SELECT count(*) ...) > 0 GROUP BY userIdentity.type`: where it finds no way to run one, it is asked again without.
async fn started(session: &SessionContext, plan: LogicalPlan) -> Result<SendableRecordBatchStream, DataFusionError> {
    let mut state = session.state();
    match DataFrame::new(state.clone(), plan.clone()).execute_stream().await {
        Ok(stream) => Ok(stream),
        Err(error) => {
            state.config_mut().options_mut().optimizer.enable_leaf_expression_pushdown = false;
            DataFrame::new(state, plan).execute_stream().await.map_err(|_| error)
        }
    }
}

/// The files of the archive that queries of the session could not read, or not to their end, and why: the rest of their rows are
/// missing from the answers. Known once these are read.
pub fn damaged(session: &SessionContext) -> Vec<(PathBuf, String)> {
    session.state().config().get_extension::<Damaged>().map_or_else(Vec::new, |damaged| damaged.files())
}

/// The same where an answer that lacks rows is none.
///
/// # Errors
/// When there is such a file, with its name.
pub fn refuse_damaged(session: &SessionContext) -> anyhow::Result<()> {
    match damaged(session).first() {
        Some((path, why)) => bail!("{}: {why}", path.display()),
        None => Ok(()),
    }
}

fn parse(sql: &str) -> anyhow::Result<Statement> {
    let mut statements = detect::session::parse(sql)?;
    match (statements.pop_front(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        (Some(_), false) => bail!("one query at a time: there are {} statements", statements.len() + 1),
        (None, _) => bail!("there is no query in `{}`", sql.trim()),
    }
}

const QUERIES_ONLY: &str = "only queries are allowed here: SELECT, WITH, EXPLAIN, SHOW or DESCRIBE";

/// What is asked here in the place of statements of Athena that are no queries, or of which DataFusion says nothing.
fn hint(sql: &str) -> Option<anyhow::Error> {
    let words: Vec<String> = behind_comments(sql).split_whitespace().take(3).map(str::to_ascii_uppercase).collect();
    Some(match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["SHOW", "PARTITIONS", ..] => {
            anyhow!("the partitions are columns: SELECT DISTINCT account, region, day FROM cloudtrail")
        }
        ["SHOW", "DATABASES" | "SCHEMAS" | "CATALOGS" | "VIEWS", ..] | ["USE", ..] => {
            anyhow!("there is one database here, the archive: SHOW TABLES")
        }
        ["SHOW", "CREATE" | "STATS" | "TBLPROPERTIES", ..] => {
            anyhow!("DESCRIBE cloudtrail shows the columns of a table")
        }
        ["CREATE", "VIEW", ..] | ["CREATE", "OR", "REPLACE"] => {
            anyhow!("there are no views here: WITH v AS (SELECT ...) SELECT ... FROM v names a query for another")
        }
        ["EXPLAIN", "(TYPE", ..] | ["EXPLAIN", "(", "TYPE"] => anyhow!(
            "EXPLAIN has no options here: EXPLAIN SELECT ... shows the plan, and EXPLAIN ANALYZE SELECT ... what each step of it took"
        ),
        ["UNLOAD" | "UNLOAD(" | "CREATE" | "INSERT", ..] => anyhow!(
            "only queries are allowed here, and `weir sql '...' --format parquet > answer.parquet` keeps the answer of one"
        ),
        ["TABLE", name, ..] => anyhow!("the rows of a table: SELECT * FROM {}", name.to_ascii_lowercase()),
        ["FIELDS" | "FILTER" | "STATS" | "PARSE" | "DISPLAY" | "DEDUP" | "SORT" | "SOURCE", ..] => anyhow!(
            "these are words of CloudWatch Logs Insights: SELECT sourceIPAddress, count(*) AS calls FROM cloudtrail \
             WHERE eventName = 'ConsoleLogin' GROUP BY 1 ORDER BY calls DESC LIMIT 20 says the same in SQL"
        ),
        // Splunk and Kusto
        [first, ..]
            if *first == "SEARCH" || first.starts_with("INDEX=") || words.get(1).is_some_and(|word| word == "|") =>
        {
            anyhow!(
                "there are no pipes in SQL: SELECT sourceIPAddress, count(*) AS calls FROM cloudtrail \
                 WHERE eventName = 'ConsoleLogin' GROUP BY 1 says what `eventName=ConsoleLogin | stats count by sourceIPAddress` says"
            )
        }
        ["PREPARE" | "EXECUTE" | "DEALLOCATE", ..] => {
            anyhow!(
                "there are no prepared statements here: the values are written into the query, eventName = 'ConsoleLogin'"
            )
        }
        ["ALTER" | "BEGIN" | "CALL" | "DELETE" | "DROP" | "MERGE" | "MSCK" | "OPTIMIZE" | "SET", ..]
        | ["TRUNCATE" | "UPDATE" | "VACUUM", ..] => anyhow!(QUERIES_ONLY),
        _ => return None,
    })
}

/// The text behind the comments that it begins with.
fn behind_comments(sql: &str) -> &str {
    let mut rest = sql.trim_start();
    loop {
        let behind = match rest.get(..2) {
            Some("--") => rest.split_once('\n'),
            Some("/*") => rest.split_once("*/"),
            _ => None,
        };
        match behind {
            Some((_, behind)) => rest = behind.trim_start(),
            None => return rest,
        }
    }
}

/// DataFusion's error in words for the person who typed the query.
pub fn readable(error: DataFusionError) -> anyhow::Error {
    anyhow!(Mistake::of(&error).message)
}

/// The same with the place of what it is about in the text of the query.
pub fn readable_in(sql: &str, error: &DataFusionError) -> anyhow::Error {
    let mistake = Mistake::of(error).in_text(sql);
    match mistake.place(sql) {
        Some((line, column)) => SqlError { line, column, message: mistake.message }.into(),
        None => anyhow!(mistake.message),
    }
}

/// The same rows with `t.a[b][c]` shown as `c` where no other column is.
fn named_shortly(stream: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let schema = short_names(&stream.schema());
    let shown = schema.clone();
    let rows = stream.map(move |rows| Ok(RecordBatch::try_new(shown.clone(), rows?.columns().to_vec())?));
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

fn short_names(schema: &SchemaRef) -> SchemaRef {
    let names: Vec<&str> = schema.fields().iter().map(|field| last_name(field.name())).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    names.iter().for_each(|name| *counts.entry(name).or_default() += 1);
    let fields = schema.fields().iter().zip(&names).map(|(field, name)| match counts[name] {
        1 => field.as_ref().clone().with_name(*name),
        _ => field.as_ref().clone().with_name(unmarked(field.name())),
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<Field>>(), schema.metadata().clone()))
}

/// `arn` of `cloudtrail.useridentity[arn]`; other expressions keep their whole text.
fn last_name(name: &str) -> &str {
    let name = unmarked(name);
    let inner = name.strip_suffix(']').and_then(|name| name.rsplit_once('['));
    match inner {
        Some((owner, last)) if !owner.contains(' ') && last.starts_with(|c: char| c.is_ascii_alphabetic()) => last,
        _ => name,
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod error_tests;
#[cfg(test)]
mod words_tests;
#[cfg(test)]
mod athena_tests;
#[cfg(test)]
mod json_tests;
#[cfg(test)]
mod aggregate_tests;
#[cfg(test)]
mod analyst_tests;
