//! A condition on one text column → its verdict on each value, found once and remembered for the batches to come.

use std::hash::BuildHasher;
use std::sync::{LazyLock, PoisonError, RwLock};

use arrow::array::{Array, BooleanArray, StringViewArray};
use datafusion::common::Result;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

/// One for all conditions, so that a value's hash is made once for all that ask it.
static HASHER: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);

fn hash(value: &str) -> u64 {
    HASHER.hash_one(value)
}

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

/// Which rows of a text column have the same value.
pub struct Alike {
    /// Of each row; [`Alike::NULL`] where it has no value.
    codes: Vec<u32>,
    /// The first row of each code.
    firsts: Vec<u32>,
    /// Of each code's value.
    hashes: Vec<u64>,
    has_null: bool,
}

impl Alike {
    const NULL: u32 = u32::MAX;
    /// With so many rows to each value, all values are asked.
    const FEW: usize = 4;

    /// `None` when more than one in four rows has a value of its own: the column does not repeat.
    pub fn of(column: &StringViewArray) -> Option<Alike> {
        let (mut known, mut firsts, mut hashes) = (HashTable::<u32>::new(), Vec::new(), Vec::new());
        let most = Verdicts::NEW_MAX + column.len() / 4;
        let mut codes = Vec::with_capacity(column.len());
        for (row, value) in column.iter().enumerate() {
            let Some(value) = value else {
                codes.push(Alike::NULL);
                continue;
            };
            let hash = hash(value);
            let code = known.find(hash, |code| column.value(firsts[*code as usize] as usize) == value).copied();
            codes.push(code.unwrap_or_else(|| {
                let code = firsts.len() as u32;
                firsts.push(row as u32);
                hashes.push(hash);
                known.insert_unique(hash, code, |code| hashes[*code as usize]);
                code
            }));
            if firsts.len() > most {
                return None;
            }
        }
        let has_null = column.null_count() > 0;
        Some(Alike { codes, firsts, hashes, has_null })
    }
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

impl Verdicts {
    /// The same of a column whose values were told apart: each is looked up once.
    pub fn keep_alike(
        &self,
        column: &StringViewArray,
        alike: &Alike,
        rows: &mut Vec<u32>,
        decide: impl FnOnce(StringViewArray) -> Result<BooleanArray>,
    ) -> bool {
        // by code, and one more for no value
        let distinct = alike.firsts.len();
        let mut verdicts: Vec<Option<bool>> = vec![None; distinct + 1];
        let place = |row: u32| (alike.codes[row as usize] as usize).min(distinct);
        let value = |place: usize| alike.firsts.get(place).map(|row| column.value(*row as usize));
        let mut new = Vec::new();
        {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let mut ask = |place: usize| {
                let verdict = value(place).map_or(known.null, |text| known.verdict(text, alike.hashes[place]));
                verdicts[place] = verdict;
                new.extend(verdict.is_none().then_some(place));
            };
            if distinct * Alike::FEW <= rows.len() {
                // to find out which of so few values these rows have would cost more
                (0..distinct + usize::from(alike.has_null)).for_each(ask);
            } else {
                let mut asked = vec![false; distinct + 1];
                for place in rows.iter().map(|row| place(*row)) {
                    if !std::mem::replace(&mut asked[place], true) {
                        ask(place);
                    }
                }
            }
        }
        if !new.is_empty() {
            let Ok(truth) = decide(new.iter().map(|place| value(*place)).collect()) else { return false };
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            for (index, place) in new.into_iter().enumerate() {
                let verdict = is_true(&truth, index);
                verdicts[place] = Some(verdict);
                known.learn(value(place), verdict);
            }
        }
        if verdicts.contains(&Some(true)) {
            rows.retain(|row| verdicts[place(*row)] == Some(true));
        } else {
            rows.clear();
        }
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
            self.values.insert_unique(hash, (value.into(), verdict), |(known, _)| self::hash(known));
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
    fn values_told_apart_are_each_looked_up_once_and_say_the_same() {
        let column: StringViewArray = [Some("a"), Some("b"), None, Some("a"), None, Some("")].into_iter().collect();
        let alike = Alike::of(&column).unwrap();
        let verdicts = Verdicts::default();
        let asked = Cell::new(0);
        let kept = |rows: &[u32]| {
            let mut rows = rows.to_vec();
            asked.set(0);
            let done = verdicts.keep_alike(&column, &alike, &mut rows, |new| {
                asked.set(new.len());
                Ok(begins_with_a(&new))
            });
            assert!(done);
            (rows, asked.get())
        };
        assert_eq!(kept(&[1, 3]), (vec![3], 2));
        assert_eq!(kept(&[0, 1, 2, 3, 4, 5]), (vec![0, 2, 3, 4], 2));
        assert_eq!(kept(&[5, 4]), (vec![4], 0));
        let failed = |_: StringViewArray| Err(DataFusionError::Plan("no".into()));
        assert!(!Verdicts::default().keep_alike(&column, &alike, &mut vec![0], failed));
        // of many rows each value is asked, whether they have it or not
        let verdicts = Verdicts::default();
        let mut rows: Vec<u32> = [1, 3].repeat(8);
        let decide = |new: StringViewArray| {
            assert_eq!(new.len(), 4);
            Ok(begins_with_a(&new))
        };
        assert!(verdicts.keep_alike(&column, &alike, &mut rows, decide));
        assert_eq!(rows, [3; 8]);
        let mut rows = vec![1; 16];
        assert!(verdicts.keep_alike(&column, &alike, &mut rows, |_| unreachable!("all are known")));
        assert_eq!(rows, [0; 0]);
        let differ: StringViewArray = (0..100).map(|n| Some(n.to_string())).collect();
        assert!(Alike::of(&differ).is_none());
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
