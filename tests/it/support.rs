//! What the tests share: running the program, and reading what it says.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{LazyLock, mpsc};
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

/// A few of the built-in rules, of each kind and table: enough where a test does not ask what is found, and ready at once,
/// while all of them take seconds of a process without optimization.
const FEW: [&str; 19] = [
    "cloudtrail/access_key_created_for_other_user",
    "cloudtrail/admin_policy_attached",
    "cloudtrail/attack_tool_used",
    "cloudtrail/iam_inventory_read",
    "cloudtrail/iam_user_created",
    "cloudtrail/instance_credentials_used_elsewhere",
    "cloudtrail/organization_left",
    "cloudtrail/parameters_read_in_bulk",
    "cloudtrail/rare_region_of_principal",
    "cloudtrail/root_api_call",
    "cloudtrail/security_group_opened",
    "cloudtrail/snapshot_shared_outside",
    "cloudtrail/unusual_iam_reads",
    "glue_job_run/run_out_of_memory",
    "glue_job_run/run_secret_in_arguments",
    "glue_log/log_out_of_memory",
    "vpc_flow/admin_port_from_internet",
    "vpc_flow/data_store_from_internet",
    "vpc_flow/records_lost",
];

/// One that finds something in the files of `pipeline::many_files`, of which the built-in ones say nothing: how much, tells
/// what was read twice or not at all.
const LISTED: &str = "-- title = \"Access points were listed\"\n-- severity = \"informational\"\n\
                      -- tags = [\"attack.discovery\", \"attack.t1619\"]\n-- remedy = \"Ask who lists them.\"\n\
                      SELECT userIdentity.arn AS who, count(*) AS calls FROM cloudtrail\n\
                      WHERE eventName = 'ListAccessPoints'\n\
                      GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '10 minutes')\nHAVING count(*) >= 5\n";

/// What `--rules` takes for [`FEW`] and [`LISTED`] alone.
pub fn few() -> &'static str {
    static FOLDER: LazyLock<String> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("few-rules");
        fs::remove_dir_all(&folder).ok();
        let only = only(&FEW, &folder);
        fs::write(folder.join("cloudtrail/access_points_listed.sql"), LISTED).unwrap();
        only
    });
    &FOLDER
}

/// Copies built-in rules, given by their ids, into a folder; what `--rules` takes for these alone.
pub fn only(rules: &[&str], folder: &Path) -> String {
    for rule in rules {
        let to = folder.join(rule).with_extension("sql");
        fs::create_dir_all(to.parent().expect("a rule lies in the folder of its table")).unwrap();
        fs::copy(repository("queries").join(rule).with_extension("sql"), to).unwrap();
    }
    format!("only:{}", folder.display())
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("what the program prints is UTF-8")
}

pub fn code(output: &Output) -> i32 {
    output.status.code().expect("the program was not killed")
}

/// Answers by a router, on a thread of its own and for as long as the test runs.
pub fn serve(listener: TcpListener, router: axum::Router) {
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
    });
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

/// Lines of NDJSON of a file that may be written to right now: those that are whole.
pub fn whole_lines(file: &Path) -> Vec<serde_json::Value> {
    let written = fs::read(file).unwrap_or_default();
    let whole = written.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    lines(&written[..whole])
}

/// Runs the worker over a path with every built-in rule and no archive, and gives its findings and its summary.
pub fn judge(from: &Path) -> (Vec<serde_json::Value>, serde_json::Value) {
    judge_by(&[], from)
}

/// The same with these arguments too.
pub fn judge_by(arguments: &[&str], from: &Path) -> (Vec<serde_json::Value>, serde_json::Value) {
    let folder = tempfile::tempdir().unwrap();
    let run = ["run", "--from", &path(from), "--archive", "none", "--format", "ndjson", "--summary", "summary.json"];
    let output = weir(&[&run[..], arguments].concat(), folder.path());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let summary = fs::read(folder.path().join("summary.json")).unwrap();
    (lines(&output.stdout), serde_json::from_slice(&summary).unwrap())
}

/// `records = rows + rejects + duplicates + set_aside`, for every table of a summary.
pub fn assert_nothing_is_lost(summary: &serde_json::Value) {
    for (name, counts) in summary["tables"].as_object().unwrap() {
        let of = |key: &str| counts[key].as_u64().unwrap();
        assert_eq!(of("records"), of("rows") + of("rejects") + of("duplicates") + of("set_aside"), "{name}: {counts}");
    }
}
