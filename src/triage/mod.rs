//! Findings as rules make them → fewer, better ones: suppressed, folded by id, and ranked.

pub mod assumed;
pub mod feedback;
pub mod heard;
pub mod prioritize;
pub mod incident;
pub mod suppress;
pub mod canary;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::{Context, bail};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::detect::Apart;
use crate::detect::quarantine::{self, Tried};
use crate::finding::{Finding, FindingId, Resource};
use crate::memory::Memory;
use crate::rule::{Confidence, Severity};
use crate::table::Batch;
use crate::time::Timestamp;
use assumed::{Assumed, Calls, Span};
use canary::{Canaries, Heard};
use feedback::{Feedback, Verdict};
use prioritize::{Asset, History, Watched};
use suppress::{Covered, Suppressions};

/// The open findings, and what was told of them. The same matches give the same findings, in whatever order and groups
/// they come, until [`Triage::OPEN_MAX`] is reached; which of them are told on the way depends on the groups.
pub struct Triage {
    suppressions: Suppressions,
    canaries: Canaries,
    assets: Vec<Asset>,
    feedback: Feedback,
    watched: Watched,
    assumed: Assumed,
    /// When roles were assumed of which is told since what was settled last.
    begun: Option<Span>,
    open: BTreeMap<FindingId, Open>,
    forgotten: u64,
    opened: BTreeMap<Severity, u64>,
    memory: Memory,
}

struct Open {
    finding: Finding,
    told: Option<Told>,
}

/// What a finding said when it was last given out, of what changes.
#[derive(Clone, PartialEq)]
struct Told {
    count: u64,
    severity: Severity,
    assumed_by: Vec<String>,
}

impl Triage {
    /// Findings held at most, where memory is not short ([`Memory::of`]). Past it those whose last match is the oldest leave, after they were told, and are counted.
    /// A later match of one that left opens it anew under the same id, counting from one.
    pub const OPEN_MAX: usize = 100_000;

    pub fn new(suppressions: Suppressions, assets: Vec<Asset>) -> Triage {
        let (watched, assumed) = (Watched::default(), Assumed::default());
        let (open, opened) = (BTreeMap::new(), BTreeMap::new());
        let (canaries, feedback, memory) = (Canaries::default(), Feedback::default(), Memory::default());
        Triage {
            suppressions,
            canaries,
            assets,
            feedback,
            watched,
            assumed,
            begun: None,
            open,
            forgotten: 0,
            opened,
            memory,
        }
    }

    /// The same with canaries.
    pub fn with_canaries(mut self, canaries: Canaries) -> Triage {
        self.canaries = canaries;
        self
    }

    pub fn canaries(&self) -> &Canaries {
        &self.canaries
    }

    /// Findings of the canaries that have fallen silent, to be settled like any others. For input that goes on for ever: of
    /// logs of last year every canary is silent.
    pub fn silent(&mut self, now: Timestamp) -> Vec<Finding> {
        self.canaries.silent(now)
    }

    /// From now on no more findings are held than this memory's share of [`Triage::OPEN_MAX`].
    pub fn keep_to(&mut self, memory: Memory) {
        self.memory = memory;
    }

    /// What was found out about findings, in place of what was known before. It ranks those that are told from now on.
    pub fn learn(&mut self, feedback: Feedback) {
        self.feedback = feedback;
    }

    pub fn feedback(&self) -> &Feedback {
        &self.feedback
    }

    /// What suppressions and canaries ask of findings: matches that differ in it must come as findings of their own.
    pub fn asks(&self) -> Apart {
        self.suppressions.asks().or(self.canaries.asks())
    }

    /// Goes on with other suppressions, canaries and assets. What an entry that stays has hidden or seen is counted on.
    pub fn renew(&mut self, mut suppressions: Suppressions, mut canaries: Canaries, assets: Vec<Asset>) {
        suppressions.restore(&self.suppressions.counts());
        canaries.restore(&self.canaries.heard());
        (self.suppressions, self.canaries, self.assets) = (suppressions, canaries, assets);
    }

    /// Notes the hours that the rows are from: a rule that fired once in a month of logs is rarer than one that fired
    /// once in an hour of them. Also who assumes which role.
    pub fn watch(&mut self, batches: &[Batch]) {
        let calls: Vec<Calls> = batches.par_iter().map(Calls::by).collect();
        for (batch, calls) in batches.iter().zip(calls) {
            self.watched.note(batch);
            let begun = self.assumed.note(calls);
            let both = self.begun.zip(begun).map(|(before, now)| (before.0.min(now.0), before.1.max(now.1)));
            self.begun = both.or(begun).or(self.begun);
        }
        if self.assumed.is_full() {
            let found = self.open.values().map(|open| &open.finding);
            let of_findings: HashSet<String> = found
                .flat_map(|finding| assumed::sessions_of(finding).into_iter().chain(finding.actor.clone()))
                .collect();
            self.assumed.forget(&of_findings);
        }
    }

    /// Takes matches in; gives the findings that are new, twice as large as when last given, more severe, or by sessions of which it is
    /// told only now who began them.
    pub fn settle(&mut self, found: Vec<Finding>, now: Timestamp) -> Vec<Finding> {
        let mut touched = BTreeSet::new();
        for mut finding in found {
            if self.canaries.take(&finding, now) || self.suppressions.hides(&finding, now) {
                continue;
            }
            touched.insert(finding.id);
            match self.open.entry(finding.id) {
                Entry::Occupied(mut open) => open.get_mut().finding.fold(finding),
                Entry::Vacant(place) => {
                    finding.settle_lists();
                    place.insert(Open { finding, told: None });
                }
            }
        }
        if let Some(begun) = self.begun.take() {
            let may_tell = |open: &&Open| Assumed::may_tell_of(&open.finding, begun);
            touched.extend(self.open.values().filter(may_tell).map(|open| open.finding.id));
        }
        touched.retain(|id| self.is_worth_telling(&self.open[id]));
        let told = self.tell(&touched);
        self.forget();
        told
    }

    /// The findings that have changed since they were last given, however little: for the end of a run, so that what was
    /// told last is what [`Triage::findings`] says.
    pub fn untold(&mut self) -> Vec<Finding> {
        let is_untold = |open: &&Open| open.told.as_ref() != Some(&self.now(&open.finding));
        let changed = self.open.values().filter(is_untold).map(|open| open.finding.id).collect();
        self.tell(&changed)
    }

    /// What is said of a finding now, of what changes.
    fn now(&self, finding: &Finding) -> Told {
        Told { count: finding.count, severity: finding.severity, assumed_by: self.assumed.by(finding) }
    }

    fn is_worth_telling(&self, open: &Open) -> bool {
        let now = self.now(&open.finding);
        open.told.as_ref().is_none_or(|told| {
            let is_named_now = now.assumed_by.iter().any(|by| !told.assumed_by.contains(by));
            now.count >= told.count.saturating_mul(2) || now.severity > told.severity || is_named_now
        })
    }

    fn tell(&mut self, ids: &BTreeSet<FindingId>) -> Vec<Finding> {
        let told = self.ranked(ids);
        for finding in &told {
            let open = self.open.get_mut(&finding.id).expect("only open findings are told");
            if open.told.is_none() {
                *self.opened.entry(finding.severity).or_default() += 1;
            }
            let (count, severity, assumed_by) = (finding.count, finding.severity, finding.assumed_by.clone());
            open.told = Some(Told { count, severity, assumed_by });
        }
        told
    }

    /// These of the open findings, most urgent first.
    pub fn ranked(&self, ids: &BTreeSet<FindingId>) -> Vec<Finding> {
        if ids.is_empty() {
            return Vec::new();
        }
        let history = self.history();
        let open = ids.iter().filter_map(|id| self.open.get(id));
        let mut ranked: Vec<_> = open.map(|open| self.shown(&open.finding, &history)).collect();
        rank(&mut ranked);
        ranked
    }

    /// The open findings that do not hold: somebody dismissed them, a suppression covers all of their matches by now, as far as can be
    /// told, or the windows that they are of were judged again, and nobody confirmed them.
    pub fn refuted(&self, now: Timestamp) -> BTreeSet<FindingId> {
        let is_refuted = |finding: &Finding| match self.feedback.on(finding) {
            Some(Verdict::Dismissed) => true,
            Some(Verdict::Confirmed) => false,
            Some(Verdict::Withdrawn) | None => {
                quarantine::is_closed(finding) || self.suppressions.of_folded(finding, now) == Covered::Whole
            }
        };
        self.open.iter().filter(|(_, open)| is_refuted(&open.finding)).map(|(id, _)| *id).collect()
    }

    /// The findings of windows that were lost for want of room and not judged again since, or in vain, with less room in bytes.
    pub fn holes(&self, room: usize) -> impl Iterator<Item = &Finding> {
        self.open.values().map(|open| &open.finding).filter(move |finding| quarantine::is_hole(finding, room))
    }

    /// Notes what came of judging them again; gives them with that.
    pub fn close(&mut self, holes: BTreeMap<FindingId, Tried>) -> Vec<Finding> {
        for (id, tried) in &holes {
            if let Some(open) = self.open.get_mut(id) {
                quarantine::close(&mut open.finding, tried);
            }
        }
        self.tell(&holes.into_keys().filter(|id| self.open.contains_key(id)).collect())
    }

    /// How many matches, or what else it counts, an open finding has.
    pub fn count(&self, id: &FindingId) -> Option<u64> {
        self.open.get(id).map(|open| open.finding.count)
    }

    /// How severe an open finding is.
    pub fn severity(&self, id: &FindingId) -> Option<Severity> {
        self.open.get(id).map(|open| open.finding.severity)
    }

    /// All open findings, most urgent first.
    pub fn findings(&self) -> Vec<Finding> {
        let history = self.history();
        let mut all: Vec<_> = self.open.values().map(|open| self.shown(&open.finding, &history)).collect();
        rank(&mut all);
        all
    }

    /// A finding with its priority, and with those who assumed its role.
    fn shown(&self, finding: &Finding, history: &History) -> Finding {
        let assumed_by = self.assumed.by(finding);
        Finding { assumed_by, ..prioritize::ranked(finding, history, &self.assets, &self.feedback) }
    }

    pub fn len(&self) -> usize {
        self.open.len()
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Sessions of roles that left for want of room: of them it is known only who assumed their role.
    pub fn sessions_shed(&self) -> u64 {
        self.assumed.shed()
    }

    /// Findings that left because there were more than [`Triage::OPEN_MAX`].
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Findings told for the first time since this value was made, by the severity they had then.
    pub fn opened(&self) -> &BTreeMap<Severity, u64> {
        &self.opened
    }

    pub fn suppressions(&self) -> &Suppressions {
        &self.suppressions
    }

    fn history(&self) -> History<'_> {
        History::of(&self.watched, self.open.values().map(|open| &open.finding))
    }

    fn forget(&mut self) {
        let excess = self.open.len().saturating_sub(self.memory.of(Triage::OPEN_MAX));
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
            hidden: self.suppressions.counts(),
            canaries: self.canaries.heard(),
            watched: self.watched.0.iter().copied().collect(),
            begun: self.assumed.clone(),
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
        // all or nothing
        self.open = saved
            .open
            .into_iter()
            .map(Open::try_from)
            .map(|open| open.map(|open| (open.finding.id, open)))
            .collect::<anyhow::Result<_>>()?;
        self.forgotten = saved.forgotten;
        self.suppressions.restore(&saved.hidden);
        self.canaries.restore(&saved.canaries);
        self.watched = Watched(saved.watched.into_iter().collect());
        self.assumed = saved.begun;
        Ok(())
    }

    /// Takes in matches that were taken in before, and forgotten since: nobody is told of them a second time, until they have doubled.
    pub fn settle_again(&mut self, found: Vec<Finding>, now: Timestamp) {
        let ids: Vec<FindingId> = found.iter().map(|finding| finding.id).collect();
        self.settle(found, now);
        for id in ids {
            let now = self.open.get(&id).map(|open| self.now(&open.finding));
            if let (Some(open), Some(now)) = (self.open.get_mut(&id), now) {
                open.told = Some(now);
            }
        }
        self.opened.clear();
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
    /// Matches hidden, by the text of the entry.
    hidden: BTreeMap<String, u64>,
    /// What was seen of canaries, by the text of the entry.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    canaries: BTreeMap<String, Heard>,
    /// Hours since 1970 that had rows.
    watched: Vec<i64>,
    /// States of before have something else as `assumed`.
    #[serde(default)]
    begun: Assumed,
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sessions: Vec<String>,
    source_ip: Option<String>,
    resources: Vec<String>,
    first_seen: i64,
    last_seen: i64,
    count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window: Option<(i64, i64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gravest: Option<(i64, Option<String>)>,
    event_ids: Vec<(i64, String)>,
    tags: Vec<String>,
    remedy: String,
    evidence: Vec<(String, String)>,
    told: Option<(u64, String)>,
    /// Who was said to have assumed the role, when it was told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    told_by: Vec<String>,
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
            sessions: finding.sessions,
            source_ip: finding.source_ip,
            resources: finding.resources.into_iter().map(|resource| resource.0).collect(),
            first_seen: finding.first_seen.0,
            last_seen: finding.last_seen.0,
            count: finding.count,
            window: finding.window.map(|(start, end)| (start.0, end.0)),
            gravest: finding.gravest.map(|(time, id)| (time.0, id)),
            event_ids: finding.event_ids.into_iter().map(|(time, id)| (time.0, id)).collect(),
            tags: finding.tags,
            remedy: finding.remedy,
            evidence: finding.evidence,
            told: open.told.as_ref().map(|told| (told.count, told.severity.to_string())),
            told_by: open.told.as_ref().map_or_else(Vec::new, |told| told.assumed_by.clone()),
        }
    }
}

impl TryFrom<SavedFinding> for Open {
    type Error = anyhow::Error;

    fn try_from(saved: SavedFinding) -> anyhow::Result<Open> {
        let severity = |text: &str| text.parse::<Severity>().map_err(anyhow::Error::msg);
        let told = match saved.told {
            Some((count, text)) => Some(Told { count, severity: severity(&text)?, assumed_by: saved.told_by }),
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
            sessions: saved.sessions,
            assumed_by: Vec::new(),
            source_ip: saved.source_ip,
            resources: saved.resources.into_iter().map(Resource).collect(),
            first_seen: Timestamp(saved.first_seen),
            last_seen: Timestamp(saved.last_seen),
            count: saved.count,
            window: saved.window.map(|(start, end)| (Timestamp(start), Timestamp(end))),
            gravest: saved.gravest.map(|(time, id)| (Timestamp(time), id)),
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
    use proptest::prelude::*;

    use super::*;
    use crate::finding::tests::one_match;

    const HOUR: i64 = crate::time::MICROS_PER_HOUR;

    fn triage() -> Triage {
        let entry = "rule = '*'\nactor = 'ci'\nreason = 'known'\nexpires = 2027-01-01";
        Triage::new(Suppressions::new(vec![toml::from_str(entry).unwrap()]).unwrap(), Vec::new())
    }

    fn matches(count: i64) -> Vec<Finding> {
        (0..count).map(|n| one_match("cloudtrail/x", "eve", Timestamp(n * HOUR / 4), &format!("e{n:03}"))).collect()
    }

    proptest! {
        #[test]
        fn any_order_and_grouping_and_a_restart_anywhere_give_the_same_findings(
            order in Just((0..60).collect::<Vec<usize>>()).prop_shuffle(),
            group in 1usize..20,
        ) {
            let actors = ["eve", "mallory", "ci"];
            let all: Vec<_> = (0..60)
                .map(|n| {
                    let time = Timestamp(n * 7 % 60 * HOUR);
                    let severity = if n % 5 == 2 { Severity::High } else { Severity::Medium };
                    Finding { severity, ..one_match("cloudtrail/x", actors[n as usize % 3], time, &format!("e{n:03}")) }
                })
                .collect();
            let mut whole = triage();
            whole.settle(all.clone(), Timestamp(0));
            let mut parts = triage();
            for group in order.chunks(group) {
                parts.settle(group.iter().map(|&n| all[n].clone()).collect(), Timestamp(0));
                let bytes = parts.snapshot();
                parts = triage();
                parts.restore(&bytes).unwrap();
            }
            prop_assert_eq!(whole.findings(), parts.findings());
            prop_assert_eq!(whole.findings().iter().map(|finding| finding.count).sum::<u64>(), 40);
            prop_assert_eq!(parts.suppressions().hidden().collect::<Vec<_>>(), [("*", "known", 20)]);
            parts.untold();
            whole.untold();
            prop_assert_eq!(whole.snapshot(), parts.snapshot());
        }
    }

    #[test]
    fn past_the_limit_the_oldest_leave_after_they_were_told() {
        let mut triage = triage();
        let one = |n: i64| one_match("cloudtrail/x", &format!("a{n}"), Timestamp(n), "e");
        let most = Triage::OPEN_MAX as i64;
        assert_eq!(triage.settle((10..most + 10).map(one).collect(), Timestamp(0)).len(), Triage::OPEN_MAX);
        assert_eq!(triage.settle(vec![one(1)], Timestamp(0)).len(), 1, "told, though it is the oldest of all");
        assert_eq!((triage.len(), triage.forgotten()), (Triage::OPEN_MAX, 1));
        assert_eq!(triage.settle(vec![one(10)], Timestamp(0))[0].count, 2, "the next oldest is still known");
    }

    #[test]
    fn what_was_not_told_on_the_way_is_told_at_the_end() {
        let mut triage = triage();
        matches(7).into_iter().for_each(|found| drop(triage.settle(vec![found], Timestamp(0))));
        assert_eq!(triage.untold(), triage.findings());
        assert!(triage.untold().is_empty());
    }

    #[test]
    fn a_finding_is_told_when_it_is_new_and_each_time_it_doubles() {
        let mut triage = triage();
        let told: Vec<_> = matches(8).into_iter().map(|found| triage.settle(vec![found], Timestamp(0)).len()).collect();
        assert_eq!(told, [1, 1, 0, 1, 0, 0, 0, 1]);
    }

    #[test]
    fn what_is_settled_again_is_known_and_told_to_nobody() {
        let mut triage = triage();
        matches(3).into_iter().for_each(|found| triage.settle_again(vec![found], Timestamp(0)));
        assert_eq!((triage.len(), triage.opened().len(), triage.untold()), (1, 0, vec![]));
        assert!(triage.settle(matches(2), Timestamp(0)).is_empty(), "five of three were told");
        assert_eq!(triage.settle(matches(1), Timestamp(0)).len(), 1, "six are twice as many");
        assert!(triage.restore(b"{").is_err() && triage.restore(b"{\"version\":9}").is_err());
        assert_eq!(triage.findings()[0].count, 6, "what is refused changes nothing");
    }

    #[test]
    fn who_assumed_a_role_is_told_with_its_findings_after_a_restart_too() {
        use crate::detect::tests::{batch, changed, event};
        let answer =
            serde_json::json!({ "assumedRoleUser": { "arn": "arn:aws:sts::111122223333:assumed-role/ops/s1" } });
        let assumed = changed(event("AssumeRole", "e1"), serde_json::json!({ "responseElements": answer }));
        let time = Timestamp::parse("2024-08-01T12:00:00Z").unwrap();
        let mut found = one_match("cloudtrail/x", "arn:aws:iam::111122223333:role/ops", time, "e2");
        found.sessions = vec!["s1".into()];
        let mut triage = triage();
        triage.watch(&[batch(&[assumed])]);
        let told = triage.settle(vec![found], Timestamp(0));
        assert_eq!(told[0].assumed_by, ["arn:aws:iam::111122223333:user/eve"]);
        let mut again = Triage::new(Suppressions::default(), Vec::new());
        again.restore(&triage.snapshot()).unwrap();
        assert_eq!(again.findings(), told);
    }

    #[test]
    fn who_assumed_a_role_is_told_when_that_comes_late_too() {
        use crate::detect::tests::{batch, changed, event};
        let answer =
            serde_json::json!({ "assumedRoleUser": { "arn": "arn:aws:sts::111122223333:assumed-role/ops/s1" } });
        let assumed = batch(&[changed(event("AssumeRole", "e1"), serde_json::json!({ "responseElements": answer }))]);
        let of = |role: &str| {
            let time = Timestamp::parse("2024-08-01T12:00:00Z").unwrap();
            let mut found = one_match("cloudtrail/x", &format!("arn:aws:iam::111122223333:role/{role}"), time, "e2");
            found.sessions = vec!["s1".into()];
            found
        };
        let mut triage = triage();
        assert_eq!(triage.settle(vec![of("ops"), of("other")], Timestamp(0)).len(), 2);
        triage.watch(std::slice::from_ref(&assumed));
        let told = triage.settle(Vec::new(), Timestamp(0));
        assert_eq!(told.iter().map(|found| found.assumed_by.len()).collect::<Vec<_>>(), [1]);
        let bytes = triage.snapshot();
        triage.restore(&bytes).unwrap();
        triage.watch(std::slice::from_ref(&assumed));
        assert_eq!((triage.settle(Vec::new(), Timestamp(0)), triage.untold()), (vec![], vec![]), "once");
        // and at the end of a run at the latest
        let mut triage = Triage::new(Suppressions::default(), Vec::new());
        triage.settle(vec![of("ops")], Timestamp(0));
        triage.watch(&[assumed]);
        assert_eq!(triage.untold().len(), 1);
    }

    fn suppressing(conditions: &str) -> Triage {
        let entry = format!("rule = 'cloudtrail/*'\nreason = 'known'\nexpires = 2027-01-01\n{conditions}");
        Triage::new(Suppressions::new(vec![toml::from_str(&entry).unwrap()]).unwrap(), Vec::new())
    }

    #[test]
    fn an_entry_hides_the_matches_it_covers_and_no_other() {
        use crate::detect::tests::{batch, changed, detector, event, rule};
        let events = [
            event("CreateUser", "e1"),
            changed(event("CreateUser", "e2"), serde_json::json!({ "sourceIPAddress": "198.51.100.9" })),
            changed(event("CreateUser", "e3"), serde_json::json!({ "awsRegion": "eu-west-1" })),
        ];
        let check = |conditions: &str, left: &[&str]| {
            let rule = rule("", "SELECT eventID FROM cloudtrail WHERE eventName = 'CreateUser'");
            let mut triage = suppressing(conditions);
            triage.settle(detector([rule]).observe(&[batch(&events)], Timestamp(0)), Timestamp(0));
            let ids = |finding: Finding| finding.event_ids.into_iter().map(|(_, id)| id);
            assert_eq!(triage.findings().into_iter().flat_map(ids).collect::<Vec<_>>(), left, "{conditions}");
            assert_eq!(triage.len(), 1, "{conditions}");
            let hidden: u64 = triage.suppressions().hidden().map(|(_, _, count)| count).sum();
            assert_eq!(hidden, 3 - left.len() as u64, "{conditions}");
        };
        check("source_ip = '192.0.2.0/24'", &["e2"]);
        check("source_ip = '198.51.100.9'", &["e1", "e3"]);
        check("region = 'us-*'", &["e3"]);
        check("region = 'ap-*'", &["e1", "e2", "e3"]);
    }

    #[test]
    fn every_resource_of_a_match_is_asked_beyond_what_a_finding_shows() {
        use crate::detect::tests::{batch, detector, event, rule};
        let names: Vec<_> = (10..10 + Finding::RESOURCES_MAX).map(|n| format!("'a{n}'")).collect();
        let sql =
            format!("SELECT [{}, 'z'] AS resource FROM cloudtrail WHERE eventName = 'CreateUser'", names.join(", "));
        let mut triage = suppressing("resource = 'a*'");
        let events = [event("CreateUser", "e1"), event("CreateUser", "e2")];
        let batches = events.map(|event| batch(&[event]));
        triage.settle(detector([rule("", &sql)]).observe(&batches, Timestamp(0)), Timestamp(0));
        let found = triage.findings();
        assert_eq!((found[0].count, found[0].resources.len()), (2, Finding::RESOURCES_MAX));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_cut_into_batches_and_turns_gives_the_same_findings_and_hides_the_same(
            events in crate::detect::tests::some_events(),
            conditions in prop::sample::select(&[
                "source_ip = '192.0.2.0/24'", "actor = 'R*'", "resource = 'Access*'", "region = 'us-east-1'",
                "actor = '*M*'\nsource_ip = '10.0.0.1'", "account = '000000000000'",
            ] as &[&str]),
            size in 1usize..9,
        ) {
            use crate::detect::tests::{batch, detector, rule};
            let sql = "SELECT eventName, errorCode AS resource FROM cloudtrail WHERE eventSource IS NOT NULL";
            let settled = |batches: &[Batch], each: usize, apart: Apart| {
                let mut detector = detector([rule("-- key = [\"account\"]\n", sql)]);
                detector.keep_apart(apart);
                let mut triage = suppressing(conditions);
                for batches in batches.chunks(each) {
                    triage.settle(detector.observe(batches, Timestamp(0)), Timestamp(0));
                }
                let hidden: u64 = triage.suppressions().hidden().map(|(_, _, count)| count).sum();
                (triage.findings(), hidden)
            };
            let whole = batch(&events);
            let pieces = |size: usize| -> Vec<Batch> {
                let starts = (0..whole.rows.num_rows()).step_by(size);
                let piece = |start: usize| whole.rows.slice(start, size.min(whole.rows.num_rows() - start));
                starts.map(|start| Batch { table: whole.table, rows: piece(start) }).collect()
            };
            let one_by_one = settled(&pieces(1), 1, Apart::ALL);
            let asked = suppressing(conditions).asks();
            for apart in [Apart::ALL, asked] {
                prop_assert_eq!(&settled(std::slice::from_ref(&whole), 1, apart), &one_by_one);
                prop_assert_eq!(&settled(&pieces(size), 2, apart), &one_by_one);
            }
        }
    }
}
