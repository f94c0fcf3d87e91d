//! One rule × rows of a batch → what it makes of them, row by row where it fails on some.

use std::collections::BTreeMap;

use arrow::array::UInt32Array;
use arrow::compute::take;
use datafusion::common::Result;

use super::compile::{CompiledRule, Then};
use super::emit;
use super::quarantine::{Place, failed, halves};
use super::scan::Scan;
use super::window::state::{Selected, gather};
use super::window::text::Values;
use crate::finding::Finding;
use crate::rule::Rule;
use crate::table::Batch;
use crate::time::Timestamp;

/// What a rule makes of the rows that it selects.
pub enum Made {
    Nothing,
    /// And the number of rows whose severity is none.
    Findings(Vec<Finding>, u64),
    Selected(Box<Selected>),
}

/// Rows that a rule fails on, and why.
pub type Failure = (Vec<u32>, String);

/// What [`matches`] makes of rows of which some make the rule fail: of all that it can judge, and those that it cannot.
pub fn apart(rule: &CompiledRule, scan: &Scan, rows: &[u32], error: String) -> (Vec<(u64, Made)>, Vec<Failure>) {
    let mut best = by_row(rule, scan, rows, error.clone());
    if best.1.iter().all(|(rows, _)| rows.len() == 1) {
        return best;
    }
    // many rows fail: those may be the ones that have some value
    for column in scan.texts_read(rule) {
        let Ok(values) = take(&scan.arrays[column], &UInt32Array::from(rows.to_vec()), None) else { continue };
        let Ok(values) = Values::texts(&values) else { continue };
        let mut alike = BTreeMap::<Option<u32>, Vec<u32>>::new();
        for (place, row) in rows.iter().enumerate() {
            alike.entry(values.code(place)).or_default().push(*row);
        }
        if alike.len() < 2 || alike.len() == rows.len() {
            continue;
        }
        let alike: Vec<Vec<u32>> = alike.into_values().collect();
        let other = by_value(rule, scan, &alike, error.clone());
        if failed_len(&other.1) < failed_len(&best.1) {
            best = other;
        }
    }
    best
}

fn by_row(rule: &CompiledRule, scan: &Scan, rows: &[u32], error: String) -> (Vec<(u64, Made)>, Vec<Failure>) {
    let (answers, failures) = halves(rows, error, |rows| matches(rule, scan, Some(rows.to_vec())));
    (answers, failures.into_iter().map(|(rows, error)| (rows.to_vec(), error)).collect())
}

/// Values of a column whose rows are each tried apart once the rule fails on them.
const VALUES_MAX: usize = 8;

/// The same by values first: rows that share one are tried together.
fn by_value(rule: &CompiledRule, scan: &Scan, alike: &[Vec<u32>], error: String) -> (Vec<(u64, Made)>, Vec<Failure>) {
    let all = |parts: &[Vec<u32>]| {
        let mut rows = parts.concat();
        rows.sort_unstable();
        rows
    };
    let (mut answers, parts) = halves(alike, error, |parts| matches(rule, scan, Some(all(parts))));
    let few = parts.len() <= VALUES_MAX;
    let mut failures = Vec::new();
    for (parts, error) in parts {
        let rows = all(parts);
        if few && parts.len() == 1 {
            let (more, failed) = by_row(rule, scan, &rows, error);
            answers.extend(more);
            failures.extend(failed);
        } else {
            failures.push((rows, error));
        }
    }
    (answers, failures)
}

fn failed_len(failures: &[Failure]) -> usize {
    failures.iter().map(|(rows, _)| rows.len()).sum()
}

/// What says that a rule failed on rows of a batch.
pub fn wrong(rule: &Rule, batch: &Batch, rows: &[u32], error: &str) -> Vec<Finding> {
    let rows = UInt32Array::from(rows.to_vec());
    let column = |name: &str| take(batch.rows.column_by_name(name)?, &rows, None).ok();
    let texts = |name: Option<&str>| column(name?).and_then(|column| emit::texts(&column).ok());
    let times = column(batch.table.time).map(|times| emit::times(&times));
    let (accounts, regions, ids) = (texts(Some("account")), texts(Some("region")), texts(batch.table.id));
    let one = |row: usize| {
        let name = |names: &Option<Vec<Option<String>>>| names.as_ref().and_then(|names| names[row].clone());
        let known = |name: Option<String>| name.unwrap_or_else(|| "unknown".to_owned());
        let time = times.as_ref().map_or(Timestamp(0), |times| times[row]);
        let (account, region) = (known(name(&accounts)), known(name(&regions)));
        failed(rule, error, Place { time, account, region, event_id: name(&ids) })
    };
    (0..rows.len()).map(one).collect()
}

/// The number of rows that match, and what comes of them.
///
/// # Errors
/// When an expression of the rule fails on one of the rows.
pub fn matches(rule: &CompiledRule, scan: &Scan, candidates: Option<Vec<u32>>) -> Result<(u64, Made)> {
    let rows = scan.select(rule, candidates)?;
    if rows.is_empty() {
        return Ok((0, Made::Nothing));
    }
    let hits = rows.len() as u64;
    let made = match &rule.then {
        Then::Emit(emit) => {
            let (found, ungraded) = emit::findings(rule, emit, &scan.arrays, &rows, scan.apart)?;
            Made::Findings(found, ungraded)
        }
        Then::Window(plan, _) => Made::Selected(Box::new(gather(plan, scan.names()?, &scan.answers(), rows)?)),
    };
    Ok((hits, made))
}
