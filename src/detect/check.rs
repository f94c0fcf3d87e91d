//! A few rows of a batch, and which rules the router leaves for them → rows of which a rule's own conditions, asked of each directly, say
//! otherwise. A long run tells by this that what makes it fast does not make it wrong.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{AsArray, BooleanArray};

use super::compile::{CompiledRule, TableRules};
use super::program::Rows;
use super::route::Candidates;
use super::scan::Scan;
use super::verdicts::is_true;

/// Of so many batches that are judged one is checked, the first one too: it takes some milliseconds with all built-in rules.
pub const EVERY: u64 = 64;
/// Rows that are looked at, spread over the batch.
pub const ROWS: usize = 16;

/// How many rows were looked at, and by the place of its rule how many a rule is wrong about: it selects a row that its conditions do not, or does
/// not select one that they do.
pub fn check(rules: &TableRules, scan: &Scan, routes: &Candidates, rows: usize) -> (usize, BTreeMap<usize, u64>) {
    let sample: Vec<u32> = (0..rows.min(ROWS)).map(|place| (place * rows / rows.min(ROWS)) as u32).collect();
    let mut direct = Direct { rules, scan, sample: &sample, known: HashMap::new() };
    let routes: BTreeMap<usize, &Option<Vec<u32>>> = routes.iter().map(|(place, rows)| (*place, rows)).collect();
    let mut wrong = BTreeMap::new();
    for (place, rule) in rules.rules.iter().enumerate() {
        let routed = match routes.get(&place) {
            None => Vec::new(),
            Some(None) => sample.clone(),
            Some(Some(rows)) => sample.iter().copied().filter(|row| rows.binary_search(row).is_ok()).collect(),
        };
        // a rule that fails is told of by its error
        let Some(expected) = direct.select(rule) else { continue };
        let Ok(selected) = (if routed.is_empty() { Ok(routed) } else { scan.select(rule, Some(routed)) }) else {
            continue;
        };
        let differs = |row: &&u32| expected.contains(row) != selected.contains(row);
        let count = sample.iter().filter(differs).count() as u64;
        if count > 0 {
            wrong.insert(place, count);
        }
    }
    (sample.len(), wrong)
}

/// Conditions, each asked of the sample alone, without what is known of values and of rows that are alike.
struct Direct<'a> {
    rules: &'a TableRules,
    scan: &'a Scan<'a>,
    sample: &'a [u32],
    known: HashMap<usize, Option<BooleanArray>>,
}

impl Direct<'_> {
    /// The rows that all conditions of a rule hold for; `None` where one fails.
    fn select(&mut self, rule: &CompiledRule) -> Option<Vec<u32>> {
        let mut places: Vec<usize> = (0..self.sample.len()).collect();
        for id in rule.gate.iter().chain(&rule.rest) {
            let truth = self.known.entry(*id).or_insert_with(|| {
                let program = &self.rules.conditions[*id].program;
                let answer = program.run(&self.scan.arrays, Rows::These(self.sample)).ok()?;
                Some(answer[0].as_boolean().clone())
            });
            let truth = truth.as_ref()?;
            places.retain(|place| is_true(truth, *place));
        }
        Some(places.into_iter().map(|place| self.sample[place]).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::detect::Detector;
    use crate::detect::emit::Apart;
    use crate::detect::joined::Joined;
    use crate::detect::tests::{batch, changed, detector, event, rule};
    use crate::rule::Rule;
    use crate::time::Timestamp;

    fn named(id: &str, condition: &str) -> Rule {
        Rule {
            id: format!("cloudtrail/{id}"),
            ..rule("", &format!("SELECT eventName FROM cloudtrail WHERE {condition}"))
        }
    }

    fn rules() -> Detector {
        detector([
            named("gated", "eventName = 'CreateUser'"),
            named("open", "userAgent LIKE '%curl%'"),
            named("both", "eventName = 'CreateUser' AND json_get_str(requestParameters, 'userName') = 'eve'"),
        ])
    }

    #[test]
    fn what_the_router_leaves_out_or_lets_pass_is_seen() {
        let detector = rules();
        let events: Vec<_> = (0..40)
            .map(|place| {
                let name = if place % 2 == 0 { "CreateUser" } else { "GetUser" };
                let who = json!({ "userAgent": "curl/8", "requestParameters": { "userName": "eve" } });
                changed(event(name, &place.to_string()), who)
            })
            .collect();
        let batch = batch(&events);
        let joined = Joined::of(std::slice::from_ref(&batch), 1).remove(0);
        let table = &detector.tables[0];
        let (scan, routes) = Scan::new(table, &joined, Apart::ALL);
        assert_eq!(check(table, &scan, &routes, 40), (ROWS, BTreeMap::new()));
        // as if the router had lost the rows of two rules
        let lost: Candidates = routes.iter().filter(|(place, _)| *place == 1).cloned().collect();
        let (_, wrong) = check(table, &scan, &lost, 40);
        assert_eq!(wrong.keys().collect::<Vec<_>>(), [&0, &2]);
        // as if it had let rows pass that its conditions exclude, which are not asked again
        let passed = vec![(0, Some((0..40).collect())), routes[1].clone(), routes[2].clone()];
        let (_, wrong) = check(table, &scan, &passed, 40);
        assert_eq!(wrong.keys().collect::<Vec<_>>(), [&0]);
    }

    #[test]
    fn the_first_of_many_batches_is_checked() {
        let mut detector = rules();
        for round in 0..=EVERY {
            detector.observe(&[batch(&[event("CreateUser", &round.to_string())])], Timestamp(0));
            assert_eq!(detector.checked_rows(), 1 + round / EVERY);
        }
        assert!(detector.costs().values().all(|cost| cost.misrouted == 0));
    }
}
