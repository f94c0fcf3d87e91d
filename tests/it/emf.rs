//! `[metrics] emf`: what a run that follows prints adds up to what it did.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{code, ended, few, lines, repository, signal, start, text, weir};

#[test]
fn the_lines_of_a_run_add_up() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    let sample = "tests/data/cloudtrail/stratus/aws.persistence.iam-create-admin-user.json.gz";
    fs::copy(repository(sample), folder.path().join("logs/attack.json.gz")).unwrap();
    fs::write(folder.path().join("weir.toml"), "[metrics]\nemf = true\n").unwrap();
    let run = [
        "run",
        "-c",
        "weir.toml",
        "--rules",
        few(),
        "--from",
        "logs",
        "--follow",
        "--archive",
        "a",
        "--summary",
        "s.json",
    ];
    let clash = weir(&run, folder.path());
    assert_eq!(code(&clash), 2);
    assert!(text(&clash.stderr).contains("metrics.emf wants standard output for itself: give --findings FILE"));

    let child = start(&[&run[..], &["--findings", "f.ndjson"]].concat(), folder.path());
    let begun = Instant::now();
    while !fs::read_to_string(folder.path().join("f.ndjson")).is_ok_and(|text| !text.is_empty()) {
        assert!(begun.elapsed() < Duration::from_secs(180), "no finding came");
        thread::sleep(Duration::from_millis(50));
    }
    signal(&child, Signal::INT);
    let output = ended(child, Duration::from_secs(120));
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let printed = lines(&output.stdout);
    let sum = |name: &str| printed.iter().map(|line| line[name].as_f64().unwrap()).sum::<f64>();
    let summary: Value = serde_json::from_slice(&fs::read(folder.path().join("s.json")).unwrap()).unwrap();
    let findings: u64 = summary["findings"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!((sum("Records"), sum("Rejects")), (3.0, 0.0));
    assert_eq!(sum("Bytes"), summary["bytes_read"].as_f64().unwrap());
    assert!(findings > 0);
    assert_eq!(sum("Findings"), findings as f64);
    for line in &printed {
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Weir");
        // each metric that is declared is there
        for metric in directive["Metrics"].as_array().unwrap() {
            assert!(line[metric["Name"].as_str().unwrap()].is_number(), "{line}");
        }
    }

    // a run that ends by itself has its output to itself
    let once =
        weir(&["run", "-c", "weir.toml", "--rules", few(), "--from", "logs", "--archive", "none"], folder.path());
    assert_eq!(code(&once), 0);
    assert!(!text(&once.stdout).contains("_aws"));
}
