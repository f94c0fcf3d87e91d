//! Correlations → the query files that they become, and what is said of those that cannot be used.

use super::tests::rule;
use super::*;

/// Two rules, `base` and `other`, that are not by themselves.
fn rules() -> String {
    let base = rule("  eventSource: iam.amazonaws.com\n  eventName: A").replace("title: T", "title: T\nname: base");
    let other =
        rule("  eventName: B").replace("title: T", "title: U\nid: 0c1e7f1a-0b1c-4d2e-8f3a-000000000001\nname: other");
    format!("{base}---\n{other}")
}

/// Behind [`rules`]: line 23 is its first.
fn correlation(kind: &str, rest: &str) -> String {
    let rest: String = rest.lines().map(|line| format!("    {line}\n")).collect();
    format!("{}---\ntitle: Many\ncorrelation:\n    type: {kind}\n    timespan: 5m\n{rest}", rules())
}

fn converted(text: &str) -> Result<Vec<Converted>, Vec<String>> {
    let file = File { name: "x.yml".into(), stem: "x".into(), text: text.into() };
    let (converted, refused) = convert(&[file], &Config::default());
    if refused.is_empty() { Ok(converted) } else { Err(refused.iter().map(ToString::to_string).collect()) }
}

fn sql(kind: &str, rest: &str) -> String {
    let mut converted = converted(&correlation(kind, rest)).unwrap_or_else(|refused| panic!("{refused:?}"));
    let text = converted.pop().unwrap().text;
    text[text.find("SELECT").unwrap()..].to_owned()
}

/// From the GROUP BY on.
fn groups(kind: &str, rest: &str) -> String {
    let sql = sql(kind, rest);
    sql[sql.find("GROUP BY").unwrap()..].to_owned()
}

/// What is said first of a correlation.
fn refused(kind: &str, rest: &str) -> String {
    let refused = converted(&correlation(kind, rest)).unwrap_err();
    refused.into_iter().find(|line| !line.contains("the rule is for the correlation `Many`, which is refused")).unwrap()
}

#[test]
fn a_count_becomes_a_query_file() {
    let yaml = format!(
        "{}---\n{}",
        rules(),
        "\
title: Many calls
id: 4db60cc0-36fb-42b7-9b58-a5b53019fb75
status: test
description: Somebody calls often.
references: ['https://example.com/b']
author: Jo
tags: [attack.discovery]
correlation:
    type: event_count
    rules: [base]
    group-by:
        - userIdentity.arn
        - requestParameters.roleName
    timespan: 1h
    condition:
        gte: 10
falsepositives: [Audits]
level: high
"
    )
    .replace("name: other", "name: lone");
    let all = converted(&yaml).unwrap();
    let ids: Vec<&str> = all.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids, ["cloudtrail/x", "cloudtrail/x_2"], "`base` is only for the correlation");
    assert_eq!(all[1].place, (30, 1));
    let expected = r#"-- title           = "Many calls"
-- severity        = "high"
-- confidence      = "medium"
-- tags            = ["attack.discovery"]
-- remedy          = "Ask the actor whether this was meant; what the rule looks for is told at https://example.com/b."
-- description     = "Somebody calls often."
-- false_positives = "Audits"
-- references      = ["https://example.com/b"]
-- author          = "Jo"
-- aws_services    = true
SELECT userIdentity.arn AS "userIdentity.arn",
       requestParameters ->> 'roleName' AS "requestParameters.roleName",
       count(*) AS events,
       sample(eventName) AS event_names,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents,
       '4db60cc0-36fb-42b7-9b58-a5b53019fb75 by Jo' AS sigma_rule
FROM cloudtrail
WHERE lower(eventSource) = 'iam.amazonaws.com'
  AND lower(eventName) = 'a'
GROUP BY userIdentity.arn, requestParameters ->> 'roleName', hop(eventTime, INTERVAL '5 minutes', INTERVAL '65 minutes')
HAVING count(*) >= 10
"#;
    assert_eq!(all[1].text, expected);
}

#[test]
fn a_count_has_bounds() {
    let group = |condition: &str| groups("event_count", &format!("rules: [base]\ncondition: {condition}"));
    let sliding = "GROUP BY hop(eventTime, INTERVAL '25 seconds', INTERVAL '325 seconds')\nHAVING";
    let periods = "GROUP BY tumble(eventTime, INTERVAL '5 minutes')\nHAVING";
    assert_eq!(group("{gt: 3}"), format!("{sliding} count(*) > 3\n"));
    assert_eq!(group("{lt: 3}"), format!("{periods} count(*) < 3\n"));
    assert_eq!(group("{lte: 3}"), format!("{periods} count(*) <= 3\n"));
    assert_eq!(group("{eq: 3}"), format!("{periods} count(*) = 3\n"));
    assert_eq!(group("{neq: 3}"), format!("{periods} count(*) <> 3\n"));
    assert_eq!(group("{lt: 9, gte: 3}"), format!("{periods} count(*) < 9\n   AND count(*) >= 3\n"));
    let tumbling = groups("event_count", "rules: [base]\nwindow: tumbling\ncondition: {gt: 3}");
    assert_eq!(tumbling, format!("{periods} count(*) > 3\n"));
}

#[test]
fn a_session_ends_where_nothing_comes_for_the_gap() {
    let groups = groups(
        "event_count",
        "window: session\ngap: 1m\nrules: [base]\ngroup-by: [userIdentity.arn]\ncondition: {gte: 3}",
    );
    let expected = "GROUP BY userIdentity.arn, session(eventTime, INTERVAL '1 minute')\n\
                    HAVING count(*) FILTER (WHERE lower(eventSource) = 'iam.amazonaws.com' AND lower(eventName) = 'a') >= 3\n   \
                    AND correlates(eventTime, '{\"of\":[0],\"within\":300,\"holds\":{\"count\":3}}',\n                  \
                    lower(eventSource) = 'iam.amazonaws.com' AND lower(eventName) = 'a')\n";
    assert_eq!(groups, expected);
}

#[test]
fn values_are_counted_and_added_up() {
    let of = |kind: &str, condition: &str| {
        sql(kind, &format!("rules: [base]\ngroup-by: [sourceIPAddress]\ncondition: {condition}"))
    };
    let count = of("value_count", "{gte: 4, field: requestParameters.a.b}");
    assert!(count.contains(
        "       count(DISTINCT requestParameters -> 'a' ->> 'b') AS distinct_values,\n       \
                sample(requestParameters -> 'a' ->> 'b') AS some_values,\n"
    ));
    assert!(count.ends_with("HAVING count(DISTINCT requestParameters -> 'a' ->> 'b') >= 4\n"));
    let two = of("value_count", "{gte: 4, field: [userAgent, readOnly]}");
    assert!(
        two.ends_with(
            "HAVING count(DISTINCT CAST(userAgent AS VARCHAR) || chr(31) || CAST(readOnly AS VARCHAR)) >= 4\n"
        )
    );
    let sum = of("value_sum", "{gt: 100, field: requestParameters.n}");
    assert!(
        sum.ends_with("INTERVAL '325 seconds')\nHAVING sum(try_cast(requestParameters ->> 'n' AS BIGINT)) > 100\n")
    );
    let mean = of("value_avg", "{gt: 100, field: requestParameters.n}");
    assert!(mean.ends_with(
        "tumble(eventTime, INTERVAL '5 minutes')\nHAVING avg(try_cast(requestParameters ->> 'n' AS BIGINT)) > 100\n"
    ));
    let nth = |kind: &str, condition: &str| {
        let whole = of(kind, condition);
        let (group, having) = whole.split_once("\nHAVING ").unwrap();
        assert!(group.contains("tumble(") && group.contains(&format!("{} AS ", having.split_once(" > ").unwrap().0)));
        having.trim_end().to_owned()
    };
    let number = "try_cast(requestParameters ->> 'percentile' AS DOUBLE)";
    let field = "field: requestParameters.percentile";
    let share = |percentile: &str| nth("value_percentile", &format!("{{gt: 100, {field}{percentile}}}"));
    assert_eq!(
        nth("value_median", &format!("{{gt: 100, {field}}}")),
        format!("approx_percentile({number}, 0.5) > 100")
    );
    assert_eq!(share(""), format!("approx_percentile({number}, 0.5) > 100"));
    assert_eq!(share(", percentile: 95"), format!("approx_percentile({number}, 0.95) > 100"));
    assert_eq!(share(", percentile: 0"), format!("approx_percentile({number}, 0) > 100"));
    assert_eq!(share(", percentile: 100"), format!("approx_percentile({number}, 1) > 100"));
    let flows = correlation("value_sum", "rules: [base]\ngroup-by: [srcaddr]\ncondition: {gte: 5000, field: bytes}")
        .replace("cloudtrail", "vpcflow")
        .replace("eventSource: iam.amazonaws.com", "action: ACCEPT")
        .replace("eventName: A", "dstport: 22")
        .replace("eventName: B", "dstport: 23");
    assert!(converted(&flows).unwrap()[1].text.ends_with("HAVING sum(bytes) >= 5000\n"));
}

const BASE: &str = "lower(eventSource) = 'iam.amazonaws.com' AND lower(eventName) = 'a'";
const OTHER: &str = "lower(eventName) = 'b'";

#[test]
fn rules_that_come_together_are_each_counted() {
    let whole = sql("temporal", "rules: [base, other]\ngroup-by: [userIdentity.arn]");
    let expected = format!(
        r#"SELECT userIdentity.arn AS "userIdentity.arn",
       count(*) AS events,
       count(*) FILTER (WHERE {BASE}) AS "matches of base",
       count(*) FILTER (WHERE {OTHER}) AS "matches of other",
       sample(eventName) AS event_names,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents,
       'Many' AS sigma_rule
FROM cloudtrail
WHERE (({BASE}) OR {OTHER})
GROUP BY userIdentity.arn, hop(eventTime, INTERVAL '25 seconds', INTERVAL '325 seconds')
HAVING count(*) FILTER (WHERE {BASE}) > 0
   AND count(*) FILTER (WHERE {OTHER}) > 0
"#
    );
    assert_eq!(whole, expected);
    let having = |condition: &str| {
        let groups = groups("temporal", &format!("rules: [base, other]\ncondition: {condition}"));
        groups.split_once("\nHAVING ").map(|(group, having)| (group.contains("hop"), having.to_owned())).unwrap()
    };
    let both = format!("count(*) FILTER (WHERE {BASE}) > 0\n   AND count(*) FILTER (WHERE {OTHER}) > 0\n");
    assert_eq!(having("base and other"), (true, both.clone()));
    assert_eq!(having("{gte: 2}"), (true, both.clone()));
    let one = format!(
        "CASE WHEN count(*) FILTER (WHERE {BASE}) > 0 THEN 1 ELSE 0 END + \
         CASE WHEN count(*) FILTER (WHERE {OTHER}) > 0 THEN 1 ELSE 0 END >= 1\n"
    );
    assert_eq!(having("{gte: 1}"), (true, one));
    assert_eq!(having("base and not other"), (false, both.replacen("'b') > 0", "'b') = 0", 1)));
    let in_braces =
        format!("{}---\ntitle: Many\ncorrelation: {{type: temporal, timespan: 5m, rules: [base, other]}}\n", rules());
    assert!(converted(&in_braces).unwrap()[0].text.ends_with(&both));
}

#[test]
fn rules_come_in_order() {
    let having = |condition: &str| {
        let groups = groups("temporal_ordered", &format!("rules: [base, other]\n{condition}"));
        groups.split_once("\nHAVING ").map(|(group, having)| (group.contains("hop"), having.to_owned())).unwrap()
    };
    let order = format!("min(eventTime) FILTER (WHERE {BASE}) <= max(eventTime) FILTER (WHERE {OTHER})\n");
    assert_eq!(having(""), (true, order.clone()));
    assert_eq!(having("condition: {gte: 2}"), (true, order));
    let third = rule("  eventName: C").replace("title: T", "title: V\nname: third");
    let many =
        "title: Many\ncorrelation:\n    type: temporal_ordered\n    rules: [third, base, other]\n    timespan: 5m\n";
    let text = &converted(&format!("{}---\n{third}---\n{many}", rules())).unwrap()[0].text;
    let order = format!(
        "HAVING in_order(eventTime,\n                lower(eventName) = 'c',\n                {BASE},\n                {OTHER})\n"
    );
    assert!(text.ends_with(&order), "{text}");
}

#[test]
fn an_alias_is_another_field_in_each_rule() {
    let aliases =
        "aliases:\n    user:\n        base: requestParameters.userName\n        other: userIdentity.userName\n";
    let sql = sql("temporal", &format!("rules: [base, other]\ngroup-by: [user, sourceIPAddress]\n{aliases}"));
    let user = format!("CASE WHEN {BASE} THEN requestParameters ->> 'userName' ELSE userIdentity.userName END");
    assert!(
        sql.starts_with(&format!("SELECT {user} AS \"user\",\n       sourceIPAddress AS \"sourceIPAddress\",\n")),
        "{sql}"
    );
    assert!(sql.contains(&format!("\nGROUP BY {user}, sourceIPAddress, hop(")), "{sql}");
    // where all agree it is a field
    let aliases = "aliases:\n    user:\n        base: userIdentity.arn\n        0c1e7f1a-0b1c-4d2e-8f3a-000000000001: userIdentity.arn\n";
    let groups = groups("temporal", &format!("rules: [base, other]\ngroup-by: [user]\n{aliases}"));
    assert!(groups.starts_with("GROUP BY userIdentity.arn, hop("), "{groups}");
    // numbers and texts are compared as texts
    let aliases = "aliases:\n    user:\n        base: eventTime\n        other: userIdentity.userName\n";
    let groups = self::groups("temporal", &format!("rules: [base, other]\ngroup-by: [user]\n{aliases}"));
    let user =
        format!("CASE WHEN {BASE} THEN CAST(eventTime AS VARCHAR) ELSE CAST(userIdentity.userName AS VARCHAR) END");
    assert!(groups.starts_with(&format!("GROUP BY {user}, hop(")), "{groups}");
}

#[test]
fn rules_and_filters_of_other_files_are_found() {
    let file = |stem: &str, text: String| File { name: format!("{stem}.yml"), stem: stem.into(), text };
    let many =
        "title: Many\ncorrelation:\n    type: event_count\n    rules: [U]\n    timespan: 1m\n    condition: {gte: 2}\n";
    let filter = "title: F\nlogsource: {product: aws}\nfilter:\n    rules: [other]\n    s:\n        awsRegion: a\n    condition: not s\n";
    let files = [file("a", many.into()), file("b", rules()), file("c", filter.into())];
    let (converted, refused) = convert(&files, &Config::default());
    let ids: Vec<&str> = converted.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!((ids, refused), (vec!["cloudtrail/a", "cloudtrail/b"], vec![]));
    assert!(
        converted[0]
            .text
            .contains("WHERE lower(eventName) = 'b'\n  AND (lower(awsRegion) = 'a') IS NOT TRUE\nGROUP BY hop(")
    );
    assert_eq!(
        converted[1].text.lines().next().unwrap(),
        "-- title           = \"T\"",
        "`other` is only for the correlation"
    );
}

#[test]
fn a_rule_is_one_by_itself_too_when_a_correlation_generates() {
    let titles = |text: &str| {
        let title = |rule: &Converted| rule.text.lines().next().unwrap().split('"').nth(1).unwrap().to_owned();
        converted(text).unwrap().iter().map(title).collect::<Vec<_>>()
    };
    let one = correlation("event_count", "rules: [base, other]\ncondition: {gte: 2}");
    assert_eq!(titles(&one), ["Many"]);
    assert_eq!(titles(&one.replace("title: Many", "title: Many\ngenerate: true")), ["T", "U", "Many"]);
    let again = "---\ntitle: Again\ngenerate: true\ncorrelation:\n    type: event_count\n    rules: [base]\n    timespan: 1m\n    condition: {gt: 1}\n";
    assert_eq!(titles(&format!("{one}{again}")), ["T", "Many", "Again"]);
}

#[test]
fn what_cannot_be_used_is_named_with_its_place() {
    let count = |rest: &str| refused("event_count", &format!("{rest}\ncondition: {{gte: 2}}"));
    assert_eq!(count("rules: [base, lost]"), "x.yml:27:19: no rule that is here is called `lost`");
    assert_eq!(count("group-by: [a]"), "x.yml:24:1: the correlation names no rule");
    assert_eq!(count("rules: [base]\ngroup-by: [resources.ARN]"), "x.yml:28:16: `resources.ARN` is no single value");
    assert_eq!(
        count("rules: [base]\naliases:\n    user:\n        lost: awsRegion"),
        "x.yml:30:13: the correlation names no rule `lost`"
    );
    assert_eq!(count("rules: [base]\nwindow: session\ngap: 0m"), "x.yml:29:5: a gap is between a second and 366 days");
    assert_eq!(count("rules: [base]\nwindow: session\ngap: 5q"), "x.yml:29:10: `5q` is no timespan such as 15m");
    assert_eq!(count("rules: [base]\nwindow: session\ngap: 5"), "x.yml:29:5: a gap is a text such as \"5m\"");
    assert_eq!(count("rules: [base]\nwindow: session"), "x.yml:28:13: a session needs a `gap`, such as 5m");
    assert_eq!(count("rules: [base]\ngap: 1m"), "x.yml:28:5: `gap` goes with `window: session`");
    let hopping = "x.yml:28:5: there is no window `hopping`: there are sliding, tumbling and session";
    assert_eq!(count("rules: [base]\nwindow: hopping"), hopping);
    let falls = "the condition may become false as events come, and has no moment at which it matches: there are `gt`, `gte`, `and` and `or`";
    let session = |kind: &str, condition: &str| {
        refused(kind, &format!("window: session\ngap: 1m\nrules: [base]\ncondition: {condition}"))
    };
    assert_eq!(session("event_count", "{lt: 3}"), format!("x.yml:30:5: {falls}"));
    assert_eq!(
        session("value_sum", "{gte: 3, field: requestParameters.n}"),
        "x.yml:25:5: `value_sum` may become false as events come, and has no moment at which it matches"
    );
    let span =
        |span: &str| converted(&correlation("event_count", "rules: [base]\ncondition: {gte: 2}").replace("5m", span));
    assert_eq!(
        span("0s").unwrap_err()[0],
        "x.yml:1:1: the rule is for the correlation `Many`, which is refused, and not by itself"
    );
    assert_eq!(span("0s").unwrap_err()[1], "x.yml:26:5: a timespan is between a second and 366 days");
    assert_eq!(span("2y").unwrap_err()[1], "x.yml:26:5: a timespan is between a second and 366 days");
    assert_eq!(span("5q").unwrap_err()[0], "x.yml:26:15: `5q` is no timespan such as 15m");

    let of = |kind: &str, condition: &str| refused(kind, &format!("rules: [base, other]\ncondition: {condition}"));
    assert_eq!(of("value_count", "{gte: 2}"), "x.yml:28:5: `value_count` needs a `field`");
    assert_eq!(of("value_sum", "{gte: 2, field: readOnly}"), "x.yml:28:32: `readOnly` is no number");
    assert_eq!(of("value_sum", "{gte: 2, field: [a, b]}"), "x.yml:28:36: `value_sum` is of one field");
    assert_eq!(of("value_median", "{gte: 2}"), "x.yml:28:5: `value_median` needs a `field`");
    assert_eq!(of("value_percentile", "{gte: 2, field: [a, b]}"), "x.yml:28:36: `value_percentile` is of one field");
    let share = "a percentile is a whole number from 0 to 100";
    let percentile = |percentile: &str| of("value_percentile", &format!("{{gte: 2, field: userAgent, {percentile}}}"));
    assert_eq!(percentile("percentile: 101"), format!("x.yml:28:43: {share}"));
    assert_eq!(percentile("percentile: -1"), format!("x.yml:28:43: {share}"));
    assert_eq!(percentile("'percentile': 99.5"), format!("x.yml:28:44: {share}"));
    let below = refused(
        "value_percentile",
        "rules: [base]\ncondition:\n    gte: 2\n    field: userAgent\n    percentile: many",
    );
    assert_eq!(below, format!("x.yml:31:9: {share}"));
    assert_eq!(
        of("event_count", "base and other"),
        "x.yml:28:5: the condition of `event_count` compares a number, as in `gte: 10`"
    );
    assert_eq!(
        refused("temporal_ordered", "rules: [base, base]"),
        "x.yml:27:13: `T` is named twice: `event_count` asks how often a rule matches"
    );
    assert_eq!(of("temporal", "base and lost"), "x.yml:28:25: the correlation names no rule `lost`");
    assert_eq!(of("temporal", "1 of b*"), "x.yml:28:21: write the names of the rules in place of `b*`");
    assert_eq!(of("event_count", "{gte: many}"), "x.yml:28:5: the condition compares a whole number, as in `gte: 10`");
    let range = "x.yml:28:5: the condition compares by lt, lte, gt, gte, eq or neq, as in `gte: 10`";
    assert_eq!(of("event_count", "{range: 1..3}"), range);
    assert_eq!(refused("event_count", "rules: [base]"), "x.yml:24:1: `condition` is missing, as in `gte: 10`");
    assert_eq!(of("frequency", "{gte: 1}"), "x.yml:25:5: there is no correlation `frequency`");
    assert_eq!(
        of("temporal_ordered", "{gte: 3}"),
        "x.yml:28:5: the condition of `temporal_ordered` is that all of its rules match, one after the other: leave it out"
    );
}

#[test]
fn rules_of_a_correlation_that_cannot_be_read_are_not_by_themselves() {
    let for_it = |line: usize| {
        format!("x.yml:{line}:1: the rule is for the correlation `Many`, which is refused, and not by itself")
    };
    let said = |text: &str| converted(text).unwrap_err();
    let wrong = correlation("event_counts", "rules: [base, other]\ncondition: {gte: 2}");
    assert_eq!(said(&wrong), ["x.yml:25:5: there is no correlation `event_counts`".to_owned(), for_it(1), for_it(12)]);
    let endless = correlation("event_count", "rules: base\ncondition: {gte: 2}").replace("    timespan: 5m\n", "");
    assert_eq!(said(&endless), ["x.yml:24:1: `timespan` is missing, as in `timespan: 5m`".to_owned(), for_it(1)]);
    // those that are by themselves too stay
    let generates = wrong.replace("title: Many", "title: Many\ngenerate: true");
    let file = File { name: "x.yml".into(), stem: "x".into(), text: generates };
    let (converted, refused) = convert(&[file], &Config::default());
    assert_eq!((converted.len(), refused.len()), (2, 1));
}

#[test]
fn a_correlation_needs_rules_that_can_be_used() {
    let text = correlation("event_count", "rules: [base, other]\ncondition: {gte: 2}");
    let flows = text
        .replacen("cloudtrail", "vpcflow", 1)
        .replace("eventSource: iam.amazonaws.com", "action: ACCEPT")
        .replacen("eventName: A", "dstport: 22", 1);
    let mixed = converted(&flows).unwrap_err();
    assert_eq!(mixed[2], "x.yml:27:19: the rules of a correlation read one table; `U` reads cloudtrail");
    let bad = converted(&text.replacen("eventName: A", "eventName|re: '('", 1)).unwrap_err();
    assert!(bad[0].starts_with("x.yml:9:"), "{bad:?}");
    assert_eq!(bad[2], "x.yml:27:13: the rule `T` is refused");
    let twice = converted(&text.replace("name: other", "name: base")).unwrap_err();
    assert_eq!(twice[2], "x.yml:27:13: several rules are called `base`");
}

#[test]
fn no_field_that_is_grouped_by_sets_a_part_of_the_finding() {
    let sql = sql("event_count", "rules: [base]\ngroup-by: [severity, awsRegion]\ncondition: {gte: 2}");
    assert!(sql.contains("SELECT unmapped ->> 'severity' AS \"unmapped.severity\",\n"), "{sql}");
    assert!(sql.contains("awsRegion AS \"awsRegion\",\n"), "{sql}");
}

#[test]
fn a_file_that_has_a_rule_of_a_name_means_its_own() {
    let text = correlation("event_count", "rules: [base]\ncondition: {gte: 2}");
    let file = |stem: &str, text: &str| File { name: format!("{stem}.yml"), stem: stem.into(), text: text.into() };
    let elsewhere = text.replace("eventName: A", "eventName: C");
    let alone = rule("  eventName: D").replace("title: T", "title: T\nname: base");
    let (all, refused) = convert(&[file("x", &text), file("y", &elsewhere), file("z", &alone)], &Config::default());
    assert_eq!(refused, []);
    let rows = |rule: &Converted| rule.text.rsplit("lower(eventName) = ").next().unwrap()[..3].to_owned();
    let rows: Vec<String> = all.iter().map(|rule| format!("{} {}", rule.id, rows(rule))).collect();
    let expected = ["x 'b'", "x_2 'a'", "y 'b'", "y_2 'c'", "z 'd'"].map(|row| format!("cloudtrail/{row}"));
    assert_eq!(rows, expected);
}

/// Behind a correlation of that kind, `Many`: line 31 is the first of those that this adds.
fn above(kind: &str, rest: &str, of: &str, of_rest: &str) -> String {
    let rest: String = rest.lines().map(|line| format!("    {line}\n")).collect();
    let many = correlation(of, of_rest);
    format!("{many}---\ntitle: Above\ncorrelation:\n    type: {kind}\n    timespan: 1h\n{rest}")
}

#[test]
fn a_correlation_may_name_another() {
    let many = "rules: [base]\ngroup-by: [sourceIPAddress, userIdentity.arn]\ncondition: {gte: 10}";
    let text = above("temporal_ordered", "rules: [Many, other]\ngroup-by: [userIdentity.arn]", "event_count", many);
    let all = converted(&text).unwrap();
    let titles: Vec<&str> = all.iter().map(|rule| rule.text.split('"').nth(1).unwrap()).collect();
    assert_eq!(titles, ["Above"], "what it names is not by itself");
    let sql = &all[0].text[all[0].text.find("SELECT").unwrap()..];
    let expected = format!(
        r#"SELECT userIdentity.arn AS "userIdentity.arn",
       count(*) AS events,
       count(*) FILTER (WHERE {BASE}) AS "events of Many",
       count(*) FILTER (WHERE {OTHER}) AS "matches of other",
       sample(eventName) AS event_names,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents,
       'Above' AS sigma_rule
FROM cloudtrail
WHERE (({BASE}) OR {OTHER})
GROUP BY userIdentity.arn, hop(eventTime, INTERVAL '325 seconds', INTERVAL '4225 seconds')
HAVING count(*) FILTER (WHERE {BASE}) >= 10
   AND count(*) FILTER (WHERE {OTHER}) > 0
   AND correlates(eventTime, '{{"of":[{{"of":[0],"within":300,"holds":{{"count":10}},"by":[0]}},1],"within":3600,"holds":"in_order"}}',
                  {BASE},
                  {OTHER},
                  CAST(sourceIPAddress AS VARCHAR))
"#
    );
    assert_eq!(sql, expected);
    let both = converted(&text.replace("title: Above", "title: Above\ngenerate: true")).unwrap();
    assert_eq!(both.len(), 3, "`Many`, `other` and `Above`; `base` is only for the first");
    let plan = |kind: &str, rest: &str, many: &str| {
        let text = &converted(&above(kind, rest, "temporal", many)).unwrap()[0].text;
        let from = text.find("correlates(eventTime, '").unwrap() + 23;
        text[from..].split('\'').next().unwrap().to_owned()
    };
    assert_eq!(
        plan("temporal", "rules: [other, Many]\ncondition: Many or other", "window: tumbling\nrules: [base, other]"),
        r#"{"of":[0,{"of":[1,0],"within":300,"holds":{"together":[2,[0,1]]},"tumbling":true}],"within":3600,"holds":{"together":[1,[1,0]]}}"#
    );
    assert_eq!(
        plan(
            "event_count",
            "rules: [Many]\ncondition: {gt: 2, gte: 2}",
            "rules: [base, other]\ncondition: base and other"
        ),
        r#"{"of":[{"of":[0,1],"within":300,"holds":{"together":[2,[0,1]]}}],"within":3600,"holds":{"count":3}}"#
    );
}

#[test]
fn each_level_groups_by_its_own_fields() {
    let inner = "rules: [base]\ngroup-by: [sourceIPAddress, userIdentity.arn]\ncondition: {gte: 2}";
    let above = above(
        "event_count",
        "rules: [Many]\ngroup-by: [who, sourceIPAddress]\naliases: {}\ncondition: {gte: 3}",
        "event_count",
        inner,
    )
    .replace("aliases: {}", "aliases:\n        who:\n            Many: userIdentity.arn");
    let top = "---\ntitle: Top\ncorrelation:\n    type: value_count\n    timespan: 1d\n    rules: [Above]\n    group-by: [address]\n    \
               aliases:\n        address:\n            Above: sourceIPAddress\n    condition: {gte: 4, field: who}\n";
    let text = converted(&format!("{above}{top}")).unwrap().pop().unwrap().text;
    let plan = r#"correlates(eventTime, '{"of":[{"of":[{"of":[0],"within":300,"holds":{"count":2},"by":[0]}],"within":3600,"holds":{"count":3},"by":[0]}],"within":86400,"holds":{"distinct":[4,0]}}',"#;
    assert!(text.contains(plan), "{text}");
    assert!(text.contains("GROUP BY sourceIPAddress, hop("), "{text}");
}

#[test]
fn what_a_correlation_cannot_name_is_said() {
    let count = "rules: [base]\ngroup-by: [awsRegion]\ncondition: {gte: 2}";
    let said = |kind: &str, rest: &str, of: &str, many: &str| {
        let refused = converted(&above(kind, rest, of, many)).unwrap_err();
        refused.into_iter().find(|line| !line.contains("is refused, and not by itself")).unwrap()
    };
    assert_eq!(
        said("temporal", "rules: [Many, other]\ngroup-by: [sourceIPAddress]", "event_count", count),
        "x.yml:36:16: what `Many` matches has the fields that it groups by, and `sourceIPAddress` is none of them"
    );
    let falls = "the condition may become false as events come, and has no moment at which it matches: there are `gt`, `gte`, `and` and `or`";
    assert_eq!(
        said("temporal", "rules: [Many, other]", "event_count", &count.replace("gte", "lt")),
        format!("x.yml:35:13: `Many` cannot be named by a correlation, line 29: {falls}")
    );
    assert_eq!(
        said("event_count", "rules: [Many]\ncondition: {eq: 2}", "event_count", count),
        format!("x.yml:36:5: {falls}")
    );
    assert_eq!(
        said("temporal", "rules: [Many, other]\ncondition: Many and not other", "event_count", count),
        format!("x.yml:36:5: {falls}")
    );
    assert_eq!(
        said(
            "temporal",
            "rules: [Many, other]",
            "value_avg",
            &count.replace("gte: 2", "gte: 2, field: requestParameters.n")
        ),
        "x.yml:35:13: `Many` cannot be named by a correlation, line 25: `value_avg` may become false as events come, and has no \
         moment at which it matches"
    );
    assert_eq!(
        said("temporal", "rules: [Many, other]\ncondition: Many and lost", "event_count", count),
        "x.yml:36:25: the correlation names no rule `lost`"
    );
    assert_eq!(
        said("temporal", "rules: [Many, Above]", "event_count", count),
        "x.yml:35:19: `Above` is a correlation that names, in the end, itself"
    );
    assert_eq!(
        said("temporal", "rules: [Many, other]", "event_count", &count.replace("awsRegion", "resources.ARN")),
        "x.yml:28:16: `resources.ARN` is no single value"
    );
    let sessions = "sessions are of rules, and not of correlations: leave `window` out, or write `tumbling`";
    assert_eq!(
        said("temporal", "rules: [Many, other]\nwindow: session\ngap: 1m", "event_count", count),
        format!("x.yml:36:13: {sessions}")
    );
    assert_eq!(
        said("temporal", "rules: [Many, other]", "event_count", &format!("window: session\ngap: 1m\n{count}")),
        format!("x.yml:37:13: `Many` cannot be named by a correlation, line 27: {sessions}")
    );
    let long =
        above("temporal", "rules: [Many, other]", "event_count", count).replace("timespan: 1h", "timespan: 366d");
    assert_eq!(
        converted(&long).unwrap_err().last().unwrap(),
        "x.yml:34:5: what the correlations look for lies further apart, all together, than the 366 days that rows are remembered"
    );
}
