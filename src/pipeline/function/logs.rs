//! Logs that CloudWatch Logs or EventBridge calls a function with → all of them judged, delivered and archived, or the call has
//! failed.

use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::Bytes;

use super::ends::Ends;
use super::unit::{Unit, name_of};
use super::{Function, Round};
use crate::decode::{self, Counts, Input};
use crate::source::Piece;
use crate::source::event::Logs;
use crate::table::Origin;

impl Function {
    /// Takes the logs of one call. The same ones have the same identity when the call is made again.
    ///
    /// # Errors
    /// When the time is over, or a service or the bucket does not take what was made of them.
    pub(super) fn logs(&mut self, logs: Logs, ends: Ends) -> anyhow::Result<()> {
        let Logs { name, data, at } = logs;
        let digest = blake3::hash(&data).to_hex();
        let identity = ["logs", digest.as_str()];
        let mut unit = self.unit(&identity, at)?;
        self.read_whole(&mut unit, name, data, ends)?;
        let failed = self.deliver(&name_of(&identity), at, ends.send)?;
        if !failed.is_empty() {
            bail!("what was found was not delivered: the log says why");
        }
        if let Some((bucket, _)) = &self.archive {
            self.runtime.block_on(unit.put(bucket, ends.archive)).context("archiving rows")?;
        }
        Ok(())
    }

    /// Takes what is whole in memory into a unit; its rejects are said to be from `name`.
    ///
    /// # Errors
    /// When the time is over, or the disk takes nothing.
    pub(super) fn read_whole(&mut self, unit: &mut Unit, name: &str, data: Bytes, ends: Ends) -> anyhow::Result<()> {
        let mut round = Round::default();
        let origin = Arc::new(Origin { name: name.to_owned(), ..Origin::default() });
        let mut reader = decode::open(Input::Bytes(data), origin, &self.worker.options);
        loop {
            if ends.is_read_over() {
                bail!("the time was over before all log events were read");
            }
            let (mut rejects, mut counts) = (Vec::new(), Counts::default());
            let records = reader.next(&mut rejects, &mut counts).context("reading log events")?;
            let ended = records.is_none();
            self.take(unit, &mut round, Piece::unplaced(records, rejects, counts))?;
            if ended {
                break;
            }
        }
        self.judge(unit, round)?;
        unit.write()
    }
}
