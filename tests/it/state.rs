//! The state in a bucket: a worker goes on where one on another machine was killed, and one that was replaced commits no more.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::moto::{Moto, moto, sdk};
use crate::support::{code, ended, lines, signal, text, whole_lines};

const RULE: &str = "-- title = \"A marked call\"\n-- severity = \"high\"\n-- key = [\"eventID\"]\n\
                    -- tags = [\"attack.impact\"]\n-- remedy = \"Ask who marked it.\"\n\
                    SELECT eventTime, eventID FROM cloudtrail WHERE eventName = 'Marked'\n";

/// Logs that all machines read, and a bucket; a machine is a folder of its own.
struct Stage {
    moto: std::sync::Arc<Moto>,
    folder: tempfile::TempDir,
    bucket: &'static str,
}

impl Stage {
    async fn new(bucket: &'static str) -> Option<Stage> {
        let moto = moto()?;
        let s3 = aws_sdk_s3::config::Builder::from(&sdk(&moto.url)).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(s3).create_bucket().bucket(bucket).send().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("logs")).unwrap();
        Some(Stage { moto, folder, bucket })
    }

    /// A file with ten events that the rule finds.
    fn log(&self, number: u32) {
        let event = |event: u32| {
            json!({
                "eventVersion": "1.08", "eventName": "Marked", "eventSource": "test.amazonaws.com",
                "eventTime": "2024-08-01T12:00:00Z", "eventID": format!("event-{number}-{event}"),
                "recipientAccountId": "111122223333", "awsRegion": "us-east-1",
            })
        };
        let records: Vec<_> = (0..10).map(event).collect();
        // complete at once, as a reader that follows sees it
        let (written, place) = (self.folder.path().join("written"), format!("logs/{number}.json"));
        fs::write(&written, json!({ "Records": records }).to_string()).unwrap();
        fs::rename(written, self.folder.path().join(place)).unwrap();
    }

    fn start(&self, machine: &str) -> Child {
        let folder = self.folder.path().join(machine);
        fs::create_dir_all(folder.join("rules/cloudtrail")).unwrap();
        fs::write(folder.join("rules/cloudtrail/marked.sql"), RULE).unwrap();
        let config = format!(
            "from = ['{}']\nstate = 's3://{}/w1'\nrules = 'only:rules'\n[limits]\ncommit_seconds = 1\n[archive]\ndir = 'none'\n\
             [aws]\nendpoint_url = '{}'\nregion = 'us-east-1'\n[aws.s3]\nforce_path_style = true\n",
            self.folder.path().join("logs").display(),
            self.bucket,
            self.moto.url
        );
        fs::write(folder.join("weir.toml"), config).unwrap();
        Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["run", "-c", "weir.toml", "--follow", "--findings", "f.ndjson"])
            .current_dir(&folder)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Ids of the findings that a machine has written.
    fn found(&self, machine: &str) -> Vec<String> {
        let written = whole_lines(&self.folder.path().join(machine).join("f.ndjson"));
        written.iter().map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
    }

    fn until_found(&self, machine: &str, count: usize) {
        let begun = Instant::now();
        while self.found(machine).len() < count {
            assert!(begun.elapsed() < Duration::from_secs(180), "{machine}: {:?}", self.found(machine));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    async fn etag(&self) -> Option<String> {
        let s3 = aws_sdk_s3::config::Builder::from(&sdk(&self.moto.url)).force_path_style(true).build();
        let head = aws_sdk_s3::Client::from_conf(s3).head_object().bucket(self.bucket).key("w1/state.weir").send();
        head.await.ok()?.e_tag
    }

    /// Waits for a commit after now.
    async fn until_committed(&self, before: &Option<String>) {
        let begun = Instant::now();
        while self.etag().await == *before {
            assert!(begun.elapsed() < Duration::from_secs(180), "nothing was committed");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn stop(worker: Child) {
    signal(&worker, Signal::INT);
    let output = ended(worker, Duration::from_secs(120));
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_machine_goes_on_where_one_was_killed() {
    let Some(stage) = Stage::new("state-killed").await else { return };
    let mut a = stage.start("a");
    let mut number = 0;
    for _ in 0..3 {
        let before = stage.etag().await;
        number += 1;
        stage.log(number);
        stage.until_found("a", 10 * number as usize);
        stage.until_committed(&before).await;
    }
    // a commit is due a second after its rows; the last that was seen may have been that of the file before
    std::thread::sleep(Duration::from_secs(4));
    a.kill().unwrap();
    a.wait().unwrap();
    stage.log(4);
    let b = stage.start("b");
    stage.until_found("b", 10);
    stop(b);
    // nothing of what was committed is read again
    let (a, b): (BTreeSet<String>, BTreeSet<String>) =
        (stage.found("a").into_iter().collect(), stage.found("b").into_iter().collect());
    assert_eq!((a.len(), b.len(), stage.found("b").len()), (30, 10, 10));
    assert!(a.is_disjoint(&b));
    // and a third finds nothing new
    let c = stage.start("c");
    std::thread::sleep(Duration::from_secs(5));
    stop(c);
    assert_eq!(stage.found("c"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_state_was_taken_over_commits_no_more() {
    let Some(stage) = Stage::new("state-taken").await else { return };
    let a = stage.start("a");
    let before = stage.etag().await;
    stage.log(1);
    stage.until_found("a", 10);
    stage.until_committed(&before).await;
    std::thread::sleep(Duration::from_secs(2));
    signal(&a, Signal::STOP);
    let before = stage.etag().await;
    let b = stage.start("b");
    stage.until_committed(&before).await;
    signal(&a, Signal::CONT);
    stage.log(2);
    let output = ended(a, Duration::from_secs(120));
    let said = text(&output.stderr);
    assert!(
        said.contains("another worker has taken over the state s3://state-taken/w1/state.weir, with epoch 2"),
        "{said}"
    );
    assert_eq!(code(&output), 4, "{said}");
    stage.until_found("b", 10);
    stop(b);
    // the first file was committed by the one, the second by the other
    assert_eq!(stage.found("b").len(), 10);
    let both: BTreeSet<String> = [stage.found("a"), stage.found("b")].concat().into_iter().collect();
    assert_eq!(both.len(), 20);
}

impl Stage {
    /// A command that looks, with the configuration of a worker.
    fn look(&self, machine: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.args(arguments).args(["-c", "weir.toml"]).current_dir(self.folder.path().join(machine));
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_CONFIG_FILE", "/dev/null");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What it says.
    fn said(&self, machine: &str, arguments: &[&str]) -> String {
        let output = self.look(machine, arguments).output().unwrap();
        assert_eq!(code(&output), 0, "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_at_a_state_or_says_something_of_its_findings_leaves_it_to_its_worker() {
    let Some(stage) = Stage::new("state-read").await else { return };
    let a = stage.start("a");
    let before = stage.etag().await;
    let output = loop {
        // the state is begun before anything is in it
        let output = stage.look("a", &["incidents"]).output().unwrap();
        if output.status.success() {
            break output;
        }
        assert!(text(&output.stderr).contains("there is no state s3://state-read/w1/state.weir"), "{output:?}");
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(text(&output.stdout), "no incidents in 0 findings\n");
    stage.log(1);
    stage.until_found("a", 10);
    stage.until_committed(&before).await;
    std::thread::sleep(Duration::from_secs(3));

    let incidents = stage.said("a", &["incidents", "--limit", "100"]);
    assert!(incidents.contains(" in 10 findings"), "{incidents}");
    let ids = stage.found("a");
    let explained = stage.said("a", &["run", "--explain", &ids[0]]);
    assert!(explained.contains("A marked call"), "{explained}");
    // all at once, and none is lost
    let sayings: Vec<Child> =
        ids.iter().map(|id| stage.look("a", &["feedback", id, "--dismissed"]).spawn().unwrap()).collect();
    for saying in sayings {
        let output = ended(saying, Duration::from_secs(120));
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("cloudtrail/marked: priority "), "{}", text(&output.stdout));
    }
    let said = stage.said("a", &["feedback"]);
    let row: Vec<&str> = said.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..4], ["cloudtrail/marked", "111122223333", "0", "10"], "{said}");
    let config = stage.folder.path().join("a/weir.toml");
    let entry = "[[suppress]]\nrule = 'cloudtrail/marked'\nreason = 'a drill'\nexpires = 2999-01-01\n";
    let with_entry = stage.folder.path().join("s");
    fs::create_dir(&with_entry).unwrap();
    fs::write(with_entry.join("weir.toml"), format!("{}\n{entry}", fs::read_to_string(config).unwrap())).unwrap();
    let hides = stage.said("s", &["suppress"]);
    assert!(hides.contains("hides 10 of 10 open findings"), "{hides}");

    // the worker goes on, with what was said: 15 seconds later at the latest
    std::thread::sleep(Duration::from_secs(16));
    stage.log(2);
    stage.until_found("a", 20);
    stop(a);
    let written = fs::read(stage.folder.path().join("a/f.ndjson")).unwrap();
    let last = lines(&written).pop().unwrap();
    let terms = last["terms"].as_array().unwrap().iter();
    let why = terms.filter(|term| term["name"] == "precision").map(|term| term["why"].as_str().unwrap());
    assert!(why.clone().any(|why| why.contains("0 confirmed and 10 dismissed in this account")), "{last}");
}
