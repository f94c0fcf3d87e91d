//! The state in S3, for workers without a disk that lasts: read once at the start, and written with each commit as one object, its
//! head. Values that have not changed for a while are in objects beside it, its packs, which the head names: a pack is written once,
//! under a name of its own, before the first head that names it, and removed after the first that does not ([`layout`]).
//!
//! Every write of the head has a condition on the object that it replaces (`If-Match`, or `If-None-Match: *` where there is none). A
//! worker that starts writes the state that it found with the next epoch: whoever wrote it before then finds another object
//! than its own, and cannot commit any more.
//!
//! A commit that has to be settled is written with the head that it takes the place of, which is written again if it comes not to stand.

use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::ByteStream;
use futures::future::join_all;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use self::layout::{Head, Kept, Layout, Pack, Values};
use super::commit::Commit;
use super::duplicates::kept;
use super::said::Said;
use crate::aws::tried::{NOT_WITHOUT_DOING_IT, Outcome, Tried};
use crate::aws::{Aws, Kind, Trouble, written};
use crate::health::HEALTH;
use crate::source::claims::{Lost, Note, random_name};
use crate::wait::{block_on, now, pause, select, sleep, timeout};

mod layout;

/// The head, below the prefix, and what the keys of packs begin with there.
const NAME: &str = "state.weir";
const PACKS: &str = "state.parts/";
/// From one try of a call to the next, while S3 cannot be reached. The client has tried several times by then.
const PAUSE: Duration = Duration::from_secs(2);
/// Told to stop, a commit has so long for S3 to come back: who waits for the program to end kills it soon.
const STOP_WAIT: Duration = Duration::from_secs(15);
/// A call looks this often whether the run was told to stop.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Tries of the first calls, which a person may be waiting for.
const TRIES_MAX: u32 = 5;

/// An end waits for what is being removed for so long.
const REMOVAL_WAIT: Duration = Duration::from_secs(5);

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
    /// Removals that are under way.
    removing: Mutex<Vec<JoinHandle<()>>>,
    /// How long ago the run was told to stop.
    told_to_stop: fn() -> Option<Duration>,
}

#[derive(Default)]
struct Held {
    /// Of the object as it stands, as far as we know.
    etag: String,
    epoch: u64,
    /// Once a commit was made, no more of it than what the next one may leave as it is: outboxes, and what rules over windows remember, and ids.
    last: Option<Commit>,
    /// What the object has, and where.
    kept: Kept,
    /// Its head, without the one before,
    head: Vec<u8>,
    /// which is this, inflated, where both were found and it has yet to be found out which of them stands.
    before: Option<(Note, Vec<u8>)>,
    /// Packs that only the head before names.
    left: Vec<String>,
    /// Packs may not be written: all is in the head.
    is_alone: bool,
}

impl Held {
    fn of(head: Head, last: Option<Commit>, etag: String) -> anyhow::Result<Held> {
        let (mut left, kept) = (head.packs()?, Kept::of(&head.index, last.as_ref()));
        left.retain(|name| !kept.names(name));
        let (epoch, before) = (head.index.epoch, head.index.note.zip(head.before));
        Ok(Held { etag, epoch, last, kept, head: layout::packed(&head.text)?, before, left, is_alone: false })
    }
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
            let (etag, object, last) = match found {
                None => (None, Layout::default().head(1, &taken.writer, "", None)?, None),
                Some((etag, head, last)) => {
                    if head.index.writer == taken.writer {
                        taken.held = Mutex::new(Held::of(head, last, etag)?);
                        return Ok(taken);
                    }
                    if again {
                        return Err(taken.taken_over(head.index.epoch));
                    }
                    (Some(etag), head.taken(head.index.epoch + 1, &taken.writer)?, last)
                }
            };
            if let Put::Done(etag) = taken.put(etag.as_deref(), &object)? {
                let head = layout::read_head(&object)?;
                let (epoch, packs) = (head.index.epoch, head.packs()?);
                taken.held = Mutex::new(Held::of(head, last, etag)?);
                tracing::info!(state = taken.name(), epoch, "took over the state");
                taken.sweep(&packs);
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
        let client = block_on(&runtime, aws.s3())?;
        let owner = aws.expected_bucket_owner(&bucket).map(str::to_owned);
        Ok(Bucket {
            client,
            runtime,
            bucket,
            key,
            owner,
            writer: writer.to_owned(),
            held: Mutex::default(),
            removing: Mutex::default(),
            told_to_stop: || HEALTH.told_to_stop(),
        })
    }

    /// Does what has a call or a few. Once the run was told to stop a while ago, one that takes as long is given up: AWS's client waits for
    /// minutes for an S3 that does not answer.
    fn wait_for<T>(&self, calls: impl Future<Output = T>) -> Result<T, Trouble> {
        let begun = now();
        let given_up = async {
            while (self.told_to_stop)().is_none_or(|ago| ago < STOP_WAIT) || now() - begun < STOP_WAIT {
                sleep(LOOK_EVERY).await;
            }
        };
        block_on(&self.runtime, async {
            select! {
                answer = calls => Ok(answer),
                () = given_up => Err(Trouble::new(Kind::Unreachable, "told to stop, and S3 does not answer")),
            }
        })
    }

    /// What a failed call says.
    fn trouble<E>(&self, action: &str, error: &SdkError<E>) -> Trouble
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        Trouble::of_bucket(action, error, self.owner.as_deref())
    }

    fn taken_over(&self, epoch: u64) -> anyhow::Error {
        anyhow!("another worker has taken over the state {}, with epoch {epoch}", self.name())
    }

    pub fn name(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }

    /// The verdicts beside it.
    pub fn said(&self) -> Said {
        Said::below(self.client.clone(), self.runtime.clone(), &self.bucket, self.prefix(), self.owner.clone())
    }

    fn prefix(&self) -> &str {
        self.key.strip_suffix(NAME).expect("the state has this name")
    }

    fn pack_key(&self, name: &str) -> String {
        format!("{}{PACKS}{name}", self.prefix())
    }

    /// The last commit, if there is one, as it was found when the state was taken.
    pub fn load(&self) -> Option<Commit> {
        self.held.lock().expect("nobody panics while holding it").last.clone()
    }

    /// By what the last commit is known if it has to be found out whether it stands.
    pub fn unsettled(&self) -> Option<Note> {
        self.held.lock().expect("nobody panics while holding it").before.as_ref().map(|(note, _)| note.clone())
    }

    /// Goes back to the commit before the last, which does not stand.
    ///
    /// # Errors
    /// When it cannot be read or written, or another worker has taken the state over.
    pub fn undo(&self) -> anyhow::Result<()> {
        let mut held = self.held.lock().expect("nobody panics while holding it");
        match held.before.take() {
            Some((_, before)) => self.settle_on(&mut held, &before),
            None => Ok(()),
        }
    }

    /// Keeps the last commit, which stands.
    ///
    /// # Errors
    /// Those of [`Bucket::undo`].
    pub fn stand(&self) -> anyhow::Result<()> {
        let mut held = self.held.lock().expect("nobody panics while holding it");
        let last = layout::read_head(&held.head)?.text;
        self.settle_on(&mut held, &last)
    }

    /// Writes this head, inflated, with nothing that is to be found out, and goes on from it.
    fn settle_on(&self, held: &mut Held, head: &[u8]) -> anyhow::Result<()> {
        let write = random_name();
        let object = layout::rewritten(head, |index| {
            // no other object may be the same: whoever wrote it would take it for its own
            (index.epoch, index.writer, index.write) = (held.epoch, self.writer.clone(), write.clone());
            index.note = None;
        })?;
        let mut head = layout::read_head(&object)?;
        let last = self.read_packs(&mut head)?;
        let etag = match self.put(Some(&held.etag), &object)? {
            Put::Done(etag) => etag,
            Put::Otherwise => match self.head()? {
                // the answer to an earlier try was lost
                Some((etag, Head { index, .. })) if index.writer == self.writer && index.write == write => etag,
                _ => bail!("somebody else has written the state {}", self.name()),
            },
        };
        let before = std::mem::replace(held, Held::of(head, last, etag)?);
        let packs = before.kept.packs.into_iter().map(|pack| pack.name).chain(before.left);
        self.remove(packs.filter(|name| !held.kept.names(name)));
        Ok(())
    }

    /// Makes a commit permanent, or nothing of it; with a note it can be undone by who takes the state next. While S3 cannot be reached
    /// it is tried again, for as long as `confirm` says that what it has may still be committed; once the run is told to stop for
    /// 15 seconds at most.
    ///
    /// # Errors
    /// When another worker has taken the state over or what was read, or S3 does not take the object. Of the last try it is then not
    /// known whether it was taken, and the state has to be taken again.
    pub fn commit(
        &self,
        commit: &Commit,
        note: Option<&Note>,
        confirm: &dyn Fn() -> Result<(), Lost>,
    ) -> anyhow::Result<()> {
        let mut held = self.held.lock().expect("nobody panics while holding it");
        let last = held.last.as_ref();
        let (mut outboxes, mut detector, mut seen) =
            last.map(|last| (last.outboxes.clone(), last.detector.clone(), last.seen.clone())).unwrap_or_default();
        outboxes.extend(commit.outboxes.clone());
        detector.take(commit.detector.clone());
        kept::take(&mut seen, commit.seen.clone());
        let whole = Commit { outboxes, detector, seen, ..commit.clone() };
        let mut layout = held.kept.next(commit, &whole);
        let mut written = None;
        if layout.wants_pack() && !held.is_alone {
            let (name, body) = (format!("{}-{}", held.epoch, random_name()), layout.pack()?);
            match self.put_pack(&name, &body, confirm)? {
                Packed::Done => {
                    layout.is_packed(name.clone());
                    written = Some(name);
                }
                Packed::Denied(error) => {
                    held.is_alone = true;
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "each commit writes all of the state: its parts may not be written beside it"
                    );
                }
            }
        }
        let write = random_name();
        layout.note = note;
        let head = layout.head(held.epoch, &self.writer, &write, Some(&whole))?;
        let before = note.map_or(&[][..], |_| &held.head[..]);
        let object = [&head[..], before].concat();
        let etag = loop {
            match self.put(Some(&held.etag), &object) {
                Ok(Put::Done(etag)) => break etag,
                Ok(Put::Otherwise) => match self.head() {
                    Err(error) if may_pass(&error) => self.wait_while(error, confirm)?,
                    Err(error) => return Err(error),
                    // the answer to an earlier try was lost
                    Ok(Some((etag, Head { index, .. }))) if index.writer == self.writer && index.write == write => {
                        break etag;
                    }
                    Ok(Some((_, head))) if head.index.writer != self.writer => {
                        // who has it named what it found, and names nothing of ours any more
                        let packs = head.packs()?;
                        self.remove(written.into_iter().filter(|name| !packs.contains(name)));
                        return Err(self.taken_over(head.index.epoch));
                    }
                    // nothing else was written; or a commit that was given up came late, in place of which this one is made
                    Ok(Some((etag, ..))) => {
                        held.etag = etag;
                        self.wait();
                        confirm()?;
                    }
                    Ok(None) => bail!("somebody has removed the state {}", self.name()),
                },
                Err(error) if may_pass(&error) => self.wait_while(error, confirm)?,
                Err(error) => return Err(error),
            }
        };
        let kept = layout.kept();
        let before = std::mem::replace(&mut held.kept, kept).packs.into_iter().map(|pack| pack.name);
        let before = before.filter(|name| !held.kept.names(name)).collect();
        let mut gone = std::mem::replace(&mut held.left, before);
        if note.is_none() {
            gone.append(&mut held.left);
        }
        // who reads by a head of before finds another head
        self.remove(gone.into_iter());
        (held.etag, held.head, held.before) = (etag, head, None);
        held.last = Some(Commit { triage: Vec::new(), ..whole });
        Ok(())
    }

    fn wait(&self) {
        HEALTH.waits();
        pause(PAUSE);
    }

    /// A call is made again, if what it is for may still be committed.
    fn wait_while(&self, error: anyhow::Error, confirm: &dyn Fn() -> Result<(), Lost>) -> anyhow::Result<()> {
        if (self.told_to_stop)().is_some_and(|ago| ago >= STOP_WAIT) {
            return Err(error.context("told to stop: what was read since the last commit comes again"));
        }
        tracing::warn!(error = format!("{error:#}"), "writing the state: trying again");
        self.wait();
        Ok(confirm()?)
    }

    /// The head and all that it names.
    fn read(&self) -> anyhow::Result<Option<(String, Head, Option<Commit>)>> {
        let mut before = None;
        loop {
            let Some((etag, mut head)) = self.head()? else { return Ok(None) };
            match self.read_packs(&mut head) {
                Ok(commit) => return Ok(Some((etag, head, commit))),
                // another head is there by now, which does not name it
                Err(error) if is_gone(&error) && before.as_ref() != Some(&etag) => before = Some(etag),
                Err(error) => return Err(error),
            }
        }
    }

    /// The commit of a head, with all that it names.
    fn read_packs(&self, head: &mut Head) -> anyhow::Result<Option<Commit>> {
        let mut values = std::mem::take(&mut head.values);
        let read = head.index.packs.iter().try_for_each(|pack| self.read_pack(pack, &mut values));
        let commit = read.and_then(|()| layout::commit_of(&mut head.index, values));
        commit.with_context(|| format!("reading the state {}", self.name()))
    }

    fn head(&self) -> anyhow::Result<Option<(String, Head)>> {
        let reading = || format!("reading the state {}", self.name());
        match self.get(&self.key) {
            Ok((etag, body)) => {
                let head = layout::read_head(&body).with_context(reading)?;
                Ok(Some((etag.with_context(|| format!("{} has no ETag", self.name()))?, head)))
            }
            Err(error) if code(&error) == Some("NoSuchKey") => Ok(None),
            Err(error) => Err(error).with_context(reading),
        }
    }

    fn read_pack(&self, pack: &Pack, values: &mut Values) -> anyhow::Result<()> {
        let (_, body) = self.get(&self.pack_key(&pack.name)).with_context(|| format!("its part {}", pack.name))?;
        pack.read(&body, values).with_context(|| format!("its part {}", pack.name))
    }

    fn get(&self, key: &str) -> anyhow::Result<(Option<String>, Vec<u8>)> {
        let ask = self.client.get_object().bucket(&self.bucket).key(key);
        let ask = ask.set_expected_bucket_owner(self.owner.clone());
        self.wait_for(async {
            let answer = ask.send().await;
            let answer = answer.map_err(|error| self.trouble("s3:GetObject", &error))?;
            let etag = answer.e_tag.clone();
            let body =
                answer.body.collect().await.map_err(|error| Trouble::new(Kind::Unreachable, error.to_string()))?;
            anyhow::Ok((etag, body.into_bytes().to_vec()))
        })?
    }

    /// Writes a pack, while S3 cannot be reached again and again, as a head is.
    fn put_pack(&self, name: &str, body: &[u8], confirm: &dyn Fn() -> Result<(), Lost>) -> anyhow::Result<Packed> {
        let key = self.pack_key(name);
        loop {
            let put = self.client.put_object().bucket(&self.bucket).key(&key).body(ByteStream::from(body.to_vec()));
            let put = put.set_expected_bucket_owner(self.owner.clone());
            let put = self.wait_for(put.send());
            let put = put.and_then(|put| put.map_err(|error| self.trouble("s3:PutObject", &error)));
            let Err(error) = put.and_then(|answer| written(answer.e_tag())) else { return Ok(Packed::Done) };
            let is_denied = error.kind == Kind::Denied;
            let error = anyhow::Error::from(error).context(format!("writing s3://{}/{key}", self.bucket));
            match () {
                () if is_denied => return Ok(Packed::Denied(error)),
                () if may_pass(&error) => self.wait_while(error, confirm)?,
                () => return Err(error),
            }
        }
    }

    /// Removes packs that no head names, or will name. No commit waits for it: what is left over, the next worker sweeps.
    fn remove(&self, names: impl Iterator<Item = String>) {
        let mut removing = self.removing.lock().expect("nobody panics while holding it");
        removing.retain(|removal| !removal.is_finished());
        for name in names {
            let delete = self.client.delete_object().bucket(&self.bucket).key(self.pack_key(&name));
            let (delete, owner) = (delete.set_expected_bucket_owner(self.owner.clone()).send(), self.owner.clone());
            removing.push(self.runtime.spawn(async move {
                if let Err(error) = delete.await {
                    let error = Trouble::of_bucket("s3:DeleteObject", &error, owner.as_deref()).to_string();
                    tracing::warn!(name, error, "a part of the state that is needed no more cannot be removed");
                }
            }));
        }
    }

    /// Waits for what is being removed, for a time: once the program has ended nobody removes it before another worker begins.
    pub fn wait_for_removals(&self) {
        let removing = std::mem::take(&mut *self.removing.lock().expect("nobody panics while holding it"));
        if !removing.is_empty() {
            let _ = block_on(&self.runtime, timeout(REMOVAL_WAIT, join_all(removing)));
        }
    }

    /// Removes what lives that ended between two calls have left. Of a worker that had the state before, which cannot commit any more,
    /// a pack may still come.
    fn sweep(&self, named: &[String]) {
        let prefix = self.pack_key("");
        let ask = self.client.list_objects_v2().bucket(&self.bucket).prefix(&prefix);
        let mut pages = ask.set_expected_bucket_owner(self.owner.clone()).into_paginator().send();
        loop {
            let page = self.wait_for(pages.next());
            let page = page.and_then(|page| page.transpose().map_err(|error| self.trouble("s3:ListBucket", &error)));
            match page {
                Ok(None) => return,
                Ok(Some(page)) => {
                    let keys = page.contents().iter().filter_map(|object| object.key()?.strip_prefix(&prefix));
                    let left = keys.filter(|name| layout::is_pack_name(name) && !named.iter().any(|one| one == name));
                    self.remove(left.map(str::to_owned).collect::<Vec<_>>().into_iter());
                }
                Err(error) => {
                    let error = error.to_string();
                    tracing::warn!(state = self.name(), error, "what was left over of the state cannot be found");
                    return;
                }
            }
        }
    }

    /// Writes the head in place of the one that has this ETag; without one, where there is none.
    fn put(&self, etag: Option<&str>, head: &[u8]) -> anyhow::Result<Put> {
        let put = self.client.put_object().bucket(&self.bucket).key(&self.key).body(ByteStream::from(head.to_vec()));
        let put = put.set_expected_bucket_owner(self.owner.clone());
        let put = match etag {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        let writing = || format!("writing the state {}", self.name());
        match self.wait_for(put.send()).with_context(writing)? {
            Ok(answer) => {
                written(answer.e_tag()).with_context(writing)?;
                Ok(Put::Done(answer.e_tag.expect("what is written has an ETag")))
            }
            // 409: another write to the same key was on its way
            Err(error) if error.raw_response().is_some_and(|reply| matches!(reply.status().as_u16(), 409 | 412)) => {
                Ok(Put::Otherwise)
            }
            Err(error) => {
                let trouble = self.trouble("s3:PutObject", &error);
                // If-Match on a key that is gone
                if trouble.kind == Kind::Missing && etag.is_some() && trouble.code.as_deref() == Some("NoSuchKey") {
                    return Ok(Put::Otherwise);
                }
                Err(trouble).with_context(writing)
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

/// What became of a pack.
enum Packed {
    Done,
    Denied(anyhow::Error),
}

fn code(error: &anyhow::Error) -> Option<&str> {
    error.downcast_ref::<Trouble>().and_then(|trouble| trouble.code.as_deref())
}

/// Who may not list a bucket is denied what is not there.
fn is_gone(error: &anyhow::Error) -> bool {
    code(error) == Some("NoSuchKey") || is_denied(error)
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
    let owner = aws.expected_bucket_owner(&bucket);
    let ask = client.get_object().bucket(&bucket).key(&key).set_expected_bucket_owner(owner.map(str::to_owned));
    let mut body = None;
    let read = match ask.send().await.map_err(|error| Trouble::of_bucket(get, &error, owner)) {
        Ok(answer) => match answer.body.collect().await {
            Ok(whole) => {
                body = Some(whole.into_bytes().to_vec());
                Outcome::Works("there is a state".to_owned())
            }
            Err(error) => Outcome::Fails(Trouble::new(Kind::Other, error.to_string())),
        },
        Err(trouble) if trouble.code.as_deref() == Some("NoSuchKey") => {
            body = Layout::default().head(0, "", "", None).ok();
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
            refused(ask.set_expected_bucket_owner(owner.map(str::to_owned)).send().await, owner)
        }
    };
    let packs = format!("{}{PACKS}", key.strip_suffix(NAME).expect("the state has this name"));
    let list = client.list_objects_v2().bucket(&bucket).prefix(&packs).max_keys(1);
    let listed = match list.set_expected_bucket_owner(owner.map(str::to_owned)).send().await {
        Ok(_) => Outcome::Works("its parts can be found".to_owned()),
        Err(error) => Outcome::Fails(Trouble::of_bucket("s3:ListBucket", &error, owner)),
    };
    let packs = format!("s3://{bucket}/{packs}");
    vec![
        Tried::new(&on, get, read),
        Tried::new(&on, put, written),
        Tried::new(&packs, "s3:ListBucket", listed),
        Tried::new(packs, "s3:DeleteObject", Outcome::Untried(NOT_WITHOUT_DOING_IT)),
    ]
}

/// What the answer to a write says whose condition cannot hold.
fn refused<T>(answer: Result<T, SdkError<PutObjectError>>, owner: Option<&str>) -> Outcome {
    let error = match answer {
        Ok(_) => {
            let why = "the server writes whatever the condition: two workers would undo each other's commits";
            return Outcome::Fails(Trouble::new(Kind::Other, why.to_owned()));
        }
        Err(error) => error,
    };
    let is_condition = error.raw_response().is_some_and(|reply| matches!(reply.status().as_u16(), 409 | 412));
    let trouble = Trouble::of_bucket("s3:PutObject", &error, owner);
    if is_condition || trouble.code.as_deref() == Some("NoSuchKey") {
        return Outcome::Works("it may be written, on conditions".to_owned());
    }
    Outcome::Fails(trouble)
}

/// Names of the packs that a head names, or the one behind it.
#[cfg(test)]
pub fn packs_of(head: &[u8]) -> Vec<String> {
    let mut names = layout::read_head(head).unwrap().packs().unwrap();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests;
