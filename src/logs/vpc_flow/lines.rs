//! Lines of flow records, in the default format of AWS or a named one → rows.

use std::sync::Arc;

use super::VPC_FLOW;
use crate::decode::{Context, Counts, Lines};
use crate::logs::text::{self, Columns, Source};
use crate::table::{Batch, Kind, Origin, Reject};

/// The fields of version 2, in the order AWS writes them when no format is chosen.
const DEFAULT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";

const WRONG_SHAPE: &str =
    "not in the default format of VPC flow logs and without a header line: declare its fields with --vpc-flow-format";

/// What to do with each field of a line.
#[derive(Debug)]
struct Format {
    fields: Vec<Field>,
    /// Lines must have the shape of the default format, since nothing else says what they are.
    default: bool,
}

#[derive(Debug)]
enum Field {
    Number(usize),
    Text(usize),
    Account(usize),
    Region,
    /// A field that has no column.
    Other(String),
}

impl Format {
    fn parse(text: &str, default: bool) -> Format {
        let fields = text.split_ascii_whitespace().map(|name| {
            let name = name.trim_start_matches("${").trim_end_matches('}').replace('_', "-");
            match VPC_FLOW.columns.iter().position(|column| !column.path.is_empty() && column.path == name) {
                Some(place) if name == "account-id" => Field::Account(place),
                Some(place) => match VPC_FLOW.columns[place].kind {
                    Kind::Int => Field::Number(place),
                    _ => Field::Text(place),
                },
                None if name == "region" => Field::Region,
                None => Field::Other(name),
            }
        });
        Format { fields: fields.collect(), default }
    }
}

fn is_field(name: &str) -> bool {
    name == "region" || VPC_FLOW.columns.iter().any(|column| !column.path.is_empty() && column.path == name)
}

/// A line that names fields: words of small letters, digits and hyphens, at least half of them known.
pub fn is_header(line: &[u8]) -> bool {
    let Ok(line) = std::str::from_utf8(line.trim_ascii()) else { return false };
    let words: Vec<String> = line.split_ascii_whitespace().map(|word| word.replace('_', "-")).collect();
    let plain = |word: &String| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    !words.is_empty()
        && words.iter().all(plain)
        && words.iter().filter(|word| is_field(word)).count() * 2 >= words.len()
        && !words.iter().any(|word| word.starts_with("eni-") || word.starts_with("vpc-0"))
}

/// A line with words that flow records have in any format.
pub fn looks_like_a_flow(line: &[u8]) -> bool {
    let words = || line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let verdict = |word: &[u8]| matches!(word, b"ACCEPT" | b"REJECT" | b"NODATA" | b"SKIPDATA");
    let interface = |word: &[u8]| word.starts_with(b"eni-") && word.len() <= 21;
    words().count() >= 3 && words().any(|word| verdict(word) || interface(word)) && words().all(|word| word.len() < 200)
}

/// Reads lines into one batch.
pub struct Parser {
    columns: Columns,
    /// The last format parsed, and its text.
    format: Option<(Option<Arc<str>>, Format)>,
}

impl Default for Parser {
    fn default() -> Parser {
        Parser { columns: Columns::new(&VPC_FLOW), format: None }
    }
}

impl Parser {
    pub fn is_full(&self) -> bool {
        self.columns.is_full()
    }

    pub fn finish(self, counts: &mut Counts) -> Option<Batch> {
        counts.of(VPC_FLOW.name).rows += self.columns.rows as u64;
        // SAFETY: `read` sets texts only from lines that it found to be UTF-8
        unsafe { self.columns.finish() }
    }

    pub fn read(
        &mut self,
        body: Lines,
        origin: &Arc<Origin>,
        offset: u64,
        context: Option<&Context>,
        rejects: &mut Vec<Reject>,
        counts: &mut Counts,
    ) {
        let source = Source { origin, offset, context };
        let mut format = match self.format.take() {
            Some((text, format)) if text == body.format => format,
            _ => Format::parse(body.format.as_deref().unwrap_or(DEFAULT), body.format.is_none()),
        };
        let mut same = true;
        let entries = text::entries(&body);
        let length = body.text.len();
        let bytes = body.text.into_padded();
        let all_utf8 = text::is_utf8(&bytes[..length]);
        let mut records = 0;
        let mut line = |columns: &mut Columns, start: usize, end: usize| {
            let line = &bytes[start..end];
            if line.trim_ascii().is_empty() {
                return;
            }
            if line[0].is_ascii_lowercase() && is_header(line) {
                format = Format::parse(&String::from_utf8_lossy(line), false);
                same = false;
                return;
            }
            records += 1;
            let read = match all_utf8 || text::is_utf8(line) {
                true => row(columns, &bytes, start, end, &format, &source),
                false => Err("not UTF-8".to_owned()),
            };
            match read {
                Ok(()) => columns.rows += 1,
                Err(reason) => {
                    columns.drop_row();
                    rejects.push(Reject::new(origin, offset + start as u64, VPC_FLOW.name, reason, line));
                }
            }
        };
        let before = self.columns.rows;
        if entries.is_empty() {
            text::lines(&bytes[..length]).for_each(|(start, end)| line(&mut self.columns, start, end));
        } else {
            entries.iter().for_each(|&(start, end, _)| line(&mut self.columns, start, end));
        }
        let rows = (self.columns.rows - before) as u64;
        let tally = counts.of(VPC_FLOW.name);
        tally.records += records;
        tally.rejects += records - rows;
        self.columns.arena.keep(bytes);
        if same {
            self.format = Some((body.format, format));
        }
    }
}

/// Fills one row from a line; on error the caller drops what was set.
fn row(
    columns: &mut Columns,
    bytes: &[u8],
    start: usize,
    end: usize,
    format: &Format,
    source: &Source<'_>,
) -> Result<(), String> {
    let (mut account, mut region) = (None, None);
    let mut others = String::new();
    let mut at = start;
    let mut last = (start, start);
    for (index, field) in format.fields.iter().enumerate() {
        while at < end && is_blank(bytes[at]) {
            at += 1;
        }
        if at == end {
            return Err(miscounted(bytes, start, end, format));
        }
        let begin = at;
        if let Field::Number(column) = field {
            // digits are read while their end is looked for
            let mut value: i64 = 0;
            while at < end && bytes[at].is_ascii_digit() && at - begin < 18 {
                value = value * 10 + i64::from(bytes[at] - b'0');
                at += 1;
            }
            if at > begin && (at == end || is_blank(bytes[at])) {
                columns.set_number(*column, value);
                last = (begin, at);
                continue;
            }
        }
        while at < end && !is_blank(bytes[at]) {
            at += 1;
        }
        last = (begin, at);
        let word = &bytes[begin..at];
        if word == b"-" {
            continue;
        }
        match field {
            Field::Number(column) => {
                let text = String::from_utf8_lossy(word);
                let name = VPC_FLOW.columns[*column].path;
                let value = text.parse().map_err(|_| match format.default {
                    true => WRONG_SHAPE.to_owned(),
                    false => format!("field {} ({name}) is not a number: {text}", index + 1),
                })?;
                columns.set_number(*column, value);
            }
            Field::Text(column) => columns.set_text(*column, bytes, begin, at),
            Field::Account(column) => {
                columns.set_text(*column, bytes, begin, at);
                account = (word != b"unknown").then_some(word);
            }
            Field::Region => region = Some(word),
            Field::Other(name) => {
                others.push(if others.is_empty() { '{' } else { ',' });
                let pair = (serde_json::json!(name), serde_json::json!(String::from_utf8_lossy(word)));
                others.push_str(&format!("{}:{}", pair.0, pair.1));
            }
        }
    }
    if !bytes[at..end].iter().all(|&byte| is_blank(byte)) {
        return Err(miscounted(bytes, start, end, format));
    }
    if format.default && !matches!(&bytes[last.0..last.1], b"OK" | b"NODATA" | b"SKIPDATA") {
        return Err(WRONG_SHAPE.to_owned());
    }
    if !others.is_empty() {
        others.push('}');
        columns.set_new_text(VPC_FLOW.columns.len() - 1, &others);
    }
    columns.set_partition(account, region, source.origin, source.context);
    Ok(())
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn miscounted(bytes: &[u8], start: usize, end: usize, format: &Format) -> String {
    if format.default {
        return WRONG_SHAPE.to_owned();
    }
    let words = bytes[start..end].split(|&byte| is_blank(byte)).filter(|word| !word.is_empty()).count();
    format!("{words} fields where the format has {}", format.fields.len())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray, RecordBatch};
    use arrow::datatypes::{Int32Type, Int64Type};
    use proptest::prelude::*;

    use super::*;
    use crate::decode::Text;

    fn read(text: &str, format: Option<&str>) -> (Option<RecordBatch>, Vec<Reject>, Counts) {
        let (mut rejects, mut counts) = (Vec::new(), Counts::default());
        let mut parser = Parser::default();
        let lines = Lines { text: Text::new(text.into()), format: format.map(Arc::from), entries: Vec::new() };
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
    fn a_dash_is_null_in_nodata_and_skipdata() {
        let text = "2 unknown eni-1 - - - - - - - 1431280876 1431280934 - NODATA\r\n2 - eni-1 - - - - - - - 1 2 - SKIPDATA\n\n";
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
    fn a_line_of_another_shape_is_a_reject_that_says_what_to_do() {
        let text = format!("{LINE} extra\n{LINE}\n2 eni-1 10.0.0.1 ACCEPT\n{}", LINE.replace(" 22 ", " ssh "));
        let (rows, rejects, counts) = read(&text, None);
        assert_eq!(rows.unwrap().num_rows(), 1);
        assert_eq!(counts.of_table("vpc_flow"), (4, 1, 3));
        assert!(rejects.iter().all(|reject| reject.reason.contains("--vpc-flow-format")), "{rejects:?}");
        assert_eq!(rejects[1].offset, 2 * LINE.len() as u64 + 8);
        let (_, rejects, _) = read("10.0.0.1 x", Some("srcaddr dstport"));
        assert_eq!(rejects[0].reason, "field 2 (dstport) is not a number: x");
        let (_, rejects, _) = read("10.0.0.1", Some("srcaddr dstport"));
        assert_eq!(rejects[0].reason, "1 fields where the format has 2");
    }

    #[test]
    fn a_header_is_known_by_its_names() {
        assert!(is_header(DEFAULT.as_bytes()));
        assert!(is_header(b"account_id srcaddr new-thing dstaddr"));
        assert!(!is_header(LINE.as_bytes()));
        assert!(!is_header(b"the quick brown fox"));
        assert!(looks_like_a_flow(LINE.as_bytes()) && !looks_like_a_flow(b"a b c"));
    }

    proptest! {
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
                2 => "2 1 eni-1 - - - - - - - 1 2 - NODATA".to_owned(),
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
}
