//! What one account of the user's shares with another, once `own_accounts` names both, is told alike by run, backtest, test and sql.

use std::fs;

use serde_json::{Value, json};

use crate::support::{code, lines, repository, text, weir};

const OUTSIDE: &str = "cloudtrail/snapshot_shared_outside";
const OWN: &str = "cloudtrail/shared_with_own_account";

/// A person shares a snapshot with the account.
fn log(with: &str) -> String {
    let event = json!({
        "eventVersion": "1.11", "eventTime": "2026-03-02T09:03:47Z", "eventSource": "ec2.amazonaws.com",
        "eventName": "ModifySnapshotAttribute", "eventID": "1d2c3b4a-5e6f-4a7b-8c9d-000000000001", "awsRegion": "us-east-1",
        "recipientAccountId": "111122223333", "sourceIPAddress": "198.51.100.7", "userAgent": "aws-cli/2.22.12",
        "eventType": "AwsApiCall", "readOnly": false, "managementEvent": true,
        "userIdentity": {
            "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice", "accountId": "111122223333",
            "principalId": "AIDACKCEVSQ6C2EXAMPLE", "userName": "alice",
        },
        "requestParameters": {
            "snapshotId": "snap-1234567890abcdef0", "attributeType": "CREATE_VOLUME_PERMISSION",
            "createVolumePermission": { "add": { "items": [{ "userId": with }] } },
        },
    });
    json!({ "Records": [event] }).to_string()
}

#[test]
fn a_share_within_the_company_is_low_and_one_beyond_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("weir.toml"), "own_accounts = ['111122223333', '444455556666']\n").unwrap();
    let (nothing, named): (&[&str], &[&str]) = (&[], &["-c", "weir.toml"]);
    for (archive, with, config, expected) in [
        ("a", "444455556666", nothing, (OUTSIDE, "high")),
        ("b", "444455556666", named, (OWN, "low")),
        ("c", "777788889999", named, (OUTSIDE, "high")),
    ] {
        fs::write(folder.path().join("log.json"), log(with)).unwrap();
        let run = |words: &[&str]| {
            let output = weir(&[words, config, &["--archive", archive, "--format", "ndjson"]].concat(), folder.path());
            assert_eq!(code(&output), 0, "{words:?} {}", text(&output.stderr));
            lines(&output.stdout)
        };
        let told = |found: Vec<Value>| {
            let of = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
            let of_both = found.iter().filter(|finding| finding["rule"] == OUTSIDE || finding["rule"] == OWN);
            of_both.map(|finding| (of(finding, "rule"), of(finding, "severity"))).collect::<Vec<_>>()
        };
        let expected_of = |rule: &str| match expected {
            (told, severity) if told == rule => vec![(rule.to_owned(), severity.to_owned())],
            _ => vec![],
        };
        let expected_all = vec![(expected.0.to_owned(), expected.1.to_owned())];
        assert_eq!(told(run(&["run", "--from", "log.json", "--summary", "none"])), expected_all, "{archive}");
        for rule in [OUTSIDE, OWN] {
            assert_eq!(told(run(&["backtest", rule])), expected_of(rule), "{archive} {rule}");
            let sql = text(&weir(&["rules", "show", rule], folder.path()).stdout);
            assert_eq!(run(&["sql", &sql]).len(), expected_of(rule).len(), "{archive} {rule}");
        }
    }
    // whichever accounts are a user's, the cases hold
    for config in [nothing, named] {
        let shown = weir(&["rules", "show", OUTSIDE], folder.path());
        fs::create_dir_all(folder.path().join("rules/cloudtrail")).unwrap();
        fs::write(folder.path().join("rules/cloudtrail/copied.sql"), &shown.stdout).unwrap();
        let cases = fs::read_to_string(repository(&format!("queries/{OUTSIDE}.cases.jsonl"))).unwrap();
        fs::write(folder.path().join("rules/cloudtrail/copied.cases.jsonl"), cases).unwrap();
        let output = weir(&[&["rules", "test", "rules"], config].concat(), folder.path());
        assert_eq!(code(&output), 0, "{}", text(&output.stdout));
    }
}
