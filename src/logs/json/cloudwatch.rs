//! An envelope of CloudWatch Logs → the records that its log events are, also where its end is missing.

use std::collections::HashMap;
use std::sync::Arc;

use super::damage::{begins_another, first_key};
use super::insights::holds_record;
use super::peel::{Member, Members, is_evident};
use super::walk::{Cursor, Stop};
use super::{Around, NESTED_MAX, Nested, OpenBefore, Parser, plan, scalar};
use crate::decode::{Begins, Body, Context, Entry, Json, Lines, Options, Records, Text};
use crate::logs::glue_log::{self, GLUE_LOG};
use crate::time::Timestamp;

impl Parser<'_> {
    /// A CloudWatch Logs subscription envelope: every log event is a record as text, JSON or not.
    pub(super) fn cloudwatch(
        &mut self,
        cursor: &mut Cursor<'_>,
        envelope: &Members<'_>,
        events: &Member<'_>,
        around: &Around<'_>,
    ) -> Result<(), Stop> {
        let text = |name| envelope.text(name).map(str::to_owned);
        let context = Context {
            account: text("owner"),
            region: around.context.and_then(|context| context.region.clone()),
            time: None,
            log_group: text("logGroup"),
            log_stream: text("logStream"),
            reported_by: None,
        };
        let may_be = self.options.table.is_none_or(|table| table.name == GLUE_LOG.name);
        let of_a_job = may_be && (glue_log::is_of_a_job(&context) || is_printed_of_a_job(events, self.options));
        let mut found = LogEvents { of_a_job, ..LogEvents::default() };
        cursor.go(events.at);
        if cursor.byte()? == b'[' && cursor.enter()? {
            loop {
                let start = cursor.here()?;
                let mut message = Vec::new();
                let mut time = None;
                let mut stream = None;
                let mut is_whole = false;
                if cursor.byte()? == b'{' {
                    let event = Members::read(cursor)?;
                    time = event.text("timestamp").and_then(time_of_event);
                    stream = event.text("logStreamName");
                    if let Some(Member { value: [b'"', inside @ .., b'"'], .. }) = event.get("message") {
                        is_whole = scalar::unescape(inside, &mut message).is_some();
                    }
                } else {
                    cursor.skip()?;
                }
                found.first = found.first.or(time);
                if is_whole {
                    found.add(&message, time, stream, around.depth);
                } else {
                    let record = &cursor.bytes()[start..cursor.ended()];
                    self.reject("", start, "a log event without a message", record, around);
                }
                if !cursor.more_items()? {
                    break;
                }
            }
        }
        self.take_log_events(found, context, events.start, around);
        Ok(())
    }

    /// Takes log events as the records that they are; `start` is where they stand.
    pub(super) fn take_log_events(
        &mut self,
        found: LogEvents,
        mut context: Context,
        start: usize,
        around: &Around<'_>,
    ) {
        let LogEvents { of_a_job, json, streams, first } = found;
        for (time, stream, text) in json {
            let log_stream = stream.or_else(|| context.log_stream.clone());
            let context = Arc::new(Context { time: time.or(first), log_stream, ..context.clone() });
            self.nested.push(Nested { text: Text::new(text), context, depth: around.depth + 1 });
        }
        context.time = first;
        for Stream { name, lines, entries } in streams.list {
            let log_stream = name.or_else(|| context.log_stream.clone());
            let shape =
                if of_a_job { Some(glue_log::SHAPE) } else { (self.options.recognize.text)(&lines, self.options) };
            match shape {
                // a log event is a whole row, and no header of others
                Some(shape) if shape.quoted.is_none() => self.lines.push(Records {
                    table: shape.table,
                    origin: around.origin.clone(),
                    offset: around.offset + start as u64,
                    body: Body::Lines(Lines {
                        text: Text::new(lines),
                        format: self.options.vpc_flow_format.as_deref().map(Arc::from),
                        separator: None,
                        entries,
                    }),
                    context: Some(Arc::new(Context { log_stream, ..context.clone() })),
                }),
                Some(_) | None => {
                    for entry in entries {
                        let line = &lines[entry.start..entry.end];
                        self.reject("", start, "no table is known for this log event", line, around);
                    }
                }
            }
        }
    }

    /// Reads what an earlier text was cut off in: log events of a Glue job, and what is behind them.
    pub(super) fn log_events(&mut self, text: &Text, ends: bool, around: &Around<'_>) {
        let offset = around.offset.saturating_sub(EVENTS.len() as u64);
        let rest = text.as_slice().trim_ascii_start();
        let text = Text::new([EVENTS, rest.strip_prefix(b",").unwrap_or(rest)].concat());
        self.text(Json { text, open: OpenBefore::Nothing, ends }, &Around { offset, ..*around });
    }

    /// Of an envelope that begins at `start` and has no end, takes the log events that are whole. Gives where the rest begins,
    /// and whether the envelope is one that is read in several texts; `None` when it is no such envelope, or none of its events
    /// is whole.
    #[cold]
    pub(super) fn whole_log_events(
        &mut self,
        cursor: &mut Cursor<'_>,
        start: usize,
        around: &Around<'_>,
    ) -> Option<(usize, bool)> {
        let found = whole_log_events(cursor, start, self.options).filter(|_| around.depth < NESTED_MAX)?;
        Some((self.take_whole(cursor.bytes(), start, found.end?, &found, around), found.is_printed))
    }

    /// Of an envelope that begins at `start` and is damaged, takes the log events before the damage. Gives where the damaged one
    /// begins; `None` when it is no such envelope, or what stands before its log events is damaged.
    #[cold]
    pub(super) fn sound_log_events(
        &mut self,
        cursor: &mut Cursor<'_>,
        start: usize,
        around: &Around<'_>,
    ) -> Option<usize> {
        let found = whole_log_events(cursor, start, self.options).filter(|_| around.depth < NESTED_MAX)?;
        let Some(end) = found.end else { return Some(found.begin) };
        Some(self.take_whole(cursor.bytes(), start, end, &found, around))
    }

    /// Takes the log events up to `end` of the envelope that begins at `start`. Gives where the rest begins.
    fn take_whole(&mut self, bytes: &[u8], start: usize, end: usize, whole: &Whole, around: &Around<'_>) -> usize {
        let text = Text::new([&bytes[start..end], b"]}"].concat());
        let context = around.context.cloned().unwrap_or_default();
        self.nested.push(Nested { text, context, depth: around.depth + 1 });
        if whole.is_followed {
            return end;
        }
        let is_between = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',' || whole.is_printed && *byte == b']';
        end + bytes[end..].iter().take_while(|byte| **byte != 0 && is_between(byte)).count()
    }
}

/// Log events, by what they are.
#[derive(Default)]
pub(super) struct LogEvents {
    /// They are of a Glue job, whatever they say.
    pub of_a_job: bool,
    /// JSON, with the time and stream of those that stand together.
    json: Vec<(Option<Timestamp>, Option<String>, Vec<u8>)>,
    streams: Streams,
    /// The time of the first.
    pub first: Option<Timestamp>,
}

impl LogEvents {
    /// None yet of a Glue job, of which the first has this time.
    pub fn of_a_job(first: Option<Timestamp>) -> LogEvents {
        LogEvents { of_a_job: true, first, ..LogEvents::default() }
    }

    pub fn add(&mut self, message: &[u8], time: Option<Timestamp>, stream: Option<&str>, depth: u8) {
        let is_json = is_json(message) && depth < NESTED_MAX;
        if !is_json || self.of_a_job && !is_entry(message) {
            return self.streams.of(stream).push(message, time);
        }
        // what a job logs may have no time of its own; records of the other tables have one, and stay together
        let is_apart = |before: Option<Timestamp>, of: Option<&str>| self.of_a_job && before != time || of != stream;
        if self.json.last().is_none_or(|(before, of, _)| is_apart(*before, of.as_deref())) {
            self.json.push((time, stream.map(str::to_owned), Vec::new()));
        }
        let (_, _, text) = self.json.last_mut().expect("there is one, or it was pushed above");
        text.extend_from_slice(message);
        text.push(b'\n');
    }
}

/// Whether a text is an object, as a record is, or a list that has records; other lists are something that was printed.
pub(super) fn is_json(text: &[u8]) -> bool {
    match text.trim_ascii_start() {
        [b'{', ..] => true,
        list @ [b'[', rest @ ..] => rest.trim_ascii_start().starts_with(b"{") && holds_record(list),
        _ => false,
    }
}

/// Log events of one stream that are no JSON, one behind the other.
#[derive(Default)]
struct Stream {
    /// Where the events say it each for itself, as `aws logs filter-log-events` prints them.
    name: Option<String>,
    lines: Vec<u8>,
    entries: Vec<Entry>,
}

/// Those of one envelope, which may have as many streams as log events.
#[derive(Default)]
struct Streams {
    list: Vec<Stream>,
    /// Where in `list` each is, by its name; no name is empty.
    places: HashMap<String, usize>,
}

impl Streams {
    fn of(&mut self, name: Option<&str>) -> &mut Stream {
        let list = &mut self.list;
        let place = match list.last() {
            Some(last) if last.name.as_deref() == name => list.len() - 1,
            _ => *self.places.entry(name.unwrap_or_default().to_owned()).or_insert_with(|| {
                list.push(Stream { name: name.map(str::to_owned), ..Stream::default() });
                list.len() - 1
            }),
        };
        &mut self.list[place]
    }
}

impl Stream {
    fn push(&mut self, message: &[u8], time: Option<Timestamp>) {
        let start = self.lines.len();
        // what was printed to it ends with one
        let message = message.strip_suffix(b"\n").unwrap_or(message);
        self.lines.extend_from_slice(message);
        self.entries.push(Entry { start, end: self.lines.len(), time });
        self.lines.push(b'\n');
    }
}

/// What `aws logs filter-log-events` and `get-log-events` print begins so.
const EVENTS: &[u8] = b"{\"events\":[";
/// Log events among which is one that says it is of a Glue job.
const EVENTS_LOOKED_AT: usize = 20;

/// Whether the events that `aws logs filter-log-events` or `get-log-events` printed are those of a Glue job.
pub(super) fn is_printed_of_a_job(events: &Member<'_>, options: &Options) -> bool {
    events.value.strip_prefix(b"[").is_some_and(|items| are_of_a_job(items, options))
}

/// Whether one of the first log events, which are given without the bracket before them, is of a Glue job: its stream says so, or
/// its message begins as an entry or a traceback does.
pub fn are_of_a_job(items: &[u8], options: &Options) -> bool {
    if options.table.is_some_and(|table| table.name != GLUE_LOG.name) {
        return false;
    }
    let mut rest = items;
    for _ in 0..EVENTS_LOOKED_AT {
        let mut events = serde_json::Deserializer::from_slice(rest).into_iter::<Printed>();
        let Some(Ok(event)) = events.next() else { return false };
        if options.table.is_some() || event.is_of_a_job() {
            return true;
        }
        let Some(behind) = rest[events.byte_offset()..].trim_ascii_start().strip_prefix(b",") else { return false };
        rest = behind;
    }
    false
}

/// Whether the message of a log event begins an entry of a log.
pub fn begins_entry(event: &[u8]) -> Begins {
    match serde_json::from_slice::<Printed>(event) {
        Ok(event) if glue_log::is_traceback(event.message.as_bytes()) => Begins::Perhaps,
        Ok(event) if event.begins() => Begins::Surely,
        Ok(_) | Err(_) => Begins::Not,
    }
}

impl Printed {
    fn is_of_a_job(&self) -> bool {
        let context = Context { log_stream: self.stream.clone(), ..Context::default() };
        glue_log::is_of_a_job(&context) || self.ingestion.is_some() && self.begins()
    }

    fn begins(&self) -> bool {
        glue_log::begins_entry(&self.message)
    }
}

/// A log event as the AWS CLI prints it.
#[derive(serde::Deserialize)]
struct Printed {
    message: String,
    #[serde(rename = "logStreamName")]
    stream: Option<String>,
    #[serde(rename = "ingestionTime")]
    ingestion: Option<serde::de::IgnoredAny>,
}

/// The log events of an envelope that are whole.
struct Whole {
    /// Where the first begins, whole or not.
    begin: usize,
    /// Behind the last, when there is one.
    end: Option<usize>,
    /// The envelope is cut off behind a comma, and a record or an envelope stands there.
    is_followed: bool,
    /// The AWS CLI printed the envelope of a Glue job.
    is_printed: bool,
}

/// The log events of the envelope that begins at `start`, up to where it is cut off or damaged.
fn whole_log_events(cursor: &mut Cursor<'_>, start: usize, options: &Options) -> Option<Whole> {
    cursor.seek(start);
    let mut has_kind = false;
    let mut more = cursor.enter().ok()?;
    let is_printed = loop {
        if !more {
            return None;
        }
        cursor.key_start().ok()?;
        let key = cursor.string().ok()?;
        let name = &cursor.bytes()[key.start..key.end];
        cursor.colon().ok()?;
        if name == b"logEvents" && has_kind && cursor.byte().ok()? == b'[' {
            break false;
        }
        if name == b"events" && cursor.byte().ok()? == b'[' {
            let inside = cursor.here().ok()? + 1;
            if are_of_a_job(&cursor.bytes()[inside..], options) {
                break true;
            }
        }
        has_kind |= name == b"messageType";
        cursor.skip().ok()?;
        more = cursor.more_members().ok()?;
    };
    if !cursor.enter().ok()? {
        return None;
    }
    let begin = cursor.here().ok()?;
    let mut whole = Whole { begin, end: None, is_followed: false, is_printed };
    while let Ok(at) = cursor.here() {
        whole.is_followed = begins_another(&cursor.bytes()[at..]);
        if whole.is_followed {
            break;
        }
        let Ok((_, behind)) = cursor.skip() else { break };
        whole.end = Some(behind);
        if !cursor.more_items().unwrap_or(false) {
            break;
        }
    }
    (whole.end.is_some() || !whole.is_followed).then_some(whole)
}

/// The first key of the log events in the envelope that begins here, if one does.
pub(super) fn key_of_log_events(object: &[u8]) -> Option<&[u8]> {
    /// What stands before them is shorter: names of 512 characters.
    const HEADER_MAX: usize = 4 << 10;
    const NAME: &[u8] = b"\"logEvents\"";
    let at = memchr::memmem::find(&object[..object.len().min(HEADER_MAX)], NAME)?;
    let value = object[at + NAME.len()..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    first_key(value.strip_prefix(b"[")?.trim_ascii_start())
}

/// The time of a log event of CloudWatch Logs: a number of milliseconds, however small it is.
pub(super) fn time_of_event(text: &str) -> Option<Timestamp> {
    let micros = match scalar::int(text.as_bytes()) {
        Some(millis) => millis.checked_mul(1000)?,
        None => scalar::Clockwork::default().read(text.as_bytes())?,
    };
    Some(Timestamp(micros))
}

/// Whether a log event of a Glue job is a JSON entry of its log, rather than something that the job printed.
fn is_entry(message: &[u8]) -> bool {
    if !scalar::has_few_values(message) {
        return false;
    }
    let Ok(object) = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(message) else {
        return false;
    };
    let plan = plan(&glue_log::GLUE_LOG);
    is_evident(plan, |action| {
        let named = |name: &str| {
            plan.nodes[0].keys.iter().any(|key| key.action == action && key.name.eq_ignore_ascii_case(name.as_bytes()))
        };
        object.iter().any(|(name, value)| !value.is_null() && named(name))
    })
}
