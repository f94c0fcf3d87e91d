//! `in_order(time, a, b, ...)`: whether there is a row of each condition, none earlier than the one of the condition before.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

use super::sliding::SlidingInOrder;
use super::spans::times;
use crate::detect::verdicts::is_true;
use crate::detect::window::chain::Chain;

pub fn function() -> AggregateUDF {
    AggregateUDF::new_from_impl(InOrder { signature: Signature::variadic_any(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct InOrder {
    signature: Signature,
}

fn numbers() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)))
}

impl AggregateUDFImpl for InOrder {
    fn name(&self) -> &str {
        "in_order"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [DataType::Timestamp(..) | DataType::Int64, conditions @ ..]
                if conditions.len() > 1 && conditions.iter().all(|kind| *kind == DataType::Boolean) =>
            {
                Ok(DataType::Boolean)
            }
            _ => plan_err!("in_order takes a time and two or more conditions"),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Ordered(Chain::new(args.expr_fields.len() - 1))))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(SlidingInOrder::new(args.expr_fields.len() - 1)))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(args.name, numbers(), true))])
    }
}

#[derive(Debug)]
struct Ordered(Chain);

impl Accumulator for Ordered {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let times = times(&values[0])?;
        for (step, condition) in values[1..].iter().enumerate() {
            let condition = condition.as_boolean();
            let rows = times.iter().enumerate().filter(|(row, _)| is_true(condition, *row));
            rows.filter_map(|(_, time)| time).for_each(|time| self.0.add(step, time));
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for pairs in states[0].as_list::<i32>().iter().flatten() {
            let (pairs, rest) = pairs.as_primitive::<Int64Type>().values().as_chunks::<2>();
            if !rest.is_empty() {
                return exec_err!("a state of in_order is pairs of step and time");
            }
            pairs.iter().for_each(|[step, time]| self.0.add(*step as usize, *time));
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Boolean(Some(self.0.holds())))
    }

    /// Pairs of step and time.
    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let pairs = self.0.all().flat_map(|(step, time)| [step as i64, time]);
        let pairs: Vec<ScalarValue> = pairs.map(|number| ScalarValue::Int64(Some(number))).collect();
        Ok(vec![ScalarValue::List(ScalarValue::new_list(&pairs, &DataType::Int64, true))])
    }

    fn size(&self) -> usize {
        std::mem::size_of_val(self) + self.0.bytes_len()
    }
}
