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
pub mod webhook;
pub mod s3;
pub mod way;
pub mod post;
pub mod sender;
pub mod probe;

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use crate::finding::{Finding, FindingId};
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
/// A later line with the same `id` replaces the earlier one.
pub enum Journal {
    File { file: File, bytes: u64 },
    Stdout,
}

impl Journal {
    /// Opens a file for appending and cuts it to the length of the last commit, so that lines a crash left behind are not
    /// there twice. A file that is shorter than that was replaced by someone, and is appended to as it is.
    ///
    /// # Errors
    /// When the file cannot be opened or cut.
    pub fn file(path: &Path, committed_bytes: Option<u64>) -> io::Result<Journal> {
        let mut file = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path)?;
        let mut bytes = file.metadata()?.len();
        if let Some(committed) = committed_bytes
            && committed < bytes
        {
            file.set_len(committed)?;
            bytes = committed;
        }
        file.seek(SeekFrom::End(0))?;
        Ok(Journal::File { file, bytes })
    }

    /// # Errors
    /// When the lines cannot be written.
    pub fn append(&mut self, findings: &[Finding]) -> io::Result<()> {
        let mut lines = Vec::new();
        json::lines(findings, &mut lines)?;
        match self {
            Journal::File { file, bytes } => {
                file.write_all(&lines)?;
                *bytes += lines.len() as u64;
                Ok(())
            }
            Journal::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(&lines)?;
                out.flush()
            }
        }
    }

    /// Makes what was appended durable, and gives the file's length for the commit.
    ///
    /// # Errors
    /// When the file cannot be synced.
    pub fn sync(&mut self) -> io::Result<u64> {
        match self {
            Journal::File { file, bytes } => file.sync_data().map(|()| *bytes),
            Journal::Stdout => Ok(0),
        }
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
        let mut journal = Journal::file(&path, Some(committed)).unwrap();
        journal.append(&found).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
    }
}
