//! Tables → the one SQL session that rules and analysts share: dialect, JSON functions, address functions, name folding.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::TreeNode;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;
use datafusion::execution::{FunctionRegistry, SessionState, SessionStateBuilder};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::analyzer::{Analyzer, AnalyzerRule};
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use futures::FutureExt;

use super::athena::types::AsAthena;
use super::functions::spans;
use super::plan::lowered::Lowered;
use super::plan::narrowed::Narrowed;
use super::plan::words;
use super::reference::References;
use super::reference::from_reference;
use super::{athena, functions};
pub use crate::rule::dialect::{SqlError, parse};
use crate::rule::shorthand;
use crate::table::Table;

/// A session without tables and lists. What a rule asks of windows is computed over all rows at once. Statements for it come from [`parse`]: `SessionContext::sql` would read another dialect.
pub fn session(config: SessionConfig) -> SessionContext {
    // what types there are to coerce is known only after it
    let mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> = vec![Arc::new(AsAthena), Arc::new(Lowered)];
    rules.extend(Analyzer::new().rules);
    rules.push(Arc::new(Narrowed));
    let state = SessionStateBuilder::new().with_config(settings(config)).with_default_features();
    let mut state = state.with_analyzer_rules(rules).build();
    register(&mut state);
    SessionContext::new_with_state(state)
}

/// Rules are planned against empty tables and the user's lists, with expressions simplified and nothing moved: the plan keeps the query's shape.
pub(super) fn planner(tables: &[&'static Table], references: &References) -> SessionState {
    // what is simple once it was simplified need not be looked at again
    let config = settings(SessionConfig::new()).set_usize("datafusion.optimizer.max_passes", 1);
    let mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> = vec![Arc::new(AsAthena)];
    rules.extend(Analyzer::new().rules);
    rules.push(Arc::new(Narrowed));
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .with_analyzer_rules(rules)
        .with_optimizer_rules(vec![Arc::new(SimplifyExpressions::new())])
        .build();
    register(&mut state);
    for function in from_reference::functions(references).into_iter().chain(words::functions()) {
        state.register_udf(function).expect("functions register in a new session");
    }
    let schema = state.schema_for_ref("t").expect("a new session has its default schema");
    for table in tables {
        let provider: Arc<dyn TableProvider> = Arc::new(EmptyTable::new(table.schema()));
        schema.register_table(table.name.to_owned(), provider).expect("table names differ");
    }
    state
}

/// Plans a statement over tables that are in memory, so that nothing is waited for.
pub(super) fn plan(state: &SessionState, mut statement: Statement) -> Result<LogicalPlan, DataFusionError> {
    shorthand::call(&mut statement);
    athena::translate_rule(&mut statement)?;
    state.statement_to_plan(statement).now_or_never().expect("tables in memory are found without waiting")
}

fn settings(config: SessionConfig) -> SessionConfig {
    config
        .set_bool("datafusion.sql_parser.enable_ident_normalization", true)
        .set_bool("datafusion.sql_parser.collect_spans", true)
        .set_str("datafusion.sql_parser.dialect", "postgresql")
}

/// Names what an aggregate is of with the types that it is cast to. DataFusion leaves them out, and refuses a query that has two aggregates
/// of one name, such as `max(size)` and `max(CAST(size AS BIGINT))`.
#[derive(Debug)]
struct NamesOfCasts;

impl ExprPlanner for NamesOfCasts {
    fn plan_aggregate(&self, mut call: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>, DataFusionError> {
        let is_cast = |expr: &Expr| Ok(matches!(expr, Expr::Cast(_) | Expr::TryCast(_)));
        // others look at what they are of
        if ["count", "sum", "avg", "min", "max", "sample"].contains(&call.func.name()) {
            for argument in &mut call.args {
                if argument.exists(is_cast)? {
                    let name = argument.to_string();
                    *argument = std::mem::take(argument).alias(name);
                }
            }
        }
        Ok(PlannerResult::Original(call))
    }
}

fn register(state: &mut SessionState) {
    datafusion_functions_json::register_all(state).expect("JSON functions register in a new session");
    state.register_expr_planner(Arc::new(NamesOfCasts)).expect("planners register in a new session");
    for function in functions::all().into_iter().chain(from_reference::functions(&References::default())) {
        state.register_udf(function).expect("functions register in a new session");
    }
    for function in spans::aggregates() {
        state.register_udaf(function).expect("aggregates register in a new session");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn value(expression: &str) -> String {
        let session = session(SessionConfig::new());
        let statement = parse(&format!("SELECT {expression}")).unwrap().pop_front().unwrap();
        let plan = session.state().statement_to_plan(statement).await.unwrap();
        let rows = session.execute_logical_plan(plan).await.unwrap().collect().await.unwrap();
        arrow::util::display::array_value_to_string(rows[0].column(0), 0).unwrap()
    }

    #[tokio::test]
    async fn json_arrows_and_lambdas_work_in_one_dialect() {
        assert_eq!(value("'{\"a\": {\"b\": [1, \"x\"]}}' -> 'a' -> 'b' ->> 1 = 'x'").await, "true");
        assert_eq!(value("array_any_match([1, 2], x -> x > 1)").await, "true");
        assert_eq!(value("cidr_match('10.1.2.3', '192.0.2.0/24', '10.0.0.0/8')").await, "true");
    }
}
