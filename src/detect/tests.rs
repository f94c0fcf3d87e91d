//! Rules over events: what findings say, and that they are what DataFusion alone would select.

use std::sync::Arc;

use datafusion::datasource::MemTable;
use datafusion::prelude::SessionConfig;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::decode::reader::open;
use crate::decode::{Counts, Input, Options};
use crate::finding::Finding;
use crate::logs;
use crate::logs::cloudtrail::CLOUDTRAIL;
use crate::rule::{Rule, Severity};
use crate::table::{Batch, Origin};
use crate::time::Timestamp;

pub(crate) fn batch(events: &[Value]) -> Batch {
    let bytes = json!({ "Records": events }).to_string();
    let (options, mut rejects, mut counts) = (Options::default(), Vec::new(), Counts::default());
    let mut reader = open(Input::Bytes(bytes.into()), Arc::new(Origin::default()), &options);
    let mut records = Vec::new();
    while let Some(more) = reader.next(&mut rejects, &mut counts).unwrap() {
        records.push(more);
    }
    let mut batches = logs::batches(records, &options, &mut rejects, &mut counts);
    assert_eq!((rejects.len(), batches.len()), (0, 1));
    batches.remove(0)
}

pub(crate) fn event(name: &str, id: &str) -> Value {
    json!({
        "eventVersion": "1.08", "eventTime": "2024-08-01T11:30:23Z", "eventSource": "iam.amazonaws.com",
        "eventName": name, "eventID": id, "awsRegion": "us-east-1", "recipientAccountId": "111122223333",
        "sourceIPAddress": "192.0.2.7", "eventType": "AwsApiCall",
        "userIdentity": { "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve", "principalId": "AIDA1" },
    })
}

pub(crate) fn changed(mut event: Value, changes: Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        event[key] = value.clone();
    }
    event
}

pub(crate) fn rule(header: &str, sql: &str) -> Rule {
    let fixed = "-- title = \"t\"\n-- severity = \"low\"\n-- tags = [\"a\"]\n-- remedy = \"r\"\n";
    crate::rule::parse("cloudtrail/x", "x.sql", &format!("{fixed}{header}{sql}")).unwrap()
}

pub(crate) fn detector(rules: impl IntoIterator<Item = Rule>) -> Detector {
    let (detector, refused) = Detector::new(logs::TABLES, rules);
    assert_eq!(refused, []);
    detector
}

fn found(rule: Rule, batches: &[Batch]) -> Vec<Finding> {
    detector([rule]).observe(batches, Timestamp(0))
}

fn refused(sql: &str) -> String {
    let (_, refused) = Detector::new(logs::TABLES, [rule("", sql)]);
    refused[0].to_string()
}

#[test]
fn a_finding_tells_who_where_and_on_what() {
    let event = changed(
        event("CreateUser", "e1"),
        json!({ "requestParameters": { "userName": "bob", "tags": [{ "key": "k" }] }, "resources": [{ "ARN": "arn:aws:iam::111122223333:user/bob" }] }),
    );
    let sql = "SELECT eventTime, userIdentity.type, requestParameters ->> 'userName' AS made, \
               requestParameters -> 'tags' AS tags, errorCode, resources FROM cloudtrail WHERE eventName = 'CreateUser'";
    let finding = found(rule("", sql), &[batch(&[event])]).remove(0);
    assert_eq!((finding.title.as_str(), finding.severity, finding.count), ("t", Severity::Low, 1));
    assert_eq!((finding.account.as_str(), finding.region.as_str()), ("111122223333", "us-east-1"));
    assert_eq!(finding.actor.as_deref(), Some("arn:aws:iam::111122223333:user/eve"));
    assert_eq!(finding.source_ip.as_deref(), Some("192.0.2.7"));
    assert_eq!(finding.resources[0].0, "arn:aws:iam::111122223333:user/bob");
    let time = Timestamp::parse("2024-08-01T11:30:23Z").unwrap();
    assert_eq!((finding.first_seen, finding.last_seen), (time, time));
    assert_eq!(finding.event_ids, [(time, "e1".to_owned())]);
    let evidence: Vec<(&str, &str)> =
        finding.evidence.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        evidence,
        [
            ("eventtime", "2024-08-01T11:30:23Z"),
            ("type", "IAMUser"),
            ("made", "bob"),
            ("tags", "[{\"key\":\"k\"}]"),
            ("resources", "[{\"arn\":\"arn:aws:iam::111122223333:user/bob\"}]"),
        ],
        "a column without a value is no evidence"
    );
}

#[test]
fn who_has_no_arn_is_named_by_what_there_is() {
    let actor = |identity: Value| {
        let event = changed(event("CreateUser", "e1"), json!({ "userIdentity": identity }));
        let sql = "SELECT eventName FROM cloudtrail WHERE eventName = 'CreateUser'";
        found(rule("", sql), &[batch(&[event])])[0].actor.clone()
    };
    let of_identity_center = json!({ "type": "IdentityCenterUser", "onBehalfOf": { "userId": "94482488-3041" } });
    assert_eq!(actor(of_identity_center).as_deref(), Some("94482488-3041"));
    assert_eq!(actor(json!({ "type": "IAMUser", "userName": "eve" })).as_deref(), Some("eve"));
}

/// Events of one role, each in a session.
fn in_sessions(sessions: &[&str]) -> Vec<Value> {
    let one = |(number, session): (usize, &&str)| {
        let arn = "arn:aws:iam::111122223333:role/ops";
        let identity = json!({
            "type": "AssumedRole", "principalId": format!("AROAEXAMPLE:{session}"),
            "arn": format!("arn:aws:sts::111122223333:assumed-role/ops/{session}"),
            "sessionContext": { "sessionIssuer": { "type": "Role", "arn": arn } },
        });
        changed(event("CreateUser", &format!("e{number}")), json!({ "userIdentity": identity }))
    };
    sessions.iter().enumerate().map(one).collect()
}

#[test]
fn a_finding_of_a_role_tells_its_sessions() {
    let batches = [batch(&in_sessions(&["tom@x.org", "eve@x.org", "tom@x.org"])), batch(&in_sessions(&["ann@x.org"]))];
    let sql = "SELECT eventName FROM cloudtrail WHERE eventName = 'CreateUser'";
    let mut detector = detector([rule("", sql)]);
    detector.keep_apart(Apart::NOTHING);
    let finding = detector.observe(&batches, Timestamp(0)).into_iter().reduce(|mut a, b| {
        a.fold(b);
        a
    });
    let finding = finding.unwrap();
    assert_eq!(finding.sessions, ["ann@x.org", "eve@x.org", "tom@x.org"]);
    assert_eq!(finding.actor.as_deref(), Some("arn:aws:iam::111122223333:role/ops"));
    // by a user there is none
    assert_eq!(found(rule("", sql), &[batch(&[event("CreateUser", "e1")])])[0].sessions, [""; 0]);
}

#[test]
fn a_finding_of_a_window_tells_its_sessions() {
    let sql = "SELECT count(*) AS calls FROM cloudtrail WHERE eventName = 'CreateUser' \
               GROUP BY account, userIdentity.sessionContext.sessionIssuer.arn, tumble(eventTime, INTERVAL '1 hour') HAVING count(*) >= 3";
    let of = |sessions: &[&str]| found(rule("", sql), &[batch(&in_sessions(sessions))]);
    let several = of(&["tom@x.org", "eve@x.org", "tom@x.org"]);
    assert_eq!(several.len(), 1);
    assert_eq!(several[0].sessions, ["eve@x.org", "tom@x.org"]);
}

#[test]
fn a_suppression_by_actor_parts_the_matches_of_sessions() {
    let sql = "SELECT eventName FROM cloudtrail WHERE eventName = 'CreateUser'";
    let mut detector = detector([rule("", sql)]);
    detector.keep_apart(Apart { names: [false, false, true, false], resources: false });
    let found = detector.observe(&[batch(&in_sessions(&["tom@x.org", "eve@x.org"]))], Timestamp(0));
    let sessions: Vec<_> = found.iter().map(|finding| finding.sessions.join(" ")).collect();
    assert_eq!(sessions, ["eve@x.org", "tom@x.org"]);
}

#[test]
fn selected_names_fill_the_finding_instead() {
    let sql = "SELECT 'Made ' || eventName AS title, CASE WHEN eventID = 'e2' THEN 'critical' ELSE 'medium' END AS severity, \
               'me' AS actor, '198.51.100.1' AS source_ip, ['b', 'a'] AS resource FROM cloudtrail WHERE eventName = 'CreateUser'";
    let finding = found(rule("", sql), &[batch(&[event("CreateUser", "e1"), event("CreateUser", "e2")])]).remove(0);
    assert_eq!((finding.title.as_str(), finding.severity, finding.count), ("Made CreateUser", Severity::Critical, 2));
    assert_eq!((finding.actor.as_deref(), finding.source_ip.as_deref()), (Some("me"), Some("198.51.100.1")));
    let resources: Vec<&str> = finding.resources.iter().map(|resource| resource.0.as_str()).collect();
    assert_eq!(resources, ["a", "b"]);
    assert_eq!(finding.evidence, []);
}

#[test]
fn a_rule_in_words_of_athena_judges_rows_and_windows() {
    let made = |id: &str, user: &str| {
        let request = json!({ "userName": user, "tags": [{ "key": "k" }] });
        changed(event("CreateUser", id), json!({ "requestParameters": request, "readOnly": false }))
    };
    let failed = changed(event("DeleteUser", "e3"), json!({ "errorCode": "AccessDenied" }));
    let events = [batch(&[made("e1", "bob"), made("e2", "mallory"), failed])];
    let sql = "SELECT json_extract_scalar(requestParameters, '$.tags[0].key'), date_format(eventTime, '%H:%i') AS at \
               FROM default.cloudtrail_logs WHERE eventTime LIKE '2024-08-01T%' AND readOnly = 'false' \
               AND json_extract_scalar(requestParameters, '$.userName') = 'bob'";
    let finding = found(rule("", sql), &events).remove(0);
    assert_eq!(finding.event_ids.iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>(), ["e1"]);
    let evidence = [("json_extract_scalar(requestParameters, '$.tags[0].key')", "k"), ("at", "11:30")];
    assert_eq!(finding.evidence, evidence.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let soon = "SELECT eventName FROM cloudtrail WHERE try(date_parse(json_extract_scalar(requestParameters, '$.userName'), '%Y-%m-%d')) \
                > timestamp '2024-01-01 00:00:00'";
    let dated = [batch(&[made("e1", "bob"), made("e2", "2023-12-31"), made("e3", "2024-08-01")])];
    let dated = found(rule("", soon), &dated).remove(0);
    assert_eq!(dated.event_ids.iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>(), ["e3"]);
    let windows = |least: u8| {
        let sql = format!(
            "SELECT count_if(errorCode IS NULL) AS fine, any_value(errorCode) AS error FROM cloudtrail \
             WHERE eventSource = 'iam.amazonaws.com' GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '1 hour') \
             HAVING approx_distinct(eventName) >= {least}"
        );
        found(rule("", &sql), &events)
    };
    let evidence = [("fine", "2"), ("error", "AccessDenied")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(windows(2)[0].evidence, evidence);
    assert_eq!(windows(3), []);
}

#[test]
fn a_word_of_athena_that_cannot_be_said_otherwise_refuses_the_rule() {
    let sql = "SELECT eventID\nFROM cloudtrail\nWHERE json_extract_scalar(requestParameters, '$..x') = 'a'";
    let error = refused(sql);
    assert!(error.contains("has several values"), "{error}");
    assert!(error.starts_with("x.sql:7:"), "the header has four lines: {error}");
}

#[test]
fn a_field_behind_a_list_is_read_through_the_alias_of_the_table() {
    let event = changed(event("CreateUser", "e1"), json!({ "resources": [{ "ARN": "a" }, { "ARN": "b" }] }));
    let events = [event, super::tests::event("CreateUser", "e2")];
    let sql =
        "SELECT c.resources[2].arn AS second, c.userIdentity.type FROM cloudtrail AS c WHERE c.resources[1].arn = 'a'";
    let found = found(rule("", sql), &[batch(&events)]);
    assert_eq!(found[0].count, 1);
    assert_eq!(found[0].evidence, [("second", "b"), ("type", "IAMUser")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    let other = rule(
        "",
        "SELECT cloudtrail.resources[1].arn AS first FROM cloudtrail WHERE cloudtrail.eventName = 'CreateUser'",
    );
    assert_eq!(super::tests::found(other, &[batch(&events[..1])])[0].evidence, [("first".to_owned(), "a".to_owned())]);
}

#[test]
fn one_key_and_period_is_one_finding() {
    let at = |time: &str, id: &str| changed(event("CreateUser", id), json!({ "eventTime": time }));
    let events = [at("2024-08-01T23:59:59Z", "e3"), at("2024-08-01T00:00:00Z", "e2"), at("2024-08-02T00:00:00Z", "e1")];
    let sql = "SELECT eventID FROM cloudtrail WHERE eventName = 'CreateUser'";
    let counts = |header: &str| {
        let mut counts: Vec<u64> =
            found(rule(header, sql), &[batch(&events)]).iter().map(|finding| finding.count).collect();
        counts.sort_unstable();
        counts
    };
    assert_eq!(counts(""), [1, 2]);
    assert_eq!(counts("-- dedupe = \"1s\"\n"), [1, 1, 1]);
    assert_eq!(counts("-- dedupe = \"365d\"\n"), [3]);
    assert_eq!(counts("-- dedupe = \"365d\"\n-- key = [\"substr(eventID, 2) = '1'\"]\n"), [1, 2]);
    let mut two_days = found(rule("", sql), &[batch(&events)]);
    two_days.sort_by_key(|finding| finding.first_seen);
    assert_eq!(two_days[0].evidence, [("eventid".to_owned(), "e2".to_owned())], "of the earliest match");
}

#[test]
fn what_aws_services_do_is_judged_only_on_request() {
    let role = "arn:aws:iam::111122223333:role/aws-service-role/guardduty.amazonaws.com/R";
    let by = |identity: Value| changed(event("CreateUser", "e1"), json!({ "userIdentity": identity }));
    let events = [
        by(json!({ "type": "AWSService", "invokedBy": "ec2.amazonaws.com" })),
        by(json!({ "type": "AssumedRole", "sessionContext": { "sessionIssuer": { "arn": role } } })),
        changed(event("CreateUser", "e1"), json!({ "eventType": "AwsServiceEvent" })),
        by(json!({ "type": "IAMUser" })),
        by(Value::Null),
    ];
    let sql = "SELECT eventID FROM cloudtrail WHERE eventName = 'CreateUser'";
    let count =
        |header: &str| found(rule(header, sql), &[batch(&events)]).iter().map(|finding| finding.count).sum::<u64>();
    assert_eq!((count(""), count("-- aws_services = true\n")), (2, 5));
}

#[test]
fn an_event_without_time_counts_as_1970() {
    let event = changed(event("CreateUser", "e1"), json!({ "eventTime": null }));
    let finding =
        found(rule("", "SELECT eventID FROM cloudtrail WHERE eventName = 'CreateUser'"), &[batch(&[event])]).remove(0);
    assert_eq!((finding.first_seen, finding.count), (Timestamp(0), 1));
}

#[test]
fn a_rule_that_fails_on_a_batch_stops_no_other() {
    let events = [changed(event("CreateUser", "e1"), json!({ "requestParameters": { "n": "many" } }))];
    let failing = "SELECT eventID FROM cloudtrail WHERE eventName = 'CreateUser' AND CAST(requestParameters ->> 'n' AS BIGINT) > 1";
    let mut failing = rule("", failing);
    failing.id = "cloudtrail/failing".into();
    let mut detector = detector([failing, rule("", "SELECT eventID FROM cloudtrail WHERE eventName = 'CreateUser'")]);
    let found = detector.observe(&[batch(&events)], Timestamp(0));
    let rules: Vec<&str> = found.iter().map(|finding| finding.rule.as_str()).collect();
    assert_eq!(rules.len(), 2);
    assert!(rules.contains(&"cloudtrail/x") && rules.contains(&"weir/rule_quarantined"), "{rules:?}");
    let cost = &detector.costs()["cloudtrail/failing"];
    assert_eq!((cost.failed, cost.hits), (1, 0));
    assert!(cost.error.as_deref().unwrap().contains("many"));
    assert_eq!(detector.costs()["cloudtrail/x"].hits, 1);
}

#[test]
fn arithmetic_that_leaves_the_range_of_its_type_is_told_and_goes_on_from_no_other_end() {
    let of = |number: i64, id: &str| changed(event("PutObject", id), json!({ "requestParameters": { "n": number } }));
    let events = [of(2, "e1"), of(i64::MAX, "e2"), of(i64::MIN, "e3"), of(40, "e4")];
    let counts = |sql: &str| {
        let mut detector = detector([rule("", sql)]);
        detector.observe(&[batch(&events)], Timestamp(0));
        let cost = &detector.costs()["cloudtrail/x"];
        (cost.hits, cost.failed, cost.error.clone().unwrap_or_default())
    };
    for expression in ["json_get_int(requestParameters, 'n') * 2", "json_get_int(requestParameters, 'n') - 1 + 2"] {
        let sql = format!("SELECT eventID FROM cloudtrail WHERE eventName = 'PutObject' AND {expression} < 10");
        let (hits, failed, error) = counts(&sql);
        assert_eq!((hits, failed), (1, 2), "{expression}");
        assert!(error.contains("verflow"), "{error}");
    }
    // of a window, what the condition computes of an aggregate
    let doubled = "SELECT max(json_get_int(requestParameters, 'n')) AS n FROM cloudtrail WHERE eventName = 'PutObject' \
                   GROUP BY eventID, tumble(eventTime, INTERVAL '1 hour') HAVING 2 * max(json_get_int(requestParameters, 'n')) > 10";
    assert_eq!(counts(doubled).1, 2);
}

#[test]
fn a_condition_on_symbols_that_fails_on_a_value_fails_the_rows_that_have_it() {
    let named = |name: &str, source: &str, id: &str| changed(event(name, id), json!({ "eventSource": source }));
    let sql = "SELECT eventID FROM cloudtrail WHERE eventSource = 's3.amazonaws.com' AND CAST(eventName AS BIGINT) > 1";
    let mut detector = detector([rule("-- key = [\"eventID\"]\n", sql)]);
    let mut hits = |events: &[Value]| {
        let found = detector.observe(&[batch(events)], Timestamp(0));
        found.iter().filter(|finding| finding.rule == "cloudtrail/x").count()
    };
    assert_eq!(hits(&[named("7", "s3.amazonaws.com", "e1"), named("2", "iam.amazonaws.com", "e2")]), 1);
    assert_eq!(hits(&[named("8", "s3.amazonaws.com", "e3"), named("x", "s3.amazonaws.com", "e4")]), 1);
    assert_eq!(hits(&[named("x", "iam.amazonaws.com", "e5")]), 0, "no row of the gate is left to fail on");
    assert_eq!(hits(&[named("1", "s3.amazonaws.com", "e6"), named("9", "s3.amazonaws.com", "e7")]), 1);
    let cost = &detector.costs()["cloudtrail/x"];
    assert_eq!((cost.hits, cost.failed), (3, 1));
    assert!(cost.error.as_deref().unwrap().contains("'x'"), "{:?}", cost.error);
}

#[test]
fn a_value_that_many_rows_have_and_a_rule_fails_on_costs_no_other_rows() {
    let named = |name: &str, source: &str, id: &str| changed(event(name, id), json!({ "eventSource": source }));
    let row = |number: usize| {
        let name = if number % 13 == 5 { ["x", "y"][number % 2] } else { ["7", "8", "9"][number % 3] };
        named(name, ["s3.amazonaws.com", "iam.amazonaws.com"][number % 5 / 4], &format!("e{number}"))
    };
    let events: Vec<Value> = (0..6500).map(row).collect();
    let fails = |sql: &str| {
        let mut detector = detector([rule("", sql)]);
        let found = detector.observe(&[batch(&events)], Timestamp(0));
        let found = found.iter().filter(|finding| finding.rule == "cloudtrail/x").map(|finding| finding.count).sum();
        (found, detector.costs()["cloudtrail/x"].failed)
    };
    assert_eq!(fails("SELECT eventID FROM cloudtrail WHERE CAST(eventName AS BIGINT) > 1"), (6000u64, 500));
    // of a rule over windows, the argument
    let sum = "SELECT sum(CAST(eventName AS BIGINT)) AS n FROM cloudtrail WHERE eventSource LIKE '%.com' \
               GROUP BY account, tumble(eventTime, INTERVAL '1 hour') HAVING sum(CAST(eventName AS BIGINT)) > 0 AND count(*) = 6000";
    assert_eq!(fails(sum).1, 500);
}

#[test]
fn a_rule_that_cannot_work_is_refused_with_its_place() {
    // the header has four lines
    let where_ = |condition: &str| {
        refused(&format!("SELECT eventID\nFROM cloudtrail\nWHERE eventName = 'x'\n  AND {condition}"))
    };
    assert_eq!(
        where_("eventNmae = 'y'"),
        "x.sql:8:7: table cloudtrail has no column `eventnmae`; did you mean `eventname`?"
    );
    let check = |got: String, start: &str| assert!(got.starts_with(start), "{got}");
    check(where_("eventTime < now()"), "x.sql:8:19: `now` gives another answer");
    check(where_("random() < 0.5"), "x.sql:8:7: `random` gives another answer");
    check(
        where_("starts_wiht(eventName, 'y')"),
        "x.sql:8:7: there is no function `starts_wiht`; did you mean `starts_with`?",
    );
    check(where_("date_diff('day', eventTime) > 1"), "x.sql:8:7: date_diff takes 3 arguments");
    check(
        where_("1 = 1 AND json_extract_scalar(requestParameters, '$..x') = 'y'"),
        "x.sql:8:17: the path $..x has several values",
    );
    check(where_("eventTime > 2024-08-01"), "x.sql:8:19: 2024-08-01 without quotes is the number 2015");
    check(
        where_("regexp_like(userAgent, '(abc')"),
        "x.sql:8:30: the pattern '(abc' cannot be read: unclosed group, at its character 1",
    );
    check(
        where_("regexp_like(userAgent, '^\\w{1,255}\\.\\w{1,255}$')"),
        "x.sql:8:30: the pattern '^\\w{1,255}\\.\\w{1,255}$' takes more than 10 MB of memory",
    );
    check(where_("cidr_match(sourceIPAddress, '10.0.0/8')"), "x.sql:8:7: `10.0.0/8` is not a network");
    check(where_("regexp_like(requestParameters -> 'a', 'b')"), "x.sql:8:7: JSON stands where text is needed");
    check(where_("count(*) > 1"), "x.sql:8:7: ");
    check(
        refused("SELECT count(*)\nFROM cloudtrail WHERE eventName = 'x'"),
        "x.sql:5:8: not supported yet: aggregates",
    );
    check(
        refused("SELECT row_number() OVER ()\nFROM cloudtrail WHERE eventName = 'x'"),
        "x.sql:5:8: not supported yet: window",
    );
    let windows = |by: &str, having: &str| {
        refused(&format!(
            "SELECT count(*) AS n, awsRegion AS actor\nFROM cloudtrail\nWHERE true\nGROUP BY awsRegion, {by}\nHAVING {having}"
        ))
    };
    let (tumble, many) = ("tumble(eventTime, INTERVAL '10 minutes')", "count(*) > 3");
    check(windows("tumble(eventTime, INTERVAL 'ten minutes')", many), "x.sql:8:48: `ten minutes` is no interval");
    let big = "count(*) FILTER (WHERE userAgent ~ '((a{100}){100}){100}') > 2";
    check(windows(tumble, big), "x.sql:9:43: the pattern '((a{100}){100}){100}' takes more than 10 MB");
    check(windows("hop(eventTime, INTERVAL '10 minutes')", many), "x.sql:8:21: hop takes a time");
    check(
        windows("hop(eventTime, INTERVAL '10 minutes', INTERVAL '15 minutes')", many),
        "x.sql:8:21: the length of hop is a multiple",
    );
    check(windows("hop(eventTime, '10 minutes', '20 minutes')", many), "x.sql:8:21: hop takes constant intervals");
    check(windows(tumble, "first_seen(awsRegion, '30 days')"), "x.sql:9:8: first_seen looks back");
    for aggregate in [
        "every(readOnly)",
        "max_by(eventName, eventTime) = 'x'",
        "listagg(eventName, ',') = 'x'",
        "string_agg(eventName, ',') = 'x'",
        "bool_and(readOnly)",
        "stddev(length(eventName)) > 3",
    ] {
        let name = aggregate.split('(').next().unwrap();
        let expected = format!("x.sql:9:8: the aggregate `{name}` is not supported in rules; there are count, ");
        check(windows(tumble, aggregate), &expected);
    }
    check(
        windows(tumble, "cardinality(set_agg(eventName)) > 3"),
        "x.sql:9:20: the aggregate `set_agg` is not supported in rules; there are count, ",
    );
    check(windows(tumble, "sum(DISTINCT length(eventName)) > 3"), "x.sql:9:8: sum in a rule is of all values");
    check(
        where_("readOnly = 'yes'"),
        "x.sql:8:7: boolean = varchar cannot be compared: true and false stand without quotes",
    );
    check(
        where_("eventTime > 3"),
        "x.sql:8:7: timestamp with time zone > bigint cannot be compared: a time is written",
    );
    check(where_("true AND eventName LIKE 'a#_%' ESCAPE '#'"), "x.sql:8:38: LIKE knows one ESCAPE, the backslash");
    check(windows(tumble, "first_seen(awsRegion)"), "x.sql:9:8: first_seen takes 2 arguments, not 1");
    check(
        refused("SELECT count(*), awsRegion\nFROM cloudtrail\nWHERE true\nGROUP BY account\nHAVING count(*) > 3"),
        "x.sql:5:18: `awsregion` stands neither in GROUP BY nor in an aggregate",
    );
    check(
        refused("SELECT 1 FROM cloud_trail WHERE true"),
        "x.sql:5:15: there is no table `cloud_trail`; there are cloudtrail, vpc_flow",
    );
    check(refused("SELECT 1 FROM cloudtrail WHERE 1 = 2"), "x.sql:5:26: the condition is never true");
    check(
        refused("SELECT 1 FROM cloudtrail WHERE eventName"),
        "x.sql:5:32: a condition is true or false, and `cloudtrail.eventname` is varchar: compare it with something",
    );
    assert!(
        refused("SELECT 1 FROM cloudtrail WHERE eventName = 'x' && readOnly")
            .ends_with(": conditions are joined by AND, and not by &&; of lists, arrays_overlap(a, b)")
    );
    let counted = "SELECT count(*) AS n FROM cloudtrail WHERE eventName = 'x' GROUP BY 1, tumble(eventTime, INTERVAL '1 hour') HAVING count(*) > 2";
    assert!(
        refused(counted)
            .ends_with(": GROUP BY takes what rows have, and no aggregate: its numbers are places in SELECT")
    );
    let (_, refused) = Detector::new(
        logs::TABLES,
        [rule("-- key = [\"acount\"]\n", "SELECT 1 FROM cloudtrail WHERE eventName = 'x'")],
    );
    assert_eq!(
        refused[0].to_string(),
        "x.sql:5:4: key `acount`: table cloudtrail has no column `acount`; did you mean `account`?"
    );
}

#[test]
fn alternatives_over_two_columns_are_gated_too() {
    let sql = "SELECT eventID FROM cloudtrail WHERE (eventSource = 'iam.amazonaws.com' AND eventName = 'CreateUser') \
               OR (eventSource = 's3.amazonaws.com' AND eventName LIKE 'Put%')";
    let gated = rule("", sql);
    let open = rule("", "SELECT eventID FROM cloudtrail WHERE sourceIPAddress = '192.0.2.7'");
    let gates = |rule: Rule| -> Vec<String> {
        detector([rule]).gates().flat_map(|(_, columns)| columns).map(str::to_lowercase).collect()
    };
    let of_gated = gates(gated.clone());
    assert!(["eventname", "eventsource"].iter().all(|name| of_gated.iter().any(|gate| gate == name)), "{of_gated:?}");
    assert!(gates(open).is_empty());
    let events = [event("CreateUser", "e1"), event("PutObject", "e2")];
    let found = found(gated, &[batch(&events)]);
    assert_eq!(found[0].event_ids[0].1, "e1");
    assert_eq!(found[0].count, 1);
}

#[test]
fn state_of_another_version_is_refused() {
    let mut detector = detector([]);
    let state = detector.changes();
    assert!(detector.restore(&state).is_whole());
    let of = |shared: &'static [u8]| Parts { shared: shared.into(), ..Parts::default() };
    assert!(detector.restore(&of(&[99])).shared.unwrap().contains("version 99"));
    assert!(detector.restore(&of(&[])).shared.unwrap().contains("empty"));
    // one of before there were parts
    assert!(detector.restore(&of(&[7, 0])).shared.unwrap().contains("version 7, and this weir reads 12"));
}

#[test]
fn a_severity_that_is_none_is_refused_or_counted() {
    let windows = refused(
        "SELECT CASE WHEN count(*) > 9 THEN 'urgent' ELSE 'low' END AS severity\nFROM cloudtrail WHERE eventName = 'x'\n\
         GROUP BY account, tumble(eventTime, INTERVAL '1 hour') HAVING count(*) > 2",
    );
    assert!(windows.starts_with("x.sql:5:36: `urgent` is not a severity"), "{windows}");
    let refused = refused(
        "SELECT CASE WHEN errorCode IS NULL THEN 'low' ELSE 'urgent' END AS severity\nFROM cloudtrail WHERE eventName = 'x'",
    );
    assert!(refused.starts_with("x.sql:5:52: `urgent` is not a severity"), "{refused}");
    let sql = "SELECT requestParameters ->> 'grade' AS severity FROM cloudtrail WHERE eventName = 'CreateUser'";
    let mut detector = detector([rule("", sql)]);
    let graded =
        |grade: Value, id: &str| changed(event("CreateUser", id), json!({ "requestParameters": { "grade": grade } }));
    let events = [graded(json!("urgent"), "e1"), graded(json!("High"), "e2"), graded(Value::Null, "e3")];
    let found: Vec<Severity> = events
        .iter()
        .flat_map(|event| detector.observe(&[batch(std::slice::from_ref(event))], Timestamp(0)))
        .map(|f| f.severity)
        .collect();
    assert_eq!(found, [Severity::Low, Severity::High, Severity::Low]);
    let cost = &detector.costs()["cloudtrail/x"];
    assert_eq!((cost.hits, cost.ungraded), (3, 1));
    assert!(cost.error.as_deref().unwrap().contains("not a severity"));
}

fn some_event() -> impl Strategy<Value = Value> {
    let text = |values: &'static [Option<&'static str>]| prop::sample::select(values);
    (
        text(&[Some("CreateUser"), Some("PutObject"), Some("a%b_c"), Some("Étage"), Some(""), None]),
        text(&[Some("iam.amazonaws.com"), Some("s3.amazonaws.com"), None]),
        text(&[Some("AccessDenied"), Some("Client.Unauthorized"), None, None]),
        text(&[Some("IAMUser"), Some("Root"), Some("AWSService"), None]),
        text(&[Some("192.0.2.7"), Some("10.0.0.1"), Some("iam.amazonaws.com"), None]),
        prop::option::of(any::<bool>()),
        text(&[
            Some("{\"a\": \"x\", \"n\": 3}"),
            Some("{\"a\": null}"),
            Some("{\"a\": [\"x\"]}"),
            Some("{\"a\": \"name\"}"),
            Some("{\"long-key\": 1, \"a\": \"x/name\"}"),
            Some("{}"),
            None,
        ]),
        0i64..4,
        text(&[Some("aws-cli/2.15"), Some("Boto3/1.26 pacu"), Some("12"), Some(""), None]),
    )
        .prop_map(|(name, source, error, kind, address, read_only, parameters, hour, agent)| {
            let parameters: Value = parameters.map_or(Value::Null, |text| serde_json::from_str(text).unwrap());
            let mut event = event("", "");
            event["eventTime"] = json!(Timestamp(1_722_500_000_000_000 + hour * 10 * 3_600_000_000).to_string());
            // what names neither is no record
            let source = source.or(name.is_none().then_some("sts.amazonaws.com"));
            event["userIdentity"] = kind.map_or(Value::Null, |kind| json!({ "type": kind, "arn": kind }));
            changed(
                event,
                json!({ "eventName": name, "eventSource": source, "errorCode": error, "sourceIPAddress": address,
                        "readOnly": read_only, "requestParameters": parameters, "userAgent": agent }),
            )
        })
}

pub(crate) fn some_events() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(some_event(), 1..40).prop_map(|mut events| {
        for (index, event) in events.iter_mut().enumerate() {
            event["eventID"] = json!(format!("e{index:02}"));
        }
        events
    })
}

pub(crate) fn some_condition() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(&[
        "eventName = 'CreateUser'",
        "eventName <> 'PutObject'",
        "eventName IN ('CreateUser', 'Étage', 'none')",
        "eventName NOT IN ('CreateUser', 'PutObject')",
        "eventName LIKE 'a\\%b%'",
        "eventName LIKE '%e%'",
        "eventName ILIKE 'é%'",
        "eventName > 'D'",
        "eventName IS NULL",
        "eventName = ''",
        "length(eventName) > 6",
        "eventSource = 'iam.amazonaws.com'",
        "eventSource = eventName",
        "errorCode IS NULL",
        "errorCode IS NOT NULL",
        "errorCode ~ '^Client'",
        "errorCode IS DISTINCT FROM 'AccessDenied'",
        "errorCode IS NOT DISTINCT FROM NULL",
        "eventName IS DISTINCT FROM errorCode",
        "errorCode NOT IN ('AccessDenied', NULL)",
        "CASE WHEN errorCode IS NOT NULL THEN errorCode = 'AccessDenied' END",
        "nullif(eventName, 'CreateUser') IS NULL",
        "eventName BETWEEN 'C' AND 'P'",
        "coalesce(errorCode, 'none') = 'none'",
        "userIdentity.type = 'Root'",
        "userIdentity.type IN ('Root', 'IAMUser')",
        "userIdentity.arn LIKE 'R%'",
        "userIdentity IS NULL",
        "readOnly",
        "readOnly IS NOT TRUE",
        "sourceIPAddress LIKE '%.amazonaws.com'",
        "ip_is_private(sourceIPAddress)",
        "cidr_match(sourceIPAddress, '192.0.2.0/24')",
        "regexp_like(userAgent, '(?i)PACU|kali')",
        "userAgent ~* 'BOTO|^$'",
        "userAgent !~ '^[0-9]*$'",
        "sourceIPAddress !~* 'AMAZON'",
        "regexp_like(requestParameters ->> 'a', '')",
        "regexp_like(eventName, 'e', 'i')",
        "userAgent NOT LIKE 'aws-cli/%'",
        "length(userAgent) < 5 AND userAgent <> ''",
        "userAgent IS NULL",
        "requestParameters ->> 'a' = 'x'",
        "requestParameters ->> 'a' IS NULL",
        "requestParameters -> 'a' ->> 0 = 'x'",
        "json_get_int(requestParameters, 'n') = 3",
        "json_contains(requestParameters, 'a')",
        "requestParameters ->> 'a' = 'name'",
        "regexp_like(requestParameters ->> 'a', 'x/(name|other)$')",
        "requestParameters ->> 'a' IN ('name', 'x/name', 'other', 'third')",
        "requestParameters ->> 'a' LIKE '%nam%' OR json_contains(requestParameters, 'long-key')",
        "requestParameters LIKE '%\"x\"%'",
        "CASE WHEN eventName = 'CreateUser' THEN readOnly ELSE errorCode IS NULL END",
        "true",
    ] as &[&str]);
    leaf.prop_map(str::to_owned).prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| format!("NOT ({one})")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" AND "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" OR "))),
            inner.clone().prop_map(|one| format!("({one}) IS NOT TRUE")),
            inner.prop_map(|one| format!("coalesce({one}, false)")),
        ]
    })
}

/// Ids of the rows that DataFusion selects with all of its optimizer, given the query as it is.
fn selected(condition: &str, batch: &Batch) -> Vec<String> {
    let session = session::session(SessionConfig::new());
    session
        .register_table(
            "cloudtrail",
            Arc::new(MemTable::try_new(CLOUDTRAIL.schema(), vec![vec![batch.rows.clone()]]).unwrap()),
        )
        .unwrap();
    let sql =
        format!("SELECT eventID FROM cloudtrail WHERE ({condition}) AND NOT coalesce(({}), false)", CLOUDTRAIL.own);
    let statement = session::parse(&sql).unwrap().pop_front().unwrap();
    let rows = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        let plan = session.state().statement_to_plan(statement).await.unwrap();
        session.execute_logical_plan(plan).await.unwrap().collect().await.unwrap()
    });
    let mut ids: Vec<String> = rows.iter().flat_map(|rows| emit::texts(rows.column(0)).unwrap()).flatten().collect();
    ids.sort();
    ids
}

proptest! {
    #![proptest_config(crate::detect::window::tests::cases_or(96))]

    #[test]
    fn router_equals_oracle(
        events in some_events(),
        conditions in prop::collection::vec(some_condition(), 1..5),
    ) {
        let batch = batch(&events);
        let rules = conditions.iter().enumerate().map(|(index, condition)| {
            let sql = format!("SELECT eventName FROM cloudtrail WHERE {condition}");
            Rule { id: format!("cloudtrail/{index}"), ..rule("-- key = [\"eventID\"]\n", &sql) }
        });
        // a condition may turn out never true: DataFusion then selects nothing, and the rule is refused
        let (mut detector, refused) = Detector::new(logs::TABLES, rules);
        prop_assert!(refused.iter().all(|error| error.message == "the condition is never true"), "{:?}", refused);
        let found = detector.observe(std::slice::from_ref(&batch), Timestamp(0));
        // what the first batch taught changes nothing
        prop_assert_eq!(&detector.observe(std::slice::from_ref(&batch), Timestamp(0)), &found);
        for (index, condition) in conditions.iter().enumerate() {
            let of_rule = found.iter().filter(|finding| finding.rule == format!("cloudtrail/{index}"));
            let mut ids: Vec<String> = of_rule.map(|finding| finding.event_ids[0].1.clone()).collect();
            ids.sort();
            prop_assert_eq!(ids, selected(condition, &batch), "{}", condition);
        }
    }

    #[test]
    fn stream_equals_batch_of_rows(
        events in some_events(),
        condition in some_condition(),
        mut cuts in prop::collection::vec(0usize..40, 0..6),
    ) {
        let sql = format!("SELECT eventName, errorCode, requestParameters, errorCode AS resource FROM cloudtrail WHERE {condition}");
        let (mut detector, _) = Detector::new(logs::TABLES, [rule("", &sql)]);
        let batch = batch(&events);
        let whole = detector.observe(std::slice::from_ref(&batch), Timestamp(0));
        let rows = batch.rows.num_rows();
        cuts.extend([0, rows]);
        cuts.iter_mut().for_each(|cut| *cut = (*cut).min(rows));
        cuts.sort_unstable();
        let piece = |pair: &[usize]| Batch { table: batch.table, rows: batch.rows.slice(pair[0], pair[1] - pair[0]) };
        let mut pieces: Vec<Batch> = cuts.windows(2).map(piece).collect();
        prop_assert_eq!(&detector.observe(&pieces, Timestamp(0)), &whole);
        pieces.reverse();
        prop_assert_eq!(&detector.observe(&pieces, Timestamp(0)), &whole);
    }
}
