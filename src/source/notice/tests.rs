use std::fs;

use proptest::prelude::*;

use super::*;

const KEY: &str = "AWSLogs/111122223333/CloudTrail/us-east-1/2024/08/01/111122223333_CloudTrail_us-east-1_20240801T1130Z_Qdrj7uY2xUAeyCTg.json.gz";

fn sample(name: &str) -> String {
    fs::read_to_string(format!("{}/tests/data/notice/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn notice(name: &str) -> Notice {
    match read(&sample(name)) {
        Ok(Told::Notice(notice)) => notice,
        other => panic!("{name}: {other:?}"),
    }
}

fn created() -> ObjectRef {
    ObjectRef {
        bucket: "example-trail-logs".into(),
        key: KEY.into(),
        size: Some(18_342),
        version: None,
        etag: Some("d41d8cd98f00b204e9800998ecf8427e".into()),
        sequencer: Some("0066AB6F1C3A5E9F10".into()),
    }
}

#[test]
fn an_event_of_s3_comes_direct_and_through_sns() {
    let expected = Notice { kind: Kind::S3, objects: vec![created()], passed: Vec::new() };
    assert_eq!(notice("s3-created"), expected);
    assert_eq!(notice("sns-s3-created"), expected);
}

#[test]
fn the_key_of_an_s3_event_is_encoded() {
    let object = &notice("s3-created-encoded").objects[0];
    assert_eq!(object.key, "exports/year=2024/a b+c ü %25.json.gz");
    assert_eq!(object.version.as_deref(), Some("096fKKXTRTtl3on89fVO.nfljtsv6qko"));
    assert_eq!(object.size, Some(5_368_709_120));
}

#[test]
fn the_key_of_an_eventbridge_event_is_not() {
    let expected = Notice {
        kind: Kind::EventBridge,
        objects: vec![ObjectRef {
            bucket: "example-trail-logs".into(),
            key: "exports/year=2024/a+b %41.json.gz".into(),
            size: Some(5),
            version: Some("IYV3p45BT0ac8hjHg1houSdS1a.Mro8e".into()),
            etag: Some("b1946ac92492d2347c6235b4d2611184".into()),
            sequencer: Some("00617F08299329D189".into()),
        }],
        passed: Vec::new(),
    };
    assert_eq!(notice("eventbridge-created"), expected);
    assert_eq!(notice("sns-eventbridge-created"), expected);
}

#[test]
fn cloudtrail_names_several_keys_as_they_are() {
    let object = |minute: &str| ObjectRef {
        bucket: "example-trail-logs".into(),
        key: format!("p+q/{}", KEY.replace("1130Z", minute)),
        size: None,
        version: None,
        etag: None,
        sequencer: None,
    };
    let expected =
        Notice { kind: Kind::CloudTrail, objects: vec![object("1130Z"), object("1135Z")], passed: Vec::new() };
    assert_eq!(notice("cloudtrail"), expected);
    assert_eq!(notice("sns-cloudtrail"), expected);
    let one = read(r#"{"s3Bucket":"b.c","s3ObjectKey":"k"}"#).unwrap();
    assert!(matches!(one, Told::Notice(Notice { objects, .. }) if objects[0].key == "k"));
}

#[test]
fn tests_of_the_way_here_are_known() {
    for name in ["s3-test", "sns-s3-test", "sns-cloudtrail-validation"] {
        assert_eq!(read(&sample(name)), Ok(Told::TestEvent), "{name}");
    }
    assert_eq!(read("CloudTrail validation message."), Ok(Told::TestEvent));
}

#[test]
fn news_about_nothing_to_read_is_not_for_us() {
    let check = |body: &str, why: &str| assert_eq!(read(body), Ok(Told::NotForUs { why: why.to_owned() }), "{body}");
    let only = "only objects that are created are read";
    check(&sample("s3-removed"), &format!("ObjectRemoved:Delete: {only}"));
    check(&sample("eventbridge-deleted"), &format!("Object Deleted: {only}"));
    check(r#"{"Records":[]}"#, "nothing is named in it");
    check(r#"{"s3Bucket":"b.c","s3ObjectKey":[]}"#, "nothing is named in it");
    check(r#"{"Type":"UnsubscribeConfirmation","TopicArn":"t"}"#, "SNS says that this queue has no longer its notices");
}

#[test]
fn digests_and_removals_beside_a_log_are_passed_over_and_counted() {
    let notice = notice("s3-mixed");
    assert_eq!(notice.objects, [created()]);
    let passed: Vec<_> = notice.passed.iter().map(|passed| (passed.key.as_str(), passed.why.as_str())).collect();
    let digest = KEY.replace("/CloudTrail/", "/CloudTrail-Digest/").replace("_CloudTrail_", "_CloudTrail-Digest_");
    assert_eq!(
        passed,
        [
            (digest.as_str(), "digests of CloudTrail's files, not logs"),
            ("old one.json.gz", "ObjectRemoved:Delete: only objects that are created are read"),
        ]
    );
}

#[test]
fn a_notice_of_digests_alone_has_nothing_to_read() {
    let body = r#"{"s3Bucket":"b.c","s3ObjectKey":["AWSLogs/1/CloudTrail-Digest/x.json.gz"]}"#;
    assert!(
        matches!(read(body), Ok(Told::Notice(Notice { objects, passed, .. })) if objects.is_empty() && passed.len() == 1)
    );
}

#[test]
fn what_is_no_escape_stays_as_it_is() {
    let check = |encoded: &str, key: &str| assert_eq!(decoded(encoded).as_deref(), Ok(key), "{encoded}");
    check("100%25", "100%");
    check("100%", "100%");
    check("%zz%4", "%zz%4");
    check("%2525", "%25");
    check("a%2Fb%2fc", "a/b/c");
    assert_eq!(decoded("%ff"), poison("an S3 event with a key that is not UTF-8"));
}

/// An S3 event with the parts given.
fn event(name: &str, bucket: &str, key: &str) -> String {
    format!(r#"{{"Records":[{{"eventName":{name},"s3":{{"bucket":{{"name":{bucket}}},"object":{{"key":{key}}}}}}}]}}"#)
}

#[test]
fn damage_is_said_to_be_what_it_is() {
    let check = |body: &str, why: &str| match read(body) {
        Err(Poison(found)) => assert!(found.starts_with(why), "{body}: {found}"),
        other => panic!("{body}: {other:?}"),
    };
    check("", "not JSON: EOF");
    check("hello", "not JSON: ");
    check("[]", "not a JSON object");
    let pointer = r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"k"}]"#;
    check(pointer, "a pointer of the SQS extended client");
    check(r#"{"a":1,"b":2}"#, "a notice of no known shape, with the keys [a, b]");
    let timeless =
        r#"{"Records":[{"eventVersion":"1.08","eventSource":"s3.amazonaws.com","eventName":"DeleteBucket"}]}"#;
    check(timeless, "a record of s3.amazonaws.com, which is no notice of S3");
    check(r#"{"Records":[{"eventSource":"aws:ses"}]}"#, "a record of aws:ses, which is no notice of S3");
    check(r#"{"Records":[7]}"#, "a record of something without a name, which is no notice of S3");
    check(r#"{"Records":{}}"#, "a notice of no known shape, with the keys [Records]");
    check(&"[".repeat(100_000), "not JSON: recursion limit");
    check(r#"{"Type":"Notification","TopicArn":"t"}"#, "an SNS envelope without a Message");
    check(r#"{"Type":"Notification","TopicArn":"t","Message":{}}"#, "an SNS envelope without a Message");
    check(r#"{"Type":"Notification","TopicArn":"t","Message":"hello"}"#, "in an SNS envelope: not JSON");
    check(r#"{"Type":"Other","TopicArn":"t"}"#, "an SNS envelope of no known type");
    check(&sample("sns-confirm"), "SNS asks to confirm");
    let put = r#""ObjectCreated:Put""#;
    assert!(read(&event(put, r#""b.c""#, r#""k""#)).is_ok());
    check(&event("7", r#""b.c""#, r#""k""#), "an S3 event without eventName");
    check(&event(put, "null", r#""k""#), "a notice without a bucket");
    check(&event(put, r#""b@evil.example""#, r#""k""#), "a notice about a bucket whose name is none");
    check(&event(put, r#""../b""#, r#""k""#), "a notice about a bucket whose name is none");
    check(&event(put, r#""b.c""#, "{}"), "an S3 event without s3.object.key");
    check(&event(put, r#""b.c""#, r#""""#), "a notice about a key of 0 bytes");
    check(&event(put, r#""b.c""#, &format!("\"{}\"", "k".repeat(1025))), "a notice about a key of 1025 bytes");
    check(&event(put, r#""b.c""#, r#""%c3""#), "an S3 event with a key that is not UTF-8");
    check(r#"{"s3Bucket":"b.c","s3ObjectKey":[7]}"#, "a CloudTrail notice with a key that is no text");
    check(r#"{"detail-type":"Object Created","detail":7}"#, "an EventBridge event without detail.object.key");
    check(r#"{"detail-type":7,"detail":{}}"#, "an EventBridge event whose detail-type is no text");
}

#[test]
fn what_is_itself_an_event_is_told_as_that() {
    let call = r#"{"eventVersion":"1.08","eventTime":"2024-08-01T12:00:00Z","eventSource":"s3.amazonaws.com","eventName":"DeleteBucket"}"#;
    // CloudTrail's calls of S3 have the source that its notices have
    let bridge = format!(r#"{{"detail-type":"AWS API Call via CloudTrail","source":"aws.s3","detail":{call}}}"#);
    let finding = r#"{"detail-type":"GuardDuty Finding","source":"aws.guardduty","detail":{"severity":5}}"#;
    let other = r#"{"detail-type":"Object Moved","source":"my.app","detail":{}}"#;
    let alone = r#"{"schemaVersion":"2.0","accountId":"1","service":{},"severity":5}"#;
    let list = format!(r#"{{"Records":[{call},{call}]}}"#);
    // half a character, and more levels than a `Value` may have
    let odd = call.replace(
        '}',
        &format!(r#","userAgent":"\ud800","requestParameters":{}{}}}"#, "[".repeat(200), "]".repeat(200)),
    );
    for body in [call, &bridge, finding, other, alone, &list, &odd] {
        assert_eq!(read(body), Ok(Told::Event(body.to_owned())), "{body}");
        let sns = serde_json::json!({"Type": "Notification", "TopicArn": "t", "Message": body}).to_string();
        assert_eq!(read(&sns), Ok(Told::Event(body.to_owned())), "{sns}");
    }
    let mixed = format!(r#"{{"Records":[{call},{{"eventSource":"aws:ses"}}]}}"#);
    assert!(read(&mixed).is_err());
}

#[test]
fn one_damaged_record_spoils_a_notice() {
    let whole = sample("s3-mixed");
    assert!(read(&whole.replace(r#""key":"old%20one.json.gz""#, r#""kay":"old%20one.json.gz""#)).is_err());
}

#[test]
fn envelopes_in_one_another_have_an_end() {
    let wrap =
        |message: &str| serde_json::json!({"Type": "Notification", "TopicArn": "t", "Message": message}).to_string();
    let (one, two) = (wrap(&sample("s3-created")), wrap(&wrap(&sample("s3-created"))));
    assert!(matches!(read(&one), Ok(Told::Notice(_))) && matches!(read(&two), Ok(Told::Notice(_))));
    assert_eq!(read(&wrap(&two)), poison("in an SNS envelope: in an SNS envelope: SNS envelopes in one another"));
}

/// JSON with the words of notices in it.
fn json() -> impl Strategy<Value = Value> {
    let words = &[
        "Records",
        "s3",
        "bucket",
        "name",
        "object",
        "key",
        "eventName",
        "ObjectCreated:Put",
        "Type",
        "Notification",
        "TopicArn",
        "Message",
        "detail",
        "detail-type",
        "Object Created",
        "s3Bucket",
        "s3ObjectKey",
        "a%2Bb",
        "b.c",
    ][..];
    let word = prop::sample::select(words).prop_map(str::to_owned);
    let leaf = prop_oneof![
        word.clone().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(Value::Null),
        ".{0,8}".prop_map(Value::from)
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_makes_it_panic(body in ".{0,200}") {
        let _ = read(&body);
    }

    #[test]
    fn no_json_makes_it_panic_and_what_is_told_is_sound(value in json()) {
        for body in [value.to_string(), serde_json::json!({"Records": [value]}).to_string()] {
            if let Ok(Told::Notice(notice)) = read(&body) {
                prop_assert!(notice.objects.iter().all(|one| is_bucket_name(&one.bucket) && (1..=1024).contains(&one.key.len())));
                prop_assert!(!notice.objects.is_empty() || !notice.passed.is_empty());
            }
        }
    }

    #[test]
    fn any_damage_to_a_sample_is_read_or_refused(place: prop::sample::Index, by in 1u8..128) {
        let mut bytes = sample("sns-s3-created").into_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= by;
        if let Ok(body) = String::from_utf8(bytes) {
            let _ = read(&body);
        }
    }

    #[test]
    fn an_encoded_key_comes_out_as_it_was(key in "[ -~äö☃]{1,60}") {
        // as S3 does it: all but unreserved characters and the slash
        let encoded: String = key
            .bytes()
            .map(|byte| match byte {
                b' ' => "+".to_owned(),
                b'/' | b'-' | b'_' | b'.' | b'*' => char::from(byte).to_string(),
                byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            })
            .collect();
        prop_assert_eq!(decoded(&encoded), Ok(key));
    }
}
