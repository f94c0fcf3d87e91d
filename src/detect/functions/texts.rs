//! Values → every text in them: `json_texts(json, key, ...)`, `json_exists(json, key, ...)` and `texts(value, ...)`.
//!
//! All three see through lists: a key is looked for in each element, as rules on `items.cidrIp` expect.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListBuilder, StringViewArray, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::json_walk::{exists, texts};

/// Every function of this file.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    let signature = Signature::variadic_any(Volatility::Immutable);
    [
        ScalarUDF::new_from_impl(JsonTexts { signature: signature.clone() }),
        ScalarUDF::new_from_impl(JsonExists { signature: signature.clone() }),
        ScalarUDF::new_from_impl(Texts { signature }),
    ]
    .map(Arc::new)
    .into()
}

fn list_of_texts() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8View, true)))
}

/// The texts of every value at a path of JSON text and below it: strings as they are, numbers and booleans as text.
/// Null when nothing stands there.
#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonTexts {
    signature: Signature,
}

impl ScalarUDFImpl for JsonTexts {
    fn name(&self) -> &str {
        "json_texts"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_of_texts())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        check_path(self.name(), &args)?;
        Ok(Arc::new(Field::new(self.name(), list_of_texts(), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (json, keys) = json_and_keys(&args)?;
        let mut lists = ListBuilder::new(StringViewBuilder::new());
        for row in 0..json.len() {
            let any =
                json.is_valid(row) && texts(json.value(row), &keys, &mut |text| lists.values().append_value(text));
            lists.append(any);
        }
        Ok(ColumnarValue::Array(Arc::new(lists.finish())))
    }
}

/// True when there is a value other than null at a path of JSON text; never null.
#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonExists {
    signature: Signature,
}

impl ScalarUDFImpl for JsonExists {
    fn name(&self) -> &str {
        "json_exists"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        check_path(self.name(), &args)?;
        Ok(Arc::new(Field::new(self.name(), DataType::Boolean, false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (json, keys) = json_and_keys(&args)?;
        let stands = |row: usize| Some(json.is_valid(row) && exists(json.value(row), &keys));
        let answers: BooleanArray = (0..json.len()).map(stands).collect();
        Ok(ColumnarValue::Array(Arc::new(answers)))
    }
}

fn check_path(function: &str, args: &ReturnFieldArgs) -> Result<()> {
    let [json, ..] = args.arg_fields else { return plan_err!("{function} needs JSON text") };
    if !is_text(json.data_type()) {
        return plan_err!("the JSON of {function} is text, not {}", json.data_type());
    }
    let is_key = |key: &Option<&ScalarValue>| key.is_some_and(|key| key.try_as_str().flatten().is_some());
    if args.scalar_arguments[1..].iter().all(is_key) {
        return Ok(());
    }
    plan_err!("the keys of {function} are text constants such as 'userName'")
}

/// Whether values of this type are text, dictionaries of it and columns without values included.
pub(super) fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 | DataType::Null => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

fn json_and_keys(args: &ScalarFunctionArgs) -> Result<(StringViewArray, Vec<String>)> {
    let json = args.args[0].to_array(args.number_rows)?;
    let json = cast(&json, &DataType::Utf8View)?.as_string_view().clone();
    let key = |key: &ColumnarValue| match key {
        ColumnarValue::Scalar(key) => Ok(key.try_as_str().flatten().unwrap_or_default().to_owned()),
        ColumnarValue::Array(_) => exec_err!("the keys of a JSON path are constants"),
    };
    Ok((json, args.args[1..].iter().map(key).collect::<Result<_>>()?))
}

/// The texts of all arguments: of structs and lists those inside, numbers and booleans as text, times as CloudTrail writes
/// them (`2024-08-01T11:30:23Z`). Nothing for null; the list itself is never null.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Texts {
    signature: Signature,
}

impl ScalarUDFImpl for Texts {
    fn name(&self) -> &str {
        "texts"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_of_texts())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut columns = Vec::new();
        for argument in &args.args {
            columns.push(Column::new(&argument.to_array(args.number_rows)?)?);
        }
        let mut lists = ListBuilder::new(StringViewBuilder::new());
        for row in 0..args.number_rows {
            columns.iter().for_each(|column| column.texts(row, lists.values()));
            lists.append(true);
        }
        Ok(ColumnarValue::Array(Arc::new(lists.finish())))
    }
}

/// An array whose leaves are text.
enum Column {
    Text(StringViewArray),
    Struct(ArrayRef, Vec<Column>),
    List(ArrayRef, Box<Column>),
}

impl Column {
    fn new(array: &ArrayRef) -> Result<Column> {
        Ok(match array.data_type() {
            DataType::Struct(_) => {
                let fields = array.as_struct().columns().iter().map(Column::new).collect::<Result<_>>()?;
                Column::Struct(array.clone(), fields)
            }
            DataType::List(_) => Column::List(array.clone(), Box::new(Column::new(array.as_list::<i32>().values())?)),
            DataType::Timestamp(..) => {
                let micros = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into()));
                let micros = cast(array, &micros)?;
                let shown = |time: i64| {
                    let time = chrono::DateTime::from_timestamp_micros(time)?;
                    Some(time.format("%Y-%m-%dT%H:%M:%SZ").to_string())
                };
                let times = micros.as_primitive::<TimestampMicrosecondType>().iter();
                Column::Text(times.map(|time| time.and_then(shown)).collect())
            }
            _ => Column::Text(cast(array, &DataType::Utf8View)?.as_string_view().clone()),
        })
    }

    fn texts(&self, row: usize, into: &mut StringViewBuilder) {
        match self {
            Column::Text(texts) if texts.is_valid(row) => into.append_value(texts.value(row)),
            Column::Struct(array, fields) if array.is_valid(row) => {
                fields.iter().for_each(|field| field.texts(row, into));
            }
            Column::List(array, elements) if array.is_valid(row) => {
                let offsets = array.as_list::<i32>().value_offsets();
                (offsets[row] as usize..offsets[row + 1] as usize).for_each(|place| elements.texts(place, into));
            }
            Column::Text(_) | Column::Struct(..) | Column::List(..) => {}
        }
    }
}
