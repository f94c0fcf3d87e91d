//! A prefix of a bucket → the objects of the days that are wanted, each read once: now, or when the command is given again.
//!
//! A bucket is never listed whole: `plan` finds the folders of days, and only those are listed. What has been read is in
//! the checkpoint, object by object; a day that nothing more comes into is folded into one entry (`days`), so that the
//! checkpoint of years of an organization's logs stays small. A folder that is not laid out by days keeps an entry for
//! each of its objects, about 200 bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use futures::{StreamExt, stream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::bucket::Buckets;
use super::days::{Days, folder_of_day, is_settled};
use super::object::{Object, Outcome, Reader};
use super::{Settings, pause};
use crate::aws::{Aws, Kind, Trouble};
use crate::position::Position;
use crate::sink::table::plain;
use crate::source::layout::{Verdict, Wanted};
use crate::source::plan::{Address, Leaf, ListStep, Listing, Pages, Plan, Planner};
use crate::source::{Event, Feed, Piece};
use crate::wait::{clock, select, sleep};

/// Listings that are made at the same time; S3 takes 5,500 a second of one prefix.
const LISTINGS_AT_ONCE: usize = 16;
/// Days that are listed and read at the same time, so that there are objects enough to fetch when days are small.
const LEAVES_AT_ONCE: usize = 8;
/// Tries in a row without progress: with the waits between them about four minutes.
const TRIES_MAX: u32 = 12;
/// The same of an answer that is not S3's, as a proxy that is not ready may give it: with the waits seven seconds.
const ODD_TRIES_MAX: u32 = 4;
/// After so many objects that cannot be read, something is wrong with more than the objects.
const FAILED_MAX: u64 = 1000;

/// What to read.
#[derive(Clone, Debug)]
pub struct Config {
    pub address: Address,
    pub wanted: Wanted,
    pub settings: Settings,
    /// Where the reading stands, for who shows it.
    pub progress: Arc<Progress>,
}

/// How far a backfill is. Folders are those of days, each of one account and Region; how many objects are in them is only
/// known as they are listed.
#[derive(Debug, Default)]
pub struct Progress {
    /// 0 until the plan is made.
    pub folders: AtomicU64,
    pub folders_done: AtomicU64,
    /// Of these, those that an earlier run had read.
    pub folders_known: AtomicU64,
    /// Those that are listed by now, or are being listed.
    pub folders_begun: AtomicU64,
    pub objects_done: AtomicU64,
    /// Bytes, as stored, of the objects that were found so far and are to be read, and of those that were read.
    pub bytes_found: AtomicU64,
    pub bytes_done: AtomicU64,
}

impl Progress {
    /// How long the rest will take, if folders have as many bytes as those that were listed so far, and are read as fast. Of a folder
    /// whose listing has several pages more is found as it goes on. `None` where nothing was read yet.
    pub fn left(&self, elapsed: Duration) -> Option<Duration> {
        let value = |value: &AtomicU64| value.load(Ordering::Relaxed) as f64;
        let (begun, found, done) = (value(&self.folders_begun), value(&self.bytes_found), value(&self.bytes_done));
        if begun == 0.0 || done == 0.0 {
            return None;
        }
        let folders = (value(&self.folders) - value(&self.folders_known)).max(begun);
        let rest = (found / begun * folders - done).max(0.0);
        Duration::try_from_secs_f64(elapsed.as_secs_f64() * rest / done).ok()
    }
}

/// Reads what is wanted, or stops when it is told to. What cannot be read is told as [`Event::Unreadable`], and the
/// whole as [`Event::Ended`].
pub async fn run(config: Config, aws: Aws, feed: Feed) {
    let name = config.address.to_string();
    let work = async {
        let buckets = Buckets::new(&aws.assuming(config.settings.assume_role.as_ref())).await?;
        let backfill = Backfill {
            slots: Arc::new(Semaphore::new(config.settings.objects_at_once as usize)),
            reader: Arc::new(Reader::new(buckets, feed.clone(), TRIES_MAX)),
            bucket: config.address.bucket.as_str().into(),
            failed: AtomicU64::new(0),
            feed: feed.clone(),
            config,
        };
        backfill.read().await
    };
    let result = select! {
        result = work => result,
        () = feed.stop.cancelled() => Ok(()),
    };
    if let Err(error) = result {
        // when the pipeline has gone, nobody is there to be told
        let _ = feed.send(Event::Ended { name, why: format!("{error:#}") }).await;
    }
}

struct Backfill {
    config: Config,
    feed: Feed,
    reader: Arc<Reader>,
    bucket: Arc<str>,
    /// A permit for each object that is fetched.
    slots: Arc<Semaphore>,
    failed: AtomicU64,
}

impl Backfill {
    async fn read(&self) -> anyhow::Result<()> {
        let plan = self.plan().await?;
        for note in &plan.notes {
            tracing::warn!("s3://{}: {}", self.bucket, plain(&note.to_string()));
        }
        self.config.progress.folders.store(plan.leaves().len() as u64, Ordering::Relaxed);
        let mut days = Days::of(&self.bucket, &self.feed.resume);
        let (known, new): (Vec<Leaf>, Vec<Leaf>) =
            plan.leaves().partition(|leaf| folder_of_day(leaf).is_some_and(|(root, day)| days.has(root, day)));
        self.config.progress.folders_known.store(known.len() as u64, Ordering::Relaxed);
        self.config.progress.folders_done.store(known.len() as u64, Ordering::Relaxed);
        if !known.is_empty() {
            tracing::info!(folders = known.len(), "read before: passed over without listing them");
        }
        drop(known);
        // in the order of the plan, so that days in a row are done in a row
        let mut leaves = stream::iter(new).map(|leaf| self.leaf(leaf)).buffered(LEAVES_AT_ONCE);
        while let Some(done) = leaves.next().await {
            let (leaf, whole) = done?;
            if self.feed.stop.is_cancelled() {
                return Ok(());
            }
            self.config.progress.folders_done.fetch_add(1, Ordering::Relaxed);
            if whole && let Some((root, day)) = folder_of_day(&leaf) {
                self.fold(&leaf, days.add(root, day)).await;
            }
        }
        Ok(())
    }

    /// Puts one entry into the checkpoint in place of those of the day's objects.
    async fn fold(&self, leaf: &Leaf, position: Position) {
        let objects = format!("s3://{}/{}", self.bucket, leaf.prefix);
        let mark = Piece { position: Some(position), forget: vec![objects.into()], ..Piece::default() };
        // when the pipeline has gone, there is no checkpoint to keep small
        let _ = self.feed.send(Event::Piece(mark)).await;
    }

    /// Finds the folders to read.
    async fn plan(&self) -> anyhow::Result<Plan> {
        let mut planner = Planner::new(&self.config.address.prefix, self.config.wanted.clone());
        let at_once = Arc::new(Semaphore::new(LISTINGS_AT_ONCE));
        let mut out = JoinSet::new();
        loop {
            for step in planner.steps() {
                let (buckets, bucket, at_once) = (self.reader.buckets.clone(), self.bucket.clone(), at_once.clone());
                out.spawn(async move {
                    let _one = at_once.acquire().await;
                    let listing = folders(&buckets, &bucket, &step).await;
                    (step, listing)
                });
            }
            match out.join_next().await {
                Some(answer) => {
                    let (step, listing) = answer.context("listing folders")?;
                    let listing = listing.with_context(|| format!("listing s3://{}/{}", self.bucket, step.prefix))?;
                    planner.answer(&step, &listing);
                }
                None => return Ok(planner.finish()),
            }
        }
    }

    /// Reads everything wanted in a folder; true when all that is in it was read, and nothing more will come. Of one that has nothing, or
    /// the empty object by which consoles and copies make a folder, nobody knows that: what is restored or copied comes years later.
    async fn leaf(&self, leaf: Leaf) -> anyhow::Result<(Leaf, bool)> {
        self.config.progress.folders_begun.fetch_add(1, Ordering::Relaxed);
        let mut whole = leaf.day.is_some_and(|day| is_settled(day, clock()));
        let mut is_empty = true;
        let mut reading = JoinSet::new();
        let mut token = None;
        loop {
            let page = list(&self.reader.buckets, &self.bucket, &leaf.prefix, None, token).await;
            let page = page.with_context(|| format!("listing s3://{}/{}", self.bucket, leaf.prefix))?;
            let bytes = page.contents().iter().filter(|listed| self.is_due(listed)).filter_map(|listed| listed.size());
            let bytes: i64 = bytes.sum();
            is_empty &= page.contents().iter().all(|listed| listed.size() == Some(0));
            self.config.progress.bytes_found.fetch_add(bytes.max(0) as u64, Ordering::Relaxed);
            for object in page.contents() {
                whole &= self.take(object, &mut reading).await?;
                while let Some(read) = reading.try_join_next() {
                    whole &= self.took(read.context("reading an object")?).await?;
                }
            }
            match page.next_continuation_token {
                Some(next) => token = Some(next),
                None => break,
            }
        }
        while let Some(read) = reading.join_next().await {
            whole &= self.took(read.context("reading an object")?).await?;
        }
        Ok((leaf, whole && !is_empty))
    }

    /// Whether a listed object is to be read, and was not.
    fn is_due(&self, listed: &aws_sdk_s3::types::Object) -> bool {
        let (Some(key), Some(etag)) = (listed.key(), listed.e_tag()) else { return false };
        let object = Object { bucket: self.bucket.clone(), key: key.to_owned(), size: None };
        matches!(self.config.wanted.judge(key), Verdict::Read)
            && !self.feed.resume.is_done(&object.partition(etag.trim_matches('"')))
    }

    /// Begins to read a listed object, once there is room; false when it is left out though it is a log.
    async fn take(
        &self,
        listed: &aws_sdk_s3::types::Object,
        reading: &mut JoinSet<(Object, Outcome)>,
    ) -> anyhow::Result<bool> {
        let Some(key) = listed.key() else { bail!("S3 lists an object without a key") };
        match self.config.wanted.judge(key) {
            Verdict::Read => {}
            Verdict::SetAside(_) => return Ok(true),
            Verdict::Unwanted => return Ok(false),
        }
        let size = listed.size().and_then(|size| size.try_into().ok());
        let object = Object { bucket: self.bucket.clone(), key: key.to_owned(), size };
        let Some(etag) = listed.e_tag() else {
            let why = "it is listed without an ETag, by which it would be known again".to_owned();
            // when the pipeline has gone, nobody is there to be told
            let _ = self.feed.send(Event::Unreadable { name: object.name(), why }).await;
            return Ok(false);
        };
        if self.feed.resume.is_done(&object.partition(etag.trim_matches('"'))) {
            // when the pipeline has gone, the next read finds out
            let _ = self.feed.send(Event::AlreadyRead).await;
            return Ok(true);
        }
        let slot = self.slots.clone().acquire_owned().await.context("waiting for room")?;
        let reader = self.reader.clone();
        reading.spawn(async move {
            let outcome = reader.read(&object).await;
            drop(slot);
            (object, outcome)
        });
        Ok(true)
    }

    /// Notes what became of an object; false when it is not done.
    async fn took(&self, (object, outcome): (Object, Outcome)) -> anyhow::Result<bool> {
        match outcome {
            Outcome::Read(_) => {
                self.config.progress.objects_done.fetch_add(1, Ordering::Relaxed);
                self.config.progress.bytes_done.fetch_add(object.size.unwrap_or(0), Ordering::Relaxed);
                Ok(true)
            }
            Outcome::Stopped => Ok(false),
            Outcome::Failed(trouble) if matches!(trouble.kind, Kind::Credentials | Kind::Region) => {
                Err(trouble).with_context(|| format!("reading {}", object.name()))
            }
            Outcome::Failed(trouble) => {
                let event = Event::Unreadable { name: object.name(), why: trouble.to_string() };
                // when the pipeline has gone, nobody is there to be told
                let _ = self.feed.send(event).await;
                if self.failed.fetch_add(1, Ordering::Relaxed) + 1 == FAILED_MAX {
                    bail!("{FAILED_MAX} objects could not be read: given up");
                }
                Ok(false)
            }
        }
    }
}

/// Makes one step of the plan.
async fn folders(buckets: &Buckets, bucket: &str, step: &ListStep) -> Result<Listing, Trouble> {
    let mut listing = Listing::default();
    let mut token = None;
    loop {
        let page = list(buckets, bucket, &step.prefix, Some("/"), token).await?;
        listing.folders.extend(page.common_prefixes().iter().filter_map(|folder| folder.prefix().map(str::to_owned)));
        let is_marker = |key: Option<&str>| step.prefix.ends_with('/') && key == Some(&step.prefix);
        let objects = page.contents().iter().filter(|object| !is_marker(object.key()));
        listing.objects += objects.count() as u64;
        match page.next_continuation_token {
            Some(next) if step.pages == Pages::All => token = Some(next),
            _ => return Ok(listing),
        }
    }
}

/// One page, tried again as long as that may help.
async fn list(
    buckets: &Buckets,
    bucket: &str,
    prefix: &str,
    delimiter: Option<&str>,
    token: Option<String>,
) -> Result<ListObjectsV2Output, Trouble> {
    let mut tries = 0;
    loop {
        match buckets.list(bucket, prefix, delimiter, token.clone()).await {
            Err(trouble) if tries + 1 < tries_max(&trouble) => {
                tracing::warn!(bucket, prefix, %trouble, "listing failed, and is tried again");
                sleep(pause(tries)).await;
            }
            answer => return answer,
        }
        tries += 1;
    }
}

fn tries_max(trouble: &Trouble) -> u32 {
    match (trouble.may_pass(), trouble.is_odd()) {
        (true, _) => TRIES_MAX,
        (false, true) => ODD_TRIES_MAX,
        (false, false) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_by_the_bytes_that_are_known() {
        let left = |folders: [u64; 3], found: u64, done: u64| {
            let [all, known, begun] = folders.map(AtomicU64::new);
            let progress = Progress {
                folders: all,
                folders_known: known,
                folders_begun: begun,
                bytes_found: found.into(),
                bytes_done: done.into(),
                ..Progress::default()
            };
            progress.left(Duration::from_secs(60)).map(|left| left.as_secs())
        };
        assert_eq!(left([10, 0, 0], 0, 0), None);
        assert_eq!(left([10, 0, 1], 100, 0), None, "nothing is known of how fast it is");
        // a tenth of the first of ten folders in a minute
        assert_eq!(left([10, 0, 1], 100, 10), Some(99 * 60));
        assert_eq!(left([10, 8, 1], 100, 10), Some(19 * 60), "eight had been read before");
        assert_eq!(left([10, 0, 10], 1000, 1000), Some(0));
    }
}
