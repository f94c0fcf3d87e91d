//! `weir backtest`: rules over the archive find what they found in the stream, and what an edit gains and loses is said.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Output;

use crate::support::{code, lines, repository, text, weir};

const RULE: &str = r#"-- title    = "Many calls were made in ten minutes"
-- severity = "low"
-- tags     = ["attack.discovery", "attack.t1580"]
-- remedy   = "Ask who made them."
-- dedupe   = "10m"
SELECT userIdentity.arn AS who, count(*) AS calls, count(DISTINCT eventName) AS names, sample(eventName) AS some
FROM cloudtrail
WHERE readOnly
GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '10 minutes')
HAVING count(*) >= 20 AND count(DISTINCT eventName) >= 2
"#;

/// Ordinary traffic and recorded attacks.
fn logs() -> [String; 2] {
    ["tests/data/demo/AWSLogs", "tests/data/cloudtrail/stratus"].map(|path| repository(path).display().to_string())
}

/// A folder with an archive of the demo's logs and one more rule, and what the run found.
fn archived() -> (tempfile::TempDir, Output) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("rules/cloudtrail")).unwrap();
    fs::write(folder.path().join("rules/cloudtrail/many_calls.sql"), RULE).unwrap();
    let [ordinary, attacks] = logs();
    let run = ["run", "--from", &ordinary, &attacks, "--archive", "a", "--rules", "rules", "--format", "ndjson"];
    let output = weir(&run, folder.path());
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    (folder, output)
}

/// Id, count and evidence of each finding; of one rule, or of all.
fn found(output: &Output, rule: Option<&str>) -> BTreeSet<String> {
    let lines = lines(&output.stdout).into_iter().filter(|finding| rule.is_none_or(|rule| finding["rule"] == rule));
    lines.map(|finding| format!("{} {} {}", finding["id"], finding["count"], finding["evidence"])).collect()
}

fn backtest(arguments: &[&str], folder: &Path) -> Output {
    let output = weir(&[&["backtest", "--archive", "a"], arguments].concat(), folder);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    output
}

#[test]
fn the_archive_says_what_the_stream_said() {
    let (folder, run) = archived();
    let windows = found(&run, Some("cloudtrail/many_calls"));
    assert!(windows.len() > 3, "{windows:?}");
    let mut all = found(&backtest(&["--format", "ndjson"], folder.path()), None);
    assert!(all.len() > 40, "{}", all.len());
    let again = found(&backtest(&["rules", "--format", "ndjson"], folder.path()), None);
    assert_eq!(again, windows);
    all.extend(again);
    assert_eq!(all, found(&run, None));
    // all rules in force at once: the same urgencies, and the same reasons for them
    fs::write(folder.path().join("weir.toml"), "rules = \"rules\"\n").unwrap();
    let urgent = |output: &Output| -> BTreeSet<String> {
        lines(&output.stdout)
            .into_iter()
            .map(|finding| format!("{} {} {}", finding["id"], finding["priority"], finding["terms"]))
            .collect()
    };
    assert_eq!(urgent(&backtest(&["--format", "ndjson", "-c", "weir.toml"], folder.path())), urgent(&run));
    // a day of it, and for people
    let days = ["rules", "--since", "2024-08-01", "--until", "2024-08-01"];
    let said = text(&backtest(&days, folder.path()).stdout);
    assert!(said.contains("cloudtrail/many_calls (low)") && said.contains("  2024-08-01 "), "{said}");
    assert!(!said.contains("  2024-08-02 "), "{said}");
}

#[test]
fn an_edit_of_a_built_in_rule_shows_what_it_gains_and_loses() {
    let (folder, run) = archived();
    let id = "cloudtrail/admin_policy_attached";
    assert_eq!(found(&run, Some(id)).len(), 2, "a user and a role were given rights");
    let shown = weir(&["rules", "show", id], folder.path());
    let edited = text(&shown.stdout).replace("IN ('AttachUserPolicy', ", "IN (");
    let path = folder.path().join("rules/cloudtrail/admin_policy_attached.sql");
    fs::write(&path, edited).unwrap();
    let said = text(&backtest(&[&path.display().to_string()], folder.path()).stdout);
    assert!(said.contains("against the built-in rule: 0 gained, 1 lost, 1 kept\n  lost:\n"), "{said}");
}

#[test]
fn an_edit_is_compared_with_the_rule_in_force() {
    let (folder, run) = archived();
    fs::write(folder.path().join("weir.toml"), "rules = \"rules\"\n").unwrap();
    let with_config = |what: &str| text(&backtest(&[what, "-c", "weir.toml"], folder.path()).stdout);
    let unedited = with_config("cloudtrail/many_calls");
    let count = found(&run, Some("cloudtrail/many_calls")).len();
    assert!(unedited.contains(&format!("{count} findings of 1 rule; ")) && !unedited.contains("against"), "{unedited}");
    let path = folder.path().join("edit/cloudtrail/many_calls.sql");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, RULE.replace(">= 20", ">= 8")).unwrap();
    let said = with_config("edit");
    assert!(said.contains("against the rule in force, rules/cloudtrail/many_calls.sql: "), "{said}");
    assert!(said.contains(&format!(" gained, 0 lost, {count} kept")), "{said}");
    let [gained, kept] = ["\n  gained:\n", "\n  kept:\n"].map(|heading| said.find(heading).unwrap());
    assert!(gained < kept && !said.contains("\n  lost:\n"), "{said}");
    // without a configuration there is nothing that it is an edit of
    assert!(!text(&backtest(&["edit"], folder.path()).stdout).contains("against"));
}

#[test]
fn what_the_configuration_suppresses_is_counted_and_is_no_finding() {
    let (folder, run) = archived();
    let entry = |expires: &str| {
        format!("[[suppress]]\nrule = \"cloudtrail/many_*\"\nreason = \"our pipeline\"\nexpires = {expires}\n")
    };
    let backtest = |format: &str, expires: &str| {
        fs::write(folder.path().join("weir.toml"), entry(expires)).unwrap();
        backtest(&["rules", "--format", format, "-c", "weir.toml"], folder.path())
    };
    let count = found(&run, Some("cloudtrail/many_calls")).len();
    let expected = format!("{count} findings suppressed, by [[suppress]] of cloudtrail/many_* (our pipeline)\n");
    assert!(text(&backtest("table", "2999-01-01").stdout).ends_with(&expected));
    let output = backtest("ndjson", "2999-01-01");
    assert!(output.stdout.is_empty() && text(&output.stderr).contains(&expected), "{}", text(&output.stderr));
    assert_eq!(found(&backtest("ndjson", "2020-01-01"), None), found(&run, Some("cloudtrail/many_calls")));
}

/// What somebody does for the first time, and two calls within two hours that are all there were.
const LOOK_AROUND: [(&str, &str); 2] = [
    (
        "new_call",
        "SELECT userIdentity.arn AS who, eventName AS what, count(*) AS n FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
GROUP BY userIdentity.arn, eventName, tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(eventName, INTERVAL '30 days')
",
    ),
    (
        "a_pair",
        "SELECT userIdentity.arn AS who, count(*) AS n FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com' AND eventName = 'PutObject'
GROUP BY userIdentity.arn, hop(eventTime, INTERVAL '2 hours', INTERVAL '4 hours')
HAVING count(*) = 2
",
    ),
];

#[test]
fn a_part_of_the_days_says_what_all_of_them_say_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("rules/cloudtrail")).unwrap();
    for (name, sql) in LOOK_AROUND {
        let header = RULE.lines().take_while(|line| line.starts_with("--")).collect::<Vec<_>>().join("\n");
        fs::write(at(&format!("rules/cloudtrail/{name}.sql")), format!("{header}\n{sql}")).unwrap();
    }
    let call = |time: &str, name: &str| {
        serde_json::json!({
            "eventVersion": "1.08", "eventTime": time, "eventSource": "s3.amazonaws.com", "eventName": name,
            "eventID": format!("{time} {name}"), "awsRegion": "us-east-1", "recipientAccountId": "111122223333",
            "userIdentity": { "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve" },
        })
    };
    let mut calls: Vec<_> = (1..=6).map(|day| call(&format!("2024-08-0{day}T12:00:00Z"), "GetObject")).collect();
    calls.push(call("2024-08-05T13:00:00Z", "DeleteBucket"));
    // one window has both, and the one that begins on the fifth has a third one, of the day behind it
    for time in ["04T23:30", "05T00:30", "05T23:00", "05T23:30", "06T00:30"] {
        calls.push(call(&format!("2024-08-{time}:00Z"), "PutObject"));
    }
    fs::write(at("calls.json"), serde_json::json!({ "Records": calls }).to_string()).unwrap();
    let run = weir(&["run", "--from", "calls.json", "--archive", "a", "--rules", "only:rules"], folder.path());
    assert_eq!(code(&run), 0, "{}", text(&run.stderr));
    let told = |arguments: &[&str]| {
        let output = backtest(&[&["rules", "--format", "ndjson"], arguments].concat(), folder.path());
        let of = |finding: serde_json::Value| {
            let [rule, first, last] =
                ["rule", "first_seen", "last_seen"].map(|key| finding[key].as_str().unwrap().to_owned());
            (rule, first, last, finding["count"].as_u64().unwrap())
        };
        lines(&output.stdout).into_iter().map(of).collect::<BTreeSet<_>>()
    };
    let all = told(&[]);
    let of = |rule: &str| all.iter().filter(|finding| finding.0.ends_with(rule)).count();
    assert!(of("new_call") > 0 && of("a_pair") > 1, "{all:?}");
    let on_the_fifth =
        |finding: &&(String, String, String, u64)| *finding.2 >= *"2024-08-05" && *finding.1 < *"2024-08-06";
    let expected: BTreeSet<_> = all.iter().filter(on_the_fifth).cloned().collect();
    assert!(expected.len() > 1 && expected.len() < all.len(), "{all:?}");
    assert_eq!(told(&["--since", "2024-08-05", "--until", "2024-08-05"]), expected);
    let said = text(&backtest(&["rules", "--since", "2024-08-05"], folder.path()).stdout);
    assert!(said.contains(" around them, for windows that begin before"), "{said}");
}

#[test]
fn what_a_canary_does_is_counted_and_is_no_finding() {
    let (folder, run) = archived();
    let all = lines(&run.stdout);
    let finding = all.iter().find(|finding| finding["rule"] == "cloudtrail/many_calls").unwrap();
    let entry = |name: &str, rule: &str, actor: &str| {
        format!("[[canary]]\nname = \"{name}\"\nrule = \"{rule}\"\nactor = \"{actor}\"\nhours = 2.0\n")
    };
    let config = [
        entry("alive", "cloudtrail/many_calls", finding["actor"].as_str().unwrap()),
        entry("gone", "cloudtrail/many_*", "nobody"),
        entry("lost", "cloudtrail/many_cals", "nobody"),
    ];
    fs::write(folder.path().join("weir.toml"), config.concat()).unwrap();
    let ids = |output: &Output| lines(&output.stdout).len();
    let without = ids(&backtest(&["rules", "--format", "ndjson"], folder.path()));
    let with = ids(&backtest(&["rules", "--format", "ndjson", "-c", "weir.toml"], folder.path()));
    assert!(with < without, "{with} of {without}");
    let told = text(&backtest(&["rules", "-c", "weir.toml"], folder.path()).stdout);
    assert!(told.contains("canary alive: ") && told.contains(", last at 20"), "{told}");
    assert!(told.contains("canary gone: none of its events was detected\n") && !told.contains("lost"), "{told}");
    // and a canary that no rule is of is told of when rules are checked
    let check = weir(&["rules", "check", "rules", "-c", "weir.toml"], folder.path());
    let said = text(&check.stderr);
    assert!(said.contains("[[canary]] lost: no rule is `cloudtrail/many_cals`: it will be missed"), "{said}");
    assert!(!said.contains("alive") && !said.contains("gone"), "{said}");
}

#[test]
fn what_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let failed = |arguments: &[&str], why: &str| {
        let output = weir(&[&["backtest"], arguments].concat(), folder.path());
        assert_eq!(code(&output), 2);
        assert!(text(&output.stderr).contains(why), "{}", text(&output.stderr));
    };
    failed(&["cloudtrail/none"], "there is no rule `cloudtrail/none`");
    failed(&["--since", "yesterday"], "`yesterday` is not a day such as 2024-08-01");
    failed(&[], "weir-archive");
}

#[test]
fn the_text_of_a_rule_that_counts_weeks_finds_the_same_in_the_archive() {
    // a week is `to_unixtime` by its seconds: whole in a rule, and with a fraction in a query, as Athena's is
    let folder = tempfile::tempdir().unwrap();
    let run = |day: u32| {
        let seconds = if day < 19 { 300 } else { 400 };
        format!(
            r#"{{"Id":"jr_{day}","JobName":"orders","JobRunState":"SUCCEEDED","LastModifiedOn":"2026-03-{day:02}T02:10:00Z","ExecutionTime":{seconds}}}"#
        )
    };
    let runs: Vec<String> = (5..26).map(run).collect();
    fs::write(folder.path().join("runs.json"), format!(r#"{{"JobRuns":[{}]}}"#, runs.join(","))).unwrap();
    let output = weir(&["run", "--from", "runs.json", "--archive", "a", "--format", "ndjson"], folder.path());
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert_eq!(found(&output, Some("glue_job_run/run_dearer_than_before")).len(), 1);
    let rule = fs::read_to_string(repository("queries/glue_job_run/run_dearer_than_before.sql")).unwrap();
    let output = weir(&["sql", &rule, "--archive", "a", "--format", "ndjson"], folder.path());
    let rows = lines(&output.stdout);
    let said: Vec<_> = rows.iter().map(|row| (row["resource"].as_str(), row["seconds_now"].as_f64())).collect();
    assert_eq!(said, [(Some("orders"), Some(400.0))], "{}", text(&output.stderr));
}
