//! What goes to a service in one call, within which limits, and what its answer says of each finding.

use std::sync::Arc;

use super::rate::Pace;
use crate::time::Timestamp;

/// What a service takes, and what may wait for it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Findings that wait at most, for all places together, and bytes of their JSON.
    pub waiting_max: usize,
    pub waiting_bytes_max: usize,
    /// Longest JSON of a finding, in bytes.
    pub finding_bytes_max: usize,
    /// Findings of a call at most, and the sum of their [`Outgoing::call_bytes`].
    pub call_findings_max: usize,
    pub call_bytes_max: usize,
    /// Calls to one place that are out at once.
    pub calls_out_max: usize,
    pub pace: Pace,
    pub gather: Gather,
}

impl Limits {
    /// Whether findings that together take so much may be sent in one call.
    pub fn fits(&self, findings: usize, call_bytes: usize) -> bool {
        findings <= self.call_findings_max && call_bytes <= self.call_bytes_max
    }
}

/// How many findings a call takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gather {
    /// As many as wait and fit.
    Full,
    /// One, while the rate allows a call after it; else as many as wait and fit.
    WhenLate,
}

/// A finding ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The same for every form of a finding that is sent to one place.
    pub id: String,
    /// Critical findings go before all others.
    pub critical: bool,
    /// 0 to 99; higher ones go first.
    pub priority: u8,
    /// Of two with one id, the one updated later is sent.
    pub updated_at: Timestamp,
    /// The whole finding, one JSON object.
    pub json: Arc<str>,
    /// What it takes of [`Limits::call_bytes_max`], as the service counts.
    pub call_bytes: usize,
}

/// The findings of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// To be given back with the answer.
    pub number: u64,
    /// Ids and JSON, in the order in which they are sent.
    pub ids: Vec<String>,
    pub findings: Vec<Arc<str>>,
}

/// What a call was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// So many were accepted, and these were not.
    Taken { success_count: usize, failed: Vec<Failed> },
    /// The call as a whole is not valid: some finding in it is not.
    Invalid { code: String, message: String },
    /// Nobody may send there, or there is nothing to send to: it takes a person to put that right.
    Denied { code: String, message: String },
    /// Throttled, out of order, or no answer at all; the service may ask for a pause, in microseconds.
    Unavailable { code: String, message: String, pause: Option<i64> },
}

/// Beginnings of the codes of calls that are not valid as they are. Tried again, one that is read as unavailable would hold
/// up its place for ever.
const INVALID: &[&str] =
    &["invalidinput", "invalidparameter", "invalidrequest", "validation", "serialization", "malformed"];

/// Beginnings of the codes that a person has to put right.
const DENIED: &[&str] = &[
    "invalidaccess",
    "accessdenied",
    "unrecognizedclient",
    "invalidclienttoken",
    "authorizationerror",
    "notauthorized",
    "notfound",
    "resourcenotfound",
    "kmsaccessdenied",
    "kmsdisabled",
    "kmsinvalidstate",
    "kmsnotfound",
    "kmsoptinrequired",
];

impl Answer {
    /// What an error of the whole call means, by its code; what is not known to be final is tried again.
    pub fn of_error(code: &str, message: &str) -> Answer {
        let (code, message) = (code.to_owned(), message.to_owned());
        if begins(&code, INVALID) {
            Answer::Invalid { code, message }
        } else if begins(&code, DENIED) {
            Answer::Denied { code, message }
        } else {
            Answer::Unavailable { code, message, pause: None }
        }
    }

    /// Code and message, where it is a refusal.
    pub fn why(&self) -> Option<String> {
        match self {
            Answer::Taken { .. } => None,
            Answer::Invalid { code, message }
            | Answer::Denied { code, message }
            | Answer::Unavailable { code, message, .. } => Some(said(code, message)),
        }
    }

    /// All findings of a call were accepted.
    pub fn all(call: &Call) -> Answer {
        Answer::Taken { success_count: call.findings.len(), failed: Vec::new() }
    }
}

/// Code and message, where there is one.
pub fn said(code: &str, message: &str) -> String {
    if message.is_empty() { code.to_owned() } else { format!("{code}: {message}") }
}

fn begins(code: &str, words: &[&str]) -> bool {
    let code = code.to_ascii_lowercase();
    words.iter().any(|word| code.starts_with(word))
}

/// A finding of a call that the service did not accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    pub id: String,
    pub code: String,
    pub message: String,
}

impl Failed {
    /// Whether the same finding may be taken later. Everything else stays refused.
    pub(super) fn is_passing(&self) -> bool {
        begins(&self.code, &["internal", "throttl", "concurrent"])
    }

    /// Whether it is not the finding that is wrong, but the way.
    pub fn is_denied(&self) -> bool {
        begins(&self.code, DENIED)
    }
}

/// What became of the findings of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub accepted: usize,
    /// Those that will be sent again,
    pub again: usize,
    /// and why, where the service took others of their call.
    pub why: Option<String>,
    /// Those that will not, with code and message.
    pub poison: Vec<(Outgoing, String, String)>,
}
