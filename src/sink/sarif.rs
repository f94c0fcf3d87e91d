//! Findings → a SARIF 2.1.0 log (OASIS standard), as code scanning tools read it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::finding::Finding;
use crate::rule::Severity;
use crate::sink::json::Shown;

/// A finding has no place in a source tree; code scanning wants one, so its artifact is named
/// `aws/ACCOUNT/REGION/TABLE`. The rest of the finding is in the result's properties.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    let mut rules: BTreeMap<&str, &Finding> = BTreeMap::new();
    for finding in findings {
        rules.entry(&finding.rule).or_insert(finding);
    }
    let places: BTreeMap<&str, usize> = rules.keys().enumerate().map(|(place, &rule)| (rule, place)).collect();
    let results: Vec<Value> = findings.iter().map(|finding| result(finding, places[finding.rule.as_str()])).collect();
    let log = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "weir",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.values().map(|finding| descriptor(finding)).collect::<Vec<_>>(),
            }},
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &log)?;
    out.write_all(b"\n")
}

fn descriptor(finding: &Finding) -> Value {
    json!({
        "id": finding.rule,
        "shortDescription": {"text": finding.title},
        "help": {"text": finding.remedy},
        "defaultConfiguration": {"level": level(finding.severity)},
        "properties": {"tags": finding.tags, "security-severity": security_severity(finding.severity)},
    })
}

fn result(finding: &Finding, rule: usize) -> Value {
    let shown = Shown::from(finding);
    let table = finding.rule.split('/').next().unwrap_or_default();
    let names = |kind: &str, name: &str| json!({"fullyQualifiedName": name, "kind": kind});
    let mut logical: Vec<Value> = finding.resources.iter().map(|resource| names("resource", &resource.0)).collect();
    logical.extend(finding.actor.as_deref().map(|actor| names("actor", actor)));
    json!({
        "ruleId": finding.rule,
        "ruleIndex": rule,
        "level": level(finding.severity),
        "rank": f64::from(finding.priority),
        "message": {"text": shown.explanation},
        "partialFingerprints": {"weirFindingId/v1": shown.id},
        "occurrenceCount": finding.count,
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": format!("aws/{}/{}/{table}", uri_part(&finding.account), uri_part(&finding.region))},
                "region": {"startLine": 1},
            },
            "logicalLocations": logical,
        }],
        "properties": {
            "severity": shown.severity,
            "account": shown.account,
            "region": shown.region,
            "actor": shown.actor,
            "sessions": shown.sessions,
            "assumed_by": shown.assumed_by,
            "source_ip": shown.source_ip,
            "first_seen": shown.first_seen,
            "last_seen": shown.last_seen,
            "event_ids": shown.event_ids,
            "terms": shown.terms,
            "evidence": finding.evidence.iter().cloned().collect::<BTreeMap<_, _>>(),
        },
    })
}

fn uri_part(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_ascii_alphanumeric() || character == '-' { character } else { '_' })
        .collect()
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational | Severity::Low => "note",
        Severity::Medium => "warning",
        Severity::High | Severity::Critical => "error",
    }
}

/// GitHub's scale: over 9.0 critical, 7.0 high, 4.0 medium.
fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "0.0",
        Severity::Low => "2.0",
        Severity::Medium => "5.5",
        Severity::High => "8.0",
        Severity::Critical => "9.5",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::one_match;
    use crate::time::Timestamp;

    #[test]
    fn who_acted_in_a_role_is_told() {
        let mut found = one_match("cloudtrail/b", "arn:aws:iam::111122223333:role/ops", Timestamp(0), "e1");
        found.sessions = vec!["s1".into()];
        found.assumed_by = vec!["arn:aws:iam::111122223333:user/eve".into()];
        let result = result(&found, 0);
        assert_eq!(result["properties"]["sessions"], json!(["s1"]));
        assert_eq!(result["properties"]["assumed_by"], json!(["arn:aws:iam::111122223333:user/eve"]));
    }

    #[test]
    fn another_implementation_of_the_standard_reads_it() {
        let found = [
            one_match("cloudtrail/b", "eve", Timestamp(0), "e1"),
            one_match("cloudtrail/a", "eve", Timestamp(0), "e2"),
            one_match("cloudtrail/b", "mallory", Timestamp(0), "e3"),
        ];
        let mut out = Vec::new();
        write(&found, &mut out).unwrap();
        let log: serde_sarif::sarif::Sarif = serde_json::from_slice(&out).unwrap();
        let run = &log.runs[0];
        let rules = run.tool.driver.rules.as_ref().unwrap();
        assert_eq!(rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["cloudtrail/a", "cloudtrail/b"]);
        let results = run.results.as_ref().unwrap();
        assert_eq!(results.iter().map(|result| result.rule_index.unwrap()).collect::<Vec<_>>(), [1, 0, 1]);
        assert!(results.iter().all(|result| result.locations.is_some() && result.partial_fingerprints.is_some()));
    }
}
