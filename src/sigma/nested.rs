//! A correlation that names other correlations, or goes by sessions → one condition on windows of the rows of all rules.
//!
//! A correlation that is named has no findings of its own to go by: whoever asks has its rows in one window, long enough for
//! all that may belong to one match, and `correlates` says whether they make one, to the second. That they do cannot become
//! false as rows come, and so the answer of a stream is that of the archive. What may become false, such as `lt: 5`, has no
//! moment at which it matches, and cannot be named.
//!
//! A session ends where no row comes for the length of the gap, and what counts are rows of one that lie within the timespan.
//! Sigma has a session end there too, wherever it began: what that leaves together is found here, and what it cuts apart may be.

use std::collections::BTreeSet;

use rsigma_parser::{ConditionExpr, ConditionOperator, CorrelationCondition, CorrelationType, WindowMode};
use serde_json::{Value, json};

use super::condition::Condition;
use super::correlation::{DAYS_MAX, Judged, Lowering, Of, Step, has_not};
use super::fields::quoted;
use super::parse::Wrong;
use super::timespan;

/// What it asks of a window, and SQL of the window.
///
/// # Errors
/// With the place of what cannot be used.
pub fn judged(lowering: &Lowering) -> Result<(Judged, String), Wrong> {
    if lowering.steps.iter().any(|step| matches!(step.of, Of::Correlation(..))) {
        no_session(lowering)?;
    }
    let mut call = Call::default();
    // the query groups by these
    let shared = lowering.correlation.group_by.iter().map(String::as_str).collect();
    let (plan, seconds) = call.plan(lowering, &shared)?;
    if call.rules.len() > RULES_MAX {
        let message =
            format!("a correlation of correlations has {RULES_MAX} rules at most, and not {}", call.rules.len());
        return Err((lowering.lines.key(&["correlation", "rules"]), message));
    }
    let message =
        "what the correlations look for lies further apart, all together, than the 366 days that rows are remembered";
    let seconds = seconds.filter(|seconds| *seconds <= DAYS_MAX * 86_400);
    let seconds = seconds.ok_or_else(|| lowering.wrong_timespan(message.to_owned()))?;
    let time = lowering.time();
    let window = match lowering.gap()? {
        Some(gap) => timespan::sessions(&time, gap),
        None => timespan::sliding(&time, seconds),
    };
    let arguments = call.rules.iter().chain(&call.values);
    let arguments = arguments.map(|sql| format!(",\n                  {sql}")).collect::<String>();
    let correlates = format!("correlates({time}, {}{arguments})", quoted(&plan.to_string(), '\''));
    let mut having: Vec<String> = Vec::new();
    for (rows, least) in needs(lowering) {
        let sql = match least {
            1 => format!("count(*) FILTER (WHERE {}) > 0", rows.alone()),
            _ => format!("count(*) FILTER (WHERE {}) >= {least}", rows.alone()),
        };
        if !having.contains(&sql) {
            having.push(sql);
        }
    }
    having.push(correlates);
    let judged = Judged { having, shown: lowering.counts(), grows: true };
    Ok((judged, window))
}

fn no_session(lowering: &Lowering) -> Result<(), Wrong> {
    let Lowering { correlation, lines, .. } = *lowering;
    if correlation.window != WindowMode::Session {
        return Ok(());
    }
    let place = lines.text("session").unwrap_or_else(|| lines.key(&["correlation"]));
    Err((place, "sessions are of rules, and not of correlations: leave `window` out, or write `tumbling`".to_owned()))
}

/// Rules that `correlates` takes.
const RULES_MAX: usize = 64;

/// What the call of `correlates` names: conditions of rules, and values, in SQL.
#[derive(Default)]
struct Call {
    rules: Vec<String>,
    values: Vec<String>,
}

impl Call {
    /// The plan of a correlation, and how many seconds what belongs to one match lies apart at most. Of the fields that it groups
    /// by those in `shared` are the same of all rows that it is asked of.
    fn plan(&mut self, lowering: &Lowering, shared: &BTreeSet<&str>) -> Result<(Value, Option<i64>), Wrong> {
        let Lowering { context, correlation, steps, lines } = *lowering;
        let seconds = lowering.seconds()?;
        let mut by = Vec::new();
        for name in correlation.group_by.iter().filter(|name| !shared.contains(name.as_str())) {
            let wrong = |message| (lines.value(&["correlation", "group-by"], name), message);
            by.push(self.value(&lowering.value(name).map_err(wrong)?.0));
        }
        let holds = self.holds(lowering)?;
        let (mut of, mut longest) = (Vec::new(), Some(0));
        for step in steps {
            of.push(match &step.of {
                Of::Rule(_, condition) => json!(place_of(&mut self.rules, condition.alone())),
                Of::Correlation(inner, inner_lines, inner_steps) => {
                    let shared = shared.iter().map(|name| lowering.own(step, name)).collect();
                    let inner = Lowering { context, correlation: inner, steps: inner_steps, lines: inner_lines };
                    let (plan, seconds) = no_session(&inner).and_then(|()| self.plan(&inner, &shared)).map_err(
                        |((line, _), message)| {
                            let place = lines.value(&["correlation", "rules"], step.reference);
                            (
                                place,
                                format!(
                                    "`{}` cannot be named by a correlation, line {line}: {message}",
                                    step.reference
                                ),
                            )
                        },
                    )?;
                    longest = longest.zip(seconds).map(|(longest, seconds): (i64, i64)| longest.max(seconds));
                    plan
                }
            });
        }
        let mut plan = json!({ "of": of, "within": seconds, "holds": holds });
        if correlation.window == WindowMode::Tumbling {
            plan["tumbling"] = true.into();
        }
        if !by.is_empty() {
            plan["by"] = by.into();
        }
        Ok((plan, longest.and_then(|longest| longest.checked_add(seconds))))
    }

    fn holds(&mut self, lowering: &Lowering) -> Result<Value, Wrong> {
        let Lowering { correlation, steps, lines, .. } = *lowering;
        let wrong = |message: &str| (lines.key(&["correlation", "condition"]), message.to_owned());
        Ok(match (correlation.correlation_type, &correlation.condition) {
            (CorrelationType::EventCount, CorrelationCondition::Threshold { predicates, .. }) => {
                json!({ "count": least(predicates).ok_or_else(|| wrong(MAY_FALL))? })
            }
            (CorrelationType::ValueCount, CorrelationCondition::Threshold { predicates, field, .. }) => {
                let least = least(predicates).ok_or_else(|| wrong(MAY_FALL))?;
                let value = lowering.distinct(field.as_deref().unwrap_or_default())?;
                json!({ "distinct": [least, self.value(&value)] })
            }
            (CorrelationType::Temporal, CorrelationCondition::Threshold { predicates, .. }) => {
                let least = match lowering.has_condition() {
                    true => least(predicates).ok_or_else(|| wrong(MAY_FALL))?,
                    false => steps.len() as u64,
                };
                json!({ "together": [least, (0..steps.len()).collect::<Vec<_>>()] })
            }
            (CorrelationType::Temporal | CorrelationType::TemporalOrdered, CorrelationCondition::Extended(expr))
                if has_not(expr) =>
            {
                return Err(wrong(MAY_FALL));
            }
            (CorrelationType::Temporal, CorrelationCondition::Extended(expr)) => {
                json!({ "together": together(lowering, expr)? })
            }
            (CorrelationType::TemporalOrdered, condition) => {
                if let CorrelationCondition::Extended(expr) = condition {
                    together(lowering, expr)?;
                } else if !lowering.all_of_steps() {
                    return Err(wrong(
                        "the condition of `temporal_ordered` is that all of its rules match, one after the other: leave it out",
                    ));
                }
                json!("in_order")
            }
            (kind, _) => {
                let place = lines.key(&["correlation", "type"]);
                let message = format!(
                    "`{}` may become false as events come, and has no moment at which it matches",
                    kind.as_str()
                );
                return Err((place, message));
            }
        })
    }

    /// Number of a value.
    fn value(&mut self, sql: &str) -> usize {
        place_of(&mut self.values, format!("CAST({sql} AS VARCHAR)"))
    }
}

const MAY_FALL: &str = "the condition may become false as events come, and has no moment at which it matches: \
                        there are `gt`, `gte`, `and` and `or`";

fn place_of(all: &mut Vec<String>, sql: String) -> usize {
    all.iter().position(|known| *known == sql).unwrap_or_else(|| {
        all.push(sql);
        all.len() - 1
    })
}

/// How many a count must be, where more never are too many.
fn least(predicates: &[(ConditionOperator, u64)]) -> Option<u64> {
    let least = predicates.iter().map(|(operator, number)| {
        // the parser keeps a negative number in its two's complement
        let number = u64::try_from(number.cast_signed()).ok();
        match operator {
            ConditionOperator::Gt => Some(number.map_or(0, |number| number + 1)),
            ConditionOperator::Gte => Some(number.unwrap_or(0)),
            ConditionOperator::Lt | ConditionOperator::Lte | ConditionOperator::Eq | ConditionOperator::Neq => None,
        }
    });
    let least = least.collect::<Option<Vec<u64>>>()?;
    least.into_iter().max().map(|least| least.max(1))
}

/// A condition over names of steps.
fn together(lowering: &Lowering, expr: &ConditionExpr) -> Result<Value, Wrong> {
    let each = |parts: &[ConditionExpr]| -> Result<Vec<Value>, Wrong> {
        parts.iter().map(|part| together(lowering, part)).collect()
    };
    Ok(match expr {
        ConditionExpr::And(parts) => json!([parts.len(), each(parts)?]),
        ConditionExpr::Or(parts) => json!([1, each(parts)?]),
        ConditionExpr::Identifier(_) | ConditionExpr::Selector { .. } | ConditionExpr::Not(_) => {
            json!(lowering.named(expr)?)
        }
    })
}

/// Rows that there must be so many of wherever a correlation matches: quick to count.
fn needs(lowering: &Lowering) -> Vec<(Condition, u64)> {
    let Lowering { context, correlation, steps, .. } = *lowering;
    let of_step = |step: &Step| match &step.of {
        Of::Rule(_, condition) => vec![(condition.clone(), 1)],
        Of::Correlation(inner, lines, steps) => needs(&Lowering { context, correlation: inner, steps, lines }),
    };
    let all = || steps.iter().flat_map(of_step).collect();
    match (correlation.correlation_type, &correlation.condition) {
        (
            CorrelationType::EventCount | CorrelationType::ValueCount,
            CorrelationCondition::Threshold { predicates, .. },
        ) => {
            let rows = Condition::any(steps.iter().map(Step::condition).collect());
            let mut needs = vec![(rows, least(predicates).unwrap_or(1))];
            if let [only] = steps {
                needs.extend(of_step(only).into_iter().filter(|(_, least)| *least > 1));
            }
            needs
        }
        (CorrelationType::TemporalOrdered, _) => all(),
        (CorrelationType::Temporal, CorrelationCondition::Threshold { .. }) if !lowering.has_condition() => all(),
        _ => Vec::new(),
    }
}
