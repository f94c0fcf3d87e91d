//! Evidence on one entity, or in one incident → bits, with the words that explain them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::entity::Entity;
use super::tactic::Tactic;
use super::{Incident, came};
use crate::finding::{Finding, Term};
use crate::rule::Severity;
use crate::time::{MICROS_PER_HOUR, Timestamp};
use crate::triage::prioritize::prior;

/// Evidence is worth half after so many hours.
const HALF_LIFE_HOURS: f64 = 6.0;
/// Bits for each tactic past the first that a finding of medium severity or above is about, and more for each that was reached after an earlier one of the kill chain.
const CHAIN: f64 = 3.0;
const FORWARD: f64 = 2.0;
/// What entities other than the strongest add counts so much.
const OTHERS: f64 = 0.5;
/// What is new to an actor adds at most so much for each bit of its severity: a role that never did any of it before sets off many
/// low rules in its first minute of honest work.
const RARITY_FOR_SEVERITY: f64 = 2.0;
/// Of one tactic the second rule counts so much, the third that much of it, and so on: they tell of the same work.
const NEXT_OF_TACTIC: f64 = 0.5;

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
    finding.terms.iter().map(Term::hundredths).sum()
}

/// What a finding is worth to an incident: its bits, of its rarity no more than its severity allows.
fn weight(finding: &Finding) -> f64 {
    finding.terms.iter().map(|term| counted(finding, term)).sum::<f64>().max(0.0)
}

fn counted(finding: &Finding, term: &Term) -> f64 {
    match term.name {
        "rarity" => term.hundredths().min((RARITY_FOR_SEVERITY * prior(finding.severity)).max(1.0)),
        _ => term.hundredths(),
    }
}

/// Whether a finding counts: its bits are above zero, and it is no habit of its actor's. The rest is noise, which is shown
/// where it belongs and changes nothing.
pub fn is_evidence(finding: &Finding) -> bool {
    let habit = |term: &Term| term.name == "rarity" && term.hundredths() < 0.0;
    bits(finding) > 0.0 && !finding.terms.iter().any(habit)
}

/// What one rule adds to a set of evidence.
struct Part<'a> {
    /// Of its best finding faded by age, and of its repeats; of both as much as its tactic leaves.
    bits: f64,
    best: &'a Finding,
    matches: u64,
    /// Rules of its tactic that are worth more.
    behind: i32,
}

/// What a set of evidence is worth at a time: of each rule the best finding, faded by its age, and for repeats
/// log2(matches) / 4, which is no more than the finding itself; and of each tactic its best rule whole.
fn of_rules<'a>(evidence: &[&'a Finding], at: Timestamp) -> BTreeMap<&'a str, Part<'a>> {
    let mut families: BTreeMap<Family, Vec<(&str, Part)>> = BTreeMap::new();
    for (rule, (bits, best, matches)) in best_of_rules(evidence, at) {
        let bits = bits + repeats(best, matches);
        families.entry(Family::of(best)).or_default().push((rule, Part { bits, best, matches, behind: 0 }));
    }
    // of equal ones the first by name
    families.values_mut().for_each(|parts| parts.sort_by(|(_, a), (_, b)| b.bits.total_cmp(&a.bits)));
    let behind = |(behind, (rule, part)): (usize, (&'a str, Part<'a>))| {
        let behind = i32::try_from(behind).unwrap_or(i32::MAX);
        (rule, Part { bits: part.bits * NEXT_OF_TACTIC.powi(behind), behind, ..part })
    };
    families.into_values().flat_map(|parts| parts.into_iter().enumerate().map(behind)).collect()
}

/// What findings of one actor tell the same of: their tactic, or the rule that has none.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Family<'a> {
    Tactic(Tactic),
    Rule(&'a str),
}

impl Family<'_> {
    fn of(finding: &Finding) -> Family<'_> {
        Tactic::of(&finding.tags).map_or(Family::Rule(&finding.rule), Family::Tactic)
    }
}

/// Of each rule the finding that is worth most, and the matches of all.
fn best_of_rules<'a>(evidence: &[&'a Finding], at: Timestamp) -> BTreeMap<&'a str, (f64, &'a Finding, u64)> {
    let mut rules: BTreeMap<&str, (f64, &Finding, Vec<&Finding>)> = BTreeMap::new();
    for &finding in evidence {
        let bits = faded(finding, at);
        let best = rules.entry(&finding.rule).or_insert((bits, finding, Vec::new()));
        if bits > best.0 {
            (best.0, best.1) = (bits, finding);
        }
        best.2.push(finding);
    }
    rules.into_iter().map(|(rule, (bits, best, all))| (rule, (bits, best, matches(&all)))).collect()
}

/// Matches of findings of one rule, together. Windows that name an event in common count once, by the one with the most rows: what
/// goes on across midnight is told on both days.
pub fn matches(findings: &[&Finding]) -> u64 {
    let (mut of_event, mut most): (HashMap<&str, usize>, Vec<u64>) = (HashMap::new(), Vec::new());
    for &finding in findings {
        let ids: &[(Timestamp, String)] = if finding.window.is_some() { &finding.event_ids } else { &[] };
        let known = ids.iter().find_map(|(_, id)| of_event.get(id.as_str()).copied());
        let place = known.unwrap_or(most.len());
        match most.get_mut(place) {
            Some(count) => *count = finding.count.max(*count),
            None => most.push(finding.count),
        }
        of_event.extend(ids.iter().map(|(_, id)| (id.as_str(), place)));
    }
    most.into_iter().fold(0, u64::saturating_add)
}

fn faded(finding: &Finding, at: Timestamp) -> f64 {
    weight(finding) * (-age_hours(finding, at) / HALF_LIFE_HOURS).exp2()
}

/// Hours from a finding to a time after or before it; none where it lasted then.
fn age_hours(finding: &Finding, at: Timestamp) -> f64 {
    let (before, after) = (at.0.saturating_sub(finding.last_seen.0), finding.first_seen.0.saturating_sub(at.0));
    before.max(after).max(0) as f64 / MICROS_PER_HOUR as f64
}

fn repeats(finding: &Finding, matches: u64) -> f64 {
    ((matches.max(1) as f64).log2() / 4.0).min(weight(finding))
}

fn worth(evidence: &[&Finding], at: Timestamp) -> f64 {
    of_rules(evidence, at).values().map(|part| part.bits).sum()
}

/// Tactics in the order in which they were reached; of those reached at once the earlier of the kill chain first.
pub fn tactics(evidence: &[&Finding]) -> Vec<(Timestamp, Tactic)> {
    let mut reached: BTreeMap<Tactic, Timestamp> = BTreeMap::new();
    for finding in evidence {
        if let Some(tactic) = Tactic::of(&finding.tags) {
            let first = reached.entry(tactic).or_insert(came(finding));
            *first = came(finding).min(*first);
        }
    }
    let mut tactics: Vec<_> = reached.into_iter().map(|(tactic, time)| (time, tactic)).collect();
    tactics.sort_unstable();
    tactics
}

/// Those that a finding of medium severity or above is about. What is low alone is a hint, and no step of an attack.
pub fn steps(evidence: &[&Finding]) -> Vec<(Timestamp, Tactic)> {
    tactics(&firm(evidence))
}

fn firm<'a>(evidence: &[&'a Finding]) -> Vec<&'a Finding> {
    evidence.iter().copied().filter(|finding| is_firm(finding)).collect()
}

/// Whether a finding is of medium severity or above.
pub fn is_firm(finding: &Finding) -> bool {
    finding.severity >= Severity::Medium
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
        let bits = worth(&findings, at) + chain(&steps(&findings));
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
    steps: &[(Timestamp, Tactic)],
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
        for (rule, part) in of_rules(&fresh, at) {
            let bits = part.bits * share;
            let why = why(&part, at, entity.filter(|_| share < 1.0));
            match reasons.get_mut(rule) {
                Some(reason) => {
                    reason.bits += bits;
                    reason.why.push_str(&format!("; {why}"));
                }
                None => drop(reasons.insert(rule, Reason { bits, what: part.best.said().to_owned(), why })),
            }
        }
    }
    let mut reasons: Vec<Reason> = reasons.into_values().collect();
    if steps.len() > 1 {
        let names: Vec<_> = steps.iter().map(|(_, tactic)| tactic.as_str()).collect();
        let what = format!("{} tactics of an attack", steps.len());
        reasons.push(Reason { bits: chain(steps), what, why: names.join(", then ") });
    }
    reasons.sort_by(|a, b| b.bits.total_cmp(&a.bits));
    reasons
}

fn why(part: &Part, at: Timestamp, other: Option<&Risk>) -> String {
    let (finding, matches) = (part.best, part.matches);
    let term = |term: &Term| match counted(finding, term) {
        all if all == term.hundredths() => format!("{} {all:+.1}", term.name),
        some => format!("{} {some:+.1} of {:+.1}", term.name, term.bits),
    };
    let mut why: Vec<String> = finding.terms.iter().map(term).collect();
    let age = age_hours(finding, at);
    if age >= 0.5 {
        why.push(format!("faded over {age:.0} h"));
    }
    if matches > 1 {
        why.push(format!("{matches} matches {:+.1}", repeats(finding, matches)));
    }
    if part.behind > 0 {
        let tactic = Tactic::of(&finding.tags).map_or("rule", Tactic::as_str);
        why.push(format!(
            "1/{:.0} of it, being number {} for {tactic}",
            NEXT_OF_TACTIC.powi(-part.behind),
            part.behind + 1
        ));
    }
    if let Some(risk) = other {
        why.push(format!("by half, being on {}", risk.entity));
    }
    why.join(", ")
}

/// At least that of the worst evidence; one step above it where the score says so: a rule knows one act, not what led to it.
/// High and above by its score is only what findings of medium severity or above tell of from two sides.
pub fn severity(evidence: &[&Finding], score: f64) -> Severity {
    let worst = evidence.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Informational);
    let band = match score {
        40.0.. => Severity::Critical,
        25.0.. => Severity::High,
        Incident::SCORE_MIN.. => Severity::Medium,
        _ => Severity::Low,
    };
    let sides: BTreeSet<Family> = firm(evidence).into_iter().map(Family::of).collect();
    let band = if sides.len() < 2 { band.min(Severity::Medium) } else { band };
    let above = Severity::ALL.into_iter().find(|severity| *severity > worst).unwrap_or(worst);
    worst.max(band.min(above))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::incident::tests::{at_hour, finding};

    fn check(evidence: &[(&str, &str)], score: f64, expected: Severity) {
        let findings: Vec<_> = evidence.iter().map(|(rule, word)| finding(rule, word, 0.0, 1.0)).collect();
        let findings: Vec<_> = findings.iter().collect();
        assert_eq!(severity(&findings, score), expected, "{evidence:?} {score}");
    }

    #[test]
    fn bits_count_as_they_are_written() {
        let mut found = finding("a", "medium", 0.0, 9.994);
        assert_eq!((bits(&found), weight(&found)), (9.99, 9.99));
        found.terms[0].bits = 0.004;
        assert!(!is_evidence(&found));
    }

    #[test]
    fn the_score_raises_the_severity_by_one_step_at_most() {
        let two = [("a", "medium"), ("b", "medium")];
        check(&two, 7.0, Severity::Medium);
        check(&two, 24.9, Severity::Medium);
        check(&two, 25.0, Severity::High);
        check(&two, 99.0, Severity::High);
        check(&[("a", "informational"), ("b", "low")], 99.0, Severity::Medium);
        check(&[("a", "high"), ("b", "medium")], 40.0, Severity::Critical);
        check(&[("a", "high"), ("b", "medium")], 39.9, Severity::High);
        check(&[("a", "critical")], 99.0, Severity::Critical);
        check(&[("a", "high")], 3.0, Severity::High);
    }

    #[test]
    fn what_tells_of_one_side_only_is_not_made_high() {
        check(&[("a", "medium"), ("a", "medium")], 99.0, Severity::Medium);
        check(&[("a", "medium"), ("b", "low")], 99.0, Severity::Medium);
        check(&[("a", "high"), ("b", "low")], 99.0, Severity::High);
        let mut found = [finding("a", "medium", 0.0, 1.0), finding("b", "medium", 0.0, 1.0)];
        for finding in &mut found {
            finding.tags = vec!["attack.impact".into()];
        }
        assert_eq!(severity(&[&found[0], &found[1]], 99.0), Severity::Medium, "of one tactic");
        found[1].tags = vec!["attack.execution".into()];
        assert_eq!(severity(&[&found[0], &found[1]], 99.0), Severity::High);
    }

    #[test]
    fn what_is_new_adds_no_more_than_twice_the_severity() {
        let term = |name, bits| Term { name, bits, why: String::new() };
        let check = |severity: &str, expected: f64| {
            let mut found = finding("a", severity, 0.0, 0.0);
            found.terms = vec![term("severity", prior(found.severity)), term("rarity", 9.0), term("asset", 2.0)];
            assert_eq!(weight(&found), expected, "{severity}");
        };
        check("informational", 1.0 + 2.0);
        check("low", 1.0 + 2.0 + 2.0);
        check("medium", 3.0 + 6.0 + 2.0);
        check("high", 5.0 + 9.0 + 2.0);
        let mut habit = finding("a", "low", 0.0, 1.0);
        habit.terms.push(term("rarity", -2.0));
        assert_eq!(weight(&habit), 0.0, "nothing takes away from others");
    }

    #[test]
    fn further_rules_of_a_tactic_count_half_a_quarter_and_so_on() {
        let mut found =
            [finding("a", "high", 0.0, 4.0), finding("b", "high", 0.0, 8.0), finding("c", "high", 0.0, 2.0)];
        let worth_of = |found: &[Finding]| worth(&found.iter().collect::<Vec<_>>(), at_hour(0.0));
        assert_eq!(worth_of(&found), 14.0, "none has a tactic");
        for finding in &mut found {
            finding.tags = vec!["attack.impact".into()];
        }
        assert_eq!(worth_of(&found), 8.0 + 4.0 / 2.0 + 2.0 / 4.0);
        let evidence: Vec<_> = found.iter().collect();
        let parts = of_rules(&evidence, at_hour(0.0));
        assert_eq!(why(&parts["c"], at_hour(0.0), None), "severity +2.0, 1/4 of it, being number 3 for impact");
    }

    #[test]
    fn what_is_low_is_no_step_of_an_attack() {
        let mut found = [finding("a", "medium", 0.0, 4.0), finding("b", "low", 1.0, 8.0)];
        for (finding, tactic) in found.iter_mut().zip(["execution", "impact"]) {
            finding.tags = vec![format!("attack.{tactic}")];
        }
        let evidence: Vec<_> = found.iter().collect();
        assert_eq!((tactics(&evidence).len(), steps(&evidence).len()), (2, 1));
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
    fn rows_that_two_windows_share_count_once() {
        let window = |count: u64, ids: &[&str]| {
            let mut found = finding("a", "low", 0.0, 8.0);
            (found.count, found.window) = (count, Some((at_hour(0.0), at_hour(1.0))));
            found.event_ids = ids.iter().map(|id| (at_hour(0.0), (*id).to_owned())).collect();
            found
        };
        let found = [window(15, &["e1", "e2"]), window(20, &["e2", "e3"]), window(3, &["e9"])];
        assert_eq!(matches(&found.iter().collect::<Vec<_>>()), 23);
        // matches of other rules are told once
        let mut found = [found[0].clone(), found[1].clone()];
        found.iter_mut().for_each(|finding| finding.window = None);
        assert_eq!(matches(&found.iter().collect::<Vec<_>>()), 35);
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
            Term { name: "severity", bits: 5.0, why: String::new() },
            Term { name: "rarity", bits: -2.0, why: String::new() },
        ];
        assert!(!is_evidence(&found), "in every other hour");
        found.terms[1].bits = 0.0;
        assert!(is_evidence(&found));
    }
}
