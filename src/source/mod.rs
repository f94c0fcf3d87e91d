//! Where bytes come from.

pub mod layout;
pub mod file;
pub mod plan;
pub mod notice;
pub mod shards;
