//! What detector and triage have done since the last turn → the process's metrics, so that a long run shows them live.

use std::collections::BTreeMap;

use super::Stages;
use super::duplicates::Seen;
use crate::detect::RuleCost;
use crate::memory::Memory;
use crate::metrics::METRICS;
use crate::rule::Severity;
use crate::table::Batch;
use crate::time::{MICROS_PER_SECOND, Timestamp};
use crate::triage::Triage;

/// What the metrics have been told. Stages count from their own beginning, metrics from the process's.
pub struct Told {
    costs: BTreeMap<String, RuleCost>,
    opened: BTreeMap<Severity, u64>,
    hidden: BTreeMap<String, u64>,
    checked: u64,
    /// Whether it was said already that windows left early, and that rows came late.
    shed: bool,
    late: bool,
    sessions_shed: u64,
}

impl Told {
    /// Begins with stages that have been restored: what an earlier run hid is not counted again.
    pub fn new(stages: &Stages) -> Told {
        Told {
            costs: BTreeMap::new(),
            opened: BTreeMap::new(),
            hidden: hidden(stages),
            checked: 0,
            shed: false,
            late: false,
            sessions_shed: stages.triage.sessions_shed(),
        }
    }

    /// Tells what is new since the last time. A rule's first error is logged too.
    pub fn tell(&mut self, stages: &Stages) {
        for (rule, cost) in stages.detector.costs() {
            let before = self.costs.entry(rule.clone()).or_default();
            if cost == before {
                continue;
            }
            METRICS.rule_seconds.with_label_values(&[rule]).inc_by((cost.seconds - before.seconds).max(0.0));
            METRICS.rule_hits.with_label_values(&[rule]).inc_by(cost.hits - before.hits);
            let wrong = |cost: &RuleCost| cost.failed + cost.ungraded;
            METRICS.rule_errors.with_label_values(&[rule]).inc_by(wrong(cost) - wrong(before));
            METRICS.rule_aside.with_label_values(&[rule]).inc_by(cost.aside - before.aside);
            METRICS.rule_misrouted_rows.with_label_values(&[rule]).inc_by(cost.misrouted - before.misrouted);
            if cost.misrouted > 0 && before.misrouted == 0 {
                tracing::error!(
                    rule,
                    "a rule does not select what its conditions say: please report it with the rule and an event"
                );
            }
            METRICS.rule_late_rows.with_label_values(&[rule]).inc_by(cost.late - before.late);
            METRICS.rule_shed_groups.with_label_values(&[rule]).inc_by(cost.shed - before.shed);
            if let (Some(error), None) = (&cost.error, &before.error) {
                tracing::warn!(rule, error, "a rule could not judge rows");
            }
            if cost.aside > 0 && before.aside == 0 {
                tracing::warn!(rule, "a rule has too many findings and is put aside");
            }
            *before = cost.clone();
        }
        for (rule, shares) in stages.detector.score_shares() {
            for (below, share) in ["0.01", "0.001", "0.0001"].into_iter().zip(shares) {
                METRICS.rule_score_share.with_label_values(&[rule, below]).set(share);
            }
        }
        let checked = stages.detector.checked_rows();
        let more = checked.saturating_sub(std::mem::replace(&mut self.checked, checked));
        METRICS.checked_rows.with_label_values(&[] as &[&str]).inc_by(more);
        self.tell_of_windows();
        self.tell_of_sessions(stages.triage.sessions_shed());
        for (severity, count) in stages.triage.opened() {
            let before = self.opened.insert(*severity, *count).unwrap_or(0);
            METRICS.findings.with_label_values(&[severity.as_str()]).inc_by(count - before);
        }
        for canary in stages.triage.canaries().told() {
            if let Some(last) = canary.last {
                METRICS
                    .canary_event_seconds
                    .with_label_values(&[canary.name])
                    .set(last.0.div_euclid(MICROS_PER_SECOND));
            }
        }
        for (rule, count) in hidden(stages) {
            // an entry that the configuration has no longer takes its count along
            let before = self.hidden.get(&rule).copied().unwrap_or(0);
            METRICS.suppressed.with_label_values(&[&rule]).inc_by(count.saturating_sub(before));
            self.hidden.insert(rule, count);
        }
    }

    /// Said once: where there are so many sessions there are more all the time.
    fn tell_of_sessions(&mut self, shed: u64) {
        let before = std::mem::replace(&mut self.sessions_shed, shed);
        let more = shed.saturating_sub(before);
        METRICS.sessions_shed.with_label_values(&[] as &[&str]).inc_by(more);
        if before == 0 && more > 0 {
            tracing::warn!(
                sessions = more,
                "sessions of roles are forgotten for want of room: who began them is told only where one alone assumed their role"
            );
        }
    }

    /// Said once, since where one rule loses windows most do; the metrics and the summary have the counts.
    fn tell_of_windows(&mut self) {
        if let (Some((rule, groups)), false) = (most(&self.costs, |cost| cost.shed), self.shed) {
            self.shed = true;
            tracing::warn!(
                rule,
                groups,
                "windows leave early for want of room, of this rule most: weir backtest judges them too"
            );
        }
        if let (Some((rule, rows)), false) = (most(&self.costs, |cost| cost.late), self.late) {
            self.late = true;
            tracing::warn!(
                rule,
                rows,
                "rows come after their window has left, which weir backtest judges too, or have no time"
            );
        }
    }
}

/// The rule for which a count is highest, and that count, where any is above zero.
fn most(costs: &BTreeMap<String, RuleCost>, count: impl Fn(&RuleCost) -> u64) -> Option<(&str, u64)> {
    let counts = costs.iter().map(|(rule, cost)| (rule.as_str(), count(cost)));
    counts.max_by_key(|(_, count)| *count).filter(|(_, count)| *count > 0)
}

/// Matches hidden, by the rule pattern of the entries.
fn hidden(stages: &Stages) -> BTreeMap<String, u64> {
    let mut hidden = BTreeMap::new();
    for (rule, _, count) in stages.triage.suppressions().hidden() {
        *hidden.entry(rule.to_owned()).or_default() += count;
    }
    hidden
}

/// Shows how full the buffers and states are that a round goes through.
pub fn fills(stages: &Stages, seen: &Seen, memory: Memory) {
    let show = |name: &str, bytes: usize, most: usize| {
        METRICS.queue_bytes.with_label_values(&[name]).set(bytes as i64);
        METRICS.queue_bytes_max.with_label_values(&[name]).set(most as i64);
    };
    let (detector, names) = (&stages.detector, ["windows", "seen", "learnt"]);
    for ((name, bytes), most) in names.into_iter().zip(detector.state_bytes()).zip(detector.state_bytes_max()) {
        show(name, bytes, most);
    }
    if let Some(archive) = &stages.archive {
        show("archive", archive.buffered_bytes(), archive.buffer_bytes_max());
    }
    let (ids, ids_max) = seen.len();
    show("ids", ids * size_of::<u64>(), ids_max * size_of::<u64>());
    METRICS.queue_findings.with_label_values(&["open"]).set(stages.triage.len() as i64);
    METRICS.queue_findings_max.with_label_values(&["open"]).set(memory.of(Triage::OPEN_MAX) as i64);
}

/// Rows without a time.
pub fn untimed(batches: &[Batch]) -> u64 {
    let nulls = |batch: &Batch| batch.rows.column_by_name(batch.table.time).map_or(0, |times| times.null_count());
    batches.iter().map(|batch| nulls(batch) as u64).sum()
}

/// Raises the metric to the newest event time of the rows. What lies after `now` is left out: one clock that is ahead
/// would hide that logs have stopped to come.
pub fn newest(batches: &[Batch], now: Timestamp) {
    if let Some(newest) = batches.iter().filter_map(|batch| batch.newest(now)).max() {
        let seconds = newest.0.div_euclid(MICROS_PER_SECOND);
        METRICS.newest_event_seconds.set(seconds.max(METRICS.newest_event_seconds.get()));
    }
}
