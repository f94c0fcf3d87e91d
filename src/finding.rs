//! What we conclude: one row a person or a service should look at.

use std::fmt;

use crate::rule::{Confidence, Severity};
use crate::time::Timestamp;

/// Names a finding for ever: a hash of the rule's id, the key's values and the period of event time, so that the
/// same events always make the same id, however often and in whatever order they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingId(pub [u8; 16]);

impl FindingId {
    /// `period` is the number of the rule's dedupe period that the match's event time falls in.
    pub fn new(rule: &str, key: &[Option<String>], period: i64) -> FindingId {
        let mut hash = blake3::Hasher::new();
        let mut part = |bytes: &[u8]| {
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        part(rule.as_bytes());
        for value in key {
            match value {
                Some(value) => part(value.as_bytes()),
                // no text can be this long, so a missing value is told from an empty one
                None => {
                    part(&[0xff]);
                    part(&[]);
                }
            }
        }
        part(&period.to_le_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize().as_bytes()[..16]);
        FindingId(id)
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Something a finding is about: an ARN where there is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource(pub String);

/// One term of the priority, in bits (log2 odds), with the words that explain it.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    pub name: &'static str,
    pub bits: f64,
    pub why: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub id: FindingId,
    pub rule: String,
    pub title: String,
    pub severity: Severity,
    pub confidence: Confidence,
    /// 0 to 99, from `terms`; set by triage.
    pub priority: u8,
    pub account: String,
    pub region: String,
    pub actor: Option<String>,
    pub source_ip: Option<String>,
    /// At most [`Finding::RESOURCES_MAX`], first seen first.
    pub resources: Vec<Resource>,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Matches folded into this finding.
    pub count: u64,
    /// The earliest matches' record ids, at most [`Finding::EVENT_IDS_MAX`], in (time, id) order.
    pub event_ids: Vec<(Timestamp, String)>,
    pub tags: Vec<String>,
    pub remedy: String,
    /// Selected columns of the earliest match.
    pub evidence: Vec<(String, String)>,
    /// Why the priority is what it is; filled by triage.
    pub terms: Vec<Term>,
}

impl Finding {
    pub const RESOURCES_MAX: usize = 20;
    pub const EVENT_IDS_MAX: usize = 10;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_key_value_is_not_an_empty_one() {
        let id = |key: &[Option<String>]| FindingId::new("cloudtrail/x", key, 7);
        assert_ne!(id(&[None]), id(&[Some(String::new())]));
        assert_ne!(id(&[Some("ab".into()), Some("c".into())]), id(&[Some("a".into()), Some("bc".into())]));
        assert_eq!(id(&[Some("a".into())]), id(&[Some("a".into())]));
    }
}
