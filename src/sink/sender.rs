//! The task that empties an outbox: calls as rate and troubles of each place allow, answers back into the outbox.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::task::JoinSet;

use super::outbox::call::{Answer, Call};
use super::outbox::queue::Next;
use super::post::Shared;
use super::way::Way;
use crate::time::{MICROS_PER_SECOND, Timestamp};
use crate::wait::{select, sleep};

/// Sends what enters the outbox for as long as its task lives. Calls that are out when it ends are given up: their findings
/// wait in the outbox still, and are sent again by the next run.
pub struct Sender {
    shared: Shared,
    clock: fn() -> Timestamp,
    out: JoinSet<(String, u64, Answer)>,
    out_by_place: BTreeMap<String, usize>,
}

impl Sender {
    pub fn new(shared: Shared, clock: fn() -> Timestamp) -> Sender {
        Sender { shared, clock, out: JoinSet::new(), out_by_place: BTreeMap::new() }
    }

    pub async fn run(mut self) {
        self.shared.way.prepare().await;
        loop {
            let wait = self.start_calls().await;
            select! {
                Some(done) = self.out.join_next() => {
                    let (place, number, answer) = done.expect("a call gives an answer, whatever happens");
                    self.read(&place, number, answer).await;
                }
                () = self.shared.filled.notified() => {}
                () = sleep(wait.unwrap_or_default()), if wait.is_some() => {}
            }
        }
    }

    /// Starts every call that may be made now; gives the wait until the next, where only time is missing.
    async fn start_calls(&mut self) -> Option<Duration> {
        let mut desk = self.shared.desk.lock().await;
        if desk.is_closed {
            return None;
        }
        let now = (self.clock)();
        let calls_out_max = self.shared.way.limits().calls_out_max;
        let places: Vec<String> = desk.outbox.places().map(|(place, ..)| place.to_owned()).collect();
        let mut due: Option<Timestamp> = None;
        for place in places {
            while self.out_by_place.get(&place).copied().unwrap_or_default() < calls_out_max {
                match desk.outbox.next(&place, now) {
                    Next::Call(call) => {
                        *self.out_by_place.entry(place.clone()).or_default() += 1;
                        self.out.spawn(send(self.shared.way.clone(), place.clone(), call));
                    }
                    Next::At(time) => {
                        due = Some(due.map_or(time, |due| due.min(time)));
                        break;
                    }
                    Next::AfterAnswer | Next::Nothing => break,
                }
            }
        }
        due.map(|due| Duration::from_micros(due.0.saturating_sub(now.0).clamp(0, MICROS_PER_SECOND) as u64))
    }

    async fn read(&mut self, place: &str, number: u64, answer: Answer) {
        let way = self.shared.way.clone();
        let out = self.out_by_place.get_mut(place).expect("a call was counted");
        *out -= 1;
        let mut desk = self.shared.desk.lock().await;
        desk.answered(&way, place, (number, answer), (self.clock)(), random());
    }
}

/// A panic, too, is an answer: else the sender would end with it, and what waits would wait for ever, untold.
async fn send(way: Arc<Way>, place: String, call: Call) -> (String, u64, Answer) {
    let answer = AssertUnwindSafe(way.send(&place, &call)).catch_unwind().await;
    let why = "sending panicked, which is a bug: standard error says where";
    (place, call.number, answer.unwrap_or_else(|_| Answer::of_error("Panicked", why)))
}

/// Between 0 and 1. It spreads retries, so that of the standard library's hasher is good enough.
fn random() -> f64 {
    #[cfg(test)]
    if let Some(number) = crate::wait::simulated::random(1000) {
        return number as f64 / 1000.0;
    }
    RandomState::new().hash_one(0) as f64 / u64::MAX as f64
}
