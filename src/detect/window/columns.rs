//! What rules over windows ask of rows → each expression once for all rules that ask it, and each of its values once for
//! all rows that have it.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{interleave, take};
use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Expr;
use hashbrown::HashMap;

use super::text::{Sortable, Values, sort_keys};
use crate::detect::functions::spans::plain;
use crate::detect::program::{Arrays, Leaves, Program, Rows, type_of};
use crate::detect::tuples::{Tuple, Tuples};

/// The expressions that the rules over windows of one table ask: keys, arguments and filters of aggregates.
#[derive(Default)]
pub struct Columns {
    known: HashMap<Expr, usize>,
    all: Vec<Column>,
}

struct Column {
    /// Of one expression.
    program: Program,
    /// Of its values, without a dictionary.
    kind: DataType,
    /// How many rules ask it.
    askers: usize,
    /// It reads columns as they are, so that to compute it for more rows than are asked about costs little.
    cheap: bool,
}

/// One in so many rows, of all that ask together, is enough for an expression that several rules ask to be computed for all rows of a batch.
const SHARED_PART: usize = 8;

impl Columns {
    /// Place of an expression, which is flattened.
    pub fn ask(&mut self, leaves: &mut Leaves, expr: Expr) -> Result<usize> {
        if let Some(known) = self.known.get(&expr) {
            self.all[*known].askers += 1;
            return Ok(*known);
        }
        let reads_only = |expr: &Expr| match expr {
            Expr::Column(_) | Expr::Literal(..) => true,
            Expr::ScalarFunction(call) => call.func.name() == "coalesce",
            _ => false,
        };
        let cheap = !expr.exists(|expr| Ok(!reads_only(expr)))?;
        let kind = plain(&type_of(leaves, &expr)?).clone();
        let program = Program::new(leaves, std::slice::from_ref(&expr))?;
        self.all.push(Column { program, kind, askers: 1, cheap });
        self.known.insert(expr, self.all.len() - 1);
        Ok(self.all.len() - 1)
    }

    /// No more is asked: what tells which rules ask the same is let go of.
    pub fn settle(&mut self) {
        self.known = HashMap::new();
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Positions of the leaves that an expression reads.
    pub fn reads(&self, column: usize) -> &[usize] {
        &self.all[column].program.reads
    }

    pub fn kind(&self, column: usize) -> &DataType {
        &self.all[column].kind
    }

    /// Sort key of null.
    pub fn null(&self, column: usize) -> Result<Sortable> {
        null_of(self.kind(column))
    }
}

fn null_of(kind: &DataType) -> Result<Sortable> {
    let null = ScalarValue::try_from(kind)?.to_array_of_size(1)?;
    Ok(sort_keys(std::slice::from_ref(kind), &[null])?.row(0).data().into())
}

/// What one batch says to all that is asked of it. What several rules ask is computed when the first does.
pub struct Answers<'a> {
    columns: &'a Columns,
    arrays: &'a Arrays<'a>,
    rows: usize,
    whole: &'a [Whole],
    tuples: &'a Tuples,
}

/// An expression's values for all rows of a batch.
#[derive(Default)]
pub struct Whole {
    /// Once it was asked of one of all rows that are alike; `None` where it fails, or hardly any are.
    of_tuples: OnceCell<Option<OfTuples>>,
    /// Once they are asked for; `None` where it fails on one of them.
    values: OnceCell<Option<Values<[u8]>>>,
    /// Rows that it was asked for until then.
    asked: Cell<usize>,
    told: RefCell<Known>,
}

/// What an expression was told to be of some rows, when several rules ask for it: what is read out of JSON is read once.
#[derive(Default)]
struct Known {
    /// Of each row one of the arrays, and its place there.
    places: HashMap<u32, (usize, usize)>,
    arrays: Vec<ArrayRef>,
}

impl Known {
    /// What it is of these rows, of which those are asked that are not known.
    fn of(&mut self, rows: &[u32], ask: impl FnOnce(&[u32]) -> Result<ArrayRef>) -> Result<ArrayRef> {
        let new: Vec<u32> = rows.iter().copied().filter(|row| !self.places.contains_key(row)).collect();
        if !new.is_empty() {
            let array = ask(&new)?;
            let at = self.arrays.len();
            self.places.extend(new.iter().enumerate().map(|(place, row)| (*row, (at, place))));
            self.arrays.push(array);
            if new.len() == rows.len() {
                return Ok(self.arrays[at].clone());
            }
        }
        let places: Vec<(usize, usize)> = rows.iter().map(|row| self.places[row]).collect();
        let arrays: Vec<&dyn Array> = self.arrays.iter().map(|array| array.as_ref()).collect();
        Ok(interleave(&arrays, &places)?)
    }
}

/// What an expression is for each of the rows that differ in what it reads.
struct OfTuples {
    tuple: Rc<Tuple>,
    array: ArrayRef,
    values: OnceCell<Option<Values<[u8]>>>,
}

/// What it takes to ask for a few rows apart, in rows.
const APART_ROWS: usize = 64;

impl<'a> Answers<'a> {
    /// `arrays` are the leaves of a batch; `whole` is as long as there are columns.
    pub fn new(columns: &'a Columns, arrays: &'a Arrays<'a>, whole: &'a [Whole], tuples: &'a Tuples) -> Answers<'a> {
        Answers { columns, arrays, rows: arrays.rows(), whole, tuples }
    }

    /// What the expression is for all rows that are alike, where it pays to ask so for these.
    fn of_tuples(&self, column: usize, rows: &[u32]) -> Option<&OfTuples> {
        let (program, whole) = (&self.columns.all[column].program, &self.whole[column]);
        let tells_apart = || self.tuples.tells_apart(program, self.arrays, whole.asked.get() + rows.len());
        if whole.of_tuples.get().is_none() && !tells_apart() {
            return None;
        }
        let ask = || {
            let tuple = self.tuples.of(&program.reads, self.arrays)?;
            let array = program.run(self.arrays, Rows::These(&tuple.firsts)).ok()?.remove(0);
            Some(OfTuples { tuple, array, values: OnceCell::new() })
        };
        whole.of_tuples.get_or_init(ask).as_ref()
    }

    /// The sort keys of an expression's values for these rows.
    ///
    /// # Errors
    /// When the expression fails on one of them.
    pub fn values(&self, column: usize, rows: &[u32]) -> Result<Values<[u8]>> {
        let Column { kind, askers, cheap, .. } = &self.columns.all[column];
        let whole = &self.whole[column];
        if let Some(OfTuples { tuple, array, values }) = self.of_tuples(column, rows)
            && let Some(values) = values.get_or_init(|| Values::sortable(array, kind).ok())
        {
            return Ok(values.of_rows(rows.iter().map(|row| tuple.of_row[*row as usize])));
        }
        whole.asked.set(whole.asked.get() + rows.len() + APART_ROWS);
        let shares = *cheap && *askers > 1 && whole.asked.get() * SHARED_PART >= self.rows;
        let whole = match whole.values.get() {
            None if shares => whole.values.get_or_init(|| {
                let array = self.columns.all[column].program.run(self.arrays, Rows::All(self.rows)).ok()?.remove(0);
                Values::sortable(&array, kind).ok()
            }),
            known => known.unwrap_or(&None),
        };
        match whole {
            Some(whole) => Ok(whole.of_rows(rows.iter().copied())),
            None => Values::sortable(&self.compute(column, rows)?, kind),
        }
    }

    /// What an expression is for these rows.
    ///
    /// # Errors
    /// When it fails on one of them.
    pub fn array(&self, column: usize, rows: &[u32]) -> Result<ArrayRef> {
        if let Some(OfTuples { tuple, array, .. }) = self.of_tuples(column, rows) {
            let places = UInt32Array::from_iter_values(rows.iter().map(|row| tuple.of_row[*row as usize]));
            return Ok(take(array, &places, None)?);
        }
        self.whole[column].asked.set(self.whole[column].asked.get() + rows.len());
        self.compute(column, rows)
    }

    fn compute(&self, column: usize, rows: &[u32]) -> Result<ArrayRef> {
        let Column { program, askers, cheap, .. } = &self.columns.all[column];
        let ask = |rows: &[u32]| {
            let rows = if rows.len() == self.rows { Rows::All(self.rows) } else { Rows::These(rows) };
            Ok(program.run(self.arrays, rows)?.remove(0))
        };
        if *askers > 1 && !*cheap { self.whole[column].told.borrow_mut().of(rows, ask) } else { ask(rows) }
    }

    /// Which of these rows have a value; `None` when all have one.
    ///
    /// # Errors
    /// When the expression fails on one of them.
    pub fn presence(&self, column: usize, rows: &[u32]) -> Result<Option<NullBuffer>> {
        Ok(self.array(column, rows)?.logical_nulls())
    }
}

/// Rows by the values of several columns: what is alike in all of them is one.
pub struct Alike {
    /// Of each row, the place of its bytes.
    of_row: Vec<u32>,
    /// The first row of each place.
    firsts: Vec<u32>,
    bytes: Vec<u8>,
    /// Where the bytes of each place end.
    ends: Vec<u32>,
}

impl Alike {
    /// Of `rows` rows. What stands for a row is the sort keys of its values one after the other, where `nulls` are those of no
    /// value: what `arrow::row` gives for all columns at once.
    pub fn of(columns: &[Values<[u8]>], nulls: &[Sortable], rows: usize) -> Alike {
        let (mut of_row, mut firsts) = (vec![0u32; rows], vec![0u32; rows.min(1)]);
        for column in columns {
            firsts = refine(&mut of_row, firsts, column.distinct_len(), |row| column.code(row));
        }
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(firsts.len()));
        for row in &firsts {
            for (column, null) in columns.iter().zip(nulls) {
                bytes.extend_from_slice(column.get(*row as usize).unwrap_or(null));
            }
            ends.push(bytes.len() as u32);
        }
        Alike { of_row, firsts, bytes, ends }
    }

    /// The same rows parted by one more thing, of which each has one of so many or none: which part each is of, and the first row of each.
    pub fn parted(&self, distinct: usize, code: impl Fn(usize) -> Option<u32>) -> (Vec<u32>, Vec<u32>) {
        let mut of_row = self.of_row.clone();
        let firsts = refine(&mut of_row, self.firsts.clone(), distinct, code);
        (of_row, firsts)
    }

    /// The place of each row.
    pub fn of_row(&self) -> &[u32] {
        &self.of_row
    }

    /// The first row of each place.
    pub fn firsts(&self) -> &[u32] {
        &self.firsts
    }

    /// Which of the different ones a row is.
    pub fn place(&self, row: usize) -> u32 {
        self.of_row[row]
    }

    /// Bytes that stand for a row.
    pub fn bytes(&self, row: usize) -> &[u8] {
        self.at(self.of_row[row] as usize)
    }

    /// Bytes of each place.
    pub fn all(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.ends.len()).map(|place| self.at(place))
    }

    fn at(&self, place: usize) -> &[u8] {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start as usize..self.ends[place] as usize]
    }
}

/// Parts rows that were alike by one more column, in which each has one of so many different values or none. Takes and gives
/// the first row of each part.
pub fn refine(of_row: &mut [u32], firsts: Vec<u32>, distinct: usize, code: impl Fn(usize) -> Option<u32>) -> Vec<u32> {
    if distinct <= 1 && (1..of_row.len()).all(|row| code(row) == code(0)) {
        return firsts;
    }
    let parts = firsts.len();
    // a code more, for no value
    let codes = distinct as u64 + 1;
    let mut firsts = Vec::new();
    let mut next = |row: usize| {
        firsts.push(row as u32);
        firsts.len() as u32 - 1
    };
    let pair = |part: u32, row: usize| u64::from(part) * codes + code(row).map_or(codes - 1, u64::from);
    if parts as u64 * codes <= of_row.len() as u64 * 4 {
        let mut known = vec![u32::MAX; parts * codes as usize];
        for (row, part) in of_row.iter_mut().enumerate() {
            let known = &mut known[pair(*part, row) as usize];
            if *known == u32::MAX {
                *known = next(row);
            }
            *part = *known;
        }
    } else {
        let mut known = HashMap::new();
        for (row, part) in of_row.iter_mut().enumerate() {
            *part = *known.entry(pair(*part, row)).or_insert_with(|| next(row));
        }
    }
    firsts
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, DictionaryArray, Int64Array, StringViewArray};
    use arrow::datatypes::Int32Type;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_are_those_of_all_columns_at_once(
            rows in proptest::collection::vec((proptest::option::of("[ab]{0,2}"), proptest::option::of(0i64..3), proptest::option::of(".{0,40}")), 0..200),
        ) {
            let texts: DictionaryArray<Int32Type> = rows.iter().map(|(text, _, _)| text.as_deref()).collect();
            let numbers: Int64Array = rows.iter().map(|(_, number, _)| *number).collect();
            let views: StringViewArray = rows.iter().map(|(_, _, view)| view.as_deref()).collect();
            let columns: [ArrayRef; 3] = [Arc::new(texts), Arc::new(numbers), Arc::new(views)];
            let kinds = [DataType::Utf8, DataType::Int64, DataType::Utf8View];
            let plain: Vec<ArrayRef> =
                columns.iter().zip(&kinds).map(|(column, kind)| arrow::compute::cast(column, kind).unwrap()).collect();
            let expected = sort_keys(&kinds, &plain).unwrap();
            let values: Vec<_> =
                columns.iter().zip(&kinds).map(|(column, kind)| Values::sortable(column, kind).unwrap()).collect();
            let nulls: Vec<_> = kinds.iter().map(|kind| null_of(kind).unwrap()).collect();
            let alike = Alike::of(&values, &nulls, rows.len());
            for (row, expected) in expected.iter().enumerate() {
                prop_assert_eq!(alike.bytes(row), expected.data());
                for other in 0..row {
                    prop_assert_eq!(alike.place(row) == alike.place(other), rows[row] == rows[other]);
                }
            }
        }
    }

    #[test]
    fn what_is_known_of_a_row_is_not_asked_again() {
        let (mut known, mut asked) = (Known::default(), Vec::new());
        let mut told = |rows: &[u32]| {
            let found = known.of(rows, |rows| {
                asked.extend_from_slice(rows);
                Ok(Arc::new(rows.iter().map(|row| Some(row.to_string())).collect::<StringViewArray>()))
            });
            found.unwrap().as_string_view().iter().map(|text| text.unwrap().parse().unwrap()).collect::<Vec<u32>>()
        };
        for rows in [&[1, 3][..], &[3, 2, 1], &[], &[2, 2], &[7, 3]] {
            assert_eq!(told(rows), rows);
        }
        assert_eq!(asked, [1, 3, 2, 7]);
    }

    #[test]
    fn rows_of_no_columns_are_alike() {
        let alike = Alike::of(&[], &[], 2);
        assert_eq!((alike.place(0), alike.place(1), alike.bytes(1)), (0, 0, &[][..]));
    }

    #[test]
    fn a_dictionary_keeps_what_no_row_has_to_itself() {
        let keys = arrow::array::Int32Array::from(vec![Some(2), None, Some(0), Some(1)]);
        let texts = arrow::array::StringArray::from(vec![Some("b"), None, Some("a"), Some("not a number")]);
        let column: ArrayRef = Arc::new(DictionaryArray::new(keys, Arc::new(texts)));
        let values = Values::sortable(&column, &DataType::Utf8).unwrap();
        let codes: Vec<_> = (0..4).map(|row| values.code(row)).collect();
        assert_eq!((codes, values.distinct_len()), (vec![Some(0), None, Some(1), None], 2));
        let other = values.of_rows([2, 0, 1].into_iter());
        assert_eq!(other.hash_of(other.code(1).unwrap()), values.hash_of(values.code(0).unwrap()));
    }
}
