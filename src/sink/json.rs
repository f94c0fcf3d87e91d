//! Findings → JSON objects: one a line, or an array. The keys and their order are a promise to the programs that read them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::finding::Finding;
use crate::triage::prioritize::explanation;

/// A finding as programs see it.
#[derive(Serialize)]
pub struct Shown<'a> {
    pub id: String,
    pub rule: &'a str,
    pub title: &'a str,
    pub severity: &'a str,
    pub priority: u8,
    pub account: &'a str,
    pub region: &'a str,
    pub actor: Option<&'a str>,
    /// Names of the sessions in which a role acted, or of federated users, where there are any.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub sessions: &'a [String],
    /// ARNs of those who assumed the role, the nearest first.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub assumed_by: &'a [String],
    pub resources: Vec<&'a str>,
    pub source_ip: Option<&'a str>,
    pub first_seen: String,
    pub last_seen: String,
    pub count: u64,
    /// Of a rule over windows: start and end of the window whose rows these are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<[String; 2]>,
    pub event_ids: Vec<&'a str>,
    pub tags: &'a [String],
    #[serde(serialize_with = "object")]
    pub evidence: &'a [(String, String)],
    pub explanation: String,
    pub terms: Vec<BTreeMap<&'static str, serde_json::Value>>,
    pub confidence: String,
    pub remedy: &'a str,
}

fn object<S: Serializer>(pairs: &[(String, String)], to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(pairs.len()))?;
    for (name, value) in pairs {
        map.serialize_entry(name, value)?;
    }
    map.end()
}

impl<'a> From<&'a Finding> for Shown<'a> {
    fn from(finding: &'a Finding) -> Shown<'a> {
        let term = |term: &crate::finding::Term| {
            let bits = term.hundredths();
            BTreeMap::from([("name", term.name.into()), ("bits", bits.into()), ("why", term.why.clone().into())])
        };
        Shown {
            id: finding.id.to_string(),
            rule: &finding.rule,
            title: &finding.title,
            severity: finding.severity.as_str(),
            priority: finding.priority,
            account: &finding.account,
            region: &finding.region,
            actor: finding.actor.as_deref(),
            sessions: &finding.sessions,
            assumed_by: &finding.assumed_by,
            resources: finding.resources.iter().map(|resource| resource.0.as_str()).collect(),
            source_ip: finding.source_ip.as_deref(),
            first_seen: finding.first_seen.to_string(),
            last_seen: finding.last_seen.to_string(),
            count: finding.count,
            window: finding.window.map(|(start, end)| [start.to_string(), end.to_string()]),
            event_ids: finding.events().into_iter().map(|(_, id)| id).collect(),
            tags: &finding.tags,
            evidence: &finding.evidence,
            explanation: explanation(finding),
            terms: finding.terms.iter().map(term).collect(),
            confidence: format!("{:?}", finding.confidence).to_lowercase(),
            remedy: &finding.remedy,
        }
    }
}

/// # Errors
/// When `out` cannot be written.
pub fn lines(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    for finding in findings {
        serde_json::to_writer(&mut *out, &Shown::from(finding))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// # Errors
/// When `out` cannot be written.
pub fn array(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    let shown: Vec<_> = findings.iter().map(Shown::from).collect();
    serde_json::to_writer_pretty(&mut *out, &shown)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::one_match;
    use crate::time::Timestamp;

    #[test]
    fn the_names_and_their_order_stay() {
        let mut out = Vec::new();
        lines(&[one_match("a/b", "eve", Timestamp(0), "e1")], &mut out).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            names.join(" "),
            "id rule title severity priority account region actor resources source_ip first_seen last_seen count \
             event_ids tags evidence explanation terms confidence remedy"
        );
        assert_eq!(value["event_ids"], serde_json::json!(["e1"]));
        assert_eq!(value["evidence"], serde_json::json!({"eventid": "e1"}));
        assert_eq!(value["first_seen"], "1970-01-01T00:00:00Z");
    }
}
