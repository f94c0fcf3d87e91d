//! `json_scalar(json)`: the text of a JSON value, and null where it is a list, an object or null, which `json_extract_scalar` of Athena
//! gives. `json_as_text` gives lists and objects too.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, AsArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

pub fn json_scalar() -> ScalarUDF {
    ScalarUDF::new_from_impl(JsonScalar { signature: Signature::any(1, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonScalar {
    signature: Signature,
}

impl ScalarUDFImpl for JsonScalar {
    fn name(&self) -> &str {
        "json_scalar"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = cast(&args.args[0].to_array(args.number_rows)?, &DataType::Utf8)?;
        let values = values.as_string::<i32>();
        let mut texts = StringBuilder::with_capacity(values.len(), values.values().len());
        values.iter().for_each(|json| texts.append_option(json.and_then(scalar)));
        Ok(ColumnarValue::Array(Arc::new(texts.finish())))
    }
}

fn scalar(json: &str) -> Option<Cow<'_, str>> {
    match json.as_bytes().first()? {
        b'{' | b'[' | b'n' => None,
        b'"' if json.contains('\\') => serde_json::from_str(json).ok().map(Cow::Owned),
        b'"' => json.strip_prefix('"')?.strip_suffix('"').map(Cow::Borrowed),
        _ => Some(Cow::Borrowed(json)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_objects_have_no_text() {
        for (json, expected) in [
            (r#""x""#, Some("x")),
            (r#""""#, Some("")),
            (r#""a\"\u00e9\\""#, Some("a\"é\\")),
            ("1.50", Some("1.50")),
            ("true", Some("true")),
            ("null", None),
            ("[1]", None),
            (r#"{"a":1}"#, None),
            ("", None),
            (r#""\ud800""#, None),
        ] {
            assert_eq!(scalar(json).as_deref(), expected, "{json}");
        }
    }
}
