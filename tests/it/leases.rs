//! Workers that share a stream by leases: real processes over kinesalite, with their leases in moto's DynamoDB.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::kinesis::{Kinesalite, active, kinesalite, open, split};
use crate::moto::{Moto, moto};
use crate::support::{code, ended, lines, signal, text, weir, whole_lines};

const EXPIRY: Duration = Duration::from_secs(3);
const RULE: &str = "-- title = \"A marked call\"\n-- severity = \"high\"\n-- key = [\"eventID\"]\n\
                    -- tags = [\"attack.impact\"]\n-- remedy = \"Ask who marked it.\"\n\
                    SELECT eventTime, eventID FROM cloudtrail WHERE eventName = 'Marked'\n";

/// A stream with four shards, a table for its leases, and a folder for each worker.
struct Stage {
    kinesalite: Kinesalite,
    moto: Arc<Moto>,
    client: Client,
    table: String,
    folder: tempfile::TempDir,
    next: u32,
}

/// A worker at work.
struct Worker {
    child: Child,
    metrics: String,
    name: &'static str,
}

/// `None` where a server is missing.
async fn stage(table: &str) -> Option<Stage> {
    let (kinesalite, moto) = (kinesalite()?, moto()?);
    let client = kinesalite.client();
    client.create_stream().stream_name("logs").shard_count(4).send().await.unwrap();
    active(&client).await;
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage { kinesalite, moto, client, table: table.to_owned(), folder, next: 0 };
    make_table(&stage.moto, table).await;
    Some(stage)
}

/// A table as `deploy/SOURCES.md` has it made.
pub async fn make_table(moto: &Moto, table: &str) {
    let ask = json!({
        "TableName": table, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{ "AttributeName": "leaseKey", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "leaseKey", "KeyType": "HASH" }],
    });
    assert_eq!(dynamodb(moto, "CreateTable", ask).await["TableDescription"]["TableName"], table);
}

async fn dynamodb(moto: &Moto, operation: &str, ask: Value) -> Value {
    let scope = "Credential=test/20240801/us-east-1/dynamodb/aws4_request";
    for _ in 0..5 {
        let request = http::Request::post(&moto.url)
            .header("authorization", format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"))
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .body(SdkBody::from(ask.to_string()))
            .unwrap();
        let answer = Connector::builder().build_http().call(request.try_into().unwrap()).await.unwrap();
        let is_failed = answer.status().is_server_error();
        let body = ByteStream::new(answer.into_body()).collect().await.unwrap().into_bytes();
        if !is_failed {
            return serde_json::from_slice(&body).unwrap();
        }
        // moto's Scan fails where another thread of it adds an item meanwhile; clients of AWS ask again
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{operation} failed five times");
}

impl Stage {
    /// Shards by the end of their ids, each with the worker's name in its folder that has its lease, and its checkpoint.
    async fn leases(&self) -> BTreeMap<String, (Option<String>, String)> {
        let scanned = dynamodb(&self.moto, "Scan", json!({ "TableName": self.table })).await;
        // moto writes the key of a new item before its other attributes, and may be asked in between
        let lease = |item: &Value| {
            let shard = item["shardId"]["S"].as_str()?.trim_start_matches("shardId-0000000000").to_owned();
            let owner = item["leaseOwner"]["S"].as_str().map(str::to_owned);
            Some((shard, (owner, item["checkpoint"]["S"].as_str()?.to_owned())))
        };
        scanned["Items"].as_array().unwrap().iter().filter_map(lease).collect()
    }

    /// How many shards that can be read each living life of a worker has.
    async fn shares(&self) -> Vec<usize> {
        let mut shares: BTreeMap<String, usize> = BTreeMap::new();
        for (owner, checkpoint) in self.leases().await.into_values() {
            if let Some(owner) = owner.filter(|_| checkpoint != "SHARD_END") {
                *shares.entry(owner).or_default() += 1;
            }
        }
        let mut shares: Vec<usize> = shares.into_values().collect();
        shares.sort_unstable();
        shares
    }

    async fn until_shares(&self, expected: &[usize]) {
        let begun = Instant::now();
        loop {
            let shares = self.shares().await;
            if shares == expected {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(180), "{shares:?} and not {expected:?}: {}", self.said());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until nobody is leaving a shard for another.
    async fn until_left(&self) {
        let begun = Instant::now();
        loop {
            let scanned = dynamodb(&self.moto, "Scan", json!({ "TableName": self.table })).await;
            if scanned["Items"].as_array().unwrap().iter().all(|item| item["checkpointOwner"].is_null()) {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(180), "shards are not left: {}", self.said());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Puts so many events; every tenth is one that the rule finds.
    async fn put(&mut self, count: u32) {
        let event = |number: u32| {
            let name = if number.is_multiple_of(10) { "Marked" } else { "Plain" };
            let event = json!({
                "eventVersion": "1.08", "eventName": name, "eventSource": "test.amazonaws.com",
                "eventTime": "2024-08-01T12:00:00Z", "eventID": format!("event-{number}"),
                "recipientAccountId": "111122223333", "awsRegion": "us-east-1",
            });
            let entry = PutRecordsRequestEntry::builder().data(Blob::new(event.to_string()));
            entry.partition_key(number.to_string()).build().unwrap()
        };
        let records = (self.next..self.next + count).map(event).collect();
        self.next += count;
        let put = self.client.put_records().stream_name("logs").set_records(Some(records)).send().await.unwrap();
        assert_eq!(put.failed_record_count.unwrap_or(0), 0);
    }

    fn path(&self, worker: &str) -> PathBuf {
        self.folder.path().join(worker)
    }

    fn start(&self, name: &'static str, commit_seconds: u32) -> Worker {
        let folder = self.path(name);
        fs::create_dir_all(folder.join("rules/cloudtrail")).unwrap();
        fs::write(folder.join("rules/cloudtrail/marked.sql"), RULE).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (table, expiry) = (&self.table, EXPIRY.as_secs());
        let config = format!(
            "from = ['kinesis://logs']\nrules = 'only:rules'\n[metrics]\nlisten = '127.0.0.1:{port}'\n\
             [limits]\ncommit_seconds = {commit_seconds}\n[source.kinesis]\npoll_ms = 100\n\
             [source.kinesis.leases]\ntable = '{table}'\nexpiry_seconds = {expiry}\n"
        );
        fs::write(folder.join("weir.toml"), config).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["run", "-c", "weir.toml", "--archive", "a", "--findings", "f.ndjson"])
            .current_dir(&folder)
            .env("AWS_ENDPOINT_URL_KINESIS", &self.kinesalite.url)
            .env("AWS_ENDPOINT_URL_DYNAMODB", &self.moto.url)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::options().create(true).append(true).open(folder.join("stderr")).unwrap())
            .spawn()
            .unwrap();
        Worker { child, metrics: format!("127.0.0.1:{port}"), name }
    }

    /// Ends a worker as an operator does.
    fn stop(&self, worker: Worker) {
        signal(&worker.child, Signal::INT);
        let output = ended(worker.child, Duration::from_secs(120));
        assert_eq!(code(&output), 0, "{}: {}", worker.name, self.said());
    }

    fn said(&self) -> String {
        let said = |name| fs::read_to_string(self.path(name).join("stderr")).unwrap_or_default();
        format!("a:\n{}\nb:\n{}", said("a"), said("b"))
    }

    /// Ids of the rows of a worker's archive, one of each row.
    fn archived(&self, worker: &str) -> Vec<String> {
        let query = "SELECT eventid FROM cloudtrail";
        let output = weir(&["sql", query, "--archive", "a", "--format", "ndjson"], &self.path(worker));
        let row = |row: Value| row["eventid"].as_str().unwrap().to_owned();
        lines(&output.stdout).into_iter().map(row).collect()
    }

    /// Ids of a worker's findings, one of each line.
    fn found(&self, worker: &str) -> Vec<String> {
        let written = whole_lines(&self.path(worker).join("f.ndjson"));
        written.iter().map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until every event is in an archive.
    async fn until_archived(&self) {
        let begun = Instant::now();
        loop {
            let mut rows = [self.archived("a"), self.archived("b")].concat();
            rows.sort_unstable();
            rows.dedup();
            if rows.len() == self.next as usize {
                return;
            }
            let (rows, put) = (rows.len(), self.next);
            assert!(begun.elapsed() < Duration::from_secs(180), "{rows} of {put} archived: {}", self.said());
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Every event is in one archive and in no other, and found once.
    fn assert_once(&self) {
        let twice = |mut ids: Vec<String>| {
            ids.sort_unstable();
            let twice: Vec<String> = ids.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0].clone()).collect();
            (ids.len(), twice)
        };
        let rows = twice([self.archived("a"), self.archived("b")].concat());
        assert_eq!(rows, (self.next as usize, Vec::new()), "{}", self.said());
        let findings = twice([self.found("a"), self.found("b")].concat());
        assert_eq!(findings, (self.next.div_ceil(10) as usize, Vec::new()), "{}", self.said());
    }
}

impl Worker {
    /// A number among its metrics, 0 when it is not there.
    fn metric(&self, line: &str) -> u64 {
        let Ok(mut stream) = TcpStream::connect(&self.metrics) else { return 0 };
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let value = answer.lines().find_map(|told| told.strip_prefix(line)?.strip_prefix(' ')?.parse::<f64>().ok());
        value.unwrap_or(0.0) as u64
    }

    async fn until_metric(&self, stage: &Stage, line: &str, least: u64) {
        let begun = Instant::now();
        while self.metric(line) < least {
            assert!(begun.elapsed() < Duration::from_secs(180), "{line} is {}: {}", self.metric(line), stage.said());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

const ROWS: &str = "weir_rows_total{table=\"cloudtrail\"}";

#[tokio::test(flavor = "multi_thread")]
async fn workers_share_the_shards_evenly_as_they_come_and_go_and_read_everything_once() {
    let Some(mut stage) = stage("leases-even").await else { return };
    stage.put(100).await;
    let a = stage.start("a", 1);
    stage.until_shares(&[4]).await;
    stage.put(100).await;
    a.until_metric(&stage, ROWS, 150).await;
    let b = stage.start("b", 1);
    for _ in 0..20 {
        stage.put(20).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stage.until_shares(&[2, 2]).await;
    let shards: Vec<String> = open(&stage.client).await.into_values().collect();
    split(&stage.client, &shards[0], 1 << 125).await;
    stage.put(200).await;
    // five shards can be read once the parent's end is committed
    stage.until_shares(&[2, 3]).await;
    stage.until_archived().await;
    assert_eq!(stage.leases().await["00"].1, "SHARD_END");
    stage.stop(a);
    stage.put(100).await;
    stage.until_shares(&[5]).await;
    stage.until_archived().await;
    stage.stop(b);
    assert!(stage.shares().await.is_empty());
    stage.assert_once();
    assert!(!stage.archived("a").is_empty() && !stage.archived("b").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_worker_had_not_committed_another_reads() {
    let Some(mut stage) = stage("leases-killed").await else { return };
    let mut a = stage.start("a", 1);
    // moto shows a lease that is being made in part, which DynamoDB never does: the second comes once all are made
    stage.until_shares(&[4]).await;
    let b = stage.start("b", 1);
    stage.until_shares(&[2, 2]).await;
    stage.until_left().await;
    for _ in 0..10 {
        stage.put(40).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    a.child.kill().unwrap();
    a.child.wait().unwrap();
    stage.put(100).await;
    stage.until_shares(&[4]).await;
    stage.until_archived().await;
    // it comes back with its state, and what it had archived is still there
    let a = stage.start("a", 1);
    stage.until_shares(&[2, 2]).await;
    stage.put(100).await;
    stage.until_archived().await;
    stage.stop(a);
    stage.stop(b);
    // whenever it was killed: a commit of which the leases do not know is undone
    stage.assert_once();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_wakes_up_after_its_leases_were_taken_drops_what_it_had_read() {
    let Some(mut stage) = stage("leases-zombie").await else { return };
    // it commits nothing of its own accord while this test runs
    let a = stage.start("a", 3600);
    stage.until_shares(&[4]).await;
    stage.put(200).await;
    a.until_metric(&stage, ROWS, 200).await;
    signal(&a.child, Signal::STOP);
    assert_eq!(stage.archived("a"), Vec::<String>::new());
    let b = stage.start("b", 1);
    stage.until_archived().await;
    assert_eq!(stage.archived("b").len(), 200);
    signal(&a.child, Signal::CONT);
    stage.put(100).await;
    // it begins anew, and comes to have its part again
    stage.until_shares(&[2, 2]).await;
    stage.put(100).await;
    stage.stop(a);
    stage.until_archived().await;
    stage.stop(b);
    stage.assert_once();
    let said = fs::read_to_string(stage.path("a").join("stderr")).unwrap();
    assert!(said.contains("going on from the last commit"), "{said}");
}

#[test]
fn a_table_that_is_not_there_is_named() {
    let Some(kinesalite) = kinesalite() else { return };
    let Some(moto) = moto() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = kinesalite.client();
        client.create_stream().stream_name("logs").shard_count(1).send().await.unwrap();
        active(&client).await;
    });
    let folder = tempfile::tempdir().unwrap();
    let config = "from = ['kinesis://logs']\nrules = 'none'\n[source.kinesis.leases]\ntable = 'leases-none'\n";
    fs::write(folder.path().join("weir.toml"), config).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["run", "-c", "weir.toml", "--archive", "a", "--findings", "f.ndjson"])
        .current_dir(folder.path())
        .env("AWS_ENDPOINT_URL_KINESIS", &kinesalite.url)
        .env("AWS_ENDPOINT_URL_DYNAMODB", &moto.url)
        .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-east-1")])
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert_eq!(code(&output), 3, "{said}");
    assert!(said.contains("dynamodb:Scan of the leases in leases-none: ResourceNotFoundException"), "{said}");
}
