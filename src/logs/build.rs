//! Values, row by row and in any order of columns → Arrow arrays. A column that is given no value for a row is null there.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringViewArray, TimestampMicrosecondArray};
use arrow::buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::ArrowNativeType;

/// The bytes that text columns of one batch point into: whole input buffers, kept as they are or, where they are small, joined,
/// and a side buffer for text that does not stand in the input as it must stand in the column.
#[derive(Default)]
pub struct Arena {
    side: Vec<u8>,
    inputs: Vec<Buffer>,
    /// Small inputs, one behind the other: it becomes the next of `inputs`.
    joined: Vec<u8>,
    bytes: usize,
}

/// Joined inputs are one buffer of at least this many bytes.
const JOINED_BYTES: usize = 256 << 10;

/// Where a text stands: a buffer of the [`Arena`] and the place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub buffer: u32,
    pub start: u32,
    pub length: u32,
}

impl Arena {
    /// Number of the side buffer in a [`Place`].
    pub const SIDE: u32 = 0;

    /// Number that the next [`Arena::keep`] will give its buffer.
    pub fn next(&self) -> u32 {
        self.inputs.len() as u32 + 1
    }

    /// Inputs up to this size are joined, others are not copied. Whatever arrow does with a column may cost a little for each
    /// buffer that it has: of events that come one by one there would be thousands in a batch.
    pub const JOIN_MAX: usize = 32 << 10;

    /// Where the next input begins in the buffer with the number [`Arena::next`]: 0 where none was joined before it.
    pub fn base(&self) -> u32 {
        self.joined.len() as u32
    }

    /// Takes a copy of an input whose texts were placed behind [`Arena::base`].
    pub fn join(&mut self, input: &[u8]) {
        self.bytes += input.len();
        if !self.joined.is_empty() && self.joined.capacity() - self.joined.len() < input.len() {
            // there are many: room for all of them at once, where growing step by step would copy each once more
            let more = (JOINED_BYTES + Arena::JOIN_MAX).saturating_sub(self.joined.len());
            self.joined.reserve_exact(more.max(input.len()));
        }
        self.joined.extend_from_slice(input);
        if self.joined.len() >= JOINED_BYTES {
            self.close();
        }
    }

    fn close(&mut self) {
        let mut joined = std::mem::take(&mut self.joined);
        joined.shrink_to_fit();
        self.inputs.push(Buffer::from_vec(joined));
    }

    /// Takes an input buffer whose texts were placed under the number [`Arena::next`], with no base.
    pub fn keep(&mut self, input: impl Into<Buffer>) {
        assert!(self.joined.is_empty(), "an input that is not joined begins a buffer");
        let input = input.into();
        self.bytes += input.len();
        self.inputs.push(input);
    }

    /// The side buffer, to append a text to; [`Arena::side_place`] makes its place.
    pub fn side(&mut self) -> &mut Vec<u8> {
        &mut self.side
    }

    /// The text from `start` to the end of the side buffer.
    pub fn side_place(&self, start: usize) -> Place {
        Place { buffer: Arena::SIDE, start: start as u32, length: (self.side.len() - start) as u32 }
    }

    /// Bytes held, the side buffer included.
    pub fn bytes(&self) -> usize {
        self.bytes + self.side.len()
    }

    /// The buffers in the order of their numbers.
    pub fn finish(mut self) -> Arc<[Buffer]> {
        if !self.joined.is_empty() {
            self.close();
        }
        std::iter::once(Buffer::from_vec(self.side)).chain(self.inputs).collect()
    }
}

/// Which rows have a value.
#[derive(Default)]
pub struct Valid {
    words: Vec<u64>,
}

/// Rows that a column has room for when it gets its first value, so that it does not grow in many small steps.
const ROWS: usize = 1024;
/// Rows that are made at a time, as if they had no value.
const AHEAD: usize = 64;

/// Makes a value that of a row; rows between the last and this one have none.
#[inline(always)]
pub(super) fn put<T: Copy + Default>(values: &mut Vec<T>, row: usize, value: T) {
    match values.get_mut(row) {
        Some(place) => *place = value,
        None => put_far(values, row, value),
    }
}

#[inline(never)]
fn put_far<T: Copy + Default>(values: &mut Vec<T>, row: usize, value: T) {
    if row >= values.capacity() {
        values.reserve((row + 1).next_power_of_two().max(ROWS) - values.len());
    }
    // some rows ahead: most rows come one after the other, and many leave a column out
    values.resize((row + 1).next_multiple_of(AHEAD), T::default());
    values[row] = value;
}

impl Valid {
    #[inline(always)]
    pub fn set(&mut self, row: usize) {
        match self.words.get_mut(row / 64) {
            Some(word) => *word |= 1 << (row % 64),
            None => self.set_far(row),
        }
    }

    #[cold]
    fn set_far(&mut self, row: usize) {
        self.words.resize((row / 64 + 1).next_power_of_two().max(ROWS / 64), 0);
        self.words[row / 64] |= 1 << (row % 64);
    }

    /// Rows that follow each other, from the first that nothing was said of.
    pub(super) fn set_all(&mut self, rows: Range<usize>) {
        self.words.resize(self.words.len().max(rows.end.div_ceil(64)), 0);
        let mut row = rows.start;
        while row < rows.end {
            let count = (64 - row % 64).min(rows.end - row);
            self.words[row / 64] |= (u64::MAX >> (64 - count)) << (row % 64);
            row += count;
        }
    }

    pub fn is_set(&self, row: usize) -> bool {
        self.words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    pub fn clear(&mut self, row: usize) {
        if let Some(word) = self.words.get_mut(row / 64) {
            *word &= !(1 << (row % 64));
        }
    }

    /// Forgets the values of `rows` and after.
    pub fn truncate(&mut self, rows: usize) {
        self.words.truncate(rows.div_ceil(64));
        if !rows.is_multiple_of(64) && self.words.len() * 64 > rows {
            self.words[rows / 64] &= (1 << (rows % 64)) - 1;
        }
    }

    fn bits(mut self, rows: usize) -> BooleanBuffer {
        self.truncate(rows);
        self.words.resize(rows.div_ceil(64), 0);
        BooleanBuffer::new(Buffer::from_vec(self.words), 0, rows)
    }

    pub fn finish(self, rows: usize) -> Option<NullBuffer> {
        let nulls = NullBuffer::new(self.bits(rows));
        (nulls.null_count() > 0).then_some(nulls)
    }
}

/// How a text stands in a `Utf8View` column. `bytes` is as for [`Views::set`].
#[inline]
pub fn view(bytes: &[u8], place: Place) -> u128 {
    let (start, length) = (place.start as usize, place.length as usize);
    let head = match bytes.get(start..).and_then(|rest| rest.first_chunk::<16>()) {
        Some(head) => u128::from_le_bytes(*head),
        None => head_at_end(&bytes[start..start + length]),
    };
    let where_it_is = u128::from(place.buffer) << 64 | u128::from(place.start) << 96;
    let [of_text, of_place] = VIEWS[length.min(SHORT_MAX + 1)];
    length as u128 | head << 32 & of_text | where_it_is & of_place
}

#[cold]
fn head_at_end(text: &[u8]) -> u128 {
    let mut head = [0; 16];
    let length = text.len().min(16);
    head[..length].copy_from_slice(&text[..length]);
    u128::from_le_bytes(head)
}

/// Bytes of a text that stand in its view; of a longer one the first four do, and where it is.
const SHORT_MAX: usize = 12;

/// By length: which bits of a view are those of the text, and which say where it is. That texts are short or long is a branch that
/// cannot be foreseen.
static VIEWS: [[u128; 2]; SHORT_MAX + 2] = {
    let mut views = [[0; 2]; SHORT_MAX + 2];
    let mut length = 0;
    while length <= SHORT_MAX {
        views[length][0] = ((1 << (8 * length)) - 1) << 32;
        length += 1;
    }
    views[SHORT_MAX + 1] = [0xffff_ffff << 32, u128::MAX << 64];
    views
};

/// A `Utf8View` column whose texts stay where the parser found them.
#[derive(Default)]
pub struct Views {
    views: Vec<u128>,
    valid: Valid,
}

impl Views {
    /// `bytes` is the whole buffer that `place` speaks of. Past the text it should have 16 more bytes: then a short
    /// text is copied with one load.
    #[inline(always)]
    pub fn set(&mut self, row: usize, bytes: &[u8], place: Place) {
        put(&mut self.views, row, view(bytes, place));
        self.valid.set(row);
    }

    /// The same where the buffer begins `base` bytes before `bytes` does.
    #[inline(always)]
    pub fn set_behind(&mut self, row: usize, base: u32, bytes: &[u8], place: Place) {
        // up to twelve bytes stand in the view itself
        let moved = if place.length > 12 { u128::from(base) << 96 } else { 0 };
        put(&mut self.views, row, view(bytes, place) + moved);
        self.valid.set(row);
    }

    /// Gives a row a view that was made before.
    #[inline]
    pub fn set_view(&mut self, row: usize, view: u128) {
        put(&mut self.views, row, view);
        self.valid.set(row);
    }

    /// The view of a row that has one.
    pub fn view(&self, row: usize) -> u128 {
        self.views[row]
    }

    #[inline]
    pub fn is_set(&self, row: usize) -> bool {
        self.valid.is_set(row)
    }

    /// Makes room for so many more rows at once.
    pub fn reserve(&mut self, rows: usize) {
        self.views.reserve(rows);
    }

    /// Room for the views of rows that follow each other, which [`view`] makes, and which of them have one: all,
    /// until the caller clears some.
    pub fn many(&mut self, rows: Range<usize>) -> (&mut [u128], &mut Valid) {
        self.views.resize(rows.end, 0);
        self.valid.set_all(rows.clone());
        (&mut self.views[rows], &mut self.valid)
    }

    pub fn truncate(&mut self, rows: usize) {
        self.views.truncate(rows);
        self.valid.truncate(rows);
    }

    /// # Safety
    /// Every text given to [`Views::set`] was valid UTF-8 and stands at its place in `buffers`.
    pub unsafe fn finish(self, rows: usize, buffers: &Arc<[Buffer]>) -> ArrayRef {
        let buffers = if self.views.is_empty() { Arc::from([]) } else { buffers.clone() };
        // SAFETY: the caller's promise; rows without a text have an empty view
        Arc::new(unsafe {
            StringViewArray::new_unchecked(values_of(self.views, rows), buffers, self.valid.finish(rows))
        })
    }
}

/// Zeros, shared by all columns of a batch that have no value: many tables have columns that most logs leave out.
fn zeros(bytes: usize) -> Buffer {
    static ZEROS: LazyLock<Buffer> = LazyLock::new(|| MutableBuffer::from_len_zeroed(1 << 20).into());
    if bytes <= ZEROS.len() { ZEROS.slice_with_length(0, bytes) } else { MutableBuffer::from_len_zeroed(bytes).into() }
}

/// The values of all rows; those behind the last one that was set are zero.
pub(super) fn values_of<T: ArrowNativeType + Default>(mut values: Vec<T>, rows: usize) -> ScalarBuffer<T> {
    if values.is_empty() {
        return zeros(rows * size_of::<T>()).into();
    }
    values.resize(rows, T::default());
    values.into()
}

/// A column of numbers: `Int64`, `Float64`, or timestamps in microseconds.
#[derive(Default)]
pub struct Numbers<T> {
    values: Vec<T>,
    valid: Valid,
}

impl<T: Copy + Default> Numbers<T> {
    #[inline]
    pub fn set(&mut self, row: usize, value: T) {
        put(&mut self.values, row, value);
        self.valid.set(row);
    }

    /// Makes room for so many more rows at once.
    pub fn reserve(&mut self, rows: usize) {
        self.values.reserve(rows);
    }

    /// Room for the values of rows that follow each other, and which of them have one: all, until the caller
    /// clears some.
    pub fn many(&mut self, rows: Range<usize>) -> (&mut [T], &mut Valid) {
        self.values.resize(rows.end, T::default());
        self.valid.set_all(rows.clone());
        (&mut self.values[rows], &mut self.valid)
    }

    /// The number of a row that has one.
    pub fn get(&self, row: usize) -> T {
        self.values[row]
    }

    pub fn is_set(&self, row: usize) -> bool {
        self.valid.is_set(row)
    }

    pub fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.valid.truncate(rows);
    }

    fn parts(self, rows: usize) -> (ScalarBuffer<T>, Option<NullBuffer>)
    where
        T: ArrowNativeType,
    {
        (values_of(self.values, rows), self.valid.finish(rows))
    }
}

impl Numbers<i64> {
    pub fn finish(self, rows: usize) -> ArrayRef {
        let (values, nulls) = self.parts(rows);
        Arc::new(Int64Array::new(values, nulls))
    }

    /// The numbers are microseconds since the epoch.
    pub fn finish_times(self, rows: usize) -> ArrayRef {
        let (values, nulls) = self.parts(rows);
        Arc::new(TimestampMicrosecondArray::new(values, nulls).with_timezone("UTC"))
    }
}

impl Numbers<f64> {
    pub fn finish(self, rows: usize) -> ArrayRef {
        let (values, nulls) = self.parts(rows);
        Arc::new(Float64Array::new(values, nulls))
    }
}

/// A column of booleans.
#[derive(Default)]
pub struct Flags {
    values: Valid,
    valid: Valid,
}

impl Flags {
    #[inline]
    pub fn set(&mut self, row: usize, value: bool) {
        if value {
            self.values.set(row)
        } else {
            self.values.clear(row)
        }
        self.valid.set(row);
    }

    /// The flag of a row that has one.
    pub fn get(&self, row: usize) -> bool {
        self.values.is_set(row)
    }

    pub fn is_set(&self, row: usize) -> bool {
        self.valid.is_set(row)
    }

    pub fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.valid.truncate(rows);
    }

    pub fn finish(self, rows: usize) -> ArrayRef {
        Arc::new(BooleanArray::new(self.values.bits(rows), self.valid.finish(rows)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};

    use super::*;

    #[test]
    fn rows_without_a_value_are_null() {
        let mut numbers = Numbers::<i64>::default();
        numbers.set(1, 7);
        let array = numbers.finish(3);
        let array = array.as_primitive::<arrow::datatypes::Int64Type>();
        assert_eq!(array.iter().collect::<Vec<_>>(), [None, Some(7), None]);
    }

    #[test]
    fn a_text_of_twelve_bytes_is_inside_its_view_and_one_of_thirteen_is_not() {
        let mut views = Views::default();
        let input = b"abcdefghijklmnopqrstuvwxyz".to_vec();
        let mut arena = Arena::default();
        let buffer = arena.next();
        for (row, (start, length)) in [(0, 12), (1, 13), (26, 0), (23, 3)].into_iter().enumerate() {
            views.set(row, &input, Place { buffer, start, length });
        }
        arena.keep(input);
        // SAFETY: ASCII, placed in the buffer that was kept
        let array = unsafe { views.finish(5, &arena.finish()) };
        array.to_data().validate_full().unwrap();
        assert_eq!(
            array.as_string_view().iter().collect::<Vec<_>>(),
            [Some("abcdefghijkl"), Some("bcdefghijklmn"), Some(""), Some("xyz"), None]
        );
    }

    #[test]
    fn a_view_has_the_text_or_its_beginning_and_its_place() {
        let input = b"abcdefghijklmnopqrstuvwxyz";
        for (start, length) in (0..=26).flat_map(|start| (0..=26 - start).map(move |length| (start, length))) {
            let text = &input[start..start + length];
            let mut expected = [0; 16];
            expected[0] = length as u8;
            if length <= 12 {
                expected[4..4 + length].copy_from_slice(text);
            } else {
                expected[4..8].copy_from_slice(&text[..4]);
                expected[8] = 7;
                expected[12] = start as u8;
            }
            let place = Place { buffer: 7, start: start as u32, length: length as u32 };
            assert_eq!(view(input, place).to_le_bytes(), expected);
        }
    }

    #[test]
    fn what_was_forgotten_leaves_nothing_in_later_rows() {
        let mut numbers = Numbers::<i64>::default();
        (0..5).for_each(|row| numbers.set(row, 7));
        numbers.truncate(3);
        numbers.set(70, 8);
        let array = numbers.finish(200);
        let array = array.as_primitive::<arrow::datatypes::Int64Type>();
        let found: Vec<(usize, i64)> =
            array.iter().enumerate().filter_map(|(row, value)| Some((row, value?))).collect();
        assert_eq!(found, [(0, 7), (1, 7), (2, 7), (70, 8)]);
        assert_eq!(array.values().iter().sum::<i64>(), 29);
    }

    #[test]
    fn joined_inputs_share_a_buffer() {
        let (mut views, mut arena) = (Views::default(), Arena::default());
        let texts: Vec<String> = (0..3000).map(|number| format!("a text of {number:0>300}, and {number}")).collect();
        for (row, text) in texts.iter().enumerate() {
            let place = |start, length| Place { buffer: arena.next(), start, length };
            views.set_behind(2 * row, arena.base(), text.as_bytes(), place(0, text.len() as u32));
            views.set_behind(2 * row + 1, arena.base(), text.as_bytes(), place(2, 7));
            arena.join(text.as_bytes());
        }
        // the side buffer, three that are full, and what is left
        let buffers = arena.finish();
        assert_eq!(buffers.len(), 5);
        assert!(buffers[1..4].iter().all(|buffer| (JOINED_BYTES..JOINED_BYTES + 400).contains(&buffer.len())));
        // SAFETY: ASCII, placed in the inputs that were joined
        let array = unsafe { views.finish(6000, &buffers) };
        array.to_data().validate_full().unwrap();
        let expected = texts.iter().flat_map(|text| [Some(text.as_str()), Some("text of")]);
        assert!(array.as_string_view().iter().eq(expected));
    }

    #[test]
    fn forgotten_rows_are_null_again() {
        let mut flags = Flags::default();
        flags.set(0, true);
        flags.set(70, true);
        flags.truncate(70);
        let array = flags.finish(72);
        assert_eq!(array.null_count(), 71);
        assert!(array.as_boolean().value(0));
    }
}
