//! Generated Sigma rules over generated events: the rows that rules select are those that `rsigma-eval` matches.
//!
//! Where rsigma-eval departs from Sigma's specification, or the specification leaves it open, the oracle is given an
//! equivalent rule, or the case is left out and has its expected values in `sigma/tests.rs` and below:
//! - wildcards under `startswith` and `endswith`: it anchors them at the wrong end, so it is given the plain pattern;
//! - null in a list of values, for a missing field: it does not match; here any value of a list may;
//! - `base64offset`: it keeps the last character of a partial group, which depends on the text behind;
//! - `*` and line breaks: its `*` stops at them;
//! - `expand`: it fills placeholders from the event; here they come from the configuration, so it is given the values;
//! - comparing an object: it never matches; here each value inside is compared;
//! - numbers in text: it takes none with white space around;
//! - true and false compared with the numbers 1 and 0 in JSON, and a field that is null, which here is as one that is missing:
//!   there it differs from a value under `neq`, and equals another that is null under `fieldref`.

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use rsigma_eval::Engine;
use rsigma_eval::event::JsonEvent;
use serde_json::{Map, Value, json};

use super::compile::Compiler;
use super::emit::Apart;
use super::reference::References;
use super::scan::Scan;
use super::tests::{batch, changed, event};
use crate::logs;
use crate::rule::{Rule, parse};
use crate::sigma::{Config, File, convert};

/// A piece of a text in a rule.
#[derive(Clone, Debug)]
enum Piece {
    Text(&'static str),
    Many,
    One,
}

type Pattern = Vec<Piece>;

/// As Sigma writes it.
fn written(pattern: &Pattern) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.replace('\\', "\\\\").replace('*', "\\*").replace('?', "\\?"),
        Piece::Many => "*".to_owned(),
        Piece::One => "?".to_owned(),
    };
    pattern.iter().map(piece).collect()
}

fn is_plain(pattern: &Pattern) -> bool {
    pattern.iter().all(|piece| matches!(piece, Piece::Text(_)))
}

/// What texts of events are made of, and those of rules with it: each has something that SQL or Sigma treats specially.
const PIECES: [&str; 16] = ["a", "A", "ab", "x", "-", "%", "_", "\\", "*", "?", "'", "é", "É", "1", ".", "x y"];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::collection::vec(select(&PIECES[..]), 0..4).prop_map(|pieces| pieces.concat()),
        1 => select(&["5", "5.5", "1e1", "-3", "10.1.2.3", "10.200.0.1", "192.0.2.7", "2001:db8::1", "true", "No"][..])
            .prop_map(str::to_owned),
    ]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let piece = prop_oneof![
        5 => select(&PIECES[..]).prop_map(Piece::Text),
        1 => Just(Piece::Many),
        1 => Just(Piece::One),
    ];
    prop::collection::vec(piece, 0..4)
}

fn plain() -> impl Strategy<Value = Pattern> {
    prop::collection::vec(select(&PIECES[..]).prop_map(Piece::Text), 1..4)
}

/// Fields that hold text, or nothing.
const TEXTS: [&str; 9] = [
    "eventName",
    "errorCode",
    "userAgent",
    "sourceIPAddress",
    "userIdentity.arn",
    "userIdentity.sessionContext.sessionIssuer.userName",
    "requestParameters.name",
    "custom.field",
    "userIdentity.custom",
];

/// Fields that hold texts and numbers, in lists too.
const LISTS: [&str; 4] =
    ["requestParameters.items.x", "requestParameters.list", "responseElements.a.b.c", "resources.ARN"];

fn any_field() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => select(&TEXTS[..]), 2 => select(&LISTS[..])]
}

/// A key of a detection and its values, and the same for the oracle.
#[derive(Clone, Debug)]
struct Item {
    ours: (String, Value),
    theirs: (String, Value),
}

fn same(key: impl Into<String>, values: impl Into<Value>) -> Item {
    let both = (key.into(), values.into());
    Item { ours: both.clone(), theirs: both }
}

fn compared() -> impl Strategy<Value = Item> {
    let operator = select(&["", "|contains", "|startswith", "|endswith"][..]);
    let flags = (any::<bool>(), any::<bool>(), 0..8u8);
    (any_field(), operator, prop::collection::vec(pattern(), 1..4), flags).prop_map(
        |(field, operator, patterns, (cased, all, neq))| {
            // a missing field and one that is null are the same here
            let neq = if neq == 0 && field != "errorCode" { "|neq" } else { "" };
            let cased = if cased { "|cased" } else { "" };
            let all = if all && patterns.len() > 1 { "|all" } else { "" };
            let wild = !patterns.iter().all(is_plain);
            let flip = |text: String| match operator {
                "|startswith" => format!("{text}*"),
                "|endswith" => format!("*{text}"),
                _ => text,
            };
            let ours: Vec<String> = patterns.iter().map(written).collect();
            let (theirs, operator_there) = match operator {
                "|startswith" | "|endswith" if wild => (ours.iter().cloned().map(flip).collect(), ""),
                other => (ours.clone(), other),
            };
            Item {
                ours: (format!("{field}{operator}{cased}{all}{neq}"), json!(ours)),
                theirs: (format!("{field}{operator_there}{cased}{all}{neq}"), json!(theirs)),
            }
        },
    )
}

fn special() -> impl Strategy<Value = Item> {
    let operator = select(&["", "|contains", "|startswith", "|endswith"][..]);
    let order = select(&["gt", "gte", "lt", "lte"][..]);
    let regexes = ["a.b", "^a", "x$", "A|é", "^first$", "first.second", "[0-9]+", "it'?", r"\\", "^$"];
    let networks = ["10.0.0.0/8", "10.1.2.3/32", "2001:db8::/32", "0.0.0.0/0"];
    prop_oneof![
        (any_field(), select(&["re", "re|i", "re|m", "re|s", "re|i|m|s"][..]), subsequence(regexes.to_vec(), 1..3))
            .prop_map(|(field, re, values)| same(format!("{field}|{re}"), json!(values))),
        (
            select(&["requestParameters.lines"][..]),
            select(&["re", "re|i", "re|m", "re|s"][..]),
            select(regexes.to_vec())
        )
            .prop_map(|(field, re, value)| same(format!("{field}|{re}"), value)),
        (any_field(), subsequence(networks.to_vec(), 1..3))
            .prop_map(|(field, values)| same(format!("{field}|cidr"), json!(values))),
        (
            prop_oneof![
                any_field(),
                Just("requestParameters"),
                Just("userIdentity.sessionContext"),
                Just("resources"),
                Just("readOnly")
            ],
            any::<bool>()
        )
            .prop_map(|(field, there)| same(format!("{field}|exists"), there)),
        (any_field(), order, -6..12i64).prop_map(|(field, order, number)| same(format!("{field}|{order}"), number)),
        (any_field(), select(&[5.0, 5.5, 10.0, -3.0, 0.0][..]))
            .prop_map(|(field, number)| same(field, if number == 5.5 { json!(5.5) } else { json!(number as i64) })),
        any_field().prop_map(|field| same(field, Value::Null)),
        (select(&["readOnly", "requestParameters.flag"][..]), any::<bool>())
            .prop_map(|(field, truth)| same(field, truth)),
        (select(&["readOnly", "requestParameters.flag"][..]), select(&["true", "False", "t*", "*s?"][..]))
            .prop_map(|(field, value)| same(field, value)),
        (select(&TEXTS[..]), operator.clone(), any::<bool>(), select(&TEXTS[2..])).prop_map(
            |(field, operator, cased, other)| {
                let cased = if cased { "|cased" } else { "" };
                same(format!("{field}|fieldref{operator}{cased}"), other)
            }
        ),
        (
            any_field(),
            select(&["base64", "wide|base64", "utf16be|base64", "utf16|base64"][..]),
            operator.clone(),
            plain(),
            any::<bool>()
        )
            .prop_map(|(field, base64, operator, value, cased)| {
                let cased = if cased { "|cased" } else { "" };
                same(format!("{field}|{base64}{operator}{cased}"), written(&value))
            }),
        (any_field(), operator, plain())
            .prop_map(|(field, operator, value)| same(format!("{field}|windash{operator}"), written(&value))),
        any_field().prop_map(|field| Item {
            ours: (format!("{field}|expand"), json!("%who%1")),
            theirs: (field.to_owned(), json!(["a1", "ab*1"])),
        }),
        (select(&["minute", "hour", "day", "week", "month", "year"][..]), select(&[1, 8, 11, 30, 31, 2024][..]))
            .prop_map(|(part, number)| same(format!("eventTime|{part}"), number)),
        select(&["2024-*", "2024-08-01T11:30:23Z", "*:23Z"][..]).prop_map(|value| same("eventTime", value)),
    ]
}

/// A detection, and the same for the oracle.
fn detection() -> impl Strategy<Value = (Value, Value)> {
    let map = prop::collection::vec(prop_oneof![2 => compared(), 3 => special()], 1..3).prop_map(|items| {
        let (mut ours, mut theirs) = (Map::new(), Map::new());
        for item in items {
            // two items of one key would be one; a key is there once in both or in neither
            if !ours.contains_key(&item.ours.0) && !theirs.contains_key(&item.theirs.0) {
                ours.insert(item.ours.0, item.ours.1);
                theirs.insert(item.theirs.0, item.theirs.1);
            }
        }
        (Value::from(ours), Value::from(theirs))
    });
    let words = ["ab", "Axé", "x-", "a?x", "a*É", "é\\\\"];
    prop_oneof![
        5 => map.clone(),
        2 => prop::collection::vec(map, 1..3).prop_map(|maps| {
            let (ours, theirs): (Vec<_>, Vec<_>) = maps.into_iter().unzip();
            (json!(ours), json!(theirs))
        }),
        1 => subsequence(words.to_vec(), 1..3).prop_map(|words| (json!(words), json!(words))),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    let leaf = select(
        &["d0", "d1", "d2", "1 of d*", "all of d*", "2 of d*", "1 of them", "all of them", "not d0", "not 2 of d*"][..],
    );
    leaf.prop_map(str::to_owned).prop_recursive(3, 6, 2, |inner| {
        (inner.clone(), select(&["and", "or", "and not", "or not"][..]), inner)
            .prop_map(|(one, word, other)| format!("({one}) {word} ({other})"))
    })
}

fn rule() -> impl Strategy<Value = (Value, Value)> {
    (detection(), detection(), detection(), condition()).prop_map(|(d0, d1, d2, condition)| {
        let rule = |d0: Value, d1: Value, d2: Value| {
            json!({
                "title": "t",
                "logsource": {"product": "aws", "service": "cloudtrail"},
                "detection": {"d0": d0, "d1": d1, "d2": d2, "condition": condition},
            })
        };
        (rule(d0.0, d1.0, d2.0), rule(d0.1, d1.1, d2.1))
    })
}

fn one_event() -> impl Strategy<Value = Value> {
    let scalar = || prop_oneof![4 => text().prop_map(Value::from), 1 => (-5..12i64).prop_map(Value::from), 1 => Just(json!(5.5))];
    let list = || prop::collection::vec(scalar(), 0..3);
    let optional = || prop::option::of(text());
    let name = (text(), optional(), optional(), optional(), optional());
    let more = (optional(), optional(), optional(), prop::option::of(text()));
    let lists = (prop::option::of(prop::collection::vec(prop::option::of(scalar()), 0..3)), prop::option::of(list()));
    let deep =
        (prop::option::of(prop::collection::vec(list(), 0..3)), prop::option::of(prop::collection::vec(text(), 0..3)));
    let flags = (prop::option::of(any::<bool>()), select(&["true", "false", "yes", "other"][..]), any::<bool>());
    let lines = select(&["first\nsecond", "FIRST\nsecond", "first", "second\nfirst"][..]);
    (name, more, lists, deep, flags, lines).prop_map(|(name, more, lists, deep, flags, lines)| {
        let mut changes = json!({"eventName": name.0, "requestParameters": {"lines": lines, "flag": flags.1}});
        let mut set = |path: &[&str], value: Option<Value>| {
            let Some(value) = value else { return };
            let mut place = &mut changes;
            for key in path {
                place = &mut place[*key];
            }
            *place = value;
        };
        // an error code that is null and one that is missing are told apart by nobody
        // an empty one is none
        let error = name.1.filter(|error| !error.is_empty());
        set(&["errorCode"], if flags.2 { Some(json!(error)) } else { error.map(Value::from) });
        set(&["userAgent"], name.2.map(Value::from));
        set(&["sourceIPAddress"], name.3.map(Value::from));
        set(&["userIdentity", "type"], Some(json!("IAMUser")));
        set(&["userIdentity", "arn"], name.4.map(Value::from));
        set(&["userIdentity", "custom"], more.0.map(Value::from));
        set(&["userIdentity", "sessionContext", "sessionIssuer", "userName"], more.1.map(Value::from));
        set(&["requestParameters", "name"], more.2.map(Value::from));
        set(&["custom", "field"], more.3.map(Value::from));
        let element = |x: Option<Value>| x.map_or(json!({"y": 1}), |x| json!({"x": x, "y": 2}));
        set(&["requestParameters", "items"], lists.0.map(|items| items.into_iter().map(element).collect()));
        set(&["requestParameters", "list"], lists.1.map(Value::from));
        let element = |list: Vec<Value>| json!({"b": {"c": list}});
        set(&["responseElements", "a"], deep.0.map(|lists| lists.into_iter().map(element).collect()));
        set(&["resources"], deep.1.map(|arns| arns.into_iter().map(|arn| json!({"ARN": arn})).collect()));
        set(&["readOnly"], flags.0.map(Value::from));
        changes
    })
}

/// Rows of each rule.
fn selected(rules: &[Rule], events: &[Value]) -> Vec<Vec<u32>> {
    let mut compiler = Compiler::new(logs::TABLES, &References::default());
    let mut known = Vec::new();
    for rule in rules {
        match compiler.add(rule.clone().into()) {
            Ok(()) => known.push(true),
            Err(error) if error.message.contains("never true") => known.push(false),
            Err(error) => panic!("{error}\n{}", rule.text),
        }
    }
    let (tables, _) = compiler.finish();
    let mut found = tables.iter().flat_map(|table| {
        let batch = batch(events);
        let (scan, routes) = Scan::new(table, &(&batch).into(), Apart::ALL);
        let mut rows = vec![Vec::new(); table.rules.len()];
        for (place, candidates) in routes {
            let rule = &table.rules[place];
            rows[place] = scan.select(rule, candidates).unwrap_or_else(|error| panic!("{error}\n{}", rule.rule.text));
        }
        rows
    });
    known.into_iter().map(|known| if known { found.next().expect("one for each rule") } else { Vec::new() }).collect()
}

fn converted(rule: &Value) -> Rule {
    let placeholders = [("who".to_owned(), vec!["a".to_owned(), "ab*".to_owned()])].into();
    let file = File { name: "x.yml".into(), stem: "x".into(), text: rule.to_string() };
    let (converted, refused) = convert(&[file], &Config { placeholders });
    assert_eq!(refused, [], "{rule}");
    parse(&converted[0].id, "x.yml", &converted[0].text)
        .unwrap_or_else(|error| panic!("{error}\n{}", converted[0].text))
}

fn check(rules: &[(Value, Value)], events: &[Value]) -> Result<(), TestCaseError> {
    let converted: Vec<Rule> = rules.iter().map(|(ours, _)| converted(ours)).collect();
    for ((ours, (_, theirs)), rule) in selected(&converted, events).into_iter().zip(rules).zip(&converted) {
        let mut engine = Engine::new();
        let collection = rsigma_parser::parse_sigma_yaml(&theirs.to_string()).unwrap();
        engine.add_collection(&collection).unwrap_or_else(|error| panic!("{error}: {theirs}"));
        for (row, event) in events.iter().enumerate() {
            let expected = !engine.evaluate(&JsonEvent::borrow(event)).is_empty();
            let fires = ours.contains(&(row as u32));
            prop_assert_eq!(fires, expected, "{}\n{}\n{}", theirs, event, rule.text);
        }
    }
    Ok(())
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").map_or(40, |cases| cases.parse().expect("PROPTEST_CASES is a number"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    /// Eight rules on sixteen events a case. More of them: `PROPTEST_CASES=10000 cargo test --lib sigma_tests`.
    #[test]
    fn generated_rules_select_what_rsigma_eval_matches(
        rules in prop::collection::vec(rule(), 8),
        changes in prop::collection::vec(one_event(), 16),
        again in prop::collection::vec(any::<Index>(), 8),
    ) {
        let mut events: Vec<Value> =
            changes.into_iter().enumerate().map(|(n, changes)| changed(event("", &n.to_string()), changes)).collect();
        // values that repeat are decided once
        let repeated: Vec<Value> = again.iter().map(|index| index.get(&events).clone()).collect();
        events.extend(repeated);
        check(&rules, &events)?;
    }
}

/// One detection over one event that has these fields.
fn fires(detection: Value, fields: Value) -> bool {
    let rule = json!({
        "title": "t",
        "logsource": {"product": "aws", "service": "cloudtrail"},
        "detection": {"s": detection, "condition": "s"},
    });
    !selected(&[converted(&rule)], &[changed(event("Get", "e"), fields)])[0].is_empty()
}

#[test]
fn null_may_be_one_of_several_values() {
    let rule = json!({"errorCode": ["Success", null], "requestParameters.a": ["x", null]});
    assert!(fires(rule.clone(), json!({})));
    assert!(fires(rule.clone(), json!({"errorCode": "success", "requestParameters": {"a": "X"}})));
    assert!(!fires(rule.clone(), json!({"errorCode": "AccessDenied"})));
    assert!(!fires(rule, json!({"requestParameters": {"a": ""}})));
}

#[test]
fn a_star_passes_line_breaks() {
    assert!(fires(
        json!({"requestParameters.a": "first*second"}),
        json!({"requestParameters": {"a": "first\nsecond"}})
    ));
    assert!(fires(json!({"userAgent": "a?b"}), json!({"userAgent": "a\nb"})));
}

#[test]
fn a_regular_expression_that_is_a_backslash_finds_one() {
    let found = |regex: &str, text: &str| fires(json!({"userAgent|re": regex}), json!({"userAgent": text}));
    assert!(found(r"\\", r"a\b") && !found(r"\\", "%") && !found(r"\\", "a"));
    assert!(found(r"^a\\|x$", r"a\b") && !found(r"^a\\|x$", "a%"));
}

#[test]
fn an_object_is_compared_by_each_value_inside() {
    let parameters = json!({"requestParameters": {"VersioningConfiguration": {"Status": "Suspended"}, "n": [7]}});
    assert!(fires(json!({"requestParameters|contains": "suspended"}), parameters.clone()));
    assert!(fires(json!({"requestParameters.VersioningConfiguration": "Suspended"}), parameters.clone()));
    assert!(fires(json!({"requestParameters": 7}), parameters.clone()));
    assert!(!fires(json!({"requestParameters|contains": "Status"}), parameters.clone()));
    assert!(!fires(json!({"requestParameters|contains|all": ["Suspended", "Enabled"]}), parameters));
    assert!(fires(json!({"userIdentity|contains": ":user/eve"}), json!({})));
}

#[test]
fn a_policy_is_found_behind_base64() {
    // echo -n 'x"Effect": "Allow"y' | base64
    let hidden = json!({"requestParameters": {"userData": "eCJFZmZlY3QiOiAiQWxsb3cieQ=="}});
    assert!(fires(json!({"requestParameters.userData|base64offset|contains": "\"Allow\""}), hidden.clone()));
    assert!(!fires(json!({"requestParameters.userData|base64offset|contains": "\"Deny\""}), hidden));
}

#[test]
fn keywords_are_looked_for_in_the_whole_event() {
    let found = |word: &str, fields: Value| fires(json!([word]), fields);
    assert!(found("EVE", json!({})));
    assert!(found("2024-08-01T11", json!({})));
    assert!(found("deep", json!({"requestParameters": {"a": [{"b": "so deep"}]}})));
    assert!(found("new", json!({"fieldOfTomorrow": {"a": "new"}})));
    assert!(found("arn:x", json!({"resources": [{"ARN": "arn:x"}]})));
    assert!(!found("eventName", json!({})));
    assert!(fires(json!({"|all": ["eve", "iam.amazonaws.com"]}), json!({})));
    assert!(!fires(json!({"|all": ["eve", "nothing"]}), json!({})));
}

#[test]
fn a_missing_field_is_not_a_value_and_not_unlike_one() {
    let rule = |condition: &str| {
        json!({
            "title": "t",
            "logsource": {"product": "aws", "service": "cloudtrail"},
            "detection": {"s": {"eventName": "Get"}, "f": {"requestParameters.a": "x"}, "condition": condition},
        })
    };
    let rows = |condition: &str, fields: Value| {
        selected(&[converted(&rule(condition))], &[changed(event("Get", "e"), fields)]).remove(0).len()
    };
    assert_eq!(rows("s and not f", json!({})), 1);
    assert_eq!(rows("s and not f", json!({"requestParameters": null})), 1);
    assert_eq!(rows("s and not f", json!({"requestParameters": {"a": "X"}})), 0);
    assert!(!fires(json!({"errorCode|neq": "x"}), json!({})));
    assert!(fires(json!({"errorCode|neq": "x"}), json!({"errorCode": "y"})));
}

#[test]
fn flows_are_compared_by_number() {
    let rule = json!({
        "title": "t",
        "logsource": {"product": "aws", "service": "vpcflow"},
        "detection": {"s": {"dstPort": [22, "3389"], "srcaddr|cidr": "10.0.0.0/8", "bytes|gt": 100, "end|exists": true}, "condition": "s"},
    });
    let rule = converted(&rule);
    let expected = "WHERE dstport IN (22, 3389)\n  AND cidr_match(srcaddr, '10.0.0.0/8')\n  AND bytes > 100\n  AND \"end\" IS NOT NULL\n";
    assert!(rule.text.ends_with(expected), "{}", rule.text);
    let (_, refused) = super::Detector::new(logs::TABLES, [rule]);
    assert_eq!(refused, []);
}
