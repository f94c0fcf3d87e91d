//! One shard, read by GetRecords → its records handed on, and how it ended.

use std::time::Duration;

use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
use tokio_util::sync::CancellationToken;

use super::page::Taken;
use super::trouble::{Backoff, Trouble};
use super::{Ended, Shared, stream};
use crate::metrics::{Held, METRICS};
use crate::source::shards::Due;
use crate::wait::{clock, now, sleep_until};

/// Bytes that a shard gives in a second. After an answer of 10 MiB, the calls of the next five seconds are throttled.
const BYTES_A_SECOND: f64 = (2 << 20) as f64;
/// The most records of one answer.
const RECORDS_MAX: i32 = 10_000;

/// Reads the shard to its end, or until told to stop.
pub(super) async fn read(shared: &Shared, due: Due, stop: CancellationToken) -> Ended {
    let shard = due.shard.clone();
    let mut poll = Poll { shared, taken: shared.taken(due, stop.clone()), iterator: None };
    let mut backoff = Backoff::new(&shard);
    let mut next = now();
    let mut is_doubtful = false;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ended::Stopped,
            () = sleep_until(next) => {}
        }
        if is_doubtful {
            match shared.is_remade().await {
                Ok(true) => return Ended::Stopped,
                Ok(false) => is_doubtful = false,
                Err(_) => {
                    next = now() + backoff.next();
                    continue;
                }
            }
        }
        let begun = now();
        match poll.step().await {
            Ok(Step::Wait(time)) => {
                backoff.reset();
                next = begun + time;
            }
            Ok(Step::Ended(ended)) => return ended,
            Err(trouble) => {
                let is_of_another = shared.is_of_another(&trouble).await;
                // the stream may be gone, and an iterator may be taken by another that comes to have its name
                is_doubtful = trouble == Trouble::NotFound || is_of_another.is_err();
                match is_of_another {
                    Ok(true) => return Ended::Stopped,
                    Ok(false) if poll.recover(&trouble) => {
                        next = begun + pace(shared.settings.poll_ms, 0);
                        continue;
                    }
                    Ok(false) | Err(_) => {}
                }
                if trouble == Trouble::NotFound
                    && let Some(ended) = shared.lost(&poll.taken).await
                {
                    return ended;
                }
                next = now() + backoff.next();
                if backoff.is_news() {
                    tracing::warn!(stream = shared.name, %shard, ?trouble, "reading a shard: trying again");
                }
            }
        }
    }
}

struct Poll<'a> {
    shared: &'a Shared,
    taken: Taken,
    iterator: Option<String>,
}

enum Step {
    Wait(Duration),
    Ended(Ended),
}

impl Poll<'_> {
    /// Gets an iterator when there is none, else records.
    async fn step(&mut self) -> Result<Step, Trouble> {
        let Some(iterator) = &self.iterator else {
            self.iterator = self.find().await?;
            self.taken.begun(clock());
            return Ok(Step::Wait(Duration::ZERO));
        };
        // held until everything of the answer has been handed on
        let _answer = self.shared.answers.acquire().await.expect("the semaphore is never closed");
        let _held = Held::new(METRICS.kinesis_answers_held.clone(), 1);
        let ask = self.shared.polling.get_records().shard_iterator(iterator).limit(RECORDS_MAX);
        let answer = ask.set_stream_arn(self.shared.stream.arn()).send().await;
        let answer = answer
            .map_err(|error| Trouble::of("kinesis:GetRecords", &error))
            .inspect_err(|trouble| count(trouble.label()))?;
        self.take(answer).await
    }

    async fn find(&self) -> Result<Option<String>, Trouble> {
        let (kind, sequence, time) = self.taken.place();
        let stream = &self.shared.stream;
        let ask = self.shared.client.get_shard_iterator().set_stream_name(stream.name()).set_stream_arn(stream.arn());
        let ask = ask.shard_id(self.taken.shard()).shard_iterator_type(kind);
        let answer = ask.set_starting_sequence_number(sequence).set_timestamp(time).send().await;
        Ok(answer.map_err(|error| Trouble::of("kinesis:GetShardIterator", &error))?.shard_iterator)
    }

    async fn take(&mut self, answer: GetRecordsOutput) -> Result<Step, Trouble> {
        let GetRecordsOutput { records, next_shard_iterator, millis_behind_latest, child_shards, .. } = answer;
        count(if records.is_empty() { "empty" } else { "records" });
        let bytes: usize = records.iter().map(|record| record.data.as_ref().len()).sum();
        if self.shared.hand_on(&mut self.taken, records, millis_behind_latest).is_err() {
            return Ok(Step::Ended(Ended::Stopped));
        }
        self.iterator = next_shard_iterator;
        if self.iterator.is_none() {
            return Ok(Step::Ended(self.shared.whole(&self.taken, stream::children(child_shards)).await));
        }
        Ok(Step::Wait(pace(self.shared.settings.poll_ms, bytes)))
    }

    /// Whether another iterator is all that it takes.
    fn recover(&mut self, trouble: &Trouble) -> bool {
        match trouble {
            Trouble::Expired => {
                self.iterator = None;
                true
            }
            Trouble::Invalid(_) if self.iterator.is_none() => self.taken.move_on(),
            Trouble::Invalid(_) => {
                self.iterator = None;
                false
            }
            // the iterator is as good as before
            Trouble::NotFound | Trouble::Throttled | Trouble::Other(_) => false,
        }
    }
}

/// From one call to the next, when this one has brought so many bytes.
fn pace(poll_ms: u64, bytes: usize) -> Duration {
    Duration::from_millis(poll_ms).mul_f64((bytes as f64 / BYTES_A_SECOND).max(1.0))
}

fn count(answer: &str) {
    METRICS.kinesis_answers.with_label_values(&[answer]).inc();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_got_much_waits_longer() {
        assert_eq!(pace(1000, 0), Duration::from_secs(1));
        assert_eq!(pace(1000, 2 << 20), Duration::from_secs(1));
        assert_eq!(pace(1000, 10 << 20), Duration::from_secs(5));
        assert_eq!(pace(0, 10 << 20), Duration::ZERO);
    }
}
