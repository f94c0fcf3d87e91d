//! Events of the sources, as they come → rounds of pieces, as large as one turn takes.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::summary::Unreadable;
use crate::metrics::METRICS;
use crate::source::{Event, Events, Piece};
use crate::time::Timestamp;
use crate::wait::{now, sleep, sleep_until};

/// A round is cut this long after its first piece came, if it is not full before.
const ROUND_WAIT: Duration = Duration::from_secs(1);
/// Once told to stop, readers get this long for the piece they are at. One that waits for standard input, or for a disk
/// that does not answer, is left behind: what it has not given is not committed.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// The pieces of one turn.
#[derive(Default)]
pub(super) struct Round {
    pub pieces: Vec<Piece>,
    pub unreadable: Vec<Unreadable>,
    /// Sources of which nothing comes any more.
    pub ended: Vec<Unreadable>,
    pub already_read: u64,
    /// How far partitions have been read, once these pieces have.
    pub reached: Vec<(Arc<str>, Timestamp)>,
    pub bytes: usize,
}

impl Round {
    pub fn add(&mut self, event: Event) {
        match event {
            Event::Piece(piece) => {
                self.bytes += piece.bytes_len();
                self.pieces.push(piece);
            }
            Event::Unreadable { name, why } => self.unreadable.push(Unreadable { name, why }),
            Event::Ended { name, why } => self.ended.push(Unreadable { name, why }),
            Event::AlreadyRead => self.already_read += 1,
            Event::Reached { partition, until } => self.reached.push((partition, until)),
        }
        METRICS.queue_bytes.with_label_values(&["round"]).set(self.bytes as i64);
    }
}

/// Takes what comes until the round is full, has waited long enough, or the input ends (then also `true`).
///
/// It also ends after [`ROUND_WAIT`] with nothing, so that rows already read do not wait for new ones; told to stop, input that ends
/// gets [`STOP_WAIT`] as a whole.
pub(super) async fn gather(
    events: &mut Events,
    bytes_max: usize,
    follow: bool,
    stop: &CancellationToken,
) -> (Round, bool) {
    let mut round = Round::default();
    let mut cut = now() + ROUND_WAIT;
    while round.bytes < bytes_max {
        let waiting = follow || !stop.is_cancelled() || !round.pieces.is_empty();
        let event = tokio::select! {
            biased;
            event = events.next() => event,
            () = sleep_until(cut), if waiting => return (round, false),
            () = async {
                stop.cancelled().await;
                sleep(STOP_WAIT).await;
            } => return (round, true),
        };
        match event {
            None => return (round, true),
            Some(event) => {
                // what is told without pieces comes all the time
                if round.pieces.is_empty() && matches!(event, Event::Piece(_)) {
                    cut = now() + ROUND_WAIT;
                }
                round.add(event);
            }
        }
    }
    (round, false)
}
