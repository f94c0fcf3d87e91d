//! Partitions that are read at different speeds, restarts, and clocks that are wrong: no window is lost or told of by halves.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{MINUTE, NOON, analyst, call, cases, folded, some_calls, some_query};
use crate::detect::tests::{batch, detector, rule};
use crate::detect::{Detector, Parts};
use crate::finding::Finding;
use crate::memory::{Memory, Size};
use crate::rule::Rule;
use crate::time::{MICROS_PER_HOUR, Timestamp};

/// Exactly two calls of one principal in ten minutes: to be known when the window is over, and 15 minutes later.
fn pair() -> Rule {
    rule(
        "-- lateness = \"15m\"\n",
        "SELECT count(*) AS n FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com' \
         GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '10 minutes') HAVING count(*) = 2",
    )
}

fn at(minute: i64) -> Timestamp {
    Timestamp(NOON.0 + minute * MINUTE)
}

fn follows() -> Detector {
    let mut detector = detector([pair()]);
    detector.follow(true);
    detector
}

/// One call at a minute, observed at another.
fn observed(detector: &mut Detector, minute: i64, now: i64) -> Vec<Finding> {
    detector.observe(&[batch(&[call(minute, &format!("e{minute}"), json!({}))])], at(now))
}

fn late(detector: &Detector) -> u64 {
    detector.costs()["cloudtrail/x"].late
}

#[test]
fn a_window_stays_until_the_slowest_partition_has_been_read_past_it() {
    let mut detector = follows();
    let reach = |detector: &mut Detector, slow: i64, now: i64| {
        detector.reached("fast", at(now), at(now));
        detector.reached("slow", at(slow), at(now));
    };
    reach(&mut detector, -180, 2);
    assert_eq!(observed(&mut detector, 1, 2), []);
    // by the clock it was over long ago
    reach(&mut detector, -100, 80);
    assert_eq!(detector.observe(&[], at(80)), []);
    // the slow partition brings the other row of the window, and then what is three hours newer
    reach(&mut detector, 9, 190);
    assert_eq!(observed(&mut detector, 3, 190), []);
    reach(&mut detector, 24, 200);
    assert_eq!(detector.observe(&[], at(200)), []);
    reach(&mut detector, 25, 201);
    let found = detector.observe(&[], at(201));
    assert_eq!(found.iter().map(|finding| finding.count).collect::<Vec<_>>(), [2]);
    assert_eq!(late(&detector), 0);
}

#[test]
fn a_partition_that_is_not_heard_of_holds_nothing_back_and_its_rows_are_counted() {
    let mut detector = follows();
    detector.reached("fast", at(2), at(2));
    detector.reached("stalled", at(-180), at(2));
    [1, 3].into_iter().for_each(|minute| assert_eq!(observed(&mut detector, minute, 5), []));
    // 12:00 to 12:10, and a quarter of an hour; the last word of the other was ten minutes before
    for now in [6, 11] {
        detector.reached("fast", at(now), at(now));
        assert_eq!(detector.observe(&[], at(now)), []);
    }
    detector.reached("fast", at(25), at(25));
    assert_eq!(detector.observe(&[], at(25)).len(), 1);
    detector.reached("stalled", at(-100), at(26));
    assert_eq!(observed(&mut detector, 4, 26), []);
    assert_eq!(late(&detector), 1, "it would have made the window untrue");
}

#[test]
fn what_waited_for_the_process_finds_its_windows() {
    let mut before = follows();
    assert_eq!(observed(&mut before, 1, 2), []);
    let (mut after, mut state) = (follows(), before.changes());
    assert!(after.restore(&state).is_whole());
    // it was down for two hours
    assert_eq!(after.observe(&[], at(120)), []);
    assert_eq!(observed(&mut after, 3, 121), []);
    assert_eq!(late(&after), 0);
    // it came into the window when that was 12:02 by the time of windows
    assert_eq!(after.observe(&[], at(123)).len(), 1);
    // a partition that was known is waited for as long as any
    before.reached("shard", at(2), at(2));
    let mut after = follows();
    state.take(before.changes());
    assert!(after.restore(&state).is_whole());
    for now in [120, 125, 129] {
        assert_eq!(after.observe(&[], at(now)), []);
    }
    after.reached("shard", at(3), at(129));
    assert_eq!(observed(&mut after, 3, 129), []);
    after.reached("shard", at(130), at(130));
    assert_eq!((after.observe(&[], at(130)).len(), late(&after)), (1, 0));
}

#[test]
fn rows_of_a_time_that_never_changes_hold_nothing_back_for_ever() {
    let mut detector = follows();
    [1, 3].into_iter().for_each(|minute| assert_eq!(observed(&mut detector, minute, 4), []));
    let mut told = Vec::new();
    for now in (5..600).step_by(10) {
        told.extend(observed(&mut detector, -1000, now).into_iter().map(|finding| (now, finding.count)));
    }
    // six hours and a quarter after the first of them
    assert_eq!(told, [(385, 2)]);
    assert_eq!(late(&detector), 21, "those that came after that");
}

#[test]
fn rows_from_the_future_close_no_window_and_leave_first() {
    let mut detector = follows();
    assert_eq!(observed(&mut detector, 1, 2), []);
    let year = 366 * 24 * 60;
    assert_eq!(observed(&mut detector, year, 3), []);
    assert_eq!(observed(&mut detector, 3, 4), []);
    assert_eq!((detector.observe(&[], at(25)).len(), late(&detector)), (1, 0));
    // a flood of them takes the room of none but themselves
    detector.keep_to(Memory::of_limit(Size(Memory::FLOOR)).unwrap());
    assert_eq!(observed(&mut detector, 26, 27), []);
    for round in 0..8 {
        let flood = (0..10_000).map(|n| {
            let arn = format!("arn:aws:iam::111122223333:user/{round}-{n}-{}", "x".repeat(100));
            call(year + 60 * round, &format!("{round}-{n}"), json!({ "userIdentity": { "arn": arn } }))
        });
        detector.observe(&[batch(&flood.collect::<Vec<_>>())], at(28));
    }
    assert!(detector.costs()["cloudtrail/x"].shed >= 10_000);
    assert_eq!(observed(&mut detector, 28, 29), []);
    assert_eq!(detector.observe(&[], at(46)).len(), 1);
}

#[test]
fn counts_that_have_come_to_their_end_are_not_compared() {
    let query = "SELECT count(DISTINCT eventName) AS names, count(DISTINCT userAgent) AS agents FROM cloudtrail WHERE sourceIPAddress IS NOT NULL \
                 GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '10 minutes') HAVING count(*) > 3 AND \
                 count(DISTINCT eventName) > count(DISTINCT userAgent)";
    let of = |user: &str, n: usize, agents: usize| {
        let arn = format!("arn:aws:iam::111122223333:user/{user}");
        let changes = json!({ "userIdentity": { "arn": arn }, "eventName": format!("n{n}"), "userAgent": format!("a{}", n % agents) });
        call(1, &format!("{user}{n}"), changes)
    };
    let mut detector = detector([rule("", query)]);
    // of one both have come to it, of another one, of others none
    let mut calls: Vec<Value> = (0..10_001).map(|n| of("both", n, 10_000)).collect();
    calls.extend((0..10_001).map(|n| of("one", n, 9_999)));
    calls.extend((0..4).map(|n| of("more", n, 3)).chain((0..4).map(|n| of("same", n, 4))));
    let mut found = detector.observe(&[batch(&calls)], at(2));
    found.extend(detector.finish());
    let said = |finding: &Finding| {
        let last = finding.actor.as_deref().and_then(|actor| actor.rsplit('/').next()).unwrap_or_default();
        (finding.rule.clone(), last.to_owned())
    };
    let mut said: Vec<_> = found.iter().map(said).collect();
    said.sort();
    let fired = |user: &str| ("cloudtrail/x".to_owned(), user.to_owned());
    assert_eq!(said, [fired("more"), fired("one"), ("weir/rule_quarantined".to_owned(), String::new())]);
    let told = found.iter().find(|finding| finding.rule.starts_with("weir/")).unwrap();
    assert!(
        told.evidence.iter().any(|(_, said)| said.contains("HAVING compares counts that have come to that")),
        "{told:?}"
    );
}

#[test]
fn what_is_computed_of_a_count_that_has_ended_is_said_only_where_it_stays() {
    let calls: Vec<Value> =
        (0..10_001).map(|n| call(1, &format!("e{n}"), json!({ "eventName": format!("n{n}") }))).collect();
    let calls = batch(&calls);
    for (having, expected) in [
        ("2 * count(DISTINCT eventName) > 19999", "cloudtrail/x"),
        ("2 * count(DISTINCT eventName) > 20001", "weir/rule_quarantined"),
        ("30000 - count(DISTINCT eventName) >= 20000", "weir/rule_quarantined"),
        ("30000 - count(DISTINCT eventName) > 20000", ""),
        ("count(DISTINCT eventName) % 7 = 4", "weir/rule_quarantined"),
        ("count(DISTINCT eventName) + count(DISTINCT awsRegion) > 500", "cloudtrail/x"),
        ("count(*) > 20000 AND 2 * count(DISTINCT eventName) > 20001", ""),
    ] {
        let query = format!(
            "SELECT count(*) AS n FROM cloudtrail WHERE eventName IS NOT NULL \
             GROUP BY account, tumble(eventTime, INTERVAL '10 minutes') HAVING {having}"
        );
        let mut detector = detector([rule("", &query)]);
        let mut found = detector.observe(std::slice::from_ref(&calls), at(2));
        found.extend(detector.finish());
        let said: BTreeSet<&str> = found.iter().map(|finding| &*finding.rule).collect();
        assert_eq!(said.into_iter().collect::<Vec<_>>().join(", "), expected, "{having}");
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn stream_equals_batch_of_partitions_of_any_speed(
        query in some_query(),
        calls in some_calls(),
        delays in prop::collection::vec(0i64..15, 50),
        lags in prop::collection::vec(prop::sample::select(vec![0i64, 45, 400]), 2),
        restarts in prop::collection::vec(any::<bool>(), 50),
    ) {
        let rule = || Rule { lateness_micros: Some(20 * MINUTE), ..query.rule() };
        let time = |call: &Value| Timestamp::parse(call["eventTime"].as_str().unwrap()).unwrap().0;
        let lag = |call: &Value| lags[usize::from(call["awsRegion"] == "us-east-1")];
        // each is delivered some minutes after it happened, and read when its partition has come to it
        let arrives = |(call, delay): (&'_ Value, &i64)| time(call) + (delay + lag(call)) * MINUTE;
        let mut arriving: Vec<(i64, &Value)> = calls.iter().zip(&delays).map(|both| (arrives(both), both.0)).collect();
        arriving.sort_by_key(|(at, _)| *at);
        let make = || {
            let mut stream = detector([rule()]);
            stream.follow(true);
            stream
        };
        let reach = |stream: &mut Detector, now: i64| {
            for (partition, lag) in lags.iter().enumerate() {
                stream.reached(&partition.to_string(), Timestamp(now - lag * MINUTE), Timestamp(now));
            }
        };
        let (mut stream, mut found) = (make(), BTreeMap::new());
        let mut state = Parts::default();
        for ((at, call), restart) in arriving.into_iter().zip(restarts) {
            reach(&mut stream, at);
            folded(&mut found, stream.observe(&[batch(std::slice::from_ref(call))], Timestamp(at)));
            state.take(stream.changes());
            if restart {
                stream = make();
                prop_assert!(stream.restore(&state).is_whole());
            }
        }
        for hours in [48, 49] {
            let now = NOON.0 + hours * MICROS_PER_HOUR;
            reach(&mut stream, now);
            folded(&mut found, stream.observe(&[], Timestamp(now)));
        }
        prop_assert_eq!(stream.costs()["cloudtrail/x"].late, 0);
        prop_assert_eq!(stream.window_bytes().map(|(_, bytes)| bytes).sum::<usize>(), 0);
        let mut told = query.told(found.values());
        if query.size == 0 {
            told.dedup();
        }
        prop_assert_eq!(told, analyst(&query.rule().text, &batch(&calls)), "{:?}", query);
    }
}
