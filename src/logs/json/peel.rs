//! What a JSON object is: a record of some table, an envelope around records, or nothing we know.

use std::cell::LazyCell;
use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use serde_json::Value;

use super::fill::{Fill, is_attribute, is_column};
use super::plan::{Action, Plan, is_alike};
use super::walk::{Cursor, Stop};
use super::{
    Around, Messages, NESTED_MAX, Nested, Parser, braces, cloudwatch, elastic, held, insights, others, packed, plan,
    query, scalar, texts,
};
use crate::decode::{Body, Context, Entry, Lines, Records, Shape, Text};
use crate::logs::TABLES;
use crate::logs::cloudtrail::CLOUDTRAIL;
use crate::logs::glue_log::{GLUE_LOG, begins_entry, is_of_a_job};
use crate::table::{Kind, Table};
use crate::time::Timestamp;

/// Objects around records are searched this deep.
const DEPTH_MAX: u8 = 8;
/// A text of an object is compared with so many that were taken out of it just before: what was made of a message stands near it, and
/// 50,000 texts that are compared with each other took 4 s.
const TEXTS_COMPARED: usize = 64;

/// Columns that make an object a record of their table: all of one line, and the value is no null.
fn evidence(table: &Table) -> &'static [&'static [&'static str]] {
    match table.name {
        // an id is no evidence: applications give their events a name and one too
        "cloudtrail" => &[
            &["eventname", "eventsource"],
            &["eventname", "eventversion"],
            &["eventname", "useridentity"],
            &["eventname", "awsregion"],
            &["eventname", "sourceipaddress"],
            &["eventsource", "eventversion"],
            &["insightdetails", "eventtype"],
            // without its type, else the call that `insightDetails` names would be the event
            &["insightdetails", "eventid"],
            &["insightdetails", "eventtime"],
        ],
        "vpc_flow" => &[
            &["srcaddr", "dstaddr", "action"],
            &["srcaddr", "dstaddr", "protocol"],
            &["srcaddr", "dstaddr", "start"],
            &["interface_id", "log_status"],
            &["interface_id", "start", "end"],
        ],
        "glue_job_run" => &[&["id", "jobname", "jobrunstate"], &["id", "jobrunstate", "startedon"]],
        "glue_log" => {
            &[&["level", "message", "logger"], &["level", "message", "thread"], &["level", "message", "timestamp"]]
        }
        // Macie's and Security Hub's findings have no `resource`, Access Analyzer's no `type`
        "guardduty_finding" => &[
            &["type", "resource", "service", "severity"],
            &["type", "resource", "severity", "updatedat"],
            &["type", "resource", "schemaversion"],
            &["type", "service", "severity", "accountid"],
        ],
        _ => &[],
    }
}

pub(super) fn is_evident(plan: &Plan, has: impl Fn(Action) -> bool) -> bool {
    evidence(plan.table).iter().any(|columns| columns.iter().all(|column| plan.find(column).is_some_and(&has)))
}

/// Whether a record that has values in these columns is one of the table.
pub(super) fn names_record(table: &Table, names: &[String]) -> bool {
    let is_named = |column: &&str| names.iter().any(|name| name == column);
    evidence(table).iter().any(|columns| columns.iter().all(is_named))
}

/// Whether a table knows its records by this column, with others.
pub(super) fn is_evidence(table: &Table, column: &str) -> bool {
    evidence(table).iter().any(|columns| columns.contains(&column))
}

/// True when the row being read is a record of its table.
#[inline]
pub fn is_record(fill: &Fill) -> bool {
    // what nearly every record has, looked at first
    let [name, source] = fill.plan.common.map_or([None; 2], |common| common.map(|builder| fill.symbol(builder)));
    let evident = name.is_some() && source.is_some() || is_evident(fill.plan, |action| fill.has(action));
    evident
        && !source.is_some_and(is_of_mapping)
        && !fill.is_doubtful()
        && !fill.has_unmapped(LOOKED_UP)
        && !fill.has_unmapped(RAW)
}

/// Whether an `eventSource` is that of an S3 notification or of an item that Lambda gives a function (`aws:s3`,
/// `aws:kinesis`, `aws:sns`, `aws:sqs`): these have names of CloudTrail's, and are none of its records.
fn is_of_mapping(source: &[u8]) -> bool {
    source.starts_with(b"aws:")
}

/// The member of an event of LookupEvents whose text is the record; those beside it repeat parts of the record, under
/// names that differ from its own in case only.
const LOOKED_UP: &[u8] = b"CloudTrailEvent";

/// The event itself, as Splunk exports it beside the fields that it took out of it.
const RAW: &[u8] = b"\"_raw\":\"{";

/// The members of an object, by their places in the index.
pub(super) struct Members<'a> {
    pub members: Vec<Member<'a>>,
    /// There are more than are kept.
    has_more: bool,
}

pub(super) struct Member<'a> {
    /// As it stands in JSON.
    pub name: &'a [u8],
    pub value: &'a [u8],
    /// Place of the value.
    pub at: usize,
    /// Position of the value.
    pub start: usize,
}

impl Member<'_> {
    /// What its string stands for; nothing where it is none.
    fn unescaped(&self) -> Vec<u8> {
        let mut text = Vec::new();
        match self.value {
            [b'"', inside @ .., b'"'] if scalar::unescape(inside, &mut text).is_some() => text,
            _ => Vec::new(),
        }
    }
}

impl<'a> Members<'a> {
    /// So many are kept, which take 48 bytes each; what has more is no record and nothing around some ([`texts::too_large`]).
    const MOST: usize = 300_000;

    /// The object at the cursor; the cursor is behind it then.
    pub fn read(cursor: &mut Cursor<'a>) -> Result<Members<'a>, Stop> {
        let bytes = cursor.bytes();
        let mut members = Vec::new();
        let mut has_more = false;
        if cursor.enter()? {
            loop {
                cursor.key_start()?;
                let key = cursor.string()?;
                cursor.colon()?;
                let at = cursor.at();
                let (start, end) = cursor.skip()?;
                has_more = members.len() == Self::MOST;
                if !has_more {
                    members.push(Member { name: &bytes[key.start..key.end], value: &bytes[start..end], at, start });
                }
                if !cursor.more_members()? {
                    break;
                }
            }
        }
        Ok(Members { members, has_more })
    }

    pub fn get(&self, name: &str) -> Option<&Member<'a>> {
        self.members.iter().find(|member| member.name.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// A string without escapes, or a number's text.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let value = self.get(name)?.value;
        let inside = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        let text = std::str::from_utf8(inside).ok()?;
        (!text.is_empty() && !text.contains('\\') && value != b"null").then_some(text)
    }

    /// The member that has the text of the record of which others repeat parts.
    fn whole(&self) -> Option<&Member<'a>> {
        let is_whole = |member: &&Member<'_>| match member.name {
            LOOKED_UP => true,
            b"_raw" => member.value.starts_with(b"\"{") && insights::holds_record(&member.unescaped()),
            _ => false,
        };
        self.members.iter().find(is_whole)
    }

    fn is(&self, table: &'static Table) -> bool {
        let plan = plan(table);
        let named = |action: Action, is_name: fn(&[u8], &[u8]) -> bool| {
            let mut keys = plan.nodes[0].keys.iter().filter(|key| key.action == action);
            keys.any(|key| {
                let found = |member: &Member<'_>| is_name(member.name, &key.name) && member.value != b"null";
                self.members.iter().any(found)
            })
        };
        // applications have events with a name, a source and a Region too, and call them so
        let is_of_aws = || {
            let mut sources = self.members.iter().filter(|member| is_alike(member.name, b"eventsource")).peekable();
            match sources.peek() {
                Some(_) => sources.any(|source| source.value.ends_with(b".amazonaws.com\"")),
                None => {
                    has_own_names(|own| self.members.iter().any(|member| is_of_column(member.name, own.as_bytes())))
                }
            }
        };
        let may_be_respelled = || match table.name {
            "cloudtrail" => is_of_aws(),
            name => name == "glue_job_run",
        };
        let is_of_others = |action: Action| {
            let is_it = |member: &Member<'_>| plan.key_of_others(member.name).is_some_and(|key| key.action == action);
            self.members.iter().any(|member| is_it(member) && member.value != b"null")
        };
        let has = |action: Action| {
            named(action, <[u8]>::eq_ignore_ascii_case)
                || may_be_respelled() && named(action, is_of_column)
                || is_of_others(action)
        };
        let is_mapped = || self.text("eventSource").is_some_and(|source| is_of_mapping(source.as_bytes()));
        is_evident(plan, has) && !(table.name == "cloudtrail" && is_mapped())
    }
}

/// Whether there are several names that CloudTrail's events have and hardly any others, without signs between their words.
pub(super) fn has_own_names(has: impl Fn(&str) -> bool) -> bool {
    let own = ["eventversion", "sourceipaddress", "useridentity", "recipientaccountid", "requestparameters"];
    own.iter().filter(|name| has(name)).count() >= 2
}

/// Whether a member's name is a column's in another spelling, or of a field of it: `event_name`, `userIdentity.arn`.
fn is_of_column(name: &[u8], column: &[u8]) -> bool {
    is_alike(name.split(|byte| *byte == b'.').next().unwrap_or_default(), column)
}

impl Parser<'_> {
    /// Finds the records in the object at the cursor, which is behind it then.
    pub(super) fn peel(&mut self, cursor: &mut Cursor<'_>, around: &Around<'_>) -> Result<(), Stop> {
        let start = cursor.here()?;
        let at = cursor.at();
        if self.object(cursor, around, 0)? {
            return Ok(());
        }
        let bare = if self.options.table.is_none() && self.in_records { self.bare(cursor, at)? } else { None };
        if let Some(table) = self.options.table.or(bare) {
            cursor.go(at);
            return self.leaf(table, cursor, around);
        }
        let record = &cursor.bytes()[start..cursor.ended()];
        if self.texts_with_records(record, start, around) {
            return Ok(());
        }
        let reason =
            others::what_is(record).or_else(|| texts::too_large(record)).unwrap_or("no table is known for this object");
        self.reject("", start, reason, record, around);
        Ok(())
    }

    /// The table of what `Records` has at place `at`, where only the array says that it is one: an event of a name and a time. What has
    /// a source besides is known by it.
    #[cold]
    fn bare(&self, cursor: &mut Cursor<'_>, at: usize) -> Result<Option<&'static Table>, Stop> {
        let (behind, ended) = (cursor.at(), cursor.ended());
        cursor.go(at);
        let object = Members::read(cursor)?;
        cursor.settle(behind, ended);
        let has = |name: &str| object.text(name).is_some();
        Ok((has("eventName") && has("eventTime") && !has("eventSource")).then_some(&CLOUDTRAIL))
    }

    /// True when the object at the cursor was understood.
    fn object(&mut self, cursor: &mut Cursor<'_>, around: &Around<'_>, depth: u8) -> Result<bool, Stop> {
        let (at, start) = (cursor.at(), cursor.here()?);
        let object = Members::read(cursor)?;
        let (behind, ended) = (cursor.at(), cursor.ended());
        if depth == 0 {
            self.texts.clear();
        }
        if object.has_more {
            return Ok(false);
        }
        let forced = self.options.table;
        if let Some(record) = object.whole()
            && forced.is_none_or(|table| table.name == "cloudtrail")
            && depth < DEPTH_MAX
        {
            if !self.member(cursor, record, around, (depth, None))? {
                let reason = "its CloudTrailEvent is no JSON object";
                self.reject("cloudtrail", record.start, reason, record.value, around);
            }
            cursor.settle(behind, ended);
            return Ok(true);
        }
        let tables = TABLES.iter().copied().filter(|table| forced.is_none_or(|forced| forced.name == table.name));
        for table in tables {
            if object.is(table) {
                let are_all = |is: fn(&[u8]) -> bool| object.members.iter().all(|member| is(member.value));
                let other = are_all(is_column).then_some(others::BY_COLUMN);
                if let Some(reason) = other.or_else(|| are_all(is_attribute).then_some(others::OF_DYNAMODB)) {
                    self.reject(table.name, start, reason, &cursor.bytes()[start..ended], around);
                    return Ok(true);
                }
                cursor.go(at);
                if depth == 0 {
                    self.last = Some(self.open(table));
                }
                self.leaf(table, cursor, around)?;
                return Ok(true);
            }
        }
        if depth == 0 {
            self.last = None;
        }
        let has_both = |names: [&str; 2]| names.iter().all(|name| object.get(name).is_some());
        // the signature stands beside the results of a query that CloudTrail Lake has saved
        if has_both(["digestStartTime", "logFiles"]) || has_both(["hashSignature", "publicKeyFingerprint"]) {
            self.set_aside("cloudtrail");
            return Ok(true);
        }
        // a finding of ours, whose evidence may have what an event has
        let is_finding = ["rule", "priority", "evidence", "event_ids"].iter().all(|name| object.get(name).is_some());
        // so have findings of ours in SARIF
        let is_sarif = object.get("results").is_some()
            && object.get("tool").is_some_and(|tool| memchr::memmem::find(tool.value, b"\"driver\"").is_some());
        if is_finding || is_sarif || elastic::is_action(&object) {
            self.set_aside("");
            return Ok(true);
        }
        if let (Some(kind), Some(events)) = (object.text("messageType"), object.get("logEvents")) {
            if kind == "CONTROL_MESSAGE" {
                self.set_aside("");
                return Ok(true);
            }
            self.cloudwatch(cursor, &object, events, around)?;
            cursor.settle(behind, ended);
            return Ok(true);
        }
        if let Some(rows) = object.get("results")
            && object.get("status").is_some()
            && (object.get("statistics").is_some() || has_rows(rows.value))
            && around.depth < NESTED_MAX
        {
            cursor.go(rows.at);
            self.insights_rows(cursor, around)?;
            cursor.settle(behind, ended);
            return Ok(true);
        }
        if let Some(events) = object.get("events")
            && cloudwatch::is_printed_of_a_job(events, self.options)
        {
            self.cloudwatch(cursor, &object, events, around)?;
            cursor.settle(behind, ended);
            return Ok(true);
        }
        // what `--query ResultSet` leaves of an answer
        if object.get("Rows").is_some() && object.get("ResultSetMetadata").is_some() {
            let set = Member { name: b"ResultSet", value: &cursor.bytes()[start..ended], at, start };
            if self.result_set(&set, around) {
                return Ok(true);
            }
        }
        if is_empty_page(&object) {
            return Ok(true);
        }
        if is_step(&object) {
            let is_result = |member: &Member<'_>| memchr::memmem::find(member.value, b"JobRunState").is_some();
            let of_a_task =
                object.text("type").is_some_and(|kind| kind.starts_with("Task") && !kind.starts_with("TaskState"));
            if !(of_a_task && object.members.iter().any(is_result)) {
                self.set_aside("");
                return Ok(true);
            }
        }
        // what is beside the text of a record was made of it
        if let Some(event) = object.get("event").filter(|event| elastic::has_original(event.value))
            && depth < DEPTH_MAX
        {
            let is_record = self.member(cursor, event, around, (depth, None))?;
            cursor.settle(behind, ended);
            if is_record {
                return Ok(true);
            }
        }
        if object.get("aws").is_some()
            && around.depth < NESTED_MAX
            && let Some(record) = elastic::record(&cursor.bytes()[start..ended])
        {
            let context = around.context.cloned().unwrap_or_default();
            self.nested.push(Nested { text: Text::new(record), context, depth: around.depth + 1 });
            return Ok(true);
        }
        let context = context(&object, around);
        let inner = Around { context: Some(&context), ..*around };
        if let Some(data) = packed::data(&object)
            && self.pack(data, &inner)
        {
            return Ok(true);
        }
        let mut understood = false;
        let time =
            ["timestamp", "@timestamp", "time"].iter().find_map(|name| cloudwatch::time_of_event(object.text(name)?));
        if depth < DEPTH_MAX {
            for member in &object.members {
                understood |= self.member(cursor, member, &inner, (depth, time))?;
            }
        }
        cursor.settle(behind, ended);
        Ok(understood)
    }

    fn member(
        &mut self,
        cursor: &mut Cursor<'_>,
        member: &Member<'_>,
        around: &Around<'_>,
        (depth, time): (u8, Option<Timestamp>),
    ) -> Result<bool, Stop> {
        let reported_by = match member.name {
            b"JobRuns" | b"JobRun" => Some("get_job_runs"),
            b"output" | b"Output" | b"cause" | b"Cause" => Some("step_functions"),
            _ => None,
        };
        let named = reported_by.map(|reported_by| {
            let context = around.context.map(|context| (**context).clone()).unwrap_or_default();
            Arc::new(Context { reported_by: Some(reported_by), ..context })
        });
        let around = &Around { context: named.as_ref().or(around.context), ..*around };
        if NAMES_OF_TEXT.contains(&member.name)
            && around.depth < NESTED_MAX
            && let Some((at, string)) = texts::alone(member.value)
        {
            return Ok(self.string(cursor, string, member.start + at, time, around));
        }
        cursor.go(member.at);
        match member.value.first() {
            Some(b'{') if member.name == b"ResultSet" && self.result_set(member, around) => Ok(true),
            Some(b'{') => self.object(cursor, around, depth + 1),
            Some(b'[') if member.name == b"QueryResultRows" => self.query_rows(cursor, around),
            Some(b'[') => {
                let whole = matches!(member.name, b"Records" | b"records" | b"JobRuns" | b"Findings");
                self.array(cursor, around, depth + 1, whole)
            }
            _ => Ok(false),
        }
    }

    /// Reads the records of a string of JSON at `start`, or takes the line of a log that it is. False when it is neither.
    fn string(
        &mut self,
        cursor: &Cursor<'_>,
        string: &[u8],
        start: usize,
        time: Option<Timestamp>,
        around: &Around<'_>,
    ) -> bool {
        // shippers keep a message beside what it was made of
        let mut latest = self.texts.iter().rev().take(TEXTS_COMPARED);
        if latest.any(|read| cursor.bytes()[read.clone()] == *string) {
            return true;
        }
        let mut text = Vec::new();
        if scalar::unescape(&string[1..string.len() - 1], &mut text).is_none() {
            return false;
        }
        let is_json = cloudwatch::is_json(&text);
        if !is_json && !self.message(&text, start, time, around) {
            return false;
        }
        self.texts.push(start..start + string.len());
        if is_json {
            let context = around.context.cloned().unwrap_or_default();
            self.nested.push(Nested { text: Text::new(text), context, depth: around.depth + 1 });
        }
        true
    }

    /// Takes flow records, or an entry of a Glue log, that are the message of an object, as shippers and Firehose pass lines on, and as
    /// `aws logs filter-log-events` prints them. True when they are some.
    pub(super) fn message(&mut self, text: &[u8], start: usize, time: Option<Timestamp>, around: &Around<'_>) -> bool {
        let shape = (self.options.recognize.text)(text, self.options);
        let is_known = |shape: &Shape| match shape.table.name {
            "vpc_flow" => !shape.header,
            _ => {
                shape.table.name == GLUE_LOG.name
                    && shape.quoted.is_none()
                    && begins_entry(&String::from_utf8_lossy(text))
            }
        };
        let is_apart = |before: &Messages| {
            !Arc::ptr_eq(&before.origin, around.origin) || before.context.as_ref() != around.context
        };
        let before = self.messages.as_ref().filter(|before| !is_apart(before)).map(|before| before.table);
        // whatever it printed
        let is_of_run = || {
            self.options.table.is_none()
                && around.depth == 0
                && around.context.is_some_and(|context| is_of_a_job(context))
        };
        let table = match shape.filter(is_known) {
            Some(shape) => shape.table,
            // what stands behind an entry of a log is of that log
            None if before.is_some_and(|table| table.name == GLUE_LOG.name) => &GLUE_LOG,
            None if is_of_run() => &GLUE_LOG,
            None => return false,
        };
        if before.is_none_or(|before| before.name != table.name) {
            self.end_messages();
        }
        let messages = self.messages.get_or_insert_with(|| Messages {
            table,
            text: Vec::new(),
            entries: Vec::new(),
            origin: around.origin.clone(),
            offset: around.offset + start as u64,
            context: around.context.cloned(),
        });
        let begin = messages.text.len();
        messages.text.extend_from_slice(text.strip_suffix(b"\n").unwrap_or(text));
        if table.name == GLUE_LOG.name {
            messages.entries.push(Entry { start: begin, end: messages.text.len(), time });
        }
        messages.text.push(b'\n');
        true
    }

    pub(super) fn end_messages(&mut self) {
        if let Some(Messages { table, text, entries, origin, offset, context }) = self.messages.take() {
            let format = self.options.vpc_flow_format.as_deref().map(Arc::from);
            let body = Body::Lines(Lines { text: Text::new(text), format, separator: None, entries });
            self.lines.push(Records { table, origin, offset, body, context });
        }
    }

    /// True when the array at the cursor holds records, or is `whole`: one that should hold nothing else.
    fn array(&mut self, cursor: &mut Cursor<'_>, around: &Around<'_>, depth: u8, whole: bool) -> Result<bool, Stop> {
        let mut understood = whole;
        if cursor.enter()? {
            let first = cursor.at();
            loop {
                let (at, start) = (cursor.at(), cursor.here()?);
                let known = if cursor.byte()? == b'{' {
                    // those of another item are of another event
                    let texts = mem::take(&mut self.texts);
                    let known = self.object(cursor, around, depth)?;
                    self.texts = texts;
                    known
                } else {
                    cursor.skip()?;
                    false
                };
                if known && !understood {
                    understood = true;
                    // only now it is told that those before it should be records: gathered, they would take more than the array
                    let (behind, ended) = (cursor.at(), cursor.ended());
                    cursor.go(first);
                    while cursor.at() < at {
                        let (start, end) = cursor.skip()?;
                        self.no_item(start, &cursor.bytes()[start..end], around);
                        cursor.more_items()?;
                    }
                    cursor.settle(behind, ended);
                }
                if !known && understood {
                    self.no_item(start, &cursor.bytes()[start..cursor.ended()], around);
                }
                if !cursor.more_items()? {
                    break;
                }
            }
        }
        Ok(understood)
    }

    /// Rejects an item of an array of records that is none.
    fn no_item(&mut self, start: usize, item: &[u8], around: &Around<'_>) {
        let reason = others::what_is(item).unwrap_or("no table is known for this item of an array of records");
        self.reject("", start, reason, item, around);
    }

    fn leaf(&mut self, table: &'static Table, cursor: &mut Cursor<'_>, around: &Around<'_>) -> Result<(), Stop> {
        let at = cursor.at();
        let start = cursor.here()?;
        let open = self.open(table);
        let fill = &mut self.fills[open].fill;
        match fill.record(cursor) {
            Ok(()) => {
                if !fill.has_otherwise() || !self.set_right(open, cursor, at, around)? {
                    self.take(open, around);
                }
            }
            Err(Stop::Short) => unreachable!("the whole object was walked before"),
            Err(Stop::Damaged(reason)) => {
                // the grammar is sound, or we were not here: only this record is lost
                fill.forget();
                cursor.go(at);
                let (_, end) = cursor.skip()?;
                self.reject(table.name, start, reason, &cursor.bytes()[start..end], around);
            }
        }
        Ok(())
    }

    /// Reads the record that begins at place `at`, and was just read into `open`, as if columns of objects stood there as they should
    /// which are texts that hold these, or stand there field by field. False when there are none, or the record is long: the row stands.
    #[cold]
    pub(super) fn set_right(
        &mut self,
        open: usize,
        cursor: &mut Cursor<'_>,
        at: usize,
        around: &Around<'_>,
    ) -> Result<bool, Stop> {
        /// A longer one would take some hundred times as much memory while it is put together. CloudTrail's have at most 256 KB.
        const LENGTH_MAX: usize = 1 << 20;
        cursor.go(at);
        let start = cursor.here()?;
        let object = Members::read(cursor)?;
        if cursor.ended() - start > LENGTH_MAX {
            return Ok(false);
        }
        let plan = self.fills[open].fill.plan;
        let table = plan.table;
        let mut is_other = false;
        let mut record = vec![b'{'];
        let mut inside = Value::Object(serde_json::Map::new());
        // so are the `fields` that a search of Elasticsearch gives
        let are_lists = object.members.iter().all(|member| member.value.first() == Some(&b'['));
        let alone = |value: Value| match value {
            Value::Array(mut items) if are_lists && items.len() == 1 => items.remove(0),
            value => value,
        };
        // of members of one name the first is the one
        let is_told = LazyCell::new(|| {
            let mut is_told = HashMap::new();
            for member in &object.members {
                is_told.entry(member.name.to_ascii_lowercase()).or_insert(member.value != b"null");
            }
            is_told
        });
        let has_whole = |path: &str| {
            let top = path.split('.').next().unwrap_or_default();
            let top = top.strip_suffix("{}").unwrap_or(top);
            is_told.get(&top.as_bytes().to_ascii_lowercase()) == Some(&true)
        };
        // so has who makes JSON of an answer of Athena, and maps beside them
        let is_printed = object.members.iter().any(|member| {
            let nested = table.kind(member.name).filter(|kind| matches!(kind, Kind::Struct(_) | Kind::List(_)));
            nested.is_some_and(|kind| braces::read(&member.unescaped(), kind).is_some())
        });
        for member in &object.members {
            if let Some(path) = str::from_utf8(member.name).ok().and_then(|name| plan.path_inside(name))
                && !has_whole(&path)
                && let Some(value) = scalar::value(member.value)
            {
                is_other = true;
                if !value.is_null() {
                    query::place(&mut inside, &path, alone(value));
                }
                continue;
            }
            // what Splunk's add-on for AWS says of calls that went right, and what Splunk calls the time of an event
            let is_call = table.name == CLOUDTRAIL.name;
            if is_call && member.name.eq_ignore_ascii_case(b"errorCode") && member.value == b"\"success\"" {
                is_other = true;
                continue;
            }
            let is_time = is_call && member.name == b"_time" && !has_whole("eventTime");
            is_other |= is_time;
            let kind = table.kind(member.name);
            let text = match kind {
                Some(Kind::Struct(_) | Kind::List(_)) => member.unescaped(),
                Some(Kind::Json) if is_printed => member.unescaped(),
                _ => Vec::new(),
            };
            let is_json = matches!(text.first(), Some(b'{' | b'['))
                && serde_json::from_slice::<serde::de::IgnoredAny>(&text).is_ok();
            let json = match kind {
                _ if is_json => Some(text),
                Some(kind) => braces::read(&text, kind).or_else(|| held::open(member.value, kind)),
                None => None,
            };
            is_other |= json.is_some();
            record.extend_from_slice(if record.len() > 1 { b",\"" } else { b"\"" });
            record.extend_from_slice(if is_time { b"eventTime" } else { member.name });
            record.extend_from_slice(b"\":");
            match are_lists.then(|| serde_json::from_slice(member.value).ok()).flatten() {
                Some(value) => record.extend_from_slice(alone(value).to_string().as_bytes()),
                None => record.extend_from_slice(json.as_deref().unwrap_or(member.value)),
            }
        }
        for (name, value) in inside.as_object().into_iter().flatten() {
            match value {
                Value::String(text) => query::add(&mut record, name.as_bytes(), text.as_bytes()),
                value => query::add(&mut record, name.as_bytes(), value.to_string().as_bytes()),
            }
        }
        record.push(b'}');
        if !is_other || around.depth >= NESTED_MAX {
            return Ok(false);
        }
        self.fills[open].fill.forget();
        let context = around.context.cloned().unwrap_or_default();
        self.nested.push(Nested { text: Text::new(record), context, depth: around.depth + 1 });
        Ok(true)
    }

    fn set_aside(&mut self, table: &'static str) {
        let tally = self.counts.of(table);
        tally.records += 1;
        tally.set_aside += 1;
    }
}

/// Members whose text may be a JSON document: LookupEvents, SNS, SQS, Step Functions, shippers, CloudTrail Lake, Splunk,
/// Elastic, CloudWatch Logs Insights, entries of PutEvents, and records that were made a text once more.
pub(super) const NAMES_OF_TEXT: &[&[u8]] = &[
    b"CloudTrailEvent",
    b"Message",
    b"message",
    b"body",
    b"Body",
    b"output",
    b"Output",
    b"cause",
    b"Cause",
    b"event",
    b"log",
    b"eventJson",
    b"eventjson",
    b"_raw",
    b"original",
    b"event.original",
    b"@message",
    b"detail",
    b"Detail",
    b"Records",
];

/// Whether a list is one of lists, as the rows of CloudWatch Logs Insights are.
fn has_rows(list: &[u8]) -> bool {
    list.strip_prefix(b"[").is_some_and(|inside| inside.trim_ascii_start().starts_with(b"["))
}

/// A page of `aws logs filter-log-events` or `get-log-events`, or a history of Step Functions, that has no events.
fn is_empty_page(object: &Members<'_>) -> bool {
    const BESIDE: [&[u8]; 5] =
        [b"events", b"searchedLogStreams", b"nextToken", b"nextForwardToken", b"nextBackwardToken"];
    let is_empty = |value: &[u8]| value.strip_prefix(b"[").is_some_and(|rest| rest.trim_ascii() == b"]");
    object.get("events").is_some_and(|events| is_empty(events.value))
        && object.members.iter().all(|member| BESIDE.contains(&member.name))
}

/// An event of the history of an execution of Step Functions.
fn is_step(object: &Members<'_>) -> bool {
    ["timestamp", "type", "id", "previousEventId"].iter().all(|name| object.get(name).is_some())
}

/// What an object says about the records inside it: the EventBridge envelope's account, Region and time.
fn context(object: &Members<'_>, around: &Around<'_>) -> Arc<Context> {
    if object.get("detail").is_none() {
        // one for all that is inside: a list may have a million texts
        return in_stream(object, around.context.cloned().unwrap_or_default());
    }
    let before = around.context.map(|context| (**context).clone()).unwrap_or_default();
    let time = object.text("time").and_then(|text| scalar::Clockwork::default().read(text.as_bytes()));
    Arc::new(Context {
        account: object.text("account").map(str::to_owned).or(before.account),
        region: object.text("region").map(str::to_owned).or(before.region),
        time: time.map(Timestamp).or(before.time),
        log_group: before.log_group,
        log_stream: before.log_stream,
        reported_by: Some("eventbridge"),
    })
}

/// The same with the stream of a run of a Glue job that an object names, as log events alone (`--query events`) and rows of Logs Insights
/// that the console exports do.
fn in_stream(object: &Members<'_>, before: Arc<Context>) -> Arc<Context> {
    match ["logStreamName", "@logStream"].into_iter().find_map(|name| object.text(name)) {
        Some(stream) if before.log_stream.is_none() => {
            let found = Context { log_stream: Some(stream.to_owned()), ..(*before).clone() };
            if is_of_a_job(&found) { Arc::new(found) } else { before }
        }
        Some(_) | None => before,
    }
}
