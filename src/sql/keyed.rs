//! Joins on what is computed of fields or of JSON → joins on columns, which are computed below them.
//!
//! DataFusion 55 takes the fields out of such a key, `lower(a.userIdentity.arn)`, and then does not find it by its name.

use std::sync::Arc;

use datafusion::common::alias::AliasGenerator;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, JoinType, Result};
use datafusion::logical_expr::{Expr, ExpressionPlacement, Join, LogicalPlan, Projection};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

#[derive(Debug)]
pub struct Keyed;

impl OptimizerRule for Keyed {
    fn name(&self) -> &str {
        "keyed"
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Join(join) if is_on_fields(&join) => {
                Ok(Transformed::yes(on_columns(join, config.alias_generator())?))
            }
            other => Ok(Transformed::no(other)),
        })
    }
}

fn is_on_fields(join: &Join) -> bool {
    let keeps_columns = !matches!(join.join_type, JoinType::LeftMark | JoinType::RightMark);
    keeps_columns && join.on.iter().any(|(left, right)| is_of_field(left) || is_of_field(right))
}

/// Whether a field, or a value of JSON, is a part of it and not all of it.
fn is_of_field(key: &Expr) -> bool {
    let is_taken_out = |expr: &Expr| expr.placement() == ExpressionPlacement::MoveTowardsLeafNodes;
    !is_taken_out(key) && key.exists(|expr| Ok(is_taken_out(expr))).expect("the closure never fails")
}

fn on_columns(join: Join, names: &AliasGenerator) -> Result<LogicalPlan> {
    let shown = join.schema.columns().into_iter().map(Expr::Column).collect();
    let Join { left, right, on, filter, join_type, join_constraint, null_equality, null_aware, schema: _ } = join;
    let (left_keys, right_keys) = on.into_iter().unzip();
    let (left, left_keys) = with_keys(left, left_keys, names)?;
    let (right, right_keys) = with_keys(right, right_keys, names)?;
    let on = left_keys.into_iter().zip(right_keys).collect();
    let join = Join::try_new(left, right, on, filter, join_type, join_constraint, null_equality, null_aware)?;
    Ok(LogicalPlan::Projection(Projection::try_new(shown, Arc::new(LogicalPlan::Join(join)))?))
}

/// The input with columns for the keys that are none.
fn with_keys(
    input: Arc<LogicalPlan>,
    mut keys: Vec<Expr>,
    names: &AliasGenerator,
) -> Result<(Arc<LogicalPlan>, Vec<Expr>)> {
    let mut columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
    for key in keys.iter_mut().filter(|key| is_of_field(key)) {
        let name = names.next("__key");
        let column = Expr::Column(Column::new_unqualified(&name));
        columns.push(std::mem::replace(key, column).alias(name));
    }
    Ok((Arc::new(LogicalPlan::Projection(Projection::try_new(columns, input)?)), keys))
}
