//! Findings → ASFF as it is sent: a few compared with files, any at all with the contract.

use std::path::Path;

use proptest::prelude::*;
use serde_json::Value;

use super::asff::{About, FINDING_BYTES_MAX, RecordState, from_finding};
use super::hub::Hub;
use super::validate::{call_violations, not_ours, violations};
use crate::finding::{Finding, FindingId, Resource, Term};
use crate::rule::{Confidence, Severity};
use crate::time::Timestamp;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn texts<const N: usize>(list: [&str; N]) -> Vec<String> {
    list.map(str::to_owned).to_vec()
}

fn pairs<const N: usize>(list: [(&str, &str); N]) -> Vec<(String, String)> {
    list.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

fn terms<const N: usize>(list: [(&'static str, f64, &str); N]) -> Vec<Term> {
    list.map(|(name, bits, why)| Term { name, bits, why: why.to_owned() }).to_vec()
}

fn admin_policy() -> Finding {
    Finding {
        id: FindingId([0x20, 0x91, 0x81, 0xaa, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        rule: "cloudtrail/admin_policy_attached".into(),
        title: "Administrator policy was attached to a user".into(),
        severity: Severity::High,
        confidence: Confidence::Medium,
        priority: 54,
        account: "111122223333".into(),
        region: "us-east-1".into(),
        actor: Some("arn:aws:iam::111122223333:user/christophe".into()),
        sessions: Vec::new(),
        assumed_by: Vec::new(),
        source_ip: Some("198.51.100.67".into()),
        resources: vec![Resource("user/backdoor".into())],
        first_seen: at("2024-08-01T13:33:28Z"),
        last_seen: at("2024-08-01T13:35:01Z"),
        count: 2,
        window: None,
        gravest: None,
        event_ids: vec![
            (at("2024-08-01T13:33:28Z"), "3d5c3c1e-0000-4000-8000-000000000001".into()),
            (at("2024-08-01T13:35:01Z"), "3d5c3c1e-0000-4000-8000-000000000002".into()),
        ],
        tags: texts(["attack.privilege_escalation", "attack.persistence", "attack.t1098.003", "cis.1.16"]),
        remedy: "Check who asked for the rights. Detach the policy if nobody did.".into(),
        evidence: pairs([
            ("eventtime", "2024-08-01T13:33:28Z"),
            ("eventname", "AttachUserPolicy"),
            ("attached_to", "backdoor"),
            ("policy", "arn:aws:iam::aws:policy/AdministratorAccess"),
            ("sourceipaddress", "198.51.100.67"),
            ("useragent", "aws-cli/2.15\nmd/installer"),
        ]),
        terms: terms([
            ("severity", 5.0, "the rule says high"),
            ("precision", -2.0, "medium confidence: odds 1 to 4 before feedback"),
            ("rarity", 7.2, "this rule fired on this actor in 1 of 144 hours observed"),
        ]),
    }
}

#[test]
fn who_assumed_the_role_is_a_product_field() {
    let finding = Finding { assumed_by: texts(["arn:aws:iam::111122223333:user/eve"]), ..admin_policy() };
    let hub = Hub::of(&finding).unwrap();
    let now = at("2024-08-01T13:40:00Z");
    let about = About { hub: &hub, first_sent: now, now, state: RecordState::Active };
    let fields = from_finding(&finding, &about).product_fields;
    assert_eq!(fields["weir/assumed_by"], "arn:aws:iam::111122223333:user/eve");
}

fn open_database() -> Finding {
    Finding {
        rule: "vpc_flow/database_port_from_internet".into(),
        title: "Database port accepted a connection from the internet".into(),
        region: "cn-north-1".into(),
        actor: Some("203.0.113.9".into()),
        sessions: Vec::new(),
        assumed_by: Vec::new(),
        source_ip: Some("203.0.113.9".into()),
        resources: vec![Resource("eni-0a1b2c3d4e5f60718".into())],
        event_ids: Vec::new(),
        tags: texts(["attack.initial_access", "attack.t1190"]),
        evidence: pairs([
            ("srcaddr", "203.0.113.9"),
            ("dstaddr", "10.0.3.7"),
            ("dstport", "5432"),
            ("packets", "12"),
            ("bytes", "4100"),
        ]),
        ..admin_policy()
    }
}

/// A log that names neither account nor Region, and a finding that no longer holds.
fn logged_credential() -> Finding {
    Finding {
        rule: "glue_log/log_credentials".into(),
        title: "Glue job printed a credential to its log".into(),
        account: "unknown".into(),
        region: "unknown".into(),
        actor: None,
        sessions: Vec::new(),
        assumed_by: Vec::new(),
        source_ip: None,
        resources: vec![Resource("jr_0123456789abcdef".into())],
        first_seen: Timestamp(0),
        last_seen: Timestamp(0),
        count: 1,
        event_ids: Vec::new(),
        tags: texts(["attack.credential_access", "attack.t1552.001"]),
        evidence: pairs([("logger", "root"), ("source", "  ")]),
        terms: Vec::new(),
        ..admin_policy()
    }
}

/// Everything is too long, and there is too much of it.
fn verbose() -> Finding {
    Finding {
        title: "é".repeat(300),
        remedy: "Look. ".repeat(100),
        actor: Some("AIDAEXAMPLE:session".into()),
        sessions: Vec::new(),
        assumed_by: Vec::new(),
        source_ip: Some("2001:db8::7".into()),
        resources: Vec::new(),
        region: "us-gov-west-1".into(),
        tags: texts(["attack.impact", "attack.t1485"]),
        evidence: (0..60).map(|n| (format!("column{n:02}"), format!("value {n}"))).collect(),
        ..admin_policy()
    }
}

#[track_caller]
fn check(name: &str, finding: &Finding, hub: &Hub, state: RecordState) {
    let about = About { hub, first_sent: at("2024-08-01T13:34:00Z"), now: at("2024-08-01T13:36:00.25Z"), state };
    let sent: Value = serde_json::from_str(&from_finding(finding, &about).json()).unwrap();
    assert_eq!((violations(&sent), not_ours(&sent)), (vec![], vec![]));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/asff/golden").join(name);
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let sent = serde_json::to_string_pretty(&sent).unwrap() + "\n";
    assert!(sent == expected, "{} differs from what would be sent:\n{sent}", path.display());
}

#[test]
fn an_api_call() {
    let finding = admin_policy();
    check("admin_policy.json", &finding, &Hub::of(&finding).unwrap(), RecordState::Active);
}

#[test]
fn a_flow() {
    let finding = open_database();
    check("open_database.json", &finding, &Hub::of(&finding).unwrap(), RecordState::Active);
}

#[test]
fn a_log_line_without_an_account_that_no_longer_holds() {
    let home = Hub::new("999988887777", "eu-west-1").unwrap();
    check("logged_credential.json", &logged_credential(), &home, RecordState::Archived);
}

#[test]
fn what_is_cut_is_named() {
    let finding = verbose();
    check("verbose.json", &finding, &Hub::of(&finding).unwrap(), RecordState::Active);
}

#[test]
fn only_the_findings_id_makes_its_id() {
    let (home, now) = (Hub::new("999988887777", "eu-west-1").unwrap(), Timestamp(5_000_000));
    let about = About { hub: &home, first_sent: now, now, state: RecordState::Active };
    let id = |finding: &Finding| from_finding(finding, &about).id;
    assert_eq!(id(&admin_policy()), "weir/209181aa000102030405060708090a0b");
    assert_eq!(id(&admin_policy()), id(&open_database()));
}

#[test]
fn the_largest_finding_fits() {
    let wide = |chars: usize| "𝕏".repeat(chars);
    let finding = Finding {
        rule: wide(600),
        title: wide(300),
        actor: Some(wide(3000)),
        sessions: Vec::new(),
        assumed_by: Vec::new(),
        resources: (0..40).map(|n| Resource(format!("{n}{}", wide(2000)))).collect(),
        event_ids: (0..10).map(|n| (Timestamp(n), wide(400))).collect(),
        evidence: (0..60).map(|n| (format!("{n}{}", wide(200)), wide(3000))).collect(),
        tags: vec![wide(3000)],
        ..admin_policy()
    };
    let hub = Hub::of(&finding).unwrap();
    let about =
        About { hub: &hub, first_sent: Timestamp(i64::MIN), now: Timestamp(i64::MAX), state: RecordState::Active };
    let json = from_finding(&finding, &about).json();
    assert!((FINDING_BYTES_MAX - 10_000..=FINDING_BYTES_MAX).contains(&json.len()), "{} bytes", json.len());
    let sent: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(violations(&sent), []);
    let cut = sent["ProductFields"]["weir/cut"].as_str().unwrap();
    assert!(cut.starts_with("Title, GeneratorId, Description, Resources.Details"), "{cut}");
}

/// Any text: blank, long, of any characters, and such as logs have.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => any::<String>(),
        2 => "[ \t\n\u{a0}\u{feff}\u{0}\u{85}\u{200b}]{0,4}",
        1 => ("\\PC", 200usize..3000).prop_map(|(one, times)| one.repeat(times)),
        1 => "[\"\\\\\u{1}-\u{1f}]{100,2500}",
        2 => "arn:(aws|aws-cn|x)?:(iam|s3|sns|sqs|ec2|wafv2|lambda|sts)?:(us-east-1|nowhere)?:([0-9]{12})?:[a-z/:]{0,20}",
        1 => "(i|eni|snap|sg|ami|user/|role/|AKIA)[-0-9a-fA-F]{0,20}",
        1 => "https://sqs\\.(eu-west-1|x)?\\.amazonaws\\.com(\\.cn)?/([0-9]{12})?/.{0,5}",
        1 => "[0-9]{12}",
        1 => "[a-z]{2}-[a-z]{4}-[0-9]",
        1 => "[0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9a-f:]{2,20}|[a-z]{1,150}\\.amazonaws\\.com",
    ]
}

fn evidence() -> impl Strategy<Value = Vec<(String, String)>> {
    let known = prop::sample::select(vec![
        "eventname",
        "eventsource",
        "srcaddr",
        "dstaddr",
        "srcport",
        "dstport",
        "protocol",
        "flow_direction",
    ]);
    let name = prop_oneof![known.prop_map(str::to_owned), text()];
    let value = prop_oneof![
        text(),
        prop::sample::select(vec!["6", "17", "443", "70000", "ingress", "10.0.0.1", "::1", "8.8.8.8"])
            .prop_map(str::to_owned)
    ];
    prop::collection::vec((name, value), 0..70)
}

fn any_finding() -> impl Strategy<Value = Finding> {
    let tag = prop_oneof![
        text(),
        prop::sample::select(vec!["attack.impact", "attack.t1499", "attack.ta0010", "ATTACK.Discovery", "cis.1.1"])
            .prop_map(str::to_owned)
    ];
    let what = (text(), text(), text(), text(), text(), prop::option::of(text()), prop::option::of(text()));
    let lists = (
        prop::collection::vec(text(), 0..40),
        prop::collection::vec((any::<i64>(), text()), 0..10),
        prop::collection::vec(tag, 0..60),
        evidence(),
        prop::collection::vec((any::<f64>(), text()), 0..4),
    );
    let numbers = (0usize..5, any::<u8>(), any::<u64>(), any::<i64>(), any::<i64>(), any::<[u8; 16]>());
    (what, lists, numbers).prop_map(|(what, lists, numbers)| {
        let (rule, title, account, region, remedy, actor, source_ip) = what;
        let (resources, event_ids, tags, evidence, terms) = lists;
        let (severity, priority, count, first, last, id) = numbers;
        let names = ["severity", "precision", "rarity", "asset"];
        Finding {
            id: FindingId(id),
            rule,
            title,
            severity: Severity::ALL[severity],
            confidence: Confidence::Low,
            priority,
            account,
            region,
            actor,
            sessions: Vec::new(),
            assumed_by: Vec::new(),
            source_ip,
            resources: resources.into_iter().map(Resource).collect(),
            first_seen: Timestamp(first),
            last_seen: Timestamp(last),
            count,
            window: None,
            gravest: None,
            event_ids: event_ids.into_iter().map(|(time, id)| (Timestamp(time), id)).collect(),
            tags,
            remedy,
            evidence,
            terms: names.into_iter().zip(terms).map(|(name, (bits, why))| Term { name, bits, why }).collect(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_finding_is_one_that_security_hub_takes(
        finding in any_finding(),
        now in any::<i64>(),
        first_sent in any::<i64>(),
        archived in any::<bool>(),
    ) {
        let home = Hub::new("999988887777", "us-gov-west-1").unwrap();
        let hub = Hub::of(&finding).unwrap_or(home);
        let state = if archived { RecordState::Archived } else { RecordState::Active };
        let about = About { hub: &hub, first_sent: Timestamp(first_sent), now: Timestamp(now), state };
        let sent: Value = serde_json::from_str(&from_finding(&finding, &about).json()).unwrap();
        prop_assert_eq!(call_violations(&serde_json::json!({"Findings": [&sent]})), vec![]);
        prop_assert_eq!(not_ours(&sent), vec![]);
    }
}
