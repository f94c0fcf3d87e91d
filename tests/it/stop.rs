//! Ctrl-C: what was read is kept, and the next run goes on from there.

use std::cell::Cell;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::hub::HOME;
use crate::pipeline::{count, many_files};
use crate::security_hub::{create_user, write_log};
use crate::support::{code, ended, few, repository, signal, start, text, weir};

/// A run that is told to stop ends within this time, however long its input is.
const SOON: Duration = Duration::from_secs(20);

/// Waits until something holds; the child must go on running meanwhile.
fn wait_for(child: &mut Child, what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(child.try_wait().unwrap().is_none(), "the program ended before {what}");
        assert!(begun.elapsed() < Duration::from_secs(180), "{what} did not come");
        thread::sleep(Duration::from_millis(20));
    }
}

fn summary(folder: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(folder.join("s.json")).unwrap()).unwrap()
}

/// A run that follows `logs`, and writes `f.ndjson` and `s.json`.
fn following() -> [&'static str; 12] {
    [
        "run",
        "--rules",
        few(),
        "--from",
        "logs",
        "--archive",
        "a",
        "--follow",
        "--findings",
        "f.ndjson",
        "--summary",
        "s.json",
    ]
}

#[test]
fn ctrl_c_ends_a_long_run_soon_and_the_next_one_completes_it() {
    let folder = tempfile::tempdir().unwrap();
    let files = 3000;
    many_files(&folder.path().join("logs"), files);
    fs::write(folder.path().join("weir.toml"), "[archive]\nbuffer_bytes = 1000000\n").unwrap();
    let arguments = [
        "run",
        "-c",
        "weir.toml",
        "--rules",
        few(),
        "--from",
        "logs",
        "--archive",
        "a",
        "--format",
        "ndjson",
        "--summary",
        "s.json",
    ];
    let mut child = start(&arguments, folder.path());
    let committed = || folder.path().join("a/cloudtrail").exists();
    wait_for(&mut child, "the first commit", committed);
    signal(&child, Signal::INT);
    let stopped = ended(child, SOON);
    assert_eq!(code(&stopped), 130, "{}", text(&stopped.stderr));
    assert!(text(&stopped.stderr).contains("stopping after what has been read"), "{}", text(&stopped.stderr));
    let says = text(&stopped.stderr);
    assert!(says.ends_with("end of the input: the same command goes on where it stopped\n"), "{says}");
    let first = summary(folder.path());
    assert_eq!(first["stopped"], true);
    let read = first["files_read"].as_u64().unwrap();
    assert!(0 < read && read < files as u64, "{read} of {files} files were read");
    // what was read is committed: all of it, and nothing else
    let rows = first["tables"]["cloudtrail"]["rows"].as_u64().unwrap();
    assert_eq!(count("a", folder.path()), (rows, rows));

    let resumed = weir(&arguments, folder.path());
    assert_eq!(code(&resumed), 0, "{}", text(&resumed.stderr));
    let second = summary(folder.path());
    assert_eq!(second["stopped"], false);
    assert_eq!(second["files_already_read"].as_u64().unwrap() + second["files_read"].as_u64().unwrap(), files as u64);
    let whole =
        weir(&["run", "--rules", few(), "--from", "logs", "--archive", "none", "--format", "ndjson"], folder.path());
    assert_eq!(text(&resumed.stdout), text(&whole.stdout));
    let expected = rows + second["tables"]["cloudtrail"]["rows"].as_u64().unwrap();
    assert_eq!(count("a", folder.path()), (expected, expected));
    assert_eq!(expected, first_file_rows(folder.path()) * files as u64);
}

fn first_file_rows(folder: &Path) -> u64 {
    let file: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("logs/000000.json")).unwrap()).unwrap();
    file["Records"].as_array().unwrap().len() as u64
}

#[test]
fn ctrl_c_ends_following_soon_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    many_files(&folder.path().join("logs"), 5);
    let mut child = start(&following(), folder.path());
    let found = || fs::read_to_string(folder.path().join("f.ndjson")).is_ok_and(|text| !text.is_empty());
    let sample = "tests/data/cloudtrail/stratus/aws.persistence.iam-create-admin-user.json.gz";
    fs::copy(repository(sample), folder.path().join("logs/attack.json.gz")).unwrap();
    wait_for(&mut child, "the first finding", found);
    signal(&child, Signal::INT);
    let stopped = ended(child, SOON);
    assert_eq!(code(&stopped), 0, "{}", text(&stopped.stderr));
    let rows = summary(folder.path())["tables"]["cloudtrail"]["rows"].as_u64().unwrap();
    assert_eq!(count("a", folder.path()).0, rows);
    let once =
        ["run", "--rules", few(), "--from", "logs", "--archive", "a", "--format", "ndjson", "--summary", "s.json"];
    assert_eq!(code(&weir(&once, folder.path())), 0);
    let expected = 5 * first_file_rows(folder.path()) + 3;
    assert_eq!(count("a", folder.path()), (expected, expected));
}

#[test]
fn a_hang_up_ends_no_service() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    many_files(&logs, 1);
    let arguments =
        ["run", "--rules", "none", "--from", "logs", "--archive", "a", "--follow", "--findings", "f.ndjson"];
    let mut child = start(&arguments, folder.path());
    wait_for(&mut child, "the file of findings", || folder.path().join("f.ndjson").exists());
    signal(&child, Signal::HUP);
    thread::sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none(), "it goes on");
    signal(&child, Signal::TERM);
    let stopped = ended(child, SOON);
    assert_eq!(code(&stopped), 0, "{}", text(&stopped.stderr));
    assert!(text(&stopped.stderr).contains("SIGHUP changes nothing"), "{}", text(&stopped.stderr));
}

#[test]
fn a_line_that_is_being_written_is_no_reject() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    let log = folder.path().join("logs/flows.log");
    let line = "2 111122223333 eni-1 10.0.0.1 10.0.0.2 1 22 6 1 44 1674898496 1674898507 ACCEPT OK\n";
    let (begun, rest) = line.split_at(60);
    fs::write(&log, format!("{line}{begun}")).unwrap();
    let mut child = start(&following(), folder.path());
    let file_there = || folder.path().join("f.ndjson").exists();
    wait_for(&mut child, "the journal", file_there);
    // three looks at it as it is
    thread::sleep(Duration::from_secs(3));
    fs::OpenOptions::new().append(true).open(&log).unwrap().write_all(rest.as_bytes()).unwrap();
    thread::sleep(Duration::from_secs(4));
    signal(&child, Signal::INT);
    assert_eq!(code(&ended(child, SOON)), 0);
    let flows = &summary(folder.path())["tables"]["vpc_flow"];
    assert_eq!((&flows["rows"], &flows["rejects"]), (&2.into(), &0.into()), "{flows}");
}

#[test]
fn rows_of_a_log_that_grows_are_there_once_whenever_a_run_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    let log = folder.path().join("logs/flows.log");
    fs::write(&log, "srcaddr srcport start end account-id\n").unwrap();
    let written = Cell::new(0);
    let append = |count: u32| {
        let from = written.replace(written.get() + count);
        let line = |number| format!("10.0.0.1 {number} 1674898496 1674898507 111122223333\n");
        let lines: String = (from..from + count).map(line).collect();
        fs::OpenOptions::new().append(true).open(&log).unwrap().write_all(lines.as_bytes()).unwrap();
    };
    let rows = || {
        let rows = "SELECT count(*) AS n, count(DISTINCT srcport) AS ports FROM vpc_flow";
        let output = weir(&["sql", rows, "--archive", "a", "--format", "ndjson"], folder.path());
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (answer["n"].as_u64().unwrap_or(0), answer["ports"].as_u64().unwrap_or(0))
    };
    let once = ["run", "--rules", few(), "--from", "logs", "--archive", "a", "--format", "ndjson"];
    fs::write(folder.path().join("weir.toml"), "[limits]\ncommit_seconds = 1\n").unwrap();
    let follow = [&once[..5], &["--archive", "a", "--follow", "-c", "weir.toml", "--findings", "f.ndjson"]].concat();
    for _ in 0..2 {
        append(50);
        let mut child = start(&follow, folder.path());
        let before = rows().0;
        let grows = || {
            append(5);
            thread::sleep(Duration::from_millis(200));
            rows().0 > before + 60
        };
        wait_for(&mut child, "rows of what is appended", grows);
        child.kill().unwrap();
        let told = text(&child.wait_with_output().unwrap().stderr);
        assert!(!told.contains("again from its beginning"), "{told}");
        append(7);
    }
    for appended in [3, 0] {
        append(appended);
        let last = weir(&once, folder.path());
        assert_eq!(code(&last), 0, "{}", text(&last.stderr));
        let all = u64::from(written.get());
        assert_eq!(rows(), (all, all));
    }
}

#[test]
fn ctrl_c_ends_a_run_that_waits_for_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["run", "--from", "-", "--archive", "none", "--rules", "none", "--format", "ndjson"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"{\"Records\":[").unwrap();
    // the pipe stays open: nothing more comes, and no end; without rules the program is soon at it
    thread::sleep(Duration::from_secs(3));
    signal(&child, Signal::INT);
    let stopped = ended(child, SOON);
    assert_eq!(code(&stopped), 130, "{}", text(&stopped.stderr));
    drop(input);
}

#[test]
fn following_ends_with_standard_input_where_nothing_else_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let sample = repository("tests/data/cloudtrail/stratus/aws.persistence.iam-create-admin-user.json.gz");
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["run", "--from", "-", "--follow", "--archive", "a", "--rules", few(), "--findings", "f"])
        .current_dir(folder.path())
        .stdin(fs::File::open(sample).unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let done = ended(child, SOON);
    assert_eq!(code(&done), 0, "{}", text(&done.stderr));
    assert_eq!(count("a", folder.path()).0, 3);
    assert!(!fs::read(folder.path().join("f")).unwrap().is_empty());
}

#[test]
fn what_is_told_twice_at_a_time_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    many_files(&folder.path().join("logs"), 5);
    let mut child = start(&following(), folder.path());
    wait_for(&mut child, "the journal", || folder.path().join("f.ndjson").exists());
    // as `timeout` sends the same signal to its child and then to the group
    signal(&child, Signal::INT);
    signal(&child, Signal::TERM);
    let stopped = ended(child, SOON);
    assert_eq!(code(&stopped), 0, "{}", text(&stopped.stderr));
    assert!(folder.path().join("s.json").exists(), "it ended before it could say what it did");
}

#[test]
fn a_signal_ends_a_run_whose_findings_nobody_reads() {
    let folder = tempfile::tempdir().unwrap();
    let users: Vec<_> = (0..300).map(|n| create_user(n, HOME, "eu-west-1")).collect();
    write_log(folder.path(), "users.json", &users);
    let mut child = start(&["run", "--rules", few(), "--from", "logs", "--archive", "a", "--follow"], folder.path());
    let mut unread = child.stdout.take().unwrap();
    // the pipe has no room for the rest
    unread.read_exact(&mut [0_u8]).unwrap();
    signal(&child, Signal::TERM);
    let stopped = ended(child, SOON);
    assert_eq!(code(&stopped), 4, "{}", text(&stopped.stderr));
    assert!(text(&stopped.stderr).contains("standard output is not read"), "{}", text(&stopped.stderr));
    drop(unread);
    let next =
        weir(&["run", "--rules", few(), "--from", "logs", "--archive", "a", "--format", "ndjson"], folder.path());
    assert_eq!((code(&next), count("a", folder.path())), (0, (300, 300)), "{}", text(&next.stderr));
}

/// Whether a process does something of its own when it is told to end.
fn hears_term(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & 1 << (Signal::TERM.as_raw() - 1) != 0
}

#[test]
fn a_signal_ends_a_run_that_waits_for_who_writes_into_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Command::new("mkfifo").arg(folder.path().join("logs")).status().unwrap().success());
    let mut child = start(&following(), folder.path());
    wait_for(&mut child, "the journal", || folder.path().join("f.ndjson").exists());
    // by then the pipe is waited for
    thread::sleep(Duration::from_millis(500));
    signal(&child, Signal::TERM);
    let stopped = ended(child, SOON);
    assert_eq!(code(&stopped), 0, "{}", text(&stopped.stderr));
}

#[test]
fn a_signal_ends_a_run_whose_findings_go_to_a_pipe_that_nobody_reads() {
    let folder = tempfile::tempdir().unwrap();
    let users: Vec<_> = (0..300).map(|n| create_user(n, HOME, "eu-west-1")).collect();
    write_log(folder.path(), "users.json", &users);
    let pipe = folder.path().join("f.ndjson");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let at_its_end: Vec<_> = following().into_iter().filter(|argument| *argument != "--follow").collect();
    let unopened = "nobody reads the pipe";
    for (arguments, is_opened, why) in [
        (&following()[..], false, unopened),
        (&following()[..], true, "the pipe is not read"),
        // it has read everything by then
        (&at_its_end[..], false, unopened),
    ] {
        let mut child = start(arguments, folder.path());
        let id = child.id();
        wait_for(&mut child, "it hears signals", || hears_term(id));
        let mut reader = is_opened.then(|| fs::File::open(&pipe).unwrap());
        // it has no room for the rest
        reader.iter_mut().for_each(|reader| reader.read_exact(&mut [0]).unwrap());
        signal(&child, Signal::TERM);
        let stopped = ended(child, SOON);
        assert_eq!(code(&stopped), 4, "{}", text(&stopped.stderr));
        assert!(text(&stopped.stderr).contains(why), "{}", text(&stopped.stderr));
    }
}

#[test]
fn at_its_end_a_pipe_that_nobody_reads_is_waited_for_once() {
    let folder = tempfile::tempdir().unwrap();
    let users: Vec<_> = (0..300).map(|n| create_user(n, HOME, "eu-west-1")).collect();
    write_log(folder.path(), "users.json", &users);
    let pipe = folder.path().join("f.ndjson");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let arguments: Vec<_> = following().into_iter().filter(|argument| *argument != "--follow").collect();
    let child = start(&arguments, folder.path());
    let mut reader = fs::File::open(&pipe).unwrap();
    reader.read_exact(&mut [0]).unwrap();
    signal(&child, Signal::TERM);
    // ten seconds, and not ten more when what is left of them is dropped
    let stopped = ended(child, Duration::from_secs(15));
    assert_eq!(code(&stopped), 4, "{}", text(&stopped.stderr));
    assert!(text(&stopped.stderr).contains("the pipe is not read"), "{}", text(&stopped.stderr));
}

#[test]
fn a_signal_ends_a_run_whose_findings_are_read_slowly_once_they_all_are() {
    let folder = tempfile::tempdir().unwrap();
    let users: Vec<_> = (0..1500).map(|n| create_user(n, HOME, "eu-west-1")).collect();
    write_log(folder.path(), "users.json", &users);
    let mut child = start(&["run", "--rules", few(), "--from", "logs", "--archive", "a", "--follow"], folder.path());
    let mut out = child.stdout.take().unwrap();
    let (mut lines, mut some) = (Vec::new(), [0; 1 << 16]);
    let mut read = || {
        let bytes = out.read(&mut some).unwrap();
        lines.extend_from_slice(&some[..bytes]);
        bytes
    };
    read();
    signal(&child, Signal::TERM);
    // for longer than somebody who reads nothing is waited for
    (0..12).for_each(|_| {
        thread::sleep(Duration::from_secs(1));
        read();
    });
    while read() > 0 {}
    let stopped = ended(child, SOON);
    assert_eq!(code(&stopped), 0, "{}", text(&stopped.stderr));
    assert!(lines.len() > 14 * some.len(), "it ended before it had to wait");
    assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 1500);
}

#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    many_files(&folder.path().join("logs"), 3000);
    let arguments = ["run", "--rules", few(), "--from", "logs", "--archive", "a", "--format", "ndjson"];
    let mut child = start(&arguments, folder.path());
    wait_for(&mut child, "the state", || folder.path().join("a/_weir/state.redb").exists());
    thread::sleep(Duration::from_millis(300));
    signal(&child, Signal::INT);
    // the second one counts once the first was heard
    let mut says = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(says.any(|line| line.contains("again to stop at once")));
    thread::sleep(Duration::from_millis(150));
    signal(&child, Signal::INT);
    let stopped = ended(child, SOON);
    // 0 when it was just about to end
    assert!([0, 130].contains(&code(&stopped)), "{}", code(&stopped));
    assert_eq!(code(&weir(&arguments, folder.path())), 0, "and the next run is well");
    let expected = 3000 * first_file_rows(folder.path());
    assert_eq!(count("a", folder.path()), (expected, expected));
}
