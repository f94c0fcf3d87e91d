//! What the last commit has of the stages → the stages. What cannot be read of it is refused by name, and the archive tells it again.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;

use super::Stages;
use super::commit::Commit;
use super::summary::{Rebuilt, RefusedState, Summary};
use crate::detect::Detector;
use crate::detect::quarantine::Tried;
use crate::finding::{Finding, FindingId};
use crate::rule::Learns;
use crate::triage::Triage;

/// What the stages begin without.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unknown {
    /// Rules over windows that know nothing of the time before: they are new, were edited, or lost what they knew.
    pub rules: BTreeSet<String>,
    /// Of these, the ones that lost it.
    pub lost: BTreeSet<String>,
    /// Of these, the ones that ask something else of rows than they did before the last commit, or were not there.
    pub edited: BTreeSet<String>,
    /// How far partitions had been read, and how many findings each rule had.
    pub shared: bool,
    /// The open findings.
    pub findings: bool,
}

impl Unknown {
    /// Whether the last commit has something that cannot be read.
    pub fn is_refused(&self) -> bool {
        !self.lost.is_empty() || self.shared || self.findings
    }
}

/// What an archive told of it.
pub struct Answer {
    /// Of what was refused; or why there is nothing to tell it.
    pub rebuilt: Result<Rebuilt, String>,
    /// Rules that learn from what was before, for which it has nothing.
    pub unlearned: Vec<String>,
    /// Of windows that were lost.
    pub closed: Closed,
}

/// What an archive told of windows that were lost for want of room.
#[derive(Debug, Default)]
pub struct Closed {
    /// The findings that say so, and what came of it.
    pub holes: BTreeMap<FindingId, Tried>,
    /// What they would have told, and what is known already of the same days.
    pub found: Vec<Finding>,
}

/// Has the archive, in which everything is by then that was committed, tell the stages what they begin without. An error ends the run
/// before anything of what cannot be read is replaced.
pub type LookBack = Box<dyn FnOnce(&Unknown, &mut Detector, &mut Triage) -> anyhow::Result<Answer> + Send>;

/// Takes up detector and triage where the last commit left them. Gives what is to be told because of what the archive told.
///
/// # Errors
/// Those of looking back.
pub fn restore(stages: &mut Stages, saved: &Commit, summary: &mut Summary) -> anyhow::Result<Closed> {
    let (mut unknown, mut refused) = (Unknown::default(), Vec::new());
    let windowed: BTreeSet<String> = stages.detector.window_bytes().map(|(rule, _)| rule.to_owned()).collect();
    let mut taken = BTreeSet::new();
    if !saved.detector.shared.is_empty() {
        let restored = stages.detector.restore(&saved.detector);
        if stages.look_back.is_none() {
            for rule in &restored.changed {
                tracing::warn!(
                    rule,
                    "the rule asks something else of rows, and there is no archive: its windows begin anew"
                );
            }
        }
        unknown.edited = restored.changed.into_iter().chain(restored.new).collect();
        taken = restored.taken;
        let mut by_why = BTreeMap::<String, Vec<String>>::new();
        for (rule, why) in restored.lost {
            unknown.lost.insert(rule.clone());
            by_why.entry(why).or_default().push(rule);
        }
        refused.extend(by_why.into_iter().map(|(why, rules)| RefusedState::of_rules(rules, why)));
        if let Some(why) = restored.shared {
            unknown.shared = true;
            refused.push(RefusedState::of(RefusedState::SHARED, why));
        }
    }
    if let Err(error) = stages.triage.restore(&saved.triage) {
        unknown.findings = true;
        refused.push(RefusedState::of(RefusedState::FINDINGS, format!("{error:#}")));
    }
    unknown.rules = windowed.difference(&taken).cloned().collect();
    for RefusedState { part, rules, why, .. } in &refused {
        tracing::warn!(part, rules = rules.len(), why, "a part of the last commit is refused");
    }
    let answer = match stages.look_back.take() {
        Some(look_back) => look_back(&unknown, &mut stages.detector, &mut stages.triage)
            .context("the archive was not looked at, and the last commit stays as it is")?,
        None => {
            let learns = |rule: &String| unknown.rules.contains(rule);
            let all = [Learns::New, Learns::Usual].into_iter().flat_map(|what| stages.detector.learn(what));
            let unlearned = all.map(|rule| rule.id.clone()).filter(learns).collect();
            Answer { rebuilt: Err("there is no archive".into()), unlearned, closed: Closed::default() }
        }
    };
    if unknown.is_refused() {
        for refused in &mut refused {
            match &answer.rebuilt {
                Ok(rebuilt) => refused.rebuilt = Some(rebuilt.clone()),
                Err(why) => {
                    tracing::warn!(part = refused.part, why, "it is not rebuilt, and begins anew");
                    refused.hole = Some(why.clone());
                }
            }
        }
        summary.refused_state.append(&mut refused);
    }
    summary.unlearned = answer.unlearned;
    Ok(answer.closed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::detect::Parts;
    use crate::detect::tests::{batch, detector, event, rule};
    use crate::time::Timestamp;
    use crate::triage::suppress::Suppressions;

    fn stages() -> Stages {
        let twice = rule(
            "",
            "SELECT count(*) AS calls FROM cloudtrail WHERE eventName = 'GetUser'\n\
             GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '1 day') HAVING count(*) >= 2",
        );
        Stages {
            detector: detector([twice]),
            triage: Triage::new(Suppressions::default(), Vec::new()),
            archive: None,
            state: None,
            journal: None,
            posts: Vec::new(),
            look_back: None,
        }
    }

    /// What a day with one call leaves.
    fn saved() -> Commit {
        let mut stages = stages();
        let found = stages.detector.observe(&[batch(&[event("GetUser", "e1")])], Timestamp(0));
        stages.triage.settle(found, Timestamp(0));
        Commit { detector: stages.detector.changes(), triage: stages.triage.snapshot(), ..Commit::default() }
    }

    #[test]
    fn what_can_be_read_is_taken_up_and_asks_nothing() {
        let (mut stages, mut summary) = (stages(), Summary::default());
        stages.look_back = Some(Box::new(|unknown, _, _| {
            assert_eq!(*unknown, Unknown::default());
            Ok(Answer { rebuilt: Err(String::new()), unlearned: Vec::new(), closed: Closed::default() })
        }));
        restore(&mut stages, &saved(), &mut summary).unwrap();
        assert_eq!(summary, Summary::default());
        let found = stages.detector.observe(&[batch(&[event("GetUser", "e2")])], Timestamp(0));
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_named_and_is_a_hole_where_nothing_tells_it() {
        let (mut stages, mut summary) = (stages(), Summary::default());
        let saved = Commit {
            detector: Parts { shared: vec![99, 0].into(), ..Parts::default() },
            triage: b"{\"version\":1".to_vec(),
            ..saved()
        };
        restore(&mut stages, &saved, &mut summary).unwrap();
        let refused: Vec<_> = summary.refused_state.iter().map(|part| (part.part.as_str(), &*part.rules)).collect();
        let rules = ["cloudtrail/x".to_owned()];
        assert_eq!(
            refused,
            [(RefusedState::WINDOWS, &rules[..]), (RefusedState::SHARED, &[]), (RefusedState::FINDINGS, &[])]
        );
        assert!(summary.refused_state.iter().all(|part| part.hole.as_deref() == Some("there is no archive")));
        assert!(summary.refused_state[0].why.contains("version 99"), "{:?}", summary.refused_state);
        let mut shown = Vec::new();
        summary.show(&mut shown).unwrap();
        let shown = String::from_utf8(shown).unwrap();
        let line = "the last commit's windows of 1 rule (cloudtrail/x) are refused: the saved state has version 99, and this weir reads 12: \
                    not rebuilt, since there is no archive";
        assert!(shown.contains(line), "{shown}");
        assert_eq!(json!(summary)["refused_state"][0]["hole"], "there is no archive");
    }

    #[test]
    fn who_is_stopped_while_looking_back_changes_nothing() {
        let mut stages = stages();
        stages.look_back = Some(Box::new(|_, _, _| anyhow::bail!("told to stop")));
        let error = restore(&mut stages, &saved(), &mut Summary::default()).unwrap_err();
        assert!(format!("{error:#}").ends_with("told to stop"), "{error:#}");
    }
}
