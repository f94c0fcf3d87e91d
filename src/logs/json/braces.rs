//! The text in which Athena shows a struct, `{type=Root, arn=..., invokedby=null}`, or a list of such → JSON.
//!
//! Nothing in it is quoted, so it can only be read by who knows the fields: a value ends where ` NAME=` of the next field or the
//! bracket begins that closes its struct.

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
    fn what_is_no_struct_of_these_fields_stays_as_it_is() {
        for text in ["{kind=a}", "{type=a", "{type=a} b", "{}", "{issuer={arn=a, type=b}", "type=a", "{resources=[x]}"]
        {
            assert_eq!(json(text), None, "{text}");
        }
    }
}
