//! Rules that ask what is new, and what they know of the time before they were there.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::Detector;
use crate::detect::joined::Joined;
use crate::detect::window::gather::Wanted;
use crate::detect::window::plan::FirstSeen;
use crate::memory::Memory;
use crate::rule::{Learns, Rule};
use crate::table::{Batch, Table};
use crate::time::{MICROS_PER_DAY, Timestamp};

/// A rule that asks what is new, or what is usual.
pub struct Asks<'a> {
    pub rule: &'a Rule,
    pub table: &'static Table,
    /// How many days before a row matter to it.
    pub days: i32,
}

impl Detector {
    /// The rules that ask what is new, of those that are compiled.
    pub fn ask_what_is_new(&self) -> impl Iterator<Item = Asks<'_>> {
        self.windows.keys().filter_map(|place| {
            let plan = self.windowed(*place).0;
            let FirstSeen { panes, .. } = plan.first?;
            let days = (panes + 1).saturating_mul(plan.span.size).div_euclid(MICROS_PER_DAY).saturating_add(1);
            let days = i32::try_from(days).unwrap_or(i32::MAX);
            Some(Asks { rule: &self.rule(*place).rule, table: self.tables[place.0].table, days })
        })
    }

    /// The rules that score, which ask what is usual, of those that are compiled.
    pub fn ask_what_is_usual(&self) -> impl Iterator<Item = Asks<'_>> {
        self.windows.keys().filter_map(|place| {
            let days = self.windowed(*place).0.scored?.what.days_kept();
            Some(Asks { rule: &self.rule(*place).rule, table: self.tables[place.0].table, days })
        })
    }

    /// The rules that judge by what was before, those that ask what is new or those that score, and need not be compiled for it.
    pub fn learn(&self, what: Learns) -> impl Iterator<Item = &Rule> {
        self.rules().filter(move |rule| rule.learns == Some(what))
    }

    /// What windows, what was seen and what was learnt may take.
    pub fn memory(&self) -> Memory {
        self.memory
    }

    /// Leaves what these rules remember out of what is saved: who restores it has to find out anew what was seen before.
    pub fn do_not_keep(&mut self, rules: impl IntoIterator<Item = String>) {
        self.not_kept.extend(rules);
    }

    /// Notes what these batches have that rules may ask for as new, and judges nothing. In any order, and again, it comes to the
    /// same.
    pub fn see(&mut self, batches: &[Batch]) {
        let asks = |place: &super::Place| self.windowed(*place).0.first.is_some();
        let wanted: BTreeSet<String> =
            self.windows.keys().filter(|place| asks(place)).map(|place| self.rule(*place).rule.id.clone()).collect();
        let parts = Joined::of(batches, rayon::current_num_threads());
        let judged: Vec<_> =
            parts.par_iter().map(|part| self.judge(part, &|id| wanted.contains(id), |_| Wanted::None)).collect();
        for (place, selected) in judged.into_iter().flat_map(|judged| judged.selected) {
            let first = self.windowed(place).0.first;
            let windows = self.windows.get_mut(&place).expect("the rule has windows");
            first.into_iter().for_each(|first| windows.see(&selected, first));
        }
        self.shed([usize::MAX, self.state_bytes_max()[1], usize::MAX], Timestamp(0));
    }

    /// Takes what the rules of another detector have seen, rule by rule.
    pub fn take_seen(&mut self, from: Detector) {
        let places: Vec<_> = self.windows.keys().copied().collect();
        let mut from_windows = from.windows;
        for place in places {
            let known = from_windows
                .keys()
                .copied()
                .find(|known| from.tables[known.0].rules[known.1].rule.id == self.rule(place).rule.id);
            if let Some(windows) = known.and_then(|known| from_windows.remove(&known)) {
                self.windows.get_mut(&place).expect("the rule has windows").seen = windows.seen;
            }
        }
    }
}
