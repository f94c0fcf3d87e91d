//! A last commit that cannot be read, or not all of it: what cannot is refused by name, and the archive tells it again, so that the run
//! goes on as if nothing had happened.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::{Value, json};
use weir::pipeline::commit::{Commit, State};
use weir::time::Timestamp;

use crate::support::{code, ended, lines, signal, start, text, weir, whole_lines};

const HEADER: &str = "-- severity = \"low\"\n-- tags = [\"attack.impact\"]\n-- remedy = \"Look.\"\n";

/// Three calls of one principal in a day, told at once.
const BURST: &str = "SELECT userIdentity.arn AS actor, count(*) AS times\nFROM cloudtrail\nWHERE eventName = 'DeleteBucket'\n\
                     GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '1 day')\nHAVING count(*) >= 3\n";
/// A day with one call and no other, which only its end tells.
const ALONE: &str = "SELECT userIdentity.arn AS actor, count(*) AS times\nFROM cloudtrail\nWHERE eventName = 'GetObject'\n\
                     GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '1 day')\nHAVING count(*) = 1\n";
const EACH: &str = "SELECT eventTime, eventName\nFROM cloudtrail\nWHERE eventName = 'PutObject'\n";

fn rules(folder: &Path, rules: &[(&str, &str)]) {
    fs::create_dir_all(folder.join("rules/cloudtrail")).unwrap();
    for (name, sql) in rules {
        let text = format!("-- title = \"{name}\"\n{HEADER}{sql}");
        fs::write(folder.join(format!("rules/cloudtrail/{name}.sql")), text).unwrap();
    }
}

/// Noon of yesterday.
fn noon() -> i64 {
    const DAY: i64 = 86_400_000_000;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64;
    (now.div_euclid(DAY) - 1) * DAY + DAY / 2
}

/// A file of calls, so many minutes before yesterday's noon. It appears whole.
fn calls(folder: &Path, file: &str, minutes_before: i64, names: &[&str]) {
    let time = Timestamp(noon() - minutes_before * 60_000_000);
    let event = |(place, name): (usize, &&str)| {
        json!({
            "eventVersion": "1.08", "eventID": format!("{file}-{place}"), "eventTime": time.to_string(),
            "eventSource": "s3.amazonaws.com", "eventName": name, "awsRegion": "us-east-1",
            "sourceIPAddress": "198.51.100.7", "userAgent": "x", "recipientAccountId": "111122223333",
            "eventType": "AwsApiCall",
            "userIdentity": { "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve", "accountId": "111122223333" },
        })
    };
    let events: Vec<Value> = names.iter().enumerate().map(event).collect();
    fs::create_dir_all(folder.join("logs")).unwrap();
    fs::write(folder.join(".half"), json!({ "Records": events }).to_string()).unwrap();
    fs::rename(folder.join(".half"), folder.join(format!("logs/{file}.json"))).unwrap();
}

/// Replaces what the last commit has.
fn edit(folder: &Path, edit: impl Fn(&mut Commit)) {
    let state = State::open(&folder.join("a/_weir/state.redb")).unwrap();
    let mut commit = state.load().unwrap().unwrap();
    edit(&mut commit);
    state.commit(&commit).unwrap();
}

fn newer(commit: &mut Commit) {
    commit.detector.shared = [&[99], &commit.detector.shared[1..]].concat().into();
}

fn torn(commit: &mut Commit) {
    for part in commit.detector.of_rules.values_mut().rev().take(1).chain([&mut commit.detector.shared]) {
        part.truncate(part.len() / 2);
    }
}

/// Of a whole run: its findings, its summary, and what it said.
fn run(folder: &Path) -> (Vec<Value>, Value, String) {
    let from = ["run", "--from", "logs", "--archive", "a", "--rules", "only:rules"];
    let ran = weir(&[&from[..], &["--format", "ndjson", "--findings", "-", "--summary", "s.json"]].concat(), folder);
    assert_eq!(code(&ran), 0, "{}", text(&ran.stderr));
    let summary = fs::read(folder.join("s.json")).unwrap();
    (lines(&ran.stdout), serde_json::from_slice(&summary).unwrap(), text(&ran.stderr))
}

/// Follows until the file of findings has so many lines, or for some seconds; gives these lines and the summary.
fn follow(folder: &Path, least: usize) -> (Vec<Value>, Value) {
    let from = ["run", "--from", "logs", "--follow", "--archive", "a", "--rules", "only:rules"];
    let mut child = start(&[&from[..], &["--findings", "f.ndjson", "--summary", "s.json"]].concat(), folder);
    let found = || whole_lines(&folder.join("f.ndjson"));
    let begun = Instant::now();
    while found().len() < least && begun.elapsed() < Duration::from_secs(180) {
        thread::sleep(Duration::from_millis(200));
        assert!(child.try_wait().unwrap().is_none(), "the program ended");
    }
    // whatever would come twice has time for it
    thread::sleep(Duration::from_secs(3));
    signal(&child, Signal::TERM);
    let output = ended(child, Duration::from_secs(120));
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let summary = fs::read(folder.join("s.json")).unwrap();
    (found(), serde_json::from_slice(&summary).unwrap())
}

fn told(findings: &[Value]) -> BTreeMap<(String, String), u64> {
    let one = |finding: &Value| {
        let text = |key: &str| finding[key].as_str().unwrap().to_owned();
        ((text("rule"), text("id")), finding["count"].as_u64().unwrap())
    };
    findings.iter().map(one).collect()
}

/// An archive of a first run that has two of three calls, and a finding.
fn begun() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    rules(folder.path(), &[("burst", BURST), ("alone", ALONE), ("each", EACH)]);
    calls(folder.path(), "1", 3, &["DeleteBucket", "DeleteBucket", "PutObject", "GetObject"]);
    calls(folder.path(), "0", 60 * 24 * 2, &["GetObject", "PutObject"]);
    assert_eq!(run(folder.path()).0.len(), 4);
    folder
}

#[test]
fn a_state_of_another_version_or_a_damaged_one_is_rebuilt_and_windows_go_on() {
    let more = |folder: &Path| calls(folder, "2", 2, &["DeleteBucket", "GetObject", "PutObject"]);
    let control = begun();
    more(control.path());
    let (expected, summary, _) = run(control.path());
    assert_eq!(
        told(&expected).len(),
        5,
        "the third call made the burst, and the second one ended being alone: {expected:?}"
    );
    assert_eq!((&summary["refused_state"], &summary["unlearned"]), (&json!([]), &json!([])));

    // what stands before the tear is read: rules are saved in the order of their ids
    let (both, last): (&[&str], &[&str]) = (&["cloudtrail/alone", "cloudtrail/burst"], &["cloudtrail/burst"]);
    for (damage, lost) in [(newer as fn(&mut Commit), both), (torn, last)] {
        let folder = begun();
        edit(folder.path(), damage);
        more(folder.path());
        let (found, summary, said) = run(folder.path());
        assert_eq!(told(&found).values().collect::<Vec<_>>().len(), 5, "{said}");
        let rules = |found: &[Value]| {
            found.iter().map(|finding| (finding["rule"].to_string(), finding["count"].as_u64())).collect::<Vec<_>>()
        };
        let sorted = |mut rules: Vec<(String, Option<u64>)>| {
            rules.sort();
            rules
        };
        assert_eq!(sorted(rules(&found)), sorted(rules(&expected)), "{said}");
        let refused = summary["refused_state"].as_array().unwrap();
        assert_eq!(refused[0]["part"], "windows");
        assert_eq!(refused[0]["rules"], json!(lost));
        assert_eq!((&refused[0]["rebuilt"]["rows"], &refused[0]["hole"]), (&json!(6), &Value::Null), "{refused:?}");
        let line = format!("({}) are refused: the saved state", lost.join(", "));
        assert!(said.contains(&line), "{said}");
        assert!(said.contains(": rebuilt from 6 archived rows of 2 days, since "), "{said}");
        // and the next run finds a state that it can read
        let (again, summary, _) = run(folder.path());
        assert_eq!((told(&again), &summary["refused_state"]), (told(&found), &json!([])));
    }
}

#[test]
fn what_the_archive_cannot_tell_either_is_a_hole_that_the_summary_names() {
    let folder = begun();
    edit(folder.path(), torn);
    fs::remove_dir_all(folder.path().join("a/cloudtrail")).unwrap();
    calls(folder.path(), "2", 2, &["DeleteBucket"]);
    let (found, summary, said) = run(folder.path());
    assert!(said.contains("was removed from the archive"), "{said}");
    assert!(found.iter().all(|finding| finding["rule"] != "cloudtrail/burst"), "{found:?}");
    assert_eq!(summary["refused_state"][0]["hole"], "the archive has no rows");
    assert!(said.contains(": not rebuilt, since the archive has no rows"), "{said}");

    let folder = begun();
    edit(folder.path(), newer);
    let files =
        walkdir::WalkDir::new(folder.path().join("a/cloudtrail")).into_iter().map(|entry| entry.unwrap().into_path());
    for file in files.filter(|path| path.extension().is_some_and(|end| end == "parquet")) {
        fs::write(file, "damaged").unwrap();
    }
    let (_, summary, _) = run(folder.path());
    let hole = summary["refused_state"][0]["hole"].as_str().unwrap();
    assert!(hole.starts_with("the archive cannot be read: "), "{hole}");
}

#[test]
fn one_rule_that_cannot_be_read_costs_no_other_anything() {
    let folder = begun();
    edit(folder.path(), |commit| {
        let (_, part) = commit.detector.of_rules.iter_mut().find(|((rule, _), _)| rule == "cloudtrail/alone").unwrap();
        part.truncate(part.len() - 1);
    });
    // what is in the archive of the other rule is not looked at
    calls(folder.path(), "2", 2, &["DeleteBucket"]);
    let (found, summary, said) = run(folder.path());
    assert!(found.iter().any(|finding| finding["rule"] == "cloudtrail/burst" && finding["count"] == 3), "{said}");
    assert_eq!(summary["refused_state"][0]["rules"], json!(["cloudtrail/alone"]), "{said}");
}

#[test]
fn a_stream_goes_on_behind_a_state_that_is_refused_and_nothing_is_sent_twice() {
    for damage in [newer, torn, |commit: &mut Commit| commit.triage = b"{}".to_vec()] {
        let folder = tempfile::tempdir().unwrap();
        rules(folder.path(), &[("burst", BURST), ("each", EACH)]);
        calls(folder.path(), "1", 3, &["DeleteBucket", "DeleteBucket", "PutObject"]);
        assert_eq!(follow(folder.path(), 1).0.len(), 1);
        edit(folder.path(), damage);
        calls(folder.path(), "2", 2, &["DeleteBucket"]);
        let (found, summary) = follow(folder.path(), 2);
        let rules: Vec<&str> = found.iter().map(|finding| finding["rule"].as_str().unwrap()).collect();
        assert_eq!(rules, ["cloudtrail/each", "cloudtrail/burst"], "{summary}");
        assert_eq!(found[1]["count"], 3);
        assert_eq!(summary["refused_state"][0]["rebuilt"]["rows"], 3, "{summary}");
        assert_eq!(summary["findings"]["low"], 2, "{summary}");
    }
}

#[test]
fn findings_that_cannot_be_read_are_found_again() {
    let folder = begun();
    let (expected, ..) = run(folder.path());
    edit(folder.path(), |commit| commit.triage.truncate(20));
    let (found, summary, said) = run(folder.path());
    assert_eq!(told(&found), told(&expected), "{said}");
    assert_eq!(summary["refused_state"][0]["part"], "open findings");
    assert!(
        said.contains("the last commit's open findings are refused: the saved findings cannot be read: "),
        "{said}"
    );
}

#[test]
fn who_assumed_a_role_is_known_from_the_archive_again() {
    let folder = tempfile::tempdir().unwrap();
    rules(folder.path(), &[("each", EACH)]);
    let session = "arn:aws:sts::111122223333:assumed-role/ops/s1";
    let event = |name: &str, minutes_before: i64, who: Value, answer: Value| {
        json!({
            "eventVersion": "1.08", "eventID": name, "eventTime": Timestamp(noon() - minutes_before * 60_000_000).to_string(),
            "eventSource": "s3.amazonaws.com", "eventName": name, "awsRegion": "us-east-1", "eventType": "AwsApiCall",
            "sourceIPAddress": "198.51.100.7", "userAgent": "x", "recipientAccountId": "111122223333",
            "userIdentity": who, "responseElements": answer,
        })
    };
    let eve = json!({ "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve", "accountId": "111122223333" });
    let issuer = json!({ "type": "Role", "arn": "arn:aws:iam::111122223333:role/ops" });
    let role = json!({
        "type": "AssumedRole", "arn": session, "principalId": "AROAEXAMPLE:s1", "sessionContext": { "sessionIssuer": issuer },
    });
    let answer = json!({ "assumedRoleUser": { "arn": session, "assumedRoleId": "AROAEXAMPLE:s1" } });
    let events = [event("AssumeRole", 9, eve, answer), event("PutObject", 3, role, Value::Null)];
    fs::create_dir_all(folder.path().join("logs")).unwrap();
    fs::write(folder.path().join("logs/1.json"), json!({ "Records": events }).to_string()).unwrap();
    let by = |found: &[Value]| found.iter().map(|finding| finding["assumed_by"].clone()).collect::<Vec<_>>();
    let eve = [json!(["arn:aws:iam::111122223333:user/eve"])];
    assert_eq!(by(&run(folder.path()).0), eve);
    edit(folder.path(), |commit| commit.triage = b"{}".to_vec());
    let (found, _, said) = run(folder.path());
    assert!(said.contains("rebuilt from 2 archived rows"), "{said}");
    assert_eq!(by(&found), eve, "the rule reads nothing of it");
}
