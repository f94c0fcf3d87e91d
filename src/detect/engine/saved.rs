//! What a detector remembers → bytes, and back.

use std::collections::{BTreeMap, BTreeSet};

use super::{Detector, MODEL_BYTES_MAX, Place, SEEN_BYTES_MAX, WINDOW_BYTES_MAX};
use crate::detect::horizon::Horizon;
use crate::detect::window::bytes::{Reader, Writer};
use crate::detect::window::state::Windows;
use crate::rule::{Rule, query_text};

/// Layout of [`Detector::snapshot`]. Version 1, of programs whose rules remembered nothing, is the version alone, and version 2 has nothing
/// of what was seen: both are refused. Version 3 knew of no scores, 4 of no partitions, 5 of no digests, 6 of no newcomers among scores, and all four are
/// read.
const SNAPSHOT_VERSION: u8 = 7;
/// Level of zstd.
const PACKING: i32 = 1;
/// Bytes of one rule's state, unpacked, that are believed to be it where nothing vouches for what its frame says.
const SNAPSHOT_BYTES_MAX: usize = 4 * (WINDOW_BYTES_MAX + SEEN_BYTES_MAX + MODEL_BYTES_MAX);
/// Keys and values in windows have the bytes that this library gives them.
const SORT_KEYS: &str = "arrow-row 59";
const DAMAGED: &str = "the saved state is damaged";

/// What became of a snapshot that was to be taken up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Rules that go on with what they remembered.
    pub taken: BTreeSet<String>,
    /// Rules that begin anew because their text is another one now.
    pub changed: Vec<String>,
    /// Rules that begin anew because what the snapshot has of them, or may have, cannot be read; each with why.
    pub lost: BTreeMap<String, String>,
    /// Why what the rules share cannot be read: how far partitions were, and how many findings each rule had.
    pub shared: Option<String>,
}

impl Restored {
    /// Whether every rule of the snapshot that there still is goes on.
    pub fn is_whole(&self) -> bool {
        self.changed.is_empty() && self.lost.is_empty() && self.shared.is_none()
    }
}

impl Detector {
    /// State to restore after a restart.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut to = Writer(vec![SNAPSHOT_VERSION]);
        let kept = || self.windows.iter().filter(|(place, _)| !self.not_kept.contains(&self.rule(**place).rule.id));
        to.number(kept().count() as u64);
        let mut packer = zstd::bulk::Compressor::new(PACKING).expect("there is such a level");
        for (place, windows) in kept() {
            let rule = &self.rule(*place).rule;
            // packed rule by rule, so that all of it is never there twice
            // about what it comes to: growing to it would copy it again and again
            let mut state = Writer(Vec::with_capacity(windows.bytes_len() / 2));
            windows.write(&mut state, self.windowed(*place).0);
            let state = packer.compress(&state.0).expect("a buffer in memory takes what is written to it");
            let hash = state_hash(rule);
            to.bytes(rule.id.as_bytes());
            to.fixed(&hash);
            to.bytes(&state);
            to.fixed(&digest(SNAPSHOT_VERSION, &[rule.id.as_bytes(), &hash, &state]));
        }
        let mut shared = Writer::default();
        self.horizon.write(&mut shared);
        self.floods.write(&mut shared);
        to.bytes(&shared.0);
        to.fixed(&digest(SNAPSHOT_VERSION, &[&shared.0]));
        to.0
    }

    /// Takes up the state of [`Detector::snapshot`], rule by rule: what cannot be read of one costs no other anything. Rules that are
    /// gone are forgotten.
    pub fn restore(&mut self, snapshot: &[u8]) -> Restored {
        let why = match snapshot {
            [version @ 3..=SNAPSHOT_VERSION, state @ ..] => return self.take_up(state, *version),
            [] => "the saved state is empty".to_owned(),
            [version, ..] => {
                format!("the saved state has version {version}, and this weir reads 3 to {SNAPSHOT_VERSION}")
            }
        };
        let mut restored = Restored { shared: Some(why.clone()), ..Restored::default() };
        self.give_up(&mut restored, &why);
        restored
    }

    fn take_up(&mut self, state: &[u8], version: u8) -> Restored {
        let (mut from, mut restored, mut is_torn) = (Reader(state), Restored::default(), false);
        let count = from.number().unwrap_or(u64::MAX);
        for _ in 0..count {
            let Some(saved) = Saved::read(&mut from, version) else {
                is_torn = true;
                break;
            };
            let Some(id) = saved.id() else {
                // whose it is cannot be told
                is_torn = true;
                continue;
            };
            let Some(place) = self.windows.keys().copied().find(|place| self.rule(*place).rule.id == id) else {
                continue;
            };
            if saved.hash != state_hash(&self.rule(place).rule) {
                restored.changed.push(id);
                continue;
            }
            let windows = zstd::bulk::decompress(saved.state, saved.bytes_max()).ok();
            let plan = self.windowed(place).0;
            match windows.and_then(|windows| Windows::read(&mut Reader(&windows), plan, version)) {
                Some(windows) => {
                    self.windows.insert(place, windows);
                    restored.taken.insert(id);
                }
                None => drop(restored.lost.insert(id, DAMAGED.to_owned())),
            }
        }
        if is_torn || self.take_up_shared(&mut from, version).is_none() {
            (self.horizon, restored.shared) = (Horizon::default(), Some(DAMAGED.to_owned()));
            self.floods.retain(|_| false);
            // some that were not met may be behind what cannot be read
            self.give_up(&mut restored, DAMAGED);
        }
        restored
    }

    fn take_up_shared(&mut self, from: &mut Reader, version: u8) -> Option<()> {
        let shared = match version {
            ..6 => std::mem::take(&mut from.0),
            _ => {
                let shared = from.bytes()?;
                (from.fixed()? == digest(version, &[shared])).then_some(shared)?
            }
        };
        let mut from = Reader(shared);
        self.horizon = if version >= 5 { Horizon::read(&mut from)? } else { Horizon::default() };
        self.floods.read(&mut from)?;
        let ids: BTreeSet<&str> = self.costs.keys().map(String::as_str).collect();
        self.floods.retain(|rule| ids.contains(rule));
        Some(())
    }

    /// Counts every rule over windows as lost that nothing is known of.
    fn give_up(&self, restored: &mut Restored, why: &str) {
        let rule = |place: &Place| self.rule(*place).rule.id.clone();
        for id in self.windows.keys().map(rule) {
            if !restored.taken.contains(&id) && !restored.changed.contains(&id) {
                restored.lost.entry(id).or_insert_with(|| why.to_owned());
            }
        }
    }
}

/// What a snapshot has of one rule.
struct Saved<'a> {
    id: &'a [u8],
    hash: [u8; 16],
    state: &'a [u8],
    /// Of versions that have one.
    digest: Option<[u8; 16]>,
    version: u8,
}

impl<'a> Saved<'a> {
    fn read(from: &mut Reader<'a>, version: u8) -> Option<Saved<'a>> {
        let (id, hash, state) = (from.bytes()?, from.fixed()?, from.bytes()?);
        let digest = if version >= 6 { Some(from.fixed()?) } else { None };
        Some(Saved { id, hash, state, digest, version })
    }

    /// Bytes of the state, unpacked, at most.
    fn bytes_max(&self) -> usize {
        let told = zstd::zstd_safe::get_frame_content_size(self.state).ok().flatten();
        let told = told.filter(|_| self.digest.is_some()).and_then(|bytes| usize::try_from(bytes).ok());
        told.unwrap_or(SNAPSHOT_BYTES_MAX)
    }

    /// The rule's id; `None` of what is not as it was written.
    fn id(&self) -> Option<String> {
        let is_whole =
            self.digest.is_none_or(|known| known == digest(self.version, &[self.id, &self.hash, self.state]));
        is_whole.then(|| String::from_utf8(self.id.to_vec()).ok())?
    }
}

/// From version 7 on the version is part of it: what is read as another version's would be read wrongly.
fn digest(version: u8, parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = blake3::Hasher::new();
    if version >= 7 {
        hash.update(&[version]);
    }
    for part in parts {
        hash.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    short(&hash)
}

fn short(hash: &blake3::Hasher) -> [u8; 16] {
    *hash.finalize().as_bytes().first_chunk().expect("a hash has 32 bytes")
}

/// Names what a rule remembers: one whose query differs remembers something else. Its title, remedy and the like say nothing of
/// rows.
pub(super) fn state_hash(rule: &Rule) -> [u8; 16] {
    let mut hash = blake3::Hasher::new();
    hash.update(SORT_KEYS.as_bytes());
    hash.update(&[u8::from(rule.aws_services)]);
    hash.update(query_text(&rule.text).as_bytes());
    short(&hash)
}
