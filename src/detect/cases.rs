//! Rules and the cases beside them → which cases do not hold, and why not.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use datafusion::common::Result;
use serde::Deserialize;
use serde_json::Value;

use super::compile::Compiler;
use super::emit::texts;
use super::engine::Detector;
use super::library::{self, Source};
use super::program::Rows;
use crate::decode::reader::open;
use crate::decode::{Counts, Input, Options};
use crate::finding::Finding;
use crate::logs;
use crate::rule::{Rule, RuleError};
use crate::table::{Batch, Origin, Table};

/// What came of testing rules.
#[derive(Debug, Default)]
pub struct Report {
    pub rules: usize,
    pub cases: usize,
    /// Rules that could not be used at all.
    pub refused: Vec<RuleError>,
    pub failures: Vec<Failure>,
}

impl Report {
    pub fn is_good(&self) -> bool {
        self.refused.is_empty() && self.failures.is_empty()
    }
}

/// A case that does not hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub rule: String,
    /// The `.cases.jsonl` file and the line in it, from 1.
    pub file: String,
    pub line: usize,
    /// The case's own sentence.
    pub why: String,
    /// What was expected and what came instead, several lines.
    pub difference: String,
}

/// One line of a `.cases.jsonl` file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    fires: bool,
    why: String,
    /// The record as AWS writes it; for text logs a string with the lines of a file.
    event: Value,
    /// Fields of the finding to check; a name that is no field is evidence.
    #[serde(default)]
    finding: BTreeMap<String, String>,
}

/// Compiles the rules and says which cannot be used.
pub fn check(tables: &[&'static Table], sources: &[Source]) -> Report {
    let (rules, mut refused) = library::rules(sources);
    let (_, not_compiled) = Detector::new(tables, rules);
    refused.extend(not_compiled);
    Report { rules: sources.len(), refused, ..Report::default() }
}

/// Runs every case of every rule.
pub fn test(tables: &[&'static Table], sources: &[Source]) -> Report {
    let (rules, mut refused) = library::rules(sources);
    let (detector, not_compiled) = Detector::new(tables, rules);
    refused.extend(not_compiled);
    let mut report = Report { rules: sources.len(), refused, ..Report::default() };
    let compiler = Compiler::new(tables);
    for source in sources {
        let Some(rule) = detector.rules().find(|rule| rule.id == source.id) else { continue };
        let stem = source.file.rsplit_once('.').map_or(&*source.file, |(stem, _)| stem);
        let file = format!("{stem}.cases.jsonl");
        let mut fail = |line: usize, why: &str, difference: String| {
            report.failures.push(Failure {
                rule: rule.id.clone(),
                file: file.clone(),
                line,
                why: why.to_owned(),
                difference,
            });
        };
        let Some(text) = &source.cases else {
            // Sigma rules come from elsewhere, without cases
            if source.sigma.is_none() {
                fail(1, "", "the rule has no cases".into());
            }
            continue;
        };
        let (mut firing, mut silent) = (0, 0);
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            report.cases += 1;
            let case: Case = match serde_json::from_str(line) {
                Ok(case) => case,
                Err(error) => {
                    fail(index + 1, "", format!("not a case: {error}"));
                    continue;
                }
            };
            *(if case.fires { &mut firing } else { &mut silent }) += 1;
            let judged = read(&case.event).and_then(|batches| judge(&detector, &compiler, rule, &case, &batches));
            if let Err(difference) = judged {
                fail(index + 1, &case.why, difference);
            }
        }
        if firing == 0 {
            fail(1, "", "no case of the rule fires".into());
        }
        if silent == 0 {
            fail(1, "", "no case of the rule stays silent".into());
        }
    }
    report
}

fn judge(
    detector: &Detector,
    compiler: &Compiler,
    rule: &Rule,
    case: &Case,
    batches: &[Batch],
) -> std::result::Result<(), String> {
    let batches: Vec<Batch> = batches.iter().filter(|batch| batch.table.name == rule.table).cloned().collect();
    if batches.iter().all(|batch| batch.rows.num_rows() == 0) {
        return Err(format!("the event gives no row of table {}: is it complete?", rule.table));
    }
    let found = detector.observe_one(&rule.id, &batches)?;
    match (case.fires, found.first()) {
        (true, Some(_)) => compare(&case.finding, &found),
        (false, None) => Ok(()),
        (true, None) => Err(format!(
            "expected a finding, got none\n{}",
            explain(compiler, rule, &batches).unwrap_or_else(|e| e.to_string())
        )),
        (false, Some(finding)) => Err(format!("expected no finding, got `{}`\n{}", finding.title, evidence(finding))),
    }
}

fn evidence(finding: &Finding) -> String {
    finding.evidence.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "  {name} = {value}"); // writing to a String cannot fail
        text
    })
}

/// The fields that no finding has as the case says.
fn compare(expected: &BTreeMap<String, String>, found: &[Finding]) -> std::result::Result<(), String> {
    let mut difference = String::new();
    for (field, expected) in expected {
        let got = |finding: &Finding| match field.as_str() {
            "title" => vec![finding.title.clone()],
            "severity" => vec![finding.severity.to_string()],
            "account" => vec![finding.account.clone()],
            "region" => vec![finding.region.clone()],
            "actor" => finding.actor.iter().cloned().collect(),
            "source_ip" => finding.source_ip.iter().cloned().collect(),
            "resource" => finding.resources.iter().map(|resource| resource.0.clone()).collect(),
            name => finding
                .evidence
                .iter()
                .filter(|(evidence, _)| evidence == name)
                .map(|(_, value)| value.clone())
                .collect(),
        };
        let all: Vec<String> = found.iter().flat_map(got).collect();
        if !all.contains(expected) {
            let all = if all.is_empty() { "nothing".to_owned() } else { format!("`{}`", all.join("`, `")) };
            let _ = writeln!(difference, "{field}: expected `{expected}`, got {all}"); // writing to a String cannot fail
        }
    }
    if difference.is_empty() { Ok(()) } else { Err(difference) }
}

/// Every condition that no row meets, with the values it looked at.
fn explain(compiler: &Compiler, rule: &Rule, batches: &[Batch]) -> Result<String> {
    let (leaves, conditions) = compiler.conditions(rule)?;
    let mut told = String::new();
    for (text, program) in conditions {
        let (mut met, mut rows, mut values) = (0, 0, String::new());
        for batch in batches {
            let arrays = leaves.arrays(batch);
            let truth = program.run(&arrays, Rows::All(batch.rows.num_rows()))?;
            met += arrow::array::AsArray::as_boolean(&truth[0]).true_count();
            rows += batch.rows.num_rows();
            for leaf in &program.reads {
                let value = texts(&arrays[*leaf])?.into_iter().next().flatten();
                let value = value.map_or("null".to_owned(), |value| format!("`{value}`"));
                let _ = write!(values, " {} is {value};", leaves.all[*leaf].path); // writing to a String cannot fail
            }
        }
        if met < rows {
            let of =
                if rows > 1 { format!(" in {} of {rows} rows, the first being", rows - met) } else { String::new() };
            let _ = writeln!(told, "  not true: {text}\n   {of}{}", values.trim_end_matches(';'));
        }
    }
    Ok(if told.is_empty() { "  each condition is true by itself".into() } else { told })
}

/// The rows of a case's event, read as a log file of that content is.
fn read(event: &Value) -> std::result::Result<Vec<Batch>, String> {
    let bytes = event.as_str().map_or_else(|| event.to_string(), str::to_owned);
    let (options, mut rejects, mut counts) = (Options::default(), Vec::new(), Counts::default());
    let mut reader = open(Input::Bytes(bytes.into()), Arc::new(Origin::default()), &options);
    let mut records = Vec::new();
    while let Some(more) = reader.next(&mut rejects, &mut counts).map_err(|error| error.to_string())? {
        records.push(more);
    }
    let batches = logs::batches(records, &options, &mut rejects, &mut counts);
    match rejects.first() {
        Some(reject) => Err(format!("the event cannot be read: {}", reject.reason)),
        None => Ok(batches),
    }
}
