//! Findings to a strict Security Hub over HTTP: through partial failures, throttling, outages and kills each is accepted,
//! and none is shown twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::hub::{ACCESS_KEY, HOME, Hub, SECRET, Seen, Trouble};
use crate::support::{code, ended, few, repository, signal, text, weir};

const OTHER: &str = "444455556666";

/// A call that makes one finding of `cloudtrail/iam_user_created`.
pub fn create_user(n: usize, account: &str, region: &str) -> Value {
    let recorded = "tests/data/cloudtrail/stratus/aws.persistence.iam-create-admin-user.json.gz";
    let mut log = String::new();
    flate2::read::MultiGzDecoder::new(fs::File::open(repository(recorded)).unwrap()).read_to_string(&mut log).unwrap();
    let mut log: Value = serde_json::from_str(&log).unwrap();
    let mut record = log["Records"][2].take();
    assert_eq!(record["eventName"], "CreateUser");
    record["eventID"] = json!(format!("00000000-0000-4000-8000-{n:012}"));
    record["recipientAccountId"] = json!(account);
    record["awsRegion"] = json!(region);
    record["userAgent"] = json!("aws-cli/2.15");
    record["userIdentity"]["arn"] = json!(format!("arn:aws:iam::{account}:user/u{n}"));
    record["userIdentity"]["userName"] = json!(format!("u{n}"));
    record["userIdentity"]["accountId"] = json!(account);
    record
}

/// Puts a log into the folder that is read.
pub fn write_log(folder: &Path, name: &str, records: &[Value]) {
    fs::create_dir_all(folder.join("logs")).unwrap();
    // following, a file that is seen is read: it comes whole
    fs::write(folder.join("new"), json!({ "Records": records }).to_string()).unwrap();
    fs::rename(folder.join("new"), folder.join("logs").join(name)).unwrap();
}

pub fn start(hub: &Hub, folder: &Path, more: &[&str]) -> Child {
    let rules = if more.contains(&"--rules") { &[][..] } else { &["--rules", few()] };
    Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["run", "--from", "logs", "--archive", "a", "--findings", "f.ndjson", "--format", "ndjson"])
        .args(["--summary", "s.json"])
        .args(rules)
        .args(more)
        .current_dir(folder)
        .env("AWS_ENDPOINT_URL", &hub.url)
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env_remove("AWS_SESSION_TOKEN")
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_REGION")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn run(hub: &Hub, folder: &Path, more: &[&str]) -> Output {
    ended(start(hub, folder, more), Duration::from_secs(120))
}

fn sent(folder: &Path) -> Value {
    let summary: Value = serde_json::from_slice(&fs::read(folder.join("s.json")).unwrap()).unwrap();
    summary["security_hub"].clone()
}

const HUB: [&str; 2] = ["--security-hub", "111122223333/eu-west-1"];

/// Who is named by the findings that were imported.
fn actors(seen: &Seen) -> BTreeSet<String> {
    seen.stored.values().map(|versions| actor(&versions[0].finding)).collect()
}

fn actor(finding: &Value) -> String {
    finding["ProductFields"]["weir/actor"].as_str().unwrap().to_owned()
}

fn users(numbers: std::ops::Range<usize>) -> BTreeSet<String> {
    numbers.map(|n| format!("arn:aws:iam::{HOME}:user/u{n}")).collect()
}

#[test]
fn partial_failures_throttling_and_an_outage_lose_nothing() {
    let (hub, folder) = (Hub::start(), tempfile::tempdir().unwrap());
    let records: Vec<Value> = (0..250).map(|n| create_user(n, HOME, "eu-west-1")).collect();
    write_log(folder.path(), "1.json", &records);
    hub.seen().flaky.insert("IAM user was created".into());
    hub.seen().troubles.extend([Trouble::Throttle, Trouble::Down, Trouble::Down, Trouble::Lost, Trouble::Throttle]);
    let output = run(&hub, folder.path(), &HUB);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let seen = hub.seen();
    assert_eq!(seen.wrong, Vec::<String>::new());
    assert_eq!(actors(&seen), users(0..250));
    assert!(seen.stored.values().all(|versions| versions.len() == 1), "a finding is there in two versions");
    assert_eq!(sent(folder.path()), json!({ "accepted": 250, "refused": 0, "waiting": 0, "why": null }));
}

#[test]
fn what_is_refused_is_named_and_counted_and_the_rest_goes_on() {
    let (hub, folder) = (Hub::start(), tempfile::tempdir().unwrap());
    let records: Vec<Value> = (0..5).map(|n| create_user(n, HOME, "eu-west-1")).collect();
    let mut refused = create_user(5, HOME, "eu-west-1");
    refused["eventName"] = json!("AttachUserPolicy");
    refused["requestParameters"] =
        json!({ "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess", "userName": "eve" });
    write_log(folder.path(), "1.json", &[records, vec![refused]].concat());
    hub.seen().poison.insert("Administrator policy was attached to a user".into());
    let output = run(&hub, folder.path(), &HUB);
    assert_eq!(code(&output), 3);
    let says = text(&output.stderr);
    let named = "security hub will not take a finding id=\"weir/";
    assert!(says.contains(named) && says.contains("code=\"InvalidInput\" why=\"of the test\""), "{says}");
    assert!(says.contains("security hub: 5 accepted, 1 refused\n"), "{says}");
    assert_eq!(actors(&hub.seen()), users(0..5));
}

#[test]
fn killed_at_any_moment_each_finding_is_accepted_and_none_is_shown_twice() {
    let (hub, folder) = (Hub::start(), tempfile::tempdir().unwrap());
    let follow = [&HUB[..], &["--follow"]].concat();
    let (files, of_file) = (12, 40);
    for file in 0..files {
        let records: Vec<Value> = (0..of_file).map(|n| create_user(file * of_file + n, HOME, "eu-west-1")).collect();
        // one finding grows with every file
        let mut growing = create_user(files * of_file, HOME, "eu-west-1");
        growing["eventID"] = json!(format!("00000000-0000-4000-9000-{file:012}"));
        {
            let mut seen = hub.seen();
            seen.troubles
                .extend([Trouble::Down, Trouble::Lost, Trouble::Throttle].into_iter().cycle().skip(file).take(2));
        }
        let mut child = start(&hub, folder.path(), &follow);
        write_log(folder.path(), &format!("{file:02}.json"), &[records, vec![growing]].concat());
        // before the commit, at it, or while findings are sent
        std::thread::sleep(Duration::from_millis(300 + 170 * file as u64));
        assert!(child.try_wait().unwrap().is_none(), "the program ended by itself");
        signal(&child, Signal::KILL);
        ended(child, Duration::from_secs(120));
    }
    // waits double with every trouble in a row
    hub.seen().troubles.truncate(2);
    let child = start(&hub, folder.path(), &follow);
    hub.wait_for("every finding", |seen| actors(seen).len() == files * of_file + 1);
    signal(&child, Signal::TERM);
    let output = ended(child, Duration::from_secs(120));
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));

    let seen = hub.seen();
    assert_eq!(seen.wrong, Vec::<String>::new());
    assert_eq!(actors(&seen), users(0..files * of_file + 1));
    let came_again = seen.stored.values().flatten().any(|version| version.times > 1);
    assert!(came_again, "no answer was lost: this showed nothing");
    for versions in seen.stored.values() {
        // a version more says something more
        let counts: Vec<&str> =
            versions.iter().map(|one| one.finding["ProductFields"]["weir/count"].as_str().unwrap()).collect();
        assert_eq!(counts.iter().collect::<BTreeSet<_>>().len(), counts.len(), "{counts:?}");
    }
    let last: BTreeMap<String, String> = seen
        .stored
        .values()
        .map(|versions| {
            let newest = versions.iter().max_by(|a, b| a.updated_at.cmp(&b.updated_at)).unwrap();
            (actor(&newest.finding), newest.finding["ProductFields"]["weir/count"].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(last[&format!("arn:aws:iam::{HOME}:user/u{}", files * of_file)], "12");
}

#[test]
fn an_outage_at_the_end_leaves_the_findings_for_the_next_run() {
    let (hub, folder) = (Hub::start(), tempfile::tempdir().unwrap());
    write_log(folder.path(), "1.json", &(0..3).map(|n| create_user(n, HOME, "eu-west-1")).collect::<Vec<_>>());
    let config = "[sink.security_hub]\naccount = '111122223333'\nregion = 'eu-west-1'\ndrain_seconds = 1\n";
    fs::write(folder.path().join("weir.toml"), config).unwrap();
    hub.seen().troubles.extend(vec![Trouble::Down; 40]);
    let output = run(&hub, folder.path(), &["-c", "weir.toml"]);
    assert_eq!(code(&output), 3);
    let says = text(&output.stderr);
    let waits =
        "security hub: 0 accepted, 0 refused, 3 wait for the next run (111122223333 in eu-west-1: InternalException: ";
    assert!(says.contains(waits), "{says}");
    // a run without a way there keeps them
    assert_eq!(code(&weir(&["run", "--rules", few(), "--from", "logs", "--archive", "a"], folder.path())), 0);
    let first: Vec<String> = hub.seen().calls[0].1.clone();

    hub.seen().troubles.clear();
    let output = run(&hub, folder.path(), &["-c", "weir.toml"]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert_eq!(sent(folder.path())["accepted"], 3);
    let ids: BTreeSet<String> = hub.seen().stored.keys().map(|(.., id)| id.clone()).collect();
    assert_eq!(ids, first.into_iter().collect());
    // a third has nothing to send
    let calls = hub.seen().calls.len();
    assert_eq!(code(&run(&hub, folder.path(), &["-c", "weir.toml"])), 0);
    assert_eq!(hub.seen().calls.len(), calls);
}

#[test]
fn what_was_found_before_there_was_a_way_is_sent() {
    let (hub, folder) = (Hub::start(), tempfile::tempdir().unwrap());
    write_log(folder.path(), "1.json", &[create_user(0, HOME, "eu-west-1"), create_user(1, HOME, "eu-west-1")]);
    assert_eq!(code(&weir(&["run", "--rules", few(), "--from", "logs", "--archive", "a"], folder.path())), 0);
    let output = run(&hub, folder.path(), &HUB);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert_eq!(actors(&hub.seen()), users(0..2));
}

/// `cloudtrail/iam_user_created` with a critical finding in every 67.
const GRADED: &str = r#"-- title    = "IAM user was created"
-- severity = "low"
-- tags     = ["attack.persistence"]
-- remedy   = "Ask who made it."
SELECT CASE WHEN CAST(substr(userIdentity.userName, 2) AS INT) % 67 = 3 THEN 'critical' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventName = 'CreateUser'
"#;

#[test]
fn ten_thousand_arrive_once_each_within_the_rate_and_criticals_first() {
    let (hub, folder) = (Hub::start(), tempfile::tempdir().unwrap());
    fs::create_dir_all(folder.path().join("rules/cloudtrail")).unwrap();
    fs::write(folder.path().join("rules/cloudtrail/iam_user_created.sql"), GRADED).unwrap();
    let record = create_user(0, HOME, "eu-west-1").to_string();
    let records: Vec<Value> = (0..10_000)
        .map(|n| record.replace("-000000000000\"", &format!("-{n:012}\"")).replace("u0\"", &format!("u{n}\"")))
        .map(|record| serde_json::from_str(&record).unwrap())
        .collect();
    write_log(folder.path(), "1.json", &records);
    let config = "[sink.security_hub]\naccount = '111122223333'\nregion = 'eu-west-1'\ndrain_seconds = 100\n";
    fs::write(folder.path().join("weir.toml"), config).unwrap();
    let output = run(&hub, folder.path(), &["-c", "weir.toml", "--rules", "only:rules"]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let seen = hub.seen();
    assert_eq!(seen.wrong, Vec::<String>::new());
    assert_eq!((seen.stored.len(), seen.calls.len()), (10_000, 100));
    assert!(seen.stored.values().all(|versions| versions.len() == 1 && versions[0].times == 1));
    let is_critical = |id: &String| {
        let versions = &seen.stored[&(HOME.to_owned(), "eu-west-1".to_owned(), id.clone())];
        versions[0].finding["FindingProviderFields"]["Severity"]["Label"] == "CRITICAL"
    };
    let of_call = |ids: &[String]| ids.iter().filter(|id| is_critical(id)).count();
    // 90 of a call's findings are the most urgent: two calls hold all 150, and ten may be under way at once
    let first: usize = seen.calls[..10].iter().map(|(_, ids)| of_call(ids)).sum();
    assert_eq!(first, 150);
    // the rate allows seven seconds; a loaded machine takes longer, and the outbox's own test owns its clock
    println!("10,000 findings took {:.2} s", (seen.calls[99].0 - seen.calls[0].0).as_secs_f64());
}

#[test]
fn findings_go_to_the_hub_of_their_account_and_region_by_its_role() {
    let (hub, folder) = (Hub::start(), tempfile::tempdir().unwrap());
    let places = [(HOME, "eu-west-1"), (HOME, "us-east-1"), (OTHER, "us-east-1"), (OTHER, "sa-east-1")];
    let mut records: Vec<Value> =
        places.iter().enumerate().map(|(n, (account, region))| create_user(n, account, region)).collect();
    records.push(create_user(9, "777788889999", "us-east-1"));
    write_log(folder.path(), "1.json", &records);
    let config = "[sink.security_hub]\naccount = '111122223333'\nregion = 'eu-west-1'\nregions = ['us-east-1']\n\
                  roles = [{ arn = 'arn:aws:iam::444455556666:role/weir', external_id = 'weir' }]\n";
    fs::write(folder.path().join("weir.toml"), config).unwrap();
    let output = run(&hub, folder.path(), &["-c", "weir.toml"]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let seen = hub.seen();
    assert_eq!(seen.wrong, Vec::<String>::new());
    let found: BTreeSet<(String, String, String)> = seen
        .stored
        .iter()
        .map(|((account, region, _), versions)| (account.clone(), region.clone(), actor(&versions[0].finding)))
        .collect();
    let expected = [
        (HOME, "eu-west-1", format!("arn:aws:iam::{HOME}:user/u0")),
        (HOME, "us-east-1", format!("arn:aws:iam::{HOME}:user/u1")),
        (OTHER, "us-east-1", format!("arn:aws:iam::{OTHER}:user/u2")),
        (OTHER, "eu-west-1", format!("arn:aws:iam::{OTHER}:user/u3")),
        // nobody may import for that account
        (HOME, "us-east-1", "arn:aws:iam::777788889999:user/u9".to_owned()),
    ];
    assert_eq!(found, expected.map(|(account, region, actor)| (account.to_owned(), region.to_owned(), actor)).into());
}

#[test]
fn a_hub_that_is_not_enabled_is_named_and_does_not_hold_up_the_end() {
    let (hub, folder) = (Hub::start(), tempfile::tempdir().unwrap());
    write_log(folder.path(), "1.json", &[create_user(0, HOME, "eu-west-1")]);
    hub.seen().troubles.extend(vec![Trouble::Denied; 40]);
    let config = "[sink.security_hub]\naccount = '111122223333'\nregion = 'eu-west-1'\ndrain_seconds = 600\n";
    fs::write(folder.path().join("weir.toml"), config).unwrap();
    let output = ended(start(&hub, folder.path(), &["-c", "weir.toml"]), Duration::from_secs(150));
    assert_eq!(code(&output), 3);
    assert!(
        text(&output.stderr).contains("1 wait for the next run (111122223333 in eu-west-1: InvalidAccessException: ")
    );
}

#[test]
fn security_hub_needs_an_archive_and_a_hub() {
    let folder = tempfile::tempdir().unwrap();
    let run = |more: &[&str]| {
        let output = weir(&[&["run", "--rules", few(), "--from", "logs"], more].concat(), folder.path());
        (code(&output), text(&output.stderr))
    };
    let (exit, says) = run(&["--security-hub", "111122223333/eu-west-1", "--archive", "none"]);
    assert!(exit == 2 && says.contains("need an archive"), "{says}");
    let (exit, says) = run(&["--security-hub", "eu-west-1"]);
    assert!(exit == 2 && says.contains("`eu-west-1` is not ACCOUNT/REGION"), "{says}");
    let (exit, says) = run(&["--read-back", "300"]);
    assert!(exit == 2 && says.contains("--read-back asks Security Hub"), "{says}");
}
