//! An archive → what the rules that ask what is new would have seen, had they been there.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::output;
use crate::archive::read;
use crate::detect::Detector;
use crate::detect::reference::References;
use crate::logs;
use crate::rule::Rule;
use crate::sql::{self, replay};
use crate::table::Table;
use crate::time::Timestamp;

/// Longest look at the archive: reading waits for it when a run starts.
const LOOK_MAX: Duration = Duration::from_secs(300);

/// Days since 1970-01-01.
pub type Days = BTreeSet<i32>;

/// Has the rules that ask what is new, and whose ids are among `anew`, look at the archived days that matter to them. Says on
/// standard error how much that was. What goes wrong is logged: the rules then learn from now on, and their ids are given. When stopped
/// it ends early.
///
/// Outside of an asynchronous runtime.
pub fn prime(
    detector: &mut Detector,
    anew: &dyn Fn(&str) -> bool,
    references: &References,
    archive: &Path,
    stop: &CancellationToken,
) -> Vec<String> {
    let rules: Vec<Rule> =
        detector.ask_what_is_new().filter(|asks| anew(&asks.rule.id)).map(|asks| asks.rule.clone()).collect();
    if rules.is_empty() {
        return Vec::new();
    }
    let (started, count) = (Instant::now(), rules.len());
    let ids: Vec<String> = rules.iter().map(|rule| rule.id.clone()).collect();
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
            let seconds = started.elapsed().as_secs_f64();
            detector.take_seen(learner);
            let who = if count == 1 { "1 rule knows".to_owned() } else { format!("{count} rules know") };
            output::say(format_args!(
                "weir: {who} what is new from {rows} archived rows of {days} days ({seconds:.1} s)"
            ));
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

/// The archived days of each table that has rules: the newest, and as many before it as `back` says. Clocks of others may be a little
/// ahead; days that are further ahead than one say nothing of now.
///
/// # Errors
/// When a folder of the archive cannot be read.
pub fn archived(
    archive: &Path,
    now: Timestamp,
    back: impl Fn(&'static Table) -> Option<i32>,
) -> anyhow::Result<Vec<(&'static Table, Days)>> {
    let mut tables = Vec::new();
    for table in logs::TABLES {
        let Some(back) = back(table) else { continue };
        let found = read::files(archive, table)?.into_iter().filter_map(|found| found.partition.day);
        let mut days: Days = found.filter(|day| *day <= now.day().saturating_add(1)).collect();
        if let Some(newest) = days.last() {
            days = days.split_off(&newest.saturating_sub(back));
            tables.push((*table, days));
        }
    }
    Ok(tables)
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
        anyhow::Ok(true)
    })?;
    Ok(Looked { rows, days: days.len(), whole })
}
