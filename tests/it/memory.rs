//! A run keeps to its memory limit, whatever it reads, and a limit that it cannot keep to is refused.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use crate::support::{assert_nothing_is_lost, code, start, text, weir};

/// Files with so many inflated MiB each: events of many users, accounts and days, so that rules remember much and
/// the archive has many files to write at a time.
const FILES: usize = 24;
const FILE_BYTES: usize = 16 << 20;
/// The program that is tested is not optimized and takes 170 MiB by itself, half more than a release. Over these files it took 296 MiB
/// without a limit, and 200 with this one.
const LIMIT: &str = "256MiB";
const LIMIT_KIB: u64 = 256 << 10;

/// A file of CloudTrail's, compressed; gives its number of events.
fn log(path: &Path, file: usize) -> usize {
    let (mut records, mut count) = (String::with_capacity(FILE_BYTES + 4096), 0);
    records.push_str("{\"Records\":[");
    let padding = "x".repeat(3000);
    while records.len() < FILE_BYTES {
        let comma = if count == 0 { "" } else { "," };
        let (user, minute) = (count % 997, file * 2 + count % 60 / 30);
        records += &format!(
            r#"{comma}{{"eventVersion":"1.08","userIdentity":{{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/u{file}-{user}"}},"eventTime":"2024-08-{:02}T{:02}:{:02}:00Z","eventSource":"s3.amazonaws.com","eventName":"PutObject","awsRegion":"us-east-1","sourceIPAddress":"10.1.{}.{}","errorCode":"AccessDenied","requestParameters":{{"padding":"{padding}{count}"}},"eventID":"event-{file:04}-{count:08}","recipientAccountId":"1111222233{:02}"}}"#,
            1 + file % 10,
            minute / 60,
            minute % 60,
            user / 250,
            user % 250,
            count % 20,
        );
        count += 1;
    }
    records.push_str("]}");
    fs::write(path, zstd::encode_all(records.as_bytes(), 1).unwrap()).unwrap();
    count
}

/// The most that the process had in memory, in KiB, as the system counted it until just before its end; and its exit code.
fn peak(mut child: Child) -> (u64, Option<i32>) {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let told = fs::read_to_string(&status).unwrap_or_default();
        let most = told.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = most.unwrap_or(0).max(peak);
        if let Some(ended) = child.try_wait().unwrap() {
            return (peak, ended.code());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_run_over_more_than_its_limit_stays_below_it_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    let events: usize = (0..FILES).map(|file| log(&folder.path().join(format!("logs/{file}.json.zst")), file)).sum();
    let run = ["run", "--from", "logs", "--archive", "archive", "--findings", "f.ndjson", "--summary", "s.json"];
    let (peak, code) = peak(start(&[&run[..], &["--memory", LIMIT]].concat(), folder.path()));
    assert_eq!(code, Some(0));
    assert!(peak > 0 && peak < LIMIT_KIB, "{peak} KiB");
    let summary: serde_json::Value = serde_json::from_slice(&fs::read(folder.path().join("s.json")).unwrap()).unwrap();
    assert_nothing_is_lost(&summary);
    assert_eq!(summary["tables"]["cloudtrail"]["rows"], events);
    assert!(summary["bytes_inflated"].as_u64().unwrap() > LIMIT_KIB << 10, "{summary}");
}

#[test]
fn a_limit_that_is_too_low_or_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let said = |arguments: &[&str]| {
        let output = weir(&[&["run", "--from", "nothing", "--archive", "none"], arguments].concat(), folder.path());
        (code(&output), text(&output.stderr))
    };
    let (status, why) = said(&["--memory", "100MiB"]);
    let least = "weir: a memory limit of 100 MiB is too low: 256 MiB is the least that Weir keeps to\n";
    assert_eq!((status, why.as_str()), (2, least));
    let (status, why) = said(&["--memory", "lots"]);
    assert!(status == 2 && why.contains("`lots` is no size: write 512MiB or 1GiB"), "{why}");
    fs::write(folder.path().join("weir.toml"), "[limits]\nmemory = '200MiB'\n").unwrap();
    assert_eq!(said(&["-c", "weir.toml"]).0, 2);
    // the flag counts
    let (_, why) = said(&["-c", "weir.toml", "--memory", "1GiB"]);
    assert!(why.contains("nothing"), "{why}");
}

#[test]
fn a_query_ends_with_an_error_where_its_limit_does_not_suffice() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("archive/_weir")).unwrap();
    for (query, why) in [
        // what no operator counts: 1.6 GB in one batch
        ("SELECT rpad(CAST(value AS VARCHAR), 200000, 'x') FROM generate_series(1, 100000)", "values that a function"),
        ("SELECT cardinality(array_agg(value)) FROM generate_series(1, 100000000)", "GROUP BY asks for"),
        (
            "SELECT count(*) FROM generate_series(1, 9000000) a (x) JOIN generate_series(1, 9000001) b (y) ON x = y",
            "JOIN asks for",
        ),
    ] {
        let arguments = ["sql", query, "--archive", "archive", "--memory", LIMIT];
        let output = weir(&arguments, folder.path());
        let told = text(&output.stderr);
        assert_eq!((code(&output), text(&output.stdout).as_str()), (2, ""), "{told}");
        assert!(told.starts_with("weir: the query needs more memory than the 256 MiB of --memory"), "{told}");
        assert!(told.contains(why) && told.contains("--memory 1GiB"), "{told}");
        let (peak, _) = peak(start(&arguments, folder.path()));
        assert!(peak < 2 * LIMIT_KIB, "{peak} KiB: {query}");
    }
    let (tiny, sorted) = (
        ["sql", "SELECT 1", "--archive", "archive", "--memory", "100MiB"],
        "SELECT max(n), count(*) FROM \
        (SELECT row_number() OVER (ORDER BY value * 7919 % 1000003, value) AS n FROM generate_series(1, 2000000))",
    );
    let output = weir(&tiny, folder.path());
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("a memory limit of 100 MiB is too low"), "{}", text(&output.stderr));
    let waits = ["sql", sorted, "--archive", "archive", "--memory", LIMIT, "--format", "csv"];
    let output = weir(&waits, folder.path());
    assert_eq!(text(&output.stdout).lines().last(), Some("2000000,2000000"), "{}", text(&output.stderr));
}
