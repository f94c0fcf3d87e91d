//! What is needed some rows later → the processor's cache: the texts of rows lie anywhere in what was read.

use arrow::array::StringViewArray;

/// Has the processor get the begin of the text that a row has, unless it stands in its view.
#[inline(always)]
pub fn fetch_text(texts: &StringViewArray, row: usize) {
    const BYTES: usize = 256;
    let view = texts.views()[row];
    let length = view as u32 as usize;
    if length > 12 {
        let (buffer, start) = ((view >> 64) as u32, (view >> 96) as u32);
        let text = &texts.data_buffers()[buffer as usize][start as usize..][..length.min(BYTES)];
        text.chunks(64).for_each(|line| fetch(&line[0]));
        // it begins anywhere in a line
        fetch(&text[text.len() - 1]);
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
