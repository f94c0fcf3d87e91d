//! Windows that left for want of room are judged again by the next start, from the archive, and services and people hear of it once.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{code, text, weir, whole_lines};

const RULE: &str = "-- title = \"Many calls\"\n-- severity = \"low\"\n-- tags = [\"attack.impact\"]\n-- remedy = \"Look.\"\n\
SELECT count(*) AS n\nFROM cloudtrail\nWHERE eventName = 'GetUser'\nGROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '10 minutes')\n\
HAVING count(*) >= 3\n";

/// A file of calls at noon of a day, each by somebody.
fn calls(folder: &Path, file: u32, day: u32, who: impl Iterator<Item = String>) {
    let event = |(number, who): (usize, String)| {
        json!({
            "eventVersion": "1.08", "eventID": format!("{file}-{number}"), "eventTime": format!("2024-08-{day:02}T12:00:00Z"),
            "eventSource": "iam.amazonaws.com", "eventName": "GetUser", "awsRegion": "us-east-1", "sourceIPAddress": "198.51.100.7",
            "userAgent": "x", "recipientAccountId": "111122223333", "eventType": "AwsApiCall",
            "userIdentity": { "type": "IAMUser", "arn": format!("arn:aws:iam::111122223333:user/{who}"), "accountId": "111122223333" },
        })
    };
    let events: Vec<Value> = who.enumerate().map(event).collect();
    fs::write(folder.join(format!("logs/{file:02}.json")), json!({ "Records": events }).to_string()).unwrap();
}

/// The findings of a run, and what it said.
fn run(folder: &Path) -> (Vec<Value>, String) {
    let from = ["run", "--from", "logs", "--archive", "a", "--rules", "only:rules", "--memory", "256MiB"];
    let ran = weir(&[&from[..], &["--format", "ndjson", "--findings", "f.ndjson"]].concat(), folder);
    assert_eq!(code(&ran), 0, "{}", text(&ran.stderr));
    (whole_lines(&folder.join("f.ndjson")), text(&ran.stderr))
}

#[test]
fn the_next_start_finds_what_windows_would_have_told_that_left_for_want_of_room() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("logs")).unwrap();
    fs::create_dir_all(folder.join("rules/cloudtrail")).unwrap();
    fs::write(folder.join("rules/cloudtrail/many.sql"), RULE).unwrap();
    calls(folder, 0, 1, (0..2).map(|_| "eve".to_owned()));
    (1..25)
        .for_each(|file| calls(folder, file, file + 1, (0..2_000).map(|n| format!("{file}-{n}-{}", "x".repeat(100)))));
    calls(folder, 99, 1, std::iter::once("eve".to_owned()));
    let of_rule = |found: &[Value]| found.iter().filter(|finding| finding["rule"] == "cloudtrail/many").count();
    let closed = |found: &[Value]| -> Vec<bool> {
        let holes = found.iter().filter(|finding| finding["rule"] == "weir/windows_shed");
        holes
            .map(|hole| hole["evidence"]["windows_judged_again"].as_str() == Some(hole["count"].to_string().as_str()))
            .collect()
    };
    let (found, _) = run(folder);
    assert_eq!(of_rule(&found), 0);
    assert!(!closed(&found).is_empty() && !closed(&found).contains(&true), "{found:?}");
    let (found, said) = run(folder);
    assert!(
        said.contains("what cloudtrail/many lost for want of room from 2024-08-01 to ")
            && said.contains(": 1 finding was missing"),
        "{said}"
    );
    assert_eq!(of_rule(&found), 1, "{said}");
    assert!(!closed(&found).contains(&false), "{found:?}");
    let (again, said) = run(folder);
    assert!(!said.contains("lost for want of room from"), "{said}");
    assert_eq!((of_rule(&again), closed(&again).len()), (1, closed(&found).len()));
}
