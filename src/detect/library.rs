//! Query files and Sigma rules, built in or given → rules.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use rayon::iter::Either;
use rayon::prelude::*;

use crate::rule::spelling::distance;
use crate::rule::{Rule, RuleError, parse};
use crate::sigma::Converted;

/// A query file and the cases beside it, not yet read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// `<table>/<name>`
    pub id: String,
    /// As shown to people.
    pub file: String,
    pub text: String,
    /// Text of the `.cases.jsonl` file; of a built-in rule it stays in the program's own pages.
    pub cases: Option<Cow<'static, str>>,
    /// Of a Sigma rule, whose `text` was made from it.
    pub sigma: Option<Sigma>,
}

/// A Sigma rule as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sigma {
    pub yaml: String,
    /// Line and column of its detection in the file.
    pub place: (usize, usize),
}

impl Source {
    /// A Sigma rule, and the cases beside its file.
    pub fn sigma(rule: Converted, cases: Option<Cow<'static, str>>) -> Source {
        let sigma = Some(Sigma { yaml: rule.yaml, place: rule.place });
        Source { id: rule.id, file: rule.file, text: rule.text, cases, sigma }
    }

    /// The rule as it is written.
    pub fn written(&self) -> &str {
        self.sigma.as_ref().map_or(&self.text, |sigma| &sigma.yaml)
    }
}

static BUILT_IN: &[(&str, &str, Option<&str>)] = &include!(concat!(env!("OUT_DIR"), "/queries.rs"));

/// The rules inside this program, by id.
pub fn built_in() -> Vec<Source> {
    let source = |(file, text, cases): &(&str, &str, Option<&'static str>)| Source {
        id: file.trim_start_matches("queries/").trim_end_matches(".sql").to_owned(),
        file: (*file).to_owned(),
        text: (*text).to_owned(),
        cases: cases.map(Cow::Borrowed),
        sigma: None,
    };
    BUILT_IN.iter().map(source).collect()
}

/// Whether a rule stands word for word in this program: then it is known to compile.
pub fn is_built_in(rule: &Rule) -> bool {
    static TEXTS: LazyLock<HashMap<&str, &str>> =
        LazyLock::new(|| BUILT_IN.iter().map(|(file, text, _)| (*file, *text)).collect());
    TEXTS.get(&*rule.file).is_some_and(|text| *text == rule.text)
}

/// Adds sources; one with the id of an earlier one takes its place.
pub fn merge(base: Vec<Source>, more: Vec<Source>) -> Vec<Source> {
    let by_id: BTreeMap<String, Source> =
        base.into_iter().chain(more).map(|source| (source.id.clone(), source)).collect();
    by_id.into_values().collect()
}

/// Reads all headers; what cannot be read is returned with its place.
pub fn rules(sources: &[Source]) -> (Vec<Rule>, Vec<RuleError>) {
    let read = |source: &Source| {
        let made_from = source.sigma.as_ref().map(|sigma| sigma.place);
        let rule = parse(&source.id, &source.file, &source.text).map_err(|error| error.made_from(made_from))?;
        Ok(Rule { made_from, ..rule })
    };
    sources.par_iter().map(read).partition_map(|rule| match rule {
        Ok(rule) => Either::Left(rule),
        Err(error) => Either::Right(error),
    })
}

/// Ids like one that there is not, the likeliest first, three at most.
pub fn near<'a>(id: &str, sources: &'a [Source]) -> Vec<&'a str> {
    let name = |id: &str| id.rsplit('/').next().unwrap_or(id).to_lowercase();
    let wanted = name(id);
    let edits = |source: &'a Source| {
        let known = name(&source.id);
        let part = !wanted.is_empty() && (known.contains(&wanted) || wanted.contains(&known));
        let edits = if part { 0 } else { distance(&wanted, &known) };
        (edits <= 1 + wanted.len() / 4).then_some((edits, source.id.as_str()))
    };
    let mut near: Vec<(usize, &str)> = sources.iter().filter_map(edits).collect();
    near.sort_unstable();
    near.into_iter().map(|(_, id)| id).take(3).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_rule_takes_the_place_of_its_namesake() {
        let source = |id: &str, text: &str| Source {
            id: id.into(),
            file: id.into(),
            text: text.into(),
            cases: None,
            sigma: None,
        };
        let merged =
            merge(vec![source("t/b", "old"), source("t/c", "c")], vec![source("t/a", "a"), source("t/b", "new")]);
        let texts: Vec<&str> = merged.iter().map(|source| source.text.as_str()).collect();
        assert_eq!(texts, ["a", "new", "c"]);
    }

    #[test]
    fn an_id_that_there_is_not_has_near_ones() {
        let sources = built_in();
        assert_eq!(near("cloudtrail/root_console_logn", &sources), ["cloudtrail/root_console_login"]);
        let both = ["cloudtrail/root_console_login", "cloudtrail/root_console_login_failed"];
        assert_eq!(near("root_console_login", &sources), both);
        assert_eq!(near("cloudtrail/xylophone_was_tuned", &sources), [""; 0]);
    }

    #[test]
    fn an_error_in_made_text_is_at_what_it_was_made_from() {
        let sigma = Some(Sigma { yaml: "title: t".into(), place: (7, 1) });
        let text = "-- titel = 't'".into();
        let source = Source { id: "t/x".into(), file: "x.yml".into(), text, cases: None, sigma };
        assert_eq!(source.written(), "title: t");
        let error = rules(&[source]).1.remove(0).to_string();
        assert!(error.starts_with("x.yml:7:1: unknown field `titel`") && error.ends_with("(its SQL, 1:4)"), "{error}");
    }
}
