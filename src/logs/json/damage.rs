//! Text with damage → where reading can go on behind it.

use super::{cloudwatch, plan, walk};
use crate::logs::cloudtrail::CLOUDTRAIL;
use crate::logs::glue_job_run::GLUE_JOB_RUN;

/// Where reading can go on after damage, at `from` or later: at an object that begins a line, or one whose first
/// key is a first-level key of some table or envelope. Outside damage no string can hold such bytes, because a
/// quote inside a string has a backslash before it.
pub fn resume(bytes: &[u8], from: usize) -> Option<usize> {
    resume_at(bytes, from, |_, _| false)
}

/// The same behind what is damaged at `here`, where also an object is one to go on at that begins as it did: with the same key, or a
/// line that is indented as far. So begin the items of one list. What is nested too deeply has such a key at each level. Behind an
/// envelope of CloudWatch Logs, or an answer that is printed, so is one that begins as its log events do. Behind a row of a query it is the
/// next row.
pub(super) fn resume_behind(bytes: &[u8], here: usize, reason: &str) -> Option<usize> {
    if bytes.get(here) == Some(&b'[') {
        return next_row(bytes, here, reason);
    }
    let key = first_key(&bytes[here..]);
    let key_of_event = cloudwatch::key_of_log_events(&bytes[here..]).or_else(|| key_of_items(&bytes[here..]));
    let is_nested = reason == walk::TOO_DEEP;
    // no further back than the blanks, or a text of one line would be searched for each of its records
    let blanks = bytes[..here].iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let before = (here - blanks).checked_sub(1).filter(|at| bytes[*at] == b'\n' && key.is_some());
    let line = before.map(|end| &bytes[end..here]);
    let begins_alike = |at: usize, name: &[u8]| {
        let is_indented_alike = line.is_some_and(|line| bytes[..at].ends_with(line));
        is_indented_alike || !is_nested && key == Some(name) || key_of_event == Some(name)
    };
    resume_at(bytes, here + 1, begins_alike)
}

fn resume_at(bytes: &[u8], from: usize, is_one: impl Fn(usize, &[u8]) -> bool) -> Option<usize> {
    memchr::memchr_iter(b'{', bytes.get(from..)?).map(|at| from + at).find(|&at| {
        let Some(name) = first_key(&bytes[at..]) else { return false };
        let begins_line = at == 0 || bytes[at - 1] == b'\n';
        begins_line || NAMES_OF_ENVELOPES.contains(&name) || begins_record(name) || is_one(at, name)
    })
}

/// Where the next row begins of those of a query, behind the one at `here`, or an object that begins a line: those in a row are columns.
/// What is nested too deeply has the beginning of a row at each level.
fn next_row(bytes: &[u8], here: usize, reason: &str) -> Option<usize> {
    let key = first_key_of_row(&bytes[here..]);
    let is_row = |at: usize| {
        let name = first_key_of_row(&bytes[at..]);
        name.is_some_and(|name| key == Some(name) || name == b"field" || begins_record(name))
    };
    let from = here + 1;
    let mut marks = memchr::memchr2_iter(b'[', b'\n', &bytes[from..]).map(|at| from + at);
    marks.find_map(|at| match bytes[at] {
        b'[' => (reason != walk::TOO_DEEP && is_row(at)).then_some(at),
        _ => (bytes.get(at + 1) == Some(&b'{')).then_some(at + 1),
    })
}

/// The first key of the first object of a list, if one begins here.
pub(super) fn first_key_of_row(row: &[u8]) -> Option<&[u8]> {
    first_key(row.strip_prefix(b"[")?.trim_ascii_start())
}

/// Whether an object begins as a record or an envelope does, and no log event: these may have their `eventId` first.
pub(super) fn begins_another(object: &[u8]) -> bool {
    first_key(object).is_some_and(|name| {
        !name.eq_ignore_ascii_case(b"eventid") && (NAMES_OF_ENVELOPES.contains(&name) || begins_record(name))
    })
}

/// The first key of an object, if one begins here.
pub(super) fn first_key(object: &[u8]) -> Option<&[u8]> {
    let rest = object.strip_prefix(b"{")?.trim_ascii_start().strip_prefix(b"\"")?;
    let length = rest.iter().take(64).position(|&byte| byte == b'"')?;
    rest[length + 1..].trim_ascii_start().starts_with(b":").then_some(&rest[..length])
}

/// The first key of the items of the list that an object begins with, as `aws logs get-log-events` and `aws sqs receive-message` print
/// theirs; Sumo Logic tells the fields of its messages before them. Of others, as the resources of a record are, none is read alone.
fn key_of_items(object: &[u8]) -> Option<&[u8]> {
    const LISTS: [&[u8]; 2] = [b"\"events\"", b"\"Messages\""];
    const OF_SUMO: &[u8] = b"\"messages\"";
    const FIELDS_MAX: usize = 16 << 10;
    let inside = object.strip_prefix(b"{")?.trim_ascii_start();
    let list = match LISTS.iter().find_map(|name| inside.strip_prefix(*name)) {
        Some(list) => list,
        None if inside.starts_with(b"\"fields\"") => {
            let at = memchr::memmem::find(&inside[..inside.len().min(FIELDS_MAX)], OF_SUMO)?;
            &inside[at + OF_SUMO.len()..]
        }
        None => return None,
    };
    let items = list.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"[")?;
    first_key(items.trim_ascii_start())
}

const NAMES_OF_ENVELOPES: &[&[u8]] = &[
    b"Records",
    b"version",
    b"detail-type",
    b"messageType",
    b"JobRuns",
    b"JobRun",
    b"EventId",
    b"awsAccountId",
    b"Findings",
    b"schemaVersion",
    b"SchemaVersion",
    b"AccountId",
];

fn begins_record(name: &[u8]) -> bool {
    // many a call's answer begins with the id of its request, and no record does
    if name.eq_ignore_ascii_case(b"requestid") {
        return false;
    }
    // `version` and such words of flow records are keys of many things; there lines are the mark
    let has = |table, is_it: &dyn Fn(&[u8]) -> bool| plan(table).nodes[0].keys.iter().any(|key| is_it(&key.name));
    // Athena and others write the columns of CloudTrail in lower case; `id` is no mark
    has(&CLOUDTRAIL, &|key| key.eq_ignore_ascii_case(name)) || has(&GLUE_JOB_RUN, &|key| key == name)
}
