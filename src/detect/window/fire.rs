//! Windows whose condition holds → findings.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use arrow::array::ArrayRef;
use datafusion::common::Result;

use super::plan::{Window, Windowed};
use super::score::words::tiny;
use crate::detect::emit::{Lists, cut, texts};
use crate::finding::{Finding, FindingId, Resource};
use crate::rule::Rule;
use crate::time::Timestamp;

/// Names of the selected columns, in their order.
pub struct Items<'a> {
    pub names: &'a [String],
    /// Those that fill a field of the finding and are not evidence.
    pub overrides: &'a [&'a str],
}

/// A finding for each id of which a window's condition holds: of several windows the one that [`Finding::fold`] keeps.
/// Also the number of windows whose `severity` is no severity.
pub fn findings(rule: &Rule, plan: &Windowed, items: &Items, windows: &[Window]) -> Result<(Vec<Finding>, u64)> {
    let (holding, columns) = plan.judge(windows)?;
    if holding.is_empty() {
        return Ok((Vec::new(), 0));
    }
    let keys: Vec<&[u8]> = holding.iter().map(|place| &*windows[*place].key).collect();
    let keys = plan.key_columns(&keys)?.iter().map(texts).collect::<Result<Vec<_>>>()?;
    let column = |name: &str| items.names.iter().position(|item| item == name).map(|place| &columns[place]);
    let text = |name: &str| column(name).map(texts).transpose();
    let (titles, severities) = (text("title")?, text("severity")?);
    let (actors, addresses) = (text("actor")?, text("source_ip")?);
    let resources = column("resource").map(Lists::of).transpose()?;
    let is_capped = |item: usize, row: usize| plan.is_capped(item, &windows[holding[row]]);
    let evidence = evidence(items, &columns, is_capped)?;
    let (mut found, mut ungraded) = (BTreeMap::<FindingId, Finding>::new(), 0);
    for (row, place) in holding.iter().enumerate() {
        let window = &windows[*place];
        let Window { start, group, score, .. } = window;
        let end = plan.span.end(window);
        let periods = plan.span.periods(window, rule.dedupe_micros);
        let key: Vec<Option<&str>> = keys.iter().map(|column| column[row].as_deref()).collect();
        let given = |column: &Option<Vec<Option<String>>>| column.as_ref().and_then(|column| column[row].clone());
        let severity = match given(&severities).map(|text| text.parse()) {
            Some(Ok(severity)) => severity,
            Some(Err(_)) => {
                ungraded += 1;
                rule.severity
            }
            None => rule.severity,
        };
        let resources: Vec<String> = match &resources {
            Some(lists) => lists.of_row(row).into_iter().map(str::to_owned).collect(),
            None => group.resources.as_slice().iter().map(|text| text.to_string()).collect(),
        };
        let mut finding = Finding {
            id: FindingId::new(&rule.id, &key, *periods.end()),
            rule: rule.id.clone(),
            title: given(&titles).filter(|title| !title.is_empty()).unwrap_or_else(|| rule.title.clone()),
            severity,
            confidence: rule.confidence,
            priority: 0,
            account: group.account.least().unwrap_or("unknown").to_owned(),
            region: group.region.least().unwrap_or("unknown").to_owned(),
            actor: given(&actors).or_else(|| group.actor.one().map(str::to_owned)),
            sessions: group.sessions.as_slice().iter().map(|text| text.to_string()).collect(),
            assumed_by: Vec::new(),
            source_ip: given(&addresses).or_else(|| group.source_ip.one().map(str::to_owned)),
            resources: resources.into_iter().map(Resource).collect(),
            first_seen: Timestamp(group.first),
            last_seen: Timestamp(group.last),
            count: group.rows,
            window: Some((Timestamp(*start), Timestamp(end))),
            gravest: None,
            event_ids: group
                .event_ids
                .as_slice()
                .iter()
                .map(|(time, id)| (Timestamp(*time), id.with_text(str::to_owned)))
                .collect(),
            tags: rule.tags.clone(),
            remedy: String::new(),
            evidence: evidence
                .iter()
                .filter_map(|(name, values)| Some(((*name).to_owned(), values[row].clone()?)))
                .collect(),
            terms: Vec::new(),
        };
        finding.remedy = rule.advice(&finding.title, &finding.evidence);
        if let Some(score) = score {
            let told = [("unusual", score.told(plan.span.size)), ("chance", tiny(score.chance))];
            finding.evidence.extend(told.map(|(name, value)| (name.to_owned(), value)));
        }
        finding.settle_lists();
        for period in *periods.start()..*periods.end() {
            tell(&mut found, Finding { id: FindingId::new(&rule.id, &key, period), ..finding.clone() });
        }
        tell(&mut found, finding);
    }
    Ok((found.into_values().collect(), ungraded))
}

fn tell(found: &mut BTreeMap<FindingId, Finding>, finding: Finding) {
    match found.entry(finding.id) {
        Entry::Occupied(mut known) => known.get_mut().fold(finding),
        Entry::Vacant(place) => {
            place.insert(finding);
        }
    }
}

/// Name and values of a selected column.
type Shown<'a> = (&'a str, Vec<Option<String>>);

/// The selected columns that are evidence; a count that has ended, by its column and row, is `10000+`.
fn evidence<'a>(
    items: &Items<'a>,
    columns: &[ArrayRef],
    is_capped: impl Fn(usize, usize) -> bool,
) -> Result<Vec<Shown<'a>>> {
    let named = items.names.iter().zip(columns).enumerate();
    named
        .filter(|(_, (name, _))| !items.overrides.contains(&name.as_str()))
        .map(|(item, (name, column))| {
            let shown = |(row, value): (usize, Option<String>)| {
                let more = if is_capped(item, row) { "+" } else { "" };
                value.map(|value| cut(&value) + more)
            };
            Ok((name.as_str(), texts(column)?.into_iter().enumerate().map(shown).collect()))
        })
        .collect()
}
