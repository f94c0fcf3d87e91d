//! Fields that SELECT gives no name, `userIdentity.arn` → columns of their last name, `arn`, as Athena calls them: what is ordered by, and a
//! query around this one, may ask for it. DataFusion calls them `cloudtrail.useridentity[arn]`.

use datafusion::sql::sqlparser::ast::{AccessExpr, Expr, Ident, Select, SelectItem, Subscript};

use super::outer::Scopes;
use super::template::text;
use super::unnest::Unnested;

/// Names the fields of the innermost SELECT of `scopes`. Where other columns have the last name too, a field is called by its whole path.
pub fn named(select: &mut Select, scopes: &Scopes, unnested: &Unnested) {
    let field = |expr: &Expr| last_name(expr, scopes, unnested);
    let names: Vec<Option<String>> = select.projection.iter().map(|item| column_name(item, &field)).collect();
    let has_all = select.projection.iter().any(is_wildcard);
    for item in &mut select.projection {
        let SelectItem::UnnamedExpr(expr) = &*item else { continue };
        let Some(last) = field(expr) else { continue };
        let folded = last.value.to_ascii_lowercase();
        if has_all && scopes.may_have(&folded) {
            continue;
        }
        let is_alone = names.iter().flatten().filter(|name| **name == folded).count() == 1;
        let alias = if is_alone { last } else { Ident::with_quote('"', expr.to_string().to_ascii_lowercase()) };
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
    }
}

/// The last name of what leads to a field; `None` for a column and for any other expression.
fn last_name(expr: &Expr, scopes: &Scopes, unnested: &Unnested) -> Option<Ident> {
    match expr {
        Expr::CompoundIdentifier(names) => {
            let first = names.first()?;
            let column = if scopes.is_table(first) && !unnested.is_item(first) { 2 } else { 1 };
            names.get(column..)?.last().cloned()
        }
        Expr::CompoundFieldAccess { access_chain, .. } => match access_chain.last()? {
            AccessExpr::Dot(Expr::Identifier(name)) => Some(name.clone()),
            AccessExpr::Subscript(Subscript::Index { index }) => text(index).map(|key| Ident::with_quote('"', key)),
            _ => None,
        },
        _ => None,
    }
}

/// What a column is called, in lower case, where that is a name.
fn column_name(item: &SelectItem, field: impl Fn(&Expr) -> Option<Ident>) -> Option<String> {
    let name = match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().cloned(),
        SelectItem::UnnamedExpr(expr) => field(expr),
        _ => None,
    };
    name.map(|name| name.value.to_ascii_lowercase())
}

fn is_wildcard(item: &SelectItem) -> bool {
    matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
}
