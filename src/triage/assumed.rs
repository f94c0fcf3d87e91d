//! Rows of CloudTrail → who assumed the roles in whose sessions findings are: a call of AssumeRole is seldom a finding itself.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use arrow::array::{Array, AsArray, DictionaryArray};
use arrow::datatypes::{Int32Type, TimestampMicrosecondType};
use memchr::memmem;
use serde::{Deserialize, Serialize};

use crate::finding::Finding;
use crate::logs::cloudtrail::CLOUDTRAIL;
use crate::table::Batch;
use crate::table::fetch::fetch_text;
use crate::time::{MICROS_PER_HOUR, Timestamp};

/// Sessions of roles, and who began them. The same rows give the same, in whatever order and groups they come, until
/// [`Assumed::SESSIONS_MAX`] is reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Assumed {
    /// By the ARN of the session.
    sessions: BTreeMap<String, Begun>,
    /// Of the sessions that left, by the ARN of a session without its name.
    roles: BTreeMap<String, Begun>,
    /// When sessions were begun without a principal of ours, by SAML, by a web identity or by AWS itself; the last times of each.
    otherwise: BTreeMap<String, BTreeSet<i64>>,
    shed: u64,
}

/// By whom a session was begun, and when, in microseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Begun {
    /// By ARN the stretches of time in which that was again and again, no two times being [`Assumed::LASTS`] apart, in order.
    by: BTreeMap<String, Vec<(i64, i64)>>,
    /// The last time by somebody who is not among them for want of room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    others: Option<i64>,
    /// Whether it did anything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    acted: bool,
}

/// What the answer of AssumeRole has as `assumedRoleUser`.
#[derive(Deserialize)]
struct AssumedRoleUser {
    arn: String,
}

/// From when to when roles were assumed, in microseconds since 1970.
pub type Span = (i64, i64);

impl Assumed {
    /// Columns of CloudTrail that [`Assumed::note`] reads.
    pub const COLUMNS: [&str; 4] = ["eventname", "useridentity", "responseelements", "eventtime"];
    /// Sessions remembered; when there are a quarter more, those leave that did nothing, and of these the ones that were begun the longest
    /// ago: of them it is known by whom their role was assumed. So it is with sessions that were begun otherwise.
    pub const SESSIONS_MAX: usize = 5_000;
    /// The longest that a session lasts.
    const LASTS: i64 = 12 * MICROS_PER_HOUR;
    /// Where more have assumed a role under one name of a session within the time that one lasts, the name is nobody's in particular.
    const ASSUMERS_MAX: usize = 3;
    /// Of a session, those who assumed its role the last, the stretches of each, and the times that it was begun otherwise.
    const KEPT_MAX: usize = 8;
    /// Roles that are assumed from roles, one after the other, as far as they are followed.
    const STEPS_MAX: usize = 5;

    /// Notes by whom and when sessions were begun, and that they act. Gives the time in which that may tell of findings what was not known.
    pub fn note(&mut self, calls: Calls) -> Option<Span> {
        let mut span: Option<Span> = None;
        for (session, by, time) in calls.began {
            match by {
                Some(by) => self.add(session, by, time),
                None => self.add_otherwise(session, time),
            }
            let (from, to) = span.unwrap_or((time, time));
            span = Some((time.min(from), time.max(to)));
        }
        for arn in calls.acted {
            if let Some(begun) = self.sessions.get_mut(arn) {
                begun.acted = true;
            }
        }
        span
    }

    fn add(&mut self, session: String, by: &str, time: i64) {
        if session != by {
            self.sessions.entry(session).or_default().add(by, (time, time));
        }
    }

    fn add_otherwise(&mut self, session: String, time: i64) {
        let times = self.otherwise.entry(session).or_default();
        times.insert(time);
        while times.len() > Assumed::KEPT_MAX {
            times.pop_first();
        }
    }

    /// Whether there are so many that [`Assumed::forget`] is due.
    pub fn is_full(&self) -> bool {
        self.sessions.len().max(self.otherwise.len()) > Assumed::SESSIONS_MAX / 4 * 5
    }

    /// Makes room; sessions of those whom findings are about ([`sessions_of`], and ARNs of actors) stay the longest.
    pub fn forget(&mut self, of_findings: &HashSet<String>) {
        if self.sessions.len() > Assumed::SESSIONS_MAX {
            let is_found = |session: &String, begun: &Begun| {
                of_findings.contains(session) || begun.by.keys().any(|by| of_findings.contains(by))
            };
            let rank = |(session, begun): (&String, &Begun)| {
                (is_found(session, begun), begun.acted, begun.last(), session.clone())
            };
            let mut ranks: Vec<_> = self.sessions.iter().map(rank).collect();
            ranks.sort_unstable();
            for (.., session) in &ranks[..ranks.len() - Assumed::SESSIONS_MAX] {
                let begun = self.sessions.remove(session).expect("it was just there");
                self.shed += 1;
                self.roles.entry(role_of(session).to_owned()).or_default().take(begun);
            }
        }
        if self.roles.len() > Assumed::SESSIONS_MAX {
            let mut ages: Vec<_> = self.roles.iter().map(|(role, begun)| (begun.last(), role.clone())).collect();
            ages.sort_unstable();
            ages[..ages.len() - Assumed::SESSIONS_MAX].iter().for_each(|(_, role)| drop(self.roles.remove(role)));
        }
        if self.otherwise.len() > Assumed::SESSIONS_MAX {
            // what a session that somebody assumed was begun by besides says who else it may be
            let rank = |(session, times): (&String, &BTreeSet<i64>)| {
                (self.sessions.contains_key(session), times.last().copied(), session.clone())
            };
            let mut ranks: Vec<_> = self.otherwise.iter().map(rank).collect();
            ranks.sort_unstable();
            let leaving = &ranks[..ranks.len() - Assumed::SESSIONS_MAX];
            leaving.iter().for_each(|(.., session)| drop(self.otherwise.remove(session)));
        }
    }

    /// Sessions that left for want of room: of them it is known by whom their role was assumed, and no more.
    pub fn shed(&self) -> u64 {
        self.shed
    }

    /// ARNs of those who assumed the finding's role in its sessions, and of those who assumed theirs; the nearest first.
    pub fn by(&self, finding: &Finding) -> Vec<String> {
        let mut ask = sessions_of(finding);
        let mut seen: HashSet<String> = ask.iter().cloned().collect();
        let mut all = Vec::new();
        for _ in 0..Assumed::STEPS_MAX {
            let next = ask.iter().flat_map(|session| self.began(session, finding.first_seen, finding.last_seen));
            let mut next: Vec<String> = next.filter(|by| seen.insert((*by).to_owned())).map(str::to_owned).collect();
            if next.is_empty() {
                break;
            }
            next.sort_unstable();
            all.extend_from_slice(&next);
            ask = next;
        }
        all.truncate(Finding::ASSUMED_BY_MAX);
        all
    }

    /// Whether what began in a time may say who assumed the finding's role.
    pub fn may_tell_of(finding: &Finding, (from, to): Span) -> bool {
        let is_session = !finding.sessions.is_empty();
        is_session && finding.last_seen.0 >= from && finding.first_seen.0 <= to.saturating_add(Assumed::LASTS)
    }

    /// Who began a session that acted from one time to another: after it was last begun otherwise, and no longer before than one lasts.
    fn began(&self, session: &str, first: Timestamp, last: Timestamp) -> Vec<&str> {
        let from = first.0.saturating_sub(Assumed::LASTS);
        let times = self.otherwise.get(session);
        let otherwise = times.and_then(|times| times.range(from..=first.0).next_back()).copied();
        match (self.sessions.get(session), self.roles.get(role_of(session))) {
            (Some(begun), _) => begun.named(from, last.0, otherwise, Assumed::ASSUMERS_MAX),
            // it may be another's whom nothing is known of, unless there is only one
            (None, Some(begun)) => begun.named(from, last.0, otherwise, 1),
            (None, None) => Vec::new(),
        }
    }
}

/// What the calls of a batch tell of sessions.
#[derive(Default)]
pub struct Calls<'a> {
    /// The session, who began it where that is a principal of ours, and when.
    began: Vec<(String, Option<&'a str>, i64)>,
    /// ARNs of those who did anything.
    acted: Vec<&'a str>,
}

impl Calls<'_> {
    /// Of a batch of any table.
    pub fn by(batch: &Batch) -> Calls<'_> {
        let calls = (batch.table.name == CLOUDTRAIL.name).then(|| Calls::by_cloudtrail(batch));
        calls.flatten().unwrap_or_default()
    }

    fn by_cloudtrail(batch: &Batch) -> Option<Calls<'_>> {
        /// Calls of which the answer is fetched ahead.
        const AHEAD: usize = 8;
        let [names, identity, answers, times] = Assumed::COLUMNS.map(|name| batch.rows.column_by_name(name));
        let (names, identity) = (names?.as_dictionary::<Int32Type>(), identity?.as_struct());
        let (answers, times) = (answers?.as_string_view(), times?.as_primitive::<TimestampMicrosecondType>());
        let arns = identity.column_by_name("arn").expect("a field of the column").as_dictionary::<Int32Type>();
        let kinds = identity.column_by_name("type").expect("a field of the column").as_dictionary::<Int32Type>();
        let known = names.values().as_string::<i32>();
        let begins: Vec<bool> =
            known.iter().map(|name| name.is_some_and(|name| name.starts_with("AssumeRole"))).collect();
        let is_begun = |row: &usize| {
            names.key(*row).is_some_and(|key| begins[key]) && answers.is_valid(*row) && times.is_valid(*row)
        };
        let rows = if begins.contains(&true) { batch.rows.num_rows() } else { 0 };
        let rows: Vec<usize> = (0..rows).filter(is_begun).collect();
        let mut began = Vec::with_capacity(rows.len());
        for (place, &row) in rows.iter().enumerate() {
            if let Some(&row) = rows.get(place + AHEAD) {
                fetch_text(answers, row);
            }
            let Some(session) = session_in(answers.value(row)) else { continue };
            let (name, time) = (known.value(names.key(row).expect("it has a name")), times.value(row));
            match (name, text(arns, row), text(kinds, row)) {
                ("AssumeRole", Some(by), _) => began.push((session, Some(by), time)),
                // of who is of another account the trail of that one has the ARN
                ("AssumeRole", None, Some("AWSService")) | ("AssumeRoleWithSAML" | "AssumeRoleWithWebIdentity", ..) => {
                    began.push((session, None, time));
                }
                _ => {}
            }
        }
        Some(Calls { began, acted: arns.values().as_string::<i32>().iter().flatten().collect() })
    }
}

impl Begun {
    fn add(&mut self, by: &str, stretch: (i64, i64)) {
        if let Some(last) = self.by.get_mut(by).and_then(|stretches| stretches.last_mut())
            && (last.0..=last.1.saturating_add(Assumed::LASTS)).contains(&stretch.0)
        {
            last.1 = last.1.max(stretch.1);
            return;
        }
        let stretches = self.by.entry(by.to_owned()).or_default();
        stretches.push(stretch);
        stretches.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::with_capacity(stretches.len());
        for &(first, last) in &*stretches {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(Assumed::LASTS) => before.1 = before.1.max(last),
                Some(_) | None => merged.push((first, last)),
            }
        }
        merged.drain(..merged.len().saturating_sub(Assumed::KEPT_MAX));
        *stretches = merged;
        while self.by.len() > Assumed::KEPT_MAX {
            let oldest = self.by.iter().map(|(by, stretches)| (stretches.last().map(|last| last.1), by)).min();
            let (last, by) = oldest.map(|(last, by)| (last, by.clone())).expect("there are more than eight");
            self.by.remove(&by);
            self.others = self.others.max(last);
        }
    }

    fn take(&mut self, other: Begun) {
        self.others = self.others.max(other.others);
        for (by, stretches) in other.by {
            stretches.into_iter().for_each(|stretch| self.add(&by, stretch));
        }
    }

    fn last(&self) -> Option<i64> {
        self.by.values().filter_map(|stretches| stretches.last()).map(|(_, last)| *last).max()
    }

    /// Who assumed the role between two times, and after it was last begun otherwise; nobody where they are more than so many.
    fn named(&self, from: i64, to: i64, otherwise: Option<i64>, max: usize) -> Vec<&str> {
        // of a time within a stretch it is not known whether it was begun then
        let is_after = |first: i64, last: i64| {
            otherwise.is_none_or(|otherwise| first > otherwise || (last > otherwise && last <= to))
        };
        let in_time = |&(first, last): &(i64, i64)| first <= to && last >= from && is_after(first, last);
        let by: Vec<&str> =
            self.by.iter().filter(|(_, stretches)| stretches.iter().any(in_time)).map(|(by, _)| by.as_str()).collect();
        let others = self.others.is_some_and(|last| last >= from && otherwise.is_none_or(|otherwise| last > otherwise));
        if by.len() > max || others { Vec::new() } else { by }
    }
}

/// The ARN of the session that an answer of AssumeRole tells of. Most of such an answer are credentials, which stand before it.
fn session_in(answer: &str) -> Option<String> {
    // inside of a text its quotes would be escaped, but a text may be just it
    const KEY: &str = "\"assumedRoleUser\"";
    let mut found = memmem::find_iter(answer.as_bytes(), KEY);
    let user = found.find_map(|at| answer[at + KEY.len()..].trim_start().strip_prefix(':'))?;
    let mut user = serde_json::Deserializer::from_str(user);
    AssumedRoleUser::deserialize(&mut user).ok().map(|user| user.arn)
}

fn text(of: &DictionaryArray<Int32Type>, row: usize) -> Option<&str> {
    of.key(row).map(|key| of.values().as_string::<i32>().value(key))
}

/// The ARN of a session without its name.
fn role_of(session: &str) -> &str {
    session.rsplit_once('/').map_or(session, |(role, _)| role)
}

/// The ARNs of a finding's sessions.
pub fn sessions_of(finding: &Finding) -> Vec<String> {
    let Some(actor) = finding.actor.as_deref() else { return Vec::new() };
    let parts: Vec<&str> = actor.splitn(6, ':').collect();
    let ["arn", partition, "iam", _, account, name] = parts[..] else { return Vec::new() };
    let Some(role) = name.strip_prefix("role/").and_then(|path| path.rsplit('/').next()) else { return Vec::new() };
    let arn = |session: &String| format!("arn:{partition}:sts::{account}:assumed-role/{role}/{session}");
    finding.sessions.iter().map(arn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::tests::{batch, changed, event};
    use crate::finding::tests::one_match;

    const HOUR: i64 = MICROS_PER_HOUR;

    fn session(role: &str, name: &str) -> String {
        format!("arn:aws:sts::111122223333:assumed-role/{role}/{name}")
    }

    fn user(name: &str) -> String {
        format!("arn:aws:iam::111122223333:user/{name}")
    }

    fn by(assumed: &Assumed, role: &str, name: &str, hour: i64) -> Vec<String> {
        let actor = format!("arn:aws:iam::111122223333:role/path/{role}");
        let mut found = one_match("a/b", &actor, Timestamp(hour * HOUR), "e");
        found.sessions = vec![name.to_owned()];
        assumed.by(&found)
    }

    #[test]
    fn a_chain_of_roles_is_followed_to_who_began_it() {
        let mut assumed = Assumed::default();
        assumed.add(session("backup", "s2"), &session("ops", "s1"), 2 * HOUR);
        assumed.add(session("ops", "s1"), &user("eve"), HOUR);
        assert_eq!(by(&assumed, "backup", "s2", 3), [session("ops", "s1"), user("eve")]);
        assert_eq!(by(&assumed, "backup", "s1", 3), [""; 0], "another session");
        assert_eq!(by(&assumed, "ops", "s1", 0), [""; 0], "before it was begun");
        assert_eq!(by(&assumed, "ops", "s1", 13), [user("eve")]);
        assert_eq!(by(&assumed, "ops", "s1", 14), [""; 0], "past the longest that one lasts");
    }

    #[test]
    fn calls_that_succeeded_are_noted() {
        let call = |id: &str, name: &str, response: serde_json::Value| {
            changed(event(name, id), serde_json::json!({ "responseElements": response }))
        };
        let answer = serde_json::json!({ "assumedRoleUser": { "arn": session("ops", "s1"), "assumedRoleId": "AROAEXAMPLE:s1" } });
        let mut assumed = Assumed::default();
        let refused = call("e2", "AssumeRole", serde_json::Value::Null);
        let rows = batch(&[call("e1", "AssumeRole", answer.clone()), refused, call("e3", "CreateUser", answer)]);
        assumed.note(Calls::by(&rows));
        let at = Timestamp::parse("2024-08-01T11:30:23Z").unwrap().0;
        let begun = Begun { by: BTreeMap::from([(user("eve"), vec![(at, at)])]), ..Begun::default() };
        assert_eq!(assumed.sessions, BTreeMap::from([(session("ops", "s1"), begun)]));
        let saved = serde_json::to_vec(&assumed).unwrap();
        assert_eq!(serde_json::from_slice::<Assumed>(&saved).unwrap(), assumed);
    }

    #[test]
    fn the_session_of_an_answer_stands_anywhere_in_it() {
        let check = |answer: &str, arn: Option<&str>| assert_eq!(session_in(answer).as_deref(), arn, "{answer}");
        let user = r#"{"assumedRoleId":"AROAEXAMPLE:s","arn":"arn:s"}"#;
        check(&format!(r#"{{"assumedRoleUser":{user},"packedPolicySize":6}}"#), Some("arn:s"));
        check(&format!(r#"{{ "credentials" : {{"sessionToken":"x"}}, "assumedRoleUser" : {user} }}"#), Some("arn:s"));
        check(&format!(r#"{{"a":"\"assumedRoleUser\":{{","assumedRoleUser":{user}}}"#), Some("arn:s"));
        check(&format!(r#"{{"sourceIdentity":"assumedRoleUser","assumedRoleUser":{user}}}"#), Some("arn:s"));
        check(r#"{"assumedRoleUser":{"assumedRoleId":"AROAEXAMPLE:s"}}"#, None);
        check(r#"{"assumedRoleUser":"arn:s"}"#, None);
        check(r#"{"a":"assumedRoleUser"}"#, None);
        check("null", None);
    }

    #[test]
    fn roles_that_assume_each_other_come_to_an_end() {
        let mut assumed = Assumed::default();
        assumed.add(session("a", "s"), &session("b", "s"), 0);
        assumed.add(session("b", "s"), &session("a", "s"), 0);
        assert_eq!(by(&assumed, "a", "s", 1), [session("b", "s")]);
    }

    #[test]
    fn a_name_that_many_use_is_nobodys() {
        let mut assumed = Assumed::default();
        (0..3).for_each(|n| assumed.add(session("ci", "ci"), &user(&n.to_string()), 0));
        assert_eq!(by(&assumed, "ci", "ci", 1).len(), 3);
        assumed.add(session("ci", "ci"), &user("9"), 0);
        assert_eq!(by(&assumed, "ci", "ci", 1), [""; 0]);
        // those of months ago are none of them
        assumed.add(session("ci", "ci"), &user("eve"), 999 * HOUR);
        assert_eq!(by(&assumed, "ci", "ci", 1000), [user("eve")]);
        // nor is one who is remembered the only one
        (0..7).for_each(|n| assumed.add(session("ci", "ci"), &user(&n.to_string()), (1980 + n) * HOUR));
        assert_eq!(by(&assumed, "ci", "ci", 1000), [user("eve")]);
        (0..8).for_each(|n| assumed.add(session("ci", "ci"), &format!("{n}"), 2000 * HOUR));
        assert_eq!(by(&assumed, "ci", "ci", 1983), [""; 0]);
    }

    #[test]
    fn what_was_assumed_long_before_and_after_says_nothing_of_between() {
        let mut assumed = Assumed::default();
        for hour in [0, 10, 20, 500] {
            assumed.add(session("ops", "s"), &user("alice"), hour * HOUR);
        }
        assert_eq!(by(&assumed, "ops", "s", 25), [user("alice")]);
        assert_eq!(by(&assumed, "ops", "s", 250), [""; 0]);
        // the same in another order
        let mut other = Assumed::default();
        for hour in [500, 20, 0, 10] {
            other.add(session("ops", "s"), &user("alice"), hour * HOUR);
        }
        assert_eq!(other, assumed);
    }

    #[test]
    fn a_session_that_was_begun_another_way_since_is_nobodys() {
        let begin = |id: &str, name: &str, time: &str, who: serde_json::Value| {
            let answer = serde_json::json!({ "assumedRoleUser": { "arn": session("ops", "s"), "assumedRoleId": "AROAEXAMPLE:s" } });
            let call = serde_json::json!({ "responseElements": answer, "eventTime": time, "userIdentity": who });
            changed(event(name, id), call)
        };
        let alice = serde_json::json!({ "type": "IAMUser", "arn": user("alice"), "accountId": "111122223333" });
        let saml = serde_json::json!({ "type": "SAMLUser", "principalId": "x:mallory", "userName": "mallory" });
        let service = serde_json::json!({ "type": "AWSService", "invokedBy": "ec2.amazonaws.com" });
        let elsewhere = serde_json::json!({ "type": "AWSAccount", "accountId": "444455556666" });
        let check = |name: &str, who: serde_json::Value, found: [i64; 3]| {
            let mut assumed = Assumed::default();
            let rows = [
                begin("e1", "AssumeRole", "1970-01-01T02:00:00Z", alice.clone()),
                begin("e2", name, "1970-01-01T04:00:00Z", who),
            ];
            assert!(assumed.note(Calls::by(&batch(&rows))).is_some());
            let named = [3, 5, 15].map(|hour| by(&assumed, "ops", "s", hour).len() as i64);
            assert_eq!(named, found, "{name}");
            assumed.add(session("ops", "s"), &user("alice"), 6 * HOUR);
            assert_eq!(by(&assumed, "ops", "s", 7), [user("alice")], "and again");
        };
        let web = serde_json::json!({ "type": "WebIdentityUser", "principalId": "x:mallory", "userName": "mallory" });
        check("AssumeRoleWithSAML", saml, [1, 0, 0]);
        check("AssumeRoleWithWebIdentity", web, [1, 0, 0]);
        check("AssumeRole", service, [1, 0, 0]);
        check("AssumeRole", elsewhere, [1, 1, 0]);
    }

    #[test]
    fn past_the_limit_the_oldest_leave_and_what_acted_stays() {
        let mut assumed = Assumed::default();
        let add = |assumed: &mut Assumed, n: usize| assumed.add(session("ops", &n.to_string()), &user("eve"), n as i64);
        (0..6_250).for_each(|n| add(&mut assumed, n));
        assert!(!assumed.is_full());
        add(&mut assumed, 6_250);
        assert!(assumed.is_full());
        let acts = serde_json::json!({ "userIdentity": { "type": "AssumedRole", "arn": session("ops", "7") } });
        assumed.note(Calls::by(&batch(&[changed(event("ListUsers", "e1"), acts)])));
        let of_finding = session("ops", "8");
        assumed.forget(&HashSet::from([of_finding.clone()]));
        assert_eq!((assumed.sessions.len(), assumed.shed()), (5_000, 1_251));
        assert!([7, 8, 1_253].iter().all(|n| assumed.sessions.contains_key(&session("ops", &n.to_string()))));
        assert!([6, 9, 1_252].iter().all(|n| !assumed.sessions.contains_key(&session("ops", &n.to_string()))));
        let saved = serde_json::to_vec(&assumed).unwrap();
        assert_eq!(serde_json::from_slice::<Assumed>(&saved).unwrap(), assumed);
    }

    #[test]
    fn a_flood_of_sessions_hides_nobody() {
        let mut assumed = Assumed::default();
        assumed.add(session("ops", "s1"), &user("eve"), 0);
        (0..9_000).for_each(|n| assumed.add(session("any", &n.to_string()), &user("eve"), 1 + n));
        assumed.forget(&HashSet::new());
        assert!(!assumed.sessions.contains_key(&session("ops", "s1")));
        assert_eq!(by(&assumed, "ops", "s1", 1), [user("eve")], "nobody else assumed the role");
        assert_eq!(by(&assumed, "ops", "s1", 13), [""; 0]);
        assumed.add(session("ops", "s2"), &user("tom"), 1);
        (0..9_000).for_each(|n| assumed.add(session("any", &n.to_string()), &user("eve"), 9_999 + n));
        assumed.forget(&HashSet::new());
        assert_eq!(by(&assumed, "ops", "s1", 1), [""; 0], "it may be either");
    }
}
