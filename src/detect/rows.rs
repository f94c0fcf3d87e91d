//! One rule × rows of a batch → what it makes of them; where it fails on some, of as few as it can be told that fail.

use std::cell::Cell;
use std::collections::BTreeMap;

use arrow::array::UInt32Array;
use arrow::compute::take;
use arrow::row::{RowConverter, SortField};
use datafusion::common::Result;

use super::compile::{CompiledRule, Then};
use super::emit;
use super::joined::Joined;
use super::quarantine::{Place, failed, halves};
use super::scan::Scan;
use super::window::gather::{Selected, Wanted, gather};
use crate::finding::Finding;
use crate::rule::Rule;
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

/// What came of asking apart.
type Answers = (Vec<(u64, Made)>, Vec<Failure>);

/// What [`matches`] makes of rows of which some make the rule fail: of all that it can judge, and those that it cannot.
pub fn apart(rule: &CompiledRule, scan: &Scan, rows: &[u32], error: String) -> Answers {
    let (asked, columns) = (Cell::new(0), scan.read_by(rule));
    Asked { rule, scan, asked: &asked, columns: &columns }.best(rows, error)
}

/// Values of a column whose rows are each tried apart once the rule fails on them.
const VALUES_MAX: usize = 8;
/// Times that a rule is asked of parts of one batch. What then still fails together is left together.
const ASKED_MAX: usize = 4096;

/// A rule that fails on rows of a batch.
struct Asked<'a> {
    rule: &'a CompiledRule,
    scan: &'a Scan<'a>,
    asked: &'a Cell<usize>,
    /// Those by whose values rows are told apart.
    columns: &'a [usize],
}

impl Asked<'_> {
    fn ask(&self, rows: Vec<u32>) -> Result<(u64, Made)> {
        self.asked.set(self.asked.get() + 1);
        matches(self.rule, self.scan, Some(rows), Wanted::All)
    }

    /// The way of telling them apart that leaves the fewest rows.
    fn best(&self, rows: &[u32], error: String) -> Answers {
        let mut best = self.by_row(rows, error.clone());
        // where many rows fail, those may be the ones that have some value, or several
        for place in 0..self.columns.len() {
            let is_told = best.1.iter().all(|(rows, _)| rows.len() == 1);
            if is_told || self.asked.get() >= ASKED_MAX {
                break;
            }
            let Some(alike) = self.alike(self.columns[place], rows) else { continue };
            // what one column does not tell, one behind it may; the order of the two makes no difference
            let rest = Asked { columns: &self.columns[place + 1..], ..*self };
            let other = rest.by_value(&alike, error.clone());
            if failed_len(&other.1) < failed_len(&best.1) {
                best = other;
            }
        }
        best
    }

    fn by_row(&self, rows: &[u32], error: String) -> Answers {
        if self.asked.get() >= ASKED_MAX {
            return (Vec::new(), vec![(rows.to_vec(), error)]);
        }
        let (answers, failures) = halves(rows, error, |rows| self.ask(rows.to_vec()));
        (answers, failures.into_iter().map(|(rows, error)| (rows.to_vec(), error)).collect())
    }

    /// Rows that share a value are tried together; those of a value that fails by the columns that are left.
    fn by_value(&self, alike: &[Vec<u32>], error: String) -> Answers {
        let all = |parts: &[Vec<u32>]| {
            let mut rows = parts.concat();
            rows.sort_unstable();
            rows
        };
        let (mut answers, parts) = halves(alike, error, |parts| self.ask(all(parts)));
        let few = parts.len() <= VALUES_MAX;
        let mut failures = Vec::new();
        for (parts, error) in parts {
            let rows = all(parts);
            if few && parts.len() == 1 {
                let (more, failed) = self.best(&rows, error);
                answers.extend(more);
                failures.extend(failed);
            } else {
                failures.push((rows, error));
            }
        }
        (answers, failures)
    }

    /// Rows by their value of a column, in the order of these; `None` where all share one, or none does.
    fn alike(&self, column: usize, rows: &[u32]) -> Option<Vec<Vec<u32>>> {
        let values = take(&self.scan.arrays[column], &UInt32Array::from(rows.to_vec()), None).ok()?;
        // of maps and the like there is no order
        let order = RowConverter::new(vec![SortField::new(values.data_type().clone())]).ok()?;
        let keys = order.convert_columns(&[values]).ok()?;
        let mut alike = BTreeMap::<&[u8], Vec<u32>>::new();
        for (place, row) in rows.iter().enumerate() {
            alike.entry(keys.row(place).data()).or_default().push(*row);
        }
        (alike.len() > 1 && alike.len() < rows.len()).then(|| alike.into_values().collect())
    }
}

fn failed_len(failures: &[Failure]) -> usize {
    failures.iter().map(|(rows, _)| rows.len()).sum()
}

/// What says that a rule failed on rows of a batch.
pub fn wrong(rule: &Rule, batches: &Joined, rows: &[u32], error: &str) -> Vec<Finding> {
    let rows = UInt32Array::from(rows.to_vec());
    let column = |name: &str| take(&batches.column_by_name(name)?, &rows, None).ok();
    let texts = |name: Option<&str>| column(name?).and_then(|column| emit::texts(&column).ok());
    let times = column(batches.table.time).map(|times| emit::times(&times));
    let (accounts, regions, ids) = (texts(Some("account")), texts(Some("region")), texts(batches.table.id));
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
pub fn matches(rule: &CompiledRule, scan: &Scan, candidates: Option<Vec<u32>>, wanted: Wanted) -> Result<(u64, Made)> {
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
        Then::Window(plan, _) => Made::Selected(Box::new(gather(plan, scan.names()?, &scan.answers(), &rows, wanted)?)),
    };
    Ok((hits, made))
}
