//! Findings as rules make them → fewer, better ones: suppressed, folded by id, and ranked.

pub mod prioritize;
pub mod suppress;

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::finding::{Finding, FindingId, Resource};
use crate::rule::{Confidence, Severity};
use crate::time::Timestamp;
use prioritize::{Asset, History};
use suppress::Suppressions;

/// The open findings, and what was told of them. Order and grouping of what comes in do not change what goes out.
pub struct Triage {
    suppressions: Suppressions,
    assets: Vec<Asset>,
    open: BTreeMap<FindingId, Open>,
    forgotten: u64,
}

struct Open {
    finding: Finding,
    /// Count and severity when it was last given out by [`Triage::settle`].
    told: Option<(u64, Severity)>,
}

impl Triage {
    /// Findings held at most. Past it the one whose last match is the oldest leaves, and is counted.
    pub const OPEN_MAX: usize = 100_000;

    pub fn new(suppressions: Suppressions, assets: Vec<Asset>) -> Triage {
        Triage { suppressions, assets, open: BTreeMap::new(), forgotten: 0 }
    }

    /// Takes matches in; gives the findings that are new, twice as large as when last given, or more severe.
    pub fn settle(&mut self, found: Vec<Finding>, now: Timestamp) -> Vec<Finding> {
        let mut touched = std::collections::BTreeSet::new();
        for finding in found {
            if self.suppressions.hides(&finding, now) {
                continue;
            }
            touched.insert(finding.id);
            match self.open.entry(finding.id) {
                std::collections::btree_map::Entry::Occupied(mut open) => open.get_mut().finding.fold(finding),
                std::collections::btree_map::Entry::Vacant(open) => {
                    open.insert(Open { finding, told: None });
                }
            }
        }
        self.forget();
        let history = self.history();
        let mut changed = Vec::new();
        for id in touched {
            let Some(open) = self.open.get_mut(&id) else { continue };
            let (count, severity) = (open.finding.count, open.finding.severity);
            let worth = open.told.is_none_or(|(told, before)| count >= told.saturating_mul(2) || severity > before);
            if worth {
                open.told = Some((count, severity));
                changed.push(prioritize::ranked(&open.finding, &history, &self.assets));
            }
        }
        rank(&mut changed);
        changed
    }

    /// All open findings, most urgent first.
    pub fn findings(&self) -> Vec<Finding> {
        let history = self.history();
        let mut all: Vec<_> =
            self.open.values().map(|open| prioritize::ranked(&open.finding, &history, &self.assets)).collect();
        rank(&mut all);
        all
    }

    pub fn len(&self) -> usize {
        self.open.len()
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Findings that left because there were more than [`Triage::OPEN_MAX`].
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub fn suppressions(&self) -> &Suppressions {
        &self.suppressions
    }

    fn history(&self) -> History {
        History::of(self.open.values().map(|open| &open.finding))
    }

    fn forget(&mut self) {
        let excess = self.open.len().saturating_sub(Triage::OPEN_MAX);
        if excess == 0 {
            return;
        }
        let mut ages: Vec<_> = self.open.values().map(|open| (open.finding.last_seen, open.finding.id)).collect();
        ages.select_nth_unstable(excess - 1);
        for (_, id) in &ages[..excess] {
            self.open.remove(id);
        }
        self.forgotten += excess as u64;
    }

    /// The open findings as bytes, for a commit.
    pub fn snapshot(&self) -> Vec<u8> {
        let saved = Saved {
            version: VERSION,
            forgotten: self.forgotten,
            open: self.open.values().map(SavedFinding::from).collect(),
        };
        serde_json::to_vec(&saved).expect("plain data has a JSON form")
    }

    /// Takes back what [`Triage::snapshot`] gave; no bytes mean an empty start.
    ///
    /// # Errors
    /// When the bytes are not a snapshot of this version.
    pub fn restore(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let saved: Saved = serde_json::from_slice(bytes).context("the saved findings cannot be read")?;
        if saved.version != VERSION {
            bail!("the saved findings have version {}, and this weir knows version {VERSION}", saved.version);
        }
        self.forgotten = saved.forgotten;
        self.open = saved
            .open
            .into_iter()
            .map(Open::try_from)
            .map(|open| open.map(|open| (open.finding.id, open)))
            .collect::<anyhow::Result<_>>()?;
        Ok(())
    }
}

/// Most urgent first; equal ones by severity, then newest, then id.
fn rank(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        let key = |finding: &Finding| (finding.priority, finding.severity, finding.last_seen, finding.id);
        key(b).cmp(&key(a))
    });
}

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    forgotten: u64,
    open: Vec<SavedFinding>,
}

/// A finding's stored form, apart from [`Finding`] so that neither binds the other.
#[derive(Serialize, Deserialize)]
struct SavedFinding {
    id: [u8; 16],
    rule: String,
    title: String,
    severity: String,
    confidence: u8,
    account: String,
    region: String,
    actor: Option<String>,
    source_ip: Option<String>,
    resources: Vec<String>,
    first_seen: i64,
    last_seen: i64,
    count: u64,
    event_ids: Vec<(i64, String)>,
    tags: Vec<String>,
    remedy: String,
    evidence: Vec<(String, String)>,
    told: Option<(u64, String)>,
}

impl From<&Open> for SavedFinding {
    fn from(open: &Open) -> SavedFinding {
        let finding = open.finding.clone();
        SavedFinding {
            id: finding.id.0,
            rule: finding.rule,
            title: finding.title,
            severity: finding.severity.to_string(),
            confidence: finding.confidence as u8,
            account: finding.account,
            region: finding.region,
            actor: finding.actor,
            source_ip: finding.source_ip,
            resources: finding.resources.into_iter().map(|resource| resource.0).collect(),
            first_seen: finding.first_seen.0,
            last_seen: finding.last_seen.0,
            count: finding.count,
            event_ids: finding.event_ids.into_iter().map(|(time, id)| (time.0, id)).collect(),
            tags: finding.tags,
            remedy: finding.remedy,
            evidence: finding.evidence,
            told: open.told.map(|(count, severity)| (count, severity.to_string())),
        }
    }
}

impl TryFrom<SavedFinding> for Open {
    type Error = anyhow::Error;

    fn try_from(saved: SavedFinding) -> anyhow::Result<Open> {
        let severity = |text: &str| text.parse::<Severity>().map_err(anyhow::Error::msg);
        let told = match saved.told {
            Some((count, text)) => Some((count, severity(&text)?)),
            None => None,
        };
        let finding = Finding {
            id: FindingId(saved.id),
            rule: saved.rule,
            title: saved.title,
            severity: severity(&saved.severity)?,
            confidence: match saved.confidence {
                0 => Confidence::Low,
                1 => Confidence::Medium,
                2 => Confidence::High,
                other => bail!("{other} is no confidence"),
            },
            priority: 0,
            account: saved.account,
            region: saved.region,
            actor: saved.actor,
            source_ip: saved.source_ip,
            resources: saved.resources.into_iter().map(Resource).collect(),
            first_seen: Timestamp(saved.first_seen),
            last_seen: Timestamp(saved.last_seen),
            count: saved.count,
            event_ids: saved.event_ids.into_iter().map(|(time, id)| (Timestamp(time), id)).collect(),
            tags: saved.tags,
            remedy: saved.remedy,
            evidence: saved.evidence,
            terms: Vec::new(),
        };
        Ok(Open { finding, told })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::one_match;

    const HOUR: i64 = crate::time::MICROS_PER_HOUR;

    fn triage() -> Triage {
        Triage::new(Suppressions::default(), Vec::new())
    }

    fn matches(count: i64) -> Vec<Finding> {
        (0..count).map(|n| one_match("cloudtrail/x", "eve", Timestamp(n * HOUR / 4), &format!("e{n:03}"))).collect()
    }

    #[test]
    fn any_grouping_and_a_restart_give_the_same_findings() {
        let mut whole = triage();
        whole.settle(matches(40), Timestamp(0));
        let mut parts = triage();
        for found in matches(40).rchunks(7) {
            parts.settle(found.to_vec(), Timestamp(0));
            let bytes = parts.snapshot();
            parts = triage();
            parts.restore(&bytes).unwrap();
        }
        assert_eq!(whole.findings(), parts.findings());
        assert_eq!(whole.findings()[0].count, 40);
    }

    #[test]
    fn a_finding_is_told_when_it_is_new_and_each_time_it_doubles() {
        let mut triage = triage();
        let told: Vec<_> = matches(8).into_iter().map(|found| triage.settle(vec![found], Timestamp(0)).len()).collect();
        assert_eq!(told, [1, 1, 0, 1, 0, 0, 0, 1]);
    }
}
