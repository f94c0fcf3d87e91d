//! What the stages of a run begin without → what an archive tells of it: windows and findings, by replaying its last days as they came,
//! and what rules learn from.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::output;
use super::primed::{self, Days};
use crate::detect::Detector;
use crate::detect::quarantine;
use crate::detect::reference::References;
use crate::finding::Finding;
use crate::logs;
use crate::pipeline::restored::{Answer, LookBack, Unknown};
use crate::pipeline::summary::Rebuilt;
use crate::rule::Rule;
use crate::sql::{self, replay};
use crate::table::Batch;
use crate::time::{MICROS_PER_DAY, Timestamp, day_text};
use crate::triage::Triage;

/// Longest replay: reading waits for it when a run starts.
const REPLAY_MAX: Duration = Duration::from_secs(300);

/// Days before the newest whose windows are kept as if their rows had just come: a partition that is behind the others may still bring
/// more of them. What they tell again folds.
const DAYS_KEPT: i32 = 1;

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
            let is_new = |rule: &str| unknown.rules.contains(rule);
            let unlearned = primed::prime(detector, &is_new, &self.references, &self.archive, &self.stop);
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
            primed::prime(&mut learner, &|_| true, &self.references, &self.archive, &self.stop);
        }
        let replayed = self.replay(&mut learner, unknown.findings.then_some(triage), Timestamp::now());
        if self.stop.is_cancelled() {
            bail!("told to stop before the last commit was rebuilt");
        }
        let Replayed { rows, days, newest } = match replayed {
            Ok(Some(replayed)) => replayed,
            Ok(None) => return Ok(Err(format!("to replay the archive takes longer than {} s", REPLAY_MAX.as_secs()))),
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
            "weir: what cannot be read of the last commit is rebuilt from {rows} archived rows of {} days ({:.1} s)",
            rebuilt.days,
            started.elapsed().as_secs_f64()
        ));
        Ok(Ok(rebuilt))
    }

    /// Takes a detector, and triage where it is to know them, through the days that its windows need; `None` where it takes too long.
    fn replay(
        &self,
        learner: &mut Detector,
        mut triage: Option<&mut Triage>,
        now: Timestamp,
    ) -> anyhow::Result<Option<Replayed>> {
        let started = Instant::now();
        let tables = primed::archived(&self.archive, now, |table| learner.days_open(table))?;
        let mut replayed = Replayed::default();
        replayed.days.extend(tables.iter().flat_map(|(_, days)| days));
        // days after today are of clocks that are ahead
        let newest_day = replayed.days.range(..=now.day()).next_back().copied().unwrap_or(now.day());
        let mut settle = |batches: &[Batch], found: Vec<Finding>| {
            if let Some(triage) = triage.as_mut() {
                triage.watch(batches);
                triage.settle_again(found, now);
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let session = sql::session(&self.archive)?;
            for day in replayed.days.clone() {
                let (start, end) =
                    (Timestamp(i64::from(day) * MICROS_PER_DAY), Timestamp(i64::from(day + 1) * MICROS_PER_DAY));
                let touched = if day + DAYS_KEPT < newest_day { start } else { now.min(end) };
                for (table, _) in tables.iter().filter(|(_, days)| days.contains(&day)) {
                    let columns = learner.columns(table);
                    let batches = replay::batches(&session, table, &columns, (Some(day), Some(day))).await?;
                    let mut batches = std::pin::pin!(batches);
                    while let Some(batch) = batches.next().await {
                        if self.stop.is_cancelled() || started.elapsed() > REPLAY_MAX {
                            return Ok(None);
                        }
                        let batch = batch.with_context(|| format!("reading the archived {}", table.name))?;
                        replayed.rows += batch.rows.num_rows() as u64;
                        replayed.newest = replayed.newest.max(batch.newest(now));
                        let batch = [batch];
                        settle(&batch, learner.replay(&batch, touched, end));
                    }
                }
                if let Some(newest) = replayed.newest {
                    settle(&[], learner.pass(newest.min(end)));
                }
            }
            Ok(Some(replayed))
        })
    }
}

/// What was replayed.
#[derive(Default)]
struct Replayed {
    rows: u64,
    days: Days,
    /// The newest time of a row that is not after now.
    newest: Option<Timestamp>,
}
