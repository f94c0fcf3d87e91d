//! Lambda's Runtime API on a port of this machine, and the program as a function that is called through it.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::{Path as At, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::sync::Notify;

use crate::support::serve;

/// What a call was answered with.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Response(Value),
    Error(Value),
}

#[derive(Default)]
struct Calls {
    waiting: VecDeque<(u64, Duration, Value)>,
    out: Option<(u64, mpsc::Sender<Answer>)>,
    next: u64,
    /// The type in the header, and the body.
    refused: Option<(String, Value)>,
}

#[derive(Clone)]
pub struct Runtime {
    /// As `AWS_LAMBDA_RUNTIME_API` has it, without a scheme.
    pub address: String,
    calls: Arc<Mutex<Calls>>,
    there_is_one: Arc<Notify>,
}

impl Runtime {
    /// Starts it, for as long as the test runs.
    pub fn start() -> Runtime {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let runtime = Runtime { address, calls: Arc::default(), there_is_one: Arc::default() };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(refused))
            .with_state(runtime.clone());
        serve(listener, router);
        runtime
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap()
    }

    /// Calls the function, which may take so long from when it takes the call, and gives what it answers.
    pub fn call(&self, event: &Value, left: Duration) -> Answer {
        self.begin(event, left).recv_timeout(Duration::from_secs(120)).expect("the function answers")
    }

    /// The same; the answer comes where it is waited for.
    pub fn begin(&self, event: &Value, left: Duration) -> mpsc::Receiver<Answer> {
        let (tell, told) = mpsc::channel();
        {
            let mut calls = self.calls();
            let id = calls.next;
            calls.next += 1;
            calls.waiting.push_back((id, left, event.clone()));
            calls.out = Some((id, tell));
        }
        self.there_is_one.notify_one();
        told
    }

    /// Why the function said that it cannot start.
    pub fn refused(&self) -> Option<(String, Value)> {
        self.calls().refused.clone()
    }

    fn answered(&self, id: u64, answer: Answer) -> StatusCode {
        match self.calls().out.take_if(|(out, _)| *out == id) {
            Some((_, tell)) => {
                tell.send(answer).unwrap();
                StatusCode::ACCEPTED
            }
            None => StatusCode::BAD_REQUEST,
        }
    }
}

async fn next(State(runtime): State<Runtime>) -> Response {
    loop {
        let call = runtime.calls().waiting.pop_front();
        if let Some((id, left, event)) = call {
            let deadline = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + left;
            let headers = [
                ("lambda-runtime-aws-request-id", id.to_string()),
                ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
                (
                    "lambda-runtime-invoked-function-arn",
                    "arn:aws:lambda:eu-west-1:111122223333:function:weir".to_owned(),
                ),
            ];
            return (headers, event.to_string()).into_response();
        }
        runtime.there_is_one.notified().await;
    }
}

async fn response(State(runtime): State<Runtime>, At(id): At<u64>, body: String) -> StatusCode {
    runtime.answered(id, Answer::Response(serde_json::from_str(&body).unwrap()))
}

async fn error(State(runtime): State<Runtime>, At(id): At<u64>, body: String) -> StatusCode {
    runtime.answered(id, Answer::Error(serde_json::from_str(&body).unwrap()))
}

async fn refused(State(runtime): State<Runtime>, headers: HeaderMap, body: String) -> StatusCode {
    let kind = headers["lambda-runtime-function-error-type"].to_str().unwrap().to_owned();
    runtime.calls().refused = Some((kind, serde_json::from_str(&body).unwrap()));
    StatusCode::ACCEPTED
}

/// The program, started as Lambda starts it: without arguments, in the folder of its package.
pub struct Function {
    pub runtime: Runtime,
    pub process: Child,
    folder: PathBuf,
}

impl Function {
    /// Its `weir.toml` is in the folder; `variables` come to those that Lambda sets.
    pub fn start(folder: &Path, variables: &[(&str, &str)]) -> Function {
        let runtime = Runtime::start();
        fs::create_dir_all(folder.join("tmp")).unwrap();
        let file = |name: &str| Stdio::from(fs::File::create(folder.join(name)).unwrap());
        let process = Command::new(env!("CARGO_BIN_EXE_weir"))
            .current_dir(folder)
            .env("AWS_LAMBDA_RUNTIME_API", &runtime.address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "weir")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("LAMBDA_TASK_ROOT", folder)
            .env("TMPDIR", folder.join("tmp"))
            .env("WEIR_LOG", "info")
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_SESSION_TOKEN")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap();
        Function { runtime, process, folder: folder.to_owned() }
    }

    /// Calls it, with two minutes to answer.
    pub fn call(&self, event: &Value) -> Answer {
        self.runtime.call(event, Duration::from_secs(120))
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("stderr")).unwrap()
    }

    pub fn printed(&self) -> String {
        fs::read_to_string(self.folder.join("stdout")).unwrap()
    }

    /// What is left in the folder for temporary files.
    pub fn left_behind(&self) -> usize {
        fs::read_dir(self.folder.join("tmp")).unwrap().count()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // it may have ended by itself
        self.process.kill().ok();
        self.process.wait().expect("it is our child");
    }
}
