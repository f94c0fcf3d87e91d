//! `/healthz` and `/readyz` of a run, from its start until it has sent its last finding.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{code, ended, few, repository, signal, text, weir};

/// Status and body of what is at a path.
pub fn ask(address: &str, path: &str) -> Option<(u16, Value)> {
    let mut connection = TcpStream::connect(address).ok()?;
    write!(connection, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    assert!(head.contains("content-type: application/json"), "{head}");
    Some((head.split(' ').nth(1)?.parse().ok()?, serde_json::from_str(body).ok()?))
}

pub fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn an_address_that_is_in_use_is_worth_another_try() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let run = |address: &str| {
        let flags = ["run", "--from", ".", "--follow", "--archive", "none", "--rules", few(), "--metrics", address];
        code(&weir(&flags, folder.path()))
    };
    assert_eq!(run(&taken.local_addr().unwrap().to_string()), 4);
    assert_eq!(run("nowhere"), 2);
}

#[test]
fn a_run_is_ready_until_it_is_told_to_stop_and_alive_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (address, nobody) = (free_address(), free_address());
    fs::create_dir(folder.path().join("logs")).unwrap();
    let sample = "tests/data/cloudtrail/stratus/aws.persistence.iam-create-admin-user.json.gz";
    fs::copy(repository(sample), folder.path().join("logs/attack.json.gz")).unwrap();
    // no hub answers, so that the end waits for it
    let config = format!(
        "[metrics]\nlisten = '{address}'\n[sink.security_hub]\naccount = '111122223333'\nregion = 'eu-west-1'\ndrain_seconds = 4\n\
         [aws]\nendpoint_url = 'http://{nobody}'\n"
    );
    fs::write(folder.path().join("weir.toml"), config).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args([
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
            "--findings",
            "f.ndjson",
        ])
        .current_dir(folder.path())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env_remove("AWS_ENDPOINT_URL_SECURITYHUB")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let wait_for = |path: &str, what: &str, holds: &dyn Fn(&(u16, Value)) -> bool| {
        let begun = Instant::now();
        loop {
            match ask(&address, path) {
                Some(answer) if holds(&answer) => return answer,
                answer => assert!(begun.elapsed() < Duration::from_secs(180), "{what} did not come: {answer:?}"),
            }
            thread::sleep(Duration::from_millis(20));
        }
    };
    let (_, ready) = wait_for("/readyz", "readiness", &|(status, _)| *status == 200);
    assert_eq!((&ready["status"], &ready["phase"]), (&"ready".into(), &"running".into()), "{ready}");
    let (_, alive) =
        wait_for("/healthz", "a turn", &|(status, body)| *status == 200 && body["turns"].as_u64() > Some(1));
    assert_eq!(alive["status"], "ok", "{alive}");
    let found = || fs::read_to_string(folder.path().join("f.ndjson")).is_ok_and(|text| !text.is_empty());
    wait_for("/healthz", "a finding", &|_| found());

    let alive = || code(&weir(&["alive", &address], folder.path()));
    assert_eq!(alive(), 0);
    signal(&child, Signal::TERM);
    let (_, stopping) = wait_for("/readyz", "the end of readiness", &|(status, _)| *status == 503);
    assert_eq!((&stopping["status"], &stopping["phase"]), (&"not ready".into(), &"stopping".into()), "{stopping}");
    assert_eq!(ask(&address, "/healthz").unwrap().0, 200, "it still turns");
    let output = ended(child, Duration::from_secs(120));
    assert_eq!(code(&output), 3, "the findings wait: {}", text(&output.stderr));
    assert_eq!(alive(), 1, "nobody listens any more");
}
