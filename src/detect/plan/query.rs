//! A rule's statement → its plan → the parts of it: what it selects, under which condition, and how it groups.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, Volatility};
use datafusion::sql::parser::Statement;

use super::framed;
use crate::detect::program::Leaves;
use crate::detect::session;
use crate::detect::window::plan::Grouped;

/// A query taken apart, its expressions flattened.
pub struct Query {
    /// The selected columns with their names; of a query that groups only the names count.
    pub items: Vec<(String, Expr)>,
    pub condition: Expr,
    pub grouped: Option<Grouped>,
}

impl Query {
    /// The first answer that one of all its expressions, and of those within them, gives.
    pub fn find<T>(&self, ask: impl Fn(&Expr) -> Option<T>) -> Option<T> {
        let grouped = self.grouped.iter().flat_map(|grouped| {
            let Grouped { aggregate, having, items, .. } = grouped;
            aggregate.group_expr.iter().chain(&aggregate.aggr_expr).chain(items).chain([having])
        });
        let items = self.items.iter().map(|(_, expr)| expr);
        let mut found = None;
        for expr in grouped.chain(items).chain([&self.condition]) {
            let visited = expr.apply(|part| {
                found = found.take().or_else(|| ask(part));
                Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            });
            visited.expect("nothing fails on the way");
            if found.is_some() {
                break;
            }
        }
        found
    }
}

/// Plans a statement and takes it apart.
pub fn take_apart(state: &SessionState, leaves: &Leaves, statement: Statement) -> Result<Query> {
    let plan = session::plan(state, statement)?;
    refuse_unstable(&plan)?;
    let names = match &plan {
        LogicalPlan::Projection(projection) => item_names(&projection.expr),
        other => return Err(unsupported(other)),
    };
    let LogicalPlan::Projection(projection) = state.optimize(&plan)? else { return Err(unsupported(&plan)) };
    let LogicalPlan::Filter(filter) = projection.input.as_ref() else { return Err(unsupported(&projection.input)) };
    if let LogicalPlan::Aggregate(aggregate) = filter.input.as_ref() {
        let LogicalPlan::Filter(rows) = aggregate.input.as_ref() else { return Err(unsupported(&aggregate.input)) };
        read_table(rows)?;
        let items = projection.expr.clone();
        return Ok(Query {
            items: names.into_iter().zip(items.iter().cloned()).collect(),
            condition: leaves.flatten(rows.predicate.clone())?,
            grouped: Some(Grouped {
                aggregate: aggregate.clone(),
                having: filter.predicate.clone(),
                items,
                frame: None,
            }),
        });
    }
    if let Some((rows, grouped)) = framed::take_apart(leaves, &projection.expr, &filter.predicate, &filter.input)? {
        read_table(rows)?;
        return Ok(Query {
            items: names.into_iter().zip(projection.expr.iter().cloned()).collect(),
            condition: leaves.flatten(rows.predicate.clone())?,
            grouped: Some(grouped),
        });
    }
    read_table(filter)?;
    let items = projection.expr.iter().map(|expr| leaves.flatten(expr.clone())).collect::<Result<Vec<_>>>()?;
    let condition = leaves.flatten(filter.predicate.clone())?;
    Ok(Query { items: names.into_iter().zip(items).collect(), condition, grouped: None })
}

/// Whether what is filtered is a table.
fn read_table(filter: &Filter) -> Result<()> {
    let scan = match filter.input.as_ref() {
        LogicalPlan::SubqueryAlias(alias) => alias.input.as_ref(),
        other => other,
    };
    if matches!(scan, LogicalPlan::TableScan(_)) { Ok(()) } else { Err(unsupported(scan)) }
}

fn unsupported(plan: &LogicalPlan) -> DataFusionError {
    let (what, whole) = match plan {
        LogicalPlan::Aggregate(aggregate) => {
            let call = aggregate.aggr_expr.first().map(ToString::to_string).unwrap_or_default();
            ("aggregates", call)
        }
        LogicalPlan::Window(window) => {
            ("window functions", window.window_expr.first().map(ToString::to_string).unwrap_or_default())
        }
        LogicalPlan::Projection(projection) => return unsupported(&projection.input),
        other => ("this query", other.display().to_string()),
    };
    let name = whole.split('(').next().unwrap_or_default();
    DataFusionError::Plan(format!("not supported yet: {what} (`{name}`); a rule is SELECT ... FROM <table> WHERE ..."))
}

/// A rule's answer depends on its rows alone, or a replay would give another one.
fn refuse_unstable(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| match expr {
                Expr::ScalarFunction(call) if call.func.signature().volatility != Volatility::Immutable => {
                    let name = call.func.name();
                    Err(DataFusionError::Plan(format!(
                        "`{name}` gives another answer at another time: a rule may use only its rows"
                    )))
                }
                _ => Ok(TreeNodeRecursion::Continue),
            })
        })
    })?;
    Ok(())
}

/// A column's own name, or its path where two have the same; an alias as given; anything else as SQL.
fn item_names(exprs: &[Expr]) -> Vec<String> {
    let path = |expr: &Expr| match expr {
        Expr::Column(column) => Some(column.name.clone()),
        Expr::ScalarFunction(call) if call.func.name() == "get_field" => field_name(call),
        _ => None,
    };
    let whole = |expr: &Expr| match expr {
        Expr::Alias(alias) => alias.name.clone(),
        expr => path(expr).unwrap_or_else(|| expr.human_display().to_string()),
    };
    let short = |expr: &Expr| {
        path(expr).and_then(|path| path.rsplit('.').next().map(str::to_owned)).unwrap_or_else(|| whole(expr))
    };
    let shorts: Vec<String> = exprs.iter().map(short).collect();
    let unique = |name: &String| shorts.iter().filter(|other| *other == name).count() == 1;
    exprs.iter().zip(&shorts).map(|(expr, name)| if unique(name) { name.clone() } else { whole(expr) }).collect()
}

fn field_name(call: &ScalarFunction) -> Option<String> {
    let mut path = match call.args.first()? {
        Expr::Column(column) => column.name.clone(),
        Expr::ScalarFunction(inner) if inner.func.name() == "get_field" => field_name(inner)?,
        other => other.human_display().to_string(),
    };
    for name in &call.args[1..] {
        let Expr::Literal(name, _) = name else { return None };
        path.push('.');
        path.push_str(name.try_as_str().flatten()?);
    }
    Some(path)
}
