//! Windows → those that share a value of a column, so that what a rule fails on can be told from what it does not.

use std::ops::Range;

use datafusion::common::Result;

use super::plan::{Window, Windowed};
use super::text::{has_order, sort_keys};

/// An order of windows, and the stretches of it that share a value.
pub type Stretches = (Vec<usize>, Vec<Range<usize>>);

impl Windowed {
    /// For each column that the rule computes of windows and whose values repeat.
    ///
    /// # Errors
    /// When the columns cannot be computed.
    pub fn alike(&self, windows: &[Window]) -> Result<Vec<Stretches>> {
        let table = self.table(windows)?;
        let mut ways = Vec::new();
        for column in table.columns().iter().filter(|column| has_order(column.data_type())) {
            let keys = sort_keys(std::slice::from_ref(column.data_type()), std::slice::from_ref(column))?;
            let mut order: Vec<usize> = (0..windows.len()).collect();
            order.sort_by_key(|place| keys.row(*place));
            let mut stretches: Vec<Range<usize>> = Vec::new();
            for (at, place) in order.iter().enumerate() {
                match stretches.last_mut() {
                    Some(last) if keys.row(order[last.start]) == keys.row(*place) => last.end = at + 1,
                    _ => stretches.push(at..at + 1),
                }
            }
            if (2..windows.len()).contains(&stretches.len()) {
                ways.push((order, stretches));
            }
        }
        Ok(ways)
    }
}
