//! One shard, read by SubscribeToShard (enhanced fan-out) → its records handed on, and how it ended.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::types::{StartingPosition, SubscribeToShardEvent, SubscribeToShardEventStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::page::Taken;
use super::trouble::{Backoff, Trouble};
use super::{Ended, Shared, stream};
use crate::aws::trust::Trust;
use crate::metrics::{Held, METRICS};
use crate::source::shards::Due;
use crate::wait::{clock, now, sleep_until, timeout};

/// In polls, which are a second: a second subscription within five seconds is refused; later it takes over from the first.
const SUBSCRIBE_EVERY: u32 = 5;
/// Kinesis sends an event every few seconds, with records or without: a connection that is silent for so long is dead.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Subscriptions that share a connection. A stream that nobody reads at the moment holds 2 MiB of the 5 MiB that one HTTP/2
/// connection may have under way: with a third, a fourth would stand still. A server's limit of streams to a connection,
/// which they all would wait at for minutes, is far above.
pub(super) const SUBSCRIPTIONS_MAX: usize = 2;

/// Connections that carry subscriptions and nothing else: other calls, which are short, have their own.
pub(super) struct Lanes {
    trust: Trust,
    open: Mutex<Vec<Arc<Client>>>,
}

impl Lanes {
    pub fn new(trust: Trust) -> Lanes {
        Lanes { trust, open: Mutex::default() }
    }

    /// A client over a connection that has room; the room is taken until what is given is dropped.
    pub fn lane(&self, client: &Client) -> Arc<Client> {
        let mut open = self.open.lock().expect("nobody panics while holding it");
        // one of the counted is ours
        open.retain(|lane| Arc::strong_count(lane) > 1);
        if let Some(lane) = open.iter().find(|lane| Arc::strong_count(lane) <= SUBSCRIPTIONS_MAX) {
            return lane.clone();
        }
        let config = client.config().to_builder().http_client(self.trust.http_client());
        open.push(Arc::new(Client::from_conf(config.build())));
        open.last().expect("it was just pushed").clone()
    }

    /// Another lane in place of one whose connection is dead, which nobody is given any more.
    fn replace(&self, dead: &Arc<Client>, client: &Client) -> Arc<Client> {
        self.open.lock().expect("nobody panics while holding it").retain(|lane| !Arc::ptr_eq(lane, dead));
        self.lane(client)
    }
}

/// Reads the shard to its end, or until told to stop. A subscription lasts five minutes; then, or when it is cut, the next
/// one goes on from there.
pub(super) async fn read(shared: &Shared, consumer: String, due: Due, stop: CancellationToken) -> Ended {
    let shard = due.shard.clone();
    let (lane, next) = (shared.lanes.lane(&shared.polling), now());
    let mut subscriber = Subscriber { shared, consumer, taken: shared.taken(due, stop.clone()), lane, next };
    let mut backoff = Backoff::new(&shard);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ended::Stopped,
            () = sleep_until(subscriber.next) => {}
        }
        subscriber.wait();
        let trouble = match subscriber.subscribe(&mut backoff).await {
            Ok(Some(ended)) => return ended,
            Ok(None) => continue,
            Err(trouble) => trouble,
        };
        METRICS.kinesis_answers.with_label_values(&[trouble.label()]).inc();
        let is_of_another = shared.is_of_another(&trouble).await;
        // no consumer is registered with a stream that may be another by now
        let is_known = is_of_another.is_ok();
        match is_of_another {
            Ok(true) => return Ended::Stopped,
            Ok(false) if matches!(trouble, Trouble::Invalid(_)) && subscriber.taken.move_on() => continue,
            Ok(false) | Err(_) => {}
        }
        if trouble == Trouble::NotFound && is_known {
            if let Some(ended) = shared.lost(&subscriber.taken).await {
                return ended;
            }
            subscriber.register().await;
        }
        subscriber.next = subscriber.next.max(now() + backoff.next());
        if backoff.is_news() {
            tracing::warn!(stream = shared.name, %shard, ?trouble, "subscribing to a shard: trying again");
        }
    }
}

struct Subscriber<'a> {
    shared: &'a Shared,
    consumer: String,
    taken: Taken,
    lane: Arc<Client>,
    /// Not before this is subscribed again.
    next: Instant,
}

impl Subscriber<'_> {
    /// The consumer is gone: makes it again, under another ARN.
    async fn register(&mut self) {
        let name = self.shared.settings.fan_out.as_deref().unwrap_or_default();
        match stream::consumer(&self.shared.client, &self.shared.arn, name).await {
            Ok(arn) => self.consumer = arn,
            Err(error) => tracing::warn!(stream = self.shared.name, error = format!("{error:#}"), "no consumer"),
        }
    }

    fn wait(&mut self) {
        self.next = now() + SUBSCRIBE_EVERY * Duration::from_millis(self.shared.settings.poll_ms);
    }

    /// One subscription, from its beginning until it is over; how the shard ended, when it did.
    async fn subscribe(&mut self, backoff: &mut Backoff) -> Result<Option<Ended>, Trouble> {
        let (kind, sequence, time) = self.taken.place();
        let from = StartingPosition::builder().r#type(kind).set_sequence_number(sequence).set_timestamp(time);
        let from = from.build().expect("the position has a type");
        let ask = self.lane.subscribe_to_shard().consumer_arn(&self.consumer);
        let answer = ask.shard_id(self.taken.shard()).starting_position(from).send();
        let stop = self.taken.stop.clone();
        let answer = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(Some(Ended::Stopped)),
            // the client's own timeouts end with the head of the answer, and it waits for the first message too
            answer = timeout(SILENCE_MAX, answer) => answer,
        };
        let Ok(answer) = answer else { return Err(self.silent()) };
        let mut events = answer.map_err(|error| Trouble::of("kinesis:SubscribeToShard", &error))?.event_stream;
        // Kinesis counts from when it took the call, which may have had to wait for a connection
        self.wait();
        self.taken.begun(clock());
        loop {
            let event = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(Some(Ended::Stopped)),
                event = timeout(SILENCE_MAX, events.recv()) => event,
            };
            match event {
                Err(_) => return Err(self.silent()),
                Ok(Err(error)) => return Err(Trouble::of_cut(&error)),
                Ok(Ok(None)) => return Ok(None),
                Ok(Ok(Some(SubscribeToShardEventStream::SubscribeToShardEvent(event)))) => {
                    backoff.reset();
                    if let Some(ended) = self.take(event).await {
                        return Ok(Some(ended));
                    }
                }
                // kinds of events that came after this was written
                Ok(Ok(Some(_))) => {}
            }
        }
    }

    /// What comes of a silence: the next subscription goes over another connection.
    fn silent(&mut self) -> Trouble {
        self.lane = self.shared.lanes.replace(&self.lane, &self.shared.polling);
        Trouble::Other("the subscription has gone silent".to_owned())
    }

    async fn take(&mut self, event: SubscribeToShardEvent) -> Option<Ended> {
        let SubscribeToShardEvent { records, continuation_sequence_number, millis_behind_latest, child_shards, .. } =
            event;
        METRICS.kinesis_answers.with_label_values(&[if records.is_empty() { "empty" } else { "records" }]).inc();
        // other shards wait while what this one brought is taken apart
        let _answer = self.shared.answers.acquire().await.expect("the semaphore is never closed");
        let _held = Held::new(METRICS.kinesis_answers_held.clone(), 1);
        if self.shared.hand_on(&mut self.taken, records, Some(millis_behind_latest)).is_err() {
            return Some(Ended::Stopped);
        }
        if !continuation_sequence_number.is_empty() {
            self.taken.behind(&continuation_sequence_number);
        }
        match child_shards {
            Some(named) if !named.is_empty() => {
                Some(self.shared.whole(&self.taken, stream::children(Some(named))).await)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
