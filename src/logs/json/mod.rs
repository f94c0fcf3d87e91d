//! JSON texts → batches of the tables their records belong to.
//!
//! A text is any sequence of JSON values with white space or commas between: `{"Records":[...]}` documents, lines,
//! arrays, or a stretch of an array that was cut between two items. Each value is first tried as a record of the
//! table that the record before it had, and only when it is none, [`peel`] looks at what it is.

mod again;
mod among;
mod beside;
mod braces;
mod cloudwatch;
mod damage;
mod digits;
mod elastic;
mod fill;
mod held;
mod insights;
mod mended;
mod others;
mod packed;
mod peel;
mod plan;
mod python;
pub mod query;
pub mod rows;
mod scalar;
#[cfg(test)]
mod tests;
mod texts;
mod walk;
mod wrapper;

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;

use self::beside::{instead_of_record, is_between_entries, is_mark, length_of_prefix, time_of_export};
pub use self::cloudwatch::{are_of_a_job, begins_entry};
pub use self::damage::resume;
use self::fill::{Fallback, Fill};
use self::plan::Plan;
pub use self::scalar::Clockwork;
use self::walk::{Cursor, Stop};
use self::wrapper::{enter_list, enter_records, enter_rows, may_be_wrapper, skip_member};
use super::TABLES;
use super::build::Arena;
use super::glue_log::{self, GLUE_LOG, Place};
use crate::decode::cut::{closing_quote, is_text_of_records};
use crate::decode::index::Indexer;
use crate::decode::{Context, Counts, Entry, Json, Lines, Open as OpenBefore, Options, PADDING, Records, Text, reuse};
use crate::table::{Batch, Origin, Reject, Table};
use crate::time::Timestamp;

/// Bytes indexed at a time: index and text stay in the second-level cache until they are walked.
const WINDOW: usize = 256 << 10;
/// Window after damage. It doubles with every window that is read to its end, so that a text of nothing but
/// damage is not indexed over and over.
const WINDOW_MIN: usize = 8 << 10;
/// A record longer than this is damaged.
const RECORD_MAX: usize = 16 << 20;
/// Of an input that ends where the next record of a list would stand, which hides nothing of a record that is there.
pub const LIST_CUT_OFF: &str = "the list of records is cut off at the end of the input";
const CUT_OFF: &str = "the record is cut off at the end of the input";
const TOO_LONG: &str = "the record is longer than 16 MiB";
/// A batch is cut at the end of the text in which it reaches one of these.
const ROWS_MAX: usize = 32 << 10;
const BYTES_MAX: usize = 16 << 20;
/// Texts inside texts (an event as a string inside an envelope) are read this deep.
const NESTED_MAX: u8 = 4;

static PLANS: LazyLock<Vec<Plan>> = LazyLock::new(|| TABLES.iter().map(|table| Plan::new(table)).collect());

/// Reads texts one after the other into open batches.
pub struct Parser<'a> {
    options: &'a Options,
    rejects: &'a mut Vec<Reject>,
    counts: &'a mut Counts,
    indexer: Indexer,
    fills: Vec<Open>,
    /// Which of `fills` took the last record that was one at its top level.
    last: Option<usize>,
    done: Vec<Batch>,
    /// Text records found inside JSON envelopes.
    lines: Vec<Records>,
    messages: Option<Messages>,
    nested: Vec<Nested>,
    packed: packed::Queue,
    /// Where the texts stood that were taken out of the object being read, but for those of other items of a list in it.
    texts: Vec<Range<usize>>,
    /// Rows of the text being read.
    insights: Option<query::Answer>,
    /// What is read stands in `Records`.
    in_records: bool,
}

struct Open {
    fill: Fill,
    /// Rows that were taken from the input buffer being read, which then has their texts.
    taken: u64,
}

/// Text records that stood as messages of objects, one after the other.
struct Messages {
    table: &'static Table,
    text: Vec<u8>,
    /// Where each stands, with the time beside it; none of flow records, whose messages are their lines.
    entries: Vec<Entry>,
    origin: Arc<Origin>,
    offset: u64,
    context: Option<Arc<Context>>,
}

/// A JSON text that stood as a string inside another.
struct Nested {
    text: Text,
    context: Arc<Context>,
    depth: u8,
}

/// What is the same for all records of a text.
struct Around<'a> {
    origin: &'a Arc<Origin>,
    offset: u64,
    context: Option<&'a Arc<Context>>,
    depth: u8,
}

/// A container whose inside is a sequence of values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Frame {
    Array,
    /// Of rows of CloudWatch Logs Insights, or of CloudTrail Lake.
    Rows,
    /// An object around `Records`, `Events` or `results`.
    Wrapper,
}

impl<'a> Parser<'a> {
    pub fn new(options: &'a Options, rejects: &'a mut Vec<Reject>, counts: &'a mut Counts) -> Parser<'a> {
        Parser {
            options,
            rejects,
            counts,
            indexer: Indexer::default(),
            fills: Vec::new(),
            last: None,
            done: Vec::new(),
            lines: Vec::new(),
            messages: None,
            nested: Vec::new(),
            packed: packed::Queue::default(),
            texts: Vec::new(),
            insights: None,
            in_records: false,
        }
    }

    /// Reads a text; `offset` is its place in the inflated input of `origin`.
    pub fn read(&mut self, json: Json, origin: &Arc<Origin>, offset: u64, context: Option<&Arc<Context>>) {
        self.text(json, &Around { origin, offset, context, depth: 0 });
        self.read_inside(origin, offset);
    }

    /// Reads rows of CSV, as [`query::recognize`] knows them.
    pub fn read_csv(&mut self, lines: &Lines, origin: &Arc<Origin>, offset: u64) {
        self.csv(lines, origin, offset);
        self.read_inside(origin, offset);
    }

    /// Reads rows that [`rows::has_events`] knows.
    pub fn read_rows(&mut self, rows: &RecordBatch, origin: &Arc<Origin>, offset: u64) {
        self.rows(rows, origin, offset);
        self.read_inside(origin, offset);
    }

    /// Reads the texts that stood in those read so far.
    fn read_inside(&mut self, origin: &Arc<Origin>, offset: u64) {
        loop {
            while let Some(Nested { text, context, depth }) = self.nested.pop() {
                self.text(Json::alone(text), &Around { origin, offset, context: Some(&context), depth });
            }
            if !self.unpack(origin) {
                return;
            }
        }
    }

    /// The batches, and text records that were found inside JSON.
    pub fn finish(mut self) -> (Vec<Batch>, Vec<Records>) {
        self.end_messages();
        for open in self.fills {
            finish(open.fill, &mut self.done, self.counts);
        }
        (self.done, self.lines)
    }

    fn text(&mut self, json: Json, around: &Around<'_>) {
        let Json { text, open, ends } = json;
        if open == OpenBefore::LogEvents {
            return self.log_events(&text, ends, around);
        }
        let mut indexer = std::mem::take(&mut self.indexer);
        let mut padded = text.into_padded();
        let is_marked = padded.starts_with("\u{feff}".as_bytes());
        if padded[0] == b'"' || !padded[0].is_ascii() && !is_marked {
            // the index cannot begin at a quote, and would call a character of several bytes invalid however often it is mended
            padded.insert(0, b' ');
        }
        let mut end = padded.len() - PADDING;
        let mut at = if is_marked { 3 } else { 0 };
        let mut size = WINDOW;
        let mut frames = match open {
            OpenBefore::Nothing | OpenBefore::LogEvents => vec![],
            OpenBefore::Array => vec![Frame::Array],
            OpenBefore::Records => vec![Frame::Wrapper, Frame::Array],
            OpenBefore::Rows => vec![Frame::Wrapper, Frame::Rows],
            OpenBefore::Wrapper => vec![Frame::Wrapper],
        };
        let mut damaged = false;
        let mut not_mended = 0;
        loop {
            while at < end && matches!(padded[at], b' ' | b'\n' | b'\r' | b'\t' | b',' | 0) {
                at += 1;
            }
            if at == end {
                break;
            }
            let stop = end.min(at + size);
            let mut window = indexer.index(&mut padded, at, stop);
            if window.invalid {
                let lossy = String::from_utf8_lossy(&padded[at..end]).into_owned();
                padded.truncate(at);
                padded.extend_from_slice(lossy.as_bytes());
                end = padded.len();
                padded.resize(end + PADDING, 0);
                continue;
            }
            let last = window.end == end;
            if window.short && last && ends_inside_string(&padded[at..end]) {
                // close the string, so that the index has the last block too
                padded.push(0);
                padded[end] = b'"';
                window = indexer.index(&mut padded, at, end + 1);
                padded[end] = 0;
            }
            let mut cursor = Cursor::new(&padded, &indexer, window.unclean);
            match self.window(&mut cursor, end, &mut frames, damaged, around) {
                // a window that ends inside a string may lack the beginning of the record around it
                Next::All(behind) if window.short && !last => {
                    size = if behind > at { WINDOW.min(size * 2) } else { size * 2 };
                    at = behind.max(at);
                }
                // a text in quotes is read to its end, which may lie behind that of the window
                Next::All(behind) => {
                    at = window.end.min(end).max(behind);
                    size = WINDOW.min(size * 2);
                }
                Next::Short(here) if last && is_text_of_records(&padded[here..end]) => {
                    self.cut_in_quotes(&padded[here..end], here, around);
                    (at, damaged) = (end, true);
                }
                Next::Short(here) if last => {
                    let mut cursor = Cursor::new(&padded, &indexer, window.unclean);
                    let (here, reason) = match self.whole_log_events(&mut cursor, here, around) {
                        // the rest of them is the next text
                        Some((rest, true)) if rest == end && !ends => break,
                        Some((rest, _)) => (rest, "the log events of an envelope are cut off at the end of the input"),
                        // the reader cuts there what has no end until then
                        None if end >= RECORD_MAX && padded[..here].trim_ascii().is_empty() => (here, TOO_LONG),
                        None => {
                            // where no log event is whole, the first is what is cut off
                            let here = self.sound_log_events(&mut cursor, here, around).unwrap_or(here);
                            (here, CUT_OFF)
                        }
                    };
                    let resume = self.damage(&padded, here, end, reason, around);
                    (at, damaged, size) = (resume, true, WINDOW_MIN);
                }
                Next::Short(here) if here == at && window.end - at >= RECORD_MAX => {
                    let resume = self.damage(&padded, here, end, TOO_LONG, around);
                    (at, damaged, size) = (resume, true, WINDOW_MIN);
                }
                Next::Short(here) => {
                    if here == at {
                        size *= 2;
                    }
                    at = here;
                }
                Next::Damaged(here, reason) => {
                    let text = &padded[here..end];
                    let taken = self.of_python(text, reason, around);
                    match taken.or_else(|| self.mended(text, reason, around, &mut not_mended)) {
                        Some(length) => (at, size) = (here + length, WINDOW_MIN),
                        None => {
                            let mut cursor = Cursor::new(&padded, &indexer, window.unclean);
                            let here = self.sound_log_events(&mut cursor, here, around).unwrap_or(here);
                            let resume = self.damage(&padded, here, end, reason, around);
                            (at, damaged, size) = (resume, true, WINDOW_MIN);
                        }
                    }
                }
            }
        }
        if ends && !damaged && !frames.is_empty() {
            self.reject(self.last_table(), end, LIST_CUT_OFF, &[], around);
        }
        if let Some(rows) = self.insights.take() {
            self.answer(rows, around);
        }
        padded.truncate(end + PADDING);
        self.keep(padded);
        self.indexer = indexer;
    }

    /// Reads the values of a window, as far as they are whole.
    fn window(
        &mut self,
        cursor: &mut Cursor<'_>,
        end: usize,
        frames: &mut Vec<Frame>,
        damaged: bool,
        around: &Around<'_>,
    ) -> Next {
        let bytes = cursor.bytes();
        let mut behind = 0;
        loop {
            let Ok(here) = cursor.here() else { return Next::All(behind) };
            if here >= end {
                return Next::All(behind);
            }
            let at = cursor.at();
            let step = match bytes[here] {
                b'{' if may_be_wrapper(bytes, here) && self.enter_wrapper(cursor) => {
                    frames.extend([Frame::Wrapper, Frame::Array]);
                    Ok(())
                }
                b'{' => {
                    self.in_records = frames.first() == Some(&Frame::Wrapper);
                    self.record(cursor, around)
                }
                b',' => {
                    cursor.go(at + 1);
                    Ok(())
                }
                b'[' if frames.last() == Some(&Frame::Rows) => self.listed_row(cursor, around),
                b']' if frames.last() == Some(&Frame::Rows) => {
                    frames.pop();
                    cursor.go(at + 1);
                    Ok(())
                }
                b'[' => {
                    frames.push(Frame::Array);
                    cursor.go(at + 1);
                    Ok(())
                }
                // brackets of containers that damage hid, or that were opened in an earlier text
                b']' | b'}' if frames.last() == Some(&closes(bytes[here])) || damaged => {
                    if frames.last() == Some(&closes(bytes[here])) {
                        frames.pop();
                    }
                    cursor.go(at + 1);
                    Ok(())
                }
                b'"' if frames.last() == Some(&Frame::Wrapper) => match enter_list(cursor) {
                    true => {
                        frames.push(Frame::Array);
                        Ok(())
                    }
                    false => skip_member(cursor),
                },
                b'"' if is_text_of_records(&bytes[here..end]) => self.quoted(cursor, here, end, around),
                // before each text of a sequence, which RFC 7464 describes and `jq --seq` prints, and the mark that a file begins with,
                // where several stand one behind the other
                byte if byte == 0x1e || is_mark(&bytes[here..end]) => {
                    cursor.go(at + 1);
                    Ok(())
                }
                0 => {
                    cursor.go(at + 1);
                    match bytes[here..end].iter().find(|&&byte| byte != 0) {
                        None | Some(b'{' | b'[' | b'}' | b']' | b',' | b' ' | b'\n' | b'\r' | b'\t') => Ok(()),
                        Some(_) => Err(Stop::Damaged(NOT_JSON)),
                    }
                }
                b'0'..=b'9' if time_of_export(&bytes[here..]).is_some() => {
                    let length = time_of_export(&bytes[here..]).expect("it was just found");
                    while cursor.here().is_ok_and(|place| place < here + length) {
                        cursor.go(cursor.at() + 1);
                    }
                    // the window ends within the time, which would begin the next one in its middle
                    if cursor.here().is_err() {
                        return Next::Short(here);
                    }
                    continue;
                }
                _ => match instead_of_record(&bytes[here..end]) {
                    Some((_, length)) if self.line_in_quotes(&bytes[here..here + length], here, around) => {
                        cursor.seek(here + length);
                        cursor.settle(cursor.at(), here + length);
                        Ok(())
                    }
                    None if let Some(length) = length_of_prefix(bytes, here, end) => {
                        while cursor.here().is_ok_and(|place| place < here + length) {
                            cursor.go(cursor.at() + 1);
                        }
                        if cursor.here().is_err() {
                            return Next::Short(here);
                        }
                        continue;
                    }
                    Some((what, length)) => {
                        self.reject(self.last_table(), here, what, &bytes[here..here + length], around);
                        cursor.seek(here + length);
                        cursor.settle(cursor.at(), here + length);
                        Ok(())
                    }
                    None => Err(Stop::Damaged(NOT_JSON)),
                },
            };
            match step {
                Ok(()) => behind = cursor.behind(),
                // keys before `Records`: its records are read one by one, however long the document
                Err(Stop::Short) if bytes[here] == b'{' && enter_records(cursor, at, self.options) => {
                    frames.extend([Frame::Wrapper, Frame::Array]);
                    behind = cursor.behind();
                }
                // one that is damaged costs the damaged row alone
                Err(Stop::Short | Stop::Damaged(_))
                    if bytes[here] == b'{' && around.depth < NESTED_MAX && enter_rows(cursor, at) =>
                {
                    frames.extend([Frame::Wrapper, Frame::Rows]);
                    behind = cursor.behind();
                }
                Err(Stop::Short) => return Next::Short(here),
                Err(Stop::Damaged(reason)) => return Next::Damaged(here, reason),
            }
        }
    }

    /// Takes the text of records that stands as a string at the cursor, where no object is around it.
    fn quoted(&mut self, cursor: &mut Cursor<'_>, here: usize, end: usize, around: &Around<'_>) -> Result<(), Stop> {
        let bytes = cursor.bytes();
        // not by the index, which has nothing behind the last string of a text
        let close = closing_quote(&bytes[..end], here + 1).ok_or(Stop::Short)?;
        let mut text = Vec::new();
        if around.depth >= NESTED_MAX || scalar::unescape(&bytes[here + 1..close], &mut text).is_none() {
            return Err(Stop::Damaged(NOT_JSON));
        }
        let context = around.context.cloned().unwrap_or_default();
        self.nested.push(Nested { text: Text::new(text), context, depth: around.depth + 1 });
        cursor.seek(close + 1);
        cursor.settle(cursor.at(), close + 1);
        Ok(())
    }

    /// Takes a text of records as a string that has no end, as far as it goes. What is cut off is told where it is read.
    #[cold]
    fn cut_in_quotes(&mut self, string: &[u8], here: usize, around: &Around<'_>) {
        /// The escapes of one character, of which a part may be left, are so many bytes.
        const ESCAPE_MAX: usize = 12;
        let mut text = Vec::new();
        let is_read = around.depth < NESTED_MAX
            && (0..string.len().min(ESCAPE_MAX)).any(|lost| {
                text.clear();
                scalar::unescape(&string[1..string.len() - lost], &mut text).is_some()
            });
        if !is_read {
            return self.reject(self.last_table(), here, CUT_OFF, string, around);
        }
        let context = around.context.cloned().unwrap_or_default();
        self.nested.push(Nested { text: Text::new(text), context, depth: around.depth + 1 });
    }

    /// Takes a text that stands where a record should, and is the line of one: of a list such as `--query 'events[].message'` gives.
    fn line_in_quotes(&mut self, value: &[u8], here: usize, around: &Around<'_>) -> bool {
        let [b'"', inside @ .., b'"'] = value else { return false };
        let mut text = Vec::new();
        scalar::unescape(inside, &mut text).is_some() && self.message(&text, here, None, around)
    }

    /// Steps into `{"Records":[`, the document that CloudTrail delivers, or `{"Events":[`, what LookupEvents answers.
    fn enter_wrapper(&mut self, cursor: &mut Cursor<'_>) -> bool {
        let at = cursor.at();
        cursor.go(at + 1);
        let entered = enter_list(cursor);
        if !entered {
            cursor.go(at);
        }
        entered
    }

    /// Reads the object at the cursor.
    #[inline]
    fn record(&mut self, cursor: &mut Cursor<'_>, around: &Around<'_>) -> Result<(), Stop> {
        let at = cursor.at();
        if let Some(open) = self.last {
            let fill = &mut self.fills[open].fill;
            if let Err(stop) = fill.record(cursor) {
                fill.forget();
                return Err(stop);
            }
            if peel::is_record(fill) {
                if !fill.has_otherwise() || !self.set_right(open, cursor, at, around)? {
                    self.take(open, around);
                }
                return Ok(());
            }
            fill.forget();
            cursor.go(at);
        }
        self.peel(cursor, around)
    }

    /// Keeps the row that was read into `open`.
    #[inline]
    fn take(&mut self, open: usize, around: &Around<'_>) {
        let Open { fill, taken } = &mut self.fills[open];
        let context = around.context.map(|context| &**context);
        let account = around.origin.account.as_deref().or(context.and_then(|context| context.account.as_deref()));
        let region = around.origin.region.as_deref().or(context.and_then(|context| context.region.as_deref()));
        if fill.plan.table.name == GLUE_LOG.name {
            let place = Place::of(&around.origin.name, context);
            glue_log::beside(&place, context).into_iter().for_each(|(name, value)| fill.complete(name, value));
        }
        fill.keep(&Fallback {
            account: account.unwrap_or("unknown"),
            region: region.unwrap_or("unknown"),
            time: context.and_then(|context| context.time).map(|Timestamp(micros)| micros),
            // a list that is read as it comes is one of GetJobRuns, where its records are runs
            reported_by: context.and_then(|context| context.reported_by).or(self.in_records.then_some("get_job_runs")),
        });
        *taken += 1;
    }

    /// The open batch of a table.
    fn open(&mut self, table: &'static Table) -> usize {
        if let Some(open) = self.fills.iter().position(|open| open.fill.plan.table.name == table.name) {
            return open;
        }
        let plan = plan(table);
        self.fills.push(Open { fill: Fill::new(plan), taken: 0 });
        self.fills.len() - 1
    }

    /// Rejects what begins at `here`; where reading goes on.
    #[cold]
    fn damage(&mut self, bytes: &[u8], here: usize, end: usize, reason: &str, around: &Around<'_>) -> usize {
        /// What tells an entry of a log is shorter.
        const LOOK: usize = 1 << 10;
        let table = self.last_table();
        let inside = bytes.get(here + 1..end).unwrap_or_default().trim_ascii_start();
        let is_of_python = reason == walk::NO_KEY && inside.starts_with(b"'");
        let reason = if is_of_python { OF_PYTHON } else { reason };
        let resume = damage::resume_behind(&bytes[..end], here, reason).unwrap_or(end);
        let mut record = &bytes[here..resume];
        while let [rest @ .., b' ' | b'\n' | b'\r' | b'\t' | b',' | 0] = record {
            record = rest;
        }
        // a job that logs in JSON has lines of Spark's log between its own
        let is_entry = record.first() != Some(&b'{')
            && glue_log::begins_entry(&String::from_utf8_lossy(&record[..record.len().min(LOOK)]))
            && (table == GLUE_LOG.name || is_between_entries(&bytes[..end], here, resume));
        if !(is_entry && self.message(record, here, None, around)) {
            self.reject(table, here, reason, record, around);
        }
        resume
    }

    /// Takes what Python printed of a dict where a record should stand; how long it is.
    #[cold]
    fn of_python(&mut self, text: &[u8], reason: &str, around: &Around<'_>) -> Option<usize> {
        /// A longer one takes too much memory while it is read.
        const LENGTH_MAX: usize = 4 << 20;
        if reason != walk::NO_KEY || around.depth >= NESTED_MAX || !python::may_be(text) {
            return None;
        }
        let (value, length) = python::first(text, LENGTH_MAX)?;
        let context = around.context.cloned().unwrap_or_default();
        let text = Text::new(value.to_string().into_bytes());
        self.nested.push(Nested { text, context, depth: around.depth + 1 });
        Some(length)
    }

    /// Takes an object that is JSON but for what others write in it where a record should stand; how long it is. `failed` is how
    /// often there was none in the text.
    #[cold]
    fn mended(&mut self, text: &[u8], reason: &str, around: &Around<'_>, failed: &mut usize) -> Option<usize> {
        /// Each time some of the text is gone over again.
        const FAILED_MAX: usize = 64;
        let may_be = matches!(reason, walk::NO_KEY | walk::NO_VALUE) && text.first() == Some(&b'{');
        if !may_be || around.depth >= NESTED_MAX || *failed == FAILED_MAX {
            return None;
        }
        let Some((record, length)) = mended::first(text) else {
            *failed += 1;
            return None;
        };
        let context = around.context.cloned().unwrap_or_default();
        self.nested.push(Nested { text: Text::new(record), context, depth: around.depth + 1 });
        Some(length)
    }

    /// That of the record before; none where there is none.
    fn last_table(&self) -> &'static str {
        self.last.map_or("", |open| self.fills[open].fill.plan.table.name)
    }

    fn reject(&mut self, table: &'static str, here: usize, reason: &str, record: &[u8], around: &Around<'_>) {
        // a text inside a text has no offsets of its own
        let offset = if around.depth == 0 { around.offset + here as u64 } else { around.offset };
        Reject::add(self.rejects, around.origin, table, || Reject::new(around.origin, offset, table, reason, record));
        let tally = self.counts.of(table);
        tally.records += 1;
        tally.rejects += 1;
    }

    /// Gives the input buffer to the batches that point into it, and cuts the batches that are full.
    fn keep(&mut self, padded: Vec<u8>) {
        if self.fills.iter().all(|open| open.taken == 0) {
            return;
        }
        // a small one is copied, and needs no buffer that could be shared
        let (small, large) = match padded.len() <= Arena::JOIN_MAX {
            true => (padded, None),
            false => (Vec::new(), Some(reuse::shared(padded))),
        };
        for open in &mut self.fills {
            let taken = std::mem::take(&mut open.taken);
            if taken > 0 {
                self.counts.of(open.fill.plan.table.name).records += taken;
                let arena = &mut open.fill.arena;
                // where small ones came before it, a large one has been placed behind them
                match &large {
                    None => arena.join(&small),
                    Some(large) if arena.base() > 0 => arena.join(large),
                    Some(large) => arena.keep(large.clone()),
                }
                if open.fill.rows >= ROWS_MAX || open.fill.arena.bytes() >= BYTES_MAX {
                    let plan = open.fill.plan;
                    let fill = std::mem::replace(&mut open.fill, Fill::new(plan));
                    finish(fill, &mut self.done, self.counts);
                }
            }
        }
    }
}

const NOT_JSON: &str = "not JSON";

const OF_PYTHON: &str = "not JSON but what Python prints of a dict: write json.dumps(answer, default=str)";

/// How far a window was read.
enum Next {
    /// To its end; everything before the given position was read.
    All(usize),
    /// To a value that begins here and is not whole.
    Short(usize),
    /// To a value that begins here and is no record.
    Damaged(usize, &'static str),
}

fn finish(fill: Fill, done: &mut Vec<Batch>, counts: &mut Counts) {
    if let Some(batch) = fill.finish() {
        counts.of(batch.table.name).rows += batch.rows.num_rows() as u64;
        done.push(batch);
    }
}

fn plan(table: &'static Table) -> &'static Plan {
    PLANS.iter().find(|plan| plan.table.name == table.name).expect("records are of the tables in logs::TABLES")
}

fn closes(bracket: u8) -> Frame {
    if bracket == b']' { Frame::Array } else { Frame::Wrapper }
}

/// Whether the bytes, which begin outside strings, end inside one.
fn ends_inside_string(bytes: &[u8]) -> bool {
    let mut inside = false;
    let mut escaped = false;
    for &byte in bytes {
        inside ^= byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
    }
    inside
}
