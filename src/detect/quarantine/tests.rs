use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::decode::reader::open;
use crate::decode::{Counts, Input, Options};
use crate::detect::Detector;
use crate::detect::tests::{batch, changed, detector, event, rule};
use crate::finding::tests::one_match;
use crate::logs;
use crate::table::Origin;

const HOUR: i64 = MICROS_PER_HOUR;

/// A rule with a finding for each actor and hour.
fn hourly() -> Rule {
    Rule { dedupe_micros: HOUR, ..rule("", "SELECT eventTime FROM cloudtrail WHERE eventName = 'GetUser'") }
}

fn limited(findings_per_hour: u64, hours: u32) -> Floods {
    let mut floods = Floods::default();
    floods.limit(Config { findings_per_hour, hours });
    floods
}

/// A finding of an actor, minutes after the beginning.
fn at(minutes: i64, actor: &str) -> Finding {
    let time = Timestamp(minutes * HOUR / 60);
    Finding { id: FindingId::new("t/x", &[Some(actor)], time.0.div_euclid(HOUR)), ..one_match("t/x", actor, time, "e") }
}

/// Actors that pass, or `!` and the count for what says that the rule floods; and the matches put aside.
fn admitted(floods: &mut Floods, rule: &Rule, found: Vec<Finding>) -> (Vec<String>, u64) {
    let (passed, aside) = floods.admit(rule, found);
    let one = |finding: Finding| match finding.rule == RULE_QUARANTINED {
        true => format!("!{}", finding.count),
        false => finding.actor.unwrap_or_default(),
    };
    (passed.into_iter().map(one).collect(), aside)
}

#[test]
fn one_that_fails_hides_no_other() {
    let all: Vec<u32> = (0..1000).collect();
    let bad = [17, 500, 999];
    let ask = |part: &[u32]| match part.iter().find(|n| bad.contains(n)) {
        Some(n) => datafusion::common::exec_err!("{n}"),
        None => Ok(part.len()),
    };
    let (answers, failures) = halves(&all, "17".into(), ask);
    assert_eq!(answers.iter().sum::<usize>(), 997);
    let mut failed: Vec<(Vec<u32>, String)> = failures.into_iter().map(|(part, why)| (part.to_vec(), why)).collect();
    failed.sort();
    let error = |n: u32| (vec![n], format!("Execution error: {n}"));
    assert_eq!(failed, bad.map(error));
    // where all fail it ends, and all are named
    let many: Vec<u32> = (0..50_000).collect();
    let mut tries = 0;
    let (_, failures) = halves(&many, String::new(), |_| -> Result<()> {
        tries += 1;
        datafusion::common::exec_err!("no")
    });
    assert!(tries <= TRIES_MAX + 1, "{tries}");
    assert_eq!(failures.iter().map(|(part, _)| part.len()).sum::<usize>(), 50_000);
}

#[test]
fn past_the_limit_a_rule_is_put_aside_until_its_time_is_over() {
    let (rule, mut floods) = (hourly(), limited(2, 3));
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let first = vec![at(1, "a"), at(2, "b")];
    assert_eq!(admitted(&mut floods, &rule, first), (names(&["a", "b"]), 0));
    // of one batch the earliest pass; those that passed go on
    assert_eq!(admitted(&mut floods, &rule, vec![at(5, "d"), at(4, "c"), at(3, "a")]), (names(&["a", "!2"]), 2));
    assert_eq!(admitted(&mut floods, &rule, vec![at(179, "e")]), (names(&["!1"]), 1), "three hours from 00:00");
    assert_eq!(admitted(&mut floods, &rule, vec![at(180, "f")]), (names(&["f"]), 0));
    assert_eq!(admitted(&mut floods, &rule, vec![at(30, "g")]), (names(&["!1"]), 1), "late, and still aside");
    assert_eq!(admitted(&mut limited(0, 3), &rule, (0..9).map(|n| at(n, &n.to_string())).collect()).1, 0);
}

#[test]
fn it_says_what_and_why_under_one_id() {
    let (rule, mut floods) = (hourly(), limited(1, 24));
    let told = |found: Vec<Finding>| found.into_iter().find(|finding| finding.rule == RULE_QUARANTINED).unwrap();
    let first = told(floods.admit(&rule, vec![at(1, "a"), at(2, "b")]).0);
    let second = told(floods.admit(&rule, vec![at(600, "c")]).0);
    assert_eq!(first.id, second.id);
    assert_eq!((first.severity, &*first.account), (Severity::Medium, "111122223333"));
    assert_eq!(first.title, "Rule cloudtrail/x has too many findings and was put aside");
    let evidence: Vec<_> = first.evidence.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        evidence,
        [
            "rule=cloudtrail/x",
            "why=floods",
            "findings_max=1",
            "put_aside_from=1970-01-01T00:00:00Z",
            "put_aside_until=1970-01-02T00:00:00Z"
        ]
    );
}

#[test]
fn a_restart_goes_on_and_an_edit_ends_it() {
    let (rule, mut floods) = (hourly(), limited(1, 24));
    assert_eq!(floods.admit(&rule, vec![at(1, "a"), at(2, "b")]).1, 1);
    let mut saved = Writer::default();
    floods.write(&mut saved);
    let mut again = limited(1, 24);
    again.read(&mut Reader(&saved.0)).unwrap();
    assert_eq!(again.rules, floods.rules);
    assert_eq!(again.admit(&rule, vec![at(70, "c"), at(1, "a")]).1, 1);
    assert!(again.read(&mut Reader(&saved.0[..saved.0.len() - 1])).is_none());
    again.read(&mut Reader(&[])).unwrap();
    assert!(again.rules.is_empty());
    let edited = Rule { text: rule.text.clone() + "-- edited", ..rule.clone() };
    assert_eq!(floods.admit(&edited, vec![at(70, "c")]).1, 0);
}

#[test]
fn whether_a_period_is_flooded_depends_on_neither_order_nor_cut() {
    let all: Vec<Finding> = (0..40).map(|n| at(n * 7 % 240, &format!("a{}", n % 5))).collect();
    let aside = |order: Vec<Finding>, cut: usize| {
        let (rule, mut floods) = (hourly(), limited(3, 2));
        order.chunks(cut).for_each(|found| drop(floods.admit(&rule, found.to_vec())));
        floods.rules["cloudtrail/x"].aside.clone()
    };
    let expected = aside(all.clone(), 40);
    assert!(!expected.is_empty());
    let reversed: Vec<Finding> = all.iter().rev().cloned().collect();
    for cut in [1, 3, 11] {
        assert_eq!(aside(all.clone(), cut), expected);
        assert_eq!(aside(reversed.clone(), cut), expected);
    }
}

#[test]
fn a_rule_that_fails_on_some_rows_judges_the_others_and_says_so_once() {
    let failing = "SELECT eventTime FROM cloudtrail WHERE eventName = 'GetUser' \
                   AND 10 / CAST(requestParameters ->> 'n' AS BIGINT) >= 1";
    let other = Rule {
        id: "cloudtrail/other".into(),
        ..rule("", "SELECT eventTime FROM cloudtrail WHERE eventName = 'GetUser'")
    };
    let (mut one, _) = Detector::new(logs::TABLES, [rule("", failing), other]);
    let numbered = |id: &str, n: &str| changed(event("GetUser", id), json!({ "requestParameters": { "n": n } }));
    let events =
        [numbered("e1", "1"), numbered("e2", "0"), numbered("e3", "5"), numbered("e4", "x"), numbered("e5", "20")];
    let found = one.observe(&[batch(&events)], Timestamp(0));
    let of = |id: &str| -> Vec<&str> {
        let of = found.iter().filter(|finding| finding.rule == id).flat_map(|finding| &finding.event_ids);
        of.map(|(_, id)| id.as_str()).collect()
    };
    assert_eq!(of("cloudtrail/x"), ["e1", "e3"]);
    assert_eq!(of("cloudtrail/other"), ["e1", "e2", "e3", "e4", "e5"]);
    assert_eq!(of(RULE_QUARANTINED), ["e2", "e4"]);
    let told: Vec<&Finding> = found.iter().filter(|finding| finding.rule == RULE_QUARANTINED).collect();
    assert_eq!((told.len(), told[0].count, told[0].severity), (1, 2, Severity::Medium));
    assert_eq!(told[0].title, "Rule cloudtrail/x could not judge some rows");
    assert_eq!(told[0].evidence[2].0, "error");
    assert!(told[0].evidence[2].1.to_lowercase().contains("divide by zero"), "{:?}", told[0].evidence);
    let cost = &one.costs()["cloudtrail/x"];
    assert_eq!((cost.failed, cost.hits), (2, 2));
    // as it is with each row in a batch of its own
    let (mut parts, _) = Detector::new(logs::TABLES, [rule("", failing)]);
    let apart: Vec<Finding> =
        events.iter().flat_map(|event| parts.observe(&[batch(std::slice::from_ref(event))], Timestamp(0))).collect();
    assert_eq!(apart.iter().filter(|finding| finding.rule == "cloudtrail/x").count(), 2);
    assert_eq!(apart.iter().filter(|finding| finding.rule == RULE_QUARANTINED).count(), 2);
}

#[test]
fn a_window_that_fails_hides_no_other() {
    let sql = "SELECT count(*) AS calls FROM cloudtrail WHERE eventName = 'GetUser' \
               GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '1 day') \
               HAVING 10 / sum(CAST(requestParameters ->> 'n' AS BIGINT)) >= 1";
    let by = |id: &str, user: &str, n: &str| {
        let who = json!({ "userIdentity": { "arn": format!("arn:aws:iam::111122223333:user/{user}") } });
        changed(changed(event("GetUser", id), who), json!({ "requestParameters": { "n": n } }))
    };
    let mut detector = detector([rule("", sql)]);
    let mut found = detector.observe(&[batch(&[by("e1", "anne", "1"), by("e2", "bob", "0")])], Timestamp(0));
    found.extend(detector.finish());
    let mut found: Vec<_> = found.iter().map(|found| (found.rule.as_str(), found.event_ids[0].1.as_str())).collect();
    found.sort_unstable();
    assert_eq!(found, [("cloudtrail/x", "e1"), (RULE_QUARANTINED, "e2")]);
}

#[test]
fn windows_that_fail_by_one_number_hide_no_others() {
    let sql = "SELECT count(*) AS calls FROM cloudtrail WHERE eventName = 'GetUser' \
               GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '1 day') \
               HAVING 10 / sum(CAST(requestParameters ->> 'n' AS BIGINT)) >= 1";
    let by = |n: usize| {
        let who = json!({ "userIdentity": { "arn": format!("arn:aws:iam::111122223333:user/{n}") } });
        let number = json!({ "requestParameters": { "n": (n % 3).to_string() } });
        changed(changed(event("GetUser", &format!("e{n}")), who), number)
    };
    let mut detector = detector([rule("", sql)]);
    let mut found = detector.observe(&[batch(&(0..1500).map(by).collect::<Vec<_>>())], Timestamp(0));
    found.extend(detector.finish());
    assert_eq!(found.iter().filter(|finding| finding.rule == "cloudtrail/x").count(), 1000);
    assert_eq!(detector.costs()["cloudtrail/x"].failed, 500);
}

#[test]
fn values_of_two_columns_that_a_rule_fails_on_together_cost_no_other_rows() {
    let row = |number: usize| {
        let region = ["us-east-1", "eu-west-1"][number % 2];
        let address = format!("192.0.2.{}", 7 + number % 3);
        changed(event("x", &format!("e{number}")), json!({ "awsRegion": region, "sourceIPAddress": address }))
    };
    let sql = "SELECT eventID FROM cloudtrail WHERE CAST(CASE WHEN awsRegion = 'us-east-1' AND \
               sourceIPAddress = '192.0.2.7' THEN 'no' ELSE '2' END AS BIGINT) > 1";
    let mut detector = detector([rule("", sql)]);
    detector.observe(&[batch(&(0..1200).map(row).collect::<Vec<_>>())], Timestamp(0));
    let cost = &detector.costs()["cloudtrail/x"];
    assert_eq!((cost.hits, cost.failed), (1000, 200), "{:?}", cost.error);
}

#[test]
fn a_number_that_many_rows_have_and_a_rule_fails_on_costs_no_other_rows() {
    let flow = |number: usize| {
        let port = [22, 23, 443, 8080][number % 4];
        format!("2 111122223333 eni-0a 192.0.2.7 10.0.0.9 40000 {port} 6 3 180 1722511823 1722511883 ACCEPT OK\n")
    };
    let header = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n";
    let lines: String = std::iter::once(header.to_owned()).chain((0..2000).map(flow)).collect();
    let (options, mut rejects, mut counts) = (Options::default(), Vec::new(), Counts::default());
    let mut reader = open(Input::Bytes(lines.into()), Arc::new(Origin::default()), &options);
    let mut records = Vec::new();
    while let Some(more) = reader.next(&mut rejects, &mut counts).unwrap() {
        records.push(more);
    }
    let batches = logs::batches(records, &options, &mut rejects, &mut counts);
    assert_eq!(rejects.len(), 0);
    let sql = "SELECT srcaddr FROM vpc_flow WHERE 1000 / (CAST(dstport AS BIGINT) - 23) > -10000";
    let text = format!("-- title = \"t\"\n-- severity = \"low\"\n-- tags = [\"a\"]\n-- remedy = \"r\"\n{sql}");
    let mut detector = detector([crate::rule::parse("vpc_flow/x", "x.sql", &text).unwrap()]);
    detector.observe(&batches, Timestamp(0));
    let cost = &detector.costs()["vpc_flow/x"];
    assert_eq!((cost.hits, cost.failed), (1500, 500), "{:?}", cost.error);
}
