//! Batches → findings, by every rule at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use datafusion::common::Result;
use rayon::prelude::*;

use super::compile::{CompiledRule, Compiler, TableRules};
use super::emit;
use super::scan::Scan;
use crate::finding::Finding;
use crate::rule::{Rule, RuleError};
use crate::table::{Batch, Table};
use crate::time::Timestamp;

/// Judges batches by rules. The answer depends neither on how rows were cut into batches nor on their order.
pub struct Detector {
    tables: Vec<TableRules>,
    costs: BTreeMap<String, RuleCost>,
}

/// What one rule has taken and given since the detector was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleCost {
    pub seconds: f64,
    /// Rows that matched.
    pub hits: u64,
    /// Rows that it looked at one by one, because no gate told that they cannot match.
    pub rows: u64,
    /// Rows whose `severity` is not a severity, so that the rule's own stands.
    pub ungraded: u64,
    /// Rows that may have matched but could not be judged, because the rule failed on their batch.
    pub failed: u64,
    /// Why, the first time.
    pub error: Option<String>,
}

/// Layout of [`Detector::snapshot`]: rules that judge row by row remember nothing, so the version is all there is.
const SNAPSHOT_VERSION: u8 = 1;

impl Detector {
    /// Compiles the rules. Those that cannot be used are returned with their places; the others run.
    pub fn new(tables: &[&'static Table], rules: impl IntoIterator<Item = Rule>) -> (Detector, Vec<RuleError>) {
        let mut compiler = Compiler::new(tables);
        let mut costs = BTreeMap::new();
        let mut refused = Vec::new();
        for rule in rules {
            let rule = Arc::new(rule);
            match compiler.add(rule.clone()) {
                Ok(()) => {
                    costs.insert(rule.id.clone(), RuleCost::default());
                }
                Err(error) => refused.push(error),
            }
        }
        (Detector { tables: compiler.finish(), costs }, refused)
    }

    /// The rules that run.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.tables.iter().flat_map(|table| &table.rules).map(|rule| rule.rule.as_ref())
    }

    /// The rules that look at every row of their table: no condition of theirs is on one symbol column.
    pub fn ungated(&self) -> impl Iterator<Item = &Rule> {
        let open = |rule: &&CompiledRule| !rule.gated;
        self.tables.iter().flat_map(|table| &table.rules).filter(open).map(|rule| rule.rule.as_ref())
    }

    /// Cost of each rule that runs, by id.
    pub fn costs(&self) -> &BTreeMap<String, RuleCost> {
        &self.costs
    }

    /// Findings of these batches, in the order of their ids: several of one id where they differ in what a suppression
    /// can name (account, region, actor, source address, resources, of which none is left out). `_now` will move the windows of rules
    /// that have some; a rule that judges row by row goes by the rows' own time alone.
    pub fn observe(&mut self, batches: &[Batch], _now: Timestamp) -> Vec<Finding> {
        let seen: Vec<_> = batches.par_iter().map(|batch| self.judge(batch, None)).collect();
        let (mut found, mut spent) = (Vec::new(), Vec::new());
        for (more, costs) in seen {
            found.extend(more);
            spent.extend(costs);
        }
        for (rule, cost) in spent {
            let total = self.costs.entry(rule.id.clone()).or_default();
            total.seconds += cost.seconds;
            total.hits += cost.hits;
            total.rows += cost.rows;
            total.ungraded += cost.ungraded;
            total.failed += cost.failed;
            total.error = total.error.take().or(cost.error);
        }
        fold(found)
    }

    /// Findings of one rule, or why it failed. Costs nobody anything.
    pub fn observe_one(&self, rule: &str, batches: &[Batch]) -> std::result::Result<Vec<Finding>, String> {
        let mut found = Vec::new();
        for batch in batches {
            let (more, costs) = self.judge(batch, Some(rule));
            if let Some(error) = costs.into_iter().find_map(|(_, cost)| cost.error) {
                return Err(error);
            }
            found.extend(more);
        }
        Ok(fold(found))
    }

    fn judge(&self, batch: &Batch, only: Option<&str>) -> (Vec<Finding>, Vec<(Arc<Rule>, RuleCost)>) {
        let (mut found, mut costs) = (Vec::new(), Vec::new());
        let Some(rules) = self.tables.iter().find(|rules| std::ptr::eq(rules.table, batch.table)) else {
            return (found, costs);
        };
        let (scan, routes) = Scan::new(rules, batch);
        let routed = rules.rules.iter().zip(routes).filter(|(rule, _)| only.is_none_or(|only| rule.rule.id == only));
        for (rule, candidates) in routed {
            let count = candidates.as_ref().map_or(batch.rows.num_rows(), Vec::len);
            if count == 0 {
                continue;
            }
            let start = Instant::now();
            let mut cost = RuleCost { rows: count as u64, ..RuleCost::default() };
            match matches(rule, &scan, candidates) {
                Ok((hits, findings, ungraded)) => {
                    cost.hits = hits;
                    cost.ungraded = ungraded;
                    if ungraded > 0 {
                        cost.error = Some("its `severity` is not a severity: the one in its header stands".into());
                    }
                    found.extend(findings);
                }
                Err(error) => {
                    cost.failed = count as u64;
                    cost.error = Some(error.strip_backtrace());
                }
            }
            cost.seconds = start.elapsed().as_secs_f64();
            costs.push((rule.rule.clone(), cost));
        }
        (found, costs)
    }

    /// State to restore after a restart.
    pub fn snapshot(&self) -> Vec<u8> {
        vec![SNAPSHOT_VERSION]
    }

    /// Takes up the state of [`Detector::snapshot`]; refuses one of another version.
    pub fn restore(&mut self, snapshot: &[u8]) -> std::result::Result<(), String> {
        match snapshot {
            [SNAPSHOT_VERSION] => Ok(()),
            [] => Err("the detector's state is empty".into()),
            [version, ..] => {
                Err(format!("the detector's state has version {version}, this program reads {SNAPSHOT_VERSION}"))
            }
        }
    }
}

/// Findings that are alike in all that a suppression can name become one; in the order of ids. Which of them are
/// suppressed is then as if each match had been asked, and those of one id can be folded later.
fn fold(mut all: Vec<Finding>) -> Vec<Finding> {
    fn alike(finding: &Finding) -> impl Ord + '_ {
        (finding.id, &finding.account, &finding.region, &finding.actor, &finding.source_ip, &finding.resources)
    }
    all.sort_by(|a, b| alike(a).cmp(&alike(b)));
    let mut found: Vec<Finding> = Vec::with_capacity(all.len());
    for mut finding in all {
        match found.last_mut() {
            Some(known) if alike(known) == alike(&finding) => {
                // they are the same, and folding would cut them to what a finding shows
                let resources = std::mem::take(&mut finding.resources);
                known.resources.clear();
                known.fold(finding);
                known.resources = resources;
            }
            _ => found.push(finding),
        }
    }
    found
}

fn matches(rule: &CompiledRule, scan: &Scan, candidates: Option<Vec<u32>>) -> Result<(u64, Vec<Finding>, u64)> {
    let rows = scan.select(rule, candidates)?;
    if rows.is_empty() {
        return Ok((0, Vec::new(), 0));
    }
    let (found, ungraded) = emit::findings(rule, &scan.arrays, &rows)?;
    Ok((rows.len() as u64, found, ungraded))
}
