use super::*;
use crate::sink::security_hub::LIMITS;

fn outgoing(id: &str, priority: u8, updated_at: i64) -> Outgoing {
    let json = format!("{{\"Id\":\"{id}\",\"UpdatedAt\":{updated_at}}}");
    let call_bytes = json.len() + 1;
    Outgoing {
        id: id.to_owned(),
        critical: false,
        priority,
        updated_at: Timestamp(updated_at),
        json: json.into(),
        call_bytes,
    }
}

fn queue(findings: impl IntoIterator<Item = Outgoing>) -> Queue {
    let mut queue = Queue::new(LIMITS);
    for one in findings {
        queue.put(one);
    }
    queue
}

/// Ids of the next call, which is given its number.
fn call(queue: &mut Queue, number: u64, now: i64) -> Vec<String> {
    let Next::Call(call) = queue.next(Timestamp(now), number) else { panic!("no call at {now}") };
    call.findings.iter().map(|json| json.split('"').nth(3).unwrap().to_owned()).collect()
}

fn imported(success_count: usize, failed: &[(&str, &str)]) -> Answer {
    let one = |(id, code): &(&str, &str)| Failed { id: (*id).into(), code: (*code).into(), message: "m".into() };
    Answer::Taken { success_count, failed: failed.iter().map(one).collect() }
}

#[test]
fn the_most_urgent_go_first_and_every_tenth_is_the_oldest() {
    let mut findings: Vec<_> = (0..200).map(|n| outgoing(&format!("low{n}"), 5, 0)).collect();
    findings.extend((0..200).map(|n| outgoing(&format!("high{n}"), 90, 0)));
    findings.push(Outgoing { critical: true, ..outgoing("critical", 1, 0) });
    let ids = call(&mut queue(findings), 0, 0);
    assert_eq!(ids.len(), 100);
    assert_eq!(ids[..3], ["critical", "high0", "high1"]);
    let oldest: Vec<_> = ids.iter().skip(9).step_by(10).collect();
    assert_eq!(oldest[..3], ["low0", "low1", "low2"]);
    assert_eq!(ids.iter().filter(|id| id.starts_with("low")).count(), 10);
}

#[test]
fn a_call_ends_before_its_bytes_do() {
    let large = |n: usize| {
        let json = format!("\"{}\"", "x".repeat(239_998)).into();
        Outgoing { json, call_bytes: 240_001, ..outgoing(&format!("f{n}"), 5, 0) }
    };
    let mut queue = queue((0..30).map(large));
    let Next::Call(call) = queue.next(Timestamp(0), 0) else { panic!() };
    let body: usize = call.findings.iter().map(|json| json.len()).sum::<usize>() + call.findings.len() + 15;
    assert_eq!((call.findings.len(), body), (24, 5_760_039));
}

#[test]
fn an_update_keeps_its_turn_and_takes_its_new_rank() {
    let mut queue = queue([outgoing("a", 5, 1), outgoing("b", 50, 1), outgoing("a", 90, 2)]);
    assert_eq!((queue.len(), queue.newest("a")), (2, Some(Timestamp(2))));
    assert_eq!(call(&mut queue, 0, 0), ["a", "b"]);
    assert_eq!(queue.answer(0, imported(2, &[]), Timestamp(0), 0.5).accepted, 2);
    assert_eq!((queue.len(), queue.bytes()), (0, 0));
}

#[test]
fn what_comes_while_its_older_form_is_out_goes_after_the_answer() {
    let mut queue = queue([outgoing("a", 5, 1)]);
    assert_eq!(call(&mut queue, 0, 0), ["a"]);
    queue.put(outgoing("a", 5, 2));
    assert_eq!(queue.next(Timestamp(0), 1), Next::AfterAnswer);
    queue.answer(0, imported(1, &[]), Timestamp(0), 0.5);
    assert_eq!((queue.len(), queue.bytes()), (1, outgoing("a", 5, 2).json.len()));
    assert_eq!(call(&mut queue, 1, 0), ["a"]);
    queue.answer(1, imported(1, &[]), Timestamp(0), 0.5);
    assert_eq!(queue.next(Timestamp(0), 2), Next::Nothing);
}

#[test]
fn failed_findings_are_read_by_id() {
    let mut queue = queue([outgoing("a", 9, 0), outgoing("b", 8, 0), outgoing("c", 7, 0), outgoing("d", 6, 0)]);
    call(&mut queue, 0, 0);
    let failed = [("d", "InternalFailure"), ("b", "InvalidInput"), ("c", "ConcurrentUpdateError"), ("x", "Internal")];
    let outcome = queue.answer(0, imported(1, &failed), Timestamp(0), 1.0);
    assert_eq!((outcome.accepted, outcome.again), (1, 2));
    let poison: Vec<_> = outcome.poison.iter().map(|(one, code, _)| (one.id.as_str(), code.as_str())).collect();
    assert_eq!(poison, [("b", "InvalidInput")]);
    assert_eq!(queue.next(Timestamp(0), 1), Next::At(Timestamp(400_000)));
    assert_eq!(call(&mut queue, 1, 400_000), ["c", "d"]);
}

#[test]
fn which_codes_pass() {
    let passes = |code: &str| Failed { id: "a".into(), code: code.into(), message: "m".into() }.is_passing();
    for code in ["InternalFailure", "InternalException", "ThrottlingException", "ConcurrentUpdateError", "internal"] {
        assert!(passes(code), "{code}");
    }
    for code in ["InvalidInput", "InvalidAccess", "Limit", "DuplicateFinding", ""] {
        assert!(!passes(code), "{code}");
    }
}

#[test]
fn failures_that_are_counted_and_not_named_are_tried_again() {
    let mut queue = queue([outgoing("a", 9, 0), outgoing("b", 8, 0)]);
    call(&mut queue, 0, 0);
    let outcome = queue.answer(0, imported(1, &[]), Timestamp(0), 0.0);
    assert_eq!((outcome.accepted, outcome.again), (0, 2));
    assert_eq!(call(&mut queue, 1, 0), ["a", "b"]);
}

#[test]
fn a_call_that_is_refused_as_invalid_is_halved_until_the_culprit_is_alone() {
    let mut queue = queue((0..8).map(|n| outgoing(&format!("f{n}"), 50 - n, 0)));
    let (mut calls, mut poison, mut accepted) = (Vec::new(), Vec::new(), 0);
    for number in 0.. {
        if matches!(queue.next(Timestamp(0), number), Next::Nothing) {
            break;
        }
        let turns = queue.out.values().next().unwrap().turns.clone();
        let ids: Vec<_> = turns.iter().map(|turn| queue.held[turn].outgoing.id.clone()).collect();
        let answer = match ids.iter().any(|id| id == "f5") {
            true => Answer::Invalid { code: "InvalidInputException".into(), message: "bad".into() },
            false => imported(ids.len(), &[]),
        };
        let outcome = queue.answer(number, answer, Timestamp(0), 0.5);
        accepted += outcome.accepted;
        poison.extend(outcome.poison.into_iter().map(|(one, ..)| one.id));
        calls.push(ids.len());
    }
    assert_eq!((poison, accepted), (vec!["f5".to_owned()], 7));
    assert_eq!(calls, [8, 4, 4, 2, 1, 1, 2]);
}

#[test]
fn parts_of_refused_calls_leave_every_second_call_to_others() {
    let mut queue = queue((0..4).map(|n| outgoing(&format!("old{n}"), 50, 0)));
    call(&mut queue, 0, 0);
    queue.answer(0, Answer::of_error("InvalidInputException", "bad"), Timestamp(0), 0.5);
    for n in 0..200 {
        queue.put(outgoing(&format!("new{n}"), 90, 0));
    }
    let firsts: Vec<_> = (1..5).map(|number| call(&mut queue, number, 0)[0].clone()).collect();
    assert_eq!(firsts, ["old0", "new0", "old2", "new100"]);
}

#[test]
fn errors_of_calls_mean_one_of_three_things() {
    let of = |code: &str| Answer::of_error(code, "m");
    assert!(matches!(of("InvalidInputException"), Answer::Invalid { .. }));
    assert!(matches!(of("ValidationException"), Answer::Invalid { .. }));
    assert!(matches!(of("SerializationException"), Answer::Invalid { .. }));
    assert!(matches!(of("InvalidAccessException"), Answer::Denied { .. }));
    assert!(matches!(of("AccessDeniedException"), Answer::Denied { .. }));
    for code in [
        "InternalException",
        "LimitExceededException",
        "TooManyRequestsException",
        "ThrottlingException",
        "ExpiredTokenException",
        "InvalidSignatureException",
        "timeout",
    ] {
        assert!(matches!(of(code), Answer::Unavailable { .. }), "{code}");
    }
}

#[test]
fn while_a_hub_is_in_trouble_one_call_at_a_time_asks_for_it() {
    let mut queue = queue((0..300).map(|n| outgoing(&format!("f{n}"), 50, 0)));
    (0..3).for_each(|number| drop(call(&mut queue, number, 0)));
    let unavailable = || Answer::of_error("ThrottlingException", "slow down");
    queue.answer(0, unavailable(), Timestamp(10), 1.0);
    // these were out already, and do not make the wait longer
    queue.answer(1, unavailable(), Timestamp(20), 1.0);
    assert_eq!(queue.next(Timestamp(30), 3), Next::AfterAnswer);
    queue.answer(2, unavailable(), Timestamp(30), 1.0);
    assert_eq!(queue.next(Timestamp(30), 3), Next::At(Timestamp(400_010)));
    assert_eq!(call(&mut queue, 3, 400_010).len(), 100);
    assert_eq!(queue.next(Timestamp(400_010), 4), Next::AfterAnswer);
    queue.answer(3, unavailable(), Timestamp(400_020), 1.0);
    assert_eq!(queue.next(Timestamp(400_020), 4), Next::At(Timestamp(1_200_020)));
    call(&mut queue, 4, 1_200_020);
    queue.answer(4, imported(100, &[]), Timestamp(1_200_030), 1.0);
    assert_eq!(queue.trouble(), None);
    (5..7).for_each(|number| drop(call(&mut queue, number, 1_200_030)));
}

#[test]
fn a_clock_set_back_does_not_prolong_a_wait() {
    let day = 86_400_000_000;
    let mut queue = queue([outgoing("a", 5, 0), outgoing("b", 5, 0)]);
    call(&mut queue, 0, day);
    queue.answer(0, imported(1, &[("b", "Internal")]), Timestamp(day), 1.0);
    assert_eq!(queue.next(Timestamp(day), 1), Next::At(Timestamp(day + 400_000)));
    assert_eq!(call(&mut queue, 1, 0), ["b"]);
    queue.answer(1, Answer::of_error("Internal", "m"), Timestamp(day), 1.0);
    assert_eq!(call(&mut queue, 2, 100_000), ["b"]);
}

#[test]
fn why_findings_of_a_call_are_sent_again_is_told() {
    let why = |answer: Answer| {
        let mut queue = queue([outgoing("a", 5, 0), outgoing("b", 5, 0)]);
        call(&mut queue, 0, 0);
        let outcome = queue.answer(0, answer, Timestamp(0), 0.0);
        (outcome.again, outcome.why.unwrap_or_default())
    };
    assert_eq!(why(imported(1, &[("a", "InternalError")])), (1, "InternalError: m".to_owned()));
    assert_eq!(why(imported(0, &[("x", "Odd")])), (2, "Odd: m, of findings that were not sent".to_owned()));
    assert_eq!(why(imported(1, &[])), (2, "1 of 2 were accepted, and none is named".to_owned()));
    assert_eq!(why(imported(1, &[("a", "InvalidInput")])), (0, String::new()));
}
