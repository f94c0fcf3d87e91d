//! The shards of a Kinesis stream, and how far each is done → which to read now, and from where.
//!
//! Records with one partition key stay in order when every shard is read to its end before its children are begun: a
//! split makes two children of a shard, a merge one of two. Nothing here asks Kinesis or reads a clock: the Kinesis
//! source lists the shards, reads those that are due, and tells what it found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use crate::decode::kpl::HashRange;
use crate::position::{Checkpoint, Offset, Position, Within};
use crate::time::Timestamp;

/// A shard as ListShards describes it, or, without `closed`, as GetRecords names the children of one that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    pub id: Arc<str>,
    /// `ParentShardId`, and after a merge `AdjacentParentShardId`.
    pub parents: Vec<Arc<str>>,
    pub range: HashRange,
    /// Its `SequenceNumberRange` has an end: nothing more will be written to it.
    pub closed: bool,
}

/// Where a stream is begun that has never been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Start {
    /// The oldest record that there is.
    TrimHorizon,
    /// What comes from now on. Shards that are closed by then count as finished.
    Latest,
    /// What came at this time or later.
    At(Timestamp),
}

impl TryFrom<String> for Start {
    type Error = String;

    fn try_from(text: String) -> Result<Start, String> {
        match &*text {
            "trim_horizon" => Ok(Start::TrimHorizon),
            "latest" => Ok(Start::Latest),
            time => Timestamp::parse(time).map(Start::At).ok_or_else(|| {
                format!("`{time}` is neither trim_horizon nor latest nor a time like 2024-08-01T11:30:00Z")
            }),
        }
    }
}

impl Start {
    /// Where a stream is begun whose name another had, which was read: it is all new.
    pub fn of_another(self) -> Start {
        match self {
            Start::Latest => Start::TrimHorizon,
            Start::TrimHorizon | Start::At(_) => self,
        }
    }
}

/// The iterator to read a shard with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    TrimHorizon,
    Latest,
    Time(Timestamp),
    /// `AFTER_SEQUENCE_NUMBER` this one.
    After(Box<str>),
    /// `AT_SEQUENCE_NUMBER` this one, and pass over the part of it that is done.
    Inside(Box<str>, Within),
}

/// A shard to begin with now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub shard: Arc<str>,
    pub range: HashRange,
    /// Ranges of the shards that it was born of, and they of, as far as there still are any.
    pub ancestors: Vec<HashRange>,
    /// Where its positions are kept.
    pub partition: Arc<str>,
    pub from: ReadFrom,
}

/// The part of a stream that one of several workers reads, each with a state of its own: the shards whose middle hash
/// key lies in its part of all hash keys.
///
/// By hash keys rather than by a hash of the shard's name, so that a shard and its children are mostly one worker's. Where a
/// reshard crosses the border between two, the child is not made to wait for the other's shard: its keys may be out of
/// order for as long as that one lags. When the number of workers changes, shards move, and the new owner reads them
/// from the oldest record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Share {
    worker: u32,
    of: u32,
}

impl Share {
    pub const ALL: Share = Share { worker: 0, of: 1 };

    /// Workers count from 0; `None` when there is no such worker among `of`.
    pub fn new(worker: u32, of: u32) -> Option<Share> {
        (worker < of).then_some(Share { worker, of })
    }

    fn has(self, range: HashRange) -> bool {
        // the first keys of equal shards lie on the borders of equal parts, where rounding decides; the middle does not
        let middle = range.first + (range.last - range.first) / 2;
        ((middle >> 64) * u128::from(self.of)) >> 64 == u128::from(self.worker)
    }
}

impl TryFrom<String> for Share {
    type Error = String;

    /// `0/4` is the first of four workers.
    fn try_from(text: String) -> Result<Share, String> {
        let numbers = text.split_once('/').and_then(|(worker, of)| Some((worker.parse().ok()?, of.parse().ok()?)));
        numbers
            .and_then(|(worker, of)| Share::new(worker, of))
            .ok_or_else(|| format!("`{text}` is no share: with four workers they are 0/4, 1/4, 2/4 and 3/4"))
    }
}

/// What is known of a stream's shards.
#[derive(Debug)]
pub struct Shards {
    /// Partition of the stream itself; those of shards have `/` and the shard's id behind it.
    stream: Arc<str>,
    start: Start,
    share: Share,
    /// Committed positions of this stream when the program started.
    resume: BTreeMap<Arc<str>, Offset>,
    known: BTreeMap<Arc<str>, Known>,
    /// Shards of the last listing.
    listed: BTreeSet<Arc<str>>,
    /// Partitions of those that have left the stream, of which nothing need be known any more.
    forgotten: Vec<Arc<str>>,
}

#[derive(Debug)]
struct Known {
    shard: Shard,
    state: State,
    /// A listing has had it, and with it every parent that there still was.
    listed: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// For its parents.
    Waiting(ReadFrom),
    Reading,
    Done,
    /// Another worker reads it.
    Foreign,
}

impl Shards {
    /// `stream` names the stream in partitions, `kinesis:STREAM/SHARD`, and has no `/`. Shard ids begin anew when a stream
    /// is deleted and made again, so it should have the time of creation in it.
    ///
    /// Where `committed` has something of the stream, that counts and not `start`; and where it has something of an [`earlier`]
    /// one, all of this one is read.
    pub fn new(stream: &str, start: Start, share: Share, committed: &Checkpoint) -> Shards {
        let start = if earlier(stream, committed).is_empty() { start } else { start.of_another() };
        let stream: Arc<str> = format!("kinesis:{stream}").into();
        let own = committed.from(&stream).take_while(|(partition, _)| partition.starts_with(&*stream));
        let own = own.filter(|(partition, _)| stream_of(partition) == &*stream);
        let resume = own.map(|(partition, offset)| (partition.clone(), offset.clone())).collect();
        let (known, listed, forgotten) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        Shards { stream, start, share, resume, known, listed, forgotten }
    }

    /// Takes a whole answer of ListShards, unfiltered and with all its pages: at the start, and whenever shards may have
    /// come.
    ///
    /// The first time that a stream is read, this gives positions that must be committed before or with the first
    /// records: they tell the shards that were there from those that are born later, of which every record is read
    /// even when the stream was begun at its end. `now` is kept with them, for shards from which nothing has come yet
    /// at a restart.
    pub fn listed(&mut self, shards: Vec<Shard>, now: Timestamp) -> Vec<Position> {
        self.forget_unlisted(&shards);
        let first = !self.resume.contains_key(&self.stream);
        // leases leave positions of shards and none of the stream: it is begun, though this worker may know nothing of some shards
        let start = if first && !self.resume.is_empty() { Start::TrimHorizon } else { self.start };
        let mut marks = Vec::new();
        let (since, from) = match start {
            Start::TrimHorizon => (0, ReadFrom::TrimHorizon),
            Start::Latest => (now.0, ReadFrom::Latest),
            Start::At(time) => (time.0, ReadFrom::Time(time)),
        };
        let from = if first { from } else { ReadFrom::TrimHorizon };
        if first {
            // a moment before 1970 is the trim horizon too
            let offset = Offset::at(u64::try_from(since).unwrap_or(0));
            marks.push(Position { partition: self.stream.clone(), offset });
        }
        for shard in shards {
            let over = first && start == Start::Latest && shard.closed;
            let is_new = !self.resume.contains_key(&*self.partition(&shard.id));
            if first && is_new && self.share.has(shard.range) {
                let offset = if over { Offset::End } else { Offset::at(0) };
                marks.push(Position { partition: self.partition(&shard.id), offset });
            }
            let id = shard.id.clone();
            self.add(shard, if over { State::Done } else { State::Waiting(from.clone()) });
            self.known.entry(id).and_modify(|known| known.listed = true);
        }
        for mark in &marks {
            self.resume.insert(mark.partition.clone(), mark.offset.clone());
        }
        marks
    }

    /// Partitions of shards that were read to their ends and have left the stream since this was last asked: positions of a stream that
    /// is resharded for years would become ever more.
    pub fn take_forgotten(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.forgotten)
    }

    /// Whether a listing is needed before the stream can go on: a merged shard waits whose other parent nothing has told of
    /// yet, as happens when both were born after the last listing.
    pub fn wants_listing(&self) -> bool {
        self.known.values().any(|one| matches!(self.readiness(one), Readiness::UnknownParent))
    }

    /// Shards to begin now; each is given once.
    pub fn due(&mut self) -> Vec<Due> {
        let ready: Vec<Arc<str>> = self
            .known
            .iter()
            .filter(|(_, one)| self.readiness(one) == Readiness::Due)
            .map(|(id, _)| id.clone())
            .collect();
        let begin = |id: Arc<str>| {
            let known = |id: &str| self.known.get(id).map(|known| &known.shard);
            let (partition, ancestors) = (self.partition(&id), ancestors(&id, known));
            let known = self.known.get_mut(&id)?;
            match std::mem::replace(&mut known.state, State::Reading) {
                State::Waiting(from) => Some(Due { shard: id, range: known.shard.range, ancestors, partition, from }),
                State::Reading | State::Done | State::Foreign => None,
            }
        };
        ready.into_iter().filter_map(begin).collect()
    }

    /// The shard has been read to its end, and everything of it was handed on; `children` are those that its last answer
    /// named. Its position is then [`Offset::End`].
    ///
    /// Also for a shard that Kinesis no longer has.
    pub fn ended(&mut self, shard: &str, children: Vec<Shard>) {
        if let Some(known) = self.known.get_mut(shard) {
            known.state = State::Done;
            self.resume.insert(self.partition(shard), Offset::End);
        }
        for child in children {
            self.add(child, State::Waiting(ReadFrom::TrimHorizon));
        }
    }

    /// Where the positions of a shard are kept.
    pub fn partition(&self, shard: &str) -> Arc<str> {
        format!("{}/{shard}", self.stream).into()
    }

    /// A shard that was listed and is no more has aged out for good, and so has one that an earlier run had read to its end. One
    /// that has never been listed is younger than the listing.
    fn forget_unlisted(&mut self, shards: &[Shard]) {
        let now: BTreeSet<Arc<str>> = shards.iter().map(|shard| shard.id.clone()).collect();
        let shard_of =
            |partition: &Arc<str>| Some(Arc::from(partition.strip_prefix(&*self.stream)?.strip_prefix('/')?));
        // what an earlier run had read to its end may have left since
        let ended = self.resume.iter().filter(|(_, offset)| **offset == Offset::End);
        let mut before: BTreeSet<Arc<str>> = ended.filter_map(|(partition, _)| shard_of(partition)).collect();
        before.append(&mut self.listed);
        for gone in before.difference(&now) {
            // a reader may still be at its last records, and one that was never listed is younger than the listing
            let is_over = |known: &Known| known.listed && matches!(known.state, State::Done | State::Foreign);
            if self.known.get(gone).is_none_or(is_over) {
                self.known.remove(gone);
                let partition = self.partition(gone);
                self.forgotten.extend(self.resume.remove(&partition).map(|_| partition));
            }
        }
        self.listed = now;
    }

    /// Adds a shard that is new; where it has been read before, it goes on there instead.
    fn add(&mut self, shard: Shard, new: State) {
        if self.known.contains_key(&shard.id) {
            return;
        }
        let state = match self.resume.get(&self.partition(&shard.id)) {
            _ if !self.share.has(shard.range) => State::Foreign,
            None => new,
            Some(Offset::End) => State::Done,
            Some(offset) => State::Waiting(self.after(offset)),
        };
        self.known.insert(shard.id.clone(), Known { shard, state, listed: false });
    }

    fn after(&self, offset: &Offset) -> ReadFrom {
        match offset.record() {
            // there when the stream was first read, and nothing has come from it since
            Some(("0", None)) | None => self.since_first(),
            Some((sequence, None)) => ReadFrom::After(sequence.into()),
            Some((sequence, Some(within))) => ReadFrom::Inside(sequence.into(), within),
        }
    }

    fn since_first(&self) -> ReadFrom {
        match self.resume.get(&self.stream).and_then(Offset::record) {
            Some((micros, None)) if micros != "0" => match micros.parse() {
                Ok(micros) => ReadFrom::Time(Timestamp(micros)),
                Err(_) => ReadFrom::TrimHorizon,
            },
            _ => ReadFrom::TrimHorizon,
        }
    }

    /// A shard is due once it waits and need not any more. A parent that is not known although its child was listed has
    /// aged out and counts as finished; one that another worker reads is not waited for, but its own parents are.
    fn readiness(&self, one: &Known) -> Readiness {
        if !matches!(one.state, State::Waiting(_)) {
            return Readiness::Begun;
        }
        let (mut unknown, mut children, mut seen) = (false, vec![(one, one.listed)], BTreeSet::new());
        while let Some((child, listed)) = children.pop() {
            for id in &child.shard.parents {
                match self.known.get(id) {
                    None => unknown |= !listed,
                    Some(parent) => match parent.state {
                        State::Waiting(_) | State::Reading => return Readiness::Parent,
                        // a listing that has the child is no older than the parent, listed or not
                        State::Foreign if seen.insert((id, listed)) => children.push((parent, listed || parent.listed)),
                        State::Done | State::Foreign => {}
                    },
                }
            }
        }
        if unknown { Readiness::UnknownParent } else { Readiness::Due }
    }
}

/// Partitions of streams that had the name before this one was made, of which something was committed. Names end with `@`
/// and the time at which the stream was made.
pub fn earlier(stream: &str, committed: &Checkpoint) -> BTreeSet<Arc<str>> {
    let (name, _) = stream.rsplit_once('@').unwrap_or((stream, ""));
    let (same, own) = (format!("kinesis:{name}@"), format!("kinesis:{stream}"));
    let of_name = committed.from(&same).map(|(partition, _)| partition).take_while(|one| one.starts_with(&same));
    of_name.map(|partition| stream_of(partition)).filter(|one| *one != own).map(Into::into).collect()
}

/// What the partition of a shard says of its stream.
fn stream_of(partition: &str) -> &str {
    partition.split_once('/').map_or(partition, |(stream, _)| stream)
}

/// Ranges of the shards that a shard comes from, as far as they are known.
pub fn ancestors<'a>(shard: &str, known: impl Fn(&str) -> Option<&'a Shard>) -> Vec<HashRange> {
    let (mut ranges, mut young, mut seen) = (Vec::new(), Vec::from_iter(known(shard)), BTreeSet::new());
    while let Some(child) = young.pop() {
        for parent in &child.parents {
            if let Some(parent) = known(parent).filter(|_| seen.insert(parent)) {
                ranges.push(parent.range);
                young.push(parent);
            }
        }
    }
    ranges
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readiness {
    Due,
    /// A parent must be read to its end first.
    Parent,
    /// Whether a parent is still to be read, the next listing will tell.
    UnknownParent,
    Begun,
}

#[cfg(test)]
mod tests;
