//! Texts with something in them that is no record: what it costs, and what is said of it.

use super::super::LIST_CUT_OFF;
use super::*;

#[test]
fn damage_costs_the_damaged_record_only() {
    let check = |text: String, kept: &[&str], why: &[&str]| {
        let read = read_text(&text);
        assert_eq!(ids(&read), kept, "{text}");
        assert_eq!(reasons(&read), why, "{text}");
    };
    let [a, b, c] = [event(1), event(2), event(3)];
    let wrap = |middle: &str| format!(r#"{{"Records":[{a},{middle},{c}]}}"#);
    let quote = b.replacen(r#""CreateUser""#, r#""CreateUser"#, 1);
    check(wrap(&quote), &["id-1", "id-3"], &["a member of an object is followed by neither comma nor brace"]);
    let brace = b.replacen("}", "", 1);
    check(wrap(&brace), &["id-1", "id-3"], &["a key of an object is no string"]);
    let word = b.replacen(r#""CreateUser""#, "CreateUser", 1);
    check(wrap(&word), &["id-1", "id-3"], &["a value is no JSON"]);
    // what others write in JSON is no damage, but in a record that lacks its end
    let comma = b.replacen('{', r#"{"n":[NaN,],"#, 1);
    check(wrap(&comma), &["id-1", "id-3", "id-2"], &[]);
    check(wrap(&comma.replacen("}", "", 1)), &["id-1", "id-3"], &["a value is no JSON"]);
    for (item, why) in [
        ("42", "a number where an object should be"),
        ("-4.2e1", "a number where an object should be"),
        ("\"a, \\\"b\"", "a string where an object should be"),
        ("null", "null where an object should be"),
        ("true", "true or false where an object should be"),
        ("nullable", "not JSON"),
        ("4 2", "not JSON"),
    ] {
        check(wrap(item), &["id-1", "id-3"], &[why]);
        check(format!("{a}\n{item}\n{c}"), &["id-1", "id-3"], &[why]);
    }
    check(
        wrap(&format!(r#"{{"a":{}1{}}}"#, "[".repeat(200), "]".repeat(200))),
        &["id-1", "id-3"],
        &["nested more than 128 levels deep"],
    );
    check(wrap(r#"{"who":"knows"}"#), &["id-1", "id-3"], &["no table is known for this object"]);
    check(
        wrap(r#"{"eventName":"ObjectCreated:Put","eventSource":"aws:s3"}"#),
        &["id-1", "id-3"],
        &["no table is known for this object"],
    );
    check(
        wrap(r#"{"eventName":"aws:kinesis:record","eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"s:1"}"#),
        &["id-1", "id-3"],
        &["no table is known for this object"],
    );
    check(format!("{a}\nhello\n{c}"), &["id-1", "id-3"], &["not JSON"]);
    check(
        format!("{a}\n{}\n{c}", &b[..b.len() / 2]),
        &["id-1", "id-3"],
        &["a key of an object is not followed by a colon"],
    );
    let half = &c[..c.len() - 20];
    check(format!("{a}\n{b}\n{half}"), &["id-1", "id-2"], &["the record is cut off at the end of the input"]);
    check(
        format!(r#"{{"Records":[{a},{b},{half}"#),
        &["id-1", "id-2"],
        &["the record is cut off at the end of the input"],
    );
    // also where the next one would begin
    for cut in ["", ",", ",\n", "]", "]\n"] {
        check(format!(r#"{{"Records":[{a},{b}{cut}"#), &["id-1", "id-2"], &[LIST_CUT_OFF]);
    }
    check(r#"{"Records":["#.to_owned(), &[], &[LIST_CUT_OFF]);
    check(format!("[{a},{b},"), &["id-1", "id-2"], &[LIST_CUT_OFF]);
}

#[test]
fn behind_damage_the_next_of_a_list_is_found_by_how_it_begins() {
    let lower = |n: usize| {
        format!(
            r#"{{"eventversion":"1.08","eventname":"CreateUser","eventsource":"iam.amazonaws.com","eventid":"id-{n}"}}"#
        )
    };
    let body = |n: usize| serde_json::json!({ "messageId": format!("m{n}"), "body": event(n) });
    let pretty =
        |text: &str| serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(text).unwrap()).unwrap();
    let listed = |items: [String; 3]| format!("[{}]", items.join(","));
    let queued = |items: [String; 3]| format!(r#"{{"Records":[{}]}}"#, items.join(","));
    for (what, text) in [
        ("as Athena writes them", listed([1, 2, 3].map(lower))),
        ("as Lambda gets them", queued([1, 2, 3].map(|n| body(n).to_string()))),
    ] {
        for text in [pretty(&text), text] {
            let first = text.find("m1").or(text.find("1.08")).unwrap();
            assert_eq!(ids(&read_text(&text)).len(), 3, "{what}");
            // the quote behind it
            let damaged = [&text[..first], &text[first..].replacen('"', "", 1)].concat();
            let read = read_text(&damaged);
            let mut found = ids(&read);
            found.sort();
            assert_eq!(
                (found, read.rejects.len()),
                (vec!["id-2".to_owned(), "id-3".to_owned()], 1),
                "{what} {damaged}"
            );
        }
    }
    // an answer that begins as no record does is a part of the damaged one
    let answered = event(1).replace(r#""eventID""#, r#""responseElements":{"requestId":"r","x":{}},"eventID""#);
    let read = read_text(format!("{}\n{}", answered.replacen(r#""iam"#, "iam", 1), event(2)));
    assert_eq!((ids(&read), read.rejects.len()), (vec!["id-2".to_owned()], 1));
    // what is sound is stepped over by itself, each
    for text in [listed([lower(1), "null,7,\"x\"".to_owned(), lower(3)]), queued([lower(1), "[]".to_owned(), lower(3)])]
    {
        let read = read_text(&text);
        assert_eq!(ids(&read), ["id-1", "id-3"]);
        assert_eq!(read.rejects.len(), if text.contains("null") { 3 } else { 0 });
    }
}

#[test]
fn damage_in_what_the_cli_printed_costs_the_damaged_item_only() {
    let items = |name: &str| {
        [1, 2, 3].map(|n| serde_json::json!({"at": n, name: event(n)})).map(|item| item.to_string()).join(",\n  ")
    };
    for (list, name) in [("events", "message"), ("Messages", "Body")] {
        let whole = format!("{{\n  \"{list}\": [{}],\n  \"next\": \"f/1\"\n}}\n", items(name));
        // a quote of the text for want of its backslash, and the end of the whole
        let quote = whole.find(r#"\"u2\""#).unwrap();
        let end = whole.find(r#"\"u3\""#).unwrap();
        let texts = [format!("{}{}", &whole[..quote], &whole[quote + 1..]), whole[..end].to_owned()];
        for (text, kept) in texts.iter().zip([["id-1", "id-3"], ["id-1", "id-2"]]) {
            let read = read_text(text);
            let mut found = ids(&read);
            found.sort();
            assert_eq!(found, kept, "{text}");
            assert!(!read.rejects.is_empty(), "{text}");
        }
    }
}

#[test]
fn damage_in_the_rows_of_an_answer_costs_the_damaged_row_only() {
    let columns = |n: usize| {
        let record: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&event(n)).unwrap();
        let column = |(name, value): (String, serde_json::Value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            serde_json::json!({ name: text })
        };
        serde_json::Value::Array(record.into_iter().map(column).collect())
    };
    let fields = |n: usize| serde_json::json!([{"field": "@timestamp", "value": "2024-08-01 10:00:00.000"}, {"field": "@message", "value": event(n)}]);
    let lake = [1, 2, 3].map(columns).map(|row| row.to_string()).join(",");
    let insights = [1, 2, 3].map(fields).map(|row| row.to_string()).join(",\n");
    let sumo = [1, 2, 3].map(|n| serde_json::json!({"map": {"_messagetime": "1", "_raw": event(n)}}).to_string());
    for (whole, rejects) in [
        (format!(r#"{{"QueryStatus":"FINISHED","QueryStatistics":{{"n":3}},"QueryResultRows":[{lake}]}}"#), 1),
        (format!(r#"{{"results": [{insights}], "statistics": {{"n": 3.0}}, "status": "Complete"}}"#), 1),
        (format!(r#"{{"fields":[{{"name":"_raw"}}],"messages":[{}]}}"#, sumo.join(",")), 2),
    ] {
        let quote = whole.find(r#"\"u2\""#).unwrap();
        let end = whole.find(r#"\"u3\""#).unwrap();
        let texts = [format!("{}{}", &whole[..quote], &whole[quote + 1..]), whole[..end].to_owned()];
        for (text, kept) in texts.iter().zip([["id-1", "id-3"], ["id-1", "id-2"]]) {
            let read = read_text(text);
            let mut found = ids(&read);
            found.sort();
            assert_eq!(found, kept, "{text}");
            assert_eq!(read.rejects.len(), rejects, "{text}");
            // what stands in the next line is read on
            let read = read_text(format!("{text}\n{}\n", event(4)));
            assert_eq!((ids(&read).len(), read.rejects.len()), (3, rejects), "{text}");
        }
    }
}

#[test]
fn records_in_a_string_that_is_cut_off_are_read_as_far_as_it_goes() {
    let records = format!(r#"{{"Records":[{},{}]}}"#, event(1), event(2));
    let string = serde_json::Value::from(records).to_string();
    let end = string.find("u2").unwrap();
    // behind an escape, in one, and before the quote alone
    for (end, kept, rejects) in
        [(end, &["id-1"][..], 1), (end - 1, &["id-1"][..], 1), (string.len() - 1, &["id-1", "id-2"][..], 0)]
    {
        let read = read_text(&string[..end]);
        assert_eq!((ids(&read), read.rejects.len()), (kept.iter().map(|id| (*id).to_owned()).collect(), rejects));
    }
}

#[test]
fn a_reject_says_where_and_what() {
    let bad = r#"{"eventName":oops,"eventSource":"x"}"#;
    let text = format!("{}\n{bad}\n{}", event(1), event(2));
    let read = read_text(&text);
    let reject = &read.rejects[0];
    assert_eq!(reject.offset as usize, event(1).len() + 1);
    assert_eq!((reject.bytes.as_slice(), reject.length as usize), (bad.as_bytes(), bad.len()));
    assert_eq!(reject.table, "cloudtrail");
}

#[test]
fn very_many_records_that_are_none_take_few_rejects_and_are_all_counted() {
    let text = format!("{}\n{}", event(1), "{}\n".repeat(25_000));
    let read = read_text(&text);
    assert_eq!((ids(&read).len(), read.rejects.len()), (1, Reject::APART_MAX));
    assert_eq!(read.rejects.iter().map(Reject::records).sum::<u64>(), 25_000);
}

#[test]
fn what_is_nested_without_end_is_one_reject_and_takes_no_time() {
    let text = format!("{}\n{}\n", r#"{"a":"#.repeat(1 << 17), event(1));
    let read = read(Input::Stream(Box::new(std::io::Cursor::new(text.into_bytes()))), &Options::default());
    assert_eq!((ids(&read), reasons(&read)), (vec!["id-1".to_owned()], vec!["nested more than 128 levels deep"]));
}

#[test]
fn bad_bytes_and_raw_controls_do_no_harm() {
    let mut text = event(1).into_bytes();
    let at = memchr::memmem::find(&text, b"CreateUser").unwrap();
    text[at] = 0xff;
    text.extend_from_slice(event(2).replace("u2", "a\tb\u{1}").as_bytes());
    let read = read_text(&text);
    assert_eq!(reasons(&read), [""; 0]);
    assert_eq!(column(&read, "cloudtrail", "eventname"), some(&["\u{fffd}reateUser", "CreateUser"]));
    let parameters = column(&read, "cloudtrail", "requestparameters")[1].clone().unwrap();
    assert_eq!(parameters, r#"{"userName":"a\u0009b\u0001"}"#);
}

#[test]
fn a_text_that_begins_beyond_ascii_is_read_to_its_end() {
    for start in [&b"\xff"[..], b"\xc3", b"\xc3\xa9", b"\xef\xbf\xbd", b"\xef\xbb\xbf\xff", b"\xf0\x9f\x98\x80"] {
        let read = read_text([start, event(1).as_bytes()].concat());
        assert_eq!((ids(&read), read.rejects.len()), (vec!["id-1".to_owned()], 1), "{start:?}");
    }
}

#[test]
fn a_long_stream_loses_only_damaged_records() {
    let mut expected = Vec::new();
    let events: Vec<String> = (0..9_000)
        .map(|n| {
            let event = event(n);
            if n % 1000 == 500 {
                return event.replacen(r#""CreateUser""#, r#""CreateUser"#, 1);
            }
            expected.push(format!("id-{n}"));
            event
        })
        .collect();
    let text = format!(r#"{{"Records":[{}]}}"#, events.join(","));
    let read = read(Input::Stream(Box::new(std::io::Cursor::new(text.into_bytes()))), &Options::default());
    assert_eq!(ids(&read), expected);
    assert_eq!(reasons(&read), ["a member of an object is followed by neither comma nor brace"; 9]);
}
