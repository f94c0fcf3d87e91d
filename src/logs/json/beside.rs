//! What stands beside records and is none → how long it is, so that the record behind it is read.

use super::damage::resume;
use super::glue_log;
use crate::decode::cut::{PRECEDING_MAX, closing_quote, may_precede_object};

/// What stands where a record should, and is a value of another kind, and how long it is.
#[cold]
pub fn instead_of_record(text: &[u8]) -> Option<(&'static str, usize)> {
    let starts = |word: &str| text.starts_with(word.as_bytes()).then_some(word.len());
    let (length, what) = match text.first() {
        Some(b'"') => (closing_quote(text, 1).map(|close| close + 1), "a string where an object should be"),
        Some(b'-' | b'0'..=b'9') => {
            let in_number = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
            (Some(text.iter().take_while(in_number).count()), "a number where an object should be")
        }
        Some(b'n') => (starts("null"), "null where an object should be"),
        _ => (starts("true").or_else(|| starts("false")), "true or false where an object should be"),
    };
    let length = length?;
    let next = text[length..].iter().find(|byte| !matches!(byte, b' ' | b'\t'));
    matches!(next, None | Some(b',' | b']' | b'\n' | b'\r' | 0)).then_some((what, length))
}

/// Length of what stands before an object in an export of CloudWatch Logs to S3, `2024-08-01T10:05:00.000Z `, and in what
/// `aws logs tail` prints, where the stream follows a time with an offset or, with `--format short`, nothing a shorter time.
pub fn time_of_export(bytes: &[u8]) -> Option<usize> {
    /// A stream's name has at most 512 characters.
    const LENGTH_MAX: usize = 560;
    let bytes = &bytes[..bytes.len().min(LENGTH_MAX)];
    let [_, _, _, _, b'-', _, _, b'-', _, _, b'T', _, _, b':', _, _, b':', _, _, rest @ ..] = bytes else {
        return None;
    };
    let zone = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b':' | b'+' | b'-' | b'Z'))?;
    let [b' ', behind @ ..] = &rest[zone..] else { return None };
    let stream = behind.iter().take_while(|byte| !matches!(byte, b' ' | b'{' | b'"' | b'\n')).count();
    match &behind[stream..] {
        [b'{', ..] if stream == 0 => Some(bytes.len() - behind.len()),
        [b' ', b'{', ..] => Some(bytes.len() - behind.len() + stream + 1),
        _ => None,
    }
}

/// Length of what stands before an object in its line ([`may_precede_object`]).
#[cold]
pub fn length_of_prefix(bytes: &[u8], here: usize, end: usize) -> Option<usize> {
    let before = &bytes[..here];
    let begins_line = before.is_empty() || before.ends_with(b"\n") || before == "\u{feff}".as_bytes();
    let line = bytes[here..end.min(here + PRECEDING_MAX)].split(|byte| *byte == b'\n').next().unwrap_or_default();
    let length = memchr::memchr(b'{', line)?;
    let is_prefix = begins_line && may_precede_object(&line[..length]);
    (is_prefix && resume(&bytes[..end], here) == Some(here + length)).then_some(length)
}

/// Whether a byte order mark stands there, and nothing else that is not JSON.
pub fn is_mark(bytes: &[u8]) -> bool {
    let behind = bytes.strip_prefix("\u{feff}".as_bytes());
    behind.is_some_and(|behind| {
        matches!(behind.first(), None | Some(b'{' | b'[' | b' ' | b'\t' | b'\r' | b'\n' | 0x1e | 0xef))
    })
}

/// Whether what stands from `here` to `resume` is behind or before an entry of a log in JSON, or all that a piece of a text has.
#[cold]
pub fn is_between_entries(bytes: &[u8], here: usize, resume: usize) -> bool {
    /// No more is looked at of a line, or a text of one line would be searched for each of its records.
    const LINE_MAX: usize = 64 << 10;
    let (before, behind) =
        (&bytes[here.saturating_sub(LINE_MAX)..here], &bytes[resume..bytes.len().min(resume + LINE_MAX)]);
    let before = before.trim_ascii_end();
    let line = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
    let is_all = before.is_empty() && behind.trim_ascii().is_empty();
    is_all || glue_log::begins_in_json(&before[line..]) || glue_log::begins_in_json(behind)
}
