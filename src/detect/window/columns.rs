//! What rules over windows ask of rows → each expression once for all rules that ask it, and each of its values once for
//! all rows that have it.

use std::cell::{Cell, OnceCell};
use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Int32Type};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Expr;

use super::text::{Sortable, Values, sort_keys};
use crate::detect::program::{Leaves, Program, Rows, each_symbol, type_of};
use crate::detect::spans::plain;
use crate::detect::truth::{Asking, Atoms, Truth};

/// The expressions that the rules over windows of one table ask: keys, arguments and filters of aggregates.
#[derive(Default)]
pub struct Columns {
    known: HashMap<Expr, usize>,
    all: Vec<Column>,
    /// What the filters are made of, and the conditions of all rules of the table.
    pub atoms: Atoms,
}

struct Column {
    /// Of one expression.
    program: Program,
    /// Of a condition of several columns.
    truth: Option<Truth>,
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
            // what DataFusion makes of `coalesce`
            Expr::Case(_) | Expr::IsNotNull(_) => true,
            Expr::ScalarFunction(call) => call.func.name() == "coalesce",
            _ => false,
        };
        let cheap = !expr.exists(|expr| Ok(!reads_only(expr)))?;
        let kind = plain(&type_of(leaves, &expr)?).clone();
        let program = Program::new(leaves, std::slice::from_ref(&expr))?;
        let truth = self.atoms.take_apart(leaves, &expr)?;
        self.all.push(Column { program, truth, kind, askers: 1, cheap });
        self.known.insert(expr, self.all.len() - 1);
        Ok(self.all.len() - 1)
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
    asking: Asking<'a>,
    rows: usize,
    whole: &'a [Whole],
}

/// An expression's values for all rows of a batch.
#[derive(Default)]
pub struct Whole {
    /// Once they are asked for; `None` where it fails on one of them.
    values: OnceCell<Option<Values<[u8]>>>,
    /// For each symbol of the one column that it reads, and for none.
    of_symbols: OnceCell<Option<Values<[u8]>>>,
    /// For all rows, of a condition.
    truth: OnceCell<Option<BooleanArray>>,
    /// Rows that it was asked for until then.
    asked: Cell<usize>,
}

/// What it takes to ask for a few rows apart, in rows.
const APART_ROWS: usize = 64;

impl<'a> Answers<'a> {
    /// `asking` is of a batch of `rows` rows; `whole` is as long as there are columns.
    pub fn new(columns: &'a Columns, asking: Asking<'a>, rows: usize, whole: &'a [Whole]) -> Answers<'a> {
        Answers { columns, asking, rows, whole }
    }

    /// The sort keys of an expression's values for these rows.
    ///
    /// # Errors
    /// When the expression fails on one of them.
    pub fn values(&self, column: usize, rows: &[u32]) -> Result<Values<[u8]>> {
        let Column { program, kind, askers, cheap, .. } = &self.columns.all[column];
        let (whole, arrays) = (&self.whole[column], self.asking.arrays);
        whole.asked.set(whole.asked.get() + rows.len() + APART_ROWS);
        let shares = *askers > 1 && whole.asked.get() * SHARED_PART >= self.rows;
        if let [leaf] = program.reads[..]
            && let Some(symbols) = arrays[leaf].as_dictionary_opt::<Int32Type>()
            && (shares || symbols.values().len() <= rows.len())
        {
            let of_symbols = whole.of_symbols.get_or_init(|| {
                let each = each_symbol(&arrays[leaf])?;
                let count = each.len();
                Values::sortable(program.run_on(vec![each], count).ok()?.first()?, kind).ok()
            });
            if let Some(of_symbols) = of_symbols {
                let none = symbols.values().len() as u32;
                let code = |row: &u32| symbols.key(*row as usize).map_or(none, |key| key as u32);
                return Ok(of_symbols.of_rows(&rows.iter().map(code).collect::<Vec<_>>()));
            }
        }
        let of = |rows: Rows| -> Result<Values<[u8]>> {
            if let Some((of_row, firsts)) = alike(program, arrays, rows) {
                let values = Values::sortable(&program.run(arrays, Rows::These(&firsts))?[0], kind)?;
                return Ok(values.of_rows(&of_row));
            }
            Values::sortable(&program.run(arrays, rows)?[0], kind)
        };
        let all = match whole.values.get() {
            None if shares && *cheap => whole.values.get_or_init(|| of(Rows::All(self.rows)).ok()),
            known => known.unwrap_or(&None),
        };
        match all {
            Some(all) => Ok(all.of_rows(rows)),
            None => of(if rows.len() == self.rows { Rows::All(self.rows) } else { Rows::These(rows) }),
        }
    }

    /// What an expression is for these rows.
    ///
    /// # Errors
    /// When it fails on one of them.
    pub fn array(&self, column: usize, rows: &[u32]) -> Result<ArrayRef> {
        let program = &self.columns.all[column].program;
        let rows = if rows.len() == self.rows { Rows::All(self.rows) } else { Rows::These(rows) };
        Ok(program.run(self.asking.arrays, rows)?.remove(0))
    }

    /// Whether a condition holds for these rows.
    ///
    /// # Errors
    /// When it fails on one of them.
    pub fn truth(&self, column: usize, rows: &[u32]) -> Result<BooleanArray> {
        let (Column { truth, askers, .. }, whole) = (&self.columns.all[column], &self.whole[column]);
        whole.asked.set(whole.asked.get() + rows.len() + APART_ROWS);
        let of = |rows: Rows| truth.as_ref().and_then(|truth| truth.of(self.asking, rows));
        if truth.is_some() && *askers > 1 && whole.asked.get() * SHARED_PART >= self.rows {
            let all = whole.truth.get_or_init(|| of(Rows::All(self.rows))?.ok());
            if let Some(all) = all {
                return Ok(rows
                    .iter()
                    .map(|row| all.is_valid(*row as usize).then(|| all.value(*row as usize)))
                    .collect());
            }
        }
        match of(Rows::These(rows)) {
            Some(truth) => truth,
            None => Ok(self.array(column, rows)?.as_boolean().clone()),
        }
    }

    /// Which of these rows have a value; `None` when all have one.
    ///
    /// # Errors
    /// When the expression fails on one of them.
    pub fn presence(&self, column: usize, rows: &[u32]) -> Result<Option<NullBuffer>> {
        Ok(self.array(column, rows)?.logical_nulls())
    }
}

/// Fewer rows than this are asked as they are.
const ALIKE_ROWS_MIN: usize = 32;

/// Rows by the symbols that a program reads of them, where it reads nothing else and they repeat: what each is alike to, and a row for each of
/// what is different.
pub fn alike(program: &Program, arrays: &[ArrayRef], rows: Rows) -> Option<(Vec<u32>, Vec<u32>)> {
    if program.reads.len() < 2 || rows.len() < ALIKE_ROWS_MIN {
        return None;
    }
    let columns = program.reads.iter().map(|leaf| arrays[*leaf].as_dictionary_opt::<Int32Type>());
    let (mut of_row, mut firsts) = (vec![0; rows.len()], vec![0]);
    for column in columns.collect::<Option<Vec<_>>>()? {
        let code = |place: usize| column.key(rows.row(place) as usize).map(|key| key as u32);
        firsts = refine(&mut of_row, firsts, column.values().len(), code);
        if firsts.len() * 2 > rows.len() {
            return None;
        }
    }
    firsts.iter_mut().for_each(|first| *first = rows.row(*first as usize));
    Some((of_row, firsts))
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
        let place = self.of_row[row] as usize;
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
        let mut known = hashbrown::HashMap::new();
        for (row, part) in of_row.iter_mut().enumerate() {
            *part = *known.entry(pair(*part, row)).or_insert_with(|| next(row));
        }
    }
    firsts
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{DictionaryArray, Int64Array, StringViewArray};
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
        assert_eq!(values.of_rows(&[2, 0, 1]).hash(1), values.hash(0));
    }
}
