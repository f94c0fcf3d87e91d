//! Bytes in, rows and rejects out, over decode and this module together.

use std::io::{Read, Write};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use bytes::Bytes;

use crate::decode::{self, Counts, Input, Options};
use crate::logs;
use crate::table::{Batch, Origin, Reject};

mod again;
mod any_bytes;
mod cloudwatch;
mod damage;
mod exports;
mod gathered;
mod insights;
mod packed;
mod queries;
mod values;

struct Outcome {
    batches: Vec<Batch>,
    rejects: Vec<Reject>,
    counts: Counts,
}

/// Reads an object the way the pipeline does, and checks what holds for every input.
fn read(input: Input, options: &Options) -> Outcome {
    let origin = Arc::new(Origin::default());
    let mut read = Outcome { batches: Vec::new(), rejects: Vec::new(), counts: Counts::default() };
    let mut reader = decode::open(input, origin, options);
    while let Some(records) = reader.next(&mut read.rejects, &mut read.counts).unwrap() {
        read.batches.extend(logs::batches(vec![records], options, &mut read.rejects, &mut read.counts));
    }
    for (table, tally) in &read.counts.0 {
        assert_eq!(tally.records, tally.rows + tally.rejects + tally.set_aside, "{table}");
        let rows: usize =
            read.batches.iter().filter(|batch| batch.table.name == *table).map(|batch| batch.rows.num_rows()).sum();
        assert_eq!(tally.rows, rows as u64);
        let rejects = read.rejects.iter().filter(|reject| reject.table == *table);
        assert_eq!(tally.rejects, rejects.map(Reject::records).sum::<u64>());
    }
    for batch in &read.batches {
        assert_eq!(batch.rows.schema(), batch.table.schema());
        for column in batch.rows.columns() {
            column.to_data().validate_full().unwrap();
        }
    }
    read
}

fn read_text(text: impl AsRef<[u8]>) -> Outcome {
    read(Input::Bytes(Bytes::copy_from_slice(text.as_ref())), &Options::default())
}

/// The values of a column, by its dotted name, as text.
fn column(read: &Outcome, table: &str, path: &str) -> Vec<Option<String>> {
    let mut values = Vec::new();
    for batch in read.batches.iter().filter(|batch| batch.table.name == table) {
        values.extend(texts(&batch.rows, path));
    }
    values
}

fn texts(rows: &RecordBatch, path: &str) -> Vec<Option<String>> {
    let mut names = path.split('.');
    let mut array = rows.column_by_name(names.next().unwrap()).unwrap().clone();
    for name in names {
        array = array.as_struct().column_by_name(name).unwrap().clone();
    }
    let texts = cast(&array, &DataType::Utf8).unwrap();
    texts.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

fn event(n: usize) -> String {
    format!(
        r#"{{"eventVersion":"1.08","userIdentity":{{"type":"IAMUser","accountId":"111122223333"}},"eventTime":"2024-08-01T11:30:23Z","eventSource":"iam.amazonaws.com","eventName":"CreateUser","awsRegion":"us-east-1","requestParameters":{{"userName":"u{n}"}},"eventID":"id-{n}"}}"#
    )
}

fn ids(read: &Outcome) -> Vec<String> {
    column(read, "cloudtrail", "eventid").into_iter().map(Option::unwrap_or_default).collect()
}

fn reasons(read: &Outcome) -> Vec<&str> {
    read.rejects.iter().map(|reject| reject.reason.as_str()).collect()
}

#[test]
fn every_shape_around_records_is_taken_off() {
    let [a, b] = [event(1), event(2)];
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let pretty =
        |text: &str| serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(text).unwrap()).unwrap();
    let shapes = [
        format!(r#"{{"Records":[{a},{b}]}}"#),
        format!("\u{feff} {{ \"Records\" : [ {a} ,\n {b} ] }} \n"),
        format!(r#"{{"Records":[{a}],"other":{{"x":[1]}}}}{{"Records":[{b}]}}"#),
        format!(r#"{{"first":"x","Records":[{a},{b}]}}"#),
        format!("[{a},{b}]"),
        format!("{a}\n{b}\n"),
        format!("{a}\r\n\r\n{b}"),
        format!("{a}{b}"),
        format!("{}\n{}", pretty(&a), pretty(&b)),
        format!("{a}\0\0\n{b}\0"),
        format!(r#"{{"detail-type":"AWS API Call via CloudTrail","detail":{a}}} {{"detail-type":"x","detail":{b}}}"#),
        format!(r#"[{{"data":{{"Records":[{a}]}},"log":"x"}},{{"data":{{"detail":{b}}}}}]"#),
        format!(r#"[{{"aws":{{"cloudtrail":{a}}}}},{{"aws":{{"cloudtrail":{b}}}}}]"#),
        format!(
            r#"{{"messageType":"DATA_MESSAGE","owner":"1","logEvents":[{{"timestamp":1,"message":{}}},{{"timestamp":1,"message":{}}}]}}"#,
            quoted(&a),
            quoted(&b)
        ),
        format!(r#"{{"Events":[{{"EventId":"1","CloudTrailEvent":{}}}]}}"#, quoted(&format!("{a}{b}"))),
        format!(r#"{{"awslogs":{{"data":"{}"}}}}"#, base64(&gzip(envelope(&[a.clone(), b.clone()]).as_bytes()))),
        // a function of Firehose is called with these, an endpoint is sent these, and what a function answers
        format!(
            r#"{{"invocationId":"i","deliveryStreamArn":"arn","region":"r","records":[{},{}]}}"#,
            format_args!(r#"{{"recordId":"1","approximateArrivalTimestamp":1,"data":"{}"}}"#, base64(a.as_bytes())),
            format_args!(r#"{{"recordId":"2","result":"Ok","data":"{}"}}"#, base64(b.as_bytes()))
        ),
        format!(
            r#"{{"requestId":"1","timestamp":1,"records":[{{"data":"{}"}}]}}"#,
            base64(&gzip(format!("{a}\n{b}").as_bytes()))
        ),
        // a function is called with records of Kinesis, and `aws kinesis get-records` prints them
        format!(r#"{{"Records":[{},{}]}}"#, of_kinesis(a.as_bytes()), of_kinesis(&gzip(b.as_bytes()))),
        format!(
            r#"{{"Records":[{{"SequenceNumber":"49","Data":"{}","PartitionKey":"k"}}],"NextShardIterator":"x"}}"#,
            base64(format!(r#"{{"Records":[{a},{b}]}}"#).as_bytes()).replace('/', "\\/")
        ),
    ];
    for shape in shapes {
        let read = read_text(&shape);
        assert_eq!(reasons(&read), [""; 0], "{shape}");
        assert_eq!(ids(&read), ["id-1", "id-2"], "{shape}");
        let users: Vec<_> = column(&read, "cloudtrail", "requestparameters")
            .into_iter()
            .map(|json| serde_json::from_str::<serde_json::Value>(&json.unwrap()).unwrap()["userName"].clone())
            .collect();
        assert_eq!(users, ["u1", "u2"], "{shape}");
        assert_eq!(some(&["111122223333"; 2]), column(&read, "cloudtrail", "account"), "{shape}");
    }
}

/// What CloudWatch Logs hands to a subscription.
fn envelope(messages: &[String]) -> String {
    let events: Vec<_> = messages
        .iter()
        .map(|message| serde_json::json!({"id": "1", "timestamp": 1_722_511_823_000_i64, "message": message}))
        .collect();
    serde_json::json!({"messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "g", "logStream": "s", "logEvents": events})
        .to_string()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn base64(bytes: &[u8]) -> String {
    aws_smithy_types::base64::encode(bytes)
}

fn of_kinesis(data: &[u8]) -> String {
    format!(
        r#"{{"kinesis":{{"kinesisSchemaVersion":"1.0","partitionKey":"1","sequenceNumber":"49","data":"{}","approximateArrivalTimestamp":1722513600.5}},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shardId-0:49","eventName":"aws:kinesis:record","awsRegion":"us-east-1","eventSourceARN":"arn"}}"#,
        base64(data)
    )
}

#[test]
fn runs_of_a_job_are_read_however_many_an_answer_has() {
    let message = "x".repeat(4000);
    let run = |n| format!(r#"{{"Id":"jr_{n}","JobName":"j","JobRunState":"FAILED","ErrorMessage":"{message}"}}"#);
    let runs: Vec<String> = (0..5000).map(run).collect();
    let text = format!(r#"{{"JobRuns": [{}], "NextToken": "t"}}"#, runs.join(", "));
    assert!(text.len() > 16 << 20);
    let read = read(Input::Stream(Box::new(std::io::Cursor::new(text.into_bytes()))), &Options::default());
    assert_eq!(reasons(&read), [""; 0]);
    assert!(column(&read, "glue_job_run", "reportedby") == vec![Some("get_job_runs".to_owned()); 5000]);
}

#[test]
fn a_result_set_that_is_none_of_athenas_is_looked_into() {
    let read = read_text(format!(r#"{{"ResultSet":{{"Records":[{}]}}}}"#, event(1)));
    assert_eq!((ids(&read), reasons(&read)), (vec!["id-1".to_owned()], vec![]));
}

#[test]
fn a_file_with_a_long_run_of_nuls_takes_no_time() {
    let nuls = "\0".repeat(3 << 20);
    let text = format!("{}\n{nuls}{}\n{nuls}", event(1), event(2));
    let read = read(Input::Stream(Box::new(std::io::Cursor::new(text.into_bytes()))), &Options::default());
    assert_eq!((ids(&read), reasons(&read)), (vec!["id-1".to_owned(), "id-2".to_owned()], vec![]));
}

#[test]
fn what_names_neither_event_nor_source_is_no_record() {
    let read = read_text(r#"{"Records":[{"eventVersion":"1.08","eventTime":"2024-08-01T11:30:23Z","eventID":"1"}]}"#);
    assert_eq!((reasons(&read), ids(&read).len()), (vec!["no table is known for this object"], 0));
}

#[test]
fn an_event_of_an_application_is_no_record_and_one_of_cloudtrail_may_lack_a_field() {
    let applications = [
        r#"{"eventName":"OrderPlaced","eventId":"77","customer":"x"}"#,
        r#"{"eventId":"77","eventTime":"2024-08-01T11:30:23Z","eventName":"OrderPlaced","eventType":"order"}"#,
        r#"{"eventSource":"shop","eventID":"77"}"#,
    ];
    for text in applications {
        let read = read_text(format!("{}\n{text}\n{}", event(1), event(2)));
        assert_eq!(ids(&read), ["id-1", "id-2"], "{text}");
        assert_eq!(reasons(&read), ["no table is known for this object"], "{text}");
        assert_eq!(read.rejects[0].table, "", "{text}");
    }
    for name in ["eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "eventID"] {
        let mut record: serde_json::Value = serde_json::from_str(&event(1)).unwrap();
        record.as_object_mut().unwrap().remove(name).unwrap();
        let lower = record.to_string().replace(r#""event"#, r#""EVENT"#);
        for text in [record.to_string(), lower] {
            let read = read_text(&text);
            assert_eq!((ids(&read).len(), read.rejects.len()), (1, 0), "{text}");
        }
    }
}

fn some(texts: &[&str]) -> Vec<Option<String>> {
    texts.iter().map(|text| Some((*text).to_owned())).collect()
}

fn json(text: &Option<String>) -> serde_json::Value {
    text.as_ref().map_or(serde_json::Value::Null, |text| serde_json::from_str(text).unwrap())
}

fn sample(path: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Counts objects that look like CloudTrail records, wherever they are.
fn oracle(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Object(object) => {
            let is = object.contains_key("eventVersion") || object.contains_key("insightDetails");
            if is { 1 } else { object.values().map(oracle).sum() }
        }
        serde_json::Value::Array(items) => items.iter().map(oracle).sum(),
        _ => 0,
    }
}

#[test]
fn every_event_of_the_samples_is_a_row() {
    let mut events = 0;
    for folder in ["account", "eventbridge", "ordinary", "stratus", "streamalert"] {
        let folder = format!("{}/tests/data/cloudtrail/{folder}", env!("CARGO_MANIFEST_DIR"));
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.ends_with("manifest.jsonl") {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let mut text = Vec::new();
            if path.extension().unwrap() == "gz" {
                flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut text).unwrap();
            } else {
                text = bytes.clone();
            }
            let expected = oracle(&serde_json::from_slice(&text).unwrap());
            let read = read(Input::Bytes(bytes.into()), &Options::default());
            assert_eq!(reasons(&read), [""; 0], "{path:?}");
            assert_eq!(ids(&read).len(), expected, "{path:?}");
            events += expected;
        }
    }
    assert!(events > 300, "{events}");
}

#[test]
fn glue_job_runs_in_three_notations() {
    let read = read(Input::Bytes(sample("glue_job_run/get-job-runs.json").into()), &Options::default());
    assert_eq!(reasons(&read), [""; 0]);
    assert_eq!(column(&read, "glue_job_run", "jobrunstate"), some(&["SUCCEEDED", "FAILED", "FAILED"]));
    assert_eq!(column(&read, "glue_job_run", "reportedby"), some(&["get_job_runs"; 3]));
    assert_eq!(column(&read, "glue_job_run", "startedon")[0].as_deref(), Some("2020-10-16T18:45:31.255Z"));

    let step = r#"{"type":"TaskSucceeded","details":{"output":"{\"Id\":\"jr_1\",\"JobName\":\"j\",\"JobRunState\":\"SUCCEEDED\",\"StartedOn\":1602873931255}"}}"#;
    let bridge = r#"{"detail-type":"Glue Job State Change","source":"aws.glue","account":"111122223333","time":"2020-10-16T18:45:31Z","region":"eu-west-1","detail":{"jobName":"j","severity":"ERROR","state":"FAILED","jobRunId":"jr_2","message":"boom"}}"#;
    let read = read_text(format!("{bridge}\n{step}"));
    assert_eq!(reasons(&read), [""; 0]);
    assert_eq!(column(&read, "glue_job_run", "id"), some(&["jr_2", "jr_1"]));
    assert_eq!(column(&read, "glue_job_run", "reportedby"), some(&["eventbridge", "step_functions"]));
    assert_eq!(column(&read, "glue_job_run", "region"), some(&["eu-west-1", "unknown"]));
    assert_eq!(column(&read, "glue_job_run", "lastmodifiedon")[0].as_deref(), Some("2020-10-16T18:45:31Z"));
    assert_eq!(column(&read, "glue_job_run", "startedon")[1].as_deref(), Some("2020-10-16T18:45:31.255Z"));
}

/// Gives what it has part by part, and would block before each.
struct Halting {
    parts: Vec<Vec<u8>>,
    is_asked: bool,
}

impl Read for Halting {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Some(part) = self.parts.first_mut() else { return Ok(0) };
        if !std::mem::replace(&mut self.is_asked, true) {
            return Err(std::io::ErrorKind::WouldBlock.into());
        }
        let count = part.len().min(buffer.len());
        buffer[..count].copy_from_slice(&part[..count]);
        part.drain(..count);
        if part.is_empty() {
            self.parts.remove(0);
            self.is_asked = false;
        }
        Ok(count)
    }
}

/// What the reader gives of parts until each pause, and then.
fn halting(parts: Vec<Vec<u8>>) -> (Vec<usize>, Outcome) {
    let options = Options::default();
    let mut read = Outcome { batches: Vec::new(), rejects: Vec::new(), counts: Counts::default() };
    let source = Halting { parts, is_asked: false };
    let mut reader = decode::open(Input::Stream(Box::new(source)), Arc::default(), &options);
    let mut rows = Vec::new();
    loop {
        match reader.next(&mut read.rejects, &mut read.counts).unwrap() {
            Some(records) => {
                read.batches.extend(logs::batches(vec![records], &options, &mut read.rejects, &mut read.counts));
                rows.push(read.batches.iter().map(|batch| batch.rows.num_rows()).sum());
            }
            None if reader.is_paused() => {}
            None => return (rows, read),
        }
    }
}

#[test]
fn what_has_come_is_handed_on_when_the_input_pauses() {
    let flow =
        |n: u32| format!("2 111122223333 eni-1 10.0.0.1 10.0.0.2 {n} 22 6 1 44 1674898496 1674898507 ACCEPT OK\n");
    let zipped = |text: String| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let lines = [1, 2, 3].map(|n| format!("{}\n", event(n)));
    let entry = |n: u32| format!("24/08/01 11:30:0{n} ERROR A: x\n\tat y\n");
    for (parts, what) in [
        (lines.clone().map(String::into_bytes).to_vec(), "lines"),
        (
            [format!("{{\"Records\":[{},", event(1)), format!("{},", event(2)), format!("{}]}}", event(3))]
                .map(String::into_bytes)
                .to_vec(),
            "a document",
        ),
        ([1, 2, 3].map(flow).map(String::into_bytes).to_vec(), "flows"),
        ([1, 2, 3].map(entry).map(String::into_bytes).to_vec(), "entries"),
        (lines.map(zipped).to_vec(), "gzip"),
    ] {
        let (rows, read) = halting(parts);
        assert_eq!((rows, reasons(&read)), (vec![1, 2, 3], vec![]), "{what}");
    }
}

#[test]
fn what_step_functions_says_of_a_failed_run_is_read() {
    let run = r#"{"Id":"jr_1","JobName":"j","JobRunState":"FAILED","StartedOn":1602873931255}"#;
    let failure = serde_json::json!({"Error": "States.TaskFailed", "Cause": run});
    let step = |n: u32, kind: &str, details: serde_json::Value| serde_json::json!({"timestamp": "2024-08-01T12:00:00+02:00", "type": kind, "id": n, "previousEventId": n - 1, "details": details});
    let told = [
        failure.clone(),
        serde_json::json!({"input": {"a": 1}, "failed": failure}),
        serde_json::json!({"Output": run, "Status": "FAILED"}),
        serde_json::json!({"events": [step(3, "TaskFailed", serde_json::json!({"resourceType": "glue", "error": "States.TaskFailed", "cause": run}))]}),
    ];
    for text in told {
        let read = read_text(text.to_string());
        assert_eq!((column(&read, "glue_job_run", "id"), reasons(&read)), (some(&["jr_1"]), vec![]), "{text}");
        assert_eq!(column(&read, "glue_job_run", "reportedby"), some(&["step_functions"]));
    }
    // the other steps of an execution are no runs of a job, and no damage
    let history = [
        step(1, "ExecutionStarted", serde_json::json!({"input": "{\"a\":1}"})),
        step(2, "TaskScheduled", serde_json::json!({"resourceType": "glue", "parameters": "{\"JobName\":\"j\"}"})),
        step(3, "TaskSubmitted", serde_json::json!({"resourceType": "glue", "output": "{\"JobRunId\":\"jr_1\"}"})),
        step(4, "TaskSucceeded", serde_json::json!({"resourceType": "glue", "output": run})),
        step(5, "TaskStateExited", serde_json::json!({"output": run})),
    ];
    let mut read = read_text(serde_json::json!({"events": history}).to_string());
    assert_eq!((column(&read, "glue_job_run", "id"), reasons(&read)), (some(&["jr_1"]), vec![]));
    assert_eq!(read.counts.of("").set_aside, 4);
}

#[test]
fn a_page_without_records_is_no_damage() {
    for text in [
        r#"{"events":[],"searchedLogStreams":[]}"#,
        r#"{"events": [ ], "nextForwardToken":"f/1","nextBackwardToken":"b/1"}"#,
        r#"{"results":[],"statistics":{"recordsMatched":0.0},"status":"Complete"}"#,
        r#"{"JobRuns":[]}"#,
        r#"{"Events":[]}"#,
        r#"{"Records":[]}"#,
    ] {
        let read = read_text(text);
        assert_eq!((reasons(&read), read.batches.len()), (vec![], 0), "{text}");
    }
    assert_eq!(read_text(r#"{"events":[],"name":"mine"}"#).rejects.len(), 1);
}

#[test]
fn what_a_client_calls_itself_hides_no_record() {
    // half a surrogate pair, and a raw control character
    for (agent, meant) in [(r"\ud800x", "\u{fffd}x"), ("a\tb", "a\tb")] {
        let odd = event(1).replace(r#""eventID""#, &format!(r#""userAgent":"{agent}","eventID""#));
        let values = serde_json::json!([["1722511823000000000", odd]]);
        let loki = serde_json::json!({"status": "success", "data": {"result": [{"stream": {}, "values": values}]}});
        let gelf = serde_json::json!({"version": "1.1", "full_message": odd});
        let splunk = serde_json::json!({"eventName": "other", "eventSource": "iam.amazonaws.com", "_raw": odd});
        let csv = format!("event\n\"{}\"\n", odd.replace('"', "\"\""));
        for text in [loki.to_string(), gelf.to_string(), splunk.to_string(), csv] {
            let read = read_text(&text);
            assert_eq!((ids(&read), reasons(&read)), (vec!["id-1".to_owned()], vec![]), "{text}");
            assert_eq!(column(&read, "cloudtrail", "useragent"), some(&[meant]), "{text}");
        }
    }
}

#[test]
fn an_insight_without_a_type_is_a_row_of_its_own() {
    let details =
        r#"{"state":"Start","eventSource":"autoscaling.amazonaws.com","eventName":"CompleteLifecycleAction"}"#;
    let event = format!(r#"{{"eventTime":"2024-08-01T11:30:23Z","eventID":"a","insightDetails":{details}}}"#);
    let read = read_text(event);
    assert_eq!(ids(&read), ["a"]);
    assert_eq!(column(&read, "cloudtrail", "insightdetails"), some(&[details]));
    assert_eq!(column(&read, "cloudtrail", "eventname"), [None]);
}

#[test]
fn an_event_of_records_needs_a_name_and_a_time_only() {
    let bare = r#"{"eventName":"CreateUser","eventTime":"2024-08-01T11:30:23Z"}"#;
    let read = read_text(format!("{{\"Records\":[{bare},{bare},{{\"eventName\":\"x\"}}]}}"));
    assert_eq!(column(&read, "cloudtrail", "eventname"), some(&["CreateUser", "CreateUser"]));
    assert_eq!(reasons(&read), ["no table is known for this object"]);
    assert_eq!(read_text(bare).rejects.len(), 1);
}

#[test]
fn what_lambda_is_handed_of_a_topic_is_no_record_and_holds_one() {
    let handed = serde_json::json!({"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0",
        "EventSubscriptionArn": "a", "Sns": {"Type": "Notification", "Message": event(1)}}]});
    let read = read_text(format!("{}\n{handed}", event(2)));
    assert_eq!(reasons(&read), [""; 0]);
    assert_eq!(ids(&read), ["id-2", "id-1"]);
}

#[test]
fn what_is_no_log_record_is_set_aside() {
    let digest = r#"{"awsAccountId":"1","digestStartTime":"2024-08-01T11:00:00Z","logFiles":[{"s3Bucket":"b"}]}"#;
    let control = r#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"message":"CWL CONTROL MESSAGE"}]}"#;
    let mut read = read_text(format!("{digest}\n{control}"));
    assert_eq!((read.counts.of("cloudtrail").set_aside, read.counts.of("").set_aside), (1, 1));
    assert_eq!(read.rejects.len(), 0);
    let signature = r#"{"version":"1.0","region":"us-east-1","files":[{"fileHashValue":"0","fileName":"result_1.csv.gz"}],
        "hashAlgorithm":"SHA-256","hashSignature":"0","publicKeyFingerprint":"0"}"#;
    let mut read = read_text(signature);
    assert_eq!((read.counts.of("cloudtrail").set_aside, read.rejects.len()), (1, 0));
    let finding = r#"{"id":"0","rule":"a/b","title":"t","priority":5,"event_ids":["e"],
        "evidence":{"eventName":"CreateUser","eventSource":"iam.amazonaws.com","userIdentity":{"type":"Root"}}}"#;
    let mut read = read_text(finding.replace('\n', ""));
    assert_eq!((read.counts.of("").set_aside, read.rejects.len(), read.counts.of("cloudtrail").rows), (1, 0, 0));
    let sarif = r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"weir"}},"results":[{"ruleId":"a/b","properties":{"evidence":
        {"eventName":"StopLogging","eventTime":"2024-08-01T12:00:00Z","userIdentity.arn":"a","sourceIPAddress":"192.0.2.1"}}}]}]}"#;
    let mut read = read_text(sarif);
    assert_eq!((read.counts.of("").set_aside, read.rejects.len(), read.counts.of("cloudtrail").rows), (1, 0, 0));
    let bulk = |action: &str| read_text([1, 2].map(|n| format!("{action}\n{}\n", event(n))).concat());
    for action in [r#"{"index":{}}"#, r#"{ "create" : { "_index" : "trail", "_id" : "1" } }"#] {
        let mut read = bulk(action);
        assert_eq!((ids(&read).len(), read.counts.of("").set_aside, read.rejects.len()), (2, 2, 0), "{action}");
    }
    assert_eq!(bulk(r#"{"index":{"other":1}}"#).rejects.len(), 2);
    assert_eq!(read_text(r#"{"Records":[]}"#).rejects.len(), 0);
    assert_eq!(read_text("").rejects.len(), 0);
}

#[test]
fn an_object_may_have_several_lists_of_records() {
    for names in [["Records", "Records"], ["Records", "Events"], ["records", "Records"]] {
        let [first, second] = names;
        let text = format!(r#"{{"{first}":[{}],"NextToken":"t","{second}":[{}]}}"#, event(1), event(2));
        assert_eq!(ids(&read_text(text)), ["id-1", "id-2"]);
    }
}

#[test]
fn times_of_flows_in_milliseconds_are_seconds() {
    let flow =
        r#"{"srcaddr":"10.0.0.1","dstaddr":"10.0.0.2","action":"ACCEPT","start":1722470400123,"end":1722470460}"#;
    let read = read_text(flow);
    assert_eq!(column(&read, "vpc_flow", "start"), [Some("1722470400".to_owned())]);
    assert_eq!(column(&read, "vpc_flow", "end"), [Some("1722470460".to_owned())]);
}

#[test]
fn a_json_entry_of_a_glue_log_has_the_run_and_the_stream_of_its_envelope() {
    let run = format!("jr_{}", "0a".repeat(32));
    let message = r#"{"level":"ERROR","message":"m","logger":"L","timestamp":"2024-08-01T12:00:00Z"}"#;
    let envelope = serde_json::json!({
        "messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "/aws-glue/jobs/error",
        "logStream": format!("{run}_g-7"), "logEvents": [{ "id": "1", "timestamp": 1722513600000_i64, "message": message }],
    });
    let read = read_text(envelope.to_string());
    for (name, value) in [
        ("jobrunid", &run[..]),
        ("source", "executor"),
        ("executor", "g-7"),
        ("loggroup", "/aws-glue/jobs/error"),
        ("logstream", &format!("{run}_g-7")),
        ("logger", "L"),
    ] {
        assert_eq!(column(&read, "glue_log", name), [Some(value.to_owned())], "{name}");
    }
}

#[test]
fn lines_of_a_glue_log_between_entries_in_json_are_read() {
    let json = r#"{"level":"WARN","message":"m","logger":"L","timestamp":"2024-08-01T12:00:00Z"}"#;
    let lines = "24/08/01 12:00:01 ERROR A: failed\njava.io.IOException: x\n\tat a.B.c(B.java:1)\n24/08/01 12:00:02 INFO A: done";
    let read = read_text(format!("{json}\n{lines}\n{json}\nhello\n{json}\n{lines}\n"));
    assert_eq!(reasons(&read), ["not JSON"]);
    let mut levels = column(&read, "glue_log", "level");
    levels.sort();
    assert_eq!(levels, some(&["ERROR", "ERROR", "INFO", "INFO", "WARN", "WARN", "WARN"]));
    let exceptions = column(&read, "glue_log", "exception");
    assert_eq!(exceptions.into_iter().flatten().collect::<Vec<_>>(), ["java.io.IOException"; 2]);
    // whatever was read before them
    let read = read_text(format!("{}\n{lines}\n{json}\n", event(1)));
    assert_eq!((reasons(&read), column(&read, "glue_log", "level").len()), (vec![], 3));
    // between other records they are what a tool wrote
    assert_eq!(reasons(&read_text(format!("{}\n{lines}\n{}\n", event(1), event(2)))), ["not JSON"]);
}

#[test]
fn an_event_between_lines_of_a_glue_log_is_an_event_and_no_part_of_an_entry() {
    let lines = ["24/08/01 12:00:01 ERROR A: failed", "java.io.IOException: x"];
    let record = r#"{"level":"INFO","message":"m","logger":"L","timestamp":"2024-08-01T12:00:03Z","eventSource":"x"}"#;
    for end in ["\n", "\r\n"] {
        let text = [lines[0], &event(1), lines[1], &event(2), record, r#"{"eventSource":"x"}"#]
            .map(|line| format!("{line}{end}"));
        let read = read_text(text.concat());
        assert_eq!(ids(&read), ["id-1", "id-2"]);
        assert_eq!(reasons(&read), [""; 0]);
        let messages: Vec<String> = column(&read, "glue_log", "message").into_iter().flatten().collect();
        assert_eq!(messages.len(), 3, "{messages:?}");
        let words: Vec<&str> = messages[0].split_whitespace().collect();
        assert_eq!(words, ["failed", "java.io.IOException:", "x"]);
    }
    // what is no whole line stays what was logged
    for logged in [
        format!("24/08/01 12:00:01 INFO A: {}", event(1)),
        format!("24/08/01 12:00:01 INFO A: x\n{}", &event(1)[..200]),
    ] {
        let read = read_text(&logged);
        assert_eq!((ids(&read).len(), column(&read, "glue_log", "level").len()), (0, 1), "{logged}");
    }
}

#[test]
fn an_aggregated_event_has_the_time_of_its_window_and_the_account_that_received_it() {
    let aggregated = r#"{"eventVersion":"1.0","accountId":"444455556666","eventId":"a","eventCategory":"Aggregated","eventType":"AwsAggregatedEvent","awsRegion":"us-east-1","eventSource":"s3.amazonaws.com","timeWindow":{"windowStart":"2024-08-01T12:00:00Z","windowEnd":"2024-08-01T12:05:00Z","windowSize":"PT5M"},"summary":{"details":[]}}"#;
    let read = read_text(format!(r#"{{"Records":[{aggregated},{}]}}"#, event(1)));
    assert_eq!(reasons(&read), [""; 0]);
    assert_eq!(column(&read, "cloudtrail", "eventtime"), some(&["2024-08-01T12:00:00Z", "2024-08-01T11:30:23Z"]));
    assert_eq!(column(&read, "cloudtrail", "account"), some(&["444455556666", "111122223333"]));
    assert_eq!(column(&read, "cloudtrail", "recipientaccountid"), [Some("444455556666".to_owned()), None]);
    assert!(column(&read, "cloudtrail", "unmapped")[0].as_ref().unwrap().contains("windowEnd"));
}

#[test]
fn a_bracket_that_begins_a_log_is_no_json() {
    let read = read_text("[2024-05-01 12:00:01,123] INFO start\n[2024-05-01 12:00:02,123] ERROR boom\n");
    assert_eq!((read.counts.of_table("glue_log"), reasons(&read)), ((2, 2, 0), vec![]));
    let mut read = read_text("[Stage 2:=====>  (10 + 4) / 20]\n[Stage 2:======>  (11 + 4) / 20]\n");
    assert_eq!(read.counts.of("glue_log").rows, 2);
}

#[test]
fn account_and_region_fall_back_to_the_path_and_then_the_envelope() {
    let bare = r#"{"eventName":"X","eventSource":"y","userIdentity":{"accountId":""}}"#;
    let enveloped = format!(r#"{{"account":"2","region":"eu-north-1","detail-type":"z","detail":{bare}}}"#);
    let homes = |origin: Origin| {
        let (mut rejects, mut counts) = (Vec::new(), Counts::default());
        let options = Options::default();
        let mut reader = decode::open(Input::Bytes(enveloped.clone().into()), Arc::new(origin), &options);
        let records = reader.next(&mut rejects, &mut counts).unwrap().unwrap();
        let batches = logs::batches(vec![records], &options, &mut rejects, &mut counts);
        (texts(&batches[0].rows, "account").remove(0).unwrap(), texts(&batches[0].rows, "region").remove(0).unwrap())
    };
    assert_eq!(homes(Origin::default()), ("2".to_owned(), "eu-north-1".to_owned()));
    let path = Origin { account: Some("3".to_owned()), ..Origin::default() };
    assert_eq!(homes(path), ("3".to_owned(), "eu-north-1".to_owned()));
}

#[test]
fn one_batch_spans_many_small_files() {
    let options = Options::default();
    let (mut rejects, mut counts, mut records) = (Vec::new(), Counts::default(), Vec::new());
    for n in 0..50 {
        let origin = Arc::new(Origin::default());
        let mut reader = decode::open(Input::Bytes(event(n).into()), origin, &options);
        while let Some(piece) = reader.next(&mut rejects, &mut counts).unwrap() {
            records.push(piece);
        }
    }
    let batches = logs::batches(records, &options, &mut rejects, &mut counts);
    assert_eq!(batches.len(), 1);
    let expected: Vec<_> = (0..50).map(|n| Some(format!("id-{n}"))).collect();
    assert_eq!(texts(&batches[0].rows, "eventid"), expected);
}

#[test]
fn events_that_come_one_by_one_share_buffers_also_around_a_large_text() {
    let options = Options::default();
    let (mut rejects, mut counts) = (Vec::new(), Counts::default());
    let many = |numbers: std::ops::Range<usize>| numbers.map(event).collect::<Vec<_>>();
    let mut texts_in = many(0..3000);
    texts_in.push(many(3000..6000).join("\n"));
    texts_in.extend(many(6000..8000));
    let mut records = Vec::new();
    for text in texts_in {
        let mut reader = decode::open(Input::Bytes(text.into()), Arc::new(Origin::default()), &options);
        while let Some(piece) = reader.next(&mut rejects, &mut counts).unwrap() {
            records.push(piece);
        }
    }
    let batches = logs::batches(records, &options, &mut rejects, &mut counts);
    assert_eq!((batches.len(), rejects.len()), (1, 0));
    let rows = &batches[0].rows;
    for column in rows.columns() {
        column.to_data().validate_full().unwrap();
    }
    let buffers = rows.column_by_name("requestparameters").unwrap().as_string_view().data_buffers().len();
    assert!(buffers < 20, "{buffers} buffers");
    let named = |of: fn(usize) -> String| (0..8000).map(|n| Some(of(n))).collect::<Vec<_>>();
    assert_eq!(texts(rows, "eventid"), named(|n| format!("id-{n}")));
    assert_eq!(texts(rows, "requestparameters"), named(|n| format!(r#"{{"userName":"u{n}"}}"#)));
}

#[test]
fn a_long_stream_gives_the_same_rows_as_a_short_text() {
    let events: Vec<String> = (0..16_000).map(event).collect();
    let expected: Vec<String> = (0..16_000).map(|n| format!("id-{n}")).collect();
    for text in [
        format!(r#"{{"Records":[{}]}}"#, events.join(",")),
        format!(r#"{{"a":[1],"Records":[{}],"b":{{"c":[]}}}}"#, events.join(",")),
        format!("[{}]", events.join(",\n")),
        events.join("\n"),
    ] {
        let read = read(Input::Stream(Box::new(std::io::Cursor::new(text.into_bytes()))), &Options::default());
        assert_eq!(reasons(&read), [""; 0]);
        assert!(read.batches.len() > 1);
        assert_eq!(ids(&read), expected);
    }
}

#[test]
fn times_are_instants() {
    let read = read_text(event(1));
    let times = read.batches[0].rows.column_by_name("eventtime").unwrap();
    assert_eq!(times.as_primitive::<TimestampMicrosecondType>().value(0), 1_722_511_823_000_000);
}
