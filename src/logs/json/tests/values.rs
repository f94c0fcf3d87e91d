//! What stands in the columns of a record: texts, objects in texts, free forms and values of other types.

use super::*;

#[test]
fn an_identity_that_is_a_text_is_read_as_the_object_in_it() {
    let who = r#"{"type":"IAMUser","accountId":"111122223333"}"#;
    for n in [1, 2] {
        // the second is tried as a record of the table of the one before it
        let record = event(1).replace(who, &serde_json::to_string(who).unwrap());
        assert_ne!(record, event(1));
        let read = read_text(vec![record; n].join("\n"));
        assert_eq!(reasons(&read), [""; 0]);
        assert_eq!(column(&read, "cloudtrail", "useridentity.type"), some(&["IAMUser", "IAMUser"][..n]));
        assert_eq!(column(&read, "cloudtrail", "account"), some(&["111122223333", "111122223333"][..n]));
        assert_eq!(column(&read, "cloudtrail", "unmapped"), vec![None; n]);
    }
    let none = event(1).replace(who, r#""{\"type""#);
    let read = read_text(&none);
    assert_eq!(column(&read, "cloudtrail", "unmapped"), some(&[r#"{"userIdentity":"{\"type"}"#]));
}

#[test]
fn columns_that_are_texts_are_read_however_these_are_written() {
    let who = r#"{"type":"IAMUser","accountId":"111122223333"}"#;
    // as .NET writes a quote, and with a line end as in pretty JSON
    for text in [who.replace('"', r"\u0022"), who.replace('{', r"{\n  ").replace('"', r#"\""#)] {
        let read = read_text(event(1).replace(who, &format!("\"{text}\"")));
        assert_eq!(column(&read, "cloudtrail", "useridentity.type"), some(&["IAMUser"]), "{text}");
        assert_eq!(column(&read, "cloudtrail", "unmapped"), [None], "{text}");
    }
    // as Athena and CloudTrail Lake print them, maps too, where somebody made JSON of the rows
    let printed = event(1)
        .replace(who, r#""{type=IAMUser, accountid=111122223333, sessioncontext=null}""#)
        .replace(r#"{"userName":"u1"}"#, r#""{userName=u1, tags={\"a\":[1]}}""#);
    let read = read_text(printed);
    assert_eq!(column(&read, "cloudtrail", "useridentity.accountid"), some(&["111122223333"]));
    assert_eq!(column(&read, "cloudtrail", "account"), some(&["111122223333"]));
    assert_eq!(column(&read, "cloudtrail", "requestparameters"), some(&[r#"{"userName":"u1","tags":{"a":[1]}}"#]));
    assert_eq!(column(&read, "cloudtrail", "unmapped"), [None]);
    // a text that is no object stays one
    let read = read_text(event(1).replace(r#"{"userName":"u1"}"#, r#""{userName=u1}""#));
    assert_eq!(column(&read, "cloudtrail", "requestparameters"), some(&[r#""{userName=u1}""#]));
    // a list alone
    let listed = r#""resources":"[{\"ARN\":\"a\"}]","eventID""#;
    let read = read_text(event(1).replace(r#""eventID""#, listed));
    assert_eq!(column(&read, "cloudtrail", "unmapped"), [None]);
    assert_eq!(read.batches[0].rows.column_by_name("resources").unwrap().null_count(), 0);
}

#[test]
fn times_and_flags_mean_what_their_escapes_stand_for() {
    // as .NET writes a plus, and PowerShell a slash
    for time in [r"2024-08-01T13:30:23\u002B02:00", r"\/Date(1722511823000)\/"] {
        let read = read_text(event(1).replace("2024-08-01T11:30:23Z", time));
        assert_eq!(column(&read, "cloudtrail", "eventtime"), some(&["2024-08-01T11:30:23Z"]), "{time}");
        assert_eq!(column(&read, "cloudtrail", "unmapped"), [None], "{time}");
    }
    let read = read_text(event(1).replace(r#""eventID""#, r#""readOnly":"tru\u0065","eventID""#));
    assert_eq!(column(&read, "cloudtrail", "readonly"), some(&["true"]));
}

#[test]
fn free_forms_are_json_to_everybody() {
    // half a surrogate pair, and an escape that JSON does not know: of such a text the functions of SQL gave nothing at all
    let odd = event(1)
        .replace(
            r#"{"userName":"u1"}"#,
            r#"{"a":"\ud800","userName":"u1","b":"\q","c":"\ud83d\ude00","d":"{\"e\":\"\\ud800\"}"}"#,
        )
        .replace(r#""eventID""#, r#""new":"\udc00","responseElements":"{\"d\":\"\\ud800\"}","eventID""#);
    let read = read_text(&odd);
    let value = |path| column(&read, "cloudtrail", path)[0].clone().unwrap();
    assert_eq!(
        value("requestparameters"),
        r#"{"a":"\ufffd","userName":"u1","b":"\\q","c":"\ud83d\ude00","d":"{\"e\":\"\\ufffd\"}"}"#
    );
    assert_eq!(value("responseelements"), r#"{"d":"\ufffd"}"#);
    assert_eq!(value("unmapped"), r#"{"new":"\ufffd"}"#);
}

#[test]
fn a_number_of_thousands_of_digits_hides_no_parameter() {
    // of a text with more than 4,300 digits in a row the functions of SQL gave nothing at all
    let (digits, rest) = ("7".repeat(5_000), "7".repeat(4_999));
    let odd = event(1)
        .replace(r#"{"userName":"u1"}"#, &format!(r#"{{"n":{digits},"userName":"u1"}}"#))
        .replace(r#""eventID""#, &format!(r#""new":[{digits}],"responseElements":"{{\"d\":{digits}}}","eventID""#));
    let read = read_text(&odd);
    let value = |path| column(&read, "cloudtrail", path)[0].clone().unwrap();
    assert_eq!(value("requestparameters"), format!(r#"{{"n":7.{rest}e4999,"userName":"u1"}}"#));
    assert_eq!(value("responseelements"), format!(r#"{{"d":7.{rest}e4999}}"#));
    assert_eq!(value("unmapped"), format!(r#"{{"new":[7.{rest}e4999]}}"#));
}

#[test]
fn an_empty_error_code_is_none() {
    let with =
        |code: &str| event(1).replace("{\"eventVersion\"", &format!("{{\"errorCode\":\"{code}\",\"eventVersion\""));
    let read = read_text([with(""), with("AccessDenied"), event(1)].join("\n"));
    assert_eq!(column(&read, "cloudtrail", "errorcode"), [None, Some("AccessDenied".to_owned()), None]);
    // as a text, and then of the message too
    let read = read_text([with("null\",\"errorMessage\":\"null"), with("X\",\"errorMessage\":\"no")].join("\n"));
    assert_eq!(column(&read, "cloudtrail", "errorcode"), [None, Some("X".to_owned())]);
    assert_eq!(column(&read, "cloudtrail", "errormessage"), [None, Some("no".to_owned())]);
    // whatever other calls are read with it
    let read = read_text([with("null"), with("X\",\"errorMessage\":\"null")].join("\n"));
    assert_eq!(column(&read, "cloudtrail", "errormessage"), [None, Some("null".to_owned())]);
    let read = read_text([with("NULL"), with("NullPointer")].join("\n"));
    assert_eq!(column(&read, "cloudtrail", "errorcode"), [None, Some("NullPointer".to_owned())]);
}

#[test]
fn values_of_another_type_are_kept() {
    let read = read_text(
        r#"{"eventVersion":1.08,"eventID":"a","EVENTNAME":"X","eventSource":"y","readOnly":"true","apiVersion":20120419,"userIdentity":"me","resources":[{"arn":"r","accountId":1},null,"odd"],"requestParameters":"{\"a\":[1]}","responseElements":"plain","new":{"k":[1]},"sharedEventId":"s","tlsDetails":{"tlsVersion":"1","extra":2},"managementEvent":"perhaps","additionalEventData":null,"eventTime":"2024-08-01T11:30:23Z","sourceIPAddress":null,"userAgent":"a\"\ud800","errorMessage":["x"],"eventType":{"a": 1}}"#,
    );
    let value = |path| column(&read, "cloudtrail", path)[0].clone();
    let expected = [
        ("eventversion", "1.08"),
        ("eventname", "X"),
        ("readonly", "true"),
        ("apiversion", "20120419"),
        ("requestparameters", r#"{"a":[1]}"#),
        ("responseelements", r#""plain""#),
        ("sharedeventid", "s"),
        ("tlsdetails.tlsversion", "1"),
        ("eventtime", "2024-08-01T11:30:23Z"),
        ("useragent", "a\"\u{fffd}"),
        ("errormessage", r#"["x"]"#),
        ("eventtype", r#"{"a": 1}"#),
        (
            "unmapped",
            r#"{"userIdentity":"me","resources":[{"arn":"r","accountId":1},null,"odd"],"new":{"k":[1]},"tlsDetails.extra":2,"managementEvent":"perhaps"}"#,
        ),
        ("account", "unknown"),
    ];
    for (path, expected) in expected {
        assert_eq!(value(path).as_deref(), Some(expected), "{path}");
    }
    for path in ["managementevent", "additionaleventdata", "sourceipaddress", "useridentity.arn"] {
        assert_eq!(value(path), None, "{path}");
    }
    let resources = read.batches[0].rows.column_by_name("resources").unwrap().as_list::<i32>().value(0);
    let arns = cast(resources.as_struct().column_by_name("arn").unwrap(), &DataType::Utf8).unwrap();
    assert_eq!(arns.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("r"), None, None]);
    assert_eq!((resources.is_null(0), resources.is_null(1), resources.is_null(2)), (false, true, true));
}

#[test]
fn a_text_that_stands_twice_in_one_object_is_read_once() {
    let flow = "2 111122223333 eni-0a 10.0.0.1 10.0.0.2 1 2 6 1 40 1722470400 1722470460 ACCEPT OK";
    let shipped = serde_json::json!({ "message": flow, "event": { "original": flow }, "@version": "1" }).to_string();
    assert_eq!(column(&read_text(format!("{shipped}\n{shipped}")), "vpc_flow", "srcport").len(), 2);
    let event = event(1).replace(",\"eventID\":\"id-1\"", "");
    let shipped = serde_json::json!({ "event": { "original": event }, "message": event }).to_string();
    assert_eq!(column(&read_text(shipped), "cloudtrail", "eventname").len(), 1);
    // events of one list may say the same
    let listed = serde_json::json!({ "logs": [{ "message": flow }, { "message": flow }] }).to_string();
    assert_eq!(column(&read_text(listed), "vpc_flow", "srcport").len(), 2);
}

#[test]
fn a_text_that_stands_twice_behind_many_others_of_its_object_is_read_once() {
    let member = |n: usize| format!(r#""k{n}":{{"message":{}}}"#, serde_json::Value::from(event(n)));
    let mut members: Vec<String> = (0..200).map(member).collect();
    members.push(format!(r#""again":{{"message":{}}}"#, serde_json::Value::from(event(199))));
    let read = read_text(format!("{{{}}}", members.join(",")));
    assert_eq!((ids(&read).len(), reasons(&read).len()), (200, 0));
}
