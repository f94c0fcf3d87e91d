//! What people found out about findings → how far a rule can be believed.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::finding::Finding;
use crate::rule::Confidence;
use crate::time::{MICROS_PER_DAY, Timestamp};

/// What somebody found out about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is what its title says.
    Confirmed,
    /// It was harmless.
    Dismissed,
    /// Nothing is known, whatever was said before.
    Withdrawn,
}

/// A line of the file of verdicts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// Id of the finding.
    pub finding: String,
    pub rule: String,
    pub account: String,
    pub verdict: Verdict,
    /// When it was said: RFC 3339, UTC.
    pub at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Days after which a verdict counts half.
const HALF_LIFE_DAYS: f64 = 90.0;

/// The verdicts there are, the last one on each finding.
#[derive(Debug, Default, PartialEq)]
pub struct Feedback {
    findings: HashMap<String, Verdict>,
    rules: HashMap<(String, String), Vec<(Timestamp, Verdict)>>,
}

/// Verdicts on the findings of one rule in one account.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    pub confirmed: usize,
    pub dismissed: usize,
    /// The same, each as much as its age leaves of it.
    confirmed_weight: f64,
    dismissed_weight: f64,
}

impl Feedback {
    /// Of lines as they were written: the last one on a finding counts. Lines that are none are given with their numbers and why.
    pub fn read(text: &str) -> (Feedback, Vec<(usize, String)>) {
        let (mut last, mut wrong) = (HashMap::new(), Vec::new());
        for (place, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let read = serde_json::from_str::<Judgement>(line).map_err(|error| error.to_string()).and_then(|one| {
                let at = Timestamp::parse(&one.at).ok_or_else(|| format!("`{}` is no time", one.at))?;
                Ok((one, at))
            });
            match read {
                Ok((one, at)) => {
                    last.insert(one.finding, (one.rule, one.account, at, one.verdict));
                }
                Err(why) => wrong.push((place + 1, why)),
            }
        }
        let mut feedback = Feedback::default();
        for (finding, (rule, account, at, verdict)) in last {
            feedback.findings.insert(finding, verdict);
            feedback.rules.entry((rule, account)).or_default().push((at, verdict));
        }
        // sums of weights are the same in whatever order the lines were
        feedback.rules.values_mut().for_each(|verdicts| verdicts.sort_by_key(|(at, verdict)| (*at, *verdict as u8)));
        (feedback, wrong)
    }

    /// The verdict on a finding.
    pub fn on(&self, finding: &Finding) -> Option<Verdict> {
        if self.findings.is_empty() {
            return None;
        }
        let found = self.findings.get(&finding.id.to_string()).copied();
        found.filter(|verdict| *verdict != Verdict::Withdrawn)
    }

    /// What was said of a rule's findings in an account, as it counts at a time.
    pub fn tally(&self, rule: &str, account: &str, at: Timestamp) -> Tally {
        let mut tally = Tally::default();
        if self.rules.is_empty() {
            return tally;
        }
        let verdicts = self.rules.get(&(rule.to_owned(), account.to_owned())).map_or(&[][..], Vec::as_slice);
        for (said, verdict) in verdicts {
            let days = (at.0.saturating_sub(said.0).max(0)) as f64 / MICROS_PER_DAY as f64;
            let weight = (-days / HALF_LIFE_DAYS).exp2();
            match verdict {
                Verdict::Confirmed => {
                    tally.confirmed += 1;
                    tally.confirmed_weight += weight;
                }
                Verdict::Dismissed => {
                    tally.dismissed += 1;
                    tally.dismissed_weight += weight;
                }
                Verdict::Withdrawn => {}
            }
        }
        tally
    }

    /// Rules and accounts that something was said of, in order.
    pub fn rules(&self) -> Vec<(&str, &str)> {
        let said = |verdicts: &[(Timestamp, Verdict)]| verdicts.iter().any(|(_, said)| *said != Verdict::Withdrawn);
        let mut all: Vec<_> = self
            .rules
            .iter()
            .filter(|(_, verdicts)| said(verdicts))
            .map(|((rule, account), _)| (rule.as_str(), account.as_str()))
            .collect();
        all.sort_unstable();
        all
    }
}

impl Tally {
    /// Odds that a match is what the rule's title says, right to wrong: a Beta prior for each confidence that a rule can
    /// declare, and the verdicts.
    pub fn odds(&self, confidence: Confidence) -> (f64, f64) {
        let (right, wrong) = match confidence {
            Confidence::Low => (1.0, 9.0),
            Confidence::Medium => (1.0, 4.0),
            Confidence::High => (2.0, 1.0),
        };
        (right + self.confirmed_weight, wrong + self.dismissed_weight)
    }

    /// The odds in bits, -6 to 6: no verdicts hide a rule, and none outweigh all else.
    pub fn bits(&self, confidence: Confidence) -> f64 {
        const BITS_MAX: f64 = 6.0;
        let (right, wrong) = self.odds(confidence);
        (right / wrong).log2().clamp(-BITS_MAX, BITS_MAX)
    }

    pub fn is_empty(&self) -> bool {
        self.confirmed + self.dismissed == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(finding: &str, verdict: &str, at: &str) -> String {
        format!(r#"{{"finding":"{finding}","rule":"t/r","account":"1","verdict":"{verdict}","at":"{at}"}}"#)
    }

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn verdicts_fade_by_half_in_ninety_days_and_the_last_on_a_finding_counts() {
        let lines = [
            line("a", "confirmed", "2024-01-01T00:00:00Z"),
            line("b", "dismissed", "2024-01-01T00:00:00Z"),
            line("c", "dismissed", "2024-03-31T00:00:00Z"),
            line("a", "dismissed", "2024-01-01T00:00:00Z"),
            line("d", "confirmed", "2024-03-31T00:00:00Z"),
            line("d", "withdrawn", "2024-03-31T00:00:00Z"),
        ];
        let (feedback, wrong) = Feedback::read(&lines.join("\n"));
        assert_eq!(wrong, []);
        let tally = feedback.tally("t/r", "1", time("2024-03-31T00:00:00Z"));
        assert_eq!((tally.confirmed, tally.dismissed), (0, 3));
        // 1 to 4 before; two are 90 days old and count half, one counts whole
        assert_eq!(tally.odds(Confidence::Medium), (1.0, 6.0));
        assert_eq!((tally.bits(Confidence::High) * 1000.0).round(), -585.0, "2 to 3");
        assert_eq!(feedback.rules(), [("t/r", "1")]);
        assert!(feedback.tally("t/r", "2", time("2024-03-31T00:00:00Z")).is_empty());
        // a finding from before a verdict gains by all of it
        assert_eq!(feedback.tally("t/r", "1", time("2020-01-01T00:00:00Z")).odds(Confidence::Medium), (1.0, 7.0));
    }

    #[test]
    fn nothing_that_is_said_takes_more_than_six_bits() {
        let lines: Vec<_> = (0..5000).map(|n| line(&n.to_string(), "dismissed", "2024-01-01T00:00:00Z")).collect();
        let (feedback, _) = Feedback::read(&lines.join("\n"));
        assert_eq!(feedback.tally("t/r", "1", time("2024-01-01T00:00:00Z")).bits(Confidence::Low), -6.0);
    }

    #[test]
    fn a_line_that_is_none_is_named_and_the_others_count() {
        let text = format!("{{\n\n{}\n{}", line("a", "maybe", "2024-01-01"), line("b", "confirmed", "never"));
        let (feedback, wrong) = Feedback::read(&format!("{text}\n{}", line("c", "confirmed", "2024-01-01T00:00:00Z")));
        assert_eq!(wrong.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!(wrong[2].1, "`never` is no time");
        assert_eq!(feedback.tally("t/r", "1", time("2024-01-01T00:00:00Z")).confirmed, 1);
    }
}
