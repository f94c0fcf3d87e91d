//! Groups of one rule, by pane and key: rows go in, windows whose condition holds come out, and old panes leave.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use hashbrown::hash_map::{Entry, EntryRef};
use hashbrown::{HashMap, HashSet};

use super::bytes::{Reader, Writer};
use super::columns::Answers;
use super::frame::Moments;
use super::group::Group;
use super::part::hash;
use super::plan::{FirstSeen, Inputs, Span, Window, Windowed};
use super::score::Model;
use super::seen::Seen;
use super::smallest::Smallest;
use super::text::{EventId, Text, Values, add_shared};
use crate::detect::emit::{Lists, times};
use crate::finding::Finding;
use crate::time::{MICROS_PER_HOUR, Timestamp};

/// Sort key of a group's key.
pub type Key = Box<[u8]>;

/// What a rule selected of a batch. Rows of one key and pane are added up already, where these are few: a batch is small
/// and close at hand, and what a rule remembers is neither.
pub struct Selected {
    gathered: Vec<Gathered>,
    /// Rows that are not among these, by their place, with their panes.
    single: Vec<(usize, i64)>,
    /// Rows without a time, which are in no window.
    untimed: u64,
    picked: Picked,
}

/// The rows, and what each adds to its group.
struct Picked {
    /// Of the whole batch.
    names: Arc<Names>,
    rows: Vec<u32>,
    inputs: Inputs,
}

/// Rows of one batch that share key and pane.
struct Gathered {
    /// Place of one of them.
    place: usize,
    pane: i64,
    group: Group,
}

/// Keys and panes of one batch whose rows are added up before they go into the windows; those of others go one by one, so
/// that a batch in which all differ takes no memory for it.
const GATHERED_MAX: usize = 512;

/// What a rule with windows remembers.
#[derive(Debug, Default, PartialEq)]
pub struct Windows {
    pub(super) panes: BTreeMap<i64, Pane>,
    /// Rows of panes before this one are late.
    pub(super) floor: Option<i64>,
    /// Panes before this one have left; of a rule over frames, some stay for a time after `floor` has passed them.
    pub(super) left: Option<i64>,
    /// Of a rule that asks what is new.
    pub seen: Seen,
    /// Of a rule that scores its windows: what those taught that have left.
    pub model: Model,
    /// The pane whose windows are told as they come, of a rule whose scores are foreseen.
    pub foreseen: Option<i64>,
    /// About what the groups take, in bytes.
    pub(super) bytes: usize,
}

#[derive(Debug, PartialEq)]
pub(super) struct Pane {
    pub(super) groups: HashMap<Key, Group>,
    /// When a row first came into it, and last.
    pub(super) begun: Timestamp,
    pub(super) touched: Timestamp,
    /// Of a rule over frames.
    pub(super) moments: Moments,
    pub(super) bytes: usize,
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
    fn of<'a>(pane: i64, groups: impl Iterator<Item = &'a Group>) -> Left {
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

/// About what a key and its place take besides the group.
const PLACE_BYTES: usize = 48;

impl Windows {
    pub fn bytes_len(&self) -> usize {
        self.bytes
    }

    /// Takes in what a rule selected of a batch; gives the groups that changed and may make a window fire, when the rule
    /// fires at once, and the number of rows whose pane had left, or that have no time.
    pub fn add(
        &mut self,
        rule: &Windowed,
        selected: Selected,
        at_once: bool,
        now: Timestamp,
    ) -> (BTreeSet<(Key, i64)>, u64) {
        let Selected { gathered, single, untimed, picked } = selected;
        let (mut changed, mut late) = (Vec::new(), untimed);
        let new = rule.first.map(|first| {
            let places = gathered.iter().map(|one| (one.place, one.pane)).chain(single.iter().copied());
            self.note_new(&picked, places, first)
        });
        let together = gathered.into_iter().map(|Gathered { place, pane, group }| (place, pane, Some(group)));
        let apart = single.into_iter().map(|(place, pane)| (place, pane, None));
        for (place, number, more) in together.chain(apart) {
            let key = picked.inputs.keys.bytes(place);
            if new.as_ref().is_some_and(|new| !new.contains(&(picked.inputs.keys.place(place), number))) {
                continue;
            }
            if self.floor.is_some_and(|floor| number < floor) {
                late += more.as_ref().map_or(1, |group| group.rows);
                continue;
            }
            // rows of frames come one by one
            let moment = rule.span.frame.map(|_| picked.names.times[picked.rows[place] as usize].0);
            // one that came after the rows before it have left counts for the frames behind it only
            let whole = moment.is_none_or(|time| self.is_whole(rule.span, time));
            let pane = self.panes.entry(number).or_insert_with(|| Pane::new(now));
            pane.touched = pane.touched.max(now);
            let (group, mut before) = match pane.groups.entry_ref(key) {
                EntryRef::Occupied(known) => {
                    let group = known.into_mut();
                    let before = bytes_of(key, group);
                    match more {
                        Some(more) => group.merge(&more),
                        None => picked.add(place, group),
                    }
                    (group, before)
                }
                EntryRef::Vacant(new) => {
                    let one = || {
                        let mut group = rule.empty();
                        picked.add(place, &mut group);
                        group
                    };
                    (new.insert(more.unwrap_or_else(one)), 0)
                }
            };
            let mut after = bytes_of(key, group);
            // a group of several panes is asked when it is merged
            if at_once && (rule.span.size > rule.span.slide || rule.may_hold(group)) {
                changed.push((key, moment.unwrap_or(number)));
            }
            if let Some(time) = moment {
                let (asked, add) = (picked.inputs.asked(place), |group: &mut Group| picked.add(place, group));
                let (was, is) = pane.moments.add(key, time, asked, || rule.empty(), add);
                (before, after) = (before + was, after + is);
                late += u64::from(!whole);
            }
            pane.bytes = pane.bytes + after - before;
            self.bytes = self.bytes + after - before;
        }
        changed.sort_unstable();
        changed.dedup();
        (changed.into_iter().map(|(key, number)| (key.into(), number)).collect(), late)
    }

    /// Notes which keys a batch has in which panes; gives those that are new, as far as is known once all of it is noted, so
    /// that what is remembered does not depend on the order of its rows.
    fn note_new(
        &mut self,
        picked: &Picked,
        places: impl Iterator<Item = (usize, i64)>,
        first: FirstSeen,
    ) -> HashSet<(u32, i64)> {
        // rows of one batch are of few keys
        let mut noted = HashMap::new();
        for (place, pane) in places {
            let note =
                || (place, self.seen.note(picked.inputs.keys.bytes(place), picked.inputs.owner(place), pane, first));
            noted.entry((picked.inputs.keys.place(place), pane)).or_insert_with(note);
        }
        let still = |((_, pane), (place, is_new)): &((u32, i64), (usize, bool))| {
            *is_new && self.seen.is_new(picked.inputs.keys.bytes(*place), *pane, first)
        };
        noted.into_iter().filter(still).map(|(key, _)| key).collect()
    }

    /// Notes which keys a batch has in which panes, and adds up nothing.
    pub fn see(&mut self, selected: &Selected, first: FirstSeen) {
        let Selected { gathered, single, picked, .. } = selected;
        let gathered = gathered.iter().map(|one| (one.place, one.pane));
        for (place, pane) in gathered.chain(single.iter().copied()) {
            self.seen.note(picked.inputs.keys.bytes(place), picked.inputs.owner(place), pane, first);
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
                let from = self.floor.map_or(from, |floor| from.max(floor));
                windows.extend((from..=to).filter_map(|start| self.window(rule, all, key, start)));
            }
        }
        windows
    }

    pub(super) fn window(&self, rule: &Windowed, all: bool, key: &Key, start: i64) -> Option<Window> {
        let panes = self.panes.range(start..start + rule.span.size / rule.span.slide);
        let groups: Vec<&Group> = panes.filter_map(|(_, pane)| pane.groups.get(key)).collect();
        let (first, more) = groups.split_first()?;
        // most windows hold too little, and need not be added up for that to be known
        if !all && !rule.may_hold_together(&groups) {
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
        rule.score(&mut self.model, &mut windows)?;
        Ok(windows)
    }

    /// Rows of all windows.
    pub fn rows(&self) -> u64 {
        self.panes.values().flat_map(|pane| pane.groups.values()).map(|group| group.rows).sum()
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
        Some(Left::of(last, pane.groups.values()))
    }

    /// Makes room by what costs least: the oldest pane leaves while a whole window stays behind it; else the keys with the
    /// fewest rows leave the largest pane, half of them. Gives what left; `None` where there was nothing.
    pub fn shed(&mut self, span: Span) -> Option<Left> {
        let (oldest, newest) = (*self.panes.keys().next()?, *self.panes.keys().next_back()?);
        if newest - oldest >= span.size / span.slide {
            let left = Left::of(oldest, self.panes[&oldest].groups.values());
            self.drop_through(oldest);
            return Some(left);
        }
        let (largest, _) = self.panes.iter().max_by_key(|(number, pane)| (pane.bytes, **number))?;
        let largest = *largest;
        let pane = self.panes.get_mut(&largest)?;
        // of equal ones by a hash: names that are made up to sort behind others push none of them out
        let mut sizes: Vec<(u64, u64, &Key)> =
            pane.groups.iter().map(|(key, group)| (group.rows, hash(key), key)).collect();
        sizes.sort_unstable();
        let leaving: Vec<Key> = sizes[..sizes.len().div_ceil(2)].iter().map(|(.., key)| (*key).clone()).collect();
        let left = Left::of(largest, leaving.iter().map(|key| &pane.groups[key]));
        for key in &leaving {
            let group = pane.groups.remove(key).expect("its key was just listed");
            let bytes = bytes_of(key, &group) + pane.moments.remove(key);
            pane.bytes -= bytes;
            self.bytes -= bytes;
        }
        Some(left)
    }

    pub fn write(&self, to: &mut Writer, rule: &Windowed) {
        to.byte(u8::from(self.floor.is_some()));
        to.signed(self.floor.unwrap_or(0));
        self.seen.write(to);
        self.model.write(to);
        to.number(self.panes.len() as u64);
        for (number, pane) in &self.panes {
            to.signed(*number);
            to.signed(pane.touched.0);
            to.number(pane.groups.len() as u64);
            for (key, group) in &pane.groups {
                to.bytes(key);
                group.write(to);
            }
            if rule.span.frame.is_some() {
                pane.moments.write(to);
            }
        }
        if rule.span.frame.is_some() {
            to.byte(u8::from(self.left.is_some()));
            to.signed(self.left.unwrap_or(0));
        }
    }

    /// What [`Windows::write`] wrote for the same rule in this version of a snapshot; `None` when it did not.
    pub fn read(from: &mut Reader, rule: &Windowed, version: u8) -> Option<Windows> {
        let mut windows = Windows::default();
        let parts = rule.empty().parts.len();
        let has_floor = from.byte()? == 1;
        let floor = from.signed()?;
        windows.floor = has_floor.then_some(floor);
        windows.seen = Seen::read(from)?;
        if version >= 4 {
            windows.model = Model::read(from, version >= 7)?;
        }
        for _ in 0..from.number()? {
            let number = from.signed()?;
            let mut pane = Pane::new(Timestamp(from.signed()?));
            for _ in 0..from.number()? {
                let (key, group) = (from.bytes()?, Group::read(from, parts)?);
                pane.bytes += bytes_of(key, &group);
                pane.groups.insert(key.into(), group);
            }
            if rule.span.frame.is_some() {
                let (moments, bytes) = Moments::read(from, parts)?;
                pane.bytes += bytes;
                pane.moments = moments;
            }
            windows.bytes += pane.bytes;
            windows.panes.insert(number, pane);
        }
        windows.left = windows.floor;
        if rule.span.frame.is_some() {
            let has_left = from.byte()? == 1;
            let left = from.signed()?;
            windows.left = has_left.then_some(left);
        }
        Some(windows)
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

    fn new(touched: Timestamp) -> Pane {
        Pane { groups: HashMap::new(), begun: touched, touched, moments: Moments::default(), bytes: 0 }
    }
}

/// About what a group takes with its key, in bytes.
pub(super) fn bytes_of(key: &[u8], group: &Group) -> usize {
    group.bytes_len() + key.len() + PLACE_BYTES
}

/// What each of `rows` adds to its group.
///
/// # Errors
/// When an expression of the rule fails on these rows.
pub fn gather(rule: &Windowed, names: Arc<Names>, answers: &Answers, rows: Vec<u32>) -> Result<Selected> {
    let inputs = rule.inputs(answers, &rows)?;
    let picked = Picked { names, rows, inputs };
    let (mut gathered, mut single) = (Vec::<Gathered>::new(), Vec::new());
    let (mut known, mut untimed) = (HashMap::<(u32, i64), usize>::new(), 0);
    for place in 0..picked.rows.len() {
        if picked.is_untimed(place) {
            untimed += 1;
            continue;
        }
        let pane = picked.pane(rule, place);
        let group = match known.entry((picked.inputs.keys.place(place), pane)) {
            Entry::Occupied(known) => &mut gathered[*known.get()].group,
            // of frames also the moment counts
            Entry::Vacant(_) if gathered.len() == GATHERED_MAX || rule.span.frame.is_some() => {
                single.push((place, pane));
                continue;
            }
            Entry::Vacant(new) => {
                new.insert(gathered.len());
                gathered.push(Gathered { place, pane, group: rule.empty() });
                &mut gathered.last_mut().expect("one was just put there").group
            }
        };
        picked.add(place, group);
    }
    Ok(Selected { gathered, single, untimed, picked })
}

impl Picked {
    fn is_untimed(&self, place: usize) -> bool {
        self.names.untimed.as_ref().is_some_and(|nulls| nulls.is_null(self.rows[place] as usize))
    }

    fn pane(&self, rule: &Windowed, place: usize) -> i64 {
        rule.span.pane(self.names.times[self.rows[place] as usize])
    }

    /// Adds a row to its group.
    fn add(&self, place: usize, group: &mut Group) {
        self.names.add(self.rows[place] as usize, group);
        self.inputs.add(place, &mut group.parts);
    }
}

/// Who and where, for each row of a batch: what every rule over windows wants to know.
pub struct Names {
    times: Vec<Timestamp>,
    /// Which rows have no time.
    untimed: Option<NullBuffer>,
    ids: StringViewArray,
    account: Values<str>,
    region: Values<str>,
    actor: Values<str>,
    source_ip: Values<str>,
    resources: Lists,
}

impl Names {
    /// Of the columns for time, id, account, region, actor, source address and resource.
    ///
    /// # Errors
    /// When one of them is not what it should be.
    pub fn new(columns: &[ArrayRef]) -> Result<Names> {
        Ok(Names {
            times: times(&columns[0]),
            untimed: columns[0].nulls().cloned(),
            ids: cast(&columns[1], &DataType::Utf8View)?.as_string_view().clone(),
            account: Values::texts(&columns[2])?,
            region: Values::texts(&columns[3])?,
            actor: Values::texts(&columns[4])?,
            source_ip: Values::texts(&columns[5])?,
            resources: Lists::of(&columns[6])?,
        })
    }

    /// Adds who and where of a row to its group, and counts it.
    fn add(&self, row: usize, group: &mut Group) {
        let time = self.times[row].0;
        group.rows += 1;
        group.first = group.first.min(time);
        group.last = group.last.max(time);
        group.account.add(self.account.get(row));
        group.region.add(self.region.get(row));
        group.actor.add(self.actor.get(row));
        group.source_ip.add(self.source_ip.get(row));
        add_resources(&self.resources, row, &mut group.resources);
        if self.ids.is_valid(row) {
            // most rows come behind those that are kept, and their ids need not be read
            let read = OnceCell::new();
            let id = || read.get_or_init(|| EventId::from(self.ids.value(row)));
            let order = |(earlier, known): &(i64, EventId)| earlier.cmp(&time).then_with(|| known.cmp(id()));
            group.event_ids.add_with(Finding::EVENT_IDS_MAX, order, || (time, id().clone()));
        }
    }
}

fn add_resources(resources: &Lists, row: usize, to: &mut Smallest<Text>) {
    match resources {
        Lists::One(texts) => {
            texts.get(row).into_iter().for_each(|text| add_shared(to, text, Finding::RESOURCES_MAX));
        }
        Lists::Many(lists) => lists[row].iter().for_each(|text| {
            to.add_with(Finding::RESOURCES_MAX, |known| known.as_ref().cmp(text.as_str()), || text.as_str().into());
        }),
    }
}
