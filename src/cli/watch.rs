//! Files of rules, lists and configuration → what a run that goes on takes up when they change.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, UNIX_EPOCH};

use tokio_util::sync::CancellationToken;

use super::configured::{Compiled, found};
use super::holes::Judge;
use super::run::Common;
use super::{primed, reference, rules};
use crate::config::Config;
use crate::detect::Digest;
use crate::detect::library::Source;
use crate::detect::reference::References;
use crate::detect::renew::{Renewed, renew};
use crate::logs;
use crate::memory::Memory;
use crate::pipeline::renewal::{Asked, Looks, Renewal, Renewals, Taken};
use crate::time::Timestamp;
use crate::triage::canary::Canaries;
use crate::triage::suppress::Suppressions;

/// Renewals that wait for a turn at most; then the watcher waits, and sees the last state of the files.
const WAITING_MAX: usize = 2;

/// What is in force, and the files that it was read from.
pub struct Watch {
    flags: Common,
    config: Config,
    /// What the run may take, which is set once.
    memory: Memory,
    sources: Vec<Source>,
    references: References,
    /// What the rules over windows ask of rows, by their ids.
    asked: BTreeMap<String, Digest>,
    looks: Looks,
    lost: Asked,
    /// Of the files that `sources`, `references` and `config` were read from.
    seen: Stamp,
    /// Of files that have changed, and may be in the middle of it.
    changing: Option<Stamp>,
    /// The rules could not be read at the last look: what could not, lists and configuration included.
    gone: Option<Vec<String>>,
    /// What is wrong now, as it was said.
    refused: Vec<String>,
    /// The sections that wait for the next start: as the run began with them, and as they were at the last look.
    begun: Option<String>,
    latest: Option<String>,
}

pub type Stamp = blake3::Hash;

impl Watch {
    /// `seen` is the [`stamp`] of before the files were read, and `memory` what rules that come look at the archive with.
    pub fn new(flags: Common, config: Config, compiled: &mut Compiled, seen: Stamp, memory: Memory) -> Watch {
        let refused = compiled.refused.iter().map(ToString::to_string).collect();
        let (sources, references) = (compiled.sources.clone(), compiled.references.clone());
        let asked = compiled.detector.asked_of_rows();
        let (looks, lost) = (Looks::default(), Asked::default());
        // flags of one command alone stand over them in `config`
        let begun = flags.reread().ok().map(|config| of_a_start(&config));
        Watch {
            flags,
            config,
            memory,
            sources,
            references,
            asked,
            looks,
            lost,
            seen,
            changing: None,
            gone: None,
            refused,
            latest: begun.clone(),
            begun,
        }
    }

    /// Looks at the files every so often on a thread of its own, which ends with the run.
    pub fn start(self, every: Duration, stop: CancellationToken) -> Renewals {
        let (tell, came) = sync_channel(WAITING_MAX);
        let (looks, lost) = (self.looks.clone(), self.lost.clone());
        std::thread::spawn(move || self.run(every, &stop, &tell));
        Renewals { came, looks, lost }
    }

    fn run(mut self, every: Duration, stop: &CancellationToken, tell: &SyncSender<Renewal>) {
        let mut next = Some(self.nothing_new());
        while !stop.is_cancelled() {
            if next.take().is_some_and(|renewal| tell.send(renewal).is_err()) {
                return;
            }
            std::thread::sleep(every);
            next = self.look(stop).or_else(|| self.judge_again(stop));
        }
    }

    fn nothing_new(&self) -> Renewal {
        Renewal { taken: None, refused: self.refused.clone(), unsaid: Vec::new(), judged: Vec::new() }
    }

    /// What the archive tells that the run wants it to be asked again.
    fn judge_again(&self, stop: &CancellationToken) -> Option<Renewal> {
        let lost = self.lost.take();
        if lost.is_empty() {
            return None;
        }
        let (references, limits) = (&self.references, self.config.quarantine);
        let archive = Path::new(&self.config.archive.dir);
        let judged = Judge { references, limits, archive, now: Timestamp::now(), stop }.again(lost, self.memory);
        Some(Renewal { judged, ..self.nothing_new() })
    }

    /// What has changed; files that change between two looks are left to the next one, since they may be half written.
    fn look(&mut self, stop: &CancellationToken) -> Option<Renewal> {
        let now = stamp(&self.flags, &self.config);
        // a folder that was gone may come back as it was
        if now == self.seen && self.gone.is_none() {
            self.changing = None;
            return None;
        }
        if self.changing.replace(now) != Some(now) {
            return None;
        }
        self.renew(now, stop)
    }

    fn renew(&mut self, now: Stamp, stop: &CancellationToken) -> Option<Renewal> {
        let mut refused = Vec::new();
        let (config, suppressions, canaries) = match self.configuration() {
            Ok(read) => read,
            Err(error) => {
                refused.push(one_line(&error));
                let suppressions = Suppressions::new(self.config.suppress.clone()).expect("they are in force");
                let canaries = Canaries::new(self.config.canary.clone()).expect("they are in force");
                (self.config.clone(), suppressions, canaries)
            }
        };
        let (references, unread) = reference::read_again(&config.reference, &config.own_accounts, &self.references);
        refused.extend(unread.iter().map(one_line));
        let found = found(config.rules.as_deref(), &config);
        match &found {
            Ok(_) => (self.seen, self.changing) = (now, None),
            // what cannot be read may be there at the next look
            Err(error) => refused.push(one_line(error)),
        }
        let gone = found.is_err().then(|| refused.clone());
        let is_as_before = gone.is_some()
            && gone == self.gone
            && references.is_same(&self.references)
            && in_force(&config) == in_force(&self.config);
        if is_as_before {
            return None;
        }
        self.gone = gone;
        let found = found.unwrap_or_else(|_| rules::Found { sources: self.sources.clone(), ..rules::Found::default() });
        found.doubts.iter().for_each(|error| tracing::warn!("{}", rules::doubtful(error)));
        let (mut renewed, references) = self.compile(found, references);
        refused.extend(renewed.refused.iter().map(ToString::to_string));
        let is_changed = renewed.sources != self.sources
            || !references.is_same(&self.references)
            || in_force(&config) != in_force(&self.config);
        if !is_changed && refused == self.refused {
            return None;
        }
        let assets = config.assets.clone();
        renewed.detector.limit(config.quarantine);
        renewed.detector.keep_to(self.memory);
        let asked = renewed.detector.asked_of_rows();
        let anew: BTreeSet<String> =
            asked.iter().filter(|(id, asks)| self.asked.get(*id) != Some(asks)).map(|(id, _)| id.clone()).collect();
        let mut looked = None;
        if is_changed && !anew.is_empty() && config.archive.dir != "none" {
            looked = self.looks.ask(stop);
            let anew = |id: &str| anew.contains(id);
            let (detector, archive) = (&mut renewed.detector, Path::new(&config.archive.dir));
            primed::know_open_windows(detector, &anew, &references, archive, true, stop);
            primed::know_what_is_new(detector, &anew, &references, archive, stop);
            primed::know_what_is_usual(detector, &anew, &references, archive, stop, None);
        }
        if is_changed {
            self.asked = asked;
        }
        let taken = || Taken { detector: renewed.detector, anew, looked, suppressions, canaries, assets };
        let taken = is_changed.then(|| Box::new(taken()));
        (self.sources, self.references, self.config) = (renewed.sources, references, config);
        let unsaid = refused.iter().filter(|why| !self.refused.contains(why)).cloned().collect();
        self.refused.clone_from(&refused);
        Some(Renewal { taken, refused, unsaid, judged: Vec::new() })
    }

    /// Whether something is edited that waits for the next start; true once for each edit.
    fn waits(&mut self, config: &Config) -> bool {
        let now = Some(of_a_start(config));
        let is_edit = now != self.latest && now != self.begun;
        self.latest = now;
        is_edit
    }

    /// The archive is that which the run writes, whatever the file says by now.
    fn configuration(&mut self) -> anyhow::Result<(Config, Suppressions, Canaries)> {
        let read = self.flags.reread()?;
        if self.waits(&read) {
            tracing::warn!(
                "an edit of the configuration waits for the next start: a run that goes on takes up `rules`, `own_accounts`, [sigma], \
                 [reference], [quarantine], [[suppress]], [[canary]] and [[assets]] alone"
            );
        }
        let config = Config { archive: self.config.archive.clone(), ..read };
        let suppressions = Suppressions::new(config.suppress.clone())?;
        let canaries = Canaries::new(config.canary.clone())?;
        Ok((config, suppressions, canaries))
    }

    /// The rules with their lists. One in force that asks a list which is gone has it for as long as the run goes on.
    fn compile(&self, found: rules::Found, references: References) -> (Renewed, References) {
        let compile = |references: &References| {
            renew(logs::TABLES, &self.sources, found.sources.clone(), found.refused.clone(), references)
        };
        let renewed = compile(&references);
        if !renewed.lost {
            return (renewed, references);
        }
        let references = references.and_those_of(&self.references);
        (Renewed { refused: renewed.refused, ..compile(&references) }, references)
    }
}

/// The sections that a run takes up while it goes on.
fn in_force(config: &Config) -> String {
    format!("{:?}", (&config.quarantine, &config.suppress, &config.canary, &config.assets))
}

/// The sections that it takes up at its start alone.
fn of_a_start(config: &Config) -> String {
    let Config { from, table, vpc_flow_format, state, limits, source, archive, metrics, aws, sink, .. } = config;
    format!("{:?}", (from, table, vpc_flow_format, state, limits, (source, archive, metrics, aws, sink)))
}

/// What is wrong, with the place that TOML shows over several lines.
fn one_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    text.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "|").collect::<Vec<_>>().join(" ")
}

/// Content of the configuration and the rules, and size and time of the lists, which may be large.
pub fn stamp(flags: &Common, config: &Config) -> Stamp {
    let mut hash = blake3::Hasher::new();
    if let Some(path) = flags.config_file() {
        content(&mut hash, path);
    }
    if let Some(dir) = config.rules.as_deref().and_then(rules::folder) {
        for entry in rules::below(dir) {
            let path: PathBuf = match entry {
                Ok(entry) if !entry.file_type().is_dir() && rules::is_of_rules(entry.path()) => entry.into_path(),
                Ok(_) => continue,
                Err(error) => {
                    hash.update(error.to_string().as_bytes());
                    continue;
                }
            };
            content(&mut hash, &path);
        }
    }
    for list in config.reference.values() {
        hash.update(list.path.as_os_str().as_encoded_bytes());
        let Ok(meta) = fs::metadata(&list.path) else { continue };
        let time = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        hash.update(&meta.len().to_le_bytes()).update(&time.as_nanos().to_le_bytes());
    }
    hash.finalize()
}

fn content(hash: &mut blake3::Hasher, path: &Path) {
    hash.update(path.as_os_str().as_encoded_bytes());
    match fs::read(path) {
        Ok(bytes) => hash.update(&[1]).update(&(bytes.len() as u64).to_le_bytes()).update(&bytes),
        Err(_) => hash.update(&[0]),
    };
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::configured::compile;
    use super::*;
    use crate::archive::{self, Archive};
    use crate::detect::tests::{batch, event, rule};
    use crate::pipeline::holes::Lost;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        common: Common,
    }

    #[test]
    fn rules_that_come_look_at_the_archive_with_the_memory_of_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let rule = folder.path().join("cloudtrail/x.sql");
        fs::create_dir(folder.path().join("cloudtrail")).unwrap();
        let header = "-- title = \"t\"\n-- severity = \"low\"\n-- tags = [\"a\"]\n-- remedy = \"r\"\n";
        let text = |name: &str| format!("{header}SELECT eventTime FROM cloudtrail WHERE eventName = '{name}'");
        fs::write(&rule, text("GetUser")).unwrap();
        let only = format!("only:{}", folder.path().display());
        let flags = Flags::parse_from(["weir", "--rules", &only, "--archive", "none"]).common;
        let Ok(config) = flags.configuration() else { panic!("the flags are a configuration") };
        let mut compiled = compile(config.rules.as_deref(), &config).unwrap();
        let memory = Memory::of_limit("256MiB".parse().unwrap()).unwrap();
        let mut watch = Watch::new(flags.clone(), config.clone(), &mut compiled, stamp(&flags, &config), memory);
        fs::write(&rule, text("ListUsers")).unwrap();
        let renewal = watch.renew(stamp(&flags, &config), &CancellationToken::new()).unwrap();
        assert_eq!((renewal.refused, renewal.taken.unwrap().detector.memory()), (Vec::new(), memory));
    }

    #[test]
    fn an_edit_that_waits_for_the_next_start_is_told_of_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weir.toml");
        let write = |text: &str| fs::write(&file, format!("rules = \"none\"\narchive.dir = \"none\"\n{text}")).unwrap();
        write("limits.commit_seconds = 30\n");
        let flags = Flags::parse_from(["weir", "-c", &file.display().to_string()]).common;
        let Ok(mut config) = flags.configuration() else { panic!("the file is a configuration") };
        // as --from has it
        config.from = vec!["logs".into()];
        let mut compiled = compile(config.rules.as_deref(), &config).unwrap();
        let seen = stamp(&flags, &config);
        let mut watch = Watch::new(flags, config, &mut compiled, seen, Memory::default());
        fs::write(&file, "archive.dir = \"other\"\n").unwrap();
        assert_eq!(watch.configuration().unwrap().0.archive.dir, "none", "it is what the run writes");
        let mut waits = |text: &str| {
            write(text);
            watch.waits(&watch.flags.reread().unwrap())
        };
        let quarantine = "limits.commit_seconds = 30\nquarantine.hours = 2\n";
        let edited = "limits.commit_seconds = 31\n";
        let moved = "limits.commit_seconds = 31\n[[assets]]\npattern = \"x\"\nworth = \"sandbox\"\n";
        let told = [quarantine, edited, edited, moved, quarantine, edited].map(&mut waits);
        assert_eq!(told, [false, true, false, false, false, true]);
    }

    #[test]
    fn the_archive_is_asked_again_for_what_a_run_lost() {
        let folder = tempfile::tempdir().unwrap();
        let mut archive = Archive::open(folder.path(), &archive::Config::default()).unwrap();
        archive.add(vec![batch(&[event("GetUser", "e1"), event("GetUser", "e2"), event("ListUsers", "e3")])]);
        let objects = archive.write(1).unwrap();
        archive.publish(&objects).unwrap();
        let flags =
            Flags::parse_from(["weir", "--rules", "none", "--archive", &folder.path().display().to_string()]).common;
        let Ok(config) = flags.configuration() else { panic!("the flags are a configuration") };
        let mut compiled = compile(config.rules.as_deref(), &config).unwrap();
        let watch = Watch::new(flags.clone(), config.clone(), &mut compiled, stamp(&flags, &config), Memory::default());
        let stop = CancellationToken::new();
        assert!(watch.judge_again(&stop).is_none());
        let sql = "SELECT count(*) AS n FROM cloudtrail WHERE eventName = 'GetUser' \
                   GROUP BY account, tumble(eventTime, INTERVAL '1 hour') HAVING count(*) >= 2";
        let day = Timestamp::parse("2024-08-01T00:00:00Z").unwrap().day();
        let lost = |day| Lost { rule: rule("", sql), around: [0, 0], holes: Vec::new(), days: (day, day) };
        watch.lost.ask(vec![lost(day), lost(day + 1)]);
        let judged = watch.judge_again(&stop).unwrap().judged;
        let told: Vec<_> =
            judged.iter().map(|judged| judged.told.as_ref().map(|(rows, all)| (*rows, all.len()))).collect();
        assert_eq!(told, [Ok((3, 1))], "of the other day there is nothing");
        assert!(watch.judge_again(&stop).is_none());
    }
}
