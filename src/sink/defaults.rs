//! What every service that findings are sent to has for a default.

/// Hours after which a finding that only grew is sent again.
pub fn repeat_hours() -> u32 {
    24
}

/// Seconds that the end of a run waits for what is not accepted yet.
pub fn drain_seconds() -> u64 {
    30
}
