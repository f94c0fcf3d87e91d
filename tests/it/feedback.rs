//! `weir feedback` and `weir suppress`: what people found out moves priorities, and suppressions are tried before they ship.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{code, ended, few, lines, path, repository, signal, start, text, weir, whole_lines};

/// Judges the recorded attacks into the archive `a`, and gives the findings.
fn judge(folder: &std::path::Path) -> Vec<Value> {
    let logs = path(&repository("tests/data/cloudtrail/stratus"));
    let output = weir(&["run", "--rules", few(), "--from", &logs, "--archive", "a", "--format", "ndjson"], folder);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    lines(&output.stdout)
}

fn of<'a>(findings: &'a [Value], rule: &str) -> &'a Value {
    findings.iter().find(|finding| finding["rule"] == rule).unwrap_or_else(|| panic!("no finding of {rule}"))
}

fn precision(finding: &Value) -> &Value {
    finding["terms"].as_array().unwrap().iter().find(|term| term["name"] == "precision").unwrap()
}

const RULE: &str = "cloudtrail/admin_policy_attached";

#[test]
fn a_verdict_moves_the_priority_of_a_rule_in_its_account_and_can_be_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let before = judge(folder.path());
    let finding = of(&before, RULE);
    let id = finding["id"].as_str().unwrap();
    let output = weir(&["feedback", "--archive", "a"], folder.path());
    assert!(text(&output.stdout).starts_with("nothing was said of any finding yet"), "{}", text(&output.stdout));

    // named twice it is judged once
    let dismiss = ["feedback", &id[..16], id, "--dismissed", "--by", "alice", "--note", "T-1", "--archive", "a"];
    let output = weir(&dismiss, folder.path());
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout).matches(RULE).count(), 1, "{}", text(&output.stdout));
    let said = fs::read_to_string(folder.path().join("a/_weir/feedback.ndjson")).unwrap();
    let line: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&line["finding"], &line["rule"], &line["verdict"]),
        (&finding["id"], &finding["rule"], &"dismissed".into())
    );
    assert_eq!((&line["by"], &line["note"], &line["account"]), (&"alice".into(), &"T-1".into(), &finding["account"]));

    // the same logs are read, and only the ranks have changed
    let after = judge(folder.path());
    let again = of(&after, RULE);
    assert!(again["priority"].as_u64() < finding["priority"].as_u64(), "{again}");
    // the events are older than the verdict, which therefore counts whole: 2 to 1 becomes 2 to 2, 1 to 4 becomes 1 to 5
    let why = precision(again)["why"].as_str().unwrap();
    assert!(why.contains(" confidence, 0 confirmed and 1 dismissed in this account: odds "), "{why}");
    let others = |all: &[Value]| -> Vec<(String, u64)> {
        let others = all.iter().filter(|other| other["rule"] != RULE || other["account"] != finding["account"]);
        others.map(|other| (other["id"].to_string(), other["priority"].as_u64().unwrap())).collect()
    };
    let sorted = |mut all: Vec<(String, u64)>| {
        all.sort();
        all
    };
    assert_eq!(sorted(others(&before)), sorted(others(&after)));

    let output = weir(&["feedback", "--archive", "a"], folder.path());
    let row = text(&output.stdout).lines().nth(1).unwrap().to_owned();
    assert!(row.starts_with(RULE) && row.contains(finding["account"].as_str().unwrap()), "{row}");
    // a line that somebody left without an end swallows no verdict
    let file = folder.path().join("a/_weir/feedback.ndjson");
    fs::write(&file, said.trim_end()).unwrap();
    let output = weir(&["feedback", id, "--withdrawn", "--archive", "a"], folder.path());
    assert_eq!(lines(&fs::read(&file).unwrap()).len(), 2);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert_eq!(of(&judge(folder.path()), RULE)["priority"], finding["priority"]);
}

#[test]
fn a_letter_in_another_encoding_makes_no_verdict_void() {
    let folder = tempfile::tempdir().unwrap();
    let before = judge(folder.path());
    let finding = of(&before, RULE);
    let id = finding["id"].as_str().unwrap();
    let dismiss = ["feedback", id, "--dismissed", "--note", "T-1", "--archive", "a"];
    assert_eq!(code(&weir(&dismiss, folder.path())), 0);
    let file = folder.path().join("a/_weir/feedback.ndjson");
    let mut said = fs::read(&file).unwrap();
    let note = said.windows(3).position(|letters| letters == b"T-1").unwrap();
    said[note + 2] = 0xfc;
    fs::write(&file, said).unwrap();
    assert!(of(&judge(folder.path()), RULE)["priority"].as_u64() < finding["priority"].as_u64());
    let output = weir(&["feedback", id, "--withdrawn", "--archive", "a"], folder.path());
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert_eq!(of(&judge(folder.path()), RULE)["priority"], finding["priority"]);
}

#[test]
fn a_run_that_follows_takes_up_what_is_said_of_its_findings() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let sample = |name: &str| repository("tests/data/cloudtrail/stratus").join(name);
    fs::copy(sample("aws.persistence.iam-create-admin-user.json.gz"), logs.join("1.gz")).unwrap();
    fs::write(folder.path().join("weir.toml"), "from = ['logs']\n[limits]\ncommit_seconds = 1\n").unwrap();
    let run = ["run", "-c", "weir.toml", "--rules", few(), "--archive", "a", "--follow", "--findings", "f.ndjson"];
    let process = start(&run, folder.path());
    let found = || whole_lines(&folder.path().join("f.ndjson"));
    let wait = |what: &str, is_there: &dyn Fn() -> bool| {
        let waited = (0..300).any(|_| {
            std::thread::sleep(Duration::from_millis(100));
            is_there()
        });
        assert!(waited, "{what}");
    };
    let archived = || weir(&["incidents", "--archive", "a", "--format", "ndjson"], folder.path());
    wait("the first findings are committed", &|| !lines(&archived().stdout).is_empty());
    let first = found();
    let finding = of(&first, RULE).clone();
    let id = finding["id"].as_str().unwrap();
    let output = weir(&["feedback", id, "--confirmed", "--archive", "a"], folder.path());
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    // the same act by another user, on another day, is another finding of the rule
    let zipped = fs::read(sample("aws.persistence.iam-create-admin-user.json.gz")).unwrap();
    let mut log = String::new();
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(&zipped[..]), &mut log).unwrap();
    let day = &finding["first_seen"].as_str().unwrap()[..10];
    let again = log
        .replace(day, "2031-05-05")
        .replace("\"eventID\":\"", "\"eventID\":\"0")
        .replace("\"eventID\": \"", "\"eventID\": \"0");
    std::thread::sleep(Duration::from_secs(2));
    fs::write(logs.join("2.json"), again).unwrap();
    wait("the later finding comes", &|| found().iter().any(|one| one["rule"] == RULE && one["id"] != finding["id"]));
    let all = found();
    let later = all.iter().find(|one| one["rule"] == RULE && one["id"] != finding["id"]).unwrap();
    let why = precision(later)["why"].as_str().unwrap();
    assert!(why.contains("1 confirmed and 0 dismissed"), "{why}");
    signal(&process, Signal::TERM);
    assert!(ended(process, Duration::from_secs(120)).status.success());
}

#[test]
fn a_suppression_that_would_hide_what_was_real_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let findings = judge(folder.path());
    let real = of(&findings, RULE);
    let entry = |rule: &str| format!("[[suppress]]\nrule = '{rule}'\nreason = 'noise'\nexpires = 2099-01-01\n");
    let past = entry(RULE).replace("2099", "2020");
    fs::write(folder.path().join("weir.toml"), format!("{}{}{past}", entry(RULE), entry("vpc_flow/*"))).unwrap();
    let suppress = || weir(&["suppress", "-c", "weir.toml", "--archive", "a"], folder.path());
    let output = suppress();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let count = findings.iter().filter(|finding| finding["rule"] == RULE).count();
    let (told, all) = (text(&output.stdout), findings.len());
    assert!(
        told.starts_with(&format!("{RULE} (noise; until 2099-01-01): hides {count} of {all} open findings: ")),
        "{told}"
    );
    assert!(
        told.contains(&format!("vpc_flow/* (noise; until 2099-01-01): hides none of {all} open findings")),
        "{told}"
    );
    assert!(told.contains(&format!("{RULE} (noise; expired 2020-01-01): would hide {count} of {all} ")), "{told}");

    weir(&["feedback", real["id"].as_str().unwrap(), "--confirmed", "--archive", "a"], folder.path());
    let output = suppress();
    assert_eq!(code(&output), 1);
    let told = text(&output.stdout);
    assert!(told.lines().nth(1).unwrap().ends_with("CONFIRMED: this one was real"), "{told}");
}

#[test]
fn a_suppression_that_may_hide_a_part_of_what_was_real_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let findings = judge(folder.path());
    let several = |finding: &&Value| finding["count"].as_u64() > Some(1) && finding["window"].is_null();
    let real = findings.iter().find(several).expect("a finding of several matches");
    weir(&["feedback", real["id"].as_str().unwrap(), "--confirmed", "--archive", "a"], folder.path());
    // of the other matches no address is kept
    let rule = real["rule"].as_str().unwrap();
    let entry =
        format!("[[suppress]]\nrule = '{rule}'\nsource_ip = '203.0.113.250'\nreason = 'noise'\nexpires = 2099-01-01\n");
    fs::write(folder.path().join("weir.toml"), entry).unwrap();
    let output = weir(&["suppress", "-c", "weir.toml", "--archive", "a"], folder.path());
    let told = text(&output.stdout);
    assert_eq!(code(&output), 1, "{told}");
    let (first, second) = (told.lines().next().unwrap(), told.lines().nth(1).unwrap());
    assert!(first.contains(": hides none of ") && first.contains("; perhaps some matches of "), "{told}");
    assert!(second.ends_with("  perhaps in part  CONFIRMED: this one was real"), "{told}");
}

#[test]
fn a_suppression_says_how_much_detection_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    judge(folder.path());
    let ended = |entry: &str, exit: i32| {
        let entry = format!("[[suppress]]\n{entry}\nreason = 'noise'\nexpires = 2099-01-01\n");
        fs::write(folder.path().join("weir.toml"), entry).unwrap();
        let output = weir(&["suppress", "-c", "weir.toml", "--archive", "a", "--limit", "0"], folder.path());
        assert_eq!(code(&output), exit, "{}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    let told = |entry: &str| ended(entry, 0).0;
    let (wrong, why) = ended("rule = 'cloudtrail/admin_policy_atached'\nowner = 'secops'", 2);
    assert_eq!(why, "weir: 1 of 1 [[suppress]] entries name no rule and hide nothing\n");
    assert!(
        wrong.starts_with("cloudtrail/admin_policy_atached (noise; owner secops; until 2099-01-01): hides none"),
        "{wrong}"
    );
    assert!(
        wrong.contains("\n  NO RULE is `cloudtrail/admin_policy_atached`: is it cloudtrail/admin_policy_attached"),
        "{wrong}"
    );
    let of_weir = told("rule = 'weir/windows_shed'");
    assert!(!of_weir.contains("NO RULE"), "{of_weir}");
    let wide = told("rule = 'cloudtrail/*'");
    assert!(wide.contains("\n  it is about ") && wide.contains("\n  no other rule is about T1"), "{wide}");
    let narrow = told("rule = 'cloudtrail/*'\nactor = 'user/christophe'");
    assert!(!narrow.contains("no other rule") && !narrow.contains("hides none"), "{narrow}");
    let one = told(&format!("rule = '{RULE}'"));
    assert!(!one.contains("it is about") && !one.contains("NO RULE"), "{one}");
}

#[test]
fn what_logs_say_of_actors_and_accounts_steers_no_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let event = r#"{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/x\u001b[2J"},"eventTime":"2024-08-01T11:30:23Z","eventSource":"iam.amazonaws.com","eventName":"AttachUserPolicy","awsRegion":"eu-west-1","requestParameters":{"policyArn":"arn:aws:iam::aws:policy/AdministratorAccess","userName":"eve"},"recipientAccountId":"1111\u001b[2J"}"#;
    fs::write(folder.path().join("in.json"), event).unwrap();
    let run = ["run", "--rules", few(), "--from", "in.json", "--archive", "a", "--format", "ndjson"];
    let findings = lines(&weir(&run, folder.path()).stdout);
    let in_capitals = of(&findings, RULE)["id"].as_str().unwrap().to_uppercase();
    assert_eq!(code(&weir(&["feedback", &in_capitals, "--confirmed", "--archive", "a"], folder.path())), 0);
    let entry = format!("[[suppress]]\nrule = '{RULE}'\nreason = 'noise'\nexpires = 2099-01-01\n");
    fs::write(folder.path().join("weir.toml"), entry).unwrap();
    for arguments in [
        &["suppress", "-c", "weir.toml", "--archive", "a"][..],
        &["feedback", "--archive", "a"],
        &["sql", "SELECT CAST(userIdentity.arn AS double) FROM cloudtrail", "--archive", "a"],
    ] {
        let output = weir(arguments, folder.path());
        let told = text(&output.stdout) + &text(&output.stderr);
        assert!(told.contains("\\u{1b}[2J") && !told.contains('\u{1b}'), "{told:?}");
    }
}

#[test]
fn an_incident_is_judged_by_its_id() {
    let folder = tempfile::tempdir().unwrap();
    judge(folder.path());
    let output = weir(&["incidents", "--archive", "a", "--format", "ndjson", "--limit", "1"], folder.path());
    let incident = &lines(&output.stdout)[0];
    let id = &incident["id"].as_str().unwrap()[..8];
    let output = weir(&["feedback", id, "--confirmed", "--archive", "a"], folder.path());
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let said = whole_lines(&folder.path().join("a/_weir/feedback.ndjson"));
    let judged: Vec<&Value> = said.iter().map(|line| &line["finding"]).collect();
    let of_incident = incident["finding_ids"].as_array().unwrap();
    assert!(!judged.is_empty() && judged.iter().all(|finding| of_incident.contains(finding)), "{judged:?} {incident}");
    // what its timeline names is among them
    let steps = incident["timeline"].as_array().unwrap();
    let evidence = steps.iter().filter(|step| step["usual"] == false);
    assert!(evidence.map(|step| &step["finding"]).all(|finding| judged.contains(&finding)), "{judged:?} {incident}");
}

#[test]
fn what_is_missing_from_a_verdict_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let said = |words: &[&str]| {
        let output = weir(words, folder.path());
        assert_eq!(code(&output), 2, "{words:?}");
        text(&output.stderr)
    };
    assert!(said(&["feedback", "--archive", "a"]).contains("a is no archive that a run has written to"));
    judge(folder.path());
    assert!(said(&["feedback", "abc", "--archive", "a"]).contains("--confirmed, --dismissed or --withdrawn"));
    assert!(said(&["feedback", "--dismissed", "--archive", "a"]).contains("by their ids"));
    assert!(said(&["feedback", "zz", "--dismissed", "--archive", "a"]).contains("no finding of the archive"));
    assert!(said(&["feedback", "", "--dismissed", "--archive", "a"]).contains("findings have an id that begins with"));
    assert!(!folder.path().join("a/_weir/feedback.ndjson").exists());
}

#[test]
fn a_file_of_verdicts_is_taken_and_its_wrong_lines_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let findings = judge(folder.path());
    let ids: Vec<&str> = findings.iter().take(3).map(|finding| finding["id"].as_str().unwrap()).collect();
    let file = folder.path().join("a/_weir/feedback.ndjson");
    let csv = format!("id,verdict,by,note\n{},confirmed,eve,T-1\n{},maybe,,\n{},DISMISSED,,\n", ids[0], ids[1], ids[2]);
    fs::write(folder.path().join("v.csv"), csv).unwrap();

    let import = |words: &[&str]| weir(&[&["feedback", "--archive", "a", "--import"], words].concat(), folder.path());
    let output = import(&["v.csv", "--dry-run"]);
    let wrong = "weir: v.csv:3: `maybe` is no verdict: use confirmed, dismissed or withdrawn\n";
    assert_eq!((code(&output), text(&output.stderr).as_str()), (3, wrong));
    let counts = "1 confirmed, 1 dismissed, 0 withdrawn; 1 line is wrong\n";
    assert_eq!(text(&output.stdout), format!("2 verdicts would be taken: {counts}"));
    assert!(!file.exists());

    let output = import(&["v.csv", "--by", "soc"]);
    assert_eq!((code(&output), text(&output.stderr).as_str()), (3, wrong));
    assert!(text(&output.stdout).starts_with(&format!("2 verdicts taken: {counts}")), "{}", text(&output.stdout));
    let said = lines(&fs::read(&file).unwrap());
    let told = |line: &Value| ["finding", "verdict", "by", "note"].map(|field| line[field].as_str().map(str::to_owned));
    let expected = |texts: [&str; 3], note: Option<&str>| {
        texts.map(Some).into_iter().chain([note]).map(|text| text.map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(told(&said[0]).to_vec(), expected([ids[0], "confirmed", "eve"], Some("T-1")));
    assert_eq!(told(&said[1]).to_vec(), expected([ids[2], "dismissed", "soc"], None));
    assert_eq!((&said[1]["rule"], &said[1]["account"]), (&findings[2]["rule"], &findings[2]["account"]));

    // what an archive wrote is taken as it is, through a pipe too
    let piped = std::process::Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["feedback", "--archive", "a", "--import", "-"])
        .current_dir(folder.path())
        .stdin(std::process::Stdio::from(fs::File::open(&file).unwrap()))
        .output()
        .unwrap();
    assert_eq!(code(&piped), 0, "{}", text(&piped.stderr));
    assert_eq!(lines(&fs::read(&file).unwrap()), [&said[..], &said[..]].concat());
    for (words, expected) in [
        (&["nowhere.csv"][..], "reading nowhere.csv"),
        (&["v.csv", "--confirmed"], "cannot be used with"),
        (&["v.csv", "abc"], "cannot be used with"),
    ] {
        let output = import(words);
        assert_eq!(code(&output), 2, "{words:?}");
        assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
    }
}
