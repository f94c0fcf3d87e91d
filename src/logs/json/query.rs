//! What a query over CloudTrail's events or flow logs answers, CSV of Athena or CloudTrail Lake or what `aws cloudtrail
//! get-query-results` prints, and the CSV of the console's event history → records.
//!
//! Either has columns that are texts, under the names of the record's fields. Columns that Athena nests are JSON, or texts such
//! as `{type=Root, arn=...}`, which are read where they are structs of known fields, or maps where there are free forms ([`braces`]); others stay texts.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use super::cloudwatch::LogEvents;
use super::peel::{Member, Members};
use super::walk::{Cursor, Stop};
use super::{Around, Nested, Parser, braces, peel, scalar};
use crate::decode::{Context, Json, Lines, Options, Shape, Text};
use crate::logs::cloudtrail::CLOUDTRAIL;
use crate::logs::glue_log::{self, GLUE_LOG};
use crate::logs::vpc_flow::VPC_FLOW;
use crate::table::{Kind, Origin, Table};
use crate::time::Timestamp;

/// Of a name such as `userIdentity.sessionContext.sessionIssuer.arn` so many parts behind the first are fields in fields; more are one
/// name with its dots. CloudTrail's are at most three deep.
const PARTS_MAX: usize = 8;

/// Knows a CSV file by its header line, which names columns that make a record.
pub fn recognize(head: &[u8], options: &Options) -> Option<Shape> {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    // asked of every line that is a message of an object, few of which are CSV
    memchr::memchr(b',', line)?;
    let mut cells = Vec::new();
    row(line, &mut cells)?;
    let table = match (table(&cells)?, options.table) {
        // its rows say what they are
        (_, Some(forced)) if cells.iter().any(|cell| cell.eq_ignore_ascii_case(b"@message")) => forced,
        (table, _) => table,
    };
    Some(Shape { table, header: true, quoted: true, begins: |_| true, last_header: |_| None })
}

/// The table whose records these columns make.
fn table(names: &[Cow<'_, [u8]>]) -> Option<&'static Table> {
    let lower = |cell: &Cow<'_, [u8]>| String::from_utf8_lossy(cell).to_ascii_lowercase();
    let names: Vec<String> = names.iter().map(lower).collect();
    let flows: Vec<String> = names.iter().map(|name| name.replace('-', "_")).collect();
    if is_event_history(&names) || names_events(&names) {
        return Some(&CLOUDTRAIL);
    }
    peel::names_record(&VPC_FLOW, &flows).then_some(&VPC_FLOW)
}

/// Whether columns, in lower case, have CloudTrail's events.
pub(super) fn names_events(names: &[String]) -> bool {
    let tops: Vec<String> = names.iter().map(|name| top(name).to_owned()).collect();
    names.iter().any(|name| is_text(name)) || peel::names_record(&CLOUDTRAIL, &tops)
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

/// Adds a row of the event history as the record that it is of. Names of resources, which are no ARNs, are not the record's
/// `resources`.
fn add_history(out: &mut Vec<u8>, names: &[Cow<'_, [u8]>], cells: &[Cow<'_, [u8]>]) {
    let mut who = vec![b'{'];
    for (name, cell) in names.iter().zip(cells) {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let field = EVENT_HISTORY.iter().find(|(column, _)| *column == name).map(|(_, field)| *field);
        match (field, name.as_str()) {
            (Some(field @ ("userName" | "accessKeyId")), _) => add(&mut who, field.as_bytes(), cell),
            (Some(field), _) => add(out, field.as_bytes(), cell),
            (None, "resources") => add(out, b"resourceNames", cell),
            (None, other) => add(out, other.as_bytes(), cell),
        }
    }
    if who.len() > 1 {
        who.push(b'}');
        add(out, b"userIdentity", &who);
    }
}

/// Adds a member to the object that `out` ends with. One without a text is null, and left out.
pub(super) fn add(out: &mut Vec<u8>, name: &[u8], text: &[u8]) {
    if text.is_empty() {
        return;
    }
    add_read(out, name, text, |out| match kind_of(name) {
        Some(Kind::Struct(columns) | Kind::List(columns)) => braces::add(out, text, columns),
        Some(Kind::Json) => braces::add_map(out, text),
        _ => false,
    });
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
    if nested && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok() {
        out.extend_from_slice(text);
    } else if !nested || !read(out) {
        quote(out, text);
    }
}

/// What a column of CloudTrail's holds.
fn kind_of(name: &[u8]) -> Option<Kind> {
    let mut columns = CLOUDTRAIL.columns.iter();
    columns.find(|column| column.name.as_bytes().eq_ignore_ascii_case(name)).map(|column| column.kind)
}

pub(super) fn quote(out: &mut Vec<u8>, text: &[u8]) {
    serde_json::to_writer(out, &String::from_utf8_lossy(text)).expect("a text can be written to memory");
}

/// The cells of the first row of a text, and where the row ends. `None` when quotes are not as they should be.
fn row<'t>(text: &'t [u8], cells: &mut Vec<Cow<'t, [u8]>>) -> Option<usize> {
    cells.clear();
    let mut at = 0;
    loop {
        if text.get(at) == Some(&b'"') {
            at += 1;
            let mut before = Vec::new();
            loop {
                let quote = at + memchr::memchr(b'"', &text[at..])?;
                let is_doubled = text.get(quote + 1) == Some(&b'"');
                if is_doubled || !before.is_empty() {
                    before.extend_from_slice(&text[at..quote + usize::from(is_doubled)]);
                }
                if !is_doubled {
                    cells.push(if before.is_empty() { Cow::Borrowed(&text[at..quote]) } else { Cow::Owned(before) });
                    at = quote + 1;
                    break;
                }
                at = quote + 2;
            }
        } else {
            let end = memchr::memchr2(b',', b'\n', &text[at..]).map_or(text.len(), |length| at + length);
            let cell = &text[at..end];
            let has_return = text.get(end) != Some(&b',') && cell.ends_with(b"\r");
            cells.push(Cow::Borrowed(&cell[..cell.len() - usize::from(has_return)]));
            at = end;
        }
        match text.get(at..) {
            None | Some([]) => return Some(text.len()),
            Some([b',', ..]) => at += 1,
            Some([b'\n', ..]) => return Some(at + 1),
            Some([b'\r', b'\n', ..]) => return Some(at + 2),
            Some(b"\r") => return Some(text.len()),
            Some(_) => return None,
        }
    }
}

impl Parser<'_> {
    /// Reads rows of CSV, whose columns the format names.
    pub(super) fn csv(&mut self, lines: &Lines, origin: &Arc<Origin>, offset: u64) {
        let text = lines.text.as_slice();
        let header = lines.format.as_deref().unwrap_or_default();
        let (mut names, mut cells, mut records) = (Vec::new(), Vec::new(), Vec::new());
        row(header.as_bytes(), &mut names).expect("the header was read when the file was recognized");
        let lower: Vec<String> = names.iter().map(|name| String::from_utf8_lossy(name).to_ascii_lowercase()).collect();
        let is_history = is_event_history(&lower);
        let may_be_of_a_job = self.options.table.is_none_or(|table| table.name == GLUE_LOG.name);
        let has_log_events = may_be_of_a_job && lower.iter().any(|name| name == "@message");
        let (mut rows, mut of_a_job) = (Vec::new(), has_log_events && self.options.table.is_some());
        let mut start = 0;
        while start < text.len() {
            let length = row(&text[start..], &mut cells);
            match length.filter(|_| cells.len() == names.len()) {
                Some(length) => {
                    // files one behind the other repeat the header
                    if cells != names {
                        records.push(b'{');
                        match is_history {
                            true => add_history(&mut records, &names, &cells),
                            false if has_log_events => {
                                let row = LogRow::of(lower.iter().map(String::as_str).zip(&cells));
                                of_a_job |= row.is_of_a_job();
                                rows.push(row);
                                add_all(&mut records, &names, &cells);
                            }
                            false => add_all(&mut records, &names, &cells),
                        }
                        records.extend_from_slice(b"}\n");
                    }
                    start += length;
                }
                None => {
                    // only the line: were it a quote that is missing, all behind it would be one row
                    let end = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |length| start + length + 1);
                    let line = text[start..end].trim_ascii_end();
                    if !line.is_empty() {
                        let reason = match length {
                            Some(_) => "a row with another number of columns than the header has",
                            None => "a row with a quote that is not closed, or that closes before its cell ends",
                        };
                        let around = Around { origin, offset, context: None, depth: 0 };
                        self.reject(table(&names).map_or("", |table| table.name), start, reason, line, &around);
                    }
                    start = end;
                }
            }
        }
        // what is wrong with a row is told with the place of the text around it
        let around = Around { origin, offset, context: None, depth: 1 };
        if of_a_job {
            return self.log_rows(rows, 0, &around);
        }
        self.text(Json::alone(Text::new(records)), &around);
    }

    /// Takes the rows of `QueryResultRows`, each an array of objects of one column. True when there are none but such.
    pub(super) fn query_rows(&mut self, cursor: &mut Cursor<'_>, around: &Around<'_>) -> Result<bool, Stop> {
        let mut records = Vec::new();
        if cursor.enter()? {
            loop {
                if cursor.byte()? == b'[' {
                    records.push(b'{');
                    query_row(cursor, &mut records)?;
                    records.extend_from_slice(b"}\n");
                } else {
                    let (start, end) = cursor.skip()?;
                    self.reject("", start, "a row of a query that is no array", &cursor.bytes()[start..end], around);
                }
                if !cursor.more_items()? {
                    break;
                }
            }
        }
        let context = around.context.cloned().unwrap_or_default();
        self.nested.push(Nested { text: Text::new(records), context, depth: around.depth + 1 });
        Ok(true)
    }
}

impl Parser<'_> {
    /// Takes the rows of `results` that `aws logs get-query-results` prints, each an array of fields: as the log events that
    /// their `@message` is, of the stream that `@logStream` names and the group of `@log`, or as the records whose fields they have.
    pub(super) fn insights_rows(&mut self, cursor: &mut Cursor<'_>, around: &Around<'_>) -> Result<(), Stop> {
        let mut events = b"{\"events\":[".to_vec();
        let forced = self.options.table.map(|table| table.name == GLUE_LOG.name);
        let (mut records, mut rows, mut of_a_job) = (Vec::new(), Vec::new(), forced == Some(true));
        let first = cursor.here()?;
        if cursor.byte()? == b'[' && cursor.enter()? {
            loop {
                let start = cursor.here()?;
                let (names, cells) = insights_row(cursor)?;
                let lower: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
                if lower.iter().any(|name| name == "@message") {
                    let row = LogRow::of(lower.iter().map(String::as_str).zip(&cells));
                    of_a_job |= row.is_of_a_job();
                    if events.last() == Some(&b'}') {
                        events.push(b',');
                    }
                    row.print(&mut events);
                    rows.push(row);
                } else if names_events(&lower) {
                    records.push(b'{');
                    let names: Vec<Cow<'_, [u8]>> = names.iter().map(|name| name.as_bytes().into()).collect();
                    let cells: Vec<Cow<'_, [u8]>> = cells.iter().map(|cell| cell.as_slice().into()).collect();
                    add_all(&mut records, &names, &cells);
                    records.extend_from_slice(b"}\n");
                } else {
                    let record = &cursor.bytes()[start..cursor.ended()];
                    self.reject("", start, "a row of a query without @message", record, around);
                }
                if !cursor.more_items()? {
                    break;
                }
            }
        }
        let mut texts = vec![records];
        if of_a_job && forced != Some(false) {
            self.log_rows(rows, first, around);
        } else if events.last() == Some(&b'}') {
            events.extend_from_slice(b"]}");
            texts.push(events);
        }
        for text in texts.into_iter().filter(|text| !text.is_empty()) {
            let context = around.context.cloned().unwrap_or_default();
            self.nested.push(Nested { text: Text::new(text), context, depth: around.depth + 1 });
        }
        Ok(())
    }

    /// Takes rows as log events of a Glue job; `start` is where they stand.
    fn log_rows(&mut self, rows: Vec<LogRow>, start: usize, around: &Around<'_>) {
        let mut groups: Vec<(Option<String>, LogEvents)> = Vec::new();
        for LogRow { message, time, stream, log } in rows {
            let place = groups.iter().position(|(name, _)| *name == log).unwrap_or_else(|| {
                groups.push((log, LogEvents::of_a_job(time)));
                groups.len() - 1
            });
            groups[place].1.add(&message, time, stream.as_deref(), around.depth);
        }
        for (log, events) in groups {
            let before = around.context.map(|context| (**context).clone()).unwrap_or_default();
            let (account, log_group) = log.as_deref().map_or((None, None), of_log);
            let context = Context { account: account.or(before.account), log_group, ..before };
            self.take_log_events(events, context, start, around);
        }
    }
}

/// A row of CloudWatch Logs Insights that has a log event.
struct LogRow {
    message: Vec<u8>,
    time: Option<Timestamp>,
    stream: Option<String>,
    /// `111122223333:/aws-glue/jobs/error`
    log: Option<String>,
}

impl LogRow {
    /// From names in lower case, and their values.
    fn of<'n>(fields: impl Iterator<Item = (&'n str, &'n (impl AsRef<[u8]> + 'n))>) -> LogRow {
        let mut row = LogRow { message: Vec::new(), time: None, stream: None, log: None };
        for (name, value) in fields {
            let text = || String::from_utf8_lossy(value.as_ref()).into_owned();
            match name {
                "@message" => row.message = value.as_ref().to_vec(),
                "@timestamp" => row.time = scalar::Clockwork::default().read(value.as_ref()).map(Timestamp),
                "@logstream" => row.stream = Some(text()).filter(|stream| !stream.is_empty()),
                "@log" => row.log = Some(text()).filter(|log| !log.is_empty()),
                _ => {}
            }
        }
        row
    }

    fn is_of_a_job(&self) -> bool {
        let log_group = self.log.as_deref().and_then(|log| of_log(log).1);
        let context = Context { log_group, log_stream: self.stream.clone(), ..Context::default() };
        glue_log::is_of_a_job(&context) || glue_log::begins_entry(&String::from_utf8_lossy(&self.message))
    }

    /// As `aws logs filter-log-events` prints a log event.
    fn print(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"message\":");
        quote(out, &self.message);
        out.extend_from_slice(b",\"ingestionTime\":0}");
    }
}

/// Account and log group of `@log`.
fn of_log(log: &str) -> (Option<String>, Option<String>) {
    match log.split_once(':') {
        Some((account, group)) => (Some(account.to_owned()), Some(group.to_owned())),
        None => (None, Some(log.to_owned())),
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

/// Adds the columns of a row, those of fields of columns (`userIdentity.arn`) as members of one object each.
fn add_all(out: &mut Vec<u8>, names: &[Cow<'_, [u8]>], cells: &[Cow<'_, [u8]>]) {
    let mut nested = serde_json::Map::new();
    // the time of a log event is that of the record it is
    let named = |other: &[u8]| names.iter().any(|name| name.eq_ignore_ascii_case(other));
    let has_time_beside = named(b"eventName") && !named(b"eventTime");
    for (name, cell) in names.iter().zip(cells) {
        if has_time_beside && name.eq_ignore_ascii_case(b"@timestamp") {
            add(out, b"eventTime", cell);
            continue;
        }
        let Some(dot) = memchr::memchr(b'.', name).filter(|dot| *dot > 0 && dot + 1 < name.len()) else {
            add(out, name, cell);
            continue;
        };
        if cell.is_empty() {
            continue;
        }
        let mut at = nested.entry(String::from_utf8_lossy(&name[..dot])).or_insert(Value::Null);
        for part in String::from_utf8_lossy(&name[dot + 1..]).splitn(PARTS_MAX, '.') {
            at = field(at, part);
        }
        let is_json = matches!(cell.first(), Some(b'{' | b'['));
        let json = if is_json { serde_json::from_slice(cell).ok() } else { None };
        *at = json.unwrap_or_else(|| Value::String(String::from_utf8_lossy(cell).into_owned()));
    }
    for (name, value) in nested {
        add(out, name.as_bytes(), value.to_string().as_bytes());
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

/// Adds the columns of the row at the cursor, which is behind it then.
fn query_row(cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), Stop> {
    if !cursor.enter()? {
        return Ok(());
    }
    loop {
        if cursor.byte()? == b'{' {
            for Member { name, value, .. } in Members::read(cursor)?.members {
                let mut text = Vec::new();
                match value {
                    [b'"', inside @ .., b'"'] if scalar::unescape(inside, &mut text).is_some() => add(out, name, &text),
                    b"null" => {}
                    _ => add(out, name, value),
                }
            }
        } else {
            cursor.skip()?;
        }
        if !cursor.more_items()? {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> Option<(Vec<String>, usize)> {
        let mut cells = Vec::new();
        let end = row(text.as_bytes(), &mut cells)?;
        Some((cells.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect(), end))
    }

    #[test]
    fn a_row_ends_at_a_line_end_that_is_not_quoted() {
        let check = |text: &str, expected: &[&str], end: usize| {
            let (cells, found) = cells(text).unwrap();
            assert_eq!(
                (cells.iter().map(String::as_str).collect::<Vec<_>>(), found),
                (expected.to_vec(), end),
                "{text}"
            );
        };
        check("a,b\nc", &["a", "b"], 4);
        check("a,b\r\nc", &["a", "b"], 5);
        check("\"a\",\"b\"\r\nc", &["a", "b"], 9);
        check("\"a\nb\",\"c,d\"\n", &["a\nb", "c,d"], 12);
        check(r#""{""a"":""b""}","""""#, &[r#"{"a":"b"}"#, "\""], 20);
        check("\"\",,\n", &["", "", ""], 5);
        check("a,", &["a", ""], 2);
        check("\"a\"\r", &["a"], 4);
        check("a \"b\" c,d", &["a \"b\" c", "d"], 9);
        check("\n", &[""], 1);
    }

    #[test]
    fn quotes_that_are_wrong_make_no_row() {
        for text in ["\"a", "a,\"b\nc", "\"a\"b,c", "\"a\"\"", "\"a\" ,b"] {
            assert_eq!(cells(text), None, "{text}");
        }
    }

    #[test]
    fn a_header_names_fields_of_a_record() {
        let known = |text: &str| recognize(text.as_bytes(), &Options::default()).is_some();
        assert!(known("eventVersion,userIdentity,eventTime,eventSource,eventName\n1.08,"));
        assert!(known("\"eventtime\",\"eventname\",\"awsregion\"\r\n"));
        assert!(known("User name,AWS access key,Event time,Event source,Event name,AWS region\n"));
        assert!(known("\"version\",\"account_id\",\"srcaddr\",\"dstaddr\",\"start\",\"end\"\n"));
        assert!(known("@timestamp,@message\n2024-08-01 10:00:00.000,x\n"));
        assert!(!known("timestamp,message\n"));
        assert!(!known("srcaddr,dstaddr,count\n"));
        assert!(!known("eventName,eventId\n"));
        assert!(!known("event time,name"));
        assert!(!known("\"eventName\",\"eventSource"));
        assert!(!known("version account-id interface-id srcaddr dstaddr\n"));
    }
}
