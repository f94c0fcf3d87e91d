//! A format of MySQL, as Athena's `date_format` and `date_parse` take it → the same for chrono, which DataFusion asks.

use anyhow::bail;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
