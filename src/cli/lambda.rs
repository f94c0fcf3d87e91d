//! `weir lambda`: a function of AWS Lambda, called by event source mappings for Kinesis and SQS, by CloudWatch Logs, S3 or EventBridge.
//!
//! Rules and clients are made once; each call is `pipeline::function`. What a call is told and what it answers goes over the
//! Runtime API, whose client is `lambda_runtime`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow, bail};
use aws_smithy_types::body::SdkBody;
use clap::Args;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::output::{Failure, OrFail};
use super::{configured, reference};
use crate::archive;
use crate::archive::bucket::{Bucket, SCHEME};
use crate::aws::Aws;
use crate::config::Config;
use crate::decode::reuse;
use crate::detect::{Detector, library};
use crate::logs;
use crate::memory::{self, Memory, Size};
use crate::pipeline::Stages;
use crate::pipeline::function::{Function, Setup};
use crate::rule::Fires;
use crate::sink::post::Post;
use crate::sink::{Journal, Stdout, wire};
use crate::source::event;
use crate::time::Timestamp;
use crate::triage::Triage;
use crate::triage::suppress::Suppressions;

/// Where Lambda's Runtime API is: its own variable, which is set in a function and nowhere else.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// The folder that a function's package is unpacked into, and the file that is looked for in it.
const PACKAGE: &str = "LAMBDA_TASK_ROOT";
const CONFIG: &str = "weir.toml";
/// MiB that the function has. What runs in it has no control group that says so.
const MEMORY: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";
/// What Lambda sets beside its API, and its client for Rust panics without.
const OF_A_FUNCTION: [&str; 3] = ["AWS_LAMBDA_FUNCTION_NAME", MEMORY, "AWS_LAMBDA_FUNCTION_VERSION"];

#[derive(Args)]
pub struct Lambda {
    /// Configuration file [default: weir.toml of the function's package, where there is one]
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG")]
    config: Option<PathBuf>,
    /// Where rows are kept, as Parquet [default: none]
    #[arg(long, value_name = "s3://BUCKET/PREFIX|none", env = "WEIR_ARCHIVE")]
    archive: Option<String>,
    /// Folder of rules that add to the built-in ones or replace them by id, or none for no rules
    #[arg(long, value_name = "DIR|none", env = "WEIR_RULES")]
    rules: Option<String>,
    /// Send findings to the Security Hub of this account and Region
    #[arg(long, value_name = "ACCOUNT/REGION", env = "WEIR_SECURITY_HUB")]
    security_hub: Option<String>,
}

/// Whether this process was started by Lambda, which gives it no arguments.
pub fn is_called() -> bool {
    std::env::args_os().len() == 1 && std::env::var_os(RUNTIME_API).is_some()
}

pub fn run(flags: &Lambda) -> Result<ExitCode, Failure> {
    let Some(api) = std::env::var(RUNTIME_API).ok().filter(|api| !api.is_empty()) else {
        return Err(Failure::Usage(anyhow!("{RUNTIME_API} is not set: this command is started by AWS Lambda")));
    };
    if let Some(missing) = OF_A_FUNCTION.iter().find(|name| std::env::var(name).is_err()) {
        return Err(Failure::Usage(anyhow!("{missing} is not set, as AWS Lambda and what stands in for it do")));
    }
    // one thread is enough for what waits; rules and rows have threads of their own
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().or_output()?;
    let made = configuration(flags).and_then(|config| make(&config, runtime.handle().clone()));
    let function = match made {
        Ok(function) => Arc::new(Mutex::new(function)),
        Err(error) => {
            runtime.block_on(refuse(&api, &error));
            return Err(Failure::Usage(error));
        }
    };
    let handler = service_fn(move |event: LambdaEvent<Box<RawValue>>| call(function.clone(), event));
    let ended = runtime.block_on(lambda_runtime::run(handler));
    ended.map_err(|error| anyhow!("{error}")).context("calling the Runtime API").or_output()?;
    Ok(ExitCode::SUCCESS)
}

/// Has one call answered: with the items that failed, or as a whole with an error.
async fn call(function: Arc<Mutex<Function>>, event: LambdaEvent<Box<RawValue>>) -> Result<Value, Diagnostic> {
    let LambdaEvent { payload, context } = event;
    let left = context.deadline().duration_since(SystemTime::now()).unwrap_or(Duration::ZERO);
    let called = tokio::task::spawn_blocking(move || {
        let event = event::read(payload.get())?;
        let mut function = function.lock().map_err(|_| anyhow!("a call before this one panicked"))?;
        function.call(event, left)
    });
    match called.await {
        Ok(Ok(failed)) => {
            let failures: Vec<Value> = failed.into_iter().map(|id| json!({ "itemIdentifier": id })).collect();
            Ok(json!({ "batchItemFailures": failures }))
        }
        Ok(Err(error)) => Err(Diagnostic { error_type: "Weir.CallFailed".into(), error_message: format!("{error:#}") }),
        // nobody knows what it left behind: Lambda starts another process, and calls that
        Err(panic) => {
            tracing::error!(%panic, "a call panicked");
            std::process::exit(1)
        }
    }
}

/// Tells Lambda why no call can be taken.
async fn refuse(api: &str, error: &anyhow::Error) {
    let body = json!({ "errorType": "Weir.Configuration", "errorMessage": format!("{error:#}"), "stackTrace": [] });
    let request = http::Request::post(format!("http://{api}/2018-06-01/runtime/init/error"))
        .header("content-type", "application/json")
        .header("lambda-runtime-function-error-type", "Weir.Configuration")
        .body(SdkBody::from(body.to_string()))
        .map_err(anyhow::Error::from)
        .and_then(|request| Ok(request.try_into()?));
    let told = async { wire::exchange(&wire::connector(), request?).await };
    if let Err(error) = told.await {
        tracing::warn!(error = format!("{error:#}"), "Lambda was not told why");
    }
}

/// The configuration with the flags over it. What says how `weir run` reads and keeps its state is not for a function.
fn configuration(flags: &Lambda) -> anyhow::Result<Config> {
    let in_package = || {
        let file = Path::new(&std::env::var_os(PACKAGE)?).join(CONFIG);
        file.exists().then_some(file)
    };
    let mut config = match flags.config.clone().or_else(in_package) {
        Some(path) => Config::read(&path)?,
        None => Config::default(),
    };
    config.archive.dir = flags.archive.clone().unwrap_or(config.archive.dir);
    config.rules = flags.rules.clone().or(config.rules);
    config.limits.memory = config.limits.memory.or_else(|| memory_of(&std::env::var(MEMORY).ok()?));
    configured::to_hub(&mut config, flags.security_hub.as_deref())?;
    if config.state.is_some() {
        bail!("`state` is for `weir run`: a function keeps nothing between calls");
    }
    Ok(config)
}

/// The memory that a function has, as Lambda tells it; one with less than the least gets the shares of that.
fn memory_of(told: &str) -> Option<Size> {
    let mib: u64 = told.parse().ok()?;
    Some(Size((mib << 20).max(Memory::FLOOR)))
}

/// The function that a configuration asks for.
fn make(config: &Config, runtime: tokio::runtime::Handle) -> anyhow::Result<Function> {
    let decode = configured::decode_options(config)?;
    reuse::keep_to(decode.memory);
    let suppressions = Suppressions::new(config.suppress.clone())?;
    for (rule, day) in suppressions.expired(Timestamp::now()) {
        tracing::warn!(rule, expired = day, "a suppression has expired and hides nothing");
    }
    // what reads and writes buckets
    let aws = Aws::new(config.aws.clone());
    let archive = match &*config.archive.dir {
        dir if dir.starts_with(SCHEME) => Some((Bucket::new(dir, aws.clone())?, config.archive.within(decode.memory))),
        dir if dir == "none" || dir == archive::Config::default().dir => None,
        dir => {
            bail!("the archive of a function is s3://BUCKET/PREFIX or none, and not `{dir}`: its disk does not last")
        }
    };
    let stop = CancellationToken::new();
    let posts: Vec<Post> =
        configured::ways(config)?.into_iter().map(|way| Post::new(way, decode.memory, stop.clone())).collect();
    let journal = posts.is_empty().then(|| Journal::Stdout(Stdout::default()));
    let detector = detector(config)?;
    memory::leave_program();
    let stages = Stages {
        detector,
        triage: Triage::new(suppressions, config.assets.clone()),
        archive: None,
        state: None,
        journal,
        posts,
        look_back: None,
    };
    let setup = Setup {
        stages,
        decode,
        suppress: config.suppress.clone(),
        assets: config.assets.clone(),
        aws: aws.assuming(config.source.s3.assume_role.as_ref()),
        archive,
        own: configured::own(config),
    };
    Function::new(setup, runtime)
}

/// The rules that judge row by row. Those over windows ask for what a function does not have, rows of other calls, and are
/// left out with a count.
fn detector(config: &Config) -> anyhow::Result<Detector> {
    let super::rules::Found { sources, mut refused, doubts } = configured::found(config.rules.as_deref(), config)?;
    let (parsed, unread) = library::rules(&sources);
    refused.extend(unread);
    let (per_row, over_windows): (Vec<_>, Vec<_>) = parsed.into_iter().partition(|rule| rule.fires == Fires::PerRow);
    let references = reference::read(&config.reference, &config.own_accounts)?;
    let (mut detector, uncompiled) = Detector::as_needed(logs::TABLES, &references, per_row);
    refused.extend(uncompiled);
    for error in &refused {
        tracing::warn!(%error, "a rule is left out");
    }
    doubts.iter().for_each(|error| tracing::warn!("{}", super::rules::doubtful(error)));
    detector.limit(config.quarantine);
    if !over_windows.is_empty() {
        tracing::warn!(
            rules = detector.rules().count(),
            left_out = over_windows.len(),
            "rules over windows (counts, sequences, first_seen, scores) do not run in a function, which keeps nothing \
             between calls: `weir run` has them"
        );
    }
    Ok(detector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_keeps_to_its_memory() {
        assert_eq!(memory_of("1769"), Some(Size(1769 << 20)));
        assert_eq!(memory_of("512").map(|size| Memory::of_limit(size).unwrap().percent()), Some(41));
        assert_eq!(memory_of("128"), Some(Size(Memory::FLOOR)));
        assert_eq!(memory_of("much"), None);
    }
}
