//! What the pipeline asks before it makes anything permanent: whether those who read it may still do so. Kinesis shards move
//! between workers; what a worker has read of one that it lost meanwhile is for another to archive and to tell of.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::health::HEALTH;
use crate::wait::recv_timeout;

/// A wait for an answer shows this often that it is one.
const LOOK: Duration = Duration::from_secs(1);

/// Names a life of a worker; no two have the same: the standard library's hasher has random keys.
pub fn random_name() -> String {
    #[cfg(test)]
    if let Some(number) = crate::wait::simulated::random(u64::MAX) {
        return format!("{number:016x}");
    }
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

/// A question of the pipeline's, and where the answer goes.
pub struct Ask {
    /// Partitions that the next commit moves on.
    pub partitions: Vec<Arc<str>>,
    /// Until when the commit must have been made, or which partition is another's by now.
    pub answer: Sender<Result<Instant, Lost>>,
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
    /// Who kept the leases of partitions that begin so has ended.
    #[error("the leases of {0} are kept no more: what was read since the last commit is dropped")]
    Unkept(String),
}

/// Those who answer. A clone asks the same.
#[derive(Clone, Default)]
pub struct Claims(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Each with what its partitions begin with.
    keepers: Mutex<Vec<(String, UnboundedSender<Ask>)>>,
    hurried: AtomicBool,
}

impl Claims {
    /// Has all questions about partitions that begin so come here. When the receiver is gone, they are lost.
    pub fn answer_for(&self, beginning: String) -> UnboundedReceiver<Ask> {
        let (sender, receiver) = unbounded_channel();
        self.0.keepers.lock().expect("nobody panics while holding it").push((beginning, sender));
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

    /// Asks whether these partitions may be committed, and gives the time by which the commit must have been made; `None` when
    /// nobody else can take them. Waits for as long as the answer takes.
    ///
    /// # Errors
    /// When one of them is another worker's.
    pub fn confirm(&self, moved: &[Arc<str>]) -> Result<Option<Instant>, Lost> {
        let mut until: Option<Instant> = None;
        let keepers = self.0.keepers.lock().expect("nobody panics while holding it").clone();
        for (beginning, keeper) in keepers {
            let of_keeper = moved.iter().filter(|partition| partition.starts_with(&beginning));
            let partitions: Vec<Arc<str>> = of_keeper.cloned().collect();
            if partitions.is_empty() {
                continue;
            }
            let (sender, receiver) = channel();
            // where it cannot be sent, the receiver tells
            let _ = keeper.send(Ask { partitions, answer: sender });
            let time = wait(&receiver).unwrap_or(Err(Lost::Unkept(beginning)))?;
            until = Some(until.map_or(time, |until| until.min(time)));
        }
        Ok(until)
    }
}

fn wait(answer: &Receiver<Result<Instant, Lost>>) -> Option<Result<Instant, Lost>> {
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

    fn names(names: &[&str]) -> Vec<Arc<str>> {
        names.iter().map(|&name| name.into()).collect()
    }

    #[test]
    fn who_reads_a_partition_is_asked_about_it_and_no_one_else() {
        let claims = Claims::default();
        assert!(claims.confirm(&names(&["kinesis:a/1"])).unwrap().is_none());
        let (mut a, mut b) = (claims.answer_for("kinesis:a/".into()), claims.answer_for("kinesis:b/".into()));
        assert!(claims.confirm(&names(&["file"])).unwrap().is_none());
        let until = Instant::now();
        let other = claims.clone();
        let asking = std::thread::spawn(move || other.confirm(&names(&["file", "kinesis:b/1", "kinesis:b/2"])));
        let ask = b.blocking_recv().unwrap();
        assert_eq!(ask.partitions, names(&["kinesis:b/1", "kinesis:b/2"]));
        ask.answer.send(Ok(until)).unwrap();
        assert_eq!(asking.join().unwrap().unwrap(), Some(until));
        assert!(a.try_recv().is_err());
        drop(a);
        assert_eq!(
            claims.confirm(&names(&["kinesis:a/1"])).unwrap_err().to_string(),
            "the leases of kinesis:a/ are kept no more: what was read since the last commit is dropped"
        );
    }
}
