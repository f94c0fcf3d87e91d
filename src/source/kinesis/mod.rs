//! A Kinesis stream → pieces of whole records, each with the position it brings its shard to.
//!
//! `shards` says which shards are to be read and from where, one task reads each of them (`poll`, or `fan_out`), and
//! `page` makes pieces of what they got. A stream has no end: reading stops when it is told to.

mod fan_out;
pub mod handed;
mod leased;
mod page;
mod poll;
pub mod probe;
mod stream;
mod table;
mod trouble;
#[cfg(test)]
pub mod fake;
#[cfg(test)]
mod fake_h2;
#[cfg(test)]
pub mod fake_table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::StalledStreamProtectionConfig;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::types::Record;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::fan_out::Lanes;
use self::page::Taken;
use self::stream::Remade;
pub use self::stream::Stream;
use self::table::Table;
use self::trouble::{Backoff, Trouble, patiently};
use super::claims::Note;
use super::shards::{self, Due, Shard, Shards, Share, Start};
use super::{Event, Feed, Gone, Piece};
use crate::aws::trust::Trust;
use crate::aws::{self, Aws};
use crate::metrics::METRICS;
use crate::position::{Checkpoint, Offset, Position};
use crate::time::Timestamp;
use crate::wait::{block_in_place, changed, clock, now, select, sleep, sleep_until, timeout};

/// Answers of GetRecords that are in memory at a time, of at most 10 MiB each (13 in JSON), whatever the number of shards; fewer where
/// memory is short. With enhanced fan-out so many are taken apart at a time, and each other shard holds at most one event and what of
/// the next fits into the window of its stream (2 MiB).
const ANSWERS_MAX: usize = 4;
/// Shards are listed again this often, and sooner when one has ended.
const LIST_EVERY: Duration = Duration::from_secs(60);
/// How far a shard has been read is told this often while nothing comes, and with everything that comes.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// ... but not more often than this.
const LIST_PAUSE: Duration = Duration::from_secs(1);
/// Who waits for a commit asks for one this often.
const HURRY_EVERY: Duration = Duration::from_secs(1);

/// The `[source.kinesis]` section: how every stream that `from` names is read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where a stream is begun that has never been read.
    pub start: Start,
    /// Name of a consumer for enhanced fan-out, registered when there is none; without it the shards are polled.
    pub fan_out: Option<String>,
    /// Milliseconds between two GetRecords of one shard: all its consumers together may make five a second. Between two
    /// subscriptions of enhanced fan-out it is five times as long. 0 does not wait, and is for servers that are not AWS.
    pub poll_ms: u64,
    /// Which part of the shards this worker reads: `0/4` is the first of four.
    pub share: Share,
    /// Shares the shards with all workers that name the same table, in place of `share`.
    pub leases: Option<Leases>,
    /// Role to take on, in place of that of `[aws]`.
    pub assume_role: Option<aws::Role>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            start: Start::TrimHorizon,
            fan_out: None,
            poll_ms: 1000,
            share: Share::ALL,
            leases: None,
            assume_role: None,
        }
    }
}

/// The `[source.kinesis.leases]` section: how workers share the shards of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leases {
    /// Table of DynamoDB, in the account and Region of `[aws]`, with the key `leaseKey` of type S.
    pub table: String,
    /// A worker that has said nothing for so many seconds is taken for dead, 2 to 300.
    #[serde(default = "Leases::expiry_seconds", deserialize_with = "Leases::expiry")]
    pub expiry_seconds: u64,
}

impl Leases {
    /// Those in a table, with the usual expiry.
    pub fn of_table(table: &str) -> Leases {
        Leases { table: table.to_owned(), expiry_seconds: Leases::expiry_seconds() }
    }

    fn expiry_seconds() -> u64 {
        10
    }

    fn expiry<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let seconds = u64::deserialize(deserializer)?;
        match seconds {
            2..=300 => Ok(seconds),
            _ => Err(serde::de::Error::custom(format!("expiry_seconds is {seconds}, and must be 2 to 300"))),
        }
    }
}

/// Finds out whether a commit stands that was made of shards under leases, and if not, has it never stand; `false` when it does.
///
/// # Errors
/// When the table cannot be written.
pub async fn undo(note: &Note, leases: &Leases, aws: &Aws) -> anyhow::Result<bool> {
    Table::open(aws, &leases.table, "", 0).await?.undo(note).await
}

/// The same, asked until there is an answer.
///
/// # Errors
/// When the table cannot be written, or it has not answered before the program was told to stop.
pub async fn undo_patiently(note: &Note, leases: &Leases, aws: &Aws, stop: &CancellationToken) -> anyhow::Result<bool> {
    let mut backoff = Backoff::new(&note.worker);
    loop {
        let error = match undo(note, leases, aws).await {
            Err(error) if error.is::<table::Unanswered>() => error,
            answered => return answered,
        };
        let wait = backoff.next();
        if backoff.is_news() {
            tracing::warn!(error = format!("{error:#}"), "asking whether the last commit stands: trying again");
        }
        select! {
            () = sleep(wait) => {}
            () = stop.cancelled() => return Err(error),
        }
    }
}

/// Which stream to read, and how.
#[derive(Clone, Debug)]
pub struct Config {
    pub stream: Stream,
    pub settings: Settings,
}

/// Reads the stream until it is told to stop, and, where it is shared by leases, until the last commit has been made.
///
/// It is unreadable when there is no Region, or the stream cannot be described, its shards be listed or its leases be read: they
/// are not there, or access is denied. What time may mend, and all that goes wrong later, is tried again, for ever, and told. Where the
/// stream is deleted and made again, the new one is read from its beginning.
pub async fn run(config: Config, aws: Aws, feed: Feed) {
    let name = config.stream.to_string();
    let reader = async {
        let reader = aws.assuming(config.settings.assume_role.as_ref());
        let client = reader.kinesis(config.stream.region()).await.with_context(|| format!("reading {name}"))?;
        anyhow::Ok((client, aws.trust().with_context(|| format!("reading {name}"))?))
    };
    let (client, trust) = match reader.await {
        Ok(reader) => reader,
        Err(error) => return unreadable(&feed, name, &error).await,
    };
    if let Some(leases) = config.settings.leases.clone() {
        // the table is ours, whosever the stream is
        return leased::run(config, &leases, &aws, (client, trust), feed).await;
    }
    if let Err(error) = run_with(config, client, trust, feed.clone()).await {
        unreadable(&feed, name, &error).await;
    }
}

async fn unreadable(feed: &Feed, name: String, error: &anyhow::Error) {
    // how it stood when it was last read says nothing of now
    for gauge in [&METRICS.kinesis_behind_seconds, &METRICS.kinesis_age_seconds] {
        // where it was never set there is none to remove
        let _ = gauge.remove_label_values(&[&name]);
    }
    for gauge in [&METRICS.kinesis_shards, &METRICS.kinesis_leases] {
        let _ = gauge.remove_label_values(&[&name]);
    }
    // when the pipeline has gone, nobody wants to know
    let _ = feed.send(Event::Ended { name, why: format!("{error:#}") }).await;
}

async fn run_with(config: Config, client: Client, trust: Trust, feed: Feed) -> anyhow::Result<()> {
    let stop = feed.stop.clone();
    select! {
        result = read(config, client, trust, feed) => result,
        // readers stop at the next piece; what they have not handed on is read again
        () = stop.cancelled() => Ok(()),
    }
}

/// When another stream comes to have the name, that one is read from its beginning.
async fn read(config: Config, client: Client, trust: Trust, mut feed: Feed) -> anyhow::Result<()> {
    let name = config.stream.to_string();
    loop {
        let told = patiently(&name, || stream::describe(&client, &config.stream)).await;
        let told = told.with_context(|| format!("describing {name}"))?;
        let partition = told.partition.clone();
        match read_until_remade(config.clone(), client.clone(), trust.clone(), feed.clone(), told).await {
            Err(error) if error.is::<Remade>() => feed = following(&partition, feed),
            ended => return ended,
        }
    }
}

/// The feed of a stream that has the name of the one that these positions are of.
fn following(partition: &str, feed: Feed) -> Feed {
    let mut resume = Checkpoint::clone(&feed.resume);
    // whatever was committed of it, it was read
    resume.advance(Position { partition: format!("kinesis:{partition}").into(), offset: Offset::at(0) });
    Feed { resume: Arc::new(resume), ..feed }
}

async fn read_until_remade(
    config: Config,
    client: Client,
    trust: Trust,
    feed: Feed,
    told: stream::Told,
) -> anyhow::Result<()> {
    let name = config.stream.to_string();
    let mut shards = Shards::new(&told.partition, config.settings.start, config.settings.share, &feed.resume);
    let mut forget = tell_remade(&name, &told.partition, &feed.resume);
    let mut readers = Readers::new(config, client, trust, feed, told, usize::MAX).await?;
    let mut begun = false;
    loop {
        let listing = match begun {
            true => readers.shared.list().await,
            false => patiently(&name, || readers.shared.list()).await,
        };
        let listed = now();
        match listing {
            Ok(listing) => {
                begun = true;
                let marks = shards.listed(listing, clock());
                forget.extend(shards.take_forgotten());
                for position in marks {
                    let mark =
                        Piece { position: Some(position), forget: std::mem::take(&mut forget), ..Piece::default() };
                    if readers.shared.feed.send(Event::Piece(mark)).await.is_err() {
                        return Ok(());
                    }
                }
                if !forget.is_empty() {
                    let piece = Piece { forget: std::mem::take(&mut forget), ..Piece::default() };
                    if readers.shared.feed.send(Event::Piece(piece)).await.is_err() {
                        return Ok(());
                    }
                }
            }
            Err(error) if error.is::<Remade>() => {
                // nothing of the one that is gone may come behind what is told of the other
                readers.stop().await;
                return Err(error);
            }
            Err(error) if !begun || stream::is_gone(&error) => return Err(error),
            Err(error) => tracing::warn!(stream = name, error = format!("{error:#}"), "listing shards: trying again"),
        }
        readers.work(&mut shards, listed).await?;
    }
}

/// Says that streams are gone that had this name before, and gives what need not be known of them any more.
fn tell_remade(name: &str, partition: &str, committed: &Checkpoint) -> Vec<Arc<str>> {
    let earlier = shards::earlier(partition, committed);
    if !earlier.is_empty() {
        METRICS.kinesis_trimmed.with_label_values(&[] as &[&str]).inc();
        tracing::error!(
            stream = name,
            "the stream was deleted and made again: what had not been read of the earlier one is lost, and this one is read \
             from its beginning"
        );
    }
    earlier.iter().flat_map(|earlier| [earlier.clone(), format!("{earlier}/").into()]).collect()
}

/// What the readers of the shards have in common.
struct Shared {
    client: Client,
    /// For the calls that are made again and again: it does not try them again by itself, since that would be too soon,
    /// and would use up the tries of all other shards.
    polling: Client,
    /// Connections for subscriptions.
    lanes: Lanes,
    stream: Stream,
    /// `kinesis://STREAM`, for people and metrics.
    name: String,
    arn: String,
    created_millis: i64,
    settings: Settings,
    feed: Feed,
    /// Readers stop once it is cancelled,
    stop: CancellationToken,
    /// and this is when another stream has come to have the name.
    remade: CancellationToken,
    /// When it was last asked whether one has.
    asked: tokio::sync::Mutex<Option<Instant>>,
    answers: Semaphore,
    behind: Mutex<BTreeMap<Arc<str>, i64>>,
    /// When it was last told how far a partition has been read.
    told: Mutex<BTreeMap<Arc<str>, Instant>>,
    /// How far each partition has been handed on,
    handed: Arc<Mutex<BTreeMap<Arc<str>, Offset>>>,
    /// and how many there may be that are not all committed.
    handed_max: usize,
}

struct Readers {
    shared: Arc<Shared>,
    tasks: JoinSet<(Arc<str>, Ended)>,
    /// ARN of the consumer, with enhanced fan-out.
    consumer: Option<String>,
}

/// Why a shard is read no more.
enum Ended {
    /// It has been read to its end, or Kinesis no longer has it; these are its children, as far as Kinesis told.
    Whole(Vec<Shard>),
    Stopped,
}

impl Readers {
    /// Between two commits, pieces of `handed_max` shards at most are handed on.
    async fn new(
        config: Config,
        client: Client,
        trust: Trust,
        feed: Feed,
        told: stream::Told,
        handed_max: usize,
    ) -> anyhow::Result<Readers> {
        let consumer = match &config.settings.fan_out {
            Some(consumer) => {
                let name = config.stream.to_string();
                Some(patiently(&name, || stream::consumer(&client, &told.arn, consumer)).await?)
            }
            None => None,
        };
        let polling = client.config().to_builder().retry_config(RetryConfig::disabled());
        // a subscription without records is no stalled one
        let polling = polling.stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        let answers_max = feed.decode.memory.threads(ANSWERS_MAX);
        let shared = Shared {
            polling: Client::from_conf(polling.build()),
            lanes: Lanes::new(trust),
            client,
            name: config.stream.to_string(),
            stream: config.stream,
            arn: told.arn,
            created_millis: told.created_millis,
            settings: config.settings,
            stop: feed.stop.child_token(),
            feed,
            remade: CancellationToken::new(),
            asked: tokio::sync::Mutex::default(),
            answers: Semaphore::new(answers_max),
            behind: Mutex::default(),
            told: Mutex::default(),
            handed: Arc::default(),
            handed_max,
        };
        Ok(Readers { shared: Arc::new(shared), tasks: JoinSet::new(), consumer })
    }

    /// Reads the shards that are due, until a new listing is needed.
    async fn work(&mut self, shards: &mut Shards, listed: Instant) -> anyhow::Result<()> {
        let mut next_listing = listed + LIST_EVERY;
        loop {
            for due in shards.due() {
                self.begin(due, self.shared.stop.clone());
            }
            METRICS.kinesis_shards.with_label_values(&[&self.shared.name]).set(self.tasks.len() as i64);
            if shards.wants_listing() {
                next_listing = next_listing.min(listed + LIST_PAUSE);
            }
            let shared = self.shared.clone();
            select! {
                // the listing says so
                () = shared.remade.cancelled() => return Ok(()),
                () = sleep_until(next_listing) => return Ok(()),
                Some(ended) = self.tasks.join_next() => match ended.context("the reader of a shard panicked")? {
                    (shard, Ended::Whole(children)) => {
                        // not every server names the children
                        if children.is_empty() {
                            next_listing = next_listing.min(listed + LIST_PAUSE);
                        }
                        self.over(&shard);
                        shards.ended(&shard, children);
                    }
                    (_, Ended::Stopped) => {}
                },
            }
        }
    }

    /// Reads a shard until its end, or until told to stop.
    fn begin(&mut self, due: Due, stop: CancellationToken) {
        tracing::info!(stream = self.shared.name, shard = %due.shard, from = ?due.from, "reading a shard");
        let (shared, consumer) = (self.shared.clone(), self.consumer.clone());
        self.tasks.spawn(async move {
            let shard = due.shard.clone();
            let ended = match consumer {
                Some(consumer) => fan_out::read(&shared, consumer, due, stop).await,
                None => poll::read(&shared, due, stop).await,
            };
            // also of a shard that another worker goes on with
            shared.behind_by(&shard, None);
            (shard, ended)
        });
    }

    /// Waits until nobody reads any more.
    async fn stop(&mut self) {
        self.shared.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    fn over(&self, shard: &str) {
        tracing::info!(stream = self.shared.name, shard, "read a shard to its end");
    }
}

impl Shared {
    /// The shards, all of them.
    ///
    /// # Errors
    /// With [`Remade`] when they are those of another stream, which have the same names.
    async fn list(&self) -> anyhow::Result<Vec<Shard>> {
        if self.remade.is_cancelled() {
            return Err(Remade.into());
        }
        let listing = stream::list(&self.client, &self.stream).await;
        let listing = listing.with_context(|| format!("listing the shards of {}", self.name))?;
        // asked after it was listed, the answer holds for the listing; where there is none, the next one tells
        if matches!(self.is_remade().await, Ok(true)) { Err(Remade.into()) } else { Ok(listing) }
    }

    /// Whether another stream has the name by now. Then places in the one that was read mean nothing: its shards have the same
    /// names, and their sequence numbers may be lower than those that were read.
    async fn is_remade(&self) -> anyhow::Result<bool> {
        let begun = now();
        let mut asked = self.asked.lock().await;
        // many readers ask at the same time, and Kinesis answers 20 times a second
        if asked.is_none_or(|asked| asked < begun) {
            let now = now();
            let created = stream::created_millis(&self.client, &self.stream).await;
            if created.with_context(|| format!("describing {}", self.name))? != self.created_millis {
                self.remade.cancel();
            }
            *asked = Some(now);
        }
        Ok(self.remade.is_cancelled())
    }

    /// Whether a reader that was told this may go on: what it asked for may not be there, or be of another stream of the name.
    ///
    /// # Errors
    /// When that cannot be found out.
    async fn is_of_another(&self, trouble: &Trouble) -> anyhow::Result<bool> {
        match trouble {
            Trouble::Expired | Trouble::NotFound | Trouble::Invalid(_) => self.is_remade().await,
            Trouble::Throttled | Trouble::Other(_) => Ok(false),
        }
    }

    fn taken(&self, due: Due, stop: CancellationToken) -> Taken {
        let name = format!("{}/{}", self.name, due.shard);
        Taken::new(due, name, self.feed.decode.clone(), stop)
    }

    /// Makes pieces of records and hands them on; waits for room meanwhile. This is work for the processor: the runtime's
    /// other tasks go on elsewhere.
    fn hand_on(&self, taken: &mut Taken, records: Vec<Record>, behind_millis: Option<i64>) -> Result<(), Gone> {
        let asked = clock();
        let behind_millis = behind_millis.unwrap_or(0);
        self.behind_by(taken.shard(), Some(behind_millis));
        if let Some(arrived) = records.first().and_then(|record| record.approximate_arrival_timestamp) {
            let age = clock().0 as f64 / 1e6 - arrived.as_secs_f64();
            METRICS.kinesis_age_seconds.with_label_values(&[&self.name]).set(age);
        } else if behind_millis == 0 {
            taken.at_the_end();
        }
        let stop = taken.stop.clone();
        let mut send = |piece: Piece| {
            self.feed.runtime.block_on(self.handing_on(&piece, &stop))?;
            self.feed.blocking_send(Event::Piece(piece))
        };
        let is_due = !records.is_empty() || self.is_telling_due(taken.partition());
        block_in_place(|| taken.hand_on(records, &mut send))?;
        if !is_due || taken.stop.is_cancelled() {
            return Ok(());
        }
        // by our clock, as it is our clock that windows go by
        let until = Timestamp(asked.0.saturating_sub(behind_millis.saturating_mul(1000)));
        block_in_place(|| self.feed.blocking_send(Event::Reached { partition: taken.partition().clone(), until }))
    }

    /// Whether to tell again how far a partition has been read, of which nothing new came.
    fn is_telling_due(&self, partition: &Arc<str>) -> bool {
        let mut told = self.told.lock().expect("nobody panics while holding it");
        let is_due = told.get(partition).is_none_or(|last| now() - *last >= TELL_EVERY);
        if is_due {
            told.insert(partition.clone(), now());
        }
        is_due
    }

    /// The shard is all read: says so to the pipeline, and to who waits for its children.
    async fn whole(&self, taken: &Taken, children: Vec<Shard>) -> Ended {
        match self.end(taken).await {
            Ok(()) => Ended::Whole(children),
            Err(Gone) => Ended::Stopped,
        }
    }

    async fn end(&self, taken: &Taken) -> Result<(), Gone> {
        let piece = taken.ended();
        self.handing_on(&piece, &taken.stop).await?;
        self.feed.send(Event::Piece(piece)).await
    }

    /// Notes that a piece is handed on; waits where too many other shards wait for a commit.
    ///
    /// # Errors
    /// When its reader is told to stop, or the pipeline has gone: then it is not to be handed on.
    async fn handing_on(&self, piece: &Piece, stop: &CancellationToken) -> Result<(), Gone> {
        let mut committed = self.feed.committed.clone();
        loop {
            if stop.is_cancelled() {
                return Err(Gone);
            }
            if piece.position.as_ref().is_none_or(|position| self.is_noted(position, &committed.borrow_and_update())) {
                return Ok(());
            }
            self.feed.claims.hurry();
            let again = timeout(HURRY_EVERY, changed(&mut committed));
            select! {
                () = stop.cancelled() => return Err(Gone),
                changed = again => if let Ok(Err(_)) = changed { return Err(Gone) },
            }
        }
    }

    /// Notes how far a partition is handed on; `false` where it may not be.
    fn is_noted(&self, position: &Position, committed: &Checkpoint) -> bool {
        let mut handed = self.handed.lock().expect("nobody panics while holding it");
        let is_waiting = |(partition, offset): &(&Arc<str>, &Offset)| {
            **partition != position.partition && committed.0.get(*partition).is_none_or(|done| done < *offset)
        };
        let may = handed.iter().filter(is_waiting).count() < self.handed_max;
        if may {
            handed.insert(position.partition.clone(), position.offset.clone());
        }
        may
    }

    /// Kinesis has said that it does not have the shard: so it is, when it no longer lists it. Else it was something else
    /// that it did not find.
    async fn lost(&self, taken: &Taken) -> Option<Ended> {
        let listing = self.list().await.ok()?;
        if listing.iter().any(|shard| *shard.id == *taken.shard()) {
            return None;
        }
        METRICS.kinesis_trimmed.with_label_values(&[] as &[&str]).inc();
        let shard = taken.shard();
        tracing::error!(stream = self.name, shard, "records may be lost: the stream no longer has the shard");
        Some(self.whole(taken, Vec::new()).await)
    }

    /// Notes how far a shard is behind, in milliseconds; `None` when it is read no more.
    fn behind_by(&self, shard: &str, millis: Option<i64>) {
        let mut behind = self.behind.lock().expect("nobody panics while holding it");
        match millis {
            Some(millis) => behind.insert(shard.into(), millis),
            None => behind.remove(shard),
        };
        let most = behind.values().copied().max().unwrap_or(0);
        METRICS.kinesis_behind_seconds.with_label_values(&[&self.name]).set(most as f64 / 1000.0);
    }
}
