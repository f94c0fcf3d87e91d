//! Rules that fail, flood or lose windows → findings of Weir's own that say so, and, of a rule that floods, only the findings that it may
//! have.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use datafusion::common::Result;
use serde::Deserialize;

use super::window::bytes::{Reader, Writer};
use crate::finding::{Finding, FindingId, Resource};
use crate::rule::{Confidence, Rule, Severity};
use crate::time::{MICROS_PER_DAY, MICROS_PER_HOUR, Timestamp, day_text};

/// Of the findings that say a rule failed or floods.
pub const RULE_QUARANTINED: &str = "weir/rule_quarantined";

/// Of the findings that say windows left before their time.
pub const WINDOWS_SHED: &str = "weir/windows_shed";

/// The `[quarantine]` section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Findings that a rule may have in an hour of event time, on average over its dedupe period; 0 for any number.
    pub findings_per_hour: u64,
    /// Hours of event time that a rule is put aside for, from the beginning of the period that it flooded.
    pub hours: u32,
}

impl Default for Config {
    fn default() -> Config {
        // 24,000 a day: a quarter of the findings that triage keeps open, and more than anyone reads
        Config { findings_per_hour: 1000, hours: 24 }
    }
}

/// Times that a failing rule is tried on parts of a batch: enough to find some ten rows in 64K. What is left then counts as failed.
const TRIES_MAX: usize = 256;

/// Asks of all at once, and where that fails of halves, until each failure stands alone: what was answered, and what failed with
/// why. One row that a rule cannot judge thus hides no other. Of those that could fail first is `failed`, of the whole.
pub fn halves<T, R>(
    all: &[T],
    failed: String,
    mut ask: impl FnMut(&[T]) -> Result<R>,
) -> (Vec<R>, Vec<(&[T], String)>) {
    let (mut answers, mut failures, mut tries) = (Vec::new(), Vec::new(), 0);
    let mut waiting = vec![(all, failed)];
    while let Some((part, failed)) = waiting.pop() {
        if part.len() < 2 || tries >= TRIES_MAX {
            failures.push((part, failed));
            continue;
        }
        let (left, right) = part.split_at(part.len() / 2);
        for half in [right, left] {
            tries += 1;
            match ask(half) {
                Ok(answer) => answers.push(answer),
                Err(error) => waiting.push((half, error.strip_backtrace())),
            }
        }
    }
    (answers, failures)
}

/// Where and when a rule failed or flooded.
pub struct Place {
    pub time: Timestamp,
    pub account: String,
    pub region: String,
    pub event_id: Option<String>,
}

/// A rule could not judge a row: one finding a rule and day of event time, whose count is of rows.
pub fn failed(rule: &Rule, error: &str, at: Place) -> Finding {
    let day = at.time.0.div_euclid(MICROS_PER_DAY);
    let mut finding = quarantined(rule, "fails", day, at);
    finding.title = format!("Rule {} could not judge some rows", rule.id);
    finding.evidence.push(("error".into(), super::emit::cut(error)));
    finding.remedy = format!(
        "The rule judged all other rows. Read the error beside {}, guard the expression (try_cast, nullif, CASE) and judge these \
         rows with `weir backtest`; a run with --follow takes the edit up.",
        rule.file
    );
    finding
}

/// Groups of windows of a rule left a pane before its time, for want of room: one finding a rule and day of event time, whose count is of
/// groups, and which lasts from the beginning of the first such pane to the end of the last. `at` has when the pane began, and after it
/// come the lengths of a pane and of a window.
pub fn lost(rule: &Rule, groups: u64, [slide, size]: [i64; 2], at: Place) -> Finding {
    let day = at.time.0.div_euclid(MICROS_PER_DAY);
    // of all panes that begin on this day, so that the earliest, which describes the finding, says the same as the others
    let begun = day.saturating_mul(MICROS_PER_DAY);
    let (since, until) = (begun.saturating_sub(size), begun.saturating_add(MICROS_PER_DAY + slide.max(size)));
    let [since, until] = [since, until].map(|time| day_text(Timestamp(time).day()));
    let end = Timestamp(at.time.0.saturating_add(slide - 1));
    let mut finding = of_weir(WINDOWS_SHED, rule, "sheds", day, at);
    finding.title = format!("Rule {} lost windows for want of room", rule.id);
    (finding.count, finding.last_seen) = (groups, end);
    finding.remedy = format!(
        "Too many keys came at once: look whether somebody makes them up. A run that has an archive tells what was lost once the day is over, when it follows within an hour, else at its next start; until \
         then `weir backtest {} --since {since} --until {until}` says it; a file or folder takes the place of the id of a rule that is not built in. A higher --memory gives windows more room.",
        rule.id
    );
    finding
}

/// What came of judging again what was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// Nothing is missing any more; so many findings of its days were.
    Closed { missed: u64 },
    /// It is not tried again, for this reason.
    InVain(&'static str),
    /// It is not tried again with so much room, in bytes.
    NoRoom(usize),
}

/// The evidence that says how many of the windows lost were tried again, why in vain, and with how much room.
const TRIED: &str = "windows_judged_again";
const IN_VAIN: &str = "not_judged_again";
const ROOM: &str = "room_bytes";

/// Whether a finding is of windows that were lost, of which not all were judged again yet, with as much room at least.
pub fn is_hole(finding: &Finding, room: usize) -> bool {
    let is_short = || said(finding, ROOM).and_then(|known| known.parse().ok()).is_some_and(|known: usize| known < room);
    finding.rule == WINDOWS_SHED && (!is_tried(finding) || is_short())
}

/// Whether it is of windows that were lost, and nothing is missing any more.
pub fn is_closed(finding: &Finding) -> bool {
    finding.rule == WINDOWS_SHED && is_tried(finding) && said(finding, IN_VAIN).is_none()
}

fn is_tried(finding: &Finding) -> bool {
    said(finding, TRIED) == Some(&finding.count.to_string())
}

/// The rule whose windows were lost.
pub fn rule_of(finding: &Finding) -> &str {
    said(finding, "rule").map_or("", String::as_str)
}

/// Notes what came of it. More windows that are lost open it again: their number, or what describes the finding, is another one then.
pub fn close(finding: &mut Finding, tried: &Tried) {
    finding.evidence.truncate(2);
    finding.evidence.push((TRIED.into(), finding.count.to_string()));
    match tried {
        Tried::Closed { missed } => {
            finding.title =
                format!("Rule {} lost windows for want of room, and they were judged again", rule_of(finding));
            finding.evidence.push(("findings_missed".into(), missed.to_string()));
        }
        Tried::InVain(why) => finding.evidence.push((IN_VAIN.into(), (*why).into())),
        Tried::NoRoom(room) => {
            finding.evidence.push((IN_VAIN.into(), "there is no room for them again".into()));
            finding.evidence.push((ROOM.into(), room.to_string()));
        }
    }
}

fn said<'a>(finding: &'a Finding, name: &str) -> Option<&'a String> {
    finding.evidence.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn flooded(rule: &Rule, limit: u64, period: (i64, i64), until: i64, at: Place, matches: u64) -> Finding {
    let mut finding = quarantined(rule, "floods", period.0, at);
    finding.title = format!("Rule {} has too many findings and was put aside", rule.id);
    finding.count = matches;
    finding.evidence.push(("findings_max".into(), limit.to_string()));
    finding.evidence.push(("put_aside_from".into(), Timestamp(period.1).to_string()));
    finding.evidence.push(("put_aside_until".into(), Timestamp(until).to_string()));
    finding.remedy = format!(
        "Look whether an attack is behind it first (`weir backtest` shows what was put aside). If not, narrow {} or its key, or \
         suppress what is known: an edit ends it. [quarantine] in the configuration has the limit.",
        rule.file
    );
    finding
}

fn quarantined(rule: &Rule, why: &str, period: i64, at: Place) -> Finding {
    of_weir(RULE_QUARANTINED, rule, why, period, at)
}

/// What Weir says itself, as a rule called `own`, about a rule.
fn of_weir(own: &str, rule: &Rule, why: &str, period: i64, at: Place) -> Finding {
    Finding {
        id: FindingId::new(own, &[Some(&rule.id), Some(why)], period),
        rule: own.into(),
        title: String::new(),
        severity: Severity::Medium,
        confidence: Confidence::High,
        priority: 0,
        account: at.account,
        region: at.region,
        actor: None,
        sessions: Vec::new(),
        assumed_by: Vec::new(),
        source_ip: None,
        resources: vec![Resource(rule.id.clone())],
        first_seen: at.time,
        last_seen: at.time,
        count: 1,
        window: None,
        gravest: None,
        event_ids: at.event_id.map(|id| (at.time, id)).into_iter().collect(),
        tags: vec!["weir.health".into()],
        remedy: String::new(),
        evidence: vec![("rule".into(), rule.id.clone()), ("why".into(), why.into())],
        terms: Vec::new(),
    }
}

/// How many findings each rule has, by dedupe period. Whether a period is flooded depends on the set of its findings alone,
/// in whatever order they come; which of them pass before that depends on their order of arrival (of input in the order of
/// events, they are the earliest).
#[derive(Default)]
pub struct Floods {
    config: Option<Config>,
    rules: BTreeMap<String, Flow>,
    /// Ids that all of them remember.
    ids: usize,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Flow {
    /// Of the rule's text: another text begins anew.
    text: [u8; 16],
    /// Ids of findings, shortened, by period, and whether they passed; as many as the limit.
    seen: BTreeMap<i64, HashMap<u64, bool>>,
    /// From when until when the rule is put aside, in event time.
    aside: BTreeSet<(i64, i64)>,
}

impl Flow {
    fn len(&self) -> usize {
        self.seen.values().map(HashMap::len).sum()
    }
}

/// Ids of findings that are remembered at most, of all rules. Past it the oldest periods are forgotten: they count from zero.
const IDS_MAX: usize = 200_000;
/// Times that a rule was put aside which are remembered.
const ASIDE_MAX: usize = 100;

impl Floods {
    /// Without it nothing floods.
    pub fn limit(&mut self, config: Config) {
        self.config = (config.findings_per_hour > 0).then_some(config);
    }

    /// The findings of a rule that it may have, and one that says so where there are more; and the number of matches that were
    /// put aside.
    pub fn admit(&mut self, rule: &Rule, mut found: Vec<Finding>) -> (Vec<Finding>, u64) {
        let Some(config) = self.config else { return (found, 0) };
        let flow = self.rules.entry(rule.id.clone()).or_default();
        let text = text_hash(rule);
        if flow.text != text {
            self.ids -= flow.len();
            *flow = Flow { text, ..Flow::default() };
        }
        let hours = (rule.dedupe_micros / MICROS_PER_HOUR).max(1) as u64;
        let limit = config.findings_per_hour.saturating_mul(hours);
        found.sort_by_key(|finding| (finding.first_seen, finding.id));
        let (mut passed, mut told, mut aside) = (Vec::new(), BTreeMap::<FindingId, Finding>::new(), 0);
        for finding in found {
            let time = finding.window.map_or(finding.first_seen.0, |(_, end)| end.0 - 1);
            let number = time.div_euclid(rule.dedupe_micros);
            let start = number * rule.dedupe_micros;
            let id = u64::from_le_bytes(finding.id.0[..8].try_into().expect("an id has 16 bytes"));
            let seen = flow.seen.entry(number).or_default();
            let room = (seen.len() as u64) < limit;
            let known = seen.get(&id).copied();
            if known.is_none() && !room {
                let until = start + rule.dedupe_micros.max(i64::from(config.hours) * MICROS_PER_HOUR);
                flow.aside.insert((start, until));
                while flow.aside.len() > ASIDE_MAX {
                    flow.aside.pop_first();
                }
            }
            let put_aside = flow.aside.iter().rev().find(|(from, until)| (*from..*until).contains(&time)).copied();
            if known.is_none() && room {
                seen.insert(id, put_aside.is_none());
                self.ids += 1;
            }
            let passes = known.unwrap_or(put_aside.is_none());
            let Some((from, until)) = put_aside.filter(|_| !passes) else {
                passed.push(finding);
                continue;
            };
            aside += finding.count;
            let at =
                Place { time: finding.first_seen, account: finding.account, region: finding.region, event_id: None };
            let period = (from.div_euclid(rule.dedupe_micros), from);
            let notice = flooded(rule, limit, period, until, at, finding.count);
            match told.get_mut(&notice.id) {
                Some(known) => known.fold(notice),
                None => drop(told.insert(notice.id, notice)),
            }
        }
        passed.extend(told.into_values());
        self.forget();
        (passed, aside)
    }

    fn forget(&mut self) {
        while self.ids > IDS_MAX {
            // periods of different lengths are compared by what they hold: the largest rule forgets its oldest
            let largest = self.rules.values_mut().max_by_key(|flow| flow.len()).expect("something is remembered");
            self.ids -= largest.seen.pop_first().map_or(0, |(_, ids)| ids.len());
        }
    }

    /// Goes on with what others counted, but for rules whose text is another one: [`Floods::admit`] compares.
    pub fn take_over(&mut self, before: Floods) {
        (self.rules, self.ids) = (before.rules, before.ids);
    }

    /// Forgets rules that there are no longer.
    pub fn retain(&mut self, is_there: impl Fn(&str) -> bool) {
        self.rules.retain(|rule, _| is_there(rule));
        self.ids = self.rules.values().map(Flow::len).sum();
    }

    /// Nothing where nothing was counted.
    pub fn write(&self, to: &mut Writer) {
        if self.rules.is_empty() {
            return;
        }
        to.number(self.rules.len() as u64);
        for (rule, flow) in &self.rules {
            to.bytes(rule.as_bytes());
            to.fixed(&flow.text);
            to.number(flow.aside.len() as u64);
            for (from, until) in &flow.aside {
                to.signed(*from);
                to.signed(*until);
            }
            to.number(flow.seen.len() as u64);
            for (number, ids) in &flow.seen {
                to.signed(*number);
                to.number(ids.len() as u64);
                let ids: BTreeMap<u64, bool> = ids.iter().map(|(id, passed)| (*id, *passed)).collect();
                for (id, passed) in ids {
                    to.fixed(&id.to_le_bytes());
                    to.byte(u8::from(passed));
                }
            }
        }
    }

    /// What [`Floods::write`] wrote; `None` when it did not.
    pub fn read(&mut self, from: &mut Reader) -> Option<()> {
        self.rules.clear();
        self.ids = 0;
        if from.0.is_empty() {
            return Some(());
        }
        for _ in 0..from.number()? {
            let (rule, mut flow) = (from.text()?, Flow { text: from.fixed()?, ..Flow::default() });
            for _ in 0..from.number()? {
                flow.aside.insert((from.signed()?, from.signed()?));
            }
            for _ in 0..from.number()? {
                let (number, count) = (from.signed()?, from.number()?);
                let mut id = || Some((from.fixed().map(u64::from_le_bytes)?, from.byte()? == 1));
                let ids = (0..count).map(|_| id()).collect::<Option<_>>()?;
                flow.seen.insert(number, ids);
            }
            self.ids += flow.len();
            self.rules.insert(rule, flow);
        }
        Some(())
    }
}

fn text_hash(rule: &Rule) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(rule.text.as_bytes()).as_bytes()[..16]);
    short
}

#[cfg(test)]
mod tests;
