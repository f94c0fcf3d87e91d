//! Enhanced fan-out against a server that speaks TLS and HTTP/2, as AWS does.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use aws_sdk_kinesis::operation::subscribe_to_shard::SubscribeToShardOutput;
use aws_sdk_kinesis::types::{ShardIteratorType, StartingPosition, SubscribeToShardEventStream};

use super::super::fake_h2::{Cut, Secure};
use super::super::tests::{Work, names, put, start_trusting};
use super::super::{Config, Readers, Settings, Stream};
use super::*;
use crate::decode;
use crate::decode::kpl::{self, HashRange};
use crate::position::Checkpoint;
use crate::source::shards::ReadFrom;
use crate::source::{Events, queue};

/// A subscription at most every 250 ms.
fn settings() -> Settings {
    Settings { fan_out: Some("weir".to_owned()), poll_ms: 50, ..Settings::default() }
}

fn start(server: &Secure) -> Work {
    start_trusting(server.trust.clone(), &server.fake, "kinesis://there", settings(), &Checkpoint::default())
}

/// So many shards, each with 4 events a number of its own begins.
async fn with_shards(streams_max: u32, count: u32) -> Secure {
    let server = Secure::start(streams_max).await;
    server.fake.stream().shards.clear();
    let part = u128::MAX / u128::from(count);
    for number in 0..count {
        let id = format!("shardId-{number:03}");
        let first = u128::from(number) * part;
        server.fake.born(&id, &[], (first, first + part - 1));
        put(&server.fake, &id, 4 * number..4 * number + 4);
    }
    server
}

/// Those that have carried subscriptions.
fn connections(server: &Secure) -> BTreeSet<usize> {
    server.wire().subscribed.iter().map(|(connection, _)| *connection).collect()
}

/// Of CloudTrail in lines, as many as go into these bytes; to the last byte.
fn lines_of(bytes: usize) -> (Vec<u8>, u64) {
    let event =
        |padding: &str| format!("{{\"eventVersion\":\"1.08\",\"eventName\":\"A\",\"requestID\":\"{padding}\"}}\n");
    let line = event(&"x".repeat(200));
    let mut data = line.repeat(bytes / line.len() - 1).into_bytes();
    let last = event("");
    data.extend(event(&"x".repeat(bytes - data.len() - last.len())).into_bytes());
    let count = bytes / line.len();
    assert_eq!(data.len(), bytes);
    (data, count as u64)
}

/// Flow logs of a subscription of CloudWatch Logs, in gzip that makes nothing smaller.
fn subscription_of(bytes: usize) -> (Vec<u8>, u64) {
    let event = r#"{"id":"1","timestamp":1722511800000,"message":"2 111122223333 eni-1 10.0.0.1 10.0.0.2 443 1153 6 1 40 1722511800 1722511860 ACCEPT OK"}"#;
    let (head, tail) = (
        r#"{"messageType":"DATA_MESSAGE","owner":"111122223333","logGroup":"g","logStream":"s","subscriptionFilters":["f"],"logEvents":["#,
        "]}",
    );
    let count = (bytes - 20_000) / (event.len() + 1);
    let text = format!("{head}{}{tail}", vec![event; count].join(","));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(text.as_bytes()).unwrap();
    let data = encoder.finish().unwrap();
    assert!((bytes - 40_000..=bytes).contains(&data.len()), "{}", data.len());
    (data, count as u64)
}

#[tokio::test(flavor = "multi_thread")]
async fn records_and_pages_of_ten_mebibytes_are_read_whole_polled_and_subscribed_to() {
    // its partition key counts too
    let largest = kpl::BYTES_MAX - 1;
    let ((lines, events), (packed, flows)) = (lines_of(largest), subscription_of(largest));
    let (quarter, events_of_quarter) = lines_of(kpl::BYTES_MAX / 4 - 1);
    for fan_out in [None, Some("weir".to_owned())] {
        let server = with_shards(100, 3).await;
        server.fake.stream().shards.values_mut().for_each(|shard| shard.records.clear());
        server.fake.put_data("shardId-000", lines.clone());
        server.fake.put_data("shardId-001", packed.clone());
        (0..4).for_each(|_| server.fake.put_data("shardId-002", quarter.clone()));
        let settings = Settings { fan_out, ..settings() };
        let (fake, trust) = (&server.fake, server.trust.clone());
        let mut work = start_trusting(trust, fake, "kinesis://there", settings, &Checkpoint::default());
        let expected = [("cloudtrail", events + 4 * events_of_quarter), ("vpc_flow", flows)];
        work.take_rows(&expected).await;
        work.end().await;
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_by_key(|name| name.parse::<u32>().unwrap());
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn more_shards_than_a_connection_has_streams_are_all_read_over_http_2() {
    let server = with_shards(3, 10).await;
    let mut work = start(&server);
    assert_eq!(sorted(work.take(40).await), names(0..40));
    // other calls are answered beside them
    put(&server.fake, "shardId-009", 40..44);
    assert_eq!(sorted(work.take(44).await), names(0..44));
    {
        let wire = server.wire();
        assert!(wire.protocols.iter().all(|protocol| protocol == "h2"), "{:?}", wire.protocols);
        assert!((1..=SUBSCRIPTIONS_MAX).contains(&wire.open_max), "{:?}", wire.open);
        assert_eq!(wire.subscribed.len(), 10, "{:?}", wire.subscribed);
        // the first connection carries the other calls
        assert!(wire.subscribed.iter().all(|(connection, _)| *connection > 0), "{:?}", wire.subscribed);
    }
    work.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_cuts_a_subscription_nothing_is_lost_or_comes_twice() {
    for cut in [
        Cut::Reset,
        Cut::Away,
        Cut::Graceful,
        Cut::Over,
        Cut::Exception("InternalFailureException"),
        Cut::Exception("KMSThrottlingException"),
        Cut::Exception("KMSAccessDeniedException"),
    ] {
        let server = with_shards(100, 2).await;
        let mut work = start(&server);
        work.take(8).await;
        let before = connections(&server);
        server.wire().cuts.push_back(cut);
        server.fake.stream().calls.clear();
        put(&server.fake, "shardId-000", 8..18);
        put(&server.fake, "shardId-001", 18..28);
        assert_eq!(sorted(work.take(28).await), names(0..28), "{cut:?}");
        work.quiet().await;
        let calls = server.fake.stream().calls.clone();
        assert!(
            calls.iter().any(|call| call.starts_with("SubscribeToShard AFTER_SEQUENCE_NUMBER")),
            "{cut:?}: {calls:?}"
        );
        // where both shards came to have a connection each, the one that is left has room for both
        let (is_new, is_closed) = (connections(&server) != before, matches!(cut, Cut::Away | Cut::Graceful));
        assert!(is_new == is_closed || is_closed && before.len() > 1, "{cut:?}: {before:?}");
        work.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_that_end_at_once_are_not_made_again_too_soon() {
    let server = Secure::start(100).await;
    server.wire().in_use = Duration::from_millis(250);
    server.wire().cuts.extend([Cut::Over; 4]);
    put(&server.fake, "shardId-0", 0..4);
    let mut work = start(&server);
    assert_eq!(work.take(4).await, names(0..4));
    assert_eq!(server.wire().refused, 0);
    assert_eq!(server.wire().subscribed.len(), 5);
    // somebody else had it: it is tried until it is free
    server.wire().in_use = Duration::from_millis(700);
    server.wire().cuts.push_back(Cut::Over);
    put(&server.fake, "shardId-0", 4..8);
    assert_eq!(work.take(8).await, names(0..8));
    assert!(server.wire().refused > 0);
    work.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn children_come_after_parents_over_http_2() {
    let server = Secure::start(100).await;
    let half = u128::MAX / 2;
    put(&server.fake, "shardId-0", 0..2);
    let mut work = start(&server);
    assert_eq!(work.take(2).await, names(0..2));
    put(&server.fake, "shardId-0", 2..4);
    server.fake.born("shardId-1", &["shardId-0"], (0, half));
    server.fake.born("shardId-2", &["shardId-0"], (half + 1, u128::MAX));
    put(&server.fake, "shardId-1", 4..10);
    server.fake.born("shardId-3", &["shardId-1", "shardId-2"], (0, u128::MAX));
    put(&server.fake, "shardId-3", 10..12);
    assert_eq!(work.take(12).await, names(0..12));
    work.end().await;
}

type Subscription = SubscribeToShardOutput;

/// One subscription for each of these, to a shard of its own with 8 MiB, of which nothing is read.
async fn unread(server: &Secure, clients: &[Arc<Client>]) -> Vec<Subscription> {
    for shard in server.fake.stream().shards.values_mut() {
        shard.records = (0..8).map(|number| (format!("{number:06}"), vec![b'x'; 1 << 20])).collect();
    }
    let mut subscriptions = Vec::new();
    for (number, client) in clients.iter().enumerate() {
        subscriptions.push(subscribe(client, number).await);
        // its window is full
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(server.wire().open, [(0, clients.len())].into());
    subscriptions
}

async fn subscribe(client: &Client, number: usize) -> Subscription {
    let from = StartingPosition::builder().r#type(ShardIteratorType::TrimHorizon).build().unwrap();
    let ask = client.subscribe_to_shard().consumer_arn("arn:consumer:0").shard_id(format!("shardId-{number:03}"));
    ask.starting_position(from).send().await.unwrap()
}

async fn read_all(subscription: &mut Subscription) {
    let mut records = 0;
    while records < 8 {
        let event = subscription.event_stream.recv().await.unwrap();
        let Some(SubscribeToShardEventStream::SubscribeToShardEvent(event)) = event else { panic!("no event") };
        records += event.records.len();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_holds_up_nobody_on_the_same_connection() {
    let server = with_shards(100, u32::try_from(SUBSCRIPTIONS_MAX).unwrap()).await;
    let lanes = Lanes::new(server.trust.clone());
    let mut clients = Vec::new();
    for _ in 0..SUBSCRIPTIONS_MAX {
        clients.push(lanes.lane(&server.fake.client));
    }
    let mut subscriptions = unread(&server, &clients).await;
    let last = read_all(subscriptions.last_mut().unwrap());
    timeout(Duration::from_secs(30), last).await.expect("it is not held up");
    // the connection is full
    assert!(!Arc::ptr_eq(&lanes.lane(&server.fake.client), &clients[0]));
}

/// Why no more than [`SUBSCRIPTIONS_MAX`] share a connection.
#[tokio::test(flavor = "multi_thread")]
async fn three_that_do_not_read_would_hold_up_a_fourth() {
    let server = with_shards(100, 4).await;
    let client = Arc::new(server.fake.client.clone());
    let _three = unread(&server, &vec![client.clone(); 3]).await;
    let fourth = subscribe(&client, 3);
    assert!(timeout(Duration::from_secs(3), fourth).await.is_err(), "the windows of the client have grown");
}

#[tokio::test]
async fn a_connection_that_is_dead_is_given_to_nobody_more() {
    let server = Secure::start(100).await;
    let lanes = Lanes::new(server.trust.clone());
    let dead = lanes.lane(&server.fake.client);
    let other = lanes.replace(&dead, &server.fake.client);
    assert!(!Arc::ptr_eq(&dead, &other));
    assert!(Arc::ptr_eq(&lanes.lane(&server.fake.client), &other));
}

/// The reader of one shard, and what it hands on.
async fn reader(server: &Secure, stop: CancellationToken) -> (Readers, Events) {
    let committed = tokio::sync::watch::channel(Arc::default()).1;
    let (feed, events) = queue(decode::Options::default(), Arc::default(), committed, stop.clone());
    let config = Config { stream: Stream::parse("kinesis://there").unwrap(), settings: settings() };
    let told = stream::describe(&server.fake.client, &config.stream).await.unwrap();
    let (client, trust) = (server.fake.client.clone(), server.trust.clone());
    let mut readers = Readers::new(config, client, trust, feed, told, usize::MAX).await.unwrap();
    let due = Due {
        shard: "shardId-000".into(),
        range: HashRange { first: 0, last: u128::MAX },
        ancestors: Vec::new(),
        partition: "p".into(),
        from: ReadFrom::TrimHorizon,
    };
    readers.begin(due, stop);
    (readers, events)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_is_left_to_another_worker_is_no_longer_behind() {
    let server = with_shards(100, 1).await;
    let stop = CancellationToken::new();
    let (mut readers, mut events) = reader(&server, stop.clone()).await;
    events.next().await.unwrap();
    assert_eq!(readers.shared.behind.lock().unwrap().len(), 1);
    stop.cancel();
    let (_, ended) = readers.tasks.join_next().await.unwrap().unwrap();
    assert!(matches!(ended, Ended::Stopped));
    assert!(readers.shared.behind.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_keeps_nobody_from_stopping() {
    let server = with_shards(100, 1).await;
    server.wire().mute = true;
    let stop = CancellationToken::new();
    let (mut readers, _events) = reader(&server, stop.clone()).await;
    while server.wire().subscribed.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    let ended = timeout(Duration::from_secs(10), readers.tasks.join_next()).await.expect("it stops");
    assert!(matches!(ended.unwrap().unwrap().1, Ended::Stopped));
}
