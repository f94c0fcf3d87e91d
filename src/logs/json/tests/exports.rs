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
fn an_object_inside_of_a_column_may_be_a_text_of_json() {
    let attributes = r#"{"mfaAuthenticated":"true"}"#;
    let session = format!(r#"{{"attributes":{attributes}}}"#);
    let inner = format!(r#"{{"attributes":{}}}"#, quoted(attributes));
    assert!(whole().contains(&session));
    check(&[&quoted(&session), &inner, &quoted(&inner)].map(|text| whole().replace(&session, text)));
    // what is no object stays as it was
    let odd = whole().replace(&session, &quoted("{no json"));
    let read = read_text(&odd);
    assert_eq!(column(&read, "cloudtrail", "useridentity.arn"), some(&[ARN]));
    assert_eq!(column(&read, "cloudtrail", "unmapped"), some(&[r#"{"userIdentity.sessionContext":"{no json"}"#]));
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
fn a_field_that_stands_apart_is_taken_unless_its_column_has_a_value() {
    let check = |user: &str, arn: &str| {
        let event = r#""eventName":"PutBucketPolicy","eventSource":"s3.amazonaws.com","eventVersion":"1.08""#;
        let read = read_text(format!(r#"{{{event},{user}"userIdentity.arn":"{ARN}"}}"#));
        assert_eq!(column(&read, "cloudtrail", "useridentity.arn"), [Some(arn.to_owned())], "{user}");
    };
    check("", ARN);
    check(r#""userIdentity":null,"#, ARN);
    check(r#""USERIDENTITY":null,"#, ARN);
    check(r#""userIdentity":{"arn":"other"},"#, "other");
    check(r#""useridentity":{"arn":"other"},"#, "other");
}

#[test]
fn a_cell_of_more_values_than_are_kept_stays_a_text() {
    let of = |count: usize| {
        let list = format!("[{}0]", "0,".repeat(count));
        let header = "eventname,eventsource,eventversion,eventtime,requestparameters.a";
        let row = format!(r#"PutBucketPolicy,s3.amazonaws.com,1.08,2024-08-01T11:30:23Z,"{list}""#);
        let parameters = column(&read_text(format!("{header}\n{row}\n")), "cloudtrail", "requestparameters");
        (parameters, list)
    };
    let (few, list) = of(1000);
    assert_eq!(few, [Some(format!(r#"{{"a":{list}}}"#))]);
    let (many, list) = of(300_000);
    assert!(many == [Some(format!(r#"{{"a":"{list}"}}"#))]);
}

#[test]
fn fields_of_a_record_of_more_than_1_mib_stay_apart() {
    let of = |length: usize| {
        let read = read_text(format!(
            r#"{{"eventName":"PutBucketPolicy","eventSource":"s3.amazonaws.com","userIdentity.arn":"{ARN}","filling":"{}"}}"#,
            "x".repeat(length)
        ));
        column(&read, "cloudtrail", "useridentity.arn")
    };
    assert_eq!(of(1_000_000), [Some(ARN.to_owned())]);
    assert_eq!(of(1 << 20), [None]);
}

#[test]
fn rows_by_column_and_items_of_dynamodb_are_no_rows() {
    let events = r#"{"eventName":{"0":"PutBucketPolicy","1":"GetObject"},"eventSource":{"0":"s3.amazonaws.com","1":"s3.amazonaws.com"}}"#;
    let flows = r#"{"srcaddr": {"7": "10.0.0.1"}, "dstaddr": {"7": "10.0.0.2"}, "start": {"7": 1674898496}}"#;
    let item = r#"{"Item":{"eventName":{"S":"PutBucketPolicy"},"eventSource":{"S":"s3.amazonaws.com"},"readOnly":{"BOOL":false}}}"#;
    for (text, table, word) in [
        (events, "cloudtrail", "orient=\"records\""),
        (flows, "vpc_flow", "orient=\"records\""),
        (item, "cloudtrail", "DynamoDB"),
    ] {
        // also behind a record of the table
        let read = read_text(format!("{text}\n{}\n{text}\n", whole()));
        assert_eq!((read.counts.of_table(table).2, facts(&read)), (2, vec![expected()]), "{text}");
        assert!(reasons(&read).iter().all(|reason| reason.contains(word)), "{text}");
    }
}

#[test]
fn an_object_that_is_too_large_to_be_searched_says_so() {
    let of =
        |filling: String| reasons(&read_text(format!(r#"{{"raw":{},"x":[{filling}]}}"#, quoted(&whole())))).concat();
    assert_eq!(of("0,".repeat(1000) + "0"), "");
    assert!(of("0,".repeat(300_000) + "0").contains("more than 300000 values"));
    // what stands in its texts does not count
    assert_eq!(of(format!("\"{}\"", "{,".repeat(5 << 20))), "");
    let around = |members: usize| {
        let text = format!(r#"{{{}"a":{}}}"#, r#""":0,"#.repeat(members - 1), whole());
        let read = read_text(text);
        (facts(&read).len(), reasons(&read).concat())
    };
    assert_eq!(around(300_000), (1, String::new()));
    let (rows, reason) = around(300_001);
    assert!(rows == 0 && reason.contains("more than 300000 values"), "{reason}");
}

#[test]
fn items_of_no_table_are_rejects_wherever_they_stand_in_a_list_of_records() {
    let of = |list: &str| {
        let read = read_text(format!(r#"{{"some":[{list}]}}"#));
        (facts(&read).len(), read.rejects.iter().map(|reject| reject.offset).collect::<Vec<_>>())
    };
    assert_eq!(of(&format!(r#"0,{{"a":[1]}},{0},"x",{0},{{}}"#, whole())).0, 2);
    let length = whole().len() as u64;
    assert_eq!(of(&format!(r#"0,{{}},{},"x""#, whole())), (1, vec![9, 11, 15 + length]));
    // of a list with none of them the object around it is one
    assert_eq!(of(r#"0,{},"x""#), (0, vec![0]));
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
    let read =
        read_text("Account Id,Interface Id,Srcaddr,Dstaddr,Start\n111122223333,eni-1,10.0.0.1,10.0.0.2,1674898496\n");
    for (name, value) in [("account", "111122223333"), ("account_id", "111122223333"), ("interface_id", "eni-1")] {
        assert_eq!(column(&read, "vpc_flow", name), some(&[value]), "{name}");
    }
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
        // what PutEvents is called with
        format!(r#"{{"Entries":[{{"Source":"aws.s3","DetailType":"AWS API Call via CloudTrail","Detail":{text}}}]}}"#),
        format!(r#"{{"Records":{}}}"#, quoted(&format!("[{}]", whole()))),
        // names with dots, and the fields that a search of Elasticsearch gives beside the document or without it
        format!(r#"{{"@timestamp":"x","event.original":{text}}}"#),
        format!(r#"{{"hits":{{"hits":[{{"_id":"1","fields":{{"event.original":[{text}],"message":[ {text} ]}}}}]}}}}"#),
        format!(r#"{{"_source":{{"event":{{"original":{text}}}}},"fields":{{"event.original":[{text}]}}}}"#),
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
fn lines_that_exporters_put_into_an_object_are_rows_and_those_of_no_table_rejects() {
    let flow = "2 111122223333 eni-1 10.0.0.1 10.0.0.2 1 22 6 1 44 1674898496 1674898507 ACCEPT OK";
    let check = |rejects: usize, wrap: &dyn Fn(&[String]) -> String| {
        let lines = [flow, flow, "other", r#"{"an":"other"}"#, "", &whole()].map(quoted);
        let read = read_text(wrap(&lines));
        assert_eq!(read.counts.of_table("vpc_flow"), (2, 2, 0));
        assert_eq!((facts(&read), read.rejects.len()), (vec![expected()], rejects));
        let read = read_text(wrap(&["24/05/01 12:00:01 ERROR A: x", "\tat a.B.c(B.java:1)"].map(quoted)));
        assert_eq!(column(&read, "glue_log", "message"), [Some("x\n\tat a.B.c(B.java:1)".to_owned())]);
        assert!(!reasons(&read_text(wrap(&["other", "another"].map(quoted)))).is_empty());
    };
    let list = |lines: &[String], before: &str, behind: &str| -> String {
        lines.iter().map(|line| format!("{before}{line}{behind}")).collect::<Vec<_>>().join(",")
    };
    check(2, &|lines| {
        let values = list(lines, r#"["1722511823000000000","#, "]");
        format!(r#"{{"data":{{"result":[{{"stream":{{"a":"b"}},"values":[{values}]}}]}}}}"#)
    });
    check(2, &|lines| {
        let records = list(lines, r#"{"body":{"stringValue":"#, "}}");
        format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{records}]}}]}}]}}"#)
    });
    check(2, &|lines| {
        let entries = list(lines, r#"{"ts":"x","line":"#, "}");
        format!(r#"{{"streams":[{{"labels":"{{}}","entries":[{entries}]}}]}}"#)
    });
    // an object for each, and so for the empty one
    check(3, &|lines| list(lines, r#"{"labels":{"a":"b"},"line":"#, "}"));
    check(3, &|lines| list(lines, r#"{"short_message":"2 1111","full_message":"#, "}"));
    check(3, &|lines| list(lines, r#"{"textPayload":"#, "}"));
}

#[test]
fn csv_may_have_the_records_under_some_names() {
    let cell = format!("\"{}\"", whole().replace('"', "\"\""));
    check(&[
        format!("@timestamp,_index,message\r\n2024-08-01,i,{cell}\r\n"),
        format!("\"id\",\"raw_event\"\n1,{cell}\n"),
        format!("EventId,CloudTrailEvent\n1,{cell}\n"),
        format!("\"@timestamp\",\"event.original\"\n\"Aug 1, 2024 @ 11:30:23.000\",{cell}\n"),
        format!("message\n{cell}\n"),
        // as Spark writes quotes
        format!("time,message\nx,\"{}\"\n", whole().replace('"', "\\\"")),
    ]);
    let flow = "2 111122223333 eni-1 10.0.0.1 10.0.0.2 1 22 6 1 44 1674898496 1674898507 ACCEPT OK";
    for (before, behind) in
        [("timestamp,message,ingestionTime\n1722506400000,", ",1"), ("time\tlog\nx\t", ""), ("message\n\"", "\"")]
    {
        let read = read_text(format!("{before}{flow}{behind}\n"));
        assert_eq!((read.counts.of_table("vpc_flow"), reasons(&read)), ((1, 1, 0), vec![]), "{before}");
    }
    let read = read_text(
        "host,message\nh,\"24/05/01 12:00:01 ERROR A: x, y\n\tat a.B.c(B.java:1)\"\nh,24/05/01 12:00:02 INFO A: z\n",
    );
    assert_eq!(column(&read, "glue_log", "message"), some(&["x, y\n\tat a.B.c(B.java:1)", "z"]));
    assert_eq!(reasons(&read_text("host,message\nh,hello\n")), ["neither JSON nor a text log that a table knows"]);
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
        assert_eq!((facts(&read), reasons(&read).len()), (vec![], 1), "{sent}");
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

#[test]
fn the_table_of_sentinel_is_known() {
    let row = format!(
        r#"{{"TimeGenerated":"2024-08-01T11:30:23Z","AwsEventId":"e-1","EventName":"PutBucketPolicy","EventTypeName":"AwsApiCall","EventSource":"s3.amazonaws.com","UserIdentityType":"IAMUser","UserIdentityArn":"{ARN}","SourceIpAddress":"198.51.100.7","SessionMfaAuthenticated":true,"RequestParameters":"{{\"bucketName\":\"b\"}}","RecipientAccountId":"111122223333","AWSRegion":"eu-west-1"}}"#
    );
    let csv = format!(
        "TimeGenerated [UTC],AwsEventId,EventName,EventSource,UserIdentityArn,SourceIpAddress,SessionMfaAuthenticated,RequestParameters,RecipientAccountId\n\
         \"8/1/2024, 11:30:23.000 AM\",e-1,PutBucketPolicy,s3.amazonaws.com,{ARN},198.51.100.7,true,\"{{\"\"bucketName\"\":\"\"b\"\"}}\",111122223333\n"
    );
    for text in [row.clone(), format!("[{row}]"), csv] {
        check(std::slice::from_ref(&text));
        assert_eq!(column(&read_text(&text), "cloudtrail", "eventid"), [Some("e-1".to_owned())]);
    }
    assert_eq!(column(&read_text(&row), "cloudtrail", "eventtype"), [Some("AwsApiCall".to_owned())]);
}

#[test]
fn what_elastic_took_apart_is_put_together_and_what_has_its_text_is_read_once() {
    let fields = format!(
        r#""aws":{{"cloudtrail":{{"user_identity":{{"arn":"{ARN}","session_context":{{"mfa_authenticated":"true"}}}},"request_parameters":"{{bucketName=b}}","recipient_account_id":"111122223333"}}}},"source":{{"ip":"198.51.100.7"}}"#
    );
    let event =
        r#""@timestamp":"2024-08-01T11:30:23.000Z","event":{"action":"PutBucketPolicy","provider":"s3.amazonaws.com"}"#;
    let original = format!(r#""@timestamp":"x","event":{{"original":{}}}"#, quoted(&whole()));
    let hit = |source: &str| {
        format!(r#"{{"took":1,"hits":{{"total":{{"value":1}},"hits":[{{"_id":"1","_source":{{{source}}}}}]}}}}"#)
    };
    check(&[
        format!("{{{event},{fields}}}"),
        format!("{{{original},{fields}}}"),
        hit(&format!("{event},{fields}")),
        hit(&format!("{original},{fields}")),
    ]);
    let line =
        "2 111122223333 eni-0e250409d410e1290 198.51.100.7 10.0.0.200 38471 22 6 1 44 1674898496 1674898507 ACCEPT OK";
    let flow = format!(
        r#"{{"@timestamp":"x","event":{{"original":"{line}"}},"aws":{{"vpcflow":{{"interface_id":"eni-1","log_status":"OK"}}}}}}"#
    );
    assert_eq!(read_text(flow).counts.of_table("vpc_flow"), (1, 1, 0));
}

#[test]
fn what_python_prints_is_read_as_what_it_says() {
    let python = |json: &str| json.replace('"', "'").replace("true", "True").replace("'True'", "'true'");
    let dict = python(&whole());
    check(&[
        dict.clone(),
        format!("[{dict}]"),
        format!("{{'Records': [{dict}], 'Time': datetime.datetime(2024, 8, 1)}}"),
    ]);
    let read = read_text(format!("{}\n{dict}\n{{'eventName': x}}\n{}\n", whole(), whole()));
    assert_eq!((facts(&read).len(), reasons(&read).len()), (3, 1));
    let read = read_text(format!("{}\n{{'a': '\n{}\n{}\n'}}\n", whole(), whole(), whole()));
    assert_eq!(facts(&read).len(), 3, "a string that ends in another line hides no records");
    // the cells that pandas writes
    let cell = |json: &str| format!("\"{}\"", python(json));
    let who = format!(r#"{{"arn":"{ARN}","sessionContext":{{"attributes":{{"mfaAuthenticated":"true"}}}}}}"#);
    check(&[format!(
        ",eventTime,eventName,eventSource,sourceIPAddress,userIdentity,requestParameters,recipientAccountId\n\
         0,2024-08-01T11:30:23Z,PutBucketPolicy,s3.amazonaws.com,198.51.100.7,{},{},111122223333\n",
        cell(&who),
        cell(r#"{"bucketName":"b"}"#)
    )]);
}

#[test]
fn csv_may_have_other_separators() {
    let who =
        format!(r#""{{""arn"":""{ARN}"",""sessionContext"":{{""attributes"":{{""mfaAuthenticated"":""true""}}}}}}""#);
    for separator in ["\t", ";", "|"] {
        let header =
            "eventTime,eventName,eventSource,sourceIPAddress,userIdentity,requestParameters,recipientAccountId";
        let [header, row] =
            [header, "2024-08-01T11:30:23Z,PutBucketPolicy,s3.amazonaws.com,198.51.100.7,WHO,WHAT,111122223333"]
                .map(|line| line.replace(',', separator));
        let row = row.replace("WHO", &who).replace("WHAT", r#""{""bucketName"":""b""}""#);
        check(&[
            format!("{header}\n{row}\n"),
            format!("sep={separator}\r\n{header}\r\n{row}\r\n"),
            format!("#TYPE Amazon.CloudTrail.Model.Event\r\n{header}\r\n{row}\r\n"),
        ]);
        let twice = format!("{header}\n{row}\n").repeat(2);
        assert_eq!(facts(&read_text(twice)), [expected(), expected()]);
    }
    // the first and the last column may have no name
    let row = "0\t2024-08-01T11:30:23Z\tPutBucketPolicy\ts3.amazonaws.com\t\n";
    let read = read_text(format!("\teventTime\teventName\teventSource\t\r\n{row}").repeat(2));
    assert_eq!((read.counts.of_table("cloudtrail"), reasons(&read)), ((2, 2, 0), vec![]));
    let flows = "\"srcaddr\"\t\"dstaddr\"\t\"start\"\n\"10.0.0.1\"\t\"10.0.0.2\"\t\"1674898496\"\n";
    for text in [flows.to_owned(), flows.replace('"', "")] {
        assert_eq!(read_text(text).counts.of_table("vpc_flow"), (1, 1, 0));
    }
}

#[test]
fn what_stands_before_an_event_in_its_line_is_no_record() {
    let text = whole();
    let syslog = format!("<134>Aug  1 11:30:23 host trail[7]: {text}\n");
    check(&[format!("\u{feff}{syslog}"), syslog, format!("key-1\t{text}\n")]);
    let read = read_text(format!("{text}\nAug  1 11:30:23 host trail: {text}\nrest {{\n{text}\n"));
    assert_eq!((facts(&read).len(), reasons(&read)), (3, vec!["not JSON"]));
}

#[test]
fn lists_of_lines_are_read_as_the_lines() {
    let line =
        "2 111122223333 eni-0e250409d410e1290 198.51.100.7 10.0.0.200 38471 22 6 1 44 1674898496 1674898507 ACCEPT OK";
    let read = read_text(format!("[\n  \"{line}\",\n  \"{line}\",\n  \"other\"\n]\n"));
    assert_eq!(read.counts.of_table("vpc_flow"), (2, 2, 0));
    assert_eq!(reasons(&read), ["a string where an object should be"]);
    // and so without a list around them
    let read = read_text(format!("\"{line}\"\n\"{line}\"\r\n\"other\"\n"));
    assert_eq!((read.counts.of_table("vpc_flow"), reasons(&read).len()), ((2, 2, 0), 1));
    let read = read_text("\"24/05/01 12:00:01 ERROR A: x\"\n\"\\tat a.B.c(B.java:1)\"\n");
    assert_eq!(column(&read, "glue_log", "message"), [Some("x\n\tat a.B.c(B.java:1)".to_owned())]);
    let read = read_text("[\"24/05/01 12:00:01 ERROR A: x\", \"\\tat a.B.c(B.java:1)\"]");
    assert_eq!(column(&read, "glue_log", "message"), [Some("x\n\tat a.B.c(B.java:1)".to_owned())]);
}

#[test]
fn answers_as_yaml_and_text_are_read() {
    let yaml = |list: &str, text: &str| format!("{list}:\n- CloudTrailEvent: '{text}'\n  EventName: PutBucketPolicy\n");
    check(&[
        yaml("Events", &whole()),
        yaml("Events", &whole()).replace('\n', "\r\n"),
        format!("EVENTS\tAKIA\t{}\te-1\tPutBucketPolicy\nRESOURCES\tb\tAWS::S3::Bucket\n", whole()),
    ]);
    let items = "- CloudTrailEvent: '{\"eventName\":\"a\"}'\n  EventName: a\n".repeat(50_000);
    let read = read_text(format!("Events:\n{items}"));
    assert_eq!(reasons(&read), ["YAML of more than 100000 lines and items: ask the AWS CLI for --output json"]);
    let read = read_text("JOBRUNS\t10\tjr_1\tFAILED\n");
    assert!(reasons(&read)[0].contains("--output json"), "{:?}", reasons(&read));
    let read = read_text("-----\n|  GetJobRuns  |\n+-----+\n");
    assert!(reasons(&read)[0].contains("--output json"), "{:?}", reasons(&read));
}

#[test]
fn what_firehose_could_not_deliver_is_read() {
    let data = aws_smithy_types::base64::encode(whole());
    check(&[format!(r#"{{"attemptsMade":1,"errorCode":"Lambda.FunctionError","rawData":"{data}"}}"#)]);
}

#[test]
fn rows_of_runs_and_findings_are_read() {
    let runs = "Id,Attempt,JobName,JobRunState,StartedOn,Arguments\njr_1,0,j,FAILED,2024-05-01T12:00:00Z,\"{\"\"--a\"\":\"\"b\"\"}\"\n";
    let read = read_text(runs);
    assert_eq!((read.counts.of_table("glue_job_run"), reasons(&read)), ((1, 1, 0), vec![]));
    assert_eq!(column(&read, "glue_job_run", "arguments"), [Some(r#"{"--a":"b"}"#.to_owned())]);
    let run = r#"{"Id":"jr_1","JobName":"j","JobRunState":"FAILED"}"#;
    let read = read_text(format!(r#"{{"Run":{{"Graph":{{"Nodes":[{{"JobDetails":{{"JobRuns":[{run}]}}}}]}}}}}}"#));
    assert_eq!((read.counts.of_table("glue_job_run"), reasons(&read)), ((1, 1, 0), vec![]));
    let read = read_text("id,type,severity,resource,service,accountId\nf-1,T,8,{},{},111122223333\n");
    assert_eq!((read.counts.of_table("guardduty_finding"), reasons(&read)), ((1, 1, 0), vec![]));
}

#[test]
fn other_names_of_a_flows_fields_are_other_things_beside_its_own() {
    let flow = r#"{"account-id":"111122223333","srcaddr":"10.0.0.1","dstaddr":"10.0.0.2","start":1674898496}"#;
    let beside = flow.replace('}', r#","account":"prod","start_time":7}"#);
    let others = flow.replace("account-id", "account").replace("start", "startTime");
    let before =
        flow.replace('{', r#"{"account":"prod","start_time":7,"sourceAddress":"10.0.0.9","endtime":1674898507,"#);
    for (text, unmapped) in [
        (beside, Some(r#"{"account":"prod","start_time":7}"#)),
        (before, Some(r#"{"account":"prod","start_time":7,"sourceAddress":"10.0.0.9"}"#)),
        (others, None),
    ] {
        let read = read_text(&text);
        let value = |name: &str| column(&read, "vpc_flow", name)[0].clone();
        assert_eq!(value("account_id").as_deref(), Some("111122223333"), "{text}");
        assert_eq!(value("start").as_deref(), Some("1674898496"), "{text}");
        assert_eq!(value("srcaddr").as_deref(), Some("10.0.0.1"), "{text}");
        assert_eq!(value("unmapped").as_deref(), unmapped, "{text}");
    }
    // of what stands beside a time that is a date nothing is lost
    let dated = flow.replace("1674898496", r#""2023-01-28 09:34:56","n":123456789012345678901234567890,"n":1.10"#);
    let read = read_text(&dated);
    assert_eq!(column(&read, "vpc_flow", "start"), some(&["1674898496"]));
    assert_eq!(column(&read, "vpc_flow", "unmapped"), some(&[r#"{"n":123456789012345678901234567890,"n":1.10}"#]));
    // and so another spelling of an event's
    let read = read_text(r#"{"event_name":"other","eventName":"PutBucketPolicy","eventSource":"s3.amazonaws.com"}"#);
    assert_eq!(column(&read, "cloudtrail", "eventname"), some(&["PutBucketPolicy"]));
    assert_eq!(column(&read, "cloudtrail", "unmapped"), some(&[r#"{"event_name":"other"}"#]));
}

#[test]
fn a_text_that_is_no_record_stands_for_none_the_second_time_either() {
    let other = r#"{"event":{"original":"other"},"message":"x"}"#;
    let twice = r#"{"message":"other","log":"other"}"#;
    let read = read_text(format!("{other}\n{twice}\n{other}\n{}\n", whole()));
    assert_eq!((facts(&read), reasons(&read)), (vec![expected()], vec!["no table is known for this object"; 3]));
    // an original that is no text
    let event = r#"{"@timestamp":"2024-08-01T11:30:23Z","event":{"action":"PutBucketPolicy","provider":"s3.amazonaws.com","original":{}},"aws":{"cloudtrail":{}},"source":{"ip":"198.51.100.7"}}"#;
    let read = read_text(format!("{event}\n{event}\n"));
    assert_eq!((read.counts.of_table("cloudtrail"), reasons(&read)), ((2, 2, 0), vec![]));
}

#[test]
fn fields_of_splunk_say_when_it_was_and_that_it_went_right() {
    let json = r#"{"preview":false,"result":{"_time":"2024-08-01T12:00:00.000+0000","eventName":"StopLogging","eventSource":"cloudtrail.amazonaws.com","errorCode":"success","userIdentity.arn":"a","eventID":"id-1"}}"#;
    let csv = "\"_time\",eventName,eventSource,errorCode,userIdentity.arn,eventID\n2024-08-01T12:00:00.000+0000,StopLogging,cloudtrail.amazonaws.com,success,a,id-1\n";
    for text in [json, csv] {
        let read = read_text(text);
        assert_eq!((ids(&read), reasons(&read)), (vec!["id-1".to_owned()], vec![]), "{text}");
        assert_eq!(column(&read, "cloudtrail", "errorcode"), [None], "{text}");
        assert_eq!(column(&read, "cloudtrail", "eventtime"), some(&["2024-08-01T12:00:00Z"]), "{text}");
    }
    // another error of an event field by field, and a time beside the event's own
    let failed = json
        .replace("success", "AccessDenied")
        .replace("\"eventName\"", "\"eventTime\":\"2024-08-01T11:00:00Z\",\"eventName\"");
    let read = read_text(failed);
    assert_eq!(column(&read, "cloudtrail", "errorcode"), some(&["AccessDenied"]));
    assert_eq!(column(&read, "cloudtrail", "eventtime"), some(&["2024-08-01T11:00:00Z"]));
}
