//! An object that is none of a table → the texts with records, and the lines of logs, that it has where exporters put them.

use std::collections::HashSet;

use serde_json::Value;

use super::{Around, NESTED_MAX, Nested, Parser, cloudwatch, insights, scalar};
use crate::decode::Text;

/// Members below each other, through lists, whose text may be a record: of Chronicle and others.
pub(super) const PATHS_OF_TEXT: [&[&str]; 5] =
    [&["raw"], &["raw_event"], &["rawEvent"], &["logText"], &["full_message"]];

/// The same of lines of logs: of GELF, the journal of systemd, Google's and Azure's logs, of Loki and what shows them of it, of Chronicle,
/// and of OpenTelemetry.
const PATHS_OF_LINES: [&[&str]; 11] = [
    &["full_message"],
    // which may be the beginning of the one before
    &["short_message"],
    &["MESSAGE"],
    &["textPayload"],
    &["RawData"],
    &["line"],
    &["streams", "values"],
    &["streams", "entries", "line"],
    &["data", "result", "values"],
    &["entries", "log_text"],
    &["resourceLogs", "scopeLogs", "logRecords", "body", "stringValue"],
];

/// The string of JSON that a value is, or that alone is in its list, as the `fields` of a search of Elasticsearch are; and its place there.
pub(super) fn alone(value: &[u8]) -> Option<(usize, &[u8])> {
    let inside = match value {
        [b'"', ..] => return Some((0, value)),
        [b'[', inside @ .., b']'] => inside.trim_ascii(),
        _ => return None,
    };
    // two of them begin and end with quotes too
    let text = inside.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let mut is_escaped = false;
    let is_one = text.iter().all(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        !is_end
    });
    (is_one && !is_escaped).then(|| (value.len() - value[1..].trim_ascii_start().len(), inside))
}

/// Why an object is not taken apart in search of texts with records: its values would take some times as much memory while it is
/// looked at.
pub(super) fn too_large(object: &[u8]) -> Option<&'static str> {
    (!scalar::has_few_values(object))
        .then_some("no table is known for this object, which has more than 300000 values and is not searched further")
}

impl Parser<'_> {
    /// Takes texts with records, and lines of logs, out of an object that is none, where exporters put them. Elsewhere a text may be what
    /// somebody sent to an application, and no more an event than its user agent is. Of lines those of no table are rejects.
    #[cold]
    pub(super) fn texts_with_records(&mut self, object: &[u8], start: usize, around: &Around<'_>) -> bool {
        let may_have = |path: &&[&str]| memchr::memmem::find(object, path[0].as_bytes()).is_some();
        let may_have_any = || PATHS_OF_TEXT.iter().chain(&PATHS_OF_LINES).any(may_have);
        if around.depth == NESTED_MAX || too_large(object).is_some() || !may_have_any() {
            return false;
        }
        let Some(value) = scalar::value(object) else { return false };
        let is_record = |text: &str| cloudwatch::is_json(text.as_bytes()) && insights::holds_record(text.as_bytes());
        let context = around.context.cloned().unwrap_or_default();
        let nested = |text: &str| {
            let text = Text::new(text.as_bytes().to_vec());
            Nested { text, context: context.clone(), depth: around.depth + 1 }
        };
        let (mut texts, mut seen) = (Vec::new(), HashSet::new());
        PATHS_OF_TEXT.iter().for_each(|path| collect_texts(&value, path, &mut texts));
        // the same may stand there under several names
        texts.retain(|text| is_record(text) && seen.insert(*text));
        let mut is_known = !texts.is_empty();
        self.nested.extend(texts.into_iter().map(nested));
        for path in PATHS_OF_LINES {
            if is_known && path.len() == 1 {
                continue;
            }
            let (mut lines, mut others) = (Vec::new(), Vec::new());
            collect_texts(&value, path, &mut lines);
            lines.retain(|line| !line.trim().is_empty());
            let count = lines.len();
            for line in lines {
                if is_record(line) {
                    self.nested.push(nested(line));
                } else if !self.message(line.as_bytes(), start, None, around) {
                    others.push(line);
                }
            }
            if others.len() < count {
                is_known = true;
                for line in others {
                    self.reject("", start, "no table is known for this log event", line.as_bytes(), around);
                }
            }
        }
        is_known
    }
}

/// Texts at the end of a path.
fn collect_texts<'v>(value: &'v Value, path: &[&str], texts: &mut Vec<&'v str>) {
    let is_time = |value: &Value| {
        value.as_str().is_some_and(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
    };
    match (value, path) {
        // Loki's lines stand behind their times
        (Value::Array(pair), []) if pair.first().is_some_and(is_time) => {
            texts.extend(pair.get(1).and_then(Value::as_str));
        }
        (Value::Array(items), _) => items.iter().for_each(|value| collect_texts(value, path, texts)),
        (Value::Object(members), [name, rest @ ..]) => {
            members.get(*name).into_iter().for_each(|value| collect_texts(value, rest, texts));
        }
        (Value::String(text), []) => texts.push(text),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_found_alone_or_in_a_list_of_one() {
        let found =
            |value: &'static str| alone(value.as_bytes()).map(|(at, string)| (at, str::from_utf8(string).unwrap()));
        assert_eq!(found(r#""a""#), Some((0, r#""a""#)));
        assert_eq!(found("[ \"a\\\"b\\\\\" ]"), Some((2, r#""a\"b\\""#)));
        for other in
            [r#"["a","b"]"#, r#"["a\\","b"]"#, r#"["]"#, "[1]", "[]", "{}", "7", r#"[["a"]]"#, r#"[{"a":"b"}]"#]
        {
            assert_eq!(found(other), None, "{other}");
        }
    }
}
