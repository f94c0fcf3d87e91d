//! What is in `deploy/` works: the stack comes up and its command finds something, the unit and the image start the program
//! with flags that it knows.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::health::free_address;
use crate::moto::{Moto, moto, sdk};
use crate::runtime_fake::{Answer, Function};
use crate::support::{code, ended, lines, path, repository, signal, text, weir};

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

#[test]
fn alarms_tell_the_topic_that_is_named() {
    for template in [TEMPLATE, FUNCTION] {
        let text = fs::read_to_string(repository(template)).unwrap();
        let resources: Vec<&str> =
            text.split(" Type: AWS::").filter(|of| of.starts_with("CloudWatch::Alarm")).collect();
        assert_eq!(resources.len(), 3, "{template}");
        for alarm in resources {
            for actions in ["AlarmActions", "OKActions"] {
                let tells = format!(" {actions}: !If [HasAlarmTopic, [!Ref AlarmTopic], !Ref AWS::NoValue]\n");
                assert!(alarm.contains(&tells), "{template}: {alarm}");
            }
        }
    }
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

/// What became of the stack, with further parameters.
fn deploy(moto: &Moto, python: &str, name: &str, further: &[&str]) -> Value {
    let deployed = Command::new(python)
        .args([path(&repository("tests/it/deploy.py")), moto.url.clone(), path(&repository(TEMPLATE)), name.to_owned()])
        .args(further)
        .output()
        .unwrap();
    assert!(deployed.status.success(), "{}", text(&deployed.stderr));
    let stack: Value = serde_json::from_slice(&deployed.stdout).unwrap();
    assert_eq!(stack["status"], "CREATE_COMPLETE");
    stack
}

/// What files of deploy/iam allow together.
fn of_files(files: &[&str]) -> BTreeSet<String> {
    let of_file = |file: &&str| {
        actions(&serde_json::from_slice(&fs::read(repository("deploy/iam").join(file)).unwrap()).unwrap())
    };
    files.iter().flat_map(of_file).collect()
}

#[test]
fn the_page_lets_the_role_read_a_bucket_of_another_account_and_no_more() {
    let page = fs::read_to_string(repository("deploy/SOURCES.md")).unwrap();
    let section = page.split("### A bucket of another account\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let shown = section.split("```json\n").skip(1).map(|shown| shown.split("```").next().unwrap());
    let statements: Vec<Value> = shown.map(|shown| serde_json::from_str(shown).unwrap()).collect();
    let of_queue = of_files(&["s3-queue.json"]).into_iter().filter(|action| !action.starts_with("sqs:"));
    assert_eq!(actions(&json!({ "Statement": statements })), of_queue.collect());
    // which of a stack's parameters says how the bucket tells of objects, and from where it can
    for template in [TEMPLATE, FUNCTION] {
        let text = fs::read_to_string(repository(template)).unwrap();
        assert!(text.contains("One of another account wants Notify = S3"), "{template}");
    }
}

/// A task of a stack, on a machine of its own.
struct Task {
    folder: tempfile::TempDir,
    address: String,
    child: Child,
}

impl Task {
    /// `prints` where findings are printed, and not written to a file.
    fn start(moto: &Moto, stack: &Value, prints: bool) -> Task {
        let (folder, address) = (tempfile::tempdir().unwrap(), free_address());
        let printed = match prints {
            true => Stdio::from(fs::File::create(folder.path().join("findings.ndjson")).unwrap()),
            false => Stdio::null(),
        };
        let mut task = Command::new(env!("CARGO_BIN_EXE_weir"));
        task.args(words(&stack["command"], folder.path(), &address)).current_dir(folder.path());
        task.envs([("AWS_ENDPOINT_URL", moto.url.as_str()), ("AWS_REGION", "us-east-1")]);
        task.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_CONFIG_FILE", "/dev/null")]);
        task.env_remove("AWS_ENDPOINT_URL_SECURITYHUB").stdout(printed).stderr(Stdio::piped());
        let child = task.spawn().unwrap();
        Task { folder, address, child }
    }

    fn found(&self) -> String {
        fs::read_to_string(self.folder.path().join("findings.ndjson")).unwrap_or_default()
    }

    fn until_found(&self, what: &str) {
        let begun = Instant::now();
        while !self.found().contains(what) {
            assert!(begun.elapsed() < Duration::from_secs(180), "no finding came: {}", self.found());
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn stop(self) -> String {
        signal(&self.child, Signal::TERM);
        let found = self.folder.path().join("findings.ndjson");
        let output = ended(self.child, Duration::from_secs(120));
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        fs::read_to_string(found).unwrap()
    }
}

/// The words of a command, with the folder and the address of a test in place of a container's.
fn words(list: &Value, folder: &Path, address: &str) -> Vec<String> {
    let here = |text: &str| text.replace("/data/", &format!("{}/", path(folder))).replace("127.0.0.1:9090", address);
    list.as_array().unwrap().iter().map(|word| here(word.as_str().unwrap())).collect()
}

async fn put(moto: &Moto, bucket: &str, file: &str, keys: &[&str]) {
    let s3 = aws_sdk_s3::config::Builder::from(&sdk(&moto.url)).force_path_style(true).build();
    let s3 = aws_sdk_s3::Client::from_conf(s3);
    for key in keys {
        let log = fs::read(repository(file)).unwrap();
        s3.put_object().bucket(bucket).key(*key).body(log.into()).send().await.unwrap();
    }
}

const LATER: &str = "tests/data/cloudtrail/stratus/aws.defense-evasion.organizations-leave.json.gz";
const LOG: &str = "AWSLogs/123456789012/CloudTrail/us-east-1/2024/08/01/a b.json.gz";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stack_comes_up_and_its_command_finds_what_a_new_object_holds() {
    let (Some(moto), Some(python)) = (moto(), python("boto3")) else { return };
    let stack = deploy(&moto, &python, "stack-trail", &[]);
    // queue policies and alarms are unknown to moto
    for resource in ["NoticeQueue", "DeadQueue", "NewObjects", "Disk", "LogGroup", "TaskRole", "Task", "Service"] {
        assert!(stack["resources"][resource].is_string(), "{resource} is missing: {stack:#}");
    }
    for resource in ["StateBucket", "Leases"] {
        assert!(stack["resources"][resource].is_null(), "{resource} is of other parameters: {stack:#}");
    }
    let expected = of_files(&["s3-queue.json", "security-hub.json"]);
    assert_eq!(actions(&stack["policies"]["weir"]), expected, "the task may do what deploy/iam says");
    assert_eq!(stack["pulls"], json!(["arn:aws:ecr:us-east-1:123456789012:repository/*"]));
    let image = "Image=444455556666.dkr.ecr.eu-west-1.amazonaws.com/tools/weir:0.1.0";
    let stack = deploy(&moto, &python, "stack-heard", &["ReadBack=yes", image]);
    assert_eq!(stack["pulls"], json!(["arn:aws:ecr:eu-west-1:444455556666:repository/*"]), "the registry of the image");
    let expected = of_files(&["s3-queue.json", "security-hub.json", "security-hub-read-back.json"]);
    assert_eq!(actions(&stack["policies"]["weir"]), expected, "the task may do what deploy/iam says");

    // the first is not below the prefix that is wanted
    put(&moto, "stack-heard", ATTACK, &["elsewhere/no.json.gz", LOG]).await;
    let task = Task::start(&moto, &stack, false);
    task.until_found("cloudtrail/admin_policy_attached");
    let alive = words(&stack["alive"], task.folder.path(), &task.address);
    assert_eq!(alive[..2], ["CMD", "/usr/local/bin/weir"]);
    let alive: Vec<&str> = alive[2..].iter().map(String::as_str).collect();
    assert_eq!(code(&weir(&alive, task.folder.path())), 0, "the health check of the container");
    task.stop();
}

#[test]
fn a_task_takes_what_no_parameter_says_from_a_file_of_its_image() {
    let (Some(moto), Some(python)) = (moto(), python("boto3")) else { return };
    let stack = deploy(&moto, &python, "stack-plain", &[]);
    let words = |stack: &Value| -> Vec<String> { serde_json::from_value(stack["command"].clone()).unwrap() };
    assert_eq!(words(&stack)[..2], ["run", "--from"]);
    let stack = deploy(&moto, &python, "stack-configured", &["ConfigFile=/etc/weir/weir.toml"]);
    assert_eq!(words(&stack)[..4], ["run", "-c", "/etc/weir/weir.toml", "--from"]);
    // moto attaches no policies of others
    let template = fs::read_to_string(repository(TEMPLATE)).unwrap();
    let role = template.split("\n  TaskRole:\n").nth(1).unwrap().split("\n      Policies:\n").next().unwrap();
    assert!(role.ends_with("ManagedPolicyArns: !If [HasPolicy, [!Ref PolicyArn], !Ref AWS::NoValue]"), "{role}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_with_its_state_in_s3_is_replaced_and_loses_nothing() {
    let (Some(moto), Some(python)) = (moto(), python("boto3")) else { return };
    let stack = deploy(&moto, &python, "stack-state", &["Keep=S3", "SecurityHub=no"]);
    assert!(stack["resources"]["StateBucket"].is_string() && stack["resources"]["Disk"].is_null(), "{stack:#}");
    assert!(stack["policies"]["disk"].is_null(), "{stack:#}");
    // no key is given for what is written
    let mut expected = of_files(&["s3-queue.json", "s3-state.json"]);
    expected.remove("kms:GenerateDataKey");
    assert_eq!(actions(&stack["policies"]["weir"]), expected);

    put(&moto, "stack-state", ATTACK, &[LOG]).await;
    let first = Task::start(&moto, &stack, true);
    first.until_found("cloudtrail/admin_policy_attached");
    let found = first.stop();
    let second = Task::start(&moto, &stack, true);
    // the last poll of the first is still open at moto, and would swallow a notice
    thread::sleep(Duration::from_secs(22));
    assert_eq!(second.found(), "", "what was committed is not read again");
    put(&moto, "stack-state", LATER, &[&LOG.replace("a b", "later")]).await;
    second.until_found("cloudtrail/organization_left");
    let state = stack["outputs"]["State"].as_str().unwrap();
    let found = found + &second.stop();
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "state = '{state}'\n[aws]\nendpoint_url = '{}'\nregion = 'us-east-1'\n[aws.s3]\nforce_path_style = true\n",
        moto.url
    );
    fs::write(folder.path().join("weir.toml"), config).unwrap();
    let open = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["incidents", "-c", "weir.toml"])
        .current_dir(folder.path())
        .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_CONFIG_FILE", "/dev/null")])
        .output()
        .unwrap();
    let ids: BTreeSet<String> = lines(found.as_bytes()).iter().map(|finding| finding["id"].to_string()).collect();
    assert!(text(&open.stdout).contains(&format!(" in {} findings", ids.len())), "{}", text(&open.stdout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stacks_that_read_one_stream_share_a_table() {
    let (Some(moto), Some(python)) = (moto(), python("boto3")) else { return };
    let stream = "StreamArn=arn:aws:kinesis:us-east-1:123456789012:stream/stack-stream";
    let first = deploy(&moto, &python, "stack-stream", &[stream, "LogBucket=", "Keep=S3", "SecurityHub=no"]);
    assert!(first["resources"]["NoticeQueue"].is_null(), "{first:#}");
    let mut expected = of_files(&["kinesis.json", "kinesis-leases.json", "s3-state.json"]);
    expected.remove("kms:GenerateDataKey");
    assert_eq!(actions(&first["policies"]["weir"]), expected);
    let table = first["resources"]["Leases"].as_str().unwrap();
    let share = format!("LeaseTable={table}");
    let further = deploy(&moto, &python, "stack-further", &[stream, "LogBucket=", &share, "Keep=S3", "SecurityHub=no"]);
    assert!(further["resources"]["Leases"].is_null(), "{further:#}");
    assert_eq!(first["outputs"]["LeaseTable"], further["outputs"]["LeaseTable"]);
    for stack in [&first, &further] {
        let command = words(&stack["command"], Path::new("/"), "a");
        let leases = command.iter().position(|word| word == "--leases").expect("shards are shared");
        assert_eq!(command[leases + 1], table);
    }

    let kinesis = aws_sdk_kinesis::Client::new(&sdk(&moto.url));
    kinesis.create_stream().stream_name("stack-stream").shard_count(1).send().await.unwrap();
    let log = fs::read(repository(ATTACK)).unwrap();
    let put = kinesis.put_record().stream_name("stack-stream").partition_key("a").data(log.into());
    put.send().await.unwrap();
    let task = Task::start(&moto, &first, true);
    task.until_found("cloudtrail/admin_policy_attached");
    task.stop();
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
    // temporary files, also with --read-only
    assert!(image.contains("\nVOLUME /data /tmp\n"));
    let rust = format!("FROM rust:{}-", env!("CARGO_PKG_RUST_VERSION"));
    assert!(image.contains(&rust), "the image is built with another Rust than Cargo.toml wants");
}

#[test]
fn systemd_finds_no_fault_with_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let unit = fs::read_to_string(repository("deploy/weir.service")).unwrap();
    let here = unit.replace("/usr/local/bin/weir", env!("CARGO_BIN_EXE_weir"));
    let file = folder.path().join("weir.service");
    fs::write(&file, here).unwrap();
    match Command::new("systemd-analyze").args(["verify", &path(&file)]).output() {
        Ok(output) => {
            let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
            assert!(output.status.success() && told.is_empty(), "{told}");
        }
        Err(error) => println!("left out: systemd-analyze: {error}"),
    }
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
