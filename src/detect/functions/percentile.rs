//! `approx_percentile(x, share)`: the number that a share of the rows, 0 to 1, does not exceed; null where no row has one.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Schema, UInt64Type};
use arrow::record_batch::RecordBatch;
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Signature, Volatility};

use super::sliding::SlidingPercentile;
use crate::detect::window::spread::Spread;

/// Name of the aggregate, which is Athena's: exact of few distinct numbers, and of more as near as [`Spread`] says.
pub const APPROX_PERCENTILE: &str = "approx_percentile";

pub fn function() -> AggregateUDF {
    AggregateUDF::new_from_impl(Percentile { signature: Signature::any(2, Volatility::Immutable), whole: false })
}

/// The same in queries, where it is an integer of integers, as in Athena.
pub fn in_queries() -> AggregateUDF {
    AggregateUDF::new_from_impl(Percentile { signature: Signature::any(2, Volatility::Immutable), whole: true })
}

/// The share that is asked for.
///
/// # Errors
/// When it is no number from 0 to 1.
pub fn share(value: &ScalarValue) -> Result<f64> {
    let number = if value.data_type().is_numeric() { value.cast_to(&DataType::Float64)? } else { ScalarValue::Null };
    match number {
        ScalarValue::Float64(Some(share)) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => plan_err!("approx_percentile takes a constant from 0 to 1, as in approx_percentile(x, 0.95), not {value}"),
    }
}

/// Its type, which of symbols, such as user agents, is that of their lengths, which are symbols too.
fn plain(kind: &DataType) -> &DataType {
    match kind {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

/// The numbers of a column.
pub fn numbers(values: &ArrayRef) -> Result<Float64Array> {
    Ok(cast(values, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Percentile {
    signature: Signature,
    /// Of integers.
    whole: bool,
}

impl AggregateUDFImpl for Percentile {
    fn name(&self) -> &str {
        APPROX_PERCENTILE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [number, share] if plain(number).is_numeric() && share.is_numeric() => {
                Ok(if self.whole && plain(number).is_integer() { DataType::Int64 } else { DataType::Float64 })
            }
            _ => plan_err!("approx_percentile takes a number and a constant from 0 to 1: approx_percentile(x, 0.95)"),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return plan_err!("approx_percentile is of all values: leave DISTINCT out");
        }
        Ok(typed(&args, Spreading { spread: Spread::default(), share: share_of(&args)? }))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(typed(&args, SlidingPercentile::new(share_of(&args)?)))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let numbers = DataType::List(Arc::new(Field::new_list_field(DataType::UInt64, true)));
        Ok(vec![Arc::new(Field::new(args.name, numbers, true))])
    }
}

fn share_of(args: &AccumulatorArgs) -> Result<f64> {
    match args.exprs[1].evaluate(&RecordBatch::new_empty(Arc::new(Schema::empty()))) {
        Ok(ColumnarValue::Scalar(value)) => share(&value),
        _ => plan_err!("approx_percentile takes a constant from 0 to 1, as in approx_percentile(x, 0.95)"),
    }
}

fn typed(args: &AccumulatorArgs, percentile: impl Accumulator + 'static) -> Box<dyn Accumulator> {
    match args.return_type() {
        DataType::Int64 => Box::new(Whole(percentile)),
        _ => Box::new(percentile),
    }
}

/// The nearest integer.
#[derive(Debug)]
struct Whole<A>(A);

impl<A: Accumulator> Accumulator for Whole<A> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(match self.0.evaluate()? {
            ScalarValue::Float64(number) => ScalarValue::Int64(number.map(|number| number.round() as i64)),
            other => other,
        })
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.0.supports_retract_batch()
    }
}

#[derive(Debug)]
struct Spreading {
    spread: Spread,
    share: f64,
}

impl Accumulator for Spreading {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        numbers(&values[0])?.iter().flatten().for_each(|number| self.spread.add(number));
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for numbers in states[0].as_list::<i32>().iter().flatten() {
            let Some(other) = Spread::from_numbers(numbers.as_primitive::<UInt64Type>().values()) else {
                return exec_err!("a state of approx_percentile is numbers in order, and their counts");
            };
            self.spread.merge(&other);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.spread.percentile(self.share)))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let numbers: Vec<_> = self.spread.as_numbers().map(|number| ScalarValue::UInt64(Some(number))).collect();
        Ok(vec![ScalarValue::List(ScalarValue::new_list(&numbers, &DataType::UInt64, true))])
    }

    fn size(&self) -> usize {
        std::mem::size_of_val(self) + self.spread.bytes_len()
    }
}
