//! A format of MySQL, as Athena's `date_format` and `date_parse` take it, or of Joda-Time, as `format_datetime` and
//! `parse_datetime` do, or of `to_char` → the same for chrono, which DataFusion asks.

use anyhow::{anyhow, bail};

/// Whether a time becomes text or text a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Read,
    Write,
}

/// # Errors
/// When the format has a letter that is none, or has no counterpart.
pub fn chrono(format: &str, direction: Direction) -> anyhow::Result<String> {
    let mut converted = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            converted.push(letter);
            continue;
        }
        let letter = letters.next();
        let same = match letter {
            Some('a') => "%a",
            Some('b') => "%b",
            Some('c') => "%-m",
            Some('d') => "%d",
            Some('e') => "%-d",
            Some('f') if direction == Direction::Read && converted.ends_with('.') => {
                converted.pop();
                "%.f"
            }
            Some('f') => "%6f",
            Some('H') => "%H",
            Some('h' | 'I') => "%I",
            Some('i') => "%M",
            Some('j') => "%j",
            Some('k') => "%-H",
            Some('l') => "%-I",
            Some('M') => "%B",
            Some('m') => "%m",
            Some('p') => "%p",
            Some('r') => "%I:%M:%S %p",
            Some('S' | 's') => "%S",
            Some('T') => "%H:%M:%S",
            Some('v') => "%V",
            Some('W') => "%A",
            Some('x') => "%G",
            Some('Y') => "%Y",
            Some('y') => "%y",
            Some('%') => "%%",
            Some(other) => {
                bail!("`%{other}` in the format '{format}' is not known; minutes are %i, and %m is the month")
            }
            None => bail!("the format '{format}' ends with a lone %"),
        };
        converted += same;
    }
    Ok(converted)
}

/// The same of Joda-Time, where letters that repeat are a field, and text stands in quotes.
///
/// # Errors
/// As [`chrono`].
pub fn chrono_of_joda(format: &str, direction: Direction) -> anyhow::Result<String> {
    let mut converted = String::new();
    let mut rest = format;
    while let Some(letter) = rest.chars().next() {
        if letter == '\'' {
            rest = literal(&rest[1..], &mut converted)
                .ok_or_else(|| anyhow!("the format '{format}' has a quote that is not closed"))?;
            continue;
        }
        let (field, behind) = rest.split_at(rest.find(|other: char| other != letter).unwrap_or(rest.len()));
        rest = behind;
        let same = match (letter, field.len()) {
            ('y' | 'Y', 2) => "%y",
            ('y' | 'Y', _) => "%Y",
            ('M', 1) => "%-m",
            ('M', 2) => "%m",
            ('M', 3) => "%b",
            ('M', _) => "%B",
            ('d', 1) => "%-d",
            ('d', 2) => "%d",
            ('D', 3) => "%j",
            ('E', 1..=3) => "%a",
            ('E', _) => "%A",
            ('e', 1) => "%u",
            ('w', 2) => "%V",
            ('H', 1) => "%-H",
            ('H', 2) => "%H",
            ('h' | 'K', 1) => "%-I",
            ('h' | 'K', 2) => "%I",
            ('m', 2) => "%M",
            ('s', 2) => "%S",
            ('S', 1..=9) if direction == Direction::Read && converted.ends_with('.') => {
                converted.pop();
                "%.f"
            }
            ('S', 3) => "%3f",
            ('S', 6) => "%6f",
            ('S', 9) => "%9f",
            ('a', _) => "%p",
            // `Z` is an offset too
            ('Z', _) if direction == Direction::Read => "%#z",
            ('Z', 1) => "%z",
            ('Z', 2) => "%:z",
            ('%', _) => {
                converted += &"%%".repeat(field.len());
                continue;
            }
            (letter, _) if letter.is_ascii_alphabetic() => {
                bail!("`{field}` in the format '{format}' is not known; it is one such as yyyy-MM-dd HH:mm:ss")
            }
            _ => field,
        };
        converted += same;
    }
    Ok(converted)
}

/// Fields of `to_char` and its like, in any case, longer ones first; what a name is in capitals is another one.
const FIELDS: [(&str, &str); 16] = [
    ("hh24", "%H"),
    ("hh12", "%I"),
    ("yyyy", "%Y"),
    ("ddd", "%j"),
    ("hh", "%I"),
    ("yy", "%y"),
    ("mm", "%m"),
    ("dd", "%d"),
    ("mi", "%M"),
    ("ss", "%S"),
    ("ms", "%3f"),
    ("us", "%6f"),
    ("am", "%p"),
    ("pm", "%p"),
    ("Mon", "%b"),
    ("Dy", "%a"),
];

/// Whether it is such a format, and none of chrono's.
pub fn is_template(format: &str) -> bool {
    !format.contains('%') && format.contains(|letter: char| letter.is_ascii_alphabetic())
}

/// The same of `to_char`, `to_date` and `to_timestamp`, as Teradata and PostgreSQL have it: `YYYY-MM-DD HH24:MI:SS`, with text in double quotes.
///
/// # Errors
/// As [`chrono`].
pub fn chrono_of_template(format: &str, direction: Direction) -> anyhow::Result<String> {
    let mut converted = String::new();
    let mut rest = format;
    while let Some(letter) = rest.chars().next() {
        if letter == '"' {
            let quoted = rest[1..].split_once('"');
            let (text, behind) =
                quoted.ok_or_else(|| anyhow!("the format '{format}' has a quote that is not closed"))?;
            converted += text;
            rest = behind;
            continue;
        }
        if !letter.is_ascii_alphabetic() {
            converted.push(letter);
            rest = &rest[letter.len_utf8()..];
            continue;
        }
        let is_next = |field: &str| match rest.get(..field.len()) {
            Some(next) if field.starts_with(char::is_uppercase) => next == field,
            Some(next) => next.eq_ignore_ascii_case(field),
            None => false,
        };
        let Some((field, same)) = FIELDS.iter().find(|(field, _)| is_next(field)) else {
            bail!("`{rest}` in the format '{format}' is not known; it is one such as YYYY-MM-DD HH24:MI:SS")
        };
        if *field == "ms" && direction == Direction::Read && converted.ends_with('.') {
            converted.pop();
            converted += "%.f";
        } else {
            converted += same;
        }
        rest = &rest[field.len()..];
    }
    Ok(converted)
}

/// Adds the text behind a quote, in which two quotes are one; gives what stands behind the closing one.
fn literal<'f>(mut rest: &'f str, converted: &mut String) -> Option<&'f str> {
    if let Some(behind) = rest.strip_prefix('\'') {
        converted.push('\'');
        return Some(behind);
    }
    loop {
        let (text, behind) = rest.split_once('\'')?;
        *converted += &text.replace('%', "%%");
        match behind.strip_prefix('\'') {
            Some(more) => {
                converted.push('\'');
                rest = more;
            }
            None => return Some(behind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_to_char_are_known_in_any_case() {
        let cases = [
            ("YYYY-MM-DD HH24:MI:SS", "%Y-%m-%d %H:%M:%S"),
            ("dd/mm/yy hh:mi pm", "%d/%m/%y %I:%M %p"),
            ("yyyymmdd\"T\"hh12", "%Y%m%dT%I"),
            ("Dy Mon ddd", "%a %b %j"),
        ];
        for (format, expected) in cases {
            assert_eq!(chrono_of_template(format, Direction::Write).unwrap(), expected);
        }
        assert_eq!(chrono_of_template("ss.ms", Direction::Read).unwrap(), "%S%.f");
        for wrong in ["Month", "MON", "yyyy \"x"] {
            assert!(chrono_of_template(wrong, Direction::Write).is_err(), "{wrong}");
        }
    }

    #[test]
    fn letters_that_mean_something_else_are_others() {
        let cases = [
            ("%Y-%m-%d %H:%i:%s", "%Y-%m-%d %H:%M:%S"),
            ("%d %M %y, %h:%i %p", "%d %B %y, %I:%M %p"),
            ("%Y-%m-%dT%H:%i:%s.%fZ 100%%", "%Y-%m-%dT%H:%M:%S.%6fZ 100%%"),
        ];
        for (format, expected) in cases {
            assert_eq!(chrono(format, Direction::Write).unwrap(), expected);
        }
        assert_eq!(chrono("%s.%f", Direction::Read).unwrap(), "%S%.f");
        for wrong in ["%Q", "100%"] {
            assert!(chrono(wrong, Direction::Write).is_err(), "{wrong}");
        }
    }

    #[test]
    fn fields_of_joda_are_letters_that_repeat() {
        let cases = [
            ("yyyy-MM-dd HH:mm:ss", "%Y-%m-%d %H:%M:%S"),
            ("yyyy-MM-dd'T'HH:mm:ss.SSSZ", "%Y-%m-%dT%H:%M:%S.%3f%z"),
            ("EEE, d MMM yy 'at' h 'o''clock' a", "%a, %-d %b %y at %-I o'clock %p"),
            ("dd.MMMM 100%", "%d.%B 100%%"),
        ];
        for (format, expected) in cases {
            assert_eq!(chrono_of_joda(format, Direction::Write).unwrap(), expected, "{format}");
        }
        assert_eq!(chrono_of_joda("ss.SSS", Direction::Read).unwrap(), "%S%.f");
        for wrong in ["xx", "m", "yyyy 'x"] {
            assert!(chrono_of_joda(wrong, Direction::Write).is_err(), "{wrong}");
        }
    }
}
