//! `weir feedback`: what people found out about findings, written down where the next run takes it up.

mod import;

use std::collections::{BTreeSet, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::{ArgGroup, Args};

use super::archived::Home;
use super::output::{self, Failure, OrFail};
use crate::config::Config;
use crate::detect::library;
use crate::finding::{Finding, FindingId};
use crate::pipeline::feedback;
use crate::rule::Confidence;
use crate::sink::table::plain;
use crate::time::Timestamp;
use crate::triage::Triage;
use crate::triage::feedback::{Judgement, Verdict};
use crate::triage::incident::incidents;
use crate::triage::incident::risk::is_evidence;

#[derive(Args)]
#[command(group = ArgGroup::new("judged").args(["findings", "import"]))]
pub struct Feedback {
    /// Findings that a verdict is on: their ids, or that of an incident for all of its evidence, or the beginning of each;
    /// without any, the verdicts so far are shown
    #[arg(value_name = "ID")]
    findings: Vec<String>,
    /// They are what their titles say
    #[arg(long, conflicts_with_all = ["dismissed", "withdrawn", "import"])]
    confirmed: bool,
    /// They were harmless
    #[arg(long, conflicts_with_all = ["withdrawn", "import"])]
    dismissed: bool,
    /// Take back what was said of them
    #[arg(long, conflicts_with = "import")]
    withdrawn: bool,
    /// Take verdicts from a file, or `-`: CSV with a header, or NDJSON, of finding, verdict, and by, at, note where known
    #[arg(long, value_name = "FILE")]
    import: Option<PathBuf>,
    /// Say what the file would do, and write nothing
    #[arg(long, requires = "import", conflicts_with_all = ["confirmed", "dismissed", "withdrawn"])]
    dry_run: bool,
    /// Who says so; of a file, in lines that do not say it
    #[arg(long, value_name = "WHO", requires = "judged")]
    by: Option<String>,
    /// Why, or a ticket; of a file, in lines that do not say it
    #[arg(long, value_name = "TEXT", requires = "judged")]
    note: Option<String>,
    /// The archive whose findings they are; a run may be writing to it [default: weir-archive]
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// Configuration file, for the archive or the state in S3
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(flags: &Feedback) -> Result<ExitCode, Failure> {
    let config = flags.config.as_deref().map(Config::read).transpose().or_usage()?.unwrap_or_default();
    let home = Home::of(flags.archive.as_deref(), &config).or_usage()?;
    let verdict = match (flags.confirmed, flags.dismissed, flags.withdrawn) {
        (true, ..) => Some(Verdict::Confirmed),
        (_, true, _) => Some(Verdict::Dismissed),
        (.., true) => Some(Verdict::Withdrawn),
        _ => None,
    };
    let triage = home.triage(&config).or_usage()?;
    if let Some(file) = &flags.import {
        return take(flags, file, &triage, &home, &config);
    }
    match (&flags.findings[..], verdict) {
        ([], None) => show(&triage)?,
        ([], Some(_)) => return Err(Failure::Usage(anyhow!("name the findings that this is said of by their ids"))),
        (_, None) => {
            return Err(Failure::Usage(anyhow!("say what was found out: --confirmed, --dismissed or --withdrawn")));
        }
        (ids, Some(verdict)) => {
            let findings = triage.findings();
            let named = ids.iter().map(|id| named(&findings, id)).collect::<anyhow::Result<Vec<_>>>().or_usage()?;
            let (mut judged, mut seen) = (named.concat(), BTreeSet::new());
            // one may be named by two beginnings of its id, or by that of its incident too
            judged.retain(|finding| seen.insert(finding.id));
            add(&home, lines(flags, &judged, verdict).or_output()?).or_output()?;
            tell(&triage, &home, &config, &judged)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes the verdicts of a file: wrong lines are named, and the others count.
fn take(flags: &Feedback, file: &Path, triage: &Triage, home: &Home, config: &Config) -> Result<ExitCode, Failure> {
    let name = if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() };
    let text = match file == Path::new("-") {
        true => std::io::read_to_string(std::io::stdin()),
        false => std::fs::read_to_string(file),
    };
    let text = text.with_context(|| format!("reading {name}")).or_usage()?;
    let defaults = import::Defaults { by: flags.by.as_deref(), note: flags.note.as_deref(), now: Timestamp::now() };
    let import::Imported { judgements, wrong } = import::read(&text, &triage.findings(), &defaults);
    wrong.iter().for_each(|(line, why)| output::say(format_args!("weir: {name}:{line}: {why}")));
    let mut lines = String::new();
    for judgement in &judgements {
        lines += &serde_json::to_string(judgement).context("writing a verdict").or_output()?;
        lines.push('\n');
    }
    if !flags.dry_run && !judgements.is_empty() {
        add(home, lines).or_output()?;
    }
    let count = |verdict| judgements.iter().filter(|judgement| judgement.verdict == verdict).count();
    let (confirmed, dismissed) = (count(Verdict::Confirmed), count(Verdict::Dismissed));
    let (withdrawn, wrong) = (count(Verdict::Withdrawn), wrong.len());
    let taken = if flags.dry_run { "would be taken" } else { "taken" };
    let lines = if wrong == 1 { "line is" } else { "lines are" };
    let mut out = output::open("-").or_output()?;
    let mut write = || -> anyhow::Result<()> {
        let counts = format!("{confirmed} confirmed, {dismissed} dismissed, {withdrawn} withdrawn");
        let verdicts = if judgements.len() == 1 { "verdict" } else { "verdicts" };
        writeln!(out, "{} {verdicts} {taken}: {counts}; {wrong} {lines} wrong", judgements.len())?;
        Ok(out.flush()?)
    };
    output::unless_closed(write()).or_output()?;
    if !flags.dry_run {
        tell(triage, home, config, &[])?;
    }
    Ok(if wrong > 0 { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

/// Writes lines where the state's verdicts are.
fn add(home: &Home, lines: String) -> anyhow::Result<()> {
    match home {
        Home::Archive(dir) => feedback::add(dir, |_| lines),
        Home::Bucket { .. } => home.said().expect("it is in a bucket")?.add(&lines),
    }
}

/// The finding with an id that begins so, in capitals or not; where there is none, the evidence of an incident with such an id.
fn named<'a>(findings: &'a [Finding], id: &str) -> anyhow::Result<Vec<&'a Finding>> {
    let digits = id.to_ascii_lowercase();
    let matching: Vec<_> = findings.iter().filter(|finding| finding.id.to_string().starts_with(&digits)).collect();
    match matching[..] {
        [finding] => Ok(vec![finding]),
        [] => of_incident(findings, &digits)
            .ok_or_else(|| anyhow!("no finding of the archive, and no incident, has an id that begins with {id}")),
        _ => Err(anyhow!("{} findings have an id that begins with {id}", matching.len())),
    }
}

/// The evidence of the one incident whose id begins so.
fn of_incident<'a>(findings: &'a [Finding], digits: &str) -> Option<Vec<&'a Finding>> {
    let mut incidents = incidents(findings);
    incidents.retain(|incident| incident.id.to_string().starts_with(digits));
    let [incident] = &incidents[..] else { return None };
    let evidence = incident.findings.iter().filter(|finding| is_evidence(finding));
    let ids: BTreeSet<FindingId> = evidence.map(|finding| finding.id).collect();
    Some(findings.iter().filter(|finding| ids.contains(&finding.id)).collect())
}

/// A line for each verdict.
fn lines(flags: &Feedback, judged: &[&Finding], verdict: Verdict) -> anyhow::Result<String> {
    let at = Timestamp::now().to_string();
    let mut lines = String::new();
    for finding in judged {
        let judgement = Judgement {
            finding: finding.id.to_string(),
            rule: finding.rule.clone(),
            account: finding.account.clone(),
            verdict,
            at: at.clone(),
            by: flags.by.clone(),
            note: flags.note.clone(),
        };
        lines += &serde_json::to_string(&judgement)?;
        lines.push('\n');
    }
    Ok(lines)
}

/// What the verdicts did to the findings' priorities.
fn tell(before: &Triage, home: &Home, config: &Config, judged: &[&Finding]) -> Result<(), Failure> {
    let after = home.triage(config).context("the verdict was written, but what it did cannot be shown");
    let after: HashMap<_, _> =
        after.or_usage()?.findings().iter().map(|finding| (finding.id, finding.priority)).collect();
    let now = |finding: &Finding| after.get(&finding.id).copied().unwrap_or(0);
    let mut out = output::open("-").or_output()?;
    let mut write = || -> anyhow::Result<()> {
        for finding in judged {
            let id = &finding.id.to_string()[..12];
            writeln!(out, "{id}  {}: priority {} is now {}", finding.rule, finding.priority, now(finding))?;
        }
        let others = before.findings().iter().filter(|finding| finding.priority != now(finding)).count();
        writeln!(out, "open findings that rank otherwise now: {others} of {}", after.len())?;
        Ok(out.flush()?)
    };
    output::unless_closed(write()).or_output()
}

/// The verdicts so far, by rule and account.
fn show(triage: &Triage) -> Result<(), Failure> {
    let (rules, _) = library::rules(&library::built_in());
    let findings = triage.findings();
    let confidence = |id: &str| {
        let of_rule = rules.iter().find(|rule| rule.id == id).map(|rule| rule.confidence);
        let of_finding = || findings.iter().find(|finding| finding.rule == id).map(|finding| finding.confidence);
        of_rule.or_else(of_finding).unwrap_or(Confidence::Medium)
    };
    let (feedback, now) = (triage.feedback(), Timestamp::now());
    let said = feedback.rules();
    let mut out = output::open("-").or_output()?;
    let mut write = || -> anyhow::Result<()> {
        if said.is_empty() {
            writeln!(out, "nothing was said of any finding yet: weir feedback ID --confirmed, or --dismissed")?;
            return Ok(out.flush()?);
        }
        let width = said.iter().map(|(rule, _)| rule.len()).max().unwrap_or(0).max(4);
        writeln!(
            out,
            "{:<width$} {:<12} {:>9} {:>9} {:>12} {:>6}",
            "RULE", "ACCOUNT", "CONFIRMED", "DISMISSED", "ODDS", "BITS"
        )?;
        for (rule, account) in &said {
            let (tally, confidence) = (feedback.tally(rule, account, now), confidence(rule));
            let (right, wrong) = tally.odds(confidence);
            let odds = format!("{right:.1} to {wrong:.1}");
            let (yes, no, bits) = (tally.confirmed, tally.dismissed, tally.bits(confidence));
            let account = plain(account);
            writeln!(out, "{rule:<width$} {account:<12} {yes:>9} {no:>9} {odds:>12} {bits:>+6.1}")?;
        }
        Ok(out.flush()?)
    };
    output::unless_closed(write()).or_output()
}
