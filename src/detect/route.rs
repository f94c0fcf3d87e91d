//! A batch → for each gated rule, the rows that may match it, by one look at each row for all rules together.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, StringViewArray};
use arrow::datatypes::Int32Type;
use datafusion::common::Result;
use hashbrown::HashTable;

use super::alike::{Alike, hash};
use super::compile::{CompiledRule, Condition};
use super::program::Arrays;
use super::tuples::Tuples;
use super::verdicts::is_true;
use super::window::columns::refine;

/// Which rules each value of each column leaves possible. A value's conditions are decided by DataFusion when the
/// value is first seen, and never again; a row then costs one `and` for each of its columns and 64 rules.
///
/// Columns tell where their values repeat in a batch; those of text only where their conditions would be asked of many rows without.
pub struct Router {
    /// The rule of each bit. Rules that ask the same of the first column lie side by side, so that its values leave few words.
    order: Vec<usize>,
    words: usize,
    /// Bits of the rules that have a gate of symbols.
    gated: Mask,
    /// What most rules ask stands first: it leaves nothing of most rows.
    symbols: Vec<Column>,
    texts: Vec<Column>,
}

struct Column {
    leaf: usize,
    /// Conditions on this column, each with the bits of the rules that it is necessary for.
    gates: Vec<(usize, Vec<usize>)>,
    /// Bits of all of these rules.
    asking: Mask,
    known: RwLock<Known>,
}

/// A bit for each rule, set while the value leaves the rule possible.
type Mask = Arc<[u64]>;

#[derive(Default)]
struct Known {
    values: HashTable<(Box<str>, Mask)>,
    null: Option<Mask>,
    bytes: usize,
    /// Conditions that failed on some value. They gate nothing for it, and must be asked of the rows that are left.
    unsure: BTreeSet<usize>,
}

/// The rules that may match, each with its rows.
pub type Candidates = Vec<(usize, Option<Vec<u32>>)>;

/// What comes of routing.
pub struct Routes {
    /// The rules that may match, in their order, each with its rows in rising order; with `None` where nothing routes the rule.
    pub rows: Candidates,
    /// Conditions of gates that may let rows through for which they do not hold.
    pub unsure: BTreeSet<usize>,
    /// Columns of text whose conditions have been decided,
    pub texts: BTreeSet<usize>,
    /// and those of symbols whose have not been.
    pub wide: BTreeSet<usize>,
}

/// A column of one batch: a code for each row, and a mask for each code.
struct Coded<'a> {
    leaf: usize,
    codes: Cow<'a, [u32]>,
    masks: Vec<Mask>,
    /// Bits of the rules that ask it.
    asking: Cow<'a, [u64]>,
}

/// Columns of so many values are put together, where one in so many rows at most differs from all others.
const FEW: usize = 64;

impl Router {
    pub fn new(rules: &[CompiledRule], conditions: &[Condition]) -> Router {
        let words = rules.len().div_ceil(64);
        // by leaf and condition, the rules
        let mut symbols: BTreeMap<usize, BTreeMap<usize, Vec<usize>>> = BTreeMap::new();
        let mut texts = symbols.clone();
        for (place, rule) in rules.iter().enumerate() {
            let add = |to: &mut BTreeMap<usize, BTreeMap<usize, Vec<usize>>>, condition: usize| {
                let leaf = conditions[condition].program.reads[0];
                to.entry(leaf).or_default().entry(condition).or_default().push(place);
            };
            rule.gate.iter().for_each(|condition| add(&mut symbols, *condition));
            let on_text = rule.rest.iter().filter(|condition| conditions[**condition].verdicts.is_some());
            on_text.for_each(|condition| add(&mut texts, *condition));
        }
        let by_use = |columns: BTreeMap<usize, BTreeMap<usize, Vec<usize>>>| {
            let mut columns: Vec<_> = columns.into_iter().collect();
            let asking = |gates: &BTreeMap<usize, Vec<usize>>| gates.values().flatten().collect::<BTreeSet<_>>().len();
            columns.sort_by_cached_key(|(_, gates)| std::cmp::Reverse(asking(gates)));
            columns
        };
        let (symbols, texts) = (by_use(symbols), by_use(texts));
        let mut asks: Vec<(Vec<usize>, usize)> = (0..rules.len()).map(|place| (Vec::new(), place)).collect();
        for (condition, places) in symbols.iter().take(1).flat_map(|(_, gates)| gates) {
            places.iter().for_each(|place| asks[*place].0.push(*condition));
        }
        asks.sort();
        let order: Vec<usize> = asks.into_iter().map(|(_, place)| place).collect();
        let mut bits = vec![0; rules.len()];
        order.iter().enumerate().for_each(|(bit, place)| bits[*place] = bit);
        let mask = |places: &mut dyn Iterator<Item = usize>| {
            let mut mask = vec![0; words];
            places.for_each(|place| mask[bits[place] / 64] |= 1 << (bits[place] % 64));
            Mask::from(mask)
        };
        let column = |(leaf, gates): (usize, BTreeMap<usize, Vec<usize>>)| Column {
            leaf,
            asking: mask(&mut gates.values().flatten().copied()),
            gates: gates
                .into_iter()
                .map(|(condition, places)| (condition, places.into_iter().map(|place| bits[place]).collect()))
                .collect(),
            known: RwLock::default(),
        };
        Router {
            gated: mask(&mut (0..rules.len()).filter(|place| rules[*place].gated)),
            symbols: symbols.into_iter().map(column).collect(),
            texts: texts.into_iter().map(column).collect(),
            order,
            words,
        }
    }

    /// `arrays` are the leaves of a batch.
    pub fn route(&self, conditions: &[Condition], arrays: &Arrays, tuples: &Tuples) -> Routes {
        let rows = arrays.rows();
        let (mut unsure, mut wide, mut columns) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for column in &self.symbols {
            let symbols = arrays[column.leaf].as_dictionary();
            if Alike::differ(symbols.values().len(), rows) {
                wide.insert(column.leaf);
            } else {
                columns.extend(column.of_symbols(symbols, conditions, self.words, &mut unsure));
            }
        }
        self.put_together(&mut columns, arrays, tuples);
        let counts = columns.first().map(Coded::counts);
        let (mut texts, mut routed) = (BTreeSet::new(), self.gated.to_vec());
        for column in &self.texts {
            if self.asked(column, columns.first().zip(counts.as_deref()), rows) * ASKED_PART < rows {
                continue;
            }
            let Some(coded) = column.of_texts(arrays, conditions, self.words, &mut unsure) else { continue };
            columns.push(coded);
            texts.insert(column.leaf);
            routed.iter_mut().zip(&*column.asking).for_each(|(routed, asking)| *routed |= asking);
        }
        let by_bit = self.pass(&columns, &routed, rows);
        Routes { rows: self.by_rule(by_bit, &routed), unsure, texts, wide }
    }

    /// Makes one of all columns but the first whose values are few: a row then costs two `and`s where it did one for each column.
    fn put_together(&self, columns: &mut Vec<Coded>, arrays: &Arrays, tuples: &Tuples) {
        let is_few = |coded: &Coded| coded.masks.len() <= FEW;
        let mut leaves: Vec<usize> =
            columns.iter().skip(1).filter(|coded| is_few(coded)).map(|coded| coded.leaf).collect();
        leaves.sort_unstable();
        if leaves.len() < 2 {
            return;
        }
        let Some(tuple) = tuples.of(&leaves, arrays).filter(|tuple| tuple.firsts.len() * FEW <= arrays.rows()) else {
            return;
        };
        let first = columns.remove(0);
        let together: Vec<Coded> = columns.extract_if(.., |coded| is_few(coded)).collect();
        let mask = |row: &u32| {
            let mut mask = vec![u64::MAX; self.words];
            for coded in &together {
                let of_column = &coded.masks[coded.codes[*row as usize] as usize];
                mask.iter_mut().zip(&**of_column).for_each(|(all, one)| *all &= one);
            }
            Mask::from(mask)
        };
        let masks = tuple.firsts.iter().map(mask).collect();
        let asking =
            (0..self.words).map(|word| together.iter().fold(0, |all, coded| all | coded.asking[word])).collect();
        let codes = tuple.of_row.clone();
        // the first column is never among those that are put together
        let leaf = together[0].leaf;
        columns.insert(0, Coded { leaf, codes: Cow::Owned(codes), masks, asking: Cow::Owned(asking) });
        columns.insert(0, first);
    }

    /// Rows that conditions on a column of text would be asked of, each as often as rules ask, as far as the first column of symbols
    /// tells.
    fn asked(&self, column: &Column, first: Option<(&Coded, &[u32])>, rows: usize) -> usize {
        let ones = |word: usize, mask: u64| (column.asking[word] & mask).count_ones() as usize;
        let all = |word: &usize| column.asking[*word] != 0;
        let words: Vec<usize> = (0..self.words).filter(all).collect();
        let open: usize = words.iter().map(|word| ones(*word, !self.gated[*word])).sum();
        let of_value =
            |mask: &Mask| -> usize { words.iter().map(|word| ones(*word, self.gated[*word] & mask[*word])).sum() };
        let gated = match first {
            None => rows * words.iter().map(|word| ones(*word, self.gated[*word])).sum::<usize>(),
            Some((first, counts)) => {
                let counted = first.masks.iter().zip(counts).filter(|(_, count)| **count > 0);
                counted.map(|(mask, count)| of_value(mask) * *count as usize).sum()
            }
        };
        rows * open + gated
    }

    /// Of each bit the rows that may match, in rising order.
    fn pass(&self, columns: &[Coded], routed: &[u64], rows: usize) -> Vec<Vec<u32>> {
        let Some((first, others)) = columns.split_first() else {
            let all = |bit: usize| if is_set(routed, bit) { (0..rows as u32).collect() } else { Vec::new() };
            return (0..self.order.len()).map(all).collect();
        };
        let (possible, others) = Possible::of(first, routed).and_of(others);
        let narrowing = |word: usize| others.iter().filter(move |other| other.asking[word] != 0).collect();
        let narrowing: Vec<Vec<&Coded>> = (0..self.words).map(narrowing).collect();
        let mut by_bit = ByBit::new(self.order.len(), rows);
        let mut found = Vec::new();
        for start in (0..rows).step_by(STRETCH_ROWS) {
            let end = rows.min(start + STRETCH_ROWS);
            for row in start..end {
                for (word, bits) in possible.of_row(row) {
                    let mut possible = *bits;
                    for column in &narrowing[*word as usize] {
                        possible &= column.masks[column.codes[row] as usize][*word as usize];
                        if possible == 0 {
                            break;
                        }
                    }
                    while possible != 0 {
                        found.push((word * 64 + possible.trailing_zeros(), row as u32));
                        possible &= possible - 1;
                    }
                }
            }
            by_bit.take(&mut found, end);
        }
        by_bit.rows
    }

    fn by_rule(&self, mut by_bit: Vec<Vec<u32>>, routed: &[u64]) -> Candidates {
        let mut rules = Candidates::new();
        for (bit, rule) in self.order.iter().enumerate() {
            if !is_set(routed, bit) {
                rules.push((*rule, None));
            } else if !by_bit[bit].is_empty() {
                rules.push((*rule, Some(std::mem::take(&mut by_bit[bit]))));
            }
        }
        rules.sort_unstable_by_key(|(rule, _)| *rule);
        rules
    }
}

/// What one column, or several, leave possible: of very many rules a value leaves few, and only their words are looked at.
struct Possible<'a> {
    /// The code of each row.
    codes: Cow<'a, [u32]>,
    /// Of each code words and their bits, and where those of it end.
    words: Vec<(u32, u64)>,
    ends: Vec<u32>,
}

/// Rows that are alike in one column more are looked at as one where a row has more words than this to look at,
const PAIRED_WORDS: usize = 2;
/// and one in so many rows at most differs from all others.
const PAIRED_PART: usize = 4;

impl<'a> Possible<'a> {
    fn of(first: &'a Coded, routed: &[u64]) -> Possible<'a> {
        let (mut words, mut ends) = (Vec::new(), Vec::with_capacity(first.masks.len()));
        for mask in &first.masks {
            let possible = routed.iter().zip(&**mask).map(|(routed, mask)| routed & mask);
            words.extend((0..).zip(possible).filter(|(_, bits)| *bits != 0));
            ends.push(words.len() as u32);
        }
        Possible { codes: Cow::Borrowed(&first.codes), words, ends }
    }

    /// What columns leave of it that come next, as long as that pays; and those that are left.
    fn and_of<'c>(mut self, mut others: &'c [Coded<'c>]) -> (Possible<'a>, &'c [Coded<'c>]) {
        let rows = self.codes.len();
        while let Some((next, rest)) = others.split_first() {
            let looked_at: usize = self.codes.iter().map(|code| self.of_code(*code).len()).sum();
            if looked_at <= rows * PAIRED_WORDS {
                break;
            }
            let mut parts = self.codes.to_vec();
            let mut firsts = vec![0; self.ends.len()];
            parts.iter().enumerate().rev().for_each(|(row, part)| firsts[*part as usize] = row as u32);
            let firsts = refine(&mut parts, firsts, next.masks.len(), |row| Some(next.codes[row]));
            if firsts.len() * PAIRED_PART > rows {
                break;
            }
            let (mut words, mut ends) = (Vec::new(), Vec::with_capacity(firsts.len()));
            for row in firsts {
                let mask = &next.masks[next.codes[row as usize] as usize];
                let of_next = |(word, bits): &(u32, u64)| (*word, bits & mask[*word as usize]);
                words.extend(self.of_row(row as usize).iter().map(of_next).filter(|(_, bits)| *bits != 0));
                ends.push(words.len() as u32);
            }
            (self, others) = (Possible { codes: Cow::Owned(parts), words, ends }, rest);
        }
        (self, others)
    }

    fn of_code(&self, code: u32) -> &[(u32, u64)] {
        let code = code as usize;
        let start = code.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.words[start as usize..self.ends[code] as usize]
    }

    fn of_row(&self, row: usize) -> &[(u32, u64)] {
        self.of_code(self.codes[row])
    }
}

/// Rows that are looked at before what they may match is put to its bits: that much stays in the cache.
const STRETCH_ROWS: usize = 1024;

/// Of each bit the rows that may match.
struct ByBit {
    rows: Vec<Vec<u32>>,
    /// Of each bit, how many there are in the stretch that is put to them.
    counts: Vec<u32>,
    /// Rows of the batch.
    all: usize,
}

impl ByBit {
    fn new(bits: usize, all: usize) -> ByBit {
        ByBit { rows: vec![Vec::new(); bits], counts: vec![0; bits], all }
    }

    /// Takes bits and rows of a stretch out of `found`; `seen` are the rows up to its end.
    fn take(&mut self, found: &mut Vec<(u32, u32)>, seen: usize) {
        self.counts.fill(0);
        found.iter().for_each(|(bit, _)| self.counts[*bit as usize] += 1);
        for (rows, count) in self.rows.iter_mut().zip(&self.counts) {
            let count = rows.len() + *count as usize;
            if count > rows.capacity() {
                // as many as there will be if the rest is as what was seen, and an eighth: where all is told of many rules, lists that
                // doubled would be most of what a batch takes
                let likely = count * self.all / seen;
                rows.reserve_exact(self.all.min(likely + likely / 8) - rows.len());
            }
        }
        found.drain(..).for_each(|(bit, row)| self.rows[bit as usize].push(row));
    }
}

/// The code of each row; of those without a value, one more than the last.
fn codes_of(column: &DictionaryArray<Int32Type>) -> Cow<'_, [u32]> {
    let keys = column.keys().values().inner().typed_data::<u32>();
    let Some(nulls) = column.nulls() else { return Cow::Borrowed(keys) };
    let (mut codes, none) = (keys.to_vec(), column.values().len() as u32);
    for (codes, valid) in codes.chunks_mut(64).zip(nulls.inner().bit_chunks().iter_padded()) {
        if valid != u64::MAX {
            let is_missing = |place: usize| valid >> place & 1 == 0;
            codes.iter_mut().enumerate().filter(|(place, _)| is_missing(*place)).for_each(|(_, code)| *code = none);
        }
    }
    Cow::Owned(codes)
}

fn is_set(mask: &[u64], bit: usize) -> bool {
    mask[bit / 64] >> (bit % 64) & 1 == 1
}

/// A column of text is looked at where rows would be asked this many times less often than there are rows.
const ASKED_PART: usize = 2;

impl Column {
    /// Bytes of values remembered at most; beyond them the column forgets all and starts again. Of very many rules, whose masks are
    /// large, room for so many values.
    const BYTES_MAX: usize = 1 << 20;
    const VALUES_MIN: usize = 4096;

    /// `None` when the column leaves all rules possible for all rows.
    fn of_symbols<'a>(
        &'a self,
        column: &'a DictionaryArray<Int32Type>,
        conditions: &[Condition],
        words: usize,
        unsure: &mut BTreeSet<usize>,
    ) -> Option<Coded<'a>> {
        let values = column.values().as_string::<i32>();
        let value = |code: usize| (code < values.len() && values.is_valid(code)).then(|| values.value(code));
        let hashes: Vec<u64> = (0..values.len()).map(|code| value(code).map_or(0, hash)).collect();
        let distinct = |codes: &[usize]| -> Result<ArrayRef> {
            let keys: Int32Array = codes.iter().map(|code| (*code < values.len()).then_some(*code as i32)).collect();
            Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(values.clone()))?))
        };
        let masks = self.masks(&hashes, value, distinct, conditions, words, unsure);
        if masks.iter().all(|mask| mask.iter().all(|word| *word == u64::MAX)) {
            return None;
        }
        Some(Coded { leaf: self.leaf, codes: codes_of(column), masks, asking: Cow::Borrowed(&self.asking) })
    }

    /// `None` when its values do not repeat.
    fn of_texts<'a>(
        &'a self,
        arrays: &'a Arrays,
        conditions: &[Condition],
        words: usize,
        unsure: &mut BTreeSet<usize>,
    ) -> Option<Coded<'a>> {
        let Alike { codes, firsts, hashes } = arrays.alike(self.leaf)?;
        let column = arrays[self.leaf].as_string_view();
        let value = |code: usize| firsts.get(code).map(|row| column.value(*row as usize));
        let distinct = |codes: &[usize]| -> Result<ArrayRef> {
            Ok(Arc::new(codes.iter().map(|code| value(*code)).collect::<StringViewArray>()))
        };
        let masks = self.masks(hashes, value, distinct, conditions, words, unsure);
        Some(Coded { leaf: self.leaf, codes: Cow::Borrowed(codes), masks, asking: Cow::Borrowed(&self.asking) })
    }

    /// A mask for the value of each code, and one more for no value. `distinct` makes a column of the values of some codes.
    fn masks<'v>(
        &self,
        hashes: &[u64],
        value: impl Fn(usize) -> Option<&'v str>,
        distinct: impl Fn(&[usize]) -> Result<ArrayRef>,
        conditions: &[Condition],
        words: usize,
        unsure: &mut BTreeSet<usize>,
    ) -> Vec<Mask> {
        let mut new = Vec::new();
        let mut masks: Vec<Option<Mask>> = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            unsure.extend(&known.unsure);
            let mask = |code: usize| {
                let mask = value(code).map_or(known.null.as_ref(), |value| known.mask(value, hashes[code]));
                new.extend(mask.is_none().then_some(code));
                mask.cloned()
            };
            (0..=hashes.len()).map(mask).collect()
        };
        if !new.is_empty() {
            let (learned, failed) = self.decide(&new, distinct, conditions, words);
            unsure.extend(&failed);
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.unsure.extend(failed);
            for (code, mask) in new.into_iter().zip(learned) {
                masks[code] = Some(mask.clone());
                known.learn(value(code).map(|value| (value, hashes[code])), mask);
            }
        }
        masks.into_iter().map(|mask| mask.expect("what was not known was decided")).collect()
    }

    /// Masks of the values of some codes, and the conditions that failed on one.
    fn decide(
        &self,
        new: &[usize],
        distinct: impl Fn(&[usize]) -> Result<ArrayRef>,
        conditions: &[Condition],
        words: usize,
    ) -> (Vec<Mask>, Vec<usize>) {
        let ask = |condition: &Condition, codes: &[usize], values: ArrayRef| -> Result<Vec<bool>> {
            let truth = condition.program.run_on(vec![values], codes.len())?;
            let truth = truth[0].as_boolean();
            Ok((0..codes.len()).map(|code| is_true(truth, code)).collect())
        };
        let values = distinct(new);
        let mut masks = vec![vec![u64::MAX; words]; new.len()];
        let mut failed = Vec::new();
        for (condition, bits) in &self.gates {
            let condition_of = &conditions[*condition];
            let all = values.as_ref().ok().and_then(|values| ask(condition_of, new, values.clone()).ok());
            let holds = all.unwrap_or_else(|| {
                failed.push(*condition);
                // one value that cannot be decided shall not open the gate for all
                let one = |code: usize| ask(condition_of, &[code], distinct(&[code])?);
                new.iter().map(|code| one(*code).map_or(true, |holds| holds[0])).collect()
            });
            for (mask, _) in masks.iter_mut().zip(holds).filter(|(_, holds)| !holds) {
                bits.iter().for_each(|bit| mask[bit / 64] &= !(1 << (bit % 64)));
            }
        }
        (masks.into_iter().map(Mask::from).collect(), failed)
    }
}

impl Known {
    fn mask(&self, value: &str, hash: u64) -> Option<&Mask> {
        self.values.find(hash, |(known, _)| **known == *value).map(|(_, mask)| mask)
    }

    /// The value with its hash; none is a value too.
    fn learn(&mut self, value: Option<(&str, u64)>, mask: Mask) {
        let Some((value, hash)) = value else {
            self.null = Some(mask);
            return;
        };
        // what the table itself keeps for a value
        let entry = mask.len() * 8 + 64;
        let (bytes, bytes_max) = (value.len() + entry, Column::BYTES_MAX.max(Column::VALUES_MIN * entry));
        if bytes > bytes_max / 16 {
            return;
        }
        if self.bytes + bytes > bytes_max {
            (self.values, self.bytes) = (HashTable::new(), 0);
        }
        // another thread may have learned it meanwhile
        if self.mask(value, hash).is_none() {
            self.values.insert_unique(hash, (value.into(), mask), |(known, _)| self::hash(known));
            self.bytes += bytes;
        }
    }
}

impl Coded<'_> {
    /// How many rows each code has.
    fn counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.masks.len()];
        self.codes.iter().for_each(|code| counts[*code as usize] += 1);
        counts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
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

    #[test]
    fn columns_of_few_values_that_are_looked_at_as_one_leave_the_rows_of_each() {
        let parts = [["us-east-1", "eu-west-1"], ["IAMUser", "AssumedRole"], ["aws-cli/2", "Boto3/1"]];
        let columns = ["awsRegion", "userIdentity.type", "userAgent"];
        // each rule asks for a name, and for one value of some of the columns
        let asked = |n: usize, column: usize| [None, Some(0), Some(1)][n / 3_usize.pow(column as u32) % 3];
        let made = (0..27).map(|n| {
            let condition = |column: usize| {
                asked(n, column).map(|value| format!(" AND {} = '{}'", columns[column], parts[column][value]))
            };
            let conditions: String = (0..3).filter_map(condition).collect();
            let sql = format!("SELECT eventID FROM cloudtrail WHERE eventName = 'N{}'{conditions}", n % 2);
            Rule { id: format!("cloudtrail/r{n}"), ..rule("", &sql) }
        });
        let mut many = detector(made);
        let value = |call: usize, column: usize| call >> column & 1;
        let name = |call: usize| call / 8 % 5;
        let call = |n: usize| {
            let [region, kind, agent] = [0, 1, 2].map(|column| parts[column][value(n, column)]);
            let more = json!({ "awsRegion": region, "userIdentity": { "type": kind }, "userAgent": agent });
            changed(event(&format!("N{}", name(n)), &format!("e{n}")), more)
        };
        let calls: Vec<Value> = (0..1000).map(call).collect();
        many.observe(&[batch(&calls)], Timestamp(0));
        for n in 0..27 {
            let is_of = |call: &usize| {
                name(*call) == n % 2
                    && (0..3).all(|column| asked(n, column).is_none_or(|asked| asked == value(*call, column)))
            };
            let expected = (0..1000).filter(is_of).count() as u64;
            let cost = &many.costs()[&format!("cloudtrail/r{n}")];
            assert_eq!((cost.hits, cost.rows), (expected, expected), "rule {n}");
        }
    }

    proptest! {
        #[test]
        fn a_row_may_match_what_all_of_its_values_leave(
            rows in prop::collection::vec(any::<[prop::sample::Index; 5]>(), 1..300),
            // of each column, masks of so many values; in some most bits are set, in some few
            columns in prop::collection::vec(prop::collection::vec((any::<[u64; 4]>(), any::<[u64; 4]>()), 1..5), 1..6),
            (dense, routed) in any::<(u8, [u64; 4])>(),
        ) {
            let coded: Vec<Coded> = columns
                .iter()
                .enumerate()
                .map(|(place, masks)| {
                    let is_dense = dense >> place & 1 == 1;
                    let of_words = |(one, other): &([u64; 4], [u64; 4])| {
                        (0..4).map(|word| if is_dense { one[word] | other[word] } else { one[word] & other[word] }).collect()
                    };
                    let masks: Vec<Mask> = masks.iter().map(of_words).collect();
                    let codes = rows.iter().map(|row| row[place].index(masks.len()) as u32).collect();
                    let asking = (0..4).map(|word| masks.iter().fold(0, |asking, mask| asking | !mask[word])).collect();
                    Coded { leaf: place, codes, masks, asking }
                })
                .collect();
            let router =
                Router { order: (0..256).collect(), words: 4, gated: Mask::from([0; 4]), symbols: vec![], texts: vec![] };
            let may_match = |bit: usize, row: usize| {
                let leaves = |coded: &Coded| is_set(&coded.masks[coded.codes[row] as usize], bit);
                is_set(&routed, bit) && coded.iter().all(leaves)
            };
            let found = router.pass(&coded, &routed, rows.len());
            for (bit, found) in found.iter().enumerate() {
                let expected: Vec<u32> = (0..rows.len() as u32).filter(|row| may_match(bit, *row as usize)).collect();
                prop_assert_eq!(found, &expected, "bit {}", bit);
            }
        }
    }

    /// Hits, and rows looked at, of rules of which one asks a column of text and one a column of symbols, in a batch of so many calls
    /// with so many values of each column.
    fn asked_of(calls: usize, values: usize) -> [(u64, u64); 2] {
        let made = ["sourceIPAddress", "userAgent"].map(|column| {
            let sql = format!("SELECT eventID FROM cloudtrail WHERE {column} LIKE '%v0'");
            Rule { id: format!("cloudtrail/{column}"), ..rule("", &sql) }
        });
        let mut detector = detector(made);
        let call = |n: usize| {
            let value = format!("v{}", n % values);
            changed(event("N", &format!("e{n}")), json!({ "sourceIPAddress": value, "userAgent": value }))
        };
        let calls: Vec<Value> = (0..calls).map(call).collect();
        detector.observe(&[batch(&calls)], Timestamp(0));
        let cost = |rule: &str| &detector.costs()[rule];
        ["cloudtrail/sourceIPAddress", "cloudtrail/userAgent"].map(|rule| (cost(rule).hits, cost(rule).rows))
    }

    #[test]
    fn columns_route_where_their_values_repeat_and_match_the_same_where_not() {
        assert_eq!(asked_of(400, 10), [(40, 40); 2], "only rows that match are looked at");
        assert_eq!(asked_of(400, 400), [(1, 400); 2], "each row has a value of its own");
    }
}
