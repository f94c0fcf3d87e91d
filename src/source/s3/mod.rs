//! S3 → pieces of whole records: a prefix of a bucket that is read once (`backfill`), or the objects that a queue tells
//! of as they come (`notices`).

pub mod backfill;
mod body;
mod bucket;
mod days;
mod held;
pub mod named;
pub mod notices;
mod object;
pub mod probe;
mod queue;
#[cfg(test)]
#[path = "../../../tests/it/s3_fake.rs"]
pub mod fake;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::Deserialize;

use crate::aws::Role;
pub use object::{Known, temporary};

/// The `[source.s3]` section: how the buckets and queues that `from` names are read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Objects that are fetched at the same time. Together at most 64 MiB of them are in memory.
    pub objects_at_once: u32,
    /// Seconds for which SQS hides a notice from other workers; extended for as long as its objects are worked on.
    pub visibility_seconds: i32,
    /// Role to take on for the buckets and queues, in place of that of `[aws]`.
    pub assume_role: Option<Role>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { objects_at_once: 16, visibility_seconds: 300, assume_role: None }
    }
}

/// How long to wait before trying again: a second, then twice as long each time, 30 seconds at most.
fn pause(tries: u32) -> Duration {
    Duration::from_secs(30.min(1 << tries.min(5)))
}
