//! What is known of the rows of one key in one pane, and, merged over panes, in a window.

use std::sync::Arc;

use super::bytes::{Reader, Writer};
use super::ends::Ends;
use super::part::Part;
use super::smallest::Smallest;
use super::text::{EventId, Text};
use crate::finding::Finding;

/// The rows of one key within a stretch of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub rows: u64,
    /// Earliest and latest event time, in microseconds since 1970.
    pub first: i64,
    pub last: i64,
    pub account: Shared,
    pub region: Shared,
    pub actor: Shared,
    pub source_ip: Shared,
    /// The smallest texts, at most [`Finding::RESOURCES_MAX`].
    pub resources: Smallest<Text>,
    /// The smallest names of sessions, at most [`Finding::SESSIONS_MAX`].
    pub sessions: Smallest<Text>,
    /// The earliest and the last, at most [`Finding::EVENT_IDS_MAX`].
    pub event_ids: Ends<(i64, EventId)>,
    pub parts: Vec<Part>,
}

/// A text that all rows may share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shared {
    /// No row has one.
    #[default]
    None,
    /// All rows that have one have this.
    One(Text),
    /// They differ; this is the smallest.
    Several(Text),
}

impl Shared {
    pub fn add(&mut self, text: &Text) {
        match self {
            Shared::None => *self = Shared::One(text.clone()),
            Shared::One(known) if Arc::ptr_eq(known, text) || known == text => {}
            Shared::One(known) => *self = Shared::Several(text.min(&*known).clone()),
            Shared::Several(known) => {
                if !Arc::ptr_eq(known, text) && *text < *known {
                    *known = text.clone();
                }
            }
        }
    }

    fn merge(&mut self, other: &Shared) {
        match other {
            Shared::None => {}
            Shared::One(text) => self.add(text),
            Shared::Several(text) => {
                self.add(text);
                if let Shared::One(known) = self {
                    *self = Shared::Several(known.clone());
                }
            }
        }
    }

    /// The text that all rows share.
    pub fn one(&self) -> Option<&str> {
        match self {
            Shared::One(text) => Some(text),
            Shared::None | Shared::Several(_) => None,
        }
    }

    /// The smallest text.
    pub fn least(&self) -> Option<&str> {
        match self {
            Shared::One(text) | Shared::Several(text) => Some(text),
            Shared::None => None,
        }
    }

    fn bytes_len(&self) -> usize {
        self.least().map_or(0, str::len)
    }

    fn write(&self, to: &mut Writer) {
        to.byte(match self {
            Shared::None => 0,
            Shared::One(_) => 1,
            Shared::Several(_) => 2,
        });
        if let Some(text) = self.least() {
            to.bytes(text.as_bytes());
        }
    }

    fn read(from: &mut Reader) -> Option<Shared> {
        Some(match from.byte()? {
            0 => Shared::None,
            1 => Shared::One(from.text()?.into()),
            2 => Shared::Several(from.text()?.into()),
            _ => return None,
        })
    }
}

/// How often a text is shared stands before it.
const COUNTS: usize = 16;

fn texts_len(texts: &Smallest<Text>) -> usize {
    texts.places_len() + texts.as_slice().iter().map(|text| text.len() + COUNTS).sum::<usize>()
}

impl Group {
    /// A group without rows.
    pub fn new(parts: Vec<Part>) -> Group {
        Group {
            rows: 0,
            first: i64::MAX,
            last: i64::MIN,
            account: Shared::None,
            region: Shared::None,
            actor: Shared::None,
            source_ip: Shared::None,
            resources: Smallest::default(),
            sessions: Smallest::default(),
            event_ids: Ends::default(),
            parts,
        }
    }

    /// Adds the rows of another group of the same key.
    pub fn merge(&mut self, other: &Group) {
        self.rows += other.rows;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.account.merge(&other.account);
        self.region.merge(&other.region);
        self.actor.merge(&other.actor);
        self.source_ip.merge(&other.source_ip);
        self.resources.merge(&other.resources, Finding::RESOURCES_MAX);
        self.sessions.merge(&other.sessions, Finding::SESSIONS_MAX);
        self.event_ids.merge(&other.event_ids, Finding::EVENT_IDS_MAX);
        self.parts.iter_mut().zip(&other.parts).for_each(|(part, other)| part.merge(other));
    }

    /// About what it takes, in bytes.
    pub fn bytes_len(&self) -> usize {
        let names = [&self.account, &self.region, &self.actor, &self.source_ip];
        size_of::<Group>()
            + names.iter().map(|name| name.bytes_len()).sum::<usize>()
            + [&self.resources, &self.sessions].into_iter().map(texts_len).sum::<usize>()
            + self.event_ids.places_len()
            + self.event_ids.as_slice().iter().map(|(_, id)| id.bytes_len()).sum::<usize>()
            + self.parts.iter().map(Part::bytes_len).sum::<usize>()
    }

    pub fn write(&self, to: &mut Writer) {
        to.number(self.rows);
        to.signed(self.first);
        to.signed(self.last);
        [&self.account, &self.region, &self.actor, &self.source_ip].into_iter().for_each(|name| name.write(to));
        for texts in [self.resources.as_slice(), self.sessions.as_slice()] {
            to.number(texts.len() as u64);
            texts.iter().for_each(|text| to.bytes(text.as_bytes()));
        }
        to.number(self.event_ids.as_slice().len() as u64);
        for (time, id) in self.event_ids.as_slice() {
            to.signed(*time);
            id.write(to);
        }
        self.parts.iter().for_each(|part| part.write(to));
    }

    /// What [`Group::write`] wrote, of a rule with that many aggregates; `None` when it did not.
    pub fn read(from: &mut Reader, parts: usize) -> Option<Group> {
        let mut group = Group::new(Vec::with_capacity(parts));
        group.rows = from.number()?;
        group.first = from.signed()?;
        group.last = from.signed()?;
        for name in [&mut group.account, &mut group.region, &mut group.actor, &mut group.source_ip] {
            *name = Shared::read(from)?;
        }
        for texts in [&mut group.resources, &mut group.sessions] {
            *texts = (0..from.number()?).map(|_| Some(from.text()?.into())).collect::<Option<_>>()?;
        }
        let event_id = |from: &mut Reader| Some((from.signed()?, EventId::read(from)?));
        group.event_ids = (0..from.number()?).map(|_| event_id(from)).collect::<Option<_>>()?;
        for _ in 0..parts {
            group.parts.push(Part::read(from)?);
        }
        Some(group)
    }
}
