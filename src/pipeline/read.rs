//! The first half of a turn: a round of pieces → rows that are new, and what could not be read; all of it counted.

use rayon::prelude::*;

use super::duplicates::fingerprints;
use super::round::Round;
use super::summary::Unreadable;
use super::{GROUP_BYTES, Worker, tell};
use crate::decode::{Counts, Records};
use crate::health::HEALTH;
use crate::logs;
use crate::logs::json::LIST_CUT_OFF;
use crate::metrics::METRICS;
use crate::table::{Batch, Reject};
use crate::time::Timestamp;
use crate::wait::{self, now};

impl Worker {
    /// Records to rows, and what could not be read.
    pub(super) fn read(&mut self, round: Round, now: Timestamp) -> (Vec<Batch>, Vec<Reject>) {
        for (partition, until) in &round.reached {
            self.stages.detector.reached(partition, *until, now);
        }
        let (records, mut rejects) = self.take_apart(round);
        let start = wait::now();
        let batches = self.parse(records, &mut rejects);
        self.note(&rejects);
        let start = self.spent("parse", start);
        let batches = self.drop_duplicates(batches);
        self.summary.rows_without_time += tell::untimed(&batches);
        self.spent("duplicates", start);
        (batches, rejects)
    }

    /// Notes what the sources said, and gives the records and rejects of the round.
    fn take_apart(&mut self, round: Round) -> (Vec<Records>, Vec<Reject>) {
        for Unreadable { name, why } in round.unreadable.iter().take(Unreadable::TOLD_MAX) {
            tracing::warn!(name, why, "an input could not be read");
        }
        let more = round.unreadable.len().saturating_sub(Unreadable::TOLD_MAX);
        if more > 0 {
            tracing::warn!(more, "other inputs could not be read either");
        }
        for Unreadable { name, why } in &round.ended {
            tracing::error!(
                name,
                why,
                "a source has ended: nothing is read from it until the program is started again"
            );
            if self.summary.followed {
                HEALTH.lost(name);
            }
        }
        let (ended, unreadable) = (round.ended.len() as u64, round.unreadable.len() as u64);
        METRICS.sources_ended.with_label_values(&[] as &[&str]).inc_by(ended);
        METRICS.inputs_unreadable.with_label_values(&[] as &[&str]).inc_by(ended + unreadable);
        self.summary.sources_ended += ended;
        round.unreadable.into_iter().chain(round.ended).for_each(|input| self.summary.note_unreadable(input));
        self.summary.files_already_read += round.already_read;
        self.summary.bytes_inflated += round.bytes as u64;
        METRICS.bytes.with_label_values(&["inflated"]).inc_by(round.bytes as u64);
        let (mut records, mut rejects) = (Vec::new(), Vec::new());
        for piece in round.pieces {
            self.summary.bytes_read += piece.read_bytes;
            METRICS.bytes.with_label_values(&["read"]).inc_by(piece.read_bytes);
            self.waiting_since.get_or_insert_with(now);
            self.summary.files_read += u64::from(piece.ended);
            if let Some(position) = piece.position {
                self.reached.advance(position);
            }
            for name in &piece.forget {
                self.reached.forget(name);
            }
            self.count(&piece.counts);
            rejects.extend(piece.rejects);
            records.extend(piece.records);
        }
        (records, rejects)
    }

    /// Records to rows, on all cores, and what each row is known by.
    fn parse(&mut self, records: Vec<Records>, rejects: &mut Vec<Reject>) -> Vec<(Batch, Vec<Option<u64>>)> {
        let mut groups: Vec<Vec<Records>> = Vec::new();
        let mut room = 0;
        for records in records {
            let bytes = records.bytes_len().max(1);
            // two pieces of a long stream leave a little room, and a third would be too much
            if room <= bytes / 2 {
                groups.push(Vec::new());
                room = GROUP_BYTES;
            }
            room = room.saturating_sub(bytes);
            groups.last_mut().expect("a group was just pushed").push(records);
        }
        let options = &self.options;
        let parsed: Vec<_> = groups
            .into_par_iter()
            .with_max_len(1)
            .map(|group| {
                let (mut rejects, mut counts) = (Vec::new(), Counts::default());
                let found = logs::batches(group, options, &mut rejects, &mut counts);
                let found = found.into_iter().map(|batch| {
                    let prints = fingerprints(&batch);
                    (batch, prints)
                });
                (found.collect::<Vec<_>>(), rejects, counts)
            })
            .collect();
        let mut batches = Vec::new();
        for (found, rejected, counts) in parsed {
            self.count(&counts);
            rejects.extend(rejected);
            batches.extend(found);
        }
        batches
    }

    /// Following, a run has no end at which its summary would tell.
    fn note(&mut self, rejects: &[Reject]) {
        for reject in rejects {
            if reject.reason == LIST_CUT_OFF {
                let (name, why) = (reject.origin.name.clone(), LIST_CUT_OFF.to_owned());
                self.summary.note_unreadable(Unreadable { name, why });
            }
            if self.summary.reject(reject) && self.summary.followed {
                let (name, offset) = (&reject.origin.name, reject.offset);
                tracing::warn!(name, offset, reason = reject.reason, "a record was rejected");
            }
        }
    }

    fn count(&mut self, counts: &Counts) {
        for (&name, tally) in &counts.0 {
            let label = if name.is_empty() { "unknown" } else { name };
            let table = self.summary.table(label);
            table.records += tally.records;
            table.rows += tally.rows;
            table.rejects += tally.rejects;
            table.set_aside += tally.set_aside;
            METRICS.records.with_label_values(&[label]).inc_by(tally.records);
            METRICS.rejects.with_label_values(&[label]).inc_by(tally.rejects);
            METRICS.set_aside.with_label_values(&[label]).inc_by(tally.set_aside);
        }
    }

    fn drop_duplicates(&mut self, batches: Vec<(Batch, Vec<Option<u64>>)>) -> Vec<Batch> {
        let mut kept = Vec::with_capacity(batches.len());
        for (batch, prints) in batches {
            let name = batch.table.name;
            let (batch, doubled) = self.seen.take_new_of(batch, &prints);
            if doubled > 0 {
                let table = self.summary.table(name);
                table.rows -= doubled;
                table.duplicates += doubled;
                METRICS.duplicates.with_label_values(&[name]).inc_by(doubled);
            }
            METRICS.rows.with_label_values(&[name]).inc_by(batch.rows.num_rows() as u64);
            kept.push(batch);
        }
        kept
    }
}
