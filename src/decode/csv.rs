//! A text of CSV → the cells of its rows.
//!
//! A quote opens a cell only where the cell begins; anywhere else in a cell that is not quoted it is a character as others are.

use std::borrow::Cow;

/// Where a row that stands at the beginning of a text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// Behind its line end.
    Line(usize),
    /// With the text, which has no line end behind it.
    Text,
    /// A quote is not closed.
    Open,
    /// A quote closes before its cell ends.
    Wrong,
}

/// Reads the first row of a text; its cells are of no use where it is [`Row::Open`] or [`Row::Wrong`].
pub fn row<'t>(text: &'t [u8], cells: &mut Vec<Cow<'t, [u8]>>) -> Row {
    cells.clear();
    walk(text, |inside, is_doubled| {
        cells.push(match is_doubled {
            true => Cow::Owned(undoubled(inside)),
            false => Cow::Borrowed(inside),
        });
    })
}

/// Gives each cell of the first row of a text, without the quotes around it, and whether quotes in it are doubled.
fn walk<'t>(text: &'t [u8], mut cell: impl FnMut(&'t [u8], bool)) -> Row {
    let mut at = 0;
    loop {
        if text.get(at) == Some(&b'"') {
            let start = at + 1;
            let mut is_doubled = false;
            at = start;
            loop {
                let Some(length) = memchr::memchr(b'"', &text[at..]) else { return Row::Open };
                at += length + 1;
                if text.get(at) != Some(&b'"') {
                    break;
                }
                is_doubled = true;
                at += 1;
            }
            cell(&text[start..at - 1], is_doubled);
        } else {
            let end = memchr::memchr2(b',', b'\n', &text[at..]).map_or(text.len(), |length| at + length);
            let inside = &text[at..end];
            let has_return = text.get(end) != Some(&b',') && inside.ends_with(b"\r");
            cell(&inside[..inside.len() - usize::from(has_return)], false);
            at = end;
        }
        match &text[at..] {
            [] | b"\r" => return Row::Text,
            [b',', ..] => at += 1,
            [b'\n', ..] => return Row::Line(at + 1),
            [b'\r', b'\n', ..] => return Row::Line(at + 2),
            [..] => return Row::Wrong,
        }
    }
}

fn undoubled(inside: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(quote) = memchr::memchr(b'"', rest) {
        text.extend_from_slice(&rest[..=quote]);
        rest = &rest[quote + 2..];
    }
    text.extend_from_slice(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> (Vec<String>, Row) {
        let mut cells = Vec::new();
        let row = row(text.as_bytes(), &mut cells);
        (cells.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect(), row)
    }

    #[test]
    fn a_row_ends_at_a_line_end_that_is_not_quoted() {
        let check = |text: &str, expected: &[&str], row: Row| {
            assert_eq!(cells(text), (expected.iter().map(|cell| (*cell).to_owned()).collect(), row), "{text}");
        };
        check("a,b\nc", &["a", "b"], Row::Line(4));
        check("a,b\r\nc", &["a", "b"], Row::Line(5));
        check("\"a\",\"b\"\r\nc", &["a", "b"], Row::Line(9));
        check("\"a\nb\",\"c,d\"\n", &["a\nb", "c,d"], Row::Line(12));
        check(r#""{""a"":""b""}","""""#, &[r#"{"a":"b"}"#, "\""], Row::Text);
        check("\"\",,\n", &["", "", ""], Row::Line(5));
        check("a,", &["a", ""], Row::Text);
        check("\"a\"\r", &["a"], Row::Text);
        check("a \"b\" c,5\"\n", &["a \"b\" c", "5\""], Row::Line(11));
        check("\n", &[""], Row::Line(1));
    }

    #[test]
    fn quotes_that_are_wrong_make_no_row() {
        for (text, row) in [
            ("\"a", Row::Open),
            ("a,\"b\nc", Row::Open),
            ("\"a\"\"", Row::Open),
            ("\"a\"b,c", Row::Wrong),
            ("\"a\" ,b", Row::Wrong),
        ] {
            assert_eq!(cells(text).1, row, "{text}");
        }
    }
}
