//! What analysts say in a strict Security Hub becomes verdicts: once each, through kills and troubles, and never over the
//! head of a person who spoke later.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::hub::{ACCESS_KEY, Analyst, HOME, Hub, SECRET, Trouble};
use crate::moto::{moto, sdk};
use crate::security_hub::{create_user, start, write_log};
use crate::support::{code, ended, lines, signal, text, weir};

const CREATED: &str = "IAM user was created";
const ATTACHED: &str = "Administrator policy was attached to a user";

/// A folder with a configuration that looks every second.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = "[limits]\ncommit_seconds = 1\n\
                  [sink.security_hub]\naccount = '111122223333'\nregion = 'eu-west-1'\nread_back_seconds = 1\n";
    fs::write(folder.path().join("weir.toml"), config).unwrap();
    folder
}

fn follow(hub: &Hub, folder: &Path) -> Child {
    start(hub, folder, &["-c", "weir.toml", "--follow", "--log", "info"])
}

fn stop(child: Child) -> String {
    signal(&child, Signal::TERM);
    let output = ended(child, Duration::from_secs(120));
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    text(&output.stderr)
}

fn attach(n: usize) -> Value {
    let mut record = create_user(n, HOME, "eu-west-1");
    record["eventName"] = json!("AttachUserPolicy");
    record["requestParameters"] =
        json!({ "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess", "userName": "eve" });
    record
}

fn verdicts(folder: &Path) -> Vec<Value> {
    lines(&fs::read(folder.join("a/_weir/feedback.ndjson")).unwrap_or_default())
}

fn wait(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(180), "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until the hub was looked at twice: a look takes two to five calls.
fn looked_twice(hub: &Hub) {
    let asked = hub.seen().asked;
    hub.wait_for("two looks", |seen| seen.asked >= asked + 10);
}

fn set(hub: &Hub, title: &str, workflow: &'static str, verification: &'static str) -> usize {
    hub.seen().judge(title, &Analyst { workflow, verification })
}

fn of<'a>(lines: &'a [Value], finding: &Value) -> Vec<&'a str> {
    let of_finding = lines.iter().filter(|line| line["finding"] == *finding);
    of_finding.map(|line| line["verdict"].as_str().unwrap()).collect()
}

#[test]
fn what_analysts_say_becomes_verdicts_once_and_people_have_the_last_word() {
    let (hub, folder) = (Hub::start(), folder());
    let folder = folder.path();
    hub.seen().page_max = 1;
    let records: Vec<Value> = (0..3).map(|n| create_user(n, HOME, "eu-west-1")).chain([attach(7)]).collect();
    write_log(folder, "1.json", &records);
    let child = follow(&hub, folder);
    hub.wait_for("four findings", |seen| seen.stored.len() == 4);
    looked_twice(&hub);
    assert!(!folder.join("a/_weir/feedback.ndjson").exists(), "nobody has said anything");

    assert_eq!(set(&hub, CREATED, "SUPPRESSED", "UNKNOWN"), 3);
    assert_eq!(set(&hub, ATTACHED, "NOTIFIED", "UNKNOWN"), 1);
    wait("three verdicts", || verdicts(folder).len() == 3);
    let said = verdicts(folder);
    assert!(said.iter().all(|line| line["verdict"] == "dismissed"), "{said:?}");
    let by = format!("Security Hub {HOME} in eu-west-1");
    assert_eq!((&said[0]["by"], &said[0]["note"]), (&json!(by), &json!("Workflow.Status SUPPRESSED")));
    assert_eq!((&said[0]["rule"], &said[0]["account"]), (&json!("cloudtrail/iam_user_created"), &json!(HOME)));

    // a kill between two looks repeats nothing
    signal(&child, Signal::KILL);
    ended(child, Duration::from_secs(120));
    let child = follow(&hub, folder);
    looked_twice(&hub);
    assert_eq!(verdicts(folder), said);

    // triage knows it
    write_log(folder, "2.json", &[create_user(20, HOME, "eu-west-1")]);
    hub.wait_for("a fifth finding", |seen| seen.stored.len() == 5);
    let fields = |user: &str| {
        let seen = hub.seen();
        let found = seen.stored.values().map(|versions| versions[0].finding["ProductFields"].clone());
        found.into_iter().find(|fields| fields["weir/actor"].as_str().unwrap().ends_with(user)).unwrap()
    };
    let bits = fields("/u20")["weir/bits.precision"].as_str().unwrap().to_owned();
    assert!(bits.contains("0 confirmed and 3 dismissed"), "{bits}");

    // a person knows better, and the hub, which says what it said, does not
    let id = said[0]["finding"].as_str().unwrap();
    let output = weir(&["feedback", id, "--confirmed", "--archive", "a", "--by", "bob"], folder);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    looked_twice(&hub);
    assert_eq!(of(&verdicts(folder), &said[0]["finding"]), ["dismissed", "confirmed"]);

    // the hub takes back what it said, and nothing else
    set(&hub, CREATED, "NEW", "UNKNOWN");
    wait("the hub's withdrawals", || verdicts(folder).len() == 8);
    looked_twice(&hub);
    let now = verdicts(folder);
    assert_eq!(of(&now, &said[1]["finding"]), ["dismissed", "withdrawn"]);
    assert_eq!(of(&now, &said[0]["finding"]), ["dismissed", "confirmed", "withdrawn", "confirmed"]);
    assert_eq!(now.len(), 8);
    let told = stop(child);
    assert!(told.contains("an analyst's verdict was read back"), "{told}");
    assert_eq!(hub.seen().wrong, Vec::<String>::new());
}

#[test]
fn a_hub_that_cannot_be_asked_is_named_and_asked_again() {
    let (hub, folder) = (Hub::start(), folder());
    let folder = folder.path();
    write_log(folder, "1.json", &[create_user(0, HOME, "eu-west-1"), attach(1)]);
    hub.seen().asking_troubles.extend([Trouble::Denied, Trouble::Denied, Trouble::Throttle, Trouble::Down]);
    let child = follow(&hub, folder);
    hub.wait_for("two findings", |seen| seen.stored.len() == 2);
    set(&hub, CREATED, "RESOLVED", "BENIGN_POSITIVE");
    set(&hub, ATTACHED, "RESOLVED", "UNKNOWN");
    wait("two verdicts", || verdicts(folder).len() == 2);
    let mut said = verdicts(folder);
    said.sort_by_key(|line| line["rule"].as_str().unwrap().to_owned());
    let told = |line: &Value| (line["verdict"].as_str().unwrap().to_owned(), line["note"].as_str().unwrap().to_owned());
    assert_eq!(told(&said[0]), ("confirmed".to_owned(), "Workflow.Status RESOLVED".to_owned()));
    assert_eq!(told(&said[1]), ("dismissed".to_owned(), "VerificationState BENIGN_POSITIVE".to_owned()));
    let log = stop(child);
    let refused = "what analysts say cannot be read back";
    assert_eq!(log.matches(refused).count(), 1, "told of once: {log}");
    assert!(log.contains("GetFindings: AccessDeniedException: ") && log.contains("can be read back again"), "{log}");
    assert_eq!(hub.seen().wrong, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_state_is_in_s3_verdicts_are_read_back_beside_it() {
    let Some(moto) = moto() else { return };
    let s3 = aws_sdk_s3::config::Builder::from(&sdk(&moto.url)).force_path_style(true).build();
    let s3 = aws_sdk_s3::Client::from_conf(s3);
    s3.create_bucket().bucket("read-back").send().await.unwrap();
    let (hub, folder) = (Hub::start(), folder());
    let folder = folder.path();
    let config = fs::read_to_string(folder.join("weir.toml")).unwrap();
    let state = format!(
        "state = 's3://read-back/w1'\nfrom = ['logs']\n{config}[aws]\nendpoint_url = '{}'\nregion = 'us-east-1'\n\
         [aws.s3]\nforce_path_style = true\n[archive]\ndir = 'none'\n",
        moto.url
    );
    fs::write(folder.join("weir.toml"), state).unwrap();
    write_log(folder, "1.json", &[create_user(0, HOME, "eu-west-1"), attach(1)]);
    let child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["run", "-c", "weir.toml", "--follow", "--findings", "f.ndjson"])
        .current_dir(folder)
        .env("AWS_ENDPOINT_URL_SECURITYHUB", &hub.url)
        .envs([("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET)])
        .envs([("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_CONFIG_FILE", "/dev/null")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    hub.wait_for("two findings", |seen| seen.stored.len() == 2);
    set(&hub, CREATED, "NEW", "FALSE_POSITIVE");
    // the worker takes it up from there, and has it archived
    hub.wait_for("the archived record", |seen| {
        let archived =
            |versions: &Vec<crate::hub::Version>| versions.last().unwrap().finding["RecordState"] == "ARCHIVED";
        seen.stored.values().filter(|versions| archived(versions)).count() == 1
    });
    looked_twice(&hub);
    let object = s3.get_object().bucket("read-back").key("w1/feedback.ndjson").send().await.unwrap();
    let said = lines(&object.body.collect().await.unwrap().into_bytes());
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!((&said[0]["verdict"], &said[0]["rule"]), (&json!("dismissed"), &json!("cloudtrail/iam_user_created")));
    stop(child);
    assert_eq!(hub.seen().wrong, Vec::<String>::new());
}

/// `RecordState` of every version of the findings of a user, in order.
fn states(hub: &Hub, user: usize) -> Vec<String> {
    let name = format!("arn:aws:iam::{HOME}:user/u{user}");
    let seen = hub.seen();
    let of_user = |versions: &&Vec<crate::hub::Version>| versions[0].finding["ProductFields"]["weir/actor"] == *name;
    let versions = seen.stored.values().find(of_user).unwrap_or_else(|| panic!("no finding of {name}"));
    versions.iter().map(|version| version.finding["RecordState"].as_str().unwrap().to_owned()).collect()
}

fn feedback(folder: &Path, id: &str, verdict: &str) {
    let output = weir(&["feedback", id, verdict, "--archive", "a"], folder);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
}

/// Ours, of the finding of a user.
fn id(hub: &Hub, user: usize) -> String {
    let name = format!("arn:aws:iam::{HOME}:user/u{user}");
    let seen = hub.seen();
    let mut findings = seen.stored.iter();
    let found = findings.find(|(_, versions)| versions[0].finding["ProductFields"]["weir/actor"] == *name);
    found.unwrap().0.2.strip_prefix("weir/").unwrap().to_owned()
}

#[test]
fn what_does_not_hold_is_archived_once_and_comes_back_when_it_holds_again() {
    let (hub, folder) = (Hub::start(), folder());
    let folder = folder.path();
    let config = fs::read_to_string(folder.join("weir.toml")).unwrap().replace("read_back_seconds = 1\n", "");
    fs::write(folder.join("weir.toml"), &config).unwrap();
    let records: Vec<Value> = (0..3).map(|n| create_user(n, HOME, "eu-west-1")).collect();
    write_log(folder, "1.json", &records);
    let child = follow(&hub, folder);
    hub.wait_for("three findings", |seen| seen.stored.len() == 3);
    let dismissed = id(&hub, 0);
    feedback(folder, &dismissed, "--dismissed");
    wait("the archived record", || states(&hub, 0) == ["ACTIVE", "ARCHIVED"]);

    // killed and started again, nothing new is told of it
    signal(&child, Signal::KILL);
    ended(child, Duration::from_secs(120));
    let child = follow(&hub, folder);
    write_log(folder, "2.json", &[create_user(3, HOME, "eu-west-1")]);
    hub.wait_for("a fourth finding", |seen| seen.stored.len() == 4);
    assert_eq!(states(&hub, 0), ["ACTIVE", "ARCHIVED"]);

    // more of what was judged to be harmless is an update of it
    let more = |n: usize| {
        let mut record = create_user(0, HOME, "eu-west-1");
        record["eventID"] = json!(format!("00000000-0000-4000-9000-{n:012}"));
        record
    };
    write_log(folder, "3.json", &[more(1), more(2)]);
    wait("an update", || states(&hub, 0) == ["ACTIVE", "ARCHIVED", "ARCHIVED"]);

    feedback(folder, &dismissed, "--withdrawn");
    wait("its return", || states(&hub, 0) == ["ACTIVE", "ARCHIVED", "ARCHIVED", "ACTIVE"]);

    // a suppression says that it does not hold either, but for what a person confirmed
    feedback(folder, &id(&hub, 1), "--confirmed");
    let suppress = "[[suppress]]\nrule = 'cloudtrail/iam_user_created'\nactor = '*:user/u[12]'\nreason = 'known'\n\
                    expires = 2099-01-01\n";
    fs::write(folder.join("weir.toml"), format!("{config}{suppress}")).unwrap();
    wait("the suppressed record", || states(&hub, 2) == ["ACTIVE", "ARCHIVED"]);
    fs::write(folder.join("weir.toml"), &config).unwrap();
    wait("its return", || states(&hub, 2) == ["ACTIVE", "ARCHIVED", "ACTIVE"]);
    stop(child);
    assert_eq!((states(&hub, 1), states(&hub, 3)), (vec!["ACTIVE".to_owned()], vec!["ACTIVE".to_owned()]));
    // the next run has nothing to say
    let calls = hub.seen().calls.len();
    let child = follow(&hub, folder);
    std::thread::sleep(Duration::from_secs(3));
    stop(child);
    assert_eq!(hub.seen().calls.len(), calls);
    assert_eq!(hub.seen().wrong, Vec::<String>::new());
}
