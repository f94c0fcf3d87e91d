//! Rules that score their windows: what their findings say, and that neither order, cuts nor restarts change it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::score::{Model, Observed, Scored, What};
use super::tests::folded;
use crate::detect::authors::explain::explain;
use crate::detect::engine::MODEL_BYTES_MAX;
use crate::detect::reference::References;
use crate::detect::tests::{batch, changed, detector, event, rule};
use crate::detect::{Detector, Parts};
use crate::finding::Finding;
use crate::logs;
use crate::rule::Rule;
use crate::time::{MICROS_PER_DAY, MICROS_PER_HOUR, Timestamp};

/// 2024-08-01T00:00:00Z
const START: i64 = 1_722_470_400_000_000;

fn at(hour: i64) -> Timestamp {
    Timestamp(START + hour * MICROS_PER_HOUR)
}

fn call(hour: i64, id: &str, who: &str, name: &str) -> Value {
    let changes = json!({ "eventTime": at(hour).to_string(), "userIdentity": { "arn": who }, "eventName": name });
    changed(event(name, id), changes)
}

/// With a budget that every window which is judged is within.
fn rates(budget: &str) -> Rule {
    rule(
        "-- dedupe = \"1h\"\n",
        &format!(
            "SELECT userIdentity.arn AS who, tumble(eventTime, INTERVAL '1 hour') AS hour, count(*) AS n FROM cloudtrail \
             WHERE eventSource = 'iam.amazonaws.com' \
             GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '1 hour') HAVING unusual_rate(count(*), {budget})"
        ),
    )
}

fn rares(budget: &str) -> Rule {
    rule(
        "-- dedupe = \"1h\"\n",
        &format!(
            "SELECT userIdentity.arn AS who, eventName AS what, count(*) AS n FROM cloudtrail \
             WHERE eventSource = 'iam.amazonaws.com' \
             GROUP BY userIdentity.arn, eventName, tumble(eventTime, INTERVAL '1 hour') HAVING rare(eventName, {budget})"
        ),
    )
}

fn hours(budget: &str) -> Rule {
    rule(
        "-- dedupe = \"1h\"\n",
        &format!(
            "SELECT userIdentity.arn AS who, count(*) AS n FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com' \
             GROUP BY account, userIdentity.arn, tumble(eventTime, INTERVAL '1 hour') HAVING unusual_hour({budget})"
        ),
    )
}

fn evidence<'a>(finding: &'a Finding, name: &str) -> &'a str {
    &finding.evidence.iter().find(|(known, _)| known == name).unwrap().1
}

/// Four days of one call an hour, and a few more in the last hour.
fn quiet_days(last: usize) -> Vec<Value> {
    let mut calls: Vec<Value> = (0..96).map(|hour| call(hour, &format!("e{hour}"), "eve", "GetUser")).collect();
    calls.extend((0..last).map(|n| call(96, &format!("burst{n}"), "eve", "GetUser")));
    calls
}

#[test]
fn a_finding_says_what_was_seen_and_expected_and_how_likely_that_is() {
    let mut ends = detector([rates("0.2")]);
    assert_eq!(ends.observe(&[batch(&quiet_days(40))], at(0)), []);
    let found = ends.finish();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].count, found[0].first_seen), (40, at(96)));
    let told = evidence(&found[0], "unusual");
    assert!(told.starts_with("40 in one hour; usually 0 to 3 over 4 days; chance under its own history "), "{told}");
    assert!(told.ends_with(" false findings a day"), "{told}");
    assert!(evidence(&found[0], "chance").contains("e-"), "{:?}", found[0].evidence);
    // two are nothing, and of who is not known nothing is
    let mut ends = detector([rates("0.2")]);
    let mut calls = quiet_days(2);
    calls.extend((0..40).map(|n| call(96, &format!("new{n}"), "bob", "GetUser")));
    ends.observe(&[batch(&calls)], at(0));
    assert_eq!(ends.finish(), []);
}

#[test]
fn a_stream_tells_when_the_window_is_over_and_only_closed_windows_teach() {
    let mut stream = detector([rates("0.2")]);
    stream.follow(true);
    let calls = quiet_days(40);
    for (place, call) in calls[..96].iter().enumerate() {
        assert_eq!(stream.observe(&[batch(std::slice::from_ref(call))], at(place as i64)), []);
    }
    assert_eq!(stream.observe(&[batch(&calls[96..])], at(96)), [], "its window goes on until 01:00, and 20 minutes");
    assert_eq!(stream.observe(&[], Timestamp(at(97).0 + 19 * 60_000_000)), []);
    let found = stream.observe(&[], Timestamp(at(97).0 + 20 * 60_000_000));
    let mut ends = detector([rates("0.2")]);
    ends.observe(&[batch(&calls)], at(0));
    assert_eq!(found, ends.finish());
    assert_eq!(found.len(), 1);
    let shares: Vec<_> = stream.score_shares().collect();
    assert_eq!(shares[0].0, "cloudtrail/x");
    let state = stream.changes();
    let mut again = detector([rates("0.2")]);
    assert!(again.restore(&state).is_whole());
    assert_eq!(again.changes(), Parts { of_rules: BTreeMap::new(), ..state }, "nothing changed");
}

#[test]
fn what_is_replayed_day_by_day_teaches_what_a_stream_taught() {
    let calls = quiet_days(40);
    let mut stream = detector([rates("0.2")]);
    stream.follow(true);
    for (place, call) in calls[..96].iter().enumerate() {
        stream.observe(&[batch(std::slice::from_ref(call))], at(place as i64));
    }
    let mut learner = detector([rates("0.2")]);
    learner.follow(true);
    for day in 0..4 {
        let (start, end) = (24 * day, 24 * (day + 1));
        let touched = if day < 2 { at(start) } else { at(end) };
        // in any order
        let mut of_day = calls[start as usize..end as usize].to_vec();
        of_day.reverse();
        let halves = of_day.split_at(7);
        assert_eq!(learner.replay(&[batch(halves.0)], touched, at(end)), []);
        assert_eq!(learner.replay(&[batch(halves.1)], touched, at(end)), []);
        assert_eq!(learner.pass(at(95).min(at(end))), []);
    }
    let ids = ["cloudtrail/x".to_owned()].into();
    let mut replayed = detector([rates("0.2")]);
    replayed.follow(true);
    replayed.take_windows(&mut learner, &ids);
    assert!(replayed.costs()["cloudtrail/x"].hits == 0, "it looked at nothing");
    let last = |detector: &mut Detector| {
        let mut found = detector.observe(&[batch(&calls[96..])], at(96));
        found.extend(detector.observe(&[], at(200)));
        found
    };
    let expected = last(&mut stream);
    assert_eq!(expected.len(), 1);
    assert_eq!(last(&mut replayed), expected);
}

#[test]
fn what_a_principal_never_does_is_rare_and_what_all_do_is_not() {
    let days = |hours: std::ops::Range<i64>, who: &str, name: &str| -> Vec<Value> {
        hours.map(|hour| call(hour, &format!("{who}{name}{hour}"), who, name)).collect()
    };
    let last = |others: Vec<Value>| {
        let mut ends = detector([rares("0.2")]);
        let calls = [days(0..96, "eve", "GetUser"), others, vec![call(96, "x", "eve", "CreateAccessKey")]].concat();
        ends.observe(&[batch(&calls)], at(0));
        ends.finish()
    };
    let found = last(Vec::new());
    assert_eq!(found.len(), 1);
    let told = evidence(&found[0], "unusual");
    assert!(told.starts_with("never on 4 days of its own; 0 of "), "{told}");
    let common = [days(0..96, "bob", "CreateAccessKey"), days(0..90, "eve", "CreateAccessKey")].concat();
    assert_eq!(last(common), []);
}

#[test]
fn an_hour_at_which_nobody_is_there_is_unusual_and_the_evening_is_not() {
    let working = |day: i64| day % 7 != 2 && day % 7 != 3;
    let days = (0..56).filter(|day| working(*day));
    let calls = days.flat_map(|day| [9, 11, 14, 16].map(|hour| day * 24 + hour));
    let calls: Vec<Value> = calls.map(|hour| call(hour, &format!("e{hour}"), "eve", "GetUser")).collect();
    let last = |hour: i64| {
        let mut ends = detector([hours("0.2")]);
        ends.observe(&[batch(&[calls.clone(), vec![call(56 * 24 + hour, "x", "eve", "GetUser")]].concat())], at(0));
        ends.finish()
    };
    // 1 August 2024 is a Thursday, and so is this day
    let found = last(3);
    assert_eq!(found.len(), 1);
    let told = evidence(&found[0], "unusual");
    let expected =
        "Thursday 03:00 UTC; in 0 of its last 8 weeks within two hours of that, of 40 days that are known; so are 0.0";
    assert!(told.starts_with(expected), "{told}");
    assert_eq!(last(18), []);
    assert_eq!(last(12), []);
    // on a Sunday at a usual time, and by night
    assert_eq!(last(3 * 24 + 14), []);
    assert_eq!(last(3 * 24 + 3).len(), 1);
}

#[test]
fn what_is_rare_is_told_before_its_hour_is_over() {
    let mut stream = detector([rares("0.2")]);
    stream.follow(true);
    let minutes = |hour: i64, minutes: i64| Timestamp(at(hour).0 + minutes * MICROS_PER_HOUR / 60);
    for hour in 0..96 {
        let usual = call(hour, &format!("e{hour}"), "eve", "GetUser");
        assert_eq!(stream.observe(&[batch(&[usual])], minutes(hour, 1)), []);
    }
    let rare = |n: u64| batch(&[call(96, &format!("x{n}"), "eve", "CreateAccessKey")]);
    // rows of the hour before may still come
    assert_eq!(stream.observe(&[rare(1)], minutes(96, 19)), []);
    let mut again = detector([rares("0.2")]);
    again.follow(true);
    assert!(again.restore(&stream.changes()).is_whole());
    let found = stream.observe(&[], minutes(96, 20));
    assert_eq!(found.iter().map(|finding| finding.count).collect::<Vec<_>>(), [1]);
    assert!(evidence(&found[0], "unusual").starts_with("never on 4 days of its own; 0 of "));
    let more = stream.observe(&[rare(2)], minutes(96, 25));
    assert_eq!((more[0].id, more[0].count), (found[0].id, 2));
    // and again when it is over: the same
    let last = stream.observe(&[], minutes(97, 45));
    assert_eq!(last, more);
    assert_eq!(stream.observe(&[], minutes(98, 0)), []);
    // after a restart the clock stands for two minutes
    assert_eq!(again.observe(&[], minutes(96, 21)), []);
    assert_eq!(again.observe(&[], minutes(96, 24)), found);
}

#[test]
fn what_a_score_cannot_be_asked_is_said() {
    for (group, having, expected) in [
        ("eventName", "unusual_rate(count(*), 0)", "a budget is the number of false findings"),
        ("eventName", "unusual_rate(count(*), 'x')", "a budget is the number of false findings"),
        ("eventName", "unusual_rate(max(eventName), 0.2)", "takes a number"),
        ("eventName", "unusual_rate(count(*), 0.2) AND unusual_rate(count(*), 0.3)", "one score"),
        ("eventName", "rare(awsRegion, 0.2)", "a column of GROUP BY"),
        ("eventName", "rare(eventName, 0.2)", "there is no rest"),
        ("eventName", "unusual_hour(0.2)", "goes with hours"),
        ("awsRegion, eventName", "rare(eventName, 0.2) AND unusual_rate(count(*), 0.2)", "one score"),
        (
            "awsRegion, eventName",
            "rare(eventName, 0.2) AND first_seen(eventName, INTERVAL '3 days')",
            "without first_seen",
        ),
    ] {
        let sql = format!(
            "SELECT count(*) AS n FROM cloudtrail WHERE eventName = 'x' \
             GROUP BY {group}, tumble(eventTime, INTERVAL '1 day') HAVING {having}"
        );
        let (_, refused) = Detector::new(logs::TABLES, [rule("", &sql)]);
        let said = refused.first().map(ToString::to_string).unwrap_or_default();
        assert!(said.contains(expected), "{having}: {said}");
    }
    let hourly = |group: &str, having: &str| {
        let sql = format!(
            "SELECT count(*) AS n FROM cloudtrail WHERE eventName = 'x' \
             GROUP BY {group}tumble(eventTime, INTERVAL '1 hour') HAVING {having}"
        );
        Detector::new(logs::TABLES, [rule("", &sql)]).1.first().map(ToString::to_string).unwrap_or_default()
    };
    assert_eq!(hourly("eventName, ", "unusual_hour(0.2)"), "");
    assert!(hourly("", "unusual_hour(0.2)").contains("whose hours"));
    assert!(hourly("eventName, ", "unusual_hour(0)").contains("a budget is the number of false findings"));
    assert!(hourly("eventName, awsRegion, ", "unusual_hour(1) AND rare(awsRegion, 1)").contains("one score"));
    let hop = "SELECT count(*) AS n FROM cloudtrail WHERE eventName = 'x' GROUP BY awsRegion, \
               hop(eventTime, INTERVAL '1 hour', INTERVAL '2 hours') HAVING unusual_rate(count(*), 0.2)";
    let (_, refused) = Detector::new(logs::TABLES, [rule("", hop)]);
    assert!(refused[0].to_string().contains("goes with tumble"));
}

#[test]
fn a_model_that_is_full_forgets_what_is_oldest_and_says_so() {
    let scored = Scored { what: What::Rate, budget: 0.2 };
    let mut model = Model::default();
    let window = |owner: u64| Observed { owner, peers: 0, value: 0, amount: 1.0, rows: 1 };
    for hour in 0..4 {
        let windows: Vec<Observed> = (0..1000).map(|n| window(hour * 1000 + n)).collect();
        model.close(scored, hour as i64 * MICROS_PER_HOUR, &windows);
    }
    let full = model.bytes_len();
    assert!(full < MODEL_BYTES_MAX / 20, "{full}");
    assert_eq!(model.shed(), 1000);
    assert_eq!(model.bytes_len(), full * 3 / 4);
    // after two months without it nothing is left
    model.close(scored, 60 * MICROS_PER_DAY, &[window(1)]);
    assert!(model.bytes_len() < full / 1000);
}

/// The windows of each hour, counted naively, through a model in the order of time: who, hour, number and what is said.
fn by_definition(calls: &[(i64, u8)]) -> BTreeMap<(i64, u8), (u64, String)> {
    let mut counts: BTreeMap<i64, BTreeMap<u8, u64>> = BTreeMap::new();
    calls.iter().for_each(|(hour, who)| *counts.entry(*hour).or_default().entry(*who).or_default() += 1);
    let (mut model, mut told) = (Model::default(), BTreeMap::new());
    let scored = Scored { what: What::Rate, budget: 1000.0 };
    for (hour, by_who) in counts {
        let window = |(who, n): (&u8, &u64)| Observed {
            owner: u64::from(*who),
            peers: 0,
            value: 0,
            amount: *n as f64,
            rows: *n,
        };
        let scores = model.close(scored, at(hour).0, &by_who.iter().map(window).collect::<Vec<_>>());
        for ((who, n), score) in by_who.into_iter().zip(scores) {
            if score.is_within(1000.0) {
                told.insert((hour, who), (n, score.told(MICROS_PER_HOUR)));
            }
        }
    }
    told
}

fn as_told(found: &[Finding]) -> BTreeMap<(i64, u8), (u64, String)> {
    let of = |finding: &Finding| {
        let hour = (finding.first_seen.0 - START) / MICROS_PER_HOUR;
        let who = evidence(finding, "who")[1..].parse().unwrap();
        ((hour, who), (finding.count, evidence(finding, "unusual").to_owned()))
    };
    found.iter().map(of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn stream_equals_batch_of_scores(
        (calls, order) in prop::collection::vec((0i64..24, 0u8..3), 1..150).prop_flat_map(|calls| {
            // six hours of each day
            let calls: Vec<(i64, u8)> = calls.into_iter().map(|(n, who)| (n / 4 * 24 + n % 4, who)).collect();
            let order: Vec<usize> = (0..calls.len()).collect();
            (Just(calls), Just(order).prop_shuffle())
        }),
        cuts in prop::collection::vec((1usize..30, any::<bool>()), 150),
    ) {
        let event = |place: usize| call(calls[place].0, &format!("e{place}"), &format!("u{}", calls[place].1), "GetUser");
        let (mut ends, mut left) = (detector([rates("1000")]), order.as_slice());
        let mut state = Parts::default();
        for (size, restart) in cuts {
            if left.is_empty() {
                break;
            }
            let (these, rest) = left.split_at(size.min(left.len()));
            left = rest;
            let events: Vec<Value> = these.iter().map(|place| event(*place)).collect();
            prop_assert_eq!(ends.observe(&[batch(&events)], at(0)), []);
            state.take(ends.changes());
            if restart {
                ends = detector([rates("1000")]);
                prop_assert!(ends.restore(&state).is_whole());
            }
        }
        let found = ends.finish();
        prop_assert_eq!(as_told(&found), by_definition(&calls));
        prop_assert_eq!(&ends.finish(), &found, "asking teaches nothing");
        // hour by hour, with restarts, a stream tells the same
        let mut stream = detector([rates("1000")]);
        stream.follow(true);
        let mut told = Vec::new();
        let mut state = Parts::default();
        for hour in 0..150 {
            let now = (0..calls.len()).filter(|place| calls[*place].0 == hour);
            let events: Vec<Value> = now.map(event).collect();
            let batches: Vec<_> = (!events.is_empty()).then(|| batch(&events)).into_iter().collect();
            told.extend(stream.observe(&batches, at(hour)));
            state.take(stream.changes());
            if hour % 20 == 3 {
                stream = detector([rates("1000")]);
                stream.follow(true);
                prop_assert!(stream.restore(&state).is_whole());
            }
        }
        prop_assert_eq!(as_told(&told), as_told(&found));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_foreseen_is_what_comes(
        calls in prop::collection::vec((0i64..24, 0i64..60, 0u8..3, 0u8..4), 1..150),
        restarts in prop::collection::vec(0usize..150, 0..4),
    ) {
        let time = |(hour, minute, ..): &(i64, i64, u8, u8)| {
            // four hours of each day
            Timestamp(at(hour / 4 * 24 + hour % 4).0 + minute * MICROS_PER_HOUR / 60)
        };
        let event = |place: usize, one: &(i64, i64, u8, u8)| {
            let of = call(0, &format!("e{place}"), &format!("u{}", one.2), &format!("N{}", one.3));
            changed(of, json!({ "eventTime": time(one).to_string() }))
        };
        let mut calls = calls;
        calls.sort_by_key(time);
        let events: Vec<Value> = calls.iter().enumerate().map(|(place, one)| event(place, one)).collect();
        for rule in [rares, hours] {
            let mut ends = detector([rule("1000")]);
            events.rchunks(7).for_each(|events| assert_eq!(ends.observe(&[batch(events)], at(0)), []));
            let mut expected = BTreeMap::new();
            folded(&mut expected, ends.finish());
            let make = || {
                let mut stream = detector([rule("1000")]);
                stream.follow(true);
                stream
            };
            let (mut stream, mut told) = (make(), BTreeMap::new());
            let mut state = Parts::default();
            for (place, one) in calls.iter().enumerate() {
                folded(&mut told, stream.observe(&[batch(&events[place..=place])], time(one)));
                state.take(stream.changes());
                if restarts.contains(&place) {
                    stream = make();
                    prop_assert!(stream.restore(&state).is_whole());
                }
            }
            for hour in 150..153 {
                folded(&mut told, stream.observe(&[], at(hour)));
            }
            prop_assert_eq!(told, expected);
        }
    }
}

#[test]
fn an_explanation_says_how_unusual_each_window_is() {
    let explained = explain(logs::TABLES, &References::default(), &rates("0.2"), &[batch(&quiet_days(40))]).unwrap();
    assert!(explained.fires);
    let last = explained.windows.iter().find(|window| window.rows == 40).unwrap();
    assert!(last.conditions[0].is_true(0));
    assert_eq!(last.conditions[0].reads, [("count(*)".to_owned(), vec![Some("40".to_owned())])]);
    assert!(last.unusual.as_ref().unwrap().starts_with("40 in one hour; usually 0 to 3 over 4 days"));
    let first = explained.windows.iter().min_by_key(|window| window.start.clone()).unwrap();
    assert_eq!(first.unusual.as_deref(), Some("nothing is unusual yet: 0 rows on 0 days are known of this key"));
}
