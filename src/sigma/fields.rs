//! A field name of a Sigma rule → the SQL that reads it from its table.

use std::fmt::Write;

use crate::rule::spelling::nearest;
use crate::table::{Column, Kind, PARTITIONS, Table};

/// Where the value of a field is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// In a column of its own.
    One { sql: String, kind: One },
    /// In JSON, in a list, or in several columns: any number of values.
    Many {
        /// SQL of the list of their texts.
        texts: String,
        /// SQL condition, never null, that there is one other than null.
        exists: String,
        /// Of a path into JSON, SQL of the text at its end, lists not seen through; null where there is none.
        single: Option<String>,
    },
}

/// What a column of one value holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum One {
    Text,
    Number,
    Bool,
    Time,
}

impl Field {
    /// SQL of a text that shows the field as evidence.
    pub fn shown(&self, name: &str) -> String {
        match self {
            Field::One { sql, .. } => sql.clone(),
            Field::Many { texts, .. } => {
                // alone, such a name may be one by which a column sets a part of the finding, as `severity`
                let is_alone = !name.contains('.') && texts.starts_with("json_texts(unmapped, ");
                let name = if is_alone { format!("unmapped.{name}") } else { name.to_owned() };
                format!("array_to_string({texts}, ', ') AS {}", quoted(&name, '"'))
            }
        }
    }
}

/// Finds the field that a dotted path names. Columns are found in any case, as the parser of the logs finds their keys;
/// keys inside free-form JSON only as they are spelled.
///
/// # Errors
/// When the table cannot have such a field.
pub fn resolve(table: &Table, name: &str) -> Result<Field, String> {
    let name = name.replace("\\[", "[").replace("\\]", "]");
    let parts: Vec<&str> = name.split('.').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(format!("`{name}` is not a field name"));
    }
    if let Some(field) = in_columns(table, table.columns, "", &parts) {
        return Ok(field);
    }
    if let Some(column) = PARTITIONS.iter().find(|column| column.name.eq_ignore_ascii_case(&name)) {
        return Ok(Field::One { sql: column.name.to_owned(), kind: One::Text });
    }
    match unmapped(table) {
        Some(unmapped) => Ok(in_json(&unmapped, &parts)),
        None => {
            let meant = meant(table, &name).map_or(String::new(), |meant| format!("; did you mean `{meant}`?"));
            Err(format!("table {} has no field `{name}`: see `weir tables {}`{meant}", table.name, table.name))
        }
    }
}

/// A field without a column of its own, in a table that keeps what has none.
#[derive(Debug, PartialEq, Eq)]
pub struct Stray {
    /// The column that is called nearly so.
    pub meant: Option<String>,
}

/// What is to be said of a field that none of the columns has; `None` of one that they have, or that is refused.
pub fn stray(table: &Table, name: &str) -> Option<Stray> {
    let kept = format!("json_texts({}, ", unmapped(table)?);
    match resolve(table, name) {
        Ok(Field::Many { texts, .. }) if texts.starts_with(&kept) => Some(Stray { meant: meant(table, name) }),
        _ => None,
    }
}

/// The column that a path nearly leads to, or one in whatever object that is called as the path is.
fn meant(table: &Table, name: &str) -> Option<String> {
    let (mut columns, mut above) = (table.columns, String::new());
    let mut all = Vec::new();
    paths(columns, "", &mut all);
    for part in name.split('.') {
        let known = columns.iter().filter(|column| !column.path.is_empty());
        if let Some(column) = known.clone().find(|column| is_called(column, part)) {
            above = join(&above, spelled(column));
            columns = if let Kind::Struct(inner) = column.kind { inner } else { &[] };
            continue;
        }
        let names: Vec<String> = known.map(spelled).collect();
        let near = nearest(part, 1 + part.len() / 4, names.iter().map(String::as_str))
            .map(|near| join(&above, near.to_owned()));
        let elsewhere =
            || all.into_iter().find(|path| path.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case(part)));
        return near.or_else(elsewhere);
    }
    None
}

/// Every column within objects, those of the outermost first.
fn paths(columns: &[Column], above: &str, all: &mut Vec<String>) {
    let known = columns.iter().filter(|column| !column.path.is_empty());
    all.extend(known.clone().map(|column| join(above, spelled(column))));
    for column in known {
        if let Kind::Struct(inner) = column.kind {
            paths(inner, &join(above, spelled(column)), all);
        }
    }
}

/// Every value of the event.
pub fn whole_event(table: &Table) -> Field {
    many(leaves(table.columns, ""), "true".into())
}

fn in_columns(table: &Table, columns: &[Column], above: &str, path: &[&str]) -> Option<Field> {
    let (first, rest) = path.split_first()?;
    let Some(column) = columns.iter().find(|column| !column.path.is_empty() && is_called(column, first)) else {
        // the parser keeps what has no column under the whole path of its object
        let unmapped = unmapped(table).filter(|_| !above.is_empty())?;
        return Some(in_json(&unmapped, &[&[&*format!("{above}.{first}")], rest].concat()));
    };
    let sql = join(above, spelled(column));
    match column.kind {
        Kind::Struct(_) if rest.is_empty() => {
            Some(many(leaves(std::slice::from_ref(column), above), format!("{sql} IS NOT NULL")))
        }
        Kind::Struct(inner) => in_columns(table, inner, &sql, rest),
        Kind::Json => Some(in_json(&sql, rest)),
        Kind::List(_) if rest.is_empty() => Some(many(vec![sql.clone()], format!("{sql} IS NOT NULL"))),
        Kind::List(inner) => {
            let Some(column) = inner.iter().find(|column| is_called(column, rest[0])) else {
                return Some(in_json(&unmapped(table)?, &[&[&*join(&sql, rest[0].to_owned())], &rest[1..]].concat()));
            };
            let values = format!("array_transform({sql}, element -> get_field(element, '{}'))", column.name);
            let exists =
                format!("array_any_match({sql}, element -> get_field(element, '{}') IS NOT NULL)", column.name);
            Some(many(vec![values], format!("{exists} IS TRUE")))
        }
        // a value with fields does not fit such a column, and is kept with what has none
        _ if !rest.is_empty() => Some(in_json(&unmapped(table)?, &[&[&*sql], rest].concat())),
        kind => Some(Field::One { sql, kind: one(kind)? }),
    }
}

fn one(kind: Kind) -> Option<One> {
    match kind {
        Kind::Text | Kind::Symbol => Some(One::Text),
        Kind::Int | Kind::Float => Some(One::Number),
        Kind::Bool => Some(One::Bool),
        Kind::Time => Some(One::Time),
        Kind::Json | Kind::Struct(_) | Kind::List(_) => None,
    }
}

fn in_json(sql: &str, path: &[&str]) -> Field {
    let keys = path.iter().fold(String::new(), |mut keys, key| {
        let _ = write!(keys, ", {}", quoted(key, '\'')); // writing to a String cannot fail
        keys
    });
    let single = path.split_last().map(|(last, above)| {
        let above = above.iter().fold(sql.to_owned(), |above, key| format!("{above} -> {}", quoted(key, '\'')));
        format!("{above} ->> {}", quoted(last, '\''))
    });
    Field::Many { texts: format!("json_texts({sql}{keys})"), exists: format!("json_exists({sql}{keys})"), single }
}

fn many(values: Vec<String>, exists: String) -> Field {
    Field::Many { texts: format!("texts({})", values.join(", ")), exists, single: None }
}

/// SQL of every value in these columns.
fn leaves(columns: &[Column], above: &str) -> Vec<String> {
    let values = columns.iter().map(|column| {
        let sql = join(above, spelled(column));
        match column.kind {
            Kind::Struct(inner) => leaves(inner, &sql),
            Kind::Json => vec![format!("json_texts({sql})")],
            _ => vec![sql],
        }
    });
    values.flatten().collect()
}

fn unmapped(table: &Table) -> Option<String> {
    let found = table.columns.iter().find(|column| column.name == "unmapped" && matches!(column.kind, Kind::Json));
    found.map(|column| column.name.to_owned())
}

fn is_called(column: &Column, name: &str) -> bool {
    std::iter::once(column.name).chain(column.path.split('|')).any(|known| known.eq_ignore_ascii_case(name))
}

/// The column as AWS spells it, where SQL takes that for the same name.
fn spelled(column: &Column) -> String {
    let aws = column.path.split('|').next().unwrap_or_default();
    let name = if aws.eq_ignore_ascii_case(column.name) { aws } else { column.name };
    // the one column whose name is a word of SQL
    if name == "end" { quoted(name, '"') } else { name.to_owned() }
}

fn join(above: &str, name: String) -> String {
    if above.is_empty() { name } else { format!("{above}.{name}") }
}

/// Text between quotes of SQL.
pub fn quoted(text: &str, quote: char) -> String {
    let doubled: String = [quote, quote].iter().collect();
    format!("{quote}{}{quote}", text.replace(quote, &doubled))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::REJECT;
    use crate::logs::cloudtrail::CLOUDTRAIL;
    use crate::logs::vpc_flow::VPC_FLOW;

    fn one(table: &Table, name: &str) -> (String, One) {
        match resolve(table, name).unwrap() {
            Field::One { sql, kind } => (sql, kind),
            many => panic!("{many:?}"),
        }
    }

    fn texts(name: &str) -> (String, String) {
        match resolve(&CLOUDTRAIL, name).unwrap() {
            Field::Many { texts, exists, .. } => (texts, exists),
            one => panic!("{one:?}"),
        }
    }

    #[test]
    fn a_column_is_found_in_any_case() {
        let issuer = "userIdentity.sessionContext.sessionIssuer.userName";
        assert_eq!(one(&CLOUDTRAIL, &issuer.to_uppercase()), (issuer.into(), One::Text));
        assert_eq!(one(&CLOUDTRAIL, "eventTime"), ("eventTime".into(), One::Time));
        assert_eq!(one(&CLOUDTRAIL, "readOnly"), ("readOnly".into(), One::Bool));
        assert_eq!(one(&VPC_FLOW, "interface-id"), ("interface_id".into(), One::Text));
        assert_eq!(one(&VPC_FLOW, "dstPort"), ("dstport".into(), One::Number));
        assert_eq!(one(&VPC_FLOW, "end"), ("\"end\"".into(), One::Number));
        assert_eq!(one(&VPC_FLOW, "region"), ("region".into(), One::Text));
    }

    #[test]
    fn a_path_into_json_keeps_its_spelling() {
        let (texts, exists) = texts("requestParameters.ipPermissions.items.cidrIP");
        assert_eq!(texts, "json_texts(requestParameters, 'ipPermissions', 'items', 'cidrIP')");
        assert_eq!(exists, "json_exists(requestParameters, 'ipPermissions', 'items', 'cidrIP')");
    }

    #[test]
    fn what_has_no_column_is_in_unmapped_under_its_path() {
        assert_eq!(texts("status.text").0, "json_texts(unmapped, 'status', 'text')");
        assert_eq!(texts("userIdentity.it's.x").0, "json_texts(unmapped, 'userIdentity.it''s', 'x')");
        assert_eq!(texts("eventName.x").0, "json_texts(unmapped, 'eventName', 'x')");
        let refused = resolve(&REJECT, "jobb").unwrap_err();
        assert_eq!(refused, "table reject has no field `jobb`: see `weir tables reject`");
        assert_eq!(resolve(&CLOUDTRAIL, "a..b").unwrap_err(), "`a..b` is not a field name");
    }

    #[test]
    fn no_field_is_shown_under_a_name_that_sets_a_part_of_the_finding() {
        let shown =
            |name: &str| resolve(&CLOUDTRAIL, name).unwrap().shown(name).split(" AS ").nth(1).map(str::to_owned);
        assert_eq!(shown("severity").as_deref(), Some("\"unmapped.severity\""));
        assert_eq!(shown("resource.type").as_deref(), Some("\"resource.type\""));
        assert_eq!(shown("requestParameters").as_deref(), Some("\"requestParameters\""));
        assert_eq!(shown("awsRegion"), None);
    }

    #[test]
    fn structs_and_lists_are_all_their_values() {
        assert!(texts("tlsDetails").0.starts_with("texts(tlsDetails.tlsVersion, tlsDetails.cipherSuite, "));
        assert!(texts("userIdentity").0.contains(", json_texts(userIdentity.inScopeOf), "));
        assert_eq!(texts("resources.ARN").0, "texts(array_transform(resources, element -> get_field(element, 'arn')))");
    }
}
