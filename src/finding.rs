//! What we conclude: one row a person or a service should look at.

use std::cmp::Reverse;
use std::fmt;

use crate::rule::{Confidence, Severity};
use crate::time::Timestamp;

/// Names a finding for ever: a hash of the rule's id, the key's values and the period of event time, so that the
/// same events always make the same id, however often and in whatever order they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingId(pub [u8; 16]);

impl FindingId {
    /// `period` is the number of the rule's dedupe period that the match's event time falls in.
    pub fn new(rule: &str, key: &[Option<&str>], period: i64) -> FindingId {
        let mut hash = blake3::Hasher::new();
        let mut part = |bytes: &[u8]| {
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        part(rule.as_bytes());
        for value in key {
            match value {
                Some(value) => part(value.as_bytes()),
                // no text can be this long, so a missing value is told from an empty one
                None => {
                    part(&[0xff]);
                    part(&[]);
                }
            }
        }
        part(&period.to_le_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize().as_bytes()[..16]);
        FindingId(id)
    }

    /// As much of it as commands are given: they take the beginning of one.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Something a finding is about: an ARN where there is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource(pub String);

/// One term of the priority, in bits (log2 odds), with the words that explain it.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    pub name: &'static str,
    pub bits: f64,
    pub why: String,
}

impl Term {
    /// The bits to the hundredth, as they are written: who adds them up gets the same from a file as from the state.
    pub fn hundredths(&self) -> f64 {
        (self.bits * 100.0).round() / 100.0
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub id: FindingId,
    pub rule: String,
    pub title: String,
    pub severity: Severity,
    pub confidence: Confidence,
    /// 0 to 99, from `terms`; set by triage.
    pub priority: u8,
    pub account: String,
    pub region: String,
    pub actor: Option<String>,
    /// Names of the sessions in which a role acted, and of the federated users that a user made, at most
    /// [`Finding::SESSIONS_MAX`], distinct, in the order of their text: everybody in IAM Identity Center who has one permission
    /// set acts in the same role.
    pub sessions: Vec<String>,
    /// ARNs of those who assumed the role for these sessions, and theirs; the nearest first, at most
    /// [`Finding::ASSUMED_BY_MAX`]; filled by triage.
    pub assumed_by: Vec<String>,
    pub source_ip: Option<String>,
    /// At most [`Finding::RESOURCES_MAX`], distinct, in the order of their text: an order of arrival would make the
    /// finding depend on how its matches were read.
    pub resources: Vec<Resource>,
    /// Of a rule over windows these are the first and the last row of the window. A frame ends with the row that made the rule
    /// fire, so that the first may lie as far back as the rule looks.
    ///
    /// 1970-01-01T00:00:00Z where the log gives no time that can be read: so it is in every format but the table.
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Matches folded into this finding.
    pub count: u64,
    /// Of a rule over windows: the window, start and end, whose rows these are; `count` is their number.
    pub window: Option<(Timestamp, Timestamp)>,
    /// When the match was that describes the finding, and its record's id, where that is not the earliest: a graver one came
    /// behind it.
    pub gravest: Option<(Timestamp, Option<String>)>,
    /// The earliest matches' record ids, at most [`Finding::EVENT_IDS_MAX`], distinct, in (time, id) order; none is
    /// before `first_seen`. Of a window the last row is among them, and of a frame the rows that it ends with.
    pub event_ids: Vec<(Timestamp, String)>,
    pub tags: Vec<String>,
    pub remedy: String,
    /// Selected columns of the gravest match, of equal ones the earliest.
    pub evidence: Vec<(String, String)>,
    /// Why the priority is what it is; filled by triage.
    pub terms: Vec<Term>,
}

impl Finding {
    pub const RESOURCES_MAX: usize = 20;
    /// Of a rule over windows that names them by `sample`, which keeps so many.
    pub const SAMPLED_MAX: usize = 10;
    pub const SESSIONS_MAX: usize = 10;
    pub const ASSUMED_BY_MAX: usize = 10;
    pub const EVENT_IDS_MAX: usize = 10;

    /// Adds the matches of `other`, which has the same id. Any order and any grouping of folds gives the same finding:
    /// what describes a single match (title, region, actor, source address, evidence, ...) comes from the one of the highest
    /// severity, of equal ones the earliest: a rule calls what was tried otherwise than what was done. Severity is the
    /// highest, counts add, and the lists keep their smallest members. `priority` and `terms` are cleared: triage computes
    /// them from the whole.
    ///
    /// Findings of windows are whole already, and one stays, as [`Finding::is_instead_of`] says. A window that is told again with
    /// more rows thus replaces what was known of it, and telling one twice changes nothing.
    pub fn fold(&mut self, mut other: Finding) {
        assert_eq!(self.id, other.id, "only matches of one finding fold");
        if self.window.is_some() || other.window.is_some() {
            if other.is_instead_of(self) {
                *self = other;
            }
            self.priority = 0;
            self.terms.clear();
            return;
        }
        if other.lead() < self.lead() {
            std::mem::swap(self, &mut other);
        }
        let (time, id) = self.described();
        let id = id.cloned();
        self.severity = self.severity.max(other.severity);
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        self.count = self.count.saturating_add(other.count);
        self.event_ids.append(&mut other.event_ids);
        self.resources.append(&mut other.resources);
        self.sessions.append(&mut other.sessions);
        self.settle_lists();
        self.describe_by(time, id);
        self.priority = 0;
        self.terms.clear();
    }

    /// Whether this stays of two findings of windows: the one with more rows, of equal ones the earlier window's. Of different
    /// frames it is the graver one first: each was judged with the row that it ends with, and many harmless rows behind a grave one
    /// do not make it less. A window that has not ended may still become harmless by rows of its own.
    fn is_instead_of(&self, known: &Finding) -> bool {
        let rows = |finding: &Finding| (finding.count, Reverse(finding.window));
        if self.window == known.window {
            // rows at one time, of which the rule asks different things
            return (self.count, self.severity) > (known.count, known.severity);
        }
        match self.is_of_frame() && known.is_of_frame() {
            true => (self.severity, rows(self)) > (known.severity, rows(known)),
            false => rows(self) > rows(known),
        }
    }

    /// Whether it is of a frame, which ends with its last row. Other windows end behind it.
    pub fn is_of_frame(&self) -> bool {
        self.window.is_some_and(|(_, end)| end == self.last_seen)
    }

    /// Puts the lists of a finding fresh from a rule in the order and within the limits that [`Finding::fold`] keeps.
    pub fn settle_lists(&mut self) {
        keep_smallest(&mut self.event_ids, Finding::EVENT_IDS_MAX);
        keep_smallest(&mut self.resources, Finding::RESOURCES_MAX);
        keep_smallest(&mut self.sessions, Finding::SESSIONS_MAX);
    }

    /// Time and id of the match that describes it.
    fn described(&self) -> (Timestamp, Option<&String>) {
        if let Some((time, id)) = &self.gravest {
            return (*time, id.as_ref());
        }
        let first = self.event_ids.iter().filter(|(time, _)| *time == self.first_seen).map(|(_, id)| id).min();
        (self.first_seen, first)
    }

    /// Notes which match describes it, when `first_seen` and `event_ids` are those of all.
    pub fn describe_by(&mut self, time: Timestamp, id: Option<String>) {
        self.gravest = None;
        let is_earliest = self.described() == (time, id.as_ref());
        self.gravest = (!is_earliest).then_some((time, id));
    }

    /// Times and ids of records to look at: `event_ids`, and the match that describes it, in place of the last where there is no room.
    pub fn events(&self) -> Vec<(Timestamp, &str)> {
        let mut events: Vec<(Timestamp, &str)> = self.event_ids.iter().map(|(time, id)| (*time, id.as_str())).collect();
        if let Some((time, Some(id))) = &self.gravest
            && !events.contains(&(*time, id.as_str()))
        {
            events.truncate(Finding::EVENT_IDS_MAX - 1);
            events.push((*time, id.as_str()));
        }
        events
    }

    /// Orders findings of one id by the match that describes them. It looks at every field that `fold` takes from that match,
    /// so two that compare equal are the same. An id goes before none: the folded finding then has the id of the match that
    /// describes it.
    fn lead(&self) -> impl Ord + '_ {
        let (time, id) = self.described();
        (
            (Reverse(self.severity), time, id.is_none(), id, &self.evidence, &self.title),
            (&self.account, &self.region, &self.actor, &self.source_ip),
            (&self.rule, Reverse(self.confidence as u8), &self.tags, &self.remedy),
        )
    }

    /// Whether `resources` may lack some: it has as many as it can, or as a sample of a window can.
    pub fn has_more_resources(&self) -> bool {
        let max = if self.window.is_some() { Finding::SAMPLED_MAX } else { Finding::RESOURCES_MAX };
        self.resources.len() >= max
    }

    /// The title as it stands within a sentence: those that GuardDuty gave end with a full stop.
    pub fn said(&self) -> &str {
        self.title.trim_end_matches('.')
    }

    /// The actor as people say it: `role/name`, `user/name`, `root`, or whatever the log calls it. People who act in a role
    /// come before it (`eve@example.com (AdministratorAccess)`, `eve@example.com +2 (role/ops)`); the sessions of programs
    /// are left out.
    pub fn who(&self) -> String {
        let actor = self.actor();
        match self.people() {
            [] => actor.to_owned(),
            [only] => self.in_role(only),
            [first, rest @ ..] => self.in_role(&format!("{first} +{}", rest.len())),
        }
    }

    /// People with the role that they act in.
    pub fn in_role(&self, people: &str) -> String {
        let actor = self.actor();
        format!("{people} ({})", permission_set(actor).unwrap_or(actor))
    }

    /// The same with every session there is: `eve@example.com in role/ops`, `role/web in session i-0123`.
    pub fn who_in_full(&self) -> String {
        let (actor, sessions) = (self.actor(), self.sessions.join(", "));
        match (self.sessions.len(), self.people()) {
            (0, _) => actor.to_owned(),
            (1, []) => format!("{actor} in session {sessions}"),
            (_, []) => format!("{actor} in sessions {sessions}"),
            _ => format!("{sessions} in {actor}"),
        }
    }

    /// Where it came from: the address that all of it has in common, or those that the rule selected as `addresses`.
    pub fn addresses(&self) -> Vec<String> {
        let several = || self.evidence.iter().find(|(name, _)| name == "addresses").map(|(_, text)| text.as_str());
        match (&self.source_ip, several()) {
            (Some(one), _) => vec![one.clone()],
            // a list that was cut is none
            (None, Some(text)) => serde_json::from_str(text).unwrap_or_default(),
            (None, None) => Vec::new(),
        }
    }

    /// Those who assumed the role, as people say it: `role/ops`, `user/eve`, and of people their names.
    pub fn assumers(&self) -> Vec<String> {
        let name = |arn: &String| {
            let (name, session) = (short_actor(arn), arn.rsplit('/').next().unwrap_or_default());
            match permission_set(name) {
                Some(set) => format!("{session} ({set})"),
                None => name.to_owned(),
            }
        };
        self.assumed_by.iter().map(name).collect()
    }

    /// Whether the actor is a role that IAM Identity Center made, in which everybody with one permission set acts. It names their
    /// sessions, and it alone makes roles at this path: whoever assumes another role calls the session what they like.
    pub fn is_permission_set(&self) -> bool {
        let actor = self.actor();
        actor.starts_with("role/aws-reserved/sso.amazonaws.com/") && permission_set(actor).is_some()
    }

    /// The actor's name without a session.
    pub fn actor(&self) -> &str {
        self.actor.as_deref().map_or("", short_actor)
    }

    /// The sessions, where they are named for people: those of IAM Identity Center are, and so are mail addresses. Of other roles that is
    /// what whoever assumed them chose to be called, so that it names nobody where they are known and called otherwise.
    pub fn people(&self) -> &[String] {
        let named = |session: &&String| session.contains('@');
        let is_of_assumer = |name: &String| self.assumed_by.iter().any(|arn| arn.rsplit('/').next() == Some(name));
        let are_named = self.sessions.iter().any(|session| named(&session))
            && (self.assumed_by.is_empty() || self.sessions.iter().filter(named).all(is_of_assumer));
        let role = self.actor().starts_with("role/");
        match role && (permission_set(self.actor()).is_some() || are_named) {
            true => &self.sessions,
            false => &[],
        }
    }
}

/// What follows the id of a role in the principal id of its session: what whoever assumed it called the session. For a federated
/// user, whose calls are those of the user who made it, what follows the account.
pub fn session_name(principal_id: &str) -> Option<&str> {
    let (of, name) = principal_id.split_once(':')?;
    let is_account = of.len() == 12 && of.bytes().all(|byte| byte.is_ascii_digit());
    // AWS's own names have another colon: ACCOUNT:aws:ec2-instance:i-0123
    let is_federated = is_account && !name.contains(':');
    ((of.starts_with("AROA") || is_federated) && !name.is_empty()).then_some(name)
}

/// The permission set that IAM Identity Center made a role for: `AWSReservedSSO_NAME_0123456789abcdef`.
fn permission_set(actor: &str) -> Option<&str> {
    let name = actor.rsplit('/').next()?.strip_prefix("AWSReservedSSO_")?;
    Some(name.rsplit_once('_').map_or(name, |(set, _)| set))
}

fn keep_smallest<T: Ord>(list: &mut Vec<T>, max: usize) {
    list.sort_unstable();
    list.dedup();
    list.truncate(max);
}

fn short_actor(actor: &str) -> &str {
    let Some(("arn", rest)) = actor.split_once(':') else { return actor };
    // partition, service, region, account, then what is named
    let name = rest.splitn(5, ':').nth(4).unwrap_or(actor);
    match name.strip_prefix("assumed-") {
        Some(role) => match role.match_indices('/').nth(1) {
            Some((session, _)) => &role[..session],
            None => role,
        },
        None => name,
    }
}

impl Resource {
    /// What the ARN names within its service and account, with the service for those whose ARNs say no kind:
    /// `user/eve`, `s3:bucket/key`, `sns:topic`. Anything else is shown as it is.
    pub fn short(&self) -> String {
        let mut parts = self.0.splitn(6, ':');
        let (Some("arn"), Some(_), Some(service), Some(_), Some(_), Some(name)) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return self.0.clone();
        };
        match service {
            "s3" | "sns" | "sqs" => format!("{service}:{name}"),
            _ => name.to_owned(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A finding of one match, for tests here and in the modules below: account 111122223333, `evidence` names the event.
    pub(crate) fn one_match(rule: &str, actor: &str, time: Timestamp, event: &str) -> Finding {
        Finding {
            id: FindingId::new(rule, &[Some(actor)], time.0.div_euclid(crate::time::MICROS_PER_DAY)),
            rule: rule.to_owned(),
            title: "Something was changed".into(),
            severity: Severity::Medium,
            confidence: Confidence::Medium,
            priority: 0,
            account: "111122223333".into(),
            region: "us-east-1".into(),
            actor: Some(actor.to_owned()),
            sessions: Vec::new(),
            assumed_by: Vec::new(),
            source_ip: Some("192.0.2.7".into()),
            resources: vec![Resource("arn:aws:iam::111122223333:user/eve".into())],
            first_seen: time,
            last_seen: time,
            count: 1,
            window: None,
            gravest: None,
            event_ids: vec![(time, event.to_owned())],
            tags: vec!["attack.persistence".into()],
            remedy: "Ask the owner.".into(),
            evidence: vec![("eventid".into(), event.to_owned())],
            terms: Vec::new(),
        }
    }

    #[test]
    fn the_worst_match_describes_the_finding_and_of_equal_ones_the_earliest() {
        let at = |second| Timestamp::from_seconds(second);
        let mut later = one_match("cloudtrail/x", "a", at(20), "e2");
        later.severity = Severity::High;
        later.resources = vec![Resource("b".into()), Resource("a".into())];
        let earlier = one_match("cloudtrail/x", "a", at(10), "e9");
        later.fold(earlier);
        assert_eq!(later.evidence, [("eventid".to_owned(), "e2".to_owned())]);
        assert_eq!((later.severity, later.count), (Severity::High, 2));
        assert_eq!((later.first_seen, later.last_seen), (at(10), at(20)));
        assert_eq!(later.event_ids, [(at(10), "e9".to_owned()), (at(20), "e2".to_owned())]);
        assert_eq!(later.gravest, Some((at(20), Some("e2".to_owned()))));
        let names: Vec<_> = later.resources.iter().map(|resource| resource.0.as_str()).collect();
        assert_eq!(names, ["a", "arn:aws:iam::111122223333:user/eve", "b"]);
        let mut last = one_match("cloudtrail/x", "a", at(90), "e4");
        last.severity = Severity::High;
        later.fold(last);
        assert_eq!((later.evidence[0].1.as_str(), later.count), ("e2", 3));
        // it is named however many come before it
        (11..20).for_each(|second| later.fold(one_match("cloudtrail/x", "a", at(second), &format!("f{second}"))));
        assert_eq!((later.event_ids.len(), later.event_ids[9].1.as_str()), (10, "f19"));
        assert_eq!((later.events().len(), later.events()[9]), (10, (at(20), "e2")));
        let mut two = [one_match("cloudtrail/x", "a", at(20), "e2"), one_match("cloudtrail/x", "a", at(10), "e9")];
        let [one, other] = &mut two;
        one.fold(other.clone());
        assert_eq!((one.evidence[0].1.as_str(), one.gravest.as_ref()), ("e9", None));
    }

    fn matches() -> impl Strategy<Value = Vec<Finding>> {
        // few values, so that ties in time, id and evidence are common, and more matches than the lists hold
        let one =
            (0i64..4, prop::option::of(0u8..20), 0u8..3, 0u8..30, 0usize..5).prop_map(|(t, id, text, on, severity)| {
                let mut found = one_match("cloudtrail/x", "a", Timestamp::from_seconds(t), "");
                found.event_ids = id.map(|id| (found.first_seen, format!("e{id}"))).into_iter().collect();
                found.evidence = vec![("text".into(), format!("{text}"))];
                found.source_ip = (on % 3 > 0).then(|| format!("192.0.2.{on}"));
                found.resources = vec![Resource(format!("r{on}"))];
                found.severity = Severity::ALL[severity];
                found.sessions = vec![format!("s{on}")];
                found
            });
        prop::collection::vec(one, 1..40)
    }

    proptest! {
        #[test]
        fn any_order_and_grouping_of_folds_gives_one_finding(
            (found, shuffled) in matches().prop_flat_map(|m| (Just(m.clone()), Just(m).prop_shuffle())),
            cuts in prop::collection::vec(1usize..6, 40),
        ) {
            let fold_all = |found: Vec<Finding>| {
                found.into_iter().reduce(|mut whole, next| { whole.fold(next); whole }).unwrap()
            };
            let mut groups = Vec::new();
            let mut left = shuffled;
            for cut in cuts {
                let rest = left.split_off(cut.min(left.len()));
                groups.extend((!left.is_empty()).then(|| fold_all(left)));
                left = rest;
            }
            groups.extend((!left.is_empty()).then(|| fold_all(left)));
            groups.reverse();
            let total = found.len() as u64;
            let whole = fold_all(found);
            prop_assert_eq!(whole.count, total);
            prop_assert!(whole.event_ids.len() <= Finding::EVENT_IDS_MAX && whole.resources.len() <= Finding::RESOURCES_MAX);
            prop_assert!(whole.sessions.len() <= Finding::SESSIONS_MAX);
            prop_assert_eq!(fold_all(groups), whole);
        }
    }

    #[test]
    fn actors_and_resources_are_shown_by_the_name_people_use() {
        let who = |actor| short_actor(actor).to_owned();
        assert_eq!(who("arn:aws:iam::111122223333:role/admin"), "role/admin");
        assert_eq!(who("arn:aws:sts::111122223333:assumed-role/admin/session"), "role/admin");
        assert_eq!(who("arn:aws-cn:iam::111122223333:root"), "root");
        assert_eq!(who("AIDAEXAMPLE:eve"), "AIDAEXAMPLE:eve");
        assert_eq!(who("arn:odd"), "arn:odd");
        let on = |text: &str| Resource(text.to_owned()).short();
        assert_eq!(on("arn:aws:s3:::logs/a:b"), "s3:logs/a:b");
        assert_eq!(on("arn:aws:iam::111122223333:user/eve"), "user/eve");
        assert_eq!(on("i-0123"), "i-0123");
    }

    #[test]
    fn who_assumed_a_role_is_named_as_actors_are() {
        let mut found = one_match("a/b", "arn:aws:iam::111122223333:role/ops", Timestamp(0), "e");
        let sso = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/eve@x.org";
        let role = "arn:aws:sts::111122223333:assumed-role/web/i-0123";
        found.assumed_by = [role, sso, "arn:aws:iam::111122223333:user/tom"].map(str::to_owned).to_vec();
        assert_eq!(found.assumers(), ["role/web", "eve@x.org (Admin)", "user/tom"]);
    }

    #[test]
    fn addresses_that_differ_are_those_of_the_evidence() {
        let mut found = one_match("a/b", "eve", Timestamp(0), "e");
        found.evidence = vec![("addresses".into(), r#"["192.0.2.7","198.51.100.7"]"#.into())];
        assert_eq!(found.addresses(), ["192.0.2.7"]);
        found.source_ip = None;
        assert_eq!(found.addresses(), ["192.0.2.7", "198.51.100.7"]);
        found.evidence[0].1 = r#"["192.0.2.7","198.5…"#.into();
        assert_eq!(found.addresses(), [""; 0]);
    }

    #[test]
    fn people_are_named_before_the_role_they_share() {
        let check = |role: &str, sessions: &[&str], short: &str, full: &str| {
            let actor = format!("arn:aws:iam::111122223333:role/{role}");
            let mut found = one_match("a/b", &actor, Timestamp(0), "e");
            found.sessions = sessions.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!((found.who().as_str(), found.who_in_full().as_str()), (short, full));
        };
        let sso = "aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Data_Admin_0123456789abcdef";
        check(sso, &["eve"], "eve (Data_Admin)", &format!("eve in role/{sso}"));
        check(sso, &[], &format!("role/{sso}"), &format!("role/{sso}"));
        check("ops", &["eve@x.org", "tom"], "eve@x.org +1 (role/ops)", "eve@x.org, tom in role/ops");
        check("web", &["i-0123"], "role/web", "role/web in session i-0123");
        check("web", &["i-0123", "i-0456"], "role/web", "role/web in sessions i-0123, i-0456");
        // somebody else's name
        let mut found = one_match("a/b", "arn:aws:iam::111122223333:role/ops", Timestamp(0), "e");
        found.sessions = vec!["eve@x.org".into()];
        let who = |found: &mut Finding, by: &str| {
            found.assumed_by = vec![by.to_owned()];
            found.who()
        };
        assert_eq!(who(&mut found, "arn:aws:iam::111122223333:user/tom"), "role/ops");
        let sso = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/eve@x.org";
        assert_eq!(who(&mut found, sso), "eve@x.org (role/ops)");
        let names = ["AROAEXAMPLE:eve", "AIDAEXAMPLE", "AROAEXAMPLE", "AROAEXAMPLE:", "okta:eve"];
        assert_eq!(names.map(session_name), [Some("eve"), None, None, None, None]);
    }

    #[test]
    fn a_federated_user_is_named_beside_the_user_who_made_it() {
        let names = ["111122223333:eve", "111122223333:", "111122223333", "111122223333:aws:ec2-instance:i-0123"];
        assert_eq!(names.map(session_name), [Some("eve"), None, None, None]);
        let mut found = one_match("a/b", "arn:aws:iam::111122223333:user/broker", Timestamp(0), "e");
        found.sessions = vec!["eve".into()];
        assert_eq!((found.who().as_str(), found.who_in_full().as_str()), ("user/broker", "user/broker in session eve"));
    }

    #[test]
    fn a_missing_key_value_is_not_an_empty_one() {
        let id = |key: &[Option<&str>]| FindingId::new("cloudtrail/x", key, 7);
        assert_ne!(id(&[None]), id(&[Some("")]));
        assert_ne!(id(&[Some("ab"), Some("c")]), id(&[Some("a"), Some("bc")]));
        assert_eq!(id(&[Some("a")]), id(&[Some("a")]));
    }
}
