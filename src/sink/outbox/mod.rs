//! The outbox of one way out: findings in, the next call for a place out, answers in; what is neither accepted nor poison is
//! still here. Nothing in this folder opens a socket or reads a clock: the caller brings the time and the answers.

pub mod call;
pub mod rate;
pub mod queue;
pub mod told;
pub mod archived;
mod saved;

use std::collections::BTreeMap;

use crate::time::Timestamp;
use archived::Archived;
use call::{Answer, Limits, Outgoing};
use queue::{Next, Queue, Taken, Trouble};
use told::Told;

/// The findings that a service has not taken yet, for each of its places: the hubs of Security Hub, or the one bus, topic
/// or address of other ways. It bridges outages: its [`Outbox::snapshot`] goes into
/// the commit of the round that its findings come from.
///
/// It has room for so many findings and bytes. The caller asks with [`Outbox::has_room`] and waits before it commits:
/// nothing is lost, and nothing more is read.
#[derive(Debug)]
pub struct Outbox {
    limits: Limits,
    queues: BTreeMap<String, Queue>,
    poison: Vec<Poison>,
    /// What was told of so far, on ways that ask for it.
    pub told: Told,
    /// What was put aside there, on ways that know this.
    pub archived: Archived,
    /// When the finding that was updated last of all was, whatever became of it.
    pub(super) newest: Timestamp,
    next_number: u64,
}

/// A finding that the service will not take, and why. It is kept until [`Outbox::take_poison`] hands it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poison {
    pub place: String,
    pub outgoing: Outgoing,
    /// The service's code, or one of ours: `TooLarge`, `OutboxFull`.
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
    /// It is larger than the service takes.
    Poison,
}

/// What an answer did to the findings of its call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    pub accepted: usize,
    pub again: usize,
    /// Why the service left these out, where it took others of the call.
    pub why: Option<String>,
    pub poisoned: usize,
}

impl Outbox {
    pub fn new(limits: Limits) -> Outbox {
        let (told, archived) = (Told::default(), Archived::default());
        let newest = Timestamp::default();
        Outbox { limits, queues: BTreeMap::new(), poison: Vec::new(), told, archived, newest, next_number: 0 }
    }

    /// Findings that wait or are out, of all places.
    pub fn len(&self) -> usize {
        self.queues.values().map(Queue::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.queues.values().all(Queue::is_empty)
    }

    /// The ids of these, which may be of several places.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.queues.values().flat_map(Queue::ids)
    }

    /// Bytes of JSON of these.
    pub fn bytes(&self) -> usize {
        self.queues.values().map(Queue::bytes).sum()
    }

    /// The places that findings wait for, how many, and why they take none at present.
    pub fn places(&self) -> impl Iterator<Item = (&str, usize, Option<&Trouble>)> {
        let waiting = self.queues.iter().filter(|(_, queue)| !queue.is_empty());
        waiting.map(|(place, queue)| (place.as_str(), queue.len(), queue.trouble()))
    }

    /// Whether calls are out that have no answer yet.
    pub fn is_out(&self) -> bool {
        self.queues.values().any(Queue::is_out)
    }

    /// The JSON of everything that waits.
    #[cfg(test)]
    pub fn waiting(&self) -> Vec<std::sync::Arc<str>> {
        self.queues.values().flat_map(|queue| queue.held.values().map(|held| held.outgoing.json.clone())).collect()
    }

    /// Takes a finding to be sent. Of two with one id, the one updated later stays.
    pub fn put(&mut self, place: &str, outgoing: Outgoing) -> Put {
        let bytes_max = self.limits.finding_bytes_max;
        if outgoing.json.len() > bytes_max {
            let message = format!("{} bytes of JSON, and {bytes_max} are allowed", outgoing.json.len());
            self.poison.push(Poison { place: place.to_owned(), outgoing, code: "TooLarge".into(), message });
            return Put::Poison;
        }
        if self.newest(place, &outgoing.id).is_some_and(|newest| newest >= outgoing.updated_at) {
            return Put::Stale;
        }
        self.newest = self.newest.max(outgoing.updated_at);
        let limits = self.limits;
        match self.queues.entry(place.to_owned()).or_insert_with(|| Queue::new(limits)).put(outgoing) {
            Taken::New => Put::Waits,
            Taken::Update => Put::Replaces,
        }
    }

    /// When that of those that wait was that was updated last.
    pub fn newest_of_all(&self) -> Timestamp {
        self.queues.values().map(Queue::newest_of_all).max().unwrap_or_default()
    }

    fn newest(&self, place: &str, id: &str) -> Option<Timestamp> {
        self.queues.get(place)?.newest(id)
    }

    /// Whether so many findings more, together this long, fit. An empty outbox has room for everything: a round is never
    /// too large for it. Places that deny access must not stop the others, so the least urgent findings of the fullest of
    /// them become poison where there is no room.
    pub fn has_room(&mut self, findings: usize, bytes: usize) -> bool {
        let fits = |outbox: &Outbox| {
            outbox.len() + findings <= outbox.limits.waiting_max
                && outbox.bytes() + bytes <= outbox.limits.waiting_bytes_max
        };
        while !self.is_empty() && !fits(self) {
            let denied = self.queues.iter_mut().filter(|(_, queue)| queue.is_denied());
            let Some((place, queue)) = denied.max_by_key(|(_, queue)| queue.len()) else { return false };
            let why = queue.trouble().map(|trouble| trouble.why.clone()).unwrap_or_default();
            let Some(outgoing) = queue.give_up() else { return false };
            let message = format!("no room, and {place} denies access: {why}");
            self.poison.push(Poison { place: place.clone(), outgoing, code: "OutboxFull".into(), message });
        }
        true
    }

    /// The next call for a place, or when to ask again. Several calls may be out at once.
    pub fn next(&mut self, place: &str, now: Timestamp) -> Next {
        let Some(queue) = self.queues.get_mut(place) else { return Next::Nothing };
        let next = queue.next(now, self.next_number);
        self.next_number += u64::from(matches!(next, Next::Call(_)));
        next
    }

    /// Reads the answer to a call of [`Outbox::next`]; a call that got none is [`Answer::Unavailable`]. `random`, between 0
    /// and 1, spreads what is tried again.
    ///
    /// # Panics
    /// When the place has no such call out.
    pub fn answer(&mut self, place: &str, number: u64, answer: Answer, now: Timestamp, random: f64) -> Delivery {
        let queue = self.queues.get_mut(place).expect("a call was for a place that findings wait for");
        let outcome = queue.answer(number, answer, now, random);
        let (accepted, again, poisoned) = (outcome.accepted, outcome.again, outcome.poison.len());
        let poison = |(outgoing, code, message)| Poison { place: place.to_owned(), outgoing, code, message };
        self.poison.extend(outcome.poison.into_iter().map(poison));
        Delivery { accepted, again, why: outcome.why, poisoned }
    }

    /// Hands over what the service will not take. The caller keeps it somewhere in every turn: here it is not bounded.
    pub fn take_poison(&mut self) -> Vec<Poison> {
        std::mem::take(&mut self.poison)
    }
}

#[cfg(test)]
mod tests;
