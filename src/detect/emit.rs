//! Rows that a rule selected → findings: ids and counts for each match, evidence for the match that describes a finding.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimeUnit, TimestampMicrosecondType};
use datafusion::common::Result;

use super::compile::{CompiledRule, Emit};
use super::program::Rows;
use crate::finding::{Finding, FindingId, Resource};
use crate::rule::Severity;
use crate::time::Timestamp;

/// Longest piece of evidence, in bytes; what is longer ends in `…`.
pub const EVIDENCE_BYTES_MAX: usize = 1024;

/// What the configuration may suppress a match by, and the id: matches that are alike in all of it are one finding.
type Alike<'a> = (FindingId, [Option<&'a str>; 4], Vec<&'a str>);

/// Findings of the rows, one for all that have the same id, account, region, actor, source address and resources, and
/// the number of rows whose `severity` is no severity. A row without a time counts as 1970-01-01T00:00:00Z: any other
/// choice would depend on when the row was read, and a replay would give another id.
pub fn findings(rule: &CompiledRule, emit: &Emit, arrays: &[ArrayRef], rows: &[u32]) -> Result<(Vec<Finding>, u64)> {
    let every = emit.every.run(arrays, Rows::These(rows))?;
    let times = times(&every[0]);
    let resources = Lists::of(&every[1])?;
    let columns = every[2..].iter().map(texts).collect::<Result<Vec<_>>>()?;
    let [ids, severities, names @ ..] = columns.as_slice() else { unreachable!("an emit program begins with these") };
    let (severities, ungraded) = grade(rule.rule.severity, severities);

    let mut groups: HashMap<Alike, Vec<usize>> = HashMap::new();
    let mut key = Vec::with_capacity(emit.key.len());
    for (index, time) in times.iter().enumerate() {
        key.clear();
        key.extend(emit.key.iter().map(|name| names[*name][index].clone()));
        let id = FindingId::new(&rule.rule.id, &key, time.0.div_euclid(rule.rule.dedupe_micros));
        let mut on: Vec<&str> = resources.of_row(index).iter().map(String::as_str).collect();
        on.sort_unstable();
        on.dedup();
        let who = std::array::from_fn(|name| names[name][index].as_deref());
        groups.entry((id, who, on)).or_default().push(index);
    }

    // the order of `Finding::fold`: of equal times, a match with an id leads
    let lead = |index: &usize| (times[*index], ids[*index].is_none(), ids[*index].as_deref());
    let leaders = |matches: &[usize]| -> Vec<usize> {
        let first = matches.iter().map(lead).min();
        matches.iter().copied().filter(|index| Some(lead(index)) == first).collect()
    };
    let groups: Vec<_> = groups.into_iter().map(|(alike, matches)| (alike, leaders(&matches), matches)).collect();
    let described: Vec<u32> = groups.iter().flat_map(|(_, leaders, _)| leaders).map(|index| rows[*index]).collect();
    let mut descriptions = describe(rule, emit, arrays, &described)?.into_iter();

    let mut found = Vec::with_capacity(groups.len());
    for ((id, [account, region, actor, source_ip], on), leaders, matches) in groups {
        let one = |(title, evidence)| Finding {
            id,
            rule: rule.rule.id.clone(),
            title,
            severity: rule.rule.severity,
            confidence: rule.rule.confidence,
            priority: 0,
            account: account.unwrap_or("unknown").to_owned(),
            region: region.unwrap_or("unknown").to_owned(),
            actor: actor.map(str::to_owned),
            source_ip: source_ip.map(str::to_owned),
            resources: Vec::new(),
            first_seen: times[leaders[0]],
            last_seen: times[leaders[0]],
            count: 1,
            window: None,
            event_ids: Vec::new(),
            tags: rule.rule.tags.clone(),
            remedy: rule.rule.remedy.clone(),
            evidence,
            terms: Vec::new(),
        };
        let finding = descriptions.by_ref().take(leaders.len()).map(one).reduce(|mut a, b| {
            a.fold(b);
            a
        });
        let mut finding = finding.expect("a group has a leader");
        finding.count = matches.len() as u64;
        finding.last_seen = matches.iter().map(|index| times[*index]).max().expect("a group has a match");
        finding.severity = matches.iter().map(|index| severities[*index]).max().expect("a group has a match");
        finding.event_ids = matches.iter().filter_map(|index| Some((times[*index], ids[*index].clone()?))).collect();
        finding.settle_lists();
        // all of them, past the limit too: triage asks whether every one is suppressed
        finding.resources = on.into_iter().map(|text| Resource(text.to_owned())).collect();
        found.push(finding);
    }
    Ok((found, ungraded))
}

/// The severity of each match, and how many of those that the query gave are not one. Null leaves the rule's.
fn grade(default: Severity, given: &[Option<String>]) -> (Vec<Severity>, u64) {
    let mut ungraded = 0;
    let mut one = |text: &str| {
        text.parse().unwrap_or_else(|_| {
            ungraded += 1;
            default
        })
    };
    let severities = given.iter().map(|text| text.as_deref().map_or(default, &mut one)).collect();
    (severities, ungraded)
}

/// Title and evidence.
type Description = (String, Vec<(String, String)>);

/// What describes each of `rows`.
fn describe(rule: &CompiledRule, emit: &Emit, arrays: &[ArrayRef], rows: &[u32]) -> Result<Vec<Description>> {
    let columns = emit.first.run(arrays, Rows::These(rows))?.iter().map(texts).collect::<Result<Vec<_>>>()?;
    let (titles, evidence) = columns.split_first().expect("an emit program gives the title");
    let one = |row: usize| {
        let title = titles[row].clone().filter(|title| !title.is_empty()).unwrap_or_else(|| rule.rule.title.clone());
        let evidence = emit.evidence.iter().zip(evidence);
        let evidence = evidence.filter_map(|(name, values)| Some((name.clone(), cut(values[row].as_deref()?))));
        (title, evidence.collect())
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

/// A column of one text or a list of texts a row.
pub enum Lists {
    One(Vec<Option<String>>),
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
            _ => Lists::One(texts(array)?),
        })
    }

    pub fn of_row(&self, row: usize) -> &[String] {
        match self {
            Lists::One(texts) => texts[row].as_slice(),
            Lists::Many(lists) => &lists[row],
        }
    }
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
