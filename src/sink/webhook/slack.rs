//! Findings → the message that Slack's incoming webhooks take: `text` for notices and for what knows no blocks, `blocks` for
//! the window. Limits and escapes are those of Slack's Block Kit reference: a section's text has at most 3,000 characters, a
//! field's 2,000, and `&`, `<` and `>` are written as entities, so that nothing in a log becomes a link or a mention.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::rule::Severity;
use crate::sink::detail::Detail;

const SECTION_CHARS_MAX: usize = 3_000;
const FIELD_CHARS_MAX: usize = 500;
const TITLE_CHARS_MAX: usize = 300;
/// Findings that a message about many names.
const NAMED_MAX: usize = 10;

/// The message about one finding, or about many.
///
/// # Panics
/// Without a finding.
pub fn message(findings: &[Detail]) -> Value {
    match findings {
        [] => panic!("a message is about a finding"),
        [one] => about_one(one),
        many => about_many(many),
    }
}

fn about_one(finding: &Detail) -> Value {
    let Detail { id, rule, title, severity, account, region, explanation, .. } = finding;
    let heading = format!("{}: {}", said(*severity), escaped(title, TITLE_CHARS_MAX));
    let seen = match finding.count {
        1 => finding.last_seen.clone(),
        count => format!("{count} times, {} to {}", finding.first_seen, finding.last_seen),
    };
    let mut fields = vec![("Account", account.clone()), ("Region", region.clone()), ("Seen", seen)];
    fields.extend(finding.resources.first().map(|resource| ("Resource", resource.clone())));
    fields.retain(|(_, value)| !value.is_empty());
    let field = |(name, value): (&str, String)| text(format!("*{name}*\n{}", escaped(&value, FIELD_CHARS_MAX)));
    let fields: Vec<Value> = fields.into_iter().map(field).collect();
    let blocks = [
        section(format!("*{heading}*\n{}", escaped(explanation, SECTION_CHARS_MAX - 2 * TITLE_CHARS_MAX))),
        json!({ "type": "section", "fields": fields }),
        context(&format!("{rule} · {id} · priority {}", finding.priority)),
    ];
    json!({ "text": format!("{heading} ({})", escaped(account, FIELD_CHARS_MAX)), "blocks": blocks })
}

fn about_many(findings: &[Detail]) -> Value {
    let mut by_severity: BTreeMap<Severity, usize> = BTreeMap::new();
    for finding in findings {
        *by_severity.entry(finding.severity).or_default() += 1;
    }
    let counts: Vec<String> = by_severity.iter().rev().map(|(severity, count)| format!("{count} {severity}")).collect();
    let heading = format!("{} more findings: {}", findings.len(), counts.join(", "));
    let line = |finding: &Detail| {
        let Detail { id, title, severity, account, .. } = finding;
        let title = escaped(title, SECTION_CHARS_MAX / NAMED_MAX - 120);
        format!("• {}: {title} ({}) · {id}", said(*severity), escaped(account, 20))
    };
    let mut most_urgent: Vec<&Detail> = findings.iter().collect();
    most_urgent.sort_by_key(|finding| std::cmp::Reverse((finding.severity, finding.priority)));
    let lines: Vec<String> = most_urgent.iter().take(NAMED_MAX).map(|finding| line(finding)).collect();
    let mut blocks = vec![section(format!("*{heading}*")), section(lines.join("\n"))];
    if findings.len() > NAMED_MAX {
        blocks
            .push(context(&format!("{} are not named here: there were too many at once", findings.len() - NAMED_MAX)));
    }
    json!({ "text": heading, "blocks": blocks })
}

fn said(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "Informational",
        Severity::Low => "Low",
        Severity::Medium => "Medium",
        Severity::High => "High",
        Severity::Critical => "Critical",
    }
}

/// `verbatim` leaves addresses and names in it alone.
fn text(text: String) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

fn section(inside: String) -> Value {
    json!({ "type": "section", "text": text(inside) })
}

fn context(inside: &str) -> Value {
    json!({ "type": "context", "elements": [text(escaped(inside, FIELD_CHARS_MAX))] })
}

/// The text as Slack wants it, with at most `chars_max` characters; what is longer ends in `…`.
fn escaped(text: &str, chars_max: usize) -> String {
    let (mut out, mut chars) = (String::new(), 0);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let mut buffer = [0; 4];
        let piece = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            other => &*other.encode_utf8(&mut buffer),
        };
        // room is kept for the sign that says more was there
        let room = chars_max - usize::from(characters.peek().is_some());
        chars += piece.chars().count();
        if chars > room {
            out.push('…');
            break;
        }
        out.push_str(piece);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(id: &str, severity: Severity, title: &str) -> Detail {
        Detail {
            id: id.into(),
            rule: "cloudtrail/x".into(),
            title: title.into(),
            severity,
            priority: 55,
            account: "111122223333".into(),
            region: "eu-west-1".into(),
            resources: vec!["arn:aws:s3:::logs".into(), "other".into()],
            first_seen: "2024-08-01T11:30:23Z".into(),
            last_seen: "2024-08-01T11:31:00Z".into(),
            count: 3,
            explanation: "A <b> & c: by user/eve".into(),
        }
    }

    #[test]
    fn one_finding_has_its_own_message() {
        let part = |text: &str| json!({ "type": "mrkdwn", "text": text, "verbatim": true });
        assert_eq!(
            message(&[finding("0a1b", Severity::High, "A <!channel> & c")]),
            json!({
                "text": "High: A &lt;!channel&gt; &amp; c (111122223333)",
                "blocks": [
                    { "type": "section", "text": part("*High: A &lt;!channel&gt; &amp; c*\nA &lt;b&gt; &amp; c: by user/eve") },
                    { "type": "section", "fields": [
                        part("*Account*\n111122223333"),
                        part("*Region*\neu-west-1"),
                        part("*Seen*\n3 times, 2024-08-01T11:30:23Z to 2024-08-01T11:31:00Z"),
                        part("*Resource*\narn:aws:s3:::logs"),
                    ] },
                    { "type": "context", "elements": [part("cloudtrail/x · 0a1b · priority 55")] },
                ],
            })
        );
    }

    #[test]
    fn many_findings_are_counted_and_the_worst_are_named() {
        let mut findings: Vec<Detail> = (0..12).map(|n| finding(&format!("id{n}"), Severity::High, "Title")).collect();
        findings.push(finding("worst", Severity::Critical, "Worst"));
        let message = message(&findings);
        assert_eq!(message["text"], "13 more findings: 1 critical, 12 high");
        let blocks = message["blocks"].as_array().unwrap();
        assert_eq!(blocks[0]["text"]["text"], "*13 more findings: 1 critical, 12 high*");
        let lines: Vec<&str> = blocks[1]["text"]["text"].as_str().unwrap().lines().collect();
        assert_eq!(lines.len(), 10);
        assert_eq!(lines[0], "• Critical: Worst (111122223333) · worst");
        assert_eq!(lines[1], "• High: Title (111122223333) · id0");
        assert_eq!(blocks[2]["elements"][0]["text"], "3 are not named here: there were too many at once");
    }

    #[test]
    fn no_text_is_longer_than_slack_takes() {
        let long = "<&>\u{1f600}".repeat(5_000);
        let one = || Detail {
            title: long.clone(),
            account: long.clone(),
            region: long.clone(),
            resources: vec![long.clone()],
            explanation: long.clone(),
            rule: long.clone(),
            id: "0".repeat(32),
            ..finding("x", Severity::Low, "")
        };
        for findings in [vec![one()], (0..20).map(|_| one()).collect()] {
            let message = message(&findings);
            for block in message["blocks"].as_array().unwrap() {
                let chars = |text: &Value| text["text"].as_str().map_or(0, |text| text.chars().count());
                assert!(chars(&block["text"]) <= 3_000, "{}", chars(&block["text"]));
                for field in block["fields"].as_array().into_iter().flatten() {
                    assert!(chars(field) <= 2_000);
                }
            }
        }
    }

    #[test]
    fn a_cut_does_not_split_an_entity() {
        assert_eq!(escaped("a<b", 6), "a&lt;b");
        assert_eq!(escaped("a<bc", 6), "a&lt;…");
        assert_eq!(escaped("a<b", 5), "a…");
        assert_eq!(escaped("abc", 3), "abc");
        assert_eq!(escaped("abcd", 3), "ab…");
        assert_eq!(escaped("", 3), "");
    }
}
