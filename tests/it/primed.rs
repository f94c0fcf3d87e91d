//! Rules that ask what is new know it from the archive: at the first start with them, and when they come while a run goes on.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::{Value, json};
use weir::pipeline::commit::State;

use crate::support::{code, ended, lines, signal, start, text, weir, whole_lines};

const RULE: &str = "-- title = \"New call\"\n-- severity = \"low\"\n-- tags = [\"attack.impact\"]\n-- remedy = \"Look.\"\n\
SELECT userIdentity.arn AS actor, eventName, count(*) AS times\nFROM cloudtrail\nWHERE eventSource = 's3.amazonaws.com'\n\
GROUP BY userIdentity.arn, eventName, tumble(eventTime, INTERVAL '1 day')\nHAVING first_seen(eventName, INTERVAL '30 days')\n";

/// A file with a call of each name, so many days ago.
fn calls(folder: &Path, days_ago: i64, names: &[&str]) {
    write(folder, days_ago, days_ago * 24, names);
}

/// The same, so many hours ago.
fn calls_at(folder: &Path, hours_ago: i64, names: &[&str]) {
    write(folder, hours_ago, hours_ago, names);
}

fn write(folder: &Path, name: i64, hours_ago: i64, names: &[&str]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let time = weir::time::Timestamp((now.as_micros() as i64) - hours_ago * 3_600_000_000);
    let event = |call: &&str| {
        json!({
            "eventVersion": "1.08", "eventID": format!("{call}-{name}"), "eventTime": time.to_string(),
            "eventSource": "s3.amazonaws.com", "eventName": call, "awsRegion": "us-east-1",
            "sourceIPAddress": "198.51.100.7", "userAgent": "x", "recipientAccountId": "111122223333",
            "eventType": "AwsApiCall",
            "userIdentity": { "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve", "accountId": "111122223333" },
        })
    };
    let events: Vec<Value> = names.iter().map(event).collect();
    fs::write(folder.join(format!("logs/{name}.json")), json!({ "Records": events }).to_string()).unwrap();
}

/// An archive of a week in which nobody deleted a bucket, and of one call by a clock that is wrong by a lifetime.
fn a_week() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    (2..9).for_each(|days| calls(folder.path(), days, &["GetObject", "ListObjects"]));
    calls(folder.path(), -27_000, &["GetObject"]);
    let ran = weir(&["run", "--from", "logs", "--archive", "a", "--rules", "none", "--findings", "f"], folder.path());
    assert_eq!(code(&ran), 0, "{}", text(&ran.stderr));
    folder
}

/// Of a run over `logs` with the rules of the folder alone: its findings, its summary, and what it said.
fn run(folder: &Path, archive: &str) -> (Vec<Value>, Value, String) {
    let from = ["run", "--from", "logs", "--archive", archive, "--rules", "only:rules", "--format", "ndjson"];
    let ran = weir(&[&from[..], &["--findings", "-", "--summary", "s.json"]].concat(), folder);
    assert_eq!(code(&ran), 0, "{}", text(&ran.stderr));
    let summary = fs::read(folder.join("s.json")).unwrap();
    (lines(&ran.stdout), serde_json::from_slice(&summary).unwrap(), text(&ran.stderr))
}

fn names(findings: &[Value]) -> Vec<&str> {
    findings.iter().map(|finding| finding["evidence"]["eventname"].as_str().unwrap_or_default()).collect()
}

#[test]
fn a_rule_that_is_added_knows_what_the_archive_has() {
    let folder = a_week();
    let add = |folder: &Path| {
        fs::create_dir_all(folder.join("rules/cloudtrail")).unwrap();
        fs::write(folder.join("rules/cloudtrail/new_call.sql"), RULE).unwrap();
        calls(folder, 1, &["GetObject", "DeleteBucket"]);
    };
    add(folder.path());
    let (found, _, said) = run(folder.path(), "a");
    assert_eq!(names(&found), ["DeleteBucket"], "{said}");
    assert!(said.contains("1 rule knows what is new from 14 archived rows of 7 days"), "{said}");

    // over the whole archive the same
    let tried = weir(&["backtest", "rules", "--archive", "a", "--format", "ndjson"], folder.path());
    let tried = lines(&tried.stdout);
    assert_eq!(names(&tried), ["DeleteBucket"]);
    assert_eq!(found[0]["id"], tried[0]["id"]);

    // from then on it remembers by itself
    calls(folder.path(), 0, &["GetObject", "DeleteBucket", "PutObject"]);
    let (found, _, said) = run(folder.path(), "a");
    assert!(!said.contains("what is new"), "{said}");
    assert!(names(&found).contains(&"PutObject") && !names(&found).contains(&"GetObject"), "{found:?}");

    // without an archive nothing is known, and so nothing is new
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    add(folder.path());
    let (found, _, said) = run(folder.path(), "a");
    assert_eq!((found.len(), said.contains("what is new")), (0, false), "{said}");
}

#[test]
fn a_look_at_the_archive_that_failed_is_tried_again() {
    let folder = a_week();
    fs::create_dir_all(folder.path().join("rules/cloudtrail")).unwrap();
    fs::write(folder.path().join("rules/cloudtrail/new_call.sql"), RULE).unwrap();
    let files =
        walkdir::WalkDir::new(folder.path().join("a/cloudtrail")).into_iter().map(|entry| entry.unwrap().into_path());
    let file = files.filter(|path| path.extension().is_some_and(|end| end == "parquet")).min().unwrap();
    let whole = fs::read(&file).unwrap();
    fs::write(&file, "damaged").unwrap();
    calls(folder.path(), 1, &["GetObject"]);
    let (found, _, said) = run(folder.path(), "a");
    assert!(found.is_empty() && said.contains("the next start tries again"), "{said}");
    fs::write(&file, whole).unwrap();
    calls(folder.path(), 0, &["GetObject", "DeleteBucket"]);
    let (found, _, said) = run(folder.path(), "a");
    assert_eq!(names(&found), ["DeleteBucket"], "{said}");
}

#[test]
fn a_rule_that_comes_while_a_run_goes_on_knows_what_the_archive_has() {
    let folder = a_week();
    fs::create_dir_all(folder.path().join("rules/cloudtrail")).unwrap();
    let hello = RULE[..RULE.find("SELECT").unwrap()].to_owned()
        + "SELECT eventTime FROM cloudtrail WHERE eventName = 'Hello'\n";
    fs::write(folder.path().join("rules/cloudtrail/hello.sql"), hello).unwrap();
    fs::write(folder.path().join("weir.toml"), "[limits]\nreload_seconds = 1\n").unwrap();
    let from = ["run", "-c", "weir.toml", "--from", "logs", "--follow", "--archive", "a", "--rules", "only:rules"];
    let mut child = start(&[&from[..], &["--findings", "f.ndjson"]].concat(), folder.path());
    let found = || whole_lines(&folder.path().join("f.ndjson"));
    let mut wait = || {
        thread::sleep(Duration::from_millis(500));
        assert!(child.try_wait().unwrap().is_none(), "the program ended");
    };
    calls(folder.path(), 0, &["Hello"]);
    while found().is_empty() {
        wait();
    }
    fs::write(folder.path().join("rules/cloudtrail/new_call.sql"), RULE).unwrap();
    let begun = Instant::now();
    let mut number = 0;
    while found().len() == 1 {
        // the rule is in force when a call that is new by then is told
        let name = format!("PutBucketThing{number}");
        calls(folder.path(), 0, &["GetObject", &name]);
        fs::rename(folder.path().join("logs/0.json"), folder.path().join(format!("logs/now{number}.json"))).unwrap();
        number += 1;
        wait();
        assert!(begun.elapsed() < Duration::from_secs(180), "the rule told nothing");
    }
    signal(&child, Signal::TERM);
    let output = ended(child, Duration::from_secs(120));
    let found = found();
    let told = names(&found[1..]);
    assert!(told.iter().all(|name| name.starts_with("PutBucketThing")), "{found:?}");
    let said = text(&output.stderr);
    assert!(said.contains("1 rule knows what is new from"), "{said}");
}

#[test]
fn rows_of_a_commit_that_a_crash_broke_off_are_looked_at_too() {
    let folder = a_week();
    let commit = State::open(&folder.path().join("a/_weir/state.redb")).unwrap().load().unwrap().unwrap();
    assert!(!commit.objects.is_empty());
    // as a kill between the commit and the move of its files into place leaves them
    for object in commit.objects {
        let pending = format!("a/_weir/pending/{}.parquet", blake3::hash(object.path.as_bytes()).to_hex());
        fs::rename(folder.path().join("a").join(&object.path), folder.path().join(pending)).unwrap();
    }
    fs::create_dir_all(folder.path().join("rules/cloudtrail")).unwrap();
    fs::write(folder.path().join("rules/cloudtrail/new_call.sql"), RULE).unwrap();
    calls(folder.path(), 1, &["GetObject", "DeleteBucket"]);
    let (found, summary, said) = run(folder.path(), "a");
    assert_eq!(names(&found), ["DeleteBucket"], "{said}");
    assert!(said.contains("1 rule knows what is new from 14 archived rows of 7 days"), "{said}");
    assert_eq!(summary["unlearned"], json!([]));
}

const RATE: &str = "-- title = \"Unusual rate\"\n-- severity = \"low\"\n-- tags = [\"attack.impact\"]\n-- remedy = \"Look.\"\n\
SELECT userIdentity.arn AS actor, count(*) AS times\nFROM cloudtrail\nWHERE eventSource = 's3.amazonaws.com'\n\
GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '1 hour')\nHAVING unusual_rate(count(*), 0.2)\n";

#[test]
fn a_rule_that_scores_knows_from_the_archive_what_is_usual() {
    let days = |folder: &Path| {
        fs::create_dir_all(folder.join("logs")).unwrap();
        // one call an hour
        let names: Vec<String> = (0..7 * 24).map(|hour| format!("Get{hour}")).collect();
        (0..7 * 24).for_each(|hour| calls_at(folder, 48 + hour as i64, &[&names[hour]]));
    };
    let add = |folder: &Path| {
        fs::create_dir_all(folder.join("rules/cloudtrail")).unwrap();
        fs::write(folder.join("rules/cloudtrail/rate.sql"), RATE).unwrap();
        let names: Vec<String> = (0..60).map(|n| format!("Put{n}")).collect();
        calls_at(folder, 30, &names.iter().map(String::as_str).collect::<Vec<_>>());
    };
    let folder = tempfile::tempdir().unwrap();
    days(folder.path());
    let ran = weir(&["run", "--from", "logs", "--archive", "a", "--rules", "none", "--findings", "f"], folder.path());
    assert_eq!(code(&ran), 0, "{}", text(&ran.stderr));
    add(folder.path());
    let (found, summary, said) = run(folder.path(), "a");
    assert!(said.contains("1 rule knows what is usual from 168 archived rows of "), "{said}");
    assert_eq!(found.len(), 1, "{said}");
    assert_eq!((&found[0]["rule"], &found[0]["count"]), (&json!("cloudtrail/rate"), &json!(60)));
    assert_eq!(summary["unlearned"], json!([]));
    // the whole archive says the same
    let tried = weir(&["backtest", "rules", "--archive", "a", "--format", "ndjson"], folder.path());
    assert_eq!(lines(&tried.stdout)[0]["id"], found[0]["id"]);
    // from then on it remembers by itself
    let (again, _, said) = run(folder.path(), "a");
    assert!(!said.contains("what is usual") && again[0]["id"] == found[0]["id"] && again.len() == 1, "{said}");

    // without an archive nothing is known, which the summary says
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    add(folder.path());
    let (found, summary, said) = run(folder.path(), "none");
    assert_eq!((found.len(), &summary["unlearned"]), (0, &json!(["cloudtrail/rate"])), "{said}");
    assert!(!said.contains("known from"), "who wants no archive knows: {said}");
}

#[test]
fn a_rule_over_windows_that_comes_back_or_asks_otherwise_counts_what_the_archive_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for name in ["logs", "rules/cloudtrail"] {
        fs::create_dir_all(path.join(name)).unwrap();
    }
    let rule = |name: &str, condition: &str, least: u64| {
        let header = "-- title = \"t\"\n-- severity = \"low\"\n-- tags = [\"attack.impact\"]\n-- remedy = \"r\"\n";
        let sql = format!(
            "{header}SELECT count(*) AS calls FROM cloudtrail WHERE {condition}\n\
             GROUP BY account, tumble(eventTime, INTERVAL '30 days') HAVING count(*) >= {least}\n"
        );
        fs::write(path.join("rules/cloudtrail").join(name), sql).unwrap();
    };
    let counts = |found: &[Value]| -> Vec<u64> { found.iter().map(|found| found["count"].as_u64().unwrap()).collect() };
    let put = |name: i64, call: &str| write(path, name, 1, &[call]);
    rule("other.sql", "eventName = 'Never'", 1);
    rule("burst.sql", "eventName = 'GetObject'", 9);
    (0..4).for_each(|name| put(name, "GetObject"));
    assert_eq!(run(path, "a").0.len(), 0);

    // with another bound the windows are as they were
    rule("burst.sql", "eventName = 'GetObject'", 5);
    put(4, "GetObject");
    let (found, _, said) = run(path, "a");
    assert_eq!((counts(&found), said.contains("new or edited")), (vec![5], false), "{said}");

    // with another condition they are made of what was archived
    rule("burst.sql", "eventName IN ('GetObject', 'ListObjects')", 6);
    put(5, "ListObjects");
    let (found, _, said) = run(path, "a");
    assert_eq!(counts(&found), [6], "{said}");
    assert!(said.contains("1 new or edited rule counts 5 archived rows of 1 day into windows that are open"), "{said}");

    // and where the rule could not be read for a time
    fs::write(path.join("rules/cloudtrail/burst.sql"), "SELECT").unwrap();
    put(6, "GetObject");
    assert_eq!(counts(&run(path, "a").0), [6], "as it was found before");
    rule("burst.sql", "eventName IN ('GetObject', 'ListObjects')", 6);
    put(7, "GetObject");
    let (found, _, said) = run(path, "a");
    assert_eq!(counts(&found), [8], "{said}");
}
