//! A grouping query taken apart: what to compute of each row, and what of each group.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, SchemaRef};
use arrow::row::RowConverter;
use datafusion::common::{Column, DFSchema, Result, exec_err, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use datafusion::physical_expr::PhysicalExpr;

use super::aggregate::{AggregatePlan, Input, OfRows};
use super::asked::{asks_alone, first_seen, rare, take_rate, unusual_hour};
use super::columns::{Alike, Columns};
use super::group::Group;
use super::log::{Digest, digest};
use super::part::{DISTINCT_MAX, Part, hash};
use super::rising::{Compared, Need, beside_distinct, compared, needed, never_falls, uncounted};
use super::score::{Model, Observed, Score, Scored, What};
use super::seen::Name;
use super::text::{Sortable, fields, has_order, sort_keys};
use crate::detect::functions::spans::{FIRST_SEEN, RARE, UNUSUAL_HOUR, micros, plain};
use crate::detect::program::{Leaves, physical, type_of};
use crate::detect::verdicts::is_true;
use crate::time::{MICROS_PER_SECOND, Timestamp};

/// Windows of equal length that begin at the multiples of `slide` since 1970, in microseconds. `size` is a multiple of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub slide: i64,
    pub size: i64,
    /// Windows are sessions in place of that: rows of which none is further than `slide` from the next. `size` is twice
    /// that, which is how far apart the panes of two rows of a session may begin and one still decides about the other.
    pub session: bool,
    /// Windows are frames in place of that: the rows of a key up to each of its rows, that far back. `slide` is then the
    /// length of a pane, and `size` how far apart two panes may begin of which one has rows of the other's frames, and one more.
    pub frame: Option<i64>,
}

/// How a query over frames groups: by the keys, the time of a row, and what it asks of that row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framed {
    /// How many keys there are.
    pub keys: usize,
    /// How far a frame goes back, in microseconds.
    pub size: i64,
}

impl Span {
    /// Number of the pane that a time is in.
    pub fn pane(self, time: Timestamp) -> i64 {
        time.0.div_euclid(self.slide)
    }
}

/// A question for what was before a window: whether its key had no rows in so many panes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstSeen {
    pub panes: i64,
    /// Which column of the key is new; the others say whose it is.
    pub value: usize,
}

/// A rule that judges windows.
pub struct Windowed {
    /// Names what it asks of rows: rules of which this is the same remember the same.
    pub asks: Digest,
    pub span: Span,
    pub first: Option<FirstSeen>,
    /// How unusual its windows must be. They are then judged in the order of time, when they are over.
    pub scored: Option<Scored>,
    /// Once a window's condition holds, more rows cannot change that: it need not be waited for. With `first` that is so
    /// for rows of the window itself, and not for those that come late from before it.
    pub early: bool,
    /// The same of one that asks what is rare, once no row can come any more for the windows before it.
    pub foreseen: bool,
    /// What its condition needs of its parts, see [`needed`].
    needed: Need,
    keys: Keys,
    /// What is asked of the row that a frame ends with.
    asked: Keys,
    aggregates: Vec<AggregatePlan>,
    after: After,
}

/// The keys' columns, and the bytes that stand for a row of them.
#[derive(Default)]
struct Keys {
    /// Positions in [`Columns`].
    columns: Vec<usize>,
    types: Vec<DataType>,
    /// What stands for no value of each.
    nulls: Vec<Sortable>,
}

/// What is computed of groups.
struct After {
    schema: SchemaRef,
    /// Where each column of `schema` comes from.
    columns: Vec<Origin>,
    having: Arc<dyn PhysicalExpr>,
    items: Vec<Arc<dyn PhysicalExpr>>,
    /// Of each item that is a count of distinct values, which aggregate that is.
    counted: Vec<Option<usize>>,
    /// Comparisons of counts that may have ended, and what of the condition is none; `None` where there are none.
    compared: Option<(Vec<Comparison>, Arc<dyn PhysicalExpr>)>,
    /// The number that is scored.
    amount: Option<Arc<dyn PhysicalExpr>>,
}

/// A condition, and which answer of it stays where more is counted.
type Stays = (Arc<dyn PhysicalExpr>, bool);

/// Of counts that may have ended.
type Comparison = (Compared, Option<Stays>);

enum Origin {
    Window,
    Key(usize),
    /// The time of the row that a frame ends with, and what else is asked of it.
    At,
    Row(usize),
    Aggregate(usize),
    FirstSeen,
    Score,
}

/// A window of one key, whole.
#[derive(Clone)]
pub struct Window {
    pub key: Arc<[u8]>,
    /// In microseconds since 1970.
    pub start: i64,
    /// What is asked of the row that a frame ends with, as bytes; empty of other windows.
    pub row: Box<[u8]>,
    pub group: Group,
    /// What `first_seen` says of it.
    pub first_seen: bool,
    /// Of a rule that asks for one, once it was judged.
    pub score: Option<Score>,
}

/// Which rows a query reads, how it groups them, and what it adds up of them, each as text; last its HAVING, which asks nothing more of rows.
fn texts_of(aggregate: &Aggregate, frame: Option<Framed>, having: &Expr) -> Vec<String> {
    let rows = match aggregate.input.as_ref() {
        LogicalPlan::Filter(rows) => rows.predicate.to_string(),
        other => other.display_indent().to_string(),
    };
    let grouped = aggregate.group_expr.iter().map(Expr::to_string);
    let added = aggregate.aggr_expr.iter().map(Expr::to_string);
    let how = [rows, format!("{frame:?}"), grouped.len().to_string()];
    how.into_iter().chain(grouped).chain(added).chain([having.to_string()]).collect()
}

/// A query's parts behind its WHERE.
pub struct Grouped {
    pub aggregate: Aggregate,
    pub having: Expr,
    pub items: Vec<Expr>,
    /// Of a query over frames.
    pub frame: Option<Framed>,
}

impl Windowed {
    /// `time` is the table's column of that; `asked_of_rows` gets to know what is computed of each row.
    pub fn new(leaves: &mut Leaves, asked_of_rows: &mut Columns, grouped: Grouped, time: &Expr) -> Result<Windowed> {
        let Grouped { aggregate, mut having, mut items, frame } = grouped;
        let mut schema = aggregate.schema.as_ref().clone();
        let texts = texts_of(&aggregate, frame, &having);
        let mut scored = None;
        let mut key_exprs = Vec::new();
        let (mut columns, mut span, mut first) = (Vec::new(), frame.map(Span::of_frames), None);
        let (mut keys, mut asked) = (Keys::default(), Keys::default());
        for (place, expr) in aggregate.group_expr.iter().enumerate() {
            let behind_keys = frame.is_some_and(|frame| place >= frame.keys);
            if behind_keys && columns.len() == keys.types.len() {
                if leaves.flatten(expr.clone())? != *time {
                    return plan_err!("a rule's frames go by the time of its table: `{time}`");
                }
                columns.push(Origin::At);
                continue;
            }
            if frame.is_none()
                && let Some((found, of)) = span_of(expr)
            {
                if span.replace(found).is_some() {
                    return plan_err!("a rule has one window: tumble, hop or session stands once in GROUP BY");
                }
                if leaves.flatten(of)? != *time {
                    return plan_err!("a rule's windows go by the time of its table: `{time}`");
                }
                columns.push(Origin::Window);
                continue;
            }
            let expr = leaves.flatten(expr.clone())?;
            let kind = plain(&type_of(leaves, &expr)?).clone();
            if !has_order(&kind) {
                let what = if behind_keys { "what is asked of the row behind a frame is" } else { "a rule groups by" };
                return plan_err!("{what} text, numbers or times: use `->>` in place of `->`");
            }
            if behind_keys {
                columns.push(Origin::Row(asked.types.len()));
                asked.push(leaves, asked_of_rows, expr)?;
            } else {
                columns.push(Origin::Key(keys.types.len()));
                keys.push(leaves, asked_of_rows, expr.clone())?;
                key_exprs.push(expr);
            }
        }
        let Some(span) = span else {
            return plan_err!("a rule that groups needs a window: GROUP BY ..., tumble(<time>, INTERVAL '10 minutes')");
        };
        let mut aggregates = Vec::new();
        for expr in &aggregate.aggr_expr {
            let Expr::AggregateFunction(call) = expr.clone().unalias() else {
                return plan_err!("not supported yet: `{expr}`");
            };
            if call.func.name() == FIRST_SEEN {
                columns.push(Origin::FirstSeen);
                let found = first_seen(leaves, &call, &key_exprs, span)?;
                if first.replace(found).is_some() {
                    return plan_err!("a rule asks once what is new: first_seen stands once in HAVING");
                }
                continue;
            }
            let found = match call.func.name() {
                RARE => Some(rare(leaves, &call, &key_exprs)?),
                UNUSUAL_HOUR => Some(unusual_hour(&call, key_exprs.len(), span)?),
                _ => None,
            };
            if let Some(found) = found {
                columns.push(Origin::Score);
                if scored.replace(found).is_some() {
                    return plan_err!("a rule has one score: rare or unusual_hour stands once in HAVING");
                }
                continue;
            }
            columns.push(Origin::Aggregate(aggregates.len()));
            aggregates.push(AggregatePlan::new(leaves, asked_of_rows, call)?);
        }
        let new = columns.iter().position(|column| matches!(column, Origin::FirstSeen));
        if let Some(place) = new
            && !asks_alone(&having, &Column::from(schema.qualified_field(place)))
        {
            return plan_err!(
                "first_seen stands alone in HAVING, or is joined with other conditions by AND: windows of what is not new are not kept, and OR, \
                 NOT and comparisons would ask for them"
            );
        }
        let amount = match take_rate(&mut schema, &mut having, &mut items)? {
            Some(_) if scored.is_some() => {
                return plan_err!("a rule has one score: rare, unusual_hour or unusual_rate");
            }
            Some((amount, found)) => {
                columns.push(Origin::Score);
                scored = Some(found);
                Some(amount)
            }
            None => None,
        };
        if scored.is_some() && (first.is_some() || span.size != span.slide || span.session) {
            return plan_err!("a score goes with tumble, whose windows do not overlap, and without first_seen");
        }
        if let Some(number) = uncounted(&having, &schema, &aggregate) {
            return plan_err!("{DISTINCT_MAX} distinct values are counted at most, and HAVING compares with {number}");
        }
        if let Some(other) = beside_distinct(&having, &schema, &aggregate) {
            return plan_err!(
                "{DISTINCT_MAX} distinct values are counted at most, and `HAVING` compares their count with {}: compare it with a constant, or \
                 with another such count",
                other.human_display()
            );
        }
        // the start of a session may change
        let names_window = |having: &Expr| {
            let of = |place: Option<usize>| place.is_some_and(|place| matches!(columns[place], Origin::Window));
            having.column_refs().into_iter().any(|column| of(schema.maybe_index_of_column(column)))
        };
        // aggregates have parts, but for first_seen, rare and unusual_hour; and what is scored teaches, whether or not it is told
        let part = |place: usize| match columns[aggregate.group_expr.len() + place] {
            Origin::Aggregate(part) => Some(part),
            _ => None,
        };
        // what is scored teaches, and what is learnt is of all of HAVING
        let texts = if scored.is_some() { &texts[..] } else { &texts[..texts.len() - 1] };
        let counted = |item: &Expr| match item.clone().unalias() {
            Expr::Column(column) => match columns[schema.maybe_index_of_column(&column)?] {
                Origin::Aggregate(part) if matches!(aggregates[part].empty, Part::Distinct(_)) => Some(part),
                _ => None,
            },
            _ => None,
        };
        let counted = items.iter().map(counted).collect();
        let (comparisons, others) = compared(&having, &schema, &aggregate);
        let comparisons = comparisons.into_iter().map(|compared| {
            let stays = match &compared.stays {
                Some((condition, truth)) => Some((physical(condition, &schema)?, *truth)),
                None => None,
            };
            Ok((compared.placed(&part), stays))
        });
        let comparisons: Vec<Comparison> = comparisons.collect::<Result<_>>()?;
        let compared = match comparisons.is_empty() {
            true => None,
            false => Some((comparisons, physical(&others, &schema)?)),
        };
        Ok(Windowed {
            asks: digest(&texts.iter().map(String::as_bytes).collect::<Vec<_>>()),
            span,
            first,
            scored,
            early: scored.is_none()
                && never_falls(&having, &schema, &aggregate)
                && !(span.session && names_window(&having)),
            foreseen: scored.is_some_and(|scored| scored.what != What::Rate)
                && never_falls(&having, &schema, &aggregate),
            needed: match scored {
                Some(_) => Need::NOTHING,
                None => needed(&having, &schema, &aggregate).placed(&part),
            },
            keys,
            asked,
            aggregates,
            after: After { counted, compared, ..After::new(&schema, columns, &having, &items, amount.as_ref())? },
        })
    }

    /// Positions of the leaves that are read of rows.
    pub fn reads(&self, columns: &Columns) -> impl Iterator<Item = usize> {
        let of_aggregates = self
            .aggregates
            .iter()
            .flat_map(|aggregate| aggregate.argument.iter().chain(&aggregate.filter).chain(&aggregate.steps));
        let asked = self.keys.columns.iter().chain(&self.asked.columns).chain(of_aggregates);
        asked.flat_map(|column| columns.reads(*column).iter().copied())
    }

    /// False for a group whose condition certainly does not hold: most are, and to compute nothing for them is cheap.
    pub fn may_hold(&self, group: &Group) -> bool {
        self.needed.is_met(&|place, least| group.parts[place].is_at_least(least))
    }

    /// The same of groups that are merged, without merging them.
    pub fn may_hold_together(&self, groups: &[&Group]) -> bool {
        let parts = |place: usize| groups.iter().map(move |group| &group.parts[place]);
        self.needed.is_met(&|place, least| Part::may_be_at_least(parts(place), least))
    }

    /// The same where no more is known of groups than what their parts are at most, together.
    pub fn may_hold_of(&self, most: &[u64]) -> bool {
        self.needed.is_met(&|place, least| most[place] >= least.min(DISTINCT_MAX as u64))
    }

    /// Whether a selected column, by its place, is a count of distinct values that has ended in a window: there may be more.
    pub fn is_capped(&self, item: usize, window: &Window) -> bool {
        self.after.counted[item].is_some_and(|part| window.group.parts[part].is_at_least(DISTINCT_MAX as u64))
    }

    /// A group without rows.
    pub fn empty(&self) -> Group {
        Group::new(self.aggregates.iter().map(|aggregate| aggregate.empty.clone()).collect())
    }

    /// How many aggregates a group has.
    pub fn parts_len(&self) -> usize {
        self.aggregates.len()
    }

    /// Whose rows are.
    ///
    /// # Errors
    /// When an expression of the rule fails on one of them.
    pub fn keys(&self, answers: &OfRows) -> Result<Keyed> {
        let rows = answers.len();
        let columns = self.keys.columns.iter().map(|column| answers.values(*column));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let keys = Alike::of(&columns, &self.keys.nulls, rows);
        let named = self.first.map(|FirstSeen { value, .. }| {
            let (mut columns, mut nulls) = (columns, self.keys.nulls.clone());
            drop((columns.remove(value), nulls.remove(value)));
            let owners = Alike::of(&columns, &nulls, rows);
            let names = [&keys, &owners].map(|all| all.all().map(hash).collect());
            Named { owners, names }
        });
        let asked = match self.span.frame {
            Some(_) => {
                let columns = self.asked.columns.iter().map(|column| answers.values(*column));
                Some(Alike::of(&columns.collect::<Result<Vec<_>>>()?, &self.asked.nulls, rows))
            }
            None => None,
        };
        Ok(Keyed { keys, named, asked })
    }

    /// What rows add to the parts of their groups.
    ///
    /// # Errors
    /// When an expression of the rule fails on one of them.
    pub fn inputs(&self, answers: &OfRows) -> Result<Inputs> {
        Ok(Inputs(self.aggregates.iter().map(|aggregate| aggregate.input(answers)).collect::<Result<_>>()?))
    }

    /// The groups that the condition holds for, and the selected columns of those, a row each.
    ///
    /// # Errors
    /// When an expression fails on one of them, or compares counts of distinct values that have ended.
    pub fn judge(&self, windows: &[Window]) -> Result<(Vec<usize>, Vec<ArrayRef>)> {
        let table = self.table(windows)?;
        self.refuse_undecided(windows, &table)?;
        let found = self.holding_of(&table)?;
        if found.is_empty() {
            return Ok((found, Vec::new()));
        }
        let rows = arrow::array::UInt32Array::from(found.iter().map(|row| *row as u32).collect::<Vec<_>>());
        let table = arrow::compute::take_record_batch(&table, &rows)?;
        let items = self.after.items.iter().map(|item| item.evaluate(&table)?.into_array(found.len()));
        let items = items.collect::<Result<_>>()?;
        Ok((found, items))
    }

    /// Whether the condition can be said to hold or not of each.
    fn refuse_undecided(&self, windows: &[Window], table: &RecordBatch) -> Result<()> {
        let Some((compared, others)) = &self.after.compared else { return Ok(()) };
        let is_undecided = |compared: &Compared, window: &Window| {
            compared.is_undecided(|part: usize| window.group.parts[part].is_at_least(DISTINCT_MAX as u64))
        };
        if !windows.iter().any(|window| compared.iter().any(|(compared, _)| is_undecided(compared, window))) {
            return Ok(());
        }
        let asked = |condition: &Arc<dyn PhysicalExpr>| condition.evaluate(table)?.into_array(windows.len());
        let holds = asked(others)?;
        for (compared, stays) in compared {
            let answer = match stays {
                Some((condition, truth)) => Some((asked(condition)?, *truth)),
                None => None,
            };
            let is_decided = |row: usize| {
                answer
                    .as_ref()
                    .is_some_and(|(answer, truth)| answer.is_valid(row) && answer.as_boolean().value(row) == *truth)
            };
            let is_open = |row: &usize| {
                is_true(holds.as_boolean(), *row) && is_undecided(compared, &windows[*row]) && !is_decided(*row)
            };
            if (0..windows.len()).any(|row| is_open(&row)) {
                return exec_err!(
                    "{DISTINCT_MAX} distinct values are counted at most, and HAVING compares counts that have come to that"
                );
            }
        }
        Ok(())
    }

    /// Places of the windows that the condition holds for.
    pub fn holding(&self, windows: &[Window]) -> Result<Vec<usize>> {
        self.holding_of(&self.table(windows)?)
    }

    fn holding_of(&self, table: &RecordBatch) -> Result<Vec<usize>> {
        let rows = table.num_rows();
        let holds = self.after.having.evaluate(table)?.into_array(rows)?;
        let holds = holds.as_boolean();
        Ok((0..rows).filter(|row| is_true(holds, *row)).collect())
    }

    /// Scores the windows of one pane, in the order of their keys, and has the model learn from them.
    ///
    /// # Errors
    /// When the number that is scored cannot be computed.
    pub fn score(&self, model: &mut Model, windows: &mut [Window]) -> Result<()> {
        let (Some(scored), Some(first)) = (self.scored, windows.first()) else { return Ok(()) };
        let start = first.start;
        let observed = self.observed(scored, windows)?;
        let scores = model.close(scored, start, &observed);
        windows.iter_mut().zip(scores).for_each(|(window, score)| window.score = Some(score));
        Ok(())
    }

    /// The same before the pane closes, and without learning, where scores can be told before that.
    ///
    /// # Errors
    /// As [`Windowed::score`].
    pub fn foresee(&self, model: &Model, windows: &mut [Window]) -> Result<()> {
        let (Some(scored), Some(first)) = (self.scored, windows.first()) else { return Ok(()) };
        let scores = model.foresee(scored, first.start, &self.observed(scored, windows)?);
        windows.iter_mut().zip(scores.into_iter().flatten()).for_each(|(window, score)| window.score = Some(score));
        Ok(())
    }

    fn observed(&self, scored: Scored, windows: &[Window]) -> Result<Vec<Observed>> {
        let of = |window: &Window| Observed { owner: 0, peers: 0, value: 0, amount: 0.0, rows: window.group.rows };
        let mut all: Vec<Observed> = windows.iter().map(of).collect();
        match scored.what {
            What::Rate => {
                let amount = self.after.amount.as_ref().expect("a rate is of a number");
                let amounts = amount.evaluate(&self.table(windows)?)?.into_array(windows.len())?;
                let amounts = cast(&amounts, &DataType::Float64)?;
                let amounts = amounts.as_primitive::<Float64Type>();
                for (place, (one, window)) in all.iter_mut().zip(windows).enumerate() {
                    one.owner = hash(&window.key);
                    // what is null, as the sum of nothing, is nothing
                    let amount = if amounts.is_valid(place) { amounts.value(place) } else { 0.0 };
                    one.amount = if amount.is_finite() { amount.max(0.0) } else { 0.0 };
                }
            }
            What::Rare { value } => {
                let rest: Vec<usize> = (0..self.keys.types.len()).filter(|place| *place != value).collect();
                self.name(&mut all, windows, &rest)?;
                let values = self.names(windows, &[value])?;
                all.iter_mut().zip(values).for_each(|(one, value)| one.value = value);
            }
            What::Hours => self.name(&mut all, windows, &(0..self.keys.types.len()).collect::<Vec<_>>())?,
        }
        Ok(all)
    }

    /// Says whose windows are by these columns of their keys, and that those are peers who have the first of them alike.
    fn name(&self, all: &mut [Observed], windows: &[Window], owners: &[usize]) -> Result<()> {
        // of one column the owner is his own peer, so that only all others are asked
        let peers = if owners.len() > 1 { &owners[..1] } else { &[] };
        let names = self.names(windows, owners)?.into_iter().zip(self.names(windows, peers)?);
        all.iter_mut().zip(names).for_each(|(one, (owner, peers))| (one.owner, one.peers) = (owner, peers));
        Ok(())
    }

    /// What stands for these columns of the keys of windows.
    fn names(&self, windows: &[Window], places: &[usize]) -> Result<Vec<Name>> {
        if places.is_empty() {
            return Ok(vec![0; windows.len()]);
        }
        let columns = self.key_columns(&windows.iter().map(|window| &*window.key).collect::<Vec<_>>())?;
        let types: Vec<_> = places.iter().map(|place| self.keys.types[*place].clone()).collect();
        let columns: Vec<_> = places.iter().map(|place| columns[*place].clone()).collect();
        Ok(sort_keys(&types, &columns)?.iter().map(|row| hash(row.data())).collect())
    }

    /// The selected columns of all groups, whether or not the condition holds.
    pub fn shown(&self, windows: &[Window]) -> Result<Vec<ArrayRef>> {
        let table = self.table(windows)?;
        self.after.items.iter().map(|item| item.evaluate(&table)?.into_array(windows.len())).collect()
    }

    /// The columns of the keys of windows.
    pub fn key_columns(&self, keys: &[&[u8]]) -> Result<Vec<ArrayRef>> {
        self.keys.columns_of(keys)
    }

    /// The columns that the condition and the selected columns are computed of.
    pub(super) fn table(&self, windows: &[Window]) -> Result<RecordBatch> {
        let keys = self.key_columns(&windows.iter().map(|window| &*window.key).collect::<Vec<_>>())?;
        let asked = self.asked.columns_of(&windows.iter().map(|window| &*window.row).collect::<Vec<_>>())?;
        let mut columns = Vec::new();
        for (origin, field) in self.after.columns.iter().zip(self.after.schema.fields()) {
            let column: ArrayRef = match origin {
                Origin::Window => {
                    let starts: TimestampMicrosecondArray = windows.iter().map(|window| Some(window.start)).collect();
                    Arc::new(starts.with_timezone("UTC"))
                }
                Origin::Key(place) => keys[*place].clone(),
                Origin::At => moments(windows.iter().map(|window| self.span.end(window)), field.data_type()),
                Origin::Row(place) => asked[*place].clone(),
                Origin::Aggregate(place) => {
                    let parts: Vec<&Part> = windows.iter().map(|window| &window.group.parts[*place]).collect();
                    self.aggregates[*place].column(&parts)?
                }
                Origin::FirstSeen => {
                    Arc::new(windows.iter().map(|window| Some(window.first_seen)).collect::<BooleanArray>())
                }
                Origin::Score => {
                    let budget = self.scored.map_or(0.0, |scored| scored.budget);
                    let is_within = |window: &Window| window.score.is_some_and(|score| score.is_within(budget));
                    Arc::new(windows.iter().map(|window| Some(is_within(window))).collect::<BooleanArray>())
                }
            };
            columns.push(cast(&column, field.data_type())?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(windows.len()));
        Ok(RecordBatch::try_new_with_options(self.after.schema.clone(), columns, &options)?)
    }
}

/// Whose rows are: their keys, and what is known of these.
pub struct Keyed {
    pub keys: Alike,
    /// What stands for each key where it is asked which are new, and for each of them without the column that may be new.
    named: Option<Named>,
    /// What is asked of the row that a frame ends with.
    asked: Option<Alike>,
}

/// Of a rule that asks what is new: whose keys are, and by their places the names of keys and of these.
struct Named {
    owners: Alike,
    names: [Vec<Name>; 2],
}

impl Keyed {
    /// What stands for a row's key in what was seen.
    pub fn name(&self, row: usize) -> Name {
        self.named().names[0][self.keys.place(row) as usize]
    }

    /// What stands there for whose it is.
    pub fn owner(&self, row: usize) -> Name {
        let Named { owners, names } = self.named();
        names[1][owners.place(row) as usize]
    }

    fn named(&self) -> &Named {
        self.named.as_ref().expect("a rule that asks what is new has names of keys")
    }

    /// Bytes that stand for what is asked of a row that a frame ends with.
    pub fn asked(&self, row: usize) -> &[u8] {
        self.asked.as_ref().map_or(&[], |asked| asked.bytes(row))
    }
}

/// What rows add to each part of their groups.
#[derive(Default)]
pub struct Inputs(Vec<Input>);

impl Inputs {
    /// Adds what rows of one group, by their places, say to its parts.
    pub fn add(&self, rows: &[u32], parts: &mut [Part]) {
        self.0.iter().zip(parts).for_each(|(input, part)| input.add(rows, part));
    }
}

/// The windows that a grouping expression makes, and of which time, when it makes some.
fn span_of(expr: &Expr) -> Option<(Span, Expr)> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr.clone().unalias() else { return None };
    let length = |place: usize| match args.get(place) {
        Some(Expr::Literal(value, _)) => micros(value),
        _ => None,
    };
    let span = match func.name() {
        "tumble" => length(1).map(|size| Span { slide: size, size, session: false, frame: None }),
        "hop" => length(1).zip(length(2)).map(|(slide, size)| Span { slide, size, session: false, frame: None }),
        "session" => length(1).map(|gap| Span { slide: gap, size: gap.saturating_mul(2), session: true, frame: None }),
        _ => None,
    };
    Some((span?, args.first()?.clone()))
}

impl Keys {
    fn push(&mut self, leaves: &mut Leaves, columns: &mut Columns, expr: Expr) -> Result<()> {
        let column = columns.ask(leaves, expr)?;
        self.types.push(columns.kind(column).clone());
        self.nulls.push(columns.null(column)?);
        self.columns.push(column);
        Ok(())
    }

    /// The columns that bytes stand for.
    fn columns_of(&self, keys: &[&[u8]]) -> Result<Vec<ArrayRef>> {
        if self.types.is_empty() {
            return Ok(Vec::new());
        }
        let converter = RowConverter::new(fields(&self.types))?;
        let parser = converter.parser();
        Ok(converter.convert_rows(keys.iter().map(|key| parser.parse(key)))?)
    }
}

/// Times as a table has them: of microseconds, or of whole seconds since 1970.
fn moments(times: impl Iterator<Item = i64>, kind: &DataType) -> ArrayRef {
    match kind {
        DataType::Int64 => Arc::new(times.map(|time| time.div_euclid(MICROS_PER_SECOND)).collect::<Int64Array>()),
        _ => Arc::new(times.map(Some).collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
    }
}

impl After {
    fn new(
        schema: &DFSchema,
        columns: Vec<Origin>,
        having: &Expr,
        items: &[Expr],
        amount: Option<&Expr>,
    ) -> Result<After> {
        let physical = |expr: &Expr| physical(expr, schema);
        Ok(After {
            schema: Arc::new(schema.as_arrow().clone()),
            columns,
            having: physical(having)?,
            items: items.iter().map(physical).collect::<Result<_>>()?,
            counted: vec![None; items.len()],
            compared: None,
            amount: amount.map(physical).transpose()?,
        })
    }
}
