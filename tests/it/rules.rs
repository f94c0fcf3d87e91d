//! Every built-in rule compiles, and each of its cases holds: those that fire and those that stay silent.

use weir::detect::cases;
use weir::detect::library::built_in;
use weir::logs;

#[test]
fn every_built_in_rule_keeps_its_cases() {
    let report = cases::test(logs::TABLES, &built_in());
    let refused: Vec<String> = report.refused.iter().map(ToString::to_string).collect();
    let failures: Vec<String> = report
        .failures
        .iter()
        .map(|failure| format!("{}:{}: {}\n{}", failure.file, failure.line, failure.why, failure.difference))
        .collect();
    assert!(report.is_good(), "{}\n{}", refused.join("\n"), failures.join("\n"));
    assert!(report.cases >= 3 * report.rules, "three cases a rule: it fires, it does not, and the innocent look-alike");
}

#[test]
fn no_built_in_rule_looks_at_every_row() {
    let (rules, _) = weir::detect::library::rules(&built_in());
    let (detector, refused) = weir::detect::Detector::new(logs::TABLES, rules);
    assert_eq!(refused, []);
    let open: Vec<&str> =
        detector.ungated().map(|rule| rule.id.as_str()).filter(|id| id.starts_with("cloudtrail/")).collect();
    assert_eq!(open, [] as [&str; 0], "these CloudTrail rules have no condition on one symbol column");
}
