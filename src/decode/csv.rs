//! A text of CSV, with commas or another separator → the cells of its rows, and where it can be cut between two.
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

/// A row of more cells is [`Row::Wrong`]: of a row of nothing but commas the cells take 24 times its length.
pub const CELLS_MAX: usize = 100_000;

/// How a quote is written in a cell that is quoted. A row is read with [`Quotes::Escaped`] where it is wrong otherwise.
#[derive(Clone, Copy)]
enum Quotes {
    Doubled,
    /// Behind a backslash, as Spark does; one before that is doubled, and others stay as they are.
    Escaped,
}

/// Reads the first row of a text; its cells are of no use where it is [`Row::Open`] or [`Row::Wrong`].
pub fn row<'t>(text: &'t [u8], separator: u8, cells: &mut Vec<Cow<'t, [u8]>>) -> Row {
    let mut read = |quotes| {
        cells.clear();
        let row = walk(text, separator, quotes, |inside, has_quotes| {
            if cells.len() <= CELLS_MAX {
                cells.push(match (has_quotes, quotes) {
                    (false, _) => Cow::Borrowed(inside),
                    (true, Quotes::Doubled) => Cow::Owned(undoubled(inside)),
                    (true, Quotes::Escaped) => Cow::Owned(unescaped(inside)),
                });
            }
        });
        if cells.len() > CELLS_MAX { Row::Wrong } else { row }
    };
    match read(Quotes::Doubled) {
        Row::Wrong => read(Quotes::Escaped),
        row => row,
    }
}

/// A line without the blanks around it, but with those that part its cells: the first or the last cell of a header may be empty.
pub fn trimmed(line: &[u8], separator: u8) -> &[u8] {
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() && *byte != separator;
    let start = line.iter().take_while(|byte| is_blank(byte)).count();
    let line = &line[start..];
    let end = line.iter().rev().take_while(|byte| is_blank(byte)).count();
    &line[..line.len() - end]
}

/// Behind the last whole row of a text. Of a row that is wrong, or that stays open for `open_max` bytes, only the first line is
/// one: as those who read the rows take it.
pub fn last_row(text: &[u8], separator: u8, open_max: usize) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let line = || memchr::memchr(b'\n', rest).map(|end| end + 1);
        let row = match end_of_row(rest, separator) {
            Row::Line(end) => Some(end),
            Row::Text => None,
            Row::Open if rest.len() < open_max => None,
            Row::Open | Row::Wrong => line(),
        };
        match row {
            Some(length) => at += length,
            None => return (at > 0).then_some(at),
        }
    }
}

fn end_of_row(text: &[u8], separator: u8) -> Row {
    match walk(text, separator, Quotes::Doubled, |_, _| {}) {
        Row::Wrong => walk(text, separator, Quotes::Escaped, |_, _| {}),
        row => row,
    }
}

/// Gives each cell of the first row of a text, without the quotes around it, and whether there are quotes in it.
fn walk<'t>(text: &'t [u8], separator: u8, quotes: Quotes, mut cell: impl FnMut(&'t [u8], bool)) -> Row {
    let mut at = 0;
    loop {
        if text.get(at) == Some(&b'"') {
            let start = at + 1;
            let mut has_quotes = false;
            at = start;
            loop {
                let Some(length) = memchr::memchr(b'"', &text[at..]) else { return Row::Open };
                at += length + 1;
                match quotes {
                    Quotes::Doubled if text.get(at) == Some(&b'"') => at += 1,
                    Quotes::Escaped if backslashes(text[start..at - 1].iter().rev()) % 2 == 1 => {}
                    Quotes::Doubled | Quotes::Escaped => break,
                }
                has_quotes = true;
            }
            let inside = &text[start..at - 1];
            cell(inside, has_quotes || matches!(quotes, Quotes::Escaped) && inside.ends_with(b"\\"));
        } else {
            let end = memchr::memchr2(separator, b'\n', &text[at..]).map_or(text.len(), |length| at + length);
            let inside = &text[at..end];
            let has_return = text.get(end) != Some(&separator) && inside.ends_with(b"\r");
            cell(&inside[..inside.len() - usize::from(has_return)], false);
            at = end;
        }
        match &text[at..] {
            [] | b"\r" => return Row::Text,
            [byte, ..] if *byte == separator => at += 1,
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

fn backslashes<'t>(bytes: impl Iterator<Item = &'t u8>) -> usize {
    bytes.take_while(|byte| **byte == b'\\').count()
}

/// A cell without the backslashes before quotes, of which the last may stand behind it.
fn unescaped(inside: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(inside.len());
    let mut at = 0;
    while at < inside.len() {
        let count = backslashes(inside[at..].iter());
        let behind = inside.get(at + count);
        let kept = if matches!(behind, None | Some(b'"')) { count / 2 } else { count };
        text.extend_from_slice(&inside[at..at + kept]);
        text.extend(behind);
        at += count + 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells(text: &str) -> (Vec<String>, Row) {
        let mut cells = Vec::new();
        let row = row(text.as_bytes(), b',', &mut cells);
        (cells.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect(), row)
    }

    #[test]
    fn a_row_of_very_many_cells_is_wrong() {
        let row = |count: usize| cells(&format!("{}\nb", ",".repeat(count - 1)));
        let (found, end) = row(CELLS_MAX);
        assert_eq!((found.len(), end), (CELLS_MAX, Row::Line(CELLS_MAX)));
        assert_eq!(row(CELLS_MAX + 1).1, Row::Wrong);
        assert_eq!(row(4 * CELLS_MAX).1, Row::Wrong);
    }

    #[test]
    fn quotes_behind_backslashes_are_read_where_a_row_is_wrong_otherwise() {
        let check = |text: &str, expected: &[&str]| {
            let (found, end) = cells(text);
            assert_eq!((found, end), (expected.iter().map(|cell| (*cell).to_owned()).collect(), Row::Line(text.len())));
            assert_eq!(last_row(text.as_bytes(), b',', 1 << 20), Some(text.len()));
            assert_eq!(last_row(&text.as_bytes()[..text.len() - 3], b',', 1 << 20), None);
        };
        check("1,\"{\\\"a\\\":\\\"b\\\\\\\"c, \\n\\\"}\",\"x\\\\\",\"\"\n", &["1", r#"{"a":"b\"c, \n"}"#, "x\\", ""]);
        // a backslash is a character otherwise
        check("\"C:\\\",\"a\"\"b\"\n", &["C:\\", "a\"b"]);
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
    fn cells_may_have_other_separators() {
        let mut cells = Vec::new();
        assert_eq!(row(b"a,b;\"c;d\";\r\ne", b';', &mut cells), Row::Line(12));
        assert_eq!(cells, [&b"a,b"[..], b"c;d", b""]);
        assert_eq!(last_row(b"a\t\"b\nc\"\nd\t", b'\t', 99), Some(8));
    }

    #[test]
    fn a_line_keeps_the_blanks_that_are_separators() {
        assert_eq!(trimmed(b" \ta\tb\t\r\n", b'\t'), b"\ta\tb\t");
        assert_eq!(trimmed(b"\ta,b \r\n", b','), b"a,b");
        assert_eq!(trimmed(b" \n", b','), b"");
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

    #[test]
    fn a_text_is_cut_behind_its_last_whole_row() {
        let check = |text: &str, open_max: usize, rest: Option<&str>| {
            assert_eq!(last_row(text.as_bytes(), b',', open_max).map(|at| &text[at..]), rest, "{text}");
        };
        check("a,b\nc,d\n", 99, Some(""));
        check("a,b\nc,\"d\n", 99, Some("c,\"d\n"));
        check("a,b", 99, None);
        check("\"a\nb", 99, None);
        check("a,5\" b\n\"c\nd\",e\nf", 99, Some("f"));
        check("a,\"b\" b\n\"c\nd\",e\nf", 99, Some("f"));
        // a quote that nothing closes costs its line
        check("a,\"b\nc,d\ne,f\ng", 13, Some("g"));
    }

    proptest! {
        #[test]
        fn a_text_that_is_cut_has_the_rows_of_the_whole(text in "([a\",]{0,4}\r?\n|[a\",\n]{0,6}){0,12}") {
            let rows = |text: &[u8]| {
                let (mut at, mut rows) = (0, Vec::new());
                while at < text.len() {
                    let mut cells = Vec::new();
                    let line = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |end| at + end + 1);
                    let (end, is_row) = match row(&text[at..], b',', &mut cells) {
                        Row::Line(end) => (at + end, true),
                        Row::Text => (text.len(), true),
                        Row::Open | Row::Wrong => (line, false),
                    };
                    rows.push(is_row.then(|| cells.into_iter().map(Cow::into_owned).collect::<Vec<_>>()));
                    at = end;
                }
                rows
            };
            let text = text.as_bytes();
            if let Some(cut) = last_row(text, b',', usize::MAX) {
                prop_assert_eq!([rows(&text[..cut]), rows(&text[cut..])].concat(), rows(text));
            }
        }
    }
}
