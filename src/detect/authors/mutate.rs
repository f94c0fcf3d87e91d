//! Rules and their cases → the small changes to each rule that no case of it tells from the rule.

use std::sync::Arc;

use rayon::prelude::*;

use super::cases::Ready;
use super::mutants::mutants;
use crate::detect::compile::Compiler;
use crate::detect::engine::Detector;
use crate::detect::library::{self, Source};
use crate::detect::plan::planner::only_statement;
use crate::detect::reference::References;
use crate::rule::Rule;
use crate::table::Table;

/// What came of changing rules.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mutation {
    pub rules: usize,
    pub cases: usize,
    /// Changes that were tried: those that give a rule that can be used.
    pub mutants: usize,
    pub survivors: Vec<Survivor>,
    /// Survivors on lines whose comment says why.
    pub accepted: usize,
    /// Such comments on lines where nothing survives.
    pub idle: Vec<Survivor>,
    /// Rules that were left out because a case of theirs does not hold as it is, or because they have none.
    pub left_out: Vec<String>,
}

impl Mutation {
    pub fn killed(&self) -> usize {
        self.mutants - self.accepted - self.survivors.len()
    }

    pub fn is_good(&self) -> bool {
        self.survivors.is_empty() && self.idle.is_empty()
    }

    fn add(mut self, other: Mutation) -> Mutation {
        self.rules += other.rules;
        self.cases += other.cases;
        self.mutants += other.mutants;
        self.accepted += other.accepted;
        self.survivors.extend(other.survivors);
        self.idle.extend(other.idle);
        self.left_out.extend(other.left_out);
        self
    }
}

/// A change with which every case still holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survivor {
    pub rule: String,
    pub file: String,
    /// In the file, from 1.
    pub line: usize,
    /// What was changed.
    pub change: String,
}

/// What a comment begins with that says why no case can tell the changes on its line from the rule.
pub const ACCEPTED: &str = "-- equivalent:";

/// Changes each rule in every way there is, and runs its cases. Rules that do not compile are left to
/// [`super::cases::check`].
pub fn mutate(tables: &[&'static Table], references: &References, sources: &[Source]) -> Mutation {
    let (rules, _) = library::rules(sources);
    let source = |rule: &Rule| sources.iter().find(|source| source.id == rule.id).expect("it was made from one");
    let each: Vec<Mutation> = rules.par_iter().map(|rule| of_rule(tables, references, rule, source(rule))).collect();
    each.into_iter().fold(Mutation::default(), Mutation::add)
}

fn of_rule(tables: &[&'static Table], references: &References, rule: &Rule, source: &Source) -> Mutation {
    let left_out = || Mutation { left_out: vec![rule.id.clone()], ..Mutation::default() };
    let Some(table) = tables.iter().find(|table| table.name == rule.table) else { return Mutation::default() };
    let mut compiler = Compiler::new(&[*table], &references.for_cases_of(rule));
    let statement = only_statement(&rule.text);
    if compiler.add(Arc::new(rule.clone())).is_err() {
        return Mutation::default();
    }
    let Some(cases) = source.cases.as_deref().and_then(|cases| Ready::new(rule, cases)) else { return left_out() };
    let mut tried = Vec::new();
    for (number, mutant) in mutants(&statement).into_iter().enumerate() {
        let id = format!("{} {number}", rule.id);
        let changed = Rule { id: id.clone(), ..rule.clone() };
        if compiler.add_statement(Arc::new(changed), mutant.statement).is_ok() {
            tried.push((id, mutant.line, mutant.change));
        }
    }
    let passing = cases.passed_by(&Detector::of(compiler));
    if !passing.contains(&rule.id) {
        return left_out();
    }
    let survivor = |line, change| Survivor { rule: rule.id.clone(), file: rule.file.clone(), line, change };
    let (mutants, comments) = (tried.len(), accepted(&rule.text));
    let surviving: Vec<_> = tried.into_iter().filter(|(id, ..)| passing.contains(id)).collect();
    let idle = comments.iter().filter(|line| !surviving.iter().any(|(_, at, _)| at == *line));
    let idle = idle.map(|line| survivor(*line, "nothing that survives".to_owned())).collect();
    let (excused, survivors): (Vec<_>, Vec<_>) = surviving.into_iter().partition(|(_, at, _)| comments.contains(at));
    Mutation {
        rules: 1,
        cases: cases.len(),
        mutants,
        survivors: survivors.into_iter().map(|(_, line, change)| survivor(line, change)).collect(),
        accepted: excused.len(),
        idle,
        left_out: Vec::new(),
    }
}

/// Lines, from 1, at whose end a comment says why what survives there is no fault of the cases.
fn accepted(text: &str) -> Vec<usize> {
    let reason = |line: &str| line.split_once(ACCEPTED).is_some_and(|(_, reason)| !reason.trim().is_empty());
    text.lines().enumerate().filter(|(_, line)| reason(line)).map(|(index, _)| index + 1).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::detect::tests::{changed, event, rule};
    use crate::logs;

    fn tried(sql: &str, cases: &[(bool, serde_json::Value)]) -> Mutation {
        let rule = rule("", sql);
        let line = |(fires, event): &(bool, serde_json::Value)| {
            json!({ "fires": fires, "why": "w", "event": event }).to_string() + "\n"
        };
        let cases = cases.iter().map(line).collect::<String>();
        let source =
            Source { id: rule.id, file: "x.sql".into(), text: rule.text, cases: Some(cases.into()), sigma: None };
        mutate(logs::TABLES, &References::default(), &[source])
    }

    fn survivors(mutation: &Mutation) -> Vec<(usize, &str)> {
        mutation.survivors.iter().map(|survivor| (survivor.line, survivor.change.as_str())).collect()
    }

    const SQL: &str =
        "SELECT eventTime FROM cloudtrail\nWHERE eventName IN ('CreateUser', 'CreateRole')\nAND errorCode IS NULL";

    #[test]
    fn what_no_case_tells_from_the_rule_survives() {
        let failed = changed(event("CreateUser", "e2"), json!({ "errorCode": "AccessDenied" }));
        let fires = (true, event("CreateUser", "e1"));
        let poor = tried(SQL, &[fires.clone(), (false, event("DeleteUser", "e3"))]);
        assert_eq!((poor.rules, poor.cases, poor.mutants, poor.killed()), (1, 2, 6, 4));
        assert_eq!(
            survivors(&poor),
            [(6, "removed 'CreateRole' from the list of `eventName`"), (7, "dropped `errorCode IS NULL`")]
        );
        let all = [fires, (true, event("CreateRole", "e4")), (false, event("DeleteUser", "e3")), (false, failed)];
        let good = tried(SQL, &all);
        assert_eq!((good.mutants, good.killed(), good.is_good()), (6, 6, true));
    }

    #[test]
    fn a_reason_at_the_line_accepts_and_one_too_many_is_told() {
        let cases = [(true, event("CreateUser", "e1")), (true, event("CreateRole", "e2")), (false, event("X", "e3"))];
        let reasoned = tried(&format!("{SQL} -- equivalent: it cannot fail"), &cases);
        assert_eq!((reasoned.accepted, reasoned.killed(), reasoned.is_good()), (1, 5, true));
        let idle = tried(&SQL.replace("\nAND", " -- equivalent: so they say\nAND"), &cases);
        assert_eq!((idle.survivors.len(), idle.accepted, idle.idle[0].line), (1, 0, 6));
        let silent = tried(&format!("{SQL} -- equivalent: "), &cases);
        assert_eq!((silent.accepted, silent.survivors.len()), (0, 1), "a reason is a reason");
    }

    #[test]
    fn a_rule_whose_cases_do_not_hold_is_left_out() {
        let wrong = tried(SQL, &[(false, event("CreateUser", "e1"))]);
        assert_eq!((wrong.mutants, wrong.left_out), (0, vec!["cloudtrail/x".to_owned()]));
    }
}
