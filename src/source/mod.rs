//! Where bytes come from. A source reads, cuts what it read into whole records, and says how far that brings it.

mod half_written;
mod pipe;
mod tail;
pub mod file;
pub mod layout;
pub mod plan;
pub mod notice;
pub mod event;
pub mod own;
pub mod shards;
pub mod lease;
pub mod claims;
pub mod s3;
pub mod kinesis;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::aws::Aws;
use crate::decode::{self, Counts, Records};
use crate::metrics::METRICS;
use crate::position::{Checkpoint, Position};
use crate::table::Reject;
use crate::time::Timestamp;
use crate::wait::timeout;
use claims::Claims;

/// Bytes that may wait between the sources and the pipeline, of which the memory's share is taken: little, since the pipeline gathers a
/// round of them while it works on the one before. A larger piece waits alone.
const WAITING_BYTES_MAX: usize = 2 << 20;
/// Pieces that may wait; small ones reach this before they reach the bytes.
const WAITING_PIECES_MAX: usize = 64;

/// Why something was not read that a bug of ours ended the reading of.
pub const PANICKED: &str = "reading it panicked, which is a bug: standard error says where";

/// What one read brought. Pieces of one partition come in order; those of different partitions interleave.
#[derive(Default)]
pub struct Piece {
    pub records: Vec<Records>,
    pub rejects: Vec<Reject>,
    /// The rejects, counted.
    pub counts: Counts,
    /// Where the partition stands once this piece is done; `None` for what cannot be read again, as standard input.
    pub position: Option<Position>,
    /// It is the last of its file or object.
    pub ended: bool,
    /// Partitions of which nothing need be known any more, as [`Checkpoint::forget`] takes them.
    pub forget: Vec<Arc<str>>,
    /// Stored bytes read since the partition's last piece.
    pub read_bytes: u64,
    /// Its place in the queue.
    room: Option<Room>,
}

/// Room in the queue for a piece; gives it back, also when the queue is dropped with the piece in it.
struct Room {
    bytes: i64,
    _permit: OwnedSemaphorePermit,
}

impl Room {
    fn take(bytes: usize, permit: OwnedSemaphorePermit) -> Room {
        METRICS.queue_bytes.with_label_values(&["source"]).add(bytes as i64);
        Room { bytes: bytes as i64, _permit: permit }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        METRICS.queue_bytes.with_label_values(&["source"]).sub(self.bytes);
    }
}

impl Piece {
    /// One that says that what a source was given cannot be read at all.
    pub fn rejected(reject: Reject) -> Piece {
        let mut counts = Counts::default();
        let tally = counts.of("");
        tally.records += 1;
        tally.rejects += 1;
        Piece { rejects: vec![reject], counts, ..Piece::default() }
    }

    /// What was read of bytes that no partition has.
    pub fn unplaced(records: Option<Records>, rejects: Vec<Reject>, counts: Counts) -> Piece {
        Piece { records: records.into_iter().collect(), rejects, counts, ..Piece::default() }
    }

    /// Bytes in memory.
    pub fn bytes_len(&self) -> usize {
        self.records.iter().map(Records::bytes_len).sum()
    }
}

/// What a source tells the pipeline.
pub enum Event {
    Piece(Piece),
    /// A file or object that could not be opened or read to its end, and why. What was read of it was told before.
    Unreadable {
        name: String,
        why: String,
    },
    /// A queue, a stream or a prefix that could not be opened or read on, and why: nothing more comes from it.
    Ended {
        name: String,
        why: String,
    },
    /// A file or object that an earlier run had read to its end.
    AlreadyRead,
    /// All that came into a partition until then has been handed over. Told by sources that know, at least every few
    /// minutes, also when nothing came.
    Reached {
        partition: Arc<str>,
        until: Timestamp,
    },
}

/// What a source is given: where to send, where to begin, when to stop.
#[derive(Clone)]
pub struct Feed {
    events: mpsc::Sender<Event>,
    room: Arc<Semaphore>,
    room_bytes: usize,
    runtime: Handle,
    /// How to read an object.
    pub decode: decode::Options,
    /// What earlier runs have committed.
    pub resume: Arc<Checkpoint>,
    /// What has been committed by now: a source that acknowledges what it read, does so when it is in here.
    pub committed: watch::Receiver<Arc<Checkpoint>>,
    /// Names this worker among those that share a source; stays the same for as long as its state does.
    pub worker: Arc<str>,
    /// What is known of the objects that all sources of the run read.
    pub objects: Arc<s3::Known>,
    /// Where a source answers that may lose what it reads to another worker.
    pub claims: Claims,
    pub stop: CancellationToken,
}

/// The pipeline has gone: nobody takes pieces any more.
#[derive(Debug)]
pub struct Gone;

impl Feed {
    /// Hands an event over; waits while too much is waiting already.
    ///
    /// # Errors
    /// When the pipeline has gone.
    pub async fn send(&self, mut event: Event) -> Result<(), Gone> {
        if let Event::Piece(piece) = &mut event {
            let bytes = piece.bytes_len();
            let room = self.room.clone().acquire_many_owned(bytes.clamp(1, self.room_bytes) as u32);
            piece.room = Some(Room::take(bytes, room.await.map_err(|_| Gone)?));
        }
        self.events.send(event).await.map_err(|_| Gone)
    }

    /// As [`Feed::send`], from a thread outside the runtime.
    ///
    /// # Errors
    /// When the pipeline has gone.
    pub fn blocking_send(&self, event: Event) -> Result<(), Gone> {
        self.runtime.block_on(self.send(event))
    }
}

/// The end of the queue that the pipeline takes from.
pub struct Events {
    events: mpsc::Receiver<Event>,
    room: Arc<Semaphore>,
    /// Asked before a commit.
    pub claims: Claims,
    /// Those that are tasks; stopped when this is dropped.
    sources: JoinSet<()>,
}

impl Drop for Events {
    fn drop(&mut self) {
        self.close();
    }
}

impl Events {
    /// The next event; `None` when every source has ended.
    pub async fn next(&mut self) -> Option<Event> {
        let mut event = tokio::select! {
            biased;
            event = self.events.recv() => event,
            // the others go on
            Some(Err(_)) = self.sources.join_next() => Some(panicked()),
        };
        if let Some(Event::Piece(piece)) = &mut event {
            piece.room = None;
        }
        event
    }

    /// Takes nothing more: who still sends is told that the pipeline has gone.
    pub fn close(&mut self) {
        self.room.close();
        self.events.close();
    }

    /// Gives the sources some time to acknowledge the last commit, once its sender has been dropped. Gives what became known of
    /// them by that: the last that reads ends the queue with it, also by a panic.
    pub async fn acknowledged(&mut self, within: Duration) -> Vec<Event> {
        let mut told = Vec::new();
        let ended = async {
            while let Some(ended) = self.sources.join_next().await {
                told.extend(ended.is_err().then(panicked));
            }
        };
        if timeout(within, ended).await.is_err() {
            tracing::warn!("a source did not acknowledge all that was read: it comes again, and is then passed over");
        }
        told
    }
}

fn panicked() -> Event {
    Event::Ended { name: "a source".to_owned(), why: PANICKED.to_owned() }
}

/// The sources there are, each with what it reads.
#[derive(Clone)]
pub enum Source {
    File(file::Config),
    Backfill(s3::backfill::Config),
    Notices(s3::notices::Config),
    Kinesis(kinesis::Config),
}

impl Source {
    /// The names of two of them that would read the same, so that its rows would be there twice.
    pub fn overlapping(sources: &[Source]) -> Option<(String, String)> {
        let pairs = sources.iter().enumerate().flat_map(|(place, one)| {
            let others = &sources[place + 1..];
            others.iter().map(move |other| (one, other))
        });
        pairs.filter_map(|(one, other)| one.overlap(other)).next()
    }

    fn overlap(&self, other: &Source) -> Option<(String, String)> {
        match (self, other) {
            (Source::Backfill(one), Source::Backfill(other)) => {
                let (one, other) = (&one.address, &other.address);
                (one.holds(other) || other.holds(one)).then(|| (one.to_string(), other.to_string()))
            }
            (Source::Notices(one), Source::Notices(other)) => {
                let (one, other) = (&one.queue, &other.queue);
                one.is_same(other).then(|| (one.to_string(), other.to_string()))
            }
            (Source::Kinesis(one), Source::Kinesis(other)) => {
                let (one, other) = (&one.stream, &other.stream);
                one.is_same(other).then(|| (one.to_string(), other.to_string()))
            }
            // files look after themselves
            (Source::File(_) | Source::Backfill(_) | Source::Notices(_) | Source::Kinesis(_), _) => None,
        }
    }

    /// Whether something in it can be read once only, as standard input can.
    pub fn has_pipe(&self) -> bool {
        matches!(self, Source::File(config) if config.has_pipe())
    }
}

/// Starts to read. The events end when every source has, or soon after `stop`; one that fails as a whole is
/// [`Event::Ended`]. Must be called in a runtime.
pub fn start(
    sources: Vec<Source>,
    aws: &Aws,
    decode: &decode::Options,
    resume: Arc<Checkpoint>,
    committed: watch::Receiver<Arc<Checkpoint>>,
    worker: Arc<str>,
    stop: CancellationToken,
) -> Events {
    let (feed, mut events) = queue(decode.clone(), resume, committed, stop);
    let feed = Feed { worker, ..feed };
    for source in sources {
        match source {
            Source::File(config) => file::read(config, feed.clone()),
            Source::Backfill(config) => {
                events.sources.spawn(s3::backfill::run(config, aws.clone(), feed.clone()));
            }
            Source::Notices(config) => {
                events.sources.spawn(s3::notices::run(config, aws.clone(), feed.clone()));
            }
            Source::Kinesis(config) => {
                events.sources.spawn(kinesis::run(config, aws.clone(), feed.clone()));
            }
        }
    }
    events
}

/// The two ends of a queue. Must be called in a runtime.
fn queue(
    decode: decode::Options,
    resume: Arc<Checkpoint>,
    committed: watch::Receiver<Arc<Checkpoint>>,
    stop: CancellationToken,
) -> (Feed, Events) {
    let worker: Arc<str> = Arc::default();
    let (sender, receiver) = mpsc::channel(WAITING_PIECES_MAX);
    let room_bytes = decode.memory.of(WAITING_BYTES_MAX);
    let room = Arc::new(Semaphore::new(room_bytes));
    METRICS.queue_bytes_max.with_label_values(&["source"]).set(room_bytes as i64);
    let runtime = Handle::current();
    let claims = Claims::default();
    let feed = Feed {
        events: sender,
        room: room.clone(),
        room_bytes,
        runtime,
        decode,
        resume,
        committed,
        worker,
        objects: Arc::default(),
        claims: claims.clone(),
        stop,
    };
    (feed, Events { events: receiver, room, claims, sources: JoinSet::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Body, Lines, Text};
    use crate::logs::vpc_flow::VPC_FLOW;

    async fn panics(feed: Feed) {
        assert!(feed.stop.is_cancelled(), "as the test wants it");
    }

    #[tokio::test]
    async fn a_source_that_panics_is_told_of_whether_others_go_on_or_not() {
        let none = watch::channel(Arc::default()).1;
        let (feed, mut events) = queue(decode::Options::default(), Arc::default(), none, CancellationToken::new());
        let soon = Duration::from_secs(10);
        events.sources.spawn(panics(feed.clone()));
        let told = timeout(soon, events.next()).await.unwrap();
        assert!(matches!(told, Some(Event::Ended { why, .. }) if why == PANICKED));
        feed.send(piece(1)).await.unwrap();
        assert!(matches!(timeout(soon, events.next()).await.unwrap(), Some(Event::Piece(_))));
        // the last: nobody may be told before the queue has ended
        events.sources.spawn(panics(feed));
        let mut told = Vec::new();
        while let Some(event) = timeout(soon, events.next()).await.unwrap() {
            told.push(event);
        }
        told.extend(events.acknowledged(soon).await);
        assert!(matches!(&told[..], [Event::Ended { why, .. }] if why == PANICKED));
    }

    fn piece(bytes: usize) -> Event {
        let lines = Lines { text: Text::new(vec![b'x'; bytes]), format: None, separator: None, entries: Vec::new() };
        let records =
            Records { table: &VPC_FLOW, origin: Arc::default(), offset: 0, body: Body::Lines(lines), context: None };
        Event::Piece(Piece { records: vec![records], ..Piece::default() })
    }

    #[tokio::test]
    async fn what_waits_is_bounded_in_bytes() {
        let none = watch::channel(Arc::default()).1;
        let (feed, mut events) = queue(decode::Options::default(), Arc::default(), none, CancellationToken::new());
        let soon = Duration::from_millis(50);
        let half = WAITING_BYTES_MAX / 2;
        for _ in 0..2 {
            timeout(soon, feed.send(piece(half))).await.unwrap().unwrap();
        }
        assert!(timeout(soon, feed.send(piece(1))).await.is_err(), "there is no room");
        events.next().await.unwrap();
        timeout(soon, feed.send(piece(1))).await.unwrap().unwrap();
        assert!(timeout(soon, feed.send(piece(2 * WAITING_BYTES_MAX))).await.is_err(), "a large piece waits alone");
        events.next().await.unwrap();
        events.next().await.unwrap();
        timeout(soon, feed.send(piece(2 * WAITING_BYTES_MAX))).await.unwrap().unwrap();
        let waiting = feed.send(piece(1));
        drop(events);
        assert!(timeout(soon, waiting).await.unwrap().is_err(), "the pipeline has gone");
    }
}
