//! Athena's functions of one row's texts and numbers that DataFusion has no word for: times and sizes written for people,
//! digits in other bases, and texts that sound or look alike. Null where an argument is.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, Int64Array, IntervalMonthDayNanoArray,
    StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Float64Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use sha1::{Digest, Sha1};

/// Before the name of a function: null in the place of an error.
const TRY: &str = "try_";

pub fn all() -> Vec<ScalarUDF> {
    let function = |place: usize, name: String| {
        let signature = Signature::any(FUNCTIONS[place].takes.len(), Volatility::Immutable);
        ScalarUDF::new_from_impl(Plain { place, tries: name.starts_with(TRY), name, signature })
    };
    let names = FUNCTIONS.iter().map(|function| function.name).enumerate();
    names
        .flat_map(|(place, name)| [function(place, name.to_owned()), function(place, format!("{TRY}{name}"))])
        .collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Whole,
    Real,
    Bytes,
    Truth,
    Interval,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    Whole(i64),
    Real(f64),
    Bytes(Vec<u8>),
    Truth(bool),
    /// Milliseconds.
    Interval(i64),
}

struct Function {
    name: &'static str,
    takes: &'static [Kind],
    gives: Kind,
    of: fn(&[Value]) -> Answer,
}

const FUNCTIONS: &[Function] = &[
    Function { name: "bit_count", takes: &[Kind::Whole, Kind::Whole], gives: Kind::Whole, of: bit_count },
    Function { name: "format_number", takes: &[Kind::Real], gives: Kind::Text, of: format_number },
    Function { name: "from_base", takes: &[Kind::Text, Kind::Whole], gives: Kind::Whole, of: from_base },
    Function { name: "hamming_distance", takes: &[Kind::Text, Kind::Text], gives: Kind::Whole, of: hamming_distance },
    Function { name: "human_readable_seconds", takes: &[Kind::Real], gives: Kind::Text, of: human_readable_seconds },
    Function { name: "is_json_scalar", takes: &[Kind::Text], gives: Kind::Truth, of: is_json_scalar },
    Function { name: "json_checked", takes: &[Kind::Text], gives: Kind::Text, of: json_checked },
    Function { name: "json_field", takes: &[Kind::Text, Kind::Text], gives: Kind::Text, of: json_field },
    Function { name: "luhn_check", takes: &[Kind::Text], gives: Kind::Truth, of: luhn_check },
    Function { name: "parse_data_size", takes: &[Kind::Text], gives: Kind::Whole, of: parse_data_size },
    Function { name: "parse_duration", takes: &[Kind::Text], gives: Kind::Interval, of: parse_duration },
    Function { name: "sha1", takes: &[Kind::Bytes], gives: Kind::Bytes, of: sha1 },
    Function { name: "soundex", takes: &[Kind::Text], gives: Kind::Text, of: soundex },
    Function { name: "strpos_of", takes: &[Kind::Text, Kind::Text, Kind::Whole], gives: Kind::Whole, of: strpos_of },
    Function { name: "to_base", takes: &[Kind::Whole, Kind::Whole], gives: Kind::Text, of: to_base },
    Function { name: "to_milliseconds", takes: &[Kind::Interval], gives: Kind::Whole, of: to_milliseconds },
];

#[derive(Debug, PartialEq, Eq, Hash)]
struct Plain {
    /// In [`FUNCTIONS`].
    place: usize,
    name: String,
    /// Whether it is null where there is no answer.
    tries: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Plain {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(FUNCTIONS[self.place].gives.data_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let function = &FUNCTIONS[self.place];
        let column =
            |(arg, kind): (&ColumnarValue, &Kind)| Ok(cast(&arg.to_array(args.number_rows)?, &kind.data_type())?);
        let columns = args.args.iter().zip(function.takes).map(column).collect::<Result<Vec<ArrayRef>>>()?;
        let answer = |row: usize| {
            let values = columns.iter().zip(function.takes).map(|(column, kind)| kind.value(column, row));
            let values: Option<Vec<Value>> = values.collect();
            let answer = values.map(|values| (function.of)(&values)).transpose();
            if self.tries && answer.is_err() {
                return Ok(None);
            }
            answer.map_err(|why| exec_datafusion_err!("{}: {why}", function.name))
        };
        let answers = (0..args.number_rows).map(answer).collect::<Result<Vec<Option<Value>>>>()?;
        Ok(ColumnarValue::Array(array(function.gives, answers)))
    }
}

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Kind::Text => DataType::Utf8,
            Kind::Whole => DataType::Int64,
            Kind::Real => DataType::Float64,
            Kind::Bytes => DataType::Binary,
            Kind::Truth => DataType::Boolean,
            Kind::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
        }
    }

    fn value(self, column: &ArrayRef, row: usize) -> Option<Value> {
        column.is_valid(row).then(|| match self {
            Kind::Text => Value::Text(column.as_string::<i32>().value(row).to_owned()),
            Kind::Whole => Value::Whole(column.as_primitive::<Int64Type>().value(row)),
            Kind::Real => Value::Real(column.as_primitive::<Float64Type>().value(row)),
            Kind::Bytes => Value::Bytes(column.as_binary::<i32>().value(row).to_owned()),
            Kind::Truth => Value::Truth(column.as_boolean().value(row)),
            Kind::Interval => {
                let interval = column.as_primitive::<IntervalMonthDayNanoType>().value(row);
                Value::Interval(i64::from(interval.days) * DAY_MS + interval.nanoseconds / 1_000_000)
            }
        })
    }
}

const DAY_MS: i64 = 86_400_000;

/// A column of values that are all of the kind.
fn array(kind: Kind, values: Vec<Option<Value>>) -> ArrayRef {
    macro_rules! column {
        ($kind:ident, $array:ty) => {
            Arc::new(
                values
                    .iter()
                    .map(|value| match value {
                        Some(Value::$kind(value)) => Some(value.clone()),
                        _ => None,
                    })
                    .collect::<$array>(),
            )
        };
    }
    match kind {
        Kind::Text => column!(Text, StringArray),
        Kind::Whole => column!(Whole, Int64Array),
        Kind::Real => column!(Real, Float64Array),
        Kind::Bytes => column!(Bytes, BinaryArray),
        Kind::Truth => column!(Truth, BooleanArray),
        Kind::Interval => {
            let interval = |ms: &i64| IntervalMonthDayNano::new(0, (ms / DAY_MS) as i32, ms % DAY_MS * 1_000_000);
            let intervals = values.iter().map(|value| match value {
                Some(Value::Interval(ms)) => Some(interval(ms)),
                _ => None,
            });
            Arc::new(intervals.collect::<IntervalMonthDayNanoArray>())
        }
    }
}

type Answer = std::result::Result<Value, String>;

/// Why a function is asked of other values than it takes, which the casts before it prevent.
fn other(args: &[Value]) -> Answer {
    Err(format!("it does not take {args:?}"))
}

/// How many bits are set of a number in so many bits, of two's complement.
fn bit_count(args: &[Value]) -> Answer {
    let [Value::Whole(number), Value::Whole(bits)] = args else { return other(args) };
    if !(2..=64).contains(bits) {
        return Err(format!("a number has 2 to 64 bits, not {bits}"));
    }
    let (low, high) = (-1_i128 << (bits - 1), (1_i128 << (bits - 1)) - 1);
    if !(low..=high).contains(&i128::from(*number)) {
        return Err(format!("{number} has no room in {bits} bits"));
    }
    let mask = u64::MAX >> (64 - bits);
    Ok(Value::Whole(i64::from((*number as u64 & mask).count_ones())))
}

/// A number with three digits and the letter of its size.
fn format_number(args: &[Value]) -> Answer {
    const SIZES: [&str; 6] = ["", "K", "M", "B", "T", "Q"];
    let [Value::Real(number)] = args else { return other(args) };
    let (mut rest, mut size) = (number.abs(), 0);
    while rest >= 1000.0 && size + 1 < SIZES.len() {
        rest /= 1000.0;
        size += 1;
    }
    let places = match rest {
        rest if rest < 10.0 => 2,
        rest if rest < 100.0 => 1,
        _ => 0,
    };
    let digits = format!("{rest:.places$}");
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
    Ok(Value::Text(format!("{}{digits}{}", if *number < 0.0 { "-" } else { "" }, SIZES[size])))
}

fn from_base(args: &[Value]) -> Answer {
    let [Value::Text(text), Value::Whole(radix)] = args else { return other(args) };
    let number = i64::from_str_radix(text, radix_of(*radix)?);
    number.map(Value::Whole).map_err(|_| format!("`{text}` is no number of base {radix}"))
}

fn to_base(args: &[Value]) -> Answer {
    let [Value::Whole(number), Value::Whole(radix)] = args else { return other(args) };
    let radix = radix_of(*radix)?;
    let (mut rest, mut digits) = (number.unsigned_abs(), Vec::new());
    while rest > 0 || digits.is_empty() {
        digits.extend(char::from_digit((rest % u64::from(radix)) as u32, radix));
        rest /= u64::from(radix);
    }
    digits.extend((*number < 0).then_some('-'));
    Ok(Value::Text(digits.iter().rev().collect()))
}

fn radix_of(radix: i64) -> std::result::Result<u32, String> {
    u32::try_from(radix).ok().filter(|radix| (2..=36).contains(radix)).ok_or(format!("a base is 2 to 36, not {radix}"))
}

/// In how many places two texts of one length differ.
fn hamming_distance(args: &[Value]) -> Answer {
    let [Value::Text(one), Value::Text(two)] = args else { return other(args) };
    if one.chars().count() != two.chars().count() {
        return Err(format!("`{one}` and `{two}` are not of one length"));
    }
    Ok(Value::Whole(one.chars().zip(two.chars()).filter(|(one, two)| one != two).count() as i64))
}

/// 3762 as `1 hour, 2 minutes, 42 seconds`.
fn human_readable_seconds(args: &[Value]) -> Answer {
    const UNITS: [(&str, i64); 5] = [("week", 604_800), ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)];
    let [Value::Real(seconds)] = args else { return other(args) };
    if !seconds.is_finite() {
        return Err(format!("{seconds} is no number of seconds"));
    }
    let (mut rest, mut parts) = (seconds.abs().round() as i64, Vec::new());
    for (unit, length) in UNITS {
        let count = rest / length;
        rest %= length;
        if count > 0 || (unit == "second" && parts.is_empty()) {
            parts.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
        }
    }
    Ok(Value::Text(parts.join(", ")))
}

fn is_json_scalar(args: &[Value]) -> Answer {
    let [Value::Text(json)] = args else { return other(args) };
    let value = serde_json::from_str::<serde_json::Value>(json).map_err(|_| no_json(json))?;
    Ok(Value::Truth(!value.is_array() && !value.is_object()))
}

/// The JSON of a text without its blanks.
fn json_checked(args: &[Value]) -> Answer {
    let [Value::Text(json)] = args else { return other(args) };
    let value = serde_json::from_str::<serde_json::Value>(json).map_err(|_| no_json(json))?;
    Ok(Value::Text(value.to_string()))
}

/// The text of a member of JSON, whose name is that in any case where none is the same.
fn json_field(args: &[Value]) -> Answer {
    let [Value::Text(json), Value::Text(name)] = args else { return other(args) };
    let value = serde_json::from_str::<serde_json::Value>(json).map_err(|_| no_json(json))?;
    let members = value.as_object().ok_or(format!("there is no `{name}` where there is no object"))?;
    let alike = || members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    match members.get(name).or_else(alike) {
        None | Some(serde_json::Value::Null) => Err(format!("there is no `{name}`")),
        Some(serde_json::Value::String(text)) => Ok(Value::Text(text.clone())),
        Some(other) => Ok(Value::Text(other.to_string())),
    }
}

fn no_json(text: &str) -> String {
    let begin: String = text.chars().take(40).collect();
    format!("`{begin}` is no JSON; try(json_parse(...)) is null there")
}

/// Whether the last digit checks those before it, as that of a credit card's number does.
fn luhn_check(args: &[Value]) -> Answer {
    let [Value::Text(digits)] = args else { return other(args) };
    let numbers: Option<Vec<u32>> = digits.chars().map(|digit| digit.to_digit(10)).collect();
    let numbers = numbers.ok_or(format!("`{digits}` has other letters than digits"))?;
    let weigh = |(place, digit): (usize, &u32)| match (place % 2, digit * 2) {
        (1, twice) if twice > 9 => twice - 9,
        (1, twice) => twice,
        _ => *digit,
    };
    let sum: u32 = numbers.iter().rev().enumerate().map(weigh).sum();
    Ok(Value::Truth(!numbers.is_empty() && sum.is_multiple_of(10)))
}

/// A number and a unit of the list behind it, without blanks around either.
fn number_and_unit<T: Copy>(text: &str, units: &[(&str, T)]) -> Option<(f64, T)> {
    let text = text.trim();
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
    let (number, unit) = text.split_at(end);
    let (_, unit) = units.iter().find(|(name, _)| *name == unit.trim())?;
    Some((number.parse().ok()?, *unit))
}

/// `2.3MB` in bytes, of which a kilobyte has 1024.
fn parse_data_size(args: &[Value]) -> Answer {
    const UNITS: [(&str, i32); 7] = [("B", 0), ("kB", 1), ("MB", 2), ("GB", 3), ("TB", 4), ("PB", 5), ("EB", 6)];
    let [Value::Text(text)] = args else { return other(args) };
    let (number, power) = number_and_unit(text, &UNITS).ok_or(format!("`{text}` is no size such as 2.3MB"))?;
    Ok(Value::Whole((number * 1024_f64.powi(power)) as i64))
}

/// `3.81 d` as an interval, to the millisecond.
fn parse_duration(args: &[Value]) -> Answer {
    const UNITS: [(&str, f64); 7] =
        [("ns", 1e-6), ("us", 1e-3), ("ms", 1.0), ("s", 1e3), ("m", 6e4), ("h", 3.6e6), ("d", 8.64e7)];
    let [Value::Text(text)] = args else { return other(args) };
    let (number, unit) = number_and_unit(text, &UNITS).ok_or(format!("`{text}` is no duration such as 3.81d or 5m"))?;
    Ok(Value::Interval((number * unit).round() as i64))
}

fn to_milliseconds(args: &[Value]) -> Answer {
    let [Value::Interval(ms)] = args else { return other(args) };
    Ok(Value::Whole(*ms))
}

fn sha1(args: &[Value]) -> Answer {
    let [Value::Bytes(bytes)] = args else { return other(args) };
    Ok(Value::Bytes(Sha1::digest(bytes).to_vec()))
}

/// The letter that a name begins with, and three digits for how it sounds.
fn soundex(args: &[Value]) -> Answer {
    let [Value::Text(name)] = args else { return other(args) };
    let code = |letter: char| match letter.to_ascii_uppercase() {
        'B' | 'F' | 'P' | 'V' => '1',
        'C' | 'G' | 'J' | 'K' | 'Q' | 'S' | 'X' | 'Z' => '2',
        'D' | 'T' => '3',
        'L' => '4',
        'M' | 'N' => '5',
        'R' => '6',
        _ => '0',
    };
    let letters: Vec<char> = name.chars().filter(char::is_ascii_alphabetic).collect();
    let Some(first) = letters.first() else { return Ok(Value::Text(String::new())) };
    let (mut text, mut last) = (first.to_ascii_uppercase().to_string(), code(*first));
    for letter in &letters[1..] {
        let next = code(*letter);
        if next != '0' && next != last {
            text.push(next);
        }
        // of two that H or W stands between the sound is one
        if !matches!(letter.to_ascii_uppercase(), 'H' | 'W') {
            last = next;
        }
    }
    Ok(Value::Text(format!("{text:0<4}").chars().take(4).collect()))
}

/// Where a part stands in a text for the so many-th time, from its end where that is negative; 0 where it does not.
fn strpos_of(args: &[Value]) -> Answer {
    let [Value::Text(text), Value::Text(part), Value::Whole(which)] = args else { return other(args) };
    if *which == 0 {
        return Err(
            "a part stands somewhere for the first time, 1, or for the last, -1, and not for the 0th".to_owned()
        );
    }
    let mut places: Vec<usize> =
        text.char_indices().map(|(at, _)| at).filter(|at| text[*at..].starts_with(part)).collect();
    if *which < 0 {
        places.reverse();
    }
    let found = usize::try_from(which.unsigned_abs() - 1).ok().and_then(|which| places.get(which));
    Ok(Value::Whole(found.map_or(0, |at| text[..*at].chars().count() as i64 + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn functions_answer_as_they_are_documented() {
        let wrong: Vec<String> = [
            (bit_count as fn(&[Value]) -> Answer, vec![Value::Whole(-7), Value::Whole(8)], Value::Whole(6)),
            (bit_count, vec![Value::Whole(9), Value::Whole(64)], Value::Whole(2)),
            (format_number, vec![Value::Real(123_456.0)], text("123K")),
            (format_number, vec![Value::Real(1_000_000.0)], text("1M")),
            (from_base, vec![text("-ff"), Value::Whole(16)], Value::Whole(-255)),
            (to_base, vec![Value::Whole(-5), Value::Whole(2)], text("-101")),
            (to_base, vec![Value::Whole(0), Value::Whole(2)], text("0")),
            (hamming_distance, vec![text("abé"), text("xbe")], Value::Whole(2)),
            (human_readable_seconds, vec![Value::Real(96.0)], text("1 minute, 36 seconds")),
            (human_readable_seconds, vec![Value::Real(3762.0)], text("1 hour, 2 minutes, 42 seconds")),
            (human_readable_seconds, vec![Value::Real(0.0)], text("0 seconds")),
            (
                human_readable_seconds,
                vec![Value::Real(56_363_463.0)],
                text("93 weeks, 1 day, 8 hours, 31 minutes, 3 seconds"),
            ),
            (is_json_scalar, vec![text("[1, 2]")], Value::Truth(false)),
            (is_json_scalar, vec![text("1")], Value::Truth(true)),
            (json_checked, vec![text("{ \"a\" : [1, 2] }")], text("{\"a\":[1,2]}")),
            (json_field, vec![text("{\"bucketname\":1,\"bucketName\":\"x\"}"), text("bucketName")], text("x")),
            (json_field, vec![text("{\"bucketName\":{\"a\":[1.50]}}"), text("BUCKETNAME")], text("{\"a\":[1.5]}")),
            (luhn_check, vec![text("79927398713")], Value::Truth(true)),
            (luhn_check, vec![text("79927398714")], Value::Truth(false)),
            (parse_data_size, vec![text("1B")], Value::Whole(1)),
            (parse_data_size, vec![text("2.3MB")], Value::Whole(2_411_724)),
            (parse_duration, vec![text("42.8ms")], Value::Interval(43)),
            (parse_duration, vec![text("3.81 d")], Value::Interval(329_184_000)),
            (soundex, vec![text("Robert")], text("R163")),
            (soundex, vec![text("Ashcraft")], text("A261")),
            (strpos_of, vec![text("éxéx"), text("x"), Value::Whole(2)], Value::Whole(4)),
            (strpos_of, vec![text("aaa"), text("aa"), Value::Whole(-1)], Value::Whole(2)),
            (strpos_of, vec![text("aaa"), text("b"), Value::Whole(1)], Value::Whole(0)),
        ]
        .into_iter()
        .filter_map(|(function, args, expected)| {
            let answer = function(&args);
            (answer.as_ref() != Ok(&expected)).then(|| format!("{args:?}: {answer:?}, and not {expected:?}"))
        })
        .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        for (function, args) in [
            (from_base as fn(&[Value]) -> Answer, vec![text("xyz"), Value::Whole(16)]),
            (to_base, vec![Value::Whole(1), Value::Whole(37)]),
            (json_checked, vec![text("{bad")]),
            (json_field, vec![text("{\"a\":null}"), text("a")]),
            (json_field, vec![text("[1]"), text("a")]),
            (parse_duration, vec![text("5 weeks")]),
            (hamming_distance, vec![text("a"), text("ab")]),
            (bit_count, vec![Value::Whole(128), Value::Whole(8)]),
        ] {
            assert!(function(&args).is_err(), "{args:?}");
        }
    }
}
