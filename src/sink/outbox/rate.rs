//! When a place may be called again: the service's rate with its burst, and the wait after a refusal.

use crate::time::Timestamp;

/// How often a place may be called: so many calls at once after a pause, then one in so many microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub burst: i64,
    pub micros_per_call: i64,
}

impl Pace {
    fn burst_micros(self) -> i64 {
        self.burst * self.micros_per_call
    }
}

/// A token bucket of a pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pace: Pace,
    /// When the bucket is full again, if no call is made.
    pub(super) full_at: Timestamp,
}

impl Rate {
    pub fn new(pace: Pace) -> Rate {
        Rate { pace, full_at: Timestamp(i64::MIN) }
    }

    /// When the next call may be made: `now`, or later.
    pub fn next_call(&self, now: Timestamp) -> Timestamp {
        let first_with_a_token = self.full_at(now).0 - (self.pace.burst_micros() - self.pace.micros_per_call);
        Timestamp(first_with_a_token.max(now.0))
    }

    /// Takes a token for a call made at `now`, which [`Rate::next_call`] allowed.
    pub fn call(&mut self, now: Timestamp) {
        self.full_at = Timestamp(self.full_at(now).0 + self.pace.micros_per_call);
    }

    /// Whether a call made at `now` has to be the only one for a while.
    pub fn is_last(&self, now: Timestamp) -> bool {
        let mut after = *self;
        after.call(now);
        after.next_call(now) > now
    }

    /// A bucket that takes longer to fill than an empty one does was left by a clock that has been set back since, or by
    /// another pace: it then has one token.
    fn full_at(&self, now: Timestamp) -> Timestamp {
        let emptiest = now.0.saturating_add(self.pace.burst_micros());
        match self.full_at.0 {
            full_at if full_at > emptiest => Timestamp(emptiest - self.pace.micros_per_call),
            full_at => Timestamp(full_at.max(now.0)),
        }
    }
}

/// Full jitter: somewhere between nothing and a span that doubles with every attempt, from 0.4 seconds at the first up to
/// `micros_max`. `random` is between 0 and 1.
pub fn back_off(attempt: u32, micros_max: i64, random: f64) -> i64 {
    const BASE_MICROS: i64 = 200_000;
    let span = BASE_MICROS.saturating_mul(1 << attempt.min(30)).min(micros_max);
    (span as f64 * random.clamp(0.0, 1.0)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { burst: 30, micros_per_call: 100_000 };

    #[test]
    fn thirty_calls_at_once_then_ten_a_second() {
        let mut rate = Rate::new(PACE);
        let mut now = Timestamp(1_000_000);
        let mut made = Vec::new();
        for _ in 0..50 {
            now = rate.next_call(now);
            rate.call(now);
            made.push(now.0 - 1_000_000);
        }
        assert!(made[..30].iter().all(|at| *at == 0));
        assert_eq!(made[30..33], [100_000, 200_000, 300_000]);
        assert_eq!(made[49], 2_000_000);
        // a second's pause brings ten back
        now = Timestamp(now.0 + 1_000_000);
        let mut count = 0;
        while rate.next_call(now) == now {
            rate.call(now);
            count += 1;
        }
        assert_eq!(count, 10);
    }

    #[test]
    fn a_clock_set_back_by_a_day_does_not_stop_the_calls() {
        let mut rate = Rate::new(PACE);
        let now = Timestamp(100 * 86_400_000_000);
        (0..30).for_each(|_| rate.call(now));
        let mut now = Timestamp(99 * 86_400_000_000);
        let mut made = Vec::new();
        for _ in 0..4 {
            let next = rate.next_call(now);
            made.push(next.0 - 99 * 86_400_000_000);
            now = next;
            rate.call(now);
        }
        assert_eq!(made, [0, 100_000, 200_000, 300_000]);
    }

    #[test]
    fn the_last_call_for_a_while_is_known() {
        let mut rate = Rate::new(Pace { burst: 3, micros_per_call: 100_000 });
        let last: Vec<bool> = [0, 0, 0, 100_000, 500_000, 500_000, 500_000]
            .map(Timestamp)
            .map(|now| {
                let last = rate.is_last(now);
                rate.call(now);
                last
            })
            .into();
        assert_eq!(last, [false, false, true, true, false, false, true]);
    }

    #[test]
    fn waits_double_up_to_their_limit() {
        assert_eq!(back_off(1, 30_000_000, 1.0), 400_000);
        assert_eq!(back_off(2, 30_000_000, 0.5), 400_000);
        assert_eq!(back_off(5, 30_000_000, 1.0), 6_400_000);
        assert_eq!(back_off(60, 30_000_000, 1.0), 30_000_000);
        assert_eq!(back_off(3, 30_000_000, 0.0), 0);
    }
}
