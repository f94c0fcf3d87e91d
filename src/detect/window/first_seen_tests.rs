//! What a key does for the first time: what is told of it, and that it is what the definition says.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{NOON, analyst, call, cases, folded, refused, size};
use crate::detect::tests::{batch, detector, rule};
use crate::detect::{Detector, Parts};
use crate::finding::Finding;
use crate::logs;
use crate::memory::{Memory, Size};
use crate::rule::Rule;
use crate::table::Batch;
use crate::time::{MICROS_PER_HOUR, Timestamp};

/// What a principal does for the first time in five days.
fn new_calls() -> Rule {
    rule(
        "",
        "SELECT userIdentity.arn AS who, eventName AS what, count(DISTINCT eventID) AS n \
         FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com' \
         GROUP BY userIdentity.arn, eventName, tumble(eventTime, INTERVAL '1 day') \
         HAVING first_seen(eventName, INTERVAL '5 days')",
    )
}

/// A call of one of several principals: day, who, what.
fn day_call(place: usize, (day, who, what): (i64, u8, u8)) -> Value {
    let who = json!({ "arn": format!("u{who}") });
    call(day * 24 * 60, &format!("e{place}"), json!({ "userIdentity": who, "eventName": format!("N{what}") }))
}

/// The same by its definition: of each day that has such calls, whether the five days before had none, and three days of
/// others by the same principal.
fn new_by_definition(calls: &[(i64, u8, u8)]) -> BTreeMap<(i64, u8, u8), u64> {
    let mut counts: BTreeMap<(i64, u8, u8), u64> = BTreeMap::new();
    calls.iter().for_each(|call| *counts.entry(*call).or_default() += 1);
    let is_new = |(day, who, what): &(i64, u8, u8)| {
        let before = calls.iter().filter(|(then, principal, _)| principal == who && (day - 5..*day).contains(then));
        let known: BTreeSet<i64> = before.clone().map(|(then, ..)| *then).collect();
        known.len() >= 3 && before.clone().all(|(.., name)| name != what)
    };
    counts.retain(|call, _| is_new(call));
    counts
}

/// Day, who, what and how often, of findings of [`new_calls`].
fn new_as_told<'a>(found: impl Iterator<Item = &'a Finding>) -> BTreeMap<(i64, u8, u8), u64> {
    let of = |finding: &Finding| {
        let digit = |place: usize| finding.evidence[place].1[1..].parse().unwrap();
        let day = (finding.first_seen.0 - NOON.0) / (24 * MICROS_PER_HOUR);
        assert_eq!(finding.evidence[2].1, finding.count.to_string());
        ((day, digit(0), digit(1)), finding.count)
    };
    found.map(of).collect()
}

#[test]
fn what_is_new_is_told_at_once_of_a_stream_and_at_its_end_of_input_that_ends() {
    let calls = [(0, 1, 1), (1, 1, 1), (2, 1, 1), (3, 1, 1), (3, 1, 2), (4, 1, 2), (4, 2, 2)];
    let events: Vec<Value> = calls.iter().enumerate().map(|(place, call)| day_call(place, *call)).collect();
    let at = |day: i64| Timestamp(NOON.0 + day * 24 * MICROS_PER_HOUR);
    let mut stream = detector([new_calls()]);
    stream.follow(true);
    let told: Vec<usize> = (0..7).map(|n| stream.observe(&[batch(&events[n..=n])], at(calls[n].0)).len()).collect();
    assert_eq!(told, [0, 0, 0, 0, 1, 0, 0]);
    // a stream forgets what no window can ask for any more
    let mut state = stream.changes();
    let full = size(&state);
    stream.observe(&[batch(&[day_call(9, (30, 3, 3))])], at(30));
    stream.observe(&[], at(40));
    state.take(stream.changes());
    assert!(size(&state) < full, "{} of {full}", size(&state));
    let mut ends = detector([new_calls()]);
    assert_eq!(ends.observe(&[batch(&events)], at(9)), []);
    assert_eq!(new_as_told(ends.finish().iter()), BTreeMap::from([((3, 1, 2), 1)]));
    // a call of the day before that comes late: then it was new on that day
    ends.observe(&[batch(&[day_call(9, (2, 1, 2))])], at(9));
    assert_eq!(ends.finish(), [], "two days of others are too few");
}

#[test]
fn what_first_seen_cannot_ask_is_said() {
    let asks = |group: &str, having: &str| {
        refused(&format!("SELECT count(*) AS n FROM cloudtrail WHERE eventName = 'x' GROUP BY {group} HAVING {having}"))
    };
    let day = "eventName, tumble(eventTime, INTERVAL '1 day')";
    for (group, having, expected) in [
        (day, "first_seen(awsRegion, INTERVAL '9 days')", "first_seen asks for a column of GROUP BY"),
        (day, "first_seen(eventName, INTERVAL '36 hours')", "a whole number of windows, 3 to 400"),
        (day, "first_seen(eventName, 9)", "a whole number of windows, 3 to 400"),
        (
            day,
            "first_seen(eventName, INTERVAL '2 days')",
            "Of 3 windows something must be known before anything is new",
        ),
        (day, "first_seen(eventName, INTERVAL '401 days')", "3 to 400"),
        (day, "first_seen(eventName, INTERVAL '9 days') FILTER (WHERE eventName = 'x')", "no FILTER"),
        (
            day,
            "first_seen(eventName, INTERVAL '9 days') AND first_seen(eventName, INTERVAL '8 days')",
            "stands once in HAVING",
        ),
        (
            "eventName, hop(eventTime, INTERVAL '1 hour', INTERVAL '2 hours')",
            "first_seen(eventName, INTERVAL '9 days')",
            "first_seen goes with tumble",
        ),
    ] {
        let said = asks(group, having);
        assert!(said.contains(expected), "{having}: {said}");
    }
}

#[test]
fn first_seen_stands_alone_or_is_joined_by_and() {
    let refused = |select: &str, having: &str| {
        let sql = format!(
            "SELECT {select} FROM cloudtrail WHERE eventName = 'x'\n\
             GROUP BY eventName, tumble(eventTime, INTERVAL '1 day')\nHAVING {having}"
        );
        let (_, refused) = Detector::new(logs::TABLES, [rule("", &sql)]);
        refused.first().map(ToString::to_string).unwrap_or_default()
    };
    const NEW: &str = "first_seen(eventName, INTERVAL '9 days')";
    for having in [
        format!("{NEW} OR count(*) >= 50"),
        format!("NOT {NEW}"),
        format!("count(*) > 3 AND (count(*) > 50 OR {NEW})"),
        format!("{NEW} AND NOT {NEW}"),
        format!("{NEW} = (count(*) > 3)"),
    ] {
        let said = refused("count(*) AS n", &having);
        assert!(
            said.contains("first_seen stands alone in HAVING, or is joined with other conditions by AND"),
            "{said}"
        );
        assert!(said.contains(&format!(":7:{}: ", 8 + having.find("first_seen").unwrap())), "{having}: {said}");
    }
    assert!(refused(NEW, "count(*) > 3").contains("first_seen stands alone in HAVING"));
    for having in [NEW.to_owned(), format!("(count(*) > 3 OR count(*) = 1) AND ({NEW} AND count(*) < 9)")] {
        assert_eq!(refused("count(*) AS n", &having), "");
    }
}

#[test]
fn a_flood_of_new_keys_stays_within_its_bytes_and_is_counted() {
    let mut detector = detector([new_calls()]);
    detector.keep_to(Memory::of_limit(Size(Memory::FLOOR)).unwrap());
    let calls = |from: usize| -> Vec<Value> {
        (from..from + 2_500)
            .map(|n| call((n / 6_000) as i64 * 24 * 60, "", json!({ "eventName": format!("N{n}") })))
            .collect()
    };
    // the names take sixteen bytes each of what is saved, which has some of them twice, and more in memory
    let (mut state, mut largest) = (Parts::default(), 0);
    for round in 0..12 {
        detector.observe(&[batch(&calls(round * 2_500))], NOON);
        state.take(detector.changes());
        largest = largest.max(size(&state));
    }
    assert!(detector.costs()["cloudtrail/x"].shed > 0);
    assert!(largest < detector.state_bytes_max()[1], "{largest}");
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn stream_equals_batch_of_what_is_new(
        (calls, order) in prop::collection::vec((0i64..14, 0u8..2, 0u8..3), 1..60).prop_flat_map(|calls| {
            let order: Vec<usize> = (0..calls.len()).collect();
            (Just(calls), Just(order).prop_shuffle())
        }),
        cuts in prop::collection::vec((1usize..12, any::<bool>()), 60),
    ) {
        let mut ends = detector([new_calls()]);
        let (mut found, mut left) = (BTreeMap::new(), order.as_slice());
        let mut state = Parts::default();
        for (size, restart) in cuts {
            if left.is_empty() {
                break;
            }
            let (these, rest) = left.split_at(size.min(left.len()));
            left = rest;
            let events: Vec<Value> = these.iter().map(|place| day_call(*place, calls[*place])).collect();
            folded(&mut found, ends.observe(&[batch(&events)], NOON));
            state.take(ends.changes());
            if restart {
                ends = detector([new_calls()]);
                prop_assert!(ends.restore(&state).is_whole());
            }
        }
        folded(&mut found, ends.finish());
        prop_assert_eq!(new_as_told(found.values()), new_by_definition(&calls));
        let all: Vec<Value> = calls.iter().enumerate().map(|(place, call)| day_call(place, *call)).collect();
        let text = |text: String| Some(text);
        let mut rows: Vec<_> = new_by_definition(&calls)
            .into_iter()
            .map(|((_, who, what), n)| vec![text(format!("u{who}")), text(format!("N{what}")), text(n.to_string())])
            .collect();
        rows.sort();
        prop_assert_eq!(analyst(&new_calls().text, &batch(&all)), rows);
        // in order, day by day, a stream tells the same at once
        let mut stream = detector([new_calls()]);
        stream.follow(true);
        let mut told = BTreeMap::new();
        for day in 0..14 {
            let today = calls.iter().enumerate().filter(|(_, call)| call.0 == day);
            let events: Vec<Value> = today.map(|(place, call)| day_call(place, *call)).collect();
            let batches: Vec<Batch> = (!events.is_empty()).then(|| batch(&events)).into_iter().collect();
            folded(&mut told, stream.observe(&batches, Timestamp(NOON.0 + day * 24 * MICROS_PER_HOUR)));
        }
        prop_assert_eq!(told, found);
    }
}
