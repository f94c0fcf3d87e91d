//! Findings to a bus of EventBridge, a topic of SNS and a webhook: through partial failures, throttling, outages and kills
//! each arrives, and once where nothing was killed and no answer was lost.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::hub::{ACCESS_KEY, HOME, SECRET};
use crate::moto::moto;
use crate::out_fake::{CANARY, Fake, Seen, TOPIC, Trouble, WAYS, Way};
use crate::security_hub::{create_user, write_log};
use crate::support::{code, ended, few, repository, signal, text, weir};

/// All three ways, each for every finding, and so fast a webhook that it has a message for each.
fn configure(folder: &Path, more: &str) {
    let config = format!(
        "[aws]\nregion = 'eu-west-1'\n\
         [sink.event_bridge]\nbus = 'findings'\n\
         [sink.sns]\ntopic = '{TOPIC}'\nmin_severity = 'informational'\n\
         [sink.webhook]\nurl_env = 'HOOK'\nmin_severity = 'informational'\nmessages_per_minute = 600\n{more}"
    );
    fs::write(folder.join("weir.toml"), config).unwrap();
}

fn start(url: &str, hook: &str, folder: &Path, more: &[&str]) -> Child {
    let rules = if more.contains(&"--rules") { &[][..] } else { &["--rules", few()] };
    Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["run", "-c", "weir.toml", "--from", "logs", "--archive", "a", "--findings", "f.ndjson"])
        .args(["--format", "ndjson", "--summary", "s.json"])
        .args(rules)
        .args(more)
        .current_dir(folder)
        .env("AWS_ENDPOINT_URL", url)
        .env("HOOK", hook)
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env_remove("AWS_SESSION_TOKEN")
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_REGION")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn run(fake: &Fake, folder: &Path, more: &[&str]) -> Output {
    ended(start(&fake.url, &fake.hook(), folder, more), Duration::from_secs(120))
}

fn users(numbers: std::ops::Range<usize>) -> Vec<Value> {
    numbers.map(|n| create_user(n, HOME, "eu-west-1")).collect()
}

fn summary(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("s.json")).unwrap()).unwrap()
}

/// The ids of all findings, as the file has them.
fn found(folder: &Path) -> BTreeSet<String> {
    let lines = fs::read_to_string(folder.join("f.ndjson")).unwrap();
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
    lines.lines().map(id).collect()
}

fn assert_each_arrived_once(seen: &Seen, expected: &BTreeSet<String>) {
    for way in WAYS {
        let arrived = seen.arrived(way);
        assert_eq!(&arrived.keys().cloned().collect::<BTreeSet<_>>(), expected, "{way:?}");
        let twice: Vec<_> = arrived.iter().filter(|(_, forms)| forms.len() != 1).collect();
        assert!(twice.is_empty(), "{way:?}: {twice:?}");
    }
}

#[test]
fn partial_failures_throttling_and_an_outage_lose_nothing_and_double_nothing() {
    let (fake, folder) = (Fake::start(), tempfile::tempdir().unwrap());
    configure(folder.path(), "");
    write_log(folder.path(), "1.json", &users(0..60));
    {
        let mut seen = fake.seen();
        seen.flaky.insert("IAM user was created".into());
        for way in WAYS {
            let troubles = [Trouble::Throttle, Trouble::Down, Trouble::Down, Trouble::Denied];
            seen.troubles.insert(way, VecDeque::from(troubles));
        }
    }
    // the end of a run does not wait for a way that denies access, and one of these does for a while
    let child = start(&fake.url, &fake.hook(), folder.path(), &["--follow"]);
    fake.wait_for("every finding", |seen| WAYS.iter().all(|way| seen.arrived(*way).len() == 60));
    signal(&child, Signal::TERM);
    let output = ended(child, Duration::from_secs(120));
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let seen = fake.seen();
    assert_eq!(seen.wrong, Vec::<String>::new());
    assert_each_arrived_once(&seen, &found(folder.path()));
    for name in ["event_bridge", "sns", "webhook"] {
        let sent = json!({ "accepted": 60, "refused": 0, "waiting": 0, "why": null });
        assert_eq!(summary(folder.path())[name], sent, "{name}");
    }
    assert!(text(&output.stderr).contains("event bridge: 60 accepted, 0 refused\n"), "{}", text(&output.stderr));
    // the webhook asked for a second's pause
    let calls = &seen.calls[&Way::Webhook];
    assert!(calls[1] - calls[0] >= Duration::from_millis(950), "{:?}", calls[1] - calls[0]);

    // a second run has nothing to send
    let calls = |seen: &Seen| WAYS.map(|way| seen.calls[&way].len());
    let before = calls(&seen);
    drop(seen);
    assert_eq!(code(&run(&fake, folder.path(), &[])), 0);
    assert_eq!(calls(&fake.seen()), before);
}

#[test]
fn what_is_refused_is_named_and_counted_and_the_rest_goes_on() {
    let (fake, folder) = (Fake::start(), tempfile::tempdir().unwrap());
    configure(folder.path(), "");
    let mut refused = create_user(5, HOME, "eu-west-1");
    refused["eventName"] = json!("AttachUserPolicy");
    refused["requestParameters"] =
        json!({ "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess", "userName": "eve" });
    write_log(folder.path(), "1.json", &[users(0..5), vec![refused]].concat());
    fake.seen().poison.insert("Administrator policy was attached to a user".into());
    let output = run(&fake, folder.path(), &[]);
    assert_eq!(code(&output), 3);
    let says = text(&output.stderr);
    for (way, code) in [("event bridge", "MalformedDetail"), ("sns", "InvalidParameter"), ("webhook", "status 400")] {
        assert!(says.contains(&format!("{way} will not take a finding id=")), "{says}");
        assert!(says.contains(&format!("code=\"{code}\"")), "{says}");
        assert!(says.contains(&format!("{way}: 5 accepted, 1 refused\n")), "{says}");
    }
    let seen = fake.seen();
    assert_eq!(seen.wrong, Vec::<String>::new());
    assert_eq!(WAYS.map(|way| seen.taken[&way].len()), [5, 5, 5]);
}

#[test]
fn killed_at_any_moment_each_finding_arrives_and_one_that_comes_twice_says_the_same() {
    let (fake, folder) = (Fake::start(), tempfile::tempdir().unwrap());
    configure(folder.path(), "");
    let (files, of_file) = (8, 20);
    for file in 0..files {
        // one finding grows with every file
        let mut growing = create_user(files * of_file, HOME, "eu-west-1");
        growing["eventID"] = json!(format!("00000000-0000-4000-9000-{file:012}"));
        for way in WAYS {
            // most of the kills come while things go well
            let troubles = [Trouble::Lost, Trouble::Throttle].into_iter().take(if file % 3 == 0 { 2 } else { 0 });
            fake.seen().troubles.entry(way).or_default().extend(troubles);
        }
        let mut child = start(&fake.url, &fake.hook(), folder.path(), &["--follow"]);
        let records = [users(file * of_file..(file + 1) * of_file), vec![growing]].concat();
        write_log(folder.path(), &format!("{file:02}.json"), &records);
        if file % 2 == 0 {
            // before the commit, or at it
            std::thread::sleep(Duration::from_millis(300 + 300 * file as u64));
        } else {
            // while findings are sent, or before the commit that notes what was accepted
            let before = fake.seen().arrived(Way::Sns).len();
            fake.wait_for("a finding", |seen| seen.arrived(Way::Sns).len() > before);
            std::thread::sleep(Duration::from_millis(40 * file as u64));
        }
        assert!(child.try_wait().unwrap().is_none(), "the program ended by itself");
        signal(&child, Signal::KILL);
        ended(child, Duration::from_secs(120));
    }
    println!("when it was killed for the last time, {:?} had arrived", WAYS.map(|way| fake.seen().arrived(way).len()));
    for way in WAYS {
        // waits double with every trouble in a row
        let troubles = [Trouble::Lost, Trouble::Throttle];
        fake.seen().troubles.insert(way, troubles.into());
    }
    write_log(folder.path(), "last.json", &users(files * of_file + 1..files * of_file + 3));
    let child = start(&fake.url, &fake.hook(), folder.path(), &["--follow"]);
    let expected = files * of_file + 3;
    fake.wait_for("every finding", |seen| WAYS.iter().all(|way| seen.arrived(*way).len() == expected));
    signal(&child, Signal::TERM);
    let output = ended(child, Duration::from_secs(120));
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));

    let seen = fake.seen();
    assert_eq!(seen.wrong, Vec::<String>::new());
    let expected = found(folder.path());
    for way in WAYS {
        let arrived = seen.arrived(way);
        assert_eq!(arrived.keys().cloned().collect::<BTreeSet<_>>(), expected, "{way:?}");
        assert!(arrived.values().any(|forms| forms.len() > 1), "{way:?}: no answer was lost: this showed nothing");
        for forms in arrived.values() {
            assert!(forms.iter().all(|form| *form == forms[0]), "{way:?}: {forms:?}");
        }
    }
    println!(
        "findings that came more than once: {:?}",
        WAYS.map(|way| { seen.arrived(way).values().filter(|forms| forms.len() > 1).count() })
    );
}

/// `cloudtrail/iam_user_created` that is worse for some.
const GRADED: &str = r#"-- title    = "IAM user was created"
-- severity = "medium"
-- tags     = ["attack.persistence"]
-- remedy   = "Ask who made it."
SELECT CASE WHEN userAgent = 'worse' THEN 'critical' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventName = 'CreateUser'
"#;

#[test]
fn a_finding_comes_again_when_it_is_worse_and_not_when_it_grows() {
    let (fake, folder) = (Fake::start(), tempfile::tempdir().unwrap());
    configure(folder.path(), "");
    let config = fs::read_to_string(folder.path().join("weir.toml")).unwrap();
    let config = config.replace("messages_per_minute", "repeat_hours = 0\nmessages_per_minute");
    fs::write(folder.path().join("weir.toml"), config.replacen("'informational'", "'high'", 1)).unwrap();
    fs::create_dir_all(folder.path().join("rules/cloudtrail")).unwrap();
    fs::write(folder.path().join("rules/cloudtrail/iam_user_created.sql"), GRADED).unwrap();
    let of = |numbers: std::ops::Range<usize>, agent: &str| {
        let one = |n: usize| {
            let mut record = create_user(0, HOME, "eu-west-1");
            record["eventID"] = json!(format!("00000000-0000-4000-8000-{n:012}"));
            record["userAgent"] = json!(agent);
            record
        };
        numbers.map(one).collect::<Vec<_>>()
    };
    let mut taken = Vec::new();
    for (file, records) in [of(0..1, "x"), of(1..30, "x"), of(30..31, "worse"), of(31..99, "worse")].iter().enumerate()
    {
        write_log(folder.path(), &format!("{file}.json"), records);
        let output = run(&fake, folder.path(), &["--rules", "only:rules"]);
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        let seen = fake.seen();
        taken.push(WAYS.map(|way| seen.taken.get(&way).map_or(0, Vec::len)));
    }
    // SNS is not told of what is less than high
    assert_eq!(taken, [[1, 0, 1], [1, 0, 1], [2, 1, 2], [2, 1, 2]]);
    let seen = fake.seen();
    let said: Vec<_> = seen.taken[&Way::EventBridge].iter().map(|one| (&one["severity"], &one["count"])).collect();
    assert_eq!(said, [(&json!("medium"), &json!(1)), (&json!("critical"), &json!(31))]);
    assert_eq!(seen.arrived(Way::EventBridge).len(), 1);
}

/// More rows can make its condition false: of input that ends it fires at the end.
const FIRES_AT_THE_END: &str = "\
-- title = \"Users were created, and few\"
-- severity = \"medium\"
-- tags = [\"attack.persistence\", \"attack.t1136.003\"]
-- remedy = \"Ask who made them.\"
SELECT count(*) AS users
FROM cloudtrail
WHERE eventName = 'CreateUser'
GROUP BY account, tumble(eventTime, INTERVAL '1 day')
HAVING count(*) < 100
";

#[test]
fn what_is_found_when_the_input_ends_arrives_too() {
    let (fake, folder) = (Fake::start(), tempfile::tempdir().unwrap());
    configure(folder.path(), "");
    fs::create_dir_all(folder.path().join("rules/cloudtrail")).unwrap();
    fs::write(folder.path().join("rules/cloudtrail/few_users.sql"), FIRES_AT_THE_END).unwrap();
    write_log(folder.path(), "1.json", &users(0..3));
    let output = run(&fake, folder.path(), &["--rules", "only:rules"]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert_eq!(found(folder.path()).len(), 1);
    assert_each_arrived_once(&fake.seen(), &found(folder.path()));
}

#[test]
fn people_are_told_how_many_there_are_where_there_are_too_many() {
    let (fake, folder) = (Fake::start(), tempfile::tempdir().unwrap());
    let config = "[sink.webhook]\nurl_env = 'HOOK'\nmin_severity = 'low'\n";
    fs::write(folder.path().join("weir.toml"), config).unwrap();
    write_log(folder.path(), "1.json", &users(0..200));
    let output = run(&fake, folder.path(), &[]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let seen = fake.seen();
    let texts: Vec<&str> = seen.taken[&Way::Webhook].iter().map(|one| one["text"].as_str().unwrap()).collect();
    // twenty a minute: ten at once, the tenth for all that wait
    assert_eq!(texts.len(), 10, "{texts:?}");
    assert!(texts[..9].iter().all(|text| *text == "Medium: IAM user was created (111122223333)"), "{texts:?}");
    assert_eq!(texts[9], "191 more findings: 191 medium");
    assert_eq!(summary(folder.path())["webhook"]["accepted"], 200);
}

#[test]
fn the_address_of_a_webhook_is_never_printed() {
    let (fake, folder) = (Fake::start(), tempfile::tempdir().unwrap());
    let config = "[sink.webhook]\nurl_env = 'HOOK'\nmin_severity = 'low'\ndrain_seconds = 1\n";
    fs::write(folder.path().join("weir.toml"), config).unwrap();
    write_log(folder.path(), "1.json", &users(0..1));
    fake.seen().troubles.insert(Way::Webhook, vec![Trouble::Denied; 40].into());
    let mut printed = String::new();
    // it says that there is nothing at the address, then nobody is there at all, then there is none
    for (hook, exit, says) in [
        (fake.hook(), 3, "1 wait for the next run (address: status 404: no_service at /(secret))"),
        (format!("http://127.0.0.1:9/services/{CANARY}"), 3, "1 wait for the next run (address: "),
        (format!("ftp://127.0.0.1/{CANARY}"), 2, "in the environment variable `HOOK`: there is no https:// URL"),
        (String::new(), 2, "the environment variable `HOOK` of the webhook is not set"),
    ] {
        let child = start(&fake.url, &hook, folder.path(), &["--log", "trace"]);
        let output = ended(child, Duration::from_secs(120));
        let stderr = text(&output.stderr);
        assert_eq!(code(&output), exit, "{stderr}");
        assert!(stderr.contains(says), "{says} is not said: {stderr}");
        printed.push_str(&stderr);
        printed.push_str(&text(&output.stdout));
        printed.push_str(&fs::read_to_string(folder.path().join("s.json")).unwrap_or_default());
    }
    assert!(printed.contains("WARN"), "nothing was logged: this showed nothing");
    let line = printed.lines().find(|line| line.contains(CANARY));
    assert_eq!(line, None);
}

#[test]
fn what_waits_for_a_service_that_is_named_no_more_is_told_and_sent_once_it_is() {
    let (fake, folder) = (Fake::start(), tempfile::tempdir().unwrap());
    let named = |drain| format!("[sink.webhook]\nurl_env = 'HOOK'\nmin_severity = 'low'\ndrain_seconds = {drain}\n");
    write_log(folder.path(), "1.json", &users(0..1));
    let told =
        "findings wait for a service that is not configured: they are sent once it is service=\"webhook\" findings=1";
    let nobody = format!("http://127.0.0.1:9/services/{CANARY}");
    let none = String::new();
    for (config, hook, exit, is_told) in [
        (&named(1), &nobody, 3, false),
        (&none, &nobody, 0, true),
        (&named(60), &fake.hook(), 0, false),
        (&none, &nobody, 0, false),
    ] {
        fs::write(folder.path().join("weir.toml"), config).unwrap();
        let output = ended(start(&fake.url, hook, folder.path(), &[]), Duration::from_secs(120));
        let stderr = text(&output.stderr);
        assert_eq!((code(&output), stderr.contains(told)), (exit, is_told), "{stderr}");
    }
    assert_eq!(fake.seen().taken[&Way::Webhook].len(), 1);
}

/// A webhook whose address a secret holds.
fn configure_secret(folder: &Path, secret: &str) {
    let config = format!(
        "[aws]\nregion = 'us-east-1'\n[sink.webhook]\nurl_secret = {secret}\nmin_severity = 'low'\n\
         messages_per_minute = 600\ndrain_seconds = 2\n"
    );
    fs::write(folder.join("weir.toml"), config).unwrap();
}

#[test]
fn an_address_in_secrets_manager_may_be_rotated() {
    let (fake, folder) = (Fake::start(), tempfile::tempdir().unwrap());
    let arn = "arn:aws:secretsmanager:eu-west-1:444455556666:secret:weir/hook-a1b2c3";
    let role = "{ arn = 'arn:aws:iam::444455556666:role/weir', external_id = 'weir' }";
    configure_secret(folder.path(), &format!("{{ id = '{arn}', key = 'url', assume_role = {role} }}"));
    let holds = |token: &str| {
        let object = json!({ "url": format!("{}/services/{CANARY}{token}", fake.url) });
        fake.seen().secret = Some(json!({ "ARN": arn, "SecretString": object.to_string() }));
    };
    holds("1");
    write_log(folder.path(), "1.json", &users(0..2));
    let child = start(&fake.url, "", folder.path(), &["--follow", "--log", "trace"]);
    fake.wait_for("messages", |seen| seen.arrived(Way::Webhook).len() == 2);
    fake.seen().hooks_gone.insert(format!("{CANARY}1"));
    holds("2");
    write_log(folder.path(), "2.json", &users(2..4));
    fake.wait_for("messages to the new address", |seen| seen.arrived(Way::Webhook).len() == 4);
    signal(&child, Signal::TERM);
    let output = ended(child, Duration::from_secs(120));
    let stderr = text(&output.stderr);
    assert_eq!(code(&output), 0, "{stderr}");
    let seen = fake.seen();
    assert_eq!(seen.wrong, Vec::<String>::new());
    assert_eq!(seen.accounts, BTreeSet::from(["444455556666".to_owned()]));
    // at the start, and when the first address was refused
    assert_eq!(seen.secrets_asked, [arn, arn]);
    assert_eq!(seen.taken[&Way::Webhook].len(), 4);
    assert_eq!(summary(folder.path())["webhook"]["accepted"], 4);
    assert!(stderr.contains("the address of the webhook is another by now"), "{stderr}");
    assert!(!stderr.contains(CANARY) && !text(&output.stdout).contains(CANARY));
}

#[test]
fn messages_wait_for_a_secret_that_holds_an_address() {
    let (fake, folder) = (Fake::start(), tempfile::tempdir().unwrap());
    configure_secret(folder.path(), "{ id = 'weir/hook', region = 'eu-west-1' }");
    write_log(folder.path(), "1.json", &users(0..1));
    let of = "the secret weir/hook of Secrets Manager";
    for (secret, why) in [
        (None, format!("ResourceNotFoundException: {of}: Secrets Manager can't find it.")),
        (Some(json!({ "SecretBinary": "YQ==" })), format!("UnusableSecret: {of}: it is binary, and has to be a text")),
        (
            Some(json!({ "SecretString": CANARY })),
            "UnusableSecret: in the secret weir/hook of Secrets Manager there is no https:// URL".to_owned(),
        ),
    ] {
        fake.seen().secret = secret;
        let output = run(&fake, folder.path(), &[]);
        let stderr = text(&output.stderr);
        assert_eq!(code(&output), 3, "{stderr}");
        assert!(stderr.contains("the address of the webhook is not known; findings wait"), "{stderr}");
        assert!(stderr.contains(&format!("1 wait for the next run (address: {why}")), "{why}: {stderr}");
        assert!(!stderr.contains(CANARY), "{stderr}");
    }
    fake.seen().secret = Some(json!({ "SecretString": format!("{}\n", fake.hook()) }));
    let output = run(&fake, folder.path(), &[]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let seen = fake.seen();
    assert_eq!((seen.taken[&Way::Webhook].len(), &seen.wrong), (1, &Vec::new()));
}

#[test]
fn a_bus_of_another_account_is_called_in_its_role_and_region() {
    let (fake, folder) = (Fake::start(), tempfile::tempdir().unwrap());
    let role = "assume_role = { arn = 'arn:aws:iam::444455556666:role/weir', external_id = 'weir' }";
    let config = format!(
        "[aws]\nregion = 'us-east-1'\n[sink.event_bridge]\nbus = 'findings'\nregion = 'eu-west-1'\n{role}\n\
         [sink.sns]\ntopic = '{TOPIC}'\nmin_severity = 'low'\n{role}\n"
    );
    fs::write(folder.path().join("weir.toml"), config).unwrap();
    write_log(folder.path(), "1.json", &users(0..2));
    let output = run(&fake, folder.path(), &[]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let seen = fake.seen();
    assert_eq!(seen.wrong, Vec::<String>::new());
    assert_eq!(seen.accounts, BTreeSet::from(["444455556666".to_owned()]));
    assert_eq!((seen.taken[&Way::EventBridge].len(), seen.taken[&Way::Sns].len()), (2, 2));
}

#[test]
fn a_way_needs_an_archive_and_a_place() {
    let folder = tempfile::tempdir().unwrap();
    for (config, archive, says) in [
        ("[sink.event_bridge]", "none", "need an archive"),
        ("[sink.event_bridge]\nbus = 'a b'", "a", "`a b` is no event bus"),
        ("[sink.sns]\ntopic = 'weir'", "a", "`weir` is no topic: arn:aws:sns:REGION:ACCOUNT:NAME"),
        ("[sink.sns]\ntopic = 'x'\nmin_severity = 'bad'", "a", "`bad` is not a severity"),
        ("[sink.webhook]\nurl_env = 'WEIR_NO_SUCH'", "a", "`WEIR_NO_SUCH` of the webhook is not set"),
        ("[sink.webhook]\nurl_secret = { id = 'a b' }", "a", "url_secret of the webhook: `id` names no secret"),
    ] {
        fs::write(folder.path().join("weir.toml"), config).unwrap();
        let output =
            weir(&["run", "-c", "weir.toml", "--rules", few(), "--from", "logs", "--archive", archive], folder.path());
        let stderr = text(&output.stderr);
        assert!(code(&output) == 2 && stderr.contains(says), "{config}: {stderr}");
    }
}

#[test]
fn each_commit_writes_its_findings_into_a_bucket_once() {
    let (fake, folder) = (Fake::start(), tempfile::tempdir().unwrap());
    let config = "[aws]\nregion = 'eu-west-1'\n[aws.s3]\nforce_path_style = true\n[limits]\ncommit_seconds = 1\n\
                  [sink.s3]\nbucket = 'bucket'\nprefix = 'out'\n";
    fs::write(folder.path().join("weir.toml"), config).unwrap();
    let files = 5;
    for file in 0..files {
        fake.seen().troubles.entry(Way::S3).or_default().extend([Trouble::Lost, Trouble::Throttle]);
        write_log(folder.path(), &format!("{file}.json"), &users(file * 10..(file + 1) * 10));
        let child = start(&fake.url, "", folder.path(), &["--follow"]);
        let before = fake.seen().objects.len();
        match file % 2 {
            0 => std::thread::sleep(Duration::from_millis(300 + 600 * file as u64)),
            _ => fake.wait_for("an object", |seen| seen.objects.len() > before),
        }
        signal(&child, Signal::KILL);
        ended(child, Duration::from_secs(120));
    }
    // what the last run writes first is there already when it is told so
    fake.seen().troubles.insert(Way::S3, [Trouble::Page, Trouble::Lost].into());
    write_log(folder.path(), "last.json", &users(files * 10..files * 10 + 1));
    let output = run(&fake, folder.path(), &[]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let seen = fake.seen();
    assert_eq!(seen.wrong, Vec::<String>::new());
    assert!(seen.written_again > 0, "no object came twice: this showed nothing");
    let lines = seen.objects.values().flat_map(|object| object.lines());
    let ids = lines.map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned());
    let ids: Vec<String> = ids.collect();
    assert_eq!(ids.len(), files * 10 + 1, "a line is there twice, or missing");
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), found(folder.path()));
    let is_key = |key: &String| key.starts_with("out/20") && key.ends_with(".ndjson");
    assert!(seen.objects.keys().all(is_key), "{:?}", seen.objects.keys());
}

/// Makes a bus with a rule of the pattern that is named, and a topic with a filter, each with a queue behind it.
const SET_UP: &str = "
import boto3, json, sys
url, pattern = sys.argv[1], open(sys.argv[2]).read()
aws = lambda name: boto3.client(name, endpoint_url=url, region_name='eu-west-1', aws_access_key_id='a', aws_secret_access_key='b')
sqs, events, sns = aws('sqs'), aws('events'), aws('sns')
def queue(name):
    url = sqs.create_queue(QueueName=name)['QueueUrl']
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=['QueueArn'])['Attributes']['QueueArn']
events.create_event_bus(Name='weir-out')
events.put_rule(Name='weir-urgent', EventBusName='weir-out', EventPattern=pattern)
events.put_targets(Rule='weir-urgent', EventBusName='weir-out', Targets=[{'Id': 'q', 'Arn': queue('weir-out-events')}])
topic = sns.create_topic(Name='weir-out')['TopicArn']
sns.subscribe(TopicArn=topic, Protocol='sqs', Endpoint=queue('weir-out-messages'),
    Attributes={'FilterPolicy': json.dumps({'severity': ['high', 'critical'], 'account': ['111122223333']})})
print(topic)
";

/// Prints what each of the queues got, as one JSON object.
const READ: &str = "
import boto3, json, sys
sqs = boto3.client('sqs', endpoint_url=sys.argv[1], region_name='eu-west-1', aws_access_key_id='a', aws_secret_access_key='b')
def got(name):
    url, bodies = sqs.get_queue_url(QueueName=name)['QueueUrl'], []
    while True:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get('Messages', [])
        if not messages: return bodies
        for message in messages:
            bodies.append(json.loads(message['Body']))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message['ReceiptHandle'])
print(json.dumps({'events': got('weir-out-events'), 'messages': got('weir-out-messages')}))
";

fn python(script: &str, arguments: &[&str]) -> String {
    let python = std::env::var("WEIR_TEST_PYTHON").unwrap();
    let output = Command::new(python).args(["-c", script]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

#[test]
fn rules_and_filters_of_moto_take_what_is_urgent() {
    let Some(moto) = moto() else { return };
    let folder = tempfile::tempdir().unwrap();
    let pattern = repository("deploy/event_bridge/pattern.json").display().to_string();
    let topic = python(SET_UP, &[&moto.url, &pattern]);
    let config = format!(
        "[aws]\nregion = 'eu-west-1'\n[sink.event_bridge]\nbus = 'weir-out'\n\
         [sink.sns]\ntopic = '{topic}'\nmin_severity = 'informational'\n"
    );
    fs::write(folder.path().join("weir.toml"), config).unwrap();
    fs::create_dir_all(folder.path().join("rules/cloudtrail")).unwrap();
    fs::write(folder.path().join("rules/cloudtrail/iam_user_created.sql"), GRADED).unwrap();
    let mut records = users(0..13);
    records[12]["userAgent"] = json!("worse");
    write_log(folder.path(), "1.json", &records);
    let child = start(&moto.url, "", folder.path(), &["--rules", "only:rules"]);
    let output = ended(child, Duration::from_secs(120));
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let sent = summary(folder.path());
    assert_eq!((&sent["event_bridge"]["accepted"], &sent["sns"]["accepted"]), (&json!(13), &json!(13)));

    let got: Value = serde_json::from_str(&python(READ, &[&moto.url])).unwrap();
    let [event] = got["events"].as_array().unwrap().as_slice() else { panic!("{got}") };
    let [message] = got["messages"].as_array().unwrap().as_slice() else { panic!("{got}") };
    let told: Value = serde_json::from_str(message["Message"].as_str().unwrap()).unwrap();
    assert_eq!(event["detail"], told);
    assert_eq!(message["MessageAttributes"]["rule"]["Value"], "cloudtrail/iam_user_created");
    let lines = fs::read_to_string(folder.path().join("f.ndjson")).unwrap();
    let urgent: BTreeMap<String, Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|finding| finding["severity"] == "critical")
        .map(|finding| (finding["id"].as_str().unwrap().to_owned(), finding))
        .collect();
    assert_eq!(urgent.into_values().collect::<Vec<_>>(), [told]);
}
