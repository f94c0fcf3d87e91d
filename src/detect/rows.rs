//! One rule × rows of a batch → what it makes of them, row by row where it fails on some.

use arrow::array::UInt32Array;
use arrow::compute::take;
use datafusion::common::Result;

use super::compile::{CompiledRule, Then};
use super::emit;
use super::quarantine::{Place, failed, halves};
use super::scan::Scan;
use super::window::state::{Selected, gather};
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

/// What [`matches`] makes of rows of which some make the rule fail.
pub fn apart(rule: &CompiledRule, scan: &Scan, rows: &[u32], error: String) -> (Vec<(u64, Made)>, Vec<Failure>) {
    let (answers, failures) = halves(rows, error, |rows| matches(rule, scan, Some(rows.to_vec())));
    (answers, failures.into_iter().map(|(rows, error)| (rows.to_vec(), error)).collect())
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
            let (found, ungraded) = emit::findings(rule, emit, &scan.arrays, &rows)?;
            Made::Findings(found, ungraded)
        }
        Then::Window(plan, _) => Made::Selected(Box::new(gather(plan, scan.names()?, &scan.answers(), rows)?)),
    };
    Ok((hits, made))
}
