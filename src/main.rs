#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    leave_pages();
    weir::cli::main()
}

/// Pages of which a thread has enough are left to the others (`MIMALLOC_PAGE_MAX_RECLAIM` overrides it; -1 is what mimalloc does by itself):
/// reading an object of 1 GB from a file took 265 MiB, and 276 without it (`/usr/bin/time -v weir run`). What is freed stays for what is needed
/// next, up to a second, or until much is resident (`Memory::give_back`).
fn leave_pages() {
    use libmimalloc_sys::{_mi_option_last, mi_option_set_default, mi_option_t};
    /// `mi_option_page_max_reclaim` of mimalloc 3, which the crate does not name; it is 41 of 47.
    const PAGE_MAX_RECLAIM: mi_option_t = _mi_option_last - 6;
    // SAFETY: sets a number that is read when memory is freed
    unsafe { mi_option_set_default(PAGE_MAX_RECLAIM, 0) }
}
