//! An object that somebody named → its pieces, on a queue of its own.

use std::sync::Arc;

use tokio::sync::{OnceCell, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::bucket::Buckets;
use super::object::{Object, Outcome, Reader};
use crate::aws::{Aws, Kind, Trouble};
use crate::decode;
use crate::source::notice::ObjectRef;
use crate::source::{Event, Events, Piece, queue};

/// Tries of an object in a row without progress, for what time may mend.
const TRIES_MAX: u32 = 4;

/// Where objects are read from. Clones share their connections.
#[derive(Clone)]
pub struct Named {
    aws: Aws,
    buckets: Arc<OnceCell<Buckets>>,
}

/// An object that is read. Dropped, it is read no further.
pub struct Reading {
    events: Events,
    outcome: JoinHandle<Outcome>,
    stop: CancellationToken,
}

impl Named {
    /// Looks nothing up yet.
    pub fn new(aws: Aws) -> Named {
        Named { aws, buckets: Arc::default() }
    }

    /// Begins to read; what is read waits, in at most 8 MiB, to be taken. Must be called in a runtime.
    pub fn begin(&self, object: &ObjectRef, options: &decode::Options) -> Reading {
        let stop = CancellationToken::new();
        let none = watch::channel(Arc::default()).1;
        let (feed, events) = queue(options.clone(), Arc::default(), none, stop.clone());
        let object = Object { bucket: object.bucket.as_str().into(), key: object.key.clone(), size: object.size };
        let named = self.clone();
        let outcome = tokio::spawn(async move {
            match named.buckets.get_or_try_init(|| Buckets::new(&named.aws)).await {
                Ok(buckets) => Reader::new(buckets.clone(), feed, TRIES_MAX).read(&object).await,
                Err(trouble) => Outcome::Failed(trouble),
            }
        });
        Reading { events, outcome, stop }
    }
}

impl Reading {
    /// The next piece; `None` when there is no more, or none could be read.
    pub async fn next(&mut self) -> Option<Piece> {
        loop {
            match self.events.next().await? {
                Event::Piece(piece) => return Some(piece),
                // nothing is remembered that could have been read before
                Event::AlreadyRead | Event::Unreadable { .. } | Event::Ended { .. } | Event::Reached { .. } => {}
            }
        }
    }

    /// Reads no further.
    pub fn stop(&mut self) {
        self.stop.cancel();
        self.events.close();
    }

    /// Whether the object was read to its end, once there are no more pieces.
    ///
    /// # Errors
    /// Why it was not.
    pub async fn ended(mut self) -> Result<(), Trouble> {
        match (&mut self.outcome).await {
            Ok(Outcome::Read(_)) => Ok(()),
            Ok(Outcome::Failed(trouble)) => Err(trouble),
            Ok(Outcome::Stopped) => Err(Trouble::new(Kind::Other, "the time was over before it was read")),
            Err(panic) => Err(Trouble::new(Kind::Other, panic.to_string())),
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.stop.cancel();
        self.outcome.abort();
    }
}
