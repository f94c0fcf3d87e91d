use super::*;
use crate::finding::tests::one_match;

const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:weir";

fn finding() -> Finding {
    let finding = one_match("cloudtrail/x", "eve", Timestamp(0), "e1");
    Finding { severity: Severity::High, title: "Ürsula & co".into(), count: 3, ..finding }
}

/// The pairs of a form.
fn pairs(form: &str) -> Vec<(String, String)> {
    let text = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
    form.split('&').map(|pair| pair.split_once('=').unwrap()).map(|(name, value)| (text(name), text(value))).collect()
}

#[test]
fn a_message_has_the_finding_and_attributes_to_filter_by() {
    let message = form(&finding(), Timestamp(0)).unwrap().json;
    let body = body(TOPIC, &message);
    assert!(body.starts_with(
        "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A111122223333%3Aweir&Message=%7B%22id%22"
    ));
    let pairs = pairs(&body);
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let entry = |n: usize, part: &str| format!("MessageAttributes.entry.{n}.{part}");
    let names = [1, 2, 3].map(|n| (entry(n, "Name"), entry(n, "Value.DataType"), entry(n, "Value.StringValue")));
    let mut expected = vec![
        ("Action", "Publish"),
        ("Version", "2010-03-31"),
        ("TopicArn", TOPIC),
        ("Message", &*message),
        ("Subject", "Weir (high): ?rsula & co"),
    ];
    let values = [("severity", "high"), ("account", "111122223333"), ("rule", "cloudtrail/x")];
    for ((name, kind, value), (attribute, text)) in names.iter().zip(values) {
        expected.extend([(name.as_str(), attribute), (kind.as_str(), "String"), (value.as_str(), text)]);
    }
    assert_eq!(pairs, expected);
}

#[test]
fn a_fifo_topic_gets_order_by_finding_and_an_id_of_what_is_said() {
    let finding = finding();
    let message = form(&finding, Timestamp(0)).unwrap().json;
    let pairs = pairs(&body(&format!("{TOPIC}.fifo"), &message));
    let last: Vec<_> = pairs[pairs.len() - 2..].iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let id = finding.id.to_string();
    assert_eq!(last, [("MessageGroupId", id.clone()), ("MessageDeduplicationId", format!("{id}-high-3"))]);
}

#[test]
fn a_message_counts_with_its_attributes() {
    let outgoing = form(&finding(), Timestamp(0)).unwrap();
    // severity String high, account String 111122223333, rule String cloudtrail/x
    assert_eq!(outgoing.call_bytes, outgoing.json.len() + (8 + 6 + 4) + (7 + 6 + 12) + (4 + 6 + 12));
    let nobody = Finding { account: String::new(), ..finding() };
    let outgoing = form(&nobody, Timestamp(0)).unwrap();
    assert_eq!(outgoing.call_bytes, outgoing.json.len() + (8 + 6 + 4) + (4 + 6 + 12));
    assert!(!body(TOPIC, &outgoing.json).contains("account%22%3A%22%22&"), "an empty attribute");
    assert_eq!(pairs(&body(TOPIC, &outgoing.json)).len(), 5 + 2 * 3);
}

#[test]
fn answers_are_xml() {
    let call = Call { number: 0, ids: vec!["a".into()], findings: vec!["{}".into()] };
    let answer = |status: u16, body: &str| read(&Reply { status, body: body.into(), ..Reply::default() }, &call);
    let taken = "<PublishResponse xmlns=\"https://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult>\
                 <MessageId>94f20ce6-13c5-43a0-9a9e-ca52d816e90b</MessageId></PublishResult></PublishResponse>";
    assert_eq!(answer(200, taken), Answer::all(&call));
    let refusal = |code: &str| {
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>a &lt;b&gt; &amp;amp;</Message>\
             </Error><RequestId>1</RequestId></ErrorResponse>"
        )
    };
    let message = "a <b> &amp;".to_owned();
    let denied = |code: &str| Answer::Denied { code: code.into(), message: message.clone() };
    assert_eq!(answer(404, &refusal("NotFound")), denied("NotFound"));
    assert_eq!(answer(403, &refusal("AuthorizationError")), denied("AuthorizationError"));
    assert_eq!(answer(400, &refusal("KMSAccessDenied")), denied("KMSAccessDenied"));
    let invalid = Answer::Invalid { code: "InvalidParameter".into(), message: message.clone() };
    assert_eq!(answer(400, &refusal("InvalidParameter")), invalid);
    for code in ["Throttled", "KMSThrottling", "InternalError"] {
        let later = Answer::Unavailable { code: code.into(), message: message.clone(), pause: None };
        assert_eq!(answer(400, &refusal(code)), later);
    }
    assert!(matches!(answer(503, "<html>"), Answer::Unavailable { .. }));
    assert!(matches!(answer(200, "<html>login</html>"), Answer::Unavailable { .. }));
}

#[test]
fn a_topic_is_an_arn() {
    assert_eq!(region(TOPIC), Some("eu-west-1"));
    assert_eq!(region("arn:aws-us-gov:sns:us-gov-west-1:111122223333:a-b_c.fifo"), Some("us-gov-west-1"));
    for wrong in ["weir", "arn:aws:sqs:eu-west-1:111122223333:weir", "arn:aws:sns:eu-west-1:111122223333:a:b", ""] {
        assert_eq!(region(wrong), None, "{wrong}");
    }
}
