//! Records of a shard → the sequence number of the first that failed. Lambda hands over that one and all behind it again.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::bail;

use super::ends::Ends;
use super::unit::{Unit, name_of};
use super::{Function, Round, Worker};
use crate::decode::{self, Counts};
use crate::finding::FindingId;
use crate::logs;
use crate::pipeline::duplicates::Seen;
use crate::source::event::StreamRecord;
use crate::source::kinesis::handed;
use crate::table::{Batch, Reject};
use crate::time::Timestamp;

impl Function {
    /// Takes the records of one call, which are of one shard and in its order.
    pub(super) fn stream(&mut self, records: &[StreamRecord], ends: Ends) -> anyhow::Result<Vec<String>> {
        let done = if records.is_empty() { 0 } else { self.done_with(records, ends)? };
        if done < records.len() {
            tracing::warn!(records = records.len(), done, "the records behind those that are done come again");
        }
        Ok(records.get(done).map(|record| record.sequence.clone()).into_iter().collect())
    }

    /// How many of the records are done with, from the first.
    fn done_with(&mut self, records: &[StreamRecord], ends: Ends) -> anyhow::Result<usize> {
        let (identity, at) = (identity(records), newest(records));
        let mut unit = self.unit(&identity, at)?;
        let read = self.read(&mut unit, records, ends)?;
        let failed = self.deliver(&name_of(&identity), at, ends.send)?;
        let done = if failed.is_empty() { read } else { self.first_of(&failed, &records[..read], ends.archive) };
        if done == 0 || self.archive.is_none() {
            return Ok(done);
        }
        if done < records.len() {
            // the rows of the others are archived when these come again
            unit = self.rows_of(&records[..done])?;
        }
        unit.write()?;
        let (bucket, _) = self.archive.as_ref().expect("there is one");
        match self.runtime.block_on(unit.put(bucket, ends.archive)) {
            Ok(()) => Ok(done),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "rows are not archived");
                Ok(0)
            }
        }
    }

    /// Judges the records, as many as there is time for, and says how many these were.
    fn read(&mut self, unit: &mut Unit, records: &[StreamRecord], ends: Ends) -> anyhow::Result<usize> {
        let options = self.worker.options.clone();
        let (mut round, mut read, mut is_over) = (Round::default(), 0, ends.is_read_over());
        for record in records {
            // one record can inflate to gigabytes
            let handed = handed::hand_on(record, &options, |piece| {
                is_over |= ends.is_read_over();
                if is_over { bail!("the time is over") } else { self.take(unit, &mut round, piece) }
            });
            match handed {
                Ok(()) => read += 1,
                Err(_) if is_over => break,
                Err(error) => return Err(error),
            }
        }
        self.judge(unit, round)?;
        Ok(read)
    }

    /// How many records there are before the first that has matches of these findings: each is judged alone. Where none has,
    /// or the time is over, it is those that are known to have none.
    fn first_of(&mut self, failed: &BTreeSet<FindingId>, records: &[StreamRecord], until: Instant) -> usize {
        let Worker { stages, options, .. } = &mut self.worker;
        for (place, record) in records.iter().enumerate() {
            let mut has_failed = false;
            let judged = each_piece(record, options, |batches, _| {
                let found = stages.detector.observe(&batches, Timestamp::now());
                has_failed |= found.iter().any(|finding| failed.contains(&finding.id));
                if Instant::now() < until { Ok(()) } else { bail!("the time is over") }
            });
            if has_failed || judged.is_err() {
                return place;
            }
        }
        0
    }

    /// The rows of records that were judged before.
    fn rows_of(&self, records: &[StreamRecord]) -> anyhow::Result<Unit> {
        let config = self.archive.as_ref().map(|(_, config)| config);
        let mut unit = Unit::new(&identity(records), newest(records), config)?;
        let mut seen = Seen::default();
        for record in records {
            each_piece(record, &self.worker.options, |batches, rejects| {
                unit.keep(batches.into_iter().map(|batch| seen.take_new(batch).0).collect(), rejects)
            })?;
        }
        Ok(unit)
    }
}

/// The rows and rejects of one record, piece by piece.
fn each_piece(
    record: &StreamRecord,
    options: &decode::Options,
    mut take: impl FnMut(Vec<Batch>, &[Reject]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    handed::hand_on(record, options, |piece| {
        let mut rejects = piece.rejects;
        let batches = logs::batches(piece.records, options, &mut rejects, &mut Counts::default());
        take(batches, &rejects)
    })
}

/// The stretch of a shard that the records are. There is one at least.
fn identity(records: &[StreamRecord]) -> [&str; 5] {
    let (first, last) = (&records[0], &records[records.len() - 1]);
    ["kinesis", &first.stream, &first.shard, &first.sequence, &last.sequence]
}

fn newest(records: &[StreamRecord]) -> Timestamp {
    records.iter().map(|record| record.arrived).max().unwrap_or_default()
}
