//! A file that may still be written to → whether it ends within a record, and whether it is made of lines, so that what is whole of it
//! can be read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::decode::line::{first_line, is_begun, is_json_lines};
use crate::decode::utf16;

/// Bytes at the end, or at the beginning, of a file that are looked at: a line that is longer is not told.
const LOOK: u64 = 1 << 20;

/// True when the last line of a file that is not compressed is begun and not ended: text without a line end behind it,
/// or JSON that leaves a bracket or string open. A document on many lines is not told when it was left behind one of
/// them.
///
/// # Errors
/// When the file cannot be read.
pub fn is_half_written(file: &File) -> io::Result<bool> {
    let length = file.metadata()?.len();
    if is_packed(&read(file, 0, 4)?) {
        return Ok(false);
    }
    let tail = read(file, length.saturating_sub(LOOK), LOOK)?;
    Ok(match memchr::memrchr(b'\n', &tail) {
        Some(end) => is_begun(&tail[end + 1..]),
        None if length > LOOK => false,
        None => is_begun(&tail),
    })
}

/// True when a file that is not compressed is made of lines, by the first: a whole JSON value, or text. Others are documents, which
/// are whole once nobody writes to them any more.
///
/// # Errors
/// When the file cannot be read.
pub fn is_of_lines(file: &File) -> io::Result<bool> {
    let head = read(file, 0, LOOK)?;
    Ok(!is_packed(&head)
        && match first_line(&head) {
            line if line.len() == head.len() => false,
            // no JSON has a capital letter there
            [b'[', second, ..] if second.is_ascii_uppercase() => true,
            [b'{' | b'[' | b'"', ..] => is_json_lines(&head),
            line => !line.trim_ascii().is_empty(),
        })
}

/// gzip, zstd, Parquet and UTF-16.
fn is_packed(head: &[u8]) -> bool {
    utf16::order(head).is_some()
        || head.starts_with(b"\x1f\x8b")
        || head.starts_with(b"\x28\xb5\x2f\xfd")
        || head.starts_with(b"PAR1")
}

/// Up to so many bytes from a place on.
pub(super) fn read(file: &File, from: u64, bytes: u64) -> io::Result<Vec<u8>> {
    let mut read = vec![0; bytes.min(file.metadata()?.len().saturating_sub(from)) as usize];
    let mut filled = 0;
    while filled < read.len() {
        match file.read_at(&mut read[filled..], from + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    read.truncate(filled);
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: impl AsRef<[u8]>) -> File {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        File::open(file.path()).unwrap()
    }

    fn check(bytes: impl AsRef<[u8]>) -> bool {
        is_half_written(&file(bytes)).unwrap()
    }

    #[test]
    fn a_line_that_is_begun_and_not_ended_is_told() {
        for whole in [
            "",
            "2 eni-1 OK\n",
            "{\"a\":1}\n{\"a\":2}",
            "{\"Records\":[{\"a\":\"}\"}]}",
            "{\n  \"Records\": [\n    {}\n  ]\n}",
            "{\"a\":\"\\\\\"}",
        ] {
            assert!(!check(whole), "{whole}");
        }
        for begun in ["2 eni-1 OK", "x\n2 eni", "{\"a\":1}\n{\"a\":", "{\"a\":{}", "{\"Records\":[{}", "{\"a\":\"\\\"}"]
        {
            assert!(check(begun), "{begun}");
        }
    }

    #[test]
    fn of_what_is_compressed_or_too_long_nothing_is_said() {
        assert!(!check(b"\x1f\x8b\x08 and more"));
        assert!(!check(b"PAR1 and more"));
        assert!(!check("x".repeat(1 + LOOK as usize)));
        assert!(check(format!("{}\nx", "x".repeat(1 + LOOK as usize))));
    }

    #[test]
    fn text_and_lines_of_json_are_told_from_documents() {
        for lines in ["2 eni-1 OK\n", "2 eni-1 OK\n2 en", "{\"a\":1}\n", "{\"a\":1}\n{\"a\"", "[INFO] x\n"] {
            assert!(is_of_lines(&file(lines)).unwrap(), "{lines}");
        }
        for other in ["", "\n", "2 eni", "{\"a\":1}", "{\n \"a\":1\n}\n", "{\"Records\":[{}]}\n", "[\n{}\n]\n"] {
            assert!(!is_of_lines(&file(other)).unwrap(), "{other}");
        }
        assert!(!is_of_lines(&file(b"\x1f\x8b\x08\n")).unwrap());
    }
}
