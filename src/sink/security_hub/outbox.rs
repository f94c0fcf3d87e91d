//! The outbox: findings in, the next call for a hub out, answers in; what is neither accepted nor poison is still here.

mod saved;

use std::collections::BTreeMap;

use super::asff::FINDING_BYTES_MAX;
use super::call::{Answer, Outgoing};
use super::hub::Hub;
use super::queue::{Next, Queue, Taken, Trouble};
use crate::time::Timestamp;

/// The findings that Security Hub has not taken yet, for every hub. It bridges outages: its [`Outbox::snapshot`] goes into
/// the commit of the round that its findings come from.
///
/// It has room for so many findings and bytes. The caller asks with [`Outbox::has_room`] and waits before it commits:
/// nothing is lost, and nothing more is read.
#[derive(Debug)]
pub struct Outbox {
    findings_max: usize,
    bytes_max: usize,
    queues: BTreeMap<Hub, Queue>,
    poison: Vec<Poison>,
    next_number: u64,
}

/// A finding that Security Hub will not take, and why. It is kept until [`Outbox::take_poison`] hands it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poison {
    pub hub: Hub,
    pub outgoing: Outgoing,
    /// Security Hub's code, or one of ours: `TooLarge`, `OutboxFull`.
    pub code: String,
    pub message: String,
}

/// What became of a finding that was put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    Waits,
    /// In place of an older one with its id, which had not been accepted.
    Replaces,
    /// One with its id that is as new, or newer, waits already.
    Stale,
    /// It is larger than Security Hub takes.
    Poison,
}

/// What an answer did to the findings of its call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    pub accepted: usize,
    pub again: usize,
    pub poisoned: usize,
}

impl Outbox {
    /// Findings held at most, and bytes of their JSON.
    pub const FINDINGS_MAX: usize = 100_000;
    pub const BYTES_MAX: usize = 128 << 20;

    pub fn new() -> Outbox {
        Outbox::with_limits(Outbox::FINDINGS_MAX, Outbox::BYTES_MAX)
    }

    pub fn with_limits(findings_max: usize, bytes_max: usize) -> Outbox {
        Outbox { findings_max, bytes_max, queues: BTreeMap::new(), poison: Vec::new(), next_number: 0 }
    }

    /// Findings that wait or are out, of all hubs.
    pub fn len(&self) -> usize {
        self.queues.values().map(Queue::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.queues.values().all(Queue::is_empty)
    }

    /// Bytes of JSON of these.
    pub fn bytes(&self) -> usize {
        self.queues.values().map(Queue::bytes).sum()
    }

    /// The hubs that findings wait for, how many, and why they take none at present.
    pub fn hubs(&self) -> impl Iterator<Item = (&Hub, usize, Option<&Trouble>)> {
        let waiting = self.queues.iter().filter(|(_, queue)| !queue.is_empty());
        waiting.map(|(hub, queue)| (hub, queue.len(), queue.trouble()))
    }

    /// Takes a finding to be sent. Of two with one id, the one updated later stays.
    pub fn put(&mut self, hub: &Hub, outgoing: Outgoing) -> Put {
        if outgoing.json.len() > FINDING_BYTES_MAX {
            let message = format!("{} bytes of JSON, and {FINDING_BYTES_MAX} are allowed", outgoing.json.len());
            self.poison.push(Poison { hub: hub.clone(), outgoing, code: "TooLarge".into(), message });
            return Put::Poison;
        }
        if self.newest(hub, &outgoing.id).is_some_and(|newest| newest >= outgoing.updated_at) {
            return Put::Stale;
        }
        match self.queues.entry(hub.clone()).or_default().put(outgoing) {
            Taken::New => Put::Waits,
            Taken::Update => Put::Replaces,
        }
    }

    /// When the finding that was updated last of all was.
    pub fn newest_of_all(&self) -> Timestamp {
        self.queues.values().map(Queue::newest_of_all).max().unwrap_or_default()
    }

    fn newest(&self, hub: &Hub, id: &str) -> Option<Timestamp> {
        self.queues.get(hub)?.newest(id)
    }

    /// Whether so many findings more, together this long, fit. An empty outbox has room for everything: a round is never
    /// too large for it. Hubs that deny access must not stop the others, so the least urgent findings of the fullest of
    /// them become poison where there is no room.
    pub fn has_room(&mut self, findings: usize, bytes: usize) -> bool {
        let fits = |outbox: &Outbox| {
            outbox.len() + findings <= outbox.findings_max && outbox.bytes() + bytes <= outbox.bytes_max
        };
        while !self.is_empty() && !fits(self) {
            let denied = self.queues.iter_mut().filter(|(_, queue)| queue.is_denied());
            let Some((hub, queue)) = denied.max_by_key(|(_, queue)| queue.len()) else { return false };
            let why = queue.trouble().map(|trouble| trouble.why.clone()).unwrap_or_default();
            let Some(outgoing) = queue.give_up() else { return false };
            let message = format!("no room, and {hub} denies access: {why}");
            self.poison.push(Poison { hub: hub.clone(), outgoing, code: "OutboxFull".into(), message });
        }
        true
    }

    /// The next call for a hub, or when to ask again. Several calls may be out at once.
    pub fn next(&mut self, hub: &Hub, now: Timestamp) -> Next {
        let Some(queue) = self.queues.get_mut(hub) else { return Next::Nothing };
        let next = queue.next(now, self.next_number);
        self.next_number += u64::from(matches!(next, Next::Call(_)));
        next
    }

    /// Reads the answer to a call of [`Outbox::next`]; a call that got none is [`Answer::Unavailable`]. `random`, between 0
    /// and 1, spreads what is tried again.
    ///
    /// # Panics
    /// When the hub has no such call out.
    pub fn answer(&mut self, hub: &Hub, number: u64, answer: Answer, now: Timestamp, random: f64) -> Delivery {
        let queue = self.queues.get_mut(hub).expect("a call was for a hub that findings wait for");
        let outcome = queue.answer(number, answer, now, random);
        let (accepted, again, poisoned) = (outcome.accepted, outcome.again, outcome.poison.len());
        let poison = |(outgoing, code, message)| Poison { hub: hub.clone(), outgoing, code, message };
        self.poison.extend(outcome.poison.into_iter().map(poison));
        Delivery { accepted, again, poisoned }
    }

    /// Hands over what Security Hub will not take. The caller keeps it somewhere in every turn: here it is not bounded.
    pub fn take_poison(&mut self) -> Vec<Poison> {
        std::mem::take(&mut self.poison)
    }
}

impl Default for Outbox {
    fn default() -> Outbox {
        Outbox::new()
    }
}

#[cfg(test)]
mod tests;
