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
        "weir: odd.csv:3: `n/a` is not a number\nweir: odd.csv:4: `NaN` is not a number\nweir: odd.csv:6: `later` is not a time\nweir: odd.csv: all scores are 0, since a metric is learnt for 150 rows before it is scored\nweir: 3 of 5 rows could not be read and score 0\n"
    );
}

#[test]
fn of_many_rows_that_cannot_be_read_the_first_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let value = |row: u32| if row.is_multiple_of(5) { "" } else { "1" };
    let rows: String = (0..500).map(|row| format!("{},{}\n", 1_722_470_400 + row * 60, value(row))).collect();
    fs::write(folder.path().join("gaps.csv"), format!("timestamp,value\n{rows}")).unwrap();
    let output = weir(&["score", "series", "gaps.csv"], folder.path());
    assert_eq!((code(&output), scores(&text(&output.stdout)).len()), (0, 500));
    let said = text(&output.stderr);
    let said: Vec<&str> = said.lines().collect();
    assert_eq!((said.len(), said[19]), (22, "weir: gaps.csv:97: `` is not a number"));
    assert_eq!(said[20..], ["weir: further ones are counted", "weir: 100 of 500 rows could not be read and score 0"]);
}

#[test]
fn a_row_of_a_megabyte_is_named_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let digits = "9".repeat(1 << 20);
    fs::write(folder.path().join("one.csv"), format!("timestamp,value\n1722470400,{digits}\n1722470460,1\n")).unwrap();
    let output = weir(&["score", "series", "one.csv"], folder.path());
    let said = text(&output.stderr);
    let first = said.lines().next().unwrap();
    assert!(first.starts_with("weir: one.csv:2: `999") && first.ends_with("9` is not a number"), "{said}");
    assert_eq!(first.chars().count(), 300);
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
            "weir: could not read in/bare.csv: line 1 is no header with `value` (--value names another column)\nweir: could not read in/empty.csv: line 1 is no header with `value` (--value names another column)\n".to_owned()
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
fn what_is_compressed_is_read_as_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let gzip = |name: &str, text: &str| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        fs::write(at(name), gzip.finish().unwrap()).unwrap();
    };
    fs::create_dir(at("in")).unwrap();
    fs::write(at("in/one.csv"), metric(300, 200)).unwrap();
    gzip("in/one.csv.gz", &metric(300, 250));
    gzip("in/two.csv.gz", &metric(300, 200));
    fs::write(at("in/other.gz"), "not a metric").unwrap();
    let output = weir(&["score", "series", "in", "--output", "out"], folder.path());
    assert_eq!(code(&output), 3);
    assert_eq!(
        text(&output.stderr),
        "weir: could not read in/one.csv.gz: its scores have the name of those of in/one.csv\n"
    );
    assert_eq!(fs::read(at("out/one.csv")).unwrap(), fs::read(at("out/two.csv")).unwrap());
    let alone = weir(&["score", "series", "in/two.csv.gz"], folder.path());
    assert_eq!(fs::read(at("out/two.csv")).unwrap(), alone.stdout);

    gzip("flows.gz", "src,dst,tick\na,b,1\na,c,2\n");
    let edges = weir(&["score", "edges", "flows.gz"], folder.path());
    assert_eq!((code(&edges), text(&edges.stdout).lines().count()), (0, 2));
    let whole = fs::read(at("in/two.csv.gz")).unwrap();
    fs::write(at("cut.csv.gz"), &whole[..whole.len() / 2]).unwrap();
    let cut = weir(&["score", "series", "cut.csv.gz"], folder.path());
    assert_eq!(code(&cut), 3);
    assert!(text(&cut.stderr).contains("could not read cut.csv.gz"), "{}", text(&cut.stderr));
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
    fs::hard_link(folder.path().join("cpu.csv"), folder.path().join("link.csv")).unwrap();
    for (arguments, expected, says) in [
        (&["score", "series", "missing.csv"][..], 3, "could not read missing.csv"),
        (&["score", "series", "in"], 2, "--output must name a folder"),
        (&["score", "series", "in", "--output", "cpu.csv"], 2, "--output must name a folder"),
        (&["score", "series", "in", "--output", "out"], 0, "no .csv file below in"),
        (&["score", "series", "cpu.csv", "--output", "in"], 4, "writing in"),
        (&["score", "series", "cpu.csv", "--output", "./cpu.csv"], 2, "need another place"),
        (&["score", "series", "in", "--output", "in"], 2, "need another place"),
        (&["score", "series", "cpu.csv", "--output", "link.csv"], 2, "need another place"),
        (&["score", "edges", "cpu.csv", "--output", "link.csv"], 2, "need another place"),
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
    let output = ended(child, Duration::from_secs(120));
    let short = "weir: -: all scores are 0, since a metric is learnt for 150 rows before it is scored\n";
    assert_eq!((code(&output), text(&output.stderr).as_str()), (0, short));
}

#[test]
fn each_edge_has_a_score_and_what_is_no_edge_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut edges = String::from("src,dst,tick\n");
    for tick in 0..200 {
        edges += &format!("10.0.0.{},10.0.1.1,{tick}\n", tick % 5);
    }
    edges += "10.0.0.1,10.0.1.1,later\n";
    // one source reaches out to many at once
    (0..50).for_each(|n| edges += &format!("10.0.9.9,10.0.1.{n},200\n"));
    fs::write(folder.path().join("edges.csv"), edges).unwrap();
    let output = weir(&["score", "edges", "edges.csv"], folder.path());
    assert_eq!(code(&output), 0);
    let said = text(&output.stderr);
    assert!(said.contains("weir: edges.csv:202: the tick is neither a whole number nor a time"), "{said}");
    assert!(said.contains("1 of 251 edges could not be read and score 0"), "{said}");
    let scores: Vec<f32> = text(&output.stdout).lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!((scores.len(), scores[200]), (251, 0.0));
    let usual = scores[100..200].iter().copied().fold(0.0, f32::max);
    assert!(scores[240] > usual + 10.0, "{} after {usual}", scores[240]);
    let flows = "time,src,port,dst\n1,10.0.0.1,443,10.0.1.1\n2,10.0.0.1,443,10.0.1.2\n";
    fs::write(folder.path().join("flows.csv"), flows).unwrap();
    fs::write(folder.path().join("plain.csv"), "10.0.0.1,10.0.1.1,1\n10.0.0.1,10.0.1.2,2\n").unwrap();
    let named = weir(&["score", "edges", "flows.csv"], folder.path());
    assert_eq!((code(&named), text(&named.stderr)), (0, String::new()));
    assert_eq!(named.stdout, weir(&["score", "edges", "plain.csv"], folder.path()).stdout);
    let missing = weir(&["score", "edges", "none.csv"], folder.path());
    assert_eq!(code(&missing), 3);
    assert!(text(&missing.stderr).contains("could not read none.csv"));
    let same = weir(&["score", "edges", "edges.csv", "--output", "edges.csv"], folder.path());
    assert_eq!(code(&same), 2);
}

#[test]
fn alerts_of_one_attack_are_one_incident_above_the_noise() {
    let folder = tempfile::tempdir().unwrap();
    let mut alerts = String::from("time,id,name,ip,host,short,more\n");
    let mut id = 0;
    let mut alert = |time: i64, name: &str, ip: &str, host: &str| {
        id += 1;
        alerts += &format!("{time},{id},\"{name}\",{ip},{host},,x\n");
    };
    for hour in 0..48 {
        alert(hour * 3600, "Session opened, by cron", "", "web-1");
        alert(hour * 3600 + 5, "Update of a package", "", "db-1");
    }
    let attack = 48 * 3600;
    alert(attack, "Port scan detected", "192.0.2.66", "web-1");
    alert(attack + 300, "Brute force: many login failures", "192.0.2.66", "web-1");
    alert(attack + 600, "Web shell uploaded", "192.0.2.66", "web-1");
    alert(attack + 900, "Privilege escalation by sudo", "", "web-1");
    alerts += "soon,last,What,,,\n";
    fs::write(folder.path().join("alerts.csv"), alerts).unwrap();
    let output = weir(&["score", "alerts", "alerts.csv", "--output", "incidents.csv"], folder.path());
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("alerts.csv:102: \"soon\" is no time"), "{}", text(&output.stderr));
    let answers = fs::read_to_string(folder.path().join("incidents.csv")).unwrap();
    let rows: Vec<Vec<&str>> = answers.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 101);
    let priority = |row: &[&str]| row[2].parse::<f64>().unwrap();
    let noise = rows[10..96].iter().map(|row| priority(row)).fold(0.0, f64::max);
    let [scan, .., last] = &rows[96..100] else { panic!("four alerts") };
    assert_eq!(scan[1], last[1], "one incident");
    assert!(priority(last) > noise + 10.0, "{last:?} over {noise}");
    assert_eq!(rows[100], ["last", "0", "0"]);
    let (windows, quoted) = ("time,id,name\r\n\r\n1722513600,1,Scan\r\nsoon,2,What\r\n", "then,4,What\r\n");
    fs::write(folder.path().join("crlf.csv"), format!("{windows}1722513600,3,\"Two\r\nlines\"\r\n{quoted}")).unwrap();
    let output = weir(&["score", "alerts", "crlf.csv"], folder.path());
    let told = text(&output.stderr);
    assert!(told.contains("crlf.csv:4: \"soon\"") && told.contains("crlf.csv:7: \"then\""), "{told}");
    let plain = "id,time,name\n1,1722513600,Scan\n2,1722513601,\"Two, words\"\n";
    fs::write(folder.path().join("plain.csv"), plain).unwrap();
    let expected = weir(&["score", "alerts", "plain.csv"], folder.path()).stdout;
    for mark in [";", "\t", "|"] {
        let marked = plain.replace(',', mark).replace(&format!("Two{mark}"), "Two,");
        fs::write(folder.path().join("marked.csv"), marked).unwrap();
        let output = weir(&["score", "alerts", "marked.csv"], folder.path());
        assert_eq!((text(&output.stdout), text(&output.stderr)), (text(&expected), String::new()), "{mark:?}");
    }
    fs::write(folder.path().join("bad.csv"), "id,time,name\n1,soon,Scan\n2,later,Scan\n").unwrap();
    assert_eq!(code(&weir(&["score", "alerts", "bad.csv"], folder.path())), 3, "none could be read");
    let headless = weir(&["score", "alerts", "incidents.csv"], folder.path());
    assert_eq!(code(&headless), 3);
    assert!(text(&headless.stderr).contains("line 1: the header has no column time"), "{}", text(&headless.stderr));
}

#[test]
fn what_is_too_short_to_be_scored_and_what_is_out_of_order_is_said() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("m.csv"), metric(149, 100)).unwrap();
    let output = weir(&["score", "series", "m.csv"], folder.path());
    let why = "weir: m.csv: all scores are 0, since a metric is learnt for 150 rows before it is scored\n";
    assert_eq!((code(&output), text(&output.stderr).as_str()), (0, why));
    fs::write(folder.path().join("m.csv"), metric(150, 100)).unwrap();
    assert_eq!(text(&weir(&["score", "series", "m.csv"], folder.path()).stderr), "");

    // no word of a header is of times
    fs::write(folder.path().join("m.csv"), metric(150, 100).replace("timestamp", "Zeit")).unwrap();
    let output = weir(&["score", "series", "m.csv"], folder.path());
    let why = "weir: m.csv: no column has a name of times, such as `timestamp`: rows are numbered, as if one came each second\n";
    assert_eq!((code(&output), text(&output.stderr).as_str()), (0, why));

    // two metrics, row by row
    let of_both: String = metric(150, 100).split_inclusive('\n').skip(1).map(|row| row.repeat(2)).collect();
    fs::write(folder.path().join("m.csv"), format!("timestamp,value\n{of_both}")).unwrap();
    let output = weir(&["score", "series", "m.csv"], folder.path());
    assert_eq!(code(&output), 0);
    let why = "weir: m.csv: 150 of 300 rows are no later than one before them: they are scored as one metric";
    assert!(text(&output.stderr).starts_with(why), "{}", text(&output.stderr));

    fs::write(folder.path().join("e.csv"), "a,b,1000\na,b,1\na,c,1000\na,d,1001\n").unwrap();
    let output = weir(&["score", "edges", "e.csv"], folder.path());
    let why = "weir: e.csv: 1 of 4 edges have an earlier tick than the one before: they are scored as of the latest\n";
    assert_eq!((code(&output), text(&output.stderr).as_str()), (0, why));

    let alerts = "id,time,name\n1,1700000000,x\n2,17000000010,x\n3,1700000002,x\n4,1700000003,x\n";
    fs::write(folder.path().join("a.csv"), alerts).unwrap();
    let output = weir(&["score", "alerts", "a.csv"], folder.path());
    let why = "weir: a.csv: 2 of 4 alerts have an earlier time than one before them: they are taken as of the latest\n";
    assert_eq!((code(&output), text(&output.stderr).as_str()), (0, why));
}

#[test]
fn metrics_are_read_under_other_names_and_what_is_not_read_at_all_fails() {
    let folder = tempfile::tempdir().unwrap();
    let plain = metric(400, 300);
    let score = |name: &str, csv: String, more: &[&str]| {
        fs::write(folder.path().join(name), csv).unwrap();
        weir(&[&["score", "series", name][..], more].concat(), folder.path())
    };
    let expected = score("plain.csv", plain.clone(), &[]).stdout;
    let named = plain.replace("timestamp,value", "Time,cpu");
    let more: String = plain.lines().map(|line| format!("{line},7\n")).collect();
    let more = more.replace("timestamp,value,7", "time,cpu,mem");
    assert_eq!(score("named.csv", named.clone(), &[]).stdout, expected);
    assert_eq!(score("semicolons.csv", named.replace(',', ";"), &[]).stdout, expected);
    assert_eq!(score("more.csv", more.clone(), &["--value", "cpu"]).stdout, expected);
    let unsaid = score("more.csv", more, &[]);
    assert_eq!(code(&unsaid), 3);
    assert!(text(&unsaid.stderr).contains("--value names another column"), "{}", text(&unsaid.stderr));

    let values: String = named.lines().map(|line| format!("{}\n", line.split(',').nth(1).unwrap())).collect();
    let untimed = scores(&text(&score("values.csv", values, &[]).stdout));
    assert_eq!((highest(&untimed), untimed[300].0.as_str()), (300, "301"));

    let unread = score("unread.csv", "time,cpu\nsoon,1\nlater,2\n".to_owned(), &[]);
    assert_eq!((code(&unread), text(&unread.stdout).lines().count()), (3, 3));
    assert!(text(&unread.stderr).contains("unread.csv: no row could be read"), "{}", text(&unread.stderr));
}
