//! Sigma correlations over streams of events: the windows that fire are those that `rsigma-eval` says.
//!
//! Its timespan slides from event to event, ours in steps (`sigma/timespan.rs`). For a condition that more rows cannot make
//! false that means: whatever it finds within the timespan we find, and whatever we find it finds within the length of our
//! windows. Of timespans of up to twelve seconds the two are the same. For any other condition, and for `window: tumbling`,
//! ours are periods, and those that fire are those for which it says so at their last event.
//!
//! Where rsigma-eval departs from the specification the oracle is given an equivalent correlation, or the case is left out:
//! - `temporal` without a condition fires there as soon as one rule has matched; it is given `gte:` the number of rules;
//! - a row of two rules counts twice there; rules here do not overlap;
//! - sums and averages there take numbers with fractions, here whole numbers only; events have whole ones;
//! - `value_percentile` fires there whatever its condition says; the number that it tells is compared with the condition here.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;
use rsigma_eval::event::JsonEvent;
use rsigma_eval::{CorrelationConfig, CorrelationEngine};
use rsigma_parser::{ConditionOperator, CorrelationCondition, SigmaCollection};
use serde_json::{Value, json};

use super::Parts;
use super::tests::{batch, changed, detector, event};
use super::window::tests::analyst;
use crate::finding::Finding;
use crate::rule::{Rule, parse};
use crate::sigma::{Config, File, convert};
use crate::time::{MICROS_PER_SECOND, Timestamp};

/// 2024-08-01T12:00:00Z
const NOON: i64 = 1_722_513_600;

/// Rules `a`, `b` and `c`, each for the call of that name.
fn rules() -> String {
    let rule = |name: &str| {
        format!(
            "title: Call {name}\nid: id-{name}\nname: {name}\nlogsource: {{product: aws, service: cloudtrail}}\n\
             detection:\n    s:\n        eventSource: iam.amazonaws.com\n        eventName: {name}\n    condition: s\n---\n"
        )
    };
    ["a", "b", "c"].map(rule).concat()
}

/// A correlation of this type, behind the rules; `rest` are more lines of it.
fn correlation(kind: &str, timespan: &str, rest: &str) -> String {
    let rest: String = rest.lines().map(|line| format!("    {line}\n")).collect();
    format!("{}title: Many\nlevel: high\ncorrelation:\n    type: {kind}\n    timespan: {timespan}\n{rest}", rules())
}

/// One that groups too; names in aliases only the rules that it has.
fn grouped(kind: &str, seconds: i64, rest: &str, group: &str) -> String {
    let steps = rest.lines().find(|line| line.starts_with("rules:")).expect("a correlation has rules");
    let is_lost = |line: &&str| {
        ["a", "b", "c"]
            .iter()
            .any(|name| line.trim_start().starts_with(&format!("{name}: ")) && !steps["rules".len()..].contains(name))
    };
    let group: Vec<&str> = group.lines().filter(|line| !is_lost(line)).collect();
    correlation(kind, &format!("{seconds}s"), &format!("{rest}\n{}", group.join("\n")))
}

/// The correlation among the rules of a file.
fn rule(yaml: &str) -> Rule {
    let file = File { name: "x.yml".into(), stem: "x".into(), text: yaml.into() };
    let (converted, refused) = convert(&[file], &Config::default());
    assert_eq!(refused, [], "{yaml}");
    let text = &converted.last().unwrap().text;
    parse("cloudtrail/x", "x.yml", text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A call so many seconds after noon.
fn call(second: i64, name: &str, id: &str, changes: Value) -> Value {
    let time = Timestamp((NOON + second) * MICROS_PER_SECOND).to_string();
    changed(changed(event(name, id), json!({ "eventTime": time })), changes)
}

fn found(yaml: &str, events: &[Value]) -> Vec<Finding> {
    let mut detector = detector([rule(yaml)]);
    let mut found: BTreeMap<_, Finding> = BTreeMap::new();
    let mut told: Vec<Finding> =
        events.chunks(3).flat_map(|some| detector.observe(&[batch(some)], Timestamp(0))).collect();
    told.extend(detector.finish());
    for finding in told {
        match found.get_mut(&finding.id) {
            Some(known) => known.fold(finding),
            None => {
                found.insert(finding.id, finding);
            }
        }
    }
    found.into_values().collect()
}

#[test]
fn a_burst_of_one_user_is_a_finding_of_that_user() {
    let yaml = correlation(
        "event_count",
        "5m",
        "rules: [a, b]\ngroup-by: [userIdentity.arn, requestParameters.roleName]\ncondition: {gte: 3}",
    );
    let role = |name: &str| json!({ "requestParameters": { "roleName": name } });
    // on both sides of the boundary that periods of five minutes have, and 300 seconds apart
    let events = [
        call(100, "A", "e1", role("x")),
        call(200, "B", "e2", role("y")),
        call(320, "b", "e3", role("x")),
        call(330, "C", "e4", role("x")),
        call(400, "a", "e5", role("x")),
        call(500, "a", "e6", role("y")),
    ];
    let mut all = found(&yaml, &events);
    assert_eq!(all.len(), 1, "{all:?}");
    let finding = all.remove(0);
    assert_eq!((finding.title.as_str(), finding.severity.as_str(), finding.count), ("Many", "high", 3));
    assert_eq!(finding.actor.as_deref(), Some("arn:aws:iam::111122223333:user/eve"));
    let ids: Vec<&str> = finding.event_ids.iter().map(|(_, id)| id.as_str()).collect();
    assert_eq!(ids, ["e1", "e3", "e5"]);
    let shown: Vec<(&str, &str)> = finding.evidence.iter().map(|(name, value)| (&**name, &**value)).collect();
    let expected = [
        ("userIdentity.arn", "arn:aws:iam::111122223333:user/eve"),
        ("requestParameters.roleName", "x"),
        ("events", "3"),
        ("event_names", r#"["A","a","b"]"#),
        ("sigma_rule", "Many"),
    ];
    for pair in expected {
        assert!(shown.contains(&pair), "{pair:?} in {shown:?}");
    }
}

#[test]
fn rows_that_lie_further_apart_than_the_windows_do_not_come_together() {
    let yaml = correlation("event_count", "5m", "rules: [a]\ncondition: {gte: 2}");
    let fires = |seconds: i64| {
        (0..60)
            .filter(|start| {
                !found(&yaml, &[call(*start, "a", "e1", json!({})), call(start + seconds, "a", "e2", json!({}))])
                    .is_empty()
            })
            .count()
    };
    // windows of 325 seconds begin every 25: beyond 300 seconds some hold both
    assert_eq!((fires(300), fires(325)), (60, 0));
    assert!((1..60).contains(&fires(310)));
}

#[test]
fn an_alias_joins_rules_that_name_the_same_thing_differently() {
    let yaml = correlation(
        "temporal_ordered",
        "10m",
        "rules: [a, b]\ngroup-by: [user]\naliases:\n    user:\n        a: requestParameters.userName\n        b: userIdentity.userName",
    );
    let made = |second: i64, name: &str| call(second, "a", "e1", json!({ "requestParameters": { "userName": name } }));
    let used = |second: i64, name: &str| call(second, "b", "e2", json!({ "userIdentity": { "userName": name } }));
    let all = found(&yaml, &[made(10, "bob"), used(20, "bob")]);
    assert_eq!(all.len(), 1);
    let shown: BTreeMap<&str, &str> = all[0].evidence.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!((shown["user"], shown["matches of a"], shown["matches of b"]), ("bob", "1", "1"));
    assert_eq!(found(&yaml, &[made(10, "bob"), used(20, "eve")]), []);
    assert_eq!(found(&yaml, &[used(10, "bob"), made(20, "bob")]), []);
    assert_eq!(found(&yaml, &[used(20, "bob"), made(20, "bob")]).len(), 1, "one second has no order");
}

#[test]
fn a_burst_and_then_a_call_are_a_finding_with_the_rows_of_both() {
    let yaml = nested(
        ("event_count", "rules: [a, b]\ncondition: {gte: 3}"),
        (
            "temporal_ordered",
            "rules: [inner, c]\naliases:\n    user:\n        inner: userIdentity.userName\n        c: requestParameters.userName",
        ),
        (60, 600),
        ("sourceIPAddress, userIdentity.userName", &["user"]),
    );
    let by = |second: i64, name: &str, id: &str, user: &str| {
        call(second, name, id, json!({ "userIdentity": { "userName": user }, "sourceIPAddress": "192.0.2.9" }))
    };
    let used = |second: i64, user: &str| {
        call(second, "c", "e9", json!({ "requestParameters": { "userName": user }, "sourceIPAddress": "192.0.2.1" }))
    };
    let burst = [by(0, "a", "e1", "bob"), by(30, "b", "e2", "bob"), by(60, "a", "e3", "bob")];
    let with = |more: &[Value]| found(&yaml, &[&burst[..], more].concat());
    let all = with(&[used(660, "bob")]);
    assert_eq!(all.len(), 1, "{all:?}");
    let shown: BTreeMap<&str, &str> = all[0].evidence.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!((shown["user"], shown["events of inner"], shown["matches of c"]), ("bob", "3", "1"));
    let ids: Vec<&str> = all[0].event_ids.iter().map(|(_, id)| id.as_str()).collect();
    assert_eq!(ids, ["e1", "e2", "e3", "e9"]);
    assert_eq!(with(&[used(661, "bob")]), [], "a second too late");
    assert_eq!(with(&[used(59, "bob")]), [], "before the burst was one");
    assert_eq!(with(&[used(100, "eve")]), []);
    // a burst is of one address
    let apart = changed(by(60, "a", "e3", "bob"), json!({ "sourceIPAddress": "192.0.2.8" }));
    assert_eq!(found(&yaml, &[burst[0].clone(), burst[1].clone(), apart, used(100, "bob")]), []);
}

#[test]
fn values_that_correlations_group_by_are_counted() {
    let yaml = nested(
        ("event_count", "rules: [a]\ncondition: {gte: 2}"),
        ("value_count", "rules: [inner]\ncondition: {gte: 2, field: requestParameters.userName}"),
        (60, 600),
        ("sourceIPAddress, requestParameters.userName", &["sourceIPAddress"]),
    );
    let tried = |second: i64, user: &str| {
        call(second, "a", &format!("e{second}"), json!({ "requestParameters": { "userName": user } }))
    };
    let both = [tried(0, "bob"), tried(1, "bob"), tried(600, "eve"), tried(601, "eve")];
    assert_eq!(found(&yaml, &both).len(), 1, "twice each, and two of them");
    assert_eq!(found(&yaml, &both[..3]), []);
    assert_eq!(found(&yaml, &[tried(0, "bob"), tried(1, "bob"), tried(601, "eve"), tried(602, "eve")]), []);
}

#[test]
fn a_correlation_is_gated_by_what_its_rules_need() {
    let rule = rule(&correlation("temporal", "10m", "rules: [a, b, c]\ngroup-by: [userIdentity.arn]"));
    assert!(detector([rule]).gates().all(|(_, columns)| !columns.is_empty()));
}

/// Who fired, by the values of the fields that are grouped by.
type Who = BTreeMap<String, String>;

fn who(finding: &Finding, group_by: &[&str]) -> Who {
    let key = finding.evidence.iter().filter(|(name, _)| group_by.contains(&name.as_str()));
    key.cloned().collect()
}

/// For each event of a stream, in order of time: its second, and whom rsigma-eval fires for then.
fn oracle(yaml: &str, events: &[(i64, Value)]) -> Vec<(i64, Option<Who>)> {
    let collection = rsigma_parser::parse_sigma_yaml(yaml).unwrap();
    let condition = &collection.correlations[0].condition;
    let is_percentile = yaml.contains("value_percentile");
    let mut engine = engine(&collection);
    let mut of = |event: &Value| {
        let results = engine.process_event(&JsonEvent::borrow(event));
        let own = results.iter().filter(|result| result.header.rule_title == "Many");
        let found = own.filter_map(|result| result.as_correlation()).next()?;
        let holds = !is_percentile || is_met(condition, found.aggregated_value);
        holds.then(|| found.group_key.iter().cloned().collect())
    };
    events.iter().map(|(second, event)| (*second, of(event))).collect()
}

fn engine(collection: &SigmaCollection) -> CorrelationEngine {
    let mut engine = CorrelationEngine::new(CorrelationConfig::default());
    engine.add_collection(collection).unwrap_or_else(|error| panic!("{error}"));
    engine
}

fn is_met(condition: &CorrelationCondition, value: f64) -> bool {
    let CorrelationCondition::Threshold { predicates, .. } = condition else { panic!("a number is compared") };
    predicates.iter().all(|(operator, number)| match (operator, *number as f64) {
        (ConditionOperator::Lt, number) => value < number,
        (ConditionOperator::Lte, number) => value <= number,
        (ConditionOperator::Gt, number) => value > number,
        (ConditionOperator::Gte, number) => value >= number,
        (ConditionOperator::Eq, number) => value == number,
        (ConditionOperator::Neq, number) => value != number,
    })
}

fn cases() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").map_or(48, |cases| cases.parse().expect("PROPTEST_CASES is a number"));
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Events over four timespans, in order of time.
fn stream(timespan: i64) -> impl Strategy<Value = Vec<(i64, Value)>> {
    let one = (0..timespan * 4, select(&["a", "b", "c", "d"][..]), 0..3usize, 0..4i64, any::<bool>());
    prop::collection::vec(one, 1..24).prop_map(|mut all| {
        all.sort_by_key(|(second, ..)| *second);
        let event = |(index, (second, name, who, number, has_user)): (usize, (i64, &str, usize, i64, bool))| {
            let user = has_user.then(|| json!({ "userName": format!("user{who}") }));
            let changes = json!({
                "sourceIPAddress": format!("192.0.2.{who}"), "awsRegion": format!("region-{}", who % 2),
                "userIdentity": user, "requestParameters": { "n": number, "name": format!("user{who}") },
            });
            (second, call(second, name, &format!("event-{index:03}"), changes))
        };
        all.into_iter().enumerate().map(event).collect()
    })
}

/// Fields to group by, and the lines that say so.
const GROUPS: [(&[&str], &str); 4] = [
    (&["sourceIPAddress"], "group-by: [sourceIPAddress]"),
    (&["userIdentity.userName", "awsRegion"], "group-by: [userIdentity.userName, awsRegion]"),
    (&["requestParameters.name"], "group-by: [requestParameters.name]"),
    (
        &["user"],
        "group-by: [user]\naliases:\n    user:\n        a: requestParameters.name\n        b: userIdentity.userName\n        c: requestParameters.name",
    ),
];

/// Types with conditions that more rows cannot make false.
const GROWING: [(&str, &str); 13] = [
    ("event_count", "rules: [a]\ncondition: {gte: 2}"),
    ("event_count", "rules: [a, id-b]\ncondition: {gt: 2}"),
    ("event_count", "rules: [c, b, a]\ncondition: {gte: 3, gt: 1}"),
    ("value_count", "rules: [a, b]\ncondition: {gte: 2, field: requestParameters.n}"),
    ("value_count", "rules: [a, b, c]\ncondition: {gt: 1, field: [awsRegion, eventName]}"),
    ("value_sum", "rules: [a, b]\ncondition: {gte: 5, field: requestParameters.n}"),
    ("temporal", "rules: [a, b]\ncondition: {gte: 2}"),
    ("temporal", "rules: [a, b, c]\ncondition: {gte: 2}"),
    ("temporal", "rules: [a, b, c]\ncondition: a and (b or c)"),
    ("temporal_ordered", "rules: [a, b]"),
    ("temporal_ordered", "rules: [b, a]\ncondition: a and b"),
    ("temporal_ordered", "rules: [a, b, c]"),
    ("temporal_ordered", "rules: [c, a, b]"),
];

/// Types with conditions that more rows can make false, and `window: tumbling`.
const OTHERS: [(&str, &str); 12] = [
    ("event_count", "rules: [a, b]\ncondition: {lt: 3}"),
    ("event_count", "rules: [a, b]\ncondition: {eq: 2}"),
    ("event_count", "rules: [a, b]\ncondition: {neq: 2}"),
    ("value_count", "rules: [a, b, c]\ncondition: {gte: 2, lte: 2, field: requestParameters.n}"),
    ("value_avg", "rules: [a, b]\ncondition: {gte: 2, field: requestParameters.n}"),
    ("value_median", "rules: [a, b]\ncondition: {gte: 2, field: requestParameters.n}"),
    ("value_percentile", "rules: [a, b, c]\ncondition: {gt: 1, percentile: 90, field: requestParameters.n}"),
    ("value_percentile", "rules: [b, c]\ncondition: {lte: 1, neq: 0, field: requestParameters.n}"),
    (
        "value_percentile",
        "window: tumbling\nrules: [a, b]\ncondition: {lt: 3, percentile: 100, field: requestParameters.n}",
    ),
    ("temporal", "rules: [a, b]\ncondition: a and not b"),
    ("event_count", "window: tumbling\nrules: [a, b]\ncondition: {gte: 2}"),
    ("temporal_ordered", "window: tumbling\nrules: [a, b]"),
];

/// Timespans in seconds, with the longest that rows within one of our windows are apart.
const TIMESPANS: [(i64, i64); 6] = [(1, 1), (12, 12), (60, 64), (61, 71), (300, 324), (3600, 3899)];

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn nothing_within_a_timespan_is_missed_and_what_else_fires_lies_within_a_window(
        (kind, rest) in select(&GROWING[..]),
        (group_by, group) in select(&GROUPS[..]),
        ((timespan, longest), events) in select(&TIMESPANS[..]).prop_flat_map(|spans| (Just(spans), stream(spans.0))),
    ) {
        let yaml = |seconds: i64| grouped(kind, seconds, rest, group);
        let ours: Vec<Value> = events.iter().map(|(_, event)| event.clone()).collect();
        let ours: BTreeSet<Who> = found(&yaml(timespan), &ours).iter().map(|finding| who(finding, group_by)).collect();
        let within = |seconds| oracle(&yaml(seconds), &events).into_iter().filter_map(|(_, who)| who).collect::<BTreeSet<_>>();
        prop_assert!(within(timespan).is_subset(&ours), "missed: {:?} {:?}", within(timespan), ours);
        prop_assert!(ours.is_subset(&within(longest)), "too many: {:?} {:?}", ours, within(longest));
    }

    #[test]
    fn periods_are_those_that_hold_at_their_last_event(
        (kind, rest) in select(&OTHERS[..]),
        (group_by, group) in select(&GROUPS[..]),
        (timespan, events) in select(&[60i64, 300][..]).prop_flat_map(|span| (Just(span), stream(span))),
    ) {
        let yaml = grouped(kind, timespan, rest, group);
        let periods = match rest.starts_with("window") {
            true => yaml.clone(),
            false => yaml.replace("    timespan", "    window: tumbling\n    timespan"),
        };
        // the last word on each period
        let mut expected = BTreeMap::new();
        for ((second, event), (_, said)) in events.iter().zip(oracle(&periods, &events)) {
            let key: Who = key_of(event, group_by);
            let is_step = ["a", "b", "c"].iter().any(|name| rest.lines().any(|line| {
                line.starts_with("rules:") && line.contains(name) && event["eventName"] == **name
            }));
            if is_step {
                expected.insert((key, (NOON + second).div_euclid(timespan)), said.is_some());
            }
        }
        let expected: BTreeSet<_> = expected.into_iter().filter(|(_, holds)| *holds).map(|(place, _)| place).collect();
        let mut rule = rule(&yaml);
        rule.dedupe_micros = timespan * MICROS_PER_SECOND;
        let mut detector = detector([rule]);
        let ours: Vec<Value> = events.iter().map(|(_, event)| event.clone()).collect();
        let mut told = detector.observe(&[batch(&ours)], Timestamp(0));
        told.extend(detector.finish());
        let period = |finding: &Finding| finding.window.unwrap().0.0.div_euclid(timespan * MICROS_PER_SECOND);
        let ours: BTreeSet<_> = told.iter().map(|finding| (who(finding, group_by), period(finding))).collect();
        prop_assert_eq!(ours, expected, "{}", yaml);
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_a_session_has_together_is_found_and_nothing_that_lies_further_apart(
        (kind, rest) in select(GROWING.iter().copied().filter(|(kind, _)| *kind != "value_sum").collect::<Vec<_>>()),
        (group_by, group) in select(&GROUPS[..]),
        gap in select(&[1i64, 7, 20][..]),
        (timespan, events) in select(&[12i64, 40, 4000][..]).prop_flat_map(|span| (Just(span), stream(span.min(40)))),
    ) {
        let events = one_a_second(events);
        let sliding = grouped(kind, timespan, rest, group);
        let sessions = sliding.replace("    timespan", &format!("    window: session\n    gap: {gap}s\n    timespan"));
        let theirs = |yaml: &str| oracle(yaml, &events).into_iter().filter_map(|(_, who)| who).collect::<BTreeSet<_>>();
        let ours: Vec<Value> = events.iter().map(|(_, event)| event.clone()).collect();
        let ours: BTreeSet<Who> = found(&sessions, &ours).iter().map(|finding| who(finding, group_by)).collect();
        prop_assert!(theirs(&sessions).is_subset(&ours), "missed: {:?} {:?} {}", theirs(&sessions), ours, sessions);
        prop_assert!(ours.is_subset(&theirs(&sliding)), "too many: {:?} {}", ours, sessions);
        // no session is longer than that
        if timespan == 4000 {
            prop_assert_eq!(theirs(&sessions), ours, "{}", sessions);
        }
    }
}

/// Correlations that another names.
const INNER: [(&str, &str); 6] = [
    ("event_count", "rules: [a]\ncondition: {gte: 2}"),
    ("event_count", "rules: [a, b]\ncondition: {gt: 2}"),
    ("value_count", "rules: [a, b]\ncondition: {gte: 2, field: requestParameters.n}"),
    ("temporal", "rules: [a, b]\ncondition: {gte: 2}"),
    ("temporal", "rules: [a, b, c]\ncondition: a and (b or c)"),
    ("temporal_ordered", "window: tumbling\nrules: [b, a]"),
];

/// Correlations that name one, or one that names one.
const OUTER: [(&str, &str); 7] = [
    ("event_count", "rules: [inner]\ncondition: {gte: 2}"),
    ("event_count", "window: tumbling\nrules: [c, id-inner]\ncondition: {gt: 2}"),
    ("temporal", "rules: [inner, c]\ncondition: {gte: 2}"),
    ("temporal", "rules: [inner, b, c]\ncondition: inner and (b or c)"),
    ("temporal_ordered", "rules: [inner, c]"),
    ("temporal_ordered", "rules: [c, inner, b]"),
    ("temporal_ordered", "rules: [middle, c]"),
];

/// What the inner ones group by, and what the outermost does.
const GROUPS_OF_BOTH: [(&str, &[&str]); 4] = [
    ("sourceIPAddress", &["sourceIPAddress"]),
    ("sourceIPAddress, requestParameters.name, awsRegion", &["requestParameters.name", "awsRegion"]),
    ("userIdentity.userName, awsRegion", &["awsRegion"]),
    ("awsRegion, requestParameters.n", &[]),
];

/// A correlation of correlations, with how long each is.
fn nested(inner: (&str, &str), outer: (&str, &str), spans: (i64, i64), groups: (&str, &[&str])) -> String {
    let document = |title: &str, names: &str, kind: &str, span: i64, rest: &str| {
        let rest: String = rest.lines().map(|line| format!("    {line}\n")).collect();
        format!("title: {title}\n{names}correlation:\n    type: {kind}\n    timespan: {span}s\n{rest}")
    };
    let of_inner = format!("{}\ngroup-by: [{}]", inner.1, groups.0);
    let of_middle = format!("rules: [inner]\ngroup-by: [{}]\ncondition: {{gte: 2}}", groups.0);
    // the outermost drops whether its direct rules have all of the fields
    let of_outer = format!("{}\ngroup-by: [{}]", outer.1, groups.1.join(", "));
    [
        rules(),
        document("Inner", "id: id-inner\nname: inner\n", inner.0, spans.0, &of_inner),
        "---\n".to_owned(),
        document("Middle", "id: id-middle\nname: middle\n", "event_count", spans.0, &of_middle),
        "---\n".to_owned(),
        document("Many", "id: id-many\n", outer.0, spans.1, &of_outer),
    ]
    .concat()
}

/// No two at one time: rsigma-eval goes by which of them comes first.
fn one_a_second(mut events: Vec<(i64, Value)>) -> Vec<(i64, Value)> {
    events.dedup_by_key(|(second, _)| *second);
    events
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn correlations_of_correlations_match_to_the_second(
        inner in select(&INNER[..]),
        outer in select(&OUTER[..]),
        groups in select(&GROUPS_OF_BOTH[..]),
        (spans, events) in select(&[(4i64, 9i64), (60, 60), (300, 61), (600, 3600)][..])
            .prop_flat_map(|spans| (Just(spans), stream(spans.0.max(spans.1) / 2))),
    ) {
        let yaml = nested(inner, outer, spans, groups);
        let theirs = |events: &[(i64, Value)]| oracle(&yaml, events).into_iter().filter_map(|(_, who)| who).collect::<BTreeSet<_>>();
        let ours = |events: &[(i64, Value)]| {
            let events: Vec<Value> = events.iter().map(|(_, event)| event.clone()).collect();
            found(&yaml, &events).iter().map(|finding| who(finding, groups.1)).collect::<BTreeSet<_>>()
        };
        let apart = one_a_second(events.clone());
        prop_assert_eq!(ours(&apart), theirs(&apart), "{}", yaml);
        let (ours, theirs) = (ours(&events), theirs(&events));
        prop_assert!(theirs.is_subset(&ours), "missed: {:?} {:?} {}", theirs, ours, yaml);
    }

    #[test]
    fn stream_equals_batch_of_correlations_of_correlations(
        inner in select(&INNER[..]),
        outer in select(&OUTER[..]),
        groups in select(&GROUPS_OF_BOTH[..]),
        spans in select(&[(4i64, 9i64), (60, 60), (300, 61)][..]),
        (events, order) in stream(300).prop_flat_map(|events| {
            let order: Vec<usize> = (0..events.len()).collect();
            (Just(events), Just(order).prop_shuffle())
        }),
        cuts in prop::collection::vec((1usize..9, any::<bool>()), 24),
    ) {
        let rule = rule(&nested(inner, outer, spans, groups));
        let all: Vec<Value> = events.iter().map(|(_, event)| event.clone()).collect();
        let names = groups.1.iter().map(|name| (*name).to_owned());
        let key = |row: Vec<Option<String>>| names.clone().zip(row).filter_map(|(name, value)| Some((name, value?))).collect();
        let expected: BTreeSet<Who> = analyst(&rule.text, &batch(&all)).into_iter().map(key).collect();
        let (mut stream, mut state) = (detector([rule.clone()]), Parts::default());
        let (mut told, mut left) = (Vec::new(), order.as_slice());
        for (size, restart) in cuts {
            let (these, rest) = left.split_at(size.min(left.len()));
            left = rest;
            let these: Vec<Value> = these.iter().map(|place| all[*place].clone()).collect();
            if !these.is_empty() {
                told.extend(stream.observe(&[batch(&these)], Timestamp(0)));
            }
            state.take(stream.changes());
            if restart {
                stream = detector([rule.clone()]);
                prop_assert!(stream.restore(&state).is_whole());
            }
        }
        told.extend(stream.finish());
        let told: BTreeSet<Who> = told.iter().map(|finding| who(finding, groups.1)).collect();
        prop_assert_eq!(told, expected, "{}", rule.text);
    }

    #[test]
    fn a_percentile_is_the_number_that_rsigma_eval_tells(
        percentile in prop::option::of(0u64..=100),
        kind in select(&["value_percentile", "value_median"][..]),
        numbers in prop::collection::vec(
            prop_oneof![
                (-9i64..9).prop_map(|n| json!(n)),
                any::<i32>().prop_map(|n| json!(n)),
                (-99i64..99).prop_map(|n| json!(n as f64 / 4.0)),
                select(&["7", "-2.5", "1e3", "", "x", "NaN", "inf"][..]).prop_map(|text| json!(text)),
                Just(Value::Null),
            ],
            1..30,
        ),
    ) {
        let asked = percentile.map(|percentile| format!(", percentile: {percentile}")).unwrap_or_default();
        let condition = format!("rules: [a]\ncondition: {{neq: 123456789{asked}, field: requestParameters.n}}");
        let yaml = correlation(kind, "1h", &condition).replace("    timespan", "    window: tumbling\n    timespan");
        let event = |(second, n): (usize, &Value)| {
            call(second as i64, "a", &format!("e{second}"), json!({ "requestParameters": { "n": n } }))
        };
        let events: Vec<Value> = numbers.iter().enumerate().map(event).collect();
        let mut engine = engine(&rsigma_parser::parse_sigma_yaml(&yaml).unwrap());
        let mut last = None;
        for event in &events {
            let results = engine.process_event(&JsonEvent::borrow(event));
            last = results.iter().find_map(|result| Some(result.as_correlation()?.aggregated_value));
        }
        let shown = |finding: &Finding| {
            let column = kind.strip_prefix("value_").unwrap();
            let (_, value) = finding.evidence.iter().find(|(name, _)| name == column).unwrap();
            value.parse::<f64>().unwrap()
        };
        prop_assert_eq!(found(&yaml, &events).first().map(shown), last, "{}", yaml);
    }
}

/// The values that an event is grouped by.
fn key_of(event: &Value, group_by: &[&str]) -> Who {
    let field = |name: &str| match (name, event["eventName"].as_str()) {
        ("user", Some("b")) => "userIdentity.userName".to_owned(),
        ("user", _) => "requestParameters.name".to_owned(),
        (name, _) => name.to_owned(),
    };
    let value = |name: &str| field(name).split('.').fold(event, |value, key| &value[key]).as_str().map(str::to_owned);
    group_by.iter().filter_map(|name| Some(((*name).to_owned(), value(name)?))).collect()
}
