//! `LATERAL (SELECT a.x + 1 AS y)` and `LATERAL (VALUES a.x, a.y) AS t (z)`, which ask no table → the lists that `UNNEST` makes the same rows
//! of. DataFusion 55 joins no such subquery.

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, TableAlias, TableAliasColumnDef, TableFactor,
};

use super::last_name;
use super::template::with_arguments;

/// The same rows as lists side by side; `None` for what is no such subquery.
pub fn as_lists(relation: &TableFactor) -> Option<TableFactor> {
    let TableFactor::Derived { lateral: true, subquery, alias, sample: None } = relation else { return None };
    let Query { with: None, body, order_by: None, limit_clause: None, fetch: None, .. } = subquery.as_ref() else {
        return None;
    };
    let given: Vec<Ident> = alias.iter().flat_map(|alias| &alias.columns).map(|column| column.name.clone()).collect();
    let (names, lists) = match body.as_ref() {
        SetExpr::Values(values) => {
            let rows: Vec<&Vec<Expr>> = values.rows.iter().map(|row| &row.content).collect();
            let width = rows.first()?.len();
            let column = |place: usize| rows.iter().map(|row| row.get(place)).collect::<Option<Vec<&Expr>>>();
            let names = (1..=width).map(|place| Ident::new(format!("column{place}"))).collect();
            (names, (0..width).map(|place| Some(list(&column(place)?, None))).collect::<Option<Vec<Expr>>>()?)
        }
        SetExpr::Select(select) => {
            if let Some(unnest) = of_items(select, alias.as_ref()) {
                return Some(unnest);
            }
            columns(select)?
        }
        _ => return None,
    };
    let names = if given.is_empty() { names } else { given };
    let name = alias.as_ref().map_or_else(|| Ident::new("lateral_subquery"), |alias| alias.name.clone());
    Some(TableFactor::UNNEST {
        alias: Some(named(name, names)),
        array_exprs: lists,
        with_offset: false,
        with_offset_alias: None,
        with_ordinality: false,
    })
}

fn named(name: Ident, columns: Vec<Ident>) -> TableAlias {
    let column = |name| TableAliasColumnDef { name, data_type: None };
    TableAlias { explicit: true, name, columns: columns.into_iter().map(column).collect(), at: None }
}

/// A list of values, which is null, and so none, where a condition does not hold.
fn list(values: &[&Expr], condition: Option<&Expr>) -> Expr {
    let places: Vec<String> = (1..=values.len()).map(|place| format!("arg{place}")).collect();
    let list = with_arguments(&format!("make_array({})", places.join(", ")), values);
    match condition {
        Some(condition) => with_arguments("CASE WHEN arg1 THEN arg2 END", &[condition, &list]),
        None => list,
    }
}

/// The names and lists of a SELECT without FROM.
fn columns(select: &Select) -> Option<(Vec<Ident>, Vec<Expr>)> {
    if !select.from.is_empty() || !is_simple(select) {
        return None;
    }
    let column = |(place, item): (usize, &SelectItem)| {
        let (name, expr) = match item {
            SelectItem::ExprWithAlias { expr, alias } => (alias.clone(), expr),
            SelectItem::UnnamedExpr(expr) => {
                (Ident::new(last_name(expr).unwrap_or_else(|| format!("column{}", place + 1))), expr)
            }
            _ => return None,
        };
        Some((name, list(&[expr], select.selection.as_ref())))
    };
    select.projection.iter().enumerate().map(column).collect::<Option<Vec<_>>>().map(|both| both.into_iter().unzip())
}

/// `SELECT * FROM UNNEST(a.list) AS t (x)` is what it unnests.
fn of_items(select: &Select, alias: Option<&TableAlias>) -> Option<TableFactor> {
    let ([SelectItem::Wildcard(_)], [from]) = (select.projection.as_slice(), select.from.as_slice()) else {
        return None;
    };
    let TableFactor::UNNEST { alias: inner, .. } = &from.relation else { return None };
    if !from.joins.is_empty() || select.selection.is_some() || !is_simple(select) {
        return None;
    }
    let columns: Vec<Ident> = [alias, inner.as_ref()]
        .into_iter()
        .flatten()
        .find(|alias| !alias.columns.is_empty())
        .map(|alias| alias.columns.iter().map(|column| column.name.clone()).collect())?;
    let name = alias.or(inner.as_ref())?.name.clone();
    let mut unnest = from.relation.clone();
    if let TableFactor::UNNEST { alias, .. } = &mut unnest {
        *alias = Some(named(name, columns));
    }
    Some(unnest)
}

/// Whether it has no clause but FROM and WHERE.
pub fn is_simple(select: &Select) -> bool {
    let is_grouped = match &select.group_by {
        GroupByExpr::Expressions(by, sets) => !by.is_empty() || !sets.is_empty(),
        GroupByExpr::All(_) => true,
    };
    select.distinct.is_none() && select.having.is_none() && select.qualify.is_none() && !is_grouped
}
