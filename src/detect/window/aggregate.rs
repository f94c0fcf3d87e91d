//! One aggregate of a query: what it asks of rows, what they add to its part, and its value for a group.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, TimestampMicrosecondArray, UInt32Array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Int64Type};
use arrow::row::RowConverter;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::AggregateFunction;

use super::chain::Chain;
use super::columns::{Answers, Columns};
use super::nested::Correlation;
use super::part::Part;
use super::text::{Values, fields, has_order};
use crate::detect::functions::correlates::{self, CORRELATES};
use crate::detect::functions::percentile::{APPROX_PERCENTILE, numbers, share};
use crate::detect::functions::regularity::REGULARITY;
use crate::detect::functions::spans::{plain, sample_list, times};
use crate::detect::program::{Leaves, type_of};
use crate::detect::verdicts::is_true;

/// The aggregates that rules have, in words of people who write them.
pub const IN_RULES: &str = "count, count_if, sum, avg, min, max, arbitrary, approx_distinct, approx_percentile, sample, in_order, correlates and regularity";

const KNOWN: [&str; 10] =
    ["count", "sum", "avg", "min", "max", "sample", "in_order", CORRELATES, REGULARITY, APPROX_PERCENTILE];

pub struct AggregatePlan {
    pub empty: Part,
    /// Positions in [`Columns`].
    pub argument: Option<usize>,
    /// Of `in_order` and `correlates`, whose argument is the time: the conditions, and behind them values.
    pub steps: Vec<usize>,
    /// Of `correlates`.
    correlation: Option<Correlation>,
    /// Of `approx_percentile`, whose argument is the number.
    share: Option<f64>,
    pub filter: Option<usize>,
    /// Of the argument, without a dictionary.
    item: DataType,
}

impl AggregatePlan {
    pub fn new(leaves: &mut Leaves, columns: &mut Columns, call: AggregateFunction) -> Result<AggregatePlan> {
        let name = call.func.name().to_owned();
        if !KNOWN.contains(&name.as_str()) {
            return plan_err!("the aggregate `{name}` is not supported in rules; there are {IN_RULES}");
        }
        let mut params = call.params;
        if !params.order_by.is_empty() || params.null_treatment.is_some() {
            return plan_err!("not supported yet: ORDER BY or IGNORE NULLS within `{name}`");
        }
        let mut steps = if name == "in_order" { params.args.split_off(1) } else { Vec::new() };
        let mut correlation = None;
        if name == CORRELATES {
            let mut rest = params.args.split_off(1);
            let text = rest.remove(0);
            let kinds =
                rest.iter().map(|expr| type_of(leaves, &leaves.flatten(expr.clone())?)).collect::<Result<Vec<_>>>()?;
            let Expr::Literal(text, _) = text else { return plan_err!("the plan of correlates is a constant") };
            correlation = Some(correlates::plan(&text, &kinds)?);
            steps = rest;
        }
        let share = match (name.as_str(), params.args.last()) {
            (APPROX_PERCENTILE, Some(Expr::Literal(value, _))) => Some(share(value)?),
            (APPROX_PERCENTILE, _) => {
                return plan_err!("approx_percentile takes a constant from 0 to 1, as in approx_percentile(x, 0.95)");
            }
            _ => None,
        };
        if share.is_some() {
            params.args.truncate(1);
        }
        let [argument] = <[Expr; 1]>::try_from(params.args).or_else(|_| {
            plan_err!(
                "`{name}` of several columns is not supported in rules: {name}(DISTINCT a || ' ' || b) is of one text"
            )
        })?;
        let argument = leaves.flatten(argument)?;
        // avg of a whole number is planned over floats, whose sum depends on their order
        let argument = match argument {
            Expr::Cast(cast) if name == "avg" && plain(&type_of(leaves, &cast.expr)?).is_integer() => *cast.expr,
            other => other,
        };
        let item = plain(&type_of(leaves, &argument)?).clone();
        let empty = match (name.as_str(), params.distinct) {
            ("count", true) => Part::Distinct(Default::default()),
            ("count", false) => Part::Count(0),
            ("min", _) => Part::Least(None),
            ("max", _) => Part::Greatest(None),
            ("sample", _) => Part::Sample(Default::default()),
            ("in_order", _) => Part::InOrder(Chain::new(steps.len())),
            (CORRELATES, _) => Part::Correlated(Default::default()),
            (REGULARITY, _) => Part::Regular(Default::default()),
            (APPROX_PERCENTILE, false) => Part::Spread(Default::default()),
            (APPROX_PERCENTILE, true) => return plan_err!("approx_percentile is of all values: leave DISTINCT out"),
            ("sum", false) if item.is_integer() => Part::Sum(None),
            ("avg", false) if item.is_integer() => Part::Mean(Default::default()),
            ("sum" | "avg", true) => return plan_err!("{name} in a rule is of all values: leave DISTINCT out"),
            ("sum" | "avg", false) => {
                return plan_err!("{name} in a rule is of whole numbers, which add up the same in any order");
            }
            _ => unreachable!("all that are known have a part"),
        };
        let bytes = !matches!(empty, Part::Count(_) | Part::Sum(_) | Part::Mean(_) | Part::Spread(_));
        if bytes && !has_order(&item) {
            return plan_err!("{name} in a rule is of text, numbers or times: use `->>` in place of `->`");
        }
        let constant = matches!(&argument, Expr::Literal(value, _) if !value.is_null());
        let argument = match constant && empty == Part::Count(0) {
            true => None,
            false => Some(columns.ask(leaves, argument)?),
        };
        let mut place = |leaves: &mut Leaves, expr: Expr| {
            let expr = leaves.flatten(expr)?;
            columns.ask(leaves, expr)
        };
        let steps = steps.into_iter().map(|step| place(leaves, step)).collect::<Result<_>>()?;
        let filter = params.filter.map(|filter| place(leaves, *filter)).transpose()?;
        Ok(AggregatePlan { empty, argument, steps, correlation, share, filter, item })
    }

    /// What each of `rows` adds to its part.
    pub fn input(&self, of_rows: &OfRows) -> Result<Input> {
        let OfRows { answers, rows, .. } = of_rows;
        let truth = |column: &usize| -> Result<BooleanArray> { Ok(answers.array(*column, rows)?.as_boolean().clone()) };
        let filter = self.filter.as_ref().map(truth).transpose()?;
        let Some(column) = self.argument else { return Ok(Input { filter, argument: Argument::Nothing }) };
        if let Some(filter) = &filter {
            let passing: Vec<u32> = (0..rows.len() as u32).filter(|place| is_true(filter, *place as usize)).collect();
            if passing.is_empty() {
                return Ok(Input { filter: None, argument: Argument::Nobody });
            }
            if passing.len() * FEW_PART <= rows.len() {
                let argument = self.argument(column, &of_rows.some(&passing), Some((&passing, rows.len())))?;
                return Ok(Input { filter: Some(filter.clone()), argument });
            }
        }
        let argument = self.argument(column, of_rows, None)?;
        Ok(Input { filter, argument })
    }

    /// What rows bring; where only some of so many pass the filter, `passing` says which, and the others bring nothing.
    fn argument(&self, column: usize, of_rows: &OfRows, passing: Option<(&[u32], usize)>) -> Result<Argument> {
        let OfRows { answers, rows, .. } = of_rows;
        let places = passing.map(|(passing, count)| {
            let mut places = vec![None; count];
            passing.iter().enumerate().for_each(|(place, row)| places[*row as usize] = Some(place as u32));
            places
        });
        let spread = |array: ArrayRef| match &places {
            Some(places) => take(&array, &UInt32Array::from(places.clone()), None),
            None => Ok(array),
        };
        let truth = |column: &usize| -> Result<BooleanArray> {
            Ok(spread(answers.array(*column, rows)?)?.as_boolean().clone())
        };
        let array = || -> Result<ArrayRef> { Ok(spread(cast(&answers.array(column, rows)?, &self.item)?)?) };
        let values = || -> Result<Values<[u8]>> {
            let values = of_rows.values(column)?;
            Ok(places.as_ref().map_or_else(|| values.clone(), |places| values.spread(places)))
        };
        Ok(match self.empty {
            Part::Count(_) => match (answers.presence(column, rows)?, &places) {
                (None, _) => Argument::Nothing,
                (Some(present), None) => Argument::Presence(present),
                (Some(present), Some(places)) => {
                    let is_there = |place: &Option<u32>| place.is_some_and(|place| present.is_valid(place as usize));
                    Argument::Presence(places.iter().map(is_there).collect())
                }
            },
            Part::InOrder(_) => {
                Argument::Steps(times(&array()?)?, self.steps.iter().map(truth).collect::<Result<_>>()?)
            }
            Part::Correlated(_) => {
                let columns = self.steps.iter().map(|column| Ok(spread(answers.array(*column, rows)?)?));
                let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
                let (rules, values): (Vec<_>, Vec<_>) =
                    columns.iter().partition(|column| *column.data_type() == DataType::Boolean);
                let rules = rules.into_iter().map(|rule| rule.as_boolean().clone()).collect();
                let values = values.into_iter().map(correlates::hashes).collect::<Result<_>>()?;
                Argument::Rows(times(&array()?)?, rules, values)
            }
            Part::Regular(_) => Argument::Times(times(&array()?)?),
            Part::Spread(_) => Argument::Floats(numbers(&array()?)?),
            Part::Sum(_) | Part::Beyond(_) | Part::Mean(_) => {
                Argument::Numbers(cast(&array()?, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            Part::Distinct(_) => Argument::Hashes(values()?),
            Part::Least(_) | Part::Greatest(_) | Part::Sample(_) => Argument::Values(values()?),
        })
    }

    /// A value for each part.
    pub fn column(&self, parts: &[&Part]) -> Result<ArrayRef> {
        Ok(match &self.empty {
            Part::Count(_) | Part::Distinct(_) => Arc::new(
                parts
                    .iter()
                    .map(|part| match part {
                        Part::Count(count) => Some(*count as i64),
                        Part::Distinct(hashes) => Some(hashes.as_slice().len() as i64),
                        _ => None,
                    })
                    .collect::<Int64Array>(),
            ),
            Part::Sum(_) | Part::Beyond(_) => Arc::new(parts.iter().map(|part| part.sum()).collect::<Int64Array>()),
            Part::Mean(_) => {
                let mean = |part: &&Part| if let Part::Mean(mean) = part { mean.value() } else { None };
                Arc::new(parts.iter().map(mean).collect::<Float64Array>())
            }
            Part::Least(_) | Part::Greatest(_) => {
                let values = parts.iter().map(|part| match part {
                    Part::Least(Some(value)) | Part::Greatest(Some(value)) => ScalarBytes::Some(value),
                    _ => ScalarBytes::None,
                });
                values_of(&self.item, values)?
            }
            Part::InOrder(_) => {
                let holds = |part: &&Part| Some(matches!(part, Part::InOrder(chain) if chain.holds()));
                Arc::new(parts.iter().map(holds).collect::<BooleanArray>())
            }
            Part::Correlated(_) => {
                let plan = self.correlation.as_ref().expect("rows correlate as a plan says");
                let holds = |part: &&Part| Some(matches!(part, Part::Correlated(rows) if plan.holds(rows)));
                Arc::new(parts.iter().map(holds).collect::<BooleanArray>())
            }
            Part::Regular(_) => {
                let regularity = |part: &&Part| if let Part::Regular(times) = part { times.regularity() } else { None };
                Arc::new(parts.iter().map(regularity).collect::<Float64Array>())
            }
            Part::Spread(_) => {
                let share = self.share.expect("a percentile is of a share");
                let number =
                    |part: &&Part| if let Part::Spread(spread) = part { spread.percentile(share) } else { None };
                Arc::new(parts.iter().map(number).collect::<Float64Array>())
            }
            Part::Sample(_) => {
                let sets =
                    parts.iter().map(|part| if let Part::Sample(values) = part { values.as_slice() } else { &[] });
                Arc::new(sample_list(&self.item, sets)?)
            }
        })
    }
}

/// An argument is computed for the rows alone that pass the filter, where it is at most one in so many.
const FEW_PART: usize = 2;

/// What a batch says to what one rule asks of rows: several of its keys and aggregates may ask the same.
pub struct OfRows<'a> {
    answers: &'a Answers<'a>,
    rows: Cow<'a, [u32]>,
    known: RefCell<Vec<(usize, Values<[u8]>)>>,
}

impl<'a> OfRows<'a> {
    pub fn new(answers: &'a Answers<'a>, rows: &'a [u32]) -> OfRows<'a> {
        OfRows { answers, rows: rows.into(), known: RefCell::default() }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// What it says to some of the rows, by their places.
    pub fn some(&self, places: &[u32]) -> OfRows<'a> {
        let rows = places.iter().map(|place| self.rows[*place as usize]).collect();
        OfRows { answers: self.answers, rows: Cow::Owned(rows), known: RefCell::default() }
    }

    pub fn values(&self, column: usize) -> Result<Values<[u8]>> {
        if let Some((_, known)) = self.known.borrow().iter().find(|(known, _)| *known == column) {
            return Ok(known.clone());
        }
        let values = self.answers.values(column, &self.rows)?;
        self.known.borrow_mut().push((column, values.clone()));
        Ok(values)
    }
}

/// What rows add to one part.
pub struct Input {
    filter: Option<BooleanArray>,
    argument: Argument,
}

enum Argument {
    /// Every row counts.
    Nothing,
    /// No row passes the filter.
    Nobody,
    /// Rows that have a value count.
    Presence(NullBuffer),
    Numbers(Int64Array),
    Floats(Float64Array),
    Values(Values<[u8]>),
    /// Of values that are only counted.
    Hashes(Values<[u8]>),
    Times(TimestampMicrosecondArray),
    /// The time of each row, and which steps it is one of.
    Steps(TimestampMicrosecondArray, Vec<BooleanArray>),
    /// The time of each row, which rules it is of, and hashes of its values.
    Rows(TimestampMicrosecondArray, Vec<BooleanArray>, Vec<Vec<u64>>),
}

impl Input {
    /// Adds what rows of one group, by their places, say to its part.
    pub fn add(&self, rows: &[u32], part: &mut Part) {
        let passes = |row: usize| self.filter.as_ref().is_none_or(|filter| is_true(filter, row));
        let passes = &passes;
        let each = || rows.iter().map(|row| *row as usize).filter(move |row| passes(*row));
        match &self.argument {
            Argument::Nobody => {}
            Argument::Nothing if self.filter.is_none() => part.count(rows.len() as u64),
            Argument::Nothing => part.count(each().count() as u64),
            Argument::Presence(present) => part.count(each().filter(|row| present.is_valid(*row)).count() as u64),
            Argument::Numbers(values) => {
                each().filter(|row| values.is_valid(*row)).for_each(|row| part.number(values.value(row)));
            }
            Argument::Floats(values) => {
                each().filter(|row| values.is_valid(*row)).for_each(|row| part.float(values.value(row)));
            }
            Argument::Values(values) => {
                values.each_once(each(), |code| part.value(values.of_code(code)));
            }
            Argument::Hashes(values) => {
                values.each_once(each(), |code| part.hash(values.hash_of(code)));
            }
            Argument::Times(times) => {
                each().filter(|row| times.is_valid(*row)).for_each(|row| part.time(times.value(row)));
            }
            Argument::Rows(times, rules, values) => {
                for place in each().filter(|row| times.is_valid(*row)) {
                    correlates::row(times.value(place), place, rules, values).into_iter().for_each(|row| part.row(row));
                }
            }
            Argument::Steps(times, steps) => {
                for row in each().filter(|row| times.is_valid(*row)) {
                    let own = steps.iter().enumerate().filter(|(_, step)| is_true(step, row));
                    own.for_each(|(step, _)| part.step(step, times.value(row)));
                }
            }
        }
    }
}

enum ScalarBytes<'a> {
    None,
    Some(&'a [u8]),
}

/// The values that sort keys were made from.
fn values_of<'a>(item: &DataType, keys: impl Iterator<Item = ScalarBytes<'a>>) -> Result<ArrayRef> {
    let converter = RowConverter::new(fields(std::slice::from_ref(item)))?;
    let none = ScalarValue::try_from(item)?.to_array_of_size(1)?;
    let none = converter.convert_columns(&[none])?;
    let parser = converter.parser();
    let rows = keys.map(|key| match key {
        ScalarBytes::None => none.row(0),
        ScalarBytes::Some(key) => parser.parse(key),
    });
    Ok(converter.convert_rows(rows)?.remove(0))
}
