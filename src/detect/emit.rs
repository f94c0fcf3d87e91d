//! Rows that a rule selected → findings: ids and counts for each match, evidence for the match that describes a finding.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimeUnit, TimestampMicrosecondType};
use datafusion::common::Result;

use super::compile::{BEFORE_EVIDENCE, BEFORE_KEY, CompiledRule};
use super::program::Rows;
use crate::finding::{Finding, FindingId, Resource};
use crate::rule::Severity;
use crate::time::Timestamp;

/// Longest piece of evidence, in bytes; what is longer ends in `…`.
pub const EVIDENCE_BYTES_MAX: usize = 1024;

/// Findings of the rows, one for each id. A row without a time counts as 1970-01-01T00:00:00Z: any other choice would
/// depend on when the row was read, and a replay would give another id.
pub fn findings(rule: &CompiledRule, arrays: &[ArrayRef], rows: &[u32]) -> Result<Vec<Finding>> {
    let every = rule.emit.every.run(arrays, Rows::These(rows))?;
    let times = times(&every[0]);
    let ids = texts(&every[1])?;
    let resources = Lists::of(&every[2])?;
    let severities = texts(&every[3])?;
    let keys = every[BEFORE_KEY..].iter().map(texts).collect::<Result<Vec<_>>>()?;

    let mut groups: HashMap<FindingId, Vec<usize>> = HashMap::new();
    let mut key = Vec::with_capacity(keys.len());
    for (index, time) in times.iter().enumerate() {
        key.clear();
        key.extend(keys.iter().map(|values| values[index].clone()));
        let period = time.0.div_euclid(rule.rule.dedupe_micros);
        groups.entry(FindingId::new(&rule.rule.id, &key, period)).or_default().push(index);
    }

    let mut found = Vec::with_capacity(groups.len());
    for (id, mut matches) in groups {
        // the order of `Finding::fold`: of equal times, a match with an id leads
        let lead = |index: &usize| (times[*index], ids[*index].is_none(), ids[*index].as_deref());
        let first = matches.iter().map(lead).min().expect("a group has a match");
        let leaders: Vec<usize> = matches.iter().copied().filter(|index| lead(index) == first).collect();
        let described =
            describe(rule, arrays, id, &leaders.iter().map(|index| rows[*index]).collect::<Vec<_>>(), first.0)?;
        let mut finding = described
            .into_iter()
            .reduce(|mut a, b| {
                a.fold(b);
                a
            })
            .expect("a leader is described");

        finding.count = matches.len() as u64;
        finding.last_seen = matches.iter().map(|index| times[*index]).max().unwrap_or(first.0);
        let severity = |index: &usize| severities[*index].as_deref().and_then(|text| text.parse::<Severity>().ok());
        finding.severity = matches
            .iter()
            .map(|index| severity(index).unwrap_or(rule.rule.severity))
            .max()
            .unwrap_or(rule.rule.severity);
        finding.resources =
            matches.iter().flat_map(|index| resources.of_row(*index)).map(|text| Resource(text.to_owned())).collect();
        matches.retain(|index| ids[*index].is_some());
        finding.event_ids = matches.iter().filter_map(|index| Some((times[*index], ids[*index].clone()?))).collect();
        finding.settle_lists();
        found.push(finding);
    }
    found.sort_unstable_by_key(|finding| finding.id);
    Ok(found)
}

/// One finding for each of `rows`, which all happened at `time`, without ids and resources.
fn describe(
    rule: &CompiledRule,
    arrays: &[ArrayRef],
    id: FindingId,
    rows: &[u32],
    time: Timestamp,
) -> Result<Vec<Finding>> {
    let columns = rule.emit.first.run(arrays, Rows::These(rows))?.iter().map(texts).collect::<Result<Vec<_>>>()?;
    let from = &rule.rule;
    let one = |row: usize| {
        let text = |column: usize| columns[column][row].clone();
        let evidence = rule.emit.evidence.iter().zip(&columns[BEFORE_EVIDENCE..]);
        Finding {
            id,
            rule: from.id.clone(),
            title: text(4).filter(|title| !title.is_empty()).unwrap_or_else(|| from.title.clone()),
            severity: from.severity,
            confidence: from.confidence,
            priority: 0,
            account: text(0).unwrap_or_else(|| "unknown".into()),
            region: text(1).unwrap_or_else(|| "unknown".into()),
            actor: text(2),
            source_ip: text(3),
            resources: Vec::new(),
            first_seen: time,
            last_seen: time,
            count: 1,
            event_ids: Vec::new(),
            tags: from.tags.clone(),
            remedy: from.remedy.clone(),
            evidence: evidence
                .filter_map(|(name, values)| Some((name.clone(), cut(values[row].as_deref()?))))
                .collect(),
            terms: Vec::new(),
        }
    };
    Ok((0..rows.len()).map(one).collect())
}

fn cut(text: &str) -> String {
    if text.len() <= EVIDENCE_BYTES_MAX {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(EVIDENCE_BYTES_MAX - '…'.len_utf8());
    format!("{}…", &text[..end])
}

/// The time column of a table: microseconds, or whole seconds in an integer.
fn times(array: &ArrayRef) -> Vec<Timestamp> {
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
enum Lists {
    One(Vec<Option<String>>),
    Many(Vec<Vec<String>>),
}

impl Lists {
    fn of(array: &ArrayRef) -> Result<Lists> {
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

    fn of_row(&self, row: usize) -> &[String] {
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
