//! Rows of a frame that slides → what `sample`, `in_order`, `regularity` and `approx_percentile` say of it, in `weir sql`: rows come in behind and leave in front.

use std::collections::{BTreeMap, VecDeque};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::Accumulator;

use super::percentile::numbers;
use super::spans::{sample_list, times};
use crate::detect::verdicts::is_true;
use crate::detect::window::chain::Chain;
use crate::detect::window::part::SAMPLE_MAX;
use crate::detect::window::spread::Spread;
use crate::detect::window::times::Times;

/// `sample` over frames: how often each value is there.
#[derive(Debug)]
pub struct SlidingSample {
    item: DataType,
    values: BTreeMap<Box<[u8]>, u64>,
}

impl SlidingSample {
    /// Of values of a type that is no dictionary.
    pub fn new(item: DataType) -> SlidingSample {
        SlidingSample { item, values: BTreeMap::new() }
    }

    fn keys(&self, values: &ArrayRef) -> Result<Vec<Box<[u8]>>> {
        let values = cast(values, &self.item)?;
        let converter = RowConverter::new(vec![SortField::new(self.item.clone())])?;
        let keys = converter.convert_columns(std::slice::from_ref(&values))?;
        Ok((0..values.len()).filter(|row| values.is_valid(*row)).map(|row| keys.row(row).data().into()).collect())
    }
}

impl Accumulator for SlidingSample {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.keys(&values[0])?.into_iter().for_each(|key| *self.values.entry(key).or_default() += 1);
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for key in self.keys(&values[0])? {
            if let Some(count) = self.values.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    self.values.remove(&key);
                }
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let values: Vec<Box<[u8]>> = self.values.keys().take(SAMPLE_MAX).cloned().collect();
        Ok(ScalarValue::List(std::sync::Arc::new(sample_list(&self.item, [values.as_slice()])?)))
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        exec_err!("frames are not merged")
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.keys().map(|value| value.len() + 40).sum::<usize>()
    }
}

/// `in_order` over frames: the time of each row, and of which steps it is one.
#[derive(Debug)]
pub struct SlidingInOrder {
    steps: usize,
    rows: VecDeque<(Option<i64>, Vec<usize>)>,
}

impl SlidingInOrder {
    /// Of that many steps.
    pub fn new(steps: usize) -> SlidingInOrder {
        SlidingInOrder { steps, rows: VecDeque::new() }
    }
}

impl Accumulator for SlidingInOrder {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let conditions: Vec<_> = values[1..].iter().map(|condition| condition.as_boolean()).collect();
        for (row, time) in times(&values[0])?.iter().enumerate() {
            let steps = (0..self.steps).filter(|step| is_true(conditions[*step], row));
            self.rows.push_back((time, steps.collect()));
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.rows.drain(..values[0].len().min(self.rows.len()));
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut chain = Chain::new(self.steps);
        for (time, steps) in &self.rows {
            time.iter().for_each(|time| steps.iter().for_each(|step| chain.add(*step, *time)));
        }
        Ok(ScalarValue::Boolean(Some(chain.holds())))
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        exec_err!("frames are not merged")
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.rows.len() * 48
    }
}

/// `regularity` over frames: how many rows each time has.
#[derive(Debug, Default)]
pub struct SlidingRegularity(BTreeMap<i64, u64>);

impl Accumulator for SlidingRegularity {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        times(&values[0])?.iter().flatten().for_each(|time| *self.0.entry(time).or_default() += 1);
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for time in times(&values[0])?.iter().flatten() {
            if let Some(rows) = self.0.get_mut(&time) {
                *rows -= 1;
                if *rows == 0 {
                    self.0.remove(&time);
                }
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut all = Times::default();
        self.0.keys().for_each(|time| all.add(*time));
        Ok(ScalarValue::Float64(all.regularity()))
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        exec_err!("frames are not merged")
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.len() * 24
    }
}

/// `approx_percentile` over frames: how many rows each number has, by its bits.
#[derive(Debug)]
pub struct SlidingPercentile {
    share: f64,
    counts: BTreeMap<u64, u64>,
}

impl SlidingPercentile {
    /// Of that share of the rows.
    pub fn new(share: f64) -> SlidingPercentile {
        SlidingPercentile { share, counts: BTreeMap::new() }
    }
}

impl Accumulator for SlidingPercentile {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let numbers = numbers(&values[0])?;
        numbers.iter().flatten().for_each(|number| *self.counts.entry(number.to_bits()).or_default() += 1);
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for number in numbers(&values[0])?.iter().flatten() {
            if let Some(rows) = self.counts.get_mut(&number.to_bits()) {
                *rows -= 1;
                if *rows == 0 {
                    self.counts.remove(&number.to_bits());
                }
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut all = Spread::default();
        self.counts.iter().for_each(|(bits, rows)| all.add_times(f64::from_bits(*bits), *rows));
        Ok(ScalarValue::Float64(all.percentile(self.share)))
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        exec_err!("frames are not merged")
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.counts.len() * 24
    }
}
