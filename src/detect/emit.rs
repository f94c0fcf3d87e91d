//! Rows that a rule selected → findings: ids and counts for each match, evidence for the match that describes a finding.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimeUnit, TimestampMicrosecondType};
use datafusion::common::Result;

use super::compile::{CompiledRule, Emit};
use super::functions::spans::plain;
use super::program::{Arrays, Rows};
use super::window::columns::refine;
use super::window::smallest::Smallest;
use super::window::text::Values;
use crate::finding::{Finding, FindingId, Resource, session_name};
use crate::rule::Severity;
use crate::time::Timestamp;

/// Longest piece of evidence, in bytes; what is longer ends in `…`.
const EVIDENCE_BYTES_MAX: usize = 1024;

/// In what matches of one id must be alike to be told together: in what a suppression or a canary asks of a finding. Where
/// nothing asks, a rule that many events match makes one finding of those of a batch, and not one for each address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Apart {
    /// Account, Region, actor, source address.
    pub names: [bool; 4],
    pub resources: bool,
}

/// Place of the actor in [`Apart::names`].
const ACTOR: usize = 2;

impl Apart {
    /// By all that a suppression may ask.
    pub const ALL: Apart = Apart { names: [true; 4], resources: true };
    pub const NOTHING: Apart = Apart { names: [false; 4], resources: false };

    /// By what either of two asks.
    pub fn or(self, other: Apart) -> Apart {
        let either = |place: usize| self.names[place] || other.names[place];
        Apart { names: std::array::from_fn(either), resources: self.resources || other.resources }
    }
}

/// Findings of the rows, one for all that have the same id and are alike in what keeps them `apart`, and
/// the number of rows whose `severity` is no severity. A row without a time counts as 1970-01-01T00:00:00Z: any other
/// choice would depend on when the row was read, and a replay would give another id.
pub fn findings(
    rule: &CompiledRule,
    emit: &Emit,
    arrays: &Arrays,
    rows: &[u32],
    apart: Apart,
) -> Result<(Vec<Finding>, u64)> {
    let every = emit.every.run(arrays, Rows::These(rows))?;
    let times = times(&every[0]);
    let resources = Lists::of(&every[1])?;
    let ids = Texts::of(&every[2])?;
    let (severities, ungraded) = grade(rule.rule.severity, &values(&every[3])?, rows.len());
    let names = every[4..].iter().map(values).collect::<Result<Vec<_>>>()?;
    let [account, region, actor, source_ip, sessions, ..] = names.as_slice() else {
        unreachable!("an emit program goes on with these")
    };

    let mut alike = Parts::new(rows.len());
    let period = |row: usize| times[row].0.div_euclid(rule.rule.dedupe_micros);
    alike.part_by(period);
    emit.key.iter().for_each(|name| alike.part(&names[*name]));
    let id = |row: &u32| {
        let row = *row as usize;
        let key: Vec<Option<&str>> = emit.key.iter().map(|name| names[*name].text(row)).collect();
        FindingId::new(&rule.rule.id, &key, period(row))
    };
    let by_id: Vec<FindingId> = alike.firsts.iter().map(id).collect();
    let part_of_id = alike.of_row.clone();
    names.iter().zip(apart.names).filter(|(_, apart)| *apart).for_each(|(name, _)| alike.part(name));
    if apart.names[ACTOR] {
        // an actor is named by the session too
        alike.part(sessions);
    }
    match &resources {
        _ if !apart.resources => {}
        Lists::One(texts) => alike.part(texts),
        Lists::Many(_) => alike.part_by(|row| resources.of_rows(&[row])),
    }
    let groups = alike.rows();

    // the order of `Finding::fold`: the gravest leads, then the earliest, and of equal times a match with an id
    let lead = |index: &usize| (Reverse(severities[*index]), times[*index], ids.get(*index).is_none(), ids.get(*index));
    let leaders = |matches: &[usize]| -> Vec<usize> {
        let first = matches.iter().map(lead).min();
        matches.iter().copied().filter(|index| Some(lead(index)) == first).collect()
    };
    let leaders: Vec<Vec<usize>> = groups.iter().map(|matches| leaders(matches)).collect();
    let described: Vec<u32> = leaders.iter().flatten().map(|index| rows[*index]).collect();
    let mut descriptions = describe(rule, emit, arrays, &described)?.into_iter();

    let mut found = Vec::with_capacity(groups.len());
    for (matches, leaders) in groups.iter().zip(leaders) {
        let one = |(leader, (title, remedy, evidence)): (&usize, Description)| Finding {
            id: by_id[part_of_id[*leader] as usize],
            rule: rule.rule.id.clone(),
            title,
            severity: rule.rule.severity,
            confidence: rule.rule.confidence,
            priority: 0,
            account: account.text(*leader).unwrap_or("unknown").to_owned(),
            region: region.text(*leader).unwrap_or("unknown").to_owned(),
            actor: actor.text(*leader).map(str::to_owned),
            sessions: Vec::new(),
            assumed_by: Vec::new(),
            source_ip: source_ip.text(*leader).map(str::to_owned),
            resources: Vec::new(),
            first_seen: times[*leader],
            last_seen: times[*leader],
            count: 1,
            window: None,
            gravest: None,
            event_ids: ids.get(*leader).map(|id| (times[*leader], id.to_owned())).into_iter().collect(),
            tags: rule.rule.tags.clone(),
            remedy,
            evidence,
            terms: Vec::new(),
        };
        let finding = leaders.iter().zip(descriptions.by_ref()).map(one).reduce(|mut a, b| {
            a.fold(b);
            a
        });
        let mut finding = finding.expect("a group has a leader");
        finding.count = matches.len() as u64;
        finding.first_seen = matches.iter().map(|index| times[*index]).min().expect("a group has a match");
        finding.last_seen = matches.iter().map(|index| times[*index]).max().expect("a group has a match");
        finding.severity = matches.iter().map(|index| severities[*index]).max().expect("a group has a match");
        let mut earliest = Smallest::default();
        for index in matches {
            let Some(id) = ids.get(*index) else { continue };
            let one = (times[*index], id);
            earliest.add_with(Finding::EVENT_IDS_MAX, |known: &(Timestamp, &str)| known.cmp(&one), || one);
        }
        finding.event_ids = earliest.as_slice().iter().map(|(time, id)| (*time, (*id).to_owned())).collect();
        finding.describe_by(times[leaders[0]], ids.get(leaders[0]).map(str::to_owned));
        // all of them, past the limit too: triage asks whether every one is suppressed
        finding.resources = resources.of_rows(matches).into_iter().map(|text| Resource(text.to_owned())).collect();
        finding.sessions =
            distinct(sessions, matches).into_iter().filter_map(session_name).map(str::to_owned).collect();
        found.push(finding);
    }
    Ok((found, ungraded))
}

/// Rows of a batch, parted by one thing after the other.
struct Parts {
    /// Part of each row.
    of_row: Vec<u32>,
    /// The first row of each part.
    firsts: Vec<u32>,
}

impl Parts {
    /// All are one part.
    fn new(rows: usize) -> Parts {
        Parts { of_row: vec![0; rows], firsts: vec![0; rows.min(1)] }
    }

    fn part(&mut self, by: &Values<str>) {
        let firsts = std::mem::take(&mut self.firsts);
        self.firsts = refine(&mut self.of_row, firsts, by.distinct_len(), |row| by.code(row));
    }

    fn part_by<T: Hash + Eq>(&mut self, value: impl Fn(usize) -> T) {
        let mut known = HashMap::new();
        let code = |row| {
            let next = known.len() as u32;
            *known.entry(value(row)).or_insert(next)
        };
        let codes: Vec<u32> = (0..self.of_row.len()).map(code).collect();
        let firsts = std::mem::take(&mut self.firsts);
        self.firsts = refine(&mut self.of_row, firsts, known.len(), |row| Some(codes[row]));
    }

    /// The rows of each part, in rising order.
    fn rows(&self) -> Vec<Vec<usize>> {
        let mut rows = vec![Vec::new(); self.firsts.len()];
        self.of_row.iter().enumerate().for_each(|(row, part)| rows[*part as usize].push(row));
        rows
    }
}

/// The severity of each match, and how many of those that the query gave are not one. Null leaves the rule's.
fn grade(default: Severity, given: &Values<str>, rows: usize) -> (Vec<Severity>, u64) {
    let mut ungraded = 0;
    let mut one = |text: &str| {
        text.parse().unwrap_or_else(|_| {
            ungraded += 1;
            default
        })
    };
    let severities = (0..rows).map(|row| given.text(row).map_or(default, &mut one)).collect();
    (severities, ungraded)
}

/// Title, remedy and evidence.
type Description = (String, String, Vec<(String, String)>);

/// What describes each of `rows`.
fn describe(rule: &CompiledRule, emit: &Emit, arrays: &Arrays, rows: &[u32]) -> Result<Vec<Description>> {
    let columns = emit.first.run(arrays, Rows::These(rows))?.iter().map(texts).collect::<Result<Vec<_>>>()?;
    let (titles, evidence) = columns.split_first().expect("an emit program gives the title");
    let one = |row: usize| {
        let title = titles[row].clone().filter(|title| !title.is_empty()).unwrap_or_else(|| rule.rule.title.clone());
        let evidence = emit.evidence.iter().zip(evidence);
        let evidence: Vec<(String, String)> =
            evidence.filter_map(|(name, values)| Some((name.clone(), cut(values[row].as_deref()?)))).collect();
        let remedy = rule.rule.advice(&title, &evidence);
        (title, remedy, evidence)
    };
    Ok((0..rows.len()).map(one).collect())
}

pub fn cut(text: &str) -> String {
    if text.len() <= EVIDENCE_BYTES_MAX {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(EVIDENCE_BYTES_MAX - '…'.len_utf8());
    format!("{}…", &text[..end])
}

/// The time column of a table: microseconds, or whole seconds in an integer.
pub fn times(array: &ArrayRef) -> Vec<Timestamp> {
    match array.data_type() {
        DataType::Timestamp(..) => {
            array.as_primitive::<TimestampMicrosecondType>().iter().map(|time| Timestamp(time.unwrap_or(0))).collect()
        }
        _ => array.as_primitive::<Int64Type>().iter().map(|time| Timestamp::from_seconds(time.unwrap_or(0))).collect(),
    }
}

/// Values as people read them: text as it is, times as RFC 3339, structs and lists as JSON.
pub fn texts(array: &ArrayRef) -> Result<Vec<Option<String>>> {
    Ok(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect(),
        DataType::Utf8View => array.as_string_view().iter().map(|text| text.map(str::to_owned)).collect(),
        DataType::Timestamp(..) => {
            let micros = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
            micros
                .as_primitive::<TimestampMicrosecondType>()
                .iter()
                .map(|time| time.map(|time| Timestamp(time).to_string()))
                .collect()
        }
        DataType::Struct(_)
        | DataType::List(_)
        | DataType::LargeList(_)
        | DataType::FixedSizeList(..)
        | DataType::Map(..) => (0..array.len()).map(|row| json(array, row)).collect::<Result<_>>()?,
        _ => cast(array, &DataType::Utf8)?.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect(),
    })
}

fn json(array: &ArrayRef, row: usize) -> Result<Option<String>> {
    if array.is_null(row) {
        return Ok(None);
    }
    let schema = Arc::new(Schema::new(vec![Field::new("v", array.data_type().clone(), true)]));
    let mut bytes = Vec::new();
    let mut writer = arrow::json::LineDelimitedWriter::new(&mut bytes);
    writer.write(&RecordBatch::try_new(schema, vec![array.slice(row, 1)])?)?;
    writer.finish()?;
    drop(writer);
    // {"v":...} and the end of the line
    let text = String::from_utf8_lossy(&bytes);
    Ok(Some(text.trim_end().trim_start_matches("{\"v\":").strip_suffix('}').unwrap_or_default().to_owned()))
}

/// The same, each different one once.
pub fn values(array: &ArrayRef) -> Result<Values<str>> {
    match plain(array.data_type()) {
        DataType::Utf8 | DataType::Utf8View | DataType::Null => Values::texts(array),
        _ => Ok(Values::of_texts(&texts(array)?)),
    }
}

/// A column of texts that differ from row to row.
enum Texts {
    Views(StringViewArray),
    Made(Vec<Option<String>>),
}

impl Texts {
    fn of(array: &ArrayRef) -> Result<Texts> {
        Ok(match plain(array.data_type()) {
            DataType::Utf8 | DataType::Utf8View => {
                Texts::Views(cast(array, &DataType::Utf8View)?.as_string_view().clone())
            }
            _ => Texts::Made(texts(array)?),
        })
    }

    fn get(&self, row: usize) -> Option<&str> {
        match self {
            Texts::Views(views) => views.is_valid(row).then(|| views.value(row)),
            Texts::Made(texts) => texts[row].as_deref(),
        }
    }
}

/// A column of one text or a list of texts a row.
pub enum Lists {
    One(Values<str>),
    Many(Vec<Vec<String>>),
}

impl Lists {
    pub fn of(array: &ArrayRef) -> Result<Lists> {
        Ok(match array.data_type() {
            DataType::List(_) => {
                let list = |row: Option<ArrayRef>| {
                    Ok(row.map_or(Ok(Vec::new()), |row| texts(&row))?.into_iter().flatten().collect())
                };
                Lists::Many(array.as_list::<i32>().iter().map(list).collect::<Result<_>>()?)
            }
            _ => Lists::One(values(array)?),
        })
    }

    pub fn of_row(&self, row: usize) -> Vec<&str> {
        match self {
            Lists::One(texts) => texts.text(row).into_iter().collect(),
            Lists::Many(lists) => lists[row].iter().map(String::as_str).collect(),
        }
    }

    /// Distinct texts of some of the rows, in their order.
    fn of_rows(&self, rows: &[usize]) -> Vec<&str> {
        let mut all: Vec<&str> = match self {
            Lists::One(texts) => distinct(texts, rows),
            Lists::Many(lists) => rows.iter().flat_map(|row| &lists[*row]).map(String::as_str).collect(),
        };
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// The texts of some rows, each once.
fn distinct<'a>(texts: &'a Values<str>, rows: &[usize]) -> Vec<&'a str> {
    let mut codes: Vec<(u32, usize)> = rows.iter().filter_map(|row| Some((texts.code(*row)?, *row))).collect();
    codes.sort_unstable();
    codes.dedup_by_key(|(code, _)| *code);
    codes.into_iter().filter_map(|(_, row)| texts.text(row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_evidence_is_cut_between_letters() {
        assert_eq!(cut(&"é".repeat(512)), "é".repeat(512));
        let cut = cut(&"é".repeat(513));
        assert_eq!(cut.len(), 1023, "510 letters of two bytes and the mark of three");
        assert!(cut.ends_with("é…"));
    }
}
