//! Every built-in rule compiles, its cases hold, and it has enough of both kinds.

use weir::detect::authors::{cases, mutate};
use weir::detect::library;
use weir::detect::reference::References;
use weir::logs;

#[test]
fn every_case_holds() {
    let report = cases::test(logs::TABLES, &References::default(), &library::built_in());
    assert!(report.refused.is_empty(), "{:#?}", report.refused);
    let failures: Vec<_> = report
        .failures
        .iter()
        .map(|failure| format!("{} line {}: {} {}", failure.rule, failure.line, failure.why, failure.difference))
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Cases of a rule that stay silent: one that does not match, and the closest innocent look-alike.
const SILENT_MIN: usize = 2;

#[test]
fn every_rule_has_cases_that_fire_and_cases_that_do_not() {
    let mut poor = Vec::new();
    for source in library::built_in() {
        let cases = source.cases.unwrap_or_default();
        let count = |fires: bool| {
            let of =
                |line: &&str| serde_json::from_str::<serde_json::Value>(line).is_ok_and(|case| case["fires"] == fires);
            cases.lines().filter(of).count()
        };
        if count(true) == 0 || count(false) < SILENT_MIN {
            poor.push(format!("{}: {} fire, {} do not", source.id, count(true), count(false)));
        }
    }
    assert!(poor.is_empty(), "{poor:#?}");
}

#[test]
fn cases_notice_small_changes_of_their_rules() {
    let mutation = mutate::mutate(logs::TABLES, &References::default(), &library::built_in());
    assert_eq!((mutation.left_out, mutation.idle), (vec![], vec![]));
    assert!(mutation.mutants > 4_000, "{} changes were tried", mutation.mutants);
    let told = |survivor: &mutate::Survivor| format!("{}:{}: {}", survivor.file, survivor.line, survivor.change);
    let survivors: Vec<String> = mutation.survivors.iter().map(told).collect();
    assert!(survivors.is_empty(), "{} survive: {survivors:#?}", survivors.len());
}

#[test]
fn no_cloudtrail_rule_looks_at_every_event() {
    let (rules, _) = library::rules(&library::built_in());
    let (detector, refused) = weir::detect::Detector::new(logs::TABLES, rules);
    assert_eq!(refused, []);
    let ids = detector.gates().filter(|(_, columns)| columns.is_empty()).map(|(rule, _)| rule.id.as_str());
    let open: Vec<&str> = ids.filter(|id| id.starts_with("cloudtrail/")).collect();
    assert!(open.is_empty(), "these have no condition on a symbol column alone: {open:?}");
}
