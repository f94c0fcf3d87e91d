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

use serde::{Deserialize, Deserializer, de};

use crate::aws::Role;
pub use object::{Known, temporary};

/// The `[source.s3]` section: how the buckets and queues that `from` names are read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Objects that are fetched at the same time, 1 at least. Together at most 64 MiB of them are in memory.
    #[serde(deserialize_with = "Settings::at_once")]
    pub objects_at_once: u32,
    /// Seconds for which SQS hides a notice from other workers, 2 to 43,200; extended for as long as its objects are worked on.
    #[serde(deserialize_with = "Settings::visibility")]
    pub visibility_seconds: u32,
    /// Role to take on for the buckets and queues, in place of that of `[aws]`.
    pub assume_role: Option<Role>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { objects_at_once: 16, visibility_seconds: 300, assume_role: None }
    }
}

impl Settings {
    fn at_once<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        match u32::deserialize(deserializer)? {
            0 => Err(de::Error::custom("objects_at_once is 0, and must be 1 or more")),
            objects => Ok(objects),
        }
    }

    fn visibility<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        let seconds = u32::deserialize(deserializer)?;
        match seconds {
            // SQS hides nothing for longer than 12 hours
            2..=43_200 => Ok(seconds),
            _ => Err(de::Error::custom(format!("visibility_seconds is {seconds}, and must be 2 to 43200"))),
        }
    }
}

/// How long to wait before trying again: a second, then twice as long each time, 30 seconds at most.
fn pause(tries: u32) -> Duration {
    Duration::from_secs(30.min(1 << tries.min(5)))
}
