//! Rows that come day by day: what they give is what all rows at once give, and only the windows of the last days are kept.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{MINUTE, NOON, analyst, call, cases, folded, some_calls, some_query};
use crate::detect::tests::{batch, changed, detector, rule};
use crate::rule::Rule;
use crate::time::{MICROS_PER_DAY, Timestamp};

fn time(call: &Value) -> Timestamp {
    Timestamp::parse(call["eventTime"].as_str().unwrap()).unwrap()
}

/// The same calls, so many times as far apart.
fn spread(calls: Vec<Value>, times: i64) -> Vec<Value> {
    let later = |call: Value| {
        let at = Timestamp(NOON.0 + (time(&call).0 - NOON.0) * times);
        changed(call, json!({ "eventTime": at.to_string() }))
    };
    calls.into_iter().map(later).collect()
}

fn end(day: i32) -> Timestamp {
    Timestamp(i64::from(day + 1) * MICROS_PER_DAY)
}

#[test]
fn windows_leave_with_their_days() {
    let text = "SELECT count(*) AS n FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com' \
                GROUP BY sourceIPAddress, tumble(eventTime, INTERVAL '1 hour') HAVING count(*) = 3";
    let mut detector = detector([rule("", text)]);
    let (mut bytes, mut found) = (Vec::new(), 0);
    for day in 0..30 {
        let of = |n: i64| {
            call(day * 24 * 60 + n % 60, &format!("{day}-{n}"), json!({ "sourceIPAddress": (n / 3).to_string() }))
        };
        let calls: Vec<Value> = (0..300).map(of).collect();
        found += detector.observe_for(&|_| true, &[batch(&calls)]).len();
        bytes.push(detector.window_bytes().map(|(_, bytes)| bytes).sum::<usize>());
        found += detector.all_came(end(time(&calls[0]).day())).len();
    }
    assert_eq!(found, 3000);
    assert!(bytes[29] < bytes[0] * 2, "{bytes:?}");
}

#[test]
fn days_around_are_those_that_windows_and_questions_reach_to() {
    let around = |window: &str, having: &str| {
        let text = format!(
            "SELECT count(*) AS n FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com' \
             GROUP BY awsRegion, eventName, {window} HAVING {having}"
        );
        detector([rule("", &text)]).days_around("cloudtrail/x")
    };
    assert_eq!(around("tumble(eventTime, INTERVAL '10 minutes')", "count(*) > 1"), [0, 0]);
    assert_eq!(around("tumble(eventTime, INTERVAL '1 day')", "count(*) > 1"), [0, 0]);
    assert_eq!(around("tumble(eventTime, INTERVAL '7 hours')", "count(*) > 1"), [1, 1]);
    assert_eq!(around("hop(eventTime, INTERVAL '1 hour', INTERVAL '36 hours')", "count(*) > 1"), [2, 2]);
    assert_eq!(around("session(eventTime, INTERVAL '1 hour')", "count(*) > 1"), [1, 1]);
    assert_eq!(around("tumble(eventTime, INTERVAL '1 day')", "first_seen(eventName, INTERVAL '30 days')"), [32, 0]);
    assert_eq!(around("tumble(eventTime, INTERVAL '1 hour')", "unusual_rate(count(*), 0.2)"), [56, 0]);
    assert_eq!(around("tumble(eventTime, INTERVAL '1 hour')", "unusual_hour(0.2)"), [56, 0]);
    let row = rule("", "SELECT eventName FROM cloudtrail WHERE eventName = 'x'");
    assert_eq!(detector([row]).days_around("cloudtrail/x"), [0, 0]);
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn stream_equals_batch_day_by_day(
        query in some_query(),
        (calls, order) in some_calls().prop_flat_map(|calls| {
            let order: Vec<usize> = (0..calls.len()).collect();
            (Just(spread(calls, 20)), Just(order).prop_shuffle())
        }),
    ) {
        let rule = || Rule { lateness_micros: Some(MINUTE), ..query.rule() };
        let mut by_day = BTreeMap::<i32, Vec<Value>>::new();
        order.iter().for_each(|place| by_day.entry(time(&calls[*place]).day()).or_default().push(calls[*place].clone()));
        let (mut detector, mut found) = (detector([rule()]), BTreeMap::new());
        for (day, calls) in by_day {
            for calls in calls.chunks(5) {
                folded(&mut found, detector.observe_for(&|_| true, &[batch(calls)]));
            }
            folded(&mut found, detector.all_came(end(day)));
        }
        folded(&mut found, detector.finish());
        prop_assert_eq!(detector.costs()["cloudtrail/x"].late, 0);
        let mut told = query.told(found.values());
        if query.size == 0 {
            told.dedup();
        }
        prop_assert_eq!(told, analyst(&query.rule().text, &batch(&calls)), "{:?}", query);
    }
}
