//! A rule and events → condition by condition, whether it holds of each, and what it looked at.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Ident, SelectItem, Visit, Visitor};
use serde::Serialize;

use crate::detect::compile::Compiler;
use crate::detect::emit::{cut, texts};
use crate::detect::engine::Detector;
use crate::detect::plan::place;
use crate::detect::program::{Leaves, Program, Rows};
use crate::detect::reference::References;
use crate::rule::{Fires, Rule, RuleError};
use crate::table::{Batch, Table};

/// Why a rule did or did not fire.
#[derive(Debug, Serialize)]
pub struct Explanation {
    pub rule: String,
    pub table: String,
    /// Rows of the rule's table among the events. With none the rule looked at nothing.
    pub rows: usize,
    /// Rows of other tables, by table.
    pub others: Vec<(String, usize)>,
    /// The conditions of the WHERE, in the author's order, then the one about AWS services where the rule has it.
    pub conditions: Vec<Condition>,
    /// Windows that the rows for which all conditions hold fall into, and the HAVING of each.
    pub windows: Vec<Window>,
    /// What the rule itself says, all of it at once.
    pub fires: bool,
}

/// A condition of the WHERE or HAVING.
#[derive(Debug, Default, Serialize)]
pub struct Condition {
    pub sql: String,
    /// Of each row, in the order of the events, or of the one window; null where a value that it needs is missing.
    pub holds: Vec<Option<bool>>,
    /// What it reads, as SQL, with the value in each row; only of a condition without branches.
    pub reads: Vec<(String, Vec<Option<String>>)>,
    /// Of branches: how they are joined.
    pub joined: Option<Joined>,
    pub branches: Vec<Condition>,
    /// True of the condition that the author did not write: that no AWS service made the call on its own behalf.
    pub own: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Joined {
    And,
    Or,
}

/// A window of a rule that groups.
#[derive(Debug, Serialize)]
pub struct Window {
    pub start: String,
    /// The first moment behind it.
    pub end: String,
    pub rows: u64,
    /// What the rule groups by, without the window.
    pub key: Vec<(String, Option<String>)>,
    pub conditions: Vec<Condition>,
    /// How unusual it is, in words, where the rule scores its windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unusual: Option<String>,
}

impl Condition {
    /// Whether it is true of a row, or of the window.
    pub fn is_true(&self, row: usize) -> bool {
        self.holds[row] == Some(true)
    }
}

/// Asks each condition of a rule of every row, in one session with the rule itself.
///
/// # Errors
/// When the rule does not compile.
pub fn explain(
    tables: &[&'static Table],
    references: &References,
    rule: &Rule,
    batches: &[Batch],
) -> std::result::Result<Explanation, RuleError> {
    let mut compiler = Compiler::new(tables, references);
    compiler.add(Arc::new(rule.clone()))?;
    let statement = compiler.planner.statement(rule)?;
    let (own, others): (Vec<Batch>, Vec<Batch>) = batches
        .iter()
        .filter(|batch| batch.rows.num_rows() > 0)
        .cloned()
        .partition(|batch| batch.table.name == rule.table);
    let failed = |error: String| rule.error((1, 1), format!("it fails on this event: {error}"));
    let asked = Asked { compiler: &compiler, statement: &statement, batches: &own };
    let conditions = asked.conditions(rule).map_err(|error| failed(error.strip_backtrace()))?;
    let windows = match rule.fires {
        Fires::PerRow => Vec::new(),
        Fires::PerWindow => windows(tables, references, rule, &statement, &own)?,
    };
    let found = Detector::of(compiler).observe_one(&rule.id, &own).map_err(failed)?;
    Ok(Explanation {
        rule: rule.id.clone(),
        table: rule.table.clone(),
        rows: own.iter().map(|batch| batch.rows.num_rows()).sum(),
        others: others.iter().map(|batch| (batch.table.name.to_owned(), batch.rows.num_rows())).collect(),
        conditions,
        windows,
        fires: !found.is_empty(),
    })
}

/// Rows, and the rule that is asked about them.
struct Asked<'a> {
    compiler: &'a Compiler,
    statement: &'a Statement,
    batches: &'a [Batch],
}

impl Asked<'_> {
    fn conditions(&self, rule: &Rule) -> Result<Vec<Condition>> {
        let Some(first) = self.batches.first() else { return Ok(Vec::new()) };
        let selection = place::select(self.statement).selection.as_ref().expect("a rule has a WHERE");
        let mut all = split(selection, Joined::And).into_iter().map(|one| self.ask(one)).collect::<Result<Vec<_>>>()?;
        if let Some((sql, condition)) = self.compiler.not_own(rule) {
            let mut leaves = Leaves::new(first.table);
            let program = Program::new(&mut leaves, &[condition])?;
            let holds = self.booleans(&leaves, &program)?;
            let mut reads = Vec::new();
            for leaf in &program.reads {
                let mut values = Vec::new();
                for batch in self.batches {
                    values.extend(texts(&leaves.arrays(batch)[*leaf])?);
                }
                reads.push((leaves.all[*leaf].path.clone(), values));
            }
            all.push(Condition { sql, holds, reads, own: true, ..Condition::default() });
        }
        Ok(all)
    }

    fn ask(&self, expr: &Expr) -> Result<Condition> {
        let (joined, branches) = branches(expr);
        let branches = branches.into_iter().map(|branch| self.ask(branch)).collect::<Result<Vec<_>>>()?;
        let mut leaves = Leaves::new(self.batches[0].table);
        let program = self.compiler.first_item(&mut leaves, place::alone(self.statement, expr))?;
        let holds = self.booleans(&leaves, &program)?;
        // what stands in a lambda is read of no row
        let reads = if joined.is_some() { Vec::new() } else { reads(expr, None) };
        let reads = reads.into_iter().filter_map(|read| Some((read.to_string(), self.values(&read).ok()?)));
        Ok(Condition { sql: expr.to_string(), holds, reads: reads.collect(), joined, branches, own: false })
    }

    fn booleans(&self, leaves: &Leaves, program: &Program) -> Result<Vec<Option<bool>>> {
        let mut all = Vec::new();
        for batch in self.batches {
            let truth = program.run(&leaves.arrays(batch), Rows::All(batch.rows.num_rows()))?;
            all.extend(cast(&truth[0], &DataType::Boolean)?.as_boolean());
        }
        Ok(all)
    }

    fn values(&self, expr: &Expr) -> Result<Vec<Option<String>>> {
        let mut leaves = Leaves::new(self.batches[0].table);
        let program = self.compiler.first_item(&mut leaves, place::alone(self.statement, expr))?;
        let mut all = Vec::new();
        for batch in self.batches {
            let values = program.run(&leaves.arrays(batch), Rows::All(batch.rows.num_rows()))?;
            all.extend(texts(&values[0])?.into_iter().map(|value| value.map(|value| cut(&value))));
        }
        Ok(all)
    }
}

/// Has the rule select, in place of what its author wants to see, each condition of its HAVING and what that reads.
fn windows(
    tables: &[&'static Table],
    references: &References,
    rule: &Rule,
    statement: &Statement,
    batches: &[Batch],
) -> std::result::Result<Vec<Window>, RuleError> {
    let having =
        split(place::asks_windows(statement).expect("a rule over windows has a condition on them"), Joined::And);
    let by = place::keys(statement);
    let keys: Vec<&Expr> = by.iter().filter(|expr| !is_call(expr, &["tumble", "hop", "session"])).collect();
    let named = |name: &'static str| {
        move |(place, expr): (usize, Expr)| SelectItem::ExprWithAlias {
            expr,
            alias: Ident::new(format!("{name}{place}")),
        }
    };
    let mut items: Vec<Expr> = keys.iter().map(|key| (*key).clone()).collect();
    let mut asking = statement.clone();
    if place::is_framed(statement) {
        // what the query within FROM does not show cannot be asked for around it
        let within = place::select_mut(&mut asking).expect("it was a SELECT");
        within.projection.extend(items.iter().cloned().enumerate().map(named("key_of_frame_")));
        items
            .iter_mut()
            .enumerate()
            .for_each(|(place, key)| *key = Expr::Identifier(Ident::new(format!("key_of_frame_{place}"))));
    }
    let grouped = (!place::is_framed(statement)).then_some(&keys[..]);
    having.iter().for_each(|one| list(one, grouped, &mut items));
    place::outer_mut(&mut asking).expect("it was a SELECT").projection =
        items.into_iter().enumerate().map(named("c")).collect();
    let mut compiler = Compiler::new(tables, references);
    compiler.add_statement(Arc::new(rule.clone()), asking)?;
    let seen = Detector::of(compiler).windows_of(&rule.id, batches);
    let seen = seen.map_err(|error| rule.error((1, 1), format!("it fails on this event: {error}")))?;
    let window = |window: crate::detect::engine::Seen| {
        let mut values = window.selected.into_iter().map(|(_, value)| value);
        Window {
            start: window.start.to_string(),
            end: window.end.to_string(),
            rows: window.rows,
            key: keys.iter().map(|key| (key.to_string(), values.next().flatten())).collect(),
            conditions: having.iter().map(|one| taken(one, grouped, &mut values)).collect(),
            unusual: window.unusual,
        }
    };
    Ok(seen.into_iter().map(window).collect())
}

/// A condition, what it reads, and its branches, one behind the other as [`taken`] takes them.
fn list(expr: &Expr, grouped: Option<&[&Expr]>, into: &mut Vec<Expr>) {
    into.push(expr.clone());
    let (joined, branches) = branches(expr);
    if joined.is_none() {
        into.extend(reads(expr, grouped));
    }
    branches.into_iter().for_each(|branch| list(branch, grouped, into));
}

fn taken(expr: &Expr, grouped: Option<&[&Expr]>, values: &mut impl Iterator<Item = Option<String>>) -> Condition {
    let holds = values.next().flatten().map(|value| value == "true");
    let (joined, branches) = branches(expr);
    let reads = if joined.is_some() { Vec::new() } else { reads(expr, grouped) };
    let reads = reads.iter().map(|read| (read.to_string(), vec![values.next().flatten()])).collect();
    let branches = branches.into_iter().map(|branch| taken(branch, grouped, values)).collect();
    Condition { sql: expr.to_string(), holds: vec![holds], reads, joined, branches, own: false }
}

/// The parts of a condition that `AND` or `OR` joins; none of one that is a single comparison.
pub(super) fn branches(expr: &Expr) -> (Option<Joined>, Vec<&Expr>) {
    match bare(expr) {
        Expr::BinaryOp { op: BinaryOperator::And, .. } => (Some(Joined::And), split(expr, Joined::And)),
        Expr::BinaryOp { op: BinaryOperator::Or, .. } => (Some(Joined::Or), split(expr, Joined::Or)),
        _ => (None, Vec::new()),
    }
}

fn split(expr: &Expr, by: Joined) -> Vec<&Expr> {
    match (bare(expr), by) {
        (Expr::BinaryOp { left, op: BinaryOperator::And, right }, Joined::And)
        | (Expr::BinaryOp { left, op: BinaryOperator::Or, right }, Joined::Or) => {
            let mut all = split(left, by);
            all.extend(split(right, by));
            all
        }
        _ => vec![expr],
    }
}

fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => bare(inner),
        other => other,
    }
}

const AGGREGATES: [&str; 10] =
    ["count", "sum", "avg", "min", "max", "sample", "count_if", "approx_distinct", "any_value", "arbitrary"];

fn is_call(expr: &Expr, names: &[&str]) -> bool {
    matches!(expr, Expr::Function(call) if names.iter().any(|name| call.name.to_string().eq_ignore_ascii_case(name)))
}

/// What a condition reads: aggregates, places in JSON, columns; each once. Of a condition on what a query `grouped` by these: aggregates
/// and keys, for nothing else can be asked of a group.
fn reads(expr: &Expr, grouped: Option<&[&Expr]>) -> Vec<Expr> {
    struct Reads<'a> {
        grouped: Option<&'a [&'a Expr]>,
        found: Vec<Expr>,
        inside: usize,
    }
    fn is_read(expr: &Expr) -> bool {
        let json = |call: &str| call.to_lowercase().starts_with("json_");
        match expr {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::CompoundFieldAccess { .. } => true,
            Expr::BinaryOp { op, .. } => matches!(op, BinaryOperator::Arrow | BinaryOperator::LongArrow),
            Expr::Function(call) => is_call(expr, &AGGREGATES) || json(&call.name.to_string()),
            _ => false,
        }
    }
    impl Reads<'_> {
        fn is_read(&self, expr: &Expr) -> bool {
            match self.grouped {
                Some(keys) => is_call(expr, &AGGREGATES) || keys.iter().any(|key| key.to_string() == expr.to_string()),
                None => is_read(expr),
            }
        }
    }
    impl Visitor for Reads<'_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if self.is_read(expr) {
                if self.inside == 0 && !self.found.iter().any(|known| known.to_string() == expr.to_string()) {
                    self.found.push(expr.clone());
                }
                self.inside += 1;
            }
            ControlFlow::Continue(())
        }

        fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            self.inside -= usize::from(self.is_read(expr));
            ControlFlow::Continue(())
        }
    }
    let mut reads = Reads { grouped, found: Vec::new(), inside: 0 };
    // nothing in it breaks off
    let _ = expr.visit(&mut reads);
    reads.found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::detect::tests::{batch, changed, event, rule};
    use crate::logs;

    /// Each condition with its branches: `t`, `f` or `n` for each row, and what is read.
    fn told(conditions: &[Condition]) -> Vec<String> {
        let mut lines = Vec::new();
        for one in conditions {
            let letter = |holds: &Option<bool>| match holds {
                Some(true) => 't',
                Some(false) => 'f',
                None => 'n',
            };
            let reads: Vec<String> = one.reads.iter().map(|(sql, values)| format!("{sql}={values:?}")).collect();
            lines.push(format!("{} {} {}", one.holds.iter().map(letter).collect::<String>(), one.sql, reads.join(" ")));
            lines.extend(told(&one.branches).into_iter().map(|line| format!("  {line}")));
        }
        lines
    }

    #[test]
    fn each_condition_is_asked_by_itself_and_branches_too() {
        let sql = "SELECT eventTime FROM cloudtrail WHERE eventName = 'CreateUser' AND \
                   (requestParameters ->> 'userName' LIKE 'a%' OR errorCode = 'x' AND readOnly)";
        let made = changed(event("CreateUser", "e1"), json!({ "requestParameters": { "userName": "bob" } }));
        let service = changed(
            event("DeleteUser", "e2"),
            json!({ "sourceIPAddress": "ec2.amazonaws.com", "userIdentity": { "type": "AWSService", "invokedBy": "ec2.amazonaws.com" } }),
        );
        let explained =
            explain(logs::TABLES, &References::default(), &rule("", sql), &[batch(&[made, service])]).unwrap();
        assert_eq!((explained.rows, explained.fires, explained.conditions.len()), (2, false, 3));
        assert_eq!(
            told(&explained.conditions[..2]),
            [
                "tf eventName = 'CreateUser' eventName=[Some(\"CreateUser\"), Some(\"DeleteUser\")]",
                "nn (requestParameters ->> 'userName' LIKE 'a%' OR errorCode = 'x' AND readOnly) ",
                "  fn requestParameters ->> 'userName' LIKE 'a%' requestParameters ->> 'userName'=[Some(\"bob\"), None]",
                "  nn errorCode = 'x' AND readOnly ",
                "    nn errorCode = 'x' errorCode=[None, None]",
                "    nn readOnly readOnly=[None, None]",
            ]
        );
        let own = &explained.conditions[2];
        assert_eq!((own.own, &*own.holds), (true, &[Some(true), Some(false)][..]));
    }

    #[test]
    fn aggregates_in_words_of_athena_are_read_as_they_stand() {
        let sql = "SELECT account FROM cloudtrail WHERE eventName = 'CreateUser' \
                   GROUP BY account, tumble(eventTime, INTERVAL '1 day') HAVING count_if(errorCode IS NULL) > 1";
        let explained =
            explain(logs::TABLES, &References::default(), &rule("", sql), &[batch(&[event("CreateUser", "e1")])])
                .unwrap();
        let expected = "f count_if(errorCode IS NULL) > 1 count_if(errorCode IS NULL)=[Some(\"1\")]";
        assert_eq!(told(&explained.windows[0].conditions), [expected]);
    }

    #[test]
    fn what_is_new_may_be_more_than_a_column() {
        let sql = "SELECT account FROM cloudtrail WHERE eventName = 'CreateUser' \
                   GROUP BY account, coalesce(userIdentity.userName, userIdentity.arn), tumble(eventTime, INTERVAL '1 day') \
                   HAVING first_seen(coalesce(userIdentity.userName, userIdentity.arn), INTERVAL '30 days') AND count(*) > 0";
        let events = [event("CreateUser", "e1")];
        let explained = explain(logs::TABLES, &References::default(), &rule("", sql), &[batch(&events)]).unwrap();
        let who = "coalesce(userIdentity.userName, userIdentity.arn)";
        let first =
            format!("f first_seen({who}, INTERVAL '30 days') {who}=[Some(\"arn:aws:iam::111122223333:user/eve\")]");
        assert_eq!(told(&explained.windows[0].conditions), [&*first, "t count(*) > 0 count(*)=[Some(\"1\")]"]);
    }

    #[test]
    fn a_window_has_its_key_and_each_condition_of_having() {
        let sql = "SELECT count(*) AS n FROM cloudtrail WHERE eventName = 'CreateUser' \
                   GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '1 hour') \
                   HAVING count(*) >= 3 AND (min(eventID) = 'e1' OR count(DISTINCT eventID) > 5)";
        let events = [event("CreateUser", "e1"), event("CreateUser", "e2"), event("DeleteUser", "e3")];
        let explained = explain(logs::TABLES, &References::default(), &rule("", sql), &[batch(&events)]).unwrap();
        assert_eq!((explained.windows.len(), explained.fires), (1, false));
        let window = &explained.windows[0];
        assert_eq!((&*window.start, &*window.end, window.rows), ("2024-08-01T11:00:00Z", "2024-08-01T12:00:00Z", 2));
        let who = Some("arn:aws:iam::111122223333:user/eve".to_owned());
        assert_eq!(window.key, [("userIdentity.arn".to_owned(), who)]);
        assert_eq!(
            told(&window.conditions),
            [
                "f count(*) >= 3 count(*)=[Some(\"2\")]",
                "t (min(eventID) = 'e1' OR count(DISTINCT eventID) > 5) ",
                "  t min(eventID) = 'e1' min(eventID)=[Some(\"e1\")]",
                "  f count(DISTINCT eventID) > 5 count(DISTINCT eventID)=[Some(\"2\")]",
            ]
        );
    }

    #[test]
    fn a_frame_has_its_key_and_each_condition_on_it() {
        let sql = "SELECT n FROM (SELECT eventName AS name, count(*) OVER (PARTITION BY userIdentity.arn ORDER BY eventTime \
                   RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND CURRENT ROW) AS n FROM cloudtrail WHERE readOnly) AS f \
                   WHERE f.n >= 3 AND name = 'ListUsers'";
        let listed =
            |id: &str, time: &str| changed(event("ListUsers", id), json!({ "eventTime": time, "readOnly": true }));
        let events = [listed("e1", "2024-08-01T11:00:00Z"), listed("e2", "2024-08-01T12:00:00Z")];
        let explained = explain(logs::TABLES, &References::default(), &rule("", sql), &[batch(&events)]).unwrap();
        assert_eq!((explained.windows.len(), explained.fires), (2, false));
        assert_eq!(told(&explained.conditions[..1]), ["tt readOnly readOnly=[Some(\"true\"), Some(\"true\")]"]);
        let window = &explained.windows[1];
        assert_eq!((&*window.start, &*window.end, window.rows), ("2024-08-01T11:00:00Z", "2024-08-01T12:00:00Z", 2));
        let who = Some("arn:aws:iam::111122223333:user/eve".to_owned());
        assert_eq!(window.key, [("userIdentity.arn".to_owned(), who)]);
        assert_eq!(
            told(&window.conditions),
            ["f f.n >= 3 f.n=[Some(\"2\")]", "t name = 'ListUsers' name=[Some(\"ListUsers\")]"]
        );
    }

    #[test]
    fn rows_of_another_table_are_not_looked_at() {
        let sql = "SELECT start FROM vpc_flow WHERE action = 'ACCEPT'";
        let explained =
            explain(logs::TABLES, &References::default(), &rule("", sql), &[batch(&[event("CreateUser", "e1")])])
                .unwrap();
        assert_eq!((explained.rows, explained.fires, explained.conditions.len()), (0, false, 0));
        assert_eq!(explained.others, [("cloudtrail".to_owned(), 1)]);
    }
}
