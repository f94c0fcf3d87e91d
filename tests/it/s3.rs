//! Buckets and queues, read by the program: the same rows and findings as from files, however it is stopped and shared.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::types::{Event, NotificationConfiguration, QueueConfiguration as Notify};
use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use serde_json::json;
use weir::aws::{self, Aws};

use crate::health::{ask, free_address};
use crate::moto::moto;
use crate::pipeline::{count, many_files, metrics};
use crate::s3_fake::{Fake, Fault};
use crate::support::{assert_nothing_is_lost, code, ended, few, lines, path, repository, signal, text, weir};

/// The program as it is run against a server, with what `weir.toml` has beside its address.
fn configure(folder: &Path, url: &str, more: &str) {
    let aws = format!("[aws]\nregion = \"us-east-1\"\nendpoint_url = \"{url}\"\n[aws.s3]\nforce_path_style = true\n");
    fs::write(folder.join("weir.toml"), format!("rules = '{}'\n{more}\n{aws}", few())).unwrap();
}

fn command(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(arguments).args(["-c", "weir.toml"]).current_dir(folder).env("NO_COLOR", "1").stdin(Stdio::null());
    command.env("AWS_ACCESS_KEY_ID", "CANARYKEY").env("AWS_SECRET_ACCESS_KEY", "CANARYSECRET");
    command.env("AWS_EC2_METADATA_DISABLED", "true").env_remove("AWS_PROFILE");
    command
}

fn run(arguments: &[&str], folder: &Path) -> Output {
    let output = command(arguments, folder).output().unwrap();
    for said in [&output.stdout, &output.stderr] {
        assert!(!text(said).contains("CANARY"), "{}", text(said));
    }
    output
}

fn begin(arguments: &[&str], folder: &Path) -> Child {
    command(arguments, folder).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn summary(folder: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(folder.join("s.json")).unwrap()).unwrap()
}

/// Key in AWS's layout for the file of this number.
fn key(number: usize) -> String {
    let day = number % 5 + 1;
    format!(
        "AWSLogs/218007301253/CloudTrail/us-east-1/2023/07/{day:02}/218007301253_CloudTrail_us-east-1_202307{day:02}T1145Z_{number:016}.json"
    )
}

/// `many_files` as objects; gives how many records each has.
fn fill(fake: &Fake, folder: &Path, copies: usize) -> u64 {
    many_files(&folder.join("logs"), copies);
    let mut records = 0;
    for number in 0..copies {
        let content = fs::read(folder.join(format!("logs/{number:06}.json"))).unwrap();
        let parsed: serde_json::Value = serde_json::from_slice(&content).unwrap();
        records = parsed["Records"].as_array().unwrap().len() as u64;
        fake.put("trail", &key(number), content);
    }
    records
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_killed_anywhere_and_started_again_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::start().await;
    let copies = 60;
    let records = fill(&fake, folder.path(), copies);
    configure(folder.path(), &fake.url, "[archive]\nbuffer_bytes = 300000");
    let whole = weir(
        &["run", "--rules", few(), "--from", "logs", "--archive", "none", "--findings", "whole.ndjson"],
        folder.path(),
    );
    assert_eq!(code(&whole), 0, "{}", text(&whole.stderr));
    let arguments = ["backfill", "s3://trail", "--archive", "a", "--findings", "f.ndjson", "--summary", "s.json"];
    let mut killed = 0;
    for wait_ms in (100..).step_by(120).take(10) {
        // some of the connections break, too
        for number in [killed, killed + 20, killed + 40] {
            fake.fault(&format!("trail/{}", key(number)), [Fault::Cut(5000)]);
        }
        let mut child = command(&arguments, folder.path()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(wait_ms));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
    }
    let last = run(&arguments, folder.path());
    assert_eq!(code(&last), 0, "{}", text(&last.stderr));
    println!("killed {killed} times");
    assert!(killed > 2, "killed {killed} times only");
    let expected = records * copies as u64;
    assert_eq!(count("a", folder.path()), (expected, expected));
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("f.ndjson"), read("whole.ndjson"));

    // every day is done, and none is listed again
    fake.world().log.clear();
    let again = run(&arguments, folder.path());
    assert_eq!(code(&again), 0);
    assert!(text(&again.stderr).contains("weir: 5 folders of days had been read before"), "{}", text(&again.stderr));
    assert!(fake.asked("GET").is_empty());
    assert!(!fake.asked("LIST").iter().any(|line| line.matches('/').count() > 7), "{:?}", fake.asked("LIST"));
    assert_eq!(count("a", folder.path()), (expected, expected));
}

#[test]
fn what_is_wrong_with_an_address_is_said_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, why) in [
        (&["backfill", "my-trail"][..], "`my-trail` does not begin with s3://"),
        (
            &["backfill", "s3://trail", "--since", "2024-08-02", "--until", "2024-08-01"],
            "nothing lies between 2024-08-02 and 2024-08-01",
        ),
        (&["backfill", "s3://trail", "--account", "1111"], "--account: `1111` is not twelve digits"),
        (&["run", "--from", "sqs://a b"], "`a b` is no name of a queue"),
        (&["run", "--from", "s3://trail", "sqs://notices"], "would be read twice"),
    ] {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--archive", "none"]);
        let output = weir(&arguments, folder.path());
        assert_eq!(code(&output), 2, "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(why), "{arguments:?}: {}", text(&output.stderr));
    }
}

/// The most memory a child had, in MB; asked until it ends.
fn peak_memory(child: &mut Child) -> u64 {
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(peak);
        thread::sleep(Duration::from_millis(20));
    }
    peak / 1000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_of_200_mb_takes_no_more_memory_than_one_of_60() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::start().await;
    configure(folder.path(), &fake.url, "");
    // a member of one MB, over and over: a gzip file may have many
    let mut flows = String::new();
    let mut lines = 0;
    while flows.len() < 1_000_000 {
        // hexadecimal digits pack badly, so that the object is too large to be read whole
        let id = blake3::hash(&u64::to_le_bytes(lines)).to_hex();
        let flow = format!(
            "2 111122223333 eni-{} 10.0.{}.1 10.0.0.2 443 49152 6 {} {} 1690000000 1690000060 ACCEPT OK\n",
            &id[..17],
            lines % 251,
            lines % 1999,
            lines * 7919 % 199_999
        );
        flows += &flow;
        lines += 1;
    }
    let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    member.write_all(flows.as_bytes()).unwrap();
    let member = member.finish().unwrap();
    let peaks = [60, 200].map(|members| {
        let packed = member.repeat(members);
        assert!(packed.len() > 5 << 20, "{} bytes", packed.len());
        let name = "111122223333_vpcflowlogs_eu-west-1_fl-1_20230722T0425Z_1.log.gz";
        let large = format!("AWSLogs/111122223333/vpcflowlogs/eu-west-1/2023/07/22/{name}");
        // the connection breaks in the middle of it
        fake.fault(&format!("trail/{large}"), [Fault::Cut(packed.len() / 2)]);
        fake.put("trail", &large, packed);
        fake.world().log.clear();
        let arguments = ["backfill", "s3://trail", "--archive", "none", "--rules", "none", "--summary", "s.json"];
        let mut child = begin(&arguments, folder.path());
        let peak = tokio::task::block_in_place(|| peak_memory(&mut child));
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        assert_eq!(summary(folder.path())["tables"]["vpc_flow"]["rows"], lines * members as u64);
        assert_eq!(fake.asked("GET").len(), 2);
        peak
    });
    println!("60 MB: {} MB at the most, 200 MB: {} MB", peaks[0], peaks[1]);
    // 140 MB more, of which a third or less may be seen
    assert!(peaks[0] > 0 && peaks[1] < peaks[0] + 45, "{peaks:?}");
}

struct Clients {
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
}

async fn clients(url: &str) -> Clients {
    let aws = Aws::new(aws::Config {
        region: Some("us-east-1".to_owned()),
        endpoint_url: Some(url.to_owned()),
        s3: aws::S3 { force_path_style: true, ..aws::S3::default() },
        ..aws::Config::default()
    });
    let (s3, sqs) = (aws.s3().await.unwrap(), aws.sqs(None).await.unwrap());
    let key = Credentials::new("test", "test", None, None, "test");
    Clients {
        s3: aws_sdk_s3::Client::from_conf(s3.config().to_builder().credentials_provider(key.clone()).build()),
        sqs: aws_sdk_sqs::Client::from_conf(sqs.config().to_builder().credentials_provider(key).build()),
    }
}

impl Clients {
    async fn put(&self, bucket: &str, key: &str, content: Vec<u8>) {
        self.s3.put_object().bucket(bucket).key(key).body(content.into()).send().await.unwrap();
    }

    async fn queue(&self, name: &str, policy: Option<&str>) -> (String, String) {
        let policy = policy.map(|arn| format!("{{\"deadLetterTargetArn\":\"{arn}\",\"maxReceiveCount\":2}}"));
        let call = self.sqs.create_queue().queue_name(name);
        let made = match policy {
            Some(policy) => call.attributes(Attribute::RedrivePolicy, policy),
            None => call,
        };
        let url = made.send().await.unwrap().queue_url.unwrap();
        let asked = self.sqs.get_queue_attributes().queue_url(&url).attribute_names(Attribute::QueueArn);
        let arn = asked.send().await.unwrap().attributes.unwrap()[&Attribute::QueueArn].clone();
        (url, arn)
    }

    /// A bucket whose new objects a queue is told of; gives the URL of the queue.
    async fn bucket_with_queue(&self, bucket: &str, queue: &str) -> String {
        let (_, dead) = self.queue(&format!("{queue}-dead"), None).await;
        let (url, arn) = self.queue(queue, Some(&dead)).await;
        self.s3.create_bucket().bucket(bucket).send().await.unwrap();
        let notify = Notify::builder().queue_arn(arn).events(Event::S3ObjectCreated).build().unwrap();
        let notify = NotificationConfiguration::builder().queue_configurations(notify).build();
        let call = self.s3.put_bucket_notification_configuration().bucket(bucket);
        call.notification_configuration(notify).send().await.unwrap();
        url
    }

    /// Messages in a queue: those there to take, and those that somebody has.
    async fn messages(&self, url: &str) -> (u64, u64) {
        let (there, taken) = (Attribute::ApproximateNumberOfMessages, Attribute::ApproximateNumberOfMessagesNotVisible);
        let asked = self.sqs.get_queue_attributes().queue_url(url);
        let asked = asked.attribute_names(there.clone()).attribute_names(taken.clone()).send().await.unwrap();
        let attributes = asked.attributes.unwrap();
        (attributes[&there].parse().unwrap(), attributes[&taken].parse().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_says_what_its_files_say() {
    let Some(moto) = moto() else { return };
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), &moto.url, "");
    let clients = clients(&moto.url).await;
    clients.s3.create_bucket().bucket("demo-trail").send().await.unwrap();
    let logs = repository("tests/data/demo/AWSLogs");
    for entry in
        walkdir::WalkDir::new(&logs).into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file())
    {
        let key = format!("all/AWSLogs/{}", entry.path().strip_prefix(&logs).unwrap().display());
        clients.put("demo-trail", &key, fs::read(entry.path()).unwrap()).await;
    }
    // job runs are in a layout of the demo's own, which a backfill says it leaves out
    let kinds = ["CloudTrail", "vpcflowlogs"].map(|kind| format!("{}/*/{kind}", path(&logs)));
    let files = [
        "run",
        "--rules",
        few(),
        "--from",
        &kinds[0],
        &kinds[1],
        "--archive",
        "none",
        "--format",
        "ndjson",
        "--summary",
        "files.json",
    ];
    let files = weir(&files, folder.path());
    assert_eq!(code(&files), 0, "{}", text(&files.stderr));
    let arguments = ["backfill", "s3://demo-trail/all/", "--archive", "a", "--format", "ndjson", "--summary", "s.json"];
    let bucket = run(&arguments, folder.path());
    assert_eq!(code(&bucket), 0, "{}", text(&bucket.stderr));
    assert!(
        text(&bucket.stderr).contains("neither CloudTrail's, VPC flow logs nor GuardDuty's findings"),
        "{}",
        text(&bucket.stderr)
    );
    let (there, here) = (summary(folder.path()), fs::read(folder.path().join("files.json")).unwrap());
    let here: serde_json::Value = serde_json::from_slice(&here).unwrap();
    assert_nothing_is_lost(&there);
    for table in ["cloudtrail", "vpc_flow"] {
        for what in ["records", "rejects", "duplicates"] {
            assert_eq!(there["tables"][table][what], here["tables"][table][what], "{table} {what}");
        }
    }
    // titles and ranks, and who did what: the same findings
    let ids = |output: &Output| {
        lines(&output.stdout).iter().map(|finding| finding["id"].to_string()).collect::<BTreeSet<_>>()
    };
    assert_eq!(ids(&bucket), ids(&files));
    assert!(ids(&bucket).len() > 20);

    // one account and one day of it, and then what is not there
    let part = [
        "backfill",
        "s3://demo-trail/all/",
        "--archive",
        "none",
        "--format",
        "ndjson",
        "--summary",
        "s.json",
        "--account",
        "307578594326",
        "--since",
        "2024-08-02",
        "--until",
        "2024-08-02",
    ];
    let whole = run(&part, folder.path());
    assert_eq!((code(&whole), summary(folder.path())["files_read"].as_u64()), (0, Some(2)));
    let says = "s3://demo-trail/all/ has nothing of what is wanted: look at the prefix, --since";
    assert!(!text(&whole.stderr).contains(says));
    let misspelt =
        run(&["backfill", "s3://demo-trail/all/", "--archive", "none", "--region", "eu_west_1"], folder.path());
    assert!(code(&misspelt) == 0 && text(&misspelt.stderr).contains(says), "{}", text(&misspelt.stderr));
    let nothing = run(&["backfill", "s3://no-such-bucket", "--archive", "none"], folder.path());
    assert_eq!(code(&nothing), 3);
    // the bucket and its AWSLogs/ are listed at once, and either may fail first
    let why =
        ["listing s3://no-such-bucket/", "there is no such thing, or it is gone: The specified bucket does not exist"];
    assert!(why.iter().all(|why| text(&nothing.stderr).contains(why)), "{}", text(&nothing.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_is_shared_and_a_killed_worker_loses_nothing() {
    let Some(moto) = moto() else { return };
    let folder = tempfile::tempdir().unwrap();
    let clients = clients(&moto.url).await;
    let url = clients.bucket_with_queue("shared-trail", "shared-notices").await;
    let copies = 40;
    many_files(&folder.path().join("logs"), copies);
    let files =
        weir(&["run", "--from", "logs", "--archive", "none", "--rules", "none", "--summary", "s.json"], folder.path());
    assert_eq!(code(&files), 0);
    let expected = summary(folder.path())["tables"]["cloudtrail"]["rows"].as_u64().unwrap() + ATTACK_ROWS;
    for number in 0..copies {
        // a name that S3 encodes in its notices
        let key = key(number).replace("218007301253_Cloud", "a b+c=d_Cloud");
        clients
            .put("shared-trail", &key, fs::read(folder.path().join(format!("logs/{number:06}.json"))).unwrap())
            .await;
    }
    // a commit every second, so that the one who is killed has done something
    configure(
        folder.path(),
        &moto.url,
        "[limits]\ncommit_seconds = 1\n[source.s3]\nvisibility_seconds = 4\nobjects_at_once = 2",
    );
    let worker = |archive: &'static str| {
        [
            "run",
            "--from",
            "sqs://shared-notices",
            "--archive",
            archive,
            "--rules",
            "none",
            "--follow",
            "--findings",
            archive_findings(archive),
            "--summary",
            summary_of(archive),
        ]
    };
    let mut first = begin(&worker("a"), folder.path());
    let second = begin(&worker("b"), folder.path());
    let begun = Instant::now();
    while !folder.path().join("a/cloudtrail").exists() {
        assert!(begun.elapsed() < Duration::from_secs(180), "no commit came");
        thread::sleep(Duration::from_millis(20));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    let again = begin(&worker("a"), folder.path());
    // what the killed one had comes back after four seconds
    while clients.messages(&url).await != (0, 0) {
        assert!(begun.elapsed() < Duration::from_secs(180), "{:?} messages are left", clients.messages(&url).await);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let stopped = |worker: Child| {
        signal(&worker, rustix::process::Signal::TERM);
        let output = ended(worker, Duration::from_secs(120));
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        assert!(!text(&output.stderr).contains("CANARY"));
    };
    stopped(second);
    // now alone, so that it is surely up when it is told to stop
    let bad = clients.sqs.send_message().queue_url(&url).message_body("no notice");
    bad.send().await.unwrap();
    clients.put("shared-trail", "attack.json.gz", fs::read(repository(ATTACK)).unwrap()).await;
    // moto may give the bad one to the poll that the stopped worker had open: it then comes four seconds later
    while clients.messages(&url).await != (0, 1) || !folder.path().join("a/reject").exists() {
        assert!(begun.elapsed() < Duration::from_secs(180), "{:?} messages are left", clients.messages(&url).await);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    stopped(again);
    let (a, b) = (count("a", folder.path()), count("b", folder.path()));
    println!("{} rows and {} rows of {expected}", a.0, b.0);
    assert!(a.0 > 0 && b.0 > 0);
    // none has a row twice
    assert_eq!((a.0, b.0), (a.1, b.1));
    // what the killed one had committed and not yet deleted may have gone to the other, too
    assert!(a.0 + b.0 >= expected, "{} and {} of {expected}", a.0, b.0);
    let summaries = ["a.json", "b.json"]
        .map(|name| serde_json::from_slice::<serde_json::Value>(&fs::read(folder.path().join(name)).unwrap()).unwrap());
    let rejects: u64 = summaries.iter().filter_map(|summary| summary["tables"]["unknown"]["rejects"].as_u64()).sum();
    assert_eq!(rejects, 1, "the bad notice is a reject once");
    // it is nobody's to delete
    assert_eq!(clients.messages(&url).await, (0, 1));
}

const ATTACK: &str = "tests/data/cloudtrail/stratus/aws.persistence.iam-create-admin-user.json.gz";
const ATTACK_ROWS: u64 = 3;

fn archive_findings(archive: &str) -> &'static str {
    if archive == "a" { "a.ndjson" } else { "b.ndjson" }
}

fn summary_of(archive: &str) -> &'static str {
    if archive == "a" { "a.json" } else { "b.json" }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_is_read_until_it_is_empty() {
    let Some(moto) = moto() else { return };
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), &moto.url, "");
    let clients = clients(&moto.url).await;
    let url = clients.bucket_with_queue("once-trail", "once-notices").await;
    clients.put("once-trail", "trail/attack.json.gz", fs::read(repository(ATTACK)).unwrap()).await;
    clients
        .s3
        .put_object()
        .bucket("once-trail")
        .key("gone.json")
        .body("{}".as_bytes().to_vec().into())
        .send()
        .await
        .unwrap();
    clients.s3.delete_object().bucket("once-trail").key("gone.json").send().await.unwrap();
    let queue = format!("sqs://{url}");
    let output =
        run(&["run", "--from", &queue, "--archive", "a", "--format", "ndjson", "--summary", "s.json"], folder.path());
    // an object could not be read
    assert_eq!(code(&output), 3, "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("cloudtrail/admin_policy_attached"), "{}", text(&output.stdout));
    let summary = summary(folder.path());
    let why = "there is no such object: it was deleted, or never there";
    assert_eq!(summary["unreadable"][0]["why"], why, "{summary}");
    assert_eq!(summary["tables"]["unknown"]["rejects"], 1);
    // the notice of the missing object waits for its next try; the others are done with
    assert_eq!(clients.messages(&url).await, (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buckets_of_three_accounts_are_used_and_one_of_a_fourth_is_told_of() {
    let (fake, folder) = (Fake::start().await, tempfile::tempdir().unwrap());
    fake.put("trail", &(key(0) + ".gz"), fs::read(repository(ATTACK)).unwrap());
    let owned = [("trail", "111122223333"), ("weir-state", "222233334444"), ("findings", "333344445555")];
    owned.iter().for_each(|(bucket, owner)| _ = fake.world().owners.insert((*bucket).to_owned(), owner));
    let run_with = |state: &str, owners: &str| {
        configure(
            folder.path(),
            &fake.url,
            &format!("state = 's3://weir-state/{state}'\n[sink.s3]\nbucket = 'findings'\ndrain_seconds = 2"),
        );
        let config = fs::read_to_string(folder.path().join("weir.toml")).unwrap();
        let owners = format!("expected_bucket_owner = '111122223333'\n[aws.s3.bucket_owners]\n{owners}\n");
        fs::write(folder.path().join("weir.toml"), config + &owners).unwrap();
        run(&["run", "--from", "s3://trail/", "--archive", "none", "--findings", "f.ndjson"], folder.path())
    };
    let denied = |owner: &str| format!("the bucket does not belong to account {owner}, as [aws.s3] says");
    let all = "weir-state = '222233334444'\nfindings = '333344445555'";
    let output = run_with("one", all);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert!(fake.asked("PUT findings/").len() == 1, "{:?}", fake.asked("PUT"));
    for (state, owners, status) in [
        ("two", "findings = '333344445555'", 4),
        ("three", "weir-state = '222233334444'", 3),
        ("four", &format!("{all}\ntrail = '444455556666'"), 3),
    ] {
        let output = run_with(state, owners);
        assert_eq!(code(&output), status, "{owners}: {}", text(&output.stderr));
        let owner = if state == "four" { "444455556666" } else { "111122223333" };
        assert!(text(&output.stderr).contains(&denied(owner)), "{owners}: {}", text(&output.stderr));
    }
    let doctor = run(&["doctor", "--from", "s3://trail/", "--archive", "none"], folder.path());
    assert!(text(&doctor.stdout).contains(&denied("444455556666")), "{}", text(&doctor.stdout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_notices_of_all_queues_are_counted_for_as_long_as_they_are_held() {
    let (fake, folder, address) = (Fake::start().await, tempfile::tempdir().unwrap(), free_address());
    configure(folder.path(), &fake.url, "[limits]\ncommit_seconds = 1");
    fake.put("logs", "slow", "{}");
    fake.put("logs", "quick", "{}");
    fake.fault("logs/slow", vec![Fault::Stall(0); 9]);
    let from = ["run", "--from", "sqs://one", "sqs://two", "--follow", "--archive", "a", "--findings", "f.ndjson"];
    let child = begin(&[&from[..], &["--metrics", &address]].concat(), folder.path());
    let begun = Instant::now();
    let send = |id: &str, key: &str| {
        let object = json!({ "bucket": { "name": "logs" }, "object": { "key": key } });
        fake.send(id, json!({ "Records": [{ "eventName": "ObjectCreated:Put", "s3": object }] }).to_string());
    };
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        while !holds() {
            assert!(begun.elapsed() < Duration::from_secs(180), "{what}");
            thread::sleep(Duration::from_millis(20));
        }
    };
    send("slow", "slow");
    until("the slow object is not asked for", &|| !fake.asked("GET logs/slow").is_empty());
    // each goes to one of the queues, and chance has both get some
    for number in 1..=10 {
        send(&number.to_string(), "quick");
        until("a notice is not deleted", &|| fake.world().deleted.len() == number);
        let holds_one = || metrics(&address).is_ok_and(|told| told.contains("\nweir_notices_held 1\n"));
        until("one is held, and something else is told", &holds_one);
    }
    signal(&child, rustix::process::Signal::KILL);
    ended(child, Duration::from_secs(120));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_not_ready_when_one_of_its_sources_has_ended() {
    let (fake, folder, address) = (Fake::start().await, tempfile::tempdir().unwrap(), free_address());
    configure(folder.path(), &fake.url, "");
    fs::create_dir(folder.path().join("logs")).unwrap();
    fake.fault("GetQueueUrl", [Fault::Refuse(400, "AWS.SimpleQueueService.NonExistentQueue", "no such queue")]);
    let from = ["run", "--from", "logs", "sqs://gone", "--follow", "--archive", "a", "--findings", "f.ndjson"];
    let child = begin(&[&from[..], &["--metrics", &address, "--summary", "s.json"]].concat(), folder.path());
    let begun = Instant::now();
    let report = loop {
        match ask(&address, "/readyz") {
            Some((503, report)) if report["sources_ended"].is_array() => break report,
            answer => assert!(begun.elapsed() < Duration::from_secs(180), "it did not come: {answer:?}"),
        }
        thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(report["sources_ended"], serde_json::json!(["sqs://gone"]), "{report}");
    signal(&child, rustix::process::Signal::TERM);
    let output = ended(child, Duration::from_secs(120));
    assert_eq!(code(&output), 3, "a source was not read: {}", text(&output.stderr));
    assert!(text(&output.stderr).contains("a source has ended"), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_backfill_that_is_killed_goes_on_behind_its_last_commit() {
    let (fake, folder) = (Fake::start().await, tempfile::tempdir().unwrap());
    configure(folder.path(), &fake.url, "[limits]\ncommit_seconds = 1");
    let each = fill(&fake, folder.path(), 4);
    fake.fault(&format!("trail/{}", key(3)), [Fault::Stall(0)]);
    let backfill = ["backfill", "s3://trail", "--archive", "a", "--summary", "s.json"];
    let mut child = begin(&backfill, folder.path());
    let begun = Instant::now();
    while !folder.path().join("a/cloudtrail").exists() {
        assert!(begun.elapsed() < Duration::from_secs(180), "no commit came");
        thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(code(&run(&backfill, folder.path())), 0);
    let summary = summary(folder.path());
    assert!(summary["files_read"].as_u64().is_some_and(|files| (1..4).contains(&files)), "{summary}");
    let (rows, ids) = count("a", folder.path());
    assert_eq!((rows, ids), (4 * each, 4 * each), "each once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_follows_and_is_told_to_stop_ends_with_0_though_an_object_was_gone() {
    let (fake, folder) = (Fake::start().await, tempfile::tempdir().unwrap());
    configure(folder.path(), &fake.url, "");
    fake.send("1", r#"{"s3Bucket":"trail","s3ObjectKey":["gone\nforged"]}"#);
    let worker =
        ["run", "--from", "sqs://trail", "--follow", "--archive", "a", "--findings", "f.ndjson", "--summary", "s.json"];
    let child = begin(&worker, folder.path());
    let begun = Instant::now();
    while fake.world().hidden.values().all(|seconds| *seconds != 30) {
        assert!(begun.elapsed() < Duration::from_secs(180), "it was not given back");
        thread::sleep(Duration::from_millis(50));
    }
    signal(&child, rustix::process::Signal::TERM);
    let output = ended(child, Duration::from_secs(120));
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert_eq!(summary(folder.path())["unreadable"][0]["name"], "s3://trail/gone\nforged");
    // who names an object writes no line of the log
    assert!(!text(&output.stderr).lines().any(|line| line.starts_with("forged")), "{}", text(&output.stderr));
}

/// A worker is stopped, as a machine that sleeps is, when it has read all and committed nothing, until another has read the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_stopped_for_too_long_commits_nothing_that_another_has_read() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::start().await;
    fake.world().clock = Some(weir::wait::boottime);
    let copies = 12;
    let expected = fill(&fake, folder.path(), copies) * copies as u64;
    for number in 0..copies {
        let told = json!({ "Records": [{ "eventName": "ObjectCreated:Put",
                                         "s3": { "bucket": { "name": "trail" }, "object": { "key": key(number) } } }] });
        fake.send(&number.to_string(), told.to_string());
    }
    configure(folder.path(), &fake.url, "[limits]\ncommit_seconds = 8\n[source.s3]\nvisibility_seconds = 4");
    let worker = |archive: &'static str| {
        let findings = archive_findings(archive);
        let arguments = ["run", "--from", "sqs://notices", "--archive", archive, "--follow", "--findings", findings];
        begin(&arguments, folder.path())
    };
    let begun = Instant::now();
    let wait_for = async |what: &str, is_there: &dyn Fn() -> bool| {
        while !is_there() {
            assert!(begun.elapsed() < Duration::from_secs(180), "{what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let first = worker("a");
    wait_for("not all was read", &|| fake.asked("GET trail/").len() == copies).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    signal(&first, rustix::process::Signal::STOP);
    assert!(fake.world().deleted.is_empty(), "it has committed");
    let second = worker("b");
    wait_for("the other did not commit", &|| fake.world().deleted.len() == copies).await;
    signal(&first, rustix::process::Signal::CONT);
    // its commit is refused, and it begins again
    let polls = || fake.asked("GetQueueUrl").len();
    wait_for("it did not begin again", &|| polls() == 3).await;
    let said = [first, second].map(|worker| {
        signal(&worker, rustix::process::Signal::TERM);
        let output = ended(worker, Duration::from_secs(120));
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        text(&output.stderr).to_owned()
    });
    assert!(said[0].contains("the queue may have told another worker of s3://trail/"), "{}", said[0]);
    assert!(!said[1].contains("may have told another"), "{}", said[1]);
    assert_eq!((count("a", folder.path()), count("b", folder.path())), ((0, 0), (expected, expected)));
}
