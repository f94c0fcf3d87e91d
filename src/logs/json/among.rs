//! Lines of a Glue log → the records in JSON that stand among them, each a line of its own.

use std::mem;
use std::ops::Range;
use std::sync::Arc;

use super::Parser;
use super::insights::holds_record;
use crate::decode::{Json, Lines, Text};
use crate::logs::glue_log;
use crate::table::Origin;

impl Parser<'_> {
    /// Reads the lines that are CloudTrail's events, as where files were put one behind the other, and makes them blank: of a log
    /// they would be a part of the entry before them.
    pub fn read_among(&mut self, lines: &mut Lines, origin: &Arc<Origin>, offset: u64) {
        let events = events(lines.text.as_slice());
        if events.is_empty() {
            return;
        }
        let length = lines.text.len();
        let mut bytes = mem::replace(&mut lines.text, Text::new(Vec::new())).into_padded();
        for event in events {
            let start = event.start as u64;
            let line = &mut bytes[event];
            self.read(Json::alone(Text::new(line.to_vec())), origin, offset + start, None);
            line.fill(b' ');
        }
        bytes.truncate(length);
        lines.text = Text::new(bytes);
    }
}

/// Where the lines stand that have events.
fn events(text: &[u8]) -> Vec<Range<usize>> {
    const MARK: &[u8] = b"\"eventSource\"";
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(mark) = memchr::memmem::find(&text[at..], MARK).map(|mark| at + mark) {
        let start = memchr::memrchr(b'\n', &text[at..mark]).map_or(at, |end| at + end + 1);
        let end = memchr::memchr(b'\n', &text[mark..]).map_or(text.len(), |length| mark + length);
        let line = &text[start..end];
        if line.starts_with(b"{") && !glue_log::begins_in_json(line) && holds_record(line) {
            found.push(start..end);
        }
        at = end;
    }
    found
}
