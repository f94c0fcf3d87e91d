//! How long a call may take → when its parts must be over.

use std::time::{Duration, Instant};

/// Of what is left of a call, a third is for findings and archive, but so long at least
const RESERVE_MIN: Duration = Duration::from_secs(2);
/// and at most: a full call of Security Hub takes seconds, and so does an object of 32 MiB.
const RESERVE_MAX: Duration = Duration::from_secs(30);
/// For the answer itself.
const ANSWER: Duration = Duration::from_millis(500);

/// When the parts of a call must be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Nothing more is read or judged.
    pub read: Instant,
    /// Findings that are not accepted have failed.
    pub send: Instant,
    /// So have rows that are not archived.
    pub archive: Instant,
}

impl Ends {
    /// Of a call that has so long left.
    pub fn of(now: Instant, left: Duration) -> Ends {
        let reserve = (left / 3).clamp(RESERVE_MIN, RESERVE_MAX);
        let before = |end: Duration| now + left.saturating_sub(end);
        Ends { read: before(reserve), send: before(reserve / 2), archive: before(ANSWER) }
    }

    /// Whether there is no time to read anything.
    pub fn is_read_over(&self) -> bool {
        Instant::now() >= self.read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_is_for_findings_and_archive() {
        let now = Instant::now();
        let seconds = |left: f64| {
            let ends = Ends::of(now, Duration::from_secs_f64(left));
            [ends.read, ends.send, ends.archive].map(|end| (end - now).as_secs_f64())
        };
        assert_eq!(seconds(12.0), [8.0, 10.0, 11.5]);
        assert_eq!(seconds(900.0), [870.0, 885.0, 899.5]);
        assert_eq!(seconds(3.0), [1.0, 2.0, 2.5]);
        assert_eq!(seconds(1.0), [0.0, 0.0, 0.5]);
        assert_eq!(seconds(0.0), [0.0, 0.0, 0.0]);
    }
}
