//! `weir score`: files, folders and standard input in; as many lines out.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::support::{code, ended, text, weir};

/// Rows five minutes apart from 2024-08-01 on: a level with a little noise, and a peak at row `peak`.
fn metric(rows: usize, peak: usize) -> String {
    let mut csv = "timestamp,value\n".to_owned();
    for row in 0..rows {
        let (day, hour, minute) = (1 + row / 288, row / 12 % 24, row % 12 * 5);
        let value = if row == peak { 90.0 } else { 20.0 + (row * 7919 % 13) as f64 / 10.0 };
        csv += &format!("2024-08-{day:02} {hour:02}:{minute:02}:00,{value}\n");
    }
    csv
}

/// Times and scores; the header is as it should be.
fn scores(csv: &str) -> Vec<(String, f64)> {
    let (header, rows) = csv.split_once('\n').unwrap();
    assert_eq!(header, "timestamp,anomaly_score");
    let row = |line: &str| {
        let (time, score) = line.split_once(',').unwrap();
        (time.to_owned(), score.parse().unwrap())
    };
    rows.lines().map(row).collect()
}

fn highest(scores: &[(String, f64)]) -> usize {
    (0..scores.len()).max_by(|one, other| scores[*one].1.total_cmp(&scores[*other].1)).unwrap()
}

#[test]
fn each_row_of_a_file_is_scored_in_its_order_and_the_peak_is_the_oddest() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cpu.csv"), metric(1_000, 700)).unwrap();
    let output = weir(&["score", "series", "cpu.csv"], folder.path());
    assert_eq!((code(&output), text(&output.stderr)), (0, String::new()));
    let scores = scores(&text(&output.stdout));
    assert_eq!(scores.len(), 1_000);
    assert_eq!(scores[0], ("2024-08-01 00:00:00".to_owned(), 0.0));
    assert_eq!((highest(&scores), scores[700].0.as_str()), (700, "2024-08-03 10:20:00"));
    assert!(scores[700].1 > 0.999 && scores.iter().all(|(_, score)| (0.0..=1.0).contains(score)));

    let written = weir(&["score", "series", "cpu.csv", "--output", "scores.csv"], folder.path());
    assert_eq!((code(&written), text(&written.stdout)), (0, String::new()));
    assert_eq!(fs::read(folder.path().join("scores.csv")).unwrap(), output.stdout);
}

#[test]
fn a_row_that_cannot_be_read_is_named_and_counted_and_keeps_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "host,value,timestamp\nweb,1.5,2024-08-01T00:00:00Z\nweb,n/a,2024-08-01T00:05:00Z\nweb,NaN,2024-08-01T00:10:00Z\n\nweb,2,later\nweb,1.5,1722471600\n";
    fs::write(folder.path().join("odd.csv"), rows).unwrap();
    let output = weir(&["score", "series", "odd.csv"], folder.path());
    assert_eq!(code(&output), 0);
    assert_eq!(
        text(&output.stdout),
        "timestamp,anomaly_score\n2024-08-01T00:00:00Z,0\n2024-08-01T00:05:00Z,0\n2024-08-01T00:10:00Z,0\nlater,0\n1722471600,0\n"
    );
    assert_eq!(
        text(&output.stderr),
        "weir: odd.csv:3: `n/a` is not a number\nweir: odd.csv:4: `NaN` is not a number\nweir: odd.csv:6: `later` is not a time\nweir: 3 of 5 rows could not be read and score 0\n"
    );
}

#[test]
fn a_folder_is_scored_file_by_file_under_the_same_names() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("in/deep/er")).unwrap();
    fs::write(at("in/one.csv"), metric(400, 300)).unwrap();
    fs::write(at("in/deep/er/two.CSV"), metric(300, 200)).unwrap();
    fs::write(at("in/readme.txt"), "not a metric").unwrap();
    fs::write(at("in/bare.csv"), "2024-08-01 00:00:00,1\n").unwrap();
    fs::write(at("in/empty.csv"), "").unwrap();
    let output = weir(&["score", "series", "in", "--output", "out"], folder.path());
    assert_eq!(
        (code(&output), text(&output.stderr)),
        (
            3,
            "weir: could not read in/bare.csv: line 1 is no header with `timestamp` and `value`\nweir: could not read in/empty.csv: line 1 is no header with `timestamp` and `value`\n".to_owned()
        )
    );
    let alone = weir(&["score", "series", "in/one.csv"], folder.path());
    assert_eq!(fs::read(at("out/one.csv")).unwrap(), alone.stdout);
    assert_eq!(highest(&scores(&fs::read_to_string(at("out/deep/er/two.CSV")).unwrap())), 200);
    assert!(!at("out/readme.txt").exists() && !at("out/bare.csv").exists());
}

#[test]
fn scores_inside_of_the_folder_are_not_scored_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("one.csv"), metric(200, 180)).unwrap();
    for _ in 0..2 {
        let output = weir(&["score", "series", ".", "--output", "scores"], folder.path());
        assert_eq!((code(&output), text(&output.stderr)), (0, String::new()));
    }
    assert!(folder.path().join("scores/one.csv").exists() && !folder.path().join("scores/scores").exists());
}

#[test]
fn a_header_alone_gives_a_header() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("none.csv"), "timestamp,value\n").unwrap();
    let output = weir(&["score", "series", "none.csv"], folder.path());
    assert_eq!((code(&output), text(&output.stdout)), (0, "timestamp,anomaly_score\n".to_owned()));
}

#[test]
fn what_cannot_be_read_or_written_says_so() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    fs::write(folder.path().join("cpu.csv"), metric(3, 0)).unwrap();
    for (arguments, expected, says) in [
        (&["score", "series", "missing.csv"][..], 3, "could not read missing.csv"),
        (&["score", "series", "in"], 2, "--output must name a folder"),
        (&["score", "series", "in", "--output", "cpu.csv"], 2, "--output must name a folder"),
        (&["score", "series", "in", "--output", "out"], 0, "no .csv file below in"),
        (&["score", "series", "cpu.csv", "--output", "in"], 4, "writing in"),
        (&["score", "series", "cpu.csv", "--output", "./cpu.csv"], 2, "need another place"),
        (&["score", "series", "in", "--output", "in"], 2, "need another place"),
        (&["score"], 2, "series"),
    ] {
        let output = weir(arguments, folder.path());
        assert_eq!(code(&output), expected, "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(says), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn standard_input_gets_a_line_for_a_line_at_once() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["score", "series"])
        .current_dir(Path::new("/"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let (tell, told) = mpsc::channel();
    let answers = BufReader::new(child.stdout.take().unwrap()).lines();
    thread::spawn(move || answers.for_each(|line| tell.send(line.unwrap()).unwrap()));
    // each line is answered before the next one is written
    let mut ask = |line: &str| {
        writeln!(input, "{line}").unwrap();
        input.flush().unwrap();
        told.recv_timeout(Duration::from_secs(20)).unwrap()
    };
    assert_eq!(ask("timestamp,value"), "timestamp,anomaly_score");
    assert_eq!(ask("2024-08-01 00:00:00,1"), "2024-08-01 00:00:00,0");
    assert_eq!(ask("2024-08-01 00:05:00,2"), "2024-08-01 00:05:00,0");
    drop(input);
    let output = ended(child, Duration::from_secs(20));
    assert_eq!((code(&output), text(&output.stderr)), (0, String::new()));
}
