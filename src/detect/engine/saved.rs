//! What a detector remembers, or what of it changed → bytes, and back.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rayon::prelude::*;

use super::{Detector, Place};
use crate::detect::asleep::Asleep;
use crate::detect::compile::{CompiledRule, Then};
use crate::detect::horizon::Horizon;
use crate::detect::window::bytes::{Reader, Writer};
use crate::detect::window::log::{Digest, Saving, digest};
use crate::detect::window::plan::Windowed;
use crate::detect::window::state::Windows;
use crate::rule::{Rule, query_text, shorthand};

/// Layout of [`Parts`]. Until version 7 it was all in one, and each commit wrote all of it.
const SNAPSHOT_VERSION: u8 = 12;
/// Keys and values in windows have the bytes that this library gives them.
const SORT_KEYS: &str = "arrow-row 59";
const DAMAGED: &str = "the saved state is damaged";
/// Number of the part of a rule that names all others of it.
const HEAD: u64 = 0;

/// What a detector remembers, or what of it changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The version, and what the rules share.
    pub shared: Bytes,
    /// Of each rule over windows, by its id and a number. Of what changed those that are to be forgotten have no bytes.
    pub of_rules: BTreeMap<(String, u64), Bytes>,
}

impl Parts {
    /// Replaces what changed.
    pub fn take(&mut self, changes: Parts) {
        self.shared = changes.shared;
        for (name, bytes) in changes.of_rules {
            match bytes.is_empty() {
                true => self.of_rules.remove(&name),
                false => self.of_rules.insert(name, bytes),
            };
        }
    }
}

/// What became of a state that was to be taken up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Rules that go on with what they remembered.
    pub taken: BTreeSet<String>,
    /// Rules that begin anew because they ask something else of rows now.
    pub changed: Vec<String>,
    /// Rules that begin because nothing is saved of them.
    pub new: Vec<String>,
    /// Rules that begin anew because what the state has of them, or may have, cannot be read; each with why.
    pub lost: BTreeMap<String, String>,
    /// Why what the rules share cannot be read: how far partitions were, and how many findings each rule had.
    pub shared: Option<String>,
}

impl Restored {
    /// Whether every rule of the state that there still is goes on.
    pub fn is_whole(&self) -> bool {
        self.changed.is_empty() && self.lost.is_empty() && self.shared.is_none()
    }
}

impl Detector {
    /// What changed since this was asked last, or since what [`Detector::restore`] took up: all of it together is what to restore after a
    /// restart. Who loses one of these has to begin anew with what was kept before it.
    pub fn changes(&mut self) -> Parts {
        let (tables, not_kept) = (&self.tables, &self.not_kept);
        let kept_windows = self.windows.iter_mut().filter_map(|((table, place), windows)| {
            let CompiledRule { rule, then: Then::Window(plan, _), .. } = &tables[*table].rules[*place] else {
                unreachable!("only rules over windows have windows");
            };
            (!not_kept.contains(&rule.id)).then_some((&**rule, plan, windows))
        });
        // rules are apart in this too
        let saved: Vec<_> = kept_windows
            .collect::<Vec<_>>()
            .into_par_iter()
            .map_init(Saving::new, |saving, (rule, plan, windows)| {
                let mut head = Writer([state_hash(rule, plan), text_hash(rule)].concat());
                windows.save(plan, &mut head, saving);
                let named = name(rule, &head.0);
                if windows.saved.head.replace(named) != Some(named) {
                    head.fixed(&named);
                    saving.parts.insert(HEAD, head.0);
                }
                let live: BTreeSet<u64> = windows.parts().chain([HEAD]).collect();
                (rule, std::mem::take(&mut saving.parts), live)
            })
            .collect();
        let (mut parts, mut kept) = (BTreeMap::new(), Writer::default());
        let mut stored = std::mem::take(&mut self.stored);
        for (rule, changed, live) in saved {
            parts.extend(changed.into_iter().map(|(number, bytes)| ((rule.id.clone(), number), bytes.into())));
            for gone in stored.remove(&rule.id).unwrap_or_default().difference(&live) {
                parts.insert((rule.id.clone(), *gone), Bytes::new());
            }
            self.stored.insert(rule.id.clone(), live);
            kept.bytes(rule.id.as_bytes());
        }
        for rule in self.asleep.iter().flat_map(Asleep::windowed) {
            let live = BTreeSet::from([HEAD]);
            let known = stored.remove(&rule.id).unwrap_or_default();
            if !known.contains(&HEAD) {
                let mut head = Writer(head_asleep(rule));
                head.fixed(&name(rule, &head_asleep(rule)));
                parts.insert((rule.id.clone(), HEAD), head.0.into());
            }
            for gone in known.difference(&live) {
                parts.insert((rule.id.clone(), *gone), Bytes::new());
            }
            self.stored.insert(rule.id.clone(), live);
            kept.bytes(rule.id.as_bytes());
        }
        // of rules that are gone, or not kept
        for (id, numbers) in stored {
            parts.extend(numbers.into_iter().map(|number| ((id.clone(), number), Bytes::new())));
        }
        let mut shared = Writer::default();
        self.horizon.write(&mut shared);
        shared.bytes(&kept.0);
        // they are what is left
        self.floods.write(&mut shared);
        let mut to = Writer(vec![SNAPSHOT_VERSION]);
        to.bytes(&shared.0);
        to.fixed(&digest(&[&[SNAPSHOT_VERSION], &shared.0]));
        Parts { shared: to.0.into(), of_rules: parts }
    }

    /// Takes up what [`Detector::changes`] gave, all of it together, rule by rule: what cannot be read of one costs no other anything.
    /// Rules that are gone are forgotten.
    pub fn restore(&mut self, saved: &Parts) -> Restored {
        let mut restored = Restored::default();
        self.stored.clear();
        for (id, number) in saved.of_rules.keys() {
            self.stored.entry(id.clone()).or_default().insert(*number);
        }
        let why = match &saved.shared[..] {
            [SNAPSHOT_VERSION, shared @ ..] => {
                self.take_up(saved, shared, &mut restored);
                return restored;
            }
            [] => "the saved state is empty".to_owned(),
            [version, ..] => format!("the saved state has version {version}, and this weir reads {SNAPSHOT_VERSION}"),
        };
        restored.shared = Some(why.clone());
        self.wake_windowed(&|_| true);
        self.give_up(&mut restored, &why);
        restored
    }

    fn take_up(&mut self, saved: &Parts, shared: &[u8], restored: &mut Restored) {
        // what slept and is as it was goes on sleeping
        let mut asleep = BTreeSet::new();
        for rule in self.asleep.iter().flat_map(Asleep::windowed) {
            let head = saved.of_rules.get(&(rule.id.clone(), HEAD));
            if head.and_then(|head| whole(rule, head)).is_some_and(|(head, _)| *head == head_asleep(rule)) {
                asleep.insert(rule.id.clone());
            }
        }
        self.wake_windowed(&|id| !asleep.contains(id));
        restored.taken.extend(asleep);
        let places: Vec<Place> = self.windows.keys().copied().collect();
        let mut new = Vec::new();
        for place in places {
            let rule = self.rule(place).rule.clone();
            let part = |number| saved.of_rules.get(&(rule.id.clone(), number)).map(|bytes| &bytes[..]);
            let Some(head) = part(HEAD) else {
                new.push(rule.id.clone());
                continue;
            };
            let whole = whole(&rule, head);
            let known = whole.and_then(|(head, named)| {
                let (asks, head) = head.split_first_chunk::<16>()?;
                let (text, head) = head.split_first_chunk::<16>()?;
                Some((*asks, *text, head, *named))
            });
            let Some((asks, text, head, named)) = known else {
                restored.lost.insert(rule.id.clone(), DAMAGED.to_owned());
                continue;
            };
            if whole.is_some_and(|(head, _)| *head == head_asleep(&rule)) {
                // no row had come for it
                restored.taken.insert(rule.id.clone());
                continue;
            }
            if asks != state_hash(&rule, self.windowed(place).0) {
                restored.changed.push(rule.id.clone());
                continue;
            }
            match Windows::read(&mut Reader(head), self.windowed(place).0, &part) {
                Some(mut windows) => {
                    windows.saved.head = Some(named);
                    if text != text_hash(&rule) {
                        windows.take_edit();
                    }
                    self.windows.insert(place, windows);
                    restored.taken.insert(rule.id.clone());
                }
                None => drop(restored.lost.insert(rule.id.clone(), DAMAGED.to_owned())),
            }
        }
        match self.take_up_shared(shared) {
            Some(kept) => {
                // one that asks of rows alone now needs nothing of it
                let windowed = |id: &&String| self.places.get(*id).is_some_and(|at| self.windows.contains_key(at));
                for id in kept.iter().filter(windowed) {
                    if !restored.taken.contains(id) && !restored.changed.contains(id) {
                        restored.lost.entry(id.clone()).or_insert_with(|| DAMAGED.to_owned());
                    }
                }
                new.retain(|id| !restored.lost.contains_key(id));
                restored.new = new;
            }
            None => {
                (self.horizon, restored.shared) = (Horizon::default(), Some(DAMAGED.to_owned()));
                self.floods.retain(|_| false);
                // whether more of them were saved is not known
                self.give_up(restored, DAMAGED);
            }
        }
    }

    /// Gives the rules of which there is something.
    fn take_up_shared(&mut self, shared: &[u8]) -> Option<Vec<String>> {
        let mut from = Reader(shared);
        let shared = from.bytes()?;
        (from.fixed()? == digest(&[&[SNAPSHOT_VERSION], shared])).then_some(())?;
        let mut from = Reader(shared);
        self.horizon = Horizon::read(&mut from)?;
        let (mut rest, mut kept) = (Reader(from.bytes()?), Vec::new());
        self.floods.read(&mut from)?;
        let ids: BTreeSet<&str> = self.costs.keys().map(String::as_str).collect();
        self.floods.retain(|rule| ids.contains(rule));
        while !rest.0.is_empty() {
            kept.push(rest.text()?);
        }
        Some(kept)
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

/// Stands for all that a rule remembers that slept, which is nothing: no row had what its text asks for.
fn head_asleep(rule: &Rule) -> Vec<u8> {
    [digest(&[b"asleep"]), text_hash(rule)].concat()
}

/// What names all that is saved of a rule, and its own name, where that is right.
fn whole<'a>(rule: &Rule, head: &'a [u8]) -> Option<(&'a [u8], &'a Digest)> {
    head.split_last_chunk::<16>().filter(|(head, named)| **named == name(rule, head))
}

/// Names all that is saved of a rule.
fn name(rule: &Rule, head: &[u8]) -> Digest {
    digest(&[&[SNAPSHOT_VERSION], rule.id.as_bytes(), head])
}

/// Names what a rule remembers: one that asks something else of rows remembers something else. Its title, what it selects of windows and
/// their condition say nothing of rows.
pub(super) fn state_hash(rule: &Rule, plan: &Windowed) -> Digest {
    let meanings: Vec<&str> = shorthand::meanings(query_text(&rule.text)).collect();
    let services = [u8::from(rule.aws_services)];
    digest(&[SORT_KEYS.as_bytes(), rule.table.as_bytes(), &services, &plan.asks, meanings.concat().as_bytes()])
}

/// Names a rule's query as it is written.
pub(super) fn text_hash(rule: &Rule) -> Digest {
    digest(&[query_text(&rule.text).as_bytes()])
}
