//! Batches of one table → columns of all their rows: what it costs to ask a rule is paid once for many rows.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayAccessor, ArrayRef, AsArray, BooleanBufferBuilder, DictionaryArray, Int32Array, StringArray,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{concat, interleave};
use arrow::datatypes::{DataType, Int32Type};
use datafusion::common::Result;

use crate::table::{Batch, Table, merge_symbols};

/// Batches of one table that rules are asked of as if they were one.
#[derive(Clone)]
pub struct Joined<'a> {
    pub table: &'static Table,
    /// One at least.
    batches: Vec<&'a Batch>,
    pub rows: usize,
}

/// Rows that are asked of together at most, as long as more than one batch has them: what a rule makes of them is in memory at once.
const ROWS_MAX: usize = 16 << 10;

/// Rows that all threads can be asked of together: more at a time come to no less work.
pub fn together_max() -> usize {
    ROWS_MAX * rayon::current_num_threads()
}

impl<'a> From<&'a Batch> for Joined<'a> {
    fn from(batch: &'a Batch) -> Joined<'a> {
        Joined { table: batch.table, batches: vec![batch], rows: batch.rows.num_rows() }
    }
}

impl<'a> Joined<'a> {
    /// All rows, in parts that are as many as there are threads and of about the same size.
    pub fn of(batches: &'a [Batch], threads: usize) -> Vec<Joined<'a>> {
        let rows: usize = batches.iter().map(|batch| batch.rows.num_rows()).sum();
        let share = rows.div_ceil(threads.max(1));
        let mut parts: Vec<Joined<'a>> = Vec::new();
        for batch in batches {
            let rows = batch.rows.num_rows();
            let fits = |part: &&mut Joined| {
                let is_of_table = std::ptr::eq(part.table, batch.table);
                is_of_table && part.rows + rows / 2 <= share && part.rows + rows <= ROWS_MAX
            };
            match parts.iter_mut().rev().find(fits) {
                Some(part) => {
                    part.batches.push(batch);
                    part.rows += rows;
                }
                None => parts.push(batch.into()),
            }
        }
        parts
    }

    /// A column of all rows, from that of each batch.
    pub fn column(&self, of: impl Fn(&Batch) -> ArrayRef) -> ArrayRef {
        match self.batches[..] {
            [batch] => of(batch),
            _ => join(&self.batches.iter().map(|batch| of(batch)).collect::<Vec<_>>()),
        }
    }

    /// Whether a column of all rows has to be put together first.
    pub fn are_several(&self) -> bool {
        self.batches.len() > 1
    }

    /// Some rows of a column, in their order, from that of each batch. Of a dictionary those values are there that the rows have.
    ///
    /// # Errors
    /// When the rows cannot be put together.
    pub fn take(&self, of: impl Fn(&Batch) -> ArrayRef, rows: &[u32]) -> Result<ArrayRef> {
        let ends: Vec<usize> = self
            .batches
            .iter()
            .scan(0, |end, batch| {
                *end += batch.rows.num_rows();
                Some(*end)
            })
            .collect();
        // of each row its batch among those that have one, and its place there
        let mut of_batch = vec![usize::MAX; self.batches.len()];
        let mut arrays = Vec::new();
        let place = |row: &u32| {
            let row = *row as usize;
            let batch = ends.partition_point(|end| *end <= row);
            if of_batch[batch] == usize::MAX {
                of_batch[batch] = arrays.len();
                arrays.push(of(self.batches[batch]));
            }
            (of_batch[batch], row - batch.checked_sub(1).map_or(0, |before| ends[before]))
        };
        let places: Vec<(usize, usize)> = rows.iter().map(place).collect();
        match arrays.first() {
            None => Ok(of(self.batches[0]).slice(0, 0)),
            Some(first) if is_symbols(first) => {
                let symbols: Vec<_> = arrays
                    .iter()
                    .map(|array| array.as_dictionary::<Int32Type>().downcast_dict::<StringArray>())
                    .collect();
                let text = |(batch, row): &(usize, usize)| {
                    let symbols = symbols[*batch].expect("its values are texts");
                    symbols.is_valid(*row).then(|| ArrayAccessor::value(&symbols, *row))
                };
                Ok(Arc::new(places.iter().map(text).collect::<DictionaryArray<Int32Type>>()))
            }
            Some(_) => {
                let arrays: Vec<&dyn Array> = arrays.iter().map(|array| array.as_ref()).collect();
                Ok(interleave(&arrays, &places)?)
            }
        }
    }

    /// The column of a name, where the table has it.
    pub fn column_by_name(&self, name: &str) -> Option<ArrayRef> {
        let place = self.batches[0].rows.schema().index_of(name).ok()?;
        Some(self.column(|batch| batch.rows.column(place).clone()))
    }
}

/// Columns of one type, one behind the other. Of a dictionary each value is there once.
fn join(arrays: &[ArrayRef]) -> ArrayRef {
    if is_symbols(&arrays[0]) {
        return join_symbols(arrays);
    }
    let arrays: Vec<&dyn Array> = arrays.iter().map(|array| array.as_ref()).collect();
    concat(&arrays).expect("columns of one table have one type, and a batch has fewer rows than there are numbers")
}

fn is_symbols(array: &ArrayRef) -> bool {
    matches!(array.data_type(), DataType::Dictionary(key, value) if (&**key, &**value) == (&DataType::Int32, &DataType::Utf8))
}

fn join_symbols(arrays: &[ArrayRef]) -> ArrayRef {
    let (codes, texts) = merge_symbols(arrays);
    let nulls = arrays.iter().any(|array| array.null_count() > 0).then(|| {
        let mut valid = BooleanBufferBuilder::new(codes.len());
        for array in arrays {
            match array.nulls() {
                Some(nulls) => valid.append_buffer(nulls.inner()),
                None => valid.append_n(array.len(), true),
            }
        }
        NullBuffer::new(valid.finish())
    });
    let codes = Int32Array::new(codes.into(), nulls);
    Arc::new(DictionaryArray::<Int32Type>::try_new(codes, Arc::new(texts)).expect("codes are of texts"))
}

#[cfg(test)]
mod tests {
    use arrow::array::{RecordBatch, UInt32Array, new_null_array};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::detect::tests::{batch, changed, event};
    use crate::logs::cloudtrail::CLOUDTRAIL;
    use crate::logs::vpc_flow::VPC_FLOW;

    /// Each row as text.
    fn shown(column: &dyn Array) -> Vec<String> {
        let options = arrow::util::display::FormatOptions::default().with_null("-");
        let format = arrow::util::display::ArrayFormatter::try_new(column, &options).unwrap();
        (0..column.len()).map(|row| format.value(row).to_string()).collect()
    }

    fn events() -> impl Strategy<Value = Vec<Value>> {
        let optional = || prop::option::of("[a-c]{0,14}");
        let one = (optional(), optional(), prop::option::of(any::<bool>()), prop::collection::vec("[a-c]{1,2}", 0..3));
        let one = one.prop_map(|(name, agent, reads, arns)| {
            let resources: Vec<Value> = arns.into_iter().map(|arn| json!({ "ARN": arn, "type": "T" })).collect();
            let more = json!({ "eventName": name, "userAgent": agent, "readOnly": reads, "resources": resources });
            changed(event("A", "e"), more)
        });
        prop::collection::vec(one, 1..12)
    }

    proptest! {
        #[test]
        fn columns_of_batches_have_the_rows_of_each_in_turn(
            batches in prop::collection::vec(events(), 1..6),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
        ) {
            let batches: Vec<Batch> = batches.iter().map(|events| batch(events)).collect();
            let joined = Joined { table: &CLOUDTRAIL, batches: batches.iter().collect(), rows: 0 };
            for field in CLOUDTRAIL.schema().fields() {
                let found = joined.column_by_name(field.name()).unwrap();
                found.to_data().validate_full().unwrap();
                prop_assert_eq!(found.data_type(), field.data_type());
                // some of them, in any order and more than once, are those of the whole
                let some: Vec<u32> = picks.iter().map(|pick| pick.index(found.len()) as u32).collect();
                let of = |batch: &Batch| batch.rows.column_by_name(field.name()).unwrap().clone();
                let taken = joined.take(of, &some).unwrap();
                taken.to_data().validate_full().unwrap();
                prop_assert_eq!(taken.data_type(), field.data_type());
                let whole = arrow::compute::take(&found, &UInt32Array::from(some), None).unwrap();
                prop_assert_eq!(shown(&taken), shown(&whole), "{}", field.name());
                let each = batches.iter().map(|batch| shown(batch.rows.column_by_name(field.name()).unwrap()));
                prop_assert_eq!(shown(&found), each.collect::<Vec<_>>().concat(), "{}", field.name());
                if let Some(symbols) = found.as_any_dictionary_opt() {
                    let mut texts = shown(symbols.values());
                    texts.sort();
                    prop_assert!(texts.windows(2).all(|pair| pair[0] != pair[1]), "{:?}", texts);
                }
            }
            prop_assert!(joined.column_by_name("nowhere").is_none());
        }
    }

    #[test]
    fn parts_are_as_many_as_threads_and_of_one_table() {
        let events = |count| batch(&vec![event("A", "e"); count]);
        let sizes = |batches: &[Batch], threads| {
            Joined::of(batches, threads).iter().map(|part| (part.rows, part.batches.len())).collect::<Vec<_>>()
        };
        let ten: Vec<Batch> = (0..10).map(|_| events(7)).collect();
        assert_eq!(sizes(&ten, 1), [(70, 10)]);
        assert_eq!(sizes(&ten, 2), [(35, 5), (35, 5)]);
        assert_eq!(sizes(&ten, 3).iter().map(|part| part.0).sum::<usize>(), 70);
        assert_eq!(sizes(&ten, 3).len(), 3);
        assert_eq!(sizes(&ten, 64).len(), 10, "no batch is cut");
        assert_eq!(sizes(&[], 2), []);
        // large ones are not put together
        let flows = |rows| {
            let schema = VPC_FLOW.schema();
            let columns = schema.fields().iter().map(|field| new_null_array(field.data_type(), rows)).collect();
            Batch { table: &VPC_FLOW, rows: RecordBatch::try_new(schema, columns).unwrap() }
        };
        let half = ROWS_MAX / 2;
        assert_eq!(sizes(&[flows(half), flows(half)], 1), [(2 * half, 2)]);
        assert_eq!(sizes(&[flows(half), flows(half + 1)], 1), [(half, 1), (half + 1, 1)]);
        let flows = flows(0);
        let mixed = [events(1), flows.clone(), events(1), flows];
        let parts = Joined::of(&mixed, 1);
        let tables: Vec<(&str, usize)> = parts.iter().map(|part| (part.table.name, part.rows)).collect();
        assert_eq!(tables, [("cloudtrail", 2), ("vpc_flow", 0)]);
    }
}
