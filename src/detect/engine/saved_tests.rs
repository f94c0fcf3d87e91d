//! What was saved of a detector, commit by commit, is what it remembers.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Detector, Parts};
use crate::detect::tests::{batch, changed, detector as begun, event, rule};
use crate::rule::Rule;
use crate::time::{MICROS_PER_SECOND, Timestamp};

/// 2024-08-01T12:00:00Z
const NOON: i64 = 1_722_513_600 * MICROS_PER_SECOND;

fn at(minute: i64) -> Timestamp {
    Timestamp(NOON + minute * 60 * MICROS_PER_SECOND)
}

fn call(place: usize, minute: i64, who: u8, what: u8) -> Value {
    let who = json!({ "arn": format!("arn:aws:iam::111122223333:user/{who}") });
    let changes = json!({ "eventTime": at(minute).to_string(), "userIdentity": who, "eventName": format!("N{what}") });
    changed(event("x", &format!("e{place}")), changes)
}

fn grouped(by: &str, having: &str) -> String {
    format!(
        "SELECT count(*) AS n FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com' \
         GROUP BY userIdentity.arn, {by} HAVING {having}"
    )
}

fn named(id: &str, text: &str) -> Rule {
    Rule { id: format!("cloudtrail/{id}"), ..rule("", text) }
}

/// A rule of each kind.
fn kinds() -> Detector {
    let framed = "SELECT n FROM (SELECT *, count(*) OVER (PARTITION BY userIdentity.arn ORDER BY eventTime \
                  RANGE BETWEEN INTERVAL '10 minutes' PRECEDING AND CURRENT ROW) AS n \
                  FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com') WHERE n >= 3";
    let mut detector = begun([
        named("tumble", &grouped("tumble(eventTime, INTERVAL '1 hour')", "count(*) = 3")),
        named("hop", &grouped("hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')", "count(*) >= 3")),
        named("session", &grouped("session(eventTime, INTERVAL '10 minutes')", "count(*) = 3")),
        named(
            "new",
            &grouped("eventName, tumble(eventTime, INTERVAL '1 hour')", "first_seen(eventName, INTERVAL '5 hours')"),
        ),
        named("rate", &grouped("tumble(eventTime, INTERVAL '1 hour')", "unusual_rate(count(*), 1000)")),
        named("hours", &grouped("tumble(eventTime, INTERVAL '1 hour')", "unusual_hour(1000)")),
        named("framed", framed),
    ]);
    detector.follow(true);
    detector
}

fn bytes(parts: &Parts) -> usize {
    parts.of_rules.values().map(bytes::Bytes::len).sum()
}

#[test]
fn a_commit_has_what_changed_and_what_is_needed_no_more_goes() {
    let burst = || named("tumble", &grouped("tumble(eventTime, INTERVAL '1 hour')", "count(*) >= 300"));
    let other = || named("other", &grouped("tumble(eventTime, INTERVAL '1 hour')", "count(*) >= 200"));
    let edit = || Rule { text: burst().text.replace("userIdentity.arn,", "eventName,"), ..burst() };
    let mut detector = begun([burst(), other()]);
    let calls: Vec<Value> = (0..250).map(|who| call(who.into(), 0, who, 0)).collect();
    detector.observe(&[batch(&calls)], at(0));
    let mut saved = detector.changes();
    let all = bytes(&saved);
    assert_eq!(detector.changes().of_rules.len(), 0, "nothing changed");
    let mut most = 0;
    for place in 0..300 {
        detector.observe(&[batch(&[call(1000 + place, 1, (place % 250) as u8, 0)])], at(1));
        let changes = detector.changes();
        most = most.max(bytes(&changes));
        saved.take(changes);
        assert!(bytes(&saved) < all * 3, "{} of {all}", bytes(&saved));
    }
    assert!(most < all / 3, "{most} of {all}");
    // a rule that is asked otherwise begins anew, and one that is gone leaves nothing
    let mut edited = begun([edit()]);
    edited.take_over(detector);
    edited.observe(&[batch(&[call(2000, 1, 1, 0)])], at(1));
    saved.take(edited.changes());
    assert!(
        saved.of_rules.keys().all(|(rule, number)| rule == "cloudtrail/tumble" && *number < 2),
        "{:?}",
        saved.of_rules.keys()
    );
    let mut again = begun([edit()]);
    assert!(again.restore(&saved).is_whole());
    assert_eq!(again.state_bytes(), edited.state_bytes());
}

#[test]
fn windows_go_on_for_another_text_that_asks_the_same_of_rows() {
    let of = |text: String| begun([named("x", &text)]);
    let text = |having: &str| grouped("hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')", having);
    let calls: Vec<Value> = (0..4).map(|place| call(place, 0, 1, 0)).collect();
    let before = || {
        let mut detector = of(text("count(*) >= 9"));
        assert_eq!(detector.observe(&[batch(&calls)], at(0)), []);
        detector
    };
    let told = |mut detector: Detector, calls: &[Value]| {
        let mut found: Vec<u64> = detector.observe(&[batch(calls)], at(1)).iter().map(|found| found.count).collect();
        found.sort_unstable();
        found.last().copied()
    };
    let lower = text("count(*) >= 4");
    let same = [
        lower.clone(),
        lower.replace("AS n", "AS calls /* of each */"),
        format!("{lower} AND max(eventName) IS NOT NULL"),
    ];
    for (text, goes_on) in same.into_iter().zip([true, true, false]) {
        let (mut taken, mut restored) = (of(text.clone()), of(text));
        taken.take_over(before());
        assert_eq!(restored.restore(&before().changes()).is_whole(), goes_on);
        // what held by the time of the edit is told with the next rows, whosever they are
        let other = [call(9, 1, 2, 0)];
        assert_eq!([told(taken, &other), told(restored, &other)], [goes_on.then_some(4); 2]);
    }
    // whoever is asked from then on is asked by the windows of before
    let mut edited = of(text("count(*) >= 5"));
    edited.take_over(before());
    assert_eq!(told(edited, &[call(9, 1, 1, 0)]), Some(5));
    // each part of a query that says what it asks of rows
    for (from, to) in [
        ("'iam.amazonaws.com'", "'sts.amazonaws.com'"),
        ("userIdentity.arn,", "userIdentity.arn, awsRegion,"),
        ("10 minutes'", "15 minutes'"),
        ("count(*) AS n", "count(errorCode) AS n"),
    ] {
        let mut other = of(lower.replace(from, to));
        assert_eq!(other.restore(&before().changes()).changed, ["cloudtrail/x"], "{to}");
    }
    let mut services = begun([Rule { aws_services: true, ..named("x", &lower) }]);
    assert_eq!(services.restore(&before().changes()).changed, ["cloudtrail/x"]);
}

#[test]
fn a_window_that_left_does_not_come_again_with_another_of_its_time() {
    let begun = || {
        let mut detector =
            begun([named("tumble", &grouped("tumble(eventTime, INTERVAL '1 hour')", "count(*) >= 300"))]);
        detector.follow(true);
        detector
    };
    let (mut detector, mut saved) = (begun(), Parts::default());
    for minute in [0, 120] {
        let calls: Vec<Value> = (0..250).map(|who| call(minute as usize * 10 + who, minute, who as u8, 0)).collect();
        detector.observe(&[batch(&calls)], at(0));
    }
    saved.take(detector.changes());
    let all = detector.state_bytes()[0];
    // of the two it is the one from the future; what was saved of it stays behind what still holds
    detector.shed([all - 1, usize::MAX, usize::MAX], at(0));
    assert!(detector.state_bytes()[0] <= all / 2, "{} of {all}", detector.state_bytes()[0]);
    saved.take(detector.changes());
    detector.observe(&[batch(&[call(9999, 120, 7, 0)])], at(0));
    saved.take(detector.changes());
    let mut again = begun();
    assert!(again.restore(&saved).is_whole());
    assert_eq!(again.state_bytes(), detector.state_bytes());
}

#[test]
fn a_rule_that_asks_of_rows_alone_now_has_lost_nothing_and_leaves_nothing() {
    let mut before = begun([named("x", &grouped("tumble(eventTime, INTERVAL '1 hour')", "count(*) >= 3"))]);
    before.observe(&[batch(&[call(0, 0, 0, 0)])], at(0));
    let mut saved = before.changes();
    let mut now = begun([named("x", "SELECT eventTime FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com'")]);
    assert!(now.restore(&saved).is_whole());
    saved.take(now.changes());
    assert!(saved.of_rules.is_empty(), "{:?}", saved.of_rules.keys());
}

proptest! {
    #![proptest_config(crate::detect::window::tests::cases_or(64))]

    #[test]
    fn restart_changes_nothing(
        rounds in prop::collection::vec((prop::collection::vec((0i64..40, 0u8..12, 0u8..3), 0..12), 0i64..90, 0u8..10), 1..30),
    ) {
        let (mut stream, mut saved, mut now, mut place) = (kinds(), Parts::default(), 0, 0);
        for (calls, passed, what) in rounds {
            let calls: Vec<Value> = calls
                .into_iter()
                .map(|(before, who, what)| {
                    place += 1;
                    call(place, now - before, who, what)
                })
                .collect();
            let batches: Vec<_> = (!calls.is_empty()).then(|| batch(&calls)).into_iter().collect();
            stream.observe(&batches, at(now));
            match what {
                0 => drop(stream.shed([4_000, 1_000, 1_000], at(now))),
                // those of the future
                1 => drop(stream.shed([1_000, 1_000_000, 1_000_000], at(now - 120))),
                _ => {}
            }
            now += passed;
            saved.take(stream.changes());
            let mut again = kinds();
            prop_assert!(again.restore(&saved).is_whole());
            prop_assert_eq!(again.state_bytes(), stream.state_bytes());
            for (place, windows) in &stream.windows {
                let plan = stream.windowed(*place).0;
                prop_assert_eq!(again.windows[place].told(plan), windows.told(plan));
            }
            if what == 2 {
                stream = again;
            }
        }
    }
}
