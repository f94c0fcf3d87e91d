//! The state as one object of S3, for workers without a disk that lasts: read once at the start, and written whole with each
//! commit.
//!
//! Every write has a condition on the object that it replaces (`If-Match`, or `If-None-Match: *` where there is none). A
//! worker that starts writes the state that it found with the next epoch: whoever wrote it before then finds another object
//! than its own, and cannot commit any more.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::ByteStream;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::commit::{Commit, Manifest};
use super::said::Said;
use crate::aws::tried::{NOT_WITHOUT_DOING_IT, Outcome, Tried};
use crate::aws::{Aws, Kind, Trouble};
use crate::health::HEALTH;
use crate::source::claims::{Lost, random_name};

/// The object, below the prefix.
const NAME: &str = "state.weir";
/// Level of zstd.
const LEVEL: i32 = 3;
/// What the name of a part begins with of what a rule over windows remembers; its number and the rule follow.
const WINDOWS: &str = "windows/";
/// Layout of the object; another one is refused rather than guessed at.
const VERSION: u32 = 1;
/// From one try of a call to the next, while S3 cannot be reached. The client has tried several times by then.
const PAUSE: Duration = Duration::from_secs(2);
/// Tries of the first calls, which a person may be waiting for.
const TRIES_MAX: u32 = 5;

/// A state in a bucket that this worker has taken.
pub struct Bucket {
    client: Client,
    runtime: Handle,
    bucket: String,
    key: String,
    owner: Option<String>,
    /// Names the writer, so that a write whose answer was lost is known again.
    writer: String,
    held: Mutex<Held>,
}

struct Held {
    /// Of the object as it stands, as far as we know.
    etag: String,
    epoch: u64,
    /// Once a commit was made, no more of it than what the next one may leave as it is: outboxes, and what rules over windows remember.
    last: Option<Commit>,
}

/// The first line of the inflated object; the values follow it one behind the other.
#[derive(Serialize, Deserialize)]
struct Index {
    version: u32,
    epoch: u64,
    writer: String,
    /// Names the commit, as the number of its round does not: after a run began again, another has the same.
    #[serde(default)]
    write: String,
    manifest: Option<Manifest>,
    values: Vec<(String, usize)>,
}

/// Bucket and key of the state at `s3://BUCKET/PREFIX`.
///
/// # Errors
/// When it is no such address.
pub fn address(text: &str) -> anyhow::Result<(String, String)> {
    address_of(text, NAME)
}

/// The same of another object beside the state.
pub(super) fn address_of(text: &str, name: &str) -> anyhow::Result<(String, String)> {
    let rest = text.strip_prefix("s3://").with_context(|| format!("state is `{text}`, and no s3://BUCKET/PREFIX"))?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        bail!("state is `{text}`, and no s3://BUCKET/PREFIX");
    }
    let prefix = prefix.trim_matches('/');
    let slash = if prefix.is_empty() { "" } else { "/" };
    Ok((bucket.to_owned(), format!("{prefix}{slash}{name}")))
}

impl Bucket {
    /// Takes the state over, whoever has it, and begins it where there is none; `again` where this writer has had it before, and then
    /// it must still be its own. `writer` names a process. `runtime` runs the calls; it must not be the thread's own.
    ///
    /// # Errors
    /// When it cannot be read or written, was written by a newer Weir, or is no longer its own.
    pub fn take(address_text: &str, writer: &str, again: bool, aws: &Aws, runtime: Handle) -> anyhow::Result<Bucket> {
        let mut taken = Bucket::open(address_text, writer, aws, runtime)?;
        let mut denied = None;
        for _ in 0..TRIES_MAX {
            let found = match taken.read() {
                // who may not list a bucket is not told that there is no object
                Err(error) if denied.is_none() && is_denied(&error) => {
                    denied = Some(error);
                    None
                }
                found => found?,
            };
            let (etag, epoch, last) = match found {
                None => (None, 1, None),
                Some((etag, index, last)) if index.writer == taken.writer => {
                    taken.held = Mutex::new(Held { etag, epoch: index.epoch, last });
                    return Ok(taken);
                }
                Some((_, index, _)) if again => return Err(taken.taken_over(index.epoch)),
                Some((etag, index, last)) => (Some(etag), index.epoch + 1, last),
            };
            taken.held = Mutex::new(Held { etag: String::new(), epoch, last: last.clone() });
            if let Put::Done(etag) = taken.put(etag.as_deref(), epoch, "", last.as_ref())? {
                taken.hold(etag, epoch);
                tracing::info!(state = taken.name(), epoch, "took over the state");
                return Ok(taken);
            }
            if let Some(denied) = denied.take() {
                return Err(denied);
            }
        }
        bail!("taking over the state {}: other workers take it all the time", taken.name())
    }

    /// It is taken by nobody yet.
    fn open(address_text: &str, writer: &str, aws: &Aws, runtime: Handle) -> anyhow::Result<Bucket> {
        let (bucket, key) = address(address_text)?;
        let client = runtime.block_on(aws.s3())?;
        Ok(Bucket {
            client,
            runtime,
            bucket,
            key,
            owner: aws.expected_bucket_owner().map(str::to_owned),
            writer: writer.to_owned(),
            held: Mutex::new(Held { etag: String::new(), epoch: 0, last: None }),
        })
    }

    fn hold(&mut self, etag: String, epoch: u64) {
        let held = self.held.get_mut().expect("nobody panics while holding it");
        (held.etag, held.epoch) = (etag, epoch);
    }

    fn taken_over(&self, epoch: u64) -> anyhow::Error {
        anyhow!("another worker has taken over the state {}, with epoch {epoch}", self.name())
    }

    pub fn name(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }

    /// The verdicts beside it.
    pub fn said(&self) -> Said {
        let prefix = self.key.strip_suffix(NAME).expect("the state has this name");
        Said::below(self.client.clone(), self.runtime.clone(), &self.bucket, prefix, self.owner.clone())
    }

    /// The last commit, if there is one, as it was found when the state was taken.
    pub fn load(&self) -> Option<Commit> {
        self.held.lock().expect("nobody panics while holding it").last.clone()
    }

    /// Makes a commit permanent, or nothing of it. While S3 cannot be reached it is tried again, for as long as `confirm` says that what
    /// it has may still be committed.
    ///
    /// # Errors
    /// When another worker has taken the state over or what was read, or S3 does not take the object. Of the last try it is then not
    /// known whether it was taken, and the state has to be taken again.
    pub fn commit(&self, commit: &Commit, confirm: &dyn Fn() -> Result<(), Lost>) -> anyhow::Result<()> {
        let mut held = self.held.lock().expect("nobody panics while holding it");
        let last = held.last.as_ref();
        let (mut outboxes, mut detector) =
            last.map(|last| (last.outboxes.clone(), last.detector.clone())).unwrap_or_default();
        outboxes.extend(commit.outboxes.clone());
        detector.take(commit.detector.clone());
        let whole = Commit { outboxes, detector, ..commit.clone() };
        let write = random_name();
        let etag = loop {
            match self.put(Some(&held.etag), held.epoch, &write, Some(&whole)) {
                Ok(Put::Done(etag)) => break etag,
                Ok(Put::Otherwise) => match self.read()? {
                    // the answer to an earlier try was lost
                    Some((etag, index, _)) if index.writer == self.writer && index.write == write => break etag,
                    Some((_, index, _)) if index.writer != self.writer => {
                        return Err(self.taken_over(index.epoch));
                    }
                    // nothing else was written; or a commit that was given up came late, in place of which this one is made
                    Some((etag, ..)) => {
                        held.etag = etag;
                        self.wait();
                        confirm()?;
                    }
                    None => bail!("somebody has removed the state {}", self.name()),
                },
                Err(error) if may_pass(&error) => {
                    tracing::warn!(error = format!("{error:#}"), "writing the state: trying again");
                    self.wait();
                    confirm()?;
                }
                Err(error) => return Err(error),
            }
        };
        held.etag = etag;
        held.last = Some(Commit { triage: Vec::new(), ..whole });
        Ok(())
    }

    fn wait(&self) {
        HEALTH.waits();
        std::thread::sleep(PAUSE);
    }

    fn read(&self) -> anyhow::Result<Option<(String, Index, Option<Commit>)>> {
        let ask = self.client.get_object().bucket(&self.bucket).key(&self.key);
        let ask = ask.set_expected_bucket_owner(self.owner.clone());
        let name = self.name();
        self.runtime.block_on(async {
            let answer = match ask.send().await.map_err(|error| Trouble::of("s3:GetObject", &error)) {
                Ok(answer) => answer,
                Err(trouble) if trouble.code.as_deref() == Some("NoSuchKey") => return Ok(None),
                Err(trouble) => return Err(trouble).with_context(|| format!("reading the state {name}")),
            };
            let etag = answer.e_tag.clone().with_context(|| format!("{name} has no ETag"))?;
            let body = answer.body.collect().await.with_context(|| format!("reading the state {name}"))?.into_bytes();
            let (index, commit) = unpack(&body).with_context(|| format!("reading the state {name}"))?;
            Ok(Some((etag, index, commit)))
        })
    }

    /// Writes the object in place of the one that has this ETag; without one, where there is none.
    fn put(&self, etag: Option<&str>, epoch: u64, write: &str, commit: Option<&Commit>) -> anyhow::Result<Put> {
        let body = pack(epoch, &self.writer, write, commit)?;
        let put = self.client.put_object().bucket(&self.bucket).key(&self.key).body(ByteStream::from(body));
        let put = put.set_expected_bucket_owner(self.owner.clone());
        let put = match etag {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        match self.runtime.block_on(put.send()) {
            Ok(answer) => Ok(Put::Done(answer.e_tag.with_context(|| format!("{} has no ETag", self.name()))?)),
            // 409: another write to the same key was on its way
            Err(error) if error.raw_response().is_some_and(|reply| matches!(reply.status().as_u16(), 409 | 412)) => {
                Ok(Put::Otherwise)
            }
            Err(error) => {
                let trouble = Trouble::of("s3:PutObject", &error);
                // If-Match on a key that is gone
                if trouble.kind == Kind::Missing && etag.is_some() && trouble.code.as_deref() == Some("NoSuchKey") {
                    return Ok(Put::Otherwise);
                }
                Err(trouble).with_context(|| format!("writing the state {}", self.name()))
            }
        }
    }
}

/// The last commit of a state that a worker may have, and goes on to have; nothing is written. `runtime` runs the calls; it must not be
/// the thread's own.
///
/// # Errors
/// When there is none, it cannot be read, or was written by a newer Weir.
pub fn peek(address_text: &str, aws: &Aws, runtime: Handle) -> anyhow::Result<Option<Commit>> {
    let bucket = Bucket::open(address_text, "", aws, runtime)?;
    let found = bucket.read()?.with_context(|| format!("there is no state {}: no run has begun it", bucket.name()))?;
    Ok(found.2)
}

enum Put {
    /// The object has this ETag.
    Done(String),
    /// There is another object than the one that was to be replaced.
    Otherwise,
}

fn may_pass(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Trouble>().is_some_and(Trouble::may_pass)
}

fn is_denied(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Trouble>().is_some_and(|trouble| trouble.kind == Kind::Denied)
}

/// An ETag that no object has.
const NO_ETAG: &str = "\"weir-doctor\"";

/// Reads the state, and asks to replace it on a condition that cannot hold. What is sent is what was read, so that a server which knows no
/// conditions changes nothing either, and is told of: on such a one two workers would undo each other's commits.
pub async fn probe(text: &str, aws: &Aws) -> Vec<Tried> {
    let (get, put) = ("s3:GetObject", "s3:PutObject");
    let Ok((bucket, key)) = address(text) else { return Vec::new() };
    let on = format!("s3://{bucket}/{key}");
    let client = match aws.s3().await {
        Ok(client) => client,
        Err(trouble) => return vec![Tried::new(on, get, Outcome::Fails(trouble))],
    };
    let owner = aws.expected_bucket_owner().map(str::to_owned);
    let ask = client.get_object().bucket(&bucket).key(&key).set_expected_bucket_owner(owner.clone());
    let mut body = None;
    let read = match ask.send().await.map_err(|error| Trouble::of(get, &error)) {
        Ok(answer) => match answer.body.collect().await {
            Ok(whole) => {
                body = Some(whole.into_bytes().to_vec());
                Outcome::Works("there is a state".to_owned())
            }
            Err(error) => Outcome::Fails(Trouble::new(Kind::Other, error.to_string())),
        },
        Err(trouble) if trouble.code.as_deref() == Some("NoSuchKey") => {
            body = pack(0, "", "", None).ok();
            Outcome::Works("there is no state yet: `weir run` begins it".to_owned())
        }
        Err(trouble) if trouble.kind == Kind::Denied => Outcome::Doubtful(format!(
            "{trouble}: so it is too where there is no state yet and s3:ListBucket is not allowed, which it need not be"
        )),
        Err(trouble) => Outcome::Fails(trouble),
    };
    let written = match body {
        None => Outcome::Untried(NOT_WITHOUT_DOING_IT),
        Some(body) => {
            let ask = client.put_object().bucket(&bucket).key(&key).body(ByteStream::from(body)).if_match(NO_ETAG);
            refused(ask.set_expected_bucket_owner(owner).send().await)
        }
    };
    vec![Tried::new(&on, get, read), Tried::new(&on, put, written)]
}

/// What the answer to a write says whose condition cannot hold.
fn refused<T>(answer: Result<T, SdkError<PutObjectError>>) -> Outcome {
    let error = match answer {
        Ok(_) => {
            let why = "the server writes whatever the condition: two workers would undo each other's commits";
            return Outcome::Fails(Trouble::new(Kind::Other, why.to_owned()));
        }
        Err(error) => error,
    };
    let is_condition = error.raw_response().is_some_and(|reply| matches!(reply.status().as_u16(), 409 | 412));
    let trouble = Trouble::of("s3:PutObject", &error);
    if is_condition || trouble.code.as_deref() == Some("NoSuchKey") {
        return Outcome::Works("it may be written, on conditions".to_owned());
    }
    Outcome::Fails(trouble)
}

fn pack(epoch: u64, writer: &str, write: &str, commit: Option<&Commit>) -> anyhow::Result<Vec<u8>> {
    let mut values: Vec<(String, &[u8])> = Vec::new();
    if let Some(commit) = commit {
        values.push(("detector".to_owned(), &commit.detector.shared));
        let parts = commit.detector.of_rules.iter();
        values.extend(parts.map(|((rule, number), part)| (format!("{WINDOWS}{number}/{rule}"), &part[..])));
        values.push(("triage".to_owned(), &commit.triage));
        values.extend(commit.outboxes.iter().map(|(name, outbox)| (format!("outbox/{name}"), &outbox[..])));
    }
    let index = Index {
        version: VERSION,
        epoch,
        writer: writer.to_owned(),
        write: write.to_owned(),
        manifest: commit.map(Manifest::of),
        values: values.iter().map(|(name, value)| (name.clone(), value.len())).collect(),
    };
    let mut whole = serde_json::to_vec(&index)?;
    whole.push(b'\n');
    values.iter().for_each(|(_, value)| whole.extend_from_slice(value));
    Ok(zstd::encode_all(&whole[..], LEVEL)?)
}

fn unpack(object: &[u8]) -> anyhow::Result<(Index, Option<Commit>)> {
    let whole = zstd::decode_all(object).context("it is not compressed with zstd")?;
    let line = whole.iter().position(|byte| *byte == b'\n').context("it has no first line")?;
    let mut index: Index = serde_json::from_slice(&whole[..line])?;
    if index.version != VERSION {
        bail!("it has version {}, and this weir knows version {VERSION}", index.version);
    }
    let mut rest = &whole[line + 1..];
    let mut values = BTreeMap::new();
    for (name, length) in &index.values {
        let (value, behind) = rest.split_at_checked(*length).context("it is cut off")?;
        values.insert(name.as_str(), value.to_vec());
        rest = behind;
    }
    let Some(manifest) = index.manifest.take() else { return Ok((index, None)) };
    let mut commit = manifest.commit()?;
    commit.detector.shared = values.remove("detector").unwrap_or_default().into();
    for (name, part) in values.extract_if(.., |name, _| name.starts_with(WINDOWS)) {
        let (number, rule) = name[WINDOWS.len()..].split_once('/').context("a part has no number")?;
        commit.detector.of_rules.insert((rule.to_owned(), number.parse()?), part.into());
    }
    commit.triage = values.remove("triage").unwrap_or_default();
    let outboxes =
        values.into_iter().filter_map(|(name, value)| Some((name.strip_prefix("outbox/")?.to_owned(), value)));
    commit.outboxes = outboxes.collect();
    Ok((index, Some(commit)))
}

#[cfg(test)]
mod tests;
