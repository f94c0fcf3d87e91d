//! `weir run`: the worker, from the command line.

mod work;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::{Context, anyhow, bail};
use clap::Args;

use self::work::STOPPED_BY;
pub use self::work::work;
use super::archived::Home;
use super::configured::{on_disk, send_to, sources};
use super::output::{self, Failure, OrFail};
use super::progress::Shown;
use crate::config::Config;
use crate::finding::Finding;
use crate::memory::Size;
use crate::pipeline::Outcome;
use crate::pipeline::summary::counted;
use crate::rule::Severity;
use crate::sink::table::plain;
use crate::sink::{self, Format, Refused};
use crate::source::kinesis::Leases;
use crate::source::shards::Share;
use crate::source::{Source, file};
use crate::time::Timestamp;

/// The flags of every command that reads logs.
#[derive(Args, Clone)]
pub struct Common {
    /// Configuration file; flags override it (deploy/example.toml shows every key)
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the Parquet archive, or none [default: weir-archive]
    #[arg(long, value_name = "DIR|none")]
    archive: Option<String>,
    /// Where the state is kept, in place of a file beside the archive
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    state: Option<String>,
    /// Folder of rules (.sql, and Sigma's .yml) that add to the built-in ones or replace them by id; only:DIR for these alone,
    /// none for no rules
    #[arg(long, value_name = "DIR|only:DIR|none")]
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
    /// Send findings to the Security Hub of this account and Region, with the process's AWS credentials
    #[arg(long, value_name = "ACCOUNT/REGION")]
    security_hub: Option<String>,
    /// How much memory the process may take, such as 512MiB, at least 256MiB [default: the limit of its control group, if it has one]
    #[arg(long, value_name = "SIZE")]
    memory: Option<Size>,
    /// Serve Prometheus metrics on this address, with /healthz and /readyz
    #[arg(long, value_name = "ADDR")]
    metrics: Option<String>,
}

#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    common: Common,
    /// What to read: files, folders, globs, - for standard input, s3://BUCKET/PREFIX, sqs://QUEUE (its name or URL, or its ARN
    /// alone) that tells of new objects, kinesis://STREAM or the ARN of a stream; repeat it for more
    #[arg(long, value_name = "PATH|GLOB|URL|-", num_args = 1..)]
    from: Vec<String>,
    /// End when the input ends (the default); a queue ends when it is empty
    #[arg(long, conflicts_with = "follow")]
    once: bool,
    /// Go on, and read files as they appear and objects as a queue tells of them, until told to stop; always so with a
    /// stream
    #[arg(long)]
    follow: bool,
    /// Which part of a stream's shards this worker reads: 0/4 is the first of four; in place of source.kinesis.share
    #[arg(long, value_name = "WORKER/OF", value_parser = clap::builder::ValueParser::new(|text: &str| Share::try_from(text.to_owned())))]
    share: Option<Share>,
    /// Share a stream's shards with all workers that name the same table of DynamoDB; in place of source.kinesis.leases.table
    #[arg(long, value_name = "TABLE", conflicts_with = "share")]
    leases: Option<String>,
    /// Following, ask Security Hub every so many seconds what analysts say of findings; in place of
    /// sink.security_hub.read_back_seconds
    #[arg(long, value_name = "SECONDS")]
    read_back: Option<u64>,
    /// Show everything about one finding: its id or the beginning of it. With a `state` in S3 it is taken from there, and nothing is read
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
        on_disk(&config).or_usage()?;
        config.state = self.state.clone().or(config.state);
        config.rules = self.rules.clone().or(config.rules);
        config.table = self.table.clone().or(config.table);
        config.vpc_flow_format = self.vpc_flow_format.clone().or(config.vpc_flow_format);
        if let (Some(_), Some(table)) = (&self.vpc_flow_format, &config.table)
            && !table.eq_ignore_ascii_case("vpc_flow")
        {
            return Err(Failure::Usage(anyhow!(
                "--vpc-flow-format is about records of vpc_flow, and all are to be of {table}"
            )));
        }
        config.metrics.listen = self.metrics.clone().or(config.metrics.listen);
        config.limits.memory = self.memory.or(config.limits.memory);
        send_to(&mut config, self.security_hub.as_deref()).or_usage()?;
        Ok(config)
    }

    /// The same once more, while a run goes on. The flags' own sections stay as they were.
    pub fn reread(&self) -> anyhow::Result<Config> {
        self.configuration().map_err(|(Failure::Usage(why) | Failure::Output(why))| why)
    }

    /// The files that a run with these flags writes.
    fn written(&self) -> impl Iterator<Item = PathBuf> {
        let names = [Some(&self.findings), self.summary.as_ref()].into_iter().flatten();
        names.filter(|name| *name != "-").map(PathBuf::from)
    }

    /// # Errors
    /// When one of them would take the place of another, or of what is read.
    fn spare(&self, from: &[String]) -> anyhow::Result<()> {
        let written: Vec<PathBuf> = self.written().collect();
        // neither need be there yet
        let place = |path: &Path| {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            folder.canonicalize().ok().zip(path.file_name().map(ToOwned::to_owned))
        };
        if let [findings, summary] = &written[..]
            && (place(findings).is_some_and(|one| place(summary) == Some(one)) || file::same(findings, summary))
        {
            bail!("findings and summary cannot both be written to {}", summary.display());
        }
        let is_read = |path: &&PathBuf| path.is_file() && from.iter().any(|from| file::same(Path::new(from), path));
        match written.iter().find(is_read) {
            Some(path) => bail!("{} is read: what a run writes needs another place", path.display()),
            None => Ok(()),
        }
    }

    /// Tries whether these can be written, before hours of reading have to end without them. The archive's folder may be made yet.
    pub fn try_outputs(&self, config: &Config) -> Result<(), Failure> {
        let mut outside = self.written().filter(|path| !path.starts_with(&config.archive.dir));
        outside.try_for_each(|path| output::try_file(&path)).or_output()
    }

    pub fn config_file(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// Writes the findings of a run that has ended; gives those that the format has no place for.
    pub fn show(&self, outcome: &Outcome) -> Result<Vec<Refused>, Failure> {
        let format = self.format.unwrap_or(if self.findings == "-" { Format::Table } else { Format::Ndjson });
        write_findings(&self.findings, format, &outcome.findings).or_output()
    }

    /// Writes what a run did, and gives its exit code.
    pub fn conclude(&self, outcome: &Outcome, refused: &[Refused]) -> Result<ExitCode, Failure> {
        tell(refused, outcome.findings.len());
        if let Some(name) = &self.summary {
            let mut out = output::open(name).or_output()?;
            let written = serde_json::to_writer_pretty(&mut out, &outcome.summary).map_err(io::Error::from);
            let written = written.and_then(|()| writeln!(out)).and_then(|()| out.flush());
            written.with_context(|| format!("writing the summary to {name}")).or_output()?;
        }
        if self.summary.as_deref() != Some("-") {
            let mut out = anstream::stderr().lock();
            let shown = writeln!(out).and_then(|()| outcome.summary.show(&mut out));
            output::unless_closed(shown.map_err(Into::into)).or_output()?;
        }
        Ok(verdict(outcome, refused, self.fail_on))
    }
}

pub fn run(flags: &Run) -> Result<ExitCode, Failure> {
    let mut config = flags.common.configuration()?;
    if !flags.from.is_empty() {
        config.from.clone_from(&flags.from);
    }
    if let Some(table) = &flags.leases {
        let leases = &mut config.source.kinesis.leases;
        leases.get_or_insert_with(|| Leases::of_table(table)).table.clone_from(table);
    }
    if let Some(seconds) = flags.read_back {
        let Some(hub) = &mut config.sink.security_hub else {
            return Err(Failure::Usage(anyhow!(
                "--read-back asks Security Hub: name one with --security-hub, or in the configuration"
            )));
        };
        hub.read_back_seconds = seconds;
    }
    config.source.kinesis.share = flags.share.unwrap_or(config.source.kinesis.share);
    if let Some(id) = &flags.explain {
        check_id(id).or_usage()?;
    }
    if let (Some(id), Some(_)) = (&flags.explain, &config.state) {
        // a run would take the state over from the worker that has it
        let triage = Home::of(None, &config).and_then(|home| home.triage(&config)).or_usage()?;
        return explain(&triage.findings(), id).map(|()| ExitCode::SUCCESS);
    }
    if config.from.is_empty() {
        return Err(Failure::Usage(anyhow!(
            "nothing to read: name files, folders, buckets, queues or streams with --from, or `from` in the configuration"
        )));
    }
    if config.from.iter().filter(|from| *from == "-").count() > 1 {
        return Err(Failure::Usage(anyhow!("standard input can be read once")));
    }
    let mut sources = sources(&config, flags.follow).or_usage()?;
    if flags.follow && sources.iter().any(|source| matches!(source, Source::Backfill(_))) {
        return Err(Failure::Usage(anyhow!(
            "s3:// is read once, and does not go on with --follow: read what is there without it, or with `weir backfill`, and what \
             comes from a queue that the bucket tells of it, --from sqs://QUEUE"
        )));
    }
    flags.common.spare(&config.from).or_usage()?;
    for source in &mut sources {
        if let Source::File(files) = source {
            files.exclude.extend(flags.common.written());
        }
    }
    let streams = sources.iter().any(|source| matches!(source, Source::Kinesis(_)));
    if !streams && (flags.share.is_some() || flags.leases.is_some()) {
        return Err(Failure::Usage(anyhow!(
            "--share and --leases are about the shards of a stream, and none is read: name one with --from kinesis://STREAM"
        )));
    }
    if streams && (flags.once || flags.explain.is_some()) {
        return Err(Failure::Usage(anyhow!("a stream has no end: --once and --explain are for files")));
    }
    flags.common.try_outputs(&config)?;
    if flags.follow || streams {
        if flags.common.format.is_some_and(|format| format != Format::Ndjson) {
            return Err(Failure::Usage(anyhow!("findings are written as they come, which only --format ndjson can")));
        }
        let outcome = work(&config, sources, Some(&flags.common), &Shown::Nothing)?;
        return flags.common.conclude(&outcome, &[]);
    }
    let outcome = work(&config, sources, None, &Shown::Spinner)?;
    let refused = match &flags.explain {
        Some(id) => explain(&outcome.findings, id).map(|()| Vec::new())?,
        None => flags.common.show(&outcome)?,
    };
    flags.common.conclude(&outcome, &refused)
}

/// 3 when an input could not be read, or a finding was not written or not accepted (the answer is then incomplete), else 1
/// when a finding is severe enough, else that of the signal which ended the run before its input did, else 0.
pub fn verdict(outcome: &Outcome, refused: &[Refused], fail_on: Option<Severity>) -> ExitCode {
    let severe = fail_on.is_some_and(|least| outcome.findings.iter().any(|finding| finding.severity >= least));
    let sent = outcome.summary.sent.values().all(|sent| sent.refused == 0 && sent.waiting == 0);
    // one that follows for months meets an object now and then that is gone; a source that is, nobody reads any more
    let told_to_end = outcome.summary.followed && outcome.summary.stopped;
    let read = outcome.summary.unreadable.is_empty() || (told_to_end && outcome.summary.sources_ended == 0);
    match (read && refused.is_empty() && sent, severe) {
        (false, _) => ExitCode::from(3),
        (true, true) => ExitCode::from(1),
        // who waits for the whole answer must not take a part for it; a run that follows ends in no other way
        (true, false) if outcome.summary.stopped && !outcome.summary.followed => {
            ExitCode::from(STOPPED_BY.load(Ordering::Relaxed))
        }
        (true, false) => ExitCode::SUCCESS,
    }
}

/// Gives the findings that the format has no place for. When nobody reads the others, the summary and the exit code still
/// tell.
fn write_findings(name: &str, format: Format, findings: &[Finding]) -> anyhow::Result<Vec<Refused>> {
    let mut out = if format == Format::Table { output::open(name) } else { output::open_data(name) }?;
    let mut refused = Vec::new();
    let written = sink::write(format, findings, output::look(name), Timestamp::now(), &mut out).and_then(|left_out| {
        refused = left_out;
        out.flush()
    });
    output::unless_closed(written.with_context(|| format!("writing findings to {name}")))?;
    Ok(refused)
}

fn tell(refused: &[Refused], findings: usize) {
    for Refused { id, rule, why } in refused {
        output::say(format_args!("weir: finding {id} of {rule} left out: {}", plain(why)));
    }
    if !refused.is_empty() {
        output::say(format_args!("weir: {} of {findings} findings left out", refused.len()));
    }
}

/// Refuses what no id of a finding begins with, before anything is read.
fn check_id(id: &str) -> anyhow::Result<()> {
    if !(1..=32).contains(&id.len()) || !id.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        bail!(
            "`{id}` is no id of a finding: these are 32 digits, 0 to 9 and a to f, of which the first few are enough"
        );
    }
    Ok(())
}

fn explain(findings: &[Finding], id: &str) -> Result<(), Failure> {
    let id = id.to_ascii_lowercase();
    let matching: Vec<_> = findings.iter().filter(|finding| finding.id.to_string().starts_with(&id)).collect();
    match matching[..] {
        [finding] => {
            let mut out = output::open("-").or_output()?;
            sink::table::explain(finding, &mut out).and_then(|()| out.flush()).or_output()
        }
        [] => Err(Failure::Usage(anyhow!(
            "none of the {} has an id that begins with {id}: the same run without --explain shows them",
            counted(findings.len() as u64, "finding")
        ))),
        _ => Err(Failure::Usage(anyhow!("{} findings have an id that begins with {id}", matching.len()))),
    }
}
