//! `weir run`: the worker, from the command line.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::archived::Home;
use super::emf;
use super::output::{self, Failure, OrFail};
use super::progress::Shown;
use super::rebuilt::Back;
use super::watch::{self, Watch};
use super::{reference, rules};
use crate::archive::Archive;
use crate::archive::bucket::SCHEME;
use crate::archive::layout::PRIVATE;
use crate::aws::Aws;
use crate::aws::trust::Trust;
use crate::catalog;
use crate::config::Config;
use crate::decode;
use crate::detect::Detector;
use crate::detect::library;
use crate::detect::reference::References;
use crate::finding::Finding;
use crate::health::{self, HEALTH, Phase};
use crate::logs::{self, vpc_flow};
use crate::memory::{self, Memory, Size};
use crate::metrics::METRICS;
use crate::pipeline::bucket;
use crate::pipeline::commit::State;
use crate::pipeline::listen::{Listener, Verdicts};
use crate::pipeline::summary::{SoFar, counted};
use crate::pipeline::{self, Outcome, Stages};
use crate::rule::{RuleError, Severity};
use crate::sink::post::Post;
use crate::sink::sender::Sender;
use crate::sink::way::Way;
use crate::sink::{self, Format, Journal, Refused, security_hub, wire};
use crate::source::claims::{Lost, Note, random_name};
use crate::source::kinesis::{self, Leases, Stream};
use crate::source::layout::Wanted;
use crate::source::s3::{backfill, notices};
use crate::source::shards::Share;
use crate::source::{Source, file, plan};
use crate::time::Timestamp;
use crate::triage::Triage;
use crate::triage::canary::Canaries;
use crate::triage::suppress::Suppressions;

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
    /// What to read: files, folders, globs, - for standard input, s3://BUCKET/PREFIX, sqs://QUEUE (its name or URL) that
    /// tells of new objects, kinesis://STREAM or the ARN of a stream; repeat it for more
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
        if config.archive.dir.is_empty() {
            // as of a variable that is not set: it would be the working directory
            return Err(Failure::Usage(anyhow!("the archive has an empty name: name its folder, or none")));
        }
        on_disk(&config).or_usage()?;
        config.state = self.state.clone().or(config.state);
        config.rules = self.rules.clone().or(config.rules);
        config.table = self.table.clone().or(config.table);
        config.vpc_flow_format = self.vpc_flow_format.clone().or(config.vpc_flow_format);
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

/// Has findings go to a hub that was named as `ACCOUNT/REGION`, too.
pub fn send_to(config: &mut Config, hub: Option<&str>) -> anyhow::Result<()> {
    to_hub(config, hub)?;
    if !config.sink.is_empty() && config.archive.dir == "none" && config.state.is_none() {
        bail!("findings for services need an archive or a `state` in S3, which keeps those that are not accepted yet");
    }
    Ok(())
}

/// The same for who needs no state to send.
pub fn to_hub(config: &mut Config, hub: Option<&str>) -> anyhow::Result<()> {
    if let Some(hub) = hub {
        let home = security_hub::Config::of_hub(hub)?;
        config.sink.security_hub = Some(match config.sink.security_hub.take() {
            Some(more) => security_hub::Config { account: home.account, region: home.region, ..more },
            None => home,
        });
    }
    Ok(())
}

/// # Errors
/// When the archive is to be in a bucket, where only that of a function of Lambda is.
pub fn on_disk(config: &Config) -> anyhow::Result<()> {
    match &config.archive.dir {
        dir if dir.starts_with(SCHEME) => bail!(
            "`{dir}` is no folder: an archive in S3 is written by `weir lambda`, and that of a run is a folder, or none"
        ),
        _ => Ok(()),
    }
}

/// How a configuration says that logs are read.
pub fn decode_options(config: &Config) -> anyhow::Result<decode::Options> {
    if let Some(format) = &config.vpc_flow_format {
        vpc_flow::check_format(format).map_err(|why| anyhow!("vpc_flow_format: {why}"))?;
    }
    Ok(decode::Options {
        table: config.table.as_deref().map(table).transpose()?,
        vpc_flow_format: config.vpc_flow_format.clone(),
        inflated_bytes_max: config.limits.inflated_bytes.get(),
        inflated_ratio_max: config.limits.inflated_ratio.get(),
        memory: memory(config)?,
        ..decode::Options::default()
    })
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

/// What `from` names: by the scheme of each, and files where there is none. With `follow`, files and queues have no end.
pub fn sources(config: &Config, follow: bool) -> anyhow::Result<Vec<Source>> {
    let (mut sources, mut files) = (Vec::new(), Vec::new());
    for from in &config.from {
        let settings = config.source.s3.clone();
        if from.starts_with("s3://") {
            let address = plan::Address::parse(from).map_err(anyhow::Error::msg)?;
            let (wanted, progress) = (Wanted::default(), Arc::default());
            sources.push(Source::Backfill(backfill::Config { address, wanted, settings, progress }));
        } else if from.starts_with("sqs://") {
            let queue = notices::Address::parse(from).map_err(anyhow::Error::msg)?;
            sources.push(Source::Notices(notices::Config { queue, settings, until_empty: !follow }));
        } else if from.starts_with("kinesis:") || from.starts_with("arn:") {
            let Some(stream) = Stream::parse(from) else {
                bail!("`{from}` is no stream: kinesis://NAME, or arn:aws:kinesis:REGION:ACCOUNT:stream/NAME");
            };
            let settings = &config.source.kinesis;
            if settings.leases.is_some() && settings.share != Share::ALL {
                bail!(
                    "[source.kinesis] has `share` and `leases`, each of which says which shards to read: leave one out"
                );
            }
            sources.push(Source::Kinesis(kinesis::Config { stream, settings: config.source.kinesis.clone() }));
        } else {
            files.push(from.clone());
        }
    }
    let has = |kind: fn(&Source) -> bool| sources.iter().any(kind);
    if has(|source| matches!(source, Source::Notices(_))) && has(|source| matches!(source, Source::Backfill(_))) {
        bail!(
            "an object of s3:// may be told of by sqs:// too, and would be read twice: read s3:// first, with \
             `weir backfill` into the same archive, then sqs://"
        );
    }
    distinct(&sources)?;
    if !files.is_empty() {
        let is_archive = |from: &&String| file::same(Path::new(from), Path::new(&config.archive.dir));
        if config.archive.dir != "none"
            && let Some(from) = files.iter().find(is_archive)
        {
            bail!(
                "{from} is the archive too, and what is in an archive is not read: name another folder with --archive"
            );
        }
        let readers = std::thread::available_parallelism().map_or(1, usize::from);
        let exclude = (config.archive.dir != "none").then(|| PathBuf::from(&config.archive.dir)).into_iter().collect();
        sources.push(Source::File(file::Config { from: files, exclude, follow, readers }));
    }
    Ok(sources)
}

/// # Errors
/// When two of them would read the same: its rows would be there twice.
pub fn distinct(sources: &[Source]) -> anyhow::Result<()> {
    match Source::overlapping(sources) {
        None => Ok(()),
        Some((one, other)) => bail!(
            "{one} and {other} are the same, or one is in the other, and what is in both would be read twice: name one of them, or both \
             by whole URLs or ARNs where they are two"
        ),
    }
}

/// What the first signal makes of the exit code, as a shell has it: 130 or 143; 0 until one comes.
static STOPPED_BY: AtomicU8 = AtomicU8::new(0);

/// 3 when an input could not be read, or a finding was not written or not accepted (the answer is then incomplete), else 1
/// when a finding is severe enough, else that of the signal which ended the run before its input did, else 0.
fn verdict(outcome: &Outcome, refused: &[Refused], fail_on: Option<Severity>) -> ExitCode {
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
    let mut out = output::open(name)?;
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
        output::say(format_args!("weir: finding {id} of {rule} left out: {why}"));
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

/// Builds the stages a configuration asks for and runs them. `following` are the flags of a run whose sources do not end by
/// themselves: findings are written as they come, and rules, lists and configuration are read again as they change.
///
/// Where another worker has taken what was read, all that no commit has is dropped, and the run goes on from the last commit,
/// as after a crash.
pub fn work(
    config: &Config,
    sources: Vec<Source>,
    following: Option<&Common>,
    shown: &Shown,
) -> Result<Outcome, Failure> {
    let mut config = config.clone();
    let (stop, so_far) = (CancellationToken::new(), SoFar::default());
    let mut turn = Turn { stop, writer: random_name(), again: false, so_far };
    let stop = turn.stop.clone();
    let signals = tokio::runtime::Builder::new_current_thread().enable_all().build().or_output()?;
    // one for all turns: between two of them nobody else would hear a signal
    std::thread::spawn(move || signals.block_on(stop_on_signal(stop)));
    loop {
        match work_once(&config, sources.clone(), following, shown, &turn) {
            Err(Failure::Output(error)) if error.is::<Lost>() && !turn.stop.is_cancelled() => {
                tracing::warn!(error = format!("{error:#}"), "going on from the last commit");
            }
            ended => return ended,
        }
        HEALTH.enter(Phase::Starting);
        std::thread::sleep(TURN_WAIT);
        turn.again = true;
        if let Some(flags) = following {
            take_up(&mut config, flags);
        }
    }
}

/// What the turns of one run share.
struct Turn {
    stop: CancellationToken,
    /// Names this process where it takes a state.
    writer: String,
    /// Whether it has had the state before.
    again: bool,
    so_far: SoFar,
}

/// Between two turns.
const TURN_WAIT: Duration = Duration::from_secs(1);

/// The sections that a run takes up while it goes on, as they are now; where they are wrong, those of before stay.
fn take_up(config: &mut Config, flags: &Common) {
    let now = flags.reread().and_then(|now| {
        Suppressions::new(now.suppress.clone())?;
        Canaries::new(now.canary.clone())?;
        Ok(now)
    });
    match now {
        Ok(now) => {
            (config.suppress, config.canary, config.assets) = (now.suppress, now.canary, now.assets);
            config.quarantine = now.quarantine;
            (config.reference, config.sigma) = (now.reference, now.sigma);
        }
        Err(error) => tracing::warn!(error = format!("{error:#}"), "the configuration stays as it was"),
    }
}

fn work_once(
    config: &Config,
    sources: Vec<Source>,
    following: Option<&Common>,
    shown: &Shown,
    turn: &Turn,
) -> Result<Outcome, Failure> {
    let journal = following.map(|flags| flags.findings.as_str());
    let prints_metrics = config.metrics.emf && journal.is_some();
    if prints_metrics && journal == Some("-") {
        return Err(Failure::Usage(anyhow!("metrics.emf wants standard output for itself: give --findings FILE")));
    }
    let decode = decode_options(config).or_usage()?;
    let suppressions = Suppressions::new(config.suppress.clone()).or_usage()?;
    for (rule, day) in suppressions.expired(Timestamp::now()) {
        tracing::warn!(rule, expired = day, "a suppression has expired and hides nothing");
    }
    let canaries = Canaries::new(config.canary.clone()).or_usage()?;
    let ways = ways(config).or_usage()?;
    let stamped = following.map(|flags| watch::stamp(flags, config));
    let compiled = compile(config.rules.as_deref(), config).or_usage()?;
    for error in &compiled.refused {
        output::say(format_args!("weir: rule left out: {error}"));
    }
    if compiled.sources.is_empty() && !compiled.refused.is_empty() {
        return Err(Failure::Usage(anyhow!("no rule is left: `--rules none` runs without")));
    }
    let reload_every = Duration::from_secs(config.limits.reload_seconds);
    let watch = following.zip(stamped).filter(|_| !reload_every.is_zero());
    let watch =
        watch.map(|(flags, stamped)| Watch::new(flags.clone(), config.clone(), &compiled, stamped, decode.memory));
    memory::leave_program();
    let mut detector = compiled.detector;
    detector.limit(config.quarantine);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().or_output()?;
    let archive = match &*config.archive.dir {
        "none" => None,
        dir => Some(Archive::open(Path::new(dir), &config.archive.within(decode.memory)).or_output()?),
    };
    let state = match (&config.state, &archive) {
        (Some(address), _) => {
            bucket::address(address).or_usage()?;
            let (aws, runtime) = (Aws::new(config.aws.clone()), runtime.handle().clone());
            Some(State::take(address, &turn.writer, turn.again, &aws, runtime).or_output()?)
        }
        (None, Some(archive)) => Some(State::open(&archive.dir().join(PRIVATE).join("state.redb")).or_output()?),
        (None, None) => None,
    };
    if let Some(state) = &state {
        let undo = |note: &Note| match &config.source.kinesis.leases {
            Some(leases) => {
                let aws = Aws::new(config.aws.clone());
                runtime.block_on(kinesis::undo_patiently(note, leases, &aws, &turn.stop))
            }
            None => {
                tracing::warn!(
                    "the last commit was made with leases, and is taken to stand: no table says whether it does"
                );
                Ok(false)
            }
        };
        state.settle(undo).or_output()?;
    }
    let stop = turn.stop.child_token();
    detector.keep_to(decode.memory);
    let journal = match journal {
        None => None,
        Some("-") => Some(Journal::Stdout),
        Some(name) => {
            let committed = match &state {
                Some(state) => state.load().or_output()?.map(|commit| commit.journal),
                None => None,
            };
            Some(
                Journal::file(Path::new(name), committed.as_ref())
                    .with_context(|| format!("opening {name}"))
                    .or_output()?,
            )
        }
    };
    // what was started for this turn of the work ends with it
    let _ended = stop.clone().drop_guard();
    let posts: Vec<Post> = ways.into_iter().map(|way| Post::new(way, decode.memory, stop.clone())).collect();
    let shared: Vec<_> = posts.iter().map(Post::shared).collect();
    let ids: Vec<&str> = detector.rules().map(|rule| rule.id.as_str()).collect();
    for (name, rule) in canaries.without_rule(&ids) {
        tracing::warn!(canary = name, rule, "no rule is one of a canary's: it will be missed");
    }
    for rule in suppressions.without_rule(&ids) {
        tracing::warn!(rule, "no rule is one of a suppression's: it hides nothing");
    }
    let triage = Triage::new(suppressions, config.assets.clone()).with_canaries(canaries);
    // notices are held until they are committed, and too many are not
    let follow = following.is_some() || sources.iter().any(|source| matches!(source, Source::Notices(_)));
    let back = archive.as_ref().map(|archive| Back {
        archive: archive.dir().to_owned(),
        references: compiled.references,
        limits: config.quarantine,
        follows: follow,
        stop: stop.clone(),
    });
    let stages = Stages { detector, triage, archive, state, journal, posts, look_back: back.map(Back::look) };
    let listeners = shared
        .iter()
        .filter(|_| follow)
        .filter_map(|shared| Listener::of(shared.way(), verdicts_of(&stages)?, Timestamp::now));
    let listeners: Vec<Listener> = listeners.collect();
    let pipeline = pipeline::Config {
        sources,
        aws: Aws::new(config.aws.clone()),
        decode,
        follow,
        renewals: watch.map(|watch| watch.start(reload_every, stop.clone())),
        commit_every: Duration::from_secs(config.limits.commit_seconds),
        so_far: turn.so_far.clone(),
    };
    runtime.block_on(async {
        for shared in shared {
            // it ends with the runtime; before that, the end of the run waits for what it sends
            tokio::spawn(Sender::new(shared, Timestamp::now).run());
        }
        for listener in listeners {
            tokio::spawn(listener.run());
        }
        if let Some(address) = &config.metrics.listen {
            let listener = tokio::net::TcpListener::bind(address).await;
            let listener = listener.with_context(|| format!("serving metrics on {address}")).or_usage()?;
            tracing::info!(%address, "serving metrics");
            tokio::spawn(serve_metrics(listener));
        }
        let metrics = prints_metrics.then(emf::Printer::new);
        let bar = shown.bar();
        let (shown, moved) = (shown.clone(), bar.clone());
        let running = pipeline::run(pipeline, stages, stop, move |progress| shown.at(&moved, progress));
        let outcome = emf::beside(metrics, running).await;
        bar.finish_and_clear();
        outcome.or_output()
    })
}

/// Where what is said of findings is written down; none where nothing is kept.
fn verdicts_of(stages: &Stages) -> Option<Verdicts> {
    let said = stages.state.as_ref().and_then(State::said).map(Verdicts::Bucket);
    said.or_else(|| stages.archive.as_ref().map(|archive| Verdicts::Archive(archive.dir().to_owned())))
}

/// How much memory there is: what the flag or the configuration says, else what the machine allows the process.
///
/// # Errors
/// When it says less than the least.
pub fn memory(config: &Config) -> anyhow::Result<Memory> {
    match config.limits.memory {
        Some(limit) => Memory::of_limit(limit).map_err(anyhow::Error::msg),
        None => Ok(Memory::of_machine()),
    }
}

/// The services that findings are sent to.
pub fn ways(config: &Config) -> anyhow::Result<Vec<Way>> {
    each_way(config)?.into_iter().collect()
}

/// The same, each with what is wrong with it.
///
/// # Errors
/// When the certificates of `AWS_CA_BUNDLE` cannot be read.
pub fn each_way(config: &Config) -> anyhow::Result<Vec<anyhow::Result<Way>>> {
    let (sinks, aws) = (&config.sink, &config.aws);
    let calls_aws = sinks.security_hub.is_some() || sinks.event_bridge.is_some() || sinks.sns.is_some();
    let trust = if calls_aws { Trust::from_env()? } else { Trust::default() };
    // to make one, all certificates of the system are read
    let http = LazyCell::new(|| wire::connector_trusting(&trust));
    let ways = [
        sinks.security_hub.as_ref().map(|sink| Way::security_hub(sink, aws.clone(), http.clone())),
        sinks.event_bridge.as_ref().map(|sink| Way::event_bridge(sink, aws.clone(), http.clone())),
        sinks.sns.as_ref().map(|sink| Way::sns(sink, aws.clone(), http.clone())),
        sinks.webhook.as_ref().map(|sink| Way::webhook(sink, wire::connector())),
        sinks.s3.as_ref().map(|sink| Way::s3(sink, aws.clone())),
    ];
    Ok(ways.into_iter().flatten().collect())
}

/// The rules that run, and what they were made of.
pub struct Compiled {
    pub detector: Detector,
    pub sources: Vec<library::Source>,
    pub references: References,
    /// What is wrong with rules that are left out.
    pub refused: Vec<RuleError>,
}

/// The detector with the built-in rules and those of a folder. A rule that is wrong is named and left out.
pub fn compile(rules: Option<&str>, config: &Config) -> anyhow::Result<Compiled> {
    let rules::Found { mut sources, mut refused, doubts } = found(rules, config)?;
    doubts.iter().for_each(|error| tracing::warn!("{}", rules::doubtful(error)));
    let (parsed, unread) = library::rules(&sources);
    refused.extend(unread);
    let references = reference::read(&config.reference)?;
    let (detector, uncompiled) = Detector::with_references(logs::TABLES, &references, parsed);
    refused.extend(uncompiled);
    let run: BTreeSet<&str> = detector.rules().map(|rule| rule.id.as_str()).collect();
    sources.retain(|source| run.contains(source.id.as_str()));
    Ok(Compiled { detector, sources, references, refused })
}

/// The built-in rules and those of a folder, which take the place of their namesakes, or those of the folder alone; not yet
/// compiled.
pub fn found(rules: Option<&str>, config: &Config) -> anyhow::Result<rules::Found> {
    let Some(rules) = rules else {
        return Ok(rules::Found { sources: library::built_in(), ..rules::Found::default() });
    };
    let Some(dir) = rules::folder(rules) else {
        return Ok(rules::Found::default());
    };
    let found = rules::read(dir, &config.sigma)?;
    let sources = match rules.starts_with(rules::ONLY) {
        true => found.sources,
        false => library::merge(library::built_in(), found.sources),
    };
    Ok(rules::Found { sources, ..found })
}

/// The table of logs that has this name.
pub fn table(name: &str) -> anyhow::Result<&'static crate::table::Table> {
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
            _ = interrupt.recv() => 130_u8,
            _ = terminate.recv() => 143,
        }
    };
    STOPPED_BY.store(next().await, Ordering::Relaxed);
    output::say("\nweir: stopping after what has been read; again to stop at once");
    HEALTH.enter(Phase::Stopping);
    stop.cancel();
    let code = next().await;
    std::process::exit(code.into());
}

/// `/metrics` for Prometheus; `/healthz` and `/readyz` for whoever starts and stops processes, 200 or 503 with a report.
async fn serve_metrics(listener: tokio::net::TcpListener) {
    let told = |(well, report): (bool, health::Report)| {
        let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let body = serde_json::to_string(&report).expect("words and numbers are JSON");
        (status, [(CONTENT_TYPE, "application/json")], body)
    };
    let router = axum::Router::new()
        .route("/metrics", get(async || METRICS.text()))
        .route("/healthz", get(async move || told(HEALTH.alive())))
        .route("/readyz", get(async move || told(HEALTH.ready())));
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "metrics are no longer served");
    }
}
