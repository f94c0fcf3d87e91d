//! JSON text with numbers of thousands of digits → the same values in a notation that the functions of SQL take.

/// Digits before the point of a number past which these functions give null for all of the text that it stands in.
const DIGITS_MAX: usize = 4300;

/// The text with each such number as `1.23e4999`; `None` where there is none. So it is in texts of JSON inside of it too, however deep.
pub fn shorten(json: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut done) = (Vec::new(), 0);
    // of more digits in a row than this one stands at such a place
    let mut at = DIGITS_MAX;
    while at < json.len() {
        if !json[at].is_ascii_digit() {
            at += DIGITS_MAX;
            continue;
        }
        let start = at - json[done..at].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let end = at + digits(&json[at..]);
        let number = &json[start..];
        if end - start > DIGITS_MAX
            && begins_a_number(&json[..start])
            && let Some((short, length)) = with_exponent(number, end - start)
        {
            out.extend_from_slice(&json[done..start]);
            out.extend_from_slice(&short);
            done = start + length;
        }
        at = end.max(done).next_multiple_of(DIGITS_MAX);
    }
    (done > 0).then(|| {
        out.extend_from_slice(&json[done..]);
        out
    })
}

/// Whether what stands before digits ends where a value begins, but for its sign. White space may be escaped, in a text of JSON.
fn begins_a_number(before: &[u8]) -> bool {
    matches!(
        before.strip_suffix(b"-").unwrap_or(before),
        [] | [.., b':' | b'[' | b',' | b' ' | b'\n' | b'\r' | b'\t'] | [.., b'\\', b'n' | b'r' | b't']
    )
}

/// The number that a text begins with, of which so many digits are before the point, and how long it was.
fn with_exponent(text: &[u8], whole: usize) -> Option<(Vec<u8>, usize)> {
    if text[0] == b'0' {
        return None;
    }
    let mut behind = whole;
    let mut fraction: &[u8] = &[];
    if text.get(behind) == Some(&b'.') {
        fraction = &text[behind + 1..][..digits(&text[behind + 1..])];
        behind += 1 + fraction.len();
    }
    let mut exponent = 0i64;
    if matches!(text.get(behind), Some(b'e' | b'E')) {
        let signed = &text[behind + 1..];
        let sign = usize::from(matches!(signed.first(), Some(b'+' | b'-')));
        let length = sign + digits(&signed[sign..]);
        exponent = str::from_utf8(&signed[..length]).ok()?.parse().ok()?;
        behind += 1 + length;
    }
    let ends = matches!(text.get(behind), None | Some(b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t' | b'\\'));
    let exponent = exponent.checked_add(whole as i64 - 1).filter(|_| ends)?;
    let places = [&text[1..whole], fraction].concat();
    Some(([&text[..1], b".", &places[..], format!("e{exponent}").as_bytes()].concat(), behind))
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: Option<&str>) {
        let short = shorten(json.as_bytes()).map(|short| String::from_utf8(short).unwrap());
        assert_eq!(short.as_deref(), expected);
    }

    #[test]
    fn a_number_of_too_many_digits_gets_an_exponent() {
        let (fits, one_more) = ("7".repeat(DIGITS_MAX), "7".repeat(DIGITS_MAX + 1));
        let short = format!("7.{fits}e4300");
        check(&format!(r#"{{"a":{fits}}}"#), None);
        for (before, behind) in [
            (r#"{"a":"#, "}"),
            (r#"{"a":-"#, r#","b":"x"}"#),
            ("[1, ", " ]"),
            ("", ""),
            // a policy in a parameter
            (r#"{"policyDocument":"{\"a\":[\n"#, r#"\n]}"}"#),
        ] {
            check(&format!("{before}{one_more}{behind}"), Some(&format!("{before}{short}{behind}")));
        }
        check(&format!("[{one_more},{fits},{one_more}]"), Some(&format!("[{short},{fits},{short}]")));
    }

    #[test]
    fn fraction_and_exponent_are_taken_along() {
        let (whole, rest) = ("9".repeat(5000), "9".repeat(4999));
        check(&format!("[{whole}.25]"), Some(&format!("[9.{rest}25e4999]")));
        check(&format!("[{whole}e10]"), Some(&format!("[9.{rest}e5009]")));
        check(&format!("[{whole}.5E-4999]"), Some(&format!("[9.{rest}5e0]")));
        check(
            &format!("[{whole}.{whole}{whole},{whole}]"),
            Some(&format!("[9.{rest}{whole}{whole}e4999,9.{rest}e4999]")),
        );
    }

    #[test]
    fn digits_of_texts_stay() {
        let digits = "1".repeat(9000);
        for json in [
            format!(r#"{{"a":"{digits}"}}"#),
            format!(r#"{{"a":"x{digits}"}}"#),
            format!(r#"{{"a":"id: {digits}"}}"#),
            format!("[0.{digits}]"),
            format!("[1e{digits}]"),
        ] {
            check(&json, None);
        }
    }
}
