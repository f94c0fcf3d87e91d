//! A word of [`shorthand`](crate::rule::shorthand) in a rule → a call while the rule is planned, and behind the planner the condition
//! that it stands for, which is planned once: hundreds of rules have them.

use std::any::Any;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::planner::only_statement;
use super::query::take_apart;
use crate::detect::program::Leaves;
use crate::detect::reference::References;
use crate::detect::session;
use crate::logs::cloudtrail::CLOUDTRAIL;
use crate::rule::shorthand::WORDS;

/// A function for each word, which is planned and never called.
pub fn functions() -> impl Iterator<Item = Arc<ScalarUDF>> {
    let signature = Signature::any(1, Volatility::Immutable);
    let word = move |place| Arc::new(ScalarUDF::new_from_impl(Word { place, signature: signature.clone() }));
    (0..WORDS.len()).map(word)
}

/// What a call of one stands for, flattened; `None` of any other.
pub fn meaning(call: &ScalarFunction) -> Option<Expr> {
    static PLANNED: LazyLock<Vec<Expr>> = LazyLock::new(|| {
        let state = session::planner(&[&CLOUDTRAIL], &References::default());
        let meanings = WORDS.map(|(_, meaning)| meaning).join(", ");
        let statement = only_statement(&format!("SELECT {meanings} FROM {} WHERE true", CLOUDTRAIL.name));
        let query =
            take_apart(&state, &Leaves::new(&CLOUDTRAIL), statement).expect("words are of this table's columns");
        query.items.into_iter().map(|(_, expr)| expr).collect()
    });
    let word = (call.func.inner().as_ref() as &dyn Any).downcast_ref::<Word>()?;
    Some(PLANNED[word.place].clone())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Word {
    /// Which of [`WORDS`].
    place: usize,
    signature: Signature,
}

impl ScalarUDFImpl for Word {
    fn name(&self) -> &str {
        WORDS[self.place].0
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name(), DataType::Boolean, false)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("`{}` was not replaced by what it stands for", self.name())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::detect::tests::{batch, changed, detector, event, rule};
    use crate::rule::Rule;
    use crate::time::Timestamp;

    #[test]
    fn a_rule_with_a_word_selects_what_its_meaning_selects() {
        let sql = |word: &str, form: usize| match form {
            0 => format!("SELECT eventID FROM cloudtrail WHERE {word}"),
            1 => format!("SELECT eventID FROM cloudtrail c WHERE eventName = 'N' AND NOT {word}"),
            _ => format!(
                "SELECT awsRegion, count(*) AS calls FROM cloudtrail WHERE eventName = 'N' \
                 GROUP BY awsRegion, tumble(eventTime, INTERVAL '1 hour') HAVING count(*) FILTER (WHERE {word}) > 2"
            ),
        };
        let (words, meanings) =
            (WORDS.map(|(word, _)| format!("{word}()")), WORDS.map(|(_, meaning)| format!("({meaning})")));
        let made = |texts: &[String]| {
            let rules = texts.iter().enumerate().flat_map(|(number, text)| {
                (0..3).map(move |form| Rule { id: format!("cloudtrail/{number}-{form}"), ..rule("", &sql(text, form)) })
            });
            let rules: Vec<Rule> = rules.collect();
            detector(rules)
        };
        let agents =
            ["aws-cli/2.1", "Boto3/1.2 macos", "[aws-cli exec-env/AWS_Lambda]", "Terraform/1.5", "curl/8", "kali"];
        let types = ["IAMUser", "AssumedRole", "AWSService"];
        let calls: Vec<Value> = (0..72)
            .map(|n| {
                let agent = agents.get(n % 7).map_or(Value::Null, |agent| json!(agent));
                let arn = ["arn:aws:sts::1:assumed-role/deploy/x", "arn:aws:sts::1:assumed-role/a/b"][n / 3 % 2];
                let identity = json!({ "type": types[n % 3], "arn": arn, "accountId": "111122223333" });
                let region = ["us-east-1", "eu-west-1"][n % 2];
                changed(
                    event("N", &format!("e{n}")),
                    json!({ "userAgent": agent, "userIdentity": identity, "awsRegion": region }),
                )
            })
            .collect();
        let [(by_word, of_word), (by_meaning, of_meaning)] = [&words, &meanings].map(|texts| {
            let mut detector = made(texts);
            let mut found = detector.observe(&[batch(&calls)], Timestamp(0));
            found.extend(detector.finish());
            let found: Vec<_> = found.into_iter().map(|finding| (finding.rule, finding.id, finding.count)).collect();
            (detector.costs().iter().map(|(rule, cost)| (rule.clone(), cost.hits)).collect::<Vec<_>>(), found)
        });
        assert_eq!((&by_word, &of_word), (&by_meaning, &of_meaning));
        assert!(by_word.iter().all(|(_, hits)| (1..72).contains(hits)), "each word is true of some calls: {by_word:?}");
        assert!(!of_word.is_empty());
    }

    #[test]
    fn a_word_is_of_cloudtrail() {
        let rule = Rule { table: "vpc_flow".into(), ..rule("", "SELECT srcaddr FROM vpc_flow WHERE is_person()") };
        let refused = crate::detect::Detector::new(crate::logs::TABLES, [rule]).1;
        assert!(refused[0].to_string().to_lowercase().contains("useridentity"), "{}", refused[0]);
    }
}
