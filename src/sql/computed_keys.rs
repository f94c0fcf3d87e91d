//! Orders of rows that a comparison of a call decides, `ORDER BY hour(eventTime) < 6`, or a call of another, `abs(cardinality(resources))` →
//! orders by columns that are computed before.
//!
//! DataFusion 55 asks what range such a key has, which it knows of no call, and then does not know the order again that it has made, and
//! refuses its own plan. `split_part` is such a comparison: it asks how many parts there are.

use std::sync::Arc;

use datafusion::common::alias::AliasGenerator;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, Projection, Sort, Window};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// To be asked behind what makes orders of others.
#[derive(Debug)]
pub struct ComputedKeys;

impl OptimizerRule for ComputedKeys {
    fn name(&self) -> &str {
        "computed_keys"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let keys = Keys { names: config.alias_generator(), computed: Vec::new() };
        match plan {
            LogicalPlan::Sort(sort) if sort.expr.iter().any(|key| is_lost(&key.expr)) => {
                Ok(Transformed::yes(keys.of_sort(sort)?))
            }
            LogicalPlan::Aggregate(aggregate) if aggregate.aggr_expr.iter().any(has_lost) => {
                Ok(Transformed::yes(keys.of_aggregate(aggregate)?))
            }
            LogicalPlan::Window(window) if window.window_expr.iter().any(has_lost) => {
                Ok(Transformed::yes(keys.of_window(window)?))
            }
            other => Ok(Transformed::no(other)),
        }
    }
}

/// Whether DataFusion does not know an order by this key again.
fn is_lost(key: &Expr) -> bool {
    has(key, |part| matches!(part, Expr::BinaryExpr(_) | Expr::Between(_) | Expr::Negative(_)))
        && has(key, |part| matches!(part, Expr::ScalarFunction(_)))
        || has(key, is_of_call)
}

fn has(expr: &Expr, wanted: fn(&Expr) -> bool) -> bool {
    expr.exists(|part| Ok(wanted(part))).expect("nothing fails on the way")
}

/// Whether it is a call of what another call gives. A field is none.
fn is_of_call(expr: &Expr) -> bool {
    let is_call = |part: &Expr| matches!(part, Expr::ScalarFunction(call) if call.func.name() != "get_field");
    matches!(expr, Expr::ScalarFunction(call) if call.args.iter().any(|arg| has(arg, is_call)))
}

/// Whether a function is asked for an order by such a key.
fn has_lost(function: &Expr) -> bool {
    keys_of(&mut function.clone().unalias()).into_iter().any(|key| is_lost(key))
}

/// The keys that a function has its rows ordered by, and those of its windows.
fn keys_of(function: &mut Expr) -> Vec<&mut Expr> {
    match function {
        Expr::AggregateFunction(function) => {
            let params = &mut function.params;
            // what is gathered, too, has to stay the same in both places
            let args = &params.args;
            params.order_by.iter_mut().map(|key| &mut key.expr).filter(|key| !args.contains(&**key)).collect()
        }
        Expr::WindowFunction(function) => {
            let params = &mut function.params;
            params.partition_by.iter_mut().chain(params.order_by.iter_mut().map(|key| &mut key.expr)).collect()
        }
        _ => Vec::new(),
    }
}

struct Keys<'a> {
    names: &'a AliasGenerator,
    /// What is computed, and the names of its columns.
    computed: Vec<(Expr, String)>,
}

impl Keys<'_> {
    fn of_sort(mut self, sort: Sort) -> Result<LogicalPlan> {
        let Sort { expr: mut keys, input, fetch } = sort;
        let above = columns(&input);
        keys.iter_mut().for_each(|key| self.compute(&mut key.expr));
        let input = self.below(input)?;
        let sorted = LogicalPlan::Sort(Sort { expr: keys, input, fetch });
        Ok(LogicalPlan::Projection(Projection::try_new(above, Arc::new(sorted))?))
    }

    fn of_window(mut self, window: Window) -> Result<LogicalPlan> {
        let Window { input, window_expr, schema } = window;
        let above: Vec<Expr> = schema.columns().into_iter().map(Expr::Column).collect();
        let functions = window_expr.into_iter().map(|function| self.of_function(function)).collect();
        let window = LogicalPlan::Window(Window::try_new(functions, self.below(input)?)?);
        Ok(LogicalPlan::Projection(Projection::try_new(above, Arc::new(window))?))
    }

    fn of_aggregate(mut self, aggregate: Aggregate) -> Result<LogicalPlan> {
        let Aggregate { input, group_expr, aggr_expr, .. } = aggregate;
        let functions = aggr_expr.into_iter().map(|function| self.of_function(function)).collect();
        Ok(LogicalPlan::Aggregate(Aggregate::try_new(self.below(input)?, group_expr, functions)?))
    }

    /// The function under the name that it had.
    fn of_function(&mut self, function: Expr) -> Expr {
        let name = NamePreserver::new_for_projection().save(&function);
        let mut function = function.unalias();
        keys_of(&mut function).into_iter().for_each(|key| self.compute(key));
        name.restore(function)
    }

    /// Puts a column in the place of a key that has to be computed before.
    fn compute(&mut self, key: &mut Expr) {
        if !is_lost(key) {
            return;
        }
        let expr = key.clone().unalias();
        let known = self.computed.iter().find(|(known, _)| *known == expr).map(|(_, name)| name.clone());
        let name = known.unwrap_or_else(|| {
            let name = self.names.next("__key");
            self.computed.push((expr, name.clone()));
            name
        });
        *key = Expr::Column(Column::new_unqualified(name));
    }

    /// The rows with the columns that are computed.
    fn below(self, input: Arc<LogicalPlan>) -> Result<Arc<LogicalPlan>> {
        let computed = self.computed.into_iter().map(|(expr, name)| expr.alias(name));
        let below: Vec<Expr> = columns(&input).into_iter().chain(computed).collect();
        Ok(Arc::new(LogicalPlan::Projection(Projection::try_new(below, input)?)))
    }
}

fn columns(plan: &LogicalPlan) -> Vec<Expr> {
    plan.schema().columns().into_iter().map(Expr::Column).collect()
}
