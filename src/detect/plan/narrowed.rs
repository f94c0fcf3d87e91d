//! A plan → the same plan in which a cast to a number that not every one fits is a call.
//!
//! It is hidden from DataFusion 55, which makes `bytes > 50` of `try_cast(bytes AS tinyint) > 50`: that is true where the latter is null.

use std::any::Any;

use arrow::compute::CastOptions;
use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TryCast, Volatility,
};
use datafusion::optimizer::analyzer::AnalyzerRule;

/// To be asked behind what coerces types.
#[derive(Debug)]
pub struct Narrowed;

impl AnalyzerRule for Narrowed {
    fn name(&self) -> &str {
        "narrowed_numbers"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let narrowed = plan.transform_up_with_subqueries(|node| {
            if !casts(&node)? {
                return Ok(Transformed::no(node));
            }
            let schema = merge_schema(&node.inputs());
            let names = NamePreserver::new(&node);
            let mut under_its_name = |expr: Expr| -> Result<Transformed<Expr>> {
                let name = names.save(&expr);
                let narrowed = expr.transform_up(|expr| {
                    Ok(match expr {
                        Expr::Cast(Cast { expr, field }) if loses(&expr, field.data_type(), &schema) => {
                            Transformed::yes(narrowing(field.data_type(), false).call(vec![*expr]))
                        }
                        Expr::TryCast(TryCast { expr, field }) if loses(&expr, field.data_type(), &schema) => {
                            Transformed::yes(narrowing(field.data_type(), true).call(vec![*expr]))
                        }
                        other => Transformed::no(other),
                    })
                })?;
                Ok(narrowed.update_data(|expr| name.restore(expr)))
            };
            node.map_expressions(|expr| match expr {
                // what is above knows the groups of ROLLUP and its like by the names that these have within
                Expr::GroupingSet(_) => expr.map_children(&mut under_its_name),
                expr => under_its_name(expr),
            })
        });
        Ok(narrowed?.data)
    }
}

/// Whether something is cast to a number in a node, which in most nothing is.
fn casts(node: &LogicalPlan) -> Result<bool> {
    let is_cast = |expr: &Expr| match expr {
        Expr::Cast(Cast { field, .. }) | Expr::TryCast(TryCast { field, .. }) => digits(field.data_type()).is_some(),
        _ => false,
    };
    let mut casts = false;
    node.apply_expressions(|expr| {
        casts |= expr.exists(|expr| Ok(is_cast(expr)))?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(casts)
}

/// Whether a number may fit the type that it is cast to only in part, or not at all.
fn loses(number: &Expr, kind: &DataType, schema: &DFSchema) -> bool {
    // a constant is computed before anything else looks at it
    let of = || number.get_type(schema).ok().as_ref().and_then(digits);
    match digits(kind) {
        Some((whole, fraction)) if !matches!(number, Expr::Literal(..)) => {
            of().is_some_and(|(of_whole, of_fraction)| of_whole > whole || of_fraction > fraction)
        }
        _ => false,
    }
}

/// How many digits numbers of a type have at most, before the point and behind it.
fn digits(kind: &DataType) -> Option<(i16, i16)> {
    Some(match kind {
        DataType::Int8 => (3, 0),
        DataType::Int16 => (5, 0),
        DataType::Int32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::UInt64 => (20, 0),
        DataType::Decimal128(precision, scale) => (i16::from(*precision) - i16::from(*scale), i16::from(*scale)),
        _ => return None,
    })
}

/// The number that a cast of this rule is of; none of a `try_cast`, which is null in the place of some.
pub fn number_of(call: &ScalarFunction) -> Option<&Expr> {
    let narrowing = (call.func.inner().as_ref() as &dyn Any).downcast_ref::<Narrowing>();
    call.args.first().filter(|_| narrowing.is_some_and(|narrowing| !narrowing.is_try))
}

fn narrowing(kind: &DataType, is_try: bool) -> ScalarUDF {
    let signature = Signature::any(1, Volatility::Immutable);
    // casts of one number to two types are two columns
    let name = format!("{}_{kind}", if is_try { "try_cast" } else { "cast" });
    ScalarUDF::new_from_impl(Narrowing { name, kind: kind.clone(), is_try, signature })
}

/// A cast as DataFusion makes it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Narrowing {
    name: String,
    kind: DataType,
    /// Null in the place of an error.
    is_try: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Narrowing {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.kind.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let options = CastOptions { safe: self.is_try, ..CastOptions::default() };
        args.args[0].cast_to(&self.kind, Some(&options))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::detect::tests::{batch, changed, detector, event, rule};
    use crate::time::Timestamp;

    /// How many events a rule with this condition finds, and on how many it fails, of one with the number.
    fn judged(condition: &str, number: i64) -> (u64, u64) {
        let sql = format!("SELECT eventID FROM cloudtrail WHERE eventName = 'PutObject' AND {condition}");
        let event = changed(event("PutObject", "e1"), json!({ "requestParameters": { "n": number } }));
        let mut detector = detector([rule("", &sql)]);
        detector.observe(&[batch(&[event])], Timestamp(0));
        let cost = &detector.costs()["cloudtrail/x"];
        (cost.hits, cost.failed)
    }

    #[test]
    fn a_number_that_does_not_fit_a_type_is_no_value_of_it_in_a_rule() {
        let tried = "try_cast(json_get_int(requestParameters, 'n') AS tinyint) > 50";
        assert_eq!([60, 300, 40].map(|number| judged(tried, number)), [(1, 0), (0, 0), (0, 0)]);
        let within = "try_cast(json_get_int(requestParameters, 'n') AS tinyint) IN (60, 61)";
        assert_eq!([60, 300].map(|number| judged(within, number)), [(1, 0), (0, 0)]);
        let cast = "CAST(json_get_int(requestParameters, 'n') AS tinyint) > 50";
        assert_eq!([60, 300].map(|number| judged(cast, number)), [(1, 0), (0, 1)]);
        let wider = "CAST(json_get_int(requestParameters, 'n') AS decimal(20, 1)) > 50";
        assert_eq!([60, 300].map(|number| judged(wider, number)), [(1, 0), (1, 0)]);
    }
}
