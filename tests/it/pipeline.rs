//! The whole worker over real logs: nothing lost, nothing doubled, the same answer however it is cut or stopped.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{assert_nothing_is_lost, code, few, judge, judge_by, lines, only, path, repository, text, weir};

const FOLDERS: &[(&str, u64)] =
    &[("account/*", 85), ("eventbridge/*", 13), ("streamalert/*", 37), ("stratus/*.gz", 142)];

#[test]
fn the_demo_counts_what_python_counted() {
    let folder = tempfile::tempdir().unwrap();
    let output = weir(&["demo", "--dir", "demo"], folder.path());
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let again = weir(&["demo", "--dir", "demo"], folder.path());
    assert_eq!(code(&again), 0, "{}", text(&again.stderr));
    let manifest = fs::read(repository("tests/data/demo/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let output = weir(
        &["run", "--from", "demo/logs", "--archive", "none", "--format", "ndjson", "--summary", "s.json"],
        folder.path(),
    );
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&fs::read(folder.path().join("s.json")).unwrap()).unwrap();
    assert_nothing_is_lost(&summary);
    for (table, counts) in manifest["totals"].as_object().unwrap() {
        for what in ["records", "rejects", "duplicates"] {
            assert_eq!(summary["tables"][table][what], counts[what], "{table} {what}: {summary}");
        }
    }
}

#[test]
fn every_sample_is_accounted_for() {
    // records counted with Python's json module: items of `Records`, `detail` and `aws.cloudtrail`
    for (folder, records) in FOLDERS {
        let from = repository(&format!("tests/data/cloudtrail/{folder}"));
        let (_, summary) = judge_by(&["--rules", few()], &from);
        assert_nothing_is_lost(&summary);
        let tables = summary["tables"].as_object().unwrap();
        let rejects: u64 = tables.values().map(|counts| counts["rejects"].as_u64().unwrap()).sum();
        assert_eq!((tables["cloudtrail"]["records"].as_u64(), rejects), (Some(*records), 0), "{folder}: {summary}");
    }
}

/// What names each recorded technique of tests/data/cloudtrail/stratus.
const TECHNIQUES: &[(&str, &[&str])] = &[
    ("aws.credential-access.ec2-steal-instance-credentials", &["instance_credentials_used_elsewhere"]),
    ("aws.credential-access.ssm-retrieve-securestring-parameters", &["parameters_decrypted"]),
    ("aws.defense-evasion.organizations-leave", &["organization_left"]),
    ("aws.discovery.ec2-download-user-data", &["user_data_read"]),
    ("aws.execution.ec2-launch-unusual-instances", &["instances_unusual_launched"]),
    ("aws.execution.ssm-start-session", &["instance_session_started"]),
    ("aws.exfiltration.ec2-security-group-open-port-22-ingress", &["security_group_opened"]),
    ("aws.exfiltration.ec2-share-ebs-snapshot", &["snapshot_shared_outside"]),
    ("aws.impact.bedrock-invoke-model", &["bedrock_model_access_enabled"]),
    ("aws.initial-access.console-login-without-mfa", &["console_login_without_mfa"]),
    ("aws.lateral-movement.ec2-serial-console-send-ssh-public-key", &["serial_console_key_sent"]),
    ("aws.persistence.iam-backdoor-role", &["role_trust_opened"]),
    ("aws.persistence.iam-backdoor-user", &["access_key_created_for_other_user"]),
    ("aws.persistence.iam-create-admin-user", &["admin_policy_attached"]),
    ("aws.persistence.iam-create-backdoor-role", &["role_created_for_other_account"]),
    ("aws.persistence.lambda-layer-extension", &["lambda_layer_added"]),
    ("aws.persistence.rolesanywhere-create-trust-anchor", &["roles_anywhere_trust_anchor_created"]),
    ("aws.privilege-escalation.iam-update-user-login-profile", &["login_profile_changed_for_other_user"]),
];

#[test]
fn each_recorded_technique_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let named = TECHNIQUES.iter().flat_map(|(_, rules)| *rules).map(|rule| format!("cloudtrail/{rule}"));
    let named: Vec<String> = named.collect();
    let only = only(&named.iter().map(String::as_str).collect::<Vec<_>>(), folder.path());
    let mut missed = Vec::new();
    for (technique, rules) in TECHNIQUES {
        let from = repository(&format!("tests/data/cloudtrail/stratus/{technique}.json.gz"));
        let (findings, summary) = judge_by(&["--rules", &only], &from);
        assert_nothing_is_lost(&summary);
        let fired: BTreeSet<&str> = findings.iter().map(|finding| finding["rule"].as_str().unwrap()).collect();
        for rule in *rules {
            if !fired.contains(format!("cloudtrail/{rule}").as_str()) {
                missed.push(format!("{technique}: {rule} is silent, of {fired:?}"));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn ordinary_traffic_raises_nothing_high() {
    for folder in ["account", "ordinary"] {
        let (findings, _) = judge(&repository(&format!("tests/data/cloudtrail/{folder}")));
        let loud: Vec<_> = findings
            .iter()
            .filter(|finding| ["high", "critical"].contains(&finding["severity"].as_str().unwrap()))
            .map(|finding| format!("{}: {}", finding["rule"], finding["explanation"]))
            .collect();
        assert!(loud.is_empty(), "{folder}: {loud:#?}");
    }
}

#[test]
fn an_archive_without_its_state_keeps_its_rows_and_says_what_is_doubled() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    let [first, second] = ["logs/a.json", "logs/b.json"].map(|name| folder.path().join(name));
    for (path, id) in
        [(&first, "0a5e1f2c-0000-4000-8000-000000000001"), (&second, "0a5e1f2c-0000-4000-8000-000000000002")]
    {
        let event = serde_json::json!({ "eventVersion": "1.08", "eventSource": "iam.amazonaws.com", "eventName": "GetUser",
                                        "eventTime": "2024-08-01T10:00:00Z", "eventID": id });
        fs::write(path, event.to_string()).unwrap();
    }
    let run = || {
        let output = weir(&["run", "--rules", "none", "--from", "logs", "--archive", "a"], folder.path());
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        text(&output.stderr).contains("no state says what they are of")
    };
    assert!(!run());
    assert!(!run());
    fs::remove_file(second).unwrap();
    fs::remove_file(folder.path().join("a/_weir/state.redb")).unwrap();
    assert!(run());
    // the file of the first round has both, and stays
    assert_eq!(count("a", folder.path()), (3, 2));
    assert!(!run());
}

/// Many small files of ordinary and attack events, in a folder of their own.
pub fn many_files(folder: &Path, copies: usize) {
    fs::create_dir_all(folder).unwrap();
    let sample = fs::read_to_string(repository(
        "tests/data/cloudtrail/account/218007301253_CloudTrail_us-east-1_20230710T1145Z_s7dpHbl38neqZbm2.json",
    ))
    .unwrap();
    let sample: serde_json::Value = serde_json::from_str(&sample).unwrap();
    for copy in 0..copies {
        let mut records = sample["Records"].as_array().unwrap().clone();
        for (place, record) in records.iter_mut().enumerate() {
            record["eventID"] = format!("{copy:06}-{place:06}").into();
        }
        let file = serde_json::json!({ "Records": records });
        fs::write(folder.join(format!("{copy:06}.json")), file.to_string()).unwrap();
    }
}

/// Rows of `cloudtrail` in an archive, and how many different ids they have.
pub fn count(archive: &str, folder: &Path) -> (u64, u64) {
    let output = weir(
        &[
            "sql",
            "SELECT count(*) AS rows, count(DISTINCT eventID) AS ids FROM cloudtrail",
            "--archive",
            archive,
            "--format",
            "ndjson",
        ],
        folder,
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    let row = &lines(&output.stdout)[0];
    (row["rows"].as_u64().unwrap(), row["ids"].as_u64().unwrap())
}

#[test]
fn a_second_run_reads_nothing_again_and_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    many_files(&folder.path().join("logs"), 3);
    let run = || {
        let output = weir(
            &[
                "run",
                "--rules",
                few(),
                "--from",
                "logs",
                "--archive",
                "archive",
                "--format",
                "ndjson",
                "--summary",
                "s.json",
            ],
            folder.path(),
        );
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        let summary: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.path().join("s.json")).unwrap()).unwrap();
        (text(&output.stdout), summary["files_already_read"].as_u64().unwrap())
    };
    let (first, already) = run();
    let rows = count("archive", folder.path());
    assert_eq!(already, 0);
    let (second, already) = run();
    assert_eq!(already, 3);
    assert_eq!(first, second);
    assert_eq!(count("archive", folder.path()), rows);
    assert_eq!(rows.0, rows.1);
}

#[test]
fn an_event_that_comes_again_behind_a_stop_is_a_duplicate() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    let sample = repository("tests/data/cloudtrail/stratus/aws.persistence.iam-create-admin-user.json.gz");
    let run = |name: &str| {
        fs::copy(&sample, folder.path().join("logs").join(name)).unwrap();
        let run = ["run", "--rules", few(), "--from", "logs", "--archive", "a", "--format", "ndjson"];
        let output = weir(&[&run[..], &["--summary", "s.json"]].concat(), folder.path());
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        let summary: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.path().join("s.json")).unwrap()).unwrap();
        assert_nothing_is_lost(&summary);
        let counts = &summary["tables"]["cloudtrail"];
        (text(&output.stdout), counts["rows"].as_u64().unwrap(), counts["duplicates"].as_u64().unwrap())
    };
    let (found, rows, duplicates) = run("first.json.gz");
    assert_eq!((rows, duplicates), (3, 0));
    for again in ["second.json.gz", "third.json.gz"] {
        assert_eq!(run(again), (found.clone(), 0, 3));
    }
    assert_eq!(count("a", folder.path()), (3, 3));
}

#[test]
fn a_run_killed_anywhere_and_started_again_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    many_files(&folder.path().join("logs"), 60);
    // small rounds, so that there are many commits to be killed between
    fs::write(folder.path().join("weir.toml"), "[archive]\nbuffer_bytes = 300000\n").unwrap();
    let arguments = |archive: &'static str| {
        [
            "run",
            "--rules",
            few(),
            "-c",
            "weir.toml",
            "--from",
            "logs",
            "--archive",
            archive,
            "--format",
            "ndjson",
            "--findings",
            "f.ndjson",
        ]
    };
    let whole = weir(&arguments("whole"), folder.path());
    assert_eq!(code(&whole), 0, "{}", text(&whole.stderr));
    let expected = fs::read_to_string(folder.path().join("f.ndjson")).unwrap();
    let mut killed = 0;
    for wait_ms in (20..).step_by(60).take(40) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(arguments("killed"))
            .current_dir(folder.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(wait_ms));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
    }
    let last = weir(&arguments("killed"), folder.path());
    assert_eq!(code(&last), 0, "{}", text(&last.stderr));
    assert!(killed > 0, "the run was over before it could be killed");
    assert_eq!(fs::read_to_string(folder.path().join("f.ndjson")).unwrap(), expected);
    assert_eq!(count("killed", folder.path()), count("whole", folder.path()));
}

#[test]
fn a_second_process_on_the_same_archive_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    many_files(&folder.path().join("logs"), 1);
    let mut first = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["run", "--rules", few(), "--from", "logs", "--archive", "a", "--follow", "--findings", "f.ndjson"])
        .current_dir(folder.path())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !folder.path().join("a/_weir/state.redb").exists() || !folder.path().join("f.ndjson").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let second = weir(&["run", "--rules", few(), "--from", "logs", "--archive", "a"], folder.path());
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(code(&second), 4);
    assert!(text(&second.stderr).contains("another weir run"), "{}", text(&second.stderr));
}

#[test]
fn following_takes_new_files_and_a_signal_commits_them() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["run", "--rules", few(), "--from", "logs", "--archive", "a", "--follow", "--findings", "f.ndjson"])
        .current_dir(folder.path())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let sample = "tests/data/cloudtrail/stratus/aws.persistence.iam-create-admin-user.json.gz";
    fs::copy(repository(sample), folder.path().join("logs/new")).unwrap();
    let found = || fs::read_to_string(folder.path().join("f.ndjson")).unwrap_or_default();
    while !found().contains("admin_policy_attached") {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    assert_eq!(count("a", folder.path()).0, 3);
}

/// What Prometheus would read.
pub fn metrics(address: &str) -> std::io::Result<String> {
    use std::io::{Read, Write};
    let mut connection = std::net::TcpStream::connect(address)?;
    write!(connection, "GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn following_shows_findings_rules_and_suppressions_in_its_metrics_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let stratus = repository("tests/data/cloudtrail/stratus");
    for name in ["aws.persistence.iam-create-admin-user", "aws.defense-evasion.organizations-leave"] {
        fs::copy(stratus.join(format!("{name}.json.gz")), logs.join(name)).unwrap();
    }
    let entry = "[[suppress]]\nrule = 'cloudtrail/attack_tool*'\nreason = 'red team'\nexpires = 2999-01-01\n";
    fs::write(folder.path().join("weir.toml"), entry).unwrap();
    // a port that was free a moment ago
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args([
            "run",
            "-c",
            "weir.toml",
            "--rules",
            few(),
            "--from",
            "logs",
            "--archive",
            "none",
            "--follow",
            "--findings",
            "f.ndjson",
        ])
        .args(["--metrics", &address, "--summary", "s.json"])
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let value = |shown: &str, metric: &str| -> f64 {
        let line = shown.lines().find_map(|line| line.strip_prefix(metric));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    };
    let admin = "{rule=\"cloudtrail/admin_policy_attached\"}";
    let hits = format!("weir_rule_hits_total{admin}");
    let mut shown = String::new();
    for _ in 0..600 {
        shown = metrics(&address).unwrap_or_default();
        // both files may have come in one round or in two
        let left = value(&shown, "weir_rule_hits_total{rule=\"cloudtrail/organization_left\"}");
        let suppressed = value(&shown, "weir_suppressed_total{rule=\"cloudtrail/attack_tool*\"}");
        let told = [value(&shown, &hits), value(&shown, "weir_findings_total{severity=\"high\"}"), left, suppressed];
        if told.iter().all(|value| *value > 0.0) && value(&shown, "weir_newest_event_seconds") > 0.0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(value(&shown, &hits), 1.0, "{shown}");
    assert!(value(&shown, &format!("weir_rule_seconds_total{admin}")) > 0.0, "{shown}");
    assert!(value(&shown, "weir_findings_total{severity=\"high\"}") >= 1.0, "{shown}");
    // August 2024, when the attacks were recorded
    let newest = value(&shown, "weir_newest_event_seconds");
    assert!((1_722_470_400.0..1_725_148_800.0).contains(&newest), "{newest}");
    let suppressed = value(&shown, "weir_suppressed_total{rule=\"cloudtrail/attack_tool*\"}");
    assert!(suppressed > 0.0, "{shown}");

    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success());
    let summary: serde_json::Value = serde_json::from_slice(&fs::read(folder.path().join("s.json")).unwrap()).unwrap();
    let entry = &summary["suppressions"][0];
    assert_eq!(
        (&entry["rule"], &entry["reason"]),
        (&"cloudtrail/attack_tool*".into(), &"red team".into()),
        "{summary}"
    );
    assert_eq!((entry["matches"].as_f64(), summary["suppressed"].as_f64()), (Some(suppressed), Some(suppressed)));
    let told = text(&ended.stderr);
    assert!(told.contains("of cloudtrail/attack_tool* (red team)"), "{told}");
}

#[test]
fn another_engine_reads_the_same_rows() {
    let Ok(python) = std::env::var("WEIR_TEST_PYTHON") else {
        println!("left out: WEIR_TEST_PYTHON names no Python with duckdb and pyarrow (tests/run installs one)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    many_files(&folder.path().join("logs"), 2);
    let output =
        weir(&["run", "--rules", few(), "--from", "logs", "--archive", "archive", "--format", "ndjson"], folder.path());
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let checked = Command::new(python)
        .arg(repository("tests/it/read_archive.py"))
        .args([path(&folder.path().join("logs")), path(&folder.path().join("archive"))])
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}{}", text(&checked.stdout), text(&checked.stderr));
}
