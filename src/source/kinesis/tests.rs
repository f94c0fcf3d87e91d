use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::fake::Fake;
use super::*;
use crate::decode::{self, Body, Counts, Text};
use crate::logs;
use crate::position::{Checkpoint, Offset};
use crate::source::{Events, queue};

/// A source at work, and what has come of it.
pub(super) struct Work {
    events: Events,
    stop: CancellationToken,
    source: JoinHandle<anyhow::Result<()>>,
    /// Names of the events.
    names: Vec<String>,
    pub reached: Checkpoint,
    /// Until when all that came into each partition was handed over.
    read: BTreeMap<Arc<str>, Timestamp>,
}

fn start(fake: &Fake, settings: Settings, resume: &Checkpoint) -> Work {
    start_at(fake, "kinesis://there", settings, resume)
}

fn start_at(fake: &Fake, stream: &str, settings: Settings, resume: &Checkpoint) -> Work {
    start_trusting(Trust::default(), fake, stream, settings, resume)
}

pub(super) fn start_trusting(trust: Trust, fake: &Fake, stream: &str, settings: Settings, resume: &Checkpoint) -> Work {
    let stop = CancellationToken::new();
    let committed = watch::channel(Arc::default()).1;
    let (feed, events) = queue(decode::Options::default(), Arc::new(resume.clone()), committed, stop.clone());
    let config = Config { stream: Stream::parse(stream).unwrap(), settings };
    let source = tokio::spawn(run_with(config, fake.client.clone(), trust, feed));
    Work { events, stop, source, names: Vec::new(), reached: resume.clone(), read: BTreeMap::new() }
}

fn quick() -> Settings {
    Settings { poll_ms: 0, ..Settings::default() }
}

impl Work {
    /// Takes pieces until so many events have come.
    pub async fn take(&mut self, count: usize) -> Vec<String> {
        while self.names.len() < count {
            self.piece().await;
        }
        assert_eq!(self.names.len(), count, "{:?}", self.names);
        self.names.clone()
    }

    /// Takes pieces until so many rows of these tables have come, no reject, and then nothing more.
    pub async fn take_rows(&mut self, expected: &[(&str, u64)]) {
        let mut counts = Counts::default();
        let come = |counts: &Counts| expected.iter().map(|(table, _)| counts.of_table(table).1).collect::<Vec<_>>();
        let wanted: Vec<u64> = expected.iter().map(|(_, rows)| *rows).collect();
        loop {
            let is_all = come(&counts).iter().zip(&wanted).all(|(come, wanted)| come >= wanted);
            let wait = Duration::from_millis(if is_all { 300 } else { 30_000 });
            let mut piece = match tokio::time::timeout(wait, self.next_piece()).await {
                Ok(piece) => piece,
                Err(_) if is_all => break,
                Err(_) => panic!("{:?} of {wanted:?} came", come(&counts)),
            };
            counts.add(&piece.counts);
            logs::batches(piece.records, &decode::Options::default(), &mut piece.rejects, &mut counts);
            assert!(piece.rejects.is_empty(), "{:?}", piece.rejects[0]);
        }
        assert_eq!(come(&counts), wanted);
    }

    pub async fn until(&mut self, partition: &str, offset: Offset) {
        while self.reached.0.get(partition) != Some(&offset) {
            self.piece().await;
        }
    }

    async fn next_piece(&mut self) -> Piece {
        loop {
            let event = tokio::time::timeout(Duration::from_secs(30), self.events.next()).await;
            match event.expect("something comes in time") {
                Some(Event::Piece(piece)) => return piece,
                Some(Event::Reached { partition, until }) => drop(self.read.insert(partition, until)),
                _ => panic!("the source ended"),
            }
        }
    }

    async fn piece(&mut self) {
        let piece = self.next_piece().await;
        for records in piece.records {
            let Body::Json(json) = records.body else { panic!("the events are JSON") };
            self.names.extend(names_in(&json.text));
        }
        if let Some(position) = piece.position {
            self.reached.advance(position);
        }
        piece.forget.iter().for_each(|name| self.reached.forget(name));
    }

    /// Nothing more comes.
    pub async fn quiet(&mut self) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        while let Ok(event) = self.events.events.try_recv() {
            let Event::Reached { partition, until } = event else { panic!("something came") };
            self.read.insert(partition, until);
        }
    }

    pub async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(5), self.source).await.expect("it stops soon").unwrap().unwrap();
    }
}

/// Names of the events in a text.
pub(super) fn names_in(text: &Text) -> Vec<String> {
    let events = serde_json::Deserializer::from_slice(text.as_slice()).into_iter::<serde_json::Value>();
    events.map(|event| event.unwrap()["eventName"].as_str().unwrap().to_owned()).collect()
}

pub(super) fn names(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

pub(super) fn put(fake: &Fake, shard: &str, range: std::ops::Range<u32>) {
    fake.put(shard, &names(range).iter().map(String::as_str).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_comes_once_and_in_order_whatever_goes_wrong() {
    let fake = Fake::start().await;
    put(&fake, "shardId-0", 0..10);
    fake.stream().empty_pages = 3;
    fake.fault("GetRecords", &["ProvisionedThroughputExceededException", "InternalFailure"]);
    fake.fault("GetShardIterator", &["ProvisionedThroughputExceededException"]);
    let mut work = start(&fake, quick(), &Checkpoint::default());
    assert_eq!(work.take(10).await, names(0..10));
    // the iterators there are expire, at the end of the shard
    fake.stream().expired = 100;
    fake.stream().calls.clear();
    while !fake.stream().calls.iter().any(|call| call.starts_with("GetShardIterator")) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    fake.stream().expired = 0;
    put(&fake, "shardId-0", 10..13);
    assert_eq!(work.take(13).await, names(0..13));
    assert!(fake.stream().calls.contains(&"GetShardIterator AFTER_SEQUENCE_NUMBER 000010".to_owned()));
    work.quiet().await;
    let read: Vec<_> = work.read.iter().map(|(name, until)| (&**name, Timestamp::now().0 - until.0)).collect();
    let [(name, age)] = read[..] else { panic!("there is one shard: {read:?}") };
    assert!(work.reached.0.contains_key(name) && (0..20_000_000).contains(&age), "{name} has nothing more: {age}");
    work.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parents_come_before_children_through_a_split_and_a_merge() {
    for fan_out in [None, Some("weir".to_owned())] {
        let fake = Fake::start().await;
        let half = u128::MAX / 2;
        put(&fake, "shardId-0", 0..2);
        fake.fault("SubscribeToShard", &["ResourceInUseException"]);
        let settings = Settings { fan_out, ..quick() };
        let mut work = start(&fake, settings.clone(), &Checkpoint::default());
        assert_eq!(work.take(2).await, names(0..2));
        put(&fake, "shardId-0", 2..4);
        fake.born("shardId-1", &["shardId-0"], (0, half));
        fake.born("shardId-2", &["shardId-0"], (half + 1, u128::MAX));
        put(&fake, "shardId-1", 4..10);
        fake.born("shardId-3", &["shardId-1", "shardId-2"], (0, u128::MAX));
        put(&fake, "shardId-3", 10..12);
        assert_eq!(work.take(12).await, names(0..12), "{settings:?}");
        let done: Vec<_> = work.reached.0.iter().filter(|(_, offset)| **offset == Offset::End).collect();
        assert_eq!(done.len(), 3, "{done:?}");
        work.end().await;
        let calls = fake.stream().calls.clone();
        let polled = calls.iter().any(|call| call.starts_with("GetRecords"));
        assert_eq!(polled, settings.fan_out.is_none(), "{calls:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_stopped() {
    let fake = Fake::start().await;
    put(&fake, "shardId-0", 0..6);
    let mut work = start(&fake, quick(), &Checkpoint::default());
    work.take(4).await;
    let reached = work.reached.clone();
    work.end().await;
    fake.stream().calls.clear();
    let mut work = start(&fake, quick(), &reached);
    assert_eq!(work.take(2).await, names(4..6));
    work.quiet().await;
    work.end().await;
    assert!(fake.stream().calls.contains(&"GetShardIterator AT_SEQUENCE_NUMBER 000004".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn begun_at_the_end_only_what_is_new_comes_and_of_new_shards_all() {
    let fake = Fake::start().await;
    put(&fake, "shardId-0", 0..3);
    let mut work = start(&fake, Settings { start: Start::Latest, ..quick() }, &Checkpoint::default());
    while !fake.stream().calls.iter().any(|call| call.starts_with("GetRecords")) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    put(&fake, "shardId-0", 3..5);
    work.take(2).await;
    fake.born("shardId-1", &["shardId-0"], (0, u128::MAX));
    put(&fake, "shardId-1", 5..8);
    assert_eq!(work.take(5).await, names(3..8));
    work.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_is_gone_is_told_and_its_child_is_read() {
    let fake = Fake::start().await;
    fake.born("shardId-1", &["shardId-0"], (0, u128::MAX));
    fake.fault("GetShardIterator", &["ResourceNotFoundException"]);
    put(&fake, "shardId-1", 0..2);
    let trimmed = METRICS.kinesis_trimmed.with_label_values(&[] as &[&str]).get();
    let mut work = start(&fake, quick(), &Checkpoint::default());
    work.until("kinesis:111122223333:us-east-1:there@1500/shardId-0", Offset::End).await;
    assert_eq!(work.take(2).await, names(0..2));
    assert!(METRICS.kinesis_trimmed.with_label_values(&[] as &[&str]).get() > trimmed);
    work.end().await;
}

/// What is known of streams, by what positions name them.
fn streams(reached: &Checkpoint) -> Vec<&str> {
    let mut streams: Vec<&str> = reached.0.keys().map(|name| name.split('/').next().unwrap()).collect();
    streams.dedup();
    streams
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_stream_that_is_made_again_while_it_is_read_every_record_comes() {
    for fan_out in [None, Some("weir".to_owned())] {
        let fake = Fake::start().await;
        let mut work = start(&fake, Settings { start: Start::Latest, fan_out, ..quick() }, &Checkpoint::default());
        while !fake.stream().calls.iter().any(|call| call.ends_with("LATEST")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        put(&fake, "shardId-0", 0..3);
        work.take(3).await;
        assert_eq!(streams(&work.reached), ["kinesis:111122223333:us-east-1:there@1500"]);
        let trimmed = METRICS.kinesis_trimmed.with_label_values(&[] as &[&str]).get();
        // the numbers of the new records are those of records that were read
        fake.remade();
        put(&fake, "shardId-0", 3..7);
        assert_eq!(work.take(7).await, names(0..7));
        assert!(METRICS.kinesis_trimmed.with_label_values(&[] as &[&str]).get() > trimmed, "it is told");
        assert_eq!(streams(&work.reached), ["kinesis:111122223333:us-east-1:there@2500"]);
        put(&fake, "shardId-0", 7..8);
        assert_eq!(work.take(8).await, names(0..8));
        work.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_not_there_for_a_while_is_looked_at_before_it_is_read_on() {
    let fake = Fake::start().await;
    put(&fake, "shardId-0", 0..3);
    let mut work = start(&fake, quick(), &Checkpoint::default());
    work.take(3).await;
    // it is gone for two calls of the reader, and then another takes its iterator
    fake.fault("GetRecords", &["ResourceNotFoundException"]);
    fake.fault("DescribeStreamSummary", &["ResourceNotFoundException"]);
    fake.fault("ListShards", &["ResourceNotFoundException"]);
    while !fake.stream().faults["ListShards"].is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    fake.remade();
    fake.stream().expired = 0;
    put(&fake, "shardId-0", 3..8);
    assert_eq!(work.take(8).await, names(0..8));
    assert_eq!(streams(&work.reached), ["kinesis:111122223333:us-east-1:there@2500"]);
    work.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_stream_that_was_made_again_since_it_was_read_every_record_comes() {
    let fake = Fake::start().await;
    put(&fake, "shardId-0", 0..6);
    let mut work = start(&fake, quick(), &Checkpoint::default());
    work.take(6).await;
    let reached = work.reached.clone();
    work.end().await;
    fake.remade();
    put(&fake, "shardId-0", 6..9);
    let settings = Settings { start: Start::Latest, ..quick() };
    let mut work = start(&fake, settings.clone(), &reached);
    assert_eq!(work.take(3).await, names(6..9));
    let reached = work.reached.clone();
    assert_eq!(streams(&reached), ["kinesis:111122223333:us-east-1:there@2500"]);
    work.end().await;
    // and then it goes on as any other
    let mut work = start(&fake, settings, &reached);
    put(&fake, "shardId-0", 9..10);
    assert_eq!(work.take(1).await, names(9..10));
    work.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_is_cut_goes_on_behind_its_last_event() {
    let fake = Fake::start().await;
    put(&fake, "shardId-0", 0..10);
    fake.stream().cut = true;
    let mut work = start(&fake, Settings { fan_out: Some("weir".to_owned()), ..quick() }, &Checkpoint::default());
    assert_eq!(work.take(10).await, names(0..10));
    work.quiet().await;
    work.end().await;
    // two events of four came whole, the third did not
    let calls = fake.stream().calls.clone();
    assert!(calls.contains(&"SubscribeToShard AFTER_SEQUENCE_NUMBER 000008".to_owned()), "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_is_gone_is_registered_again_and_no_shard_is_given_up() {
    let fake = Fake::start().await;
    put(&fake, "shardId-0", 0..2);
    fake.fault("SubscribeToShard", &["ResourceNotFoundException"]);
    // the first is asked for at the start
    fake.fault("DescribeStreamConsumer", &["", "ResourceNotFoundException"]);
    let mut work = start(&fake, Settings { fan_out: Some("weir".to_owned()), ..quick() }, &Checkpoint::default());
    assert_eq!(work.take(2).await, names(0..2));
    assert!(fake.stream().calls.contains(&"RegisterStreamConsumer ".to_owned()));
    work.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_there_is_an_error() {
    let fake = Fake::start().await;
    let work = start_at(&fake, "kinesis://none", quick(), &Checkpoint::default());
    let error = work.source.await.unwrap().unwrap_err();
    assert!(format!("{error:#}").starts_with("describing kinesis://none: "), "{error:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_time_may_mend_at_the_start_is_waited_for_and_what_it_does_not_ends_the_source() {
    let first = ["DescribeStreamSummary", "DescribeStreamConsumer", "ListShards"];
    let settings = || Settings { fan_out: Some("weir".to_owned()), ..quick() };
    let fake = Fake::start().await;
    put(&fake, "shardId-0", 0..2);
    // more than the client tries by itself
    for operation in first {
        fake.fault(
            operation,
            &["LimitExceededException", "InternalFailure", "LimitExceededException", "InternalFailure"],
        );
    }
    let mut work = start(&fake, settings(), &Checkpoint::default());
    assert_eq!(work.take(2).await, names(0..2));
    work.end().await;
    for operation in first {
        fake.fault(operation, &["AccessDeniedException"]);
        let work = start(&fake, settings(), &Checkpoint::default());
        let error = tokio::time::timeout(Duration::from_secs(30), work.source).await.unwrap().unwrap().unwrap_err();
        assert!(format!("{error:#}").contains(&format!("allow kinesis:{operation} to the role")), "{error:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_the_shards_and_a_consumer_is_registered_once() {
    let fake = Fake::start().await;
    let half = u128::MAX / 2;
    fake.stream().shards.clear();
    fake.born("shardId-1", &[], (0, half));
    fake.born("shardId-2", &[], (half + 1, u128::MAX));
    put(&fake, "shardId-1", 0..3);
    put(&fake, "shardId-2", 3..6);
    fake.fault("DescribeStreamConsumer", &["ResourceNotFoundException"]);
    for (share, expected) in [("0/2", 0..3), ("1/2", 3..6)] {
        let share = Share::try_from(share.to_owned()).unwrap();
        let settings = Settings { share, fan_out: Some("weir".to_owned()), ..quick() };
        let mut work = start(&fake, settings, &Checkpoint::default());
        assert_eq!(work.take(3).await, names(expected));
        work.quiet().await;
        work.end().await;
    }
    let registered = fake.stream().calls.iter().filter(|call| call.starts_with("RegisterStreamConsumer")).count();
    assert_eq!(registered, 1);
}

#[test]
fn a_stream_is_named_or_is_an_arn() {
    let arn = "arn:aws-cn:kinesis:cn-north-1:111122223333:stream/a.b-c_1";
    assert_eq!(Stream::parse("kinesis://a.b-c_1"), Some(Stream::Name("a.b-c_1".into())));
    let parsed = Stream::parse(arn).unwrap();
    assert_eq!((parsed.to_string().as_str(), parsed.region()), (arn, Some("cn-north-1")));
    assert_eq!(Stream::parse("kinesis://a").unwrap().region(), None);
    for wrong in [
        "kinesis://",
        "kinesis://a/b",
        "a",
        "arn:aws:kinesis:us-east-1:111122223333:stream/",
        "arn:aws:sqs:us-east-1:111122223333:a",
        "arn:aws:kinesis:us-east-1:111122223333:stream/a/consumer/c:1",
    ] {
        assert_eq!(Stream::parse(wrong), None, "{wrong}");
    }
}
