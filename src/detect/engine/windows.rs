//! Selected rows → windows, and the findings of those that fire or are over.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Instant;

use datafusion::common::Result;
use rayon::prelude::*;

use super::{Detector, Place, RuleCost, fold};
use crate::detect::compile::{CompiledRule, OVERRIDES, Then};
use crate::detect::quarantine::{self, failed, halves};
use crate::detect::window::fire::{self, Items};
use crate::detect::window::frame::Graded;
use crate::detect::window::gather::Selected;
use crate::detect::window::plan::Window;
use crate::detect::window::score::What;
use crate::detect::window::state::{Added, Key, Windows};
use crate::finding::Finding;
use crate::time::{MICROS_PER_DAY, MICROS_PER_SECOND, Timestamp};

/// How long rows may come late where a rule does not say: one that fires early loses nothing by waiting long, one that
/// fires only when a window is over makes people wait. CloudTrail delivers within 15 minutes, mostly.
const LATENESS_EARLY: i64 = MICROS_PER_DAY;
const LATENESS: i64 = 20 * 60 * MICROS_PER_SECOND;

/// How long a rule's windows wait for rows, which fires at once or when they are over.
pub(super) fn lateness(rule: &CompiledRule, at_once: bool) -> i64 {
    rule.rule.lateness_micros.unwrap_or(if at_once { LATENESS_EARLY } else { LATENESS })
}

/// Windows that a rule fails on together, and why.
type Failures = Vec<(Vec<Window>, String)>;

impl Detector {
    /// Puts rows into their windows, and gives the findings of those that need not be waited for. Rules are apart in this, and are worked
    /// on side by side.
    pub(super) fn add_up(&mut self, selected: Vec<(Place, Selected)>, now: Timestamp) -> Vec<Finding> {
        let mut of_rules = BTreeMap::<Place, Vec<Selected>>::new();
        for (place, selected) in selected {
            of_rules.entry(place).or_default().push(selected);
        }
        let mut windows = std::mem::take(&mut self.windows);
        let apart = windows.iter_mut().filter_map(|(place, windows)| Some((*place, windows, of_rules.remove(place)?)));
        let added: Vec<_> = apart
            .collect::<Vec<_>>()
            .into_par_iter()
            .with_max_len(1)
            .map(|(place, windows, selected)| (place, self.add(place, windows, selected, now)))
            .collect();
        self.windows = windows;
        assert!(of_rules.is_empty(), "rules that select rows for windows have some");
        let mut changed: BTreeMap<Place, BTreeSet<(Key, i64)>> = BTreeMap::new();
        let mut holes = Vec::new();
        for (place, (added, seconds)) in added {
            changed.insert(place, added.changed);
            holes.extend(added.lost.iter().map(|left| self.hole(place, left)));
            let cost = RuleCost { seconds, late: added.late, ..RuleCost::default() };
            self.spend(&self.rule(place).rule.clone(), cost);
        }
        let edited: Vec<Place> =
            self.windows.iter().filter(|(_, windows)| windows.edited).map(|(place, _)| *place).collect();
        for place in edited {
            let at_once = self.fires_at_once(self.windowed(place).0);
            let windows = self.windows.get_mut(&place).expect("it was just there");
            windows.edited = false;
            if at_once {
                changed.entry(place).or_default().extend(windows.all());
            }
        }
        changed.retain(|_, changed| !changed.is_empty());
        let fired: Vec<_> = changed
            .into_iter()
            .collect::<Vec<_>>()
            .into_par_iter()
            .with_max_len(1)
            .map(|(place, changed)| (place, self.fired(place, &changed)))
            .collect();
        let mut found = Vec::new();
        for (place, (more, cost)) in fired {
            self.spend(&self.rule(place).rule.clone(), cost);
            found.extend(more);
        }
        found.into_iter().chain(fold(holes)).collect()
    }

    /// Rows of one rule into its windows, and the seconds that it took.
    fn add(&self, place: Place, windows: &mut Windows, selected: Vec<Selected>, now: Timestamp) -> (Added, f64) {
        let start = Instant::now();
        let plan = self.windowed(place).0;
        let foreseen = plan.foreseen && self.follows;
        let at_once = self.fires_at_once(plan) || foreseen;
        let mut all = Added::default();
        for selected in selected {
            let Added { mut changed, late, lost } = windows.add(plan, selected, at_once, now);
            if foreseen {
                changed.retain(|(_, pane)| windows.foreseen == Some(*pane));
            }
            all.changed.extend(changed);
            all.late += late;
            all.lost.extend(lost);
        }
        (all, start.elapsed().as_secs_f64())
    }

    /// Lets go of the windows that are over, and gives the findings of those that waited for it.
    pub(super) fn leave(&mut self, now: Timestamp) -> Vec<Finding> {
        let mut found = Vec::new();
        let places: Vec<Place> = self.windows.keys().copied().collect();
        for place in places {
            let (plan, _) = self.windowed(place);
            let (span, first, early) = (plan.span, plan.first, self.fires_at_once(plan));
            let (scored, foreseen) = (plan.scored.is_some(), plan.foreseen && self.follows);
            let lateness = lateness(self.rule(place), early);
            // what frames wait for is over long before no frame needs its rows any more
            let waits = span.frame.is_some() && !early;
            while waits && let Some(pane) = self.windows[&place].closing(span, lateness, now) {
                found.extend(self.fire(place, &self.windows[&place].of_pane(pane)));
                self.windows.get_mut(&place).expect("the rule has windows").close(pane);
            }
            while let Some(pane) = self.windows[&place].over(span, lateness, now) {
                if span.session {
                    self.windows.get_mut(&place).expect("the rule has windows").carry(span.slide, pane);
                }
                if scored {
                    found.extend(self.close_oldest(place));
                } else if !early && !waits {
                    found.extend(self.tell_over(place, pane));
                }
                let windows = self.windows.get_mut(&place).expect("the rule has windows");
                windows.drop_through(pane);
                first.into_iter().for_each(|first| windows.forget_seen(first));
            }
            let windows = self.windows.get_mut(&place).expect("the rule has windows");
            if foreseen && let Some(pane) = windows.foresee(span, lateness, now) {
                let groups = windows.of_pane(pane);
                found.extend(self.fire(place, &groups));
            }
        }
        found
    }

    /// Findings of the oldest pane of a rule that scores; it has taught, and leaves.
    pub(super) fn close_oldest(&mut self, place: Place) -> Vec<Finding> {
        let start = Instant::now();
        let Then::Window(plan, _) = &self.tables[place.0].rules[place.1].then else {
            unreachable!("only rules over windows have windows");
        };
        let windows = self.windows.get_mut(&place).expect("the rule has windows");
        let before = windows.rows();
        let closed = windows.close_oldest(plan);
        let closed = closed.map_err(|error| (error.strip_backtrace(), before - windows.rows()));
        self.tell(place, closed, start)
    }

    /// Findings of the windows that are over with the oldest pane.
    fn tell_over(&mut self, place: Place, pane: i64) -> Vec<Finding> {
        let start = Instant::now();
        let windows = self.windows[&place].ending(self.windowed(place).0, pane);
        self.tell(place, Ok(windows), start)
    }

    /// Findings of the windows that hold these groups.
    pub(super) fn fire(&mut self, place: Place, groups: &BTreeSet<(Key, i64)>) -> Vec<Finding> {
        let (found, cost) = self.fired(place, groups);
        self.spend(&self.rule(place).rule.clone(), cost);
        found
    }

    /// The same, and what it took.
    pub(super) fn fired(&self, place: Place, groups: &BTreeSet<(Key, i64)>) -> (Vec<Finding>, RuleCost) {
        let start = Instant::now();
        let (plan, names) = self.windowed(place);
        let windows = &self.windows[&place];
        let rule = &self.rule(place).rule;
        let column = names.iter().position(|name| name == "severity");
        let graded = column.map(|column| Graded { column, otherwise: rule.severity });
        let mut found = match plan.span.frame {
            Some(_) => windows.bursts(plan, rule.dedupe_micros, graded, groups),
            None => windows.windows(plan, false, groups),
        };
        // nothing happens to those that are not scored
        let mut foreseen = plan.foresee(&windows.model, &mut found);
        if let Some(scored) = plan.scored.filter(|scored| scored.what == What::Hours)
            && let Some(pane) = windows.foreseen
            && found.iter().any(|window| window.score.is_some_and(|score| score.is_within(scored.budget)))
        {
            // what many do in one hour is no oddity of those whose rows came now
            found = windows.windows(plan, false, &windows.of_pane(pane));
            foreseen = plan.foresee(&windows.model, &mut found);
        }
        let rows = found.iter().map(|window| window.group.rows).sum();
        self.told(place, foreseen.map(|_| found).map_err(|error| (error.strip_backtrace(), rows)), start)
    }

    /// Findings of windows that were begun to be looked at some time ago; or why they could not be scored, and their rows.
    fn tell(
        &mut self,
        place: Place,
        windows: std::result::Result<Vec<Window>, (String, u64)>,
        start: Instant,
    ) -> Vec<Finding> {
        let (found, cost) = self.told(place, windows, start);
        self.spend(&self.rule(place).rule.clone(), cost);
        found
    }

    /// The same, and what it took.
    pub(super) fn told(
        &self,
        place: Place,
        windows: std::result::Result<Vec<Window>, (String, u64)>,
        start: Instant,
    ) -> (Vec<Finding>, RuleCost) {
        let (found, mut cost) = match windows {
            Ok(windows) => match self.judge_windows(place, &windows) {
                Ok((found, ungraded)) => (found, RuleCost { ungraded, ..RuleCost::default() }),
                Err(error) => self.judge_apart(place, &windows, error.strip_backtrace()),
            },
            Err((error, failed)) => (Vec::new(), RuleCost { failed, error: Some(error), ..RuleCost::default() }),
        };
        cost.seconds = start.elapsed().as_secs_f64();
        (found, cost)
    }

    /// The same of windows of which some make the rule fail.
    fn judge_apart(&self, place: Place, windows: &[Window], error: String) -> (Vec<Finding>, RuleCost) {
        let rule = &self.rule(place).rule;
        let mut cost = RuleCost { error: Some(error.clone()), ..RuleCost::default() };
        let each: Vec<Range<usize>> = (0..windows.len()).map(|at| at..at + 1).collect();
        let (mut answers, mut failures) = self.judge_stretches(place, windows, &each, error.clone());
        let failed_len = |failures: &Failures| failures.iter().map(|(windows, _)| windows.len()).sum::<usize>();
        if failures.iter().any(|(windows, _)| windows.len() > 1) {
            // many windows fail: those may be the ones that have some value
            let ways = self.windowed(place).0.alike(windows).unwrap_or_default();
            for (order, stretches) in ways {
                let ordered: Vec<Window> = order.into_iter().map(|at| windows[at].clone()).collect();
                let other = self.judge_stretches(place, &ordered, &stretches, error.clone());
                if failed_len(&other.1) < failed_len(&failures) {
                    (answers, failures) = other;
                }
            }
        }
        let (mut found, mut wrong) = (Vec::new(), Vec::new());
        for (more, ungraded) in answers {
            found.extend(more);
            cost.ungraded += ungraded;
        }
        for (windows, error) in failures {
            for Window { group, .. } in windows {
                cost.failed += group.rows;
                let name = |name: Option<&str>| name.unwrap_or("unknown").to_owned();
                let (account, region) = (name(group.account.least()), name(group.region.least()));
                let event_id = group.event_ids.as_slice().first().map(|(_, id)| id.with_text(str::to_owned));
                let at = quarantine::Place { time: Timestamp(group.first), account, region, event_id };
                wrong.push(failed(rule, &error, at));
            }
        }
        // several windows of one id, asked apart
        let mut by_id = BTreeMap::<_, Finding>::new();
        for finding in found {
            match by_id.entry(finding.id) {
                Entry::Occupied(mut known) => known.get_mut().fold(finding),
                Entry::Vacant(place) => drop(place.insert(finding)),
            }
        }
        (by_id.into_values().chain(fold(wrong)).collect(), cost)
    }

    /// What comes of windows that are asked in stretches, each of which is told or fails as a whole.
    fn judge_stretches(
        &self,
        place: Place,
        windows: &[Window],
        stretches: &[Range<usize>],
        error: String,
    ) -> (Vec<(Vec<Finding>, u64)>, Failures) {
        let within = |part: &[Range<usize>]| match part {
            [first, .., last] => &windows[first.start..last.end],
            [one] => &windows[one.clone()],
            [] => &[],
        };
        let (answers, failures) = halves(stretches, error, |part| self.judge_windows(place, within(part)));
        (answers, failures.into_iter().map(|(part, error)| (within(part).to_vec(), error)).collect())
    }

    pub(super) fn judge_windows(&self, place: Place, windows: &[Window]) -> Result<(Vec<Finding>, u64)> {
        let (plan, names) = self.windowed(place);
        fire::findings(&self.rule(place).rule, plan, &Items { names, overrides: &OVERRIDES }, windows)
    }
}
