//! Conditions on groups → whether more rows can make one false again.

use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{Aggregate, BinaryExpr, Expr, Operator};

use crate::detect::spans::FIRST_SEEN;

/// Columns of our tables that hold sizes and counts, so that their sums only grow.
const NEVER_NEGATIVE: [&str; 2] = ["bytes", "packets"];

/// True when the condition, once it holds for a group, holds for every larger one.
pub fn never_falls(having: &Expr, schema: &DFSchema, aggregate: &Aggregate) -> bool {
    let of = Of { schema, aggregate };
    match having {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And | Operator::Or, right }) => {
            never_falls(left, schema, aggregate) && never_falls(right, schema, aggregate)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Gt | Operator::GtEq, right }) => {
            of.way(left).may_grow() && of.way(right).may_shrink()
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Lt | Operator::LtEq, right }) => {
            of.way(left).may_shrink() && of.way(right).may_grow()
        }
        Expr::IsNotNull(inner) => of.way(inner) != Way::Either,
        // steps that are in order stay so
        Expr::Column(_) if of.is_in_order(having) => true,
        other => of.way(other) == Way::Still,
    }
}

/// Aggregates, by their place, and what each is at least wherever the condition holds: a count, or 1 for any value at all.
/// They are necessary, not sufficient, and quick to look at.
pub fn needed(having: &Expr, schema: &DFSchema, aggregate: &Aggregate) -> Vec<(usize, u64)> {
    let place = |expr: &Expr| match expr {
        Expr::Column(column) => schema.maybe_index_of_column(column)?.checked_sub(aggregate.group_expr.len()),
        _ => None,
    };
    let number = |expr: &Expr| match expr {
        Expr::Literal(ScalarValue::Int64(Some(number)), _) => u64::try_from(*number).ok(),
        _ => None,
    };
    if (Of { schema, aggregate }).is_in_order(having) {
        return place(having).map(|place| (place, 1)).into_iter().collect();
    }
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = having else { return Vec::new() };
    match op {
        Operator::And => [needed(left, schema, aggregate), needed(right, schema, aggregate)].concat(),
        Operator::GtEq | Operator::Gt | Operator::Lt | Operator::LtEq | Operator::Eq => {
            let least = |count: &Expr| match (number(right), op) {
                (Some(number), Operator::GtEq) if is_count(count) => number,
                (Some(number), Operator::Gt) if is_count(count) => number.saturating_add(1),
                _ => 0,
            };
            // a comparison with null does not hold, and an aggregate that is no count is null without values
            let side = |expr: &Expr| {
                let place = place(expr)?;
                let call = &aggregate.aggr_expr[place];
                Some((place, if is_count(call) { least(call) } else { 1 }))
            };
            side(left)
                .into_iter()
                .chain(side(right).filter(|(place, _)| !is_count(&aggregate.aggr_expr[*place])))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn is_count(expr: &Expr) -> bool {
    matches!(expr.clone().unalias(), Expr::AggregateFunction(call) if call.func.name() == "count")
}

/// Where a value goes as rows are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Still,
    Up,
    Down,
    Either,
}

impl Way {
    fn may_grow(self) -> bool {
        matches!(self, Way::Still | Way::Up)
    }

    fn may_shrink(self) -> bool {
        matches!(self, Way::Still | Way::Down)
    }

    fn with(self, other: Way) -> Way {
        match (self, other) {
            (Way::Still, way) | (way, Way::Still) => way,
            (a, b) if a == b => a,
            _ => Way::Either,
        }
    }

    fn turned(self) -> Way {
        match self {
            Way::Up => Way::Down,
            Way::Down => Way::Up,
            way => way,
        }
    }
}

struct Of<'a> {
    schema: &'a DFSchema,
    aggregate: &'a Aggregate,
}

impl Of<'_> {
    /// Whether this is the column of `in_order`.
    fn is_in_order(&self, expr: &Expr) -> bool {
        let Expr::Column(column) = expr else { return false };
        let place = self.schema.maybe_index_of_column(column);
        let place = place.and_then(|place| place.checked_sub(self.aggregate.group_expr.len()));
        let call = place.map(|place| self.aggregate.aggr_expr[place].clone().unalias());
        matches!(call, Some(Expr::AggregateFunction(call)) if call.func.name() == "in_order")
    }

    fn way(&self, expr: &Expr) -> Way {
        match expr {
            Expr::Literal(..) => Way::Still,
            Expr::Alias(alias) => self.way(&alias.expr),
            Expr::Cast(cast) => self.way(&cast.expr),
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus, right }) => self.way(left).with(self.way(right)),
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Minus, right }) => {
                self.way(left).with(self.way(right).turned())
            }
            Expr::Column(column) => match self.schema.maybe_index_of_column(column) {
                Some(place) if place < self.aggregate.group_expr.len() => Way::Still,
                Some(place) => aggregate_way(&self.aggregate.aggr_expr[place - self.aggregate.group_expr.len()]),
                None => Way::Either,
            },
            // of columns that do not move nothing else moves either
            other => {
                let columns = other.column_refs();
                let still = columns.iter().all(|column| self.way(&Expr::Column((*column).clone())) == Way::Still);
                if still { Way::Still } else { Way::Either }
            }
        }
    }
}

fn aggregate_way(expr: &Expr) -> Way {
    let Expr::AggregateFunction(call) = expr.clone().unalias() else { return Way::Either };
    let sizes = |argument: Option<&Expr>| matches!(argument, Some(Expr::Column(column)) if NEVER_NEGATIVE.contains(&column.name.as_str()));
    match call.func.name() {
        // rows of its window change nothing about what was before it
        FIRST_SEEN => Way::Still,
        "count" | "max" => Way::Up,
        "min" => Way::Down,
        "sum" if sizes(call.params.args.first()) => Way::Up,
        _ => Way::Either,
    }
}
