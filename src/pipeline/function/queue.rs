//! Messages that tell of objects, or are events themselves → the ids of those that failed: an object of theirs was not read to its end, or
//! what it holds was not delivered. The queue gives these again, and in the end to its dead letters.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use tokio::time::{Instant as Until, timeout_at};

use super::ends::Ends;
use super::unit::{Unit, name_of};
use super::{Function, Round};
use crate::source::event::Message;
use crate::source::notice::{self, ObjectRef, Told};
use crate::source::own::Own;
use crate::source::s3::named::Reading;
use crate::source::{self, Piece};
use crate::table::{Origin, Reject};
use crate::time::Timestamp;

/// Objects that are read while one is judged. Of each, 8 MiB may wait, and as much as 32 MiB is in memory while it is inflated.
const AHEAD: usize = 3;

/// An object, and the messages that tell of it, by their places.
struct Wanted {
    object: ObjectRef,
    messages: BTreeSet<usize>,
    /// When the first of these was sent.
    at: Timestamp,
}

impl Function {
    /// Takes the messages of one call.
    pub(super) fn queue(&mut self, messages: &[Message], ends: Ends) -> anyhow::Result<Vec<String>> {
        let mut failed = BTreeSet::new();
        let Asked { wanted, events, poison } = asked(messages, &self.own);
        let mut units = Vec::new();
        for (place, event) in events {
            match self.read_event(&messages[place], event, ends) {
                Ok(unit) => units.push((unit, BTreeSet::from([place]))),
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::warn!(
                        message = messages[place].id,
                        error,
                        "an event is not read; its message comes again"
                    );
                    failed.insert(place);
                }
            }
        }
        for (place, why) in poison {
            match self.reject(&messages[place], &why)? {
                Some(unit) => units.push((unit, BTreeSet::from([place]))),
                None => {
                    failed.insert(place);
                }
            }
        }
        self.read_all(wanted, ends, &mut units, &mut failed)?;

        let mut ids: Vec<&str> = messages.iter().map(|message| message.id.as_str()).collect();
        ids.sort_unstable();
        let at = messages.iter().map(|message| message.sent).max().unwrap_or_default();
        let undelivered = self.deliver(&name_of(&ids), at, ends.send)?;
        for (unit, places) in &units {
            if !unit.found.is_disjoint(&undelivered) {
                failed.extend(places);
                continue;
            }
            let Some((bucket, _)) = &self.archive else { continue };
            if let Err(error) = self.runtime.block_on(unit.put(bucket, ends.archive)) {
                tracing::warn!(error = format!("{error:#}"), "rows are not archived");
                failed.extend(places);
            }
        }
        Ok(failed.into_iter().map(|place| messages[place].id.clone()).collect())
    }

    /// Reads a message that is itself an event.
    fn read_event(&mut self, message: &Message, event: String, ends: Ends) -> anyhow::Result<Unit> {
        let mut unit = self.unit(&["sqs", &message.id], message.sent)?;
        self.read_whole(&mut unit, &format!("sqs://{}", message.id), event.into(), ends)?;
        Ok(unit)
    }

    /// A message that cannot be understood becomes a reject. Without an archive there is none: it has failed, which leaves it
    /// to the queue's dead letters.
    fn reject(&mut self, message: &Message, why: &str) -> anyhow::Result<Option<Unit>> {
        tracing::warn!(message = message.id, why, "a message that is no notice");
        if self.archive.is_none() {
            return Ok(None);
        }
        let origin = Arc::new(Origin::from_name(&format!("sqs://{}", message.id)));
        let reject = Reject::new(&origin, 0, "", why, message.body.as_bytes());
        let mut unit = self.unit(&["sqs", &message.id], message.sent)?;
        let mut round = Round::default();
        round.add(source::Event::Piece(Piece::rejected(reject)));
        self.judge(&mut unit, round)?;
        unit.write()?;
        Ok(Some(unit))
    }

    /// Reads the objects, in the order in which they are told of, as many as there is time for.
    fn read_all(
        &mut self,
        wanted: Vec<Wanted>,
        ends: Ends,
        units: &mut Vec<(Unit, BTreeSet<usize>)>,
        failed: &mut BTreeSet<usize>,
    ) -> anyhow::Result<()> {
        let mut next = wanted.iter();
        let mut begun: VecDeque<Reading> = VecDeque::new();
        for Wanted { object, messages, at } in &wanted {
            while begun.len() <= AHEAD
                && !ends.is_read_over()
                && let Some(next) = next.next()
            {
                let _runtime = self.runtime.enter();
                begun.push_back(self.objects.begin(&next.object, &self.worker.options));
            }
            let mut unit = self.unit(&["s3", &object.bucket, &object.key], *at)?;
            let read = match begun.pop_front() {
                Some(reading) => self.read_object(&mut unit, reading, ends),
                None => Err(anyhow::anyhow!("the time was over before it was begun")),
            };
            match read {
                Ok(()) => units.push((unit, messages.clone())),
                Err(error) => {
                    let (bucket, key) = (&object.bucket, &object.key);
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "s3://{bucket}/{key} is not read; its message comes again"
                    );
                    failed.extend(messages);
                }
            }
        }
        Ok(())
    }

    fn read_object(&mut self, unit: &mut Unit, mut reading: Reading, ends: Ends) -> anyhow::Result<()> {
        let runtime = self.runtime.clone();
        let mut round = Round::default();
        let mut is_named = false;
        loop {
            let next = async { timeout_at(Until::from_std(ends.read), reading.next()).await };
            match runtime.block_on(next) {
                Ok(Some(piece)) => {
                    // the version that was read, not the one that was told of
                    if let (false, Some(position)) = (is_named, &piece.position) {
                        unit.rename(&["s3", &position.partition]);
                        is_named = true;
                    }
                    self.take(unit, &mut round, piece)?;
                }
                Ok(None) => break,
                Err(_) => {
                    reading.stop();
                    break;
                }
            }
        }
        self.judge(unit, round)?;
        unit.write()?;
        Ok(runtime.block_on(reading.ended())?)
    }
}

/// What messages ask for.
#[derive(Default)]
struct Asked {
    /// Objects that Weir has not written, each once.
    wanted: Vec<Wanted>,
    /// The places of messages that are events themselves, with these.
    events: Vec<(usize, String)>,
    /// The places of those that cannot be understood, with the reasons.
    poison: Vec<(usize, String)>,
}

fn asked(messages: &[Message], own: &Own) -> Asked {
    let Asked { mut wanted, mut events, mut poison } = Asked::default();
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    for (place, message) in messages.iter().enumerate() {
        let notice = match notice::read(&message.body).map(|told| told.without(own)) {
            Ok(Told::Notice(notice)) => notice,
            Ok(Told::Event(event)) => {
                events.push((place, event));
                continue;
            }
            Ok(Told::TestEvent | Told::NotForUs { .. }) => continue,
            Err(why) => {
                poison.push((place, why.to_string()));
                continue;
            }
        };
        for object in notice.objects {
            let next = wanted.len();
            let known = *places.entry((object.bucket.clone(), object.key.clone())).or_insert(next);
            if known == next {
                wanted.push(Wanted { object, messages: BTreeSet::new(), at: message.sent });
            }
            wanted[known].messages.insert(place);
        }
    }
    Asked { wanted, events, poison }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_that_two_messages_tell_of_is_wanted_once() {
        let notice = |keys: &[&str]| json!({ "s3Bucket": "trail", "s3ObjectKey": keys }).to_string();
        let bodies = [
            notice(&["a.json", "b.json"]),
            "{".to_owned(),
            json!({ "Event": "s3:TestEvent" }).to_string(),
            notice(&["b.json"]),
            json!({ "detail-type": "GuardDuty Finding", "detail": {} }).to_string(),
        ];
        let messages = bodies.into_iter().enumerate().map(|(place, body)| Message {
            id: place.to_string(),
            body,
            sent: Timestamp(place as i64),
        });
        let Asked { wanted, events, poison } = asked(&messages.collect::<Vec<_>>(), &Own::default());
        let told: Vec<(&str, Vec<usize>, i64)> = wanted
            .iter()
            .map(|wanted| (&*wanted.object.key, wanted.messages.iter().copied().collect(), wanted.at.0))
            .collect();
        assert_eq!(told, [("a.json", vec![0], 0), ("b.json", vec![0, 3], 0)]);
        assert_eq!(events.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [4]);
        assert_eq!(poison.len(), 1);
        assert_eq!(poison[0].0, 1);
        assert!(poison[0].1.starts_with("not JSON"), "{}", poison[0].1);
    }
}
