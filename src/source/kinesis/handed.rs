//! A record that an event source mapping of Lambda handed over → its pieces, as those that were asked for become them.

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::Record;
use tokio_util::sync::CancellationToken;

use super::page::Taken;
use crate::decode;
use crate::decode::kpl::HashRange;
use crate::source::event::StreamRecord;
use crate::source::shards::{Due, ReadFrom};
use crate::source::{Gone, Piece};

/// Hands on the pieces of one record. What the Kinesis Producer Library has packed for another shard is not left out: Lambda
/// does not say which hash keys this one has, and where a row comes twice so does its finding, with the same id.
///
/// # Errors
/// When `take` has one.
pub fn hand_on(
    record: &StreamRecord,
    options: &decode::Options,
    mut take: impl FnMut(Piece) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let name = format!("kinesis://{}/{}", record.stream, record.shard);
    let due = Due {
        shard: record.shard.as_str().into(),
        range: HashRange { first: 0, last: u128::MAX },
        ancestors: Vec::new(),
        partition: name.as_str().into(),
        from: ReadFrom::TrimHorizon,
    };
    let mut taken = Taken::new(due, name, options.clone(), CancellationToken::new());
    let record = Record::builder()
        .sequence_number(&record.sequence)
        .partition_key("")
        .data(Blob::new(record.data.to_vec()))
        .build()
        .expect("all that a record must have is there");
    let mut wrong = None;
    let mut send = |piece| {
        take(piece).map_err(|error| {
            wrong = Some(error);
            Gone
        })
    };
    let handed = taken.hand_on(vec![record], &mut send);
    handed.map_err(|Gone| wrong.expect("who takes the pieces goes for a reason"))
}
