//! What analysts say in a hub: the bodies of GetFindings calls, and what their answers say of findings of ours.
//!
//! A finding that an analyst changes keeps its `UpdatedAt`, so that nothing can be asked for what has changed: each look lists
//! all that have a word.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::hub::Hub;
use crate::triage::feedback::Verdict;
use crate::triage::heard::Word;

/// Where the service is called for it.
pub const PATH: &str = "/findings";
/// Findings of an answer at most: the contract's, and so many that those of the contract's greatest length are no longer than
/// an answer may be that is read.
pub const PAGE: usize = 100;
pub const PAGE_OF_LONG: usize = 15;
/// Values of one attribute in a filter at most.
pub const IDS_MAX: usize = 20;

/// Which findings of ours are asked for.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// Those whose workflow has ended.
    Closed,
    /// Those that were found to be right or wrong.
    Verified,
    /// Those with these ids, as Weir has them.
    Ids(&'a [String]),
}

impl Which<'_> {
    fn filter(self) -> (&'static str, Vec<String>) {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        match self {
            Which::Closed => ("WorkflowStatus", texts(&["SUPPRESSED", "RESOLVED"])),
            Which::Verified => ("VerificationState", texts(&["TRUE_POSITIVE", "FALSE_POSITIVE", "BENIGN_POSITIVE"])),
            Which::Ids(ids) => ("Id", ids.iter().map(|id| format!("weir/{id}")).collect()),
        }
    }
}

/// The body of a call for a page, the first or that of a token. Those updated last come first.
pub fn body(hub: &Hub, which: Which, page: usize, token: Option<&str>) -> String {
    let equal = |values: &[String]| -> Vec<Value> {
        values.iter().map(|value| json!({ "Value": value, "Comparison": "EQUALS" })).collect()
    };
    let (attribute, values) = which.filter();
    let mut body = json!({
        "Filters": {
            "ProductArn": equal(&[hub.product_arn()]),
            "GeneratorId": [{ "Value": "weir/", "Comparison": "PREFIX" }],
            attribute: equal(&values),
        },
        "SortCriteria": [{ "Field": "UpdatedAt", "SortOrder": "desc" }],
        "MaxResults": page,
    });
    if let Some(token) = token {
        body["NextToken"] = json!(token);
    }
    body.to_string()
}

/// An answer.
#[derive(Debug, Default, PartialEq)]
pub struct Page {
    /// By finding; those that nobody has said anything of have [`Verdict::Withdrawn`].
    pub words: BTreeMap<String, Word>,
    pub next: Option<String>,
}

/// # Errors
/// When the body is no answer of GetFindings.
pub fn read(body: &[u8]) -> serde_json::Result<Page> {
    let found: Found = serde_json::from_slice(body)?;
    let words = found.findings.into_iter().filter_map(Asked::word).collect();
    Ok(Page { words, next: found.next_token.filter(|token| !token.is_empty()) })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    findings: Vec<Asked>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Asked {
    id: String,
    generator_id: String,
    aws_account_id: String,
    product_fields: Option<Ours>,
    workflow: Option<Workflow>,
    verification_state: Option<String>,
    note: Option<Note>,
}

#[derive(Default, Deserialize)]
struct Ours {
    #[serde(rename = "weir/rule")]
    rule: Option<String>,
    #[serde(rename = "weir/account")]
    account: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Workflow {
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Note {
    text: String,
}

impl Asked {
    /// None where the finding is not one of ours after all.
    fn word(self) -> Option<(String, Word)> {
        let id = self.id.strip_prefix("weir/")?;
        let is_ours = id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let Ours { rule, account } = self.product_fields.unwrap_or_default();
        let rule = rule.or_else(|| self.generator_id.strip_prefix("weir/").map(str::to_owned))?;
        let status = self.workflow.and_then(|workflow| workflow.status);
        let (verdict, mut why) = said(self.verification_state.as_deref(), status.as_deref());
        if let Some(note) = self.note {
            why = format!("{why}: {}", note.text);
        }
        is_ours.then(|| (id.to_owned(), Word { rule, account: account.unwrap_or(self.aws_account_id), verdict, why }))
    }
}

/// What somebody verified counts before what he did with the finding. That the owner of a resource was notified says nothing
/// of whether it is right.
fn said(verification: Option<&str>, workflow: Option<&str>) -> (Verdict, String) {
    let verified = |verdict| (verdict, format!("VerificationState {}", verification.unwrap_or_default()));
    let closed = |verdict| (verdict, format!("Workflow.Status {}", workflow.unwrap_or_default()));
    match (verification, workflow) {
        (Some("TRUE_POSITIVE"), _) => verified(Verdict::Confirmed),
        (Some("FALSE_POSITIVE" | "BENIGN_POSITIVE"), _) => verified(Verdict::Dismissed),
        (_, Some("RESOLVED")) => closed(Verdict::Confirmed),
        (_, Some("SUPPRESSED")) => closed(Verdict::Dismissed),
        (_, Some(_)) => closed(Verdict::Withdrawn),
        (_, None) => (Verdict::Withdrawn, "no Workflow.Status".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_verified_counts_before_the_workflow() {
        let check = |verification: &str, workflow: &str, verdict, why: &str| {
            assert_eq!(
                said(Some(verification), Some(workflow)),
                (verdict, why.to_owned()),
                "{verification} {workflow}"
            );
        };
        check("UNKNOWN", "NEW", Verdict::Withdrawn, "Workflow.Status NEW");
        check("UNKNOWN", "NOTIFIED", Verdict::Withdrawn, "Workflow.Status NOTIFIED");
        check("UNKNOWN", "RESOLVED", Verdict::Confirmed, "Workflow.Status RESOLVED");
        check("UNKNOWN", "SUPPRESSED", Verdict::Dismissed, "Workflow.Status SUPPRESSED");
        check("TRUE_POSITIVE", "SUPPRESSED", Verdict::Confirmed, "VerificationState TRUE_POSITIVE");
        check("FALSE_POSITIVE", "RESOLVED", Verdict::Dismissed, "VerificationState FALSE_POSITIVE");
        check("BENIGN_POSITIVE", "NEW", Verdict::Dismissed, "VerificationState BENIGN_POSITIVE");
        assert_eq!(said(None, Some("SUPPRESSED")).0, Verdict::Dismissed);
        assert_eq!(said(None, None).0, Verdict::Withdrawn);
    }

    #[test]
    fn an_answer_says_of_which_rule_and_account_a_finding_is() {
        let finding = |id: &str, fields: Value| {
            json!({
                "Id": id, "GeneratorId": "weir/t/r", "AwsAccountId": "111122223333", "ProductFields": fields,
                "Workflow": { "Status": "SUPPRESSED" }, "Note": { "Text": "the deploy role", "UpdatedBy": "alice" },
            })
        };
        let (a, b) = ("0123456789abcdef0123456789abcdef", "00000000000000000000000000000000");
        let elsewhere = json!({ "weir/rule": "t/long", "weir/account": "444455556666", "weir/count": "1" });
        let findings = [
            finding(&format!("weir/{a}"), Value::Null),
            finding(&format!("weir/{b}"), elsewhere),
            finding("weir/of somebody else", Value::Null),
            finding(a, Value::Null),
        ];
        let page = read(json!({ "Findings": findings, "NextToken": "t" }).to_string().as_bytes()).unwrap();
        let word = |rule: &str, account: &str| Word {
            rule: rule.into(),
            account: account.into(),
            verdict: Verdict::Dismissed,
            why: "Workflow.Status SUPPRESSED: the deploy role".into(),
        };
        let words = [(a.to_owned(), word("t/r", "111122223333")), (b.to_owned(), word("t/long", "444455556666"))];
        assert_eq!(page, Page { words: words.into(), next: Some("t".into()) });
        assert_eq!(read(br#"{"Findings":[]}"#).unwrap(), Page::default());
        assert!(read(b"<html>login").is_err());
    }
}
