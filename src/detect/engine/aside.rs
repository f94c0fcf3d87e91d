//! What rules make of batches that nobody is told of: for cases, backtests and explanations. Costs nobody anything.

use std::collections::BTreeMap;

use datafusion::common::Result;

use super::{Detector, Place, fold};
use crate::detect::emit;
use crate::detect::window::gather::Wanted;
use crate::detect::window::plan::{Window, Windowed};
use crate::detect::window::state::Windows;
use crate::finding::Finding;
use crate::table::Batch;
use crate::time::Timestamp;

impl Detector {
    /// Findings of one rule, or why it failed. Costs nobody anything.
    pub fn observe_one(&self, rule: &str, batches: &[Batch]) -> std::result::Result<Vec<Finding>, String> {
        self.observe_each(&|id| id == rule, batches).remove(rule).unwrap_or(Ok(Vec::new()))
    }

    /// Findings of each of the wanted rules, by id, or why it failed; nothing of those that found nothing. Costs nobody
    /// anything.
    pub fn observe_each(
        &self,
        wanted: &dyn Fn(&str) -> bool,
        batches: &[Batch],
    ) -> BTreeMap<String, std::result::Result<Vec<Finding>, String>> {
        let (mut each, mut windows) = (BTreeMap::new(), BTreeMap::<Place, Windows>::new());
        for judged in batches.iter().map(|batch| self.judge(&batch.into(), wanted, |_| Wanted::All)) {
            judged.found.into_iter().for_each(|finding| put(&mut each, finding));
            for (place, selected) in judged.selected {
                windows.entry(place).or_default().add(self.windowed(place).0, selected, false, Timestamp(0));
            }
            for (place, cost) in judged.costs {
                if let Some(error) = cost.error {
                    each.insert(self.rule(place).rule.id.clone(), Err(error));
                }
            }
        }
        let mut each: BTreeMap<_, _> = each.into_iter().map(|(id, found)| (id, found.map(fold))).collect();
        for (place, windows) in windows {
            match every(self.windowed(place).0, &windows).and_then(|windows| self.judge_windows(place, &windows)) {
                Ok((found, _)) => found.into_iter().for_each(|finding| put(&mut each, finding)),
                Err(error) => {
                    each.insert(self.rule(place).rule.id.clone(), Err(error.strip_backtrace()));
                }
            }
        }
        each
    }

    /// The windows that one rule makes of batches, by key and time, with what it selects of each, whether or not its
    /// condition holds; for people. Nothing for a rule without windows.
    pub fn windows_of(&self, rule: &str, batches: &[Batch]) -> std::result::Result<Vec<Seen>, String> {
        let (mut seen, mut windows) = (Vec::new(), BTreeMap::<Place, Windows>::new());
        for judged in batches.iter().map(|batch| self.judge(&batch.into(), &|id| id == rule, |_| Wanted::All)) {
            if let Some(error) = judged.costs.into_iter().find_map(|(_, cost)| cost.error) {
                return Err(error);
            }
            for (place, selected) in judged.selected {
                windows.entry(place).or_default().add(self.windowed(place).0, selected, false, Timestamp(0));
            }
        }
        for (place, windows) in windows {
            let (plan, names) = self.windowed(place);
            let windows = every(plan, &windows).map_err(|error| error.strip_backtrace())?;
            let columns =
                plan.shown(&windows).and_then(|columns| columns.iter().map(emit::texts).collect::<Result<Vec<_>>>());
            let columns = columns.map_err(|error| error.strip_backtrace())?;
            for (row, window) in windows.iter().enumerate() {
                let value = |(name, column): (&String, &Vec<Option<String>>)| (name.clone(), column[row].clone());
                seen.push(Seen {
                    start: Timestamp(window.start),
                    end: Timestamp(plan.span.end(window)),
                    rows: window.group.rows,
                    selected: names.iter().zip(&columns).map(value).collect(),
                    unusual: window.score.map(|score| score.told(plan.span.size)),
                });
            }
        }
        Ok(seen)
    }
}

/// All windows of a rule, scored where it scores.
fn every(plan: &Windowed, windows: &Windows) -> Result<Vec<Window>> {
    match plan.scored {
        Some(_) => windows.scored(plan),
        None => Ok(windows.windows(plan, true, &windows.all())),
    }
}

fn put(each: &mut BTreeMap<String, std::result::Result<Vec<Finding>, String>>, finding: Finding) {
    if let Ok(found) = each.entry(finding.rule.clone()).or_insert_with(|| Ok(Vec::new())) {
        found.push(finding);
    }
}

/// A window, as people are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub start: Timestamp,
    /// The first moment behind it.
    pub end: Timestamp,
    pub rows: u64,
    /// What the rule selects of it, by name.
    pub selected: Vec<(String, Option<String>)>,
    /// How unusual it is, in words, where the rule scores.
    pub unusual: Option<String>,
}
