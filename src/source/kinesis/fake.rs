//! A Kinesis on the loopback for tests: shards in memory, and faults in the order that a test wants them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, HttpClient, Region};
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::base64;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// What the fake knows. Tests change it while it serves.
#[derive(Default)]
pub struct Stream {
    pub shards: BTreeMap<String, Shard>,
    /// Errors that calls get and no answer, by operation; an empty one lets a call through.
    pub faults: BTreeMap<&'static str, VecDeque<&'static str>>,
    /// Calls, each as its operation and what matters of its request.
    pub calls: Vec<String>,
    /// Answers without records before each one that has some.
    pub empty_pages: usize,
    /// Iterators that were made before this many had been are expired.
    pub expired: usize,
    /// The answer to the next subscription breaks off in the middle of its last event.
    pub cut: bool,
    pub iterators: usize,
    /// How often the stream was deleted and made again.
    remade: u32,
    empties: usize,
    sequence: u64,
}

pub struct Shard {
    pub parents: Vec<String>,
    pub range: (u128, u128),
    pub closed: bool,
    /// Sequence number and data.
    pub records: Vec<(String, Vec<u8>)>,
}

pub struct Fake {
    /// For a process; tests in this one use `client`.
    #[allow(dead_code)]
    pub url: String,
    stream: Arc<Mutex<Stream>>,
    pub client: Client,
}

/// Records of one answer.
const PAGE: usize = 4;
/// Sequence numbers as long as those of AWS.
const NUMBER: &str = "4959033827149025660855969253836157109592157598913";

impl Fake {
    /// Serves a stream with one shard, `shardId-0`.
    pub async fn start() -> Fake {
        let stream = Arc::new(Mutex::new(Stream::default()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new().fallback(answer).with_state(stream.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Fake::of(stream, format!("http://{address}"), aws_smithy_http_client::Builder::new().build_http())
    }

    /// The stream that is served there, with one shard.
    pub fn of(stream: Arc<Mutex<Stream>>, url: String, http: impl HttpClient + 'static) -> Fake {
        let config = aws_sdk_kinesis::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(&url)
            .http_client(http);
        let fake = Fake { url, stream, client: Client::from_conf(config.build()) };
        fake.born("shardId-0", &[], (0, u128::MAX));
        fake
    }

    pub fn stream(&self) -> MutexGuard<'_, Stream> {
        self.stream.lock().unwrap()
    }

    pub fn born(&self, id: &str, parents: &[&str], range: (u128, u128)) {
        self.stream().born(id, parents, range);
    }

    /// Deletes the stream and makes it again, with one shard, whose sequence numbers begin anew. Iterators and consumers of the
    /// one that is gone are of no use.
    pub fn remade(&self) {
        {
            let mut stream = self.stream();
            stream.shards.clear();
            stream.remade += 1;
            stream.sequence = 0;
            stream.expired = stream.iterators + 1;
        }
        self.born("shardId-0", &[], (0, u128::MAX));
    }

    /// Puts events with these names into a shard.
    pub fn put(&self, shard: &str, names: &[&str]) {
        for name in names {
            self.put_data(shard, format!(r#"{{"eventVersion":"1.08","eventName":"{name}"}}"#).into());
        }
    }

    pub fn put_data(&self, shard: &str, data: Vec<u8>) {
        let mut stream = self.stream();
        stream.sequence += 1;
        let sequence = format!("{NUMBER}{:06}", stream.sequence);
        stream.shards.get_mut(shard).unwrap().records.push((sequence, data));
    }

    pub fn fault(&self, operation: &'static str, codes: &[&'static str]) {
        self.stream().faults.entry(operation).or_default().extend(codes);
    }
}

impl Stream {
    pub fn born(&mut self, id: &str, parents: &[&str], range: (u128, u128)) {
        for parent in parents {
            self.shards.get_mut(*parent).unwrap().closed = true;
        }
        let parents = parents.iter().map(|&id| id.to_owned()).collect();
        self.shards.insert(id.to_owned(), Shard { parents, range, closed: false, records: Vec::new() });
    }

    pub fn consumer(&self) -> String {
        format!("arn:consumer:{}", self.remade)
    }

    pub fn has_what_is_subscribed_to(&self, ask: &Value) -> bool {
        self.shards.contains_key(ask["ShardId"].as_str().unwrap()) && ask["ConsumerARN"] == self.consumer()
    }
}

pub async fn answer(State(stream): State<Arc<Mutex<Stream>>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers["x-amz-target"].to_str().unwrap();
    let operation = target.strip_prefix("Kinesis_20131202.").unwrap();
    let ask: Value = serde_json::from_slice(&body).unwrap();
    let mut stream = stream.lock().unwrap();
    stream.calls.push(format!("{operation} {}", matters(&ask)));
    let fault = stream.faults.get_mut(operation).and_then(VecDeque::pop_front).filter(|code| !code.is_empty());
    if let (Some("ResourceNotFoundException"), Some(shard)) =
        (fault, ask["ShardId"].as_str().filter(|_| operation == "GetShardIterator"))
    {
        // the shard goes with it
        stream.shards.remove(shard);
    }
    let result = match (fault, operation) {
        (Some(code), _) => Err(code),
        (None, "SubscribeToShard") if !stream.has_what_is_subscribed_to(&ask) => Err("ResourceNotFoundException"),
        (None, "SubscribeToShard") => return subscribed(&mut stream, &ask),
        (None, "DescribeStreamSummary") => described(&stream, &ask),
        (None, "DescribeStreamConsumer") => Ok(json!({ "ConsumerDescription": {
            "ConsumerName": "weir", "ConsumerARN": stream.consumer(), "ConsumerStatus": "ACTIVE",
            "ConsumerCreationTimestamp": 1.0, "StreamARN": "arn:stream" } })),
        (None, "RegisterStreamConsumer") => Ok(json!({ "Consumer": {
            "ConsumerName": "weir", "ConsumerARN": stream.consumer(), "ConsumerStatus": "CREATING",
            "ConsumerCreationTimestamp": 1.0 } })),
        (None, "ListShards") => Ok(listed(&stream, &ask)),
        (None, "GetShardIterator") => iterator(&mut stream, &ask),
        (None, "GetRecords") => records(&mut stream, &ask),
        (None, other) => panic!("{other} is not called"),
    };
    match result {
        Ok(answer) => answer.to_string().into_response(),
        Err(code) => {
            let status =
                if code == "InternalFailure" { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST };
            (status, json!({ "__type": code, "message": "as the test wants it" }).to_string()).into_response()
        }
    }
}

/// Type and number of the place that is asked for.
pub fn matters(ask: &Value) -> String {
    let place = ask.get("StartingPosition").unwrap_or(ask);
    let kind = place.get("ShardIteratorType").or(place.get("Type")).and_then(Value::as_str).unwrap_or_default();
    let number = place.get("StartingSequenceNumber").or(place.get("SequenceNumber")).and_then(Value::as_str);
    format!("{kind} {}", number.map_or("", |number| number.strip_prefix(NUMBER).unwrap_or(number))).trim().to_owned()
}

fn described(stream: &Stream, ask: &Value) -> Result<Value, &'static str> {
    match ask["StreamName"].as_str() {
        Some("there") => Ok(json!({ "StreamDescriptionSummary": {
            "StreamName": "there", "StreamARN": "arn:aws:kinesis:us-east-1:111122223333:stream/there",
            "StreamStatus": "ACTIVE", "RetentionPeriodHours": 24, "StreamCreationTimestamp": 1.5 + f64::from(stream.remade),
            "EnhancedMonitoring": [], "OpenShardCount": 1 } })),
        _ => Err("ResourceNotFoundException"),
    }
}

/// Two shards a page.
fn listed(stream: &Stream, ask: &Value) -> Value {
    assert!(ask.get("NextToken").is_none() || ask.get("StreamName").is_none(), "Kinesis takes one of them");
    let first: usize = ask["NextToken"].as_str().map_or(0, |token| token.parse().unwrap());
    let shards = stream.shards.iter().skip(first).take(2).map(|(id, shard)| {
        let mut told = json!({
            "ShardId": id,
            "HashKeyRange": range(shard),
            "SequenceNumberRange": { "StartingSequenceNumber": "1" },
        });
        for (key, parent) in ["ParentShardId", "AdjacentParentShardId"].iter().zip(&shard.parents) {
            told[*key] = json!(parent);
        }
        if shard.closed {
            told["SequenceNumberRange"]["EndingSequenceNumber"] = json!("2");
        }
        told
    });
    let shards: Vec<Value> = shards.collect();
    match first + 2 < stream.shards.len() {
        true => json!({ "Shards": shards, "NextToken": (first + 2).to_string() }),
        false => json!({ "Shards": shards }),
    }
}

fn range(shard: &Shard) -> Value {
    json!({ "StartingHashKey": shard.range.0.to_string(), "EndingHashKey": shard.range.1.to_string() })
}

/// The place of the next record.
pub fn place(shard: &Shard, from: &Value) -> usize {
    let kind = from.get("ShardIteratorType").or(from.get("Type")).unwrap().as_str().unwrap();
    let number =
        from.get("StartingSequenceNumber").or(from.get("SequenceNumber")).and_then(Value::as_str).unwrap_or("");
    match kind {
        // the fake keeps no times: only what comes after the first call is asked for by one
        "TRIM_HORIZON" | "AT_TIMESTAMP" => 0,
        "LATEST" => shard.records.len(),
        "AT_SEQUENCE_NUMBER" => shard.records.partition_point(|(sequence, _)| **sequence < *number),
        "AFTER_SEQUENCE_NUMBER" => shard.records.partition_point(|(sequence, _)| **sequence <= *number),
        other => panic!("{other} is no type of iterator"),
    }
}

fn iterator(stream: &mut Stream, ask: &Value) -> Result<Value, &'static str> {
    stream.iterators += 1;
    let id = ask["ShardId"].as_str().unwrap();
    let shard = stream.shards.get(id).ok_or("ResourceNotFoundException")?;
    Ok(json!({ "ShardIterator": format!("{}|{id}|{}", stream.iterators, place(shard, ask)) }))
}

fn records(stream: &mut Stream, ask: &Value) -> Result<Value, &'static str> {
    let iterator: Vec<&str> = ask["ShardIterator"].as_str().unwrap().split('|').collect();
    let [number, id, place] = iterator[..] else { return Err("InvalidArgumentException") };
    if number.parse::<usize>().unwrap() < stream.expired {
        return Err("ExpiredIteratorException");
    }
    let place: usize = place.parse().unwrap();
    let shard = stream.shards.get(id).ok_or("ResourceNotFoundException")?;
    stream.empties += 1;
    let empty = place < shard.records.len() && stream.empties <= stream.empty_pages;
    let page = page(shard, place, if empty { 0 } else { PAGE });
    let next = place + page.len();
    let mut answer = json!({ "Records": page, "MillisBehindLatest": 1000 * (shard.records.len() - next) });
    if shard.closed && next == shard.records.len() {
        answer["ChildShards"] = json!(children(stream, id));
    } else {
        answer["NextShardIterator"] = json!(format!("{number}|{id}|{next}"));
    }
    if !empty {
        stream.empties = 0;
    }
    Ok(answer)
}

fn page(shard: &Shard, place: usize, count: usize) -> Vec<Value> {
    let record = |(sequence, data): &(String, Vec<u8>)| {
        json!({ "SequenceNumber": sequence, "Data": base64::encode(data), "PartitionKey": "k",
            "ApproximateArrivalTimestamp": 1.25 })
    };
    shard.records.iter().skip(place).take(count).map(record).collect()
}

fn children(stream: &Stream, id: &str) -> Vec<Value> {
    let of = |(child, shard): (&String, &Shard)| {
        shard
            .parents
            .iter()
            .any(|parent| parent == id)
            .then(|| json!({ "ShardId": child, "ParentShards": shard.parents, "HashKeyRange": range(shard) }))
    };
    stream.shards.iter().filter_map(of).collect()
}

/// Everything there is, one page an event; then the subscription is over.
fn subscribed(stream: &mut Stream, ask: &Value) -> Response {
    let cut = std::mem::take(&mut stream.cut);
    let id = ask["ShardId"].as_str().unwrap();
    let mut place = place(&stream.shards[id], &ask["StartingPosition"]);
    let mut body = event("event", "initial-response", &json!({}));
    while let Some((event, next)) = next_event(stream, id, place) {
        body.extend(event);
        let Some(next) = next else { break };
        place = next;
    }
    if cut {
        body.truncate(body.len() - 20);
    }
    ([("content-type", EVENT_STREAM)], body).into_response()
}

pub const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

/// The event with the page at this place, and the place behind it, `None` when it is the last; nothing when there is
/// none yet.
pub fn next_event(stream: &Stream, id: &str, place: usize) -> Option<(Vec<u8>, Option<usize>)> {
    let shard = &stream.shards[id];
    let records = page(shard, place, PAGE);
    let next = place + records.len();
    if let Some((last, _)) = shard.records.get(place..next).and_then(|page| page.last()) {
        let told = json!({ "Records": records, "MillisBehindLatest": 0, "ContinuationSequenceNumber": last });
        return Some((event("event", "SubscribeToShardEvent", &told), Some(next)));
    }
    let last = json!({
        "Records": [], "MillisBehindLatest": 0, "ContinuationSequenceNumber": "", "ChildShards": children(stream, id),
    });
    shard.closed.then(|| (event("event", "SubscribeToShardEvent", &last), None))
}

/// A message of an event stream: an `event` of this kind, or an `exception`.
pub fn event(message: &'static str, kind: &'static str, payload: &Value) -> Vec<u8> {
    let named = if message == "event" { ":event-type" } else { ":exception-type" };
    let mut told = Message::new(payload.to_string());
    for (name, value) in [(":message-type", message), (named, kind), (":content-type", "application/x-amz-json-1.1")] {
        told = told.add_header(Header::new(name, HeaderValue::String(value.into())));
    }
    let mut bytes = Vec::new();
    write_message_to(&told, &mut bytes).unwrap();
    bytes
}
