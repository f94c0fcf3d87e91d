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

    /// Whether an entry in force covers the finding.
    pub fn covers(&self, finding: &Finding, now: Timestamp) -> bool {
        self.0.iter().any(|suppression| now < suppression.expires && suppression.cover.covers(finding))
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

    /// Whether every condition holds.
    pub fn covers(&self, finding: &Finding) -> bool {
        let holds = |pattern: &Option<Pattern>, text: Option<&str>| match pattern {
            Some(pattern) => text.is_some_and(|text| matches(pattern, text)),
            None => true,
        };
        let from = match (&self.source_ip, finding.source_ip.as_deref().map(str::parse::<std::net::IpAddr>)) {
            (None, _) => true,
            (Some(block), Some(Ok(address))) => block.contains(&address),
            (Some(_), _) => false,
        };
        let on = self.resource.as_ref().is_none_or(|pattern| {
            !finding.resources.is_empty() && finding.resources.iter().all(|resource| matches(pattern, &resource.0))
        });
        self.is_of_rule(&finding.rule)
            && holds(&self.account, Some(&finding.account))
            && holds(&self.region, Some(&finding.region))
            && self.actor.as_ref().is_none_or(|pattern| is_by(pattern, finding))
            && from
            && on
    }

    /// Whether findings of a rule may be among them.
    pub fn is_of_rule(&self, rule: &str) -> bool {
        matches(&self.rule, rule)
    }
}

/// Whether who acted is called so: in the log, or where findings are shown.
fn is_by(pattern: &Pattern, finding: &Finding) -> bool {
    let Some(actor) = finding.actor.as_deref() else { return false };
    if matches(pattern, actor) || matches(pattern, finding.actor()) {
        return true;
    }
    // past as many there may be others
    let people = &finding.sessions;
    let all_are_known = finding.is_permission_set() && !people.is_empty() && people.len() < Finding::SESSIONS_MAX;
    let is_one = |person: &String| matches(pattern, person) || matches(pattern, &finding.in_role(person));
    all_are_known && people.iter().all(is_one)
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
        for role in ["admin", "AWSReservedSSO_Admin_0123456789abcdef", "aws-reserved/AWSReservedSSO_Admin_0123456789abcdef"] {
            check(&format!("arn:aws:iam::111122223333:role/{role}"), &["eve@x.org"], "eve@x.org*", false);
        }
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
