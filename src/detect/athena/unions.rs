//! A union of queries → the same in which each column has one type in all of them, as Athena has it: of decimals and doubles a double.
//! DataFusion says before it coerces types that a column has the type of the first query, and makes decimals of doubles.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::type_coercion::binary::type_union_coercion;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, Union, cast};

pub fn of_one_type(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Union(union) = &node else { return Ok(Transformed::no(node)) };
    // what has no type that all fit is complained of where types are coerced
    let Some(kinds) = kinds(&union.inputs) else { return Ok(Transformed::no(node)) };
    if has(&node, &kinds) && union.inputs.iter().all(|input| has(input, &kinds)) {
        return Ok(Transformed::no(node));
    }
    let inputs = union.inputs.iter().map(|input| with(input, &kinds)).collect::<Result<_>>()?;
    Ok(Transformed::yes(LogicalPlan::Union(Union::try_new(inputs)?)))
}

/// The type of each column.
fn kinds(inputs: &[Arc<LogicalPlan>]) -> Option<Vec<DataType>> {
    let (first, rest) = inputs.split_first()?;
    let mut kinds: Vec<DataType> = first.schema().fields().iter().map(|field| field.data_type().clone()).collect();
    for input in rest {
        let fields = input.schema().fields();
        if fields.len() != kinds.len() {
            return None;
        }
        for (kind, field) in kinds.iter_mut().zip(fields) {
            *kind = of_both(kind, field.data_type())?;
        }
    }
    Some(kinds)
}

fn of_both(one: &DataType, other: &DataType) -> Option<DataType> {
    let is_decimal = |kind: &DataType| matches!(kind, DataType::Decimal128(..));
    let is_mixed = is_decimal(one) && other.is_floating() || is_decimal(other) && one.is_floating();
    if is_mixed { Some(DataType::Float64) } else { type_union_coercion(one, other) }
}

fn has(input: &LogicalPlan, kinds: &[DataType]) -> bool {
    input.schema().fields().iter().zip(kinds).all(|(field, kind)| field.data_type() == kind)
}

fn with(input: &Arc<LogicalPlan>, kinds: &[DataType]) -> Result<Arc<LogicalPlan>> {
    if has(input, kinds) {
        return Ok(input.clone());
    }
    let columns = input.schema().iter().zip(kinds).map(|((table, field), kind)| {
        let column = Expr::from((table, field));
        if field.data_type() == kind {
            column
        } else {
            cast(column, kind.clone()).alias_qualified(table.cloned(), field.name())
        }
    });
    Ok(Arc::new(LogicalPlan::Projection(Projection::try_new(columns.collect(), input.clone())?)))
}
