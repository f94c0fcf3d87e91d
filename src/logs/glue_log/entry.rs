//! One log entry: does a line begin it, and what does its prefix say? The patterns are those of Spark's log4j, Glue's
//! launcher and continuous logging, and Python's `logging`.

use crate::time::Timestamp;

/// What stands in front of an entry's message.
#[derive(Debug, Default, PartialEq)]
pub struct Prefix<'a> {
    /// Microseconds since the epoch; times without a zone are UTC.
    pub time: Option<i64>,
    pub level: Option<&'static str>,
    pub thread: Option<&'a str>,
    pub logger: Option<&'a str>,
    /// Log stream, where an export puts it in front.
    pub stream: Option<&'a str>,
    /// Where the message begins in the line.
    pub message: usize,
}

const LEVELS: [&str; 9] = ["TRACE", "DEBUG", "INFO", "WARNING", "WARN", "ERROR", "CRITICAL", "FATAL", "NOTICE"];

/// The level that a text begins with, in log4j's words, and how long it is written.
pub fn level(text: &str) -> Option<(&'static str, usize)> {
    let found = LEVELS.into_iter().find(|level| {
        text.strip_prefix(level)
            .is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_'))
    })?;
    let name = match found {
        "WARNING" => "WARN",
        "CRITICAL" => "FATAL",
        "NOTICE" => "INFO",
        other => other,
    };
    Some((name, found.len()))
}

/// The time a line begins with, and how long it is: `24/05/01 12:00:01`, `2024/05/01 12:00:01`, `2024-05-01 12:00:01,123`,
/// `2024-05-01T12:00:01.123Z`.
pub fn time(line: &str) -> Option<(i64, usize)> {
    let bytes = line.as_bytes();
    let digits = |places: &[usize]| places.iter().all(|&place| bytes.get(place).is_some_and(u8::is_ascii_digit));
    let clock = |at: usize| {
        digits(&[at, at + 1, at + 3, at + 4, at + 6, at + 7]) && bytes[at + 2] == b':' && bytes[at + 5] == b':'
    };
    let (day, mut end) = if digits(&[0, 1, 3, 4, 6, 7]) && bytes[2] == b'/' && bytes[5] == b'/' && clock(9) {
        (format!("20{}-{}-{}", &line[..2], &line[3..5], &line[6..8]), 17)
    } else if digits(&[0, 1, 2, 3, 5, 6, 8, 9])
        && matches!((bytes[4], bytes[7]), (b'-', b'-') | (b'/', b'/'))
        && matches!(bytes.get(10), Some(b' ' | b'T'))
        && clock(11)
    {
        (line[..10].replace('/', "-"), 19)
    } else {
        return None;
    };
    let clock = &line[end - 8..end];
    let mut fraction = String::new();
    if matches!(bytes.get(end), Some(b'.' | b','))
        && let count @ 1..=9 = bytes[end + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count()
    {
        fraction = format!(".{}", &line[end + 1..end + 1 + count]);
        end += 1 + count;
    }
    let mut zone = "Z".to_owned();
    if bytes.get(end) == Some(&b'Z') {
        end += 1;
    } else if matches!(bytes.get(end), Some(b'+' | b'-')) && digits(&[end + 1, end + 2]) {
        let colon = usize::from(bytes.get(end + 3) == Some(&b':'));
        if digits(&[end + 3 + colon, end + 4 + colon]) {
            zone = format!("{}:{}", &line[end..end + 3], &line[end + 3 + colon..end + 5 + colon]);
            end += 5 + colon;
        }
    }
    let time = Timestamp::parse(&format!("{day}T{clock}{fraction}{zone}"))?;
    Some((time.0, end))
}

/// The same, also in brackets, as Python's loggers are often told to write it.
fn own_time(line: &str) -> Option<(i64, usize)> {
    let Some(inside) = line.strip_prefix('[') else { return time(line) };
    let (time, length) = time(inside)?;
    inside[length..].starts_with(']').then_some((time, length + 2))
}

/// Reads the prefix of an entry; `None` when the line begins none.
pub fn prefix(line: &str) -> Option<Prefix<'_>> {
    if is_progress(line) {
        return Some(Prefix::default());
    }
    let Some((first, length)) = own_time(line) else {
        return python_root(line).or_else(|| level_first(line)).or_else(|| crawler(line)).or_else(|| ray(line));
    };
    let skip = |at: usize| at + line[at..].len() - line[at..].trim_start_matches([' ', '-', '|', '\t']).len();
    let mut at = skip(length);
    let mut found = Prefix { time: Some(first), ..Prefix::default() };
    // `aws logs tail` puts the stream behind its time
    if line[at..].starts_with("jr_")
        && let Some(length) = line[at..].find(' ')
    {
        found.stream = Some(&line[at..at + length]);
        at = skip(at + length);
    }
    // an export of CloudWatch puts the log event's time before the entry's own
    if let Some((own, length)) = own_time(&line[at..]) {
        found.time = Some(own);
        at = skip(at + length);
    }
    if is_progress(&line[at..]) {
        return Some(Prefix { message: at, ..found });
    }
    // what stands before the level is a thread (in brackets or bare) or, in Python's order, the logger
    let mut before = None;
    if let Some(rest) = line[at..].strip_prefix('[')
        && level(rest).is_some_and(|(_, length)| rest[length..].starts_with(']'))
    {
        at += 1;
    }
    let (name, length) = match level(&line[at..]) {
        Some(level) => level,
        None => {
            let most = line[at..].char_indices().map(|(place, _)| at + place).nth(160).unwrap_or(line.len());
            let window = &line[at..most];
            let (place, level) = window.match_indices(' ').find_map(|(place, _)| {
                level(window[place + 1..].trim_start_matches('[')).map(|level| (place, level))
            })?;
            before = Some(line[at..at + place].trim_matches([' ', '-', '|', '[', ']']));
            at += place + 1 + usize::from(window[place + 1..].starts_with('['));
            level
        }
    };
    found.level = Some(name);
    at += length;
    at += usize::from(line[at..].starts_with(']'));
    let python = line[at..].starts_with(" - ") || line[at..].starts_with(" | ");
    at = skip(at);
    if line[at..].starts_with('[')
        && let Some(close) = line[at..].find(']')
    {
        found.thread = Some(&line[at + 1..at + close]);
        at = skip(at + close + 1);
    }
    // Class: message, or class (File.scala:method(25)): message
    let class = line[at..].find([' ', ':']).unwrap_or(line.len() - at);
    let word = &line[at..at + class];
    let is_class = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._$-".contains(&byte));
    if is_class && !(python && before.is_some()) {
        let rest = &line[at + class..];
        if let Some(message) = rest.strip_prefix(':') {
            found.logger = Some(word);
            at = line.len() - behind_line_number(word, message).len();
        } else if let Some(message) = behind_place(rest) {
            found.logger = Some(word);
            at = line.len() - message.len();
        } else if let Some(message) = rest.strip_prefix(" - ")
            && word.contains('.')
        {
            // log4j's and logback's usual `%c - %m`; a word without dots may be the message's first
            found.logger = Some(word);
            at = line.len() - message.trim_start().len();
        }
    }
    match before {
        Some(before) if !before.is_empty() && found.logger.is_none() => found.logger = Some(before),
        Some(before) if !before.is_empty() => found.thread = found.thread.or(Some(before)),
        _ => {}
    }
    found.message = at;
    Some(found)
}

/// The message behind the place in a program that stands behind a class: ` (Logging.scala:logInfo(25)): message`, or with the dash of
/// Hadoop's pattern for the colon. What else stands in brackets is the message's own.
fn behind_place(rest: &str) -> Option<&str> {
    const ENDS: [&str; 5] = [".scala", ".java", ".kt", ".groovy", ".py"];
    let inside = rest.strip_prefix(" (")?;
    let (word, behind) = inside.split_at(inside.find(char::is_whitespace).unwrap_or(inside.len()));
    let (place, message) = match word.strip_suffix(':') {
        Some(place) => (place, behind.strip_prefix(' ').unwrap_or(behind)),
        None => (word, behind.strip_prefix(" - ")?),
    };
    let (file, _) = place.strip_suffix(')')?.split_once(':')?;
    // `?` where a logger was told not to look for places
    (file == "?" || ENDS.iter().any(|end| file.ends_with(end))).then_some(message)
}

/// The message behind a colon; Ray's loggers put the number of a line in a file before it: `worker.py:1342 -- message`.
fn behind_line_number<'a>(file: &str, text: &'a str) -> &'a str {
    let behind = text.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let has_number = file.ends_with(".py") && behind.len() < text.len();
    behind.strip_prefix(" -- ").filter(|_| has_number).unwrap_or(text.trim_start())
}

/// Spark's progress bar.
pub fn is_progress(line: &str) -> bool {
    line.trim_start_matches('\r').starts_with("[Stage ") && line.contains('/')
}

/// Ends the line of a progress bar where an entry follows: Spark wipes the bar out with blanks between carriage returns, and what is
/// logged next stands in the same line.
pub fn end_progress(text: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\r', &text[at..]) {
        let place = at + found;
        at = place + 1;
        let is_wiped = matches!(text[..place].last(), Some(b' ' | b']' | b'\r'));
        if !is_wiped || !text.get(at).is_some_and(u8::is_ascii_alphanumeric) {
            continue;
        }
        let line = &text[at..text.len().min(at + LOOK)];
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if begins(line) || is_traceback(line) {
            text[place] = b'\n';
        }
    }
}

/// Ends the line before a tab that an entry follows: `aws logs filter-log-events --query 'events[].message' --output text` prints entries
/// with tabs between.
pub fn end_at_tabs(text: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\t', &text[at..]) {
        let place = at + found;
        at = place + 1;
        // nearly all tabs are of stack traces
        if !text.get(at).is_some_and(u8::is_ascii_digit) {
            continue;
        }
        let line = &text[at..text.len().min(at + LOOK)];
        let valid = line.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        let has_level = |(_, length): (i64, usize)| level(valid[length..].trim_start_matches([' ', '['])).is_some();
        if time(valid).is_some_and(has_level) && ends_message(&text[..place]) {
            text[place] = b'\n';
        }
    }
}

/// Whether a text may end with a message, which has words, or with a line. What stands in a column before messages has none: the time of
/// a log event, and its stream.
fn ends_message(text: &[u8]) -> bool {
    let line = &text[memchr::memrchr(b'\n', text).map_or(0, |end| end + 1)..];
    let is_time = || std::str::from_utf8(line).is_ok_and(|line| time(line).is_some_and(|(_, end)| end == line.len()));
    line.is_empty() || line.contains(&b' ') && !is_time()
}

/// `ERROR:root:message`
fn python_root(line: &str) -> Option<Prefix<'_>> {
    let (level, length) = level(line)?;
    let (logger, message) = line[length..].strip_prefix(':')?.split_once(':')?;
    let plain = !logger.is_empty() && !logger.contains(' ');
    plain.then(|| Prefix {
        level: Some(level),
        logger: Some(logger),
        message: line.len() - message.len(),
        ..Prefix::default()
    })
}

/// `INFO 2024-05-01 12:00:01,123 message`, with other signs between them or without
fn level_first(line: &str) -> Option<Prefix<'_>> {
    const SIGNS: [char; 7] = [' ', ':', '-', '|', '[', ']', '\t'];
    let (level, length) = level(line)?;
    let rest = line[length..].trim_start_matches(SIGNS);
    let (time, length) = time(rest)?;
    let message = rest[length..].trim_start_matches(SIGNS);
    Some(Prefix { time: Some(time), level: Some(level), message: line.len() - message.len(), ..Prefix::default() })
}

/// `[0a1b2c3d-...] BENCHMARK : message`, as crawlers write, which say in brackets which run it is.
fn crawler(line: &str) -> Option<Prefix<'_>> {
    let (run, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let is_id = run.len() >= 8 && run.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let (word, message) = rest.split_once(" : ").filter(|_| is_id)?;
    let level = match word {
        "BENCHMARK" => "INFO",
        word => level(word).filter(|(_, length)| *length == word.len())?.0,
    };
    Some(Prefix { level: Some(level), thread: Some(run), message: line.len() - message.len(), ..Prefix::default() })
}

/// `[2024-05-01 12:00:01,123 E 12 34] (raylet) file.cc:1: message`, as the processes of Ray write, with the process before it where
/// the driver passes it on: `(raylet, ip=10.0.0.1) [2024...`.
fn ray(line: &str) -> Option<Prefix<'_>> {
    let own = match line.strip_prefix('(') {
        Some(process) => process.split_once(") ")?.1,
        None => line,
    };
    let inside = own.strip_prefix('[')?;
    let (time, length) = time(inside)?;
    let (codes, text) = inside[length..].split_once("] ")?;
    let (letter, ids) = codes.strip_prefix(' ')?.split_once(' ')?;
    let level = match letter {
        "D" => "DEBUG",
        "I" => "INFO",
        "W" => "WARN",
        "E" => "ERROR",
        "C" | "F" => "FATAL",
        _ => return None,
    };
    let (logger, message) = match text.strip_prefix('(').and_then(|text| text.split_once(") ")) {
        Some((logger, message)) => (Some(logger), message),
        None => (None, text),
    };
    ids.starts_with(|digit: char| digit.is_ascii_digit()).then(|| Prefix {
        time: Some(time),
        level: Some(level),
        logger,
        message: line.len() - message.len(),
        ..Prefix::default()
    })
}

/// The prefix of an entry is shorter.
const LOOK: usize = 400;

/// Whether a line begins an entry by its prefix.
pub fn begins(line: &[u8]) -> bool {
    let start = &line[..line.len().min(LOOK)];
    let valid = start.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    prefix(valid.trim_end()).is_some() || without_colours(valid).is_some_and(|plain| prefix(plain.trim_end()).is_some())
}

/// Whether a line begins as an entry in JSON does, behind the time that an export puts before it: an object that has a level and a
/// message.
pub fn begins_in_json(line: &[u8]) -> bool {
    const LEVELS: [&[u8]; 4] = [b"\"level", b"\"log.level\"", b"\"log_level\"", b"\"severity\""];
    const MESSAGES: [&[u8]; 2] = [b"\"message\"", b"\"msg\""];
    if line.first() != Some(&b'{') && line.get(10) != Some(&b'T') {
        return false;
    }
    let start = &line[..line.len().min(LOOK)];
    let valid = start.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let own = &line[time_of_event(valid).map_or(0, |(_, length)| length)..];
    let Some(inside) = own.strip_prefix(b"{").filter(|inside| inside.trim_ascii_start().starts_with(b"\"")) else {
        return false;
    };
    // the level may stand behind a message of any length
    let inside = &inside[..memchr::memchr(b'\n', inside).unwrap_or(inside.len())];
    let has = |names: &[&[u8]]| names.iter().any(|name| memchr::memmem::find(inside, name).is_some());
    has(&LEVELS) && has(&MESSAGES)
}

/// The entries that stand in one log event, as what a job prints at once may have several: each from a line that begins one on.
pub fn apart(text: &[u8], start: usize, end: usize) -> impl Iterator<Item = (usize, usize)> {
    let begins_at = move |line: usize| {
        let line = &text[line..end];
        let line = &line[..memchr::memchr(b'\n', line).unwrap_or(line.len())];
        begins(line) || begins_in_json(line)
    };
    let mut next = Some(start);
    std::iter::from_fn(move || {
        let begin = next?;
        let mut lines = memchr::memchr_iter(b'\n', &text[begin..end]).map(|line_end| begin + line_end + 1);
        next = lines.find(|line| begins_at(*line));
        Some((begin, next.unwrap_or(end)))
    })
}

/// A text without what tells a terminal to change its colours (`ESC [ 32 m`); `None` where it has nothing of the kind.
pub fn without_colours(text: &str) -> Option<String> {
    const ESCAPE: char = '\u{1b}';
    let (first, mut rest) = text.split_once(ESCAPE)?;
    let mut plain = first.to_owned();
    loop {
        let inside = rest
            .strip_prefix('[')
            .map(|codes| codes.trim_start_matches(|code: char| code.is_ascii_digit() || code == ';'));
        match inside.and_then(|behind| behind.strip_prefix(['m', 'K'])) {
            Some(behind) => rest = behind,
            None => plain.push(ESCAPE),
        }
        let Some((text, behind)) = rest.split_once(ESCAPE) else { break };
        plain.push_str(text);
        rest = behind;
    }
    plain.push_str(rest);
    Some(plain)
}

/// Whether a text begins with an exception that nobody caught: a traceback of Python, of one or of a group of them, or a stack trace of
/// Java.
pub fn is_traceback(text: &[u8]) -> bool {
    // a long entry is asked for each line behind it
    let text = &text[..text.len().min(LOOK)];
    text.starts_with(b"Traceback (most recent call last):")
        || text.starts_with(b"Exception in thread \"")
        || text.trim_ascii_start().starts_with(b"+ Exception Group Traceback (most recent call last):")
}

/// Whether a line names a place in a program, as tracebacks do; those of groups have bars before it.
pub fn is_frame(line: &[u8]) -> bool {
    if line.starts_with(b"\tat ") {
        return true;
    }
    let place = line.iter().position(|byte| !matches!(byte, b' ' | b'|')).unwrap_or(0);
    place >= 2 && line[place..].starts_with(b"File \"")
}

/// Whether a traceback is that of an exception that came of the one before it, with whose end it is told.
pub fn is_chained(before: &[u8], line: &[u8]) -> bool {
    const JOINTS: [&[u8]; 2] = [
        b"During handling of the above exception, another exception occurred:",
        b"The above exception was the direct cause of the following exception:",
    ];
    let last = || before.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    is_traceback(line) && JOINTS.contains(&last())
}

/// Whether a text neither has the prefix of an entry nor belongs to a stack trace.
pub fn is_plain(text: &[u8]) -> bool {
    // a table that was printed begins with blanks too
    let inside = text.trim_ascii_start();
    let of_a_trace = text.first() == Some(&b'\t')
        || text.starts_with(b"Caused by:")
        || inside.len() < text.len() && (inside.starts_with(b"at ") || inside.starts_with(b"... "))
        || is_frame(text);
    !of_a_trace && !is_traceback(text) && !begins(text) && !begins_in_json(text)
}

/// The time of a log event that an export or `aws logs tail` puts before its line, with its zone, and how long it is, with the
/// stream behind it where that is printed.
pub fn time_of_event(line: &str) -> Option<(i64, usize)> {
    if line.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    let (time, length) = time(line)?;
    if !line[19..length].contains(['Z', '+', '-']) {
        return None;
    }
    let Some(rest) = line[length..].strip_prefix(' ') else {
        return line[length..].is_empty().then_some((time, length));
    };
    let stream = match rest.starts_with("jr_") {
        true => rest.find(' ').map_or(rest.len(), |space| space + 1),
        false => 0,
    };
    Some((time, length + 1 + stream))
}

/// What stands in front of a line that a job printed: nothing but what an export put there.
pub fn printed(line: &str) -> Prefix<'_> {
    let message = time_of_event(line).map_or(0, |(_, length)| length);
    let stream = line[..message].split(' ').nth(1).filter(|stream| !stream.is_empty());
    Prefix { message, stream, ..Prefix::default() }
}

/// The message of an entry of which each line has the time of its log event before it, without these times; `None` where only
/// the first line has one, or none has. `message` is where it begins.
pub fn without_times(text: &str, message: usize) -> Option<String> {
    time_of_event(text.lines().next()?)?;
    let mut lines = text[message..].lines();
    let mut found = lines.next()?.to_owned();
    let mut is_other = false;
    for line in lines {
        let length = time_of_event(line).map(|(_, length)| length);
        is_other |= length.is_some();
        found.push('\n');
        found.push_str(&line[length.unwrap_or(0)..]);
    }
    is_other.then_some(found)
}

/// The level of an entry.
fn level_of(entry: &[u8]) -> Option<&'static str> {
    let start = &entry[..entry.len().min(LOOK)];
    let valid = start.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    prefix(valid.lines().next().unwrap_or_default()).and_then(|prefix| prefix.level)
}

/// Whether an entry has a level at which no exception is told.
fn is_quiet(entry: &[u8]) -> bool {
    matches!(level_of(entry), Some("TRACE" | "DEBUG" | "INFO"))
}

/// Whether an entry has a level at which exceptions are told.
pub fn is_of_failure(entry: &[u8]) -> bool {
    matches!(level_of(entry), Some("WARN" | "ERROR" | "FATAL"))
}

/// Whether `line` belongs to the entry that `before` is so far.
pub fn continues(before: &[u8], line: &[u8]) -> bool {
    if begins(line) || begins_in_json(line) {
        return false;
    }
    // a traceback belongs to an entry that announced it, and stands alone behind a finished one, a progress bar and what tells of no failure
    !(is_traceback(line) && (is_traceback(before) || before.starts_with(b"[Stage ") || is_quiet(before)))
}

/// The first exception that an entry names: a word that ends in `Exception`, `Error` or `Throwable`, and stands at the
/// beginning of a line or before a colon.
pub fn exception(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let mut at = 0;
        for word in line.split([' ', '\t', '(', ')', '[', ']', '"', '\'', ',']) {
            let name = word.trim_end_matches([':', '.', ';']).split(':').next().unwrap_or_default();
            let behind = line[at + name.len()..].chars().next();
            let named =
                ["Exception", "Error", "Throwable"].iter().any(|end| name.len() > end.len() && name.ends_with(end));
            let class = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._$".contains(&byte))
                && name
                    .rsplit('.')
                    .next()
                    .is_some_and(|last| last.starts_with(|first: char| first.is_ascii_uppercase()));
            // asked of the last word only: the blanks before it may be many
            let is_line = || behind.is_none() && line[..at].trim_start().is_empty();
            if named && class && (behind == Some(':') || name.contains('.') || is_line()) {
                return Some(name);
            }
            at += word.len() + 1;
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, level: &str, thread: Option<&str>, logger: Option<&str>, message: &str) {
        let found = prefix(line).unwrap_or_else(|| panic!("{line} begins an entry"));
        assert_eq!(
            (found.level, found.thread, found.logger, &line[found.message..]),
            (Some(level), thread, logger, message),
            "{line}"
        );
    }

    #[test]
    fn the_patterns_that_occur() {
        check(
            "24/05/01 12:00:01 INFO TaskSetManager: Finished task 3.0",
            "INFO",
            None,
            Some("TaskSetManager"),
            "Finished task 3.0",
        );
        check(
            "23/11/07 10:59:24.335 main INFO DriverLogger: Added: x",
            "INFO",
            Some("main"),
            Some("DriverLogger"),
            "Added: x",
        );
        check(
            "23/11/07 10:59:24.335 Executor task launch worker for task 0.0 WARN Executor: x",
            "WARN",
            Some("Executor task launch worker for task 0.0"),
            Some("Executor"),
            "x",
        );
        check(
            "2024-05-01 12:00:01,123 INFO [main] glue.ProcessLauncher (Logging.scala:logInfo(25)): postprocessing",
            "INFO",
            Some("main"),
            Some("glue.ProcessLauncher"),
            "postprocessing",
        );
        check(
            "2024-05-01 12:00:01,123 INFO  [main] util.X (X.java:run(12)) - from Hadoop",
            "INFO",
            Some("main"),
            Some("util.X"),
            "from Hadoop",
        );
        for message in
            ["Loaded (3 tables) of the source (s3): done", "Partition (day=1): 5 rows are missing", "Sent (a.b:1): x"]
        {
            check(&format!("2024-05-01 12:00:01,123 INFO {message}"), "INFO", None, None, message);
        }
        check("2024-05-01 12:00:01,123 [main] INFO  a.b.C - started", "INFO", Some("main"), Some("a.b.C"), "started");
        check("2024-05-01 12:00:01.123Z ERROR [x-1] a.b - msg", "ERROR", Some("x-1"), Some("a.b"), "msg");
        check("2024-05-01 12:00:01 INFO Stopping - now", "INFO", None, None, "Stopping - now");
        check("2024-05-01T12:00:01.5Z ERROR a.b.C: boom", "ERROR", None, Some("a.b.C"), "boom");
        check(
            "2024-05-01 12:00:01,123 - my_job - ERROR - it broke: badly",
            "ERROR",
            None,
            Some("my_job"),
            "it broke: badly",
        );
        check("2024-05-01 12:00:01 [WARNING] careful now", "WARN", None, None, "careful now");
        check("[2024-05-01 12:00:01,123] INFO start", "INFO", None, None, "start");
        check("[2024-05-01 12:00:01,123] {job.py:12} ERROR - boom", "ERROR", None, Some("{job.py:12}"), "boom");
        check("INFO 2024-05-01 12:00:01,123 job start", "INFO", None, None, "job start");
        check("ERROR:2024-05-01 12:00:01,123:boom", "ERROR", None, None, "boom");
        check("INFO:root:hello", "INFO", None, Some("root"), "hello");
        check("[0a1b2c3d-1c1c] BENCHMARK : Running", "INFO", Some("0a1b2c3d-1c1c"), None, "Running");
        check("[0a1b2c3d-1c1c] ERROR : no", "ERROR", Some("0a1b2c3d-1c1c"), None, "no");
        check("2024-05-01 12:00:01,123\tINFO worker.py:15 -- up", "INFO", None, Some("worker.py"), "up");
        check("2024-05-01 12:00:01,123 INFO worker.py: 15 -- up", "INFO", None, Some("worker.py"), "15 -- up");
        check("2024-05-01 12:00:01,123 INFO Tasks: 15 -- up", "INFO", None, Some("Tasks"), "15 -- up");
        let ray = "[2024-05-01 12:00:01,123 E 12 34] (raylet) main.cc:1: bad";
        check(ray, "ERROR", None, Some("raylet"), "main.cc:1: bad");
        check(&format!("(raylet, ip=10.0.0.1) {ray}"), "ERROR", None, Some("raylet"), "main.cc:1: bad");
        check("[2024-05-01 12:00:01,123 W 12 34] up", "WARN", None, None, "up");
    }

    #[test]
    fn an_export_has_a_time_before_each_line() {
        check("2024-05-01T12:00:02.118Z 24/05/01 12:00:01 INFO A: x", "INFO", None, Some("A"), "x");
        let found = prefix("2024-05-01T12:00:02.118Z 24/05/01 12:00:01 INFO A: x").unwrap();
        assert_eq!(found.time.map(Timestamp).unwrap().to_string(), "2024-05-01T12:00:01Z");
        check("2024-05-01T12:00:02.118Z [2024-05-01 12:00:01,123] INFO start", "INFO", None, None, "start");
        let line = "2024-05-01T12:00:02.118000+00:00 jr_0a-driver 24/05/01 12:00:01 WARN A: x";
        check(line, "WARN", None, Some("A"), "x");
        assert_eq!(prefix(line).unwrap().stream, Some("jr_0a-driver"));
        let line = "2024-05-01T12:00:02Z [Stage 3:>   (0 + 4) / 10]";
        let bar = prefix(line).unwrap();
        assert_eq!((bar.level, &line[bar.message..]), (None, "[Stage 3:>   (0 + 4) / 10]"));
        assert!(bar.time.is_some());
        check(
            "2024-05-01 12:00:01,123 INFO  [dispatcher-event-loop-1] scheduler.TaskSetManager (Logging.scala:logInfo(57)): Starting",
            "INFO",
            Some("dispatcher-event-loop-1"),
            Some("scheduler.TaskSetManager"),
            "Starting",
        );
    }

    #[test]
    fn colours_of_a_terminal_are_no_part_of_a_text() {
        let line = "\u{1b}[1;32m24/05/01 12:00:01 INFO A: x\u{1b}[0m";
        assert!(begins(line.as_bytes()));
        assert_eq!(without_colours(line).as_deref(), Some("24/05/01 12:00:01 INFO A: x"));
        assert_eq!(without_colours("a\u{1b}b\u{1b}[Kc").as_deref(), Some("a\u{1b}bc"));
        assert_eq!(without_colours("24/05/01"), None);
    }

    #[test]
    fn other_lines_begin_nothing() {
        for line in [
            "\tat a.B.c(B.java:1)",
            "Caused by: x",
            "  File \"x\", line 1",
            "INFO is a word",
            "INFO: 2024 was a year",
            "[2024-05-01 12:00:01 INFO x",
            "[2024-05-01 12:00:01] hello",
            "[2024-05-01 12:00:01 E of] hello",
            "(raylet, ip=10.0.0.1) hello",
            "2024-05-01 12:00:01 hello",
            "24/05/01",
            "",
            "ERROR: no logger",
        ] {
            assert_eq!(prefix(line), None, "{line}");
        }
        assert!(begins(b"[Stage 2:=====>  (10 + 4) / 20]"));
    }

    #[test]
    fn zones_and_fractions_are_read() {
        let at = |line| prefix(line).unwrap().time.map(Timestamp).unwrap().to_string();
        assert_eq!(at("2024-05-01T12:00:01.25+02:00 INFO A: x"), "2024-05-01T10:00:01.250Z");
        assert_eq!(at("2024-05-01 12:00:01,007 INFO A: x"), "2024-05-01T12:00:01.007Z");
        assert_eq!(at("[2024-05-01 12:00:01,007] INFO x"), "2024-05-01T12:00:01.007Z");
        assert_eq!(at("WARNING - 2024-05-01 12:00:01,007 - x"), "2024-05-01T12:00:01.007Z");
        assert_eq!(at("24/02/29 23:59:59 INFO A: x"), "2024-02-29T23:59:59Z");
        assert_eq!(at("2024/02/29 23:59:59 INFO A: x"), "2024-02-29T23:59:59Z");
        assert_eq!(prefix("2024/02-29 23:59:59 INFO A: x"), None);
        assert_eq!(prefix("24/13/45 99:99:99 INFO A: x"), None);
    }

    #[test]
    fn the_first_exception_is_named() {
        assert_eq!(
            exception("x\njava.lang.OutOfMemoryError: heap\nCaused by: java.io.IOException"),
            Some("java.lang.OutOfMemoryError")
        );
        assert_eq!(
            exception("An error occurred while calling o122.pyWriteDynamicFrame.\npy4j.protocol.Py4JJavaError: y"),
            Some("py4j.protocol.Py4JJavaError")
        );
        assert_eq!(exception("AnalysisException: no table"), Some("AnalysisException"));
        assert_eq!(exception("there was an Error in it"), None);
        assert_eq!(exception("KeyboardInterruptError"), Some("KeyboardInterruptError"));
        assert_eq!(exception("x\n \tKeyError"), Some("KeyError"));
        assert_eq!(exception("x KeyError"), None);
    }

    #[test]
    fn blanks_in_a_line_cost_no_more_than_words() {
        let blanks = " ".repeat(1 << 18);
        assert_eq!(exception(&format!("x{blanks}java.io.IOException: y")), Some("java.io.IOException"));
        assert_eq!(exception(&format!("x{blanks}KeyError")), None);
        assert_eq!(exception(&format!("{blanks}KeyError")), Some("KeyError"));
    }
}
