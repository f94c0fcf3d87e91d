//! A statement → the same, with long chains of conditions and queries as trees that are not deep.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, Expr, Ident, Query, SetExpr, SetOperator, Values, VisitMut, VisitorMut,
};

/// What walks through an expression may call itself for each level: 2,000 were more than the stack of a thread, which ends the process.
pub const DEPTH_MAX: usize = 1000;
/// From so many on, conditions that AND or OR joins one behind the other, and queries that UNION does, become a tree that is as deep as their
/// number has binary digits: lists of Sigma rules have thousands.
const CHAIN_MAX: usize = 256;

/// Takes the depth out of the long chains of a statement; how deep the rest is.
pub fn taken_out(statement: &mut ast::Statement) -> usize {
    let mut depth = Depth::default();
    let _ = statement.visit(&mut depth); // it never breaks
    depth.most
}

#[derive(Default)]
struct Depth {
    now: usize,
    most: usize,
}

impl VisitorMut for Depth {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if unions(&query.body) > CHAIN_MAX {
            let empty = SetExpr::Values(Values { explicit_row: false, value_keyword: false, rows: Vec::new() });
            *query.body = balanced_unions(std::mem::replace(&mut *query.body, empty));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if links(expr) > CHAIN_MAX {
            let chain = std::mem::replace(expr, Expr::Identifier(Ident::new("")));
            *expr = balanced(chain);
        } else if operators(expr) > DEPTH_MAX {
            self.most = usize::MAX;
            // to go through it, or to drop it whole, would take as deep a stack
            let mut rest = std::mem::replace(expr, Expr::Identifier(Ident::new("")));
            while let Expr::BinaryOp { left, .. } = rest {
                rest = *left;
            }
        }
        self.now += 1;
        self.most = self.most.max(self.now);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _: &mut Expr) -> ControlFlow<()> {
        self.now -= 1;
        ControlFlow::Continue(())
    }
}

/// How often one AND or OR follows the other at the top of an expression.
fn links(expr: &Expr) -> usize {
    let Expr::BinaryOp { op: joint @ (BinaryOperator::And | BinaryOperator::Or), .. } = expr else { return 0 };
    let (mut rest, mut links) = (expr, 0);
    while let Expr::BinaryOp { left, op, .. } = rest
        && op == joint
    {
        rest = left.as_ref();
        links += 1;
    }
    links
}

/// How many operators of any kind stand in a row at the top of an expression, each on the left of the one before, down to a chain that will
/// be no deep tree.
fn operators(mut expr: &Expr) -> usize {
    let mut count = 0;
    while let Expr::BinaryOp { left, .. } = expr
        && links(expr) <= CHAIN_MAX
    {
        expr = left.as_ref();
        count += 1;
    }
    count
}

/// The same conditions in their order, joined by twos, and these by twos.
fn balanced(chain: Expr) -> Expr {
    let Expr::BinaryOp { op: joint, .. } = &chain else { return chain };
    let joint = joint.clone();
    let (mut rest, mut conditions) = (chain, VecDeque::new());
    loop {
        match rest {
            Expr::BinaryOp { left, op, right } if op == joint => {
                conditions.push_front(*right);
                rest = *left;
            }
            first => {
                conditions.push_front(first);
                break;
            }
        }
    }
    by_twos(conditions, |left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: joint.clone(),
        right: Box::new(right),
    })
}

/// How often one UNION follows another of its kind at the top of a query.
fn unions(body: &SetExpr) -> usize {
    let (mut rest, mut unions, mut first) = (body, 0, None);
    while let SetExpr::SetOperation { op: SetOperator::Union, set_quantifier, left, .. } = rest
        && *first.get_or_insert(*set_quantifier) == *set_quantifier
    {
        rest = left.as_ref();
        unions += 1;
    }
    unions
}

/// The same queries in their order, joined by twos, and these by twos.
fn balanced_unions(chain: SetExpr) -> SetExpr {
    let SetExpr::SetOperation { set_quantifier: quantifier, .. } = chain else { return chain };
    let (mut rest, mut queries) = (chain, VecDeque::new());
    loop {
        match rest {
            SetExpr::SetOperation { op: SetOperator::Union, set_quantifier, left, right }
                if set_quantifier == quantifier =>
            {
                queries.push_front(*right);
                rest = *left;
            }
            first => {
                queries.push_front(first);
                break;
            }
        }
    }
    by_twos(queries, |left, right| SetExpr::SetOperation {
        left: Box::new(left),
        op: SetOperator::Union,
        set_quantifier: quantifier,
        right: Box::new(right),
    })
}

/// What comes of joining each with the next, and these again, until it is one.
fn by_twos<T>(mut parts: VecDeque<T>, join: impl Fn(T, T) -> T) -> T {
    while parts.len() > 1 {
        let mut pairs = VecDeque::new();
        while let Some(left) = parts.pop_front() {
            pairs.push_back(match parts.pop_front() {
                Some(right) => join(left, right),
                None => left,
            });
        }
        parts = pairs;
    }
    parts.pop_front().expect("a chain has parts")
}

#[cfg(test)]
mod tests {
    use datafusion::sql::parser::Statement;

    use super::*;
    use crate::rule::dialect::parse;

    #[test]
    fn a_long_chain_of_conditions_is_no_deep_tree() {
        let chain = |joint: &str| (0..5000).map(|n| format!("a = {n}")).collect::<Vec<_>>().join(joint);
        let conditions = format!("({}) AND {}", chain(" OR "), chain(" AND "));
        let Statement::Statement(mut statement) =
            parse(&format!("SELECT 1 FROM t WHERE {conditions}")).unwrap().pop_front().unwrap()
        else {
            panic!()
        };
        let depth = taken_out(&mut statement);
        // 13 binary digits each, the parentheses, and a comparison
        assert!(depth <= 2 * 13 + 3, "{depth}");
        assert_eq!(statement.to_string().split_once("WHERE ").unwrap().1, conditions);
        // also below another operator
        assert!(parse(&format!("SELECT 1 FROM t WHERE {} OR b = 1", chain(" AND "))).is_ok());
        let explained = parse(&format!("EXPLAIN SELECT a[1].b FROM t WHERE {}", chain(" OR "))).unwrap();
        assert!(explained[0].to_string().contains("a[1].'b'"), "{}", explained[0]);
        // what no other tree says is refused
        let sum = |count: usize| parse(&format!("SELECT {}", vec!["1"; count].join(" + ")));
        assert!(sum(900).is_ok());
        for count in [1100, 20_000] {
            assert_eq!(sum(count).unwrap_err().message, "nested too deeply");
        }
    }

    #[test]
    fn a_long_chain_of_unions_is_no_deep_tree() {
        let of = |joint: &str| (0..5000).map(|n| format!("SELECT {n}")).collect::<Vec<_>>().join(joint);
        let sql = format!("WITH t AS ({}) SELECT 1 FROM t UNION {}", of(" UNION ALL "), of(" UNION "));
        let Statement::Statement(statement) = parse(&sql).unwrap().pop_front().unwrap() else { panic!() };
        assert_eq!(statement.to_string(), sql);
    }
}
