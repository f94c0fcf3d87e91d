//! Sigma files → what in them is probably misspelt: it is no error, for events may have fields and rules keys of their own, and
//! a rule that asks for it never fires, or passes it over.

use std::collections::BTreeMap;

use rsigma_parser::{
    CorrelationCondition, CorrelationRule, Detection, Detections, FieldAlias, FilterRule, FilterRuleTarget,
    SigmaDocument, SigmaRule,
};

use super::fields::{Stray, stray};
use super::parse::{Document, parse};
use super::place::{Lines, Place};
use super::{File, is_called, table};
use crate::rule::RuleError;
use crate::rule::spelling::nearest;
use crate::table::Table;

/// Keys of documents.
const KEYS: [&str; 26] = [
    "title",
    "id",
    "name",
    "related",
    "taxonomy",
    "status",
    "description",
    "license",
    "references",
    "author",
    "date",
    "modified",
    "tags",
    "scope",
    "logsource",
    "detection",
    "correlation",
    "filter",
    "generate",
    "fields",
    "falsepositives",
    "level",
    "action",
    "sigma-version",
    "custom_attributes",
    "source",
];

/// Keys of a correlation.
const KEYS_OF_CORRELATIONS: [&str; 11] =
    ["type", "rules", "group-by", "timespan", "timeframe", "condition", "aliases", "generate", "window", "gap", "name"];

/// What is doubtful, with its place, in files that belong together.
pub fn doubts(files: &[File]) -> Vec<RuleError> {
    let read: Vec<(&File, Vec<Document>)> = files.iter().map(|file| (file, parse(&file.text).0)).collect();
    let documents = || read.iter().flat_map(|(_, documents)| documents);
    let rules: Vec<(&SigmaRule, Option<&'static Table>)> = documents()
        .filter_map(|document| match &document.parsed {
            SigmaDocument::Rule(rule) => Some((&**rule, table(&rule.logsource, &document.lines).ok())),
            SigmaDocument::Correlation(_) | SigmaDocument::Filter(_) => None,
        })
        .collect();
    let (mut all, mut ids) = (Vec::new(), BTreeMap::<&str, String>::new());
    for (file, documents) in &read {
        let mut found: Vec<(Place, String)> = Lines::documents(&file.text).iter().flat_map(keys).collect();
        for Document { parsed, lines } in documents {
            if let Some(id) = own_id(parsed, lines) {
                let place = lines.key(&["id"]);
                if let Some(other) = ids.get(id) {
                    found.push((place, format!("`{id}` is the id of {other} too: both run")));
                } else {
                    ids.insert(id, format!("{}:{}", file.name, place.0));
                }
            }
            found.extend(match parsed {
                SigmaDocument::Rule(rule) => {
                    let table = table(&rule.logsource, lines).ok();
                    table.map_or_else(Vec::new, |table| of_detections(table, &rule.detection, "detection", lines))
                }
                SigmaDocument::Filter(filter) => {
                    let table = filter.logsource.as_ref().and_then(|source| table(source, lines).ok());
                    let mut found =
                        table.map_or_else(Vec::new, |table| of_detections(table, &filter.detection, "filter", lines));
                    let is_here = |name: &str| rules.iter().any(|(rule, _)| is_called(rule, name));
                    found.extend(of_names(filter, is_here, lines));
                    found
                }
                SigmaDocument::Correlation(correlation) => {
                    let of = |name: &String| {
                        rules.iter().find(|(rule, _)| is_called(rule, name)).and_then(|(_, table)| *table)
                    };
                    // one that names correlations has the fields of these, or is refused
                    let tables: Option<Vec<&Table>> = correlation.rules.iter().map(of).collect();
                    let table = tables.and_then(|tables| tables.first().copied());
                    table.map_or_else(Vec::new, |table| of_correlation(table, correlation, lines))
                }
            });
        }
        found.sort();
        found.dedup();
        let doubt = |((line, column), message)| RuleError { file: file.name.clone(), line, column, message };
        all.extend(found.into_iter().map(doubt));
    }
    all
}

/// The id that a document says of itself, not one that it has from those before it, if it is a rule for logs that are here.
fn own_id<'a>(parsed: &'a SigmaDocument, lines: &Lines) -> Option<&'a str> {
    let id = match parsed {
        SigmaDocument::Rule(rule) if table(&rule.logsource, lines).is_ok() => rule.id.as_deref(),
        SigmaDocument::Correlation(correlation) => correlation.id.as_deref(),
        SigmaDocument::Rule(_) | SigmaDocument::Filter(_) => None,
    };
    id.filter(|_| lines.has(&["id"]))
}

/// Keys that are nearly ones of Sigma; within a correlation, which has no others, any that is none.
fn keys(lines: &Lines) -> Vec<(Place, String)> {
    let top =
        lines.keys(&[]).into_iter().filter(|(_, key)| !KEYS.contains(&key.as_str())).filter_map(|(place, key)| {
            let meant = nearest(&key, edits_max(&key), KEYS)?;
            Some((place, format!("`{key}` is no key of Sigma and is passed over: did you mean `{meant}`?")))
        });
    let within = lines.keys(&["correlation"]).into_iter();
    let within = within.filter(|(_, key)| !KEYS_OF_CORRELATIONS.contains(&key.as_str())).map(|(place, key)| {
        let meant =
            nearest(&key, edits_max(&key), KEYS_OF_CORRELATIONS).map(|meant| format!(": did you mean `{meant}`?"));
        (place, format!("`{key}` is no key of correlations and is passed over{}", meant.unwrap_or_default()))
    });
    top.chain(within).collect()
}

/// Short words are near to many others.
fn edits_max(key: &str) -> usize {
    1 + key.len() / 8
}

fn of_detections(table: &Table, detections: &Detections, section: &str, lines: &Lines) -> Vec<(Place, String)> {
    let mut doubts = Vec::new();
    for (name, detection) in &detections.named {
        let mut fields = Vec::new();
        collect(detection, &mut fields);
        // the parser escapes brackets
        let plain = fields.into_iter().map(|field| field.replace("\\[", "[").replace("\\]", "]"));
        doubts.extend(plain.filter_map(|field| Some((lines.key(&[section, name, &field]), doubt(table, &field)?))));
    }
    doubts
}

/// Of the rules that a filter names, where it is about others that are here; one that is about none is refused.
fn of_names(filter: &FilterRule, is_here: impl Fn(&str) -> bool, lines: &Lines) -> Vec<(Place, String)> {
    let FilterRuleTarget::Specific(names) = &filter.rules else { return Vec::new() };
    let (here, lost): (Vec<&String>, Vec<&String>) = names.iter().partition(|name| is_here(name));
    let doubt = |name: &String| {
        let message = format!("no rule that is here is called `{name}`: the filter is about the others");
        (lines.value(&["filter", "rules"], name), message)
    };
    if here.is_empty() { Vec::new() } else { lost.into_iter().map(doubt).collect() }
}

fn collect<'a>(detection: &'a Detection, fields: &mut Vec<&'a str>) {
    match detection {
        Detection::AllOf(items) => fields.extend(items.iter().filter_map(|item| item.field.name.as_deref())),
        Detection::AnyOf(parts) | Detection::And(parts) => parts.iter().for_each(|part| collect(part, fields)),
        Detection::Keywords(_) | Detection::ArrayMatch { .. } | Detection::Conditional { .. } => {}
    }
}

/// Of the fields that are grouped by and counted, and those that aliases stand for.
fn of_correlation(table: &Table, correlation: &CorrelationRule, lines: &Lines) -> Vec<(Place, String)> {
    let counted = match &correlation.condition {
        CorrelationCondition::Threshold { field, .. } => field.as_deref().unwrap_or_default(),
        CorrelationCondition::Extended(_) => &[],
    };
    let is_alias = |name: &&String| correlation.aliases.iter().any(|alias| alias.alias == **name);
    let direct = |names: &[String], key: &[&str]| {
        let named = names.iter().filter(|name| !is_alias(name));
        named.map(|name| (lines.value(key, name), name.clone())).collect::<Vec<_>>()
    };
    let mut fields = direct(&correlation.group_by, &["correlation", "group-by"]);
    fields.extend(direct(counted, &["correlation", "condition", "field"]));
    for alias in &correlation.aliases {
        let stands_for = alias
            .mapping
            .values()
            .map(|field| (lines.value(&["correlation", "aliases", &alias.alias], field), field.clone()));
        fields.extend(stands_for);
    }
    // the rules that it says nothing of are asked for a field that is called as the alias is
    let is_partial =
        |alias: &&FieldAlias| alias.mapping.len() < correlation.rules.len() && stray(table, &alias.alias).is_some();
    let partial = correlation.aliases.iter().filter(is_partial).map(|alias| {
        let name = &alias.alias;
        let message =
            format!("the alias `{name}` has a field for some of the rules only, and events have no field `{name}`");
        (lines.key(&["correlation", "aliases", name]), message)
    });
    let by = ["correlation", "group-by"];
    let is_lost = correlation.group_by.is_empty() && lines.has(&by);
    let lost = is_lost.then(|| (lines.key(&by), "`group-by` names no field, and all rows are one group".to_owned()));
    let fields = fields.into_iter().filter_map(|(place, field)| Some((place, doubt(table, &field)?)));
    fields.chain(partial).chain(lost).collect()
}

fn doubt(table: &Table, field: &str) -> Option<String> {
    if let Some(part) = field.split('.').find(|part| part.ends_with([']', '}'])) {
        return Some(format!(
            "`{part}` in `{field}` is looked for as a key with brackets: lists are seen through, and a path has names alone"
        ));
    }
    let Stray { meant } = stray(table, field)?;
    let meant = meant.map_or(String::new(), |meant| format!("; did you mean `{meant}`?"));
    Some(format!(
        "{} has no column `{field}`, which is looked for in what events have beyond their columns{meant}",
        table.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<String> {
        let file = File { name: "x.yml".into(), stem: "x".into(), text: text.into() };
        doubts(&[file]).iter().map(ToString::to_string).collect()
    }

    fn rule(detection: &str) -> String {
        format!(
            "title: T\nname: base\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n    s:\n{detection}    condition: s\n"
        )
    }

    #[test]
    fn a_field_that_is_misspelt_is_told_with_the_nearest() {
        let beyond = "which is looked for in what events have beyond their columns";
        let text = rule(
            "        eventNmae: A\n        USERIDENTITY.ARN|contains: x\n        userIdentity.arnn|endswith: y\n        status: z\n",
        );
        assert_eq!(
            said(&text),
            [
                format!("x.yml:6:9: cloudtrail has no column `eventNmae`, {beyond}; did you mean `eventName`?"),
                format!(
                    "x.yml:8:9: cloudtrail has no column `userIdentity.arnn`, {beyond}; did you mean `userIdentity.arn`?"
                ),
                format!("x.yml:9:9: cloudtrail has no column `status`, {beyond}"),
            ]
        );
        let listed = rule("        - eventName: A\n        - userName: B\n        - - awsRegion: C\n");
        assert_eq!(
            said(&listed),
            [format!(
                "x.yml:7:11: cloudtrail has no column `userName`, {beyond}; did you mean `userIdentity.userName`?"
            )]
        );
    }

    #[test]
    fn what_is_free_is_nothing_to_doubt() {
        let free = "        requestParameters.bukcetName: a\n        responseElements.x.y: b\n        additionalEventData.MFAUsed: 'No'\n        \
                    serviceEventDetails.z: c\n        resources.ARN: d\n        userIdentity: e\n        account: f\n        addendum.reason: g\n";
        assert_eq!(said(&rule(free)), <[String; 0]>::default());
        let flows = rule("        interface-id: a\n        dstPort: 22\n").replace("cloudtrail", "vpcflow");
        assert_eq!(said(&flows), <[String; 0]>::default());
        let other = rule("        eventNmae: a\n").replace("cloudtrail", "s3access");
        assert_eq!(said(&other), <[String; 0]>::default(), "it is refused");
    }

    #[test]
    fn an_id_that_two_rules_have_is_told() {
        let one = rule("        eventName: A\n").replace("title: T", "title: T\nid: 1-2");
        let other = one.replace("cloudtrail", "s3access");
        assert_eq!(said(&format!("{one}---\n{other}")), <[String; 0]>::default());
        assert_eq!(said(&format!("{one}---\naction: repeat\ntitle: U\n")), <[String; 0]>::default());
        let tells = ["x.yml:11:1: `1-2` is the id of x.yml:2 too: both run"];
        assert_eq!(said(&format!("{one}---\n{one}")), tells);
    }

    #[test]
    fn keys_that_are_misspelt_are_told() {
        let text = format!("{}leve: high\nmy_team: x\nnote: y\nrsigma.window: z\n", rule("        eventName: A\n"));
        assert_eq!(said(&text), ["x.yml:8:1: `leve` is no key of Sigma and is passed over: did you mean `level`?"]);
        let broken = rule("        eventName: A\n").replace("detection:", "detecton:");
        assert_eq!(
            said(&broken),
            ["x.yml:4:1: `detecton` is no key of Sigma and is passed over: did you mean `detection`?"]
        );
    }

    #[test]
    fn correlations_have_fields_and_keys_too() {
        let correlation = "---\ntitle: M\ncorrelation:\n    type: value_count\n    rules: [base]\n    group_by: [x]\n    group-by: [userIdentity.arnn, who]\n    \
             timespan: 5m\n    colour: red\n    aliases:\n        who:\n            base: sourceIPAdress\n    condition:\n        gte: 3\n        field: awsRegio\n";
        let said = said(&format!("{}{correlation}", rule("        eventName: A\n")));
        let beyond = "which is looked for in what events have beyond their columns";
        assert_eq!(
            said,
            [
                "x.yml:13:5: `group_by` is no key of correlations and is passed over: did you mean `group-by`?"
                    .to_owned(),
                format!(
                    "x.yml:14:16: cloudtrail has no column `userIdentity.arnn`, {beyond}; did you mean `userIdentity.arn`?"
                ),
                "x.yml:16:5: `colour` is no key of correlations and is passed over".to_owned(),
                format!(
                    "x.yml:19:19: cloudtrail has no column `sourceIPAdress`, {beyond}; did you mean `sourceIPAddress`?"
                ),
                format!("x.yml:22:16: cloudtrail has no column `awsRegio`, {beyond}; did you mean `awsRegion`?"),
            ]
        );
    }

    #[test]
    fn a_correlation_that_groups_by_no_text_is_told() {
        let many = "---\ntitle: M\ncorrelation:\n    type: event_count\n    rules: [base]\n    group-by: {userIdentity.arn: 1}\n    timespan: 5m\n    \
             condition:\n        gte: 3\n";
        let text = format!("{}{many}", rule("        eventName: A\n"));
        assert_eq!(said(&text), ["x.yml:13:5: `group-by` names no field, and all rows are one group"]);
        let without = text.replace("    group-by: {userIdentity.arn: 1}\n", "");
        assert_eq!(said(&without), <[String; 0]>::default());
    }

    #[test]
    fn an_alias_is_one_of_each_rule() {
        let second = rule("        eventName: B\n").replace("base", "second");
        let both = "---\ntitle: M\ncorrelation:\n    type: temporal\n    rules: [base, second]\n    group-by: [who]\n    timespan: 5m\n    \
             aliases:\n        who:\n            base: sourceIPAddress\n";
        let doubted = said(&format!("{}---\n{second}{both}", rule("        eventName: A\n")));
        assert_eq!(
            doubted,
            ["x.yml:24:9: the alias `who` has a field for some of the rules only, and events have no field `who`"]
        );
    }

    #[test]
    fn brackets_in_a_path_are_told() {
        let text = rule(
            "        requestParameters.items{}.cidrIp: a\n        resources[0].ARN: b\n        requestParameters.x: c\n",
        );
        let tell = "is looked for as a key with brackets: lists are seen through, and a path has names alone";
        assert_eq!(
            said(&text),
            [
                format!("x.yml:6:9: `items{{}}` in `requestParameters.items{{}}.cidrIp` {tell}"),
                format!("x.yml:7:9: `resources[0]` in `resources[0].ARN` {tell}"),
            ]
        );
    }

    #[test]
    fn a_rule_that_a_filter_names_and_that_is_not_here_is_told() {
        let filter = "---\ntitle: F\nlogsource: {product: aws, service: cloudtrail}\nfilter:\n    rules: [base, bsae]\n    s:\n        \
                      awsRegion: a\n    condition: not s\n";
        let text = format!("{}{filter}", rule("        eventName: A\n"));
        assert_eq!(said(&text), ["x.yml:12:19: no rule that is here is called `bsae`: the filter is about the others"]);
        assert_eq!(said(&text.replace("[base, bsae]", "[bsae]")), <[String; 0]>::default(), "it is refused");
    }
}
