//! `weir rules explain`: why a rule did or did not fire on an event.

use std::fs;
use std::io::{Read, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, ValueEnum};

use super::output;
use super::rules::{More, merged};
use crate::detect::authors::cases::rows;
use crate::detect::authors::explain::{Condition, Explanation, Joined, Window, explain};
use crate::detect::library::{self, Source};
use crate::logs;
use crate::pipeline::duplicates::Seen;
use crate::pipeline::summary::plural;
use crate::rule::Rule;
use crate::sink::table::plain;
use crate::table::Batch;

#[derive(Args)]
pub struct Explain {
    /// Id of the rule: cloudtrail/root_console_login
    id: String,
    /// The event as AWS writes it, or a log file with several, in any form that `weir run` reads; `-` for standard input
    #[arg(value_name = "EVENT")]
    event: String,
    /// Form of the answer
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
    #[command(flatten)]
    more: More,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Text,
    /// One JSON object
    Json,
}

pub fn run(out: &mut impl Write, flags: &Explain) -> Result<ExitCode> {
    let rule = chosen(&flags.id, &merged(&flags.more)?)?;
    let (batches, doubles) = match events(&flags.event) {
        Ok(events) => events,
        Err(error) => {
            output::say(format_args!("weir: {error:#}"));
            return Ok(ExitCode::from(3));
        }
    };
    let explained = explain(logs::TABLES, &flags.more.settings.references()?, &rule, &batches)?;
    match flags.format {
        Form::Json => writeln!(out, "{}", serde_json::to_string(&explained)?)?,
        Form::Text => {
            writeln!(out, "{}: {}", rule.id, rule.title)?;
            if doubles > 0 {
                writeln!(out, "{doubles} of the events were delivered twice: a run judges them once, as is done here")?;
            }
            tell(out, &explained)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn chosen(id: &str, sources: &[Source]) -> Result<Rule> {
    let Some(source) = sources.iter().find(|source| source.id == id) else { return Err(unknown(id, sources)) };
    let (mut rules, refused) = library::rules(std::slice::from_ref(source));
    match refused.into_iter().next() {
        Some(error) => Err(error.into()),
        None => Ok(rules.remove(0)),
    }
}

/// Says that there is no such rule, and which may be meant.
pub fn unknown(id: &str, sources: &[Source]) -> anyhow::Error {
    let near = library::near(id, sources);
    let meant = if near.is_empty() { String::new() } else { format!(": did you mean `{}`?", near.join("` or `")) };
    anyhow!("there is no rule `{id}`{meant}; `weir rules list` has all, and your own with `--rules DIR`")
}

/// The rows of the events, each once, and how many came twice.
fn events(name: &str) -> Result<(Vec<Batch>, u64)> {
    let mut bytes = Vec::new();
    match name {
        "-" => std::io::stdin().read_to_end(&mut bytes).map(|_| ()).context("reading standard input")?,
        path => bytes = fs::read(path).with_context(|| format!("reading {path}"))?,
    }
    let name = if name == "-" { "standard input" } else { name };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        bail!("{name} is empty: give one event as AWS writes it");
    }
    let (batches, rejects) = rows([bytes]).map_err(|error| anyhow!("reading {name}: {error}"))?;
    if let Some(reject) = rejects.first() {
        bail!("{name} has something that is no event: {}", reject.reason);
    }
    if batches.iter().all(|batch| batch.rows.num_rows() == 0) {
        bail!("{name} has no event in it");
    }
    let (mut seen, mut new, mut doubles) = (Seen::default(), Vec::new(), 0);
    for batch in batches {
        let (batch, again) = seen.take_new(batch);
        new.push(batch);
        doubles += again;
    }
    Ok((new, doubles))
}

/// Rows that are listed one by one at most, and windows.
const SHOWN_MAX: usize = 10;

fn tell(out: &mut impl Write, explained: &Explanation) -> Result<()> {
    if explained.rows == 0 {
        let others: Vec<String> = explained.others.iter().map(|(table, rows)| format!("{rows} of {table}")).collect();
        writeln!(out, "\nnot looked at: the rule reads {}, and the rows are {}", explained.table, others.join(", "))?;
        return Ok(());
    }
    writeln!(out, "{} row{} of {}\n", explained.rows, plural(explained.rows), explained.table)?;
    explained.conditions.iter().try_for_each(|one| condition(out, one, 0))?;
    let selected = |row: &usize| explained.conditions.iter().all(|one| one.is_true(*row));
    let count = (0..explained.rows).filter(selected).count();
    let mut windows: Vec<&Window> = explained.windows.iter().collect();
    // those that fire first, else those that come nearest
    let fires = |window: &Window| window.conditions.iter().all(|one| one.is_true(0));
    windows.sort_by_key(|window| std::cmp::Reverse((fires(window), window.rows)));
    for window in windows.iter().take(SHOWN_MAX) {
        let key: Vec<String> = window.key.iter().map(|(sql, value)| format!(", {sql} {}", short(value))).collect();
        let many = plural(window.rows as usize);
        writeln!(out, "\nwindow {} to {}{}: {} row{many}", window.start, window.end, key.concat(), window.rows)?;
        window.conditions.iter().try_for_each(|one| condition(out, one, 0))?;
        if let Some(unusual) = &window.unusual {
            writeln!(out, "         {unusual}")?;
        }
    }
    if windows.len() > SHOWN_MAX {
        let more = windows.len() - SHOWN_MAX;
        let firing = windows[SHOWN_MAX..].iter().filter(|window| fires(window)).count();
        let which = if firing > 0 { format!(", {firing} of which fire") } else { String::new() };
        writeln!(out, "\nand {more} more window{}{which}", plural(more))?;
    }
    writeln!(out)?;
    if explained.fires {
        let of = if explained.rows > 1 {
            format!(": {count} of {} rows meet the WHERE", explained.rows)
        } else {
            String::new()
        };
        writeln!(out, "fires{of}")?;
    } else if count > 0 {
        let failing = windows.first().map_or(Vec::new(), |window| failing(&window.conditions, 0));
        writeln!(
            out,
            "does not fire: {count} of {} rows meet the WHERE, and no window the HAVING: {}",
            explained.rows,
            failing.join("; ")
        )?;
    } else {
        for row in 0..explained.rows.min(SHOWN_MAX) {
            let which = if explained.rows > 1 { format!(" on row {}", row + 1) } else { String::new() };
            writeln!(out, "does not fire{which}: {}", why_not(&explained.conditions, row))?;
        }
    }
    Ok(())
}

/// The first conditions that fail, or that the row is not looked at.
fn why_not(conditions: &[Condition], row: usize) -> String {
    let failing = failing(conditions, row);
    match conditions.iter().find(|one| one.own && !one.is_true(row)) {
        Some(_) if failing.len() == 1 => {
            "an AWS service made this call on its own behalf, and the rule has no `aws_services = true`".to_owned()
        }
        _ => failing.join("; "),
    }
}

/// Conditions named in a verdict at most.
const NAMED_MAX: usize = 3;

fn failing(conditions: &[Condition], row: usize) -> Vec<String> {
    let told = |one: &Condition| format!("{} is {}", one.sql, truth(one.holds[row]));
    conditions.iter().filter(|one| !one.is_true(row)).take(NAMED_MAX).map(told).collect()
}

fn truth(holds: Option<bool>) -> &'static str {
    match holds {
        Some(true) => "true",
        Some(false) => "false",
        None => "null",
    }
}

/// One line, then what it read where it is not true, then its branches.
fn condition(out: &mut impl Write, one: &Condition, depth: usize) -> Result<()> {
    let indent = "  ".repeat(depth);
    let failing = one.holds.iter().position(|holds| *holds != Some(true));
    let met = one.holds.iter().filter(|holds| **holds == Some(true)).count();
    let (truth, of) = match one.holds.as_slice() {
        [holds] => (truth(*holds).to_owned(), String::new()),
        all => (format!("{met} of {}", all.len()), failing.map_or(String::new(), |row| format!(" in row {}", row + 1))),
    };
    let sql = match one.joined {
        None => one.sql.as_str(),
        Some(Joined::And) => "all of",
        Some(Joined::Or) => "one of",
    };
    writeln!(out, "{indent}{truth:<6} {sql}")?;
    if let Some(row) = failing {
        for (sql, values) in &one.reads {
            writeln!(out, "{indent}         {sql} is {}{of}", short(&values[row]))?;
        }
    }
    one.branches.iter().try_for_each(|branch| condition(out, branch, depth + 1))
}

/// Letters of a value that are shown at most.
const VALUE_MAX: usize = 100;

fn short(value: &Option<String>) -> String {
    match value {
        None => "null".to_owned(),
        Some(value) if value.chars().count() > VALUE_MAX => {
            format!("`{}…`", plain(&value.chars().take(VALUE_MAX).collect::<String>()))
        }
        Some(value) => format!("`{}`", plain(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_that_fire_are_shown_first() {
        let window = |hour: usize, holds: bool| Window {
            start: format!("{hour:02}:00"),
            end: format!("{:02}:00", hour + 1),
            rows: 90 - hour as u64,
            key: Vec::new(),
            conditions: vec![Condition { sql: "HAVING".into(), holds: vec![Some(holds)], ..Condition::default() }],
            unusual: None,
        };
        let shown = |firing: &[usize]| {
            let explained = Explanation {
                rule: "t/r".into(),
                table: "t".into(),
                rows: 1,
                others: Vec::new(),
                conditions: Vec::new(),
                windows: (0..12).map(|hour| window(hour, firing.contains(&hour))).collect(),
                fires: !firing.is_empty(),
            };
            let mut out = Vec::new();
            tell(&mut out, &explained).unwrap();
            String::from_utf8(out).unwrap()
        };
        let one = shown(&[11]);
        assert!(one.contains("\n\nwindow 11:00 to 12:00: 79 rows\ntrue   HAVING\n\nwindow 00:00 to 01:00"), "{one}");
        assert!(one.contains("\nand 2 more windows\n\nfires"), "{one}");
        let all = shown(&(0..12).collect::<Vec<_>>());
        assert!(all.contains("\nand 2 more windows, 2 of which fire\n"), "{all}");
    }
}
