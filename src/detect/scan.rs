//! One batch → the rows that each rule selects: conditions are decided once per distinct value, rows visited once.

use std::cell::OnceCell;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Int32Array};
use arrow::datatypes::Int32Type;
use datafusion::common::Result;

use super::compile::{CompiledRule, Condition, TableRules};
use super::program::Rows;
use crate::table::Batch;

/// A batch while its rules look at it. Whatever two rules need is computed when the first asks.
pub struct Scan<'a> {
    rules: &'a TableRules,
    pub arrays: Vec<ArrayRef>,
    rows: usize,
    /// By leaf.
    codes: Vec<OnceCell<Codes>>,
    /// By condition; `None` where it failed.
    by_code: Vec<OnceCell<Option<Truth>>>,
    by_row: Vec<OnceCell<Option<BooleanArray>>>,
}

/// A dictionary column as one small number a row; null is the last code.
struct Codes {
    of_row: Vec<u32>,
    /// Rows sorted by code, those of a code from `starts[code]` to `starts[code + 1]`.
    rows: OnceCell<Vec<u32>>,
    starts: Vec<u32>,
}

/// For which codes of its column a condition is true.
struct Truth {
    leaf: usize,
    of_code: Vec<bool>,
    /// Number of rows that have such a code.
    rows: usize,
}

impl<'a> Scan<'a> {
    pub fn new(rules: &'a TableRules, batch: &Batch) -> Scan<'a> {
        fn empty<T>(count: usize) -> Vec<OnceCell<T>> {
            std::iter::repeat_with(OnceCell::new).take(count).collect()
        }
        Scan {
            arrays: rules.leaves.arrays(batch),
            rows: batch.rows.num_rows(),
            codes: empty(rules.leaves.all.len()),
            by_code: empty(rules.conditions.len()),
            by_row: empty(rules.conditions.len()),
            rules,
        }
    }

    /// Rows that may match as far as dictionary columns tell, in rising order; `None` when it is all of them.
    pub fn candidates(&self, rule: &CompiledRule) -> Result<Option<Vec<u32>>> {
        let mut truths = Vec::with_capacity(rule.gate.len());
        for condition in &rule.gate {
            let truth = self.truth(*condition)?;
            if truth.rows == 0 {
                return Ok(Some(Vec::new()));
            }
            if truth.rows < self.rows {
                truths.push(truth);
            }
        }
        truths.sort_by_key(|truth| truth.rows);
        let Some((narrowest, others)) = truths.split_first() else { return Ok(None) };
        let others: Vec<(&[u32], &[bool])> =
            others.iter().map(|truth| (self.codes(truth.leaf).of_row.as_slice(), truth.of_code.as_slice())).collect();
        let passes = |row: &u32| others.iter().all(|(codes, truth)| truth[codes[*row as usize] as usize]);
        let codes = self.codes(narrowest.leaf);
        let mut found = Vec::new();
        let mut lists = 0;
        for (code, _) in narrowest.of_code.iter().enumerate().filter(|(_, holds)| **holds) {
            let list = codes.rows_of(code);
            lists += usize::from(!list.is_empty());
            found.extend(list.iter().copied().filter(passes));
        }
        if lists > 1 {
            found.sort_unstable();
        }
        Ok(Some(found))
    }

    /// The rows among the candidates that match.
    pub fn select(&self, rule: &CompiledRule, candidates: Option<Vec<u32>>) -> Result<Vec<u32>> {
        let mut rows = candidates.unwrap_or_else(|| (0..self.rows as u32).collect());
        for id in &rule.rest {
            if rows.is_empty() {
                break;
            }
            self.keep(*id, &mut rows)?;
        }
        Ok(rows)
    }

    fn keep(&self, id: usize, rows: &mut Vec<u32>) -> Result<()> {
        let condition = &self.rules.conditions[id];
        // most of the batch: reading columns in place, once for all rules, beats copying rows out of them
        if rows.len() * 2 > self.rows
            && let Some(truth) = self.by_row[id].get_or_init(|| self.run(condition, Rows::All(self.rows)).ok())
        {
            rows.retain(|row| is_true(truth, *row as usize));
            return Ok(());
        }
        let truth = self.run(condition, Rows::These(rows))?;
        let mut position = 0..;
        rows.retain(|_| position.next().is_some_and(|position| is_true(&truth, position)));
        Ok(())
    }

    fn run(&self, condition: &Condition, rows: Rows) -> Result<BooleanArray> {
        Ok(condition.program.run(&self.arrays, rows)?[0].as_boolean().clone())
    }

    fn truth(&self, id: usize) -> Result<&Truth> {
        let condition = &self.rules.conditions[id];
        if let Some(Some(truth)) = self.by_code[id].get() {
            return Ok(truth);
        }
        let truth = self.decide(condition)?;
        Ok(self.by_code[id].get_or_init(|| Some(truth)).as_ref().expect("only successes are kept"))
    }

    /// Lets DataFusion decide the condition for each distinct value of its column, and for null.
    fn decide(&self, condition: &Condition) -> Result<Truth> {
        let leaf = condition.program.reads[0];
        let values = self.arrays[leaf].as_dictionary::<Int32Type>().values();
        let keys: Int32Array = (0..values.len() as i32).map(Some).chain([None]).collect();
        let distinct: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::try_new(keys, values.clone())?);
        let truth = condition.program.run_on(vec![distinct], values.len() + 1)?;
        let truth = truth[0].as_boolean();
        let of_code: Vec<bool> = (0..truth.len()).map(|code| is_true(truth, code)).collect();
        let codes = self.codes(leaf);
        let rows = (0..of_code.len()).filter(|code| of_code[*code]).map(|code| codes.count(code)).sum();
        Ok(Truth { leaf, of_code, rows })
    }

    fn codes(&self, leaf: usize) -> &Codes {
        self.codes[leaf].get_or_init(|| Codes::of(self.arrays[leaf].as_dictionary::<Int32Type>()))
    }
}

/// SQL's TRUE: neither false nor null.
fn is_true(truth: &BooleanArray, index: usize) -> bool {
    truth.is_valid(index) && truth.value(index)
}

impl Codes {
    fn of(array: &DictionaryArray<Int32Type>) -> Codes {
        let null = array.values().len() as u32;
        let of_row: Vec<u32> = array.keys().iter().map(|key| key.map_or(null, |key| key as u32)).collect();
        let mut starts = vec![0u32; array.values().len() + 2];
        for code in &of_row {
            starts[*code as usize + 1] += 1;
        }
        for code in 1..starts.len() {
            starts[code] += starts[code - 1];
        }
        Codes { of_row, rows: OnceCell::new(), starts }
    }

    fn count(&self, code: usize) -> usize {
        (self.starts[code + 1] - self.starts[code]) as usize
    }

    fn rows_of(&self, code: usize) -> &[u32] {
        let rows = self.rows.get_or_init(|| {
            let mut next = self.starts.clone();
            let mut rows = vec![0; self.of_row.len()];
            for (row, code) in self.of_row.iter().enumerate() {
                let place = &mut next[*code as usize];
                rows[*place as usize] = row as u32;
                *place += 1;
            }
            rows
        });
        &rows[self.starts[code] as usize..self.starts[code + 1] as usize]
    }
}
