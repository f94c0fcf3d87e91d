//! Lines of flow records → rows, a stretch of text and then a column of it at a time.

use std::ops::Range;
use std::sync::Arc;

use super::VPC_FLOW;
use super::format::{self, Field, Format};
use super::words::Words;
use crate::decode::{Context, Counts, Lines};
use crate::logs::build::{self, Numbers, Place, Symbols, Views};
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
        let (rows, rejected) = (self.columns.rows, rejects.len());
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
            format,
            changed: false,
        };
        let mut at = 0;
        while at < length {
            let end = stretch(&bytes[..length], at);
            self.words.scan(&bytes, at, end);
            reading.stretch(&self.words, at, end);
            at = end;
        }
        if !reading.changed {
            self.format = Some((text, reading.format));
        }
        rejects[rejected..].sort_by_key(|reject| reject.offset);
        let rejected = (rejects.len() - rejected) as u64;
        let tally = counts.of(VPC_FLOW.name);
        tally.records += (self.columns.rows - rows) as u64 + rejected;
        tally.rejects += rejected;
        self.columns.arena.keep(bytes);
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
    format: Format,
    /// The format is no longer the one that the text came with.
    changed: bool,
}

impl Reading<'_> {
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
            if matches!(bytes[line.start], b'a'..=b'z' | b'$') && format::is_header(&bytes[line.clone()]) {
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
        let count = self.pending.starts.len() - before;
        if count == self.format.fields.len() {
            self.pending.lines.push(line);
            return;
        }
        self.pending.starts.truncate(before);
        self.pending.ends.truncate(before);
        if count > 0 {
            self.miscounted(line, count);
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
        self.rejects.push(Reject::new(self.source.origin, offset, VPC_FLOW.name, reason, &self.bytes[line]));
    }

    /// Makes rows of the pending lines; those that are none are rejected.
    fn rows(&mut self) {
        if self.format.assumed {
            self.keep_default();
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

    /// Rejects lines that lack the shape of the default format.
    fn keep_default(&mut self) {
        let fields = self.format.fields.len();
        let bytes = self.bytes;
        let pending = &mut *self.pending;
        for row in 0..pending.lines.len() {
            let word = |field| {
                let place = row * fields + field;
                &bytes[pending.starts[place] as usize..pending.ends[place] as usize]
            };
            if !format::is_default(word) {
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
            format!("field {} ({}) is not a number: {word}", field + 1, reading.format.name(field))
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
                Field::Number(place) => column.numbers(self.columns.numbers(*place), bad),
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

/// The words of one field of the pending lines.
struct Column<'a> {
    bytes: &'a [u8],
    starts: &'a [u32],
    ends: &'a [u32],
    field: usize,
    fields: usize,
    /// Where they go.
    rows: Range<usize>,
}

impl<'a> Column<'a> {
    #[inline]
    fn words(&self) -> impl Iterator<Item = (usize, usize)> + use<'a> {
        let (field, fields) = (self.field, self.fields);
        let (starts, ends) = (&self.starts[field..], &self.ends[field..]);
        starts
            .iter()
            .step_by(fields)
            .zip(ends.iter().step_by(fields))
            .map(|(start, end)| (*start as usize, *end as usize))
    }

    fn numbers(&self, column: &mut Numbers<i64>, bad: &mut Vec<(usize, usize)>) {
        let bytes = self.bytes;
        let (values, valid) = column.many(self.rows.clone());
        for (row, ((start, end), value)) in self.words().zip(values).enumerate() {
            match number(bytes, start, end) {
                Some(number) => *value = number,
                None if &bytes[start..end] == b"-" => valid.clear(self.rows.start + row),
                None => bad.push((row, self.field)),
            }
        }
    }

    fn texts(&self, column: &mut Views, buffer: u32, bad: &mut Vec<(usize, usize)>) {
        let bytes = self.bytes;
        let (views, valid) = column.many(self.rows.clone());
        for (row, ((start, end), view)) in self.words().zip(views).enumerate() {
            match end - start {
                0 => bad.push((row, self.field)),
                1 if bytes[start] == b'-' => valid.clear(self.rows.start + row),
                length => {
                    *view = build::view(bytes, Place { buffer, start: start as u32, length: length as u32 });
                }
            }
        }
    }

    fn symbols(&self, column: &mut Symbols, bad: &mut Vec<(usize, usize)>) {
        let bytes = self.bytes;
        let (codes, valid, dictionary) = column.many(self.rows.clone());
        let mut last: (&[u8], i32) = (b"", 0);
        for (row, ((start, end), code)) in self.words().zip(codes).enumerate() {
            let word = &bytes[start..end];
            match word {
                b"" => bad.push((row, self.field)),
                b"-" => valid.clear(self.rows.start + row),
                _ => {
                    if word != last.0 {
                        last = (word, dictionary.code(word));
                    }
                    *code = last.1;
                }
            }
        }
    }

    fn check(&self, bad: &mut Vec<(usize, usize)>) {
        let empty = |(_, (start, end)): &(usize, (usize, usize))| start == end;
        bad.extend(self.words().enumerate().filter(empty).map(|(row, _)| (row, self.field)));
    }
}

/// A number of digits alone.
#[inline(always)]
fn number(bytes: &[u8], start: usize, end: usize) -> Option<i64> {
    let length = end - start;
    if (1..=8).contains(&length) && end >= 8 {
        return eight(bytes, end, length).map(|value| value as i64);
    }
    if (9..=16).contains(&length) && end >= 16 {
        let high = eight(bytes, end - 8, length - 8)?;
        return Some((high * 100_000_000 + eight(bytes, end, 8)?) as i64);
    }
    let text = std::str::from_utf8(&bytes[start..end]).ok()?;
    text.starts_with(|first: char| first.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The `length` digits before `end`, 1 to 8 of them, as one number: all at once, by pairs, fours and the eight.
#[inline(always)]
fn eight(bytes: &[u8], end: usize, length: usize) -> Option<u64> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(bytes[end - 8..end].try_into().expect("eight bytes"));
    // what stands before the digits becomes zeros
    let digits = (word ^ (b'0' as u64 * ONES)) & (u64::MAX << (64 - 8 * length));
    if (digits.wrapping_add((0x7f - 9) * ONES) | digits) & (0x80 * ONES) != 0 {
        return None;
    }
    let pairs = (digits * 10).wrapping_add(digits >> 8);
    let low = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(0x000f_4240_0000_0064);
    let high = ((pairs >> 16) & 0x0000_00ff_0000_00ff).wrapping_mul(0x0000_2710_0000_0001);
    Some(low.wrapping_add(high) >> 32)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray, RecordBatch};
    use arrow::datatypes::{Int32Type, Int64Type};
    use proptest::prelude::*;

    use super::*;
    use crate::decode::Text;

    fn read(text: &str, format: Option<&str>) -> (Option<RecordBatch>, Vec<Reject>, Counts) {
        let (mut rejects, mut counts) = (Vec::new(), Counts::default());
        let mut parser = Parser::default();
        let lines = Lines { text: Text::new(text.into()), format: format.map(Arc::from), entries: Vec::new() };
        let origin = Arc::new(Origin { account: Some("999900001111".into()), ..Origin::default() });
        parser.read(lines, &origin, 0, None, &mut rejects, &mut counts);
        (parser.finish(&mut counts).map(|batch| batch.rows), rejects, counts)
    }

    fn symbol(rows: &RecordBatch, name: &str, row: usize) -> Option<String> {
        let column = rows.column_by_name(name).unwrap().as_dictionary::<Int32Type>();
        column.key(row).map(|key| column.values().as_string::<i32>().value(key).to_owned())
    }

    fn number(rows: &RecordBatch, name: &str, row: usize) -> Option<i64> {
        let column = rows.column_by_name(name).unwrap().as_primitive::<Int64Type>();
        column.is_valid(row).then(|| column.value(row))
    }

    const LINE: &str =
        "2 111122223333 eni-0e250409d410e1290 198.51.100.7 10.0.0.200 38471 22 6 1 44 1674898496 1674898507 ACCEPT OK";

    #[test]
    fn a_default_line_fills_its_columns() {
        let (rows, rejects, _) = read(LINE, None);
        let rows = rows.unwrap();
        assert!(rejects.is_empty());
        assert_eq!(symbol(&rows, "account", 0).as_deref(), Some("111122223333"));
        assert_eq!(symbol(&rows, "action", 0).as_deref(), Some("ACCEPT"));
        assert_eq!(rows.column_by_name("srcaddr").unwrap().as_string_view().value(0), "198.51.100.7");
        assert_eq!([number(&rows, "dstport", 0), number(&rows, "end", 0)], [Some(22), Some(1674898507)]);
    }

    #[test]
    fn a_dash_is_null_in_nodata_and_skipdata() {
        let text = "2 unknown eni-1 - - - - - - - 1431280876 1431280934 - NODATA\r\n2 - eni-1 - - - - - - - 1 2 - SKIPDATA\n\n";
        let (rows, rejects, counts) = read(text, None);
        let rows = rows.unwrap();
        assert!(rejects.is_empty());
        assert_eq!(counts.of_table("vpc_flow"), (2, 2, 0));
        assert_eq!(symbol(&rows, "log_status", 0).as_deref(), Some("NODATA"));
        assert_eq!(symbol(&rows, "account", 0).as_deref(), Some("999900001111"), "the path names it");
        assert_eq!([number(&rows, "bytes", 0), number(&rows, "start", 1)], [None, Some(1)]);
        assert!(rows.column_by_name("srcaddr").unwrap().is_null(0));
    }

    #[test]
    fn a_custom_format_goes_by_its_names_and_keeps_what_it_does_not_know() {
        let format = "${dstaddr} ${srcaddr} ${region} ${tcp-flags} ${new-field} ${flow-direction}";
        let (rows, rejects, _) = read("2001:db8::1 10.0.0.1 eu-west-1 18 x\"y egress", Some(format));
        let rows = rows.unwrap();
        assert!(rejects.is_empty());
        assert_eq!(rows.column_by_name("dstaddr").unwrap().as_string_view().value(0), "2001:db8::1");
        assert_eq!(symbol(&rows, "region", 0).as_deref(), Some("eu-west-1"));
        assert_eq!(number(&rows, "tcp_flags", 0), Some(18));
        assert_eq!(rows.column_by_name("unmapped").unwrap().as_string_view().value(0), r#"{"new-field":"x\"y"}"#);
    }

    #[test]
    fn a_header_in_the_middle_changes_the_format() {
        let text = format!("{LINE}\nsrcaddr dstport\n10.0.0.9 443\n");
        let (rows, rejects, counts) = read(&text, None);
        assert!(rejects.is_empty());
        assert_eq!(counts.of_table("vpc_flow"), (2, 2, 0));
        assert_eq!(number(&rows.unwrap(), "dstport", 1), Some(443));
    }

    #[test]
    fn a_line_of_another_shape_is_a_reject_that_says_what_to_do() {
        let text = format!("{LINE} extra\n{LINE}\n2 eni-1 10.0.0.1 ACCEPT\n{}", LINE.replace("OK", "FINE"));
        let (rows, rejects, counts) = read(&text, None);
        assert_eq!(rows.unwrap().num_rows(), 1);
        assert_eq!(counts.of_table("vpc_flow"), (4, 1, 3));
        assert!(rejects.iter().all(|reject| reject.reason.contains("--vpc-flow-format")), "{rejects:?}");
        assert_eq!(rejects[1].offset, 2 * LINE.len() as u64 + 8);
        let (_, rejects, _) = read("10.0.0.1 x", Some("srcaddr dstport"));
        assert_eq!(rejects[0].reason, "field 2 (dstport) is not a number: x");
        let (_, rejects, _) = read("10.0.0.1", Some("srcaddr dstport"));
        assert_eq!(rejects[0].reason, "1 fields where the format has 2");
        let (_, rejects, _) = read(&LINE.replace(" 22 ", " ssh "), None);
        assert_eq!(rejects[0].reason, "field 7 (dstport) is not a number: ssh");
    }

    #[test]
    fn blanks_may_be_tabs_and_many_but_not_missing() {
        let text = format!("{}\n  {}  \r\n{LINE}", LINE.replace(' ', "\t"), LINE.replace(' ', "  "));
        let (rows, rejects, _) = read(&text, None);
        assert!(rejects.is_empty(), "{rejects:?}");
        let rows = rows.unwrap();
        let ports: Vec<_> = (0..3).map(|row| number(&rows, "dstport", row)).collect();
        assert_eq!(ports, [Some(22); 3]);
        let (_, rejects, _) = read("1  3\n1 2 3\n", Some("srcport dstport bytes"));
        assert_eq!(rejects[0].reason, "2 fields where the format has 3");
        assert_eq!(rejects.len(), 1);
    }

    #[test]
    fn numbers_of_every_length() {
        let format = Some("bytes");
        for text in
            ["0", "7", "42", "00012345", "123456789", "1234567890123456", "12345678901234567", "9223372036854775807"]
        {
            let (rows, rejects, _) = read(&format!("{text}\n{text}\n{text}"), format);
            assert!(rejects.is_empty(), "{rejects:?}");
            assert_eq!(number(&rows.unwrap(), "bytes", 2), Some(text.parse().unwrap()), "{text}");
        }
        for text in
            ["9223372036854775808", "-1", "+1", "1.5", "12345678:", "/2345678", "\u{3}1x", "1234567890123é", "0x10"]
        {
            let (rows, rejects, _) = read(&format!("12345678\n12345678\n{text}"), format);
            assert_eq!((rows.unwrap().num_rows(), rejects.len()), (2, 1), "{text}");
        }
    }

    #[test]
    fn captured_lines_are_rows_whatever_their_version_says() {
        let text = include_str!("../../../tests/data/vpc_flow/v2-default.log");
        let (rows, rejects, counts) = read(text, None);
        let rows = rows.unwrap();
        assert!(rejects.is_empty());
        assert_eq!(counts.of_table("vpc_flow"), (8, 8, 0));
        let versions: Vec<_> = (0..8).map(|row| number(&rows, "version", row).unwrap()).collect();
        assert_eq!(versions, [2, 2, 2, 3, 4, 2, 2, 2]);
        assert_eq!(symbol(&rows, "account", 2).as_deref(), Some("481665107626"));
    }

    #[test]
    fn a_line_that_is_not_utf8_costs_only_itself() {
        let text = [LINE.as_bytes(), b"\n2 \xff\n", LINE.as_bytes()].concat();
        let (mut rejects, mut counts) = (Vec::new(), Counts::default());
        let mut parser = Parser::default();
        let lines = Lines { text: Text::new(text), format: None, entries: Vec::new() };
        parser.read(lines, &Arc::default(), 100, None, &mut rejects, &mut counts);
        assert_eq!((rejects[0].reason.as_str(), rejects[0].offset), ("not UTF-8", 101 + LINE.len() as u64));
        assert_eq!(counts.of_table("vpc_flow").2, 1);
        assert_eq!(parser.finish(&mut counts).unwrap().rows.num_rows(), 2);
    }

    #[test]
    fn lines_longer_than_a_stretch_and_many_of_them() {
        let text = format!("{LINE}\n").repeat(3 * STRETCH / LINE.len()) + &"x".repeat(2 * STRETCH) + "\n" + LINE;
        let (rows, rejects, _) = read(&text, None);
        let rows = rows.unwrap();
        assert_eq!((rows.num_rows(), rejects.len()), (3 * STRETCH / LINE.len() + 1, 1));
        rows.columns().iter().for_each(|column| column.to_data().validate_full().unwrap());
        assert!((0..rows.num_rows()).all(|row| number(&rows, "start", row) == Some(1674898496)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_rows_or_rejects(text in "[0-9a-zA-Z .:\\-\n\r\t]{0,400}", header in any::<bool>()) {
            let (rows, rejects, counts) = read(&text, header.then_some("srcaddr bytes"));
            let (records, kept, rejected) = counts.of_table("vpc_flow");
            prop_assert_eq!(records, kept + rejected);
            prop_assert_eq!(rejects.len() as u64, rejected);
            prop_assert_eq!(rows.map_or(0, |rows| rows.num_rows()) as u64, kept);
        }

        #[test]
        fn where_a_text_is_cut_changes_nothing(lines in prop::collection::vec(0..4u8, 1..30), cut in 0..30usize) {
            let line = |kind: u8| match kind {
                0 => LINE.to_owned(),
                1 => LINE.replace("111122223333", "444455556666").replace("ACCEPT", "REJECT"),
                2 => "2 111122223333 eni-1 - - - - - - - 1 2 - NODATA".to_owned(),
                _ => "broken".to_owned(),
            };
            let texts: Vec<String> = lines.iter().map(|&kind| line(kind) + "\n").collect();
            let (whole, _, _) = read(&texts.concat(), None);
            let cut = cut.min(texts.len());
            let mut rows = 0;
            for part in [&texts[..cut], &texts[cut..]] {
                if let (Some(part), _, _) = read(&part.concat(), None) {
                    let whole = whole.as_ref().unwrap();
                    for row in 0..part.num_rows() {
                        prop_assert_eq!(symbol(&part, "account", row), symbol(whole, "account", rows + row));
                        prop_assert_eq!(number(&part, "start", row), number(whole, "start", rows + row));
                    }
                    rows += part.num_rows();
                }
            }
            prop_assert_eq!(rows, whole.map_or(0, |whole| whole.num_rows()));
        }
    }
}
