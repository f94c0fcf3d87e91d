//! The policies in `deploy/iam/` allow every call that the program makes, and nothing that it does not need.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use aws_sdk_kinesis::primitives::Blob;
use rustix::process::Signal;
use serde_json::Value;
use weir::aws::calls::{CALLS, IMPLIED};

use crate::leases;
use crate::moto::{Moto, moto, sdk};
use crate::recorder::{Call, Recorder};
use crate::runtime_fake::{Answer, Function};
use crate::support::{code, ended, few, repository, signal, text};

const ATTACK: &str = "tests/data/cloudtrail/stratus/aws.persistence.iam-create-admin-user.json.gz";

/// What a policy allows.
fn allowed(file: &str) -> BTreeSet<String> {
    let policy: Value = serde_json::from_slice(&fs::read(repository("deploy/iam").join(file)).unwrap()).unwrap();
    assert_eq!(policy["Version"], "2012-10-17", "{file}");
    let statements = policy["Statement"].as_array().unwrap();
    let actions = statements.iter().flat_map(|statement| {
        assert_eq!(statement["Effect"], "Allow", "{file}: {statement}");
        let resources = statement["Resource"].as_array().unwrap();
        assert!(!resources.iter().any(|resource| resource == "*"), "{file}: {statement} is for everything");
        statement["Action"].as_array().unwrap()
    });
    let actions: BTreeSet<String> = actions.map(|action| action.as_str().unwrap().to_owned()).collect();
    assert!(!actions.iter().any(|action| action.contains('*')), "{file}: {actions:?}");
    actions
}

/// What the calls need; each must be in the table.
fn needed(calls: &BTreeSet<Call>) -> BTreeSet<String> {
    let action = |(service, operation): &Call| {
        let known = CALLS.iter().find(|call| call.service == service && call.operation == operation);
        known.unwrap_or_else(|| panic!("{service} {operation} is not in src/aws/calls.rs")).action
    };
    calls.iter().filter_map(action).map(str::to_owned).collect()
}

fn implied(file: &str) -> BTreeSet<String> {
    let of_file = IMPLIED.iter().filter(|(_, files)| files.contains(&file));
    of_file.map(|(action, _)| (*action).to_owned()).collect()
}

/// The program in a folder of its own, with an AWS that writes down what it is asked.
struct Stage {
    folder: tempfile::TempDir,
    recorder: Recorder,
}

impl Stage {
    fn new(moto: &Moto, config: &str) -> Stage {
        let stage = Stage { folder: tempfile::tempdir().unwrap(), recorder: Recorder::start(&moto.url) };
        let aws = format!(
            "[aws]\nendpoint_url = '{}'\n[aws.s3]\nforce_path_style = true\nexpected_bucket_owner = '123456789012'\n\
             kms_key = 'alias/weir'\n",
            stage.recorder.url
        );
        fs::write(stage.path().join("weir.toml"), format!("{config}\n{aws}")).unwrap();
        stage
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.args(arguments).args(["-c", "weir.toml"]).current_dir(self.path()).stdin(Stdio::null());
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").env("AWS_REGION", "us-east-1");
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_CONFIG_FILE", "/dev/null");
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// Runs to its end.
    fn run(&self, arguments: &[&str], expected: i32) {
        let output = self.command(arguments).output().unwrap();
        assert_eq!(code(&output), expected, "{arguments:?}: {}", text(&output.stderr));
    }

    /// Runs until an operation was asked for, and stops it.
    fn run_until(&self, arguments: &[&str], operation: &str) {
        let child = self.command(arguments).spawn().unwrap();
        let begun = Instant::now();
        while !self.recorder.has(operation) {
            assert!(
                begun.elapsed() < Duration::from_secs(180),
                "{operation} was not called: {:?}",
                self.recorder.calls()
            );
            thread::sleep(Duration::from_millis(50));
        }
        signal(&child, Signal::INT);
        let output = ended(child, Duration::from_secs(120));
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    }

    fn doctor(&self, from: &[&str]) {
        let arguments = match from {
            [] => vec!["doctor", "--rules", few()],
            from => [&["doctor", "--rules", few(), "--from"], from].concat(),
        };
        self.run(&arguments, 0);
    }

    /// Compares what was called with what the policies allow, and gives it. Every call of S3 has said whose the bucket is, and
    /// every write how it is to be encrypted.
    fn judged(self, files: &[&str]) -> BTreeSet<Call> {
        assert_eq!(self.recorder.bare(), BTreeSet::new());
        let calls = self.recorder.calls();
        let used: BTreeSet<String> =
            needed(&calls).into_iter().chain(files.iter().flat_map(|file| implied(file))).collect();
        let allowed: BTreeSet<String> = files.iter().flat_map(|file| allowed(file)).collect();
        assert_eq!(used, allowed, "left: what is used; right: what {files:?} allow");
        calls
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_allow_what_is_called_and_no_more() {
    let Some(moto) = moto() else { return };
    make(&moto).await;
    let arguments = ["run", "--archive", "a", "--findings", "f.ndjson", "--rules", "none"];
    let mut all = BTreeSet::new();

    let stage = Stage::new(&moto, "");
    stage.run(&["backfill", "s3://permissions-trail", "--archive", "none", "--rules", "none"], 0);
    stage.doctor(&["s3://permissions-trail"]);
    all.extend(stage.judged(&["s3-backfill.json"]));

    // one of its notices is of an object that is gone, which goes back to the queue
    let stage = Stage::new(&moto, "from = ['sqs://permissions-notices']");
    stage.run(&arguments, 3);
    stage.doctor(&[]);
    all.extend(stage.judged(&["s3-queue.json"]));

    let stage = Stage::new(&moto, "from = ['kinesis://permissions']");
    stage.run_until(&arguments, "GetRecords");
    stage.doctor(&[]);
    all.extend(stage.judged(&["kinesis.json"]));

    let stage = Stage::new(&moto, "from = ['kinesis://permissions']\n[source.kinesis]\nfan_out = 'weir'");
    stage.doctor(&[]);
    stage.run_until(&arguments, "SubscribeToShard");
    all.extend(stage.judged(&["kinesis-fan-out.json"]));

    let leases = "from = ['kinesis://permissions']\n[limits]\ncommit_seconds = 1\n\
                  [source.kinesis.leases]\ntable = 'permissions-leases'";
    let stage = Stage::new(&moto, leases);
    // there is a record, which is committed
    stage.run_until(&arguments, "TransactWriteItems");
    stage.doctor(&[]);
    all.extend(stage.judged(&["kinesis.json", "kinesis-leases.json"]));

    let role = "from = ['kinesis://permissions']\n[source.kinesis]\n\
                assume_role = { arn = 'arn:aws:iam::123456789012:role/reader', external_id = 'agreed' }";
    let stage = Stage::new(&moto, role);
    stage.run_until(&arguments, "GetRecords");
    stage.doctor(&[]);
    all.extend(stage.judged(&["assume-role.json", "kinesis.json"]));

    let stage = Stage::new(&moto, "");
    fs::copy(repository(ATTACK), stage.path().join("attack.json.gz")).unwrap();
    let hub = ["--security-hub", "123456789012/us-east-1"];
    stage.run(
        &[&["run", "--rules", few(), "--from", "attack.json.gz", "--archive", "a", "--findings", "f.ndjson"], &hub[..]]
            .concat(),
        0,
    );
    stage.run(&[&["doctor", "--rules", few(), "--from", "attack.json.gz"], &hub[..]].concat(), 0);
    all.extend(stage.judged(&["security-hub.json"]));

    let hub = "[sink.security_hub]\naccount = '123456789012'\nregion = 'us-east-1'\nread_back_seconds = 1";
    let stage = Stage::new(&moto, hub);
    fs::copy(repository(ATTACK), stage.path().join("attack.json.gz")).unwrap();
    let follow =
        ["run", "--rules", few(), "--from", "attack.json.gz", "--archive", "a", "--findings", "f.ndjson", "--follow"];
    stage.run_until(&follow, "GetFindings");
    stage.doctor(&["attack.json.gz"]);
    all.extend(stage.judged(&["security-hub.json", "security-hub-read-back.json"]));

    let mut send = |config: &str, code: i32, file: &str| {
        let stage = Stage::new(&moto, config);
        fs::copy(repository(ATTACK), stage.path().join("attack.json.gz")).unwrap();
        stage.run(
            &["run", "--rules", few(), "--from", "attack.json.gz", "--archive", "a", "--findings", "f.ndjson"],
            code,
        );
        stage.doctor(&["attack.json.gz"]);
        all.extend(stage.judged(&[file]));
    };
    send("[sink.event_bridge]", 0, "event-bridge.json");
    send("[sink.s3]\nbucket = 'permissions-trail'", 0, "s3-findings.json");
    // there is no such topic
    let topic = "[sink.sns]\ntopic = 'arn:aws:sns:us-east-1:123456789012:permissions'\ndrain_seconds = 2";
    send(topic, 3, "sns.json");

    // nobody is at the address
    let secret = "[sink.webhook]\nurl_secret = { id = 'permissions-hook', key = 'url' }\ndrain_seconds = 2";
    send(secret, 3, "secret.json");

    // it removes what was left over there
    send("state = 's3://permissions-trail/state'", 0, "s3-state.json");

    // Lambda gives the function its messages
    let stage = Stage::new(&moto, "archive.dir = 's3://permissions-trail/archive'");
    let keys = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-east-1")];
    let function = Function::start(stage.path(), &keys);
    let event = serde_json::json!({ "Records": [{
        "eventSource": "aws:sqs", "messageId": "m", "body": notice("logs/a.json.gz").to_string()
    }] });
    assert_eq!(function.call(&event), Answer::Response(serde_json::json!({ "batchItemFailures": [] })));
    drop(function);
    assert_eq!(stage.recorder.bare(), BTreeSet::new());
    // the rest is Lambda's
    let used = needed(&stage.recorder.calls());
    let allowed: BTreeSet<String> = allowed("lambda-queue.json").union(&allowed("s3-archive.json")).cloned().collect();
    let implied: BTreeSet<String> = implied("lambda-queue.json").union(&implied("s3-archive.json")).cloned().collect();
    assert_eq!(used, &allowed - &implied, "left: what is used; right: what the policies allow");

    let known = CALLS.iter().map(|call| (call.service.to_owned(), call.operation.to_owned()));
    assert_eq!(all, known.collect(), "left: what was called; right: src/aws/calls.rs");
}

/// A bucket with an object, a queue that tells of it and of one that is gone, a stream.
async fn make(moto: &Moto) {
    let sdk = sdk(&moto.url);
    let s3 = aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build());
    s3.create_bucket().bucket("permissions-trail").send().await.unwrap();
    let log = fs::read(repository(ATTACK)).unwrap();
    s3.put_object().bucket("permissions-trail").key("logs/a.json.gz").body(log.into()).send().await.unwrap();
    let left_over = "state/state.parts/1-0123456789abcdef";
    s3.put_object().bucket("permissions-trail").key(left_over).send().await.unwrap();
    let sqs = aws_sdk_sqs::Client::new(&sdk);
    let url = sqs.create_queue().queue_name("permissions-notices").send().await.unwrap().queue_url.unwrap();
    for key in ["logs/a.json.gz", "logs/gone.json.gz"] {
        sqs.send_message().queue_url(&url).message_body(notice(key).to_string()).send().await.unwrap();
    }
    let kinesis = aws_sdk_kinesis::Client::new(&sdk);
    kinesis.create_stream().stream_name("permissions").shard_count(1).send().await.unwrap();
    let record = Blob::new(r#"{"eventVersion":"1.08","eventName":"A","eventTime":"2024-08-01T12:00:00Z"}"#);
    kinesis.put_record().stream_name("permissions").partition_key("a").data(record).send().await.unwrap();
    leases::make_table(moto, "permissions-leases").await;
    let secret = serde_json::json!({ "url": "http://127.0.0.1:1/hook" }).to_string();
    moto.make_secret("permissions-hook", &secret);
}

/// S3's own, of an object that was made.
fn notice(key: &str) -> Value {
    serde_json::json!({ "Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": "us-east-1",
        "eventTime": "2024-08-01T12:00:00.000Z",
        "s3": { "bucket": { "name": "permissions-trail" }, "object": { "key": key, "size": 100, "eTag": "e" } }
    }] })
}

#[test]
fn the_table_and_the_policies_name_the_same_files() {
    let called = CALLS.iter().flat_map(|call| call.policies);
    let named = called.chain(IMPLIED.iter().flat_map(|(_, files)| *files)).map(|file| (*file).to_owned());
    let named: BTreeSet<String> = named.collect();
    let there = fs::read_dir(repository("deploy/iam")).unwrap().map(|entry| entry.unwrap().file_name());
    let there: BTreeSet<String> =
        there.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(".json")).collect();
    assert_eq!(named, there);
    for file in &there {
        let of_file = CALLS.iter().filter(|call| call.policies.contains(&file.as_str()));
        let actions: BTreeSet<String> =
            of_file.filter_map(|call| call.action).map(str::to_owned).chain(implied(file)).collect();
        assert_eq!(allowed(file), actions, "left: {file}; right: src/aws/calls.rs");
    }
}
