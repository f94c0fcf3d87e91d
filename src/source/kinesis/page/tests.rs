use std::io::Write;

use aws_sdk_kinesis::primitives::Blob;

use super::*;
use crate::decode::Body;
use crate::decode::kpl::HashRange;
use crate::decode::kpl::tests::pack;
use crate::logs;

const EVENT: &str = r#"{"eventVersion":"1.08","eventName":"A"}"#;

fn due(from: ReadFrom) -> Due {
    let range = HashRange { first: 1 << 127, last: u128::MAX };
    Due { shard: "s-1".into(), range, ancestors: Vec::new(), partition: "kinesis:a@1/s-1".into(), from }
}

fn taken(due: Due) -> Taken {
    Taken::new(due, "kinesis://a/s-1".into(), decode::Options::default(), CancellationToken::new())
}

fn record(sequence: &str, data: impl Into<Vec<u8>>) -> Record {
    Record::builder().sequence_number(sequence).partition_key("k").data(Blob::new(data)).build().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn pieces(taken: &mut Taken, records: Vec<Record>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut send = |piece| {
        pieces.push(piece);
        Ok(())
    };
    taken.hand_on(records, &mut send).unwrap();
    pieces
}

fn offset(piece: &Piece) -> &str {
    match &piece.position.as_ref().unwrap().offset {
        Offset::At(text) => text,
        Offset::End => "end",
    }
}

/// Lines of what was handed on.
fn texts(pieces: &[Piece]) -> Vec<String> {
    let text = |records: &decode::Records| {
        let text = match &records.body {
            Body::Json(json) => &json.text,
            Body::Lines(lines) => &lines.text,
            Body::Parquet(_) => unreachable!("no Parquet here"),
        };
        str::from_utf8(text.as_slice())
            .unwrap()
            .lines()
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    pieces.iter().flat_map(|piece| piece.records.iter().flat_map(text)).collect()
}

#[test]
fn small_records_gather_in_one_piece() {
    let mut taken = taken(due(ReadFrom::TrimHorizon));
    let records = (1..=10_000).map(|number| record(&number.to_string(), EVENT)).collect();
    let pieces = pieces(&mut taken, records);
    assert_eq!((pieces.len(), texts(&pieces)), (1, vec![EVENT.to_owned(); 10_000]));
    // they are read as few texts, and each has its place in one
    let (text, each) = (&pieces[0].records[0], EVENT.len() as u64 + 1);
    assert!(pieces[0].records.len() <= 1 + 10_000 * EVENT.len() / Gathered::BYTES);
    let reject = Reject::new(&text.origin, 6 * each + 5, "", "", &[]);
    assert_eq!((offset(&pieces[0]), pieces[0].read_bytes), ("10000", 10_000 * EVENT.len() as u64));
    assert_eq!(&*pieces[0].position.as_ref().unwrap().partition, "kinesis:a@1/s-1");
    assert_eq!((&*reject.origin.name, reject.offset), ("kinesis://a/s-1/7", 5));
    assert_eq!(taken.place(), (ShardIteratorType::AfterSequenceNumber, Some("10000".into()), None));
}

#[test]
fn a_piece_ends_with_the_record_that_fills_it() {
    let mut taken = taken(due(ReadFrom::TrimHorizon));
    let large = format!("{EVENT}\n").repeat(10_000);
    let records = (1..=7).map(|number| record(&number.to_string(), large.as_str())).collect();
    let pieces = pieces(&mut taken, records);
    assert_eq!(pieces.iter().map(offset).collect::<Vec<_>>(), ["3", "6", "7"]);
}

#[test]
fn what_was_done_before_is_passed_over() {
    let mut taken = taken(due(ReadFrom::After("9".into())));
    // the record itself is asked for, since it tells whether something is missing between it and the next
    assert_eq!(taken.place(), (ShardIteratorType::AtSequenceNumber, Some("9".into()), None));
    let records = ["9", "10", "11"].map(|number| record(number, EVENT.replace('A', number))).into();
    let trimmed = METRICS.kinesis_trimmed.with_label_values(&[] as &[&str]).get();
    let pieces = pieces(&mut taken, records);
    assert_eq!(texts(&pieces), [EVENT.replace('A', "10"), EVENT.replace('A', "11")]);
    assert_eq!(METRICS.kinesis_trimmed.with_label_values(&[] as &[&str]).get(), trimmed);
}

#[test]
fn user_records_are_passed_over_one_by_one() {
    let parts: Vec<_> = (0..5u8).map(|number| (number, None, EVENT.replace('A', &number.to_string()).into())).collect();
    let aggregated = || vec![record("9", pack(&parts).to_vec()), record("10", EVENT)];
    let whole = pieces(&mut taken(due(ReadFrom::TrimHorizon)), aggregated());
    assert_eq!((texts(&whole).len(), offset(&whole[0])), (6, "10"));
    let done = Within { sub_sequence: 2, bytes: None };
    let mut taken = taken(due(ReadFrom::Inside("9".into(), done)));
    assert_eq!(taken.place(), (ShardIteratorType::AtSequenceNumber, Some("9".into()), None));
    assert_eq!(texts(&pieces(&mut taken, aggregated())), ["3", "4", "A"].map(|name| EVENT.replace('A', name)));
}

#[test]
fn what_the_kpl_sends_again_is_left_to_the_other_shard() {
    let (lower, upper) = (Some(5), Some(u128::MAX - 5));
    let parts =
        [(1, lower, b"{\"a\":1}".to_vec()), (2, upper, b"{\"a\":2}".to_vec()), (3, lower, b"{\"a\":3}".to_vec())];
    let aggregated = || vec![record("9", pack(&parts).to_vec())];
    let whole = HashRange { first: 0, last: u128::MAX };
    let due = due(ReadFrom::TrimHorizon);
    // born of a split: the lower half is another's
    let child = Due { ancestors: vec![whole], ..due.clone() };
    let resent = METRICS.kinesis_resent.with_label_values(&[] as &[&str]).get();
    let read = pieces(&mut taken(child), aggregated());
    assert_eq!((texts(&read), offset(&read[0])), (vec!["{\"a\":2}".to_owned()], "9"));
    assert_eq!(METRICS.kinesis_resent.with_label_values(&[] as &[&str]).get() - resent, 2);
    // a producer that knows nothing of shards packed it, and will not send it again
    assert_eq!(texts(&pieces(&mut taken(due), aggregated())).len(), 3);
}

#[test]
fn a_record_that_inflates_to_much_comes_in_pieces_and_goes_on_in_the_middle() {
    let lines: String =
        (0..200_000).map(|number| format!("{{\"eventVersion\":\"1.08\",\"eventName\":\"{number}\"}}\n")).collect();
    let records =
        || vec![record("8", EVENT), record("9", zstd::encode_all(lines.as_bytes(), 1).unwrap()), record("10", EVENT)];
    let whole = pieces(&mut taken(due(ReadFrom::TrimHorizon)), records());
    assert!(whole.len() > 2, "{} pieces", whole.len());
    assert_eq!(offset(whole.last().unwrap()), "10");
    let all = texts(&whole);
    assert_eq!(all.len(), 200_002);
    for (place, piece) in whole.iter().enumerate() {
        let offset = &piece.position.as_ref().unwrap().offset;
        assert!(place + 1 == whole.len() || offset <= &Offset::at(9), "{offset:?}");
        let from = match offset.record().unwrap() {
            (sequence, Some(within)) => ReadFrom::Inside(sequence.into(), within),
            (sequence, None) => ReadFrom::After(sequence.into()),
        };
        let rest = pieces(&mut taken(due(from)), records());
        assert!([texts(&whole[..=place]), texts(&rest)].concat() == all, "after piece {place}");
    }
}

#[test]
fn a_record_that_is_missing_is_told() {
    let trimmed = || METRICS.kinesis_trimmed.with_label_values(&[] as &[&str]).get();
    let before = trimmed();
    // nothing had come until the end of the shard was met: what comes then is new
    let mut idle = taken(due(ReadFrom::After("9".into())));
    idle.at_the_end();
    pieces(&mut idle, vec![record("30", EVENT)]);
    assert_eq!(trimmed(), before);
    assert_eq!(texts(&pieces(&mut taken(due(ReadFrom::After("9".into()))), vec![record("30", EVENT)])), [EVENT]);
    assert_eq!(trimmed(), before + 1);
    // a place that Kinesis refuses is behind the oldest record
    let mut refused = taken(due(ReadFrom::After("9".into())));
    assert!(refused.move_on());
    assert_eq!((refused.place().0, trimmed()), (ShardIteratorType::TrimHorizon, before + 2));
    pieces(&mut refused, vec![record("30", EVENT)]);
    assert_eq!(trimmed(), before + 2);
    assert!(!taken(due(ReadFrom::TrimHorizon)).move_on());
}

#[test]
fn begun_at_the_end_what_comes_before_the_first_record_is_not_left_out() {
    let mut taken = taken(due(ReadFrom::Latest));
    assert_eq!(taken.place().0, ShardIteratorType::Latest);
    taken.begun(Timestamp(1_722_511_800_123_456));
    let time = DateTime::from_nanos(1_722_511_800_123_456_000).unwrap();
    assert_eq!(taken.place(), (ShardIteratorType::AtTimestamp, None, Some(time)));
    // this machine's clock is ahead of Kinesis's
    assert!(taken.move_on());
    assert_eq!(taken.place().0, ShardIteratorType::Latest);
}

#[test]
fn what_aws_puts_into_records_is_unwrapped() {
    let flow = "2 111122223333 eni-1 10.0.0.1 10.0.0.2 443 1153 6 1 40 1722511800 1722511860 ACCEPT OK";
    let logs = format!(
        r#"{{"messageType":"DATA_MESSAGE","owner":"111122223333","logGroup":"g","logStream":"s","subscriptionFilters":["f"],"logEvents":[{{"id":"1","timestamp":1722511800000,"message":"{flow}"}},{{"id":"2","timestamp":1722511800000,"message":"{flow}"}}]}}"#
    );
    let trail = format!(
        r#"{{"messageType":"DATA_MESSAGE","owner":"111122223333","logGroup":"g","logStream":"111122223333_CloudTrail_us-east-1","subscriptionFilters":["f"],"logEvents":[{{"id":"1","timestamp":1722511800000,"message":{}}}]}}"#,
        serde_json::to_string(EVENT).unwrap()
    );
    let control = r#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],"logEvents":[{"id":"","timestamp":1722511800000,"message":"CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."}]}"#;
    let bus = format!(
        r#"{{"version":"0","id":"1","detail-type":"AWS API Call via CloudTrail","source":"aws.iam","account":"111122223333","time":"2024-08-01T11:30:00Z","region":"us-east-1","resources":[],"detail":{EVENT}}}"#
    );
    for (data, flows, events, set_aside) in [
        (gzip(logs.as_bytes()), 2, 0, 0),
        (gzip(trail.as_bytes()), 0, 1, 0),
        (gzip(control.as_bytes()), 0, 0, 1),
        (bus.into_bytes(), 0, 1, 0),
        // as Firehose puts records behind each other
        (format!("{EVENT}{EVENT}{EVENT}").into_bytes(), 0, 3, 0),
        (format!("{EVENT}\n{EVENT}\n").into_bytes(), 0, 2, 0),
        (format!(r#"{{"Records":[{EVENT},{EVENT}]}}"#).into_bytes(), 0, 2, 0),
        (format!("{flow}\n{flow}\n").into_bytes(), 2, 0, 0),
    ] {
        let text = String::from_utf8_lossy(&data).into_owned();
        let pieces = pieces(&mut taken(due(ReadFrom::TrimHorizon)), vec![record("1", data)]);
        let records = pieces.into_iter().flat_map(|piece| piece.records).collect();
        let mut counts = Counts::default();
        logs::batches(records, &decode::Options::default(), &mut Vec::new(), &mut counts);
        assert_eq!(counts.of_table("vpc_flow"), (flows, flows, 0), "{text}");
        assert_eq!(counts.of_table("cloudtrail"), (events, events, 0), "{text}");
        assert_eq!(counts.0.values().map(|tally| tally.set_aside).sum::<u64>(), set_aside, "{text}");
    }
}

#[test]
fn bytes_that_are_no_log_are_rejects_that_name_the_record() {
    let pieces = pieces(&mut taken(due(ReadFrom::TrimHorizon)), vec![record("7", "\u{1}"), record("8", EVENT)]);
    assert_eq!((texts(&pieces), offset(&pieces[0])), (vec![EVENT.to_owned()], "8"));
    let rejects: Vec<_> = pieces[0].rejects.iter().map(|reject| reject.origin.name.as_str()).collect();
    assert_eq!((rejects, pieces[0].counts.of_table("")), (vec!["kinesis://a/s-1/7"], (1, 0, 1)));
}
