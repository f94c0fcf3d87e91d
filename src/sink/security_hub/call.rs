//! What Security Hub takes: its limits, the form of a finding, and the body of a call of BatchImportFindings.

use serde_json::Value;

use super::asff::{About, FINDING_BYTES_MAX, from_finding};
use super::validate::{not_ours, violations};
use crate::finding::Finding;
use crate::rule::Severity;
use crate::sink::outbox::call::{Gather, Limits, Outgoing};
use crate::sink::outbox::rate::Pace;

/// Longest body of a call, in bytes: the contract's 6 MB, read as the smaller of its meanings.
const CALL_BYTES_MAX: usize = 6_000_000;

/// The body of a call without its findings; each then adds a comma, the first none.
const BODY: (&str, &str) = ("{\"Findings\":[", "]}");

/// The contract's, for each hub: 100 findings a call, thirty calls at once and then ten a second. A full call takes about
/// half a second, so more than ten are never out.
pub const LIMITS: Limits = Limits {
    waiting_max: 100_000,
    waiting_bytes_max: 128 << 20,
    finding_bytes_max: FINDING_BYTES_MAX,
    call_findings_max: 100,
    // a comma is counted for each finding, and the first has none
    call_bytes_max: CALL_BYTES_MAX + 1 - BODY.0.len() - BODY.1.len(),
    calls_out_max: 10,
    pace: Pace { burst: 30, micros_per_call: 100_000 },
    gather: Gather::Full,
};

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

/// The finding as [`from_finding`] makes it, checked against the contract.
///
/// # Errors
/// Everything that breaks the contract, in one line.
pub fn outgoing(finding: &Finding, about: &About) -> Result<Outgoing, String> {
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
        call_bytes: json.len() + 1,
        json: json.into(),
        id: asff.id,
    })
}
