//! Where bytes come from.

pub mod file;
