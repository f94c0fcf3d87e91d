//! Conditions on groups → whether more rows can make one false again.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::logical_expr::expr::{Case, Cast, ScalarFunction};
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{Aggregate, BinaryExpr, Expr, ExprSchemable, Operator};

use super::part::DISTINCT_MAX;
use crate::detect::functions::correlates::CORRELATES;
use crate::detect::functions::spans::{FIRST_SEEN, RARE, UNUSUAL_HOUR, plain};
use crate::detect::plan::narrowed;

/// Columns of our tables that hold sizes and counts, so that their sums only grow.
const NEVER_NEGATIVE: [&str; 2] = ["bytes", "packets"];

/// Functions whose answer is a length, a count or a place.
const LENGTHS: [&str; 9] = [
    "array_length",
    "cardinality",
    "character_length",
    "json_length",
    "length",
    "octet_length",
    "bit_length",
    "strpos",
    "levenshtein",
];

/// True when the condition, once it holds for a group, holds for every larger one.
pub fn never_falls(having: &Expr, schema: &DFSchema, aggregate: &Aggregate) -> bool {
    Of { schema, aggregate }.stays(having, true)
}

/// What a condition asks of aggregates at least: necessary, not sufficient, and quick to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// That the aggregate at a place is so much: a count, or 1 for any value at all.
    Least(usize, u64),
    All(Vec<Need>),
    Any(Vec<Need>),
}

impl Need {
    pub const NOTHING: Need = Need::All(Vec::new());

    /// `is_at_least` says of an aggregate whether it is so much.
    pub fn is_met(&self, is_at_least: &impl Fn(usize, u64) -> bool) -> bool {
        match self {
            Need::Least(place, least) => is_at_least(*place, *least),
            Need::All(needs) => needs.iter().all(|need| need.is_met(is_at_least)),
            Need::Any(needs) => needs.iter().any(|need| need.is_met(is_at_least)),
        }
    }

    /// The same with other places; an aggregate that has none is asked nothing.
    pub fn placed(self, at: &impl Fn(usize) -> Option<usize>) -> Need {
        let each = |needs: Vec<Need>| needs.into_iter().map(|need| need.placed(at)).collect();
        match self {
            Need::Least(place, least) => at(place).map_or(Need::NOTHING, |place| Need::Least(place, least)),
            Need::All(needs) => Need::All(each(needs)),
            Need::Any(needs) => Need::Any(each(needs)),
        }
    }
}

/// What must be so of aggregates, by their places, wherever the condition holds.
pub fn needed(having: &Expr, schema: &DFSchema, aggregate: &Aggregate) -> Need {
    let place = |expr: &Expr| match expr {
        Expr::Column(column) => schema.maybe_index_of_column(column)?.checked_sub(aggregate.group_expr.len()),
        _ => None,
    };
    let number = |expr: &Expr| match expr {
        Expr::Literal(ScalarValue::Int64(Some(number)), _) => u64::try_from(*number).ok(),
        _ => None,
    };
    if (Of { schema, aggregate }).is_in_order(having) {
        return place(having).map_or(Need::NOTHING, |place| Need::Least(place, 1));
    }
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = having else { return Need::NOTHING };
    let both = || [left, right].map(|side| needed(side, schema, aggregate)).into();
    match op {
        Operator::And => Need::All(both()),
        Operator::Or => Need::Any(both()),
        Operator::GtEq | Operator::Gt | Operator::Lt | Operator::LtEq | Operator::Eq => {
            let least = |count: &Expr| match (number(right), op) {
                (Some(number), Operator::GtEq) if is_count(count) => number,
                (Some(number), Operator::Gt) if is_count(count) => number.saturating_add(1),
                _ => 0,
            };
            // a comparison with null does not hold, and an aggregate that is no count is null without values
            let side = |expr: &Expr| {
                let place = place(expr)?;
                let call = aggregate.aggr_expr.get(place)?;
                // steps that are not in order are false, and not null
                if (Of { schema, aggregate }).is_in_order(expr) {
                    return None;
                }
                Some(Need::Least(place, if is_count(call) { least(call) } else { 1 }))
            };
            let right = side(right)
                .filter(|need| matches!(need, Need::Least(place, _) if !is_count(&aggregate.aggr_expr[*place])));
            Need::All(side(left).into_iter().chain(right).collect())
        }
        _ => Need::NOTHING,
    }
}

/// The number of distinct values that the condition compares with, where it is more than are counted.
pub fn uncounted(having: &Expr, schema: &DFSchema, aggregate: &Aggregate) -> Option<i64> {
    let of = Of { schema, aggregate };
    let counts = |expr: &Expr| of.aggregate_of(expr).is_some_and(|call| is_count(&call) && is_distinct(&call));
    let mut beyond = None;
    let found = having.apply(|expr| {
        if let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr {
            let (count, number, op) = match op.swap() {
                Some(turned) if counts(right.as_ref()) => (right, left, turned),
                _ => (left, right, *op),
            };
            if let (true, Expr::Literal(ScalarValue::Int64(Some(number)), _)) =
                (counts(count.as_ref()), number.as_ref())
            {
                let most = DISTINCT_MAX as i64 - i64::from(matches!(op, Operator::Gt | Operator::LtEq));
                beyond = (*number > most).then_some(*number).or(beyond);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    found.expect("nothing above fails");
    beyond
}

/// The other aggregate of a comparison that counts distinct values too: past so many it would be compared with a count that has ended.
pub fn beside_distinct(having: &Expr, schema: &DFSchema, aggregate: &Aggregate) -> Option<Expr> {
    let of = Of { schema, aggregate };
    let mut found = None;
    let walked = having.apply(|expr| {
        if compares(expr) {
            let mut columns: Vec<_> = expr.column_refs().into_iter().cloned().collect();
            columns.sort();
            let calls = columns.into_iter().filter_map(|column| of.aggregate_of(&Expr::Column(column)));
            let counts = |call: &Expr| is_count(call) && is_distinct(call);
            let (counted, others): (Vec<_>, Vec<_>) = calls.partition(counts);
            if !counted.is_empty() {
                found = found.take().or(others.into_iter().next());
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    walked.expect("nothing above fails");
    found
}

/// A comparison of counts of distinct values with each other, or of what is computed of one with something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Their places among the aggregates.
    counts: Vec<usize>,
    /// One with another, and nothing is computed of them before.
    directly: bool,
    /// The condition that it is part of, and which answer of it stays where more is counted.
    pub stays: Option<(Expr, bool)>,
}

impl Compared {
    /// Whether it cannot be said, where of each count it is known whether it has ended: of two the larger one may have.
    pub fn is_undecided(&self, has_ended: impl Fn(usize) -> bool) -> bool {
        let mut ended = self.counts.iter().map(|count| has_ended(*count));
        if self.directly { ended.all(|ended| ended) } else { ended.any(|ended| ended) }
    }

    /// The same with other places.
    pub fn placed(self, at: &impl Fn(usize) -> Option<usize>) -> Compared {
        Compared { counts: self.counts.into_iter().filter_map(at).collect(), ..self }
    }
}

/// The comparisons of a condition that a count of distinct values which has ended may leave open, and what else has to hold.
pub fn compared(having: &Expr, schema: &DFSchema, aggregate: &Aggregate) -> (Vec<Compared>, Expr) {
    let of = Of { schema, aggregate };
    let place = |column: &Column| {
        let call = of.aggregate_of(&Expr::Column(column.clone()))?;
        let place = schema.maybe_index_of_column(column)?.checked_sub(aggregate.group_expr.len())?;
        (is_count(&call) && is_distinct(&call)).then_some(place)
    };
    let (mut found, mut others) = (Vec::new(), Vec::new());
    for part in split_conjunction(having) {
        let before = found.len();
        let stays = [true, false].into_iter().find(|truth| of.stays(part, *truth)).map(|truth| (part.clone(), truth));
        let walked = part.apply(|expr| {
            if compares(expr) {
                let mut counts: Vec<usize> = expr.column_refs().into_iter().filter_map(place).collect();
                counts.sort_unstable();
                let is_count = |side: &Expr| matches!(side, Expr::Column(_));
                let directly = matches!(expr, Expr::BinaryExpr(BinaryExpr { left, right, .. }) if is_count(left) && is_count(right));
                let is_open = counts.len() > 1 || counts.len() == 1 && !is_with_constants(expr);
                found.extend(is_open.then(|| Compared { counts, directly, stays: stays.clone() }));
            }
            Ok(TreeNodeRecursion::Continue)
        });
        walked.expect("nothing above fails");
        if found.len() == before {
            others.push(part.clone());
        }
    }
    (found, conjunction(others).unwrap_or_else(|| Expr::Literal(ScalarValue::Boolean(Some(true)), None)))
}

/// Whether it compares an aggregate as it is, for which [`uncounted`] looks at the constants.
fn is_with_constants(expr: &Expr) -> bool {
    let (is_aggregate, is_constant) =
        (|side: &Expr| matches!(side, Expr::Column(_)), |side: &Expr| matches!(side, Expr::Literal(..)));
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, right, .. }) => {
            is_aggregate(left) && is_constant(right) || is_constant(left) && is_aggregate(right)
        }
        Expr::Between(between) => {
            is_aggregate(&between.expr) && is_constant(&between.low) && is_constant(&between.high)
        }
        Expr::InList(list) => is_aggregate(&list.expr) && list.list.iter().all(is_constant),
        _ => false,
    }
}

fn compares(expr: &Expr) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    match expr {
        Expr::BinaryExpr(BinaryExpr { op, .. }) => {
            matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
        }
        Expr::Between(_) | Expr::InList(_) => true,
        _ => false,
    }
}

fn is_distinct(call: &Expr) -> bool {
    matches!(call, Expr::AggregateFunction(call) if call.params.distinct)
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
    /// Whether a condition that was once true, or false, of a group is that of every larger one. Nothing is known of null, which
    /// an aggregate is until it has a value, and never again.
    fn stays(&self, condition: &Expr, truth: bool) -> bool {
        match condition {
            Expr::Alias(alias) => self.stays(&alias.expr, truth),
            Expr::Not(inner) => self.stays(inner, !truth),
            Expr::IsTrue(inner) if truth => self.stays(inner, true),
            Expr::IsFalse(inner) if truth => self.stays(inner, false),
            Expr::IsNotNull(inner) if truth => self.way(inner) != Way::Either,
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And | Operator::Or, right }) => {
                self.stays(left, truth) && self.stays(right, truth)
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let (left_way, right_way) = (self.way(left), self.way(right));
                let grows = left_way.may_grow() && right_way.may_shrink();
                let shrinks = left_way.may_shrink() && right_way.may_grow();
                match op {
                    Operator::Gt | Operator::GtEq => (grows && truth) || (shrinks && !truth),
                    Operator::Lt | Operator::LtEq => (shrinks && truth) || (grows && !truth),
                    // a count that is not 0
                    Operator::NotEq if truth && is_zero(right) => left_way == Way::Up && self.is_from_zero(left),
                    Operator::NotEq if truth && is_zero(left) => right_way == Way::Up && self.is_from_zero(right),
                    _ => self.way(condition) == Way::Still,
                }
            }
            // steps that are in order stay so, and so do rows that correlate
            Expr::Column(_) if truth && (self.is_in_order(condition) || self.is_correlates(condition)) => true,
            other => self.way(other) == Way::Still,
        }
    }

    /// Whether this is the column of `in_order`.
    fn is_in_order(&self, expr: &Expr) -> bool {
        matches!(self.aggregate_of(expr), Some(Expr::AggregateFunction(call)) if call.func.name() == "in_order")
    }

    /// Whether this is the column of `correlates`.
    fn is_correlates(&self, expr: &Expr) -> bool {
        matches!(self.aggregate_of(expr), Some(Expr::AggregateFunction(call)) if call.func.name() == CORRELATES)
    }

    fn way(&self, expr: &Expr) -> Way {
        match expr {
            Expr::Literal(..) => Way::Still,
            Expr::Alias(alias) => self.way(&alias.expr),
            Expr::Cast(cast) if self.keeps_order(cast) => self.way(&cast.expr),
            Expr::Negative(inner) => self.way(inner).turned(),
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus, right }) => self.way(left).with(self.way(right)),
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Minus, right }) => {
                self.way(left).with(self.way(right).turned())
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Multiply | Operator::Divide, right })
                if sign(right).is_some() =>
            {
                times(self.way(left), sign(right))
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Multiply, right }) if sign(left).is_some() => {
                times(self.way(right), sign(left))
            }
            Expr::Column(column) => match self.schema.maybe_index_of_column(column) {
                Some(place) if place < self.aggregate.group_expr.len() => Way::Still,
                Some(_) => self.aggregate_of(expr).map_or(Way::Either, |call| aggregate_way(&call)),
                None => Way::Either,
            },
            // `coalesce(sum, 0)`, which is planned so
            Expr::Case(Case { expr: None, when_then_expr, else_expr: Some(other) }) if is_zero(other) => {
                match when_then_expr.as_slice() {
                    [(when, then)] if **when == Expr::IsNotNull(then.clone()) && self.is_from_zero(then) => {
                        self.way(then)
                    }
                    _ => Way::Either,
                }
            }
            Expr::ScalarFunction(call) if self.call_way(call) != Way::Either => self.call_way(call),
            // of columns that do not move nothing else moves either
            other => {
                let columns = other.column_refs();
                let still = columns.iter().all(|column| self.way(&Expr::Column((*column).clone())) == Way::Still);
                if still { Way::Still } else { Way::Either }
            }
        }
    }

    /// Of functions that choose among their values, or cast them.
    fn call_way(&self, call: &ScalarFunction) -> Way {
        if let Some(number) = narrowed::number_of(call) {
            return self.way(number);
        }
        let ways = call.args.iter().map(|arg| self.way(arg));
        let all = |way: Way| ways.clone().all(|one| one == Way::Still || one == way);
        match call.func.name() {
            // what is null is left out, and comes to it later
            "greatest" if all(Way::Up) => Way::Up,
            "least" if all(Way::Down) => Way::Down,
            _ => Way::Either,
        }
    }

    /// Whether what is larger is larger as the other type too: text is in another order than its numbers.
    fn keeps_order(&self, cast: &Cast) -> bool {
        let of_kind = |kind: &DataType| match plain(kind) {
            kind if kind.is_numeric() => Some(0),
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Some(0),
            DataType::Duration(_) | DataType::Interval(_) => Some(1),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(2),
            _ => None,
        };
        let from = cast.expr.get_type(self.schema).ok();
        let from = from.as_ref().and_then(of_kind);
        from.is_some() && from == of_kind(cast.field.data_type())
    }

    /// Whether its values are never below 0.
    fn is_from_zero(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Alias(alias) => self.is_from_zero(&alias.expr),
            Expr::Cast(cast) => cast.field.data_type().is_numeric() && self.is_from_zero(&cast.expr),
            Expr::ScalarFunction(call) => narrowed::number_of(call).is_some_and(|number| self.is_from_zero(number)),
            Expr::Column(_) => match self.aggregate_of(expr) {
                Some(Expr::AggregateFunction(call)) => match call.func.name() {
                    "count" => true,
                    "sum" => call.params.args.first().is_some_and(never_negative),
                    _ => false,
                },
                _ => false,
            },
            _ => false,
        }
    }

    fn aggregate_of(&self, expr: &Expr) -> Option<Expr> {
        let Expr::Column(column) = expr else { return None };
        let place = self.schema.maybe_index_of_column(column)?.checked_sub(self.aggregate.group_expr.len())?;
        self.aggregate.aggr_expr.get(place).map(|call| call.clone().unalias())
    }
}

/// Of a number that is not null: 1, 0 or -1.
fn sign(expr: &Expr) -> Option<i8> {
    let Expr::Literal(value, _) = expr else { return None };
    let number = match value {
        ScalarValue::Int64(number) => (*number)? as f64,
        ScalarValue::UInt64(number) => (*number)? as f64,
        ScalarValue::Float64(number) => (*number)?,
        _ => return None,
    };
    Some(if number > 0.0 { 1 } else { -i8::from(number < 0.0) })
}

fn is_zero(expr: &Expr) -> bool {
    sign(expr) == Some(0)
}

fn times(way: Way, sign: Option<i8>) -> Way {
    match sign {
        Some(1) => way,
        Some(-1) => way.turned(),
        // nothing is divided by 0
        _ => Way::Either,
    }
}

/// Whether a number of a row is never below 0.
fn never_negative(expr: &Expr) -> bool {
    match expr {
        Expr::Alias(alias) => never_negative(&alias.expr),
        Expr::Column(column) => NEVER_NEGATIVE.contains(&column.name.as_str()),
        Expr::Literal(value, _) => value.is_null() || sign(expr).is_some_and(|sign| sign >= 0),
        // a truth is 0 or 1
        Expr::Cast(cast) if cast.field.data_type().is_numeric() => never_negative(&cast.expr) || is_truth(&cast.expr),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus | Operator::Multiply, right }) => {
            never_negative(left) && never_negative(right)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Divide, right }) => {
            never_negative(left) && sign(right) == Some(1)
        }
        Expr::Case(Case { when_then_expr, else_expr, .. }) => {
            let then = when_then_expr.iter().map(|(_, then)| then);
            then.chain(else_expr).all(|value| never_negative(value))
        }
        Expr::ScalarFunction(call) if call.func.name() == "coalesce" => call.args.iter().all(never_negative),
        Expr::ScalarFunction(call) => {
            LENGTHS.contains(&call.func.name()) || narrowed::number_of(call).is_some_and(never_negative)
        }
        _ => false,
    }
}

fn is_truth(expr: &Expr) -> bool {
    match expr {
        Expr::Not(_) | Expr::IsNull(_) | Expr::IsNotNull(_) | Expr::IsTrue(_) | Expr::IsNotTrue(_) => true,
        Expr::Like(_) | Expr::InList(_) | Expr::Between(_) => true,
        Expr::BinaryExpr(BinaryExpr { op, .. }) => op.is_logic_operator() || op.supports_propagation(),
        _ => false,
    }
}

fn aggregate_way(call: &Expr) -> Way {
    let Expr::AggregateFunction(call) = call else { return Way::Either };
    match call.func.name() {
        // rows of its window change nothing about what was before it
        FIRST_SEEN | RARE | UNUSUAL_HOUR => Way::Still,
        "count" | "max" => Way::Up,
        "min" => Way::Down,
        "sum" if call.params.args.first().is_some_and(never_negative) => Way::Up,
        _ => Way::Either,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::detect::Detector;
    use crate::detect::tests::{batch, changed, detector, event, rule};
    use crate::logs;
    use crate::time::Timestamp;

    /// Three calls make it true; whether that is told before the window is over.
    fn is_told_at_once(having: &str) -> bool {
        let mut detector = detector([rule(
            "",
            &format!(
                "SELECT count(*) AS n FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com' \
                 GROUP BY awsRegion, tumble(eventTime, INTERVAL '1 hour') HAVING {having}"
            ),
        )]);
        let call = |n: i64| {
            let error = if n == 1 { json!("AccessDenied") } else { Value::Null };
            let changes = json!({ "requestParameters": { "n": n, "names": ["a", "b"] }, "errorCode": error });
            changed(event("GetUser", &format!("e{n}")), changes)
        };
        let told = detector.observe(&[batch(&[call(1), call(2), call(3)])], Timestamp(0)).len();
        assert_eq!(told + detector.finish().len(), 1, "{having}");
        told == 1
    }

    #[test]
    fn more_distinct_values_than_are_counted_cannot_be_asked_for() {
        let said = |having: &str| {
            let sql = format!(
                "SELECT count(*) AS n FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com' \
                 GROUP BY awsRegion, tumble(eventTime, INTERVAL '1 hour') HAVING {having}"
            );
            let (_, refused) = Detector::new(logs::TABLES, [rule("", &sql)]);
            refused.first().map(ToString::to_string).unwrap_or_default()
        };
        for having in [
            "count(DISTINCT eventName) >= 10001",
            "count(DISTINCT eventName) > 10000",
            "20000 < count(DISTINCT eventName) OR count(*) > 3",
            "count(*) > 3 AND count(DISTINCT eventName) <= 10000",
        ] {
            assert!(said(having).contains("10000 distinct values are counted at most"), "{having}: {}", said(having));
        }
        for having in [
            "count(DISTINCT eventName) >= 10000",
            "count(DISTINCT eventName) < 10000",
            "count(*) > 20000",
            "9999 < count(DISTINCT eventName)",
        ] {
            assert_eq!(said(having), "", "{having}");
        }
    }

    #[test]
    fn a_count_that_ends_is_compared_with_nothing_that_does_not() {
        let said = |having: &str| {
            let sql = format!(
                "SELECT count(*) AS n FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com'\n\
                 GROUP BY awsRegion, tumble(eventTime, INTERVAL '1 hour')\nHAVING {having}"
            );
            let (_, refused) = Detector::new(logs::TABLES, [rule("", &sql)]);
            refused.first().map(ToString::to_string).unwrap_or_default()
        };
        for having in [
            "count(DISTINCT eventName) = count(*)",
            "count(*) > 3 AND NOT (2 * count(DISTINCT eventName) < count(errorCode))",
            "CAST(count(DISTINCT eventName) AS DOUBLE) / count(*) > 0.9",
            "count(DISTINCT eventName) BETWEEN 3 AND max(json_get_int(requestParameters, 'n'))",
            "count(DISTINCT eventName) IN (sum(length(eventName)), 3)",
        ] {
            let said = said(having);
            let expected =
                "x.sql:7:1: 10000 distinct values are counted at most, and `HAVING` compares their count with ";
            assert!(said.contains(expected), "{having}: {said}");
        }
        for having in [
            "count(DISTINCT eventName) > count(DISTINCT eventName) FILTER (WHERE errorCode IS NULL) + 2",
            "count(DISTINCT eventName) >= 2 AND count(*) >= 3",
            "count(DISTINCT eventName) BETWEEN 3 AND 9",
        ] {
            assert_eq!(said(having), "", "{having}");
        }
    }

    #[test]
    fn what_can_only_become_truer_is_told_at_once() {
        for having in [
            "sum(CASE WHEN errorCode IS NOT NULL THEN 1 ELSE 0 END) >= 1",
            "sum(CASE WHEN errorCode IS NULL THEN 1 END) >= 2",
            "sum(CAST(errorCode IS NULL AS BIGINT)) >= 2",
            "sum(json_length(requestParameters, 'names')) >= 6",
            "CAST(count(*) AS INTEGER) >= 3",
            "sum(CAST(json_length(requestParameters, 'names') AS SMALLINT)) >= 6",
            "sum(CAST(array_length(json_get_array(requestParameters, 'names')) AS BIGINT)) >= 6",
            "coalesce(sum(length(eventName)), 0) > 20",
            "sum(length(eventName)) / 7 >= 3",
            "2 * count(*) >= 6",
            "0 - count(*) < -2",
            "NOT (count(*) < 3)",
            "count(errorCode) <> 0",
            "greatest(count(errorCode), count(*)) >= 3",
            "(count(*) >= 3) IS TRUE",
            "in_order(eventTime, errorCode IS NOT NULL, errorCode IS NULL)",
            r#"correlates(eventTime, '{"of":[0],"within":9,"holds":{"count":3}}', eventName = 'GetUser')"#,
        ] {
            assert!(is_told_at_once(having), "{having}");
        }
    }

    #[test]
    fn what_may_become_false_waits() {
        for having in [
            "sum(json_get_int(requestParameters, 'n')) >= 6",
            "sum(length(eventName) - 1) >= 18",
            "CAST(count(*) AS VARCHAR) >= '3'",
            "try_cast(count(*) AS INTEGER) >= 3",
            "CAST(max(requestParameters ->> 'n') AS BIGINT) >= 3",
            "coalesce(max(json_get_int(requestParameters, 'n')), 9) >= 3",
            "count(*) <> 4",
            "-2 * count(*) > -9",
            "count(*) BETWEEN 1 AND 5",
            "in_order(eventTime, errorCode IS NULL, eventName = 'x') = (count(*) = 0)",
            "max(eventTime) - min(eventTime) < INTERVAL '1 hour' OR count(*) >= 1",
        ] {
            assert!(!is_told_at_once(having), "{having}");
        }
    }
}
