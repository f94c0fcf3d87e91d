//! The text in which Athena shows a struct, `{type=Root, arn=..., invokedby=null}`, a list of such, or a map → JSON.
//!
//! Nothing in it is quoted, so a struct can only be read by who knows the fields: a value ends where ` NAME=` of the next field or the
//! bracket begins that closes its struct. The keys of a map can be any: `requestParameters` of CloudTrail Lake is a `map<varchar, varchar>`,
//! whose values are JSON where they are objects or lists.

use super::query::quote;
use crate::table::{Column, Kind};

/// Structs in structs are read this deep.
const DEPTH_MAX: u8 = 8;
/// No field has a longer name.
const NAME_MAX: usize = 64;

/// Adds the JSON of a struct or list of a table's columns to `out`, which keeps what it has where the text is none.
pub fn add(out: &mut Vec<u8>, text: &[u8], columns: &[Column]) -> bool {
    let length = out.len();
    let rest = match text.first() {
        Some(b'[') => list(out, text, columns, DEPTH_MAX),
        _ => fields(out, text, columns, DEPTH_MAX),
    };
    let whole = rest.is_some_and(|rest| rest.trim_ascii().is_empty());
    if !whole {
        out.truncate(length);
    }
    whole
}

/// Adds the JSON of a map of texts to `out`, which keeps what it has where the text is none.
pub fn add_map(out: &mut Vec<u8>, text: &[u8]) -> bool {
    let length = out.len();
    let whole = entries(out, text.trim_ascii()).is_some();
    if !whole {
        out.truncate(length);
    }
    whole
}

/// The JSON of a column of this kind that stands as such a text; `None` where it is none.
pub fn read(text: &[u8], kind: Kind) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let is_read = match kind {
        Kind::Struct(columns) | Kind::List(columns) => add(&mut out, text, columns),
        Kind::Json => add_map(&mut out, text),
        Kind::Text | Kind::Symbol | Kind::Int | Kind::Float | Kind::Bool | Kind::Time => false,
    };
    is_read.then_some(out)
}

/// Reads `{key=value, ...}` to its end.
fn entries(out: &mut Vec<u8>, text: &[u8]) -> Option<()> {
    let mut rest = text.strip_prefix(b"{")?.strip_suffix(b"}")?;
    out.push(b'{');
    while !rest.is_empty() {
        let (key, behind) = rest.split_at(key_of(rest)?);
        let behind = &behind[1..];
        let is_end = |at: &usize| {
            *at == behind.len() || behind[*at..].strip_prefix(b", ").is_some_and(|next| key_of(next).is_some())
        };
        let json = json_of(behind).filter(is_end);
        let text = || memchr::memchr_iter(b',', behind).find(is_end).unwrap_or(behind.len());
        let end = json.unwrap_or_else(text);
        let value = &behind[..end];
        if out.last() != Some(&b'{') {
            out.push(b',');
        }
        quote(out, key);
        out.push(b':');
        match value {
            value if json.is_some() || value == b"null" => out.extend_from_slice(value),
            value => quote(out, value),
        }
        rest = behind.get(end + 2..).unwrap_or_default();
    }
    out.push(b'}');
    Some(())
}

/// How long the key is that a text begins with, up to its `=`.
fn key_of(text: &[u8]) -> Option<usize> {
    let length = memchr::memchr(b'=', &text[..text.len().min(NAME_MAX)])?;
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':' | b'/');
    (length > 0 && text[..length].iter().all(is_letter)).then_some(length)
}

/// How long the object or list of JSON is that a text begins with.
fn json_of(text: &[u8]) -> Option<usize> {
    let mut values = matches!(text, [b'{' | b'[', ..])
        .then(|| serde_json::Deserializer::from_slice(text).into_iter::<serde::de::IgnoredAny>())?;
    values.next()?.ok()?;
    Some(values.byte_offset())
}

/// Reads `[{...}, {...}]`; gives what stands behind.
fn list<'t>(out: &mut Vec<u8>, text: &'t [u8], columns: &[Column], depth: u8) -> Option<&'t [u8]> {
    let mut rest = text.strip_prefix(b"[")?;
    out.push(b'[');
    while !rest.starts_with(b"]") {
        if out.last() != Some(&b'[') {
            rest = rest.strip_prefix(b", ")?;
            out.push(b',');
        }
        rest = match rest.strip_prefix(b"null") {
            Some(behind) => {
                out.extend_from_slice(b"null");
                behind
            }
            None => fields(out, rest, columns, depth)?,
        };
    }
    out.push(b']');
    Some(&rest[1..])
}

/// Reads `{name=value, ...}`; gives what stands behind.
fn fields<'t>(out: &mut Vec<u8>, text: &'t [u8], columns: &[Column], depth: u8) -> Option<&'t [u8]> {
    let depth = depth.checked_sub(1)?;
    let mut rest = text.strip_prefix(b"{")?;
    out.push(b'{');
    loop {
        let (column, behind) = named(rest, columns)?;
        let is_first = out.last() == Some(&b'{');
        let before = out.len();
        if !is_first {
            out.push(b',');
        }
        let key = column.path.split('|').next().filter(|key| !key.is_empty());
        quote(out, key.unwrap_or(column.name).as_bytes());
        out.push(b':');
        rest = match (column.kind, behind.first()) {
            (Kind::Struct(inner), Some(b'{')) => fields(out, behind, inner, depth)?,
            (Kind::List(inner), Some(b'[')) => list(out, behind, inner, depth)?,
            _ => {
                let (value, behind) = behind.split_at(end(behind, columns)?);
                match value {
                    b"null" => out.truncate(before),
                    value => quote(out, value),
                }
                behind
            }
        };
        match rest.strip_prefix(b", ") {
            Some(behind) => rest = behind,
            None => break,
        }
    }
    out.push(b'}');
    rest.strip_prefix(b"}")
}

/// The field whose name a text begins with, and what stands behind its `=`.
fn named<'c, 't>(text: &'t [u8], columns: &'c [Column]) -> Option<(&'c Column, &'t [u8])> {
    let length = memchr::memchr(b'=', &text[..text.len().min(NAME_MAX)])?;
    let column = columns.iter().find(|column| column.name.as_bytes().eq_ignore_ascii_case(&text[..length]))?;
    Some((column, &text[length + 1..]))
}

/// Where a value ends that is text: before the next field, or the bracket that closes the struct. Brackets within it match.
fn end(text: &[u8], columns: &[Column]) -> Option<usize> {
    let mut open = 0_usize;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' if open > 0 => open -= 1,
            b'}' => return Some(at),
            b',' if open == 0 && text[at..].starts_with(b", ") && named(&text[at + 2..], columns).is_some() => {
                return Some(at);
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &[Column] = &[Column::new("arn", "arn", Kind::Text, ""), Column::new("type", "type", Kind::Text, "")];
    const COLUMNS: &[Column] = &[
        Column::new("type", "type", Kind::Text, ""),
        Column::new("username", "userName", Kind::Text, ""),
        Column::new("issuer", "issuer", Kind::Struct(ISSUER), ""),
        Column::new("resources", "resources", Kind::List(ISSUER), ""),
        Column::new("attributes", "attributes", Kind::Json, ""),
    ];

    fn json(text: &str) -> Option<String> {
        let mut out = b"before".to_vec();
        let whole = add(&mut out, text.as_bytes(), COLUMNS);
        let text = String::from_utf8(out).unwrap();
        let added = text.strip_prefix("before").unwrap().to_owned();
        assert_eq!(added.is_empty(), !whole);
        whole.then_some(added)
    }

    #[test]
    fn a_value_ends_where_the_next_field_begins() {
        for (text, expected) in [
            ("{type=Root}", r#"{"type":"Root"}"#),
            ("{type=null, username=a, b=c, d}", r#"{"userName":"a, b=c, d"}"#),
            ("{TYPE=\"x\", userName=}", r#"{"type":"\"x\"","userName":""}"#),
            (
                "{issuer={arn=a, type=null}, resources=[{arn=b, type=c}, null, {arn=d}], type=e}",
                r#"{"issuer":{"arn":"a"},"resources":[{"arn":"b","type":"c"},null,{"arn":"d"}],"type":"e"}"#,
            ),
            ("{issuer=null, resources=[], type=null}", r#"{"resources":[]}"#),
            ("{attributes={a=b, type=c}, type=d}", r#"{"attributes":"{a=b, type=c}","type":"d"}"#),
        ] {
            assert_eq!(json(text).as_deref(), Some(expected), "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(expected).is_ok());
        }
        let mut out = Vec::new();
        assert!(add(&mut out, b"[{arn=a}]", ISSUER));
        assert_eq!(out, br#"[{"arn":"a"}]"#);
    }

    #[test]
    fn a_map_has_any_keys_and_json_for_what_is_no_text() {
        let map = |text: &str| {
            let mut out = b"before".to_vec();
            add_map(&mut out, text.as_bytes()).then(|| String::from_utf8(out.split_off(6)).unwrap())
        };
        for (text, expected) in [
            ("{ConsoleLogin=Success}", r#"{"ConsoleLogin":"Success"}"#),
            (
                "{MFAUsed=No, LoginTo=https://a/?x=1&y=2, MobileVersion=No}",
                r#"{"MFAUsed":"No","LoginTo":"https://a/?x=1&y=2","MobileVersion":"No"}"#,
            ),
            (
                r#"{set={"items":[{"a":"b, c=d"}], "e":1}, x-amz-acl=public-read, none=null}"#,
                r#"{"set":{"items":[{"a":"b, c=d"}], "e":1},"x-amz-acl":"public-read","none":null}"#,
            ),
            ("{text=one, two and {three}, list=[1, 2]}", r#"{"text":"one, two and {three}","list":[1, 2]}"#),
            ("{broken={\"a\":, b=c}", r#"{"broken":"{\"a\":","b":"c"}"#),
            ("{empty=, quote=\"}", r#"{"empty":"","quote":"\""}"#),
            ("{}", "{}"),
        ] {
            assert_eq!(map(text).as_deref(), Some(expected), "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(expected).is_ok(), "{expected}");
        }
        for text in ["", "{", "{a}", "{=b}", "{a b=c}", "a=b", "[a=b]", "{a=b"] {
            assert_eq!(map(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_struct_of_these_fields_stays_as_it_is() {
        for text in ["{kind=a}", "{type=a", "{type=a} b", "{}", "{issuer={arn=a, type=b}", "type=a", "{resources=[x]}"]
        {
            assert_eq!(json(text), None, "{text}");
        }
    }
}
