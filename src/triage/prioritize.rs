//! How urgent a finding is: terms in bits (log2 odds), added up, each with the words that explain it.

use std::collections::{BTreeSet, HashMap};

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use glob::Pattern;
use serde::Deserialize;

use super::feedback::Feedback;
use crate::finding::{Finding, Term};
use crate::rule::{Confidence, Severity};
use crate::table::Batch;
use crate::time::MICROS_PER_HOUR;

/// What an asset is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Worth {
    CrownJewel,
    Production,
    Sandbox,
}

/// An `[[assets]]` entry: a pattern over accounts, actors and resource names, and what they are worth.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    #[serde(deserialize_with = "pattern")]
    pub pattern: Pattern,
    pub worth: Worth,
}

fn pattern<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Pattern, D::Error> {
    let text = String::deserialize(from)?;
    Pattern::new(&text).map_err(|error| serde::de::Error::custom(format!("`{text}` is not a pattern: {error}")))
}

/// The hours of event time in which there were rows at all, as hours since 1970. Hours rather than a span: one record
/// with a clock years ahead adds an hour, not years.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watched(pub(super) BTreeSet<i64>);

impl Watched {
    /// Hours remembered at most, 22 years; later ones are then not counted.
    pub const HOURS_MAX: usize = 200_000;

    /// Notes the rows' times. A column that says no time is left out.
    pub fn note(&mut self, batch: &Batch) {
        let Some(times) = batch.rows.column_by_name(batch.table.time) else { return };
        let mut last = None;
        let mut hour = |hour: i64| {
            if last != Some(hour) && self.0.len() < Watched::HOURS_MAX {
                self.0.insert(hour);
            }
            last = Some(hour);
        };
        if let Some(times) = times.as_primitive_opt::<TimestampMicrosecondType>() {
            times.iter().flatten().for_each(|micros| hour(micros.div_euclid(MICROS_PER_HOUR)));
        } else if let Some(times) = times.as_primitive_opt::<Int64Type>() {
            times.iter().flatten().for_each(|seconds| hour(seconds.div_euclid(3600)));
        }
    }
}

/// A rule that fires on an actor in every other hour tells nothing new: log2((hours + 4) / hours it fired in) is then 1.
const HABIT_BITS: f64 = 1.0;
/// Hours in which a rule fired on an actor before that is a habit: a day's.
const HABIT_HOURS: u64 = 24;

/// How long we have been looking, and how often each rule fired on each actor.
#[derive(Default)]
pub struct History<'a> {
    hours_observed: u64,
    fired: HashMap<Who<'a>, u64>,
}

/// Rule, account and actor: names alone mean different people in different accounts.
type Who<'a> = (&'a str, &'a str, &'a str);

impl<'a> History<'a> {
    /// Observed are the hours that had rows, and those in which the findings begin and end. A finding counts for as many
    /// hours as it has matches, but no more than lie between its first and last: which of them had one is not kept. One of a frame
    /// counts for the hour that its frame ends in: what lies before, a week of it maybe, the rule looked back at. Findings that
    /// overlap, as those of many resources within one hour do, count together for no more hours than they lie in.
    pub fn of(watched: &Watched, findings: impl Iterator<Item = &'a Finding>) -> History<'a> {
        let mut history = History::default();
        let mut beyond = BTreeSet::new();
        let mut stretches: HashMap<Who, Vec<Stretch>> = HashMap::new();
        for finding in findings {
            let from = finding.first_seen.0.div_euclid(MICROS_PER_HOUR);
            let to = finding.last_seen.0.div_euclid(MICROS_PER_HOUR);
            beyond.extend([from, to].into_iter().filter(|hour| !watched.0.contains(hour)));
            let from = if finding.is_of_frame() { to } else { from };
            let hours = finding.count.min((to - from).unsigned_abs() + 1);
            stretches.entry(who(finding)).or_default().push((from, to, hours));
        }
        history.fired = stretches.into_iter().map(|(who, stretches)| (who, hours_of(stretches))).collect();
        history.hours_observed = (watched.0.len() + beyond.len()) as u64;
        history
    }
}

/// The first hour and the last, and how many of them had a match at most.
type Stretch = (i64, i64, u64);

fn hours_of(mut stretches: Vec<Stretch>) -> u64 {
    let hours_in = |(from, to, hours): Stretch| hours.min((to - from).unsigned_abs() + 1);
    stretches.sort_unstable();
    let (mut all, mut open) = (0, None::<Stretch>);
    for (from, to, hours) in stretches {
        open = Some(match open {
            Some((first, last, more)) if from <= last => (first, last.max(to), more + hours),
            before => {
                all += before.map_or(0, hours_in);
                (from, to, hours)
            }
        });
    }
    all + open.map_or(0, hours_in)
}

fn who(finding: &Finding) -> Who<'_> {
    (&finding.rule, &finding.account, finding.actor.as_deref().unwrap_or_default())
}

/// The finding with its terms and its priority.
pub fn ranked(finding: &Finding, history: &History<'_>, assets: &[Asset], feedback: &Feedback) -> Finding {
    let mut ranked = finding.clone();
    ranked.terms = vec![severity(finding), precision(finding, feedback), rarity(finding, history)];
    ranked.terms.extend(asset(finding, assets));
    ranked.priority = priority(ranked.terms.iter().map(|term| term.bits).sum());
    ranked
}

/// 0 to 99, even steps over the bits that the terms can add up to.
fn priority(bits: f64) -> u8 {
    const LEAST: f64 = -5.2;
    const MOST: f64 = 23.0;
    ((bits - LEAST) / (MOST - LEAST) * 99.0).round().clamp(0.0, 99.0) as u8
}

/// Bits that a severity is worth by itself.
pub fn prior(severity: Severity) -> f64 {
    match severity {
        Severity::Informational => 0.0,
        Severity::Low => 1.0,
        Severity::Medium => 3.0,
        Severity::High => 5.0,
        Severity::Critical => 7.0,
    }
}

fn severity(finding: &Finding) -> Term {
    Term { name: "severity", bits: prior(finding.severity), why: format!("the rule says {}", finding.severity) }
}

/// Odds that a match is what the rule's title says, by the rule's own word and by what was found out about its findings.
fn precision(finding: &Finding, feedback: &Feedback) -> Term {
    let tally = feedback.tally(&finding.rule, &finding.account, finding.last_seen);
    let (right, wrong) = tally.odds(finding.confidence);
    let name = match finding.confidence {
        Confidence::Low => "low",
        Confidence::Medium => "medium",
        Confidence::High => "high",
    };
    let why = match tally.is_empty() {
        true => format!("{name} confidence: odds {right} to {wrong} before feedback"),
        false => format!(
            "{name} confidence, {} confirmed and {} dismissed in this account: odds {right:.1} to {wrong:.1}",
            tally.confirmed, tally.dismissed
        ),
    };
    Term { name: "precision", bits: tally.bits(finding.confidence), why }
}

/// Below zero where a rule of less than high severity fires on the actor at least every other hour and has in [`HABIT_HOURS`]: what is
/// severe stays so however long it goes on, and on a short history an attack is what happens all the time.
fn rarity(finding: &Finding, history: &History<'_>) -> Term {
    let observed = history.hours_observed;
    let fired = history.fired.get(&who(finding)).copied().unwrap_or(0).clamp(1, observed.max(1));
    let bits = ((observed as f64 + 4.0) / fired as f64).log2().clamp(0.0, 12.0);
    let hours = if observed == 1 { "hour" } else { "hours" };
    let why = format!("this rule fired on this actor in {fired} of {observed} {hours} observed");
    let is_habit = bits <= HABIT_BITS && fired >= HABIT_HOURS && finding.severity < Severity::High;
    match is_habit {
        true => Term { name: "rarity", bits: bits - 3.0, why: format!("{why}, which is a habit") },
        false => Term { name: "rarity", bits, why },
    }
}

fn asset(finding: &Finding, assets: &[Asset]) -> Option<Term> {
    let names = || {
        let resources = finding.resources.iter().map(|resource| resource.0.as_str());
        resources.chain([finding.account.as_str()]).chain(finding.actor.as_deref())
    };
    let (entry, name) =
        assets.iter().find_map(|entry| names().find(|name| entry.pattern.matches(name)).map(|name| (entry, name)))?;
    let (bits, what) = match entry.worth {
        Worth::CrownJewel => (3.0, "a crown jewel"),
        Worth::Production => (2.0, "production"),
        Worth::Sandbox => (-2.0, "a sandbox"),
    };
    Some(Term { name: "asset", bits, why: format!("{name} is {what}") })
}

/// One paragraph for a person: what happened, why it ranks where it does, what to do next.
pub fn explanation(finding: &Finding) -> String {
    let who = match finding.who_in_full() {
        who if who.is_empty() => "an unnamed actor".to_owned(),
        who => who,
    };
    let who = match &finding.assumers()[..] {
        [] => who,
        assumers => format!("{who}, assumed by {}", assumers.join(", by ")),
    };
    let mut text = format!("{}: by {who}", finding.said());
    let addresses = finding.addresses();
    if !addresses.is_empty() {
        text.push_str(&format!(" from {}", addresses.join(", ")));
    }
    if let Some(resource) = finding.resources.first() {
        text.push_str(&format!(" on {}", resource.short()));
        if finding.resources.len() > 1 {
            let at_least = if finding.has_more_resources() { "at least " } else { "" };
            text.push_str(&format!(" and {at_least}{} more", finding.resources.len() - 1));
        }
    }
    text.push_str(&format!(" in account {}, {}", finding.account, finding.region));
    match finding.count {
        1 => text.push_str(&format!(", at {}.", finding.first_seen)),
        count if finding.first_seen == finding.last_seen => {
            text.push_str(&format!(", {count} times at {}.", finding.first_seen))
        }
        count if finding.is_of_frame() => {
            let (last, first) = (finding.last_seen, finding.first_seen);
            text.push_str(&format!(", at {last}, the last of {count} times since {first}."))
        }
        count => text.push_str(&format!(", {count} times between {} and {}.", finding.first_seen, finding.last_seen)),
    }
    let terms: Vec<_> =
        finding.terms.iter().map(|term| format!("{} {:+.1} ({})", term.name, term.bits, term.why)).collect();
    text.push_str(&format!(" Priority {}: {}. Next: {}", finding.priority, terms.join(", "), finding.remedy));
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, TimestampMicrosecondArray};

    use super::*;
    use crate::finding::Resource;
    use crate::finding::tests::one_match;
    use crate::logs::cloudtrail::CLOUDTRAIL;
    use crate::time::Timestamp;

    fn finding(actor: &str, hour: i64) -> Finding {
        one_match("cloudtrail/x", actor, Timestamp(hour * MICROS_PER_HOUR), "e")
    }

    #[test]
    fn what_an_actor_rarely_does_ranks_above_what_it_does_daily() {
        let all: Vec<_> = (0..100).map(|day| finding("ci", day * 24)).chain([finding("eve", 50)]).collect();
        let history = History::of(&Watched((0..2377).collect()), all.iter());
        let [eve, ci] = [&all[100], &all[0]].map(|finding| ranked(finding, &history, &[], &Feedback::default()));
        // 99 * 24 + 1 = 2377 hours: log2(2381) and log2(23.81)
        assert_eq!((eve.terms[2].bits * 10.0).round(), 112.0);
        assert_eq!((ci.terms[2].bits * 10.0).round(), 46.0);
        assert!(eve.priority > ci.priority);
    }

    #[test]
    fn what_is_not_severe_and_goes_on_for_a_day_is_a_habit() {
        let check = |severity: Severity, hours: i64, observed: i64, expected: f64| {
            let all: Vec<_> = (0..hours).map(|hour| finding("ci", hour)).collect();
            let history = History::of(&Watched((0..observed).collect()), all.iter());
            let bits = rarity(&Finding { severity, ..all[0].clone() }, &history).bits;
            assert_eq!((bits * 100.0).round(), expected, "{severity} in {hours} of {observed} hours");
        };
        check(Severity::Medium, 23, 23, 23.0);
        check(Severity::Medium, 24, 24, 22.0 - 300.0);
        check(Severity::Medium, 24, 44, 100.0 - 300.0);
        check(Severity::Medium, 24, 45, 103.0);
        check(Severity::High, 24, 24, 22.0);
        check(Severity::Critical, 240, 240, 2.0);
    }

    #[test]
    fn a_rule_that_looks_back_fired_in_the_hour_of_its_row() {
        let mut found = finding("ci", 0);
        found.last_seen = Timestamp(100 * MICROS_PER_HOUR);
        (found.count, found.window) = (50, Some((Timestamp(0), found.last_seen)));
        let why = |found: &Finding| {
            let history = History::of(&Watched((0..=100).collect()), [found].into_iter());
            ranked(found, &history, &[], &Feedback::default()).terms[2].why.clone()
        };
        assert_eq!(why(&found), "this rule fired on this actor in 1 of 101 hours observed");
        let text = explanation(&found);
        let when = ", at 1970-01-05T04:00:00Z, the last of 50 times since 1970-01-01T00:00:00Z.";
        assert!(text.contains(when), "{text}");
        // of a window that ends behind its rows these are all its own
        found.window = Some((Timestamp(0), Timestamp(168 * MICROS_PER_HOUR)));
        assert_eq!(why(&found), "this rule fired on this actor in 50 of 101 hours observed");
    }

    #[test]
    fn what_is_done_to_many_in_one_hour_is_no_habit() {
        let of_key = |key: u8, hour: i64| Finding { id: crate::finding::FindingId([key; 16]), ..finding("eve", hour) };
        let mut all: Vec<Finding> = (0..30).map(|key| of_key(key, 20)).collect();
        let fired = |all: &[Finding]| {
            let history = History::of(&Watched((0..24).collect()), all.iter());
            rarity(&all[0], &history).why
        };
        assert_eq!(fired(&all), "this rule fired on this actor in 1 of 24 hours observed");
        all.push(of_key(99, 22));
        all[0].last_seen = Timestamp(21 * MICROS_PER_HOUR);
        all[0].count = 9;
        assert_eq!(fired(&all), "this rule fired on this actor in 3 of 24 hours observed");
    }

    #[test]
    fn hours_are_counted_once_and_a_wrong_clock_adds_one() {
        let rows = |times: Vec<i64>| {
            let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"));
            let rows = RecordBatch::try_from_iter([(CLOUDTRAIL.time, times)]).unwrap();
            Batch { table: &CLOUDTRAIL, rows }
        };
        let mut watched = Watched::default();
        watched.note(&rows(vec![0, 1, MICROS_PER_HOUR, MICROS_PER_HOUR - 1, 900_000 * MICROS_PER_HOUR]));
        watched.note(&rows(vec![5]));
        assert_eq!(watched.0.into_iter().collect::<Vec<_>>(), [0, 1, 900_000]);
    }

    #[test]
    fn the_terms_add_up_to_the_priority() {
        let all = [finding("eve", 0)];
        let history = History::of(&Watched::default(), all.iter());
        let jewel = Asset { pattern: Pattern::new("*user/eve").unwrap(), worth: Worth::CrownJewel };
        let found = ranked(&finding("eve", 0), &history, &[jewel], &Feedback::default());
        // 3 (medium) - 2 (1 to 4) + log2(5) + 3 = 6.32 bits; (6.32 + 5.2) / 28.2 * 99 = 40.4
        assert_eq!(found.priority, 40);
        assert_eq!(priority(-100.0), 0);
        assert_eq!(priority(100.0), 99);
    }

    #[test]
    fn an_explanation_names_actor_place_and_next_step() {
        let all = [finding("eve", 0)];
        let history = History::of(&Watched::default(), all.iter());
        let mut found = ranked(&finding("eve", 0), &history, &[], &Feedback::default());
        let text = explanation(&found);
        assert!(
            text.starts_with("Something was changed: by eve from 192.0.2.7 on user/eve in account 111122223333"),
            "{text}"
        );
        assert!(text.ends_with("Next: Ask the owner."), "{text}");
        found.sessions = vec!["i-0123".into()];
        assert!(explanation(&found).starts_with("Something was changed: by eve in session i-0123 from"));
        found.resources = (0..10).map(|n| Resource(format!("i-{n}"))).collect();
        assert!(explanation(&found).contains(" on i-0 and 9 more in"), "{}", explanation(&found));
        // ten are all that a sample has
        found.window = Some((found.first_seen, Timestamp(MICROS_PER_HOUR)));
        assert!(explanation(&found).contains(" on i-0 and at least 9 more in"), "{}", explanation(&found));
    }
}
