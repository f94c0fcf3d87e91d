//! Rules that no row can have matched yet → those that a batch wakes: only they are worth being compiled.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int32Type};

use super::planner::Planner;
use crate::rule::{Fires, Rule};
use crate::table::{Batch, Table};

/// Rules of single rows that each ask one column for some of few values, mostly `eventName`.
pub struct Asleep {
    /// Plans them when they wake.
    pub planner: Planner,
    tables: Vec<Sleepers>,
}

struct Sleepers {
    table: &'static Table,
    /// By the position of the column that they ask: by each of its values the positions of the rules that wake with it.
    wakes: BTreeMap<usize, HashMap<String, Vec<usize>>>,
    rules: Vec<Option<Rule>>,
}

/// Whether a rule that is known to compile may wait for its rows. What rules over windows remember is theirs from the start.
pub fn can_sleep(table: &Table, rule: &Rule) -> bool {
    rule.fires == Fires::PerRow && rule.needs.is_none() && column(table, rule).is_some()
}

/// Position of the symbol column that a rule asks for the fewest values.
fn column(table: &Table, rule: &Rule) -> Option<usize> {
    let schema = table.schema();
    let is_symbol =
        |at: &usize| matches!(schema.field(*at).data_type(), DataType::Dictionary(key, _) if **key == DataType::Int32);
    let asked = rule.asks.iter().filter_map(|(column, values)| {
        let at = schema.index_of(column).ok().filter(is_symbol)?;
        // a service has many calls
        Some((column != "eventname", values.len(), at))
    });
    asked.min().map(|(_, _, at)| at)
}

impl Asleep {
    /// Each rule [`can_sleep`]; one whose table the planner does not have is left out. `None` where there is none.
    pub fn new(planner: Planner, tables: &[&'static Table], rules: Vec<Rule>) -> Option<Asleep> {
        let none = |table: &&'static Table| Sleepers { table, wakes: BTreeMap::new(), rules: Vec::new() };
        let mut tables: Vec<Sleepers> = tables.iter().map(none).collect();
        for rule in rules {
            let Some(sleepers) = tables.iter_mut().find(|sleepers| sleepers.table.name == rule.table) else { continue };
            let Some(at) = column(sleepers.table, &rule) else { continue };
            let place = sleepers.rules.len();
            for value in &rule.asks[sleepers.table.schema().field(at).name()] {
                sleepers.wakes.entry(at).or_default().entry(value.clone()).or_default().push(place);
            }
            sleepers.rules.push(Some(rule));
        }
        let asleep = Asleep { planner, tables };
        (!asleep.is_empty()).then_some(asleep)
    }

    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.tables.iter().flat_map(|sleepers| sleepers.rules.iter().flatten())
    }

    pub fn is_empty(&self) -> bool {
        self.rules().next().is_none()
    }

    /// Takes out the rules that some row of these batches may match, in the order in which they came.
    pub fn wake(&mut self, batches: &[Batch]) -> Vec<Rule> {
        let mut woken = Vec::new();
        for Sleepers { table, wakes, rules } in &mut self.tables {
            let mut places = BTreeSet::new();
            for batch in batches.iter().filter(|batch| std::ptr::eq(batch.table, *table)) {
                for (column, of_values) in &mut *wakes {
                    let symbols = batch.rows.column(*column).as_dictionary::<Int32Type>();
                    for value in symbols.values().as_string::<i32>().iter().flatten() {
                        places.extend(of_values.remove(value).into_iter().flatten());
                    }
                }
            }
            woken.extend(places.into_iter().filter_map(|place| rules[place].take()));
        }
        woken
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::detect::Detector;
    use crate::detect::library;
    use crate::detect::reference::References;
    use crate::detect::tests::batch;
    use crate::logs;
    use crate::rule::Rule;
    use crate::time::Timestamp;

    fn built_in() -> Vec<Rule> {
        library::rules(&library::built_in()).0
    }

    fn as_needed(rules: Vec<Rule>) -> Detector {
        let (detector, refused) = Detector::as_needed(logs::TABLES, &References::default(), rules);
        assert_eq!(refused, []);
        detector
    }

    #[test]
    fn rules_that_wake_find_what_rules_find_that_were_awake() {
        let mut late = as_needed(built_in());
        let (mut soon, _) = Detector::new(logs::TABLES, built_in());
        let ids = |detector: &Detector| detector.rules().map(|rule| rule.id.clone()).collect::<Vec<_>>();
        let (mut of_late, mut of_soon) = (ids(&late), ids(&soon));
        [&mut of_late, &mut of_soon].into_iter().for_each(|ids| ids.sort());
        assert_eq!(of_late, of_soon, "they are all told of");
        assert_eq!(late.costs().len(), of_soon.len());
        let mut asleep = vec![late.asleep_len()];
        assert!(asleep[0] > 300, "{asleep:?}");
        let of_cloudtrail = library::built_in().into_iter().filter(|source| source.id.starts_with("cloudtrail/"));
        let cases: Vec<Value> = of_cloudtrail
            .filter_map(|source| source.cases)
            .flat_map(|cases| {
                let parsed = cases.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
                parsed.filter(|case| case["fires"] == true).map(|mut case| case["event"].take()).collect::<Vec<_>>()
            })
            .filter(Value::is_object)
            .collect();
        let mut found = 0;
        for events in cases.chunks(cases.len() / 20) {
            let batches = [batch(events)];
            let (one, other) = (late.observe(&batches, Timestamp(0)), soon.observe(&batches, Timestamp(0)));
            assert_eq!(one, other);
            found += one.len();
            asleep.push(late.asleep_len());
        }
        assert!(found > 500, "{found} findings");
        assert!(asleep.is_sorted_by(|before, after| before >= after), "{asleep:?}");
        assert!(asleep.last() < Some(&30), "of other tables some are left: {asleep:?}");
    }

    #[test]
    fn only_built_in_rules_sleep() {
        let mut rules = built_in();
        rules.retain(|rule| rule.id == "cloudtrail/root_console_login");
        assert_eq!(as_needed(rules.clone()).asleep_len(), 1);
        // an edit may be broken, and is told of at the start
        rules[0].text = rules[0].text.replace("eventName", "eventNam");
        let (detector, refused) = Detector::as_needed(logs::TABLES, &References::default(), rules);
        assert_eq!((detector.asleep_len(), detector.rules().count(), refused.len()), (0, 0, 1));
    }
}
