//! Whether the process still turns, and whether it is ready: what `/healthz` and `/readyz` answer.

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

/// A turn that lasts longer is stuck. The longest that was seen, a merge of files of the archive on a slow disk, took a tenth
/// of it; a turn that waits for room in the outbox says so and is not stuck.
pub const TURN_MAX: Duration = Duration::from_secs(300);

/// Of the process, as [`crate::metrics::METRICS`] is.
pub static HEALTH: LazyLock<Health> = LazyLock::new(Health::default);

#[derive(Default)]
pub struct Health(Mutex<Now>);

#[derive(Default)]
struct Now {
    phase: Phase,
    /// When the turn began that is not over.
    turning_since: Option<Instant>,
    turns: u64,
    /// Sources that ended while the others are read.
    ended: BTreeSet<String>,
    /// When the run was told to stop.
    told: Option<Instant>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The state is being restored, and sources are not started.
    #[default]
    Starting,
    Running,
    /// Told to stop, or at the end of its input: what was read is committed and sent.
    Stopping,
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub status: &'static str,
    pub phase: Phase,
    /// Seconds of the turn that is going on; `None` between two turns.
    pub turn_seconds: Option<f64>,
    /// Turns that are over.
    pub turns: u64,
    /// Sources that nothing is read from any more, though the run goes on.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub sources_ended: BTreeSet<String>,
}

impl Health {
    /// Nothing comes behind [`Phase::Stopping`]. All sources are begun anew behind [`Phase::Starting`].
    pub fn enter(&self, phase: Phase) {
        let mut now = self.now();
        if phase == Phase::Starting {
            now.ended.clear();
        }
        if now.phase != Phase::Stopping {
            now.phase = phase;
        }
    }

    /// A source has ended that was to be read on and on.
    pub fn lost(&self, source: &str) {
        self.now().ended.insert(source.to_owned());
    }

    /// The run is told to stop, which is not the end of its input.
    pub fn tell_to_stop(&self) {
        self.enter(Phase::Stopping);
        self.now().told.get_or_insert_with(Instant::now);
    }

    /// How long ago it was told to stop.
    pub fn told_to_stop(&self) -> Option<Duration> {
        self.now().told.map(|told| told.elapsed())
    }

    /// Takes note of a turn's beginning and end.
    pub fn during<T>(&self, turn: impl FnOnce() -> T) -> T {
        self.now().turning_since = Some(Instant::now());
        let done = turn();
        let mut now = self.now();
        now.turning_since = None;
        now.turns += 1;
        done
    }

    /// The turn that is going on only waits for others, who take their time: it begins anew.
    pub fn waits(&self) {
        let mut now = self.now();
        now.turning_since = now.turning_since.and(Some(Instant::now()));
    }

    /// `ok` unless a turn is stuck, and whether it is `ok`.
    pub fn alive(&self) -> (bool, Report) {
        let now = self.now();
        let alive = now.turning_since.is_none_or(|since| since.elapsed() < TURN_MAX);
        (alive, now.report(if alive { "ok" } else { "stuck" }))
    }

    /// `ready` while all sources are read, and whether it is.
    pub fn ready(&self) -> (bool, Report) {
        let now = self.now();
        let ready = now.phase == Phase::Running && now.ended.is_empty();
        (ready, now.report(if ready { "ready" } else { "not ready" }))
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Now {
    fn report(&self, status: &'static str) -> Report {
        let turn_seconds = self.turning_since.map(|since| since.elapsed().as_secs_f64());
        let sources_ended = self.ended.clone();
        Report { status, phase: self.phase, turn_seconds, turns: self.turns, sources_ended }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_without_end_is_stuck_and_one_that_waits_is_not() {
        let health = Health::default();
        assert!(health.during(|| health.alive().0));
        let report = health.alive().1;
        assert_eq!((report.status, report.turn_seconds, report.turns), ("ok", None, 1));
        let long_ago = Instant::now().checked_sub(TURN_MAX).expect("the machine runs for minutes");
        health.now().turning_since = Some(long_ago);
        let (alive, report) = health.alive();
        assert!(!alive && report.status == "stuck" && report.turn_seconds >= Some(300.0), "{report:?}");
        health.waits();
        assert!(health.alive().0);
    }

    #[test]
    fn it_is_ready_while_sources_are_read() {
        let health = Health::default();
        let ready = |health: &Health| {
            let (ready, report) = health.ready();
            (ready, serde_json::to_string(&report).unwrap())
        };
        let body = r#"{"status":"not ready","phase":"starting","turn_seconds":null,"turns":0}"#;
        assert_eq!(ready(&health), (false, body.to_owned()));
        health.enter(Phase::Running);
        let body = r#"{"status":"ready","phase":"running","turn_seconds":null,"turns":0}"#;
        assert_eq!(ready(&health), (true, body.to_owned()));
        health.lost("sqs://trail");
        let body =
            r#"{"status":"not ready","phase":"running","turn_seconds":null,"turns":0,"sources_ended":["sqs://trail"]}"#;
        assert_eq!(ready(&health), (false, body.to_owned()));
        health.enter(Phase::Starting);
        health.enter(Phase::Running);
        assert!(ready(&health).0, "it began again, with all of its sources");
        assert_eq!(health.told_to_stop(), None);
        health.tell_to_stop();
        health.enter(Phase::Running);
        assert!(health.told_to_stop().is_some());
        assert!(!ready(&health).0, "it was told to stop before it had begun");
    }
}
