//! Instants: microseconds since 1970-01-01T00:00:00Z, parsed from and shown as RFC 3339 text.

use std::fmt;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};

/// A moment in UTC, in microseconds since the Unix epoch.
///
/// The range is that of `i64`; text outside the years 0 to 9999 is not accepted by [`Timestamp::parse`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

pub const MICROS_PER_SECOND: i64 = 1_000_000;
pub const MICROS_PER_HOUR: i64 = 3_600 * MICROS_PER_SECOND;
pub const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;

impl Timestamp {
    /// The present moment of this machine's clock. Only `source`, `pipeline` and `cli` may call this:
    /// every stage after them is told the time.
    pub fn now() -> Timestamp {
        Timestamp(Utc::now().timestamp_micros())
    }

    pub fn from_seconds(seconds: i64) -> Timestamp {
        Timestamp(seconds.saturating_mul(MICROS_PER_SECOND))
    }

    /// Reads RFC 3339 text such as `2024-08-01T11:30:23Z`, `2024-08-01T11:30:23.5+02:00`, the basic form
    /// `20131102T010628Z` that older CloudTrail session contexts use, or a bare date (midnight UTC).
    pub fn parse(text: &str) -> Option<Timestamp> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Some(Timestamp(time.timestamp_micros()));
        }
        if let Ok(time) = chrono::NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ") {
            return Some(Timestamp(time.and_utc().timestamp_micros()));
        }
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(Timestamp(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros()))
    }

    /// Days since 1970-01-01, rounded down: the `day` partition of the archive and of finding ids.
    pub fn day(self) -> i32 {
        i32::try_from(self.0.div_euclid(MICROS_PER_DAY)).unwrap_or(if self.0 < 0 { i32::MIN } else { i32::MAX })
    }
}

impl fmt::Display for Timestamp {
    /// `2024-08-01T11:30:23Z`, with a fraction only where there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_timestamp_micros(self.0) {
            Some(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            None => write!(f, "{} us", self.0),
        }
    }
}

/// `2024-08-01` for a number of days since 1970-01-01.
pub fn day_text(day: i32) -> String {
    Timestamp(i64::from(day) * MICROS_PER_DAY).to_string()[..].split('T').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_three_notations() {
        assert_eq!(Timestamp::parse("2024-08-01T11:30:23Z"), Some(Timestamp(1_722_511_823_000_000)));
        assert_eq!(Timestamp::parse("2024-08-01T13:30:23.5+02:00"), Some(Timestamp(1_722_511_823_500_000)));
        assert_eq!(Timestamp::parse("20240801T113023Z"), Some(Timestamp(1_722_511_823_000_000)));
        assert_eq!(Timestamp::parse("2024-08-01"), Some(Timestamp(1_722_470_400_000_000)));
        assert_eq!(Timestamp::parse("Aug 1, 2024"), None);
    }

    #[test]
    fn shows_a_fraction_only_where_there_is_one() {
        assert_eq!(Timestamp(1_722_511_823_000_000).to_string(), "2024-08-01T11:30:23Z");
        assert_eq!(Timestamp(1_722_511_823_500_000).to_string(), "2024-08-01T11:30:23.500Z");
    }

    #[test]
    fn days_before_the_epoch_round_down() {
        assert_eq!(Timestamp(-1).day(), -1);
        assert_eq!(day_text(-1), "1969-12-31");
    }
}
