//! What goes to a hub in one call of BatchImportFindings, and what its answer says of each finding.

use std::sync::Arc;

use serde_json::Value;

use super::asff::{About, from_finding};
use super::validate::{not_ours, violations};
use crate::finding::Finding;
use crate::rule::Severity;
use crate::time::Timestamp;

/// Findings of a call at most.
pub const CALL_FINDINGS_MAX: usize = 100;
/// Longest body of a call, in bytes: the contract's 6 MB, read as the smaller of its meanings.
pub const CALL_BYTES_MAX: usize = 6_000_000;

/// The body of a call without its findings; each then adds a comma, the first none.
const BODY: (&str, &str) = ("{\"Findings\":[", "]}");

/// Whether a call with so many findings, together this long, may be made.
pub fn fits(findings: usize, json_bytes: usize) -> bool {
    findings <= CALL_FINDINGS_MAX
        && BODY.0.len() + json_bytes + findings.saturating_sub(1) + BODY.1.len() <= CALL_BYTES_MAX
}

/// The body of a call of these findings.
pub fn body<'a>(findings: impl IntoIterator<Item = &'a str>) -> String {
    let mut body = BODY.0.to_owned();
    for (index, json) in findings.into_iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(json);
    }
    body + BODY.1
}

/// A finding ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// ASFF's `Id`.
    pub id: String,
    /// Critical findings go before all others.
    pub critical: bool,
    /// 0 to 99; higher ones go first.
    pub priority: u8,
    /// ASFF's `UpdatedAt`.
    pub updated_at: Timestamp,
    /// The whole finding, one JSON object.
    pub json: Arc<str>,
}

impl Outgoing {
    /// The finding as [`from_finding`] makes it, checked against the contract.
    ///
    /// # Errors
    /// Everything that breaks the contract, in one line.
    pub fn new(finding: &Finding, about: &About) -> Result<Outgoing, String> {
        let asff = from_finding(finding, about);
        let json = asff.json();
        let sent: Value = serde_json::from_str(&json).expect("what was just written is JSON");
        let wrong = violations(&sent).into_iter().chain(not_ours(&sent));
        let wrong: Vec<String> = wrong.map(|violation| violation.to_string()).collect();
        if !wrong.is_empty() {
            return Err(wrong.join("; "));
        }
        Ok(Outgoing {
            critical: finding.severity == Severity::Critical,
            priority: finding.priority,
            updated_at: about.now,
            json: json.into(),
            id: asff.id,
        })
    }
}

/// The findings of one call of BatchImportFindings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// To be given back with the answer.
    pub number: u64,
    pub findings: Vec<Arc<str>>,
}

/// What a call was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// HTTP 200: so many were imported, and these were not.
    Imported { success_count: usize, failed: Vec<Failed> },
    /// The call as a whole is not valid: some finding in it is not.
    Invalid { code: String, message: String },
    /// Nobody may import there: the hub is not enabled, or the role may not.
    Denied { code: String, message: String },
    /// Throttled, out of order, or no answer at all.
    Unavailable { code: String, message: String },
}

impl Answer {
    /// What an error of the whole call means, by its code; what is not known to be final is tried again.
    pub fn of_error(code: &str, message: &str) -> Answer {
        let (kind, code, message) = (code.to_ascii_lowercase(), code.to_owned(), message.to_owned());
        let begins = |words: &[&str]| words.iter().any(|word| kind.starts_with(word));
        // tried again as it is, a call that is read as wrong would hold up its hub for ever
        if begins(&["invalidinput", "invalidparameter", "invalidrequest", "validation", "serialization", "malformed"]) {
            Answer::Invalid { code, message }
        } else if begins(&["invalidaccess", "accessdenied", "unrecognizedclient", "invalidclienttoken"]) {
            Answer::Denied { code, message }
        } else {
            Answer::Unavailable { code, message }
        }
    }
}

/// A member of `FailedFindings`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    pub id: String,
    pub code: String,
    pub message: String,
}

impl Failed {
    /// Whether the same finding may be taken later. Everything else stays refused.
    pub(super) fn is_passing(&self) -> bool {
        let code = self.code.to_ascii_lowercase();
        ["internal", "throttl", "concurrent"].iter().any(|begin| code.starts_with(begin))
    }
}

/// What became of the findings of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub accepted: usize,
    /// Those that will be sent again.
    pub again: usize,
    /// Those that will not, with code and message.
    pub poison: Vec<(Outgoing, String, String)>,
}
