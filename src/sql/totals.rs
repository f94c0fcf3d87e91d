//! `sum(x)` and `avg(x)` as DataFusion has them, with the types and errors of Athena: the sum of decimals has room for 38 digits, their
//! average is a decimal of their type, and a sum of integers that is no `bigint`, or of decimals with more digits, is an error. DataFusion
//! goes on from the other end of the range.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Decimal128Type, Field, FieldRef, Int64Type,
};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
};

pub fn sum() -> AggregateUDF {
    AggregateUDF::new_from_impl(Total { what: What::Sum, of_datafusion: sum_udaf() })
}

pub fn avg() -> AggregateUDF {
    AggregateUDF::new_from_impl(Total { what: What::Average, of_datafusion: avg_udaf() })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Sum,
    Average,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Total {
    what: What,
    of_datafusion: Arc<AggregateUDF>,
}

/// How what DataFusion adds up differs from what is asked for.
#[derive(Clone, Debug)]
enum Turn {
    /// Integers are added up as [`WIDE`] numbers.
    Checked,
    /// Decimals are added up with room for more digits, and shown as the second type.
    Wide(DataType, DataType),
    /// The average has fewer digits, those of this type.
    Rounded(DataType),
}

/// Has room for the sum of as many integers as there may be.
const WIDE: DataType = DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0);

impl Total {
    /// `None` where nothing differs, and else what DataFusion gives.
    fn turn(&self, result: &DataType, fields: &[FieldRef]) -> Result<Option<(Turn, FieldRef)>> {
        let kinds: Vec<DataType> = fields.iter().map(|field| field.data_type().clone()).collect();
        let (turn, inner) = match (self.what, result) {
            (What::Sum, DataType::Int64) => (Turn::Checked, WIDE),
            (What::Sum, DataType::Decimal128(_, scale)) => {
                let wide = DataType::Decimal256(DECIMAL256_MAX_PRECISION, *scale);
                (Turn::Wide(wide.clone(), result.clone()), wide)
            }
            (What::Average, DataType::Decimal128(..)) => {
                (Turn::Rounded(result.clone()), self.of_datafusion.return_type(&kinds)?)
            }
            _ => return Ok(None),
        };
        Ok(Some((turn, Arc::new(Field::new(self.name(), inner, true)))))
    }

    fn turn_of(&self, args: &AccumulatorArgs) -> Result<Option<(Turn, FieldRef)>> {
        self.turn(args.return_type(), args.expr_fields)
    }
}

impl AggregateUDFImpl for Total {
    fn name(&self) -> &str {
        self.of_datafusion.name()
    }

    fn signature(&self) -> &Signature {
        self.of_datafusion.signature()
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match (self.what, args) {
            (What::Sum, [DataType::Decimal128(_, scale)]) => Ok(DataType::Decimal128(DECIMAL128_MAX_PRECISION, *scale)),
            (What::Average, [kind @ DataType::Decimal128(..)]) => Ok(kind.clone()),
            _ => self.of_datafusion.return_type(args),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let Some((turn, return_field)) = self.turn_of(&args)? else { return self.of_datafusion.accumulator(args) };
        let inner = self.of_datafusion.accumulator(AccumulatorArgs { return_field, ..args })?;
        Ok(Box::new(Turned { turn, inner }))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        // of each once it slides over bigints alone
        if self.what == What::Sum && args.is_distinct {
            return self.of_datafusion.create_sliding_accumulator(args);
        }
        let Some((turn, return_field)) = self.turn_of(&args)? else {
            return self.of_datafusion.create_sliding_accumulator(args);
        };
        let inner = self.of_datafusion.create_sliding_accumulator(AccumulatorArgs { return_field, ..args })?;
        Ok(Box::new(Turned { turn, inner }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        match self.turn_of(&args) {
            Ok(Some((Turn::Rounded(_), return_field))) => {
                self.of_datafusion.groups_accumulator_supported(AccumulatorArgs { return_field, ..args })
            }
            Ok(_) => self.of_datafusion.groups_accumulator_supported(args),
            Err(_) => false,
        }
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let Some((turn, return_field)) = self.turn_of(&args)? else {
            return self.of_datafusion.create_groups_accumulator(args);
        };
        let inner = self.of_datafusion.create_groups_accumulator(AccumulatorArgs { return_field, ..args })?;
        Ok(Box::new(Turned { turn, inner }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        match self.turn(args.return_field.data_type(), args.input_fields)? {
            Some((_, return_field)) => self.of_datafusion.state_fields(StateFieldsArgs { return_field, ..args }),
            None => self.of_datafusion.state_fields(args),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// What another adds up, of other values and as another type.
struct Turned<A> {
    turn: Turn,
    inner: A,
}

impl<A> Turned<A> {
    fn values(&self, values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        Ok(match &self.turn {
            Turn::Checked => {
                let wide: Decimal128Array = values[0].as_primitive::<Int64Type>().unary(i128::from);
                vec![Arc::new(wide.with_data_type(WIDE))]
            }
            Turn::Wide(wide, _) => vec![cast(&values[0], wide)?],
            Turn::Rounded(_) => values.to_vec(),
        })
    }

    fn totals(&self, totals: &ArrayRef) -> Result<ArrayRef> {
        Ok(match &self.turn {
            Turn::Checked => {
                let totals: Int64Array = totals.as_primitive::<Decimal128Type>().try_unary(bigint)?;
                Arc::new(totals)
            }
            Turn::Wide(_, kind) => {
                let options = CastOptions { safe: false, ..CastOptions::default() };
                let totals = cast_with_options(totals, kind, &options);
                totals.map_err(|_| exec_datafusion_err!("NUMERIC_VALUE_OUT_OF_RANGE: Decimal overflow"))?
            }
            Turn::Rounded(kind) => cast(totals, kind)?,
        })
    }
}

fn bigint(sum: i128) -> Result<i64> {
    i64::try_from(sum).map_err(|_| exec_datafusion_err!("NUMERIC_VALUE_OUT_OF_RANGE: bigint addition overflow: {sum}"))
}

impl<A> std::fmt::Debug for Turned<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.turn.fmt(f)
    }
}

impl Accumulator for Turned<Box<dyn Accumulator>> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(&self.values(values)?)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let total = self.inner.evaluate()?.to_array()?;
        ScalarValue::try_from_array(&self.totals(&total)?, 0)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(&self.values(values)?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}

impl GroupsAccumulator for Turned<Box<dyn GroupsAccumulator>> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.inner.update_batch(&self.values(values)?, groups, filter, count)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let totals = self.inner.evaluate(emit_to)?;
        self.totals(&totals)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit_to)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.inner.merge_batch(states, groups, count)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(&self.values(values)?, filter)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}
