//! An object that is no JSON for what others write in it, `NaN` as Python and pandas do, or a comma behind the last member or item as
//! people do → the JSON that was meant.

use crate::decode::cut::closing_quote;

/// Longer ones are no records.
const LENGTH_MAX: usize = 1 << 20;
/// Words that are no JSON, and mean that there is no value.
const NO_VALUES: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];

/// The object that a text begins with, and how long it is as it stands there; `None` where it does not end or has nothing of the kind.
/// What else is wrong with it stays so.
#[cold]
pub(super) fn first(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let text = &text[..text.len().min(LENGTH_MAX)];
    let (mut out, mut open, mut is_mended) = (Vec::new(), Vec::new(), false);
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        let mut length = 1;
        match byte {
            b'"' => {
                length = closing_quote(text, at + 1)? + 1 - at;
                out.extend_from_slice(&text[at..at + length]);
            }
            b'{' | b'[' => {
                // behind a record that lacks its end stands another
                if !open.is_empty() && !matches!(last(&mut out), Some(b'{' | b'[' | b',' | b':')) {
                    return None;
                }
                // in ASCII the closing bracket is two after the opening one, for both kinds
                open.push(byte + 2);
                out.push(byte);
            }
            b'}' | b']' => {
                if open.pop() != Some(byte) {
                    return None;
                }
                if last(&mut out) == Some(b',') {
                    out.pop();
                    is_mended = true;
                }
                out.push(byte);
                if open.is_empty() {
                    return is_mended.then_some((out, at + 1));
                }
            }
            _ => match NO_VALUES.iter().find(|word| text[at..].starts_with(word)) {
                Some(word) => {
                    out.extend_from_slice(b"null");
                    (length, is_mended) = (word.len(), true);
                }
                None => out.push(byte),
            },
        }
        at += length;
    }
    None
}

/// The last byte that is no blank, without the blanks behind it.
fn last(out: &mut Vec<u8>) -> Option<u8> {
    while out.last().is_some_and(u8::is_ascii_whitespace) {
        out.pop();
    }
    out.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_write_becomes_json() {
        for (text, json) in [
            (r#"{"a":NaN,"b":[-Infinity, 1 , ],}"#, r#"{"a":null,"b":[null, 1 ]}"#.to_owned()),
            ("{\"a,}\\\"\": 1,\n}\n", "{\"a,}\\\"\": 1}".to_owned()),
        ] {
            let (mended, length) = first(text.as_bytes()).unwrap();
            assert_eq!((String::from_utf8(mended).unwrap(), length), (json, text.trim_end().len()));
        }
    }

    #[test]
    fn what_has_nothing_of_the_kind_or_no_end_is_none() {
        for text in [
            r#"{"a":1}"#,
            r#"{"a":"NaN"}"#,
            r#"{"a":NaN"#,
            r#"{"a":NaN]"#,
            r#"{"a":{"b":NaN{"c":1}}"#,
            r#"{"a":{"b":NaN},{"c":1}]}"#,
            "",
        ] {
            assert_eq!(first(text.as_bytes()), None, "{text}");
        }
        assert_eq!(first(format!(r#"{{"a":"{}",}}"#, "x".repeat(LENGTH_MAX)).as_bytes()), None);
    }
}
