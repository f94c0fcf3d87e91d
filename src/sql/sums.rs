//! `sum(x)` of integers: as DataFusion adds them up, but a sum that is no `bigint` is an error, as it is in Athena. DataFusion goes on from
//! the other end of the range.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
};

pub fn sum() -> AggregateUDF {
    AggregateUDF::new_from_impl(Sum { of_datafusion: sum_udaf() })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sum {
    of_datafusion: Arc<AggregateUDF>,
}

/// What integers are added up as: that has room for as many as there may be.
const WIDE: DataType = DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0);

fn is_checked(kind: &DataType, is_distinct: bool) -> bool {
    // of each once there are few
    kind == &DataType::Int64 && !is_distinct
}

/// The same arguments for the sum of wide numbers.
fn of_wide(args: AccumulatorArgs) -> AccumulatorArgs {
    AccumulatorArgs { return_field: Arc::new(Field::new(args.return_field.name(), WIDE, true)), ..args }
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &str {
        self.of_datafusion.name()
    }

    fn signature(&self) -> &Signature {
        self.of_datafusion.signature()
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        self.of_datafusion.return_type(args)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if !is_checked(args.return_type(), args.is_distinct) {
            return self.of_datafusion.accumulator(args);
        }
        Ok(Box::new(Checked(self.of_datafusion.accumulator(of_wide(args))?)))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if !is_checked(args.return_type(), args.is_distinct) {
            return self.of_datafusion.create_sliding_accumulator(args);
        }
        Ok(Box::new(Checked(self.of_datafusion.create_sliding_accumulator(of_wide(args))?)))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.of_datafusion.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        if !is_checked(args.return_type(), args.is_distinct) {
            return self.of_datafusion.create_groups_accumulator(args);
        }
        Ok(Box::new(Checked(self.of_datafusion.create_groups_accumulator(of_wide(args))?)))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if !is_checked(args.return_type(), args.is_distinct) {
            return self.of_datafusion.state_fields(args);
        }
        let return_field = Arc::new(Field::new(args.return_field.name(), WIDE, true));
        self.of_datafusion.state_fields(StateFieldsArgs { return_field, ..args })
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// Adds up integers as wide numbers.
struct Checked<A>(A);

impl<A> std::fmt::Debug for Checked<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Checked")
    }
}

fn wide(values: &[ArrayRef]) -> Result<[ArrayRef; 1]> {
    let integers = values[0].as_primitive::<Int64Type>();
    let wide: Decimal128Array = integers.unary(i128::from);
    Ok([Arc::new(wide.with_data_type(WIDE))])
}

fn bigint(sum: i128) -> Result<i64> {
    i64::try_from(sum).map_err(|_| exec_datafusion_err!("NUMERIC_VALUE_OUT_OF_RANGE: bigint addition overflow: {sum}"))
}

impl Accumulator for Checked<Box<dyn Accumulator>> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update_batch(&wide(values)?)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = match self.0.evaluate()? {
            ScalarValue::Decimal128(sum, ..) => sum,
            other => return Err(exec_datafusion_err!("the sum of wide numbers is {}", other.data_type())),
        };
        Ok(ScalarValue::Int64(sum.map(bigint).transpose()?))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.retract_batch(&wide(values)?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.0.supports_retract_batch()
    }
}

impl GroupsAccumulator for Checked<Box<dyn GroupsAccumulator>> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.0.update_batch(&wide(values)?, groups, filter, count)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = self.0.evaluate(emit_to)?;
        let sums: Int64Array = sums.as_primitive::<Decimal128Type>().try_unary(bigint)?;
        Ok(Arc::new(sums))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.0.state(emit_to)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.0.merge_batch(states, groups, count)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.0.convert_to_state(&wide(values)?, filter)
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}
