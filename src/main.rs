#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    give_memory_back();
    weir::cli::main()
}

/// Memory that was freed goes back to the system at once rather than after a second, and pages of which a thread has enough are left to the
/// others (`MIMALLOC_PURGE_DELAY` and `MIMALLOC_PAGE_MAX_RECLAIM` override it; 1000 and -1 are what mimalloc does by itself). Reading an object of
/// 1 GB from a file took 265 MiB, 336 without the first and 276 without the second (`/usr/bin/time -v weir run`), and no less CPU time: what
/// comes and goes all the time is kept by `decode/reuse.rs`.
fn give_memory_back() {
    use libmimalloc_sys::{_mi_option_last, mi_option_set_default, mi_option_t, mi_option_use_numa_nodes};
    /// `mi_option_purge_delay` of mimalloc 3, which the crate does not name; its neighbours are 14 and 16 there.
    const PURGE_DELAY: mi_option_t = mi_option_use_numa_nodes - 1;
    /// `mi_option_page_max_reclaim`, which is 41 of 47.
    const PAGE_MAX_RECLAIM: mi_option_t = _mi_option_last - 6;
    // SAFETY: sets numbers that are read when memory is freed
    unsafe {
        mi_option_set_default(PURGE_DELAY, 0);
        mi_option_set_default(PAGE_MAX_RECLAIM, 0);
    }
}
