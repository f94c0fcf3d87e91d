//! `json_path_array(json, path)`, `json_path_item(json, path)` and `json_path_exists(json, path)`: what SQL's path of JSON leads to, which may be
//! several values, `lax $.items[*].cidrIp`, as one list, as the one value where it is one, and whether there is any.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use serde_json::Value;

pub fn all() -> [ScalarUDF; 3] {
    [What::Array, What::Item, What::Exists]
        .map(|what| ScalarUDF::new_from_impl(OfPath { what, signature: Signature::any(2, Volatility::Immutable) }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Array,
    Item,
    Exists,
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
            What::Item => "json_path_item",
            What::Exists => "json_path_exists",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.what {
            What::Array | What::Item => DataType::Utf8,
            What::Exists => DataType::Boolean,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ColumnarValue::Scalar(path) = &args.args[1] else { return exec_err!("the path of JSON is a constant") };
        let path = Path::parse(path.try_as_str().flatten().unwrap_or_default())
            .map_err(|why| exec_datafusion_err!("{why}"))?;
        let texts = cast(&args.args[0].to_array(args.number_rows)?, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        let found = |json: Option<&str>| {
            let json: Value = serde_json::from_str(json?).ok()?;
            path.of(&json).map(|found| found.into_iter().cloned().collect::<Vec<Value>>())
        };
        let array: ArrayRef = match self.what {
            What::Exists => {
                let exists = texts
                    .iter()
                    .enumerate()
                    .map(|(row, json)| texts.is_valid(row).then(|| found(json).is_some_and(|found| !found.is_empty())));
                Arc::new(exists.collect::<BooleanArray>())
            }
            What::Array => {
                let arrays = texts.iter().map(|json| found(json).filter(|found| !found.is_empty()));
                Arc::new(
                    arrays.map(|found| found.map(|found| Value::Array(found).to_string())).collect::<StringArray>(),
                )
            }
            What::Item => Arc::new(
                texts
                    .iter()
                    .map(|json| match found(json).as_deref() {
                        Some([item]) => Some(item.to_string()),
                        _ => None,
                    })
                    .collect::<StringArray>(),
            ),
        };
        Ok(ColumnarValue::Array(array))
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Path {
    /// Whether a step that leads nowhere is an error, which is no value, and no list is looked into for a name.
    strict: bool,
    steps: Vec<Step>,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    /// `.*`
    Names,
    Place(usize),
    /// `[*]`
    Places,
}

impl Path {
    fn parse(path: &str) -> std::result::Result<Path, String> {
        let (strict, rest) = match path.trim().strip_prefix("strict ") {
            Some(rest) => (true, rest.trim()),
            None => (false, path.trim().strip_prefix("lax ").unwrap_or(path).trim()),
        };
        let wrong = || format!("the path {path} has more than names, places and stars, as lax $.items[*].cidrIp has");
        let mut rest = rest.strip_prefix('$').ok_or_else(wrong)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let (place, behind) = inner.split_once(']').ok_or_else(wrong)?;
                steps.push(match place.trim() {
                    "*" => Step::Places,
                    place => match (quoted(place), place.parse()) {
                        (Some(name), _) => Step::Name(name.to_owned()),
                        (None, Ok(place)) => Step::Place(place),
                        (None, Err(_)) => return Err(wrong()),
                    },
                });
                rest = behind;
                continue;
            }
            let inner = rest.strip_prefix('.').ok_or_else(wrong)?;
            if let Some((name, behind)) = inner.strip_prefix('"').and_then(|inner| inner.split_once('"')) {
                steps.push(Step::Name(name.to_owned()));
                rest = behind;
                continue;
            }
            let end = inner.find(['.', '[']).unwrap_or(inner.len());
            let (name, behind) = inner.split_at(end);
            let is_name =
                |name: &str| !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
            steps.push(match name {
                "*" => Step::Names,
                name if is_name(name) => Step::Name(name.to_owned()),
                _ => return Err(wrong()),
            });
            rest = behind;
        }
        Ok(Path { strict, steps })
    }

    /// The values there; `None` where a strict path leads nowhere.
    fn of<'j>(&self, json: &'j Value) -> Option<Vec<&'j Value>> {
        let mut found = vec![json];
        for step in &self.steps {
            let mut next = Vec::new();
            for value in found {
                self.step(step, value, &mut next)?;
            }
            found = next;
        }
        Some(found)
    }

    fn step<'j>(&self, step: &Step, value: &'j Value, next: &mut Vec<&'j Value>) -> Option<()> {
        match (step, value) {
            (Step::Name(_) | Step::Names, Value::Array(items)) if !self.strict => {
                items.iter().filter(|item| item.is_object()).try_for_each(|item| self.step(step, item, next))?;
            }
            (Step::Name(name), Value::Object(object)) => match object.get(name) {
                Some(value) => next.push(value),
                None if self.strict => return None,
                None => {}
            },
            (Step::Names, Value::Object(object)) => next.extend(object.values()),
            (Step::Place(place), Value::Array(items)) => match items.get(*place) {
                Some(item) => next.push(item),
                None if self.strict => return None,
                None => {}
            },
            (Step::Places, Value::Array(items)) => next.extend(items),
            (Step::Place(0) | Step::Places, value) if !self.strict => next.push(value),
            _ if self.strict => return None,
            _ => {}
        }
        Some(())
    }
}

fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix(['"', '\''])?.strip_suffix(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_values() {
        let json: Value = serde_json::from_str(r#"{"a":[{"b":1},{"b":2,"c":[3]},4],"x y":{"z":5}}"#).unwrap();
        for (path, expected) in [
            ("lax $.a[*].b", Some("[1,2]")),
            ("$.a.b", Some("[1,2]")),
            ("strict $.a.b", None),
            ("strict $.a[*].b", None),
            ("strict $.a[1].b", Some("[2]")),
            ("lax $.a[1].c[*]", Some("[3]")),
            ("lax $.\"x y\".*", Some("[5]")),
            ("lax $[\"x y\"].z[0]", Some("[5]")),
            ("lax $.none[*]", Some("[]")),
            ("$", Some(r#"[{"a":[{"b":1},{"b":2,"c":[3]},4],"x y":{"z":5}}]"#)),
        ] {
            let found = Path::parse(path).unwrap().of(&json).map(|found| serde_json::to_string(&found).unwrap());
            assert_eq!(found.as_deref(), expected, "{path}");
        }
        for path in ["a.b", "lax $.a[*] ? (@ > 1)", "$.a[x]", "$..b", "$.a[0"] {
            assert!(Path::parse(path).unwrap_err().contains("names, places and stars"), "{path}");
        }
    }
}
