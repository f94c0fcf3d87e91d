//! A run that goes on takes up edits of rules, lists and suppressions, and keeps what was in force where one is broken.

use std::fs;
use std::path::Path;
use std::process::{Child, Output};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{code, ended, lines, signal, start, text, whole_lines};

/// A run over `logs`, and what it found.
struct Following {
    folder: tempfile::TempDir,
    child: Child,
    files: usize,
}

const HEADER: &str = "-- title = \"t\"\n-- severity = \"low\"\n-- tags = [\"attack.impact\"]\n-- remedy = \"Look.\"\n";
const WAIT: Duration = Duration::from_secs(180);

impl Following {
    fn start(write: impl Fn(&Path)) -> Following {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("logs")).unwrap();
        fs::create_dir_all(folder.path().join("rules/cloudtrail")).unwrap();
        fs::write(folder.path().join("weir.toml"), "").unwrap();
        write(folder.path());
        Following { child: Following::child(folder.path()), folder, files: 0 }
    }

    fn child(folder: &Path) -> Child {
        let from = ["run", "-c", "weir.toml", "--from", "logs", "--follow", "--archive", "a", "--rules", "only:rules"];
        let to = ["--findings", "f.ndjson", "--summary", "s.json"];
        start(&[&from[..], &to].concat(), folder)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// A call of today, as a new file.
    fn call(&mut self, name: &str, user: &str) {
        self.files += 1;
        let event = json!({
            "eventVersion": "1.08", "eventID": format!("e{}", self.files), "eventTime": now(), "eventSource": "iam.amazonaws.com",
            "eventName": name, "awsRegion": "us-east-1", "sourceIPAddress": "198.51.100.7", "userAgent": "x",
            "errorMessage": "none",
            "recipientAccountId": "111122223333", "eventType": "AwsApiCall",
            "userIdentity": { "type": "IAMUser", "arn": format!("arn:aws:iam::111122223333:user/{user}"), "accountId": "111122223333" },
        });
        self.write(&format!("logs/{}.json", self.files), &json!({ "Records": [event] }).to_string());
    }

    fn found(&self) -> Vec<(String, String)> {
        let one = |finding: Value| {
            let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
            (text("rule"), text("actor").rsplit('/').next().unwrap_or_default().to_owned())
        };
        whole_lines(&self.folder.path().join("f.ndjson")).into_iter().map(one).collect()
    }

    fn wait_for(&mut self, rule: &str, user: &str) {
        let begun = Instant::now();
        while !self.found().contains(&(rule.to_owned(), user.to_owned())) {
            assert!(self.child.try_wait().unwrap().is_none(), "the program ended");
            assert!(begun.elapsed() < WAIT, "{rule} did not fire on {user}: {:?}", self.found());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Calls by new users until a rule fires on one of them: it is in force then.
    fn wait_until_fires(&mut self, rule: &str, name: &str) {
        let begun = Instant::now();
        let before = self.found().len();
        while !self.found()[before..].iter().any(|(fired, _)| fired == rule) {
            assert!(begun.elapsed() < WAIT, "{rule} did not fire on {name}: {:?}", self.found());
            let user = format!("probe{}", self.files);
            self.call(name, &user);
            thread::sleep(Duration::from_millis(1500));
        }
    }

    fn end(self) -> (Output, Value, tempfile::TempDir) {
        signal(&self.child, Signal::INT);
        let output = ended(self.child, Duration::from_secs(120));
        let summary = serde_json::from_slice(&fs::read(self.folder.path().join("s.json")).unwrap()).unwrap();
        (output, summary, self.folder)
    }
}

fn now() -> String {
    weir::time::Timestamp::now().to_string()
}

fn rule(name: &str) -> String {
    format!("{HEADER}SELECT eventTime FROM cloudtrail WHERE eventName = '{name}'\n")
}

fn twice(name: &str) -> String {
    format!(
        "{HEADER}SELECT count(*) AS calls FROM cloudtrail WHERE eventName = '{name}'\n\
         GROUP BY userIdentity.arn, hop(eventTime, INTERVAL '1 hour', INTERVAL '24 hours') HAVING count(*) >= 2\n"
    )
}

#[test]
fn edits_are_taken_up_and_a_broken_one_leaves_the_rule_in_force() {
    let mut run = Following::start(|folder| {
        fs::write(folder.join("weir.toml"), "[limits]\nreload_seconds = 1\n").unwrap();
        fs::write(folder.join("rules/cloudtrail/edited.sql"), rule("OneName")).unwrap();
        fs::write(folder.join("rules/cloudtrail/half_full.sql"), twice("Knock")).unwrap();
    });
    run.call("OneName", "anne");
    run.call("Knock", "kim");
    run.wait_for("cloudtrail/edited", "anne");

    // edited, and one added
    run.write("rules/cloudtrail/edited.sql", &rule("OtherName"));
    run.write("rules/cloudtrail/added.sql", &rule("AddedName"));
    run.wait_until_fires("cloudtrail/edited", "OtherName");
    run.call("AddedName", "bea");
    run.wait_for("cloudtrail/added", "bea");
    run.call("OneName", "carl");
    // the first of two calls came before the other rule's edit
    run.call("Knock", "kim");
    run.wait_for("cloudtrail/half_full", "kim");

    // broken, and another one removed: when that is gone, both were looked at
    run.write("rules/cloudtrail/edited.sql", &rule("OtherName").replace("eventName", "eventNam"));
    fs::remove_file(run.folder.path().join("rules/cloudtrail/added.sql")).unwrap();
    run.write("rules/cloudtrail/last.sql", &rule("LastName"));
    run.wait_until_fires("cloudtrail/last", "LastName");
    run.call("AddedName", "dora");
    run.call("OtherName", "ed");
    run.wait_for("cloudtrail/edited", "ed");

    let found = run.found();
    assert!(!found.contains(&("cloudtrail/edited".to_owned(), "carl".to_owned())), "the edit was in force: {found:?}");
    assert!(!found.contains(&("cloudtrail/added".to_owned(), "dora".to_owned())), "it was removed: {found:?}");
    let (output, summary, _) = run.end();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let said = text(&output.stderr);
    let place = "rules/cloudtrail/edited.sql:5:40: ";
    assert_eq!(said.matches("an edit is refused").count(), 1, "{said}");
    assert_eq!(said.matches(place).count(), 2, "when it was seen, and in the summary: {said}");
    assert_eq!(summary["reloads"], 2, "{said}");
    let refused = summary["refused_edits"].as_array().unwrap();
    assert!(refused.len() == 1 && refused[0].as_str().unwrap().starts_with(place), "{refused:?}");
}

#[test]
fn a_folder_that_comes_back_is_read_again_and_an_editors_lock_is_no_rule() {
    let mut run = Following::start(|folder| {
        fs::write(folder.join("weir.toml"), "[limits]\nreload_seconds = 1\n").unwrap();
        fs::write(folder.join("rules/cloudtrail/one.sql"), rule("OneName")).unwrap();
        std::os::unix::fs::symlink("anne@host.1234:5", folder.join("rules/cloudtrail/.#one.sql")).unwrap();
    });
    run.call("OneName", "anne");
    run.wait_for("cloudtrail/one", "anne");
    let (rules, elsewhere) = (run.folder.path().join("rules"), run.folder.path().join("elsewhere"));
    // long enough for two looks
    fs::rename(&rules, &elsewhere).unwrap();
    thread::sleep(Duration::from_secs(8));
    fs::rename(&elsewhere, &rules).unwrap();
    thread::sleep(Duration::from_secs(8));
    run.call("OneName", "bea");
    run.wait_for("cloudtrail/one", "bea");
    let (output, summary, _) = run.end();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert!(summary["refused_edits"].as_array().is_none_or(Vec::is_empty), "{summary}");
}

#[test]
fn an_edited_rule_counts_rows_that_no_commit_has_yet() {
    let thrice = |window: &str| {
        format!(
            "{HEADER}SELECT count(*) AS calls FROM cloudtrail WHERE eventName = 'GetUser'\n\
             GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '{window}') HAVING count(*) >= 3\n"
        )
    };
    let mut run = Following::start(|folder| {
        fs::write(folder.join("weir.toml"), "[limits]\nreload_seconds = 1\ncommit_seconds = 3600\n").unwrap();
        fs::write(folder.join("rules/cloudtrail/many.sql"), thrice("1 day")).unwrap();
        fs::write(folder.join("rules/cloudtrail/any.sql"), rule("AnyName")).unwrap();
    });
    run.call("GetUser", "eve");
    run.call("GetUser", "eve");
    run.call("AnyName", "anne");
    run.wait_for("cloudtrail/any", "anne");
    run.write("rules/cloudtrail/many.sql", &thrice("2 days"));
    run.write("rules/cloudtrail/mark.sql", &rule("Mark"));
    run.wait_until_fires("cloudtrail/mark", "Mark");
    run.call("GetUser", "eve");
    run.wait_for("cloudtrail/many", "eve");
    assert_eq!(code(&run.end().0), 0);
}

#[test]
fn lists_and_suppressions_are_taken_up_and_a_broken_file_changes_nothing() {
    let config =
        |suppress: &str| format!("[limits]\nreload_seconds = 1\n[reference.users]\npath = 'users.txt'\n{suppress}");
    let known = "[[suppress]]\nrule = 'cloudtrail/any'\nactor = '*:user/known'\nreason = 'r'\nexpires = '2999-01-01'\n";
    let listed = format!("{HEADER}SELECT eventTime FROM cloudtrail WHERE in_reference(userIdentity.arn, 'users')\n");
    let joined = format!(
        "{HEADER}SELECT eventTime FROM cloudtrail JOIN reference.users u ON userIdentity.arn = u.value WHERE true\n"
    );
    let arn = |user: &str| format!("arn:aws:iam::111122223333:user/{user}\n");
    let mut run = Following::start(|folder| {
        fs::write(folder.join("weir.toml"), config("")).unwrap();
        fs::write(folder.join("rules/cloudtrail/joined.sql"), &joined).unwrap();
        fs::write(folder.join("users.txt"), arn("anne")).unwrap();
        fs::write(folder.join("rules/cloudtrail/listed.sql"), &listed).unwrap();
        fs::write(folder.join("rules/cloudtrail/any.sql"), rule("AnyName")).unwrap();
    });
    run.call("GetUser", "anne");
    run.wait_for("cloudtrail/listed", "anne");

    run.write("users.txt", &(arn("anne") + &arn("bea")));
    run.write("weir.toml", &config(known));
    run.write("rules/cloudtrail/mark.sql", &rule("Mark"));
    run.wait_until_fires("cloudtrail/mark", "Mark");
    run.call("GetUser", "bea");
    run.call("AnyName", "known");
    run.wait_for("cloudtrail/listed", "bea");
    run.wait_for("cloudtrail/joined", "bea");

    // the file is broken, and the list is gone, but what is in force stays
    run.write("weir.toml", "[suppres]\n");
    fs::remove_file(run.folder.path().join("users.txt")).unwrap();
    run.write("rules/cloudtrail/mark.sql", &rule("OtherMark"));
    run.wait_until_fires("cloudtrail/mark", "OtherMark");
    run.call("AnyName", "known");
    run.call("AnyName", "other");
    run.call("ListUsers", "bea");
    run.wait_for("cloudtrail/any", "other");
    let found = run.found();
    assert!(!found.contains(&("cloudtrail/any".to_owned(), "known".to_owned())), "{found:?}");
    let (output, summary, _) = run.end();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let refused: Vec<&str> = summary["refused_edits"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused[0].starts_with("in weir.toml: line 1, column 2 (`[suppres]`): unknown field"), "{refused:?}");
    assert!(refused[1].starts_with("in [reference.users]: users.txt: "), "{refused:?}");
    assert_eq!(summary["suppressed"], 2);
}

#[test]
fn a_rule_that_floods_is_put_aside_until_it_is_edited_and_one_that_fails_is_told_of() {
    let failing = rule("GetUser")
        .replace("WHERE", "WHERE 10 / CAST(errorMessage AS BIGINT) >= 1 AND")
        .replace("GetUser", "Divide");
    let flooding = |more: &str| format!("-- dedupe = \"1h\"\n{}{more}", rule("Flood"));
    let mut run = Following::start(|folder| {
        fs::write(folder.join("weir.toml"), "[limits]\nreload_seconds = 1\n[quarantine]\nfindings_per_hour = 2\n")
            .unwrap();
        fs::write(folder.join("rules/cloudtrail/flooding.sql"), flooding("")).unwrap();
        fs::write(folder.join("rules/cloudtrail/failing.sql"), failing.clone()).unwrap();
        fs::write(folder.join("rules/cloudtrail/mark.sql"), rule("Mark")).unwrap();
    });
    for user in ["anne", "bea"] {
        run.call("Flood", user);
        run.wait_for("cloudtrail/flooding", user);
    }
    run.call("Flood", "carl");
    run.wait_for("weir/rule_quarantined", "");
    signal(&run.child, Signal::INT);
    let (mut run, told) = {
        let Following { folder, child, files } = run;
        let output = ended(child, Duration::from_secs(120));
        assert!(text(&output.stderr).contains("weir/rule_quarantined names them"), "{}", text(&output.stderr));
        let run = Following { child: Following::child(folder.path()), folder, files };
        let told = run.found().iter().filter(|(rule, _)| rule == "weir/rule_quarantined").count();
        (run, told)
    };
    assert_eq!(told, 1);
    run.call("Flood", "dora");
    // an errorMessage that is no number
    run.call("Divide", "ed");
    run.call("Mark", "fay");
    run.wait_for("cloudtrail/mark", "fay");
    let found = run.found();
    assert!(!found.iter().any(|(_, user)| user == "dora" || user == "carl"), "{found:?}");
    run.write("rules/cloudtrail/flooding.sql", &flooding("-- edited\n"));
    run.wait_until_fires("cloudtrail/flooding", "Flood");
    let (output, summary, folder) = run.end();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert!(summary["put_aside"].as_u64() >= Some(1), "{summary}");
    let found = lines(&fs::read(folder.path().join("f.ndjson")).unwrap());
    let fails: Vec<&Value> = found
        .iter()
        .filter(|finding| finding["title"] == "Rule cloudtrail/failing could not judge some rows")
        .collect();
    assert_eq!((fails.len(), &fails[0]["severity"]), (1, &json!("medium")), "{found:?}");
}

#[test]
fn a_canary_is_no_alarm_and_its_silence_is_one() {
    // four seconds in place of hours
    let canary = "[[canary]]\nname = 'made on purpose'\nrule = 'cloudtrail/made'\nactor = '*/canary'\nhours = 0.0011\n";
    let mut run = Following::start(|folder| {
        fs::write(folder.join("weir.toml"), canary).unwrap();
        fs::write(folder.join("rules/cloudtrail/made.sql"), rule("CreateUser")).unwrap();
    });
    run.call("CreateUser", "canary");
    run.call("CreateUser", "eve");
    run.wait_for("cloudtrail/made", "eve");
    run.wait_for("weir/canary_silent", "");
    // it is heard again, and falls silent again
    run.call("CreateUser", "canary");
    let begun = Instant::now();
    let silences = |run: &Following| run.found().iter().filter(|(rule, _)| rule == "weir/canary_silent").count();
    while silences(&run) < 2 {
        assert!(begun.elapsed() < WAIT, "{:?}", run.found());
        thread::sleep(Duration::from_millis(50));
    }
    let found = run.found();
    assert!(!found.contains(&("cloudtrail/made".into(), "canary".into())), "{found:?}");
    let (output, summary, folder) = run.end();
    assert_eq!((code(&output), silences_in(&folder)), (0, 2), "{}", text(&output.stderr));
    assert_eq!(
        (&summary["canaries"][0]["name"], &summary["canaries"][0]["matches"]),
        (&json!("made on purpose"), &json!(2))
    );
    assert!(text(&output.stderr).contains("canary made on purpose: 2 matches, last at "), "{}", text(&output.stderr));
}

/// Different findings that say a canary is silent.
fn silences_in(folder: &tempfile::TempDir) -> usize {
    let found = lines(&fs::read(folder.path().join("f.ndjson")).unwrap());
    let silent = found.iter().filter(|finding| finding["rule"] == "weir/canary_silent");
    silent.map(|finding| finding["id"].to_string()).collect::<std::collections::BTreeSet<_>>().len()
}
