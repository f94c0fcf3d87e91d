//! Rows of CloudTrail → who assumed the roles in whose sessions findings are: a call of AssumeRole is seldom a finding itself.

use std::collections::{BTreeMap, HashSet};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, TimestampMicrosecondType};
use serde::{Deserialize, Serialize};

use crate::finding::Finding;
use crate::logs::cloudtrail::CLOUDTRAIL;
use crate::table::Batch;
use crate::time::{MICROS_PER_HOUR, Timestamp};

/// Sessions of roles, and who began them. The same rows give the same, in whatever order and groups they come, until
/// [`Assumed::SESSIONS_MAX`] is reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Assumed {
    /// By the ARN of the session, and then by that of who assumed the role: when that was first and last, in microseconds since 1970.
    sessions: BTreeMap<String, BTreeMap<String, (i64, i64)>>,
}

/// The part of the answer of AssumeRole that is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    assumed_role_user: AssumedRoleUser,
}

#[derive(Deserialize)]
struct AssumedRoleUser {
    arn: String,
}

impl Assumed {
    /// Sessions remembered; when there are a quarter more, those that were begun the longest ago leave.
    pub const SESSIONS_MAX: usize = 5_000;
    /// The longest that a session lasts.
    const LASTS: i64 = 12 * MICROS_PER_HOUR;
    /// Where more have assumed a role under one name of a session, the name is nobody's in particular.
    const ASSUMERS_MAX: usize = 3;
    /// Roles that are assumed from roles, one after the other, as far as they are followed.
    const STEPS_MAX: usize = 5;

    /// Notes the calls of AssumeRole that succeeded.
    pub fn note(&mut self, batch: &Batch) {
        if batch.table.name != CLOUDTRAIL.name {
            return;
        }
        let column = |name: &str| batch.rows.column_by_name(name);
        let (Some(names), Some(identity)) = (column("eventname"), column("useridentity")) else { return };
        let (Some(answers), Some(times)) = (column("responseelements"), column("eventtime")) else { return };
        let names = names.as_dictionary::<Int32Type>();
        let texts = names.values().as_string::<i32>();
        if !texts.iter().any(|name| name == Some("AssumeRole")) {
            return;
        }
        let arns =
            identity.as_struct().column_by_name("arn").expect("a field of the column").as_dictionary::<Int32Type>();
        let known_arns = arns.values().as_string::<i32>();
        let (answers, times) = (answers.as_string_view(), times.as_primitive::<TimestampMicrosecondType>());
        for row in 0..batch.rows.num_rows() {
            let is_one = names.key(row).is_some_and(|key| texts.value(key) == "AssumeRole");
            if !is_one || answers.is_null(row) || times.is_null(row) {
                continue;
            }
            // services have no ARN
            let Some(by) = arns.key(row).map(|key| known_arns.value(key)) else { continue };
            if let Ok(answer) = serde_json::from_str::<Answer>(answers.value(row)) {
                self.add(answer.assumed_role_user.arn, by, times.value(row));
            }
        }
        self.forget();
    }

    fn add(&mut self, session: String, by: &str, time: i64) {
        if session == by {
            return;
        }
        let assumers = self.sessions.entry(session).or_default();
        let (first, last) = assumers.entry(by.to_owned()).or_insert((time, time));
        (*first, *last) = (time.min(*first), time.max(*last));
        // one more than are told of tells that there are too many
        while assumers.len() > Assumed::ASSUMERS_MAX + 1 {
            assumers.pop_last();
        }
    }

    fn forget(&mut self) {
        if self.sessions.len() <= Assumed::SESSIONS_MAX / 4 * 5 {
            return;
        }
        let excess = self.sessions.len() - Assumed::SESSIONS_MAX;
        let last = |by: &BTreeMap<String, (i64, i64)>| by.values().map(|(_, last)| *last).max();
        let mut ages: Vec<_> = self.sessions.iter().map(|(session, by)| (last(by), session.clone())).collect();
        ages.sort_unstable();
        ages.iter().take(excess).for_each(|(_, session)| drop(self.sessions.remove(session)));
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

    /// Who began a session that may have lasted until some time.
    fn began(&self, session: &str, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &str> {
        let assumers = self.sessions.get(session).filter(|assumers| assumers.len() <= Assumed::ASSUMERS_MAX);
        let in_time = move |(first, last): &(i64, i64)| *first <= to.0 && last.saturating_add(Assumed::LASTS) >= from.0;
        let all = assumers.into_iter().flatten();
        all.filter(move |(_, times)| in_time(times)).map(|(by, _)| by.as_str())
    }
}

/// The ARNs of a finding's sessions.
fn sessions_of(finding: &Finding) -> Vec<String> {
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
        assumed.note(&batch(&[call("e1", "AssumeRole", answer.clone()), refused, call("e3", "CreateUser", answer)]));
        let at = Timestamp::parse("2024-08-01T11:30:23Z").unwrap().0;
        let expected = BTreeMap::from([(session("ops", "s1"), BTreeMap::from([(user("eve"), (at, at))]))]);
        assert_eq!(assumed.sessions, expected);
        let saved = serde_json::to_vec(&assumed).unwrap();
        assert_eq!(serde_json::from_slice::<Assumed>(&saved).unwrap(), assumed);
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
    }

    #[test]
    fn past_the_limit_the_oldest_leave() {
        let mut assumed = Assumed::default();
        let add = |assumed: &mut Assumed, n: usize| assumed.add(session("ops", &n.to_string()), &user("eve"), n as i64);
        (0..6_250).for_each(|n| add(&mut assumed, n));
        assumed.forget();
        assert_eq!(assumed.sessions.len(), 6_250);
        add(&mut assumed, 6_250);
        assumed.forget();
        assert_eq!(assumed.sessions.len(), 5_000);
        assert!(!assumed.sessions.contains_key(&session("ops", "1250")));
        assert!(assumed.sessions.contains_key(&session("ops", "1251")));
    }
}
