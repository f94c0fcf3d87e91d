//! What the tests share: running the program, and reading what it says.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub fn weir(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .expect("the program starts")
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
