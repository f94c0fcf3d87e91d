//! The batches of a commit → any of their rows, in any order, as columns.
//!
//! A commit takes rows from all its batches for each of its files. What is the same for all files is done once: dictionaries
//! are made one, and so are the lists of the buffers that texts lie in. arrow's `interleave` would do both for every stretch
//! of rows.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, DictionaryArray, Int32Array, ListArray, RecordBatch,
    StringArray, StringViewArray, StructArray, new_null_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Fields, Int32Type};
use parquet::schema::types::ColumnPath;

use crate::table::merge_texts;

/// Where a row lies: batch, row.
pub type Place = (usize, usize);

/// Batches of one schema.
pub struct Rows {
    columns: Vec<Column>,
    /// Columns in which no row has a value.
    pub empty: HashSet<ColumnPath>,
}

/// One column of all batches.
pub struct Column {
    arrays: Vec<ArrayRef>,
    levels: Levels,
    kind: Kind,
}

enum Kind {
    /// No row has a value.
    Empty,
    /// For each batch, the place of its first buffer among those of all.
    Views {
        firsts: Vec<u128>,
        buffers: Arc<[Buffer]>,
    },
    /// For each batch, what its codes are among the texts of all.
    Dictionary {
        codes: Vec<Vec<i32>>,
        values: ArrayRef,
    },
    Struct {
        fields: Fields,
        columns: Vec<Column>,
    },
    List {
        items: Box<Column>,
    },
    Other,
}

impl Rows {
    pub fn new(batches: &[RecordBatch]) -> Rows {
        let mut empty = HashSet::new();
        let columns = match batches.first() {
            None => Vec::new(),
            Some(first) => (0..first.num_columns())
                .map(|place| {
                    let name = first.schema().field(place).name().clone();
                    let arrays = batches.iter().map(|batch| batch.column(place).clone()).collect();
                    Column::new(arrays, &Levels::ROWS, &[name], &mut empty)
                })
                .collect(),
        };
        Rows { columns, empty }
    }

    pub fn column(&self, place: usize) -> &Column {
        &self.columns[place]
    }
}

/// Parquet's definition levels of rows: how many of a value and of the structs that it lies in are there, from outside.
pub struct Levels {
    /// That of a row which has the value.
    pub whole: u8,
    pub each: Each,
}

#[derive(Clone)]
pub enum Each {
    Same(u8),
    /// For each batch, those of its rows.
    Of(Vec<Vec<u8>>),
}

impl Levels {
    /// Those of rows themselves, which are all there.
    const ROWS: Levels = Levels { whole: 0, each: Each::Same(0) };

    /// Those of columns in what these are of.
    fn inside(&self, arrays: &[ArrayRef]) -> Levels {
        let nulls = |array: &ArrayRef| array.nulls().filter(|nulls| nulls.null_count() > 0).cloned();
        let each = match &self.each {
            Each::Same(level)
                if *level < self.whole || arrays.iter().all(|array| array.null_count() == array.len()) =>
            {
                Each::Same(*level)
            }
            Each::Same(_) if arrays.iter().all(|array| array.null_count() == 0) => Each::Same(self.whole + 1),
            Each::Same(level) => {
                let levels = |array: &ArrayRef| raised(vec![*level; array.len()], self.whole, nulls(array));
                Each::Of(arrays.iter().map(levels).collect())
            }
            Each::Of(levels) => {
                let levels = levels.iter().zip(arrays);
                Each::Of(levels.map(|(levels, array)| raised(levels.clone(), self.whole, nulls(array))).collect())
            }
        };
        Levels { whole: self.whole + 1, each }
    }
}

/// One is added to the levels that are `whole`, of rows that have the value.
fn raised(mut levels: Vec<u8>, whole: u8, valid: Option<NullBuffer>) -> Vec<u8> {
    match valid {
        None => levels.iter_mut().for_each(|level| *level += u8::from(*level == whole)),
        Some(valid) => {
            for (levels, bits) in levels.chunks_mut(64).zip(valid.inner().bit_chunks().iter_padded()) {
                for (row, level) in levels.iter_mut().enumerate() {
                    *level += u8::from(*level == whole) & (bits >> row) as u8 & 1;
                }
            }
        }
    }
    levels
}

/// The items of lists, and what stands for those of rows that have none.
pub struct Items {
    pub places: Vec<Place>,
    /// Parquet's repetition levels: 0 where a row begins.
    pub repetitions: Vec<u8>,
}

/// Behind all rows of a batch: an item's row is so much more than its level where there is no item.
const NO_ITEM: usize = usize::MAX - 1;

/// The level of a row, or of what stands for no item.
#[inline(always)]
pub fn level_of_item(row: usize, level: impl Fn(usize) -> u8) -> u8 {
    if row >= NO_ITEM { (row - NO_ITEM) as u8 } else { level(row) }
}

/// What the rows of a column of texts have.
pub enum Texts<'a> {
    None,
    Symbols {
        /// For each batch, the codes of its rows,
        keys: Vec<&'a [i32]>,
        /// and what these are among the texts of all.
        codes: &'a [Vec<i32>],
        values: &'a StringArray,
    },
    /// For each batch, its rows.
    Views(Vec<&'a StringViewArray>),
}

impl Column {
    /// `above` are the levels of what it lies in.
    fn new(arrays: Vec<ArrayRef>, above: &Levels, path: &[String], empty: &mut HashSet<ColumnPath>) -> Column {
        let levels = above.inside(&arrays);
        let kind = match arrays[0].data_type() {
            DataType::Struct(fields) => {
                let child = |(place, name): (usize, &String)| {
                    let arrays = arrays.iter().map(|array| array.as_struct().column(place).clone()).collect();
                    Column::new(arrays, &levels, &[path, std::slice::from_ref(name)].concat(), empty)
                };
                let columns = fields.iter().map(|field| field.name()).enumerate().map(child).collect();
                Kind::Struct { fields: fields.clone(), columns }
            }
            DataType::List(item) => {
                let arrays = arrays.iter().map(|array| array.as_list::<i32>().values().clone()).collect();
                // an item is there as a row is
                let above = Levels { whole: levels.whole + 1, each: Each::Same(levels.whole + 1) };
                let path = [path, &["list".to_owned(), item.name().clone()]].concat();
                Kind::List { items: Box::new(Column::new(arrays, &above, &path, empty)) }
            }
            _ if arrays.iter().all(|array| array.null_count() == array.len()) => {
                empty.insert(ColumnPath::new(path.to_vec()));
                Kind::Empty
            }
            DataType::Utf8View => {
                let (mut firsts, mut buffers) = (Vec::new(), Vec::new());
                for array in &arrays {
                    firsts.push(buffers.len() as u128);
                    buffers.extend(array.as_string_view().data_buffers().iter().cloned());
                }
                Kind::Views { firsts, buffers: buffers.into() }
            }
            DataType::Dictionary(key, value) if (&**key, &**value) == (&DataType::Int32, &DataType::Utf8) => {
                let (codes, texts) = merge_texts(&arrays);
                Kind::Dictionary { codes, values: Arc::new(texts) }
            }
            _ => Kind::Other,
        };
        Column { arrays, levels, kind }
    }

    /// The values at the places, of which there is one at least: a slice where they lie in a row, which is the rule for
    /// logs that came sorted.
    ///
    /// # Errors
    /// Those of arrow, for kinds of columns that are left to it.
    pub fn gather(&self, places: &[Place]) -> anyhow::Result<ArrayRef> {
        let (batch, row) = places[0];
        if places.iter().enumerate().all(|(index, &place)| place == (batch, row + index)) {
            return Ok(self.arrays[batch].slice(row, places.len()));
        }
        Ok(match &self.kind {
            Kind::Empty => new_null_array(self.arrays[0].data_type(), places.len()),
            Kind::Views { firsts, buffers } => {
                let views: Vec<&[u128]> = self.arrays.iter().map(|array| &array.as_string_view().views()[..]).collect();
                let view = |&(batch, row): &Place| {
                    let view = views[batch][row];
                    // up to twelve bytes stand in the view itself
                    if view as u32 > 12 { view + (firsts[batch] << 64) } else { view }
                };
                let views = ScalarBuffer::from(places.iter().map(view).collect::<Vec<_>>());
                // SAFETY: a view is of its batch's buffers, which stand in `buffers` from the batch's first on
                Arc::new(unsafe { StringViewArray::new_unchecked(views, buffers.clone(), self.nulls(places)) })
            }
            Kind::Dictionary { codes, values } => {
                let keys = self.keys();
                // a row without a text may have any key
                let code = |&(batch, row): &Place| codes[batch].get(keys[batch][row] as usize).copied().unwrap_or(0);
                let codes = places.iter().map(code).collect::<Vec<_>>();
                let codes = Int32Array::new(codes.into(), self.nulls(places));
                // SAFETY: the codes are places in `values`
                Arc::new(unsafe { DictionaryArray::<Int32Type>::new_unchecked(codes, values.clone()) })
            }
            Kind::Struct { fields, columns } => {
                let columns = columns.iter().map(|column| column.gather(places)).collect::<Result<_, _>>()?;
                Arc::new(StructArray::new(fields.clone(), columns, self.nulls(places)))
            }
            Kind::Other if self.arrays[0].data_type() == &DataType::Boolean => {
                // arrow's would copy each bit as a range of bits
                let arrays: Vec<&BooleanBuffer> = self.arrays.iter().map(|array| array.as_boolean().values()).collect();
                let bit = |index: usize| {
                    let (batch, row) = places[index];
                    arrays[batch].value(row)
                };
                Arc::new(BooleanArray::new(BooleanBuffer::collect_bool(places.len(), bit), self.nulls(places)))
            }
            Kind::List { .. } | Kind::Other => {
                let arrays: Vec<&dyn Array> = self.arrays.iter().map(|array| array.as_ref()).collect();
                interleave(&arrays, places)?
            }
        })
    }

    pub fn texts(&self) -> Texts<'_> {
        match &self.kind {
            Kind::Empty => Texts::None,
            Kind::Views { .. } => Texts::Views(self.arrays.iter().map(|array| array.as_string_view()).collect()),
            Kind::Dictionary { codes, values } => {
                Texts::Symbols { keys: self.keys(), codes, values: values.as_string::<i32>() }
            }
            Kind::Struct { .. } | Kind::List { .. } | Kind::Other => unreachable!("a column of texts"),
        }
    }

    fn keys(&self) -> Vec<&[i32]> {
        self.arrays.iter().map(|array| &array.as_dictionary::<Int32Type>().keys().values()[..]).collect()
    }

    /// The columns in it that are neither structs nor lists, in their order.
    pub fn leaves(&self) -> Vec<&Column> {
        match &self.kind {
            Kind::Struct { columns, .. } => columns.iter().flat_map(Column::leaves).collect(),
            Kind::List { items } => items.leaves(),
            Kind::Empty | Kind::Views { .. } | Kind::Dictionary { .. } | Kind::Other => vec![self],
        }
    }

    /// Where the items of rows lie in what is in the list; `None` where the column is none.
    pub fn items(&self, places: &[Place]) -> Option<Items> {
        let Kind::List { .. } = &self.kind else { return None };
        let lists: Vec<&ListArray> = self.arrays.iter().map(|array| array.as_list()).collect();
        let mut items = Items { places: Vec::new(), repetitions: Vec::new() };
        for &(batch, row) in places {
            let offsets = lists[batch].value_offsets();
            let own = offsets[row] as usize..offsets[row + 1] as usize;
            if lists[batch].is_null(row) || own.is_empty() {
                let level = usize::from(self.levels.whole) - usize::from(lists[batch].is_null(row));
                items.places.push((batch, NO_ITEM + level));
                items.repetitions.push(0);
            } else {
                items.repetitions.extend(own.clone().map(|item| u8::from(item > own.start)));
                items.places.extend(own.map(|item| (batch, item)));
            }
        }
        Some(items)
    }

    pub fn levels(&self) -> &Levels {
        &self.levels
    }

    fn nulls(&self, places: &[Place]) -> Option<NullBuffer> {
        let nulls: Vec<Option<&NullBuffer>> = self.arrays.iter().map(|array| array.nulls()).collect();
        if nulls.iter().all(Option::is_none) {
            return None;
        }
        let mut bits = BooleanBufferBuilder::new(places.len());
        for &(batch, row) in places {
            bits.append(nulls[batch].is_none_or(|nulls| nulls.is_valid(row)));
        }
        Some(NullBuffer::new(bits.finish())).filter(|nulls| nulls.null_count() > 0)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringDictionaryBuilder};
    use arrow::datatypes::{Field, Schema};
    use proptest::prelude::*;

    use super::*;

    type Value = Option<String>;

    fn batch(values: &[(Value, Value, Option<i64>)]) -> RecordBatch {
        let mut symbols = StringDictionaryBuilder::<Int32Type>::new();
        values.iter().for_each(|(_, symbol, _)| symbols.append_option(symbol.as_deref()));
        let texts: ArrayRef = Arc::new(values.iter().map(|(text, _, _)| text.as_deref()).collect::<StringViewArray>());
        let numbers: ArrayRef = Arc::new(values.iter().map(|(_, _, number)| *number).collect::<Int64Array>());
        let symbols: ArrayRef = Arc::new(symbols.finish());
        let nothing = new_null_array(&DataType::Utf8View, values.len());
        let fields = vec![
            Field::new("text", texts.data_type().clone(), true),
            Field::new("symbol", symbols.data_type().clone(), true),
            Field::new("nothing", DataType::Utf8View, true),
        ];
        let nulls: NullBuffer = values.iter().map(|(_, _, number)| number.is_some()).collect();
        let nested =
            StructArray::new(fields.clone().into(), vec![texts.clone(), symbols.clone(), nothing], Some(nulls));
        let schema = Schema::new(vec![
            fields[0].clone(),
            fields[1].clone(),
            Field::new("nested", nested.data_type().clone(), true),
            Field::new("number", DataType::Int64, true),
        ]);
        RecordBatch::try_new(Arc::new(schema), vec![texts, symbols, Arc::new(nested), numbers]).unwrap()
    }

    /// Each row as JSON.
    fn shown(column: &dyn Array) -> Vec<String> {
        let options = arrow::util::display::FormatOptions::default().with_null("-");
        let format = arrow::util::display::ArrayFormatter::try_new(column, &options).unwrap();
        (0..column.len()).map(|row| format.value(row).to_string()).collect()
    }

    proptest! {
        #[test]
        fn rows_are_those_that_arrow_interleaves(
            batches in prop::collection::vec(
                prop::collection::vec(
                    (prop::option::of("[a-c]{0,20}"), prop::option::of("[a-c]{0,2}"), prop::option::of(0..9i64)), 1..20),
                1..4),
            picks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..60),
        ) {
            let made: Vec<RecordBatch> = batches.iter().map(|values| batch(values)).collect();
            let places: Vec<Place> = picks.iter().map(|(batch, row)| {
                let batch = batch.index(made.len());
                (batch, row.index(made[batch].num_rows()))
            }).collect();
            let rows = Rows::new(&made);
            prop_assert!(rows.empty.contains(&ColumnPath::new(vec!["nested".into(), "nothing".into()])));
            for column in 0..4 {
                let arrays: Vec<&dyn Array> = made.iter().map(|batch| batch.column(column).as_ref()).collect();
                let expected = interleave(&arrays, &places).unwrap();
                let found = rows.column(column).gather(&places).unwrap();
                found.to_data().validate_full().unwrap();
                prop_assert_eq!(shown(&found), shown(&expected));
            }
        }
    }
}
