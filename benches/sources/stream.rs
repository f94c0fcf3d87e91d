//! A stream of Kinesis over shards that say what is in them: ListShards, GetShardIterator and GetRecords.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_types::base64;
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::server::lock;

/// The stream's name.
pub const NAME: &str = "logs";
/// The time that a network takes for an answer without records, where the reader does not wait between two questions.
const EMPTY_WAIT: Duration = Duration::from_millis(20);
/// The most of an answer, before base64.
pub const ANSWER_BYTES_MAX: usize = 10 << 20;
/// What a shard gives in a second: pages of what has waited for long.
const STORED_PAGE_BYTES: usize = 2 << 20;

/// What is in the shards of a stream. Records of each are numbered from 0.
pub trait Shards: Send + Sync {
    fn count(&self) -> usize;

    /// The answer of GetRecords from a place on; `None` when there is nothing now.
    fn page(&self, shard: usize, place: u64) -> Option<Bytes>;
}

pub struct Stream {
    shards: Arc<dyn Shards>,
    /// Those that were asked for more than there is.
    drained: Mutex<BTreeSet<usize>>,
}

impl Stream {
    pub fn of(shards: Arc<dyn Shards>) -> Stream {
        Stream { shards, drained: Mutex::default() }
    }

    /// Whether the reader of each shard has taken all there was: it asks for more when it has handed on what came before.
    pub fn is_drained(&self) -> bool {
        lock(&self.drained).len() == self.shards.count()
    }

    /// Forgets what was asked for.
    pub fn rewind(&self) {
        lock(&self.drained).clear();
    }

    /// The answer, and whether it has records.
    pub async fn answer(&self, operation: &str, ask: &Value) -> (Response, bool) {
        let answer = match operation {
            "GetRecords" => return self.records(ask).await,
            "DescribeStreamSummary" => described(self.shards.count()),
            "ListShards" => self.list(),
            "GetShardIterator" => {
                assert_eq!(ask["ShardIteratorType"], "TRIM_HORIZON", "nothing was read before");
                let shard = ask["ShardId"].as_str().and_then(|id| id.strip_prefix("shardId-")).expect("it was listed");
                json!({ "ShardIterator": format!("{}|0", shard.parse::<usize>().expect("a number")) })
            }
            other => panic!("Kinesis is asked for {other}"),
        };
        (answer.to_string().into_response(), false)
    }

    async fn records(&self, ask: &Value) -> (Response, bool) {
        let iterator = ask["ShardIterator"].as_str().and_then(|iterator| iterator.split_once('|'));
        let (shard, place) = iterator.expect("it was given one");
        let (shard, place) = (shard.parse().expect("a number"), place.parse().expect("a number"));
        if let Some(page) = self.shards.page(shard, place) {
            return (page.into_response(), true);
        }
        lock(&self.drained).insert(shard);
        tokio::time::sleep(EMPTY_WAIT).await;
        let answer = json!({ "Records": [], "MillisBehindLatest": 0, "NextShardIterator": format!("{shard}|{place}") });
        (answer.to_string().into_response(), false)
    }

    fn list(&self) -> Value {
        let share = u128::MAX / self.shards.count() as u128;
        let shard = |number: usize| {
            let first = share * number as u128;
            json!({
                "ShardId": format!("shardId-{number:012}"),
                "HashKeyRange": {
                    "StartingHashKey": first.to_string(), "EndingHashKey": (first + share - 1).to_string(),
                },
                "SequenceNumberRange": { "StartingSequenceNumber": "1" },
            })
        };
        json!({ "Shards": (0..self.shards.count()).map(shard).collect::<Vec<_>>() })
    }
}

fn described(shards: usize) -> Value {
    json!({ "StreamDescriptionSummary": {
        "StreamName": NAME, "StreamARN": format!("arn:aws:kinesis:us-east-1:111122223333:stream/{NAME}"),
        "StreamStatus": "ACTIVE", "RetentionPeriodHours": 24, "StreamCreationTimestamp": 1.5,
        "EnhancedMonitoring": [], "OpenShardCount": shards } })
}

/// An answer of GetRecords that is being made.
pub struct Page {
    json: Vec<u8>,
    shard: usize,
    place: u64,
    /// Of the records, before base64.
    pub bytes: usize,
}

impl Page {
    /// An empty one from a place on.
    pub fn new(shard: usize, place: u64) -> Page {
        Page { json: br#"{"Records":["#.to_vec(), shard, place, bytes: 0 }
    }

    /// Adds the next record. `arrived` is in seconds since 1970.
    pub fn push(&mut self, data: &[u8], arrived: f64) {
        if self.bytes > 0 {
            self.json.push(b',');
        }
        let (place, data_text) = (self.place, base64::encode(data));
        write!(
            self.json,
            r#"{{"SequenceNumber":"4959033827149025660855969253836157109592157{place:012}","Data":"{data_text}","PartitionKey":"k","ApproximateArrivalTimestamp":{arrived:.3}}}"#
        )
        .expect("a vector takes all");
        self.place += 1;
        self.bytes += data.len();
    }

    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    pub fn end(mut self, behind_millis: u64) -> Vec<u8> {
        let (shard, place) = (self.shard, self.place);
        write!(self.json, r#"],"MillisBehindLatest":{behind_millis},"NextShardIterator":"{shard}|{place}"}}"#)
            .expect("a vector takes all");
        self.json
    }
}

/// Shards whose answers lie on the disk, made before anything is measured.
pub struct Stored {
    /// By shard, from the place that it begins at.
    pages: Vec<Vec<(u64, PathBuf)>>,
}

impl Stored {
    /// Parts records among shards, one to each in turn, and writes the answers into a folder.
    pub fn write(folder: &Path, shards: usize, records: impl Iterator<Item = Vec<u8>>) -> Stored {
        fs::create_dir_all(folder).expect("the folder can be made");
        let mut pages: Vec<Vec<(u64, PathBuf)>> = vec![Vec::new(); shards];
        let mut filling: Vec<Page> = (0..shards).map(|shard| Page::new(shard, 0)).collect();
        let mut keep = |shard: usize, page: Page, first: u64| {
            let path = folder.join(format!("{shard}-{first}.json"));
            fs::write(&path, page.end(60_000)).unwrap_or_else(|error| panic!("writing {}: {error}", path.display()));
            pages[shard].push((first, path));
        };
        let mut firsts = vec![0; shards];
        for (number, record) in records.enumerate() {
            let shard = number % shards;
            let page = &mut filling[shard];
            page.push(&record, 1_722_470_400.0);
            if page.bytes >= STORED_PAGE_BYTES {
                let next = page.place;
                let page = std::mem::replace(page, Page::new(shard, next));
                keep(shard, page, std::mem::replace(&mut firsts[shard], next));
            }
        }
        for (shard, page) in filling.into_iter().enumerate().filter(|(_, page)| !page.is_empty()) {
            keep(shard, page, firsts[shard]);
        }
        Stored { pages }
    }
}

impl Shards for Stored {
    fn count(&self) -> usize {
        self.pages.len()
    }

    fn page(&self, shard: usize, place: u64) -> Option<Bytes> {
        let found = self.pages[shard].binary_search_by_key(&place, |(first, _)| *first).ok()?;
        let (_, path) = &self.pages[shard][found];
        Some(fs::read(path).expect("it was written").into())
    }
}
