//! A long JSON text, piece by piece → places between records where it can be cut.

use super::PADDING;
use super::index::{self, Indexer};
use super::{Begins, Open, Options};

/// Follows the brackets of a text from piece to piece.
#[derive(Default)]
pub struct Cutter {
    indexer: Indexer,
    /// Containers around the beginning of the current piece, and around the one after it.
    open: Open,
    next: Open,
}

/// Deeper nesting is damage; `logs::json` says the same.
const DEPTH_MAX: u32 = 128;
/// Log events of which none surely begins an entry are cut before the last that may, or else behind the last one, when there are so
/// many, and rows of Logs Insights, of which several may be one entry, behind a row.
const LOG_EVENTS_MAX: usize = 8 << 20;

/// Walked first behind damage, and twice as much each time that it goes well.
const STRETCH_MIN: usize = 8 << 10;

impl Cutter {
    /// Where the padded text can be cut: behind its last whole record, or before the last log event that begins an entry. `None`
    /// when there is none.
    pub fn cut(&mut self, padded: &mut [u8], options: &Options) -> Option<usize> {
        let resume = options.recognize.resume;
        if let Some(cut) = self.quick(padded) {
            self.next = self.open;
            return Some(cut);
        }
        let end = padded.len() - PADDING;
        let mut open = self.open;
        // behind a line that is a string stand others
        if open == Open::Nothing
            && line_in_quotes(&padded[..end]).is_some()
            && !is_text_of_records(&padded[..end])
            && let Some(line) = memchr::memrchr(b'\n', &padded[..end])
        {
            self.next = open;
            return Some(line + 1);
        }
        // the index cannot begin at a quote
        let mut from = match is_text_of_records(&padded[..end]) {
            true => closing_quote(&padded[..end], 1)? + 1,
            false => 0,
        };
        let mut best = None;
        // behind damage the text is walked stretch by stretch, so that one of nothing but damage is not indexed whole over and over
        let mut stretch = end;
        while from < end {
            let stop = end.min(from + stretch);
            // the index cannot begin at a quote, and a piece begins with one only when it is damaged
            let scan = if padded[from] == b'"' && from == 0 { None } else { Some(()) };
            let walked = scan.map(|()| {
                self.indexer.index(padded, from, stop);
                walk(padded, (stop, end), self.indexer.places(), open, options)
            });
            let Some(walk) = walked else {
                from = resume(&padded[..end], from + 1).unwrap_or(end);
                continue;
            };
            if walk.cut > from {
                best = Some((walk.cut, walk.open));
            }
            if !walk.damaged && stop == end {
                break;
            }
            if !walk.damaged {
                stretch *= 2;
                if walk.cut > from {
                    (from, open) = (walk.cut, walk.open);
                }
                continue;
            }
            stretch = STRETCH_MIN;
            open = walk.open;
            let Some(next) = resume(&padded[..end], walk.cut.max(from) + 1) else { break };
            // what comes before is damage, which belongs to this piece
            best = Some((begin(&padded[..next], walk.cut.max(from)), open));
            from = next;
        }
        let (cut, open) = best?;
        self.next = open;
        Some(cut)
    }

    /// The same by the brackets alone, which do not tell damage: of one that hides the ends of the records behind it, the piece ends
    /// before it, and the next begins with it.
    fn quick(&self, padded: &[u8]) -> Option<usize> {
        let text = &padded[..padded.len() - PADDING];
        match self.open {
            Open::Nothing | Open::Records | Open::Array => {}
            Open::Wrapper | Open::LogEvents | Open::Rows => return None,
        }
        let end = index::last_object(text, 0)?;
        Some(end + usize::from(text.get(end) == Some(&b',')))
    }

    /// Whether the next piece is in no container.
    pub fn is_between(&self) -> bool {
        self.open == Open::Nothing
    }

    /// The containers around the piece that is taken now.
    pub fn piece(&mut self) -> Open {
        std::mem::replace(&mut self.open, self.next)
    }
}

/// Fewer bytes than this may stand before an object in its line.
pub const PRECEDING_MAX: usize = 300;

/// Whether this may stand before an object in its line, as syslog puts its header there, or Kafka's consumer a key: no quotes,
/// and no JSON.
pub fn may_precede_object(text: &[u8]) -> bool {
    text.len() < PRECEDING_MAX
        && (text.ends_with(b" ") || text.ends_with(b"\t"))
        && !text.iter().any(|byte| matches!(byte, b'"' | b'\'' | b'}' | b'/' | 0))
}

/// Where a record begins that stands behind the text, with what precedes it in its line where that is all behind `from`; what may precede
/// one looks like damage where it has brackets.
fn begin(text: &[u8], from: usize) -> usize {
    let line = memchr::memrchr(b'\n', &text[from..]).map_or(text.len(), |end| from + end + 1);
    let is_all = text[from..line].iter().all(u8::is_ascii_whitespace);
    if is_all && may_precede_object(&text[line..]) { line } else { text.len() }
}

struct Walk {
    /// Behind the last record.
    cut: usize,
    /// The containers there.
    open: Open,
    damaged: bool,
}

/// Which token may follow which, as a first check that the text is what it seems: a missing quote turns everything
/// behind it inside out.
fn may_follow(before: u8, byte: u8) -> bool {
    match before {
        b'{' => matches!(byte, b'"' | b'}'),
        b'[' => !matches!(byte, b'}' | b',' | b':'),
        b',' | b':' => !matches!(byte, b'}' | b']' | b',' | b':'),
        b'"' => matches!(byte, b',' | b':' | b'}' | b']'),
        // brackets that close, and scalars
        _ => matches!(byte, b',' | b'}' | b']'),
    }
}

fn walk(bytes: &[u8], (stop, end): (usize, usize), places: &[u32], open: Open, options: &Options) -> Walk {
    let mut log_events = Vec::new();
    let mut walk = tokens(bytes, (stop, end), places, (open, options), &mut log_events);
    let last = |begins: Begins| {
        let mut behind_first = log_events.iter().skip(1).rev();
        behind_first.find(|&&(start, end)| (options.recognize.begins_entry)(&bytes[start..end]) == begins)
    };
    if let Some(&(start, _)) = last(Begins::Surely) {
        (walk.cut, walk.open) = (start, Open::LogEvents);
    } else if walk.damaged || end >= LOG_EVENTS_MAX {
        let before = last(Begins::Perhaps).map(|&(start, _)| start);
        if let Some(cut) = before.or(log_events.last().map(|&(_, behind)| behind)) {
            (walk.cut, walk.open) = (cut, Open::LogEvents);
        }
    }
    walk
}

/// Walks over the tokens. `log_events` has the places of those that are whole, of an array that is still open.
fn tokens(
    bytes: &[u8],
    (stop, end): (usize, usize),
    places: &[u32],
    (mut open, options): (Open, &Options),
    log_events: &mut Vec<(usize, usize)>,
) -> Walk {
    let mut walk = Walk { cut: 0, open, damaged: false };
    // brackets inside `open`, one bit each: 1 for an object
    let mut kinds = 0u128;
    let mut depth = 0;
    let mut before = 0;
    let mut tokens = places.iter().map(|&place| place as usize).take_while(|&at| at < stop).peekable();
    let mut seen = [0usize; 3];
    let mut begin = 0;
    for at in tokens.by_ref() {
        let byte = bytes[at];
        seen = [seen[1], seen[2], at];
        if depth == 0 {
            // between records
            match (open, byte) {
                (Open::Nothing, b'[') => open = Open::Array,
                (Open::Array, b']') => open = Open::Nothing,
                (Open::Records | Open::Rows, b']') => open = Open::Wrapper,
                (Open::LogEvents, b']') => {
                    log_events.clear();
                    open = Open::Wrapper;
                }
                (Open::LogEvents, b',' | 0) => continue,
                (Open::Wrapper, b'}') => open = Open::Nothing,
                (_, b'{' | b'[') => {
                    depth = 1;
                    begin = at;
                    kinds = u128::from(byte == b'{');
                    before = byte;
                    continue;
                }
                (_, b',' | 0) | (Open::Nothing, 0xef) => {}
                (Open::Wrapper, _) => continue,
                // a text of records, whose end the index does not have: it can be cut before it
                (_, b'"') if is_text_of_records(&bytes[at..end]) => {
                    // what stands there belongs to neither
                    if at > 0 && matches!(bytes[at - 1], b' ' | b'\n' | b'\r' | b'\t' | b',') {
                        walk.cut = at - 1;
                        walk.open = open;
                    }
                    continue;
                }
                _ => {
                    walk.damaged = true;
                    return walk;
                }
            }
            // the index has one place for a run of NULs, as a file has that was made longer before it was written
            let run = bytes[at..end].iter().take_while(|byte| **byte == 0).count();
            walk.cut = at + run.max(1);
            walk.open = open;
            continue;
        }
        if !may_follow(before, byte) {
            walk.damaged = true;
            return walk;
        }
        before = byte;
        match byte {
            b'{' | b'[' => {
                if depth == DEPTH_MAX {
                    walk.damaged = true;
                    return walk;
                }
                if byte == b'[' && depth == 1 && open == Open::Nothing && is_records(bytes, seen[0]) {
                    // what is inside are the records
                    depth = 0;
                    if (options.recognize.log_events)(&bytes[at + 1..end], options) {
                        open = Open::LogEvents;
                        continue;
                    }
                    open = Open::Records;
                    walk.cut = at + 1;
                    walk.open = open;
                    continue;
                }
                if byte == b'['
                    && depth == 1
                    && open == Open::Nothing
                    && end >= LOG_EVENTS_MAX
                    && is_rows(bytes, seen[0], at)
                {
                    depth = 0;
                    (open, walk.cut, walk.open) = (Open::Rows, at + 1, Open::Rows);
                    continue;
                }
                depth += 1;
                kinds = kinds << 1 | u128::from(byte == b'{');
            }
            b'}' | b']' => {
                if (byte == b'}') != (kinds & 1 == 1) {
                    walk.damaged = true;
                    return walk;
                }
                depth -= 1;
                kinds >>= 1;
                if depth == 0 && open == Open::LogEvents {
                    log_events.push((begin, at + 1));
                } else if depth == 0 && open != Open::Wrapper {
                    walk.cut = at + 1;
                    walk.open = open;
                }
            }
            _ => {}
        }
    }
    walk
}

/// Whether the key that begins there names a list of records.
pub(super) fn is_records(bytes: &[u8], key: usize) -> bool {
    let names = [&b"\"Records\""[..], b"\"records\"", b"\"Events\"", b"\"events\"", b"\"JobRuns\""];
    names.iter().any(|name| bytes[key..].starts_with(name))
}

/// Whether the key that begins there names the rows of CloudWatch Logs Insights, whose list begins at `list`.
pub fn is_rows(bytes: &[u8], key: usize, list: usize) -> bool {
    let inside = |text: &[u8], bracket: u8| match text.trim_ascii_start() {
        [first, rest @ ..] if *first == bracket => Some(rest.len()),
        _ => None,
    };
    let field = inside(&bytes[list..], b'[')
        .and_then(|left| inside(&bytes[bytes.len() - left..], b'['))
        .and_then(|left| inside(&bytes[bytes.len() - left..], b'{'))
        .map(|left| bytes[bytes.len() - left..].trim_ascii_start());
    bytes[key..].starts_with(b"\"results\"")
        && field.is_some_and(|field| field.starts_with(b"\"field\"") || field.starts_with(b"\"value\""))
}

/// Whether a string holds an object, or a list of them, as JSON: `"{\"eventVersion\":...`. So print
/// `aws cloudtrail lookup-events --query 'Events[].CloudTrailEvent'`, in an array, and `jq .message`, line by line.
pub fn is_text_of_records(string: &[u8]) -> bool {
    let Some(inside) = string.strip_prefix(b"\"") else { return false };
    // a line end, a quote or a space that is escaped, or a space that is not
    inside
        .strip_prefix(b"[")
        .unwrap_or(inside)
        .strip_prefix(b"{")
        .is_some_and(|rest| matches!(rest, [b'\\' | b' ', ..]))
}

/// The inside of the string that the first line of a text is, with a comma behind it or without.
pub fn line_in_quotes(text: &[u8]) -> Option<&[u8]> {
    let line = text.split(|byte| *byte == b'\n').next()?.trim_ascii_end();
    let line = line.strip_suffix(b",").unwrap_or(line);
    let close = closing_quote(line.strip_prefix(b"\"")?, 0)?;
    (close + 2 == line.len()).then(|| &line[1..=close])
}

/// The quote that closes the string whose inside begins at `from`.
pub fn closing_quote(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(text: &str, open: Open) -> Option<(usize, Open)> {
        // the index is sure of what is 64 bytes before an open string's end
        let mut padded = format!("{text}{}", "x".repeat(200)).into_bytes();
        padded.resize(padded.len() + PADDING, 0);
        let mut cutter = Cutter { open, ..Cutter::default() };
        let resume = |bytes: &[u8], from: usize| memchr::memmem::find(&bytes[from..], b"{\"e").map(|at| from + at);
        let options = Options::default();
        let recognize = crate::decode::Recognize { resume, ..options.recognize };
        let cut = cutter.cut(&mut padded, &Options { recognize, ..options })?;
        Some((cut, cutter.next))
    }

    #[test]
    fn lines_in_quotes_are_cut_behind_the_last_whole_one() {
        assert_eq!(cuts("\"a\"\n\"b\",\n\"c", Open::Nothing), Some((9, Open::Nothing)));
        assert_eq!(cuts("\"a\" b\n\"c\"\n", Open::Nothing), None);
        assert_eq!(line_in_quotes(b"\"a\\\"b\",\r\nx"), Some(&b"a\\\"b"[..]));
        assert_eq!((line_in_quotes(b"\"a\"b\""), line_in_quotes(b"\""), line_in_quotes(b"a")), (None, None, None));
    }

    #[test]
    fn cuts_stand_behind_whole_records() {
        assert_eq!(cuts(r#"{"Records":[{"e":1},{"e":2},{"e"#, Open::Nothing), Some((28, Open::Records)));
        assert_eq!(cuts(r#"{"e":1}{"e":[{}]}  {"e":"#, Open::Nothing), Some((17, Open::Nothing)));
        assert_eq!(cuts(r#"[{"e":1},{"e":"#, Open::Nothing), Some((9, Open::Array)));
        assert_eq!(cuts(r#"{"e":1},{"e":"x"#, Open::Records), Some((8, Open::Records)));
        assert_eq!(cuts(r#"{"e":1}]}{"e":"x"#, Open::Records), Some((9, Open::Nothing)));
        assert_eq!(cuts(r#"{"Events":[{"e":1},{"e"#, Open::Nothing), Some((19, Open::Records)));
        assert_eq!(cuts(r#"{"events":[{"e":1},{"e"#, Open::Nothing), Some((19, Open::Records)));
        assert_eq!(cuts(r#"{"JobRuns":[{"e":1},{"e"#, Open::Nothing), Some((20, Open::Records)));
        assert_eq!(cuts(r#"{"e":1"#, Open::Nothing), None);
    }

    proptest::proptest! {
        #[test]
        fn brackets_alone_cut_where_all_tokens_do(
            records in proptest::collection::vec(r#"\{"e":("([a-z{}\[\],:]|\\\\|\\"){0,70}"|\[\{"a":[1-9]\},\{\}\]|[1-9])\}"#, 0..12),
            left in 0usize..60,
            open in 0usize..3,
        ) {
            let open = [Open::Nothing, Open::Records, Open::Array][open];
            let text = records.join(if open == Open::Nothing { "\n" } else { "," });
            // the text may end anywhere, in a string too
            let mut padded = text.as_bytes()[..text.len().saturating_sub(left)].to_vec();
            let length = padded.len();
            padded.resize(length + PADDING, 0);
            let mut cutter = Cutter { open, ..Cutter::default() };
            let quick = cutter.quick(&padded);
            if length > 0 {
                cutter.indexer.index(&mut padded, 0, length);
                let slow = walk(&padded, (length, length), cutter.indexer.places(), open, &Options::default());
                proptest::prop_assert!(!slow.damaged);
                let whole = (slow.cut > 0).then_some(slow.cut);
                let expected = if is_x86_feature_detected!("avx2") { whole } else { None };
                proptest::prop_assert_eq!(quick, expected, "{}", text);
            }
        }
    }

    #[test]
    fn rows_of_a_long_answer_are_cut_behind_a_row() {
        let row = |text: &str| format!(r#"[{{"field":"@message","value":"{text}"}}],"#);
        let begin = r#"{"queryLanguage":"CWLI", "results" : [ "#;
        let long = format!("{begin}{}{}", row("1"), row(&"x".repeat(LOG_EVENTS_MAX)));
        assert_eq!(cuts(&format!("{long}[{{"), Open::Nothing), Some((long.len(), Open::Rows)));
        assert_eq!(cuts(&format!("{begin}{}[{{", row("1")), Open::Nothing), None);
        assert_eq!(cuts(&format!("{}[{{", row("1")), Open::Rows), Some((row("1").len(), Open::Rows)));
        assert_eq!(cuts(r#"[]],"statistics":{"a":[1]}"#, Open::Rows), Some((4, Open::Wrapper)));
        let other = format!("{begin}[{}", "1,".repeat(LOG_EVENTS_MAX));
        assert_eq!(cuts(&other, Open::Nothing), None);
    }

    #[test]
    fn keys_around_records_do_not_matter() {
        assert_eq!(cuts(r#"{"a":{"b":[]},"Records":[{"e":1},"#, Open::Nothing), Some((33, Open::Records)));
        assert_eq!(cuts(r#"{"e":1}],"a":[{"b":1}]"#, Open::Records), Some((9, Open::Wrapper)));
    }

    #[test]
    fn texts_of_records_are_cut_before_the_last() {
        let text = |number: usize| format!(r#""{{\"e\":{number}}}""#);
        let [one, two, three] = [1, 2, 3].map(text);
        let length = one.len() + 1 + two.len();
        assert_eq!(cuts(&format!("{one}\n{two}\n{three}"), Open::Nothing), Some((length, Open::Nothing)));
        assert_eq!(cuts(&format!("\n{one}\n{two}\n{three}"), Open::Nothing), Some((1 + length, Open::Nothing)));
        assert_eq!(cuts(&one, Open::Nothing), None);
        assert_eq!(cuts(&format!("[{one},{two},{three}"), Open::Nothing), Some((1 + length, Open::Array)));
        assert_eq!(cuts(r#"{"e":1} "x" {"e":2}{"e"#, Open::Nothing), Some((19, Open::Nothing)));
    }

    #[test]
    fn after_a_missing_quote_the_next_record_is_found() {
        let text = r#"{"e":"x},{"e":2},{"e":3},{"e"#;
        assert_eq!(cuts(text, Open::Array), Some((25, Open::Array)));
    }
}
