//! Subqueries that compare what is computed of a column with a table around them → subqueries that compare a column, which is computed below.
//!
//! DataFusion 55 counts or adds up what a subquery finds for each row around it only where that is a column:
//! `WHERE d.day = c.day`, and not `WHERE d.userIdentity.arn = c.userIdentity.arn`.

use std::sync::Arc;

use anyhow::anyhow;
use datafusion::common::alias::AliasGenerator;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::utils::{conjunction, split_conjunction, split_conjunction_owned};
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

/// What is written in the place of a subquery for one value that compares a column with one around it otherwise than by `=`. DataFusion 55 plans
/// it, and where it runs says that something else is missing. `None` where the error is about another thing.
pub fn instead(plan: &LogicalPlan, error: &DataFusionError) -> Option<anyhow::Error> {
    let text = error.to_string();
    let is_of_subquery = text.contains("No field named") || text.contains("logical expression ScalarSubquery");
    (is_of_subquery && has_unequal(plan).unwrap_or(false)).then(|| {
        anyhow!(
            "a subquery for one value compares with columns of the query around it by = alone: \
             SELECT a.x, count(b.x) FROM a LEFT JOIN b ON b.x < a.x GROUP BY a.x"
        )
    })
}

/// Whether there is such a subquery.
fn has_unequal(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            found |= expr.exists(|part| match part {
                Expr::ScalarSubquery(inner) => LogicalPlan::exists(&inner.subquery, |node| Ok(is_unequal(node))),
                _ => Ok(false),
            })?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(found)
}

fn is_unequal(node: &LogicalPlan) -> bool {
    let LogicalPlan::Filter(filter) = node else { return false };
    let is_equality = |condition: &Expr| matches!(condition, Expr::BinaryExpr(BinaryExpr { op: Operator::Eq, .. }));
    split_conjunction(&filter.predicate).into_iter().any(|part| part.contains_outer() && !is_equality(part))
}
