//! Joins that ask whether another table has a row, as `IN (SELECT ...)` and `NOT EXISTS (SELECT ...)` become → the same with each key of that
//! table once.
//!
//! DataFusion 55 goes through all pairs of equal rows, of which two tables of three million rows with a few thousand keys have a billion.

use std::sync::Arc;

use datafusion::common::alias::AliasGenerator;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, JoinType, Result};
use datafusion::logical_expr::{Aggregate, Distinct, Expr, Join, LogicalPlan};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// To be asked behind what finds the keys of joins.
#[derive(Debug)]
pub struct Once;

impl OptimizerRule for Once {
    fn name(&self) -> &str {
        "once"
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Join(join) if asks(&join) && !is_once(&join.right, &keys(&join)) => {
                Ok(Transformed::yes(with_each_once(join, config.alias_generator())?))
            }
            other => Ok(Transformed::no(other)),
        })
    }
}

/// Whether it depends on the keys of the other table alone.
fn asks(join: &Join) -> bool {
    matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti) && !join.on.is_empty() && join.filter.is_none()
}

/// What the other table is asked for.
fn keys(join: &Join) -> Vec<Expr> {
    let mut keys: Vec<Expr> = Vec::new();
    for (_, key) in &join.on {
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    keys
}

fn is_once(plan: &LogicalPlan, keys: &[Expr]) -> bool {
    match plan {
        LogicalPlan::Aggregate(aggregate) => aggregate.aggr_expr.is_empty() && aggregate.group_expr.len() == keys.len(),
        LogicalPlan::Distinct(Distinct::All(input)) => input.schema().fields().len() == keys.len(),
        LogicalPlan::Projection(projection) => is_once(&projection.input, keys),
        LogicalPlan::SubqueryAlias(alias) => is_once(&alias.input, keys),
        _ => false,
    }
}

fn with_each_once(join: Join, names: &AliasGenerator) -> Result<LogicalPlan> {
    let keys = keys(&join);
    // a key that is computed is a column above
    let columns: Vec<Expr> = keys
        .iter()
        .map(|key| match key {
            Expr::Column(_) => key.clone(),
            _ => Expr::Column(Column::new_unqualified(names.next("__once"))),
        })
        .collect();
    let groups = keys.iter().zip(&columns).map(|(key, column)| match column {
        Expr::Column(name) if key != column => key.clone().alias(name.name.clone()),
        _ => key.clone(),
    });
    let groups = groups.collect();
    let Join { left, right, on, filter, join_type, join_constraint, null_equality, null_aware, schema: _ } = join;
    let above = |key: &Expr| {
        let place = keys.iter().position(|other| other == key).expect("the keys are those of the join");
        columns[place].clone()
    };
    let on = on.into_iter().map(|(left, key)| (left, above(&key))).collect();
    let right = Arc::new(LogicalPlan::Aggregate(Aggregate::try_new(right, groups, Vec::new())?));
    let join = Join::try_new(left, right, on, filter, join_type, join_constraint, null_equality, null_aware)?;
    Ok(LogicalPlan::Join(join))
}
