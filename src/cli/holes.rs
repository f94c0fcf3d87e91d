//! Findings that windows were lost for want of room → what these would have told, from the archive, so that nothing of them is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::output;
use super::replayed::LOOK_MAX;
use crate::archive::read;
use crate::detect::Detector;
use crate::detect::quarantine::{self, Tried, WINDOWS_SHED};
use crate::detect::reference::References;
use crate::finding::{Finding, FindingId};
use crate::logs;
use crate::memory::Memory;
use crate::pipeline::restored::Closed;
use crate::pipeline::summary::counted;
use crate::rule::Rule;
use crate::sql::{self, replay};
use crate::table::Table;
use crate::time::{MICROS_PER_DAY, Timestamp, day_text};
use crate::triage::Triage;

/// First and last day.
type Range = (i32, i32);

/// Who judges again, and where.
pub struct Judge<'a> {
    pub references: &'a References,
    pub limits: quarantine::Config,
    pub archive: &'a Path,
    pub now: Timestamp,
    pub stop: &'a CancellationToken,
}

/// What came of some days of a rule.
struct Judged {
    rows: u64,
    found: Vec<Finding>,
}

impl Judge<'_> {
    /// Judges again each rule's days that have such a finding, once their windows are over: of one that may get more rows, a later start
    /// tells. Says on standard error how much that was. What the archive cannot tell stays as it is.
    ///
    /// Outside of an asynchronous runtime.
    pub fn close(&self, detector: &Detector, triage: &Triage) -> Closed {
        let (started, mut closed) = (Instant::now(), Closed::default());
        let mut holes: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
        for hole in triage.holes() {
            holes.entry(quarantine::rule_of(hole)).or_default().push(hole);
        }
        for (id, holes) in holes {
            let Some(rule) = detector.rules().find(|rule| rule.id == id) else { continue };
            let [_, behind] = detector.days_around(id);
            let is_over = |hole: &&&Finding| hole.last_seen.day().saturating_add(behind) < self.now.day();
            let over: Vec<&Finding> = holes.iter().filter(is_over).copied().collect();
            for (range, holes) in together(over) {
                let left = LOOK_MAX.saturating_sub(started.elapsed());
                let missing = match self.judge(rule, range, detector.memory(), left) {
                    _ if self.stop.is_cancelled() => return closed,
                    Ok(Ok(judged)) if judged.rows > 0 => Ok(self.take(rule, range, judged, triage, &mut closed)),
                    // the days are in no archive, or in another
                    Ok(Ok(_)) => continue,
                    Ok(Err(why)) => {
                        tracing::warn!(rule = id, why, "windows that were lost for want of room are not judged again");
                        Err(Tried::InVain(why))
                    }
                    Err(error) => {
                        let error = format!("{error:#}");
                        tracing::warn!(
                            rule = id,
                            error,
                            "the archive cannot tell what windows would have told that were lost"
                        );
                        continue;
                    }
                };
                let tried = |hole: &Finding| match &missing {
                    Ok(missing) => {
                        let is_of_it =
                            |(first, last): &&Range| *first <= hole.last_seen.day() && hole.first_seen.day() <= *last;
                        Tried::Closed { missed: missing.iter().filter(is_of_it).count() as u64 }
                    }
                    Err(in_vain) => in_vain.clone(),
                };
                closed.holes.extend(holes.into_iter().map(|hole| (hole.id, tried(hole))));
            }
        }
        closed
    }

    /// Takes what was found; gives the days of each finding that was missing.
    fn take(
        &self,
        rule: &Rule,
        (first, last): Range,
        judged: Judged,
        triage: &Triage,
        closed: &mut Closed,
    ) -> Vec<Range> {
        let is_missing = |finding: &&Finding| {
            triage.severity(&finding.id).is_none() && !triage.suppressions().covers(finding, self.now)
        };
        let days = |finding: &Finding| (finding.id, (finding.first_seen.day(), finding.last_seen.day()));
        let missing: BTreeMap<FindingId, Range> = judged.found.iter().filter(is_missing).map(days).collect();
        output::say(format_args!(
            "weir: what {} lost for want of room from {} to {} is judged again from {}: {} missing",
            rule.id,
            day_text(first),
            day_text(last),
            counted(judged.rows, "archived row"),
            if missing.len() == 1 { "1 finding was".to_owned() } else { format!("{} findings were", missing.len()) },
        ));
        closed.found.extend(judged.found);
        missing.into_values().collect()
    }

    /// What a rule finds in some days; or why it cannot be said.
    fn judge(
        &self,
        rule: &Rule,
        (first, last): Range,
        memory: Memory,
        left: Duration,
    ) -> anyhow::Result<Result<Judged, &'static str>> {
        let started = Instant::now();
        let (mut learner, _) = Detector::with_references(logs::TABLES, self.references, [rule.clone()]);
        learner.keep_to(memory);
        learner.limit(self.limits);
        let table: &'static Table =
            logs::TABLES.iter().find(|table| table.name == rule.table).context("the rule's table is there")?;
        let [before, behind] = learner.days_around(&rule.id);
        let days: BTreeSet<i32> =
            read::files(self.archive, table)?.into_iter().filter_map(|found| found.partition.day).collect();
        let mut judged = Judged { rows: 0, found: Vec::new() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let whole = runtime.block_on(async {
            let session = sql::session(self.archive)?;
            let columns = learner.columns(table);
            for day in days.range(first.saturating_sub(before)..=last.saturating_add(behind)) {
                let batches = replay::batches_of(&session, table, &columns, Some(*day)).await?;
                let mut batches = std::pin::pin!(batches);
                while let Some(batch) = batches.next().await {
                    if self.stop.is_cancelled() || started.elapsed() > left {
                        return Ok(false);
                    }
                    let batch = batch.with_context(|| format!("reading the archived {}", table.name))?;
                    judged.rows += if (first..=last).contains(day) { batch.rows.num_rows() as u64 } else { 0 };
                    judged.found.extend(learner.observe_for(&|_| true, &[batch]));
                }
                judged.found.extend(learner.all_came(Timestamp(i64::from(day + 1) * MICROS_PER_DAY)));
            }
            sql::refuse_damaged(&session)?;
            anyhow::Ok(true)
        })?;
        if !whole {
            return Ok(Err("it takes too long"));
        }
        judged.found.extend(learner.finish());
        if judged.found.iter().any(|finding| finding.rule == WINDOWS_SHED) {
            return Ok(Err("there is no room for them again"));
        }
        judged.found.retain(|finding| finding.last_seen.day() >= first && finding.first_seen.day() <= last);
        Ok(Ok(judged))
    }
}

/// Those of days that touch, with these days.
fn together(mut holes: Vec<&Finding>) -> Vec<(Range, Vec<&Finding>)> {
    holes.sort_by_key(|hole| hole.first_seen);
    let mut all: Vec<(Range, Vec<&Finding>)> = Vec::new();
    for hole in holes {
        let (first, last) = (hole.first_seen.day(), hole.last_seen.day());
        match all.last_mut() {
            Some(((_, end), holes)) if first <= end.saturating_add(1) => {
                *end = last.max(*end);
                holes.push(hole);
            }
            _ => all.push(((first, last), vec![hole])),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::archive::{Archive, Config};
    use crate::detect::tests::{batch, changed, event, rule};
    use crate::memory::Size;
    use crate::triage::suppress::Suppressions;

    /// A call of somebody on a day of August 2024.
    fn call(day: u32, who: &str, number: usize) -> Value {
        let changes = json!({
            "eventTime": format!("2024-08-{day:02}T11:30:23Z"),
            "userIdentity": { "type": "IAMUser", "arn": format!("arn:aws:iam::111122223333:user/{who}") },
        });
        changed(event("GetUser", &format!("{day}-{who}-{number}")), changes)
    }

    fn burst() -> (Detector, Memory) {
        let sql = "SELECT count(*) AS n FROM cloudtrail WHERE eventName = 'GetUser' \
                   GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '10 minutes') HAVING count(*) >= 3";
        let memory = Memory::of_limit(Size(Memory::FLOOR)).unwrap();
        let mut detector = crate::detect::tests::detector([rule("", sql)]);
        detector.keep_to(memory);
        (detector, memory)
    }

    #[test]
    fn what_was_lost_for_want_of_room_is_found_in_the_archive_once() {
        let (mut detector, _) = burst();
        let mut triage = Triage::new(Suppressions::default(), Vec::new());
        let dir = tempfile::tempdir().unwrap();
        let mut archive = Archive::open(dir.path(), &Config::default()).unwrap();
        let now = Timestamp::parse("2024-09-01T00:00:00Z").unwrap();
        let flood = |day: u32| (0..2_000).map(|n| call(day, &format!("{n}-{}", "x".repeat(100)), n)).collect();
        let mut rounds: Vec<Vec<Value>> = vec![vec![call(1, "eve", 1), call(1, "eve", 2)]];
        rounds.extend((2..26).map(flood));
        rounds.push(vec![call(1, "eve", 3)]);
        for events in rounds {
            let batch = batch(&events);
            archive.add(vec![batch.clone()]);
            triage.settle(detector.observe(&[batch], now), now);
        }
        let objects = archive.write(1).unwrap();
        archive.publish(&objects).unwrap();
        let of_rule = |triage: &Triage| {
            triage.findings().into_iter().filter(|finding| finding.rule == "cloudtrail/x").collect::<Vec<_>>()
        };
        assert_eq!((of_rule(&triage).len(), triage.holes().count() > 0), (0, true));

        let (references, limits, stop) =
            (References::default(), quarantine::Config::default(), CancellationToken::new());
        let judge = |now: Timestamp| Judge { references: &references, limits, archive: dir.path(), now, stop: &stop };
        // a window that is not over may get more rows
        let during = judge(Timestamp::parse("2024-08-01T12:00:00Z").unwrap()).close(&detector, &triage);
        assert_eq!((during.found.len(), during.holes.len()), (0, 0));
        let closed = judge(now).close(&detector, &triage);
        let holes = triage.holes().count();
        assert_eq!((closed.found.len(), closed.holes.len()), (1, holes));
        let told = triage.close(closed.holes);
        assert_eq!(told.len(), holes);
        let missed = ("findings_missed".to_owned(), "1".to_owned());
        let of_its_day: Vec<_> = told.iter().filter(|hole| hole.evidence.contains(&missed)).collect();
        assert_eq!(
            of_its_day.iter().map(|hole| hole.first_seen.to_string()).collect::<Vec<_>>(),
            ["2024-08-01T11:30:00Z"]
        );
        let told = triage.settle(closed.found, now);
        assert_eq!(told.iter().map(|found| (found.count, found.event_ids.len())).collect::<Vec<_>>(), [(3, 3)]);
        // once, also after a restart
        let mut again = Triage::new(Suppressions::default(), Vec::new());
        again.restore(&triage.snapshot()).unwrap();
        assert_eq!((triage.holes().count(), again.holes().count()), (0, 0));
        assert_eq!(again.refuted(now).len(), holes, "services hear that they are closed");
        // a row that comes for it later opens it again
        again.settle(detector.observe(&[batch(&[call(1, "eve", 4)])], now), now);
        assert_eq!(again.holes().count(), 1);
        let closed = judge(now).close(&detector, &again);
        assert_eq!((closed.found.len(), closed.holes.len()), (1, 1));
    }
}
