//! A cast to a type that only Athena has, or has otherwise → a call that makes the same.

use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, CharacterLength, DataType, Expr};

use super::template::with_arguments;

/// What a cast is to a type that only Athena has, or has otherwise.
pub fn typed(expr: &Expr, kind: &DataType) -> Option<Expr> {
    if let Some(text) = nested(kind) {
        return Some(with_arguments(&format!("json_cast(arg1, '{}')", text.replace('\'', "''")), &[expr]));
    }
    if let DataType::Varchar(Some(CharacterLength::IntegerLength { length, .. })) = kind {
        return Some(with_arguments(&format!("left(CAST(arg1 AS VARCHAR), {length})"), &[expr]));
    }
    match kind.to_string().to_ascii_lowercase().as_str() {
        "varbinary" => Some(with_arguments("arrow_cast(CAST(arg1 AS VARCHAR), 'Binary')", &[expr])),
        "json" => Some(with_arguments("to_json(arg1)", &[expr])),
        "ipaddress" => Some(with_arguments("ip_address(arg1)", &[expr])),
        "ipprefix" => Some(expr.clone()),
        "uuid" => Some(with_arguments("lower(CAST(arg1 AS VARCHAR))", &[expr])),
        _ => None,
    }
}

pub fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Varchar(_) | DataType::Char(_) | DataType::Text | DataType::String(_))
}

/// The text of a type with rows or maps in it, which [`crate::rule::dialect`] makes one name of.
pub fn nested(kind: &DataType) -> Option<&str> {
    let DataType::Custom(name, _) = kind else { return None };
    let [name] = name.0.as_slice() else { return None };
    let name = name.as_ident().filter(|name| name.quote_style.is_some())?;
    name.value.ends_with(')').then_some(name.value.as_str())
}

pub fn is_list_of_json(kind: &DataType) -> bool {
    match kind {
        DataType::Array(ArrayElemTypeDef::AngleBracket(item)) => matches!(item.as_ref(), DataType::JSON),
        _ => false,
    }
}
