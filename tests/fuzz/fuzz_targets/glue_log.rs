//! Any text as a Glue log: every line that is not blank is in a row, in order, and none is there twice.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_fuzz::decode::{Input, Options};
use weir_fuzz::logs::glue_log::GLUE_LOG;
use weir_fuzz::read;

const FIRST: &str = "24/05/01 12:00:01 INFO First: here it begins";

fuzz_target!(|data: &[u8]| {
    let object = [FIRST.as_bytes(), b"\n", data].concat();
    let options = Options { table: Some(&GLUE_LOG), ..Options::default() };
    let read = read(Input::Bytes(object.clone().into()), &options);
    assert_eq!(read.rejects.len(), 0);
    let messages = read.column("glue_log", "message");
    assert!(messages[0].as_deref().is_some_and(|message| message.starts_with("here it begins")), "{messages:?}");
    // messages are stretches of the text, in its order, with nothing but prefixes and blanks between
    let text = if std::str::from_utf8(&object).is_ok() { object } else { return };
    let text = String::from_utf8(text).expect("just asked");
    let mut at = 0;
    for message in messages.iter().flatten() {
        let found = text[at..].find(message.as_str()).expect("a message stands behind the one before it");
        at += found + message.len();
    }
    // a short message may be found before its own place, so the end is looked at for itself
    let last = messages.last().expect("there is a first row").as_deref().unwrap_or_default();
    assert!(text.trim_end().ends_with(last.trim_end()), "{text:?}: {messages:?}");
});
