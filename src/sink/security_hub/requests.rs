//! Findings → the bodies of BatchImportFindings calls, one on a line, for whoever makes the calls himself.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use super::asff::{About, RecordState};
use super::call::{LIMITS, body, outgoing};
use super::hub::{Hub, is_account, is_region};
use crate::finding::Finding;
use crate::sink::Refused;
use crate::time::Timestamp;

/// Writes `{"Findings":[...]}` lines, each of them one valid call: at most 100 findings of one account and Region, in the
/// order given. Gives the findings that have no valid form.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(findings: &[Finding], now: Timestamp, out: &mut dyn Write) -> io::Result<Vec<Refused>> {
    let mut refused = Vec::new();
    let mut of_hubs: BTreeMap<Hub, Vec<Arc<str>>> = BTreeMap::new();
    for finding in findings {
        match prepared(finding, now) {
            Ok((hub, json)) => of_hubs.entry(hub).or_default().push(json),
            Err(why) => refused.push(Refused { id: finding.id, rule: finding.rule.clone(), why }),
        }
    }
    for findings in of_hubs.values() {
        let mut left = findings.as_slice();
        while !left.is_empty() {
            let (call, rest) = left.split_at(fitting(left));
            writeln!(out, "{}", body(call.iter().map(|json| &**json)))?;
            left = rest;
        }
    }
    Ok(refused)
}

fn prepared(finding: &Finding, now: Timestamp) -> Result<(Hub, Arc<str>), String> {
    let hub = Hub::of(finding).ok_or_else(|| format!("its log names no hub: {}", what_is_wrong(finding)))?;
    let about = About { hub: &hub, first_sent: now, now, state: RecordState::Active };
    let outgoing = outgoing(finding, &about)?;
    Ok((hub, outgoing.json))
}

/// Which of account and Region is none that there can be.
fn what_is_wrong(Finding { account, region, .. }: &Finding) -> String {
    let account = (!is_account(account)).then(|| format!("`{account}` is no account id"));
    let region = (!is_region(region)).then(|| format!("Region `{region}` is none of AWS's"));
    account.into_iter().chain(region).collect::<Vec<_>>().join(", ")
}

/// How many of the findings go into one call, at least one: no finding is as long as a call.
fn fitting(findings: &[Arc<str>]) -> usize {
    let mut bytes = 0;
    let fitting = findings.iter().enumerate().take_while(|(index, json)| {
        bytes += json.len() + 1;
        LIMITS.fits(index + 1, bytes)
    });
    fitting.count()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::finding::tests::one_match;
    use crate::sink::security_hub::validate::call_violations;

    fn written(findings: &[Finding]) -> (Vec<Value>, Vec<Refused>) {
        let mut out = Vec::new();
        let refused = write(findings, Timestamp::from_seconds(1_700_000_000), &mut out).unwrap();
        let lines = String::from_utf8(out).unwrap();
        (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), refused)
    }

    #[test]
    fn a_line_is_a_call_for_one_hub() {
        let mut findings: Vec<_> =
            (0..201).map(|n| one_match("cloudtrail/x", &format!("a{n}"), Timestamp(1), "e")).collect();
        findings[7].region = "eu-west-1".into();
        findings[8].region = "unknown".into();
        let (calls, refused) = written(&findings);
        let counts: Vec<_> = calls.iter().map(|call| call["Findings"].as_array().unwrap().len()).collect();
        assert_eq!(counts, [1, 100, 99]);
        for call in &calls {
            assert_eq!(call_violations(call), []);
        }
        assert_eq!(calls[0]["Findings"][0]["Id"], format!("weir/{}", findings[7].id));
        assert_eq!(calls[2]["Findings"][98]["Id"], format!("weir/{}", findings[200].id));
        let why = "its log names no hub: Region `unknown` is none of AWS's";
        assert_eq!(refused, [Refused { id: findings[8].id, rule: "cloudtrail/x".into(), why: why.into() }]);
        assert!(written(&[]).0.is_empty());
        findings[8].account = "1234".into();
        let why = "its log names no hub: `1234` is no account id, Region `unknown` is none of AWS's";
        assert_eq!(written(&findings[8..9]).1[0].why, why);
    }

    #[test]
    fn a_line_is_no_longer_than_a_call_may_be() {
        let wide: Vec<_> = (0..60)
            .map(|n| {
                let mut finding = one_match("cloudtrail/x", &format!("a{n}"), Timestamp(1), "e");
                finding.evidence = (0..49).map(|n| (format!("c{n}"), "\u{10000}".repeat(3000))).collect();
                finding
            })
            .collect();
        let (calls, refused) = written(&wide);
        assert!(refused.is_empty() && calls.len() > 1);
        let bytes: Vec<_> = calls.iter().map(|call| call.to_string().len()).collect();
        assert!(bytes.iter().all(|bytes| *bytes <= 6_000_000) && bytes[0] > 5_700_000, "{bytes:?}");
        assert_eq!(calls.iter().map(|call| call["Findings"].as_array().unwrap().len()).sum::<usize>(), 60);
    }
}
