//! The pipeline's end of the sink: what a round found is staged, and enters the outbox in the commit of that round; the
//! sender has it only then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use super::asff::{About, RecordState};
use super::call::Outgoing;
use super::config::Routes;
use super::hub::Hub;
use super::outbox::{Outbox, Poison, Put};
use crate::finding::Finding;
use crate::metrics::METRICS;
use crate::time::Timestamp;

/// A commit is due when this much is staged: less memory, and the first findings are sent while the last are sought.
const STAGED_BYTES_MAX: usize = 16 << 20;
/// How often a wait for the sender looks again.
const LOOK: Duration = Duration::from_millis(20);

/// What became of the findings of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Imports that Security Hub accepted: new findings and updates.
    pub accepted: u64,
    /// Those it will never take. Each was named in the log with its reason.
    pub refused: u64,
    /// Those that wait in the archive's state for the next run,
    pub waiting: u64,
    /// and why, where a hub said so.
    pub why: Option<String>,
}

/// What pipeline and sender share. Whoever has the lock may wait for a disk, so it is one that tasks can wait for.
#[derive(Clone, Default)]
pub struct Shared {
    pub(super) desk: Arc<Mutex<Desk>>,
    /// There is more to send.
    pub(super) filled: Arc<Notify>,
}

#[derive(Default)]
pub(super) struct Desk {
    pub outbox: Outbox,
    pub sent: Sent,
    /// Something was accepted or refused that the last commit still has.
    pub changed: bool,
}

impl Desk {
    /// Names and counts what will never be taken.
    pub fn refuse(&mut self) {
        for Poison { hub, outgoing, code, message } in self.outbox.take_poison() {
            refused(&outgoing.id, &hub, &code, &message);
            self.sent.refused += 1;
            self.changed = true;
        }
    }

    /// Shows how full the outbox is.
    pub fn gauge(&self) {
        METRICS.queue_bytes.with_label_values(&["security_hub"]).set(self.outbox.bytes() as i64);
        METRICS.queue_findings.with_label_values(&["security_hub"]).set(self.outbox.len() as i64);
    }
}

fn refused(id: &str, hub: &Hub, code: &str, why: &str) {
    tracing::warn!(id, %hub, code, why, "security hub will not take a finding");
    METRICS.sent.with_label_values(&["security_hub", "refused"]).inc();
}

/// Findings on their way into the outbox.
pub struct Post {
    routes: Routes,
    shared: Shared,
    /// By hub and id: a later form of a finding takes the place of an earlier one.
    staged: BTreeMap<(Hub, String), Outgoing>,
    staged_bytes: usize,
    /// `UpdatedAt` of the newest finding that was staged: an older one would change nothing.
    newest: Timestamp,
    stop: CancellationToken,
    drain: Duration,
}

impl Post {
    /// Waits for `drain` at the end of a run. Once `stop` is cancelled, a commit no longer waits for room.
    pub fn new(routes: Routes, drain: Duration, stop: CancellationToken) -> Post {
        METRICS.queue_bytes_max.with_label_values(&["security_hub"]).set(Outbox::BYTES_MAX as i64);
        Post {
            routes,
            shared: Shared::default(),
            staged: BTreeMap::new(),
            staged_bytes: 0,
            newest: Timestamp(0),
            stop,
            drain,
        }
    }

    /// Takes up the outbox where the last commit left it; no bytes mean an empty start.
    ///
    /// # Errors
    /// When the bytes are no saved outbox.
    ///
    /// # Panics
    /// On a thread that runs tasks.
    pub fn restore(&mut self, saved: &[u8]) -> anyhow::Result<()> {
        let mut desk = self.shared.desk.blocking_lock();
        desk.outbox.restore(saved)?;
        desk.gauge();
        self.newest = desk.outbox.newest_of_all();
        drop(desk);
        self.shared.filled.notify_one();
        Ok(())
    }

    /// What the sender needs.
    pub fn shared(&self) -> Shared {
        self.shared.clone()
    }

    /// Makes findings ready for the next commit. One that has no valid form is named and counted.
    ///
    /// # Panics
    /// On a thread that runs tasks.
    pub fn stage(&mut self, findings: &[Finding], now: Timestamp) {
        if findings.is_empty() {
            return;
        }
        // a clock that was set back must not make an update look old
        self.newest = now.max(Timestamp(self.newest.0.saturating_add(1)));
        let made = findings.par_iter().map(|finding| {
            let hub = self.routes.hub(finding);
            let about = About { hub: &hub, first_sent: self.newest, now: self.newest, state: RecordState::Active };
            (Outgoing::new(finding, &about), finding, hub)
        });
        let made: Vec<_> = made.collect();
        for (made, finding, hub) in made {
            match made {
                Ok(outgoing) => {
                    self.staged_bytes += outgoing.json.len();
                    let before = self.staged.insert((hub, outgoing.id.clone()), outgoing);
                    self.staged_bytes -= before.map_or(0, |before| before.json.len());
                }
                Err(why) => {
                    refused(&finding.id.to_string(), &hub, "Invalid", &why);
                    self.shared.desk.blocking_lock().sent.refused += 1;
                }
            }
        }
    }

    /// Whether so much waits for the next commit that it should be made now.
    pub fn is_full(&self) -> bool {
        self.staged_bytes >= STAGED_BYTES_MAX
    }

    /// Whether findings wait for the next commit.
    pub fn has_staged(&self) -> bool {
        !self.staged.is_empty()
    }

    /// Whether the last commit no longer says what waits.
    ///
    /// # Panics
    /// On a thread that runs tasks.
    pub fn is_changed(&self) -> bool {
        self.has_staged() || self.shared.desk.blocking_lock().changed
    }

    /// Puts what is staged into the outbox and has `write` make the outbox's bytes permanent; only then may the sender have
    /// it. Waits first until there is room.
    ///
    /// # Errors
    /// That of `write`. The run has to end then: what was staged would be sent though no commit has it.
    ///
    /// # Panics
    /// On a thread that runs tasks.
    pub fn commit(&mut self, write: impl FnOnce(Vec<u8>) -> anyhow::Result<()>) -> anyhow::Result<()> {
        self.wait_for_room();
        let mut desk = self.shared.desk.blocking_lock();
        self.staged_bytes = 0;
        for ((hub, _), outgoing) in std::mem::take(&mut self.staged) {
            match desk.outbox.put(&hub, outgoing) {
                Put::Waits | Put::Replaces | Put::Poison => {}
                Put::Stale => unreachable!("what is staged is newer than all that was"),
            }
        }
        desk.refuse();
        write(desk.outbox.snapshot())?;
        desk.changed = false;
        desk.gauge();
        drop(desk);
        self.shared.filled.notify_one();
        Ok(())
    }

    fn wait_for_room(&self) {
        while !self.stop.is_cancelled() {
            let has_room = self.shared.desk.blocking_lock().outbox.has_room(self.staged.len(), self.staged_bytes);
            if has_room {
                return;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until nothing waits any more, no longer than the configuration says, and not for hubs that deny access.
    ///
    /// # Panics
    /// On a thread that runs tasks.
    pub fn drain(&self) {
        let start = Instant::now();
        while start.elapsed() < self.drain {
            let desk = self.shared.desk.blocking_lock();
            if desk.outbox.hubs().all(|(_, _, trouble)| trouble.is_some_and(|trouble| trouble.denied)) {
                return;
            }
            drop(desk);
            std::thread::sleep(LOOK);
        }
    }

    /// What has become of the findings so far.
    ///
    /// # Panics
    /// On a thread that runs tasks.
    pub fn sent(&self) -> Sent {
        let desk = self.shared.desk.blocking_lock();
        let why = desk.outbox.hubs().find_map(|(hub, _, trouble)| Some(format!("{hub}: {}", trouble?.why)));
        Sent { waiting: desk.outbox.len() as u64, why, ..desk.sent.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::one_match;
    use crate::sink::security_hub::call::Answer;
    use crate::sink::security_hub::config::Config;
    use crate::sink::security_hub::queue::Next;

    fn post() -> Post {
        let config = Config::of_hub("111122223333/us-east-1").unwrap();
        Post::new(Routes::new(&config).unwrap(), Duration::ZERO, CancellationToken::new())
    }

    fn found(actor: &str) -> Finding {
        one_match("cloudtrail/x", actor, Timestamp(1), "e")
    }

    fn waiting(post: &Post) -> usize {
        post.shared.desk.blocking_lock().outbox.len()
    }

    #[test]
    fn the_sender_has_a_finding_only_after_its_commit() {
        let mut post = post();
        post.stage(&[found("eve")], Timestamp(5));
        assert_eq!((waiting(&post), post.is_changed()), (0, true));
        let mut saved = Vec::new();
        let shared = post.shared();
        post.commit(|bytes| {
            assert!(shared.desk.try_lock().is_err(), "the sender could have it before it is permanent");
            saved = bytes;
            Ok(())
        })
        .unwrap();
        assert_eq!((waiting(&post), post.is_changed()), (1, false));
        let mut next = self::post();
        next.restore(&saved).unwrap();
        assert_eq!(waiting(&next), 1);
        post.stage(&[found("mallory")], Timestamp(6));
        assert_eq!(post.commit(|_| anyhow::bail!("disk full")).unwrap_err().to_string(), "disk full");
    }

    #[test]
    fn an_update_is_newer_though_the_clock_went_back() {
        let mut post = post();
        let at = |seconds: i64| Timestamp::from_seconds(1_700_000_000 + seconds);
        post.stage(&[found("eve")], at(100));
        let mut saved = Vec::new();
        post.commit(|bytes| {
            saved = bytes;
            Ok(())
        })
        .unwrap();
        let mut post = self::post();
        post.restore(&saved).unwrap();
        post.stage(&[Finding { count: 2, ..found("eve") }], at(50));
        post.commit(|_| Ok(())).unwrap();
        let mut desk = post.shared.desk.blocking_lock();
        let hub = Hub::new("111122223333", "us-east-1").unwrap();
        let Next::Call(call) = desk.outbox.next(&hub, at(100)) else { panic!() };
        assert_eq!(call.findings.len(), 1);
        let sent: serde_json::Value = serde_json::from_str(&call.findings[0]).unwrap();
        assert_eq!(
            (&sent["UpdatedAt"], &sent["ProductFields"]["weir/count"]),
            (&"2023-11-14T22:15:00.000001Z".into(), &"2".into())
        );
    }

    #[test]
    fn a_commit_waits_for_room_and_not_once_told_to_stop() {
        let mut post = post();
        post.shared.desk = Arc::new(Mutex::new(Desk { outbox: Outbox::with_limits(1, 1 << 20), ..Desk::default() }));
        post.stage(&[found("eve")], Timestamp(5));
        post.commit(|_| Ok(())).unwrap();
        post.stage(&[found("mallory")], Timestamp(6));
        let (shared, stop) = (post.shared(), post.stop.clone());
        let committing = std::thread::spawn(move || {
            post.commit(|_| Ok(())).unwrap();
            post
        });
        std::thread::sleep(5 * LOOK);
        assert!(!committing.is_finished());
        let hub = Hub::new("111122223333", "us-east-1").unwrap();
        {
            let mut desk = shared.desk.blocking_lock();
            let Next::Call(call) = desk.outbox.next(&hub, Timestamp(7)) else { panic!() };
            let taken = Answer::Imported { success_count: 1, failed: Vec::new() };
            assert_eq!(desk.outbox.answer(&hub, call.number, taken, Timestamp(7), 0.5).accepted, 1);
        }
        let mut post = committing.join().unwrap();
        post.stage(&[found("trudy")], Timestamp(8));
        stop.cancel();
        post.commit(|_| Ok(())).unwrap();
        assert_eq!(waiting(&post), 2);
    }
}
