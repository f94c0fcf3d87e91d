//! The last days of an archive → a detector that knows them as if they had come as a stream, and what it found meanwhile.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::archive::read;
use crate::detect::Detector;
use crate::finding::Finding;
use crate::logs;
use crate::sql::{self, replay};
use crate::table::{Batch, Table};
use crate::time::{MICROS_PER_DAY, Timestamp};

/// Days since 1970-01-01.
pub type Days = BTreeSet<i32>;

/// Longest look at an archive: reading waits for it when a run starts.
pub const LOOK_MAX: Duration = Duration::from_secs(300);

/// Days before the newest whose windows are kept as if their rows had just come: a partition that is behind the others may still bring
/// more of them. What they tell again folds.
const DAYS_KEPT: i32 = 1;

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

/// What was replayed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    pub rows: u64,
    pub days: Days,
    /// The newest time of a row that is not after now.
    pub newest: Option<Timestamp>,
}

/// Takes a detector through these days, in their order, and `tell`s what it found in which batches, or when windows left; `None` where
/// that takes longer than [`LOOK_MAX`] or is stopped. The batches have the columns that rules read, and those of `also`.
///
/// # Errors
/// When the archive cannot be read.
pub fn replayed(
    learner: &mut Detector,
    archive: &Path,
    tables: &[(&'static Table, Days)],
    also: &[&str],
    now: Timestamp,
    stop: &CancellationToken,
    tell: &mut dyn FnMut(&[Batch], Vec<Finding>),
) -> anyhow::Result<Option<Replayed>> {
    let started = Instant::now();
    let mut replayed = Replayed::default();
    replayed.days.extend(tables.iter().flat_map(|(_, days)| days));
    // days after today are of clocks that are ahead
    let newest_day = replayed.days.range(..=now.day()).next_back().copied().unwrap_or(now.day());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let session = sql::session(archive)?;
        for day in replayed.days.clone() {
            let [start, end] = [day, day + 1].map(|day| Timestamp(i64::from(day) * MICROS_PER_DAY));
            let touched = if day + DAYS_KEPT < newest_day { start } else { now.min(end) };
            for (table, _) in tables.iter().filter(|(_, days)| days.contains(&day)) {
                let mut columns = learner.columns(table);
                columns.extend(also.iter().map(|name| (*name).to_owned()));
                let batches = replay::batches(&session, table, &columns, (Some(day), Some(day))).await?;
                let mut batches = std::pin::pin!(batches);
                while let Some(batch) = batches.next().await {
                    if stop.is_cancelled() || started.elapsed() > LOOK_MAX {
                        return Ok(None);
                    }
                    let batch = [batch.with_context(|| format!("reading the archived {}", table.name))?];
                    replayed.rows += batch[0].rows.num_rows() as u64;
                    replayed.newest = replayed.newest.max(batch[0].newest(now));
                    tell(&batch, learner.replay(&batch, touched, end));
                }
            }
            if let Some(newest) = replayed.newest {
                tell(&[], learner.pass(newest.min(end)));
            }
        }
        sql::refuse_damaged(&session)?;
        Ok(Some(replayed))
    })
}
