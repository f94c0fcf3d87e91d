//! A condition on one text column → its verdict on each value, found once and remembered for the batches to come.

use std::sync::{PoisonError, RwLock};

use arrow::array::{Array, BooleanArray, StringViewArray};
use datafusion::common::Result;

use hashbrown::{HashMap, HashTable};

use super::alike::hash;

/// What one condition says of the values it has met. Columns of logs repeat: thousands of rows have a dozen user agents,
/// and to look a value up costs a fiftieth of a regular expression.
#[derive(Default)]
pub struct Verdicts(RwLock<Known>);

#[derive(Default)]
struct Known {
    values: HashTable<(Box<str>, bool)>,
    null: Option<bool>,
    bytes: usize,
}

/// A row's verdict, or the place of its value among those that are new.
#[derive(Clone, Copy)]
enum Verdict {
    Known(bool),
    New(usize),
}

impl Verdicts {
    /// Bytes of values remembered at most, for one condition; beyond them it forgets all and starts again.
    pub const BYTES_MAX: usize = 256 << 10;
    /// Longer values are decided anew in each batch.
    pub const VALUE_BYTES_MAX: usize = 1024;
    /// Beyond this many new values, and a quarter of the rows, the column does not repeat.
    const NEW_MAX: usize = 32;

    /// Keeps the rows for which the condition is true; `decide` says so for values that are new. Gives false, and leaves
    /// the rows alone, when asking row by row is better: the column does not repeat, or a value cannot be decided.
    pub fn keep(
        &self,
        column: &StringViewArray,
        rows: &mut Vec<u32>,
        decide: impl FnOnce(StringViewArray) -> Result<BooleanArray>,
    ) -> bool {
        let mut new: HashMap<Option<&str>, usize> = HashMap::new();
        let mut verdicts = Vec::with_capacity(rows.len());
        {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            // the texts lie far apart: in a loop of their own, several are fetched at a time
            let values: Vec<Option<(&str, u64)>> = rows
                .iter()
                .map(|row| {
                    let value = column.is_valid(*row as usize).then(|| column.value(*row as usize))?;
                    Some((value, hash(value)))
                })
                .collect();
            for (seen, value) in values.into_iter().enumerate() {
                let verdict = value.map_or(known.null, |(value, hash)| known.verdict(value, hash));
                let value = value.map(|(value, _)| value);
                verdicts.push(match verdict {
                    Some(verdict) => Verdict::Known(verdict),
                    None => {
                        let next = new.len();
                        Verdict::New(*new.entry(value).or_insert(next))
                    }
                });
                if new.len() > Verdicts::NEW_MAX + seen / 4 {
                    return false;
                }
            }
        }
        let mut decided = Vec::new();
        if !new.is_empty() {
            let mut values = vec![None; new.len()];
            new.iter().for_each(|(value, place)| values[*place] = *value);
            let Ok(truth) = decide(values.iter().copied().collect()) else { return false };
            decided = (0..values.len()).map(|place| is_true(&truth, place)).collect();
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            values.into_iter().zip(&decided).for_each(|(value, verdict)| known.learn(value, *verdict));
        }
        let mut verdicts = verdicts.into_iter();
        rows.retain(|_| match verdicts.next().expect("there is one for each row") {
            Verdict::Known(verdict) => verdict,
            Verdict::New(place) => decided[place],
        });
        true
    }
}

impl Known {
    fn verdict(&self, value: &str, hash: u64) -> Option<bool> {
        self.values.find(hash, |(known, _)| **known == *value).map(|(_, verdict)| *verdict)
    }

    fn learn(&mut self, value: Option<&str>, verdict: bool) {
        let Some(value) = value else {
            self.null = Some(verdict);
            return;
        };
        // what the map itself keeps for a value
        let bytes = value.len() + 32;
        if value.len() > Verdicts::VALUE_BYTES_MAX {
            return;
        }
        if self.bytes + bytes > Verdicts::BYTES_MAX {
            (self.values, self.bytes) = (HashTable::new(), 0);
        }
        let hash = hash(value);
        // another thread may have learned it meanwhile
        if self.verdict(value, hash).is_none() {
            self.values.insert_unique(hash, (value.into(), verdict), |(known, _)| super::alike::hash(known));
            self.bytes += bytes;
        }
    }
}

/// SQL's TRUE: neither false nor null.
pub fn is_true(truth: &BooleanArray, index: usize) -> bool {
    truth.is_valid(index) && truth.value(index)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use datafusion::error::DataFusionError;

    use super::*;

    /// Rows kept by `value starts with a, or is null`, and how many values were decided; `None` when rows are left alone.
    fn kept(verdicts: &Verdicts, values: &[Option<&str>]) -> (Option<Vec<u32>>, usize) {
        let column: StringViewArray = values.iter().copied().collect();
        let mut rows: Vec<u32> = (0..values.len() as u32).collect();
        let asked = Cell::new(0);
        let done = verdicts.keep(&column, &mut rows, |new| {
            asked.set(new.len());
            Ok(begins_with_a(&new))
        });
        (done.then_some(rows), asked.get())
    }

    fn begins_with_a(values: &StringViewArray) -> BooleanArray {
        values.iter().map(|value| Some(value.is_none_or(|value| value.starts_with('a')))).collect()
    }

    #[test]
    fn a_value_is_decided_once() {
        let verdicts = Verdicts::default();
        let values = [Some("a"), Some("b"), None, Some("a"), None, Some("")];
        assert_eq!(kept(&verdicts, &values), (Some(vec![0, 2, 3, 4]), 4));
        assert_eq!(kept(&verdicts, &values), (Some(vec![0, 2, 3, 4]), 0));
        assert_eq!(kept(&verdicts, &[Some("c"), Some("a"), Some("ab")]), (Some(vec![1, 2]), 2));
    }

    #[test]
    fn what_does_not_repeat_is_left_to_the_caller_and_not_remembered() {
        let verdicts = Verdicts::default();
        let values: Vec<String> = (0..100).map(|n| format!("a{n}")).collect();
        let values: Vec<Option<&str>> = values.iter().map(|value| Some(value.as_str())).collect();
        assert_eq!(kept(&verdicts, &values), (None, 0));
        assert_eq!(verdicts.0.read().unwrap().bytes, 0);
    }

    #[test]
    fn an_error_is_left_to_the_caller() {
        let column: StringViewArray = [Some("a")].into_iter().collect();
        let mut rows = vec![0];
        let failed = |_| Err(DataFusionError::Plan("no".into()));
        assert!(!Verdicts::default().keep(&column, &mut rows, failed));
        assert_eq!(rows, [0]);
    }

    #[test]
    fn memory_is_bounded_and_answers_stay_right() {
        let verdicts = Verdicts::default();
        for round in 0..3 * Verdicts::BYTES_MAX / (20 * (500 + 32)) {
            let long = "x".repeat(Verdicts::VALUE_BYTES_MAX);
            let values: Vec<String> = (0..20)
                .map(|n| format!("{}{round:05}{n:03}{}", if n % 2 == 0 { 'a' } else { 'b' }, &long[..492]))
                .collect();
            let mut values: Vec<Option<&str>> = values.iter().map(|value| Some(value.as_str())).collect();
            let too_long = format!("a{long}");
            values.push(Some(&too_long));
            assert_eq!(kept(&verdicts, &values), (Some((0..=20).step_by(2).collect()), 21));
            assert!(verdicts.0.read().unwrap().bytes <= Verdicts::BYTES_MAX);
        }
    }
}
