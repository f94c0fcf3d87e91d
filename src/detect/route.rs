//! A batch → for each gated rule, the rows that may match it, by one look at each row for all rules together.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, StringArray};
use arrow::datatypes::Int32Type;
use datafusion::common::Result;
use hashbrown::HashMap;

use super::compile::{CompiledRule, Condition};
use super::verdicts::is_true;

/// Which rules each value of each symbol column leaves possible. A value's conditions are decided by DataFusion when the
/// value is first seen, and never again; a row then costs one `and` for each of its columns and 64 rules.
pub struct Router {
    rules: usize,
    /// Bits of the rules that have a gate.
    gated: Vec<u64>,
    /// Those that most rules are gated by stand first: they leave nothing of most rows.
    columns: Vec<Column>,
}

struct Column {
    leaf: usize,
    /// Conditions on this column, each with the rules that it is necessary for.
    gates: Vec<(usize, Vec<usize>)>,
    known: RwLock<Known>,
}

/// A bit for each rule, set while the value leaves the rule possible.
type Mask = Box<[u64]>;

#[derive(Default)]
struct Known {
    values: HashMap<Box<str>, Mask>,
    null: Option<Mask>,
    bytes: usize,
    /// Conditions that failed on some value. They gate nothing for it, and must be asked of the rows that are left.
    unsure: BTreeSet<usize>,
}

/// What comes of routing.
pub struct Routes {
    /// By rule, rows in rising order; `None` for a rule without a gate.
    pub rows: Vec<Option<Vec<u32>>>,
    /// Conditions of gates that may let rows through for which they do not hold.
    pub unsure: BTreeSet<usize>,
}

/// A column of one batch: a code for each row, and the masks of the codes one after the other.
struct Coded<'a> {
    codes: Cow<'a, [i32]>,
    masks: Vec<u64>,
}

impl Router {
    pub fn new(rules: &[CompiledRule], conditions: &[Condition]) -> Router {
        let words = rules.len().div_ceil(64);
        let mut gated = vec![0; words];
        let mut columns: BTreeMap<usize, BTreeMap<usize, Vec<usize>>> = BTreeMap::new();
        for (place, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.gated) {
            gated[place / 64] |= 1 << (place % 64);
            for condition in &rule.gate {
                let leaf = conditions[*condition].program.reads[0];
                columns.entry(leaf).or_default().entry(*condition).or_default().push(place);
            }
        }
        let column = |(leaf, gates): (usize, BTreeMap<usize, Vec<usize>>)| Column {
            leaf,
            gates: gates.into_iter().collect(),
            known: RwLock::default(),
        };
        let mut columns: Vec<Column> = columns.into_iter().map(column).collect();
        columns.sort_by_key(|column| std::cmp::Reverse(column.gates.len()));
        Router { rules: rules.len(), gated, columns }
    }

    /// `arrays` are the leaves of a batch of `rows` rows.
    pub fn route(&self, conditions: &[Condition], arrays: &[ArrayRef], rows: usize) -> Routes {
        let words = self.gated.len();
        let mut unsure = BTreeSet::new();
        let columns: Vec<Coded> = self
            .columns
            .iter()
            .filter_map(|column| column.code(arrays[column.leaf].as_dictionary(), conditions, self.rules, &mut unsure))
            .collect();
        let mut found: Vec<Option<Vec<u32>>> =
            (0..self.rules).map(|rule| (self.gated[rule / 64] >> (rule % 64) & 1 == 1).then(Vec::new)).collect();
        let Some((first, others)) = columns.split_first() else {
            found.iter_mut().flatten().for_each(|all| all.extend(0..rows as u32));
            return Routes { rows: found, unsure };
        };
        // of very many rules a value of the first column leaves few possible: only their words are looked at
        let live: Vec<Vec<usize>> = first
            .masks
            .chunks_exact(words)
            .map(|mask| (0..words).filter(|word| mask[*word] & self.gated[*word] != 0).collect())
            .collect();
        let narrowed: Vec<Vec<bool>> = others.iter().map(|column| column.narrowed(words)).collect();
        let narrowing =
            |word: usize| others.iter().zip(&narrowed).filter(move |(_, is)| is[word]).map(|(other, _)| other);
        let narrowing: Vec<Vec<&Coded>> = (0..words).map(|word| narrowing(word).collect()).collect();
        for row in 0..rows {
            let code = first.codes[row] as usize;
            for word in &live[code] {
                let mut possible = self.gated[*word] & first.masks[code * words + word];
                for column in &narrowing[*word] {
                    possible &= column.masks[column.codes[row] as usize * words + word];
                    if possible == 0 {
                        break;
                    }
                }
                while possible != 0 {
                    let rule = word * 64 + possible.trailing_zeros() as usize;
                    possible &= possible - 1;
                    found[rule].as_mut().expect("only gated rules have a bit").push(row as u32);
                }
            }
        }
        Routes { rows: found, unsure }
    }
}

impl Column {
    /// Bytes of values remembered at most; beyond them the column forgets all and starts again. Of very many rules, whose masks are
    /// large, room for so many values.
    const BYTES_MAX: usize = 1 << 20;
    const VALUES_MIN: usize = 4096;

    /// `None` when the column leaves all rules possible for all rows.
    fn code<'a>(
        &self,
        column: &'a DictionaryArray<Int32Type>,
        conditions: &[Condition],
        rules: usize,
        unsure: &mut BTreeSet<usize>,
    ) -> Option<Coded<'a>> {
        let values = column.values().as_string::<i32>();
        let words = rules.div_ceil(64);
        let mut masks = vec![u64::MAX; (values.len() + 1) * words];
        let mut new = Vec::new();
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            for (code, into) in masks.chunks_exact_mut(words).enumerate() {
                let value = value(values, code);
                match value.map_or(known.null.as_ref(), |value| known.values.get(value)) {
                    Some(mask) => into.copy_from_slice(mask),
                    None => new.push(code),
                }
            }
            unsure.extend(&known.unsure);
        }
        if !new.is_empty() {
            let (learned, failed) = self.decide(values, &new, conditions, words);
            unsure.extend(&failed);
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.unsure.extend(failed);
            for (code, mask) in new.into_iter().zip(learned) {
                masks[code * words..][..words].copy_from_slice(&mask);
                known.learn(value(values, code), mask);
            }
        }
        if masks.iter().all(|mask| *mask == u64::MAX) {
            return None;
        }
        let codes = match column.nulls() {
            None => Cow::Borrowed(&column.keys().values()[..]),
            Some(_) => column.keys().iter().map(|key| key.unwrap_or(values.len() as i32)).collect(),
        };
        Some(Coded { codes, masks })
    }

    /// Masks of new values, and the conditions that failed on one; a code past the last means null.
    fn decide(
        &self,
        values: &StringArray,
        new: &[usize],
        conditions: &[Condition],
        words: usize,
    ) -> (Vec<Mask>, Vec<usize>) {
        let ask = |condition: &Condition, codes: &[usize]| -> Result<Vec<bool>> {
            let keys: Int32Array = codes.iter().map(|code| (*code < values.len()).then_some(*code as i32)).collect();
            let distinct: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(values.clone()))?);
            let truth = condition.program.run_on(vec![distinct], codes.len())?;
            let truth = truth[0].as_boolean();
            Ok((0..codes.len()).map(|code| is_true(truth, code)).collect())
        };
        let mut masks = vec![vec![u64::MAX; words].into_boxed_slice(); new.len()];
        let mut failed = Vec::new();
        for (condition, rules) in &self.gates {
            let holds = ask(&conditions[*condition], new).unwrap_or_else(|_| {
                failed.push(*condition);
                // one value that cannot be decided shall not open the gate for all
                new.iter().map(|code| ask(&conditions[*condition], &[*code]).map_or(true, |holds| holds[0])).collect()
            });
            for (mask, _) in masks.iter_mut().zip(holds).filter(|(_, holds)| !holds) {
                rules.iter().for_each(|rule| mask[rule / 64] &= !(1 << (rule % 64)));
            }
        }
        (masks, failed)
    }
}

/// The value of a code; the code past the last means null.
fn value(values: &StringArray, code: usize) -> Option<&str> {
    (code < values.len() && values.is_valid(code)).then(|| values.value(code))
}

impl Known {
    fn learn(&mut self, value: Option<&str>, mask: Mask) {
        let Some(value) = value else {
            self.null = Some(mask);
            return;
        };
        // what the map itself keeps for a value
        let entry = mask.len() * 8 + 48;
        let (bytes, bytes_max) = (value.len() + entry, Column::BYTES_MAX.max(Column::VALUES_MIN * entry));
        if bytes > bytes_max / 16 {
            return;
        }
        if self.bytes + bytes > bytes_max {
            (self.values, self.bytes) = (HashMap::new(), 0);
        }
        if self.values.insert(value.into(), mask).is_none() {
            self.bytes += bytes;
        }
    }
}

impl Coded<'_> {
    /// For each word of the masks, whether some value leaves less than all of it possible.
    fn narrowed(&self, words: usize) -> Vec<bool> {
        let mut all = vec![u64::MAX; words];
        for mask in self.masks.chunks_exact(words) {
            all.iter_mut().zip(mask).for_each(|(all, mask)| *all &= mask);
        }
        all.into_iter().map(|all| all != u64::MAX).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::detect::tests::{batch, changed, detector, event, rule};
    use crate::rule::Rule;
    use crate::time::Timestamp;

    #[test]
    fn each_of_very_many_rules_gets_its_rows() {
        let region = |n: usize| ["us-east-1", "eu-west-1", "sa-east-1"][n % 3];
        // every tenth asks for no name
        let name = |n: usize| (!n.is_multiple_of(10)).then_some(n % 41);
        let made = (0..500).map(|n| {
            let name = name(n).map_or_else(String::new, |name| format!(" AND eventName = 'N{name}'"));
            let sql = format!("SELECT eventID FROM cloudtrail WHERE awsRegion = '{}'{name}", region(n));
            Rule { id: format!("cloudtrail/r{n}"), ..rule("", &sql) }
        });
        let mut many = detector(made);
        let call =
            |n: usize| changed(event(&format!("N{}", n % 50), &format!("e{n}")), json!({ "awsRegion": region(n / 7) }));
        let calls: Vec<Value> = (0..400).map(call).collect();
        many.observe(&[batch(&calls[..150]), batch(&calls[150..])], Timestamp(0));
        let is_of =
            |n: usize, call: usize| region(n) == region(call / 7) && name(n).is_none_or(|name| name == call % 50);
        for n in 0..500 {
            let expected = (0..400).filter(|call| is_of(n, *call)).count() as u64;
            assert_eq!(many.costs()[&format!("cloudtrail/r{n}")].hits, expected, "rule {n}");
        }
    }
}
