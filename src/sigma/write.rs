//! What a Sigma rule says of itself, and the condition of its rows → the text of a query file: header and SQL.

use rsigma_parser::{CorrelationRule, Level, SigmaRule, Status};

use super::compare::Context;
use super::condition::Condition;
use super::fields;
use super::lower;
use crate::rule::{Confidence, Severity, TITLE_MAX};

/// What rules and correlations say of themselves.
pub struct About<'a> {
    title: &'a str,
    id: Option<&'a str>,
    status: Option<Status>,
    level: Option<Level>,
    tags: &'a [String],
    description: Option<&'a str>,
    false_positives: &'a [String],
    references: &'a [String],
    author: Option<&'a str>,
    license: Option<&'a str>,
}

impl<'a> From<&'a SigmaRule> for About<'a> {
    fn from(rule: &'a SigmaRule) -> About<'a> {
        About {
            title: &rule.title,
            id: rule.id.as_deref(),
            status: rule.status,
            level: rule.level,
            tags: &rule.tags,
            description: rule.description.as_deref(),
            false_positives: &rule.falsepositives,
            references: &rule.references,
            author: rule.author.as_deref(),
            license: rule.license.as_deref(),
        }
    }
}

impl<'a> From<&'a CorrelationRule> for About<'a> {
    fn from(rule: &'a CorrelationRule) -> About<'a> {
        About {
            title: &rule.title,
            id: rule.id.as_deref(),
            status: rule.status,
            level: rule.level,
            tags: &rule.tags,
            description: rule.description.as_deref(),
            false_positives: &rule.falsepositives,
            references: &rule.references,
            author: rule.author.as_deref(),
            license: rule.license.as_deref(),
        }
    }
}

/// The whole file, as `weir rules check` takes it.
pub fn query_file(context: &Context, rule: &SigmaRule, condition: &Condition) -> String {
    let mut file = header(&rule.into());
    file.push_str(&format!("SELECT {}\n", evidence(context, rule).join(",\n       ")));
    file.push_str(&format!("FROM {}\n", context.table.name));
    file.push_str(&format!("WHERE {}\n", condition.conjuncts().join("\n  AND ")));
    file
}

/// The lines in front of the SQL.
pub fn header(about: &About) -> String {
    let mut file = String::new();
    let mut line = |key: &str, value: String| file.push_str(&format!("-- {key:<15} = {value}\n"));
    line("title", text(&shortened(about.title)));
    line("severity", text(severity(about.level).as_str()));
    line("confidence", text(confidence(about.status).as_str()));
    line("tags", list(&tags(about.tags)));
    line("remedy", text(&remedy(about.references)));
    if let Some(description) = about.description {
        line("description", text(&one_line(description)));
    }
    if !about.false_positives.is_empty() {
        line("false_positives", text(&one_line(&about.false_positives.join("; "))));
    }
    if !about.references.is_empty() {
        line("references", list(about.references));
    }
    if let Some(author) = about.author {
        let license = about.license.map_or(String::new(), |license| format!(" (licence: {license})"));
        line("author", text(&one_line(&format!("{author}{license}"))));
    }
    // Sigma rules say themselves whom they leave out
    line("aws_services", "true".into());
    file
}

/// A column that says whose rule it is: the licence of SigmaHQ's rules asks that their matches say so.
pub fn whose(about: &About) -> String {
    let id = about.id.unwrap_or(about.title);
    let whose = about.author.map_or(id.to_owned(), |author| format!("{id} by {author}"));
    format!("{} AS sigma_rule", fields::quoted(&one_line(&whose), '\''))
}

fn severity(level: Option<Level>) -> Severity {
    match level {
        Some(Level::Informational) => Severity::Informational,
        Some(Level::Low) => Severity::Low,
        Some(Level::Medium) | None => Severity::Medium,
        Some(Level::High) => Severity::High,
        Some(Level::Critical) => Severity::Critical,
    }
}

/// Sigma's status says how far its authors trust a rule not to be noisy.
fn confidence(status: Option<Status>) -> Confidence {
    match status {
        Some(Status::Stable) => Confidence::High,
        Some(Status::Test) | None => Confidence::Medium,
        Some(Status::Experimental | Status::Deprecated | Status::Unsupported) => Confidence::Low,
    }
}

/// ATT&CK tactics with the underscores that the other rules write.
fn tags(tags: &[String]) -> Vec<String> {
    let tag = |tag: &String| {
        let tag = tag.to_lowercase().split_whitespace().collect::<Vec<_>>().join("_");
        if tag.starts_with("attack.") { tag.replace('-', "_") } else { tag }
    };
    let tags: Vec<String> = tags.iter().map(tag).filter(|tag| !tag.is_empty()).collect();
    if tags.is_empty() { vec!["sigma".to_owned()] } else { tags }
}

fn remedy(references: &[String]) -> String {
    let ask = "Ask the actor whether this was meant";
    match references.first() {
        Some(reference) => format!("{ask}; what the rule looks for is told at {}.", one_line(reference)),
        None => format!("{ask}."),
    }
}

/// Columns to show: those that tell what happened, those that the rule names, and whose rule it is.
fn evidence(context: &Context, rule: &SigmaRule) -> Vec<String> {
    let usual: &[&str] = match context.table.name {
        "cloudtrail" => &["eventTime", "eventSource", "eventName", "sourceIPAddress", "userAgent", "errorCode"],
        "vpc_flow" => &["srcaddr", "dstaddr", "srcport", "dstport", "protocol", "action"],
        _ => &[],
    };
    let named = rule.fields.iter().cloned().chain(lower::fields(&rule.detection));
    let mut columns: Vec<String> = Vec::new();
    for name in usual.iter().map(|name| (*name).to_owned()).chain(named) {
        // a name in `fields` that the table does not know is advice for another system
        let Ok(field) = fields::resolve(context.table, &name) else { continue };
        let column = field.shown(&name);
        if !columns.iter().any(|known| known.eq_ignore_ascii_case(&column)) {
            columns.push(column);
        }
    }
    columns.push(whose(&rule.into()));
    columns
}

fn shortened(title: &str) -> String {
    let title = one_line(title);
    match title.char_indices().nth(TITLE_MAX - 1) {
        Some((at, last)) if at + last.len_utf8() < title.len() => format!("{}…", &title[..at]),
        _ if title.is_empty() => "untitled".to_owned(),
        _ => title,
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|one| text(&one_line(one))).collect::<Vec<_>>().join(", "))
}

/// A basic string of TOML.
fn text(value: &str) -> String {
    let mut out = String::from('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_fits_its_line() {
        let long = "é".repeat(TITLE_MAX);
        assert_eq!(shortened(&long), long);
        assert_eq!(shortened(&format!("{long}x")), format!("{}…", "é".repeat(TITLE_MAX - 1)));
        assert_eq!(shortened(" two\nlines "), "two lines");
    }

    #[test]
    fn toml_reads_a_text_as_it_was() {
        for value in ["plain", "a \"quote\" and a \\", "bell \u{7} and DEL \u{7f}", "é – 漢"] {
            let read: toml::Table = toml::from_str(&format!("k = {}", text(value))).unwrap();
            assert_eq!(read["k"].as_str(), Some(value));
        }
    }
}
