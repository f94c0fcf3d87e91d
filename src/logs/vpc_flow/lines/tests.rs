//! Lines in, rows and rejects out.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use proptest::prelude::*;

use super::*;
use crate::decode::{self, Text};
use crate::logs;

fn read(text: &str, format: Option<&str>) -> (Option<RecordBatch>, Vec<Reject>, Counts) {
    let (mut rejects, mut counts) = (Vec::new(), Counts::default());
    let mut parser = Parser::default();
    let lines =
        Lines { text: Text::new(text.into()), format: format.map(Arc::from), separator: None, entries: Vec::new() };
    let origin = Arc::new(Origin { account: Some("999900001111".into()), ..Origin::default() });
    parser.read(lines, &origin, 0, None, &mut rejects, &mut counts);
    (parser.finish(&mut counts).map(|batch| batch.rows), rejects, counts)
}

fn symbol(rows: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = rows.column_by_name(name).unwrap().as_dictionary::<Int32Type>();
    column.key(row).map(|key| column.values().as_string::<i32>().value(key).to_owned())
}

fn number(rows: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    let column = rows.column_by_name(name).unwrap().as_primitive::<Int64Type>();
    column.is_valid(row).then(|| column.value(row))
}

const LINE: &str =
    "2 111122223333 eni-0e250409d410e1290 198.51.100.7 10.0.0.200 38471 22 6 1 44 1674898496 1674898507 ACCEPT OK";

#[test]
fn a_default_line_fills_its_columns() {
    let (rows, rejects, _) = read(LINE, None);
    let rows = rows.unwrap();
    assert!(rejects.is_empty());
    assert_eq!(symbol(&rows, "account", 0).as_deref(), Some("111122223333"));
    assert_eq!(symbol(&rows, "action", 0).as_deref(), Some("ACCEPT"));
    assert_eq!(rows.column_by_name("srcaddr").unwrap().as_string_view().value(0), "198.51.100.7");
    assert_eq!([number(&rows, "dstport", 0), number(&rows, "end", 0)], [Some(22), Some(1674898507)]);
}

#[test]
fn very_many_lines_that_are_none_take_few_rejects_and_are_all_counted() {
    let (rows, rejects, counts) = read(&format!("{LINE}\n{}{LINE}", "x\n".repeat(25_000)), None);
    assert_eq!((rows.unwrap().num_rows(), rejects.len()), (2, Reject::APART_MAX));
    assert_eq!(counts.of_table("vpc_flow"), (25_002, 2, 25_000));
    assert_eq!(rejects.iter().map(Reject::records).sum::<u64>(), 25_000);
    let many = rejects.iter().find(|reject| reject.more > 0).unwrap();
    assert_eq!(many.said(), format!("{WRONG_SHAPE}; 15000 more records of this input, read with it, are none either"));
}

#[test]
fn a_dash_is_null_in_nodata_and_skipdata() {
    let text =
        "2 unknown eni-1 - - - - - - - 1431280876 1431280934 - NODATA\r\n2 - eni-1 - - - - - - - 1 2 - SKIPDATA\n\n";
    let (rows, rejects, counts) = read(text, None);
    let rows = rows.unwrap();
    assert!(rejects.is_empty());
    assert_eq!(counts.of_table("vpc_flow"), (2, 2, 0));
    assert_eq!(symbol(&rows, "log_status", 0).as_deref(), Some("NODATA"));
    assert_eq!(symbol(&rows, "account", 0).as_deref(), Some("999900001111"), "the path names it");
    assert_eq!([number(&rows, "bytes", 0), number(&rows, "start", 1)], [None, Some(1)]);
    assert!(rows.column_by_name("srcaddr").unwrap().is_null(0));
}

#[test]
fn a_custom_format_goes_by_its_names_and_keeps_what_it_does_not_know() {
    let format = "${dstaddr} ${srcaddr} ${region} ${tcp-flags} ${new-field} ${flow-direction}";
    let (rows, rejects, _) = read("2001:db8::1 10.0.0.1 eu-west-1 18 x\"y egress", Some(format));
    let rows = rows.unwrap();
    assert!(rejects.is_empty());
    assert_eq!(rows.column_by_name("dstaddr").unwrap().as_string_view().value(0), "2001:db8::1");
    assert_eq!(symbol(&rows, "region", 0).as_deref(), Some("eu-west-1"));
    assert_eq!(number(&rows, "tcp_flags", 0), Some(18));
    assert_eq!(rows.column_by_name("unmapped").unwrap().as_string_view().value(0), r#"{"new-field":"x\"y"}"#);
}

#[test]
fn a_header_in_the_middle_changes_the_format() {
    let text = format!("{LINE}\nsrcaddr dstport\n10.0.0.9 443\n");
    let (rows, rejects, counts) = read(&text, None);
    assert!(rejects.is_empty());
    assert_eq!(counts.of_table("vpc_flow"), (2, 2, 0));
    assert_eq!(number(&rows.unwrap(), "dstport", 1), Some(443));
}

#[test]
fn the_time_that_an_export_of_cloudwatch_puts_first_is_no_field() {
    let text = format!("2024-08-01T10:05:00.000Z {LINE}\n{LINE}\n2024-08-01 {LINE}\n");
    let (rows, rejects, counts) = read(&text, None);
    let rows = rows.unwrap();
    assert_eq!(counts.of_table("vpc_flow"), (3, 2, 1));
    assert_eq!([number(&rows, "version", 0), number(&rows, "start", 0)], [Some(2), Some(1_674_898_496)]);
    assert_eq!(rejects[0].offset as usize, text.len() - LINE.len() - 12);
    let declared = "${version} ${account-id} ${srcaddr} ${dstaddr} ${start}";
    let (rows, rejects, _) = read("2024-08-01T10:05:00.000Z 2 111122223333 1.2.3.4 5.6.7.8 9\n", Some(declared));
    assert!(rejects.is_empty());
    assert_eq!(number(&rows.unwrap(), "start", 0), Some(9));
}

#[test]
fn lines_without_a_header_are_read_in_each_order_that_aws_writes() {
    let longer = format!("{} vpc-0a subnet-0b i-01 19 IPv6", LINE.replace("2 1", "3 1"));
    let of_gateway = "6 TransitGateway 111122223333 tgw-0d37 tgw-attach-0a 111122223333 444455556666 vpc-0aa vpc-0bb subnet-0aa \
        subnet-0bb eni-0aa eni-0bb use1-az1 use1-az2 tgw-attach-0b 10.0.1.5 10.1.0.7 43416 443 6 5 568 1566848875 1566848933 OK \
        IPv4 0 0 0 0 2 us-east-1 ingress - S3";
    let text =
        format!("{LINE}\n{longer}\n{longer} x\n{of_gateway}\n{of_gateway}\n{LINE}\n{}\n", LINE.replace(' ', ","));
    let (rows, rejects, counts) = read(&text, None);
    let rows = rows.unwrap();
    assert_eq!(counts.of_table("vpc_flow"), (7, 6, 1), "{rejects:?}");
    assert_eq!([0, 1, 2, 3, 4, 5].map(|row| number(&rows, "dstport", row)), [22, 22, 443, 443, 22, 22].map(Some));
    assert_eq!([number(&rows, "tcp_flags", 1), number(&rows, "tcp_flags", 2)], [Some(19), Some(2)]);
    assert_eq!(symbol(&rows, "vpc_id", 1).as_deref(), Some("vpc-0a"));
    assert_eq!(symbol(&rows, "region", 3).as_deref(), Some("us-east-1"));
    assert!(rows.column_by_name("unmapped").unwrap().as_string_view().value(2).contains(r#""tgw-id":"tgw-0d37""#));
}

#[test]
fn a_long_line_of_other_cells_or_words_is_one_reject() {
    for other in [",1".repeat(1 << 20), ",".repeat(1 << 20), " 1".repeat(1 << 20)] {
        let (_, _, counts) = read(&format!("{LINE}\n1{other}\n{LINE}\n"), None);
        assert_eq!(counts.of_table("vpc_flow"), (3, 2, 1));
    }
}

#[test]
fn records_of_the_default_format_in_one_line_are_rows() {
    let text = format!("{LINE}\t{LINE}\n{LINE}{LINE}{LINE}\n{LINE} {LINE} x\n");
    let (rows, _, counts) = read(&text, None);
    assert_eq!(counts.of_table("vpc_flow"), (6, 5, 1));
    assert_eq!(number(&rows.unwrap(), "end", 4), Some(1_674_898_507));
}

#[test]
fn times_in_parts_of_a_second_are_seconds() {
    let text = format!(
        "{}\n{}\n{}\n",
        LINE.replace("1674898496 1674898507", "1674898496123 1674898507000000"),
        LINE.replace("1674898496 1674898507", "- 1674898507000000000"),
        LINE.replace("1674898496", "soon"),
    );
    let (rows, rejects, counts) = read(&text, None);
    let rows = rows.unwrap();
    assert_eq!(counts.of_table("vpc_flow"), (3, 2, 1), "{rejects:?}");
    assert_eq!([0, 1].map(|row| number(&rows, "end", row)), [Some(1_674_898_507); 2]);
    assert_eq!([0, 1].map(|row| number(&rows, "start", row)), [Some(1_674_898_496), None]);
}

#[test]
fn a_line_of_another_shape_is_a_reject_that_says_what_to_do() {
    let text = format!("{LINE} extra\n{LINE}\n2 eni-1 10.0.0.1 ACCEPT\n{}", LINE.replace("OK", "FINE"));
    let (rows, rejects, counts) = read(&text, None);
    assert_eq!(rows.unwrap().num_rows(), 1);
    assert_eq!(counts.of_table("vpc_flow"), (4, 1, 3));
    assert!(rejects.iter().all(|reject| reject.reason.contains("--vpc-flow-format")), "{rejects:?}");
    assert_eq!(rejects[1].offset, 2 * LINE.len() as u64 + 8);
    let (_, rejects, _) = read("10.0.0.1 x", Some("srcaddr dstport"));
    assert_eq!(rejects[0].reason, "field 2 (dstport) is not a number: x");
    let (_, rejects, _) = read("10.0.0.1", Some("srcaddr dstport"));
    assert_eq!(rejects[0].reason, "1 fields where the format has 2");
    let (_, rejects, _) = read(&LINE.replace(" 22 ", " ssh "), None);
    assert_eq!(rejects[0].reason, "field 7 (dstport) is not a number: ssh");
}

#[test]
fn what_no_port_protocol_or_time_can_be_is_a_reject() {
    let format = Some("srcport dstport protocol start bytes");
    let (rows, rejects, _) = read("65535 0 255 253402300799 9223372036854775807", format);
    assert_eq!((rows.unwrap().num_rows(), rejects.len()), (1, 0));
    let above =
        "65536 1 6 1 1\n1 99999999 6 1 1\n1 1 256 1 1\n1 1 6 17225000040000 1\n1 1 6 1 9223372036854775808\n1 2 6 1 3";
    let (rows, rejects, counts) = read(above, format);
    assert_eq!(counts.of_table("vpc_flow"), (6, 1, 5));
    assert_eq!(number(&rows.unwrap(), "dstport", 0), Some(2));
    let reasons: Vec<_> = rejects.iter().map(|reject| reject.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "field 1 (srcport) is more than there can be: 65536",
            "field 2 (dstport) is more than there can be: 99999999",
            "field 3 (protocol) is more than there can be: 256",
            "field 4 (start) is more than there can be: 17225000040000",
            "field 5 (bytes) is more than there can be: 9223372036854775808",
        ]
    );
}

#[test]
fn blanks_may_be_tabs_and_many_but_not_missing() {
    let text = format!("{}\n  {}  \r\n{LINE}", LINE.replace(' ', "\t"), LINE.replace(' ', "  "));
    let (rows, rejects, _) = read(&text, None);
    assert!(rejects.is_empty(), "{rejects:?}");
    let rows = rows.unwrap();
    let ports: Vec<_> = (0..3).map(|row| number(&rows, "dstport", row)).collect();
    assert_eq!(ports, [Some(22); 3]);
    let (_, rejects, _) = read("1  3\n1 2 3\n", Some("srcport dstport bytes"));
    assert_eq!(rejects[0].reason, "2 fields where the format has 3");
    assert_eq!(rejects.len(), 1);
}

#[test]
fn numbers_of_every_length() {
    let format = Some("bytes");
    for text in
        ["0", "7", "42", "00012345", "123456789", "1234567890123456", "12345678901234567", "9223372036854775807"]
    {
        let (rows, rejects, _) = read(&format!("{text}\n{text}\n{text}"), format);
        assert!(rejects.is_empty(), "{rejects:?}");
        assert_eq!(number(&rows.unwrap(), "bytes", 2), Some(text.parse().unwrap()), "{text}");
    }
    for text in ["9223372036854775808", "-1", "+1", "1.5", "12345678:", "/2345678", "\u{3}1x", "1234567890123é", "0x10"]
    {
        let (rows, rejects, _) = read(&format!("12345678\n12345678\n{text}"), format);
        assert_eq!((rows.unwrap().num_rows(), rejects.len()), (2, 1), "{text}");
    }
}

#[test]
fn captured_lines_are_rows_whatever_their_version_says() {
    let text = include_str!("../../../../tests/data/vpc_flow/v2-default.log");
    let (rows, rejects, counts) = read(text, None);
    let rows = rows.unwrap();
    assert!(rejects.is_empty());
    assert_eq!(counts.of_table("vpc_flow"), (8, 8, 0));
    let versions: Vec<_> = (0..8).map(|row| number(&rows, "version", row).unwrap()).collect();
    assert_eq!(versions, [2, 2, 2, 3, 4, 2, 2, 2]);
    assert_eq!(symbol(&rows, "account", 2).as_deref(), Some("481665107626"));
}

#[test]
fn a_line_that_is_not_utf8_costs_only_itself() {
    let text = [LINE.as_bytes(), b"\n2 \xff\n", LINE.as_bytes()].concat();
    let (mut rejects, mut counts) = (Vec::new(), Counts::default());
    let mut parser = Parser::default();
    let lines = Lines { text: Text::new(text), format: None, separator: None, entries: Vec::new() };
    parser.read(lines, &Arc::default(), 100, None, &mut rejects, &mut counts);
    assert_eq!((rejects[0].reason.as_str(), rejects[0].offset), ("not UTF-8", 101 + LINE.len() as u64));
    assert_eq!(counts.of_table("vpc_flow").2, 1);
    assert_eq!(parser.finish(&mut counts).unwrap().rows.num_rows(), 2);
}

#[test]
fn lines_longer_than_a_stretch_and_many_of_them() {
    let text = format!("{LINE}\n").repeat(3 * STRETCH / LINE.len()) + &"x".repeat(2 * STRETCH) + "\n" + LINE;
    let (rows, rejects, _) = read(&text, None);
    let rows = rows.unwrap();
    assert_eq!((rows.num_rows(), rejects.len()), (3 * STRETCH / LINE.len() + 1, 1));
    rows.columns().iter().for_each(|column| column.to_data().validate_full().unwrap());
    assert!((0..rows.num_rows()).all(|row| number(&rows, "start", row) == Some(1674898496)));
}

/// Reads an object the way the pipeline does.
fn read_object(text: String) -> (Vec<RecordBatch>, Vec<Reject>, usize) {
    let (mut rejects, mut counts, mut pieces, mut done) = (Vec::new(), Counts::default(), 0, Vec::new());
    let options = decode::Options::default();
    let mut reader = decode::open(decode::Input::Bytes(text.into()), Arc::default(), &options);
    while let Some(records) = reader.next(&mut rejects, &mut counts).unwrap() {
        pieces += 1;
        done.extend(logs::batches(vec![records], &options, &mut rejects, &mut counts));
    }
    (done.into_iter().map(|batch| batch.rows).collect(), rejects, pieces)
}

#[test]
fn a_header_in_the_middle_holds_in_the_pieces_after_it() {
    let header = "srcaddr dstport new-thing";
    let text = format!("{}\n{LINE}\n{header}\n{}", format::DEFAULT, "10.0.0.9 443 x\n".repeat(400_000));
    let (rows, rejects, pieces) = read_object(text);
    assert!(rejects.is_empty(), "{}", rejects[0].reason);
    assert!(pieces > 2);
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 400_001);
    let last = rows.last().unwrap();
    assert_eq!(number(last, "dstport", last.num_rows() - 1), Some(443));
    assert_eq!(last.column_by_name("unmapped").unwrap().as_string_view().value(0), r#"{"new-thing":"x"}"#);
}

#[test]
fn json_flows_in_every_spelling() {
    for line in [
        r#"{"version":2,"account-id":"111122223333","interface-id":"eni-1","srcaddr":"10.0.0.1","dstaddr":"10.0.0.2","srcport":1,"dstport":22,"protocol":6,"start":1674898496,"end":1674898507,"action":"ACCEPT","log-status":"OK","pkt-srcaddr":"-"}"#,
        r#"{"version":"2","account_id":"111122223333","interface_id":"eni-1","src_addr":"10.0.0.1","dst_addr":"10.0.0.2","src_port":"1","dst_port":"22","protocol":"6","start":"1674898496","end":"1674898507","action":"ACCEPT","log_status":"OK"}"#,
        r#"{"version":2,"accountId":"111122223333","interfaceId":"eni-1","srcAddr":"10.0.0.1","dstAddr":"10.0.0.2","srcPort":1,"dstPort":22,"protocol":6,"start":1674898496,"end":1674898507,"action":"ACCEPT","logStatus":"OK"}"#,
        r#"{"version":2,"account-id":"111122223333","interface-id":"eni-1","src-addr":"10.0.0.1","dst-addr":"10.0.0.2","src-port":1,"dst-port":22,"protocol":6,"start":1674898496,"end":1674898507,"action":"ACCEPT","log-status":"OK"}"#,
    ] {
        let (batches, rejects, _) = read_object(line.to_owned());
        assert!(rejects.is_empty(), "{line}");
        let rows = &batches[0];
        assert_eq!(rows.column_by_name("srcaddr").unwrap().as_string_view().value(0), "10.0.0.1", "{line}");
        assert_eq!([number(rows, "dstport", 0), number(rows, "start", 0)], [Some(22), Some(1674898496)], "{line}");
        assert_eq!(symbol(rows, "account", 0).as_deref(), Some("111122223333"), "{line}");
        assert_eq!(symbol(rows, "log_status", 0).as_deref(), Some("OK"), "{line}");
        assert!(rows.column_by_name("pkt_srcaddr").unwrap().is_null(0), "{line}");
        assert!(rows.column_by_name("unmapped").unwrap().is_null(0), "{line}");
    }
}

/// The plainest reader there is: words between blanks, for the format `srcaddr bytes action`.
fn plainly(line: &[u8]) -> Option<[Option<String>; 3]> {
    let line = std::str::from_utf8(line).ok()?;
    let words: Vec<&str> = line.split(|next: char| next <= ' ').filter(|word| !word.is_empty()).collect();
    let [source, port, action] = words[..] else { return None };
    let text = |word: &str| (word != "-").then(|| word.to_owned());
    let port = match text(port) {
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(port.parse::<i64>().ok()?.to_string()),
        Some(_) => return None,
        None => None,
    };
    Some([text(source), port, text(action)])
}

proptest! {
    #[test]
    fn any_lines_are_what_a_plain_reader_sees(
        lines in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                r"[ \t]{0,2}[A-Z0-9.:-]{1,20}[ \t]{1,2}[0-9]{1,20}[ \t]{1,2}[A-Z-]{1,9}[ \t]{0,2}\r?".prop_map(String::into_bytes),
            ],
            0..20,
        )
    ) {
        // lines that begin like a header may be one, and a line holds no line end
        let is_plain = |line: &Vec<u8>| !matches!(line.first(), Some(b'a'..=b'z' | b'$')) && !line.contains(&b'\n');
        let lines: Vec<Vec<u8>> = lines.into_iter().filter(is_plain).collect();
        let rows: Vec<_> = lines.iter().filter_map(|line| plainly(line)).collect();
        let written = lines.iter().filter(|line| line.iter().any(|byte| *byte > b' ')).count();
        let (mut rejects, mut counts, mut parser) = (Vec::new(), Counts::default(), Parser::default());
        let body = Lines { text: Text::new(lines.join(&b'\n')), format: Some("srcaddr bytes action".into()), separator: None, entries: Vec::new() };
        parser.read(body, &Arc::default(), 0, None, &mut rejects, &mut counts);
        prop_assert_eq!(counts.of_table("vpc_flow"), (written as u64, 0, (written - rows.len()) as u64));
        let found = parser.finish(&mut counts).map(|batch| batch.rows);
        prop_assert_eq!(found.as_ref().map_or(0, RecordBatch::num_rows), rows.len());
        for (row, [source, port, action]) in rows.iter().enumerate() {
            let found = found.as_ref().unwrap();
            let sources = found.column_by_name("srcaddr").unwrap().as_string_view();
            prop_assert_eq!(sources.is_valid(row).then(|| sources.value(row)), source.as_deref());
            prop_assert_eq!(number(found, "bytes", row).map(|port| port.to_string()), port.clone());
            prop_assert_eq!(symbol(found, "action", row), action.clone());
        }
    }

    #[test]
    fn any_bytes_are_rows_or_rejects(text in "[0-9a-zA-Z .:\\-\n\r\t]{0,400}", header in any::<bool>()) {
        let (rows, rejects, counts) = read(&text, header.then_some("srcaddr bytes"));
        let (records, kept, rejected) = counts.of_table("vpc_flow");
        prop_assert_eq!(records, kept + rejected);
        prop_assert_eq!(rejects.len() as u64, rejected);
        prop_assert_eq!(rows.map_or(0, |rows| rows.num_rows()) as u64, kept);
    }

    #[test]
    fn where_a_text_is_cut_changes_nothing(lines in prop::collection::vec(0..4u8, 1..30), cut in 0..30usize) {
        let line = |kind: u8| match kind {
            0 => LINE.to_owned(),
            1 => LINE.replace("111122223333", "444455556666").replace("ACCEPT", "REJECT"),
            2 => "2 111122223333 eni-1 - - - - - - - 1 2 - NODATA".to_owned(),
            _ => "broken".to_owned(),
        };
        let texts: Vec<String> = lines.iter().map(|&kind| line(kind) + "\n").collect();
        let (whole, _, _) = read(&texts.concat(), None);
        let cut = cut.min(texts.len());
        let mut rows = 0;
        for part in [&texts[..cut], &texts[cut..]] {
            if let (Some(part), _, _) = read(&part.concat(), None) {
                let whole = whole.as_ref().unwrap();
                for row in 0..part.num_rows() {
                    prop_assert_eq!(symbol(&part, "account", row), symbol(whole, "account", rows + row));
                    prop_assert_eq!(number(&part, "start", row), number(whole, "start", rows + row));
                }
                rows += part.num_rows();
            }
        }
        prop_assert_eq!(rows, whole.map_or(0, |whole| whole.num_rows()));
    }
}
