//! A detector that takes in again, in any order, what another had seen goes on as that one would have.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

use super::tests::{MINUTE, NOON, cases, folded, some_calls, some_query};
use crate::detect::Parts;
use crate::detect::tests::{batch, detector};
use crate::time::{MICROS_PER_DAY, MICROS_PER_HOUR, Timestamp};

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_stream_whose_state_is_refused_goes_on_as_if_nothing_had_happened(
        query in some_query(),
        calls in some_calls(),
        delays in prop::collection::vec(0i64..15, 50),
        cut in 0usize..50,
        shuffle in prop::collection::vec(any::<u32>(), 50),
    ) {
        let time = |call: &Value| Timestamp::parse(call["eventTime"].as_str().unwrap()).unwrap().0;
        let mut arriving: Vec<(i64, Value)> =
            calls.iter().zip(&delays).map(|(call, delay)| (time(call) + delay * MINUTE, call.clone())).collect();
        arriving.sort_by_key(|(at, _)| *at);
        let cut = cut.min(arriving.len());
        let run = |is_refused: bool| {
            let mut stream = detector([query.rule()]);
            stream.follow(true);
            let mut found = BTreeMap::new();
            for (place, (at, call)) in arriving.iter().enumerate() {
                if is_refused && place == cut {
                    let state = stream.changes();
                    stream = detector([query.rule()]);
                    stream.follow(true);
                    let refused = stream.restore(&Parts { shared: Bytes::from_static(&[99]), ..state });
                    assert!(refused.lost.contains_key("cloudtrail/x") && refused.shared.is_some());
                    let mut rows: Vec<(u32, &Value)> =
                        shuffle.iter().copied().zip(arriving[..place].iter().map(|(_, call)| call)).collect();
                    rows.sort_by_key(|(order, _)| *order);
                    let (mut learner, end) = (detector([query.rule()]), Timestamp(NOON.0 + MICROS_PER_DAY / 2));
                    learner.follow(true);
                    for rows in rows.chunks(7) {
                        let rows: Vec<Value> = rows.iter().map(|(_, call)| (*call).clone()).collect();
                        learner.replay(&[batch(&rows)], Timestamp(*at), end);
                    }
                    let newest = arriving[..place].iter().map(|(_, call)| Timestamp(time(call))).max();
                    learner.pass(newest.unwrap_or(NOON));
                    stream.take_windows(&mut learner, &refused.lost.into_keys().collect());
                    stream.take_shared(&mut learner, newest);
                }
                folded(&mut found, stream.observe(&[batch(std::slice::from_ref(call))], Timestamp(*at)));
            }
            for hours in [24, 25, 60] {
                folded(&mut found, stream.observe(&[], Timestamp(NOON.0 + hours * MICROS_PER_HOUR)));
            }
            assert_eq!(stream.window_bytes().map(|(_, bytes)| bytes).sum::<usize>(), 0);
            found
        };
        // what is told before the cut is told in both, and what is told again folds
        prop_assert_eq!(run(true), run(false), "{:?}", query);
    }
}
