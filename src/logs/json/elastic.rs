//! An event of CloudTrail or a flow that Elastic's integration of AWS took apart, and whose own text it did not keep → the record that
//! it was made of.
//!
//! The whole document stands in `unmapped` too, since not all of it has a place in the record.

use serde_json::{Map, Value};

use super::peel::Members;
use super::{query, scalar};

/// Where in a document something stands, and where in a record of CloudTrail it belongs.
const OF_CLOUDTRAIL: &[(&str, &str)] = &[
    ("/@timestamp", "eventTime"),
    ("/event/action", "eventName"),
    ("/event/provider", "eventSource"),
    ("/event/id", "eventID"),
    ("/cloud/region", "awsRegion"),
    ("/source/ip", "sourceIPAddress"),
    ("/source/address", "sourceIPAddress"),
    ("/user_agent/original", "userAgent"),
    ("/user/id", "userIdentity.principalId"),
    ("/user/name", "userIdentity.userName"),
    ("/cloud/account/id", "userIdentity.accountId"),
    ("/aws/cloudtrail/event_version", "eventVersion"),
    ("/aws/cloudtrail/event_type", "eventType"),
    ("/aws/cloudtrail/event_category", "eventCategory"),
    ("/aws/cloudtrail/error_code", "errorCode"),
    ("/aws/cloudtrail/error_message", "errorMessage"),
    ("/aws/cloudtrail/request_parameters", "requestParameters"),
    ("/aws/cloudtrail/flattened/request_parameters", "requestParameters"),
    ("/aws/cloudtrail/response_elements", "responseElements"),
    ("/aws/cloudtrail/flattened/response_elements", "responseElements"),
    ("/aws/cloudtrail/additional_eventdata", "additionalEventData"),
    ("/aws/cloudtrail/flattened/additional_eventdata", "additionalEventData"),
    ("/aws/cloudtrail/service_event_details", "serviceEventDetails"),
    ("/aws/cloudtrail/flattened/service_event_details", "serviceEventDetails"),
    ("/aws/cloudtrail/request_id", "requestID"),
    ("/aws/cloudtrail/api_version", "apiVersion"),
    ("/aws/cloudtrail/management_event", "managementEvent"),
    ("/aws/cloudtrail/read_only", "readOnly"),
    ("/aws/cloudtrail/recipient_account_id", "recipientAccountId"),
    ("/aws/cloudtrail/shared_event_id", "sharedEventID"),
    ("/aws/cloudtrail/vpc_endpoint_id", "vpcEndpointId"),
    ("/aws/cloudtrail/insight_details", "insightDetails"),
    ("/aws/cloudtrail/user_identity/type", "userIdentity.type"),
    ("/aws/cloudtrail/user_identity/arn", "userIdentity.arn"),
    ("/aws/cloudtrail/user_identity/access_key_id", "userIdentity.accessKeyId"),
    ("/aws/cloudtrail/user_identity/invoked_by", "userIdentity.invokedBy"),
    (
        "/aws/cloudtrail/user_identity/session_context/mfa_authenticated",
        "userIdentity.sessionContext.attributes.mfaAuthenticated",
    ),
    (
        "/aws/cloudtrail/user_identity/session_context/creation_date",
        "userIdentity.sessionContext.attributes.creationDate",
    ),
    (
        "/aws/cloudtrail/user_identity/session_context/session_issuer/type",
        "userIdentity.sessionContext.sessionIssuer.type",
    ),
    (
        "/aws/cloudtrail/user_identity/session_context/session_issuer/principal_id",
        "userIdentity.sessionContext.sessionIssuer.principalId",
    ),
    (
        "/aws/cloudtrail/user_identity/session_context/session_issuer/arn",
        "userIdentity.sessionContext.sessionIssuer.arn",
    ),
    (
        "/aws/cloudtrail/user_identity/session_context/session_issuer/account_id",
        "userIdentity.sessionContext.sessionIssuer.accountId",
    ),
];

/// The same of a flow; other fields of `aws.vpcflow` have the names of columns.
const OF_FLOWS: &[(&str, &str)] = &[
    ("/source/ip", "srcaddr"),
    ("/source/address", "srcaddr"),
    ("/source/port", "srcport"),
    ("/destination/ip", "dstaddr"),
    ("/destination/address", "dstaddr"),
    ("/destination/port", "dstport"),
    ("/network/iana_number", "protocol"),
    ("/source/packets", "packets"),
    ("/network/packets", "packets"),
    ("/source/bytes", "bytes"),
    ("/network/bytes", "bytes"),
    ("/event/start", "start"),
    ("/event/end", "end"),
    ("/cloud/region", "region"),
];

/// Whether an object is the line that a bulk request has before each document: `{"index":{"_index":"logs"}}`.
pub(super) fn is_action(object: &Members<'_>) -> bool {
    let [action] = &object.members[..] else { return false };
    let names_place = |name: &[u8]| memchr::memmem::find(action.value, name).is_some();
    matches!(action.name, b"index" | b"create" | b"update" | b"delete")
        && action.value.starts_with(b"{")
        && (action.value.len() == 2 || names_place(b"\"_index\"") || names_place(b"\"_id\""))
}

/// Whether the `event` of a document has the text of the record.
pub(super) fn has_original(event: &[u8]) -> bool {
    event.starts_with(b"{") && memchr::memmem::find(event, b"\"original\"").is_some()
}

/// The record of a document as JSON; `None` where the document is none, has the record's own text, is too long or has too many values.
#[cold]
pub(super) fn record(document: &[u8]) -> Option<Vec<u8>> {
    /// A longer one would take some times as much memory while it is taken apart.
    const LENGTH_MAX: usize = 4 << 20;
    if document.len() > LENGTH_MAX {
        return None;
    }
    let has = |name: &[u8]| memchr::memmem::find(document, name).is_some();
    if !has(b"\"aws\"") || !has(b"\"@timestamp\"") || !has(b"\"cloudtrail\"") && !has(b"\"vpcflow\"") {
        return None;
    }
    if !scalar::has_few_values(document) {
        return None;
    }
    let document = scalar::value(document)?;
    if document.pointer("/event/original").is_some_and(Value::is_string) {
        return None;
    }
    let of_cloudtrail = document.pointer("/aws/cloudtrail").is_some_and(Value::is_object);
    let of_flows = document.pointer("/aws/vpcflow").and_then(Value::as_object);
    let (places, mut record) = match of_flows {
        _ if of_cloudtrail => (OF_CLOUDTRAIL, Value::Object(Map::new())),
        Some(fields) => (OF_FLOWS, Value::Object(fields.clone())),
        None => return None,
    };
    for (from, to) in places {
        if let Some(value) = document.pointer(from).filter(|value| !value.is_null()) {
            query::place(&mut record, to, value.clone());
        }
    }
    let mut text = vec![b'{'];
    for (name, value) in record.as_object()? {
        match value {
            // `{a=b}`, as a text was made of an object
            Value::String(value) => query::add(&mut text, name.as_bytes(), value.as_bytes()),
            value => query::add(&mut text, name.as_bytes(), value.to_string().as_bytes()),
        }
    }
    query::add(&mut text, b"elastic", document.to_string().as_bytes());
    text.push(b'}');
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(document: &Value) -> Value {
        serde_json::from_slice(&record(document.to_string().as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn an_event_is_put_together() {
        let document = serde_json::json!({
            "@timestamp": "2024-08-01T10:00:00.000Z",
            "event": {"action": "PutObject", "provider": "s3.amazonaws.com", "id": "e-1"},
            "source": {"address": "198.51.100.7"},
            "user": {"name": "ann"},
            "aws": {"cloudtrail": {
                "user_identity": {"type": "IAMUser", "session_context": {"mfa_authenticated": "true"}},
                "request_parameters": "{bucketName=b, key=k}",
            }},
        });
        let record = read(&document);
        assert_eq!((&record["eventName"], &record["eventID"]), (&"PutObject".into(), &"e-1".into()));
        assert_eq!(record["sourceIPAddress"], "198.51.100.7");
        assert_eq!(record["requestParameters"], serde_json::json!({"bucketName": "b", "key": "k"}));
        let who = serde_json::json!({"userName": "ann", "type": "IAMUser", "sessionContext": {"attributes": {"mfaAuthenticated": "true"}}});
        assert_eq!(record["userIdentity"], who);
        assert_eq!(record["elastic"], document);
    }

    #[test]
    fn a_flow_is_put_together() {
        let record = read(&serde_json::json!({
            "@timestamp": "2024-08-01T10:00:00.000Z",
            "event": {"start": "2024-08-01T09:59:00.000Z"},
            "source": {"ip": "10.0.0.1", "port": 5}, "destination": {"ip": "10.0.0.2", "port": 22},
            "network": {"iana_number": "6", "bytes": 40},
            "aws": {"vpcflow": {"interface_id": "eni-1", "action": "ACCEPT"}},
        }));
        let names = ["srcaddr", "dstport", "protocol", "interface_id", "start"];
        assert_eq!(
            names.map(|name| record[name].to_string()),
            [r#""10.0.0.1""#, r#""22""#, r#""6""#, r#""eni-1""#, r#""2024-08-01T09:59:00.000Z""#]
        );
    }

    #[test]
    fn a_document_that_has_the_text_of_its_record_is_none() {
        for document in [
            serde_json::json!({"@timestamp": "x", "aws": {"cloudtrail": {}}, "event": {"original": "{}"}}),
            serde_json::json!({"@timestamp": "x", "aws": {"s3access": {}}, "cloudtrail": 1}),
        ] {
            assert_eq!(record(document.to_string().as_bytes()), None);
        }
    }

    #[test]
    fn a_document_of_more_than_4_mib_is_none() {
        let of = |length: usize| {
            let document = serde_json::json!({"@timestamp": "x", "aws": {"cloudtrail": {"x": "y".repeat(length)}}});
            record(document.to_string().as_bytes())
        };
        assert!(of(4_000_000).is_some());
        assert_eq!(of(4 << 20), None);
    }

    #[test]
    fn a_document_of_more_values_than_are_kept_is_none() {
        let of = |count: usize| {
            let document = serde_json::json!({"@timestamp": "x", "aws": {"cloudtrail": {"x": vec![0; count]}}});
            record(document.to_string().as_bytes())
        };
        assert!(of(299_000).is_some());
        assert_eq!(of(300_001), None);
    }
}
