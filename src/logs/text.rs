//! Columns of a text table, filled row by row by its parser, and what all line parsers share.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};

use super::build::{Arena, Numbers, Place, Views};
use super::symbols::Symbols;
use crate::decode::{Context, Lines};
use crate::table::{Batch, Kind, Origin, PARTITIONS, Table};

/// Rows after which a batch is cut.
pub const ROWS_MAX: usize = 32 << 10;
/// Bytes of input after which a batch is cut.
pub const BYTES_MAX: usize = 16 << 20;

/// The columns of one batch. Columns are named by their place in [`Table::columns`].
pub struct Columns {
    table: &'static Table,
    account: Symbol,
    region: Symbol,
    slots: Vec<Slot>,
    pub arena: Arena,
    pub rows: usize,
}

enum Slot {
    Text(Views),
    Symbol(Symbol),
    Int(Numbers<i64>),
    Time(Numbers<i64>),
}

/// A symbol column that remembers its last text: neighbours often agree.
#[derive(Default)]
struct Symbol {
    symbols: Symbols,
    last: Vec<u8>,
    code: Option<i32>,
}

impl Symbol {
    #[inline]
    fn set(&mut self, row: usize, text: &[u8]) {
        let code = match self.code {
            Some(code) if self.last == text => code,
            _ => {
                let code = self.symbols.code(text);
                self.last.clear();
                self.last.extend_from_slice(text);
                self.code = Some(code);
                code
            }
        };
        self.symbols.set_code(row, code);
    }
}

impl Columns {
    pub fn new(table: &'static Table) -> Columns {
        let slots = table.columns.iter().map(|column| match column.kind {
            Kind::Text | Kind::Json => Slot::Text(Views::default()),
            Kind::Symbol => Slot::Symbol(Symbol::default()),
            Kind::Int => Slot::Int(Numbers::default()),
            Kind::Time => Slot::Time(Numbers::default()),
            Kind::Float | Kind::Bool | Kind::Struct(_) | Kind::List(_) => {
                unreachable!("text tables have texts, symbols, whole numbers and times")
            }
        });
        Columns {
            table,
            account: Symbol::default(),
            region: Symbol::default(),
            slots: slots.collect(),
            arena: Arena::default(),
            rows: 0,
        }
    }

    /// Sets account and Region of the row being filled from where it came.
    pub fn set_partition(&mut self, source: &Source<'_>) {
        self.account.set(self.rows, source.account().as_bytes());
        self.region.set(self.rows, source.region().as_bytes());
    }

    /// The same for rows that follow each other: their accounts are those that column `accounts` has, their Regions
    /// those that [`Columns::regions`] was given, where they are.
    pub fn set_partitions(&mut self, rows: Range<usize>, accounts: Option<usize>, source: &Source<'_>) {
        let fallback = self.account.symbols.code(source.account().as_bytes());
        match accounts.map(|column| &self.slots[column]) {
            Some(Slot::Symbol(from)) => {
                let mut codes = vec![None; from.symbols.dictionary().len()];
                for row in rows.clone() {
                    let code = from.symbols.code_of(row).map_or(fallback, |code| {
                        *codes[code as usize].get_or_insert_with(|| match from.symbols.dictionary().text(code) {
                            b"unknown" => fallback,
                            name => self.account.symbols.code(name),
                        })
                    });
                    self.account.symbols.set_code(row, code);
                }
            }
            _ => self.account.symbols.many(rows.clone()).0.fill(fallback),
        }
        let fallback = self.region.symbols.code(source.region().as_bytes());
        for row in rows {
            if !self.region.symbols.is_set(row) {
                self.region.symbols.set_code(row, fallback);
            }
        }
    }

    /// The Regions that records name.
    pub fn regions(&mut self) -> &mut Symbols {
        &mut self.region.symbols
    }

    pub fn texts(&mut self, column: usize) -> &mut Views {
        match &mut self.slots[column] {
            Slot::Text(views) => views,
            Slot::Symbol(_) | Slot::Int(_) | Slot::Time(_) => unreachable!("not a column of texts"),
        }
    }

    pub fn symbols(&mut self, column: usize) -> &mut Symbols {
        match &mut self.slots[column] {
            Slot::Symbol(symbol) => &mut symbol.symbols,
            Slot::Text(_) | Slot::Int(_) | Slot::Time(_) => unreachable!("not a column of symbols"),
        }
    }

    pub fn numbers(&mut self, column: usize) -> &mut Numbers<i64> {
        match &mut self.slots[column] {
            Slot::Int(numbers) | Slot::Time(numbers) => numbers,
            Slot::Text(_) | Slot::Symbol(_) => unreachable!("not a column of numbers"),
        }
    }

    /// Sets a text to a stretch of `bytes`, the input buffer that will be kept next.
    #[inline]
    pub fn set_text(&mut self, column: usize, bytes: &[u8], start: usize, end: usize) {
        let place = Place { buffer: self.arena.next(), start: start as u32, length: (end - start) as u32 };
        match &mut self.slots[column] {
            Slot::Text(views) => views.set(self.rows, bytes, place),
            Slot::Symbol(symbol) => symbol.set(self.rows, &bytes[start..end]),
            Slot::Int(_) | Slot::Time(_) => unreachable!("a number column takes numbers"),
        }
    }

    /// Sets a text that does not stand in the input.
    pub fn set_new_text(&mut self, column: usize, text: &str) {
        match &mut self.slots[column] {
            Slot::Text(views) => {
                let start = self.arena.side().len();
                self.arena.side().extend_from_slice(text.as_bytes());
                let place = self.arena.side_place(start);
                views.set(self.rows, self.arena.side(), place);
            }
            Slot::Symbol(symbol) => symbol.set(self.rows, text.as_bytes()),
            Slot::Int(_) | Slot::Time(_) => unreachable!("a number column takes numbers"),
        }
    }

    /// Sets a number, or a time in microseconds.
    #[inline]
    pub fn set_number(&mut self, column: usize, value: i64) {
        match &mut self.slots[column] {
            Slot::Int(numbers) | Slot::Time(numbers) => numbers.set(self.rows, value),
            Slot::Text(_) | Slot::Symbol(_) => unreachable!("a text column takes texts"),
        }
    }

    /// Forgets what was set of the row being filled, and of rows after it.
    pub fn drop_rows(&mut self) {
        let rows = self.rows;
        self.account.symbols.truncate(rows);
        self.region.symbols.truncate(rows);
        for slot in &mut self.slots {
            match slot {
                Slot::Text(views) => views.truncate(rows),
                Slot::Symbol(symbol) => symbol.symbols.truncate(rows),
                Slot::Int(numbers) | Slot::Time(numbers) => numbers.truncate(rows),
            }
        }
    }

    pub fn is_full(&self) -> bool {
        self.rows >= ROWS_MAX || self.arena.bytes() >= BYTES_MAX
    }

    /// The rows as a batch; none when there are none.
    ///
    /// # Safety
    /// Every text set was valid UTF-8.
    pub unsafe fn finish(self) -> Option<Batch> {
        let rows = self.rows;
        if rows == 0 {
            return None;
        }
        let buffers = self.arena.finish();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(PARTITIONS.len() + self.slots.len());
        // SAFETY: the caller's promise; texts stand in the buffers under the numbers the arena gave
        unsafe {
            columns.push(self.account.symbols.finish(rows));
            columns.push(self.region.symbols.finish(rows));
            for slot in self.slots {
                columns.push(match slot {
                    Slot::Text(views) => views.finish(rows, &buffers),
                    Slot::Symbol(symbol) => symbol.symbols.finish(rows),
                    Slot::Int(numbers) => numbers.finish(rows),
                    Slot::Time(numbers) => numbers.finish_times(rows),
                });
            }
        }
        let rows = RecordBatch::try_new(self.table.schema(), columns).expect("the columns are those of the table");
        Some(Batch { table: self.table, rows })
    }
}

/// The place of a column that the table is known to have.
pub fn column(table: &Table, name: &str) -> usize {
    table.columns.iter().position(|column| column.name == name).expect("the table has the column")
}

/// The lines of a text, without their ends, as places in it.
pub fn lines(text: &[u8]) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        if start >= text.len() {
            return None;
        }
        let end = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |length| start + length);
        let line = (start, if end > start && text[end - 1] == b'\r' { end - 1 } else { end });
        start = end + 1;
        Some(line)
    })
}

/// The records of a body when an envelope says where they stand.
pub fn entries(body: &Lines) -> Vec<(usize, usize, Option<i64>)> {
    body.entries.iter().map(|entry| (entry.start, entry.end, entry.time.map(|time| time.0))).collect()
}

/// Whether all of a text is UTF-8, which spares asking of each line.
pub fn is_utf8(text: &[u8]) -> bool {
    simdutf8::basic::from_utf8(text).is_ok()
}

/// Where records come from, for their rejects.
pub struct Source<'a> {
    pub origin: &'a Arc<Origin>,
    pub offset: u64,
    pub context: Option<&'a Context>,
}

impl Source<'_> {
    /// The account of records that name none: the envelope's, else the path's.
    pub fn account(&self) -> &str {
        let enveloped = self.context.and_then(|context| context.account.as_deref());
        enveloped.or(self.origin.account.as_deref()).unwrap_or("unknown")
    }

    /// The Region of records that name none.
    pub fn region(&self) -> &str {
        let enveloped = self.context.and_then(|context| context.region.as_deref());
        enveloped.or(self.origin.region.as_deref()).unwrap_or("unknown")
    }
}
