//! Findings that windows were lost for want of room → what these would have told, from the archive, so that nothing of them is missing.

use std::collections::BTreeSet;
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
use crate::finding::Finding;
use crate::logs;
use crate::memory::Memory;
use crate::pipeline::holes::{self, Judged, Lost};
use crate::pipeline::restored::Closed;
use crate::pipeline::summary::counted;
use crate::sql::{self, replay};
use crate::table::Table;
use crate::time::{MICROS_PER_DAY, Timestamp, day_text};
use crate::triage::Triage;

/// Who judges again, and where.
pub struct Judge<'a> {
    pub references: &'a References,
    pub limits: quarantine::Config,
    pub archive: &'a Path,
    pub now: Timestamp,
    pub stop: &'a CancellationToken,
}

impl Judge<'_> {
    /// Judges again each rule's days that have such a finding, once their windows are over. Says on standard error how much that was.
    ///
    /// Outside of an asynchronous runtime.
    pub fn close(&self, detector: &Detector, triage: &Triage) -> Closed {
        let mut closed = Closed::default();
        for judged in self.again(holes::lost(detector, triage, self.now), detector.memory()) {
            let rows = judged.told.as_ref().ok().map(|(rows, _)| *rows);
            let (rule, (first, last)) = (judged.rule.clone(), judged.days);
            let missing = closed.take(judged, triage, self.now);
            if let Some(rows) = rows {
                output::say(format_args!(
                    "weir: what {rule} lost for want of room from {} to {} is judged again from {}: {} missing",
                    day_text(first),
                    day_text(last),
                    counted(rows, "archived row"),
                    if missing == 1 { "1 finding was".to_owned() } else { format!("{missing} findings were") },
                ));
            }
        }
        closed
    }

    /// What the archive tells of what was lost, with what this memory gives windows. What it cannot tell, or was not asked before it was told
    /// to stop, is left out.
    ///
    /// Outside of an asynchronous runtime.
    pub fn again(&self, lost: Vec<Lost>, memory: Memory) -> Vec<Judged> {
        let (started, mut all) = (Instant::now(), Vec::new());
        for lost in lost {
            let left = LOOK_MAX.saturating_sub(started.elapsed());
            let id = &*lost.rule.id;
            let told = match self.judge(&lost, memory, left) {
                _ if self.stop.is_cancelled() => return all,
                // the days are in no archive, or in another
                Ok(Ok((0, _))) => continue,
                Ok(told) => told,
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
            if let Err(why) = &told {
                tracing::warn!(rule = id, ?why, "windows that were lost for want of room are not judged again");
            }
            all.push(Judged { rule: lost.rule.id, holes: lost.holes, days: lost.days, told });
        }
        all
    }

    /// What a rule finds in its days, of so many rows; or why it cannot be said. Where there is no room for all keys at once, they are taken
    /// part by part.
    fn judge(&self, lost: &Lost, memory: Memory, left: Duration) -> anyhow::Result<Result<(u64, Vec<Finding>), Tried>> {
        let (until, (first, last)) = (Instant::now() + left, lost.days);
        let (mut learner, _) = Detector::with_references(logs::TABLES, self.references, [lost.rule.clone()]);
        learner.keep_to(memory);
        learner.limit(self.limits);
        for parts in [1, 4, 16, 64, 256] {
            let mut found = Vec::new();
            for part in 0..parts {
                if !learner.begin_part(part, parts) {
                    break;
                }
                let Some((rows, more)) = self.look(&mut learner, lost, until)? else {
                    return Ok(Err(Tried::InVain("it takes too long")));
                };
                // what it says of itself it says in each part
                let is_known = |known: &[Finding], one: &Finding| known.iter().any(|known| known.id == one.id);
                for one in more {
                    if one.rule == lost.rule.id || !is_known(&found, &one) {
                        found.push(one);
                    }
                }
                if found.iter().any(|finding| finding.rule == WINDOWS_SHED) {
                    break;
                }
                if part + 1 == parts {
                    // a window that was lost may have all of its rows on the days around these
                    found.retain(|finding| {
                        let (start, end) = holes::days_of(finding);
                        start <= last && end >= first
                    });
                    return Ok(Ok((rows, found)));
                }
            }
        }
        Ok(Err(Tried::NoRoom(learner.state_bytes_max()[0])))
    }

    /// Takes a rule through its days: how many rows these have, and what it finds; `None` where that takes too long or is stopped.
    fn look(
        &self,
        learner: &mut Detector,
        Lost { rule, around: [before, behind], days: (first, last), .. }: &Lost,
        until: Instant,
    ) -> anyhow::Result<Option<(u64, Vec<Finding>)>> {
        let table: &'static Table =
            logs::TABLES.iter().find(|table| table.name == rule.table).context("the rule's table is there")?;
        let days: BTreeSet<i32> =
            read::files(self.archive, table)?.into_iter().filter_map(|found| found.partition.day).collect();
        let (mut rows, mut found) = (0, Vec::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let whole = runtime.block_on(async {
            let session = sql::session(self.archive)?;
            let columns = learner.columns(table);
            for day in days.range(first.saturating_sub(*before)..=last.saturating_add(*behind)) {
                let batches = replay::batches_of(&session, table, &columns, Some(*day)).await?;
                let mut batches = std::pin::pin!(batches);
                while let Some(batch) = batches.next().await {
                    if self.stop.is_cancelled() || Instant::now() > until {
                        return Ok(false);
                    }
                    let batch = batch.with_context(|| format!("reading the archived {}", table.name))?;
                    rows += if (first..=last).contains(&day) { batch.rows.num_rows() as u64 } else { 0 };
                    found.extend(learner.observe_for(&|_| true, &[batch]));
                }
                found.extend(learner.all_came(Timestamp(i64::from(day + 1) * MICROS_PER_DAY)));
            }
            sql::refuse_damaged(&session)?;
            anyhow::Ok(true)
        })?;
        found.extend(learner.finish());
        Ok(whole.then_some((rows, found)))
    }
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
        assert_eq!((of_rule(&triage).len(), triage.holes(0).count() > 0), (0, true));

        let (references, limits, stop) =
            (References::default(), quarantine::Config::default(), CancellationToken::new());
        let judge = |now: Timestamp| Judge { references: &references, limits, archive: dir.path(), now, stop: &stop };
        // a window that is not over may get more rows
        let during = judge(Timestamp::parse("2024-08-01T12:00:00Z").unwrap()).close(&detector, &triage);
        assert_eq!((during.found.len(), during.holes.len()), (0, 0));
        let closed = judge(now).close(&detector, &triage);
        let holes = triage.holes(0).count();
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
        assert_eq!((triage.holes(0).count(), again.holes(0).count()), (0, 0));
        assert_eq!(again.refuted(now).len(), holes, "services hear that they are closed");
        // a row that comes for it later opens it again
        again.settle(detector.observe(&[batch(&[call(1, "eve", 4)])], now), now);
        assert_eq!(again.holes(0).count(), 1);
        let closed = judge(now).close(&detector, &again);
        assert_eq!((closed.found.len(), closed.holes.len()), (1, 1));
    }

    #[test]
    fn days_for_whose_keys_there_is_no_room_at_once_are_judged_part_by_part() {
        let (mut detector, _) = burst();
        let mut triage = Triage::new(Suppressions::default(), Vec::new());
        let dir = tempfile::tempdir().unwrap();
        let mut archive = Archive::open(dir.path(), &Config::default()).unwrap();
        let now = Timestamp::parse("2024-09-01T00:00:00Z").unwrap();
        // in three rounds each of many has three calls
        let round = |_: usize| (0..12_000).map(|n| call(1, &format!("{n}-{}", "x".repeat(100)), n));
        for events in (0..3).map(|number| round(number).collect::<Vec<_>>()) {
            let distinct =
                |(n, event): (usize, Value)| changed(event, json!({ "eventID": format!("{n}-{}", triage.len()) }));
            let batch = batch(&events.into_iter().enumerate().map(distinct).collect::<Vec<_>>());
            archive.add(vec![batch.clone()]);
            triage.settle(detector.observe(&[batch], now), now);
        }
        let objects = archive.write(1).unwrap();
        archive.publish(&objects).unwrap();
        let of_rule = |triage: &Triage| triage.findings().iter().filter(|found| found.rule == "cloudtrail/x").count();
        assert!(of_rule(&triage) < 12_000);
        let (references, limits, stop) =
            (References::default(), quarantine::Config::default(), CancellationToken::new());
        let judge = Judge { references: &references, limits, archive: dir.path(), now, stop: &stop };
        let closed = judge.close(&detector, &triage);
        assert_eq!(closed.holes.len(), 1);
        triage.close(closed.holes);
        triage.settle(closed.found, now);
        assert_eq!((of_rule(&triage), triage.holes(usize::MAX).count(), triage.refuted(now).len()), (12_000, 0, 1));
    }

    #[test]
    fn windows_that_reach_into_days_of_which_rows_were_lost_are_judged_again() {
        let hop = "SELECT count(*) AS n FROM cloudtrail WHERE eventName = 'GetUser' \
                   GROUP BY userIdentity.arn, hop(eventTime, INTERVAL '1 hour', INTERVAL '20 hours') HAVING count(*) = 2";
        let frame = "SELECT n FROM (SELECT *, count(*) OVER (PARTITION BY userIdentity.arn ORDER BY eventTime \
                     RANGE BETWEEN INTERVAL '1 day' PRECEDING AND CURRENT ROW) AS n \
                     FROM cloudtrail WHERE eventName = 'GetUser') WHERE n = 2";
        let dir = tempfile::tempdir().unwrap();
        let mut archive = Archive::open(dir.path(), &Config::default()).unwrap();
        let calls = [(2, "bob", 1), (3, "eve", 1), (3, "eve", 2), (5, "eve", 1), (5, "eve", 2)];
        archive.add(vec![batch(&calls.map(|(day, who, number)| call(day, who, number)))]);
        let objects = archive.write(1).unwrap();
        archive.publish(&objects).unwrap();
        let (references, limits, stop) =
            (References::default(), quarantine::Config::default(), CancellationToken::new());
        let now = Timestamp::parse("2024-09-01T00:00:00Z").unwrap();
        let judge = Judge { references: &references, limits, archive: dir.path(), now, stop: &stop };
        let day = Timestamp::parse("2024-08-02T00:00:00Z").unwrap().day();
        for sql in [hop, frame] {
            let detector = crate::detect::tests::detector([rule("", sql)]);
            let around = detector.days_around_lost("cloudtrail/x");
            let lost = Lost { rule: rule("", sql), around, holes: Vec::new(), days: (day, day) };
            let judged = judge.again(vec![lost], detector.memory());
            let (_, found) = judged[0].told.as_ref().unwrap();
            // the window of the next day's rows began on the day that lost some
            let ids: BTreeSet<_> = found.iter().map(|finding| finding.id).collect();
            assert_eq!(ids.len(), 1, "{sql}");
            assert!(found.iter().all(|finding| finding.first_seen.to_string() == "2024-08-03T11:30:23Z"), "{found:?}");
        }
    }
}
