//! The event that AWS Lambda hands a function → its items: records of a stream, messages of a queue, logs, or a notice.
//!
//! The shapes are those of the event source mappings for Kinesis and SQS, and of the calls that CloudWatch Logs, S3, SNS and
//! EventBridge make of a function ("Using Lambda with ...", Lambda developer guide). A field that is not read may be missing.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use aws_smithy_types::base64;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::decode::{PADDING, inflate};
use crate::time::Timestamp;

/// What a function is called with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Records of a shard in the order of their numbers: of those that failed, the first is answered.
    Stream(Vec<StreamRecord>),
    /// Messages in no order: each that failed is answered.
    Queue(Vec<Message>),
    /// What a subscription filter of CloudWatch Logs selects, or a rule of EventBridge that is not about objects. It is done, or the
    /// whole call has failed.
    Logs(Logs),
    /// A notice about objects, by S3, SNS or EventBridge, without an id. It is done, or the whole call has failed.
    Notice(Message),
}

/// A record of Kinesis, not yet unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRecord {
    pub stream: String,
    pub shard: String,
    /// Decimal digits.
    pub sequence: String,
    pub data: Bytes,
    pub arrived: Timestamp,
}

/// An envelope of CloudWatch Logs, not yet inflated, or one of EventBridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logs {
    /// What rejects of it are said to be from.
    pub name: &'static str,
    pub data: Bytes,
    /// Time of the last event in it.
    pub at: Timestamp,
}

/// A message of SQS, or what has come in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: String,
    pub body: String,
    pub sent: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FromKinesis {
    #[serde(rename = "eventID")]
    event_id: String,
    #[serde(rename = "eventSourceARN")]
    source: String,
    kinesis: Inside,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inside {
    sequence_number: String,
    data: String,
    /// Seconds since 1970, with milliseconds.
    approximate_arrival_timestamp: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FromSqs {
    message_id: String,
    body: String,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Default, Deserialize)]
struct Attributes {
    /// Milliseconds since 1970, as text.
    #[serde(default, rename = "SentTimestamp")]
    sent: Option<String>,
}

/// Reads an event.
///
/// # Errors
/// When it is none of those that Weir is called with, or a record has no number: no item of it could be answered.
pub fn read(text: &str) -> anyhow::Result<Event> {
    if let Some(event) = of_bridge(text) {
        return Ok(event);
    }
    let event: Value = serde_json::from_str(text).context("reading an event")?;
    // SNS writes it large
    let source = |record: &Value| {
        let source = record["eventSource"].as_str().or_else(|| record["EventSource"].as_str());
        source.unwrap_or_default().to_owned()
    };
    let first = match &event["Records"] {
        Value::Array(records) => records.first().map(source),
        _ => None,
    };
    match first.as_deref() {
        Some("aws:kinesis") => {
            let records = records::<FromKinesis>(event).context("reading an event of Kinesis")?;
            records.into_iter().map(stream_record).collect::<anyhow::Result<_>>().map(Event::Stream)
        }
        Some("aws:sqs") => {
            let records = records::<FromSqs>(event).context("reading an event of SQS")?;
            Ok(Event::Queue(records.into_iter().map(message).collect()))
        }
        Some("aws:s3") => Ok(notice(event.to_string(), &event["Records"][0]["eventTime"])),
        // there is always one record
        Some("aws:sns") => {
            let sns = &event["Records"][0]["Sns"];
            let message = sns["Message"].as_str().context("an event of SNS without a Message")?;
            Ok(notice(message.to_owned(), &sns["Timestamp"]))
        }
        None if event["awslogs"]["data"].is_string() => log_events(&event).map(Event::Logs),
        Some(other) => bail!("an event of `{other}`: Weir reads those of {CALLERS}"),
        None => bail!("an event without records: Weir reads those of {CALLERS}"),
    }
}

/// An event of EventBridge, its text as it came: numbers in it may be longer than a [`Value`] holds, and texts have half a character.
fn of_bridge(text: &str) -> Option<Event> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    let member = |name: &str| serde_json::from_str::<String>(members.get(name)?.get()).ok();
    let kind = member("detail-type").filter(|_| !members.contains_key("Records"))?;
    let at = member("time").as_deref().and_then(Timestamp::parse).unwrap_or_default();
    Some(match kind.starts_with("Object ") {
        true => Event::Notice(Message { id: String::new(), body: text.to_owned(), sent: at }),
        false => Event::Logs(Logs { name: "eventbridge", data: text.to_owned().into(), at }),
    })
}

const CALLERS: &str = "Kinesis, SQS, CloudWatch Logs, S3, SNS and EventBridge";

fn notice(body: String, sent: &Value) -> Event {
    Event::Notice(Message { id: String::new(), body, sent: time(sent) })
}

fn time(value: &Value) -> Timestamp {
    value.as_str().and_then(Timestamp::parse).unwrap_or_default()
}

fn records<T: for<'a> Deserialize<'a>>(mut event: Value) -> anyhow::Result<Vec<T>> {
    Ok(serde_json::from_value(event["Records"].take())?)
}

fn stream_record(record: FromKinesis) -> anyhow::Result<StreamRecord> {
    let FromKinesis { event_id, source, kinesis } = record;
    let sequence = kinesis.sequence_number;
    if sequence.is_empty() || !sequence.bytes().all(|byte| byte.is_ascii_digit()) {
        bail!("`{sequence}` is no sequence number");
    }
    let shard = event_id.rsplit_once(':').map_or("", |(shard, _)| shard);
    // `arn:...:stream/NAME`, with a consumer of enhanced fan-out `arn:...:stream/NAME/consumer/...`
    let name = source.split_once(":stream/").map_or("", |(_, name)| name).split('/').next().unwrap_or_default();
    Ok(StreamRecord {
        stream: name.to_owned(),
        shard: shard.to_owned(),
        sequence,
        // what is not base64 never came from Kinesis; as it stands it becomes a reject
        data: base64::decode(&kinesis.data).unwrap_or_else(|_| kinesis.data.into_bytes()).into(),
        arrived: Timestamp((kinesis.approximate_arrival_timestamp * 1e6) as i64),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    #[serde(default)]
    log_events: Vec<LogEvent>,
}

#[derive(Deserialize)]
struct LogEvent {
    /// Milliseconds since 1970.
    #[serde(default)]
    timestamp: i64,
}

/// What an envelope may inflate to, to say when it was; CloudWatch Logs makes none that is near.
const ENVELOPE_BYTES_MAX: usize = 64 << 20;

/// What cannot be inflated has no time, and becomes a reject where it is read.
fn log_events(event: &Value) -> anyhow::Result<Logs> {
    let data = event["awslogs"]["data"].as_str().unwrap_or_default();
    let data = base64::decode(data).context("an event of CloudWatch Logs whose data is no base64")?;
    let envelope = inflate::whole(&data, ENVELOPE_BYTES_MAX)
        .and_then(|padded| serde_json::from_slice::<Envelope>(&padded[..padded.len() - PADDING]).ok());
    let last = envelope.and_then(|envelope| envelope.log_events.iter().map(|event| event.timestamp).max());
    let at = Timestamp(last.unwrap_or_default().saturating_mul(1000));
    Ok(Logs { name: "awslogs", data: data.into(), at })
}

fn message(message: FromSqs) -> Message {
    let sent = message.attributes.sent.and_then(|text| text.parse::<i64>().ok()).unwrap_or_default();
    Message { id: message.message_id, body: message.body, sent: Timestamp(sent.saturating_mul(1000)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(event: Value) -> anyhow::Result<Event> {
        super::read(&event.to_string())
    }

    fn kinesis(sequence: &str, data: &str) -> Value {
        json!({ "Records": [{
            "kinesis": { "kinesisSchemaVersion": "1.0", "partitionKey": "1", "sequenceNumber": sequence, "data": data,
                         "approximateArrivalTimestamp": 1722513600.5 },
            "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": format!("shardId-000000000006:{sequence}"),
            "eventName": "aws:kinesis:record", "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
            "awsRegion": "us-east-2",
            "eventSourceARN": "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream/consumer/weir:1722513600"
        }] })
    }

    #[test]
    fn a_record_of_kinesis_says_where_it_stands() {
        let number = "49590338271490256608559692538361571095921575989136588898";
        let record = StreamRecord {
            stream: "lambda-stream".into(),
            shard: "shardId-000000000006".into(),
            sequence: number.into(),
            data: "Hello, this is a test.".into(),
            arrived: Timestamp(1_722_513_600_500_000),
        };
        let read_one = read(kinesis(number, "SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==")).unwrap();
        assert_eq!(read_one, Event::Stream(vec![record.clone()]));
        let raw = read(kinesis(number, "{no base64}")).unwrap();
        assert_eq!(raw, Event::Stream(vec![StreamRecord { data: "{no base64}".into(), ..record }]));
        let error = read(kinesis("x1", "")).unwrap_err().to_string();
        assert_eq!(error, "`x1` is no sequence number");
    }

    #[test]
    fn a_message_of_a_queue_has_its_id_and_time() {
        let event = json!({ "Records": [{
            "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d", "receiptHandle": "AQEB", "body": "{}",
            "attributes": { "ApproximateReceiveCount": "1", "SentTimestamp": "1722513600123" },
            "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:my-queue", "awsRegion": "us-east-2"
        }] });
        let id = "059f36b4-87a3-44ab-83d2-661975830a7d".to_owned();
        let message = Message { id, body: "{}".into(), sent: Timestamp(1_722_513_600_123_000) };
        assert_eq!(read(event).unwrap(), Event::Queue(vec![message]));
    }

    #[test]
    fn log_events_have_the_time_of_the_last() {
        let gzip = |text: &str| {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut packed, text.as_bytes()).unwrap();
            packed.finish().unwrap()
        };
        let of = |data: &[u8]| read(json!({ "awslogs": { "data": base64::encode(data) } })).unwrap();
        let logs = |data: Vec<u8>, at: i64| Event::Logs(Logs { name: "awslogs", data: data.into(), at: Timestamp(at) });
        let events = json!([{ "timestamp": 1_722_513_600_002_i64 }, { "timestamp": 1_722_513_600_001_i64 }, {}]);
        let envelope = gzip(&json!({ "messageType": "DATA_MESSAGE", "logEvents": events }).to_string());
        assert_eq!(of(&envelope), logs(envelope, 1_722_513_600_002_000));
        for untimed in [gzip("{}"), gzip("no JSON"), b"no gzip".to_vec()] {
            assert_eq!(of(&untimed), logs(untimed, 0));
        }
        let error = read(json!({ "awslogs": { "data": "{}" } })).unwrap_err().to_string();
        assert_eq!(error, "an event of CloudWatch Logs whose data is no base64");
    }

    #[test]
    fn what_s3_and_eventbridge_say_is_a_notice_and_all_else_is_refused() {
        let notice = |event: &Value, sent: i64| {
            Event::Notice(Message { id: String::new(), body: event.to_string(), sent: Timestamp(sent) })
        };
        let s3 = json!({ "Records": [{ "eventSource": "aws:s3", "eventTime": "2024-08-01T12:00:00.000Z" }] });
        assert_eq!(read(s3.clone()).unwrap(), notice(&s3, 1_722_513_600_000_000));
        let bridge = json!({ "detail-type": "Object Created", "source": "aws.s3", "time": "2024-08-01T12:00:00Z" });
        assert_eq!(read(bridge.clone()).unwrap(), notice(&bridge, 1_722_513_600_000_000));
        let sns = json!({ "Records": [{ "EventVersion": "1.0", "EventSource": "aws:sns", "EventSubscriptionArn": "a",
            "Sns": { "Type": "Notification", "Message": s3.to_string(), "Timestamp": "2024-08-01T12:00:01.000Z" } }] });
        assert_eq!(read(sns).unwrap(), notice(&s3, 1_722_513_601_000_000));
        let untimed = json!({ "detail-type": "Object Created", "detail": {} });
        assert_eq!(read(untimed.clone()).unwrap(), notice(&untimed, 0));
        // not an object of S3, but a call that was made of it
        let call = json!({ "detail-type": "AWS API Call via CloudTrail", "source": "aws.s3", "time": "2024-08-01T12:00:00Z",
            "detail": { "eventName": "GetObject" } });
        let (data, at) = (call.to_string().into(), Timestamp(1_722_513_600_000_000));
        assert_eq!(read(call).unwrap(), Event::Logs(Logs { name: "eventbridge", data, at }));
        let odd = r#"{"detail-type":"a","time":7,"detail":{"n":123456789012345678901234567890, "t":"\ud800"}}"#;
        let as_it_came = Logs { name: "eventbridge", data: odd.into(), at: Timestamp::default() };
        assert_eq!(super::read(odd).unwrap(), Event::Logs(as_it_came));
        assert_eq!(super::read("{").unwrap_err().to_string(), "reading an event");
        let told = |event| read(event).unwrap_err().to_string();
        assert!(told(json!({ "Records": [{ "eventSource": "aws:dynamodb" }] })).contains("`aws:dynamodb`"));
        assert!(told(json!({ "key1": "value1" })).starts_with("an event without records"));
        assert!(told(json!(["x"])).starts_with("an event without records"));
    }
}
