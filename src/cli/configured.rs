//! A configuration → what it names, each made or refused with why: sources, the services that findings go to, rules, memory.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{anyhow, bail};

use super::{reference, rules};
use crate::archive::bucket::SCHEME;
use crate::aws::trust::Trust;
use crate::catalog;
use crate::config::Config;
use crate::decode;
use crate::detect::Detector;
use crate::detect::library;
use crate::detect::reference::References;
use crate::logs::{self, vpc_flow};
use crate::memory::Memory;
use crate::rule::RuleError;
use crate::sink::way::Way;
use crate::sink::{security_hub, wire};
use crate::source::kinesis::{self, Stream};
use crate::source::layout::Wanted;
use crate::source::own::{Kind, Own};
use crate::source::s3::{backfill, notices};
use crate::source::shards::Share;
use crate::source::{Source, file, plan};

/// What `from` names: by the scheme of each, and files where there is none. With `follow`, files and queues have no end.
pub fn sources(config: &Config, follow: bool) -> anyhow::Result<Vec<Source>> {
    let (mut sources, mut files) = (Vec::new(), Vec::new());
    for from in &config.from {
        let settings = config.source.s3.clone();
        if from.starts_with("s3://") {
            let address = plan::Address::parse(from).map_err(anyhow::Error::msg)?;
            let (wanted, progress) = (Wanted::default(), Arc::default());
            sources.push(Source::Backfill(backfill::Config { address, wanted, settings, progress }));
        } else if from.starts_with("sqs://") || from.split(':').nth(2) == Some("sqs") {
            let queue = notices::Address::parse(from).map_err(anyhow::Error::msg)?;
            let own = own(config);
            sources.push(Source::Notices(notices::Config { queue, settings, until_empty: !follow, own }));
        } else if from.starts_with("kinesis:") || from.starts_with("arn:") {
            let Some(stream) = Stream::parse(from) else {
                bail!(
                    "`{from}` is no stream: kinesis://NAME, or arn:aws:kinesis:REGION:ACCOUNT:stream/NAME (a bucket is s3://BUCKET/PREFIX)"
                );
            };
            let settings = &config.source.kinesis;
            if settings.leases.is_some() && settings.share != Share::ALL {
                bail!(
                    "[source.kinesis] has `share` and `leases`, each of which says which shards to read: leave one out"
                );
            }
            sources.push(Source::Kinesis(kinesis::Config { stream, settings: config.source.kinesis.clone() }));
        } else if is_url(from) {
            // as a path it would be waited for, where files may still come
            bail!(
                "`{from}` is neither a path nor a source: s3://BUCKET/PREFIX, sqs://QUEUE (also the URL of a queue behind sqs://), \
                 kinesis://STREAM, or the ARN of a queue or stream"
            );
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

fn is_url(from: &str) -> bool {
    let is_scheme = |scheme: &str| !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    from.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme)) && !Path::new(from).exists()
}

/// What a configuration has Weir write into buckets.
pub fn own(config: &Config) -> Own {
    let own = Own::default().with_address(Kind::Archive, &config.archive.dir);
    let own = match &config.sink.s3 {
        Some(sink) => own.with(Kind::Findings, &sink.bucket, &sink.prefix),
        None => own,
    };
    config.state.iter().fold(own, |own, state| own.with_address(Kind::State, state))
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
/// When the archive has no name, or is to be in a bucket, where only that of a function of Lambda is.
pub fn on_disk(config: &Config) -> anyhow::Result<()> {
    match &config.archive.dir {
        // as of a variable that is not set: it would be the working directory
        dir if dir.is_empty() => bail!("the archive has an empty name: name its folder, or none"),
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
    let asks_secret = sinks.webhook.as_ref().is_some_and(|hook| hook.url_secret.is_some());
    let calls_aws = sinks.security_hub.is_some() || sinks.event_bridge.is_some() || sinks.sns.is_some() || asks_secret;
    let trust = if calls_aws { Trust::from_env()? } else { Trust::default() };
    // to make one, all certificates of the system are read
    let http = LazyCell::new(|| wire::connector_trusting(&trust));
    let ways = [
        sinks.security_hub.as_ref().map(|sink| Way::security_hub(sink, aws.clone(), http.clone())),
        sinks.event_bridge.as_ref().map(|sink| Way::event_bridge(sink, aws.clone(), http.clone())),
        sinks.sns.as_ref().map(|sink| Way::sns(sink, aws.clone(), http.clone())),
        sinks.webhook.as_ref().map(|sink| Way::webhook(sink, wire::connector(), aws.clone(), || http.clone())),
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
///
/// # Errors
/// When the folder cannot be read, or is to be the only one and has no rule: nothing found would be taken for the answer.
pub fn compile(rules: Option<&str>, config: &Config) -> anyhow::Result<Compiled> {
    let rules::Found { mut sources, mut refused, doubts } = found(rules, config)?;
    if let Some(only) = rules.and_then(|rules| rules.strip_prefix(rules::ONLY))
        && sources.is_empty()
        && refused.is_empty()
    {
        bail!("no rule is in {only}, and none but those are to run: their files end in .sql, .yml or .yaml");
    }
    doubts.iter().for_each(|error| tracing::warn!("{}", rules::doubtful(error)));
    let (parsed, unread) = library::rules(&sources);
    refused.extend(unread);
    let references = reference::read(&config.reference, &config.own_accounts)?;
    let (detector, uncompiled) = Detector::as_needed(logs::TABLES, &references, parsed);
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
