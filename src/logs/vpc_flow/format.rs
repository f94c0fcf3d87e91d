//! The names in a header line or a declared format → what to do with each field of a flow record.

use super::{VPC_FLOW, known};
use crate::table::Kind;

/// The fields of version 2, in the order AWS writes them when no format is chosen.
pub const DEFAULT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";

/// What only flow logs of transit gateways have (version 6). There are no columns of it, so it stands in `unmapped`.
const OF_TRANSIT_GATEWAYS: &[&str] = &[
    "resource-type",
    "tgw-id",
    "tgw-attachment-id",
    "tgw-src-vpc-account-id",
    "tgw-dst-vpc-account-id",
    "tgw-src-vpc-id",
    "tgw-dst-vpc-id",
    "tgw-src-subnet-id",
    "tgw-dst-subnet-id",
    "tgw-src-eni",
    "tgw-dst-eni",
    "tgw-src-az-id",
    "tgw-dst-az-id",
    "tgw-pair-attachment-id",
    "packets-lost-no-route",
    "packets-lost-blackhole",
    "packets-lost-mtu-exceeded",
    "packets-lost-ttl-expired",
];

/// The fields of a line, in order.
#[derive(Debug)]
pub struct Format {
    pub fields: Vec<Field>,
    /// Nothing said what the fields are, so lines must have the shape of the default format.
    pub assumed: bool,
}

/// What to do with a field. Columns are places in the table's list.
#[derive(Debug, PartialEq)]
pub enum Field {
    Number(usize),
    Text(usize),
    Symbol(usize),
    Account(usize),
    Region,
    /// A field that has no column.
    Other(String),
}

impl Format {
    /// Reads `version account-id ...` or `${version} ${account-id} ...`.
    pub fn parse(text: &str) -> Format {
        let fields = str::from_utf8(names(text.as_bytes())).unwrap_or(text).split_ascii_whitespace().map(|word| {
            let name = field_name(word);
            match VPC_FLOW.columns.iter().position(|column| !column.path.is_empty() && column.path == name) {
                Some(place) if name == "account-id" => Field::Account(place),
                Some(place) => match VPC_FLOW.columns[place].kind {
                    Kind::Int => Field::Number(place),
                    Kind::Symbol => Field::Symbol(place),
                    _ => Field::Text(place),
                },
                None if name == "region" => Field::Region,
                None => Field::Other(name),
            }
        });
        Format { fields: fields.collect(), assumed: false }
    }

    /// The default format, of lines that come without a header.
    pub fn assumed() -> Format {
        Format { assumed: true, ..Format::parse(DEFAULT) }
    }

    /// The name of a field, as AWS writes it.
    pub fn name(&self, field: usize) -> &str {
        match &self.fields[field] {
            Field::Number(column) | Field::Text(column) | Field::Symbol(column) | Field::Account(column) => {
                VPC_FLOW.columns[*column].path
            }
            Field::Region => "region",
            Field::Other(name) => name,
        }
    }

    /// Whether a line could be a record of this format.
    pub fn fits(&self, line: &[u8]) -> bool {
        let words: Vec<&[u8]> = words(line).skip(words_of_export(line, self.fields.len())).collect();
        let number = |word: &[u8]| word == b"-" || word.iter().all(u8::is_ascii_digit);
        words.len() == self.fields.len()
            && (!self.assumed || is_default(|field| words[field]))
            && self.fields.iter().zip(&words).all(|(field, word)| !matches!(field, Field::Number(_)) || number(word))
    }
}

/// How many words stand before the record: the time that an export of CloudWatch Logs to S3 puts before each log event
/// (`2024-08-01T10:05:00.000Z `), or the time and, unless told otherwise, the stream that `aws logs tail` prints, or what
/// syslog or a runtime of containers puts before a message, where the record, which has so many `fields`, is of the default format.
pub fn words_of_export(line: &[u8], fields: usize) -> usize {
    let is_timed = matches!(words(line).next(), Some([_, _, _, _, b'-', _, _, b'-', _, _, b'T', _, _, b':', ..]));
    if fields == FIELDS && (is_timed || is_of_syslog(line)) {
        let mut last: Vec<&[u8]> = words_backwards(line).take(FIELDS).collect();
        last.reverse();
        if last.len() == FIELDS && is_default(|field| last[field]) {
            return words(line).count() - FIELDS;
        }
    }
    if !is_timed {
        return 0;
    }
    let is_stream = |word: &[u8]| {
        word.starts_with(b"eni-") && [&b"-all"[..], b"-accept", b"-reject"].iter().any(|end| word.ends_with(end))
    };
    1 + usize::from(words(line).nth(1).is_some_and(is_stream))
}

/// Whether a line begins with a priority, `<134>`, or a time without a year, `Aug  1 10:05:00 `.
fn is_of_syslog(line: &[u8]) -> bool {
    match line {
        [b'<', b'0'..=b'9', ..] => true,
        [b'A'..=b'Z', b'a'..=b'z', b'a'..=b'z', b' ', ..] => {
            words(line).nth(2).is_some_and(|time| matches!(time, [_, _, b':', _, _, b':', _, _]))
        }
        _ => false,
    }
}

/// The highest value that a column of numbers can have: ports have 16 bits, protocols 8, and times, in seconds, four
/// digits for their year.
pub fn most(column: &str) -> i64 {
    match column {
        "srcport" | "dstport" => 65_535,
        "protocol" => 255,
        "start" | "end" => 253_402_300_799,
        _ => i64::MAX,
    }
}

pub fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte <= b' ').filter(|word| !word.is_empty())
}

fn words_backwards(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.rsplit(|byte| *byte <= b' ').filter(|word| !word.is_empty())
}

/// A header line without what makes a comment of it: `# version account-id`, `#Fields: version account-id`.
fn names(line: &[u8]) -> &[u8] {
    let Some(rest) = line.strip_prefix(b"#") else { return line };
    let rest = rest.trim_ascii_start();
    rest.strip_prefix(b"Fields:").or_else(|| rest.strip_prefix(b"fields:")).unwrap_or(rest)
}

/// `${account-id}`, Parquet's `account_id` and a database's `ACCOUNT_ID` are `account-id`.
fn field_name(word: &str) -> String {
    let bare = word.strip_prefix("${").and_then(|word| word.strip_suffix('}')).unwrap_or(word);
    bare.replace('_', "-").to_ascii_lowercase()
}

/// How many fields the default format has.
pub const FIELDS: usize = 14;

/// The shape of the default format: a version, an account, an interface, and at the end a status.
#[inline]
pub fn is_default<'a>(word: impl Fn(usize) -> &'a [u8]) -> bool {
    let (version, account, interface) = (word(0), word(1), word(2));
    version.len() <= 2
        && version.iter().all(u8::is_ascii_digit)
        && matches!(word(13), b"OK" | b"NODATA" | b"SKIPDATA")
        && (interface.starts_with(b"eni-") || interface == b"-")
        && (account.len() == 12 && account.iter().all(u8::is_ascii_digit) || matches!(account, b"unknown" | b"-"))
}

/// Whether flow records have a field of this name, as AWS writes it.
pub fn is_field(name: &str) -> bool {
    name == "region"
        || OF_TRANSIT_GATEWAYS.contains(&name)
        || VPC_FLOW.columns.iter().any(|column| !column.path.is_empty() && column.path == name)
}

/// A line that names fields: words of letters, digits and hyphens, at least half of them or many fields we know, also
/// in `${}`, and behind `#`. AWS adds fields with each version.
pub fn is_header(line: &[u8]) -> bool {
    /// More words of prose are never fields, whatever stands between them.
    const MANY: usize = 8;
    let is_comment = line.starts_with(b"#");
    let (line, mut count, mut known) = (names(line), 0, 0);
    for word in words(line) {
        let Ok(word) = std::str::from_utf8(word) else { return false };
        let name = field_name(word);
        let plain = name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !plain {
            return false;
        }
        count += 1;
        known += usize::from(is_field(&name));
    }
    // a word of prose may begin with a capital letter, and one of a comment be any
    let is_list = count > 2 || !line.iter().any(u8::is_ascii_uppercase) && (count > 1 || !is_comment);
    known > 0 && (known * 2 >= count || known >= MANY) && is_list
}

/// Told by its first byte, which few records have.
#[inline]
pub fn may_be_header(line: &[u8]) -> bool {
    matches!(line.first(), Some(b'a'..=b'z' | b'A'..=b'Z' | b'$' | b'#'))
}

/// The last header line of a text of whole lines.
pub fn last_header(text: &[u8]) -> Option<&[u8]> {
    let mut end = text.len();
    let starts = memchr::memrchr_iter(b'\n', text).map(|place| place + 1).chain([0]);
    for start in starts {
        let line = &text[start..end.max(start)];
        if may_be_header(line) && is_header(line) {
            return Some(line.trim_ascii_end());
        }
        end = start.saturating_sub(1);
    }
    None
}

/// Checks a format that somebody declared.
///
/// # Errors
/// Says which field is unknown, or that one is named twice, or that there is none.
pub fn check(text: &str) -> Result<(), String> {
    let format = Format::parse(text);
    if format.fields.is_empty() {
        return Err("a format of VPC flow logs names at least one field".to_owned());
    }
    for (place, field) in format.fields.iter().enumerate() {
        let name = format.name(place);
        if let Field::Other(name) = field
            && !OF_TRANSIT_GATEWAYS.contains(&name.as_str())
        {
            return Err(format!(
                "field {} of the format, `{name}`, is no field of VPC flow logs (versions 2 to 10): `{DEFAULT}` is the default format",
                place + 1
            ));
        }
        if (0..place).any(|before| format.name(before) == name) {
            return Err(format!("field {} of the format, `{name}`, stands there twice", place + 1));
        }
    }
    Ok(())
}

/// A line with words that flow records have in any format, three kinds of them at least.
pub fn looks_like_a_flow(line: &[u8]) -> bool {
    let plain = |word: &[u8]| {
        word.len() < 200 && word.iter().all(|byte| byte.is_ascii_alphanumeric() || b".:/_-".contains(byte))
    };
    let without_commas = known::is_comma_separated(line).then(|| known::with_blanks(line));
    let line = without_commas.as_deref().unwrap_or(line);
    if !words(line).all(|word| plain(word) && !word.ends_with(b":")) {
        return false;
    }
    let has = |kind: fn(&[u8]) -> bool| usize::from(words(line).any(kind));
    let prefixed =
        |word: &[u8]| [&b"vpc-"[..], b"subnet-", b"tgw-", b"az-", b"i-0"].iter().any(|prefix| word.starts_with(prefix));
    let address = |word: &[u8]| std::str::from_utf8(word).is_ok_and(|word| word.parse::<std::net::IpAddr>().is_ok());
    has(|word| matches!(word, b"ACCEPT" | b"REJECT"))
        + has(|word| matches!(word, b"OK" | b"NODATA" | b"SKIPDATA"))
        + has(|word| word.starts_with(b"eni-"))
        + has(|word| word.len() == 12 && word.iter().all(u8::is_ascii_digit))
        + has(prefixed)
        + has(address)
        >= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        "2 111122223333 eni-0e250409d410e1290 198.51.100.7 10.0.0.200 38471 22 6 1 44 1674898496 1674898507 ACCEPT OK";

    #[test]
    fn a_line_of_an_export_of_cloudwatch_fits() {
        assert!(Format::assumed().fits(format!("2024-08-01T10:05:00.000Z {LINE}").as_bytes()));
        assert!(!Format::assumed().fits(format!("yesterday {LINE}").as_bytes()));
        let tailed = "2024-08-01T10:05:00.123000+00:00 eni-0e250409d410e1290-all ";
        assert!(Format::assumed().fits(format!("{tailed}{LINE}").as_bytes()));
        assert!(Format::assumed().fits(format!("2024-08-01T10:05:00 {LINE}").as_bytes()));
        assert_eq!(words_of_export(tailed.as_bytes(), FIELDS), 2);
        assert_eq!(words_of_export(LINE.as_bytes(), FIELDS), 0);
        for syslog in [
            "<134>1 2024-08-01T10:05:00Z host flows - - - ",
            "Aug  1 10:05:00 host flows[1]: ",
            "2024-08-01T10:05:00.123456+00:00 host flows[1]: ",
            "2024-08-01T10:05:00.123456789Z stdout F ",
        ] {
            assert!(Format::assumed().fits(format!("{syslog}{LINE}").as_bytes()), "{syslog}");
            // of a declared format another record ends the line
            assert!(words_of_export(format!("{syslog}{LINE}").as_bytes(), FIELDS + 1) < 2);
            assert!(words_of_export(format!("{syslog}{LINE} x").as_bytes(), FIELDS) < 2);
        }
    }

    #[test]
    fn a_header_is_known_by_its_names() {
        assert!(is_header(DEFAULT.as_bytes()));
        assert!(is_header(b"account_id srcaddr new-thing dstaddr\r"));
        assert!(is_header(b"${version} ${vpc-id}"));
        assert!(is_header(b"tgw-id tgw-attachment-id packets packets-lost-blackhole"));
        assert!(is_header(b"ACCOUNT_ID SRCADDR DSTADDR"));
        assert!(is_header(b"# version account-id"));
        assert!(is_header(b"#Fields: version account-id"));
        assert!(is_header(b"start"));
        assert!(!is_header(b"# start"));
        assert!(!is_header(LINE.as_bytes()));
        assert!(!is_header(b"eni-0e250409d410e1290 vpc-0a"));
        assert!(!is_header(b"the quick brown fox"));
        assert!(!is_header(b"Start"));
        let with_new = |known: &str| is_header(format!("{known}{}", " new-thing".repeat(20)).as_bytes());
        assert!(with_new(DEFAULT));
        assert!(!with_new("version start end type region action bytes"));
        assert!(!is_header(b""));
    }

    #[test]
    fn fourteen_words_do_not_make_a_default_line() {
        let format = Format::assumed();
        assert!(format.fits(LINE.as_bytes()));
        assert!(format.fits(b"2 unknown eni-1 - - - - - - - 1431280876 1431280934 - NODATA\r"));
        for other in [
            LINE.replace("OK", "FINE"),
            LINE.replace("111122223333", "11112222"),
            LINE.replace("eni-", "if-"),
            LINE.replace(" 22 ", " ssh "),
            LINE.replace(" 22 ", " "),
        ] {
            assert!(!format.fits(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_flow_in_an_unknown_format_is_known_from_prose() {
        assert!(looks_like_a_flow(LINE.as_bytes()));
        assert!(looks_like_a_flow(b"vpc-0a 10.0.0.1 10.0.0.2 ACCEPT 5"));
        assert!(!looks_like_a_flow(b"a b c"));
        assert!(!looks_like_a_flow(b"24/05/01 12:00:01 INFO Net: eni-1 10.0.0.1 OK ACCEPT"));
    }

    #[test]
    fn a_declared_format_is_checked() {
        assert_eq!(check(DEFAULT), Ok(()));
        assert_eq!(check("${version} ${region} ${pkt-src-aws-service}"), Ok(()));
        assert_eq!(check("version resource-type tgw-id srcaddr packets-lost-no-route"), Ok(()));
        assert!(check("version srcadr").unwrap_err().starts_with("field 2 of the format, `srcadr`, is no field"));
        assert!(check("srcaddr ${srcaddr}").unwrap_err().contains("twice"));
        assert!(check(" ").unwrap_err().contains("at least one"));
    }

    #[test]
    fn the_last_header_of_a_text_is_found() {
        let text = |text: &str| last_header(text.as_bytes()).map(|line| String::from_utf8_lossy(line).into_owned());
        assert_eq!(text(&format!("{LINE}\nsrcaddr dstport\r\n10.0.0.1 4\n")).as_deref(), Some("srcaddr dstport"));
        assert_eq!(text("srcaddr bytes\n1 2\ndstaddr\n").as_deref(), Some("dstaddr"));
        assert_eq!(text("srcaddr bytes").as_deref(), Some("srcaddr bytes"));
        assert_eq!((text(LINE), text("")), (None, None));
    }

    #[test]
    fn names_become_fields() {
        let format = Format::parse("${region} srcport pkt_srcaddr account-id new-thing action");
        let column = |name| VPC_FLOW.columns.iter().position(|column| column.name == name).unwrap();
        assert_eq!(
            format.fields,
            [
                Field::Region,
                Field::Number(column("srcport")),
                Field::Text(column("pkt_srcaddr")),
                Field::Account(column("account_id")),
                Field::Other("new-thing".into()),
                Field::Symbol(column("action")),
            ]
        );
        assert_eq!(format.name(2), "pkt-srcaddr");
    }
}
