//! A call into code of others that may panic → what it gives, or nothing, without a word on standard error.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// What a call gives; `None` where it panicked. The hook that tells of panics is not asked.
pub fn caught<T>(call: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_CAUGHT.get() {
                told(panic);
            }
        }));
    });
    let before = IS_CAUGHT.replace(true);
    let given = panic::catch_unwind(AssertUnwindSafe(call));
    IS_CAUGHT.set(before);
    given.ok()
}
