//! What rows are grouped by, `GROUP BY ()` and `ROLLUP (1, 2)` → the same in words that DataFusion 55 knows.

use datafusion::sql::sqlparser::ast::{Expr, GroupByExpr, Select, SelectItem};

/// Puts a set of no keys in the place of `()`, which makes all rows one group, and columns of SELECT in the places of their numbers within
/// ROLLUP and its like, where a number is taken for a constant.
pub fn in_words(select: &mut Select) {
    let Select { group_by, projection, .. } = select;
    let GroupByExpr::Expressions(by, _) = group_by else { return };
    for key in by {
        match key {
            Expr::Tuple(parts) if parts.is_empty() => *key = Expr::GroupingSets(vec![Vec::new()]),
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
                for key in sets.iter_mut().flatten() {
                    if let Some(column) = at_place(key, projection) {
                        *key = column;
                    }
                }
            }
            _ => {}
        }
    }
}

/// The column of SELECT that a number from 1 on is the place of.
pub fn at_place(key: &Expr, columns: &[SelectItem]) -> Option<Expr> {
    let place = key.to_string().parse::<usize>().ok()?.checked_sub(1)?;
    match columns.get(place)? {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr.clone()),
        _ => None,
    }
}
