//! Findings out: as a table for people, as NDJSON, JSON, CSV or SARIF for programs, as ASFF for Security Hub; and, through an
//! outbox that each commit has, to services.

pub mod csv;
pub mod json;
pub mod sarif;
pub mod table;
pub mod read_back;
pub mod incidents;
pub mod outbox;
pub mod wire;
pub mod signed;
pub mod detail;
pub mod security_hub;
pub mod event_bridge;
pub mod sns;
pub mod secret;
pub mod webhook;
pub mod s3;
pub mod way;
pub mod post;
pub mod sender;
pub mod probe;

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::finding::{Finding, FindingId};
use crate::mark::{Mark, number};
use crate::time::Timestamp;

/// The forms findings can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// One JSON object a line
    Ndjson,
    /// One JSON array
    Json,
    /// Comma-separated values; cells that a spreadsheet would run are neutralized
    Csv,
    /// SARIF 2.1.0, for code scanning tools
    Sarif,
    /// AWS Security Finding Format: each line is the body of one BatchImportFindings call
    Asff,
}

/// A finding that could not be put in the form asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub id: FindingId,
    pub rule: String,
    pub why: String,
}

/// How a table is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Columns of the terminal; 160 when there is none.
    pub width: Option<u16>,
    pub color: bool,
}

/// Writes findings, in the order given, as a whole document; gives those that the form has no place for. `now` is when
/// they are written, which only ASFF says.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(
    format: Format,
    findings: &[Finding],
    look: Look,
    now: Timestamp,
    out: &mut dyn Write,
) -> io::Result<Vec<Refused>> {
    match format {
        Format::Table => table::write(findings, look, out)?,
        Format::Ndjson => json::lines(findings, out)?,
        Format::Json => json::array(findings, out)?,
        Format::Csv => csv::write(findings, out)?,
        Format::Sarif => sarif::write(findings, out)?,
        Format::Asff => return security_hub::requests::write(findings, now, out),
    }
    Ok(Vec::new())
}

/// Where findings go as they come, one JSON object a line: a file that is appended to, or standard output.
///
/// A later line with the same `id` replaces the earlier one. A file that is moved away or removed is made anew, and one that is emptied is
/// gone on with from its beginning, so that it can be rotated.
pub enum Journal {
    File(JournalFile),
    Stdout,
}

/// A file that findings are appended to.
pub struct JournalFile {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Journal {
    /// Opens a file for appending and cuts it to the length of the last commit, so that lines a crash left behind are not
    /// there twice. Any other file than the one that was committed is appended to as it is.
    ///
    /// # Errors
    /// When the file cannot be opened or cut.
    pub fn file(path: &Path, committed: Option<&Mark>) -> io::Result<Journal> {
        let mut journal = JournalFile::open(path)?;
        if let Some(committed) = committed
            && committed.bytes < journal.bytes
            && Mark::of(&journal.file, committed.bytes)?.is_same(committed)
        {
            journal.file.set_len(committed.bytes)?;
            journal.bytes = committed.bytes;
        }
        journal.file.seek(SeekFrom::End(0))?;
        Ok(Journal::File(journal))
    }

    /// # Errors
    /// When the lines cannot be written.
    pub fn append(&mut self, findings: &[Finding]) -> io::Result<()> {
        let mut lines = Vec::new();
        json::lines(findings, &mut lines)?;
        match self {
            Journal::File(journal) => journal.append(&lines),
            Journal::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(&lines)?;
                out.flush()
            }
        }
    }

    /// Makes what was appended durable, and says how far that is for the commit.
    ///
    /// # Errors
    /// When the file cannot be synced.
    pub fn sync(&mut self) -> io::Result<Mark> {
        match self {
            Journal::File(journal) => {
                journal.file.sync_data()?;
                Mark::of(&journal.file, journal.bytes)
            }
            Journal::Stdout => Ok(Mark::default()),
        }
    }
}

impl JournalFile {
    fn open(path: &Path) -> io::Result<JournalFile> {
        let mut file = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path)?;
        let bytes = file.metadata()?.len();
        file.seek(SeekFrom::End(0))?;
        Ok(JournalFile { path: path.to_owned(), file, bytes })
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let own = self.file.metadata()?;
        if own.is_file() {
            let there = std::fs::metadata(&self.path).ok();
            if there.is_none_or(|there| number(&there) != number(&own)) {
                self.file.sync_data()?;
                *self = JournalFile::open(&self.path)?;
            } else if own.len() != self.bytes {
                // somebody has emptied it, or added to it
                self.bytes = self.file.seek(SeekFrom::End(0))?;
            }
        }
        self.file.write_all(lines)?;
        self.bytes += lines.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::one_match;

    #[test]
    fn lines_behind_the_last_commit_are_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.ndjson");
        let found = [one_match("a/b", "eve", Timestamp(0), "e")];
        let mut journal = Journal::file(&path, None).unwrap();
        journal.append(&found).unwrap();
        let committed = journal.sync().unwrap();
        journal.append(&found).unwrap();
        let mut journal = Journal::file(&path, Some(&committed)).unwrap();
        journal.append(&found).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
    }

    fn lines(path: &Path) -> usize {
        std::fs::read_to_string(path).unwrap().lines().count()
    }

    #[test]
    fn no_other_file_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let [path, other] = ["f.ndjson", "other"].map(|name| dir.path().join(name));
        let found = [one_match("a/b", "eve", Timestamp(0), "e")];
        for findings in [0, 1, 100] {
            let mut journal = Journal::file(&path, None).unwrap();
            (0..findings).for_each(|_| journal.append(&found).unwrap());
            let committed = journal.sync().unwrap();
            journal.append(&found).unwrap();
            std::fs::write(&other, "a line\n".repeat(20_000)).unwrap();
            // of another name, and of the same
            for _ in 0..2 {
                let mut journal = Journal::file(&other, Some(&committed)).unwrap();
                journal.append(&found).unwrap();
                std::fs::rename(&other, &path).unwrap();
                std::fs::copy(&path, &other).unwrap();
            }
            assert_eq!(lines(&path), 20_002);
            std::fs::remove_file(&path).unwrap();
        }
        // where standard output took what was committed
        std::fs::write(&path, "a line\n").unwrap();
        drop(Journal::file(&path, Some(&Journal::Stdout.sync().unwrap())).unwrap());
        assert_eq!(lines(&path), 1);
        // and an empty one that is still the same
        std::fs::write(&other, "").unwrap();
        let mut journal = Journal::file(&other, None).unwrap();
        let committed = journal.sync().unwrap();
        journal.append(&found).unwrap();
        drop(Journal::file(&other, Some(&committed)).unwrap());
        assert_eq!(lines(&other), 0);
    }

    #[test]
    fn a_file_may_be_rotated() {
        let dir = tempfile::tempdir().unwrap();
        let [path, away] = ["f.ndjson", "f.ndjson.1"].map(|name| dir.path().join(name));
        let found = [one_match("a/b", "eve", Timestamp(0), "e")];
        let mut journal = Journal::file(&path, None).unwrap();
        journal.append(&found).unwrap();
        std::fs::rename(&path, &away).unwrap();
        (0..2).for_each(|_| journal.append(&found).unwrap());
        assert_eq!((lines(&away), lines(&path)), (1, 2));
        std::fs::remove_file(&path).unwrap();
        journal.append(&found).unwrap();
        assert_eq!(lines(&path), 1);
        std::fs::write(&path, "").unwrap();
        journal.sync().unwrap();
        (0..2).for_each(|_| journal.append(&found).unwrap());
        assert_eq!(lines(&path), 2);
        assert!(!std::fs::read(&path).unwrap().contains(&0));
        let committed = journal.sync().unwrap();
        assert_eq!(committed.bytes, std::fs::metadata(&path).unwrap().len());
        journal.append(&found).unwrap();
        drop(Journal::file(&path, Some(&committed)).unwrap());
        assert_eq!(lines(&path), 2);
    }
}
