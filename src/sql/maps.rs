//! Athena's functions that give maps: the aggregates `histogram(x)`, `map_agg(key, value)`, `multimap_agg(key, value)` and `map_union(map)`,
//! and `split_to_map(text, between entries, behind keys)`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, ListArray, MapArray, MapBuilder, MapFieldNames, StringArray, StringBuilder,
    StructArray, UInt32Array, new_empty_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{cast, sort_to_indices, take};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};

use super::typed::key_and_value;
use crate::detect::athena::shape::{Shape, map_type};

pub fn aggregates() -> Vec<AggregateUDF> {
    [(What::Counts, 1), (What::One, 2), (What::All, 2), (What::Union, 1)]
        .map(|(what, count)| {
            let signature = Signature::any(count, Volatility::Immutable);
            AggregateUDF::new_from_impl(MapOf { what, signature })
        })
        .into()
}

pub fn split_to_map() -> ScalarUDF {
    ScalarUDF::new_from_impl(SplitToMap { signature: Signature::any(3, Volatility::Immutable) })
}

/// The type without a dictionary around it, and one type for all texts: JSON has no other keys.
pub fn plain(kind: &DataType) -> DataType {
    match kind {
        DataType::Dictionary(_, values) => plain(values),
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        other => other.clone(),
    }
}

/// What a map has for each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    /// How many rows had it.
    Counts,
    /// The value of a row that had it.
    One,
    /// The values of all rows that had it.
    All,
    /// The value of a row whose map had it.
    Union,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MapOf {
    what: What,
    signature: Signature,
}

impl AggregateUDFImpl for MapOf {
    fn name(&self) -> &str {
        match self.what {
            What::Counts => "histogram",
            What::One => "map_agg",
            What::All => "multimap_agg",
            What::Union => "map_union",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        let (key, value) = self.entry(args)?;
        Ok(map_type(
            key,
            match self.what {
                What::All => DataType::List(Arc::new(Field::new_list_field(value, true))),
                What::Counts | What::One | What::Union => value,
            },
        ))
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return plan_err!("{} takes no DISTINCT: a subquery with SELECT DISTINCT does the same", self.name());
        }
        let (key, value) = self.entry(&kinds(args.expr_fields))?;
        Ok(Box::new(Mapped {
            what: self.what,
            key,
            value,
            result: args.return_field.data_type().clone(),
            places: HashMap::new(),
            keys: Vec::new(),
            values: Vec::new(),
            bytes: 0,
        }))
    }

    /// Keys, and beside each a value of it: a key with several values stands there several times.
    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let list = |name: &str, kind: DataType| {
            let list = DataType::List(Arc::new(Field::new_list_field(kind, true)));
            Arc::new(Field::new(format!("{}[{name}]", args.name), list, true))
        };
        let (key, value) = self.entry(&kinds(args.input_fields))?;
        Ok(vec![list("keys", key), list("values", value)])
    }
}

fn kinds(fields: &[FieldRef]) -> Vec<DataType> {
    fields.iter().map(|field| field.data_type().clone()).collect()
}

impl MapOf {
    /// The types of a key and of each value that it has.
    fn entry(&self, args: &[DataType]) -> Result<(DataType, DataType)> {
        Ok(match (self.what, args) {
            (What::Counts, [key]) => (plain(key), DataType::Int64),
            (What::One | What::All, [key, value]) => (plain(key), plain(value)),
            (What::Union, [map]) => match plain(map) {
                DataType::Utf8 => (DataType::Utf8, DataType::Utf8),
                map => {
                    let (key, value) = key_and_value(&map)?;
                    (plain(key), plain(value))
                }
            },
            _ => return plan_err!("{} takes another number of values", self.name()),
        })
    }
}

/// What an entry takes beside its key, which is there twice, and its values: a place in the table, and the list of its values.
const ENTRY_BYTES: usize = 64;

#[derive(Debug)]
struct Mapped {
    what: What,
    key: DataType,
    value: DataType,
    result: DataType,
    places: HashMap<ScalarValue, usize>,
    keys: Vec<ScalarValue>,
    /// Of each key. Of counts there is one, which grows.
    values: Vec<Vec<ScalarValue>>,
    bytes: usize,
}

impl Mapped {
    /// Rows whose key is null are in no map.
    fn add(&mut self, keys: &ArrayRef, values: Option<&ArrayRef>) -> Result<()> {
        let keys = cast(keys, &self.key)?;
        let values = values.map(|values| cast(values, &self.value)).transpose()?;
        for row in (0..keys.len()).filter(|&row| keys.is_valid(row)) {
            // one that is nested would keep all rows of its batch otherwise
            let key = ScalarValue::try_from_array(&keys, row)?.compacted();
            let value = || match &values {
                Some(values) => ScalarValue::try_from_array(values, row).map(ScalarValue::compacted),
                None => Ok(ScalarValue::Int64(Some(1))),
            };
            let Some(&place) = self.places.get(&key) else {
                let value = value()?;
                self.bytes += 2 * key.size() + value.size() + ENTRY_BYTES;
                self.places.insert(key.clone(), self.keys.len());
                self.keys.push(key);
                self.values.push(vec![value]);
                continue;
            };
            match (self.what, self.values[place].as_mut_slice()) {
                (What::One | What::Union, _) => {}
                (What::Counts, [ScalarValue::Int64(Some(count))]) => {
                    *count += values.as_ref().map_or(1, |values| values.as_primitive::<Int64Type>().value(row));
                }
                (What::Counts | What::All, _) => {
                    let value = value()?;
                    self.bytes += value.size();
                    self.values[place].push(value);
                }
            }
        }
        Ok(())
    }

    fn array(kind: &DataType, values: Vec<ScalarValue>) -> Result<ArrayRef> {
        if values.is_empty() { Ok(new_empty_array(kind)) } else { ScalarValue::iter_to_array(values) }
    }
}

impl Accumulator for Mapped {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        if self.what == What::Union {
            let maps = maps(&columns[0])?;
            return (0..maps.len()).filter(|&row| maps.is_valid(row)).try_for_each(|row| {
                let entries = maps.value(row);
                self.add(entries.column(0), Some(entries.column(1)))
            });
        }
        self.add(&columns[0], columns.get(1))
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states[0].as_list::<i32>().iter().zip(states[1].as_list::<i32>().iter());
        lists
            .filter_map(|(keys, values)| Some((keys?, values?)))
            .try_for_each(|(keys, values)| self.add(&keys, Some(&values)))
    }

    /// In the order of the keys, so that it is the same however the rows came.
    fn evaluate(&mut self) -> Result<ScalarValue> {
        let DataType::Map(entries, _) = &self.result else {
            return plan_err!("a map has another type: {}", self.result);
        };
        let DataType::Struct(fields) = entries.data_type() else { return plan_err!("a map has other entries") };
        if self.keys.is_empty() {
            return ScalarValue::try_from(&self.result);
        }
        let keys = Self::array(&self.key, self.keys.clone())?;
        let lengths: Vec<usize> = self.values.iter().map(Vec::len).collect();
        let values = Self::array(&self.value, self.values.concat())?;
        let values: ArrayRef = match self.what {
            What::All => {
                let item = Arc::new(Field::new_list_field(self.value.clone(), true));
                Arc::new(ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), values, None)?)
            }
            What::Counts | What::One | What::Union => values,
        };
        let order: UInt32Array = sort_to_indices(&keys, None, None)?;
        let columns = vec![take(&keys, &order, None)?, take(&values, &order, None)?];
        let offsets = OffsetBuffer::from_lengths([order.len()]);
        let rows = StructArray::try_new(fields.clone(), columns, None)?;
        Ok(ScalarValue::Map(Arc::new(MapArray::try_new(entries.clone(), offsets, rows, None, false)?)))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let keys = self.keys.iter().zip(&self.values).flat_map(|(key, values)| vec![key.clone(); values.len()]);
        let keys: Vec<ScalarValue> = keys.collect();
        Ok(vec![
            ScalarValue::List(ScalarValue::new_list_nullable(&keys, &self.key)),
            ScalarValue::List(ScalarValue::new_list_nullable(&self.values.concat(), &self.value)),
        ])
    }

    fn size(&self) -> usize {
        std::mem::size_of_val(self) + self.bytes
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SplitToMap {
    signature: Signature,
}

impl ScalarUDFImpl for SplitToMap {
    fn name(&self) -> &str {
        "split_to_map"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(map_type(DataType::Utf8, DataType::Utf8))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let column = |place: usize| texts(&args.args[place].to_array(args.number_rows)?);
        let [texts, between, behind] = [column(0)?, column(1)?, column(2)?];
        let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
        let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
        for row in 0..args.number_rows {
            let known = [&texts, &between, &behind].iter().all(|column| column.is_valid(row));
            if known {
                for (key, value) in entries(texts.value(row), between.value(row), behind.value(row)) {
                    maps.keys().append_value(key);
                    maps.values().append_option(value);
                }
            }
            maps.append(known)?;
        }
        Ok(ColumnarValue::Array(Arc::new(maps.finish())))
    }
}

/// The first entry of each key; one without what stands behind keys has no value.
fn entries<'t>(text: &'t str, between: &str, behind: &str) -> Vec<(&'t str, Option<&'t str>)> {
    let mut entries: Vec<(&str, Option<&str>)> = Vec::new();
    let parts = if between.is_empty() { vec![text] } else { text.split(between).collect() };
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once(behind).map_or((part, None), |(key, value)| (key, Some(value)));
        if entries.iter().all(|(known, _)| *known != key) {
            entries.push((key, value));
        }
    }
    entries
}

/// Maps, or JSON text as maps of texts.
pub fn maps(array: &ArrayRef) -> Result<MapArray> {
    if let DataType::Map(..) = array.data_type() {
        return Ok(array.as_map().clone());
    }
    let read = Shape::Map(Box::new(Shape::Text)).read(&texts(array)?);
    Ok(read.map_err(|error| exec_datafusion_err!("{error}"))?.as_map().clone())
}

/// How many entries each map, items each list has; null where it is null.
pub fn lengths(array: &ArrayRef) -> Option<Int64Array> {
    let offsets = match array.data_type() {
        DataType::Map(..) => array.as_map().offsets().clone(),
        DataType::List(_) => array.as_list::<i32>().offsets().clone(),
        _ => return None,
    };
    let length = |row: usize| array.is_valid(row).then(|| i64::from(offsets[row + 1] - offsets[row]));
    Some((0..array.len()).map(length).collect())
}

/// Texts of one type.
pub fn texts(array: &ArrayRef) -> Result<StringArray> {
    Ok(cast(array, &DataType::Utf8)?.as_string::<i32>().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_into_the_first_entries_of_its_keys() {
        assert_eq!(entries("a=1&b=2=3&c&a=9&", "&", "="), [("a", Some("1")), ("b", Some("2=3")), ("c", None)]);
        assert_eq!(entries("", "&", "="), []);
    }

    #[test]
    fn what_parts_know_adds_up_in_any_order() {
        let keys: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), Some("a"), None, Some("b")]));
        let part = |what: What| Mapped {
            what,
            key: DataType::Utf8,
            value: DataType::Int64,
            result: map_type(DataType::Utf8, DataType::Int64),
            places: HashMap::new(),
            keys: Vec::new(),
            values: Vec::new(),
            bytes: 0,
        };
        let (mut first, mut second) = (part(What::Counts), part(What::Counts));
        first.update_batch(std::slice::from_ref(&keys)).unwrap();
        second.update_batch(&[keys.slice(0, 1)]).unwrap();
        let state: Vec<ArrayRef> = first.state().unwrap().iter().map(|state| state.to_array().unwrap()).collect();
        second.merge_batch(&state).unwrap();
        let shown = |mapped: &mut Mapped| mapped.evaluate().unwrap().to_string();
        assert_eq!(shown(&mut second), "[{a:1,b:3}]");
        assert!(part(What::One).evaluate().unwrap().is_null());
    }
}
