//! The path of a call such as `json_extract(requestParameters, '$.a[0]')` → arguments of the JSON functions here.

use anyhow::bail;
use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, DataType, Expr, Function, Ident};

use super::template::{call_name, positional, text, with_arguments};
use super::{For, is_list_of_json};
use crate::catalog;
use crate::table::Kind;

/// `$.a.b[0]["c d"]` → the arguments behind the JSON: `, 'a', 'b', 0, 'c d'`.
///
/// # Errors
/// When the path is no text constant, or leads to more than one value.
pub fn keys(path: &Expr) -> anyhow::Result<String> {
    let Some(path) = text(path) else { bail!("the path of json_extract is a text constant such as '$.bucketName'") };
    // json_value and json_query say how strict they are
    let path = path.strip_prefix("lax ").or_else(|| path.strip_prefix("strict ")).unwrap_or(path);
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    let mut keys = String::new();
    let quoted = |key: &str| format!(", '{}'", key.replace('\'', "''"));
    while !rest.is_empty() {
        let (key, behind) = if let Some(inner) = rest.strip_prefix('[') {
            let Some((key, behind)) = inner.split_once(']') else { bail!("`[` without `]` in the path {path}") };
            let key = key.trim();
            let name = key.strip_prefix(['"', '\'']).and_then(|key| key.strip_suffix(['"', '\'']));
            match (name, key.parse::<u32>()) {
                (Some(name), _) => (quoted(name), behind),
                (None, Ok(place)) => (format!(", {place}"), behind),
                (None, Err(_)) if key == "*" => return several(path),
                (None, Err(_)) => bail!("`[{key}]` in the path {path} is neither a place nor a name in quotes"),
            }
        } else {
            let inner = rest.strip_prefix('.').unwrap_or(rest);
            let end = inner.find(['.', '[']).unwrap_or(inner.len());
            let (key, behind) = inner.split_at(end);
            if key.is_empty() || key == "*" {
                return several(path);
            }
            (quoted(key.trim_matches('"')), behind)
        };
        keys += &key;
        rest = behind;
    }
    Ok(keys)
}

/// The call that takes JSON out of its text in the place of `json_extract` where it is cast to a type.
pub fn taken_as(kind: &DataType, who: For) -> &'static str {
    let is_whole = |kind: &DataType| {
        let is_long = matches!(kind, DataType::BigInt(_) | DataType::Int(_) | DataType::Integer(_));
        who == For::Query && (is_long || matches!(kind, DataType::SmallInt(_) | DataType::TinyInt(_)))
    };
    match kind {
        kind if is_list_of_json(kind) => "json_extract_items",
        DataType::Array(ArrayElemTypeDef::AngleBracket(item)) if is_whole(item) => "json_extract_wholes",
        DataType::Array(_) => "json_extract_array",
        kind if is_whole(kind) => "json_extract_whole",
        _ => "json_extract_text",
    }
}

/// `json_extract_scalar(service, '$.action.actiontype')`, as AWS asks GuardDuty's findings, of a column that has fields here → the column, and
/// the field as a text.
pub fn field(call: &Function) -> Option<(Ident, Expr)> {
    let args = positional(call).filter(|_| call_name(call).as_deref() == Some("json_extract_scalar"))?;
    let [json, path] = args.as_slice() else { return None };
    let mut names = match json {
        Expr::Identifier(name) => vec![name.clone()],
        Expr::CompoundIdentifier(names) => names.clone(),
        _ => return None,
    };
    let column = names.last()?.clone();
    let mut columns = catalog::tables().flat_map(|table| table.columns);
    let mut kind = columns.find(|known| known.name.eq_ignore_ascii_case(&column.value))?.kind;
    for key in text(path)?.strip_prefix("$.")?.split('.') {
        let Kind::Struct(fields) = kind else { return None };
        let field = fields.iter().find(|field| field.name.eq_ignore_ascii_case(key))?;
        names.push(Ident::new(field.name));
        kind = field.kind;
    }
    // what has parts has no text
    let is_scalar = !matches!(kind, Kind::Struct(_) | Kind::List(_) | Kind::Json);
    is_scalar.then(|| (column, with_arguments("CAST(arg1 AS VARCHAR)", &[&Expr::CompoundIdentifier(names)])))
}

fn several(path: &str) -> anyhow::Result<String> {
    bail!(
        "the path {path} has several values: json_texts(requestParameters, 'items', 'cidrIp') has all of them, and in `weir sql` \
         json_query(requestParameters, 'lax $.items[*].cidrIp' WITH ARRAY WRAPPER)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::athena::template::expression;

    #[test]
    fn each_step_of_a_path_is_an_argument() {
        for (path, expected) in [
            ("$", ""),
            ("$.a", ", 'a'"),
            ("a.b", ", 'a', 'b'"),
            ("$.a[0].b", ", 'a', 0, 'b'"),
            ("$[\"a.b\"]['c d']", ", 'a.b', 'c d'"),
            ("$.\"a\"", ", 'a'"),
            ("lax $.a", ", 'a'"),
        ] {
            let constant = expression(&format!("'{}'", path.replace('\'', "''")));
            assert_eq!(keys(&constant).unwrap(), expected, "{path}");
        }
        for wrong in ["'$..a'", "'$.*'", "'$.a[*]'", "'$.a['", "a"] {
            assert!(keys(&expression(wrong)).is_err(), "{wrong}");
        }
    }
}
