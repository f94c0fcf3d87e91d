//! An outbox as bytes, for a commit, and back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::BufReader;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::archived::{Archived, SavedArchived};
use super::call::{Limits, Outgoing};
use super::queue::{Queue, State, Trouble};
use super::told::{SavedTold, Told};
use super::{Outbox, Poison};
use crate::time::Timestamp;

impl Outbox {
    /// Everything as bytes, for a commit. Calls that are out are not answered after a restart, so their findings wait
    /// again: what had been accepted is sent twice.
    pub fn snapshot(&self) -> Vec<u8> {
        let saved = Saved {
            version: VERSION,
            queues: self.queues.iter().map(|(place, queue)| SavedQueue::of(place, queue)).collect(),
            poison: self.poison.iter().map(SavedPoison::of).collect(),
            told: self.told.saved(),
            archived: self.archived.saved(),
            newest: self.newest.0,
        };
        let mut bytes = zstd::Encoder::new(Vec::new(), LEVEL).expect("the level is valid");
        serde_json::to_writer(&mut bytes, &saved).expect("plain data has a JSON form, and memory takes it");
        bytes.finish().expect("memory takes it")
    }

    /// Takes back what [`Outbox::snapshot`] gave; no bytes mean an empty start.
    ///
    /// # Errors
    /// When the bytes are not a snapshot of this version or the one before.
    pub fn restore(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let saved = Saved::read(bytes)?;
        let limits = self.limits;
        self.queues = saved.queues.into_iter().map(|queue| queue.queue(limits)).collect::<anyhow::Result<_>>()?;
        self.poison = saved.poison.into_iter().map(SavedPoison::poison).collect::<anyhow::Result<_>>()?;
        self.told = Told::restored(saved.told).context("the saved outbox cannot be read")?;
        self.archived = Archived::restored(saved.archived).context("the saved outbox cannot be read")?;
        self.newest = Timestamp(saved.newest);
        Ok(())
    }

    /// How many findings wait in what [`Outbox::snapshot`] gave.
    ///
    /// # Errors
    /// Those of [`Outbox::restore`].
    pub fn waiting_in(bytes: &[u8]) -> anyhow::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        Ok(Saved::read(bytes)?.queues.iter().map(|queue| queue.held.len()).sum())
    }
}

/// Version 1 named a place by the account and Region of its hub.
const VERSION: u32 = 2;
/// Of zstd. Findings are much alike: a full outbox becomes a few megabytes.
const LEVEL: i32 = 1;

#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    queues: Vec<SavedQueue>,
    poison: Vec<SavedPoison>,
    #[serde(default)]
    told: Vec<SavedTold>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    archived: Vec<SavedArchived>,
    #[serde(default)]
    newest: i64,
}

impl Saved {
    fn read(bytes: &[u8]) -> anyhow::Result<Saved> {
        let plain = zstd::Decoder::new(bytes).context("the saved outbox cannot be read")?;
        let saved: Saved = serde_json::from_reader(BufReader::new(plain)).context("the saved outbox cannot be read")?;
        if !(1..=VERSION).contains(&saved.version) {
            bail!("the saved outbox has version {}, and this weir knows version {VERSION}", saved.version);
        }
        Ok(saved)
    }
}

#[derive(Serialize, Deserialize)]
struct SavedQueue {
    place: Option<String>,
    #[serde(skip_serializing)]
    account: Option<String>,
    #[serde(skip_serializing)]
    region: Option<String>,
    full_at: i64,
    trouble: Option<Trouble>,
    /// In the order of their turns.
    held: Vec<SavedHeld>,
    /// Parts of refused calls, as places in `held`.
    suspects: Vec<Vec<usize>>,
}

#[derive(Serialize, Deserialize)]
struct SavedHeld {
    finding: SavedOutgoing,
    attempts: u32,
    resting_until: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct SavedOutgoing {
    id: String,
    critical: bool,
    priority: u8,
    updated_at: i64,
    json: String,
    /// None where it is one more than the JSON is long.
    #[serde(skip_serializing_if = "Option::is_none")]
    call_bytes: Option<usize>,
}

#[derive(Serialize, Deserialize)]
struct SavedPoison {
    place: Option<String>,
    #[serde(skip_serializing)]
    account: Option<String>,
    #[serde(skip_serializing)]
    region: Option<String>,
    finding: SavedOutgoing,
    code: String,
    message: String,
}

impl SavedQueue {
    fn of(place: &str, queue: &Queue) -> SavedQueue {
        let places: BTreeMap<u64, usize> = queue.held.keys().enumerate().map(|(place, turn)| (*turn, place)).collect();
        let held = queue.held.values().map(|held| SavedHeld {
            // that of the newer one makes the sending of the older one needless
            finding: SavedOutgoing::of(held.newer.as_ref().unwrap_or(&held.outgoing)),
            attempts: held.attempts,
            resting_until: match held.state {
                State::Resting(until) => Some(until.0),
                State::Ready | State::Suspect | State::Out => None,
            },
        });
        SavedQueue {
            place: Some(place.to_owned()),
            account: None,
            region: None,
            full_at: queue.rate.full_at.0,
            trouble: queue.trouble().cloned(),
            held: held.collect(),
            suspects: queue.suspects.iter().map(|part| part.iter().map(|turn| places[turn]).collect()).collect(),
        }
    }

    fn queue(self, limits: Limits) -> anyhow::Result<(String, Queue)> {
        let place = place(self.place, self.account, self.region)?;
        let mut queue = Queue::new(limits);
        queue.rate.full_at = Timestamp(self.full_at);
        queue.trouble = self.trouble;
        let suspects: BTreeSet<usize> = self.suspects.iter().flatten().copied().collect();
        let mut turns = Vec::with_capacity(self.held.len());
        for (place, held) in self.held.into_iter().enumerate() {
            let state = match held.resting_until {
                Some(until) => State::Resting(Timestamp(until)),
                None if suspects.contains(&place) => State::Suspect,
                None => State::Ready,
            };
            turns.push(queue.insert(held.finding.outgoing(), held.attempts, state));
        }
        let turn = |place: &usize| turns.get(*place).copied().context("the saved outbox names a finding it has not");
        let parts = self.suspects.iter().map(|part| part.iter().map(turn).collect::<anyhow::Result<Vec<u64>>>());
        queue.suspects = parts.collect::<anyhow::Result<VecDeque<_>>>()?;
        Ok((place, queue))
    }
}

impl SavedOutgoing {
    fn of(outgoing: &Outgoing) -> SavedOutgoing {
        let Outgoing { id, critical, priority, updated_at, json, call_bytes } = outgoing;
        SavedOutgoing {
            id: id.clone(),
            critical: *critical,
            priority: *priority,
            updated_at: updated_at.0,
            json: json.to_string(),
            call_bytes: (*call_bytes != json.len() + 1).then_some(*call_bytes),
        }
    }

    fn outgoing(self) -> Outgoing {
        let SavedOutgoing { id, critical, priority, updated_at, json, call_bytes } = self;
        let call_bytes = call_bytes.unwrap_or(json.len() + 1);
        Outgoing { id, critical, priority, updated_at: Timestamp(updated_at), json: json.into(), call_bytes }
    }
}

impl SavedPoison {
    fn of(poison: &Poison) -> SavedPoison {
        SavedPoison {
            place: Some(poison.place.clone()),
            account: None,
            region: None,
            finding: SavedOutgoing::of(&poison.outgoing),
            code: poison.code.clone(),
            message: poison.message.clone(),
        }
    }

    fn poison(self) -> anyhow::Result<Poison> {
        let place = place(self.place, self.account, self.region)?;
        Ok(Poison { place, outgoing: self.finding.outgoing(), code: self.code, message: self.message })
    }
}

fn place(place: Option<String>, account: Option<String>, region: Option<String>) -> anyhow::Result<String> {
    match (place, account, region) {
        (Some(place), ..) => Ok(place),
        (None, Some(account), Some(region)) => Ok(format!("{account} in {region}")),
        (None, ..) => bail!("the saved outbox names no place"),
    }
}
