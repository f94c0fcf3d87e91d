//! `regularity(time)`: how regularly rows come, from 0 to 1; null of fewer than four times.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

use super::sliding::SlidingRegularity;
use super::spans::times;
use crate::detect::window::times::Times;

/// Name of the aggregate.
pub const REGULARITY: &str = "regularity";

pub fn function() -> AggregateUDF {
    AggregateUDF::new_from_impl(Regularity { signature: Signature::any(1, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Regularity {
    signature: Signature,
}

impl AggregateUDFImpl for Regularity {
    fn name(&self) -> &str {
        REGULARITY
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [DataType::Timestamp(..) | DataType::Int64] => Ok(DataType::Float64),
            _ => plan_err!("regularity takes a time, or whole seconds since 1970"),
        }
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Regular::default()))
    }

    fn create_sliding_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(SlidingRegularity::default()))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let numbers = DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)));
        Ok(vec![Arc::new(Field::new(args.name, numbers, true))])
    }
}

#[derive(Debug, Default)]
struct Regular(Times);

impl Accumulator for Regular {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        times(&values[0])?.iter().flatten().for_each(|time| self.0.add(time));
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for times in states[0].as_list::<i32>().iter().flatten() {
            times.as_primitive::<Int64Type>().iter().flatten().for_each(|time| self.0.add(time));
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.0.regularity()))
    }

    /// The times.
    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let times: Vec<_> = self.0.as_slice().iter().map(|time| ScalarValue::Int64(Some(*time))).collect();
        Ok(vec![ScalarValue::List(ScalarValue::new_list(&times, &DataType::Int64, true))])
    }

    fn size(&self) -> usize {
        std::mem::size_of_val(self) + self.0.bytes_len()
    }
}
