#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    keep_memory();
    weir::cli::main()
}

/// Memory that was freed is kept for 20 seconds (2, times 10 for large pieces; `MIMALLOC_PURGE_DELAY` overrides it) rather
/// than a tenth: each round needs as much as the one before, and to get it from the system again costs more than parsing.
fn keep_memory() {
    /// `mi_option_purge_delay` of mimalloc 3, which the crate does not name; its neighbours are 14 and 16 there.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = libmimalloc_sys::mi_option_use_numa_nodes - 1;
    // SAFETY: sets a number that is read when memory is freed
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, 2000) }
}
