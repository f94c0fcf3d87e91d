//! Which findings were told of, when, and how severe they were then: for ways on which a finding that comes again is one
//! more, where Security Hub would update the one it has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::finding::{Finding, FindingId};
use crate::rule::Severity;
use crate::time::{MICROS_PER_HOUR, Timestamp};

/// Which changes of a finding are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worth {
    /// Findings below it are not.
    pub min_severity: Severity,
    /// One that was told of is told of again when it becomes more severe; when it changes otherwise, only after so many
    /// hours, and never when they are 0.
    pub repeat_hours: u32,
}

/// What was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told(BTreeMap<FindingId, (Severity, Timestamp)>);

impl Told {
    /// Findings remembered at most. Past it the one told of first is forgotten, and told of again when it changes.
    pub const MAX: usize = 100_000;

    /// Whether a finding that is new or has changed is to be told of. If so it is noted as told.
    pub fn take(&mut self, finding: &Finding, worth: Worth, now: Timestamp) -> bool {
        if finding.severity < worth.min_severity {
            return false;
        }
        let is_due = self.0.get(&finding.id).is_none_or(|(severity, at)| {
            // a clock that was set back by days must not silence a finding
            let passed = now.0.abs_diff(at.0);
            let repeat = u64::from(worth.repeat_hours) * MICROS_PER_HOUR as u64;
            finding.severity > *severity || (repeat > 0 && passed >= repeat)
        });
        if is_due {
            self.0.insert(finding.id, (finding.severity, now));
        }
        is_due
    }

    /// Forgets what is too much.
    pub fn trim(&mut self, max: usize) {
        let excess = self.0.len().saturating_sub(max);
        if excess == 0 {
            return;
        }
        let mut ages: Vec<_> = self.0.iter().map(|(id, (_, at))| (*at, *id)).collect();
        ages.select_nth_unstable(excess - 1);
        for (_, id) in &ages[..excess] {
            self.0.remove(id);
        }
    }

    pub(super) fn saved(&self) -> Vec<SavedTold> {
        self.0.iter().map(|(id, (severity, at))| SavedTold(id.0, severity.as_str().to_owned(), at.0)).collect()
    }

    pub(super) fn restored(saved: Vec<SavedTold>) -> anyhow::Result<Told> {
        let one = |SavedTold(id, severity, at)| {
            let severity = severity.parse().map_err(anyhow::Error::msg)?;
            Ok((FindingId(id), (severity, Timestamp(at))))
        };
        saved.into_iter().map(one).collect::<anyhow::Result<_>>().map(Told)
    }
}

/// Id, severity, and microseconds since 1970.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedTold([u8; 16], String, i64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::one_match;

    const HOUR: i64 = MICROS_PER_HOUR;

    fn found(actor: &str, severity: Severity) -> Finding {
        Finding { severity, ..one_match("cloudtrail/x", actor, Timestamp(1), "e") }
    }

    #[test]
    fn a_finding_is_told_of_when_new_when_worse_and_after_hours() {
        let worth = Worth { min_severity: Severity::Medium, repeat_hours: 24 };
        let mut told = Told::default();
        let mut take = |severity, hour: i64| told.take(&found("eve", severity), worth, Timestamp(hour * HOUR));
        assert!(!take(Severity::Low, 0));
        assert!(take(Severity::Medium, 1));
        assert!(!take(Severity::Medium, 2));
        assert!(take(Severity::High, 3));
        assert!(!take(Severity::Medium, 4));
        assert!(!take(Severity::High, 26));
        assert!(take(Severity::High, 27));
        // the clock was set back
        assert!(!take(Severity::High, 4));
        assert!(take(Severity::High, 3));
    }

    #[test]
    fn zero_hours_mean_never_again() {
        let worth = Worth { min_severity: Severity::Informational, repeat_hours: 0 };
        let mut told = Told::default();
        assert!(told.take(&found("eve", Severity::Low), worth, Timestamp(0)));
        assert!(!told.take(&found("eve", Severity::Low), worth, Timestamp(99_999 * HOUR)));
        assert!(told.take(&found("eve", Severity::Critical), worth, Timestamp(99_999 * HOUR)));
    }

    #[test]
    fn what_was_told_of_first_is_forgotten_first_and_the_rest_is_saved() {
        let worth = Worth { min_severity: Severity::Informational, repeat_hours: 0 };
        let mut told = Told::default();
        for (hour, actor) in ["a", "b", "c"].into_iter().enumerate() {
            assert!(told.take(&found(actor, Severity::Low), worth, Timestamp(hour as i64 * HOUR)));
        }
        told.trim(2);
        let bytes = serde_json::to_string(&told.saved()).unwrap();
        let mut again = Told::restored(serde_json::from_str(&bytes).unwrap()).unwrap();
        assert_eq!(again, told);
        assert!(again.take(&found("a", Severity::Low), worth, Timestamp(9 * HOUR)));
        assert!(!again.take(&found("b", Severity::Low), worth, Timestamp(9 * HOUR)));
    }
}
