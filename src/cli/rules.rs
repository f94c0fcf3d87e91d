//! `weir rules`: which rules there are, whether they compile, and whether their cases hold.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use clap::Subcommand;
use walkdir::WalkDir;

use crate::detect::cases::{self, Report};
use crate::detect::library::{self, Source};
use crate::logs;

#[derive(Subcommand)]
pub enum Rules {
    /// List the built-in rules: id, severity and title
    List,
    /// Print a rule as it is written
    Show { id: String },
    /// Compile rules, and name file, line and column of what is wrong
    Check {
        /// Folder of query files; the built-in rules when there is none
        dir: Option<PathBuf>,
    },
    /// Run the cases of rules, and print what does not hold
    Test {
        /// Folder of query files; the built-in rules when there is none
        dir: Option<PathBuf>,
    },
}

pub fn run(command: &Rules) -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    let done = match command {
        Rules::List => list(&mut out),
        Rules::Show { id } => show(&mut out, id),
        Rules::Check { dir } => tell(&mut out, &cases::check(logs::TABLES, &sources(dir.as_deref())?)),
        Rules::Test { dir } => tell(&mut out, &cases::test(logs::TABLES, &sources(dir.as_deref())?)),
    };
    match done {
        // the reader, such as `head`, has seen enough
        Err(error)
            if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe) =>
        {
            Ok(ExitCode::SUCCESS)
        }
        done => done,
    }
}

/// Query files below a folder. A rule's id is its folder's name and its own.
pub fn read(dir: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for entry in WalkDir::new(dir).sort_by_file_name() {
        let path = entry.with_context(|| format!("reading rules in {}", dir.display()))?.into_path();
        if path.extension().is_none_or(|extension| extension != "sql") {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let cases = path.with_extension("cases.jsonl");
        let cases = match fs::read_to_string(&cases) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("reading {}", cases.display())),
        };
        sources.push(Source { id: id(&path)?, file: path.display().to_string(), text, cases });
    }
    Ok(sources)
}

fn id(path: &Path) -> Result<String> {
    let whole = path.canonicalize().with_context(|| format!("finding {}", path.display()))?;
    let table = whole.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let name = whole.file_stem().map(|name| name.to_string_lossy().into_owned());
    table
        .zip(name)
        .map(|(table, name)| format!("{table}/{name}"))
        .ok_or_else(|| anyhow!("{} is in no folder", path.display()))
}

fn sources(dir: Option<&Path>) -> Result<Vec<Source>> {
    dir.map_or_else(|| Ok(library::built_in()), read)
}

fn list(out: &mut impl Write) -> Result<ExitCode> {
    let (rules, _) = library::rules(&library::built_in());
    for rule in rules {
        writeln!(out, "{:<60} {:<13} {}", rule.id, rule.severity, rule.title)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(out: &mut impl Write, id: &str) -> Result<ExitCode> {
    let all = library::built_in();
    let rule = all.iter().find(|source| source.id == id);
    write!(out, "{}", rule.with_context(|| format!("there is no rule `{id}`: see `weir rules list`"))?.text)?;
    Ok(ExitCode::SUCCESS)
}

fn tell(out: &mut impl Write, report: &Report) -> Result<ExitCode> {
    for error in &report.refused {
        writeln!(out, "{error}")?;
    }
    for failure in &report.failures {
        writeln!(out, "{}:{}: {} {}", failure.file, failure.line, failure.rule, failure.why)?;
        writeln!(out, "  {}", failure.difference.trim_end().replace('\n', "\n  "))?;
    }
    let cases = if report.cases > 0 { format!(", {} cases", report.cases) } else { String::new() };
    let (refused, failed) = (report.refused.len(), report.failures.len());
    writeln!(out, "{} rules{cases}: {refused} refused, {failed} failures", report.rules)?;
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
