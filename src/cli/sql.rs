//! `weir sql`: one query over an archive.

mod lines;
mod result_set;

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, UnionArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions, array_value_to_string};
use clap::{Args, ValueEnum};
use datafusion::prelude::SessionContext;
use futures::{Stream, StreamExt};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use tokio::runtime::Builder;

use super::output::{self, Failure, OrFail};
use super::{archived, reference};
use crate::config::Config;
use crate::memory::{Memory, Size};
use crate::sink::table::plain_lines;
use crate::sql::{self, room};

#[derive(Args)]
pub struct Sql {
    /// The query, or - for standard input; column names are AWS's, in any case. The text of a rule is one, comments and all
    #[arg(allow_hyphen_values = true)]
    query: String,
    /// Folder of the archive [default: archive.dir of the configuration, weir-archive]
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// Form of the answer
    #[arg(long, value_enum, default_value = "table")]
    format: Form,
    /// Configuration file, for the archive, and the lists that queries ask and join
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How much memory the process may take, such as 512MiB, at least 256MiB; rows that find no room are in files in TMPDIR meanwhile
    /// [default: half of the machine's, or of the limit of its control group]
    #[arg(long, value_name = "SIZE")]
    memory: Option<Size>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Table,
    /// Comma-separated values, nested ones as text; text that a spreadsheet would run as a formula has an apostrophe in front
    Csv,
    /// One JSON object a line
    Ndjson,
    /// A Parquet file on standard output
    Parquet,
    /// What `aws athena get-query-results` prints, in one JSON object: rows of texts behind one of names, and the types
    Athena,
}

pub fn run(flags: &Sql) -> Result<ExitCode, Failure> {
    let query = typed(&flags.query).or_usage()?;
    let config = flags.config.as_deref().map(Config::read).transpose().or_usage()?.unwrap_or_default();
    let limit = flags.memory.or(config.limits.memory).unwrap_or_else(Memory::half_of_machine);
    let room = room::within(limit).or_usage()?;
    let references = reference::read(&config.reference, &config.own_accounts).or_usage()?;
    let archive = archived::folder(flags.archive.as_deref(), &config).or_usage()?;
    let session = sql::session_with(&archive, &references, room.clone()).or_usage()?;
    let mut workers = Builder::new_multi_thread();
    // as much as the first thread has: plans are trees, and are walked as such
    let workers = workers.enable_all().thread_stack_size(8 << 20).build().or_output()?;
    let answer = workers.spawn(answer(session, query, flags.format));
    // a thread of its own, for all others may be busy making one large answer
    let done = Builder::new_current_thread().enable_all().build().or_output()?.block_on(async {
        tokio::select! {
            done = answer => done.unwrap_or_else(|ended| std::panic::resume_unwind(ended.into_panic())),
            () = room::taken(limit) => Err(Failure::Usage(room::too_small(limit))),
            code = stopped() => Ok(ExitCode::from(code)),
        }
    });
    workers.shutdown_background();
    // where the query goes on until the process ends, nobody else removes them
    room.disk_manager.temp_dir_paths().iter().for_each(|folder| drop(fs::remove_dir_all(folder)));
    done
}

/// The text of the query, which may stand on standard input.
fn typed(query: &str) -> anyhow::Result<String> {
    if query == "-" {
        return std::io::read_to_string(std::io::stdin()).context("reading standard input");
    }
    if Path::new(query).is_file() {
        bail!("`{query}` is a file: weir sql - < {query} asks what it says");
    }
    Ok(query.to_owned())
}

async fn answer(session: SessionContext, query: String, form: Form) -> Result<ExitCode, Failure> {
    let answer = sql::query(&session, &query).await.or_usage()?;
    let schema = without_unions(&answer.schema());
    let schema = match form {
        Form::Ndjson | Form::Parquet => with_distinct_names(&without_intervals(&schema)),
        Form::Table | Form::Csv => without_intervals(&schema),
        Form::Athena => schema,
    };
    let answer = answer.map(|rows| united(&rows.map_err(|error| sql::readable_in(&query, &error))?, &schema));
    let mut out = if form == Form::Table { output::open("-") } else { output::open_data("-") }.or_output()?;
    write(form, &schema, answer, &mut out).await?;
    out.flush().or_output()?;
    let code = output::done_but_for(&sql::damaged(&session));
    // the process ends, and to free piece by piece what is known of thousands of files takes as long as many a query
    std::mem::forget(session);
    Ok(code)
}

/// The exit code of the signal that ends the query.
async fn stopped() -> u8 {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
    }
}

async fn write(
    form: Form,
    schema: &SchemaRef,
    mut answer: impl Stream<Item = anyhow::Result<RecordBatch>> + Unpin,
    mut out: impl Write + Send,
) -> Result<(), Failure> {
    match form {
        Form::Table => {
            let (mut page, mut count) = (Vec::new(), 0);
            while let Some(batch) = answer.next().await {
                let mut batch = batch.or_usage()?;
                while batch.num_rows() > 0 {
                    let rows = batch.num_rows().min(PAGE_ROWS - count % PAGE_ROWS);
                    page.push(batch.slice(0, rows));
                    batch = batch.slice(rows, batch.num_rows() - rows);
                    count += rows;
                    if count % PAGE_ROWS == 0 {
                        show(&page, &mut out)?;
                        page.clear();
                    }
                }
            }
            if count == 0 {
                page.push(RecordBatch::new_empty(schema.clone()));
            }
            if !page.is_empty() {
                show(&page, &mut out)?;
            }
            writeln!(out, "{count} {}", if count == 1 { "row" } else { "rows" }).or_output()?;
        }
        Form::Csv => {
            out.write_all(lines::header(schema).as_bytes()).or_output()?;
            while let Some(batch) = answer.next().await {
                let rows = lines::rows(&batch.or_usage()?).or_output()?;
                out.write_all(rows.as_bytes()).or_output()?;
            }
        }
        Form::Ndjson => {
            let mut json = arrow::json::LineDelimitedWriter::new(&mut out);
            while let Some(batch) = answer.next().await {
                json.write(&with_text_keys(&batch.or_usage()?).or_output()?).or_output()?;
            }
            json.finish().or_output()?;
        }
        Form::Parquet => {
            let properties = WriterProperties::builder().set_max_row_group_row_count(Some(GROUP_ROWS)).build();
            let mut file = ArrowWriter::try_new(&mut out, schema.clone(), Some(properties)).or_output()?;
            while let Some(batch) = answer.next().await {
                file.write(&batch.or_usage()?).or_output()?;
                if file.in_progress_size() > GROUP_BYTES {
                    file.flush().or_output()?;
                }
            }
            file.close().or_output()?;
        }
        Form::Athena => {
            result_set::begin(schema, &mut out).or_output()?;
            while let Some(batch) = answer.next().await {
                result_set::rows(&batch.or_usage()?, &mut out).or_output()?;
            }
            result_set::end(schema, &mut out).or_output()?;
        }
    }
    Ok(())
}

/// Rows of a Parquet file leave when there are so many, or when they are so large: until then they are held.
const GROUP_ROWS: usize = 1 << 17;
const GROUP_BYTES: usize = 32 << 20;

/// Rows of one table for people. What is more is another table below it: all cells of a table are as wide as the widest, which
/// free-form JSON makes much wider than the rows themselves.
const PAGE_ROWS: usize = 1000;

fn show(page: &[RecordBatch], out: &mut impl Write) -> Result<(), Failure> {
    let page: Vec<RecordBatch> = page.iter().map(visible).collect::<anyhow::Result<_>>().or_output()?;
    let table = arrow::util::pretty::pretty_format_batches(&page).or_output()?;
    writeln!(out, "{table}").or_output()
}

/// The schema with text where a column has values of several types, as `json_get` and `->` give them: neither JSON nor
/// Parquet has such columns.
fn without_unions(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Union(..) => Arc::new(Field::new(field.name(), DataType::Utf8, true)),
        _ => field.clone(),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The schema with text where a column has intervals, which Parquet has not as they are here, and which Arrow calls PT93784S.
fn without_intervals(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Interval(_) | DataType::Duration(_) => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8))
        }
        _ => field.clone(),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The schema with `a` and `a_2` where two columns are `a`: of an object's keys of one name readers keep the last.
fn with_distinct_names(schema: &SchemaRef) -> SchemaRef {
    let mut names: HashSet<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let mut seen = HashSet::new();
    let fields = schema.fields().iter().map(|field| {
        if seen.insert(field.name().clone()) {
            return field.clone();
        }
        let name = (2..).map(|number| format!("{}_{number}", field.name())).find(|name| names.insert(name.clone()));
        Arc::new(field.as_ref().clone().with_name(name.expect("some number is free")))
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Rows in that schema.
fn united(rows: &RecordBatch, schema: &SchemaRef) -> anyhow::Result<RecordBatch> {
    let columns = rows.columns().iter().zip(schema.fields()).map(|(column, field)| {
        match (column.as_any().downcast_ref::<UnionArray>(), column.data_type()) {
            (Some(union), _) => texts(union),
            (None, DataType::Interval(_) | DataType::Duration(_)) if is_text(field.data_type()) => {
                result_set::intervals(column)
            }
            (None, _) => Ok(column.clone()),
        }
    });
    Ok(RecordBatch::try_new(schema.clone(), columns.collect::<anyhow::Result<Vec<_>>>()?)?)
}

fn texts(union: &UnionArray) -> anyhow::Result<ArrayRef> {
    let text = |row: usize| -> anyhow::Result<Option<String>> {
        let value = union.value(row);
        let is_null = value.data_type() == &DataType::Null || value.is_null(0);
        if is_null { Ok(None) } else { Ok(Some(array_value_to_string(&value, 0)?)) }
    };
    Ok(Arc::new((0..union.len()).map(text).collect::<anyhow::Result<StringArray>>()?))
}

/// Maps whose keys are texts, as all keys of JSON are.
fn with_text_keys(batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let text_keys = |kind: &DataType| match kind {
        DataType::Map(entries, sorted) => match entries.data_type() {
            DataType::Struct(fields) if !is_text(fields[0].data_type()) => {
                let fields =
                    vec![fields[0].as_ref().clone().with_data_type(DataType::Utf8), fields[1].as_ref().clone()];
                let entries = entries.as_ref().clone().with_data_type(DataType::Struct(fields.into()));
                Some(DataType::Map(Arc::new(entries), *sorted))
            }
            _ => None,
        },
        _ => None,
    };
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let kind = text_keys(field.data_type()).unwrap_or_else(|| field.data_type().clone());
        columns.push(cast(column, &kind)?);
        fields.push(Arc::new(field.as_ref().clone().with_data_type(kind)));
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// What a terminal takes for letters only.
fn visible(batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if !field.data_type().is_nested() && !is_text(field.data_type()) {
            fields.push(field.clone());
            columns.push(column.clone());
            continue;
        }
        let shown = ArrayFormatter::try_new(column, &FormatOptions::default())?;
        let texts =
            (0..column.len()).map(|row| column.is_valid(row).then(|| plain_lines(&shown.value(row).to_string())));
        fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
        columns.push(Arc::new(texts.collect::<StringArray>()));
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use arrow::array::{
        DurationMicrosecondArray, Int64Array, Int64Builder, IntervalMonthDayNanoArray, MapBuilder, NullArray,
        StringViewArray,
    };
    use arrow::datatypes::{IntervalMonthDayNano, UnionFields};
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        sql: Sql,
    }

    #[test]
    fn values_of_several_types_in_one_column_are_texts() {
        let fields: UnionFields = [
            (0_i8, Arc::new(Field::new("null", DataType::Null, true))),
            (1, Arc::new(Field::new("int", DataType::Int64, true))),
            (2, Arc::new(Field::new("str", DataType::Utf8, true))),
        ]
        .into_iter()
        .collect();
        let children: Vec<ArrayRef> = vec![
            Arc::new(NullArray::new(4)),
            Arc::new(Int64Array::from(vec![None, Some(7), None, None])),
            Arc::new(StringArray::from(vec![None, None, Some("x"), None])),
        ];
        let union = UnionArray::try_new(fields, vec![0_i8, 1, 2, 2].into(), None, children).unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("b", union.data_type().clone(), true)]));
        let rows = RecordBatch::try_new(schema.clone(), vec![Arc::new(union)]).unwrap();
        let rows = united(&rows, &without_unions(&schema)).unwrap();
        let expected: ArrayRef = Arc::new(StringArray::from(vec![None, Some("7"), Some("x"), None]));
        assert_eq!(rows.column(0), &expected);
    }

    #[test]
    fn an_interval_is_the_text_that_athena_has_for_it() {
        let spans = IntervalMonthDayNanoArray::from(vec![Some(IntervalMonthDayNano::new(0, 1, 0)), None]);
        let between = DurationMicrosecondArray::from(vec![Some(93_784_005_000), None]);
        let columns: [(&str, ArrayRef); 2] = [("i", Arc::new(spans)), ("d", Arc::new(between))];
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let rows = united(&rows, &without_intervals(&rows.schema())).unwrap();
        for (place, text) in ["1 00:00:00.000", "1 02:03:04.005"].into_iter().enumerate() {
            let expected: ArrayRef = Arc::new(StringArray::from(vec![Some(text), None]));
            assert_eq!(rows.column(place), &expected);
        }
    }

    #[test]
    fn columns_of_one_name_have_two_in_json_and_parquet() {
        let column = |name| Field::new(name, DataType::Int64, true);
        let schema = Arc::new(Schema::new(["a", "a_2", "a", "b", "a"].map(column).to_vec()));
        let distinct = with_distinct_names(&schema);
        let names: Vec<_> = distinct.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["a", "a_2", "a_3", "b", "a_4"]);
    }

    /// Counts what is written to it.
    struct Counted(Arc<AtomicUsize>);

    impl Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.fetch_add(bytes.len(), Ordering::Relaxed);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_parquet_file_leaves_while_its_rows_come() {
        let numbers = |start: i64| Arc::new(Int64Array::from_iter_values(start..start + GROUP_ROWS as i64)) as ArrayRef;
        let rows = |start: i64| RecordBatch::try_from_iter([("n", numbers(start))]).unwrap();
        let (written, before_the_last) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (seen, noted) = (written.clone(), before_the_last.clone());
        let batches = futures::stream::iter(0..4_i64).map(move |batch| {
            noted.store(seen.load(Ordering::Relaxed), Ordering::Relaxed);
            Ok(rows(batch * GROUP_ROWS as i64))
        });
        let schema = RecordBatch::try_from_iter([("n", numbers(0))]).unwrap().schema();
        assert!(write(Form::Parquet, &schema, batches, Counted(written.clone())).await.is_ok());
        let (before, all) = (before_the_last.load(Ordering::Relaxed), written.load(Ordering::Relaxed));
        assert!(before > all / 2 && before < all, "{before} of {all}");
    }

    #[test]
    fn keys_of_json_are_texts() {
        let mut maps = MapBuilder::new(None, Int64Builder::new(), Int64Builder::new());
        maps.keys().append_value(443);
        maps.values().append_value(2);
        maps.append(true).unwrap();
        let rows = RecordBatch::try_from_iter([("ports", Arc::new(maps.finish()) as ArrayRef)]).unwrap();
        let mut out = Vec::new();
        arrow::json::LineDelimitedWriter::new(&mut out).write(&with_text_keys(&rows).unwrap()).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "{\"ports\":{\"443\":2}}\n");
    }

    #[test]
    fn no_text_steers_a_terminal() {
        let agents = StringViewArray::from(vec![Some("\u{1b}[2Jx\ny\u{202e}"), Some("boto3"), None]);
        let rows = RecordBatch::try_from_iter([("agent", Arc::new(agents) as ArrayRef)]).unwrap();
        let mut out = Vec::new();
        assert!(show(&[rows], &mut out).is_ok());
        let lines = ["\\u{1b}[2Jx", "y\\u{202e}", "boto3", ""].map(|cell| format!("| {cell:<10} |\n")).concat();
        let line = format!("+{}+\n", "-".repeat(12));
        assert_eq!(String::from_utf8(out).unwrap(), format!("{line}| agent      |\n{line}{lines}{line}"));
    }

    #[test]
    fn a_file_is_no_query() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let name = file.path().to_str().unwrap();
        let error = typed(name).unwrap_err().to_string();
        assert_eq!(error, format!("`{name}` is a file: weir sql - < {name} asks what it says"));
        assert_eq!(typed("SELECT 1").unwrap(), "SELECT 1");
    }

    #[test]
    fn the_text_of_a_rule_is_a_query_although_it_begins_as_a_flag_does() {
        let text = "-- title = \"t\"\nSELECT 1";
        let line = Line::try_parse_from(["weir", text, "--archive", "kept"]).unwrap();
        assert_eq!((line.sql.query.as_str(), line.sql.archive), (text, Some(PathBuf::from("kept"))));
        assert!(Line::try_parse_from(["weir", "SELECT 1", "--archives", "kept"]).is_err());
    }
}
