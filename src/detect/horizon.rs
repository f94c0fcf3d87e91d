//! How far each partition of input that goes on has been read → the time that windows go by.
//!
//! Windows leave when rows for them have had time to come. By the process's clock alone, one shard that is read hours late
//! would find the windows of its rows gone, told of with the rows of the others alone. So they go by a clock that stands
//! where the slowest partition does. What moves it is when rows came into the stream, and not what time they say they are
//! of: a row from the future moves nothing.

use std::collections::BTreeMap;

use super::window::bytes::{Reader, Writer};
use crate::time::{MICROS_PER_SECOND, Timestamp};

/// A partition that nothing was heard of for so long holds nobody back: it is read no more, or cannot be. Rows that it
/// brings later may be late, and are counted then.
const IDLE_MICROS: i64 = 600 * MICROS_PER_SECOND;

/// After a restart windows stay for so long as they were: rows that waited for the process begin to come, and a window
/// that has some stays for them.
const RESTART_MICROS: i64 = 120 * MICROS_PER_SECOND;

/// A row later than this after the process's clock is from the future.
pub const SKEW_MICROS: i64 = 600 * MICROS_PER_SECOND;

/// Where the clock of windows stands.
#[derive(Debug, Default, PartialEq)]
pub struct Horizon {
    partitions: BTreeMap<String, Read>,
    /// What the process's clock said last, and in an earlier run.
    now: Option<Timestamp>,
    before: Option<Read>,
}

#[derive(Debug, PartialEq)]
struct Read {
    /// All that came until then has been read.
    until: Timestamp,
    /// When that was heard; `None` of an earlier run, until it is first asked.
    heard: Option<Timestamp>,
}

impl Read {
    /// Whether it was heard within so long.
    fn holds(&mut self, now: Timestamp, within: i64) -> bool {
        self.heard.get_or_insert(now).0.saturating_add(within) > now.0
    }
}

impl Horizon {
    /// Notes that all that came into a partition until then has been read, and its rows been given.
    pub fn reached(&mut self, partition: &str, until: Timestamp, now: Timestamp) {
        let read = Read { until, heard: Some(now) };
        match self.partitions.get_mut(partition) {
            Some(known) => *known = read,
            None => drop(self.partitions.insert(partition.to_owned(), read)),
        }
    }

    /// The time that windows go by: that of the slowest partition, at most the process's own.
    pub fn at(&mut self, now: Timestamp) -> Timestamp {
        self.now = Some(now);
        self.partitions.retain(|_, read| read.holds(now, IDLE_MICROS));
        if self.before.as_mut().is_some_and(|read| !read.holds(now, RESTART_MICROS)) {
            self.before = None;
        }
        let all = self.partitions.values().chain(&self.before);
        all.map(|read| read.until).fold(now, Timestamp::min)
    }

    /// Stands for a time where it stood in an earlier run, of which nothing else is known.
    pub fn stand(&mut self, at: Option<Timestamp>) {
        *self = Horizon { before: at.map(|until| Read { until, heard: None }), ..Horizon::default() };
    }

    pub fn write(&self, to: &mut Writer) {
        to.number(self.partitions.len() as u64);
        for (partition, read) in &self.partitions {
            to.bytes(partition.as_bytes());
            to.signed(read.until.0);
        }
        let now = self.now.or(self.before.as_ref().map(|read| read.until));
        let now = now.map(|now| now.0.to_le_bytes());
        to.optional(now.as_ref().map(|now| &now[..]));
    }

    /// What [`Horizon::write`] wrote; `None` when it did not.
    pub fn read(from: &mut Reader) -> Option<Horizon> {
        let mut horizon = Horizon::default();
        let unheard = |micros: i64| Read { until: Timestamp(micros), heard: None };
        for _ in 0..from.number()? {
            let partition = from.text()?;
            horizon.partitions.insert(partition, unheard(from.signed()?));
        }
        if let Some(now) = from.optional()? {
            horizon.before = Some(unheard(i64::from_le_bytes(now.try_into().ok()?)));
        }
        Some(horizon)
    }
}
