//! Sigma rules → their SQL, and what is said of those that cannot be used.

use super::*;

/// A rule over CloudTrail with one detection.
pub(super) fn rule(detection: &str) -> String {
    format!(
        "title: T\nlogsource:\n    product: aws\n    service: cloudtrail\ndetection:\n{}    condition: s\n",
        format!("s:\n{detection}").lines().map(|line| format!("    {line}\n")).collect::<String>()
    )
}

pub(super) fn convert_one(yaml: &str, config: &Config) -> Result<Converted, String> {
    let file = File { name: "x.yml".into(), stem: "x".into(), text: yaml.into() };
    let (mut converted, refused) = convert(&[file], config);
    match refused.first() {
        Some(error) => Err(error.to_string()),
        None => Ok(converted.remove(0)),
    }
}

/// The conditions of a detection, as they stand in the WHERE.
fn conditions(detection: &str) -> String {
    let text = convert_one(&rule(detection), &placeholders()).unwrap().text;
    text.split_once("WHERE ").unwrap().1.trim_end().replace("\n  AND ", " & ")
}

fn refused(detection: &str) -> String {
    convert_one(&rule(detection), &placeholders()).unwrap_err()
}

fn placeholders() -> Config {
    let values = vec!["alice".to_owned(), "b*".to_owned()];
    Config { placeholders: BTreeMap::from([("admins".to_owned(), values)]) }
}

#[test]
fn texts_are_compared_without_case() {
    assert_eq!(conditions("  eventName: StopLogging"), "lower(eventName) = 'stoplogging'");
    assert_eq!(conditions("  eventName: [A, B]"), "lower(eventName) IN ('a', 'b')");
    assert_eq!(conditions("  eventName|cased: A"), "eventName = 'A'");
    assert_eq!(conditions("  eventName|startswith: Put"), "lower(eventName) LIKE 'put%'");
    assert_eq!(
        conditions("  eventName|contains|all: [a, b]"),
        "lower(eventName) LIKE '%a%' & lower(eventName) LIKE '%b%'"
    );
    assert_eq!(conditions("  sourceIPAddress|startswith: '10.'"), "sourceIPAddress LIKE '10.%'");
    assert_eq!(
        conditions("  userAgent: ['*x', exact, '']"),
        "(lower(userAgent) = 'exact' OR userAgent = '' OR lower(userAgent) LIKE '%x')"
    );
}

#[test]
fn each_kind_of_value_has_its_comparison() {
    assert_eq!(conditions("  errorCode: null"), "errorCode IS NULL");
    assert_eq!(conditions("  errorCode: [null, Success]"), "(lower(errorCode) = 'success' OR errorCode IS NULL)");
    assert_eq!(conditions("  readOnly: true"), "readOnly IS TRUE");
    assert_eq!(conditions("  readOnly: 'false'"), "readOnly IS FALSE");
    assert_eq!(conditions("  userIdentity.accountId: 7"), "try_cast(userIdentity.accountId AS DOUBLE) = 7");
    assert_eq!(conditions("  userAgent|re|i: ^aws"), "userAgent ~ '(?i)^aws'");
    assert_eq!(conditions(r"  userAgent|re: 'a\\b'"), r"userAgent ~ '(a\\b)'");
    assert_eq!(conditions("  sourceIPAddress|cidr: 10.0.0.0/8"), "cidr_match(sourceIPAddress, '10.0.0.0/8')");
    assert_eq!(conditions("  eventTime|hour: 3"), "date_part('hour', eventTime) = 3");
    assert_eq!(conditions("  eventTime|startswith: '2024-'"), "to_char(eventTime, '%Y-%m-%dT%H:%M:%SZ') LIKE '2024-%'");
    assert_eq!(conditions("  errorCode|exists: true"), "errorCode IS NOT NULL");
    assert_eq!(conditions("  userAgent|base64: 5"), "lower(userAgent) = 'nq=='");
    assert_eq!(conditions("  userAgent: 'Mapping {a}'"), "lower(userAgent) = 'mapping {a}'");
    assert_eq!(conditions("  errorCode|neq: x"), "errorCode IS NOT NULL & (lower(errorCode) = 'x') IS NOT TRUE");
    assert_eq!(
        conditions("  userIdentity.userName|expand: '%admins%'"),
        "(lower(userIdentity.userName) = 'alice' OR lower(userIdentity.userName) LIKE 'b%')"
    );
}

#[test]
fn values_in_json_are_any_of_those_at_the_path() {
    assert_eq!(
        conditions("  requestParameters.items.cidrIp: [0.0.0.0/0, '::/0']"),
        "array_any_match(json_texts(requestParameters, 'items', 'cidrIp'), v -> v IN ('0.0.0.0/0', '::/0'))"
    );
    assert_eq!(
        conditions("  requestParameters.a: [x, null]"),
        "(NOT json_exists(requestParameters, 'a') OR array_any_match(json_texts(requestParameters, 'a'), v -> lower(v) = 'x'))"
    );
    assert_eq!(
        conditions("  requestParameters.n|gte: 10"),
        "array_any_match(json_texts(requestParameters, 'n'), v -> try_cast(v AS DOUBLE) >= 10)"
    );
    assert_eq!(
        conditions("  userIdentity.arn|fieldref|endswith: requestParameters.userName"),
        "array_any_match(json_texts(requestParameters, 'userName'), w -> ends_with(lower(userIdentity.arn), lower(w)))"
    );
}

#[test]
fn a_negated_choice_gates_by_each_of_its_parts() {
    let yaml = rule("  eventName: x").replace(
        "    condition: s",
        "    f1:\n        eventSource: a\n    f2:\n        errorCode: null\n    condition: s and not 1 of f*",
    );
    let text = convert_one(&yaml, &Config::default()).unwrap().text;
    let expected =
        "WHERE lower(eventName) = 'x'\n  AND (lower(eventSource) = 'a') IS NOT TRUE\n  AND errorCode IS NOT NULL\n";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn a_rule_becomes_a_query_file() {
    let yaml = "\
title: Trail stopped
id: 4db60cc0-36fb-42b7-9b58-a5b53019fb74
status: stable
description: |
    Somebody stopped
    \"the\" trail.
references: ['https://example.com/a']
author: Jo O'Neil
tags: [attack.defense-evasion, attack.T1562.008]
logsource: {product: aws, service: cloudtrail}
detection:
    selection:
        eventName: StopLogging
        requestParameters.name: x
    condition: selection
falsepositives: [Maintenance, Tests]
level: high
";
    let converted = convert_one(yaml, &Config::default()).unwrap();
    assert_eq!((converted.id.as_str(), converted.place), ("cloudtrail/x", (11, 1)));
    let expected = r#"-- title           = "Trail stopped"
-- severity        = "high"
-- confidence      = "high"
-- tags            = ["attack.defense_evasion", "attack.t1562.008"]
-- remedy          = "Ask the actor whether this was meant; what the rule looks for is told at https://example.com/a."
-- description     = "Somebody stopped \"the\" trail."
-- false_positives = "Maintenance; Tests"
-- references      = ["https://example.com/a"]
-- author          = "Jo O'Neil"
-- aws_services    = true
SELECT eventTime,
       eventSource,
       eventName,
       sourceIPAddress,
       userAgent,
       errorCode,
       array_to_string(json_texts(requestParameters, 'name'), ', ') AS "requestParameters.name",
       '4db60cc0-36fb-42b7-9b58-a5b53019fb74 by Jo O''Neil' AS sigma_rule
FROM cloudtrail
WHERE lower(eventName) = 'stoplogging'
  AND array_any_match(json_texts(requestParameters, 'name'), v -> lower(v) = 'x')
"#;
    assert_eq!(converted.text, expected);
    let rule = crate::rule::parse(&converted.id, "x.sql", &converted.text).unwrap();
    assert_eq!((rule.author.as_str(), rule.references.len()), ("Jo O'Neil", 1));
}

#[test]
fn what_cannot_be_used_is_named_with_its_place() {
    assert_eq!(refused("  eventName|contains|re: x"), "x.yml:7:7: modifiers `contains` and `re` do not go together");
    assert_eq!(
        refused("  eventName|re: 'a(?=b)'"),
        "x.yml:7:22: regular expression `a(?=b)`: look-around, including look-ahead and look-behind, is not supported"
    );
    assert_eq!(
        refused("  sourceIPAddress|cidr: 10.0.0/8"),
        "x.yml:7:29: `10.0.0/8` is not a network such as 10.0.0.0/8"
    );
    assert_eq!(refused("  eventTime|gt: 5"), "x.yml:7:21: `eventTime` is a time, not a number");
    assert_eq!(refused("  eventName|gt: five"), "x.yml:7:21: `five` is not a number");
    assert_eq!(refused("  eventName|lt: .inf"), "x.yml:7:22: `inf` is not a number");
    assert_eq!(refused("  requestParameters.a: -.inf"), "x.yml:7:7: `-inf` is not a number");
    assert_eq!(
        refused("  userAgent|expand: '%who%'"),
        "x.yml:7:26: placeholder `%who%` has no values: list them in weir.toml under [sigma.placeholders]"
    );
    assert_eq!(
        refused("  userAgent|base64: 'a*'"),
        "x.yml:7:26: a text with wildcards has no base64: write `\\*` for an asterisk"
    );
    assert_eq!(refused("  userAgent|exists: maybe"), "x.yml:7:7: `exists` takes true or false");
    let nested = "is a mapping or a list within one: a field is named by its path, as in `a.b`";
    assert_eq!(
        refused("  eventName: A\n  userIdentity:\n    type: Root"),
        format!("x.yml:8:7: a value of `userIdentity` {nested}")
    );
    assert_eq!(refused("  eventName|contains: [[a, b], c]"), format!("x.yml:7:7: a value of `eventName` {nested}"));
    assert_eq!(refused("  eventName: !x y"), format!("x.yml:7:7: a value of `eventName` {nested}"));
    assert_eq!(
        refused("  <<: &base {eventName: A}\n  eventSource: b"),
        "x.yml:7:7: `<<` is not read: write out what it brings in"
    );
    assert_eq!(
        refused("  userAgent|base64offset|contains: ''"),
        "x.yml:7:7: `base64offset` of an empty text is in every text"
    );
    let other = rule("  a: b").replace("cloudtrail", "okta");
    assert_eq!(
        convert_one(&other, &Config::default()).unwrap_err(),
        "x.yml:2:1: log source `product: aws, service: okta` has no table here; there is `product: aws` with `service: cloudtrail or vpcflow`"
    );
    let product = rule("  a: b").replace("product: aws", "product: azure");
    assert_eq!(
        convert_one(&product, &Config::default()).unwrap_err(),
        "x.yml:2:1: log source `product: azure` has no table here; there is `product: aws` with `service: cloudtrail or vpcflow`"
    );
    let none = rule("  a: b").replace("logsource:\n    product: aws\n    service: cloudtrail\n", "");
    assert_eq!(
        convert_one(&none, &Config::default()).unwrap_err(),
        "x.yml:1:1: the rule says nothing of its log source, such as `product: aws` with `service: cloudtrail or vpcflow`"
    );
    let missing = rule("  a: b").replace("condition: s", "condition: s and t");
    assert_eq!(convert_one(&missing, &Config::default()).unwrap_err(), "x.yml:8:22: there is no detection `t`");
    let selector = rule("  a: b").replace("condition: s", "condition: 1 of t*");
    assert_eq!(convert_one(&selector, &Config::default()).unwrap_err(), "x.yml:8:21: no detection is called `t*`");
    let window = rule("  a: b").replace("    condition", "    timeframe: 5m\n    condition");
    assert_eq!(
        convert_one(&window, &Config::default()).unwrap_err(),
        "x.yml:8:5: `timeframe` belongs to a correlation: write one that names this rule"
    );
    let flow = rule("  dstport: ssh").replace("cloudtrail", "vpcflow");
    assert_eq!(
        convert_one(&flow, &Config::default()).unwrap_err(),
        "x.yml:7:16: `dstport` is a number, and `ssh` is none"
    );
    let array = format!("sigma-version: 3\n{}", rule("  requestParameters.items[any]:\n    a: b"));
    assert!(convert_one(&array, &Config::default()).unwrap_err().starts_with("x.yml:8:30: `[any]` is a proposal"));
}

#[test]
fn a_filter_narrows_the_rules_it_names() {
    let base = rule("  eventName: x").replace("title: T", "title: T\nid: one");
    let filter = "title: F\nlogsource: {product: aws}\nfilter:\n    rules: [one]\n    s:\n        awsRegion: a\n    condition: not s\n";
    let text = convert_one(&format!("{base}---\n{filter}"), &Config::default()).unwrap().text;
    assert!(text.ends_with("WHERE lower(eventName) = 'x'\n  AND (lower(awsRegion) = 'a') IS NOT TRUE\n"), "{text}");
    let lost = filter.replace("[one]", "[two]");
    assert_eq!(
        convert_one(&format!("{base}---\n{lost}"), &Config::default()).unwrap_err(),
        "x.yml:14:5: the filter is about no rule that is here"
    );
}

#[test]
fn several_rules_of_one_file_have_names_of_their_own() {
    let two = format!("{}---\n{}", rule("  eventName: x"), rule("  eventName: y"));
    let file = |folder: &str| File { name: format!("{folder}/x.yml"), stem: "x".into(), text: two.clone() };
    let (converted, refused) = convert(&[file("a")], &Config::default());
    let ids: Vec<&str> = converted.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!((ids, refused), (vec!["cloudtrail/x", "cloudtrail/x_2"], vec![]));
    let (converted, refused) = convert(&[file("a"), file("b")], &Config::default());
    assert_eq!((converted.len(), refused.len()), (2, 2));
    assert_eq!(refused[0].to_string(), "b/x.yml:1:1: a/x.yml gives the rule cloudtrail/x already: rename this file");
}
