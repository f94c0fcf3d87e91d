//! The pattern of LIKE in Athena's words → the same with backslashes, which are DataFusion's only escape.

use anyhow::bail;
use datafusion::sql::sqlparser::ast::{Expr, Value, ValueWithSpan};

use super::last_name;
use super::tables::DAYS;
use super::template::with_arguments;

/// Makes a text of a day, of which letters are asked for: `day LIKE '2024-08%'`.
pub fn of_day(expr: &mut Expr) {
    if last_name(expr).is_some_and(|name| ["day", DAYS[0]].contains(&name.as_str())) {
        *expr = with_arguments("CAST(arg1 AS VARCHAR)", &[expr]);
    }
}

/// Writes a constant pattern with backslashes in the place of its own escape. Without one a backslash is a letter, as it is in Athena, but
/// before % and _, where it is PostgreSQL's escape, which rules have.
///
/// # Errors
/// When the escape is no single letter, or stands before another than it may.
pub fn with_backslashes(pattern: &mut Expr, escape: &mut Option<ValueWithSpan>) -> anyhow::Result<()> {
    let Expr::Value(constant) = pattern else { return Ok(()) };
    let Value::SingleQuotedString(text) = &mut constant.value else { return Ok(()) };
    let letter = match escape.as_ref().map(|escape| &escape.value) {
        None => None,
        Some(Value::SingleQuotedString(escape)) if escape.chars().count() == 1 => escape.chars().next(),
        Some(other) => bail!("the ESCAPE of LIKE is one letter, not {other}"),
    };
    *text = escaped(text, letter)?;
    *escape = None;
    Ok(())
}

fn escaped(pattern: &str, escape: Option<char>) -> anyhow::Result<String> {
    let mut text = String::with_capacity(pattern.len());
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match (escape, letters.peek()) {
            (Some(escape), next) if letter == escape => match next {
                Some(next @ ('%' | '_')) => {
                    text.extend(['\\', *next]);
                    letters.next();
                }
                Some(next) if *next == escape => {
                    text.extend((escape == '\\').then_some('\\'));
                    text.push(escape);
                    letters.next();
                }
                _ => bail!("the ESCAPE of LIKE, {escape}, stands before %, _ or itself"),
            },
            (None, Some('%' | '_')) if letter == '\\' => text.push(letter),
            _ if letter == '\\' => text.push_str("\\\\"),
            _ => text.push(letter),
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_is_a_backslash() {
        for (pattern, escape, expected) in [
            ("a#_b##c%", Some('#'), r"a\_b#c%"),
            (r"a\_b\\c", Some('\\'), r"a\_b\\c"),
            (r"C:\x#%", Some('#'), r"C:\\x\%"),
            (r"C:\x\%", None, r"C:\\x\%"),
            ("é%", None, "é%"),
        ] {
            assert_eq!(escaped(pattern, escape).unwrap(), expected, "{pattern}");
        }
        assert!(escaped("a#b", Some('#')).is_err() && escaped("a#", Some('#')).is_err());
    }
}
