//! Lines of a text → whether they are whole, and whether the text is made of them, so that more of them may follow.

use std::io::{self, BufRead, Read};

use super::cut::is_records;

/// A line is kept up to so many bytes. A finding has at most some ten thousand.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// Reads the next line with its end in place of what `line` holds, and gives its bytes; 0 where there is none. What is behind 16 MiB of it is
/// passed over.
///
/// # Errors
/// When it cannot be read.
pub fn read_line(from: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    line.clear();
    let count = from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', line)?;
    if count as u64 == LINE_BYTES_MAX && !line.ends_with(b"\n") {
        from.skip_until(b'\n')?;
    }
    Ok(count)
}

/// Whether a line that has no end yet is the beginning of one: text, or JSON that leaves a bracket or string open.
pub fn is_begun(line: &[u8]) -> bool {
    match line.trim_ascii() {
        [] => false,
        json @ [b'{' | b'[' | b']' | b'}' | b',' | b'"', ..] => is_open(json),
        _ => true,
    }
}

/// Whether JSON ends inside a bracket or string that begins in it.
fn is_open(json: &[u8]) -> bool {
    let (mut depth, mut string, mut escaped) = (0, false, false);
    for &byte in json {
        match byte {
            b'"' if !escaped => string = !string,
            b'{' | b'[' if !string => depth += 1,
            b'}' | b']' if !string => depth -= 1,
            _ => {}
        }
        escaped = string && byte == b'\\' && !escaped;
    }
    string || depth > 0
}

/// Whether JSON is made of lines, by its beginning: the first is a whole value. An array, or an object of `Records`, is a document,
/// to which nobody appends.
pub fn is_json_lines(head: &[u8]) -> bool {
    match head.first() {
        Some(b'{') => {
            let key = head.iter().skip(1).take_while(|byte| byte.is_ascii_whitespace()).count() + 1;
            // asked first: the line of a document may be all of it
            !is_records(head, key) && !is_begun(first_line(head))
        }
        Some(b'"') => !is_begun(first_line(head)),
        _ => false,
    }
}

/// Without its end.
pub fn first_line(text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(b'\n', text).unwrap_or(text.len())]
}

/// Where the last whole line of a text ends.
pub fn end_of_lines(text: &[u8]) -> usize {
    let last = memchr::memrchr(b'\n', text).map_or(0, |end| end + 1);
    if is_begun(&text[last..]) { last } else { text.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_begun_and_not_ended_is_told() {
        for whole in ["", " ", "{\"a\":\"}\"}", "{\"a\":\"\\\\\"}", "[1]", "}", "\"a\""] {
            assert!(!is_begun(whole.as_bytes()), "{whole}");
        }
        for begun in ["2 eni-1 OK", "{\"a\":", "{\"a\":{}", "{\"Records\":[{}", "{\"a\":\"\\\"}", "\"a"] {
            assert!(is_begun(begun.as_bytes()), "{begun}");
        }
    }

    #[test]
    fn json_is_made_of_lines_when_the_first_is_a_value_and_no_list_of_records() {
        for lines in ["{\"a\":1}", "{\"a\":1}\n{\"a\":", "{}\n", "\"{}\"\n", "{ \"a\" : [1] }\r\n"] {
            assert!(is_json_lines(lines.as_bytes()), "{lines}");
        }
        for other in ["", "{", "{\n\"a\":1}", "{\"a\":\n", "[{}]", "{\"Records\":[{}]}", "{ \"Records\" : []}\n", "x"] {
            assert!(!is_json_lines(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn of_a_line_that_has_no_end_some_is_kept() {
        let max = LINE_BYTES_MAX as usize;
        let text = [&vec![b'a'; max + 3][..], b"\nb\n", &vec![b'c'; max - 1], b"\nd"].concat();
        let (mut text, mut line, mut seen) = (&text[..], Vec::new(), Vec::new());
        while read_line(&mut text, &mut line).unwrap() > 0 {
            seen.push((line[0], line.len()));
        }
        assert_eq!(seen, [(b'a', max), (b'b', 2), (b'c', max), (b'd', 1)]);
    }

    #[test]
    fn the_last_whole_line_is_found() {
        for (text, end) in [("", 0), ("a", 0), ("a\n", 2), ("a\nb", 2), ("{}\n{\"a\"", 3), ("{}\n{}", 5)] {
            assert_eq!(end_of_lines(text.as_bytes()), end, "{text}");
        }
    }
}
