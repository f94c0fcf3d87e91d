//! Bytes as a source has them → buffers of whole records, each marked with the table its records belong to. What is
//! wrapped around them comes off by its magic bytes: gzip, zstd, and the aggregated records of Kinesis (`kpl`).

pub mod reuse;
pub mod cut;
pub mod csv;
pub mod line;
pub mod index;
pub mod gzip;
pub mod utf16;
pub mod inflate;
pub mod printed;
pub mod kpl;
pub mod reader;
pub mod gathered;
#[cfg(test)]
mod tests;

pub use self::gathered::Gathered;
pub use self::reader::{Reader, go_on, open};

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;

use crate::memory::Memory;
use crate::table::{Origin, Table};
use crate::time::Timestamp;

/// Readable bytes behind the content of every [`Text`], so that vector loads may run over its end.
pub const PADDING: usize = 64;

/// What one object of a source is read from.
pub enum Input {
    /// A whole object in memory.
    Bytes(Bytes),
    Stream(Box<dyn Read + Send>),
    /// A file that can be sought, as Parquet needs.
    File(File),
}

/// What was read of a text before more was written to it.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// The beginning of the text, which says what it is.
    pub head: Vec<u8>,
    /// Where the line begins that names the fields of what follows, and that line, where one does.
    pub header: Option<(u64, String)>,
    /// All before this is read.
    pub offset: u64,
}

/// Where a text of lines can be gone on with, once more is written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineEnd {
    /// Behind a whole line.
    pub offset: u64,
    /// Where the line begins that names the fields of what follows, where one does.
    pub header: Option<u64>,
}

/// How to read an object.
#[derive(Clone)]
pub struct Options {
    /// Table that every record is forced into; recognized from content when `None`.
    pub table: Option<&'static Table>,
    /// Fields of VPC flow records that come without a header line: `version account-id ...` or
    /// `${version} ${account-id} ...`. The default format of AWS when `None`.
    pub vpc_flow_format: Option<String>,
    /// An object is cut off after this many inflated bytes.
    pub inflated_bytes_max: u64,
    /// An object is cut off when it inflates to more than this many times its compressed size.
    pub inflated_ratio_max: u64,
    /// How much there is: what is taken whole, and what sources let wait, gets its share.
    pub memory: Memory,
    /// How the tables know their records; `logs::RECOGNIZE`. `decode` stands above `logs`, so it is told.
    pub recognize: Recognize,
}

#[derive(Clone, Copy)]
pub struct Recognize {
    /// What the beginning of a text, at least its first line, says; `None` when no table knows it.
    pub text: fn(&[u8], &Options) -> Option<Shape>,
    /// Where the next JSON record begins, at the given place or later, in a text that is damaged before it.
    pub resume: fn(&[u8], usize) -> Option<usize>,
    /// Whether the log events of an array, of which the beginning is given without its bracket, are lines of one log, which
    /// are read together.
    pub log_events: fn(&[u8], &Options) -> bool,
    /// Whether such a log event begins an entry of its log, so that the text can be cut before it.
    pub begins_entry: fn(&[u8]) -> Begins,
    /// Table of JSON, until its records say otherwise.
    pub json: &'static Table,
    /// Table of a Parquet file, until its columns say otherwise.
    pub parquet: &'static Table,
}

/// Whether a log event begins an entry of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// By its time or level.
    Surely,
    /// It is a traceback, which belongs to the entry before it where that announced it.
    Perhaps,
    Not,
}

/// How a text is made of records.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub table: &'static Table,
    /// The first line names the fields and is no record; it becomes [`Body::Lines`]'s `format`.
    pub header: bool,
    /// It is CSV with this byte between cells: line ends between quotes belong to their record.
    pub quoted: Option<u8>,
    /// Whether a line begins a record; one that does not belongs to the record before it.
    pub begins: fn(&[u8]) -> bool,
    /// The last line of a text that names fields: what follows has those.
    pub last_header: fn(&[u8]) -> Option<&[u8]>,
}

/// A buffer of whole records of one table.
pub struct Records {
    pub table: &'static Table,
    pub origin: Arc<Origin>,
    /// Place of the buffer's first byte in the inflated input.
    pub offset: u64,
    pub body: Body,
    /// The envelope the records came in.
    pub context: Option<Arc<Context>>,
}

impl Records {
    /// Bytes in memory.
    pub fn bytes_len(&self) -> usize {
        match &self.body {
            Body::Json(json) => json.text.len(),
            Body::Lines(lines) => lines.text.len(),
            Body::Parquet(rows) => rows.get_array_memory_size(),
        }
    }

    /// Place behind the buffer's last byte in the inflated input; in Parquet, behind its last row.
    pub fn end(&self) -> u64 {
        match &self.body {
            Body::Parquet(rows) => self.offset + rows.num_rows() as u64,
            Body::Json(_) | Body::Lines(_) => self.offset + self.bytes_len() as u64,
        }
    }
}

/// What the envelope around records says about all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    pub account: Option<String>,
    pub region: Option<String>,
    /// Used where a record has no time of its own.
    pub time: Option<Timestamp>,
    /// CloudWatch Logs.
    pub log_group: Option<String>,
    pub log_stream: Option<String>,
    /// What reported the record: `eventbridge`, `get_job_runs`, `step_functions`.
    pub reported_by: Option<&'static str>,
}

pub enum Body {
    /// `table` is only a guess: the records say for themselves what they are.
    Json(Json),
    Lines(Lines),
    /// Some rows of a Parquet file, in the file's own schema.
    Parquet(RecordBatch),
}

/// JSON values with nothing but white space and commas between them.
pub struct Json {
    pub text: Text,
    pub open: Open,
    /// Nothing of its input comes behind it.
    pub ends: bool,
}

impl Json {
    /// A text that was made of another's values, and is whole.
    pub fn alone(text: Text) -> Json {
        Json { text, open: Open::Nothing, ends: false }
    }
}

/// Containers that were opened in an earlier piece of the text, and whose inside is a sequence of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Open {
    #[default]
    Nothing,
    Array,
    /// `{"Records":[`
    Records,
    /// `{"events":[` of log events of a Glue job, whose lines belong together ([`Recognize::log_events`]).
    LogEvents,
    /// `{"results":[` of rows of CloudWatch Logs Insights, each an array.
    Rows,
    /// `{"Records":[`, or one of the others, after its `]`.
    Wrapper,
}

/// Bytes with [`PADDING`] zero bytes behind them.
pub struct Text {
    /// The content, then the padding.
    bytes: Vec<u8>,
}

impl Text {
    /// Adds the padding.
    pub fn new(mut bytes: Vec<u8>) -> Text {
        bytes.resize(bytes.len() + PADDING, 0);
        Text { bytes }
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len()]
    }

    pub fn len(&self) -> usize {
        self.bytes.len() - PADDING
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The content and the padding behind it.
    pub fn into_padded(self) -> Vec<u8> {
        self.bytes
    }
}

/// Text records, not yet checked to be UTF-8.
pub struct Lines {
    pub text: Text,
    /// The header line of the object, else the format declared in [`Options`]. Without its line end.
    pub format: Option<Arc<str>>,
    /// They are rows of CSV with this between their cells ([`Shape::quoted`]).
    pub separator: Option<u8>,
    /// Where each record stands, when an envelope said so; empty when the records are the lines of `text`,
    /// taken together as [`Shape::begins`] says.
    pub entries: Vec<Entry>,
}

/// One record inside [`Lines::text`].
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub start: usize,
    pub end: usize,
    /// Time of the CloudWatch Logs event around it.
    pub time: Option<Timestamp>,
}

/// What became of the records of each table. `records == rows + rejects + set_aside`, always; duplicates are
/// taken out of the rows later, by the pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(pub BTreeMap<&'static str, Tally>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Counted where a record is found, before anything is known of its fate.
    pub records: u64,
    /// Counted off the batches made.
    pub rows: u64,
    /// One for each [`crate::table::Reject`].
    pub rejects: u64,
    /// Things that are no log records and are known not to be: digest files, control messages.
    pub set_aside: u64,
}

impl Counts {
    /// The tally of a table; `""` is for records of which no table was recognized.
    pub fn of(&mut self, table: &'static str) -> &mut Tally {
        self.0.entry(table).or_default()
    }

    /// Records, rows and rejects of a table.
    pub fn of_table(&self, table: &str) -> (u64, u64, u64) {
        self.0.get(table).map_or((0, 0, 0), |tally| (tally.records, tally.rows, tally.rejects))
    }

    pub fn add(&mut self, other: &Counts) {
        for (&table, more) in &other.0 {
            let tally = self.of(table);
            tally.records += more.records;
            tally.rows += more.rows;
            tally.rejects += more.rejects;
            tally.set_aside += more.set_aside;
        }
    }
}
