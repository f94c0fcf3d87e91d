//! A queue that tells of new objects → those objects, each read once; a notice is deleted when what it names is committed. So is a message
//! that is itself an event, as a rule of EventBridge sends it.
//!
//! Several workers on one queue share its notices. A notice is hidden from the others while its objects are read and wait
//! for the commit; when a worker dies, it comes to another once that time is over. So it does when a worker is stopped for too long,
//! whose commit is refused then (`held`).

use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::bucket::Buckets;
use super::days::is_done;
use super::held::{Hands, count};
use super::object::{Letter, Object, Outcome, Reader};
pub use super::queue::Address;
use super::queue::{Message, POLL, Queue, Told as Answer};
use super::{Settings, pause};
use crate::aws::{Aws, Kind, Trouble};
use crate::metrics::METRICS;
use crate::position::Checkpoint;
use crate::sink::table::plain;
use crate::source::claims::Ask;
use crate::source::layout::key_time;
use crate::source::notice::{self, ObjectRef, Told};
use crate::source::own::Own;
use crate::source::{Event, Feed, Gone, Piece};
use crate::table::{Origin, Reject};
use crate::time::Timestamp;
use crate::wait::{boottime, changed, clock, every, now, select, sleep, timeout};

/// Told to stop, a call that asks for notices gets this long from when it was made: one that takes longer has found none yet.
const RECEIVE_WAIT: Duration = Duration::from_secs(1);
/// The shortest that SQS is asked to wait for a message.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// Notices that may be in our hands; beyond, none is received until some are committed.
const HELD_MAX: usize = 5000;
/// Objects waiting for one that is fetched to be done, for each of those: enough to go on with while SQS is asked for more.
const WAITING_PER_SLOT: usize = 2;
/// Tries in a row without progress: of one object, of which more are made when the notice comes back, and of receiving when
/// the run is to end.
const TRIES_MAX: u32 = 4;
/// A notice that could not be read comes back after this time, twice as long each time,
const RETURN_MIN: Duration = Duration::from_secs(30);
/// but at most this.
const RETURN_MAX: Duration = Duration::from_secs(900);
/// Objects that stay in the checkpoint, in case that SQS delivers a notice twice or somebody backfills the same days. The
/// oldest are forgotten first, by the time in their names.
const REMEMBERED_MAX: usize = 50_000;
/// Notices of which we remember that their reason is in the archive, so that it is there once.
const REPORTED_MAX: usize = 10_000;
/// A message that was received more often than this holds up no window: once more than the first time, as when a worker was killed.
const WAITED_RECEIVES_MAX: u32 = 2;
/// How far the queue has been read is told this often; at once where that is less far than was told.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Failed objects that are named in the summary of the run.
const NAMED_MAX: usize = 1000;

/// What to read.
#[derive(Clone, Debug)]
pub struct Config {
    pub queue: Address,
    pub settings: Settings,
    /// End when the queue has nothing more.
    pub until_empty: bool,
    /// What is passed over, since we wrote it.
    pub own: Own,
}

/// Reads what the queue tells of until told to stop. What cannot be read is told as [`Event::Unreadable`], and a queue that cannot be
/// opened or received from as [`Event::Ended`]: not what time may mend, as long as it is to be read on and on.
pub async fn run(config: Config, aws: Aws, feed: Feed) {
    let aws = aws.assuming(config.settings.assume_role.as_ref());
    let opened = select! {
        opened = open(&config, &aws) => opened,
        () = feed.stop.cancelled() => return,
    };
    match opened {
        Ok((queue, buckets)) => Notices::new(config, queue, buckets, feed).run().await,
        Err(trouble) => {
            let event = Event::Ended { name: config.queue.to_string(), why: trouble.to_string() };
            // when the pipeline has gone, nobody is there to be told
            let _ = feed.send(event).await;
        }
    }
}

/// For as long as time may mend what is wrong, that is told, and it is tried again; of a run that is to end, a few times.
async fn open(config: &Config, aws: &Aws) -> Result<(Queue, Buckets), Trouble> {
    let of_buckets = aws.or_region(config.queue.region());
    let mut troubles = 0;
    loop {
        let opened =
            async { Ok::<_, Trouble>((Queue::open(aws, &config.queue).await?, Buckets::new(&of_buckets).await?)) };
        let trouble = match opened.await {
            Err(trouble) if trouble.may_pass() || trouble.is_odd() && troubles + 1 < TRIES_MAX => trouble,
            ended => return ended,
        };
        troubles += 1;
        if config.until_empty && troubles >= TRIES_MAX {
            return Err(trouble);
        }
        if troubles.is_power_of_two() {
            tracing::warn!("opening {}: {trouble}; trying again", config.queue);
        }
        sleep(pause(troubles - 1)).await;
    }
}

/// What a call gave that asks for notices, and when it was made, by [`boottime`].
type Received = (Duration, Result<Vec<Message>, Trouble>);

/// A notice that waits for an object, and the ETag it has for it.
type Waiting = (u64, Option<String>);

/// What is read for a notice.
#[derive(Clone)]
enum Wanted {
    Object(Object),
    /// The message itself.
    Letter(Letter),
}

impl Wanted {
    fn name(&self) -> String {
        match self {
            Wanted::Object(object) => object.name(),
            Wanted::Letter(letter) => letter.name(),
        }
    }

    /// The partition of the version that a notice tells of.
    fn partition(&self, etag: &str) -> Arc<str> {
        match self {
            Wanted::Object(object) => object.partition(etag),
            Wanted::Letter(letter) => letter.partition(),
        }
    }
}

struct Notices {
    hands: Hands,
    /// Of the pipeline, whether it may commit what notices told of.
    asks: UnboundedReceiver<Ask>,
    name: String,
    reader: Arc<Reader>,
    feed: Feed,
    until_empty: bool,
    own: Own,
    hidden: Duration,
    slots: Arc<Semaphore>,
    waiting_max: usize,
    /// Objects that are read now, and the notices that wait for them; the first began it.
    waiting: HashMap<String, Vec<Waiting>>,
    reading: JoinSet<(Wanted, Outcome)>,
    receiving: Option<JoinHandle<Received>>,
    /// When that was begun, and whether the queue held more back then: that it has none says nothing.
    asked: Instant,
    was_held_back: bool,
    troubles: u32,
    /// The queue let us receive once: what is wrong later may be mended while we wait.
    answered: bool,
    /// The queue has nothing more for us, and that is the end.
    drained: bool,
    remembered: VecDeque<Arc<str>>,
    reported: HashSet<String>,
    /// When the oldest of the last messages was sent; where the queue had none, when it said so.
    received_until: Option<Timestamp>,
    /// How far it was told that the queue has been read, and when;
    told: Option<(Timestamp, Instant)>,
    /// who tells it, and may have to wait for room.
    telling: Option<JoinHandle<Result<(), Gone>>>,
}

impl Notices {
    fn new(config: Config, queue: Queue, buckets: Buckets, feed: Feed) -> Notices {
        let at_once = config.settings.objects_at_once as usize;
        let hidden = Duration::from_secs(config.settings.visibility_seconds.into());
        Notices {
            hands: Hands::new(queue, hidden),
            asks: feed.claims.answer_before(&["s3://", "sqs://"]),
            name: config.queue.to_string(),
            reader: Arc::new(Reader::new(buckets, feed.clone(), TRIES_MAX).remembering()),
            until_empty: config.until_empty,
            own: config.own,
            hidden,
            slots: Arc::new(Semaphore::new(at_once)),
            waiting_max: at_once * WAITING_PER_SLOT,
            waiting: HashMap::new(),
            reading: JoinSet::new(),
            receiving: None,
            asked: now(),
            was_held_back: false,
            troubles: 0,
            answered: false,
            drained: false,
            remembered: remembered(&feed.resume),
            reported: HashSet::new(),
            received_until: None,
            told: None,
            telling: None,
            feed,
        }
    }

    async fn run(mut self) {
        let stop = self.feed.stop.clone();
        let mut committed = self.feed.committed.clone();
        let mut tick = every(self.hidden / 4);
        // a queue that does not answer holds each turn up, by whose end more is ready than the stop: chance may take that
        while !self.drained && !stop.is_cancelled() {
            self.receive();
            select! {
                () = stop.cancelled() => break,
                Some(received) = joined(&mut self.receiving) => {
                    self.receiving = None;
                    if self.received(received).await.is_err() {
                        break;
                    }
                    self.tell();
                }
                Some(read) = self.reading.join_next() => {
                    if self.read(read).await.is_err() {
                        break;
                    }
                    self.tell();
                }
                Ok(()) = changed(&mut committed) => {
                    let done = committed.borrow_and_update().clone();
                    if self.settle(&done).await.is_err() {
                        break;
                    }
                }
                Some(ask) = self.asks.recv() => self.hands.answer(ask).await,
                _ = tick.tick() => {
                    self.hands.hide_longer().await;
                    // what could not be deleted
                    let done = self.feed.committed.borrow().clone();
                    if self.settle(&done).await.is_err() {
                        break;
                    }
                }
                else => break,
            }
        }
        self.finish().await;
    }

    /// Asks for more notices, unless there is enough to do.
    fn receive(&mut self) {
        let is_full = self.hands.len() >= HELD_MAX;
        if is_full && self.reading.is_empty() {
            // all wait for a commit alone, as events do that come each in a message of its own: 5,000 would be all there are in half a minute
            self.feed.claims.hurry();
        }
        let is_held_back = self.is_held_back();
        let room = !is_full && self.reading.len() < self.waiting_max;
        if self.receiving.is_none() && room {
            let (queue, hidden) = (self.hands.queue.clone(), self.hidden);
            let pause = self.troubles.checked_sub(1).map(pause);
            // a message is ours from when it was asked for, since nobody says when it was given
            let wait = if self.until_empty || is_held_back { WAIT_MIN } else { (hidden / 4).clamp(WAIT_MIN, POLL) };
            (self.asked, self.was_held_back) = (now(), is_held_back);
            self.receiving = Some(tokio::spawn(async move {
                if let Some(pause) = pause {
                    sleep(pause).await;
                }
                let asked = boottime();
                (asked, queue.receive(wait, hidden).await)
            }));
        }
    }

    /// Whether the queue may have more than it gives: of a group of a FIFO queue none comes while ten, or fewer, wait for their commit.
    fn is_held_back(&self) -> bool {
        self.hands.queue.is_fifo() && self.hands.all().any(|held| !held.is_lost)
    }

    async fn received(&mut self, (asked, received): Received) -> Result<(), Gone> {
        let answer = match &received {
            Ok(messages) if messages.is_empty() => "empty",
            Ok(_) => "notices",
            Err(_) => "failed",
        };
        METRICS.notices_answers.with_label_values(&[answer]).inc();
        let messages = match received {
            Ok(messages) => messages,
            Err(trouble) => {
                self.troubles += 1;
                let may_pass = trouble.may_pass() || trouble.is_odd() && self.troubles < TRIES_MAX;
                let hopeless = !self.answered && !may_pass;
                if hopeless || (self.until_empty && self.troubles >= TRIES_MAX) {
                    let event = Event::Ended { name: self.name.clone(), why: format!("receiving: {trouble}") };
                    self.drained = true;
                    return self.hand_on(event).await;
                }
                if self.troubles.is_power_of_two() {
                    tracing::warn!("receiving from {}: {trouble}; trying again", self.name);
                }
                return Ok(());
            }
        };
        self.troubles = 0;
        self.answered = true;
        let has_no_more = messages.is_empty() && self.reading.is_empty();
        let is_held_back = self.is_held_back();
        if has_no_more && is_held_back {
            self.feed.claims.hurry();
        }
        self.drained = has_no_more && self.until_empty && !is_held_back && !self.was_held_back;
        self.received_until = match messages.is_empty() {
            true => Some(clock()),
            false => messages.iter().filter_map(waited_for).min().or(self.received_until),
        };
        count("received", messages.len());
        if !self.hands.is_ours(asked) {
            // we were stopped: they come again, to us or to another
            count("lost", messages.len());
            return Ok(());
        }
        let mut settled = Vec::new();
        for message in messages {
            match notice::read(&message.body).map(|told| told.without(&self.own)) {
                Ok(Told::Notice(notice)) if !notice.objects.is_empty() => {
                    self.hold(message, notice.objects, asked);
                }
                Ok(Told::Notice(_)) => settled.push(message.handle),
                Ok(Told::Event(event)) => self.hold_letter(message, event, asked),
                Ok(Told::TestEvent) => {
                    tracing::info!("{}: a test notice arrived", self.name);
                    settled.push(message.handle);
                }
                Ok(Told::NotForUs { why }) => {
                    tracing::debug!(why, "a notice with nothing to read");
                    settled.push(message.handle);
                }
                Err(poison) => self.give_up(&message, &poison.to_string()).await?,
            }
        }
        // those with nothing to read wait for no commit
        let told = self.hands.queue.delete(&settled).await;
        count("deleted", told.into_iter().filter(|told| *told == Answer::Done).count());
        Ok(())
    }

    /// Begins to read the objects that a notice names.
    fn hold(&mut self, message: Message, objects: Vec<ObjectRef>, asked: Duration) {
        let (objects, etags): (Vec<Object>, Vec<_>) = objects
            .into_iter()
            .map(|ObjectRef { bucket, key, size, etag, .. }| (Object { bucket: bucket.into(), key, size }, etag))
            .unzip();
        let number = self.hands.take(message, objects.iter().map(Object::name).collect(), asked);
        for (object, etag) in objects.into_iter().zip(etags) {
            self.begin(Wanted::Object(object), (number, etag));
        }
    }

    /// Begins to read a message that is itself an event. Of thousands that wait for their commit no text is kept.
    fn hold_letter(&mut self, mut message: Message, event: String, asked: Duration) {
        message.body = String::new();
        let origin = format!("{}#{}", self.name, message.id);
        let letter = Letter { id: message.id.clone(), origin, body: event.into() };
        let number = self.hands.take(message, vec![letter.name()], asked);
        self.begin(Wanted::Letter(letter), (number, Some(String::new())));
    }

    /// Reads an object for a notice; with another that is read already for a notice before, waits for that.
    fn begin(&mut self, wanted: Wanted, waiting: Waiting) {
        let others = self.waiting.entry(wanted.name()).or_default();
        others.push(waiting);
        if others.len() > 1 {
            return;
        }
        let (reader, slots) = (self.reader.clone(), self.slots.clone());
        self.reading.spawn(async move {
            let _slot = slots.acquire().await;
            let outcome = match &wanted {
                Wanted::Object(object) => reader.read(object).await,
                Wanted::Letter(letter) => reader.read_letter(letter.clone()).await,
            };
            (wanted, outcome)
        });
    }

    /// Notes what became of an object, for every notice that waited for it.
    async fn read(&mut self, read: Result<(Wanted, Outcome), tokio::task::JoinError>) -> Result<(), Gone> {
        let (wanted, outcome) = read.expect("reading an object does not panic");
        let waiting = self.waiting.remove(&wanted.name()).unwrap_or_default();
        for (place, (number, etag)) in waiting.into_iter().enumerate() {
            // who only waited, and was told of another version or of none in particular, has it read again
            if place > 0
                && let Outcome::Read(partition) = &outcome
                && etag.as_ref().is_none_or(|etag| **partition != *wanted.partition(etag))
            {
                self.begin(wanted.clone(), (number, etag));
                continue;
            }
            let held = self.hands.get_mut(number);
            held.left -= 1;
            match &outcome {
                Outcome::Read(partition) => held.read.push(partition.clone()),
                Outcome::Failed(trouble) => held.failed = Some((wanted.name(), trouble.clone())),
                Outcome::Stopped => held.stopped = true,
            }
            // of one that is lost no commit may have anything, and what is given back is another's
            if held.left == 0 && !held.stopped && held.failed.is_some() && !held.is_lost {
                self.failed(number).await?;
            }
        }
        // what an earlier run committed needs no commit of this one; of all else there is nothing new, and thousands may be held
        let done = self.feed.committed.borrow().clone();
        match &outcome {
            Outcome::Read(partition) if is_done(&done, partition) => self.settle(&done).await,
            Outcome::Read(_) | Outcome::Failed(_) | Outcome::Stopped => Ok(()),
        }
    }

    /// Gives a notice back, of which an object could not be read: for another try, or in the end to the queue's redrive.
    async fn failed(&mut self, number: u64) -> Result<(), Gone> {
        let held = self.hands.remove(number);
        let (name, trouble) = held.failed.expect("the caller has just seen it");
        if trouble.may_pass() || matches!(trouble.kind, Kind::Credentials | Kind::Region) {
            count("returned", 1);
            // who may write into the bucket chooses the key
            tracing::warn!("{}: {trouble}; its notice will come back", plain(&name));
            self.hands.queue.hide(&[(held.message.handle, back_after(held.message.receives))]).await;
            return Ok(());
        }
        let is_news = !self.reported.contains(&held.message.id);
        self.give_up(&held.message, &format!("{name}: {trouble}")).await?;
        if is_news && self.reported.len() <= NAMED_MAX {
            self.hand_on(Event::Unreadable { name, why: trouble.to_string() }).await?;
        }
        Ok(())
    }

    /// Leaves a notice that cannot be read to the queue's redrive, and its reason to the archive.
    async fn give_up(&mut self, message: &Message, reason: &str) -> Result<(), Gone> {
        count("poison", 1);
        self.hands.queue.hide(&[(message.handle.clone(), back_after(message.receives))]).await;
        if self.reported.len() >= REPORTED_MAX {
            self.reported.clear();
        }
        if !self.reported.insert(message.id.clone()) {
            return Ok(());
        }
        let told = plain(reason);
        tracing::warn!("{}: notice {} is left to the queue's redrive policy: {told}", self.name, message.id);
        let origin = Arc::new(Origin::from_name(&format!("{}#{}", self.name, message.id)));
        let reject = Reject::new(&origin, 0, "", reason, message.body.as_bytes());
        self.hand_on(Event::Piece(Piece::rejected(reject))).await
    }

    /// Tells how far the queue has been read, for windows to wait for what is still in it: up to the oldest notice whose objects are
    /// not all read. A queue keeps about the order in which it got its messages, and gives the oldest first.
    fn tell(&mut self) {
        let unread = self.hands.all().filter(|held| held.left > 0);
        let unread = unread.filter_map(|held| waited_for(&held.message)).min();
        let Some(until) = unread.or(self.received_until).filter(|_| !self.until_empty) else { return };
        let is_due = self.told.is_none_or(|(told, at)| until < told || now() - at >= TELL_EVERY);
        if !is_due || self.telling.as_ref().is_some_and(|telling| !telling.is_finished()) {
            return;
        }
        self.told = Some((until, now()));
        let (feed, partition) = (self.feed.clone(), self.name.as_str().into());
        // what waits for room holds up no notice that has to be hidden for longer
        self.telling = Some(tokio::spawn(async move { feed.send(Event::Reached { partition, until }).await }));
    }

    /// Deletes the notices of which all objects are committed; told to stop, that is done behind the last commit.
    async fn settle(&mut self, done: &Checkpoint) -> Result<(), Gone> {
        if self.feed.stop.is_cancelled() {
            return Ok(());
        }
        self.reader.settle(done);
        self.remembered.extend(self.hands.settle(done).await);
        let many = self.remembered.len().saturating_sub(REMEMBERED_MAX);
        if many > 0 {
            let forget = self.remembered.drain(..many).collect();
            self.hand_on(Event::Piece(Piece { forget, ..Piece::default() })).await?;
        }
        Ok(())
    }

    /// Hands an event over. The pipeline may take none for as long as a service is away whose outbox is full, or while it waits for
    /// an answer itself: notices stay hidden meanwhile.
    async fn hand_on(&mut self, event: Event) -> Result<(), Gone> {
        let feed = self.feed.clone();
        let mut sending = pin!(feed.send(event));
        loop {
            select! {
                sent = &mut sending => return sent,
                Some(ask) = self.asks.recv() => self.hands.answer(ask).await,
                () = sleep(self.hidden / 4) => self.hands.hide_longer().await,
            }
        }
    }

    /// Ends the call that asks for more. What it may have been given already goes back: SQS would hide it from all for as long as
    /// from who works on it.
    async fn give_back_received(&mut self) {
        let Some(mut receiving) = self.receiving.take() else { return };
        let received = timeout(RECEIVE_WAIT.saturating_sub(now() - self.asked), &mut receiving).await;
        receiving.abort();
        if let Ok(Ok((asked, Ok(messages)))) = received
            && self.hands.is_ours(asked)
        {
            count("returned", messages.len());
            let back: Vec<_> = messages.into_iter().map(|message| (message.handle, Duration::ZERO)).collect();
            self.hands.queue.hide(&back).await;
        }
    }

    /// Waits for the last commit, deletes what is in it, and gives the rest back to the others.
    async fn finish(mut self) {
        self.give_back_received().await;
        if let Some(telling) = self.telling.take() {
            telling.abort();
        }
        let mut tick = every(self.hidden / 4);
        loop {
            select! {
                read = self.reading.join_next() => match read {
                    Some(read) => {
                        if self.read(read).await.is_err() {
                            break;
                        }
                    }
                    None => break,
                },
                Some(ask) = self.asks.recv() => self.hands.answer(ask).await,
                // one may wait for room to hand on the last that it read
                _ = tick.tick() => self.hands.hide_longer().await,
            }
        }
        self.reading.abort_all();
        while self.reading.join_next().await.is_some() {}
        let Notices { reader, feed, mut hands, mut asks, .. } = self;
        let mut committed = feed.committed.clone();
        // the last commit comes when every source has let go of its feed
        drop((reader, feed));
        loop {
            select! {
                told = changed(&mut committed) => if told.is_err() { break },
                Some(ask) = asks.recv() => hands.answer(ask).await,
                // it waits for services to take what was found
                _ = tick.tick() => hands.hide_longer().await,
            }
        }
        let done = committed.borrow().clone();
        hands.let_go(&done, TRIES_MAX).await;
    }
}

/// Messages of earlier runs, and objects by the time in their names; those without one are not ours to forget.
fn remembered(resume: &Checkpoint) -> VecDeque<Arc<str>> {
    let letters = resume.0.keys().filter(|partition| partition.starts_with("sqs://"));
    let objects = resume.0.keys().filter(|partition| partition.starts_with("s3://"));
    let mut timed: Vec<_> =
        objects.filter_map(|partition| Some((key_time(partition.rsplit_once('|')?.0)?, partition.clone()))).collect();
    timed.sort();
    letters.cloned().chain(timed.into_iter().map(|(_, partition)| partition)).collect()
}

/// When a message was sent that windows wait for: not one that comes back again and again, since what it names cannot be read.
fn waited_for(message: &Message) -> Option<Timestamp> {
    message.sent.filter(|_| message.receives <= WAITED_RECEIVES_MAX)
}

/// How long a notice stays away that could not be read.
fn back_after(receives: u32) -> Duration {
    let doublings = receives.saturating_sub(1).min(10);
    (RETURN_MIN * (1 << doublings)).min(RETURN_MAX)
}

/// What a task that was begun came to; `None` when there is none, or it was aborted.
async fn joined<T>(task: &mut Option<JoinHandle<T>>) -> Option<T> {
    match task {
        Some(task) => task.await.ok(),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Offset;

    #[test]
    fn a_notice_stays_away_longer_each_time() {
        let seconds = |receives| back_after(receives).as_secs();
        assert_eq!([0, 1, 2, 3, 6, 1000].map(seconds), [30, 30, 60, 120, 900, 900]);
    }

    #[test]
    fn a_notice_that_comes_back_again_and_again_holds_up_no_window() {
        let message = |receives| Message {
            id: "m".into(),
            handle: "h".into(),
            body: String::new(),
            receives,
            sent: Some(Timestamp(7)),
        };
        assert_eq!(
            [1, 2, 3].map(|receives| waited_for(&message(receives))),
            [Some(Timestamp(7)), Some(Timestamp(7)), None]
        );
    }

    #[test]
    fn the_oldest_objects_are_forgotten_first() {
        let names =
            ["s3://b/1_CloudTrail_x_20240802T1130Z_y.json.gz|e", "s3://b/2_CloudTrail_x_20240801T1130Z_y.json.gz|e"];
        let others = ["s3://b/plain|e", "s3://b/f/|days from 2024-08-01", "file:x|1|2", "sqs://id|"];
        let all = names.iter().chain(&others).map(|name| (Arc::from(*name), Offset::End));
        assert_eq!(remembered(&Checkpoint(all.collect())), [others[3].into(), names[1].into(), names[0].into()]);
    }
}
