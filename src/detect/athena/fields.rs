//! Fields that SELECT gives no name, `userIdentity.arn` → columns of their last name, `arn`, as Athena calls them: what is ordered by, and a
//! query around this one, may ask for it. DataFusion calls them `cloudtrail.useridentity[arn]`. And fields of JSON text → texts.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, Expr, Ident, LambdaFunction, OrderBy, OrderByKind, Select, SelectItem, Subscript, Value,
    visit_expressions_mut,
};

use super::last_name;
use super::outer::Scopes;
use super::tables::Named;
use super::template::{positional, text, with_arguments};
use super::unnest::Unnested;
use crate::catalog;
use crate::table::{Column, Kind};

/// Names the fields of the innermost SELECT of `scopes`. Where other columns have the last name too, a field is called by its whole path.
/// `typed` has the texts of the other expressions.
pub fn named(select: &mut Select, typed: &[Option<String>], scopes: &Scopes, unnested: &Unnested) {
    let field = |expr: &Expr| last_of(expr, scopes, unnested);
    let has_all = select.projection.iter().any(is_wildcard);
    let items = select.projection.iter().zip(typed);
    let names: Vec<Option<String>> = items.map(|(item, typed)| column_name(item, typed.is_none(), field)).collect();
    for (item, typed) in select.projection.iter_mut().zip(typed) {
        let (SelectItem::UnnamedExpr(expr), None) = (&*item, typed) else { continue };
        let Some(last) = field(expr) else { continue };
        let folded = last.value.to_ascii_lowercase();
        if has_all && scopes.may_have(&folded) {
            continue;
        }
        let is_alone = names.iter().flatten().filter(|name| **name == folded).count() == 1;
        let alias = if is_alone { last } else { Ident::with_quote('"', path(expr).to_ascii_lowercase()) };
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
    }
}

/// The last name of what leads to a field; `None` for a column and for any other expression.
fn last_of(expr: &Expr, scopes: &Scopes, unnested: &Unnested) -> Option<Ident> {
    match expr {
        Expr::CompoundIdentifier(names) => {
            let first = names.first()?;
            let column = if scopes.is_table(first) && !unnested.is_item(first) { 2 } else { 1 };
            names.get(column..)?.last().cloned()
        }
        Expr::CompoundFieldAccess { access_chain, .. } => match access_chain.last()? {
            AccessExpr::Dot(Expr::Identifier(name)) => Some(name.clone()),
            // the dialect makes texts of the names behind a place in a list
            AccessExpr::Dot(key) | AccessExpr::Subscript(Subscript::Index { index: key }) => {
                text(key).map(|key| Ident::with_quote('"', key))
            }
            AccessExpr::Subscript(Subscript::Slice { .. }) => None,
        },
        // of JSON, in the words of this module
        Expr::Function(call) => {
            let args = positional(call)?;
            text(args.last()?).map(|key| Ident::with_quote('"', key.to_ascii_lowercase()))
        }
        _ => None,
    }
}

/// What leads to a field, as it is typed.
fn path(expr: &Expr) -> String {
    let Expr::CompoundFieldAccess { root, access_chain } = expr else { return expr.to_string() };
    let typed = |access: &AccessExpr| match access {
        AccessExpr::Dot(key) => text(key).map_or_else(|| access.to_string(), |key| format!(".{key}")),
        AccessExpr::Subscript(_) => access.to_string(),
    };
    root.to_string() + &access_chain.iter().map(typed).collect::<String>()
}

/// What a column is called, in lower case, where that is a name.
fn column_name(item: &SelectItem, is_name: bool, field: impl Fn(&Expr) -> Option<Ident>) -> Option<String> {
    let name = match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().cloned(),
        SelectItem::UnnamedExpr(expr) if is_name => field(expr),
        _ => None,
    };
    name.map(|name| name.value.to_ascii_lowercase())
}

fn is_wildcard(item: &SelectItem) -> bool {
    matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
}

/// `requestParameters.bucketName`, as AWS's playbooks have it, as the text at that place of JSON. Names are the same in any case.
pub fn of_json(names: &[Ident], scopes: &Scopes, named: &Named) -> Option<Expr> {
    let begin = usize::from(scopes.is_table(names.first()?));
    let first = names.get(begin)?;
    // a subquery passes it on, `WITH t AS (SELECT * FROM cloudtrail)`
    let is_passed_on = || scopes.may_have(&first.value) && !named.gives(&first.value);
    (scopes.has(first) || is_passed_on()).then_some(())?;
    let columns = begin + names_to_json(&names[begin..])?;
    let (column, keys) = names.split_at(columns);
    let column = match column {
        [name] => Expr::Identifier(name.clone()),
        names => Expr::CompoundIdentifier(names.to_vec()),
    };
    (!keys.is_empty()).then(|| at_keys(column, keys))
}

/// The text at a place of JSON text, whose keys are the same in any case.
pub fn at_keys(json: Expr, keys: &[Ident]) -> Expr {
    let at = |json: Expr, key: &Ident| {
        with_arguments(&format!("try_json_field(arg1, '{}')", key.value.replace('\'', "''")), &[&json])
    };
    keys.iter().fold(json, at)
}

/// The same of what rows are ordered by.
pub fn ordered(order: &mut OrderBy, scopes: &Scopes, named: &Named) {
    let OrderByKind::Expressions(order) = &mut order.kind else { return };
    for order in order {
        let _ = visit_expressions_mut(&mut order.expr, |expr| {
            if let Expr::CompoundIdentifier(names) = &*expr
                && let Some(text) = of_json(names, scopes, named)
            {
                *expr = text;
            }
            ControlFlow::<()>::Continue(())
        }); // it never breaks
    }
}

/// How many of the names lead to a column of a table of the archive, or a field of one, that is JSON text.
pub fn names_to_json(names: &[Ident]) -> Option<usize> {
    catalog::tables().find_map(|table| names_in(table.columns, names))
}

fn names_in(columns: &[Column], names: &[Ident]) -> Option<usize> {
    let (first, rest) = names.split_first()?;
    let column = columns.iter().find(|column| column.name.eq_ignore_ascii_case(&first.value))?;
    match column.kind {
        Kind::Json => Some(1),
        Kind::Struct(fields) => Some(1 + names_in(fields, rest)?),
        _ => None,
    }
}

/// `requestParameters['bucketName']`, which CloudTrail Lake has maps for, as the text at that place of JSON.
pub fn subscripts(root: &Expr, chain: &[AccessExpr]) -> Option<Expr> {
    let name = last_name(root)?;
    let mut columns = catalog::tables().flat_map(|table| table.columns);
    columns.find(|column| column.name == name && matches!(column.kind, Kind::Json))?;
    let key = |access: &AccessExpr| match access {
        AccessExpr::Subscript(Subscript::Index { index }) => {
            text(index).map(|key| format!(", '{}'", key.replace('\'', "''")))
        }
        _ => None,
    };
    let keys: String = chain.iter().map(key).collect::<Option<String>>()?;
    Some(with_arguments(&format!("json_as_text(arg1{keys})"), &[root]))
}

/// `calls[eventName]`, whose key is no constant, as a function that knows maps too: DataFusion 55 has such items of lists only.
pub fn item(root: &Expr, chain: &[AccessExpr]) -> Option<Expr> {
    let [AccessExpr::Subscript(Subscript::Index { index })] = chain else { return None };
    let is_constant = match index {
        Expr::UnaryOp { expr, .. } => matches!(expr.as_ref(), Expr::Value(_)),
        other => matches!(other, Expr::Value(_)),
    };
    (!is_constant).then(|| with_arguments("element_at(arg1, arg2)", &[root, index]))
}

/// `entry[1]` of what a lambda calls `entry` as the same function, which knows rows too: their fields have places.
pub fn places(lambda: &mut LambdaFunction) {
    let LambdaFunction { params, body, .. } = lambda;
    let _ = visit_expressions_mut(body, |expr| {
        if let Expr::CompoundFieldAccess { root, access_chain } = expr
            && let Expr::Identifier(name) = root.as_ref()
            && let [AccessExpr::Subscript(Subscript::Index { index: Expr::Value(place) })] = access_chain.as_slice()
            && matches!(place.value, Value::Number(..))
            && params.iter().any(|parameter| parameter.name.value.eq_ignore_ascii_case(&name.value))
        {
            let place = Expr::Value(place.clone());
            *expr = with_arguments("element_at(arg1, arg2)", &[root, &place]);
        }
        ControlFlow::<()>::Continue(())
    }); // the closure never breaks
}
