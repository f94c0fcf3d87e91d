//! Rows of CloudWatch Logs Insights that have a log event → the records that these are, or entries of a Glue job's log.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::cloudwatch::{LogEvents, is_json};
use super::peel::{is_evidence, names_record};
use super::{Around, Parser, scalar};
use crate::decode::Context;
use crate::logs::TABLES;
use crate::logs::glue_log::{self, GLUE_LOG};
use crate::logs::vpc_flow::VPC_FLOW;
use crate::time::Timestamp;

/// A row that has a log event.
pub(super) struct LogRow {
    message: Vec<u8>,
    time: Option<Timestamp>,
    stream: Option<String>,
    /// `111122223333:/aws-glue/jobs/error`
    log: Option<String>,
    /// Where it stands.
    start: usize,
}

/// What a row is, whatever the others are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A log event of a Glue job.
    OfAJob,
    Json,
    Flow,
    Text,
}

impl LogRow {
    /// From names in lower case, and their values.
    pub fn of<'n>(fields: impl Iterator<Item = (&'n str, &'n [u8])>, start: usize) -> LogRow {
        let mut row = LogRow { message: Vec::new(), time: None, stream: None, log: None, start };
        for (name, value) in fields {
            let text = || Some(String::from_utf8_lossy(value).into_owned()).filter(|text| !text.is_empty());
            match name {
                "@message" => row.message = value.to_vec(),
                "@timestamp" => row.time = scalar::Clockwork::default().read(value).map(Timestamp),
                "@logstream" => row.stream = text(),
                "@log" => row.log = text(),
                _ => {}
            }
        }
        row
    }

    /// Account and log group of `@log`, and the stream.
    fn place(&self) -> Context {
        let (account, group) = match self.log.as_deref().map(|log| log.split_once(':').ok_or(log)) {
            Some(Ok((account, group))) => (Some(account), Some(group)),
            Some(Err(group)) => (None, Some(group)),
            None => (None, None),
        };
        let [account, log_group] = [account, group].map(|text| text.map(str::to_owned));
        Context { account, log_group, log_stream: self.stream.clone(), ..Context::default() }
    }

    fn log(&self) -> (Option<&str>, Option<&str>) {
        (self.log.as_deref(), self.stream.as_deref())
    }
}

impl Parser<'_> {
    /// Whether the log event of a row is a record, or one of a Glue job.
    pub(super) fn is_known(&self, row: &LogRow) -> bool {
        match self.kind(row) {
            Kind::OfAJob | Kind::Flow => true,
            Kind::Json => holds_record(&row.message),
            Kind::Text => false,
        }
    }

    fn kind(&self, row: &LogRow) -> Kind {
        let forced = self.options.table.map(|table| table.name == GLUE_LOG.name);
        let is_flow = || {
            (self.options.recognize.text)(&row.message, self.options)
                .is_some_and(|shape| shape.table.name == VPC_FLOW.name && !shape.header)
        };
        if forced.unwrap_or_else(|| glue_log::is_of_a_job(&row.place())) {
            Kind::OfAJob
        } else if is_json(&row.message) {
            Kind::Json
        } else if is_flow() {
            Kind::Flow
        } else {
            Kind::Text
        }
    }

    /// Takes rows as what their log events are. What is neither a record nor a flow is of the log of a Glue job where its stream has
    /// an entry of such a log, and else a reject.
    pub(super) fn log_rows(&mut self, rows: Vec<LogRow>, around: &Around<'_>) {
        let rows: Vec<(Kind, LogRow)> = rows.into_iter().map(|row| (self.kind(&row), row)).collect();
        let begins = |row: &LogRow| glue_log::begins_entry(&String::from_utf8_lossy(&row.message));
        let is_entry = |(kind, row): &&(Kind, LogRow)| *kind == Kind::Text && begins(row);
        let mut logs = HashSet::new();
        if self.options.table.is_none() {
            logs.extend(rows.iter().filter(is_entry).map(|(_, row)| row.log()));
        }
        let of_a_job: Vec<bool> = rows
            .iter()
            .map(|(kind, row)| match kind {
                Kind::OfAJob => true,
                Kind::Flow => false,
                Kind::Text => logs.contains(&row.log()),
                // what a job printed is told from what stands in another log where these are named
                Kind::Json => row.log() == (None, None) && logs.contains(&row.log()) && !holds_record(&row.message),
            })
            .collect();
        let mut events: BTreeMap<_, (Context, usize, LogEvents)> = BTreeMap::new();
        for ((kind, row), of_a_job) in rows.into_iter().zip(of_a_job) {
            if kind == Kind::Text && !of_a_job {
                self.reject("", row.start, "no table is known for this log event", &row.message, around);
                continue;
            }
            let place = row.place();
            let LogRow { message, time, stream, log, start } = row;
            let (_, _, events) = events.entry((of_a_job, log, stream)).or_insert_with(|| {
                (place, start, if of_a_job { LogEvents::of_a_job(time) } else { LogEvents::default() })
            });
            events.add(&message, time.filter(|_| of_a_job), None, around.depth);
        }
        for (place, start, events) in events.into_values() {
            let before = around.context.map(|context| (**context).clone()).unwrap_or_default();
            let context = Context {
                account: place.account.or(before.account),
                log_stream: place.log_stream.or(before.log_stream),
                log_group: place.log_group.or(before.log_group),
                ..before
            };
            self.take_log_events(events, context, start, around);
        }
    }
}

/// Values in values are looked at this deep.
const DEPTH_MAX: u8 = 4;

/// Whether the JSON that a text begins with is a record of some table, or has one inside. An entry of a log, which has names that many
/// objects have, is none.
pub(super) fn holds_record(text: &[u8]) -> bool {
    let look = |text: &[u8]| {
        let look = Look { depth: Some(DEPTH_MAX) };
        look.deserialize(&mut serde_json::Deserializer::from_slice(text))
    };
    look(text).or_else(|_| look(&scalar::sound(text))).is_ok_and(|seen| seen == Seen::Record)
}

/// What a value is, as far as it was looked at.
#[derive(PartialEq, Eq)]
enum Seen {
    Null,
    /// Or it has one inside.
    Record,
    Other,
}

/// Looks at a value without keeping it: as one of `serde_json`, each number of a list takes 72 bytes.
#[derive(Clone, Copy)]
struct Look {
    /// How deep it is looked into; `None` where it matters only whether it is null.
    depth: Option<u8>,
}

impl Look {
    fn inside(self) -> Look {
        Look { depth: self.depth.and_then(|depth| depth.checked_sub(1)) }
    }
}

impl<'de> DeserializeSeed<'de> for Look {
    type Value = Seen;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Seen, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look {
    type Value = Seen;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Seen, E> {
        Ok(Seen::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Seen, E> {
        let is_record =
            self.depth.is_some_and(|depth| depth > 0) && text.starts_with('{') && holds_record(text.as_bytes());
        Ok(if is_record { Seen::Record } else { Seen::Other })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Seen, A::Error> {
        let mut seen = Seen::Other;
        while let Some(item) = items.next_element_seed(self.inside())? {
            if item == Seen::Record {
                seen = Seen::Record;
            }
        }
        Ok(seen)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Seen, A::Error> {
        let tables = || TABLES.iter().filter(|table| table.name != GLUE_LOG.name);
        let mut names = Vec::new();
        let mut seen = Seen::Other;
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self.inside())?;
            if value == Seen::Record {
                seen = Seen::Record;
            }
            if value == Seen::Null || self.depth.is_none() {
                continue;
            }
            let name = name.to_ascii_lowercase().replace('-', "_");
            if tables().any(|table| is_evidence(table, &name)) && !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(if tables().any(|table| names_record(table, &names)) { Seen::Record } else { seen })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_found_in_what_is_around_it() {
        let check = |text: &str, expected: bool| assert_eq!(holds_record(text.as_bytes()), expected, "{text}");
        let record = r#"{"eventName":"a","eventSource":"b"}"#;
        check(record, true);
        check(r#"{"EVENTNAME":"a","eventSource":1} and more"#, true);
        check(r#"{"interface-id":"a","log-status":"b"}"#, true);
        check(r#"{"eventName":"a","eventSource":null}"#, false);
        check(r#"{"eventName":"a"}"#, false);
        check(r#"{"level":"a","message":"b","logger":"c"}"#, false);
        check(&format!(r#"[[[[{record},0]]]]"#), true);
        check(&format!(r#"[[[[[{record}]]]]]"#), false);
        check(&format!(r#"{{"a":{}}}"#, serde_json::Value::from(record)), true);
        check(&format!(r#"[[[[{}]]]]"#, serde_json::Value::from(record)), false);
        check(&format!(r#"[{record}"#), false);
    }
}
