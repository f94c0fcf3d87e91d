//! Times of a zone beside times without one, and days → the latter as times of UTC, the zone of Athena's sessions.
//!
//! DataFusion takes them for what clocks show in the zone of the other side.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{Expr, ExprSchemable, Operator, cast};

/// A comparison, or a difference, one side of which is a time of another zone than UTC, with all sides of a zone; those of a difference,
/// which DataFusion takes of one zone only, are of UTC.
pub fn in_utc(mut expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let is_difference = matches!(&expr, Expr::BinaryExpr(binary) if binary.op == Operator::Minus);
    let mut sides: Vec<&mut Expr> = match &mut expr {
        Expr::BinaryExpr(binary) if is_difference || binary.op.supports_propagation() => {
            vec![&mut binary.left, &mut binary.right]
        }
        Expr::Between(between) => vec![&mut between.expr, &mut between.low, &mut between.high],
        Expr::InList(list) => std::iter::once(&mut *list.expr).chain(&mut list.list).collect(),
        _ => return Transformed::no(expr),
    };
    let kinds: Vec<Option<DataType>> = sides.iter().map(|side| side.get_type(schema).ok()).collect();
    let of_utc = |kind: &Option<DataType>| kind.as_ref().and_then(|kind| with_utc(kind, is_difference));
    let of_utc: Vec<Option<DataType>> = kinds.iter().map(of_utc).collect();
    let is_asked = if is_difference { of_utc.iter().all(Option::is_some) } else { of_utc.iter().any(Option::is_some) };
    if !is_asked || !kinds.iter().flatten().any(is_of_other_zone) {
        return Transformed::no(expr);
    }
    for (side, kind) in sides.iter_mut().zip(of_utc) {
        if let Some(kind) = kind {
            **side = cast(std::mem::take(*side), kind);
        }
    }
    Transformed::yes(expr)
}

pub fn is_of_other_zone(kind: &DataType) -> bool {
    matches!(kind, DataType::Timestamp(_, Some(zone)) if !["UTC", "+00:00"].contains(&&**zone))
}

/// The type of a time that has no zone, or any, or of a day, with UTC.
fn with_utc(kind: &DataType, of_any_zone: bool) -> Option<DataType> {
    let unit = match kind {
        DataType::Timestamp(unit, zone) if of_any_zone || zone.is_none() => *unit,
        DataType::Date32 => TimeUnit::Microsecond,
        _ => return None,
    };
    Some(DataType::Timestamp(unit, Some("+00:00".into())))
}
