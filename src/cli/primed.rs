//! An archive → what the rules that judge by what was before would know, had they been there.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::output;
use super::replayed::{Days, LOOK_MAX, Replayed, archived, replayed};
use crate::detect::Detector;
use crate::detect::reference::References;
use crate::logs;
use crate::pipeline::summary::counted;
use crate::rule::{Learns, Rule};
use crate::sql::{self, replay};
use crate::table::Table;
use crate::time::Timestamp;
use crate::triage::Triage;
use crate::triage::assumed::Assumed;

/// Has the rules that ask what is new, and whose ids are among `anew`, look at the archived days that matter to them. Says on
/// standard error how much that was. What goes wrong is logged: the rules then learn from now on, and their ids are given. When stopped
/// it ends early.
///
/// Outside of an asynchronous runtime.
pub fn know_what_is_new(
    detector: &mut Detector,
    anew: &dyn Fn(&str) -> bool,
    references: &References,
    archive: &Path,
    stop: &CancellationToken,
) -> Vec<String> {
    let rules: Vec<Rule> = detector.learn(Learns::New).filter(|rule| anew(&rule.id)).cloned().collect();
    let ids: Vec<String> = rules.iter().map(|rule| rule.id.clone()).collect();
    if rules.is_empty() || is_empty(archive) {
        return ids;
    }
    detector.wake_windowed(&|id| ids.iter().any(|wanted| wanted == id));
    let (started, count) = (Instant::now(), rules.len());
    let (mut learner, _) = Detector::with_references(logs::TABLES, references, rules);
    learner.keep_to(detector.memory());
    match look(&mut learner, archive, Timestamp::now(), stop) {
        // the next start tries again
        Ok(_) if stop.is_cancelled() => {
            detector.do_not_keep(ids);
            return Vec::new();
        }
        Ok(Looked { rows: 0, .. }) => {
            tracing::info!(
                rules = count,
                "the archive has nothing for rules that ask what is new: they learn it from now on"
            );
        }
        Ok(Looked { rows, whole: false, .. }) => tracing::warn!(
            rules = count,
            rows,
            seconds = LOOK_MAX.as_secs(),
            "the archive is too large for rules to look at what is new: they learn it from now on"
        ),
        Ok(Looked { rows, days, whole: true }) => {
            detector.take_seen(learner);
            say_known(count, "what is new", rows, days, started);
            return Vec::new();
        }
        Err(error) => {
            let error = format!("{error:#}");
            tracing::warn!(
                error,
                rules = count,
                "the archive cannot tell what is new: rules learn it from now on, and the next start tries again"
            );
            detector.do_not_keep(ids.iter().cloned());
        }
    }
    ids
}

/// Has the rules over windows whose ids are among `anew` count the archived rows of windows that may still be open, as if they had been
/// there; those that score learn them from [`know_what_is_usual`]. Nothing that they would have told is told. What goes wrong is dealt with
/// as by [`know_what_is_new`].
///
/// Outside of an asynchronous runtime.
pub fn know_open_windows(
    detector: &mut Detector,
    anew: &dyn Fn(&str) -> bool,
    references: &References,
    archive: &Path,
    follows: bool,
    stop: &CancellationToken,
) {
    let scored: BTreeSet<String> = detector.learn(Learns::Usual).map(|rule| rule.id.clone()).collect();
    let windowed = detector.window_bytes().map(|(rule, _)| rule.to_owned());
    let ids: BTreeSet<String> = windowed.filter(|rule| anew(rule) && !scored.contains(rule)).collect();
    if ids.is_empty() || is_empty(archive) {
        return;
    }
    detector.wake_windowed(&|id| ids.contains(id));
    let (started, now, count) = (Instant::now(), Timestamp::now(), ids.len());
    let rules: Vec<Rule> = detector.rules().filter(|rule| ids.contains(&rule.id)).cloned().collect();
    let (mut learner, _) = Detector::with_references(logs::TABLES, references, rules);
    learner.keep_to(detector.memory());
    learner.follow(follows);
    let replayed = archived(archive, now, |table| learner.days_open(table))
        .and_then(|tables| replayed(&mut learner, archive, &tables, &[], now, stop, &mut |_, _| {}));
    match replayed {
        _ if stop.is_cancelled() => detector.do_not_keep(ids),
        Ok(Some(Replayed { rows: 0, .. })) => {}
        Ok(None) => tracing::warn!(
            rules = count,
            seconds = LOOK_MAX.as_secs(),
            "the archive is too large for rules that are new or edited to count what is in it: their windows begin anew"
        ),
        Ok(Some(Replayed { rows, days, .. })) => {
            detector.take_windows(&mut learner, &ids);
            let who = if count == 1 { "1 new or edited rule counts" } else { "new or edited rules count" };
            let count = if count == 1 { String::new() } else { format!("{count} ") };
            output::say(format_args!(
                "weir: {count}{who} {} of {} into windows that are open ({:.1} s)",
                counted(rows, "archived row"),
                counted(days.len() as u64, "day"),
                started.elapsed().as_secs_f64()
            ));
        }
        Err(error) => {
            let error = format!("{error:#}");
            tracing::warn!(
                error,
                rules = count,
                "the archive cannot tell what rules that are new or edited would have counted: their windows begin anew, and the next \
                 start tries again"
            );
            detector.do_not_keep(ids);
        }
    }
}

/// Has the rules that score, and whose ids are among `anew`, learn from the archived days that matter to them what is usual, day by day as
/// from a stream; windows that are not over stay open. Where `triage` is given, all that score tell it what they found then. What goes
/// wrong is dealt with as by [`know_what_is_new`].
///
/// Outside of an asynchronous runtime.
pub fn know_what_is_usual(
    detector: &mut Detector,
    anew: &dyn Fn(&str) -> bool,
    references: &References,
    archive: &Path,
    stop: &CancellationToken,
    mut triage: Option<&mut Triage>,
) -> Vec<String> {
    let is_anew = |rule: &&Rule| anew(&rule.id);
    let ids: BTreeSet<String> = detector.learn(Learns::Usual).filter(is_anew).map(|rule| rule.id.clone()).collect();
    let is_wanted = |rule: &&Rule| triage.is_some() || ids.contains(&rule.id);
    let rules: Vec<Rule> = detector.learn(Learns::Usual).filter(is_wanted).cloned().collect();
    if rules.is_empty() || is_empty(archive) {
        return ids.into_iter().collect();
    }
    detector.wake_windowed(&|id| ids.contains(id));
    let (started, now, count) = (Instant::now(), Timestamp::now(), ids.len());
    let (mut learner, _) = Detector::with_references(logs::TABLES, references, rules);
    learner.keep_to(detector.memory());
    learner.follow(true);
    let back = |table: &'static Table| {
        learner.ask_what_is_usual().filter(|asks| std::ptr::eq(asks.table, table)).map(|asks| asks.days).max()
    };
    let replayed = archived(archive, now, back).and_then(|tables| {
        let also: &[&str] = if triage.is_some() { &Assumed::COLUMNS } else { &[] };
        replayed(&mut learner, archive, &tables, also, now, stop, &mut |batches, found| {
            if let Some(triage) = triage.as_mut() {
                triage.watch(batches);
                triage.settle_again(found, now);
            }
        })
    });
    match replayed {
        _ if stop.is_cancelled() => {
            detector.do_not_keep(ids);
            return Vec::new();
        }
        Ok(Some(Replayed { rows: 0, .. })) => {
            tracing::info!(rules = count, "the archive has nothing for rules that score: they learn from now on");
        }
        Ok(None) => tracing::warn!(
            rules = count,
            seconds = LOOK_MAX.as_secs(),
            "the archive is too large for rules to learn from it what is usual: they learn it from now on"
        ),
        Ok(Some(Replayed { rows, days, .. })) => {
            detector.take_windows(&mut learner, &ids);
            if count > 0 {
                say_known(count, "what is usual", rows, days.len(), started);
            }
            return Vec::new();
        }
        Err(error) => {
            let error = format!("{error:#}");
            tracing::warn!(
                error,
                rules = count,
                "the archive cannot tell what is usual: rules learn it from now on, and the next start tries again"
            );
            detector.do_not_keep(ids.iter().cloned());
        }
    }
    ids.into_iter().collect()
}

/// Says how many rules know something from how much of the archive, and how long they looked.
fn say_known(count: usize, what: &str, rows: u64, days: usize, started: Instant) {
    let who = if count == 1 { "1 rule knows".to_owned() } else { format!("{count} rules know") };
    output::say(format_args!(
        "weir: {who} {what} from {} of {} ({:.1} s)",
        counted(rows, "archived row"),
        counted(days as u64, "day"),
        started.elapsed().as_secs_f64()
    ));
}

/// Whether an archive has nothing that rules could learn: they are not compiled for it then. What cannot be read is for those who look to say.
fn is_empty(archive: &Path) -> bool {
    archived(archive, Timestamp::now(), |_| Some(0)).is_ok_and(|tables| tables.is_empty())
}

/// What was looked at.
#[derive(Default)]
struct Looked {
    rows: u64,
    days: usize,
    /// False where it took too long.
    whole: bool,
}

fn look(learner: &mut Detector, archive: &Path, now: Timestamp, stop: &CancellationToken) -> anyhow::Result<Looked> {
    let (mut rows, started) = (0, Instant::now());
    let tables = archived(archive, now, |table| {
        learner.ask_what_is_new().filter(|asks| std::ptr::eq(asks.table, table)).map(|asks| asks.days).max()
    })?;
    let days: Days = tables.iter().flat_map(|(_, days)| days).copied().collect();
    if tables.is_empty() {
        return Ok(Looked::default());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let whole = runtime.block_on(async {
        let session = sql::session(archive)?;
        for (table, days) in tables {
            let columns = learner.columns(table);
            let mut batches = std::pin::pin!(
                replay::batches(&session, table, &columns, (days.first().copied(), days.last().copied())).await?
            );
            while let Some(batch) = batches.next().await {
                if stop.is_cancelled() || started.elapsed() > LOOK_MAX {
                    return Ok(false);
                }
                let batch = batch.with_context(|| format!("reading the archived {}", table.name))?;
                rows += batch.rows.num_rows() as u64;
                learner.see(&[batch]);
            }
        }
        sql::refuse_damaged(&session)?;
        anyhow::Ok(true)
    })?;
    Ok(Looked { rows, days: days.len(), whole })
}
