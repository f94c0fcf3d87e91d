//! Events that somebody makes on purpose, again and again, so that it shows when nothing is detected any more.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::suppress::{Conditions, Cover};
use crate::detect::Apart;
use crate::finding::{Finding, FindingId, Resource};
use crate::rule::{Confidence, Severity};
use crate::time::{MICROS_PER_HOUR, Timestamp};

/// Of the findings that say a canary is silent.
pub const CANARY_SILENT: &str = "weir/canary_silent";

/// A month.
const HOURS_MAX: f64 = 744.0;

/// A `[[canary]]` entry: a finding is of the canary where every condition that is given holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What people call it; each has another.
    pub name: String,
    /// Rule ids, with `*`, `?` and `[..]`.
    pub rule: String,
    pub account: Option<String>,
    pub region: Option<String>,
    pub actor: Option<String>,
    /// An address or a CIDR block.
    pub source_ip: Option<String>,
    /// Every resource of the finding must match.
    pub resource: Option<String>,
    /// Hours without such a finding after which it is missed: well above the time between two of its events, and what it takes AWS
    /// to deliver them.
    pub hours: f64,
}

/// The entries, ready to use, with what was seen of each.
#[derive(Default)]
pub struct Canaries(Vec<Canary>);

struct Canary {
    entry: Entry,
    cover: Cover,
    heard: Heard,
    /// When this process began to wait for it.
    since: Option<Timestamp>,
}

/// What was seen of one, for a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Heard {
    matches: u64,
    /// Event time of the newest match in microseconds since 1970, and its account and Region.
    last: Option<(i64, String, String)>,
    /// Whether it was said that none came since.
    missed: bool,
}

/// One canary, as people are told of it.
pub struct Told<'a> {
    pub name: &'a str,
    /// Matches since the state began.
    pub matches: u64,
    /// Event time of the newest.
    pub last: Option<Timestamp>,
}

impl Canaries {
    /// # Errors
    /// When a pattern or an address cannot be read, a name is empty or comes twice, or `hours` is 0.
    pub fn new(entries: Vec<Entry>) -> anyhow::Result<Canaries> {
        let mut canaries: Vec<Canary> = Vec::with_capacity(entries.len());
        for entry in entries {
            let which = format!("[[canary]] {:?}", entry.name);
            if entry.name.trim().is_empty() || canaries.iter().any(|known| known.entry.name == entry.name) {
                bail!("{which}: each canary has a `name` of its own");
            }
            if !(entry.hours > 0.0 && entry.hours <= HOURS_MAX) {
                bail!("{which}: `hours` is {}, and is above 0 and at most {HOURS_MAX}", entry.hours);
            }
            let conditions = Conditions {
                rule: &entry.rule,
                account: entry.account.as_deref(),
                region: entry.region.as_deref(),
                actor: entry.actor.as_deref(),
                source_ip: entry.source_ip.as_deref(),
                resource: entry.resource.as_deref(),
            };
            let cover = Cover::new(&conditions).context(which)?;
            canaries.push(Canary { entry, cover, heard: Heard::default(), since: None });
        }
        Ok(Canaries(canaries))
    }

    /// What the entries ask of findings; where there is one, also the account and the Region that it is told with.
    pub(super) fn asks(&self) -> Apart {
        let told = Apart { names: [true, true, false, false], resources: false };
        self.0.iter().map(|canary| canary.cover.asks().or(told)).fold(Apart::NOTHING, Apart::or)
    }

    /// True when the finding is a canary's: it is noted, and no alarm. A clock that is ahead counts as now.
    pub(super) fn take(&mut self, finding: &Finding, now: Timestamp) -> bool {
        let Some(canary) = self.0.iter_mut().find(|canary| canary.cover.covers(finding)) else { return false };
        let heard = &mut canary.heard;
        heard.matches = heard.matches.saturating_add(finding.count);
        let time = finding.last_seen.min(now).0;
        if heard.last.as_ref().is_none_or(|(last, ..)| time > *last) {
            heard.last = Some((time, finding.account.clone(), finding.region.clone()));
            heard.missed = false;
        }
        true
    }

    /// A finding for each canary of which nothing is younger than its hours, once for each time that it falls silent. None is
    /// missed before this process has waited as long for it.
    pub(super) fn silent(&mut self, now: Timestamp) -> Vec<Finding> {
        let mut found = Vec::new();
        for canary in &mut self.0 {
            let since = *canary.since.get_or_insert(now);
            let wait = (canary.entry.hours * MICROS_PER_HOUR as f64) as i64;
            let last = canary.heard.last.as_ref().map(|(last, ..)| *last);
            let waited = now.0.saturating_sub(since.0.max(last.unwrap_or(i64::MIN)));
            if waited > wait && !canary.heard.missed {
                canary.heard.missed = true;
                // a process that is killed and begins anew finds the same
                let from = Timestamp(last.unwrap_or(since.0).saturating_add(wait));
                found.push(canary.silence(from, last.map(Timestamp)));
            }
        }
        found
    }

    pub fn told(&self) -> impl Iterator<Item = Told<'_>> {
        self.0.iter().map(|canary| Told {
            name: &canary.entry.name,
            matches: canary.heard.matches,
            last: canary.heard.last.as_ref().map(|(last, ..)| Timestamp(*last)),
        })
    }

    /// Those whose rule is none of `rules`: name and pattern.
    pub fn without_rule(&self, rules: &[&str]) -> Vec<(&str, &str)> {
        let has_none = |canary: &&Canary| !rules.iter().any(|rule| canary.cover.is_of_rule(rule));
        self.0.iter().filter(has_none).map(|canary| (&*canary.entry.name, &*canary.entry.rule)).collect()
    }

    /// What was seen of each, by its entry's text.
    pub(super) fn heard(&self) -> BTreeMap<String, Heard> {
        let text = |entry: &Entry| serde_json::to_string(entry).expect("an entry is plain data");
        self.0.iter().map(|canary| (text(&canary.entry), canary.heard.clone())).collect()
    }

    /// Takes back [`Canaries::heard`]. An entry that the configuration no longer has is let go.
    pub(super) fn restore(&mut self, heard: &BTreeMap<String, Heard>) {
        let text = |entry: &Entry| serde_json::to_string(entry).expect("an entry is plain data");
        for canary in &mut self.0 {
            canary.heard = heard.get(&text(&canary.entry)).cloned().unwrap_or_default();
        }
    }
}

impl Canary {
    fn silence(&self, from: Timestamp, last: Option<Timestamp>) -> Finding {
        let Entry { name, rule, hours, .. } = &self.entry;
        let given = |text: &Option<String>| text.clone().filter(|text| !text.contains(['*', '?', '[']));
        let (account, region) = match &self.heard.last {
            Some((_, account, region)) => (Some(account.clone()), Some(region.clone())),
            None => (given(&self.entry.account), given(&self.entry.region)),
        };
        let unknown = || "unknown".to_owned();
        Finding {
            id: FindingId::new(CANARY_SILENT, &[Some(name)], from.0),
            rule: CANARY_SILENT.into(),
            title: format!("Canary {name} has not been detected for {hours} h"),
            severity: Severity::High,
            confidence: Confidence::High,
            priority: 0,
            account: account.unwrap_or_else(unknown),
            region: region.unwrap_or_else(unknown),
            actor: None,
            sessions: Vec::new(),
            assumed_by: Vec::new(),
            source_ip: None,
            resources: vec![Resource(name.clone())],
            first_seen: from,
            last_seen: from,
            count: 1,
            window: None,
            gravest: None,
            event_ids: Vec::new(),
            tags: vec!["weir.health".into()],
            remedy: format!(
                "Something between the event and its finding has stopped: whoever makes the event, the trail or its delivery, Weir's \
                 source (weir_newest_event_seconds, weir doctor), or rule {rule} (weir rules explain). Until it is back, nothing of \
                 the kind is detected."
            ),
            evidence: vec![
                ("canary".into(), name.clone()),
                ("rule".into(), rule.clone()),
                ("last_event".into(), last.map_or_else(|| "none yet".to_owned(), |last| last.to_string())),
            ],
            terms: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::one_match;

    const CONFIG: &str =
        "name = 'denied'\nrule = 'cloudtrail/denied'\nactor = '*:role/canary'\nhours = 2.0\naccount = '111122223333'";

    fn canaries(toml: &str) -> anyhow::Result<Canaries> {
        Canaries::new(vec![toml::from_str(toml)?])
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp(1_700_000_000_000_000 + minutes * 60_000_000)
    }

    fn of_canary(minutes: i64) -> Finding {
        one_match("cloudtrail/denied", "arn:aws:iam::111122223333:role/canary", at(minutes), "e")
    }

    #[test]
    fn it_is_missed_once_each_time_it_falls_silent() {
        let mut canaries = canaries(CONFIG).unwrap();
        assert!(canaries.silent(at(0)).is_empty());
        assert!(canaries.take(&of_canary(10), at(15)));
        assert!(
            !canaries.take(&one_match("cloudtrail/denied", "arn:aws:iam::111122223333:user/eve", at(11), "e"), at(15))
        );
        assert!(canaries.silent(at(130)).is_empty());
        let found = canaries.silent(at(131));
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].rule.as_str(), found[0].severity, found[0].first_seen),
            (CANARY_SILENT, Severity::High, at(130))
        );
        assert_eq!(found[0].title, "Canary denied has not been detected for 2 h");
        assert!(canaries.silent(at(500)).is_empty());
        assert!(canaries.take(&of_canary(501), at(502)));
        assert!(canaries.silent(at(600)).is_empty());
        let again = canaries.silent(at(622));
        assert_eq!(again.len(), 1);
        assert_ne!(again[0].id, found[0].id);
        assert_eq!(canaries.told().next().unwrap().matches, 2);
    }

    #[test]
    fn a_start_waits_and_forgets_nothing() {
        let mut before = canaries(CONFIG).unwrap();
        before.take(&of_canary(0), at(5));
        let mut after = canaries(CONFIG).unwrap();
        after.restore(&before.heard());
        assert!(after.silent(at(600)).is_empty(), "it was down, and has not waited yet");
        let found = after.silent(at(721));
        assert_eq!(found[0].first_seen, at(120));
        let mut later = canaries(CONFIG).unwrap();
        later.restore(&after.heard());
        assert!(later.silent(at(722)).is_empty());
        assert!(later.silent(at(1500)).is_empty(), "it was said before");
    }

    #[test]
    fn what_never_came_is_missed_where_the_entry_says() {
        let mut canaries = canaries(CONFIG).unwrap();
        canaries.silent(at(0));
        let found = canaries.silent(at(121));
        assert_eq!((found[0].account.as_str(), found[0].region.as_str()), ("111122223333", "unknown"));
        assert_eq!(found[0].evidence[2], ("last_event".into(), "none yet".into()));
    }

    #[test]
    fn a_clock_that_is_ahead_hides_no_silence() {
        let mut canaries = canaries(CONFIG).unwrap();
        canaries.silent(at(0));
        canaries.take(&of_canary(100_000), at(1));
        assert_eq!(canaries.silent(at(122)).len(), 1);
    }

    #[test]
    fn mistakes_are_named() {
        let error = |toml: &str| format!("{:#}", canaries(toml).err().unwrap());
        assert!(error("name = 'a'\nrule = '*'").contains("hours"));
        assert!(error("name = 'a'\nrule = '*'\nhours = 0.0").contains("`hours` is 0, and is above 0"));
        assert!(error("name = 'a'\nrule = '*'\nhours = nan").contains("`hours` is NaN"));
        assert!(error("name = ' '\nrule = '*'\nhours = 1.0").contains("a `name` of its own"));
        assert!(error("name = 'a'\nrule = '['\nhours = 1.0").contains("[[canary]] \"a\": `[` is not a pattern"));
    }
}
