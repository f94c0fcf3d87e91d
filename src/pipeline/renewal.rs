//! Rules, suppressions and canaries that were read again while a run goes on: made by whoever watches their files, taken between two turns.

use crate::detect::Detector;
use crate::metrics::METRICS;
use crate::pipeline::Stages;
use crate::pipeline::summary::Summary;
use crate::triage::canary::Canaries;
use crate::triage::prioritize::Asset;
use crate::triage::suppress::Suppressions;

/// What a look at the files brought.
pub struct Renewal {
    /// `None` where everything in force stays.
    pub taken: Option<Box<Taken>>,
    /// All that is wrong with the files now, each with its place. What was in force before it still is.
    pub refused: Vec<String>,
    /// Those of them that were not said yet.
    pub unsaid: Vec<String>,
}

/// What takes the place of what was in force.
pub struct Taken {
    /// It remembers nothing yet.
    pub detector: Detector,
    pub suppressions: Suppressions,
    pub canaries: Canaries,
    pub assets: Vec<Asset>,
}

/// Takes what has come since the last turn, whose rows have been judged.
pub fn take(came: Vec<Renewal>, stages: &mut Stages, summary: &mut Summary) {
    for Renewal { taken, refused, unsaid } in came {
        for why in &unsaid {
            tracing::warn!(why, "an edit is refused, and what was in force before it stays");
        }
        METRICS.reloads.with_label_values(&["refused"]).inc_by(unsaid.len() as u64);
        METRICS.rules_refused.set(refused.len() as i64);
        summary.refused_edits = refused;
        if let Some(taken) = taken {
            let Taken { mut detector, suppressions, canaries, assets } = *taken;
            detector.take_over(std::mem::replace(&mut stages.detector, Detector::new(&[], []).0));
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
