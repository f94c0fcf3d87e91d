//! `weir doctor`: will a run of this configuration work, and what is to be mended before? One line for each check.

mod check;
mod cloud;
mod local;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use self::check::{Check, Status};
use super::configured::send_to;
use super::output::{self, Failure, OrFail};
use crate::config::Config;
use crate::pipeline::summary::plural;
use crate::source::kinesis::Leases;

#[derive(Args)]
pub struct Doctor {
    /// Configuration file, as for `weir run`
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What would be read, in place of `from` of the configuration; here, unlike for `weir run`, s3:// and sqs:// go together
    #[arg(long, value_name = "PATH|GLOB|URL|-", num_args = 1..)]
    from: Vec<String>,
    /// Folder of the Parquet archive, or none [default: weir-archive]
    #[arg(long, value_name = "DIR|none")]
    archive: Option<String>,
    /// Where the state would be kept, in place of a file beside the archive
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    state: Option<String>,
    /// The table of DynamoDB by which a stream's shards would be shared
    #[arg(long, value_name = "TABLE")]
    leases: Option<String>,
    /// Folder of rules (.sql, and Sigma's .yml), only:DIR for these alone, none for no rules
    #[arg(long, value_name = "DIR|only:DIR|none")]
    rules: Option<String>,
    /// The Security Hub that findings would be sent to
    #[arg(long, value_name = "ACCOUNT/REGION")]
    security_hub: Option<String>,
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    /// One object: the checks in a list, and how many came out how
    Json,
}

pub fn run(flags: &Doctor) -> Result<ExitCode, Failure> {
    let checks = match configuration(flags) {
        Ok(config) => {
            let mut checks = local::checks(&config, flags);
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().or_output()?;
            checks.extend(runtime.block_on(cloud::checks(&config)));
            checks
        }
        // nothing else can be known
        Err(error) => vec![Check::new("config", Status::Failed, format!("{error:#}"))],
    };
    let mut out = output::open("-").or_output()?;
    show(&checks, flags.format, &mut out).and_then(|()| Ok(out.flush()?)).or_output()?;
    let failed = checks.iter().any(|check| check.status == Status::Failed);
    Ok(if failed { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

fn configuration(flags: &Doctor) -> anyhow::Result<Config> {
    let mut config = match &flags.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    if !flags.from.is_empty() {
        config.from.clone_from(&flags.from);
    }
    config.archive.dir = flags.archive.clone().unwrap_or(config.archive.dir);
    config.state = flags.state.clone().or(config.state);
    if let Some(table) = &flags.leases {
        let leases = &mut config.source.kinesis.leases;
        leases.get_or_insert_with(|| Leases::of_table(table)).table.clone_from(table);
    }
    config.rules = flags.rules.clone().or(config.rules);
    send_to(&mut config, flags.security_hub.as_deref())?;
    Ok(config)
}

fn show(checks: &[Check], format: Format, out: &mut dyn Write) -> anyhow::Result<()> {
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    let [ok, warnings, failed, untried] = [Status::Ok, Status::Warning, Status::Failed, Status::Untried].map(count);
    match format {
        Format::Text => {
            for check in checks {
                writeln!(out, "{:<8} {}: {}", check.status.word(), check.name, check.says)?;
            }
            writeln!(out, "\n{ok} ok, {warnings} warning{}, {failed} failed, {untried} untried", plural(warnings))?;
        }
        Format::Json => {
            let one = |check: &Check| json!({ "check": check.name, "status": check.status.word(), "says": check.says });
            let checks: Vec<_> = checks.iter().map(one).collect();
            let report = json!({
                "checks": checks, "ok": ok, "warnings": warnings, "failed": failed, "untried": untried
            });
            writeln!(out, "{report:#}")?;
        }
    }
    Ok(())
}
