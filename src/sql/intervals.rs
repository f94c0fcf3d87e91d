//! Comparisons of intervals → comparisons of how long they are, a day being 24 hours and a month 30 days, as in PostgreSQL.
//!
//! DataFusion 55 compares months, then days, then the rest: the difference of two times, which has no days, is always below
//! `INTERVAL '1' DAY`.

use std::sync::Arc;

use arrow::array::{AsArray, Decimal128Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Between, BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::analyzer::AnalyzerRule;

/// To be asked behind what coerces types: then the difference of two times is an interval where it is compared with one.
#[derive(Debug)]
pub struct Intervals;

impl AnalyzerRule for Intervals {
    fn name(&self) -> &str {
        "intervals"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let compared = plan.transform_up_with_subqueries(|node| {
            if !names_interval(&node)? {
                return Ok(Transformed::no(node));
            }
            let schema = merge_schema(&node.inputs());
            let names = NamePreserver::new(&node);
            let is_interval = |expr: &Expr| expr.get_type(&schema).is_ok_and(|kind| kind == INTERVAL);
            let mut under_its_name = |expr: Expr| -> Result<Transformed<Expr>> {
                let name = names.save(&expr);
                let compared = expr.transform_up(|expr| {
                    Ok(match expr {
                        Expr::BinaryExpr(BinaryExpr { left, op, right })
                            if compares(op) && is_interval(&left) && is_interval(&right) =>
                        {
                            let (left, right) = (Box::new(length(*left)), Box::new(length(*right)));
                            Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(left, op, right)))
                        }
                        Expr::Between(Between { expr, negated, low, high })
                            if is_interval(&expr) && is_interval(&low) && is_interval(&high) =>
                        {
                            let [expr, low, high] = [expr, low, high].map(|part| Box::new(length(*part)));
                            Transformed::yes(Expr::Between(Between::new(expr, negated, low, high)))
                        }
                        other => Transformed::no(other),
                    })
                })?;
                Ok(compared.update_data(|expr| name.restore(expr)))
            };
            node.map_expressions(|expr| match expr {
                // what is above knows the groups of ROLLUP and its like by the names that these have within
                Expr::GroupingSet(_) => expr.map_children(&mut under_its_name),
                expr => under_its_name(expr),
            })
        });
        Ok(compared?.data)
    }
}

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// Whether a node spells out an interval, which most do not.
fn names_interval(node: &LogicalPlan) -> Result<bool> {
    let is_interval = |expr: &Expr| matches!(expr, Expr::Literal(ScalarValue::IntervalMonthDayNano(_), _));
    let mut names = false;
    node.apply_expressions(|expr| {
        names |= expr.exists(|expr| Ok(is_interval(expr)))?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(names)
}

fn compares(operator: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(operator, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

fn length(interval: Expr) -> Expr {
    ScalarUDF::new_from_impl(Length { signature: Signature::any(1, Volatility::Immutable) }).call(vec![interval])
}

/// Nanoseconds, of which an interval may have more than an `i64` has room for.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Length {
    signature: Signature,
}

const LENGTH: DataType = DataType::Decimal128(38, 0);

impl ScalarUDFImpl for Length {
    fn name(&self) -> &str {
        "interval_length"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(LENGTH)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let intervals = cast(&args.args[0].to_array(args.number_rows)?, &INTERVAL)?;
        let lengths: Decimal128Array = intervals.as_primitive::<IntervalMonthDayNanoType>().unary(nanoseconds);
        Ok(ColumnarValue::Array(Arc::new(lengths.with_data_type(LENGTH))))
    }
}

fn nanoseconds(interval: IntervalMonthDayNano) -> i128 {
    const DAY: i128 = 86_400_000_000_000;
    let days = i128::from(interval.months) * 30 + i128::from(interval.days);
    days * DAY + i128::from(interval.nanoseconds)
}
