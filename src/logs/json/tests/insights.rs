//! What queries of CloudWatch Logs Insights answered, as `aws logs get-query-results` prints it and as CSV.

use proptest::prelude::*;

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

/// Names of columns that some form of an answer has, and some that none has.
const NAMES: [&str; 26] = [
    "@message",
    "@timestamp",
    "@log",
    "@logStream",
    "@ptr",
    "eventName",
    "EVENTSOURCE",
    "eventTime",
    "eventID",
    "Event time",
    "Event name",
    "Event source",
    "User name",
    "eventJson",
    "_raw",
    "userIdentity",
    "userIdentity.arn",
    "resources.0.ARN",
    "a..b.",
    ".",
    "srcAddr",
    "dstaddr",
    "action",
    "startTime",
    "interface-id",
    "count(*)",
];

fn cell() -> impl Strategy<Value = String> {
    let told = [event(1), event(2) + "\n" + &event(3), format!("[{}]", event(4)), event(5)[..90].to_owned()];
    let printed = [
        ENTRY,
        FLOW,
        "java.io.IOException: x",
        r#"{"b": 2}"#,
        "111122223333:/aws-glue/jobs/output",
        "2024-08-01 00:00:00.000",
        "CreateUser",
        "1722470400",
    ];
    let all: Vec<String> = told.into_iter().chain(printed.map(str::to_owned)).chain(NAMES.map(str::to_owned)).collect();
    prop_oneof![2 => prop::sample::select(all), 1 => "[a-z0-9\",\n\r{}\\[\\]:=. -]{0,12}", 1 => "\\PC{0,6}", 1 => Just(String::new())]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// `read` holds that records are rows, rejects and what is set aside.
    #[test]
    fn whatever_an_answer_says_is_counted(
        names in prop::collection::vec(prop_oneof![8 => prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned), 1 => cell()], 1..8),
        rows in prop::collection::vec(prop::collection::vec(cell(), 0..9), 0..9),
        quoting in 0..3,
        forced in prop::sample::select(vec![None, Some(&logs::cloudtrail::CLOUDTRAIL), Some(&logs::vpc_flow::VPC_FLOW), Some(&logs::glue_log::GLUE_LOG)]),
    ) {
        let options = Options { table: forced, ..Options::default() };
        let told = |text: &str| match quoting {
            0 => text.to_owned(),
            1 => format!("\"{}\"", text.replace('"', "\"\"")),
            // wrong where a text has quotes
            _ => format!("\"{text}\""),
        };
        let line = |row: &Vec<String>| row.iter().map(|text| told(text)).collect::<Vec<_>>().join(",") + "\n";
        let csv: String = std::iter::once(&names).chain(&rows).map(line).collect();
        let named = |row: &'_ Vec<String>| names.iter().cloned().zip(row.clone()).collect::<Vec<_>>();
        let fields = |row: &Vec<String>| named(row).iter().map(|(name, text)| serde_json::json!({"field": name, "value": text})).collect();
        let columns = |row: &Vec<String>| named(row).iter().map(|(name, text)| serde_json::json!({name: text})).collect();
        let fields: Vec<Vec<serde_json::Value>> = rows.iter().map(fields).collect();
        let columns: Vec<Vec<serde_json::Value>> = rows.iter().map(columns).collect();
        let insights = serde_json::json!({"results": fields, "status": "Complete", "statistics": {}}).to_string();
        let lake = serde_json::json!({"QueryStatus": "FINISHED", "QueryResultRows": columns}).to_string();
        for text in [csv, insights, lake] {
            let whole = read(Input::Bytes(text.clone().into()), &options);
            let streamed = read(Input::Stream(Box::new(std::io::Cursor::new(text.into_bytes()))), &options);
            prop_assert_eq!(whole.counts, streamed.counts);
        }
    }
}
