//! Plans in which rows of items take what holds of the rows whose lists they were for what holds of them → plans that do not.
//!
//! DataFusion 55 says of the rows that `unnest` makes of groups that the key of the group tells one of them, and takes all other
//! columns out of ORDER BY and GROUP BY.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{FunctionalDependencies, Result};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::optimizer::Optimizer;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::compiled::Compiled;
use super::computed_keys::ComputedKeys;
use super::correlated::Correlated;
use super::counted_ids::CountedIds;
use super::keyed::Keyed;
use super::numbered::Numbered;
use super::once::Once;
use super::per_value::PerValue;
use super::window_fields::WindowFields;

/// The optimizer's rules, with this one before each that looks at what a key tells, [`Keyed`] and [`WindowFields`] before the one that
/// takes fields out, [`PerValue`] before the one that computes once what is asked twice, [`CountedIds`] before the one that makes groups
/// of what is counted, [`Correlated`] first, and [`ComputedKeys`], [`Once`], [`Numbered`] and [`Compiled`] last.
pub fn rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![Arc::new(Correlated)];
    for rule in Optimizer::new().rules {
        if ["eliminate_duplicated_expr", "eliminate_join", "optimize_projections"].contains(&rule.name()) {
            rules.push(Arc::new(Unnested));
        }
        if rule.name() == "common_sub_expression_eliminate" {
            rules.push(Arc::new(PerValue));
        }
        if rule.name() == "single_distinct_aggregation_to_group_by" {
            rules.push(Arc::new(CountedIds));
        }
        if rule.name() == "extract_leaf_expressions" {
            rules.push(Arc::new(Keyed));
            rules.push(Arc::new(WindowFields));
        }
        rules.push(rule);
    }
    rules.push(Arc::new(ComputedKeys));
    rules.push(Arc::new(Once));
    rules.push(Arc::new(Numbered));
    rules.push(Arc::new(Compiled));
    rules
}

#[derive(Debug)]
struct Unnested;

impl OptimizerRule for Unnested {
    fn name(&self) -> &str {
        "unnested"
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let is_wrong = |plan: &LogicalPlan| match plan {
            LogicalPlan::Unnest(unnest) => !unnest.schema.functional_dependencies().is_empty(),
            _ => false,
        };
        if !plan.exists(|plan| Ok(is_wrong(plan)))? {
            return Ok(Transformed::no(plan));
        }
        let changed = plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Unnest(mut unnest) => {
                let schema = unnest.schema.as_ref().clone();
                unnest.schema = Arc::new(schema.with_functional_dependencies(FunctionalDependencies::empty())?);
                Ok(Transformed::yes(LogicalPlan::Unnest(unnest)))
            }
            other => Ok(Transformed::yes(other.recompute_schema()?)),
        })?;
        Ok(Transformed::yes(changed.data))
    }
}
