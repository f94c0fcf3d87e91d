//! Rows of a batch by what they have in a few columns: what an expression over these is, is found once for all rows that are alike.
//!
//! Rows are told apart by columns of symbols, of texts that repeat and of truths, and by whether there is a struct.
//! A batch of tens of thousands of rows has a few hundred pairs of `eventName` and `eventSource`, or of who calls and with what client.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use arrow::array::{AnyDictionaryArray, Array, AsArray};
use arrow::datatypes::{DataType, Int32Type};

use super::alike::Alike;
use super::program::{Arrays, Program};
use super::window::columns::refine;

/// Rows of a batch that are alike in some columns.
pub struct Tuple {
    /// Which of the different ones each row is.
    pub of_row: Vec<u32>,
    /// The first row of each.
    pub firsts: Vec<u32>,
}

/// Of fewer rows a program is asked as they are.
const ASKED_MIN: usize = 32;
/// Rows of a batch are told apart where one in so many is asked of.
const PART: usize = 8;

/// Those of one batch, by the columns: many expressions read the same ones.
#[derive(Default)]
pub struct Tuples(RefCell<HashMap<Vec<usize>, Option<Rc<Tuple>>>>);

impl Tuples {
    /// Whether it pays to run a program on one of all rows that are alike, where it is asked of so many rows of a batch: to tell them
    /// apart costs a little for each row of the batch, once for all programs that read the same.
    pub fn tells_apart(&self, program: &Program, arrays: &Arrays, asked: usize) -> bool {
        program.coded
            && asked >= ASKED_MIN
            && match self.0.borrow().get(&program.reads) {
                Some(known) => known.as_ref().is_some_and(|tuple| tuple.firsts.len() <= asked),
                None => {
                    let differ =
                        |symbols: &dyn AnyDictionaryArray| Alike::differ(symbols.values().len(), arrays.rows());
                    let is_wide = |leaf: &usize| arrays[*leaf].as_any_dictionary_opt().is_some_and(differ);
                    asked * PART >= arrays.rows() && !program.reads.iter().any(is_wide)
                }
            }
    }

    /// Of columns by their positions in `arrays`; `None` where hardly two rows are alike in all of them.
    pub fn of(&self, leaves: &[usize], arrays: &Arrays) -> Option<Rc<Tuple>> {
        if let Some(known) = self.0.borrow().get(leaves) {
            return known.clone();
        }
        let (last, others) = leaves.split_last()?;
        let rows = arrays.rows();
        let made = match others {
            [] => Some(Tuple { of_row: vec![0; rows], firsts: vec![0; rows.min(1)] }),
            others => self
                .of(others, arrays)
                .map(|others| Tuple { of_row: others.of_row.clone(), firsts: others.firsts.clone() }),
        };
        let made = made.and_then(|Tuple { mut of_row, firsts }| {
            let firsts = told_apart(arrays, *last, &mut of_row, firsts)?;
            Some(Tuple { of_row, firsts })
        });
        let made = made.filter(|made| !Alike::differ(made.firsts.len(), rows)).map(Rc::new);
        self.0.borrow_mut().insert(leaves.to_vec(), made.clone());
        made
    }
}

/// Parts rows that were alike by one more column.
fn told_apart(arrays: &Arrays, leaf: usize, of_row: &mut [u32], firsts: Vec<u32>) -> Option<Vec<u32>> {
    let column = &arrays[leaf];
    Some(match column.data_type() {
        DataType::Boolean => {
            let column = column.as_boolean();
            refine(of_row, firsts, 2, |row| column.is_valid(row).then(|| u32::from(column.value(row))))
        }
        DataType::Struct(_) => refine(of_row, firsts, 1, |row| column.is_valid(row).then_some(0)),
        DataType::Utf8View => {
            let alike = arrays.alike(leaf)?;
            let count = alike.firsts.len();
            refine(of_row, firsts, count, |row| Some(alike.codes[row]).filter(|code| (*code as usize) < count))
        }
        _ => {
            let column = column.as_dictionary::<Int32Type>();
            let (keys, count) = (column.keys().values(), column.values().len());
            match column.nulls() {
                None => refine(of_row, firsts, count, |row| Some(keys[row] as u32)),
                Some(nulls) => refine(of_row, firsts, count, |row| nulls.is_valid(row).then(|| keys[row] as u32)),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::detect::plan::planner::only_statement;
    use crate::detect::plan::query::take_apart;
    use crate::detect::program::{Leaves, Rows};
    use crate::detect::reference::References;
    use crate::detect::session;
    use crate::detect::tests::{batch, changed, event};
    use crate::logs::cloudtrail::CLOUDTRAIL;

    type Row = (Option<&'static str>, Option<bool>, Option<&'static str>, bool);

    fn call(row: &Row) -> Value {
        let (name, from_console, address, is_federated) = row;
        let web = is_federated.then(|| json!({ "federatedProvider": "p" }));
        let identity = json!({ "type": "AssumedRole", "sessionContext": { "webIdFederationData": web } });
        let more = json!({ "eventName": name, "sessionCredentialFromConsole": from_console, "sourceIPAddress": address,
                           "userIdentity": identity });
        changed(event("A", "e"), more)
    }

    /// Programs of expressions, and the columns they read.
    fn programs(leaves: &mut Leaves, exprs: &[&str]) -> Vec<Program> {
        let state = session::planner(&[&CLOUDTRAIL], &References::default());
        let statement = only_statement(&format!("SELECT {} FROM cloudtrail WHERE true", exprs.join(", ")));
        let items = take_apart(&state, leaves, statement).unwrap().items;
        items.into_iter().map(|(_, expr)| Program::new(leaves, &[expr]).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn rows_are_alike_where_they_are_in_each_column(rows in prop::collection::vec(
            (prop::option::of(prop::sample::select(vec!["a", "b", "c"])), any::<Option<bool>>(),
             prop::option::of(prop::sample::select(vec!["x", "y"])), any::<bool>()), 1..90)
        ) {
            let mut leaves = Leaves::new(&CLOUDTRAIL);
            let programs = programs(&mut leaves, &[
                "eventName = 'a'",
                "sessionCredentialFromConsole",
                "sourceIPAddress = 'x' OR eventName = 'b' AND sessionCredentialFromConsole",
                "userIdentity.sessionContext.webIdFederationData IS NULL OR sourceIPAddress LIKE 'y%'",
            ]);
            let batch = batch(&rows.iter().map(call).collect::<Vec<_>>());
            let arrays = leaves.arrays(&batch);
            let tuples = Tuples::default();
            for (program, reads) in programs.iter().zip(["n", "c", "nca", "wa"]) {
                prop_assert!(program.coded);
                let part = |row: &Row| {
                    let has = |letter| reads.contains(letter);
                    (row.0.filter(|_| has('n')), row.1.filter(|_| has('c')), row.2.filter(|_| has('a')), row.3 && has('w'))
                };
                let different: BTreeSet<_> = rows.iter().map(part).collect();
                let tuple = tuples.of(&program.reads, &arrays);
                prop_assert_eq!(tuple.is_none(), Alike::differ(different.len(), rows.len()));
                let Some(tuple) = tuple else { continue };
                prop_assert_eq!((tuple.firsts.len(), tuple.of_row.len()), (different.len(), rows.len()));
                for (row, place) in tuple.of_row.iter().enumerate() {
                    let first = tuple.firsts[*place as usize] as usize;
                    prop_assert!(first <= row);
                    prop_assert_eq!(part(&rows[first]), part(&rows[row]));
                }
                let of = |rows: &[u32]| program.run(&arrays, Rows::These(rows)).unwrap().remove(0);
                let (whole, once) = (program.run(&arrays, Rows::All(rows.len())).unwrap().remove(0), of(&tuple.firsts));
                let places = arrow::array::UInt32Array::from(tuple.of_row.clone());
                prop_assert_eq!(&arrow::compute::take(&once, &places, None).unwrap(), &whole);
            }
        }
    }

    #[test]
    fn what_tells_each_row_apart_is_not_asked() {
        let mut leaves = Leaves::new(&CLOUDTRAIL);
        let coded: Vec<bool> = programs(
            &mut leaves,
            &[
                "eventID = 'a'",
                "requestParameters = 'a'",
                "eventTime IS NULL",
                "userIdentity.sessionContext.webIdFederationData = NULL",
            ],
        )
        .iter()
        .map(|program| program.coded)
        .collect();
        assert_eq!(coded, [false; 4]);
        let rows: Vec<Value> =
            (0..200).map(|n| changed(event("A", "e"), json!({ "eventName": format!("N{n}") }))).collect();
        let batch = batch(&rows);
        let program = programs(&mut leaves, &["eventName = 'N7'"]).remove(0);
        let arrays = leaves.arrays(&batch);
        let tuples = Tuples::default();
        assert!(program.coded && !tuples.tells_apart(&program, &arrays, 200));
        assert!(tuples.of(&program.reads, &arrays).is_none());
    }
}
