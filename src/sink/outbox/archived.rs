//! Which findings a service was told to put aside since they do not hold, and how severe they were then: for Security Hub, whose
//! records are active or archived.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::finding::{Finding, FindingId};
use crate::rule::Severity;

/// What was archived. It has no more than the open findings, since all others leave with [`Archived::turn`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Archived(BTreeMap<FindingId, Severity>);

impl Archived {
    /// Whether a finding is sent as archived. One that has become more severe than it was when it was judged comes back, and
    /// one that only grows does not.
    pub fn has(&self, finding: &Finding) -> bool {
        self.0.get(&finding.id).is_some_and(|severity| finding.severity <= *severity)
    }

    /// Takes the findings that do not hold now; gives those that have to be sent again, to be archived or to come back.
    /// `severity` is that of an open finding.
    pub fn turn(
        &mut self,
        refuted: &BTreeSet<FindingId>,
        severity: impl Fn(&FindingId) -> Option<Severity>,
    ) -> BTreeSet<FindingId> {
        let mut turned = BTreeSet::new();
        self.0.retain(|id, _| match (refuted.contains(id), severity(id)) {
            (true, Some(_)) => true,
            (false, Some(_)) => {
                turned.insert(*id);
                false
            }
            (_, None) => false,
        });
        for id in refuted {
            if let (false, Some(severity)) = (self.0.contains_key(id), severity(id)) {
                self.0.insert(*id, severity);
                turned.insert(*id);
            }
        }
        turned
    }

    pub(super) fn saved(&self) -> Vec<SavedArchived> {
        self.0.iter().map(|(id, severity)| SavedArchived(id.0, severity.as_str().to_owned())).collect()
    }

    pub(super) fn restored(saved: Vec<SavedArchived>) -> anyhow::Result<Archived> {
        let one = |SavedArchived(id, severity)| Ok((FindingId(id), severity.parse().map_err(anyhow::Error::msg)?));
        saved.into_iter().map(one).collect::<anyhow::Result<_>>().map(Archived)
    }
}

/// Id and severity.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedArchived([u8; 16], String);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::one_match;
    use crate::time::Timestamp;

    fn found(actor: &str, severity: Severity) -> Finding {
        Finding { severity, ..one_match("cloudtrail/x", actor, Timestamp(1), "e") }
    }

    #[test]
    fn a_finding_is_archived_once_and_comes_back_when_it_holds_or_is_worse() {
        let (a, b) = (found("a", Severity::Medium), found("b", Severity::Low));
        let severity = |id: &FindingId| [&a, &b].into_iter().find(|one| one.id == *id).map(|one| one.severity);
        let ids = |findings: &[&Finding]| findings.iter().map(|one| one.id).collect::<BTreeSet<_>>();
        let mut archived = Archived::default();
        assert_eq!(archived.turn(&ids(&[&a]), severity), ids(&[&a]));
        assert!(archived.has(&a) && archived.has(&Finding { count: 9, ..a.clone() }) && !archived.has(&b));
        assert!(!archived.has(&Finding { severity: Severity::High, ..a.clone() }));
        // restarted, and asked again
        let mut archived =
            Archived::restored(serde_json::from_str(&serde_json::to_string(&archived.saved()).unwrap()).unwrap())
                .unwrap();
        assert_eq!(archived.turn(&ids(&[&a]), severity), ids(&[]));
        assert_eq!(archived.turn(&ids(&[&b]), severity), ids(&[&a, &b]));
        assert!(!archived.has(&a) && archived.has(&b));
        // what is not open is neither sent nor remembered
        assert_eq!(archived.turn(&ids(&[&a, &b]), |_| None), ids(&[]));
        assert_eq!(archived, Archived::default());
    }
}
