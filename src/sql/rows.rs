//! `row_is_outside(row, rows)`: whether a row is none of others, as `(a, b) NOT IN (SELECT ...)` asks, and `row_key(a, b)`: one text for rows
//! that are the same, as `(a, b) IN (SELECT ...)` joins them.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, StringArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, TimeUnit};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::{Result, ScalarValue, exec_err, plan_datafusion_err, plan_err};
use datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::maps::{plain, texts};
use super::typed::{comparable, encoded, in_short};

pub fn row_is_outside() -> ScalarUDF {
    ScalarUDF::new_from_impl(IsOutside { signature: Signature::any(2, Volatility::Immutable), last: Last::default() })
}

pub fn row_key() -> ScalarUDF {
    ScalarUDF::new_from_impl(Key { signature: Signature::variadic_any(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct IsOutside {
    signature: Signature,
    last: Last,
}

/// What was found last by a subquery that is asked once for all rows: it comes again with each batch.
#[derive(Debug, Default)]
struct Last(Mutex<Option<Ready>>);

#[derive(Debug)]
struct Ready {
    list: Weak<ListArray>,
    kinds: Vec<DataType>,
    others: Arc<Others>,
}

impl Last {
    /// The rows of that list as they compare; `None` where it is null, as that of no rows is.
    fn of(&self, list: &Arc<ListArray>, kinds: &[DataType]) -> Result<Option<Arc<Others>>> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = last.as_ref()
            && Weak::ptr_eq(&ready.list, &Arc::downgrade(list))
            && ready.kinds == kinds
        {
            return Ok(Some(ready.others.clone()));
        }
        let Some(others) = found(list.as_ref(), 0, kinds)? else { return Ok(None) };
        let others = Arc::new(Others::of(others));
        *last = Some(Ready { list: Arc::downgrade(list), kinds: kinds.to_vec(), others: others.clone() });
        Ok(Some(others))
    }
}

// what it knows is nothing that tells one function from another
impl PartialEq for Last {
    fn eq(&self, _: &Last) -> bool {
        true
    }
}

impl Eq for Last {}

impl Hash for Last {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl ScalarUDFImpl for IsOutside {
    fn name(&self) -> &str {
        "row_is_outside"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("row_is_outside is asked for its field")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        kinds(args.arg_fields[0].data_type(), args.arg_fields[1].data_type())?;
        Ok(Arc::new(Field::new(self.name(), DataType::Boolean, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let kinds = kinds(args.arg_fields[0].data_type(), args.arg_fields[1].data_type())?;
        let rows = args.args[0].to_array(args.number_rows)?;
        let rows = Compared::of(rows.as_struct(), &kinds)?;
        let answers: BooleanArray = match &args.args[1] {
            // what a subquery finds once is the same for all rows
            ColumnarValue::Scalar(others) => {
                let others = match others {
                    ScalarValue::List(list) => self.last.of(list, &kinds)?,
                    others => found(&others.to_array()?, 0, &kinds)?.map(Others::of).map(Arc::new),
                };
                (0..args.number_rows).map(|row| lacks(others.as_deref(), &rows, row)).collect()
            }
            ColumnarValue::Array(lists) => {
                let each = |row| Ok(lacks(found(lists, row, &kinds)?.map(Others::of).as_ref(), &rows, row));
                (0..args.number_rows).map(each).collect::<Result<_>>()?
            }
        };
        Ok(ColumnarValue::Array(Arc::new(answers)))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    signature: Signature,
}

impl ScalarUDFImpl for Key {
    fn name(&self) -> &str {
        "row_key"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    /// Null where a part is.
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let part = |(value, field): (&ColumnarValue, &FieldRef)| key(&value.to_array(args.number_rows)?, field);
        let parts = args.args.iter().zip(&args.arg_fields).map(part).collect::<Result<Vec<StringArray>>>()?;
        let of_row = |row: usize| {
            let each = parts.iter().map(|part| part.is_valid(row).then(|| part.value(row)));
            Some(each.collect::<Option<Vec<&str>>>()?.join(","))
        };
        Ok(ColumnarValue::Array(Arc::new((0..args.number_rows).map(of_row).collect::<StringArray>())))
    }
}

/// A part of a row as JSON, but numbers are the same in any type, and so are a day and the time at which it begins.
fn key(array: &ArrayRef, field: &FieldRef) -> Result<StringArray> {
    let kind = plain(array.data_type());
    let array = cast(array, &kind)?;
    match &kind {
        kind if kind.is_integer() => texts(&array),
        DataType::Decimal128(_, scale) if *scale > 0 => {
            let shown = |text: &str| text.trim_end_matches('0').trim_end_matches('.').to_owned();
            Ok(texts(&array)?.iter().map(|text| text.map(shown)).collect())
        }
        DataType::Decimal128(..) => texts(&array),
        kind if kind.is_floating() => {
            let doubles = cast(&array, &DataType::Float64)?;
            let shown = |number: f64| match number.fract() == 0.0 && number.abs() < i64::MAX as f64 {
                true => (number as i64).to_string(),
                false => number.to_string(),
            };
            Ok(doubles.as_primitive::<Float64Type>().iter().map(|number| number.map(shown)).collect())
        }
        DataType::Date32 => micros(&array, None),
        DataType::Timestamp(_, zone) => micros(&array, zone.clone()),
        _ => encoded(&array, &Arc::new(Field::new(field.name(), kind.clone(), true))),
    }
}

fn micros(times: &ArrayRef, zone: Option<Arc<str>>) -> Result<StringArray> {
    let times = cast(times, &DataType::Timestamp(TimeUnit::Microsecond, zone))?;
    texts(&cast(&times, &DataType::Int64)?)
}

/// The types in which the parts of a row compare with those of the rows in a list.
fn kinds(row: &DataType, rows: &DataType) -> Result<Vec<DataType>> {
    let (DataType::Struct(parts), DataType::List(item)) = (row, rows) else {
        return plan_err!("a row is looked for in a list of rows");
    };
    let others: &Fields = match item.data_type() {
        DataType::Struct(others) if others.len() == parts.len() => others,
        other => return plan_err!("a row of {} values is looked for among {}", parts.len(), in_short(other)),
    };
    let kind = |(part, other): (&FieldRef, &FieldRef)| {
        let (part, other) = (plain(part.data_type()), plain(other.data_type()));
        comparison_coercion(&part, &other)
            .ok_or_else(|| plan_datafusion_err!("{} and {} cannot be compared", in_short(&part), in_short(&other)))
    };
    parts.iter().zip(others).map(kind).collect()
}

/// The rows of a list; `None` where it is null, as that of no rows is.
fn found(lists: &dyn Array, at: usize, kinds: &[DataType]) -> Result<Option<Compared>> {
    if lists.is_null(at) {
        return Ok(None);
    }
    let Some(lists) = lists.as_list_opt::<i32>() else { return exec_err!("rows are a list") };
    Compared::of(lists.value(at).as_struct(), kinds).map(Some)
}

/// Rows as they compare.
#[derive(Debug)]
struct Compared {
    whole: Rows,
    /// Each column alone, and where it is null.
    parts: Vec<(Rows, ArrayRef)>,
}

impl Compared {
    fn of(rows: &StructArray, kinds: &[DataType]) -> Result<Compared> {
        let columns = rows.columns().iter().zip(kinds).map(|(column, kind)| Ok(cast(column, kind)?));
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        let fields = kinds.iter().map(|kind| SortField::new(kind.clone())).collect();
        let whole = RowConverter::new(fields)?.convert_columns(&columns)?;
        let parts = columns.into_iter().zip(kinds).map(|(column, kind)| Ok((comparable(&column, kind)?, column)));
        Ok(Compared { whole, parts: parts.collect::<Result<_>>()? })
    }

    fn has_null(&self, row: usize) -> bool {
        self.parts.iter().any(|(_, column)| column.is_null(row))
    }

    /// Whether a row is the same as one of others where both are no null.
    fn is_alike(&self, row: usize, others: &Compared, other: usize) -> bool {
        self.parts.iter().zip(&others.parts).all(|((ours, column), (theirs, their_column))| {
            column.is_null(row) || their_column.is_null(other) || ours.row(row) == theirs.row(other)
        })
    }
}

/// Rows that others are looked for in.
#[derive(Debug)]
struct Others {
    rows: Compared,
    /// The places of those without nulls, by what they are.
    whole: HashTable<usize>,
    hasher: DefaultHashBuilder,
    /// The places of those with nulls.
    partial: Vec<usize>,
}

impl Others {
    fn of(rows: Compared) -> Others {
        let hasher = DefaultHashBuilder::default();
        let (mut whole, mut partial) = (HashTable::new(), Vec::new());
        for row in 0..rows.whole.num_rows() {
            if rows.has_null(row) {
                partial.push(row);
            } else {
                let hash = |row: &usize| hasher.hash_one(rows.whole.row(*row));
                whole.insert_unique(hash(&row), row, hash);
            }
        }
        Others { rows, whole, hasher, partial }
    }

    /// Whether one without nulls is the same as a row of others.
    fn has(&self, rows: &Compared, row: usize) -> bool {
        let row = rows.whole.row(row);
        self.whole.find(self.hasher.hash_one(row), |known| self.rows.whole.row(*known) == row).is_some()
    }
}

/// Whether there is no such row; `None` where a null in one of both may be what the other has there.
fn lacks(others: Option<&Others>, rows: &Compared, row: usize) -> Option<bool> {
    let Some(others) = others else { return Some(true) };
    let is_alike = |other: &usize| rows.is_alike(row, &others.rows, *other);
    if rows.has_null(row) {
        return (!(0..others.rows.whole.num_rows()).any(|other| is_alike(&other))).then_some(true);
    }
    if others.has(rows, row) {
        return Some(false);
    }
    (!others.partial.iter().any(is_alike)).then_some(true)
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;

    use super::*;

    fn rows(numbers: Vec<Option<i64>>, texts: Vec<Option<&str>>) -> StructArray {
        let numbers: ArrayRef = Arc::new(Int64Array::from(numbers));
        let texts: ArrayRef = Arc::new(StringArray::from(texts));
        let field = |name: &str, kind| Arc::new(Field::new(name, kind, true));
        StructArray::from(vec![(field("c0", DataType::Int64), numbers), (field("c1", DataType::Utf8), texts)])
    }

    #[test]
    fn a_null_may_be_anything() {
        let kinds = [DataType::Int64, DataType::Utf8];
        let others = Compared::of(&rows(vec![Some(1), None], vec![Some("a"), Some("b")]), &kinds).unwrap();
        let others = Others::of(others);
        for (number, text, expected) in [
            (Some(1), Some("a"), Some(false)),
            (Some(2), Some("a"), Some(true)),
            (Some(9), Some("b"), None),
            (Some(1), None, None),
            (None, Some("c"), Some(true)),
            (None, None, None),
        ] {
            let row = Compared::of(&rows(vec![number], vec![text]), &kinds).unwrap();
            assert_eq!(lacks(Some(&others), &row, 0), expected, "{number:?} {text:?}");
            assert_eq!(lacks(None, &row, 0), Some(true));
        }
    }

    #[test]
    fn what_a_subquery_found_is_made_ready_once() {
        let kinds = [DataType::Int64, DataType::Utf8];
        let list = |number| {
            let rows: ArrayRef = Arc::new(rows(vec![Some(number)], vec![Some("a")]));
            let field = Arc::new(Field::new("item", rows.data_type().clone(), true));
            Arc::new(ListArray::new(field, arrow::buffer::OffsetBuffer::from_lengths([1]), rows, None))
        };
        let (last, one, other) = (Last::default(), list(1), list(2));
        let of = |list| last.of(list, &kinds).unwrap().unwrap();
        let first = of(&one);
        let same = one.clone();
        assert!(Arc::ptr_eq(&first, &of(&same)));
        let row = Compared::of(&rows(vec![Some(2)], vec![Some("a")]), &kinds).unwrap();
        assert_eq!((lacks(Some(&first), &row, 0), lacks(Some(&of(&other)), &row, 0)), (Some(true), Some(false)));
        assert_eq!(lacks(Some(&of(&one)), &row, 0), Some(true), "the other one is not taken for it");
    }
}
