//! Where commands write, how terminals look, and how failures become exit codes.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use crate::pipeline::summary::counted;
use crate::rule::{RuleError, refused};
use crate::sink::table::plain_lines;
use crate::sink::{IN_USE, Look, Patient, open_pipe};

/// Why a command failed, which says its exit code.
pub enum Failure {
    /// The flags or the configuration are wrong: 2.
    Usage(anyhow::Error),
    /// Something could not be written: 4.
    Output(anyhow::Error),
}

pub trait OrFail<T> {
    /// # Errors
    /// An error as one of usage or configuration.
    fn or_usage(self) -> Result<T, Failure>;
    /// # Errors
    /// An error as one of output.
    fn or_output(self) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrFail<T> for Result<T, E> {
    fn or_usage(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::Usage(error.into()))
    }

    fn or_output(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::Output(error.into()))
    }
}

/// Opens `-` as standard output and anything else as a new file. What is written there stays as it is: [`look`] says whether text for people
/// may have colors.
///
/// # Errors
/// When the file cannot be made.
pub fn open(name: &str) -> anyhow::Result<Box<dyn Write + Send>> {
    if name == "-" {
        return Ok(Box::new(BufWriter::new(io::stdout())));
    }
    let (path, writing) = (Path::new(name), || format!("writing {name}"));
    if fs::metadata(path).is_ok_and(|there| there.file_type().is_fifo()) {
        return Ok(Box::new(BufWriter::new(Patient::new(open_pipe(path).with_context(writing)?))));
    }
    Ok(Box::new(BufWriter::new(File::create(path).with_context(writing)?)))
}

/// The same for text that is meant for programs and has what logs have, such as CSV: where a person looks at it instead, nothing of it steers
/// the terminal.
///
/// # Errors
/// When the file cannot be made.
pub fn open_data(name: &str) -> anyhow::Result<Box<dyn Write + Send>> {
    if name == "-" && io::stdout().is_terminal() {
        return Ok(Box::new(Plain { out: io::stdout(), lines: Vec::new() }));
    }
    open(name)
}

/// Hands on whole lines, as [`plain_lines`] shows them.
struct Plain<W> {
    out: W,
    /// What waits for the end of its line.
    lines: Vec<u8>,
}

impl<W: Write> Plain<W> {
    fn hand_on(&mut self) -> io::Result<()> {
        let lines = std::mem::take(&mut self.lines);
        let text = String::from_utf8_lossy(&lines).replace("\r\n", "\n");
        self.out.write_all(plain_lines(&text).as_bytes())
    }
}

impl<W: Write> Write for Plain<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let whole = memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
        self.lines.extend_from_slice(&bytes[..whole]);
        if whole > 0 {
            self.hand_on()?;
        }
        self.lines.extend_from_slice(&bytes[whole..]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hand_on()?;
        self.out.flush()
    }
}

/// Tries whether a file that [`open`] makes later can be written, and makes none. What is neither file nor folder is left
/// alone: who reads a pipe takes its first writer for the last.
///
/// # Errors
/// When it cannot, or a run that follows writes its findings there.
pub fn try_file(path: &Path) -> anyhow::Result<()> {
    let tried = match fs::metadata(path) {
        Ok(meta) if meta.is_file() || meta.is_dir() => File::options().append(true).open(path).and_then(unless_in_use),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound && is_in_folder(path) => Ok(()),
        Err(error) => Err(error),
    };
    tried.with_context(|| format!("writing {}", path.display()))
}

fn unless_in_use(file: File) -> io::Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(io::Error::other(IN_USE)),
        // not every file system has locks
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

fn is_in_folder(path: &Path) -> bool {
    path.parent().is_some_and(|folder| folder.as_os_str().is_empty() || folder.is_dir())
}

/// Width and color of standard output, when a table goes there.
pub fn look(name: &str) -> Look {
    if name != "-" || !io::stdout().is_terminal() {
        return Look::default();
    }
    let width = comfy_table::Table::new().width();
    let color = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
    Look { width, color }
}

/// A message on standard error, in which nothing that it quotes of logs and names of files steers a terminal. When nobody reads it, there is
/// nobody to tell.
pub fn say(message: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{}", plain_lines(&message.to_string()));
}

/// Says which rules are left out, and why.
pub fn say_left_out<'a>(refused: impl IntoIterator<Item = &'a RuleError>) {
    let refused: Vec<String> = refused.into_iter().map(ToString::to_string).collect();
    for rule in refused::few(&refused) {
        say(format_args!("weir: rule left out: {rule}"));
    }
}

/// Names the archive's files that could not be read, with why; the exit code of an answer that lacks what is in them.
pub fn done_but_for(damaged: &[(PathBuf, String)]) -> ExitCode {
    if damaged.is_empty() {
        return ExitCode::SUCCESS;
    }
    for (path, why) in damaged {
        say(format_args!("weir: {} is damaged: {why}", path.display()));
    }
    say(format_args!(
        "weir: {} of the archive cannot be read, or not to the end: the answer lacks the rows",
        counted(damaged.len() as u64, "file")
    ));
    ExitCode::from(3)
}

/// An error and its causes, each said once: some say what caused them themselves.
pub fn in_words(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        let cause = cause.strip_prefix("External: ").unwrap_or(&cause);
        if words.is_empty() {
            words += cause;
        } else if !words.ends_with(cause) {
            words += ": ";
            words += cause;
        }
    }
    words
}

/// A result in which it is no failure that the reader of our output has gone.
///
/// # Errors
/// All others.
pub fn unless_closed(result: anyhow::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if is_closed_pipe(&error) => Ok(()),
        result => result,
    }
}

/// True when the reader of our output, such as `head`, has gone: that is no failure.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::Journal;

    #[test]
    fn a_cause_that_was_said_is_not_said_again() {
        let full = || io::Error::from(ErrorKind::StorageFull);
        let inner = parquet::errors::ParquetError::External(Box::new(full()));
        let error = anyhow::Error::from(inner).context("writing a.parquet").context("writing the archive");
        assert_eq!(in_words(&error), format!("writing the archive: writing a.parquet: {}", full()));
        assert_eq!(in_words(&anyhow::Error::from(full()).context("writing b")), format!("writing b: {}", full()));
        assert_eq!(in_words(&anyhow::anyhow!("alone")), "alone");
    }

    #[test]
    fn what_logs_have_steers_no_terminal() {
        let mut plain = Plain { out: Vec::new(), lines: Vec::new() };
        // cut inside of a character
        for part in ["a,\u{1b}[2Jb\r\nc\rd,".as_bytes(), b"\xe2\x80", b"\xae\n", "\u{9b}e".as_bytes()] {
            plain.write_all(part).unwrap();
        }
        plain.flush().unwrap();
        let shown = String::from_utf8(plain.out).unwrap();
        assert_eq!(shown, "a,\\u{1b}[2Jb\nc\\u{d}d,\\u{202e}\n\\u{9b}e");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_told_and_none_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let why = |name: &str| try_file(&at(name)).err().map(|error| format!("{:#}", error.root_cause()));
        assert_eq!(why("new"), None);
        assert!(!at("new").exists());
        fs::write(at("old"), "as it was").unwrap();
        assert_eq!(why("old"), None);
        assert_eq!(fs::read(at("old")).unwrap(), b"as it was");
        let journal = Journal::file(&at("old"), None).unwrap();
        assert_eq!(why("old").as_deref(), Some(IN_USE));
        drop(journal);
        assert_eq!(why("old"), None);
        assert_eq!(why("").as_deref(), Some("Is a directory (os error 21)"));
        assert_eq!(why("nowhere/new").as_deref(), Some("No such file or directory (os error 2)"));
        assert_eq!(why("old/new").as_deref(), Some("Not a directory (os error 20)"));
        assert!(try_file(Path::new("new")).is_ok() && try_file(Path::new("/dev/null")).is_ok());
    }
}
