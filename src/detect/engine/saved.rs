//! What a detector remembers → bytes, and back.

use std::collections::BTreeSet;

use super::{Detector, MODEL_BYTES_MAX, SEEN_BYTES_MAX, WINDOW_BYTES_MAX};
use crate::detect::horizon::Horizon;
use crate::detect::window::bytes::{Reader, Writer};
use crate::detect::window::state::Windows;
use crate::rule::{Rule, query_text};

/// Layout of [`Detector::snapshot`]. Version 1, of programs whose rules remembered nothing, is the version alone; of version 2, without what
/// was seen, nothing is taken up; version 3 knew of no scores, 4 of no partitions, and both are read.
const SNAPSHOT_VERSION: u8 = 5;
/// Level of zstd.
const PACKING: i32 = 1;
/// Bytes of one rule's state, unpacked, that are believed to be it.
const SNAPSHOT_BYTES_MAX: usize = 4 * (WINDOW_BYTES_MAX + SEEN_BYTES_MAX + MODEL_BYTES_MAX);
/// Keys and values in windows have the bytes that this library gives them.
const SORT_KEYS: &str = "arrow-row 59";

impl Detector {
    /// State to restore after a restart.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut to = Writer(vec![SNAPSHOT_VERSION]);
        let kept = || self.windows.iter().filter(|(place, _)| !self.not_kept.contains(&self.rule(**place).rule.id));
        to.number(kept().count() as u64);
        let mut packer = zstd::bulk::Compressor::new(PACKING).expect("there is such a level");
        for (place, windows) in kept() {
            let rule = &self.rule(*place).rule;
            to.bytes(rule.id.as_bytes());
            to.fixed(&state_hash(rule));
            // packed rule by rule, so that all of it is never there twice
            let mut state = Writer::default();
            windows.write(&mut state, self.windowed(*place).0);
            to.bytes(&packer.compress(&state.0).expect("a buffer in memory takes what is written to it"));
        }
        self.horizon.write(&mut to);
        self.floods.write(&mut to);
        to.0
    }

    /// Takes up the state of [`Detector::snapshot`]. Gives the ids of the rules that begin anew because their text is
    /// another one now; those that are gone are forgotten.
    ///
    /// # Errors
    /// When the bytes are not a snapshot of this version.
    pub fn restore(&mut self, snapshot: &[u8]) -> std::result::Result<Vec<String>, String> {
        match snapshot {
            [1] => Ok(Vec::new()),
            [2, ..] => Ok(self.windows.keys().map(|place| self.rule(*place).rule.id.clone()).collect()),
            [version @ 3..=SNAPSHOT_VERSION, state @ ..] => {
                self.take_up(state, *version).ok_or_else(|| "the detector's state is damaged".to_owned())
            }
            [] => Err("the detector's state is empty".into()),
            [version, ..] => {
                Err(format!("the detector's state has version {version}, this program reads {SNAPSHOT_VERSION}"))
            }
        }
    }

    fn take_up(&mut self, state: &[u8], version: u8) -> Option<Vec<String>> {
        let (mut from, mut anew) = (Reader(state), Vec::new());
        for _ in 0..from.number()? {
            let (id, hash, windows) = (from.text()?, from.fixed::<16>()?, from.bytes()?);
            let Some(place) = self.windows.keys().copied().find(|place| self.rule(*place).rule.id == id) else {
                continue;
            };
            if hash == state_hash(&self.rule(place).rule) {
                let windows = zstd::bulk::decompress(windows, SNAPSHOT_BYTES_MAX).ok()?;
                let windows = Windows::read(&mut Reader(&windows), self.windowed(place).0, version >= 4)?;
                self.windows.insert(place, windows);
            } else {
                anew.push(id);
            }
        }
        self.horizon = if version >= 5 { Horizon::read(&mut from)? } else { Horizon::default() };
        self.floods.read(&mut from)?;
        let ids: BTreeSet<&str> = self.costs.keys().map(String::as_str).collect();
        self.floods.retain(|rule| ids.contains(rule));
        Some(anew)
    }
}

/// The rules of a snapshot, each with the [`state_hash`] that it had; none of one that cannot be read.
pub(super) fn remembered(snapshot: &[u8]) -> BTreeSet<(String, [u8; 16])> {
    let [3..=SNAPSHOT_VERSION, state @ ..] = snapshot else { return BTreeSet::new() };
    let mut from = Reader(state);
    let count = from.number().unwrap_or(0);
    let one = |_| {
        let (id, hash) = (from.text()?, from.fixed::<16>()?);
        from.bytes().map(|_| (id, hash))
    };
    (0..count).map_while(one).collect()
}

/// Names what a rule remembers: one whose query differs remembers something else. Its title, remedy and the like say nothing of
/// rows.
pub(super) fn state_hash(rule: &Rule) -> [u8; 16] {
    let mut hash = blake3::Hasher::new();
    hash.update(SORT_KEYS.as_bytes());
    hash.update(&[u8::from(rule.aws_services)]);
    hash.update(query_text(&rule.text).as_bytes());
    let mut name = [0; 16];
    name.copy_from_slice(&hash.finalize().as_bytes()[..16]);
    name
}
