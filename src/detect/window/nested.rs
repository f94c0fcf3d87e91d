//! Rows that rules of nested correlations select → whether the outermost correlation holds.
//!
//! A correlation matches at the time of each row that completes it: of each match of its steps at whose time its condition
//! holds of what came no longer than `within` before. A correlation that has another as a step goes by the times of these
//! matches. What comes at one time has no order: it counts as if what is missing came first.

use std::cmp::Ordering;
use std::collections::{BTreeSet, VecDeque};

use hashbrown::HashMap;
use serde::Deserialize;

use super::bytes::{Reader, Writer};
use crate::time::MICROS_PER_SECOND;

/// Different rows kept of a group, the earliest: of one that has more, the later ones are not known.
pub const ROWS_MAX: usize = 10_000;

/// Rules that there can be.
pub const RULES_MAX: usize = 64;

/// Longest `within`.
const DAYS_MAX: i64 = 366;

/// What a correlation asks for, which a query writes as JSON.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Correlation {
    of: Vec<Step>,
    /// In seconds.
    within: i64,
    /// Whether what lies in one period that long, of those since 1970, belongs together, in place of what lies no further apart.
    #[serde(default)]
    tumbling: bool,
    /// Numbers of the values that its rows have in common, besides those that the query groups by.
    #[serde(default)]
    by: Vec<usize>,
    holds: Holds,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
enum Step {
    /// Rows of a rule, by its number.
    Rows(usize),
    Matches(Correlation),
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Holds {
    /// At least so many matches of any step.
    Count(u64),
    /// At least so many values among them, by the number of the value.
    Distinct(u64, usize),
    /// A match of each step, none earlier than the one of the step before.
    InOrder,
    Together(Together),
}

/// Of which steps there are matches.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
enum Together {
    Step(usize),
    AtLeast(u64, Vec<Together>),
}

impl Correlation {
    /// Reads what a query says of that many rules and values.
    ///
    /// # Errors
    /// When it is no correlation, or is one of others.
    pub fn parse(text: &str, rules: usize, values: usize) -> Result<Correlation, String> {
        let read: Correlation = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if rules > RULES_MAX {
            return Err(format!("{RULES_MAX} rules at most, and not {rules}"));
        }
        read.check(rules, values)?;
        Ok(read)
    }

    fn check(&self, rules: usize, values: usize) -> Result<(), String> {
        if !(1..=DAYS_MAX * 86_400).contains(&self.within) {
            return Err(format!("`within` is between a second and {DAYS_MAX} days"));
        }
        if self.of.is_empty() {
            return Err("`of` is empty".to_owned());
        }
        let value = match self.holds {
            Holds::Distinct(_, value) => Some(value),
            Holds::Count(_) | Holds::InOrder | Holds::Together(_) => None,
        };
        if let Some(lost) = self.by.iter().copied().chain(value).find(|value| *value >= values) {
            return Err(format!("there is no value {lost}"));
        }
        if let Holds::Together(together) = &self.holds {
            together.check(self.of.len())?;
        }
        self.of.iter().try_for_each(|step| match step {
            Step::Rows(rule) if *rule >= rules => Err(format!("there is no rule {rule}")),
            Step::Rows(_) => Ok(()),
            Step::Matches(inner) => inner.check(rules, values),
        })
    }

    pub fn holds(&self, rows: &Rows) -> bool {
        !self.matches(rows).is_empty()
    }

    fn matches<'a>(&self, rows: &'a Rows) -> Vec<Match<'a>> {
        let mut steps = self.of_steps(rows);
        let by = |a: &Match, b: &Match| {
            let each = self.by.iter().map(|value| a.values[*value].cmp(&b.values[*value]));
            each.fold(Ordering::Equal, Ordering::then)
        };
        steps.sort_by(|a, b| by(a, b).then(a.time.cmp(&b.time)));
        let mut found = Vec::new();
        for group in steps.chunk_by(|a, b| by(a, b).is_eq()) {
            let mut before = Before::new(self);
            for now in group.chunk_by(|a, b| a.time == b.time) {
                before.leave(self.since(now[0].time));
                if let Some(missing) = before.missing(now) {
                    let rows = now.iter().map(|of| of.rows).sum::<u64>();
                    found.push(Match {
                        rows: rows.saturating_sub(missing.saturating_sub(1)).max(1),
                        step: 0,
                        ..now[0]
                    });
                }
                before.add(now);
            }
        }
        found
    }

    /// Matches of its steps; a row of several rules whose matches are counted is one.
    fn of_steps<'a>(&self, rows: &'a Rows) -> Vec<Match<'a>> {
        let counts = matches!(self.holds, Holds::Count(_) | Holds::Distinct(..));
        let bit = |step: &Step| if let Step::Rows(rule) = step { 1u64 << rule } else { 0 };
        let any = self.of.iter().map(bit).fold(0, |any, bit| any | bit);
        let mut found = if counts { rows.of(any, 0).collect() } else { Vec::new() };
        for (place, step) in self.of.iter().enumerate() {
            match step {
                Step::Rows(_) if counts => {}
                Step::Rows(_) => found.extend(rows.of(bit(step), place)),
                Step::Matches(inner) => {
                    found.extend(inner.matches(rows).into_iter().map(|of| Match { step: place, ..of }));
                }
            }
        }
        found
    }

    /// Where what belongs together with a time begins.
    fn since(&self, time: i64) -> i64 {
        let within = self.within * MICROS_PER_SECOND;
        if self.tumbling { time.div_euclid(within) * within } else { time.saturating_sub(within) }
    }
}

impl Together {
    fn check(&self, steps: usize) -> Result<(), String> {
        match self {
            Together::Step(step) if *step >= steps => {
                Err(format!("`together` names step {step}, which is not in `of`"))
            }
            Together::Step(_) => Ok(()),
            Together::AtLeast(_, parts) => parts.iter().try_for_each(|part| part.check(steps)),
        }
    }

    /// How many matches have to come, each of which may cost one or none; `None` where too few can.
    fn missing(&self, of_step: &impl Fn(usize) -> Option<u64>) -> Option<u64> {
        match self {
            Together::Step(step) => of_step(*step),
            Together::AtLeast(least, parts) => {
                let mut costs: Vec<u64> = parts.iter().filter_map(|part| part.missing(of_step)).collect();
                costs.sort_unstable();
                let least = usize::try_from(*least).ok()?;
                (costs.len() >= least).then(|| costs[..least].iter().sum())
            }
        }
    }
}

/// So many matches of a step of a correlation at one time.
#[derive(Clone, Copy)]
struct Match<'a> {
    time: i64,
    step: usize,
    rows: u64,
    /// Of one of its rows; those that a correlation groups by are the same of all its rows.
    values: &'a [u64],
}

/// What a correlation knows of the matches before a time.
struct Before<'a> {
    correlation: &'a Correlation,
    since: i64,
    /// Of counts: what lies within, with how many that is, and of what value how many.
    within: VecDeque<(i64, u64, Option<u64>)>,
    rows: u64,
    values: HashMap<u64, u64>,
    /// Of each step its latest match; of steps in order the beginning of the latest sequence that ends with it.
    latest: Vec<i64>,
}

impl Before<'_> {
    fn new(correlation: &Correlation) -> Before<'_> {
        Before {
            correlation,
            since: i64::MIN,
            within: VecDeque::new(),
            rows: 0,
            values: HashMap::new(),
            latest: vec![i64::MIN; correlation.of.len()],
        }
    }

    /// Forgets what came before a time.
    fn leave(&mut self, since: i64) {
        self.since = since;
        while let Some((_, rows, value)) = self.within.pop_front_if(|(time, ..)| *time < since) {
            self.rows -= rows;
            if let Some(value) = value {
                let left = self.values.get_mut(&value).expect("each value within is counted");
                *left -= 1;
                if *left == 0 {
                    self.values.remove(&value);
                }
            }
        }
    }

    /// How many of what comes at one time have to be there before the condition holds; `None` where it does not with all of them.
    fn missing(&self, now: &[Match]) -> Option<u64> {
        let comes = |step: usize| now.iter().any(|of| of.step == step);
        match &self.correlation.holds {
            Holds::Count(least) => {
                let rows = now.iter().map(|of| of.rows).sum::<u64>();
                (self.rows + rows >= *least).then(|| least.saturating_sub(self.rows))
            }
            Holds::Distinct(least, value) => {
                let values = now.iter().filter_map(|of| known(of, *value));
                let fresh: BTreeSet<u64> = values.filter(|value| !self.values.contains_key(value)).collect();
                let known = self.values.len() as u64;
                (known + fresh.len() as u64 >= *least).then(|| least.saturating_sub(known))
            }
            Holds::InOrder => {
                let known = self.latest.iter().take_while(|start| **start >= self.since).count();
                (known..self.latest.len()).all(comes).then(|| (self.latest.len() - known) as u64)
            }
            Holds::Together(together) => together.missing(&|step| match step {
                step if self.latest[step] >= self.since => Some(0),
                step => comes(step).then_some(1),
            }),
        }
    }

    fn add(&mut self, now: &[Match]) {
        match &self.correlation.holds {
            Holds::Count(_) | Holds::Distinct(..) => {
                for of in now {
                    let value = match self.correlation.holds {
                        Holds::Distinct(_, value) => known(of, value),
                        _ => None,
                    };
                    self.rows += of.rows;
                    self.within.push_back((of.time, of.rows, value));
                    value.into_iter().for_each(|value| *self.values.entry(value).or_default() += 1);
                }
            }
            Holds::InOrder => {
                let mut steps: Vec<usize> = now.iter().map(|of| of.step).collect();
                steps.sort_unstable();
                for step in steps {
                    self.latest[step] = match step.checked_sub(1) {
                        Some(before) => self.latest[step].max(self.latest[before]),
                        None => now[0].time,
                    };
                }
            }
            Holds::Together(_) => now.iter().for_each(|of| self.latest[of.step] = of.time),
        }
    }
}

/// A value that a match has.
fn known(of: &Match, value: usize) -> Option<u64> {
    Some(of.values[value]).filter(|value| *value != NULL)
}

/// Stands for no value.
pub const NULL: u64 = 0;

/// Different rows in order of time, each with how many of it there are. What is kept adds up the same in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(Vec<(Row, u64)>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// In microseconds since 1970.
    pub time: i64,
    /// A bit for each rule that selects it.
    pub rules: u64,
    /// Hashes of its values, or [`NULL`].
    pub values: Box<[u64]>,
}

impl Rows {
    pub fn add(&mut self, row: Row, count: u64) {
        // most come in order
        let place = match self.0.last() {
            Some((last, _)) if *last < row => Err(self.0.len()),
            _ => self.0.binary_search_by(|(known, _)| known.cmp(&row)),
        };
        match place {
            Ok(place) => self.0[place].1 += count,
            Err(ROWS_MAX) => {}
            Err(place) => {
                self.0.insert(place, (row, count));
                self.0.truncate(ROWS_MAX);
            }
        }
    }

    pub fn merge(&mut self, other: &Rows) {
        other.0.iter().for_each(|(row, count)| self.add(row.clone(), *count));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&self, rules: u64, step: usize) -> impl Iterator<Item = Match<'_>> {
        let all = self.0.iter().filter(move |(row, _)| row.rules & rules != 0);
        all.map(move |(row, count)| Match { time: row.time, step, rows: *count, values: &row.values })
    }

    /// About what it takes, in bytes.
    pub fn bytes_len(&self) -> usize {
        // a list that grew is about three quarters full
        self.0.iter().map(|(row, _)| std::mem::size_of::<(Row, u64)>() * 4 / 3 + row.values.len() * 8).sum()
    }

    pub fn write(&self, to: &mut Writer) {
        to.number(self.0.len() as u64);
        for (row, count) in &self.0 {
            to.signed(row.time);
            to.number(row.rules);
            to.number(row.values.len() as u64);
            row.values.iter().for_each(|value| to.fixed(&value.to_le_bytes()));
            to.number(*count);
        }
    }

    /// What [`Rows::write`] wrote; `None` when it did not.
    pub fn read(from: &mut Reader) -> Option<Rows> {
        let mut rows = Rows::default();
        for _ in 0..from.number()? {
            let (time, rules, values) = (from.signed()?, from.number()?, from.number()?);
            let values = (0..values).map(|_| from.fixed().map(u64::from_le_bytes)).collect::<Option<_>>()?;
            rows.add(Row { time, rules, values }, from.number()?);
        }
        Some(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows as second, rules, value.
    fn rows(all: &[(i64, u64, u64)]) -> Rows {
        let mut rows = Rows::default();
        for (second, rules, value) in all {
            let values = Box::from([*value]);
            rows.add(Row { time: second * MICROS_PER_SECOND, rules: *rules, values }, 1);
        }
        rows
    }

    /// Seconds and numbers of matches.
    fn matches(plan: &str, all: &[(i64, u64, u64)]) -> Vec<(i64, u64)> {
        let plan = Correlation::parse(plan, 3, 1).unwrap();
        plan.matches(&rows(all)).iter().map(|of| (of.time / MICROS_PER_SECOND, of.rows)).collect()
    }

    const BURST: &str = r#"{"of":[0],"within":10,"holds":{"count":3}}"#;

    fn above(of: &str, holds: &str) -> String {
        format!(r#"{{"of":[{of}],"within":20,"holds":{holds}}}"#)
    }

    #[test]
    fn a_count_matches_at_each_row_that_completes_it() {
        assert_eq!(matches(BURST, &[(0, 1, 0), (5, 1, 0), (10, 1, 0), (11, 1, 0), (30, 1, 0)]), [(10, 1), (11, 1)]);
        // of five at once the third is the first that completes it
        assert_eq!(matches(BURST, &[(7, 1, 0); 5]), [(7, 3)]);
        assert_eq!(matches(BURST, &[(0, 1, 0), (7, 1, 0), (7, 1, 0), (7, 1, 0)]), [(7, 2)]);
        assert_eq!(matches(BURST, &[(0, 1, 0), (5, 1, 0), (11, 1, 0)]), []);
        let tumbling = BURST.replace("\"within\"", "\"tumbling\":true,\"within\"");
        assert_eq!(matches(&tumbling, &[(8, 1, 0), (9, 1, 0), (10, 1, 0), (12, 1, 0), (19, 1, 0)]), [(19, 1)]);
    }

    #[test]
    fn a_step_may_be_what_a_correlation_matches() {
        let then = above(&format!("{BURST},1"), "\"in_order\"");
        let burst = [(0, 1, 0), (5, 1, 0), (10, 1, 0)];
        let with = |more: &[(i64, u64, u64)]| matches(&then, &[&burst, more].concat());
        assert_eq!(with(&[(30, 2, 0)]), [(30, 1)], "twenty seconds behind its last row");
        assert_eq!(with(&[(31, 2, 0)]), []);
        assert_eq!(with(&[(9, 2, 0)]), [], "the burst was not complete");
        assert_eq!(with(&[(10, 2, 0)]), [(10, 1)], "at one time");
        let twice = above(BURST, r#"{"count":2}"#);
        assert_eq!(matches(&twice, &burst), []);
        assert_eq!(matches(&twice, &[&burst[..], &[(11, 1, 0), (12, 1, 0)]].concat()), [(11, 1), (12, 1)]);
        assert_eq!(matches(&twice, &[(0, 1, 0), (1, 1, 0), (2, 1, 0), (3, 1, 0), (20, 1, 0)]), [(3, 1)]);
    }

    #[test]
    fn a_correlation_within_may_group_by_more() {
        let each = r#"{"of":[0],"within":10,"by":[0],"holds":{"count":2}}"#;
        let several = above(each, r#"{"distinct":[2,0]}"#);
        assert_eq!(matches(each, &[(0, 1, 7), (1, 1, 8), (2, 1, 7), (3, 1, NULL), (4, 1, NULL)]), [(4, 1), (2, 1)]);
        assert_eq!(matches(&several, &[(0, 1, 7), (1, 1, 7), (2, 1, 8), (3, 1, 7)]), []);
        assert_eq!(matches(&several, &[(0, 1, 7), (1, 1, 7), (2, 1, 8), (3, 1, 8)]), [(3, 1)]);
        assert_eq!(matches(&several, &[(0, 1, 7), (1, 1, 7), (2, 1, NULL), (3, 1, NULL)]), [], "null is no value");
    }

    #[test]
    fn steps_come_together_and_in_order() {
        let two = above("0,1,2", r#"{"together":[2,[0,[1,[1,2]]]]}"#);
        assert_eq!(matches(&two, &[(0, 2, 0), (1, 4, 0)]), []);
        assert_eq!(matches(&two, &[(0, 2, 0), (20, 1, 0), (21, 1, 0), (21, 4, 0)]), [(20, 1), (21, 2)]);
        assert_eq!(matches(&two, &[(0, 3, 0)]), [(0, 1)], "a row of two rules is one of each");
        let order = above("0,1,2", "\"in_order\"");
        assert_eq!(matches(&order, &[(0, 1, 0), (1, 2, 0), (2, 4, 0), (20, 4, 0), (21, 4, 0)]), [(2, 1), (20, 1)]);
        assert_eq!(matches(&order, &[(0, 2, 0), (1, 1, 0), (2, 4, 0)]), []);
        assert_eq!(matches(&order, &[(5, 4, 0), (5, 1, 0), (5, 2, 0)]), [(5, 1)]);
        // the later beginning is the one that lies within
        assert_eq!(matches(&order, &[(0, 1, 0), (9, 1, 0), (10, 2, 0), (25, 4, 0)]), [(25, 1)]);
    }

    #[test]
    fn the_earliest_rows_are_kept() {
        let many: Vec<(i64, u64, u64)> = (0..=ROWS_MAX as i64).rev().map(|second| (second, 1, 0)).collect();
        let kept = rows(&many);
        assert_eq!(
            (kept.0.len(), kept.0.last().unwrap().0.time),
            (ROWS_MAX, (ROWS_MAX as i64 - 1) * MICROS_PER_SECOND)
        );
        let mut merged = rows(&many[..4000]);
        merged.merge(&rows(&many[4000..]));
        assert_eq!(merged, kept);
        merged.add(kept.0[0].0.clone(), 2);
        let (mut to, mut from) = (Writer::default(), Rows::default());
        merged.write(&mut to);
        from.merge(&Rows::read(&mut Reader(&to.0)).unwrap());
        assert_eq!((from, merged.0[0].1), (merged, 3));
    }

    #[test]
    fn what_is_no_plan_is_said() {
        let said = |plan: &str| Correlation::parse(plan, 1, 1).unwrap_err();
        assert!(said("{").starts_with("EOF"));
        assert_eq!(said(&above("1", r#"{"count":1}"#)), "there is no rule 1");
        assert_eq!(said(&above("", r#"{"count":1}"#)), "`of` is empty");
        assert_eq!(said(&above("0", r#"{"distinct":[1,1]}"#)), "there is no value 1");
        assert_eq!(said(&above("0", r#"{"together":1}"#)), "`together` names step 1, which is not in `of`");
        assert_eq!(said(&BURST.replace("10", "0")), "`within` is between a second and 366 days");
        assert_eq!(said(&above(&BURST.replace("[0]", "[1]"), "\"in_order\"")), "there is no rule 1");
    }
}
