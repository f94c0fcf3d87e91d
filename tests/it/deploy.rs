//! What is in `deploy/` works: the stack comes up and its command finds something, the unit and the image start the program
//! with flags that it knows.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::health::free_address;
use crate::moto::{moto, sdk};
use crate::runtime_fake::{Answer, Function};
use crate::support::{code, ended, path, repository, signal, text, weir};

const TEMPLATE: &str = "deploy/cloudformation/weir.yaml";
const FUNCTION: &str = "deploy/cloudformation/lambda.yaml";
const ATTACK: &str = "tests/data/cloudtrail/stratus/aws.persistence.iam-create-admin-user.json.gz";

/// The Python that `tests/run` installs, when it has this module.
pub fn python(module: &str) -> Option<String> {
    let python = env::var("WEIR_TEST_PYTHON").ok();
    let has = |python: &String| {
        let import = format!("import {module}");
        let there = Command::new(python).args(["-c", &import]).stderr(Stdio::null()).status();
        there.is_ok_and(|status| status.success())
    };
    let python = python.filter(has);
    if python.is_none() {
        println!("left out: WEIR_TEST_PYTHON names no Python with {module} (tests/run installs one)");
    }
    python
}

const LINT: &str = "import sys; from cfnlint.runner import main; sys.exit(main())";

#[test]
fn the_templates_have_no_fault_that_cfn_lint_knows() {
    let Some(python) = python("cfnlint") else { return };
    let templates = [TEMPLATE, FUNCTION].map(|template| path(&repository(template)));
    let output = Command::new(python).args(["-c", LINT]).args(templates).output().unwrap();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

/// The actions of statements, whose `Action` is a text or a list.
fn actions(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().unwrap().iter();
    let actions = statements.flat_map(|statement| match &statement["Action"] {
        Value::Array(actions) => actions.iter().map(|action| action.as_str().unwrap().to_owned()).collect(),
        action => vec![action.as_str().unwrap().to_owned()],
    });
    actions.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stack_comes_up_and_its_command_finds_what_a_new_object_holds() {
    let (Some(moto), Some(python)) = (moto(), python("boto3")) else { return };
    let name = "stack-trail";
    let deployed = Command::new(python)
        .args([path(&repository("tests/it/deploy.py")), moto.url.clone(), path(&repository(TEMPLATE)), name.to_owned()])
        .output()
        .unwrap();
    assert!(deployed.status.success(), "{}", text(&deployed.stderr));
    let stack: Value = serde_json::from_slice(&deployed.stdout).unwrap();
    assert_eq!(stack["status"], "CREATE_COMPLETE");
    // queue policies and alarms are unknown to moto
    for resource in ["NoticeQueue", "DeadQueue", "NewObjects", "Disk", "LogGroup", "TaskRole", "Task", "Service"] {
        assert!(stack["resources"][resource].is_string(), "{resource} is missing: {stack:#}");
    }

    let expected: BTreeSet<String> = of_file("s3-queue.json").union(&of_file("security-hub.json")).cloned().collect();
    assert_eq!(actions(&stack["policies"]["weir"]), expected, "the task may do what deploy/iam says");

    let s3 = aws_sdk_s3::Client::from_conf(
        aws_sdk_s3::config::Builder::from(&sdk(&moto.url)).force_path_style(true).build(),
    );
    // the first is not below the prefix that is wanted
    for key in ["elsewhere/no.json.gz", "AWSLogs/123456789012/CloudTrail/us-east-1/2024/08/01/a b.json.gz"] {
        let log = fs::read(repository(ATTACK)).unwrap();
        s3.put_object().bucket(name).key(key).body(log.into()).send().await.unwrap();
    }
    let (folder, address) = (tempfile::tempdir().unwrap(), free_address());
    let in_folder =
        |text: &str| text.replace("/data/", &format!("{}/", path(folder.path()))).replace("127.0.0.1:9090", &address);
    let words = |list: &Value| list.as_array().unwrap().iter().map(|word| in_folder(word.as_str().unwrap())).collect();
    let (run, alive): (Vec<String>, Vec<String>) = (words(&stack["command"]), words(&stack["alive"]));
    let child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(&run)
        .current_dir(folder.path())
        .envs([("AWS_ENDPOINT_URL", moto.url.as_str()), ("AWS_REGION", "us-east-1")])
        .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_CONFIG_FILE", "/dev/null")])
        .env_remove("AWS_ENDPOINT_URL_SECURITYHUB")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let found = || fs::read_to_string(folder.path().join("findings.ndjson")).unwrap_or_default();
    let begun = Instant::now();
    while !found().contains("cloudtrail/admin_policy_attached") {
        assert!(begun.elapsed() < Duration::from_secs(90), "no finding came: {}", found());
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(alive[..2], ["CMD", "/usr/local/bin/weir"]);
    let alive: Vec<&str> = alive[2..].iter().map(String::as_str).collect();
    assert_eq!(code(&weir(&alive, folder.path())), 0, "the health check of the container");
    signal(&child, Signal::TERM);
    let output = ended(child, Duration::from_secs(60));
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
}

/// What a policy of `deploy/iam/` allows.
fn of_file(file: &str) -> BTreeSet<String> {
    actions(&serde_json::from_slice(&fs::read(repository("deploy/iam").join(file)).unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_function_comes_up_and_finds_what_its_queue_tells_of() {
    let (Some(moto), Some(python)) = (moto(), python("boto3")) else { return };
    let name = "stack-function";
    let deployed = Command::new(python)
        .args([path(&repository("tests/it/deploy_lambda.py")), moto.url.clone()])
        .args([path(&repository(FUNCTION)), name.to_owned()])
        .output()
        .unwrap();
    assert!(deployed.status.success(), "{}", text(&deployed.stderr));
    let stack: Value = serde_json::from_slice(&deployed.stdout).unwrap();
    assert_eq!(stack["status"], "CREATE_COMPLETE");
    let resources = ["NoticeQueue", "DeadQueue", "NewObjects", "LogGroup", "FunctionRole", "Function"];
    for resource in resources.iter().chain(&["StreamMapping", "QueueMapping"]) {
        assert!(stack["resources"][resource].is_string(), "{resource} is missing: {stack:#}");
    }
    let files =
        ["lambda-logs.json", "lambda-kinesis.json", "lambda-queue.json", "s3-archive.json", "security-hub.json"];
    let expected: BTreeSet<String> = files.iter().flat_map(|file| of_file(file)).collect();
    assert_eq!(actions(&stack["policy"]), expected, "the function may do what deploy/iam says");
    // without this, one item that fails has Lambda hand over all of them again
    for mapping in stack["mappings"].as_array().unwrap() {
        assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    }

    let sdk = sdk(&moto.url);
    let s3 = aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build());
    let key = "AWSLogs/123456789012/CloudTrail/us-east-1/2024/08/01/a b.json.gz";
    let log = fs::read(repository(ATTACK)).unwrap();
    s3.put_object().bucket(name).key(key).body(log.into()).send().await.unwrap();
    // what the mapping would do
    let sqs = aws_sdk_sqs::Client::new(&sdk);
    let queue = stack["resources"]["NoticeQueue"].as_str().unwrap();
    let received = sqs.receive_message().queue_url(queue).wait_time_seconds(5).send().await.unwrap();
    let message = &received.messages()[0];
    let event = json!({ "Records": [{
        "eventSource": "aws:sqs", "messageId": message.message_id().unwrap(), "body": message.body().unwrap()
    }] });

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("weir.toml"), "[aws.s3]\nforce_path_style = true\n").unwrap();
    let set = stack["function"]["Environment"]["Variables"].as_object().unwrap();
    let set = set.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
    let keys = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-east-1")];
    let variables: Vec<_> = set.chain(keys).chain([("AWS_ENDPOINT_URL", moto.url.as_str())]).collect();
    let function = Function::start(folder.path(), &variables);
    assert_eq!(function.call(&event), Answer::Response(json!({ "batchItemFailures": [] })), "{}", function.log());

    let archive = s3.list_objects_v2().bucket(format!("{name}-archive")).prefix("weir/cloudtrail/account=").send();
    let archive: Vec<String> =
        archive.await.unwrap().contents().iter().map(|one| one.key().unwrap().to_owned()).collect();
    assert!(!archive.is_empty() && archive.iter().all(|key| key.ends_with(".parquet")), "{archive:?}");
    let log = function.log();
    let told = log.lines().find(|line| line.contains("a call is done")).unwrap();
    assert!(told.contains("records=3 rows=3 rejects=0") && told.contains("failed=0"), "{told}");
}

/// The program must know the flags, and miss only the file that the line names.
fn assert_starts(line: &[String], folder: &Path) {
    let (program, arguments) = line.split_first().unwrap();
    assert_eq!(program, "/usr/local/bin/weir");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = weir(&arguments, folder);
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).starts_with("weir: reading /etc/weir/weir.toml"), "{}", text(&output.stderr));
}

#[test]
fn unit_and_image_start_the_program_with_flags_that_it_knows() {
    let folder = tempfile::tempdir().unwrap();
    let unit = fs::read_to_string(repository("deploy/weir.service")).unwrap();
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    assert_starts(&start.split(' ').map(str::to_owned).collect::<Vec<_>>(), folder.path());
    let image = fs::read_to_string(repository("deploy/Dockerfile")).unwrap();
    let list = |word: &str| -> Vec<String> {
        serde_json::from_str(image.lines().find_map(|line| line.strip_prefix(word)).unwrap()).unwrap()
    };
    assert_starts(&[list("ENTRYPOINT "), list("CMD ")].concat(), folder.path());
    let rust = format!("FROM rust:{}-", env!("CARGO_PKG_RUST_VERSION"));
    assert!(image.contains(&rust), "the image is built with another Rust than Cargo.toml wants");
}

#[test]
fn systemd_finds_the_unit_well_locked_up() {
    let unit = path(&repository("deploy/weir.service"));
    let judged = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=15", "--no-pager", &unit])
        .output();
    match judged {
        Ok(output) if text(&output.stderr).contains("unrecognized option") => {
            println!("left out: an old systemd-analyze")
        }
        Ok(output) => assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr)),
        Err(error) => println!("left out: systemd-analyze: {error}"),
    }
}
