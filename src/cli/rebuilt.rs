//! What the stages of a run begin without → what an archive tells of it: windows and findings, by replaying its last days as they came,
//! and what rules learn from.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::bail;
use tokio_util::sync::CancellationToken;

use super::replayed::{self, LOOK_MAX, Replayed};
use super::{output, primed};
use crate::detect::Detector;
use crate::detect::quarantine;
use crate::detect::reference::References;
use crate::logs;
use crate::pipeline::restored::{Answer, LookBack, Unknown};
use crate::pipeline::summary::{Rebuilt, counted};
use crate::rule::Rule;
use crate::time::{Timestamp, day_text};
use crate::triage::Triage;
use crate::triage::assumed::Assumed;

/// Where to look, and for whom.
pub struct Back {
    pub archive: PathBuf,
    pub references: References,
    pub limits: quarantine::Config,
    /// Whether the run's input goes on for ever.
    pub follows: bool,
    pub stop: CancellationToken,
}

impl Back {
    pub fn look(self) -> LookBack {
        Box::new(move |unknown, detector, triage| {
            let rebuilt = match unknown.is_refused() {
                true => self.rebuild(unknown, detector, triage)?,
                false => Err("nothing is refused".to_owned()),
            };
            let is_edited = |rule: &str| unknown.edited.contains(rule);
            let (references, archive, stop) = (&self.references, &self.archive, &self.stop);
            primed::know_open_windows(detector, &is_edited, references, archive, self.follows, stop);
            let is_new = |rule: &str| unknown.rules.contains(rule);
            let mut unlearned = primed::know_what_is_new(detector, &is_new, references, archive, stop);
            let triage = unknown.findings.then_some(triage);
            unlearned.extend(primed::know_what_is_usual(detector, &is_new, references, archive, stop, triage));
            Ok(Answer { rebuilt, unlearned })
        })
    }

    /// Says on standard error how much it was; or why it is not done.
    ///
    /// # Errors
    /// When it is stopped.
    fn rebuild(
        &self,
        unknown: &Unknown,
        detector: &mut Detector,
        triage: &mut Triage,
    ) -> anyhow::Result<Result<Rebuilt, String>> {
        let started = Instant::now();
        let all = unknown.shared || unknown.findings;
        let rules: Vec<Rule> =
            detector.rules().filter(|rule| all || unknown.lost.contains(&rule.id)).cloned().collect();
        let (mut learner, _) = Detector::with_references(logs::TABLES, &self.references, rules);
        learner.keep_to(detector.memory());
        learner.limit(self.limits);
        learner.follow(self.follows);
        if unknown.findings {
            primed::know_what_is_new(&mut learner, &|_| true, &self.references, &self.archive, &self.stop);
        }
        let now = Timestamp::now();
        let replayed = replayed::archived(&self.archive, now, |table| learner.days_open(table)).and_then(|tables| {
            let also: &[&str] = if unknown.findings { &Assumed::COLUMNS } else { &[] };
            replayed::replayed(&mut learner, &self.archive, &tables, also, now, &self.stop, &mut |batches, found| {
                if unknown.findings {
                    triage.watch(batches);
                    triage.settle_again(found, now);
                }
            })
        });
        if self.stop.is_cancelled() {
            bail!("told to stop before the last commit was rebuilt");
        }
        let Replayed { rows, days, newest } = match replayed {
            Ok(Some(replayed)) => replayed,
            Ok(None) => return Ok(Err(format!("to replay the archive takes longer than {} s", LOOK_MAX.as_secs()))),
            Err(error) => return Ok(Err(format!("the archive cannot be read: {error:#}"))),
        };
        let Some(since) = days.first().filter(|_| rows > 0) else {
            return Ok(Err("the archive has no rows".to_owned()));
        };
        detector.take_windows(&mut learner, &unknown.lost);
        if unknown.shared {
            detector.take_shared(&mut learner, newest);
        }
        let rebuilt = Rebuilt { rows, days: days.len() as u64, since: day_text(*since) };
        output::say(format_args!(
            "weir: what cannot be read of the last commit is rebuilt from {} of {} ({:.1} s)",
            counted(rows, "archived row"),
            counted(rebuilt.days, "day"),
            started.elapsed().as_secs_f64()
        ));
        Ok(Ok(rebuilt))
    }
}
