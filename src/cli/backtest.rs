//! `weir backtest`: what rules would have found in the archive.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use clap::{Args, ValueEnum};
use futures::StreamExt;

use super::configured::{found, memory};
use super::output::{self, Failure, OrFail};
use super::{archived, reference, rules};
use crate::archive::read;
use crate::config::Config;
use crate::detect::reference::References;
use crate::detect::{Detector, library};
use crate::finding::{Finding, FindingId};
use crate::logs;
use crate::memory::Size;
use crate::pipeline::summary::{counted, matches, plural};
use crate::rule::Rule;
use crate::sink::table::plain;
use crate::sink::{self, Format};
use crate::sql::{self, replay};
use crate::table::{Batch, Table};
use crate::time::{MICROS_PER_DAY, Timestamp, day_text};
use crate::triage::Triage;
use crate::triage::canary::{Canaries, Told};
use crate::triage::suppress::Suppressions;

#[derive(Args)]
pub struct Backtest {
    /// Id of a rule, a rule's file (.sql, .yml), or a folder of them; without it every rule in force: the built-in ones, and those of
    /// the configuration
    #[arg(value_name = "RULE|PATH")]
    what: Option<String>,
    /// Folder of the archive [default: archive.dir of the configuration, weir-archive]
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// Only events from this day on (UTC): 2024-08-01
    #[arg(long, value_name = "DAY")]
    since: Option<String>,
    /// Only events up to this day, and with it
    #[arg(long, value_name = "DAY")]
    until: Option<String>,
    /// Form of the answer
    #[arg(long, value_enum, default_value = "table")]
    format: Form,
    /// Findings shown at most of each rule, in the table
    #[arg(long, value_name = "N", default_value_t = 5)]
    samples: usize,
    /// How much memory the process may take: from 1GiB up, windows have more room [default: limits.memory, or the limit of its control
    /// group]
    #[arg(long, value_name = "SIZE")]
    memory: Option<Size>,
    /// Configuration file, for the rules in force, the placeholders of Sigma rules, the lists that rules ask, suppressions, assets and
    /// canaries
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Table,
    /// The findings, one JSON object a line
    Ndjson,
}

pub fn run(flags: &Backtest) -> Result<ExitCode, Failure> {
    let days = (day(flags.since.as_deref()).or_usage()?, day(flags.until.as_deref()).or_usage()?);
    if let (Some(since), Some(until)) = days
        && since > until
    {
        let (since, until) = (day_text(since), day_text(until));
        return Err(Failure::Usage(anyhow!("nothing lies between {since} and {until}")));
    }
    let mut config = flags.config.as_deref().map(Config::read).transpose().or_usage()?.unwrap_or_default();
    config.limits.memory = flags.memory.or(config.limits.memory);
    let Chosen { rules: chosen, before } = chosen(flags, &config).or_usage()?;

    let archive = archived::folder(flags.archive.as_deref(), &config).or_usage()?;
    let references = reference::read(&config.reference, &config.own_accounts).or_usage()?;
    // of all rules in force nobody asks for one by name
    for rule in chosen.iter().filter(|rule| flags.what.is_some() && references.lack_for(rule)) {
        let needs = rule.needs.as_deref().unwrap_or_default();
        let id = &rule.id;
        output::say(format_args!("weir: rule left out: {id} waits for [reference.{needs}] of the configuration (-c)"));
    }
    let mut tried = Tried::new(chosen, &references, &config)?;
    if tried.tables().is_empty() {
        return Err(Failure::Usage(anyhow!("no rule is left in {}", flags.what.as_deref().unwrap_or_default())));
    }
    let mut in_force = Tried::new(before, &references, &config)?;
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().or_output()?;
    let rows = runtime.block_on(replay(&archive, days, &references, &mut tried, &mut in_force)).or_usage()?;
    tried.finish();
    in_force.finish();

    let mut out = output::open("-").or_output()?;
    match flags.format {
        Form::Ndjson => sink::json::lines(&tried.triage.findings(), &mut out).or_output()?,
        Form::Table => {
            let seconds = started.elapsed().as_secs_f64();
            let (asked, tables) = (counted(rows.asked, "row"), tried.tables().join(", "));
            let around = match rows.around {
                0 => String::new(),
                around => {
                    format!(" (and {around} around them, for windows that begin before and for what is new or unusual)")
                }
            };
            writeln!(out, "{asked} of {tables} in {seconds:.1} s{around}").or_output()?;
            tried.tell(&in_force, flags.samples, &mut out).or_output()?;
            tried.canaries().iter().try_for_each(|line| writeln!(out, "{line}")).or_output()?;
            tried.suppressed().iter().try_for_each(|line| writeln!(out, "{line}")).or_output()?;
        }
    }
    out.flush().or_output()?;
    if flags.format == Form::Ndjson {
        tried.suppressed().iter().for_each(|line| output::say(format_args!("weir: {line}")));
    }
    let shed = tried.shed() + in_force.shed();
    if shed > 0 {
        let windows = counted(shed, "window");
        output::say(format_args!(
            "weir: {windows} left early for want of room: some findings may be missing. Fewer rules or days at a time, or a higher \
             --memory (above 1GiB), leave room for all"
        ));
    }
    Ok(output::done_but_for(&rows.damaged))
}

fn day(text: Option<&str>) -> anyhow::Result<Option<i32>> {
    let Some(text) = text else { return Ok(None) };
    let day = Timestamp::parse(text).filter(|_| text.len() == "2024-08-01".len());
    day.map(|time| Some(time.day())).ok_or_else(|| anyhow!("`{text}` is not a day such as 2024-08-01"))
}

/// The rules to try, and of those in force that these are edits of, the text in force: what an edit gains and loses.
struct Chosen {
    rules: Vec<Rule>,
    before: Vec<Rule>,
}

fn chosen(flags: &Backtest, config: &Config) -> anyhow::Result<Chosen> {
    let in_force = found(config.rules.as_deref(), config)?;
    // a rule that the configuration leaves out can be tried as well
    let known = library::merge(library::built_in(), in_force.sources.clone());
    let (sources, refused) = match flags.what.as_deref() {
        None => (in_force.sources, in_force.refused),
        Some(path) if Path::new(path).exists() => {
            let found = rules::read(Path::new(path), &config.sigma)?;
            (found.sources, found.refused)
        }
        Some(id) => (known.iter().filter(|source| source.id == id).cloned().collect(), Vec::new()),
    };
    let (rules, unread) = library::rules(&sources);
    output::say_left_out(refused.iter().chain(&unread));
    if rules.is_empty() {
        let what = flags.what.as_deref().unwrap_or("the configuration");
        if !refused.is_empty() || !unread.is_empty() || flags.what.is_none() {
            bail!("no rule is left in {what}");
        }
        bail!("there is no rule `{what}`, and no such file or folder with rules: see `weir rules list`");
    }
    let edited = |rule: &Rule| rules.iter().any(|new| new.id == rule.id && new.text != rule.text);
    let before = library::rules(&known).0.into_iter().filter(edited).collect();
    Ok(Chosen { rules, before })
}

/// Rows that were read.
#[derive(Debug, Default)]
struct Rows {
    /// Of the days that were asked for.
    asked: u64,
    /// Of days before and behind them.
    around: u64,
    /// Files of the archive that lack some, and why.
    damaged: Vec<(PathBuf, String)>,
}

/// Puts the archive's rows through both, day by day: windows leave with theirs, so that a year takes as much room as a few days.
async fn replay(
    archive: &Path,
    asked: replay::Days,
    references: &References,
    tried: &mut Tried,
    in_force: &mut Tried,
) -> anyhow::Result<Rows> {
    let session = sql::session(archive)?;
    let mut rows = Rows::default();
    [&mut *tried, &mut *in_force].into_iter().for_each(|tried| tried.tell_of(asked));
    let around = |rule: &Rule| {
        let [one, other] = [&*tried, &*in_force].map(|tried| tried.detector.days_around(&rule.id));
        (rule.id.clone(), [one[0].max(other[0]), one[1].max(other[1])])
    };
    let around: BTreeMap<String, [i32; 2]> = tried.detector.rules().map(around).collect();
    for table in logs::TABLES {
        if tried.detector.columns(table).is_empty() {
            continue;
        }
        let (mut known, mut columns) = (None, BTreeSet::new());
        // rows whose time is missing or absurd come first
        let days: BTreeSet<Option<i32>> =
            read::files(archive, table)?.into_iter().map(|found| found.partition.day).collect();
        for day in days {
            let wanted = wanted(&around, asked, day);
            if known.as_ref() != Some(&wanted) {
                columns =
                    [&*tried, &*in_force].iter().flat_map(|tried| tried.columns(table, references, &wanted)).collect();
                known = Some(wanted.clone());
            }
            if columns.is_empty() {
                continue;
            }
            let is_asked = is_asked(asked, day);
            let mut batches = std::pin::pin!(replay::batches_of(&session, table, &columns, day).await?);
            while let Some(batch) = batches.next().await {
                let batch = batch.with_context(|| format!("reading the archived {}", table.name))?;
                *(if is_asked { &mut rows.asked } else { &mut rows.around }) += batch.rows.num_rows() as u64;
                let batch = [batch];
                if is_asked {
                    tried.triage.watch(&batch);
                    in_force.triage.watch(&batch);
                }
                tried.observe(&wanted, &batch);
                in_force.observe(&wanted, &batch);
            }
            if let Some(day) = day {
                tried.all_came(day);
                in_force.all_came(day);
            }
        }
    }
    rows.damaged = sql::damaged(&session);
    Ok(rows)
}

/// The rules that rows of a day matter to.
fn wanted(around: &BTreeMap<String, [i32; 2]>, (since, until): replay::Days, day: Option<i32>) -> BTreeSet<String> {
    let matters = |[before, behind]: &[i32; 2]| match day {
        Some(day) => {
            since.is_none_or(|since| day >= since.saturating_sub(*before))
                && until.is_none_or(|until| day <= until.saturating_add(*behind))
        }
        None => since.is_none() && until.is_none(),
    };
    around.iter().filter(|(_, days)| matters(days)).map(|(rule, _)| rule.clone()).collect()
}

fn is_asked((since, until): replay::Days, day: Option<i32>) -> bool {
    match day {
        Some(day) => since.is_none_or(|since| day >= since) && until.is_none_or(|until| day <= until),
        None => since.is_none() && until.is_none(),
    }
}

/// Rules, and what they have found.
struct Tried {
    detector: Detector,
    triage: Triage,
    /// Findings of rows that are all before or behind these days are not told.
    asked: replay::Days,
    /// Of suppressions, those that expired before this hide nothing.
    now: Timestamp,
    /// What they hide. A window is found again as it grows.
    hidden: BTreeSet<FindingId>,
}

impl Tried {
    fn new(rules: Vec<Rule>, references: &References, config: &Config) -> Result<Tried, Failure> {
        let (mut detector, refused) = Detector::with_references(logs::TABLES, references, rules);
        output::say_left_out(&refused);
        detector.keep_to(memory(config).or_usage()?);
        let suppressions = Suppressions::new(config.suppress.clone()).or_usage()?;
        let canaries = Canaries::new(config.canary.clone()).or_usage()?;
        let triage = Triage::new(suppressions, config.assets.clone()).with_canaries(canaries);
        Ok(Tried { detector, triage, asked: (None, None), now: Timestamp::now(), hidden: BTreeSet::new() })
    }

    fn tell_of(&mut self, asked: replay::Days) {
        self.asked = asked;
    }

    /// The columns that some of its rules read.
    fn columns(&self, table: &Table, references: &References, wanted: &BTreeSet<String>) -> BTreeSet<String> {
        if self.detector.rules().all(|rule| wanted.contains(&rule.id)) {
            return self.detector.columns(table);
        }
        let rules = self.detector.rules().filter(|rule| wanted.contains(&rule.id)).cloned();
        Detector::with_references(logs::TABLES, references, rules).0.columns(table)
    }

    fn observe(&mut self, wanted: &BTreeSet<String>, batches: &[Batch]) {
        let found = self.detector.observe_for(&|rule| wanted.contains(rule), batches);
        self.settle(found);
    }

    fn all_came(&mut self, day: i32) {
        let found = self.detector.all_came(Timestamp(i64::from(day + 1) * MICROS_PER_DAY));
        self.settle(found);
    }

    fn finish(&mut self) {
        let found = self.detector.finish();
        self.settle(found);
    }

    fn settle(&mut self, mut found: Vec<Finding>) {
        let (since, until) = self.asked;
        found.retain(|finding| {
            since.is_none_or(|since| finding.last_seen.day() >= since)
                && until.is_none_or(|until| finding.first_seen.day() <= until)
        });
        let hides = |finding: &&Finding| self.triage.suppressions().covers(finding, self.now);
        self.hidden.extend(found.iter().filter(hides).map(|finding| finding.id));
        self.triage.settle(found, self.now);
    }

    /// What the rows had of canaries that are of these rules: their events are no findings.
    fn canaries(&self) -> Vec<String> {
        let ids: Vec<&str> = self.detector.rules().map(|rule| rule.id.as_str()).collect();
        let canaries = self.triage.canaries();
        let others: Vec<&str> = canaries.without_rule(&ids).into_iter().map(|(name, _)| name).collect();
        let told = canaries.told().filter(|canary| !others.contains(&canary.name));
        let one = |canary: Told| match canary.last {
            Some(last) => format!("canary {}: {}, last at {last}", canary.name, matches(canary.matches)),
            None => format!("canary {}: none of its events was detected", canary.name),
        };
        told.map(one).collect()
    }

    /// What the configuration hides.
    fn suppressed(&self) -> Option<String> {
        let count = (!self.hidden.is_empty()).then(|| counted(self.hidden.len() as u64, "finding"))?;
        let hidden = self.triage.suppressions().hidden();
        let by: Vec<String> = hidden.map(|(rule, reason, _)| format!("{rule} ({reason})")).collect();
        Some(format!("{count} suppressed, by [[suppress]] of {}", by.join(", ")))
    }

    /// Groups of windows that there was no room for, of all rules.
    fn shed(&self) -> u64 {
        self.detector.costs().values().map(|cost| cost.shed).sum()
    }

    fn tables(&self) -> Vec<&'static str> {
        let read = |table: &&&Table| !self.detector.columns(table).is_empty();
        logs::TABLES.iter().filter(read).map(|table| table.name).collect()
    }

    fn tell(&self, in_force: &Tried, samples: usize, out: &mut dyn Write) -> anyhow::Result<()> {
        let all = self.triage.findings();
        let before = in_force.triage.findings();
        let rules: Vec<&Rule> = self.detector.rules().collect();
        let quiet = rules.iter().filter(|rule| all.iter().all(|finding| finding.rule != rule.id)).count();
        let (findings, ruled) = (counted(all.len() as u64, "finding"), counted(rules.len() as u64, "rule"));
        writeln!(out, "{findings} of {ruled}; {} found nothing", counted(quiet as u64, "rule"))?;
        for rule in rules {
            let found: Vec<&Finding> = all.iter().filter(|finding| finding.rule == rule.id).collect();
            let was = in_force.detector.rules().find(|old| old.id == rule.id);
            if !found.is_empty() || was.is_some() {
                writeln!(out, "\n{} ({}): {}", rule.id, rule.severity, rule.title)?;
                one(&found, out)?;
            }
            let Some(was) = was else {
                table("", &found, samples, out)?;
                continue;
            };
            let were: Vec<&Finding> = before.iter().filter(|finding| finding.rule == rule.id).collect();
            writeln!(out, "  against {}: {}", named(was), beside(&were, &found))?;
            let is_among = |some: &[&Finding], finding: &&&Finding| some.iter().any(|other| other.id == finding.id);
            let lost: Vec<&Finding> = were.iter().filter(|finding| !is_among(&found, finding)).copied().collect();
            table("lost", &lost, samples, out)?;
            let (kept, gained): (Vec<&Finding>, Vec<&Finding>) =
                found.iter().partition(|finding| is_among(&were, finding));
            table("gained", &gained, samples, out)?;
            table("kept", &kept, samples, out)?;
        }
        let failing = self.detector.costs().iter().filter_map(|(rule, cost)| Some((rule, cost.error.as_ref()?)));
        failing.for_each(|(rule, error)| output::say(format_args!("weir: {rule} could not judge rows: {error}")));
        Ok(())
    }
}

/// What an edit is compared with.
fn named(rule: &Rule) -> String {
    let is_built_in = library::built_in().iter().any(|source| source.id == rule.id && source.text == rule.text);
    if is_built_in { "the built-in rule".to_owned() } else { format!("the rule in force, {}", rule.file) }
}

/// The first of some findings, with what they are above them.
fn table(what: &str, findings: &[&Finding], samples: usize, out: &mut dyn Write) -> anyhow::Result<()> {
    let shown: Vec<Finding> = findings.iter().take(samples).map(|finding| (*finding).clone()).collect();
    if shown.is_empty() {
        return Ok(());
    }
    if !what.is_empty() {
        writeln!(out, "  {what}:")?;
    }
    sink::write(Format::Table, &shown, output::look("-"), Timestamp(0), out)?;
    Ok(())
}

/// What an edited rule finds beside what it found before.
fn beside(were: &[&Finding], are: &[&Finding]) -> String {
    let counts = |found: &[&Finding]| -> BTreeMap<FindingId, u64> {
        found.iter().map(|finding| (finding.id, finding.count)).collect()
    };
    let (were, are) = (counts(were), counts(are));
    let kept: Vec<(u64, u64)> = were.iter().filter_map(|(id, was)| Some((*was, *are.get(id)?))).collect();
    let (gained, lost) = (are.len() - kept.len(), were.len() - kept.len());
    let changed: Vec<&(u64, u64)> = kept.iter().filter(|(was, is)| was != is).collect();
    let (was, is) = changed.iter().fold((0, 0), |(all, now), (was, is)| (all + was, now + is));
    let more = match changed.len() {
        0 => String::new(),
        other => format!(", {other} of them with {} where there were {was}", counted(is, "row")),
    };
    format!("{gained} gained, {lost} lost, {} kept{more}", kept.len())
}

/// Findings per day, and who has most of them.
fn one(found: &[&Finding], out: &mut dyn Write) -> anyhow::Result<()> {
    let (mut days, mut actors) = (BTreeMap::<i32, u64>::new(), BTreeMap::<&str, u64>::new());
    for finding in found {
        *days.entry(finding.first_seen.day()).or_default() += 1;
        *actors.entry(finding.actor.as_deref().unwrap_or("unknown")).or_default() += 1;
    }
    let events: u64 = found.iter().map(|finding| finding.count).sum();
    writeln!(out, "  {} finding{} of {events} event{}", found.len(), plural(found.len()), plural(events as usize))?;
    for (day, count) in &days {
        writeln!(out, "  {} {count:>6} {}", day_text(*day), "#".repeat(60.min(*count as usize)))?;
    }
    let mut most: Vec<(u64, &str)> = actors.into_iter().map(|(actor, count)| (count, actor)).collect();
    most.sort_by(|a, b| b.cmp(a));
    let most: Vec<String> = most.iter().take(5).map(|(count, actor)| format!("{} ({count})", plain(actor))).collect();
    if !most.is_empty() {
        writeln!(out, "  most: {}", most.join(", "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::one_match;

    #[test]
    fn an_edit_that_multiplies_matches_is_seen() {
        let finding = |id: u8, count: u64| Finding {
            id: FindingId([id; 16]),
            count,
            ..one_match("t/r", "arn", Timestamp(0), "e")
        };
        let (one, two, more, other) = (finding(1, 3), finding(2, 1), finding(2, 8), finding(3, 1));
        assert_eq!(beside(&[&one, &two], &[&two]), "0 gained, 1 lost, 1 kept");
        assert_eq!(
            beside(&[&one, &two], &[&one, &more, &other]),
            "1 gained, 0 lost, 2 kept, 1 of them with 8 rows where there were 1"
        );
    }
}
