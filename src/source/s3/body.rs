//! The bytes of one object, in order and once each, however often the connection breaks.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Buf, Bytes};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::bucket::Buckets;
use super::pause;
use crate::aws::{Kind, Trouble};
use crate::wait::{now, sleep, timeout};

/// What waits between the connection and the decoder of a large object; a chunk is what the connection gave, 256 KiB at
/// most.
const CHUNKS_WAITING_MAX: usize = 8;
/// A try that comes after so many is told of; each has been several of AWS's client.
const TOLD_TRIES: u32 = 3;
/// Once in this time, for whichever object: thousands may be throttled together.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// How patiently objects are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// A connection that gives nothing for so long is broken.
    pub stall: Duration,
    /// Tries in a row that bring nothing.
    pub tries_max: u32,
}

pub(super) struct Body {
    buckets: Buckets,
    bucket: String,
    key: String,
    /// As S3 sent it, with quotes.
    etag: String,
    pub length: u64,
    /// Bytes handed on.
    got: u64,
    stream: Option<ByteStream>,
    patience: Patience,
    tries: u32,
}

impl Body {
    /// Asks for an object; the answer's head is there when this returns.
    pub async fn open(buckets: &Buckets, bucket: &str, key: &str, patience: Patience) -> Result<Body, Trouble> {
        let mut tries = 0;
        let answer = loop {
            match buckets.get(bucket, key, None).await {
                Ok(answer) => break answer,
                Err(trouble) => wait(key, &trouble, &mut tries, patience).await.map_err(|()| trouble)?,
            }
        };
        // a proxy, or the page of a login, may answer in S3's place
        let missing = |what| Trouble::new(Kind::Unreachable, format!("S3 sent no {what}"));
        let GetObjectOutput { body, e_tag, content_length, .. } = answer;
        Ok(Body {
            buckets: buckets.clone(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            etag: e_tag.ok_or_else(|| missing("ETag"))?,
            length: content_length.and_then(|length| length.try_into().ok()).ok_or_else(|| missing("length"))?,
            got: 0,
            stream: Some(body),
            patience,
            tries: 0,
        })
    }

    /// The ETag without its quotes.
    pub fn etag(&self) -> &str {
        self.etag.trim_matches('"')
    }

    /// The next bytes; `None` when all of them have come. Where a connection breaks, another goes on behind what has come.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        loop {
            let trouble = match &mut self.stream {
                None if self.got == self.length => return Ok(None),
                None => match self.buckets.get(&self.bucket, &self.key, Some((self.got, &self.etag))).await {
                    Ok(answer) => {
                        self.stream = Some(answer.body);
                        continue;
                    }
                    Err(trouble) => trouble,
                },
                Some(stream) => match timeout(self.patience.stall, stream.next()).await {
                    Ok(Some(Ok(bytes))) => {
                        self.got += bytes.len() as u64;
                        self.tries = 0;
                        return Ok(Some(bytes));
                    }
                    Ok(None) if self.got == self.length => return Ok(None),
                    // all bytes are here, and their checksum is wrong
                    Ok(Some(Err(error))) if self.got == self.length => {
                        return Err(Trouble::new(Kind::Other, format!("it was damaged on its way: {error}")));
                    }
                    Ok(Some(Err(error))) => broken(&format!("the connection broke: {error}")),
                    Ok(None) => broken("the connection ended early"),
                    Err(_) => broken("nothing came any more"),
                },
            };
            self.stream = None;
            tracing::debug!(key = self.key, got = self.got, why = %trouble, "reading on");
            wait(&self.key, &trouble, &mut self.tries, self.patience).await.map_err(|()| trouble)?;
        }
    }

    /// All of it, with room for `padding` bytes behind.
    pub async fn whole(mut self, padding: usize) -> Result<Bytes, Trouble> {
        let mut bytes = Vec::with_capacity(self.length as usize + padding + 1);
        while let Some(chunk) = self.next().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.into())
    }

    /// The two ends of a stream of it: the first must be awaited while the second is read on another thread. `read`
    /// counts the bytes that came.
    pub fn stream(self, read: Arc<AtomicU64>) -> (impl Future<Output = Result<(), Trouble>>, Stream) {
        let (give, take) = mpsc::channel(CHUNKS_WAITING_MAX);
        (self.pump(give, read), Stream { chunks: take, chunk: Bytes::new(), ended: false })
    }

    async fn pump(mut self, give: mpsc::Sender<Option<Bytes>>, read: Arc<AtomicU64>) -> Result<(), Trouble> {
        loop {
            let chunk = self.next().await?;
            let ended = chunk.is_none();
            read.fetch_add(chunk.as_ref().map_or(0, |bytes| bytes.len() as u64), Ordering::Relaxed);
            // when nobody reads on, who reads knows why
            if give.send(chunk).await.is_err() || ended {
                return Ok(());
            }
        }
    }
}

fn broken(why: &str) -> Trouble {
    Trouble::new(Kind::Unreachable, why)
}

/// Waits before the next try; an error when there is to be none.
async fn wait(key: &str, trouble: &Trouble, tries: &mut u32, patience: Patience) -> Result<(), ()> {
    static TOLD: Told = Told(Mutex::new(None));
    *tries += 1;
    if !trouble.may_pass() || *tries >= patience.tries_max {
        return Err(());
    }
    if *tries >= TOLD_TRIES && TOLD.is_due(now()) {
        tracing::warn!(key, %trouble, "reading an object, and others maybe: trying again");
    }
    sleep(pause(*tries - 1).min(patience.stall)).await;
    Ok(())
}

/// When it was last told that objects take many tries.
struct Told(Mutex<Option<Instant>>);

impl Told {
    /// Whether that is to be told again, and then notes that it was.
    fn is_due(&self, now: Instant) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = told.is_none_or(|told| now - told >= TELL_EVERY);
        if is_due {
            *told = Some(now);
        }
        is_due
    }
}

/// Reads what a [`Body`] pumps.
pub(super) struct Stream {
    chunks: mpsc::Receiver<Option<Bytes>>,
    chunk: Bytes,
    ended: bool,
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !self.ended {
            match self.chunks.blocking_recv() {
                Some(Some(chunk)) => self.chunk = chunk,
                Some(None) => self.ended = true,
                // the pump stopped before the end, and says why
                None => return Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
        let length = self.chunk.len().min(into.len());
        self.chunk.copy_to_slice(&mut into[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_objects_take_many_tries_is_told_once_a_minute() {
        let (told, start) = (Told(Mutex::new(None)), Instant::now());
        let due = [0, 1, 59, 60, 61, 119, 120].map(|second| told.is_due(start + Duration::from_secs(second)));
        assert_eq!(due, [true, false, false, true, false, false, true]);
    }
}
