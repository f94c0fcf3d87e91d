//! The notices in our hands, and until when the queue gives none of them to anybody else.
//!
//! That is a matter of a clock alone, which goes on while this process is stopped or the machine sleeps. SQS is no judge of it: it may take
//! the handle of a message that another has received since for a good one. So a notice is ours from when we asked for it, for as long as
//! we asked to have it hidden, and for longer only where SQS has said so before that was over.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::days::is_done;
use super::queue::{Message, Queue, Told};
use crate::aws::Trouble;
use crate::metrics::{self, METRICS};
use crate::position::{Checkpoint, Position};
use crate::source::claims::{Ask, Lost};
use crate::wait::{boottime, sleep};

/// From one try to hide notices, or to delete them, to the next, where a commit or the end of the run waits for it.
const PAUSE: Duration = Duration::from_millis(500);

/// A notice in our hands.
pub(super) struct Held {
    pub message: Message,
    /// `s3://BUCKET/KEY` of the objects that it names; `sqs://ID` where it is read itself.
    names: Vec<String>,
    /// Until then, by [`boottime`], nobody else gets it.
    hidden_until: Duration,
    /// Somebody else may have got it.
    pub is_lost: bool,
    /// Objects that are not read yet.
    pub left: usize,
    /// Those that are, by partition: to be seen in the checkpoint.
    pub read: Vec<Arc<str>>,
    pub failed: Option<(String, Trouble)>,
    pub stopped: bool,
    /// When it was last to be deleted.
    deleted: Option<Duration>,
    /// Several queues have notices in their hands.
    _counted: metrics::Held,
}

impl Held {
    /// All that it names is committed.
    fn is_settled(&self, done: &Checkpoint) -> bool {
        let all_read = self.left == 0 && self.failed.is_none() && !self.stopped;
        all_read && self.read.iter().all(|object| is_done(done, object))
    }
}

pub(super) struct Hands {
    pub queue: Queue,
    /// How long a notice is hidden at a time.
    hidden: Duration,
    held: BTreeMap<u64, Held>,
    next: u64,
}

impl Hands {
    pub fn new(queue: Queue, hidden: Duration) -> Hands {
        Hands { queue, hidden, held: BTreeMap::new(), next: 0 }
    }

    pub fn len(&self) -> usize {
        self.held.len()
    }

    pub fn all(&self) -> impl Iterator<Item = &Held> {
        self.held.values()
    }

    pub fn get_mut(&mut self, number: u64) -> &mut Held {
        self.held.get_mut(&number).expect("a notice is held until its objects are read")
    }

    /// Whether what was received by a call of this time is still ours.
    pub fn is_ours(&self, asked: Duration) -> bool {
        boottime() < asked + self.hidden
    }

    /// Takes a notice that was asked for at this time, with the names of what is read for it; gives the number it has here.
    pub fn take(&mut self, message: Message, names: Vec<String>, asked: Duration) -> u64 {
        let number = self.next;
        self.next += 1;
        let held = Held {
            message,
            hidden_until: asked + self.hidden,
            is_lost: false,
            left: names.len(),
            names,
            read: Vec::new(),
            failed: None,
            stopped: false,
            deleted: None,
            _counted: metrics::Held::new(METRICS.notices_held.clone(), 1),
        };
        self.held.insert(number, held);
        number
    }

    pub fn remove(&mut self, number: u64) -> Held {
        self.held.remove(&number).expect("a notice is held until it is removed")
    }

    /// Hides for longer what has less than half of its time left.
    pub async fn hide_longer(&mut self) {
        let (asked, hidden) = (boottime(), self.hidden);
        let soon = |held: &&mut Held| !held.is_lost && held.hidden_until < asked + hidden / 2;
        let mut due: Vec<&mut Held> = self.held.values_mut().filter(soon).collect();
        due.iter_mut().filter(|held| held.hidden_until <= asked).for_each(|held| lose(held));
        due.retain(|held| !held.is_lost);
        let messages: Vec<_> = due.iter().map(|held| (held.message.handle.clone(), hidden)).collect();
        let told = self.queue.hide(&messages).await;
        let answered = boottime();
        for (held, told) in due.into_iter().zip(told) {
            match told {
                // else another may have had it when this was done
                Told::Done if answered < held.hidden_until => held.hidden_until = asked + hidden,
                Told::Done | Told::Refused => lose(held),
                Told::Nothing => {}
            }
        }
    }

    /// Answers whether a commit may be made. Who asked may have gone.
    pub async fn answer(&mut self, ask: Ask) {
        let answer = self.confirm(&ask.moved).await;
        let _ = ask.answer.send(answer);
    }

    /// Until when a commit that moves these partitions must have been made, so that there is time left to acknowledge it: a quarter of
    /// that for which a notice is hidden.
    async fn confirm(&mut self, moved: &[Position]) -> Result<Duration, Lost> {
        let names = moved.iter().filter_map(|position| Some(position.partition.rsplit_once('|')?.0));
        let names: HashSet<&str> = names.collect();
        loop {
            self.hide_longer().await;
            let mut until = Duration::MAX;
            for held in self.held.values() {
                let Some(name) = held.names.iter().find(|name| names.contains(name.as_str())) else { continue };
                if held.is_lost {
                    return Err(Lost::Shown(name.clone()));
                }
                until = until.min(held.hidden_until - self.hidden / 4);
            }
            if boottime() < until {
                return Ok(until);
            }
            sleep(PAUSE).await;
        }
    }

    /// Deletes the notices of which all objects are committed, and gives the objects. What could not be deleted stays here, and hidden:
    /// another worker would not know that it is done. It is tried again after a while.
    pub async fn settle(&mut self, done: &Checkpoint) -> Vec<Arc<str>> {
        self.settle_every(done, self.hidden / 4).await
    }

    async fn settle_every(&mut self, done: &Checkpoint, pause: Duration) -> Vec<Arc<str>> {
        let asked = boottime();
        let is_due = |held: &Held| held.deleted.is_none_or(|before| before + pause <= asked) && held.is_settled(done);
        let (mut settled, mut handles) = (Vec::new(), Vec::new());
        for (number, held) in self.held.iter_mut().filter(|(_, held)| is_due(held)) {
            held.deleted = Some(asked);
            settled.push(*number);
            handles.push(held.message.handle.clone());
        }
        let told = self.queue.delete(&handles).await;
        let now = boottime();
        let mut objects = Vec::new();
        for (number, told) in settled.into_iter().zip(told) {
            if told == Told::Nothing {
                continue;
            }
            let held = self.remove(number);
            count(if told == Told::Done { "deleted" } else { "kept" }, 1);
            if held.is_lost || held.hidden_until <= now {
                let names = held.names.join(", ");
                tracing::warn!(names, "acknowledged too late: another worker may have read the same objects");
            }
            objects.extend(held.read);
        }
        objects
    }

    /// Behind the last commit: deletes what is in it, with a few more tries, and gives the rest back to the others.
    pub async fn let_go(mut self, done: &Checkpoint, tries: u32) {
        for left in (0..tries).rev() {
            self.settle_every(done, Duration::ZERO).await;
            if left == 0 || !self.held.values().any(|held| held.is_settled(done)) {
                break;
            }
            sleep(PAUSE).await;
        }
        let now = boottime();
        let is_ours = |held: &Held| !held.is_lost && now < held.hidden_until;
        let rest = self.held.extract_if(.., |_, held| is_ours(held) && !held.is_settled(done));
        let rest: Vec<_> = rest.map(|(_, held)| (held.message.handle, Duration::ZERO)).collect();
        count("returned", rest.len());
        self.queue.hide(&rest).await;
    }
}

fn lose(held: &mut Held) {
    held.is_lost = true;
    count("lost", 1);
    let names = held.names.join(", ");
    tracing::warn!(names, "a notice was not hidden for long enough: another worker may read its objects");
}

pub(super) fn count(outcome: &str, notices: usize) {
    METRICS.notices.with_label_values(&[outcome]).inc_by(notices as u64);
}
