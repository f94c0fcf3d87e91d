//! What Python prints of dicts and lists, `print(client.get_job_runs(...))` or the cells of a CSV that pandas wrote, → the JSON that
//! `json.dumps` would have made of it.

use std::iter::Peekable;
use std::str::CharIndices;

use serde_json::{Map, Number, Value};

/// Lists and dicts in each other, as deep as they are read.
const DEPTH_MAX: usize = 100;
/// Values in one dict or list: each takes about 80 bytes, and twice as much while its list grows. 4 MB of `[],` took 300 MB.
const VALUES_MAX: usize = 500_000;

/// The dict or list that a text begins with, and how long it is written.
#[cold]
pub(super) fn value(text: &str) -> Option<(Value, usize)> {
    read(text).ok()
}

/// The same of a text that may go on for long behind it, and need not be UTF-8 there; one of more than `most` bytes is not read.
#[cold]
pub(super) fn first(text: &[u8], most: usize) -> Option<(Value, usize)> {
    /// Most are shorter. All that is looked at is checked to be UTF-8, for each dict of a text.
    const LOOK: usize = 16 << 10;
    let text = &text[..text.len().min(most)];
    let mut look = LOOK;
    loop {
        let part = &text[..text.len().min(look)];
        match read(part.utf8_chunks().next().map_or("", |chunk| chunk.valid())) {
            Ok(found) => return Some(found),
            Err(Wrong::Short) if part.len() < text.len() => look *= 4,
            Err(Wrong::Short | Wrong::Other) => return None,
        }
    }
}

/// Why a text does not begin with a dict or list.
enum Wrong {
    /// It ends before that does.
    Short,
    Other,
}

fn read(text: &str) -> Result<(Value, usize), Wrong> {
    let mut reader = Reader { chars: text.char_indices().peekable(), length: text.len(), values: 0 };
    match reader.value(0) {
        Some(value) if value.is_object() || value.is_array() => Ok((value, reader.at())),
        None if reader.chars.peek().is_none() => Err(Wrong::Short),
        _ => Err(Wrong::Other),
    }
}

/// Whether a text begins as such a dict or list, and not as JSON does.
pub(super) fn may_be(text: &[u8]) -> bool {
    let first = |text: &[u8]| text.iter().copied().find(|byte| !byte.is_ascii_whitespace());
    match text.trim_ascii_start() {
        [b'{', inside @ ..] => first(inside) == Some(b'\''),
        [b'[', inside @ ..] => match inside.trim_ascii_start() {
            [b'{', inside @ ..] => first(inside) == Some(b'\''),
            inside => inside.starts_with(b"'"),
        },
        _ => false,
    }
}

struct Reader<'t> {
    chars: Peekable<CharIndices<'t>>,
    length: usize,
    /// Begun so far.
    values: usize,
}

impl Reader<'_> {
    fn at(&mut self) -> usize {
        self.chars.peek().map_or(self.length, |(at, _)| *at)
    }

    fn peek(&mut self) -> Option<char> {
        while self.chars.next_if(|(_, next)| next.is_whitespace()).is_some() {}
        self.chars.peek().map(|(_, next)| *next)
    }

    /// Goes over a sign, if it is the next.
    fn is_next(&mut self, sign: char) -> bool {
        self.peek();
        self.chars.next_if(|(_, next)| *next == sign).is_some()
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.values += 1;
        if depth > DEPTH_MAX || self.values > VALUES_MAX {
            return None;
        }
        match self.peek()? {
            '{' => self.dict(depth),
            open @ ('[' | '(') => self.list(open, if open == '[' { ']' } else { ')' }, depth).map(Value::Array),
            '\'' | '"' => self.strings().map(Value::String),
            '-' | '0'..='9' => self.number(),
            _ => self.word(depth),
        }
    }

    fn dict(&mut self, depth: usize) -> Option<Value> {
        let mut members = Map::new();
        self.chars.next();
        while !self.is_next('}') {
            let name = match self.value(depth + 1)? {
                Value::String(name) => name,
                other => other.to_string(),
            };
            if !self.is_next(':') {
                return None;
            }
            members.insert(name, self.value(depth + 1)?);
            if !self.is_next(',') && self.peek()? != '}' {
                return None;
            }
        }
        Some(Value::Object(members))
    }

    fn list(&mut self, open: char, close: char, depth: usize) -> Option<Vec<Value>> {
        let mut items = Vec::new();
        if !self.is_next(open) {
            return None;
        }
        while !self.is_next(close) {
            // `tzinfo=tzlocal()`
            let item = self.value(depth + 1)?;
            items.push(if self.is_next('=') { self.value(depth + 1).map(|_| Value::Null)? } else { item });
            if !self.is_next(',') && self.peek()? != close {
                return None;
            }
        }
        Some(items)
    }

    /// Strings behind each other are one: `pprint` cuts long ones into lines.
    fn strings(&mut self) -> Option<String> {
        let mut text = self.string()?;
        while matches!(self.peek(), Some('\'' | '"')) {
            text.push_str(&self.string()?);
        }
        Some(text)
    }

    fn string(&mut self) -> Option<String> {
        let (_, quote) = self.chars.next()?;
        let mut text = String::new();
        loop {
            match self.chars.next()?.1 {
                end if end == quote => return Some(text),
                // which Python prints as `\n`: what looks for its end in other lines would swallow the records there
                '\n' => return None,
                '\\' => match self.chars.next()?.1 {
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    'x' => text.push(self.code(2)?),
                    'u' => text.push(self.code(4)?),
                    'U' => text.push(self.code(8)?),
                    '\n' => return None,
                    other @ ('\\' | '\'' | '"') => text.push(other),
                    other => text.extend(['\\', other]),
                },
                other => text.push(other),
            }
        }
    }

    fn code(&mut self, digits: usize) -> Option<char> {
        let text: String = (0..digits).map_while(|_| self.chars.next().map(|(_, digit)| digit)).collect();
        Some(char::from_u32(u32::from_str_radix(&text, 16).ok()?).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn number(&mut self) -> Option<Value> {
        let mut text = String::new();
        while let Some((_, digit)) =
            self.chars.next_if(|(_, next)| next.is_ascii_digit() || matches!(next, '-' | '+' | '.' | 'e' | 'E'))
        {
            text.push(digit);
        }
        let whole = text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from));
        let number = whole.ok().or_else(|| Number::from_f64(text.parse().ok()?))?;
        Some(Value::Number(number))
    }

    /// `True`, `None`, a text of bytes (`b'...'`), `Decimal('1')`, or a time: `datetime.datetime(2024, 8, 1, 10, 0, tzinfo=tzlocal())`.
    fn word(&mut self, depth: usize) -> Option<Value> {
        let mut word = String::new();
        while let Some((_, letter)) =
            self.chars.next_if(|(_, next)| next.is_alphanumeric() || matches!(next, '_' | '.'))
        {
            word.push(letter);
        }
        match (word.as_str(), self.chars.peek().map(|(_, next)| *next)) {
            ("True" | "true", _) => Some(Value::Bool(true)),
            ("False" | "false", _) => Some(Value::Bool(false)),
            ("None" | "null" | "nan" | "NaN" | "NaT", _) => Some(Value::Null),
            ("b" | "u" | "r", Some('\'' | '"')) => self.string().map(Value::String),
            ("" | ".", _) => None,
            (_, Some('(')) => {
                let arguments = self.list('(', ')', depth)?;
                Some(match time(&arguments).filter(|_| word.ends_with("datetime")) {
                    Some(time) => Value::String(time),
                    None => arguments.into_iter().next().unwrap_or(Value::Null),
                })
            }
            // the name of an argument
            (_, Some('=')) => Some(Value::Null),
            // what a module has: `datetime.timezone.utc`
            (name, _) if name.starts_with(char::is_alphabetic) && name.contains('.') => Some(Value::Null),
            (_, _) => None,
        }
    }
}

/// Year, month, day, hour, minute, second and microsecond, of which the last may be missing. Of its zone nothing is known: it is
/// taken for UTC, in which most of AWS's are.
fn time(arguments: &[Value]) -> Option<String> {
    let numbers: Vec<i64> = arguments.iter().map_while(Value::as_i64).collect();
    let [year, month, day, rest @ ..] = &numbers[..] else { return None };
    let of = |place: usize| rest.get(place).copied().unwrap_or(0);
    Some(format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}Z", of(0), of(1), of(2), of(3)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert!(may_be(text.as_bytes()), "{text}");
        let (value, length) = value(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!((value.to_string().as_str(), length), (expected, text.len()));
    }

    #[test]
    fn dicts_and_lists_are_the_json_of_them() {
        check(r#"{'a': 1, 'b': [True, None, -1.5], 'c': "it's"}"#, r#"{"a":1,"b":[true,null,-1.5],"c":"it's"}"#);
        check(r"{'a\n\x41\\': 'ä\u00e4', 'b': (1,)}", r#"{"a\nA\\":"ää","b":[1]}"#);
        check("[{'a': {}}, {'b': []},]", r#"[{"a":{}},{"b":[]}]"#);
        check("{'a': 18446744073709551615}", r#"{"a":18446744073709551615}"#);
        check("{'a': b'x', 'd': Decimal('1.5')}", r#"{"a":"x","d":"1.5"}"#);
        check("{'a': 'b '\n      \"it's \"\n      'c',\n 'd': 1}", r#"{"a":"b it's c","d":1}"#);
    }

    #[test]
    fn what_stands_behind_is_not_looked_at() {
        let dict = format!("{{'a': '{}'}}", "ä".repeat(100_000));
        let text = [dict.as_bytes(), b"\n{'a': \xff"].concat();
        let length = |text: &[u8], most| first(text, most).map(|(_, length)| length);
        assert_eq!(length(&text, 1 << 20), Some(dict.len()));
        assert_eq!(length(&text, dict.len()), Some(dict.len()));
        assert_eq!(length(&text, dict.len() - 1), None);
        assert_eq!(length(b"{'a': x, 'b': 1}", 1 << 20), None);
        assert_eq!(length(b"{'a': \xff}", 1 << 20), None);
    }

    #[test]
    fn times_are_texts() {
        check(
            "{'t': datetime.datetime(2024, 8, 1, 10, 5, 7, 250000, tzinfo=tzlocal()), 'd': datetime.date(2024, 8, 1)}",
            r#"{"t":"2024-08-01T10:05:07.250000Z","d":2024}"#,
        );
        check(
            "{'t': datetime.datetime(2024, 8, 1, 10, 5, tzinfo=datetime.timezone.utc)}",
            r#"{"t":"2024-08-01T10:05:00.000000Z"}"#,
        );
    }

    #[test]
    fn other_texts_are_none() {
        for text in [
            "{'a'}",
            "{'a': }",
            "{'a': 1",
            "{'a': x}",
            "{'a': 'b",
            "{'a' 1}",
            "['a' b]",
            "{'a': '\n'}",
            "{'a': '\\\n'}",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
        for text in [r#"{"a":1}"#, "[1]", "'a'", "{a: 1}"] {
            assert!(!may_be(text.as_bytes()), "{text}");
        }
        let deep = format!("{{'a': {}", "[".repeat(200));
        assert_eq!(value(&deep), None);
        let wide = |count| format!("[{}]", "1,".repeat(count));
        assert!(value(&wide(VALUES_MAX - 1)).is_some());
        assert_eq!(value(&wide(VALUES_MAX)), None);
    }
}
