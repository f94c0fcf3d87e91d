//! `weir run`: the worker, from the command line.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::output::{self, Failure, OrFail};
use super::progress::Shown;
use super::rules;
use crate::archive::Archive;
use crate::archive::layout::PRIVATE;
use crate::aws::Aws;
use crate::catalog;
use crate::config::Config;
use crate::decode;
use crate::detect::Detector;
use crate::detect::library;
use crate::finding::Finding;
use crate::logs::{self, vpc_flow};
use crate::metrics::METRICS;
use crate::pipeline::commit::State;
use crate::pipeline::{self, Outcome, Stages};
use crate::rule::Severity;
use crate::sink::{self, Format, Journal};
use crate::source::layout::Wanted;
use crate::source::s3::{backfill, notices};
use crate::source::{Source, file, plan};
use crate::time::Timestamp;
use crate::triage::Triage;
use crate::triage::suppress::Suppressions;

/// The flags of every command that reads logs.
#[derive(Args)]
pub struct Common {
    /// Configuration file; flags override it (deploy/example.toml shows every key)
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of the Parquet archive, or none [default: weir-archive]
    #[arg(long, value_name = "DIR|none")]
    archive: Option<String>,
    /// Folder of rules that add to the built-in ones or replace them by id, or none for no rules
    #[arg(long, value_name = "DIR|none")]
    rules: Option<String>,
    /// Where findings go
    #[arg(long, value_name = "FILE|-", default_value = "-")]
    findings: String,
    /// Form of the findings [default: table to a terminal or pipe, ndjson to a file or when following]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write what the run did as JSON
    #[arg(long, value_name = "FILE|-")]
    summary: Option<String>,
    /// Exit with 1 when there is a finding of this severity or above
    #[arg(long, value_name = "SEVERITY", value_parser = clap::builder::ValueParser::new(|text: &str| text.parse::<Severity>()))]
    fail_on: Option<Severity>,
    /// Force all records into one table instead of recognizing them
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Fields of VPC flow records that come without a header line: "version account-id ..."
    #[arg(long, value_name = "FIELDS")]
    vpc_flow_format: Option<String>,
    /// Serve Prometheus metrics on this address
    #[arg(long, value_name = "ADDR")]
    metrics: Option<String>,
}

#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    common: Common,
    /// What to read: files, folders, globs, - for standard input, s3://BUCKET/PREFIX, or sqs://QUEUE (name or URL) that
    /// tells of new objects; repeat it for more
    #[arg(long, value_name = "PATH|GLOB|-|URL", num_args = 1..)]
    from: Vec<String>,
    /// End when the input ends (the default); a queue ends when it is empty
    #[arg(long, conflicts_with = "follow")]
    once: bool,
    /// Go on, and read files as they appear and objects as a queue tells of them, until told to stop
    #[arg(long)]
    follow: bool,
    /// Show everything about one finding: its id or the beginning of it
    #[arg(long, value_name = "ID", conflicts_with_all = ["follow", "format"])]
    explain: Option<String>,
}

impl Common {
    /// The configuration file with these flags over it.
    pub fn configuration(&self) -> Result<Config, Failure> {
        let mut config = match &self.config {
            Some(path) => Config::read(path).or_usage()?,
            None => Config::default(),
        };
        config.archive.dir = self.archive.clone().unwrap_or(config.archive.dir);
        config.rules = self.rules.clone().or(config.rules);
        config.table = self.table.clone().or(config.table);
        config.vpc_flow_format = self.vpc_flow_format.clone().or(config.vpc_flow_format);
        config.metrics.listen = self.metrics.clone().or(config.metrics.listen);
        Ok(config)
    }

    /// Writes the findings of a run that has ended: those of `explain`, or all.
    pub fn show(&self, outcome: &Outcome, explain: Option<&str>) -> Result<(), Failure> {
        match explain {
            Some(id) => self::explain(&outcome.findings, id),
            // when nobody reads the findings, the summary and the exit code still tell
            None => {
                let format = self.format.unwrap_or(if self.findings == "-" { Format::Table } else { Format::Ndjson });
                output::unless_closed(write_findings(&self.findings, format, &outcome.findings)).or_output()
            }
        }
    }

    /// Writes what a run did, and gives its exit code.
    pub fn conclude(&self, outcome: &Outcome) -> Result<ExitCode, Failure> {
        if let Some(name) = &self.summary {
            let mut out = output::open(name).or_output()?;
            serde_json::to_writer_pretty(&mut out, &outcome.summary).or_output()?;
            writeln!(out).and_then(|()| out.flush()).or_output()?;
        }
        if self.summary.as_deref() != Some("-") {
            let mut out = anstream::stderr().lock();
            let shown = writeln!(out).and_then(|()| outcome.summary.show(&mut out));
            output::unless_closed(shown.map_err(Into::into)).or_output()?;
        }
        Ok(verdict(outcome, self.fail_on))
    }
}

pub fn run(flags: &Run) -> Result<ExitCode, Failure> {
    let mut config = flags.common.configuration()?;
    if !flags.from.is_empty() {
        config.from.clone_from(&flags.from);
    }
    if config.from.is_empty() {
        return Err(Failure::Usage(anyhow!(
            "nothing to read: name files, folders, buckets or queues with --from, or `from` in the configuration"
        )));
    }
    if config.from.iter().filter(|from| *from == "-").count() > 1 {
        return Err(Failure::Usage(anyhow!("standard input can be read once")));
    }
    if !flags.follow {
        let outcome = work(&config, sources(&config, false)?, false, None, &Shown::default())?;
        flags.common.show(&outcome, flags.explain.as_deref())?;
        return flags.common.conclude(&outcome);
    }
    if flags.common.format.is_some_and(|format| format != Format::Ndjson) {
        return Err(Failure::Usage(anyhow!("--follow writes findings as they come, which only --format ndjson can")));
    }
    let outcome = work(&config, sources(&config, true)?, true, Some(&flags.common.findings), &Shown::Nothing)?;
    flags.common.conclude(&outcome)
}

/// What `from` names: by the scheme of each, and files where there is none.
pub fn sources(config: &Config, follow: bool) -> Result<Vec<Source>, Failure> {
    let mut files = Vec::new();
    let mut sources = Vec::new();
    for from in &config.from {
        let wrong = |why| Failure::Usage(anyhow!("--from: {why}"));
        let settings = config.source.s3.clone();
        match from.split_once("://") {
            Some(("s3", _)) => sources.push(Source::Backfill(backfill::Config {
                address: plan::Address::parse(from).map_err(wrong)?,
                wanted: Wanted::default(),
                settings,
                progress: Arc::default(),
            })),
            Some(("sqs", _)) => sources.push(Source::Notices(notices::Config {
                queue: notices::Address::parse(from).map_err(wrong)?,
                settings,
                until_empty: !follow,
            })),
            _ => files.push(from.clone()),
        }
    }
    let has = |kind: fn(&Source) -> bool| sources.iter().any(kind);
    if has(|source| matches!(source, Source::Notices(_))) && has(|source| matches!(source, Source::Backfill(_))) {
        return Err(Failure::Usage(anyhow!(
            "--from: an object of s3:// may be told of by sqs:// too, and would be read twice: read s3:// first, with \
             `weir backfill` into the same archive, then sqs://"
        )));
    }
    if !files.is_empty() {
        let readers = std::thread::available_parallelism().map_or(1, usize::from);
        let exclude = (config.archive.dir != "none").then(|| PathBuf::from(&config.archive.dir));
        sources.push(Source::File(file::Config { from: files, exclude, follow, readers }));
    }
    Ok(sources)
}

/// 3 when an input could not be read (the answer is then incomplete), else 1 when a finding is severe enough, else 0.
fn verdict(outcome: &Outcome, fail_on: Option<Severity>) -> ExitCode {
    let severe = fail_on.is_some_and(|least| outcome.findings.iter().any(|finding| finding.severity >= least));
    match (outcome.summary.unreadable.is_empty(), severe) {
        (false, _) => ExitCode::from(3),
        (true, true) => ExitCode::from(1),
        (true, false) => ExitCode::SUCCESS,
    }
}

fn write_findings(name: &str, format: Format, findings: &[Finding]) -> anyhow::Result<()> {
    let mut out = output::open(name)?;
    sink::write(format, findings, output::look(name), &mut out)
        .and_then(|()| out.flush())
        .with_context(|| format!("writing findings to {name}"))
}

fn explain(findings: &[Finding], id: &str) -> Result<(), Failure> {
    let matching: Vec<_> = findings.iter().filter(|finding| finding.id.to_string().starts_with(id)).collect();
    match matching[..] {
        [finding] => {
            let mut out = output::open("-").or_output()?;
            sink::table::explain(finding, &mut out).and_then(|()| out.flush()).or_output()
        }
        [] => Err(Failure::Usage(anyhow!("no finding has an id that begins with {id}"))),
        _ => Err(Failure::Usage(anyhow!("{} findings have an id that begins with {id}", matching.len()))),
    }
}

/// Builds the stages a configuration asks for and runs them. `journal` names where findings go as they come.
pub fn work(
    config: &Config,
    sources: Vec<Source>,
    follow: bool,
    journal: Option<&str>,
    shown: &Shown,
) -> Result<Outcome, Failure> {
    let decode = decode::Options {
        table: match &config.table {
            Some(name) => Some(table(name).or_usage()?),
            None => None,
        },
        vpc_flow_format: config.vpc_flow_format.clone(),
        inflated_bytes_max: config.limits.inflated_bytes,
        inflated_ratio_max: config.limits.inflated_ratio,
        ..decode::Options::default()
    };
    if let Some(format) = &config.vpc_flow_format {
        vpc_flow::check_format(format).map_err(|why| Failure::Usage(anyhow!("vpc_flow_format: {why}")))?;
    }
    let suppressions = Suppressions::new(config.suppress.clone()).or_usage()?;
    for (rule, day) in suppressions.expired(Timestamp::now()) {
        tracing::warn!(rule, expired = day, "a suppression has expired and hides nothing");
    }
    let detector = detector(config.rules.as_deref())?;
    let archive = match &*config.archive.dir {
        "none" => None,
        dir => {
            let archive = Archive::open(Path::new(dir), &config.archive).or_output()?;
            let state = State::open(&Path::new(dir).join(PRIVATE).join("state.redb")).or_output()?;
            Some((archive, state))
        }
    };
    let journal = match journal {
        None => None,
        Some("-") => Some(Journal::Stdout),
        Some(name) => {
            let committed = match &archive {
                Some((_, state)) => state.load().or_output()?.map(|commit| commit.journal_bytes),
                None => None,
            };
            Some(Journal::file(Path::new(name), committed).with_context(|| format!("opening {name}")).or_output()?)
        }
    };
    let stages = Stages { detector, triage: Triage::new(suppressions, config.assets.clone()), archive, journal };
    // notices wait for a commit, and new ones for those
    let follow = follow || sources.iter().any(|source| matches!(source, Source::Notices(_)));
    let pipeline = pipeline::Config {
        sources,
        aws: Aws::new(config.aws.clone()),
        decode,
        follow,
        commit_every: Duration::from_secs(config.limits.commit_seconds),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().or_output()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(stop_on_signal(stop.clone()));
        if let Some(address) = &config.metrics.listen {
            let listener = tokio::net::TcpListener::bind(address).await;
            let listener = listener.with_context(|| format!("serving metrics on {address}")).or_usage()?;
            tracing::info!(%address, "serving metrics");
            tokio::spawn(serve_metrics(listener));
        }
        let bar = shown.bar();
        let (shown, moved) = (shown.clone(), bar.clone());
        let outcome = pipeline::run(pipeline, stages, stop, move |progress| shown.at(&moved, progress)).await;
        bar.finish_and_clear();
        outcome.or_output()
    })
}

/// The detector with the built-in rules and those of a folder. A rule that is wrong is named and left out.
fn detector(rules: Option<&str>) -> Result<Detector, Failure> {
    let sources = match rules {
        Some("none") => Vec::new(),
        Some(dir) => library::merge(library::built_in(), rules::read(Path::new(dir)).or_usage()?),
        None => library::built_in(),
    };
    let (parsed, mut refused) = library::rules(&sources);
    let (detector, uncompiled) = Detector::new(logs::TABLES, parsed);
    refused.extend(uncompiled);
    for error in refused {
        output::say(format_args!("weir: rule left out: {error}"));
    }
    Ok(detector)
}

fn table(name: &str) -> anyhow::Result<&'static crate::table::Table> {
    match catalog::table(name).filter(|table| logs::TABLES.iter().any(|log| log.name == table.name)) {
        Some(table) => Ok(table),
        None => {
            let names: Vec<_> = logs::TABLES.iter().map(|table| table.name).collect();
            bail!("no table is called {name}: there are {}", names.join(", "))
        }
    }
}

/// The first signal ends the run after what has been read is committed; the second ends it at once.
async fn stop_on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    let mut next = async || {
        tokio::select! {
            _ = interrupt.recv() => 130,
            _ = terminate.recv() => 143,
        }
    };
    next().await;
    output::say("\nweir: stopping after what has been read; again to stop at once");
    stop.cancel();
    let code = next().await;
    std::process::exit(code);
}

async fn serve_metrics(listener: tokio::net::TcpListener) {
    let router = axum::Router::new().route("/metrics", axum::routing::get(|| async { METRICS.text() }));
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "metrics are no longer served");
    }
}
