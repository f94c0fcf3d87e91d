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
mod defaults;
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

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use crate::finding::{Finding, FindingId};
use crate::health::HEALTH;
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
/// gone on with from its beginning, so that it can be rotated. One run has it at a time: another would cut off at its start what this one
/// wrote. A pipe or a device gets the lines, and of these nothing is known later.
pub enum Journal {
    File(JournalFile),
    Stdout(Stdout),
}

/// Standard output, which a thread of its own writes: a pipe that nobody reads holds that up for ever, and not who is told to stop.
pub struct Stdout {
    lines: SyncSender<Vec<u8>>,
    written: Receiver<io::Result<()>>,
}

/// A file that findings are appended to.
pub struct JournalFile {
    path: PathBuf,
    file: File,
    /// Its length, as long as nobody else changes it; of what is no regular file none.
    bytes: Option<u64>,
}

/// Said of a file that a run that follows has.
pub const IN_USE: &str = "another run writes its findings there: give each a file of its own";
const UNREAD: &str = "nobody reads the pipe any more";
/// Told to stop, a run waits for so long for who reads its findings to take some more, and looks this often whether it is.
const STOP_WAIT: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Standard output is written by so much at a time: who takes that is there, however slowly they read.
const SOME_BYTES: usize = 16 << 10;

impl Journal {
    /// Opens a file for appending and cuts it to the length of the last commit, so that lines a crash left behind are not
    /// there twice. Any other file than the one that was committed is appended to as it is.
    ///
    /// # Errors
    /// When the file cannot be opened or cut, or another run has it.
    pub fn file(path: &Path, committed: Option<&Mark>) -> io::Result<Journal> {
        let mut journal = JournalFile::open(path)?;
        if let (Some(committed), Some(bytes)) = (committed, journal.bytes)
            && committed.bytes < bytes
            && Mark::of(&journal.file, committed.bytes)?.is_same(committed)
        {
            journal.file.set_len(committed.bytes)?;
            journal.bytes = Some(journal.file.seek(SeekFrom::End(0))?);
        }
        Ok(Journal::File(journal))
    }

    /// # Errors
    /// When the lines cannot be written.
    pub fn append(&mut self, findings: &[Finding]) -> io::Result<()> {
        let mut lines = Vec::new();
        json::lines(findings, &mut lines)?;
        match self {
            Journal::File(journal) => journal.append(&lines),
            Journal::Stdout(out) => lines.chunks(SOME_BYTES).try_for_each(|some| out.append(some)),
        }
    }

    /// Makes what was appended durable, and says how far that is for the commit.
    ///
    /// # Errors
    /// When the file cannot be synced.
    pub fn sync(&mut self) -> io::Result<Mark> {
        match self {
            Journal::File(JournalFile { file, bytes: Some(bytes), .. }) => {
                file.sync_data()?;
                Mark::of(file, *bytes)
            }
            Journal::File(JournalFile { bytes: None, .. }) | Journal::Stdout(_) => Ok(Mark::default()),
        }
    }
}

impl Default for Stdout {
    fn default() -> Stdout {
        let (lines, to_write) = mpsc::sync_channel::<Vec<u8>>(1);
        let (tell, written) = mpsc::sync_channel(1);
        thread::spawn(move || {
            for lines in to_write {
                let mut out = io::stdout().lock();
                if tell.send(out.write_all(&lines).and_then(|()| out.flush())).is_err() {
                    return;
                }
            }
        });
        Stdout { lines, written }
    }
}

impl Stdout {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let ended = || io::Error::other("what writes to standard output has ended");
        let begun = Instant::now();
        self.lines.send(lines.to_vec()).map_err(|_| ended())?;
        loop {
            match self.written.recv_timeout(LOOK_EVERY) {
                Ok(written) => return written,
                Err(RecvTimeoutError::Disconnected) => return Err(ended()),
                Err(RecvTimeoutError::Timeout) if is_over(begun) => {
                    return Err(io::Error::other("standard output is not read: what was not committed comes again"));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// Whether nothing has been taken since then for too long, for who is told to stop.
fn is_over(since: Instant) -> bool {
    since.elapsed() >= STOP_WAIT && HEALTH.told_to_stop().is_some_and(|ago| ago >= STOP_WAIT)
}

/// Opens a pipe for writing as soon as somebody reads it.
///
/// # Errors
/// When it cannot be opened, or the run is told to stop before.
pub fn open_pipe(path: &Path) -> io::Result<File> {
    loop {
        // who opened it to read too would be its own reader, and not hear that the other has gone
        match OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path) {
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {
                if HEALTH.told_to_stop().is_some() {
                    return Err(io::Error::other("nobody reads the pipe"));
                }
                thread::sleep(LOOK_EVERY);
            }
            opened => return opened,
        }
    }
}

/// Writes to a pipe of [`open_pipe`]. One that is full is waited for, but not for ever by who is told to stop.
pub struct Patient<F> {
    pipe: F,
    /// It was waited for in vain: a buffer tries once more to write what it has when it is dropped.
    is_given_up: bool,
}

impl<F> Patient<F> {
    pub fn new(pipe: F) -> Patient<F> {
        Patient { pipe, is_given_up: false }
    }
}

impl<F: Write + AsFd> Write for Patient<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let begun = Instant::now();
        loop {
            match self.pipe.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock && (self.is_given_up || is_over(begun)) => {
                    self.is_given_up = true;
                    return Err(io::Error::other("the pipe is not read"));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => wait_for_room(&self.pipe),
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pipe.flush()
    }
}

fn wait_for_room(pipe: &impl AsFd) {
    let mut asked = libc::pollfd { fd: pipe.as_fd().as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: it is one descriptor, and the pipe is open for as long as this is. Whatever it says, writing is tried again
    unsafe { libc::poll(&mut asked, 1, LOOK_EVERY.as_millis() as libc::c_int) };
}

impl JournalFile {
    /// Opens a file at its end, for one run at a time. A pipe is waited for until somebody reads it.
    fn open(path: &Path) -> io::Result<JournalFile> {
        if let Ok(there) = fs::metadata(path)
            && !there.is_file()
        {
            let is_pipe = there.file_type().is_fifo();
            let file = if is_pipe { open_pipe(path) } else { OpenOptions::new().write(true).open(path) }?;
            return Ok(JournalFile { path: path.to_owned(), file, bytes: None });
        }
        let mut file = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(io::Error::other(IN_USE)),
            // not every file system has locks
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let bytes = Some(file.seek(SeekFrom::End(0))?);
        Ok(JournalFile { path: path.to_owned(), file, bytes })
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.bytes.is_some() {
            let own = self.file.metadata()?;
            let there = fs::metadata(&self.path).ok();
            if there.is_none_or(|there| number(&there) != number(&own)) {
                self.file.sync_data()?;
                *self = JournalFile::open(&self.path)?;
            } else if self.bytes != Some(own.len()) {
                // somebody has emptied it, or added to it
                self.bytes = Some(self.file.seek(SeekFrom::End(0))?);
            }
        }
        match Patient::new(&self.file).write_all(lines) {
            // of standard output that is a run's good end, and of what was named it is none
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Err(io::Error::other(UNREAD)),
            written => written?,
        }
        self.bytes = self.bytes.map(|bytes| bytes + lines.len() as u64);
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
        drop(journal);
        let mut journal = Journal::file(&path, Some(&committed)).unwrap();
        journal.append(&found).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
    }

    #[test]
    fn a_file_is_one_runs_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.ndjson");
        let found = [one_match("a/b", "eve", Timestamp(0), "e")];
        let mut journal = Journal::file(&path, None).unwrap();
        journal.append(&found).unwrap();
        let refused = Journal::file(&path, None).err().map(|error| error.to_string());
        assert_eq!(refused.as_deref(), Some(IN_USE));
        // what was rotated is nobody's any more, and what takes its place is
        let away = dir.path().join("f.ndjson.1");
        fs::rename(&path, &away).unwrap();
        journal.append(&found).unwrap();
        assert!(Journal::file(&away, None).is_ok() && Journal::file(&path, None).is_err());
        drop(journal);
        assert!(Journal::file(&path, None).is_ok());
        assert_eq!((lines(&away), lines(&path)), (1, 1));
    }

    #[test]
    fn a_pipe_and_a_device_get_the_lines() {
        use std::io::Read;
        use std::os::fd::AsRawFd;

        let found = [one_match("a/b", "eve", Timestamp(0), "e")];
        let (mut from, to) = io::pipe().unwrap();
        let pipe = PathBuf::from(format!("/proc/self/fd/{}", to.as_raw_fd()));
        // two may write there
        let mut journals = [Journal::file(&pipe, None).unwrap(), Journal::file(&pipe, None).unwrap()];
        drop(to);
        for journal in &mut journals {
            journal.append(&found).unwrap();
            assert_eq!(journal.sync().unwrap(), Mark::default());
        }
        let [first, mut second] = journals;
        drop(first);
        let mut text = [0; 1 << 16];
        let read = from.read(&mut text).unwrap();
        assert_eq!(text[..read].iter().filter(|byte| **byte == b'\n').count(), 2);
        drop(from);
        assert_eq!(second.append(&found).unwrap_err().to_string(), UNREAD);
        let mut journal = Journal::file(Path::new("/dev/null"), Some(&Mark::default())).unwrap();
        journal.append(&found).unwrap();
        assert_eq!(journal.sync().unwrap(), Mark::default());
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
        drop(Journal::file(&path, Some(&Journal::Stdout(Stdout::default()).sync().unwrap())).unwrap());
        assert_eq!(lines(&path), 1);
        // and an empty one that is still the same
        std::fs::write(&other, "").unwrap();
        let mut journal = Journal::file(&other, None).unwrap();
        let committed = journal.sync().unwrap();
        journal.append(&found).unwrap();
        drop(journal);
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
        drop(journal);
        drop(Journal::file(&path, Some(&committed)).unwrap());
        assert_eq!(lines(&path), 2);
    }
}
