//! What a service that findings are sent to says of them, and the verdicts so far → the lines that are new in these.
//!
//! A service tells what it says now and not since when. What it says is therefore news only where it said something else
//! before, and its own lines in the verdicts, which have its name, are the record of that: they survive restarts, and
//! say no verdict twice.

use std::collections::{BTreeMap, HashMap};

use super::feedback::{Judgement, Verdict};
use crate::time::{MICROS_PER_DAY, MICROS_PER_SECOND, Timestamp};

/// What a service says of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub rule: String,
    pub account: String,
    /// [`Verdict::Withdrawn`] where it says nothing.
    pub verdict: Verdict,
    /// In its own words.
    pub why: String,
}

/// One look at what a service says.
pub struct Look<'a> {
    /// Names the service in verdicts.
    pub by: &'a str,
    /// When it was looked before; what it says otherwise than then was said since.
    pub before: Option<Timestamp>,
    pub now: Timestamp,
    /// By finding.
    pub words: &'a BTreeMap<String, Word>,
}

/// What [`Look::news`] has.
#[derive(Debug, Default, PartialEq)]
pub struct News {
    /// Lines to be added.
    pub lines: Vec<Judgement>,
    /// Findings whose word is new and stands behind the verdict of a person that is newer, or may be.
    pub behind: Vec<String>,
}

/// A change is seen by those who ask up to so much later, and clocks differ.
const LATE: i64 = 600 * MICROS_PER_SECOND;
/// A finding that nobody touches is deleted after so long.
const KEPT: i64 = 90 * MICROS_PER_DAY;

/// The last lines on a finding.
struct Known {
    of_service: Option<(Verdict, Timestamp)>,
    last: (Judgement, Timestamp),
}

impl Look<'_> {
    /// Lines for what the service says otherwise than it did when it was last noted. It has no say over a verdict of a person
    /// since the last look, and takes back nothing but its own: there the person's line comes once more behind its own.
    pub fn news(&self, text: &str) -> News {
        let known = known(text, self.by);
        let mut news = News::default();
        for (finding, word) in self.words {
            let known = known.get(finding);
            let before = known.and_then(|known| known.of_service).map(|(verdict, _)| verdict);
            if !is_news(before, word.verdict) {
                continue;
            }
            news.lines.push(Judgement {
                finding: finding.clone(),
                rule: word.rule.clone(),
                account: word.account.clone(),
                verdict: word.verdict,
                at: self.now.to_string(),
                by: Some(self.by.to_owned()),
                note: Some(word.why.clone()),
            });
            let others = known.map(|known| &known.last).filter(|(last, _)| last.by.as_deref() != Some(self.by));
            if let Some((last, at)) = others
                && (word.verdict == Verdict::Withdrawn || self.before.is_none_or(|before| at.0 > before.0 - LATE))
            {
                news.lines.push(last.clone());
                news.behind.push(finding.clone());
            }
        }
        news
    }

    /// Findings that the service once said to be harmless and does not name now, the latest first: it says so no more, or
    /// it has no such finding any more.
    pub fn missing(&self, text: &str) -> Vec<String> {
        let mut missing: Vec<(Timestamp, String)> = known(text, self.by)
            .into_iter()
            .filter(|(finding, _)| !self.words.contains_key(finding))
            .filter_map(|(finding, known)| {
                let (verdict, at) = known.of_service?;
                (verdict == Verdict::Dismissed && at.0 > self.now.0 - KEPT).then_some((at, finding))
            })
            .collect();
        missing.sort_unstable_by(|a, b| b.cmp(a));
        missing.into_iter().map(|(_, finding)| finding).collect()
    }
}

/// What was confirmed stays so: Security Hub itself makes `NEW` of `RESOLVED` when a finding comes back.
fn is_news(before: Option<Verdict>, now: Verdict) -> bool {
    match now {
        Verdict::Confirmed | Verdict::Dismissed => before != Some(now),
        Verdict::Withdrawn => before == Some(Verdict::Dismissed),
    }
}

/// By finding. Lines that are none are told of by whoever reads the verdicts for what they say.
fn known(text: &str, by: &str) -> HashMap<String, Known> {
    let mut all: HashMap<String, Known> = HashMap::new();
    for line in text.lines() {
        let Ok(line) = serde_json::from_str::<Judgement>(line) else { continue };
        let Some(at) = Timestamp::parse(&line.at) else { continue };
        let of_service = (line.by.as_deref() == Some(by)).then_some((line.verdict, at));
        let before = all.get(&line.finding).and_then(|known| known.of_service);
        all.insert(line.finding.clone(), Known { of_service: of_service.or(before), last: (line, at) });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::feedback::Feedback;

    const HUB: &str = "the hub";

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    /// The verdicts after a look, and on which findings the hub's word stands behind.
    fn after(text: &str, before: Option<&str>, now: &str, says: &[(&str, Verdict)]) -> (String, Vec<String>) {
        let word = |verdict| Word { rule: "t/r".into(), account: "1".into(), verdict, why: "it says so".into() };
        let words = says.iter().map(|(finding, verdict)| ((*finding).to_owned(), word(*verdict))).collect();
        let look = Look { by: HUB, before: before.map(time), now: time(now), words: &words };
        let news = look.news(text);
        let lines = news.lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n");
        (format!("{text}{}", lines.collect::<String>()), news.behind)
    }

    fn person(finding: &str, verdict: &str, at: &str) -> String {
        format!(
            "{{\"finding\":\"{finding}\",\"rule\":\"t/r\",\"account\":\"1\",\"verdict\":\"{verdict}\",\"at\":\"{at}\",\"by\":\"alice\"}}\n"
        )
    }

    fn counts(text: &str) -> (usize, usize) {
        let (feedback, wrong) = Feedback::read(text);
        assert_eq!(wrong, []);
        let tally = feedback.tally("t/r", "1", time("2024-01-01T00:00:00Z"));
        (tally.confirmed, tally.dismissed)
    }

    #[test]
    fn a_word_is_noted_once_whoever_asks_again() {
        let (text, _) =
            after("", None, "2024-01-01T00:00:00Z", &[("a", Verdict::Dismissed), ("b", Verdict::Confirmed)]);
        assert_eq!((text.lines().count(), counts(&text)), (2, (1, 1)));
        let (again, _) =
            after(&text, None, "2024-01-02T00:00:00Z", &[("a", Verdict::Dismissed), ("b", Verdict::Confirmed)]);
        assert_eq!(again, text);
        let (other, _) = after(&text, None, "2024-01-03T00:00:00Z", &[("a", Verdict::Confirmed)]);
        assert_eq!((other.lines().count(), counts(&other)), (3, (2, 0)));
    }

    #[test]
    fn a_person_who_spoke_since_the_last_look_is_not_overruled_and_one_before_is() {
        let text = person("a", "confirmed", "2024-01-02T00:00:00Z");
        let look = |before| after(&text, before, "2024-01-02T01:00:00Z", &[("a", Verdict::Dismissed)]);
        // it may have been said before the person spoke
        for before in [None, Some("2024-01-01T23:50:00Z"), Some("2024-01-02T00:09:59Z")] {
            let (told, behind) = look(before);
            assert_eq!((told.lines().count(), counts(&told), behind), (3, (1, 0), vec!["a".to_owned()]), "{before:?}");
            // and stays behind
            let later = Some("2024-01-02T01:00:00Z");
            assert_eq!(after(&told, later, "2024-01-02T02:00:00Z", &[("a", Verdict::Dismissed)]).0, told);
        }
        let (told, behind) = look(Some("2024-01-02T00:10:00Z"));
        assert_eq!((told.lines().count(), counts(&told), behind), (2, (0, 1), vec![]));
        // who speaks later has the last word
        let later = told + &person("a", "withdrawn", "2024-01-03T00:00:00Z");
        let again = after(&later, Some("2024-01-02T01:00:00Z"), "2024-01-04T00:00:00Z", &[("a", Verdict::Dismissed)]);
        assert_eq!((again.0.as_str(), counts(&again.0)), (later.as_str(), (0, 0)));
    }

    #[test]
    fn a_service_takes_back_its_own_dismissals_alone() {
        let (text, _) =
            after("", None, "2024-01-01T00:00:00Z", &[("a", Verdict::Dismissed), ("b", Verdict::Confirmed)]);
        let none = [("a", Verdict::Withdrawn), ("b", Verdict::Withdrawn), ("c", Verdict::Withdrawn)];
        let (told, _) = after(&text, Some("2024-01-01T00:00:00Z"), "2024-01-05T00:00:00Z", &none);
        assert_eq!((told.lines().count(), counts(&told)), (3, (1, 0)));
        // a person said so too
        let both = format!("{text}{}", person("a", "dismissed", "2024-01-02T00:00:00Z"));
        let (told, behind) = after(&both, Some("2024-01-04T00:00:00Z"), "2024-01-05T00:00:00Z", &none);
        assert_eq!((counts(&told), behind), ((1, 1), vec!["a".to_owned()]));
    }

    #[test]
    fn a_dismissal_that_is_not_named_any_more_is_missing_while_the_finding_may_be_there() {
        let all = [("a", Verdict::Dismissed), ("b", Verdict::Confirmed), ("c", Verdict::Dismissed)];
        let (text, _) = after("", None, "2024-01-01T00:00:00Z", &all);
        let (text, _) = after(&text, None, "2024-02-01T00:00:00Z", &[("d", Verdict::Dismissed)]);
        let missing = |now: &str, by: &str| {
            let word = Word { rule: "t/r".into(), account: "1".into(), verdict: Verdict::Dismissed, why: "w".into() };
            let words = BTreeMap::from([("c".to_owned(), word)]);
            Look { by, before: None, now: time(now), words: &words }.missing(&text)
        };
        assert_eq!(missing("2024-02-02T00:00:00Z", HUB), ["d", "a"]);
        assert_eq!(missing("2024-04-01T00:00:00Z", HUB), ["d"]);
        assert!(missing("2024-02-02T00:00:00Z", "another hub").is_empty());
    }
}
