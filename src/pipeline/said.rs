//! What people found out about findings, as one object beside a state in a bucket: `weir feedback` adds lines to it, and the worker
//! what it hears from Security Hub, so that nobody needs the worker's epoch to say something.
//!
//! A line is added by replacing the object on the condition that it is the one that was read, again and again until that holds, so
//! that no verdict is lost where several are given at once. A write whose answer was lost may add its lines twice, which says
//! nothing more: the last line on a finding counts.

use std::time::Duration;

use anyhow::{Context, bail};
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::bucket;
use super::feedback::readable;
use crate::aws::{Aws, Kind, Trouble, written};
use crate::triage::feedback::Feedback;
use crate::wait::{block_on, now, timeout};

/// The object, below the prefix of the state. It has a line for each verdict, as the file of an archive.
const NAME: &str = "feedback.ndjson";
/// Between two looks of a worker: 5,760 requests a day, 7 cents a month.
const LOOK: Duration = Duration::from_secs(15);
/// A look waits no longer than this, since the pipeline waits for it; the next one may bring more.
const WAIT: Duration = Duration::from_secs(5);
/// Tries to add a line while others do, and the time between two.
const TRIES_MAX: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// The object of verdicts of one state.
pub struct Said {
    client: Client,
    runtime: Handle,
    bucket: String,
    key: String,
    owner: Option<String>,
    /// Of what was read last.
    etag: Option<String>,
    looked: Option<Instant>,
}

/// What a request for the object came to.
enum Found {
    Object {
        etag: String,
        text: String,
    },
    /// It is the one that has the ETag which was given.
    Same,
    /// There is none, or nobody may know: who may not list a bucket is not told that there is no object.
    Nothing {
        denied: Option<Trouble>,
    },
}

impl Said {
    /// That of the state at `s3://BUCKET/PREFIX`. `runtime` runs the calls; it must not be the thread's own.
    ///
    /// # Errors
    /// When it is no such address, or there are no credentials.
    pub fn of(state: &str, aws: &Aws, runtime: Handle) -> anyhow::Result<Said> {
        let (bucket, prefix) = bucket::address_of(state, "")?;
        let client = block_on(&runtime, aws.s3())?;
        let owner = aws.expected_bucket_owner(&bucket).map(str::to_owned);
        Ok(Said::below(client, runtime, &bucket, &prefix, owner))
    }

    /// The same with the prefix as keys have it, with its slash.
    pub(super) fn below(client: Client, runtime: Handle, bucket: &str, prefix: &str, owner: Option<String>) -> Said {
        let key = format!("{prefix}{NAME}");
        Said { client, runtime, bucket: bucket.to_owned(), key, owner, etag: None, looked: None }
    }

    pub fn name(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }

    /// What was said, when that has changed since the last call, and there is time for a look. What cannot be read is logged, and
    /// changes nothing.
    pub fn changed(&mut self) -> Option<Feedback> {
        if self.looked.is_some_and(|looked| now().saturating_duration_since(looked) < LOOK) {
            return None;
        }
        self.looked = Some(now());
        let found = block_on(&self.runtime, async { timeout(WAIT, self.get(self.etag.as_deref())).await });
        match found {
            Ok(Ok(Found::Object { etag, text })) => {
                self.etag = Some(etag);
                let (feedback, wrong) = Feedback::read(&text);
                for (line, why) in wrong {
                    tracing::warn!(object = self.name(), line, why, "a verdict cannot be read, and does not count");
                }
                Some(feedback)
            }
            Ok(Ok(Found::Same | Found::Nothing { .. })) => None,
            Ok(Err(error)) => {
                let error = format!("{error:#}");
                tracing::warn!(object = self.name(), error, "what was said of findings cannot be read");
                None
            }
            Err(_) => {
                tracing::warn!(object = self.name(), "what was said of findings cannot be read: no answer");
                None
            }
        }
    }

    /// All that was said, line by line.
    ///
    /// # Errors
    /// When the object cannot be read.
    pub fn text(&self) -> anyhow::Result<String> {
        match block_on(&self.runtime, self.get(None))? {
            Found::Object { text, .. } => Ok(text),
            Found::Same => unreachable!("no ETag was given"),
            Found::Nothing { .. } => Ok(String::new()),
        }
    }

    /// Adds whole lines behind all that were said.
    ///
    /// # Errors
    /// When the object cannot be read or written, or others write to it without end.
    pub fn add(&self, lines: &str) -> anyhow::Result<()> {
        self.add_to(|_| lines.to_owned())
    }

    /// The same with lines that depend on all that were said; nothing is written where there are none.
    ///
    /// # Errors
    /// Those of [`Said::add`].
    pub fn add_to(&self, mut lines: impl FnMut(&str) -> String) -> anyhow::Result<()> {
        for _ in 0..TRIES_MAX {
            let (etag, mut text, denied) = match block_on(&self.runtime, self.get(None))? {
                Found::Object { etag, text } => (Some(etag), text, None),
                Found::Same => unreachable!("no ETag was given"),
                Found::Nothing { denied } => (None, String::new(), denied),
            };
            let lines = lines(&text);
            if lines.is_empty() {
                return Ok(());
            }
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text += &lines;
            if block_on(&self.runtime, self.put(etag.as_deref(), text))? {
                return Ok(());
            }
            if let Some(denied) = denied {
                return Err(denied).with_context(|| format!("reading {}", self.name()));
            }
            std::thread::sleep(PAUSE);
        }
        bail!("writing {}: others write to it all the time", self.name())
    }

    async fn get(&self, known: Option<&str>) -> anyhow::Result<Found> {
        let reading = || format!("reading {}", self.name());
        let ask = self.client.get_object().bucket(&self.bucket).key(&self.key);
        let ask = ask.set_expected_bucket_owner(self.owner.clone()).set_if_none_match(known.map(str::to_owned));
        let answer = match ask.send().await {
            Ok(answer) => answer,
            Err(error) if error.raw_response().is_some_and(|reply| reply.status().as_u16() == 304) => {
                return Ok(Found::Same);
            }
            Err(error) => {
                let trouble = Trouble::of_bucket("s3:GetObject", &error, self.owner.as_deref());
                return match trouble.kind {
                    _ if trouble.code.as_deref() == Some("NoSuchKey") => Ok(Found::Nothing { denied: None }),
                    Kind::Denied => Ok(Found::Nothing { denied: Some(trouble) }),
                    _ => Err(trouble).with_context(reading),
                };
            }
        };
        let etag = answer.e_tag.clone().with_context(|| format!("{} has no ETag", self.name()))?;
        let body = answer.body.collect().await.with_context(reading)?.into_bytes();
        Ok(Found::Object { etag, text: readable(&body).into_owned() })
    }

    /// Writes the object in place of the one that has this ETag, or where there is none; says whether that held.
    async fn put(&self, etag: Option<&str>, text: String) -> anyhow::Result<bool> {
        let put =
            self.client.put_object().bucket(&self.bucket).key(&self.key).body(ByteStream::from(text.into_bytes()));
        let put = put.set_expected_bucket_owner(self.owner.clone());
        let put = match etag {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        match put.send().await {
            Ok(answer) => {
                written(answer.e_tag()).with_context(|| format!("writing {}", self.name()))?;
                Ok(true)
            }
            // 409: another write to the same key was on its way
            Err(error) if error.raw_response().is_some_and(|reply| matches!(reply.status().as_u16(), 409 | 412)) => {
                Ok(false)
            }
            Err(error) => {
                let trouble = Trouble::of_bucket("s3:PutObject", &error, self.owner.as_deref());
                Err(trouble).with_context(|| format!("writing {}", self.name()))
            }
        }
    }
}
