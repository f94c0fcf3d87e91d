//! The worker as a user runs it, against the stand-ins; and what it says of what it did.

use std::fs;
use std::path::Path;
use std::process::Command;

use weir::pipeline::summary::{Summary, TableCounts};

/// Runs with a configuration in this folder, an archive, and all built-in rules.
pub fn weir(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(arguments).args(["-c", "weir.toml", "--archive", "archive"]);
    command.args(["--findings", "findings.ndjson", "--summary", "summary.json"]).current_dir(folder);
    command.env("AWS_ACCESS_KEY_ID", "bench").env("AWS_SECRET_ACCESS_KEY", "bench").env_remove("AWS_PROFILE");
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_CONFIG_FILE", "/dev/null");
    command
}

/// An empty folder with a configuration that names the address of the stand-ins.
pub fn prepare(folder: &Path, url: &str, more: &str) {
    if folder.exists() {
        fs::remove_dir_all(folder).expect("the folder is ours");
    }
    fs::create_dir_all(folder).expect("the folder can be made");
    let aws = format!("[aws]\nregion = \"us-east-1\"\nendpoint_url = \"{url}\"\n[aws.s3]\nforce_path_style = true\n");
    fs::write(folder.join("weir.toml"), format!("{aws}{more}")).expect("the folder is ours");
}

/// What a run said at its end, if every one of so many events became a row.
pub fn summary(folder: &Path, events: u64) -> Summary {
    let text = fs::read_to_string(folder.join("summary.json")).expect("weir wrote a summary");
    let summary: Summary = serde_json::from_str(&text).expect("a summary is JSON");
    assert!(summary.unreadable.is_empty(), "{:?}", summary.unreadable);
    let TableCounts { records, rows, rejects, duplicates, set_aside, .. } = summary.tables["cloudtrail"];
    assert_eq!(records, rows + rejects + duplicates + set_aside, "nothing is lost in silence");
    assert_eq!((records, rows), (events, events), "every event is a row: {:?}", summary.tables);
    let others = summary.tables.iter().filter(|(name, _)| *name != "cloudtrail");
    assert_eq!(others.map(|(_, counts)| counts.records).sum::<u64>(), 0, "{:?}", summary.tables);
    summary
}
