//! Records that stand as base64 in others, compressed or not.

use super::*;
use crate::memory::{Memory, Size};

#[test]
fn what_stands_as_base64_is_any_object() {
    let flow =
        "2 111122223333 eni-0e250409d410e1290 198.51.100.7 10.0.0.200 7 22 6 1 44 1674898496 1674898507 ACCEPT OK";
    let lines = [of_kinesis(flow.as_bytes()), of_kinesis(b"hello"), of_kinesis(event(1).as_bytes())];
    let text = lines.join("\n");
    let read = read_text(&text);
    assert_eq!(column(&read, "vpc_flow", "srcport"), some(&["7"]));
    assert_eq!(ids(&read), ["id-1"]);
    assert_eq!(reasons(&read), ["neither JSON nor a text log that a table knows"]);
    // where the text of `data` begins
    let place = text.match_indices("\"data\":").nth(1).unwrap().0 + "\"data\":".len();
    assert_eq!((read.rejects[0].offset as usize, read.rejects[0].bytes.as_slice()), (place, &b"hello"[..]));

    let broken = of_kinesis(&gzip(event(1).as_bytes())[..40]);
    assert_eq!(reasons(&read_text(&broken)).first(), Some(&"the compressed data is cut off at its end"));
    let no_base64 = r#"{"records":[{"recordId":"1","data":"{}"}]}"#;
    assert_eq!(reasons(&read_text(no_base64)), ["no table is known for this object"]);
    let control = r#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"message":"CWL CONTROL MESSAGE"}]}"#;
    let mut read = read_text(format!(r#"{{"awslogs":{{"data":"{}"}}}}"#, base64(&gzip(control.as_bytes()))));
    assert_eq!((read.counts.of("").set_aside, read.rejects.len()), (1, 0));
}

#[test]
fn what_lambda_is_handed_of_a_broker_is_unpacked() {
    let [one, two] = [1, 2].map(|n| base64(event(n).as_bytes()));
    let record = |value: &str| format!(r#"{{"topic":"t","partition":0,"offset":15,"key":"YQ==","value":"{value}"}}"#);
    let kafka = format!(r#"{{"eventSource":"aws:kafka","records":{{"t-0":[{},{}]}}}}"#, record(&one), record(&two));
    let active = format!(
        r#"{{"eventSource":"aws:mq","messages":[{{"messageID":"a","data":"{one}"}},{{"messageID":"b","data":"{two}"}}]}}"#
    );
    for text in [kafka, active] {
        let read = read_text(&text);
        assert_eq!((ids(&read), reasons(&read)), (vec!["id-1".to_owned(), "id-2".to_owned()], vec![]), "{text}");
    }
    // the text of a queue or a shipper is read, though what is beside it may be taken for base64
    for beside in [r#""messageId":"m","data":"abcd","body""#, r#""topic":"t","partition":0,"value":"abcd","message""#] {
        let read = read_text(format!("{{{beside}:{}}}", serde_json::Value::from(event(1))));
        assert_eq!((ids(&read), reasons(&read)), (vec!["id-1".to_owned()], vec![]), "{beside}");
    }
}

#[test]
fn packed_texts_in_one_another_have_an_end() {
    let mut text = event(1);
    for depth in 1..7 {
        text = of_kinesis(text.as_bytes());
        let read = read_text(&text);
        assert_eq!(ids(&read).len() + read.rejects.len(), 1, "{depth}");
        assert_eq!(ids(&read).len() == 1, depth <= 4, "{depth}");
    }
}

#[test]
fn what_packed_texts_inflate_to_together_is_limited() {
    let packed = of_kinesis(&gzip(" ".repeat(3 << 20).as_bytes()));
    let last = of_kinesis(event(1).as_bytes());
    // an eighth of the usual sizes: 16 MiB
    let memory = Memory::of_limit(Size(268 << 20)).unwrap();
    let read_with = |count: usize, inflated_bytes_max: u64| {
        let text = format!("{}{last}", packed.repeat(count));
        read(Input::Bytes(text.into()), &Options { inflated_bytes_max, memory, ..Options::default() })
    };
    let within = read_with(5, u64::MAX);
    assert_eq!((ids(&within).len(), within.rejects.len()), (1, 0));
    let beyond = read_with(6, u64::MAX);
    let expected = [
        "cut off: it inflates to more than 1048576 bytes",
        "not unpacked: what stands before it inflates to as much as is read at a time",
    ];
    assert_eq!((ids(&beyond).len(), reasons(&beyond)), (0, expected.to_vec()));
    let small = read_with(1, 1 << 19);
    assert_eq!((ids(&small).len(), reasons(&small)), (1, vec!["cut off: it inflates to more than 524288 bytes"]));
}

#[test]
fn packed_texts_of_no_table_are_a_part_of_what_is_inflated() {
    let other = of_kinesis(&gzip("x".repeat(2 << 20).as_bytes()));
    // an eighth of the usual sizes: 16 MiB
    let memory = Memory::of_limit(Size(268 << 20)).unwrap();
    let read_with = |count: usize| {
        let text = format!("{}{}", other.repeat(count), of_kinesis(event(1).as_bytes()));
        read(Input::Bytes(text.into()), &Options { memory, ..Options::default() })
    };
    let within = read_with(4);
    assert_eq!((ids(&within).len(), within.rejects.len()), (1, 4));
    let beyond = read_with(12);
    let reason = "not unpacked: what stands before it inflates to as much as is read at a time";
    assert_eq!((ids(&beyond).len(), reasons(&beyond).last()), (0, Some(&reason)));
}
