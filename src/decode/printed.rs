//! What the AWS CLI prints with `--output yaml` or `--output text` → the JSON that it prints otherwise, where that can be told.

use serde_json::Value;

/// So much of an answer is read; it takes some times as much memory.
pub const LENGTH_MAX: usize = 16 << 20;

/// Names that an answer with records begins with.
const LISTS: [&str; 9] =
    ["Events", "events", "JobRuns", "JobRun", "Findings", "Records", "QueryResultRows", "QueryStatus", "results"];

/// What a line of text begins with that has an event.
const EVENT: &[u8] = b"EVENTS\t";

/// Whether a text may be such an answer, by its beginning: [`as_json`] wants all of it.
pub fn may_be(head: &[u8]) -> bool {
    may_be_yaml(head) || may_be_text(head)
}

fn may_be_yaml(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let is_list =
        |name: &str| line.strip_prefix(name.as_bytes()).is_some_and(|rest| rest == b":" || rest.starts_with(b": "));
    // `--query 'Events[]'`
    let is_item = || {
        let name = line.strip_prefix(b"- ").and_then(|item| item.split(|byte| *byte == b':').next());
        let is_word = |name: &[u8]| !name.is_empty() && name.iter().all(u8::is_ascii_alphanumeric);
        name.is_some_and(|name| is_word(name) && line[2 + name.len()..].starts_with(b":"))
    };
    LISTS.iter().any(|name| is_list(name)) || is_item()
}

fn may_be_text(head: &[u8]) -> bool {
    // `aws logs get-log-events` begins with tokens of the pages before and behind
    let is_of_tokens = || {
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        line.starts_with(b"b/") && head[line.len()..].trim_ascii_start().starts_with(EVENT)
    };
    head.starts_with(EVENT) || is_of_tokens()
}

/// The answer as JSON; `None` where it is none after all.
pub fn as_json(text: &[u8]) -> Option<Vec<u8>> {
    if may_be_text(text) {
        return of_text(text);
    }
    let text = str::from_utf8(text).ok().filter(|_| may_be_yaml(text) && !has_too_many(text))?;
    let mut unused = unused(text);
    let [list, object] = [unused.next()?, unused.next()?];
    let value: Value = yaml_serde::from_str(&without_brackets(text, list, object)).ok()?;
    let has_objects = match &value {
        Value::Array(items) => items.iter().all(Value::is_object),
        Value::Object(members) => LISTS.iter().any(|name| members.get(*name).is_some_and(Value::is_array)),
        _ => false,
    };
    // in the JSON they stand in texts only
    has_objects.then(|| value.to_string().replace(list, "[").replace(object, "{").into_bytes())
}

/// Why an answer that begins with `head` and has so many bytes, or more, is none that is read, where it is too large.
pub fn too_large(head: &[u8], length: usize) -> Option<&'static str> {
    if length >= LENGTH_MAX {
        return Some("YAML or text of the AWS CLI, of which less than 16 MiB are read: ask it for --output json");
    }
    (may_be_yaml(head) && has_too_many(head))
        .then_some("YAML of more than 100000 lines and items: ask the AWS CLI for --output json")
}

/// Whether YAML has more keys and items than are read. Each takes about 900 bytes for a while: 16 MB of `- a: 1` took 2 GB.
fn has_too_many(text: &[u8]) -> bool {
    const MOST: usize = 100_000;
    let count = |sign: &[u8]| memchr::memmem::find_iter(text, sign).take(MOST + 1).count();
    count(b"\n") + count(b"- ") + count(b"? ") > MOST
}

/// Characters that a text has neither as they are nor by their numbers.
fn unused(text: &str) -> impl Iterator<Item = char> {
    ('\u{e000}'..='\u{e07f}').filter(move |char| {
        let number = format!("{:x}", u32::from(*char));
        !text.contains(*char) && !text.contains(&number) && !text.contains(&number.to_uppercase())
    })
}

/// YAML with others for the brackets that open what is not empty. The AWS CLI prints them in texts only, and the time to read lists in each
/// other grows with the square of their number: 50 KB of `[` took 42 s.
fn without_brackets(text: &str, list: char, object: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        out.push(match (char, chars.peek()) {
            ('[', Some(']')) | ('{', Some('}')) => char,
            ('[', _) => list,
            ('{', _) => object,
            _ => char,
        });
    }
    out
}

/// Lines of `aws logs filter-log-events`, `aws logs get-log-events` or `aws cloudtrail lookup-events`, of which the fields stand in the
/// order of their names.
fn of_text(text: &[u8]) -> Option<Vec<u8>> {
    let lines = |begin: &[u8]| -> Vec<usize> {
        let places = memchr::memmem::find_iter(text, begin);
        places.filter(|at| *at == 0 || text[at - 1] == b'\n').collect()
    };
    let starts = lines(EVENT);
    // what was searched stands behind them
    let end = lines(b"SEARCHEDLOGSTREAMS\t").last().copied().filter(|end| starts.iter().all(|start| start < end));
    let end = end.unwrap_or(text.len());
    let ends = starts.iter().skip(1).copied().chain([end]);
    let mut parts = Vec::new();
    // a message may have lines that begin as an event does: what is none by itself is one together with those
    let mut begun = None;
    for (start, end) in starts.iter().copied().zip(ends) {
        match part(&text[start..end]) {
            Part::Other(_) => {
                begun.get_or_insert(start);
            }
            whole => {
                parts.extend(begun.take().map(|begun| part(&text[begun..start])));
                parts.push(whole);
            }
        }
    }
    parts.extend(begun.map(|begun| part(&text[begun..end])));
    let of_logs = parts.iter().any(|part| matches!(part, Part::OfLogs(_)));
    let of_trail = parts.iter().any(|part| matches!(part, Part::OfTrail(_)));
    let list = |parts: Vec<Part<'_>>| parts.into_iter().map(Part::json).collect::<Vec<_>>().join(&b",\n"[..]);
    match (of_logs, of_trail) {
        (true, false) => Some([&b"{\"events\":["[..], &list(parts), b"]}"].concat()),
        (false, true) => Some([&b"["[..], &list(parts), b"]"].concat()),
        (true, true) | (false, false) => None,
    }
}

/// What stands between the beginnings of two events.
enum Part<'t> {
    OfLogs(Value),
    OfTrail(&'t [u8]),
    Other(&'t [u8]),
}

impl Part<'_> {
    /// What is no event becomes a text, which is rejected where an event should stand.
    fn json(self) -> Vec<u8> {
        match self {
            Part::OfLogs(event) => event.to_string().into_bytes(),
            Part::OfTrail(record) => record.to_vec(),
            Part::Other(text) => Value::from(String::from_utf8_lossy(text)).to_string().into_bytes(),
        }
    }
}

fn part(text: &[u8]) -> Part<'_> {
    let text = text.trim_ascii_end();
    let Some(fields) = text.strip_prefix(EVENT) else { return Part::Other(text) };
    // its resources stand in lines of their own
    let line = fields.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let record = || line.split(|byte| *byte == b'\t').find(|cell| cell.starts_with(b"{"));
    match (log_event(fields), record()) {
        (Some(event), _) => Part::OfLogs(event),
        (None, Some(record)) => Part::OfTrail(record.trim_ascii_end()),
        (None, None) => Part::Other(text),
    }
}

/// An event of CloudWatch Logs: id where it was searched for, time at which it came, stream where it was searched for, message, time.
fn log_event(line: &[u8]) -> Option<Value> {
    const DIGITS_OF_ID: usize = 50;
    let mut rest = line;
    let mut cell = || {
        let length = memchr::memchr(b'\t', rest)?;
        let (cell, behind) = rest.split_at(length);
        rest = &behind[1..];
        str::from_utf8(cell).ok()
    };
    let first = cell()?;
    let is_searched = first.len() >= DIGITS_OF_ID && first.bytes().all(|byte| byte.is_ascii_digit());
    let came: i64 = if is_searched { cell()? } else { first }.parse().ok()?;
    let stream = if is_searched { Some(cell()?) } else { None };
    let time = memchr::memrchr(b'\t', rest)?;
    let (message, time) = (String::from_utf8_lossy(&rest[..time]), str::from_utf8(&rest[time + 1..]).ok()?);
    let time: i64 = time.parse().ok()?;
    let mut event = serde_json::json!({ "timestamp": time, "message": message, "ingestionTime": came });
    if let Some(stream) = stream {
        event["logStreamName"] = stream.into();
    }
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert!(may_be(text.as_bytes()), "{text}");
        let json = as_json(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(String::from_utf8_lossy(&json), expected);
    }

    #[test]
    fn yaml_is_the_json_of_it() {
        check(
            "Events:\n- CloudTrailEvent: '{\"eventName\":\"a''b\"}'\n  EventTime: '2024-08-01T10:00:00+00:00'\n",
            r#"{"Events":[{"CloudTrailEvent":"{\"eventName\":\"a'b\"}","EventTime":"2024-08-01T10:00:00+00:00"}]}"#,
        );
        check("- Id: jr_1\n  Attempt: 0\n", r#"[{"Id":"jr_1","Attempt":0}]"#);
        check("JobRuns: []\r\n", r#"{"JobRuns":[]}"#);
        check("- A: {}\n  B: '[{\"a\":[1]}]'\n  C: a [b] {c\n", r#"[{"A":{},"B":"[{\"a\":[1]}]","C":"a [b] {c"}]"#);
    }

    #[test]
    fn more_items_than_are_read_make_none() {
        assert!(as_json("- a: 1\n".repeat(50_000).as_bytes()).is_some());
        let many = "- a: 1\n".repeat(50_001);
        assert_eq!(as_json(many.as_bytes()), None);
        let why = |text: &str, length: usize| too_large(text.as_bytes(), length).unwrap_or_default();
        assert!(why(&many, many.len()).contains("100000"));
        assert!(why("EVENTS\tx", LENGTH_MAX).contains("16 MiB"));
        assert_eq!((why("EVENTS\tx", LENGTH_MAX - 1), why(&many[7..], many.len() - 7)), ("", ""));
    }

    #[test]
    fn brackets_in_each_other_cost_no_more_than_others() {
        assert_eq!(
            as_json(format!("- a: {}\n", "[".repeat(1 << 20)).as_bytes()),
            Some(format!(r#"[{{"a":"{}"}}]"#, "[".repeat(1 << 20)).into_bytes())
        );
        check("- a: '\u{e000}[e001'\n  b: \"\\uE002{\"\n", "[{\"a\":\"\u{e000}[e001\",\"b\":\"\u{e002}{\"}]");
    }

    #[test]
    fn lines_of_text_are_events() {
        let id = "3".repeat(56);
        check(
            &format!("EVENTS\t{id}\t9\ts-1\ta\tb\nc\t7\nEVENTS\t{id}\t9\ts-2\td\t8\nSEARCHEDLOGSTREAMS\ts-1\tTrue\n"),
            "{\"events\":[{\"timestamp\":7,\"message\":\"a\\tb\\nc\",\"ingestionTime\":9,\"logStreamName\":\"s-1\"},\n{\"timestamp\":8,\"message\":\"d\",\"ingestionTime\":9,\"logStreamName\":\"s-2\"}]}",
        );
        check("b/3/s\tf/3/s\nEVENTS\t9\ta\t7\n", r#"{"events":[{"timestamp":7,"message":"a","ingestionTime":9}]}"#);
        check("EVENTS\tAKIA\t{\"a\":1}\tid\nRESOURCES\tn\tt\nEVENTS\t{\"a\":2}\tid\n", "[{\"a\":1},\n{\"a\":2}]");
    }

    #[test]
    fn no_event_of_a_text_is_left_out() {
        let event = |message: &str, time: u8| format!("EVENTS\t9\t{message}\t{time}\n");
        let json =
            |message: &str, time: u8| format!("{{\"timestamp\":{time},\"message\":\"{message}\",\"ingestionTime\":9}}");
        let tokens = "b/3/s\tf/3/s\n";
        let broken = event("a\nEVENTS\tx\nEVENTS\ty", 7);
        let joined = json("a\\nEVENTS\\tx\\nEVENTS\\ty", 7);
        check(&format!("{tokens}{broken}{}", event("b", 8)), &format!("{{\"events\":[{joined},\n{}]}}", json("b", 8)));
        check(&format!("{tokens}{}{broken}", event("b", 8)), &format!("{{\"events\":[{},\n{joined}]}}", json("b", 8)));
        // one that cannot be told
        let ended = event("a\nSEARCHEDLOGSTREAMS\tx", 7);
        check(
            &format!("{tokens}{}{ended}", event("b", 8)),
            &format!("{{\"events\":[{},\n\"EVENTS\\t9\\ta\"]}}", json("b", 8)),
        );
        check(
            "EVENTS\tAKIA\tx\nRESOURCES\t{}\tt\nEVENTS\t{\"a\":2}\tid\nRESOURCES\t{\"a\":3}\tt\n",
            "[\"EVENTS\\tAKIA\\tx\\nRESOURCES\\t{}\\tt\",\n{\"a\":2}]",
        );
    }

    #[test]
    fn other_texts_are_none() {
        for text in ["Event: x\n", "- a b\n", "-- conf: x\n", "EVENT\tx\n", "2 1 eni-1\n"] {
            assert!(!may_be(text.as_bytes()), "{text}");
        }
        for text in ["Events: [\n", "- a: 1\n- b\n", "EVENTS\tx\ty\n", "Events:\nx\n"] {
            assert_eq!(as_json(text.as_bytes()), None, "{text}");
        }
    }
}
