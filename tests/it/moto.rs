//! moto_server, which stands in for S3 and SQS: one process for all tests that run at the same time.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;

/// Ends when the tests do, however they end: its standard input is then closed.
const PROGRAM: &str = "
import os, sys, threading
def wait():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=wait, daemon=True).start()
from moto.server import main
main(['-H', '127.0.0.1', '-p', sys.argv[1]])
";

pub struct Moto {
    server: Child,
    pub url: String,
}

/// What makes a secret, for whose service there is no client here.
const MAKE_SECRET: &str = "
import boto3, sys
url, name, text = sys.argv[1:]
aws = boto3.client('secretsmanager', endpoint_url=url, region_name='us-east-1', aws_access_key_id='a', aws_secret_access_key='b')
aws.create_secret(Name=name, SecretString=text)
";

impl Moto {
    /// Makes a secret of Secrets Manager, in us-east-1.
    pub fn make_secret(&self, name: &str, text: &str) {
        let python = std::env::var("WEIR_TEST_PYTHON").expect("it has started the server");
        let made = Command::new(python).args(["-c", MAKE_SECRET, &self.url, name, text]).status().unwrap();
        assert!(made.success());
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.server.kill().expect("the server still runs");
        self.server.wait().expect("it is our child");
    }
}

static RUNNING: Mutex<Weak<Moto>> = Mutex::new(Weak::new());

/// The server, started when it does not run; `None`, with the reason printed, where there is no Python for it.
pub fn moto() -> Option<Arc<Moto>> {
    let Ok(python) = std::env::var("WEIR_TEST_PYTHON") else {
        println!("left out: WEIR_TEST_PYTHON names no Python with moto (tests/run installs one)");
        return None;
    };
    let there = Command::new(&python).args(["-c", "import moto.server"]).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        println!("left out: {python} has no moto (tests/run installs one that has)");
        return None;
    }
    let mut running = RUNNING.lock().unwrap();
    if let Some(moto) = running.upgrade() {
        return Some(moto);
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Command::new(&python)
        .args(["-c", PROGRAM, &port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let moto = Arc::new(Moto { server, url: format!("http://127.0.0.1:{port}") });
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(180), "moto does not answer");
        thread::sleep(Duration::from_millis(50));
    }
    *running = Arc::downgrade(&moto);
    Some(moto)
}

/// What clients of the tests are made of.
pub fn sdk(url: &str) -> SdkConfig {
    let key = Credentials::new("test", "test", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .credentials_provider(SharedCredentialsProvider::new(key))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}
