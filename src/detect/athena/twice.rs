//! Columns of an answer that have one name, which Athena allows and DataFusion does not → names that a mark tells apart until they are shown.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, Query, Select, SelectItem,
    SetExpr, visit_expressions, visit_expressions_mut,
};

use super::groups::at_place;
use super::template::{expression, with_arguments};

/// Stands between a name and what tells it from others. No query has it in a name.
const MARK: char = '\u{1f}';

/// Marks columns of the whole query, and not of those inside of it: there a name that was given to two columns may be asked for.
pub fn marked(query: &mut Query) {
    of_query(query, "");
}

/// The name of a column that is not the first so called.
pub fn again(name: &str, place: usize) -> String {
    format!("{name}{MARK}{place}")
}

/// Marks columns of queries behind UNION and its like, whose names nobody asks for.
pub fn behind_another(body: &mut SetExpr) {
    if let SetExpr::SetOperation { left, right, .. } = body {
        behind_another(left);
        of_body(right, "");
    }
}

/// The name that was typed.
pub fn unmarked(name: &str) -> &str {
    name.split(MARK).next().unwrap_or(name)
}

/// `around` is by what the rows of queries around it are ordered.
fn of_query(query: &mut Query, around: &str) {
    let order = query.order_by.as_ref().map(ToString::to_string).unwrap_or_default();
    of_body(&mut query.body, &format!("{around} {order}"));
}

fn of_body(body: &mut SetExpr, order: &str) {
    match body {
        SetExpr::Select(select) => {
            let Select { distinct, group_by, having, qualify, .. } = &**select;
            let conditions = [having, qualify].into_iter().flatten().map(ToString::to_string).collect::<String>();
            let distinct = distinct.as_ref().map(ToString::to_string).unwrap_or_default();
            let asked = format!("{order} {distinct} {group_by} {conditions}").to_ascii_lowercase();
            of_items(&mut select.projection, &asked);
        }
        SetExpr::SetOperation { left, right, .. } => [left, right].into_iter().for_each(|side| of_body(side, order)),
        SetExpr::Query(query) => of_query(query, order),
        _ => {}
    }
}

/// `asked` is the text of what may name the columns.
fn of_items(items: &mut [SelectItem], asked: &str) {
    let has_all = items.iter().any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
    let alone: HashSet<String> = items.iter().filter_map(name_alone).collect();
    let mut seen = HashSet::new();
    for (place, item) in items.iter_mut().enumerate() {
        let Some(name) = name(item) else { continue };
        let is_new = seen.insert(folded(item, &name));
        let is_also_alone = is_qualified(item) && alone.contains(&name.value.to_ascii_lowercase());
        // what rows are ordered by is the column of this name, and not another of the table
        let is_of_table = has_all && !(has_alias(item) && asked.contains(&name.value.to_ascii_lowercase()));
        if is_new && !is_also_alone && !is_of_table {
            continue;
        }
        let alias = Ident::with_quote('"', again(&shown(&name), place));
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }
}

/// What a column is called in the answer.
fn name(item: &SelectItem) -> Option<Ident> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().cloned(),
        SelectItem::UnnamedExpr(other) => Some(Ident::with_quote('"', other.to_string())),
        _ => None,
    }
}

fn has_alias(item: &SelectItem) -> bool {
    matches!(item, SelectItem::ExprWithAlias { .. })
}

fn is_qualified(item: &SelectItem) -> bool {
    matches!(item, SelectItem::UnnamedExpr(Expr::CompoundIdentifier(_)))
}

fn name_alone(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.value.to_ascii_lowercase()),
        _ => None,
    }
}

/// As DataFusion compares it: `a.x` is another than `b.x`.
fn folded(item: &SelectItem, name: &Ident) -> String {
    match item {
        SelectItem::UnnamedExpr(expr @ Expr::CompoundIdentifier(_)) => expr.to_string().to_ascii_lowercase(),
        _ => shown(name),
    }
}

fn shown(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_ascii_lowercase() }
}

/// Tells a cast from what it is of, which DataFusion 55 calls the same, where rows are grouped by both: `GROUP BY day, CAST(day AS VARCHAR)`.
pub fn grouped(select: &mut Select) {
    let keys = keys(select);
    let names: Vec<String> = keys.iter().map(without_casts).collect();
    for (place, (key, name)) in keys.iter().zip(&names).enumerate() {
        let text = key.to_string();
        let is_also = |(other, name_of_other): (&Expr, &String)| name_of_other == name && other.to_string() != text;
        if text.to_ascii_lowercase() == *name || !keys.iter().zip(&names).any(is_also) {
            continue;
        }
        let apart = with_arguments(&format!("CASE WHEN {place} = {place} THEN arg1 END"), &[key]);
        let mut tell = |expr: &mut Expr| {
            if expr.to_string() == text {
                *expr = apart.clone();
            }
            ControlFlow::<()>::Continue(())
        };
        // the closure never breaks
        let _ = visit_expressions_mut(&mut select.projection, &mut tell);
        let _ = visit_expressions_mut(&mut select.group_by, &mut tell);
        let _ = visit_expressions_mut(&mut select.having, &mut tell);
    }
}

/// The same of calls, aggregates and those of windows: `stddev(bytes), stddev(CAST(bytes AS DOUBLE))`.
pub fn called(select: &mut Select) {
    let mut calls: Vec<(String, String)> = Vec::new();
    let mut find = |expr: &Expr| {
        if let Expr::Function(_) = expr {
            calls.push((expr.to_string(), without_casts(expr)));
        }
        ControlFlow::<()>::Continue(())
    };
    // the closures never break
    let _ = visit_expressions(&select.projection, &mut find);
    let _ = visit_expressions(&select.having, &mut find);
    let _ = visit_expressions(&select.qualify, &mut find);
    let has_cast = |text: &str, bare: &str| text.to_ascii_lowercase() != bare;
    if !calls.iter().any(|(text, bare)| has_cast(text, bare)) {
        return;
    }
    let keys: Vec<String> = keys(select).iter().map(ToString::to_string).collect();
    let mut tell = |expr: &mut Expr| {
        let text = if let Expr::Function(_) = expr { expr.to_string() } else { String::new() };
        let place = calls.iter().position(|(call, _)| *call == text);
        let Some(place) = place.filter(|_| !keys.contains(&text)) else { return ControlFlow::<()>::Continue(()) };
        let bare = &calls[place].1;
        let is_also = |(other, bare_other): &(String, String)| bare_other == bare && *other != text;
        if has_cast(&text, bare)
            && calls.iter().any(is_also)
            && let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = expr
            && let Some(cast) = list.args.iter_mut().find_map(argument_with_cast)
        {
            *cast = with_arguments(&format!("CASE WHEN {place} = {place} THEN arg1 END"), &[cast]);
        }
        ControlFlow::Continue(())
    };
    let _ = visit_expressions_mut(&mut select.projection, &mut tell);
    let _ = visit_expressions_mut(&mut select.having, &mut tell);
    let _ = visit_expressions_mut(&mut select.qualify, &mut tell);
}

/// An argument that is of a column, and has a cast within. A lambda stands alone.
fn argument_with_cast(arg: &mut FunctionArg) -> Option<&mut Expr> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg else { return None };
    let is_other = match &*expr {
        Expr::Cast { expr, .. } => matches!(expr.as_ref(), Expr::Value(_)),
        expr => matches!(expr, Expr::Lambda(_)),
    };
    (!is_other && expr.to_string().to_ascii_lowercase() != without_casts(expr)).then_some(expr)
}

/// What rows are grouped by, `GROUP BY 1` being the first column.
fn keys(select: &Select) -> Vec<Expr> {
    let GroupByExpr::Expressions(by, _) = &select.group_by else { return Vec::new() };
    let each = by.iter().flat_map(|key| match key {
        Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
            sets.iter().flatten().collect::<Vec<&Expr>>()
        }
        key => vec![key],
    });
    each.map(|key| at_place(key, &select.projection).unwrap_or_else(|| key.clone())).collect()
}

/// An expression as DataFusion calls it, in lower case.
fn without_casts(expr: &Expr) -> String {
    let mut bare = expr.clone();
    let _ = visit_expressions_mut(&mut bare, |expr| {
        if let Expr::Cast { expr: inner, .. } = expr {
            *expr = std::mem::replace(inner.as_mut(), expression("NULL"));
        }
        ControlFlow::<()>::Continue(())
    }); // the closure never breaks
    bare.to_string().to_ascii_lowercase()
}
