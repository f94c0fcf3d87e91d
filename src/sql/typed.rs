//! Functions of Athena's that do another thing for each type of their argument: lists, maps, and JSON text, which CloudTrail
//! Lake has maps for and Athena texts.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, MapArray, StringArray, StringBuilder, StructArray, UInt32Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{cast, nullif, take};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use arrow::json::EncoderOptions;
use arrow::json::writer::make_encoder;
use arrow::row::{RowConverter, Rows, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, exec_err, plan_datafusion_err, plan_err};
use datafusion::functions::string;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_functions_json::udfs::{json_as_text_udf, json_length_udf};
use ipnet::IpNet;

use super::maps::{lengths, maps, plain, texts};
use crate::detect::athena::names::type_name;
use crate::detect::athena::shape::{Shape, map_type};
use crate::detect::functions::addresses::{judge_texts, read_address};

pub fn all() -> Vec<ScalarUDF> {
    [
        (What::ElementAt, 2),
        (What::Contains, 2),
        (What::Cardinality, 1),
        (What::MapKeys, 1),
        (What::MapValues, 1),
        (What::MapFromEntries, 1),
        (What::JsonCast, 2),
        (What::ToJson, 1),
        (What::TypeOf, 1),
        (What::Reverse, 1),
        (What::ToIso8601, 1),
        (What::ConcatWs, 0),
    ]
    .map(|(what, count)| {
        let signature = match count {
            0 => Signature::variadic_any(Volatility::Immutable),
            count => Signature::any(count, Volatility::Immutable),
        };
        ScalarUDF::new_from_impl(Typed { what, signature })
    })
    .into()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    ElementAt,
    Contains,
    Cardinality,
    MapKeys,
    MapValues,
    MapFromEntries,
    JsonCast,
    ToJson,
    TypeOf,
    Reverse,
    ToIso8601,
    ConcatWs,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Typed {
    what: What,
    signature: Signature,
}

impl ScalarUDFImpl for Typed {
    fn name(&self) -> &str {
        match self.what {
            What::ElementAt => "element_at",
            What::Contains => "contains",
            What::Cardinality => "cardinality",
            What::MapKeys => "map_keys",
            What::MapValues => "map_values",
            What::MapFromEntries => "map_from_entries",
            What::JsonCast => "json_cast",
            What::ToJson => "to_json",
            What::TypeOf => "typeof",
            What::Reverse => "reverse",
            What::ToIso8601 => "to_iso8601",
            What::ConcatWs => "concat_ws",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("{} is asked for its field", self.name())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        if args.arg_fields.is_empty() {
            return plan_err!("{} takes a text to put between, and texts or a list of them", self.name());
        }
        let kind = plain(args.arg_fields[0].data_type());
        let list_of = |kind: &DataType| DataType::List(Arc::new(Field::new_list_field(kind.clone(), true)));
        let result = match (self.what, &kind) {
            (What::TypeOf | What::ConcatWs, _) => DataType::Utf8,
            (_, DataType::Null) if self.what != What::JsonCast => DataType::Null,
            (What::ElementAt, DataType::Utf8) => DataType::Utf8,
            (What::ElementAt, DataType::List(item)) => item.data_type().clone(),
            (What::ElementAt, DataType::Struct(fields)) => match field_at(fields, args.scalar_arguments[1]) {
                Some(place) => fields[place].data_type().clone(),
                None => return plan_err!("{} takes {}, not {}", self.name(), self.takes(), in_short(&kind)),
            },
            (What::ElementAt | What::MapValues | What::MapKeys, DataType::Map(..)) => {
                let (key, value) = key_and_value(&kind)?;
                match self.what {
                    What::ElementAt => value.clone(),
                    What::MapKeys => list_of(key),
                    _ => list_of(value),
                }
            }
            (What::MapKeys | What::MapValues, DataType::Utf8) => list_of(&DataType::Utf8),
            (What::MapFromEntries, DataType::List(item)) => match item.data_type() {
                DataType::Struct(fields) if fields.len() == 2 => {
                    map_type(plain(fields[0].data_type()), plain(fields[1].data_type()))
                }
                _ => return plan_err!("map_from_entries takes {}", self.takes()),
            },
            (What::Contains, DataType::List(_) | DataType::Utf8) => DataType::Boolean,
            (What::Cardinality, DataType::List(_) | DataType::Map(..) | DataType::Utf8) => DataType::Int64,
            (What::JsonCast, _) => shape(&args)?.data_type(),
            (What::ToJson, _) => DataType::Utf8,
            (What::Reverse, DataType::List(_) | DataType::Utf8) => kind,
            (What::ToIso8601, DataType::Date32 | DataType::Timestamp(..)) => DataType::Utf8,
            (_, other) => return plan_err!("{} takes {}, not {}", self.name(), self.takes(), in_short(other)),
        };
        Ok(Arc::new(Field::new(self.name(), result, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let first = &args.args[0];
        let kind = plain(&first.data_type());
        if self.what == What::TypeOf {
            return Ok(ColumnarValue::Scalar(ScalarValue::from(type_name(&first.data_type()))));
        }
        if self.what == What::ConcatWs {
            return Ok(ColumnarValue::Array(Arc::new(joined(&args)?)));
        }
        if kind == DataType::Null && self.what != What::JsonCast {
            return Ok(first.clone());
        }
        let is_text = kind == DataType::Utf8;
        match self.what {
            What::ElementAt if is_text => return json_as_text_udf().invoke_with_args(args),
            What::Cardinality if is_text => {
                let return_field = Arc::new(Field::new("length", DataType::UInt64, true));
                let length = json_length_udf().invoke_with_args(ScalarFunctionArgs { return_field, ..args })?;
                return length.cast_to(&DataType::Int64, None);
            }
            What::Contains if is_text => return part_of_text(args),
            _ => {}
        }
        let rows = args.number_rows;
        let array = first.to_array(rows)?;
        let second = || args.args[1].to_array(rows);
        let answer: ArrayRef = match self.what {
            What::ElementAt if matches!(kind, DataType::Struct(_)) => field_of_rows(&array, &args.args[1])?,
            What::ElementAt => element_at(&array, &second()?)?,
            What::Contains => Arc::new(contains(&array, &second()?)?),
            What::Cardinality => {
                Arc::new(lengths(&array).ok_or_else(|| exec_datafusion_err!("cardinality of {kind}"))?)
            }
            What::MapKeys | What::MapValues => parts(&array, self.what == What::MapKeys, args.return_type())?,
            What::MapFromEntries => map_from_entries(&array, args.return_type())?,
            What::JsonCast => json_cast(&array, args.return_type(), &args.args[1])?,
            What::ToJson => to_json(&array, &args.arg_fields[0])?,
            What::Reverse if is_text => {
                let turned = |text: &str| text.chars().rev().collect::<String>();
                Arc::new(texts(&array)?.iter().map(|text| text.map(turned)).collect::<StringArray>())
            }
            What::Reverse => reversed(&array)?,
            What::ToIso8601 => Arc::new(iso8601(&array)?),
            What::TypeOf | What::ConcatWs => unreachable!("it was answered above"),
        };
        Ok(ColumnarValue::Array(answer))
    }
}

impl Typed {
    fn takes(&self) -> &str {
        match self.what {
            What::ElementAt => "a list, a map or JSON text",
            What::Contains => "a list, or a network such as '10.0.0.0/8' and an address",
            What::Cardinality => "a list, a map or JSON text",
            What::MapKeys | What::MapValues => "a map or JSON text",
            What::MapFromEntries => "a list of rows of a key and a value",
            What::JsonCast | What::ToJson | What::TypeOf => "a value",
            What::Reverse => "a text or a list",
            What::ToIso8601 => "a time or a date",
            What::ConcatWs => "texts",
        }
    }
}

/// What a type is called in a message: those of structs are as long as a page.
pub fn in_short(kind: &DataType) -> String {
    match kind {
        DataType::Struct(_) => "a struct".to_owned(),
        other => type_name(other),
    }
}

pub fn key_and_value(kind: &DataType) -> Result<(&DataType, &DataType)> {
    if let DataType::Map(entries, _) = kind
        && let DataType::Struct(fields) = entries.data_type()
        && let [key, value] = fields.as_ref()
    {
        return Ok((key.data_type(), value.data_type()));
    }
    plan_err!("{kind} is no map")
}

fn shape(args: &ReturnFieldArgs) -> Result<Shape> {
    let text = args.scalar_arguments.get(1).copied().flatten().and_then(|text| text.try_as_str().flatten());
    let text = text.ok_or_else(|| plan_datafusion_err!("the type that JSON is cast to is a constant"))?;
    Shape::parse(text).map_err(|error| plan_datafusion_err!("{error}"))
}

/// Values as they compare: equal ones are the same bytes.
pub fn comparable(values: &ArrayRef, kind: &DataType) -> Result<Rows> {
    let converter = RowConverter::new(vec![SortField::new(kind.clone())])?;
    Ok(converter.convert_columns(&[cast(values, kind)?])?)
}

/// The item at a place, from 1 or from the end, or the value of a key; null where there is none.
fn element_at(array: &ArrayRef, at: &ArrayRef) -> Result<ArrayRef> {
    let place = |place: usize| u32::try_from(place).ok();
    let (values, places): (ArrayRef, UInt32Array) = match array.data_type() {
        DataType::List(_) => {
            let (list, at) = (array.as_list::<i32>(), cast(at, &DataType::Int64)?);
            let at = at.as_primitive::<Int64Type>();
            let find = |row: usize| {
                if list.is_null(row) || at.is_null(row) {
                    return None;
                }
                let (begin, end) = (i64::from(list.offsets()[row]), i64::from(list.offsets()[row + 1]));
                let found = match at.value(row) {
                    0 => return None,
                    behind @ 1.. => begin.checked_add(behind - 1)?,
                    before => end.checked_add(before)?,
                };
                (begin..end).contains(&found).then_some(found).and_then(|found| place(found as usize))
            };
            (list.values().clone(), (0..list.len()).map(find).collect())
        }
        kind => {
            let map = array.as_map();
            let key = plain(key_and_value(kind)?.0);
            let (keys, at_rows) = (comparable(map.keys(), &key)?, comparable(at, &key)?);
            let find = |row: usize| {
                let (begin, end) = (map.offsets()[row] as usize, map.offsets()[row + 1] as usize);
                let known = map.is_valid(row) && at.is_valid(row);
                (begin..end).find(|&entry| known && keys.row(entry) == at_rows.row(row)).and_then(place)
            };
            (map.values().clone(), (0..map.len()).map(find).collect())
        }
    };
    Ok(take(&values, &places, None)?)
}

/// Which field of a row stands at a place, counted from 1.
fn field_at(fields: &Fields, at: Option<&ScalarValue>) -> Option<usize> {
    let ScalarValue::Int64(Some(at)) = at?.cast_to(&DataType::Int64).ok()? else { return None };
    usize::try_from(at).ok()?.checked_sub(1).filter(|place| *place < fields.len())
}

/// That field of each row; null where the row is.
fn field_of_rows(array: &ArrayRef, at: &ColumnarValue) -> Result<ArrayRef> {
    let rows = array.as_struct();
    let ColumnarValue::Scalar(at) = at else { return exec_err!("the place of a field of a row is a constant") };
    let place = field_at(rows.fields(), Some(at)).ok_or_else(|| exec_datafusion_err!("a row has no field {at}"))?;
    let known = |row: usize| rows.is_valid(row).then(|| u32::try_from(row).ok()).flatten();
    let places: UInt32Array = (0..rows.len()).map(known).collect();
    Ok(take(rows.column(place), &places, None)?)
}

/// Maps of lists of a key and a value each; null where the list is, or one of its items.
fn map_from_entries(array: &ArrayRef, kind: &DataType) -> Result<ArrayRef> {
    let DataType::Map(entries, _) = kind else { return plan_err!("{kind} is no map") };
    let DataType::Struct(fields) = entries.data_type() else { return plan_err!("{kind} has no entries") };
    let list = array.as_list::<i32>();
    let items = list.values().as_struct();
    let (keys, key) = (items.column(0), fields[0].data_type());
    let compared = comparable(keys, key)?;
    let (mut places, mut offsets, mut known) = (Vec::new(), vec![0_i32], Vec::new());
    for row in 0..list.len() {
        let of_row = list.offsets()[row] as usize..list.offsets()[row + 1] as usize;
        let is_known = list.is_valid(row) && of_row.clone().all(|place| items.is_valid(place));
        if is_known {
            let mut seen = HashSet::new();
            for place in of_row {
                if keys.is_null(place) {
                    return exec_err!("the key of an entry of map_from_entries is null");
                }
                if !seen.insert(compared.row(place)) {
                    return exec_err!("a key is twice in the entries of map_from_entries; map_agg keeps the first");
                }
                places.push(place as u32);
            }
        }
        known.push(is_known);
        offsets.push(places.len() as i32);
    }
    let places = UInt32Array::from(places);
    let columns = items.columns().iter().zip(fields);
    let columns = columns.map(|(column, field)| Ok(take(&cast(column, field.data_type())?, &places, None)?));
    let rows = StructArray::try_new(fields.clone(), columns.collect::<Result<_>>()?, None)?;
    let offsets = OffsetBuffer::new(offsets.into());
    Ok(Arc::new(MapArray::try_new(entries.clone(), offsets, rows, Some(known.into()), false)?))
}

/// Whether a list has an item; null where it does not and has one that is null.
fn contains(array: &ArrayRef, item: &ArrayRef) -> Result<BooleanArray> {
    let list = array.as_list::<i32>();
    let kind = plain(&list.value_type());
    let (values, items) = (comparable(list.values(), &kind)?, comparable(item, &kind)?);
    let judge = |row: usize| {
        if list.is_null(row) || item.is_null(row) {
            return None;
        }
        let mut places = list.offsets()[row] as usize..list.offsets()[row + 1] as usize;
        match places.clone().any(|place| values.row(place) == items.row(row)) {
            true => Some(true),
            false => (!places.any(|place| list.values().is_null(place))).then_some(false),
        }
    };
    Ok((0..list.len()).map(judge).collect())
}

/// Whether an address is of a network, null where it is none; or whether a text has another in it.
fn part_of_text(args: ScalarFunctionArgs) -> Result<ColumnarValue> {
    let network = match &args.args[0] {
        ColumnarValue::Scalar(text) => text.try_as_str().flatten().filter(|text| text.contains('/')),
        ColumnarValue::Array(_) => None,
    };
    match network.and_then(|text| text.parse::<IpNet>().ok()) {
        Some(network) => {
            let address = |text: Option<&str>| text.and_then(read_address);
            let is_of =
                judge_texts(&args.args[1], &|text| address(text).is_some_and(|found| network.contains(&found)))?;
            let is_none = judge_texts(&args.args[1], &|text| address(text).is_none())?;
            let is_none = is_none.to_array(args.number_rows)?;
            Ok(ColumnarValue::Array(nullif(&is_of.to_array(args.number_rows)?, is_none.as_boolean())?))
        }
        None => {
            let plain = |value: &ColumnarValue| value.cast_to(&DataType::Utf8, None);
            let values = args.args.iter().map(plain).collect::<Result<_>>()?;
            string::contains().invoke_with_args(ScalarFunctionArgs { args: values, ..args })
        }
    }
}

/// Lists from their last item to their first.
fn reversed(array: &ArrayRef) -> Result<ArrayRef> {
    let list = array.as_list::<i32>();
    let places: UInt32Array = list
        .offsets()
        .windows(2)
        .flat_map(|ends| (ends[0]..ends[1]).rev())
        .map(|place| u32::try_from(place).ok())
        .collect();
    let begin = list.offsets()[0];
    let offsets = OffsetBuffer::new(list.offsets().iter().map(|end| end - begin).collect());
    let DataType::List(item) = list.data_type() else { return plan_err!("{} is no list", list.data_type()) };
    Ok(Arc::new(ListArray::try_new(item.clone(), offsets, take(list.values(), &places, None)?, list.nulls().cloned())?))
}

/// `2024-08-01T10:00:00.000`, with the zone where there is one, and of a date the date.
fn iso8601(array: &ArrayRef) -> Result<StringArray> {
    let options = FormatOptions::default()
        .with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.3f"))
        .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.3f%:z"));
    let shown = ArrayFormatter::try_new(array, &options)?;
    let text = |row: usize| {
        let text = shown.value(row).try_to_string()?;
        Ok(text.strip_suffix("+00:00").map_or_else(|| text.clone(), |time| format!("{time}Z")))
    };
    (0..array.len()).map(|row| array.is_valid(row).then(|| text(row)).transpose()).collect()
}

/// Texts with the first between them; a list among them is as many as it has. Nulls are passed over.
fn joined(args: &ScalarFunctionArgs) -> Result<StringArray> {
    let rows = args.number_rows;
    let arrays = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<Vec<_>>>()?;
    let columns = arrays[1..].iter().map(|array| match array.as_list_opt::<i32>() {
        Some(list) => Ok((texts(list.values())?, Some(list))),
        None => Ok((texts(array)?, None)),
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let one = |(row, between): (usize, Option<&str>)| {
        let mut parts = Vec::new();
        for (texts, list) in &columns {
            let places = match list {
                None => row..row + 1,
                Some(list) if list.is_null(row) => continue,
                Some(list) => list.offsets()[row] as usize..list.offsets()[row + 1] as usize,
            };
            parts.extend(places.filter(|&place| texts.is_valid(place)).map(|place| texts.value(place)));
        }
        between.map(|between| parts.join(between))
    };
    Ok(texts(&arrays[0])?.iter().enumerate().map(one).collect())
}

/// The keys of maps, or their values, as lists.
pub fn parts(array: &ArrayRef, of_keys: bool, result: &DataType) -> Result<ArrayRef> {
    let map = maps(array)?;
    let values = if of_keys { map.keys() } else { map.values() };
    let DataType::List(item) = result else { return plan_err!("{result} is no list") };
    let values = cast(values, item.data_type())?;
    Ok(Arc::new(ListArray::try_new(item.clone(), map.offsets().clone(), values, map.nulls().cloned())?))
}

/// JSON text as a type; what is no text is cast as it is.
fn json_cast(array: &ArrayRef, kind: &DataType, shape: &ColumnarValue) -> Result<ArrayRef> {
    if plain(array.data_type()) != DataType::Utf8 {
        return Ok(cast(array, kind)?);
    }
    let shape = match shape {
        ColumnarValue::Scalar(text) => text.try_as_str().flatten().unwrap_or_default(),
        ColumnarValue::Array(_) => "",
    };
    let read = Shape::parse(shape).and_then(|shape| shape.read(&texts(array)?));
    read.map_err(|error| exec_datafusion_err!("{error}"))
}

/// Lists, maps, structs, numbers and booleans as JSON. Text stays, for JSON is text here already.
fn to_json(array: &ArrayRef, field: &FieldRef) -> Result<ArrayRef> {
    if plain(array.data_type()) == DataType::Utf8 {
        return Ok(Arc::new(texts(array)?));
    }
    Ok(Arc::new(encoded(array, field)?))
}

/// Values as JSON, texts as its texts.
pub fn encoded(array: &ArrayRef, field: &FieldRef) -> Result<StringArray> {
    if array.data_type() == &DataType::Null {
        return Ok(StringArray::new_null(array.len()));
    }
    let options = EncoderOptions::default();
    let mut encoder = make_encoder(field, array, &options)?;
    let (mut json, mut texts) = (Vec::new(), StringBuilder::new());
    for row in 0..array.len() {
        if array.is_null(row) {
            texts.append_null();
            continue;
        }
        json.clear();
        encoder.encode(row, &mut json);
        texts.append_value(std::str::from_utf8(&json).map_err(|error| exec_datafusion_err!("{error}"))?);
    }
    Ok(texts.finish())
}
