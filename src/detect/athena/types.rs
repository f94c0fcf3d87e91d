//! A plan → the same plan with Athena's answers where types decide: fractions become integers by rounding and texts as in Java, times
//! become texts with a space between day and clock and without their zone what clocks show there, and the first day of a date's month is a date.

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::functions::datetime::{to_char, to_local_time};
use datafusion::functions::math::round;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, cast, lit, not};
use datafusion::optimizer::analyzer::AnalyzerRule;

use super::{decimals, doubles, unions, zones};

/// To be asked before types are coerced: what nobody wrote a CAST for stays as DataFusion has it.
#[derive(Debug)]
pub struct AsAthena;

impl AnalyzerRule for AsAthena {
    fn name(&self) -> &str {
        "types_as_athena"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        // above a union that has other types now, all columns of it have
        let mut is_renewed = false;
        let answered = plan.transform_up_with_subqueries(|node| {
            let Transformed { data: node, transformed, .. } = unions::of_one_type(node)?;
            if transformed {
                is_renewed = true;
                return Ok(Transformed::yes(node));
            }
            let node = if is_renewed { node.recompute_schema()? } else { node };
            if !is_asked(&node)? {
                return Ok(Transformed::new_transformed(node, is_renewed));
            }
            let schema = merge_schema(&node.inputs());
            let names = NamePreserver::new(&node);
            let under_its_name = |expr: Expr| -> Result<Transformed<Expr>> {
                let name = names.save(&expr);
                let answered = expr.transform_up(|expr| {
                    refuse_number(&expr, &schema)?;
                    Ok(answered(expr, &schema))
                })?;
                Ok(answered.update_data(|expr| name.restore(expr)))
            };
            let as_key = |key: Expr| -> Result<Transformed<Expr>> {
                let name = names.save(&key);
                let turned = key.transform_up(|part| Ok(turned(part)))?;
                let key = under_its_name(name.restore(turned.data))?;
                Ok(Transformed { transformed: key.transformed || turned.transformed, ..key })
            };
            let node = node.map_expressions(|expr| {
                // what is above knows the groups of ROLLUP and its like by the names that these have within, and GROUPING(x) is of a key
                if matches!(expr, Expr::GroupingSet(_)) || is_grouping(&expr) {
                    expr.map_children(&as_key)
                } else {
                    under_its_name(expr)
                }
            })?;
            if node.transformed { node.map_data(LogicalPlan::recompute_schema) } else { Ok(node) }
        });
        Ok(answered?.data)
    }
}

fn is_grouping(expr: &Expr) -> bool {
    matches!(expr, Expr::AggregateFunction(call) if call.func.name() == "grouping")
}

/// Whether there is something to look at, which in most nodes of most rules there is not.
fn is_asked(node: &LogicalPlan) -> Result<bool> {
    let is_typed = |expr: &Expr| match expr {
        Expr::Cast(_) | Expr::TryCast(_) | Expr::GroupingSet(_) => true,
        Expr::ScalarFunction(call) => {
            ["arrow_cast", "date_trunc", "floor", "ceil", "round", "trunc", "signum"].contains(&call.func.name())
        }
        Expr::BinaryExpr(binary) => [Operator::Divide, Operator::Multiply].contains(&binary.op),
        _ => false,
    };
    let of_other_zone =
        |input: &&LogicalPlan| input.schema().fields().iter().any(|field| zones::is_of_other_zone(field.data_type()));
    let mut is_asked = node.inputs().iter().any(of_other_zone);
    node.apply_expressions(|expr| {
        is_asked |= expr.exists(|expr| Ok(is_typed(expr)))?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(is_asked)
}

/// `date_diff`, `to_unixtime` and `AT TIME ZONE` take their times by `arrow_cast`, for which a number is one of microseconds. Those of flow logs
/// are seconds, and Athena refuses both. A number that is cast to a day is one of days, and so is what a day is cast to.
fn refuse_number(expr: &Expr, schema: &DFSchema) -> Result<()> {
    let day = match expr {
        Expr::Cast(cast) if cast.field.data_type() == &DataType::Date32 => Some(&cast.expr),
        Expr::TryCast(cast) if cast.field.data_type() == &DataType::Date32 => Some(&cast.expr),
        _ => None,
    };
    if day.is_some_and(|number| number.get_type(schema).is_ok_and(|kind| kind.is_integer())) {
        return plan_err!(
            "a number stands where a day is needed: date(from_unixtime(start)) is the day of so many seconds"
        );
    }
    let number = match expr {
        Expr::Cast(cast) if cast.field.data_type().is_integer() => Some(&cast.expr),
        Expr::TryCast(cast) if cast.field.data_type().is_integer() => Some(&cast.expr),
        _ => None,
    };
    if number.is_some_and(|day| day.get_type(schema).is_ok_and(|kind| kind == DataType::Date32)) {
        return plan_err!(
            "a day is no number: date_format(day, '%Y%m%d') is the text of its digits, day_of_month(day) its place in the month"
        );
    }
    let Expr::ScalarFunction(call) = expr else { return Ok(()) };
    let [number, Expr::Literal(ScalarValue::Utf8(Some(kind)), _)] = call.args.as_slice() else { return Ok(()) };
    let is_number = || number.get_type(schema).is_ok_and(|kind| kind.is_integer());
    if call.func.name() == "arrow_cast" && kind.starts_with("Timestamp(Microsecond") && is_number() {
        return plan_err!(
            "a number stands where a time is needed: from_unixtime(start) is the time of so many seconds"
        );
    }
    Ok(())
}

/// `NOT (x LIKE y)` as `x NOT LIKE y`, which DataFusion 55 makes of it where it coerces types, and then gives the set of a key that name.
fn turned(expr: Expr) -> Transformed<Expr> {
    match expr {
        Expr::Not(inner) => Transformed::yes(not(*inner)),
        other => Transformed::no(other),
    }
}

fn answered(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    // what has no type here, such as what a lambda is called with, stays
    let other = match &expr {
        Expr::Cast(cast) => inside(&cast.expr, cast.field.data_type(), schema),
        Expr::TryCast(cast) => inside(&cast.expr, cast.field.data_type(), schema),
        Expr::ScalarFunction(call) if call.func.name() == "date_trunc" => {
            let is_date = |time: &Expr| matches!(time.get_type(schema), Ok(DataType::Date32));
            return match call.args.as_slice() {
                [_, time] if is_date(time) => Transformed::yes(cast(expr, DataType::Date32)),
                _ => Transformed::no(expr),
            };
        }
        Expr::ScalarFunction(call) if ["floor", "ceil", "round", "trunc", "signum"].contains(&call.func.name()) => {
            let kind = call.args.first().and_then(|number| number.get_type(schema).ok());
            return match (kind, call.args.as_slice()) {
                // of an integer it is that integer, and DataFusion makes a fraction of it
                (Some(kind), [number]) if kind.is_integer() && call.func.name() != "signum" => {
                    Transformed::yes(number.clone())
                }
                (Some(kind), args) => match of_number(call.func.name(), args.len(), &kind) {
                    Some(kind) => Transformed::yes(cast(expr, kind)),
                    None => Transformed::no(expr),
                },
                (None, _) => Transformed::no(expr),
            };
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Multiply, right }) => {
            let product = match (left.get_type(schema), right.get_type(schema)) {
                (Ok(left), Ok(right)) => decimals::product(&left, &right),
                _ => None,
            };
            return match product {
                Some(kind) => Transformed::yes(cast(expr, kind)),
                None => Transformed::no(expr),
            };
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Divide, right }) => {
            return match (left.get_type(schema), right.get_type(schema)) {
                (Ok(of), Ok(by)) => match decimals::division(&of, &by) {
                    Some(division) => Transformed::yes(division.call(vec![(**left).clone(), (**right).clone()])),
                    None => Transformed::no(expr),
                },
                _ => Transformed::no(expr),
            };
        }
        Expr::BinaryExpr(_) | Expr::Between(_) | Expr::InList(_) => {
            let in_utc = zones::in_utc(expr, schema);
            return if in_utc.transformed { in_utc } else { as_doubles(in_utc.data, schema) };
        }
        Expr::InSubquery(_) => return zones::within_utc(expr, schema),
        Expr::Case(_) | Expr::ScalarFunction(_) => return as_doubles(expr, schema),
        _ => None,
    };
    match (expr, other) {
        (Expr::Cast(mut cast), Some(other)) => {
            *cast.expr = other;
            Transformed::yes(Expr::Cast(cast))
        }
        (Expr::TryCast(mut cast), Some(other)) => {
            *cast.expr = other;
            Transformed::yes(Expr::TryCast(cast))
        }
        (expr, _) => Transformed::no(expr),
    }
}

/// Decimals that are compared with doubles, or stand beside them for one value, are doubles: DataFusion makes decimals of both, which
/// doubles may not fit. So are those compared with a text, which would be rounded to the digits that the number is written with.
fn as_doubles(mut expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let is_compared = matches!(&expr, Expr::BinaryExpr(binary) if binary.op.supports_propagation());
    let mut sides: Vec<&mut Expr> = match &mut expr {
        Expr::BinaryExpr(binary) if is_compared => vec![&mut binary.left, &mut binary.right],
        Expr::Between(between) => vec![&mut between.expr, &mut between.low, &mut between.high],
        Expr::InList(list) => std::iter::once(&mut *list.expr).chain(&mut list.list).collect(),
        Expr::Case(case) => {
            let thens = case.when_then_expr.iter_mut().map(|(_, then)| &mut **then);
            thens.chain(case.else_expr.iter_mut().map(|otherwise| &mut **otherwise)).collect()
        }
        Expr::ScalarFunction(call) if ["coalesce", "greatest", "least", "nullif"].contains(&call.func.name()) => {
            call.args.iter_mut().collect()
        }
        _ => return Transformed::no(expr),
    };
    let is = |side: &Expr, judge: fn(&DataType) -> bool| side.get_type(schema).is_ok_and(|kind| judge(&kind));
    let is_other = |kind: &DataType| kind.is_floating();
    let others = sides.iter().any(|side| is(side, is_other) || is_compared && is(side, is_text));
    let decimals: Vec<bool> = sides.iter().map(|side| is(side, is_decimal)).collect();
    if !others || !decimals.contains(&true) {
        return Transformed::no(expr);
    }
    for (side, _) in sides.iter_mut().zip(decimals).filter(|(_, is_decimal)| *is_decimal) {
        **side = cast(std::mem::take(*side), DataType::Float64);
    }
    Transformed::yes(expr)
}

fn is_decimal(kind: &DataType) -> bool {
    matches!(kind, DataType::Decimal128(..))
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, values) => is_text(values),
        kind => matches!(kind, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8),
    }
}

/// What a function of one number gives in Athena, and otherwise here: decimals stay decimals, and integers integers.
fn of_number(function: &str, count: usize, kind: &DataType) -> Option<DataType> {
    match (function, count, kind) {
        ("signum", _, kind) if kind.is_integer() => Some(DataType::Int64),
        ("signum", _, DataType::Decimal128(..)) => Some(DataType::Decimal128(1, 0)),
        ("round", 2, DataType::Decimal128(precision, scale)) => {
            Some(DataType::Decimal128((precision + 1).min(DECIMAL128_MAX_PRECISION), *scale))
        }
        ("trunc", 2, DataType::Decimal128(..)) => Some(kind.clone()),
        ("trunc", _, DataType::Decimal128(precision, scale)) => {
            Some(DataType::Decimal128((*precision as i8 - scale).max(1) as u8, 0))
        }
        ("trunc", 1, kind) if kind.is_integer() => Some(kind.clone()),
        ("floor" | "ceil" | "round", 1, DataType::Decimal128(precision, scale)) => {
            Some(DataType::Decimal128((*precision as i8 - scale + 1).min(DECIMAL128_MAX_PRECISION as i8) as u8, 0))
        }
        _ => None,
    }
}

/// What is cast in the place of an expression, where that is another.
fn inside(expr: &Expr, kind: &DataType, schema: &DFSchema) -> Option<Expr> {
    let of = expr.get_type(schema).ok()?;
    let is_fraction = of.is_floating() || matches!(of, DataType::Decimal128(..) | DataType::Decimal256(..));
    if kind.is_integer() && is_fraction {
        return Some(round().call(vec![expr.clone()]));
    }
    if is_text(kind) && of == DataType::Float64 {
        return Some(doubles::as_text(expr.clone()));
    }
    let DataType::Timestamp(_, zone) = of else { return None };
    // DataFusion 55 passes over files whose last time of day is none that is asked for, as if later times had later ones: a call hides
    // the cast from it
    if let DataType::Time32(_) | DataType::Time64(_) = kind {
        return Some(to_local_time().call(vec![expr.clone()]));
    }
    let is_utc = matches!(zone.as_deref(), None | Some("+00:00" | "UTC"));
    if matches!(kind, DataType::Timestamp(_, None)) && !is_utc {
        return Some(to_local_time().call(vec![expr.clone()]));
    }
    let zone = match zone.as_deref() {
        None => String::new(),
        Some("+00:00" | "UTC") => " UTC".to_owned(),
        Some(zone) => format!(" {zone}"),
    };
    is_text(kind).then(|| to_char().call(vec![expr.clone(), lit(format!("%Y-%m-%d %H:%M:%S%.3f{zone}"))]))
}
