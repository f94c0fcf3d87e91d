//! No secret is in anything that the program writes, whatever it is asked to do and however it fails.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};

use crate::support::{code, few, repository, serve};

const SECRET: &str = "wCANARYsecretCANARY/of+the+tests";
const TOKEN: &str = "IQoJCANARYtokenCANARY";
const HOOK: &str = "TCANARYhookCANARYhook";
const FILED: &str = "wCANARYfiledCANARY/in+a+profile";
const LOGIN: &str = "wCANARYloginCANARYin-an-address";
const KEPT: &str = "wCANARYkeptCANARYin-secrets-manager";

/// A server that answers as AWS does to a signature it does not accept: with the text that should have been signed, which has
/// the session token in it. It takes that of who asks for a secret.
fn telling() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let hook = format!("{url}/services/{KEPT}");
    let tell = async move |uri: Uri, headers: HeaderMap, _: Bytes| {
        if headers.get("x-amz-target").is_some_and(|target| target == "secretsmanager.GetSecretValue") {
            let secret = serde_json::json!({ "url": hook, "text": KEPT }).to_string();
            return (StatusCode::OK, serde_json::json!({ "SecretString": secret }).to_string());
        }
        let of = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let why = format!(
            "The request signature we calculated does not match. The Canonical String for this request should have been \
             'POST {uri} host:x x-amz-security-token:{} ' {}",
            of("x-amz-security-token"),
            of("authorization")
        );
        let body = match of("content-type").contains("json") {
            true => serde_json::json!({ "__type": "InvalidSignatureException", "message": why }).to_string(),
            false => format!("<Error><Code>SignatureDoesNotMatch</Code><Message>{why}</Message></Error>"),
        };
        (StatusCode::FORBIDDEN, body)
    };
    let router = axum::Router::new().fallback(tell);
    serve(listener, router);
    url
}

fn run(arguments: &[&str], folder: &Path, url: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE").env("AWS_SECRET_ACCESS_KEY", SECRET);
    command.env("AWS_SESSION_TOKEN", TOKEN).env("AWS_REGION", "us-east-1").env_remove("AWS_PROFILE");
    command.env("AWS_SHARED_CREDENTIALS_FILE", folder.join("credentials")).env("AWS_CONFIG_FILE", "/dev/null");
    command.env("AWS_EC2_METADATA_DISABLED", "true").env_remove("AWS_ENDPOINT_URL_SECURITYHUB");
    command.env("WEIR_WEBHOOK_URL", format!("{url}/services/{HOOK}"));
    command.output().unwrap()
}

fn assert_no_canary(what: &str, bytes: &[u8]) {
    for secret in [SECRET, TOKEN, HOOK, FILED, LOGIN, KEPT] {
        // a part of it is too much, too
        let part = &secret[..14];
        let found = bytes.windows(part.len()).position(|window| window == part.as_bytes());
        if let Some(at) = found {
            let around = &bytes[at.saturating_sub(300)..bytes.len().min(at + 50)];
            panic!("{what} has a secret: {}", String::from_utf8_lossy(around));
        }
    }
}

#[test]
fn what_is_written_holds_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let url = telling();
    let config = |more: &str| {
        format!(
            "[aws]\nendpoint_url = '{url}'\n{more}\n[aws.s3]\nforce_path_style = true\n[sink.security_hub]\n\
             account = '111122223333'\nregion = 'eu-west-1'\ndrain_seconds = 2\n\
             [sink.webhook]\nurl_env = 'WEIR_WEBHOOK_URL'\ndrain_seconds = 2\n"
        )
    };
    fs::write(at("weir.toml"), config("")).unwrap();
    fs::write(at("profile.toml"), config("profile = 'filed'")).unwrap();
    let role = "assume_role = { arn = 'arn:aws:iam::111122223333:role/weir' }";
    fs::write(at("role.toml"), config(role)).unwrap();
    let login = url.replace("http://", &format!("http://weir:{LOGIN}@"));
    fs::write(at("login.toml"), config("").replace(&url, &login)).unwrap();
    fs::write(at("leases.toml"), config("") + "[source.kinesis.leases]\ntable = 'leases'\n").unwrap();
    fs::write(at("wrong.toml"), format!("[aws]\nsecret_access_key = '{SECRET}'\n")).unwrap();
    fs::write(at("pasted.toml"), format!("[sink.webhook]\nurl_env = '{url}/services/{HOOK}'\n")).unwrap();
    for key in ["url", "text", "missing"] {
        let secret = format!("url_secret = {{ id = 'hook', key = '{key}' }}");
        fs::write(at(&format!("{key}.toml")), config("").replace("url_env = 'WEIR_WEBHOOK_URL'", &secret)).unwrap();
    }
    let filed = format!("[filed]\naws_access_key_id = AKIAI44QH8DHBEXAMPLE\naws_secret_access_key = {FILED}\n");
    fs::write(at("credentials"), filed).unwrap();
    let attack = "tests/data/cloudtrail/stratus/aws.persistence.iam-create-admin-user.json.gz";
    fs::copy(repository(attack), at("attack.json.gz")).unwrap();

    let work = ["--archive", "a", "--findings", "f.ndjson", "--summary", "s.json"];
    let mut commands: Vec<(i32, Vec<&str>)> = vec![
        (2, vec!["run", "--no-such-flag"]),
        (2, vec!["run", "-c", "wrong.toml"]),
        (2, vec!["run", "-c", "no-such.toml"]),
        (2, vec!["doctor", "-c", "wrong.toml"]),
        (2, vec!["run", "-c", "pasted.toml", "--from", "attack.json.gz"]),
        (2, vec!["doctor", "-c", "pasted.toml"]),
        (2, vec!["doctor", "--rules", few(), "-c", "text.toml"]),
        (0, vec!["rules", "list"]),
        (0, vec!["tables"]),
        (2, vec!["sql", "SELECT nothing FROM nowhere", "--archive", "a"]),
    ];
    // with all that can be logged, in both forms
    let loud = [vec![], vec!["--log", "trace"], vec!["--log", "trace", "--log-format", "json"]];
    commands.push((
        3,
        [
            &["--log", "aws_smithy_runtime=trace,hyper=trace", "run", "--rules", few(), "-c", "weir.toml"][..],
            &["--from", "sqs://notices"],
            &work,
        ]
        .concat(),
    ));
    for how in &loud {
        for file in ["weir.toml", "profile.toml", "role.toml", "login.toml"] {
            let queue = ["run", "-c", file, "--from", "sqs://notices", "--rules", "none"];
            commands.push((3, [how, &queue[..], &work].concat()));
            commands.push((
                2,
                [how, &["doctor", "--rules", few(), "-c", file, "--from", "s3://trail", "kinesis://stream"][..]]
                    .concat(),
            ));
        }
        for file in ["role.toml", "leases.toml"] {
            let stream = ["run", "-c", file, "--from", "kinesis://stream", "--rules", "none"];
            commands.push((3, [how, &stream[..], &work].concat()));
        }
        // its finding waits for the hub, which refuses the signature
        for file in ["weir.toml", "login.toml", "url.toml", "text.toml", "missing.toml"] {
            let attack = ["run", "--rules", few(), "-c", file, "--from", "attack.json.gz"];
            commands.push((3, [how, &attack[..], &work].concat()));
        }
        let bucket = ["backfill", "s3://my-trail", "-c", "role.toml", "--rules", "none"];
        commands.push((3, [how, &bucket[..], &work].concat()));
    }
    commands
        .push((2, vec!["doctor", "--rules", few(), "-c", "weir.toml", "--from", "sqs://notices", "--format", "json"]));
    for (expected, arguments) in &commands {
        let output = run(arguments, folder.path(), &url);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(code(&output), *expected, "{arguments:?}: {}", &said[said.len().saturating_sub(2000)..]);
        assert_no_canary(&format!("stdout of {arguments:?}"), &output.stdout);
        assert_no_canary(&format!("stderr of {arguments:?}"), &output.stderr);
    }
    println!("{} commands", commands.len());
    let mut files = 0;
    let has_one = ["credentials", "login.toml", "wrong.toml", "pasted.toml"];
    for entry in walkdir::WalkDir::new(folder.path()).into_iter().map(Result::unwrap) {
        if entry.file_type().is_file() && !has_one.iter().any(|name| entry.file_name() == *name) {
            assert_no_canary(&entry.path().display().to_string(), &fs::read(entry.path()).unwrap());
            files += 1;
        }
    }
    assert!(files > 8, "summary, findings, archive and state were looked at");
}
