//! Texts that many groups know: made once for each batch, and shared by what every rule remembers of it.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type};
use arrow::row::Rows as SortKeys;
use datafusion::common::Result;
use hashbrown::HashMap;

use super::smallest::Smallest;

/// A text, or the sort key of a value.
pub type Text = Arc<str>;
pub type Sortable = Arc<[u8]>;

/// One value for each row of a batch, or none; equal ones are one.
pub struct Values<T: ?Sized> {
    codes: Vec<u32>,
    values: Vec<Arc<T>>,
}

/// Code of no value.
const NONE: u32 = u32::MAX;

impl<T: ?Sized> Values<T> {
    pub fn get(&self, row: usize) -> Option<&Arc<T>> {
        self.values.get(self.codes[row] as usize)
    }
}

impl Values<str> {
    /// # Errors
    /// When the column is not of text.
    pub fn texts(column: &ArrayRef) -> Result<Values<str>> {
        if let DataType::Dictionary(key, value) = column.data_type()
            && (key.as_ref(), value.as_ref()) == (&DataType::Int32, &DataType::Utf8)
        {
            let column = column.as_dictionary::<Int32Type>();
            let texts = column.values().as_string::<i32>();
            // a dictionary may know more than the batch has
            let (mut known, mut values) = (vec![NONE; texts.len()], Vec::new());
            let code = |key: Option<i32>| {
                let Some(key) = key.map(|key| key as usize).filter(|key| texts.is_valid(*key)) else { return NONE };
                if known[key] == NONE {
                    known[key] = values.len() as u32;
                    values.push(Text::from(texts.value(key)));
                }
                known[key]
            };
            return Ok(Values { codes: column.keys().iter().map(code).collect(), values });
        }
        let column = cast(column, &DataType::Utf8View)?;
        Ok(Values::of(column.as_string_view().iter()))
    }
}

impl Values<[u8]> {
    /// The keys of rows where the column that they were made of has a value.
    pub fn keys(column: &ArrayRef, keys: &SortKeys) -> Values<[u8]> {
        let row = |row: usize| column.is_valid(row).then(|| keys.row(row).data());
        Values::of((0..column.len()).map(row))
    }
}

impl<T: ?Sized + std::hash::Hash + Eq> Values<T>
where
    Arc<T>: for<'a> From<&'a T>,
{
    fn of<'a>(all: impl Iterator<Item = Option<&'a T>>) -> Values<T>
    where
        T: 'a,
    {
        let (mut known, mut values) = (HashMap::new(), Vec::new());
        let code = |value: Option<&'a T>| {
            let Some(value) = value else { return NONE };
            *known.entry(value).or_insert_with(|| {
                values.push(Arc::from(value));
                values.len() as u32 - 1
            })
        };
        Values { codes: all.map(code).collect(), values }
    }
}

/// Adds a value that may be there as the very same one.
pub fn add_shared<T: ?Sized + Ord>(to: &mut Smallest<Arc<T>>, value: &Arc<T>, max: usize) {
    if !to.as_slice().iter().any(|known| Arc::ptr_eq(known, value)) {
        to.add_with(max, |known| known.cmp(value), || value.clone());
    }
}

/// Id of an event: as CloudTrail writes it, which takes no memory of its own, or any text. Ids order as their texts do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventId {
    /// Lower case, with dashes.
    Uuid(u128),
    Text(Text),
}

/// Where a UUID has its dashes.
const DASHES: [usize; 4] = [8, 13, 18, 23];

impl From<&str> for EventId {
    fn from(text: &str) -> EventId {
        uuid(text.as_bytes()).map_or_else(|| EventId::Text(text.into()), EventId::Uuid)
    }
}

/// What each byte is worth as a digit, and a number that no digit has.
const DIGITS: [u8; 256] = {
    let mut digits = [u8::MAX; 256];
    let mut digit = 0;
    while digit < 16 {
        digits[b"0123456789abcdef"[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};

fn uuid(text: &[u8]) -> Option<u128> {
    let text: &[u8; 36] = text.try_into().ok()?;
    if DASHES.iter().any(|dash| text[*dash] != b'-') {
        return None;
    }
    let (mut number, mut worth) = (0, 0);
    for part in [0..8, 9..13, 14..18, 19..23, 24..36] {
        let mut digits: u64 = 0;
        for byte in &text[part.clone()] {
            let digit = DIGITS[*byte as usize];
            worth |= digit;
            digits = digits << 4 | u64::from(digit & 15);
        }
        number = number << (4 * part.len()) | u128::from(digits);
    }
    (worth < 16).then_some(number)
}

impl EventId {
    /// Gives its text to `take`.
    pub fn with_text<R>(&self, take: impl FnOnce(&str) -> R) -> R {
        let number = match self {
            EventId::Uuid(number) => *number,
            EventId::Text(text) => return take(text),
        };
        let (mut text, mut shift) = ([b'-'; 36], 128);
        for (_, byte) in text.iter_mut().enumerate().filter(|(place, _)| !DASHES.contains(place)) {
            shift -= 4;
            *byte = b"0123456789abcdef"[(number >> shift) as usize & 15];
        }
        take(std::str::from_utf8(&text).expect("digits and dashes are text"))
    }

    /// Bytes that it takes besides its own place.
    pub fn bytes_len(&self) -> usize {
        match self {
            EventId::Uuid(_) => 0,
            EventId::Text(text) => text.len() + 16,
        }
    }
}

impl Ord for EventId {
    fn cmp(&self, other: &EventId) -> Ordering {
        match (self, other) {
            (EventId::Uuid(one), EventId::Uuid(other)) => one.cmp(other),
            _ => self.with_text(|one| other.with_text(|other| one.cmp(other))),
        }
    }
}

impl PartialOrd for EventId {
    fn partial_cmp(&self, other: &EventId) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{DictionaryArray, StringArray, StringViewArray};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rows_of_one_text_share_it() {
        let texts = [Some("b"), None, Some("a"), Some("b")];
        let views: ArrayRef = Arc::new(StringViewArray::from_iter(texts));
        let plain: ArrayRef = Arc::new(StringArray::from_iter(texts));
        let coded: ArrayRef = Arc::new(texts.into_iter().collect::<DictionaryArray<Int32Type>>());
        for column in [views, plain, coded] {
            let values = Values::texts(&column).unwrap();
            let found: Vec<Option<&str>> = (0..4).map(|row| values.get(row).map(|text| text.as_ref())).collect();
            assert_eq!(found, texts);
            assert!(Arc::ptr_eq(values.get(0).unwrap(), values.get(3).unwrap()));
        }
    }

    proptest! {
        #[test]
        fn ids_keep_their_text_and_order_as_texts(ids in proptest::collection::vec("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9A-Fa-f-]{0,37}", 2)) {
            let read: Vec<EventId> = ids.iter().map(|id| EventId::from(id.as_str())).collect();
            for (id, read) in ids.iter().zip(&read) {
                prop_assert_eq!(&read.with_text(str::to_owned), id);
            }
            prop_assert_eq!(read[0].cmp(&read[1]), ids[0].cmp(&ids[1]));
        }
    }
}
