//! Findings → CSV (RFC 4180), one row each; nested values are JSON text.

use std::io::{self, Write};

use crate::finding::Finding;
use crate::sink::json::Shown;

/// # Errors
/// When `out` cannot be written.
pub fn write(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    csv.write_record(COLUMNS).map_err(plain)?;
    for finding in findings {
        let shown = serde_json::to_value(Shown::from(finding))?;
        let row = csv.write_record(COLUMNS.iter().map(|&column| match &shown[column] {
            serde_json::Value::Null => String::new(),
            serde_json::Value::String(text) => neutralized(text),
            serde_json::Value::Number(number) => number.to_string(),
            nested => neutralized(&nested.to_string()),
        }));
        row.map_err(plain)?;
    }
    csv.flush()
}

/// The error of the output itself, by which a closed pipe is known.
fn plain(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

const COLUMNS: &[&str] = &[
    "id",
    "rule",
    "title",
    "severity",
    "priority",
    "account",
    "region",
    "actor",
    "resources",
    "source_ip",
    "first_seen",
    "last_seen",
    "count",
    "event_ids",
    "tags",
    "evidence",
    "explanation",
    "terms",
    "confidence",
    "remedy",
    // what only some findings have
    "sessions",
    "assumed_by",
    "window",
];

/// A cell that a spreadsheet would take for a formula gets an apostrophe in front: attackers choose user agents.
pub fn neutralized(text: &str) -> String {
    let starts = |text: &str| text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '|', '%']);
    if starts(text) || starts(text.trim_start()) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::one_match;
    use crate::time::Timestamp;

    #[test]
    fn all_that_ndjson_has_is_a_column() {
        let mut found = one_match("a/b", "eve", Timestamp(0), "e1");
        found.sessions = vec!["s1".into()];
        found.assumed_by = vec!["arn:aws:iam::111122223333:user/eve".into()];
        found.window = Some((Timestamp(0), Timestamp(60_000_000)));
        let shown = serde_json::to_value(Shown::from(&found)).unwrap();
        let missing: Vec<_> =
            shown.as_object().unwrap().keys().filter(|key| !COLUMNS.contains(&key.as_str())).collect();
        assert_eq!(missing, [""; 0]);
    }

    #[test]
    fn a_formula_is_neutralized_and_quotes_are_doubled() {
        let mut found = one_match("a/b", "=cmd|'/c calc'!A1", Timestamp(0), "e1");
        found.title = "He said \"no\", twice".into();
        let mut out = Vec::new();
        write(&[found], &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(",'=cmd|'/c calc'!A1,"), "{text}");
        assert!(text.contains("\"He said \"\"no\"\", twice\""), "{text}");
        assert_eq!(neutralized(" @SUM(1)"), "' @SUM(1)");
        assert_eq!(neutralized("arn:aws"), "arn:aws");
    }
}
