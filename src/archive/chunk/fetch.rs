//! Rows that are written some rows later → the processor's cache.

use arrow::array::StringViewArray;

use crate::archive::gather::Place;

/// Has the processor get what rows, which have these levels, need that come some rows later: rows of a file lie anywhere in what was
/// read.
#[inline(always)]
pub fn prefetch(views: &[&StringViewArray], places: &[Place], levels: &[u8], index: usize, whole: u8) {
    /// Rows ahead, for the view of the text and then for the text; bytes of that.
    const VIEW_AHEAD: usize = 24;
    const AHEAD: usize = 12;
    const BYTES: usize = 256;
    if let Some(view) = places.get(index + VIEW_AHEAD).and_then(|&(batch, row)| views[batch].views().get(row)) {
        fetch(view);
    }
    let Some(&(batch, row)) = places.get(index + AHEAD) else { return };
    let Some(&view) = views[batch].views().get(row) else { return };
    let length = view as u32 as usize;
    if length > 12 && levels[index + AHEAD] == whole {
        let (buffer, start) = ((view >> 64) as u32, (view >> 96) as u32);
        let text = &views[batch].data_buffers()[buffer as usize][start as usize..];
        text[..length.min(BYTES)].chunks(64).for_each(|line| fetch(&line[0]));
    }
}

/// Has the processor get what is there into its cache.
#[inline(always)]
pub fn fetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: it reads nothing
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(place).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
