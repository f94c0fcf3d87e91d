//! A text and a format of chrono's → the moment, in UTC: what `date_parse` and `parse_datetime` of Athena are. What the format
//! does not name is the first there is, from 1970 on: '%Y-%m' is the beginning of a month.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use chrono::format::{Parsed, StrftimeItems, parse};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

pub fn functions() -> Vec<Arc<ScalarUDF>> {
    [Otherwise::Fails, Otherwise::IsNull]
        .map(|otherwise| {
            let signature = Signature::any(2, Volatility::Immutable);
            Arc::new(ScalarUDF::new_from_impl(MomentOf { otherwise, signature }))
        })
        .into()
}

/// What happens where a text is not of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Otherwise {
    Fails,
    IsNull,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MomentOf {
    otherwise: Otherwise,
    signature: Signature,
}

impl ScalarUDFImpl for MomentOf {
    fn name(&self) -> &str {
        match self.otherwise {
            Otherwise::Fails => "moment_of",
            Otherwise::IsNull => "try_moment_of",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ColumnarValue::Scalar(format) = &args.args[1] else {
            return plan_err!("the format of a time is a constant");
        };
        let Some(Some(format)) = format.try_as_str() else { return plan_err!("the format of a time is a text") };
        let read = |text: Option<&str>| match (text, text.and_then(|text| micros(text, format))) {
            (Some(text), None) if self.otherwise == Otherwise::Fails => {
                exec_err!("`{text}` is no time of that format; try(date_parse(...)) is null there")
            }
            (_, micros) => Ok(micros),
        };
        let times = |texts: &ArrayRef| {
            let texts = cast(texts, &DataType::Utf8)?;
            let times = texts.as_string::<i32>().iter().map(read).collect::<Result<TimestampMicrosecondArray>>()?;
            Ok::<_, DataFusionError>(times.with_timezone("UTC"))
        };
        Ok(match &args.args[0] {
            ColumnarValue::Scalar(text) => {
                ColumnarValue::Scalar(ScalarValue::try_from_array(&times(&text.to_array()?)?, 0)?)
            }
            ColumnarValue::Array(array) => ColumnarValue::Array(Arc::new(times(array)?)),
        })
    }
}

fn micros(text: &str, format: &str) -> Option<i64> {
    let mut parsed = Parsed::new();
    parse(&mut parsed, text, StrftimeItems::new(format)).ok()?;
    let has_year = parsed.year().or(parsed.year_mod_100()).or(parsed.isoyear()).is_some();
    if !has_year {
        parsed.set_year(1970).ok()?;
    }
    if parsed.ordinal().is_none() && parsed.isoweek().is_none() {
        if parsed.month().is_none() {
            parsed.set_month(1).ok()?;
        }
        if parsed.day().is_none() {
            parsed.set_day(1).ok()?;
        }
    } else if parsed.isoweek().is_some() && parsed.weekday().is_none() {
        parsed.set_weekday(chrono::Weekday::Mon).ok()?;
    }
    match (parsed.hour_div_12(), parsed.hour_mod_12()) {
        (None, None) => drop(parsed.set_hour(0).ok()?),
        (None, Some(_)) => drop(parsed.set_ampm(false).ok()?),
        (Some(_), _) => {}
    }
    if parsed.minute().is_none() {
        parsed.set_minute(0).ok()?;
    }
    let offset = parsed.offset().unwrap_or(0);
    let local = parsed.to_naive_datetime_with_offset(offset).ok()?;
    Some(local.and_utc().timestamp_micros() - i64::from(offset) * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_format_does_not_name_is_the_first_there_is() {
        for (text, format, expected) in [
            ("2024-08", "%Y-%m", "2024-08-01T00:00:00"),
            ("2024-08-03", "%Y-%m-%d", "2024-08-03T00:00:00"),
            ("10:30", "%H:%M", "1970-01-01T10:30:00"),
            ("2024-08-01T10:00:00+02:00", "%Y-%m-%dT%H:%M:%S%:z", "2024-08-01T08:00:00"),
            ("01 Aug 24 3:05", "%d %b %y %-I:%M", "2024-08-01T03:05:00"),
            ("2024-08-01 12:00:00.250 PM", "%Y-%m-%d %I:%M:%S%.f %p", "2024-08-01T12:00:00.250"),
            ("2024 214", "%Y %j", "2024-08-01T00:00:00"),
        ] {
            let micros = micros(text, format).unwrap();
            let shown = chrono::DateTime::from_timestamp_micros(micros).unwrap().naive_utc();
            assert_eq!(format!("{shown:?}"), expected, "{text}");
        }
        assert_eq!(micros("2024-08-01x", "%Y-%m-%d"), None);
        assert_eq!(micros("2024-13", "%Y-%m"), None);
    }
}
