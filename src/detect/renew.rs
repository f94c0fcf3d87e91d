//! Rules in force and what their files say now → the rules to run: a broken edit leaves what was in force.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::authors::cases::{self, Failure};
use super::compile::Compiler;
use super::engine::Detector;
use super::library::{self, Source};
use super::reference::References;
use crate::rule::{Rule, RuleError, parse};
use crate::table::Table;

/// What comes of reading the files again.
pub struct Renewed {
    /// Remembers nothing yet: see [`Detector::take_over`].
    pub detector: Detector,
    /// What runs now, by id.
    pub sources: Vec<Source>,
    /// What is wrong with the files, and their place. Where a rule was in force before, it still is.
    pub refused: Vec<RuleError>,
    /// Whether a rule that was in force can no longer run as it was: it asks a list that is gone.
    pub lost: bool,
}

/// Compiles what was found; `unread` is what could not even be read. A rule that is refused, or whose cases do not hold,
/// leaves the one in force that has its id, or was made from its file. Rules that are as they were are not tested again.
pub fn renew(
    tables: &[&'static Table],
    in_force: &[Source],
    found: Vec<Source>,
    unread: Vec<RuleError>,
    references: &References,
) -> Renewed {
    let mut wanted: BTreeMap<String, Source> = found.into_iter().map(|source| (source.id.clone(), source)).collect();
    for known in in_force {
        let is_refused = unread.iter().any(|error| error.file == known.file);
        // of several rules in one file, those that can be used are taken
        if is_refused && wanted.get(&known.id).is_none_or(|source| source.file != known.file) {
            wanted.insert(known.id.clone(), known.clone());
        }
    }
    let before: BTreeMap<&str, &Source> = in_force.iter().map(|source| (source.id.as_str(), source)).collect();
    let (mut compiler, mut sources, mut refused) = (Compiler::new(tables, references), Vec::new(), unread);
    let mut lost = false;
    for (id, source) in wanted {
        let known = before.get(id.as_str()).copied();
        if known.is_none() && read(&source).is_ok_and(|rule| references.lack_for(&rule)) {
            continue;
        }
        let tested = if known == Some(&source) { Ok(()) } else { holds(tables, references, &source) };
        match tested.and_then(|()| add(&mut compiler, &source)) {
            Ok(()) => sources.push(source),
            Err(error) => {
                refused.push(error);
                match known.map(|known| add(&mut compiler, known)) {
                    Some(Ok(())) => sources.extend(known.cloned()),
                    Some(Err(_)) => lost = true,
                    None => {}
                }
            }
        }
    }
    Renewed { detector: Detector::of(compiler), sources, refused, lost }
}

fn add(compiler: &mut Compiler, source: &Source) -> Result<(), RuleError> {
    let rule = read(source)?;
    if library::is_built_in(&rule) && compiler.can_sleep(&rule) {
        compiler.asleep.push(rule);
        return Ok(());
    }
    compiler.add(Arc::new(rule))
}

fn read(source: &Source) -> Result<Rule, RuleError> {
    let made_from = source.sigma.as_ref().map(|sigma| sigma.place);
    let rule = parse(&source.id, &source.file, &source.text).map_err(|error| error.made_from(made_from))?;
    Ok(Rule { made_from, ..rule })
}

/// Whether the cases beside a rule hold.
fn holds(tables: &[&'static Table], references: &References, source: &Source) -> Result<(), RuleError> {
    if source.cases.is_none() {
        return Ok(());
    }
    let report = cases::test(tables, references, std::slice::from_ref(source));
    if let Some(error) = report.refused.into_iter().next() {
        return Err(error);
    }
    // that there is no case of one kind is for `weir rules test` to say
    let is_of_a_case = |failure: &Failure| !failure.why.is_empty() || failure.difference.starts_with("not a case");
    match report.failures.into_iter().find(is_of_a_case) {
        Some(Failure { rule, file, line, why, difference }) => {
            let message = match why.as_str() {
                "" => difference,
                why => format!("a case of {rule} does not hold: {why}"),
            };
            Err(RuleError { file, line, column: 1, message })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::tests::{batch, event};
    use crate::logs;
    use crate::time::Timestamp;

    fn source(id: &str, sql: &str) -> Source {
        let header = "-- title = \"t\"\n-- severity = \"low\"\n-- tags = [\"attack.impact\"]\n-- remedy = \"Look.\"\n"
            .to_owned();
        Source { id: id.into(), file: format!("r/{id}.sql"), text: header + sql, cases: None, sigma: None }
    }

    fn named(id: &str, name: &str) -> Source {
        source(id, &format!("SELECT eventTime FROM cloudtrail WHERE eventName = '{name}'"))
    }

    fn renewed(in_force: &[Source], found: Vec<Source>, unread: Vec<RuleError>) -> Renewed {
        renew(logs::TABLES, in_force, found, unread, &References::default())
    }

    /// Ids of the rules that fire on a call.
    fn fires(renewed: &mut Renewed, name: &str) -> Vec<String> {
        let found = renewed.detector.observe(&[batch(&[event(name, "e1")])], Timestamp(0));
        found.into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn a_broken_edit_leaves_the_rule_in_force_and_others_are_taken() {
        let in_force = [named("cloudtrail/a", "GetUser"), named("cloudtrail/b", "GetUser")];
        let broken = source("cloudtrail/a", "SELECT eventTime FROM cloudtrail\nWHERE eventNam = 'GetRole'");
        let found = vec![broken, named("cloudtrail/b", "GetRole"), named("cloudtrail/c", "GetRole")];
        let mut now = renewed(&in_force, found, Vec::new());
        let refused: Vec<String> = now.refused.iter().map(ToString::to_string).collect();
        assert_eq!(refused.len(), 1);
        assert!(refused[0].starts_with("r/cloudtrail/a.sql:6:7: "), "{refused:?}");
        assert_eq!(fires(&mut now, "GetUser"), ["cloudtrail/a"]);
        let mut roles = fires(&mut now, "GetRole");
        roles.sort();
        assert_eq!(roles, ["cloudtrail/b", "cloudtrail/c"]);
        let removed = renewed(&now.sources, vec![named("cloudtrail/c", "GetRole")], Vec::new());
        assert_eq!((removed.sources.len(), removed.refused.len()), (1, 0));
    }

    #[test]
    fn what_cannot_be_read_leaves_what_its_file_gave() {
        let in_force = [named("cloudtrail/a", "GetUser"), named("cloudtrail/b", "GetUser")];
        let error = RuleError { file: in_force[0].file.clone(), line: 2, column: 3, message: "no UTF-8".into() };
        // the built-in rule that it takes the place of comes up again
        let built_in = Source { file: "queries/cloudtrail/a.sql".into(), ..named("cloudtrail/a", "GetRole") };
        let mut now = renewed(&in_force, vec![built_in], vec![error.clone()]);
        assert_eq!(now.refused, [error]);
        assert_eq!(fires(&mut now, "GetUser"), ["cloudtrail/a"], "b was removed, and a stays");
        assert_eq!(fires(&mut now, "GetRole"), [""; 0]);
    }

    #[test]
    fn an_edit_whose_cases_do_not_hold_is_broken() {
        let in_force = [named("cloudtrail/a", "GetUser")];
        let case = format!("{{\"fires\": true, \"why\": \"a role is read\", \"event\": {}}}\n", event("GetRole", "e1"));
        let edited = |name| Source { cases: Some(case.clone().into()), ..named("cloudtrail/a", name) };
        let mut kept = renewed(&in_force, vec![edited("GetRol")], Vec::new());
        let refused: Vec<String> = kept.refused.iter().map(ToString::to_string).collect();
        assert_eq!(refused, ["r/cloudtrail/a.cases.jsonl:1:1: a case of cloudtrail/a does not hold: a role is read"]);
        assert_eq!(fires(&mut kept, "GetUser"), ["cloudtrail/a"]);
        let torn = Source { cases: Some("{\"fires\"".into()), ..named("cloudtrail/a", "GetRole") };
        let torn = renewed(&in_force, vec![torn], Vec::new()).refused.remove(0).to_string();
        assert!(torn.starts_with("r/cloudtrail/a.cases.jsonl:1:1: not a case: EOF"), "{torn}");
        let mut taken = renewed(&in_force, vec![edited("GetRole")], Vec::new());
        assert_eq!(fires(&mut taken, "GetRole"), ["cloudtrail/a"]);
        assert!(taken.refused.is_empty());
    }

    #[test]
    fn windows_of_a_rule_that_is_as_it_was_go_on_and_those_of_another_begin_anew() {
        let twice = |id: &str, name: &str, remedy: &str| {
            let sql = format!(
                "SELECT count(*) AS calls FROM cloudtrail WHERE eventName = '{name}'\n\
                 GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '1 day') HAVING count(*) >= 2"
            );
            let source = source(id, &sql);
            Source { text: source.text.replace("Look.", remedy), ..source }
        };
        let (a, b) = (twice("cloudtrail/a", "GetUser", "Look."), twice("cloudtrail/b", "GetUser", "Look."));
        let mut before = renewed(&[], vec![a.clone(), b], Vec::new());
        before.detector.follow(true);
        let now = event("GetUser", "e1")["eventTime"].as_str().and_then(Timestamp::parse).unwrap();
        assert!(before.detector.observe(&[batch(&[event("GetUser", "e1")])], now).is_empty());
        // another remedy asks the same of rows; a condition more does not
        let edited = twice("cloudtrail/a", "GetUser", "Ask.");
        let other = twice("cloudtrail/b", "GetUser' AND errorCode IS NULL AND eventName <> 'x", "Look.");
        let mut after = renewed(&before.sources, vec![edited, other], Vec::new());
        assert!(after.refused.is_empty(), "{:?}", after.refused);
        after.detector.take_over(before.detector);
        let found = after.detector.observe(&[batch(&[event("GetUser", "e2")])], now);
        let found: Vec<_> = found.iter().map(|found| (found.rule.as_str(), found.count, &*found.remedy)).collect();
        assert_eq!(found, [("cloudtrail/a", 2, "Ask.")]);
        assert_eq!(after.detector.costs()["cloudtrail/b"].hits, 2, "what it took is counted on");
    }

    #[test]
    fn every_built_in_rule_is_taken_up_as_it_is() {
        let (ready, waiting): (Vec<_>, Vec<_>) = library::built_in().into_iter().partition(|source| !needs(source));
        let now = renewed(&ready, library::built_in(), Vec::new());
        assert_eq!((now.sources.len(), now.refused.len()), (ready.len(), 0));
        assert_eq!(waiting.len(), 1);
        // once there is what it waits for, it is tested and taken up; when that goes again, it cannot run as it was
        let references = References::default().for_cases_of(&read(&waiting[0]).unwrap());
        let now = renew(logs::TABLES, &[], waiting.clone(), Vec::new(), &references);
        assert_eq!((now.sources.len(), now.refused, now.lost), (1, vec![], false));
        let now = renewed(&waiting, waiting.clone(), Vec::new());
        assert_eq!((now.sources.len(), now.refused.len(), now.lost), (0, 1, true));
    }

    fn needs(source: &Source) -> bool {
        read(source).is_ok_and(|rule| rule.needs.is_some())
    }
}
