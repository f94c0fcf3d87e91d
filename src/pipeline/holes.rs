//! Findings that windows were lost for want of room → the days of rules that the archive is asked for again, and what it told → findings.

use std::collections::BTreeMap;

use super::restored::Closed;
use crate::detect::Detector;
use crate::detect::quarantine::{self, Tried};
use crate::finding::{Finding, FindingId};
use crate::rule::Rule;
use crate::time::Timestamp;
use crate::triage::Triage;

/// First and last day.
pub type Range = (i32, i32);

/// A rule that lost windows which are over, and what says so.
pub struct Lost {
    pub rule: Rule,
    /// How many days before and behind its windows, and what it asks, reach.
    pub around: [i32; 2],
    /// Of days that touch, and these.
    pub holes: Vec<Finding>,
    pub days: Range,
}

/// The same, once its days were judged again.
pub struct Judged {
    pub rule: String,
    pub holes: Vec<Finding>,
    pub days: Range,
    /// Archived rows of these days, and all that the rule finds in them; or why it cannot be said.
    pub told: Result<(u64, Vec<Finding>), Tried>,
}

/// What was lost and not judged again yet, or in vain and with less room. Of a window that may get more rows a later time tells.
pub fn lost(detector: &Detector, triage: &Triage, now: Timestamp) -> Vec<Lost> {
    let [room, ..] = detector.state_bytes_max();
    let mut of_rules: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for hole in triage.holes(room) {
        of_rules.entry(quarantine::rule_of(hole)).or_default().push(hole);
    }
    let mut all = Vec::new();
    for rule in detector.rules() {
        let Some(holes) = of_rules.remove(&*rule.id) else { continue };
        let around = detector.days_around_lost(&rule.id);
        let is_over = |hole: &&Finding| hole.last_seen.day().saturating_add(around[1]) < now.day();
        let over = holes.into_iter().filter(is_over).cloned().collect();
        let lost = |(days, holes)| Lost { rule: rule.clone(), around, holes, days };
        all.extend(together(over).into_iter().map(lost));
    }
    all
}

/// The days that a finding's window reaches into, or its rows. A frame ends with its row, other windows before the moment that is their end.
pub fn days_of(finding: &Finding) -> Range {
    let (start, end) = finding.window.unwrap_or((finding.first_seen, finding.last_seen));
    (start.min(finding.first_seen).day(), finding.last_seen.max(Timestamp(end.0 - 1)).day())
}

/// Those of days that touch, with these days.
fn together(mut holes: Vec<Finding>) -> Vec<(Range, Vec<Finding>)> {
    holes.sort_by_key(|hole| hole.first_seen);
    let mut all: Vec<(Range, Vec<Finding>)> = Vec::new();
    for hole in holes {
        let (first, last) = (hole.first_seen.day(), hole.last_seen.day());
        match all.last_mut() {
            Some(((_, end), holes)) if first <= end.saturating_add(1) => {
                *end = last.max(*end);
                holes.push(hole);
            }
            _ => all.push(((first, last), vec![hole])),
        }
    }
    all
}

impl Closed {
    /// Takes what came of it; gives how many of the findings nobody had been told of. What says that more was lost since it was asked stays
    /// as it is.
    pub fn take(&mut self, judged: Judged, triage: &Triage, now: Timestamp) -> usize {
        let is_missing =
            |finding: &&Finding| triage.severity(&finding.id).is_none() && !triage.suppressions().covers(finding, now);
        let days = |finding: &Finding| (finding.id, days_of(finding));
        let found = judged.told.as_ref().map_or(&[][..], |(_, found)| found);
        let missing: BTreeMap<FindingId, Range> = found.iter().filter(is_missing).map(days).collect();
        for hole in judged.holes.iter().filter(|hole| triage.count(&hole.id) == Some(hole.count)) {
            let is_of_it = |(first, last): &&Range| *first <= hole.last_seen.day() && hole.first_seen.day() <= *last;
            let tried = match &judged.told {
                Ok(_) => Tried::Closed { missed: missing.values().filter(is_of_it).count() as u64 },
                Err(in_vain) => in_vain.clone(),
            };
            self.holes.insert(hole.id, tried);
        }
        self.found.extend(judged.told.map_or_else(|_| Vec::new(), |(_, found)| found));
        missing.len()
    }
}
