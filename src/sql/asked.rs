//! Groups by what a subquery finds for each row, and aggregates of it → groups by columns, which are computed below them.
//!
//! DataFusion 55 asks a subquery that names a table around it, `EXISTS (SELECT 1 FROM t WHERE t.x = c.x)`, in columns and conditions alone.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, Projection};
use datafusion::optimizer::analyzer::AnalyzerRule;

#[derive(Debug)]
pub struct Asked;

impl AnalyzerRule for Asked {
    fn name(&self) -> &str {
        "asked"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let computed = plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Aggregate(aggregate) if asks(&aggregate) => Ok(Transformed::yes(on_columns(aggregate)?)),
            other => Ok(Transformed::no(other)),
        });
        Ok(computed?.data)
    }
}

fn asks(aggregate: &Aggregate) -> bool {
    let asks = |expr: &Expr| expr.exists(|expr| Ok(is_asked(expr))).expect("the closure never fails");
    // of a set of keys no name is kept
    let has_sets = aggregate.group_expr.iter().any(|key| matches!(key, Expr::GroupingSet(_)));
    !has_sets && aggregate.group_expr.iter().chain(&aggregate.aggr_expr).any(asks)
}

fn is_asked(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarSubquery(subquery) if !subquery.outer_ref_columns.is_empty())
}

fn on_columns(aggregate: Aggregate) -> Result<LogicalPlan> {
    let mut columns: Vec<Expr> = aggregate.input.schema().columns().into_iter().map(Expr::Column).collect();
    let kept = NamePreserver::new_for_projection();
    let mut computed_below = |expr: Expr| -> Result<Expr> {
        let shown = kept.save(&expr);
        let computed = expr.transform_down(|expr| {
            if !is_asked(&expr) {
                return Ok(Transformed::no(expr));
            }
            // no other has this name: above the aggregate there is none of them
            let name = format!("__asked_{}", columns.len());
            let column = Expr::Column(Column::new_unqualified(&name));
            columns.push(expr.alias(name));
            Ok(Transformed::yes(column))
        })?;
        Ok(shown.restore(computed.data))
    };
    let Aggregate { input, group_expr, aggr_expr, .. } = aggregate;
    let keys = group_expr.into_iter().map(&mut computed_below).collect::<Result<Vec<Expr>>>()?;
    let aggregates = aggr_expr.into_iter().map(&mut computed_below).collect::<Result<Vec<Expr>>>()?;
    let input = LogicalPlan::Projection(Projection::try_new(columns, input)?);
    Ok(LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(input), keys, aggregates)?))
}
