//! Which tables a place in a statement sees: a field of a table around a subquery, `c.userIdentity.arn`, → the same in the words in which
//! DataFusion knows it, `c.userIdentity['arn']`.

use datafusion::sql::sqlparser::ast::{AccessExpr, Expr, Ident, Select, Subscript, TableFactor, TableWithJoins, Value};

use super::fields;
use super::tables::archived;
use crate::catalog;
use crate::table::PARTITIONS;

/// Of each SELECT around the place that is looked at, the last one innermost, what stands behind FROM.
#[derive(Debug, Default)]
pub struct Scopes {
    around: Vec<Vec<Relation>>,
    /// Of the SELECT that was left last.
    left: Vec<Relation>,
}

#[derive(Debug)]
struct Relation {
    name: Option<String>,
    /// The columns, where they are known.
    columns: Option<Vec<String>>,
    is_archived: bool,
}

impl Scopes {
    /// `given` is what WITH calls its queries.
    pub fn enter(&mut self, select: &Select, given: &[Ident]) {
        let tables = select.from.iter().flat_map(tables);
        self.around.push(tables.map(|table| relation(table, given)).collect());
    }

    pub fn leave(&mut self) {
        self.left = self.around.pop().unwrap_or_default();
    }

    /// Enters the SELECT that was left last again, for ORDER BY stands behind it.
    pub fn back(&mut self) {
        self.around.push(std::mem::take(&mut self.left));
    }

    /// Whether a table of the archive behind the innermost FROM has such a column.
    pub fn has(&self, column: &Ident) -> bool {
        let mut tables = self.around.last().into_iter().flatten().filter(|relation| relation.is_archived);
        tables.any(|table| table.columns.iter().flatten().any(|known| same(known, column)))
    }

    /// Whether something behind the innermost FROM is called so.
    pub fn is_table(&self, name: &Ident) -> bool {
        let mut tables = self.around.last().into_iter().flatten();
        tables.any(|table| table.name.as_deref().is_some_and(|known| same(known, name)))
    }

    /// Whether `SELECT *` of the innermost FROM may have a column of this name, in lower case.
    pub fn may_have(&self, name: &str) -> bool {
        let has = |columns: &Vec<String>| columns.iter().any(|column| column.eq_ignore_ascii_case(name));
        self.around.last().into_iter().flatten().any(|table| table.columns.as_ref().is_none_or(has))
    }

    /// What takes the place of a name with dots, where it is a field of a table around the innermost SELECT.
    pub fn field(&self, names: &[Ident]) -> Option<Expr> {
        let (inner, around) = self.around.split_last()?;
        let first = names.first()?;
        let is_called = |relation: &Relation| relation.name.as_deref().is_some_and(|name| same(name, first));
        let has = |relation: &Relation| relation.columns.iter().flatten().any(|column| same(column, first));
        let has_not = |relation: &Relation| relation.columns.is_some() && !has(relation);
        if inner.iter().any(is_called) {
            return None;
        }
        let around = || around.iter().rev().flatten();
        let column = if around().any(is_called) {
            2
        } else if inner.iter().all(has_not) && around().any(has) {
            1
        } else {
            return None;
        };
        if names.len() <= column {
            return None;
        }
        // what is below JSON text is no field but in that text
        let is_of_archive = around().any(|relation| relation.is_archived && (is_called(relation) || has(relation)));
        let to_json = fields::names_to_json(&names[column - 1..]).filter(|_| is_of_archive);
        let (path, keys) = names.split_at(to_json.map_or(names.len(), |count| column - 1 + count));
        let (column, fields) = path.split_at(column);
        let root = match column {
            [name] => Expr::Identifier(name.clone()),
            names => Expr::CompoundIdentifier(names.to_vec()),
        };
        let access_chain: Vec<AccessExpr> =
            fields.iter().map(|name| AccessExpr::Subscript(Subscript::Index { index: key(name) })).collect();
        let field = match access_chain.is_empty() {
            true => root,
            false => Expr::CompoundFieldAccess { root: Box::new(root), access_chain },
        };
        Some(fields::at_keys(field, keys))
    }
}

/// The tables of one part of FROM, also those of joins in brackets.
fn tables(from: &TableWithJoins) -> Vec<&TableFactor> {
    let each = std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation));
    each.flat_map(|table| match table {
        TableFactor::NestedJoin { table_with_joins, alias: None } => tables(table_with_joins),
        table => vec![table],
    })
    .collect()
}

fn relation(table: &TableFactor, given: &[Ident]) -> Relation {
    match table {
        TableFactor::Table { name, alias, args: None, .. } => {
            let last = name.0.last().and_then(|part| part.as_ident());
            let is_given = last.is_some_and(|last| given.iter().any(|given| same(&given.value, last)));
            let known = archived(name)
                .filter(|_| !is_given)
                .and_then(|(ours, _)| catalog::tables().find(|table| table.name == ours));
            Relation {
                name: alias.as_ref().map(|alias| &alias.name).or(last).map(|name| name.value.clone()),
                is_archived: known.is_some(),
                columns: known.map(|table| {
                    let all = PARTITIONS.iter().chain(table.columns).map(|column| column.name);
                    all.chain(["day"]).map(str::to_owned).collect()
                }),
            }
        }
        TableFactor::Derived { alias, .. } | TableFactor::UNNEST { alias, .. } => Relation {
            name: alias.as_ref().map(|alias| alias.name.value.clone()),
            columns: alias
                .as_ref()
                .filter(|alias| !alias.columns.is_empty())
                .map(|alias| alias.columns.iter().map(|column| column.name.value.clone()).collect()),
            is_archived: false,
        },
        _ => Relation { name: None, columns: None, is_archived: false },
    }
}

fn same(known: &str, name: &Ident) -> bool {
    known.eq_ignore_ascii_case(&name.value)
}

/// The name of a field as a text.
fn key(name: &Ident) -> Expr {
    let folded = if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() };
    Expr::Value(Value::SingleQuotedString(folded).with_span(name.span))
}
