//! What a queue holds about objects of S3 → the objects to read; of a message that is itself a log, that log.
//!
//! The same news comes in many shapes: from S3 itself, from S3 through EventBridge, from CloudTrail, and each of them
//! also through SNS, wrapped or raw. Only S3's own events have their keys encoded as in a URL. The S3 source reads each
//! message of its queue with this.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::layout::set_aside;
use super::own::Own;
use super::plan::is_bucket_name;

/// SNS in SNS is as deep as wrappings go.
const WRAPPINGS_MAX: u8 = 2;
/// The longest key that S3 takes.
const KEY_BYTES_MAX: usize = 1024;

/// What one body says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Notice(Notice),
    /// An event that a rule of EventBridge has sent, or several: to be read itself.
    Event(String),
    /// S3 or CloudTrail tries whether its notices arrive. There is nothing to read, and all is well.
    TestEvent,
    /// News that is understood and about nothing to read: an object was removed, a bucket got a tag.
    NotForUs {
        why: String,
    },
}

impl Told {
    /// The same without the objects that Weir wrote itself.
    #[must_use]
    pub fn without(self, own: &Own) -> Told {
        let Told::Notice(mut notice) = self else { return self };
        for object in notice.objects.extract_if(.., |object| own.has(&object.bucket, &object.key)) {
            notice.passed.push(Passed { key: object.key, why: "written by Weir itself".to_owned() });
        }
        Told::Notice(notice)
    }
}

/// Objects that were created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub kind: Kind,
    /// Those to read, in the order they are named. May be empty when all were passed over.
    pub objects: Vec<ObjectRef>,
    /// Those that are no logs, and what else was told beside, to be counted.
    pub passed: Vec<Passed>,
}

/// Whose words the notice is in, whatever it was wrapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    S3,
    EventBridge,
    CloudTrail,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRef {
    /// Checked to be a name that a bucket can have.
    pub bucket: String,
    /// As S3 has it, no longer encoded: 1 to 1,024 bytes.
    pub key: String,
    /// Bytes, as stored.
    pub size: Option<u64>,
    pub version: Option<String>,
    /// Without quotes.
    pub etag: Option<String>,
    /// Hexadecimal; of two events about one key, padded on the left to the same length, the greater is the later.
    pub sequencer: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Empty where no object is named.
    pub key: String,
    pub why: String,
}

/// A body that cannot be understood, and why. To be counted, reported, and left to the queue's redrive policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Poison(pub String);

fn poison<T>(why: impl Into<String>) -> Result<T, Poison> {
    Err(Poison(why.into()))
}

/// Reads the body of one SQS message.
///
/// # Errors
/// When it is no JSON, or JSON of no known shape, and when any part of a notice is damaged, since a body is deleted from its queue as a
/// whole.
pub fn read(body: &str) -> Result<Told, Poison> {
    unwrapped(body, 0)
}

fn unwrapped(body: &str, wrappings: u8) -> Result<Told, Poison> {
    // the one notice that is no JSON, sent when a trail gets its topic
    if body.trim_start().starts_with("CloudTrail validation message") {
        return Ok(Told::TestEvent);
    }
    if is_event(body) {
        return Ok(Told::Event(body.to_owned()));
    }
    let value: Value = serde_json::from_str(body).map_err(|error| Poison(format!("not JSON: {error}")))?;
    // its name is `software.amazon.payloadoffloading.PayloadS3Pointer`, or of older clients `com.amazon.sqs.javamessaging.MessageS3Pointer`
    if value.get(0).and_then(Value::as_str).is_some_and(|class| class.ends_with("S3Pointer")) {
        return poison("a pointer of the SQS extended client to its text in S3: send what is in it");
    }
    let Some(object) = value.as_object() else { return poison("not a JSON object") };
    let has = |key: &str| object.contains_key(key);
    if let Some(Value::Array(records)) = object.get("Records") {
        s3_event(records)
    } else if text(object, "Event") == Some("s3:TestEvent") {
        Ok(Told::TestEvent)
    } else if has("s3Bucket") && has("s3ObjectKey") {
        cloudtrail(object)
    } else if has("detail-type") && has("detail") {
        eventbridge(object)
    } else if has("Type") && has("TopicArn") {
        sns(object, wrappings)
    } else {
        let keys: Vec<String> = object.keys().take(8).map(|key| key.chars().take(40).collect()).collect();
        poison(format!("a notice of no known shape, with the keys [{}]", keys.join(", ")))
    }
}

fn sns(object: &Map<String, Value>, wrappings: u8) -> Result<Told, Poison> {
    match text(object, "Type") {
        Some("Notification") => {}
        Some("SubscriptionConfirmation") => {
            // deleted, nobody would ever confirm it
            return poison("SNS asks to confirm that this queue may have its notices: open the body's SubscribeURL");
        }
        Some("UnsubscribeConfirmation") => {
            return Ok(Told::NotForUs { why: "SNS says that this queue has no longer its notices".into() });
        }
        Some(_) | None => return poison("an SNS envelope of no known type"),
    }
    if wrappings == WRAPPINGS_MAX {
        return poison("SNS envelopes in one another");
    }
    match text(object, "Message") {
        Some(message) => {
            unwrapped(message, wrappings + 1).map_err(|Poison(why)| Poison(format!("in an SNS envelope: {why}")))
        }
        None => poison("an SNS envelope without a Message"),
    }
}

/// Whether it is an event that EventBridge hands on (S3's about its objects are notices), the `detail` of one alone, as a rule with an
/// `InputPath` sends it, or a list of such as CloudTrail writes them. What is in it need not be such as a [`Value`] holds: whoever makes a
/// call chooses texts of it.
fn is_event(body: &str) -> bool {
    let Ok(members) = serde_json::from_str::<Members<'_>>(body) else { return false };
    let has = |names: &[&str]| names.iter().all(|name| members.contains_key(*name));
    let text = |name: &str| serde_json::from_str::<String>(members.get(name)?.get()).ok();
    if let Some(records) = members.get("Records") {
        let records: Vec<Members<'_>> = serde_json::from_str(records.get()).unwrap_or_default();
        return !records.is_empty() && records.iter().all(is_call);
    }
    match text("detail-type") {
        Some(kind) if kind == "Object Created" => false,
        Some(kind) => has(&["detail"]) && !(text("source").as_deref() == Some("aws.s3") && kind.starts_with("Object ")),
        // of GuardDuty
        None => is_call(&members) || has(&["schemaVersion", "accountId", "service", "severity"]),
    }
}

/// Names, and texts of what they name.
type Members<'t> = BTreeMap<String, &'t RawValue>;

/// Whether it is an event of CloudTrail; S3's notices have the same names in them.
fn is_call(members: &Members<'_>) -> bool {
    let names = ["eventVersion", "eventSource", "eventName", "eventTime"];
    names.iter().all(|name| members.contains_key(*name)) && !members.contains_key("s3")
}

/// S3's own shape, `{"Records":[{"eventName":"ObjectCreated:Put","s3":{...}}]}`.
fn s3_event(records: &[Value]) -> Result<Told, Poison> {
    let mut told = Objects::new(Kind::S3);
    for record in records {
        let Some(s3) = record.get("s3") else {
            return poison(format!("a record of {}, which is no notice of S3", name(&record["eventSource"])));
        };
        let Some(name) = record["eventName"].as_str() else { return poison("an S3 event without eventName") };
        let object = &s3["object"];
        let Some(encoded) = object["key"].as_str() else { return poison("an S3 event without s3.object.key") };
        let key = decoded(encoded)?;
        if name.strip_prefix("s3:").unwrap_or(name).starts_with("ObjectCreated:") {
            told.created(&s3["bucket"]["name"], key, object, ["eTag", "versionId"])?;
        } else {
            told.other(&key, name);
        }
    }
    told.told()
}

/// S3 through EventBridge: `detail` has `bucket` and `object`, the key as it is.
fn eventbridge(event: &Map<String, Value>) -> Result<Told, Poison> {
    let mut told = Objects::new(Kind::EventBridge);
    let detail = &event["detail"];
    match text(event, "detail-type") {
        Some("Object Created") => {
            let object = &detail["object"];
            let Some(key) = object["key"].as_str() else {
                return poison("an EventBridge event without detail.object.key");
            };
            told.created(&detail["bucket"]["name"], key.to_owned(), object, ["etag", "version-id"])?;
        }
        Some(other) => told.other(detail["object"]["key"].as_str().unwrap_or_default(), other),
        None => return poison("an EventBridge event whose detail-type is no text"),
    }
    told.told()
}

/// CloudTrail's own shape, `{"s3Bucket":"...","s3ObjectKey":["...",...]}`, the keys as they are.
fn cloudtrail(notice: &Map<String, Value>) -> Result<Told, Poison> {
    let mut told = Objects::new(Kind::CloudTrail);
    let keys = match &notice["s3ObjectKey"] {
        Value::Array(keys) => &keys[..],
        key => std::slice::from_ref(key),
    };
    for key in keys {
        let Some(key) = key.as_str() else { return poison("a CloudTrail notice with a key that is no text") };
        told.created(&notice["s3Bucket"], key.to_owned(), &Value::Null, ["", ""])?;
    }
    told.told()
}

/// What something calls itself, for people.
fn name(value: &Value) -> String {
    value.as_str().map_or_else(|| "something without a name".to_owned(), |name| name.chars().take(80).collect())
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key)?.as_str()
}

/// A key of an S3 event: `+` is a space, `%XX` a byte. S3 encodes every `%`, so what is no escape comes from a service
/// that does not encode its keys, and stays as it is.
fn decoded(encoded: &str) -> Result<String, Poison> {
    let spaced = encoded.replace('+', " ");
    match percent_encoding::percent_decode_str(&spaced).decode_utf8() {
        Ok(key) => Ok(key.into_owned()),
        Err(_) => poison("an S3 event with a key that is not UTF-8"),
    }
}

/// What has been found in a notice so far.
struct Objects {
    notice: Notice,
    /// Whether anything was about the creation of an object.
    created: bool,
}

impl Objects {
    fn new(kind: Kind) -> Objects {
        Objects { notice: Notice { kind, objects: Vec::new(), passed: Vec::new() }, created: false }
    }

    fn other(&mut self, key: &str, what: &str) {
        let what: String = what.chars().take(80).collect();
        let why = format!("{what}: only objects that are created are read");
        self.notice.passed.push(Passed { key: key.to_owned(), why });
    }

    /// `named` are the names of ETag and version, which differ in spelling.
    fn created(&mut self, bucket: &Value, key: String, object: &Value, named: [&str; 2]) -> Result<(), Poison> {
        self.created = true;
        let Some(bucket) = bucket.as_str() else { return poison("a notice without a bucket") };
        if !is_bucket_name(bucket) {
            return poison("a notice about a bucket whose name is none");
        }
        if !(1..=KEY_BYTES_MAX).contains(&key.len()) {
            return poison(format!("a notice about a key of {} bytes", key.len()));
        }
        if let Some(why) = set_aside(&key) {
            self.notice.passed.push(Passed { key, why: why.to_owned() });
            return Ok(());
        }
        let text = |name: &str| object[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        self.notice.objects.push(ObjectRef {
            bucket: bucket.to_owned(),
            key,
            size: object["size"].as_u64(),
            version: text(named[1]),
            etag: text(named[0]),
            sequencer: text("sequencer"),
        });
        Ok(())
    }

    fn told(mut self) -> Result<Told, Poison> {
        if self.created {
            return Ok(Told::Notice(self.notice));
        }
        let why = self.notice.passed.pop().map_or_else(|| "nothing is named in it".to_owned(), |passed| passed.why);
        Ok(Told::NotForUs { why })
    }
}

#[cfg(test)]
mod tests;
