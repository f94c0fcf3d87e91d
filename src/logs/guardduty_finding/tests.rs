//! Findings in every shape they come in → rows. Expected values are read off the samples by hand.

use std::io::Write;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::decode::{self, Counts, Input, Options};
use crate::logs;
use crate::table::{Batch, Reject};

struct Outcome {
    batches: Vec<Batch>,
    rejects: Vec<Reject>,
    counts: Counts,
}

fn read(text: impl AsRef<[u8]>) -> Outcome {
    let options = Options::default();
    let mut read = Outcome { batches: Vec::new(), rejects: Vec::new(), counts: Counts::default() };
    let bytes = Bytes::copy_from_slice(text.as_ref());
    let mut reader = decode::open(Input::Bytes(bytes), Default::default(), &options);
    while let Some(records) = reader.next(&mut read.rejects, &mut read.counts).unwrap() {
        read.batches.extend(logs::batches(vec![records], &options, &mut read.rejects, &mut read.counts));
    }
    for (table, tally) in &read.counts.0 {
        assert_eq!(tally.records, tally.rows + tally.rejects + tally.set_aside, "{table}");
    }
    for batch in &read.batches {
        assert_eq!(batch.rows.schema(), batch.table.schema());
        batch.rows.columns().iter().for_each(|column| column.to_data().validate_full().unwrap());
    }
    read
}

fn texts(rows: &RecordBatch, path: &str) -> Vec<Option<String>> {
    let mut names = path.split('.');
    let mut array = rows.column_by_name(names.next().unwrap()).unwrap().clone();
    for name in names {
        array = array.as_struct().column_by_name(name).unwrap().clone();
    }
    let texts = cast(&array, &DataType::Utf8).unwrap();
    texts.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

/// The values of a column of the findings that were read, and of nothing else.
fn column(read: &Outcome, path: &str) -> Vec<Option<String>> {
    assert!(read.rejects.is_empty(), "{:?}", read.rejects);
    assert!(read.batches.iter().all(|batch| batch.table.name == "guardduty_finding"), "{:?}", read.counts);
    read.batches.iter().flat_map(|batch| texts(&batch.rows, path)).collect()
}

fn check(read: &Outcome, expected: &[(&str, &str)]) {
    for (path, expected) in expected {
        assert_eq!(column(read, path), [Some((*expected).to_owned())], "{path}");
    }
}

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/guardduty_finding/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn an_event_of_eventbridge_is_a_finding() {
    let read = read(sample("iam-duty-event.json"));
    let call = "service.action.awsapicallaction";
    check(
        &read,
        &[
            // the finding's own account, not that of the envelope
            ("account", "883606788610"),
            ("region", "us-east-1"),
            ("id", "36b01b60fc22bb4edb19d62d9899e953"),
            ("type", "UnauthorizedAccess:IAMUser/TorIPCaller"),
            ("severity", "5.0"),
            ("partition", "aws"),
            ("createdat", "2017-12-08T15:32:49.862Z"),
            ("updatedat", "2017-12-08T15:32:49.862Z"),
            ("title", "API GeneratedFindingAPIName was invoked from a Tor exit node."),
            ("resource.resourcetype", "AccessKey"),
            ("resource.accesskeydetails.username", "GeneratedFindingUserName"),
            ("resource.accesskeydetails.usertype", "IAMUser"),
            ("resource.accesskeydetails.principalid", "GeneratedFindingPrincipalId"),
            ("resource.accesskeydetails.accesskeyid", "GeneratedFindingAccessKeyId"),
            ("service.servicename", "guardduty"),
            ("service.count", "1"),
            ("service.archived", "false"),
            ("service.resourcerole", "TARGET"),
            ("service.eventfirstseen", "2017-12-08T15:32:49Z"),
            ("service.action.actiontype", "AWS_API_CALL"),
            (&format!("{call}.api"), "GeneratedFindingAPIName"),
            (&format!("{call}.callertype"), "Remote IP"),
            (&format!("{call}.remoteipdetails.ipaddressv4"), "198.51.100.0"),
            (&format!("{call}.remoteipdetails.organization.asn"), "-1"),
            (&format!("{call}.remoteipdetails.country.countryname"), "United States"),
            ("sample", "true"),
        ],
    );
    let affected = column(&read, &format!("{call}.affectedresources")).remove(0).unwrap();
    let expected = json!({"AWS::EC2::Instance": "i-99999999", "AWS::CloudTrail::Trail": "GeneratedFindingTrailName"});
    assert_eq!(serde_json::from_str::<Value>(&affected).unwrap(), expected);
    assert_eq!(column(&read, "unmapped"), [None]);
}

#[test]
fn a_dns_request_is_a_finding() {
    let read = read(sample("ec2-duty-event.json"));
    check(
        &read,
        &[
            ("type", "Backdoor:EC2/C&CActivity.B!DNS"),
            ("resource.resourcetype", "Instance"),
            ("resource.instancedetails.instanceid", "i-99999999"),
            ("service.action.actiontype", "DNS_REQUEST"),
            ("service.action.dnsrequestaction.domain", "example.com"),
            ("service.action.dnsrequestaction.blocked", "false"),
            ("service.detectorid", "c0b018e3eb2130078632d999e41d4f02"),
        ],
    );
    assert_eq!(column(&read, "unmapped"), [None]);
}

#[test]
fn the_answer_of_the_api_fills_the_same_columns() {
    let read = read(sample("get-findings.json"));
    let remote = "service.action.awsapicallaction.remoteipdetails";
    check(
        &read,
        &[
            ("account", "111122223333"),
            ("region", "us-east-1"),
            ("accountid", "111122223333"),
            ("id", "1ab92989eaf0e742df4a014d5example"),
            ("type", "Recon:IAMUser/UserPermissions"),
            ("severity", "5.0"),
            ("schemaversion", "2.0"),
            ("createdat", "2020-05-26T22:21:48.385Z"),
            ("updatedat", "2020-05-26T22:55:21.703Z"),
            ("title", "Unusual user permission reconnaissance activity by testuser."),
            ("resource.accesskeydetails.username", "testuser"),
            ("resource.accesskeydetails.accesskeyid", "ASIASZ4SI7REEEXAMPLE"),
            ("service.count", "5"),
            ("service.eventlastseen", "2020-05-26T22:33:55Z"),
            ("service.action.awsapicallaction.servicename", "iam.amazonaws.com"),
            (&format!("{remote}.ipaddressv4"), "52.94.36.7"),
            (&format!("{remote}.city.cityname"), "London"),
            (&format!("{remote}.organization.asnorg"), "AMAZON-02"),
            ("sample", "false"),
        ],
    );
    assert_eq!(column(&read, "unmapped"), [None]);
}

/// A finding as events and exports write it, with this id.
fn finding(id: &str) -> Value {
    json!({
        "schemaVersion": "2.0", "accountId": "111122223333", "region": "eu-west-1", "partition": "aws", "id": id,
        "type": "Discovery:S3/TorIPCaller", "severity": 5,
        "resource": {"resourceType": "S3Bucket", "s3BucketDetails": [
            {"arn": "arn:aws:s3:::one", "name": "one", "publicAccess": {"effectivePermission": "PUBLIC"}},
            {"arn": "arn:aws:s3:::two", "name": "two"},
        ]},
        "service": {"serviceName": "guardduty", "archived": false, "count": 2, "eventLastSeen": "2024-08-01T12:00:00Z"},
        "createdAt": "2024-08-01T12:01:00.5Z", "updatedAt": "2024-08-01T12:02:00.25Z", "title": "Tor",
    })
}

/// The same with every key as the API writes it.
fn capitals(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let capital = |name: &String| name[..1].to_uppercase() + &name[1..];
            members.iter().map(|(name, value)| (capital(name), capitals(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(capitals).collect(),
        other => other.clone(),
    }
}

#[test]
fn every_shape_around_findings_is_taken_off() {
    let (a, b) = (finding("id-000001"), finding("id-000002"));
    let [upper_a, upper_b] = [&a, &b].map(capitals);
    let event = |finding: &Value| {
        json!({"version": "0", "id": "e", "detail-type": "GuardDuty Finding", "source": "aws.guardduty",
            "account": "444455556666", "time": "2024-08-01T12:03:00Z", "region": "eu-west-1", "resources": [], "detail": finding})
    };
    let logged = |message: String| json!({"id": "1", "timestamp": 1722513780000_u64, "message": message});
    let mut exported = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    exported.write_all(format!("{a}\n{b}\n").as_bytes()).unwrap();
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    let shapes: Vec<Vec<u8>> = vec![
        exported.finish().unwrap(),
        format!("{a}\n{b}\n").into_bytes(),
        format!("[{a},{b}]").into_bytes(),
        format!("{}\n{}", pretty(&a), pretty(&b)).into_bytes(),
        format!(r#"{{"Findings":[{upper_a},{upper_b}]}}"#).into_bytes(),
        pretty(&json!({"Findings": [upper_a, upper_b]})).into_bytes(),
        format!(r#"{{"findings":[{a},{b}],"nextToken":""}}"#).into_bytes(),
        format!("{upper_a}{b}").into_bytes(),
        format!("{}\n{}", event(&a), event(&b)).into_bytes(),
        format!("{}{b}", pretty(&event(&a))).into_bytes(),
        json!({"messageType": "DATA_MESSAGE", "owner": "444455556666", "logGroup": "/aws/events/guardduty", "logStream": "s",
            "logEvents": [logged(event(&a).to_string()), logged(b.to_string())]})
        .to_string()
        .into_bytes(),
        format!("{}\n{}", json!({"Type": "Notification", "Message": event(&a).to_string()}), json!({"body": b.to_string()}))
            .into_bytes(),
    ];
    for shape in shapes {
        let read = read(&shape);
        let shown = String::from_utf8_lossy(&shape);
        // of texts inside texts the last is read first
        let mut ids = column(&read, "id");
        ids.sort();
        assert_eq!(ids, ["id-000001", "id-000002"].map(|id| Some(id.to_owned())), "{shown}");
        for (path, expected) in [
            ("account", "111122223333"),
            ("region", "eu-west-1"),
            ("updatedat", "2024-08-01T12:02:00.250Z"),
            ("resource.resourcetype", "S3Bucket"),
            ("service.count", "2"),
            ("sample", "false"),
        ] {
            assert_eq!(column(&read, path), [expected; 2].map(|text| Some(text.to_owned())), "{path} {shown}");
        }
        assert_eq!(column(&read, "unmapped"), [None, None], "{shown}");
        let buckets = read.batches[0].rows.column_by_name("resource").unwrap().as_struct();
        let buckets = buckets.column_by_name("s3bucketdetails").unwrap().as_list::<i32>().value(0);
        let arns = cast(buckets.as_struct().column_by_name("arn").unwrap(), &DataType::Utf8).unwrap();
        assert_eq!(
            arns.as_string::<i32>().iter().collect::<Vec<_>>(),
            [Some("arn:aws:s3:::one"), Some("arn:aws:s3:::two")]
        );
    }
}

#[test]
fn an_answer_without_findings_has_no_records() {
    let read = read(r#"{"Findings":[]}"#);
    assert!(read.batches.is_empty() && read.rejects.is_empty(), "{:?}", read.rejects);
}

#[test]
fn values_of_another_type_are_kept() {
    let mut odd = finding("id-000001");
    odd["severity"] = json!("8.5");
    odd["confidence"] = json!("much");
    odd["resource"] = json!("none");
    odd["service"]["count"] = json!({"n": 1});
    odd["service"]["archived"] = json!("true");
    odd["service"]["action"] = json!([1]);
    odd["service"]["new"] = json!({"k": 1});
    odd["updatedAt"] = json!("yesterday");
    odd["title"] = json!(7);
    let read = read(odd.to_string());
    check(&read, &[("severity", "8.5"), ("service.archived", "true"), ("title", "7")]);
    // the next best time
    check(&read, &[("updatedat", "2024-08-01T12:00:00Z")]);
    for path in ["confidence", "resource.resourcetype", "service.count", "service.action.actiontype"] {
        assert_eq!(column(&read, path), [None], "{path}");
    }
    let unmapped: Value = serde_json::from_str(column(&read, "unmapped")[0].as_ref().unwrap()).unwrap();
    let expected = json!({"confidence": "much", "resource": "none", "service.count": {"n": 1}, "service.action": [1],
        "service.new": {"k": 1}, "updatedAt": "yesterday"});
    assert_eq!(unmapped, expected);
}

#[test]
fn a_finding_has_the_best_time_that_is_known() {
    let time = |without: &[&str]| {
        let mut finding = finding("id-000001");
        for name in without {
            finding.as_object_mut().unwrap().remove(*name);
            finding["service"].as_object_mut().unwrap().remove(*name);
        }
        column(&read(finding.to_string()), "updatedat").remove(0)
    };
    assert_eq!(time(&[]).as_deref(), Some("2024-08-01T12:02:00.250Z"));
    assert_eq!(time(&["updatedAt"]).as_deref(), Some("2024-08-01T12:00:00Z"));
    assert_eq!(time(&["updatedAt", "eventLastSeen"]).as_deref(), Some("2024-08-01T12:01:00.500Z"));
    assert_eq!(time(&["updatedAt", "eventLastSeen", "createdAt"]), None);
}

#[test]
fn samples_are_known_by_title_and_by_facts() {
    let is_sample = |title: &str, info: Value| {
        let mut finding = finding("id-000001");
        finding["title"] = json!(title);
        finding["service"]["additionalInfo"] = info;
        column(&read(finding.to_string()), "sample") == [Some("true".to_owned())]
    };
    assert!(is_sample("[SAMPLE] Tor", Value::Null));
    assert!(is_sample("Tor", json!({"sample": true})));
    assert!(is_sample("Tor", json!({"value": "{\"sample\":true}", "type": "default"})));
    assert!(is_sample("Tor", json!({"Value": "{\"a\": 1, \"sample\" : true}", "Type": "default"})));
    assert!(!is_sample("Tor", json!({"sample": false})));
    assert!(!is_sample("Tor", json!({"value": "{\"sample\":false,\"other\":true}"})));
    assert!(!is_sample("A [SAMPLE]", json!({"samples": [true], "note": "sample: true"})));
    assert!(!is_sample("Tor", Value::Null));
}

#[test]
fn findings_of_other_services_are_none() {
    let others = [
        // Macie, without `resource` and `service`
        json!({"schemaVersion": "1.0", "id": "m", "accountId": "111122223333", "partition": "aws", "region": "us-east-1",
            "type": "Policy:IAMUser/S3BucketPublic", "severity": {"score": 3, "description": "High"}, "title": "t",
            "createdAt": "2024-08-01T12:00:00Z", "updatedAt": "2024-08-01T12:00:00Z", "resourcesAffected": {}}),
        // Security Hub
        json!({"SchemaVersion": "2018-10-08", "Id": "h", "ProductArn": "p", "AwsAccountId": "111122223333", "Types": ["t"],
            "Severity": {"Label": "HIGH"}, "Resources": [{"Type": "Other", "Id": "x"}], "UpdatedAt": "2024-08-01T12:00:00Z"}),
        // IAM Access Analyzer
        json!({"version": "1.0", "id": "a", "resourceType": "AWS::S3::Bucket", "resource": "arn:aws:s3:::b",
            "accountId": "111122223333", "status": "ACTIVE", "updatedAt": "2024-08-01T12:00:00Z"}),
    ];
    for other in others {
        let read = read(json!({"source": "aws.other", "detail-type": "Finding", "detail": other}).to_string());
        assert_eq!((read.batches.len(), read.rejects.len()), (0, 1), "{other}");
    }
    let call = json!({"detail-type": "AWS API Call via CloudTrail", "source": "aws.guardduty", "detail": {
        "eventVersion": "1.09", "eventName": "ArchiveFindings", "eventSource": "guardduty.amazonaws.com",
        "requestParameters": {"findingIds": ["x"]}, "resources": [], "eventTime": "2024-08-01T12:00:00Z"}});
    let read = read(format!("{call}\n{}\n{call}", finding("id-000001")));
    assert_eq!((read.counts.of_table("cloudtrail"), read.counts.of_table("guardduty_finding")), ((2, 2, 0), (1, 1, 0)));
}

#[test]
fn damage_costs_the_damaged_finding_only() {
    let [a, b, c] = ["id-000001", "id-000002", "id-000003"].map(|id| finding(id).to_string());
    let broken = b.replacen(r#""severity":5"#, r#""severity":five"#, 1);
    let kept = |text: String| {
        let read = read(text);
        let ids: Vec<_> = read.batches.iter().flat_map(|batch| texts(&batch.rows, "id")).flatten().collect();
        (ids, read.rejects.len())
    };
    let two = ["id-000001", "id-000003"].map(str::to_owned).to_vec();
    assert_eq!(kept(format!("{a}\n{broken}\n{c}\n")), (two.clone(), 1));
    assert_eq!(kept(format!("{a}\n{}\n{c}\n", &b[..b.len() - 1])), (two.clone(), 1));
    assert_eq!(kept(format!("[{a},{broken},{c}]")), (two, 1));
    // one document is one object here: the findings behind the damage are found again
    assert_eq!(kept(format!(r#"{{"Findings":[{broken},{c}]}}"#)).0, ["id-000003"]);
}

/// Any JSON value, not too deep.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z]{1,6}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Members whose value the property test replaces, and their columns.
const REPLACED: &[(&str, &str)] = &[
    ("title", "title"),
    ("service/additionalInfo", "service.additionalinfo"),
    ("service/action/actionType", "service.action.actiontype"),
    ("resource/accessKeyDetails/userName", "resource.accesskeydetails.username"),
    ("service/count", "service.count"),
    ("severity", "severity"),
    ("service/archived", "service.archived"),
    ("resource/s3BucketDetails", "resource.s3bucketdetails"),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_value_costs_a_finding_and_none_is_lost(values in prop::collection::vec(value(), REPLACED.len()), upper: bool) {
        let mut finding = finding("id-000001");
        finding["service"]["action"] = json!({});
        finding["resource"]["accessKeyDetails"] = json!({});
        for ((path, _), value) in REPLACED.iter().zip(&values) {
            let (above, name) = path.rsplit_once('/').map_or(("", *path), |(above, name)| (above, name));
            let above = if above.is_empty() { String::new() } else { format!("/{above}") };
            finding.pointer_mut(&above).unwrap()[name] = value.clone();
        }
        let written = if upper { capitals(&finding) } else { finding };
        let read = read(written.to_string());
        prop_assert_eq!(column(&read, "id"), vec![Some("id-000001".to_owned())]);
        let unmapped = column(&read, "unmapped").remove(0).unwrap_or_default().to_lowercase();
        for ((path, name), value) in REPLACED.iter().zip(&values).filter(|(_, value)| !value.is_null()) {
            if *name == "resource.s3bucketdetails" {
                prop_assert!(value.is_array() || unmapped.contains(&name.to_lowercase()), "{} {}", name, unmapped);
                continue;
            }
            let text = column(&read, name).remove(0);
            let written = if upper { capitals(value) } else { value.clone() };
            let said = |text: &str| serde_json::from_str::<Value>(text).ok();
            let fits = match (*name, &text, &written) {
                // an empty text and a dash are no number
                (_, None, Value::String(value)) if value.is_empty() || value == "-" => true,
                (_, None, _) => unmapped.contains(&path.replace('/', ".").to_lowercase()),
                ("severity" | "service.count", Some(text), value) => {
                    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
                    text.parse().ok() == number
                }
                ("service.archived", Some(text), value) => {
                    let said = value.to_string().to_lowercase();
                    let flag = match said.trim_matches('"') {
                        "1" => "true",
                        "0" => "false",
                        flag => flag,
                    };
                    flag == text
                }
                ("service.additionalinfo", Some(text), Value::String(value)) => {
                    said(text) == Some(written.clone()) || said(text) == said(value)
                }
                (_, Some(text), Value::String(value)) => text == value,
                (_, Some(text), value) => said(text).as_ref() == Some(value),
            };
            prop_assert!(fits, "{}: {:?} of {}, unmapped {}", name, text, value, unmapped);
        }
    }

    #[test]
    fn any_bytes_around_findings_are_counted(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[{}\\[\\]\",:a-z0-9 ]{0,80}") {
        let finding = finding("id-000001").to_string();
        read([b"{\"Findings\":[", finding.as_bytes(), b",", &bytes[..]].concat());
        read(format!("{finding}\n{text}\n{finding}"));
    }
}
