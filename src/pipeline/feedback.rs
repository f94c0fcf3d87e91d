//! The file in which an archive keeps what people found out about its findings.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::archive::layout::PRIVATE;
use crate::triage::feedback::Feedback;

/// Where an archive has it: a line for each verdict, the last on a finding counts.
pub fn path(archive: &Path) -> PathBuf {
    archive.join(PRIVATE).join("feedback.ndjson")
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
        match std::fs::read_to_string(&self.path) {
            Ok(text) => {
                self.seen = Some(stamp);
                let (feedback, wrong) = Feedback::read(&text);
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
