//! Matches against regular expressions that a query spells out, and calls that read a value of JSON by its path → the same as rules have
//! them: each expression compiled once, and JSON read only where the letters of the path's keys stand in it.
//!
//! DataFusion 55 compiles an expression again for each batch, and fails where all rows of one have the same text, as
//! `coalesce(errorCode, 'none')` has of calls that succeeded.

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use crate::detect::plan::absent::where_present;
use crate::detect::plan::regex::{compile_once, is_match};

/// To be asked last: what is known of an operator is not known of a function.
#[derive(Debug)]
pub struct Compiled;

impl OptimizerRule for Compiled {
    fn name(&self) -> &str {
        "compiled"
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        plan.transform_up_with_subqueries(|node| {
            let names = NamePreserver::new(&node);
            node.map_expressions(|expr| {
                // what is above knows the groups of ROLLUP and its like by the names that these have within
                if matches!(expr, Expr::GroupingSet(_)) {
                    return Ok(Transformed::no(expr));
                }
                let name = names.save(&expr);
                Ok(with_compiled(expr)?.update_data(|expr| name.restore(expr)))
            })
        })
    }
}

/// An expression whose matches are compiled once, and that reads JSON only where it may find something.
pub fn with_compiled(expr: Expr) -> Result<Transformed<Expr>> {
    expr.transform_up(|expr| {
        Ok(match is_match(&expr) {
            true => Transformed::yes(compile_once(expr)),
            false => where_present(expr),
        })
    })
}
