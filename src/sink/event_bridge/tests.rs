use serde_json::{Value, json};

use super::*;
use crate::finding::tests::one_match;
use crate::finding::{FindingId, Resource, Term};

fn call(findings: &[Finding]) -> Call {
    let made: Vec<Outgoing> = findings.iter().map(|finding| form(finding, Timestamp(0)).unwrap()).collect();
    Call {
        number: 0,
        ids: made.iter().map(|one| one.id.clone()).collect(),
        findings: made.iter().map(|one| one.json.clone()).collect(),
    }
}

fn sent(findings: &[Finding]) -> Value {
    serde_json::from_str(&body("default", &call(findings))).unwrap()
}

/// The finding of `deploy/event_bridge/event.json`.
fn sample() -> Finding {
    let mut finding = one_match("cloudtrail/admin_policy_attached", "x", Timestamp(0), "e");
    finding.id = FindingId([0x20, 0x91, 0x81, 0xaa, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    finding.title = "Administrator policy was attached to a user".into();
    finding.severity = Severity::High;
    finding.priority = 71;
    finding.region = "eu-west-1".into();
    finding.actor = Some("arn:aws:iam::111122223333:user/mallory".into());
    finding.resources =
        vec![Resource("arn:aws:iam::111122223333:user/eve".into()), Resource("AdministratorAccess".into())];
    finding.first_seen = Timestamp::parse("2024-08-01T11:30:23Z").unwrap();
    finding.last_seen = Timestamp::parse("2024-08-01T11:32:08.250Z").unwrap();
    finding.count = 2;
    finding.event_ids = vec![(finding.first_seen, "35fa4a1e-2d24-4d2a-9f5e-0c1d2e3f4a5b".into())];
    finding.tags = vec!["attack.t1098.003".into()];
    finding.evidence = vec![("eventname".into(), "AttachUserPolicy".into())];
    finding.remedy = "Detach the policy; ask who attached it.".into();
    finding.terms = vec![Term { name: "severity", bits: 4.0, why: "high".into() }];
    finding
}

fn deployed(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/event_bridge").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_sample_event_is_what_the_sink_makes() {
    let entry = &sent(&[sample()])["Entries"][0];
    let seconds = entry["Time"].as_i64().unwrap();
    // what EventBridge makes of an entry; id and account are its own
    let event = deployed("event.json");
    let made = json!({
        "version": "0",
        "id": event["id"],
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": event["account"],
        "time": Timestamp::from_seconds(seconds).to_string(),
        "region": event["region"],
        "resources": entry["Resources"],
        "detail": serde_json::from_str::<Value>(entry["Detail"].as_str().unwrap()).unwrap(),
    });
    assert_eq!(event, made, "deploy/event_bridge/event.json is stale; it should be\n{made:#}");
}

/// Whether an event has one of the values that a pattern lists, wherever it lists some.
fn matches(pattern: &Value, event: &Value) -> bool {
    match pattern {
        Value::Object(fields) => fields.iter().all(|(name, inside)| matches(inside, &event[name])),
        Value::Array(values) => values.contains(event),
        other => panic!("{other} has no place in a pattern"),
    }
}

#[test]
fn the_pattern_takes_the_sample_and_nothing_less_severe() {
    let (pattern, mut event) = (deployed("pattern.json"), deployed("event.json"));
    assert!(matches(&pattern, &event));
    event["detail"]["severity"] = "medium".into();
    assert!(!matches(&pattern, &event));
    let mut other = deployed("event.json");
    other["source"] = "aws.securityhub".into();
    assert!(!matches(&pattern, &other));
}

#[test]
fn an_entry_counts_as_aws_counts_it() {
    let finding = sample();
    let outgoing = form(&finding, Timestamp(0)).unwrap();
    // time 14, "weir" 4, "Weir Finding" 12, and the one resource that is an ARN 34
    assert_eq!(outgoing.call_bytes, 14 + 4 + 12 + outgoing.json.len() + 34);
    let largest = |bytes: usize| {
        let mut finding = sample();
        finding.tags = vec![String::new()];
        let least = form(&finding, Timestamp(0)).unwrap().call_bytes;
        finding.tags = vec!["x".repeat(bytes - least)];
        form(&finding, Timestamp(0))
    };
    assert_eq!(largest(256_000).unwrap().call_bytes, 256_000);
    // the evidence goes first: AttachUserPolicy has 16 bytes, and the sign for what is left out 3
    assert_eq!(largest(256_001).unwrap().call_bytes, 256_001 - 16 + 3);
    assert_eq!(largest(256_014).unwrap_err(), "it takes 256001 bytes, and 256000 are allowed");
}

#[test]
fn entries_are_answered_in_their_order() {
    let findings: Vec<Finding> =
        ["a", "b", "c"].map(|actor| one_match("cloudtrail/x", actor, Timestamp(0), "e")).into();
    let call = call(&findings);
    let answer = |body: &str| read(&Reply { status: 200, body: body.into(), ..Reply::default() }, &call);
    let mixed = r#"{"FailedEntryCount":2,"Entries":[{"EventId":"1"},
        {"ErrorCode":"ThrottlingException","ErrorMessage":"slow"},{"ErrorCode":"MalformedDetail","ErrorMessage":"no"}]}"#;
    let failed = |n: usize, code: &str, message: &str| Failed {
        id: findings[n].id.to_string(),
        code: code.into(),
        message: message.into(),
    };
    let expected = vec![failed(1, "ThrottlingException", "slow"), failed(2, "MalformedDetail", "no")];
    assert_eq!(answer(mixed), Answer::Taken { success_count: 1, failed: expected });

    let denied = r#"{"ErrorCode":"ResourceNotFoundException","ErrorMessage":"no bus"}"#;
    let all = format!(r#"{{"FailedEntryCount":3,"Entries":[{denied},{denied},{denied}]}}"#);
    let said = Answer::Denied { code: "ResourceNotFoundException".into(), message: "no bus".into() };
    assert_eq!(answer(&all), said);

    let short = r#"{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}"#;
    let Answer::Unavailable { code, message, .. } = answer(short) else { panic!() };
    assert_eq!(code, "unreadable");
    assert_eq!(message, "an answer with status 200 says what became of 1 events, and 3 were sent");
}

#[test]
fn a_bus_is_a_name_or_an_arn() {
    assert_eq!(region("default").unwrap(), None);
    assert_eq!(region("aws.partner/x_y-z.1").unwrap(), None);
    assert_eq!(region("arn:aws-cn:events:cn-north-1:111122223333:event-bus/a").unwrap(), Some("cn-north-1"));
    for wrong in ["", "a b", "arn:aws:events:eu-west-1:111122223333:rule/a", "arn:aws:events:eu-west-1:1:event-bus/a"] {
        assert!(region(wrong).is_err(), "{wrong}");
    }
    let bus = "arn:aws:events:eu-west-1:111122223333:event-bus/a".to_owned();
    let config = Config { bus, region: Some("us-east-1".into()), ..Config::default() };
    let why = Bus::new(&config, aws::Config::default(), crate::sink::wire::connector()).unwrap_err().to_string();
    assert_eq!(why, "`arn:aws:events:eu-west-1:111122223333:event-bus/a` is not in us-east-1");
}
