//! Texts that many groups know: made once, and shared by what every rule remembers of them.

use std::cmp::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, StringArray, StringViewArray, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Int32Type};
use arrow::row::{RowConverter, Rows as SortKeys, SortField};
use datafusion::common::Result;
use hashbrown::{HashMap, HashSet};

use super::bytes::{Reader, Writer};
use super::part::hash;
use super::smallest::Smallest;
use crate::detect::alike::{FETCHED, fetch};

/// A text, or the sort key of a value.
pub type Text = Arc<str>;
pub type Sortable = Arc<[u8]>;

/// Texts of batches before, of which the next ones mostly have the same: what many groups remember is there once.
#[derive(Default)]
pub struct Known(Mutex<HashSet<Text>>);

impl Known {
    /// With so many it is looked which are used by others too; with as many that are, it begins anew.
    const TEXTS_MAX: usize = 1 << 16;

    fn all(&self) -> MutexGuard<'_, HashSet<Text>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shared(known: &mut HashSet<Text>, text: &str) -> Text {
    if let Some(known) = known.get(text) {
        return known.clone();
    }
    if known.len() >= Known::TEXTS_MAX {
        known.retain(|text| Arc::strong_count(text) > 1);
        if known.len() > Known::TEXTS_MAX / 2 {
            known.clear();
        }
    }
    let text = Text::from(text);
    known.insert(text.clone());
    text
}

/// One value for each row of a batch, or none; equal ones are one.
pub struct Values<T: ?Sized> {
    codes: Vec<u32>,
    distinct: Arc<Distinct<T>>,
}

struct Distinct<T: ?Sized> {
    values: Vec<Arc<T>>,
    /// Of each, see [`hash`]; of values that are counted.
    hashes: OnceLock<Vec<u64>>,
}

/// Code of no value.
const NONE: u32 = u32::MAX;

impl<T: ?Sized> Clone for Values<T> {
    fn clone(&self) -> Values<T> {
        Values { codes: self.codes.clone(), distinct: self.distinct.clone() }
    }
}

impl<T: ?Sized> Values<T> {
    fn new(codes: Vec<u32>, values: Vec<Arc<T>>) -> Values<T> {
        Values { codes, distinct: Arc::new(Distinct { values, hashes: OnceLock::new() }) }
    }

    pub fn get(&self, row: usize) -> Option<&Arc<T>> {
        self.distinct.values.get(self.codes[row] as usize)
    }

    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// Rows, with those that have no value.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    pub fn all_have_one(&self) -> bool {
        !self.codes.contains(&NONE)
    }

    /// The value that a code stands for.
    pub fn of_code(&self, code: u32) -> &Arc<T> {
        &self.distinct.values[code as usize]
    }

    /// Which of the different values a row has.
    pub fn code(&self, row: usize) -> Option<u32> {
        Some(self.codes[row]).filter(|code| *code != NONE)
    }

    /// How many different values there are, of which some may belong to no row.
    pub fn distinct_len(&self) -> usize {
        self.distinct.values.len()
    }

    /// Has each code that these rows have added once, where the values are not very many; of those a code may come again.
    pub fn each_once(&self, rows: impl Iterator<Item = usize>, mut add: impl FnMut(u32)) {
        const WORDS: usize = 32;
        let mut codes = rows.map(|row| self.codes[row]).filter(|code| *code != NONE);
        // most groups get one row, or have one value
        let Some(first) = codes.next() else { return };
        add(first);
        let Some(second) = codes.find(|code| *code != first) else { return };
        let codes = std::iter::once(second).chain(codes.filter(|code| *code != first));
        if self.distinct_len() > WORDS * 64 {
            let mut last = NONE;
            for code in codes {
                if std::mem::replace(&mut last, code) != code {
                    add(code);
                }
            }
            return;
        }
        let mut known = [0u64; WORDS];
        for code in codes {
            let (word, bit) = (code as usize / 64, 1 << (code % 64));
            if known[word] & bit == 0 {
                known[word] |= bit;
                add(code);
            }
        }
    }

    /// The same for more rows: of each its place among these, or none where it has no value.
    pub fn spread(&self, places: &[Option<u32>]) -> Values<T> {
        let code = |place: &Option<u32>| place.map_or(NONE, |place| self.codes[place as usize]);
        Values { codes: places.iter().map(code).collect(), distinct: self.distinct.clone() }
    }

    /// The values of some of the rows.
    pub fn of_rows(&self, rows: impl Iterator<Item = u32>) -> Values<T> {
        let codes = rows.map(|row| self.codes[row as usize]).collect();
        Values { codes, distinct: self.distinct.clone() }
    }
}

impl Values<str> {
    /// One of these for each row, or none.
    pub fn of_texts(texts: &[Option<String>]) -> Values<str> {
        let (codes, values) = coded(texts.iter().map(Option::as_deref));
        Values::new(codes, values.into_iter().map(Text::from).collect())
    }

    pub fn text(&self, row: usize) -> Option<&str> {
        self.get(row).map(|text| &**text)
    }

    /// What `of` makes of each text, as it is known; rows whose texts it makes nothing of have none.
    pub fn known(self, known: &Known, of: fn(&str) -> Option<&str>) -> Values<str> {
        let (mut known, mut values) = (known.all(), Vec::with_capacity(self.distinct_len()));
        let code = |text: &Text| {
            let Some(text) = of(text) else { return NONE };
            values.push(shared(&mut known, text));
            values.len() as u32 - 1
        };
        let news: Vec<u32> = self.distinct.values.iter().map(code).collect();
        let codes = self.codes.into_iter().map(|code| news.get(code as usize).copied().unwrap_or(NONE)).collect();
        Values::new(codes, values)
    }

    /// The same, its codes in the order of the texts.
    pub fn in_order(self) -> Values<str> {
        let texts = &self.distinct.values;
        let mut order: Vec<u32> = (0..texts.len() as u32).collect();
        order.sort_unstable_by(|one, other| texts[*one as usize].cmp(&texts[*other as usize]));
        let (mut ranks, mut values) = (vec![NONE; texts.len()], Vec::<Text>::with_capacity(texts.len()));
        for code in order {
            let text = &texts[code as usize];
            if values.last() != Some(text) {
                values.push(text.clone());
            }
            ranks[code as usize] = values.len() as u32 - 1;
        }
        let rank = |code: u32| ranks.get(code as usize).copied().unwrap_or(NONE);
        Values::new(self.codes.into_iter().map(rank).collect(), values)
    }

    /// # Errors
    /// When the column is not of text.
    pub fn texts(column: &ArrayRef) -> Result<Values<str>> {
        if let DataType::Dictionary(key, value) = column.data_type()
            && (key.as_ref(), value.as_ref()) == (&DataType::Int32, &DataType::Utf8)
        {
            let column = column.as_dictionary::<Int32Type>();
            let texts = column.values().as_string::<i32>();
            let (codes, used) = used_codes(column);
            return Ok(Values::new(
                codes,
                used.into_iter().map(|code| Text::from(texts.value(code as usize))).collect(),
            ));
        }
        let column = cast(column, &DataType::Utf8View)?;
        let (codes, values) = coded(column.as_string_view().iter());
        Ok(Values::new(codes, values.into_iter().map(Text::from).collect()))
    }
}

impl Values<[u8]> {
    /// Sort keys of a column's values as values of `kind`, each made once.
    ///
    /// # Errors
    /// When they cannot be values of that kind.
    pub fn sortable(column: &ArrayRef, kind: &DataType) -> Result<Values<[u8]>> {
        let of = |codes: Vec<u32>, distinct: ArrayRef| -> Result<Values<[u8]>> {
            let keys = sort_keys(std::slice::from_ref(kind), &[cast(&distinct, kind)?])?;
            Ok(Values::new(codes, keys.iter().map(|key| Sortable::from(key.data())).collect()))
        };
        match column.data_type() {
            DataType::Dictionary(key, _) if key.as_ref() == &DataType::Int32 => {
                let column = column.as_dictionary::<Int32Type>();
                let (codes, used) = used_codes(column);
                of(codes, take(column.values(), &UInt32Array::from(used), None)?)
            }
            DataType::Utf8View => {
                let (codes, values) = coded(column.as_string_view().iter());
                of(codes, Arc::new(StringViewArray::from_iter_values(values)))
            }
            DataType::Utf8 => {
                let (codes, values) = coded(column.as_string::<i32>().iter());
                of(codes, Arc::new(StringArray::from_iter_values(values)))
            }
            _ => {
                let column = cast(column, kind)?;
                let keys = sort_keys(std::slice::from_ref(kind), std::slice::from_ref(&column))?;
                let (codes, values) =
                    coded((0..column.len()).map(|row| column.is_valid(row).then(|| keys.row(row).data())));
                Ok(Values::new(codes, values.into_iter().map(Sortable::from).collect()))
            }
        }
    }

    /// Of the value that a code stands for, see [`hash`].
    pub fn hash_of(&self, code: u32) -> u64 {
        let hashes = || self.distinct.values.iter().map(|value| hash(value)).collect();
        self.distinct.hashes.get_or_init(hashes)[code as usize]
    }
}

/// Codes of the values that rows have, in the order in which they come up, and where these are in the dictionary, which may know
/// more than the rows have.
fn used_codes(column: &DictionaryArray<Int32Type>) -> (Vec<u32>, Vec<u32>) {
    let values = column.values();
    let (mut known, mut used) = (vec![NONE; values.len()], Vec::new());
    let code = |key: Option<i32>| {
        let Some(key) = key.map(|key| key as usize).filter(|key| values.is_valid(*key)) else { return NONE };
        if known[key] == NONE {
            known[key] = used.len() as u32;
            used.push(key as u32);
        }
        known[key]
    };
    (column.keys().iter().map(code).collect(), used)
}

/// A code for each value, and the values of the codes.
fn coded<T: std::hash::Hash + Eq + Copy>(all: impl Iterator<Item = Option<T>>) -> (Vec<u32>, Vec<T>) {
    let (mut known, mut values) = (HashMap::new(), Vec::new());
    let code = |value: Option<T>| {
        let Some(value) = value else { return NONE };
        *known.entry(value).or_insert_with(|| {
            values.push(value);
            values.len() as u32 - 1
        })
    };
    (all.map(code).collect(), values)
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
    /// Lower case, with dashes: its number, the highest byte first. As a number it would take half as much again, for its alignment.
    Uuid([u8; 16]),
    Text(Text),
}

/// Where a UUID has its dashes.
const DASHES: [usize; 4] = [8, 13, 18, 23];

impl From<&str> for EventId {
    fn from(text: &str) -> EventId {
        let of_number = |number: u128| EventId::Uuid(number.to_be_bytes());
        uuid(text.as_bytes()).map_or_else(|| EventId::Text(text.into()), of_number)
    }
}

fn uuid(text: &[u8]) -> Option<u128> {
    let text: &[u8; 36] = text.try_into().ok()?;
    if DASHES.iter().any(|dash| text[*dash] != b'-') {
        return None;
    }
    let eight = |places: [usize; 8]| digits(u64::from_be_bytes(places.map(|place| text[place])));
    let parts = [
        eight([0, 1, 2, 3, 4, 5, 6, 7])?,
        eight([9, 10, 11, 12, 14, 15, 16, 17])?,
        eight([19, 20, 21, 22, 24, 25, 26, 27])?,
        eight([28, 29, 30, 31, 32, 33, 34, 35])?,
    ];
    Some(parts.into_iter().fold(0, |number, part| number << 32 | u128::from(part)))
}

/// The number that eight hexadecimal digits are, which stand in the bytes of a number, the first in its highest: all eight are looked at at
/// once. `None` where one is no digit, or has upper case.
fn digits(text: u64) -> Option<u32> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // digits have the values of their low four bits, letters, by the bit that all of them have, nine more
    let worth = (text & (0x0f * ONES)) + ((text >> 6) & ONES) * 9;
    let is_letter = ((worth + 0x76 * ONES) >> 7) & ONES;
    if worth & (0xf0 * ONES) != 0 || worth + 0x30 * ONES + is_letter * 0x27 != text {
        return None;
    }
    let pairs = (worth | (worth >> 4)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | (pairs >> 8)) & 0x0000_ffff_0000_ffff;
    Some((fours | (fours >> 16)) as u32)
}

impl EventId {
    /// Those of a column.
    pub fn all(column: &StringViewArray) -> Vec<Option<EventId>> {
        let mut ids = Vec::with_capacity(column.len());
        for start in (0..column.len()).step_by(FETCHED) {
            let rows = start..column.len().min(start + FETCHED);
            fetch(column, rows.clone());
            ids.extend(rows.map(|row| column.is_valid(row).then(|| EventId::from(column.value(row)))));
        }
        ids
    }

    /// Gives its text to `take`.
    pub fn with_text<R>(&self, take: impl FnOnce(&str) -> R) -> R {
        let number = match self {
            EventId::Uuid(bytes) => u128::from_be_bytes(*bytes),
            EventId::Text(text) => return take(text),
        };
        let (mut text, mut shift) = ([b'-'; 36], 128);
        for (_, byte) in text.iter_mut().enumerate().filter(|(place, _)| !DASHES.contains(place)) {
            shift -= 4;
            *byte = b"0123456789abcdef"[(number >> shift) as usize & 15];
        }
        take(std::str::from_utf8(&text).expect("digits and dashes are text"))
    }

    pub fn write(&self, to: &mut Writer) {
        match self {
            EventId::Uuid(bytes) => {
                to.byte(1);
                to.fixed(bytes);
            }
            EventId::Text(text) => {
                to.byte(0);
                to.bytes(text.as_bytes());
            }
        }
    }

    /// What [`EventId::write`] wrote; `None` when it did not.
    pub fn read(from: &mut Reader) -> Option<EventId> {
        match from.byte()? {
            0 => Some(EventId::Text(from.text()?.into())),
            1 => Some(EventId::Uuid(from.fixed()?)),
            _ => None,
        }
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
            (EventId::Uuid(one), EventId::Uuid(other)) => u128::from_be_bytes(*one).cmp(&u128::from_be_bytes(*other)),
            _ => self.with_text(|one| other.with_text(|other| one.cmp(other))),
        }
    }
}

impl PartialOrd for EventId {
    fn partial_cmp(&self, other: &EventId) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Whether values of a type are plain ones with an order.
pub(super) fn has_order(item: &DataType) -> bool {
    !item.is_nested() && RowConverter::supports_fields(&fields(std::slice::from_ref(item)))
}

/// How values of these types are put in order.
pub(super) fn fields(types: &[DataType]) -> Vec<SortField> {
    types.iter().cloned().map(SortField::new).collect()
}

/// Bytes for each row that order as the rows do.
pub fn sort_keys(types: &[DataType], columns: &[ArrayRef]) -> Result<SortKeys> {
    Ok(RowConverter::new(fields(types))?.convert_columns(columns)?)
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn texts_of_batches_one_behind_the_other_are_shared_and_not_kept_for_ever() {
        let known = Known::default();
        let texts = |texts: &[Option<&str>]| {
            Values::of_texts(&texts.iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>())
        };
        fn long(text: &str) -> Option<&str> {
            (text.len() > 1).then_some(text)
        }
        let one = texts(&[Some("aa"), None, Some("b"), Some("cc"), Some("aa")]).known(&known, long);
        let found: Vec<_> = (0..5).map(|row| one.text(row)).collect();
        assert_eq!(found, [Some("aa"), None, None, Some("cc"), Some("aa")]);
        let other = texts(&[Some("cc"), Some("dd")]).known(&known, long);
        assert!(Arc::ptr_eq(one.get(3).unwrap(), other.get(0).unwrap()));
        let mut known = known.all();
        assert_eq!(known.len(), 3);
        let (mut held, count) = (Vec::new(), Known::TEXTS_MAX + 10);
        (0..count).for_each(|number| drop(shared(&mut known, &number.to_string())));
        assert!((10..20).contains(&known.len()) && known.contains("aa"), "{}", known.len());
        (0..count).for_each(|number| held.push(shared(&mut known, &number.to_string())));
        assert!(known.len() < count, "even of those that are all in use not all are kept");
    }

    #[test]
    fn what_is_nearly_a_uuid_keeps_its_text() {
        let uuid = "01234567-89ab-cdef-0f1e-2d3c4b5a6978";
        let number = 0x0123_4567_89ab_cdef_0f1e_2d3c_4b5a_6978u128;
        assert_eq!(EventId::from(uuid), EventId::Uuid(number.to_be_bytes()));
        for place in 0..uuid.len() {
            // what stands beside the digits, and what an upper case or a dash in another place would be
            for other in ["/", ":", "@", "A", "F", "`", "g", "o", "-", " ", "\u{7f}"] {
                let mut text = uuid.to_owned();
                text.replace_range(place..=place, other);
                let id = EventId::from(text.as_str());
                assert_eq!(id.with_text(str::to_owned), text);
                let mut bytes = Writer::default();
                id.write(&mut bytes);
                assert_eq!(EventId::read(&mut Reader(&bytes.0)), Some(id.clone()));
                assert_eq!(matches!(id, EventId::Uuid(_)), text == uuid, "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn ids_keep_their_text_and_order_as_texts(ids in proptest::collection::vec("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9A-Fa-f-]{0,37}|[/0-9:@A-G`a-gé]{8}-[0-9a-f]{4}-[0-9a-g]{4}-[0-9a-f]{4}-[0-9a-f]{12}", 2)) {
            let read: Vec<EventId> = ids.iter().map(|id| EventId::from(id.as_str())).collect();
            for (id, read) in ids.iter().zip(&read) {
                prop_assert_eq!(&read.with_text(str::to_owned), id);
            }
            prop_assert_eq!(read[0].cmp(&read[1]), ids[0].cmp(&ids[1]));
        }
    }
}
