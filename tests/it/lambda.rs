//! The program as a function of AWS Lambda: what it is called with, what it sends and writes, and which items it answers
//! with. `deploy.rs` has the stack.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use aws_smithy_types::base64;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::hub::{self, ACCESS_KEY, HOME, Hub, SECRET};
use crate::out_fake::{self, Way};
use crate::runtime_fake::{Answer, Function};
use crate::s3_fake::{Fake, Fault};
use crate::security_hub::create_user;
use crate::support::{few, lines, repository, text, weir};

const ATTACK: &str = "tests/data/cloudtrail/stratus/aws.persistence.iam-create-admin-user.json.gz";
const TITLE: &str = "Administrator policy was attached to a user";
const RULE: &str = "cloudtrail/admin_policy_attached";

/// A function with a bus and a bucket.
struct Stage {
    folder: tempfile::TempDir,
    s3: Fake,
    bus: out_fake::Fake,
}

impl Stage {
    async fn new(config: &str) -> Stage {
        let stage =
            Stage { folder: tempfile::tempdir().unwrap(), s3: Fake::start().await, bus: out_fake::Fake::start() };
        let config = format!("rules = '{}'\n{config}\n[aws.s3]\nforce_path_style = true\n", few());
        fs::write(stage.folder.path().join("weir.toml"), config).unwrap();
        stage
    }

    fn start(&self, more: &[(&str, &str)]) -> Function {
        let variables = [
            ("AWS_ENDPOINT_URL_S3", self.s3.url.as_str()),
            ("AWS_ENDPOINT_URL_EVENTBRIDGE", self.bus.url.as_str()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
        ];
        Function::start(self.folder.path(), &[&variables[..], more].concat())
    }

    /// The objects of a bucket, by key.
    fn objects(&self, bucket: &str) -> BTreeMap<String, Bytes> {
        let of_bucket = |(name, (content, _)): (&String, &(Bytes, String))| {
            Some((name.strip_prefix(&format!("{bucket}/"))?.to_owned(), content.clone()))
        };
        self.s3.world().objects.iter().filter_map(of_bucket).collect()
    }

    /// Rows of a table of the archive below a prefix, by a copy of it.
    fn rows(&self, table: &str) -> Vec<Value> {
        let copy = tempfile::tempdir().unwrap();
        for (key, content) in self.objects("archive") {
            let Some(key) = key.strip_prefix("weir/") else { continue };
            let path = copy.path().join(key);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let query = format!("SELECT * FROM {table}");
        let output = weir(&["sql", &query, "--archive", ".", "--format", "ndjson"], copy.path());
        assert!(output.status.success(), "{}", text(&output.stderr));
        lines(&output.stdout)
    }

    /// The ids of the findings that the bus has taken, and how often.
    fn taken(&self) -> BTreeMap<String, usize> {
        let arrived = self.bus.seen().arrived(Way::EventBridge);
        arrived.into_iter().map(|(id, forms)| (id, forms.len())).collect()
    }

    fn rules_taken(&self) -> BTreeSet<String> {
        let seen = self.bus.seen();
        let taken = seen.taken.get(&Way::EventBridge).into_iter().flatten();
        taken.map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
    }
}

const KEPT: &str = "[sink.event_bridge]\nbus = 'findings'\n[archive]\ndir = 's3://archive/weir'\n";

fn failures(ids: &[&str]) -> Answer {
    let failures: Vec<Value> = ids.iter().map(|id| json!({ "itemIdentifier": id })).collect();
    Answer::Response(json!({ "batchItemFailures": failures }))
}

/// The calls of the recording: the user is made, gets a key, and becomes an administrator.
fn calls() -> [Value; 3] {
    let mut text = String::new();
    let packed = fs::File::open(repository(ATTACK)).unwrap();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed), &mut text).unwrap();
    let log: Value = serde_json::from_str(&text).unwrap();
    ["CreateUser", "CreateAccessKey", "AttachUserPolicy"].map(|name| {
        let records = log["Records"].as_array().unwrap();
        records.iter().find(|record| record["eventName"] == name).unwrap().clone()
    })
}

fn gzip(content: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(content.as_bytes()).unwrap();
    packed.finish().unwrap()
}

/// The sequence number of a record, as long as AWS's are.
fn number(place: usize) -> String {
    format!("495903382714902566085596925383615710959215759891365{place:05}")
}

/// An event of the source mapping for a stream, whose first record has this place.
fn stream(first: usize, data: &[Vec<u8>]) -> Value {
    let record = |(place, data): (usize, &Vec<u8>)| {
        let number = number(first + place);
        json!({
            "kinesis": { "kinesisSchemaVersion": "1.0", "partitionKey": "key", "sequenceNumber": number,
                         "data": base64::encode(data), "approximateArrivalTimestamp": 1722513600.25 },
            "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": format!("shardId-000000000006:{number}"),
            "eventName": "aws:kinesis:record", "invokeIdentityArn": "arn:aws:iam::111122223333:role/weir",
            "awsRegion": "eu-west-1", "eventSourceARN": "arn:aws:kinesis:eu-west-1:111122223333:stream/logs"
        })
    };
    json!({ "Records": data.iter().enumerate().map(record).collect::<Vec<_>>() })
}

/// An event of the source mapping for a queue.
fn queue(bodies: &[(&str, String)]) -> Value {
    let record = |(id, body): &(&str, String)| {
        json!({
            "messageId": id, "receiptHandle": "AQEB", "body": body,
            "attributes": { "ApproximateReceiveCount": "1", "SentTimestamp": "1722513600123",
                            "SenderId": "AIDAIENQZJOLO23YVJ4VO", "ApproximateFirstReceiveTimestamp": "1722513600128" },
            "messageAttributes": {}, "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3", "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:notices", "awsRegion": "eu-west-1"
        })
    };
    json!({ "Records": bodies.iter().map(record).collect::<Vec<_>>() })
}

/// S3's own notice of an object.
fn notice(key: &str) -> Value {
    json!({ "Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": "eu-west-1",
        "eventTime": "2024-08-01T12:00:00.000Z",
        "s3": { "bucket": { "name": "trail" }, "object": { "key": key, "size": 100 } }
    }] })
}

fn sns(message: &Value) -> String {
    json!({ "Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:111122223333:t", "Message": message.to_string() })
        .to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_a_stream_that_comes_twice_changes_nothing() {
    let stage = Stage::new(&format!("{KEPT}[sink.s3]\nbucket = 'archive'\nprefix = 'findings'\n")).await;
    let function = stage.start(&[]);
    let [made, key, attached] = calls();
    let flows = fs::read(repository("tests/data/kpl/node-130-flows.bin")).unwrap();
    let subscription = json!({
        "messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "trail", "logStream": "s",
        "subscriptionFilters": ["f"],
        "logEvents": [{ "id": "1", "timestamp": 1722513600000_i64, "message": attached.to_string() }]
    });
    let poison = b"{\"eventVersion\": \x00".to_vec();
    let data =
        [json!({ "Records": [made, key] }).to_string().into_bytes(), poison, flows, gzip(&subscription.to_string())];
    let event = stream(1, &data);

    assert_eq!(function.call(&event), failures(&[]), "{}", function.log());
    let (objects, taken) = (stage.objects("archive"), stage.taken());
    assert!(stage.rules_taken().contains(RULE), "{:?}", stage.rules_taken());
    assert!(taken.values().all(|times| *times == 1), "{taken:?}");
    let tables = |key: &String| key.split('/').nth(1).unwrap().to_owned();
    let findings = objects.keys().filter(|key| key.starts_with("findings/2024-08-01/")).count();
    assert_eq!(findings, 1, "{:?}", objects.keys());
    let kept: BTreeSet<String> = objects.keys().filter(|key| key.starts_with("weir/")).map(tables).collect();
    assert_eq!(kept, ["cloudtrail", "reject", "vpc_flow"].map(str::to_owned).into());

    // the same container, and another
    assert_eq!(function.call(&event), failures(&[]));
    assert_eq!(function.left_behind(), 0);
    let log = function.log();
    let told = log.lines().find(|line| line.contains("do not run in a function")).expect(&log);
    let left_out = told.split("left_out=").nth(1).unwrap().split(' ').next().unwrap();
    assert!(left_out.parse::<u32>().unwrap() >= 3, "{told}");
    drop(function);
    let function = stage.start(&[]);
    assert_eq!(function.call(&event), failures(&[]));
    assert_eq!(stage.objects("archive"), objects, "each has the key and content that it had");
    let again: BTreeMap<String, usize> = taken.keys().map(|id| (id.clone(), 3)).collect();
    assert_eq!(stage.taken(), again);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_stream_the_first_record_that_failed_is_answered() {
    let stage = Stage::new(KEPT).await;
    let function = stage.start(&[]);
    let data = calls().map(|call| call.to_string().into_bytes());
    let names = |stage: &Stage| {
        let names = stage.rows("cloudtrail").into_iter().map(|row| row["eventname"].as_str().unwrap().to_owned());
        names.collect::<BTreeSet<_>>()
    };

    // its finding is not accepted; what other records have is
    stage.bus.seen().broken.insert(TITLE.to_owned());
    let answer = function.runtime.call(&stream(1, &data), Duration::from_secs(9));
    assert_eq!(answer, failures(&[&number(3)]), "{}", function.log());
    assert_eq!(names(&stage), ["CreateAccessKey", "CreateUser"].map(str::to_owned).into());
    assert!(!stage.rules_taken().contains(RULE));
    assert!(function.log().contains("event bridge did not take findings"), "{}", function.log());

    // Lambda hands over the rest
    stage.bus.seen().broken.clear();
    assert_eq!(function.call(&stream(3, &data[2..])), failures(&[]));
    assert!(stage.rules_taken().contains(RULE));
    let all: BTreeSet<String> = ["AttachUserPolicy", "CreateAccessKey", "CreateUser"].map(str::to_owned).into();
    assert_eq!((names(&stage), stage.rows("cloudtrail").len()), (all, 3), "each row is there once");

    // where rows cannot be kept, none of the records is done with
    stage.s3.fault("PUT archive", [Fault::Refuse(403, "AccessDenied", "Access Denied")]);
    assert_eq!(function.call(&stream(7, &data)), failures(&[&number(7)]));
    assert!(function.log().contains("allow s3:PutObject"), "{}", function.log());

    // a call that is nearly over is not begun
    let before = stage.taken();
    let answer = function.runtime.call(&stream(11, &data), Duration::from_secs(1));
    assert_eq!((answer, stage.taken()), (failures(&[&number(11)]), before));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_takes_the_address_of_a_webhook_from_secrets_manager() {
    let stage = Stage::new("[sink.webhook]\nurl_secret = { id = 'weir/hook' }\nmin_severity = 'high'\n").await;
    let function = stage.start(&[("AWS_ENDPOINT_URL_SECRETS_MANAGER", &stage.bus.url)]);
    let data = calls().map(|call| call.to_string().into_bytes());
    // there is no such secret yet
    assert_eq!(function.call(&stream(1, &data)), failures(&[&number(3)]), "{}", function.log());
    assert!(function.log().contains("the secret weir/hook of Secrets Manager: "), "{}", function.log());

    stage.bus.seen().secret = Some(json!({ "SecretString": stage.bus.hook() }));
    stage.bus.seen().secrets_asked.clear();
    assert_eq!(function.call(&stream(3, &data[2..])), failures(&[]), "{}", function.log());
    assert_eq!(function.call(&stream(5, &data)), failures(&[]), "{}", function.log());
    let seen = stage.bus.seen();
    assert_eq!((seen.taken[&Way::Webhook].len(), seen.secrets_asked.len()), (2, 1));
    assert_eq!(seen.wrong, Vec::<String>::new());
    assert!(!function.log().contains(out_fake::CANARY));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_queue_each_message_that_failed_is_answered() {
    let stage = Stage::new(KEPT).await;
    let function = stage.start(&[]);
    let [made, key, attached] = calls();
    let log = |records: &[&Value]| gzip(&json!({ "Records": records }).to_string());
    stage.s3.put("trail", "made.json.gz", log(&[&made, &key]));
    stage.s3.put("trail", "attached.json.gz", log(&[&attached]));
    let digest = json!({ "s3Bucket": "trail", "s3ObjectKey": ["AWSLogs/1/CloudTrail-Digest/x.json.gz"] });
    let bridge = json!({ "detail-type": "Object Created", "source": "aws.s3", "time": "2024-08-01T12:00:00Z",
        "detail": { "bucket": { "name": "trail" }, "object": { "key": "attached.json.gz" } } });
    let event = queue(&[
        ("plain", notice("made.json.gz").to_string()),
        ("gone", notice("gone.json.gz").to_string()),
        ("through-sns", sns(&bridge)),
        ("test", json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "trail" }).to_string()),
        ("digest", digest.to_string()),
        ("poison", "{\"what\": \"is this\"}".to_owned()),
    ]);

    assert_eq!(function.call(&event), failures(&["gone"]), "{}", function.log());
    assert!(stage.rules_taken().contains(RULE));
    assert_eq!(stage.rows("cloudtrail").len(), 3);
    let rejects = stage.rows("reject");
    assert_eq!((rejects.len(), rejects[0]["bytes"].as_str()), (1, Some("{\"what\": \"is this\"}")), "{rejects:?}");
    let (objects, taken) = (stage.objects("archive"), stage.taken());

    // the messages come in other batches, with another that tells of the same object
    stage.s3.world().log.clear();
    let again = queue(&[("other", notice("attached.json.gz").to_string()), ("through-sns", sns(&bridge))]);
    assert_eq!(function.call(&again), failures(&[]));
    assert_eq!(stage.s3.asked("GET").len(), 1, "it is read once");
    assert_eq!(stage.objects("archive"), objects, "its rows replace themselves");
    assert_eq!(stage.taken().keys().collect::<Vec<_>>(), taken.keys().collect::<Vec<_>>());

    stage.bus.seen().broken.insert(TITLE.to_owned());
    let answer = function.runtime.call(&event, Duration::from_secs(9));
    assert_eq!(answer, failures(&["gone", "through-sns"]), "{}", function.log());

    stage.s3.world().log.clear();
    let answer =
        function.runtime.call(&queue(&[("plain", notice("made.json.gz").to_string())]), Duration::from_secs(1));
    assert_eq!(answer, failures(&["plain"]));
    assert!(stage.s3.asked("GET").is_empty());

    // S3 and EventBridge are told of the whole
    stage.bus.seen().broken.clear();
    assert_eq!(function.call(&notice("made.json.gz")), failures(&[]));
    assert_eq!(function.call(&bridge), failures(&[]));
    let Answer::Error(body) = function.call(&notice("gone.json.gz")) else { panic!("{}", function.log()) };
    assert_eq!(body["errorType"], "Weir.CallFailed");
    assert!(body["errorMessage"].as_str().unwrap().starts_with("an object of the notice was not read"), "{body}");
    let Answer::Error(body) = function.call(&json!({ "key1": "value1" })) else { panic!("{}", function.log()) };
    assert!(body["errorMessage"].as_str().unwrap().starts_with("an event without records"), "{body}");
    assert_eq!(function.left_behind(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_call_left_on_the_disk_is_removed_by_the_next_process() {
    let stage = Stage::new(KEPT).await;
    let mut function = stage.start(&[]);
    let [made, ..] = calls();
    stage.s3.put("trail", "made.json", json!({ "Records": [made] }).to_string());
    stage.s3.fault("trail/made.json", [Fault::Stall(9)]);
    let event = queue(&[("plain", notice("made.json").to_string())]);
    let _answer = function.runtime.begin(&event, Duration::from_secs(120));
    while function.left_behind() == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // as Lambda does when the time or the memory of the call is over
    function.process.kill().unwrap();
    function.process.wait().unwrap();
    assert!(function.left_behind() > 0);

    let function = stage.start(&[]);
    assert_eq!(function.call(&event), failures(&[]), "{}", function.log());
    assert_eq!(function.left_behind(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_of_its_own_archive_a_function_writes_it_no_second_time() {
    let stage = Stage::new(KEPT).await;
    let function = stage.start(&[]);
    let [made, ..] = calls();
    stage.s3.put("archive", "AWSLogs/made.json", json!({ "Records": [made] }).to_string());
    let of = |key: &str| {
        // S3 writes the keys of its events as in a URL
        let object = json!({ "bucket": { "name": "archive" }, "object": { "key": key.replace('=', "%3D") } });
        json!({ "Records": [{ "eventName": "ObjectCreated:Put", "s3": object }] }).to_string()
    };
    assert_eq!(function.call(&queue(&[("log", of("AWSLogs/made.json"))])), failures(&[]), "{}", function.log());
    let written = stage.objects("archive");
    assert_eq!((written.len(), stage.rows("cloudtrail").len()), (2, 1));

    // S3 tells the queue of all that comes into the bucket
    let notices: Vec<(&str, String)> = written.keys().map(|key| (key.as_str(), of(key))).collect();
    assert_eq!(function.call(&queue(&notices)), failures(&[]), "{}", function.log());
    assert_eq!(stage.objects("archive"), written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_events_that_cloudwatch_calls_with_are_taken_as_a_whole() {
    let stage = Stage::new(KEPT).await;
    let function = stage.start(&[]);
    let [made, _, attached] = calls();
    let envelope = |messages: &[String]| {
        let events: Vec<Value> = messages
            .iter()
            .map(|message| json!({ "id": "1", "timestamp": 1722513600000_i64, "message": message }))
            .collect();
        let envelope = json!({ "messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "trail",
            "logStream": "s", "subscriptionFilters": ["f"], "logEvents": events });
        json!({ "awslogs": { "data": base64::encode(gzip(&envelope.to_string())) } })
    };
    let event = envelope(&[made.to_string(), attached.to_string(), "hello".to_owned()]);

    stage.bus.seen().broken.insert(TITLE.to_owned());
    let Answer::Error(body) = function.runtime.call(&event, Duration::from_secs(9)) else {
        panic!("{}", function.log())
    };
    assert!(body["errorMessage"].as_str().unwrap().contains("not delivered"), "{body}");
    assert!(stage.objects("archive").is_empty(), "rows are kept once their findings are delivered");

    stage.bus.seen().broken.clear();
    assert_eq!(function.call(&event), failures(&[]), "{}", function.log());
    assert!(stage.rules_taken().contains(RULE));
    assert_eq!((stage.rows("cloudtrail").len(), stage.rows("reject").len()), (2, 1));
    let objects = stage.objects("archive");
    assert_eq!(function.call(&event), failures(&[]));
    assert_eq!(stage.objects("archive"), objects, "they replace themselves");
    assert_eq!(function.left_behind(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_of_eventbridge_that_tells_of_no_object_is_read_itself() {
    let stage = Stage::new(KEPT).await;
    let function = stage.start(&[]);
    let [.., attached] = calls();
    let event = json!({ "version": "0", "id": "e", "detail-type": "AWS API Call via CloudTrail", "source": "aws.iam",
        "account": "111122223333", "time": "2024-08-01T12:00:00Z", "region": "us-east-1", "resources": [],
        "detail": attached });

    stage.bus.seen().broken.insert(TITLE.to_owned());
    let Answer::Error(body) = function.runtime.call(&event, Duration::from_secs(9)) else {
        panic!("{}", function.log())
    };
    assert!(body["errorMessage"].as_str().unwrap().contains("not delivered"), "{body}");

    stage.bus.seen().broken.clear();
    assert_eq!(function.call(&event), failures(&[]), "{}", function.log());
    assert!(stage.rules_taken().contains(RULE));
    assert_eq!((stage.rows("cloudtrail").len(), stage.rows("reject").len()), (1, 0));
    let objects = stage.objects("archive");
    assert_eq!(function.call(&event), failures(&[]));
    assert_eq!(stage.objects("archive"), objects, "they replace themselves");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_a_queue_that_is_itself_an_event_is_read() {
    let stage = Stage::new(KEPT).await;
    let function = stage.start(&[]);
    let [made, _, attached] = calls();
    let bridge = json!({ "version": "0", "id": "e", "detail-type": "AWS API Call via CloudTrail", "source": "aws.iam",
        "account": "111122223333", "time": "2024-08-01T12:00:00Z", "region": "us-east-1", "resources": [],
        "detail": attached });
    let event = queue(&[("bridge", bridge.to_string()), ("detail", made.to_string())]);
    stage.bus.seen().broken.insert(TITLE.to_owned());
    let answer = function.runtime.call(&event, Duration::from_secs(9));
    assert_eq!(answer, failures(&["bridge"]), "{}", function.log());

    stage.bus.seen().broken.clear();
    assert_eq!(function.call(&event), failures(&[]), "{}", function.log());
    assert!(stage.rules_taken().contains(RULE));
    assert_eq!((stage.rows("cloudtrail").len(), stage.rows("reject").len()), (2, 0));
    // the message comes again, alone
    let objects = stage.objects("archive");
    assert_eq!(function.call(&queue(&[("bridge", bridge.to_string())])), failures(&[]));
    assert_eq!(stage.objects("archive"), objects, "its rows replace themselves");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn security_hub_has_each_finding_once_though_the_batch_comes_twice() {
    let stage = Stage::new("").await;
    let hub = Hub::start();
    let home = format!("{HOME}/eu-west-1");
    let function = stage.start(&[("WEIR_SECURITY_HUB", &home), ("AWS_ENDPOINT_URL_SECURITYHUB", &hub.url)]);
    let data: Vec<Vec<u8>> = (0..3).map(|n| create_user(n, HOME, "eu-west-1").to_string().into_bytes()).collect();
    let stored = || hub.seen().stored.keys().cloned().collect::<BTreeSet<_>>();

    hub.seen().troubles.push_back(hub::Trouble::Lost);
    assert_eq!(function.call(&stream(1, &data)), failures(&[]), "{}", function.log());
    let once = stored();
    assert_eq!(once.len(), 3, "{once:?}");
    assert_eq!(function.call(&stream(1, &data)), failures(&[]));
    assert_eq!(stored(), once);
    assert!(hub.seen().wrong.is_empty(), "{:?}", hub.seen().wrong);

    // it is down for longer than the call may take
    hub.seen().troubles.extend(std::iter::repeat_n(hub::Trouble::Down, 50));
    let answer = function.runtime.call(&stream(5, &data), Duration::from_secs(9));
    assert_eq!(answer, failures(&[&number(5)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_sink_and_archive_findings_are_lines_of_the_log() {
    let stage = Stage::new("").await;
    let function = stage.start(&[("WEIR_ARCHIVE", "none")]);
    let [_, _, attached] = calls();
    stage.s3.put("trail", "attached.json", json!({ "Records": [attached] }).to_string());
    let event = queue(&[("good", notice("attached.json").to_string()), ("poison", "what is this".to_owned())]);
    // nothing else would know of it
    assert_eq!(function.call(&event), failures(&["poison"]));
    let printed: Vec<Value> = lines(function.printed().as_bytes());
    assert!(printed.iter().any(|finding| finding["rule"] == RULE), "{printed:?}");
    assert!(stage.objects("archive").is_empty());
}

fn refused(folder: &Path, config: &str) -> (i32, String) {
    fs::write(folder.join("weir.toml"), config).unwrap();
    let mut function = Function::start(folder, &[]);
    let code = function.process.wait().unwrap().code().unwrap();
    let (kind, body) = function.runtime.refused().expect("Lambda was told why");
    assert_eq!(kind, "Weir.Configuration");
    (code, body["errorMessage"].as_str().unwrap().to_owned())
}

#[test]
fn lambda_is_told_why_the_function_cannot_start() {
    let folder = tempfile::tempdir().unwrap();
    let (code, why) = refused(folder.path(), "[archive]\ndri = 's3://x'\n");
    assert_eq!(code, 2);
    assert!(why.contains("line 2") && why.contains("dri"), "{why}");
    let (_, why) = refused(folder.path(), "state = 's3://bucket/state'\n");
    assert_eq!(why, "`state` is for `weir run`: a function keeps nothing between calls");
    let (_, why) = refused(folder.path(), "[archive]\ndir = '/tmp/archive'\n");
    assert_eq!(
        why,
        "the archive of a function is s3://BUCKET/PREFIX or none, and not `/tmp/archive`: its disk does not last"
    );
    let (_, why) = refused(folder.path(), "[[suppress]]\nrule = 'a/b'\n");
    assert!(why.contains("suppress"), "{why}");

    let output = weir(&["lambda"], folder.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("AWS_LAMBDA_RUNTIME_API is not set"), "{}", text(&output.stderr));
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("lambda")
        .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")
        .env_remove("AWS_LAMBDA_FUNCTION_NAME")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("weir: AWS_LAMBDA_FUNCTION_NAME is not set"), "{}", text(&output.stderr));
    let output = weir(&["run", "--from", ".", "--archive", "s3://archive/weir"], folder.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("an archive in S3 is written by `weir lambda`"), "{}", text(&output.stderr));
}
