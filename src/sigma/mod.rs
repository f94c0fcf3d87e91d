//! Sigma YAML → rules as every other: each detection becomes the text of a query file.
//!
//! A rule's condition is lowered to SQL comparisons joined by AND, so that it is gated by them as written rules are.
//! What cannot be lowered is refused with file, line and column, and the other rules run.

mod place;
mod parse;
mod modifiers;
mod pattern;
mod fields;
mod condition;
mod compare;
mod lower;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use rsigma_parser::{CorrelationRule, FilterRule, FilterRuleTarget, LogSource, SigmaDocument, SigmaRule, Status};
use serde::Deserialize;

use self::compare::Context;
use self::condition::Condition;
use self::parse::{Wrong, parse};
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
    /// Where in it the rule's detection stands.
    pub place: Place,
    /// The document as it is written.
    pub yaml: String,
    /// The query file: header and SQL.
    pub text: String,
}

/// Converts the rules of files that belong together: a filter in one may be about a rule in another.
pub fn convert(files: &[File], config: &Config) -> (Vec<Converted>, Vec<RuleError>) {
    let mut refused = Vec::new();
    let mut set = Set::default();
    for file in files {
        let (documents, wrong) = parse(&file.text);
        refused.extend(wrong.into_iter().map(|wrong| error(file, wrong)));
        for document in documents {
            let lines = document.lines;
            match document.parsed {
                SigmaDocument::Rule(rule) => set.rules.push((file, lines, *rule)),
                SigmaDocument::Correlation(rule) => set.correlations.push((file, lines, rule)),
                SigmaDocument::Filter(filter) => set.filters.push((file, lines, filter)),
            }
        }
    }
    for (file, lines, rule) in &set.correlations {
        let kind = rule.correlation_type.as_str();
        let message = format!("correlations need windows, which this weir does not run yet: `{kind}`");
        refused.push(error(file, (lines.key(&["correlation"]), message)));
    }
    for (file, lines, filter) in &set.filters {
        if let Err(wrong) = set.check_filter(filter, lines, config) {
            refused.push(error(file, wrong));
        }
    }
    let (mut converted, mut ids, mut counts) = (Vec::new(), BTreeSet::new(), BTreeMap::<&str, usize>::new());
    for (file, lines, rule) in &set.rules {
        let number = counts.entry(&file.name).and_modify(|count| *count += 1).or_insert(1);
        let name = if *number == 1 { file.stem.clone() } else { format!("{}_{number}", file.stem) };
        match set.convert(rule, lines, config) {
            Ok((table, text)) => {
                let id = format!("{}/{name}", table.name);
                if !ids.insert(id.clone()) {
                    let message = format!("another file gives the rule {id}: rename this one");
                    refused.push(error(file, (lines.start(), message)));
                    continue;
                }
                let place = lines.key(&["detection"]);
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
#[derive(Default)]
struct Set<'a> {
    rules: Vec<(&'a File, Lines, SigmaRule)>,
    correlations: Vec<(&'a File, Lines, CorrelationRule)>,
    filters: Vec<(&'a File, Lines, FilterRule)>,
}

impl Set<'_> {
    fn convert(&self, rule: &SigmaRule, lines: &Lines, config: &Config) -> Result<(&'static Table, String), Wrong> {
        if rule.status == Some(Status::Unsupported) {
            let message = "the rule's own status says that it cannot be used".to_owned();
            return Err((lines.key(&["status"]), message));
        }
        let names = |reference: &String| is_called(rule, reference);
        let user = self.correlations.iter().find(|(.., user)| !user.generate && user.rules.iter().any(names));
        if let Some((.., user)) = user {
            let message =
                format!("the rule is for the correlation `{}`, which does not run yet, and not by itself", user.title);
            return Err((lines.start(), message));
        }
        let table = table(&rule.logsource, lines)?;
        let context = Context { table, placeholders: &config.placeholders };
        let mut parts = vec![lower::condition(&context, &rule.detection, "detection", lines)?];
        for (_, lines, filter) in &self.filters {
            if applies(filter, rule) {
                // a filter that is wrong was refused by itself, and leaves the rule as it is
                parts.extend(lower::condition(&context, &filter.detection, "filter", lines).ok());
            }
        }
        Ok((table, write::query_file(&context, rule, &Condition::all(parts))))
    }

    fn check_filter(&self, filter: &FilterRule, lines: &Lines, config: &Config) -> Result<(), Wrong> {
        let about: Vec<_> = self.rules.iter().filter(|(.., rule)| applies(filter, rule)).collect();
        if about.is_empty() {
            return Err((lines.key(&["filter", "rules"]), "the filter is about no rule that is here".to_owned()));
        }
        for (_, rule_lines, rule) in about {
            let Ok(table) = table(&rule.logsource, rule_lines) else { continue };
            let context = Context { table, placeholders: &config.placeholders };
            lower::condition(&context, &filter.detection, "filter", lines)?;
        }
        Ok(())
    }
}

fn is_called(rule: &SigmaRule, reference: &str) -> bool {
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
    let given = parts.iter().filter_map(|(key, value)| value.as_ref().map(|value| format!("{key}: {value}")));
    let given = given.collect::<Vec<_>>().join(", ");
    let given = if given.is_empty() { "no log source".to_owned() } else { format!("log source `{given}`") };
    let services = SERVICES.map(|(service, _)| service).join(" or ");
    let message = format!("{given} has no table here; there is `product: aws` with `service: {services}`");
    Err((lines.key(&["logsource"]), message))
}

#[cfg(test)]
mod tests;
