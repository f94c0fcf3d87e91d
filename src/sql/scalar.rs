//! `json_scalar(json)`: the text of a JSON value, and null where it is a list, an object or null, which `json_extract_scalar` of Athena
//! gives. `json_as_text` gives lists and objects too. `json_whole(json)` has numbers and truths as a cast to an integer has them.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, AsArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

pub fn all() -> [ScalarUDF; 2] {
    [What::Scalar, What::Whole]
        .map(|what| ScalarUDF::new_from_impl(JsonScalar { what, signature: Signature::any(1, Volatility::Immutable) }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Scalar,
    Whole,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonScalar {
    what: What,
    signature: Signature,
}

impl ScalarUDFImpl for JsonScalar {
    fn name(&self) -> &str {
        match self.what {
            What::Scalar => "json_scalar",
            What::Whole => "json_whole",
        }
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
        let text = match self.what {
            What::Scalar => scalar,
            What::Whole => whole,
        };
        values.iter().for_each(|json| texts.append_option(json.and_then(text)));
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

/// What is no whole number and can be none stays, so that the cast of its text fails.
fn whole(json: &str) -> Option<Cow<'_, str>> {
    let json = json.trim();
    match json {
        "true" => return Some(Cow::Borrowed("1")),
        "false" => return Some(Cow::Borrowed("0")),
        _ if json.starts_with(['{', '[']) => return Some(Cow::Borrowed(json)),
        _ => {}
    }
    let is_fraction = !json.starts_with('"') && json.contains(['.', 'e', 'E']);
    match json.parse::<f64>() {
        Ok(number) if is_fraction => Some(Cow::Owned(format!("{:.0}", number.round()))),
        _ => scalar(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_rounded_where_a_whole_one_is_asked_for() {
        for (json, expected) in [
            ("17", Some("17")),
            ("9007199254740993", Some("9007199254740993")),
            ("1.5", Some("2")),
            ("-1.5", Some("-2")),
            ("1.7E3", Some("1700")),
            ("1e30", Some("1000000000000000019884624838656")),
            ("true", Some("1")),
            (" 5 ", Some("5")),
            (r#""17""#, Some("17")),
            (r#""1.7""#, Some("1.7")),
            ("null", None),
            ("[1]", Some("[1]")),
        ] {
            assert_eq!(whole(json).as_deref(), expected, "{json}");
        }
    }

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
