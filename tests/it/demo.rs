//! `weir demo` where it may be tried: in an empty folder, a read-only one, on a full disk, and killed half-way.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use crate::disk;
use crate::support::{code, lines, repository, signal, start, text, weir};

/// Rows that the demo archives, from what Python counted in `tests/data/demo`.
fn expected() -> Vec<(String, u64)> {
    let manifest = fs::read(repository("tests/data/demo/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let rows = |counts: &serde_json::Value| {
        let of = |what: &str| counts[what].as_u64().unwrap();
        of("records") - of("rejects") - of("duplicates")
    };
    manifest["totals"].as_object().unwrap().iter().map(|(table, counts)| (table.clone(), rows(counts))).collect()
}

const COUNTS: &str = "SELECT 'cloudtrail' AS \"table\", count(*) AS rows FROM cloudtrail \
     UNION ALL SELECT 'glue_job_run', count(*) FROM glue_job_run \
     UNION ALL SELECT 'glue_log', count(*) FROM glue_log \
     UNION ALL SELECT 'vpc_flow', count(*) FROM vpc_flow ORDER BY 1";

fn assert_whole(archive: &str, folder: &Path) {
    let output = weir(&["sql", COUNTS, "--archive", archive, "--format", "ndjson"], folder);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert_eq!(counts(&output.stdout), expected());
}

fn counts(ndjson: &[u8]) -> Vec<(String, u64)> {
    let row = |row: &serde_json::Value| (row["table"].as_str().unwrap().to_owned(), row["rows"].as_u64().unwrap());
    lines(ndjson).iter().map(row).collect()
}

/// What README.md shows of the demo is what it prints, but for sizes and times, which differ from run to run.
fn assert_readme_shows(says: &str) {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let blocks = readme.split("```text\n").map(|block| block.split("```").next().unwrap());
    let shown = blocks.into_iter().find(|block| block.starts_with("PRIORITY ")).expect("the README shows the demo");
    let differs = |line: &&str| ["", "..."].contains(line) || line.contains(" kB") || line.contains(" MB");
    let stale: Vec<&str> = shown
        .lines()
        .filter(|line| !differs(line))
        .filter(|line| !says.lines().any(|said| said.trim_end() == line.trim_end()))
        .collect();
    assert!(stale.is_empty(), "README.md shows what the demo does not say: {stale:#?}\n{says}");
    let findings = shown.lines().find(|line| line.contains(" findings: ")).expect("the summary counts findings");
    let few = format!("shortened to a few of its {} findings", findings.split(' ').next().unwrap());
    assert!(readme.contains(&few), "{few}");
}

#[test]
fn in_an_empty_folder_it_makes_its_own_and_says_what_to_try() {
    let folder = tempfile::tempdir().unwrap();
    let output = weir(&["demo"], folder.path());
    assert_eq!((code(&output), text(&output.stderr).as_str()), (0, ""));
    let says = text(&output.stdout);
    assert!(says.contains("PRIORITY") && says.contains("archive: weir-demo/archive"), "{says}");
    let made: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(made, ["weir-demo"], "all that it makes is in one folder");
    assert_whole("weir-demo/archive", folder.path());
    assert_readme_shows(&says);
    // the first things it says to try are true
    for (mark, shown) in [("--explain", "Priority"), ("weir incidents", "What happened")] {
        let line = says.lines().find(|line| line.contains(mark)).unwrap().trim();
        let arguments: Vec<&str> = line.split_whitespace().skip(1).collect();
        let output = weir(&arguments, folder.path());
        assert_eq!(code(&output), 0, "{line}: {}", text(&output.stderr));
        assert!(text(&output.stdout).contains(shown), "{}", text(&output.stdout));
    }
    // what it counts is what the archive says
    let output = weir(&["incidents", "--archive", "weir-demo/archive", "--story", "none"], folder.path());
    let counted = says.lines().find(|line| line.contains(" incidents; the first: ")).unwrap();
    let number = counted.split(' ').next().unwrap();
    assert!(text(&output.stdout).contains(&format!("\n{number} incidents in ")), "{counted}: {}", text(&output.stdout));
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("logs"), "mine").unwrap();
    let output = weir(&["demo", "--dir", "."], folder.path());
    assert_eq!(code(&output), 4);
    assert!(text(&output.stderr).contains("--dir"), "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(folder.path().join("logs")).unwrap(), "mine");
}

#[test]
fn killed_at_any_moment_it_runs_again_as_if_nothing_had_been() {
    let folder = tempfile::tempdir().unwrap();
    let mut killed = 0;
    // the first moments fall into the unpacking, later ones into the run and its commits
    for wait_ms in [5, 15, 40, 90, 200, 400, 800, 1200, 1600, 2000, 3000, 4000] {
        let mut child = start(&["demo"], folder.path());
        std::thread::sleep(Duration::from_millis(wait_ms));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
    }
    assert!(killed >= 3, "the demo was over after {killed} of the moments it was to be killed at");
    let output = weir(&["demo"], folder.path());
    assert_eq!((code(&output), text(&output.stderr).as_str()), (0, ""));
    assert_whole("weir-demo/archive", folder.path());
}

#[test]
fn what_is_stopped_is_no_whole_demo() {
    for wait_ms in [0, 5, 20, 80] {
        let folder = tempfile::tempdir().unwrap();
        let child = start(&["demo"], folder.path());
        // made at the beginning of the run, when signals are heard already
        while !folder.path().join("weir-demo/archive").exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(wait_ms));
        signal(&child, Signal::INT);
        let output = child.wait_with_output().unwrap();
        match output.status.code() {
            Some(0) => assert!(text(&output.stdout).contains("Try next:"), "{}", text(&output.stdout)),
            Some(130) => assert_eq!(text(&output.stdout), ""),
            other => panic!("{other:?}: {}", text(&output.stderr)),
        }
    }
}

#[test]
fn on_a_read_only_disk_it_says_where_it_could_not_write() {
    let script = "mount -o remount,ro disk; cd disk; run demo";
    let Some(steps) = disk::with("1m", script) else { return };
    let [demo] = &steps[..] else { panic!("one step: {steps:?}") };
    assert_eq!(demo.code, 4, "{}", demo.stderr);
    assert!(demo.stderr.contains("making weir-demo") && demo.stderr.contains("--dir"), "{}", demo.stderr);
    assert!(demo.stderr.contains("Read-only file system"), "{}", demo.stderr);
}

#[test]
fn on_a_full_disk_it_says_so_and_works_once_there_is_space() {
    let script = format!(
        "run demo --dir disk/demo; run demo --dir disk/demo; mount -o remount,size=64m disk; run demo --dir disk/demo; \
         run sql '{}' --archive disk/demo/archive --format ndjson",
        COUNTS.replace('\'', "'\\''")
    );
    let Some(steps) = disk::with("1m", &script) else { return };
    let [first, second, third, sql] = &steps[..] else { panic!("four steps: {steps:?}") };
    for full in [first, second] {
        assert_eq!(full.code, 4, "{}", full.stderr);
        assert!(full.stderr.contains("disk/demo") && full.stderr.contains("No space left"), "{}", full.stderr);
        assert_eq!(full.stderr.lines().count(), 1, "{}", full.stderr);
    }
    assert_eq!((third.code, third.stderr.as_str()), (0, ""));
    assert_eq!((sql.code, counts(sql.stdout.as_bytes())), (0, expected()), "{}", sql.stderr);
}
