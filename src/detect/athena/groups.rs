//! What rows are grouped by, `GROUP BY ()` and `ROLLUP (1, 2)`, and what groups are ordered by → the same in words that DataFusion 55 knows.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

use datafusion::functions_aggregate::all_default_aggregate_functions;
use datafusion::logical_expr::AggregateUDF;
use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, OrderByExpr, Select, SelectItem, visit_expressions, visit_expressions_mut,
};

use super::aggregates::IN_QUERIES;
use super::tables::folded;
use super::template::call_name;
use super::unnest;

/// Puts a set of no keys in the place of `()`, which makes all rows one group, and columns of SELECT in the places of their numbers within
/// ROLLUP and its like, where a number is taken for a constant.
pub fn in_words(select: &mut Select) {
    let Select { group_by, projection, .. } = select;
    let GroupByExpr::Expressions(by, _) = group_by else { return };
    for key in by {
        match key {
            Expr::Tuple(parts) if parts.is_empty() => *key = Expr::GroupingSets(vec![Vec::new()]),
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
                for key in sets.iter_mut().flatten() {
                    if let Some(column) = at_place(key, projection) {
                        *key = column;
                    }
                }
            }
            _ => {}
        }
    }
}

/// Columns of the archive that AWS's tables lack: who groups by such a name means what SELECT calls so, where it calls something so.
const OURS: [&str; 3] = ["account", "region", "day"];

/// Puts what SELECT calls `day`, `date_trunc('day', eventTime) AS day`, in the place of that name in GROUP BY. `is_ours` is whether a table that
/// is asked has the column: a column that a subquery gives is what it is.
pub fn by_alias(select: &mut Select, is_ours: impl Fn(&Ident) -> bool) {
    let Select { group_by, projection, .. } = select;
    let GroupByExpr::Expressions(by, _) = group_by else { return };
    let meant = |key: &Expr| {
        let Expr::Identifier(name) = key else { return None };
        if !OURS.iter().any(|ours| name.value.eq_ignore_ascii_case(ours)) || !is_ours(name) {
            return None;
        }
        // who selects the column too means it
        if projection.iter().any(|item| item_expr(item).is_some_and(|expr| is_column(expr, name, &is_ours))) {
            return None;
        }
        let is_called = |(alias, _): &(&Ident, &Expr)| folded(alias) == folded(name);
        let (_, expr) = projection.iter().filter_map(named).find(is_called)?;
        is_of_other_columns(expr, name, &is_ours).then(|| expr.clone())
    };
    for key in by {
        match key {
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
                for key in sets.iter_mut().flatten() {
                    if let Some(expr) = meant(key) {
                        *key = expr;
                    }
                }
            }
            key => {
                if let Some(expr) = meant(key) {
                    *key = expr;
                }
            }
        }
    }
}

/// Whether rows can be grouped by it, and it does not ask for the column of this name itself.
fn is_of_other_columns(expr: &Expr, name: &Ident, is_ours: impl Fn(&Ident) -> bool) -> bool {
    let is_other = visit_expressions(expr, |expr| {
        let is_same = is_column(expr, name, &is_ours);
        let is_over = matches!(expr, Expr::Function(call) if call.over.is_some());
        if is_same || is_over || is_aggregate(expr) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    is_other.is_continue() && !matches!(expr, Expr::Value(_))
}

/// Whether it is the column of this name, `day` or `c.day`. `requestParameters.day` is another.
fn is_column(expr: &Expr, name: &Ident, is_ours: impl Fn(&Ident) -> bool) -> bool {
    match expr {
        Expr::Identifier(other) => other.value.eq_ignore_ascii_case(&name.value),
        Expr::CompoundIdentifier(names) => match names.as_slice() {
            [table, other] => other.value.eq_ignore_ascii_case(&name.value) && !is_ours(table),
            _ => false,
        },
        _ => false,
    }
}

/// The column of SELECT that a number from 1 on is the place of.
pub fn at_place(key: &Expr, columns: &[SelectItem]) -> Option<Expr> {
    let place = key.to_string().parse::<usize>().ok()?.checked_sub(1)?;
    item_expr(columns.get(place)?).cloned()
}

fn item_expr(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

/// Puts what SELECT calls a call in the place of that call in ORDER BY, where names within are those of columns of SELECT too: of
/// `SELECT sum(bytes) AS bytes ... ORDER BY sum(bytes)` the last is no sum of the first for whoever types it. Other aggregates are of the
/// columns of the table, where there is one.
pub fn ordered(select: &Select, order: &mut [OrderByExpr]) {
    let named: Vec<(&Ident, &Expr)> = select.projection.iter().filter_map(named).collect();
    let is_named = |expr: &Expr| match expr {
        Expr::Identifier(name) if named.iter().any(|(alias, _)| alias.value.eq_ignore_ascii_case(&name.value)) => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    };
    let table = match select.from.as_slice() {
        [from] if from.joins.is_empty() => unnest::name(&from.relation),
        _ => None,
    };
    for order in order {
        let _ = visit_expressions_mut(&mut order.expr, |expr| {
            if matches!(expr, Expr::Function(_)) && visit_expressions(&*expr, is_named).is_break() {
                let typed = expr.to_string();
                let same = named.iter().find(|(_, known)| is_same(&known.to_string(), &typed));
                match (same, &table) {
                    (Some((alias, _)), _) => *expr = Expr::Identifier((*alias).clone()),
                    (None, Some(table)) if is_aggregate(expr) => of_table(expr, table, is_named),
                    (None, _) => {}
                }
            }
            ControlFlow::<()>::Continue(())
        }); // the closure never breaks
    }
}

/// Aggregates that DataFusion 55 and [`IN_QUERIES`] lack.
const OTHERS: [&str; 3] = ["approx_percentile", "arbitrary", "count_if"];

static AGGREGATES: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let known = all_default_aggregate_functions();
    let names = |aggregate: &Arc<AggregateUDF>| {
        let aliases = aggregate.aliases().iter().map(String::as_str);
        std::iter::once(aggregate.name()).chain(aliases).map(str::to_ascii_lowercase).collect::<Vec<_>>()
    };
    known.iter().flat_map(names).chain(IN_QUERIES.into_iter().chain(OTHERS).map(str::to_owned)).collect()
});

/// What else is called may be of what SELECT calls so.
fn is_aggregate(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(call) if call_name(call).is_some_and(|name| AGGREGATES.contains(&name)))
}

/// Writes the table before names that SELECT gives too.
fn of_table(call: &mut Expr, table: &Ident, is_named: impl Fn(&Expr) -> ControlFlow<()>) {
    let _ = visit_expressions_mut(call, |expr| {
        if let Expr::Identifier(name) = &*expr
            && is_named(expr).is_break()
        {
            *expr = Expr::CompoundIdentifier(vec![table.clone(), name.clone()]);
        }
        ControlFlow::<()>::Continue(())
    }); // the closure never breaks
}

fn named(item: &SelectItem) -> Option<(&Ident, &Expr)> {
    match item {
        SelectItem::ExprWithAlias { expr, alias } => Some((alias, expr)),
        _ => None,
    }
}

/// Whether two expressions are written alike: in any case, but for constants and what stands in quotes.
fn is_same(one: &str, other: &str) -> bool {
    one == other || !one.contains(['\'', '"']) && one.eq_ignore_ascii_case(other)
}
