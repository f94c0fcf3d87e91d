//! The open findings of an archive, or of a state in S3, for commands that only look: a run may be writing to it.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tokio::runtime::Runtime;

use crate::archive::layout::PRIVATE;
use crate::aws::Aws;
use crate::config::Config;
use crate::pipeline::bucket;
use crate::pipeline::commit::State;
use crate::pipeline::feedback::Verdicts;
use crate::pipeline::said::Said;
use crate::triage::Triage;
use crate::triage::suppress::Suppressions;

/// The folder of an archive on this machine that is to be asked: the one of `--archive`, else the configuration's.
///
/// # Errors
/// When the configuration has none.
pub fn folder(archive: Option<&Path>, config: &Config) -> anyhow::Result<PathBuf> {
    match (archive, &*config.archive.dir) {
        (Some(dir), _) => Ok(dir.to_owned()),
        (None, "none") => bail!("the configuration keeps no archive: name one with --archive"),
        (None, dir) if dir.starts_with("s3://") => {
            bail!("the archive {dir} is in a bucket: copy it to a folder, and name that with --archive")
        }
        (None, dir) => Ok(PathBuf::from(dir)),
    }
}

/// Where a state is, and what was said of its findings.
pub enum Home {
    /// Beside the archive in this folder.
    Archive(PathBuf),
    /// At `s3://BUCKET/PREFIX`; `runtime` runs the calls.
    Bucket { address: String, aws: Box<Aws>, runtime: Runtime },
}

impl Home {
    /// Where a run with this configuration keeps it; the folder of `--archive`, where one is named.
    ///
    /// # Errors
    /// When threads for calls of AWS cannot be started.
    pub fn of(archive: Option<&Path>, config: &Config) -> anyhow::Result<Home> {
        Ok(match (&config.state, archive) {
            (Some(address), None) => Home::Bucket {
                address: address.clone(),
                aws: Box::new(Aws::new(config.aws.clone())),
                runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?,
            },
            (_, Some(dir)) => Home::Archive(dir.to_owned()),
            (None, None) => Home::Archive(PathBuf::from(&config.archive.dir)),
        })
    }

    /// What the last commit has, and what people found out about it; nothing is suppressed anew.
    ///
    /// # Errors
    /// When no run has written there, or it cannot be read.
    pub fn triage(&self, config: &Config) -> anyhow::Result<Triage> {
        let mut triage = Triage::new(Suppressions::default(), config.assets.clone());
        let feedback = match self {
            Home::Archive(dir) => {
                let state = dir.join(PRIVATE).join("state.redb");
                if !state.exists() {
                    bail!("{} is no archive that a run has written to: name another with --archive", dir.display());
                }
                if let Some(commit) = State::peek(&state)? {
                    triage.restore(&commit.triage).with_context(|| format!("reading {}", state.display()))?;
                }
                Verdicts::of(dir).changed()
            }
            Home::Bucket { address, aws, runtime } => {
                if let Some(commit) = bucket::peek(address, aws, runtime.handle().clone())? {
                    triage.restore(&commit.triage).with_context(|| format!("reading the state {address}"))?;
                }
                self.said().transpose()?.and_then(|mut said| said.changed())
            }
        };
        if let Some(feedback) = feedback {
            triage.learn(feedback);
        }
        Ok(triage)
    }

    /// The object of verdicts, where the state is in a bucket.
    pub fn said(&self) -> Option<anyhow::Result<Said>> {
        match self {
            Home::Archive(_) => None,
            Home::Bucket { address, aws, runtime } => Some(Said::of(address, aws, runtime.handle().clone())),
        }
    }
}
