//! Small disks for the tests: a tmpfs in a mount namespace of its own, which is gone when the script in it ends. And
//! what `weir run` does when its archive lies on one.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::pipeline::{count, many_files};
use crate::support::{code, few, lines, path, text, weir};

/// What one `run` of a script left.
#[derive(Debug)]
pub struct Step {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a shell script in an empty folder where `disk` is a disk of the given size; `run ...` in it runs the program and
/// makes one [`Step`]. `None`, with a printed reason, where this machine lets nobody mount.
pub fn with(size: &str, script: &str) -> Option<Vec<Step>> {
    let folder = tempfile::tempdir().unwrap();
    within(folder.path(), size, script)
}

/// The same in a folder that is there already.
pub fn within(folder: &Path, size: &str, script: &str) -> Option<Vec<Step>> {
    let script = format!(
        "set -eu
         mkdir disk
         mount -t tmpfs -o size={size} none disk
         steps=$PWD/steps
         mkdir $steps
         step=0
         run() {{
             step=$((step + 1))
             code=0
             \"$WEIR\" \"$@\" > $steps/$step.stdout 2> $steps/$step.stderr || code=$?
             echo $code > $steps/$step.code
         }}
         {script}
         echo done > $steps/done"
    );
    let output = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", &script])
        .current_dir(folder)
        .env("WEIR", env!("CARGO_BIN_EXE_weir"))
        .env("NO_COLOR", "1")
        .output();
    let steps = folder.join("steps");
    let said = output.map_or_else(|error| error.to_string(), |output| text(&output.stderr));
    if !steps.exists() {
        println!("left out: no disk can be mounted here: {}", said.trim());
        return None;
    }
    assert!(steps.join("done").exists(), "the script failed: {said}");
    let read = |step: usize, what: &str| fs::read_to_string(steps.join(format!("{step}.{what}"))).ok();
    let one = |step| {
        let code = read(step, "code")?.trim().parse().unwrap();
        Some(Step { code, stdout: read(step, "stdout")?, stderr: read(step, "stderr")? })
    };
    Some((1..).map_while(one).collect())
}

const COUNT: &str = "SELECT count(*) AS rows, count(DISTINCT eventID) AS ids FROM cloudtrail";

#[test]
fn a_run_whose_archive_meets_a_full_disk_goes_on_once_there_is_space() {
    let logs = tempfile::tempdir().unwrap();
    many_files(&logs.path().join("logs"), 60);
    let whole =
        weir(&["run", "--from", "logs", "--rules", few(), "--archive", "whole", "--format", "ndjson"], logs.path());
    assert_eq!(code(&whole), 0, "{}", text(&whole.stderr));
    let expected = count("whole", logs.path());
    let mut full = 0;
    // the disk is full before there is a state, in its first commit, and between later ones
    for size in ["16k", "32k", "48k", "64k", "80k", "96k", "112k", "1m"] {
        let folder = tempfile::tempdir().unwrap();
        // small rounds, so that there are several commits
        fs::write(folder.path().join("weir.toml"), "[archive]\nbuffer_bytes = 300000\n").unwrap();
        let from = path(&logs.path().join("logs"));
        let run =
            format!("run run -c weir.toml --rules {} --from {from} --archive disk/archive --format ndjson", few());
        let sql = format!("run sql '{COUNT}' --archive disk/archive --format ndjson");
        let script = format!("{run}; mount -o remount,size=64m disk; {run}; {sql}; {run}; {sql}");
        let Some(steps) = within(folder.path(), size, &script) else { return };
        let [first, second, counted, third, again] = &steps[..] else { panic!("five steps: {steps:?}") };
        assert!(!first.stderr.contains("panicked"), "{size}: {}", first.stderr);
        if first.code != 0 {
            full += 1;
            assert_eq!(first.code, 4, "{size}: {}", first.stderr);
            assert!(first.stderr.contains("disk/archive") && first.stderr.contains("No space"), "{}", first.stderr);
        }
        assert_eq!(second.code, 0, "{size}: {}", second.stderr);
        assert_eq!((third.code, &third.stdout), (0, &second.stdout), "{size}: {}", third.stderr);
        assert_eq!(second.stdout, text(&whole.stdout), "{size}: the findings of a run that was never full");
        for counted in [counted, again] {
            let row = &lines(counted.stdout.as_bytes())[0];
            assert_eq!((row["rows"].as_u64(), row["ids"].as_u64()), (Some(expected.0), Some(expected.1)), "{size}");
        }
    }
    assert!(full >= 3, "only {full} of the disks were full");
}

#[test]
fn rules_that_cannot_be_shown_are_not_called_wrong() {
    for arguments in [&["rules", "list"][..], &["rules", "show", "cloudtrail/root_console_login"], &["tables"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_weir")).args(arguments).stdout(full).output().unwrap();
        assert_eq!(code(&output), 4, "{arguments:?}: {}", text(&output.stderr));
    }
}
