//! Columns that tables are joined by, `a FULL JOIN b USING (account)` → what each is, `coalesce(a.account, b.account)`.
//!
//! DataFusion 55 takes them for the column of one table, which is null in rows of the other alone, and beside WHERE for one of two.

use std::ops::ControlFlow;

use anyhow::bail;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, Query, ReplaceSelectElement, ReplaceSelectItem, Select,
    SelectItem, VisitMut, VisitorMut,
};

use super::template::with_arguments;
use super::unnest::name;

/// Puts what they are in the places of their names, in columns and conditions of a SELECT.
///
/// # Errors
/// Where the names of the columns, or their order behind `*`, are not known here.
pub fn resolve(select: &mut Select) -> anyhow::Result<()> {
    let mut columns = Columns::default();
    for from in &mut select.from {
        let mut first = name(&from.relation);
        for join in &mut from.joins {
            columns.join(first.take(), join)?;
        }
    }
    if columns.known.is_empty() {
        return Ok(());
    }
    for item in &mut select.projection {
        match item {
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => {
                if let Some(value) = columns.of(name) {
                    *item = SelectItem::ExprWithAlias { expr: value.clone(), alias: name.clone() };
                }
            }
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                let _ = expr.visit(&mut columns); // it never breaks
            }
            SelectItem::Wildcard(_) if columns.is_of_three => {
                bail!("behind several FULL JOIN ... USING the columns are named one by one, and not `*`")
            }
            SelectItem::Wildcard(options) if options.opt_replace.is_none() => options.opt_replace = columns.replaced(),
            _ => {}
        }
    }
    let _ = select.distinct.visit(&mut columns);
    let _ = select.selection.visit(&mut columns);
    let _ = select.group_by.visit(&mut columns);
    let _ = select.having.visit(&mut columns);
    let _ = select.qualify.visit(&mut columns);
    Ok(())
}

#[derive(Default)]
struct Columns {
    known: Vec<Column>,
    /// Whether one is of more than two tables, and joined by what it is of the first two.
    is_of_three: bool,
    /// How many queries are around the place that is looked at.
    depth: usize,
}

struct Column {
    name: Ident,
    value: Expr,
    /// Whether it may be null where the column of one of the tables is not.
    is_outer: bool,
}

impl Columns {
    /// `first` is the table before the join where it is the only one.
    fn join(&mut self, first: Option<Ident>, join: &mut Join) -> anyhow::Result<()> {
        let (constraint, value, is_outer) = match &mut join.join_operator {
            JoinOperator::Join(by) | JoinOperator::Inner(by) => (by, "arg1", false),
            JoinOperator::Left(by) | JoinOperator::LeftOuter(by) => (by, "arg1", true),
            JoinOperator::Right(by) | JoinOperator::RightOuter(by) => (by, "arg2", true),
            JoinOperator::FullOuter(by) => (by, "coalesce(arg1, arg2)", true),
            _ => return Ok(()),
        };
        let names: Vec<Ident> = match &*constraint {
            JoinConstraint::Natural if is_outer => {
                bail!(
                    "there is no NATURAL outer join here: USING (account) names the columns that tables are joined by"
                )
            }
            JoinConstraint::Using(names) => {
                names.iter().filter_map(|name| name.0.last()?.as_ident().cloned()).collect()
            }
            _ => return Ok(()),
        };
        let Some(right) = name(&join.relation) else { return Ok(()) };
        let mut sides = Vec::new();
        for name in names {
            let known = self.of(&name).cloned();
            let Some(left) = known.or_else(|| Some(column(first.as_ref()?, &name))) else { return Ok(()) };
            let right = column(&right, &name);
            sides.push((name, left, right));
        }
        if sides.iter().any(|(_, left, _)| matches!(left, Expr::Function(_))) {
            let equal = sides.iter().map(|(_, left, right)| with_arguments("arg1 = arg2", &[left, right]));
            let all = equal.reduce(|one, other| with_arguments("arg1 AND arg2", &[&one, &other]));
            *constraint = all.map_or(JoinConstraint::None, JoinConstraint::On);
            self.is_of_three = true;
        }
        for (name, left, right) in sides {
            let value = with_arguments(value, &[&left, &right]);
            self.known.retain(|column| !is(&column.name, &name));
            self.known.push(Column { name, value, is_outer });
        }
        Ok(())
    }

    fn of(&self, name: &Ident) -> Option<&Expr> {
        self.known.iter().find(|column| is(&column.name, name)).map(|column| &column.value)
    }

    /// What `*` has in their places.
    fn replaced(&self) -> Option<ReplaceSelectItem> {
        let outer = self.known.iter().filter(|column| column.is_outer);
        let items = outer.map(|column| {
            let (expr, column_name) = (column.value.clone(), folded(&column.name));
            Box::new(ReplaceSelectElement { expr, column_name, as_keyword: true })
        });
        Some(ReplaceSelectItem { items: items.collect() }).filter(|replaced| !replaced.items.is_empty())
    }
}

impl VisitorMut for Columns {
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
        // a subquery may have a column of its own
        if let Expr::Identifier(name) = expr
            && self.depth == 0
            && let Some(value) = self.of(name)
        {
            *expr = value.clone();
        }
        ControlFlow::Continue(())
    }
}

fn column(table: &Ident, name: &Ident) -> Expr {
    Expr::CompoundIdentifier(vec![table.clone(), name.clone()])
}

fn is(name: &Ident, other: &Ident) -> bool {
    name.value.eq_ignore_ascii_case(&other.value)
}

/// The name as DataFusion knows it.
fn folded(name: &Ident) -> Ident {
    if name.quote_style.is_some() { name.clone() } else { Ident::new(name.value.to_lowercase()) }
}
