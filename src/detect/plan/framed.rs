//! A query over sliding frames → the grouping query that computes the same: each frame is a group that ends with a row.
//!
//! `SELECT ... FROM (SELECT *, count(*) OVER (PARTITION BY key ORDER BY time RANGE BETWEEN INTERVAL '10 minutes' PRECEDING AND
//! CURRENT ROW) AS calls FROM table WHERE ...) WHERE calls >= 20` groups by the key, the time of a row, and what else the
//! outer query asks of that row; its HAVING is the outer WHERE.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::{
    Aggregate, Expr, Filter, LogicalPlan, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
};

use crate::detect::functions::correlates::CORRELATES;
use crate::detect::functions::spans::micros;
use crate::detect::program::Leaves;
use crate::detect::window::plan::{Framed, Grouped};
use crate::time::{MICROS_PER_DAY, MICROS_PER_SECOND};

/// Longest frame: what a key did for longer is kept by panes, not by row.
const FRAME_MICROS_MAX: i64 = 7 * MICROS_PER_DAY;

const USAGE: &str =
    "OVER (PARTITION BY ... ORDER BY <time> RANGE BETWEEN INTERVAL '10 minutes' PRECEDING AND CURRENT ROW)";

/// The rows of a query over frames, and how it groups them; `None` of a query without OVER.
///
/// # Errors
/// When the frames are others than of one length of time up to a row.
pub fn take_apart<'a>(
    leaves: &Leaves,
    items: &[Expr],
    condition: &Expr,
    below: &'a LogicalPlan,
) -> Result<Option<(&'a Filter, Grouped)>> {
    let Some((rows, layers)) = layers(below) else { return Ok(None) };
    let whole = |expr: &Expr| layers.iter().try_fold(expr.clone().unalias(), spelled_out);
    let items: Vec<Expr> = items.iter().map(whole).collect::<Result<_>>()?;
    let condition = whole(condition)?;
    let mut calls = Vec::new();
    for expr in std::iter::once(&condition).chain(&items) {
        expr.apply(|expr| {
            if let Expr::WindowFunction(call) = expr
                && !calls.contains(call.as_ref())
            {
                calls.push(call.as_ref().clone());
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    let Some(first) = calls.first() else {
        return plan_err!("the query within FROM is for frames, and nothing asks for one: {USAGE}");
    };
    if calls.iter().any(|call| over(call) != over(first)) {
        return plan_err!("a rule has one frame: each OVER has the same PARTITION BY, ORDER BY and RANGE");
    }
    let [by] = first.params.order_by.as_slice() else { return plan_err!("a frame is ordered by time: {USAGE}") };
    if !by.asc {
        return plan_err!("a frame goes back in time: ORDER BY <time>, without DESC");
    }
    let size = length(&first.params.window_frame)?;
    let mut parts =
        Parts { leaves, keys: Vec::new(), time: leaves.flatten(by.expr.clone())?, calls: &calls, rows: Vec::new() };
    parts.keys = first.params.partition_by.iter().map(|key| leaves.flatten(key.clone())).collect::<Result<_>>()?;
    let having = parts.of_groups(condition)?;
    let items = items.into_iter().map(|item| parts.of_groups(item)).collect::<Result<_>>()?;
    let named = |name: &'static str| move |(place, expr): (usize, Expr)| expr.alias(format!("{name}{place}"));
    let mut group: Vec<Expr> = first.params.partition_by.iter().cloned().enumerate().map(named(KEY)).collect();
    group.push(by.expr.clone().alias(AT));
    group.extend(std::mem::take(&mut parts.rows).into_iter().enumerate().map(named(ROW)));
    let calls = calls.iter().map(aggregate).collect::<Result<Vec<_>>>()?;
    let calls = calls.into_iter().enumerate().map(named(CALL)).collect();
    let aggregate = Aggregate::try_new(Arc::new(LogicalPlan::Filter(rows.clone())), group, calls)?;
    let frame = Some(Framed { keys: first.params.partition_by.len(), size });
    Ok(Some((rows, Grouped { aggregate, having, items, frame })))
}

/// Names of the columns of groups.
const KEY: &str = "__key_";
const AT: &str = "__at";
const ROW: &str = "__row_";
const CALL: &str = "__call_";

/// What the names of a plan's columns stand for in the plan below it.
type Layer = HashMap<String, Expr>;

/// The rows that frames are made of, and what lies above them, the uppermost first.
fn layers(mut plan: &LogicalPlan) -> Option<(&Filter, Vec<Layer>)> {
    let (mut layers, mut frames) = (Vec::new(), false);
    loop {
        plan = match plan {
            LogicalPlan::SubqueryAlias(alias) => &alias.input,
            LogicalPlan::Projection(projection) => {
                let names = projection.schema.fields().iter().map(|field| field.name().clone());
                layers.push(names.zip(projection.expr.iter().map(|expr| expr.clone().unalias())).collect());
                &projection.input
            }
            LogicalPlan::Window(window) => {
                frames = true;
                let own = window.schema.fields().iter().skip(window.input.schema().fields().len());
                let calls = window.window_expr.iter().map(|expr| expr.clone().unalias());
                layers.push(own.map(|field| field.name().clone()).zip(calls).collect());
                &window.input
            }
            LogicalPlan::Filter(rows) if frames => return Some((rows, layers)),
            _ => return None,
        };
    }
}

/// The expression with what names stand for in their place.
fn spelled_out(expr: Expr, layer: &Layer) -> Result<Expr> {
    let spelled = expr.transform_up(|expr| {
        Ok(match &expr {
            Expr::Column(column) => match layer.get(&column.name) {
                Some(whole) => Transformed::yes(whole.clone()),
                None => Transformed::no(expr),
            },
            _ => Transformed::no(expr),
        })
    });
    Ok(spelled?.data)
}

/// What makes two frames the same.
fn over(call: &WindowFunction) -> impl PartialEq + '_ {
    (&call.params.partition_by, &call.params.order_by, &call.params.window_frame)
}

/// How far a frame goes back, in microseconds.
fn length(frame: &WindowFrame) -> Result<i64> {
    let size = match (&frame.units, &frame.start_bound, &frame.end_bound) {
        (WindowFrameUnits::Range, WindowFrameBound::Preceding(size), WindowFrameBound::CurrentRow) => match size {
            // of a table whose time is whole seconds
            ScalarValue::Int64(Some(seconds)) if *seconds > 0 => seconds.checked_mul(MICROS_PER_SECOND),
            interval => micros(interval),
        },
        _ => None,
    };
    match size {
        Some(size) if size <= FRAME_MICROS_MAX => Ok(size),
        Some(_) => plan_err!("a frame is at most 7 days long: take hop for longer ones"),
        None => plan_err!("a frame is a constant length of time up to the row: {USAGE}"),
    }
}

/// An aggregate over a frame as one over a group.
fn aggregate(call: &WindowFunction) -> Result<Expr> {
    let WindowFunctionDefinition::AggregateUDF(function) = &call.fun else {
        return plan_err!("not supported yet: `{}` over a frame; there are aggregates", call.fun.name());
    };
    if function.name() == CORRELATES {
        return plan_err!("correlates says itself how far its rows lie apart: take hop in place of a frame");
    }
    let params = call.params.clone();
    Ok(Expr::AggregateFunction(AggregateFunction::new_udf(
        function.clone(),
        params.args,
        params.distinct,
        params.filter,
        Vec::new(),
        params.null_treatment,
    )))
}

/// What the outer query reads.
struct Parts<'a> {
    leaves: &'a Leaves,
    /// Flattened, as `time` is.
    keys: Vec<Expr>,
    time: Expr,
    calls: &'a [WindowFunction],
    /// What it asks of the row that a frame ends with.
    rows: Vec<Expr>,
}

impl Parts<'_> {
    /// An expression of the outer query over the columns of groups.
    fn of_groups(&mut self, expr: Expr) -> Result<Expr> {
        let column = |name: &str, place: usize| Expr::Column(Column::new_unqualified(format!("{name}{place}")));
        let over_groups = expr.transform_down(|expr| {
            let instead = match &expr {
                Expr::WindowFunction(call) => {
                    self.calls.iter().position(|known| known == call.as_ref()).map(|place| column(CALL, place))
                }
                _ if expr.column_refs().is_empty()
                    || expr.exists(|part| Ok(matches!(part, Expr::WindowFunction(_))))? =>
                {
                    None
                }
                _ => {
                    let flat = self.leaves.flatten(expr.clone())?;
                    Some(match self.keys.iter().position(|key| *key == flat) {
                        Some(place) => column(KEY, place),
                        None if flat == self.time => Expr::Column(Column::new_unqualified(AT)),
                        None => column(ROW, self.row(&expr)),
                    })
                }
            };
            Ok(match instead {
                Some(column) => Transformed::new(column, true, TreeNodeRecursion::Jump),
                None => Transformed::no(expr),
            })
        });
        Ok(over_groups?.data)
    }

    fn row(&mut self, expr: &Expr) -> usize {
        self.rows.iter().position(|known| known == expr).unwrap_or_else(|| {
            self.rows.push(expr.clone());
            self.rows.len() - 1
        })
    }
}
