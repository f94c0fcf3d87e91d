//! A stream whose shards several workers share → pieces of the shards that this one has the leases of.
//!
//! One task keeps the leases: it takes, renews and leaves them, begins and stops the readers of their shards, answers the
//! pipeline, before each commit, whether it still has what it read, and writes into the table, behind it, what it has. All of
//! its writes have a condition, so that a worker that was stopped for longer than the expiry, at whatever time, commits nothing of a
//! shard that another has taken meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use aws_sdk_kinesis::Client;
use futures::future::join_all;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::stream::Remade;
use super::table::{Change, SETTLED_MAX, Table, Unanswered};
use super::trouble::{Backoff, patiently};
use super::{Config, Ended, LIST_EVERY, LIST_PAUSE, Readers, following, stream, tell_remade, unreadable};
use crate::aws::Aws;
use crate::aws::trust::Trust;
use crate::decode::kpl::HashRange;
use crate::metrics::METRICS;
use crate::position::{Checkpoint, Offset, Position};
use crate::source::claims::{Ask, Claims, Lost, Note, random_name};
use crate::source::lease::{Lease, Leases, Mark, Take};
use crate::source::shards::{Due, ReadFrom, Shard, Start, ancestors};
use crate::source::{Event, Feed, Piece};
use crate::wait::{boottime, changed, clock, now, select, sleep, sleep_until};

/// Leases are looked at and renewed so often within the time in which they expire.
const TICKS: u32 = 4;
/// From one try of a call that must succeed to the next.
const PAUSE: Duration = Duration::from_millis(500);
/// Tries of it once the program is told to stop.
const TRIES_MAX: u32 = 3;

/// Reads the shards that leases are got for, until it is told to stop and the last commit has been made. When another stream comes
/// to have the name, it goes on with that one; it is unreadable when stream, shards or leases are not there, or access is denied.
pub(super) async fn run(config: Config, leases: &super::Leases, aws: &Aws, reader: (Client, Trust), mut feed: Feed) {
    loop {
        let keeper = match open(config.clone(), leases, aws, reader.clone(), feed.clone()).await {
            Ok(Some(keeper)) => keeper,
            Ok(None) => return,
            Err(error) if error.is::<Remade>() => continue,
            Err(error) => return unreadable(&feed, config.stream.to_string(), &error).await,
        };
        // the last commit comes when every source has let go of its feed
        drop(feed);
        match keeper.run().await {
            Some(following) => feed = following,
            None => return,
        }
    }
}

/// Gets the table and all leases there are, and makes those that are missing; `None` when it is told to stop meanwhile.
///
/// # Errors
/// When stream, shards or leases cannot be read: they are not there, or access is denied.
async fn open(
    config: Config,
    leases: &super::Leases,
    aws: &Aws,
    reader: (Client, Trust),
    feed: Feed,
) -> anyhow::Result<Option<Keeper>> {
    let stop = feed.stop.clone();
    select! {
        keeper = start(config, leases, aws, reader, feed) => keeper.map(Some),
        () = stop.cancelled() => Ok(None),
    }
}

async fn start(
    config: Config,
    leases: &super::Leases,
    aws: &Aws,
    reader: (Client, Trust),
    feed: Feed,
) -> anyhow::Result<Keeper> {
    let (client, trust) = reader;
    let name = config.stream.to_string();
    let told = patiently(&name, || stream::describe(&client, &config.stream)).await;
    let told = told.with_context(|| format!("describing {name}"))?;
    let table = Table::open(aws, &leases.table, &told.arn, told.created_millis).await;
    let table = table.with_context(|| format!("sharing {name}"))?;
    let expiry = Duration::from_secs(leases.expiry_seconds);
    let me: Arc<str> = format!("{}/{}", feed.worker, random_name()).into();
    let partition = format!("kinesis:{}/", told.partition);
    let forget = tell_remade(&name, &told.partition, &feed.resume);
    let start = config.settings.start;
    let mut keeper = Keeper {
        asks: feed.claims.answer_for(&partition),
        committed: feed.committed.clone(),
        claims: feed.claims.clone(),
        stop: feed.stop.clone(),
        leases: Leases::new(&me, expiry),
        start: if forget.is_empty() { start } else { start.of_another() },
        following: None,
        readers: None,
        handed: Arc::default(),
        name: name.clone(),
        table,
        me,
        expiry,
        partition,
        listing: BTreeMap::new(),
        listed_at: None,
        next_listing: now() + LIST_EVERY,
        unlisted: BTreeMap::new(),
        reading: BTreeMap::new(),
        begun: now(),
        stopping: false,
        failed: false,
        committing: BTreeSet::new(),
    };
    // all that a commit moves has to stand at once
    let readers = Readers::new(config, client, trust, feed, told, SETTLED_MAX).await?;
    if !forget.is_empty() {
        // when the pipeline has gone, the program is to stop
        let _ = readers.shared.feed.send(Event::Piece(Piece { forget, ..Piece::default() })).await;
    }
    keeper.handed = readers.shared.handed.clone();
    let mut backoff = Backoff::new(&name);
    while let Err(error) = keeper.scan().await {
        keeper.pause("reading leases", error, &mut backoff).await?;
    }
    let begun = now();
    let shards = patiently(&name, || readers.shared.list()).await?;
    keeper.readers = Some(readers);
    while let Err(error) = keeper.listed(shards.clone(), begun).await {
        keeper.pause("making leases", error, &mut backoff).await?;
    }
    tracing::info!(stream = name, worker = %keeper.me, "sharing a stream by leases");
    Ok(keeper)
}

pub(super) struct Keeper {
    /// `None` once all have ended and the program is to stop: the last commit comes when every source has let go of its feed.
    readers: Option<Readers>,
    /// Of the stream that has come to have the name, unless the program is to stop.
    following: Option<Feed>,
    table: Table,
    /// `kinesis://STREAM`.
    name: String,
    claims: Claims,
    stop: CancellationToken,
    /// How far each partition has been handed on.
    handed: Arc<Mutex<BTreeMap<Arc<str>, Offset>>>,
    me: Arc<str>,
    expiry: Duration,
    /// What the names of the stream's partitions begin with.
    partition: String,
    start: Start,
    asks: UnboundedReceiver<Ask>,
    committed: watch::Receiver<Arc<Checkpoint>>,
    leases: Leases,
    listing: BTreeMap<Arc<str>, Shard>,
    /// When the listing was asked for, whose shards all have leases.
    listed_at: Option<Instant>,
    next_listing: Instant,
    /// Own shards that are to be read and that the listing does not have, with since when that is known.
    unlisted: BTreeMap<Arc<str>, Instant>,
    reading: BTreeMap<Arc<str>, Reading>,
    begun: Instant,
    stopping: bool,
    /// The stream can be read no more; what was read of it is still to be committed.
    failed: bool,
    /// Partitions whose commit was confirmed and has not been heard of yet.
    committing: BTreeSet<Arc<str>>,
}

/// A shard that is read, or that was, and is not all committed.
struct Reading {
    stop: CancellationToken,
    /// Its reader has ended; nothing more is handed on.
    is_over: bool,
    /// It was read to its end, at this time.
    ended: Option<Instant>,
    /// Another worker has it, who did not wait for us.
    is_lost: bool,
}

impl Keeper {
    /// Reads the shards that leases are got for, until it is told to stop and the last commit has been made. Where the stream can
    /// be read no more, it keeps the leases until what was read before is committed: nobody else can read that any more. Gives
    /// the feed for another stream that has come to have its name.
    async fn run(mut self) -> Option<Feed> {
        while let Err(error) = self.work().await {
            if let Some(readers) = &self.readers {
                let feed = &readers.shared.feed;
                match error.is::<Remade>() {
                    true => self.following = Some(following(self.stream(), feed.clone())),
                    false => unreadable(feed, self.name.clone(), &error).await,
                }
            }
            (self.stopping, self.failed) = (true, true);
            self.reading.values().for_each(|reading| reading.stop.cancel());
        }
        self.release().await;
        self.following
    }

    /// The stream as positions name it.
    fn stream(&self) -> &str {
        self.partition.trim_start_matches("kinesis:").trim_end_matches('/')
    }

    async fn work(&mut self) -> anyhow::Result<()> {
        let stop = self.stop.clone();
        let remade = self.readers.as_ref().map(|readers| readers.shared.remade.clone()).unwrap_or_default();
        let mut listings: JoinSet<(Instant, anyhow::Result<Vec<Shard>>)> = JoinSet::new();
        let mut next = now();
        loop {
            if self.stopping && listings.is_empty() && self.readers.as_ref().is_some_and(|all| all.tasks.is_empty()) {
                self.readers = None;
                // also that of one that panicked
                self.reading.values_mut().for_each(|reading| reading.is_over = true);
            }
            if self.failed && self.readers.is_none() && self.reading.keys().all(|shard| self.is_committed(shard)) {
                return Ok(());
            }
            tokio::select! {
                biased;
                Some(ask) = self.asks.recv() => {
                    let answer = self.answer(&ask).await;
                    self.committing = match &answer {
                        Ok(_) => ask.moved.into_iter().map(|position| position.partition).collect(),
                        Err(_) => BTreeSet::new(),
                    };
                    // who asked may have gone
                    let _ = ask.answer.send(answer);
                }
                told = changed(&mut self.committed) => {
                    if told.is_err() {
                        self.following = None;
                        return Ok(());
                    }
                    self.committing.clear();
                    self.renew(|_, done| done.is_some()).await;
                    self.leave().await;
                }
                Some(ended) = next_ended(&mut self.readers) => {
                    let (shard, ended) = ended.context("the reader of a shard panicked")?;
                    self.ended(&shard, &ended);
                    self.leave().await;
                }
                Some(listing) = listings.join_next() => {
                    let (asked, shards) = listing.context("a listing panicked")?;
                    let listed = match shards {
                        Ok(shards) => self.listed(shards, asked).await,
                        Err(error) if stream::is_gone(&error) || error.is::<Remade>() => return Err(error),
                        Err(error) => Err(error),
                    };
                    self.told("listing shards", listed);
                }
                () = stop.cancelled(), if self.following.is_some() => self.following = None,
                () = remade.cancelled(), if !self.stopping => return Err(Remade.into()),
                () = stop.cancelled(), if !self.stopping => {
                    self.stopping = true;
                    self.reading.values().for_each(|reading| reading.stop.cancel());
                }
                () = sleep_until(self.next_listing), if listings.is_empty() && !self.stopping => {
                    self.next_listing = now() + LIST_EVERY;
                    if let Some(readers) = &self.readers {
                        let shared = readers.shared.clone();
                        listings.spawn(async move { (now(), shared.list().await) });
                    }
                }
                () = sleep_until(next) => {
                    next = now() + self.expiry / TICKS;
                    self.tick().await;
                }
            }
        }
    }

    fn now(&self) -> Duration {
        now() - self.begun
    }

    fn told(&self, what: &str, result: anyhow::Result<()>) {
        if let Err(error) = result {
            tracing::warn!(stream = self.name, error = format!("{error:#}"), "{what}: trying again");
        }
    }

    /// Waits before it is done again.
    ///
    /// # Errors
    /// The same, if it will not come to pass by itself.
    async fn pause(&self, what: &str, error: anyhow::Error, backoff: &mut Backoff) -> anyhow::Result<()> {
        if !error.is::<Unanswered>() {
            return Err(error);
        }
        let wait = backoff.next();
        if backoff.is_news() {
            self.told(what, Err(error));
        }
        sleep(wait).await;
        Ok(())
    }

    async fn tick(&mut self) {
        if let Err(error) = self.scan().await {
            return self.told("reading leases", Err(error));
        }
        self.notice();
        self.renew(|_, _| true).await;
        self.leave().await;
        self.stay().await;
        if !self.stopping {
            self.take().await;
            self.look_for_unlisted();
            self.begin();
        }
        let name = self.name.as_str();
        METRICS.kinesis_leases.with_label_values(&[name]).set(self.leases.own().count() as i64);
        let reading = self.reading.values().filter(|reading| !reading.is_over).count();
        METRICS.kinesis_shards.with_label_values(&[name]).set(reading as i64);
    }

    async fn scan(&mut self) -> anyhow::Result<()> {
        let leases = self.table.scan().await?;
        self.leases.see(leases, self.now());
        Ok(())
    }

    /// Takes a listing that was asked for at this time: makes leases for shards that have none, and removes those of shards
    /// that have left the stream.
    async fn listed(&mut self, shards: Vec<Shard>, asked: Instant) -> anyhow::Result<()> {
        self.listing = shards.into_iter().map(|shard| (shard.id.clone(), shard)).collect();
        let new: Vec<&Shard> = self.listing.values().filter(|shard| self.leases.get(&shard.id).is_none()).collect();
        // Ids rise: children before their parents. If this ends in the middle, a shard without a lease is then still known as
        // one that was there at the start, or, where its parent has a lease, as one that was born later.
        for shard in new.into_iter().rev() {
            self.table.make(shard, &self.first_mark(shard)).await?;
        }
        let gone = |lease: &&Lease| lease.is_done() && !self.listing.contains_key(&lease.shard);
        for lease in self.leases.all().filter(gone) {
            self.table.delete(&lease.shard).await?;
        }
        self.listed_at = Some(asked);
        self.scan().await
    }

    /// Where a shard is begun that has no lease yet.
    fn first_mark(&self, shard: &Shard) -> Mark {
        match self.committed_of(&shard.id) {
            // this worker has read it before there were leases
            Some(offset) => Mark::Done(offset),
            None if shard.parents.iter().any(|parent| self.leases.get(parent).is_some()) => Mark::TrimHorizon,
            None => match self.start {
                Start::TrimHorizon => Mark::TrimHorizon,
                Start::Latest if shard.closed => Mark::Done(Offset::End),
                Start::Latest => Mark::Since(clock()),
                Start::At(time) => Mark::Since(time),
            },
        }
    }

    /// What this worker has committed of a shard, now or in an earlier life.
    fn committed_of(&self, shard: &str) -> Option<Offset> {
        let committed = self.committed.borrow();
        committed.0.get(&*format!("{}{shard}", self.partition)).filter(|offset| **offset != Offset::at(0)).cloned()
    }

    /// Everything that was handed on of a shard is committed.
    fn is_committed(&self, shard: &str) -> bool {
        let handed = self.handed.lock().expect("nobody panics while holding it");
        let handed = handed.get(&*format!("{}{shard}", self.partition)).cloned();
        handed.is_none_or(|handed| self.committed_of(shard).is_some_and(|committed| committed >= handed))
    }

    /// What the table has yet to be told of a lease's shard. That a shard is done only once its children have leases, so that no
    /// one takes them for shards that nobody will read.
    fn done(&self, lease: &Lease) -> Option<Offset> {
        let committed = self.committed_of(&lease.shard)?;
        (is_news(lease, &committed) && (committed != Offset::End || self.has_children_leased(&lease.shard)))
            .then_some(committed)
    }

    fn has_children_leased(&self, shard: &str) -> bool {
        let ended = self.reading.get(shard).and_then(|reading| reading.ended);
        self.listed_at.is_some_and(|listed| ended.is_none_or(|ended| ended < listed))
    }

    /// Stops the readers of shards that are another's by now, and forgets those that nothing more is to be done for.
    fn notice(&mut self) {
        let shards: Vec<Arc<str>> = self.reading.keys().cloned().collect();
        for shard in shards {
            let lease = self.leases.get(&shard);
            let is_own = lease.is_some_and(|lease| self.leases.is_own(lease));
            let is_done = lease.is_some_and(Lease::is_done);
            let is_asked = lease.is_some_and(|lease| lease.leaving.as_ref() == Some(&self.me));
            let is_committed = self.is_committed(&shard);
            let reading = self.reading.get_mut(&shard).expect("its key was just read");
            if is_own && !reading.is_lost {
                if is_done && reading.is_over && is_committed {
                    self.reading.remove(&shard);
                }
                continue;
            }
            reading.stop.cancel();
            if is_asked && !reading.is_lost {
                self.claims.hurry();
                continue;
            }
            if !std::mem::replace(&mut reading.is_lost, true) {
                METRICS.kinesis_lease_changes.with_label_values(&["lost"]).inc();
                tracing::warn!(stream = self.name, %shard, "another worker has taken the lease of a shard");
            }
            if reading.is_over && is_committed {
                self.reading.remove(&shard);
            } else {
                // a commit of it will be refused, and what was read is then dropped
                self.claims.hurry();
            }
        }
    }

    /// Renews those of the own leases that are wanted, and tells what has been committed of their shards.
    async fn renew(&mut self, is_wanted: impl Fn(&Lease, &Option<Offset>) -> bool) {
        let own = self.leases.own().filter(|lease| !self.reading.get(&lease.shard).is_some_and(|read| read.is_lost));
        let own: Vec<(Lease, Option<Offset>)> = own.map(|lease| (lease.clone(), self.done(lease))).collect();
        let writes = own.iter().filter(|(lease, done)| is_wanted(lease, done)).map(|(lease, done)| {
            let forget_leaving = lease.leaving.is_some() && self.leases.is_left_behind(&lease.shard, self.now());
            self.table.change(lease, &self.me, Change::Renew { done: done.as_ref(), forget_leaving })
        });
        let written = join_all(writes).await;
        self.put(written);
    }

    /// Takes what writes have answered. One that was refused is told of by the next scan.
    fn put(&mut self, written: Vec<anyhow::Result<Option<Lease>>>) {
        let now = self.now();
        for written in written {
            match written {
                Ok(Some(lease)) => self.leases.put(lease, now),
                Ok(None) => {}
                Err(error) => self.told("writing a lease", Err(error)),
            }
        }
    }

    /// Leaves shards that another worker has asked for, once all that was read of them is committed.
    async fn leave(&mut self) {
        let is_over = |shard: &str| self.reading.get(shard).is_none_or(|reading| reading.is_over && !reading.is_lost);
        let is_told = |lease: &Lease| {
            self.committed_of(&lease.shard) != Some(Offset::End) || self.has_children_leased(&lease.shard)
        };
        let ready = |lease: &&Lease| is_over(&lease.shard) && self.is_committed(&lease.shard) && is_told(lease);
        let left: Vec<(Lease, Option<Offset>)> =
            self.leases.to_leave().filter(ready).map(|lease| (lease.clone(), self.done(lease))).collect();
        let writes =
            left.iter().map(|(lease, done)| self.table.change(lease, &self.me, Change::Leave { done: done.as_ref() }));
        let written = join_all(writes).await;
        for ((lease, _), written) in left.iter().zip(&written) {
            if let Ok(Some(_)) = written {
                self.reading.remove(&lease.shard);
                METRICS.kinesis_lease_changes.with_label_values(&["left"]).inc();
                tracing::info!(stream = self.name, shard = %lease.shard, "left a shard to another worker");
            }
        }
        self.put(written);
    }

    /// Says of what is left over of the shards to leave that it has yet to be committed.
    async fn stay(&mut self) {
        let is_committing = |shard: &str| self.committing.contains(&*format!("{}{shard}", self.partition));
        let staying = self.leases.to_stay(is_committing, self.now());
        let staying = staying.filter(|lease| self.reading.get(&lease.shard).is_some_and(|reading| !reading.is_lost));
        let staying: Vec<Lease> = staying.cloned().collect();
        let written = join_all(staying.iter().map(|lease| self.table.change(lease, &self.me, Change::Stay))).await;
        self.put(written);
    }

    async fn take(&mut self) {
        let wanted = self.leases.wanted(|shard| self.listing.contains_key(shard), self.now());
        for take in wanted {
            let (lease, change, what) = match take {
                Take::Free(lease) => {
                    let still_leaves = self.leases.is_still_leaving(&lease, self.now());
                    (lease, Change::Take { still_leaves }, "taken")
                }
                Take::Ask(lease) => (lease, Change::Ask, "asked"),
            };
            // what was read of it in vain is not dropped yet
            if self.reading.contains_key(&lease.shard) {
                continue;
            }
            let written = self.table.change(&lease, &self.me, change).await;
            if let Ok(Some(_)) = &written {
                METRICS.kinesis_lease_changes.with_label_values(&[what]).inc();
            }
            self.put(vec![written]);
        }
    }

    /// An own shard that the listing does not have was born after it, and another worker has made its lease; or it has left the
    /// stream, and nobody has read it to its end. The next listing tells which.
    fn look_for_unlisted(&mut self) {
        let now = now();
        let is_unlisted =
            |lease: &&Lease| !self.listing.contains_key(&lease.shard) && !self.reading.contains_key(&lease.shard);
        let unlisted: BTreeSet<Arc<str>> =
            self.leases.own().filter(is_unlisted).map(|lease| lease.shard.clone()).collect();
        self.unlisted.retain(|shard, _| unlisted.contains(shard));
        for shard in unlisted {
            self.unlisted.entry(shard).or_insert(now);
        }
        if self.unlisted.keys().any(|shard| !self.has_left_the_stream(shard)) {
            self.next_listing = self.next_listing.min(now + LIST_PAUSE);
        }
    }

    /// A listing that was asked for after the shard had a lease does not have it.
    fn has_left_the_stream(&self, shard: &str) -> bool {
        self.unlisted.get(shard).is_some_and(|since| self.listed_at.is_some_and(|listed| listed > *since))
    }

    /// Begins to read what is this worker's, and nobody else has to leave first.
    fn begin(&mut self) {
        let is_listed = |shard: &str| self.listing.contains_key(shard);
        let is_new = |lease: &&Lease| {
            lease.leaving.is_none()
                && !self.reading.contains_key(&lease.shard)
                && self.leases.is_ready(lease, is_listed)
        };
        let due: Vec<Due> = self.leases.own().filter(is_new).filter_map(|lease| self.due(lease)).collect();
        let Some(readers) = &mut self.readers else { return };
        for due in due {
            let stop = self.stop.child_token();
            let reading = Reading { stop: stop.clone(), is_over: false, ended: None, is_lost: false };
            self.reading.insert(due.shard.clone(), reading);
            readers.begin(due, stop);
        }
    }

    /// `None` when there is nothing to read.
    fn due(&self, lease: &Lease) -> Option<Due> {
        let (range, ancestors) = match self.listing.get(&lease.shard) {
            Some(shard) => (shard.range, ancestors(&shard.id, |id| self.listing.get(id))),
            // its reader is told that there is no such shard, says so, and brings it to its end: its children wait for that
            None if self.has_left_the_stream(&lease.shard) => (HashRange { first: 0, last: u128::MAX }, Vec::new()),
            None => return None,
        };
        let from = match lease.reach(self.committed_of(&lease.shard).as_ref()) {
            Mark::TrimHorizon => ReadFrom::TrimHorizon,
            Mark::Since(time) => ReadFrom::Time(time),
            Mark::Done(offset) => match offset.record()? {
                (sequence, None) => ReadFrom::After(sequence.into()),
                (sequence, Some(within)) => ReadFrom::Inside(sequence.into(), within),
            },
        };
        let partition = format!("{}{}", self.partition, lease.shard).into();
        Some(Due { shard: lease.shard.clone(), range, ancestors, partition, from })
    }

    fn ended(&mut self, shard: &str, ended: &Ended) {
        let now = now();
        let Some(reading) = self.reading.get_mut(shard) else { return };
        reading.is_over = true;
        match ended {
            Ended::Stopped => return,
            Ended::Whole(_) => {}
        }
        reading.ended = Some(now);
        // its children need leases, and the end a commit
        self.next_listing = self.next_listing.min(now + LIST_PAUSE);
        self.claims.hurry();
        if let Some(readers) = &self.readers {
            readers.over(shard);
        }
    }

    /// Whether all of these partitions are still this worker's, and until when nobody else can take them, but for the time that
    /// the commit itself takes: half of the expiry. With a note, has the commit that was made of them stand. Asks until there is an
    /// answer.
    async fn answer(&mut self, ask: &Ask) -> Result<Duration, Lost> {
        let mut tries = 0;
        loop {
            let sent = boottime();
            let answer = match &ask.note {
                None => self.confirm(&ask.moved).await,
                Some(note) => self.settle(&ask.moved, note).await,
            };
            match answer? {
                true => return Ok(sent + self.expiry / 2),
                false => tries += 1,
            }
            if self.stop.is_cancelled() && tries >= TRIES_MAX {
                return Err(Lost::Unanswered(self.name.clone()));
            }
            sleep(PAUSE * tries.min(4)).await;
            let scanned = self.scan().await;
            self.told("reading leases", scanned);
        }
    }

    /// `false` when not all writes were answered, or one was refused: the lease may stand otherwise than it was seen, and be this
    /// worker's all the same.
    async fn confirm(&mut self, moved: &[Position]) -> Result<bool, Lost> {
        let leases = self.still_own(moved)?;
        let writes = leases.iter().map(|(lease, _)| {
            let change = match lease.leaving {
                Some(_) => Change::Stay,
                None => Change::Renew { done: None, forget_leaving: false },
            };
            self.table.change(lease, &self.me, change)
        });
        let written = join_all(writes).await;
        let all = written.iter().all(|written| matches!(written, Ok(Some(_))));
        self.put(written);
        Ok(all)
    }

    /// `false` as with [`Keeper::confirm`]; noting the same commit once more changes nothing. That a shard is done cannot wait here until
    /// its children have leases: who makes these finds the lease of their parent, which stays for as long as the stream has it.
    async fn settle(&mut self, moved: &[Position], note: &Note) -> Result<bool, Lost> {
        let leases = self.still_own(moved)?;
        debug_assert!(
            leases.len() <= SETTLED_MAX,
            "pieces of so many shards at most are handed on between two commits"
        );
        let leases = &leases[..leases.len().min(SETTLED_MAX)];
        let settled = self.table.settle(note, &self.me, leases).await;
        let is_settled = matches!(settled, Ok(true));
        self.told("settling a commit", settled.map(|_| ()));
        if is_settled {
            let now = self.now();
            leases.iter().for_each(|(lease, done)| self.leases.put(lease.settled(&self.me, done.as_ref()), now));
        }
        Ok(is_settled)
    }

    /// The leases of these partitions with what is news to them, if all are this worker's, or it has yet to leave them.
    fn still_own(&self, moved: &[Position]) -> Result<Vec<(Lease, Option<Offset>)>, Lost> {
        let still_own = |position: &Position| {
            let shard = position.partition.strip_prefix(&*self.partition).unwrap_or_default();
            let is_lost = self.reading.get(shard).is_some_and(|reading| reading.is_lost);
            let is_mine = |lease: &&Lease| match &lease.leaving {
                Some(leaving) => *leaving == self.me,
                None => self.leases.is_own(lease),
            };
            let Some(lease) = self.leases.get(shard).filter(|_| !is_lost).filter(is_mine) else {
                METRICS.kinesis_lease_changes.with_label_values(&["dropped"]).inc();
                return Err(Lost::Taken(position.partition.to_string()));
            };
            Ok((lease.clone(), is_news(lease, &position.offset).then(|| position.offset.clone())))
        };
        moved.iter().map(still_own).collect()
    }

    /// The last commit has been made: tells the table of it, and lets everything go, so that nobody has to wait.
    async fn release(&mut self) {
        self.leave().await;
        let own: Vec<(Lease, Option<Offset>)> =
            self.leases.own().map(|lease| (lease.clone(), self.done(lease))).collect();
        let writes =
            own.iter().map(|(lease, done)| self.table.change(lease, &self.me, Change::Release { done: done.as_ref() }));
        let written = join_all(writes).await;
        self.put(written);
    }
}

fn is_news(lease: &Lease, committed: &Offset) -> bool {
    !matches!(&lease.mark, Mark::Done(done) if done >= committed)
}

/// How the next reader that ends has ended; `None` when there is none.
async fn next_ended(readers: &mut Option<Readers>) -> Option<Result<(Arc<str>, Ended), JoinError>> {
    readers.as_mut()?.tasks.join_next().await
}

#[cfg(test)]
mod tests;
