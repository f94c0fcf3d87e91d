//! What the leases of a stream's shards say, and when that was seen → which of them this worker should take, and how.
//!
//! A lease says who reads a shard and how far that is committed. Whoever has it counts it up again and again; when the
//! count stands still for the expiry, the worker is taken for dead. Nothing here asks the table or reads a clock, and the
//! times are those of one worker's own monotonic clock: no two machines' clocks are ever compared.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::position::Offset;
use crate::time::Timestamp;

/// A worker that is asked for a shard holds it for at most so many expiries without beginning a commit.
const STAY: u32 = 10;

/// The lease of one shard, as it stands in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub shard: Arc<str>,
    /// `leaseOwner`.
    pub owner: Option<Arc<str>>,
    /// `checkpointOwner`: who had it before, and has yet to commit what it read. Until it has, or is silent for the
    /// expiry, the new owner does not read.
    pub leaving: Option<Arc<str>>,
    /// How often the one who leaves has said that it still commits.
    pub leaving_counter: u64,
    /// `leaseCounter`.
    pub counter: u64,
    /// `ownerSwitchesSinceCheckpoint`.
    pub switches: u64,
    pub mark: Mark,
    /// `parentShardId`.
    pub parents: Vec<Arc<str>>,
}

/// `checkpoint`: what is done of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Nothing, and it is begun at the oldest record.
    TrimHorizon,
    /// Nothing, and it is begun with what came at this time or later.
    Since(Timestamp),
    /// Everything up to here.
    Done(Offset),
}

impl Lease {
    /// The shard has been read to its end.
    pub fn is_done(&self) -> bool {
        self.mark == Mark::Done(Offset::End)
    }

    /// As it stands once `me`, who has it or is leaving it, has noted a commit in it.
    pub fn settled(&self, me: &str, done: Option<&Offset>) -> Lease {
        let mut lease = self.clone();
        match lease.leaving.as_deref() == Some(me) {
            true => lease.leaving_counter += 1,
            false => lease.counter += 1,
        }
        if let Some(done) = done {
            (lease.mark, lease.switches) = (Mark::Done(done.clone()), 0);
        }
        lease
    }

    /// Where to read on, when this worker has committed something of the shard itself, now or in an earlier life.
    ///
    /// That may be behind the lease, or before it by what was committed before there were leases. Either way everything up to the
    /// later of both is in somebody's archive.
    pub fn reach(&self, own: Option<&Offset>) -> Mark {
        // 0 is no record's: a mark that the shard was there when the stream was first read
        match (own.filter(|own| **own != Offset::at(0)), &self.mark) {
            (Some(own), Mark::Done(done)) => Mark::Done(own.max(done).clone()),
            (Some(own), Mark::TrimHorizon | Mark::Since(_)) => Mark::Done(own.clone()),
            (None, mark) => mark.clone(),
        }
    }
}

/// A lease to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Take {
    /// Nobody has it, or who has it is silent.
    Free(Lease),
    /// Its owner lives and has more than its part: it is asked to commit what it read, and to leave.
    Ask(Lease),
}

/// All leases of a stream, as one worker sees them.
#[derive(Debug)]
pub struct Leases {
    /// Names this life of the worker: `WORKER/LIFE`.
    me: Arc<str>,
    expiry: Duration,
    seen: BTreeMap<Arc<str>, Seen>,
}

#[derive(Debug)]
struct Seen {
    lease: Lease,
    /// Since when owner and counter stand as they do,
    since: Duration,
    /// since when it is asked of the one who leaves,
    asked_since: Duration,
    /// and since when that one has said nothing.
    leaving_since: Duration,
    /// The counter has been seen moving: the owner lived at some time since this worker looks.
    moved: bool,
}

impl Leases {
    pub fn new(me: &str, expiry: Duration) -> Leases {
        Leases { me: me.into(), expiry, seen: BTreeMap::new() }
    }

    /// The whole table was read at `now`.
    pub fn see(&mut self, leases: Vec<Lease>, now: Duration) {
        let shards: std::collections::BTreeSet<Arc<str>> = leases.iter().map(|lease| lease.shard.clone()).collect();
        self.seen.retain(|shard, _| shards.contains(shard));
        leases.into_iter().for_each(|lease| self.put(lease, now));
    }

    /// One lease was read or written at `now`.
    pub fn put(&mut self, lease: Lease, now: Duration) {
        let new = Seen { since: now, asked_since: now, leaving_since: now, moved: false, lease };
        let Some(seen) = self.seen.get_mut(&new.lease.shard) else {
            self.seen.insert(new.lease.shard.clone(), new);
            return;
        };
        let lease = new.lease;
        if (&lease.owner, lease.counter) != (&seen.lease.owner, seen.lease.counter) {
            seen.moved = lease.owner == seen.lease.owner;
            seen.since = now;
        }
        if lease.leaving != seen.lease.leaving {
            seen.asked_since = now;
        }
        if (&lease.leaving, lease.leaving_counter) != (&seen.lease.leaving, seen.lease.leaving_counter) {
            seen.leaving_since = now;
        }
        seen.lease = lease;
    }

    pub fn get(&self, shard: &str) -> Option<&Lease> {
        self.seen.get(shard).map(|seen| &seen.lease)
    }

    pub fn all(&self) -> impl Iterator<Item = &Lease> {
        self.seen.values().map(|seen| &seen.lease)
    }

    /// Those that this worker has and that are not done.
    pub fn own(&self) -> impl Iterator<Item = &Lease> {
        self.all().filter(|lease| self.is_own(lease) && !lease.is_done())
    }

    /// Those that this worker is asked to leave.
    pub fn to_leave(&self) -> impl Iterator<Item = &Lease> {
        self.all().filter(|lease| lease.leaving.as_ref() == Some(&self.me))
    }

    /// Those of them for which this worker says at each look that it has yet to commit what it read: while it makes a commit
    /// that has been confirmed (`is_committing`), since who takes the shard over before its end reads the same once more;
    /// and else for at most [`STAY`] times the expiry, so that one which never comes to its commit is not waited for.
    pub fn to_stay(&self, is_committing: impl Fn(&str) -> bool, now: Duration) -> impl Iterator<Item = &Lease> {
        let is_patient = move |lease: &&Lease| {
            let asked = self.seen.get(&lease.shard).map_or(now, |seen| seen.asked_since);
            is_committing(&lease.shard) || now.saturating_sub(asked) < STAY * self.expiry
        };
        self.to_leave().filter(is_patient)
    }

    pub fn is_own(&self, lease: &Lease) -> bool {
        lease.owner.as_ref() == Some(&self.me)
    }

    /// Who was to leave an own lease has been silent for the expiry.
    pub fn is_left_behind(&self, shard: &str, now: Duration) -> bool {
        self.seen.get(shard).is_some_and(|seen| now.saturating_sub(seen.leaving_since) >= self.expiry)
    }

    /// Whether who is to leave a lease has still to be waited for when its owner has gone: it may be about to commit what it read, unless
    /// it is silent too, or an earlier life of this worker.
    pub fn is_still_leaving(&self, lease: &Lease, now: Duration) -> bool {
        let is_other = |leaving: &Arc<str>| worker(leaving) != worker(&self.me);
        lease.leaving.as_ref().is_some_and(is_other) && !self.is_left_behind(&lease.shard, now)
    }

    /// Whether a shard may be read: its parents have been read to their ends, whoever read them. One that has no lease has aged
    /// out, unless it is still listed: then its lease is only being made.
    pub fn is_ready(&self, lease: &Lease, is_listed: impl Fn(&str) -> bool) -> bool {
        lease.parents.iter().all(|parent| self.get(parent).map_or(!is_listed(parent), Lease::is_done))
    }

    /// What to take now, so that every living worker comes to have about as many of the shards that can be read. Those that
    /// are free are taken at once; of those that others have, one at a time, and only from who has at least two more.
    pub fn wanted(&self, is_listed: impl Fn(&str) -> bool, now: Duration) -> Vec<Take> {
        let can_be_read = |seen: &&Seen| !seen.lease.is_done() && self.is_ready(&seen.lease, &is_listed);
        let open: Vec<&Seen> = self.seen.values().filter(can_be_read).collect();
        let mut free: Vec<&Lease> = Vec::new();
        let mut owners: BTreeMap<&Arc<str>, Vec<&Seen>> = BTreeMap::new();
        owners.insert(&self.me, Vec::new());
        for seen in &open {
            match &seen.lease.owner {
                Some(owner) if !self.is_silent(seen, owner, now) => owners.entry(owner).or_default().push(seen),
                Some(_) | None => free.push(&seen.lease),
            }
        }
        let own = owners.remove(&self.me).map_or(0, |own| own.len());
        let part = open.len().div_ceil(owners.len() + 1);
        // not in the same order as others who want them too
        free.sort_by_key(|lease| mixed(&self.me, &lease.shard));
        let room = part.saturating_sub(own);
        if !free.is_empty() {
            return free.into_iter().take(room).map(|lease| Take::Free(lease.clone())).collect();
        }
        let living = |leases: &&Vec<&Seen>| leases.iter().any(|seen| seen.moved);
        let Some(most) = owners.values().filter(living).max_by_key(|leases| leases.len()) else { return Vec::new() };
        if room == 0 || most.len() < own + 2 {
            return Vec::new();
        }
        let asked = most.iter().filter(|seen| seen.lease.leaving.is_none());
        let asked = asked.min_by_key(|seen| mixed(&self.me, &seen.lease.shard));
        asked.map(|seen| Take::Ask(seen.lease.clone())).into_iter().collect()
    }

    /// An earlier life of this worker is over, since one state has one process.
    fn is_silent(&self, seen: &Seen, owner: &Arc<str>, now: Duration) -> bool {
        if *owner == self.me {
            return false;
        }
        worker(owner) == worker(&self.me) || now.saturating_sub(seen.since) >= self.expiry
    }
}

/// The worker of which a name is a life.
fn worker(name: &str) -> Option<&str> {
    name.rsplit_once('/').map(|(worker, _)| worker)
}

fn mixed(worker: &str, shard: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (worker, shard).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
