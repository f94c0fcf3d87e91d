//! What stands in a record as base64 → records, read like an object of its own: CloudWatch Logs, Kinesis and Firehose put bytes
//! into JSON so, for functions of Lambda, for endpoints and in what their command lines print.

use std::collections::VecDeque;
use std::sync::Arc;

use aws_smithy_types::base64;
use bytes::Bytes;

use super::peel::{Member, Members, NAMES_OF_TEXT};
use super::{Around, NESTED_MAX, Parser, scalar};
use crate::decode::{self, Body, Context, Input, Options, Records};
use crate::table::Origin;

/// All that one text packs may inflate to this much together, or to the memory's share of it: a piece of a file is 4 MiB at most,
/// and logs that gzip makes thirty times smaller are rare.
const INFLATED_MAX: usize = 128 << 20;

/// Bytes that stood in a text and are not read yet.
pub(super) struct Packed {
    bytes: Bytes,
    /// Place of the text around them in the inflated input.
    place: u64,
    context: Option<Arc<Context>>,
    depth: u8,
}

/// What was packed into a text, in its order.
#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<Packed>,
    /// Bytes that what was read of them inflated to.
    inflated: u64,
}

/// The member of an object that is base64 of what was logged: `awslogs`, which CloudWatch Logs calls a function with, and what
/// Firehose sends an endpoint, have only this; a record of Firehose has a `recordId`, one of Kinesis a `sequenceNumber` and a message of
/// ActiveMQ or Pub/Sub a `messageId` beside it. One of Kafka has its `value`.
pub(super) fn data<'m, 'a>(object: &'m Members<'a>) -> Option<&'m Member<'a>> {
    // what Firehose could not process or deliver, as it stands below the prefix for errors
    if let Some(data) =
        object.get("rawData").filter(|data| data.value.starts_with(b"\"") && object.get("errorCode").is_some())
    {
        return Some(data);
    }
    // where a message of a queue or a shipper has a text, that is what was logged
    let has_text = || object.members.iter().any(|member| NAMES_OF_TEXT.contains(&member.name));
    if ["topic", "partition"].iter().all(|name| object.get(name).is_some()) {
        return object.get("value").filter(|value| value.value.starts_with(b"\"") && !has_text());
    }
    let data = object.get("data").filter(|data| data.value.starts_with(b"\""))?;
    let is_known = object.members.len() == 1
        || ["recordId", "sequenceNumber"].iter().any(|name| object.get(name).is_some())
        || object.get("messageId").is_some() && !has_text();
    is_known.then_some(data)
}

impl Parser<'_> {
    /// Keeps what a member packs until the text around it is read. False when it is no base64.
    pub(super) fn pack(&mut self, data: &Member<'_>, around: &Around<'_>) -> bool {
        let mut text = Vec::new();
        let unescaped = scalar::unescape(&data.value[1..data.value.len() - 1], &mut text);
        let text = unescaped.and_then(|()| std::str::from_utf8(&text).ok()).filter(|text| !text.is_empty());
        let Some(bytes) = text.and_then(|text| base64::decode(text).ok()) else { return false };
        if around.depth == NESTED_MAX {
            return false;
        }
        let place = around.offset + if around.depth == 0 { data.start as u64 } else { 0 };
        let context = around.context.cloned();
        self.packed.waiting.push_back(Packed { bytes: bytes.into(), place, context, depth: around.depth + 1 });
        true
    }

    /// Reads what waits first. False when nothing does.
    pub(super) fn unpack(&mut self, origin: &Arc<Origin>) -> bool {
        let Some(Packed { bytes, place, context, depth }) = self.packed.waiting.pop_front() else {
            // the next text may inflate to as much again
            self.packed.inflated = 0;
            return false;
        };
        let around = Around { origin, offset: place, context: context.as_ref(), depth };
        let left = (self.options.memory.of(INFLATED_MAX) as u64).saturating_sub(self.packed.inflated);
        if left == 0 {
            let reason = "not unpacked: what stands before it inflates to as much as is read at a time";
            self.reject("", 0, reason, &bytes, &around);
            return true;
        }
        let inflated_before = self.packed.inflated;
        let inflated_bytes_max = self.options.inflated_bytes_max.min(left);
        let options = Options { inflated_bytes_max, ..self.options.clone() };
        let mut reader = decode::open(Input::Bytes(bytes), origin.clone(), &options);
        loop {
            let before = self.rejects.len();
            let read = reader.next(self.rejects, self.counts);
            for reject in &mut self.rejects[before..] {
                reject.offset = place;
            }
            let records = match read {
                Ok(Some(records)) => records,
                Ok(None) => {
                    // what is of no table was inflated too
                    self.packed.inflated = self.packed.inflated.max(inflated_before + reader.offset());
                    return true;
                }
                Err(error) => {
                    self.reject("", 0, &format!("not unpacked: {error}"), &[], &around);
                    return true;
                }
            };
            self.packed.inflated += records.bytes_len() as u64;
            match records.body {
                Body::Json(json) => self.text(json, &around),
                Body::Lines(lines) if lines.separator.is_some() => self.csv(&lines, origin, place),
                body @ (Body::Lines(_) | Body::Parquet(_)) => {
                    self.lines.push(Records { body, offset: place, context: context.clone(), ..records });
                }
            }
        }
    }
}
