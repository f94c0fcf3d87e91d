//! What came by way of CloudWatch Logs: envelopes, exports, and what the AWS CLI prints.

use super::super::WINDOW;
use super::*;

#[test]
fn an_envelope_that_is_cut_off_keeps_its_whole_log_events() {
    let whole = envelope(&[event(1), event(2), event(3)]);
    let third = whole.rfind(r#"{"id""#).unwrap();
    let cut_off = "the log events of an envelope are cut off at the end of the input";
    let at_all = [(third + 1, ""), (third + 40, ""), (whole.len() - 4, "")];
    for (cut, before) in at_all.into_iter().chain([(third + 40, "{\"awslogs\":{}}\n")]) {
        let text = format!("{before}{}", &whole[..cut]);
        let read = read_text(&text);
        assert_eq!(ids(&read), ["id-1", "id-2"], "{text}");
        let last = read.rejects.last().unwrap();
        assert_eq!((last.reason.as_str(), last.offset as usize), (cut_off, before.len() + third), "{text}");
        assert_eq!(last.bytes, whole.as_bytes()[third..cut], "{text}");
    }
    for cut in [third - 1, third] {
        let read = read_text(&whole[..cut]);
        assert_eq!((ids(&read).len(), reasons(&read)), (2, vec![cut_off]), "{}", &whole[..cut]);
    }
    for cut in [whole.len() - 2, whole.len() - 1] {
        let read = read_text(&whole[..cut]);
        assert_eq!((ids(&read).len(), reasons(&read)), (3, vec![cut_off]), "{}", &whole[..cut]);
    }
    let first = whole.find(r#"{"id""#).unwrap();
    let read = read_text(&whole[..first + 20]);
    assert_eq!((ids(&read).len(), reasons(&read)), (0, vec!["the record is cut off at the end of the input"]));
    // two to a line of a file, the first one whole
    let read = read_text(format!("{whole}\n{}", &whole[..third + 40]));
    assert_eq!((ids(&read).len(), reasons(&read)), (5, vec![cut_off]));
}

#[test]
fn a_damaged_log_event_of_an_envelope_costs_itself_alone() {
    let whole = envelope(&[event(1), event(2), event(3)]);
    let names = [1, 2, 3].map(|n| format!("id-{n}"));
    for (n, own) in names.iter().enumerate() {
        // a quote of the message for want of its backslash, and an event without its end
        let quote = whole.find(&format!(r#"\"u{}\""#, n + 1)).unwrap();
        let close = quote + whole[quote..].find("}\"}").unwrap() + 2;
        for (left_out, before) in [(quote, ""), (close, ""), (quote, "{\"awslogs\":{}}\n")] {
            let text = format!("{before}{}{}", &whole[..left_out], &whole[left_out + 1..]);
            let read = read_text(&text);
            let mut found = ids(&read);
            found.sort();
            let others: Vec<String> = names.iter().filter(|name| *name != own).cloned().collect();
            assert_eq!(found, others, "{text}");
            assert_eq!(
                read.rejects.iter().filter(|reject| reject.offset as usize >= before.len()).count(),
                1,
                "{text}"
            );
        }
    }
    // behind a comma where one is cut off stands another, which is none of its log events
    let comma = whole.find("},{").unwrap() + 2;
    let read = read_text(format!("{}\n{}", &whole[..comma], envelope(&[event(4)])));
    let mut found = ids(&read);
    found.sort();
    assert_eq!((found, read.rejects.len()), (vec!["id-1".to_owned(), "id-4".to_owned()], 1));
    // and of an envelope that has none, what stands behind it costs nothing
    let none = r#"{"messageType":"DATA_MESSAGE","logEvents":[]"#;
    assert_eq!(ids(&read_text(format!("{none}{}\n{}", event(1), event(2)))), ["id-1", "id-2"]);
    // what stands before the log events
    let read = read_text(whole.replacen("DATA_MESSAGE\"", "DATA_MESSAGE", 1));
    assert_eq!((ids(&read).len(), read.rejects.len()), (3, 1));
}

#[test]
fn the_time_that_an_export_of_cloudwatch_puts_before_an_event_is_no_reject() {
    let time = "2024-08-01T10:05:00.000Z ";
    let read = read_text(format!("{time}{}\n{time}{}\n{time}oops\n{time}{}\n", event(1), event(2), event(3)));
    assert_eq!(ids(&read), ["id-1", "id-2", "id-3"]);
    assert_eq!(reasons(&read), ["not JSON"]);
    assert_eq!(read.rejects[0].bytes, format!("{time}oops\n{time}").trim_end().as_bytes());
}

#[test]
fn a_time_where_a_window_ends_is_no_reject() {
    let time = "2024-08-01T10:05:00.000Z ";
    let first = format!("{time}{}\n", event(1));
    for inside in 0..=time.len() {
        let spaces = " ".repeat(WINDOW - first.len() - inside);
        let read = read_text(format!("{first}{spaces}{time}{}\n{time}{}\n", event(2), event(3)));
        assert_eq!((ids(&read).len(), reasons(&read)), (3, vec![]), "{inside}");
    }
}

#[test]
fn what_the_cli_tails_is_no_reject() {
    for before in ["2024-08-01T10:05:00.123000+00:00 111122223333_CloudTrail_eu-west-1_2 ", "2024-08-01T10:05:00 "] {
        let read = read_text(format!("{before}{}\n{before}{}\n{before}oops\n", event(1), event(2)));
        assert_eq!((ids(&read), reasons(&read)), (vec!["id-1".to_owned(), "id-2".to_owned()], vec!["not JSON"]));
    }
}

#[test]
fn flow_logs_that_the_cli_tails_are_read() {
    let line =
        "2 111122223333 eni-0e250409d410e1290 198.51.100.7 10.0.0.200 3 22 6 1 44 1674898496 1674898507 ACCEPT OK";
    for before in ["2024-08-01T10:05:00.123000+00:00 eni-0e250409d410e1290-all ", "2024-08-01T10:05:00 "] {
        let read = read_text(format!("{before}{line}\n{before}{line} more\n"));
        assert_eq!(column(&read, "vpc_flow", "dstport"), some(&["22"]));
        assert_eq!(read.rejects.len(), 1);
    }
}

#[test]
fn flow_records_that_are_messages_of_objects_are_read() {
    let message = |text: &str| serde_json::json!({"timestamp": 1_674_898_496_000_i64, "message": text}).to_string();
    let flow = |port: u16| {
        message(&format!(
            "2 111122223333 eni-0e250409d410e1290 198.51.100.7 10.0.0.200 {port} 22 6 1 44 1674898496 1674898507 ACCEPT OK"
        ))
    };
    let shipped = read_text(format!("{}{}\n{}", flow(1), flow(2), event(1)));
    assert_eq!(reasons(&shipped), [""; 0]);
    assert_eq!(column(&shipped, "vpc_flow", "srcport"), some(&["1", "2"]));
    assert_eq!(ids(&shipped), ["id-1"]);
    let printed = read_text(format!(r#"{{"events":[{},{}],"searchedLogStreams":[]}}"#, flow(3), message("hello")));
    assert_eq!(column(&printed, "vpc_flow", "srcport"), some(&["3"]));
    assert_eq!(reasons(&printed), ["no table is known for this item of an array of records"]);
    assert_eq!(reasons(&read_text(message("hello"))), ["no table is known for this object"]);
}

#[test]
fn events_of_a_log_group_are_read_however_many_there_are() {
    let filling = "x".repeat(40_000);
    let events: Vec<_> = (0..450)
        .map(|n| event(n).replace(r#""userName""#, &format!(r#""filling":"{filling}","userName""#)))
        .map(|record| serde_json::json!({"timestamp": 1_722_511_823_000_i64, "message": record}))
        .collect();
    let text = serde_json::json!({"events": events, "searchedLogStreams": []}).to_string();
    assert!(text.len() > 16 << 20);
    let read = read_text(text);
    assert_eq!(reasons(&read), [""; 0]);
    let mut ids: Vec<usize> = ids(&read).iter().map(|id| id[3..].parse().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..450).collect::<Vec<_>>());
}

#[test]
fn a_long_answer_of_the_cli_is_not_cut_between_an_entry_and_its_traceback() {
    let stream = format!("jr_{}", "a".repeat(64));
    let lines =
        ["24/08/01 11:30:23 ERROR Main: failed", "Traceback (most recent call last):", "  File \"x\"", "ValueError: y"];
    let event =
        |line: &str| format!(r#"{{"logStreamName":"{stream}","timestamp":1,"message":{line:?},"ingestionTime":1}}"#);
    let entry = lines.map(event).join(",");
    // each time more is in front of them, so that a piece ends at another place of an entry
    for filling in [1, 150, 300, 450] {
        let first = event(&"x".repeat(filling));
        let events = vec![entry.clone(); 10_000].join(",");
        let text = format!(r#"{{"events":[{first},{events}],"searchedLogStreams":[]}}"#);
        let read = read(Input::Stream(Box::new(std::io::Cursor::new(text.into_bytes()))), &Options::default());
        let exceptions = column(&read, "glue_log", "exception");
        assert_eq!((exceptions.len(), reasons(&read)), (10_001, vec![]), "{filling}");
        assert_eq!(exceptions.iter().flatten().count(), 10_000);
    }
}

#[test]
fn events_of_a_glue_job_that_the_cli_printed_are_entries_of_their_streams() {
    let run = |digit: &str| format!("jr_{}", digit.repeat(64));
    let (a, b) = (run("a"), run("b"));
    let event = |stream: &str, text: &str| serde_json::json!({"logStreamName": stream, "timestamp": 1_722_511_823_000_i64, "message": text, "ingestionTime": 1, "eventId": "1"});
    let driver = format!("{a}-driver");
    let executor = format!("{b}_g-7");
    let events = [
        event(&driver, "24/08/01 11:30:23 ERROR Main: failed"),
        event(&executor, "24/08/01 11:30:24 WARN Executor: lost"),
        event(&driver, "java.io.IOException: x"),
        event(&driver, "printed"),
    ];
    let read = read_text(serde_json::json!({"events": events, "searchedLogStreams": []}).to_string());
    assert_eq!(reasons(&read), [""; 0]);
    let mut rows: Vec<_> = ["jobrunid", "level", "executor"].map(|path| column(&read, "glue_log", path)).concat();
    rows.retain(Option::is_some);
    assert_eq!(
        column(&read, "glue_log", "jobrunid").iter().flatten().collect::<std::collections::BTreeSet<_>>(),
        [&a, &b].into()
    );
    assert_eq!(rows.iter().flatten().filter(|text| *text == "g-7").count(), 1, "{rows:?}");
    assert_eq!(column(&read, "glue_log", "exception").iter().flatten().collect::<Vec<_>>(), ["java.io.IOException"]);
    // of one stream, which the answer does not name
    let unnamed = serde_json::json!({"events": [{"timestamp": 1, "message": "24/08/01 11:30:23 INFO Main: x", "ingestionTime": 2}], "nextForwardToken": "f"});
    assert_eq!(column(&read_text(unnamed.to_string()), "glue_log", "message"), some(&["x"]));
}

#[test]
fn log_events_that_alternate_between_many_streams_are_of_their_own() {
    const STREAMS: usize = 2_000;
    let event = |n: usize| format!(r#"{{"logStreamName":"s-{}","timestamp":1,"message":"{n}"}}"#, n % STREAMS);
    let events: Vec<String> = (0..2 * STREAMS).map(event).collect();
    let text = format!(
        r#"{{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"/aws-glue/jobs/output","logStream":"s","logEvents":[{}]}}"#,
        events.join(",")
    );
    let read = read_text(text);
    let [streams, messages] = ["logstream", "message"].map(|name| column(&read, "glue_log", name));
    assert_eq!((streams.len(), read.rejects.len()), (2 * STREAMS, 0));
    for (stream, message) in streams.iter().zip(&messages) {
        let n: usize = message.as_deref().unwrap().parse().unwrap();
        assert_eq!(stream.as_deref(), Some(format!("s-{}", n % STREAMS).as_str()));
    }
}

#[test]
fn rows_of_logs_insights_are_the_log_events_they_have() {
    let row = |message: &str| serde_json::json!([{"field": "@timestamp", "value": "2024-08-01 10:00:00.000"}, {"field": "@message", "value": message}, {"field": "@ptr", "value": "x"}]);
    let counted = serde_json::json!([{"field": "eventName", "value": "x"}, {"field": "count(*)", "value": "3"}]);
    let answer = |rows: &[serde_json::Value]| {
        serde_json::json!({"results": rows, "statistics": {"recordsMatched": 2.0}, "status": "Complete"}).to_string()
    };
    let read = read_text(answer(&[row(&event(1)), counted, row(&event(2))]));
    let mut found = ids(&read);
    found.sort();
    assert_eq!(
        (found, reasons(&read)),
        (vec!["id-1".to_owned(), "id-2".to_owned()], vec!["a row of a query without @message"])
    );
    let flow =
        "2 111122223333 eni-0e250409d410e1290 198.51.100.7 10.0.0.200 3 22 6 1 44 1674898496 1674898507 ACCEPT OK";
    assert_eq!(column(&read_text(answer(&[row(flow)])), "vpc_flow", "srcport"), some(&["3"]));
    let entry = row("24/08/01 11:30:23 ERROR Main: failed");
    assert_eq!(column(&read_text(answer(&[entry])), "glue_log", "level"), some(&["ERROR"]));
    assert_eq!(reasons(&read_text(answer(&[]))), [""; 0]);
}

#[test]
fn rows_of_logs_insights_are_read_however_many_there_are() {
    let row = |number: usize| {
        let message = event(number).replacen('{', &format!("{{\"filling\":\"{}\",", "x".repeat(40_000)), 1);
        serde_json::json!([{"field": "@message", "value": message}, {"field": "@ptr", "value": "x"}])
    };
    // as the AWS CLI prints it, and with nothing between the tokens
    for is_pretty in [true, false] {
        let rows: Vec<_> = (0..500).map(row).collect();
        let answer = serde_json::json!({"queryLanguage": "CWLI", "results": rows, "statistics": {"recordsMatched": 2.0}, "status": "Complete"});
        let text = if is_pretty { format!("{answer:#}") } else { answer.to_string() };
        assert!(text.len() > 17 << 20);
        let read = read_text(&text);
        let mut found = ids(&read);
        found.sort();
        let mut expected: Vec<String> = (0..500).map(|number| format!("id-{number}")).collect();
        expected.sort();
        assert_eq!((found, reasons(&read)), (expected, vec![""; 0]), "{is_pretty}");
        // what was lost of it at the end is told
        let cut = read_text(&text[..text.len() - (1 << 20)]);
        assert!(ids(&cut).len() > 460 && !cut.rejects.is_empty(), "{}", ids(&cut).len());
    }
}

/// Entries of a job's log, each a log event or, as a traceback, several.
fn entries(count: usize, filling: usize) -> Vec<String> {
    let filling = "x".repeat(filling);
    (0..count)
        .flat_map(|n| {
            let first = format!("24/08/01 11:30:{:02} ERROR Main: entry {n} {filling}", n % 60);
            let rest = ["java.io.IOException: \"x\"", "\tat a.B.c(B.java:1)"].map(str::to_owned);
            std::iter::once(first).chain(rest.into_iter().take(if n % 3 == 0 { 2 } else { 0 }))
        })
        .collect()
}

fn messages(read: &Outcome) -> Vec<String> {
    column(read, "glue_log", "message").into_iter().flatten().collect()
}

#[test]
fn events_of_a_glue_job_are_the_same_rows_however_many_there_are() {
    // around the window, what is taken whole, and what is cut into pieces
    for (count, filling) in [(3, 100), (30, 8_700), (31, 8_700), (400, 5_000), (1_000, 4_000), (2_400, 5_000)] {
        let stream = format!("jr_{}", "0a".repeat(32));
        let event = |message: &String| serde_json::json!({"logStreamName": stream, "timestamp": 1_722_511_823_000_i64, "message": message, "ingestionTime": 1, "eventId": "1"});
        let unnamed = |message: &String| serde_json::json!({"timestamp": 1_722_511_823_000_i64, "message": message, "ingestionTime": 1});
        let row = |message: &String| serde_json::json!([{"field": "@message", "value": message}, {"field": "@logStream", "value": stream}]);
        let lines = entries(count, filling);
        let expected = messages(&read_text(lines.join("\n")));
        assert_eq!(expected.len(), count);
        let printed =
            serde_json::json!({"events": lines.iter().map(event).collect::<Vec<_>>(), "searchedLogStreams": []});
        let of_stream =
            serde_json::json!({"events": lines.iter().map(unnamed).collect::<Vec<_>>(), "nextForwardToken": "f/1"});
        let answer = serde_json::json!({"results": lines.iter().map(row).collect::<Vec<_>>(), "statistics": {}, "status": "Complete"});
        let texts =
            [printed, of_stream, answer].map(|text| (text.to_string(), serde_json::to_string_pretty(&text).unwrap()));
        for text in texts.into_iter().flat_map(|(line, pretty)| [line, pretty]) {
            let whole = read_text(&text);
            assert_eq!(reasons(&whole), [""; 0], "{} bytes: {}", text.len(), &text[..60]);
            assert!(messages(&whole) == expected, "{} bytes: {}", text.len(), &text[..60]);
            let streamed =
                read(Input::Stream(Box::new(std::io::Cursor::new(text.clone().into_bytes()))), &Options::default());
            assert_eq!(reasons(&streamed), [""; 0], "{} bytes: {}", text.len(), &text[..60]);
            assert!(messages(&streamed) == expected, "{} bytes: {}", text.len(), &text[..60]);
        }
    }
}

#[test]
fn a_glue_job_that_the_cli_printed_and_that_is_cut_off_keeps_its_whole_events() {
    let event = |message: &String| serde_json::json!({"timestamp": 1, "message": message, "ingestionTime": 1});
    for count in [5, 1_000] {
        let events: Vec<_> = entries(count, 5_000).iter().map(event).collect();
        let text = serde_json::json!({"events": events}).to_string();
        let read = read(
            Input::Stream(Box::new(std::io::Cursor::new(text.as_bytes()[..text.len() - 3_000].to_vec()))),
            &Options::default(),
        );
        assert_eq!(messages(&read).len(), count - 1);
        assert_eq!(reasons(&read), ["the log events of an envelope are cut off at the end of the input"]);
    }
}

#[test]
fn a_log_of_which_an_exception_comes_first_is_one_of_a_job() {
    let events =
        ["Traceback (most recent call last):", "  File \"x\", line 1", "KeyError: 'a'", "24/08/01 11:30:23 INFO A: b"];
    let events = events.map(|message| serde_json::json!({"timestamp": 1, "message": message, "ingestionTime": 1}));
    let read = read_text(serde_json::json!({"events": events, "nextForwardToken": "f"}).to_string());
    assert_eq!((column(&read, "glue_log", "exception"), reasons(&read)), (vec![Some("KeyError".into()), None], vec![]));
}

#[test]
fn envelopes_are_taken_off_where_the_table_is_said_too() {
    let forced = Options { table: Some(&logs::glue_log::GLUE_LOG), ..Options::default() };
    let entry = "24/08/01 11:30:23 ERROR Main: failed";
    let sent = serde_json::json!({"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "mine", "logStream": "s", "logEvents": [{"id": "1", "timestamp": 1, "message": "printed"}]});
    let printed = serde_json::json!({"events": [{"timestamp": 1, "message": entry, "ingestionTime": 2}]});
    let answer = serde_json::json!({"results": [[{"field": "@message", "value": entry}]], "statistics": {}, "status": "Complete"});
    let shipped = serde_json::json!({"message": entry, "host": "a"});
    for (text, message) in [
        (sent.to_string(), "printed"),
        (printed.to_string(), "failed"),
        (answer.to_string(), "failed"),
        (shipped.to_string(), "failed"),
        (format!("@timestamp,@message\n2024-08-01 11:30:23.000,{entry}\n"), "failed"),
    ] {
        let read = read(Input::Bytes(text.clone().into()), &forced);
        assert_eq!((messages(&read), reasons(&read)), (vec![message.to_owned()], vec![]), "{text}");
    }
}

#[test]
fn entries_that_are_messages_of_objects_are_read() {
    let messages =
        ["24/08/01 11:30:23 ERROR Main: failed", "java.io.IOException: x", "24/08/01 11:30:24 INFO Main: done"];
    let shipped = messages
        .map(|message| serde_json::json!({"@timestamp": "2024-08-01T11:30:25Z", "message": message}).to_string());
    let read = read_text(shipped.join("\n"));
    assert_eq!(reasons(&read), [""; 0]);
    assert_eq!(column(&read, "glue_log", "level"), some(&["ERROR", "INFO"]));
    assert_eq!(column(&read, "glue_log", "exception"), [Some("java.io.IOException".to_owned()), None]);
}

#[test]
fn log_events_alone_are_of_the_runs_that_their_streams_name() {
    let runs = ["0a", "0b"].map(|digits| format!("jr_{}", digits.repeat(32)));
    let event = |names: [&str; 3], run: &str, message: &str| {
        let [stream, time, text] = names;
        serde_json::json!({stream: format!("{run}-driver"), time: 1_722_511_823_000_i64, text: message})
    };
    for names in [["logStreamName", "timestamp", "message"], ["@logStream", "@timestamp", "@message"]] {
        let events = [
            event(names, &runs[0], "24/08/01 11:30:23 ERROR Main: failed"),
            event(names, &runs[0], "java.io.IOException: x"),
            event(names, &runs[1], "rows: 5\n"),
        ];
        let read = read_text(serde_json::Value::from(events.to_vec()).to_string());
        assert_eq!(reasons(&read), [""; 0], "{names:?}");
        assert_eq!(messages(&read), ["failed\njava.io.IOException: x", "rows: 5"], "{names:?}");
        assert_eq!(column(&read, "glue_log", "jobrunid"), some(&[&runs[0], &runs[1]]), "{names:?}");
        assert_eq!(column(&read, "glue_log", "source"), some(&["driver", "driver"]), "{names:?}");
    }
    // what stands in another stream may be of anything
    let other = event(["logStreamName", "timestamp", "message"], "app", "hello").to_string();
    assert_eq!(reasons(&read_text(other)), ["no table is known for this object"]);
}

#[test]
fn rows_of_logs_insights_over_a_glue_log_have_its_account_and_group() {
    let stream = format!("jr_{}-driver", "0a".repeat(32));
    let log = "111122223333:/aws-glue/jobs/error";
    let names = ["@timestamp", "@message", "@logStream", "@log"];
    let rows = [
        ["2024-08-01 11:30:23.000", "24/08/01 11:30:23 ERROR Main: failed", stream.as_str(), log],
        ["2024-08-01 11:30:24.000", "24/08/01 11:30:24 INFO Main: printed, by it", stream.as_str(), log],
    ];
    let csv: String =
        [names].iter().chain(&rows).map(|row| row.map(|cell| format!("\"{cell}\"")).join(",") + "\n").collect();
    let fields =
        rows.map(|row| std::array::from_fn::<_, 4, _>(|n| serde_json::json!({"field": names[n], "value": row[n]})));
    let answer = serde_json::json!({"results": fields, "statistics": {}, "status": "Complete"}).to_string();
    for text in [csv, answer] {
        let read = read_text(&text);
        assert_eq!(reasons(&read), [""; 0], "{text}");
        for (path, expected) in [
            ("message", ["failed", "printed, by it"]),
            ("timestamp", ["2024-08-01T11:30:23Z", "2024-08-01T11:30:24Z"]),
            ("account", ["111122223333"; 2]),
            ("loggroup", ["/aws-glue/jobs/error"; 2]),
            ("source", ["driver"; 2]),
        ] {
            assert_eq!(column(&read, "glue_log", path), some(&expected), "{path} of {text}");
        }
    }
}

#[test]
fn fields_of_events_that_a_query_chose_are_columns() {
    let names = [
        "@timestamp",
        "eventTime",
        "eventName",
        "eventSource",
        "userIdentity.arn",
        "userIdentity.sessionContext.sessionIssuer.arn",
        "requestParameters.bucketName",
        "resources.0.ARN",
    ];
    let values = [
        "2024-08-01 11:30:24.000",
        "2024-08-01T11:30:23Z",
        "GetObject",
        "s3.amazonaws.com",
        "arn:aws:iam::1:user/eve",
        "arn:aws:iam::1:role/r",
        "b",
        "arn:aws:s3:::b",
    ];
    let csv = format!("{}\n{}\n", names.join(","), values.join(","));
    let fields: Vec<_> =
        names.iter().zip(values).map(|(name, value)| serde_json::json!({"field": name, "value": value})).collect();
    let answer = serde_json::json!({"results": [fields], "statistics": {}, "status": "Complete"}).to_string();
    let athena = csv.to_lowercase().replace("@timestamp", "id");
    for text in [csv, answer, athena] {
        let read = read_text(&text);
        assert_eq!(reasons(&read), [""; 0], "{text}");
        for (path, expected) in [
            ("eventtime", "2024-08-01T11:30:23Z"),
            ("useridentity.arn", "arn:aws:iam::1:user/eve"),
            ("useridentity.sessioncontext.sessionissuer.arn", "arn:aws:iam::1:role/r"),
        ] {
            assert_eq!(column(&read, "cloudtrail", path), some(&[expected]), "{path} of {text}");
        }
        let parameters = json(&column(&read, "cloudtrail", "requestparameters")[0]);
        assert!(parameters.to_string().to_lowercase().contains(r#"{"bucketname":"b"}"#), "{parameters}");
    }
}

#[test]
fn whatever_a_glue_job_prints_is_an_entry_of_its_log() {
    let envelope = |group: &str, messages: &[&str]| {
        let events: Vec<_> = messages
            .iter()
            .map(|message| serde_json::json!({"id": "1", "timestamp": 1_722_511_823_000_i64, "message": message}))
            .collect();
        serde_json::json!({"messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": group, "logStream": "s", "logEvents": events})
            .to_string()
    };
    let printed = ["plain", "{'a': 1}", r#"{"b": 2}"#, r#"{"level":"ERROR","message":"m","logger":"z"}"#];
    let read_it = read_text(envelope("/aws-glue/jobs/output", &printed));
    let mut messages: Vec<String> = column(&read_it, "glue_log", "message").into_iter().flatten().collect();
    messages.sort();
    assert_eq!(messages, ["m", "plain", r#"{"b": 2}"#, "{'a': 1}"]);
    assert!(read_it.rejects.is_empty());
    let times = column(&read_it, "glue_log", "timestamp");
    assert!(times.iter().all(|time| time.as_deref() == Some("2024-08-01T11:30:23Z")), "{times:?}");
    assert_eq!(read_text(envelope("/somewhere/else", &printed[..2])).rejects.len(), 2);
}

#[test]
fn an_entry_without_a_time_has_that_of_its_own_log_event_in_milliseconds() {
    let entry = r#"{"level":"ERROR","message":"m","logger":"z"}"#;
    let events: Vec<_> = [1_722_511_823_000_i64, 99_999_999_999, 5_000, 5_000]
        .iter()
        .map(|time| serde_json::json!({"id": "1", "timestamp": time, "message": entry}))
        .collect();
    let envelope =
        serde_json::json!({"messageType": "DATA_MESSAGE", "logGroup": "/aws-glue/jobs/error", "logEvents": events});
    let mut times = column(&read_text(envelope.to_string()), "glue_log", "timestamp");
    times.sort();
    let expected = ["1970-01-01T00:00:05Z", "1970-01-01T00:00:05Z", "1973-03-03T09:46:39.999Z", "2024-08-01T11:30:23Z"];
    assert_eq!(times, some(&expected));
}

#[test]
fn a_list_of_records_that_is_a_message_is_read() {
    let quoted = |text: String| serde_json::Value::String(text).to_string();
    let list = || quoted(format!(" [{}, {}]", event(1), event(2)));
    for text in [
        format!(
            r#"{{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","logEvents":[{{"id":"1","timestamp":1,"message":{}}}]}}"#,
            list()
        ),
        format!(r#"{{"Records":[{{"messageId":"m","body":{},"eventSource":"aws:sqs"}}]}}"#, list()),
    ] {
        let read = read_text(&text);
        assert_eq!((ids(&read), reasons(&read)), (vec!["id-1".into(), "id-2".into()], vec![]), "{text}");
    }
    // what a job prints stays a text
    let printed = r#"{"messageType":"DATA_MESSAGE","logGroup":"/aws-glue/jobs/output","logStream":"s","logEvents":[{"id":"1","timestamp":1,"message":"[{\"a\":1}]"}]}"#;
    assert_eq!(messages(&read_text(printed)), [r#"[{"a":1}]"#]);
}
