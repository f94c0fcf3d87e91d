//! Times in Athena's words: formats, units, and texts that `eventTime` is compared with.

use std::ops::ControlFlow;

use anyhow::bail;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Interval, TableFactor,
    TypedString, Value, visit_expressions_mut,
};

use super::casts::is_text;
use super::template::{call_name, text, with_arguments};

pub fn time_format(
    function: &str,
    format: &Expr,
    chrono: impl Fn(&str) -> anyhow::Result<String>,
) -> anyhow::Result<Expr> {
    let Some(format) = text(format) else {
        let example = if function.starts_with("date_") { "%Y-%m-%d" } else { "yyyy-MM-dd" };
        bail!("the format of {function} is a text constant such as '{example}'")
    };
    Ok(Expr::Value(Value::SingleQuotedString(chrono(format)?).with_empty_span()))
}

/// The time of a zone: a time without one is of UTC, the zone of Athena's sessions, where PostgreSQL takes it for a time of the zone that
/// is asked for.
pub const AT_TIME_ZONE: &str = r#"(arrow_cast(arg1, 'Timestamp(Microsecond, Some("+00:00"))') AT TIME ZONE arg2)"#;

/// `timestamp '2024-08-01 12:00:00 America/New_York'` as a time of that zone.
pub fn time_of_zone(value: &Value) -> Option<Expr> {
    let Value::SingleQuotedString(text) = value else { return None };
    let (_, zone) = text.trim().rsplit_once(' ')?;
    let is_zone = zone.starts_with(|first: char| first.is_ascii_alphabetic() || ['+', '-'].contains(&first));
    let is_quoted = zone.contains(['\'', '"']);
    let moment = Expr::Value(Value::SingleQuotedString(text.trim().to_owned()).with_empty_span());
    let kind = format!("Timestamp(Microsecond, Some(\"{zone}\"))");
    (is_zone && !is_quoted).then(|| with_arguments(&format!("arrow_cast(arg1, '{kind}')"), &[&moment]))
}

/// A type of times in microseconds, which have room for 9999-12-31. DataFusion's are of nanoseconds, from 1677 to 2262.
pub fn in_micros(kind: &mut DataType) {
    if let DataType::Timestamp(precision @ None, _) = kind {
        *precision = Some(6);
    }
}

/// Times that a table is made of, `FROM generate_series(timestamp '2024-08-01', ...)`, in nanoseconds: DataFusion 55 takes no others there.
pub fn in_nanos(made: &mut TableFactor) {
    let _ = visit_expressions_mut(made, |expr| {
        if let Expr::Cast { data_type: kind, .. } | Expr::TypedString(TypedString { data_type: kind, .. }) = expr
            && let DataType::Timestamp(precision @ None, _) = kind
        {
            *precision = Some(9);
        }
        ControlFlow::<()>::Continue(())
    }); // the closure never breaks
}

/// For a time past the nanoseconds in which DataFusion compares texts, from 1677 to 2262, the nearest day of them: no event is past it.
fn beyond(text: &str) -> Option<&'static str> {
    let (year, rest) = text.split_at_checked(4)?;
    match year.parse::<u16>() {
        Ok(_) if !rest.is_empty() && !rest.starts_with('-') => None,
        Ok(..=1677) => Some("1678-01-01"),
        Ok(2262..) => Some("2262-01-01"),
        _ => None,
    }
}

/// What DataFusion calls a part of a time that Athena calls otherwise, or that is another there: weeks begin on Mondays, day 1.
pub fn part(field: &str) -> Option<&'static str> {
    Some(match field.to_ascii_lowercase().as_str() {
        "dow" | "day_of_week" => "isodow",
        "day_of_month" => "day",
        "day_of_year" => "doy",
        "yow" | "year_of_week" => "isoyear",
        _ => return None,
    })
}

/// The function of a part of a time that is of its zone.
pub fn part_of_zone(field: &str) -> Option<&'static str> {
    ["timezone_hour", "timezone_minute"].into_iter().find(|name| field.eq_ignore_ascii_case(name))
}

/// `INTERVAL '2 10:30' DAY TO MINUTE` as `INTERVAL '2 day 10 hour 30 minute'`.
///
/// # Errors
/// When the text has not one number for each unit.
pub fn parts_of_interval(interval: &mut Interval) -> anyhow::Result<()> {
    const UNITS: [&str; 6] = ["year", "month", "day", "hour", "minute", "second"];
    let (Some(first), Some(last)) = (&interval.leading_field, &interval.last_field) else { return Ok(()) };
    let names = [first, last].map(|field| field.to_string().to_ascii_lowercase());
    let [Some(first), Some(last)] = names.each_ref().map(|name| UNITS.iter().position(|unit| unit == name)) else {
        return Ok(());
    };
    let Some(text) = text(&interval.value) else { return Ok(()) };
    let (sign, unsigned) = text.trim().strip_prefix('-').map_or(("", text.trim()), |rest| ("-", rest));
    let numbers: Vec<&str> = unsigned.split([' ', ':', '-']).collect();
    let is_number = |number: &&str| number.parse::<f64>().is_ok_and(|number| number >= 0.0);
    if last < first || numbers.len() != last - first + 1 || !numbers.iter().all(is_number) {
        bail!("'{text}' is no interval of {} to {}: INTERVAL '2 10:30:00' DAY TO SECOND", names[0], names[1]);
    }
    let parts = numbers.iter().zip(&UNITS[first..=last]).map(|(number, unit)| format!("{sign}{number} {unit}"));
    let parts = parts.collect::<Vec<_>>().join(" ");
    *interval.value = Expr::Value(Value::SingleQuotedString(parts).with_empty_span());
    (interval.leading_field, interval.last_field) = (None, None);
    Ok(())
}

/// Units of one length, in microseconds.
const UNITS: [(&str, i64); 6] = [
    ("millisecond", 1_000),
    ("second", 1_000_000),
    ("minute", 60_000_000),
    ("hour", 3_600_000_000),
    ("day", 86_400_000_000),
    ("week", 604_800_000_000),
];

/// Months in a unit that has some.
fn months(unit: &str) -> Option<i64> {
    match unit {
        "month" => Some(1),
        "quarter" => Some(3),
        "year" => Some(12),
        _ => None,
    }
}

/// What units are named in errors.
const ALL_UNITS: &str = "millisecond, second, minute, hour, day, week, month, quarter and year";

pub fn date_add(unit: &Expr, count: &Expr, time: &Expr) -> anyhow::Result<Expr> {
    let unit = text(unit).map(str::to_ascii_lowercase).unwrap_or_default();
    let fixed = UNITS.iter().find(|(name, _)| *name == unit);
    let written = count.to_string().parse::<i64>().ok();
    let interval = |count: i64, unit: &str| with_arguments(&format!("(arg1 + INTERVAL '{count} {unit}')"), &[time]);
    Ok(match (months(&unit), fixed, written) {
        (Some(months), _, Some(count)) => interval(count.saturating_mul(months), "month"),
        (Some(months), _, None) => {
            let months = format!("CAST(concat(CAST(arg2 * {months} AS VARCHAR), ' month') AS INTERVAL)");
            with_arguments(&format!("(arg1 + {months})"), &[time, count])
        }
        (None, Some((unit, _)), Some(count)) => interval(count, unit),
        (None, Some((_, micros)), None) => {
            with_arguments(&format!("(arg1 + arrow_cast(arg2 * {micros}, 'Duration(Microsecond)'))"), &[time, count])
        }
        (None, None, _) => bail!("the unit of date_add is one of {ALL_UNITS}"),
    })
}

/// An interval so many times, which DataFusion does not multiply.
pub fn interval_times(left: &Expr, right: &Expr) -> Option<Expr> {
    let (interval, count) = match (left, right) {
        (Expr::Interval(interval), count) | (count, Expr::Interval(interval)) => (interval, count),
        _ => return None,
    };
    let (unit, None) = (interval.leading_field.as_ref()?.to_string(), &interval.last_field) else { return None };
    let each = text(&interval.value)?.trim().parse::<i64>().ok()?;
    Some(with_arguments(&format!("CAST(concat(CAST(arg1 * {each} AS VARCHAR), ' {unit}') AS INTERVAL)"), &[count]))
}

/// Whole units between two times; less than one is none.
pub fn date_diff(unit: &Expr, from: &Expr, to: &Expr) -> anyhow::Result<Expr> {
    let unit = text(unit).map(str::to_ascii_lowercase).unwrap_or_default();
    let months = months(&unit);
    if let Some(months) = months {
        return Ok(with_arguments(
            &format!(
                "(CASE WHEN arg1 <= arg2 THEN {} ELSE -{} END / {months})",
                whole_months("arg1", "arg2"),
                whole_months("arg2", "arg1")
            ),
            &[from, to],
        ));
    }
    let Some((_, micros)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        bail!("the unit of date_diff is one of {ALL_UNITS}");
    };
    let of = |time: &str| format!("arrow_cast(arrow_cast({time}, 'Timestamp(Microsecond, None)'), 'Int64')");
    Ok(with_arguments(&format!("(({} - {}) / {micros})", of("arg2"), of("arg1")), &[from, to]))
}

/// Months from one time to a later one; the last counts once its day and time have come.
fn whole_months(from: &str, to: &str) -> String {
    let month = |time: &str| format!("CAST(date_part('year', {time}) * 12 + date_part('month', {time}) AS BIGINT)");
    let rest = |time: &str| format!("to_char({time}, '%d %H:%M:%S%.f')");
    let (day, clock) =
        (|time: &str| format!("date_part('day', {time})"), |time: &str| format!("to_char({time}, '%H:%M:%S%.f')"));
    // the last day of a month is as far as any later day of a longer one
    let is_as_far = format!(
        "({} > {} AND {} = 1 AND {} >= {})",
        day(from),
        day(to),
        day(&format!("({to} + INTERVAL '1 day')")),
        clock(to),
        clock(from)
    );
    format!(
        "({} - {} - CASE WHEN {} < {} AND NOT {is_as_far} THEN 1 ELSE 0 END)",
        month(to),
        month(from),
        rest(to),
        rest(from)
    )
}

/// Puts the text of CloudTrail's record in the place of `eventTime`.
pub fn as_text(expr: &mut Expr) {
    if is_time(expr) {
        *expr = with_arguments("to_char(arg1, '%Y-%m-%dT%H:%M:%SZ')", &[expr]);
    }
}

/// Puts the text of CloudTrail's record in the place of each `eventTime` that stands beside a text which is no time, as in `eventTime <> ''`.
pub fn as_texts_beside_one(sides: &mut [&mut Expr]) {
    if sides.iter().any(|side| text(side).is_some_and(|text| !text.starts_with(|first: char| first.is_ascii_digit()))) {
        sides.iter_mut().for_each(|side| as_text(side));
    }
}

/// Writes a text that is compared with `eventTime` as a time that can be read: `2024-08-01:10:00:00`, as AWS's examples have
/// it, `2024-08-01 10:00` and `2024-08` are texts like any other for Athena.
pub fn complete_time(column: &Expr, value: &mut Expr) {
    let Expr::Value(constant) = value else { return };
    let Value::SingleQuotedString(text) = &constant.value else { return };
    if let (Some(nearest), true) = (beyond(text), is_time(column)) {
        constant.value = Value::SingleQuotedString(nearest.to_owned());
        return;
    }
    let shape: String = text.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    let rest = match shape.as_str() {
        "0000" => "-01-01",
        "0000-00" => "-01",
        _ => "",
    };
    if !rest.is_empty() && is_time(column) {
        constant.value = Value::SingleQuotedString(format!("{text}{rest}"));
        return;
    }
    let (day, clock) = (text.get(..10), text.get(11..));
    let (Some(day), Some(clock), true) = (day, clock, is_time(column)) else { return };
    constant.value = Value::SingleQuotedString(match shape.as_str() {
        "0000-00-00:00:00:00" | "0000-00-00:00:00:00Z" => format!("{day}T{clock}"),
        "0000-00-00 00:00" | "0000-00-00T00:00" | "0000-00-00:00:00" => format!("{day}T{clock}:00"),
        "0000-00-00 00" | "0000-00-00T00" => format!("{day}T{clock}:00:00"),
        _ => return,
    });
}

/// The same of a constant that is cast to a time: `'2024-08-01 10:00'::timestamp`. What may be a number keeps its nanoseconds: for these alone
/// DataFusion takes it for seconds.
pub fn complete_cast(expr: &mut Expr, kind: &mut DataType) {
    if !matches!(kind, DataType::Timestamp(..)) {
        return;
    }
    if is_time(expr) {
        in_micros(kind);
    }
    if let Expr::Value(constant) = expr
        && let Value::SingleQuotedString(text) = &mut constant.value
    {
        in_micros(kind);
        if let Some(whole) = complete(text) {
            *text = whole;
        }
    }
}

/// A time that lacks seconds, or minutes too, with them; `None` for any other text.
pub fn complete(time: &str) -> Option<String> {
    let (day, rest) = time.split_at_checked(10)?;
    let is_day = day.bytes().enumerate().all(|(place, byte)| match place {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let (between, rest) = rest.split_at_checked(1).filter(|(between, _)| is_day && ["T", " "].contains(between))?;
    let (clock, zone) =
        rest.split_at(rest.find(|letter: char| !letter.is_ascii_digit() && letter != ':').unwrap_or(rest.len()));
    let missing = match clock.len() {
        2 => ":00:00",
        5 => ":00",
        _ => return None,
    };
    Some(format!("{day}{between}{clock}{missing}{zone}"))
}

/// Calls that give one of the values of their first argument.
const ONE_OF: [&str; 6] = ["first_value", "lag", "last_value", "lead", "max", "min"];

/// Whether it is `eventTime`, or one of several.
pub fn is_time(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_time(inner),
        Expr::Function(call) if call_name(call).is_some_and(|name| ONE_OF.contains(&name.as_str())) => {
            let FunctionArguments::List(list) = &call.args else { return false };
            matches!(list.args.first(), Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(first))) if is_time(first))
        }
        Expr::Identifier(name) => is_its_name(name),
        Expr::CompoundIdentifier(names) => names.last().is_some_and(is_its_name),
        _ => false,
    }
}

fn is_its_name(name: &Ident) -> bool {
    name.quote_style == Some(OF_TIME)
        || name.value.eq_ignore_ascii_case("eventtime") && name.quote_style != Some(OF_TEXT)
}

/// The quotes of an `eventTime` that is a text, as a subquery gives it: nobody can type them, and the name within is the same.
const OF_TEXT: char = '`';
/// Those of another name that a subquery gives to `eventTime`.
const OF_TIME: char = '[';

/// Says of a name that it is that of a text, where it is `eventTime`.
pub fn mark_text(name: &mut Ident) {
    if is_its_name(name) {
        mark(name, OF_TEXT);
    }
}

/// Says of a name that it is one of `eventTime`.
pub fn mark_time(name: &mut Ident) {
    mark(name, OF_TIME);
}

/// A name without quotes is folded, which no other is.
fn mark(name: &mut Ident, quotes: char) {
    if name.quote_style.is_none() {
        name.value.make_ascii_lowercase();
    }
    name.quote_style = Some(quotes);
}

/// Calls that make a text, of a time or of a part of its text.
const MAKE_TEXT: [&str; 12] = [
    "concat",
    "date_format",
    "format_datetime",
    "lower",
    "regexp_extract",
    "regexp_replace",
    "replace",
    "split_part",
    "substr",
    "to_char",
    "to_iso8601",
    "upper",
];

/// Whether an expression, as it was typed, is a text that is made of others.
pub fn makes_text(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => makes_text(inner),
        Expr::Function(call) => call_name(call).is_some_and(|name| MAKE_TEXT.contains(&name.as_str())),
        Expr::Cast { data_type, .. } => is_text(data_type),
        Expr::Substring { .. } | Expr::BinaryOp { op: BinaryOperator::StringConcat, .. } => true,
        _ => false,
    }
}

pub fn is_date(expr: &Expr) -> bool {
    match expr {
        Expr::TypedString(TypedString { data_type, .. }) | Expr::Cast { data_type, .. } => {
            matches!(data_type, DataType::Date)
        }
        _ => false,
    }
}
