//! `weir suppress`: what the `[[suppress]]` entries of a configuration would hide of an archive's findings.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::Args;

use super::archived::Home;
use super::configured;
use super::output::{self, Failure, OrFail};
use crate::config::Config;
use crate::detect::library::{self, Source, near};
use crate::detect::quarantine::{RULE_QUARANTINED, WINDOWS_SHED};
use crate::finding::Finding;
use crate::rule::{Rule, Severity};
use crate::sink::table::plain;
use crate::time::Timestamp;
use crate::triage::Triage;
use crate::triage::canary::CANARY_SILENT;
use crate::triage::feedback::Verdict;
use crate::triage::suppress::{Covered, Entry, Suppressions};

/// Rules of findings that are about Weir itself, which are in no file.
pub const OF_WEIR: [&str; 3] = [RULE_QUARANTINED, WINDOWS_SHED, CANARY_SILENT];

#[derive(Args)]
pub struct Suppress {
    /// Configuration file with the entries
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// The archive whose open findings are asked; a run may be writing to it [default: the
    /// configuration's, or its state in S3]
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// Findings shown of each entry at most
    #[arg(long, value_name = "N", default_value_t = 5)]
    limit: usize,
}

pub fn run(flags: &Suppress) -> Result<ExitCode, Failure> {
    let config = Config::read(&flags.config).or_usage()?;
    if config.suppress.is_empty() {
        return Err(Failure::Usage(anyhow!("{} has no [[suppress]] entry", flags.config.display())));
    }
    // all of them, so that what is wrong is said with its place among them
    Suppressions::new(config.suppress.clone()).or_usage()?;
    let triage = Home::of(flags.archive.as_deref(), &config).and_then(|home| home.triage(&config)).or_usage()?;
    let findings = triage.findings();
    // who looks from another machine may not have them
    let sources = match configured::found(config.rules.as_deref(), &config) {
        Ok(found) => found.sources,
        Err(error) => {
            output::say(format_args!("weir: how much detection the entries take away is not known: {error:#}"));
            Vec::new()
        }
    };
    let (rules, _) = library::rules(&sources);
    let mut out = output::open("-").or_output()?;
    let (mut hides_confirmed, mut misspelt) = (false, 0);
    let mut write = || -> anyhow::Result<()> {
        for entry in &config.suppress {
            let hidden = hidden(entry, &findings)?;
            hides_confirmed |=
                hidden.iter().any(|(finding, _)| triage.feedback().on(finding) == Some(Verdict::Confirmed));
            tell(entry, &hidden, findings.len(), &triage, flags.limit, &mut out)?;
            if !rules.is_empty() {
                let has_rule = tell_of_rules(entry, &rules, &sources, hidden.is_empty(), &mut out)?;
                misspelt += usize::from(!has_rule);
            }
        }
        Ok(out.flush()?)
    };
    output::unless_closed(write()).or_output()?;
    if misspelt > 0 {
        let all = config.suppress.len();
        return Err(Failure::Usage(anyhow!("{misspelt} of {all} [[suppress]] entries name no rule and hide nothing")));
    }
    Ok(if hides_confirmed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// The findings of which an entry alone would hide the whole or a part, were it in force.
fn hidden<'a>(entry: &Entry, findings: &'a [Finding]) -> anyhow::Result<Vec<(&'a Finding, Covered)>> {
    let alone = Suppressions::new(vec![entry.clone()])?;
    // the moment before it expires at the latest
    let now = Timestamp::parse(&entry.expires).map_or(Timestamp(0), |expires| Timestamp(expires.0 - 1));
    let covered = findings.iter().map(|finding| (finding, alone.of_folded(finding, now)));
    Ok(covered.filter(|(_, covered)| *covered != Covered::Nothing).collect())
}

fn tell(
    entry: &Entry,
    hidden: &[(&Finding, Covered)],
    all: usize,
    triage: &Triage,
    limit: usize,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let of =
        |wanted: Covered| hidden.iter().filter(move |(_, covered)| *covered == wanted).map(|(finding, _)| *finding);
    let (whole, parts) = (of(Covered::Whole).collect::<Vec<_>>(), of(Covered::Part).count());
    let of_severity = |severity: &Severity| {
        let count = whole.iter().filter(|finding| finding.severity == *severity).count();
        (count > 0).then(|| format!("{count} {severity}"))
    };
    let severities: Vec<String> = Severity::ALL.iter().rev().filter_map(of_severity).collect();
    let expired = Timestamp::parse(&entry.expires).is_some_and(|expires| expires <= Timestamp::now());
    let (until, hides) = if expired { ("expired", "would hide") } else { ("until", "hides") };
    let owner = entry.owner.as_ref().map_or_else(String::new, |owner| format!("owner {owner}; "));
    write!(out, "{} ({}; {owner}{until} {}): ", entry.rule, entry.reason, entry.expires)?;
    match whole.len() {
        0 => write!(out, "{hides} none of {all} open findings")?,
        count => write!(out, "{hides} {count} of {all} open findings: {}", severities.join(", "))?,
    }
    if parts > 0 {
        write!(out, "; perhaps some matches of {parts} more, of which not all that it asks is kept")?;
    }
    writeln!(out)?;
    // what was confirmed comes first, then the most urgent
    let said = |finding: &Finding| triage.feedback().on(finding);
    let mut shown = hidden.to_vec();
    shown.sort_by_key(|(finding, covered)| (said(finding) != Some(Verdict::Confirmed), *covered == Covered::Part));
    for (finding, covered) in shown.iter().take(limit) {
        let said = match said(finding) {
            Some(Verdict::Confirmed) => "  CONFIRMED: this one was real",
            Some(Verdict::Dismissed) => "  dismissed",
            Some(Verdict::Withdrawn) | None => "",
        };
        let (id, title, who) = (&finding.id.to_string()[..12], plain(&finding.title), plain(&finding.who()));
        let part = if *covered == Covered::Part { "  perhaps in part" } else { "" };
        writeln!(out, "  {:>2}  {id}  {title}: {who}{part}{said}", finding.priority)?;
    }
    if shown.len() > limit {
        writeln!(out, "  and {} more", shown.len() - limit)?;
    }
    Ok(())
}

/// Techniques shown at most.
const TECHNIQUES_SHOWN_MAX: usize = 10;

/// How much detection an entry takes away, whatever the archive has: of which rules it is, and what no other names. False where there is
/// none of its name, nor a finding of one.
fn tell_of_rules(
    entry: &Entry,
    rules: &[Rule],
    sources: &[Source],
    hides_none: bool,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let alone = Suppressions::new(vec![entry.clone()])?;
    let is_covered = |rule: &&Rule| alone.without_rule(&[&rule.id]).is_empty();
    let (covered, others): (Vec<&Rule>, Vec<&Rule>) = rules.iter().partition(is_covered);
    if covered.is_empty() {
        let is_known = !hides_none || alone.without_rule(&OF_WEIR).is_empty();
        if !is_known {
            write!(out, "  NO RULE is `{}`", entry.rule)?;
            match &near(&entry.rule, sources)[..] {
                [] => writeln!(out)?,
                near => writeln!(out, ": is it {}?", near.join(" or "))?,
            }
        }
        return Ok(is_known);
    }
    if covered.len() > 1 {
        writeln!(out, "  it is about {} of {} rules", covered.len(), rules.len())?;
    }
    let narrower = [&entry.account, &entry.region, &entry.actor, &entry.source_ip, &entry.resource];
    if narrower.iter().any(|condition| condition.is_some()) {
        return Ok(true);
    }
    let lost: Vec<String> = techniques(&covered).difference(&techniques(&others)).map(|id| format!("T{id}")).collect();
    if !lost.is_empty() {
        let shown = &lost[..lost.len().min(TECHNIQUES_SHOWN_MAX)];
        let more = lost.len() - shown.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        writeln!(out, "  no other rule is about {}{more}", shown.join(", "))?;
    }
    Ok(true)
}

/// Of ATT&CK, as tags have them: `1078.004`.
fn techniques<'a>(rules: &[&'a Rule]) -> BTreeSet<&'a str> {
    rules.iter().flat_map(|rule| &rule.tags).filter_map(|tag| tag.strip_prefix("attack.t")).collect()
}
