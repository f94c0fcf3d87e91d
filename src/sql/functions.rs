//! Athena's functions that DataFusion has no word for: `url_decode(text)`, `url_encode(text)` and `format(pattern, value, ...)`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

pub fn all() -> Vec<ScalarUDF> {
    [What::Decode, What::Encode, What::Format]
        .map(|what| {
            let signature = Signature::variadic_any(Volatility::Immutable);
            ScalarUDF::new_from_impl(OfTexts { what, signature })
        })
        .into()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Decode,
    Encode,
    Format,
}

/// A text made of values as texts; null where one of them is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OfTexts {
    what: What,
    signature: Signature,
}

impl ScalarUDFImpl for OfTexts {
    fn name(&self) -> &str {
        match self.what {
            What::Decode => "url_decode",
            What::Encode => "url_encode",
            What::Format => "format",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match (self.what, args.len()) {
            (What::Format, 0) => plan_err!("format takes a pattern and values: format('%s: %d', eventName, 5)"),
            (What::Decode | What::Encode, count) if count != 1 => plan_err!("{} takes one text", self.name()),
            _ => Ok(DataType::Utf8),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let text = |arg: &ColumnarValue| Ok(cast(&arg.to_array(rows)?, &DataType::Utf8)?);
        let columns = args.args.iter().map(text).collect::<Result<Vec<ArrayRef>>>()?;
        let columns: Vec<&StringArray> = columns.iter().map(|column| column.as_string::<i32>()).collect();
        let one = |row: usize| {
            let texts: Option<Vec<&str>> =
                columns.iter().map(|column| column.is_valid(row).then(|| column.value(row))).collect();
            let Some(texts) = texts else { return Ok(None) };
            Ok(match self.what {
                What::Decode => Some(decoded(texts[0])),
                What::Encode => Some(encoded(texts[0])),
                What::Format => Some(formatted(texts[0], &texts[1..]).map_err(|why| exec_datafusion_err!("{why}"))?),
            })
        };
        let texts = (0..rows).map(one).collect::<Result<StringArray>>()?;
        Ok(ColumnarValue::Array(Arc::new(texts)))
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

fn encoded(text: &str) -> String {
    /// What a form leaves as it is.
    const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'*').remove(b'_').remove(b' ');
    utf8_percent_encode(text, FORM).to_string().replace(' ', "+")
}

/// A pattern of Java's formatter with its values, of which it knows `%s`, `%b`, `%d`, `%x`, `%f`, `%e`, with flags, width and precision.
fn formatted(pattern: &str, values: &[&str]) -> std::result::Result<String, String> {
    let mut out = String::new();
    let mut next = values.iter();
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let end = rest.find(|letter: char| letter.is_ascii_alphabetic() || letter == '%');
        let Some(end) = end else { return Err(format!("`%{rest}` of format has no letter: write %s or %d")) };
        let (spec, kind) = (&rest[..end], rest.as_bytes()[end]);
        rest = &rest[end + 1..];
        if let (b'%' | b'n', "") = (kind, spec) {
            out.push(if kind == b'n' { '\n' } else { '%' });
            continue;
        }
        // `%2$s` is the second value, wherever it stands
        let (value, spec) = match spec.split_once('$') {
            Some((place, spec)) => {
                (place.parse::<usize>().ok().and_then(|place| values.get(place.checked_sub(1)?)), spec)
            }
            None => (next.next(), spec),
        };
        let Some(value) = value else {
            return Err(format!("`{pattern}` has more places than there are values"));
        };
        let size = spec.trim_start_matches(['-', '0', ',', '+']);
        let flags = &spec[..spec.len() - size.len()];
        let (width, precision) = size.split_once('.').unwrap_or((size, ""));
        let number = |digits: &str, other: usize| match digits {
            "" => Ok(other),
            // no answer is made of more blanks than anybody reads
            _ => digits.parse().ok().filter(|&number| number <= 1000).ok_or(format!("`%{spec}` of format is no size")),
        };
        let width = number(width, 0)?;
        let whole = || {
            value.parse::<i64>().map_err(|_| format!("%{} of format needs a whole number, not `{value}`", kind as char))
        };
        let real =
            || value.parse::<f64>().map_err(|_| format!("%{} of format needs a number, not `{value}`", kind as char));
        let text = match kind {
            b's' | b'b' => value.chars().take(number(precision, usize::MAX)?).collect(),
            b'd' => whole()?.to_string(),
            b'x' => format!("{:x}", whole()?),
            b'X' => format!("{:X}", whole()?),
            b'f' => format!("{:.*}", number(precision, 6)?, real()?),
            b'e' => format!("{:.*e}", number(precision, 6)?, real()?),
            other => return Err(format!("format does not know `%{}`: there are %s, %d, %x, %f and %e", other as char)),
        };
        out.push_str(&padded(text, flags, width, !matches!(kind, b's' | b'b')));
    }
    Ok(out + rest)
}

/// A number or text with the flags of its place: thousands apart, a plus, and zeros or blanks up to the width.
fn padded(mut text: String, flags: &str, width: usize, is_number: bool) -> String {
    if is_number && flags.contains(',') {
        let begin = usize::from(text.starts_with('-'));
        let mut at = text.find(['.', 'e']).unwrap_or(text.len());
        while at > begin + 3 {
            at -= 3;
            text.insert(at, ',');
        }
    }
    if is_number && flags.contains('+') && !text.starts_with('-') {
        text.insert(0, '+');
    }
    let missing = width.saturating_sub(text.chars().count());
    match (flags.contains('-'), is_number && flags.contains('0')) {
        (true, _) => text + &" ".repeat(missing),
        (false, true) => {
            text.insert_str(usize::from(text.starts_with(['-', '+'])), &"0".repeat(missing));
            text
        }
        (false, false) => " ".repeat(missing) + &text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_filled_as_java_does() {
        for (pattern, values, expected) in [
            ("%s-%d %.2f%%", &["x", "5", "1.239"][..], "x-5 1.24%"),
            ("%,d|%,.1f|%d", &["1234567", "-1234.56", "999"], "1,234,567|-1,234.6|999"),
            ("%05d|%5s|%-5s|%x|%+d", &["-42", "ab", "ab", "255", "7"], "-0042|   ab|ab   |ff|+7"),
            ("é%sé%n", &["ü"], "éüé\n"),
            ("%.3s", &["abcdef"], "abc"),
            ("%2$s %1$05d %b", &["7", "b"], "b 00007 7"),
            ("none", &["left over"], "none"),
        ] {
            assert_eq!(formatted(pattern, values).unwrap(), expected);
        }
        for (pattern, values, expected) in [
            ("%d", &["1.5"][..], "needs a whole number, not `1.5`"),
            ("%s %s", &["a"], "more places"),
            ("%3$s", &["a"], "more places"),
            ("%q", &["a"], "does not know `%q`"),
            ("100%", &[], "no letter"),
            ("%99999999s", &["a"], "no size"),
        ] {
            let error = formatted(pattern, values).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_url_is_written_and_read_as_forms_do() {
        let text = "a b/c?é=*-_.%";
        assert_eq!(encoded(text), "a+b%2Fc%3F%C3%A9%3D*-_.%25");
        assert_eq!(decoded(&encoded(text)), text);
        assert_eq!(decoded("100%zz%"), "100%zz%");
    }
}
