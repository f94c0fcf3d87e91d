//! A plan → the same plan in which the sum, difference or product of integers that is no integer of their type is an error, as it is in
//! Athena. DataFusion goes on from the other end of the range.

use arrow::compute::kernels::numeric::{add, mul, sub};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, exec_datafusion_err, plan_err};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::analyzer::AnalyzerRule;
use datafusion::physical_expr_common::datum::apply;

/// To be asked behind what coerces types: then both sides have one.
#[derive(Debug)]
pub struct Checked;

impl AnalyzerRule for Checked {
    fn name(&self) -> &str {
        "checked_integers"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let checked = plan.transform_up_with_subqueries(|node| {
            if !computes(&node)? {
                return Ok(Transformed::no(node));
            }
            let schema = merge_schema(&node.inputs());
            let names = NamePreserver::new(&node);
            let is_integer = |expr: &Expr| expr.get_type(&schema).is_ok_and(|kind| kind.is_integer());
            let mut under_its_name = |expr: Expr| -> Result<Transformed<Expr>> {
                let name = names.save(&expr);
                let checked = expr.transform_up(|expr| {
                    Ok(match expr {
                        Expr::BinaryExpr(BinaryExpr { left, op, right })
                            if word(op).is_some() && is_integer(&left) && is_integer(&right) =>
                        {
                            Transformed::yes(function(op).call(vec![*left, *right]))
                        }
                        other => Transformed::no(other),
                    })
                })?;
                Ok(checked.update_data(|expr| name.restore(expr)))
            };
            node.map_expressions(|expr| match expr {
                // what is above knows the groups of ROLLUP and its like by the names that these have within
                Expr::GroupingSet(_) => expr.map_children(&mut under_its_name),
                expr => under_its_name(expr),
            })
        });
        Ok(checked?.data)
    }
}

/// Whether a node computes anything, which most do not.
fn computes(node: &LogicalPlan) -> Result<bool> {
    let is_computed = |expr: &Expr| matches!(expr, Expr::BinaryExpr(binary) if word(binary.op).is_some());
    let mut computes = false;
    node.apply_expressions(|expr| {
        computes |= expr.exists(|expr| Ok(is_computed(expr)))?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(computes)
}

fn word(operator: Operator) -> Option<&'static str> {
    match operator {
        Operator::Plus => Some("addition"),
        Operator::Minus => Some("subtraction"),
        Operator::Multiply => Some("multiplication"),
        _ => None,
    }
}

fn function(operator: Operator) -> ScalarUDF {
    ScalarUDF::new_from_impl(Arithmetic { operator, signature: Signature::any(2, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Arithmetic {
    operator: Operator,
    signature: Signature,
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        word(self.operator).unwrap_or_default()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match args {
            [left, right] if left == right => Ok(left.clone()),
            _ => plan_err!("{} is of two integers", self.name()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let kernel = match self.operator {
            Operator::Plus => add,
            Operator::Minus => sub,
            _ => mul,
        };
        apply(&args.args[0], &args.args[1], kernel).map_err(|error| match overflow(&error) {
            Some(numbers) => {
                let kind = kind(&args.args[0].data_type());
                exec_datafusion_err!("NUMERIC_VALUE_OUT_OF_RANGE: {kind} {} overflow: {numbers}", self.name())
            }
            None => error,
        })
    }
}

/// The numbers that gave none, with what stood between them.
fn overflow(error: &DataFusionError) -> Option<String> {
    match error.find_root() {
        DataFusionError::ArrowError(error, _) => match error.as_ref() {
            ArrowError::ArithmeticOverflow(why) => why.rsplit(": ").next().map(str::to_owned),
            _ => None,
        },
        _ => None,
    }
}

/// Athena's name of an integer type.
fn kind(kind: &DataType) -> &'static str {
    match kind {
        DataType::Int8 => "tinyint",
        DataType::Int16 => "smallint",
        DataType::Int32 => "integer",
        _ => "bigint",
    }
}
