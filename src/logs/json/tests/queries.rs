//! What queries over logs answered: Athena, CloudTrail Lake, the event history, LookupEvents.

use super::*;

/// Rows as Athena and CloudTrail Lake export them: every cell quoted.
fn csv(rows: &[Vec<String>], line_end: &str) -> String {
    let cell = |text: &String| format!("\"{}\"", text.replace('"', "\"\""));
    let line = |row: &Vec<String>| row.iter().map(cell).collect::<Vec<_>>().join(",") + line_end;
    rows.iter().map(line).collect()
}

/// The records of a file as a query would answer them: names of columns, then a row for each, where an absent value is empty.
fn answered(path: &str) -> Vec<Vec<String>> {
    let file: serde_json::Value = serde_json::from_slice(&sample(path)).unwrap();
    let records = file["Records"].as_array().unwrap();
    let mut names: Vec<&String> = records.iter().flat_map(|record| record.as_object().unwrap().keys()).collect();
    names.sort();
    names.dedup();
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let rows = records.iter().map(|record| names.iter().map(|name| text(&record[name.as_str()])).collect());
    std::iter::once(names.iter().map(|name| (*name).clone()).collect()).chain(rows).collect()
}

#[test]
fn what_a_query_over_cloudtrail_answers_has_the_rows_of_the_files() {
    let path = "cloudtrail/account/218007301253_CloudTrail_us-east-1_20230710T1145Z_s7dpHbl38neqZbm2.json";
    let rows = answered(path);
    let folded = |row: &Vec<String>| row.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>();
    let of_athena: Vec<_> = std::iter::once(folded(&rows[0])).chain(rows[1..].iter().cloned()).collect();
    let lake: Vec<Vec<serde_json::Value>> = rows[1..]
        .iter()
        .map(|row| rows[0].iter().zip(row).map(|(name, text)| serde_json::json!({name: text})).collect())
        .collect();
    let lake =
        serde_json::json!({"QueryStatus": "FINISHED", "QueryStatistics": {"ResultsCount": 1}, "QueryResultRows": lake});
    let datum = |text: &String| match text.as_str() {
        "" => serde_json::json!({}),
        text => serde_json::json!({"VarCharValue": text}),
    };
    let of_cli: Vec<_> =
        of_athena.iter().map(|row| serde_json::json!({"Data": row.iter().map(datum).collect::<Vec<_>>()})).collect();
    let types: Vec<_> = of_athena[0].iter().map(|name| serde_json::json!({"Name": name, "Type": "varchar"})).collect();
    let page = |rows: &[serde_json::Value]| {
        let set = serde_json::json!({"Rows": rows, "ResultSetMetadata": {"ColumnInfo": types}});
        serde_json::json!({"UpdateCount": 0, "ResultSet": set}).to_string()
    };
    let expected = read(Input::Bytes(sample(path).into()), &Options::default());
    assert!(ids(&expected).len() > 10, "{}", ids(&expected).len());
    let forced = Options { table: Some(&logs::cloudtrail::CLOUDTRAIL), ..Options::default() };
    let plain = Options::default();
    for (text, options, times) in [
        (csv(&rows, "\n"), &plain, 1),
        (csv(&of_athena, "\r\n"), &forced, 1),
        (format!("\u{feff}{}", csv(&rows, "\n")), &plain, 1),
        (csv(&rows, "\n").repeat(2), &plain, 2),
        (lake.to_string(), &plain, 1),
        (page(&of_cli), &plain, 1),
        // a second page has no row of names
        (page(&of_cli[1..]), &forced, 1),
        (json(&Some(page(&of_cli)))["ResultSet"].to_string(), &plain, 1),
    ] {
        let read = read(Input::Bytes(text.clone().into()), options);
        assert_eq!(reasons(&read), [""; 0]);
        for path in
            ["eventid", "eventtime", "account", "useridentity.arn", "readonly", "tlsdetails.ciphersuite", "errorcode"]
        {
            let expected = vec![column(&expected, "cloudtrail", path); times].concat();
            assert_eq!(column(&read, "cloudtrail", path), expected, "{path} of {}", &text[..40]);
        }
        let parameters =
            |read: &Outcome| column(read, "cloudtrail", "requestparameters").iter().map(json).collect::<Vec<_>>();
        assert_eq!(parameters(&read), vec![parameters(&expected); times].concat());
    }
}

#[test]
fn a_column_that_is_no_json_stays_a_text_and_a_damaged_row_costs_itself_only() {
    let header = ["eventname", "eventsource", "eventid", "useridentity", "requestparameters", "errormessage"];
    let row = |id: &str| {
        let who = "{kind=IAMUser, principalid=AIDA}";
        ["CreateUser", "iam.amazonaws.com", id, who, "{userName}", "two\nlines"].map(str::to_owned).to_vec()
    };
    let header = csv(&[header.map(str::to_owned).to_vec()], "\n");
    let read = read_text(format!("{header}{}", csv(&[row("id-1")], "\n")));
    assert_eq!(reasons(&read), [""; 0]);
    assert_eq!(column(&read, "cloudtrail", "requestparameters"), some(&[r#""{userName}""#]));
    assert_eq!(column(&read, "cloudtrail", "errormessage"), some(&["two\nlines"]));
    let unmapped = r#"{"useridentity":"{kind=IAMUser, principalid=AIDA}"}"#;
    assert_eq!(column(&read, "cloudtrail", "unmapped"), some(&[unmapped]));

    let [a, b, c] = ["id-1", "id-2", "id-3"].map(|id| csv(&[row(id)], "\n"));
    let short = b.replacen("\"two\nlines\"", "", 1).replacen(",\n", "\n", 1);
    let open = "\"CreateUser,\"iam.amazonaws.com\",\"id-2\",\"\",\"\",\"\"\n";
    for (damaged, reason) in [
        (short.as_str(), "a row with another number of columns than the header has"),
        (open, "a row with a quote that is not closed, or that closes before its cell ends"),
    ] {
        let text = format!("{header}{a}{damaged}\n{c}");
        let read = read_text(&text);
        assert_eq!((ids(&read), reasons(&read)), (vec!["id-1".to_owned(), "id-3".to_owned()], vec![reason]));
        let reject = &read.rejects[0];
        assert_eq!((reject.offset as usize, reject.table), (header.len() + a.len(), "cloudtrail"));
        assert_eq!(reject.bytes, damaged.trim_end().as_bytes());
    }
    let empty = csv(&[vec![String::new(); 6]], "\n");
    assert_eq!(reasons(&read_text(format!("{header}{empty}"))), ["no table is known for this object"]);
    assert_eq!(read_text(format!("{header},,,,,\n\n{a},,,,,\r\n")).counts.of_table("cloudtrail"), (1, 1, 0));
}

#[test]
fn nulls_of_databases_are_nulls() {
    let header = "eventname,eventsource,eventid,errorcode,errormessage,useragent";
    let read = read_text(format!("{header}\nCreateUser,iam.amazonaws.com,id-1,\\N,NULL,null\n"));
    for name in ["errorcode", "errormessage"] {
        assert_eq!(column(&read, "cloudtrail", name), [None], "{name}");
    }
    assert_eq!(column(&read, "cloudtrail", "useragent"), some(&["null"]));
    assert_eq!(column(&read, "cloudtrail", "unmapped"), [None]);
    // JSON that is null is no text, and what went right has no error of that name
    let header = "eventname,eventsource,eventid,errorcode,errormessage,requestparameters,responseelements,resources,useridentity";
    let read = read_text(format!("{header}\nCreateUser,iam.amazonaws.com,id-1,null,null,\"null\",null,null,null\n"));
    assert_eq!(reasons(&read), [""; 0]);
    for name in ["errorcode", "errormessage", "requestparameters", "responseelements", "useridentity.type"] {
        assert_eq!(column(&read, "cloudtrail", name), [None], "{name}");
    }
    let read = read_text(
        "eventname,eventsource,eventid,errorcode,useragent\nA,iam.amazonaws.com,id-1,-,-\nA,iam.amazonaws.com,id-2,None,None\n",
    );
    assert_eq!(column(&read, "cloudtrail", "errorcode"), [None, None]);
    assert_eq!(column(&read, "cloudtrail", "useragent"), some(&["-", "None"]));
}

#[test]
fn structs_of_athena_are_columns() {
    let header = ["eventname", "eventsource", "eventid", "useridentity", "resources", "tlsdetails"];
    let who = "{type=AssumedRole, principalid=AROA:i-1, arn=arn:aws:sts::111122223333:assumed-role/r/i-1, accountid=111122223333, \
               invokedby=null, accesskeyid=ASIA1, username=null, sessioncontext={attributes={mfaauthenticated=false, \
               creationdate=2024-08-01T10:00:00Z}, sessionissuer={type=Role, principalid=AROA, arn=arn:aws:iam::111122223333:role/r, \
               accountid=111122223333, username=r}, ec2roledelivery=null, webidfederationdata=null}}";
    let resources = "[{arn=arn:aws:s3:::a, accountid=111122223333, type=AWS::S3::Bucket}, {arn=arn:aws:s3:::a/b=c, d, accountid=null, type=null}]";
    let tls = "{tlsversion=TLSv1.3, ciphersuite=TLS_AES_128_GCM_SHA256, clientprovidedhostheader=s3.amazonaws.com}";
    let row = ["GetObject", "s3.amazonaws.com", "id-1", who, resources, tls];
    let rows = [header, row].map(|row| row.map(str::to_owned).to_vec());
    let read = read_text(csv(&rows, "\n"));
    assert_eq!(reasons(&read), [""; 0]);
    for (path, expected) in [
        ("useridentity.type", "AssumedRole"),
        ("useridentity.accesskeyid", "ASIA1"),
        ("useridentity.sessioncontext.attributes.mfaauthenticated", "false"),
        ("useridentity.sessioncontext.sessionissuer.arn", "arn:aws:iam::111122223333:role/r"),
        ("account", "111122223333"),
        ("tlsdetails.clientprovidedhostheader", "s3.amazonaws.com"),
    ] {
        assert_eq!(column(&read, "cloudtrail", path), some(&[expected]), "{path}");
    }
    for path in ["useridentity.invokedby", "useridentity.sessioncontext.ec2roledelivery", "unmapped"] {
        assert_eq!(column(&read, "cloudtrail", path), [None], "{path}");
    }
    let resources = read.batches[0].rows.column_by_name("resources").unwrap();
    let resources = arrow::util::display::array_value_to_string(resources, 0).unwrap();
    assert!(resources.contains("arn:aws:s3:::a/b=c, d"), "{resources}");
}

#[test]
fn the_event_history_of_the_console_is_read() {
    let text = "User name,AWS access key,Event time,Event source,Event name,AWS region,Source IP address,User agent,Error code,Resources,\
                Request ID,Event ID,Read-only,Event type,Recipient Account Id,Event category\n\
                eve,AKIA1,2024-08-01T10:00:00Z,iam.amazonaws.com,CreateUser,us-east-1,192.0.2.1,\"a, b\",AccessDenied,\
                \"[{\"\"resourceType\"\":\"\"AWS::IAM::User\"\",\"\"resourceName\"\":\"\"x\"\"}]\",r-1,id-1,false,AwsApiCall,111122223333,Management\n\
                ,,2024-08-01T10:00:01Z,sts.amazonaws.com,AssumeRole,us-east-1,ec2.amazonaws.com,ec2,,,r-2,id-2,true,AwsApiCall,111122223333,Management\n";
    let read = read_text(text);
    assert_eq!(reasons(&read), [""; 0]);
    assert_eq!(ids(&read), ["id-1", "id-2"]);
    for (path, expected) in [
        ("account", [Some("111122223333"), Some("111122223333")]),
        ("useridentity.username", [Some("eve"), None]),
        ("useridentity.accesskeyid", [Some("AKIA1"), None]),
        ("useragent", [Some("a, b"), Some("ec2")]),
        ("errorcode", [Some("AccessDenied"), None]),
        ("readonly", [Some("false"), Some("true")]),
        ("unmapped", [Some(r#"{"resourceNames":[{"resourceType":"AWS::IAM::User","resourceName":"x"}]}"#), None]),
    ] {
        let expected: Vec<Option<String>> = expected.map(|text| text.map(str::to_owned)).into();
        assert_eq!(column(&read, "cloudtrail", path), expected, "{path}");
    }
}

#[test]
fn flow_logs_that_athena_answered_are_read() {
    let text = "\"version\",\"account_id\",\"interface_id\",\"srcaddr\",\"dstaddr\",\"srcport\",\"start\",\"end\",\"action\",\"log_status\"\n\
                \"2\",\"111122223333\",\"eni-1\",\"10.0.0.1\",\"10.0.0.2\",\"443\",\"1722506400\",\"1722506460\",\"ACCEPT\",\"OK\"\n\
                \"2\",\"111122223333\",\"eni-1\",\"-\",\"-\",\"\",\"1722506400\",\"1722506460\",\"-\",\"NODATA\"\n\
                \"2\",\"111122223333\"\n";
    let forced = Options { table: Some(&logs::vpc_flow::VPC_FLOW), ..Options::default() };
    for options in [&Options::default(), &forced] {
        let read = read(Input::Bytes(text.to_owned().into()), options);
        assert_eq!(reasons(&read), ["a row with another number of columns than the header has"]);
        assert_eq!(read.rejects[0].table, "vpc_flow");
        assert_eq!(column(&read, "vpc_flow", "account"), some(&["111122223333", "111122223333"]));
        assert_eq!(column(&read, "vpc_flow", "srcport"), [Some("443".to_owned()), None]);
        assert_eq!(column(&read, "vpc_flow", "srcaddr"), [Some("10.0.0.1".to_owned()), None]);
    }
}

#[test]
fn a_long_csv_is_cut_between_rows() {
    let header = ["eventname", "eventsource", "eventid", "errormessage"].map(str::to_owned).to_vec();
    let row = |n: usize| {
        let filling = format!("{}\n", "x".repeat(n % 97)).repeat(9);
        ["CreateUser".to_owned(), "iam.amazonaws.com".to_owned(), format!("id-{n}"), filling].to_vec()
    };
    let rows: Vec<_> = std::iter::once(header).chain((0..12_000).map(row)).collect();
    let text = csv(&rows, "\n");
    assert!(text.len() > 5 << 20);
    let read = read(Input::Stream(Box::new(std::io::Cursor::new(text.into_bytes()))), &Options::default());
    assert_eq!(reasons(&read), [""; 0]);
    assert!(read.batches.len() > 1);
    assert_eq!(ids(&read), (0..12_000).map(|n| format!("id-{n}")).collect::<Vec<_>>());
}

#[test]
fn a_row_of_very_many_cells_costs_itself_only() {
    let row = |id: &str| format!("CreateUser,iam.amazonaws.com,2024-08-01T11:30:23Z,{id}\n");
    let wide = format!("{}x", ",".repeat(200_000));
    let text = format!("eventname,eventsource,eventtime,eventid\n{}{wide}\n{}", row("id-1"), row("id-2"));
    let read = read_text(text);
    assert_eq!(
        (ids(&read), reasons(&read)),
        (vec!["id-1".to_owned(), "id-2".to_owned()], vec!["a row of more than 100000 cells"])
    );
}

#[test]
fn a_row_of_a_query_that_is_none_is_a_reject() {
    let row =
        r#"[{"eventName":"CreateUser"},{"eventSource":"iam.amazonaws.com"},{"eventID":"id-1"},{"errorCode":null}]"#;
    let read = read_text(format!(r#"{{"QueryResultRows":[{row},7,[],[{{"count":"3"}}]],"QueryStatus":"FINISHED"}}"#));
    assert_eq!(ids(&read), ["id-1"]);
    assert_eq!(column(&read, "cloudtrail", "errorcode"), [None]);
    let unknown = "no table is known for this object";
    assert_eq!(reasons(&read), ["a row of a query that is no array", unknown, unknown]);
    assert_eq!(read_text(r#"{"QueryResultRows":[],"QueryStatus":"FINISHED"}"#).rejects.len(), 0);
}

/// What `aws cloudtrail lookup-events` prints of a record, with its own names for parts of it.
fn looked_up(record: &str) -> String {
    format!(
        r#"{{"EventId":"id-1","EventName":"CreateUser","ReadOnly":"false","EventTime":"2024-08-01T13:30:23+02:00","EventSource":"iam.amazonaws.com","Username":"eve","Resources":[],"CloudTrailEvent":{record}}}"#
    )
}

#[test]
fn the_record_of_a_looked_up_event_is_the_text_inside() {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let [a, b] = [event(1), event(2)].map(|event| looked_up(&quoted(&event)));
    for shape in [
        format!(r#"{{"Events":[{a},{b}],"NextToken":"x"}}"#),
        format!("{{\n  \"Events\": [{a},{b}]}}"),
        format!("[{a},{b}]"),
        format!("{a}\n{b}\n"),
        // a record before them, whose table the next is tried as
        format!("{}\n{a}\n{b}", event(0)),
        looked_up(&event(1)) + &b,
    ] {
        let read = read_text(&shape);
        assert_eq!(reasons(&read), [""; 0], "{shape}");
        let mut ids = ids(&read);
        ids.sort();
        assert!(ids.ends_with(&["id-1".to_owned(), "id-2".to_owned()]), "{ids:?} of {shape}");
        let types = column(&read, "cloudtrail", "useridentity.type");
        assert!(types.iter().all(|text| text.as_deref() == Some("IAMUser")), "{types:?} of {shape}");
        assert!(column(&read, "cloudtrail", "unmapped").iter().all(Option::is_none), "{shape}");
    }
}

#[test]
fn a_looked_up_event_without_a_record_says_why() {
    for (record, reason) in [
        (r#""no JSON""#, "its CloudTrailEvent is no JSON object"),
        ("null", "its CloudTrailEvent is no JSON object"),
        (r#""{\"eventVersion\":\"1.08\",""#, "the record is cut off at the end of the input"),
    ] {
        let read = read_text(format!(r#"{{"Events":[{}]}}"#, looked_up(record)));
        assert_eq!((reasons(&read), ids(&read).len()), (vec![reason], 0), "{record}");
    }
}

#[test]
fn records_that_are_texts_are_read_one_by_one_in_an_array_and_in_lines() {
    let quoted = |text: String| serde_json::Value::String(text).to_string();
    let texts: Vec<String> = (1..4).map(|n| quoted(event(n))).collect();
    let document = format!("{{\"Records\":[{},{},{}]}}", event(1), event(2), event(3));
    for text in [
        format!("[\n    {}\n]\n", texts.join(",\n    ")),
        texts.join("\n"),
        texts.concat(),
        format!("\u{feff}{}\r\n", texts.join("\r\n")),
        quoted(document.clone()),
        quoted(format!("[{},{},{}]", event(1), event(2), event(3))),
        format!("{{\"Records\":[{}]}}", texts.join(",")),
        format!("{}\n{}\n{}\n", event(1), texts[1], event(3)),
    ] {
        let read = read_text(&text);
        let mut found = ids(&read);
        found.sort();
        assert_eq!((found, reasons(&read)), (vec!["id-1".into(), "id-2".into(), "id-3".into()], vec![]), "{text}");
    }
    // what is cut off is a reject, and so is a text of something else
    let cut = read_text(&texts.join("\n")[..texts.join("\n").len() - 20]);
    assert_eq!((ids(&cut).len(), reasons(&cut)), (2, vec!["the record is cut off at the end of the input"]));
    assert_eq!(reasons(&read_text("[\"a\", \"b\"]")), ["a string where an object should be"; 2]);
}

#[test]
fn many_records_that_are_texts_are_read_in_pieces() {
    let lines: Vec<String> = (0..20_000).map(|n| serde_json::Value::String(event(n)).to_string()).collect();
    for text in [lines.join("\n"), format!("[{}]", lines.join(", "))] {
        assert!(text.len() > 5 << 20);
        let read = read(Input::Stream(Box::new(std::io::Cursor::new(text.into_bytes()))), &Options::default());
        let mut found = ids(&read);
        found.sort();
        found.dedup();
        assert_eq!((found.len(), reasons(&read)), (20_000, vec![]));
    }
}

#[test]
fn a_record_is_found_under_the_names_that_exports_give_it() {
    let quoted = serde_json::Value::String(event(1)).to_string();
    let cell = quoted.replace("\\\"", "\"\"");
    for text in [
        format!("{{\"QueryStatus\":\"FINISHED\",\"QueryResultRows\":[[{{\"eventJson\":{quoted}}}]]}}"),
        format!("{{\"eventjson\":{quoted}}}"),
        format!("{{\"preview\":false,\"result\":{{\"_raw\":{quoted},\"host\":\"a\"}}}}"),
        format!("{{\"_index\":\"logs\",\"_source\":{{\"event\":{{\"kind\":\"event\",\"original\":{quoted}}}}}}}"),
        format!("[{{\"@timestamp\":\"2024-08-01 11:30:23.000\",\"@message\":{quoted}}}]"),
        format!("@timestamp,@message\n2024-08-01 11:30:23.000,{cell}\n"),
        format!("timestamp,message\n1722511823000,{cell}\n"),
        format!("\"_raw\",\"_time\"\n{cell},\"2024-08-01T11:30:23.000+0000\"\n"),
        format!("eventJson,eventCategory\r\n{cell},Management\r\n"),
    ] {
        let read = read_text(&text);
        assert_eq!((ids(&read), reasons(&read)), (vec!["id-1".into()], vec![]), "{text}");
    }
    let flow = "2 123456789010 eni-1 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK";
    for text in [
        format!("@timestamp,@message\n2014-12-14 04:06:50.000,{flow}\n"),
        format!("timestamp,message\n1418530010000,{flow}\n"),
    ] {
        let read = read_text(text);
        assert_eq!((column(&read, "vpc_flow", "srcport"), reasons(&read)), (vec![Some("20641".into())], vec![]));
    }
}

#[test]
fn what_python_prints_and_what_is_too_long_say_so() {
    let of_python = "not JSON but what Python prints of a dict: write json.dumps(answer, default=str)";
    for text in [
        "{'JobRuns': [{'Id': 'jr_1', 'StartedOn': <datetime object>}]}",
        "[{'eventName': 'CreateUser', 'readOnly': False, 'errorCode': ...}]",
    ] {
        assert_eq!(reasons(&read_text(text)), [of_python]);
    }
    let long = format!("{{\"eventName\":\"{}\"}}\n{}\n", "x".repeat(17 << 20), event(1));
    let read = read(Input::Stream(Box::new(std::io::Cursor::new(long.into_bytes()))), &Options::default());
    assert_eq!(ids(&read), ["id-1"]);
    assert_eq!(reasons(&read)[0], "the record is longer than 16 MiB");
}

#[test]
fn a_quote_inside_of_a_cell_costs_no_row_of_a_long_csv() {
    let filling = "x".repeat(90);
    let row = |n: usize| match n {
        10 => format!("CreateUser,iam.amazonaws.com,id-{n},5\" screen\n"),
        20_000 => format!("CreateUser,iam.amazonaws.com,id-{n},\"it ends\" here\n"),
        _ => format!("\"CreateUser\",\"iam.amazonaws.com\",\"id-{n}\",\"{filling}\n\"\"{n}\"\"\"\n"),
    };
    let text: String =
        std::iter::once("eventName,eventSource,eventID,userAgent\n".into()).chain((0..40_000).map(row)).collect();
    assert!(text.len() > 5 << 20);
    let read = read(Input::Stream(Box::new(std::io::Cursor::new(text.into_bytes()))), &Options::default());
    assert!(read.batches.len() > 1);
    assert_eq!(reasons(&read), ["a row with a quote that is not closed, or that closes before its cell ends"]);
    let expected = (0..40_000).filter(|n| *n != 20_000).map(|n| format!("id-{n}"));
    assert!(ids(&read) == expected.collect::<Vec<_>>(), "{}", ids(&read).len());
}

#[test]
fn csv_of_one_column_is_read() {
    let row = |n| format!("\"{}\"", event(n).replace('"', "\"\""));
    let flow = "2 123456789010 eni-1 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK";
    for text in [
        format!("@message\n{}\n{flow}\n{}\n", row(1), row(2)),
        format!("\"eventJson\"\r\n{}\r\n{}\r\n\r\n", row(1), row(2)),
        format!("_raw\n{}\n\n_raw\n{}", row(1), row(2)),
    ] {
        let read = read_text(&text);
        assert_eq!((ids(&read), reasons(&read)), (vec!["id-1".into(), "id-2".into()], vec![]), "{text}");
        assert_eq!(column(&read, "vpc_flow", "srcport").len(), text.matches("20641").count());
    }
    let long: String = (0..10_000).map(|n| row(n) + "\n").collect();
    let read = read(
        Input::Stream(Box::new(std::io::Cursor::new(format!("eventJson\n{long}").into_bytes()))),
        &Options::default(),
    );
    assert_eq!((ids(&read).len(), reasons(&read)), (10_000, vec![]));
}

#[test]
fn a_header_that_follows_names_the_columns_behind_it() {
    let first = "eventTime,eventName,eventSource,eventID\n2024-08-01T00:00:00Z,CreateUser,iam.amazonaws.com,id-1\n";
    let other =
        "eventName,eventTime,eventSource,eventID,userAgent\nCreateUser,2024-08-01T00:00:00Z,iam.amazonaws.com,id-2,a\n";
    let insights = format!("@timestamp,@message\n2024-08-01 00:00:00.000,\"{}\"\n", event(3).replace('"', "\"\""));
    let read_it = read_text(format!("{first}{other}{first}{insights}"));
    let mut found = ids(&read_it);
    found.sort();
    assert_eq!((found, reasons(&read_it)), (["id-1", "id-1", "id-2", "id-3"].map(str::to_owned).to_vec(), vec![]));
    assert_eq!(column(&read_it, "cloudtrail", "eventname").iter().flatten().collect::<Vec<_>>(), ["CreateUser"; 4]);
    // and names those of the pieces behind its own
    let filling = "x".repeat(200);
    let row = |n| format!("CreateUser,2024-08-01T00:00:00Z,iam.amazonaws.com,id-{n},{filling}\n");
    let text = format!("{first}\u{feff}{other}{}", (3..30_000).map(row).collect::<String>());
    assert!(text.len() > 5 << 20);
    let read = read(Input::Stream(Box::new(std::io::Cursor::new(text.into_bytes()))), &Options::default());
    assert_eq!((ids(&read).len(), reasons(&read)), (29_999, vec![]));
    assert!(column(&read, "cloudtrail", "eventname").iter().all(|name| name.as_deref() == Some("CreateUser")));
}

#[test]
fn a_sequence_of_texts_as_rfc_7464_has_it_is_read() {
    let read = read_text(format!("\u{1e}{}\n\u{1e}{}\n", event(1), event(2)));
    assert_eq!((ids(&read), reasons(&read)), (vec!["id-1".into(), "id-2".into()], vec![]));
}
