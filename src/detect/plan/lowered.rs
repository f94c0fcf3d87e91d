//! What only rules compute → plans that DataFusion runs: `hop`, `session` and `first_seen` in the analyst's session, over all
//! rows at once.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray, TimestampMicrosecondArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result, ScalarValue, exec_err, plan_err};
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::functions_window::lead_lag::lag_udwf;
use datafusion::functions_window::rank::dense_rank_udwf;
use datafusion::logical_expr::expr::{ScalarFunction, WindowFunction};
use datafusion::logical_expr::{
    Aggregate, ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition, cast, lit, when,
};
use datafusion::optimizer::analyzer::AnalyzerRule;

use crate::detect::functions::spans::{FIRST_SEEN, micros, moment, times, tumble};
use crate::detect::window::seen::LEARNED_PANES;

/// Takes the place of what a rule's engine does with the rows of its windows. To be asked before types are coerced.
#[derive(Debug)]
pub struct Lowered;

impl AnalyzerRule for Lowered {
    fn name(&self) -> &str {
        "windows_of_rules"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let lowered = plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Aggregate(aggregate) => lowered(aggregate),
            other => Ok(Transformed::no(other)),
        });
        Ok(lowered?.data)
    }
}

fn lowered(aggregate: Aggregate) -> Result<Transformed<LogicalPlan>> {
    let spanning = aggregate.group_expr.iter().position(|expr| call(expr).is_some_and(|call| is_span(&call)));
    let asking = aggregate.aggr_expr.iter().position(is_first_seen);
    if spanning.is_none() && asking.is_none() {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let Aggregate { input, mut group_expr, mut aggr_expr, schema, .. } = aggregate;
    let mut plan = Arc::unwrap_or_clone(input);
    if let Some(place) = spanning {
        let window = call(&group_expr[place]).expect("it was just found to be one");
        let start = match window.func.name() {
            "hop" => hopping(&mut plan, window)?,
            _ => {
                let mut keys = group_expr.clone();
                keys.remove(place);
                session(&mut plan, window, keys)?
            }
        };
        group_expr[place] = start.alias(schema.field(place).name());
    }
    let asks = asking.map(|place| aggr_expr.remove(place));
    let groups = group_expr.len();
    let first = asks.map(|asks| FirstSeen::new(&asks, &group_expr)).transpose()?;
    let mut plan = LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(plan), group_expr, aggr_expr)?);
    if let (Some(place), Some(first)) = (asking, first) {
        let mut shown = columns(&plan);
        let is_first = first.answer(&mut plan, &shown)?;
        shown.insert(groups + place, is_first.alias(schema.field(groups + place).name()));
        plan = LogicalPlanBuilder::from(plan).project(shown)?.build()?;
    }
    Ok(Transformed::yes(plan))
}

/// The call of a scalar function that an expression is.
fn call(expr: &Expr) -> Option<ScalarFunction> {
    match expr.clone().unalias() {
        Expr::ScalarFunction(call) => Some(call),
        _ => None,
    }
}

fn is_span(call: &ScalarFunction) -> bool {
    matches!(call.func.name(), "hop" | "session")
}

fn is_first_seen(expr: &Expr) -> bool {
    matches!(expr.clone().unalias(), Expr::AggregateFunction(call) if call.func.name() == FIRST_SEEN)
}

/// Every column of a plan.
fn columns(plan: &LogicalPlan) -> Vec<Expr> {
    plan.schema().columns().into_iter().map(Expr::Column).collect()
}

/// Adds a column to a plan, and gives it.
fn with_column(plan: &mut LogicalPlan, expr: Expr, name: &str) -> Result<Expr> {
    let mut shown = columns(plan);
    shown.push(expr.alias(name));
    *plan = LogicalPlanBuilder::from(plan.clone()).project(shown)?.build()?;
    Ok(Expr::Column(Column::new_unqualified(name)))
}

/// Adds the column of a window function to a plan, and gives it.
fn with_window(
    plan: &mut LogicalPlan,
    function: impl Into<WindowFunctionDefinition>,
    args: Vec<Expr>,
    over: &Over,
    frame: WindowFrame,
) -> Result<Expr> {
    let mut call = WindowFunction::new(function, args);
    call.params.partition_by = over.keys.clone();
    call.params.order_by = vec![over.by.clone().sort(true, true)];
    call.params.window_frame = frame;
    *plan = LogicalPlanBuilder::from(plan.clone()).window([Expr::from(call)])?.build()?;
    Ok(columns(plan).pop().expect("a column was just added"))
}

/// PARTITION BY keys ORDER BY one number.
struct Over {
    keys: Vec<Expr>,
    by: Expr,
}

/// Everything up to a row and those that are level with it.
fn so_far() -> WindowFrame {
    WindowFrame::new(Some(false))
}

/// A row for each window that it lies in; gives the start of that window.
fn hopping(plan: &mut LogicalPlan, hop: ScalarFunction) -> Result<Expr> {
    const START: &str = "__hop_start";
    let starts = ScalarUDF::new_from_impl(HopStarts { signature: Signature::any(3, Volatility::Immutable) });
    with_column(plan, starts.call(hop.args), START)?;
    *plan = LogicalPlanBuilder::from(plan.clone()).unnest_column(START)?.build()?;
    Ok(Expr::Column(Column::new_unqualified(START)))
}

/// The start of the session of each row: the latest row of its key up to it that came longer than the gap after the one
/// before.
fn session(plan: &mut LogicalPlan, session: ScalarFunction, keys: Vec<Expr>) -> Result<Expr> {
    let [time, Expr::Literal(gap, _)] = <[Expr; 2]>::try_from(session.args).or_else(|_| too_few())? else {
        return too_few();
    };
    let Some(gap) = micros(&gap) else { return too_few() };
    let by = with_column(plan, micros_of(tumble().call(vec![time, microsecond()])), "__session_time")?;
    let over = Over { keys, by: by.clone() };
    let before = with_window(plan, lag_udwf(), vec![by.clone()], &over, so_far())?;
    let begins = before.clone().is_null().or((by.clone() - before).gt(lit(gap)));
    let begin = with_column(plan, when(begins, by).end()?, "__session_begin")?;
    let start = with_window(plan, max_udaf(), vec![begin], &over, so_far())?;
    Ok(cast(start, moment()))
}

fn too_few<T>() -> Result<T> {
    plan_err!("session takes a time and a constant interval: session(eventTime, INTERVAL '30 minutes')")
}

fn microsecond() -> Expr {
    lit(ScalarValue::new_interval_mdn(0, 0, 1000))
}

/// Microseconds since 1970 as a number, of which windows are cheap and exact.
fn micros_of(time: Expr) -> Expr {
    cast(time, DataType::Int64)
}

/// What `first_seen` asks, by places in GROUP BY.
struct FirstSeen {
    /// How many there are.
    groups: usize,
    window: usize,
    value: usize,
    history: i64,
}

impl FirstSeen {
    fn new(asks: &Expr, group: &[Expr]) -> Result<FirstSeen> {
        let Expr::AggregateFunction(asked) = asks.clone().unalias() else {
            return plan_err!("first_seen is an aggregate");
        };
        let [value, Expr::Literal(history, _)] = asked.params.args.as_slice() else {
            return plan_err!("first_seen takes a column of GROUP BY and how far back it looks: INTERVAL '30 days'");
        };
        let tumbles = |expr: &Expr| call(expr).is_some_and(|call| call.func.name() == "tumble");
        let Some(window) = group.iter().position(tumbles) else {
            return plan_err!("first_seen goes with tumble in GROUP BY");
        };
        let Some(value) = group.iter().position(|key| key.clone().unalias() == value.clone().unalias()) else {
            return plan_err!("first_seen asks for a column of GROUP BY, and `{value}` is none");
        };
        let Some(history) = micros(history) else {
            return plan_err!("first_seen looks back a constant interval of days, hours, minutes or seconds");
        };
        Ok(FirstSeen { groups: group.len(), window, value, history })
    }

    /// Adds what it takes to a plan of groups, and gives the answer for each of them.
    fn answer(&self, plan: &mut LogicalPlan, shown: &[Expr]) -> Result<Expr> {
        let start = with_column(plan, micros_of(shown[self.window].clone()), "__first_seen_time")?;
        let keys = |without: &[usize]| -> Vec<Expr> {
            let left = (0..self.groups).filter(|place| !without.contains(place));
            left.map(|place| shown[place].clone()).collect()
        };
        let of_key = Over { keys: keys(&[self.window]), by: start.clone() };
        let of_owner = Over { keys: keys(&[self.window, self.value]), by: start.clone() };
        let before = with_window(plan, lag_udwf(), vec![start.clone()], &of_key, so_far())?;
        // numbers of the windows that the owner has rows in: of those in the history the last less the first
        let number = with_window(plan, dense_rank_udwf(), vec![], &of_owner, so_far())?;
        let number = with_column(plan, cast(number, DataType::Int64), "__first_seen_number")?;
        let back = |micros: i64| WindowFrameBound::Preceding(ScalarValue::Int64(Some(micros)));
        let history = WindowFrame::new_bounds(WindowFrameUnits::Range, back(self.history), back(1));
        let first = with_window(plan, min_udaf(), vec![number.clone()], &of_owner, history.clone())?;
        let last = with_window(plan, max_udaf(), vec![number], &of_owner, history)?;
        let known = (last - first).gt_eq(lit(LEARNED_PANES as i64 - 1));
        let is_new = before.clone().is_null().or((start - before).gt(lit(self.history)));
        Ok(is_new.and(known).is_true())
    }
}

/// The start of each window of `hop` that a time lies in, as a list.
#[derive(Debug, PartialEq, Eq, Hash)]
struct HopStarts {
    signature: Signature,
}

impl ScalarUDFImpl for HopStarts {
    fn name(&self) -> &str {
        "hop_starts"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new_list_field(moment(), true))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let length = |place: usize| match &args.args[place] {
            ColumnarValue::Scalar(interval) => micros(interval),
            ColumnarValue::Array(_) => None,
        };
        let (Some(slide), Some(size)) = (length(1), length(2)) else {
            return exec_err!("the lengths of hop are constants");
        };
        let times = times(&args.args[0].to_array(args.number_rows)?)?;
        let (mut starts, mut lengths) = (Vec::new(), Vec::with_capacity(times.len()));
        for time in &times {
            let before = starts.len();
            if let Some(time) = time {
                let last = time.div_euclid(slide);
                starts.extend((last - size / slide + 1..=last).map(|pane| pane.saturating_mul(slide)));
            }
            lengths.push(starts.len() - before);
        }
        let starts: ArrayRef = Arc::new(TimestampMicrosecondArray::from(starts).with_timezone("UTC"));
        let nulls = times.nulls().cloned();
        let field = Arc::new(Field::new_list_field(moment(), true));
        let lists = ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), starts, nulls)?;
        Ok(ColumnarValue::Array(Arc::new(lists)))
    }
}
