//! Subqueries over the items of a list, `EXISTS (SELECT 1 FROM UNNEST(c.resources) AS t (r) WHERE r.arn = ...)`, which DataFusion 55 does not
//! run for each row → functions of the list with a lambda.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, Select, SelectItem, SetExpr, TableFactor, visit_expressions_mut,
};

use super::lateral::is_simple;
use super::template::with_arguments;
use crate::rule::dialect::name_fields_of;

/// The same with a lambda, where the expression is such a subquery.
pub fn of_items(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Exists { subquery, negated } => {
            let Items { list, item, condition, .. } = items(subquery)?;
            let exists = format!("coalesce(array_any_match(arg1, {item} -> arg2), false)");
            Some(negated_if(*negated, with_arguments(&exists, &[&list, &condition])))
        }
        Expr::InSubquery { expr, subquery, negated } => {
            let Items { list, item, condition, shown } = items(subquery)?;
            let within = format!(
                "CASE WHEN arg1 IS NULL THEN false ELSE array_any_match(array_filter(arg1, {item} -> arg2), {item} -> arg3 = arg4) END"
            );
            Some(negated_if(*negated, with_arguments(&within, &[&list, &condition, &shown?, expr])))
        }
        Expr::Subquery(subquery) => {
            let Items { list, item, condition, shown } = items(subquery)?;
            let is_count = shown?.to_string().eq_ignore_ascii_case("count(*)");
            let count = format!("coalesce(cardinality(array_filter(arg1, {item} -> arg2)), 0)");
            is_count.then(|| with_arguments(&count, &[&list, &condition]))
        }
        _ => None,
    }
}

struct Items {
    list: Expr,
    /// What an item is called.
    item: Ident,
    condition: Expr,
    /// The one column, where there is one.
    shown: Option<Expr>,
}

/// What a query without clauses but WHERE asks of the items of a column's list.
fn items(query: &Query) -> Option<Items> {
    let Query { with: None, body, order_by: None, limit_clause: None, fetch: None, .. } = query else { return None };
    let SetExpr::Select(select) = body.as_ref() else { return None };
    let Select { from, projection, selection, .. } = select.as_ref();
    let [from] = from.as_slice() else { return None };
    let TableFactor::UNNEST { alias: Some(alias), array_exprs, with_offset: false, with_ordinality: false, .. } =
        &from.relation
    else {
        return None;
    };
    let [list] = array_exprs.as_slice() else { return None };
    if !from.joins.is_empty() || !is_simple(select) {
        return None;
    }
    let item = match alias.columns.as_slice() {
        [] => alias.name.clone(),
        [column] => column.name.clone(),
        _ => return None,
    };
    let of_item = |expr: &Expr| of_lambda(expr, &alias.name, &item);
    let shown = match projection.as_slice() {
        [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] => Some(of_item(expr)),
        _ => None,
    };
    let condition = selection.as_ref().map_or_else(|| with_arguments("true", &[]), of_item);
    Some(Items { list: list.clone(), item, condition, shown })
}

/// An expression of an item, in which `t.item.name` and `item.name` are `item['name']`.
fn of_lambda(expr: &Expr, table: &Ident, item: &Ident) -> Expr {
    let same = |one: &Ident, other: &Ident| one.value.eq_ignore_ascii_case(&other.value);
    let mut expr = expr.clone();
    let _ = visit_expressions_mut(&mut expr, |inner| {
        if let Expr::CompoundIdentifier(names) = inner
            && names.len() > 1
            && same(&names[0], table)
            && same(&names[1], item)
            && !same(table, item)
        {
            names.remove(0);
            if let [name] = names.as_slice() {
                *inner = Expr::Identifier(name.clone());
            }
        }
        ControlFlow::<()>::Continue(())
    }); // the closure never breaks
    name_fields_of(std::slice::from_ref(item), &mut expr);
    expr
}

pub fn negated_if(negated: bool, expr: Expr) -> Expr {
    if negated { with_arguments("(NOT arg1)", &[&expr]) } else { expr }
}
