//! Rows of a batch that a rule selected → what they add to its groups, group by group.

use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use hashbrown::HashMap;

use super::aggregate::OfRows;
use super::columns::Answers;
use super::ends::Ends;
use super::group::{Group, Shared};
use super::plan::{Inputs, Keyed, Span, Windowed};
use super::seen::{Name, Seen};
use super::smallest::Smallest;
use super::state::Left;
use super::text::{EventId, Known, Text, Values, add_shared};
use crate::detect::emit::{Lists, times};
use crate::detect::tuples::Tuple;
use crate::finding::{Finding, session_name};
use crate::time::Timestamp;

/// What a rule selected of a batch. Rows of one key and pane stand together: what a rule remembers is looked up once for them, and
/// each column is read for all of them before the next is.
pub struct Selected {
    /// Of each key and pane where its rows end, and its pane.
    ends: Vec<(u32, i64)>,
    /// Places of the rows among those selected, and the rows of the batch that they are.
    places: Vec<u32>,
    rows: Vec<u32>,
    /// Rows without a time, which are in no window.
    pub(super) untimed: u64,
    pub(super) names: Arc<Names>,
    /// Whose they are, by their places.
    keyed: Keyed,
    /// What each adds to its group, by its place, or where not all add something by the place that this has for it.
    inputs: Inputs,
    input_places: Option<Vec<u32>>,
}

/// Of which rows it is asked what they add to their groups.
#[derive(Clone, Copy)]
pub enum Wanted<'a> {
    All,
    /// Of a rule that asks what is new: of those whose key is, as far as this knows. Of another, of all.
    New(&'a Seen),
    /// Only whose they are.
    None,
}

/// Rows of one key and pane; of a rule over frames, one row.
pub(super) struct Together<'a> {
    pub pane: i64,
    pub places: &'a [u32],
    pub rows: &'a [u32],
}

/// What each of `rows` adds to its group.
///
/// # Errors
/// When an expression of the rule fails on these rows.
pub fn gather(rule: &Windowed, names: Arc<Names>, answers: &Answers, rows: &[u32], wanted: Wanted) -> Result<Selected> {
    let answers = OfRows::new(answers, rows);
    let keyed = rule.keys(&answers)?;
    let panes = Panes::of(rule.span, &names, rows);
    let (inputs, input_places) = (Inputs::default(), None);
    let (ends, places) = (Vec::new(), Vec::new());
    let mut selected = Selected { ends, places, rows: Vec::new(), untimed: 0, names, keyed, inputs, input_places };
    if rule.span.frame.is_some() {
        let timed = |place: &u32| panes.pane(*place as usize).is_some();
        selected.places = (0..rows.len() as u32).filter(timed).collect();
        let end = |(before, place): (usize, &u32)| {
            (before as u32 + 1, panes.pane(*place as usize).expect("those without a time were left out"))
        };
        selected.ends = selected.places.iter().enumerate().map(end).collect();
    } else {
        let (of_place, firsts) = match panes.only {
            Some(_) => (selected.keyed.keys.of_row().to_vec(), selected.keyed.keys.firsts().to_vec()),
            None => selected.keyed.keys.parted(panes.numbers.len(), |place| panes.code(place)),
        };
        // where the rows of each part begin; those without a time are left out
        let mut next = vec![0u32; firsts.len()];
        of_place.iter().for_each(|part| next[*part as usize] += 1);
        let mut end = 0;
        for (part, first) in firsts.iter().enumerate() {
            let begin = end;
            if let Some(pane) = panes.pane(*first as usize) {
                end += next[part];
                selected.ends.push((end, pane));
                next[part] = begin;
            } else {
                next[part] = u32::MAX;
            }
        }
        selected.places = vec![0; end as usize];
        for (place, part) in of_place.iter().enumerate() {
            let next = &mut next[*part as usize];
            if *next != u32::MAX {
                selected.places[*next as usize] = place as u32;
                *next += 1;
            }
        }
    }
    selected.untimed = (rows.len() - selected.places.len()) as u64;
    selected.rows = selected.places.iter().map(|place| rows[*place as usize]).collect();
    selected.ask(rule, &answers, wanted)?;
    Ok(selected)
}

impl Selected {
    /// Most rows have a key that is not new, and nothing is added up for it: what they would add need not be known.
    fn ask(&mut self, rule: &Windowed, answers: &OfRows, wanted: Wanted) -> Result<()> {
        let (seen, first) = match (wanted, rule.first) {
            (Wanted::None, _) => return Ok(()),
            (Wanted::New(seen), Some(first)) => (seen, first),
            _ => {
                self.inputs = rule.inputs(answers)?;
                return Ok(());
            }
        };
        let is_new = |together: &Together| seen.is_new(self.name(together.places), together.pane, first);
        let new: Vec<u32> = self.together().filter(is_new).flat_map(|together| together.places).copied().collect();
        if new.len() == answers.len() {
            self.inputs = rule.inputs(answers)?;
        } else if !new.is_empty() {
            let mut places = vec![u32::MAX; answers.len()];
            new.iter().enumerate().for_each(|(input, place)| places[*place as usize] = input as u32);
            self.inputs = rule.inputs(&answers.some(&new))?;
            self.input_places = Some(places);
        }
        Ok(())
    }

    pub(super) fn together(&self) -> impl Iterator<Item = Together<'_>> {
        let mut begin = 0;
        self.ends.iter().map(move |(end, pane)| {
            let within = std::mem::replace(&mut begin, *end as usize)..*end as usize;
            Together { pane: *pane, places: &self.places[within.clone()], rows: &self.rows[within] }
        })
    }

    /// What is lost with rows that stand together: one group of their pane.
    pub(super) fn left(&self, rows: &[u32], pane: i64) -> Left {
        let least = |who: &Who| who.least(rows).cloned();
        Left { pane, groups: 1, account: least(&self.names.account), region: least(&self.names.region) }
    }

    /// Bytes that stand for the key of rows that stand together.
    pub(super) fn key(&self, places: &[u32]) -> &[u8] {
        self.keyed.keys.bytes(places[0] as usize)
    }

    /// Which of the batch's keys that is.
    pub(super) fn key_place(&self, places: &[u32]) -> u32 {
        self.keyed.keys.place(places[0] as usize)
    }

    /// What stands for that key in what was seen, of a rule that asks what is new.
    pub(super) fn name(&self, places: &[u32]) -> Name {
        self.keyed.name(places[0] as usize)
    }

    /// What stands there for whose that key is.
    pub(super) fn owner(&self, places: &[u32]) -> Name {
        self.keyed.owner(places[0] as usize)
    }

    /// Bytes that stand for what is asked of a row that a frame ends with.
    pub(super) fn asked(&self, places: &[u32]) -> &[u8] {
        self.keyed.asked(places[0] as usize)
    }

    /// Adds rows that stand together to their group.
    pub(super) fn add(&self, places: &[u32], rows: &[u32], group: &mut Group) {
        self.names.add(rows, group);
        match &self.input_places {
            None => self.inputs.add(places, &mut group.parts),
            Some(of_place) => {
                let places: Vec<u32> = places.iter().map(|place| of_place[*place as usize]).collect();
                self.inputs.add(&places, &mut group.parts);
            }
        }
    }
}

/// In which pane each row is. Most batches are shorter than a pane.
struct Panes {
    /// Which one all are in.
    only: Option<i64>,
    /// Else a code of each row's, or none of one without a time, and the numbers of the codes.
    codes: Vec<u32>,
    numbers: Vec<i64>,
}

impl Panes {
    fn of(span: Span, names: &Names, rows: &[u32]) -> Panes {
        let time = |row: &u32| names.times[*row as usize];
        let ends = rows.iter().map(time).min().zip(rows.iter().map(time).max());
        let only = ends.map(|(first, last)| (span.pane(first), span.pane(last)));
        let only = only.filter(|(first, last)| first == last && names.untimed.is_none()).map(|(first, _)| first);
        let (mut codes, mut numbers) = (Vec::new(), Vec::new());
        if only.is_none() {
            let mut known = HashMap::new();
            // the pane of the row before, from when until when it lasts
            let mut last = None::<(i64, i64, u32)>;
            codes = Vec::with_capacity(rows.len());
            for row in rows {
                if names.untimed.as_ref().is_some_and(|nulls| nulls.is_null(*row as usize)) {
                    codes.push(u32::MAX);
                    continue;
                }
                let time = time(row);
                if let Some((from, to, code)) = last
                    && (from..to).contains(&time.0)
                {
                    codes.push(code);
                    continue;
                }
                let number = span.pane(time);
                let code = *known.entry(number).or_insert_with(|| {
                    numbers.push(number);
                    numbers.len() as u32 - 1
                });
                let from = number.saturating_mul(span.slide);
                last = Some((from, from.saturating_add(span.slide), code));
                codes.push(code);
            }
        }
        Panes { only, codes, numbers }
    }

    fn code(&self, place: usize) -> Option<u32> {
        Some(self.codes[place]).filter(|code| *code != u32::MAX)
    }

    /// Number of the pane, of a row that has a time.
    fn pane(&self, place: usize) -> Option<i64> {
        self.only.or_else(|| self.code(place).map(|code| self.numbers[code as usize]))
    }
}

/// One thing that is asked of each row of a batch.
pub struct Told {
    /// Of each row, or of each of those that differ,
    pub array: ArrayRef,
    /// and then which of these each row is.
    pub tuple: Option<Rc<Tuple>>,
}

impl Told {
    /// What `of` makes of the text of each row.
    fn texts(&self, known: &Known, of: fn(&str) -> Option<&str>) -> Result<Values<str>> {
        Ok(self.of_rows(Values::texts(&self.array)?.known(known, of)))
    }

    fn of_rows(&self, values: Values<str>) -> Values<str> {
        match &self.tuple {
            None => values,
            Some(tuple) => values.of_rows(tuple.of_row.iter().copied()),
        }
    }

    fn lists(&self, known: &Known) -> Result<Lists> {
        Ok(match (Lists::of(&self.array)?, &self.tuple) {
            (Lists::One(texts), _) => Lists::One(self.of_rows(texts.known(known, |text| Some(text)))),
            (lists @ Lists::Many(_), None) => lists,
            (Lists::Many(lists), Some(tuple)) => {
                Lists::Many(tuple.of_row.iter().map(|place| lists[*place as usize].clone()).collect())
            }
        })
    }
}

/// Who and where, for each row of a batch: what every rule over windows wants to know.
pub struct Names {
    times: Vec<Timestamp>,
    /// Which rows have no time.
    untimed: Option<NullBuffer>,
    ids: Vec<Option<EventId>>,
    account: Who,
    region: Who,
    actor: Who,
    source_ip: Who,
    resources: Lists,
    sessions: Values<str>,
}

/// A text of each row.
enum Who {
    /// All rows have this one.
    One(Text),
    /// Of few, codes stand in the order of texts.
    Few(Values<str>),
    Many(Values<str>),
}

/// Where there is one text to so many rows, or more, putting them in order costs more than it saves.
const FEW_PART: usize = 8;

impl Who {
    fn of(column: &Told, known: &Known) -> Result<Who> {
        let values = column.texts(known, |text| Some(text))?;
        let first = if values.is_empty() { None } else { values.get(0) };
        Ok(match first {
            Some(text) if values.distinct_len() == 1 && values.all_have_one() => Who::One(text.clone()),
            _ if values.distinct_len() * FEW_PART <= values.len() => Who::Few(values.in_order()),
            _ => Who::Many(values),
        })
    }

    /// The smallest text of rows.
    fn least(&self, rows: &[u32]) -> Option<&Text> {
        match self {
            Who::One(text) => Some(text),
            Who::Few(values) => Some(values.of_code(rows.iter().filter_map(|row| values.code(*row as usize)).min()?)),
            Who::Many(values) => rows.iter().filter_map(|row| values.get(*row as usize)).min(),
        }
    }

    /// Adds the texts of rows to what is known of their group.
    fn add(&self, rows: &[u32], to: &mut Shared) {
        match self {
            Who::One(text) => to.add(text),
            Who::Few(values) => {
                let codes = || rows.iter().filter_map(|row| values.code(*row as usize));
                // where two differ all that is kept is the least
                let (Some(least), Some(most)) = (codes().min(), codes().max()) else { return };
                to.add(values.of_code(least));
                if most != least {
                    to.add(values.of_code(most));
                }
            }
            Who::Many(values) => {
                values.each_once(rows.iter().map(|row| *row as usize), |code| to.add(values.of_code(code)));
            }
        }
    }
}

impl Names {
    /// Of the columns for time, id, account, region, actor, source address, resource and session; `known` are texts of other batches.
    ///
    /// # Errors
    /// When one of them is not what it should be.
    pub fn new(columns: &[Told], known: &Known) -> Result<Names> {
        Ok(Names {
            times: times(&columns[0].array),
            untimed: columns[0].array.nulls().filter(|nulls| nulls.null_count() > 0).cloned(),
            ids: EventId::all(cast(&columns[1].array, &DataType::Utf8View)?.as_string_view()),
            account: Who::of(&columns[2], known)?,
            region: Who::of(&columns[3], known)?,
            actor: Who::of(&columns[4], known)?,
            source_ip: Who::of(&columns[5], known)?,
            resources: columns[6].lists(known)?,
            sessions: columns[7].texts(known, session_name)?,
        })
    }

    /// When a row of the batch was, in microseconds since 1970.
    pub(super) fn time(&self, row: u32) -> i64 {
        self.times[row as usize].0
    }

    /// Adds who and where of rows to their group, and counts them.
    fn add(&self, rows: &[u32], group: &mut Group) {
        group.rows += rows.len() as u64;
        for row in rows {
            group.first = group.first.min(self.time(*row));
            group.last = group.last.max(self.time(*row));
        }
        self.account.add(rows, &mut group.account);
        self.region.add(rows, &mut group.region);
        self.actor.add(rows, &mut group.actor);
        self.source_ip.add(rows, &mut group.source_ip);
        self.add_resources(rows, &mut group.resources);
        self.add_sessions(rows, &mut group.sessions);
        self.add_ids(rows, &mut group.event_ids);
    }

    fn add_resources(&self, rows: &[u32], to: &mut Smallest<Text>) {
        const MAX: usize = Finding::RESOURCES_MAX;
        match &self.resources {
            Lists::One(texts) => {
                let rows = rows.iter().map(|row| *row as usize);
                texts.each_once(rows, |code| add_shared(to, texts.of_code(code), MAX));
            }
            Lists::Many(lists) => {
                for text in rows.iter().flat_map(|row| &lists[*row as usize]) {
                    to.add_with(MAX, |known| known.as_ref().cmp(text.as_str()), || text.as_str().into());
                }
            }
        }
    }

    fn add_sessions(&self, rows: &[u32], to: &mut Smallest<Text>) {
        const MAX: usize = Finding::SESSIONS_MAX;
        let rows = rows.iter().map(|row| *row as usize);
        self.sessions.each_once(rows, |code| add_shared(to, self.sessions.of_code(code), MAX));
    }

    fn add_ids(&self, rows: &[u32], to: &mut Ends<(i64, EventId)>) {
        const MAX: usize = Finding::EVENT_IDS_MAX;
        // of what comes behind the earliest that are kept, or behind so many others, the last alone need be read
        let mut latest = match to.as_slice() {
            kept if kept.len() >= MAX => kept[MAX - 2].0,
            _ => i64::MAX,
        };
        let with_id = || rows.iter().filter_map(|row| Some((self.time(*row), self.ids[*row as usize].as_ref()?)));
        let Some(last) = with_id().max() else { return };
        if rows.len() > MAX {
            let mut earliest = Smallest::default();
            with_id().map(|(time, _)| time).filter(|time| *time <= latest).for_each(|time| earliest.add(time, MAX));
            if let Some(last) = earliest.as_slice().get(MAX - 1) {
                latest = *last;
            }
        }
        for (time, id) in with_id().filter(|(time, _)| *time <= latest).chain([last]) {
            let order = |(earlier, known): &(i64, EventId)| earlier.cmp(&time).then_with(|| known.cmp(id));
            to.add_with(MAX, order, || (time, id.clone()));
        }
    }
}
