//! SQL text with `arg1`, `arg2` ... and expressions → the expression or query with these in their places.

use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    self, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query, SetExpr, TableAlias,
    TableAliasColumnDef, TableFactor, Value, VisitMut, visit_expressions_mut,
};

use crate::rule::dialect::{self, WeirDialect};

/// An expression that is written in this program.
pub fn expression(sql: &str) -> Expr {
    let parser = DFParserBuilder::new(sql).with_dialect(&WeirDialect).build();
    let parsed = parser.and_then(|mut parser| parser.parse_expr());
    parsed.unwrap_or_else(|error| panic!("an expression of ours does not parse: {sql}: {error}")).expr
}

/// The same with arguments, of which `arg1` is the first.
pub fn with_arguments(sql: &str, args: &[&Expr]) -> Expr {
    let mut expr = expression(sql);
    fill(&mut expr, args);
    expr
}

/// A query that is written in this program, with arguments.
pub fn query(sql: &str, args: &[&Expr]) -> Box<Query> {
    let parsed = dialect::parse(sql).unwrap_or_else(|error| panic!("a query of ours does not parse: {sql}: {error}"));
    let statement = parsed.into_iter().next();
    let Some(Statement::Statement(statement)) = statement else { unreachable!("a query of ours is a statement") };
    let ast::Statement::Query(mut query) = *statement else { unreachable!("a query of ours is a query") };
    fill(query.as_mut(), args);
    query
}

/// A query that is written in this program, with another in the place of its table, whose columns it calls so.
pub fn over(sql: &str, args: &[&Expr], found: &Query, columns: &[String]) -> Expr {
    let mut rows = query(sql, args);
    let columns = columns.iter().map(|name| TableAliasColumnDef { name: Ident::new(name), data_type: None }).collect();
    let alias = TableAlias { explicit: true, name: Ident::new("found"), columns, at: None };
    if let SetExpr::Select(select) = rows.body.as_mut() {
        let subquery = Box::new(found.clone());
        select.from[0].relation = TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None };
    }
    Expr::Subquery(rows)
}

/// Puts arguments in the places of their names.
pub fn fill(sql: &mut impl VisitMut, args: &[&Expr]) {
    let _ = visit_expressions_mut(sql, |expr| {
        let place = match expr {
            Expr::Identifier(name) => name.value.strip_prefix("arg").and_then(|place| place.parse::<usize>().ok()),
            _ => None,
        };
        if let Some(arg) = place.and_then(|place| args.get(place.checked_sub(1)?)) {
            *expr = match arg {
                Expr::BinaryOp { .. } | Expr::UnaryOp { .. } => Expr::Nested(Box::new((*arg).clone())),
                _ => (*arg).clone(),
            };
        }
        ControlFlow::<()>::Continue(())
    }); // the closure never breaks
}

/// The name of a function, in lower case, where it is one word without quotes.
pub fn call_name(call: &Function) -> Option<String> {
    match call.name.0.as_slice() {
        [part] => part.as_ident().filter(|name| name.quote_style.is_none()).map(|name| name.value.to_ascii_lowercase()),
        _ => None,
    }
}

/// The arguments of a call that has nothing but arguments.
pub fn positional(call: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &call.args else { return None };
    if !list.clauses.is_empty() || list.duplicate_treatment.is_some() || call.over.is_some() || call.filter.is_some() {
        return None;
    }
    let expr = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    list.args.iter().map(expr).collect()
}

/// The text of a text constant.
pub fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_stand_where_their_names_did() {
        let (a, b) = (expression("x + 1"), expression("f('y')"));
        assert_eq!(with_arguments("arg1 * arg2", &[&a, &b]).to_string(), "(x + 1) * f('y')");
        let filled = query("SELECT arg1 AS n FROM t WHERE arg2 > 0", &[&a, &b]);
        assert_eq!(filled.to_string(), "SELECT (x + 1) AS n FROM t WHERE f('y') > 0");
        assert_eq!(with_arguments("arg1 AND arg3", &[&a]).to_string(), "(x + 1) AND arg3");
    }
}
