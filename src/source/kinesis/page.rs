//! Records of one shard, as Kinesis answers them → as few pieces as their bytes allow, each with the position it brings the
//! shard to. What was done before is passed over, down to the user record and the byte.

use std::sync::Arc;

use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{Record, ShardIteratorType};
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::decode::{self, Counts, Gathered, Input, kpl};
use crate::metrics::METRICS;
use crate::position::{Offset, Position, Within};
use crate::source::shards::{Due, ReadFrom};
use crate::source::{Gone, Piece};
use crate::table::{Origin, Reject};
use crate::time::Timestamp;

/// A piece is handed on at the end of the record that brings it to this many inflated bytes,
const PIECE_BYTES: usize = 1 << 20;
/// or in the middle of a record at this many: a record of 10 MiB may inflate to gigabytes.
const PIECE_BYTES_MAX: usize = 4 << 20;

/// What of a shard is done, and how its records become pieces.
pub(super) struct Taken {
    due: Due,
    /// `kinesis://STREAM/SHARD`, for people.
    name: String,
    options: decode::Options,
    /// Nothing is handed on any more once it is cancelled.
    pub stop: CancellationToken,
    /// Everything up to and with this has been handed on, now or before the start.
    done: Offset,
    /// Where to go on.
    from: ReadFrom,
    /// The shard was begun behind a record of an earlier run, which has not been met again yet.
    resuming: bool,
}

/// The piece that is being filled.
#[derive(Default)]
struct Filling {
    piece: Piece,
    /// Small records, which stand behind those of the piece.
    gathered: Gathered,
    bytes: usize,
    /// Records of the stream that were begun in it.
    records: u64,
    /// It brings the shard further, whether anything is in it or not.
    has_reached: bool,
}

impl Filling {
    fn ungather(&mut self, options: &decode::Options) {
        self.piece.records.extend(self.gathered.take(options));
    }
}

impl Taken {
    pub fn new(due: Due, name: String, options: decode::Options, stop: CancellationToken) -> Taken {
        let done = match &due.from {
            ReadFrom::After(sequence) => Offset::of_record(sequence, None),
            ReadFrom::Inside(sequence, within) => Offset::of_record(sequence, Some(*within)),
            ReadFrom::TrimHorizon | ReadFrom::Latest | ReadFrom::Time(_) => None,
        };
        let from = due.from.clone();
        Taken { due, name, options, stop, from, resuming: done.is_some(), done: done.unwrap_or(Offset::at(0)) }
    }

    pub fn shard(&self) -> &str {
        &self.due.shard
    }

    pub fn partition(&self) -> &Arc<str> {
        &self.due.partition
    }

    /// Where to go on: the type of the iterator or starting position, and its number or time.
    pub fn place(&self) -> (ShardIteratorType, Option<String>, Option<DateTime>) {
        match &self.from {
            ReadFrom::TrimHorizon => (ShardIteratorType::TrimHorizon, None, None),
            ReadFrom::Latest => (ShardIteratorType::Latest, None, None),
            ReadFrom::Time(time) => {
                let time = DateTime::from_nanos(i128::from(time.0) * 1000).expect("microseconds of an i64 fit");
                (ShardIteratorType::AtTimestamp, None, Some(time))
            }
            // the record itself is asked for again too, since without it something may have been lost
            ReadFrom::After(sequence) if self.resuming => {
                (ShardIteratorType::AtSequenceNumber, Some(sequence.to_string()), None)
            }
            ReadFrom::After(sequence) => (ShardIteratorType::AfterSequenceNumber, Some(sequence.to_string()), None),
            ReadFrom::Inside(sequence, _) => (ShardIteratorType::AtSequenceNumber, Some(sequence.to_string()), None),
        }
    }

    /// Tells that reading has begun at [`Taken::place`]. Until the first record comes, the end of the shard at another
    /// moment would leave out what came before that.
    pub fn begun(&mut self, now: Timestamp) {
        if self.from == ReadFrom::Latest {
            self.from = ReadFrom::Time(now);
        }
    }

    /// Tells that what comes next stands behind this number, though no record has it.
    pub fn behind(&mut self, sequence: &str) {
        self.from = ReadFrom::After(sequence.into());
    }

    /// Kinesis does not take [`Taken::place`]: takes another, or gives `false` when there is none.
    pub fn move_on(&mut self) -> bool {
        self.from = match &self.from {
            ReadFrom::After(last) | ReadFrom::Inside(last, _) => {
                self.tell_loss(last, "the oldest there is");
                self.resuming = false;
                ReadFrom::TrimHorizon
            }
            // this machine's clock is ahead
            ReadFrom::Time(_) => ReadFrom::Latest,
            ReadFrom::TrimHorizon | ReadFrom::Latest => return false,
        };
        true
    }

    /// Tells that an answer had no records and that there were none to come: what comes later is new, whether the last
    /// record of an earlier run is still there or not.
    pub fn at_the_end(&mut self) {
        self.resuming = false;
    }

    /// The piece that says that the shard has been read to its end.
    pub fn ended(&self) -> Piece {
        let position = Position { partition: self.due.partition.clone(), offset: Offset::End };
        Piece { position: Some(position), ..Piece::default() }
    }

    /// Hands on the records of an answer. They come in the order of their sequence numbers.
    ///
    /// # Errors
    /// When `send` has one.
    pub fn hand_on(
        &mut self,
        records: Vec<Record>,
        send: &mut impl FnMut(Piece) -> Result<(), Gone>,
    ) -> Result<(), Gone> {
        let Some(first) = records.first() else { return Ok(()) };
        if std::mem::take(&mut self.resuming) {
            self.check_for_loss(first);
        }
        let mut filling = Filling::default();
        for record in records {
            let Some(whole) = Offset::of_record(&record.sequence_number, None) else {
                tracing::error!(shard = self.name, sequence = record.sequence_number, "a record without a number");
                continue;
            };
            if whole <= self.done {
                continue;
            }
            self.record(&record.sequence_number, record.data.into_inner(), &mut filling, send)?;
            self.reached(whole, &mut filling);
            if filling.bytes >= PIECE_BYTES {
                self.give(&mut filling, send)?;
            }
        }
        if let Some((sequence, inside)) = self.done.record().filter(|_| self.done != Offset::at(0)) {
            self.from = match inside {
                None => ReadFrom::After(sequence.into()),
                Some(within) => ReadFrom::Inside(sequence.into(), within),
            };
        }
        if filling.has_reached { self.give(&mut filling, send) } else { Ok(()) }
    }

    /// The last record of an earlier run was asked for, and comes first when it is still there.
    fn check_for_loss(&self, first: &Record) {
        let last = self.done.record().map_or("", |(sequence, _)| sequence);
        if first.sequence_number != last {
            self.tell_loss(last, &first.sequence_number);
        }
    }

    fn tell_loss(&self, after: &str, next: &str) {
        METRICS.kinesis_trimmed.with_label_values(&[] as &[&str]).inc();
        tracing::error!(
            shard = self.name,
            after,
            next,
            "records may be lost: those behind the last one that was read had left the stream before it was read again"
        );
    }

    fn record(
        &mut self,
        sequence: &str,
        data: Vec<u8>,
        filling: &mut Filling,
        send: &mut impl FnMut(Piece) -> Result<(), Gone>,
    ) -> Result<(), Gone> {
        filling.records += 1;
        filling.piece.read_bytes += data.len() as u64;
        let name = [&*self.name, "/", sequence].concat();
        // an event a record: what is done for each counts
        if data.len() <= PIECE_BYTES && Gathered::fits(&data, &self.options) && !self.is_begun(sequence) {
            filling.bytes += data.len();
            filling.gathered.add(&data, name);
            if filling.gathered.is_full() {
                filling.ungather(&self.options);
            }
            return Ok(());
        }
        filling.ungather(&self.options);
        let (data, origin) = (Bytes::from(data), Arc::new(Origin { name, ..Origin::default() }));
        let Some(parts) = kpl::unpack(&data) else {
            return self.user_record(sequence, 0, data, &origin, filling, send);
        };
        for part in parts {
            let whole = within(sequence, Within { sub_sequence: part.sub_sequence, bytes: None });
            if whole <= self.done {
                continue;
            }
            if self.is_sent_again(&part) {
                METRICS.kinesis_resent.with_label_values(&[] as &[&str]).inc();
            } else {
                self.user_record(sequence, part.sub_sequence, part.data, &origin, filling, send)?;
            }
            self.reached(whole, filling);
            if filling.bytes >= PIECE_BYTES {
                self.give(filling, send)?;
            }
        }
        Ok(())
    }

    /// Whether an earlier run, or an earlier piece, ended inside of this record.
    fn is_begun(&self, sequence: &str) -> bool {
        let Offset::At(done) = &self.done else { return false };
        done.strip_prefix(sequence.trim_start_matches('0')).is_some_and(|inside| inside.starts_with('.'))
    }

    /// Whether the KPL has packed the record for a shard that this one was born of, and sends it again to where it belongs,
    /// since it is outside of this one.
    ///
    /// The KCL drops everything that lies outside of its shard. But producers that know nothing of shards pack whatever
    /// comes under the key of the first record, and send nothing again.
    fn is_sent_again(&self, part: &kpl::UserRecord<'_>) -> bool {
        part.hash_key().is_some_and(|key| {
            !self.due.range.contains(key) && self.due.ancestors.iter().any(|range| range.contains(key))
        })
    }

    fn user_record(
        &mut self,
        sequence: &str,
        sub_sequence: u64,
        data: Bytes,
        origin: &Arc<Origin>,
        filling: &mut Filling,
        send: &mut impl FnMut(Piece) -> Result<(), Gone>,
    ) -> Result<(), Gone> {
        let mut reader = decode::open(Input::Bytes(data), origin.clone(), &self.options);
        // only of the record that an earlier run ended in, some pieces are done
        let is_begun = self.is_begun(sequence);
        loop {
            let (mut rejects, mut counts) = (Vec::new(), Counts::default());
            let records = match reader.next(&mut rejects, &mut counts) {
                Ok(records) => records,
                Err(error) => {
                    rejects.push(Reject::new(origin, 0, "", error.to_string(), &[]));
                    let tally = counts.of("");
                    tally.records += 1;
                    tally.rejects += 1;
                    None
                }
            };
            let end = |bytes: u64| within(sequence, Within { sub_sequence, bytes: Some(bytes) });
            if is_begun && records.as_ref().is_some_and(|records| end(records.end()) <= self.done) {
                continue;
            }
            filling.piece.rejects.append(&mut rejects);
            filling.piece.counts.add(&counts);
            let Some(records) = records else { return Ok(()) };
            let reached = records.end();
            filling.bytes += records.bytes_len();
            filling.piece.records.push(records);
            if filling.bytes >= PIECE_BYTES_MAX {
                self.reached(end(reached), filling);
                self.give(filling, send)?;
            }
        }
    }

    fn reached(&mut self, offset: Offset, filling: &mut Filling) {
        self.done = offset;
        filling.has_reached = true;
    }

    /// Hands on what is in the piece, which brings the shard to where it was reached.
    fn give(&self, filling: &mut Filling, send: &mut impl FnMut(Piece) -> Result<(), Gone>) -> Result<(), Gone> {
        filling.ungather(&self.options);
        let Filling { mut piece, records, .. } = std::mem::take(filling);
        METRICS.kinesis_records.with_label_values(&[] as &[&str]).inc_by(records);
        piece.position = Some(Position { partition: self.due.partition.clone(), offset: self.done.clone() });
        send(piece)
    }
}

fn within(sequence: &str, within: Within) -> Offset {
    Offset::of_record(sequence, Some(within)).expect("the whole record's offset was made of the same digits")
}

#[cfg(test)]
mod tests;
