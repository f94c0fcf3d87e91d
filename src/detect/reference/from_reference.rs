//! What a list or database of the user's says of a value: `from_reference(address, 'name', 'country.iso_code')`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::database::Path;
use super::keyed::Keyed;
use super::{List, References, own_accounts};
use crate::detect::functions::addresses::{check_text, read_address};

/// The functions over what a user brings: `in_reference`, `from_reference` and `without_own`.
pub fn functions(references: &References) -> [Arc<ScalarUDF>; 3] {
    let signature = Signature::any(3, Volatility::Immutable);
    let from_reference = ScalarUDF::new_from_impl(FromReference { signature, references: references.clone() });
    [super::function(references), Arc::new(from_reference), own_accounts::function(references)]
}

/// Null where the list or the database has no row for the value, or that row has no such column or path.
#[derive(Debug, PartialEq, Eq, Hash)]
struct FromReference {
    signature: Signature,
    references: References,
}

impl ScalarUDFImpl for FromReference {
    fn name(&self) -> &str {
        "from_reference"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    /// List and column are looked for here too, so that a rule that names none is refused when it is loaded.
    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let constant = |place: usize| args.scalar_arguments[place].and_then(|text| text.try_as_str().flatten());
        let (Some(name), Some(wanted)) = (constant(1), constant(2)) else {
            return plan_err!(
                "from_reference takes a value and two constant texts: from_reference(sourceIPAddress, 'city', 'country.iso_code')"
            );
        };
        check_text(self.name(), &args.arg_fields[0])?;
        match self.references.named(name)? {
            List::Database(database) => {
                if let Err(instead) = database.check(&wanted.into()) {
                    return plan_err!("no record of [reference.{name}] has `{wanted}`: {instead}");
                }
            }
            List::Keyed(rows) if rows.columns().any(|column| column == wanted) => {}
            List::Keyed(rows) => return Err(no_column(name, rows, wanted)),
        }
        Ok(Arc::new(Field::new(self.name(), DataType::Utf8, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = |place: usize| match &args.args[place] {
            ColumnarValue::Scalar(text) => text.try_as_str().flatten(),
            ColumnarValue::Array(_) => None,
        };
        let (Some(name), Some(wanted)) = (constant(1), constant(2)) else {
            return exec_err!("name and path of from_reference are constant texts");
        };
        let list = self.references.named(name)?;
        let path = Path::from(wanted);
        let value = |text: Option<&str>| match list {
            List::Database(database) => database.value(text.and_then(read_address)?, &path),
            List::Keyed(rows) => rows.value(text?, wanted).map(str::to_owned),
        };
        Ok(match &args.args[0] {
            ColumnarValue::Scalar(text) => ColumnarValue::Scalar(ScalarValue::Utf8(value(text.try_as_str().flatten()))),
            ColumnarValue::Array(array) => ColumnarValue::Array(Arc::new(values(array, &value)?)),
        })
    }
}

fn no_column(name: &str, rows: &Keyed, wanted: &str) -> DataFusionError {
    let there = rows.columns().collect::<Vec<_>>().join(", ");
    DataFusionError::Plan(format!("[reference.{name}] has no column `{wanted}`; there are {there}"))
}

/// The answer for each text, asked once for each value of a dictionary, and once for what comes several times in a row.
fn values(array: &ArrayRef, value: &dyn Fn(Option<&str>) -> Option<String>) -> Result<StringArray> {
    fn each<'a>(
        texts: impl Iterator<Item = Option<&'a str>>,
        value: &dyn Fn(Option<&str>) -> Option<String>,
    ) -> StringArray {
        let mut last: Option<(Option<&str>, Option<String>)> = None;
        let answer = |text| match &last {
            Some((known, answer)) if *known == text => answer.clone(),
            _ => {
                let answer = value(text);
                last = Some((text, answer.clone()));
                answer
            }
        };
        texts.map(answer).collect()
    }
    Ok(match array.data_type() {
        DataType::Utf8 => each(array.as_string::<i32>().iter(), value),
        DataType::LargeUtf8 => each(array.as_string::<i64>().iter(), value),
        DataType::Utf8View => each(array.as_string_view().iter(), value),
        DataType::Null => StringArray::new_null(array.len()),
        DataType::Dictionary(..) if array.as_any_dictionary().values().is_empty() => StringArray::new_null(array.len()),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let (values, keys) = (values(dictionary.values(), value)?, dictionary.normalized_keys());
            let one = |row: usize| {
                (!dictionary.keys().is_null(row) && values.is_valid(keys[row])).then(|| values.value(keys[row]))
            };
            (0..array.len()).map(one).collect()
        }
        kind => return exec_err!("an address is text, not {kind}"),
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::{DictionaryArray, StringViewArray};
    use arrow::datatypes::Int32Type;
    use serde_json::json;

    use super::*;
    use crate::detect::Detector;
    use crate::detect::reference::database::Database;
    use crate::detect::tests::{batch, changed, event, rule};
    use crate::logs;
    use crate::time::Timestamp;

    fn references() -> References {
        let database = Database::new(include_bytes!("../../../tests/data/geo/documentation.mmdb").to_vec()).unwrap();
        References::new([("geo".to_owned(), List::Database(database))].into())
    }

    #[test]
    fn every_text_type_gets_the_same_answer() {
        let texts = [Some("a"), Some("a"), None, Some("b"), Some("a")];
        let arrays: [ArrayRef; 3] = [
            Arc::new(StringArray::from_iter(texts)),
            Arc::new(StringViewArray::from_iter(texts)),
            Arc::new(DictionaryArray::<Int32Type>::from_iter(texts)),
        ];
        let value = |text: Option<&str>| text.filter(|text| *text != "b").map(|text| format!("{text}!"));
        for array in arrays {
            assert_eq!(
                values(&array, &value).unwrap(),
                StringArray::from_iter([Some("a!"), Some("a!"), None, None, Some("a!")])
            );
        }
    }

    #[test]
    fn a_rule_tells_countries_apart_and_a_wrong_path_is_refused() {
        let references = references();
        let rules = |sql: &str| Detector::with_references(logs::TABLES, &references, [rule("", sql)]);
        let country = "from_reference(sourceIPAddress, 'geo', 'country.iso_code')";
        let sql = format!(
            "SELECT userIdentity.arn AS who, sample({country}) AS countries FROM cloudtrail WHERE {country} IS NOT NULL \
             GROUP BY userIdentity.arn, account, tumble(eventTime, INTERVAL '1 hour') HAVING count(DISTINCT {country}) >= 2"
        );
        let (mut detector, refused) = rules(&sql);
        assert_eq!(refused.len(), 0, "{:?}", refused);
        let from = |id: &str, who: &str, address: &str| {
            let arn = json!({ "sourceIPAddress": address, "userIdentity": { "arn": format!("arn:aws:iam::111122223333:user/{who}") } });
            changed(event("GetUser", id), arn)
        };
        let events = [
            from("e1", "eve", "192.0.2.7"),
            from("e2", "eve", "198.51.100.1"),
            from("e3", "eve", "203.0.113.200"),
            from("e4", "bob", "192.0.2.7"),
            from("e5", "bob", "192.0.2.8"),
        ];
        let found = detector.observe(&[batch(&events)], Timestamp(0));
        assert_eq!(found.len(), 1);
        assert!(found[0].evidence.contains(&("countries".into(), "[\"BR\",\"DE\"]".into())), "{:?}", found[0].evidence);
        let country = |name: &str, path: &str| {
            format!("SELECT eventTime FROM cloudtrail WHERE from_reference(sourceIPAddress, '{name}', {path}) = 'DE'")
        };
        for (sql, expected) in [
            (country("geo", "'country.iso'"), "no record of [reference.geo] has `country.iso`: a record of it is {"),
            (country("nowhere", "'country.iso_code'"), "the configuration has no [reference.nowhere]; there are: geo"),
            (country("geo", "eventName"), "two constant texts"),
        ] {
            let (_, refused) = rules(&sql);
            assert!(refused[0].to_string().contains(expected), "{}", refused[0]);
        }
    }
}
