//! Rules over windows: what they say, and that it is what DataFusion says of all rows at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionConfig;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::detect::tests::{batch, changed, detector, event, rule};
use crate::detect::{Detector, Parts, emit, session};
use crate::finding::{Finding, FindingId};
use crate::logs;
use crate::logs::cloudtrail::CLOUDTRAIL;
use crate::memory::{Memory, Size};
use crate::rule::{Rule, Severity};
use crate::table::Batch;
use crate::time::{MICROS_PER_HOUR, MICROS_PER_SECOND, Timestamp};

pub const MINUTE: i64 = 60 * MICROS_PER_SECOND;
/// 2024-08-01T12:00:00Z
pub const NOON: Timestamp = Timestamp(1_722_513_600 * MICROS_PER_SECOND);

/// A call at that many minutes after noon.
pub fn call(minute: i64, id: &str, changes: Value) -> Value {
    let time = Timestamp(NOON.0 + minute * MINUTE).to_string();
    changed(changed(event("GetSecretValue", id), json!({ "eventTime": time })), changes)
}

fn burst() -> Rule {
    rule(
        "",
        "SELECT userIdentity.arn AS who, count(*) AS calls, count(DISTINCT sourceIPAddress) AS addresses, \
           sample(eventName) AS what \
         FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com' \
         GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '10 minutes') HAVING count(*) >= 3",
    )
}

pub fn refused(sql: &str) -> String {
    let (_, refused) = Detector::new(logs::TABLES, [rule("", sql)]);
    refused[0].to_string()
}

#[test]
fn of_many_rows_the_ids_of_the_earliest_and_of_the_last_are_kept_however_they_come() {
    let id = |n: i64| if n % 2 == 0 { format!("e{n:02}") } else { format!("00000000-0000-4000-8000-0000000000{n:02}") };
    // each at a time of its own; and three at a time, so that those at one time are told apart by their ids
    for seconds in [(0..14).map(|n| n * 20).collect::<Vec<i64>>(), (0..14).map(|n| n / 3 * 60).collect()] {
        let time = |n: i64| Timestamp(NOON.0 + seconds[n as usize] * MICROS_PER_SECOND);
        let mut expected: Vec<(Timestamp, String)> = (0..14).map(|n| (time(n), id(n))).collect();
        expected.sort();
        expected.drain(Finding::EVENT_IDS_MAX - 1..13);
        let mut calls: Vec<Value> =
            (0..14).map(|n| call(0, &id(n), json!({ "eventTime": time(n).to_string() }))).collect();
        for _ in 0..calls.len() {
            calls.rotate_left(1);
            let (first, rest) = calls.split_at(12);
            let mut detector = detector([burst()]);
            detector.observe(&[batch(first)], NOON);
            let found = detector.observe(&[batch(rest)], NOON).remove(0);
            assert_eq!((found.count, found.event_ids), (14, expected.clone()));
        }
    }
}

#[test]
fn a_window_is_told_as_soon_as_it_holds_and_again_as_it_grows() {
    let mut detector = detector([burst()]);
    let mut calls = |events: &[Value]| detector.observe(&[batch(events)], NOON);
    assert_eq!(calls(&[call(0, "e1", json!({})), call(1, "e2", json!({}))]), []);
    // another window, another actor
    assert_eq!(calls(&[call(10, "e3", json!({})), call(2, "e4", json!({ "userIdentity": { "arn": "a" } }))]), []);
    let other = json!({ "eventName": "ListUsers", "sourceIPAddress": "192.0.2.8", "awsRegion": "eu-west-1" });
    let found = calls(&[call(9, "e5", other)]).remove(0);
    assert_eq!((found.count, found.severity, found.title.as_str()), (3, Severity::Low, "t"));
    assert_eq!(found.window, Some((NOON, Timestamp(NOON.0 + 10 * MINUTE))));
    let at = |minute: i64| Timestamp(NOON.0 + minute * MINUTE);
    assert_eq!((found.first_seen, found.last_seen), (at(0), at(9)));
    assert_eq!(found.actor.as_deref(), Some("arn:aws:iam::111122223333:user/eve"));
    assert_eq!((found.account.as_str(), found.region.as_str()), ("111122223333", "eu-west-1"));
    assert_eq!(found.source_ip, None, "they came from two");
    assert_eq!(found.event_ids, [(at(0), "e1".into()), (at(1), "e2".into()), (at(9), "e5".into())]);
    let evidence = [
        ("who", "arn:aws:iam::111122223333:user/eve"),
        ("calls", "3"),
        ("addresses", "2"),
        ("what", r#"["GetSecretValue","ListUsers"]"#),
    ];
    assert_eq!(found.evidence, evidence.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // what was told is told whole, so that nothing is counted twice
    let again = calls(&[call(3, "e6", json!({}))]).remove(0);
    assert_eq!((again.id, again.count), (found.id, 4));
    let (mut one, mut other) = (found.clone(), again.clone());
    one.fold(again.clone());
    other.fold(found);
    assert_eq!((&one, &other), (&again, &again));
}

#[test]
fn a_row_without_a_time_is_in_no_window_and_is_counted() {
    let mut detector = detector([burst()]);
    let untimed = |id: &str| call(0, id, json!({ "eventTime": null }));
    let calls = [call(0, "e1", json!({})), untimed("e2"), call(1, "e3", json!({})), untimed("e4"), untimed("e5")];
    assert_eq!(detector.observe(&[batch(&calls)], NOON), []);
    assert_eq!(detector.costs()["cloudtrail/x"].late, 3);
    assert_eq!(detector.observe(&[batch(&[call(2, "e6", json!({}))])], NOON)[0].count, 3);
}

#[test]
fn what_a_rule_cannot_group_by_is_said() {
    let grouped =
        |by: &str| refused(&format!("SELECT count(*) FROM cloudtrail WHERE true GROUP BY {by} HAVING count(*) > 1"));
    assert!(
        grouped("eventName")
            .ends_with("a rule that groups needs a window: GROUP BY ..., tumble(<time>, INTERVAL '10 minutes')")
    );
    assert!(grouped("tumble(eventTime, INTERVAL '1 month')").contains("takes constant intervals of days"));
    assert!(grouped("hop(eventTime, INTERVAL '7 minutes', INTERVAL '1 hour')").contains("a multiple of the distance"));
    assert!(
        grouped("tumble(eventTime + INTERVAL '1 hour', INTERVAL '1 hour')").contains("go by the time of its table")
    );
    assert!(
        grouped("requestParameters -> 'a', tumble(eventTime, INTERVAL '1 hour')")
            .contains("use `->>` in place of `->`")
    );
    let having = |having: &str| {
        refused(&format!(
            "SELECT 1 FROM cloudtrail WHERE true GROUP BY tumble(eventTime, INTERVAL '1 hour') HAVING {having}"
        ))
    };
    assert!(having("stddev(json_get_int(requestParameters, 'n')) > 1").contains("the aggregate `stddev"));
    assert!(having("sum(json_get_float(requestParameters, 'n')) > 1").contains("of whole numbers"));
    let percentile = |arguments: &str| having(&format!("approx_percentile({arguments}) > 1"));
    let constant = "approx_percentile takes a constant from 0 to 1";
    assert!(percentile("json_get_int(requestParameters, 'n'), 1.01").contains(constant));
    assert!(percentile("json_get_int(requestParameters, 'n'), -0.5").contains(constant));
    assert!(
        percentile("json_get_int(requestParameters, 'n'), json_get_float(requestParameters, 'p')").contains(constant)
    );
    assert!(percentile("eventName, 0.5").contains("approx_percentile takes a number"));
    assert!(percentile("DISTINCT json_get_int(requestParameters, 'n'), 0.5").contains("leave DISTINCT out"));
}

#[test]
fn a_condition_that_may_become_false_waits_until_its_window_is_over() {
    let sql = "SELECT count(*) AS n FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com' \
               GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '10 minutes') \
               HAVING count(*) FILTER (WHERE eventName = 'DeleteTrail') > 0 AND count(*) FILTER (WHERE eventName = 'CreateTrail') = 0";
    let delete = call(1, "e1", json!({ "eventName": "DeleteTrail" }));
    let create = call(2, "e2", json!({ "eventName": "CreateTrail" }));
    let at = |minute: i64| Timestamp(NOON.0 + minute * MINUTE);
    let run = |events: &[Value]| {
        let mut detector = detector([rule("-- lateness = \"15m\"\n", sql)]);
        detector.follow(true);
        let mut found = detector.observe(&[batch(events)], at(5));
        assert_eq!(found, []);
        // its window ends at 12:10, and rows may be 15 minutes late
        assert_eq!(detector.observe(&[], at(24)), []);
        found.extend(detector.observe(&[], at(25)));
        let late = detector.observe(&[batch(&[call(3, "e3", json!({ "eventName": "DeleteTrail" }))])], at(26));
        assert_eq!((late, detector.costs()["cloudtrail/x"].late), (vec![], 1));
        found
    };
    assert_eq!(run(std::slice::from_ref(&delete)).len(), 1);
    assert_eq!(run(&[delete.clone(), create.clone()]), []);
    // of input that ends, windows are over when it does
    let mut detector = detector([rule("", sql)]);
    assert_eq!(detector.observe(&[batch(&[delete])], at(9999)), []);
    assert_eq!(detector.finish().len(), 1);
    assert_eq!(detector.observe(&[batch(&[create])], at(9999)), []);
    assert_eq!(detector.finish(), []);
}

#[test]
fn a_changed_rule_begins_anew_and_others_go_on() {
    let mut first = detector([burst()]);
    first.observe(&[batch(&[call(0, "e1", json!({})), call(1, "e2", json!({}))])], NOON);
    let state = first.changes();
    let third = || batch(&[call(2, "e3", json!({}))]);
    let mut same = detector([burst()]);
    assert!(same.restore(&state).is_whole());
    assert_eq!(same.observe(&[third()], NOON).len(), 1);
    let text = burst().text.replace("GROUP BY ", "GROUP BY awsRegion, ");
    let mut other = detector([Rule { text, ..burst() }]);
    assert_eq!(other.restore(&state).changed, ["cloudtrail/x"]);
    assert_eq!(other.observe(&[third()], NOON), []);
    for older in [&[1][..], &[2, 0]] {
        let older = Parts { shared: older.into(), ..state.clone() };
        assert!(same.restore(&older).lost["cloudtrail/x"].starts_with("the saved state has version "));
    }
    let torn = same.restore(&Parts { shared: state.shared.slice(..state.shared.len() - 1), ..state });
    assert!(torn.taken.contains("cloudtrail/x") && torn.shared.unwrap().contains("damaged"));
}

#[test]
fn a_state_that_is_damaged_anywhere_costs_the_rule_that_it_is_of_and_is_never_believed() {
    let other = || Rule { id: "cloudtrail/y".into(), text: burst().text.replace(">= 3", ">= 2"), ..burst() };
    let mut first = detector([burst(), other()]);
    let who = |name: &str| json!({ "userIdentity": { "arn": format!("arn:aws:iam::111122223333:user/{name}") } });
    let calls: Vec<Value> = ["eve", "bob", "ann", "tom", "joe"].iter().map(|name| call(0, name, who(name))).collect();
    first.observe(&[batch(&calls)], NOON);
    let whole = first.changes();
    assert!(whole.of_rules.contains_key(&("cloudtrail/x".to_owned(), 2)), "they are in several pieces");
    // each byte of each part, and the part as a whole
    let mut damages = vec![Parts { shared: Bytes::new(), ..whole.clone() }];
    for place in 0..whole.shared.len() {
        damages.push(Parts { shared: flipped(&whole.shared, place), ..whole.clone() });
    }
    for (name, part) in &whole.of_rules {
        let damaged = (0..part.len()).map(|place| Some(flipped(part, place))).chain([None]);
        for damaged in damaged {
            let mut damage = whole.clone();
            match damaged {
                Some(part) => damage.of_rules.insert(name.clone(), part),
                None => damage.of_rules.remove(name),
            };
            damages.push(damage);
        }
    }
    let (mut alone, count) = (0, damages.len());
    for (place, damage) in damages.into_iter().enumerate() {
        let mut again = detector([burst(), other()]);
        let restored = again.restore(&damage);
        assert!(!restored.is_whole(), "damage {place}");
        let lost: Vec<&str> = restored.lost.keys().map(String::as_str).collect();
        let taken: Vec<&str> = restored.taken.iter().map(String::as_str).collect();
        assert_eq!([&lost[..], &taken[..]].concat().len(), 2, "damage {place}: {restored:?}");
        alone += usize::from(lost.len() == 1);
        // what was taken up goes on as it was
        let found = again.observe(&[batch(&[call(1, "e2", who("eve"))])], NOON);
        assert_eq!(found.iter().any(|finding| finding.rule == "cloudtrail/y"), taken.contains(&"cloudtrail/y"));
        // and the next commit can be read, with no part of what was refused
        if place % 20 > 0 {
            continue;
        }
        let mut saved = damage;
        saved.take(again.changes());
        let mut next = detector([burst(), other()]);
        assert!(next.restore(&saved).is_whole(), "damage {place}");
        assert_eq!(next.state_bytes(), again.state_bytes());
    }
    assert!(alone > count / 2, "{alone} of {count}");
}

fn flipped(part: &Bytes, place: usize) -> Bytes {
    let mut part = part.to_vec();
    part[place] ^= 1;
    part.into()
}

/// Bytes of all of it.
pub fn size(parts: &Parts) -> usize {
    parts.shared.len() + parts.of_rules.values().map(Bytes::len).sum::<usize>()
}

#[test]
fn a_flood_of_keys_stays_within_its_bytes_and_is_counted() {
    let mut detector = detector([burst()]);
    detector.keep_to(Memory::of_limit(Size(Memory::FLOOR)).unwrap());
    let busy: Vec<Value> = (0..2).map(|n| call(0, &format!("busy{n}"), json!({}))).collect();
    detector.observe(&[batch(&busy)], NOON);
    for round in 0..12 {
        let flood = (0..1_500).map(|n| {
            let arn = format!("arn:aws:iam::111122223333:user/{round}-{n}-{}", "x".repeat(100));
            call(0, &format!("{round}-{n}"), json!({ "userIdentity": { "arn": arn } }))
        });
        detector.observe(&[batch(&flood.collect::<Vec<_>>())], NOON);
    }
    let cost = &detector.costs()["cloudtrail/x"];
    assert!(cost.shed > 0 && cost.shed < 18_000, "{cost:?}");
    assert!(size(&detector.changes()) < detector.state_bytes_max()[0]);
    // the key with the most rows is still there
    assert_eq!(detector.observe(&[batch(&[call(0, "busy2", json!({}))])], NOON).len(), 1);
}

/// A grouping query in the parts that rule and oracle share.
#[derive(Clone, Debug)]
pub struct Query {
    keys: Vec<&'static str>,
    /// In minutes; of a session, whose size is 0, the gap.
    slide: i64,
    pub size: i64,
    condition: &'static str,
    having: String,
}

const SHOWN: &str = "count(*) AS n, count(errorCode) AS errors, count(DISTINCT eventName) AS names, \
    min(eventTime) AS first, max(sourceIPAddress) AS most, sum(json_get_int(requestParameters, 'n')) AS total, \
    avg(json_get_int(requestParameters, 'n')) AS mean, approx_percentile(json_get_int(requestParameters, 'n'), 0.9) AS high, sample(eventName) AS what, \
    count(*) FILTER (WHERE errorCode IS NULL) > 1 AS good, \
    in_order(eventTime, eventName = 'B', errorCode IS NULL, eventName = 'C') AS chain, \
    correlates(eventTime, '{\"of\":[{\"of\":[0],\"within\":600,\"by\":[0],\"holds\":{\"count\":2}},1],\"within\":900,\"holds\":\"in_order\"}', \
      errorCode IS NULL, eventName = 'C', sourceIPAddress) AS nested";

impl Query {
    fn keys(&self) -> String {
        self.keys.iter().map(|key| format!("{key}, ")).collect()
    }

    fn named(&self) -> String {
        self.keys.iter().enumerate().map(|(place, key)| format!("{key} AS k{place}, ")).collect()
    }

    pub fn rule(&self) -> Rule {
        let Query { slide, size, condition, having, .. } = self;
        let window = match size {
            0 => format!("session(eventTime, INTERVAL '{slide} minutes')"),
            size if size == slide => format!("tumble(eventTime, INTERVAL '{size} minutes')"),
            _ => format!("hop(eventTime, INTERVAL '{slide} minutes', INTERVAL '{size} minutes')"),
        };
        let (keys, named) = (self.keys(), self.named());
        let sql = format!(
            "SELECT {named}{window} AS at, {SHOWN} FROM cloudtrail WHERE {condition} GROUP BY {keys}{window} HAVING {having}"
        );
        // a period as long as the slide: each window has an id of its own
        rule(&format!("-- dedupe = \"{slide}m\"\n-- aws_services = true\n"), &sql)
    }

    /// The windows that DataFusion finds, by key and start, as texts.
    fn oracle(&self, batch: &Batch) -> Vec<Vec<Option<String>>> {
        let Query { slide, size, condition, having, .. } = self;
        let (keys, named) = (self.keys(), self.named());
        let back = |n: i64| format!("(INTERVAL '{} minutes')", n * slide);
        let offsets = (0..size / slide).map(back).collect::<Vec<_>>().join(", ");
        let window = format!("tumble(eventTime, INTERVAL '{slide} minutes') - k");
        let sql = format!(
            "SELECT {named}{window} AS at, {SHOWN} FROM cloudtrail CROSS JOIN (VALUES {offsets}) AS o (k) \
             WHERE {condition} GROUP BY {keys}{window} HAVING {having}"
        );
        analyst(&sql, batch)
    }

    /// Findings of the rule as rows of its oracle.
    pub fn told<'a>(&self, found: impl Iterator<Item = &'a Finding>) -> Vec<Vec<Option<String>>> {
        let mut told = Vec::new();
        for finding in found {
            let shown: BTreeMap<&str, &str> =
                finding.evidence.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(shown["n"], finding.count.to_string());
            let keys = (0..self.keys.len()).map(|place| format!("k{place}"));
            let columns = [
                "at", "n", "errors", "names", "first", "most", "total", "mean", "high", "what", "good", "chain",
                "nested",
            ];
            let columns = keys.chain(columns.map(str::to_owned));
            told.push(columns.map(|name| shown.get(name.as_str()).map(|value| (*value).to_owned())).collect());
        }
        told.sort();
        told
    }
}

/// What the analyst's session says of all rows at once, as texts, sorted.
pub fn analyst(sql: &str, batch: &Batch) -> Vec<Vec<Option<String>>> {
    let session = session::session(SessionConfig::new());
    let table = MemTable::try_new(CLOUDTRAIL.schema(), vec![vec![batch.rows.clone()]]).unwrap();
    session.register_table("cloudtrail", Arc::new(table)).unwrap();
    let statement = session::parse(sql).unwrap().pop_front().unwrap();
    let rows = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        let plan = session.state().statement_to_plan(statement).await.unwrap();
        session.execute_logical_plan(plan).await.unwrap().collect().await.unwrap()
    });
    let mut found = Vec::new();
    for rows in rows {
        let columns: Vec<_> = rows.columns().iter().map(|column| emit::texts(column).unwrap()).collect();
        found.extend((0..rows.num_rows()).map(|row| columns.iter().map(|column| column[row].clone()).collect()));
    }
    found.sort();
    found
}

pub fn some_query() -> impl Strategy<Value = Query> {
    let keys = prop::sample::subsequence(
        vec!["userIdentity.arn", "awsRegion", "sourceIPAddress", "readOnly", "requestParameters ->> 'n'"],
        0..3,
    );
    let windows = prop::sample::select(vec![(10, 10), (60, 60), (10, 30), (5, 60), (7, 0), (20, 0)]);
    let condition = prop::sample::select(vec!["true", "eventName <> 'A'", "errorCode IS NULL OR readOnly"]);
    let having = prop::sample::select(vec![
        "count(*) >= 3",
        "count(*) > 1 AND count(DISTINCT eventName) > 1",
        "count(DISTINCT sourceIPAddress) >= 2 OR count(errorCode) > 2",
        "count(*) = 2",
        "count(*) FILTER (WHERE eventName = 'A') > 0 AND count(*) FILTER (WHERE eventName = 'B') = 0",
        "min(eventTime) FILTER (WHERE eventName = 'A') < max(eventTime) FILTER (WHERE eventName = 'B')",
        "in_order(eventTime, eventName = 'A', eventName = 'B', eventName = 'A', eventName = 'C')",
        "in_order(eventTime, eventName = 'A', readOnly, eventName = 'C') FILTER (WHERE errorCode IS NULL)",
        r#"correlates(eventTime, '{"of":[{"of":[0,1],"within":300,"holds":{"count":2}},{"of":[2],"within":600,"by":[0],"holds":{"distinct":[2,1]}}],"within":1200,"holds":"in_order"}',
            eventName = 'A', eventName = 'B', eventName <> 'B', userIdentity.arn, sourceIPAddress)"#,
        r#"correlates(eventTime, '{"of":[{"of":[0,1,2],"within":420,"holds":{"together":[2,[0,1,2]]}}],"within":900,"tumbling":true,"holds":{"count":3}}',
            eventName = 'A', readOnly, errorCode IS NOT NULL) FILTER (WHERE awsRegion = 'us-east-1' OR errorCode IS NULL)"#,
        "max(eventTime) - min(eventTime) > INTERVAL '7 minutes'",
        "regularity(eventTime) >= 0.5",
        "sum(json_get_int(requestParameters, 'n')) > 3",
        "avg(json_get_int(requestParameters, 'n')) >= 1.5",
        "approx_percentile(json_get_int(requestParameters, 'n'), 0.5) > 0.5",
        "max(eventName) IS NOT NULL",
        "count(*) - count(errorCode) < 2",
        "count(DISTINCT eventName) = count(DISTINCT sourceIPAddress)",
        "count(DISTINCT eventName) FILTER (WHERE errorCode IS NULL) < count(DISTINCT sourceIPAddress) + 1",
        "max(eventName) IS DISTINCT FROM min(eventName)",
        "max(errorCode) IS NOT DISTINCT FROM NULL",
        "sum(json_get_int(requestParameters, 'n')) IS NULL OR count(*) > 3",
        "NOT (count(*) < 3)",
        "count(*) BETWEEN 2 AND 4",
        "count(*) IN (1, 3)",
        "greatest(count(errorCode), 2) < count(*)",
        "coalesce(max(errorCode), '') = ''",
        "CASE WHEN count(*) > 2 THEN max(eventName) > 'B' ELSE count(errorCode) = 1 END",
        "min(sourceIPAddress) = max(sourceIPAddress) AND count(*) <> 2",
        "sum(json_get_int(requestParameters, 'n')) * -1 < -3",
        "NOT (max(eventName) <> 'A') IS NOT TRUE",
    ]);
    (keys, windows, condition, prop::collection::vec(having, 1..3)).prop_map(
        |(keys, (slide, size), condition, having)| Query { keys, slide, size, condition, having: having.join(" AND ") },
    )
}

pub fn some_calls() -> impl Strategy<Value = Vec<Value>> {
    let one = (0i64..200, 0usize..3, 0usize..3, 0usize..4, 0i64..4, prop::option::of(any::<bool>()));
    prop::collection::vec(one, 1..50).prop_map(|all| {
        let call = |(index, (minute, name, who, error, number, read_only))| {
            let parameters = if number == 3 { Value::Null } else { json!({ "n": number }) };
            let error = [None, None, Some("AccessDenied"), Some("Other")][error];
            let identities = [Value::Null, json!({ "type": "Root", "arn": "r" }), json!({ "type": "IAMUser", "arn": "u" })];
            let region = ["us-east-1", "eu-west-1"][name % 2];
            let changes = json!({
                "eventName": (["A", "B", "C"][name]), "errorCode": error, "userIdentity": identities[who], "awsRegion": region,
                "sourceIPAddress": format!("192.0.2.{number}"), "readOnly": read_only, "requestParameters": parameters,
            });
            call(minute, &format!("event-{index:04}"), changes)
        };
        all.into_iter().enumerate().map(call).collect()
    })
}

/// What came of a run: findings as triage would fold them.
pub fn folded(into: &mut BTreeMap<FindingId, Finding>, found: Vec<Finding>) {
    for finding in found {
        match into.get_mut(&finding.id) {
            Some(known) => known.fold(finding),
            None => {
                into.insert(finding.id, finding);
            }
        }
    }
}

/// Cases of each property.
pub fn cases() -> ProptestConfig {
    cases_or(256)
}

/// The same where they take so long that the usual number is another; `WEIR_TEST_CASES=10000` runs more.
pub fn cases_or(usual: u32) -> ProptestConfig {
    let cases = std::env::var("WEIR_TEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(cases.unwrap_or(usual))
}

#[test]
fn a_count_that_has_ended_is_shown_as_that() {
    let rule = rule(
        "",
        "SELECT count(DISTINCT eventID) AS ids, count(DISTINCT awsRegion) AS regions, count(*) AS n FROM cloudtrail \
         WHERE eventSource = 'iam.amazonaws.com' GROUP BY account, tumble(eventTime, INTERVAL '1 hour') \
         HAVING count(DISTINCT eventID) >= 9999",
    );
    let mut detector = detector([rule]);
    let mut shown = |from: usize, to: usize| {
        let calls: Vec<Value> = (from..to).map(|n| call(0, &format!("e{n}"), json!({}))).collect();
        let found = detector.observe(&[batch(&calls)], NOON).pop().unwrap();
        found.evidence.into_iter().map(|(_, value)| value).collect::<Vec<_>>()
    };
    assert_eq!(shown(0, 9_999), ["9999", "1", "9999"]);
    assert_eq!(shown(9_999, 10_020), ["10000+", "1", "10020"]);
}

#[test]
fn the_length_of_a_symbol_is_a_whole_number() {
    let sql = "SELECT avg(length(eventName)) AS mean FROM cloudtrail WHERE eventName IS NOT NULL \
               GROUP BY account, tumble(eventTime, INTERVAL '1 hour') HAVING count(*) >= 2";
    let found = detector([rule("", sql)]).observe(&[batch(&[event("ABC", "e1"), event("ABCD", "e2")])], NOON);
    assert_eq!(found[0].evidence, [("mean".to_owned(), "3.5".to_owned())]);
}

#[test]
fn aggregates_of_one_value_cast_to_several_types_differ() {
    let sql = "SELECT max(requestParameters ->> 'n') AS text, max(try_cast(requestParameters ->> 'n' AS BIGINT)) AS number FROM cloudtrail \
               WHERE eventName IS NOT NULL GROUP BY account, tumble(eventTime, INTERVAL '1 hour') \
               HAVING max(CAST(requestParameters ->> 'n' AS BIGINT)) > 9";
    let calls = [9, 10].map(|n| call(1, &n.to_string(), json!({ "requestParameters": { "n": n } })));
    let found = detector([rule("", sql)]).observe(&[batch(&calls)], NOON);
    assert_eq!(
        found[0].evidence,
        [("text", "9"), ("number", "10")].map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn a_percentile_of_more_numbers_than_are_kept_is_the_same_in_batch_and_after_a_restart() {
    let sql = "SELECT approx_percentile(json_get_int(requestParameters, 'n'), 0.95) AS high, \
                 approx_percentile(json_get_float(requestParameters, 'n') / 3, 0.5) AS middle \
               FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com' \
               GROUP BY tumble(eventTime, INTERVAL '1 hour') HAVING approx_percentile(json_get_int(requestParameters, 'n'), 0.5) > 1";
    let calls: Vec<Value> = (0..6000i64)
        .map(|n| call(n % 60, &format!("e{n}"), json!({ "requestParameters": { "n": n * 7919 % 6007 } })))
        .collect();
    let (mut stream, mut state) = (detector([rule("", sql)]), Parts::default());
    for calls in calls.chunks(1500) {
        stream.observe(&[batch(calls)], NOON);
        state.take(stream.changes());
        stream = detector([rule("", sql)]);
        assert!(stream.restore(&state).is_whole());
    }
    let told: Vec<Option<String>> = stream.finish()[0].evidence.iter().map(|(_, value)| Some(value.clone())).collect();
    assert_eq!(vec![told.clone()], analyst(sql, &batch(&calls)));
    let number = |place: usize| told[place].as_deref().unwrap().parse::<f64>().unwrap();
    assert!((number(0) - 5706.65).abs() < 5706.65 / 128.0, "{told:?}");
    assert!((number(1) - 1001.0).abs() < 1001.0 / 128.0, "{told:?}");
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn stream_equals_batch(
        query in some_query(),
        (calls, order) in some_calls().prop_flat_map(|calls| {
            let order: Vec<usize> = (0..calls.len()).collect();
            (Just(calls), Just(order).prop_shuffle())
        }),
        cuts in prop::collection::vec((1usize..12, any::<bool>()), 50),
    ) {
        let whole = batch(&calls);
        // the rule as it stands, over all rows at once; of windows that do not depend on rows also in SQL of another form
        let expected = analyst(&query.rule().text, &whole);
        if query.size > 0 {
            prop_assert_eq!(&expected, &query.oracle(&whole), "{:?}", query);
        }
        let mut stream = detector([query.rule()]);
        let mut found = BTreeMap::new();
        let mut left = order.as_slice();
        let mut state = Parts::default();
        for (size, restart) in cuts {
            if left.is_empty() {
                break;
            }
            let (these, rest) = left.split_at(size.min(left.len()));
            left = rest;
            let events: Vec<Value> = these.iter().map(|index| calls[*index].clone()).collect();
            folded(&mut found, stream.observe(&[batch(&events)], NOON));
            state.take(stream.changes());
            if restart {
                stream = detector([query.rule()]);
                prop_assert!(stream.restore(&state).is_whole());
            }
        }
        folded(&mut found, stream.finish());
        let mut told = query.told(found.values());
        if query.size == 0 {
            // a finding for each period that a session has rows in
            told.dedup();
        }
        prop_assert_eq!(told, expected, "{:?}", query);
    }

    #[test]
    fn stream_equals_batch_over_sessions_that_leave(
        query in some_query(),
        gap in prop::sample::select(vec![7, 20]),
        calls in some_calls(),
        delays in prop::collection::vec(0i64..15, 50),
        restarts in prop::collection::vec(any::<bool>(), 50),
    ) {
        let query = Query { slide: gap, size: 0, ..query };
        let rule = || Rule { lateness_micros: Some(20 * MINUTE), ..query.rule() };
        let time = |call: &Value| Timestamp::parse(call["eventTime"].as_str().unwrap()).unwrap().0;
        // each comes some minutes after it happened, fewer than rows may be late
        let mut arriving: Vec<(i64, &Value)> =
            calls.iter().zip(&delays).map(|(call, delay)| (time(call) + delay * MINUTE, call)).collect();
        arriving.sort_by_key(|(at, _)| *at);
        let mut stream = detector([rule()]);
        stream.follow(true);
        let mut found = BTreeMap::new();
        let mut state = Parts::default();
        for ((at, call), restart) in arriving.into_iter().zip(restarts) {
            folded(&mut found, stream.observe(&[batch(std::slice::from_ref(call))], Timestamp(at)));
            state.take(stream.changes());
            if restart {
                stream = detector([rule()]);
                stream.follow(true);
                prop_assert!(stream.restore(&state).is_whole());
            }
        }
        // after a restart windows stay for a while
        for hours in [24, 25] {
            folded(&mut found, stream.observe(&[], Timestamp(NOON.0 + hours * MICROS_PER_HOUR)));
        }
        prop_assert_eq!(stream.costs()["cloudtrail/x"].late, 0);
        prop_assert_eq!(stream.window_bytes().map(|(_, bytes)| bytes).sum::<usize>(), 0);
        let mut told = query.told(found.values());
        told.dedup();
        prop_assert_eq!(told, analyst(&query.rule().text, &batch(&calls)), "{:?}", query);
    }

    #[test]
    fn snapshots_are_the_same_whatever_the_order(
        (calls, shuffled) in some_calls().prop_flat_map(|calls| (Just(calls.clone()), Just(calls).prop_shuffle())),
        query in some_query(),
    ) {
        let run = |calls: &[Value]| {
            let mut detector = detector([query.rule()]);
            calls.chunks(7).for_each(|calls| { detector.observe(&[batch(calls)], NOON); });
            let found = detector.finish();
            let mut copy = self::detector([query.rule()]);
            assert!(copy.restore(&detector.changes()).is_whole());
            assert_eq!(copy.finish(), found);
            found
        };
        prop_assert_eq!(run(&calls), run(&shuffled));
    }
}

#[test]
fn old_windows_leave_a_stream_that_goes_on() {
    let mut detector = detector([burst()]);
    detector.follow(true);
    let (mut state, mut sizes) = (Parts::default(), Vec::new());
    for hour in 0..48 {
        let now = Timestamp(NOON.0 + hour * MICROS_PER_HOUR);
        detector.observe(&[batch(&[call(hour * 60, &format!("e{hour}"), json!({}))])], now);
        state.take(detector.changes());
        sizes.push(size(&state));
    }
    // a day of panes, and the day that rows may be late
    assert!(sizes[10] > sizes[5] && sizes[47] < sizes[25] * 2, "{sizes:?}");
}
