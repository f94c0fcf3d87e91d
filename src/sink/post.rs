//! The pipeline's end of a way out: what a round found is staged, and enters the outbox in the commit of that round; the
//! sender has it only then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard, Notify};
use tokio_util::sync::CancellationToken;

#[cfg(test)]
use super::outbox::call::Call;
use super::outbox::call::{Answer, Limits, Outgoing};
#[cfg(test)]
use super::outbox::queue::Next;
use super::outbox::told::Told;
use super::outbox::{Outbox, Poison, Put};
use super::security_hub::asff::RecordState;
use super::way::Way;
use crate::finding::{Finding, FindingId};
use crate::memory::Memory;
use crate::metrics::METRICS;
use crate::rule::Severity;
use crate::time::{MICROS_PER_DAY, Timestamp};
use crate::wait::{blocking_lock, now, pause};

/// A commit is due when the memory's share of this is staged: less memory, and the first findings are sent while the last are sought.
const STAGED_BYTES_MAX: usize = 16 << 20;
/// How often a wait for the sender looks again.
const LOOK: Duration = Duration::from_millis(20);

/// What became of the findings of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Findings that the service accepted, new ones and updates; for S3 the objects, each with those of a commit.
    pub accepted: u64,
    /// Those it will never take. Each was named in the log with its reason.
    pub refused: u64,
    /// Those that wait in the archive's state for the next run,
    pub waiting: u64,
    /// and why, where the service said so.
    pub why: Option<String>,
}

/// What pipeline and sender share. Whoever has the lock may wait for a disk, so it is one that tasks can wait for.
#[derive(Clone)]
pub struct Shared {
    pub(super) way: Arc<Way>,
    pub(super) desk: Arc<Mutex<Desk>>,
    /// There is more to send.
    pub(super) filled: Arc<Notify>,
}

pub(super) struct Desk {
    pub outbox: Outbox,
    pub sent: Sent,
    /// Why some of the last call are sent again, where the service took others of it.
    again: Option<String>,
    /// Something was accepted or refused that the last commit still has.
    pub changed: bool,
    /// A commit has failed: the outbox holds what none has, and nothing more is sent.
    pub is_closed: bool,
}

impl Desk {
    fn new(limits: Limits) -> Desk {
        Desk { outbox: Outbox::new(limits), sent: Sent::default(), again: None, changed: false, is_closed: false }
    }

    /// Reads the answer to the call of this number; `random` as [`Outbox::answer`] has it.
    pub fn answered(&mut self, way: &Way, place: &str, call: (u64, Answer), now: Timestamp, random: f64) {
        let before = trouble(&self.outbox, place);
        let done = self.outbox.answer(place, call.0, call.1, now, random);
        match (before, trouble(&self.outbox, place)) {
            (None, Some(why)) => tracing::warn!(place, why, "{} takes nothing; findings wait", way.said()),
            (Some(before), Some(why)) if code(&before) != code(&why) => {
                tracing::warn!(place, why, "{} takes nothing, for another reason now; findings wait", way.said());
            }
            (Some(_), None) => tracing::warn!(place, "{} takes findings again", way.said()),
            (None, None) | (Some(_), Some(_)) => {}
        }
        if let Some(why) = done.why.as_ref().filter(|why| self.again.as_ref() != Some(*why)) {
            tracing::warn!(place, why, "{} left findings of a call out, which are sent again", way.said());
        }
        self.again = done.why;
        self.sent.accepted += done.accepted as u64;
        self.changed |= done.accepted > 0;
        self.refuse(way);
        self.gauge(way);
        METRICS.sent.with_label_values(&[way.name(), "accepted"]).inc_by(done.accepted as u64);
        METRICS.sent.with_label_values(&[way.name(), "again"]).inc_by(done.again as u64);
    }

    /// Names and counts what will never be taken.
    pub fn refuse(&mut self, way: &Way) {
        for Poison { place, outgoing, code, message } in self.outbox.take_poison() {
            refused(way, &outgoing.id, &place, &code, &message);
            self.sent.refused += 1;
            self.changed = true;
        }
    }

    /// Shows how full the outbox is.
    pub fn gauge(&self, way: &Way) {
        METRICS.queue_bytes.with_label_values(&[way.name()]).set(self.outbox.bytes() as i64);
        METRICS.queue_findings.with_label_values(&[way.name()]).set(self.outbox.len() as i64);
    }
}

fn trouble(outbox: &Outbox, place: &str) -> Option<String> {
    outbox.places().find(|(known, ..)| *known == place)?.2.map(|trouble| trouble.why.clone())
}

/// What of a reason stays the same from one try to the next: the message may name the request.
fn code(why: &str) -> &str {
    why.split_once(": ").map_or(why, |(code, _)| code)
}

impl Shared {
    pub fn way(&self) -> Arc<Way> {
        self.way.clone()
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        blocking_lock(&self.desk)
    }
}

/// The sender's part without its waits, for a simulation that has a clock of its own.
#[cfg(test)]
impl Shared {
    /// A call to make now, with its place; else the time at which there may be one.
    pub fn next_call(&self, now: Timestamp) -> Result<(String, Call), Option<Timestamp>> {
        let mut desk = self.desk();
        if desk.is_closed {
            return Err(None);
        }
        let places: Vec<String> = desk.outbox.places().map(|(place, ..)| place.to_owned()).collect();
        let mut due: Option<Timestamp> = None;
        for place in places {
            match desk.outbox.next(&place, now) {
                Next::Call(call) => return Ok((place, call)),
                Next::At(time) => due = Some(due.map_or(time, |due| due.min(time))),
                Next::AfterAnswer | Next::Nothing => {}
            }
        }
        Err(due)
    }

    /// The JSON of everything that waits.
    pub fn waiting(&self) -> Vec<Arc<str>> {
        self.desk().outbox.waiting()
    }

    pub fn answered(&self, place: &str, call: (u64, Answer), now: Timestamp, random: f64) {
        self.desk().answered(&self.way, place, call, now, random);
    }
}

fn refused(way: &Way, id: &str, place: &str, code: &str, why: &str) {
    tracing::warn!(id, place, code, why, "{} will not take a finding", way.said());
    METRICS.sent.with_label_values(&[way.name(), "refused"]).inc();
}

/// Findings on their way into the outbox of one way.
pub struct Post {
    shared: Shared,
    /// By place and id: a later form of a finding takes the place of an earlier one.
    staged: BTreeMap<(String, String), Outgoing>,
    staged_bytes: usize,
    /// When the newest finding that was staged was updated: an older one would change nothing.
    newest: Timestamp,
    memory: Memory,
    stop: CancellationToken,
}

/// Says how many findings wait for services that none of these is for: who takes one out of the configuration may have meant to keep what it was
/// to get. `saved` has the outboxes of the last commit, by the names of their ways.
pub fn tell_of_left(posts: &[Post], saved: &BTreeMap<String, Vec<u8>>) {
    let is_left = |name: &str| posts.iter().all(|post| post.way().name() != name);
    for (name, outbox) in saved.iter().filter(|(name, _)| is_left(name)) {
        // what cannot be read is refused once it is named again
        let findings = Outbox::waiting_in(outbox).unwrap_or(0);
        if findings > 0 {
            tracing::warn!(
                service = name.as_str(),
                findings,
                "findings wait for a service that is not configured: they are sent once it is"
            );
        }
    }
}

/// What may wait for a way: the memory's share of what it says.
fn limits(way: &Way, memory: Memory) -> Limits {
    let usual = way.limits();
    let (waiting_max, waiting_bytes_max) = (memory.of(usual.waiting_max), memory.of(usual.waiting_bytes_max));
    Limits { waiting_max, waiting_bytes_max, ..usual }
}

impl Post {
    /// Once `stop` is cancelled, a commit no longer waits for room. What may wait is the memory's share of what the way says.
    pub fn new(way: Way, memory: Memory, stop: CancellationToken) -> Post {
        let limits = limits(&way, memory);
        METRICS.queue_bytes_max.with_label_values(&[way.name()]).set(limits.waiting_bytes_max as i64);
        METRICS.queue_findings_max.with_label_values(&[way.name()]).set(limits.waiting_max as i64);
        let desk = Arc::new(Mutex::new(Desk::new(limits)));
        Post {
            shared: Shared { way: Arc::new(way), desk, filled: Arc::default() },
            staged: BTreeMap::new(),
            staged_bytes: 0,
            newest: Timestamp(0),
            memory,
            stop,
        }
    }

    pub fn way(&self) -> &Way {
        &self.shared.way
    }

    /// Another end of the same way, with its clients and credentials, on which nothing waits and nothing was told.
    #[must_use]
    pub fn anew(&self) -> Post {
        let limits = limits(self.way(), self.memory);
        Post {
            shared: Shared {
                way: self.shared.way.clone(),
                desk: Arc::new(Mutex::new(Desk::new(limits))),
                filled: Arc::default(),
            },
            staged: BTreeMap::new(),
            staged_bytes: 0,
            newest: Timestamp(0),
            memory: self.memory,
            stop: self.stop.clone(),
        }
    }

    /// Takes up the outbox where the last commit left it; no bytes mean an empty start. What is staged from now on is newer than
    /// all that was, though the clock was set back meanwhile; where it had been ahead by more than a day, newer than what waits.
    ///
    /// # Errors
    /// When the bytes are no saved outbox.
    ///
    /// # Panics
    /// On a thread that runs tasks.
    pub fn restore(&mut self, saved: &[u8], now: Timestamp) -> anyhow::Result<()> {
        let mut desk = self.shared.desk();
        desk.outbox.restore(saved)?;
        desk.gauge(&self.shared.way);
        let sent = desk.outbox.newest;
        let is_credible = sent.0 <= now.0.saturating_add(MICROS_PER_DAY);
        self.newest = desk.outbox.newest_of_all().max(if is_credible { sent } else { Timestamp::default() });
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
        let way = self.shared.way.clone();
        let due: Vec<&Finding> = match way.worth() {
            None => findings.iter().filter(|finding| finding.severity >= way.min_severity()).collect(),
            Some(worth) => {
                let mut desk = self.shared.desk();
                findings.iter().filter(|finding| desk.outbox.told.take(finding, worth, now)).collect()
            }
        };
        if due.is_empty() {
            return;
        }
        // a clock that was set back must not make an update look old
        self.newest = now.max(Timestamp(self.newest.0.saturating_add(1)));
        let states = self.states(&due);
        let form = |(finding, state): (&&Finding, RecordState)| way.form(finding, state, self.newest);
        let made: Vec<_> = due.par_iter().zip(states).map(form).collect();
        for ((place, made), finding) in made.into_iter().zip(due) {
            match made {
                Ok(outgoing) => {
                    self.staged_bytes += outgoing.json.len();
                    let before = self.staged.insert((place, outgoing.id.clone()), outgoing);
                    self.staged_bytes -= before.map_or(0, |before| before.json.len());
                }
                Err(why) => {
                    refused(&way, &finding.id.to_string(), &place, "Invalid", &why);
                    let mut desk = self.shared.desk();
                    desk.sent.refused += 1;
                    desk.changed = true;
                }
            }
        }
    }

    /// Takes the findings that do not hold now; gives those that are to be staged once more, since the service does not know
    /// that they do not hold, or that they hold again. `severity` is that of a finding that is open.
    ///
    /// # Panics
    /// On a thread that runs tasks.
    pub fn turn(
        &mut self,
        refuted: &BTreeSet<FindingId>,
        severity: impl Fn(&FindingId) -> Option<Severity>,
    ) -> BTreeSet<FindingId> {
        if !self.way().archives() {
            return BTreeSet::new();
        }
        self.shared.desk().outbox.archived.turn(refuted, severity)
    }

    fn states(&self, findings: &[&Finding]) -> Vec<RecordState> {
        let desk = self.shared.desk();
        let state = |finding: &&Finding| match desk.outbox.archived.has(finding) {
            true => RecordState::Archived,
            false => RecordState::Active,
        };
        findings.iter().map(state).collect()
    }

    /// Whether so much waits for the next commit that it should be made now.
    pub fn is_full(&self) -> bool {
        self.staged_bytes >= self.memory.of(STAGED_BYTES_MAX)
    }

    /// Whether findings wait for the next commit.
    pub fn has_staged(&self) -> bool {
        !self.staged.is_empty()
    }

    /// Whether one of these is critical.
    pub fn has_critical_staged(&self) -> bool {
        self.staged.values().any(|outgoing| outgoing.critical)
    }

    /// Whether the last commit no longer says what waits.
    ///
    /// # Panics
    /// On a thread that runs tasks.
    pub fn is_changed(&self) -> bool {
        self.has_staged() || self.shared.desk().changed
    }

    /// Waits until the outbox has room for what is staged.
    fn wait_for_room(&self) {
        while !self.stop.is_cancelled() {
            let has_room = self.shared.desk().outbox.has_room(self.staged.len(), self.staged_bytes);
            if has_room {
                return;
            }
            crate::health::HEALTH.waits();
            pause(LOOK);
        }
    }

    /// Puts what is staged into the outbox, and gives its bytes if they are others than the last commit's. Until the guard
    /// is dropped the sender has nothing of it.
    fn pack(&mut self, round: u64, now: Timestamp) -> (MutexGuard<'_, Desk>, Option<Vec<u8>>) {
        let mut desk = self.shared.desk();
        self.staged_bytes = 0;
        let staged = std::mem::take(&mut self.staged).into_iter().map(|((place, _), outgoing)| (place, outgoing));
        for (place, outgoing) in self.shared.way.pack(staged, round, now) {
            desk.changed = true;
            match desk.outbox.put(&place, outgoing) {
                Put::Waits | Put::Replaces | Put::Poison => {}
                Put::Stale => unreachable!("what is staged is newer than all that was"),
            }
        }
        desk.refuse(&self.shared.way);
        desk.outbox.told.trim(Told::MAX);
        let saved = desk.changed.then(|| desk.outbox.snapshot());
        (desk, saved)
    }

    /// Whether nothing waits any more, or all that does waits for places that deny access.
    fn is_idle(&self) -> bool {
        let desk = self.shared.desk();
        desk.outbox.places().all(|(_, _, trouble)| trouble.is_some_and(|trouble| trouble.denied))
    }

    /// The ids, as the way has them, of what is not accepted yet.
    ///
    /// # Panics
    /// On a thread that runs tasks.
    pub fn waiting(&self) -> Vec<String> {
        self.shared.desk().outbox.ids().map(str::to_owned).collect()
    }

    /// What has become of the findings so far.
    ///
    /// # Panics
    /// On a thread that runs tasks.
    pub fn sent(&self) -> Sent {
        let desk = self.shared.desk();
        let trouble = desk.outbox.places().find_map(|(place, _, trouble)| Some(format!("{place}: {}", trouble?.why)));
        let unanswered = || desk.outbox.is_out().then(|| "a call has no answer yet".to_owned());
        let waiting = desk.outbox.len() as u64;
        let why = trouble.or_else(|| desk.again.clone().filter(|_| waiting > 0)).or_else(unanswered);
        Sent { waiting, why, ..desk.sent.clone() }
    }
}

/// Waits until nothing waits any more, but for places that deny access, and no longer than until then, whatever the ways'
/// configurations say.
///
/// # Panics
/// On a thread that runs tasks.
pub fn drain_until(posts: &[Post], until: Instant) {
    while Instant::now() < until && !posts.iter().all(Post::is_idle) {
        pause(LOOK);
    }
}

/// Puts what is staged for the commit of a round into the outboxes and has `write` make those permanent that have changed, by
/// the names of their ways; only then may the senders have it. Waits first until there is room.
///
/// # Errors
/// That of `write`. Nothing more is sent then, since no commit has it, and the run has to end.
///
/// # Panics
/// On a thread that runs tasks.
pub fn commit(
    posts: &mut [Post],
    round: u64,
    now: Timestamp,
    write: impl FnOnce(BTreeMap<String, Vec<u8>>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    posts.iter().for_each(Post::wait_for_room);
    let mut outboxes = BTreeMap::new();
    let mut desks = Vec::with_capacity(posts.len());
    for post in posts.iter_mut() {
        let shared = post.shared.clone();
        let (desk, saved) = post.pack(round, now);
        outboxes.extend(saved.map(|saved| (shared.way.name().to_owned(), saved)));
        desks.push((desk, shared));
    }
    if let Err(error) = write(outboxes) {
        desks.iter_mut().for_each(|(desk, _)| desk.is_closed = true);
        return Err(error);
    }
    for (mut desk, shared) in desks {
        desk.changed = false;
        desk.gauge(&shared.way);
        shared.filled.notify_one();
    }
    Ok(())
}

/// Waits until nothing waits any more, for each way no longer than its configuration says, and not for places that deny
/// access.
///
/// # Panics
/// On a thread that runs tasks.
pub fn drain(posts: &[Post]) {
    let start = now();
    let waits = |post: &Post| now() - start < post.way().drain() && !post.is_idle();
    while posts.iter().any(waits) {
        pause(LOOK);
    }
}

#[cfg(test)]
mod tests;
