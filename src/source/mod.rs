//! Where bytes come from.

pub mod file;
pub mod layout;
pub mod plan;
pub mod notice;
pub mod shards;
