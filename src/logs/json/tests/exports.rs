//! Records as what exports them writes them: field by field, under other names, beside parts of themselves, or as texts.

use super::*;

const ARN: &str = "arn:aws:iam::111122223333:user/eve";

/// What rules ask of a record, as a line for each.
fn facts(read: &Outcome) -> Vec<String> {
    let paths = [
        "eventtime",
        "eventname",
        "sourceipaddress",
        "useridentity.arn",
        "useridentity.sessioncontext.attributes.mfaauthenticated",
        "requestparameters",
        "account",
    ];
    let columns: Vec<Vec<Option<String>>> = paths.iter().map(|path| column(read, "cloudtrail", path)).collect();
    let row =
        |at: usize| columns.iter().map(|column| column[at].as_deref().unwrap_or("-")).collect::<Vec<_>>().join(" ");
    (0..columns[0].len()).map(row).collect()
}

/// The same of the record that the others here are.
fn expected() -> String {
    format!(r#"2024-08-01T11:30:23Z PutBucketPolicy 198.51.100.7 {ARN} true {{"bucketName":"b"}} 111122223333"#)
}

fn whole() -> String {
    format!(
        r#"{{"eventVersion":"1.08","userIdentity":{{"type":"IAMUser","arn":"{ARN}","sessionContext":{{"attributes":{{"mfaAuthenticated":"true"}}}}}},"eventTime":"2024-08-01T11:30:23Z","eventSource":"s3.amazonaws.com","eventName":"PutBucketPolicy","awsRegion":"eu-west-1","sourceIPAddress":"198.51.100.7","requestParameters":{{"bucketName":"b"}},"recipientAccountId":"111122223333"}}"#
    )
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// Each of the texts has the record, and nothing else.
fn check(texts: &[String]) {
    for text in texts {
        let read = read_text(text);
        assert_eq!((facts(&read), reasons(&read)), (vec![expected()], vec![]), "{text}");
    }
}

#[test]
fn fields_that_stand_apart_belong_inside_of_their_columns() {
    let top = r#""eventVersion":"1.08","eventTime":"2024-08-01T11:30:23Z","eventSource":"s3.amazonaws.com","eventName":"PutBucketPolicy","sourceIPAddress":"198.51.100.7","recipientAccountId":"111122223333""#;
    let inside = format!(
        r#""userIdentity.arn":"{ARN}","userIdentity.sessionContext.attributes.mfaAuthenticated":"true","requestParameters.bucketName":"b""#
    );
    let parameters = r#""requestParameters":"{\"bucketName\":\"b\"}""#;
    check(&[
        format!("{{{top},{inside}}}"),
        format!(r#"{{"preview":false,"result":{{{inside},{top},"host":"h"}}}}"#),
        format!(
            r#"{{{top},{parameters},"useridentity_arn":"{ARN}","useridentity_sessioncontext_attributes_mfaauthenticated":"true"}}"#
        ),
        format!(
            r#"{{{top},{parameters},"UserIdentityArn":"{ARN}","UserIdentitySessionContextAttributesMfaAuthenticated":"true"}}"#
        ),
        // behind a record as AWS writes it
        format!(r#"{{"records":[{{{top},{inside}}}]}}"#),
    ]);
    let read = read_text(format!("{}\n{{{top},{inside}}}\n", whole()));
    assert_eq!(facts(&read), [expected(), expected()]);
    let read = read_text(format!(r#"{{{top},"resources{{}}.ARN":["a","b"],"resources{{}}.type":["x","y"]}}"#));
    let list = &read.batches[0].rows.column_by_name("resources").unwrap().as_list::<i32>().value(0);
    assert_eq!(
        list.as_struct().column_by_name("arn").unwrap().as_string_view().iter().flatten().collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert_eq!(column(&read, "cloudtrail", "unmapped"), [None]);
}

#[test]
fn what_repeats_a_part_of_a_column_stays_beside_it() {
    let text =
        format!(r#"{},"userIdentity.arn":"other","user_identity":{{"arn":"third"}}}}"#, &whole()[..whole().len() - 1]);
    let read = read_text(&text);
    assert_eq!(facts(&read), [expected()]);
    let unmapped = r#"{"userIdentity.arn":"other","user_identity":{"arn":"third"}}"#;
    assert_eq!(column(&read, "cloudtrail", "unmapped"), [Some(unmapped.to_owned())]);
}

#[test]
fn the_event_itself_goes_before_fields_that_were_taken_out_of_it() {
    let fields = r#""eventName":"PutBucketPolicy","eventSource":"s3.amazonaws.com","userIdentity.type":"IAMUser""#;
    let of_splunk = format!(r#"{{"result":{{"_raw":{},"_time":"x",{fields}}}}}"#, quoted(&whole()));
    check(&[of_splunk.clone(), format!(r#"{{{fields},"_raw":{}}}"#, quoted(&whole()))]);
    let read = read_text(format!("{}\n{of_splunk}\n{of_splunk}", whole()));
    assert_eq!(facts(&read), [expected(), expected(), expected()]);
    // a text that is none is a member like others
    let read = read_text(format!(r#"{{{fields},"_raw":"{{no event"}}"#));
    assert_eq!(column(&read, "cloudtrail", "useridentity.type"), [Some("IAMUser".to_owned())]);
}

#[test]
fn names_may_have_other_signs_between_their_words() {
    let other = whole()
        .replace("eventTime", "event_time")
        .replace("eventName", "event_name")
        .replace("eventSource", "event_source")
        .replace("sourceIPAddress", "source_ip_address")
        .replace("userIdentity", "user_identity")
        .replace("sessionContext", "session-context")
        .replace("mfaAuthenticated", "mfa_authenticated")
        .replace("requestParameters", "request_parameters")
        .replace("recipientAccountId", "Recipient_Account_Id");
    check(&[other.clone(), format!("[{other}]")]);
    let csv = format!(
        "event_time,event_name,aws_region,source_ip_address,user_identity,request_parameters,recipient_account_id\n\
         2024-08-01 11:30:23,PutBucketPolicy,eu-west-1,198.51.100.7,\"{{\"\"arn\"\":\"\"{ARN}\"\",\"\"session_context\"\":{{\"\"attributes\"\":{{\"\"mfa_authenticated\"\":\"\"true\"\"}}}}}}\",\"{{\"\"bucketName\"\":\"\"b\"\"}}\",111122223333\n"
    );
    check(&[csv]);
    // what applications call so
    let click = r#"{"event_name":"click","event_source":"web"}"#;
    for text in [click, "event_name,event_source\nclick,web\n"] {
        assert_eq!(facts(&read_text(text)), Vec::<String>::new());
    }
    assert_eq!(facts(&read_text(format!("{}\n{click}\n{other}\n", whole()))), [expected(), expected()]);
}

#[test]
fn values_of_mongodb_and_of_searches_are_what_is_inside() {
    let mongo = whole().replacen('{', r#"{"_id":{"$oid":"507f1f77bcf86cd799439011"},"#, 1);
    let timed = |time: &str| mongo.replace(r#""2024-08-01T11:30:23Z""#, time);
    check(&[
        timed(r#"{"$date":"2024-08-01T11:30:23Z"}"#),
        timed(r#"{"$date":{"$numberLong":"1722511823000"}}"#),
        format!(
            r#"{{"hits":{{"hits":[{{"fields":{{"eventTime":["2024-08-01T11:30:23Z"],"eventName":["PutBucketPolicy"],"eventSource":["s3.amazonaws.com"],"sourceIPAddress":["198.51.100.7"],"userIdentity.arn":["{ARN}"],"userIdentity.sessionContext.attributes.mfaAuthenticated":["true"],"requestParameters":[{{"bucketName":"b"}}],"recipientAccountId":["111122223333"]}}}}]}}}}"#
        ),
    ]);
    let read = read_text(
        r#"{"eventName":"A","eventSource":["s","t"],"awsRegion":"r","eventVersion":"1","readOnly":0,"eventTime":{"x":1}}"#,
    );
    assert_eq!(column(&read, "cloudtrail", "eventsource"), [Some(r#"["s","t"]"#.to_owned())]);
    assert_eq!(column(&read, "cloudtrail", "readonly"), [Some("false".to_owned())]);
    assert_eq!(column(&read, "cloudtrail", "unmapped"), [Some(r#"{"eventTime":{"x":1}}"#.to_owned())]);
}

#[test]
fn a_record_that_is_a_text_is_read_where_exporters_put_it() {
    let text = quoted(&whole());
    check(&[
        format!(r#"{{"raw":{text}}}"#),
        format!(r#"[{{"logText":{text},"logType":"AWS_CLOUDTRAIL"}}]"#),
        format!(r#"{{"version":"1.1","short_message":"{{}}","full_message":{text},"again":{text}}}"#),
        format!(r#"{{"time":"2024-08-01T11:30:23Z","detail-type":"x","detail":{text}}}"#),
        format!(r#"{{"streams":[{{"stream":{{"job":"x"}},"values":[["1722511823000000000",{text}]]}}]}}"#),
        // beside the same that is known by its name
        format!(r#"{{"message":{text},"attributes":{{"raw":{text}}}}}"#),
        format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"timeUnixNano":"1","body":{{"stringValue":{text}}}}}]}}]}}]}}"#
        ),
    ]);
    let read = read_text(r#"{"raw":"{\"level\":\"INFO\",\"message\":\"x\",\"logger\":\"y\"}"}"#);
    assert_eq!(reasons(&read), ["no table is known for this object"]);
}

#[test]
fn csv_may_have_the_records_under_some_names() {
    let cell = format!("\"{}\"", whole().replace('"', "\"\""));
    check(&[
        format!("@timestamp,_index,message\r\n2024-08-01,i,{cell}\r\n"),
        format!("\"id\",\"raw_event\"\n1,{cell}\n"),
        format!("EventId,CloudTrailEvent\n1,{cell}\n"),
    ]);
    let read = read_text(format!("id,raw_event\n1,{cell}\n2,no event\nid,raw_event\n3,{cell}\n"));
    assert_eq!((facts(&read).len(), reasons(&read)), (2, vec!["no table is known for this object"]));
    assert_eq!(reasons(&read_text("id,text\n1,{}\n")), ["neither JSON nor a text log that a table knows"]);
}

#[test]
fn a_mark_before_each_of_several_files_is_no_record() {
    let text = format!("\u{feff}{}\n", whole());
    let read = read_text(format!("{text}{text}\u{feff}\n{text}"));
    assert_eq!((facts(&read).len(), reasons(&read)), (3, vec![]));
    assert_eq!(reasons(&read_text(format!("{}\n\u{feff}rest\n", whole()))).len(), 1, "a mark before what is no JSON");
}

#[test]
fn events_in_ocsf_say_what_they_are() {
    let read = read_text(
        r#"{"metadata":{"version":"1.1.0"},"class_uid":6003,"category_uid":6,"api":{"operation":"GetObject"}}"#,
    );
    assert!(read.rejects[0].reason.starts_with("an event in OCSF, as Security Lake has it"), "{:?}", reasons(&read));
}

#[test]
fn what_somebody_sent_to_an_application_is_no_event() {
    let forged = quoted(&whole());
    for sent in [
        format!(
            r#"{{"timestamp":1,"webaclId":"w","httpRequest":{{"headers":[{{"name":"User-Agent","value":{forged}}}]}}}}"#
        ),
        format!(r#"{{"level":"INFO","request":{{"raw":{forged}}},"user_agent":{forged}}}"#),
    ] {
        let read = read_text(&sent);
        assert_eq!((facts(&read), reasons(&read)), (vec![], vec!["no table is known for this object"]), "{sent}");
    }
    let cell = format!("\"{}\"", whole().replace('"', "\"\""));
    assert_eq!(facts(&read_text(format!("client_ip,user_agent\n192.0.2.7,{cell}\n"))), [""; 0]);
    // nor does it hide the record that it is in
    let event = r#"{"eventTime":"2024-08-01T11:30:23Z","eventName":"ConsoleLogin","userAgent":FORGED}"#;
    let read = read_text(format!(r#"{{"Records":[{}]}}"#, event.replace("FORGED", &forged)));
    assert_eq!(column(&read, "cloudtrail", "eventname"), [Some("ConsoleLogin".to_owned())]);
}

#[test]
fn events_of_applications_are_no_calls() {
    for text in [
        r#"{"event_name":"signup","aws_region":"us-east-1","user_id":7}"#,
        "event_name,aws_region,user_id\nsignup,us-east-1,7\n",
    ] {
        assert_eq!(facts(&read_text(text)), [""; 0], "{text}");
    }
}
