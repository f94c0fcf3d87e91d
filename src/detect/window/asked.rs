//! What HAVING asks of the time before a window → what has to be remembered for it.

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, ScalarValue, plan_err};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::utils::split_conjunction;

use super::plan::{FirstSeen, Span};
use super::score::{Scored, What};
use super::seen::LEARNED_PANES;
use crate::detect::functions::spans::{UNUSUAL_RATE, micros};
use crate::detect::program::Leaves;
use crate::time::MICROS_PER_HOUR;

/// Panes of history that `first_seen` may ask for.
const HISTORY_MAX: i64 = 400;

/// What `first_seen(value, interval)` asks, where the group's keys are `keys`.
pub fn first_seen(leaves: &Leaves, call: &AggregateFunction, keys: &[Expr], span: Span) -> Result<FirstSeen> {
    let [value, Expr::Literal(history, _)] = call.params.args.as_slice() else {
        return plan_err!("first_seen takes a column of GROUP BY and how far back it looks: INTERVAL '30 days'");
    };
    if call.params.filter.is_some() || call.params.distinct {
        return plan_err!("first_seen takes no FILTER and no DISTINCT: put conditions into WHERE");
    }
    if span.size != span.slide {
        return plan_err!("first_seen goes with tumble: what is new in one of windows that overlap is not in the next");
    }
    let value = leaves.flatten(value.clone())?;
    let Some(value) = keys.iter().position(|key| *key == value) else {
        return plan_err!("first_seen asks for a column of GROUP BY, and `{value}` is none");
    };
    let panes = micros(history).filter(|history| history % span.size == 0).map(|history| history / span.size);
    const LEAST: i64 = LEARNED_PANES as i64;
    match panes {
        Some(panes @ LEAST..=HISTORY_MAX) => Ok(FirstSeen { panes, value }),
        _ => plan_err!(
            "first_seen looks back a whole number of windows, {LEAST} to {HISTORY_MAX}: INTERVAL '30 days' with windows of a day. \
             Of {LEAST} windows something must be known before anything is new"
        ),
    }
}

/// Whether a condition asks what is new by itself, or joined with others by AND. Nothing is kept of windows whose key is not new: no other
/// condition is asked of them.
pub fn asks_alone(having: &Expr, first_seen: &Column) -> bool {
    let conjuncts = split_conjunction(having);
    let (own, others): (Vec<_>, Vec<_>) =
        conjuncts.into_iter().partition(|conjunct| matches!(conjunct, Expr::Column(column) if column == first_seen));
    !own.is_empty() && others.iter().all(|other| !other.column_refs().contains(first_seen))
}

/// What `rare(value, budget)` asks, where the group's keys are `keys`.
pub fn rare(leaves: &Leaves, call: &AggregateFunction, keys: &[Expr]) -> Result<Scored> {
    let [value, budget] = call.params.args.as_slice() else {
        return plan_err!("rare takes a column of GROUP BY and a budget of false findings a day");
    };
    if call.params.filter.is_some() || call.params.distinct {
        return plan_err!("rare takes no FILTER and no DISTINCT: put conditions into WHERE");
    }
    let value = leaves.flatten(value.clone())?;
    let Some(value) = keys.iter().position(|key| *key == value) else {
        return plan_err!("rare asks for a column of GROUP BY, and `{value}` is none");
    };
    if keys.len() < 2 {
        return plan_err!(
            "rare asks what the rest of GROUP BY seldom has, and there is no rest: GROUP BY userIdentity.arn, ..."
        );
    }
    Ok(Scored { what: What::Rare { value }, budget: budget_of(budget)? })
}

/// What `unusual_hour(budget)` asks, where there are so many keys.
pub fn unusual_hour(call: &AggregateFunction, keys: usize, span: Span) -> Result<Scored> {
    let [budget] = call.params.args.as_slice() else {
        return plan_err!("unusual_hour takes a budget of false findings a day");
    };
    if call.params.filter.is_some() || call.params.distinct {
        return plan_err!("unusual_hour takes no FILTER and no DISTINCT: put conditions into WHERE");
    }
    if (span.size, span.slide, span.session) != (MICROS_PER_HOUR, MICROS_PER_HOUR, false) {
        return plan_err!("unusual_hour goes with hours: GROUP BY ..., tumble(<time>, INTERVAL '1 hour')");
    }
    if keys == 0 {
        return plan_err!("unusual_hour asks whose hours these are: GROUP BY userIdentity.arn, ...");
    }
    Ok(Scored { what: What::Hours, budget: budget_of(budget)? })
}

/// Name of the column that stands for `unusual_rate`.
const SCORE: &str = "is unusual";

/// Puts a column of its own in place of `unusual_rate(number, budget)`; gives the number, and what is asked.
pub fn take_rate(schema: &mut DFSchema, having: &mut Expr, items: &mut [Expr]) -> Result<Option<(Expr, Scored)>> {
    let mut found: Option<(Expr, Scored)> = None;
    for expr in std::iter::once(having).chain(items) {
        let taken = expr.clone().transform(|expr| {
            let Expr::ScalarFunction(call) = &expr else { return Ok(Transformed::no(expr)) };
            if call.func.name() != UNUSUAL_RATE {
                return Ok(Transformed::no(expr));
            }
            let scored = Scored { what: What::Rate, budget: budget_of(&call.args[1])? };
            // what is selected has other names than what HAVING says
            let asked = (call.args[0].clone().unalias_nested().data, scored);
            if found.get_or_insert_with(|| asked.clone()) != &asked {
                return plan_err!("a rule has one score: unusual_rate stands once in HAVING");
            }
            Ok(Transformed::yes(Expr::Column(Column::new_unqualified(SCORE))))
        });
        *expr = taken?.data;
    }
    if found.is_some() {
        let field = Field::new(SCORE, DataType::Boolean, false);
        let column = DFSchema::from_unqualified_fields(vec![field].into(), Default::default())?;
        *schema = schema.join(&column)?;
    }
    Ok(found)
}

/// Most false findings a day that a rule may ask for.
const BUDGET_MAX: f64 = 1000.0;

fn budget_of(expr: &Expr) -> Result<f64> {
    let budget = match expr {
        Expr::Literal(ScalarValue::Float64(budget), _) => *budget,
        Expr::Literal(ScalarValue::Int64(Some(budget)), _) => Some(*budget as f64),
        _ => None,
    };
    match budget {
        Some(budget) if budget > 0.0 && budget <= BUDGET_MAX => Ok(budget),
        _ => plan_err!(
            "a budget is the number of false findings a day that is accepted, such as 0.2, at most {BUDGET_MAX}"
        ),
    }
}
