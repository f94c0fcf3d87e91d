//! Athena's functions of lists and maps that take a lambda, which DataFusion has not: `reduce`, `zip_with`, `array_sort` with a comparator,
//! `map_filter`, `transform_keys`, `transform_values` and `map_zip_with`.
//!
//! A lambda is asked of the items of all rows together; that of `reduce` of the first items of all rows, then of the second, and so on.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, UInt32Array, new_null_array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{cast, concat, interleave, take, take_arrays};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field, FieldRef, Int64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature, HigherOrderUDF,
    HigherOrderUDFImpl, LambdaArgument, LambdaParametersProgress, ValueOrLambda, Volatility,
};

use super::maps::{maps, plain};
use super::typed::{comparable, in_short, key_and_value};
use crate::detect::athena::shape::map_type;

pub fn all() -> Vec<HigherOrderUDF> {
    use What::{MapFilter, MapZipWith, Reduce, SortBy, TransformKeys, TransformValues, ZipWith};
    [Reduce, ZipWith, SortBy, MapFilter, TransformKeys, TransformValues, MapZipWith]
        .map(|what| {
            let (values, lambdas) = what.takes();
            let args = [vec![ValueOrLambda::Value(()); values], vec![ValueOrLambda::Lambda(()); lambdas]].concat();
            let signature = HigherOrderSignature::exact(args, Volatility::Immutable);
            HigherOrderUDF::new_from_impl(OfLambda { what, signature })
        })
        .into()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Reduce,
    ZipWith,
    SortBy,
    MapFilter,
    TransformKeys,
    TransformValues,
    MapZipWith,
}

impl What {
    /// How many values, and behind them how many lambdas.
    fn takes(self) -> (usize, usize) {
        match self {
            What::Reduce => (2, 2),
            What::ZipWith | What::MapZipWith => (2, 1),
            What::SortBy | What::MapFilter | What::TransformKeys | What::TransformValues => (1, 1),
        }
    }

    /// How many of the values are lists, or maps.
    fn of(self) -> usize {
        match self {
            What::ZipWith | What::MapZipWith => 2,
            What::Reduce | What::SortBy | What::MapFilter | What::TransformKeys | What::TransformValues => 1,
        }
    }

    fn is_of_maps(self) -> bool {
        match self {
            What::Reduce | What::ZipWith | What::SortBy => false,
            What::MapFilter | What::TransformKeys | What::TransformValues | What::MapZipWith => true,
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfLambda {
    what: What,
    signature: HigherOrderSignature,
}

impl HigherOrderUDFImpl for OfLambda {
    fn name(&self) -> &str {
        match self.what {
            What::Reduce => "reduce",
            What::ZipWith => "zip_with",
            What::SortBy => "array_sort_by",
            What::MapFilter => "map_filter",
            What::TransformKeys => "transform_keys",
            What::TransformValues => "transform_values",
            What::MapZipWith => "map_zip_with",
        }
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, kinds: &[DataType]) -> Result<Vec<DataType>> {
        let taken = |(place, kind): (usize, &DataType)| match kind {
            kind if place >= self.what.of() => Ok(kind.clone()),
            DataType::Map(..) if self.what.is_of_maps() => Ok(kind.clone()),
            // JSON stays text until it is asked of, as it does for `map_keys`
            kind if self.what.is_of_maps() && matches!(plain(kind), DataType::Utf8 | DataType::Null) => {
                Ok(DataType::Utf8)
            }
            DataType::List(_) if !self.what.is_of_maps() => Ok(kind.clone()),
            DataType::LargeList(item) | DataType::FixedSizeList(item, _) if !self.what.is_of_maps() => {
                Ok(DataType::List(item.clone()))
            }
            DataType::Null if !self.what.is_of_maps() => Ok(list_of(DataType::Null)),
            other => {
                let takes = if self.what.is_of_maps() { "a map or JSON text" } else { "a list" };
                plan_err!("{} takes {takes}, not {}", self.name(), in_short(&plain(other)))
            }
        };
        kinds.iter().enumerate().map(taken).collect()
    }

    fn lambda_parameters(
        &self,
        step: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        let param = |kind: DataType| Arc::new(Field::new("", kind, true));
        let value = |place: usize| match fields.get(place) {
            Some(ValueOrLambda::Value(field)) => Ok(field.data_type().clone()),
            _ => plan_err!("{} takes a value in place {}", self.name(), place + 1),
        };
        let first = value(0)?;
        let params = match self.what {
            What::Reduce => {
                let item = item_of(&first)?;
                // what is remembered is at first what it begins with, and then what the lambda makes of that
                match fields.get(2) {
                    Some(ValueOrLambda::Lambda(Some(merged))) if step != 1 => {
                        let merged = param(with_room(merged.data_type()));
                        vec![vec![merged.clone(), param(item)], vec![merged]]
                    }
                    Some(ValueOrLambda::Lambda(merged)) => {
                        let state =
                            merged.as_ref().map_or_else(|| value(1), |merged| Ok(merged.data_type().clone()))?;
                        let params = vec![param(with_room(&state)), param(item)];
                        return Ok(LambdaParametersProgress::Partial(vec![Some(params), None]));
                    }
                    _ => return plan_err!("reduce takes a lambda in place 3"),
                }
            }
            What::ZipWith => vec![vec![param(item_of(&first)?), param(item_of(&value(1)?)?)]],
            What::SortBy => vec![vec![param(item_of(&first)?); 2]],
            What::MapFilter | What::TransformKeys | What::TransformValues => {
                let (key, value) = entry_of(&first)?;
                vec![vec![param(key), param(value)]]
            }
            What::MapZipWith => {
                let ((key, one), (_, other)) = (entry_of(&first)?, entry_of(&value(1)?)?);
                vec![vec![param(key), param(one), param(other)]]
            }
        };
        Ok(LambdaParametersProgress::Complete(params))
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs) -> Result<FieldRef> {
        let kind = |place: usize| match &args.arg_fields[place] {
            ValueOrLambda::Value(field) | ValueOrLambda::Lambda(field) => field.data_type().clone(),
        };
        let kind = match self.what {
            What::Reduce => kind(3),
            What::ZipWith => list_of(kind(2)),
            What::SortBy => kind(0),
            What::MapFilter => {
                let (key, value) = entry_of(&kind(0))?;
                map_type(key, value)
            }
            What::TransformKeys => map_type(plain(&kind(1)), entry_of(&kind(0))?.1),
            What::TransformValues => map_type(entry_of(&kind(0))?.0, kind(1)),
            What::MapZipWith => map_type(entry_of(&kind(0))?.0, kind(2)),
        };
        Ok(Arc::new(Field::new(self.name(), kind, true)))
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let value = |place: usize| match &args.args[place] {
            ValueOrLambda::Value(value) => value.to_array(args.number_rows),
            ValueOrLambda::Lambda(_) => exec_err!("{} takes a value in place {}", self.name(), place + 1),
        };
        let lambda = |place: usize| match &args.args[place] {
            ValueOrLambda::Lambda(lambda) => Ok(lambda),
            ValueOrLambda::Value(_) => exec_err!("{} takes a lambda in place {}", self.name(), place + 1),
        };
        let (first, kind) = (value(0)?, args.return_type());
        let answer: ArrayRef = match self.what {
            What::Reduce => {
                let (ValueOrLambda::Value(state) | ValueOrLambda::Lambda(state)) = &args.arg_fields[2];
                let begin = cast(&value(1)?, state.data_type())?;
                cast(&reduce(first.as_list(), &begin, lambda(2)?, lambda(3)?, kind)?, kind)?
            }
            What::ZipWith => zip_with(first.as_list(), value(1)?.as_list(), lambda(2)?, kind)?,
            What::SortBy => sort_by(first.as_list(), lambda(1)?)?,
            What::MapFilter => map_filter(&maps(&first)?, lambda(1)?, kind)?,
            What::TransformKeys | What::TransformValues => {
                let map = maps(&first)?;
                let (entries, keys, values) = entries(&map)?;
                let made = ask(lambda(1)?, &[keys.clone(), values.clone()], &entries.rows)?;
                let nulls = map.nulls().cloned();
                match self.what {
                    What::TransformKeys => keyed(kind, made, values, entries.lengths, nulls)?,
                    _ => map_of(kind, keys, made, entries.lengths, nulls)?,
                }
            }
            What::MapZipWith => map_zip_with(&maps(&first)?, &maps(&value(1)?)?, lambda(2)?, kind)?,
        };
        Ok(ColumnarValue::Array(answer))
    }
}

/// The type of a sum that goes on: of decimals each has a digit more than the one before.
fn with_room(kind: &DataType) -> DataType {
    match kind {
        DataType::Decimal128(_, scale) => DataType::Decimal128(DECIMAL128_MAX_PRECISION, *scale),
        other => other.clone(),
    }
}

fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

fn item_of(list: &DataType) -> Result<DataType> {
    match list {
        DataType::List(item) => Ok(item.data_type().clone()),
        other => plan_err!("{other} is no list"),
    }
}

/// Key and value of a map, or of JSON text, whose values are texts too.
fn entry_of(kind: &DataType) -> Result<(DataType, DataType)> {
    match kind {
        DataType::Utf8 => Ok((DataType::Utf8, DataType::Utf8)),
        map => key_and_value(map).map(|(key, value)| (key.clone(), value.clone())),
    }
}

/// The items of rows that are not null: where each is, of which row it is, and how many each row has.
struct Items {
    places: UInt32Array,
    rows: UInt32Array,
    lengths: Vec<usize>,
}

fn items(offsets: &OffsetBuffer<i32>, nulls: Option<&NullBuffer>) -> Items {
    let (mut places, mut rows, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    for (row, bounds) in offsets.windows(2).enumerate() {
        let known = nulls.is_none_or(|nulls| nulls.is_valid(row));
        let bounds = if known { bounds[0] as u32..bounds[1] as u32 } else { 0..0 };
        lengths.push(bounds.len());
        rows.extend(bounds.clone().map(|_| row as u32));
        places.extend(bounds);
    }
    Items { places: places.into(), rows: rows.into(), lengths }
}

/// What a lambda says of items, each of a row whose other columns it may name.
fn ask(lambda: &LambdaArgument, params: &[ArrayRef], rows: &UInt32Array) -> Result<ArrayRef> {
    let params: Vec<_> = params.iter().map(|param| move || Ok(param.clone())).collect();
    let params: Vec<&dyn Fn() -> Result<ArrayRef>> = params.iter().map(|param| param as _).collect();
    lambda.evaluate(&params, |columns| Ok(take_arrays(columns, rows, None)?))?.into_array(rows.len())
}

fn reduce(
    list: &ListArray,
    begin: &ArrayRef,
    merge: &LambdaArgument,
    finish: &LambdaArgument,
    kind: &DataType,
) -> Result<ArrayRef> {
    let mut rows: Vec<u32> = (0..list.len() as u32).filter(|row| list.is_valid(*row as usize)).collect();
    if rows.is_empty() {
        return Ok(new_null_array(kind, list.len()));
    }
    let mut state = take(begin, &UInt32Array::from(rows.clone()), None)?;
    let (mut ended, mut states) = (Vec::new(), Vec::new());
    for place in 0.. {
        let is_open = |row: u32| list.value_length(row as usize) > place;
        let (open, over): (Vec<u32>, Vec<u32>) = (0..rows.len() as u32).partition(|at| is_open(rows[*at as usize]));
        if !over.is_empty() {
            ended.extend(over.iter().map(|at| rows[*at as usize]));
            states.push(take(&state, &UInt32Array::from(over), None)?);
            rows = open.iter().map(|at| rows[*at as usize]).collect();
            state = take(&state, &UInt32Array::from(open), None)?;
        }
        if rows.is_empty() {
            break;
        }
        let places = rows.iter().map(|row| (list.value_offsets()[*row as usize] + place) as u32);
        let items = take(list.values(), &places.collect::<UInt32Array>(), None)?;
        state = cast(&ask(merge, &[state, items], &rows.clone().into())?, begin.data_type())?;
    }
    let states = concat(&states.iter().map(|states| states.as_ref()).collect::<Vec<_>>())?;
    let made = ask(finish, &[states], &ended.clone().into())?;
    let mut place_of = vec![None; list.len()];
    ended.iter().zip(0_u32..).for_each(|(row, at)| place_of[*row as usize] = Some(at));
    Ok(take(&made, &UInt32Array::from(place_of), None)?)
}

/// The shorter list has nulls up to the length of the longer one.
fn zip_with(one: &ListArray, other: &ListArray, lambda: &LambdaArgument, kind: &DataType) -> Result<ArrayRef> {
    let nulls = NullBuffer::union(one.nulls(), other.nulls());
    let (mut rows, mut lengths, mut places) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
    for row in 0..one.len() {
        let known = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        let length = if known { one.value_length(row).max(other.value_length(row)) } else { 0 };
        lengths.push(length as usize);
        for item in 0..length {
            rows.push(row as u32);
            for (places, list) in places.iter_mut().zip([one, other]) {
                let there = item < list.value_length(row);
                places.push(there.then(|| (list.value_offsets()[row] + item) as u32));
            }
        }
    }
    let [ones, others] = places.map(UInt32Array::from);
    let params = [take(one.values(), &ones, None)?, take(other.values(), &others, None)?];
    let made = ask(lambda, &params, &rows.into())?;
    let DataType::List(item) = kind else { return plan_err!("{kind} is no list") };
    let made = cast(&made, item.data_type())?;
    Ok(Arc::new(ListArray::try_new(item.clone(), OffsetBuffer::from_lengths(lengths), made, nulls)?))
}

/// Each item is compared with each that stands before it, of so many pairs together.
const PAIRS: usize = 1 << 18;
/// Longer lists would take longer than anybody waits.
const SORTED_MAX: i32 = 4096;

/// Lists in the order that a lambda says two items have: less than 0, 0, or more than 0. A null there is 0.
fn sort_by(list: &ListArray, lambda: &LambdaArgument) -> Result<ArrayRef> {
    let (mut order, mut lengths, mut row) = (Vec::new(), Vec::new(), 0);
    while row < list.len() {
        let begin = row;
        let (mut before, mut behind, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        while row < list.len() && before.len() < PAIRS {
            let (length, at) = (length(list, row), list.value_offsets()[row] as u32);
            if length > SORTED_MAX {
                return exec_err!("array_sort with a comparator takes lists of up to {SORTED_MAX} items, not {length}");
            }
            for later in 0..length as u32 {
                before.extend((0..later).map(|earlier| at + earlier));
                behind.extend((0..later).map(|_| at + later));
                rows.extend((0..later).map(|_| row as u32));
            }
            row += 1;
        }
        let [before, behind] = [before, behind].map(|places| take(list.values(), &UInt32Array::from(places), None));
        let signs = cast(&ask(lambda, &[before?, behind?], &rows.into())?, &DataType::Int64)?;
        let signs: Vec<i64> = signs.as_primitive::<Int64Type>().iter().map(Option::unwrap_or_default).collect();
        let mut rest = signs.as_slice();
        for row in begin..row {
            let count = length(list, row) as usize;
            let (own, others) = rest.split_at(count * count.saturating_sub(1) / 2);
            rest = others;
            let at = list.value_offsets()[row] as usize;
            order.extend(sorted(count, own).into_iter().map(|item| (at + item) as u32));
            lengths.push(count);
        }
    }
    let values = take(list.values(), &UInt32Array::from(order), None)?;
    let DataType::List(item) = list.data_type() else { return plan_err!("{} is no list", list.data_type()) };
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(item.clone(), offsets, values, list.nulls().cloned())?))
}

/// Items of a list; none of one that is null.
fn length(list: &ListArray, row: usize) -> i32 {
    if list.is_valid(row) { list.value_length(row) } else { 0 }
}

/// The order of items, of which `signs` has for the second how it compares with the first, for the third with the first and the second, and so
/// on. Where the signs contradict each other, some order.
fn sorted(count: usize, signs: &[i64]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(count);
    for next in 0..count {
        let own = &signs[next * next.saturating_sub(1) / 2..];
        let at = order.iter().rposition(|known| own[*known] <= 0).map_or(0, |at| at + 1);
        order.insert(at, next);
    }
    order
}

/// The entries of maps that are not null, and their keys and values.
fn entries(map: &MapArray) -> Result<(Items, ArrayRef, ArrayRef)> {
    let entries = items(map.offsets(), map.nulls());
    let (keys, values) = (take(map.keys(), &entries.places, None)?, take(map.values(), &entries.places, None)?);
    Ok((entries, keys, values))
}

fn map_filter(map: &MapArray, lambda: &LambdaArgument, kind: &DataType) -> Result<ArrayRef> {
    let (entries, keys, values) = entries(map)?;
    let keep = cast(&ask(lambda, &[keys.clone(), values.clone()], &entries.rows)?, &DataType::Boolean)?;
    let keep = keep.as_boolean();
    let kept: Vec<u32> =
        (0..keys.len()).filter(|at| keep.is_valid(*at) && keep.value(*at)).map(|at| at as u32).collect();
    let mut lengths = vec![0; map.len()];
    kept.iter().for_each(|at| lengths[entries.rows.value(*at as usize) as usize] += 1);
    let kept = UInt32Array::from(kept);
    let (keys, values) = (take(&keys, &kept, None)?, take(&values, &kept, None)?);
    map_of(kind, keys, values, lengths, map.nulls().cloned())
}

/// Maps with keys that a lambda made.
fn keyed(
    kind: &DataType,
    keys: ArrayRef,
    values: ArrayRef,
    lengths: Vec<usize>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let key = plain(keys.data_type());
    if keys.null_count() > 0 {
        return exec_err!("transform_keys: a key is null");
    }
    let compared = comparable(&keys, &key)?;
    let mut begin = 0;
    for length in &lengths {
        let mut seen = HashSet::new();
        if !(begin..begin + length).all(|at| seen.insert(compared.row(at))) {
            return exec_err!("transform_keys: two entries of a map have the same key");
        }
        begin += length;
    }
    map_of(kind, keys, values, lengths, nulls)
}

/// The entries of the first map, and behind them those of the second whose keys the first has not; the value that a map lacks is null.
fn map_zip_with(one: &MapArray, other: &MapArray, lambda: &LambdaArgument, kind: &DataType) -> Result<ArrayRef> {
    let nulls = NullBuffer::union(one.nulls(), other.nulls());
    let key = plain(one.keys().data_type());
    let (ones, others) = (cast(one.keys(), &key)?, cast(other.keys(), &key)?);
    let (one_rows, other_rows) = (comparable(&ones, &key)?, comparable(&others, &key)?);
    let (mut rows, mut lengths, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..one.len() {
        let before = pairs.len();
        if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
            let bounds = |map: &MapArray| map.value_offsets()[row] as usize..map.value_offsets()[row + 1] as usize;
            let same = |a: usize, b: usize| one_rows.row(a) == other_rows.row(b);
            pairs.extend(bounds(one).map(|a| (Some(a), bounds(other).find(|b| same(a, *b)))));
            pairs.extend(bounds(other).filter(|b| !bounds(one).any(|a| same(a, *b))).map(|b| (None, Some(b))));
        }
        lengths.push(pairs.len() - before);
        rows.extend(std::iter::repeat_n(row as u32, pairs.len() - before));
    }
    let place = |pair: &(Option<usize>, Option<usize>)| match *pair {
        (Some(a), _) => (0, a),
        (None, b) => (1, b.expect("an entry is of one of the maps")),
    };
    let keys = interleave(&[ones.as_ref(), others.as_ref()], &pairs.iter().map(place).collect::<Vec<_>>())?;
    let [ones, others] = [pairs.iter().map(|(a, _)| *a).collect::<Vec<_>>(), pairs.iter().map(|(_, b)| *b).collect()]
        .map(|places| places.into_iter().map(|place| place.map(|place| place as u32)).collect::<UInt32Array>());
    let (a, b) = (take(one.values(), &ones, None)?, take(other.values(), &others, None)?);
    let shown = cast(&keys, one.keys().data_type())?;
    let made = ask(lambda, &[shown, a, b], &rows.into())?;
    map_of(kind, keys, made, lengths, nulls)
}

pub fn map_of(
    kind: &DataType,
    keys: ArrayRef,
    values: ArrayRef,
    lengths: Vec<usize>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let DataType::Map(entries, sorted) = kind else { return plan_err!("{kind} is no map") };
    let DataType::Struct(fields) = entries.data_type() else { return plan_err!("a map has other entries") };
    let columns = vec![cast(&keys, fields[0].data_type())?, cast(&values, fields[1].data_type())?];
    let rows = StructArray::try_new(fields.clone(), columns, None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(MapArray::try_new(entries.clone(), offsets, rows, nulls, *sorted)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::tests::{archive, check, run};

    #[tokio::test]
    async fn lambdas_say_what_they_say_in_athena() {
        for (sql, expected) in [
            ("reduce(ARRAY[5, 20, 50], 0, (s, x) -> s + x, s -> s)", "75"),
            ("reduce(ARRAY[1.5, 2.5], 0, (s, x) -> s + x, s -> s)", "4.0"),
            ("reduce(split('a,b', ','), '', (s, x) -> s || x || ';', s -> upper(s))", "A;B;"),
            ("reduce(ARRAY[3, 9, 4], CAST(NULL AS BIGINT), (s, x) -> greatest(coalesce(s, x), x), s -> s * 2)", "18"),
            ("zip_with(ARRAY[1, 2], ARRAY['a'], (x, y) -> concat(CAST(x AS VARCHAR), coalesce(y, '-')))", "[1a, 2-]"),
            ("array_sort(ARRAY[3, 1, 2], (a, b) -> if(a < b, 1, if(a = b, 0, -1)))", "[3, 2, 1]"),
            ("array_sort(split('ccc,a,bb,b', ','), (a, b) -> length(a) - length(b))", "[a, b, bb, ccc]"),
            ("map_filter(MAP(ARRAY['a', 'b'], ARRAY[1, 2]), (k, v) -> v > 1)", "{b: 2}"),
            ("map_filter('{\"a\": 1, \"b\": {\"c\": 2}}', (k, v) -> k <> 'a')", "{b: {\"c\":2}}"),
            (
                "transform_values(MAP(ARRAY['a', 'b'], ARRAY[1, 2]), (k, v) -> k || CAST(v AS VARCHAR))",
                "{a: a1, b: b2}",
            ),
            ("transform_keys(MAP(ARRAY['a', 'b'], ARRAY[1, 2]), (k, v) -> v * 10)", "{10: 1, 20: 2}"),
            (
                "map_zip_with(MAP(ARRAY['a', 'b'], ARRAY[1, 2]), MAP(ARRAY['b', 'c'], ARRAY[3, 4]), \
                 (k, a, b) -> coalesce(a, 0) * 10 + coalesce(b, 0))",
                "{a: 10, b: 23, c: 4}",
            ),
        ] {
            check(&format!("SELECT {sql} AS f"), &format!("| f |\n| {expected} |")).await;
        }
        for (sql, expected) in [
            (
                "transform_keys(MAP(ARRAY['a', 'b'], ARRAY[1, 2]), (k, v) -> 'x')",
                "two entries of a map have the same key",
            ),
            ("transform_keys(MAP(ARRAY['a'], ARRAY[1]), (k, v) -> nullif(k, 'a'))", "a key is null"),
            ("array_sort(sequence(1, 5000), (a, b) -> b - a)", "lists of up to 4096 items, not 5000"),
        ] {
            let error = run(archive().path(), &format!("SELECT {sql}")).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[tokio::test]
    async fn lists_of_all_lengths_are_asked_with_the_other_columns_of_their_rows() {
        let lists = "FROM (VALUES (1, ARRAY[1, 2, 3]), (2, ARRAY[5]), (3, NULL), (4, ARRAY[])) AS t (n, v) ORDER BY n";
        for (sql, expected) in [
            ("reduce(v, n, (s, x) -> s + x * n, s -> s - n)", ["6", "10", "", "0"]),
            ("zip_with(v, ARRAY[n], (x, y) -> coalesce(x, 0) - coalesce(y, n))", ["[0, 1, 2]", "[3]", "", "[-4]"]),
            ("array_sort(v, (a, b) -> (b - a) * n)", ["[3, 2, 1]", "[5]", "", "[]"]),
        ] {
            let rows = expected.map(|value| if value.is_empty() { "| |".to_owned() } else { format!("| {value} |") });
            check(&format!("SELECT {sql} AS f {lists}"), &format!("| f |\n{}", rows.join("\n"))).await;
        }
        let counts = "SELECT map_filter(requestParameters, (k, v) -> v = eventid || 'x' OR k = 'bucketName') AS f, \
                      transform_values(requestParameters, (k, v) -> eventid || v) AS g FROM cloudtrail ORDER BY eventid";
        check(counts, "| f | g |\n| | |\n| {bucketName: x} | {bucketName: bx} |\n| | |").await;
        let histogram = "SELECT map_filter(histogram(eventname), (k, v) -> v > 1) AS f FROM cloudtrail";
        check(histogram, "| f |\n| {GetUser: 2} |").await;
    }

    #[test]
    fn equal_items_keep_their_order_and_contradictions_end_too() {
        // 3, 1, 3, 2: how each compares as the later one with those before it, as `earlier - later`
        let items = [3, 1, 3, 2];
        let signs: Vec<i64> = (0..4).flat_map(|b| (0..b).map(move |a| items[a] - items[b])).collect();
        assert_eq!(sorted(4, &signs), [1, 3, 0, 2]);
        assert_eq!(sorted(3, &[1, -1, 1]).len(), 3);
        assert!(sorted(0, &[]).is_empty());
    }
}
