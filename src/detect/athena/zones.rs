//! Times of a zone beside times without one, and days → the latter as times of UTC, the zone of Athena's sessions.
//!
//! DataFusion takes them for what clocks show in the zone of the other side.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{Expr, ExprSchemable, Operator, cast};

/// A comparison, or a difference, one side of which is a time of another zone than UTC, with all sides of a zone; those of a difference,
/// which DataFusion takes of one zone only, are of UTC. In other comparisons days are times.
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
    let is_of_zones = kinds.iter().flatten().any(is_of_other_zone);
    let wanted = match (is_of_zones, is_difference) {
        (true, true) if of_utc.contains(&None) => return Transformed::no(expr),
        (true, _) => of_utc,
        (false, true) => return Transformed::no(expr),
        (false, false) => days_as_times(&kinds),
    };
    if wanted.iter().all(Option::is_none) {
        return Transformed::no(expr);
    }
    for (side, kind) in sides.iter_mut().zip(wanted) {
        if let Some(kind) = kind {
            **side = cast(std::mem::take(*side), kind);
        }
    }
    Transformed::yes(expr)
}

/// The same of `x IN (SELECT ...)`, of which the rows stay as they are: beside those without a zone `x` is what clocks show in UTC.
pub fn within_utc(mut expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Expr::InSubquery(asked) = &mut expr else { return Transformed::no(expr) };
    let rows = asked.subquery.subquery.schema().field(0).data_type().clone();
    let utc = |unit: TimeUnit| DataType::Timestamp(unit, Some("+00:00".into()));
    let Ok(kind) = asked.expr.get_type(schema) else { return Transformed::no(expr) };
    let kinds = match &kind {
        DataType::Timestamp(unit, None) if is_of_other_zone(&rows) => vec![utc(*unit)],
        DataType::Timestamp(unit, _) if is_of_other_zone(&kind) && matches!(rows, DataType::Timestamp(_, None)) => {
            vec![utc(*unit), DataType::Timestamp(*unit, None)]
        }
        _ => return Transformed::no(expr),
    };
    for kind in kinds {
        *asked.expr = cast(std::mem::take(&mut *asked.expr), kind);
    }
    Transformed::yes(expr)
}

/// Days as times like the one that they are compared with. DataFusion has them, and it, in nanoseconds, of which `date '9999-12-31'` is past.
fn days_as_times(kinds: &[Option<DataType>]) -> Vec<Option<DataType>> {
    let time = kinds.iter().flatten().find(|kind| matches!(kind, DataType::Timestamp(..)));
    kinds.iter().map(|kind| time.filter(|_| *kind == Some(DataType::Date32)).cloned()).collect()
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
