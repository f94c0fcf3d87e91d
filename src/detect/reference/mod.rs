//! Lists of a user's own that rules look values up in: `in_reference(value, 'name')`.

pub mod database;
pub mod keyed;
pub mod from_reference;
pub mod lookup;
pub mod own_accounts;

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use self::database::Database;
use self::keyed::{Keyed, Kind};
use self::own_accounts::OWN_ACCOUNTS;
use super::functions::addresses::{check_text, judge_texts, read_address};
use crate::rule::Rule;

/// `tests/data/geo/make.py` says what is where.
const DOCUMENTATION: &[u8] = include_bytes!("../../../tests/data/geo/documentation.mmdb");

/// The lists, by name. Cheap to clone; equal where they are the very same.
#[derive(Clone, Debug, Default)]
pub struct References(Arc<BTreeMap<String, Arc<List>>>);

/// What a name stands for.
#[derive(Debug, PartialEq, Eq)]
pub enum List {
    /// Values, each with what else its row has.
    Keyed(Keyed),
    /// What is known of addresses.
    Database(Database),
}

impl PartialEq for References {
    fn eq(&self, other: &References) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for References {}

impl Hash for References {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl References {
    pub fn new(lists: BTreeMap<String, List>) -> References {
        References::of(lists.into_iter().map(|(name, list)| (name, Arc::new(list))).collect())
    }

    /// Of lists that others may have too.
    pub fn of(lists: BTreeMap<String, Arc<List>>) -> References {
        References(Arc::new(lists))
    }

    /// Every list with its name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &List)> {
        self.0.iter().map(|(name, list)| (name.as_str(), list.as_ref()))
    }

    pub fn list(&self, name: &str) -> Option<&Arc<List>> {
        self.0.get(name)
    }

    /// The list of a name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(&self, name: &str) -> Result<&List> {
        match self.0.get(name) {
            Some(list) => Ok(list),
            None => {
                let names: Vec<_> = self.0.keys().map(String::as_str).collect();
                let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                plan_err!("the configuration has no [reference.{name}]; there are: {there}")
            }
        }
    }

    /// The same, and the lists of others whose names it does not have.
    pub fn and_those_of(&self, others: &References) -> References {
        let mut lists = (*others.0).clone();
        lists.extend(self.0.iter().map(|(name, list)| (name.clone(), Arc::clone(list))));
        References::of(lists)
    }

    /// These with one made-up account for the user's own: the cases of rules hold with it, whichever a user has.
    pub fn for_cases(&self) -> References {
        let own = Keyed::of(Kind::Text, [own_accounts::OF_CASES]).expect("every text is one of a list of texts");
        References::new([(OWN_ACCOUNTS.to_owned(), List::Keyed(own))].into()).and_those_of(self)
    }

    /// The same and, under the name that a rule needs, a database of made-up places of the addresses that are for documentation: the cases
    /// of a rule hold with it, whichever database a user has.
    pub fn for_cases_of(&self, rule: &Rule) -> References {
        let Some(name) = &rule.needs else { return self.for_cases() };
        let documentation = Database::new(DOCUMENTATION.to_vec()).expect("the file is one: a test reads it");
        References::new([(name.clone(), List::Database(documentation))].into()).and_those_of(&self.for_cases())
    }

    /// Whether a rule waits for what is not here.
    pub fn lack_for(&self, rule: &Rule) -> bool {
        rule.needs.as_ref().is_some_and(|name| !self.0.contains_key(name))
    }

    /// Whether these are the very same lists under the same names.
    pub fn is_same(&self, other: &References) -> bool {
        let is_there =
            |(name, list): (&String, &Arc<List>)| other.list(name).is_some_and(|other| Arc::ptr_eq(list, other));
        self.0.len() == other.0.len() && self.0.iter().all(is_there)
    }
}

impl List {
    fn contains(&self, text: &str) -> bool {
        match self {
            List::Keyed(rows) => rows.row(text).is_some(),
            List::Database(database) => read_address(text).is_some_and(|address| database.contains(address)),
        }
    }
}

/// The function over these lists.
pub fn function(references: &References) -> Arc<ScalarUDF> {
    let signature = Signature::any(2, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(InReference { signature, references: references.clone() }))
}

/// True when a value is in the list; false when it is not, or is null.
#[derive(Debug, PartialEq, Eq, Hash)]
struct InReference {
    signature: Signature,
    references: References,
}

impl ScalarUDFImpl for InReference {
    fn name(&self) -> &str {
        "in_reference"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    /// The list is looked for here too, so that a rule that names none of them is refused when it is loaded.
    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let [value, _] = args.arg_fields else { return plan_err!("in_reference takes a value and the name of a list") };
        check_text(self.name(), value)?;
        let Some(name) = args.scalar_arguments[1].and_then(|name| name.try_as_str().flatten()) else {
            return plan_err!(
                "the list of in_reference is a constant text: in_reference(sourceIPAddress, 'bad_addresses')"
            );
        };
        self.references.named(name)?;
        Ok(Arc::new(Field::new(self.name(), DataType::Boolean, false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ColumnarValue::Scalar(name) = &args.args[1] else {
            return exec_err!("the list of in_reference is constant");
        };
        let Some(name) = name.try_as_str().flatten() else { return exec_err!("the list of in_reference is a text") };
        let list = self.references.named(name)?;
        judge_texts(&args.args[0], &|text| text.is_some_and(|text| list.contains(text)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::detect::Detector;
    use crate::detect::tests::{batch, changed, event, rule};
    use crate::logs;

    #[test]
    fn a_rule_asks_a_list_by_name() {
        let lists = [
            ("bad".to_owned(), List::Keyed(Keyed::of(Kind::Network, ["192.0.2.0/24"]).unwrap())),
            ("users".to_owned(), List::Keyed(Keyed::of(Kind::Text, ["arn:aws:iam::111122223333:user/eve"]).unwrap())),
        ];
        let references = References::new(lists.into());
        let rules = |sql: &str| Detector::with_references(logs::TABLES, &references, [rule("", sql)]);
        let sql = "SELECT eventTime FROM cloudtrail WHERE in_reference(sourceIPAddress, 'bad') \
                   AND NOT in_reference(userIdentity.arn, 'users')";
        let (mut detector, refused) = rules(sql);
        assert_eq!(refused.len(), 0);
        let mallory = json!({ "userIdentity": { "arn": "arn:aws:iam::111122223333:user/mallory" } });
        let events = [
            event("GetUser", "e1"),
            changed(event("GetUser", "e2"), mallory.clone()),
            changed(changed(event("GetUser", "e3"), mallory), json!({ "sourceIPAddress": "198.51.100.1" })),
        ];
        let found = detector.observe(&[batch(&events)], crate::time::Timestamp(0));
        let ids: Vec<_> = found.iter().flat_map(|finding| &finding.event_ids).map(|(_, id)| id.as_str()).collect();
        assert_eq!(ids, ["e2"]);
        for (sql, expected) in [
            (
                "SELECT eventTime FROM cloudtrail WHERE in_reference(sourceIPAddress, 'worse')",
                "the configuration has no [reference.worse]; there are: bad, users",
            ),
            ("SELECT eventTime FROM cloudtrail WHERE in_reference(sourceIPAddress, eventName)", "a constant text"),
            ("SELECT eventTime FROM cloudtrail WHERE in_reference(eventTime, 'bad')", "is text"),
        ] {
            let (_, refused) = rules(sql);
            assert!(refused[0].to_string().contains(expected), "{}", refused[0]);
        }
    }
}
