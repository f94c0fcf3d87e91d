//! Rules that no row can have matched yet → those that a batch wakes: only they are worth being compiled.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int32Type};

use super::plan::planner::Planner;
use crate::rule::{Fires, Rule};
use crate::table::{Batch, Table};

/// Rules that have had no row yet: most ask one column for some of few values, mostly `eventName`.
pub struct Asleep {
    /// Plans them when they wake.
    pub planner: Planner,
    tables: Vec<Sleepers>,
}

struct Sleepers {
    table: &'static Table,
    /// By the position of the column that they ask: by each of its values the positions of the rules that wake with it.
    wakes: BTreeMap<usize, HashMap<String, Vec<usize>>>,
    /// Positions of those that wake with any row.
    open: Vec<usize>,
    rules: Vec<Option<Rule>>,
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
    /// Each is known to compile; one whose table the planner does not have is left out. `None` where there is none.
    pub fn new(planner: Planner, tables: &[&'static Table], rules: Vec<Rule>) -> Option<Asleep> {
        let none =
            |table: &&'static Table| Sleepers { table, wakes: BTreeMap::new(), open: Vec::new(), rules: Vec::new() };
        let mut tables: Vec<Sleepers> = tables.iter().map(none).collect();
        for rule in rules {
            let Some(sleepers) = tables.iter_mut().find(|sleepers| sleepers.table.name == rule.table) else { continue };
            let place = sleepers.rules.len();
            match column(sleepers.table, &rule) {
                None => sleepers.open.push(place),
                Some(at) => {
                    for value in &rule.asks[sleepers.table.schema().field(at).name()] {
                        sleepers.wakes.entry(at).or_default().entry(value.clone()).or_default().push(place);
                    }
                }
            }
            sleepers.rules.push(Some(rule));
        }
        let asleep = Asleep { planner, tables };
        (!asleep.is_empty()).then_some(asleep)
    }

    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.tables.iter().flat_map(|sleepers| sleepers.rules.iter().flatten())
    }

    /// Those of them that judge windows.
    pub fn windowed(&self) -> impl Iterator<Item = &Rule> {
        self.rules().filter(|rule| rule.fires == Fires::PerWindow)
    }

    pub fn is_empty(&self) -> bool {
        self.rules().next().is_none()
    }

    /// Takes out the rules that some row of these batches may match, in the order in which they came.
    pub fn wake(&mut self, batches: &[Batch]) -> Vec<Rule> {
        let mut woken = Vec::new();
        for Sleepers { table, wakes, open, rules } in &mut self.tables {
            let mut places = BTreeSet::new();
            let of_table = |batch: &&Batch| std::ptr::eq(batch.table, *table) && batch.rows.num_rows() > 0;
            for batch in batches.iter().filter(of_table) {
                places.extend(std::mem::take(open));
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

    /// Takes out those that are wanted, in the order in which they came.
    pub fn take(&mut self, wanted: &dyn Fn(&Rule) -> bool) -> Vec<Rule> {
        let rules = self.tables.iter_mut().flat_map(|sleepers| &mut sleepers.rules);
        rules.filter_map(|rule| rule.take_if(|rule| wanted(rule))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::Asleep;

    use crate::detect::library;
    use crate::detect::reference::References;
    use crate::detect::tests::batch;
    use crate::detect::{Detector, Parts};
    use crate::logs;
    use crate::rule::{Learns, Rule};
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
        assert!(asleep[0] > 400, "{asleep:?}");
        let ids = |rules: &mut dyn Iterator<Item = &Rule>| rules.map(|rule| rule.id.clone()).collect::<Vec<_>>();
        let (new, usual) = (soon.learn(Learns::New), soon.learn(Learns::Usual));
        let planned = [
            ids(&mut soon.ask_what_is_new().map(|asks| asks.rule)),
            ids(&mut soon.ask_what_is_usual().map(|asks| asks.rule)),
        ];
        assert_eq!([ids(&mut { new }), ids(&mut { usual })], planned, "what their texts say");
        let (cases, mut found) = (cases(), 0);
        for events in cases.chunks(cases.len() / 20) {
            let batches = [batch(events)];
            let (one, other) = (late.observe(&batches, Timestamp(0)), soon.observe(&batches, Timestamp(0)));
            assert_eq!(one, other);
            found += one.len();
            asleep.push(late.asleep_len());
        }
        assert_eq!(late.finish(), soon.finish());
        assert!(found > 500, "{found} findings");
        assert!(asleep.is_sorted_by(|before, after| before >= after), "{asleep:?}");
        let others = soon.rules().filter(|rule| rule.table != "cloudtrail").count();
        assert!(asleep.last() < Some(&(others + 5)), "of {others} rules of other tables most are left: {asleep:?}");
    }

    /// Events that rules of CloudTrail fire on.
    fn cases() -> Vec<Value> {
        let of_cloudtrail = library::built_in().into_iter().filter(|source| source.id.starts_with("cloudtrail/"));
        let fires = |cases: std::borrow::Cow<'static, str>| -> Vec<Value> {
            let parsed = cases.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let fires = parsed.filter(|case| case["fires"] == true);
            // several are each in one like it
            let each = fires.flat_map(|mut case| match case["events"].as_array_mut() {
                Some(events) => std::mem::take(events),
                None => vec![case],
            });
            each.map(|mut one| one["event"].take()).collect()
        };
        of_cloudtrail.filter_map(|source| source.cases).flat_map(fires).filter(Value::is_object).collect()
    }

    #[test]
    fn what_sleeps_goes_on_sleeping_after_a_restart() {
        let (mut late, mut parts) = (as_needed(built_in()), Parts::default());
        let (mut soon, _) = Detector::new(logs::TABLES, built_in());
        let windowed = |detector: &Detector| -> BTreeSet<String> {
            detector.asleep.iter().flat_map(Asleep::windowed).map(|rule| rule.id.clone()).collect()
        };
        let before = windowed(&late);
        let events = cases();
        for events in events[..events.len() / 2].chunks(events.len() / 6) {
            let batches = [batch(events)];
            assert_eq!(late.observe(&batches, Timestamp(0)), soon.observe(&batches, Timestamp(0)));
            parts.take(late.changes());
            let asleep = windowed(&late);
            assert!(asleep.len() < before.len() && asleep.len() > 20, "{} of {}", asleep.len(), before.len());
            late = as_needed(built_in());
            let restored = late.restore(&parts);
            assert!(restored.is_whole(), "{restored:?}");
            assert_eq!((restored.new, windowed(&late)), (Vec::new(), asleep.clone()));
            assert!(asleep.iter().all(|id| restored.taken.contains(id)));
            let changes = late.changes();
            assert_eq!(
                changes.of_rules.keys().find(|(id, _)| asleep.contains(id)),
                None,
                "nothing of them has changed"
            );
            parts.take(changes);
        }
        // who has them awake takes them for what they are: nothing
        let (mut awake, _) = Detector::new(logs::TABLES, built_in());
        let restored = awake.restore(&parts);
        assert_eq!((restored.is_whole(), restored.new.len(), windowed(&awake).len()), (true, 0, 0));
        let rest = [batch(&events[events.len() / 2..])];
        let expected = soon.observe(&rest, Timestamp(0));
        assert_eq!(awake.observe(&rest, Timestamp(0)), expected);
        assert_eq!(late.observe(&rest, Timestamp(0)), expected);
        let expected = soon.finish();
        assert_eq!((awake.finish(), late.finish()), (expected.clone(), expected));
    }

    #[test]
    fn what_slept_and_says_something_else_now_begins_anew() {
        let id = "cloudtrail/buckets_deleted_in_bulk";
        let mut rules = built_in();
        rules.retain(|rule| rule.id == id);
        let mut asleep = as_needed(rules.clone());
        let mut parts = Parts::default();
        parts.take(asleep.changes());
        rules[0].text = rules[0].text.replace("'DeleteBucket'", "'GetUser'");
        let restored = as_needed(rules).restore(&parts);
        assert_eq!((restored.changed, restored.taken.len()), (vec![id.to_owned()], 0));
        // one of which nothing is saved is new
        let of_none = as_needed(Vec::new()).changes();
        assert_eq!(asleep.restore(&of_none).new, [id]);
        assert_eq!(asleep.asleep_len(), 0);
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
