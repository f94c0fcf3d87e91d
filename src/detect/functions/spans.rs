//! Time → windows: `tumble(time, interval)`, `hop(time, slide, size)` and `session(time, gap)`; `sample(x)`, which shows what is in a window, and
//! `first_seen(x, interval)`, `rare(x, budget)`, `unusual_hour(budget)` and `unusual_rate(number, budget)`, which ask what was before it.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, IntervalMonthDayNano, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

use super::sliding::SlidingSample;
use crate::detect::window::part::SAMPLE_MAX;
use crate::detect::window::smallest::Smallest;
use crate::time::{MICROS_PER_DAY, MICROS_PER_SECOND};

/// Most windows that one moment may lie in.
const WINDOWS_MAX: i64 = 240;

/// Name of the aggregate.
pub const FIRST_SEEN: &str = "first_seen";

/// Names of the scores: two aggregates, and a function of one.
pub const RARE: &str = "rare";
pub const UNUSUAL_HOUR: &str = "unusual_hour";
pub const UNUSUAL_RATE: &str = "unusual_rate";

pub fn all() -> Vec<Arc<ScalarUDF>> {
    let signature = Signature::variadic_any(Volatility::Immutable);
    vec![
        Arc::new(tumble()),
        Arc::new(ScalarUDF::new_from_impl(Hop { signature: signature.clone() })),
        Arc::new(ScalarUDF::new_from_impl(Session { signature })),
        Arc::new(ScalarUDF::new_from_impl(UnusualRate { signature: Signature::any(2, Volatility::Immutable) })),
    ]
}

/// The function `tumble`.
pub fn tumble() -> ScalarUDF {
    ScalarUDF::new_from_impl(Tumble { signature: Signature::variadic_any(Volatility::Immutable) })
}

pub fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![
        Arc::new(super::in_order::function()),
        Arc::new(super::correlates::function()),
        Arc::new(super::regularity::function()),
        Arc::new(super::percentile::function()),
        Arc::new(AggregateUDF::new_from_impl(Sample { signature: Signature::any(1, Volatility::Immutable) })),
        Arc::new(AggregateUDF::new_from_impl(FirstSeen { signature: Signature::any(2, Volatility::Immutable) })),
        Arc::new(AggregateUDF::new_from_impl(Rare { signature: Signature::any(2, Volatility::Immutable) })),
        Arc::new(AggregateUDF::new_from_impl(UnusualHour { signature: Signature::any(1, Volatility::Immutable) })),
    ]
}

/// Length of an interval in microseconds, when it is positive and whole, without months, whose lengths differ.
pub fn micros(interval: &ScalarValue) -> Option<i64> {
    let micros = match interval {
        ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano { months: 0, days, nanoseconds })) => {
            if nanoseconds % 1000 != 0 {
                return None;
            }
            i64::from(*days).checked_mul(MICROS_PER_DAY)?.checked_add(nanoseconds / 1000)?
        }
        ScalarValue::IntervalDayTime(Some(interval)) => i64::from(interval.days)
            .checked_mul(MICROS_PER_DAY)?
            .checked_add(i64::from(interval.milliseconds) * 1000)?,
        _ => return None,
    };
    (micros > 0).then_some(micros)
}

fn interval(function: &str, argument: Option<&ScalarValue>) -> Result<i64> {
    match argument.and_then(micros) {
        Some(micros) => Ok(micros),
        None => {
            plan_err!("{function} takes constant intervals of days, hours, minutes or seconds: INTERVAL '10 minutes'")
        }
    }
}

/// The type of the start of a window.
pub fn moment() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn check_time(function: &str, field: &Field) -> Result<()> {
    match field.data_type() {
        DataType::Timestamp(..) | DataType::Int64 => Ok(()),
        other => plan_err!("{function} takes a time, or whole seconds since 1970, not {other}"),
    }
}

/// Microseconds since 1970 of a time, or of whole seconds.
pub fn times(array: &ArrayRef) -> Result<TimestampMicrosecondArray> {
    Ok(match array.data_type() {
        DataType::Int64 => {
            let seconds = array.as_primitive::<arrow::datatypes::Int64Type>();
            seconds.iter().map(|seconds| seconds.map(|seconds| seconds.saturating_mul(MICROS_PER_SECOND))).collect()
        }
        _ => cast(array, &moment())?.as_primitive::<TimestampMicrosecondType>().clone(),
    })
}

/// The start of the window that a time lies in; windows begin at multiples of their length since 1970-01-01T00:00:00Z.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Tumble {
    signature: Signature,
}

impl ScalarUDFImpl for Tumble {
    fn name(&self) -> &str {
        "tumble"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(moment())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let ([time, _], [_, size]) = (args.arg_fields, args.scalar_arguments) else {
            return plan_err!("tumble takes a time and the length of its windows");
        };
        check_time(self.name(), time)?;
        interval(self.name(), *size)?;
        Ok(Arc::new(Field::new(self.name(), moment(), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ColumnarValue::Scalar(size) = &args.args[1] else { return exec_err!("the length of tumble is a constant") };
        let size = interval(self.name(), Some(size))?;
        let times = times(&args.args[0].to_array(args.number_rows)?)?;
        let starts: TimestampMicrosecondArray =
            times.iter().map(|time| time.map(|time| time.div_euclid(size).saturating_mul(size))).collect();
        Ok(ColumnarValue::Array(Arc::new(starts.with_timezone("UTC"))))
    }
}

/// The start of each window that a time lies in. Windows of length `size` begin at the multiples of `slide`, so one time is
/// in several of them: this stands only in GROUP BY, where a row counts in each.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Hop {
    signature: Signature,
}

impl ScalarUDFImpl for Hop {
    fn name(&self) -> &str {
        "hop"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(moment())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let ([time, _, _], [_, slide, size]) = (args.arg_fields, args.scalar_arguments) else {
            return plan_err!("hop takes a time, the distance between its windows, and their length");
        };
        check_time(self.name(), time)?;
        let (slide, size) = (interval(self.name(), *slide)?, interval(self.name(), *size)?);
        if size % slide != 0 || size / slide > WINDOWS_MAX {
            return plan_err!("the length of hop is a multiple of the distance, at most {WINDOWS_MAX} times it");
        }
        Ok(Arc::new(Field::new(self.name(), moment(), true)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("hop puts a row into several windows, which only GROUP BY can")
    }
}

/// The start of the session that a time lies in: the time of its first row. Rows of one key that are no further apart than
/// `gap`, one behind the other, are one session. Which that is depends on other rows, so this stands only in GROUP BY.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Session {
    signature: Signature,
}

impl ScalarUDFImpl for Session {
    fn name(&self) -> &str {
        "session"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(moment())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let ([time, _], [_, gap]) = (args.arg_fields, args.scalar_arguments) else {
            return plan_err!("session takes a time and the longest gap between its rows");
        };
        check_time(self.name(), time)?;
        interval(self.name(), *gap)?;
        Ok(Arc::new(Field::new(self.name(), moment(), true)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("session asks for other rows, which only GROUP BY can")
    }
}

/// The smallest distinct values, at most [`SAMPLE_MAX`], as a list in their order; null ones are left out.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Sample {
    signature: Signature,
}

fn list_of(item: &DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(plain(item).clone(), true)))
}

/// The type of the values of a dictionary, or the type itself.
pub fn plain(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

impl AggregateUDFImpl for Sample {
    fn name(&self) -> &str {
        "sample"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(list_of(&arguments[0]))
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let item = plain(args.expr_fields[0].data_type()).clone();
        Ok(Box::new(Sampled { item, values: Smallest::default() }))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(SlidingSample::new(plain(args.expr_fields[0].data_type()).clone())))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(args.name, list_of(args.input_fields[0].data_type()), true))])
    }
}

/// Whether the key of a window, whose last part is `x`, had no rows for an interval before it. What was before a window no
/// aggregate knows, so this is planned and never computed: see [`crate::detect::plan::lowered`].
#[derive(Debug, PartialEq, Eq, Hash)]
struct FirstSeen {
    signature: Signature,
}

impl AggregateUDFImpl for FirstSeen {
    fn name(&self) -> &str {
        FIRST_SEEN
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        exec_err!("first_seen looks at what was before a window, which only HAVING can")
    }
}

/// Whether a column of GROUP BY has a value that the rest of the key has so seldom that telling all that is as rare gives at most so many
/// false findings a day. Planned and never computed, as [`FirstSeen`] is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Rare {
    signature: Signature,
}

impl AggregateUDFImpl for Rare {
    fn name(&self) -> &str {
        RARE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        exec_err!("rare looks at what was before a window, which only a rule can: see `weir backtest`")
    }
}

/// Whether the key of a window is there at an hour of the week so odd for it that telling all that is as odd gives at most so many false findings
/// a day. Planned and never computed, as [`FirstSeen`] is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct UnusualHour {
    signature: Signature,
}

impl AggregateUDFImpl for UnusualHour {
    fn name(&self) -> &str {
        UNUSUAL_HOUR
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        exec_err!("unusual_hour looks at what was before a window, which only a rule can: see `weir backtest`")
    }
}

/// Whether a number of a window is so high for its key that telling all that is as high gives at most so many false findings a day.
/// Planned and never computed, as [`FirstSeen`] is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct UnusualRate {
    signature: Signature,
}

impl ScalarUDFImpl for UnusualRate {
    fn name(&self) -> &str {
        UNUSUAL_RATE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match &arguments[0] {
            number if number.is_numeric() => Ok(DataType::Boolean),
            other => plan_err!("unusual_rate takes a number, such as count(*), not {other}"),
        }
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("unusual_rate looks at what was before a window, which only a rule can: see `weir backtest`")
    }
}

/// Ordered as sort keys are, the way a rule's windows keep them.
#[derive(Debug)]
struct Sampled {
    item: DataType,
    values: Smallest<Box<[u8]>>,
}

impl Sampled {
    fn converter(&self) -> Result<arrow::row::RowConverter> {
        Ok(arrow::row::RowConverter::new(vec![arrow::row::SortField::new(self.item.clone())])?)
    }

    fn add(&mut self, values: &ArrayRef) -> Result<()> {
        let values = cast(values, &self.item)?;
        let rows = self.converter()?.convert_columns(std::slice::from_ref(&values))?;
        for (place, row) in rows.iter().enumerate() {
            if values.is_valid(place) {
                self.values.add(row.as_ref().into(), SAMPLE_MAX);
            }
        }
        Ok(())
    }
}

impl Accumulator for Sampled {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&values[0])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        states[0].as_list::<i32>().iter().flatten().try_for_each(|values| self.add(&values))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::List(Arc::new(sample_list(&self.item, [self.values.as_slice()])?)))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        std::mem::size_of_val(self) + self.values.as_slice().iter().map(|value| value.len() + 40).sum::<usize>()
    }
}

/// Sets of sort keys as lists of the values they were made from, one list a set.
pub fn sample_list<'a, K: AsRef<[u8]> + 'a>(
    item: &DataType,
    sets: impl IntoIterator<Item = &'a [K]>,
) -> Result<arrow::array::ListArray> {
    let converter = arrow::row::RowConverter::new(vec![arrow::row::SortField::new(item.clone())])?;
    let parser = converter.parser();
    let (mut rows, mut lengths) = (Vec::new(), Vec::new());
    for set in sets {
        lengths.push(set.len());
        rows.extend(set.iter().map(|value| parser.parse(value.as_ref())));
    }
    let values = converter.convert_rows(rows)?.remove(0);
    let offsets = arrow::buffer::OffsetBuffer::from_lengths(lengths);
    Ok(arrow::array::ListArray::try_new(Arc::new(Field::new_list_field(item.clone(), true)), offsets, values, None)?)
}
