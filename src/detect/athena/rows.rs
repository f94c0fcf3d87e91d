//! `(a, b) IN (SELECT x, y ...)` → the same of single values, rows as texts, and `(a, b) NOT IN (SELECT x, y ...)`, and conditions in columns
//! that ask a query → a function of the list of all that the query finds.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, TableWithJoins, UnaryOperator, Visit,
    VisitMut, VisitorMut, visit_expressions,
};

use super::items::negated_if;
use super::lateral::is_simple;
use super::template::{call_name, expression, over, positional, with_arguments};
use super::unnest::name;

/// `ROW(a, b) IN (SELECT ROW(x, y) ...)`, `ROW(a, b) IN (ROW(1, 2))` and `ROW(a, b) = ROW(1, 2)` → the same of `(a, b)`: DataFusion 55
/// compares rows with nulls otherwise, and where it joins by rows it passes over some.
pub fn as_tuples(expr: &mut Expr) {
    match expr {
        Expr::InSubquery { expr, subquery, .. } => {
            if let SetExpr::Select(select) = subquery.body.as_mut()
                && is_simple(select)
                && let Some(parts) = parts_of(expr)
                && let [SelectItem::UnnamedExpr(row) | SelectItem::ExprWithAlias { expr: row, .. }] =
                    select.projection.as_slice()
                && let Some(columns) = parts_of(row)
                && columns.len() == parts.len()
            {
                select.projection = columns.into_iter().map(SelectItem::UnnamedExpr).collect();
                **expr = Expr::Tuple(parts);
            }
        }
        Expr::InList { expr, list, .. } => {
            let rows = std::iter::once(&**expr).chain(&*list).map(parts_of).collect::<Option<Vec<_>>>();
            if let Some([parts, rows @ ..]) = rows.as_deref() {
                **expr = Expr::Tuple(parts.clone());
                *list = rows.iter().cloned().map(Expr::Tuple).collect();
            }
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq | BinaryOperator::NotEq, right } => {
            if let (Some(parts), Some(others)) = (parts_of(left), parts_of(right)) {
                (**left, **right) = (Expr::Tuple(parts), Expr::Tuple(others));
            }
        }
        _ => {}
    }
}

/// The parts of a row that is spelled out.
fn parts_of(row: &Expr) -> Option<Vec<Expr>> {
    match row {
        Expr::Tuple(parts) => Some(parts.clone()),
        Expr::Function(call) if call_name(call).as_deref() == Some("row") => positional(call),
        _ => None,
    }
}

/// The row, which is null where a part of it is, for the query that `found` becomes.
pub fn within(parts: &[Expr], found: &mut Query) -> Expr {
    match found.body.as_mut() {
        SetExpr::Select(select)
            if select.distinct.is_none()
                && is_of(select, parts.len())
                && found.order_by.is_none()
                && !has_places(select) =>
        {
            let columns = std::mem::take(&mut select.projection).into_iter().filter_map(expr_of);
            select.projection = vec![SelectItem::UnnamedExpr(row(&columns.collect::<Vec<Expr>>()))];
        }
        _ => {
            let columns = columns(parts.len());
            if let Expr::Subquery(rows) = over("SELECT arg1 FROM t", &[&row(&named(&columns))], found, &columns) {
                *found = *rows;
            }
        }
    }
    row(parts)
}

/// Puts a SELECT around `VALUES 2, 3`, in which DataFusion 55 does not look for a number.
pub fn selected(found: &mut Query) {
    let columns = columns(1);
    if matches!(found.body.as_ref(), SetExpr::Values(_))
        && let Expr::Subquery(rows) = over("SELECT arg1 FROM t", &[&named(&columns)[0]], found, &columns)
    {
        *found = *rows;
    }
}

/// Whether the query has no such row: a row with a null may be any other with the same parts beside it, and then it is null.
pub fn outside(parts: &[Expr], found: &Query) -> Expr {
    let row = format!("struct({})", names(parts.len()).join(", "));
    let all = aggregate(&format!("array_agg(DISTINCT {row})"), parts.len(), found);
    let row = with_arguments(&row, &parts.iter().collect::<Vec<_>>());
    with_arguments("row_is_outside(arg1, arg2)", &[&row, &all])
}

/// An aggregate, written with `arg1`, `arg2` ..., of all that a query of so many columns finds.
pub fn aggregate(template: &str, count: usize, found: &Query) -> Expr {
    let mut asked = found.clone();
    match asked.body.as_mut() {
        // columns of tables around it may be named here, and not within FROM
        SetExpr::Select(select) if is_plain(select, found) && is_of(select, count) => {
            let columns = std::mem::take(&mut select.projection).into_iter().filter_map(expr_of);
            let columns = columns.collect::<Vec<Expr>>();
            let aggregate = with_arguments(template, &columns.iter().collect::<Vec<_>>());
            select.projection = vec![SelectItem::UnnamedExpr(aggregate)];
            asked.order_by = None;
            Expr::Subquery(Box::new(asked))
        }
        _ => {
            let columns = columns(count);
            let named = named(&columns);
            over(&format!("SELECT {template} FROM t"), &named.iter().collect::<Vec<_>>(), found, &columns)
        }
    }
}

/// Whether each row of its FROM that its WHERE holds for is one of its own. An aggregate, which its columns may call, gives one of none.
fn is_plain(select: &Select, found: &Query) -> bool {
    let call = |expr: &Expr| match expr {
        Expr::Function(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let calls = visit_expressions(&select.projection, call).is_break();
    is_simple(select) && !calls && found.limit_clause.is_none() && found.fetch.is_none()
}

/// `(a, b) IN ((1, 2), (3, 4))` → comparisons of parts: of rows DataFusion 55 takes a null for one more value.
pub fn among(row: &Expr, rows: &[Expr], negated: bool) -> Option<Expr> {
    let each = rows.iter().map(|other| same(row, other)).collect::<Option<Vec<Expr>>>()?;
    let either = |left: Expr, right: Expr| with_arguments("(arg1 OR arg2)", &[&left, &right]);
    each.into_iter().reduce(either).map(|any| negated_if(negated, any))
}

/// `(a, b) = (1, 2)` → `(a = 1 AND b = 2)`.
pub fn same(row: &Expr, other: &Expr) -> Option<Expr> {
    let (Expr::Tuple(parts), Expr::Tuple(others)) = (row, other) else { return None };
    let count = Some(parts.len()).filter(|count| *count == others.len())?;
    let each = (1..=count).map(|place| format!("arg{place} = arg{}", place + count));
    let template = format!("({})", each.collect::<Vec<_>>().join(" AND "));
    Some(with_arguments(&template, &parts.iter().chain(others).collect::<Vec<_>>()))
}

/// The conditions of a column that ask a query, `eventName IN (SELECT ...)` and `EXISTS (SELECT ...)`, which DataFusion 55 has in WHERE
/// alone → functions of what the query finds.
pub fn in_column(expr: &mut Expr) {
    let _ = expr.visit(&mut Asked { depth: 0, exists: true }); // it never breaks
}

/// `NOT IN (SELECT ...)` beside OR, or within CASE and the like: DataFusion 55 takes it for true there where it is null. It fails where the
/// query names a table `around` it, and takes it for true where a constant is looked for.
pub fn in_condition(condition: &mut Expr, around: &[Ident]) {
    match condition {
        Expr::Nested(inner) => in_condition(inner, around),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            in_condition(left, around);
            in_condition(right, around);
        }
        // all depends on it
        Expr::InSubquery { expr, subquery, negated } if !*negated || is_joined(expr, subquery, around) => {}
        Expr::UnaryOp { op: UnaryOperator::Not, expr } if is_outside(expr, around) => {}
        _ => in_part(condition, false),
    }
}

/// Whether its opposite is `IN`, or `NOT IN` that is joined.
fn is_outside(expr: &Expr, around: &[Ident]) -> bool {
    match expr {
        Expr::Nested(inner) => is_outside(inner, around),
        Expr::InSubquery { expr, subquery, negated } => *negated || is_joined(expr, subquery, around),
        _ => false,
    }
}

/// Whether a column is looked for in a query by itself.
fn is_joined(sought: &Expr, found: &Query, around: &[Ident]) -> bool {
    let inner = match found.body.as_ref() {
        SetExpr::Select(select) => relations(&select.from),
        _ => Vec::new(),
    };
    let is = |names: &[Ident], name: &Ident| names.iter().any(|other| other.value.eq_ignore_ascii_case(&name.value));
    let is_column = |expr: &Expr| matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
    let is_around = |expr: &Expr| match expr {
        Expr::CompoundIdentifier(names) => is(around, &names[0]) && !is(&inner, &names[0]),
        _ => false,
    };
    has(sought, is_column) && !has(found, is_around)
}

/// The names that tables have behind FROM.
pub fn relations(from: &[TableWithJoins]) -> Vec<Ident> {
    let tables = from
        .iter()
        .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
    tables.filter_map(name).collect()
}

/// Whether such an expression is a part of it.
fn has(part: &impl Visit, is: impl Fn(&Expr) -> bool) -> bool {
    let found = |expr: &Expr| if is(expr) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    visit_expressions(part, found).is_break()
}

/// A part of a condition: where `false` does for it what null does, in an even number of NOT, `IN` stays.
fn in_part(expr: &mut Expr, is_negated: bool) {
    match expr {
        Expr::Nested(inner) => in_part(inner, is_negated),
        Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
            in_part(left, is_negated);
            in_part(right, is_negated);
        }
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => in_part(expr, !is_negated),
        Expr::InSubquery { negated, .. } if *negated == is_negated => {}
        _ => {
            let _ = expr.visit(&mut Asked { depth: 0, exists: false }); // it never breaks
        }
    }
}

struct Asked {
    /// How many queries are around the place that is looked at, within the column or condition.
    depth: usize,
    /// Whether EXISTS is one of what is looked for.
    exists: bool,
}

impl VisitorMut for Asked {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let other = match expr {
            _ if self.depth > 0 => None,
            Expr::InSubquery { expr, subquery, negated } => {
                Some((outside(std::slice::from_ref(expr.as_ref()), subquery), *negated))
            }
            Expr::Exists { subquery, negated } if self.exists => Some((is_empty(subquery), *negated)),
            _ => None,
        };
        match other {
            Some((outside, true)) => *expr = outside,
            Some((outside, false)) => *expr = with_arguments("(NOT arg1)", &[&outside]),
            None => {}
        }
        ControlFlow::Continue(())
    }
}

/// Whether a query has a row whatever it finds, as one of aggregates without GROUP BY has.
pub fn is_of_one_row(found: &Query) -> bool {
    let SetExpr::Select(select) = found.body.as_ref() else { return false };
    let is_aggregate = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(Expr::Function(call))
        | SelectItem::ExprWithAlias { expr: Expr::Function(call), .. } => {
            call.over.is_none() && call_name(call).is_some_and(|name| AGGREGATES.contains(&name.as_str()))
        }
        _ => false,
    };
    is_simple(select)
        && found.limit_clause.is_none()
        && found.fetch.is_none()
        && select.projection.iter().any(is_aggregate)
}

const AGGREGATES: [&str; 7] = ["array_agg", "avg", "bool_or", "count", "max", "min", "sum"];

/// Whether a query finds no row.
fn is_empty(found: &Query) -> Expr {
    let mut counted = found.clone();
    let count = match counted.body.as_mut() {
        SetExpr::Select(select) if is_plain(select, found) => {
            select.projection = vec![SelectItem::UnnamedExpr(expression("count(*)"))];
            counted.order_by = None;
            Expr::Subquery(Box::new(counted))
        }
        _ => over("SELECT count(*) FROM t", &[], found, &[]),
    };
    with_arguments("(arg1 = 0)", &[&count])
}

/// A row as one value that compares; null where a part of it is.
fn row(parts: &[Expr]) -> Expr {
    with_arguments(&format!("row_key({})", names(parts.len()).join(", ")), &parts.iter().collect::<Vec<_>>())
}

/// Whether a SELECT is grouped by columns that it names by their places, `GROUP BY 1`.
fn has_places(select: &Select) -> bool {
    let is_place = |expr: &Expr| matches!(expr, Expr::Value(_));
    matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.iter().any(is_place))
}

fn names(count: usize) -> Vec<String> {
    (1..=count).map(|place| format!("arg{place}")).collect()
}

/// Whether a SELECT has so many columns, none of them a star.
fn is_of(select: &Select, count: usize) -> bool {
    select.projection.len() == count && select.projection.iter().all(|item| expr_of(item.clone()).is_some())
}

fn expr_of(item: SelectItem) -> Option<Expr> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

/// What [`over`] calls the columns of a query.
fn columns(count: usize) -> Vec<String> {
    (1..=count).map(|place| format!("part{place}")).collect()
}

fn named(columns: &[String]) -> Vec<Expr> {
    columns.iter().map(|name| Expr::Identifier(Ident::new(name))).collect()
}
