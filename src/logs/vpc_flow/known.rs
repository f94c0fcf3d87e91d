//! A line of a flow log without a header → its fields, where they stand in an order that AWS writes or documents.
//!
//! Every word must have the shape of its field, so that no line is read in an order that is not its own.

use std::net::IpAddr;

use super::format::{self, DEFAULT, FIELDS, Format};

/// What may follow the default format, version by version, as AWS's reference lists the fields.
const BEHIND_DEFAULT: &str = "vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id \
    sublocation-type sublocation-id pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path \
    ecs-cluster-arn ecs-cluster-name ecs-container-instance-arn ecs-container-instance-id ecs-container-id \
    ecs-second-container-id ecs-service-name ecs-task-definition-arn ecs-task-arn ecs-task-id reject-reason \
    resource-id encryption-status";

const OTHERS: [&str; 3] = [
    // of transit gateways, where no format is chosen
    "version resource-type account-id tgw-id tgw-attachment-id tgw-src-vpc-account-id tgw-dst-vpc-account-id tgw-src-vpc-id \
    tgw-dst-vpc-id tgw-src-subnet-id tgw-dst-subnet-id tgw-src-eni tgw-dst-eni tgw-src-az-id tgw-dst-az-id \
    tgw-pair-attachment-id srcaddr dstaddr srcport dstport protocol packets bytes start end log-status type \
    packets-lost-no-route packets-lost-blackhole packets-lost-mtu-exceeded packets-lost-ttl-expired tcp-flags region \
    flow-direction pkt-src-aws-service pkt-dst-aws-service",
    // AWS's example of version 3
    "version vpc-id subnet-id instance-id interface-id account-id type srcaddr dstaddr srcport dstport pkt-srcaddr \
    pkt-dstaddr protocol bytes packets start end action tcp-flags log-status",
    // all of version 5, as the console puts them when all are selected
    "account-id action az-id bytes dstaddr dstport end flow-direction instance-id interface-id log-status packets \
    pkt-dst-aws-service pkt-dstaddr pkt-src-aws-service pkt-srcaddr protocol region srcaddr srcport start sublocation-id \
    sublocation-type subnet-id tcp-flags traffic-path type version vpc-id",
];

/// The words of the longest of them.
pub const WORDS_MAX: usize = 42;

/// The format of a line of these words.
pub fn of_words(words: &[&[u8]]) -> Option<Format> {
    let behind = words.len().saturating_sub(FIELDS);
    let from_default = DEFAULT.split_ascii_whitespace().chain(BEHIND_DEFAULT.split_ascii_whitespace().take(behind));
    let from_default = from_default.collect::<Vec<_>>().join(" ");
    let formats = [from_default.as_str()].into_iter().chain(OTHERS);
    let mut formats = formats.map(|text| Format { assumed: true, ..Format::parse(text) });
    formats.find(|format| format.fields.len() == words.len() && fits(format, |field| words[field]))
}

/// Whether all words have the shape of their field.
pub fn fits<'a>(format: &Format, word: impl Fn(usize) -> &'a [u8]) -> bool {
    (0..format.fields.len()).all(|field| is_of(format.name(field), word(field)))
}

fn is_of(name: &str, word: &[u8]) -> bool {
    let digits = |most: usize| word.len() <= most && word.iter().all(u8::is_ascii_digit);
    let begins = |prefix: &str| word.starts_with(prefix.as_bytes());
    match name {
        "version" => digits(2),
        "log-status" => matches!(word, b"OK" | b"NODATA" | b"SKIPDATA"),
        "resource-type" => begins("TransitGateway"),
        _ if word == b"-" => true,
        "account-id" | "tgw-src-vpc-account-id" | "tgw-dst-vpc-account-id" => {
            digits(12) && word.len() == 12 || word == b"unknown"
        }
        "interface-id" | "tgw-src-eni" | "tgw-dst-eni" => begins("eni-"),
        "srcaddr" | "dstaddr" | "pkt-srcaddr" | "pkt-dstaddr" => {
            str::from_utf8(word).is_ok_and(|word| word.parse::<IpAddr>().is_ok())
        }
        "srcport" | "dstport" => digits(5),
        "protocol" | "tcp-flags" => digits(3),
        "traffic-path" | "encryption-status" => digits(1),
        "start" | "end" => digits(19) && word.len() >= 10,
        "packets" | "bytes" => digits(19),
        "action" => matches!(word, b"ACCEPT" | b"REJECT"),
        "vpc-id" | "tgw-src-vpc-id" | "tgw-dst-vpc-id" => begins("vpc-"),
        "subnet-id" | "tgw-src-subnet-id" | "tgw-dst-subnet-id" => begins("subnet-"),
        "instance-id" => begins("i-"),
        "type" => matches!(word, b"IPv4" | b"IPv6" | b"EFA"),
        "flow-direction" => matches!(word, b"ingress" | b"egress"),
        "sublocation-type" => matches!(word, b"wavelength" | b"outpost" | b"localzone"),
        "tgw-id" => begins("tgw-"),
        "tgw-attachment-id" | "tgw-pair-attachment-id" => begins("tgw-attach-"),
        _ if name.starts_with("packets-lost-") => digits(19),
        _ if name.starts_with("ecs-") && name.ends_with("-arn") => begins("arn:"),
        _ => true,
    }
}

/// Whether a line that has no blanks has commas between its words, as a row of CSV.
pub fn is_comma_separated(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    line.first().is_some_and(|byte| matches!(byte, b'0'..=b'9' | b'"'))
        && memchr::memchr(b',', line).is_some()
        && !line.iter().any(u8::is_ascii_whitespace)
}

/// The same with blanks, and without quotes; a cell without a text is `-`.
pub fn with_blanks(line: &[u8]) -> Vec<u8> {
    let cells = line.trim_ascii_end().split(|byte| *byte == b',').map(|cell| {
        let bare = cell.strip_prefix(b"\"").and_then(|cell| cell.strip_suffix(b"\"")).unwrap_or(cell);
        if bare.is_empty() { b"-" } else { bare }
    });
    cells.collect::<Vec<_>>().join(&b' ')
}

/// Where records of the default format begin and end that stand in one line: behind each other, as `--output text` prints a list
/// of them, or without anything between them, as Firehose may deliver them. `None` where there is anything else.
pub fn many(line: &[u8]) -> Option<Vec<(usize, usize)>> {
    let is_record = |words: &[(usize, usize)]| format::is_default(|field| &line[words[field].0..words[field].1]);
    let mut places = Vec::new();
    let (mut at, mut checked) = (0, 0);
    for word in line.split(|byte| *byte <= b' ') {
        // a status, and the version of the next record behind it
        let status = [&b"OK"[..], b"NODATA", b"SKIPDATA"].into_iter().find(|status| {
            word.strip_prefix(*status).is_some_and(|rest| matches!(rest, [b'0'..=b'9'] | [b'0'..=b'9', b'0'..=b'9']))
        });
        let end = at + word.len();
        match status {
            Some(status) => places.extend([(at, at + status.len()), (at + status.len(), end)]),
            None if word.is_empty() => {}
            None => places.push((at, end)),
        }
        at = end + 1;
        // a long line of anything else is soon told
        if places.len() >= checked + FIELDS {
            if !is_record(&places[checked..checked + FIELDS]) {
                return None;
            }
            checked += FIELDS;
        }
    }
    (checked > FIELDS && checked == places.len()).then_some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        "2 111122223333 eni-0e250409d410e1290 198.51.100.7 10.0.0.200 38471 22 6 1 44 1674898496 1674898507 ACCEPT OK";
    const OF_GATEWAY: &str = "6 TransitGateway 111122223333 tgw-0d37 tgw-attach-0a 111122223333 444455556666 vpc-0aa vpc-0bb subnet-0aa \
        subnet-0bb eni-0aa eni-0bb use1-az1 use1-az2 tgw-attach-0b 10.0.1.5 10.1.0.7 43416 443 6 5 568 1566848875 1566848933 OK IPv4 \
        0 0 0 0 2 us-east-1 ingress - S3";

    fn names(line: &str) -> Option<Vec<String>> {
        let words: Vec<&[u8]> = format::words(line.as_bytes()).collect();
        let format = of_words(&words)?;
        Some((0..format.fields.len()).map(|field| format.name(field).to_owned()).collect())
    }

    #[test]
    fn orders_that_aws_writes_are_known_by_the_shapes_of_their_words() {
        let last = |line: &str| names(line).and_then(|names| names.last().cloned());
        assert_eq!(last(LINE).as_deref(), Some("log-status"));
        assert_eq!(last(&format!("{LINE} vpc-0a subnet-0b")).as_deref(), Some("subnet-id"));
        assert_eq!(last(OF_GATEWAY).as_deref(), Some("pkt-dst-aws-service"));
        let of_version_3 = "3 vpc-0a subnet-0b i-01 eni-01 111122223333 IPv4 52.213.180.42 10.0.0.62 43416 5001 52.213.180.42 10.0.0.62 6 568 8 1566848875 1566848933 ACCEPT 2 OK";
        assert_eq!(names(of_version_3).unwrap()[14], "bytes");
        let of_console = "111122223333 ACCEPT use1-az1 568 10.0.0.62 5001 1566848933 ingress i-01 eni-01 OK 8 - 10.0.0.62 EC2 52.213.180.42 6 us-east-1 52.213.180.42 43416 1566848875 - - subnet-0b 2 - IPv4 5 vpc-0a";
        assert_eq!(names(of_console).unwrap()[28], "vpc-id");
    }

    #[test]
    fn words_of_another_shape_are_in_no_order_that_is_known() {
        for other in [
            format!("{LINE} extra"),
            format!("{LINE} subnet-0b vpc-0a"),
            OF_GATEWAY.replace("10.1.0.7", "443"),
            "10.0.0.1 10.0.0.2 ACCEPT".to_owned(),
        ] {
            assert_eq!(names(&other), None, "{other}");
        }
    }

    #[test]
    fn no_order_has_more_words_than_the_longest() {
        let count = |text: &str| text.split_ascii_whitespace().count();
        let longest = OTHERS.into_iter().map(count).max().max(Some(FIELDS + count(BEHIND_DEFAULT)));
        assert_eq!(longest, Some(WORDS_MAX));
    }

    #[test]
    fn records_in_one_line_are_told_apart() {
        let count = |line: &str| many(line.as_bytes()).map(|places| places.len());
        assert_eq!(count(&format!("{LINE}\t{LINE}\t{LINE}")), Some(42));
        assert_eq!(count(&format!("{LINE}{LINE}")), Some(28));
        assert_eq!(count(LINE), None);
        assert_eq!(count(&format!("{LINE} {LINE} extra")), None);
    }
}
