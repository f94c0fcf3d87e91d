//! `json_path_array(json, path)`, `json_path_item(json, path)` and others: what SQL's path of JSON leads to, which may be several values,
//! `lax $.items[*].cidrIp`, as one list, as the one value where it is one, and whether there is any. Behind the path stand the names and
//! values of `PASSING`, and of each whether it is JSON text.

mod parse;
mod walk;

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_datafusion_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use serde_json::Value;

use self::parse::Path;
use super::json_made::as_json;
use super::maps::texts;

pub fn all() -> [ScalarUDF; 5] {
    [What::Array, What::Several, What::Item, What::Exists, What::Outcome].map(|what| {
        ScalarUDF::new_from_impl(OfPath { what, signature: Signature::variadic_any(Volatility::Immutable) })
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Array,
    /// A list, but of one list or object that.
    Several,
    Item,
    Exists,
    /// `empty`, `found`, or `error` where the path cannot be gone along; null of a null.
    Outcome,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfPath {
    what: What,
    signature: Signature,
}

impl ScalarUDFImpl for OfPath {
    fn name(&self) -> &str {
        match self.what {
            What::Array => "json_path_array",
            What::Several => "json_path_several",
            What::Item => "json_path_item",
            What::Exists => "json_path_exists",
            What::Outcome => "json_path_outcome",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("{} is asked for its field", self.name())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let path = args.scalar_arguments.get(1).copied().flatten().and_then(|path| path.try_as_str().flatten());
        let Some(path) = path else {
            return plan_err!("the path of JSON is a text constant such as 'lax $.bucketName'");
        };
        Path::parse(path).map_err(|why| plan_datafusion_err!("{why}"))?;
        let kind = if self.what == What::Exists { DataType::Boolean } else { DataType::Utf8 };
        Ok(Arc::new(Field::new(self.name(), kind, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = |place: usize| match args.args.get(place) {
            Some(ColumnarValue::Scalar(text)) => Ok(text.try_as_str().flatten().unwrap_or_default().to_owned()),
            _ => exec_err!("the path of JSON is a constant"),
        };
        let path = Path::parse(&constant(1)?).map_err(|why| exec_datafusion_err!("{why}"))?;
        let json = texts(&args.args[0].to_array(args.number_rows)?)?;
        let mut given: Vec<(String, StringArray)> = Vec::new();
        for place in (2..args.args.len()).step_by(3) {
            given.push((constant(place)?, as_json(&args, place + 1)?));
        }
        let of_row = |row: usize| {
            let value = |texts: &StringArray| match texts.is_valid(row) {
                true => serde_json::from_str(texts.value(row)).ok(),
                false => Some(Value::Null),
            };
            let json: Value = json.is_valid(row).then(|| value(&json))??;
            let given = given.iter().map(|(name, texts)| Some((name.clone(), value(texts)?)));
            let given: Vec<(String, Value)> = given.collect::<Option<_>>()?;
            let found = path.of(&json, &given).ok()?;
            Some(found.into_iter().map(Cow::into_owned).collect::<Vec<Value>>())
        };
        let rows = 0..args.number_rows;
        let array: ArrayRef = match self.what {
            What::Exists => {
                let exists = |row| json.is_valid(row).then(|| of_row(row).is_some_and(|found| !found.is_empty()));
                Arc::new(rows.map(exists).collect::<BooleanArray>())
            }
            What::Outcome => {
                let outcome = |row| match of_row(row) {
                    _ if json.is_null(row) => None,
                    None => Some("error"),
                    Some(found) if found.is_empty() => Some("empty"),
                    Some(found) if found == [Value::Null] => None,
                    Some(_) => Some("found"),
                };
                Arc::new(rows.map(outcome).collect::<StringArray>())
            }
            What::Array | What::Several | What::Item => {
                let text = |row| self.shown(of_row(row)?).map(|value| value.to_string());
                Arc::new(rows.map(text).collect::<StringArray>())
            }
        };
        Ok(ColumnarValue::Array(array))
    }
}

impl OfPath {
    /// What is shown of values, of which there are none where nothing is.
    fn shown(&self, mut found: Vec<Value>) -> Option<Value> {
        let is_alone = found.len() == 1;
        let is_nested = is_alone && (found[0].is_array() || found[0].is_object());
        match self.what {
            _ if found.is_empty() => None,
            What::Array => Some(Value::Array(found)),
            What::Several if !is_nested => Some(Value::Array(found)),
            What::Several | What::Item | What::Exists | What::Outcome => found.pop().filter(|_| is_alone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"a":[{"b":1},{"b":2,"c":[3]},4],"x y":{"z":5},"s":"tcp","n":null,"e":[]}"#;

    fn check(json: &str, cases: &[(&str, Option<&str>)]) {
        let json: Value = serde_json::from_str(json).unwrap();
        let given = [("low".to_owned(), Value::from(2))];
        for (path, expected) in cases {
            let parsed = Path::parse(path).unwrap();
            let found = parsed.of(&json, &given).ok().map(|found| serde_json::to_string(&found).unwrap());
            assert_eq!(found.as_deref(), *expected, "{path}");
        }
    }

    #[test]
    fn a_path_leads_to_values() {
        check(
            JSON,
            &[
                ("lax $.a[*].b", Some("[1,2]")),
                ("$.a.b", Some("[1,2]")),
                ("strict $.a.b", None),
                ("strict $.a[*].b", None),
                ("strict $.a[1].b", Some("[2]")),
                ("lax $.a[1].c[*]", Some("[3]")),
                ("lax $.\"x y\".*", Some("[5]")),
                ("lax $[\"x y\"].z[0]", Some("[5]")),
                ("lax $.none[*]", Some("[]")),
                ("lax $.a[1 to last].b", Some("[2]")),
                ("lax $.a[0, last]", Some(r#"[{"b":1},4]"#)),
                ("lax $.a[last - 1].b", Some("[2]")),
                ("lax $.e[last]", Some("[]")),
                ("lax $.a[7]", Some("[]")),
                ("strict $.a[7]", None),
                ("lax $..b", Some("[1,2]")),
                ("lax $.a.size()", Some("[3]")),
                ("strict $.e.size()", Some("[0]")),
                ("strict $.s.size()", None),
                ("lax $.a[*].type()", Some(r#"["object","object","number"]"#)),
                ("lax $.\"x y\".keyvalue().name", Some(r#"["z"]"#)),
                ("lax $.\"x y\".z * 2 - -1", Some("[11]")),
                ("lax ($.\"x y\".z + 1.5).floor()", Some("[6]")),
                ("lax $.s + 1", None),
                ("lax $.a[$low]", Some("[4]")),
            ],
        );
        check("5", &[("$", Some("[5]"))]);
    }

    #[test]
    fn a_filter_keeps_what_its_condition_holds_for() {
        check(
            JSON,
            &[
                ("lax $.a[*] ? (@.b > 1).b", Some("[2]")),
                ("lax $.a ? (@.b >= 1 && @.b < $low).b", Some("[1]")),
                ("lax $.a[*] ? (@.b == 2 || @ == 4)", Some(r#"[{"b":2,"c":[3]},4]"#)),
                ("lax $.a[*] ? (exists(@.c)).b", Some("[2]")),
                ("lax $.a[*] ? (!exists(@.c)).b", Some("[1]")),
                ("lax $ ? (exists(@.e)).s", Some(r#"["tcp"]"#)),
                ("lax $.s ? (@ starts with \"tc\")", Some(r#"["tcp"]"#)),
                ("lax $.s ? (@ like_regex \"^T.P$\" flag \"i\")", Some(r#"["tcp"]"#)),
                ("lax $.s ? (@ like_regex \"t.p\" flag \"q\")", Some("[]")),
                ("lax $.n ? (@ == null)", Some("[null]")),
                ("lax $.s ? (@ != null)", Some(r#"["tcp"]"#)),
                ("lax $.\"x y\" ? (@ != null).z", Some("[5]")),
                ("lax $.\"x y\" ? (@ == null)", Some("[]")),
                // an object and a number do not compare
                ("lax $ ? (@.a == 4).s", Some("[]")),
                ("lax $ ? (@.a[last, 0] == 4).s", Some("[]")),
                // a text and a number do not compare, which is neither true nor false
                ("lax $.s ? (@ > 1)", Some("[]")),
                ("lax $.s ? (!(@ > 1))", Some("[]")),
                ("lax $.s ? ((@ > 1) is unknown)", Some(r#"["tcp"]"#)),
                ("lax $.a[*] ? ((@.b + 1) * 2 == 6).b", Some("[2]")),
            ],
        );
        // of a match and of what does not compare the first decides
        let json = r#"{"l":["x",1],"m":[1,"x"]}"#;
        check(json, &[("lax $ ? (@.l == 1).l[1]", Some("[]")), ("lax $ ? (@.m == 1).m[1]", Some(r#"["x"]"#))]);
    }
}
