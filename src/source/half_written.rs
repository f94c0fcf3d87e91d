//! A file that may still be written to → whether it ends within a record.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes at the end of a file that are looked at: a last line that is longer is not told.
const LOOK: u64 = 1 << 20;

/// True when the last line of a file that is not compressed is begun and not ended: text without a line end behind it,
/// or JSON that leaves a bracket or string open. A document on many lines is not told when it was left behind one of
/// them.
///
/// # Errors
/// When the file cannot be read.
pub fn is_half_written(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut magic = Vec::new();
    (&mut file).take(4).read_to_end(&mut magic)?;
    // gzip, zstd and Parquet
    if magic.starts_with(b"\x1f\x8b") || magic == b"\x28\xb5\x2f\xfd" || magic == b"PAR1" {
        return Ok(false);
    }
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(LOOK)))?;
    let mut tail = Vec::new();
    file.take(LOOK).read_to_end(&mut tail)?;
    Ok(match memchr::memrchr(b'\n', &tail) {
        Some(end) => is_begun(&tail[end + 1..]),
        None if length > LOOK => false,
        None => is_begun(&tail),
    })
}

fn is_begun(line: &[u8]) -> bool {
    match line.trim_ascii() {
        [] => false,
        json @ [b'{' | b'[' | b']' | b'}' | b',' | b'"', ..] => is_open(json),
        _ => true,
    }
}

/// Whether JSON ends inside a bracket or string that begins in it.
fn is_open(json: &[u8]) -> bool {
    let (mut depth, mut string, mut escaped) = (0, false, false);
    for &byte in json {
        match byte {
            b'"' if !escaped => string = !string,
            b'{' | b'[' if !string => depth += 1,
            b'}' | b']' if !string => depth -= 1,
            _ => {}
        }
        escaped = string && byte == b'\\' && !escaped;
    }
    string || depth > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: impl AsRef<[u8]>) -> bool {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        is_half_written(file.path()).unwrap()
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
}
