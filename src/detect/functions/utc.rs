//! `date_trunc(unit, time)` and `to_char(time, format)` of times in UTC by arithmetic. DataFusion 55 looks the zone up for each row, and makes
//! the text of an error that there is not, and asks a formatter for each part of each text: that took most of a query that counts events
//! by hour.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder, make_array};
use arrow::datatypes::{DataType, FieldRef, Int64Type, TimeUnit};
use chrono::{DateTime, Datelike};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions::datetime;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

pub fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![Arc::new(date_trunc()), Arc::new(to_char())]
}

fn date_trunc() -> ScalarUDF {
    ScalarUDF::new_from_impl(InUtc { inner: datetime::date_trunc(), asks: Asks::DateTrunc })
}

fn to_char() -> ScalarUDF {
    ScalarUDF::new_from_impl(InUtc { inner: datetime::to_char(), asks: Asks::ToChar })
}

/// A function of DataFusion's, which is answered here where it asks for what arithmetic can say.
#[derive(Debug, PartialEq, Eq, Hash)]
struct InUtc {
    inner: Arc<ScalarUDF>,
    asks: Asks,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Asks {
    DateTrunc,
    ToChar,
}

impl ScalarUDFImpl for InUtc {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        self.inner.return_type(args)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let answer = match self.asks {
            Asks::DateTrunc => truncated(&self.inner, &args)?,
            Asks::ToChar => shown(&args),
        };
        match answer {
            Some(answer) => Ok(ColumnarValue::Array(answer)),
            None => self.inner.inner().invoke_with_args(args),
        }
    }
}

/// The times as DataFusion truncates those of no zone.
fn truncated(inner: &ScalarUDF, args: &ScalarFunctionArgs) -> Result<Option<ArrayRef>> {
    let ColumnarValue::Array(times) = &args.args[1] else { return Ok(None) };
    let Some((unit, zone)) = unit_in_utc(times.data_type()) else { return Ok(None) };
    let mut of_no_zone = args.clone();
    of_no_zone.args[1] = ColumnarValue::Array(as_type(times, DataType::Timestamp(unit, None))?);
    match inner.inner().invoke_with_args(of_no_zone) {
        Ok(ColumnarValue::Array(times)) => Ok(Some(as_type(&times, DataType::Timestamp(unit, Some(zone)))?)),
        // far from now it has fewer times without a zone
        _ => Ok(None),
    }
}

fn shown(args: &ScalarFunctionArgs) -> Option<ArrayRef> {
    let [ColumnarValue::Array(times), ColumnarValue::Scalar(ScalarValue::Utf8(Some(format)))] = &args.args[..] else {
        return None;
    };
    Some(Arc::new(texts(times, &parts(format)?)?))
}

/// A part of a format of chrono's.
enum Part {
    Text(char),
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    /// With the point before them.
    Millis,
}

/// The parts of a format that asks for nothing else.
fn parts(format: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = format.chars();
    while let Some(next) = rest.next() {
        parts.push(match next {
            '%' => match rest.next()? {
                'Y' => Part::Year,
                'm' => Part::Month,
                'd' => Part::Day,
                'H' => Part::Hour,
                'M' => Part::Minute,
                'S' => Part::Second,
                '.' if rest.next()? == '3' && rest.next()? == 'f' => Part::Millis,
                '%' => Part::Text('%'),
                _ => return None,
            },
            other => Part::Text(other),
        });
    }
    Some(parts)
}

/// The text of each time; `None` where one is of a year that has not four digits, or the times are of another zone.
fn texts(times: &ArrayRef, parts: &[Part]) -> Option<StringArray> {
    let unit = match times.data_type() {
        DataType::Timestamp(unit, None) => *unit,
        other => unit_in_utc(other)?.0,
    };
    let in_second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let numbers = as_type(times, DataType::Int64).ok()?;
    let numbers = numbers.as_primitive::<Int64Type>();
    let mut texts = StringBuilder::with_capacity(numbers.len(), numbers.len() * (parts.len() * 2 + 2));
    let (mut text, mut last, mut date) = (String::new(), None, (0, 0, 0));
    for number in numbers {
        let Some(number) = number else {
            texts.append_null();
            continue;
        };
        let (second, part) = (number.div_euclid(in_second), number.rem_euclid(in_second));
        let (day, clock) = (second.div_euclid(86_400), second.rem_euclid(86_400) as u32);
        if last != Some(day) {
            let of_day = DateTime::from_timestamp(day.checked_mul(86_400)?, 0)?;
            date = (u32::try_from(of_day.year()).ok().filter(|year| *year <= 9999)?, of_day.month(), of_day.day());
            last = Some(day);
        }
        text.clear();
        for wanted in parts {
            match wanted {
                Part::Text(text_of) => text.push(*text_of),
                Part::Year => {
                    two_digits(date.0 / 100, &mut text);
                    two_digits(date.0 % 100, &mut text);
                }
                Part::Month => two_digits(date.1, &mut text),
                Part::Day => two_digits(date.2, &mut text),
                Part::Hour => two_digits(clock / 3600, &mut text),
                Part::Minute => two_digits(clock / 60 % 60, &mut text),
                Part::Second => two_digits(clock % 60, &mut text),
                Part::Millis => {
                    let millis = (i128::from(part) * 1000 / i128::from(in_second)) as u32;
                    text.push('.');
                    text.push(char::from(b'0' + (millis / 100) as u8));
                    two_digits(millis % 100, &mut text);
                }
            }
        }
        texts.append_value(&text);
    }
    Some(texts.finish())
}

/// `number` is below 100.
fn two_digits(number: u32, to: &mut String) {
    to.push(char::from(b'0' + (number / 10) as u8));
    to.push(char::from(b'0' + (number % 10) as u8));
}

/// The unit of times that are said to be in UTC, and how that is said.
fn unit_in_utc(kind: &DataType) -> Option<(TimeUnit, Arc<str>)> {
    match kind {
        DataType::Timestamp(unit, Some(zone)) if ["UTC", "+00:00", "Z"].contains(&zone.as_ref()) => {
            Some((*unit, zone.clone()))
        }
        _ => None,
    }
}

/// The same numbers under another type of the same size.
fn as_type(times: &ArrayRef, kind: DataType) -> Result<ArrayRef> {
    Ok(make_array(times.to_data().into_builder().data_type(kind).build()?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
    };
    use arrow::datatypes::{Field, TimestampMicrosecondType};
    use datafusion::common::config::ConfigOptions;
    use datafusion::logical_expr::ScalarFunctionArgs;
    use proptest::prelude::*;

    use super::*;

    /// `text` is the unit or format, of which the function takes one before the times.
    fn ask(function: &ScalarUDF, text: &str, times: ArrayRef) -> Result<ArrayRef> {
        let field = Arc::new(Field::new("times", times.data_type().clone(), true));
        let number_rows = times.len();
        let kind = if function.name() == "to_char" { DataType::Utf8 } else { times.data_type().clone() };
        let mut args = vec![ColumnarValue::Scalar(ScalarValue::from(text)), ColumnarValue::Array(times)];
        let mut arg_fields = vec![Arc::new(Field::new("text", DataType::Utf8, false)), field.clone()];
        if function.name() == "to_char" {
            args.reverse();
            arg_fields.reverse();
        }
        let args = ScalarFunctionArgs {
            args,
            arg_fields,
            number_rows,
            return_field: Arc::new(Field::new("answer", kind, true)),
            config_options: Arc::new(ConfigOptions::default()),
        };
        function.invoke_with_args(args)?.into_array(number_rows)
    }

    proptest! {
        #[test]
        fn times_in_utc_are_cut_as_datafusion_cuts_them(
            times in prop::collection::vec(prop::option::of(-62_135_596_800_000_000..=253_402_300_799_999_999i64), 0..20),
            unit in prop::sample::select(vec!["second", "minute", "hour", "day", "week", "month", "quarter", "year"]),
        ) {
            let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"));
            let ours = ask(&date_trunc(), unit, times.clone());
            let theirs = ask(&datetime::date_trunc(), unit, times.clone());
            // far from now DataFusion has no times in a zone
            if let Ok(theirs) = theirs {
                let ours = ours.unwrap();
                prop_assert_eq!(ours.data_type(), times.data_type());
                prop_assert_eq!(
                    ours.as_primitive::<TimestampMicrosecondType>(),
                    theirs.as_primitive::<TimestampMicrosecondType>()
                );
            }
        }

        #[test]
        fn times_in_utc_are_shown_as_datafusion_shows_them(
            times in prop::collection::vec(prop::option::of(-62_200_000_000_000_000..=253_402_310_000_000_000i64), 0..20),
            format in "(%Y|%m|%d|%H|%M|%S|%[.]3f|%%|%j|[-:/TZ é]){0,8}",
            unit in 0..4,
        ) {
            let times = times.into_iter();
            let times: ArrayRef = match unit {
                0 => Arc::new(TimestampSecondArray::from_iter(times.map(|time| Some(time? / 1_000_000)))),
                1 => Arc::new(TimestampMillisecondArray::from_iter(times.map(|time| Some(time? / 1_000))).with_timezone("UTC")),
                2 => Arc::new(TimestampMicrosecondArray::from_iter(times).with_timezone("UTC")),
                _ => Arc::new(TimestampNanosecondArray::from_iter(times.map(|time| Some(time? * 7))).with_timezone("+00:00")),
            };
            let ours = ask(&to_char(), &format, times.clone()).unwrap();
            let theirs = ask(&datetime::to_char(), &format, times).unwrap();
            prop_assert_eq!(ours.as_string::<i32>(), theirs.as_string::<i32>());
        }
    }
}
