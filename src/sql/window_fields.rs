//! Fields of structs, and values of JSON, that are asked for beside window functions → columns that are computed below these.
//!
//! DataFusion 55 takes them out near the files, but not where a window function stands between: for
//! `lag(eventTime) OVER (PARTITION BY userIdentity.arn ORDER BY eventTime)` it sorted all of `userIdentity`.

use std::sync::Arc;

use datafusion::common::alias::AliasGenerator;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchemaRef, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, ExpressionPlacement, LogicalPlan, Projection};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// To be asked before fields are taken out.
#[derive(Debug)]
pub struct WindowFields;

impl OptimizerRule for WindowFields {
    fn name(&self) -> &str {
        "window_fields"
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        // what is asked again without this is asked without it here, too
        if !config.options().optimizer.enable_leaf_expression_pushdown {
            return Ok(Transformed::no(plan));
        }
        plan.transform_down_with_subqueries(|plan| match plan {
            LogicalPlan::Projection(_) => below_windows(plan, config.alias_generator()),
            other => Ok(Transformed::no(other)),
        })
    }
}

/// What is shown of window functions, with the fields it asks for computed below the lowest of them.
fn below_windows(shown: LogicalPlan, names: &AliasGenerator) -> Result<Transformed<LogicalPlan>> {
    let (between, below) = down_to_windows(&shown);
    if between.is_empty() {
        return Ok(Transformed::no(shown));
    }
    let mut fields = Fields { of: below.schema().clone(), taken: Vec::new() };
    for plan in between.iter().copied().chain([&shown]) {
        plan.expressions().iter().try_for_each(|expr| fields.find(expr, names))?;
    }
    if fields.taken.is_empty() {
        return Ok(Transformed::no(shown));
    }
    let columns = fields.of.columns().into_iter().map(Expr::Column);
    let taken = fields.taken.iter().map(|(field, name)| field.clone().alias(name));
    let mut built = LogicalPlan::Projection(Projection::try_new(columns.chain(taken).collect(), below.clone())?);
    for plan in between.iter().rev().copied().chain([&shown]) {
        built = plan.with_new_exprs(fields.asked_of(plan)?, vec![built])?;
    }
    Ok(Transformed::yes(built))
}

/// What stands between a plan and the rows that its window functions are asked of, from the top, and these rows; nothing where there is
/// no window function.
fn down_to_windows(shown: &LogicalPlan) -> (Vec<&LogicalPlan>, Arc<LogicalPlan>) {
    let (mut between, mut lowest, mut plan) = (Vec::new(), 0, shown);
    loop {
        plan = match plan {
            LogicalPlan::Projection(top) if between.is_empty() => &top.input,
            LogicalPlan::Window(window) => &window.input,
            LogicalPlan::Filter(filter) => &filter.input,
            LogicalPlan::Sort(sort) => &sort.input,
            _ => break,
        };
        between.push(plan);
        if matches!(plan, LogicalPlan::Window(_)) {
            lowest = between.len();
        }
    }
    between.truncate(lowest);
    let below = match between.last() {
        Some(LogicalPlan::Window(window)) => window.input.clone(),
        _ => Arc::new(shown.clone()),
    };
    (between, below)
}

/// What is computed of the columns of a plan, and the names that it has as columns.
struct Fields {
    of: DFSchemaRef,
    taken: Vec<(Expr, String)>,
}

impl Fields {
    fn find(&mut self, expr: &Expr, names: &AliasGenerator) -> Result<()> {
        expr.apply(|part| {
            if !self.is_field(part) {
                return Ok(TreeNodeRecursion::Continue);
            }
            if self.column(part).is_none() {
                self.taken.push((part.clone(), names.next("__field")));
            }
            Ok(TreeNodeRecursion::Jump)
        })?;
        Ok(())
    }

    fn is_field(&self, expr: &Expr) -> bool {
        expr.placement() == ExpressionPlacement::MoveTowardsLeafNodes
            && expr.column_refs().into_iter().all(|column| self.of.has_column(column))
    }

    fn column(&self, field: &Expr) -> Option<Expr> {
        let (_, name) = self.taken.iter().find(|(known, _)| known == field)?;
        Some(Expr::Column(Column::new_unqualified(name)))
    }

    /// What a plan asks for, of columns in the place of fields, under the names that it had.
    fn asked_of(&self, plan: &LogicalPlan) -> Result<Vec<Expr>> {
        let preserver = match plan {
            LogicalPlan::Window(_) => NamePreserver::new_for_projection(),
            other => NamePreserver::new(other),
        };
        let asked = plan.expressions().into_iter().map(|expr| {
            let name = preserver.save(&expr);
            let expr = expr.transform_down(|part| {
                Ok(match self.column(&part) {
                    Some(column) => Transformed::new(column, true, TreeNodeRecursion::Jump),
                    None => Transformed::no(part),
                })
            })?;
            Ok(name.restore(expr.data))
        });
        asked.collect()
    }
}

#[cfg(test)]
mod tests {

    use crate::sql::session;
    use crate::sql::tests::{answer, archive};

    #[tokio::test]
    async fn a_field_is_taken_out_below_the_window_functions() {
        let dir = archive();
        let (taken, plain) = (session(dir.path()).unwrap(), session(dir.path()).unwrap());
        assert!(plain.remove_optimizer_rule("window_fields"));
        for sql in [
            "SELECT eventid, userIdentity.arn, eventTime - lag(eventTime) OVER (PARTITION BY userIdentity.arn ORDER BY eventTime) \
             FROM cloudtrail ORDER BY 1",
            "SELECT eventid FROM (SELECT eventid, userIdentity.type AS t, row_number() OVER (PARTITION BY userIdentity.type \
             ORDER BY eventTime, eventid) AS r FROM cloudtrail WHERE eventname = 'GetUser') WHERE r = 1 AND t IS NOT NULL",
            "SELECT a.userIdentity.arn, r FROM (SELECT *, row_number() OVER (PARTITION BY userIdentity.type ORDER BY eventid) AS r \
             FROM cloudtrail) a ORDER BY 2, 1",
            "SELECT eventid, rank() OVER (ORDER BY requestParameters ->> 'bucketName' NULLS FIRST) AS a, \
             count(*) OVER (PARTITION BY eventname ORDER BY userIdentity.arn NULLS LAST) AS b FROM cloudtrail ORDER BY 1",
            "SELECT eventid FROM cloudtrail QUALIFY row_number() OVER (PARTITION BY userIdentity.arn ORDER BY eventid) = 1 \
             AND userIdentity.arn IS NOT NULL ORDER BY userIdentity.arn",
            "SELECT eventid, get_field(lag(userIdentity) OVER (ORDER BY eventTime, eventid), 'arn') AS before, userIdentity.type \
             FROM cloudtrail ORDER BY 1",
            "SELECT userIdentity, max(userIdentity.arn) OVER () FROM cloudtrail ORDER BY eventid",
            "SELECT userIdentity.arn, count(*), rank() OVER (ORDER BY count(*) DESC, userIdentity.arn) FROM cloudtrail GROUP BY 1 \
             ORDER BY 3",
            "SELECT count(*) FROM cloudtrail a WHERE 1 = (SELECT max(r) FROM (SELECT row_number() OVER (PARTITION BY \
             b.userIdentity.arn ORDER BY b.eventid) AS r FROM cloudtrail b WHERE b.eventid = a.eventid))",
        ] {
            assert_eq!(answer(&taken, sql).await, answer(&plain, sql).await, "{sql}");
        }
        let sql = "EXPLAIN SELECT userIdentity.arn, lag(eventTime) OVER (PARTITION BY userIdentity.arn ORDER BY eventTime) \
                   FROM cloudtrail";
        assert!(answer(&taken, sql).await.contains("AS __field"));
        assert!(!answer(&plain, sql).await.contains("__field"));
    }
}
