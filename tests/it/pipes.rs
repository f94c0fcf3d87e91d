//! Who reads what the program prints: a terminal sees progress, a pipe does not, and one that closes early does no harm.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::pipeline::many_files;
use crate::support::{code, ended, few, path, start, text, weir};

/// Runs a command with standard error on a terminal; what it drew there.
fn on_a_terminal(command: &str, folder: &Path) -> Option<String> {
    let drawn = Command::new("script")
        .args(["--quiet", "--return", "--command", command, "/dev/null"])
        .current_dir(folder)
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .output();
    match drawn {
        Ok(output) => {
            assert!(output.status.success(), "{}", text(&output.stdout));
            Some(text(&output.stdout))
        }
        Err(error) => {
            println!("left out: no `script` to make a terminal: {error}");
            None
        }
    }
}

#[test]
fn progress_is_drawn_on_a_terminal_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    many_files(&folder.path().join("logs"), 300);
    let arguments =
        ["run", "--rules", few(), "--from", "logs", "--archive", "none", "--format", "ndjson", "--summary", "s.json"];
    let piped = weir(&arguments, folder.path());
    assert_eq!(code(&piped), 0, "{}", text(&piped.stderr));
    let told = text(&piped.stderr);
    assert!(told.contains("300 files") && !told.contains(" records, ") && !told.contains('\x1b'), "{told}");

    let command = format!("{} {} > out", env!("CARGO_BIN_EXE_weir"), arguments.join(" "));
    let Some(drawn) = on_a_terminal(&command, folder.path()) else { return };
    assert!(drawn.contains(" records, ") && drawn.contains(" read, ") && drawn.contains('\x1b'), "{drawn:?}");
    // the findings are not mixed with it
    assert_eq!(fs::read_to_string(folder.path().join("out")).unwrap(), text(&piped.stdout));
}

/// Runs the program into a pipe whose reader has gone.
fn into_a_closed_pipe(arguments: &[&str], folder: &Path) -> Output {
    let mut child = start(arguments, folder);
    drop(child.stdout.take());
    ended(child, Duration::from_secs(120))
}

#[test]
fn an_answer_nobody_reads_to_its_end_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    many_files(&folder.path().join("logs"), 100);
    let made =
        weir(&["run", "--rules", few(), "--from", "logs", "--archive", "a", "--format", "ndjson"], folder.path());
    assert_eq!(code(&made), 0, "{}", text(&made.stderr));
    // more than any buffer on the way holds
    for form in ["ndjson", "csv", "table", "parquet", "athena"] {
        let output =
            into_a_closed_pipe(&["sql", "SELECT * FROM cloudtrail", "--archive", "a", "--format", form], folder.path());
        assert_eq!((code(&output), text(&output.stderr).as_str()), (0, ""), "{form}");
    }
    // more rows than a writer of CSV holds itself
    let many = "SELECT a.* FROM cloudtrail a CROSS JOIN cloudtrail b";
    let output = into_a_closed_pipe(&["sql", many, "--archive", "a", "--format", "csv"], folder.path());
    assert_eq!((code(&output), text(&output.stderr).as_str()), (0, ""));
    for list in [
        &["incidents", "--archive", "a"][..],
        &["rules", "list"],
        &["rules", "list", "--markdown"],
        &["tables", "cloudtrail"],
        &["man"],
    ] {
        let output = into_a_closed_pipe(list, folder.path());
        assert_eq!((code(&output), text(&output.stderr).as_str()), (0, ""), "{list:?}");
    }
}

#[test]
fn a_run_whose_findings_nobody_reads_still_sums_up_and_judges() {
    let folder = tempfile::tempdir().unwrap();
    let logs = path(&crate::support::repository("tests/data/cloudtrail/stratus"));
    for format in ["table", "ndjson", "json", "csv", "sarif"] {
        let summary = format!("{format}.json");
        let arguments = ["run", "--rules", few(), "--from", &logs, "--archive", "none", "--format", format];
        let output = into_a_closed_pipe(
            &[&arguments[..], &["--summary", &summary, "--fail-on", "medium"]].concat(),
            folder.path(),
        );
        let told = text(&output.stderr);
        assert_eq!(code(&output), 1, "{format}: {told}");
        assert!(!told.contains("panicked") && !told.contains("weir:"), "{format}: {told}");
        assert!(folder.path().join(summary).exists(), "{format}");
    }
    let output = into_a_closed_pipe(&["demo"], folder.path());
    assert_eq!((code(&output), text(&output.stderr).as_str()), (0, ""));
}

#[test]
fn following_ends_when_nobody_reads_its_findings() {
    let folder = tempfile::tempdir().unwrap();
    let logs = path(&crate::support::repository("tests/data/cloudtrail/stratus/*.gz"));
    let output =
        into_a_closed_pipe(&["run", "--rules", few(), "--from", &logs, "--archive", "none", "--follow"], folder.path());
    assert_eq!((code(&output), text(&output.stderr).as_str()), (0, ""));
}

#[test]
fn messages_that_nobody_reads_do_not_change_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    File::create(folder.path().join("taken")).unwrap();
    for (arguments, expected) in [
        (&["run", "--rules", few(), "--from", "missing", "--archive", "none"][..], 3),
        (&["run", "--rules", few(), "--from", "missing", "--archive", "taken"], 4),
        (&["sql", "SELECT nothing", "--archive", "missing"], 2),
    ] {
        let mut child = start(arguments, folder.path());
        drop(child.stderr.take());
        assert_eq!(code(&ended(child, Duration::from_secs(120))), expected, "{arguments:?}");
    }
}

#[test]
fn what_attackers_name_steers_no_terminal_and_is_whole_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    let event = r#"{"eventVersion":"1.08","eventTime":"2024-08-01T10:00:00Z","eventSource":"iam.amazonaws.com","eventName":"Get\u001b[2JUser","awsRegion":"us-east-1","userAgent":"\u001b[2J=1+1","eventID":"0a5e1f2c-0000-4000-8000-000000000001","recipientAccountId":"111122223333"}"#;
    fs::write(folder.path().join("event.json"), event).unwrap();
    let read = weir(&["run", "--rules", few(), "--from", "event.json", "--archive", "a"], folder.path());
    assert_eq!(code(&read), 0, "{}", text(&read.stderr));
    let piped = weir(&["sql", "SELECT userAgent FROM cloudtrail", "--archive", "a", "--format", "csv"], folder.path());
    // without the escape sequence it would be a formula
    assert_eq!(text(&piped.stdout), "useragent\n\u{1b}[2J=1+1\n");
    for command in [
        "sql 'SELECT userAgent FROM cloudtrail' --archive a",
        "rules explain cloudtrail/admin_policy_attached event.json",
    ] {
        let Some(drawn) = on_a_terminal(&format!("{} {command}", env!("CARGO_BIN_EXE_weir")), folder.path()) else {
            return;
        };
        assert!(drawn.contains("\\u{1b}[2J") && !drawn.contains('\u{1b}'), "{drawn:?}");
    }
}
