//! `weir incidents`: the findings of files, or of an archive → the incidents they make.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Args, ValueEnum};

use super::archived::Home;
use super::output::{self, Failure, OrFail};
use super::rules;
use crate::config::Config;
use crate::detect::library;
use crate::finding::Finding;
use crate::pipeline::summary::plural;
use crate::rule::Severity;
use crate::sink::incidents::{Told, json, markdown, text};
use crate::sink::read_back;
use crate::triage::incident::story::{Identities, Story};
use crate::triage::incident::{Incident, incidents};

#[derive(Args)]
pub struct Incidents {
    /// Findings that `weir run --format ndjson` wrote, - for standard input; of lines with one id the last counts
    #[arg(value_name = "FILE|-", conflicts_with = "archive")]
    files: Vec<String>,
    /// Take the findings of this archive, where no files are named; a run may be writing to it [default: weir-archive]
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// Form of the incidents
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
    /// Incidents shown at most
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
    /// Whose story is told below the table, of the text form: the first one's when it is not given, all, none, or an id or
    /// the beginning of it
    #[arg(long, value_name = "ID|all|none")]
    story: Option<String>,
    /// Exit with 1 when there is an incident of this severity or above
    #[arg(long, value_name = "SEVERITY", value_parser = clap::builder::ValueParser::new(|text: &str| text.parse::<Severity>()))]
    fail_on: Option<Severity>,
    /// Folder of rules that the findings are of, beside the built-in ones: what they are known to be wrong about
    #[arg(long, value_name = "DIR")]
    rules: Option<String>,
    /// Configuration file, for the archive or the state in S3, the assets, and the rules
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A table and a story, for people
    Text,
    /// One JSON object a line
    Ndjson,
    /// One JSON array
    Json,
    /// For tickets: a table and every story
    Markdown,
}

pub fn run(flags: &Incidents) -> Result<ExitCode, Failure> {
    let config = flags.config.as_deref().map(Config::read).transpose().or_usage()?.unwrap_or_default();
    let (findings, is_whole) = match &flags.files[..] {
        [] => (archived(flags, &config).or_usage()?, true),
        files => read(files),
    };
    let incidents = incidents(&findings);
    let severe = flags.fail_on.is_some_and(|least| incidents.iter().any(|incident| incident.severity >= least));
    let mut shown: Vec<&Incident> = incidents.iter().collect();
    if let Some(id) = asked_for(flags) {
        let digits = id.to_ascii_lowercase();
        shown.retain(|incident| incident.id.to_string().starts_with(&digits));
        match shown.len() {
            1 => {}
            0 => return Err(Failure::Usage(anyhow!("no incident has an id that begins with {id}"))),
            many => return Err(Failure::Usage(anyhow!("{many} incidents have an id that begins with {id}"))),
        }
    }
    shown.truncate(flags.limit);
    let benign = benign(flags, &config).or_usage()?;
    let identities = Identities::of(&incidents);
    let tell = |incident: &Incident| {
        let story = Story::of(incident, &identities, |rule| benign.get(rule).map(String::as_str));
        Told { incident: incident.clone(), story }
    };
    let told: Vec<Told> = shown.into_iter().map(tell).collect();
    output::unless_closed(write(flags, &told, incidents.len(), findings.len())).or_output()?;
    Ok(match (is_whole, severe) {
        (false, _) => ExitCode::from(3),
        (true, true) => ExitCode::from(1),
        (true, false) => ExitCode::SUCCESS,
    })
}

/// The id of the one incident that is wanted.
fn asked_for(flags: &Incidents) -> Option<&str> {
    flags.story.as_deref().filter(|word| !["all", "none"].contains(word))
}

/// The findings of files, and whether all of them could be read; what could not is named, and the rest goes on.
fn read(files: &[String]) -> (Vec<Finding>, bool) {
    let (mut findings, mut is_whole) = (BTreeMap::new(), true);
    for name in files {
        let wrong = match name.as_str() {
            "-" => read_back::read(io::stdin().lock(), &mut findings),
            name => File::open(name).and_then(|file| read_back::read(BufReader::new(file), &mut findings)),
        };
        match wrong {
            Ok((wrong, more)) => {
                is_whole &= wrong.is_empty();
                wrong.iter().for_each(|(line, why)| output::say(format_args!("weir: {name}:{line}: {why}")));
                if more > 0 {
                    output::say(format_args!("weir: {name}: and {more} more lines"));
                }
            }
            Err(error) => {
                is_whole = false;
                output::say(format_args!("weir: could not read {name}: {error}"));
            }
        }
    }
    (findings.into_values().collect(), is_whole)
}

/// The open findings of the last commit of an archive, or of a state in S3.
fn archived(flags: &Incidents, config: &Config) -> anyhow::Result<Vec<Finding>> {
    Ok(Home::of(flags.archive.as_deref(), config)?.triage(config)?.findings())
}

/// What rules are known to be wrong about, by their ids.
fn benign(flags: &Incidents, config: &Config) -> anyhow::Result<HashMap<String, String>> {
    let dir = match &flags.rules {
        Some(dir) => rules::folder(dir),
        None => config.rules.as_deref().and_then(rules::folder),
    };
    let mut sources = library::built_in();
    if let Some(dir) = dir {
        sources = library::merge(sources, rules::read(dir, &config.sigma)?.sources);
    }
    let (rules, _) = library::rules(&sources);
    Ok(rules.into_iter().map(|rule| (rule.id, rule.false_positives)).collect())
}

fn write(flags: &Incidents, told: &[Told], all: usize, findings: usize) -> anyhow::Result<()> {
    let mut out = if flags.format == Form::Text { output::open("-") } else { output::open_data("-") }?;
    match flags.format {
        Form::Ndjson => json::lines(told, &mut out)?,
        Form::Json => json::array(told, &mut out)?,
        Form::Markdown => markdown::write(told, &mut out)?,
        Form::Text => people(flags, told, all, findings, &mut out)?,
    }
    out.flush()?;
    Ok(())
}

fn people(flags: &Incidents, told: &[Told], all: usize, findings: usize, out: &mut dyn Write) -> io::Result<()> {
    let look = output::look("-");
    if all == 0 {
        return writeln!(out, "no incidents in {findings} finding{}", plural(findings));
    }
    if asked_for(flags).is_none() {
        let shown: Vec<Incident> = told.iter().map(|told| told.incident.clone()).collect();
        text::table(&shown, look, out)?;
        let of_all = if shown.len() < all { format!(", {} of them shown", shown.len()) } else { String::new() };
        let (incidents, many) = (plural(all), plural(findings));
        writeln!(out, "\n{all} incident{incidents} in {findings} finding{many}{of_all}")?;
    }
    let stories = match flags.story.as_deref() {
        Some("none") => 0,
        Some("all") => told.len(),
        Some(_) | None => 1.min(told.len()),
    };
    for (place, told) in told[..stories].iter().enumerate() {
        if place > 0 || asked_for(flags).is_none() {
            writeln!(out)?;
        }
        text::story(told, look, out)?;
    }
    Ok(())
}
