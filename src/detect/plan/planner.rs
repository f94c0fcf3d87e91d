//! Rules → their plans, each by itself: what of a rule needs nothing of the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::Expr;
use datafusion::sql::parser::Statement;
use rayon::prelude::*;

use super::query::{Query, take_apart};
use super::{place, regex};
use crate::detect::program::Leaves;
use crate::detect::reference::{References, lookup};
use crate::detect::session;
use crate::rule::dialect::{find_text, find_word, parse};
use crate::rule::{Rule, RuleError, Severity, header_place};
use crate::table::Table;

/// A rule taken apart, before it shares anything with others.
pub struct Planned {
    /// Position of its table.
    pub table: usize,
    pub statement: Statement,
    pub query: Query,
    pub key: Vec<Expr>,
}

/// Plans rules against the tables it was made with.
pub struct Planner {
    pub state: SessionState,
    references: References,
    tables: Vec<Leaves>,
    /// Expressions of keys by their table's name and their text: many rules have the same.
    keys: Mutex<HashMap<(&'static str, String), Vec<Expr>>>,
}

impl Planner {
    pub fn new(tables: &[&'static Table], references: &References) -> Planner {
        let state = session::planner(tables, references);
        let tables = tables.iter().map(|table| Leaves::new(table)).collect();
        Planner { state, references: references.clone(), tables, keys: Mutex::default() }
    }

    /// The statement of a rule that asks the lists which it joins.
    pub fn statement(&self, rule: &Rule) -> std::result::Result<Statement, RuleError> {
        self.lowered(rule, only_statement(&rule.text))
    }

    fn lowered(&self, rule: &Rule, mut statement: Statement) -> std::result::Result<Statement, RuleError> {
        // one of another table is refused for that
        if let Some(leaves) = self.tables.iter().find(|leaves| leaves.table.name == rule.table) {
            let lowered = lookup::lower(&mut statement, leaves.table, &self.references);
            lowered.map_err(|(place, message)| rule.error(place, message))?;
        }
        Ok(statement)
    }

    /// What of a rule needs nothing of the others.
    pub fn plan(&self, rule: &Rule, statement: Statement) -> std::result::Result<Planned, RuleError> {
        let fail = |(place, message): place::Complaint| rule.error(place, message);
        let statement = self.lowered(rule, statement)?;
        let Some(table) = self.tables.iter().position(|leaves| leaves.table.name == rule.table) else {
            let names = self.tables.iter().map(|leaves| leaves.table.name).collect::<Vec<_>>().join(", ");
            let at = find_word(&rule.text, &rule.table, 0).unwrap_or((1, 1));
            return Err(fail((at, format!("there is no table `{}`; there are {names}", rule.table))));
        };
        let leaves = &self.tables[table];
        let complain = |error: &DataFusionError| {
            if let Some(complaint) = place::unknown_column(&statement, leaves.table) {
                return fail(complaint);
            }
            let plans = |part| take_apart(&self.state, &Leaves::new(leaves.table), part).is_ok();
            fail(place::planner_error(error, &rule.text, &statement, plans))
        };
        let query = take_apart(&self.state, leaves, statement.clone()).map_err(|error| complain(&error))?;
        let key = self
            .key_exprs(leaves, rule)
            .map_err(|error| fail((header_place(&rule.text, "key"), place::words(&error))))?;
        if matches!(&query.condition, Expr::Literal(value, _) if value != &ScalarValue::Boolean(Some(true))) {
            let at = find_word(&rule.text, "WHERE", 0).unwrap_or((1, 1));
            return Err(fail((at, "the condition is never true".into())));
        }
        if let Some((word, message)) = query.items.iter().find_map(wrong_severity) {
            return Err(fail((find_text(&rule.text, &word).unwrap_or((1, 1)), message)));
        }
        if let Some(pattern) = query.find(|expr| regex::too_big(expr).map(str::to_owned)) {
            let message = format!(
                "the pattern '{pattern}' takes more than 10 MB of memory: repeat less, or fewer letters, as in [a-z0-9_] for \\w"
            );
            return Err(fail((find_text(&rule.text, &pattern).unwrap_or((1, 1)), message)));
        }
        Ok(Planned { table, statement, query, key })
    }

    /// The same of several rules, side by side.
    pub fn plan_all(&self, rules: Vec<Rule>) -> Vec<(Arc<Rule>, std::result::Result<Planned, RuleError>)> {
        let plan = |rule: Rule| {
            let planned = self.plan(&rule, only_statement(&rule.text));
            (Arc::new(rule), planned)
        };
        rules.into_par_iter().with_max_len(1).map(plan).collect()
    }

    /// The expressions of a rule's key.
    fn key_exprs(&self, leaves: &Leaves, rule: &Rule) -> Result<Vec<Expr>> {
        let mut exprs = Vec::new();
        for key in &rule.key {
            let known = || self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            let place = (leaves.table.name, key.clone());
            if let Some(known) = known().get(&place) {
                exprs.extend(known.iter().cloned());
                continue;
            }
            let sql = format!("SELECT {key} AS k FROM {} WHERE true", leaves.table.name);
            let plan = |message: String| DataFusionError::Plan(message);
            let statement = match parse(&sql) {
                Ok(mut statements) if statements.len() == 1 => statements.pop_front().expect("there is one"),
                Ok(_) => return Err(plan(format!("key `{key}` is not one SQL expression"))),
                Err(error) => return Err(plan(format!("key `{key}`: {}", error.message))),
            };
            if let Some((_, message)) = place::unknown_column(&statement, leaves.table) {
                return Err(plan(format!("key `{key}`: {message}")));
            }
            let items = take_apart(&self.state, leaves, statement)?.items;
            let planned: Vec<Expr> = items.into_iter().map(|(_, expr)| expr).collect();
            exprs.extend(planned.iter().cloned());
            known().insert(place, planned);
        }
        Ok(exprs)
    }
}

/// The statement of a rule.
pub fn only_statement(text: &str) -> Statement {
    parse(text).ok().and_then(|mut all| all.pop_front()).expect("a Rule's text was parsed when it was made")
}

/// A word that the selected severity may be and that is no severity, with what to say of it.
fn wrong_severity((name, expr): &(String, Expr)) -> Option<(String, String)> {
    let mut words = Vec::new();
    if name == "severity" {
        constants(expr, &mut words);
    }
    words.into_iter().find_map(|word| Some((word.to_owned(), word.parse::<Severity>().err()?)))
}

/// The constants that an expression may have for its value, as far as CASE and coalesce choose between them.
fn constants<'a>(expr: &'a Expr, into: &mut Vec<&'a str>) {
    match expr {
        Expr::Literal(value, _) => into.extend(value.try_as_str().flatten()),
        // of a rule over windows
        Expr::Alias(alias) => constants(&alias.expr, into),
        Expr::Cast(cast) => constants(&cast.expr, into),
        Expr::Case(case) => {
            let values = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
            values.for_each(|value| constants(value, into));
        }
        Expr::ScalarFunction(call) if call.func.name() == "coalesce" => {
            call.args.iter().for_each(|value| constants(value, into));
        }
        _ => {}
    }
}
