//! Rows that are written some rows later → the processor's cache.

use arrow::array::StringViewArray;

use crate::archive::gather::Place;
use crate::table::fetch::{fetch, fetch_text};

/// Has the processor get what rows, which have these levels, need that come some rows later: rows of a file lie anywhere in what was
/// read.
#[inline(always)]
pub fn prefetch(views: &[&StringViewArray], places: &[Place], levels: &[u8], index: usize, whole: u8) {
    /// Rows ahead, for the view of the text and then for the text.
    const VIEW_AHEAD: usize = 24;
    const AHEAD: usize = 12;
    if let Some(view) = places.get(index + VIEW_AHEAD).and_then(|&(batch, row)| views[batch].views().get(row)) {
        fetch(view);
    }
    match places.get(index + AHEAD) {
        Some(&(batch, row)) if levels[index + AHEAD] == whole => fetch_text(views[batch], row),
        Some(_) | None => {}
    }
}
