//! Sliding frames out of panes: of each row of a key the rows up to it, as far back as the frame goes.
//!
//! A pane of such a rule is a sixteenth of the frame, and knows besides what it adds up to what each moment in it adds up to.
//! A frame is then the sum of at most fifteen whole panes and of some moments of the two that it cuts: what it costs does
//! not grow with the frame's length, and rows may come in any order. Rows of one key and one time are peers, as in SQL: each
//! has the frame that ends with all of them.
//!
//! Of the frames of one key in one period that hold, the finding shows the one with the most rows (and of those the
//! earliest), so they are asked in that order, and the first that holds ends it. Of a rule that gives each a severity it shows
//! the gravest, for which all are asked.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::Result;
use hashbrown::HashMap;

use super::bytes::{Reader, Writer};
use super::ends::Ends;
use super::group::Group;
use super::plan::{Framed, Span, Window, Windowed};
use super::state::{Key, Windows, bytes_of};
use super::text::EventId;
use crate::detect::emit::texts;
use crate::finding::Finding;
use crate::rule::Severity;
use crate::time::Timestamp;

/// Panes of one frame, when it begins with one.
const PANES: i64 = 16;

/// Frames of one key that are asked at once at most: the first is asked alone, then twice as many each time.
const ASKED_MAX: usize = 64;

impl Span {
    /// Of frames that go so far back.
    pub fn of_frames(framed: Framed) -> Span {
        let slide = (framed.size + PANES - 1) / PANES;
        Span { slide, size: slide * (PANES + 1), session: false, frame: Some(framed.size) }
    }
}

/// What the moments of one pane add up to, by key.
#[derive(Debug, Default)]
pub struct Moments(HashMap<Key, BTreeMap<i64, Vec<Moment>>>);

/// Rows of one key and one time of which the rule asks the same.
#[derive(Debug)]
struct Moment {
    /// What is asked of them, as bytes.
    row: Box<[u8]>,
    group: Group,
}

impl Moments {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a row to its moment; gives the bytes that this took before, and takes now, which may be fewer: of texts the smallest stay.
    pub fn add(
        &mut self,
        key: &[u8],
        time: i64,
        row: &[u8],
        empty: impl FnOnce() -> Group,
        add: impl FnOnce(&mut Group),
    ) -> (usize, usize) {
        let moments = self.0.entry_ref(key).or_default().entry(time).or_default();
        let (place, before) = match moments.binary_search_by(|known| (*known.row).cmp(row)) {
            Ok(place) => (place, bytes_of(row, &moments[place].group)),
            Err(place) => {
                moments.insert(place, Moment { row: row.into(), group: empty() });
                (place, 0)
            }
        };
        let group = &mut moments[place].group;
        add(group);
        (before, bytes_of(row, group))
    }

    /// Forgets a key; gives the bytes that it took.
    pub fn remove(&mut self, key: &[u8]) -> usize {
        let moments = self.0.remove(key);
        moments.iter().flat_map(BTreeMap::values).flatten().map(Moment::bytes_len).sum()
    }

    /// Each key with each of its times.
    pub fn all(&self) -> impl Iterator<Item = (Key, i64)> {
        self.0.iter().flat_map(|(key, moments)| moments.keys().map(|time| (key.clone(), *time)))
    }

    fn within(&self, key: &[u8], from: i64, to: i64) -> impl Iterator<Item = (i64, &Moment)> {
        let moments = self.0.get(key).into_iter().flat_map(move |moments| moments.range(from..=to));
        moments.flat_map(|(time, moments)| moments.iter().map(|moment| (*time, moment)))
    }

    /// About what they take of all keys, in bytes.
    pub fn bytes_len(&self) -> usize {
        self.0.values().flat_map(BTreeMap::values).flatten().map(Moment::bytes_len).sum()
    }

    pub fn write(&self, key: &[u8], to: &mut Writer) {
        let moments = self.0.get(key);
        to.number(moments.map_or(0, BTreeMap::len) as u64);
        for (time, moments) in moments.into_iter().flatten() {
            to.signed(*time);
            to.number(moments.len() as u64);
            for Moment { row, group } in moments {
                to.bytes(row);
                group.write(to);
            }
        }
    }

    /// What [`Moments::write`] wrote of a key, of a rule with that many aggregates, in place of what is known of it; `None` when it did not.
    pub fn read(&mut self, key: Key, from: &mut Reader, parts: usize) -> Option<()> {
        let mut moments = BTreeMap::new();
        for _ in 0..from.number()? {
            let (time, count) = (from.signed()?, from.number()?);
            let read = |from: &mut Reader| Some(Moment { row: from.bytes()?.into(), group: Group::read(from, parts)? });
            moments.insert(time, (0..count).map(|_| read(from)).collect::<Option<Vec<Moment>>>()?);
        }
        self.0.insert(key, moments);
        Some(())
    }
}

impl Moment {
    fn bytes_len(&self) -> usize {
        bytes_of(&self.row, &self.group)
    }
}

/// The frame of rows of one key and time, not added up.
struct Frame<'a> {
    key: &'a Key,
    /// The time of the rows that it ends with.
    at: i64,
    /// Those of them of which the rule asks the same.
    ends: &'a Moment,
    rows: u64,
}

/// The frames that one finding stands for: of a key, and a period.
type Burst<'a> = (&'a Key, i64);

/// Of a rule that gives each frame a severity: in which of its columns, and the severity where that is none.
#[derive(Clone, Copy)]
pub struct Graded {
    pub column: usize,
    pub otherwise: Severity,
}

impl Windows {
    /// Every frame that these moments are in, or, with `all`, that ends with one, whether or not its condition may hold.
    pub(super) fn frames(&self, rule: &Windowed, all: bool, changed: &BTreeSet<(Key, i64)>) -> Vec<Window> {
        self.framed(rule, all, changed).into_iter().map(|frame| self.added_up(rule, frame)).collect()
    }

    /// Of each key and period of so many microseconds the frame that its finding shows, of those that these moments are in
    /// and whose condition holds. Where the condition cannot be computed, all of them, so that it is told which fail.
    pub fn bursts(
        &self,
        rule: &Windowed,
        period: i64,
        graded: Option<Graded>,
        changed: &BTreeSet<(Key, i64)>,
    ) -> Vec<Window> {
        let mut bursts: BTreeMap<Burst, Vec<Frame>> = BTreeMap::new();
        for frame in self.framed(rule, false, changed) {
            bursts.entry((frame.key, frame.at.div_euclid(period))).or_default().push(frame);
        }
        // the next to be asked is the last
        bursts
            .values_mut()
            .for_each(|frames| frames.sort_by_key(|frame| (frame.rows, Reverse((frame.at, &frame.ends.row)))));
        // one of each burst is kept: there may be a frame of each of very many rows, and each is as large as a window
        let (mut told, mut size) = (BTreeMap::<Burst, (Option<Severity>, Window)>::new(), 1);
        while !bursts.is_empty() {
            let (mut owners, mut windows) = (Vec::new(), Vec::new());
            for (burst, frames) in &mut bursts {
                let next = frames.drain(frames.len().saturating_sub(size)..).rev();
                windows.extend(next.map(|frame| self.added_up(rule, frame)));
                owners.resize(windows.len(), *burst);
            }
            let Ok(holding) = holding(rule, graded, &windows) else {
                let rest = bursts.into_values().flatten().map(|frame| self.added_up(rule, frame));
                return told.into_values().map(|(_, window)| window).chain(windows).chain(rest).collect();
            };
            let mut windows: Vec<Option<Window>> = windows.into_iter().map(Some).collect();
            for (place, severity) in holding {
                let burst = owners[place];
                // where several of one burst hold, the first of them, or of the gravest
                if told.get(&burst).is_none_or(|(known, _)| severity > *known)
                    && let Some(window) = windows[place].take()
                {
                    told.insert(burst, (severity, window));
                }
                if graded.is_none() {
                    bursts.remove(&burst);
                }
            }
            bursts.retain(|_, frames| !frames.is_empty());
            size = (size * 2).min(ASKED_MAX);
        }
        told.into_values().map(|(_, window)| window).collect()
    }

    /// The first pane whose rows have all come: it ended, and none came into it, for `lateness`; or for long enough, as [`Windows::over`] says.
    pub fn closing(&self, span: Span, lateness: i64, now: Timestamp) -> Option<i64> {
        let (number, pane) = self.panes.range(self.floor.unwrap_or(i64::MIN)..).next()?;
        let (ended, quiet) =
            ((number + 1).saturating_mul(span.slide), |time: i64| time.saturating_add(lateness) <= now.0);
        let is_over = quiet(ended) && (quiet(pane.touched.0) || pane.is_held_long(ended, lateness, now));
        is_over.then_some(*number)
    }

    /// From now on rows of a pane, and of those before it, are late; it stays for the frames behind it.
    pub fn close(&mut self, number: i64) {
        self.floor = Some(self.floor.map_or(number + 1, |floor| floor.max(number + 1)));
    }

    /// Whether panes that a frame which ends at a time has rows in are still there.
    pub(super) fn is_whole(&self, span: Span, at: i64) -> bool {
        let back = span.frame.unwrap_or(0);
        self.left.is_none_or(|left| (at - back).div_euclid(span.slide) >= left)
    }

    fn framed(&self, rule: &Windowed, all: bool, changed: &BTreeSet<(Key, i64)>) -> Vec<Frame<'_>> {
        let span = rule.span;
        let back = span.frame.expect("a rule over frames says how far back they go");
        // of a rule that waits each moment is asked when it is over, and not when one before it is
        let reach = if all || !rule.early { 0 } else { back };
        let (mut frames, mut done) = (Vec::new(), None);
        for (key, time) in changed {
            let known = done.filter(|(known, _)| *known == key).map_or(*time, |(_, to): (_, i64)| (*time).max(to + 1));
            let to = time.saturating_add(reach);
            for (number, pane) in self.panes.range(known.div_euclid(span.slide)..=to.div_euclid(span.slide)) {
                let Some((key, _)) = pane.moments.0.get_key_value(key) else { continue };
                let (mut last, mut groups) = (None, Vec::new());
                for (at, moment) in pane.moments.within(key, known, to).filter(|(at, _)| self.is_whole(span, *at)) {
                    if last != Some(at) {
                        groups = self.groups(key, at - back, at, span.slide, *number);
                        last = Some(at);
                    }
                    let panes = (at - back).div_euclid(span.slide)..number + 1;
                    if all || rule.may_hold_together(&groups) && !self.may_lack(rule, key, panes) {
                        let rows = groups.iter().map(|group| group.rows).sum();
                        frames.push(Frame { key, at, ends: moment, rows });
                    }
                }
            }
            done = Some((key, to));
        }
        frames
    }

    /// What the rows of a key from one time to another, which lies in the last pane, add up to: in pieces.
    fn groups(&self, key: &Key, from: i64, to: i64, slide: i64, last: i64) -> Vec<&Group> {
        let mut groups = Vec::new();
        for (_, pane) in self.panes.range(from.div_euclid(slide)..=last) {
            let Some(group) = pane.group(key) else { continue };
            if from <= group.first && group.last <= to {
                groups.push(group);
            } else {
                groups.extend(pane.moments.within(key, from, to).map(|(_, moment)| &moment.group));
            }
        }
        groups
    }

    fn added_up(&self, rule: &Windowed, frame: Frame) -> Window {
        let Span { slide, frame: back, .. } = rule.span;
        let start = frame.at - back.unwrap_or(0);
        let groups = self.groups(frame.key, start, frame.at, slide, frame.at.div_euclid(slide));
        let mut group = (*groups.first().expect("a frame has the row that it ends with")).clone();
        groups[1..].iter().for_each(|more| group.merge(more));
        group.event_ids = with_asked(&group.event_ids, &frame.ends.group.event_ids);
        Window { key: frame.key.clone(), start, row: frame.ends.row.clone(), group, first_seen: false, score: None }
    }
}

/// Places of the windows whose condition holds, and the severity of each where the rule gives one.
fn holding(rule: &Windowed, graded: Option<Graded>, windows: &[Window]) -> Result<Vec<(usize, Option<Severity>)>> {
    let Some(Graded { column, otherwise }) = graded else {
        return Ok(rule.holding(windows)?.into_iter().map(|place| (place, None)).collect());
    };
    let (places, columns) = rule.judge(windows)?;
    // where none holds there are no columns
    let Some(column) = columns.get(column) else { return Ok(Vec::new()) };
    let severity = |text: Option<String>| text.and_then(|text| text.parse::<Severity>().ok()).unwrap_or(otherwise);
    Ok(places.into_iter().zip(texts(column)?.into_iter().map(severity).map(Some)).collect())
}

/// The ids of a frame: of the rows that it ends with, which made the rule fire, and before them its earliest. However many rows a week had
/// before, who looks at the finding is to see what happened now.
fn with_asked(earliest: &Ends<(i64, EventId)>, asked: &Ends<(i64, EventId)>) -> Ends<(i64, EventId)> {
    const MOST: usize = Finding::EVENT_IDS_MAX / 2;
    let asked = &asked.as_slice()[..asked.as_slice().len().min(MOST)];
    let before = earliest.as_slice().iter().filter(|id| !asked.contains(id));
    before.take(Finding::EVENT_IDS_MAX - asked.len()).chain(asked).cloned().collect()
}
