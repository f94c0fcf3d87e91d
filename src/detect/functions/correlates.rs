//! `correlates(time, plan, rule, ..., value, ...)`: whether rows of these rules correlate as the plan says, which may have a
//! correlation among the steps of another. The rules are conditions, and the values what the plan groups by or counts.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Signature, Volatility};

use super::spans::times;
use crate::detect::verdicts::is_true;
use crate::detect::window::bytes::{Reader, Writer};
use crate::detect::window::nested::{Correlation, NULL, Row, Rows};
use crate::detect::window::part::hash;

/// Name of the aggregate.
pub const CORRELATES: &str = "correlates";

pub fn function() -> AggregateUDF {
    AggregateUDF::new_from_impl(Correlates { signature: Signature::variadic_any(Volatility::Immutable) })
}

/// The plan of a call with arguments of these types behind the plan.
///
/// # Errors
/// When it is none, or rules stand behind values.
pub fn plan(text: &ScalarValue, arguments: &[DataType]) -> Result<Correlation> {
    let Some(Some(text)) = text.try_as_str() else { return plan_err!("{USAGE}") };
    let rules = rules(arguments)?;
    Correlation::parse(text, rules, arguments.len() - rules)
        .or_else(|message| plan_err!("the plan of correlates: {message}"))
}

const USAGE: &str = "correlates takes a time, a plan as a constant text, conditions, and values behind these";

/// How many of the arguments behind the plan are conditions.
fn rules(arguments: &[DataType]) -> Result<usize> {
    let is_rule = |kind: &&DataType| **kind == DataType::Boolean;
    let rules = arguments.iter().take_while(is_rule).count();
    if rules == 0 || arguments[rules..].iter().any(|kind| is_rule(&kind)) {
        return plan_err!("{USAGE}");
    }
    Ok(rules)
}

/// The hash of each value of a column.
pub fn hashes(values: &ArrayRef) -> Result<Vec<u64>> {
    let texts = cast(values, &DataType::Utf8View)?;
    let of = |text: Option<&str>| text.map_or(NULL, |text| hash(text.as_bytes()));
    Ok(texts.as_string_view().iter().map(of).collect())
}

/// A row of a batch, unless no rule selects it.
pub fn row(time: i64, place: usize, rules: &[BooleanArray], values: &[Vec<u64>]) -> Option<Row> {
    let bits =
        rules.iter().enumerate().filter(|(_, rule)| is_true(rule, place)).fold(0, |bits, (rule, _)| bits | 1 << rule);
    (bits != 0).then(|| Row { time, rules: bits, values: values.iter().map(|values| values[place]).collect() })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Correlates {
    signature: Signature,
}

impl AggregateUDFImpl for Correlates {
    fn name(&self) -> &str {
        CORRELATES
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [DataType::Timestamp(..) | DataType::Int64, plan, rest @ ..] if plan.is_string() => {
                rules(rest)?;
                Ok(DataType::Boolean)
            }
            _ => plan_err!("{USAGE}"),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let kinds: Vec<DataType> = args.expr_fields[2..].iter().map(|field| field.data_type().clone()).collect();
        let plan = match args.exprs[1].evaluate(&RecordBatch::new_empty(Arc::new(Schema::empty()))) {
            Ok(ColumnarValue::Scalar(text)) => plan(&text, &kinds)?,
            _ => return plan_err!("{USAGE}"),
        };
        Ok(Box::new(Correlated { plan, rules: rules(&kinds)?, rows: Rows::default() }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(args.name, DataType::Binary, true))])
    }
}

#[derive(Debug)]
struct Correlated {
    plan: Correlation,
    rules: usize,
    rows: Rows,
}

impl Accumulator for Correlated {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let times = times(&values[0])?;
        let (rules, values) = values[2..].split_at(self.rules);
        let rules: Vec<BooleanArray> = rules.iter().map(|rule| rule.as_boolean().clone()).collect();
        let values = values.iter().map(hashes).collect::<Result<Vec<_>>>()?;
        for (place, time) in times.iter().enumerate() {
            let Some(row) = time.and_then(|time| row(time, place, &rules, &values)) else { continue };
            self.rows.add(row, 1);
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for bytes in states[0].as_binary::<i32>().iter().flatten() {
            let Some(rows) = Rows::read(&mut Reader(bytes)) else {
                return exec_err!("a state of correlates is rows in order, and their counts");
            };
            self.rows.merge(&rows);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Boolean(Some(self.plan.holds(&self.rows))))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut rows = Writer::default();
        self.rows.write(&mut rows);
        Ok(vec![ScalarValue::Binary(Some(rows.0))])
    }

    fn size(&self) -> usize {
        std::mem::size_of_val(self) + self.rows.bytes_len()
    }
}
