//! Any text as a Glue log: every line that is not blank is in a row, in order, and none is there twice.

use weir::decode::{Input, Options};
use weir::logs::glue_log::GLUE_LOG;

use super::read;

const FIRST: &str = "24/05/01 12:00:01 INFO First: here it begins";

pub fn run(data: &[u8]) {
    let object = [FIRST.as_bytes(), b"\n", data].concat();
    let options = Options { table: Some(&GLUE_LOG), ..Options::default() };
    let read = read(Input::Bytes(object.clone().into()), &options);
    assert_eq!(read.rejects.len(), 0);
    let messages = read.column("glue_log", "message");
    assert!(messages[0].as_deref().is_some_and(|message| message.starts_with("here it begins")), "{messages:?}");
    // colours of a terminal are left out
    if object.contains(&0x1b) {
        return;
    }
    // lines of messages are stretches of the text, in its order, with nothing but prefixes, times and blanks between
    let text = if std::str::from_utf8(&object).is_ok() { object } else { return };
    let text = String::from_utf8(text).expect("just asked");
    let mut at = 0;
    for line in messages.iter().flatten().flat_map(|message| message.lines()) {
        let found = text[at..].find(line).expect("a line of a message stands behind the one before it");
        at += found + line.len();
    }
    // a short line may be found before its own place, so the end is looked at for itself
    let last = messages.last().expect("there is a first row").as_deref().unwrap_or_default();
    let last = last.lines().next_back().unwrap_or_default();
    // behind it there may be times of log events that say nothing
    let is_of_time = |next: char| next.is_ascii_digit() || next.is_ascii_whitespace() || "-:.,/+TZ".contains(next);
    let ends = |text: &str| text.trim_end().ends_with(last.trim_end());
    assert!(ends(&text) || ends(text.trim_end_matches(is_of_time)), "{text:?}: {messages:?}");
}
