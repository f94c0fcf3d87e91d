//! Rules and the cases beside them → which cases do not hold, and why not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use datafusion::common::Result;
use serde::Deserialize;
use serde_json::Value;

use crate::decode::reader::open;
use crate::decode::{Counts, Input, Options};
use crate::detect::compile::Compiler;
use crate::detect::emit::texts;
use crate::detect::engine::{Detector, Seen};
use crate::detect::library::{self, Source};
use crate::detect::program::Rows;
use crate::detect::reference::References;
use crate::finding::Finding;
use crate::logs;
use crate::rule::{Rule, RuleError};
use crate::table::{Batch, Origin, Reject, Table};
use crate::time::{MICROS_PER_SECOND, Timestamp};

/// What came of testing rules.
#[derive(Debug, Default)]
pub struct Report {
    pub rules: usize,
    pub cases: usize,
    /// Rules that could not be used at all.
    pub refused: Vec<RuleError>,
    /// Rules that are right and wait for a `[reference.NAME]` of the configuration: their ids, and its name.
    pub waiting: Vec<(String, String)>,
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
    /// One record, as in [`Repeated`].
    event: Option<Value>,
    times: Option<u32>,
    /// Or several.
    #[serde(default)]
    events: Vec<Repeated>,
    /// Fields of the finding to check; a name that is no field is evidence.
    #[serde(default)]
    finding: BTreeMap<String, String>,
}

/// One record, once or several times.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeated {
    /// The record as AWS writes it; for text logs a string with the lines of a file.
    event: Value,
    /// How often; `{n}`, `{100+2n}` and `{2024-08-01T12:00:00Z+30n}` in its texts become what they are the n-th time,
    /// counting from 0 (of a time, n is of seconds). Where it is not said the texts stay as they are.
    times: Option<u32>,
}

/// Most records of a case.
const EVENTS_MAX: u32 = 10_000;

impl Case {
    /// The records, each as a file's content.
    fn records(&self) -> std::result::Result<Vec<String>, String> {
        let one = self.event.clone().map(|event| Repeated { event, times: self.times });
        if one.is_some() != self.events.is_empty() {
            return Err("a case has either an `event` or `events`".into());
        }
        let mut records = Vec::new();
        for Repeated { event, times } in one.iter().chain(&self.events) {
            let count = times.unwrap_or(1);
            if count > EVENTS_MAX {
                return Err(format!("{count} times are too many: a case has at most {EVENTS_MAX} of a record"));
            }
            for number in 0..i64::from(count) {
                let event = if times.is_some() { numbered(event, number) } else { event.clone() };
                records.push(event.as_str().map_or_else(|| event.to_string(), str::to_owned));
            }
        }
        Ok(records)
    }
}

/// The same with the places of a number filled in.
fn numbered(event: &Value, number: i64) -> Value {
    match event {
        Value::String(text) => Value::String(fill(text, number)),
        Value::Array(values) => values.iter().map(|value| numbered(value, number)).collect(),
        Value::Object(values) => values
            .iter()
            .map(|(name, value)| (name.clone(), numbered(value, number)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

fn fill(text: &str, number: i64) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        let place = behind.split_once('}').and_then(|(place, after)| Some((value(place, number)?, after)));
        rest = match place {
            Some((value, after)) => {
                filled.push_str(&value);
                after
            }
            None => {
                filled.push('{');
                behind
            }
        };
    }
    filled + rest
}

/// What `n`, `100+2n` or `2024-08-01T12:00:00Z+30n` is for a number.
fn value(place: &str, number: i64) -> Option<String> {
    if place == "n" {
        return Some(number.to_string());
    }
    let (base, step) = place.strip_suffix('n')?.rsplit_once('+')?;
    let more = step.parse::<i64>().ok()?.checked_mul(number)?;
    match base.parse::<i64>() {
        Ok(base) => base.checked_add(more).map(|value| value.to_string()),
        Err(_) => Some(Timestamp(Timestamp::parse(base)?.0 + more * MICROS_PER_SECOND).to_string()),
    }
}

/// Compiles the rules and says which cannot be used.
pub fn check(tables: &[&'static Table], references: &References, sources: &[Source]) -> Report {
    let (rules, mut refused) = library::rules(sources);
    let waiting: Vec<_> = rules.iter().filter(|rule| references.lack_for(rule)).cloned().collect();
    let (_, not_compiled) = Detector::with_references(tables, references, rules);
    refused.extend(not_compiled);
    for rule in &waiting {
        let (_, wrong) = Detector::with_references(tables, &references.for_cases_of(rule), [rule.clone()]);
        refused.extend(wrong);
    }
    let waiting = waiting.into_iter().filter_map(|rule| Some((rule.id, rule.needs?))).collect();
    Report { rules: sources.len(), refused, waiting, ..Report::default() }
}

/// Runs every case of every rule.
pub fn test(tables: &[&'static Table], references: &References, sources: &[Source]) -> Report {
    let (rules, mut refused) = library::rules(sources);
    let (needy, rules): (Vec<Rule>, Vec<Rule>) = rules.into_iter().partition(|rule| rule.needs.is_some());
    let mut together = Vec::new();
    let mut add = |references: &References, rules: Vec<Rule>| {
        let (detector, not_compiled) = Detector::with_references(tables, references, rules);
        refused.extend(not_compiled);
        together.push((detector, Compiler::new(tables, references)));
    };
    add(&references.for_cases(), rules);
    needy.into_iter().for_each(|rule| add(&references.for_cases_of(&rule), vec![rule]));
    let mut report = Report { rules: sources.len(), refused, ..Report::default() };
    for source in sources {
        let of_source = |(detector, compiler)| Some((detector, compiler, rule_of(detector, &source.id)?));
        let Some((detector, compiler, rule)) = together.iter().map(|(a, b)| (a, b)).find_map(of_source) else {
            continue;
        };
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
            let judged = read(&case).and_then(|batches| judge(detector, compiler, rule, &case, &batches));
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

fn rule_of<'a>(detector: &'a Detector, id: &str) -> Option<&'a Rule> {
    detector.rules().find(|rule| rule.id == id)
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
        (true, None) => Err(format!("expected a finding, got none\n{}", explain(detector, compiler, rule, &batches))),
        (false, Some(finding)) => Err(format!("expected no finding, got `{}`\n{}", finding.title, evidence(finding))),
    }
}

/// Whether a case holds of what a rule found in its events.
fn holds(case: &Case, found: &[Finding]) -> bool {
    if case.fires { !found.is_empty() && compare(&case.finding, found).is_ok() } else { found.is_empty() }
}

fn evidence(finding: &Finding) -> String {
    finding.evidence.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "  {name} = {value}"); // writing to a String cannot fail
        text
    })
}

/// The cases of one rule, their events read once, for many rules to be held against.
pub struct Ready {
    table: String,
    cases: Vec<(Case, Vec<Batch>)>,
}

impl Ready {
    /// `None` when a case cannot be read.
    pub fn new(rule: &Rule, cases: &str) -> Option<Ready> {
        let case = |line: &str| {
            let case: Case = serde_json::from_str(line).ok()?;
            let batches = read(&case).ok()?;
            Some((case, batches.into_iter().filter(|batch| batch.table.name == rule.table).collect()))
        };
        let cases = cases.lines().filter(|line| !line.trim().is_empty()).map(case).collect::<Option<Vec<_>>>()?;
        Some(Ready { table: rule.table.clone(), cases })
    }

    pub fn len(&self) -> usize {
        self.cases.len()
    }

    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// Of the rules of a detector, by id, those for which every case holds.
    pub fn passed_by(&self, detector: &Detector) -> BTreeSet<String> {
        let of_table = detector.rules().filter(|rule| rule.table == self.table);
        let mut passing: BTreeSet<String> = of_table.map(|rule| rule.id.clone()).collect();
        for (case, batches) in &self.cases {
            let each = detector.observe_each(&|id| passing.contains(id), batches);
            passing.retain(|id| match each.get(id) {
                Some(Ok(found)) => holds(case, found),
                Some(Err(_)) => false,
                None => holds(case, &[]),
            });
        }
        passing
    }
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

/// Every condition that no row meets, with the values it looked at; and the windows there are.
fn explain(detector: &Detector, compiler: &Compiler, rule: &Rule, batches: &[Batch]) -> String {
    let windows = match detector.windows_of(&rule.id, batches) {
        Ok(windows) => windows,
        Err(error) => return error,
    };
    if !windows.is_empty() {
        return windows.iter().map(|window| format!("  HAVING does not hold: {}\n", told(window))).collect();
    }
    unmet(compiler, rule, batches).unwrap_or_else(|error| error.to_string())
}

fn told(window: &Seen) -> String {
    let value = |(name, value): &(String, Option<String>)| format!("{name} = {}", value.as_deref().unwrap_or("null"));
    let values: Vec<String> = window.selected.iter().map(value).collect();
    let unusual = window.unusual.as_ref().map_or(String::new(), |unusual| format!(" ({unusual})"));
    let many = if window.rows == 1 { "" } else { "s" };
    format!("{} row{many} from {}: {}{unusual}", window.rows, window.start, values.join(", "))
}

fn unmet(compiler: &Compiler, rule: &Rule, batches: &[Batch]) -> Result<String> {
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

/// The rows of a case, each record read as a log file of that content is.
fn read(case: &Case) -> std::result::Result<Vec<Batch>, String> {
    let (batches, rejects) = rows(case.records()?.into_iter().map(String::into_bytes))?;
    match rejects.first() {
        Some(reject) => Err(format!("the event cannot be read: {}", reject.reason)),
        None => Ok(batches),
    }
}

/// The rows of log files in memory, in any form that a run reads, and what in them is none.
///
/// # Errors
/// When what is packed does not unpack.
pub fn rows(files: impl IntoIterator<Item = Vec<u8>>) -> std::result::Result<(Vec<Batch>, Vec<Reject>), String> {
    let (options, mut rejects, mut counts) = (Options::default(), Vec::new(), Counts::default());
    let mut records = Vec::new();
    for bytes in files {
        let mut reader = open(Input::Bytes(bytes.into()), Arc::new(Origin::default()), &options);
        while let Some(more) = reader.next(&mut rejects, &mut counts).map_err(|error| error.to_string())? {
            records.push(more);
        }
    }
    Ok((logs::batches(records, &options, &mut rejects, &mut counts), rejects))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_a_number_are_filled_in_and_nothing_else_is() {
        let text = "{n} {5+10n} {2024-08-01T23:59:50Z+10n} {x} {\"a\":{n}} {";
        assert_eq!(fill(text, 2), "2 25 2024-08-02T00:00:10Z {x} {\"a\":2} {");
        let case: Case = serde_json::from_str(
            r#"{"fires": true, "why": "w", "events": [{"times": 2, "event": {"id": ["e{n}"], "n": 1}}, {"times": 1, "event": "k {5+1n}"}, {"event": "l {n}"}]}"#,
        )
        .unwrap();
        assert_eq!(case.records().unwrap(), [r#"{"id":["e0"],"n":1}"#, r#"{"id":["e1"],"n":1}"#, "k 5", "l {n}"]);
    }
}
