//! Calls of aggregates that only Athena knows → those of DataFusion, with their filters and windows.

use std::ops::ControlFlow;

use anyhow::bail;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, Ident, NullTreatment, ObjectName, OrderByExpr, OrderByOptions, Value,
    visit_expressions_mut,
};

use super::For;
use super::template::{call_name, expression, fill, with_arguments};
use super::times::{as_text, is_time};

/// Aggregates that have another name.
const RENAMED: [(&str, usize, &str); 6] = [
    ("bitwise_and_agg", 1, "bit_and"),
    ("bitwise_or_agg", 1, "bit_or"),
    ("bitwise_xor_agg", 1, "bit_xor"),
    ("every", 1, "bool_and"),
    ("listagg", 2, "string_agg"),
    ("variance", 1, "var_samp"),
];

/// Aggregates that are made of others: name, number of arguments, and what they are.
pub const COMPOSED: &[(&str, usize, &str)] = &[
    ("approx_most_frequent", 3, "map_of_most(histogram(arg2), arg1)"),
    (
        "entropy",
        1,
        "CASE WHEN sum(CAST(arg1 AS DOUBLE)) > 0 THEN log2(sum(CAST(arg1 AS DOUBLE))) - sum(CASE WHEN arg1 > 0 \
         THEN CAST(arg1 AS DOUBLE) * log2(CAST(arg1 AS DOUBLE)) END) / sum(CAST(arg1 AS DOUBLE)) ELSE CAST(0 AS DOUBLE) END",
    ),
    ("geometric_mean", 1, "exp(avg(ln(arg1)))"),
    ("max", 2, "array_slice(array_agg(arg1 ORDER BY arg1 DESC) FILTER (WHERE arg1 IS NOT NULL), 1, arg2)"),
    ("min", 2, "array_slice(array_agg(arg1 ORDER BY arg1) FILTER (WHERE arg1 IS NOT NULL), 1, arg2)"),
    (
        "max_by",
        3,
        "array_slice(array_agg(arg1 ORDER BY arg2 DESC NULLS LAST) FILTER (WHERE arg2 IS NOT NULL), 1, arg3)",
    ),
    ("min_by", 3, "array_slice(array_agg(arg1 ORDER BY arg2 NULLS LAST) FILTER (WHERE arg2 IS NOT NULL), 1, arg3)"),
    ("reduce_agg", 4, "reduce(array_agg(arg1) FILTER (WHERE arg1 IS NOT NULL), arg2, arg3, s -> s)"),
    ("set_union", 1, "array_distinct(flatten(array_agg(arg1) FILTER (WHERE arg1 IS NOT NULL)))"),
];

/// Aggregates that queries have in Athena's words, and rules have not.
pub const IN_QUERIES: [&str; 21] = [
    "approx_most_frequent",
    "entropy",
    "map_union",
    "reduce_agg",
    "set_union",
    "bitwise_and_agg",
    "bitwise_or_agg",
    "bitwise_xor_agg",
    "checksum",
    "every",
    "geometric_mean",
    "histogram",
    "kurtosis",
    "listagg",
    "map_agg",
    "max_by",
    "min_by",
    "multimap_agg",
    "set_agg",
    "skewness",
    "variance",
];

/// True where the call was one of these and is another now.
pub fn translate(name: &str, call: &mut Function, who: For) -> bool {
    let FunctionArguments::List(list) = &mut call.args else { return false };
    if name == "listagg" && who == For::Query {
        // texts here have room for all
        list.clauses.retain(|clause| !matches!(clause, FunctionArgumentClause::OnOverflow(_)));
        if list.args.len() == 1 {
            let nothing = Expr::Value(Value::SingleQuotedString(String::new()).with_empty_span());
            list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(nothing)));
        }
    }
    let count = list.args.len();
    match (name, count) {
        // of the few aggregates of rules these are the nearest, and say the same in any order of rows
        ("approx_distinct", 1 | 2) if who == For::Rule => {
            list.args.truncate(1);
            list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
            call.name = named("count");
        }
        ("arbitrary" | "any_value", 1) if who == For::Rule => call.name = named("min"),
        // of symbols DataFusion knows no sketch, and how exact it is to be cannot be said here
        ("approx_distinct", 1 | 2) => {
            let Some(counted) = argument(list, 0) else { return false };
            let counted = with_arguments("CAST(arg1 AS VARCHAR)", &[&counted]);
            list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(counted))];
        }
        ("arbitrary" | "any_value", 1) => {
            call.name = named("first_value");
            call.null_treatment = Some(NullTreatment::IgnoreNulls);
        }
        // several values are one row of them, which is not counted where one is null
        ("count", 2..) if who == For::Query && list.duplicate_treatment == Some(DuplicateTreatment::Distinct) => {
            let args: Option<Vec<Expr>> = (0..count).map(|place| argument(list, place)).collect();
            let Some(args) = args else { return false };
            let args: Vec<&Expr> = args.iter().collect();
            let names: Vec<String> = (1..=count).map(|place| format!("arg{place}")).collect();
            let row = with_arguments(&format!("struct({})", names.join(", ")), &args);
            let all_are_there = format!("{} IS NOT NULL", names.join(" IS NOT NULL AND "));
            list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(row))];
            only(call, with_arguments(&all_are_there, &args));
        }
        ("max_by" | "min_by", 2) if who == For::Rule => return false,
        ("listagg", 2) if !call.within_group.is_empty() && list.clauses.is_empty() && who == For::Query => {
            let mut order = std::mem::take(&mut call.within_group);
            if !of_texts(list, &mut order) {
                return false;
            }
            list.clauses.push(FunctionArgumentClause::OrderBy(order));
            call.name = named("string_agg");
        }
        ("string_agg", 2) if who == For::Query => {
            let [FunctionArgumentClause::OrderBy(order)] = list.clauses.as_mut_slice() else { return false };
            let mut order = std::mem::take(order);
            of_texts(list, &mut order);
            list.clauses = vec![FunctionArgumentClause::OrderBy(order)];
        }
        ("set_agg", 1) if who == For::Query => {
            list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
            call.name = named("array_agg");
        }
        ("max_by", 2) => return by(call, false),
        ("min_by", 2) => return by(call, true),
        ("count_if", 1) => {
            let Some(condition) = argument(list, 0) else { return false };
            list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Wildcard)];
            call.name = named("count");
            only(call, condition);
        }
        _ if who == For::Rule => return false,
        _ => match RENAMED.iter().find(|(renamed, of, _)| *renamed == name && *of == count) {
            Some((_, _, other)) => call.name = named(other),
            None => return false,
        },
    }
    true
}

/// A call of [`COMPOSED`], whose filter and window are those of what it is made of.
///
/// # Errors
/// When it has DISTINCT or an order, which what it is made of would not have.
pub fn composed(name: &str, call: &Function, who: For) -> anyhow::Result<Option<Expr>> {
    // rules have few aggregates, of which these are made
    if who == For::Rule && !["approx_percentile", "geometric_mean"].contains(&name) {
        return Ok(None);
    }
    let FunctionArguments::List(list) = &call.args else { return Ok(None) };
    let args = (0..list.args.len()).map(|place| argument(list, place)).collect::<Option<Vec<Expr>>>();
    let Some(mut args) = args else { return Ok(None) };
    let template = match (name, args.as_slice()) {
        ("approx_percentile", [value, Expr::Array(shares)]) => {
            args = std::iter::once(value).chain(&shares.elem).cloned().collect();
            let each = (2..=args.len()).map(|place| format!("approx_percentile(arg1, arg{place})"));
            format!("make_array({})", each.collect::<Vec<_>>().join(", "))
        }
        _ => match COMPOSED.iter().find(|(known, count, _)| *known == name && *count == args.len()) {
            Some((.., template)) => (*template).to_owned(),
            None => return Ok(None),
        },
    };
    if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) || !list.clauses.is_empty() {
        bail!(
            "{name} takes neither DISTINCT nor ORDER BY: a subquery with SELECT DISTINCT, or with an order, does the same"
        );
    }
    let mut expr = expression(&template);
    let _ = visit_expressions_mut(&mut expr, |inner| {
        if let Expr::Function(inner) = inner
            && call_name(inner).is_some_and(|name| MADE_OF.contains(&name.as_str()))
        {
            call.filter.iter().for_each(|filter| only(inner, (**filter).clone()));
            inner.over.clone_from(&call.over);
        }
        ControlFlow::<()>::Continue(())
    }); // the closure never breaks
    fill(&mut expr, &args.iter().collect::<Vec<_>>());
    Ok(Some(expr))
}

/// The aggregates in [`COMPOSED`].
const MADE_OF: [&str; 5] = ["approx_percentile", "array_agg", "avg", "histogram", "sum"];

/// `max_by(x, y) OVER (...)` as the `x` of the highest row of both: over windows DataFusion 55 orders no rows.
pub fn in_window(name: &str, call: &Function) -> Option<Expr> {
    let other = match name {
        "max_by" => "max",
        "min_by" => "min",
        _ => return None,
    };
    call.over.as_ref()?;
    let mut call = call.clone();
    let FunctionArguments::List(list) = &mut call.args else { return None };
    let (value, order) = (argument(list, 0)?, argument(list, 1)?);
    if list.args.len() != 2 {
        return None;
    }
    let both = with_arguments("named_struct('by', arg1, 'of', arg2)", &[&order, &value]);
    list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(both))];
    call.name = named(other);
    only(&mut call, with_arguments("arg1 IS NOT NULL", &[&order]));
    Some(with_arguments("get_field(arg1, 'of')", &[&Expr::Function(call)]))
}

/// Makes a text of what is put together, which may be a symbol, also where DataFusion compares what is ordered by with it.
fn of_texts(list: &mut FunctionArgumentList, order: &mut [OrderByExpr]) -> bool {
    let Some(text) = argument(list, 0) else { return false };
    let mut cast = text.clone();
    if is_time(&text) {
        as_text(&mut cast);
    } else {
        cast = with_arguments("CAST(arg1 AS VARCHAR)", &[&text]);
    }
    list.args[0] = FunctionArg::Unnamed(FunctionArgExpr::Expr(cast.clone()));
    order.iter_mut().filter(|by| by.expr == text).for_each(|by| by.expr = cast.clone());
    true
}

/// `max_by(x, y)`: the `x` of the row with the highest `y`.
fn by(call: &mut Function, ascending: bool) -> bool {
    let FunctionArguments::List(list) = &mut call.args else { return false };
    let Some(order) = argument(list, 1) else { return false };
    let options = OrderByOptions { asc: Some(ascending), nulls_first: Some(false) };
    let order_by = OrderByExpr { expr: order.clone(), options, with_fill: None };
    list.args.truncate(1);
    list.clauses.push(FunctionArgumentClause::OrderBy(vec![order_by]));
    call.name = named("first_value");
    only(call, with_arguments("arg1 IS NOT NULL", &[&order]));
    true
}

/// `string_agg(x, ',' ORDER BY y)` as the list of what it puts together, joined: DataFusion 55 computes no two that differ in their order.
/// Over windows it orders no rows of lists.
pub fn joined(call: &Function) -> Option<Expr> {
    if call_name(call).as_deref() != Some("string_agg") || call.over.is_some() {
        return None;
    }
    let mut call = call.clone();
    let FunctionArguments::List(list) = &mut call.args else { return None };
    if !matches!(list.clauses.as_slice(), [FunctionArgumentClause::OrderBy(_)]) {
        return None;
    }
    let (text, between) = (argument(list, 0)?, argument(list, 1)?);
    list.args.truncate(1);
    call.name = named("array_agg");
    only(&mut call, with_arguments("arg1 IS NOT NULL", &[&text]));
    Some(with_arguments("array_to_string(arg1, arg2)", &[&Expr::Function(call), &between]))
}

fn argument(list: &FunctionArgumentList, place: usize) -> Option<Expr> {
    match list.args.get(place)? {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    }
}

/// Adds a condition on the rows that an aggregate takes.
fn only(call: &mut Function, condition: Expr) {
    let both = |filter: Box<Expr>| Expr::BinaryOp {
        left: Box::new(Expr::Nested(filter)),
        op: BinaryOperator::And,
        right: Box::new(Expr::Nested(Box::new(condition.clone()))),
    };
    call.filter = Some(Box::new(match call.filter.take() {
        Some(filter) => both(filter),
        None => condition,
    }));
}

fn named(name: &str) -> ObjectName {
    ObjectName::from(vec![Ident::new(name)])
}
