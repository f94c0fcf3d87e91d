//! One object of a source → buffers of whole records, in bounded memory.

use std::io::{self, Read, Seek, SeekFrom};
use std::mem;
use std::sync::Arc;
use std::vec;

use bytes::{Buf, Bytes};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;

use super::csv;
use super::cut::{Cutter, is_text_of_records, line_in_quotes};
use super::inflate::{self, Compression, Filled, Limits, Stream};
use super::kpl;
use super::line::{end_of_lines, is_json_lines};
use super::printed;
use super::{Before, Body, Counts, Input, Json, LineEnd, Lines, Options, PADDING, Records, Shape, Text, reuse};
use crate::caught;
use crate::table::{Origin, Reject, Table};

/// Objects up to this size, as they are stored, are taken whole; CloudTrail's are 1 to 200 KB.
pub(super) const WHOLE_MAX: usize = 4 << 20;
/// ... unless they inflate to more than the memory's share of this.
pub(super) const INFLATED_MAX: usize = 8 << 20;
/// Bytes of one piece of a stream.
const PIECE: usize = 2 << 20;
/// Rows of one piece of a Parquet file.
const PARQUET_ROWS: usize = 8 << 10;
/// A record that is longer does not stay whole.
const RECORD_MAX: usize = 16 << 20;

/// Cuts one object into buffers of whole records.
pub struct Reader {
    state: State,
    origin: Arc<Origin>,
    options: Options,
    /// Place of the next piece in the inflated input.
    offset: u64,
    /// It is compressed by nothing, and no aggregated record.
    is_plain: bool,
    /// More is being written to it: what may not be whole at its end is left.
    is_growing: bool,
    /// The input has no more for now.
    is_paused: bool,
    line_end: Option<LineEnd>,
    broken: Option<String>,
    /// What an aggregated record of Kinesis holds, and is not yet read. Each part is read like an object of its own, but
    /// for its place: parts are inflated one behind the other.
    parts: Option<vec::IntoIter<Bytes>>,
}

enum State {
    Unopened(Input),
    /// What a stream gave that is not yet handed on, and the rest of it.
    Streaming {
        stream: Option<Stream>,
        buffer: Vec<u8>,
        kind: Option<Kind>,
    },
    Parquet(Box<ParquetRecordBatchReader>),
    Done,
}

/// What the text of an object is made of.
enum Kind {
    Json {
        cutter: Box<Cutter>,
        /// Each line is a value.
        is_lines: bool,
    },
    Lines {
        shape: Shape,
        format: Option<Arc<str>>,
        /// Where the line begins that names the fields.
        header: Option<u64>,
    },
}

/// Begins to read an object. Nothing is read before the first [`Reader::next`].
pub fn open(input: Input, origin: Arc<Origin>, options: &Options) -> Reader {
    Reader {
        state: State::Unopened(input),
        origin,
        options: options.clone(),
        offset: 0,
        is_plain: false,
        is_growing: false,
        is_paused: false,
        line_end: None,
        broken: None,
        parts: None,
    }
}

/// Goes on with a text behind what was read of it before ([`Reader::line_end`] said how far); `input` is what stands there.
///
/// # Errors
/// Only those of the input itself.
pub fn go_on(
    input: Box<dyn Read + Send>,
    mut before: Before,
    origin: Arc<Origin>,
    options: &Options,
) -> io::Result<Reader> {
    let mut reader = Reader { is_plain: true, ..open(Input::Bytes(Bytes::new()), origin, options) };
    before.head.resize(before.head.len() + PADDING, 0);
    // said and counted when it was read
    let mut kind = reader.kind(&mut before.head, &mut Vec::new(), &mut Counts::default());
    if let (Some(Kind::Lines { format, header, .. }), Some((place, line))) = (&mut kind, before.header) {
        (*format, *header) = (Some(line.into()), Some(place));
    }
    let limits = Limits { bytes: options.inflated_bytes_max, ratio: options.inflated_ratio_max };
    let stream = Stream::new(input, Compression::None, limits)?.behind(before.offset);
    reader.state = State::Streaming { stream: Some(stream), buffer: vec![0; PADDING], kind };
    (reader.offset, reader.line_end) = (before.offset, None);
    Ok(reader)
}

impl Reader {
    /// Leaves what may not be whole at the end of the input, to which more is being written: of a text of lines the last record, and all
    /// of anything else.
    pub fn growing(self) -> Reader {
        Reader { is_growing: true, ..self }
    }

    /// Whether [`Reader::next`] gave nothing since the input, whose error was `WouldBlock`, has no more for now: it is to be asked
    /// again.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Where it can be gone on with behind the last piece ([`go_on`]), when it is a text of lines that nothing compresses.
    pub fn line_end(&self) -> Option<LineEnd> {
        self.line_end.filter(|end| end.offset > 0)
    }

    /// How far it is read: a place in the inflated input, and in Parquet a row.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Why the input, or the rest of it, could not be read; a reject says so too, and where.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// The next piece: 1 to 4 MiB of a large object, a small one whole (at most 8 MiB when inflated), and of an aggregated
    /// record of Kinesis one user record, or a piece of it. What cannot be read is rejected and counted; everything before
    /// it is handed on. An input that would block has the records of it handed on that are whole ([`Reader::is_paused`]).
    ///
    /// # Errors
    /// Only those of the input itself.
    pub fn next(&mut self, rejects: &mut Vec<Reject>, counts: &mut Counts) -> io::Result<Option<Records>> {
        self.is_paused = false;
        loop {
            match mem::replace(&mut self.state, State::Done) {
                State::Done => match self.parts.as_mut().and_then(Iterator::next) {
                    None => return Ok(None),
                    Some(part) => self.state = State::Unopened(Input::Bytes(part)),
                },
                State::Unopened(input) => {
                    if let Err(error) = self.begin(input)? {
                        self.damaged_parquet(&error, rejects, counts);
                    }
                    if self.is_paused {
                        return Ok(None);
                    }
                }
                State::Parquet(mut reader) => match caught(|| reader.next().transpose().map_err(ParquetError::from)) {
                    Ok(None) => {}
                    Ok(Some(rows)) => {
                        let table = self.options.table.unwrap_or(self.options.recognize.parquet);
                        let records = self.records(table, Body::Parquet(rows));
                        self.offset = records.end();
                        self.state = State::Parquet(reader);
                        return Ok(Some(records));
                    }
                    Err(error) => self.damaged_parquet(&error, rejects, counts),
                },
                State::Streaming { stream, buffer, kind } => {
                    let records = self.piece(stream, buffer, kind, rejects, counts)?;
                    if records.is_some() || self.is_paused {
                        return Ok(records);
                    }
                }
            }
        }
    }

    /// Opens the input; the inner error is that of a Parquet file which cannot be read.
    fn begin(&mut self, input: Input) -> io::Result<Result<(), ParquetError>> {
        let (mut bytes, mut rest, mut is_paused): Head = match input {
            Input::Bytes(bytes) => (bytes, None, false),
            Input::Stream(stream) => match head(Vec::new(), stream, WHOLE_MAX)? {
                // a stream goes on from here, and what is read whole or not at all waits
                (bytes, Some(rest), true) if is_short(&bytes) => {
                    let begun = Begun { head: bytes, rest, is_paused: false };
                    self.state = State::Unopened(Input::Stream(Box::new(begun)));
                    self.is_paused = true;
                    return Ok(Ok(()));
                }
                head => head,
            },
            Input::File(mut file) => {
                let mut magic = [0; 4];
                file.seek(SeekFrom::Start(0))?;
                let parquet = file.read_exact(&mut magic).is_ok() && magic == *b"PAR1";
                file.seek(SeekFrom::Start(0))?;
                if parquet {
                    return Ok(self.parquet(file));
                }
                head(Vec::new(), Box::new(file), WHOLE_MAX)?
            }
        };
        // not again inside of one: Kinesis knows no such thing, and it would have no end
        if self.parts.is_none() && bytes.starts_with(&kpl::MAGIC) {
            if let Some(more) = rest.take() {
                (bytes, rest, is_paused) = head(bytes.into(), more, kpl::BYTES_MAX)?;
            }
            if rest.is_none()
                && let Some(records) = kpl::unpack(&bytes)
            {
                let parts: Vec<Bytes> = records.into_iter().map(|record| record.data).collect();
                self.parts = Some(parts.into_iter());
                return Ok(Ok(()));
            }
        }
        if bytes.starts_with(b"PAR1") && rest.is_none() {
            return Ok(self.parquet(bytes));
        }
        let compression = Compression::of(&bytes);
        self.is_plain = compression == Compression::None && self.parts.is_none();
        let whole_max = self.options.memory.of(INFLATED_MAX) as u64;
        let max = whole_max.min(self.options.inflated_bytes_max.saturating_sub(self.offset)) as usize;
        let whole = match compression {
            Compression::Gzip if rest.is_none() => inflate::whole(&bytes, max),
            Compression::None if rest.is_none() && bytes.len() <= max.min(WHOLE_MAX) => {
                // a source that gave its only copy, with room behind it, is not copied
                let length = bytes.len();
                let mut padded = match bytes.is_unique() {
                    true => Vec::from(mem::take(&mut bytes)),
                    false => {
                        let mut copy = reuse::buffer(length + PADDING);
                        copy.extend_from_slice(&bytes);
                        copy
                    }
                };
                padded.resize(length + PADDING, 0);
                Some(padded)
            }
            Compression::Gzip | Compression::Zstd | Compression::Utf16(_) | Compression::None => None,
        };
        if let Some(buffer) = whole {
            self.state = State::Streaming { stream: None, buffer, kind: None };
            return Ok(Ok(()));
        }
        let limits = Limits { bytes: self.options.inflated_bytes_max, ratio: self.options.inflated_ratio_max };
        let source = Begun { head: bytes, rest: rest.unwrap_or_else(|| Box::new(io::empty())), is_paused };
        let stream = Stream::new(Box::new(source), compression, limits)?.behind(self.offset);
        self.state = State::Streaming { stream: Some(stream), buffer: vec![0; PADDING], kind: None };
        Ok(Ok(()))
    }

    /// Pages are read as rows are asked for, so a file of any size takes little memory.
    fn parquet<T: ChunkReader + 'static>(&mut self, file: T) -> Result<(), ParquetError> {
        // without the Arrow schema that some writers put into the footer: of a file from outside it is no use
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let open = || {
            ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)?.with_batch_size(PARQUET_ROWS).build()
        };
        self.state = State::Parquet(Box::new(caught(open)?));
        Ok(())
    }

    /// One reject; rows read before the damage are kept.
    fn damaged_parquet(&mut self, error: &ParquetError, rejects: &mut Vec<Reject>, counts: &mut Counts) {
        let table = self.options.table.unwrap_or(self.options.recognize.parquet).name;
        let reason = format!("not a readable Parquet file: {error}");
        self.broken = Some(reason.clone());
        rejects.push(Reject::new(&self.origin, self.offset, table, reason, b"PAR1"));
        let tally = counts.of(table);
        tally.records += 1;
        tally.rejects += 1;
    }

    fn records(&self, table: &'static Table, body: Body) -> Records {
        Records { table, origin: self.origin.clone(), offset: self.offset, body, context: None }
    }

    /// The next piece of a stream. `buffer` has padding behind it.
    fn piece(
        &mut self,
        mut stream: Option<Stream>,
        mut buffer: Vec<u8>,
        mut kind: Option<Kind>,
        rejects: &mut Vec<Reject>,
        counts: &mut Counts,
    ) -> io::Result<Option<Records>> {
        let mut broken = None;
        let mut wanted = PIECE;
        let mut is_paused = false;
        loop {
            while let Some(source) = &mut stream
                && buffer.len() - PADDING < wanted
                && !is_paused
            {
                buffer.truncate(buffer.len() - PADDING);
                let missing = wanted - buffer.len();
                buffer.reserve(missing + PADDING);
                let filled = source.fill(&mut buffer, missing);
                buffer.resize(buffer.len() + PADDING, 0);
                match filled? {
                    Filled::More => {}
                    Filled::Paused => is_paused = true,
                    Filled::End => stream = None,
                    Filled::Broken(why) => {
                        broken = Some(why);
                        stream = None;
                    }
                }
            }
            let length = buffer.len() - PADDING;
            self.is_paused = is_paused;
            if kind.is_none() && length > 0 {
                // what the AWS CLI prints is read whole
                if stream.is_some()
                    && !is_paused
                    && length < printed::LENGTH_MAX
                    && printed::may_be(behind_blanks(&buffer[..length]))
                {
                    wanted = length + PIECE;
                    continue;
                }
                kind = match is_paused && begins_line(&buffer[..length]) {
                    true => None,
                    false => self.kind(&mut buffer, rejects, counts),
                };
                if kind.is_none() && is_paused {
                    self.state = State::Streaming { stream, buffer, kind };
                    return Ok(None);
                }
                if kind.is_none() {
                    // nothing we know: what follows in the same input is no better
                    stream = None;
                    self.offset += length as u64;
                    buffer.clear();
                    buffer.resize(PADDING, 0);
                }
                continue;
            }
            let last = stream.is_none();
            let cut = match &mut kind {
                _ if last && !self.is_growing => Some(length),
                None => None,
                Some(Kind::Json { cutter, is_lines }) if last => {
                    (*is_lines && cutter.is_between()).then(|| end_of_lines(&buffer[..length]))
                }
                Some(Kind::Json { cutter, .. }) => cutter.cut(&mut buffer, &self.options),
                // nothing comes for now, which would belong to the last line
                Some(Kind::Lines { shape, .. }) if is_paused && shape.quoted.is_none() => {
                    memchr::memrchr(b'\n', &buffer[..length]).map(|end| end + 1)
                }
                Some(Kind::Lines { shape, .. }) => match shape.quoted {
                    Some(separator) => csv::last_row(&buffer[..length], separator, RECORD_MAX),
                    None => last_line(&buffer[..length], shape),
                },
            };
            let cut = match cut {
                None if last => 0,
                None if is_paused => {
                    self.state = State::Streaming { stream, buffer, kind };
                    return Ok(None);
                }
                None if length < RECORD_MAX => {
                    wanted = length + PIECE;
                    continue;
                }
                None if is_of_lines(kind.as_ref(), &buffer[..length]) => {
                    memchr::memrchr(b'\n', &buffer[..length]).map_or(length, |end| end + 1)
                }
                None => length,
                Some(cut) => cut,
            };
            // why a broken one ends is told of anyway, and one that grows does not end yet
            let ends = last && broken.is_none() && !self.is_growing;
            let records = (cut > 0).then(|| self.take(&mut buffer, cut, &mut kind, last, ends));
            if let Some(why) = broken {
                rejects.push(Reject::new(&self.origin, self.offset, "", why.clone(), &[]));
                self.broken = Some(why);
                let tally = counts.of("");
                tally.records += 1;
                tally.rejects += 1;
                if self.offset >= self.options.inflated_bytes_max {
                    // the object is cut off, and this reject stands for the rest of it
                    self.parts = None;
                }
            }
            if !last {
                self.state = State::Streaming { stream, buffer, kind };
            }
            return Ok(records);
        }
    }

    /// Takes the first `cut` bytes of the buffer as records, the `last` of them where nothing comes behind what the buffer has; `ends`
    /// where that ends as it should.
    fn take(&mut self, buffer: &mut Vec<u8>, cut: usize, kind: &mut Option<Kind>, last: bool, ends: bool) -> Records {
        let more = buffer.len() - cut > PADDING;
        // a text that grows may wait for long, and for each of many files
        let mut rest =
            if last || self.is_growing { Vec::new() } else { reuse::buffer(PIECE.max(buffer.len() - cut) + PADDING) };
        rest.extend_from_slice(&buffer[cut..]);
        let mut piece = mem::replace(buffer, rest);
        piece.truncate(cut);
        let text = Text::new(piece);
        let (table, body) = match kind.as_mut().expect("a piece is taken once its kind is known") {
            Kind::Json { cutter, is_lines } => {
                let open = cutter.piece();
                let is_end = self.is_plain && *is_lines && cutter.is_between();
                self.line_end = is_end
                    .then(|| LineEnd { offset: self.offset + end_of_lines(text.as_slice()) as u64, header: None });
                (self.options.table.unwrap_or(self.options.recognize.json), Body::Json(Json { text, open, ends }))
            }
            Kind::Lines { shape, format, header } => {
                let now = format.clone();
                if (more || self.is_plain)
                    && let Some(line) = (shape.last_header)(text.as_slice())
                {
                    *format = Some(String::from_utf8_lossy(line).into());
                    let at = line.as_ptr().addr() - text.as_slice().as_ptr().addr();
                    *header = Some(self.offset + at as u64);
                }
                let end = LineEnd { offset: self.offset + cut as u64, header: *header };
                self.line_end = self.is_plain.then_some(end);
                (shape.table, Body::Lines(Lines { text, format: now, separator: shape.quoted, entries: Vec::new() }))
            }
        };
        let records = self.records(table, body);
        self.offset += cut as u64;
        records
    }

    /// What the beginning of a text says it is; rejects it when it says nothing.
    fn kind(&mut self, buffer: &mut Vec<u8>, rejects: &mut Vec<Reject>, counts: &mut Counts) -> Option<Kind> {
        let text = &buffer[..buffer.len() - PADDING];
        if is_tar(text) {
            self.broken = self.unknown(OF_TAR, text, rejects, counts);
            return None;
        }
        if let Some(why) = of_another_format(text) {
            self.broken = self.unknown(why, text, rejects, counts);
            return None;
        }
        if text.trim_ascii() == TEST_OF_EXPORT && !self.is_growing && !self.is_paused {
            let tally = counts.of("");
            tally.records += 1;
            tally.set_aside += 1;
            return None;
        }
        let head = behind_blanks(text);
        let blank = text.len() - head.len();
        match head.first() {
            None => return Some(Kind::Json { cutter: Box::default(), is_lines: false }),
            // no JSON has a capital letter there; Spark's progress bar does
            Some(b'[')
                if head.get(1).is_some_and(u8::is_ascii_uppercase)
                    || is_id_in_brackets(head)
                    || is_date_in_brackets(head) => {}
            Some(b'{' | b'[') => return Some(self.json(head)),
            Some(b'"') if is_text_of_records(head) || self.is_line_in_quotes(head) => return Some(self.json(head)),
            Some(_) => {}
        }
        if text.len() < printed::LENGTH_MAX
            && !self.is_growing
            && !self.is_paused
            && printed::may_be(head)
            && let Some(mut json) = printed::as_json(head)
        {
            self.is_plain = false;
            json.resize(json.len() + PADDING, 0);
            *buffer = json;
            return Some(Kind::Json { cutter: Box::default(), is_lines: false });
        }
        let sep = length_of_sep(head);
        let (blank, head) = (blank + sep, &head[sep..]);
        let Some(shape) = (self.options.recognize.text)(head, &self.options) else {
            if !self.is_growing
                && !self.is_paused
                && printed::may_be(head)
                && let Some(why) = printed::too_large(head, text.len())
            {
                self.broken = self.unknown(why, text, rejects, counts);
                return None;
            }
            if (self.options.recognize.resume)(head, 0).is_some() {
                // JSON that is damaged at its beginning
                return Some(Kind::Json { cutter: Box::default(), is_lines: false });
            }
            // a file beside the logs is no part of them, and none that could not be read
            let other = if self.options.table.is_some() { OF_OTHER_TABLE } else { OF_NO_TABLE };
            self.unknown(of_another_log(head).unwrap_or(other), text, rejects, counts);
            return None;
        };
        let mut format = self.options.vpc_flow_format.as_deref().map(Arc::from);
        let mut start = blank;
        let header = shape.header.then_some(self.offset + start as u64);
        if shape.header {
            let line = head.iter().position(|&byte| byte == b'\n').unwrap_or(head.len());
            let names = match shape.quoted {
                // tabs before the first name are of cells without one, as pandas writes its index
                Some(b'\t') => {
                    let tabs = text[..blank].iter().rev().take_while(|byte| **byte == b'\t').count();
                    csv::trimmed(&text[blank - tabs..blank + line], b'\t')
                }
                Some(_) | None => head[..line].trim_ascii(),
            };
            format = Some(String::from_utf8_lossy(names).into());
            start = text.len().min(start + line + 1);
        }
        buffer.drain(..start);
        self.offset += start as u64;
        self.line_end = self.is_plain.then_some(LineEnd { offset: self.offset, header });
        Some(Kind::Lines { shape, format, header })
    }

    /// Whether a text begins with a line of a log as a string of JSON, as `jq '.events[].message'` prints it.
    fn is_line_in_quotes(&self, head: &[u8]) -> bool {
        let shape = line_in_quotes(head).and_then(|line| (self.options.recognize.text)(line, &self.options));
        shape.is_some_and(|shape| !shape.header && shape.quoted.is_none())
    }

    fn json(&self, head: &[u8]) -> Kind {
        Kind::Json { cutter: Box::default(), is_lines: self.is_plain && is_json_lines(head) }
    }

    /// Rejects a text that is of no table, unless what comes may say more of it, and gives why.
    fn unknown(&self, reason: &str, text: &[u8], rejects: &mut Vec<Reject>, counts: &mut Counts) -> Option<String> {
        if self.is_growing || self.is_paused {
            return None;
        }
        rejects.push(Reject::new(&self.origin, self.offset, "", reason, text));
        let tally = counts.of("");
        tally.records += 1;
        tally.rejects += 1;
        Some(reason.to_owned())
    }
}

/// A text without the mark and the blanks that it may begin with.
fn behind_blanks(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    &text[text.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0).count()..]
}

/// Whether a text is the beginning of a line that is not whole, and no JSON.
fn begins_line(text: &[u8]) -> bool {
    let head = text.trim_ascii_start();
    head.is_empty() || (!matches!(head[0], b'{' | b'[' | b'"') && memchr::memchr(b'\n', head).is_none())
}

/// Whether a text begins with an id, of which no JSON has the first eight digits: `[0a1b2c3d-`, as the log of a crawler does.
fn is_id_in_brackets(head: &[u8]) -> bool {
    const DIGITS: usize = 8;
    head.get(1..=DIGITS).is_some_and(|id| id.iter().all(u8::is_ascii_hexdigit)) && head.get(DIGITS + 1) == Some(&b'-')
}

/// Whether a text begins with a date, which no JSON has there: `[2024-05-01 `.
fn is_date_in_brackets(head: &[u8]) -> bool {
    let Some([b'[', year @ .., b'-', month1, month2, b'-']) = head.get(..9) else { return false };
    year.iter().chain([month1, month2]).all(u8::is_ascii_digit)
}

/// Length of the line that tells Excel what stands between cells, `sep=;`, or that PowerShell's Export-Csv begins with.
fn length_of_sep(head: &[u8]) -> usize {
    match head {
        [b'#', b'T', b'Y', b'P', b'E', b' ', ..] => memchr::memchr(b'\n', head).map_or(0, |end| end + 1),
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', _, b'\n', ..] => 6,
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', _, b'\r', b'\n', ..] => 7,
        _ => 0,
    }
}

const OF_TAR: &str = "a tar archive: unpack it, or compress the files in it with gzip or zstd";

/// Whether the header of an archive's first file says that it is tar. The files in it may be JSON.
fn is_tar(text: &[u8]) -> bool {
    const MAGIC_AT: usize = 257;
    text.get(MAGIC_AT..).is_some_and(|rest| rest.starts_with(b"ustar"))
        && memchr::memchr(0, &text[..MAGIC_AT]).is_some()
}

const OF_OTHER_TABLE: &str = "neither JSON nor a text of the table that is asked for";
const OF_NO_TABLE: &str = "neither JSON nor a text log that a table knows";

/// What an object is that begins with what no text has, and may be of logs.
fn of_another_format(text: &[u8]) -> Option<&'static str> {
    Some(match text {
        [b'P', b'K', 3, 4, ..] => "a zip archive: unpack it, or compress the files in it with gzip or zstd",
        [b'7', b'z', 0xbc, 0xaf, ..] => "a 7z archive: unpack it, or compress the files in it with gzip or zstd",
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => "compressed with bzip2: decompress it, or use gzip or zstd",
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => "compressed with xz: decompress it, or use gzip or zstd",
        [0x1f, 0x8b, 8, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => "compressed three times over: decompress it once",
        [0x04, 0x22, 0x4d, 0x18, ..] => "compressed with lz4: decompress it, or use gzip or zstd",
        [0xff, 6, 0, 0, b's', b'N', b'a', b'P', ..] => "compressed with snappy: decompress it, or use gzip or zstd",
        [b'x', 0x01 | 0x9c | 0xda, ..] => "compressed with zlib: decompress it, or use gzip or zstd",
        [b'P', b'A', b'R', b'1', ..] => "Parquet that is compressed as a whole: decompress it",
        [b'O', b'R', b'C', 0..=b'\x1f' | 0x80.., ..] => "ORC, which is not read: write it as Parquet or JSON",
        [b'O', b'b', b'j', 1, ..] => "Avro, which is not read: write it as Parquet or JSON",
        _ => return None,
    })
}

/// What CloudWatch Logs writes into a bucket, as `aws-logs-write-test`, before it exports a log group to it.
const TEST_OF_EXPORT: &[u8] = b"Permission Check Successful";

/// What a text is that may stand beside the logs which are read.
fn of_another_log(head: &[u8]) -> Option<&'static str> {
    let line = &head[..memchr::memchr(b'\n', head).unwrap_or(head.len())];
    let words: Vec<&[u8]> = line.splitn(4, |byte| *byte == b' ').collect();
    match words[..] {
        [owner, _, [b'[', ..], _] if owner.len() == 64 && owner.iter().all(u8::is_ascii_hexdigit) => {
            Some("an access log of S3, which no table has")
        }
        [b"http" | b"https" | b"h2" | b"grpcs" | b"ws" | b"wss" | b"tls", [b'0'..=b'9', ..], [b'a' | b'n', ..], _] => {
            Some("an access log of a load balancer, which no table has")
        }
        // of a network load balancer, with a version and a time, and of a classic one, with a time and the client's port
        [b"tls", [b'0'..=b'9', b'.', ..], [b'2', b'0', ..], _] => {
            Some("an access log of a load balancer, which no table has")
        }
        [[b'2', b'0', .., b'Z'], _, client, _] if is_of_port(client) => {
            Some("an access log of a load balancer, which no table has")
        }
        [b"1.0", [b'2', b'0', .., b'Z'], [b'Z', ..], _] => Some("a query log of Route 53, which no table has"),
        [b"An", b"error", b"occurred", _] => Some("an error of the AWS CLI that was saved in place of its answer"),
        [b"#Version:", ..] => Some("an access log of CloudFront, which no table has"),
        _ if printed::may_be(head) => Some(
            "what the AWS CLI prints as YAML or text, which is no answer that is read so: ask it for --output json",
        ),
        _ if is_text_of_cli(line) => {
            Some("what the AWS CLI prints with --output text, which names no fields: ask it for --output json")
        }
        _ if is_table_of_cli(head) => Some("a table as the AWS CLI prints it: ask it for --output json"),
        _ if matches!(line, [b'<', b'0'..=b'9', ..]) => Some("lines of syslog whose messages no table knows"),
        _ if line.starts_with(b"<") => Some("XML or HTML, such as an error that was saved in place of a log"),
        _ if is_base64(line) => Some("base64: decode what it packs, as `base64 -d` does"),
        _ if is_answer_of_java(line) => Some("an answer as AWS's SDK for Java prints it: write it as JSON"),
        [[b'2', b'0', _, _, b'-', _, _, b'-', _, _, b'T', .., b'Z' | b'0'], _, ..] => Some(
            "lines with the times of log events before them that no table knows: `--table glue_log` takes them for what a Glue job printed",
        ),
        _ => None,
    }
}

/// Whether a word is an address of version 4 and a port.
fn is_of_port(word: &[u8]) -> bool {
    str::from_utf8(word).is_ok_and(|word| word.parse::<std::net::SocketAddrV4>().is_ok())
}

/// Whether a line begins as `GetJobRunsResponse(JobRuns=[JobRun(Id=...`
fn is_answer_of_java(line: &[u8]) -> bool {
    let class = line.split(|byte| *byte == b'(').next().unwrap_or_default();
    class.len() < line.len() && class.ends_with(b"Response") && class.iter().all(u8::is_ascii_alphanumeric)
}

/// Whether a line is of a list in an answer of Glue, GuardDuty, CloudTrail or CloudWatch Logs.
fn is_text_of_cli(line: &[u8]) -> bool {
    const LISTS: [&str; 8] =
        ["EVENTS", "JOBRUNS", "JOBRUN", "FINDINGS", "RECORDS", "QUERYRESULTROWS", "RESULTS", "SEARCHEDLOGSTREAMS"];
    LISTS.iter().any(|name| line.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"\t")))
}

/// Whether a text begins with a line of dashes and one with a title in bars.
fn is_table_of_cli(head: &[u8]) -> bool {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let rule = lines.next().unwrap_or_default();
    let is_rule = rule.len() > 4 && rule.iter().all(|byte| matches!(byte, b'-' | b'+'));
    is_rule && lines.next().is_some_and(|title| title.starts_with(b"|") && title.ends_with(b"|"))
}

/// Whether a line begins with base64 of gzip or of JSON, as `aws kinesis get-records --query 'Records[].Data' --output text` prints it.
fn is_base64(line: &[u8]) -> bool {
    let word = line.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    const LEAST: usize = 16;
    let begins = ["H4sI", "eyJ", "W3si"].iter().any(|begin| word.starts_with(begin.as_bytes()));
    begins && word.len() >= LEAST && word.iter().all(is_digit)
}

/// What reading Parquet gives: where a file is damaged, parquet 59.3 panics rather than fails, as for a column chunk of
/// negative length (`file/metadata/mod.rs`).
fn caught<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    caught::caught(read).unwrap_or_else(|| Err(ParquetError::General("it is damaged".to_owned())))
}

type Head = (Bytes, Option<Box<dyn Read + Send>>, bool);

/// A stream whose first bytes have been taken: up to `max` of them and one more, and the rest when that is not all; and whether it has
/// no more for now.
fn head(mut bytes: Vec<u8>, mut stream: Box<dyn Read + Send>, max: usize) -> io::Result<Head> {
    let room = (max + 1 - bytes.len()) as u64;
    let is_paused = match (&mut stream).take(room).read_to_end(&mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
        read => read.map(|_| false)?,
    };
    let rest = (is_paused || bytes.len() > max).then_some(stream);
    Ok((bytes.into(), rest, is_paused))
}

/// Whether a stream's first bytes do not tell what it is, or are of what is only read whole.
fn is_short(head: &[u8]) -> bool {
    const LEAST: usize = 16;
    head.len() < LEAST || head.starts_with(b"PAR1") || head.starts_with(&kpl::MAGIC)
}

/// A stream whose first bytes have been taken. These are let go of once they are read, before the rest is.
struct Begun {
    head: Bytes,
    rest: Box<dyn Read + Send>,
    /// There is no more for now behind the first bytes.
    is_paused: bool,
}

impl Read for Begun {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.head.is_empty() {
            self.head = Bytes::new();
            if mem::take(&mut self.is_paused) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            return self.rest.read(buffer);
        }
        let count = self.head.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.head[..count]);
        self.head.advance(count);
        Ok(count)
    }
}

/// Whether lines that begin no record may be of one each, as what a job printed is, and what a log has between its entries in JSON.
fn is_of_lines(kind: Option<&Kind>, text: &[u8]) -> bool {
    match kind {
        Some(Kind::Lines { shape, .. }) => shape.quoted.is_none(),
        Some(Kind::Json { .. }) => {
            !matches!(behind_blanks(text).first(), Some(b'{' | b'[' | b'"' | b',' | b'}' | b']'))
        }
        None => false,
    }
}

/// Behind the last line that is followed by the beginning of another record.
fn last_line(text: &[u8], shape: &Shape) -> Option<usize> {
    memchr::memrchr_iter(b'\n', text).map(|end| end + 1).find(|&start| {
        let line = &text[start..];
        // the last line may be a part of one
        memchr::memchr(b'\n', line).is_some_and(|end| (shape.begins)(&line[..end]))
    })
}
