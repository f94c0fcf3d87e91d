//! What a query computes of one column whose values repeat, as `split_part(userIdentity.arn, '/', 2)` → the same, asked once for each of
//! these values that a batch has.
//!
//! DataFusion 55 makes a text for each row of them, and then asks each row.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type, Schema, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};

use super::compiled::with_compiled;

/// To be asked before what is computed twice becomes a column of its own: that of a column made a text is none whose values repeat.
#[derive(Debug)]
pub struct PerValue;

impl OptimizerRule for PerValue {
    fn name(&self) -> &str {
        "per_value"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let mut calls = false;
        plan.apply_expressions(|expr| {
            calls |= expr.exists(|expr| Ok(is_call(expr)))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        if !calls {
            return Ok(Transformed::no(plan));
        }
        let mut schema = merge_schema(&plan.inputs());
        schema.merge(plan.schema());
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            // what is above knows the groups of ROLLUP and its like by the names that these have within
            if matches!(expr, Expr::GroupingSet(_)) {
                return Ok(Transformed::no(expr));
            }
            let name = names.save(&expr);
            let asked = expr.transform_down(|expr| {
                let Some(column) = only_column(&expr, &schema) else { return Ok(Transformed::no(expr)) };
                let call = ScalarUDF::new_from_impl(Asked::new(expr, &column, &schema, &config.options())?);
                Ok(Transformed::new(call.call(vec![column]), true, TreeNodeRecursion::Jump))
            })?;
            Ok(asked.update_data(|expr| name.restore(expr)))
        })
    }
}

/// Whether it is a call that takes time; `number_of` asks once for each value by itself.
fn is_call(expr: &Expr) -> bool {
    let is_quick = |name: &str| ["get_field", "number_of"].contains(&name);
    matches!(expr, Expr::ScalarFunction(call) if !is_quick(call.func.name()) && !is_asked(expr))
}

fn is_asked(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call) if call.func.inner().is::<Asked>())
}

/// The column, or field of one, whose values repeat and that alone an expression is of, if there is a call in it.
fn only_column(expr: &Expr, schema: &DFSchema) -> Option<Expr> {
    // each of what is joined by these may tell which files need not be read
    if matches!(expr, Expr::BinaryExpr(BinaryExpr { op: Operator::And | Operator::Or, .. }) | Expr::Not(_)) {
        return None;
    }
    let (mut column, mut calls) = (None::<&Expr>, false);
    let went = expr.apply(|part| {
        let is_field = matches!(part, Expr::ScalarFunction(call) if call.func.name() == "get_field");
        if is_field || matches!(part, Expr::Column(_)) {
            let repeats = part.get_type(schema).is_ok_and(|kind| kind == symbols());
            let is_other = column.is_some_and(|known| known != part);
            column = Some(part);
            return Ok(if repeats && !is_other { TreeNodeRecursion::Jump } else { TreeNodeRecursion::Stop });
        }
        calls |= is_call(part);
        let is_sure = match part {
            Expr::ScalarFunction(call) => call.func.signature().volatility == Volatility::Immutable,
            Expr::Literal(..) | Expr::Cast(_) | Expr::TryCast(_) | Expr::Case(_) | Expr::InList(_) => true,
            Expr::BinaryExpr(_) | Expr::Between(_) | Expr::Like(_) | Expr::SimilarTo(_) | Expr::Negative(_) => true,
            Expr::Not(_) | Expr::IsNull(_) | Expr::IsNotNull(_) | Expr::IsTrue(_) | Expr::IsFalse(_) => true,
            _ => false,
        };
        Ok(if is_sure { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    let is_whole = went.is_ok_and(|went| went != TreeNodeRecursion::Stop);
    column.filter(|_| is_whole && calls).cloned()
}

/// The type of columns whose values repeat.
pub fn symbols() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// An expression of one column.
#[derive(Debug)]
struct Asked {
    /// Of the column [`VALUE`].
    expr: Expr,
    program: Arc<dyn PhysicalExpr>,
    /// Whether it may be null: plans above know of `coalesce(upper(errorCode), 'none')` that it is not.
    nullable: bool,
    schema: SchemaRef,
    signature: Signature,
}

const VALUE: &str = "value";

/// Where a batch has more different values than one in so many of its rows, each row is asked.
const PART: usize = 2;

impl Asked {
    fn new(expr: Expr, column: &Expr, schema: &DFSchema, config: &Arc<ConfigOptions>) -> Result<Asked> {
        let nullable = expr.nullable(schema)?;
        let value = Expr::Column(Column::new_unqualified(VALUE));
        let expr = expr.transform_down(|part| {
            Ok(match part == *column {
                true => Transformed::new(value.clone(), true, TreeNodeRecursion::Jump),
                false => Transformed::no(part),
            })
        })?;
        let expr = with_compiled(expr.data)?.data;
        let kind = column.get_type(schema)?;
        let schema = Arc::new(Schema::new(vec![Field::new(VALUE, kind, true)]));
        let mut properties = ExecutionProps::new();
        properties.mark_start_execution(config.clone());
        let program = create_physical_expr(
            &expr,
            &DFSchema::try_from(schema.clone())?,
            &properties,
            &PhysicalPlanningContext::default(),
        )?;
        Ok(Asked { expr, program, nullable, schema, signature: Signature::any(1, Volatility::Immutable) })
    }

    fn of(&self, values: ArrayRef) -> Result<ArrayRef> {
        let count = values.len();
        let batch = RecordBatch::try_new(self.schema.clone(), vec![values])?;
        self.program.evaluate(&batch)?.into_array(count)
    }
}

impl PartialEq for Asked {
    fn eq(&self, other: &Asked) -> bool {
        self.expr == other.expr
    }
}

impl Eq for Asked {}

impl Hash for Asked {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expr.hash(state);
    }
}

impl ScalarUDFImpl for Asked {
    fn name(&self) -> &str {
        "per_value"
    }

    /// A name of its own: a join makes columns of its keys, of which two may be computed of one column.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(format!("{}({}, {})", self.name(), args[0].schema_name(), self.expr))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        self.program.data_type(&self.schema)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        let field = Field::new(self.name(), self.program.data_type(&self.schema)?, self.nullable);
        Ok(Arc::new(field))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let column = match &args.args[0] {
            ColumnarValue::Array(column) => column,
            ColumnarValue::Scalar(value) => {
                let answer = self.of(value.to_array_of_size(1)?)?;
                return Ok(ColumnarValue::Array(take(&answer, &UInt32Array::from(vec![0; rows]), None)?));
            }
        };
        let Some((values, of_row)) = each_once(column) else {
            return Ok(ColumnarValue::Array(self.of(column.clone())?));
        };
        Ok(ColumnarValue::Array(take(&self.of(values)?, &of_row, None)?))
    }
}

/// The values of a column, each once, and which of them each row has; `None` where too many differ.
fn each_once(column: &ArrayRef) -> Option<(ArrayRef, UInt32Array)> {
    const UNSEEN: u32 = u32::MAX;
    let symbols = column.as_any_dictionary_opt()?;
    let (keys, most) = (symbols.keys().as_primitive_opt::<Int32Type>()?, column.len() / PART);
    let values = symbols.values();
    // of very many, most of which other batches have, even a look would take longer
    if values.len() > column.len() * 8 {
        return None;
    }
    // the last place is that of rows without a value
    let mut places = vec![UNSEEN; values.len() + 1];
    let mut different = Vec::new();
    let mut of_row = Vec::with_capacity(column.len());
    for row in 0..column.len() {
        let key = if keys.is_null(row) { values.len() } else { keys.value(row) as usize };
        if places[key] == UNSEEN {
            places[key] = different.len() as u32;
            different.push((key < values.len()).then_some(key as i32));
            if different.len() > most {
                return None;
            }
        }
        of_row.push(places[key]);
    }
    let keys: Int32Array = different.into_iter().collect();
    let values = DictionaryArray::<Int32Type>::new(keys, values.clone());
    Some((Arc::new(values), of_row.into()))
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::datasource::MemTable;
    use datafusion::prelude::SessionContext;
    use futures::TryStreamExt;

    use super::*;
    use crate::sql::{query, session, tests::archive};

    /// A session with `t`, of 1,000 rows with few names, some of them none.
    fn session_with_names(dir: &std::path::Path) -> SessionContext {
        let names = ["arn:aws:iam::111122223333:user/ann", "arn:aws:iam::111122223333:role/x/deploy", "", "é/Ü"];
        let name = |row: usize| names.get(row * 7 % 5).copied();
        let texts: DictionaryArray<Int32Type> = (0..1000).map(name).collect();
        let numbers = Int32Array::from_iter_values(0..1000);
        let columns: Vec<(&str, ArrayRef)> = vec![("name", Arc::new(texts)), ("n", Arc::new(numbers))];
        let rows = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, of)| (name, of, true)));
        let rows = rows.unwrap();
        let session = session(dir).unwrap();
        session.register_table("t", Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]]).unwrap())).unwrap();
        session
    }

    async fn answer(session: &SessionContext, sql: &str) -> String {
        let rows: Result<Vec<RecordBatch>> = async { query(session, sql).await.unwrap().try_collect().await }.await;
        rows.map_or_else(|error| error.to_string(), |rows| pretty_format_batches(&rows).unwrap().to_string())
    }

    #[tokio::test]
    async fn answers_are_those_of_asking_each_row() {
        let dir = archive();
        let (asked, plain) = (session_with_names(dir.path()), session_with_names(dir.path()));
        assert!(plain.remove_optimizer_rule("per_value"));
        for expression in [
            "split_part(name, '/', 2)",
            "regexp_extract(name, '(user|role)/(.*)', 2)",
            "replace(name, 'arn:', '')",
            "upper(name)",
            "coalesce(nullif(split_part(name, '/', 2), ''), 'none')",
            "length(name) > 5 OR name IS NULL",
            "CASE WHEN starts_with(name, 'arn') THEN substr(name, 5, 3) ELSE lower(name) END",
            "regexp_like(name, '^arn:.*/[a-c]nn$')",
            "strpos(name, '/') + n % 2",
            "upper(name) || lower(name)",
            "cardinality(split(name, '/'))",
            "try(CAST(split_part(name, ':', 5) AS BIGINT))",
        ] {
            for sql in [
                format!("SELECT {expression} AS x, count(*) FROM t GROUP BY 1 ORDER BY 1"),
                format!("SELECT max({expression}), min(n) FROM t"),
                format!("SELECT n, {expression} FROM t WHERE n < 40 ORDER BY 1"),
                format!("SELECT count(*) FROM t WHERE {expression} IS NOT NULL AND n > 7"),
                format!("SELECT count(*) FROM t a JOIN t b ON a.n = b.n AND {}", "upper(a.name) <> 'X'"),
                "SELECT count(*) FROM t a JOIN (SELECT DISTINCT name FROM t) b ON upper(a.name) = upper(b.name) \
                 AND substr(a.name, 1, 3) = substr(b.name, 1, 3)"
                    .to_owned(),
            ] {
                assert_eq!(answer(&asked, &sql).await, answer(&plain, &sql).await, "{sql}");
            }
        }
        for expression in ["upper(name)", "split_part(name, '/', 2)", "regexp_extract(name, '(user|role)/(.*)', 2)"] {
            let sql = format!("SELECT count(*), {expression} AS x FROM t GROUP BY ROLLUP ({expression}) ORDER BY 1, 2");
            assert_eq!(answer(&asked, &sql).await, answer(&plain, &sql).await, "{sql}");
        }
        let sql = "SELECT x, count(*) FROM (SELECT DISTINCT coalesce(upper(name), 'none') AS x FROM t \
                   UNION ALL SELECT 'x') AS u GROUP BY x ORDER BY 1";
        assert_eq!(answer(&asked, sql).await, answer(&plain, sql).await);
        let explained = answer(&asked, "EXPLAIN SELECT count(*) FROM t WHERE upper(name) = 'X'").await;
        assert!(explained.contains("per_value(t.name)"), "{explained}");
        let of_row = answer(&asked, "EXPLAIN SELECT count(*) FROM t WHERE name = 'X' AND random() < n").await;
        assert!(!of_row.contains("per_value"), "{of_row}");
    }

    /// What a row without this value is not asked, no other may fail of.
    #[tokio::test]
    async fn a_value_that_no_row_has_fails_nobody() {
        let dir = archive();
        let session = session_with_names(dir.path());
        let sql = "SELECT max(CAST(split_part(name, ':', 5) AS BIGINT)) FROM t WHERE name LIKE 'arn%'";
        assert!(answer(&session, sql).await.contains("111122223333"));
        assert!(!answer(&session, "SELECT max(CAST(upper(name) AS BIGINT)) FROM t").await.contains("NULL"));
    }

    #[test]
    fn of_rows_that_repeat_each_value_stands_once() {
        let column: DictionaryArray<Int32Type> =
            [Some("a"), None, Some("b"), Some("a"), None, Some("a"), Some("b"), None].into_iter().collect();
        let (values, of_row) = each_once(&(Arc::new(column) as ArrayRef)).unwrap();
        let values = values.as_dictionary::<Int32Type>().downcast_dict::<arrow::array::StringArray>().unwrap();
        assert_eq!(values.into_iter().collect::<Vec<_>>(), [Some("a"), None, Some("b")]);
        assert_eq!(of_row.values(), &[0, 1, 2, 0, 1, 0, 2, 1]);
    }

    #[test]
    fn rows_that_differ_are_asked_one_by_one() {
        let column: DictionaryArray<Int32Type> = ["a", "b", "c", "a"].into_iter().collect();
        assert!(each_once(&(Arc::new(column) as ArrayRef)).is_none());
    }
}
