//! JSON scalars and string contents → the values of columns.

use chrono::Datelike;
use serde_json::Value;

use crate::decode::cut::closing_quote;
use crate::time::{MICROS_PER_DAY, MICROS_PER_SECOND, Timestamp};

/// Reads timestamps; remembers the last day, which in a log is nearly always the next one too.
#[derive(Default)]
pub struct Clockwork {
    date: [u8; 10],
    micros: i64,
}

impl Clockwork {
    /// Microseconds since the epoch of ISO 8601 text, or of a number of seconds, or of parts of a second.
    pub fn read(&mut self, text: &[u8]) -> Option<i64> {
        self.of_last_day(text).or_else(|| self.parse(text))
    }

    /// The same of a time of the last day, in the notation of CloudTrail.
    #[inline]
    pub fn of_last_day(&self, text: &[u8]) -> Option<i64> {
        if let Ok(&[ref head @ .., b'T', h1, h0, b':', m1, m0, b':', s1, s0, b'Z']) = <&[u8; 20]>::try_from(text)
            && *head == self.date
        {
            let pair = |tens: u8, ones: u8| {
                let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
                (tens < 10 && ones < 10).then(|| i64::from(tens * 10 + ones))
            };
            let (hours, minutes, seconds) = (pair(h1, h0)?, pair(m1, m0)?, pair(s1, s0)?);
            if hours < 24 && minutes < 60 && seconds < 60 {
                return Some(self.micros + ((hours * 60 + minutes) * 60 + seconds) * MICROS_PER_SECOND);
            }
        }
        None
    }

    #[cold]
    fn parse(&mut self, text: &[u8]) -> Option<i64> {
        let text = std::str::from_utf8(text).ok()?.trim();
        if let Some(time) = Timestamp::parse(text) {
            if text.len() == 20 {
                self.date.copy_from_slice(&text.as_bytes()[..10]);
                self.micros = time.0.div_euclid(MICROS_PER_DAY) * MICROS_PER_DAY;
            }
            return Some(time.0);
        }
        // what CloudTrail Lake and Athena print has a space, and no zone or this one
        let plain = text.strip_suffix(" UTC").unwrap_or(text);
        // what PowerShell makes JSON of
        if let Some(millis) = text.strip_prefix("/Date(").and_then(|text| text.strip_suffix(")/")) {
            return millis.parse::<i64>().ok()?.checked_mul(1000);
        }
        const AMERICAN: &str = "%m/%d/%Y %I:%M:%S %p";
        const FORMS: [&str; 10] = [
            "%Y-%m-%dT%H:%M:%S%.f",
            "%Y-%m-%d %H:%M:%S%.f",
            "%Y-%m-%dT%H:%MZ",
            // a spreadsheet
            "%Y-%m-%d %H:%M",
            "%Y/%m/%d %H:%M:%S%.f",
            // the portal of Microsoft Sentinel
            "%m/%d/%Y, %I:%M:%S%.f %p",
            // PowerShell, in CSV
            AMERICAN,
            // Kibana and OpenSearch Dashboards
            "%B %d, %Y @ %H:%M:%S%.f",
            // Java, as Gson writes dates
            "%B %d, %Y, %I:%M:%S %p",
            "%B %d, %Y %I:%M:%S %p",
        ];
        // a year of two digits is none of the first century: who knows the order of `24/05/01` reads it
        const YEAR_MIN: i32 = 1000;
        for form in FORMS {
            if let Ok(time) = chrono::NaiveDateTime::parse_from_str(plain, form)
                && time.year() >= YEAR_MIN
                && (form != AMERICAN || is_american(plain))
            {
                return Some(time.and_utc().timestamp_micros());
            }
        }
        // PostgreSQL, Ruby and Go print the second, and the console shows the last
        for form in ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%B %d, %Y, %H:%M:%S (UTC%:z)"] {
            if let Ok(time) = chrono::DateTime::parse_from_str(plain, form)
                && time.year() >= YEAR_MIN
            {
                return Some(time.timestamp_micros());
            }
        }
        // HTTP and JavaScript
        if let Ok(time) = chrono::DateTime::parse_from_rfc2822(text) {
            return Some(time.timestamp_micros());
        }
        epoch(text)
    }
}

/// Whether a date has its month first, as PowerShell writes it in the United States. It writes `1/08/2024` for the first of August in
/// Australia, and `am` there and in Singapore.
fn is_american(text: &str) -> bool {
    text.ends_with('M') && !text.starts_with('0') && !text.contains("/0")
}

/// A number of seconds since the epoch, or of the thousandths of one, millionths or billionths, that does not lie past
/// the year 5138.
fn epoch(text: &str) -> Option<i64> {
    if !text.as_bytes().first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-') {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    let seconds = match number.abs() {
        ..1e11 => number,
        ..1e14 => number / 1e3,
        ..1e17 => number / 1e6,
        _ => number / 1e9,
    };
    let micros = (seconds * 1e6).round();
    (micros.abs() < 9.2e18).then_some(micros as i64)
}

/// A whole number, also one written as `3.0` or `3e2`.
pub fn int(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(number) = text.parse::<i64>() {
        return Some(number);
    }
    let number: f64 = text.parse().ok()?;
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

pub fn float(text: &[u8]) -> Option<f64> {
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    number.is_finite().then_some(number)
}

#[inline]
pub fn flag(text: &[u8]) -> Option<bool> {
    match text {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => flag_of_case(text),
    }
}

#[cold]
fn flag_of_case(text: &[u8]) -> Option<bool> {
    if text.eq_ignore_ascii_case(b"true") || text == b"1" {
        Some(true)
    } else if text.eq_ignore_ascii_case(b"false") || text == b"0" {
        Some(false)
    } else {
        None
    }
}

/// Whether a text of JSON has so few values that they can be kept while something is made of them: each takes 72 bytes, and one that is
/// alone in its list four times as much.
pub fn has_few_values(json: &[u8]) -> bool {
    const MOST: usize = 300_000;
    let few = |count: usize| count <= MOST;
    if few(memchr::memchr3_iter(b',', b'[', b'{', json).take(MOST + 1).count()) {
        return true;
    }
    // those in strings are none
    let (mut at, mut count) = (0, 0);
    while at < json.len() && few(count) {
        match json[at] {
            b'"' => at = closing_quote(json, at + 1).unwrap_or(json.len()),
            byte => count += usize::from(matches!(byte, b',' | b'[' | b'{')),
        }
        at += 1;
    }
    few(count)
}

/// The text of a scalar that stands in an object as MongoDB's tools export it: `{"$date": ...}` and its like.
#[inline]
pub fn inside(value: &[u8]) -> Option<Vec<u8>> {
    if value.first() == Some(&b'{') { inside_of_mongo(value) } else { None }
}

#[cold]
fn inside_of_mongo(value: &[u8]) -> Option<Vec<u8>> {
    const OF_MONGO: [&str; 6] = ["$date", "$numberLong", "$numberInt", "$numberDouble", "$numberDecimal", "$oid"];
    /// Longer ones are none of these.
    const LENGTH_MAX: usize = 64 << 10;
    let mut value: Value = serde_json::from_slice(value.get(..value.len().min(LENGTH_MAX))?).ok()?;
    loop {
        value = match value {
            Value::Object(members) if members.len() == 1 => {
                let (name, inside) = members.into_iter().next()?;
                OF_MONGO.contains(&name.as_str()).then_some(inside)?
            }
            Value::String(text) => return Some(text.into_bytes()),
            Value::Number(number) => return Some(number.to_string().into_bytes()),
            Value::Bool(flag) => return Some(flag.to_string().into_bytes()),
            Value::Null | Value::Object(_) | Value::Array(_) => return None,
        };
    }
}

/// True for `true`, `false`, `null` and numbers as RFC 8259 writes them.
pub fn is_scalar(text: &[u8]) -> bool {
    if matches!(text, b"true" | b"false" | b"null") {
        return true;
    }
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || whole > 1 && rest[0] == b'0' {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-")).unwrap_or(exponent);
        let count = digits(exponent);
        return count > 0 && count == exponent.len();
    }
    rest.is_empty()
}

/// Appends the text that the inside of a JSON string stands for. Half a surrogate pair becomes U+FFFD, because
/// AWS passes on what clients send as user agent. An escape that JSON does not know is `None`.
pub fn unescape(inside: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = inside;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let (plain, length) = match *rest.get(at + 1)? {
            c @ (b'"' | b'\\' | b'/') => (c as char, 2),
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            b'n' => ('\n', 2),
            b'r' => ('\r', 2),
            b't' => ('\t', 2),
            b'u' => {
                let first = hex(rest.get(at + 2..at + 6)?)?;
                let second = match rest.get(at + 6..at + 12) {
                    Some([b'\\', b'u', digits @ ..]) => hex(digits),
                    _ => None,
                };
                match (first, second) {
                    (0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) => {
                        let code = 0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00);
                        (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
                    }
                    _ => (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
                }
            }
            _ => return None,
        };
        out.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &rest[at + length..];
    }
    out.extend_from_slice(rest);
    Some(())
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |code, &digit| Some(code << 4 | (digit as char).to_digit(16)?))
}

/// A value of JSON, also where [`sound`] has to make it one.
pub fn value(json: &[u8]) -> Option<Value> {
    serde_json::from_slice(json).ok().or_else(|| serde_json::from_slice(&sound(json)).ok())
}

/// JSON text without what AWS passes on of clients and others do not take for JSON: halves of surrogate pairs become U+FFFD, raw control
/// characters escapes, and backslashes that escape nothing stand for themselves.
///
/// A half behind several backslashes too: a text in it may hold JSON, as a policy is, and is read as that by rules.
#[cold]
pub fn sound(json: &[u8]) -> Vec<u8> {
    let mut controlled = Vec::with_capacity(json.len());
    escape_controls(json, &mut controlled);
    let mut out = Vec::with_capacity(controlled.len());
    let mut rest = &controlled[..];
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let length = escape_length(rest);
        let (kept, behind) = rest.split_at(length.unwrap_or_else(|| backslashes(rest)));
        out.extend_from_slice(kept);
        rest = behind;
        if length.is_none() && code(rest).is_some() {
            out.extend_from_slice(b"ufffd");
            rest = &rest[5..];
        } else if length.is_none() {
            out.push(b'\\');
        }
    }
    out.extend_from_slice(rest);
    out
}

/// Whether JSON text has a backslash that begins no escape of a character, or that of half a surrogate pair.
pub fn has_odd_escapes(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        rest = &rest[at..];
        let length = match rest {
            // nearly all are before the quotes of a text with JSON
            [_, b'"' | b'/' | b'n', ..] => Some(2),
            _ => escape_length(rest),
        };
        let Some(length) = length else { return true };
        rest = &rest[length..];
    }
    false
}

/// How long the backslashes are that a text begins with, and the escape of a character that the last of them begins; `None` where that is
/// none, or half a surrogate pair.
fn escape_length(text: &[u8]) -> Option<usize> {
    let run = backslashes(text);
    let behind = &text[run..];
    match code(behind) {
        Some(half @ 0xd800..0xe000) => {
            let other = &behind[5..];
            let next = backslashes(other);
            // in a text as deep as makes `next` of one, those before the last `next` of the run are backslashes, each of two
            let is_alike = next.is_power_of_two() && run % (2 * next) == next;
            let is_pair = half < 0xdc00 && is_alike && matches!(code(&other[next..]), Some(0xdc00..0xe000));
            is_pair.then_some(run + 5 + next + 5)
        }
        _ if run.is_multiple_of(2) => Some(run),
        Some(_) => Some(run + 5),
        None => matches!(behind.first()?, b'"' | b'/' | b'b' | b'f' | b'n' | b'r' | b't').then_some(run + 1),
    }
}

fn backslashes(text: &[u8]) -> usize {
    text.iter().take_while(|byte| **byte == b'\\').count()
}

/// The code behind the `u` that a text begins with.
fn code(text: &[u8]) -> Option<u32> {
    hex(text.strip_prefix(b"u")?.get(..4)?)
}

/// Appends JSON text in which raw control characters inside strings, which JSON forbids, are written as escapes.
pub fn escape_controls(json: &[u8], out: &mut Vec<u8>) {
    let mut inside = false;
    let mut escaped = false;
    for &byte in json {
        if byte < 0x20 && inside {
            if escaped {
                // a backslash before a control character escapes nothing
                out.push(b'\\');
            }
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
            escaped = false;
            continue;
        }
        if byte == b'"' && !escaped {
            inside = !inside;
        }
        escaped = inside && byte == b'\\' && !escaped;
        out.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_in_every_notation() {
        let mut clock = Clockwork::default();
        for _ in 0..2 {
            assert_eq!(clock.read(b"2024-08-01T11:30:23Z"), Some(1_722_511_823_000_000));
        }
        assert_eq!(clock.read(b"2024-08-01T24:00:00Z"), None);
        assert_eq!(clock.read(b"2024-08-01T11:30:2xZ"), None);
        assert_eq!(clock.read(b"2024-08-01T11:30:23.5Z"), Some(1_722_511_823_500_000));
        assert_eq!(clock.read(b"2024-08-01T13:30:23+0200"), Some(1_722_511_823_000_000));
        assert_eq!(clock.read(b"1722511823"), Some(1_722_511_823_000_000));
        assert_eq!(clock.read(b"1722511823.25"), Some(1_722_511_823_250_000));
        assert_eq!(clock.read(b"1722511823250"), Some(1_722_511_823_250_000));
        assert_eq!(clock.read(b"1722511823250000"), Some(1_722_511_823_250_000));
        assert_eq!(clock.read(b"1722511823250000000"), Some(1_722_511_823_250_000));
        assert_eq!(clock.read(b"99999999999"), Some(99_999_999_999_000_000));
        assert_eq!(clock.read(b"2024-08-01 11:30:23.500"), Some(1_722_511_823_500_000));
        assert_eq!(clock.read(b"2024-08-01 11:30:23 UTC"), Some(1_722_511_823_000_000));
        assert_eq!(clock.read(b"2024-08-01 11:30:23 CET"), None);
        assert_eq!(clock.read(b"2024-08-01T11:30Z"), Some(1_722_511_800_000_000));
        for (text, micros) in [
            ("Aug 1, 2024 @ 11:30:23.500", 500_000),
            ("Aug 1, 2024, 11:30:23 AM", 0),
            ("Aug 1, 2024, 11:30:23\u{202f}AM", 0),
            ("Aug 1, 2024 11:30:23 AM", 0),
            ("8/1/2024 11:30:23 AM", 0),
            ("2024/08/01 11:30:23", 0),
            ("2024-08-01 11:30:23.5+00", 500_000),
            ("2024-08-01 13:30:23 +0200", 0),
            ("2024-08-01 11:30:23 +0000 UTC", 0),
            ("2024-08-01T11:30:23+00", 0),
            ("Thu, 01 Aug 2024 11:30:23 GMT", 0),
        ] {
            assert_eq!(clock.read(text.as_bytes()), Some(1_722_511_823_000_000 + micros), "{text}");
        }
        assert_eq!(clock.read(b"2024-08-01 11:30"), Some(1_722_511_800_000_000));
        // the day or the month may be the first
        for text in ["01/08/2024 11:30:23", "1/08/2024 11:30:23 AM", "1/8/2024 11:30:23 am"] {
            assert_eq!(clock.read(text.as_bytes()), None, "{text}");
        }
        for text in ["24/08/01 11:30:23", "24-08-01 11:30", "8/1/24 11:30:23 AM", "24-08-01 11:30:23+00"] {
            assert_eq!(clock.read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(clock.read(b"yesterday"), None);
        assert_eq!(clock.read(b"inf"), None);
    }

    #[test]
    fn scalars_are_those_of_the_standard() {
        for yes in ["0", "-0", "10", "1.5", "-1.5e+10", "2E3", "true", "false", "null"] {
            assert!(is_scalar(yes.as_bytes()), "{yes}");
        }
        for no in ["", "-", "01", "1.", ".5", "1e", "1e+", "0x1", "True", "nul", "1 2", "NaN"] {
            assert!(!is_scalar(no.as_bytes()), "{no}");
        }
    }

    #[test]
    fn escapes_and_half_surrogates() {
        let check = |inside: &str, expected: Option<&str>| {
            let mut out = Vec::new();
            let done = unescape(inside.as_bytes(), &mut out).map(|()| String::from_utf8(out).unwrap());
            assert_eq!(done.as_deref(), expected, "{inside}");
        };
        check(r#"a\"b\\c\/\n\u00e9"#, Some("a\"b\\c/\né"));
        check(r"\ud83d\ude00", Some("😀"));
        check(r"\ud800x", Some("\u{fffd}x"));
        check(r"\ud800\ud83d\ude00", Some("\u{fffd}😀"));
        check(r"\udc00", Some("\u{fffd}"));
        check(r"\x", None);
        check(r"\u12", None);
        check("\\", None);
    }

    #[test]
    fn half_a_surrogate_and_a_raw_control_character_keep_no_json_from_being_a_value() {
        let check = |json: &str, expected: serde_json::Value| {
            assert_eq!(value(json.as_bytes()), Some(expected), "{json}");
        };
        check(r#"{"a":"x\ud800","b":"\udc00y"}"#, serde_json::json!({"a": "x\u{fffd}", "b": "\u{fffd}y"}));
        check(r#"["\ud83d\ude00\ud800\ud83d\ude00"]"#, serde_json::json!(["😀\u{fffd}😀"]));
        // an escape that JSON does not know, and what is none
        check(r#"["\q\u12\"",1]"#, serde_json::json!([r#"\q\u12""#, 1]));
        check(r#"["\udfff","\\u0041","\\"]"#, serde_json::json!(["\u{fffd}", r"\u0041", r"\"]));
        // in a text of JSON inside of it, where a backslash before a pair is none of a half
        check(
            r#"["\\ud800","\\ud83d\\ude00","\\\ud83d\ude00"]"#,
            serde_json::json!([r"\ud800", r"\ud83d\ude00", r"\😀"]),
        );
        // behind a backslash in such a text, and two backslashes with halves
        assert!(!has_odd_escapes(br"\\\\\\ud83d\\ude00"));
        assert!(has_odd_escapes(br"\\\\\\ud83d\\\\\\ude00"));
        check("[\"a\tb\",1]", serde_json::json!(["a\tb", 1]));
        assert_eq!((value(br#"{"a":"\ud800"#), value(br"{\"), value(b"")), (None, None, None));
    }

    #[test]
    fn whole_numbers_from_text() {
        assert_eq!(int(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(int(b"3.0"), Some(3));
        assert_eq!(int(b"3.5"), None);
        assert_eq!(int(b""), None);
        assert_eq!(float(b"1e400"), None);
        assert_eq!(flag(b"True"), Some(true));
        assert_eq!((flag(b"1"), flag(b"0"), flag(b"2")), (Some(true), Some(false), None));
    }

    #[test]
    fn controls_are_escaped_inside_strings_only() {
        let mut out = Vec::new();
        escape_controls(b"{\n\"a\":\"x\ty\\\"\x01\"}", &mut out);
        assert_eq!(out, b"{\n\"a\":\"x\\u0009y\\\"\\u0001\"}");
    }

    proptest! {
        #[test]
        fn any_string_means_what_serde_json_says(inside in r#"([a-z0é😀/]|\\[\\"/bfnrtx]|\\u[0-9a-fA-F]{4}|\\ud83d\\ude0[0-9]|\\u12){0,12}\\?"#) {
            let mut out = Vec::new();
            let done = unescape(inside.as_bytes(), &mut out).map(|()| String::from_utf8(out).unwrap());
            match serde_json::from_str::<String>(&format!("\"{inside}\"")) {
                Ok(expected) => prop_assert_eq!(done, Some(expected)),
                // the one thing that we take and JSON does not
                Err(error) if ["surrogate", "unexpected end of hex"].iter().any(|half| error.to_string().contains(half)) => {
                    prop_assert!(done.is_none_or(|text| text.contains(char::REPLACEMENT_CHARACTER)))
                }
                // an open escape at the end takes the quote with it
                Err(_) => prop_assert!(done.is_none(), "{:?}", done),
            }
        }

        #[test]
        fn what_was_made_sound_is_a_value(inside in r#"([a-z{}😀]|\\[\\"/bfnrtqu]|\\ud8[0-9]{2}|\\udc0[0-9]|\\\\ud83d\\\\ude00){0,12}"#) {
            let value = value(format!("[\"{inside}\",1]").as_bytes());
            prop_assert_eq!(value.map(|value| value[1] == 1), Some(true), "{}", inside);
        }

        #[test]
        fn any_text_comes_back(text: String) {
            let quoted = serde_json::to_string(&text).unwrap();
            let mut out = Vec::new();
            prop_assert_eq!(unescape(&quoted.as_bytes()[1..quoted.len() - 1], &mut out), Some(()));
            prop_assert_eq!(String::from_utf8(out), Ok(text));
        }

        #[test]
        fn any_scalar_is_one_to_serde_json_too(text in "[-+0-9.eE]{0,8}|true|false|null|nul|True|NaN") {
            let expected = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(is_scalar(text.as_bytes()), expected);
        }

        #[test]
        fn escaped_controls_make_json_of_any_sound_text(inside in "([a-z{}, \t\n\r\u{1}]|\\\\[\\\\\"n]){0,12}") {
            let mut out = Vec::new();
            escape_controls(format!("{{\"a\":\"{inside}\"}}").as_bytes(), &mut out);
            let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
            let text = value["a"].as_str().unwrap();
            let controls = |text: &str| text.chars().filter(|next| next.is_control()).count();
            prop_assert!(controls(text) >= controls(&inside));
        }
    }
}
