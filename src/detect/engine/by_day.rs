//! Input that ends and comes day by day, each in any order → findings as of all rows at once, with the windows of few days in memory.

use super::{Detector, Place};
use crate::detect::window::state::Windows;
use crate::finding::Finding;
use crate::table::Batch;
use crate::time::{MICROS_PER_DAY, Timestamp};

impl Detector {
    /// Days before a day, and days behind it, whose rows matter to what a rule says of that day: those of windows that go past its ends,
    /// and those that what is new or unusual is asked of. Of a session that lasts longer than a day some may lie further away.
    pub fn days_around(&self, rule: &str) -> [i32; 2] {
        let Some(place) = self.places.get(rule).filter(|place| self.windows.contains_key(place)) else { return [0; 2] };
        let span = self.windowed(*place).0.span;
        let ends_with_day =
            span.frame.is_none() && !span.session && span.slide == span.size && MICROS_PER_DAY % span.size == 0;
        let days = span.size.div_euclid(MICROS_PER_DAY) + i64::from(span.size % MICROS_PER_DAY > 0);
        let size = if ends_with_day { 0 } else { i32::try_from(days).unwrap_or(i32::MAX) };
        let asks = self.ask_what_is_new().chain(self.ask_what_is_usual()).find(|asks| asks.rule.id == rule);
        // a frame ends with its row
        [asks.map_or(size, |asks| asks.days.max(size)), if span.frame.is_some() { 0 } else { size }]
    }

    /// The same for days on which rows of windows were lost: before and behind them are the rows of every window that reaches into them,
    /// and a frame that ends with a later row is one.
    pub fn days_around_lost(&self, rule: &str) -> [i32; 2] {
        let [before, behind] = self.days_around(rule);
        let place = self.places.get(rule).filter(|place| self.windows.contains_key(place));
        let is_frame = place.is_some_and(|place| self.windowed(*place).0.span.frame.is_some());
        [before, if is_frame { before } else { behind }]
    }

    /// Begins anew, and from now on keeps only the windows of keys that are one part of so many. False, and nothing changes, where a rule
    /// asks of a key what others had.
    pub fn begin_part(&mut self, part: u64, parts: u64) -> bool {
        let is_alone = |place: &Place| {
            let plan = self.windowed(*place).0;
            plan.first.is_none() && plan.scored.is_none()
        };
        if parts > 1 && !self.windows.keys().all(is_alone) {
            return false;
        }
        for windows in self.windows.values_mut() {
            *windows = Windows::default();
            windows.part = (parts > 1).then_some([part, parts]);
        }
        true
    }

    /// Findings of the wanted rules of some rows of a day.
    pub fn observe_for(&mut self, wanted: &(dyn Fn(&str) -> bool + Sync), batches: &[Batch]) -> Vec<Finding> {
        let found = self.take_in(batches, wanted, Timestamp(0));
        self.conclude(found, Timestamp(0))
    }

    /// Notes that all rows from before that time have come. Windows that are over leave, with the findings of those that waited for it.
    pub fn all_came(&mut self, until: Timestamp) -> Vec<Finding> {
        let found = self.leave(until);
        self.conclude(found, until)
    }
}
