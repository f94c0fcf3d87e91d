//! One batch → the rows that each rule selects: conditions are decided once per distinct value, rows visited once.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result};

use super::compile::{CALLS, CompiledRule, TableRules, Then};
use super::emit::Apart;
use super::joined::Joined;
use super::program::{Arrays, Program, Rows};
use super::route::{Candidates, Routes};
use super::tuples::{Tuple, Tuples};
use super::verdicts::is_true;
use super::window::columns::{Answers, Whole};
use super::window::gather::{Names, Told};

/// A batch while its rules look at it. Whatever two rules need is computed when the first asks.
pub struct Scan<'a> {
    rules: &'a TableRules,
    pub arrays: Arrays<'a>,
    rows: usize,
    /// By condition.
    by_row: Vec<ByRow>,
    /// What the router tells, see [`Routes`].
    unsure: BTreeSet<usize>,
    texts: BTreeSet<usize>,
    wide: BTreeSet<usize>,
    /// What keeps matches of one id apart.
    pub apart: Apart,
    names: OnceCell<Result<Arc<Names>>>,
    asked: Vec<Whole>,
    tuples: Tuples,
}

/// What one condition says of all rows of a batch.
#[derive(Default)]
struct ByRow {
    /// Once it was asked of one of all that are alike; `None` where it failed, or hardly any are.
    of_tuples: OnceCell<Option<(Rc<Tuple>, BooleanArray)>>,
    /// Once it was asked of all; `None` where it failed.
    truth: OnceCell<Option<BooleanArray>>,
    /// Rows that it was asked of until then.
    asked: Cell<usize>,
}

/// What it takes to ask of a few rows apart, in rows; where functions are called, which take longer, in fewer.
const APART_ROWS: usize = 64;

/// Fewer rows than this are asked at once: to look up their values costs more than it saves.
const REMEMBER_ROWS_MIN: usize = 8;

impl<'a> Scan<'a> {
    /// The scan, and for each rule that may match the rows that do as far as the router tells; `None` when it is all of them.
    pub fn new(rules: &'a TableRules, batches: &Joined<'a>, apart: Apart) -> (Scan<'a>, Candidates) {
        let arrays = rules.leaves.joined(batches.clone());
        let (count, tuples) = (batches.rows, Tuples::default());
        let Routes { rows, unsure, texts, wide } = rules.router.route(&rules.conditions, &arrays, &tuples);
        let by_row = std::iter::repeat_with(ByRow::default).take(rules.conditions.len()).collect();
        let asked = std::iter::repeat_with(Whole::default).take(rules.asked.len()).collect();
        let names = OnceCell::new();
        (Scan { arrays, rows: count, by_row, unsure, texts, wide, apart, rules, names, asked, tuples }, rows)
    }

    /// What rules over windows ask of the rows.
    pub fn answers(&self) -> Answers<'_> {
        Answers::new(&self.rules.asked, &self.arrays, &self.asked, &self.tuples)
    }

    /// Who and where, for each row.
    ///
    /// # Errors
    /// When the table's own expressions fail on these rows.
    pub fn names(&self) -> Result<Arc<Names>> {
        let columns = || {
            let columns: Vec<Told> =
                self.rules.shared.iter().map(|program| self.told(program)).collect::<Result<_>>()?;
            Ok(Arc::new(Names::new(&columns, &self.rules.known_texts)?))
        };
        self.names
            .get_or_init(columns)
            .as_ref()
            .map(Arc::clone)
            .map_err(|error| DataFusionError::Execution(error.to_string()))
    }

    /// What an expression is, asked of one of all rows that are alike where that is less.
    fn told(&self, program: &Program) -> Result<Told> {
        let is_symbol = |leaf: &usize| matches!(self.arrays[*leaf].data_type(), DataType::Dictionary(..));
        let is_plain = program.reads.len() == 1 && program.reads.iter().all(is_symbol);
        let tuple = if program.coded && !is_plain { self.tuples.of(&program.reads, &self.arrays) } else { None };
        let rows = tuple.as_ref().map_or(Rows::All(self.rows), |tuple| Rows::These(&tuple.firsts));
        Ok(Told { array: program.run(&self.arrays, rows)?.remove(0), tuple })
    }

    /// The columns that a rule reads, those first whose values most likely repeat.
    pub fn read_by(&self, rule: &CompiledRule) -> Vec<usize> {
        let conditions = rule.gate.iter().chain(&rule.rest).map(|id| &self.rules.conditions[*id].program);
        let mut read: BTreeSet<usize> = conditions.flat_map(|program| program.reads.iter().copied()).collect();
        match &rule.then {
            Then::Emit(emit) => read.extend(emit.every.reads.iter().chain(&emit.first.reads)),
            Then::Window(plan, _) => read.extend(plan.reads(&self.rules.asked)),
        }
        let kind = |leaf: &usize| match self.arrays[*leaf].data_type() {
            DataType::Dictionary(..) => 0,
            DataType::Timestamp(..) => 3,
            DataType::Utf8View => 2,
            _ => 1,
        };
        let mut read: Vec<usize> = read.into_iter().collect();
        read.sort_by_key(kind);
        read
    }

    /// The rows among the candidates that match.
    pub fn select(&self, rule: &CompiledRule, candidates: Option<Vec<u32>>) -> Result<Vec<u32>> {
        let mut rows = candidates.unwrap_or_else(|| (0..self.rows as u32).collect());
        let routed = rule.gated || rule.rest.iter().any(|id| self.is_told(*id));
        let told = |id: &&usize| routed && self.is_told(**id) && !self.unsure.contains(*id);
        for id in rule.rest.iter().chain(&rule.gate).filter(|id| !told(id)) {
            if rows.is_empty() {
                break;
            }
            self.keep(*id, &mut rows)?;
        }
        Ok(rows)
    }

    /// Whether the router, where it routes the rule, asked this condition of each value that the batch has.
    fn is_told(&self, id: usize) -> bool {
        let condition = &self.rules.conditions[id];
        let of = |leaves: &BTreeSet<usize>| leaves.contains(&condition.program.reads[0]);
        if condition.by_code { !of(&self.wide) } else { condition.verdicts.is_some() && of(&self.texts) }
    }

    fn keep(&self, id: usize, rows: &mut Vec<u32>) -> Result<()> {
        let condition = &self.rules.conditions[id];
        if rows.len() >= REMEMBER_ROWS_MIN
            && let Some(verdicts) = &condition.verdicts
        {
            let leaf = condition.program.reads[0];
            let column = self.arrays[leaf].as_string_view();
            let decide = |values: StringViewArray| {
                let count = values.len();
                Ok(condition.program.run_on(vec![Arc::new(values)], count)?[0].as_boolean().clone())
            };
            if verdicts.keep(column, rows, decide) {
                return Ok(());
            }
        }
        // most of the batch, or as much as it has together with what was asked before: reading columns in place, once for all rules, beats
        // copying rows out of them
        let ByRow { truth, of_tuples, asked } = &self.by_row[id];
        let before = asked.get();
        asked.set(before + rows.len() + if condition.cost < CALLS { APART_ROWS } else { APART_ROWS / 8 });
        let tells_apart = || self.tuples.tells_apart(&condition.program, &self.arrays, before + rows.len());
        if (of_tuples.get().is_some() || tells_apart())
            && let Some((tuple, truth)) = of_tuples.get_or_init(|| self.run_on_tuples(id))
        {
            rows.retain(|row| is_true(truth, tuple.of_row[*row as usize] as usize));
            return Ok(());
        }
        if (truth.get().is_some() || rows.len() * 2 > self.rows || before + rows.len() > self.rows)
            && let Some(truth) = truth.get_or_init(|| self.run(id, Rows::All(self.rows)).ok())
        {
            rows.retain(|row| is_true(truth, *row as usize));
            return Ok(());
        }
        let truth = self.run(id, Rows::These(rows))?;
        let mut position = 0..;
        rows.retain(|_| position.next().is_some_and(|position| is_true(&truth, position)));
        Ok(())
    }

    fn run_on_tuples(&self, id: usize) -> Option<(Rc<Tuple>, BooleanArray)> {
        let program = &self.rules.conditions[id].program;
        let tuple = self.tuples.of(&program.reads, &self.arrays)?;
        let truth = self.run(id, Rows::These(&tuple.firsts)).ok()?;
        Some((tuple, truth))
    }

    fn run(&self, id: usize, rows: Rows) -> Result<BooleanArray> {
        Ok(self.rules.conditions[id].program.run(&self.arrays, rows)?[0].as_boolean().clone())
    }
}
