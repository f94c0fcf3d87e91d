//! Rules, suppressions and canaries that were read again while a run goes on: made by whoever watches their files, taken between two turns.

use std::collections::BTreeSet;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::detect::Detector;
use crate::metrics::METRICS;
use crate::pipeline::Stages;
use crate::pipeline::holes::{Judged, Lost};
use crate::pipeline::summary::Summary;
use crate::rule::refused;
use crate::triage::canary::Canaries;
use crate::triage::prioritize::Asset;
use crate::triage::suppress::Suppressions;
use crate::wait::clock;

/// Longest that commits wait for what an archive is looked at for.
pub const LOOK_WAIT: Duration = Duration::from_secs(10);

/// What comes to a run while it goes on.
pub struct Renewals {
    pub came: Receiver<Renewal>,
    pub looks: Looks,
    pub lost: Asked,
}

/// What the run wants the archive to be asked again, by who watches the files.
#[derive(Clone, Default)]
pub struct Asked(Arc<Mutex<Vec<Lost>>>);

impl Asked {
    /// In place of what was asked before and not taken.
    pub fn ask(&self, lost: Vec<Lost>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = lost;
    }

    pub fn take(&self) -> Vec<Lost> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How who watches the files and the run agree on what the archive has: the one asks, the other commits, and puts further commits off for
/// a time, so that what is not committed then is what the archive lacks.
#[derive(Clone, Default)]
pub struct Looks(Arc<(Mutex<Look>, Condvar)>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Look {
    #[default]
    None,
    Asked,
    /// The number of the commit.
    Granted(u64),
}

impl Looks {
    /// Waits for a commit, and gives its number; none where the run is stopped.
    pub fn ask(&self, stop: &CancellationToken) -> Option<u64> {
        let (state, told) = &*self.0;
        let mut look = state.lock().unwrap_or_else(PoisonError::into_inner);
        *look = Look::Asked;
        loop {
            match *look {
                Look::Granted(commit) => return Some(commit),
                _ if stop.is_cancelled() => return None,
                _ => {}
            }
            let waited = told.wait_timeout(look, Duration::from_millis(200));
            look = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn is_asked(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) == Look::Asked
    }

    pub(super) fn grant(&self, commit: u64) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = Look::Granted(commit);
        self.0.1.notify_all();
    }
}

/// What a look at the files brought.
pub struct Renewal {
    /// `None` where everything in force stays.
    pub taken: Option<Box<Taken>>,
    /// All that is wrong with the files now, each with its place. What was in force before it still is.
    pub refused: Vec<String>,
    /// Those of them that were not said yet.
    pub unsaid: Vec<String>,
    /// What the archive told that it was asked again.
    pub judged: Vec<Judged>,
}

/// What takes the place of what was in force.
pub struct Taken {
    /// It remembers nothing yet, but for what rules over windows that are new or edited know from the archive:
    pub detector: Detector,
    /// these, and the number of the commit that the archive was looked at behind.
    pub anew: BTreeSet<String>,
    pub looked: Option<u64>,
    pub suppressions: Suppressions,
    pub canaries: Canaries,
    pub assets: Vec<Asset>,
}

/// Takes what has come since the last turn, whose rows have been judged; the last of so many commits was made before them.
pub fn take(came: Vec<Renewal>, stages: &mut Stages, summary: &mut Summary, commits: u64) {
    for Renewal { taken, refused, unsaid, judged: _ } in came {
        for why in &refused::few(&unsaid) {
            tracing::warn!(why, "an edit is refused, and what was in force before it stays");
        }
        METRICS.reloads.with_label_values(&["refused"]).inc_by(unsaid.len() as u64);
        METRICS.rules_refused.set(refused.len() as i64);
        summary.refused_edits = refused;
        if let Some(taken) = taken {
            let Taken { mut detector, anew, looked, suppressions, canaries, assets } = *taken;
            detector.take_over(std::mem::replace(&mut stages.detector, Detector::new(&[], []).0));
            match looked {
                // as of the rows of the archive nothing is told of these: they came before the rule
                Some(commit) if commit == commits => drop(detector.count(&anew, &stages.waiting(), clock())),
                Some(_) => tracing::warn!(
                    rules = anew.len(),
                    "to look at the archive took so long that rules that are new or edited lack what came meanwhile: `weir backtest` has it"
                ),
                None => {}
            }
            stages.detector = detector;
            stages.triage.renew(suppressions, canaries, assets);
            summary.reloads += 1;
            METRICS.reloads.with_label_values(&["taken"]).inc();
            tracing::info!(rules = stages.detector.rules().count(), "rules were read again");
        }
        count_rules(stages);
    }
}

/// Tells how many rules are in force.
pub fn count_rules(stages: &Stages) {
    METRICS.rules.set(stages.detector.rules().count() as i64);
}
