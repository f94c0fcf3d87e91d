//! `weir run --from kinesis://...` over kinesalite: killed and started again while the stream is resharded.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, StreamStatus};
use rustix::process::Signal;

use crate::support::{code, ended, lines, repository, signal, text, weir};

/// The server, which ends with the test.
pub struct Kinesalite {
    child: Child,
    pub url: String,
}

impl Drop for Kinesalite {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Starts kinesalite on a free port of the loopback; `None` where it is not installed.
pub fn kinesalite() -> Option<Kinesalite> {
    let modules =
        env::var_os("WEIR_TEST_NODE_MODULES").map_or_else(|| repository(".tools/node/node_modules"), PathBuf::from);
    if !modules.join("kinesalite").is_dir() {
        eprintln!("skipped: no kinesalite in {}, which tests/run installs", modules.display());
        return None;
    }
    let script = "const s = require('kinesalite')({ createStreamMs: 10, updateStreamMs: 10, shardLimit: 100 });
        s.listen(0, '127.0.0.1', () => console.log(s.address().port));";
    let mut child = Command::new("node")
        .args(["-e", script])
        .env("NODE_PATH", &modules)
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts where its modules are");
    let mut port = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let url = format!("http://127.0.0.1:{}", port.trim());
    Some(Kinesalite { child, url })
}

impl Kinesalite {
    pub fn client(&self) -> Client {
        let config = aws_sdk_kinesis::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(&self.url)
            .http_client(aws_smithy_http_client::Builder::new().build_http());
        Client::from_conf(config.build())
    }

    fn weir(&self, folder: &Path) -> Child {
        Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["run", "-c", "weir.toml", "--archive", "a", "--findings", "f.ndjson", "--summary", "s.json"])
            .current_dir(folder)
            .env("AWS_ENDPOINT_URL_KINESIS", &self.url)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "canary-of-the-test")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::options().create(true).append(true).open(folder.join("stderr")).unwrap())
            .spawn()
            .unwrap()
    }
}

/// Rows of flows in the archive, and how many different numbers they have. Flows have no ids: none is dropped as double.
fn flows(folder: &Path) -> (u64, u64) {
    let query = "SELECT count(*) AS rows, count(DISTINCT srcport) AS numbers FROM vpc_flow";
    let output = weir(&["sql", query, "--archive", "a", "--format", "ndjson"], folder);
    match &lines(&output.stdout)[..] {
        [row] => (row["rows"].as_u64().unwrap(), row["numbers"].as_u64().unwrap()),
        // nothing is archived yet
        _ => (0, 0),
    }
}

pub async fn active(client: &Client) {
    loop {
        let summary = client.describe_stream_summary().stream_name("logs").send().await.unwrap();
        if summary.stream_description_summary.unwrap().stream_status == StreamStatus::Active {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Puts so many flows, one a record, each with a number of its own.
async fn put(client: &Client, next: &mut u32, count: u32) {
    let flow = |number: u32| {
        let line =
            format!("2 111122223333 eni-1 10.0.0.1 10.0.0.2 {number} 443 6 1 40 1722511800 1722511860 ACCEPT OK");
        PutRecordsRequestEntry::builder().data(Blob::new(line)).partition_key(number.to_string()).build().unwrap()
    };
    let records = (*next..*next + count).map(flow).collect();
    *next += count;
    let put = client.put_records().stream_name("logs").set_records(Some(records)).send().await.unwrap();
    assert_eq!(put.failed_record_count.unwrap_or(0), 0);
}

/// The open shards by their first hash key.
pub async fn open(client: &Client) -> BTreeMap<u128, String> {
    let shards = client.list_shards().stream_name("logs").send().await.unwrap().shards.unwrap();
    let open = shards.into_iter().filter(|shard| {
        shard.sequence_number_range.as_ref().is_some_and(|range| range.ending_sequence_number.is_none())
    });
    open.map(|shard| (shard.hash_key_range.unwrap().starting_hash_key.parse().unwrap(), shard.shard_id)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_resharded_nothing_is_lost_and_nothing_comes_twice() {
    let Some(server) = kinesalite() else { return };
    let client = server.client();
    client.create_stream().stream_name("logs").shard_count(2).send().await.unwrap();
    active(&client).await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("weir.toml"),
        "from = [\"kinesis://logs\"]\nrules = \"none\"\n[limits]\ncommit_seconds = 1\n[source.kinesis]\npoll_ms = 100\n",
    )
    .unwrap();
    let mut next = 1;
    let mut child = server.weir(folder.path());
    for round in 0..4 {
        for _ in 0..5 {
            put(&client, &mut next, 60).await;
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        let shards: Vec<(u128, String)> = open(&client).await.into_iter().collect();
        match round {
            // the first is split, its upper half too, and that is merged with what was the second
            0 => split(&client, &shards[0].1, 1 << 125).await,
            1 => split(&client, &shards[1].1, 1 << 126).await,
            2 => merge(&client, &shards[2].1, &shards[3].1).await,
            _ => {}
        }
        put(&client, &mut next, 60).await;
        if round < 3 {
            // somewhere between two commits
            tokio::time::sleep(Duration::from_millis(300 * round)).await;
            child.kill().unwrap();
            child.wait().unwrap();
            put(&client, &mut next, 60).await;
            child = server.weir(folder.path());
        }
    }
    let expected = u64::from(next - 1);
    let begun = Instant::now();
    while flows(folder.path()).0 < expected && begun.elapsed() < Duration::from_secs(180) {
        thread::sleep(Duration::from_millis(500));
    }
    signal(&child, Signal::INT);
    let stopped = ended(child, Duration::from_secs(120));
    let said = fs::read_to_string(folder.path().join("stderr")).unwrap();
    assert_eq!(code(&stopped), 0, "{said}");
    assert_eq!(flows(folder.path()), (expected, expected), "{said}");
    assert!(!said.contains("canary-of-the-test"));
}

pub async fn split(client: &Client, shard: &str, at: u128) {
    let split = client.split_shard().stream_name("logs").shard_to_split(shard).new_starting_hash_key(at.to_string());
    split.send().await.unwrap();
    active(client).await;
}

async fn merge(client: &Client, shard: &str, other: &str) {
    client
        .merge_shards()
        .stream_name("logs")
        .shard_to_merge(shard)
        .adjacent_shard_to_merge(other)
        .send()
        .await
        .unwrap();
    active(client).await;
}

#[test]
fn a_stream_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = |from: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["run", "--from", from, "--archive", "none", "--rules", "none"])
            .current_dir(folder.path())
            .env_remove("AWS_REGION")
            .env_remove("AWS_DEFAULT_REGION")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .output()
            .unwrap();
        (code(&output), text(&output.stderr))
    };
    let (code, said) = run("kinesis://a/b");
    assert!(code == 2 && said.contains("`kinesis://a/b` is no stream: kinesis://NAME"), "{code} {said}");
    let (code, said) = run("kinesis://a");
    assert!(code == 3 && said.contains("reading kinesis://a: no AWS Region is set"), "{code} {said}");
}
