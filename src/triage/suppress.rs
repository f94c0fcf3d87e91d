//! Which findings the configuration hides, why, and until when.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use glob::{MatchOptions, Pattern};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::detect::Apart;
use crate::finding::Finding;
use crate::time::Timestamp;

/// A `[[suppress]]` entry: every condition that is given must hold. Patterns know `*`, `?` and `[..]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Rule ids.
    pub rule: String,
    pub account: Option<String>,
    pub region: Option<String>,
    /// As the log has it, or as a finding is shown: `arn:aws:iam::111122223333:user/eve`, `user/eve`, and of people of IAM Identity
    /// Center `eve@example.com` or `eve@example.com (AdministratorAccess)`; every session of the finding must match. Who assumes
    /// another role may call the session so too: there it is no name.
    pub actor: Option<String>,
    /// An address or a CIDR block.
    pub source_ip: Option<String>,
    /// Every resource of the finding must match.
    pub resource: Option<String>,
    /// Why this is harmless.
    pub reason: String,
    pub owner: Option<String>,
    /// Day (`2027-03-31`, a TOML date or text) or instant from which the entry does nothing.
    #[serde(deserialize_with = "day")]
    pub expires: String,
}

fn day<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "`expires` needs a day such as 2027-03-31")]
    enum Day {
        Date(toml::value::Datetime),
        Text(String),
    }
    Ok(match Day::deserialize(from)? {
        Day::Date(date) => date.to_string(),
        Day::Text(text) => text,
    })
}

impl Entry {
    fn text(&self) -> String {
        serde_json::to_string(self).expect("an entry is plain data")
    }
}

/// The entries, ready to use, with what each has hidden.
#[derive(Default)]
pub struct Suppressions(Vec<Suppression>);

struct Suppression {
    entry: Entry,
    cover: Cover,
    expires: Timestamp,
    hidden: u64,
}

/// What an entry asks of a finding, as it is written.
pub struct Conditions<'a> {
    pub rule: &'a str,
    pub account: Option<&'a str>,
    pub region: Option<&'a str>,
    pub actor: Option<&'a str>,
    pub source_ip: Option<&'a str>,
    pub resource: Option<&'a str>,
}

/// Which findings an entry is about.
pub struct Cover {
    rule: Pattern,
    account: Option<Pattern>,
    region: Option<Pattern>,
    actor: Option<Pattern>,
    source_ip: Option<IpNet>,
    resource: Option<Pattern>,
}

/// How much of a finding an entry hides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Covered {
    Nothing,
    /// Some of its matches, or, where what they differ in is not kept, it may be some, all or none.
    Part,
    Whole,
}

impl Suppressions {
    /// # Errors
    /// When an entry's pattern, address or day cannot be read, or its reason is empty.
    pub fn new(entries: Vec<Entry>) -> anyhow::Result<Suppressions> {
        entries
            .into_iter()
            .enumerate()
            .map(|(index, entry)| {
                let which = format!("[[suppress]] entry {} (rule {:?})", index + 1, entry.rule);
                Suppression::new(entry).context(which)
            })
            .collect::<anyhow::Result<_>>()
            .map(Suppressions)
    }

    /// True when an entry in force covers the finding; its matches are counted for the first such entry. All
    /// matches of the finding are alike in what an entry can name: see `Detector::observe`.
    pub fn hides(&mut self, finding: &Finding, now: Timestamp) -> bool {
        let in_force = |suppression: &&mut Suppression| now < suppression.expires && suppression.cover.covers(finding);
        match self.0.iter_mut().find(in_force) {
            Some(suppression) => {
                suppression.hidden = suppression.hidden.saturating_add(finding.count);
                true
            }
            None => false,
        }
    }

    /// Whether an entry in force covers the finding, as [`Suppressions::hides`] asks.
    pub fn covers(&self, finding: &Finding, now: Timestamp) -> bool {
        self.0.iter().any(|suppression| now < suppression.expires && suppression.cover.covers(finding))
    }

    /// How much of a finding, to which matches were added that it does not have any more, an entry in force hides.
    pub fn of_folded(&self, finding: &Finding, now: Timestamp) -> Covered {
        let in_force = self.0.iter().filter(|suppression| now < suppression.expires);
        in_force.map(|suppression| suppression.cover.of_folded(finding)).max().unwrap_or(Covered::Nothing)
    }

    /// Entries that hid something: rule pattern, reason, matches hidden.
    pub fn hidden(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.0
            .iter()
            .filter(|suppression| suppression.hidden > 0)
            .map(|suppression| (&*suppression.entry.rule, &*suppression.entry.reason, suppression.hidden))
    }

    /// What each entry has hidden, by the entry's text, for a snapshot.
    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        self.0.iter().filter(|suppression| suppression.hidden > 0).map(|s| (s.entry.text(), s.hidden)).collect()
    }

    /// Takes back [`Suppressions::counts`]. An entry that the configuration no longer has is let go.
    pub(super) fn restore(&mut self, counts: &BTreeMap<String, u64>) {
        for suppression in &mut self.0 {
            suppression.hidden = counts.get(&suppression.entry.text()).copied().unwrap_or(0);
        }
    }

    /// What the entries ask of findings.
    pub fn asks(&self) -> Apart {
        self.0.iter().map(|suppression| suppression.cover.asks()).fold(Apart::NOTHING, Apart::or)
    }

    /// Entries that have expired: rule pattern and day.
    pub fn expired(&self, now: Timestamp) -> impl Iterator<Item = (&str, &str)> {
        let expired = move |suppression: &&Suppression| suppression.expires <= now;
        self.0.iter().filter(expired).map(|suppression| (&*suppression.entry.rule, &*suppression.entry.expires))
    }

    /// The rule patterns of entries whose rule is none of `rules`.
    pub fn without_rule(&self, rules: &[&str]) -> Vec<&str> {
        let has_none = |entry: &&Suppression| !rules.iter().any(|rule| entry.cover.is_of_rule(rule));
        self.0.iter().filter(has_none).map(|suppression| &*suppression.entry.rule).collect()
    }
}

impl Suppression {
    fn new(entry: Entry) -> anyhow::Result<Suppression> {
        if entry.reason.trim().is_empty() {
            bail!("`reason` is empty: say why this is harmless");
        }
        let conditions = Conditions {
            rule: &entry.rule,
            account: entry.account.as_deref(),
            region: entry.region.as_deref(),
            actor: entry.actor.as_deref(),
            source_ip: entry.source_ip.as_deref(),
            resource: entry.resource.as_deref(),
        };
        Ok(Suppression {
            cover: Cover::new(&conditions)?,
            expires: Timestamp::parse(&entry.expires)
                .with_context(|| format!("`expires` is {:?}, not a day such as 2027-03-31", entry.expires))?,
            hidden: 0,
            entry,
        })
    }
}

impl Cover {
    /// # Errors
    /// When a pattern or the address cannot be read.
    pub fn new(conditions: &Conditions) -> anyhow::Result<Cover> {
        let pattern = |text: &str| Pattern::new(text).with_context(|| format!("`{text}` is not a pattern"));
        let source_ip = match conditions.source_ip {
            Some(text) => Some(
                text.parse::<IpNet>()
                    .or_else(|_| text.parse().map(|address: std::net::IpAddr| IpNet::from(address)))
                    .with_context(|| format!("`{text}` is neither an address nor a CIDR block"))?,
            ),
            None => None,
        };
        Ok(Cover {
            rule: pattern(conditions.rule)?,
            account: conditions.account.map(pattern).transpose()?,
            region: conditions.region.map(pattern).transpose()?,
            actor: conditions.actor.map(pattern).transpose()?,
            resource: conditions.resource.map(pattern).transpose()?,
            source_ip,
        })
    }

    /// What the conditions are about, but for the rule.
    pub fn asks(&self) -> Apart {
        Apart {
            names: [self.account.is_some(), self.region.is_some(), self.actor.is_some(), self.source_ip.is_some()],
            resources: self.resource.is_some(),
        }
    }

    /// Whether every condition holds, of a finding of one match, or whose matches are alike in what the conditions are about.
    pub fn covers(&self, finding: &Finding) -> bool {
        let on = self.resource.as_ref().is_none_or(|pattern| {
            !finding.resources.is_empty() && finding.resources.iter().all(|resource| matches(pattern, &resource.0))
        });
        self.is_of_rule(&finding.rule)
            && self.is_in_account(finding)
            && self.is_in_region(finding)
            && self.actor.as_ref().is_none_or(|pattern| is_by(pattern, finding))
            && self.is_from(finding)
            && on
    }

    /// The same of a finding that matches were folded into: of Region and address it has those of the earliest, of people and resources
    /// all there were, up to a limit.
    pub fn of_folded(&self, finding: &Finding) -> Covered {
        let all_or_none = |holds: bool| if holds { Covered::Whole } else { Covered::Nothing };
        if finding.count <= 1 || finding.window.is_some() {
            return all_or_none(self.covers(finding));
        }
        let of_earliest = |is_asked: bool| if is_asked { Covered::Part } else { Covered::Whole };
        let by = self.actor.as_ref().map_or(Covered::Whole, |pattern| match is_named(pattern, finding) {
            true => Covered::Whole,
            false if finding.is_permission_set() => {
                let is_one = |person: &String| is_person(pattern, finding, person);
                of_list(finding.sessions.iter().map(is_one), Finding::SESSIONS_MAX)
            }
            false => Covered::Nothing,
        });
        let on = self.resource.as_ref().map_or(Covered::Whole, |pattern| {
            of_list(finding.resources.iter().map(|resource| matches(pattern, &resource.0)), Finding::RESOURCES_MAX)
        });
        let parts = [
            all_or_none(self.is_of_rule(&finding.rule) && self.is_in_account(finding)),
            of_earliest(self.region.is_some()),
            of_earliest(self.source_ip.is_some()),
            by,
            on,
        ];
        parts.into_iter().min().expect("there are five")
    }

    fn is_in_account(&self, finding: &Finding) -> bool {
        self.account.as_ref().is_none_or(|pattern| matches(pattern, &finding.account))
    }

    fn is_in_region(&self, finding: &Finding) -> bool {
        self.region.as_ref().is_none_or(|pattern| matches(pattern, &finding.region))
    }

    fn is_from(&self, finding: &Finding) -> bool {
        match (&self.source_ip, finding.source_ip.as_deref().map(str::parse::<std::net::IpAddr>)) {
            (None, _) => true,
            (Some(block), Some(Ok(address))) => block.contains(&address),
            (Some(_), _) => false,
        }
    }

    /// Whether findings of a rule may be among them.
    pub fn is_of_rule(&self, rule: &str) -> bool {
        matches(&self.rule, rule)
    }
}

/// Whether who acted is called so: in the log, or where findings are shown.
fn is_by(pattern: &Pattern, finding: &Finding) -> bool {
    // past as many there may be others
    let people = &finding.sessions;
    let all_are_known = finding.is_permission_set() && !people.is_empty() && people.len() < Finding::SESSIONS_MAX;
    is_named(pattern, finding) || all_are_known && people.iter().all(|person| is_person(pattern, finding, person))
}

fn is_named(pattern: &Pattern, finding: &Finding) -> bool {
    finding.actor.as_deref().is_some_and(|actor| matches(pattern, actor) || matches(pattern, finding.actor()))
}

fn is_person(pattern: &Pattern, finding: &Finding, person: &str) -> bool {
    matches(pattern, person) || matches(pattern, &finding.in_role(person))
}

/// Of what the matches of a finding have, and of which no more than so much is kept, what it says of them that some of it holds.
fn of_list(holds: impl Iterator<Item = bool>, max: usize) -> Covered {
    let (yes, no): (Vec<bool>, Vec<bool>) = holds.partition(|holds| *holds);
    match (yes.is_empty(), no.is_empty(), yes.len() + no.len() < max) {
        (false, true, true) => Covered::Whole,
        (true, _, true) => Covered::Nothing,
        _ => Covered::Part,
    }
}

fn matches(pattern: &Pattern, text: &str) -> bool {
    pattern.matches_with(text, MatchOptions::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::one_match;

    fn suppressions(toml: &str) -> anyhow::Result<Suppressions> {
        Suppressions::new(vec![toml::from_str(toml)?])
    }

    fn hides(conditions: &str) -> bool {
        let entry = format!("rule = 'cloudtrail/*'\nreason = 'known'\nexpires = '2027-01-01'\n{conditions}");
        let found = one_match("cloudtrail/x", "arn:aws:iam::111122223333:role/ci", Timestamp(0), "e");
        suppressions(&entry).unwrap().hides(&found, Timestamp::parse("2026-12-31").unwrap())
    }

    #[test]
    fn every_condition_must_hold() {
        assert!(hides(""));
        assert!(hides("actor = '*:role/ci'\nsource_ip = '192.0.2.0/24'\nresource = '*user/eve'"));
        assert!(!hides("actor = '*:role/other'"));
        assert!(!hides("source_ip = '198.51.100.1'"));
        assert!(!hides("account = '444455556666'"));
    }

    #[test]
    fn an_actor_is_named_as_in_the_log_or_as_it_is_shown() {
        let check = |actor: &str, sessions: &[&str], pattern: &str, expected: bool| {
            let entry = format!("rule = '*'\nreason = 'known'\nexpires = '2027-01-01'\nactor = '{pattern}'");
            let mut found = one_match("a/b", actor, Timestamp(0), "e");
            found.sessions = sessions.iter().map(|name| (*name).to_owned()).collect();
            let hides = suppressions(&entry).unwrap().hides(&found, Timestamp::parse("2026-12-31").unwrap());
            assert_eq!(hides, expected, "{pattern} {sessions:?}");
        };
        let user = "arn:aws:iam::111122223333:user/eve";
        check(user, &[], user, true);
        check(user, &[], "user/eve", true);
        check(user, &[], "eve", false);
        let role = "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0123456789abcdef";
        check(role, &["eve@x.org"], "eve@x.org", true);
        check(role, &["eve@x.org"], "eve@x.org (Admin)", true);
        check(role, &["eve@x.org", "tom@x.org"], "eve@x.org*", false);
        check(role, &["eve@x.org", "tom@x.org"], "*@x.org", true);
        check(role, &[], "*@x.org", false);
        let many: Vec<String> = (0..Finding::SESSIONS_MAX).map(|n| format!("{n}@x.org")).collect();
        check(role, &many.iter().map(String::as_str).collect::<Vec<_>>(), "*@x.org", false);
        check("arn:aws:iam::111122223333:role/web", &["i-0123"], "i-0123", false);
        // who assumes a role calls the session what they like, and a role may be called so by anybody
        for role in
            ["admin", "AWSReservedSSO_Admin_0123456789abcdef", "aws-reserved/AWSReservedSSO_Admin_0123456789abcdef"]
        {
            check(&format!("arn:aws:iam::111122223333:role/{role}"), &["eve@x.org"], "eve@x.org*", false);
        }
    }

    #[test]
    fn of_what_was_folded_an_entry_may_hide_a_part() {
        let check = |conditions: &str, change: &dyn Fn(&mut Finding), expected: Covered| {
            let entry = format!("rule = 'a/*'\nreason = 'known'\nexpires = '2027-01-01'\n{conditions}");
            let role =
                "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef";
            let mut found = one_match("a/b", role, Timestamp(0), "e");
            found.count = 2;
            found.sessions = vec!["eve@x.org".into(), "tom@x.org".into()];
            found.resources = vec![crate::finding::Resource("bob".into()), crate::finding::Resource("backdoor".into())];
            change(&mut found);
            let now = Timestamp::parse("2026-12-31").unwrap();
            assert_eq!(suppressions(&entry).unwrap().of_folded(&found, now), expected, "{conditions}");
        };
        let same = |_: &mut Finding| {};
        check("", &same, Covered::Whole);
        check("account = '1*'", &same, Covered::Whole);
        check("account = '2*'", &same, Covered::Nothing);
        check("actor = '*Admin*'", &same, Covered::Whole);
        check("actor = '*@x.org'", &same, Covered::Whole);
        check("actor = 'eve@x.org'", &same, Covered::Part);
        check("actor = 'kim@x.org'", &same, Covered::Nothing);
        check("resource = 'b*'", &same, Covered::Whole);
        check("resource = 'backdoor'", &same, Covered::Part);
        check("resource = 'c*'", &same, Covered::Nothing);
        check("source_ip = '192.0.2.7'", &same, Covered::Part);
        check("source_ip = '203.0.113.1'", &same, Covered::Part);
        check("region = 'us-*'\nresource = 'c*'", &same, Covered::Nothing);
        check("source_ip = '192.0.2.7'", &|found| found.count = 1, Covered::Whole);
        check("source_ip = '203.0.113.1'", &|found| found.count = 1, Covered::Nothing);
        let many = |found: &mut Finding| {
            let name = |n: usize| crate::finding::Resource(format!("{n}"));
            found.resources = (0..Finding::RESOURCES_MAX).map(name).collect();
        };
        check("resource = '?*'", &many, Covered::Part);
        check("resource = 'z'", &many, Covered::Part);
    }

    #[test]
    fn an_entry_of_no_rule_is_named() {
        let entry =
            |rule: &str| toml::from_str(&format!("rule = '{rule}'\nreason = 'known'\nexpires = '2027-01-01'")).unwrap();
        let suppressions = Suppressions::new(vec![entry("a/b"), entry("a/c"), entry("a/*")]).unwrap();
        assert_eq!(suppressions.without_rule(&["a/b", "d/e"]), ["a/c"]);
        assert_eq!(suppressions.without_rule(&[]), ["a/b", "a/c", "a/*"]);
    }

    #[test]
    fn an_expired_entry_hides_nothing() {
        let mut entry = suppressions("rule = '*'\nreason = 'known'\nexpires = '2026-01-01'").unwrap();
        let now = Timestamp::parse("2026-01-01").unwrap();
        assert!(!entry.hides(&one_match("a/b", "eve", Timestamp(0), "e"), now));
        assert_eq!(entry.expired(now).count(), 1);
    }

    #[test]
    fn a_day_may_be_a_toml_date() {
        let mut entry = suppressions("rule = '*'\nreason = 'known'\nexpires = 2026-01-02").unwrap();
        let found = one_match("a/b", "eve", Timestamp(0), "e");
        assert!(entry.hides(&found, Timestamp::parse("2026-01-01T23:59:59Z").unwrap()));
        assert!(!entry.hides(&found, Timestamp::parse("2026-01-02").unwrap()));
        assert_eq!(entry.hidden().collect::<Vec<_>>(), [("*", "known", 1)]);
    }

    #[test]
    fn reason_and_expiry_are_mandatory() {
        let error = |toml: &str| format!("{:#}", suppressions(toml).err().unwrap());
        assert!(error("rule = '*'\nexpires = '2027-01-01'").contains("reason"));
        assert!(error("rule = '*'\nreason = 'x'").contains("expires"));
        assert!(error("rule = '*'\nreason = ' '\nexpires = '2027-01-01'").contains("say why"));
        assert!(error("rule = '*'\nreason = 'x'\nexpires = 'soon'").contains("not a day"));
        assert!(error("rule = '*'\nreason = 'x'\nexpires = '2027-01-01'\nwho = 'y'").contains("who"));
    }
}
