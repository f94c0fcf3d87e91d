//! The `glue_log` table: one row per log entry of a Glue job's driver, executors or output, stack traces kept whole.

mod entry;
mod json;
mod place;

pub use self::entry::{begins_in_json, is_traceback};
pub use self::json::settled;
pub use self::place::{Place, is_of_a_job};

use std::sync::Arc;

use self::entry::Prefix;
use super::text::{self, Columns};
use crate::decode::{Body, Context, Counts, Entry, Lines, Options, Records, Shape, Text, reuse};
use crate::table::{Batch, Column, Kind, Names, Origin, Reject, Table};
use crate::time::Timestamp;

pub static GLUE_LOG: Table = Table {
    name: "glue_log",
    about: "log entries of AWS Glue jobs: driver, executors, output and progress",
    time: "timestamp",
    id: None,
    same: &[],
    names: Names { actor: "jobrunid", session: "", source_ip: "", resource: "jobrunid" },
    own: "",
    lookups: &["jobrunid"],
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    Column::new(
        "timestamp",
        "timestamp|@timestamp|time|timeMillis|ts|asctime",
        Kind::Time,
        "time in the entry, else of the CloudWatch log event; UTC",
    ),
    Column::new(
        "level",
        "level|levelname|log_level|severity|log.level",
        Kind::Symbol,
        "TRACE, DEBUG, INFO, WARN, ERROR or FATAL",
    ),
    Column::new("logger", "logger|loggerName|logger_name|name|log.logger", Kind::Symbol, "class that wrote the entry"),
    Column::new(
        "thread",
        "thread|threadName|thread_name|process.thread.name",
        Kind::Symbol,
        "thread that wrote the entry",
    ),
    Column::new("message", "message|msg", Kind::Text, "text of the entry, continuation lines included"),
    Column::new(
        "exception",
        "exception|thrown|exc_info|stack_trace|error.stack_trace",
        Kind::Symbol,
        "class of the first exception in the entry, Java or Python",
    ),
    Column::new(
        "source",
        "",
        Kind::Symbol,
        "driver, executor, output, progress or insights, from the log group and stream; null when nothing tells",
    ),
    Column::new("executor", "", Kind::Symbol, "executor id of an executor's entry"),
    Column::new("jobrunid", "", Kind::Text, "run id, from the log stream, path or entry"),
    Column::new("loggroup", "logGroup", Kind::Symbol, "CloudWatch log group"),
    Column::new("logstream", "logStream", Kind::Symbol, "CloudWatch log stream"),
    Column::new("unmapped", "", Kind::Json, "fields of a JSON entry without a column, as one JSON object"),
];

/// An entry longer than this is cut, and the rest is a reject.
const ENTRY_MAX: usize = 1 << 20;
/// Lines at the beginning of a text of which one entry tells what it is, and of which several do: launchers write many before
/// the first.
const LINES_FEW: usize = 20;
const LINES_MAX: usize = 1000;
/// With which a terminal is told to change its colours.
const ESCAPE: u8 = 0x1b;
/// What an export puts before a line is shorter.
const LINE_MAX: usize = 600;

/// Knows a text by the prefix of an entry among its first lines.
pub fn recognize(head: &[u8], options: &Options) -> Option<Shape> {
    let forced = options.table.is_some_and(|table| table.name == GLUE_LOG.name);
    let lines = || text::lines(head).map(|(start, end)| &head[start..end]).take(LINES_MAX);
    // a launcher and a library may have written before the first entry
    let known = forced
        || lines().take(LINES_FEW).any(|line| entry::begins(line) || is_in_json(line) || names_run(line))
        || has_entries(lines())
        || (lines().next().is_some_and(|line| entry::is_traceback(own(line)))
            && lines().any(|line| entry::is_frame(own(line))));
    known.then_some(SHAPE)
}

/// Whether a line is an entry in JSON, behind the time that an export puts before it.
fn is_in_json(line: &[u8]) -> bool {
    std::str::from_utf8(own(line)).is_ok_and(|own| json::in_line(own).is_some())
}

/// Whether the stream of a run stands behind the time of a line, as `aws logs tail` puts it there, whatever the run printed.
fn names_run(line: &[u8]) -> bool {
    let before = &line[..line.len() - own(line).len()];
    std::str::from_utf8(before).is_ok_and(|before| Place::of(before, None).run.is_some())
}

/// A line without what an export puts before it.
fn own(line: &[u8]) -> &[u8] {
    &line[time_before(line).map_or(0, |(_, length)| length)..]
}

/// The time that an export puts before a line, and how long it is with what belongs to it.
fn time_before(line: &[u8]) -> Option<(i64, usize)> {
    let start = &line[..line.len().min(LINE_MAX)];
    entry::time_of_event(start.utf8_chunks().next().map_or("", |chunk| chunk.valid()))
}

/// Whether some of the lines begin entries, and from the first of these on one of ten does: prose may show an entry.
fn has_entries<'a>(lines: impl Iterator<Item = &'a [u8]>) -> bool {
    const LEAST: usize = 3;
    let begins: Vec<bool> = lines.map(entry::begins).skip_while(|begins| !begins).collect();
    let count = begins.iter().filter(|begins| **begins).count();
    count >= LEAST && count * 10 >= begins.len()
}

/// Whether a text begins an entry: by its time or level, or as a traceback.
pub fn begins_entry(text: &str) -> bool {
    text.lines().next().is_some_and(|line| entry::begins(line.as_bytes())) || entry::is_traceback(text.as_bytes())
}

pub const SHAPE: Shape =
    Shape { table: &GLUE_LOG, header: false, quoted: None, begins: begins_a_row, last_header: |_| None };

fn begins_a_row(line: &[u8]) -> bool {
    entry::begins(line) || entry::begins_in_json(line)
}

/// Log lines → batches; lines that begin no entry belong to the one before.
pub fn batches(records: Vec<Records>, rejects: &mut Vec<Reject>, counts: &mut Counts) -> Vec<Batch> {
    let mut done = Vec::new();
    let mut columns = Columns::new(&GLUE_LOG);
    for records in records {
        let Body::Lines(body) = records.body else {
            unreachable!("JSON goes to the JSON parser, and no Parquet file is a Glue log")
        };
        let context = records.context.as_deref();
        let place = Place::of(&records.origin.name, context);
        let mut reader = Reader { columns: &mut columns, place, origin: &records.origin, offset: records.offset };
        reader.read(body, context, rejects, counts);
        if columns.is_full() {
            done.extend(finish(std::mem::replace(&mut columns, Columns::new(&GLUE_LOG)), counts));
        }
    }
    done.extend(finish(columns, counts));
    done
}

fn finish(columns: Columns, counts: &mut Counts) -> Option<Batch> {
    counts.of(GLUE_LOG.name).rows += columns.rows as u64;
    // SAFETY: `Reader::read` makes the text UTF-8 before it places any of it
    unsafe { columns.finish() }
}

struct Reader<'a> {
    columns: &'a mut Columns,
    place: Place,
    origin: &'a Arc<Origin>,
    offset: u64,
}

impl Reader<'_> {
    fn read(&mut self, body: Lines, context: Option<&Context>, rejects: &mut Vec<Reject>, counts: &mut Counts) {
        let entries = text::entries(&body);
        let length = body.text.len();
        let mut bytes = body.text.into_padded();
        if memchr::memchr(ESCAPE, &bytes[..length]).is_some() {
            return self.read_plain(&bytes[..length], &entries, context, rejects, counts);
        }
        if memchr::memmem::find(&bytes[..length], b"[Stage ").is_some() {
            entry::end_progress(&mut bytes[..length]);
        }
        if entries.is_empty() && memchr::memchr(b'\t', &bytes[..length]).is_some() {
            entry::end_at_tabs(&mut bytes[..length]);
        }
        if !text::is_utf8(&bytes[..length]) {
            // a byte that is not UTF-8 becomes `?`, so that places stay
            let mut at = 0;
            while let Err(error) = std::str::from_utf8(&bytes[at..length]) {
                at += error.valid_up_to();
                bytes[at] = b'?';
            }
        }
        // the log events of an envelope have their times beside them
        let is_export = entries.is_empty();
        let whole: &[u8] = &bytes;
        let within = |(start, end, time): (usize, usize, Option<i64>)| {
            entry::apart(whole, start, end).map(move |(start, end)| (start, end, time))
        };
        // not gathered: the places of lines of one letter take sixteen times as much memory as the lines
        let lines = text::lines(&bytes[..if is_export { length } else { 0 }])
            .map(|(start, end)| (start, end, None))
            .chain(entries.into_iter().flat_map(within));
        let of_event = |start: usize, end: usize| if is_export { time_before(&bytes[start..end]) } else { None };
        // without what an export puts before it
        let own = |start: usize, end: usize| &bytes[start + of_event(start, end).map_or(0, |(_, length)| length)..end];
        let mut lines = lines.filter(|&(start, end, _)| !own(start, end).trim_ascii().is_empty()).peekable();
        let mut records = 0;
        while let Some((start, mut end, time)) = lines.next() {
            // what a job prints has no prefix, and each log event of it is an entry
            let event = of_event(start, end);
            let time = time.or(event.map(|(time, _)| time));
            let first = own(start, end);
            let is_printed = time.is_some() && entry::is_plain(first);
            // where loggers write times as exports do, a level behind one tells that an exception may follow
            let is_of_failure = is_printed && entry::is_of_failure(&bytes[start..end]);
            // one in JSON is a line, and has its stack trace in it
            let is_line = entry::begins_in_json(first);
            let mut before = first;
            while let Some(&(begin, until, _)) = lines.peek() {
                let line = own(begin, until);
                let is_timed = !is_export || line.len() < until - begin;
                // behind what is of no log event a line with such a time is none either: the time is its own
                let begins = is_export && is_timed && event.is_none() && entry::begins(&bytes[begin..until]);
                let belongs = !is_line && !begins && (entry::continues(first, line) || entry::is_chained(before, line));
                let is_apart = || match entry::is_traceback(line) {
                    true => is_timed || !is_of_failure,
                    false => is_timed && entry::is_plain(line),
                };
                if !belongs || is_printed && is_apart() {
                    break;
                }
                (end, before) = (until, line);
                lines.next();
            }
            records += 1;
            let mut cut = end;
            if end - start > ENTRY_MAX {
                cut = start + ENTRY_MAX;
                while bytes[cut] & 0xc0 == 0x80 {
                    cut -= 1;
                }
                let reason = "an entry longer than 1 MiB: the row has its beginning";
                rejects.push(Reject::new(
                    self.origin,
                    self.offset + cut as u64,
                    GLUE_LOG.name,
                    reason,
                    &bytes[cut..end],
                ));
                let tally = counts.of(GLUE_LOG.name);
                tally.records += 1;
                tally.rejects += 1;
            }
            self.row(&bytes, start, cut, (time, is_export), context);
        }
        drop(lines);
        counts.of(GLUE_LOG.name).records += records;
        self.columns.arena.keep(reuse::shared(bytes));
    }

    /// Reads a text that has colours of a terminal, without them. What is rejected of it stands a little later than is said.
    #[cold]
    fn read_plain(
        &mut self,
        bytes: &[u8],
        entries: &[(usize, usize, Option<i64>)],
        context: Option<&Context>,
        rejects: &mut Vec<Reject>,
        counts: &mut Counts,
    ) {
        let plain = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            // any other that begins so would begin this again
            entry::without_colours(&text).unwrap_or_else(|| text.into_owned()).replace(char::from(ESCAPE), "?")
        };
        let mut text = Vec::new();
        let mut places = Vec::new();
        for &(start, end, time) in entries {
            let begin = text.len();
            text.extend_from_slice(plain(&bytes[start..end]).as_bytes());
            places.push(Entry { start: begin, end: text.len(), time: time.map(Timestamp) });
            text.push(b'\n');
        }
        if entries.is_empty() {
            text = plain(bytes).into_bytes();
        }
        let body = Lines { text: Text::new(text), format: None, separator: None, entries: places };
        self.read(body, context, rejects, counts);
    }

    fn row(
        &mut self,
        bytes: &[u8],
        start: usize,
        end: usize,
        (time, is_export): (Option<i64>, bool),
        context: Option<&Context>,
    ) {
        let at = |name| text::column(&GLUE_LOG, name);
        let text =
            std::str::from_utf8(&bytes[start..end]).expect("the text was made UTF-8, and is cut between characters");
        let first = text.lines().next().unwrap_or_default();
        let plain = if is_export { entry::printed(first) } else { Prefix::default() };
        if let Some(found) = json::in_line(&first[plain.message..]) {
            if let Some(time) = found.time.or(time) {
                self.columns.set_number(at("timestamp"), time);
            }
            // what one log event has behind it was printed with it
            let behind = text[first.len()..].trim_ascii_end();
            for &(name, ref value) in &found.texts {
                match name {
                    "message" if !behind.is_empty() => self.columns.set_new_text(at(name), &format!("{value}{behind}")),
                    _ => self.columns.set_new_text(at(name), value),
                }
            }
            return self.end_row(plain.stream, None, context);
        }
        let prefix = entry::prefix(first).unwrap_or(plain);
        let Prefix { time: own, level, thread, logger, stream, message } = prefix;
        if let Some(time) = own.or(time) {
            self.columns.set_number(at("timestamp"), time);
        }
        let traceback = entry::is_traceback(&text.as_bytes()[message..]);
        let level = level.or(traceback.then_some("ERROR"));
        let named = [("level", level), ("thread", thread), ("logger", logger), ("exception", entry::exception(text))];
        for (name, value) in named {
            if let Some(value) = value {
                self.columns.set_new_text(at(name), value);
            }
        }
        let begin = start + message;
        let trimmed = bytes[begin..end].trim_ascii_end().len();
        match is_export.then(|| entry::without_times(text, message)).flatten() {
            Some(message) => self.columns.set_new_text(at("message"), message.trim_ascii_end()),
            None => self.columns.set_text(at("message"), bytes, begin, begin + trimmed),
        }
        let source = entry::is_progress(&text[message..]).then_some("progress");
        self.end_row(stream, source, context);
    }

    /// Says of a row where it came from, and ends it. Its line may say of which stream it is, and the entry itself what wrote it.
    fn end_row(&mut self, stream: Option<&str>, source: Option<&str>, context: Option<&Context>) {
        let of_line = stream.map(|stream| Place::of(stream, None));
        let place = of_line.as_ref().unwrap_or(&self.place);
        for (name, value) in beside(place, context) {
            let value = match name {
                "source" => source.or(value),
                "logstream" => value.or(stream),
                _ => value,
            };
            if let Some(value) = value {
                self.columns.set_new_text(text::column(&GLUE_LOG, name), value);
            }
        }
        self.columns.set_partition(&text::Source { origin: self.origin, offset: self.offset, context });
        self.columns.rows += 1;
    }
}

/// What an entry does not say itself, by column: where it came from, by its place and by the envelope around it.
pub fn beside<'a>(place: &'a Place, context: Option<&'a Context>) -> [(&'static str, Option<&'a str>); 5] {
    [
        ("source", place.source),
        ("executor", place.executor.as_deref()),
        ("jobrunid", place.run.as_deref()),
        ("loggroup", context.and_then(|context| context.log_group.as_deref())),
        ("logstream", context.and_then(|context| context.log_stream.as_deref())),
    ]
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, RecordBatch};
    use arrow::compute::cast;
    use arrow::datatypes::DataType;
    use proptest::prelude::*;

    use super::*;
    use crate::decode::{Entry, Text};
    use crate::time::Timestamp;

    fn read(text: &str, context: Option<Context>, entries: Vec<Entry>) -> (RecordBatch, Counts) {
        let records = Records {
            table: &GLUE_LOG,
            origin: Arc::new(Origin::default()),
            offset: 0,
            body: Body::Lines(Lines { text: Text::new(text.into()), format: None, separator: None, entries }),
            context: context.map(Arc::new),
        };
        let mut counts = Counts::default();
        let batches = batches(vec![records], &mut Vec::new(), &mut counts);
        (batches[0].rows.clone(), counts)
    }

    fn texts(rows: &RecordBatch, name: &str) -> Vec<Option<String>> {
        let column = cast(rows.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
        column.as_string::<i32>().iter().map(|value| value.map(str::to_owned)).collect()
    }

    #[test]
    fn a_stack_trace_is_one_row_with_its_entry() {
        let text = "24/05/01 12:00:01 ERROR Executor: Exception in task 0.0\njava.lang.OutOfMemoryError: Java heap space\n\tat a.B.c(B.java:1)\nCaused by: java.io.IOException: x\n\t... 12 more\n24/05/01 12:00:02 INFO TaskSetManager: Finished task 3.0 in stage 7.0 (TID 41)\n";
        let (rows, counts) = read(text, None, Vec::new());
        assert_eq!(counts.of_table("glue_log"), (2, 2, 0));
        assert_eq!(texts(&rows, "level"), [Some("ERROR".into()), Some("INFO".into())]);
        assert_eq!(texts(&rows, "logger"), [Some("Executor".into()), Some("TaskSetManager".into())]);
        assert_eq!(texts(&rows, "exception"), [Some("java.lang.OutOfMemoryError".into()), None]);
        assert_eq!(texts(&rows, "timestamp")[0].as_deref(), Some("2024-05-01T12:00:01Z"));
        let message = texts(&rows, "message")[0].clone().unwrap();
        assert!(message.starts_with("Exception in task") && message.ends_with("... 12 more"), "{message}");
    }

    #[test]
    fn colours_of_a_terminal_are_left_out() {
        let text = "\u{1b}[32m24/05/01 12:00:01 \u{1b}[1mINFO\u{1b}[0m A: x\u{1b}[0m\n\u{1b}[31mboom\u{1b}x\n";
        let (rows, counts) = read(text, None, Vec::new());
        assert_eq!(counts.of_table("glue_log"), (1, 1, 0));
        assert_eq!(texts(&rows, "level"), [Some("INFO".into())]);
        assert_eq!(texts(&rows, "message"), [Some("x\nboom?x".into())]);
        let length = text.len();
        let middle = text.find('\n').unwrap();
        let entry = |start, end| Entry { start, end, time: Some(Timestamp(1_000_000)) };
        let (rows, _) = read(text, None, vec![entry(0, middle), entry(middle + 1, length)]);
        assert_eq!(texts(&rows, "message"), [Some("x\nboom?x".into())]);
    }

    #[test]
    fn several_entries_of_a_log_event_are_apart() {
        let text = "24/05/01 12:00:01 INFO A: x\n\tmore\n24/05/01 12:00:02 ERROR B: y\nkey: 1\n24/05/01 12:00:03 INFO A: z\nend";
        let entry = |start, end| Entry { start, end, time: Some(Timestamp(1_000_000)) };
        let last = text.len() - 3;
        let (rows, counts) = read(text, None, vec![entry(0, last - 1), entry(last, text.len())]);
        assert_eq!(counts.of_table("glue_log"), (3, 3, 0));
        assert_eq!(texts(&rows, "message"), ["x\n\tmore", "y\nkey: 1", "z\nend"].map(|text| Some(text.to_owned())));
        assert_eq!(texts(&rows, "level"), ["INFO", "ERROR", "INFO"].map(|level| Some(level.to_owned())));
    }

    #[test]
    fn what_is_printed_behind_an_entry_in_json_is_no_less_of_its_log_event() {
        let json = |n: u8| format!(r#"{{"level":"ERROR","message":"m{n}","logger":"a"}}"#);
        let text = format!("{}\nprinted\n  more\n{}\n", json(1), json(2));
        let event = Entry { start: 0, end: text.len(), time: Some(Timestamp(1_000_000)) };
        let (rows, counts) = read(&text, None, vec![event]);
        assert_eq!(counts.of_table("glue_log"), (2, 2, 0));
        assert_eq!(texts(&rows, "message"), ["m1\nprinted\n  more", "m2"].map(|text| Some(text.to_owned())));
    }

    #[test]
    fn what_is_logged_behind_a_progress_bar_is_an_entry() {
        let bar = "[Stage 1:>  (0 + 4) / 4]\r[Stage 1:=>  (2 + 2) / 4]\r                \r";
        let text = format!(
            "{bar}24/05/01 12:00:01 ERROR A: x\n{bar}Traceback (most recent call last):\n  File \"x\", line 1\nKeyError: 'a'\n"
        );
        let (rows, counts) = read(&text, None, Vec::new());
        assert_eq!(counts.of_table("glue_log"), (4, 4, 0));
        let [levels, sources, messages] = ["level", "source", "message"].map(|name| texts(&rows, name));
        assert_eq!(levels, [None, Some("ERROR".into()), None, Some("ERROR".into())]);
        assert_eq!(sources, [Some("progress".into()), None, Some("progress".into()), None]);
        assert_eq!(messages[1].as_deref(), Some("x"));
        // nothing else ends a line
        let (rows, _) = read("24/05/01 12:00:01 INFO A: [Stage 1:> 1 / 2]\r x\r24/05 y\n", None, Vec::new());
        assert_eq!(texts(&rows, "message"), [Some("[Stage 1:> 1 / 2]\r x\r24/05 y".into())]);
    }

    #[test]
    fn entries_behind_a_long_beginning_tell_a_log_and_one_in_prose_does_not() {
        let is_known = |text: &str| recognize(text.as_bytes(), &Options::default()).is_some();
        let beginning = "--conf spark.a=b\n".repeat(30);
        let entry = "24/05/01 12:00:01 INFO A: x\n";
        assert!(is_known(&format!("{beginning}{entry}\tat y\n{entry}{entry}")));
        assert!(!is_known(&format!("{beginning}{entry}{beginning}")));
        assert!(!is_known(&format!("{beginning}{entry}{entry}")));
    }

    #[test]
    fn an_export_is_read_without_the_times_that_it_puts_before_each_line() {
        let lines = [
            "24/05/01 12:00:01 ERROR Executor: Exception in task 0.0",
            "java.lang.OutOfMemoryError: Java heap space",
            "\tat a.B.c(B.java:1)",
            "",
            "24/05/01 12:00:02 ERROR main: Error from Python:",
            "Traceback (most recent call last):",
            "  File \"/tmp/job.py\", line 3, in <module>",
            "ZeroDivisionError: division by zero",
            "24/05/01 12:00:03 INFO A: 2024-05-01T12:00:00.000Z is in the text",
        ];
        let (plain, _) = read(&lines.join("\n"), None, Vec::new());
        let of_s3: String = lines.iter().map(|line| format!("2024-05-01T12:00:05.123Z {line}\n")).collect();
        let of_cli: String =
            lines.iter().map(|line| format!("2024-05-01T12:00:05.123000+00:00 jr_0a-driver {line}\n")).collect();
        for text in [of_s3.clone(), of_s3.replace('\n', "\r\n"), of_cli] {
            let (rows, _) = read(&text, None, Vec::new());
            for name in ["message", "exception", "level", "logger"] {
                let found = texts(&rows, name).into_iter().map(|text| text.map(|text| text.replace('\r', "")));
                assert_eq!(found.collect::<Vec<_>>(), texts(&plain, name), "{name} of {text}");
            }
        }
        // what a job prints is a row for each log event, with its time
        let printed = ["rows: 3", "java.io.IOException: x", "\tat a.B.c(B.java:1)", "Caused by: y", "done"];
        let text: String = printed.iter().map(|line| format!("2024-05-01T12:00:05.123Z {line}\n")).collect();
        let (rows, _) = read(&text, None, Vec::new());
        let expected = ["rows: 3", &printed[1..4].join("\n"), "done"].map(|text| Some(text.to_owned()));
        assert_eq!(texts(&rows, "message"), expected);
        assert_eq!(texts(&rows, "timestamp"), vec![Some("2024-05-01T12:00:05.123Z".to_owned()); 3]);
        // a multi-line log event has one time
        let (rows, _) = read("2024-05-01T12:00:05.123Z 24/05/01 12:00:01 ERROR A: x\n\tat y\n", None, Vec::new());
        assert_eq!(texts(&rows, "message"), [Some("x\n\tat y".to_owned())]);
    }

    #[test]
    fn entries_with_times_as_exports_have_them_are_apart_and_take_in_their_lines() {
        let traceback = "Traceback (most recent call last):\n  File \"x\", line 1\nKeyError: 1";
        let time = |second: usize| format!("2024-05-01T12:00:0{second}Z");
        let lines = [
            "[2024-05-01T12:00:00.000+0000] {x.py:1} INFO - zero".to_owned(),
            format!("{} ERROR one\n{traceback}", time(1)),
            format!("{} INFO two\n  more\nand more", time(2)),
            traceback.to_owned(),
            format!("{} [main] WARN a.B: three\n\tat x", time(3)),
            format!("24/05/01 12:00:04 INFO A: four\n{} rows: 4", time(4)),
            format!("{} INFO five", time(5)),
        ];
        let (rows, _) = read(&lines.join("\n"), None, Vec::new());
        let messages = [
            "zero".to_owned(),
            format!("one\n{traceback}"),
            "two\n  more\nand more".to_owned(),
            traceback.to_owned(),
            "three\n\tat x".to_owned(),
            format!("four\n{} rows: 4", time(4)),
            "five".to_owned(),
        ];
        assert_eq!(texts(&rows, "message"), messages.map(Some));
        let levels = ["INFO", "ERROR", "INFO", "ERROR", "WARN", "INFO", "INFO"];
        assert_eq!(texts(&rows, "level"), levels.map(|level| Some(level.to_owned())));
    }

    #[test]
    fn what_a_run_printed_is_known_by_its_stream_and_by_a_traceback() {
        let is_known = |text: &str| recognize(text.as_bytes(), &Options::default()).is_some();
        let run = format!("jr_{}", "0a".repeat(32));
        let time = "2024-05-01T12:00:05.123000+00:00";
        let tailed = format!("{time} {run} rows: 5\n{time} {run} rows: 6\n");
        assert!(is_known(&tailed));
        let (rows, _) = read(&tailed, None, Vec::new());
        assert_eq!(texts(&rows, "message"), ["rows: 5", "rows: 6"].map(|text| Some(text.to_owned())));
        assert_eq!(texts(&rows, "jobrunid"), vec![Some(run); 2]);
        assert!(!is_known(&format!("{time} of-another-service rows: 5\n")));
        let traceback = "Traceback (most recent call last):\n  File \"x\", line 1\nKeyError: 'a'\n";
        let export: String = traceback.lines().map(|line| format!("2024-05-01T12:00:05.123Z {line}\n")).collect();
        assert!(is_known(&export));
    }

    #[test]
    fn entries_with_tabs_between_as_the_cli_prints_texts_are_apart() {
        let entries = [
            "24/05/01 12:00:01 INFO A: x",
            "24/05/01 12:00:02 ERROR B: y\n\tat a.b(C.java:1)",
            "2024-05-01 12:00:03,123 WARN [main] C: z",
        ];
        for between in ["\t", "\n\t"] {
            let (rows, counts) = read(&entries.join(between), None, Vec::new());
            assert_eq!(counts.of_table("glue_log"), (3, 3, 0), "{between:?}");
            let messages = ["x", "y\n\tat a.b(C.java:1)", "z"].map(|text| Some(text.to_owned()));
            assert_eq!(texts(&rows, "message"), messages, "{between:?}");
        }
        // what stands in columns before entries is no message
        for columns in ["2024-05-01T12:00:09.500Z\tjr_0a", "2024-05-01 12:00:09.500"] {
            let (rows, _) = read(&entries.map(|entry| format!("{columns}\t{entry}")).join("\n"), None, Vec::new());
            let found: Vec<String> = texts(&rows, "message").into_iter().flatten().collect();
            assert_eq!(found.len(), 3, "{found:?}");
        }
        // a cell of a table that was printed is none
        let (rows, _) = read("24/05/01 12:00:01 INFO A: id\t2024-05-01 12:00:00\t7\n", None, Vec::new());
        assert_eq!(texts(&rows, "message"), [Some("id\t2024-05-01 12:00:00\t7".to_owned())]);
    }

    #[test]
    fn a_traceback_behind_a_progress_bar_is_an_entry_of_its_own() {
        let lines = "[Stage 2:=====>  (10 + 4) / 20]\nTraceback (most recent call last):\n  File \"x\", line 1\nKeyError: 'a'\n";
        let export: String = lines.lines().map(|line| format!("2024-05-01T12:00:05.123Z {line}\n")).collect();
        for text in [lines, &export] {
            let (rows, _) = read(text, None, Vec::new());
            assert_eq!(texts(&rows, "source"), [Some("progress".to_owned()), None]);
            assert_eq!(texts(&rows, "level"), [None, Some("ERROR".to_owned())]);
            assert_eq!(texts(&rows, "exception"), [None, Some("KeyError".to_owned())]);
        }
    }

    #[test]
    fn exceptions_that_came_of_each_other_are_one_row() {
        let first = "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nKeyError: 'x'\n";
        let second = "Traceback (most recent call last):\n  File \"a.py\", line 9, in <module>\nRuntimeError: no x\n";
        let of_run = |text: &str| {
            let (rows, _) = read(text, None, Vec::new());
            texts(&rows, "message").into_iter().flatten().collect::<Vec<_>>()
        };
        for joint in [
            "During handling of the above exception, another exception occurred:",
            "The above exception was the direct cause of the following exception:",
        ] {
            let chain = format!("{first}\n{joint}\n\n{second}");
            let export: String = chain.lines().map(|line| format!("2024-05-01T12:00:05.123Z {line}\n")).collect();
            for text in [chain.clone(), export, format!("24/05/01 12:00:01 ERROR A: {chain}")] {
                let found = of_run(&text);
                assert_eq!(found.len(), 1, "{text}");
                assert!(found[0].ends_with("RuntimeError: no x"), "{}", found[0]);
            }
        }
        assert_eq!(of_run(&format!("{first}{second}")).len(), 2);
    }

    #[test]
    fn an_exception_that_nobody_caught_is_no_part_of_an_entry_that_tells_of_none() {
        let python =
            "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nPermissionError: Access Denied\n";
        let java = "Exception in thread \"main\" java.io.IOException: Access Denied\n\tat a.B.c(B.java:1)\n";
        for exception in [python, java] {
            let levels = |first: &str| {
                let (rows, _) = read(&format!("24/05/01 12:00:01 {first} A: x\n{exception}"), None, Vec::new());
                texts(&rows, "level").into_iter().flatten().collect::<Vec<_>>()
            };
            assert_eq!(levels("INFO"), ["INFO", "ERROR"], "{exception}");
            assert_eq!(levels("DEBUG"), ["DEBUG", "ERROR"], "{exception}");
            assert_eq!(levels("ERROR"), ["ERROR"], "{exception}");
            assert_eq!(levels("WARN"), ["WARN"], "{exception}");
            assert!(recognize(exception.as_bytes(), &Options::default()).is_some());
        }
    }

    #[test]
    fn an_exception_that_nobody_caught_is_no_part_of_what_was_printed_before_it() {
        let traceback = "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    x()\nKeyError: 1";
        let run = format!("jr_{}", "0a".repeat(32));
        let time = format!("2024-05-01T12:00:05.123Z {run} ");
        let text: String = format!("rows: 3\n{traceback}").lines().map(|line| format!("{time}{line}\n")).collect();
        let (rows, _) = read(&text, None, Vec::new());
        assert_eq!(texts(&rows, "message"), ["rows: 3", traceback].map(|text| Some(text.to_owned())));
        assert_eq!(texts(&rows, "level"), [None, Some("ERROR".to_owned())]);
    }

    #[test]
    fn a_group_of_exceptions_is_a_traceback() {
        let group = "  + Exception Group Traceback (most recent call last):\n  |   File \"a.py\", line 4, in <module>\n  | ExceptionGroup: many (2 sub-exceptions)\n  +-+---------------- 1 ----------------\n    | ValueError: 1\n    +------------------------------------\n";
        assert!(recognize(group.as_bytes(), &Options::default()).is_some());
        let (rows, _) = read(group, None, Vec::new());
        assert_eq!(texts(&rows, "level"), [Some("ERROR".to_owned())]);
    }

    #[test]
    fn a_traceback_alone_is_one_row_and_an_envelope_tells_the_run() {
        let run = format!("jr_{}", "0a".repeat(32));
        let lines = [
            "Traceback (most recent call last):",
            "  File \"/tmp/job.py\", line 3, in <module>",
            "    x = 1/0",
            "ZeroDivisionError: division by zero",
        ];
        let mut text = String::new();
        let entries = lines.iter().map(|line| {
            let start = text.len();
            text.push_str(line);
            text.push('\n');
            Entry { start, end: start + line.len(), time: Some(Timestamp(7)) }
        });
        let entries = entries.collect();
        let context = Context {
            account: Some("111122223333".into()),
            log_group: Some("/aws-glue/jobs/error".into()),
            log_stream: Some(format!("{run}_g-42")),
            ..Context::default()
        };
        let (rows, counts) = read(&text, Some(context), entries);
        assert_eq!(counts.of_table("glue_log"), (1, 1, 0));
        let one = |name: &str| texts(&rows, name)[0].clone();
        assert_eq!(one("exception").as_deref(), Some("ZeroDivisionError"));
        assert_eq!(one("jobrunid"), Some(run));
        assert_eq!(one("source").as_deref(), Some("executor"));
        assert_eq!(one("executor").as_deref(), Some("g-42"));
        assert_eq!(one("account").as_deref(), Some("111122223333"));
        assert_eq!(one("level").as_deref(), Some("ERROR"));
    }

    #[test]
    fn what_a_job_prints_is_a_row_for_each_log_event_and_a_stack_trace_stays_whole() {
        let lines = ["rows: 3", "rows: 4\n", "java.io.IOException: x", "\tat a.B.c(B.java:1)", "Caused by: y", "done"];
        let mut text = String::new();
        let entries = lines.iter().map(|line| {
            let start = text.len();
            text.push_str(line);
            text.push('\n');
            Entry { start, end: start + line.len(), time: Some(Timestamp(7)) }
        });
        let entries = entries.collect();
        let (rows, counts) = read(&text, None, entries);
        assert_eq!(counts.of_table("glue_log"), (4, 4, 0));
        let messages: Vec<String> = texts(&rows, "message").into_iter().flatten().collect();
        assert_eq!(messages[..2], ["rows: 3", "rows: 4"]);
        assert!(messages[2].ends_with("Caused by: y"), "{messages:?}");
        assert_eq!(messages[3], "done");
    }

    #[test]
    fn a_table_that_was_printed_takes_in_no_other_log_event() {
        let events =
            ["rows: 3", "   a  b\n0  1  2", "rows: 4", "java.io.IOException: x", "    at a.B.c(B.java:1)", "done"];
        let text = events.join("\n");
        let mut start = 0;
        let entries = events.map(|event| {
            let entry = Entry { start, end: start + event.len(), time: Some(Timestamp(7)) };
            start = entry.end + 1;
            entry
        });
        let (rows, _) = read(&text, None, entries.to_vec());
        let expected = [events[0], events[1], events[2], "java.io.IOException: x\n    at a.B.c(B.java:1)", "done"];
        // the blanks at the beginning are no part of a message
        let found: Vec<String> = texts(&rows, "message").into_iter().flatten().collect();
        assert_eq!(found.iter().map(|text| text.trim()).collect::<Vec<_>>(), expected.map(str::trim));
    }

    #[test]
    fn a_log_may_begin_with_lines_that_are_no_entry() {
        let known = |text: &str| recognize(text.as_bytes(), &Options::default()).is_some();
        let entry = "24/05/01 12:00:01 INFO SparkContext: Running Spark version 3.5.4\n";
        assert!(known(&format!("SLF4J: Class path contains multiple SLF4J bindings.\n{entry}")));
        assert!(known(&format!("{}{entry}", "x\n".repeat(19))));
        assert!(!known(&format!("{}{entry}", "x\n".repeat(20))));
    }

    #[test]
    fn a_real_driver_log_is_recognized_and_each_line_is_a_row() {
        let text = include_str!("../../../tests/data/glue_log/spark-driver.log");
        assert!(recognize(text.as_bytes(), &Options::default()).is_some());
        let (rows, counts) = read(text, None, Vec::new());
        // grep -cE '^23/11/07 ' spark-driver.log
        let begins = text.lines().filter(|line| line.starts_with("23/11/07 ")).count();
        assert_eq!(rows.num_rows(), begins);
        assert_eq!(counts.of_table("glue_log").0, begins as u64);
        assert!(texts(&rows, "level").iter().all(Option::is_some));
        assert_eq!(texts(&rows, "thread")[0].as_deref(), Some("main"));
        assert_eq!(texts(&rows, "logger")[0].as_deref(), Some("DriverLogger"));
        assert!(recognize(b"Dear diary,\ntoday I did nothing\n", &Options::default()).is_none());
    }

    proptest! {
        #[test]
        fn any_text_is_rows(text in "(24/05/01 12:00:01 INFO A: b\n|\tat x\n|Traceback \\(most recent call last\\):\n|[ -~]{0,30}\n|é\n){1,40}") {
            prop_assume!(!text.trim().is_empty());
            let (rows, counts) = read(&text, None, Vec::new());
            prop_assert_eq!(counts.of_table("glue_log"), (rows.num_rows() as u64, rows.num_rows() as u64, 0));
        }

        #[test]
        fn any_bytes_are_rows_and_keep_their_text(bytes in prop::collection::vec(any::<u8>(), 0..300), lines in "(INFO:a:b\n|[\\[\\]A-Z0-9:/ .-]{0,40}\n){0,6}") {
            let first = b"24/05/01 12:00:01 INFO A: begins\n";
            let text = [&first[..], lines.as_bytes(), &bytes].concat();
            let records = Records {
                table: &GLUE_LOG,
                origin: Arc::new(Origin::default()),
                offset: 0,
                body: Body::Lines(Lines { text: Text::new(text.clone()), format: None, separator: None, entries: Vec::new() }),
                context: None,
            };
            let (mut rejects, mut counts) = (Vec::new(), Counts::default());
            let batches = batches(vec![records], &mut rejects, &mut counts);
            let rows = &batches[0].rows;
            prop_assert_eq!(counts.of_table("glue_log"), (rows.num_rows() as u64, rows.num_rows() as u64, 0));
            rows.columns().iter().for_each(|column| column.to_data().validate_full().unwrap());
            // what is not UTF-8 stands there as `?`, and no character that is gets lost but those of prefixes
            let messages: String = texts(rows, "message").into_iter().flatten().collect();
            let kept = messages.bytes().filter(u8::is_ascii_lowercase).count();
            prop_assert!(kept >= bytes.iter().filter(|byte| byte.is_ascii_lowercase()).count().saturating_sub(60), "{:?}", messages);
        }
    }
}
