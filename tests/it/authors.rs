//! What people who write rules type: `weir rules explain`, `test --mutate`, `cost` and `new`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{code, ended, lines, start, text, weir};

const ROOT: &str = "cloudtrail/root_console_login";

fn login(by: &str) -> Value {
    json!({
        "eventVersion": "1.08", "eventTime": "2024-08-01T11:30:23Z", "eventSource": "signin.amazonaws.com",
        "eventName": "ConsoleLogin", "eventID": "1d2c3b4a-5e6f-4a7b-8c9d-000000000001", "awsRegion": "us-east-1", "recipientAccountId": "111122223333",
        "sourceIPAddress": "192.0.2.7", "eventType": "AwsConsoleSignIn", "userIdentity": { "type": by },
        "responseElements": { "ConsoleLogin": "Success" },
    })
}

fn explain(folder: &Path, event: &str, more: &[&str]) -> Output {
    fs::write(folder.join("event.json"), event).unwrap();
    weir(&[&["rules", "explain", ROOT, "event.json"], more].concat(), folder)
}

#[test]
fn an_event_that_fires_and_one_that_does_not_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let fires = explain(folder.path(), &login("Root").to_string(), &[]);
    assert_eq!(code(&fires), 0, "{}", text(&fires.stderr));
    assert!(text(&fires.stdout).ends_with("\nfires\n"), "{}", text(&fires.stdout));
    assert!(!text(&fires.stdout).contains("false") && !text(&fires.stdout).contains(" is `"), "nothing fails");

    let mut failed = login("IAMUser");
    failed["responseElements"] = Value::Null;
    let silent = explain(folder.path(), &json!({ "Records": [failed] }).to_string(), &[]);
    let told = text(&silent.stdout);
    assert_eq!(code(&silent), 0, "it is an answer");
    for line in [
        "1 row of cloudtrail",
        "true   eventName = 'ConsoleLogin'",
        "false  userIdentity.type = 'Root'",
        "         userIdentity.type is `IAMUser`",
        "null   responseElements ->> 'ConsoleLogin' = 'Success'",
        "         responseElements ->> 'ConsoleLogin' is null",
        "does not fire: userIdentity.type = 'Root' is false; responseElements ->> 'ConsoleLogin' = 'Success' is null",
    ] {
        assert!(told.lines().any(|told| told == line), "{line:?} in {told}");
    }

    let form = explain(folder.path(), &login("IAMUser").to_string(), &["--format", "json"]);
    let form = lines(&form.stdout).remove(0);
    assert_eq!((&form["rule"], &form["fires"], &form["rows"]), (&json!(ROOT), &json!(false), &json!(1)));
    let who = form["conditions"].as_array().unwrap().iter().find(|one| one["sql"] == "userIdentity.type = 'Root'");
    assert_eq!(who.unwrap()["reads"], json!([["userIdentity.type", ["IAMUser"]]]));
}

#[test]
fn what_a_rule_would_not_look_at_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let flow = "version account-id action start end\n2 111122223333 ACCEPT 1722510000 1722510060\n";
    let other = text(&explain(folder.path(), flow, &[]).stdout);
    assert!(other.contains("not looked at: the rule reads cloudtrail, and the rows are 1 of vpc_flow\n"), "{other}");

    let mut service = login("Root");
    service["userIdentity"]["invokedBy"] = json!("AWS Internal");
    service["sourceIPAddress"] = json!("AWS Internal");
    service["eventType"] = json!("AwsServiceEvent");
    let own = text(&explain(folder.path(), &service.to_string(), &[]).stdout);
    assert!(own.contains("does not fire: an AWS service made this call on its own behalf"), "{own}");

    let twice = json!({ "Records": [login("Root"), login("Root")] }).to_string();
    let twice = text(&explain(folder.path(), &twice, &[]).stdout);
    assert!(
        twice.contains("1 of the events were delivered twice") && twice.contains("\n1 row of cloudtrail\n"),
        "{twice}"
    );
}

#[test]
fn windows_are_explained_with_what_their_aggregates_come_to() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("mine/cloudtrail")).unwrap();
    let rule = "-- title = \"Many\"\n-- severity = \"low\"\n-- tags = [\"a\"]\n-- remedy = \"r\"\nSELECT count(*) AS n FROM cloudtrail WHERE eventName = 'ConsoleLogin' GROUP BY userIdentity.type, tumble(eventTime, INTERVAL '1 hour') HAVING count(*) >= 3 AND count(DISTINCT awsRegion) >= 1\n";
    fs::write(folder.path().join("mine/cloudtrail/many.sql"), rule).unwrap();
    let mut second = login("Root");
    second["eventID"] = json!("1d2c3b4a-5e6f-4a7b-8c9d-000000000002");
    fs::write(folder.path().join("two.json"), json!({ "Records": [login("Root"), second] }).to_string()).unwrap();
    let told = weir(&["rules", "explain", "cloudtrail/many", "two.json", "--rules", "mine"], folder.path());
    let told = text(&told.stdout);
    for line in [
        "2 of 2 eventName = 'ConsoleLogin'",
        "window 2024-08-01T11:00:00Z to 2024-08-01T12:00:00Z, userIdentity.type `Root`: 2 rows",
        "false  count(*) >= 3",
        "         count(*) is `2`",
        "true   count(DISTINCT awsRegion) >= 1",
        "does not fire: 2 of 2 rows meet the WHERE, and no window the HAVING: count(*) >= 3 is false",
    ] {
        assert!(told.lines().any(|told| told == line), "{line:?} in {told}");
    }
}

#[test]
fn wrong_usage_of_explain_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("event.json"), login("Root").to_string()).unwrap();
    let unknown = weir(&["rules", "explain", "cloudtrail/root_consol_login", "event.json"], folder.path());
    assert_eq!(code(&unknown), 2);
    assert!(
        text(&unknown.stderr).contains("did you mean `cloudtrail/root_console_login`?"),
        "{}",
        text(&unknown.stderr)
    );

    for (content, says) in [
        ("", "event.json is empty"),
        ("\n \n", "event.json is empty"),
        ("hello there\n", "no event"),
        ("{\"Records\": []}", "no event in it"),
    ] {
        let output = explain(folder.path(), content, &[]);
        assert_eq!(code(&output), 3, "{content:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(says), "{content:?}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "");
    }
    let missing = weir(&["rules", "explain", ROOT, "none.json"], folder.path());
    assert_eq!((code(&missing), text(&missing.stderr).contains("none.json")), (3, true));
}

#[test]
fn explain_reads_standard_input_and_a_closed_pipe_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("event.json"), login("Root").to_string()).unwrap();
    let input = fs::File::open(folder.path().join("event.json")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["rules", "explain", ROOT, "-"])
        .stdin(Stdio::from(input))
        .output()
        .unwrap();
    assert!(text(&output.stdout).ends_with("\nfires\n"), "{}", text(&output.stderr));

    let mut child = start(&["rules", "explain", ROOT, "event.json"], folder.path());
    drop(child.stdout.take());
    let output = ended(child, Duration::from_secs(120));
    assert_eq!((code(&output), text(&output.stderr)), (0, String::new()));
}

#[test]
fn changes_that_no_case_notices_survive_and_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("mine/cloudtrail");
    fs::create_dir_all(&dir).unwrap();
    let rule = |end: &str| {
        format!(
            "-- title = \"Root\"\n-- severity = \"low\"\n-- tags = [\"a\"]\n-- remedy = \"r\"\nSELECT eventTime FROM cloudtrail\nWHERE eventName = 'ConsoleLogin'{end}\n  AND userIdentity.type = 'Root'\n"
        )
    };
    let case = |fires: bool, event: Value| json!({ "fires": fires, "why": "w", "event": event }).to_string() + "\n";
    let mut other = login("Root");
    other["eventName"] = json!("ConsoleLogout");
    let poor = case(true, login("Root")) + &case(false, login("IAMUser"));
    fs::write(dir.join("root.cases.jsonl"), &poor).unwrap();
    let run = |end: &str| {
        fs::write(dir.join("root.sql"), rule(end)).unwrap();
        let output = weir(&["rules", "test", "mine", "--mutate"], folder.path());
        (code(&output), text(&output.stdout))
    };
    let good = "1 rule, 2 cases: 0 refused, 0 failures\n";
    let survivor = "mine/cloudtrail/root.sql:6: cloudtrail/root survives: dropped `eventName = 'ConsoleLogin'`\n";
    assert_eq!(run(""), (2, format!("{good}{survivor}4 mutants, 3 killed, 1 survived\n")));
    let accepted = run(" -- equivalent: root does nothing else");
    assert_eq!(accepted, (0, format!("{good}4 mutants, 3 killed, 1 accepted, 0 survived\n")));
    fs::write(dir.join("root.cases.jsonl"), poor + &case(false, other)).unwrap();
    assert_eq!(run(""), (0, "1 rule, 3 cases: 0 refused, 0 failures\n4 mutants, 4 killed, 0 survived\n".to_owned()));
    let idle = run(" -- equivalent: root does nothing else");
    assert!(idle.0 == 2 && idle.1.contains("root.sql:6: cloudtrail/root accepts nothing that survives"), "{}", idle.1);
}

#[test]
fn rules_of_sigma_have_cases_too_and_one_without_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let sigma = folder.path().join("sigma");
    fs::create_dir_all(&sigma).unwrap();
    let rule = "title: Somebody signed in\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n  \
                selection: {eventSource: signin.amazonaws.com, eventName: ConsoleLogin}\n  condition: selection\n";
    fs::write(sigma.join("a.yml"), rule).unwrap();
    fs::write(sigma.join("b.yml"), rule).unwrap();
    let mut other = login("IAMUser");
    other["eventName"] = json!("ConsoleLogout");
    let case = |fires: bool, event: Value| json!({ "fires": fires, "why": "w", "event": event }).to_string() + "\n";
    fs::write(sigma.join("a.cases.jsonl"), case(true, login("IAMUser")) + &case(false, other)).unwrap();
    let output = weir(&["rules", "test", "sigma", "--mutate"], folder.path());
    let told = text(&output.stdout);
    assert_eq!(code(&output), 2, "{told}");
    assert!(told.contains("sigma/a.yml: cloudtrail/a survives: dropped `lower(eventSource) = "), "{told}");
    assert!(told.contains("cloudtrail/b was not changed: it has no cases that hold as it is\n"), "{told}");
}

#[test]
fn a_new_rule_holds_its_cases_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    for table in ["cloudtrail", "vpc_flow", "glue_job_run", "glue_log"] {
        let made = weir(&["rules", "new", &format!("{table}/mine")], folder.path());
        assert_eq!(code(&made), 0, "{}", text(&made.stderr));
        let said = format!("my-rules/{table}/mine.sql\nmy-rules/{table}/mine.cases.jsonl\n");
        assert!(text(&made.stdout).starts_with(&said), "{}", text(&made.stdout));
    }
    let tested = weir(&["rules", "test", "my-rules", "--mutate"], folder.path());
    let told = text(&tested.stdout);
    assert!(told.starts_with("4 rules, 14 cases: 0 refused, 0 failures\n"), "{told}");
    assert!(told.ends_with(" killed, 0 survived\n") && code(&tested) == 0, "{told}");

    let file = folder.path().join("my-rules/cloudtrail/mine.sql");
    fs::write(&file, "mine").unwrap();
    for (id, says) in [
        ("cloudtrail/mine", "my-rules/cloudtrail/mine.sql is there already: nothing was written"),
        ("mine", "`mine` is no id"),
        ("cloudtrial/mine", "there are cloudtrail, vpc_flow, glue_job_run, glue_log"),
        ("cloudtrail/../mine", "`../mine` is no name"),
        ("cloudtrail/", "`` is no name"),
        ("cloudtrail/root_console_login", "weir rules show cloudtrail/root_console_login"),
    ] {
        let refused = weir(&["rules", "new", id], folder.path());
        assert_eq!(code(&refused), 2, "{id}");
        assert!(text(&refused.stderr).contains(says), "{id}: {}", text(&refused.stderr));
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "mine");
}

#[test]
fn a_run_says_what_each_rule_took() {
    let folder = tempfile::tempdir().unwrap();
    let other = |by: &str, id: u32| {
        let mut event = login(by);
        event["eventID"] = json!(format!("1d2c3b4a-5e6f-4a7b-8c9d-00000000000{id}"));
        event
    };
    let records = json!({ "Records": [other("Root", 1), other("Root", 2), other("IAMUser", 3)] });
    fs::write(folder.path().join("event.json"), records.to_string()).unwrap();
    let run = ["run", "--from", "event.json", "--archive", "none", "--findings", "f.txt", "--summary", "s.json"];
    assert_eq!(code(&weir(&run, folder.path())), 0);
    let summary: Value = serde_json::from_slice(&fs::read(folder.path().join("s.json")).unwrap()).unwrap();
    let took = &summary["rules"][ROOT];
    assert_eq!((&took["rows"], &took["matches"], &took["state_bytes"]), (&json!(2), &json!(2), &json!(0)));

    let output = weir(&["rules", "cost", "s.json", "--top", "1000"], folder.path());
    let told = text(&output.stdout);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert!(told.starts_with("RULE ") && told.lines().any(|line| line.starts_with(ROOT)), "{told}");
    let seconds: Vec<f64> = told
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().nth(1).unwrap().parse().unwrap())
        .collect();
    assert!(seconds.windows(2).all(|pair| pair[0] >= pair[1]), "{seconds:?}");

    let wrong = weir(&["rules", "cost", "event.json"], folder.path());
    assert_eq!(
        (code(&wrong), text(&wrong.stderr).contains("event.json is not what `weir run --summary` writes")),
        (2, true)
    );
}
