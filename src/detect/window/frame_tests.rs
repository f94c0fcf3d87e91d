//! Rules over sliding frames: what they say, and that it is what DataFusion says of all rows at once.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{MINUTE, NOON, analyst, call, cases, folded, refused, some_calls};
use crate::detect::tests::{batch, detector, rule};
use crate::detect::{Detector, Parts};
use crate::finding::Finding;
use crate::memory::{Memory, Size};
use crate::rule::{Rule, Severity};
use crate::time::{MICROS_PER_HOUR, Timestamp};

/// Calls of one principal within ten minutes, counted at each.
fn burst(header: &str, condition: &str) -> Rule {
    rule(
        header,
        &format!(
            "SELECT userIdentity.arn AS who, eventTime AS at, eventName AS last, calls, names FROM \
             (SELECT *, count(*) OVER ten AS calls, sample(eventName) OVER ten AS names, \
               count(*) FILTER (WHERE eventName = 'Create') OVER ten AS made \
              FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com' \
              WINDOW ten AS (PARTITION BY userIdentity.arn ORDER BY eventTime \
                             RANGE BETWEEN INTERVAL '10 minutes' PRECEDING AND CURRENT ROW)) WHERE {condition}"
        ),
    )
}

fn at(minute: i64) -> Timestamp {
    Timestamp(NOON.0 + minute * MINUTE)
}

/// Calls at these minutes, each with a name.
fn calls(all: &[(i64, &str)]) -> Vec<Value> {
    let one = |(minute, name): &(i64, &str)| call(*minute, &format!("{name}-{minute}"), json!({ "eventName": name }));
    all.iter().map(one).collect()
}

fn shown<'a>(finding: &'a Finding, name: &str) -> Option<&'a str> {
    finding.evidence.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[test]
fn a_burst_is_one_finding_wherever_it_falls_and_shows_the_frame_with_most_rows() {
    let mut detector = detector([burst("", "calls >= 3")]);
    // three calls, but never within ten minutes
    assert_eq!(detector.observe(&[batch(&calls(&[(1, "A"), (12, "B"), (16, "C")]))], NOON), []);
    // it makes three of 6 to 16, and of 12 to 22 too: the earlier is shown
    let found = detector.observe(&[batch(&calls(&[(6, "D"), (22, "E")]))], NOON);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].count, found[0].window), (3, Some((at(6), at(16)))));
    assert_eq!((found[0].first_seen, found[0].last_seen), (at(6), at(16)));
    assert_eq!((shown(&found[0], "calls"), shown(&found[0], "last")), (Some("3"), Some("C")));
    assert_eq!(shown(&found[0], "names"), Some(r#"["B","C","D"]"#));
    // a late row adds to the frames of rows that came before it
    let again = detector.observe(&[batch(&calls(&[(13, "F")]))], NOON);
    assert_eq!((again[0].id, again[0].count, again[0].window), (found[0].id, 4, Some((at(6), at(16)))));
}

#[test]
fn rows_at_one_time_are_peers_and_a_condition_may_ask_the_row_itself() {
    let mut detector = detector([burst("", "calls >= 3 AND eventName = 'Delete'")]);
    // three creations and no deletion; then a deletion at the time of the last, which is a peer of it
    assert_eq!(detector.observe(&[batch(&calls(&[(1, "Create"), (2, "Create"), (9, "Create")]))], NOON), []);
    let found = detector.observe(&[batch(&calls(&[(9, "Delete")]))], NOON);
    assert_eq!((found[0].count, shown(&found[0], "last")), (4, Some("Delete")));
    // as far back as the frame is in it
    let found = detector.observe(&[batch(&calls(&[(19, "Delete")]))], NOON);
    assert_eq!((found[0].count, found[0].window), (3, Some((at(9), at(19)))));
}

#[test]
fn the_gravest_frame_is_shown_however_many_rows_come_behind_it() {
    let sql = "SELECT eventName AS last, calls, CASE WHEN eventName = 'Evil' THEN 'high' ELSE 'low' END AS severity FROM \
               (SELECT *, count(*) OVER (PARTITION BY userIdentity.arn ORDER BY eventTime \
                                         RANGE BETWEEN INTERVAL '10 minutes' PRECEDING AND CURRENT ROW) AS calls \
                FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com') WHERE calls >= 3";
    let mut events = calls(&[(1, "A"), (2, "B"), (3, "Evil"), (4, "C"), (5, "D")]);
    for size in [1, 2, 5] {
        for _ in 0..events.len() {
            events.rotate_left(1);
            let (mut detector, mut found) = (detector([rule("", sql)]), BTreeMap::new());
            for some in events.chunks(size) {
                folded(&mut found, detector.observe(&[batch(some)], NOON));
            }
            let [one] = &found.into_values().collect::<Vec<_>>()[..] else { panic!("one finding") };
            assert_eq!((one.severity, one.count, shown(one, "last")), (Severity::High, 3, Some("Evil")));
            assert_eq!((one.last_seen, one.is_of_frame()), (at(3), true));
        }
    }
}

#[test]
fn of_many_frames_of_a_rule_that_grades_them_one_is_told() {
    let sql = "SELECT eventName AS last, CASE WHEN eventName = 'Evil' THEN 'high' ELSE eventName END AS severity FROM \
               (SELECT *, count(*) OVER (PARTITION BY userIdentity.arn ORDER BY eventTime \
                                         RANGE BETWEEN INTERVAL '10 minutes' PRECEDING AND CURRENT ROW) AS calls \
                FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com') WHERE calls >= 3";
    let mut detector = detector([rule("", sql)]);
    let all: Vec<(i64, &str)> = (0..9).map(|minute| (minute, "A")).collect();
    // `A` is no severity: the rule's own stands
    assert_eq!(detector.observe(&[batch(&calls(&all))], NOON).len(), 1);
    assert_eq!(detector.costs()["cloudtrail/x"].ungraded, 1, "of seven frames that hold");
    let found = detector.observe(&[batch(&calls(&[(9, "Evil"), (10, "A"), (11, "A")]))], NOON);
    assert_eq!((found.len(), found[0].severity, shown(&found[0], "last")), (1, Severity::High, Some("Evil")));
    assert_eq!(detector.costs()["cloudtrail/x"].ungraded, 1);
}

#[test]
fn a_finding_names_the_rows_that_its_frame_ends_with_and_before_them_the_earliest() {
    let before = (0..14).map(|n| call(n / 2, &format!("c{n:02}"), json!({ "eventName": "Create" })));
    let deletes = |number: i64| (0..number).map(|n| call(9, &format!("d{n}"), json!({ "eventName": "Delete" })));
    let named = |number: i64| -> Vec<String> {
        let mut detector = detector([burst("", "calls >= 3 AND eventName = 'Delete'")]);
        let all: Vec<Value> = before.clone().chain(deletes(number)).collect();
        let found = detector.observe(&[batch(&all)], NOON).remove(0);
        assert_eq!((found.first_seen, found.last_seen, found.count), (at(0), at(9), 14 + number as u64));
        found.event_ids.into_iter().map(|(_, id)| id).collect()
    };
    assert_eq!(named(1), ["c00", "c01", "c02", "c03", "c04", "c05", "c06", "c07", "c08", "d0"]);
    assert_eq!(named(7), ["c00", "c01", "c02", "c03", "c04", "d0", "d1", "d2", "d3", "d4"]);
}

#[test]
fn a_condition_that_may_become_false_waits_until_the_row_s_time_is_over() {
    let orphan = || burst("-- lateness = \"15m\"\n", "eventName = 'Delete' AND made = 0");
    let run = |events: &[(i64, &str)]| {
        let mut detector = detector([orphan()]);
        detector.follow(true);
        assert_eq!(detector.observe(&[batch(&calls(events))], at(3)), []);
        // the row is in the pane of 37.5 seconds that ends 7.5 seconds after 12:03
        assert_eq!(detector.observe(&[], at(18)), []);
        let found = detector.observe(&[], at(19));
        assert_eq!(detector.observe(&[batch(&calls(&[(2, "Create")]))], at(20)), []);
        assert_eq!(detector.costs()["cloudtrail/x"].late, 1, "it would have taken back what was told");
        found
    };
    assert_eq!(run(&[(3, "Delete")]).len(), 1);
    assert_eq!(run(&[(3, "Delete"), (1, "Create")]), []);
    // of rows that come after a pane was told of, those before them are still known
    let mut detector = detector([orphan()]);
    detector.follow(true);
    detector.observe(&[batch(&calls(&[(3, "Create")]))], at(5));
    detector.observe(&[], at(20));
    detector.observe(&[batch(&calls(&[(12, "Delete"), (14, "Delete")]))], at(21));
    let found = detector.observe(&[], at(40));
    assert_eq!(found.iter().map(|finding| finding.last_seen).collect::<Vec<_>>(), [at(14)]);
}

#[test]
fn frames_stay_within_their_bytes_and_what_leaves_is_counted() {
    let mut detector = detector([burst("", "calls >= 3")]);
    detector.keep_to(Memory::of_limit(Size(Memory::FLOOR)).unwrap());
    for round in 0..6 {
        let flood = (0..1_500).map(|n| {
            let arn = format!("arn:aws:iam::111122223333:user/{round}-{n}-{}", "x".repeat(100));
            call(0, &format!("{round}-{n}"), json!({ "userIdentity": { "arn": arn } }))
        });
        detector.observe(&[batch(&flood.collect::<Vec<_>>())], NOON);
    }
    assert!(detector.costs()["cloudtrail/x"].shed > 0);
    let bytes: usize = detector.window_bytes().map(|(_, bytes)| bytes).sum();
    let max = detector.state_bytes_max()[0];
    assert!(bytes <= max && bytes > max / 4, "{bytes}");
    let mut copy = self::detector([burst("", "calls >= 3")]);
    assert!(copy.restore(&detector.changes()).is_whole());
    assert_eq!(copy.window_bytes().map(|(_, bytes)| bytes).sum::<usize>(), bytes, "what is read back is counted alike");
}

#[test]
fn a_moment_that_shrinks_is_counted_as_it_is() {
    let mut detector = detector([burst("", "calls >= 9")]);
    let of = |id: &str, address: &str| call(0, id, json!({ "sourceIPAddress": address }));
    detector.observe(&[batch(&[of("a", &"x".repeat(200)), of("b", &"y".repeat(200))])], NOON);
    let bytes = |detector: &Detector| detector.window_bytes().map(|(_, bytes)| bytes).sum::<usize>();
    let before = bytes(&detector);
    // of several addresses the smallest is kept, which is a short one now
    detector.observe(&[batch(&[of("c", "1")])], NOON);
    assert!(bytes(&detector) < before, "{} of {before}", bytes(&detector));
    let mut copy = self::detector([burst("", "calls >= 9")]);
    assert!(copy.restore(&detector.changes()).is_whole());
    assert_eq!(bytes(&copy), bytes(&detector));
}

#[test]
fn old_frames_leave_a_stream_that_goes_on() {
    let mut detector = detector([burst("-- lateness = \"1h\"\n", "calls >= 3")]);
    detector.follow(true);
    let mut sizes = Vec::new();
    for minute in 0..300 {
        let (size, now) = (300 - minute, at(minute));
        detector.observe(&[batch(&calls(&[(minute, "A"), (minute, if size % 2 == 0 { "B" } else { "C" })]))], now);
        sizes.push(detector.window_bytes().map(|(_, bytes)| bytes).sum::<usize>());
    }
    assert!(sizes[60] > sizes[30] && sizes[299] <= sizes[80] + 500, "{sizes:?}");
}

#[test]
fn what_a_frame_cannot_be_is_said() {
    let over = |call: &str, over: &str, condition: &str| {
        refused(&format!(
            "SELECT n FROM (SELECT *, {call} OVER ({over}) AS n FROM cloudtrail WHERE true) WHERE {condition}"
        ))
    };
    let ten = "PARTITION BY account ORDER BY eventTime RANGE BETWEEN INTERVAL '10 minutes' PRECEDING AND CURRENT ROW";
    for (call, frame, expected) in [
        ("count(*)", "PARTITION BY account ORDER BY eventTime", "a constant length of time up to the row"),
        ("count(*)", "PARTITION BY account", "a frame is ordered by time"),
        (
            "count(*)",
            "ORDER BY eventTime ROWS BETWEEN 5 PRECEDING AND CURRENT ROW",
            "a constant length of time up to the row",
        ),
        (
            "count(*)",
            "ORDER BY eventTime DESC RANGE BETWEEN INTERVAL '10 minutes' PRECEDING AND CURRENT ROW",
            "without DESC",
        ),
        ("count(*)", "ORDER BY eventTime RANGE BETWEEN INTERVAL '30 days' PRECEDING AND CURRENT ROW", "at most 7 days"),
        ("row_number()", ten, "`row_number` over a frame; there are aggregates"),
        (
            "count(*)",
            "ORDER BY eventTime + INTERVAL '1 hour' RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND CURRENT ROW",
            "go by the time of its table",
        ),
    ] {
        let said = over(call, frame, "n > 1");
        assert!(said.contains(expected), "{frame}: {said}");
    }
    let said = over("count(*)", ten, "n > 1 AND resources IS NOT NULL AND evntName = 'x'");
    assert!(said.contains("did you mean `eventname`?"), "{said}");
    let two = refused(
        "SELECT a FROM (SELECT count(*) OVER (ORDER BY eventTime RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND CURRENT ROW) AS a, \
         count(*) OVER (ORDER BY eventTime RANGE BETWEEN INTERVAL '2 hours' PRECEDING AND CURRENT ROW) AS b \
         FROM cloudtrail WHERE true) WHERE a > 2 AND b > 4",
    );
    assert!(two.contains("a rule has one frame"), "{two}");
}

/// A query over frames in the parts that rule and oracle share.
#[derive(Clone, Debug)]
struct Query {
    keys: Vec<&'static str>,
    /// In minutes.
    back: i64,
    condition: &'static str,
    outer: String,
    /// Of `dedupe`, in minutes.
    period: i64,
}

const AGGREGATES: [&str; 12] = [
    "count(*)",
    "count(errorCode)",
    "count(DISTINCT eventName)",
    "min(eventTime)",
    "max(sourceIPAddress)",
    "sum(json_get_int(requestParameters, 'n'))",
    "avg(json_get_int(requestParameters, 'n'))",
    "sample(eventName)",
    "count(*) FILTER (WHERE errorCode IS NULL)",
    "in_order(eventTime, eventName = 'B', errorCode IS NULL, eventName = 'C')",
    "regularity(eventTime)",
    "approx_percentile(json_get_int(requestParameters, 'n'), 0.75)",
];

impl Query {
    fn rule(&self) -> Rule {
        let Query { back, condition, outer, period, .. } = self;
        let by = if self.keys.is_empty() { String::new() } else { format!("PARTITION BY {} ", self.keys.join(", ")) };
        let shown: String = (0..AGGREGATES.len()).map(|place| format!(", a{place}")).collect();
        let named: String = self.keys.iter().enumerate().map(|(place, key)| format!("{key} AS k{place}, ")).collect();
        let calls: String =
            AGGREGATES.iter().enumerate().map(|(place, call)| format!(", {call} OVER w AS a{place}")).collect();
        let sql = format!(
            "SELECT {named}eventTime AS at{shown} FROM (SELECT *{calls} FROM cloudtrail WHERE {condition} WINDOW w AS \
             ({by}ORDER BY eventTime RANGE BETWEEN INTERVAL '{back} minutes' PRECEDING AND CURRENT ROW)) AS f WHERE {outer}"
        );
        rule(&format!("-- dedupe = \"{period}m\"\n-- aws_services = true\n"), &sql)
    }

    /// What DataFusion says of all rows at once; of the frames of a key in a period the one with most rows, and of those
    /// the earliest.
    fn expected(&self, calls: &[Value]) -> Vec<Vec<Option<String>>> {
        let keys = self.keys.len();
        let mut bursts: BTreeMap<_, Vec<Option<String>>> = BTreeMap::new();
        for row in analyst(&self.rule().text, &batch(calls)) {
            let time = Timestamp::parse(row[keys].as_deref().unwrap()).unwrap().0;
            let rows = |row: &[Option<String>]| row[keys + 1].as_deref().unwrap().parse::<u64>().unwrap();
            let burst = bursts.entry((row[..keys].to_vec(), time.div_euclid(self.period * MINUTE)));
            let known = burst.or_insert_with(|| row.clone());
            // rows come in the order of their time
            if rows(&row) > rows(known) {
                *known = row;
            }
        }
        let mut all: Vec<_> = bursts.into_values().collect();
        all.sort();
        all
    }

    /// Findings of the rule as rows of its oracle.
    fn told<'a>(&self, found: impl Iterator<Item = &'a Finding>) -> Vec<Vec<Option<String>>> {
        let names: Vec<String> = (0..self.keys.len())
            .map(|place| format!("k{place}"))
            .chain(["at".to_owned()])
            .chain((0..AGGREGATES.len()).map(|place| format!("a{place}")))
            .collect();
        let mut told: Vec<Vec<Option<String>>> = found
            .map(|finding| {
                assert_eq!(shown(finding, "a0"), Some(finding.count.to_string().as_str()));
                names.iter().map(|name| shown(finding, name).map(str::to_owned)).collect()
            })
            .collect();
        told.sort();
        told
    }
}

fn some_query() -> impl Strategy<Value = Query> {
    let keys = prop::sample::subsequence(
        vec!["userIdentity.arn", "awsRegion", "sourceIPAddress", "readOnly", "requestParameters ->> 'n'"],
        0..3,
    );
    let lengths = (prop::sample::select(vec![7, 10, 60]), prop::sample::select(vec![1, 45, 1440]));
    let condition = prop::sample::select(vec!["true", "eventName <> 'A'", "errorCode IS NULL OR readOnly"]);
    let outer = prop::sample::select(vec![
        "a0 >= 3",
        "a0 > 1 AND a2 > 1",
        "a1 > 2 OR a2 >= 2",
        "a0 = 2",
        "a0 - a1 < 2",
        "eventName = 'A'",
        "eventName = 'B' AND a8 > 1",
        "readOnly IS NOT TRUE AND f.a5 > 2",
        "a6 >= 1.5",
        "a9",
        "a10 >= 0.5",
        "a11 > 0.5",
        "eventTime - a3 > INTERVAL '3 minutes'",
        "a4 <> sourceIPAddress",
        "awsRegion = 'us-east-1' AND a0 > 1",
    ]);
    (keys, lengths, condition, prop::collection::vec(outer, 1..3)).prop_map(
        |(keys, (back, period), condition, outer)| Query { keys, back, condition, outer: outer.join(" AND "), period },
    )
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn stream_equals_batch_over_frames(
        query in some_query(),
        (calls, order) in some_calls().prop_flat_map(|calls| {
            let order: Vec<usize> = (0..calls.len()).collect();
            (Just(calls), Just(order).prop_shuffle())
        }),
        cuts in prop::collection::vec((1usize..12, any::<bool>()), 50),
    ) {
        let mut stream = detector([query.rule()]);
        let (mut found, mut ids, mut left) = (BTreeMap::new(), BTreeSet::new(), order.as_slice());
        let mut state = Parts::default();
        for (size, restart) in cuts {
            if left.is_empty() {
                break;
            }
            let (these, rest) = left.split_at(size.min(left.len()));
            left = rest;
            let events: Vec<Value> = these.iter().map(|index| calls[*index].clone()).collect();
            let told = stream.observe(&[batch(&events)], NOON);
            ids.extend(told.iter().map(|finding| finding.id));
            folded(&mut found, told);
            state.take(stream.changes());
            if restart {
                stream = detector([query.rule()]);
                prop_assert!(stream.restore(&state).is_whole());
            }
        }
        folded(&mut found, stream.finish());
        prop_assert_eq!(query.told(found.values()), query.expected(&calls), "{:?}", query);
        prop_assert!(ids.iter().all(|id| found.contains_key(id)));
        let mut whole = detector([query.rule()]);
        let mut at_once = BTreeMap::new();
        folded(&mut at_once, whole.observe(&[batch(&calls)], NOON));
        folded(&mut at_once, whole.finish());
        prop_assert_eq!(at_once, found);
    }

    #[test]
    fn stream_equals_batch_over_frames_that_leave(
        query in some_query(),
        calls in some_calls(),
        delays in prop::collection::vec(0i64..15, 50),
        restarts in prop::collection::vec(any::<bool>(), 50),
    ) {
        let rule = || Rule { lateness_micros: Some(20 * MINUTE), ..query.rule() };
        let time = |call: &Value| Timestamp::parse(call["eventTime"].as_str().unwrap()).unwrap().0;
        let mut arriving: Vec<(i64, &Value)> =
            calls.iter().zip(&delays).map(|(call, delay)| (time(call) + delay * MINUTE, call)).collect();
        arriving.sort_by_key(|(at, _)| *at);
        let make = || -> Detector {
            let mut stream = detector([rule()]);
            stream.follow(true);
            stream
        };
        let (mut stream, mut found) = (make(), BTreeMap::new());
        let mut state = Parts::default();
        for ((at, call), restart) in arriving.into_iter().zip(restarts) {
            folded(&mut found, stream.observe(&[batch(std::slice::from_ref(call))], Timestamp(at)));
            state.take(stream.changes());
            if restart {
                stream = make();
                prop_assert!(stream.restore(&state).is_whole());
            }
        }
        // after a restart windows stay for a while
        for hours in [48, 49] {
            folded(&mut found, stream.observe(&[], Timestamp(NOON.0 + hours * MICROS_PER_HOUR)));
        }
        prop_assert_eq!(stream.costs()["cloudtrail/x"].late, 0);
        prop_assert_eq!(stream.window_bytes().map(|(_, bytes)| bytes).sum::<usize>(), 0);
        prop_assert_eq!(query.told(found.values()), query.expected(&calls), "{:?}", query);
    }
}
