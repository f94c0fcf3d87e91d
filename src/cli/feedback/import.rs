//! A file of verdicts, CSV or NDJSON → judgements of findings, and what is wrong with which line.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IntoDeserializer;

use crate::finding::Finding;
use crate::time::Timestamp;
use crate::triage::feedback::{Judgement, Verdict};

/// A line as people and ticket systems write it: the columns of CSV, the fields of NDJSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// Id of the finding, or its beginning; `id` in files of findings.
    #[serde(alias = "id")]
    finding: String,
    /// `confirmed`, `dismissed` or `withdrawn`, in any case.
    verdict: String,
    #[serde(default)]
    by: Option<String>,
    #[serde(default)]
    at: Option<String>,
    #[serde(default)]
    note: Option<String>,
    /// With `account`, of a finding that the archive does not have open: lines of another archive's verdicts have both.
    #[serde(default)]
    rule: Option<String>,
    #[serde(default)]
    account: Option<String>,
}

/// What a file says.
#[derive(Debug, Default, PartialEq)]
pub struct Imported {
    /// In the order of the file.
    pub judgements: Vec<Judgement>,
    /// Lines that say nothing, from 1, and why.
    pub wrong: Vec<(usize, String)>,
}

/// What the lines do not say.
pub struct Defaults<'a> {
    pub by: Option<&'a str>,
    pub note: Option<&'a str>,
    pub now: Timestamp,
}

/// Reads NDJSON where the text begins with `{`, else CSV with a header.
pub fn read(text: &str, findings: &[Finding], defaults: &Defaults) -> Imported {
    let text = text.trim_start_matches('\u{feff}');
    let lines = if text.trim_start().starts_with('{') { ndjson(text) } else { csv(text) };
    let findings = ById::of(findings);
    let mut imported = Imported::default();
    for (number, line) in lines {
        match line.and_then(|line| judgement(line, &findings, defaults)) {
            Ok(judgement) => imported.judgements.push(judgement),
            Err(why) => imported.wrong.push((number, why)),
        }
    }
    imported
}

fn ndjson(text: &str) -> Vec<(usize, Result<Line, String>)> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(place, line)| (place + 1, serde_json::from_str(line).map_err(|error| error.to_string()))).collect()
}

fn csv(text: &str) -> Vec<(usize, Result<Line, String>)> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers = match reader.headers() {
        Ok(headers) => headers.clone(),
        Err(error) => return vec![(1, Err(error.to_string()))],
    };
    let names = ["finding", "id", "verdict", "by", "at", "note", "rule", "account"];
    if let Some(other) = headers.iter().find(|name| !names.contains(name)) {
        let why = format!("there is a column `{other}`; known are {}", names.join(", "));
        return vec![(1, Err(why))];
    }
    let mut lines = Vec::new();
    // the reader counts neither what it passes over between two records nor the second half of a line end of two
    let line = |position: Option<&csv::Position>| {
        let begin = position.map_or(0, |position| position.byte() as usize);
        let passed = text[begin..].bytes().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        1 + text[..begin + passed].matches('\n').count()
    };
    for record in reader.records() {
        lines.push(match record {
            Ok(record) => {
                let number = line(record.position());
                (number, record.deserialize(Some(&headers)).map_err(|error| said(&error)))
            }
            Err(error) => (line(error.position()), Err(said(&error))),
        });
    }
    lines
}

/// Without the place, which is told beside it.
fn said(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} values, and the header has {expected_len}")
        }
        _ => error.to_string(),
    }
}

fn judgement(line: Line, findings: &ById, defaults: &Defaults) -> Result<Judgement, String> {
    let text = |value: Option<String>| value.filter(|value| !value.is_empty());
    let verdict: Result<Verdict, serde::de::value::Error> =
        Verdict::deserialize(line.verdict.to_ascii_lowercase().into_deserializer());
    let verdict =
        verdict.map_err(|_| format!("`{}` is no verdict: use confirmed, dismissed or withdrawn", line.verdict))?;
    let at = match text(line.at) {
        Some(at) => Timestamp::parse(&at).ok_or_else(|| format!("`{at}` is no time such as 2026-03-02T09:00:00Z"))?,
        None => defaults.now,
    };
    let (finding, rule, account) = match (findings.one(&line.finding), text(line.rule), text(line.account)) {
        (Ok(finding), ..) => (finding.id.to_string(), finding.rule.clone(), finding.account.clone()),
        (Err(Unknown::None), Some(rule), Some(account)) if is_id(&line.finding) => (line.finding, rule, account),
        (Err(why), ..) => return Err(why.message(&line.finding)),
    };
    Ok(Judgement {
        finding,
        rule,
        account,
        verdict,
        at: at.to_string(),
        by: text(line.by).or_else(|| defaults.by.map(str::to_owned)),
        note: text(line.note).or_else(|| defaults.note.map(str::to_owned)),
    })
}

/// A whole id: 32 hexadecimal digits.
fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Findings by their ids, for files of many lines.
struct ById<'a> {
    whole: HashMap<String, &'a Finding>,
}

/// Why no one finding is meant.
enum Unknown {
    None,
    Several(usize),
}

impl Unknown {
    fn message(&self, id: &str) -> String {
        match self {
            Unknown::None if id.is_empty() => "it names no finding".to_owned(),
            Unknown::None => format!("no finding of the archive has an id that begins with {id}"),
            Unknown::Several(count) => format!("{count} findings have an id that begins with {id}"),
        }
    }
}

impl<'a> ById<'a> {
    fn of(findings: &'a [Finding]) -> ById<'a> {
        ById { whole: findings.iter().map(|finding| (finding.id.to_string(), finding)).collect() }
    }

    fn one(&self, id: &str) -> Result<&'a Finding, Unknown> {
        let id = id.to_ascii_lowercase();
        if let Some(finding) = self.whole.get(&id) {
            return Ok(finding);
        }
        if id.is_empty() {
            return Err(Unknown::None);
        }
        let matching: Vec<_> = self.whole.iter().filter(|(whole, _)| whole.starts_with(&id)).collect();
        match matching[..] {
            [(_, finding)] => Ok(finding),
            [] => Err(Unknown::None),
            _ => Err(Unknown::Several(matching.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::FindingId;
    use crate::finding::tests::one_match;

    fn findings() -> Vec<Finding> {
        [[0xaa; 16], [0xab; 16]]
            .map(|id| Finding { id: FindingId(id), ..one_match("t/r", "arn", Timestamp(0), "e") })
            .to_vec()
    }

    /// `finding verdict at by note` of each judgement, and the wrong lines.
    fn read(text: &str) -> (Vec<String>, Vec<(usize, String)>) {
        let defaults = Defaults { by: Some("soc"), note: None, now: Timestamp(0) };
        let Imported { judgements, wrong } = super::read(text, &findings(), &defaults);
        let told = |one: Judgement| {
            let note = one.note.unwrap_or_default();
            format!("{} {:?} {} {} {note}", &one.finding[..4], one.verdict, one.at, one.by.unwrap_or_default())
        };
        (judgements.into_iter().map(told).collect(), wrong)
    }

    #[test]
    fn csv_and_ndjson_say_the_same() {
        let expected =
            ["aaaa Confirmed 2026-03-02T09:00:00Z eve T-1, again", "abab Dismissed 1970-01-01T00:00:00Z soc "];
        let csv = "\u{feff}id,verdict,at,by,note\r\naaaa, Confirmed ,2026-03-02T09:00:00Z,eve,\"T-1, again\"\r\nABAB,dismissed,,,\r\n";
        let ndjson = "{\"finding\":\"aaaa\",\"verdict\":\"confirmed\",\"at\":\"2026-03-02T09:00:00Z\",\"by\":\"eve\",\"note\":\"T-1, again\"}\n\n\
                      {\"finding\":\"abab\",\"verdict\":\"dismissed\"}";
        for text in [csv, ndjson] {
            assert_eq!(read(text), (expected.map(str::to_owned).to_vec(), vec![]), "{text}");
        }
        assert_eq!(read(""), (vec![], vec![]));
    }

    #[test]
    fn lines_are_those_of_an_editor() {
        let numbers = |text: &str| read(text).1.into_iter().map(|(line, _)| line).collect::<Vec<_>>();
        let csv = "finding,verdict,note\naaaa,confirmed,\"two\nlines\"\n\n\nzz,confirmed,\naaaa,no,\n";
        assert_eq!(numbers(csv), [6, 7]);
        assert_eq!(numbers(&csv.replace('\n', "\r\n")), [6, 7]);
    }

    #[test]
    fn each_wrong_line_is_named_and_the_others_count() {
        let csv = "finding,verdict,at\naaaa,true,\nzz,confirmed,\na,confirmed,\n,confirmed,\naaaa,confirmed\naaaa,dismissed,yesterday\naaaa,withdrawn,\n";
        let (right, wrong) = read(csv);
        assert_eq!(right, ["aaaa Withdrawn 1970-01-01T00:00:00Z soc "]);
        let expected = [
            (2, "`true` is no verdict: use confirmed, dismissed or withdrawn"),
            (3, "no finding of the archive has an id that begins with zz"),
            (4, "2 findings have an id that begins with a"),
            (5, "it names no finding"),
            (6, "2 values, and the header has 3"),
            (7, "`yesterday` is no time such as 2026-03-02T09:00:00Z"),
        ];
        assert_eq!(wrong, expected.map(|(line, why)| (line, why.to_owned())));
        let (_, wrong) = read("finding,verdikt\naaaa,confirmed\n");
        assert_eq!(wrong[0].0, 1);
        assert!(wrong[0].1.starts_with("there is a column `verdikt`; known are finding, "), "{wrong:?}");
        let (_, wrong) = read("finding\naaaa\n");
        assert_eq!(wrong, [(2, "missing field `verdict`".to_owned())]);
        let (_, wrong) = read("{\"finding\":\"aaaa\"}\n{\n");
        assert_eq!((wrong[0].0, wrong[1].0), (1, 2));
        assert!(wrong[0].1.starts_with("missing field `verdict`"), "{wrong:?}");
    }

    #[test]
    fn verdicts_of_another_archive_come_with_rule_and_account() {
        let line =
            |id: &str| format!("{{\"finding\":\"{id}\",\"rule\":\"t/x\",\"account\":\"1\",\"verdict\":\"dismissed\"}}");
        let (right, wrong) = read(&line(&"c".repeat(32)));
        assert_eq!((right.len(), wrong.len()), (1, 0));
        let (right, wrong) = read(&line("cc"));
        assert_eq!((right.len(), wrong.len()), (0, 1), "a part of an id is no finding's");
    }
}
