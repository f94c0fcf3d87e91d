use std::fs;
use std::io::Cursor;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::DataType;
use proptest::prelude::*;

use super::*;
use crate::decode::tests::{Outcome, gzip, read as read_input};
use crate::decode::{Counts, Input, Options, open};
use crate::logs::cloudtrail::CLOUDTRAIL;

fn vector(name: &str) -> Bytes {
    fs::read(format!("{}/tests/data/kpl/{name}.bin", env!("CARGO_MANIFEST_DIR"))).unwrap().into()
}

/// Partition key, explicit hash key and data of the user records.
fn check(name: &str, expected: &[(&str, Option<&str>, &[u8])]) {
    let record = vector(name);
    let records = unpack(&record).unwrap();
    let found: Vec<_> = records.iter().map(|one| (one.partition_key, one.explicit_hash_key, &one.data[..])).collect();
    assert_eq!(found, expected, "{name}");
    assert!(records.iter().map(|one| one.sub_sequence).eq(0..expected.len() as u64), "{name}");
}

#[test]
fn what_other_implementations_packed_comes_out() {
    check(
        "node-keys",
        &[
            ("trail-a", None, br#"{"eventName":"ConsoleLogin"}"#),
            ("trail-b", Some("340282366920938463463374607431768211455"), br#"{"eventName":"StopLogging"}"#),
            ("trail-a", None, br#"{"eventName":"DeleteTrail"}"#),
            ("schlüssel-☃", None, b""),
        ],
    );
    check(
        "python-hash-keys",
        &[
            ("a", Some("0"), br#"{"eventName":"GetObject"}"#),
            ("b", Some("170141183460469231731687303715884105728"), br#"{"eventName":"PutObject"}"#),
            ("a", Some("0"), b"\x1f\x8b\x00\xff"),
        ],
    );
    check("python-one", &[("only", Some("7"), b"{}")]);
}

#[test]
fn indices_of_more_than_seven_bits_are_read() {
    let record = vector("node-130-flows");
    let records = unpack(&record).unwrap();
    assert_eq!(records.len(), 130);
    let last = &records[129];
    assert_eq!((last.partition_key, last.sub_sequence), ("eni-129", 129));
    assert_eq!(last.data, "2 111122223333 eni-129 10.0.0.1 10.0.0.2 443 1153 6 1 40 1722511800 1722511860 ACCEPT OK");
}

#[test]
fn data_is_a_slice_of_the_record() {
    let record = vector("node-keys");
    let within = record.as_ptr_range();
    assert!(unpack(&record).unwrap()[..3].iter().all(|one| within.contains(&one.data.as_ptr())));
}

#[test]
fn any_flipped_bit_makes_it_one_plain_record() {
    let record = vector("node-keys");
    for place in 0..record.len() * 8 {
        let mut flipped = record.to_vec();
        flipped[place / 8] ^= 1 << (place % 8);
        assert_eq!(unpack(&flipped.into()), None, "bit {place}");
    }
    for length in 0..record.len() {
        assert_eq!(unpack(&record.slice(..length)), None, "{length} bytes");
    }
}

/// A message with its magic and a checksum that is right.
fn sealed(message: &[u8]) -> Bytes {
    [&MAGIC[..], message, &Md5::digest(message)].concat().into()
}

#[test]
fn a_message_that_breaks_the_format_is_one_plain_record() {
    let key = b"\x0a\x01k";
    let sound = |record: &[u8]| unpack(&sealed(&[&key[..], record].concat())).map(|records| records.len());
    assert_eq!(sound(b"\x1a\x05\x08\x00\x1a\x01x"), Some(1));
    // behind its table; of another table that is empty; the greatest there is
    assert_eq!(sound(b"\x1a\x05\x08\x01\x1a\x01x"), None);
    assert_eq!(sound(b"\x1a\x07\x08\x00\x10\x00\x1a\x01x"), None);
    assert_eq!(sound(b"\x1a\x0e\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x1a\x01x"), None);
    // neither key nor data may be missing
    assert_eq!(sound(b"\x1a\x03\x1a\x01x"), None);
    assert_eq!(sound(b"\x1a\x02\x08\x00"), None);
    // longer than what is there, in a number and in bytes
    assert_eq!(sound(b"\x1a\x06\x08\x00\x1a\x01x"), None);
    assert_eq!(sound(b"\x1a\x05\x08\x00\x1a\x02x"), None);
    assert_eq!(sound(b"\x1a\x02\x08\x80"), None);
    assert_eq!(sound(b"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), None);
    // a number of more than 64 bits, a field 0, a group, the key's index as bytes
    assert_eq!(sound(b"\x1a\x0e\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02\x1a\x01x"), None);
    assert_eq!(sound(b"\x00\x00\x1a\x05\x08\x00\x1a\x01x"), None);
    assert_eq!(sound(b"\x23\x1a\x05\x08\x00\x1a\x01x"), None);
    assert_eq!(sound(b"\x1a\x05\x0a\x00\x1a\x01x"), None);
    // a key that is no text
    assert_eq!(unpack(&sealed(b"\x0a\x01\xff\x1a\x05\x08\x00\x1a\x01x")), None);
    // nothing in it
    assert_eq!(unpack(&sealed(b"")), None);
    assert_eq!(unpack(&sealed(key)), None);
}

#[test]
fn what_the_format_leaves_open_is_read() {
    let one = |message: &[u8]| unpack(&sealed(message)).map(|records| records[0].data.clone());
    let x = Some(Bytes::from_static(b"x"));
    // the table behind the records; tags; unknown fields of every type; a number with bytes to spare
    assert_eq!(one(b"\x1a\x05\x08\x00\x1a\x01x\x0a\x01k"), x);
    assert_eq!(one(b"\x0a\x01k\x1a\x0a\x08\x00\x1a\x01x\x22\x03\x0a\x01t"), x);
    assert_eq!(one(b"\x20\x05\x29........\x35....\x3a\x01z\x0a\x01k\x1a\x05\x08\x00\x1a\x01x"), x);
    assert_eq!(one(b"\x0a\x01k\x1a\x06\x08\x80\x00\x1a\x01x"), x);
    // of a field that comes twice, the last
    assert_eq!(one(b"\x0a\x01k\x1a\x08\x08\x00\x1a\x01w\x1a\x01x"), x);
}

#[test]
fn too_many_entries_are_one_plain_record() {
    let with = |keys: usize| sealed(&[&b"\x0a\x00".repeat(keys)[..], b"\x1a\x05\x08\x00\x1a\x01x"].concat());
    assert_eq!(unpack(&with(ENTRIES_MAX)).map(|records| records.len()), Some(1));
    assert_eq!(unpack(&with(ENTRIES_MAX + 1)), None);
    let records = sealed(&[&b"\x0a\x00"[..], &b"\x1a\x04\x08\x00\x1a\x00".repeat(ENTRIES_MAX + 1)].concat());
    assert_eq!(unpack(&records), None);
}

#[test]
fn records_know_where_they_belong() {
    let lower = HashRange::parse("0", "170141183460469231731687303715884105727").unwrap();
    let upper =
        HashRange::parse("170141183460469231731687303715884105728", "340282366920938463463374607431768211455").unwrap();
    assert_eq!((lower.last + 1, upper.last), (upper.first, u128::MAX));
    let record = |partition_key, explicit_hash_key| UserRecord {
        partition_key,
        explicit_hash_key,
        data: Bytes::new(),
        sub_sequence: 0,
    };
    // printf %s a | md5sum
    assert_eq!(record("a", None).hash_key(), Some(0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661));
    let explicit = record("a", Some("170141183460469231731687303715884105728"));
    assert_eq!(explicit.hash_key(), Some(1 << 127));
    assert_eq!(record("a", Some("-1")).hash_key(), None);
}

#[test]
fn a_range_is_two_decimal_numbers_in_order() {
    assert_eq!(HashRange::parse("3", "3"), Some(HashRange { first: 3, last: 3 }));
    assert!(HashRange { first: 3, last: 4 }.contains(4) && !HashRange { first: 3, last: 4 }.contains(5));
    for (first, last) in [("4", "3"), ("+1", "3"), ("", "3"), ("0", "340282366920938463463374607431768211456")] {
        assert_eq!(HashRange::parse(first, last), None, "{first} {last}");
    }
}

/// What the reader of objects makes of a record that comes whole.
fn reads(record: Bytes) -> Outcome {
    read_input(Input::Bytes(record), &Options::default())
}

/// The same where everything is taken for events of CloudTrail, since those in the files have little but their name.
fn reads_events(record: Bytes) -> Outcome {
    read_input(Input::Bytes(record), &Options { table: Some(&CLOUDTRAIL), ..Options::default() })
}

/// Records with these data, packed under one key.
fn aggregate(parts: &[&[u8]]) -> Bytes {
    pack(&parts.iter().map(|part| (0, None, part.to_vec())).collect::<Vec<_>>())
}

fn texts(outcome: &Outcome, table: &str, column: &str) -> Vec<String> {
    let batches = outcome.batches.iter().filter(|batch| batch.table.name == table);
    let texts = batches.flat_map(|batch| {
        let column = arrow::compute::cast(batch.rows.column_by_name(column).unwrap(), &DataType::Utf8).unwrap();
        column.as_string::<i32>().iter().map(|text| text.unwrap_or("-").to_owned()).collect::<Vec<_>>()
    });
    texts.collect()
}

#[test]
fn the_flows_in_a_record_are_rows() {
    for input in [
        Input::Bytes(vector("node-130-flows")),
        Input::Stream(Box::new(Cursor::new(vector("node-130-flows")))),
        Input::File(
            fs::File::open(format!("{}/tests/data/kpl/node-130-flows.bin", env!("CARGO_MANIFEST_DIR"))).unwrap(),
        ),
    ] {
        let outcome = read_input(input, &Options::default());
        assert_eq!(outcome.counts.of_table("vpc_flow"), (130, 130, 0));
        assert_eq!(
            (outcome.counts.0.values().map(|tally| tally.records).sum::<u64>(), outcome.rejects.len()),
            (130, 0)
        );
        let interfaces = texts(&outcome, "vpc_flow", "interface_id");
        assert_eq!((&*interfaces[0], &*interfaces[129]), ("eni-0", "eni-129"));
    }
}

#[test]
fn the_events_in_a_record_are_rows() {
    // the fourth record is empty: there is nothing in it
    let outcome = reads_events(vector("node-keys"));
    assert_eq!(outcome.counts.of_table("cloudtrail"), (3, 3, 0));
    assert_eq!(texts(&outcome, "cloudtrail", "eventname"), ["ConsoleLogin", "StopLogging", "DeleteTrail"]);
}

#[test]
fn one_record_that_cannot_be_read_costs_the_others_nothing() {
    // the third begins like gzip, and is none
    let outcome = reads_events(vector("python-hash-keys"));
    assert_eq!(texts(&outcome, "cloudtrail", "eventname"), ["GetObject", "PutObject"]);
    assert_eq!((outcome.counts.of_table("cloudtrail"), outcome.counts.of_table("")), ((2, 2, 0), (1, 0, 1)));
    let event = r#"{"eventVersion":"1.08","eventName":"CreateUser"}"#;
    let outcome = reads(aggregate(&[event.as_bytes(), b"no log", br#"{"eventVersion":"#, event.as_bytes()]));
    assert_eq!((outcome.counts.of_table("cloudtrail"), outcome.counts.of_table("")), ((2, 2, 0), (2, 0, 2)));
    let rejects: Vec<_> = outcome.rejects.iter().map(|reject| (reject.offset, reject.table)).collect();
    let length = event.len() as u64;
    assert_eq!(rejects, [(length, ""), (length + 6, "")]);
}

#[test]
fn what_a_record_holds_comes_in_every_shape() {
    let envelope = br#"{"messageType":"DATA_MESSAGE","owner":"111122223333","logGroup":"g","logStream":"s","subscriptionFilters":["f"],"logEvents":[{"id":"1","timestamp":1722511800000,"message":"2 111122223333 eni-1 10.0.0.1 10.0.0.2 443 1153 6 1 40 1722511800 1722511860 ACCEPT OK"}]}"#;
    let control = br#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],"logEvents":[{"id":"","timestamp":1722511800000,"message":"CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."}]}"#;
    let file = br#"{"Records":[{"eventVersion":"1.08","eventName":"A"},{"eventVersion":"1.08","eventName":"B"}]}"#;
    let lines = b"{\"eventVersion\":\"1.08\",\"eventName\":\"C\"}\n{\"eventVersion\":\"1.08\",\"eventName\":\"D\"}\n";
    let flows = b"interface-id start\neni-2 1722511800\neni-3 1722511800\n";
    let outcome = reads(aggregate(&[
        &gzip(envelope),
        &gzip(control),
        &gzip(file),
        lines,
        flows,
        &zstd::encode_all(&flows[..], 1).unwrap(),
        // without a header, and so in the default format
        b"2 111122223333 eni-4 10.0.0.1 10.0.0.2 443 1153 6 1 40 1722511800 1722511860 ACCEPT OK",
    ]));
    assert_eq!(outcome.rejects.iter().map(|reject| &reject.reason).collect::<Vec<_>>(), Vec::<&String>::new());
    let mut interfaces = texts(&outcome, "vpc_flow", "interface_id");
    interfaces.sort();
    assert_eq!(interfaces, ["eni-1", "eni-2", "eni-2", "eni-3", "eni-3", "eni-4"]);
    assert_eq!(texts(&outcome, "cloudtrail", "eventname"), ["A", "B", "C", "D"]);
    assert_eq!(outcome.counts.0.values().map(|tally| tally.set_aside).sum::<u64>(), 1);
}

#[test]
fn places_go_on_from_one_record_to_the_next() {
    let (first, second) = (br#"{"eventVersion":"1.08"}"#, br#"{"eventVersion":"1.09","eventName":"A"}"#);
    let mut reader = open(Input::Bytes(aggregate(&[first, &gzip(second), first])), Arc::default(), &Options::default());
    let mut places = Vec::new();
    while let Some(records) = reader.next(&mut Vec::new(), &mut Counts::default()).unwrap() {
        places.push((records.offset, records.end()));
    }
    assert_eq!(places, [(0, 23), (23, 62), (62, 85)]);
}

#[test]
fn a_wrong_checksum_makes_it_no_aggregated_record() {
    let mut record = vector("node-130-flows").to_vec();
    *record.last_mut().unwrap() ^= 1;
    let outcome = reads(record.into());
    assert_eq!((outcome.batches.len(), outcome.counts.of_table("")), (0, (1, 0, 1)));
    assert_eq!(outcome.rejects[0].reason, "neither JSON nor a text log that a table knows");
}

#[test]
fn a_record_in_a_record_is_not_unpacked() {
    let inner = vector("node-130-flows");
    let outcome = reads(aggregate(&[&inner]));
    assert_eq!((outcome.batches.len(), outcome.counts.of_table("")), (0, (1, 0, 1)));
}

#[test]
fn the_largest_record_is_unpacked_and_a_larger_file_is_not() {
    let line = b"2 111122223333 eni-1 10.0.0.1 10.0.0.2 443 1153 6 1 40 1722511800 1722511860 ACCEPT OK\n";
    let count = BYTES_MAX / line.len() - 1;
    let lines = line.repeat(count);
    let stream =
        |record: &Bytes| read_input(Input::Stream(Box::new(Cursor::new(record.clone()))), &Options::default()).counts;
    let record = aggregate(&[&lines]);
    assert!((4 << 20..=BYTES_MAX).contains(&record.len()));
    assert_eq!(stream(&record).of_table("vpc_flow"), (count as u64, count as u64, 0));
    let record = aggregate(&[&lines, &line.repeat(2)]);
    assert!(record.len() > BYTES_MAX);
    // a text of flows, but for the bytes around them
    let (_, rows, rejects) = stream(&record).of_table("vpc_flow");
    assert!(rows >= count as u64 - 2 && rejects > 0, "{rows} rows, {rejects} rejects");
}

#[test]
fn the_limit_of_an_object_holds_for_all_its_records_together() {
    let event = br#"{"eventVersion":"1.08","eventName":"A"}"#;
    for event in [event.to_vec(), gzip(event)] {
        let options = Options { inflated_bytes_max: 2 * 39 + 5, ..Options::default() };
        let outcome = read_input(Input::Bytes(aggregate(&[&event[..]; 5])), &options);
        assert_eq!(texts(&outcome, "cloudtrail", "eventname"), ["A", "A"]);
        let reasons: Vec<_> = outcome.rejects.iter().map(|reject| &*reject.reason).collect();
        assert!(reasons.contains(&"cut off: it inflates to more than 83 bytes"), "{reasons:?}");
        // that, and what was left of the third
        assert_eq!(reasons.len(), 2, "{reasons:?}");
    }
}

/// Key, explicit hash key, data.
pub(crate) type Packed = (u8, Option<u128>, Vec<u8>);

/// Packs as the KPL does: each key once, in the order of first use.
pub(crate) fn pack(records: &[Packed]) -> Bytes {
    fn varint(mut number: usize, out: &mut Vec<u8>) {
        while number > 0x7f {
            out.push(number as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
    }
    fn bytes(tag: u8, content: &[u8], out: &mut Vec<u8>) {
        out.push(tag);
        varint(content.len(), out);
        out.extend_from_slice(content);
    }
    fn place(table: &mut Vec<String>, key: String) -> usize {
        table.iter().position(|have| *have == key).unwrap_or_else(|| {
            table.push(key);
            table.len() - 1
        })
    }
    let (mut keys, mut hash_keys, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
    for (key, hash_key, data) in records {
        let mut body = vec![0x08];
        varint(place(&mut keys, format!("key-{key}")), &mut body);
        if let Some(hash_key) = hash_key {
            body.push(0x10);
            varint(place(&mut hash_keys, hash_key.to_string()), &mut body);
        }
        bytes(0x1a, data, &mut body);
        bodies.push(body);
    }
    let mut message = Vec::new();
    keys.iter().for_each(|key| bytes(0x0a, key.as_bytes(), &mut message));
    hash_keys.iter().for_each(|key| bytes(0x12, key.as_bytes(), &mut message));
    bodies.iter().for_each(|body| bytes(0x1a, body, &mut message));
    sealed(&message)
}

fn packed() -> impl Strategy<Value = Vec<Packed>> {
    let data = prop_oneof![prop::collection::vec(any::<u8>(), 0..300), Just(vec![7; 20_000])];
    prop::collection::vec((any::<u8>(), prop::option::of(any::<u128>()), data), 1..200)
}

/// What a user record may hold, and what it may not.
fn part() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        Just(br#"{"eventVersion":"1.08","eventName":"A"}"#.to_vec()),
        Just(br#"{"Records":[{"eventVersion":"1.08"},{"eventVersion":"1.09"}]}"#.to_vec()),
        Just(br#"{"eventVersion":"#.to_vec()),
        Just(b"2 111122223333 eni-1 10.0.0.1 - 1 2 6 1 40 1 2 ACCEPT OK\n".to_vec()),
        Just(b"interface-id start\neni-2 1722511800\nx\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..60),
    ];
    (text, 0..3).prop_map(|(text, packed)| match packed {
        0 => gzip(&text),
        _ => text,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn packing_and_unpacking_is_the_identity(records in packed()) {
        let whole = pack(&records);
        let unpacked = unpack(&whole).unwrap();
        prop_assert_eq!(unpacked.len(), records.len());
        for (place, (one, (key, hash_key, data))) in unpacked.iter().zip(&records).enumerate() {
            prop_assert_eq!(one.partition_key, format!("key-{key}"));
            prop_assert_eq!(one.explicit_hash_key.map(str::to_owned), hash_key.map(|key| key.to_string()));
            prop_assert_eq!(one.hash_key().is_some(), true);
            prop_assert_eq!(&one.data[..], &data[..]);
            prop_assert_eq!(one.sub_sequence, place as u64);
        }
    }

    #[test]
    fn whatever_is_packed_is_accounted_for_and_how_it_comes_changes_nothing(
        parts in prop::collection::vec(part(), 1..12), alone in any::<prop::sample::Index>()
    ) {
        let record = aggregate(&parts.iter().map(|part| &part[..]).collect::<Vec<_>>());
        let whole = reads(record.clone());
        let stream = read_input(Input::Stream(Box::new(Cursor::new(record))), &Options::default());
        prop_assert_eq!(&whole.counts, &stream.counts);
        // the same as each on its own
        let mut counts = Counts::default();
        parts.iter().for_each(|part| counts.add(&reads(Bytes::from(part.clone())).counts));
        prop_assert_eq!(&whole.counts, &counts);
        let one = &parts[alone.index(parts.len())];
        prop_assert_eq!(reads(aggregate(&[one])).counts, reads(Bytes::from(one.clone())).counts);
    }

    #[test]
    fn any_flipped_byte_makes_a_plain_record(records in packed(), place: prop::sample::Index, by in 1u8..) {
        let mut whole = pack(&records).to_vec();
        let place = place.index(whole.len());
        whole[place] ^= by;
        let flipped = Bytes::from(whole);
        prop_assert_eq!(unpack(&flipped), None);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        unpack(&Bytes::from(bytes.clone()));
        unpack(&sealed(&bytes));
    }

    #[test]
    fn a_damaged_message_with_a_right_checksum_gives_bytes_of_its_own_or_nothing(
        records in packed(), place: prop::sample::Index, by in 1u8..
    ) {
        let whole = pack(&records);
        let mut message = whole[MAGIC.len()..whole.len() - DIGEST_BYTES].to_vec();
        let place = place.index(message.len());
        message[place] ^= by;
        let damaged = sealed(&message);
        let bytes: usize = unpack(&damaged).iter().flatten().map(|one| one.data.len()).sum();
        prop_assert!(bytes < damaged.len());
    }
}
