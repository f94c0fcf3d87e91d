//! A text → the text without the accounts of the user's own: `without_own(policy, account)`.

use std::sync::Arc;

use arrow::array::{AsArray, StringArray, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::{List, References};
use crate::detect::functions::addresses::check_text;

/// The name of the list of them, which is the key of the configuration too.
pub const OWN_ACCOUNTS: &str = "own_accounts";

/// The one that they are where cases of rules are judged, whatever a user's are.
pub const OF_CASES: &str = "666677778888";

/// The function over these lists.
pub fn function(references: &References) -> Arc<ScalarUDF> {
    let signature = Signature::any(2, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(WithoutOwn { signature, references: references.clone() }))
}

/// What is left of a text once the number of an account, wherever it stands, is taken out, and those of the user's own accounts where
/// they stand by themselves. Null where the text or the account is. Without a list of own accounts it is `replace(text, account, '')`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct WithoutOwn {
    signature: Signature,
    references: References,
}

impl ScalarUDFImpl for WithoutOwn {
    fn name(&self) -> &str {
        "without_own"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let [text, account] = args.arg_fields else {
            return plan_err!("without_own takes a text and an account: without_own(requestParameters, account)");
        };
        check_text(self.name(), text)?;
        check_text(self.name(), account)?;
        Ok(Arc::new(Field::new(self.name(), DataType::Utf8, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (texts, accounts) = (column(&args, 0)?, column(&args, 1)?);
        let own = self.references.list(OWN_ACCOUNTS).map(|own| &**own);
        let rows = texts.iter().zip(accounts.iter());
        let left: StringArray = rows.map(|(text, account)| Some(without(text?, account?, own))).collect();
        Ok(ColumnarValue::Array(Arc::new(left)))
    }
}

fn column(args: &ScalarFunctionArgs, place: usize) -> Result<StringViewArray> {
    let column = args.args[place].to_array(args.number_rows)?;
    Ok(cast(&column, &DataType::Utf8View)?.as_string_view().clone())
}

/// Twelve digits inside a longer number, or beside letters, are part of an id and no account.
fn without(text: &str, account: &str, own: Option<&List>) -> String {
    let text = text.replace(account, "");
    let Some(own) = own else { return text };
    let mut left = String::with_capacity(text.len());
    // each piece is letters and digits, and the one sign that ends them
    for piece in text.split_inclusive(|sign: char| !sign.is_ascii_alphanumeric()) {
        let word = piece.trim_end_matches(|sign: char| !sign.is_ascii_alphanumeric());
        let is_own = word.len() == 12 && own.contains(word);
        left.push_str(if is_own { &piece[word.len()..] } else { piece });
    }
    left
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::detect::Detector;
    use crate::detect::reference::keyed::{Keyed, Kind};
    use crate::detect::tests::{batch, changed, event, rule};
    use crate::logs;
    use crate::time::Timestamp;

    fn list() -> List {
        List::Keyed(Keyed::of(Kind::Text, ["444455556666", "555566667777"]).unwrap())
    }

    #[test]
    fn accounts_are_taken_out_where_they_stand_by_themselves() {
        let list = list();
        for (text, alone, with_list) in [
            ("111122223333", "", ""),
            ("444455556666", "444455556666", ""),
            ("a111122223333b", "ab", "ab"),
            ("a444455556666", "a444455556666", "a444455556666"),
            ("0444455556666", "0444455556666", "0444455556666"),
            (
                r#"{"AWS": ["arn:aws:iam::444455556666:root", "555566667777", "arn:aws:iam::777788889999:user/é"]}"#,
                r#"{"AWS": ["arn:aws:iam::444455556666:root", "555566667777", "arn:aws:iam::777788889999:user/é"]}"#,
                r#"{"AWS": ["arn:aws:iam:::root", "", "arn:aws:iam::777788889999:user/é"]}"#,
            ),
            ("", "", ""),
        ] {
            assert_eq!(without(text, "111122223333", None), alone);
            assert_eq!(without(text, "111122223333", Some(&list)), with_list);
        }
    }

    #[test]
    fn a_rule_passes_over_own_accounts_once_they_are_named() {
        let sql = "SELECT eventTime FROM cloudtrail \
                   WHERE regexp_like(without_own(requestParameters ->> 'principal', account), '[0-9]{12}')";
        let events: Vec<_> = ["111122223333", "444455556666", "777788889999"]
            .iter()
            .map(|principal| {
                changed(event("GetUser", principal), json!({ "requestParameters": { "principal": principal } }))
            })
            .collect();
        let found = |references: &References| {
            let (mut detector, refused) = Detector::with_references(logs::TABLES, references, [rule("", sql)]);
            assert_eq!(refused.len(), 0, "{refused:?}");
            let found = detector.observe(&[batch(&events)], Timestamp(0));
            found.iter().flat_map(|finding| &finding.event_ids).map(|(_, id)| id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(found(&References::default()), ["444455556666", "777788889999"]);
        assert_eq!(found(&References::new([(OWN_ACCOUNTS.to_owned(), list())].into())), ["777788889999"]);
        assert_eq!(found(&References::default().for_cases()).len(), 2);
    }
}
