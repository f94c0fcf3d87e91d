//! What waits for one place: which findings the next call takes, and what the answer to a call does to them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::call::{Answer, Call, Failed, Gather, Limits, Outcome, Outgoing, said};
use super::rate::{Rate, back_off};
use crate::time::Timestamp;

/// Of so many findings that are sent, one is the oldest that waits.
pub const OLDEST_EVERY: usize = 10;

/// Longest wait after a refusal, and after one that a person has to put right.
const WAIT_MICROS_MAX: i64 = 30_000_000;
const DENIED_WAIT_MICROS_MAX: i64 = 300_000_000;
/// After so many refusals in a row every second call is of findings that were in none of them: these may be the reason.
const TRIES_IN_FRONT: u32 = 5;
/// Multiples of the golden ratio, without their whole parts, lie far from each other.
const SPREAD: f64 = 0.618;
/// Longest pause that a service may ask for.
const PAUSE_MICROS_MAX: i64 = 300_000_000;

/// What [`Queue::next`] has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A call to make now.
    Call(Call),
    /// Nothing before then.
    At(Timestamp),
    /// Nothing before a call that is out has been answered.
    AfterAnswer,
    /// Nothing waits.
    Nothing,
}

/// The findings that wait for one place, and the calls that are out. Every finding has a turn, a number that grows with the
/// order in which they came.
#[derive(Debug)]
pub struct Queue {
    limits: Limits,
    pub(super) held: BTreeMap<u64, Held>,
    turns: HashMap<String, u64>,
    /// Ready to go, most urgent first: critical, priority, turn.
    urgent: BTreeSet<(Reverse<(bool, u8)>, u64)>,
    /// Ready to go, oldest first.
    oldest: BTreeSet<u64>,
    resting: BTreeSet<(Timestamp, u64)>,
    /// Parts of calls that were refused as a whole: each part is called alone until the culprit is.
    pub(super) suspects: VecDeque<Vec<u64>>,
    suspects_were_last: bool,
    /// Those of calls that the place did not take, though it may yet, since it last took one;
    in_doubt: BTreeSet<u64>,
    /// and whether the last call was for others.
    passed_over: bool,
    /// Findings that were chosen for calls, up to the next that is the oldest.
    chosen: usize,
    out: BTreeMap<u64, Out>,
    pub(super) rate: Rate,
    pub(super) trouble: Option<Trouble>,
    next_turn: u64,
    bytes: usize,
}

#[derive(Debug)]
pub(super) struct Held {
    pub outgoing: Outgoing,
    /// Refusals that may pass, of this finding alone, or of calls that it was in while others were taken.
    pub attempts: u32,
    pub state: State,
    /// Came while the finding was out: goes in its place.
    pub newer: Option<Outgoing>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    Resting(Timestamp),
    Suspect,
    Out,
}

#[derive(Debug)]
struct Out {
    turns: Vec<u64>,
    at: Timestamp,
}

/// Refusals of whole calls, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    pub attempts: u32,
    /// Microseconds since 1970 at which the last of them came. Calls that were out then tell nothing new.
    pub since: i64,
    /// Microseconds since 1970 before which the place is left alone.
    pub until: i64,
    /// Whether it takes a person to put it right: nobody may send there, or there is nothing there.
    pub denied: bool,
    /// Code and message of the last.
    pub why: String,
}

/// What [`Queue::put`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    New,
    /// In place of an older one with the same id, which keeps its turn.
    Update,
}

impl Queue {
    pub fn new(limits: Limits) -> Queue {
        Queue {
            limits,
            held: BTreeMap::new(),
            turns: HashMap::new(),
            urgent: BTreeSet::new(),
            oldest: BTreeSet::new(),
            resting: BTreeSet::new(),
            suspects: VecDeque::new(),
            suspects_were_last: false,
            in_doubt: BTreeSet::new(),
            passed_over: false,
            chosen: 0,
            out: BTreeMap::new(),
            rate: Rate::new(limits.pace),
            trouble: None,
            next_turn: 0,
            bytes: 0,
        }
    }

    /// Findings that wait or are out.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Their ids.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.turns.keys().map(String::as_str)
    }

    /// Whether calls are out that have no answer yet.
    pub fn is_out(&self) -> bool {
        !self.out.is_empty()
    }

    /// Bytes of JSON of all of them.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Why the place takes nothing at present; none while it does.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    pub fn is_denied(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.denied)
    }

    /// When the finding with this id, in its newest form, was updated.
    pub fn newest(&self, id: &str) -> Option<Timestamp> {
        let held = &self.held[self.turns.get(id)?];
        Some(held.newer.as_ref().unwrap_or(&held.outgoing).updated_at)
    }

    /// The same of all findings; 1970 where there is none.
    pub fn newest_of_all(&self) -> Timestamp {
        self.turns.keys().filter_map(|id| self.newest(id)).max().unwrap_or_default()
    }

    /// Takes a finding. It goes in place of the one with its id, if there is one, whatever their times.
    pub fn put(&mut self, outgoing: Outgoing) -> Taken {
        let Some(turn) = self.turns.get(&outgoing.id).copied() else {
            self.insert(outgoing, 0, State::Ready);
            return Taken::New;
        };
        let held = self.held.get_mut(&turn).expect("a turn is that of a finding");
        self.bytes += outgoing.json.len();
        if held.state == State::Out {
            self.bytes -= held.newer.replace(outgoing).map_or(0, |before| before.json.len());
        } else {
            let state = held.state;
            self.unlist(turn);
            let held = self.held.get_mut(&turn).expect("a turn is that of a finding");
            self.bytes -= std::mem::replace(&mut held.outgoing, outgoing).json.len();
            self.list(turn, state);
        }
        Taken::Update
    }

    pub(super) fn insert(&mut self, outgoing: Outgoing, attempts: u32, state: State) -> u64 {
        let turn = self.next_turn;
        self.next_turn += 1;
        self.bytes += outgoing.json.len();
        self.turns.insert(outgoing.id.clone(), turn);
        self.held.insert(turn, Held { outgoing, attempts, state, newer: None });
        self.list(turn, state);
        turn
    }

    /// The next call, if one may be made at `now`. Of every [`OLDEST_EVERY`] findings, the last is the oldest that waits,
    /// whatever its priority, and the others are the most urgent: critical ones, then by priority, then by age. Where
    /// calls were refused as a whole, every second one is a part of these.
    pub fn next(&mut self, now: Timestamp, number: u64) -> Next {
        self.wake(now);
        if self.urgent.is_empty() && self.suspects.is_empty() {
            return match self.resting.first() {
                Some((until, _)) => Next::At(*until),
                None if self.out.is_empty() => Next::Nothing,
                None => Next::AfterAnswer,
            };
        }
        let mut may = self.rate.next_call(now);
        if let Some(trouble) = &self.trouble {
            // one call finds out whether the trouble is over
            if !self.out.is_empty() {
                return Next::AfterAnswer;
            }
            if !is_due(trouble.until, now) {
                may = may.max(Timestamp(trouble.until));
            }
        }
        if may > now {
            return Next::At(may);
        }
        self.suspects_were_last = !self.suspects.is_empty() && (!self.suspects_were_last || self.urgent.is_empty());
        let turns = match self.suspects_were_last {
            true => self.next_suspects(),
            false => {
                let passes_over = self.passes_over_doubtful();
                let others = if passes_over { self.choose(now, &self.in_doubt) } else { Vec::new() };
                let turns = if others.is_empty() { self.choose(now, &BTreeSet::new()) } else { others };
                self.chosen = (self.chosen + turns.len()) % OLDEST_EVERY;
                turns
            }
        };
        for turn in &turns {
            self.unlist(*turn);
            self.held.get_mut(turn).expect("chosen from those held").state = State::Out;
        }
        self.rate.call(now);
        let ids = turns.iter().map(|turn| self.held[turn].outgoing.id.clone()).collect();
        let findings = turns.iter().map(|turn| self.held[turn].outgoing.json.clone()).collect();
        self.out.insert(number, Out { turns, at: now });
        Next::Call(Call { number, ids, findings })
    }

    /// The first part of a refused call. Updates may have made it too large for one call.
    fn next_suspects(&mut self) -> Vec<u64> {
        let mut part = self.suspects.pop_front().expect("there are suspects");
        let (mut count, mut bytes) = (0, 0);
        let fitting = part.iter().take_while(|turn| {
            count += 1;
            bytes += self.held[turn].outgoing.call_bytes;
            self.limits.fits(count, bytes)
        });
        let fitting = fitting.count().max(1);
        let rest = part.split_off(fitting);
        if !rest.is_empty() {
            self.suspects.push_front(rest);
        }
        part
    }

    fn choose(&self, now: Timestamp, passed_over: &BTreeSet<u64>) -> Vec<u64> {
        let most = match self.limits.gather {
            Gather::WhenLate if !self.rate.is_last(now) => 1,
            Gather::WhenLate | Gather::Full => usize::MAX,
        };
        let (mut urgent, mut oldest) = (self.urgent.iter().map(|(_, turn)| *turn), self.oldest.iter().copied());
        let mut chosen = Vec::new();
        let mut taken = BTreeSet::new();
        let mut bytes = 0;
        while chosen.len() < most {
            let is_new = |turn: &u64| !taken.contains(turn) && !passed_over.contains(turn);
            let turn = match (self.chosen + chosen.len()) % OLDEST_EVERY == OLDEST_EVERY - 1 {
                true => oldest.find(is_new),
                false => urgent.find(is_new),
            };
            let Some(turn) = turn else { break };
            bytes += self.held[&turn].outgoing.call_bytes;
            if !chosen.is_empty() && !self.limits.fits(chosen.len() + 1, bytes) {
                break;
            }
            taken.insert(turn);
            chosen.push(turn);
        }
        chosen
    }

    /// Reads the answer to a call that is out. `random`, between 0 and 1, spreads what is tried again.
    ///
    /// # Panics
    /// When no call with this number is out.
    pub fn answer(&mut self, number: u64, answer: Answer, now: Timestamp, random: f64) -> Outcome {
        let out = self.out.remove(&number).expect("only calls that are out are answered");
        let mut outcome = Outcome::default();
        match answer {
            Answer::Taken { success_count, failed } => {
                self.settle_doubt(&out.turns, now, random);
                self.trouble = None;
                self.taken(&out.turns, success_count, failed, now, random, &mut outcome);
            }
            Answer::Invalid { code, message } => {
                self.settle_doubt(&out.turns, now, random);
                self.trouble = None;
                self.bisect(out.turns, code, message, &mut outcome);
            }
            Answer::Denied { code, message } => {
                self.in_doubt.clear();
                self.refused(&out, Refused::Denied, said(&code, &message), now, random);
                out.turns.iter().for_each(|turn| self.back(*turn, State::Ready, &mut outcome));
            }
            Answer::Unavailable { code, message, pause } => {
                self.refused(&out, Refused::Unavailable { pause }, said(&code, &message), now, random);
                self.doubt(out.turns, &mut outcome);
            }
        }
        outcome
    }

    /// What the place did not take, though it may yet. Where nothing else waits and this goes on, it is tried in parts.
    fn doubt(&mut self, turns: Vec<u64>, outcome: &mut Outcome) {
        if self.goes_on() && self.urgent.is_empty() {
            turns.iter().for_each(|turn| self.back(*turn, State::Suspect, outcome));
            let parts = turns.chunks(turns.len().div_ceil(2)).map(<[u64]>::to_vec);
            self.suspects.extend(parts);
        } else {
            turns.iter().for_each(|turn| self.back(*turn, State::Ready, outcome));
            self.in_doubt.extend(turns);
        }
    }

    /// Whether the place has refused so many calls that findings may be the reason.
    fn goes_on(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.attempts >= TRIES_IN_FRONT)
    }

    /// Whether the next call, while the place is in trouble, is for findings that were in no refused one: every second, once there were many.
    fn passes_over_doubtful(&mut self) -> bool {
        let is_known = |turn: &u64| self.held.get(turn).is_some_and(|held| held.attempts > 0);
        let is_due = self.goes_on() || (self.trouble.is_some() && self.in_doubt.iter().any(is_known));
        self.passed_over = is_due && !self.passed_over;
        self.passed_over
    }

    /// The place takes a call of these: findings that were in those before, which it did not, make way for others. A service that fails
    /// whenever it is sent one of them would else get no other. They come back one by one, so that the culprit is soon alone.
    fn settle_doubt(&mut self, answered: &[u64], now: Timestamp, random: f64) {
        let in_doubt = std::mem::take(&mut self.in_doubt);
        if answered.iter().any(|turn| in_doubt.contains(turn)) {
            return;
        }
        for (place, turn) in in_doubt.into_iter().enumerate() {
            let Some(held) = self.held.get_mut(&turn).filter(|held| held.state == State::Ready) else { continue };
            held.attempts = held.attempts.saturating_add(1);
            let spread = (random + place as f64 * SPREAD).fract();
            let until = now.0.saturating_add(back_off(held.attempts, DENIED_WAIT_MICROS_MAX, spread));
            self.unlist(turn);
            self.list(turn, State::Resting(Timestamp(until)));
        }
    }

    fn taken(
        &mut self,
        turns: &[u64],
        success_count: usize,
        failed: Vec<Failed>,
        now: Timestamp,
        random: f64,
        outcome: &mut Outcome,
    ) {
        let first = failed.first().cloned();
        let mut failed: HashMap<String, Failed> = failed.into_iter().rev().map(|one| (one.id.clone(), one)).collect();
        let unnamed = turns.iter().filter(|turn| !failed.contains_key(&self.held[turn].outgoing.id)).count();
        // some failed and are not named: all that are not named go again, which changes nothing for those imported
        let is_whole = success_count >= unnamed;
        for turn in turns {
            let held = &self.held[turn];
            match failed.remove(&held.outgoing.id) {
                None if is_whole => {
                    outcome.accepted += 1;
                    self.settle(*turn);
                }
                Some(one) if !one.is_passing() => {
                    outcome.poison.push((held.outgoing.clone(), one.code, one.message));
                    self.settle(*turn);
                }
                passing => {
                    let of_others = || match &first {
                        Some(Failed { code, message, .. }) => {
                            format!("{}, of findings that were not sent", said(code, message))
                        }
                        None => format!("{success_count} of {} were accepted, and none is named", turns.len()),
                    };
                    let why = passing.map_or_else(of_others, |one| said(&one.code, &one.message));
                    outcome.why.get_or_insert(why);
                    let attempts = held.attempts + 1;
                    let until = now.0.saturating_add(back_off(attempts, WAIT_MICROS_MAX, random));
                    self.held.get_mut(turn).expect("out means held").attempts = attempts;
                    self.back(*turn, State::Resting(Timestamp(until)), outcome);
                }
            }
        }
    }

    /// Two halves instead of the call that was refused; a call of one finding has found the culprit.
    fn bisect(&mut self, turns: Vec<u64>, code: String, message: String, outcome: &mut Outcome) {
        if let [turn] = turns.as_slice() {
            outcome.poison.push((self.held[turn].outgoing.clone(), code, message));
            self.settle(*turn);
            return;
        }
        turns.iter().for_each(|turn| self.back(*turn, State::Suspect, outcome));
        let (first, second) = turns.split_at(turns.len().div_ceil(2));
        self.suspects.push_front(second.to_vec());
        self.suspects.push_front(first.to_vec());
    }

    fn refused(&mut self, out: &Out, refused: Refused, why: String, now: Timestamp, random: f64) {
        let attempts = match &self.trouble {
            Some(trouble) if out.at.0 < trouble.since => return,
            Some(trouble) => trouble.attempts.saturating_add(1),
            None => 1,
        };
        let (denied, wait) = match refused {
            Refused::Denied => (true, back_off(attempts, DENIED_WAIT_MICROS_MAX, random)),
            Refused::Unavailable { pause } => {
                (false, back_off(attempts, WAIT_MICROS_MAX, random).max(pause.unwrap_or(0)).min(PAUSE_MICROS_MAX))
            }
        };
        let until = now.0.saturating_add(wait);
        self.trouble = Some(Trouble { attempts, since: now.0, until, denied, why });
    }

    /// A finding that was out waits again, in its newest form.
    fn back(&mut self, turn: u64, state: State, outcome: &mut Outcome) {
        let held = self.held.get_mut(&turn).expect("out means held");
        if let Some(newer) = held.newer.take() {
            self.bytes -= std::mem::replace(&mut held.outgoing, newer).json.len();
        }
        outcome.again += 1;
        self.list(turn, state);
    }

    /// A finding that was out is done with; what came meanwhile waits anew.
    fn settle(&mut self, turn: u64) {
        let held = self.forget(turn);
        if let Some(newer) = held.newer {
            self.bytes -= newer.json.len();
            self.insert(newer, 0, State::Ready);
        }
    }

    fn forget(&mut self, turn: u64) -> Held {
        self.unlist(turn);
        let held = self.held.remove(&turn).expect("a turn is that of a finding");
        self.turns.remove(&held.outgoing.id);
        self.bytes -= held.outgoing.json.len();
        held
    }

    /// Gives up the least urgent finding that is ready, the newest of these.
    pub(super) fn give_up(&mut self) -> Option<Outgoing> {
        let (_, turn) = self.urgent.last().copied()?;
        Some(self.forget(turn).outgoing)
    }

    fn wake(&mut self, now: Timestamp) {
        while let Some((until, turn)) = self.resting.first().copied()
            && is_due(until.0, now)
        {
            self.unlist(turn);
            self.list(turn, State::Ready);
        }
    }

    fn list(&mut self, turn: u64, state: State) {
        let held = self.held.get_mut(&turn).expect("a turn is that of a finding");
        held.state = state;
        match state {
            State::Ready => {
                self.urgent.insert((Reverse((held.outgoing.critical, held.outgoing.priority)), turn));
                self.oldest.insert(turn);
            }
            State::Resting(until) => {
                self.resting.insert((until, turn));
            }
            State::Suspect | State::Out => {}
        }
    }

    fn unlist(&mut self, turn: u64) {
        let held = &self.held[&turn];
        match held.state {
            State::Ready => {
                self.urgent.remove(&(Reverse((held.outgoing.critical, held.outgoing.priority)), turn));
                self.oldest.remove(&turn);
            }
            State::Resting(until) => {
                self.resting.remove(&(until, turn));
            }
            State::Suspect | State::Out => {}
        }
    }
}

#[derive(Clone, Copy)]
enum Refused {
    Denied,
    Unavailable { pause: Option<i64> },
}

/// Whether a wait is over. One that is longer than waits are was set by a clock that has been set back since.
fn is_due(until: i64, now: Timestamp) -> bool {
    until <= now.0 || until.saturating_sub(now.0) > DENIED_WAIT_MICROS_MAX
}

#[cfg(test)]
mod tests;
