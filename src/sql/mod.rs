//! SQL text → rows of the archive: the analyst's session over every table of the catalog.

pub mod room;
mod functions;
mod maps;
mod typed;
mod patterns;
mod addresses;
mod lambdas;
mod scalar;
mod keyed;
mod unnested;
pub mod replay;
mod damaged;
mod checked;
mod table;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use futures::StreamExt;

use crate::archive::layout::PRIVATE;
use crate::archive::read::Reading;
use crate::catalog;
use crate::detect;
use crate::detect::athena::tables::with_event_data_stores;
use crate::detect::reference::References;
use crate::detect::{athena, from_reference};
use crate::rule::shorthand;
use checked::Checked;
use damaged::Damaged;
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
        .with_extension(damaged.clone())
        .with_extension(Arc::new(Reading::start(&dir)?));
    let mut state = SessionStateBuilder::new_from_existing(detect::session::session(config).state());
    if let Some(room) = room {
        state = state.with_runtime_env(room);
    }
    let session = SessionContext::new_with_state(
        state.with_optimizer_rules(unnested::rules()).with_analyzer_rule(Arc::new(Checked)).build(),
    );
    for function in from_reference::functions(references) {
        session.register_udf(function.as_ref().clone());
    }
    let functions = [functions::all(), typed::all(), patterns::all(), addresses::all()];
    functions
        .into_iter()
        .flatten()
        .chain([maps::split_to_map(), scalar::json_scalar()])
        .for_each(|function| session.register_udf(function));
    maps::aggregates().into_iter().for_each(|function| session.register_udaf(function));
    lambdas::all().into_iter().for_each(|function| session.register_higher_order_function(Arc::new(function)));
    let mut tables = Vec::new();
    for table in catalog::tables() {
        let archived = Arc::new(ArchivedTable::new(&dir, table, damaged.clone()));
        session.register_table(table.name, archived.clone())?;
        tables.push(archived);
    }
    Ok((session, tables))
}

/// Runs one query: SELECT, WITH, VALUES, EXPLAIN, SHOW or DESCRIBE. A field of a struct that has no alias is shown by
/// its last name where that is unique: `userIdentity.arn` as `arn`.
///
/// # Errors
/// When the text is not one such query, or names what is not there; the message is written for the person who typed it.
pub async fn query(session: &SessionContext, sql: &str) -> anyhow::Result<SendableRecordBatchStream> {
    let mut statement = parse(&with_event_data_stores(sql)).map_err(|error| hint(sql).unwrap_or(error))?;
    shorthand::expand(&mut statement);
    athena::translate(&mut statement)?;
    let plan = session.state().statement_to_plan(statement).await;
    let plan = plan.map_err(|error| hint(sql).unwrap_or_else(|| readable(error)))?;
    let queries_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    if queries_only.verify_plan(&plan).is_err() {
        bail!("only queries are allowed here: SELECT, WITH, EXPLAIN, SHOW or DESCRIBE");
    }
    let rows = session.execute_logical_plan(plan).await.map_err(readable)?;
    let stream = rows.execute_stream().await.map_err(readable)?;
    Ok(named_shortly(stream))
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

/// What is asked here in the place of statements that are none of DataFusion's.
fn hint(sql: &str) -> Option<anyhow::Error> {
    let words: Vec<String> = sql.split_whitespace().take(3).map(str::to_ascii_uppercase).collect();
    Some(match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["SHOW", "PARTITIONS", ..] => {
            anyhow!("the partitions are columns: SELECT DISTINCT account, region, day FROM cloudtrail")
        }
        ["SHOW", "CREATE", ..] => anyhow!("DESCRIBE cloudtrail shows the columns of a table"),
        ["UNLOAD" | "UNLOAD(" | "CREATE" | "INSERT", ..] => anyhow!(
            "only queries are allowed here, and `weir sql '...' --format parquet > answer.parquet` keeps the answer of one"
        ),
        _ => return None,
    })
}

/// DataFusion's error in words for the person who typed the query.
pub fn readable(error: DataFusionError) -> anyhow::Error {
    if let DataFusionError::ResourcesExhausted(why) = error.find_root() {
        return anyhow!("{why}");
    }
    let text = error.strip_backtrace();
    if let Some((_, rest)) = text.split_once("table '")
        && let Some((path, _)) = rest.split_once("' not found")
    {
        let name = path.splitn(3, '.').last().unwrap_or(path);
        if name.starts_with("amazon_security_lake") {
            return anyhow!(
                "tables of Security Lake have OCSF's columns, and the archive AWS's own: FROM cloudtrail, where api.operation is \
                 eventName, actor.user.uid userIdentity.arn, and src_endpoint.ip sourceIPAddress"
            );
        }
        let names: Vec<_> = catalog::tables().map(|table| table.name).collect();
        return anyhow!("there is no table `{name}`; the tables are {}", names.join(", "));
    }
    const PREFIXES: [&str; 10] = [
        "Error during planning: ",
        "Schema error: ",
        "SQL error: ",
        "Execution error: ",
        "External error: ",
        "Arrow error: ",
        "Parquet error: ",
        "Cast error: ",
        "Parser error: ",
        "type_coercion\ncaused by\n",
    ];
    let mut text = text.as_str();
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)).or_else(|| behind_rule(text)) {
        text = rest;
    }
    let parser = text.strip_prefix("ParserError(\"").or_else(|| text.strip_prefix("TokenizerError(\""));
    let text = parser.and_then(|text| text.strip_suffix("\")")).unwrap_or(text);
    // a list of a hundred valid names helps nobody; the nearest one stands in front of it. Nor does the name of a setting
    let text = text.split("\nValid fields are ").next().unwrap_or(text);
    let text = text.split("\nColumn names are case sensitive.").next().unwrap_or(text);
    // a type that a function does not take, DataFusion takes for a bug of its own as well
    let text = text.split_once("https://github.com/apache/datafusion/issues. ").map_or(text, |(_, rest)| rest);
    if text.contains("does not support logical expression OuterReferenceColumn") {
        return anyhow!(
            "what stands behind FROM can name a column of another table only in CROSS JOIN UNNEST(c.resources) AS t (r), where c is \
             a table before it whose rows no outer join fills with nulls"
        );
    }
    if let Some(field) = text.strip_prefix("Field ").and_then(|text| text.strip_suffix(" not found in struct")) {
        return anyhow!(
            "there is no field `{field}` in that column: `weir tables NAME` shows the fields of a table's columns"
        );
    }
    if text.starts_with("Cannot access field at argument") && text.contains("type Utf8") {
        return anyhow!(
            "that column has no fields; of JSON text, as `weir tables NAME` says which column is, requestParameters ->> 'bucketName' \
             is one"
        );
    }
    if text.starts_with("No field named ") && text.split(['.', ' ', '"']).any(|word| word == "eventjson") {
        return anyhow!(
            "the archive has an event's fields as columns, and not its text: those without a column are in `unmapped`"
        );
    }
    if let Some(name) = text.strip_prefix("No field named ").and_then(|text| text.strip_suffix('.')) {
        if let Some(name) = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
            return anyhow!("{text} Text is written in single quotes: '{}'", name.replace('\'', "''"));
        }
        // Athena's tables are partitioned by these
        if ["date", "year", "month", "timestamp"].contains(&name) {
            return anyhow!("{text} The day of a row is `day`: WHERE day = '2024-08-01'");
        }
    }
    if let Some((what, _)) = text.split_once(", got Struct(") {
        return anyhow!("{what}, got a struct: its fields are named with dots, as in userIdentity.arn");
    }
    if text.starts_with(
        "This feature is not implemented: Nested identifiers are not yet supported for OuterReferenceColumn",
    ) {
        let name = text.rsplit(' ').next().unwrap_or_default();
        return anyhow!(
            "a subquery can name a column of a table around it, and no field of one: {name}.arn is one where FROM has it as a column, \
             as FROM (SELECT *, userIdentity.arn AS arn FROM cloudtrail) AS c has c.arn"
        );
    }
    if let Some((name, instead)) =
        ATHENA.iter().find(|(name, _)| text.starts_with(&format!("Invalid function '{name}'")))
    {
        return anyhow!("there is no function `{name}` here: {instead}");
    }
    if text.to_ascii_lowercase().contains("unsupported sql type ipaddress") {
        return anyhow!("addresses are texts here: cidr_match(srcaddr, '10.0.0.0/8', '192.168.0.0/16')");
    }
    let text = text.replace("to value of Date32 type", "to a day such as 2024-08-01");
    anyhow!("{}", text.replace("datafusion.public.", "").replace("\\\"", "\""))
}

/// Functions of Athena that there are not, and what is written here.
const ATHENA: [(&str, &str); 2] = [
    (
        "approx_most_frequent",
        "SELECT eventName, count(*) AS n FROM cloudtrail GROUP BY eventName ORDER BY n DESC LIMIT 3",
    ),
    ("numeric_histogram", "SELECT floor(bytes / 1000) AS thousands, count(*) FROM vpc_flow GROUP BY 1"),
];

/// The error that DataFusion's optimizer ran into, without the name of the rule of its that did.
fn behind_rule(text: &str) -> Option<&str> {
    text.strip_prefix("Optimizer rule '")?.split_once("' failed\ncaused by\n").map(|(_, rest)| rest)
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
        _ => field.as_ref().clone(),
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<Field>>(), schema.metadata().clone()))
}

/// `arn` of `cloudtrail.useridentity[arn]`; other expressions keep their whole text.
fn last_name(name: &str) -> &str {
    let inner = name.strip_suffix(']').and_then(|name| name.rsplit_once('['));
    match inner {
        Some((owner, last)) if !owner.contains(' ') && last.starts_with(|c: char| c.is_ascii_alphabetic()) => last,
        _ => name,
    }
}

#[cfg(test)]
mod tests;
