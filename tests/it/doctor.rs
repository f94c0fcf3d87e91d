//! `weir doctor` says what is wrong before a run does, and says nothing is when nothing is.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use aws_sdk_sqs::types::QueueAttributeName;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::hub::{ACCESS_KEY, Hub, SECRET};
use crate::moto::{moto, sdk};
use crate::support::{code, few, serve, text, weir};

/// With a few rules alone.
fn doctor(arguments: &[&str], folder: &Path, more: &[(&str, &str)]) -> Output {
    doctor_of(&[&["--rules", few()], arguments].concat(), folder, more)
}

fn doctor_of(arguments: &[&str], folder: &Path, more: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.arg("doctor").args(arguments).current_dir(folder).env("NO_COLOR", "1").stdin(Stdio::null());
    for name in ["AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"] {
        command.env_remove(name);
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.envs(more.iter().copied());
    command.output().unwrap()
}

const KEYS: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_REGION", "us-east-1")];

fn said(output: &Output) -> Vec<String> {
    text(&output.stdout).lines().map(str::to_owned).collect()
}

fn assert_says(output: &Output, line: &str) {
    let told = said(output);
    assert!(told.iter().any(|told| told.contains(line)), "`{line}` is not in {told:#?}, {}", text(&output.stderr));
}

#[test]
fn over_files_all_is_well_without_aws() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    fs::write(folder.path().join("weir.toml"), "from = ['logs']\n[metrics]\nlisten = '127.0.0.1:0'\n").unwrap();
    let output = doctor(&["-c", "weir.toml"], folder.path(), &[]);
    assert_eq!(code(&output), 0, "{}", text(&output.stdout));
    let told = said(&output);
    assert_eq!(told[0], "ok       config: weir.toml: one source");
    assert!(told[1].starts_with("ok       rules: ") && told[1].ends_with(" rules compile"), "{told:#?}");
    // a machine of tests may be a container with a limit
    assert!(told[2].starts_with("ok       memory: "), "{told:#?}");
    assert_eq!(told[3], "ok       archive: weir-archive can be made");
    assert!(told[4].contains(" disk: "), "{told:#?}");
    assert_eq!(told[5], "ok       reading logs: it can be read");
    assert_eq!(told[6], "ok       metrics: 127.0.0.1:0 can be listened on");
    assert_eq!(told[7], "ok       credentials: none are needed: nothing of AWS is read or sent to");
    assert!(told[9].ends_with("0 failed, 0 untried"), "{told:#?}");
    // it leaves nothing behind
    assert!(!folder.path().join("weir-archive").exists());
}

#[test]
fn each_thing_that_is_wrong_is_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    write("weir.toml", "from = []\n[archive]\ndri = 'x'\n");
    let output = doctor(&["-c", "weir.toml"], folder.path(), &[]);
    assert_eq!(code(&output), 2);
    let told = text(&output.stdout);
    assert!(
        told.contains("failed   config: in weir.toml:") && told.contains("line 3") && told.contains("dri"),
        "{told}"
    );

    write(
        "weir.toml",
        "from = ['no-such-folder', 'logs/*.gz', 's3://x']\ntable = 'no_such_table'\nrules = 'rules'\n\
         [limits]\nmemory = '128MiB'\n[[suppress]]\nrule = 'cloudtrail/x'\nreason = 'r'\nowner = 'o'\nexpires = '2020-01-01'\n",
    );
    write("rules/cloudtrail/broken.sql", "-- title = \"t\"\n-- severity = \"high\"\nSELECT nothing FROM cloudtrail\n");
    let output = doctor_of(&["-c", "weir.toml", "--archive", "/proc/weir"], folder.path(), &KEYS);
    assert_eq!(code(&output), 2);
    assert_says(&output, "failed   config: from: `x` is no name of a bucket");
    assert_says(&output, "failed   config: table: no table is called no_such_table");
    assert_says(&output, "warning  suppress: that of cloudtrail/x expired on 2020-01-01 and hides nothing");
    assert_says(&output, "warning  suppress: no rule is `cloudtrail/x`: it hides nothing");
    assert_says(&output, "failed   rules: left out: rules/cloudtrail/broken.sql");
    assert_says(&output, "failed   archive: /proc cannot be written");
    assert_says(&output, "failed   reading no-such-folder: there is no such file or folder");
    assert_says(&output, "warning  reading logs/*.gz: nothing matches yet");
    let limit =
        "failed   memory: limits.memory: a memory limit of 128 MiB is too low: 256 MiB is the least that Weir keeps to";
    assert_says(&output, limit);
    assert_says(&output, "7 failed");

    write(
        "weir.toml",
        "from = ['logs/*.gz']\nstate = 'weir'\n[archive]\ndir = ''\n[[canary]]\nname = 'c'\nrule = 'cloudtrail/x'\nhours = 0.0\n",
    );
    let output = doctor(&["-c", "weir.toml"], folder.path(), &KEYS);
    assert_eq!(code(&output), 2);
    assert_says(&output, "failed   config: canary: [[canary]] \"c\": `hours` is 0, and is above 0");
    assert_says(&output, "failed   config: state: state is `weir`, and no s3://BUCKET/PREFIX");
    assert_says(&output, "failed   archive: the archive has an empty name: name its folder, or none");

    // two that a run does not read together, though each is well; of flags they are tried together
    write("weir.toml", "from = ['s3://trail', 'sqs://notices']\n[aws]\nendpoint_url = 'http://127.0.0.1:1'\n");
    let (of_file, both) = (["-c", "weir.toml"], ["--from", "s3://trail", "sqs://notices"]);
    let told = "failed   config: from: an object of s3:// may be told of by sqs:// too, and would be read twice";
    assert_says(&doctor(&of_file, folder.path(), &[]), told);
    let output = doctor(&[&of_file[..], &both[..]].concat(), folder.path(), &[]);
    assert_says(&output, "ok       config: weir.toml: 2 sources");
}

#[test]
fn a_state_that_cannot_be_read_is_told_and_so_are_logs_that_are_the_archive() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    let event = r#"{"eventVersion":"1.08","eventSource":"iam.amazonaws.com","eventName":"GetUser","eventID":"e"}"#;
    fs::write(folder.path().join("logs/one.json"), event).unwrap();
    let run = weir(&["run", "--from", "logs", "--archive", "a", "--rules", "none"], folder.path());
    assert_eq!(code(&run), 0, "{}", text(&run.stderr));
    let output = doctor(&["--from", "logs", "--archive", "a"], folder.path(), &[]);
    assert_eq!(code(&output), 0, "{}", text(&output.stdout));
    assert_says(&output, "ok       state: the last commit in a/_weir/state.redb can be read");
    fs::write(folder.path().join("a/_weir/state.redb"), "").unwrap();
    let output = doctor(&["--from", "logs", "--archive", "a"], folder.path(), &[]);
    assert_says(&output, "warning  state: a has rows, and no state says what they are of");
    fs::write(folder.path().join("a/_weir/state.redb"), "damaged").unwrap();
    let output = doctor(&["--from", "a", "--archive", "a"], folder.path(), &[]);
    assert_eq!(code(&output), 2);
    assert_says(&output, "failed   state: reading a copy of a/_weir/state.redb: it is damaged");
    assert_says(&output, "failed   config: from: a is the archive too");
    // as one of another user, which root may write
    fs::remove_dir_all(folder.path().join("a/_weir/pending")).unwrap();
    fs::write(folder.path().join("a/_weir/pending"), "").unwrap();
    let output = doctor(&["--from", "logs", "--archive", "a"], folder.path(), &[]);
    assert_says(&output, "failed   archive: a/_weir/pending cannot be written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_a_queue_a_stream_and_a_hub_that_are_there_are_well() {
    let Some(moto) = moto() else { return };
    let hub = Hub::start();
    let folder = tempfile::tempdir().unwrap();
    make(&moto.url).await;
    let config = format!(
        "from = ['kinesis://doctor', 'sqs://doctor-notices']\n[aws]\nendpoint_url = '{}'\n[aws.s3]\nforce_path_style = true\n\
         [sink.security_hub]\naccount = '111122223333'\nregion = 'eu-west-1'\nregions = ['us-east-1']\n\
         read_back_seconds = 300\n",
        moto.url
    );
    fs::write(folder.path().join("weir.toml"), &config).unwrap();
    let more = [&KEYS[..], &[("AWS_ENDPOINT_URL_SECURITYHUB", hub.url.as_str())]].concat();
    let output = doctor(&["-c", "weir.toml", "--format", "json"], folder.path(), &more);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |name: &str| {
        let found = report["checks"].as_array().unwrap().iter().find(|check| check["check"] == name);
        let found = found.unwrap_or_else(|| panic!("no check is called {name}: {report:#}"));
        (found["status"].as_str().unwrap(), found["says"].as_str().unwrap())
    };
    assert_eq!(code(&output), 0, "{report:#}");
    assert_eq!(of("credentials").0, "ok");
    assert!(of("credentials").1.starts_with("arn:aws:"), "{report:#}");
    // a queue of another one is said not to be there
    assert!(of("credentials").1.ends_with("; Region us-east-1 for what names none"), "{report:#}");
    assert_eq!(of("clock").0, "ok");
    assert_eq!(of("kinesis:ListShards on kinesis://doctor"), ("ok", "2 shards"));
    assert_eq!(of("kinesis:GetRecords on kinesis://doctor").0, "ok");
    assert_eq!(of("sqs:GetQueueAttributes on sqs://doctor-notices").0, "warning");
    assert_eq!(of("sqs:SendMessage on sqs://doctor-notices").0, "warning");
    assert!(of("sqs:SendMessage on sqs://doctor-notices").1.starts_with("the queue's policy lets nobody send to it"));
    assert_eq!(of("sqs:DeleteMessage on sqs://doctor-notices").0, "ok");
    assert_eq!(of("sqs:ChangeMessageVisibility on sqs://doctor-notices").0, "ok");
    let untried = ("untried", "cannot be tried without doing it");
    assert_eq!(of("sqs:ReceiveMessage on sqs://doctor-notices"), untried);
    for region in ["eu-west-1", "us-east-1"] {
        let name = format!("securityhub:BatchImportFindings on the hub of 111122223333 in {region}");
        assert_eq!(of(&name).0, "ok");
        let name = format!("securityhub:GetFindings on the hub of 111122223333 in {region}");
        assert_eq!(of(&name).0, "ok");
    }
    assert_eq!((report["failed"].as_u64(), report["untried"].as_u64()), (Some(0), Some(2)));
    assert!(hub.seen().stored.is_empty(), "nothing is imported");

    // the bucket too, which a run may not read beside the queue, and a consumer
    fs::write(folder.path().join("weir.toml"), config + "[source.kinesis]\nfan_out = 'weir'\n").unwrap();
    let from = ["-c", "weir.toml", "--from", "s3://doctor-trail", "kinesis://doctor"];
    let output = doctor(&from, folder.path(), &more);
    assert_eq!(code(&output), 0, "{}", text(&output.stdout));
    assert_says(&output, "ok       s3:ListBucket on s3://doctor-trail/: one object");
    assert_says(&output, "ok       s3:GetObject on s3://doctor-trail/: the first object can be read");
    assert_says(&output, "ok       kinesis:DescribeStreamConsumer on kinesis://doctor: there is no consumer weir yet");
    assert_says(&output, "untried  kinesis:SubscribeToShard on kinesis://doctor: cannot be tried without doing it");

    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"*"}]}"#;
    let sqs = aws_sdk_sqs::Client::new(&sdk(&moto.url));
    let made = sqs.create_queue().queue_name("doctor-told").attributes(QueueAttributeName::Policy, policy).send().await;
    made.unwrap();
    let output = doctor(&["-c", "weir.toml", "--from", "sqs://doctor-told"], folder.path(), &more);
    assert_says(
        &output,
        "ok       sqs:SendMessage on sqs://doctor-told: its policy lets s3.amazonaws.com send notices",
    );

    let none = ["-c", "weir.toml", "--from", "s3://doctor-trail/none/"];
    let output = doctor(&none, folder.path(), &more);
    assert_says(&output, "warning  s3:ListBucket on s3://doctor-trail/none/: there is no object under this prefix");

    let from = ["-c", "weir.toml", "--from", "s3://no-such-bucket", "sqs://no-such-queue", "kinesis://no-such-stream"];
    let output = doctor(&from, folder.path(), &more);
    assert_eq!(code(&output), 2);
    for name in [
        "s3:ListBucket on s3://no-such-bucket/",
        "sqs:GetQueueUrl on sqs://no-such-queue",
        "kinesis:DescribeStreamSummary on kinesis://no-such-stream",
    ] {
        assert_says(&output, &format!("failed   {name}: there is no such thing, or it is gone"));
    }
}

/// A bucket with one object, a queue without a redrive policy, a stream of two shards.
async fn make(url: &str) {
    let sdk = sdk(url);
    let s3 = aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build());
    s3.create_bucket().bucket("doctor-trail").send().await.unwrap();
    s3.put_object().bucket("doctor-trail").key("a/b.json").body(b"{}".to_vec().into()).send().await.unwrap();
    aws_sdk_sqs::Client::new(&sdk).create_queue().queue_name("doctor-notices").send().await.unwrap();
    aws_sdk_kinesis::Client::new(&sdk).create_stream().stream_name("doctor").shard_count(2).send().await.unwrap();
}

/// A server that denies everything, saying to which access key, and whose clock is ten minutes behind.
fn denying() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let deny = async |headers: HeaderMap| {
        let theirs = std::time::SystemTime::now() - std::time::Duration::from_secs(600);
        let date = aws_smithy_types::DateTime::from(theirs).fmt(aws_smithy_types::date_time::Format::HttpDate).unwrap();
        let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let body = match kind.contains("json") {
            true => r#"{"__type":"AccessDeniedException","message":"no"}"#.to_owned(),
            false => {
                let scope = headers.get("authorization").and_then(|scope| scope.to_str().ok()).unwrap_or_default();
                let key = scope.split(['=', '/']).nth(1).unwrap_or_default();
                format!(
                    "<ErrorResponse><Error><Code>AccessDenied</Code><Message>{key} is not authorized to perform: this</Message></Error></ErrorResponse>"
                )
            }
        };
        (StatusCode::FORBIDDEN, [("date", date)], body)
    };
    let router = axum::Router::new().fallback(deny);
    serve(listener, router);
    url
}

#[test]
fn what_is_denied_is_named_with_its_policy_and_a_wrong_clock_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let url = denying();
    let role = "assume_role = { arn = 'arn:aws:iam::444455556666:role/reader' }";
    let config = format!(
        "from = ['kinesis://logs', 'sqs://notices']\n[aws]\nendpoint_url = '{url}'\n[source.kinesis]\n{role}\n\
         [sink.security_hub]\naccount = '111122223333'\nregion = 'eu-west-1'\n\
         [sink.event_bridge]\n{}\n[sink.sns]\ntopic = 'arn:aws:sns:eu-west-1:444455556666:t'\n{}\n\
         [sink.s3]\nbucket = 'findings'\n{}\n",
        role.replace("reader", "events"),
        role.replace("reader", "messages"),
        role.replace("reader", "writer")
    );
    fs::write(folder.path().join("weir.toml"), config).unwrap();
    let output = doctor(&["-c", "weir.toml"], folder.path(), &KEYS);
    assert_eq!(code(&output), 2);
    for role in ["events", "messages", "writer"] {
        assert_says(&output, &format!("failed   credentials of arn:aws:iam::444455556666:role/{role}: "));
    }
    assert_says(&output, "failed   clock: 600 s ahead of AWS's, which refuses calls that are off by 300: set it");
    assert_says(&output, "failed   credentials: access denied");
    assert_says(&output, "failed   credentials of arn:aws:iam::444455556666:role/reader: ");
    assert_says(&output, "the role's trust policy must name us and the external id");
    assert_says(
        &output,
        "failed   sqs:GetQueueUrl on sqs://notices: access denied: allow sqs:GetQueueUrl to the role Weir runs as, and look \
         at the policy of the resource; deploy/iam/s3-queue.json allows it",
    );
    assert_says(&output, "failed   securityhub:BatchImportFindings on the hub of 111122223333 in eu-west-1: no: allow");
    assert!(!text(&output.stdout).contains(SECRET) && !text(&output.stderr).contains(SECRET));
}

#[test]
fn a_profile_that_is_named_goes_before_the_keys_of_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let files =
        format!("[audit]\naws_access_key_id = AKIDAUDIT\naws_secret_access_key = {SECRET}\n[bare]\nregion = x\n");
    let file = folder.path().join("credentials");
    fs::write(&file, files).unwrap();
    let more = [&KEYS[..], &[("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap())]].concat();
    let url = denying();
    for (profile, says) in [
        ("", format!("access denied: {ACCESS_KEY} is not")),
        ("profile = 'audit'", "access denied: AKIDAUDIT is not".to_owned()),
        (
            "profile = 'bare'",
            "getting AWS credentials failed: the profile `bare` of [aws] is not there, or has".to_owned(),
        ),
        ("profile = 'none'", "getting AWS credentials failed: the profile `none` of [aws] is not there".to_owned()),
    ] {
        fs::write(folder.path().join("weir.toml"), format!("[aws]\nendpoint_url = '{url}'\n{profile}\n")).unwrap();
        let output = doctor(&["-c", "weir.toml", "--from", "sqs://notices"], folder.path(), &more);
        assert_eq!(code(&output), 2);
        assert_says(&output, &format!("failed   credentials: {says}"));
    }
}

#[test]
fn a_login_that_is_over_is_told_with_what_renews_it() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = "[profile new]\nsso_session = s\nsso_account_id = 111122223333\nsso_role_name = audit\n\
                    [profile old]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\n\
                    sso_account_id = 111122223333\nsso_role_name = audit\n\
                    [sso-session s]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\n";
    fs::write(folder.path().join("profiles"), profiles).unwrap();
    fs::write(folder.path().join("weir.toml"), "from = ['sqs://a']\n").unwrap();
    let home = folder.path().to_str().unwrap();
    for profile in ["new", "old"] {
        let set =
            [("HOME", home), ("AWS_CONFIG_FILE", "profiles"), ("AWS_PROFILE", profile), ("AWS_REGION", "us-east-1")];
        let output = doctor(&["-c", "weir.toml"], folder.path(), &set);
        assert_eq!(code(&output), 2);
        assert_says(&output, "failed   credentials: there is no session of IAM Identity Center, or it is over");
        assert_says(&output, "log in anew, as with `aws sso login`");
    }
}

#[test]
fn without_credentials_or_a_way_to_aws_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let output = doctor(&["--from", "kinesis://logs"], folder.path(), &[("AWS_REGION", "us-east-1")]);
    assert_eq!(code(&output), 2);
    assert_says(&output, "failed   credentials: no AWS credentials were found: set AWS_PROFILE");
    assert_says(&output, "untried  clock: nobody at AWS has told the time");
    let output = doctor(&["--from", "s3://my-trail"], folder.path(), &KEYS[..2]);
    assert_says(&output, "failed   credentials: no AWS Region is set");
    // nobody listens there
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{closed}");
    let more = [&KEYS[..], &[("AWS_ENDPOINT_URL", endpoint.as_str())]].concat();
    let output = doctor(&["--from", "kinesis://logs"], folder.path(), &more);
    assert_says(&output, "failed   kinesis:DescribeStreamSummary on kinesis://logs: cannot connect");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_in_s3_is_tried_without_changing_it() {
    let Some(moto) = moto() else { return };
    let folder = tempfile::tempdir().unwrap();
    let s3 = aws_sdk_s3::config::Builder::from(&sdk(&moto.url)).force_path_style(true).build();
    let s3 = aws_sdk_s3::Client::from_conf(s3);
    s3.create_bucket().bucket("doctor-state").send().await.unwrap();
    let config = |bucket: &str| {
        let aws = format!("[aws]\nendpoint_url = '{}'\n[aws.s3]\nforce_path_style = true\n", moto.url);
        let config = format!(
            "state = 's3://{bucket}/w1'\nfrom = ['x']\n[limits]\nmemory = '592MiB'\n[archive]\ndir = 'none'\n{aws}"
        );
        fs::write(folder.path().join("weir.toml"), config).unwrap();
    };
    fs::write(folder.path().join("x"), "").unwrap();
    config("doctor-state");
    let key = "s3://doctor-state/w1/state.weir";
    let output = doctor(&["-c", "weir.toml"], folder.path(), &KEYS);
    assert_says(&output, "ok       memory: 592 MiB: everything has 50% of its usual size");
    assert_says(&output, &format!("ok       s3:GetObject on {key}: there is no state yet: `weir run` begins it"));
    assert_says(&output, &format!("ok       s3:PutObject on {key}: it may be written, on conditions"));
    let there = s3.list_objects_v2().bucket("doctor-state").send().await.unwrap();
    assert_eq!(there.key_count, Some(0));

    s3.put_object().bucket("doctor-state").key("w1/state.weir").body(b"state".to_vec().into()).send().await.unwrap();
    let output = doctor(&["-c", "weir.toml"], folder.path(), &KEYS);
    assert_says(&output, &format!("ok       s3:GetObject on {key}: there is a state"));
    assert_says(&output, &format!("ok       s3:PutObject on {key}: it may be written, on conditions"));
    let state = s3.get_object().bucket("doctor-state").key("w1/state.weir").send().await.unwrap();
    assert_eq!(state.body.collect().await.unwrap().into_bytes(), "state");

    // as the task of a stack has it, by flags alone
    let more =
        [&KEYS[..], &[("AWS_ENDPOINT_URL", moto.url.as_str()), ("AWS_ENDPOINT_URL_SECURITYHUB", moto.url.as_str())]]
            .concat();
    let hub = ["--archive", "none", "--security-hub", "123456789012/us-east-1"];
    let by_flags = [&["--from", "x", "--state", "s3://doctor-state/w1"], &hub[..]].concat();
    assert_says(&doctor(&by_flags, folder.path(), &more), &format!("ok       s3:GetObject on {key}: there is a state"));
    let kinesis = aws_sdk_kinesis::Client::new(&sdk(&moto.url));
    kinesis.create_stream().stream_name("doctor-leases").shard_count(1).send().await.unwrap();
    let by_flags = ["--from", "kinesis://doctor-leases", "--archive", "none", "--leases", "no-such-leases"];
    let output = doctor(&by_flags, folder.path(), &more);
    assert_says(&output, "failed   dynamodb:Scan on table no-such-leases: ");

    config("doctor-no-such-bucket");
    let output = doctor(&["-c", "weir.toml"], folder.path(), &KEYS);
    assert_eq!(code(&output), 2);
    assert_says(&output, "failed   s3:GetObject on s3://doctor-no-such-bucket/w1/state.weir: there is no such thing");
}

#[test]
fn a_secret_is_tried_and_never_shown() {
    let Some(moto) = moto() else { return };
    let folder = tempfile::tempdir().unwrap();
    let hook = "https://hooks.example.com/services/canary0canary0canary";
    moto.make_secret("doctor-hook", hook);
    moto.make_secret("doctor-none", "canary0canary0canary");
    let tried = |url: &str, id: &str| {
        let config = format!("[aws]\nendpoint_url = '{url}'\n[sink.webhook]\nurl_secret = {{ id = '{id}' }}\n");
        fs::write(folder.path().join("weir.toml"), config).unwrap();
        let output = doctor(&["-c", "weir.toml"], folder.path(), &KEYS);
        assert!(!text(&output.stdout).contains("canary") && !text(&output.stderr).contains("canary"));
        output
    };
    let output = tried(&moto.url, "doctor-hook");
    assert_says(&output, "ok       secretsmanager:GetSecretValue on doctor-hook: it holds an address");
    assert_says(&output, "untried  a message on the webhook: cannot be tried without doing it");
    let on = "failed   secretsmanager:GetSecretValue on";
    let output = tried(&moto.url, "doctor-none");
    assert_says(
        &output,
        &format!("{on} doctor-none: UnusableSecret: in the secret doctor-none of Secrets Manager there is"),
    );
    let output = tried(&moto.url, "doctor-missing");
    assert_eq!(code(&output), 2);
    assert_says(&output, &format!("{on} doctor-missing: ResourceNotFoundException: the secret doctor-missing of"));
    let output = tried(&denying(), "doctor-hook");
    assert_says(&output, &format!("{on} doctor-hook: the secret doctor-hook of Secrets Manager: no: allow"));
    assert_says(&output, "to the role that Weir has there; deploy/iam/secret.json allows it");

    // where the environment has the address, AWS is not asked who we are
    fs::write(folder.path().join("weir.toml"), "[sink.webhook]\nurl_env = 'HOOK'\n").unwrap();
    let output = doctor(&["-c", "weir.toml"], folder.path(), &[("HOOK", hook)]);
    assert_says(&output, "ok       credentials: none are needed: nothing of AWS is read or sent to");
}

#[test]
fn a_sink_that_is_wrong_hides_no_other_and_a_missing_login_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let sinks = "[aws]\nregion = 'eu-west-1'\n[sink.event_bridge]\n[sink.sns]\ntopic = 'no-arn'\n";
    fs::write(folder.path().join("weir.toml"), format!("from = ['s3://logs/a']\n{sinks}")).unwrap();
    let output = doctor_of(&["-c", "weir.toml", "--rules", "none"], folder.path(), &[("TMPDIR", "/proc/none")]);
    assert_eq!(code(&output), 2);
    assert_says(&output, "failed   config: sink: ");
    let told = said(&output);
    let bus = told.iter().position(|line| line.starts_with("failed   events:PutEvents on the bus default: "));
    let bus = bus.unwrap_or_else(|| panic!("{told:#?}"));
    assert!(told[bus].contains("no AWS credentials were found: set AWS_PROFILE"), "{told:#?}");
    assert!(told.iter().all(|line| !line.starts_with(' ')), "each is one line: {told:#?}");
    assert_says(&output, "warning  temporary files: no temporary file can be made in /proc/none: ");
    assert_says(&output, "let TMPDIR name a folder that can be written; Parquet objects over 4 MiB need it");
    let output = doctor_of(&["--rules", "none", "--archive", "s3://logs/archive"], folder.path(), &[]);
    assert_says(&output, "failed   archive: `s3://logs/archive` is no folder");
}
