//! Evidence on one entity, or in one incident → bits, with the words that explain them.

use std::collections::{BTreeMap, BTreeSet};

use super::entity::Entity;
use super::tactic::Tactic;
use crate::finding::Finding;
use crate::rule::Severity;
use crate::time::{MICROS_PER_HOUR, Timestamp};

/// Evidence is worth half after so many hours.
const HALF_LIFE_HOURS: f64 = 6.0;
/// Bits for each tactic past the first, and more for each that was reached after an earlier one of the kill chain.
const CHAIN: f64 = 3.0;
const FORWARD: f64 = 2.0;
/// What entities other than the strongest add counts so much.
const OTHERS: f64 = 0.5;
/// A rule that fires on an actor in every other hour tells nothing new: log2((hours + 4) / hours it fired in) is then 1.
const HABIT_BITS: f64 = 1.0;

/// A part of an incident's score.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    pub bits: f64,
    /// The title of a finding, or the tactics.
    pub what: String,
    /// How the bits came about.
    pub why: String,
}

/// An entity, and what the evidence on it adds up to, its own kill chain included.
#[derive(Clone, Debug, PartialEq)]
pub struct Risk {
    pub entity: Entity,
    pub bits: f64,
    /// Findings with evidence on it.
    pub findings: usize,
}

/// The finding's terms, added up.
pub fn bits(finding: &Finding) -> f64 {
    finding.terms.iter().map(|term| term.bits).sum()
}

/// Whether a finding counts: its bits are above zero, and it is no habit of its actor's. The rest is noise, which is shown
/// where it belongs and changes nothing.
pub fn is_evidence(finding: &Finding) -> bool {
    let habit = |term: &crate::finding::Term| term.name == "rarity" && term.bits <= HABIT_BITS;
    bits(finding) > 0.0 && !finding.terms.iter().any(habit)
}

/// What a set of evidence is worth at a time: of each rule the best finding, faded by its age, and for repeats
/// log2(matches) / 4. A rule names tactic and technique, so that it stands for all three.
fn of_rules<'a>(evidence: &[&'a Finding], at: Timestamp) -> BTreeMap<&'a str, (f64, &'a Finding, u64)> {
    let mut rules: BTreeMap<&str, (f64, &Finding, u64)> = BTreeMap::new();
    for &finding in evidence {
        let bits = faded(finding, at);
        let best = rules.entry(&finding.rule).or_insert((bits, finding, 0));
        if bits > best.0 {
            (best.0, best.1) = (bits, finding);
        }
        best.2 = best.2.saturating_add(finding.count);
    }
    rules
}

fn faded(finding: &Finding, at: Timestamp) -> f64 {
    bits(finding) * (-age_hours(finding, at) / HALF_LIFE_HOURS).exp2()
}

fn age_hours(finding: &Finding, at: Timestamp) -> f64 {
    at.0.saturating_sub(finding.last_seen.0) as f64 / MICROS_PER_HOUR as f64
}

fn repeats(matches: u64) -> f64 {
    (matches.max(1) as f64).log2() / 4.0
}

fn worth(evidence: &[&Finding], at: Timestamp) -> f64 {
    of_rules(evidence, at).values().map(|(bits, _, matches)| bits + repeats(*matches)).sum()
}

/// Tactics in the order in which they were reached; of those reached at once the earlier of the kill chain first.
pub fn tactics(evidence: &[&Finding]) -> Vec<(Timestamp, Tactic)> {
    let mut reached: BTreeMap<Tactic, Timestamp> = BTreeMap::new();
    for finding in evidence {
        if let Some(tactic) = Tactic::of(&finding.tags) {
            let first = reached.entry(tactic).or_insert(finding.first_seen);
            *first = finding.first_seen.min(*first);
        }
    }
    let mut tactics: Vec<_> = reached.into_iter().map(|(tactic, time)| (time, tactic)).collect();
    tactics.sort_unstable();
    tactics
}

/// 3 bits for each tactic past the first, 2 more for each that is a step forward. What was reached in one instant is no
/// step.
fn chain(tactics: &[(Timestamp, Tactic)]) -> f64 {
    let steps = tactics.windows(2).filter(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1).count();
    CHAIN * tactics.len().saturating_sub(1) as f64 + FORWARD * steps as f64
}

/// The entities of some evidence, the riskiest first.
pub fn risks<'a>(evidence: &[(&'a Finding, Vec<Entity>)], at: Timestamp) -> Vec<(Risk, Vec<&'a Finding>)> {
    let mut on: BTreeMap<&Entity, Vec<&Finding>> = BTreeMap::new();
    for (finding, entities) in evidence {
        entities.iter().for_each(|entity| on.entry(entity).or_default().push(finding));
    }
    let risk = |(entity, findings): (&Entity, Vec<&'a Finding>)| {
        let bits = worth(&findings, at) + chain(&tactics(&findings));
        (Risk { entity: entity.clone(), bits, findings: findings.len() }, findings)
    };
    let mut risks: Vec<_> = on.into_iter().map(risk).collect();
    // those of equal bits stay in the order of entities: principals first
    risks.sort_by(|(a, _), (b, _)| b.bits.total_cmp(&a.bits));
    risks
}

/// What an incident is worth: its strongest entity, half of what others add to that, and the kill chain of the whole once.
/// A finding counts under the strongest of its entities only: that an act names an address and a resource too makes it
/// no worse. The largest reason comes first, and together they are the score.
pub fn reasons(
    evidence: &[&Finding],
    risks: &[(Risk, Vec<&Finding>)],
    tactics: &[(Timestamp, Tactic)],
    at: Timestamp,
) -> Vec<Reason> {
    let mut counted = BTreeSet::new();
    let mut reasons: BTreeMap<&str, Reason> = BTreeMap::new();
    let everything = (None, evidence);
    let groups = risks.iter().map(|(risk, findings)| (Some(risk), &findings[..])).chain([everything]);
    for (entity, findings) in groups {
        let fresh: Vec<&Finding> = findings.iter().copied().filter(|finding| counted.insert(finding.id)).collect();
        // the first entity is the strongest, and findings without any are as one
        let share = if entity == risks.first().map(|(risk, _)| risk) { 1.0 } else { OTHERS };
        for (rule, (best, finding, matches)) in of_rules(&fresh, at) {
            let bits = (best + repeats(matches)) * share;
            let why = why(finding, matches, at, entity.filter(|_| share < 1.0));
            match reasons.get_mut(rule) {
                Some(reason) => {
                    reason.bits += bits;
                    reason.why.push_str(&format!("; {why}"));
                }
                None => drop(reasons.insert(rule, Reason { bits, what: finding.title.clone(), why })),
            }
        }
    }
    let mut reasons: Vec<Reason> = reasons.into_values().collect();
    if tactics.len() > 1 {
        let names: Vec<_> = tactics.iter().map(|(_, tactic)| tactic.as_str()).collect();
        let what = format!("{} tactics of an attack", tactics.len());
        reasons.push(Reason { bits: chain(tactics), what, why: names.join(", then ") });
    }
    reasons.sort_by(|a, b| b.bits.total_cmp(&a.bits));
    reasons
}

fn why(finding: &Finding, matches: u64, at: Timestamp, other: Option<&Risk>) -> String {
    let mut why: Vec<String> = finding.terms.iter().map(|term| format!("{} {:+.1}", term.name, term.bits)).collect();
    let age = age_hours(finding, at);
    if age >= 0.5 {
        why.push(format!("faded over {age:.0} h"));
    }
    if matches > 1 {
        why.push(format!("{matches} matches {:+.1}", repeats(matches)));
    }
    if let Some(risk) = other {
        why.push(format!("by half, being on {}", risk.entity));
    }
    why.join(", ")
}

/// At least that of the worst evidence; one step above it where the score says so: a rule knows one act, not what led to it.
pub fn severity(evidence: &[&Finding], score: f64) -> Severity {
    let worst = evidence.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Informational);
    let band = match score {
        45.0.. => Severity::Critical,
        25.0.. => Severity::High,
        10.0.. => Severity::Medium,
        _ => Severity::Low,
    };
    let above = Severity::ALL.into_iter().find(|severity| *severity > worst).unwrap_or(worst);
    worst.max(band.min(above))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::incident::tests::{at_hour, finding};

    fn check(evidence: &[(f64, &str)], score: f64, expected: Severity) {
        let findings: Vec<_> = evidence.iter().map(|(bits, word)| finding("r", word, 0.0, *bits)).collect();
        let findings: Vec<_> = findings.iter().collect();
        assert_eq!(severity(&findings, score), expected, "{evidence:?} {score}");
    }

    #[test]
    fn the_score_raises_the_severity_by_one_step_at_most() {
        check(&[(1.0, "medium")], 9.0, Severity::Medium);
        check(&[(1.0, "medium")], 24.9, Severity::Medium);
        check(&[(1.0, "medium")], 25.0, Severity::High);
        check(&[(1.0, "medium")], 99.0, Severity::High);
        check(&[(1.0, "informational"), (1.0, "low")], 99.0, Severity::Medium);
        check(&[(1.0, "critical")], 99.0, Severity::Critical);
        check(&[(1.0, "high")], 3.0, Severity::High);
    }

    #[test]
    fn a_rule_counts_once_at_its_best_and_repeats_by_their_logarithm() {
        let mut found = [finding("a", "low", 0.0, 8.0), finding("a", "low", 6.0, 3.0), finding("b", "low", 6.0, 1.0)];
        found[1].count = 15;
        let evidence: Vec<_> = found.iter().collect();
        // 8 bits six hours ago are 4, more than 3 now; 16 matches are log2(16) / 4 = 1
        assert_eq!(worth(&evidence, at_hour(6.0)), 4.0 + 1.0 + 1.0);
    }

    #[test]
    fn tactics_count_three_and_two_more_where_they_go_forward() {
        let time = |n| Timestamp(n);
        use Tactic::{Discovery, Execution, Impact, Persistence};
        assert_eq!(chain(&[]), 0.0);
        assert_eq!(chain(&[(time(0), Execution)]), 0.0);
        assert_eq!(chain(&[(time(0), Execution), (time(1), Discovery), (time(2), Impact)]), 10.0);
        assert_eq!(chain(&[(time(0), Discovery), (time(1), Persistence), (time(2), Impact)]), 8.0);
        assert_eq!(chain(&[(time(0), Persistence), (time(0), Discovery)]), 3.0, "at one instant is no step");
    }

    #[test]
    fn a_habit_is_no_evidence() {
        let mut found = finding("a", "high", 0.0, 4.0);
        assert!(is_evidence(&found));
        found.terms[0].bits = -0.1;
        assert!(!is_evidence(&found));
        found.terms = vec![
            crate::finding::Term { name: "severity", bits: 5.0, why: String::new() },
            crate::finding::Term { name: "rarity", bits: 1.0, why: String::new() },
        ];
        assert!(!is_evidence(&found), "in every other hour");
        found.terms[1].bits = 1.01;
        assert!(is_evidence(&found));
    }
}
