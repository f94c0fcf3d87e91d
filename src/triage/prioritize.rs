//! How urgent a finding is: terms in bits (log2 odds), added up, each with the words that explain it.

use std::collections::HashMap;

use glob::Pattern;
use serde::Deserialize;

use crate::finding::{Finding, Term};
use crate::rule::{Confidence, Severity};
use crate::time::MICROS_PER_HOUR;

/// What an asset is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Worth {
    CrownJewel,
    Production,
    Sandbox,
}

/// An `[[assets]]` entry: a pattern over accounts, actors and resource names, and what they are worth.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    #[serde(deserialize_with = "pattern")]
    pub pattern: Pattern,
    pub worth: Worth,
}

fn pattern<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Pattern, D::Error> {
    let text = String::deserialize(from)?;
    Pattern::new(&text).map_err(|error| serde::de::Error::custom(format!("`{text}` is not a pattern: {error}")))
}

/// How long we have been looking, and how often each rule fired on each actor.
#[derive(Default)]
pub struct History {
    hours_observed: u64,
    fired: HashMap<(String, String, String), u64>,
}

impl History {
    /// From the findings themselves: observed are the hours from the first match of any rule to the last one. A finding
    /// counts for as many hours as it has matches, but no more than lie between its first and last.
    pub fn of<'a>(findings: impl Iterator<Item = &'a Finding>) -> History {
        let (mut first, mut last) = (i64::MAX, i64::MIN);
        let mut history = History::default();
        for finding in findings {
            let from = finding.first_seen.0.div_euclid(MICROS_PER_HOUR);
            let to = finding.last_seen.0.div_euclid(MICROS_PER_HOUR);
            (first, last) = (first.min(from), last.max(to));
            let hours = finding.count.min((to - from).unsigned_abs() + 1);
            *history.fired.entry(who(finding)).or_default() += hours;
        }
        history.hours_observed = if first > last { 0 } else { (last - first).unsigned_abs() + 1 };
        history
    }
}

fn who(finding: &Finding) -> (String, String, String) {
    (finding.rule.clone(), finding.account.clone(), finding.actor.clone().unwrap_or_default())
}

/// The finding with its terms and its priority.
pub fn ranked(finding: &Finding, history: &History, assets: &[Asset]) -> Finding {
    let mut ranked = finding.clone();
    ranked.terms = vec![severity(finding), precision(finding), rarity(finding, history)];
    ranked.terms.extend(asset(finding, assets));
    ranked.priority = priority(ranked.terms.iter().map(|term| term.bits).sum());
    ranked
}

/// 0 to 99, even steps over the bits that the terms can add up to.
fn priority(bits: f64) -> u8 {
    const LEAST: f64 = -5.2;
    const MOST: f64 = 23.0;
    ((bits - LEAST) / (MOST - LEAST) * 99.0).round().clamp(0.0, 99.0) as u8
}

fn severity(finding: &Finding) -> Term {
    let bits = match finding.severity {
        Severity::Informational => 0.0,
        Severity::Low => 1.0,
        Severity::Medium => 3.0,
        Severity::High => 5.0,
        Severity::Critical => 7.0,
    };
    Term { name: "severity", bits, why: format!("the rule says {}", finding.severity) }
}

/// Odds that a match is what the rule's title says: a Beta prior for each confidence that a rule can declare. Analysts'
/// verdicts will move it.
fn precision(finding: &Finding) -> Term {
    let (right, wrong) = match finding.confidence {
        Confidence::Low => (1.0, 9.0),
        Confidence::Medium => (1.0, 4.0),
        Confidence::High => (2.0, 1.0),
    };
    let odds: f64 = right / wrong;
    let name = match finding.confidence {
        Confidence::Low => "low",
        Confidence::Medium => "medium",
        Confidence::High => "high",
    };
    Term {
        name: "precision",
        bits: odds.log2(),
        why: format!("{name} confidence: odds {right} to {wrong} before feedback"),
    }
}

fn rarity(finding: &Finding, history: &History) -> Term {
    let observed = history.hours_observed;
    let fired = history.fired.get(&who(finding)).copied().unwrap_or(0).clamp(1, observed.max(1));
    let bits = ((observed as f64 + 4.0) / fired as f64).log2().clamp(-3.0, 12.0);
    let why = format!("this rule fired on this actor in {fired} of {observed} hours observed");
    Term { name: "rarity", bits, why }
}

fn asset(finding: &Finding, assets: &[Asset]) -> Option<Term> {
    let names = || {
        let resources = finding.resources.iter().map(|resource| resource.0.as_str());
        resources.chain([finding.account.as_str()]).chain(finding.actor.as_deref())
    };
    let (entry, name) =
        assets.iter().find_map(|entry| names().find(|name| entry.pattern.matches(name)).map(|name| (entry, name)))?;
    let (bits, what) = match entry.worth {
        Worth::CrownJewel => (3.0, "a crown jewel"),
        Worth::Production => (2.0, "production"),
        Worth::Sandbox => (-2.0, "a sandbox"),
    };
    Some(Term { name: "asset", bits, why: format!("{name} is {what}") })
}

/// One paragraph for a person: what happened, why it ranks where it does, what to do next.
pub fn explanation(finding: &Finding) -> String {
    let who = match finding.who() {
        "" => "an unnamed actor",
        who => who,
    };
    let mut text = format!("{}: by {who}", finding.title.trim_end_matches('.'));
    if let Some(source) = &finding.source_ip {
        text.push_str(&format!(" from {source}"));
    }
    if let Some(resource) = finding.resources.first() {
        text.push_str(&format!(" on {}", resource.short()));
        if finding.resources.len() > 1 {
            text.push_str(&format!(" and {} more", finding.resources.len() - 1));
        }
    }
    text.push_str(&format!(" in account {}, {}", finding.account, finding.region));
    match finding.count {
        1 => text.push_str(&format!(", at {}.", finding.first_seen)),
        count => text.push_str(&format!(", {count} times between {} and {}.", finding.first_seen, finding.last_seen)),
    }
    let terms: Vec<_> =
        finding.terms.iter().map(|term| format!("{} {:+.1} ({})", term.name, term.bits, term.why)).collect();
    text.push_str(&format!(" Priority {}: {}. Next: {}", finding.priority, terms.join(", "), finding.remedy));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::one_match;
    use crate::time::Timestamp;

    fn finding(actor: &str, hour: i64) -> Finding {
        one_match("cloudtrail/x", actor, Timestamp(hour * MICROS_PER_HOUR), "e")
    }

    #[test]
    fn what_an_actor_rarely_does_ranks_above_what_it_does_daily() {
        let all: Vec<_> = (0..100).map(|day| finding("ci", day * 24)).chain([finding("eve", 50)]).collect();
        let history = History::of(all.iter());
        let [eve, ci] = [&all[100], &all[0]].map(|finding| ranked(finding, &history, &[]));
        // 99 * 24 + 1 = 2377 hours: log2(2381) and log2(23.81)
        assert_eq!((eve.terms[2].bits * 10.0).round(), 112.0);
        assert_eq!((ci.terms[2].bits * 10.0).round(), 46.0);
        assert!(eve.priority > ci.priority);
    }

    #[test]
    fn the_terms_add_up_to_the_priority() {
        let history = History::of([finding("eve", 0)].iter());
        let jewel = Asset { pattern: Pattern::new("*user/eve").unwrap(), worth: Worth::CrownJewel };
        let found = ranked(&finding("eve", 0), &history, &[jewel]);
        // 3 (medium) - 2 (1 to 4) + log2(5) + 3 = 6.32 bits; (6.32 + 5.2) / 28.2 * 99 = 40.4
        assert_eq!(found.priority, 40);
        assert_eq!(priority(-100.0), 0);
        assert_eq!(priority(100.0), 99);
    }

    #[test]
    fn an_explanation_names_actor_place_and_next_step() {
        let history = History::of([finding("eve", 0)].iter());
        let text = explanation(&ranked(&finding("eve", 0), &history, &[]));
        assert!(
            text.starts_with("Something was changed: by eve from 192.0.2.7 on user/eve in account 111122223333"),
            "{text}"
        );
        assert!(text.ends_with("Next: Ask the owner."), "{text}");
    }
}
