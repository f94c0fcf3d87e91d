//! A record whose objects came before has the values that it has alone.

use arrow::compute::concat_batches;
use arrow::util::pretty::pretty_format_batches;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Identities that share what is looked at first, and differ in one thing that a column, a value's form or `unmapped` shows.
const IDENTITIES: &[&str] = &[
    r#"{"type":"AssumedRole","principalId":"AROAEXAMPLE:someone","arn":"arn:aws:sts::111122223333:assumed-role/r/someone","accountId":"111122223333","accessKeyId":"ASIA1"}"#,
    r#"{"type":"AssumedRole","principalId":"AROAEXAMPLE:someone","arn":"arn:aws:sts::111122223333:assumed-role/r/someone","accountId":"111122223333","accessKeyId":"ASIA2"}"#,
    r#"{"type":"AssumedRole","principalId":"AROAEXAMPLE:someone","arn":"arn:aws:sts::111122223333:assumed-role/r/someone","accountId":"111122223333","sessionContext":{"attributes":{"creationDate":"2024-08-01T11:30:23Z","mfaAuthenticated":"true"},"sessionIssuer":{"userName":"r"}}}"#,
    r#"{"type":"AssumedRole","principalId":"AROAEXAMPLE:someone","arn":"arn:aws:sts::111122223333:assumed-role/r/someone","accountId":"111122223333","sessionContext":{"attributes":{"creationDate":"2024-08-01T11:30:23Z","mfaAuthenticated":"false"},"webIdFederationData":{"federatedProvider":"arn:aws:iam::111122223333:oidc-provider/x","attributes":{"a":"b"}}}}"#,
    r#"{"type":"AssumedRole","principalId":"AROAEXAMPLE:someone","arn":"arn:aws:sts::111122223333:assumed-role/r/some\u006fne","accountId":"111122223333"}"#,
    r#"{"type":"AssumedRole","principalId":"AROAEXAMPLE:someone","arn":"arn:aws:sts::111122223333:assumed-role/r/someone","accountId":"111122223333","new":{"a":1}}"#,
    r#"{"type":"AssumedRole","principalId":"AROAEXAMPLE:someone","arn":"arn:aws:sts::111122223333:assumed-role/r/someone","accountId":["111122223333"]}"#,
    r#"{ "type": "AssumedRole" , "principalId": "AROAEXAMPLE:someone", "accountId": 111122223333 }"#,
    r#"{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}"#,
    r#"{"type":"AWSService","invokedBy":"ec2.amazonaws.com","invokedby":"x"}"#,
    r#"{"type":"AWSService"}"#,
    "{}",
    "null",
    "\"someone\"",
];

const TLS: &[&str] = &[
    r#"{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"kms.us-east-1.amazonaws.com"}"#,
    r#"{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"sts.us-east-1.amazonaws.com"}"#,
    r#"{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256"}"#,
];

fn record() -> impl Strategy<Value = String> {
    let key = prop_oneof![9 => Just("userIdentity"), 1 => Just("USERIDENTITY")];
    let second = prop_oneof![9 => Just(None), 1 => select(IDENTITIES).prop_map(Some)];
    (key, select(IDENTITIES), second, select(TLS), "[a-z\"é]{0,3}").prop_map(|(key, identity, second, tls, id)| {
        let id = serde_json::to_string(&id).unwrap();
        let second = second.map(|second| format!(r#""userIdentity":{second},"#)).unwrap_or_default();
        format!(
            r#"{{"{key}":{identity},{second}"eventTime":"2024-08-01T11:30:23Z","eventSource":"kms.amazonaws.com","eventName":"Decrypt","eventID":{id},"tlsDetails":{tls}}}"#
        )
    })
}

/// The rows, whatever batches they are in, and why records were rejected.
fn shown(reads: &[Outcome]) -> (String, Vec<&str>) {
    let batches: Vec<&RecordBatch> = reads.iter().flat_map(|read| &read.batches).map(|batch| &batch.rows).collect();
    let schema = logs::cloudtrail::CLOUDTRAIL.schema();
    let rows = concat_batches(&schema, batches).unwrap();
    (pretty_format_batches(&[rows]).unwrap().to_string(), reads.iter().flat_map(reasons).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_record_has_the_same_values_wherever_it_stands(records in prop::collection::vec(record(), 1..40), open: bool) {
        // what is cut off in the middle is forgotten, and what was read of it
        let cut = if open { r#"{"eventName":"Decrypt","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:someone"}"# } else { "" };
        let together = read_text(format!("{{\"Records\":[{}{}{cut}", records.join(","), if open { "," } else { "]}" }));
        let mut alone: Vec<Outcome> = records.iter().map(read_text).collect();
        if open {
            alone.push(read_text(cut));
        }
        let together = [together];
        prop_assert_eq!(shown(&together), shown(&alone));
    }
}

/// Objects past the number that is remembered, and past what a place in the table has room for, are read as all are.
#[test]
fn objects_that_are_not_remembered_are_read() {
    let identity = |n: usize| {
        format!(
            r#"{{"type":"IAMUser","principalId":"AIDA{:08}","accountId":"111122223333","userName":"user-{n}"}}"#,
            n % 7
        )
    };
    let event = |n: usize| {
        format!(
            r#"{{"userIdentity":{},"eventTime":"2024-08-01T11:30:23Z","eventSource":"kms.amazonaws.com","eventName":"Decrypt","eventID":"id-{n}"}}"#,
            identity(n % 900)
        )
    };
    let read = read_text((0..2700).map(event).collect::<Vec<_>>().join("\n"));
    let expected: Vec<Option<String>> = (0..2700).map(|n| Some(format!("user-{}", n % 900))).collect();
    assert_eq!(column(&read, "cloudtrail", "useridentity.username"), expected);
}

/// Of a text whose only record is cut off nothing is kept, and what was read of it can be no other record's value.
#[test]
fn what_a_record_that_was_cut_off_had_is_found_in_the_one_that_has_it() {
    let identity = r#"{"type":"AssumedRole","principalId":"AROAEXAMPLE:someone","arn":"arn:aws:sts::111122223333:assumed-role/r/someone","sessionContext":{"attributes":{"creationDate":"2024-08-01T11:30:23Z"}}}"#;
    let texts = [
        event(1),
        format!(r#"{{"userIdentity":{identity},"eventTime":"2024-08-01T11:30:23Z","eventName":"Dec"#),
        format!(
            r#"{{"eventTime":"2024-08-01T11:30:23Z","eventSource":"kms.amazonaws.com","eventName":"Decrypt","eventID":"id-2","userIdentity":{identity}}}"#
        ),
    ];
    let options = Options::default();
    let mut read = Outcome { batches: Vec::new(), rejects: Vec::new(), counts: Counts::default() };
    let mut records = Vec::new();
    for text in &texts {
        let input = Input::Bytes(Bytes::copy_from_slice(text.as_bytes()));
        let mut reader = decode::open(input, Arc::default(), &options);
        while let Some(piece) = reader.next(&mut read.rejects, &mut read.counts).unwrap() {
            records.push(piece);
        }
    }
    read.batches = logs::batches(records, &options, &mut read.rejects, &mut read.counts);
    assert_eq!(
        (ids(&read), read.batches.len(), read.rejects.len()),
        (vec!["id-1".to_owned(), "id-2".to_owned()], 1, 1)
    );
    let begun = column(&read, "cloudtrail", "useridentity.sessioncontext.attributes.creationdate");
    assert_eq!(begun, [None, Some("2024-08-01T11:30:23Z".to_owned())]);
}
