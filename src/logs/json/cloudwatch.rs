//! An envelope of CloudWatch Logs → the records that its log events are, also where its end is missing.

use std::sync::Arc;

use super::peel::{Member, Members, is_evident};
use super::walk::{Cursor, Stop};
use super::{Around, NESTED_MAX, Nested, Parser, plan, scalar};
use crate::decode::{Body, Context, Entry, Lines, Records, Text};
use crate::logs::glue_log;
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
        let mut json: Vec<(Option<Timestamp>, Option<String>, Vec<u8>)> = Vec::new();
        let mut streams: Vec<Stream> = Vec::new();
        let mut first = None;
        let text = |name| envelope.text(name).map(str::to_owned);
        let mut context = Context {
            account: text("owner"),
            region: around.context.and_then(|context| context.region.clone()),
            time: None,
            log_group: text("logGroup"),
            log_stream: text("logStream"),
            reported_by: None,
        };
        let of_a_job = self.options.table.is_none() && (glue_log::is_of_a_job(&context) || is_printed_of_a_job(events));
        cursor.go(events.at);
        if cursor.byte()? == b'[' && cursor.enter()? {
            loop {
                let start = cursor.here()?;
                let mut message = Vec::new();
                let mut time = None;
                let mut stream = None;
                let mut found = false;
                if cursor.byte()? == b'{' {
                    let event = Members::read(cursor)?;
                    time = event.text("timestamp").and_then(time_of_event);
                    stream = event.text("logStreamName");
                    if let Some(Member { value: [b'"', inside @ .., b'"'], .. }) = event.get("message") {
                        found = scalar::unescape(inside, &mut message).is_some();
                    }
                } else {
                    cursor.skip()?;
                }
                first = first.or(time);
                if !found {
                    let record = &cursor.bytes()[start..cursor.ended()];
                    self.reject("", start, "a log event without a message", record, around);
                } else if message.trim_ascii_start().first() == Some(&b'{')
                    && around.depth < NESTED_MAX
                    && (!of_a_job || is_entry(&message))
                {
                    // what a job logs may have no time of its own; records of the other tables have one, and stay together
                    let is_apart =
                        |before: Option<Timestamp>, of: Option<&str>| of_a_job && before != time || of != stream;
                    if json.last().is_none_or(|(before, of, _)| is_apart(*before, of.as_deref())) {
                        json.push((time, stream.map(str::to_owned), Vec::new()));
                    }
                    let (_, _, text) = json.last_mut().expect("there is one, or it was pushed above");
                    text.extend_from_slice(&message);
                    text.push(b'\n');
                } else {
                    Stream::of(&mut streams, stream).push(&message, time);
                }
                if !cursor.more_items()? {
                    break;
                }
            }
        }
        for (time, stream, text) in json {
            let log_stream = stream.or_else(|| context.log_stream.clone());
            let context = Arc::new(Context { time: time.or(first), log_stream, ..context.clone() });
            self.nested.push(Nested { text: Text::new(text), context, depth: around.depth + 1 });
        }
        context.time = first;
        for Stream { name, lines, entries } in streams {
            let log_stream = name.or_else(|| context.log_stream.clone());
            let shape =
                if of_a_job { Some(glue_log::SHAPE) } else { (self.options.recognize.text)(&lines, self.options) };
            match shape {
                // a log event is a whole row, and no header of others
                Some(shape) if !shape.quoted => self.lines.push(Records {
                    table: shape.table,
                    origin: around.origin.clone(),
                    offset: around.offset + events.start as u64,
                    body: Body::Lines(Lines {
                        text: Text::new(lines),
                        format: self.options.vpc_flow_format.as_deref().map(Arc::from),
                        entries,
                    }),
                    context: Some(Arc::new(Context { log_stream, ..context.clone() })),
                }),
                Some(_) | None => {
                    for entry in entries {
                        let line = &lines[entry.start..entry.end];
                        self.reject("", events.start, "no table is known for this log event", line, around);
                    }
                }
            }
        }
        Ok(())
    }

    /// Of an envelope that begins at `start` and has no end, takes the log events that are whole. Gives where the rest begins;
    /// `None` when it is no such envelope, or none of its events is whole.
    #[cold]
    pub(super) fn whole_log_events(
        &mut self,
        cursor: &mut Cursor<'_>,
        start: usize,
        around: &Around<'_>,
    ) -> Option<usize> {
        let end = end_of_log_events(cursor, start).filter(|_| around.depth < NESTED_MAX)?;
        let bytes = cursor.bytes();
        let text = Text::new([&bytes[start..end], b"]}"].concat());
        let context = around.context.cloned().unwrap_or_default();
        self.nested.push(Nested { text, context, depth: around.depth + 1 });
        let blank = bytes[end..].iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b',').count();
        Some(end + blank)
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

impl Stream {
    fn of<'s>(streams: &'s mut Vec<Stream>, name: Option<&str>) -> &'s mut Stream {
        let place = streams.iter().rposition(|stream| stream.name.as_deref() == name).unwrap_or_else(|| {
            streams.push(Stream { name: name.map(str::to_owned), ..Stream::default() });
            streams.len() - 1
        });
        &mut streams[place]
    }

    fn push(&mut self, message: &[u8], time: Option<Timestamp>) {
        let start = self.lines.len();
        self.lines.extend_from_slice(message);
        self.entries.push(Entry { start, end: self.lines.len(), time });
        self.lines.push(b'\n');
    }
}

/// Whether the first of the events that `aws logs filter-log-events` or `get-log-events` printed is one of a Glue job: its
/// stream says so, or its message begins as an entry does.
pub(super) fn is_printed_of_a_job(events: &Member<'_>) -> bool {
    let Some(items) = events.value.strip_prefix(b"[") else { return false };
    let Some(Ok(first)) = serde_json::Deserializer::from_slice(items).into_iter::<Printed>().next() else {
        return false;
    };
    let context = Context { log_stream: first.stream, ..Context::default() };
    first.ingestion.is_some()
        && (glue_log::is_of_a_job(&context) || first.message.lines().next().is_some_and(glue_log::begins))
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

/// Behind the last whole log event of the envelope that begins at `start`, when there is one.
fn end_of_log_events(cursor: &mut Cursor<'_>, start: usize) -> Option<usize> {
    cursor.seek(start);
    let mut has_kind = false;
    let mut more = cursor.enter().ok()?;
    loop {
        if !more {
            return None;
        }
        cursor.key_start().ok()?;
        let key = cursor.string().ok()?;
        let name = &cursor.bytes()[key.start..key.end];
        cursor.colon().ok()?;
        if name == b"logEvents" && has_kind && cursor.byte().ok()? == b'[' {
            break;
        }
        has_kind |= name == b"messageType";
        cursor.skip().ok()?;
        more = cursor.more_members().ok()?;
    }
    let mut end = None;
    let mut more = cursor.enter().ok()?;
    while more && let Ok((_, behind)) = cursor.skip() {
        end = Some(behind);
        more = cursor.more_items().unwrap_or(false);
    }
    end
}

/// The time of a log event of CloudWatch Logs: a number of milliseconds, however small it is.
fn time_of_event(text: &str) -> Option<Timestamp> {
    let micros = match scalar::int(text.as_bytes()) {
        Some(millis) => millis.checked_mul(1000)?,
        None => scalar::Clockwork::default().read(text.as_bytes())?,
    };
    Some(Timestamp(micros))
}

/// Whether a log event of a Glue job is a JSON entry of its log, rather than something that the job printed.
fn is_entry(message: &[u8]) -> bool {
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
