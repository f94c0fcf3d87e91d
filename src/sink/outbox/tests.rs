use std::collections::BTreeSet;

use proptest::prelude::*;

use super::call::{Call, Failed, Gather};
use super::rate::Pace;
use super::*;
use crate::sink::security_hub::LIMITS;

/// The contract of Security Hub.
const CALLS_PER_SECOND: i64 = 10;
const CALLS_BURST: i64 = 30;

const SECOND: i64 = 1_000_000;

fn hub() -> &'static str {
    "111122223333 in eu-west-1"
}

fn outgoing(id: &str, priority: u8, version: i64, bytes: usize) -> Outgoing {
    let json = format!("{{\"Id\":\"{id}\",\"Version\":\"{version}\",\"Pad\":\"{}\"}}", "x".repeat(bytes));
    let critical = priority > 95;
    Outgoing {
        id: id.to_owned(),
        critical,
        priority,
        updated_at: Timestamp(version),
        call_bytes: json.len() + 1,
        json: json.into(),
    }
}

/// Id and version of a finding that is sent.
fn read(json: &str) -> (String, i64) {
    let parts: Vec<&str> = json.splitn(9, '"').collect();
    (parts[3].to_owned(), parts[7].parse().unwrap())
}

/// Security Hub as the contract has it. What it does with a finding is in the finding's id.
#[derive(Default)]
struct Service {
    /// The version imported last, and how often each was.
    stored: BTreeMap<String, i64>,
    imports: BTreeMap<(String, i64), usize>,
    asked: BTreeMap<String, usize>,
    calls: Vec<i64>,
}

impl Service {
    fn import(&mut self, findings: &[std::sync::Arc<str>], now: i64) -> Answer {
        self.calls.push(now);
        let bytes = findings.iter().map(|json| json.len() + 1).sum::<usize>() + "{\"Findings\":[]}".len();
        assert!((1..=100).contains(&findings.len()), "{} findings", findings.len());
        assert!(bytes <= 6_000_000 && findings.iter().all(|json| json.len() <= 240_000), "{bytes} bytes");
        let read: Vec<_> = findings.iter().map(|json| read(json)).collect();
        let ids: BTreeSet<_> = read.iter().map(|(id, _)| id).collect();
        assert_eq!(ids.len(), read.len(), "an id is in a call twice");
        if ids.iter().any(|id| id.starts_with("bad")) {
            return Answer::of_error("InvalidInputException", "a finding is no finding");
        }
        let mut failed = Vec::new();
        for (id, version) in read {
            let asked = self.asked.entry(id.clone()).or_default();
            *asked += 1;
            let code = match id.split('-').next() {
                Some("poison") => "InvalidInput",
                Some("flaky") if *asked <= 2 => "InternalFailure",
                _ => "",
            };
            if code.is_empty() {
                *self.imports.entry((id.clone(), version)).or_default() += 1;
                let stored = self.stored.entry(id).or_insert(version);
                *stored = version.max(*stored);
            } else {
                failed.push(Failed { id, code: code.into(), message: "no".into() });
            }
        }
        failed.reverse();
        Answer::Taken { success_count: findings.len() - failed.len(), failed }
    }

    /// No time had more calls than the contract's rate and burst allow.
    fn assert_rate(&self) {
        for (first, from) in self.calls.iter().enumerate() {
            for (last, to) in self.calls.iter().enumerate().skip(first + CALLS_BURST as usize) {
                let allowed = CALLS_BURST + (to - from) * CALLS_PER_SECOND / SECOND;
                assert!((last - first + 1) as i64 <= allowed, "{} calls in {} us", last - first + 1, to - from);
            }
        }
    }
}

/// Calls until nothing waits; gives the time of the last call.
fn drain(outbox: &mut Outbox, service: &mut Service, mut now: i64) -> i64 {
    loop {
        match outbox.next(hub(), Timestamp(now)) {
            Next::Call(call) => {
                let answer = service.import(&call.findings, now);
                outbox.answer(hub(), call.number, answer, Timestamp(now), 0.5);
            }
            Next::At(time) => now = time.0,
            Next::AfterAnswer => panic!("every call is answered"),
            Next::Nothing => return *service.calls.last().unwrap(),
        }
    }
}

#[test]
fn ten_thousand_go_in_the_time_that_the_rate_allows_and_criticals_first() {
    let (mut outbox, mut service) = (Outbox::new(LIMITS), Service::default());
    for n in 0..10_000 {
        // 150 of them critical, spread over all
        let priority = if n % 67 == 3 { 96 } else { (n % 90) as u8 };
        assert_eq!(outbox.put(hub(), outgoing(&format!("good-{n}"), priority, 1, 500)), Put::Waits);
    }
    let mut first = BTreeSet::new();
    for _ in 0..2 {
        let Next::Call(call) = outbox.next(hub(), Timestamp(0)) else { panic!() };
        first.extend(call.findings.iter().map(|json| read(json).0));
        let answer = service.import(&call.findings, 0);
        outbox.answer(hub(), call.number, answer, Timestamp(0), 0.5);
    }
    let criticals: BTreeSet<_> = (0..10_000).filter(|n| n % 67 == 3).map(|n| format!("good-{n}")).collect();
    assert_eq!(criticals.len(), 150);
    assert!(criticals.is_subset(&first), "the criticals are not in the first two calls");

    let last = drain(&mut outbox, &mut service, 0);
    // 100 calls, 30 of them at once: 7 seconds
    assert!(last <= 7_700_000, "the last call was after {last} us");
    service.assert_rate();
    assert_eq!(service.calls.len(), 100);
    assert!(service.imports.len() == 10_000 && service.imports.values().all(|count| *count == 1));
}

#[test]
fn an_outage_of_an_hour_loses_nothing_and_is_over_soon() {
    let (mut outbox, mut service) = (Outbox::new(LIMITS), Service::default());
    let (mut put, mut refused, mut now) = (0, 0, 0);
    while now < 3600 * SECOND {
        while put < 5_000 && put * 3600 * SECOND / 5_000 <= now {
            outbox.put(hub(), outgoing(&format!("good-{put}"), (put % 100) as u8, 1, 500));
            put += 1;
        }
        now = match outbox.next(hub(), Timestamp(now)) {
            Next::Call(call) => {
                refused += 1;
                let answer = Answer::of_error("InternalException", "later");
                outbox.answer(hub(), call.number, answer, Timestamp(now), 0.9);
                now
            }
            Next::At(time) => time.0,
            Next::AfterAnswer | Next::Nothing => now + SECOND,
        };
    }
    assert!((100..300).contains(&refused), "{refused} calls in an hour of refusals");
    while put < 5_000 {
        outbox.put(hub(), outgoing(&format!("good-{put}"), (put % 100) as u8, 1, 500));
        put += 1;
    }
    let last = drain(&mut outbox, &mut service, now);
    assert!(last - 3600 * SECOND < 35 * SECOND, "{}", last - 3600 * SECOND);
    assert_eq!(service.imports.len(), 5_000);
    service.assert_rate();
}

#[test]
fn there_is_room_up_to_the_limit_and_for_anything_in_an_empty_outbox() {
    let mut outbox = Outbox::new(Limits { waiting_max: 2, waiting_bytes_max: 1_000, ..LIMITS });
    assert!(outbox.has_room(3, 2_000));
    outbox.put(hub(), outgoing("a", 5, 1, 10));
    let used = outgoing("a", 5, 1, 10).json.len();
    assert!(outbox.has_room(1, 1_000 - used));
    assert!(!outbox.has_room(1, 1_001 - used) && !outbox.has_room(2, 10));
    assert_eq!(outbox.put(hub(), outgoing("a", 5, 1, 10)), Put::Stale);
    assert_eq!(outbox.put(hub(), outgoing("a", 5, 2, 10)), Put::Replaces);
    assert_eq!(outbox.len(), 1);
    drain(&mut outbox, &mut Service::default(), 0);
    assert_eq!((outbox.is_empty(), outbox.bytes()), (true, 0));
}

#[test]
fn a_hub_that_denies_access_does_not_stop_the_others() {
    let denied = "444455556666 in eu-west-1";
    let mut outbox = Outbox::new(Limits { waiting_max: 3, waiting_bytes_max: 1_000_000, ..LIMITS });
    for (id, priority) in [("a", 50), ("b", 5), ("c", 5)] {
        outbox.put(denied, outgoing(id, priority, 1, 10));
    }
    let Next::Call(call) = outbox.next(denied, Timestamp(0)) else { panic!() };
    outbox.answer(denied, call.number, Answer::of_error("InvalidAccessException", "not enabled"), Timestamp(0), 1.0);
    assert!(outbox.has_room(1, 10));
    assert_eq!(outbox.put(hub(), outgoing("d", 5, 1, 10)), Put::Waits);
    // the newest of the least urgent
    let poison = outbox.take_poison();
    assert_eq!((poison.len(), poison[0].outgoing.id.as_str(), poison[0].code.as_str()), (1, "c", "OutboxFull"));
    assert_eq!(
        poison[0].message,
        "no room, and 444455556666 in eu-west-1 denies access: InvalidAccessException: not enabled"
    );
    let waiting: Vec<_> = outbox.places().map(|(place, count, trouble)| (place, count, trouble.is_some())).collect();
    assert_eq!(waiting, [(hub(), 1, false), (denied, 2, true)]);
}

#[test]
fn what_is_too_large_is_poison_at_once() {
    let mut outbox = Outbox::new(LIMITS);
    assert_eq!(outbox.put(hub(), outgoing("a", 5, 1, 240_000)), Put::Poison);
    let poison = outbox.take_poison();
    assert_eq!((poison[0].code.as_str(), outbox.len()), ("TooLarge", 0));
    assert!(outbox.take_poison().is_empty());
}

#[test]
fn what_is_no_snapshot_is_an_error() {
    let error = |bytes: &[u8]| {
        assert_eq!(Outbox::new(LIMITS).restore(bytes).unwrap_err().to_string(), "the saved outbox cannot be read");
        Outbox::new(LIMITS).restore(&zstd::encode_all(bytes, 1).unwrap()).unwrap_err().to_string()
    };
    assert_eq!(error(b"{"), "the saved outbox cannot be read");
    let newer = br#"{"version":3,"queues":[],"poison":[]}"#;
    assert_eq!(error(newer), "the saved outbox has version 3, and this weir knows version 2");
    let nowhere = br#"{"version":2,"queues":[{"full_at":0,"trouble":null,"held":[],"suspects":[]}],"poison":[]}"#;
    assert_eq!(error(nowhere), "the saved outbox names no place");
    assert!(Outbox::new(LIMITS).restore(b"").is_ok());
}

#[test]
fn what_an_earlier_weir_left_for_security_hub_is_read() {
    let saved = br#"{"version":1,"queues":[{"account":"111122223333","region":"eu-west-1","full_at":0,"trouble":null,
        "held":[{"finding":{"id":"a","critical":false,"priority":5,"updated_at":7,"json":"{}"},"attempts":1,
        "resting_until":null}],"suspects":[]}],"poison":[]}"#;
    let mut outbox = Outbox::new(LIMITS);
    outbox.restore(&zstd::encode_all(saved.as_slice(), 1).unwrap()).unwrap();
    let Next::Call(call) = outbox.next(hub(), Timestamp(0)) else { panic!() };
    assert_eq!((call.ids, call.findings), (vec!["a".to_owned()], vec!["{}".into()]));
}

#[test]
fn past_the_rate_one_call_takes_all_that_wait() {
    // two at once, one more in ten seconds
    let pace = Pace { burst: 2, micros_per_call: 10 * SECOND };
    let mut outbox = Outbox::new(Limits { pace, gather: Gather::WhenLate, calls_out_max: 1, ..LIMITS });
    for n in 0..30 {
        outbox.put("address", outgoing(&format!("f{n:02}"), if n == 29 { 99 } else { 5 }, 1, 10));
    }
    let mut calls = Vec::new();
    let mut now = 0;
    let mut next = |outbox: &mut Outbox, now: &mut i64| match outbox.next("address", Timestamp(*now)) {
        Next::Call(call) => {
            calls.push((*now, call.ids.len(), call.ids[0].clone()));
            outbox.answer("address", call.number, Answer::all(&call), Timestamp(*now), 0.5);
        }
        Next::At(time) => *now = time.0,
        other => panic!("{other:?}"),
    };
    next(&mut outbox, &mut now);
    next(&mut outbox, &mut now);
    assert!(outbox.is_empty());
    for n in 30..33 {
        outbox.put("address", outgoing(&format!("f{n:02}"), 5, 1, 10));
    }
    next(&mut outbox, &mut now);
    next(&mut outbox, &mut now);
    let call = |at, count, first: &str| (at, count, first.to_owned());
    assert_eq!(calls, [call(0, 1, "f29"), call(0, 29, "f00"), call(10 * SECOND, 3, "f30")]);
}

#[test]
fn the_oldest_is_not_starved_where_a_call_has_one_finding() {
    let mut outbox =
        Outbox::new(Limits { call_findings_max: 1, pace: Pace { burst: 100, micros_per_call: 1 }, ..LIMITS });
    outbox.put("topic", outgoing("old", 5, 1, 10));
    let mut sent = Vec::new();
    for n in 0..12 {
        outbox.put("topic", outgoing(&format!("new{n}"), 90, 1, 10));
        let Next::Call(call) = outbox.next("topic", Timestamp(0)) else { panic!() };
        outbox.answer("topic", call.number, Answer::all(&call), Timestamp(0), 0.5);
        sent.extend(call.ids);
    }
    assert_eq!(sent.iter().position(|id| id == "old"), Some(9));
}

/// What is accepted within so many seconds by a service that fails whenever it is sent one of these.
fn accepted_within(seconds: i64, limits: Limits, findings: usize, fails_at: &[&str]) -> BTreeSet<String> {
    let mut outbox = Outbox::new(limits);
    for n in 0..findings {
        outbox.put("address", outgoing(&format!("f{n:03}"), 99 - (n % 99) as u8, 1, 10));
    }
    let (mut now, mut accepted) = (0, BTreeSet::new());
    while now < seconds * SECOND {
        now = match outbox.next("address", Timestamp(now)) {
            Next::Call(call) if call.ids.iter().any(|id| fails_at.contains(&id.as_str())) => {
                outbox.answer("address", call.number, Answer::of_error("status 500", "m"), Timestamp(now), 0.7);
                now
            }
            Next::Call(call) => {
                outbox.answer("address", call.number, Answer::all(&call), Timestamp(now), 0.7);
                accepted.extend(call.ids);
                now
            }
            Next::At(time) => time.0,
            Next::AfterAnswer => panic!("every call is answered"),
            Next::Nothing => break,
        };
    }
    accepted
}

#[test]
fn a_finding_on_which_the_service_fails_holds_up_no_other() {
    let one = Limits { call_findings_max: 1, calls_out_max: 1, ..LIMITS };
    let accepted = accepted_within(120, one, 20, &["f000", "f007"]);
    assert_eq!(accepted.len(), 18, "{accepted:?}");
    // of a call of many the others too
    let accepted = accepted_within(600, LIMITS, 300, &["f005"]);
    assert_eq!(accepted.len(), 299);
}

#[test]
fn a_pause_that_is_asked_for_is_kept() {
    let mut outbox = Outbox::new(LIMITS);
    outbox.put("address", outgoing("a", 5, 1, 10));
    for (seconds, waits) in [(30, 30), (1_000_000, 300)] {
        let now = 1_000_000 * SECOND;
        let Next::Call(call) = outbox.next("address", Timestamp(now)) else { panic!() };
        let pause = Some(seconds * SECOND);
        let answer = Answer::Unavailable { code: "status 429".into(), message: "m".into(), pause };
        outbox.answer("address", call.number, answer, Timestamp(now), 0.5);
        assert_eq!(outbox.next("address", Timestamp(now)), Next::At(Timestamp(now + waits * SECOND)));
        // the next of the two comes after the pause
        let mut later = Outbox::new(LIMITS);
        later.restore(&outbox.snapshot()).unwrap();
        assert_eq!(later.next("address", Timestamp(now)), Next::At(Timestamp(now + waits * SECOND)));
        outbox = Outbox::new(LIMITS);
        outbox.put("address", outgoing("a", 5, 1, 10));
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// What the finding's id begins with, its number, priority and size.
    Put(&'static str, u8, u8, usize),
    /// Up to so many calls are made.
    Call(u8),
    /// One of the calls that are out is answered: as the service does, or not.
    Answer(u8, Whole),
    /// The process is killed, and starts from its snapshot.
    Restart,
    Wait(u32),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Whole {
    Served,
    Throttled,
    Denied,
    /// Imported, and the answer got lost.
    Lost,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop::sample::select(vec!["good", "good", "good", "poison", "flaky", "bad"]);
    let size = prop_oneof![9 => 0usize..2_000, 1 => 100_000usize..239_000];
    let whole = prop_oneof![
        6 => Just(Whole::Served),
        1 => Just(Whole::Throttled),
        1 => Just(Whole::Denied),
        1 => Just(Whole::Lost),
    ];
    prop_oneof![
        12 => (kind, 0u8..60, 0u8..100, size).prop_map(|(kind, n, priority, size)| Step::Put(kind, n, priority, size)),
        2 => (1u8..4).prop_map(Step::Call),
        2 => (any::<u8>(), whole).prop_map(|(which, whole)| Step::Answer(which, whole)),
        1 => Just(Step::Restart),
        2 => (0u32..3_000_000).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_is_answered_each_finding_is_accepted_once_or_is_poison_with_a_reason(
        steps in prop::collection::vec(step(), 1..250),
        random in 0.0f64..=1.0,
    ) {
        let (mut outbox, mut service) = (Outbox::new(LIMITS), Service::default());
        let mut out: Vec<Call> = Vec::new();
        let mut newest: BTreeMap<String, i64> = BTreeMap::new();
        let mut poison: BTreeMap<String, i64> = BTreeMap::new();
        let (mut now, mut is_sure) = (1_700_000_000 * SECOND, true);
        for step in steps {
            now += 1;
            match step {
                Step::Put(kind, n, priority, size) => {
                    let id = format!("{kind}-{n}");
                    prop_assert!(!matches!(outbox.put(hub(), outgoing(&id, priority, now, size)), Put::Stale));
                    newest.insert(id, now);
                }
                Step::Call(most) => for _ in 0..most {
                    if let Next::Call(call) = outbox.next(hub(), Timestamp(now)) {
                        out.push(call);
                    }
                }
                Step::Answer(which, whole) if !out.is_empty() => {
                    let call = out.swap_remove(usize::from(which) % out.len());
                    let answer = match whole {
                        Whole::Served => service.import(&call.findings, now),
                        Whole::Throttled => Answer::of_error("TooManyRequestsException", "slow down"),
                        Whole::Denied => Answer::of_error("InvalidAccessException", "not enabled"),
                        Whole::Lost => {
                            is_sure = false;
                            service.import(&call.findings, now);
                            Answer::of_error("timeout", "no answer")
                        }
                    };
                    let count = call.findings.len();
                    let done = outbox.answer(hub(), call.number, answer, Timestamp(now), random);
                    prop_assert_eq!(done.accepted + done.again + done.poisoned, count);
                }
                Step::Answer(..) => {}
                Step::Restart => {
                    let bytes = outbox.snapshot();
                    outbox = Outbox::new(LIMITS);
                    outbox.restore(&bytes).unwrap();
                    prop_assert_eq!(outbox.snapshot(), bytes);
                    is_sure &= out.is_empty();
                    // some of the calls that were out had arrived
                    out.drain(..).step_by(2).for_each(|call| drop(service.import(&call.findings, now)));
                }
                Step::Wait(micros) => now += i64::from(micros),
            }
        }
        for call in out {
            let answer = service.import(&call.findings, now);
            outbox.answer(hub(), call.number, answer, Timestamp(now), random);
        }
        if !outbox.is_empty() {
            drain(&mut outbox, &mut service, now);
        }
        for one in outbox.take_poison() {
            prop_assert!(!one.code.is_empty() && !one.message.is_empty());
            poison.insert(one.outgoing.id, one.outgoing.updated_at.0);
        }
        prop_assert_eq!((outbox.len(), outbox.bytes()), (0, 0));
        for (id, version) in newest {
            let stored = service.stored.get(&id) == Some(&version);
            let refused = poison.get(&id) == Some(&version);
            prop_assert!(stored != refused, "{} is {}", id, if stored { "both" } else { "neither" });
        }
        if is_sure {
            prop_assert!(service.imports.values().all(|count| *count == 1));
        }
    }

    #[test]
    fn no_pattern_of_calls_exceeds_the_rate(waits in prop::collection::vec(0i64..400_000, 1..200)) {
        let (mut outbox, mut service) = (Outbox::new(LIMITS), Service::default());
        let mut now = 0;
        for (n, wait) in waits.into_iter().enumerate() {
            now += wait;
            outbox.put(hub(), outgoing(&format!("good-{n}"), 5, 1, 10));
            if n % 17 == 0 {
                let bytes = outbox.snapshot();
                outbox = Outbox::new(LIMITS);
                outbox.restore(&bytes).unwrap();
            }
            if let Next::Call(call) = outbox.next(hub(), Timestamp(now)) {
                let answer = service.import(&call.findings, now);
                outbox.answer(hub(), call.number, answer, Timestamp(now), 0.5);
            }
        }
        service.assert_rate();
    }
}
