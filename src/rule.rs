//! A rule: the SQL that says what is wrong, and a header that says what it means. `queries/README.md` is the reference.

pub mod spelling;
mod sql_json;
mod parsable;
mod depth;
pub mod dialect;
mod parse;
pub mod shape;
pub mod shorthand;
pub mod refused;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

pub use parse::{TITLE_MAX, header_place, parse, query_text};

/// How bad it is, in Security Hub's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    pub const ALL: [Severity; 5] =
        [Severity::Informational, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Informational => "informational",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Severity, String> {
        Severity::ALL
            .into_iter()
            .find(|severity| severity.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("`{text}` is not a severity: use informational, low, medium, high or critical"))
    }
}

impl<'de> Deserialize<'de> for Severity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Severity, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How often a match of the rule is what its title says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    Low,
    Medium,
    High,
}

impl Confidence {
    pub fn as_str(self) -> &'static str {
        match self {
            Confidence::Low => "low",
            Confidence::Medium => "medium",
            Confidence::High => "high",
        }
    }
}

impl FromStr for Confidence {
    type Err = String;

    fn from_str(text: &str) -> Result<Confidence, String> {
        [Confidence::Low, Confidence::Medium, Confidence::High]
            .into_iter()
            .find(|confidence| confidence.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a confidence: use low, medium or high"))
    }
}

/// Why a rule cannot be used, and where: lines and columns count from 1, as editors show them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct RuleError {
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub message: String,
}

impl RuleError {
    /// The same, of a text that was made from what stands at a place.
    pub fn made_from(self, place: Option<(usize, usize)>) -> RuleError {
        let Some((line, column)) = place else { return self };
        let message = format!("{} (its SQL, {}:{})", self.message, self.line, self.column);
        RuleError { line, column, message, ..self }
    }
}

/// What makes a rule fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fires {
    /// Each row that the query selects is a match.
    PerRow,
    /// Each window of a group that the query selects is a match: its GROUP BY has `tumble`, `hop` or `session`.
    PerWindow,
}

/// What a rule over windows learns from what was before them, and judges by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learns {
    /// It asks what is new.
    New,
    /// It scores.
    Usual,
}

/// One SQL file: `queries/<table>/<name>.sql` has the id `<table>/<name>`.
#[derive(Clone, Debug)]
pub struct Rule {
    pub id: String,
    pub title: String,
    pub severity: Severity,
    pub confidence: Confidence,
    /// Table the query reads, from its FROM clause.
    pub table: String,
    pub fires: Fires,
    /// The whole file, header included.
    pub text: String,
    /// SQL expressions; empty means account and actor.
    pub key: Vec<String>,
    /// Length of the periods, in microseconds of event time, in which matches of one key are one finding.
    pub dedupe_micros: i64,
    /// How long after the end of its window, and after the last row came into it, a row may still come, in microseconds
    /// of the process's clock; `None` leaves it to what the rule needs.
    pub lateness_micros: Option<i64>,
    pub tags: Vec<String>,
    pub remedy: String,
    pub false_positives: String,
    /// What the rule is about, who wrote it and where to read more: for people who read the rule.
    pub description: String,
    pub author: String,
    pub references: Vec<String>,
    /// The `[reference.NAME]` of the configuration without which the rule waits, and judges nothing.
    pub needs: Option<String>,
    /// True when the rule also judges what AWS services do on their own behalf.
    pub aws_services: bool,
    /// File the rule was read from, as shown to people: a path, or `queries/...` for a built-in rule.
    pub file: String,
    /// What the query plainly asks of single columns, see [`shape::asks`].
    pub asks: BTreeMap<String, BTreeSet<String>>,
    /// What it learns from what was before its windows.
    pub learns: Option<Learns>,
    /// Where the rule stands in `file` when its `text` was made from what stands there: a Sigma rule's detection.
    pub made_from: Option<(usize, usize)>,
}

impl Rule {
    /// The next step for a match with this title and evidence. Where AWS refused the call, as `errorCode` says, and the rule has
    /// another title for that, by which somebody `tried to`, there is nothing to put back. A title that tells of no try stands for
    /// calls that were not refused too.
    pub fn advice(&self, title: &str, evidence: &[(String, String)]) -> String {
        let refused = |(name, value): &(String, String)| {
            name.eq_ignore_ascii_case("errorCode") && (value.contains("AccessDenied") || value.contains("Unauthorized"))
        };
        if title == self.title || !title.contains(" tried to ") || !evidence.iter().any(refused) {
            return self.remedy.clone();
        }
        let tried = "This was refused and did nothing: ask the owner of the principal, and disable its key or revoke its \
                     sessions if nobody can say. Of what was not refused:";
        format!("{tried} {}", self.remedy)
    }

    /// An error at a place of the rule's text.
    pub fn error(&self, (line, column): (usize, usize), message: String) -> RuleError {
        RuleError { file: self.file.clone(), line, column, message }.made_from(self.made_from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_refused_call_nothing_is_put_back() {
        let text = "-- title = \"Trail was stopped\"\n-- severity = \"high\"\n-- tags = [\"attack.impact\"]\n-- remedy = \"Start it.\"\n\
                    SELECT eventTime, errorCode FROM cloudtrail WHERE eventName = 'StopLogging'\n";
        let rule = parse("cloudtrail/x", "x.sql", text).unwrap();
        let advice = |title: &str, name: &str, value: &str| rule.advice(title, &[(name.into(), value.into())]);
        let tried = "Somebody tried to stop a trail";
        for code in ["AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation"] {
            let told = advice(tried, "errorcode", code);
            assert!(told.starts_with("This was refused") && told.ends_with("not refused: Start it."), "{told}");
        }
        // done, tried without a right name, another column, and a rule that is about calls whatever became of them
        assert_eq!(rule.advice("Trail of many Regions was stopped", &[]), "Start it.");
        assert_eq!(advice(tried, "errorcode", "TrailNotFoundException"), "Start it.");
        assert_eq!(advice(tried, "errormessage", "AccessDenied"), "Start it.");
        assert_eq!(advice("Trail was stopped", "errorcode", "AccessDenied"), "Start it.");
        // a title that is of done and refused calls alike
        assert_eq!(advice("Call was made with a tool of attackers", "errorcode", "AccessDenied"), "Start it.");
    }
}
