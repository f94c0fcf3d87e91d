//! What the pipeline asks before it makes anything permanent: whether those who read it may still do so. Kinesis shards move
//! between workers; what a worker has read of one that it lost meanwhile is for another to archive and to tell of. So do objects, with
//! the notices of a queue.
//!
//! A process may stop at any time, and go on when others have taken its shards. So what it asked before a commit says nothing of the
//! time in which the commit is made, and the commit is settled behind it: it stands once the leases say that it was made, which they
//! say all at once or not at all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::health::HEALTH;
use crate::position::Position;
use crate::wait::{boottime, recv_timeout};

/// A wait for an answer shows this often that it is one.
const LOOK: Duration = Duration::from_secs(1);

/// Names a life of a worker; no two have the same.
pub fn random_name() -> String {
    #[cfg(test)]
    if let Some(number) = crate::wait::simulated::random(u64::MAX) {
        return format!("{number:016x}");
    }
    format!("{:016x}", getrandom::u64().expect("the system gives random numbers"))
}

/// Names a commit: where it is kept until it is known to stand, and beside the leases, which know whether it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub worker: String,
    pub commit: String,
}

/// A question of the pipeline's, and where the answer goes.
pub struct Ask {
    /// Where the next commit brings partitions.
    pub moved: Vec<Position>,
    /// Of a commit that has been made, and is to stand.
    pub note: Option<Note>,
    /// Until when, by [`boottime`], the commit must have been made, or which partition is another's by now.
    pub answer: Sender<Result<Duration, Lost>>,
}

/// What was read since the last commit cannot be committed: it may be another worker's to commit.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// Another worker reads this partition.
    #[error("another worker reads {0} by now: what was read since the last commit is dropped")]
    Taken(String),
    /// The table did not answer whether it does.
    #[error(
        "whether another worker reads {0} by now could not be found out: what was read since the last commit is dropped"
    )]
    Unanswered(String),
    /// The queue hid what told of this object for too short a time.
    #[error("the queue may have told another worker of {0} by now: what was read since the last commit is dropped")]
    Shown(String),
    /// Who answered for partitions that begin so has ended.
    #[error("nobody answers for {0} any more: what was read since the last commit is dropped")]
    Unkept(String),
}

/// Those who answer. A clone asks the same.
#[derive(Clone, Default)]
pub struct Claims(Arc<Inner>);

#[derive(Default)]
struct Inner {
    keepers: Mutex<Vec<Keeper>>,
    hurried: AtomicBool,
}

/// Who answers for partitions that begin so.
#[derive(Clone)]
struct Keeper {
    beginning: String,
    asks: UnboundedSender<Ask>,
    /// Also behind a commit.
    settles: bool,
}

impl Claims {
    /// Has all questions about partitions that begin so come here. When the receiver is gone, they are lost.
    pub fn answer_for(&self, beginning: &str) -> UnboundedReceiver<Ask> {
        self.answer(&[beginning], true)
    }

    /// The same for who knows before a commit whether it may be made, and has nobody who could tell behind it whether it stands. It
    /// answers for partitions of several beginnings, about those of each by itself.
    pub fn answer_before(&self, beginnings: &[&str]) -> UnboundedReceiver<Ask> {
        self.answer(beginnings, false)
    }

    fn answer(&self, beginnings: &[&str], settles: bool) -> UnboundedReceiver<Ask> {
        let (asks, receiver) = unbounded_channel();
        let keeper = |beginning: &&str| Keeper { beginning: (*beginning).to_owned(), asks: asks.clone(), settles };
        let keepers = beginnings.iter().map(keeper);
        self.0.keepers.lock().expect("nobody panics while holding it").extend(keepers);
        receiver
    }

    /// Asks for a commit soon: somebody waits for it.
    pub fn hurry(&self) {
        self.0.hurried.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has asked for a commit since the last time this was asked.
    pub fn take_hurry(&self) -> bool {
        self.0.hurried.swap(false, Ordering::Relaxed)
    }

    /// What is asked for a commit that brings partitions here.
    pub fn permit(&self, worker: &str, moved: Vec<Position>) -> Permit {
        let keepers = self.0.keepers.lock().expect("nobody panics while holding it");
        let of_keeper = keepers.iter().map(|keeper| {
            let of_it = moved.iter().filter(|position| position.partition.starts_with(&keeper.beginning));
            (keeper.clone(), of_it.cloned().collect())
        });
        let shared: Vec<Shared> = of_keeper.filter(|(_, moved): &Shared| !moved.is_empty()).collect();
        let is_settled = shared.iter().any(|(keeper, _)| keeper.settles);
        let note = is_settled.then(|| Note { worker: worker.to_owned(), commit: random_name() });
        Permit { shared, note }
    }
}

/// A keeper, and where a commit brings those of its partitions that it moves.
type Shared = (Keeper, Vec<Position>);

/// Says of one commit whether it may be made, and whether it stands. By itself it is of partitions that nobody else can take.
#[derive(Default)]
pub struct Permit {
    shared: Vec<Shared>,
    note: Option<Note>,
}

impl Permit {
    /// Names the commit if it has to be settled.
    pub fn note(&self) -> Option<&Note> {
        self.note.as_ref()
    }

    /// Asks whether the commit may be made. Waits for as long as the answer takes.
    ///
    /// # Errors
    /// When one of its partitions is another worker's.
    pub fn confirm(&self) -> Result<(), Lost> {
        while self.confirm_all()?.is_some_and(|until| until <= boottime()) {}
        Ok(())
    }

    /// The time by which the commit must have been made; `None` when nobody else can take what it moves.
    fn confirm_all(&self) -> Result<Option<Duration>, Lost> {
        let times = self.shared.iter().map(|shared| ask(shared, None));
        times.collect::<Result<Vec<Duration>, Lost>>().map(|times| times.into_iter().min())
    }

    /// Has the commit stand, once it is made: what keeps the leases notes all its positions in them at once, if they are all still
    /// this worker's. Of those that several keep the first does; the others are noted later, as what was confirmed.
    ///
    /// # Errors
    /// When one of its partitions is another worker's, or that cannot be found out. The commit is not to be gone on from until it is
    /// known whether it stands, which it may all the same: an answer can be lost.
    pub fn settle(&self) -> Result<(), Lost> {
        let first = self.shared.iter().find(|(keeper, _)| keeper.settles);
        first.map_or(Ok(()), |shared| ask(shared, self.note.clone()).map(|_| ()))
    }
}

fn ask((keeper, moved): &Shared, note: Option<Note>) -> Result<Duration, Lost> {
    let (answer, receiver) = channel();
    // where it cannot be sent, the receiver tells
    let _ = keeper.asks.send(Ask { moved: moved.clone(), note, answer });
    answered(&receiver).unwrap_or_else(|| Err(Lost::Unkept(keeper.beginning.clone())))
}

fn answered(answer: &Receiver<Result<Duration, Lost>>) -> Option<Result<Duration, Lost>> {
    loop {
        match recv_timeout(answer, LOOK) {
            Ok(answer) => return Some(answer),
            Err(RecvTimeoutError::Timeout) => HEALTH.waits(),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Offset;

    fn at_one(names: &[&str]) -> Vec<Position> {
        names.iter().map(|&name| Position { partition: name.into(), offset: Offset::at(1) }).collect()
    }

    #[test]
    fn who_reads_a_partition_is_asked_about_it_and_no_one_else() {
        let claims = Claims::default();
        let permit = |names: &[&str]| claims.permit("w", at_one(names));
        permit(&["kinesis:a/1"]).confirm().unwrap();
        let (mut a, mut b) = (claims.answer_for("kinesis:a/"), claims.answer_for("kinesis:b/"));
        let alone = permit(&["file"]);
        assert_eq!((alone.confirm_all().unwrap(), alone.note()), (None, None));
        alone.settle().unwrap();
        let until = boottime();
        let shared = permit(&["file", "kinesis:b/1", "kinesis:b/2"]);
        let note = shared.note().cloned();
        let asking = std::thread::spawn(move || (shared.confirm_all(), shared.settle()));
        for expected in [None, note] {
            let ask = b.blocking_recv().unwrap();
            assert_eq!((ask.moved, ask.note), (at_one(&["kinesis:b/1", "kinesis:b/2"]), expected));
            ask.answer.send(Ok(until)).unwrap();
        }
        let (confirmed, settled) = asking.join().unwrap();
        assert_eq!((confirmed.unwrap(), settled.unwrap()), (Some(until), ()));
        assert!(a.try_recv().is_err());
        drop(a);
        assert_eq!(
            permit(&["kinesis:a/1"]).confirm().unwrap_err().to_string(),
            "nobody answers for kinesis:a/ any more: what was read since the last commit is dropped"
        );
    }

    #[test]
    fn who_cannot_tell_behind_a_commit_is_asked_before_it_alone() {
        let claims = Claims::default();
        let mut queue = claims.answer_before(&["s3://"]);
        let mut leases = claims.answer_for("kinesis:");
        let answering = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for is_queue in [true, false, false] {
                let ask = if is_queue { queue.blocking_recv() } else { leases.blocking_recv() }.unwrap();
                asked.push((ask.moved, ask.note));
                ask.answer.send(Ok(Duration::MAX)).unwrap();
            }
            (asked, queue)
        });
        let alone = claims.permit("w", at_one(&["s3://b/k|e"]));
        assert_eq!(alone.note(), None);
        alone.settle().unwrap();
        let both = claims.permit("w", at_one(&["s3://b/k|e", "kinesis:a/1"]));
        both.confirm().unwrap();
        both.settle().unwrap();
        let (asked, _queue) = answering.join().unwrap();
        let (object, shard) = (at_one(&["s3://b/k|e"]), at_one(&["kinesis:a/1"]));
        assert_eq!(asked, [(object, None), (shard.clone(), None), (shard, both.note().cloned())]);
    }
}
