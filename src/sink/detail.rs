//! A finding → the JSON object that EventBridge, SNS and webhooks are sent, and back to what their messages say of it.

use serde::Deserialize;

use super::json::Shown;
use super::outbox::call::Outgoing;
use crate::finding::Finding;
use crate::rule::Severity;
use crate::time::Timestamp;

/// Characters that each value of the evidence is cut to, one after the other, until the finding fits.
const EVIDENCE_CHARS: [usize; 4] = [16_384, 2_048, 256, 0];

/// The finding as its line of NDJSON has it. `size` says what it takes of a call, and `size_max` how much it may: values of
/// the evidence that are too long for that end in `…`.
///
/// # Errors
/// When it takes too much without its evidence.
pub fn outgoing(
    finding: &Finding,
    now: Timestamp,
    size_max: usize,
    size: impl Fn(&Finding, &str) -> usize,
) -> Result<Outgoing, String> {
    let mut json = text(finding);
    let mut cuts = EVIDENCE_CHARS.iter();
    while size(finding, &json) > size_max {
        let Some(chars) = cuts.next() else {
            return Err(format!("it takes {} bytes, and {size_max} are allowed", size(finding, &json)));
        };
        json = text(&with_evidence_of(finding, *chars));
    }
    Ok(Outgoing {
        id: finding.id.to_string(),
        critical: finding.severity == Severity::Critical,
        priority: finding.priority,
        updated_at: now,
        call_bytes: size(finding, &json),
        json: json.into(),
    })
}

fn text(finding: &Finding) -> String {
    serde_json::to_string(&Shown::from(finding)).expect("plain data has a JSON form")
}

fn with_evidence_of(finding: &Finding, chars: usize) -> Finding {
    let cut = |value: &str| match value.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    };
    let evidence = finding.evidence.iter().map(|(name, value)| (name.clone(), cut(value))).collect();
    Finding { evidence, ..finding.clone() }
}

/// What the messages say of a finding.
#[derive(Debug, Deserialize)]
pub struct Detail {
    pub id: String,
    pub rule: String,
    pub title: String,
    pub severity: Severity,
    pub priority: u8,
    pub account: String,
    pub region: String,
    pub resources: Vec<String>,
    pub first_seen: String,
    pub last_seen: String,
    pub count: u64,
    /// Ends with what to do.
    pub explanation: String,
}

impl Detail {
    /// Reads what [`outgoing`] made.
    ///
    /// # Panics
    /// On anything else.
    pub fn read(json: &str) -> Detail {
        serde_json::from_str(json).expect("it was made here, or by an earlier version with the same keys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::one_match;

    #[test]
    fn a_finding_goes_as_its_line_and_is_cut_where_it_is_too_long() {
        let mut finding = one_match("cloudtrail/x", "eve", Timestamp(0), "e1");
        let whole = outgoing(&finding, Timestamp(7), 10_000, |_, json| json.len()).unwrap();
        let mut line = Vec::new();
        crate::sink::json::lines(std::slice::from_ref(&finding), &mut line).unwrap();
        assert_eq!(format!("{}\n", whole.json).as_bytes(), line);
        assert_eq!((whole.id, whole.updated_at), (finding.id.to_string(), Timestamp(7)));

        finding.evidence = vec![("a".into(), "ä".repeat(9_000)), ("b".into(), "short".into())];
        let cut = outgoing(&finding, Timestamp(7), 10_000, |_, json| json.len()).unwrap();
        let sent: serde_json::Value = serde_json::from_str(&cut.json).unwrap();
        assert_eq!(sent["evidence"]["a"], format!("{}…", "ä".repeat(2_048)));
        assert_eq!(sent["evidence"]["b"], "short");

        finding.tags = vec!["x".repeat(10_000)];
        let why = outgoing(&finding, Timestamp(7), 10_000, |_, json| json.len()).unwrap_err();
        assert!(why.starts_with("it takes 1") && why.ends_with(" bytes, and 10000 are allowed"), "{why}");
    }
}
