//! A folder → a bucket of S3, and a queue of SQS that tells of its objects.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};

use crate::server::lock;

/// The bucket's name.
pub const NAME: &str = "logs";
/// The queue's.
pub const QUEUE: &str = "notices";
/// An object is read from the disk in pieces of this size, so that the stand-in keeps none.
const CHUNK_BYTES: usize = 256 << 10;
/// How long an answer of a queue that has nothing takes.
const EMPTY_WAIT: Duration = Duration::from_millis(20);

pub struct Bucket {
    /// By key.
    objects: BTreeMap<String, Object>,
    pub queue: Queue,
}

struct Object {
    path: PathBuf,
    size: u64,
    etag: String,
}

impl Bucket {
    /// The files of a folder, with their paths in it as keys.
    pub fn of(folder: &Path) -> Bucket {
        let mut objects = BTreeMap::new();
        for entry in walkdir::WalkDir::new(folder) {
            let entry = entry.expect("the folder can be read");
            if entry.file_type().is_file() {
                let key = entry.path().strip_prefix(folder).expect("it lies in there").display().to_string();
                let size = entry.metadata().expect("it was listed").len();
                let etag = blake3::hash(format!("{key} {size}").as_bytes()).to_hex()[..32].to_owned();
                objects.insert(key, Object { path: entry.into_path(), size, etag });
            }
        }
        Bucket { objects, queue: Queue::default() }
    }

    /// Has the queue tell of every object, and forget what it was told before.
    pub fn notify(&self) {
        let notice = |(key, object): (&String, &Object)| {
            let object = json!({ "key": key, "size": object.size, "eTag": object.etag });
            let s3 = json!({ "bucket": { "name": NAME }, "object": object });
            let record = json!({ "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
                "eventTime": "2024-08-01T00:00:00.000Z", "eventName": "ObjectCreated:Put", "s3": s3 });
            json!({ "Records": [record] }).to_string()
        };
        *lock(&self.queue.messages) = self.objects.iter().map(notice).collect();
        lock(&self.queue.deleted).clear();
    }

    /// GetObject and ListObjectsV2.
    pub fn answer(&self, uri: &Uri) -> Response {
        let path = decoded(uri.path().trim_start_matches('/'));
        let query = uri.query().unwrap_or_default();
        match path.strip_prefix(NAME).map(|key| key.trim_start_matches('/')) {
            Some("") if query.contains("list-type=2") => self.list(query),
            Some(key) if let Some(object) = self.objects.get(key) => object.get(),
            _ => panic!("{uri} is asked for, and there is no such object"),
        }
    }

    fn list(&self, query: &str) -> Response {
        let value = |name| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(decoded);
        let (prefix, delimiter) = (value("prefix").unwrap_or_default(), value("delimiter"));
        let (mut keys, mut folders) = (String::new(), BTreeSet::new());
        for (key, Object { size, etag, .. }) in &self.objects {
            let Some(rest) = key.strip_prefix(&prefix) else { continue };
            match rest.split_once('/').filter(|_| delimiter.is_some()) {
                Some((folder, _)) => {
                    folders.insert(format!("<CommonPrefixes><Prefix>{prefix}{folder}/</Prefix></CommonPrefixes>"));
                }
                None => {
                    keys += &format!("<Contents><Key>{key}</Key><ETag>\"{etag}\"</ETag><Size>{size}</Size></Contents>");
                }
            }
        }
        let folders: String = folders.into_iter().collect();
        format!("<?xml version=\"1.0\"?><ListBucketResult>{keys}{folders}</ListBucketResult>").into_response()
    }
}

impl Object {
    fn get(&self) -> Response {
        let mut file = File::open(&self.path).expect("it was listed");
        let chunks = std::iter::from_fn(move || {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            let read = (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut chunk);
            (!chunk.is_empty()).then(|| read.map(|_| Bytes::from(chunk)))
        });
        let headers = [("etag", format!("\"{}\"", self.etag)), ("content-length", self.size.to_string())];
        (StatusCode::OK, headers, Body::from_stream(stream::iter(chunks))).into_response()
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().expect("keys are UTF-8").into_owned()
}

/// A queue without a clock: what was received does not come back.
#[derive(Default)]
pub struct Queue {
    messages: Mutex<VecDeque<String>>,
    deleted: Mutex<BTreeSet<String>>,
}

impl Queue {
    /// How many notices were deleted since it was filled, each counted once.
    pub fn deleted(&self) -> usize {
        lock(&self.deleted).len()
    }

    pub async fn answer(&self, operation: &str, ask: &Value, host: &str) -> Response {
        let entries = ask["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ids: Vec<Value> = entries.iter().map(|entry| json!({ "Id": entry["Id"] })).collect();
        let answer = match operation {
            "GetQueueUrl" => json!({ "QueueUrl": format!("http://{host}/1/{QUEUE}") }),
            "GetQueueAttributes" => json!({ "Attributes": { "RedrivePolicy": "{}" } }),
            "ReceiveMessage" => self.receive().await,
            "DeleteMessageBatch" => {
                let handle = |entry: &Value| entry["ReceiptHandle"].as_str().expect("it was given one").to_owned();
                lock(&self.deleted).extend(entries.iter().map(handle));
                json!({ "Successful": ids, "Failed": [] })
            }
            "ChangeMessageVisibilityBatch" => json!({ "Successful": ids, "Failed": [] }),
            other => panic!("SQS is asked for {other}"),
        };
        ([("content-type", "application/x-amz-json-1.0")], answer.to_string()).into_response()
    }

    async fn receive(&self) -> Value {
        let taken: Vec<String> = {
            let mut messages = lock(&self.messages);
            let count = messages.len().min(10);
            messages.drain(..count).collect()
        };
        if taken.is_empty() {
            tokio::time::sleep(EMPTY_WAIT).await;
        }
        let message = |body: String| {
            let id = blake3::hash(body.as_bytes()).to_hex()[..32].to_owned();
            json!({ "MessageId": id, "ReceiptHandle": id, "Body": body,
                "Attributes": { "ApproximateReceiveCount": "1" } })
        };
        let messages: Vec<Value> = taken.into_iter().map(message).collect();
        json!({ "Messages": messages })
    }
}
