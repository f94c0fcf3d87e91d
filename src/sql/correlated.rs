//! Subqueries that compare what is computed of a column with a table around them → subqueries that compare a column, which is computed below.
//!
//! DataFusion 55 counts or adds up what a subquery finds for each row around it only where that is a column:
//! `WHERE d.day = c.day`, and not `WHERE d.userIdentity.arn = c.userIdentity.arn`.

use std::sync::Arc;

use datafusion::common::alias::AliasGenerator;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{BinaryExpr, Expr, Filter, LogicalPlan, Operator, Projection};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

#[derive(Debug)]
pub struct Correlated;

impl OptimizerRule for Correlated {
    fn name(&self) -> &str {
        "correlated"
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Filter(filter) if filter.predicate.contains_outer() => {
                on_columns(filter, config.alias_generator())
            }
            other => Ok(Transformed::no(other)),
        })
    }
}

fn on_columns(filter: Filter, names: &AliasGenerator) -> Result<Transformed<LogicalPlan>> {
    let shown: Vec<Expr> = filter.input.schema().columns().into_iter().map(Expr::Column).collect();
    let mut columns = shown.clone();
    let mut conditions = split_conjunction_owned(filter.predicate.clone());
    for condition in &mut conditions {
        if let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition
            && let Some(side) = computed(left, right)
        {
            let name = names.next("__correlated");
            let column = Expr::Column(Column::new_unqualified(&name));
            columns.push(std::mem::replace(side, column).alias(name));
        }
    }
    match conjunction(conditions) {
        Some(predicate) if columns.len() > shown.len() => {
            let input = Arc::new(LogicalPlan::Projection(Projection::try_new(columns, filter.input)?));
            let filter = Arc::new(LogicalPlan::Filter(Filter::try_new(predicate, input)?));
            Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(shown, filter)?)))
        }
        _ => Ok(Transformed::no(LogicalPlan::Filter(filter))),
    }
}

/// The side that is of the subquery and no column of it, where the other is of what is around.
fn computed<'e>(left: &'e mut Expr, right: &'e mut Expr) -> Option<&'e mut Expr> {
    let is_inner = |side: &Expr| side.any_column_refs() && !side.contains_outer() && !matches!(side, Expr::Column(_));
    let is_outer = |side: &Expr| side.contains_outer() && !side.any_column_refs();
    if is_inner(left) && is_outer(right) {
        return Some(left);
    }
    (is_inner(right) && is_outer(left)).then_some(right)
}
