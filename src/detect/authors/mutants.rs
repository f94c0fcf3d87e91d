//! A rule's statement → statements that differ in one small thing, each of which its cases should tell from it.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, SelectItem, Spanned, UnaryOperator, Value, visit_expressions, visit_expressions_mut,
};

use super::explain::{Joined, branches};
use crate::detect::plan::place;

/// A statement that differs in one thing.
pub struct Mutant {
    /// Of the rule's file, from 1: where the change is.
    pub line: usize,
    /// What was changed, as people say it.
    pub change: String,
    pub statement: Statement,
}

/// Elements of one list that are removed one by one at most.
const ELEMENTS_MAX: usize = 20;

/// In WHERE and HAVING, down through AND and OR: each condition dropped, each turned around, each element of a list
/// removed, `>=` in place of `>` and the other way around; in HAVING also each whole number one less and one more, and the same in
/// what its aggregates filter by.
pub fn mutants(statement: &Statement) -> Vec<Mutant> {
    let (rows, windows) = (place::select(statement).selection.as_ref(), place::asks_windows(statement));
    let mut all = Vec::new();
    for (part, whole) in [(Part::Where, rows), (Part::Having, windows)] {
        let Some(whole) = whole else { continue };
        let mut edits = edits(whole, part);
        if branches(whole).0.is_none() {
            edits.push(Edit::at(whole, format!("dropped `{whole}`"), truth()));
        }
        for edit in edits {
            let mut statement = statement.clone();
            let framed = place::is_framed(&statement);
            let select = match part {
                Part::Where => place::select_mut(&mut statement),
                Part::Having => place::outer_mut(&mut statement),
            };
            let select = select.expect("it was a SELECT");
            match part {
                Part::Having if !framed => select.having = Some(edit.expr),
                Part::Where | Part::Having => select.selection = Some(edit.expr),
            }
            all.push(Mutant { line: edit.line, change: edit.change, statement });
        }
    }
    if place::is_framed(statement) {
        all.extend(of_frames(statement));
    }
    all
}

/// The edits of what aggregates over frames filter by, which the query within FROM selects.
fn of_frames(statement: &Statement) -> Vec<Mutant> {
    let mut all = Vec::new();
    for (place, item) in place::select(statement).projection.iter().enumerate() {
        let SelectItem::ExprWithAlias { expr, .. } = item else { continue };
        for edit in of_filters(expr) {
            let mut statement = statement.clone();
            let select = place::select_mut(&mut statement).expect("it was a SELECT");
            if let SelectItem::ExprWithAlias { expr, .. } = &mut select.projection[place] {
                *expr = edit.expr;
            }
            all.push(Mutant { line: edit.line, change: edit.change, statement });
        }
    }
    all
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Where,
    Having,
}

/// Another expression in place of one.
struct Edit {
    line: usize,
    change: String,
    expr: Expr,
}

impl Edit {
    fn at(place: &Expr, change: String, expr: Expr) -> Edit {
        // a file with more lines than usize holds cannot be in memory
        Edit { line: place.span().start.line as usize, change, expr }
    }
}

fn truth() -> Expr {
    Expr::Value(Value::Boolean(true).into())
}

fn edits(expr: &Expr, part: Part) -> Vec<Edit> {
    let (joined, branches) = branches(expr);
    let Some(joined) = joined else { return of_one(expr, part) };
    let mut all = Vec::new();
    for (place, branch) in branches.iter().enumerate() {
        let others = branches.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, one)| (*one).clone());
        all.push(Edit::at(branch, format!("dropped `{branch}`"), join(others, joined)));
        for edit in edits(branch, part) {
            let mut changed: Vec<Expr> = branches.iter().map(|one| (*one).clone()).collect();
            changed[place] = edit.expr;
            all.push(Edit { expr: join(changed, joined), ..edit });
        }
    }
    all
}

fn join(exprs: impl IntoIterator<Item = Expr>, joined: Joined) -> Expr {
    let op = match joined {
        Joined::And => BinaryOperator::And,
        Joined::Or => BinaryOperator::Or,
    };
    let both = |left, right| Expr::BinaryOp { left: Box::new(left), op: op.clone(), right: Box::new(right) };
    exprs.into_iter().reduce(both).expect("of two or more branches one is left")
}

/// Of a condition without branches.
fn of_one(expr: &Expr, part: Part) -> Vec<Edit> {
    let turned = Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(Expr::Nested(Box::new(expr.clone()))) };
    let mut all = vec![Edit::at(expr, format!("negated `{expr}`"), turned)];
    match expr {
        Expr::InList { expr: of, list, negated } if list.len() > 1 => {
            for (place, element) in list.iter().enumerate().take(ELEMENTS_MAX) {
                let mut list = list.clone();
                list.remove(place);
                let shorter = Expr::InList { expr: of.clone(), list, negated: *negated };
                all.push(Edit::at(element, format!("removed {element} from the list of `{of}`"), shorter));
            }
        }
        Expr::BinaryOp { left, op, right } => {
            let numbers = [(left, right), (right, left)].map(|(number, _)| whole_number(number));
            let steps = part == Part::Having && numbers.iter().any(Option::is_some);
            if steps {
                all.extend(steps_of(expr, left, op, right));
            } else if let Some(swapped) = swapped(op) {
                let change = format!("`{swapped}` in place of `{op}` in `{expr}`");
                let other = Expr::BinaryOp { left: left.clone(), op: swapped, right: right.clone() };
                all.push(Edit::at(expr, change, other));
            }
        }
        _ => {}
    }
    if part == Part::Having {
        all.extend(of_filters(expr));
    }
    all
}

fn swapped(op: &BinaryOperator) -> Option<BinaryOperator> {
    match op {
        BinaryOperator::Gt => Some(BinaryOperator::GtEq),
        BinaryOperator::GtEq => Some(BinaryOperator::Gt),
        BinaryOperator::Lt => Some(BinaryOperator::LtEq),
        BinaryOperator::LtEq => Some(BinaryOperator::Lt),
        _ => None,
    }
}

fn whole_number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => number.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// The number of a comparison one less and one more. Of whole numbers `> 9` is `>= 10`, so the operator needs no swap; and
/// what holds of every count is the condition dropped.
fn steps_of(expr: &Expr, left: &Expr, op: &BinaryOperator, right: &Expr) -> Vec<Edit> {
    let step = |step: i64| {
        let other = |number: &Expr| {
            let number = whole_number(number)? + step;
            Some(Expr::Value(Value::Number(number.to_string(), false).into()))
        };
        let (left, right) = match other(right) {
            Some(number) => (left.clone(), number),
            None => (other(left)?, right.clone()),
        };
        let least = whole_number(&right)?;
        let always = matches!((op, least), (BinaryOperator::GtEq, ..=0) | (BinaryOperator::Gt, ..=-1));
        let changed = Expr::BinaryOp { left: Box::new(left), op: op.clone(), right: Box::new(right) };
        (!always).then(|| Edit::at(expr, format!("`{changed}` in place of `{expr}`"), changed))
    };
    [step(-1), step(1)].into_iter().flatten().collect()
}

/// The edits of what each aggregate of a condition filters by.
fn of_filters(expr: &Expr) -> Vec<Edit> {
    let mut filters = Vec::new();
    let _ = visit_expressions(expr, |one| {
        if let Expr::Function(call) = one {
            filters.extend(call.filter.clone());
        }
        ControlFlow::<()>::Continue(())
    }); // the closure never breaks
    let mut all = Vec::new();
    for (place, filter) in filters.iter().enumerate() {
        let mut inner = edits(filter, Part::Where);
        if branches(filter).0.is_none() {
            inner.push(Edit::at(filter, format!("dropped `{filter}`"), truth()));
        }
        for edit in inner {
            let mut changed = expr.clone();
            let (mut seen, with) = (0, &edit.expr);
            let _ = visit_expressions_mut(&mut changed, |one| {
                if let Expr::Function(call) = one
                    && let Some(filter) = &mut call.filter
                {
                    if seen == place {
                        **filter = with.clone();
                    }
                    seen += 1;
                }
                ControlFlow::<()>::Continue(())
            });
            all.push(Edit { change: format!("{} in a FILTER", edit.change), line: edit.line, expr: changed });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::dialect::parse;

    fn of(sql: &str) -> Vec<(usize, String, String)> {
        let statement = parse(sql).unwrap().pop_front().unwrap();
        let condition = |mutant: &Mutant| {
            let text = mutant.statement.to_string();
            text.split_once(" WHERE ").unwrap().1.to_owned()
        };
        mutants(&statement).iter().map(|mutant| (mutant.line, mutant.change.clone(), condition(mutant))).collect()
    }

    #[test]
    fn conditions_are_dropped_and_turned_around_down_to_the_branches_of_or() {
        let expected = [
            (2, "dropped `a = 1`", "(b > 2 OR c IN ('x', 'y'))"),
            (2, "negated `a = 1`", "NOT (a = 1) AND (b > 2 OR c IN ('x', 'y'))"),
            (3, "dropped `(b > 2 OR c IN ('x', 'y'))`", "a = 1"),
            (3, "dropped `b > 2`", "a = 1 AND c IN ('x', 'y')"),
            (3, "negated `b > 2`", "a = 1 AND NOT (b > 2) OR c IN ('x', 'y')"),
            (3, "`>=` in place of `>` in `b > 2`", "a = 1 AND b >= 2 OR c IN ('x', 'y')"),
            (4, "dropped `c IN ('x', 'y')`", "a = 1 AND b > 2"),
            (4, "negated `c IN ('x', 'y')`", "a = 1 AND b > 2 OR NOT (c IN ('x', 'y'))"),
            (4, "removed 'x' from the list of `c`", "a = 1 AND b > 2 OR c IN ('y')"),
            (4, "removed 'y' from the list of `c`", "a = 1 AND b > 2 OR c IN ('x')"),
        ];
        // the text of a changed tree lacks the parentheses that its shape stands for
        let expected: Vec<_> = expected.map(|(line, a, b)| (line, a.to_owned(), b.to_owned())).into();
        assert_eq!(of("SELECT 1 FROM t\nWHERE a = 1\nAND (b > 2\nOR c IN ('x', 'y'))"), expected);
    }

    #[test]
    fn numbers_of_having_go_one_down_and_one_up_and_filters_are_conditions() {
        let behind = |having: &str| format!("a GROUP BY b HAVING {having}");
        let expected = [
            (1, "negated `a`", "NOT (a) GROUP BY b HAVING count(*) FILTER (WHERE c) >= 2".to_owned()),
            (1, "dropped `a`", "true GROUP BY b HAVING count(*) FILTER (WHERE c) >= 2".to_owned()),
            (2, "negated `count(*) FILTER (WHERE c) >= 2`", behind("NOT (count(*) FILTER (WHERE c) >= 2)")),
            (
                2,
                "`count(*) FILTER (WHERE c) >= 1` in place of `count(*) FILTER (WHERE c) >= 2`",
                behind("count(*) FILTER (WHERE c) >= 1"),
            ),
            (
                2,
                "`count(*) FILTER (WHERE c) >= 3` in place of `count(*) FILTER (WHERE c) >= 2`",
                behind("count(*) FILTER (WHERE c) >= 3"),
            ),
            (2, "negated `c` in a FILTER", behind("count(*) FILTER (WHERE NOT (c)) >= 2")),
            (2, "dropped `c` in a FILTER", behind("count(*) FILTER (WHERE true) >= 2")),
            (2, "dropped `count(*) FILTER (WHERE c) >= 2`", behind("true")),
        ];
        let expected: Vec<_> = expected.map(|(line, a, b)| (line, a.to_owned(), b)).into();
        assert_eq!(of("SELECT 1 FROM t WHERE a GROUP BY b\nHAVING count(*) FILTER (WHERE c) >= 2"), expected);
        let framed = "SELECT n FROM (SELECT count(*) FILTER (WHERE c) OVER w AS n FROM t WHERE a\nWINDOW w AS (ORDER BY b)) WHERE n > 2";
        let statement = parse(framed).unwrap().pop_front().unwrap();
        let changes: Vec<String> = mutants(&statement).into_iter().map(|mutant| mutant.change).collect();
        let numbers = ["`n > 1` in place of `n > 2`", "`n > 3` in place of `n > 2`"];
        let expected = ["negated `a`", "dropped `a`", "negated `n > 2`", numbers[0], numbers[1], "dropped `n > 2`"];
        assert_eq!(changes, [&expected[..], &["negated `c` in a FILTER", "dropped `c` in a FILTER"]].concat());
        let least = of("SELECT 1 FROM t WHERE a GROUP BY b HAVING count(*) >= 1");
        assert!(!least.iter().any(|(_, change, _)| change.contains(">= 0")), "that is the condition dropped");
    }
}
