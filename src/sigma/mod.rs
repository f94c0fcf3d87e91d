//! Sigma YAML → rules as every other: each detection and each correlation becomes the text of a query file.
//!
//! A rule's condition is lowered to SQL comparisons joined by AND, so that it is gated by them as written rules are.
//! A correlation becomes a rule over windows of the rows that its rules select; those are then no rules by themselves,
//! unless it says `generate: true`. What cannot be lowered is refused with file, line and column, and the other rules run.

mod place;
mod parse;
mod modifiers;
mod pattern;
mod fields;
mod condition;
mod compare;
mod lower;
mod write;
mod doubts;
mod timespan;
mod correlation;
mod nested;

use std::collections::{BTreeMap, BTreeSet};

use rsigma_parser::{
    CorrelationRule, CorrelationType, FilterRule, FilterRuleTarget, LogSource, SigmaDocument, SigmaRule, Status,
};
use serde::Deserialize;

pub use self::doubts::doubts;

use self::compare::Context;
use self::condition::Condition;
use self::correlation::{Of, Step};
use self::parse::{Unread, Wrong, parse, unread_correlation};
use self::place::{Lines, Place};
use crate::catalog;
use crate::rule::RuleError;
use crate::table::Table;

/// The `[sigma]` section of `weir.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Values of the placeholders that rules write as `%name%` under the modifier `expand`.
    pub placeholders: BTreeMap<String, Vec<String>>,
}

/// A YAML file.
#[derive(Clone, Debug)]
pub struct File {
    /// As shown to people.
    pub name: String,
    /// Its name without folder and extension: the rule in it is `<table>/<stem>`.
    pub stem: String,
    pub text: String,
}

/// A rule as a query file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// `<table>/<name>`
    pub id: String,
    /// The YAML file.
    pub file: String,
    /// Where in it the rule's detection stands, or the correlation.
    pub place: Place,
    /// The document as it is written.
    pub yaml: String,
    /// The query file: header and SQL.
    pub text: String,
}

/// Converts the rules of files that belong together: a filter or a correlation in one may be about a rule in another.
pub fn convert(files: &[File], config: &Config) -> (Vec<Converted>, Vec<RuleError>) {
    let mut refused = Vec::new();
    let mut set = Set {
        config,
        order: Vec::new(),
        rules: Vec::new(),
        correlations: Vec::new(),
        unread: Vec::new(),
        filters: Vec::new(),
    };
    for file in files {
        let (documents, wrong) = parse(&file.text);
        let read: BTreeSet<usize> = documents.iter().map(|document| document.lines.first).collect();
        let unread = Lines::documents(&file.text).into_iter().filter(|lines| !read.contains(&lines.first));
        set.unread.extend(unread.filter_map(|lines| Some((file, unread_correlation(&lines)?))));
        refused.extend(wrong.into_iter().map(|wrong| error(file, wrong)));
        for document in documents {
            let lines = document.lines;
            match document.parsed {
                SigmaDocument::Rule(rule) => {
                    set.order.push(Turn::Rule(set.rules.len()));
                    set.rules.push((file, lines, *rule));
                }
                SigmaDocument::Correlation(rule) => {
                    set.order.push(Turn::Correlation(set.correlations.len()));
                    set.correlations.push((file, lines, rule));
                }
                SigmaDocument::Filter(filter) => set.filters.push((file, lines, filter)),
            }
        }
    }
    for (file, lines, filter) in &set.filters {
        if let Err(wrong) = set.check_filter(filter, lines) {
            refused.push(error(file, wrong));
        }
    }
    let correlations: Vec<_> =
        set.correlations.iter().map(|(file, lines, rule)| set.correlate(rule, file, lines)).collect();
    let mut converted = Vec::new();
    // each with its file, and how many rules a file has had
    let (mut ids, mut counts) = (BTreeMap::<String, &str>::new(), BTreeMap::<&str, usize>::new());
    for turn in &set.order {
        let (file, lines, key, made) = match turn {
            Turn::Rule(place) => {
                let (file, lines, rule) = &set.rules[*place];
                match set.convert(rule, file, lines, &correlations) {
                    Ok(None) => continue,
                    Ok(Some(made)) => (file, lines, "detection", Ok(made)),
                    Err(wrong) => (file, lines, "detection", Err(wrong)),
                }
            }
            Turn::Correlation(place) => {
                let (file, lines, rule) = &set.correlations[*place];
                let made = correlations[*place].clone();
                let named = |reference: &str| is_correlation(rule, reference);
                let by_itself = || set.is_by_itself("correlation", file, lines, named, &correlations);
                match made.and_then(|made| Ok((made, by_itself()?))) {
                    Ok((_, false)) => continue,
                    Ok((made, true)) => (file, lines, "correlation", Ok(made)),
                    Err(wrong) => (file, lines, "correlation", Err(wrong)),
                }
            }
        };
        let number = counts.entry(&file.name).and_modify(|count| *count += 1).or_insert(1);
        let name = if *number == 1 { file.stem.clone() } else { format!("{}_{number}", file.stem) };
        match made {
            Ok((table, text)) => {
                let id = format!("{}/{name}", table.name);
                if let Some(other) = ids.get(&id) {
                    let message = format!("{other} gives the rule {id} already: rename this file");
                    refused.push(error(file, (lines.start(), message)));
                    continue;
                }
                ids.insert(id.clone(), &file.name);
                let place = lines.key(&[key]);
                converted.push(Converted { id, file: file.name.clone(), place, yaml: lines.text.clone(), text });
            }
            Err(wrong) => refused.push(error(file, wrong)),
        }
    }
    (converted, refused)
}

fn error(file: &File, ((line, column), message): Wrong) -> RuleError {
    RuleError { file: file.name.clone(), line, column, message }
}

/// What the files hold.
struct Set<'a> {
    config: &'a Config,
    /// Rules and correlations as they stand in the files.
    order: Vec<Turn>,
    rules: Vec<(&'a File, Lines, SigmaRule)>,
    correlations: Vec<(&'a File, Lines, CorrelationRule)>,
    /// What else was to be correlations: their rules are for them, and would tell of each of their rows by themselves.
    unread: Vec<(&'a File, Unread)>,
    filters: Vec<(&'a File, Lines, FilterRule)>,
}

/// A place in [`Set::rules`] or [`Set::correlations`].
enum Turn {
    Rule(usize),
    Correlation(usize),
}

/// What a correlation names.
enum Named<'a> {
    Rule(&'a SigmaRule, &'a Lines),
    Correlation(&'a CorrelationRule, &'a File, &'a Lines),
}

/// A query file and the table that it reads, or what is wrong.
type Made = Result<(&'static Table, String), Wrong>;

impl Set<'_> {
    /// `None` for a rule that is good and only there for a correlation, which is among `correlations`.
    fn convert(
        &self,
        rule: &SigmaRule,
        file: &File,
        lines: &Lines,
        correlations: &[Made],
    ) -> Result<Option<(&'static Table, String)>, Wrong> {
        let (table, condition) = self.rows(rule, lines)?;
        let by_itself = self.is_by_itself("rule", file, lines, |reference| is_called(rule, reference), correlations)?;
        Ok(by_itself.then(|| (table, write::query_file(&self.context(table), rule, &condition))))
    }

    /// False of what is only there for correlations. `kind` is what it is.
    fn is_by_itself(
        &self,
        kind: &str,
        file: &File,
        lines: &Lines,
        is_called: impl Fn(&str) -> bool,
        correlations: &[Made],
    ) -> Result<bool, Wrong> {
        let is_meant =
            |names: &[String], from: &File| names.iter().any(|name| is_called(name) && self.reaches(name, from, file));
        let users = self.correlations.iter().zip(correlations);
        let users: Vec<_> = users.filter(|((from, _, user), _)| is_meant(&user.rules, from)).collect();
        let refused = |title: &str| {
            let message = format!("the {kind} is for the correlation `{title}`, which is refused, and not by itself");
            Err((lines.start(), message))
        };
        match users.first() {
            Some(((.., user), _)) if users.iter().all(|((.., user), _)| !user.generate) => {
                if users.iter().any(|(_, made)| made.is_ok()) { Ok(false) } else { refused(&user.title) }
            }
            Some(_) => Ok(true),
            None => match self.unread.iter().find(|(from, unread)| is_meant(&unread.rules, from)) {
                Some((_, unread)) => refused(&unread.title),
                None => Ok(true),
            },
        }
    }

    fn correlate(&self, correlation: &CorrelationRule, file: &File, lines: &Lines) -> Made {
        if correlation.status == Some(Status::Unsupported) {
            return Err((lines.key(&["status"]), UNSUPPORTED.to_owned()));
        }
        let (table, steps) = self.steps(correlation, file, lines, &mut Vec::new())?;
        Ok((table, correlation::query_file(&self.context(table), correlation, &steps, lines)?))
    }

    /// The table that a correlation reads, and what it names; `above` are those that name it.
    fn steps<'a>(
        &'a self,
        correlation: &'a CorrelationRule,
        file: &File,
        lines: &Lines,
        above: &mut Vec<&'a CorrelationRule>,
    ) -> Result<(&'static Table, Vec<Step<'a>>), Wrong> {
        above.push(correlation);
        let (mut steps, mut of) = (Vec::new(), None::<&'static Table>);
        for reference in &correlation.rules {
            let wrong = |message: String| (lines.value(&["correlation", "rules"], reference), message);
            let (title, table, step) = match self.named(reference, file).map_err(wrong)? {
                Named::Rule(rule, lines) => {
                    let rows = self.rows(rule, lines);
                    let (table, condition) =
                        rows.map_err(|_| wrong(format!("the rule `{}` is refused", rule.title)))?;
                    (&rule.title, table, Of::Rule(rule, condition))
                }
                Named::Correlation(inner, ..) if above.iter().any(|above| std::ptr::eq(*above, inner)) => {
                    return Err(wrong(format!("`{reference}` is a correlation that names, in the end, itself")));
                }
                Named::Correlation(inner, file, lines) => {
                    let refused = || wrong(format!("the correlation `{}` is refused", inner.title));
                    if inner.status == Some(Status::Unsupported) {
                        return Err(refused());
                    }
                    let (table, steps) = self.steps(inner, file, lines, above).map_err(|_| refused())?;
                    (&inner.title, table, Of::Correlation(inner, lines, steps))
                }
            };
            if of.is_some_and(|of| of.name != table.name) {
                return Err(wrong(format!(
                    "the rules of a correlation read one table; `{title}` reads {}",
                    table.name
                )));
            }
            of = Some(table);
            let is_same = |known: &Step| match (&known.of, &step) {
                (Of::Rule(one, _), Of::Rule(other, _)) => std::ptr::eq(*one, *other),
                (Of::Correlation(one, ..), Of::Correlation(other, ..)) => std::ptr::eq(*one, *other),
                (Of::Rule(..), Of::Correlation(..)) | (Of::Correlation(..), Of::Rule(..)) => false,
            };
            let kind = correlation.correlation_type;
            let is_temporal = matches!(kind, CorrelationType::Temporal | CorrelationType::TemporalOrdered);
            if is_temporal && steps.iter().any(is_same) {
                return Err(wrong(format!("`{title}` is named twice: `event_count` asks how often a rule matches")));
            }
            steps.push(Step { reference, of: step });
        }
        above.pop();
        match of {
            Some(table) => Ok((table, steps)),
            None => Err((lines.key(&["correlation", "rules"]), "the correlation names no rule".to_owned())),
        }
    }

    /// The rule or correlation that has this id, name or title, as a file means it.
    fn named(&self, reference: &str, from: &File) -> Result<Named<'_>, String> {
        let reached = |file: &File| self.reaches(reference, from, file);
        let rules = self.rules.iter().filter(|(file, _, rule)| is_called(rule, reference) && reached(file));
        let correlations =
            self.correlations.iter().filter(|(file, _, rule)| is_correlation(rule, reference) && reached(file));
        let rules = rules.map(|(_, lines, rule)| Named::Rule(rule, lines));
        let mut all = rules.chain(correlations.map(|(file, lines, rule)| Named::Correlation(rule, file, lines)));
        match (all.next(), all.next()) {
            (Some(one), None) => Ok(one),
            (Some(_), Some(_)) => Err(format!("several rules are called `{reference}`")),
            (None, _) => Err(format!("no rule that is here is called `{reference}`")),
        }
    }

    /// Whether a reference of one file can mean what stands in another. One that has its own of that name means this: names
    /// have to be unique for each correlation only.
    fn reaches(&self, reference: &str, from: &File, to: &File) -> bool {
        let is_own = |file: &File| std::ptr::eq(file, from);
        is_own(to)
            || !(self.rules.iter().any(|(file, _, rule)| is_own(file) && is_called(rule, reference))
                || self.correlations.iter().any(|(file, _, rule)| is_own(file) && is_correlation(rule, reference)))
    }

    /// What a rule reads, and the condition of its rows, with the filters that are about it.
    fn rows(&self, rule: &SigmaRule, lines: &Lines) -> Result<(&'static Table, Condition), Wrong> {
        if rule.status == Some(Status::Unsupported) {
            return Err((lines.key(&["status"]), UNSUPPORTED.to_owned()));
        }
        let table = table(&rule.logsource, lines)?;
        let context = self.context(table);
        let mut parts = vec![lower::condition(&context, &rule.detection, "detection", lines)?];
        for (_, lines, filter) in &self.filters {
            if applies(filter, rule) {
                // a filter that is wrong was refused by itself, and leaves the rule as it is
                parts.extend(lower::condition(&context, &filter.detection, "filter", lines).ok());
            }
        }
        Ok((table, Condition::all(parts)))
    }

    fn context(&self, table: &'static Table) -> Context<'_> {
        Context { table, placeholders: &self.config.placeholders }
    }

    fn check_filter(&self, filter: &FilterRule, lines: &Lines) -> Result<(), Wrong> {
        let about: Vec<_> = self.rules.iter().filter(|(.., rule)| applies(filter, rule)).collect();
        if about.is_empty() {
            return Err((lines.key(&["filter", "rules"]), "the filter is about no rule that is here".to_owned()));
        }
        for (_, rule_lines, rule) in about {
            let Ok(table) = table(&rule.logsource, rule_lines) else { continue };
            lower::condition(&self.context(table), &filter.detection, "filter", lines)?;
        }
        Ok(())
    }
}

const UNSUPPORTED: &str = "the rule's own status says that it cannot be used";

fn is_called(rule: &SigmaRule, reference: &str) -> bool {
    [rule.id.as_deref(), rule.name.as_deref()].contains(&Some(reference)) || rule.title == reference
}

fn is_correlation(rule: &CorrelationRule, reference: &str) -> bool {
    [rule.id.as_deref(), rule.name.as_deref()].contains(&Some(reference)) || rule.title == reference
}

/// Whether a filter is about a rule: it names it, and each part of its log source is the rule's too.
fn applies(filter: &FilterRule, rule: &SigmaRule) -> bool {
    let named = match &filter.rules {
        FilterRuleTarget::Any => true,
        FilterRuleTarget::Specific(names) => names.iter().any(|name| is_called(rule, name)),
    };
    let same = |own: &Option<String>, of_rule: &Option<String>| {
        own.as_ref().is_none_or(|own| of_rule.as_ref().is_some_and(|other| own.eq_ignore_ascii_case(other)))
    };
    named
        && filter.logsource.as_ref().is_none_or(|source| {
            same(&source.category, &rule.logsource.category)
                && same(&source.product, &rule.logsource.product)
                && same(&source.service, &rule.logsource.service)
        })
}

/// Sigma's names of AWS's logs, each with its table.
const SERVICES: [(&str, &str); 2] = [("cloudtrail", "cloudtrail"), ("vpcflow", "vpc_flow")];

fn table(source: &LogSource, lines: &Lines) -> Result<&'static Table, Wrong> {
    let is = |part: &Option<String>, name: &str| part.as_ref().is_some_and(|part| part.eq_ignore_ascii_case(name));
    let known = SERVICES.iter().find(|(service, _)| is(&source.service, service));
    if let (Some((_, name)), true, None) = (known, is(&source.product, "aws"), &source.category) {
        return Ok(catalog::table(name).expect("the tables named here exist"));
    }
    let parts = [("product", &source.product), ("service", &source.service), ("category", &source.category)];
    // of another product it matters little which log it is, and one reason for all its rules is told once
    let is_other = source.product.is_some() && !is(&source.product, "aws");
    let parts = if is_other { &parts[..1] } else { &parts[..] };
    let given = parts.iter().filter_map(|(key, value)| value.as_ref().map(|value| format!("{key}: {value}")));
    let given = given.collect::<Vec<_>>().join(", ");
    let services = SERVICES.map(|(service, _)| service).join(" or ");
    let known = format!("`product: aws` with `service: {services}`");
    let message = match given.is_empty() {
        true => format!("the rule says nothing of its log source, such as {known}"),
        false => format!("log source `{given}` has no table here; there is {known}"),
    };
    Err((lines.key(&["logsource"]), message))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod correlation_tests;
