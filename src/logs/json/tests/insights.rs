//! What queries of CloudWatch Logs Insights answered, as `aws logs get-query-results` prints it and as CSV.

use super::*;

/// An answer in both forms. Of an empty text JSON has no field.
fn answers<const WIDTH: usize>(names: [&str; WIDTH], rows: &[[&str; WIDTH]]) -> [String; 2] {
    let cell = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let line = |row: &[&str; WIDTH]| row.map(cell).join(",") + "\n";
    let csv = std::iter::once(&names).chain(rows).map(line).collect();
    let fields = |row: &[&str; WIDTH]| {
        let told = names.iter().zip(row).filter(|(_, value)| !value.is_empty());
        told.map(|(name, value)| serde_json::json!({"field": name, "value": value})).collect()
    };
    let rows: Vec<Vec<serde_json::Value>> = rows.iter().map(fields).collect();
    [csv, serde_json::json!({"results": rows, "statistics": {}, "status": "Complete"}).to_string()]
}

#[test]
fn a_name_of_very_many_parts_is_an_object_of_a_few() {
    let name = format!("userIdentity{}", ".a".repeat(50_000));
    for text in answers(
        ["eventName", "eventSource", "eventID", "eventTime", &name],
        &[["CreateUser", "iam.amazonaws.com", "id-1", "2024-08-01T11:30:23Z", "1"]],
    ) {
        let read = read_text(&text);
        assert_eq!((ids(&read), reasons(&read)), (vec!["id-1".to_owned()], vec![]));
        let unmapped = column(&read, "cloudtrail", "unmapped")[0].clone().unwrap();
        let flat = format!("\"a{}\":\"1\"", ".a".repeat(50_000 - 8));
        assert!(unmapped.contains(&flat), "{}", &unmapped[..100]);
    }
}

const FLOW: &str =
    "2 111122223333 eni-0e250409d410e1290 198.51.100.7 10.0.0.200 3 22 6 1 44 1674898496 1674898507 ACCEPT OK";
const ENTRY: &str = "2024-08-01 00:00:01 ERROR app: hi";

#[test]
fn a_row_is_what_its_own_log_and_message_say() {
    let [a, b] = [event(1), event(2)];
    let time = "2024-08-01 00:00:00.000";
    let names = ["@timestamp", "@message", "@log"];
    let rows = [
        [time, &a, "111122223333:trail"],
        [time, ENTRY, "111122223333:/aws/lambda/app"],
        [time, FLOW, "111122223333:flows"],
        // printed by the job
        [time, &b, "111122223333:/aws-glue/jobs/output"],
        [time, "printed", "111122223333:/aws-glue/jobs/output"],
        [time, "printed", "111122223333:/aws/lambda/other"],
        [time, r#"{"b": 2}"#, "111122223333:/aws/lambda/app"],
    ];
    for text in answers(names, &rows) {
        let read = read_text(&text);
        assert_eq!(ids(&read), ["id-1"], "{text}");
        assert_eq!(column(&read, "vpc_flow", "srcport"), some(&["3"]), "{text}");
        let mut messages: Vec<_> = column(&read, "glue_log", "message").into_iter().flatten().collect();
        messages.sort();
        assert_eq!(messages, ["hi", "printed", &b], "{text}");
        let unknown = ["no table is known for this log event", "no table is known for this object"];
        let mut reasons = reasons(&read);
        reasons.sort_unstable();
        assert_eq!(reasons, unknown, "{text}");
    }
}

#[test]
fn where_no_log_is_named_what_stands_with_entries_is_of_their_log_unless_it_is_a_record() {
    let [a, b] = [event(1), format!(r#"{{"detail-type":"x","source":"aws.iam","detail":{}}}"#, event(2))];
    let messages = [&a, r#"{"b": 2}"#, ENTRY, "java.io.IOException: x", FLOW, &b];
    let rows = messages.map(|message| ["2024-08-01 00:00:00.000", message]);
    for text in answers(["@timestamp", "@message"], &rows) {
        let read = read_text(&text);
        assert_eq!(reasons(&read), [""; 0], "{text}");
        let mut found = ids(&read);
        found.sort();
        assert_eq!(found, ["id-1", "id-2"], "{text}");
        assert_eq!(column(&read, "vpc_flow", "srcport"), some(&["3"]), "{text}");
        assert_eq!(column(&read, "glue_log", "exception"), [None, Some("java.io.IOException".into())], "{text}");
        assert_eq!(column(&read, "glue_log", "message")[0].as_deref(), Some(r#"{"b": 2}"#), "{text}");
    }
}

#[test]
fn a_message_that_is_a_record_is_taken_and_not_the_fields_beside_it() {
    let record = event(1);
    let names = ["@timestamp", "@message", "eventName", "eventSource"];
    for text in answers(names, &[["2024-08-01 00:00:00.000", &record, "CreateUser", "iam.amazonaws.com"]]) {
        let read = read_text(&text);
        assert_eq!((ids(&read), reasons(&read)), (vec!["id-1".to_owned()], vec![]), "{text}");
        assert_eq!(column(&read, "cloudtrail", "useridentity.type"), some(&["IAMUser"]), "{text}");
        assert_eq!(column(&read, "cloudtrail", "unmapped"), [None], "{text}");
    }
    let names = ["@timestamp", "@message", "srcAddr", "dstAddr", "action"];
    for text in answers(names, &[["2024-08-01 00:00:00.000", FLOW, "198.51.100.7", "10.0.0.200", "ACCEPT"]]) {
        let read = read_text(&text);
        assert_eq!((column(&read, "vpc_flow", "srcport"), reasons(&read)), (some(&["3"]), vec![]), "{text}");
        assert_eq!(column(&read, "vpc_flow", "unmapped"), [None], "{text}");
    }
}

#[test]
fn fields_beside_a_message_that_is_no_record_are_one_where_they_can_be() {
    let cut_off = &event(1)[..60];
    let names = ["@timestamp", "@message", "eventName", "eventSource", "eventID"];
    let rows = [
        ["2024-08-01 00:00:00.000", cut_off, "CreateUser", "iam.amazonaws.com", "id-1"],
        ["2024-08-01 00:00:00.000", "hello", "", "", ""],
    ];
    for text in answers(names, &rows) {
        let read = read_text(&text);
        let unknown = "no table is known for this log event";
        assert_eq!((ids(&read), reasons(&read)), (vec!["id-1".to_owned()], vec![unknown]), "{text}");
        assert_eq!(column(&read, "cloudtrail", "eventtime"), some(&["2024-08-01T00:00:00Z"]), "{text}");
    }
}

#[test]
fn the_names_that_insights_gives_fields_of_flows_are_theirs() {
    let names =
        ["@timestamp", "accountId", "interfaceId", "srcAddr", "dstAddr", "startTime", "endTime", "action", "logStatus"];
    let row = [
        "2024-08-01 00:00:07.000",
        "111122223333",
        "eni-1",
        "10.0.0.1",
        "10.0.0.2",
        "1722470400",
        "1722470460",
        "ACCEPT",
        "OK",
    ];
    for text in answers(names, &[row]) {
        let read = read_text(&text);
        assert_eq!(reasons(&read), [""; 0], "{text}");
        for (path, expected) in
            [("start", "1722470400"), ("end", "1722470460"), ("interface_id", "eni-1"), ("account", "111122223333")]
        {
            assert_eq!(column(&read, "vpc_flow", path), some(&[expected]), "{path} of {text}");
        }
    }
    // what a query did not ask for is the time of the log event
    let names = ["@timestamp", "srcAddr", "dstAddr", "action"];
    for text in answers(names, &[["2024-08-01 00:00:07.000", "10.0.0.1", "10.0.0.2", "ACCEPT"]]) {
        let read = read_text(&text);
        assert_eq!((column(&read, "vpc_flow", "start"), reasons(&read)), (some(&["1722470407"]), vec![]), "{text}");
        assert_eq!(column(&read, "vpc_flow", "unmapped"), [None], "{text}");
    }
}

#[test]
fn what_a_query_counted_is_no_record() {
    let neither = "a row of a query with neither the time of a record nor its id";
    let names = ["eventSource", "eventName", "awsRegion", "count(*)"];
    let mut texts = answers(names, &[["s3.amazonaws.com", "GetObject", "us-east-1", "55"]]).to_vec();
    texts.extend(answers(["srcAddr", "dstAddr", "action", "sum(bytes)"], &[["10.0.0.1", "10.0.0.2", "ACCEPT", "5"]]));
    texts.push(r#"{"QueryStatus":"FINISHED","QueryResultRows":[[{"eventSource":"s3.amazonaws.com"},{"eventName":"x"},{"n":"3"}]]}"#.into());
    for text in texts {
        let read = read_text(&text);
        assert_eq!((read.batches.len(), reasons(&read)), (0, vec![neither]), "{text}");
    }
}
