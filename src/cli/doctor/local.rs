//! What can be checked without AWS: the configuration, the rules, the disk, the files to read, the address of the metrics.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::path::Path;

use super::Doctor;
use super::check::{Check, Status};
use crate::archive::layout::PRIVATE;
use crate::archive::read::files;
use crate::catalog;
use crate::cli::configured::{Compiled, compile, distinct, each_way, memory, on_disk, sources, table};
use crate::cli::suppress::OF_WEIR;
use crate::config::Config;
use crate::logs::vpc_flow;
use crate::memory::{Memory, mib};
use crate::pipeline::bucket;
use crate::pipeline::commit::State;
use crate::source::{Source, s3};
use crate::time::Timestamp;
use crate::triage::canary::Canaries;
use crate::triage::suppress::Suppressions;

/// With less free, a full disk is near: a busy day of CloudTrail takes about that much.
const FREE_WANTED: u64 = 1 << 30;

/// `flags` say where the configuration was read, and what stands in place of its `from`.
pub fn checks(config: &Config, flags: &Doctor) -> Vec<Check> {
    let mut checks = configuration(config, flags);
    checks.extend(rules(config));
    checks.push(limit(config));
    checks.extend(archive(config));
    checks.extend(config.from.iter().filter_map(|from| input(from)));
    checks.extend(temporary(config));
    checks.extend(config.metrics.listen.as_deref().map(listener));
    checks
}

/// Whether large Parquet objects of buckets can be read.
fn temporary(config: &Config) -> Option<Check> {
    let is_object = |from: &String| from.starts_with("s3://") || from.starts_with("sqs://");
    config.from.iter().any(is_object).then(|| match s3::temporary() {
        Ok(_) => Check::ok("temporary files", format!("{} can be written", std::env::temp_dir().display())),
        Err(error) => {
            Check::new("temporary files", Status::Warning, format!("{error}; Parquet objects over 4 MiB need it"))
        }
    })
}

/// What parses and still makes no sense.
fn configuration(config: &Config, flags: &Doctor) -> Vec<Check> {
    let mut wrong: Vec<String> = Vec::new();
    let mut note = |key: &str, result: anyhow::Result<()>| {
        if let Err(error) = result {
            wrong.push(format!("{key}: {error:#}"));
        }
    };
    let mut all: Vec<Source> = Vec::new();
    for from in &config.from {
        let alone = Config { from: vec![from.clone()], ..config.clone() };
        note("from", sources(&alone, true).map(|found| all.extend(found)));
    }
    // flags may name together what is for runs of their own; what is wrong with one alone is told already
    let together = match flags.from.is_empty() && all.len() == config.from.len() {
        true => sources(config, true).map(|_| ()),
        false => distinct(&all),
    };
    note("from", together);
    note("table", config.table.as_deref().map_or(Ok(()), |name| table(name).map(|_| ())));
    let format = config.vpc_flow_format.as_deref().map_or(Ok(()), vpc_flow::check_format);
    note("vpc_flow_format", format.map_err(anyhow::Error::msg));
    match each_way(config) {
        Ok(ways) => ways.into_iter().for_each(|way| note("sink", way.map(|_| ()))),
        Err(error) => note("sink", Err(error)),
    }
    let suppressions = Suppressions::new(config.suppress.clone());
    let expired: Vec<Check> = match &suppressions {
        Err(_) => Vec::new(),
        Ok(known) => known.expired(Timestamp::now()).map(|(rule, day)| expired(rule, day)).collect(),
    };
    note("suppress", suppressions.map(|_| ()));
    note("canary", Canaries::new(config.canary.clone()).map(|_| ()));
    note("state", config.state.as_deref().map_or(Ok(()), |state| bucket::address(state).map(|_| ())));
    let mut checks: Vec<Check> = wrong.into_iter().map(|why| Check::failed("config", why)).collect();
    if checks.is_empty() {
        let name = flags.config.as_ref().map_or("the flags".to_owned(), |path| path.display().to_string());
        checks.push(match config.from.len() {
            0 => Check::new("config", Status::Warning, "nothing to read: set `from`, or give --from"),
            1 => Check::ok("config", format!("{name}: one source")),
            count => Check::ok("config", format!("{name}: {count} sources")),
        });
    }
    checks.extend(expired);
    checks
}

fn expired(rule: &str, day: &str) -> Check {
    let says = format!("that of {rule} expired on {day} and hides nothing: remove it, or give it another day");
    Check::new("suppress", Status::Warning, says)
}

/// Whether rules compile, and whether what names rules names some that are there.
fn rules(config: &Config) -> Vec<Check> {
    let (detector, refused) = match compile(config.rules.as_deref(), config) {
        Err(error) => return vec![Check::failed("rules", format!("{error:#}"))],
        Ok(Compiled { detector, refused, .. }) => (detector, refused),
    };
    let mut checks = vec![match &refused[..] {
        [] => match detector.rules().count() {
            1 => Check::ok("rules", "1 rule compiles"),
            count => Check::ok("rules", format!("{count} rules compile")),
        },
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
            Check::failed("rules", format!("left out: {first}{more}: `weir rules check` names all"))
        }
    }];
    let ids: Vec<&str> = detector.rules().map(|rule| rule.id.as_str()).collect();
    // what cannot be read is told of with the configuration
    if let Ok(suppressions) = Suppressions::new(config.suppress.clone()) {
        let ids: Vec<&str> = ids.iter().copied().chain(OF_WEIR).collect();
        let unknown = suppressions.without_rule(&ids).into_iter();
        let says = |rule: &str| format!("no rule is `{rule}`: it hides nothing");
        checks.extend(unknown.map(|rule| Check::new("suppress", Status::Warning, says(rule))));
    }
    if let Ok(canaries) = Canaries::new(config.canary.clone()) {
        let unknown = canaries.without_rule(&ids).into_iter();
        let says = |(name, rule): (&str, &str)| format!("{name}: no rule is `{rule}`: it will be missed");
        checks.extend(unknown.map(|canary| Check::new("canary", Status::Warning, says(canary))));
    }
    checks
}

/// How much memory a run with this configuration keeps to.
fn limit(config: &Config) -> Check {
    match memory(config) {
        Err(error) => Check::failed("memory", format!("limits.memory: {error:#}")),
        Ok(memory) => match memory.limit() {
            None => Check::ok(
                "memory",
                "no limit: everything has its usual size, and what rules remember goes by the machine's memory",
            ),
            Some(limit) if limit < Memory::FLOOR => Check::new(
                "memory",
                Status::Warning,
                format!("the control group allows {}: give it {}", mib(limit), mib(Memory::FLOOR)),
            ),
            Some(limit) => {
                let percent = memory.percent();
                Check::ok("memory", format!("{}: everything has {percent}% of its usual size", mib(limit)))
            }
        },
    }
}

/// Whether the archive can be written, and how much room it has.
fn archive(config: &Config) -> Vec<Check> {
    let dir = Path::new(&config.archive.dir);
    if config.archive.dir == "none" {
        return vec![Check::ok("archive", "none is kept")];
    }
    if let Err(error) = on_disk(config) {
        return vec![Check::failed("archive", error.to_string())];
    }
    // what is not there yet is made by the run, below what is there
    let Some(there) = dir
        .ancestors()
        .map(|path| if path == Path::new("") { Path::new(".") } else { path })
        .find(|path| path.exists())
    else {
        return vec![Check::failed("archive", format!("there is no folder above {}", dir.display()))];
    };
    // where rows wait for their commit: the folder of a run of another user is that user's alone
    let pending = dir.join(PRIVATE).join("pending");
    let is_there = std::fs::metadata(&pending).map_or_else(|error| is_denied(&error), |_| true);
    let place: &Path = if is_there { &pending } else { there };
    let written = match tempfile::tempfile_in(place) {
        Ok(_) if there == dir => Check::ok("archive", format!("{} can be written", dir.display())),
        Ok(_) => Check::ok("archive", format!("{} can be made", dir.display())),
        Err(error) => {
            let why =
                format!("{} cannot be written: {error}: give the user that Weir runs as the right to", place.display());
            Check::failed("archive", why)
        }
    };
    let room = match rustix::fs::statvfs(there) {
        Err(error) => Check::new("disk", Status::Warning, format!("{}: {error}", there.display())),
        Ok(found) => {
            let least = config.archive.buffer_bytes as u64;
            free(found.f_bavail.saturating_mul(found.f_frsize), least, there)
        }
    };
    let state = dir.join(PRIVATE).join("state.redb");
    let has_rows = || catalog::tables().any(|table| files(dir, table).is_ok_and(|files| !files.is_empty()));
    let last = match (config.state.is_none() && state.exists()).then(|| State::peek(&state)).transpose() {
        _ if config.state.is_some() => None,
        Ok(None | Some(None)) if has_rows() => Some(Check::new("state", Status::Warning, stateless(dir))),
        Ok(None) => None,
        Ok(Some(_)) => Some(Check::ok("state", format!("the last commit in {} can be read", state.display()))),
        Err(error) => Some(Check::failed("state", format!("{error:#}: {}", advice(&error)))),
    };
    [written, room].into_iter().chain(last).collect()
}

fn is_denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// What to do about a state that cannot be read.
fn advice(error: &anyhow::Error) -> &'static str {
    let cause = error.root_cause().downcast_ref::<io::Error>();
    match cause.is_some_and(is_denied) {
        true => "give the user that Weir runs as the right to",
        false => "take it from a backup, or read into another archive",
    }
}

fn stateless(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "{dir} has rows, and no state says what they are of: what is read again is in it twice: put its {PRIVATE}/state.redb back, or \
         name another archive"
    )
}

/// `least` is what one commit may write.
fn free(bytes: u64, least: u64, dir: &Path) -> Check {
    let says = format!("{:.1} GB are free at {}", bytes as f64 / 1e9, dir.display());
    match bytes {
        _ if bytes < least.saturating_mul(2) => {
            Check::failed("disk", format!("{says}: too little for a commit: make room"))
        }
        _ if bytes < FREE_WANTED => Check::new("disk", Status::Warning, format!("{says}: make room")),
        _ => Check::ok("disk", says),
    }
}

/// A file, folder or glob; `None` for what is not on this machine.
fn input(from: &str) -> Option<Check> {
    if from == "-" || from.contains("://") || from.starts_with("arn:") || from.starts_with("kinesis:") {
        return None;
    }
    let name = format!("reading {from}");
    if Path::new(from).exists() {
        let opened =
            if Path::new(from).is_dir() { std::fs::read_dir(from).map(|_| ()) } else { File::open(from).map(|_| ()) };
        return Some(match opened {
            Ok(()) => Check::ok(name, "it can be read"),
            Err(error) => Check::failed(name, format!("{error}: give the user that Weir runs as the right to")),
        });
    }
    if !from.contains(['*', '?', '[']) {
        return Some(Check::failed(name, "there is no such file or folder"));
    }
    Some(match glob::glob(from) {
        Err(error) => Check::failed(name, error.to_string()),
        Ok(mut found) => match found.next() {
            None => Check::new(name, Status::Warning, "nothing matches yet"),
            Some(_) => Check::ok(name, "something matches"),
        },
    })
}

fn listener(address: &str) -> Check {
    match TcpListener::bind(address) {
        Ok(_) => Check::ok("metrics", format!("{address} can be listened on")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Check::new("metrics", Status::Warning, format!("{address} is in use, by a Weir that runs or by another"))
        }
        Err(error) => {
            Check::failed("metrics", format!("{address}: {error}: give an address of this machine and a free port"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_another_user_is_no_damage() {
        let of = |kind: io::ErrorKind| advice(&anyhow::Error::from(io::Error::from(kind)).context("reading a"));
        assert_eq!(of(io::ErrorKind::PermissionDenied), "give the user that Weir runs as the right to");
        assert_eq!(of(io::ErrorKind::UnexpectedEof), "take it from a backup, or read into another archive");
    }

    #[test]
    fn a_disk_that_fills_up_is_told_in_time() {
        let of = |bytes| free(bytes, 48 << 20, Path::new("/a")).status;
        assert_eq!(of(96 << 20), Status::Warning);
        assert_eq!(of((96 << 20) - 1), Status::Failed);
        assert_eq!(of((1 << 30) - 1), Status::Warning);
        assert_eq!(of(1 << 30), Status::Ok);
    }
}
