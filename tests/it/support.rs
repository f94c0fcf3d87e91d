//! What the tests share: running the program, and reading what it says.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

pub fn weir(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .expect("the program starts")
}

/// The program, still running. What it prints waits in pipes.
pub fn start(arguments: &[&str], folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

pub fn signal(child: &Child, signal: Signal) {
    kill_process(pid(child), signal).expect("the program is there, at least as a zombie");
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id() as i32).expect("a process id is no zero")
}

/// What a program leaves that should end within `most`; it is killed and the test fails when it does not.
pub fn ended(child: Child, most: Duration) -> Output {
    let pid = pid(&child);
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(child.wait_with_output()));
    match told.recv_timeout(most) {
        Ok(output) => output.expect("the program was waited for"),
        Err(_) => {
            kill_process(pid, Signal::KILL).ok();
            panic!("the program still ran after {most:?}");
        }
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("what the program prints is UTF-8")
}

pub fn code(output: &Output) -> i32 {
    output.status.code().expect("the program was not killed")
}

/// A file or folder of this repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub fn path(path: &Path) -> String {
    path.display().to_string()
}

/// Lines of NDJSON.
pub fn lines(bytes: &[u8]) -> Vec<serde_json::Value> {
    text(bytes).lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// Runs the worker over a path with every built-in rule and no archive, and gives its findings and its summary.
pub fn judge(from: &Path) -> (Vec<serde_json::Value>, serde_json::Value) {
    let folder = tempfile::tempdir().unwrap();
    let output = weir(
        &["run", "--from", &path(from), "--archive", "none", "--format", "ndjson", "--summary", "summary.json"],
        folder.path(),
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    let summary = std::fs::read(folder.path().join("summary.json")).unwrap();
    (lines(&output.stdout), serde_json::from_slice(&summary).unwrap())
}

/// `records = rows + rejects + duplicates + set_aside`, for every table of a summary.
pub fn assert_nothing_is_lost(summary: &serde_json::Value) {
    for (name, counts) in summary["tables"].as_object().unwrap() {
        let of = |key: &str| counts[key].as_u64().unwrap();
        assert_eq!(of("records"), of("rows") + of("rejects") + of("duplicates") + of("set_aside"), "{name}: {counts}");
    }
}
