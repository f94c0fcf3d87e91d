//! The open findings of an archive, for commands that only look: a run may be writing to it.

use std::path::Path;

use anyhow::{Context, bail};

use crate::archive::layout::PRIVATE;
use crate::config::Config;
use crate::pipeline::commit::State;
use crate::pipeline::feedback::Verdicts;
use crate::triage::Triage;
use crate::triage::suppress::Suppressions;

/// What the last commit has, and what people found out about it; nothing is suppressed anew.
///
/// # Errors
/// When no run has written to the folder, its state is in a bucket, or it cannot be read.
pub fn triage(dir: &Path, config: &Config) -> anyhow::Result<Triage> {
    let state = dir.join(PRIVATE).join("state.redb");
    if let Some(address) = config.state.as_ref().filter(|_| !state.exists()) {
        bail!("the state is in {address}, which only runs read: `weir incidents` takes the findings that they wrote");
    }
    if !state.exists() {
        bail!("{} is no archive that a run has written to: name another with --archive", dir.display());
    }
    let mut triage = Triage::new(Suppressions::default(), config.assets.clone());
    if let Some(commit) = State::peek(&state)? {
        triage.restore(&commit.triage).with_context(|| format!("reading {}", state.display()))?;
    }
    if let Some(feedback) = Verdicts::of(dir).changed() {
        triage.learn(feedback);
    }
    Ok(triage)
}
