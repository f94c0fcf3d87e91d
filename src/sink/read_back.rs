//! Lines of NDJSON that [`super::json::lines`] wrote → findings.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use serde::Deserialize;

use crate::decode::line::read_line;
use crate::finding::{Finding, FindingId, Resource, Term};
use crate::rule::Severity;
use crate::time::Timestamp;

/// A finding as its line has it. What every line of ours has and an incident cannot do without is mandatory.
#[derive(Deserialize)]
struct Line {
    id: String,
    rule: String,
    title: String,
    severity: Severity,
    priority: u8,
    account: String,
    region: String,
    actor: Option<String>,
    #[serde(default)]
    sessions: Vec<String>,
    #[serde(default)]
    assumed_by: Vec<String>,
    source_ip: Option<String>,
    resources: Vec<String>,
    first_seen: String,
    last_seen: String,
    count: u64,
    window: Option<[String; 2]>,
    event_ids: Vec<String>,
    tags: Vec<String>,
    evidence: BTreeMap<String, String>,
    terms: Vec<LineTerm>,
    confidence: String,
    remedy: String,
}

#[derive(Deserialize)]
struct LineTerm {
    name: String,
    bits: f64,
    why: String,
}

/// Lines of a file that are named as no findings; a file that is another has nothing else.
const WRONG_NAMED_MAX: usize = 10;

/// Reads findings up to the end; one with the id of an earlier one takes its place. Gives what is wrong with the first ten wrong lines, by
/// number from 1, and how many there are more; empty lines are nothing.
///
/// Two things are not in a line: the times of events, for which `first_seen` stands, and the order of the evidence.
///
/// # Errors
/// When the lines cannot be read to the end; what was read is in `findings`.
pub fn read(
    mut from: impl BufRead,
    findings: &mut BTreeMap<FindingId, Finding>,
) -> io::Result<(Vec<(u64, String)>, u64)> {
    let (mut line, mut number, mut wrong, mut more) = (Vec::new(), 0, Vec::new(), 0);
    loop {
        if read_line(&mut from, &mut line)? == 0 {
            return Ok((wrong, more));
        }
        number += 1;
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        match finding(text) {
            Ok(finding) => drop(findings.insert(finding.id, finding)),
            Err(why) if wrong.len() < WRONG_NAMED_MAX => wrong.push((number, why)),
            Err(_) => more += 1,
        }
    }
}

fn finding(line: &[u8]) -> Result<Finding, String> {
    if !line.starts_with(b"{") {
        return Err("no finding: a line of --format ndjson is a JSON object".to_owned());
    }
    let line: Line = serde_json::from_slice(line).map_err(|error| format!("no finding: {}", column(&error)))?;
    let time = |text: &str| Timestamp::parse(text).ok_or_else(|| format!("`{text}` is no time"));
    let first_seen = time(&line.first_seen)?;
    let window = match line.window {
        Some([start, end]) => Some((time(&start)?, time(&end)?)),
        None => None,
    };
    Ok(Finding {
        id: id(&line.id).ok_or_else(|| format!("`{}` is no id of a finding", line.id))?,
        rule: line.rule,
        title: line.title,
        severity: line.severity,
        confidence: line.confidence.parse()?,
        priority: line.priority,
        account: line.account,
        region: line.region,
        actor: line.actor,
        sessions: line.sessions,
        assumed_by: line.assumed_by,
        source_ip: line.source_ip,
        resources: line.resources.into_iter().map(Resource).collect(),
        first_seen,
        last_seen: time(&line.last_seen)?,
        count: line.count,
        window,
        gravest: None,
        event_ids: line.event_ids.into_iter().map(|id| (first_seen, id)).collect(),
        tags: line.tags,
        remedy: line.remedy,
        evidence: line.evidence.into_iter().collect(),
        terms: line.terms.into_iter().map(term).collect(),
    })
}

/// The parser counts lines too, and here there is one.
fn column(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at column ")
}

fn id(text: &str) -> Option<FindingId> {
    let mut id = [0; 16];
    if text.len() != 2 * id.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (place, byte) in id.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(FindingId(id))
}

fn term(line: LineTerm) -> Term {
    let name = match line.name.as_str() {
        "severity" => "severity",
        "precision" => "precision",
        "rarity" => "rarity",
        "asset" => "asset",
        // of another version of this program: its bits count all the same
        _ => "other",
    };
    Term { name, bits: line.bits, why: line.why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::one_match;
    use crate::sink::json;

    fn line(found: &Finding) -> String {
        let mut out = Vec::new();
        json::lines(std::slice::from_ref(found), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn found() -> Finding {
        let mut found = one_match("a/b", "eve", Timestamp(1_500_000), "e1");
        found.priority = 40;
        found.sessions = vec!["s1".into()];
        found.assumed_by = vec!["arn:aws:iam::111122223333:user/eve".into()];
        found.window = Some((Timestamp(0), Timestamp(60_000_000)));
        found.evidence = vec![("a".into(), "x".into()), ("b".into(), "y".into())];
        found.terms = vec![Term { name: "rarity", bits: 2.25, why: "seldom".into() }];
        found
    }

    #[test]
    fn what_was_written_is_read_back() {
        let mut findings = BTreeMap::new();
        assert_eq!(read(line(&found()).as_bytes(), &mut findings).unwrap(), (vec![], 0));
        assert_eq!(findings.into_values().collect::<Vec<_>>(), [found()]);
    }

    #[test]
    fn a_later_line_replaces_an_earlier_one_and_a_broken_one_is_named() {
        let mut later = found();
        later.count = 2;
        let text =
            format!("{}\n{{\"id\":\n{}[]\n{}", line(&found()), line(&later), line(&found()).replace("1970", "x"));
        let mut findings = BTreeMap::new();
        let (wrong, more) = read(text.as_bytes(), &mut findings).unwrap();
        let expected = [
            (3, "no finding: EOF while parsing a value at column 6".to_owned()),
            (5, "no finding: a line of --format ndjson is a JSON object".to_owned()),
            (6, "`x-01-01T00:00:01.500Z` is no time".to_owned()),
        ];
        assert_eq!((&wrong[..], more), (&expected[..], 0));
        assert_eq!(findings[&later.id].count, 2);
        let (wrong, more) = read("x\n".repeat(1000).as_bytes(), &mut findings).unwrap();
        assert_eq!((wrong.len(), more), (10, 990));
    }

    #[test]
    fn an_id_is_thirty_two_digits() {
        assert_eq!(id("000102030405060708090a0b0c0d0eff").unwrap().0[14..], [14, 255]);
        assert_eq!(id("000102030405060708090a0b0c0d0e"), None);
        assert_eq!(id("g00102030405060708090a0b0c0d0eff"), None);
        assert_eq!(id("+00102030405060708090a0b0c0d0eff"), None);
    }
}
