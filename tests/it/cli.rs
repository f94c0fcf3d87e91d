//! What a user types, and what comes back: exit codes, help, wrong flags, empty and broken input.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use weir::sink::security_hub::validate::call_violations;

use crate::support::{code, few, lines, only, path, repository, text, weir};

#[test]
fn every_command_has_help_with_an_example() {
    let folder = tempfile::tempdir().unwrap();
    for command in [
        &["--help"][..],
        &["run", "--help"],
        &["demo", "--help"],
        &["sql", "--help"],
        &["rules", "--help"],
        &["rules", "list", "--help"],
        &["rules", "coverage", "--help"],
        &["rules", "show", "--help"],
        &["score", "--help"],
        &["score", "series", "--help"],
        &["tables", "--help"],
    ] {
        let output = weir(command, folder.path());
        let help = text(&output.stdout);
        assert_eq!(code(&output), 0, "{command:?}");
        assert!(help.contains("Example"), "{command:?}: {help}");
        // what all commands have is not between what this one has
        let (own, logging) = help.split_once("\nLogging:\n").unwrap();
        assert!(own.contains("--help") && !own.contains("--log"), "{command:?}: {help}");
        assert!(logging.contains("--log-format"), "{command:?}: {help}");
    }
    let help = text(&weir(&["--help"], folder.path()).stdout);
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    for codes in ["0", "1", "2", "3", "4", "130, 143"] {
        assert!(help.contains(&format!("\n  {codes:<10}")) && readme.contains(&format!("\n| {codes} | ")), "{codes}");
    }
    let output = weir(&["--version"], folder.path());
    assert_eq!(text(&output.stdout), format!("weir {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn usage_errors_exit_with_2_and_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let sample = path(&repository("tests/data/cloudtrail/ordinary"));
    for (arguments, says) in [
        (&["run"][..], "--from"),
        (&["run", "logs.json"], "tip: what to read is named with '--from logs.json'"),
        (&["run", "--from", "x", "--no-such-flag"], "--no-such-flag"),
        (&["run", "--from", &sample, "--table", "cloudtrial"], "cloudtrail"),
        (&["run", "--from", &sample, "--follow", "--format", "csv"], "ndjson"),
        (&["run", "--from", &sample, "-c", "none.toml"], "none.toml"),
        (&["run", "--from", &sample, "--rules", "no-such-folder"], "no-such-folder"),
        (&["run", "--from", &sample, "--explain", "5d1f0g"], "`5d1f0g` is no id of a finding"),
        (
            &["run", "--from", &sample, "--rules", few(), "--archive", "none", "--explain", "0000"],
            "has an id that begins with 0000",
        ),
        (
            &["run", "--from", "sqs://t", "sqs://sqs.eu-west-1.amazonaws.com/1/t"],
            "sqs://t and sqs://https://sqs.eu-west-1",
        ),
        (
            &["run", "--from", "kinesis://s", "arn:aws:kinesis:eu-west-1:111122223333:stream/s"],
            "kinesis://s and arn:aws:kinesis:eu-west-1:111122223333:stream/s are the same",
        ),
        (
            &["run", "--from", "s3://logs/a/b", "s3://logs/a/"],
            "s3://logs/a/b and s3://logs/a/ are the same, or one is in",
        ),
        (
            &["run", "--from", "sqs://t", "arn:aws:sqs:eu-west-1:111122223333:t"],
            "sqs://t and sqs://https://sqs.eu-west-1.amazonaws.com/111122223333/t are the same",
        ),
        // each would be a path that is waited for
        (
            &["run", "--from", "https://sqs.eu-west-1.amazonaws.com/111122223333/t", "--follow"],
            "is neither a path nor a source: s3://BUCKET/PREFIX, sqs://QUEUE (also the URL",
        ),
        (&["run", "--from", "S3://logs/a", "--follow"], "`S3://logs/a` is neither a path nor a source"),
        (&["run", "--from", "arn:aws:s3:::logs/a", "--follow"], "(a bucket is s3://BUCKET/PREFIX)"),
        (&["run", "--from", "s3://logs/a", "--follow"], "--from sqs://QUEUE"),
        (&["run", "--from", ".", "--archive", "s3://logs/a"], "`s3://logs/a` is no folder"),
        (&["tables", "x"], "cloudtrail"),
        // a folder without rules would find nothing
        (&["run", "--from", "x", "--archive", "none", "--rules", "only:."], "no rule is in ., and none but those"),
        (&["run", "--from", "x", "--archive", "none", "--share", "0/2"], "name one with --from kinesis://STREAM"),
        (&["run", "--from", "x", "--archive", "none", "--leases", "t"], "name one with --from kinesis://STREAM"),
        (
            &["run", "--from", "x", "--table", "cloudtrail", "--vpc-flow-format", "srcaddr"],
            "--vpc-flow-format is about records of vpc_flow",
        ),
        (&["run", "--from", "./", "--archive", "."], "./ is the archive too"),
        (&["run", "--from", ".", "--archive", ""], "name its folder, or none"),
        (
            &["backtest", "--since", "2024-08-02", "--until", "2024-08-01"],
            "nothing lies between 2024-08-02 and 2024-08-01",
        ),
        (&["sql", "SELECT 1", "--archive", "no-such-archive"], "no-such-archive"),
        (&["--log", "warning", "tables"], "`warning` of --log or WEIR_LOG is no level: error, warn"),
        (&["feedback", "aa", "--confirmed", "--dry-run"], "cannot be used with '--dry-run'"),
        (&["rules", "new", "guardduty_finding/x"], "no example of a rule over `guardduty_finding`"),
    ] {
        let output = weir(arguments, folder.path());
        assert_eq!(code(&output), 2, "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(says), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn debug_tells_of_weir_and_not_of_what_parses_its_rules() {
    let folder = tempfile::tempdir().unwrap();
    let output = weir(&["--log", "debug", "run", "--from", ".", "--archive", "none", "--rules", few()], folder.path());
    let told = text(&output.stderr);
    assert_eq!(code(&output), 0, "{told}");
    assert!(!told.contains("sqlparser") && !told.contains("datafusion"), "{} bytes", told.len());
}

#[test]
fn a_wrong_key_in_the_configuration_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("weir.toml"), "from = ['x']\n\n[archive]\ndri = 'x'\n").unwrap();
    let output = weir(&["run", "-c", "weir.toml"], folder.path());
    assert_eq!(code(&output), 2);
    let says = text(&output.stderr);
    assert!(says.contains("weir.toml") && says.contains("line 4") && says.contains("dri"), "{says}");
}

#[test]
fn a_damaged_file_of_the_archive_is_named_and_the_rest_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let attack = path(&repository("tests/data/cloudtrail/stratus/aws.persistence.iam-create-admin-user.json.gz"));
    let run = weir(&["run", "--from", &attack, "--rules", few(), "--archive", "a"], folder.path());
    assert_eq!(code(&run), 0, "{}", text(&run.stderr));
    let files =
        walkdir::WalkDir::new(folder.path().join("a/cloudtrail")).into_iter().map(|entry| entry.unwrap().into_path());
    let file = files.filter(|path| path.extension().is_some_and(|end| end == "parquet")).last().unwrap();
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    for arguments in [
        &["sql", "SELECT count(*) AS n FROM cloudtrail", "--archive", "a"][..],
        &["backtest", "cloudtrail/root_console_login", "--archive", "a"],
    ] {
        let output = weir(arguments, folder.path());
        let says = text(&output.stderr);
        assert_eq!(code(&output), 3, "{says}");
        assert_eq!(says.matches(name).count(), 1, "{says}");
        assert!(says.contains("1 file of the archive cannot be read"), "{says}");
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn a_state_that_is_damaged_is_told_and_no_stack_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let event = r#"{"eventVersion":"1.08","eventSource":"iam.amazonaws.com","eventName":"GetUser","eventID":"e"}"#;
    fs::write(folder.path().join("one.json"), event).unwrap();
    let run = || weir(&["run", "--from", "one.json", "--archive", "a", "--rules", "none"], folder.path());
    assert_eq!(code(&run()), 0);
    let state = folder.path().join("a/_weir/state.redb");
    let mut bytes = fs::read(&state).unwrap();
    bytes[4096..].fill(0);
    fs::write(&state, bytes).unwrap();
    let expected = "weir: the archive's state a/_weir/state.redb is damaged: take it from a backup, or move the whole archive away, and \
                    what there is to read is read anew";
    let output = run();
    assert_eq!((code(&output), text(&output.stderr).trim()), (4, expected));
    let looked = weir(&["incidents", "--archive", "a"], folder.path());
    let said = text(&looked.stderr);
    assert!(said.contains("state.redb") && !said.contains("panicked") && said.lines().count() == 1, "{said}");
}

#[test]
fn the_archive_of_the_configuration_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let event = r#"{"eventVersion":"1.08","eventSource":"iam.amazonaws.com","eventName":"GetUser","eventID":"e"}"#;
    fs::write(folder.path().join("one.json"), event).unwrap();
    let config = |dir: &str| {
        fs::write(folder.path().join("weir.toml"), format!("rules = \"none\"\n[archive]\ndir = \"{dir}\"\n")).unwrap();
    };
    config("kept");
    assert_eq!(code(&weir(&["run", "-c", "weir.toml", "--from", "one.json"], folder.path())), 0);
    let query = ["sql", "SELECT count(*) AS n FROM cloudtrail", "-c", "weir.toml", "--format", "csv"];
    let test = ["backtest", "cloudtrail/root_console_login", "-c", "weir.toml"];
    assert_eq!(text(&weir(&query, folder.path()).stdout), "n\n1\n");
    assert!(text(&weir(&test, folder.path()).stdout).starts_with("1 row of cloudtrail in "));
    for (dir, why) in
        [("none", "the configuration keeps no archive: name one with --archive"), ("s3://b/p", "is in a bucket")]
    {
        config(dir);
        for arguments in [&query[..], &test] {
            let output = weir(arguments, folder.path());
            assert_eq!(code(&output), 2);
            assert!(text(&output.stderr).contains(why), "{}", text(&output.stderr));
        }
        assert_eq!(text(&weir(&[&query[..], &["--archive", "kept"]].concat(), folder.path()).stdout), "n\n1\n");
    }
}

#[test]
fn findings_of_a_severity_exit_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let attack = path(&repository("tests/data/cloudtrail/stratus/aws.persistence.iam-create-admin-user.json.gz"));
    let run = |least: &str| {
        weir(&["run", "--from", &attack, "--rules", few(), "--archive", "none", "--fail-on", least], folder.path())
    };
    assert_eq!(code(&run("medium")), 1);
    assert_eq!(code(&run("critical")), 0);
}

#[test]
fn the_rules_of_a_folder_run_with_the_built_in_ones_or_alone() {
    let folder = tempfile::tempdir().unwrap();
    let attack = path(&repository("tests/data/cloudtrail/stratus/aws.persistence.iam-create-admin-user.json.gz"));
    let rule = "-- title = \"A call\"\n-- severity = \"low\"\n-- tags = [\"attack.impact\"]\n-- remedy = \"Ask.\"\n\
                SELECT eventName FROM cloudtrail WHERE eventName = 'CreateUser'\n";
    fs::create_dir_all(folder.path().join("own/cloudtrail")).unwrap();
    fs::write(folder.path().join("own/cloudtrail/a_call.sql"), rule).unwrap();
    let rules = |rules: &str| {
        let arguments = ["run", "--from", &attack, "--archive", "none", "--format", "ndjson", "--rules", rules];
        let output = weir(&arguments, folder.path());
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        let mut ids: Vec<String> =
            lines(&output.stdout).iter().map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(rules("only:own"), ["cloudtrail/a_call"]);
    let both = rules("own");
    assert!(both.len() > 2 && both.contains(&"cloudtrail/a_call".into()), "{both:?}");
    assert!(both.contains(&"cloudtrail/iam_user_created".into()), "{both:?}");
    assert_eq!(rules("none"), Vec::<String>::new());
    let listed = text(&weir(&["rules", "list", "--rules", "only:own"], folder.path()).stdout);
    let ids: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(ids.contains(&"cloudtrail/a_call") && !ids.contains(&"cloudtrail/iam_user_created"), "{ids:?}");
    let missing = weir(&["run", "--from", &attack, "--rules", "only:no-such-folder"], folder.path());
    assert!(code(&missing) == 2 && text(&missing.stderr).contains("no-such-folder"), "{}", text(&missing.stderr));
}

#[test]
fn input_that_cannot_be_read_exits_with_3_and_the_rest_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let attack = path(&repository("tests/data/cloudtrail/stratus/aws.persistence.iam-create-admin-user.json.gz"));
    let output = weir(
        &["run", "--rules", few(), "--from", &attack, "missing.json", "--archive", "none", "--format", "ndjson"],
        folder.path(),
    );
    assert_eq!(code(&output), 3);
    let says = text(&output.stderr);
    assert!(says.contains("could not read missing.json: no such file or folder"), "{says}");
    let told = says.find("an input could not be read name=\"missing.json\" why=\"no such file or folder\"");
    assert!(told < says.find("TABLE"), "{says}");
    assert!(!lines(&output.stdout).is_empty());
}

#[test]
fn the_rest_of_an_input_that_cannot_be_read_exits_with_3_and_what_is_before_it_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read(repository(RECORDED)).unwrap();
    fs::write(folder.path().join("cut.json.gz"), &whole[..whole.len() - 20]).unwrap();
    fs::write(folder.path().join("README"), "what is here").unwrap();
    let run = |from: &str| {
        let run = ["run", "--rules", few(), "--from", from, "--archive", "a", "--format", "ndjson"];
        let output = weir(&run, folder.path());
        (code(&output), text(&output.stderr), lines(&output.stdout).len())
    };
    let (exit, says, _) = run("README");
    assert_eq!(exit, 0, "{says}");
    assert!(says.contains("README: 1 record rejected: neither JSON nor"), "{says}");
    let (exit, says, found) = run("cut.json.gz");
    assert_eq!(exit, 3, "{says}");
    assert!(says.contains("could not read cut.json.gz: the compressed data is cut off at its end\n"), "{says}");
    assert!(!says.contains("record rejected: the compressed") && found > 0, "{found}: {says}");
    let (exit, says, _) = run("cut.json.gz");
    assert_eq!(exit, 0, "nothing is read: {says}");
    fs::write(folder.path().join("list.json"), "{\"Records\":[").unwrap();
    let (exit, says, _) = run("list.json");
    assert_eq!(exit, 3, "{says}");
    assert!(
        says.contains("could not read list.json: the list of records is cut off at the end of the input\n"),
        "{says}"
    );
}

const RECORDED: &str = "tests/data/cloudtrail/stratus/aws.persistence.iam-create-admin-user.json.gz";

#[test]
fn asff_is_a_valid_call_for_each_account_and_region() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = String::new();
    flate2::read::MultiGzDecoder::new(fs::File::open(repository(RECORDED)).unwrap()).read_to_string(&mut log).unwrap();
    // the recording was made anonymous: its Region is none that there is
    fs::write(folder.path().join("log.json"), log.replace("ap-isob-central-3r", "eu-west-1")).unwrap();
    let run = |format: &str, name: &str| {
        let to = ["--format", format, "--findings", name];
        let output = weir(
            &[&["run", "--rules", few(), "--from", "log.json", "--archive", "none"], &to[..]].concat(),
            folder.path(),
        );
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        let written = fs::read_to_string(folder.path().join(name)).unwrap();
        written.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<serde_json::Value>>()
    };
    let (calls, findings) = (run("asff", "calls.ndjson"), run("ndjson", "findings.ndjson"));
    assert_eq!((calls.len(), call_violations(&calls[0])), (1, vec![]));
    let sent: BTreeSet<_> = calls[0]["Findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["Id"].as_str().unwrap().trim_start_matches("weir/").to_owned())
        .collect();
    assert!(sent.len() > 1);
    assert_eq!(sent, findings.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect());
    assert_eq!(
        calls[0]["Findings"][0]["ProductArn"],
        "arn:aws:securityhub:eu-west-1:229654561268:product/229654561268/default"
    );
}

#[test]
fn a_finding_without_an_asff_form_is_named_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let recorded = path(&repository(RECORDED));
    let output =
        weir(&["run", "--rules", few(), "--from", &recorded, "--archive", "none", "--format", "asff"], folder.path());
    assert_eq!((code(&output), text(&output.stdout)), (3, String::new()));
    let says = text(&output.stderr);
    let why = "left out: its log names no hub: Region `ap-isob-central-3r` is none of AWS's";
    let named = says.lines().filter(|line| line.starts_with("weir: finding ") && line.ends_with(why)).count();
    assert!(named > 0 && says.contains(&format!("weir: {named} of {named} findings left out")), "{says}");
    // what a log says steers no terminal
    let mut log = String::new();
    flate2::read::MultiGzDecoder::new(fs::File::open(&recorded).unwrap()).read_to_string(&mut log).unwrap();
    fs::write(folder.path().join("log.json"), log.replace("ap-isob-central-3r", r"\u001b[31m")).unwrap();
    let output =
        weir(&["run", "--rules", few(), "--from", "log.json", "--archive", "none", "--format", "asff"], folder.path());
    let says = text(&output.stderr);
    assert!(says.contains(r"Region `\u{1b}[31m` is none of AWS's") && !says.contains('\u{1b}'), "{says}");
}

#[test]
fn an_empty_folder_gives_no_findings() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    let output = weir(&["run", "--rules", few(), "--from", "logs", "--archive", "none"], folder.path());
    assert_eq!((code(&output), text(&output.stdout)), (0, "no findings\n".to_owned()));
    let says = text(&output.stderr);
    assert!(says.contains("there is nothing to read in a folder folder=\"logs\""), "{says}");
}

#[test]
fn a_folder_of_rules_is_read_past_what_is_no_rule() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("cloudtrail");
    fs::create_dir(&rules).unwrap();
    let check = |folder: &Path| {
        let output = weir(&["rules", "check", "cloudtrail"], folder);
        (code(&output), text(&output.stdout), text(&output.stderr))
    };
    let (exit, _, says) = check(folder.path());
    assert!(
        exit == 2 && says.contains("no rule is there: their files end in .sql, .yml or .yaml path=cloudtrail"),
        "{says}"
    );
    assert!(says.ends_with("weir: nothing to check in cloudtrail\n"), "{says}");
    fs::write(rules.join("bin.sql"), b"-- title = 'x'\n-- \xff").unwrap();
    fs::write(
        rules.join("FINE.SQL"),
        "-- title = 'x'\n-- severity = 'low'\n-- tags = ['attack.persistence', 'attack.t1078']\n-- remedy = 'x'\nSELECT eventName FROM cloudtrail WHERE eventName = 'x'\n",
    )
    .unwrap();
    let (exit, checked, _) = check(folder.path());
    assert_eq!(exit, 2);
    assert_eq!(checked, "cloudtrail/bin.sql:2:4: this is not UTF-8\n2 rules: 1 refused, 0 failures\n");
    let gates = text(&weir(&["rules", "check", "cloudtrail/FINE.SQL", "--gates"], folder.path()).stdout);
    let (gate, summary) = gates.split_once('\n').unwrap();
    assert!(gate.to_lowercase().contains("eventname") && summary == "1 rule: 0 refused, 0 failures\n", "{gates}");
    let missing = weir(&["rules", "check", "nosuch"], folder.path());
    assert_eq!(text(&missing.stderr), "weir: reading rules in nosuch: No such file or directory (os error 2)\n");
}

#[test]
fn rules_are_read_through_links_and_called_as_they_are_found() {
    let folder = tempfile::tempdir().unwrap();
    only(&["cloudtrail/attack_tool_used", "vpc_flow/records_lost"], &folder.path().join("shared"));
    let mine = folder.path().join("mine");
    fs::create_dir_all(mine.join("cloudtrail")).unwrap();
    let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, mine.join(at)).unwrap();
    // as Kubernetes mounts a ConfigMap
    fs::rename(folder.path().join("shared/cloudtrail"), mine.join("cloudtrail/..2026_01_31")).unwrap();
    link("..2026_01_31", "cloudtrail/..data");
    link("..data/attack_tool_used.sql", "cloudtrail/attack_tool_used.sql");
    link("../shared/vpc_flow", "vpc_flow");
    // links that lead back, nowhere, and an editor's lock
    link(".", "loop");
    link("nowhere", "notes");
    link("anne@host.1234:5", "cloudtrail/.#attack_tool_used.sql");
    let listed = weir(&["rules", "list", "--rules", "only:mine"], folder.path());
    assert_eq!(code(&listed), 0, "{}", text(&listed.stderr));
    let listed = text(&listed.stdout);
    let ids: Vec<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(ids, ["cloudtrail/attack_tool_used", "vpc_flow/records_lost"]);
}

#[test]
fn rules_and_cases_that_were_written_on_windows_are_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("cloudtrail")).unwrap();
    let write = |name: &str, lines: &[&str]| {
        let text = format!("\u{feff}{}\r\n", lines.join("\r\n"));
        fs::write(folder.path().join("cloudtrail").join(name), text).unwrap();
    };
    write(
        "x.sql",
        &[
            "-- title = 'x'",
            "-- severity = 'low'",
            "-- tags = ['attack.persistence', 'attack.t1078']",
            "-- remedy = 'x'",
            "SELECT eventName FROM cloudtrail WHERE eventName = 'x'",
        ],
    );
    write(
        "x.cases.jsonl",
        &[
            r#"{"fires": true, "why": "it is x", "event": {"eventName": "x", "eventSource": "s"}}"#,
            r#"{"fires": false, "why": "it is y", "event": {"eventName": "y", "eventSource": "s"}}"#,
        ],
    );
    let output = weir(&["rules", "test", "."], folder.path());
    assert_eq!(text(&output.stdout), "1 rule, 2 cases: 0 refused, 0 failures\n");
}

#[test]
fn what_was_rejected_is_told_by_file_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let cut = fs::read(repository(RECORDED)).unwrap();
    fs::write(folder.path().join("cut.json.gz"), &cut[..cut.len() / 2]).unwrap();
    fs::write(folder.path().join("logs.zip"), b"PK\x03\x04").unwrap();
    fs::write(folder.path().join("photo"), b"\x89PNG\r\n\x1a\n").unwrap();
    let inputs = ["run", "--rules", few(), "--from", "cut.json.gz", "logs.zip", "photo", "--archive"];
    let output = weir(&[&inputs[..], &["none"]].concat(), folder.path());
    assert_eq!(code(&output), 3);
    let says = text(&output.stderr);
    for line in [
        "\ncould not read logs.zip: a zip archive: unpack it, or compress the files in it with gzip or zstd\n",
        "\ncould not read cut.json.gz: the compressed data is cut off at its end\n",
        "\nphoto: 1 record rejected: neither JSON nor a text log that a table knows (first at byte 0)\n",
        "\ncut.json.gz: 1 record rejected: ",
    ] {
        assert!(says.contains(line), "{line} in {says}");
    }
    assert!(!says.contains("weir sql"), "{says}");
    let kept = weir(&[&inputs[..], &["a"]].concat(), folder.path());
    let says = text(&kept.stderr);
    assert!(says.contains("weir sql \"SELECT origin, reason FROM reject\" --archive a\n"), "{says}");
}

#[test]
fn a_pipe_closed_early_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["tables", "--markdown"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut says = String::new();
    child.stderr.take().unwrap().read_to_string(&mut says).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(says, "");
}

#[test]
fn standard_input_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let sample =
        fs::File::open(repository("tests/data/cloudtrail/stratus/aws.persistence.iam-create-admin-user.json.gz"));
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["run", "--rules", few(), "--from", "-", "--archive", "none", "--format", "json"])
        .current_dir(folder.path())
        .stdin(sample.unwrap())
        .output()
        .unwrap();
    let findings: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert!(findings.iter().any(|finding| finding["rule"] == "cloudtrail/admin_policy_attached"), "{findings:#?}");
}

#[test]
fn an_archive_that_cannot_be_written_exits_with_4_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("taken"), "a file").unwrap();
    let sample = path(&repository("tests/data/cloudtrail/ordinary"));
    let output = weir(&["run", "--rules", few(), "--from", &sample, "--archive", "taken"], folder.path());
    assert_eq!(code(&output), 4);
    assert!(text(&output.stderr).contains("taken"), "{}", text(&output.stderr));
    // nothing is read for findings and a summary that have no place
    for (flag, name) in [("--findings", "."), ("--findings", "nowhere/f"), ("--summary", ".")] {
        let output = weir(&["run", "--from", &sample, "--archive", "a", flag, name], folder.path());
        assert_eq!(code(&output), 4);
        assert!(text(&output.stderr).starts_with(&format!("weir: writing {name}: ")), "{}", text(&output.stderr));
        assert!(!folder.path().join("a").exists());
    }
    let inside = ["run", "--from", &sample, "--archive", "a", "--findings", "a/f.ndjson"];
    assert_eq!(code(&weir(&inside, folder.path())), 0);
}

#[test]
fn completions_and_the_man_page_come_from_the_same_definitions() {
    let folder = tempfile::tempdir().unwrap();
    assert!(text(&weir(&["completions", "bash"], folder.path()).stdout).contains("--fail-on"));
    let man = text(&weir(&["man"], folder.path()).stdout);
    for page in ["weir", "weir-run", "weir-rules-new", "weir-score-series"] {
        assert!(man.contains(&format!("\n.TH {page} 1 ")), "{page}");
    }
    assert!(man.contains("\\fBweir rules new\\fR") && man.contains("\\-\\-mutate"), "{man}");
}

#[test]
fn what_is_read_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let event = r#"{"eventVersion":"1.08","eventTime":"2024-08-01T11:30:23Z","eventSource":"iam.amazonaws.com","eventName":"ListUsers"}"#;
    fs::write(folder.path().join("in.json"), event).unwrap();
    fs::hard_link(folder.path().join("in.json"), folder.path().join("link.json")).unwrap();
    std::os::unix::fs::symlink("in.json", folder.path().join("symbolic.json")).unwrap();
    for written in ["in.json", "./in.json", "link.json", "symbolic.json"] {
        for flag in ["--findings", "--summary"] {
            let output = weir(&["run", "--from", "in.json", "--archive", "none", flag, written], folder.path());
            assert_eq!(code(&output), 2, "{flag} {written}");
            assert!(text(&output.stderr).contains("is read: what a run writes needs another place"));
        }
    }
    let output = weir(&["run", "--from", "in.json", "--findings", "same", "--summary", "./same"], folder.path());
    assert_eq!(code(&output), 2);
    // findings of an earlier run that a pattern matches are no input
    fs::write(folder.path().join("old.json"), "{}").unwrap();
    let from = folder.path().join("*.json").display().to_string();
    let run = ["run", "--from", &from, "--archive", "none", "--findings", "old.json", "--summary", "-"];
    let output = weir(&run, folder.path());
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["files_read"], 1, "the three names are one file");
    assert_eq!(fs::read_to_string(folder.path().join("in.json")).unwrap(), event);
}

#[test]
fn without_a_rule_that_can_be_used_nothing_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("mine/cloudtrail")).unwrap();
    let rule = "-- title = \"X\"\n-- severity = \"low\"\n-- tags = [\"attack.impact\"]\n-- remedy = \"Look.\"\nSELECT nosuch FROM cloudtrail WHERE nosuch = 1\n";
    fs::write(folder.path().join("mine/cloudtrail/x.sql"), rule).unwrap();
    fs::write(folder.path().join("in.json"), "").unwrap();
    fs::create_dir(folder.path().join("archive")).unwrap();
    let run = ["run", "--from", "in.json", "--archive", "none", "--rules", "only:mine"];
    for arguments in [&run[..], &["backtest", "mine", "--archive", "archive"]] {
        let output = weir(arguments, folder.path());
        assert_eq!(code(&output), 2, "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("no rule is left"), "{}", text(&output.stderr));
    }
}
