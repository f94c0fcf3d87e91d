//! Alerts in time order → for each the incident it belongs to and how urgent that is now.

mod columns;
mod habit;
mod incident;
mod stage;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

pub use columns::{ColumnError, Columns};

use super::hash::{hash, joined};
use super::table::{Cell, Table};
use habit::Habit;
use incident::Incident;
use stage::Stage;

const HOUR: f64 = 3600.0;

/// What rarity is worth at most, and what of it an alert must bring to count: about once in 16 hours is worth nothing.
const RARITY_MAX: f64 = 16.0;
const RARITY_FREE: f64 = 4.0;
/// The same of a burst. With 4 bits free, clumps of ordinary alerts rank above attacks that are of ordinary kinds.
const BURST_MAX: f64 = 6.0;
const BURST_FREE: f64 = 5.0;
/// Bits from which an alert makes one incident of those that its host and its address belong to.
const JOINING_MIN: f64 = 1.0;
/// An address is a hub, and joins nothing, with more than so many hosts in a day, or with three when it was seen in six
/// different hours: an attacker is new, what all talk to is not.
const HUB_HOSTS: usize = 20;
const HUB_HOSTS_OLD: usize = 3;
const HUB_HOURS: f32 = 6.0;
/// Incidents held open at most; past it the one that began first is closed.
const OPEN_MAX: usize = 10_000;

/// One alert. Texts that are missing are empty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alert<'a> {
    /// Seconds since 1970 or any other beginning. A time before that of the alert before it is taken for that.
    pub time: f64,
    /// Title, from which the stage of an attack is read, and the kind where `short` is empty.
    pub name: &'a str,
    /// Address seen.
    pub ip: &'a str,
    /// Machine that it is about.
    pub host: &'a str,
    /// Code of the kind of alert.
    pub short: &'a str,
}

/// Number of an incident, from 1 in the order in which they began. When two become one, later alerts have the number of the
/// one with the higher score, and the other's number is not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId(pub u64);

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Scores alerts one after another, in one pass. The same alerts give the same answers.
///
/// Memory is at most 70 MiB: 65,536 pairs of kind and host, 8,192 kinds, 65,536 hosts and addresses, 10,000 open
/// incidents of 48 kinds. Past that what is forgotten first is what was seen in the fewest hours and longest ago.
pub struct Scorer {
    begun: Option<f64>,
    /// Seconds since then.
    now: f64,
    on_host: Table<Habit>,
    anywhere: Table<Habit>,
    entities: Table<Entity>,
    open: BTreeMap<u64, Incident>,
    incidents: u64,
    swept: f64,
}

/// A host or an address.
#[derive(Default)]
struct Entity {
    incident: u64,
    hour: u64,
    /// Hours in which it was seen.
    hours: f32,
    /// Of an address: hosts it was seen with, and when last.
    hosts: Vec<(u64, f64)>,
}

impl Cell for Entity {
    fn worth(&self, hour: u64) -> f32 {
        self.hours / (1.0 + hour.saturating_sub(self.hour) as f32)
    }
}

impl Default for Scorer {
    fn default() -> Scorer {
        Scorer::new()
    }
}

impl Scorer {
    pub fn new() -> Scorer {
        Scorer {
            begun: None,
            now: 0.0,
            on_host: Table::new(13),
            anywhere: Table::new(10),
            entities: Table::new(13),
            open: BTreeMap::new(),
            incidents: 0,
            swept: 0.0,
        }
    }

    /// The incident of this alert and its priority after it, in bits: 0 for noise, about 10 for one thing never seen before,
    /// 25 and more for several stages of an attack. Alerts of an open incident share its priority, which fades by
    /// half in six hours.
    pub fn alert(&mut self, alert: &Alert<'_>) -> (IncidentId, f64) {
        let begun = *self.begun.get_or_insert(alert.time);
        self.now = self.now.max(alert.time - begun);
        let now = self.now;
        self.sweep();
        let kind = if alert.short.is_empty() { hash(alert.name.as_bytes()) } else { hash(alert.short.as_bytes()) };
        let (stage, bits) = self.evidence(kind, alert);
        let entities = self.entities_of(alert);
        let id = self.incident(&entities, bits);
        let incident = self.open.get_mut(&id).expect("incident() gives an open one");
        incident.take(kind, stage, bits, now);
        (IncidentId(id), incident.score(now))
    }

    /// What this alert adds to the odds of an attack: how rare its kind is, how many come at once, and what its name says.
    fn evidence(&mut self, kind: u64, alert: &Alert<'_>) -> (Stage, f64) {
        let hour = (self.now / HOUR) as u64;
        let anywhere = self.anywhere.cell(kind, hour);
        let here = self.on_host.cell(joined(kind, hash(alert.host.as_bytes())), hour);
        let stage = *anywhere.stage.get_or_insert_with(|| Stage::of(alert.name));
        if here.is_new() {
            anywhere.come_to_host(self.now);
        }
        anywhere.take(self.now);
        here.take(self.now);
        let rarity = here.rarity(anywhere, self.now / HOUR).min(RARITY_MAX) - RARITY_FREE;
        let burst = (here.burst(anywhere) - BURST_FREE).clamp(0.0, BURST_MAX);
        (stage, rarity + burst + stage.bits())
    }

    /// Keys of what can join this alert to others.
    fn entities_of(&mut self, alert: &Alert<'_>) -> Vec<u64> {
        let host = names_one(alert.host).then(|| joined(1, hash(alert.host.as_bytes())));
        let address = names_one(alert.ip).then(|| joined(2, hash(alert.ip.as_bytes())));
        let hour = (self.now / HOUR) as u64;
        let mut keys = Vec::with_capacity(2);
        for (key, with) in [(host, None), (address, host)] {
            let Some(key) = key else { continue };
            let entity = self.entities.cell(key, hour);
            entity.see(hour, with, self.now);
            if !entity.is_hub() {
                keys.push(key);
            }
        }
        keys
    }

    /// The open incident of these entities: the one with the highest score, which takes over the other where `bits` join
    /// them; a new one where there is none.
    fn incident(&mut self, entities: &[u64], bits: f64) -> u64 {
        let (now, hour) = (self.now, (self.now / HOUR) as u64);
        let belongs: Vec<u64> = entities.iter().map(|&key| self.entities.cell(key, hour).incident).collect();
        let mut found: Vec<(f64, u64)> = Vec::with_capacity(2);
        for &id in &belongs {
            let open = self.open.get(&id).filter(|incident| incident.is_open(now));
            if let Some(incident) = open.filter(|_| found.iter().all(|&(_, other)| other != id)) {
                found.push((incident.score(now), id));
            }
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let id = found.first().map_or_else(|| self.begin(), |&(_, id)| id);
        if bits >= JOINING_MIN {
            for (_, other) in found.drain(1.min(found.len())..) {
                let other = self.open.remove(&other).expect("it was found open");
                self.open.get_mut(&id).expect("it is open").absorb(other, now);
            }
        }
        for (&key, was) in entities.iter().zip(belongs) {
            let is_free = self.open.get(&was).is_none_or(|incident| !incident.is_open(now));
            if is_free || bits > 0.0 {
                self.entities.cell(key, hour).incident = id;
            }
        }
        id
    }

    fn begin(&mut self) -> u64 {
        if self.open.len() == OPEN_MAX {
            self.open.pop_first();
        }
        self.incidents += 1;
        self.open.insert(self.incidents, Incident::new(self.now));
        self.incidents
    }

    /// Once an hour forgets incidents that are over.
    fn sweep(&mut self) {
        let now = self.now;
        if now - self.swept > HOUR {
            self.swept = now;
            self.open.retain(|_, incident| incident.is_open(now));
        }
    }
}

impl Entity {
    fn see(&mut self, hour: u64, with: Option<u64>, now: f64) {
        if self.hours == 0.0 || self.hour != hour {
            self.hours += 1.0;
            self.hour = hour;
        }
        let Some(host) = with else { return };
        self.hosts.retain(|&(_, at)| now - at < 24.0 * HOUR);
        if let Some(known) = self.hosts.iter_mut().find(|(known, _)| *known == host) {
            known.1 = now;
        } else if self.hosts.len() <= HUB_HOSTS {
            self.hosts.push((host, now));
        }
    }

    fn is_hub(&self) -> bool {
        self.hosts.len() > HUB_HOSTS || self.hosts.len() >= HUB_HOSTS_OLD && self.hours >= HUB_HOURS
    }
}

/// False for texts that stand for no machine, and for the machine itself.
fn names_one(text: &str) -> bool {
    !["", "-", "none", "null", "nan", "n/a", "unknown", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::"]
        .iter()
        .any(|nobody| text.eq_ignore_ascii_case(nobody))
}
