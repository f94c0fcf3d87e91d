//! `avg(x)` of decimals: a decimal of their type, as it is in Athena. DataFusion gives it four digits more behind the point.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
};

pub fn avg() -> AggregateUDF {
    AggregateUDF::new_from_impl(Avg { of_datafusion: avg_udaf() })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Avg {
    of_datafusion: Arc<AggregateUDF>,
}

impl Avg {
    /// What DataFusion gives of the same arguments.
    fn exact(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        let kinds: Vec<DataType> = fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Arc::new(Field::new(self.name(), self.of_datafusion.return_type(&kinds)?, true)))
    }

    fn rounded<A>(&self, args: &AccumulatorArgs, exact: A) -> Rounded<A> {
        Rounded { exact, kind: args.return_type().clone() }
    }
}

impl AggregateUDFImpl for Avg {
    fn name(&self) -> &str {
        self.of_datafusion.name()
    }

    fn signature(&self) -> &Signature {
        self.of_datafusion.signature()
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match args {
            [kind @ DataType::Decimal128(..)] => Ok(kind.clone()),
            _ => self.of_datafusion.return_type(args),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let return_field = self.exact(args.expr_fields)?;
        let exact = self.of_datafusion.accumulator(AccumulatorArgs { return_field, ..args.clone() })?;
        Ok(Box::new(self.rounded(&args, exact)))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let return_field = self.exact(args.expr_fields)?;
        let exact = self.of_datafusion.create_sliding_accumulator(AccumulatorArgs { return_field, ..args.clone() })?;
        Ok(Box::new(self.rounded(&args, exact)))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.exact(args.expr_fields).is_ok_and(|return_field| {
            self.of_datafusion.groups_accumulator_supported(AccumulatorArgs { return_field, ..args })
        })
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let return_field = self.exact(args.expr_fields)?;
        let exact = self.of_datafusion.create_groups_accumulator(AccumulatorArgs { return_field, ..args.clone() })?;
        Ok(Box::new(self.rounded(&args, exact)))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let return_field = self.exact(args.input_fields)?;
        self.of_datafusion.state_fields(StateFieldsArgs { return_field, ..args })
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// Gives what another does as a type with fewer digits.
struct Rounded<A> {
    exact: A,
    kind: DataType,
}

impl<A> std::fmt::Debug for Rounded<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rounded")
    }
}

impl Accumulator for Rounded<Box<dyn Accumulator>> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.exact.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.exact.evaluate()?.cast_to(&self.kind)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.exact.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.exact.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.exact.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.exact.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.exact.supports_retract_batch()
    }
}

impl GroupsAccumulator for Rounded<Box<dyn GroupsAccumulator>> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.exact.update_batch(values, groups, filter, count)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(cast(&self.exact.evaluate(emit_to)?, &self.kind)?)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.exact.state(emit_to)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.exact.merge_batch(states, groups, count)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.exact.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        self.exact.size()
    }
}
