//! The object around records (`Records`, `Events`, `JobRuns`, `results`) → its list, whose records are read one by one.

use super::cloudwatch::are_of_a_job;
use super::walk::{Cursor, Stop};
use crate::decode::Options;
use crate::decode::cut::is_rows;

/// Whether the object may begin with `Records` or `Events`, by a look at the first letter of its first key.
#[inline]
pub fn may_be_wrapper(bytes: &[u8], object: usize) -> bool {
    !matches!(bytes.get(object + 1..object + 3), Some([b'"', letter]) if !matches!(letter, b'R' | b'r' | b'E'))
}

/// Steps into the list of records that the member at the cursor is; an object may have several.
pub fn enter_list(cursor: &mut Cursor<'_>) -> bool {
    let at = cursor.at();
    let mut is_list = || {
        let key = cursor.key_start()?;
        let key = &cursor.bytes()[key..];
        let named = [&b"Records\""[..], b"records\"", b"Events\""].iter().any(|name| key.starts_with(name));
        cursor.go_to_value()?;
        Ok::<bool, Stop>(named && cursor.byte()? == b'[')
    };
    let entered = is_list() == Ok(true);
    cursor.go(if entered { cursor.at() + 1 } else { at });
    entered
}

/// Steps into the `Records` of an object that begins at place `at` and is not whole, when it has them, into its `JobRuns`, or into the
/// `events` that `aws logs filter-log-events` prints of a whole log group; not those of a Glue job, which are read together.
#[cold]
pub fn enter_records(cursor: &mut Cursor<'_>, at: usize, options: &Options) -> bool {
    cursor.go(at);
    let mut enter = || {
        let mut more = cursor.enter()?;
        while more {
            let key = cursor.key_start()?;
            let named = [&b"Records\""[..], b"events\"", b"JobRuns\""]
                .iter()
                .any(|name| cursor.bytes()[key..].starts_with(name));
            cursor.go_to_value()?;
            if named && cursor.byte()? == b'[' {
                let inside = cursor.here()? + 1;
                cursor.go(cursor.at() + 1);
                return Ok::<bool, Stop>(!are_of_a_job(&cursor.bytes()[inside..], options));
            }
            cursor.skip()?;
            more = cursor.more_members()?;
        }
        Ok(false)
    };
    enter() == Ok(true)
}

/// Steps into the `results` of what `aws logs get-query-results` prints, or the `QueryResultRows` of `aws cloudtrail get-query-results`, in
/// the same way.
#[cold]
pub fn enter_rows(cursor: &mut Cursor<'_>, at: usize) -> bool {
    cursor.go(at);
    let mut enter = || {
        let mut more = cursor.enter()?;
        while more {
            // behind the quote that opens the key
            let key = cursor.key_start()? - 1;
            cursor.go_to_value()?;
            let is_of_lake = cursor.bytes()[key..].starts_with(b"\"QueryResultRows\"");
            if cursor.byte()? == b'[' && (is_of_lake || is_rows(cursor.bytes(), key, cursor.here()?)) {
                cursor.go(cursor.at() + 1);
                return Ok::<bool, Stop>(true);
            }
            cursor.skip()?;
            more = cursor.more_members()?;
        }
        Ok(false)
    };
    enter() == Ok(true)
}

/// Over a member of the object around `Records`, its comma not included.
pub fn skip_member(cursor: &mut Cursor<'_>) -> Result<(), Stop> {
    let at = cursor.at();
    let member = cursor.go_to_value().and_then(|()| cursor.skip());
    if member.is_err() {
        cursor.go(at);
    }
    member.map(|_| ())
}
