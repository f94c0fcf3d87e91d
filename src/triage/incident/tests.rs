use proptest::prelude::*;

use super::*;
use crate::finding::tests::one_match;
use crate::finding::{FindingId, Resource, Term};
use crate::time::MICROS_PER_HOUR;

pub(super) fn at_hour(hour: f64) -> Timestamp {
    Timestamp((hour * MICROS_PER_HOUR as f64) as i64)
}

/// A finding of `user/bob` with no address, on nothing, worth so many bits.
pub(super) fn finding(rule: &str, severity: &str, hour: f64, bits: f64) -> Finding {
    let mut found = one_match(rule, "arn:aws:iam::111122223333:user/bob", at_hour(hour), "e");
    found.id = FindingId::new(rule, &[], found.first_seen.0);
    found.title = format!("{rule} happened");
    found.severity = severity.parse().unwrap();
    found.source_ip = None;
    found.resources = Vec::new();
    found.tags = Vec::new();
    found.terms = vec![Term { name: "severity", bits, why: "by hand".into() }];
    found
}

fn by(actor: &str, found: Finding) -> Finding {
    let id = FindingId::new(&found.rule, &[Some(actor)], found.first_seen.0);
    Finding { id, actor: Some(format!("arn:aws:iam::111122223333:{actor}")), ..found }
}

fn on(resource: &str, mut found: Finding) -> Finding {
    found.resources.push(Resource(resource.into()));
    found
}

fn tagged(tag: &str, found: Finding) -> Finding {
    Finding { tags: vec![format!("attack.{tag}")], ..found }
}

#[test]
fn the_score_is_the_strongest_entity_half_the_others_and_the_chain() {
    let found = [
        tagged("execution", on("i-1", finding("a", "medium", 0.0, 12.0))),
        tagged("persistence", on("i-1", finding("b", "medium", 6.0, 5.0))),
        tagged("impact", on("i-1", by("user/eve", finding("c", "medium", 6.0, 4.0)))),
    ];
    // i-1 is open from 0 on only if something happens meanwhile
    let mut found = found.to_vec();
    found[0].last_seen = at_hour(4.0);
    let [one] = &incidents(&found)[..] else { panic!("one incident") };
    // at hour 6 the 12 bits of hour 4 are 12 * 2^(-2/6) = 9.5244; all three are on i-1, the strongest; three tactics are
    // 6 bits, of which execution to persistence is a step forward, while persistence and impact come in one instant
    assert_eq!((one.score * 1e4).round(), 265_244.0, "9.5244 + 5 + 4 + 6 + 2 = 26.5244");
    let bits: Vec<_> = one.reasons.iter().map(|reason| (reason.bits * 10.0).round() / 10.0).collect();
    assert_eq!(bits, [9.5, 8.0, 5.0, 4.0]);
    assert_eq!(one.reasons[1].why, "execution, then persistence, then impact");
    assert_eq!(one.severity, Severity::High);
    let risk = |risk: &Risk| (risk.entity.to_string(), (risk.bits * 10.0).round() / 10.0, risk.findings);
    let risks: Vec<_> = one.entities.iter().map(risk).collect();
    let expected = [
        ("i-1".to_owned(), 26.5, 3),
        // 9.5 + 5 + 3 + 2
        ("user/bob of 111122223333".to_owned(), 19.5, 2),
        ("user/eve of 111122223333".to_owned(), 4.0, 1),
    ];
    assert_eq!(risks, expected);
}

#[test]
fn what_is_grave_and_lasts_for_a_week_makes_the_rest_no_older() {
    let score = |lasts: f64, other: f64| {
        let mut found = [finding("a", "high", 0.0, 9.0), finding("b", "medium", other, 8.0)];
        found[0].last_seen = at_hour(lasts);
        let [one] = &incidents(&found)[..] else { panic!("one incident") };
        (one.score * 10.0).round() / 10.0
    };
    assert_eq!(score(0.0, 0.0), 17.0);
    assert_eq!(score(160.0, 0.0), 17.0);
    assert_eq!(score(160.0, 160.0), 17.0, "nor what comes at its end");
    // 8 * 2^(-12/6)
    assert_eq!(score(160.0, 12.0), 11.0);
}

#[test]
fn what_only_others_have_counts_half() {
    let found = [
        on("i-1", finding("a", "high", 0.0, 9.0)),
        finding("b", "high", 0.0, 5.0),
        on("i-1", by("user/eve", finding("c", "high", 0.0, 6.0))),
    ];
    let [one] = &incidents(&found)[..] else { panic!("one incident") };
    // i-1 has 9 + 6, bob 9 + 5: i-1 is the strongest, and of bob's only b is new
    assert_eq!(one.score, 15.0 + 5.0 / 2.0);
    assert_eq!(one.reasons[2].why, "severity +5.0, by half, being on user/bob of 111122223333");
}

#[test]
fn findings_are_an_incident_when_one_is_severe_or_several_weigh_enough() {
    let is_one = |severity, bits| !incidents(&[finding("a", severity, 0.0, bits)]).is_empty();
    assert!(is_one("high", 0.1));
    assert!(!is_one("medium", 99.0), "it is a finding");
    assert!(!is_one("high", 0.0), "noise");
    let two = |a, b| !incidents(&[finding("a", "medium", 0.0, a), finding("b", "low", 0.0, b)]).is_empty();
    assert!(two(7.0, 0.5));
    assert!(!two(7.0, 0.4));
}

#[test]
fn who_assumed_a_role_answers_for_its_sessions() {
    let assumed = by("user/eve", on("arn:aws:iam::111122223333:role/ops/admin", finding("a", "low", 0.0, 9.0)));
    let mut acted = by("", on("vol-1", finding("b", "low", 20.0, 19.0)));
    acted.actor = Some("arn:aws:sts::111122223333:assumed-role/admin/eve-laptop".into());
    let of_others = by("role/other", finding("c", "high", 20.0, 9.0));
    let all = incidents(&[acted, of_others, assumed]);
    let who: Vec<_> = all.iter().map(Incident::who).collect();
    assert_eq!(who, [vec!["role/other"], vec!["role/admin", "user/eve"]]);
    assert_eq!(all[1].findings.iter().map(|found| found.rule.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn what_one_did_in_several_roles_is_one_incident() {
    let assumed = |mut found: Finding| {
        found.assumed_by = vec!["arn:aws:iam::111122223333:user/eve".into()];
        found
    };
    let found = [by("role/ops", finding("a", "high", 0.0, 9.0)), by("role/backup", finding("b", "high", 1.0, 9.0))];
    assert_eq!(incidents(&found).len(), 2);
    let all = incidents(&found.map(assumed));
    assert_eq!(all.iter().map(Incident::who).collect::<Vec<_>>(), [["role/ops", "user/eve", "role/backup"]]);
}

/// As a run ranks them: of each severity two rules that fire on an actor in so many hours.
fn hourly(stretches: &[(&str, std::ops::Range<i64>)]) -> Vec<Finding> {
    let one = |severity: &str, rule: &str, hour: i64| Finding {
        severity: severity.parse().unwrap(),
        ..one_match(&format!("{severity}/{rule}"), "arn:aws:iam::111122223333:user/eve", at_hour(hour as f64), "e")
    };
    let each = |(severity, hours): &(&str, std::ops::Range<i64>)| -> Vec<Finding> {
        hours.clone().flat_map(|hour| [one(severity, "key", hour), one(severity, "trail", hour)]).collect()
    };
    let mut triage = crate::triage::Triage::new(Default::default(), Vec::new());
    triage.settle(stretches.iter().flat_map(each).collect(), Timestamp(0));
    triage.findings()
}

#[test]
fn an_attack_that_goes_on_is_an_incident_still() {
    let incident = |severity: &str, hours: i64| incidents(&hourly(&[(severity, 0..hours)])).first().map(|one| one.id);
    for severity in ["high", "critical"] {
        let first = incident(severity, 3);
        assert!(first.is_some());
        assert!([4, 5, 8, 18, 40, 200].iter().all(|hours| incident(severity, *hours) == first), "{severity}");
    }
    assert_eq!(incident("medium", 200), None, "a habit");
    // what began it goes on to name it
    let [one] = &incidents(&hourly(&[("medium", 0..12), ("high", 1..2)]))[..] else { panic!("one incident") };
    assert_eq!(one.first_seen, at_hour(0.0));
}

#[test]
fn what_is_more_severe_comes_first() {
    let grave = by("user/eve", finding("a", "critical", 0.0, 9.0));
    let many = ["b", "c", "d", "e"].map(|rule| finding(rule, "medium", 0.0, 5.9));
    let all = incidents(&[&many[..], &[grave]].concat());
    let ranked: Vec<_> = all.iter().map(|one| (one.severity, one.score)).collect();
    assert_eq!(ranked, [(Severity::Critical, 9.0), (Severity::Medium, 23.6)]);
}

#[test]
fn what_is_less_grave_and_comes_later_makes_an_attack_no_older() {
    let mut found = vec![finding("a", "high", 0.0, 9.0), finding("b", "medium", 1.0, 5.0)];
    let score = |found: &[Finding]| (incidents(found)[0].score * 1e4).round();
    assert_eq!(score(&found), 134_545.0, "9 + 5 * 2^(-1/6)");
    found.push(finding("c", "low", 3.0, 1.0));
    assert_eq!(score(&found), 141_616.0, "and 1 * 2^(-3/6)");
    assert_eq!(incidents(&found)[0].last_seen, at_hour(3.0));
    // what is as grave does
    found.push(finding("d", "high", 4.0, 9.0));
    assert!(score(&found) < 134_545.0 + 90_000.0);
}

#[test]
fn a_rule_that_looks_back_over_days_joins_by_its_last_day() {
    let mut found =
        vec![finding("a", "high", 0.0, 9.0), finding("b", "high", 96.0, 9.0), finding("c", "high", 0.5, 9.0)];
    found[2].last_seen = at_hour(96.5);
    assert_eq!(incidents(&found).len(), 1, "what goes on for days holds all of it together");
    found[2].window = Some((at_hour(-71.5), at_hour(96.5)));
    let both = incidents(&found);
    let rules = |hour: f64| -> Vec<&str> {
        let one = both.iter().find(|one| one.first_seen == at_hour(hour)).unwrap();
        one.findings.iter().map(|finding| finding.rule.as_str()).collect()
    };
    assert_eq!((both.len(), rules(0.0), rules(96.0)), (2, vec!["a"], vec!["c", "b"]));
}

#[test]
fn noise_is_shown_and_adds_nothing() {
    let found =
        [tagged("execution", finding("a", "high", 0.0, 9.0)), tagged("impact", finding("n", "high", 1.0, -1.0))];
    let [one] = &incidents(&found)[..] else { panic!("one incident") };
    assert_eq!((one.score, one.size, one.last_seen), (9.0, 2, at_hour(0.0)));
    assert_eq!(one.tactics, [Tactic::Execution]);
}

#[test]
fn the_earliest_evidence_names_the_incident() {
    let [a, b, noise] =
        [finding("a", "high", 1.0, 9.0), finding("b", "high", 2.0, 9.0), finding("n", "high", 0.0, -1.0)];
    let id = |found: &[Finding]| incidents(found)[0].id.to_string();
    let alone = id(std::slice::from_ref(&a));
    assert_eq!(alone.len(), 16);
    assert_eq!(id(&[a.clone(), b.clone(), noise]), alone, "it grows, and noise may come before");
    assert_ne!(id(&[b]), alone);
}

#[test]
fn past_five_hundred_those_with_the_most_bits_are_kept() {
    let many: Vec<_> = (0..501)
        .map(|n| {
            let mut found = finding("a", "high", n as f64 / 1000.0, 5.0);
            found.terms[0].bits = if n == 7 { 1.0 } else { 5.0 };
            found
        })
        .collect();
    let [one] = &incidents(&many)[..] else { panic!("one incident") };
    assert_eq!((one.size, one.findings.len()), (501, 500));
    assert!(one.findings.iter().all(|found| found.first_seen != at_hour(0.007)));
    assert!(one.findings.is_sorted_by_key(|found| found.first_seen));
    let [one] = &incidents(&many[..500])[..] else { panic!("one incident") };
    assert_eq!((one.size, one.findings.len()), (500, 500));
}

proptest! {
    #[test]
    fn any_order_gives_the_same_incidents(
        (found, shuffled) in prop::collection::vec((0..6u8, 0..4u8, 0..5u8, 0..40u8, 0..5u8, -2..14i8), 1..40)
            .prop_map(|all| {
                let one = |(number, (rule, actor, thing, hour, tactic, bits)): (usize, (u8, u8, u8, u8, u8, i8))| {
                    let tactics = ["execution", "persistence", "impact", "discovery", "t1098"];
                    let found = finding(&format!("r{rule}"), ["low", "high"][rule as usize % 2], hour.into(), bits.into());
                    let on_what = if thing == 0 { format!("user/u{rule}") } else { format!("i-{thing}") };
                    let mut found = tagged(tactics[tactic as usize], on(&on_what, by(&format!("user/u{actor}"), found)));
                    found.id = FindingId([number as u8; 16]);
                    found
                };
                all.into_iter().enumerate().map(one).collect::<Vec<_>>()
            })
            .prop_flat_map(|found| (Just(found.clone()), Just(found).prop_shuffle()))
    ) {
        let all = incidents(&found);
        prop_assert_eq!(&all, &incidents(&shuffled));
        for one in &all {
            let sum: f64 = one.reasons.iter().map(|reason| reason.bits).sum();
            prop_assert_eq!(sum, one.score);
        }
        let mut ids: Vec<_> = all.iter().flat_map(|one| &one.findings).map(|found| found.id).collect();
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        prop_assert_eq!(ids.len(), count, "a finding is in one incident at most");
    }
}
