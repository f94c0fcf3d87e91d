//! Findings → incidents: what belongs to one attack, as one thing, ranked. A pure function of a set of findings.

pub mod entity;
pub mod join;
pub mod risk;
pub mod story;
pub mod tactic;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::finding::Finding;
use crate::rule::Severity;
use crate::time::{MICROS_PER_DAY, Timestamp};
use entity::{Entity, links};
use join::Node;
use risk::{Reason, Risk, bits, is_evidence, is_firm};
use tactic::Tactic;

/// Names an incident by its earliest evidence, so that it stays the same while the incident grows. Earlier evidence that
/// comes late gives it another, as does evidence that makes two incidents one: the earlier one's name stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId(pub [u8; 8]);

impl IncidentId {
    fn of(earliest: &Finding) -> IncidentId {
        let mut hash = blake3::Hasher::new();
        hash.update(b"incident");
        hash.update(&earliest.first_seen.0.to_le_bytes());
        hash.update(&earliest.id.0);
        let mut id = [0; 8];
        id.copy_from_slice(&hash.finalize().as_bytes()[..8]);
        IncidentId(id)
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Findings that belong to one attack.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    pub id: IncidentId,
    pub severity: Severity,
    /// Bits of log2 odds at the time of the last evidence of high severity or above, or of any where there is none such: when it
    /// ended, or, where they are more, when the newest of it began. [`risk::reasons`] says of what.
    pub score: f64,
    /// What the score is made of, the largest part first.
    pub reasons: Vec<Reason>,
    /// The riskiest first, at most [`Incident::ENTITIES_MAX`].
    pub entities: Vec<Risk>,
    /// In the order in which they were reached.
    pub tactics: Vec<Tactic>,
    /// Of the evidence.
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Findings, noise that was put to it included.
    pub size: usize,
    /// In the order of time, at most [`Incident::FINDINGS_MAX`]: those with the most bits. Score and times are of all.
    pub findings: Vec<Finding>,
}

impl Incident {
    pub const FINDINGS_MAX: usize = 500;
    pub const ENTITIES_MAX: usize = 20;
    /// What does not reach it, or is of one rule alone, and has no finding of severity high or above, is no incident: it stays
    /// among the findings. It is what a medium finding that is new to its actor is worth, with half a bit of anything else.
    pub const SCORE_MIN: f64 = 7.5;

    /// The finding that says best what happened: the most severe, of those the one with the most bits, then the earliest.
    pub fn lead(&self) -> &Finding {
        let rank = |finding: &&Finding| (is_evidence(finding), finding.severity);
        let better = |a: &&Finding, b: &&Finding| {
            rank(a)
                .cmp(&rank(b))
                .then(bits(a).total_cmp(&bits(b)))
                .then((b.first_seen, b.id).cmp(&(a.first_seen, a.id)))
        };
        self.findings.iter().max_by(better).expect("an incident has evidence")
    }

    /// Who acted: the lead's actor and then others, by the name people use.
    pub fn who(&self) -> Vec<String> {
        let mut who: Vec<String> = Vec::new();
        let names = |finding: &Finding| [vec![finding.who()], finding.assumers()].concat();
        for name in [self.lead()].into_iter().chain(&self.findings).flat_map(names) {
            if !name.is_empty() && !who.contains(&name) {
                who.push(name);
            }
        }
        who
    }

    /// The accounts that its findings are of, each once, in the order of time.
    pub fn accounts(&self) -> Vec<String> {
        let mut accounts: Vec<String> = Vec::new();
        for finding in &self.findings {
            if !accounts.contains(&finding.account) {
                accounts.push(finding.account.clone());
            }
        }
        accounts
    }
}

/// The incidents in a set of findings, each of which has its terms and an id of its own; the most severe first, of those the highest score. The same
/// set gives the same incidents, in whatever order it comes.
pub fn incidents(findings: &[Finding]) -> Vec<Incident> {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_unstable_by_key(|finding| (begun(finding), finding.id));
    let node = |finding: &&Finding| Node {
        first_seen: begun(finding),
        last_seen: finding.last_seen,
        id: finding.id,
        is_evidence: is_evidence(finding),
        is_firm: is_firm(finding),
        links: links(finding),
    };
    let nodes: Vec<Node> = sorted.iter().map(node).collect();
    let groups = join::groups(&nodes);
    let members = |group: Vec<usize>| group.into_iter().map(|place| (sorted[place], &nodes[place])).collect::<Vec<_>>();
    let mut incidents: Vec<_> = groups.into_iter().filter_map(|group| incident(&members(group))).collect();
    incidents
        .sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| b.score.total_cmp(&a.score)).then(a.id.cmp(&b.id)));
    incidents
}

/// From when on a finding is joined with others. A rule that looks back over days, to know what is usual, counts the first of
/// those rows for its beginning; what it found came in the last of these days, and holds nothing together before that.
fn begun(finding: &Finding) -> Timestamp {
    let day_before = Timestamp(finding.last_seen.0.saturating_sub(MICROS_PER_DAY));
    if finding.window.is_some() { finding.first_seen.max(day_before) } else { finding.first_seen }
}

/// When a finding came: with its first row, or with its last where the first is only looked back at.
fn came(finding: &Finding) -> Timestamp {
    if begun(finding) == finding.first_seen { finding.first_seen } else { finding.last_seen }
}

/// The incident of a group, in the order of time, if it is worth one.
fn incident(group: &[(&Finding, &Node)]) -> Option<Incident> {
    let evidence: Vec<_> = group.iter().filter(|(_, node)| node.is_evidence).collect();
    let linked = |(finding, node): &&(&Finding, &Node)| -> Vec<Entity> {
        debug_assert_eq!(finding.id, node.id);
        node.links.iter().map(|(entity, _)| entity.clone()).collect()
    };
    let with_entities: Vec<_> = evidence.iter().map(|member| (member.0, linked(member))).collect();
    let found: Vec<&Finding> = evidence.iter().map(|(finding, _)| *finding).collect();
    let first = *found.iter().min_by_key(|finding| (came(finding), finding.id)).expect("a group has evidence");
    let last_seen = found.iter().map(|finding| finding.last_seen).max().unwrap_or(first.last_seen);

    // what is less grave and comes later makes an attack no older, and nor does what is grave and goes on for a week
    let grave: Vec<&Finding> = found.iter().copied().filter(|finding| finding.severity >= Severity::High).collect();
    let telling = if grave.is_empty() { &found } else { &grave };
    let ended = telling.iter().map(|finding| finding.last_seen).max().unwrap_or(last_seen);
    let newest = telling.iter().map(|finding| came(finding)).max().unwrap_or(last_seen);
    let tactics = risk::tactics(&found);
    let steps = risk::steps(&found);
    let scored = |at: Timestamp| {
        let risks = risk::risks(&with_entities, at);
        let reasons = risk::reasons(&found, &risks, &steps, at);
        let score: f64 = reasons.iter().map(|reason| reason.bits).sum();
        (score, reasons, risks)
    };
    let (mut score, mut reasons, mut risks) = scored(ended);
    if newest < ended {
        let then = scored(newest);
        if then.0 > score {
            (score, reasons, risks) = then;
        }
    }
    let worst = found.iter().map(|finding| finding.severity).max();
    let is_of_one_rule = found.iter().all(|finding| finding.rule == first.rule);
    if (score < Incident::SCORE_MIN || is_of_one_rule) && worst < Some(Severity::High) {
        return None;
    }
    let mut kept: Vec<&Finding> = group.iter().map(|(finding, _)| *finding).collect();
    if kept.len() > Incident::FINDINGS_MAX {
        // a stable sort: of equal ones the earlier stay
        kept.sort_by(|a, b| bits(b).total_cmp(&bits(a)));
        kept.truncate(Incident::FINDINGS_MAX);
        kept.sort_unstable_by_key(|finding| (begun(finding), finding.id));
    }
    Some(Incident {
        id: IncidentId::of(first),
        severity: risk::severity(&found, score),
        score,
        reasons,
        entities: risks.into_iter().map(|(risk, _)| risk).take(Incident::ENTITIES_MAX).collect(),
        tactics: tactics.into_iter().map(|(_, tactic)| tactic).collect(),
        first_seen: came(first),
        last_seen,
        size: group.len(),
        findings: kept.into_iter().cloned().collect(),
    })
}
