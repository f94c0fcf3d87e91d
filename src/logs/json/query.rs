//! What a query over CloudTrail's events or flow logs answers, CSV of Athena or CloudTrail Lake or what `aws cloudtrail
//! get-query-results` or `aws athena get-query-results` prints, and the CSV of the console's event history → records.
//!
//! Either has columns that are texts, under the names of the record's fields. Columns that Athena nests are JSON, or texts such
//! as `{type=Root, arn=...}`, which are read where they are structs of known fields, or maps where there are free forms ([`braces`]); others stay texts.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use super::damage::first_key_of_row;
use super::insights::{LogRow, holds_record};
use super::peel::{Member, Members};
use super::walk::{Cursor, Stop};
use super::{Around, Nested, Parser, braces, peel, python, scalar, texts};
use crate::decode::csv::{CELLS_MAX, Row, row, trimmed};
use crate::decode::{Lines, Options, Shape, Text};
use crate::logs::cloudtrail::CLOUDTRAIL;
use crate::logs::glue_job_run::GLUE_JOB_RUN;
use crate::logs::glue_log::{self, GLUE_LOG};
use crate::logs::guardduty_finding::GUARDDUTY_FINDING;
use crate::logs::vpc_flow::{self, VPC_FLOW};
use crate::table::{Kind, Origin, Table};

/// Of a name such as `userIdentity.sessionContext.sessionIssuer.arn` so many parts behind the first are fields in fields; more are one
/// name with its dots. CloudTrail's are at most three deep.
const PARTS_MAX: usize = 8;

/// Knows a CSV file by its header line, which names columns that make a record.
pub fn recognize(head: &[u8], options: &Options) -> Option<Shape> {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let rows = head.get(line.len() + 1..).unwrap_or_default();
    SEPARATORS.iter().find_map(|separator| recognize_by(line, rows, *separator, options))
}

fn recognize_by(line: &[u8], rows: &[u8], separator: u8, options: &Options) -> Option<Shape> {
    // asked of every line that is a message of an object, few of which are CSV
    if memchr::memchr(separator, line).is_none() && !(separator == b',' && is_text_column(line, rows)) {
        return None;
    }
    let mut cells = Vec::new();
    whole(row(line, separator, &mut cells), line)?;
    let table = match (table(&cells), options.table) {
        // its rows say what they are
        (_, Some(forced)) if has_log_events(&in_lower(&cells)) => forced,
        // as text, which is read faster
        (Some(table), _) if separator == b'\t' && table.name == VPC_FLOW.name && is_bare(line) && !has_quotes(rows) => {
            return None;
        }
        (Some(table), _) => table,
        (None, _) => of_texts(&cells, rows, separator, options)?,
    };
    let last_header: fn(&[u8]) -> Option<&[u8]> = match separator {
        b'\t' => last_header::<b'\t'>,
        b';' => last_header::<b';'>,
        b'|' => last_header::<b'|'>,
        _ => last_header::<b','>,
    };
    Some(Shape { table, header: true, quoted: Some(separator), begins: |_| true, last_header })
}

/// What may stand between cells; tabs in what databases print, semicolons where a comma is a decimal point.
const SEPARATORS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// Whether all cells of a header of flow logs are words without quotes.
fn is_bare(header: &[u8]) -> bool {
    memchr::memchr2(b'"', b'.', header).is_none() && header.first().is_some_and(u8::is_ascii_alphabetic)
}

/// Whether the first row has cells in quotes, as pandas and databases write texts.
fn has_quotes(rows: &[u8]) -> bool {
    memchr::memchr(b'"', &rows[..end_of_line(rows)]).is_some()
}

/// The table of which the first row has the text of a record, or a line, under one of the names that these go by, as what Elasticsearch and
/// databases export may have.
fn of_texts(header: &[Cow<'_, [u8]>], rows: &[u8], separator: u8, options: &Options) -> Option<&'static Table> {
    if rows.is_empty() || !header.iter().all(|cell| is_name(cell)) {
        return None;
    }
    let mut cells = Vec::new();
    whole(row(rows, separator, &mut cells), rows).filter(|_| cells.len() == header.len())?;
    let mut texts = header.iter().zip(&cells).filter(|(name, _)| may_be_text(name));
    texts.find_map(|(_, cell)| table_of_text(cell, options))
}

fn table_of_text(text: &[u8], options: &Options) -> Option<&'static Table> {
    if text.starts_with(b"{") {
        return holds_record(text).then_some(&CLOUDTRAIL);
    }
    let shape = (options.recognize.text)(text, options).filter(|shape| !shape.header && shape.quoted.is_none())?;
    let is_one = shape.table.name != GLUE_LOG.name || glue_log::begins_entry(&String::from_utf8_lossy(text));
    is_one.then_some(shape.table)
}

fn may_be_text(name: &[u8]) -> bool {
    peel::NAMES_OF_TEXT.contains(&name)
        || texts::PATHS_OF_TEXT.iter().any(|path| matches!(path, [only] if only.as_bytes() == name))
}

/// Whether a header has but one column, of whole records; under a name that lines of other texts may be, too, where the first of the rows
/// is in quotes.
fn is_text_column(header: &[u8], rows: &[u8]) -> bool {
    const LENGTH_MAX: usize = 16;
    let name = header.trim_ascii();
    let name = name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(name);
    let is_whole = || is_text(&String::from_utf8_lossy(name).to_ascii_lowercase());
    name.len() <= LENGTH_MAX && (is_whole() || rows.starts_with(b"\"") && may_be_text(name))
}

/// Where the row ends, unless its quotes are not as they should be.
fn whole(row: Row, text: &[u8]) -> Option<usize> {
    match row {
        Row::Line(end) => Some(end),
        Row::Text => Some(text.len()),
        Row::Open | Row::Wrong => None,
    }
}

/// Where files stand one behind the other, one may be before the header of each.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// The last row of a text that names columns.
fn last_header<const SEPARATOR: u8>(text: &[u8]) -> Option<&[u8]> {
    let (mut at, mut last, mut cells) = (0, None, Vec::new());
    while at < text.len() {
        let rest = text[at..].strip_prefix(BOM).unwrap_or(&text[at..]);
        at = text.len() - rest.len();
        let length = whole(row(rest, SEPARATOR, &mut cells), rest);
        let end = length.unwrap_or_else(|| end_of_line(rest));
        if length.is_some() && is_header(&cells) {
            last = Some(trimmed(&rest[..end], SEPARATOR));
        }
        at += end;
    }
    last
}

fn end_of_line(text: &[u8]) -> usize {
    memchr::memchr(b'\n', text).map_or(text.len(), |end| end + 1)
}

/// Whether a row names columns that make a record, as the first row of a file does.
fn is_header(cells: &[Cow<'_, [u8]>]) -> bool {
    // of rows few have a letter first in every cell
    cells.iter().all(|cell| is_name(cell)) && table(cells).is_some()
}

fn is_name(cell: &[u8]) -> bool {
    matches!(cell, [b'@' | b'_' | b'a'..=b'z' | b'A'..=b'Z', ..])
}

/// The table whose records these columns make.
fn table(names: &[Cow<'_, [u8]>]) -> Option<&'static Table> {
    let names = in_lower(names);
    if is_event_history(&names) || has_log_events(&names) || names.iter().any(|name| is_text(name)) {
        return Some(&CLOUDTRAIL);
    }
    table_of_fields(&names)
}

fn in_lower(names: &[Cow<'_, [u8]>]) -> Vec<String> {
    names.iter().map(|name| String::from_utf8_lossy(name).to_ascii_lowercase()).collect()
}

/// Columns of what the console of CloudWatch downloads of a log stream.
const LOG_EVENT: [&str; 2] = ["timestamp", "message"];

/// Whether columns, in lower case, have log events: those of an answer of CloudWatch Logs Insights, or of what its console downloads of
/// a log stream.
fn has_log_events(names: &[String]) -> bool {
    names.iter().any(|name| name == "@message") || names == LOG_EVENT
}

/// The table of a record with these fields, which are in lower case.
fn table_of_fields(names: &[String]) -> Option<&'static Table> {
    let mut tops: Vec<String> = names.iter().map(|name| top(name).to_owned()).collect();
    if peel::names_record(&CLOUDTRAIL, &tops) {
        return Some(&CLOUDTRAIL);
    }
    // `event_name`, as databases call it; events of applications have one, and a source and a Region, too
    tops.iter_mut().for_each(|name| name.retain(|letter| letter != '_'));
    tops.retain(|name| name != "eventsource");
    let has_own = peel::has_own_names(|own| tops.iter().any(|name| name == own));
    if has_own && peel::names_record(&CLOUDTRAIL, &tops) {
        return Some(&CLOUDTRAIL);
    }
    let flows: Vec<String> = names.iter().map(|name| field_of_a_flow(name)).collect();
    if peel::names_record(&VPC_FLOW, &flows) {
        return Some(&VPC_FLOW);
    }
    [&GLUE_JOB_RUN, &GUARDDUTY_FINDING].into_iter().find(|table| peel::names_record(table, &tops))
}

/// The name of a flow's field, given in lower case, as columns are called: Insights has `interfaceId` and `startTime`.
fn field_of_a_flow(name: &str) -> String {
    match name {
        "interfaceid" => "interface_id".to_owned(),
        "logstatus" => "log_status".to_owned(),
        _ => vpc_flow::own_name(name).map_or_else(|| name.replace('-', "_"), str::to_owned),
    }
}

/// Whether columns, in lower case, have CloudTrail's events.
pub(super) fn names_events(names: &[String]) -> bool {
    names.iter().any(|name| is_text(name)) || table_of_fields(names).is_some_and(|table| table.name == CLOUDTRAIL.name)
}

/// Whether a column has whole records, or log events, as texts: those of CloudTrail Lake, CloudWatch Logs Insights and Splunk.
fn is_text(name: &str) -> bool {
    matches!(name, "eventjson" | "@message" | "_raw")
}

/// The column that a name is of, or of whose fields: `useridentity` of `useridentity.arn`.
fn top(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Columns of the event history as the console downloads it, and the fields that they are.
const EVENT_HISTORY: [(&str, &str); 15] = [
    ("user name", "userName"),
    ("aws access key", "accessKeyId"),
    ("event time", "eventTime"),
    ("event source", "eventSource"),
    ("event name", "eventName"),
    ("aws region", "awsRegion"),
    ("source ip address", "sourceIPAddress"),
    ("user agent", "userAgent"),
    ("error code", "errorCode"),
    ("request id", "requestID"),
    ("event id", "eventID"),
    ("read-only", "readOnly"),
    ("event type", "eventType"),
    ("recipient account id", "recipientAccountId"),
    ("event category", "eventCategory"),
];

fn is_event_history(names: &[String]) -> bool {
    ["event time", "event name", "event source"].iter().all(|name| names.iter().any(|other| other == name))
}

/// Adds a member to the object that `out` ends with. One without a text is null, and left out, as is what databases and Hive write for null.
pub(super) fn add(out: &mut Vec<u8>, name: &[u8], text: &[u8]) {
    // Splunk's add-on for AWS says of calls that went right that they did
    let is_right = || text == b"success" && name.eq_ignore_ascii_case(b"errorCode");
    let is_nothing = || NOTHING.contains(&text) && is_never_called_so(name);
    if matches!(text, b"" | b"\\N" | b"NULL") || is_nothing() || is_right() {
        return;
    }
    add_read(out, name, text, |out| match CLOUDTRAIL.kind(name) {
        Some(Kind::Struct(columns) | Kind::List(columns)) => braces::add(out, text, columns),
        Some(Kind::Json) => braces::add_map(out, text),
        _ => false,
    });
}

/// What Athena writes for JSON that is null, and others for whatever is: the AWS CLI, Kibana, pandas.
const NOTHING: [&[u8]; 8] = [b"null", b"None", b"-", b"(null)", b"<null>", b"nil", b"NaN", b"N/A"];

/// Whether a column has JSON, or what went wrong, of which none is called so. A user may be.
fn is_never_called_so(name: &[u8]) -> bool {
    matches!(CLOUDTRAIL.kind(name), Some(Kind::Json | Kind::Struct(_) | Kind::List(_)))
        || name.eq_ignore_ascii_case(b"errorCode")
        || name.eq_ignore_ascii_case(b"errorMessage")
}

/// The same of an object whose members can have any name, and that may be empty texts.
pub(super) fn add_free(out: &mut Vec<u8>, name: &[u8], text: &[u8]) {
    add_read(out, name, text, |_| false);
}

/// Adds a member: JSON as it is, what else is in brackets by `read`, where that can, and else a text.
fn add_read(out: &mut Vec<u8>, name: &[u8], text: &[u8], read: impl FnOnce(&mut Vec<u8>) -> bool) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    quote(out, name);
    out.push(b':');
    let nested = matches!(text.trim_ascii_start().first(), Some(b'{' | b'['));
    if python::may_be(text)
        && let Ok(text) = str::from_utf8(text.trim_ascii())
        && let Some((value, length)) = python::value(text)
        && length == text.len()
    {
        out.extend_from_slice(value.to_string().as_bytes());
    } else if nested && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok() {
        out.extend_from_slice(text);
    } else if !nested || !read(out) {
        quote(out, text);
    }
}

pub(super) fn quote(out: &mut Vec<u8>, text: &[u8]) {
    serde_json::to_writer(out, &String::from_utf8_lossy(text)).expect("a text can be written to memory");
}

/// What the columns of rows are.
struct Columns {
    /// Of the record's fields, where they are known by other names.
    names: Vec<String>,
    /// As they stand there, in lower case.
    lower: Vec<String>,
    /// Those of the event history, as the console downloads it.
    is_history: bool,
    /// Columns that say when a record was, or which it is, or all of it.
    keys: Vec<usize>,
    has_message: bool,
    /// Whose records have such fields, those of a log event aside.
    table: Option<&'static Table>,
}

impl Columns {
    fn of<'n>(names: impl Iterator<Item = &'n [u8]>) -> Columns {
        const KEYS: [&str; 9] =
            ["eventtime", "eventid", "event time", "event id", "start", "end", "timegenerated", "awseventid", "id"];
        // the portal of Sentinel says in which zone times are
        let plain = |name: &'n [u8]| name.strip_suffix(b" [UTC]").unwrap_or(name);
        let mut names: Vec<String> = names.map(|name| String::from_utf8_lossy(plain(name)).into_owned()).collect();
        let mut lower: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        if lower == LOG_EVENT {
            lower = lower.iter().map(|name| format!("@{name}")).collect();
        }
        let has = |name: &str| lower.iter().any(|other| other == name);
        let table = table_of_fields(&lower);
        let is_flow = table.is_some_and(|table| table.name == VPC_FLOW.name);
        let is_event_without_time = has("eventname") && !has("eventtime");
        let [has_start, has_end, has_message] = ["start", "end", "@message"].map(has);
        let has_own_start = has_start || has("starttime");
        for (name, lower) in names.iter_mut().zip(&lower) {
            let own = match lower.as_str() {
                "starttime" if is_flow && !has_start => "start",
                "endtime" if is_flow && !has_end => "end",
                // the time of a log event is that of the record it is
                "@timestamp" if is_flow && !has_own_start => "start",
                "@timestamp" | "_time" if is_event_without_time => "eventTime",
                _ => continue,
            };
            own.clone_into(name);
        }
        let is_key = |at: &usize| {
            KEYS.contains(&names[*at].to_ascii_lowercase().replace('_', "").as_str()) || is_text(&lower[*at])
        };
        let keys = (0..names.len()).filter(is_key).collect();
        Columns { is_history: is_event_history(&lower), keys, has_message, table, names, lower }
    }

    /// Whether the fields that a row has are those of a record, whatever its log event is.
    fn is_record(&self, cells: &[impl AsRef<[u8]>]) -> bool {
        if self.table.is_none() {
            return false;
        }
        let told = self.lower.iter().zip(cells).filter(|(_, cell)| !cell.as_ref().is_empty());
        table_of_fields(&told.map(|(name, _)| name.clone()).collect::<Vec<_>>()).is_some()
    }

    /// Adds the record that a row is, as a line; nothing where it is none, and why.
    fn add(&self, out: &mut Vec<u8>, cells: &[impl AsRef<[u8]>]) -> Result<(), &'static str> {
        let is_keyed = self.keys.iter().any(|at| !cells[*at].as_ref().is_empty());
        if !is_keyed && self.is_record(cells) {
            return Err("a row of a query with neither the time of a record nor its id");
        }
        out.push(b'{');
        match self.is_history {
            true => self.add_history(out, cells),
            false => self.add_all(out, cells),
        }
        out.extend_from_slice(b"}\n");
        Ok(())
    }

    /// Adds a row of the event history as the record that it is of. Names of resources, which are no ARNs, are not the record's
    /// `resources`.
    fn add_history(&self, out: &mut Vec<u8>, cells: &[impl AsRef<[u8]>]) {
        let mut who = vec![b'{'];
        for (name, cell) in self.lower.iter().zip(cells) {
            let field = EVENT_HISTORY.iter().find(|(column, _)| column == name).map(|(_, field)| *field);
            match (field, name.as_str()) {
                (Some(field @ ("userName" | "accessKeyId")), _) => add(&mut who, field.as_bytes(), cell.as_ref()),
                (Some(field), _) => add(out, field.as_bytes(), cell.as_ref()),
                (None, "resources") => add(out, b"resourceNames", cell.as_ref()),
                (None, other) => add(out, other.as_bytes(), cell.as_ref()),
            }
        }
        if who.len() > 1 {
            who.push(b'}');
            add(out, b"userIdentity", &who);
        }
    }

    /// Adds the columns of a row, those of fields of columns (`userIdentity.arn`) as members of one object each.
    fn add_all(&self, out: &mut Vec<u8>, cells: &[impl AsRef<[u8]>]) {
        let mut nested = Value::Object(serde_json::Map::new());
        for ((name, lower), cell) in self.names.iter().zip(&self.lower).zip(cells) {
            let cell = cell.as_ref();
            if name.split_once('.').is_none_or(|(top, inside)| top.is_empty() || inside.is_empty()) {
                match name.as_str() {
                    "start" if lower == "@timestamp" => add(out, b"start", &seconds(cell)),
                    name => add(out, name.as_bytes(), cell),
                }
                continue;
            }
            if cell.is_empty() {
                continue;
            }
            let is_json = matches!(cell.first(), Some(b'{' | b'[')) && scalar::has_few_values(cell);
            let json = if is_json { scalar::value(cell) } else { None };
            let value = json.unwrap_or_else(|| Value::String(String::from_utf8_lossy(cell).into_owned()));
            place(&mut nested, name, value);
        }
        for (name, value) in nested.as_object().into_iter().flatten() {
            add(out, name.as_bytes(), value.to_string().as_bytes());
        }
    }
}

/// The time of a log event in seconds since 1970, as flows have it; as it stands where it is none.
fn seconds(time: &[u8]) -> Vec<u8> {
    match scalar::Clockwork::default().read(time) {
        Some(micros) => micros.div_euclid(1_000_000).to_string().into_bytes(),
        None => time.to_vec(),
    }
}

/// Puts a value into an object where a name such as `userIdentity.sessionContext.sessionIssuer.arn` says; those of `resources{}.ARN`, as
/// Splunk calls it, are of the items of a list, one behind the other.
pub(super) fn place(object: &mut Value, name: &str, value: Value) {
    let parts: Vec<&str> = name.splitn(PARTS_MAX + 1, '.').collect();
    put(object, &parts, value);
}

fn put(at: &mut Value, parts: &[&str], value: Value) {
    let Some((part, rest)) = parts.split_first() else {
        *at = value;
        return;
    };
    let Some(list) = part.strip_suffix("{}") else { return put(field(at, part), rest, value) };
    let list = field(at, list);
    let items = match value {
        Value::Array(items) => items,
        one => vec![one],
    };
    for (number, item) in items.into_iter().enumerate() {
        put(field(list, &number.to_string()), rest, item);
    }
}

/// The field of an object, or, where it is a number that follows those before it, of a list: Insights calls them
/// `resources.0.ARN`.
fn field<'v>(value: &'v mut Value, name: &str) -> &'v mut Value {
    if let Ok(number) = name.parse::<usize>() {
        if value.is_null() && number == 0 {
            *value = Value::Array(Vec::new());
        }
        if value.as_array().is_some_and(|list| number <= list.len()) {
            let list = value.as_array_mut().expect("it was just found to be one");
            if number == list.len() {
                list.push(Value::Null);
            }
            return &mut list[number];
        }
    }
    if !value.is_object() {
        *value = Value::Object(serde_json::Map::new());
    }
    value.as_object_mut().expect("it was just made one").entry(name).or_insert(Value::Null)
}

/// What Athena answers: all cells are texts, and one that is null has none.
#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ResultSet {
    rows: Vec<ResultRow>,
    #[serde(rename = "ResultSetMetadata")]
    metadata: ResultSetMetadata,
}

#[derive(serde::Deserialize)]
struct ResultSetMetadata {
    #[serde(rename = "ColumnInfo")]
    columns: Vec<ColumnInfo>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ColumnInfo {
    name: String,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ResultRow {
    data: Vec<Datum>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Datum {
    var_char_value: Option<String>,
}

impl ResultRow {
    fn texts(self) -> Vec<String> {
        self.data.into_iter().map(|cell| cell.var_char_value.unwrap_or_default()).collect()
    }
}

/// What rows of an answer have that were read.
#[derive(Default)]
pub(super) struct Answer {
    /// JSON, one a line.
    records: Vec<u8>,
    events: Vec<LogRow>,
}

impl Parser<'_> {
    /// Reads rows of CSV, whose columns the format names.
    pub(super) fn csv(&mut self, lines: &Lines, origin: &Arc<Origin>, offset: u64) {
        let text = lines.text.as_slice();
        let header = lines.format.as_deref().unwrap_or_default();
        let (mut names, mut cells) = (Vec::new(), Vec::new());
        let separator = lines.separator.unwrap_or(b',');
        row(header.as_bytes(), separator, &mut names);
        let mut columns = Columns::of(names.iter().map(|name| &name[..]));
        let name_of = |names: &[Cow<'_, [u8]>]| table(names).map_or("", |table| table.name);
        let mut table_name = name_of(&names);
        let around = Around { origin, offset, context: None, depth: 0 };
        let mut answer = Answer::default();
        let mut start = 0;
        while start < text.len() {
            let rest = &text[start..];
            if rest.starts_with(BOM) {
                start += BOM.len();
                continue;
            }
            let length = whole(row(rest, separator, &mut cells), rest);
            // of a row that is wrong only the line: were it a quote that is missing, all behind it would be one row
            let end = length.unwrap_or_else(|| end_of_line(rest));
            let line = rest[..end].trim_ascii_end();
            match length {
                // of cells without a text, as Excel leaves them below its last row
                _ if line.iter().all(|byte| *byte == separator) => {}
                // files one behind the other have a header each
                Some(_) if cells == names || is_header(&cells) => {
                    if cells != names {
                        std::mem::swap(&mut names, &mut cells);
                        columns = Columns::of(names.iter().map(|name| &name[..]));
                        table_name = name_of(&names);
                    }
                }
                Some(_) if cells.len() == names.len() => {
                    self.row(&columns, &cells, (start, line), &around, &mut answer);
                }
                length => {
                    let reason = match length {
                        Some(_) => "a row with another number of columns than the header has",
                        None if cells.len() > CELLS_MAX => "a row of more than 100000 cells",
                        None => "a row with a quote that is not closed, or that closes before its cell ends",
                    };
                    self.reject(table_name, start, reason, line, &around);
                }
            }
            start += end;
        }
        self.answer(answer, &around);
    }

    /// Takes a row for [`Parser::answer`]: its log event, or the record that its columns make. `text` is the row, which stands at `start`.
    fn row(
        &mut self,
        columns: &Columns,
        cells: &[impl AsRef<[u8]>],
        (start, text): (usize, &[u8]),
        around: &Around<'_>,
        answer: &mut Answer,
    ) {
        if columns.has_message {
            let event =
                LogRow::of(columns.lower.iter().map(String::as_str).zip(cells.iter().map(AsRef::as_ref)), start);
            // the fields beside a record are found in it
            if !columns.is_record(cells) || self.is_known(&event) {
                return answer.events.push(event);
            }
        }
        if let Err(reason) = columns.add(&mut answer.records, cells) {
            self.reject(columns.table.map_or("", |table| table.name), start, reason, text, around);
        }
    }

    /// Reads what rows have.
    pub(super) fn answer(&mut self, answer: Answer, around: &Around<'_>) {
        self.log_rows(answer.events, around);
        if !answer.records.is_empty() {
            let context = around.context.cloned().unwrap_or_default();
            self.nested.push(Nested { text: Text::new(answer.records), context, depth: around.depth + 1 });
        }
    }

    /// Takes the rows of `QueryResultRows`, each an array of objects of one column. True when there are none but such.
    pub(super) fn query_rows(&mut self, cursor: &mut Cursor<'_>, around: &Around<'_>) -> Result<bool, Stop> {
        let mut answer = Answer::default();
        if cursor.enter()? {
            loop {
                let start = cursor.here()?;
                if cursor.byte()? == b'[' {
                    let (names, cells) = query_row(cursor)?;
                    let text = &cursor.bytes()[start..cursor.ended()];
                    let columns = Columns::of(names.iter().map(String::as_bytes));
                    self.row(&columns, &cells, (start, text), around, &mut answer);
                } else {
                    let (start, end) = cursor.skip()?;
                    self.reject("", start, "a row of a query that is no array", &cursor.bytes()[start..end], around);
                }
                if !cursor.more_items()? {
                    break;
                }
            }
        }
        self.answer(answer, around);
        Ok(true)
    }

    /// Takes the rows of the `ResultSet` that `aws athena get-query-results` prints, if its columns make records.
    pub(super) fn result_set(&mut self, member: &Member<'_>, around: &Around<'_>) -> bool {
        let Ok(ResultSet { rows, metadata }) = serde_json::from_slice(member.value) else { return false };
        let mut rows: Vec<Vec<String>> = rows.into_iter().map(ResultRow::texts).collect();
        let names: Vec<String> = metadata.columns.into_iter().map(|column| column.name).collect();
        let cells: Vec<Cow<'_, [u8]>> = names.iter().map(|name| name.as_bytes().into()).collect();
        if table(&cells).is_none() {
            return false;
        }
        // the first page begins with a row of names
        if rows.first() == Some(&names) {
            rows.remove(0);
        }
        let columns = Columns::of(names.iter().map(String::as_bytes));
        let mut answer = Answer::default();
        for cells in rows {
            let text = cells.join(",");
            if cells.len() == names.len() {
                self.row(&columns, &cells, (member.start, text.as_bytes()), around, &mut answer);
            } else {
                let reason = "a row with another number of columns than the answer has";
                self.reject("", member.start, reason, text.as_bytes(), around);
            }
        }
        self.answer(answer, around);
        true
    }

    /// Takes the rows of `results` that `aws logs get-query-results` prints, each an array of fields: as the log events that
    /// their `@message` is, of the stream that `@logStream` names and the group of `@log`, or as the records whose fields they have.
    pub(super) fn insights_rows(&mut self, cursor: &mut Cursor<'_>, around: &Around<'_>) -> Result<(), Stop> {
        if cursor.byte()? == b'[' && cursor.enter()? {
            loop {
                self.insights_row(cursor, around)?;
                if !cursor.more_items()? {
                    break;
                }
            }
        }
        if let Some(rows) = self.insights.take() {
            self.answer(rows, around);
        }
        Ok(())
    }

    /// Takes the row at the cursor, of such or of `QueryResultRows`, where rows are read one by one.
    pub(super) fn listed_row(&mut self, cursor: &mut Cursor<'_>, around: &Around<'_>) -> Result<(), Stop> {
        let start = cursor.here()?;
        if let None | Some(b"field" | b"value") = first_key_of_row(&cursor.bytes()[start..]) {
            return self.insights_row(cursor, around);
        }
        let (names, cells) = query_row(cursor)?;
        let text = &cursor.bytes()[start..cursor.ended()];
        let columns = Columns::of(names.iter().map(String::as_bytes));
        let mut waiting = self.insights.take().unwrap_or_default();
        self.row(&columns, &cells, (start, text), around, &mut waiting);
        self.insights = Some(waiting);
        Ok(())
    }

    /// Takes one of Logs Insights, which waits for those behind it.
    fn insights_row(&mut self, cursor: &mut Cursor<'_>, around: &Around<'_>) -> Result<(), Stop> {
        let start = cursor.here()?;
        let (names, cells) = insights_row(cursor)?;
        let text = &cursor.bytes()[start..cursor.ended()];
        let columns = Columns::of(names.iter().map(String::as_bytes));
        if columns.has_message || columns.table.is_some() {
            let mut waiting = self.insights.take().unwrap_or_default();
            self.row(&columns, &cells, (start, text), around, &mut waiting);
            self.insights = Some(waiting);
        } else {
            self.reject("", start, "a row of a query without @message", text, around);
        }
        Ok(())
    }
}

/// Names and values of the fields of the row at the cursor, which is behind it then; without `@ptr`, which is the row's place.
fn insights_row(cursor: &mut Cursor<'_>) -> Result<(Vec<String>, Vec<Vec<u8>>), Stop> {
    let (mut names, mut cells) = (Vec::new(), Vec::new());
    if cursor.byte()? != b'[' {
        cursor.skip()?;
        return Ok((names, cells));
    }
    if cursor.enter()? {
        loop {
            if cursor.byte()? == b'{' {
                let field = Members::read(cursor)?;
                let mut text = Vec::new();
                if let Some(name) = field.text("field").filter(|name| *name != "@ptr")
                    && let Some(Member { value: [b'"', inside @ .., b'"'], .. }) = field.get("value")
                    && scalar::unescape(inside, &mut text).is_some()
                {
                    names.push(name.to_owned());
                    cells.push(text);
                }
            } else {
                cursor.skip()?;
            }
            if !cursor.more_items()? {
                break;
            }
        }
    }
    Ok((names, cells))
}

/// Names and values of the columns of the row at the cursor, which is behind it then; without those that are null.
fn query_row(cursor: &mut Cursor<'_>) -> Result<(Vec<String>, Vec<Vec<u8>>), Stop> {
    let (mut names, mut cells) = (Vec::new(), Vec::new());
    if !cursor.enter()? {
        return Ok((names, cells));
    }
    loop {
        if cursor.byte()? == b'{' {
            for Member { name, value, .. } in Members::read(cursor)?.members {
                let mut text = Vec::new();
                match value {
                    [b'"', inside @ .., b'"'] if scalar::unescape(inside, &mut text).is_some() => {}
                    b"null" => continue,
                    _ => text = value.to_vec(),
                }
                names.push(String::from_utf8_lossy(name).into_owned());
                cells.push(text);
            }
        } else {
            cursor.skip()?;
        }
        if !cursor.more_items()? {
            return Ok((names, cells));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_fields_of_a_record() {
        let known = |text: &str| recognize(text.as_bytes(), &Options::default()).is_some();
        assert!(known("eventVersion,userIdentity,eventTime,eventSource,eventName\n1.08,"));
        assert!(known("\"eventtime\",\"eventname\",\"awsregion\"\r\n"));
        assert!(known("User name,AWS access key,Event time,Event source,Event name,AWS region\n"));
        assert!(known("\"version\",\"account_id\",\"srcaddr\",\"dstaddr\",\"start\",\"end\"\n"));
        assert!(known("@timestamp,@message\n2024-08-01 10:00:00.000,x\n"));
        assert!(known("\"eventJson\"\r\n\"{}\"\r\n"));
        assert!(known("srcAddr,dstAddr,startTime\n"));
        assert!(known("eventVersion\tuserIdentity\teventTime\teventSource\teventName\n"));
        assert!(known("\"eventtime\";\"eventname\";\"awsregion\"\r\n"));
        assert!(known("version,account,interfaceid,sourceaddress,destinationaddress,protocol\n"));
        assert!(known("srcaddr;dstaddr;start\n"));
        assert!(!known("srcaddr\tdstaddr\tstart\n10.0.0.1\t10.0.0.2\t1\n"));
        assert!(known("srcaddr\tdstaddr\tstart\n\"10.0.0.1\"\t\"10.0.0.2\"\t1\n"));
        assert!(!known("message\n"));
        assert!(known("timestamp,message\n"));
        assert!(!known("timestamp,message,level\n"));
        assert!(!known("srcaddr,dstaddr,count\n"));
        assert!(known("Id,Attempt,JobName,JobRunState\n"));
        assert!(known("id,type,severity,resource,service\n"));
        assert!(!known("eventName,eventId\n"));
        assert!(!known("event time,name"));
        assert!(!known("\"eventName\",\"eventSource"));
        assert!(!known("version account-id interface-id srcaddr dstaddr\n"));
    }
}
