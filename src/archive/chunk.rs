//! Rows of a column of texts → its column chunk of a Parquet file.
//!
//! The chunk is laid out as arrow's writer lays it out: a dictionary page where texts repeat, data pages of version 1, bounds of each page,
//! a bloom filter. What differs is what a row costs. Batches know already which rows have the same text, so that a text is hashed,
//! compared and put into the filter once, and each further row is one look into an array. Pages are made in one buffer and compressed by one
//! compressor for each thread.

mod bounds;
mod fetch;
mod page;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::io::{self, Read};
use std::iter::repeat_n;
use std::mem;

use arrow::array::{Array, StringArray, StringViewArray};
use bytes::buf::Reader;
use bytes::{Buf, Bytes};
use parquet::basic::{Compression, Encoding, EncodingMask, PageType, Type};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::file::metadata::{
    ColumnChunkMetaData, ColumnIndexBuilder, LevelHistogram, OffsetIndexBuilder, PageEncodingStats,
};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use self::bounds::{Bounds, Order, above, below};
use self::fetch::prefetch;
use self::page::{bits, compressed, count, deltas, hybrid, put_levels};
use super::gather::{Column, Each, Items, Place, Texts, level_of_item};
use crate::decode::reuse;
use crate::logs::symbols::Dictionary;
use crate::table::fetch::fetch;

/// Bytes that stand free before the texts or codes of a page, for its levels and the lengths of the texts.
const LEVELS_BYTES: usize = 32 << 10;
/// Rows that are added at once, so that what they have of each column is in the processor's cache.
const PIECE_ROWS: usize = 1024;
/// A code that a text has not got yet.
const UNSEEN: u32 = u32::MAX;

/// Levels of a chunk that are kept for the next one.
const SPARE_MAX: usize = 256 << 10;

thread_local! {
    /// Empty, what the next chunk has of levels, codes and lengths: what is grown anew for each begins with page faults.
    static SPARE: Cell<(Vec<u8>, Vec<u32>, Vec<i32>)> = const { Cell::new((Vec::new(), Vec::new(), Vec::new())) };
}

/// A column chunk being written.
pub struct Chunk {
    column: ColumnDescPtr,
    /// Definition level of a row that has a text.
    whole: u8,
    rules: Rules,
    /// Definition levels of the rows of the open page, or of the items in them.
    levels: Vec<u8>,
    /// Where the column lies in a list: 0 for the items that begin a row, 1 for the others.
    repetitions: Option<Vec<u8>>,
    /// What it has of values, by [`Known::dictionary`] or, where there is none, in `page`.
    codes: Vec<u32>,
    /// Empty, or [`LEVELS_BYTES`] free bytes and what stands as it is.
    page: Vec<u8>,
    /// Of the texts in `page`.
    lengths: Vec<i32>,
    /// Bytes of the texts of the open page.
    text_bytes: i64,
    /// Of the texts of the open page; none where the file has no bounds of the column.
    bounds: Option<Bounds>,
    known: Option<Known>,
    /// What was known before it was too much.
    full: Option<Dictionary>,
    filter: Option<Sbbf>,
    /// Data pages that have ended, and where each of them stands.
    written: TrackedWrite<Vec<u8>>,
    places: Vec<(u64, usize)>,
    pages: u32,
    index: ColumnIndexBuilder,
    offsets: OffsetIndexBuilder,
    order: Order,
    totals: Totals,
}

/// How the properties of the file have a column written.
struct Rules {
    compression: Compression,
    indexed: bool,
    bounds_bytes_max: usize,
    index_bytes_max: usize,
    dictionary_bytes_max: usize,
    page_bytes_max: usize,
    page_rows_max: usize,
    filter_fpp: f64,
}

/// Texts that the chunk has a code for.
#[derive(Default)]
struct Known {
    dictionary: Dictionary,
    /// Of the dictionary's page.
    bytes: usize,
    /// For each code, the length of its text,
    lengths: Vec<u32>,
    /// and the number of pages when the last one that has it had ended.
    stamps: Vec<u32>,
    /// For the codes of the symbols that are appended, the chunk's, of those that the open page has.
    codes: Vec<u32>,
}

/// Of all pages that have ended.
#[derive(Default)]
struct Totals {
    bounds: Bounds,
    rows: usize,
    /// With those that are null: rows, or items and what stands for none.
    values: usize,
    nulls: usize,
    text_bytes: i64,
    /// Values by definition level.
    levels: Vec<i64>,
    /// Before compression, with headers.
    bytes: usize,
    pages_of_codes: i32,
    pages_of_texts: i32,
}

impl Chunk {
    /// # Errors
    /// When the properties are at odds with Parquet.
    pub fn new(column: ColumnDescPtr, properties: &WriterProperties) -> anyhow::Result<Chunk> {
        let path = column.path();
        let statistics = properties.statistics_enabled(path);
        let filter = properties.bloom_filter_properties(path);
        let rules = Rules {
            compression: properties.compression(path),
            indexed: statistics == EnabledStatistics::Page,
            bounds_bytes_max: properties.statistics_truncate_length().unwrap_or(usize::MAX),
            index_bytes_max: properties.column_index_truncate_length().unwrap_or(usize::MAX),
            dictionary_bytes_max: properties.column_dictionary_page_size_limit(path),
            page_bytes_max: properties.column_data_page_size_limit(path),
            page_rows_max: properties.data_page_row_count_limit(),
            filter_fpp: filter.map_or(0.0, |filter| filter.fpp()),
        };
        assert!(column.max_rep_level() < 2, "a list lies in no list");
        Ok(Chunk {
            levels: Vec::new(),
            repetitions: (column.max_rep_level() > 0).then(Vec::new),
            codes: Vec::new(),
            page: Vec::new(),
            lengths: Vec::new(),
            text_bytes: 0,
            bounds: (statistics != EnabledStatistics::None).then(Bounds::default),
            known: properties.dictionary_enabled(path).then(Known::default),
            full: None,
            filter: filter.map(|filter| Sbbf::new_with_ndv_fpp(filter.ndv(), filter.fpp())).transpose()?,
            written: TrackedWrite::new(Vec::new()),
            places: Vec::new(),
            pages: 0,
            index: ColumnIndexBuilder::new(Type::BYTE_ARRAY),
            offsets: OffsetIndexBuilder::new(),
            order: Order::default(),
            totals: Totals { levels: vec![0; column.max_def_level() as usize + 1], ..Totals::default() },
            rules,
            whole: column.max_def_level() as u8,
            column,
        })
    }

    /// Adds the rows at the places.
    ///
    /// # Errors
    /// When a page cannot be compressed.
    pub fn append(&mut self, from: &Column, places: &[Place]) -> anyhow::Result<()> {
        match &from.levels().each {
            Each::Same(level) => self.append_texts(from, places, None, |_| *level),
            Each::Of(levels) => self.append_texts(from, places, None, |(batch, row)| levels[batch][row]),
        }
    }

    /// The same for a column that lies in a list.
    ///
    /// # Errors
    /// When a page cannot be compressed.
    pub fn append_items(&mut self, from: &Column, Items { places, repetitions }: &Items) -> anyhow::Result<()> {
        let levels = &from.levels().each;
        self.append_texts(from, places, Some(repetitions), |(batch, row)| {
            level_of_item(row, |row| match levels {
                Each::Same(level) => *level,
                Each::Of(levels) => levels[batch][row],
            })
        })
    }

    fn append_texts(
        &mut self,
        from: &Column,
        mut places: &[Place],
        mut repetitions: Option<&[u8]>,
        level: impl Fn(Place) -> u8 + Copy,
    ) -> anyhow::Result<()> {
        if self.levels.capacity() == 0 {
            (self.levels, self.codes, self.lengths) = SPARE.take();
        }
        let texts = from.texts();
        if let (Texts::Symbols { values, .. }, Some(known)) = (&texts, &mut self.known) {
            known.codes.clear();
            known.codes.resize(values.len(), UNSEEN);
        }
        while !places.is_empty() {
            // a row is never cut, so that a page may have more than there is room for
            let room = self.rules.page_rows_max.saturating_sub(self.levels.len()).clamp(1, places.len());
            let now = &places[..room.min(PIECE_ROWS)];
            let start = self.levels.len();
            self.levels.extend(now.iter().map(|&place| level(place)));
            let done = match &texts {
                Texts::None => now.len(),
                Texts::Symbols { keys, codes, values } => match self.known.is_some() {
                    true => self.code_symbols(keys, codes, values, now),
                    false => self.add_plain(now, |_, (batch, row), _| {
                        values.value(codes[batch][keys[batch][row] as usize] as usize).as_bytes()
                    }),
                },
                Texts::Views(views) => match self.known.is_some() {
                    true => self.code_views(views, now),
                    false => {
                        let whole = self.whole;
                        self.add_plain(now, |index, (batch, row), levels| {
                            prefetch(views, now, levels, index, whole);
                            views[batch].value(row).as_bytes()
                        })
                    }
                },
            };
            self.levels.truncate(start + done);
            places = &places[done..];
            if let (Some(own), Some(from)) = (&mut self.repetitions, &mut repetitions) {
                own.extend_from_slice(&from[..done]);
                *from = &from[done..];
            }
            if repetitions.is_none_or(|rest| rest.first().is_none_or(|&first| first == 0)) {
                self.end_what_is_full()?;
            }
        }
        Ok(())
    }

    /// Codes for symbols, which have codes of their own; how many rows they are, fewer when the dictionary became full. The levels of
    /// the rows are the last ones.
    fn code_symbols(&mut self, keys: &[&[i32]], codes: &[Vec<i32>], values: &StringArray, places: &[Place]) -> usize {
        /// Rows ahead.
        const AHEAD: usize = 24;
        let known = self.known.as_mut().expect("there is a dictionary");
        self.codes.reserve(places.len());
        let levels = &self.levels[self.levels.len() - places.len()..];
        for (index, (&(batch, row), &level)) in places.iter().zip(levels).enumerate() {
            if let Some(key) = places.get(index + AHEAD).and_then(|&(batch, row)| keys[batch].get(row)) {
                fetch(key);
            }
            if level != self.whole {
                continue;
            }
            let code = codes[batch][keys[batch][row] as usize] as usize;
            let mut own = known.codes[code];
            if own == UNSEEN {
                let text = values.value(code).as_bytes();
                own = known.dictionary.code(text) as u32;
                known.codes[code] = own;
                known.meet(own, text, self.pages, &mut self.bounds, &mut self.filter);
                if known.bytes >= self.rules.dictionary_bytes_max {
                    self.codes.push(own);
                    return index + 1;
                }
            }
            self.codes.push(own);
        }
        places.len()
    }

    /// The same for texts that any row may have anew.
    fn code_views(&mut self, views: &[&StringViewArray], places: &[Place]) -> usize {
        let known = self.known.as_mut().expect("there is a dictionary");
        self.codes.reserve(places.len());
        let levels = &self.levels[self.levels.len() - places.len()..];
        for (index, (&(batch, row), &level)) in places.iter().zip(levels).enumerate() {
            prefetch(views, places, levels, index, self.whole);
            if level != self.whole {
                continue;
            }
            let view = views[batch].views()[row];
            let code = match view as u32 {
                0..=12 => known.dictionary.code_short(view),
                length => {
                    let (buffer, start) = ((view >> 64) as u32, (view >> 96) as u32);
                    let buffer = &views[batch].data_buffers()[buffer as usize];
                    known.dictionary.code_padded(buffer, start as usize, length as usize)
                }
            };
            self.codes.push(code as u32);
            if known.stamps.get(code as usize) != Some(&(self.pages + 1)) {
                let text = views[batch].value(row).as_bytes();
                known.meet(code as u32, text, self.pages, &mut self.bounds, &mut self.filter);
                if known.bytes >= self.rules.dictionary_bytes_max {
                    return index + 1;
                }
            }
        }
        places.len()
    }

    /// Texts as they are; how many rows they are, fewer when the page became full. `text` is told the levels of the rows.
    fn add_plain<'a>(&mut self, places: &[Place], text: impl Fn(usize, Place, &[u8]) -> &'a [u8]) -> usize {
        self.open_page();
        let levels = &self.levels[self.levels.len() - places.len()..];
        for (index, (&place, &level)) in places.iter().zip(levels).enumerate() {
            if level != self.whole {
                continue;
            }
            let text = text(index, place, levels);
            self.lengths.push(text.len() as i32);
            self.page.extend_from_slice(text);
            if let Some(bounds) = &mut self.bounds {
                bounds.add(text);
            }
            if let Some(filter) = &mut self.filter {
                filter.insert(text);
            }
            if self.page.len() >= LEVELS_BYTES + self.rules.page_bytes_max {
                return index + 1;
            }
        }
        places.len()
    }

    fn open_page(&mut self) {
        if self.page.is_empty() {
            if self.page.capacity() == 0 {
                self.page = reuse::buffer(LEVELS_BYTES + self.rules.page_bytes_max);
            }
            self.page.resize(LEVELS_BYTES, 0);
        }
    }

    fn end_what_is_full(&mut self) -> anyhow::Result<()> {
        let is_full = self.known.as_ref().is_some_and(|known| known.bytes >= self.rules.dictionary_bytes_max);
        if is_full
            || self.levels.len() >= self.rules.page_rows_max
            || self.page.len() >= LEVELS_BYTES + self.rules.page_bytes_max
        {
            self.end_page()?;
        }
        if is_full {
            self.full = self.known.take().map(|known| known.dictionary);
        }
        Ok(())
    }

    fn end_page(&mut self) -> anyhow::Result<()> {
        if self.levels.is_empty() {
            return Ok(());
        }
        self.open_page();
        let encoding = match &mut self.known {
            None => {
                self.text_bytes = (self.page.len() - LEVELS_BYTES) as i64;
                Encoding::DELTA_LENGTH_BYTE_ARRAY
            }
            Some(known) => {
                let width = bits(known.dictionary.len().saturating_sub(1));
                self.page.push(width as u8);
                hybrid(&self.codes, width, &mut self.page);
                self.text_bytes = self.codes.iter().map(|&code| i64::from(known.lengths[code as usize])).sum();
                self.codes.clear();
                known.codes.fill(UNSEEN);
                Encoding::RLE_DICTIONARY
            }
        };
        let start = self.put_head();
        let bytes = compressed(self.rules.compression, &self.page[start..])?;
        let page = Page::DataPage {
            buf: bytes,
            num_values: self.levels.len() as u32,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let page = CompressedPage::new(page, self.page.len() - start);
        let spec = SerializedPageWriter::new(&mut self.written).write_page(page)?;
        self.places.push((spec.offset, spec.compressed_size));
        self.totals.bytes += spec.uncompressed_size;
        match encoding {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => self.totals.pages_of_texts += 1,
            _ => self.totals.pages_of_codes += 1,
        }
        self.index_page();
        self.pages += 1;
        self.page.clear();
        self.levels.clear();
        self.repetitions.iter_mut().for_each(Vec::clear);
        self.text_bytes = 0;
        Ok(())
    }

    /// Writes the levels, and the lengths of texts, right before the texts or codes of the page: where they begin.
    fn put_head(&mut self) -> usize {
        let mut head = Vec::new();
        if let Some(repetitions) = &self.repetitions {
            put_levels(repetitions, 1, &mut head);
        }
        put_levels(&self.levels, self.whole, &mut head);
        if self.known.is_none() {
            deltas(&self.lengths, &mut head);
            self.lengths.clear();
        }
        // only a list of very many items has more
        let more = head.len().saturating_sub(LEVELS_BYTES);
        self.page.splice(..0, repeat_n(0, more));
        let start = LEVELS_BYTES + more - head.len();
        self.page[start..][..head.len()].copy_from_slice(&head);
        start
    }

    /// Notes what the indexes and the statistics have of the page.
    fn index_page(&mut self) {
        let levels: Vec<i64> = (0..=self.whole).map(|level| count(&self.levels, level) as i64).collect();
        let rows = self.repetitions.as_ref().map(|own| count(own, 0));
        let (rows, values) = (rows.unwrap_or(self.levels.len()), self.levels.len());
        let nulls = values - levels[usize::from(self.whole)] as usize;
        self.totals.rows += rows;
        self.totals.values += values;
        self.totals.nulls += nulls;
        self.totals.text_bytes += self.text_bytes;
        self.totals.levels.iter_mut().zip(&levels).for_each(|(total, count)| *total += count);
        self.offsets.append_row_count(rows as i64);
        self.offsets.append_unencoded_byte_array_data_bytes(Some(self.text_bytes));
        let Some(bounds) = &mut self.bounds else { return };
        let (least, most) = match mem::take(&mut bounds.0) {
            None => (Vec::new(), Vec::new()),
            Some((least, most)) => {
                self.order.add(&least, &most);
                self.totals.bounds.add(&least);
                self.totals.bounds.add(&most);
                (below(least, self.rules.index_bytes_max).0, above(most, self.rules.index_bytes_max).0)
            }
        };
        self.index.append(nulls == values, least, most, nulls as i64);
        let repetitions =
            self.repetitions.as_ref().map(|_| LevelHistogram::from(vec![rows as i64, (values - rows) as i64]));
        self.index.append_histograms(&repetitions, &Some(LevelHistogram::from(levels)));
    }

    /// The pages of the chunk, and what the file is told of it.
    ///
    /// # Errors
    /// When a page cannot be compressed.
    pub fn close(mut self) -> anyhow::Result<(Pages, ColumnCloseResult)> {
        self.end_page()?;
        reuse::give_back(mem::take(&mut self.page));
        let grown = (mem::take(&mut self.levels), mem::take(&mut self.codes), mem::take(&mut self.lengths));
        // a page has so many at most, but for one of a long list
        if (1..=SPARE_MAX).contains(&grown.0.capacity()) {
            SPARE.set(grown);
        }
        let mut written = TrackedWrite::new(Vec::new());
        let dictionary = self.known.take().map(|known| known.dictionary).or(self.full.take());
        let mut pages = Vec::new();
        let mut encodings = vec![Encoding::RLE];
        let mut ahead = 0;
        if let Some(dictionary) = &dictionary {
            ahead = self.write_dictionary(dictionary, &mut written)?;
            encodings.extend([Encoding::PLAIN, Encoding::RLE_DICTIONARY]);
            pages.push((PageType::DICTIONARY_PAGE, Encoding::PLAIN, 1));
        }
        let Totals { pages_of_codes, pages_of_texts, .. } = self.totals;
        pages.push((PageType::DATA_PAGE, Encoding::RLE_DICTIONARY, pages_of_codes));
        pages.push((PageType::DATA_PAGE, Encoding::DELTA_LENGTH_BYTE_ARRAY, pages_of_texts));
        if pages_of_texts > 0 {
            encodings.push(Encoding::DELTA_LENGTH_BYTE_ARRAY);
        }
        let pages = pages.into_iter().filter(|(_, _, count)| *count > 0);
        let pages = pages.map(|(page_type, encoding, count)| PageEncodingStats { page_type, encoding, count });
        for (offset, size) in &self.places {
            self.offsets.append_offset_and_size(ahead as i64 + *offset as i64, *size as i32);
        }
        let pages_written = mem::replace(&mut self.written, TrackedWrite::new(Vec::new()));
        let bytes = Pages { dictionary: written.into_inner()?.into(), data: pages_written.into_inner()?.into() };
        let mut metadata = ColumnChunkMetaData::builder(self.column.clone())
            .set_compression(self.rules.compression)
            .set_encodings_mask(EncodingMask::new_from_encodings(encodings.iter()))
            .set_page_encoding_stats(pages.collect())
            .set_total_compressed_size(bytes.len() as i64)
            .set_total_uncompressed_size(self.totals.bytes as i64)
            .set_num_values(self.totals.values as i64)
            .set_data_page_offset(ahead as i64)
            .set_dictionary_page_offset(dictionary.map(|_| 0));
        if self.bounds.is_some() {
            let Totals { rows, values, .. } = self.totals;
            let repetitions = self.repetitions.as_ref().map(|_| vec![rows as i64, (values - rows) as i64].into());
            metadata = metadata
                .set_statistics(self.statistics())
                .set_repetition_level_histogram(repetitions)
                .set_unencoded_byte_array_data_bytes(Some(self.totals.text_bytes))
                .set_definition_level_histogram(Some(LevelHistogram::from(mem::take(&mut self.totals.levels))));
        }
        self.index.set_boundary_order(self.order.of_pages());
        let filter = self.filter.map(|mut filter| {
            filter.fold_to_target_fpp(self.rules.filter_fpp);
            filter
        });
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: self.totals.rows as u64,
            metadata: metadata.build()?,
            bloom_filter: filter,
            column_index: self.rules.indexed.then(|| self.index.build()).transpose()?,
            offset_index: Some(self.offsets.build()),
        };
        Ok((bytes, close))
    }

    /// The length of the page.
    fn write_dictionary(
        &mut self,
        dictionary: &Dictionary,
        written: &mut TrackedWrite<Vec<u8>>,
    ) -> anyhow::Result<usize> {
        let mut plain = Vec::new();
        for code in 0..dictionary.len() as i32 {
            let text = dictionary.text(code);
            plain.extend_from_slice(&(text.len() as u32).to_le_bytes());
            plain.extend_from_slice(text);
        }
        let page = Page::DictionaryPage {
            buf: compressed(self.rules.compression, &plain)?,
            num_values: dictionary.len() as u32,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        let spec = SerializedPageWriter::new(written).write_page(CompressedPage::new(page, plain.len()))?;
        self.totals.bytes += spec.uncompressed_size;
        Ok(spec.compressed_size)
    }

    fn statistics(&mut self) -> Statistics {
        let most = self.rules.bounds_bytes_max;
        let nulls = Some(self.totals.nulls as u64);
        Statistics::ByteArray(match mem::take(&mut self.totals.bounds.0) {
            None => ValueStatistics::new(None, None, None, nulls, false),
            Some((first, last)) => {
                let ((first, first_is_whole), (last, last_is_whole)) = (below(first, most), above(last, most));
                ValueStatistics::new(Some(ByteArray::from(first)), Some(ByteArray::from(last)), None, nulls, false)
                    .with_min_is_exact(first_is_whole)
                    .with_max_is_exact(last_is_whole)
            }
        })
    }
}

impl Known {
    /// Notes that the open page has the text of a code.
    fn meet(&mut self, code: u32, text: &[u8], pages: u32, bounds: &mut Option<Bounds>, filter: &mut Option<Sbbf>) {
        if self.stamps.len() == code as usize {
            self.stamps.push(0);
            self.lengths.push(text.len() as u32);
            self.bytes += size_of::<u32>() + text.len();
            if let Some(filter) = filter {
                filter.insert(text);
            }
        }
        let stamp = &mut self.stamps[code as usize];
        if *stamp != pages + 1 {
            *stamp = pages + 1;
            if let Some(bounds) = bounds {
                bounds.add(text);
            }
        }
    }
}

/// The bytes of a chunk, which a file takes as a reader.
pub struct Pages {
    dictionary: Bytes,
    data: Bytes,
}

impl Length for Pages {
    fn len(&self) -> u64 {
        (self.dictionary.len() + self.data.len()) as u64
    }
}

impl ChunkReader for Pages {
    type T = io::Chain<Reader<Bytes>, Reader<Bytes>>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        assert_eq!(start, 0, "a chunk is taken whole");
        Ok(self.dictionary.clone().reader().chain(self.data.clone().reader()))
    }

    fn get_bytes(&self, _start: u64, _length: usize) -> parquet::errors::Result<Bytes> {
        unreachable!("a chunk is taken whole")
    }
}
