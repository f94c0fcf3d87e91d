//! `json_object(keeps nulls, key, value, is JSON, ...)` and `json_array(keeps nulls, value, is JSON, ...)`: JSON made of values, as
//! `rule/sql_json.rs` writes SQL's constructors of JSON.

use std::sync::Arc;

use arrow::array::{Array, StringArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use serde_json::Value;

use super::maps::texts;
use super::typed::encoded;

pub fn all() -> [ScalarUDF; 2] {
    [What::Object, What::Array]
        .map(|what| ScalarUDF::new_from_impl(Made { what, signature: Signature::variadic_any(Volatility::Immutable) }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Object,
    Array,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Made {
    what: What,
    signature: Signature,
}

impl ScalarUDFImpl for Made {
    fn name(&self) -> &str {
        match self.what {
            What::Object => "json_object",
            What::Array => "json_array",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let keeps_nulls = is_true(&args.args[0]);
        let keyed = usize::from(self.what == What::Object);
        let mut parts: Vec<(Option<StringArray>, StringArray)> = Vec::new();
        for place in (1..args.args.len()).step_by(2 + keyed) {
            let key = (keyed > 0).then(|| texts(&args.args[place].to_array(args.number_rows)?)).transpose()?;
            parts.push((key, as_json(&args, place + keyed)?));
        }
        let mut made = StringBuilder::new();
        for row in 0..args.number_rows {
            let mut inner = Vec::with_capacity(parts.len());
            for (keys, values) in &parts {
                let value = if values.is_valid(row) { values.value(row) } else { "null" };
                if values.is_null(row) && !keeps_nulls {
                    continue;
                }
                inner.push(match keys {
                    Some(keys) if keys.is_null(row) => return exec_err!("a key of json_object is null"),
                    Some(keys) => format!("{}:{value}", Value::from(keys.value(row))),
                    None => value.to_owned(),
                });
            }
            let inner = inner.join(",");
            made.append_value(if keyed > 0 { format!("{{{inner}}}") } else { format!("[{inner}]") });
        }
        Ok(ColumnarValue::Array(Arc::new(made.finish())))
    }
}

/// An argument as JSON: what the one behind it says is JSON text must be such.
pub fn as_json(args: &ScalarFunctionArgs, place: usize) -> Result<StringArray> {
    let array = args.args[place].to_array(args.number_rows)?;
    if !args.args.get(place + 1).is_some_and(is_true) {
        return encoded(&array, &args.arg_fields[place]);
    }
    let checked = |text: &str| {
        let value = serde_json::from_str::<Value>(text);
        value
            .map(|value| value.to_string())
            .map_err(|_| exec_datafusion_err!("`{text}` is no JSON, as FORMAT JSON says"))
    };
    texts(&array)?.iter().map(|text| text.map(checked).transpose()).collect()
}

fn is_true(value: &ColumnarValue) -> bool {
    matches!(value, ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))))
}
