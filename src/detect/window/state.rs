//! Groups of one rule, by pane and key: rows go in, windows whose condition holds come out, and old panes leave.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use datafusion::common::Result;
use hashbrown::hash_map::EntryRef;
use hashbrown::{HashMap, HashSet};

use super::frame::Moments;
use super::gather::{Selected, Together};
use super::group::Group;
use super::log::{Digest, Log, Mark, Part};
use super::part::hash;
use super::plan::{FirstSeen, Span, Window, Windowed};
use super::score::Model;
use super::seen::Seen;
use super::text::Text;
use crate::time::{MICROS_PER_HOUR, Timestamp};

/// Sort key of a group's key.
pub type Key = Arc<[u8]>;

/// What a rule with windows remembers.
#[derive(Debug, Default)]
pub struct Windows {
    pub(super) panes: BTreeMap<i64, Pane>,
    /// Rows of panes before this one are late.
    pub(super) floor: Option<i64>,
    /// Panes before this one have left; of a rule over frames, some stay for a time after `floor` has passed them.
    pub(super) left: Option<i64>,
    /// Panes before this one left for want of room, if they were there.
    pub(super) shed: Option<i64>,
    /// Panes that groups left for want of room, and the last that left whole; see [`Windows::may_lack`].
    pub(super) holed: BTreeSet<i64>,
    /// It was remembered for another text of the rule: each window is to be judged by this one.
    pub edited: bool,
    /// Of a rule that asks what is new.
    pub seen: Seen,
    /// Of a rule that scores its windows: what those taught that have left.
    pub model: Model,
    /// The pane whose windows are told as they come, of a rule whose scores are foreseen.
    pub foreseen: Option<i64>,
    /// Only keys whose hash leaves the first where it is divided by the second are kept, where not all can be at once.
    pub part: Option<[u64; 2]>,
    /// About what the groups take, in bytes.
    pub(super) bytes: usize,
    pub saved: Saved,
}

/// What is saved of it; the rest is with what it is of.
#[derive(Debug, Default)]
pub struct Saved {
    pub(super) groups: Log<(i64, Key)>,
    pub(super) model: Option<Part>,
    /// Whether it has learnt since.
    pub(super) has_learnt: bool,
    /// Number of the last part.
    pub(super) last: u64,
    /// What names all of it, as it was last saved.
    pub head: Option<Digest>,
}

#[derive(Debug)]
pub(super) struct Pane {
    /// In boxes: a table that grew has up to twice the places, and those of what left stay in it.
    pub(super) groups: HashMap<Key, Box<Kept>>,
    /// When a row first came into it, and last.
    pub(super) begun: Timestamp,
    pub(super) touched: Timestamp,
    /// Of a rule over frames.
    pub(super) moments: Moments,
    pub(super) bytes: usize,
    pub(super) peaks: Peaks,
    /// What was saved until this part was so of another one with its number.
    pub(super) since: u64,
    /// Keys that changed, and those that were saved and are gone, since it was saved.
    pub(super) changed: Vec<Key>,
    pub(super) gone: Vec<Key>,
}

/// A group, and where it is saved.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) group: Group,
    pub(super) mark: Mark,
    /// Rows of it that came before may have left for want of room.
    pub(super) partial: bool,
}

/// What the parts of any group of a pane are at most: many windows hold too little whichever key they are of. They tell what need not be
/// looked at, and nothing of what there is: of groups that left they still know.
#[derive(Clone, Debug, Default)]
pub(super) struct Peaks(Vec<u64>);

impl Peaks {
    pub(super) fn add(&mut self, group: &Group) {
        self.0.resize(group.parts.len(), 0);
        for (peak, part) in self.0.iter_mut().zip(&group.parts) {
            *peak = part.at_most().max(*peak);
        }
    }

    fn sum<'a>(all: impl Iterator<Item = &'a Peaks>) -> Vec<u64> {
        let mut sums = Vec::new();
        for Peaks(peaks) in all {
            sums.resize(peaks.len().max(sums.len()), 0u64);
            sums.iter_mut().zip(peaks).for_each(|(sum, peak)| *sum = sum.saturating_add(*peak));
        }
        sums
    }
}

/// What became of the rows that a rule selected.
#[derive(Default)]
pub struct Added {
    /// The groups that changed and may make a window fire, when the rule fires at once.
    pub changed: BTreeSet<(Key, i64)>,
    /// The number of rows whose pane had left, or that have no time.
    pub late: u64,
    /// Of these what is lost, since their pane left for want of room.
    pub lost: Vec<Left>,
}

/// What left before its time, of one pane.
#[derive(Debug, PartialEq)]
pub struct Left {
    /// Its number.
    pub pane: i64,
    pub groups: u64,
    /// The smallest of those that they are of.
    pub account: Option<Text>,
    pub region: Option<Text>,
}

impl Left {
    /// What is of one pane, account and Region together, as one.
    fn together(all: Vec<Left>) -> Vec<Left> {
        let mut groups = BTreeMap::new();
        for Left { pane, groups: more, account, region } in all {
            *groups.entry((pane, account, region)).or_default() += more;
        }
        groups.into_iter().map(|((pane, account, region), groups)| Left { pane, groups, account, region }).collect()
    }

    pub(super) fn of<'a>(pane: i64, groups: impl Iterator<Item = &'a Group>) -> Left {
        let mut left = Left { pane, groups: 0, account: None, region: None };
        for group in groups {
            left.groups += 1;
            for (known, name) in [(&mut left.account, group.account.least()), (&mut left.region, group.region.least())]
            {
                let Some(name) = name else { continue };
                if known.as_deref().is_none_or(|known| name < known) {
                    *known = Some(name.into());
                }
            }
        }
        left
    }
}

/// About what a key and its place take besides the group, and its names in what was saved.
const PLACE_BYTES: usize = 96;
/// Panes that are remembered to have holes. Only clocks that are wrong by years make so many.
const HOLED_MAX: usize = 4096;

impl Windows {
    pub fn bytes_len(&self) -> usize {
        self.bytes
    }

    /// Goes on for another text of its rule, which asks the same of rows.
    pub fn take_edit(&mut self) {
        self.edited = true;
        for pane in self.panes.values_mut() {
            pane.peaks = Peaks::default();
            pane.groups.values().for_each(|kept| pane.peaks.add(&kept.group));
        }
    }

    /// Takes in what a rule selected of a batch, which may fire at once.
    pub fn add(&mut self, rule: &Windowed, selected: Selected, at_once: bool, now: Timestamp) -> Added {
        let (mut changed, mut late, mut lost) = (Vec::new(), selected.untimed, Vec::new());
        let new = rule.first.map(|first| self.note_new(&selected, first));
        for Together { pane: number, places, rows } in selected.together() {
            let key = selected.key(places);
            if self.part.is_some_and(|[part, parts]| hash(key) % parts != part) {
                continue;
            }
            if new.as_ref().is_some_and(|new| !new.contains(&(selected.key_place(places), number))) {
                continue;
            }
            if self.floor.is_some_and(|floor| number < floor) {
                late += rows.len() as u64;
                if self.shed.is_some_and(|shed| number < shed) {
                    lost.push(selected.left(rows, number));
                }
                continue;
            }
            // rows of frames come one by one
            let moment = rule.span.frame.map(|_| selected.names.time(rows[0]));
            // one that came after the rows before it have left counts for the frames behind it only
            let whole = moment.is_none_or(|time| self.is_whole(rule.span, time));
            let partial = self.holed.contains(&number);
            let pane = self.panes.entry(number).or_insert_with(|| Pane::new(now, self.saved.last));
            pane.touched = pane.touched.max(now);
            let (group, mut before) = match pane.groups.entry_ref(key) {
                EntryRef::Occupied(mut known) => {
                    if known.get_mut().mark.change() {
                        pane.changed.push(known.key().clone());
                    }
                    let group = &mut known.into_mut().group;
                    let before = bytes_of(key, group);
                    (group, before)
                }
                EntryRef::Vacant(new) => {
                    let key = Key::from(key);
                    let mut kept = Box::new(Kept { group: rule.empty(), mark: Mark::default(), partial });
                    kept.mark.change();
                    pane.changed.push(key.clone());
                    (&mut new.insert_with_key(key, kept).group, 0)
                }
            };
            selected.add(places, rows, group);
            let mut after = bytes_of(key, group);
            // a group of several panes is asked when all have come
            if at_once && (rule.span.size > rule.span.slide || rule.may_hold(group)) {
                changed.push((key, moment.unwrap_or(number)));
                pane.peaks.add(group);
            }
            if let Some(time) = moment {
                let (asked, add) = (selected.asked(places), |group: &mut Group| selected.add(places, rows, group));
                let (was, is) = pane.moments.add(key, time, asked, || rule.empty(), add);
                (before, after) = (before + was, after + is);
                late += u64::from(!whole);
            }
            pane.bytes = pane.bytes + after - before;
            self.bytes = self.bytes + after - before;
        }
        if rule.span.frame.is_none() && rule.span.size > rule.span.slide {
            self.keep_those_that_may_hold(rule, &mut changed);
        }
        changed.sort_unstable();
        changed.dedup();
        let changed = changed.into_iter().map(|(key, number)| (key.into(), number)).collect();
        Added { changed, late, lost: Left::together(lost) }
    }

    /// Leaves those groups of which a window may hold; of most rows that come none does.
    fn keep_those_that_may_hold(&self, rule: &Windowed, changed: &mut Vec<(&[u8], i64)>) {
        let mut of_pane = HashMap::new();
        changed.retain(|(key, number)| {
            if rule.span.session {
                return rule.may_hold_together(&self.session_of(rule.span, key, *number).1);
            }
            let panes = rule.span.size / rule.span.slide;
            let around = || self.panes.range(number - panes + 1..number + panes).map(|(_, pane)| pane);
            let any = || rule.may_hold_of(&Peaks::sum(around().map(|pane| &pane.peaks)));
            *of_pane.entry(*number).or_insert_with(any)
                && rule.may_hold_together(&around().filter_map(|pane| pane.group(key)).collect::<Vec<_>>())
        });
    }

    /// Notes which keys a batch has in which panes; gives those that are new, as far as is known once all of it is noted, so
    /// that what is remembered does not depend on the order of its rows.
    fn note_new(&mut self, selected: &Selected, first: FirstSeen) -> HashSet<(u32, i64)> {
        let mut noted = Vec::new();
        for Together { pane, places, .. } in selected.together() {
            if self.seen.note(selected.name(places), selected.owner(places), pane, first) {
                noted.push((pane, places));
            }
        }
        noted.retain(|(pane, places)| self.seen.is_new(selected.name(places), *pane, first));
        noted.into_iter().map(|(pane, places)| (selected.key_place(places), pane)).collect()
    }

    /// Notes which keys a batch has in which panes, and adds up nothing.
    pub fn see(&mut self, selected: &Selected, first: FirstSeen) {
        for Together { pane, places, .. } in selected.together() {
            self.seen.note(selected.name(places), selected.owner(places), pane, first);
        }
    }

    /// The windows that hold one of these groups and that no pane has left from: those whose condition may hold, or all.
    pub fn windows(&self, rule: &Windowed, all: bool, changed: &BTreeSet<(Key, i64)>) -> Vec<Window> {
        if rule.span.session {
            return self.sessions(rule, all, changed);
        }
        if rule.span.frame.is_some() {
            return self.frames(rule, all, changed);
        }
        let panes = rule.span.size / rule.span.slide;
        let mut windows = Vec::new();
        let mut changed = changed.iter().peekable();
        while let Some((key, first)) = changed.next() {
            // the windows of a key begin in stretches of panes; where stretches meet, a window is made once
            let mut starts = vec![(first - panes + 1, *first)];
            while let Some((_, number)) = changed.next_if(|(next, _)| next == key) {
                match starts.last_mut() {
                    Some((_, last)) if number - panes < *last + 1 => *last = *number,
                    _ => starts.push((number - panes + 1, *number)),
                }
            }
            for (from, to) in starts {
                self.beginning(rule, all, key, from, to, &mut windows);
            }
        }
        windows
    }

    /// The windows of one key that begin in a stretch of panes.
    pub(super) fn beginning(&self, rule: &Windowed, all: bool, key: &Key, from: i64, to: i64, into: &mut Vec<Window>) {
        let panes = rule.span.size / rule.span.slide;
        let from = self.floor.map_or(from, |floor| from.max(floor));
        if from > to {
            return;
        }
        let all_panes = self.panes.range(from..to + panes);
        let (numbers, groups): (Vec<i64>, Vec<&Group>) =
            all_panes.filter_map(|(number, pane)| Some((*number, pane.group(key)?))).unzip();
        // most hold too little, and need not be added up for that to be known
        if !all && !rule.may_hold_together(&groups) {
            return;
        }
        for start in from..=to {
            if !all && self.may_lack(rule, key, start..start + panes) {
                continue;
            }
            let within = numbers.partition_point(|number| *number < start)
                ..numbers.partition_point(|number| *number < start + panes);
            into.extend(self.window(rule, all, key, start, &groups[within]));
        }
    }

    fn window(&self, rule: &Windowed, all: bool, key: &Key, start: i64, groups: &[&Group]) -> Option<Window> {
        let (first, more) = groups.split_first()?;
        if !all && !rule.may_hold_together(groups) {
            return None;
        }
        let mut group = (*first).clone();
        more.iter().for_each(|more| group.merge(more));
        let first_seen = rule.first.is_some_and(|asked| self.seen.is_first(key, start, asked));
        (all || rule.may_hold(&group)).then(|| Window {
            key: key.clone(),
            start: start * rule.span.slide,
            row: Box::default(),
            group,
            first_seen,
            score: None,
        })
    }

    /// All windows, scored in the order of time, as if each had left; what was learnt stays as it is.
    ///
    /// # Errors
    /// When the number that is scored cannot be computed.
    pub fn scored(&self, rule: &Windowed) -> Result<Vec<Window>> {
        let (mut model, mut all) = (self.model.clone(), Vec::new());
        for number in self.panes.keys() {
            let mut windows = self.windows(rule, true, &self.of_pane(*number));
            rule.score(&mut model, &mut windows)?;
            all.append(&mut windows);
        }
        Ok(all)
    }

    /// The windows of the oldest pane, scored; they have taught, and the pane leaves.
    ///
    /// # Errors
    /// When the number that is scored cannot be computed; the pane has left then too.
    pub fn close_oldest(&mut self, rule: &Windowed) -> Result<Vec<Window>> {
        let Some(number) = self.panes.keys().next().copied() else { return Ok(Vec::new()) };
        let mut windows = self.windows(rule, true, &self.of_pane(number));
        self.drop_through(number);
        self.saved.has_learnt = true;
        rule.score(&mut self.model, &mut windows)?;
        Ok(windows)
    }

    /// Rows of all windows.
    pub fn rows(&self) -> u64 {
        self.panes.values().flat_map(Pane::groups).map(|group| group.rows).sum()
    }

    /// How many panes there are.
    pub fn panes_len(&self) -> usize {
        self.panes.len()
    }

    /// Every group there is: key and pane, or, of a rule over frames, key and time.
    pub fn all(&self) -> BTreeSet<(Key, i64)> {
        self.panes.keys().flat_map(|number| self.of_pane(*number)).collect()
    }

    /// The oldest pane that is over: no row has come for `lateness` into it or any that shares a window with it, and the
    /// last of these windows ended that long ago. One that rows still come into is over in the end too, see [`Pane::is_held_long`].
    pub fn over(&self, span: Span, lateness: i64, now: Timestamp) -> Option<i64> {
        let (number, oldest) = self.panes.first_key_value()?;
        let panes = span.size / span.slide;
        let mut touched = self.panes.range(*number..number + panes).map(|(_, pane)| pane.touched.0);
        let ended = (number + panes).saturating_mul(span.slide);
        let quiet = |time: i64| time.saturating_add(lateness) <= now.0;
        (quiet(ended) && (touched.all(quiet) || oldest.is_held_long(ended, lateness, now))).then_some(*number)
    }

    /// The oldest pane, once it is known that no row comes any more for one before it, and is told for the first time: from now on its windows are
    /// judged as they will be when it is over. Before anything was over rows may come in any order.
    pub fn foresee(&mut self, span: Span, lateness: i64, now: Timestamp) -> Option<i64> {
        let (floor, number) = (self.floor?, *self.panes.keys().next()?);
        let before_is_over = number.saturating_mul(span.slide).saturating_add(lateness) <= now.0;
        if !before_is_over || self.foreseen == Some(number) {
            return None;
        }
        self.floor = Some(floor.max(number));
        self.foreseen = Some(number);
        Some(number)
    }

    /// The groups of one pane.
    pub fn of_pane(&self, number: i64) -> BTreeSet<(Key, i64)> {
        let Some(pane) = self.panes.get(&number) else { return BTreeSet::new() };
        let groups = pane.groups.keys().filter(|_| pane.moments.is_empty()).map(|key| (key.clone(), number));
        groups.chain(pane.moments.all()).collect()
    }

    /// Forgets a pane and all before it.
    pub fn drop_through(&mut self, number: i64) {
        let kept = self.panes.split_off(&(number + 1));
        self.bytes -= self.panes.values().map(|pane| pane.bytes).sum::<usize>();
        self.panes = kept;
        self.close(number);
        self.left = Some(self.left.map_or(number + 1, |left| left.max(number + 1)));
        // sessions that go on from the last one may lack what it lacked
        self.holed = self.holed.split_off(&number);
    }

    /// Whether rows of a key in these panes may have left for want of room: a condition that can become false says nothing then of those that
    /// are there. The finding of what was lost has the archive asked instead.
    pub(super) fn may_lack(&self, rule: &Windowed, key: &[u8], panes: Range<i64>) -> bool {
        // a session takes along what its panes lacked when they leave
        let is_whole = self.holed.is_empty() && !rule.span.session;
        if rule.early || rule.scored.is_some() || is_whole {
            return false;
        }
        let kept = |number: i64| self.panes.get(&number)?.groups.get(key);
        self.holed.range(panes.clone()).any(|number| kept(*number).is_none())
            || self.panes.range(panes).any(|(_, pane)| pane.groups.get(key).is_some_and(|kept| kept.partial))
    }

    /// Notes that groups of a pane left for want of room.
    fn note_hole(&mut self, number: i64) {
        self.holed.insert(number);
        if self.holed.len() > HOLED_MAX {
            self.holed.pop_last();
        }
    }

    /// Forgets what was seen before the history of the panes that are left.
    pub fn forget_seen(&mut self, first: FirstSeen) {
        if let Some(floor) = self.floor {
            self.seen.forget_before(floor - first.panes);
        }
    }

    /// The last pane leaves where it begins at that time or later. Gives what left.
    pub fn shed_from(&mut self, span: Span, time: i64) -> Option<Left> {
        let last = *self.panes.keys().next_back()?;
        if last.saturating_mul(span.slide) < time {
            return None;
        }
        let pane = self.panes.remove(&last)?;
        self.bytes -= pane.bytes;
        self.note_hole(last);
        Some(Left::of(last, pane.groups()))
    }

    /// Notes that what has left until now left before its time.
    pub fn note_shed(&mut self) {
        self.shed = self.shed.max(self.left);
    }

    /// Forgets some of what was learnt, see [`Model::shed`].
    pub fn shed_learnt(&mut self) -> u64 {
        self.saved.has_learnt = true;
        self.model.shed()
    }

    /// Makes room by what costs least: the oldest pane leaves while a whole window stays behind it; else the keys with the
    /// fewest rows leave the largest pane, half of them. Gives what left; `None` where there was nothing.
    pub fn shed(&mut self, span: Span) -> Option<Left> {
        let (oldest, newest) = (*self.panes.keys().next()?, *self.panes.keys().next_back()?);
        if newest - oldest >= span.size / span.slide {
            let left = Left::of(oldest, self.panes[&oldest].groups());
            self.drop_through(oldest);
            self.note_shed();
            self.note_hole(oldest);
            return Some(left);
        }
        let (largest, _) = self.panes.iter().max_by_key(|(number, pane)| (pane.bytes, **number))?;
        let largest = *largest;
        let pane = self.panes.get_mut(&largest)?;
        // of equal ones by a hash: names that are made up to sort behind others push none of them out
        let mut sizes: Vec<(u64, u64, &Key)> =
            pane.groups.iter().map(|(key, kept)| (kept.group.rows, hash(key), key)).collect();
        sizes.sort_unstable();
        let leaving: Vec<Key> = sizes[..sizes.len().div_ceil(2)].iter().map(|(.., key)| (*key).clone()).collect();
        let left = Left::of(largest, leaving.iter().map(|key| &pane.groups[key].group));
        for key in &leaving {
            let group = pane.remove(key).expect("its key was just listed");
            let bytes = bytes_of(key, &group) + pane.moments.remove(key);
            pane.bytes -= bytes;
            self.bytes -= bytes;
        }
        // names that come and leave between two commits take no more room than those that stay
        let Pane { groups, changed, .. } = pane;
        changed.retain(|key| groups.contains_key(key));
        self.note_hole(largest);
        Some(left)
    }
}

/// A pane of the past that rows keep coming into holds back all that leave after it: for so long.
const HELD_MICROS: i64 = 6 * MICROS_PER_HOUR;

impl Pane {
    /// Whether it ended, and the first row came into it, longer ago than rows may be late by far. Rows whose time never changes (of a canary
    /// that sends one file again and again, of a clock that stands) would else keep every window behind it from being told.
    pub(super) fn is_held_long(&self, ended: i64, lateness: i64, now: Timestamp) -> bool {
        let is_long = |time: i64| time.saturating_add(lateness).saturating_add(HELD_MICROS) <= now.0;
        is_long(ended) && is_long(self.begun.0)
    }

    pub(super) fn new(touched: Timestamp, since: u64) -> Pane {
        Pane {
            groups: HashMap::new(),
            begun: touched,
            touched,
            moments: Moments::default(),
            bytes: 0,
            peaks: Peaks::default(),
            since,
            changed: Vec::new(),
            gone: Vec::new(),
        }
    }

    pub(super) fn group(&self, key: &[u8]) -> Option<&Group> {
        self.groups.get(key).map(|kept| &kept.group)
    }

    fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values().map(|kept| &kept.group)
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Group> {
        let kept = self.groups.remove(key)?;
        if kept.mark.was_saved() {
            self.gone.push(key.clone());
        }
        Some(kept.group)
    }
}

/// About what a group takes with its key, in bytes.
pub(super) fn bytes_of(key: &[u8], group: &Group) -> usize {
    group.bytes_len() + key.len() + PLACE_BYTES
}
