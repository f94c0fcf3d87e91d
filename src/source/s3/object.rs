//! One object → its pieces, on the feed.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::body::{Body, Patience, Stream};
use super::bucket::Buckets;
use super::days::is_done;
use crate::aws::{Kind, Trouble};
use crate::decode::{self, Counts, Input};
use crate::metrics::{Held, METRICS};
use crate::position::{Checkpoint, Offset, Position};
use crate::source::{Event, Feed, Gone, Piece};
use crate::table::Origin;
use crate::wait::spawn_blocking;

/// Objects up to this size are read whole, so that gzip can be inflated in one shot; larger ones are streamed.
const WHOLE_BYTES_MAX: u64 = 4 << 20;
/// Bytes of objects as stored that are in memory at the same time, of which the memory's share is taken; the largest that is read
/// whole has room always.
const LOADING_BYTES_MAX: u64 = 64 << 20;
/// One permit of that: objects smaller than this count as this large.
const LOADING_UNIT: u64 = 64 << 10;
/// Longest wait for a connection that gives nothing.
const STALL: Duration = Duration::from_secs(20);

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub bucket: Arc<str>,
    pub key: String,
    /// Bytes as stored, when a listing or notice said so.
    pub size: Option<u64>,
}

impl Object {
    /// `s3://BUCKET/KEY`.
    pub fn name(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }

    /// Names the object's version: one that was replaced is another partition.
    pub fn partition(&self, etag: &str) -> Arc<str> {
        format!("s3://{}/{}|{etag}", self.bucket, self.key).into()
    }
}

/// A message of a queue that is itself a log. It is read as an object is, under its own id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub id: String,
    /// What its rejects are said to be from.
    pub origin: String,
    pub body: Bytes,
}

impl Letter {
    /// `sqs://ID`.
    pub fn name(&self) -> String {
        format!("sqs://{}", self.id)
    }

    /// It has one version only.
    pub fn partition(&self) -> Arc<str> {
        format!("sqs://{}|", self.id).into()
    }
}

/// The place of an object in memory.
struct Room {
    _room: OwnedSemaphorePermit,
    _held: Held,
}

/// What reading an object came to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// All of it is on the feed, or was read before: it is done once the checkpoint has this partition's end.
    Read(Arc<str>),
    Failed(Trouble),
    /// Told to stop, or the pipeline has gone.
    Stopped,
}

/// Reads objects, several at once.
pub(super) struct Reader {
    pub buckets: Buckets,
    feed: Feed,
    patience: Patience,
    /// Room in memory, in units.
    loading: Arc<Semaphore>,
    /// Objects that are decoded at the same time: each may take 32 MiB when inflated.
    decoding: Arc<Semaphore>,
    known: Arc<Known>,
    /// The same object may be asked for again.
    remembers: bool,
}

/// What a run knows of objects, whichever of its queues told of them.
#[derive(Default)]
pub struct Known {
    /// How far it got with objects that it could not read to their end.
    left: Mutex<HashMap<Arc<str>, Offset>>,
    /// Objects that were read to their end and are not committed, where the same may be asked for again.
    finished: Mutex<BTreeSet<Arc<str>>>,
    /// Those that are being read, and who waits for one of them to be so no more.
    reading: Mutex<BTreeSet<Arc<str>>>,
    ended: Notify,
}

/// An object that nobody else reads meanwhile.
struct Alone<'a> {
    known: &'a Known,
    partition: Arc<str>,
}

impl Known {
    fn begin(&self, partition: &Arc<str>) -> Option<Alone<'_>> {
        let is_new = lock(&self.reading).insert(partition.clone());
        is_new.then(|| Alone { known: self, partition: partition.clone() })
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        lock(&self.known.reading).remove(&self.partition);
        self.known.ended.notify_waiters();
    }
}

impl Reader {
    /// `tries_max` is for what time may mend, in a row without progress.
    pub fn new(buckets: Buckets, feed: Feed, tries_max: u32) -> Reader {
        let memory = feed.decode.memory;
        let decoders = memory.threads(2 * thread::available_parallelism().map_or(1, usize::from));
        let loading = (memory.of(LOADING_BYTES_MAX as usize) as u64).max(WHOLE_BYTES_MAX);
        METRICS.queue_bytes_max.with_label_values(&["objects"]).set(loading as i64);
        Reader {
            buckets,
            known: feed.objects.clone(),
            feed,
            patience: Patience { stall: STALL, tries_max },
            loading: Arc::new(Semaphore::new((loading / LOADING_UNIT) as usize)),
            decoding: Arc::new(Semaphore::new(decoders)),
            remembers: false,
        }
    }

    /// The same for who may ask for an object again in this run: what was read is not read twice. It must then be told of
    /// commits with [`Reader::settle`].
    pub fn remembering(self) -> Reader {
        Reader { remembers: true, ..self }
    }

    /// What is committed is known from there.
    pub fn settle(&self, committed: &Checkpoint) {
        lock(&self.known.finished).retain(|partition| !is_done(committed, partition));
    }

    /// Reads one object to its end. Told to stop, it finishes a small one, whose records and end would else be parted.
    pub async fn read(&self, object: &Object) -> Outcome {
        loop {
            if let Some(outcome) = self.read_alone(object).await {
                return outcome;
            }
        }
    }

    /// The same; `None` when another was reading it until now.
    async fn read_alone(&self, object: &Object) -> Option<Outcome> {
        let open = async {
            let room = self.room(object.size.unwrap_or(WHOLE_BYTES_MAX)).await;
            (room, Body::open(&self.buckets, &object.bucket, &object.key, self.patience).await)
        };
        let Some((room, opened)) = self.feed.stop.run_until_cancelled(open).await else {
            return Some(Outcome::Stopped);
        };
        let body = match opened {
            Ok(body) => body,
            Err(trouble) => return Some(Outcome::Failed(trouble)),
        };
        let partition = object.partition(body.etag());
        let mut ended = pin!(self.known.ended.notified());
        ended.as_mut().enable();
        let Some(_alone) = self.known.begin(&partition) else {
            drop((room, body));
            return match self.feed.stop.run_until_cancelled(ended).await {
                Some(()) => None,
                None => Some(Outcome::Stopped),
            };
        };
        if self.was_read(&partition) {
            return Some(self.read_before(partition).await);
        }
        let ended = self.decode(object, &partition, body, room).await;
        Some(self.outcome(partition, ended))
    }

    /// Reads a message to its end, also when told to stop.
    pub async fn read_letter(&self, letter: Letter) -> Outcome {
        let partition = letter.partition();
        if self.was_read(&partition) {
            return self.read_before(partition).await;
        }
        let work = self.work(&letter.origin, &partition);
        work.read.store(letter.body.len() as u64, Ordering::Relaxed);
        let slot = self.slot().await;
        let decoding = spawn_blocking(move || {
            let done = work.decode(Input::Bytes(letter.body));
            drop(slot);
            done
        });
        let (_, ended) = decoding.await.unwrap_or_else(|panic| (None, Err(Stop::Broken(io::Error::other(panic)))));
        let ended = ended.map_err(|stop| match stop {
            Stop::Gone => Halt::Gone,
            Stop::Broken(error) => Halt::Failed(Trouble::new(Kind::Other, error.to_string())),
        });
        self.outcome(partition, ended)
    }

    async fn read_before(&self, partition: Arc<str>) -> Outcome {
        match self.feed.send(Event::AlreadyRead).await {
            Ok(()) => Outcome::Read(partition),
            Err(Gone) => Outcome::Stopped,
        }
    }

    fn outcome(&self, partition: Arc<str>, ended: Result<(), Halt>) -> Outcome {
        match ended {
            Ok(()) => {
                if self.remembers {
                    lock(&self.known.finished).insert(partition.clone());
                }
                Outcome::Read(partition)
            }
            Err(Halt::Gone) => Outcome::Stopped,
            Err(Halt::Failed(trouble)) => Outcome::Failed(trouble),
        }
    }

    fn was_read(&self, partition: &Arc<str>) -> bool {
        is_done(&self.feed.resume, partition)
            || (self.remembers
                && (lock(&self.known.finished).contains(partition)
                    || is_done(&self.feed.committed.borrow(), partition)))
    }

    async fn room(&self, size: u64) -> Room {
        let units = size.min(WHOLE_BYTES_MAX).div_ceil(LOADING_UNIT).max(1) as u32;
        let room = self.loading.clone().acquire_many_owned(units).await.expect("the semaphore is never closed");
        let gauge = METRICS.queue_bytes.with_label_values(&["objects"]);
        Room { _room: room, _held: Held::new(gauge, i64::from(units) * LOADING_UNIT as i64) }
    }

    fn work(&self, origin: &str, partition: &Arc<str>) -> Work {
        let before = [self.feed.resume.0.get(partition).cloned(), lock(&self.known.left).get(partition).cloned()];
        Work {
            origin: Arc::new(Origin::from_name(origin)),
            partition: partition.clone(),
            skip: before.into_iter().flatten().max(),
            feed: self.feed.clone(),
            read: Arc::new(AtomicU64::new(0)),
        }
    }

    async fn slot(&self) -> OwnedSemaphorePermit {
        self.decoding.clone().acquire_owned().await.expect("the semaphore is never closed")
    }

    async fn decode(&self, object: &Object, partition: &Arc<str>, body: Body, room: Room) -> Result<(), Halt> {
        let work = self.work(&object.name(), partition);
        let (pumped, done) = if body.length <= WHOLE_BYTES_MAX {
            work.read.store(body.length, Ordering::Relaxed);
            let whole = self.feed.stop.run_until_cancelled(body.whole(decode::PADDING)).await;
            let bytes = whole.ok_or(Halt::Gone)?.map_err(Halt::Failed)?;
            let slot = self.slot().await;
            let decoding = spawn_blocking(move || {
                let done = work.decode(Input::Bytes(bytes));
                drop((slot, room));
                done
            });
            (Ok(()), decoding.await)
        } else {
            let slot = self.slot().await;
            let (pump, stream) = body.stream(work.read.clone());
            let decoding = spawn_blocking(move || {
                let done =
                    spooled(stream).map_or_else(|error| (None, Err(Stop::Broken(error))), |input| work.decode(input));
                drop((slot, room));
                done
            });
            // told to stop, the pump ends, and the decoder with it
            let pump = async { self.feed.stop.run_until_cancelled(pump).await.unwrap_or(Ok(())) };
            tokio::join!(pump, decoding)
        };
        let (reached, ended) = done.unwrap_or_else(|panic| (None, Err(Stop::Broken(io::Error::other(panic)))));
        let ended = match (pumped, ended) {
            (_, Err(Stop::Gone)) => Err(Halt::Gone),
            (Ok(()), Err(Stop::Broken(_))) if self.feed.stop.is_cancelled() => Err(Halt::Gone),
            (Err(trouble), Err(Stop::Broken(_))) => Err(Halt::Failed(trouble)),
            (_, Err(Stop::Broken(error))) => Err(Halt::Failed(Trouble::new(Kind::Other, error.to_string()))),
            (_, Ok(())) => Ok(()),
        };
        match reached {
            Some(offset) if ended.is_err() => lock(&self.known.left).insert(partition.clone(), offset),
            _ => lock(&self.known.left).remove(partition),
        };
        ended
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why an object was not read to its end.
enum Halt {
    Gone,
    Failed(Trouble),
}

/// The same, as the decoding thread knows it.
enum Stop {
    Gone,
    Broken(io::Error),
}

/// A file without a name in the folder for temporary ones.
///
/// # Errors
/// When none can be made, with what to do.
pub fn temporary() -> io::Result<File> {
    let told = |error: io::Error| {
        let dir = std::env::temp_dir();
        let why = format!(
            "no temporary file can be made in {}: {error}: let TMPDIR name a folder that can be written",
            dir.display()
        );
        io::Error::new(error.kind(), why)
    };
    tempfile::tempfile().map_err(told)
}

/// Parquet is not read from front to back: from a stream it goes through a file without a name in the folder for
/// temporary ones.
fn spooled(mut stream: Stream) -> io::Result<Input> {
    let mut magic = Vec::with_capacity(4);
    (&mut stream).take(4).read_to_end(&mut magic)?;
    let mut whole = Cursor::new(magic.clone()).chain(stream);
    if magic != b"PAR1" {
        return Ok(Input::Stream(Box::new(whole)));
    }
    let mut file = temporary()?;
    io::copy(&mut whole, &mut file)?;
    file.rewind()?;
    Ok(Input::File(file))
}

/// What the decoding thread needs.
struct Work {
    origin: Arc<Origin>,
    partition: Arc<str>,
    /// What of it went onto the feed before, in this run or an earlier one.
    skip: Option<Offset>,
    feed: Feed,
    /// Stored bytes that have come.
    read: Arc<AtomicU64>,
}

impl Work {
    /// Sends every piece behind `skip`; gives how far it got, and why it went no further.
    fn decode(self, input: Input) -> (Option<Offset>, Result<(), Stop>) {
        let mut reader = decode::open(input, self.origin.clone(), &self.feed.decode);
        let mut reached = self.skip.clone();
        let mut read_before = 0;
        loop {
            let (mut rejects, mut counts) = (Vec::new(), Counts::default());
            let next = match reader.next(&mut rejects, &mut counts) {
                Ok(next) => next,
                Err(error) => return (reached, Err(Stop::Broken(error))),
            };
            let ended = next.is_none();
            let offset = next.as_ref().map_or(Offset::End, |records| Offset::at(records.end()));
            if self.skip.as_ref().is_none_or(|skip| offset > *skip) {
                let read = self.read.load(Ordering::Relaxed);
                let position = Position { partition: self.partition.clone(), offset: offset.clone() };
                let piece = Piece {
                    records: next.into_iter().collect(),
                    rejects,
                    counts,
                    position: Some(position),
                    ended,
                    read_bytes: read - read_before,
                    ..Piece::default()
                };
                if self.feed.blocking_send(Event::Piece(piece)).is_err() {
                    return (reached, Err(Stop::Gone));
                }
                read_before = read;
                reached = Some(offset);
            }
            if ended {
                let name = || self.origin.name.clone();
                let unreadable = reader.broken().map(|why| Event::Unreadable { name: name(), why: why.to_owned() });
                let told = unreadable.map_or(Ok(()), |event| self.feed.blocking_send(event));
                return (reached, told.map_err(|Gone| Stop::Gone));
            }
        }
    }
}
