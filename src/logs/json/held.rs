//! An object in which texts of JSON stand where there should be objects, as who flattens what is nested writes it → the same with these.

use serde_json::Value;

use super::scalar;
use crate::table::{Column, Kind};

/// The JSON of a column of this kind; `None` where nothing in it is such a text.
#[cold]
pub fn open(json: &[u8], kind: Kind) -> Option<Vec<u8>> {
    let Kind::Struct(columns) = kind else { return None };
    if !json.starts_with(b"{") || memchr::memmem::find(json, b"\"{").is_none() {
        return None;
    }
    let mut value = scalar::value(json)?;
    open_below(&mut value, columns).then(|| value.to_string().into_bytes())
}

/// Whether there was such a text.
fn open_below(object: &mut Value, columns: &[Column]) -> bool {
    let mut is_any = false;
    for (name, value) in object.as_object_mut().into_iter().flatten() {
        let mut own = columns.iter().filter(|column| column.name.eq_ignore_ascii_case(name));
        let Some(Kind::Struct(inside)) = own.next().map(|column| column.kind) else { continue };
        let held = value.as_str().and_then(|text| scalar::value(text.as_bytes())).filter(Value::is_object);
        if let Some(held) = held {
            *value = held;
            is_any = true;
        }
        is_any |= open_below(value, inside);
    }
    is_any
}
