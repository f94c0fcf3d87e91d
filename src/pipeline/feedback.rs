//! The file in which an archive keeps what people found out about its findings.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;

use crate::archive::layout::PRIVATE;
use crate::triage::feedback::Feedback;

/// Where an archive has it: a line for each verdict, the last on a finding counts.
pub fn path(archive: &Path) -> PathBuf {
    archive.join(PRIVATE).join("feedback.ndjson")
}

/// Adds lines to it that depend on all that were said, under its lock and behind a line that somebody left without an end;
/// where there are none it stays as it is.
///
/// # Errors
/// When it cannot be read or written.
pub fn add(archive: &Path, lines: impl FnOnce(&str) -> String) -> anyhow::Result<()> {
    let path = path(archive);
    let writing = || format!("writing {}", path.display());
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(&path).with_context(writing)?;
    file.lock().with_context(writing)?;
    let mut said = Vec::new();
    file.read_to_end(&mut said).with_context(writing)?;
    let text = readable(&said);
    let mut lines = lines(&text);
    if lines.is_empty() {
        return Ok(());
    }
    if !text.is_empty() && !text.ends_with('\n') {
        lines.insert(0, '\n');
    }
    file.write_all(lines.as_bytes()).and_then(|()| file.sync_all()).with_context(writing)
}

/// All that was said, line by line.
///
/// # Errors
/// When it is there and cannot be read.
pub fn text(archive: &Path) -> anyhow::Result<String> {
    let path = path(archive);
    match std::fs::read(&path) {
        Ok(said) => Ok(readable(&said).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// A letter that an editor left in another encoding, as in a note, makes no verdict void.
pub(super) fn readable(said: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(said)
}

/// The file, read again when it has changed.
pub struct Verdicts {
    path: PathBuf,
    seen: Option<(SystemTime, u64)>,
}

impl Verdicts {
    pub fn of(archive: &Path) -> Verdicts {
        Verdicts { path: path(archive), seen: None }
    }

    /// What was said, when that has changed since the last call. What cannot be read is logged, and changes nothing.
    pub fn changed(&mut self) -> Option<Feedback> {
        let file = self.path.display();
        let stamp = match std::fs::metadata(&self.path).and_then(|about| Ok((about.modified()?, about.len()))) {
            Ok(stamp) => stamp,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(%file, %error, "what was said of findings cannot be read");
                return None;
            }
        };
        if self.seen == Some(stamp) {
            return None;
        }
        match std::fs::read(&self.path) {
            Ok(said) => {
                self.seen = Some(stamp);
                let (feedback, wrong) = Feedback::read(&readable(&said));
                for (line, why) in wrong {
                    tracing::warn!(%file, line, why, "a verdict cannot be read, and does not count");
                }
                Some(feedback)
            }
            Err(error) => {
                tracing::warn!(%file, %error, "what was said of findings cannot be read");
                None
            }
        }
    }
}
