//! Lines of flow records → rows, a stretch of text and then a column of it at a time.

use std::ops::Range;
use std::sync::Arc;

use super::column::Column;
use super::format::{self, FIELDS, Field, Format};
use super::words::Words;
use super::{VPC_FLOW, known};
use crate::decode::{Context, Counts, Lines, reuse};
use crate::logs::text::{self, Columns, Source};
use crate::table::{Batch, Origin, Reject};

/// Bytes of one stretch: it and the places in it stay in the second-level cache until they are read.
const STRETCH: usize = 64 << 10;

const WRONG_SHAPE: &str =
    "not in the default format of VPC flow logs and without a header line: declare its fields with --vpc-flow-format";

/// Reads lines into one batch.
pub struct Parser {
    columns: Columns,
    /// The last format parsed, and its text.
    format: Option<(Option<Arc<str>>, Format)>,
    words: Words,
    pending: Pending,
}

/// Lines of one format whose words were found, not yet rows.
#[derive(Default)]
struct Pending {
    lines: Vec<Range<usize>>,
    /// Beginning and end of each word, as many for each line as the format has fields.
    starts: Vec<u32>,
    ends: Vec<u32>,
    /// Rows of the stretch, and the fields in them, that are not what the format says.
    bad: Vec<(usize, usize)>,
}

impl Default for Parser {
    fn default() -> Parser {
        Parser { columns: Columns::new(&VPC_FLOW), format: None, words: Words::default(), pending: Pending::default() }
    }
}

impl Parser {
    pub fn is_full(&self) -> bool {
        self.columns.is_full()
    }

    pub fn finish(self, counts: &mut Counts) -> Option<Batch> {
        counts.of(VPC_FLOW.name).rows += self.columns.rows as u64;
        // SAFETY: `read` sets texts only from lines that it found to be UTF-8
        unsafe { self.columns.finish() }
    }

    /// Reads the lines of a text. An envelope's entries are its lines too.
    pub fn read(
        &mut self,
        body: Lines,
        origin: &Arc<Origin>,
        offset: u64,
        context: Option<&Context>,
        rejects: &mut Vec<Reject>,
        counts: &mut Counts,
    ) {
        let (rows, before) = (self.columns.rows, rejects.len());
        let (text, format) = match self.format.take() {
            Some((text, format)) if text == body.format => (text, format),
            _ => {
                let format = body.format.as_deref().map_or_else(Format::assumed, Format::parse);
                (body.format, format)
            }
        };
        let length = body.text.len();
        let bytes = body.text.into_padded();
        let mut reading = Reading {
            columns: &mut self.columns,
            pending: &mut self.pending,
            bytes: &bytes,
            source: Source { origin, offset, context },
            rejects,
            rejected: 0,
            format,
            changed: false,
        };
        let mut at = 0;
        while at < length {
            let end = stretch(&bytes[..length], at);
            self.words.scan(&bytes, at, end);
            if at == 0 && end < length {
                // lines are about as long everywhere
                reading.reserve(self.words.lines.len() * (length / end + 1));
            }
            reading.stretch(&self.words, at, end);
            at = end;
        }
        let rejected = reading.rejected;
        if !reading.changed {
            self.format = Some((text, reading.format));
        }
        rejects[before..].sort_by_key(|reject| reject.offset);
        let tally = counts.of(VPC_FLOW.name);
        tally.records += (self.columns.rows - rows) as u64 + rejected;
        tally.rejects += rejected;
        self.columns.arena.keep(reuse::shared(bytes));
    }
}

/// Where a stretch from `at` ends: behind a line.
fn stretch(text: &[u8], at: usize) -> usize {
    let most = text.len().min(at + STRETCH);
    if most == text.len() {
        return most;
    }
    match memchr::memrchr(b'\n', &text[at..most]) {
        Some(end) => at + end + 1,
        None => memchr::memchr(b'\n', &text[most..]).map_or(text.len(), |end| most + end + 1),
    }
}

/// A text being read.
struct Reading<'a> {
    columns: &'a mut Columns,
    pending: &'a mut Pending,
    /// The padded text.
    bytes: &'a [u8],
    source: Source<'a>,
    rejects: &'a mut Vec<Reject>,
    /// Records that were rejected.
    rejected: u64,
    format: Format,
    /// The format is no longer the one that the text came with.
    changed: bool,
}

impl Reading<'_> {
    fn reserve(&mut self, rows: usize) {
        for field in &self.format.fields {
            match field {
                Field::Number(place) => self.columns.numbers(*place).reserve(rows),
                Field::Text(place) => self.columns.texts(*place).reserve(rows),
                Field::Symbol(place) | Field::Account(place) => self.columns.symbols(*place).reserve(rows),
                Field::Region | Field::Other(_) => {}
            }
        }
    }

    fn stretch(&mut self, words: &Words, start: usize, end: usize) {
        let bytes = self.bytes;
        let utf8 = text::is_utf8(&bytes[start..end]);
        let (mut at, mut blank) = (start, 0);
        for &(end, blanks) in &words.lines {
            let mut line = at..end as usize;
            let mut between = words.blanks(blank, blanks);
            (at, blank) = (line.end + 1, blanks);
            if let [before @ .., last] = between
                && *last as usize + 1 == line.end
            {
                // a carriage return, or a blank at the end
                line.end -= 1;
                between = before;
            }
            if line.is_empty() {
                continue;
            }
            if format::may_be_header(&bytes[line.start..line.end]) && format::is_header(&bytes[line.clone()]) {
                self.rows();
                self.format = Format::parse(&String::from_utf8_lossy(&bytes[line]));
                self.changed = true;
                continue;
            }
            if !utf8 && !text::is_utf8(&bytes[line.clone()]) {
                self.reject(line, "not UTF-8");
                continue;
            }
            if between.len() + 1 == self.format.fields.len() {
                let pending = &mut *self.pending;
                pending.starts.push(line.start as u32);
                pending.starts.extend(between.iter().map(|blank| blank + 1));
                pending.ends.extend_from_slice(between);
                pending.ends.push(line.end as u32);
                pending.lines.push(line);
            } else {
                self.irregular(line);
            }
        }
        self.rows();
    }

    /// A line with more or fewer blanks than it should have: it may still have the right number of words.
    #[cold]
    fn irregular(&mut self, line: Range<usize>) {
        let before = self.pending.starts.len();
        let mut at = line.start;
        for word in self.bytes[line.clone()].split(|byte| *byte <= b' ') {
            if !word.is_empty() {
                self.pending.starts.push(at as u32);
                self.pending.ends.push((at + word.len()) as u32);
            }
            at += word.len() + 1;
        }
        let mut count = self.pending.starts.len() - before;
        let exported = count.saturating_sub(self.format.fields.len());
        let line_of = &self.bytes[line.clone()];
        if exported > 0 && exported == format::words_of_export(line_of, self.format.fields.len()) {
            self.pending.starts.drain(before..before + exported);
            self.pending.ends.drain(before..before + exported);
            count -= exported;
        }
        if count == self.format.fields.len() {
            self.pending.lines.push(line);
            return;
        }
        self.pending.starts.truncate(before);
        self.pending.ends.truncate(before);
        if count > 0 && !(self.format.assumed && self.otherwise(&line)) {
            self.miscounted(line, count);
        }
    }

    /// A line without a header for it that is not in the format of the one before. True when it is in another that is known, or
    /// several records of the default one.
    fn otherwise(&mut self, line: &Range<usize>) -> bool {
        let bytes = &self.bytes[line.clone()];
        let has_commas = known::is_comma_separated(bytes);
        let is_blank = |byte: u8| byte <= b' ' || byte == b',' && has_commas;
        if let Some(places) = known::many(bytes) {
            self.rows();
            self.turn_to(Format::assumed());
            self.push(line, &places);
            return true;
        }
        let before = format::words_of_export(bytes, FIELDS);
        let mut places = Vec::new();
        let mut at = 0;
        for word in bytes.split(|byte| is_blank(*byte)) {
            let quotes = usize::from(word.len() > 2 && word.starts_with(b"\"") && word.ends_with(b"\""));
            if !word.is_empty() {
                places.push((at + quotes, at + word.len() - quotes));
            }
            at += word.len() + 1;
            if places.len() > known::WORDS_MAX + before {
                return false;
            }
        }
        places.drain(..before.min(places.len()));
        let words: Vec<&[u8]> = places.iter().map(|(start, end)| &bytes[*start..*end]).collect();
        let Some(format) = known::of_words(&words) else { return false };
        if format.fields.len() != self.format.fields.len() {
            self.rows();
            self.turn_to(format);
        }
        self.push(line, &places);
        true
    }

    fn turn_to(&mut self, format: Format) {
        self.changed |= format.fields.len() != self.format.fields.len();
        self.format = format;
    }

    /// Takes the words of one record, or of several, which stand at these places of a line.
    fn push(&mut self, line: &Range<usize>, places: &[(usize, usize)]) {
        for words in places.chunks(self.format.fields.len()) {
            let at = |place: usize| (line.start + place) as u32;
            self.pending.starts.extend(words.iter().map(|(start, _)| at(*start)));
            self.pending.ends.extend(words.iter().map(|(_, end)| at(*end)));
            let [(start, _), .., (_, end)] = words else { unreachable!("a record has several words") };
            self.pending.lines.push(line.start + start..line.start + end);
        }
    }

    fn miscounted(&mut self, line: Range<usize>, count: usize) {
        if self.format.assumed {
            return self.reject(line, WRONG_SHAPE);
        }
        self.reject(line, format!("{count} fields where the format has {}", self.format.fields.len()));
    }

    fn reject(&mut self, line: Range<usize>, reason: impl Into<String>) {
        let offset = self.source.offset + line.start as u64;
        let (origin, bytes) = (self.source.origin, &self.bytes[line]);
        self.rejected += 1;
        Reject::add(self.rejects, origin, VPC_FLOW.name, || Reject::new(origin, offset, VPC_FLOW.name, reason, bytes));
    }

    /// Makes rows of the pending lines; those that are none are rejected.
    fn rows(&mut self) {
        if self.format.assumed {
            self.keep_shaped();
        }
        self.fill();
        if !self.pending.bad.is_empty() {
            self.columns.drop_rows();
            self.drop_bad();
            self.fill();
            assert!(self.pending.bad.is_empty(), "lines with bad fields were dropped");
        }
        let rows = self.columns.rows..self.columns.rows + self.pending.lines.len();
        self.others(rows.clone());
        let account = |field: &Field| if let Field::Account(column) = field { Some(*column) } else { None };
        let accounts = self.format.fields.iter().find_map(account);
        self.columns.set_partitions(rows.clone(), accounts, &self.source);
        self.columns.rows = rows.end;
        self.pending.clear();
    }

    /// Rejects lines that lack the shape of the format that is assumed.
    fn keep_shaped(&mut self) {
        let fields = self.format.fields.len();
        let bytes = self.bytes;
        let pending = &mut *self.pending;
        for row in 0..pending.lines.len() {
            let word = |field| {
                let place = row * fields + field;
                &bytes[pending.starts[place] as usize..pending.ends[place] as usize]
            };
            let is_shaped = match fields {
                FIELDS => format::is_default(word),
                _ => known::fits(&self.format, word),
            };
            if !is_shaped {
                pending.bad.push((row, 0));
            }
        }
        if !pending.bad.is_empty() {
            self.drop_lines(|_, _| WRONG_SHAPE.to_owned());
        }
    }

    /// Rejects lines whose fields are not what the format says.
    #[cold]
    fn drop_bad(&mut self) {
        let (fields, bytes) = (self.format.fields.len(), self.bytes);
        self.drop_lines(|reading, (row, field)| {
            let pending = &*reading.pending;
            let words = row * fields..(row + 1) * fields;
            let full = |place: &usize| pending.starts[*place] < pending.ends[*place];
            let count = words.clone().filter(full).count();
            if count < fields {
                // two blanks in a row
                return match reading.format.assumed {
                    true => WRONG_SHAPE.to_owned(),
                    false => format!("{count} fields where the format has {fields}"),
                };
            }
            let place = words.start + field;
            let word = String::from_utf8_lossy(&bytes[pending.starts[place] as usize..pending.ends[place] as usize]);
            let name = reading.format.name(field);
            let what = match word.bytes().all(|byte| byte.is_ascii_digit()) {
                true => "more than there can be",
                false => "not a number",
            };
            format!("field {} ({name}) is {what}: {word}", field + 1)
        });
    }

    /// Rejects the bad lines, each once, and closes the gaps they leave.
    #[cold]
    fn drop_lines(&mut self, reason: impl Fn(&Self, (usize, usize)) -> String) {
        let fields = self.format.fields.len();
        let mut bad = std::mem::take(&mut self.pending.bad);
        bad.sort_unstable();
        bad.dedup_by_key(|(row, _)| *row);
        for &(row, field) in &bad {
            let line = self.pending.lines[row].clone();
            // blanks alone are no record
            if self.bytes[line.clone()].iter().any(|byte| *byte > b' ') {
                let reason = reason(self, (row, field));
                self.reject(line, reason);
            }
        }
        let pending = &mut *self.pending;
        let is_bad = |row: usize| bad.binary_search_by_key(&row, |(row, _)| *row).is_ok();
        let mut place = 0..;
        let mut keep = |width: usize| !is_bad(place.next().expect("counts up without end") / width);
        pending.starts.retain(|_| keep(fields));
        place = 0..;
        let mut keep = |width: usize| !is_bad(place.next().expect("counts up without end") / width);
        pending.ends.retain(|_| keep(fields));
        place = 0..;
        let mut keep = |width: usize| !is_bad(place.next().expect("counts up without end") / width);
        pending.lines.retain(|_| keep(1));
    }

    /// Reads the pending words into their columns, one field after the other.
    fn fill(&mut self) {
        if self.pending.lines.is_empty() {
            return;
        }
        let rows = self.columns.rows..self.columns.rows + self.pending.lines.len();
        let Pending { starts, ends, bad, .. } = &mut *self.pending;
        let buffer = self.columns.arena.next();
        for (field, action) in self.format.fields.iter().enumerate() {
            let column =
                Column { bytes: self.bytes, starts, ends, field, fields: self.format.fields.len(), rows: rows.clone() };
            match action {
                Field::Number(place) => {
                    let most = format::most(VPC_FLOW.columns[*place].name);
                    let before = bad.len();
                    column.numbers(self.columns.numbers(*place), most, bad);
                    if bad.len() > before && matches!(VPC_FLOW.columns[*place].name, "start" | "end") {
                        column.parts_of_seconds(self.columns.numbers(*place), most, bad);
                    }
                }
                Field::Text(place) => column.texts(self.columns.texts(*place), buffer, bad),
                Field::Symbol(place) | Field::Account(place) => column.symbols(self.columns.symbols(*place), bad),
                Field::Region => column.symbols(self.columns.regions(), bad),
                Field::Other(_) => column.check(bad),
            }
        }
    }

    /// Fields without a column, as one JSON object a row.
    fn others(&mut self, rows: Range<usize>) {
        let others: Vec<(usize, &str)> = (self.format.fields.iter().enumerate())
            .filter_map(|(field, action)| if let Field::Other(name) = action { Some((field, &**name)) } else { None })
            .collect();
        if others.is_empty() {
            return;
        }
        let fields = self.format.fields.len();
        let mut object = serde_json::Map::new();
        for (index, row) in rows.enumerate() {
            object.clear();
            for &(field, name) in &others {
                let place = index * fields + field;
                let word = &self.bytes[self.pending.starts[place] as usize..self.pending.ends[place] as usize];
                if word != b"-" {
                    object.insert(name.to_owned(), String::from_utf8_lossy(word).into());
                }
            }
            if !object.is_empty() {
                let text = serde_json::to_string(&object).expect("texts are JSON");
                self.columns.rows = row;
                self.columns.set_new_text(VPC_FLOW.columns.len() - 1, &text);
            }
        }
    }
}

impl Pending {
    fn clear(&mut self) {
        self.lines.clear();
        self.starts.clear();
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests;
