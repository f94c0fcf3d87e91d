//! `weir incidents`: recorded attacks as one story each, from files of findings and from an archive.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{code, ended, lines, path, repository, signal, start, text, weir};

/// Writes the findings of the recorded attacks to `f.ndjson`, and gives how many they are.
fn judge_attacks(folder: &Path) -> usize {
    static FOUND: LazyLock<String> = LazyLock::new(|| {
        let (findings, _) = crate::support::judge(&repository("tests/data/cloudtrail/stratus"));
        findings.iter().map(|finding| format!("{finding}\n")).collect()
    });
    fs::write(folder.join("f.ndjson"), &*FOUND).unwrap();
    FOUND.lines().count()
}

#[test]
fn a_recorded_attack_is_one_story_and_the_pages_show_it() {
    let folder = tempfile::tempdir().unwrap();
    judge_attacks(folder.path());
    let whole = story_of("queries/FINDINGS.md");
    let id = whole.split_whitespace().nth(1).unwrap();
    let output = weir(&["incidents", "f.ndjson", "--story", id], folder.path());
    assert_eq!((code(&output), text(&output.stderr).as_str()), (0, ""));
    assert_eq!(whole, text(&output.stdout), "the story in queries/FINDINGS.md is stale");
    let begun = story_of("README.md");
    let begun = begun.strip_suffix("...\n").expect("README.md leaves the rest of the story out");
    assert!(begun.contains("Why now") && whole.starts_with(begun), "the story in README.md is stale: {begun}");
}

/// The block of a page that shows an incident.
fn story_of(page: &str) -> String {
    let text = fs::read_to_string(repository(page)).unwrap();
    let mut blocks = text.split("```text\n").map(|block| block.split("```").next().unwrap());
    blocks.find(|block| block.starts_with("INCIDENT ")).expect("the page shows a story").to_owned()
}

/// Stolen credentials of an instance: a user sends a shell command to it, and then its role acts from the user's address.
#[test]
fn what_a_user_and_the_role_it_stole_did_is_one_incident() {
    let folder = tempfile::tempdir().unwrap();
    judge_attacks(folder.path());
    let output = weir(&["incidents", "f.ndjson", "--format", "ndjson", "--limit", "99"], folder.path());
    let all = lines(&output.stdout);
    let one = all.iter().find(|one| one["title"].as_str().unwrap().starts_with("Credentials of an EC2")).unwrap();
    assert_eq!(one["who"], serde_json::json!(["role/stratus-red-team-ec2-steal-credentials-role", "user/christophe"]));
    assert_eq!(one["tactics"], serde_json::json!(["resource development", "execution", "credential access"]));
    assert_eq!((one["severity"].as_str(), one["findings"].as_u64()), (Some("high"), Some(4)));
    let bits: f64 = one["why_now"].as_array().unwrap().iter().map(|reason| reason["bits"].as_f64().unwrap()).sum();
    assert!((bits - one["score"].as_f64().unwrap()).abs() < 0.03, "{bits} and {}", one["score"]);
    // users of one name in other accounts are others
    let accounts = |one: &serde_json::Value| {
        one["touched"].as_array().unwrap().iter().filter(|line| line.as_str().unwrap().starts_with("account ")).count()
    };
    assert!(all.iter().all(|one| accounts(one) <= 2), "{all:#?}");
}

#[test]
fn an_archive_is_read_while_a_run_writes_to_it_and_says_what_the_findings_do() {
    let folder = tempfile::tempdir().unwrap();
    let logs = path(&repository("tests/data/cloudtrail/stratus"));
    let run = start(&["run", "--from", &logs, "--archive", "a", "--follow", "--findings", "out.ndjson"], folder.path());
    let of_archive = || weir(&["incidents", "--archive", "a", "--format", "ndjson", "--limit", "99"], folder.path());
    let ids = |output: &Output| -> Vec<String> {
        lines(&output.stdout).iter().map(|one| format!("{} {}", one["id"], one["finding_ids"])).collect()
    };
    // until everything is committed
    let mut seen = Vec::new();
    for _ in 0..600 {
        std::thread::sleep(Duration::from_millis(100));
        let output = of_archive();
        seen = ids(&output);
        if seen.len() >= 12 {
            break;
        }
        let told = text(&output.stderr);
        assert!(code(&output) == 0 || told.contains("no archive"), "{told}");
    }
    signal(&run, Signal::INT);
    let run = ended(run, Duration::from_secs(120));
    assert_eq!(code(&run), 0, "{}", text(&run.stderr));
    let from_file = weir(&["incidents", "out.ndjson", "--format", "ndjson", "--limit", "99"], folder.path());
    assert_eq!(code(&from_file), 0, "{}", text(&from_file.stderr));
    seen.sort();
    let mut at_the_end = ids(&from_file);
    at_the_end.sort();
    assert_eq!(seen, at_the_end);
}

#[test]
fn forms_limit_and_fail_on() {
    let folder = tempfile::tempdir().unwrap();
    let findings = judge_attacks(folder.path());
    let run = |arguments: &[&str]| {
        let output = weir(&[&["incidents", "f.ndjson"], arguments].concat(), folder.path());
        assert_eq!(text(&output.stderr), "", "{arguments:?}");
        (code(&output), text(&output.stdout))
    };
    let (_, shown) = run(&["--limit", "2"]);
    assert!(shown.contains(&format!("incidents in {findings} findings, 2 of them shown\n")), "{shown}");
    assert_eq!((shown.matches("INCIDENT ").count(), shown.matches("Timeline").count()), (1, 1));
    assert_eq!(run(&["--limit", "2", "--story", "all"]).1.matches("INCIDENT ").count(), 2);
    assert_eq!(run(&["--story", "none"]).1.matches("INCIDENT ").count(), 0);
    let (_, page) = run(&["--format", "markdown", "--limit", "3"]);
    assert!(page.starts_with("| score | severity |") && page.matches("\n## Incident ").count() == 3, "{page}");
    let array: serde_json::Value = serde_json::from_str(&run(&["--format", "json", "--limit", "3"]).1).unwrap();
    assert_eq!(array.as_array().unwrap().len(), 3);
    // what is not shown counts too
    assert_eq!(run(&["--fail-on", "high", "--limit", "0"]).0, 1);
    assert_eq!(run(&["--fail-on", "critical"]).0, 0);
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    judge_attacks(folder.path());
    let whole = fs::read_to_string(folder.path().join("f.ndjson")).unwrap();
    fs::write(folder.path().join("broken"), whole.replacen('\n', "\n{\"id\": 7\n", 1)).unwrap();
    fs::write(folder.path().join("empty"), "").unwrap();
    let check = |arguments: &[&str], expected: i32, says: &str, shows: &str| {
        let output = weir(&[&["incidents"], arguments].concat(), folder.path());
        let (told, shown) = (text(&output.stderr), text(&output.stdout));
        assert_eq!(code(&output), expected, "{arguments:?}: {told}");
        assert!(told.contains(says) && shown.contains(shows), "{arguments:?}: {told}{shown}");
    };
    check(&["broken"], 3, "weir: broken:2: no finding: ", "INCIDENT ");
    check(&["missing", "f.ndjson"], 3, "weir: could not read missing: ", "INCIDENT ");
    check(&["empty"], 0, "", "no incidents in 0 findings\n");
    check(&["empty", "--format", "ndjson"], 0, "", "");
    check(&["empty", "--format", "json"], 0, "", "[]\n");
    check(&["empty", "--format", "markdown"], 0, "", "No incidents.\n");
    check(&["f.ndjson", "--story", "xyz"], 2, "no incident has an id that begins with xyz", "");
    check(&["--archive", "nowhere"], 2, "nowhere is no archive", "");
    check(&["f.ndjson", "--archive", "a"], 2, "cannot be used with", "");

    let piped = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["incidents", "-", "--story", "none"])
        .current_dir(folder.path())
        .stdin(Stdio::from(File::open(folder.path().join("f.ndjson")).unwrap()))
        .output()
        .unwrap();
    let of_file = weir(&["incidents", "f.ndjson", "--story", "none"], folder.path());
    assert_eq!((code(&piped), text(&piped.stdout)), (0, text(&of_file.stdout)));
}
