//! `a > ALL (SELECT ...)` and `a = ANY (SELECT ...)`, which DataFusion 55 answers wrongly → comparisons with the least and the greatest value
//! that the query finds, or `IN`.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Query};

use super::rows;
use super::template::with_arguments;

pub fn any(side: &Expr, operator: &BinaryOperator, found: &Expr) -> Option<Expr> {
    let Expr::Subquery(found) = found else { return None };
    let condition = match operator {
        BinaryOperator::Eq => return Some(within(side, found, false)),
        BinaryOperator::NotEq => "(arg1 <> arg2 OR arg1 <> arg3)".to_owned(),
        BinaryOperator::Gt | BinaryOperator::GtEq => format!("(arg1 {operator} arg2)"),
        BinaryOperator::Lt | BinaryOperator::LtEq => format!("(arg1 {operator} arg3)"),
        _ => return None,
    };
    let template =
        format!("CASE WHEN {condition} THEN true WHEN arg4 = 0 THEN false WHEN arg5 = 0 THEN {condition} END");
    Some(compared(&template, side, found))
}

pub fn all(side: &Expr, operator: &BinaryOperator, found: &Expr) -> Option<Expr> {
    let Expr::Subquery(found) = found else { return None };
    let condition = match operator {
        BinaryOperator::NotEq => return Some(within(side, found, true)),
        BinaryOperator::Eq => "(arg1 = arg2 AND arg1 = arg3)".to_owned(),
        BinaryOperator::Gt | BinaryOperator::GtEq => format!("(arg1 {operator} arg3)"),
        BinaryOperator::Lt | BinaryOperator::LtEq => format!("(arg1 {operator} arg2)"),
        _ => return None,
    };
    let template =
        format!("CASE WHEN arg4 = 0 THEN true WHEN NOT {condition} THEN false WHEN arg5 = 0 THEN {condition} END");
    Some(compared(&template, side, found))
}

fn within(side: &Expr, found: &Query, negated: bool) -> Expr {
    let mut subquery = Box::new(found.clone());
    rows::selected(&mut subquery);
    Expr::InSubquery { expr: Box::new(side.clone()), subquery, negated }
}

/// The template of the side, the least and the greatest value, and how many values and nulls there are.
fn compared(template: &str, side: &Expr, found: &Query) -> Expr {
    let of = |aggregate: &str| rows::aggregate(aggregate, 1, found);
    let values = ["min(arg1)", "max(arg1)", "count(*)", "count(*) - count(arg1)"].map(of);
    with_arguments(template, &std::iter::once(side).chain(&values).collect::<Vec<_>>())
}
