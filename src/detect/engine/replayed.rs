//! Archived rows, day by day → what rules over windows remember of them, as if they had come as a stream.

use std::collections::BTreeSet;

use super::windows::lateness;
use super::{Detector, Place};
use crate::detect::compile::Then;
use crate::finding::Finding;
use crate::table::{Batch, Table};
use crate::time::{MICROS_PER_DAY, Timestamp};

impl Detector {
    /// How many days before the newest row of a table have rows that its rules may still count: of those over windows, windows that
    /// are not over, of all others the findings of one period. `None` where it has no rules.
    pub fn days_open(&self, table: &Table) -> Option<i32> {
        let rules = self.tables.iter().find(|rules| std::ptr::eq(rules.table, table))?;
        let open = rules.rules.iter().map(|rule| match &rule.then {
            Then::Window(plan, _) => {
                plan.span.size.saturating_mul(2).saturating_add(lateness(rule, self.fires_at_once(plan)))
            }
            Then::Emit(_) => rule.rule.dedupe_micros,
        });
        let days = open.max()?.div_euclid(MICROS_PER_DAY).saturating_add(1);
        Some(i32::try_from(days).unwrap_or(i32::MAX))
    }

    /// Takes in rows of one day, in any order, as if they came at `touched`; `end` is that of the day. Windows do not leave for it,
    /// see [`Detector::pass`].
    pub fn replay(&mut self, batches: &[Batch], touched: Timestamp, end: Timestamp) -> Vec<Finding> {
        let found = self.take_in(batches, &|_| true, touched);
        self.conclude(found, end)
    }

    /// Lets go of the windows that are over at that time, where the input goes on for ever, and gives the findings of those that
    /// waited for it.
    pub fn pass(&mut self, now: Timestamp) -> Vec<Finding> {
        let found = if self.follows { self.leave(now) } else { Vec::new() };
        self.conclude(found, now)
    }

    /// Goes on with what another detector remembers of these rules, in place of what this one does.
    pub fn take_windows(&mut self, from: &mut Detector, rules: &BTreeSet<String>) {
        for place in self.places(rules) {
            let id = &self.rule(place).rule.id;
            let known = from.windows.keys().copied().find(|known| from.rule(*known).rule.id == *id);
            if let Some(windows) = known.and_then(|known| from.windows.remove(&known)) {
                self.windows.insert(place, windows);
            }
        }
    }

    /// Goes on with the findings that another detector has counted of each rule. Windows stay for a time as they were at `newest`.
    pub fn take_shared(&mut self, from: &mut Detector, newest: Option<Timestamp>) {
        self.floods.take_over(std::mem::take(&mut from.floods));
        self.horizon.stand(newest);
    }

    fn places(&self, rules: &BTreeSet<String>) -> Vec<Place> {
        self.windows.keys().copied().filter(|place| rules.contains(&self.rule(*place).rule.id)).collect()
    }
}
