//! Batches → findings, by every rule at once.

mod aside;
mod by_day;
mod learning;
mod replayed;
mod room;
mod saved;
#[cfg(test)]
mod saved_tests;
mod windows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rayon::prelude::*;

pub use aside::Seen;
pub use learning::Asks;
pub use room::MODEL_BYTES_MAX;
pub use saved::{Parts, Restored};
use saved::{state_hash, text_hash};

use super::asleep::Asleep;
use super::check;
use super::compile::{CompiledRule, Compiler, TableRules, Then, add_all};
use super::emit::Apart;
use super::horizon::Horizon;
use super::joined::Joined;
use super::library;
use super::quarantine::{self, Floods};
use super::reference::References;
use super::rows::{Made, apart, matches, wrong};
use super::scan::Scan;
use super::window::gather::{Selected, Wanted};
use super::window::log::Digest;
use super::window::plan::Windowed;
use super::window::state::Windows;
use crate::finding::Finding;
use crate::memory::Memory;
use crate::rule::{Fires, Rule, RuleError};
use crate::table::{Batch, Table};
use crate::time::Timestamp;

/// Judges batches by rules. The answer depends neither on how rows were cut into batches nor on their order.
pub struct Detector {
    pub(super) tables: Vec<TableRules>,
    /// Rules that are not compiled yet.
    pub(super) asleep: Option<Asleep>,
    /// Of each rule that is, by its id.
    places: BTreeMap<String, Place>,
    costs: BTreeMap<String, RuleCost>,
    /// What the rules over windows remember.
    windows: BTreeMap<Place, Windows>,
    floods: Floods,
    /// Batches that were judged, and rows of them that were checked.
    judged: AtomicU64,
    checked_rows: AtomicU64,
    follows: bool,
    horizon: Horizon,
    memory: Memory,
    apart: Apart,
    /// Rules that [`Detector::changes`] leaves out.
    not_kept: BTreeSet<String>,
    /// Parts that were saved of each rule, see [`Detector::changes`].
    stored: BTreeMap<String, BTreeSet<u64>>,
}

/// Of a rule: position of its table, and its own among that table's.
type Place = (usize, usize);

/// What one rule has taken and given since the detector was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleCost {
    pub seconds: f64,
    /// Rows that matched.
    pub hits: u64,
    /// Rows that it looked at one by one, because no gate told that they cannot match.
    pub rows: u64,
    /// Rows whose `severity` is not a severity, so that the rule's own stands.
    pub ungraded: u64,
    /// Rows that may have matched but could not be judged, because the rule failed on their batch.
    pub failed: u64,
    /// Rows that came after their window had left, or that have no time.
    pub late: u64,
    /// Groups of windows that left before their time, because the windows of all rules took more than they may, see
    /// [`Detector::state_bytes_max`]; a finding says of each stretch of event time that it lost some.
    pub shed: u64,
    /// Matches that were put aside because the rule has too many findings.
    pub aside: u64,
    /// Rows of which what the engine says of the rule is not what its conditions say, of the few that are checked: there should be none.
    pub misrouted: u64,
    /// Why rows failed, the first time.
    pub error: Option<String>,
}

impl RuleCost {
    fn add(&mut self, other: RuleCost) {
        self.seconds += other.seconds;
        self.hits += other.hits;
        self.rows += other.rows;
        self.ungraded += other.ungraded;
        self.failed += other.failed;
        self.late += other.late;
        self.shed += other.shed;
        self.aside += other.aside;
        self.misrouted += other.misrouted;
        self.error = self.error.take().or(other.error);
    }
}

impl Detector {
    /// Compiles the rules. Those that cannot be used are returned with their places; the others run.
    pub fn new(tables: &[&'static Table], rules: impl IntoIterator<Item = Rule>) -> (Detector, Vec<RuleError>) {
        Detector::with_references(tables, &References::default(), rules)
    }

    /// The same with lists that rules may ask.
    pub fn with_references(
        tables: &[&'static Table],
        references: &References,
        rules: impl IntoIterator<Item = Rule>,
    ) -> (Detector, Vec<RuleError>) {
        let mut compiler = Compiler::new(tables, references);
        let refused = compiler.add_all(rules.into_iter().filter(|rule| !references.lack_for(rule)).collect());
        (Detector::of(compiler), refused)
    }

    /// The same of rules of which some are built in. Those are compiled when a row comes that they may match: of hundreds most logs ask
    /// for few.
    pub fn as_needed(
        tables: &[&'static Table],
        references: &References,
        rules: impl IntoIterator<Item = Rule>,
    ) -> (Detector, Vec<RuleError>) {
        let mut compiler = Compiler::new(tables, references);
        let ready = rules.into_iter().filter(|rule| !references.lack_for(rule));
        let (built_in, others): (Vec<_>, Vec<_>) = ready.partition(library::is_built_in);
        let (asleep, built_in): (Vec<_>, Vec<_>) = built_in.into_iter().partition(|rule| compiler.can_sleep(rule));
        compiler.asleep = asleep;
        let refused = compiler.add_all(built_in.into_iter().chain(others).collect());
        (Detector::of(compiler), refused)
    }

    /// Of the rules that were added to a compiler.
    pub(super) fn of(compiler: Compiler) -> Detector {
        let (tables, asleep) = compiler.finish();
        let (mut places, mut costs, mut windows) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (table, rules) in tables.iter().enumerate() {
            for (place, rule) in rules.rules.iter().enumerate() {
                places.insert(rule.rule.id.clone(), (table, place));
                costs.insert(rule.rule.id.clone(), RuleCost::default());
                if matches!(rule.then, Then::Window(..)) {
                    windows.insert((table, place), Windows::default());
                }
            }
        }
        for rule in asleep.iter().flat_map(Asleep::rules) {
            costs.insert(rule.id.clone(), RuleCost::default());
        }
        Detector {
            tables,
            asleep,
            places,
            costs,
            windows,
            floods: Floods::default(),
            judged: AtomicU64::new(0),
            checked_rows: AtomicU64::new(0),
            follows: false,
            horizon: Horizon::default(),
            memory: Memory::default(),
            apart: Apart::ALL,
            not_kept: BTreeSet::new(),
            stored: BTreeMap::new(),
        }
    }

    /// From now on a rule that has more findings is put aside for a time.
    pub fn limit(&mut self, limits: quarantine::Config) {
        self.floods.limit(limits);
    }

    /// From now on matches of one id are told apart by no more than this, see [`Detector::observe`].
    pub fn keep_apart(&mut self, apart: Apart) {
        self.apart = apart;
    }

    /// Takes the place of another detector whose rules were read earlier: windows go on where a rule asks the same of rows
    /// as before, and begin anew, or are forgotten, where not. What a rule took is counted on.
    pub fn take_over(&mut self, mut before: Detector) {
        (self.follows, self.memory, self.apart) = (before.follows, before.memory, before.apart);
        self.horizon = std::mem::take(&mut before.horizon);
        self.stored = std::mem::take(&mut before.stored);
        self.floods.take_over(std::mem::take(&mut before.floods));
        let ids: BTreeSet<&str> = self.costs.keys().map(String::as_str).collect();
        self.floods.retain(|rule| ids.contains(rule));
        let remembers = |id: &str| before.places.get(id).is_some_and(|place| before.windows.contains_key(place));
        self.wake_windowed(&remembers);
        let places: Vec<Place> = self.windows.keys().copied().collect();
        for place in places {
            let (rule, plan) = (&self.rule(place).rule, self.windowed(place).0);
            let is_same = |known: &&Place| {
                let (known, its) = (&before.rule(**known).rule, before.windowed(**known).0);
                known.id == rule.id && state_hash(known, its) == state_hash(rule, plan)
            };
            if let Some(known) = before.windows.keys().find(is_same).copied() {
                let mut windows = before.windows.remove(&known).expect("its place was just found");
                if text_hash(&before.rule(known).rule) != text_hash(rule) {
                    windows.take_edit();
                }
                self.windows.insert(place, windows);
                let id = &self.tables[place.0].rules[place.1].rule.id;
                if before.not_kept.contains(id) {
                    self.not_kept.insert(id.clone());
                }
            }
        }
        let texts: BTreeMap<&str, &str> = before.rules().map(|rule| (rule.id.as_str(), rule.text.as_str())).collect();
        let edited: BTreeSet<String> = self
            .rules()
            .filter(|rule| texts.get(&*rule.id) != Some(&&*rule.text))
            .map(|rule| rule.id.clone())
            .collect();
        let now = std::mem::replace(&mut self.costs, std::mem::take(&mut before.costs));
        for rule in now.into_keys() {
            self.costs.entry(rule).or_default();
        }
        // what was wrong with the text before is not wrong with this one
        for rule in &edited {
            self.costs.entry(rule.clone()).or_default().error = None;
        }
    }

    /// Has some rules take in rows that came before them; gives what they would have told of these.
    pub fn count(&mut self, rules: &BTreeSet<String>, batches: &[Batch], now: Timestamp) -> Vec<Finding> {
        let horizon = if self.follows { self.horizon.at(now) } else { now };
        let found = self.take_in(batches, &|rule| rules.contains(rule), horizon);
        self.conclude(found, now)
    }

    /// What each rule over windows asks of rows, by its id: where it is the same, [`Detector::take_over`] has its windows go on. Those
    /// that are not compiled yet are for it.
    pub fn asked_of_rows(&mut self) -> BTreeMap<String, Digest> {
        self.wake_windowed(&|_| true);
        let asked = |place: &Place| {
            let rule = &self.rule(*place).rule;
            (rule.id.clone(), state_hash(rule, self.windowed(*place).0))
        };
        self.windows.keys().map(asked).collect()
    }

    /// Whether the input goes on for ever. Windows then leave when they are over by the clock that
    /// [`Detector::observe`] is told, or by where the slowest partition is, see [`Detector::reached`]; of input that ends, where old and new may come in any order, none is over before
    /// [`Detector::finish`].
    pub fn follow(&mut self, follows: bool) {
        self.follows = follows;
    }

    /// Notes that all that came into a partition until then has been read, and that its rows have been observed or will be
    /// next. Windows of input that goes on then stay until each partition has been read so far that it brings no more rows
    /// for them; one that is not heard of for ten minutes is not waited for.
    pub fn reached(&mut self, partition: &str, until: Timestamp, now: Timestamp) {
        self.horizon.reached(partition, until, now);
    }

    /// The rules that run.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        let awake = self.tables.iter().flat_map(|table| &table.rules).map(|rule| rule.rule.as_ref());
        awake.chain(self.asleep.iter().flat_map(Asleep::rules))
    }

    /// Rules that are not compiled yet.
    #[cfg(test)]
    pub fn asleep_len(&self) -> usize {
        self.asleep.iter().flat_map(Asleep::rules).count()
    }

    /// The columns that each rule is gated by, by their paths: a row whose values of these cannot match costs it nothing. None of a rule
    /// that is open: it looks at every row of its table, for no condition of it is on one symbol column.
    pub fn gates(&self) -> impl Iterator<Item = (&Rule, BTreeSet<&str>)> {
        self.tables.iter().flat_map(|table| {
            table.rules.iter().map(|rule| {
                let gate = rule.gate.iter().filter(|_| rule.gated);
                let column = |id: &usize| table.leaves.all[table.conditions[*id].program.reads[0]].path.as_str();
                (rule.rule.as_ref(), gate.map(column).collect())
            })
        })
    }

    /// The columns of a table that its rules read, by their top-level names.
    pub fn columns(&self, table: &Table) -> BTreeSet<String> {
        let rules = self.tables.iter().filter(|rules| std::ptr::eq(rules.table, table));
        let top = |path: &str| path.split('.').next().unwrap_or(path).to_owned();
        rules.flat_map(|rules| &rules.leaves.all).map(|leaf| top(&leaf.path)).collect()
    }

    /// Cost of each rule that runs, and of those that ran before [`Detector::take_over`], by id.
    pub fn costs(&self) -> &BTreeMap<String, RuleCost> {
        &self.costs
    }

    /// Rows of which it was checked whether each rule selects them as its conditions say, see [`RuleCost::misrouted`].
    pub fn checked_rows(&self) -> u64 {
        self.checked_rows.load(Ordering::Relaxed)
    }

    /// Bytes of the windows that each rule over windows remembers, by id.
    pub fn window_bytes(&self) -> impl Iterator<Item = (&str, usize)> {
        let awake = self.windows.iter();
        let awake = awake.map(|(place, windows)| (self.rule(*place).rule.id.as_str(), windows.bytes_len()));
        awake.chain(self.asleep.iter().flat_map(Asleep::windowed).map(|rule| (rule.id.as_str(), 0)))
    }

    /// Shares of the scores of each rule that scores that were below 1e-2, 1e-3 and 1e-4, by id: on ordinary traffic each is near
    /// what it is below.
    pub fn score_shares(&self) -> impl Iterator<Item = (&str, [f64; 3])> {
        let shares = |(place, windows): (&Place, &Windows)| {
            Some((self.rule(*place).rule.id.as_str(), windows.model.shares()?.0))
        };
        self.windows.iter().filter_map(shares)
    }

    /// Findings of these batches, in the order of their ids: several of one id where they differ in what a suppression
    /// can name (account, region, actor, source address, resources, of which none is left out), as far as [`Detector::keep_apart`]
    /// was not told that less is asked. `now` is the clock that
    /// windows leave by, where no partition is slower; a rule that judges row by row goes by the rows' own time alone.
    pub fn observe(&mut self, batches: &[Batch], now: Timestamp) -> Vec<Finding> {
        let horizon = if self.follows { self.horizon.at(now) } else { now };
        let mut found = self.take_in(batches, &|_| true, horizon);
        if self.follows {
            found.extend(self.leave(horizon));
        }
        self.conclude(found, now)
    }

    /// Has the wanted rules judge batches, and puts what those over windows selected of them where it belongs.
    fn take_in(
        &mut self,
        batches: &[Batch],
        wanted: &(dyn Fn(&str) -> bool + Sync),
        horizon: Timestamp,
    ) -> Vec<Finding> {
        self.wake(batches);
        let parts = Joined::of(batches, rayon::current_num_threads());
        let seen = |place| self.windows.get(&place).map_or(Wanted::All, |windows| Wanted::New(&windows.seen));
        let seen: Vec<_> = parts.par_iter().with_max_len(1).map(|part| self.judge(part, wanted, seen)).collect();
        let (mut found, mut wrong, mut selected) = (Vec::new(), Vec::new(), Vec::new());
        // of very many rules, each once and not for each batch
        let mut costs = BTreeMap::<Place, RuleCost>::new();
        for judged in seen {
            found.extend(judged.found);
            wrong.extend(judged.wrong);
            selected.extend(judged.selected);
            judged.costs.into_iter().for_each(|(place, cost)| costs.entry(place).or_default().add(cost));
        }
        for (place, cost) in costs {
            let rule = self.rule(place).rule.clone();
            self.spend(&rule, cost);
        }
        let mut found = fold(found);
        found.extend(fold(wrong));
        found.extend(self.add_up(selected, horizon));
        found
    }

    /// Compiles the rules that rows of these batches may match.
    fn wake(&mut self, batches: &[Batch]) {
        let woken = self.asleep.as_mut().map(|asleep| asleep.wake(batches));
        self.compile(woken.unwrap_or_default());
    }

    /// Compiles the rules over windows that are wanted, by their ids.
    pub fn wake_windowed(&mut self, wanted: &dyn Fn(&str) -> bool) {
        let is_wanted = |rule: &Rule| rule.fires == Fires::PerWindow && wanted(&rule.id);
        let woken = self.asleep.as_mut().map(|asleep| asleep.take(&is_wanted));
        self.compile(woken.unwrap_or_default());
    }

    /// Compiles rules that slept.
    fn compile(&mut self, woken: Vec<Rule>) {
        let Some(asleep) = self.asleep.as_ref().filter(|_| !woken.is_empty()) else { return };
        for refused in add_all(&asleep.planner, &mut self.tables, woken) {
            tracing::error!(error = %refused, "a built-in rule does not compile, and judges nothing");
        }
        if asleep.is_empty() {
            self.asleep = None;
        }
        for (table, rules) in self.tables.iter_mut().enumerate() {
            let id = |(place, rule): (usize, &CompiledRule)| (rule.rule.id.clone(), (table, place));
            self.places.extend(rules.rules.iter().enumerate().map(id));
            let windowed = rules.rules.iter().enumerate().filter(|(_, rule)| matches!(rule.then, Then::Window(..)));
            for (place, _) in windowed {
                self.windows.entry((table, place)).or_default();
            }
            rules.settle(self.asleep.is_some());
        }
    }

    /// Findings of the windows that are over because no more input comes.
    pub fn finish(&mut self) -> Vec<Finding> {
        let waits = |place: &Place| !self.fires_at_once(self.windowed(*place).0);
        let waiting: Vec<Place> = self.windows.keys().copied().filter(waits).collect();
        let fired = waiting.into_par_iter().with_max_len(1).map(|place| (place, self.fired_all(place)));
        let mut found = Vec::new();
        for (place, (more, cost)) in fired.collect::<Vec<_>>() {
            self.spend(&self.rule(place).rule.clone(), cost);
            found.extend(more);
        }
        self.admit(found)
    }

    /// Findings of all windows of a rule, and what it took.
    fn fired_all(&self, place: Place) -> (Vec<Finding>, RuleCost) {
        let (plan, windows) = (self.windowed(place).0, &self.windows[&place]);
        if plan.scored.is_none() {
            return self.fired(place, &windows.all());
        }
        let start = Instant::now();
        let windows = windows.scored(plan).map_err(|error| (error.strip_backtrace(), windows.rows()));
        self.told(place, windows, start)
    }

    /// Without those of rules that flood, and with what says so.
    fn admit(&mut self, found: Vec<Finding>) -> Vec<Finding> {
        let (mut by_rule, mut admitted) = (BTreeMap::<String, Vec<Finding>>::new(), Vec::with_capacity(found.len()));
        for finding in found {
            by_rule.entry(finding.rule.clone()).or_default().push(finding);
        }
        for (id, found) in by_rule {
            let Some(rule) = self.places.get(&id).map(|place| self.rule(*place).rule.clone()) else {
                // what Weir says of itself
                admitted.extend(found);
                continue;
            };
            let (passed, aside) = self.floods.admit(&rule, found);
            admitted.extend(passed);
            if aside > 0 {
                self.spend(&rule, RuleCost { aside, ..RuleCost::default() });
            }
        }
        admitted
    }

    /// Whether a window's condition need not be waited for. Of input that ends, what is new is known at its end: old and new
    /// may come in any order.
    fn fires_at_once(&self, plan: &Windowed) -> bool {
        plan.early && (plan.first.is_none() || self.follows)
    }

    fn spend(&mut self, rule: &Rule, cost: RuleCost) {
        match self.costs.get_mut(&rule.id) {
            Some(known) => known.add(cost),
            None => drop(self.costs.insert(rule.id.clone(), cost)),
        }
    }

    fn rule(&self, (table, place): Place) -> &CompiledRule {
        &self.tables[table].rules[place]
    }

    fn windowed(&self, place: Place) -> (&Windowed, &[String]) {
        match &self.rule(place).then {
            Then::Window(plan, names) => (plan, names),
            Then::Emit(_) => unreachable!("only rules over windows have windows"),
        }
    }

    /// What the wanted rules make of a batch, those over windows as far as it is asked.
    fn judge<'a>(
        &'a self,
        batch: &Joined,
        wanted: &dyn Fn(&str) -> bool,
        asked: impl Fn(Place) -> Wanted<'a>,
    ) -> Judged {
        let mut judged = Judged::default();
        let Some(table) = self.tables.iter().position(|rules| std::ptr::eq(rules.table, batch.table)) else {
            return judged;
        };
        let rules = &self.tables[table];
        if rules.rules.is_empty() {
            return judged;
        }
        let (scan, routes) = Scan::new(rules, batch, self.apart);
        if self.judged.fetch_add(1, Ordering::Relaxed).is_multiple_of(check::EVERY) {
            let (rows, wrong) = check::check(rules, &scan, &routes, batch.rows);
            self.checked_rows.fetch_add(rows as u64, Ordering::Relaxed);
            let cost = |misrouted| RuleCost { misrouted, ..RuleCost::default() };
            judged.costs.extend(wrong.into_iter().map(|(place, count)| ((table, place), cost(count))));
        }
        for (place, candidates) in routes {
            let rule = &rules.rules[place];
            if !wanted(&rule.rule.id) {
                continue;
            }
            let count = candidates.as_ref().map_or(batch.rows, Vec::len);
            if count == 0 {
                continue;
            }
            let start = Instant::now();
            let mut cost = RuleCost { rows: count as u64, ..RuleCost::default() };
            let rows = candidates.clone();
            let (answers, failures) = match matches(rule, &scan, candidates, asked((table, place))) {
                Ok(answer) => (vec![answer], Vec::new()),
                Err(error) => {
                    let rows = rows.unwrap_or_else(|| (0..batch.rows as u32).collect());
                    apart(rule, &scan, &rows, error.strip_backtrace())
                }
            };
            for (hits, made) in answers {
                cost.hits += hits;
                match made {
                    Made::Findings(findings, ungraded) => {
                        cost.ungraded += ungraded;
                        if ungraded > 0 {
                            cost.error = Some(NO_SEVERITY.into());
                        }
                        judged.found.extend(findings);
                    }
                    Made::Selected(selected) => judged.selected.push(((table, place), *selected)),
                    Made::Nothing => {}
                }
            }
            for (rows, error) in failures {
                cost.failed += rows.len() as u64;
                judged.wrong.extend(wrong(&rule.rule, batch, &rows, &error));
                cost.error = Some(error);
            }
            cost.seconds = start.elapsed().as_secs_f64();
            judged.costs.push(((table, place), cost));
        }
        judged
    }
}

const NO_SEVERITY: &str = "its `severity` is not a severity: the one in its header stands";

/// What the rules of a batch's table make of it.
#[derive(Default)]
struct Judged {
    found: Vec<Finding>,
    /// What says that rules failed.
    wrong: Vec<Finding>,
    selected: Vec<(Place, Selected)>,
    costs: Vec<(Place, RuleCost)>,
}

/// Findings that are alike in all that a suppression can name become one; in the order of ids. Which of them are
/// suppressed is then as if each match had been asked, and those of one id can be folded later.
fn fold(mut all: Vec<Finding>) -> Vec<Finding> {
    fn alike(finding: &Finding) -> impl Ord + '_ {
        let who = (&finding.actor, &finding.sessions, &finding.source_ip);
        (finding.id, &finding.account, &finding.region, who, &finding.resources)
    }
    all.sort_by(|a, b| alike(a).cmp(&alike(b)));
    let mut found: Vec<Finding> = Vec::with_capacity(all.len());
    for mut finding in all {
        match found.last_mut() {
            Some(known) if alike(known) == alike(&finding) => {
                // they are the same, and folding would cut them to what a finding shows
                let resources = std::mem::take(&mut finding.resources);
                known.resources.clear();
                known.fold(finding);
                known.resources = resources;
            }
            _ => found.push(finding),
        }
    }
    found
}
