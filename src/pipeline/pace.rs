//! How long after a commit findings may have the next one made, where each commit costs something.

use std::time::Duration;

/// Following, findings wait at most this long for the commit that lets them out,
pub const SEND_WAIT: Duration = Duration::from_secs(1);
/// and where each commit is a PUT of S3, this long on the average: at worst 17,280 a day, 9 cents.
const SEND_WAIT_REMOTE: Duration = Duration::from_secs(5);
/// Of that, what was not used lasts for so long: findings wait for [`SEND_WAIT`] alone unless they come all the time.
const SPARED_MAX: Duration = Duration::from_secs(3600);

/// The commits that findings bring forward.
pub struct Pace {
    /// Time that commits could have taken and did not; `None` where they cost nothing.
    spared: Option<Duration>,
}

impl Pace {
    pub fn new(is_remote: bool) -> Pace {
        Pace { spared: is_remote.then_some(SPARED_MAX) }
    }

    /// How long after the last commit findings may have the next.
    pub fn wait(&self) -> Duration {
        self.spared.map_or(SEND_WAIT, |spared| SEND_WAIT_REMOTE.saturating_sub(spared).max(SEND_WAIT))
    }

    /// A commit was made so long after the one before.
    pub fn committed(&mut self, after: Duration) {
        if let Some(spared) = &mut self.spared {
            *spared = spared.saturating_add(after).saturating_sub(SEND_WAIT_REMOTE).min(SPARED_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// Commits within a time in which there are always findings, and how long the last ones waited.
    fn made(pace: &mut Pace, within: Duration) -> (u64, Duration) {
        let (mut commits, mut time, mut wait) = (0, Duration::ZERO, Duration::ZERO);
        while time < within {
            wait = pace.wait();
            time += wait;
            pace.committed(wait);
            commits += 1;
        }
        (commits, wait)
    }

    #[test]
    fn findings_that_come_all_the_time_cost_no_more_than_a_commit_in_five_seconds() {
        let mut pace = Pace::new(true);
        let (commits, wait) = made(&mut pace, 24 * HOUR);
        assert_eq!(wait, Duration::from_secs(5));
        // of a day, and what an hour before it had spared
        assert!((17_280..=17_280 + 720).contains(&commits), "{commits}");
    }

    #[test]
    fn findings_that_come_now_and_then_wait_for_a_second() {
        let mut pace = Pace::new(true);
        made(&mut pace, 24 * HOUR);
        // a quiet minute, with the commits that rows have anyway
        for _ in 0..2 {
            pace.committed(Duration::from_secs(30));
        }
        assert_eq!(made(&mut pace, Duration::from_secs(12)), (12, Duration::from_secs(1)));
        // a quiet week is worth no more than a quiet hour
        pace.committed(7 * 24 * HOUR);
        assert_eq!(made(&mut pace, Duration::from_secs(900)), (900, Duration::from_secs(1)));
        assert_eq!(pace.wait(), Duration::from_secs(5));
    }

    #[test]
    fn a_state_on_a_disk_is_written_as_often_as_findings_have_it() {
        assert_eq!(made(&mut Pace::new(false), HOUR), (3600, Duration::from_secs(1)));
    }
}
