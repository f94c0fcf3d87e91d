//! The sources of S3 against a server in this process, and what it was asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::fake::{Fake, Fault};
use super::held::Hands;
use super::queue::{Message, Queue};
use super::{Settings, notices};
use crate::aws::Aws;
use crate::decode::Options;
use crate::metrics::METRICS;
use crate::position::{Checkpoint, Offset, Position};
use crate::source::claims::Lost;
use crate::source::own::{Kind, Own};
use crate::source::{self, Event, Events, Source};
use crate::time::Timestamp;
use crate::wait::boottime;

mod bodies;
mod listing;

/// Long enough for everything here on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A source at work, and what is committed of it.
struct Run {
    events: Events,
    committed: watch::Sender<Arc<Checkpoint>>,
    stop: CancellationToken,
    reached: Checkpoint,
}

/// What came until the end, or until nothing more came for a while.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// Text of the records, by partition.
    texts: BTreeMap<String, String>,
    rejects: Vec<String>,
    unreadable: Vec<String>,
    ended: Vec<String>,
    already: usize,
    /// How far the queue was read.
    until: Vec<Timestamp>,
}

impl Run {
    fn start(fake: &Fake, source: Source, resume: Checkpoint) -> Run {
        Run::of(fake, vec![source], resume)
    }

    fn of(fake: &Fake, sources: Vec<Source>, resume: Checkpoint) -> Run {
        let committed = watch::Sender::new(Arc::new(resume.clone()));
        let stop = CancellationToken::new();
        let options = Options::default();
        let events = source::start(
            sources,
            &Aws::of_server(&fake.url),
            &options,
            Arc::new(resume.clone()),
            committed.subscribe(),
            Arc::default(),
            stop.clone(),
        );
        Run { events, committed, stop, reached: resume }
    }

    /// Takes events as the pipeline does; `true` when there are no more.
    async fn take(&mut self, seen: &mut Seen, wait: Duration) -> bool {
        loop {
            let Ok(event) = timeout(wait, self.events.next()).await else { return false };
            match event {
                None => return true,
                Some(Event::AlreadyRead) => seen.already += 1,
                Some(Event::Reached { until, .. }) => seen.until.push(until),
                Some(Event::Unreadable { name, why }) => seen.unreadable.push(format!("{name}: {why}")),
                Some(Event::Ended { name, why }) => seen.ended.push(format!("{name}: {why}")),
                Some(Event::Piece(piece)) => {
                    seen.rejects.extend(piece.rejects.iter().map(|reject| reject.reason.clone()));
                    for records in &piece.records {
                        let partition = piece.position.as_ref().unwrap().partition.rsplit_once('|').unwrap().0;
                        let text = match &records.body {
                            crate::decode::Body::Json(json) => json.text.as_slice(),
                            _ => panic!("the objects here are JSON"),
                        };
                        *seen.texts.entry(partition.to_owned()).or_default() += &String::from_utf8_lossy(text);
                    }
                    if let Some(position) = piece.position {
                        self.reached.advance(position);
                    }
                    for name in &piece.forget {
                        self.reached.forget(name);
                    }
                }
            }
        }
    }

    async fn all(mut self) -> (Seen, Checkpoint) {
        let mut seen = Seen::default();
        assert!(self.take(&mut seen, SOON).await, "it did not end: {seen:?}");
        (seen, self.reached)
    }
}

fn record(id: &str) -> String {
    json!({ "Records": [{ "eventVersion": "1.08", "eventName": id }] }).to_string()
}

const ACCOUNT: &str = "AWSLogs/111122223333/CloudTrail/eu-west-1";

fn trail(day: &str, name: &str) -> String {
    let date = day.replace('/', "");
    format!("{ACCOUNT}/{day}/111122223333_CloudTrail_eu-west-1_{date}T1130Z_{name}.json")
}

#[test]
fn settings_that_nothing_can_be_read_with_are_refused() {
    let read = |text: &str| toml::from_str::<Settings>(text).map_err(|error| error.to_string());
    assert_eq!(read("visibility_seconds = 2\nobjects_at_once = 1").unwrap().visibility_seconds, 2);
    assert_eq!(read("objects_at_once = 1").unwrap().visibility_seconds, 300);
    for (text, why) in [
        ("visibility_seconds = 1", "visibility_seconds is 1, and must be 2 to 43200"),
        ("visibility_seconds = 43201", "visibility_seconds is 43201, and must be 2 to 43200"),
        ("objects_at_once = 0", "objects_at_once is 0, and must be 1 or more"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}

fn notice(keys: &[&str]) -> String {
    let record = |key: &&str| json!({ "eventName": "ObjectCreated:Put", "s3": { "bucket": { "name": "logs" }, "object": { "key": key } } });
    json!({ "Records": keys.iter().map(record).collect::<Vec<_>>() }).to_string()
}

fn queue(until_empty: bool) -> Source {
    let queue = notices::Address::parse("sqs://trail").unwrap();
    Source::Notices(notices::Config { queue, settings: Settings::default(), until_empty, own: Own::default() })
}

/// A queue whose notices are hidden for two seconds at a time.
fn hidden_briefly() -> Source {
    let settings = Settings { visibility_seconds: 2, ..Settings::default() };
    let queue = notices::Address::parse("sqs://trail").unwrap();
    Source::Notices(notices::Config { queue, settings, until_empty: false, own: Own::default() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_is_deleted_when_all_it_names_is_committed_and_not_before() {
    let fake = Fake::start().await;
    for name in ["a", "b", "c"] {
        fake.put("logs", name, record(name));
    }
    fake.send("1", notice(&["a", "b"]));
    fake.send("2", notice(&["c"]));
    fake.send("test", json!({ "Service": "Amazon S3", "Event": "s3:TestEvent" }).to_string());
    // told twice
    fake.send("3", notice(&["a"]));
    let mut run = Run::start(&fake, queue(false), Checkpoint::default());
    let mut seen = Seen::default();
    while run.reached.0.len() < 3 {
        assert!(!run.take(&mut seen, Duration::from_millis(50)).await);
    }
    assert_eq!(fake.world().deleted, ["test#3"]);
    // a commit with some of them
    let mut some = run.reached.clone();
    some.0.retain(|partition, _| !partition.starts_with("s3://logs/b|"));
    run.committed.send_replace(Arc::new(some));
    until(|| fake.world().deleted.len() == 3).await;
    let mut deleted = fake.world().deleted.clone();
    deleted.sort();
    assert_eq!(deleted, ["2#2", "3#4", "test#3"]);
    run.committed.send_replace(Arc::new(run.reached.clone()));
    until(|| fake.world().deleted.len() == 4).await;
    assert!(fake.world().hidden.is_empty());
    assert_eq!(seen.texts.len(), 3);
    assert_eq!(seen.texts["s3://logs/a"].matches("eventName").count(), 1, "read once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_each_notice_that_names_no_version_an_object_is_asked_for() {
    let fake = Fake::start().await;
    fake.put("logs", "a", record("a"));
    // one may be of what replaced it while it was read for the other
    fake.send("1", notice(&["a"]));
    fake.send("2", notice(&["a"]));
    let (seen, _) = Run::start(&fake, queue(true), Checkpoint::default()).all().await;
    assert_eq!(seen.texts["s3://logs/a"].matches("eventName").count(), 1, "what is the same is read once");
    assert_eq!((seen.already, fake.asked("GET logs/a").len()), (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_of_what_is_committed_is_deleted_at_once() {
    let fake = Fake::start().await;
    let old = trail("2024/08/01", "a");
    for key in ["a", &old] {
        fake.put("logs", key, record(key));
    }
    fake.send("1", notice(&["a", &old]));
    let etag = fake.world().objects["logs/a"].1.clone();
    let folded = format!("s3://logs/{ACCOUNT}/|days from 2024-07-30");
    let done = [(format!("s3://logs/a|{etag}").into(), Offset::End), (folded.into(), Offset::at(19_937))];
    let (seen, _) = Run::start(&fake, queue(true), Checkpoint(done.into())).all().await;
    assert_eq!(seen, Seen { already: 2, ..Seen::default() });
    assert_eq!(fake.world().deleted, ["1#1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_bucket_that_we_write_to_what_we_wrote_is_not_read() {
    let fake = Fake::start().await;
    fake.put("logs", "a", record("a"));
    let findings = "weir/findings/2024-08-01/000000000001-0-abc.ndjson";
    fake.send("1", notice(&["w/state.weir"]));
    fake.send("2", notice(&["a", findings]));
    let own = Own::default().with(Kind::State, "logs", "w").with(Kind::Findings, "logs", "weir/findings");
    let Source::Notices(config) = queue(true) else { unreachable!("it is a queue") };
    let source = Source::Notices(notices::Config { own, ..config });
    let (seen, _) = Run::start(&fake, source, Checkpoint::default()).all().await;
    assert_eq!(seen.texts.keys().collect::<Vec<_>>(), ["s3://logs/a"]);
    assert_eq!(fake.world().deleted, ["1#1"], "it waits for no commit");
    assert!(!fake.world().log.iter().any(|asked| asked.contains("state.weir") || asked.contains(findings)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_standard_queue_delivers_again_is_read_once_and_deleted_each_time() {
    let fake = Fake::start().await;
    fake.put("logs", "a", record("a"));
    let message = notice(&["a"]);
    fake.send("1", message.clone());
    let mut run = Run::start(&fake, queue(false), Checkpoint::default());
    let mut seen = Seen::default();
    while run.reached.0.is_empty() {
        assert!(!run.take(&mut seen, Duration::from_millis(50)).await);
    }
    // while it waits for its commit, and long after that
    fake.send("1", message.clone());
    while seen.already < 1 {
        assert!(!run.take(&mut seen, Duration::from_millis(50)).await);
    }
    assert!(fake.world().deleted.is_empty());
    run.committed.send_replace(Arc::new(run.reached.clone()));
    until(|| fake.world().deleted == ["1#1", "1#2"]).await;
    fake.send("1", message.clone());
    until(|| fake.world().deleted == ["1#1", "1#2", "1#3"]).await;
    let texts = |seen: &Seen| seen.texts["s3://logs/a"].clone();
    assert_eq!(texts(&seen), record("a"));
    // another object under the same key is another
    fake.put("logs", "a", record("b"));
    fake.send("1", message);
    while texts(&seen) == record("a") {
        assert!(!run.take(&mut seen, Duration::from_millis(50)).await);
    }
    assert_eq!((texts(&seen), seen.already), (record("a") + &record("b"), 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_itself_an_event_is_read_and_deleted_once_it_is_committed() {
    let fake = Fake::start().await;
    let event = |name: &str| {
        json!({ "detail-type": "AWS API Call via CloudTrail", "source": "aws.iam", "detail": { "eventVersion": "1.08",
            "eventSource": "iam.amazonaws.com", "eventName": name, "eventTime": "2024-08-01T12:00:00Z" } })
        .to_string()
    };
    fake.send("1", event("CreateUser"));
    let mut run = Run::start(&fake, queue(false), Checkpoint::default());
    let mut seen = Seen::default();
    while run.reached.0.is_empty() {
        assert!(!run.take(&mut seen, Duration::from_millis(50)).await);
    }
    assert_eq!(seen.texts, BTreeMap::from([("sqs://1".to_owned(), event("CreateUser"))]));
    assert!(fake.world().deleted.is_empty(), "it is in no commit yet");
    // whoever commits it is asked whether it is still ours
    run.confirm().await.unwrap();
    run.committed.send_replace(Arc::new(run.reached.clone()));
    until(|| fake.world().deleted == ["1#1"]).await;
    // given once more, after a restart too
    fake.send("1", event("CreateUser"));
    until(|| fake.world().deleted == ["1#1", "1#2"]).await;
    let done = run.reached.clone();
    run.stop.cancel();
    assert!(run.take(&mut seen, SOON).await, "the events end");
    drop(run.committed);
    run.events.acknowledged(SOON).await;
    fake.send("1", event("CreateUser"));
    fake.send("2", event("CreateRole"));
    let (seen, done) = Run::start(&fake, queue(true), done).all().await;
    assert_eq!((seen.texts.into_keys().collect::<Vec<_>>(), seen.already), (vec!["sqs://2".to_owned()], 1));
    assert_eq!(done.0.keys().map(|name| name.to_string()).collect::<Vec<_>>(), ["sqs://1|", "sqs://2|"]);
    assert_eq!(fake.world().deleted.last().map(String::as_str), Some("1#3"), "the other waits for a commit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_holds_all_that_may_be_held_asks_for_a_commit() {
    let fake = Fake::start().await;
    let event = json!({ "detail-type": "GuardDuty Finding", "source": "aws.guardduty", "detail": {} }).to_string();
    for number in 0..5_000 {
        fake.send(&number.to_string(), event.clone());
    }
    let mut run = Run::start(&fake, queue(false), Checkpoint::default());
    let mut seen = Seen::default();
    while run.reached.0.len() < 5_000 {
        assert!(!run.take(&mut seen, Duration::from_millis(50)).await);
    }
    until(|| run.events.claims.take_hurry()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fifo_queue_is_read_to_its_end_though_it_gives_nothing_before_a_commit() {
    let fake = Fake::start().await;
    let event = json!({ "detail-type": "GuardDuty Finding", "source": "aws.guardduty", "detail": {} }).to_string();
    for number in 0..25 {
        fake.send(&number.to_string(), event.clone());
    }
    let Source::Notices(config) = queue(true) else { unreachable!("it is a queue") };
    let address = notices::Address::parse("sqs://trail.fifo").unwrap();
    let source = Source::Notices(notices::Config { queue: address, ..config });
    let mut run = Run::start(&fake, source, Checkpoint::default());
    let mut seen = Seen::default();
    // as the pipeline does, it commits when somebody waits for it
    while !run.take(&mut seen, Duration::from_millis(50)).await {
        if run.events.claims.take_hurry() {
            run.committed.send_replace(Arc::new(run.reached.clone()));
        }
    }
    assert_eq!((seen.texts.len(), fake.world().deleted.len()), (25, 25));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_another_may_have_been_given_is_not_committed() {
    let fake = Fake::start().await;
    fake.world().clock = Some(boottime);
    fake.send("1", json!({ "detail-type": "GuardDuty Finding", "source": "aws.guardduty", "detail": {} }).to_string());
    let settings = Settings { visibility_seconds: 2, ..Settings::default() };
    let address = notices::Address::parse("sqs://trail").unwrap();
    let source = Source::Notices(notices::Config { queue: address, settings, until_empty: false, own: Own::default() });
    let mut run = Run::start(&fake, source, Checkpoint::default());
    while run.reached.0.is_empty() {
        assert!(!run.take(&mut Seen::default(), Duration::from_millis(50)).await);
    }
    // SQS cannot be reached for longer than the message is hidden
    fake.fault("ChangeMessageVisibilityBatch", vec![Fault::Refuse(500, "InternalFailure", "no"); 1000]);
    until(|| fake.asked("ChangeMessageVisibilityBatch").len() >= 2).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let Err(Lost::Shown(name)) = run.confirm().await else { panic!("another may have it") };
    assert_eq!(name, "sqs://1");
}

async fn until(mut holds: impl FnMut() -> bool) {
    let waited = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, waited).await.expect("it comes soon");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_the_last_commit_is_acknowledged_and_the_rest_given_back() {
    let fake = Fake::start().await;
    for name in ["a", "b"] {
        fake.put("logs", name, record(name));
    }
    fake.fault("logs/b", [Fault::Stall(0)]);
    fake.send("1", notice(&["a"]));
    fake.send("2", notice(&["b"]));
    let mut run = Run::start(&fake, queue(false), Checkpoint::default());
    let mut seen = Seen::default();
    while run.reached.0.is_empty() || fake.asked("GET logs/b").is_empty() {
        assert!(!run.take(&mut seen, Duration::from_millis(50)).await);
    }
    run.stop.cancel();
    assert!(run.take(&mut seen, SOON).await, "the events end");
    assert!(fake.world().deleted.is_empty());
    run.committed.send_replace(Arc::new(run.reached.clone()));
    drop(run.committed);
    run.events.acknowledged(SOON).await;
    assert_eq!(fake.world().deleted, ["1#1"]);
    assert_eq!(fake.world().hidden, BTreeMap::from([("2#2".to_owned(), 0)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_what_the_queue_is_about_to_give_goes_back() {
    let fake = Fake::start().await;
    fake.send("1", notice(&["a"]));
    fake.fault("ReceiveMessage", [Fault::Stall(300)]);
    let mut run = Run::start(&fake, queue(false), Checkpoint::default());
    until(|| !fake.world().hidden.is_empty()).await;
    run.stop.cancel();
    assert!(run.take(&mut Seen::default(), SOON).await, "the events end");
    drop(run.committed);
    run.events.acknowledged(SOON).await;
    assert_eq!(fake.world().hidden, BTreeMap::from([("1#1".to_owned(), 0)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_a_queue_that_does_not_answer_is_not_waited_for() {
    let fake = Fake::start().await;
    fake.put("logs", "a", record("a"));
    fake.send("1", notice(&["a"]));
    fake.fault("DeleteMessageBatch", [Fault::Stall(40_000), Fault::Stall(40_000)]);
    // so short that it is due again by the time that the first call is given up
    let mut run = Run::start(&fake, hidden_briefly(), Checkpoint::default());
    let mut seen = Seen::default();
    while run.reached.0.is_empty() {
        assert!(!run.take(&mut seen, Duration::from_millis(50)).await);
    }
    run.committed.send_replace(Arc::new(run.reached.clone()));
    until(|| !fake.asked("DeleteMessageBatch").is_empty()).await;
    run.stop.cancel();
    // AWS's client waits for half a minute, and then asks again
    assert!(run.take(&mut seen, Duration::from_secs(15)).await, "the events end");
    assert_eq!(fake.asked("DeleteMessageBatch").len(), 1);
    drop(run.committed);
    run.events.acknowledged(SOON).await;
    assert_eq!(fake.asked("DeleteMessageBatch").len(), 3, "it is deleted once more, to be sure");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_a_notice_stays_hidden_until_the_last_commit() {
    let fake = Fake::start().await;
    fake.put("logs", "a", record("a"));
    fake.send("1", notice(&["a"]));
    let mut run = Run::start(&fake, hidden_briefly(), Checkpoint::default());
    let mut seen = Seen::default();
    while run.reached.0.is_empty() {
        assert!(!run.take(&mut seen, Duration::from_millis(50)).await);
    }
    run.stop.cancel();
    assert!(run.take(&mut seen, SOON).await, "the events end");
    // of the one notice; again and again for as long as the commit takes
    let hidden = || fake.asked("ChangeMessageVisibilityBatch 1").len();
    let before = hidden();
    until(|| hidden() >= before + 2).await;
    assert_eq!(fake.world().hidden, BTreeMap::from([("1#1".to_owned(), 2)]));
    assert!(fake.world().deleted.is_empty());
    run.committed.send_replace(Arc::new(run.reached.clone()));
    drop(run.committed);
    run.events.acknowledged(SOON).await;
    assert_eq!(fake.world().deleted, ["1#1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_left_to_the_redrive_with_its_reason() {
    let fake = Fake::start().await;
    fake.put("logs", "late", record("late"));
    fake.fault("logs/late", vec![Fault::Refuse(503, "SlowDown", "Please reduce your request rate."); 99]);
    fake.send("1", "no notice");
    fake.send("2", notice(&["gone"]));
    fake.send("2", notice(&["gone"]));
    let mut run = Run::start(&fake, queue(false), Checkpoint::default());
    let mut seen = Seen::default();
    until_hidden(&fake, &mut run, &mut seen, 3).await;
    let gone = "s3://logs/gone: there is no such object: it was deleted, or never there";
    seen.rejects.sort();
    assert_eq!(seen.rejects.len(), 2, "each once: {:?}", seen.rejects);
    assert!(seen.rejects[0].starts_with("not JSON: "), "{:?}", seen.rejects);
    assert_eq!(seen.rejects[1], gone);
    assert_eq!(seen.unreadable, [gone]);
    assert!(fake.world().deleted.is_empty());
    // what may pass is no poison: it comes back, and nothing is told
    fake.send("4", notice(&["late"]));
    until_hidden(&fake, &mut run, &mut seen, 4).await;
    assert_eq!((seen.rejects.len(), seen.unreadable.len()), (2, 1));
}

/// Until so many messages were given back for half a minute.
async fn until_hidden(fake: &Fake, run: &mut Run, seen: &mut Seen, count: usize) {
    for _ in 0..1000 {
        run.take(seen, Duration::from_millis(20)).await;
        if fake.world().hidden.values().filter(|seconds| **seconds == 30).count() == count {
            return;
        }
    }
    panic!("{:?}", fake.world().hidden);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_is_hidden_for_longer_while_its_objects_are_read_and_wait_for_the_commit() {
    let fake = Fake::start().await;
    for name in ["read", "slow"] {
        fake.put("logs", name, record(name));
        fake.send(name, notice(&[name]));
    }
    fake.fault("logs/slow", [Fault::Stall(0)]);
    let mut run = Run::start(&fake, hidden_briefly(), Checkpoint::default());
    let mut seen = Seen::default();
    let begun = std::time::Instant::now();
    // longer than three times that for which they were hidden at first
    while begun.elapsed() < Duration::from_secs(7) {
        run.take(&mut seen, Duration::from_millis(50)).await;
    }
    assert_eq!(seen.texts.len(), 1, "one is read and not committed, the other still comes");
    let (longer, world) = (fake.asked("ChangeMessageVisibilityBatch 2").len(), fake.world());
    assert!(longer >= 3, "{longer} times in seven seconds: {:?}", world.log);
    assert!(world.deleted.is_empty() && world.hidden.values().all(|seconds| *seconds == 2), "{:?}", world.hidden);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_stays_hidden_while_the_pipeline_takes_nothing() {
    let fake = Fake::start().await;
    fake.put("logs", "slow", record("slow"));
    fake.fault("logs/slow", [Fault::Stall(0)]);
    fake.send("slow", notice(&["slow"]));
    // more reasons than the queue to the pipeline holds
    for number in 0..100 {
        fake.send(&format!("poison-{number}"), "no notice");
    }
    let run = Run::start(&fake, hidden_briefly(), Checkpoint::default());
    let hidden = || fake.asked("ChangeMessageVisibilityBatch").len();
    until(|| hidden() >= 64).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = hidden();
    assert!(before < 90, "the pipeline's queue is full long before");
    until(|| hidden() >= before + 3).await;
    drop(run);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_is_read_as_far_as_the_oldest_notice_whose_objects_are_not() {
    let fake = Fake::start().await;
    let minute = |minute: i64| 1_722_500_000_000 + minute * 60_000;
    let told = |at| Timestamp(minute(at) * 1000);
    for (number, name) in ["a", "b"].into_iter().enumerate() {
        fake.put("logs", name, record(name));
        fake.send(name, notice(&[name]));
        fake.world().sent.insert(name.to_owned(), minute(number as i64));
    }
    fake.fault("logs/b", [Fault::Stall(0)]);
    let mut run = Run::start(&fake, queue(false), Checkpoint::default());
    let mut seen = Seen::default();
    for _ in 0..200 {
        assert!(!run.take(&mut seen, Duration::from_millis(50)).await);
        if seen.until.len() >= 2 {
            break;
        }
    }
    assert_eq!(seen.until[..2], [told(0), told(1)], "neither is read, then the first is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_has_nothing_is_read_until_now() {
    let fake = Fake::start().await;
    let mut run = Run::start(&fake, queue(false), Checkpoint::default());
    let mut seen = Seen::default();
    for _ in 0..200 {
        assert!(!run.take(&mut seen, Duration::from_millis(50)).await);
        if !seen.until.is_empty() {
            break;
        }
    }
    let age = Timestamp::now().0 - seen.until[0].0;
    assert!((0..20_000_000).contains(&age), "{age}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_may_not_be_received_from_ends_the_source() {
    let fake = Fake::start().await;
    fake.fault("ReceiveMessage", [Fault::Refuse(403, "AccessDeniedException", "")]);
    let failed = METRICS.notices_answers.with_label_values(&["failed"]);
    let before = failed.get();
    let (seen, _) = Run::start(&fake, queue(false), Checkpoint::default()).all().await;
    let why = "receiving: access denied: allow sqs:ReceiveMessage to the role Weir runs as, and look at the policy of the resource";
    assert_eq!(seen.ended, [format!("sqs://trail: {why}")]);
    assert!(failed.get() > before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_empty_ends_a_run_that_does_not_follow() {
    let fake = Fake::start().await;
    for number in 0..25 {
        fake.put("logs", &format!("{number}"), record(&format!("r{number}")));
        fake.send(&format!("{number}"), notice(&[&format!("{number}")]));
    }
    let mut run = Run::start(&fake, queue(true), Checkpoint::default());
    let mut seen = Seen::default();
    assert!(run.take(&mut seen, SOON).await);
    assert_eq!(seen.texts.len(), 25);
    run.committed.send_replace(Arc::new(run.reached.clone()));
    drop(run.committed);
    run.events.acknowledged(SOON).await;
    assert_eq!(fake.world().deleted.len(), 25);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_two_queues_tell_of_is_read_once() {
    let fake = Fake::start().await;
    fake.put("logs", "a", record("a"));
    // the first waits at its beginning while the others are told of it
    fake.fault("logs/a", [Fault::Cut(0)]);
    let second = notices::Address::parse("sqs://other").unwrap();
    let second =
        notices::Config { queue: second, settings: Settings::default(), until_empty: false, own: Own::default() };
    let mut run = Run::of(&fake, vec![queue(false), Source::Notices(second)], Checkpoint::default());
    let mut seen = Seen::default();
    // each goes to one of them
    for number in 0..16 {
        fake.send(&format!("{number}"), notice(&["a"]));
        assert!(!run.take(&mut seen, Duration::from_millis(30)).await, "{seen:?}");
    }
    until(|| fake.world().messages.is_empty()).await;
    while seen.texts.is_empty() {
        assert!(!run.take(&mut seen, Duration::from_millis(50)).await, "{seen:?}");
    }
    assert!(!run.take(&mut seen, Duration::from_millis(500)).await, "{seen:?}");
    assert_eq!(seen.texts, BTreeMap::from([("s3://logs/a".to_owned(), record("a"))]), "once");
    run.committed.send_replace(Arc::new(run.reached.clone()));
    until(|| fake.world().deleted.len() == 16).await;
}

/// A queue whose notices are hidden for two seconds at a time, by the clock.
async fn hiding_for_two_seconds(fake: &Fake) -> Run {
    fake.world().clock = Some(boottime);
    fake.put("logs", "a", record("a"));
    fake.send("1", notice(&["a"]));
    let mut run = Run::start(fake, hidden_briefly(), Checkpoint::default());
    let mut seen = Seen::default();
    while run.reached.0.is_empty() {
        assert!(!run.take(&mut seen, Duration::from_millis(50)).await);
    }
    run
}

impl Run {
    /// Asks whether what was read may be committed, as the pipeline does.
    async fn confirm(&self) -> Result<(), Lost> {
        let reached = self.reached.0.iter();
        let moved =
            reached.map(|(partition, offset)| Position { partition: partition.clone(), offset: offset.clone() });
        let permit = self.events.claims.permit("w", moved.collect());
        assert_eq!(permit.note(), None, "no table says whether it stands");
        tokio::task::spawn_blocking(move || permit.confirm()).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_queue_told_of_is_committed_only_while_it_is_hidden() {
    let fake = Fake::start().await;
    let mut run = hiding_for_two_seconds(&fake).await;
    run.confirm().await.unwrap();
    // SQS cannot be reached for longer than that
    fake.fault("ChangeMessageVisibilityBatch", vec![Fault::Refuse(500, "InternalFailure", "no"); 1000]);
    until(|| fake.asked("ChangeMessageVisibilityBatch").len() >= 2).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let Err(Lost::Shown(name)) = run.confirm().await else { panic!("another may have it") };
    assert_eq!(name, "s3://logs/a");
    // it is given to us again, and that says nothing of who had it meanwhile
    fake.fault("ChangeMessageVisibilityBatch", []);
    let mut seen = Seen::default();
    while seen.already == 0 {
        assert!(!run.take(&mut seen, Duration::from_millis(50)).await);
    }
    assert!(matches!(run.confirm().await, Err(Lost::Shown(_))));
    // what somebody else reads
    let other = [Position { partition: "s3://logs/other|e".into(), offset: Offset::End }];
    let permit = run.events.claims.permit("w", other.into());
    tokio::task::spawn_blocking(move || permit.confirm()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_room_answers_all_the_same() {
    let fake = Fake::start().await;
    let run = hiding_for_two_seconds(&fake).await;
    // more reasons than the queue to the pipeline holds, which takes nothing while it waits for an answer
    for number in 0..100 {
        fake.send(&format!("poison-{number}"), "no notice");
    }
    until(|| fake.asked("ChangeMessageVisibilityBatch").len() >= 64).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    timeout(SOON, run.confirm()).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_another_may_have_been_given_is_not_given_back() {
    let fake = Fake::start().await;
    let address = notices::Address::parse("sqs://trail").unwrap();
    let queue = Queue::find(&Aws::of_server(&fake.url), &address).await.unwrap();
    let hidden = Duration::from_secs(60);
    for (ago, given_back) in [(Duration::ZERO, 1), (hidden, 0)] {
        fake.world().log.clear();
        let mut hands = Hands::new(queue.clone(), hidden);
        let (id, handle) = ("1".to_owned(), "1#1".to_owned());
        let message = Message { id, handle, body: String::new(), receives: 1, sent: None };
        hands.take(message, vec!["s3://logs/a".to_owned()], boottime() - ago);
        hands.let_go(&Checkpoint::default(), 1).await;
        assert_eq!(fake.asked("ChangeMessageVisibilityBatch 1").len(), given_back, "{ago:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_that_could_not_be_deleted_stays_hidden_until_it_is() {
    let fake = Fake::start().await;
    let run = hiding_for_two_seconds(&fake).await;
    // more tries than the client makes by itself
    fake.fault("DeleteMessageBatch", vec![Fault::Refuse(500, "InternalFailure", "no"); 8]);
    run.committed.send_replace(Arc::new(run.reached.clone()));
    until(|| !fake.world().deleted.is_empty()).await;
    let world = fake.world();
    assert_eq!(world.deleted, ["1#1"], "nobody was given it meanwhile");
    assert!(world.messages.is_empty() && world.hidden.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_cannot_be_asked_at_the_start_is_waited_for_and_one_that_is_not_there_is_not() {
    let fake = Fake::start().await;
    fake.put("logs", "a", record("a"));
    fake.send("1", notice(&["a"]));
    // more tries than the client makes by itself
    let mut faults = vec![Fault::Refuse(500, "InternalFailure", "no"); 4];
    // as a proxy says it
    faults.push(Fault::Refuse(403, "", ""));
    fake.fault("GetQueueUrl", faults);
    fake.fault("ReceiveMessage", [Fault::Refuse(403, "", "")]);
    let mut run = Run::start(&fake, queue(false), Checkpoint::default());
    let mut seen = Seen::default();
    while run.reached.0.is_empty() {
        assert!(!run.take(&mut seen, Duration::from_millis(50)).await, "{seen:?}");
    }
    assert!(seen.ended.is_empty());
    fake.fault("GetQueueUrl", [Fault::Refuse(400, "QueueDoesNotExist", "There is no such queue.")]);
    let (seen, _) = Run::start(&fake, queue(false), Checkpoint::default()).all().await;
    assert!(seen.ended[0].starts_with("sqs://trail: there is no such thing, or it is gone"), "{seen:?}");
}
