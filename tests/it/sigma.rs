//! SigmaHQ's AWS rules over every recorded CloudTrail event: the same answers as `rsigma-eval`, natively and converted.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use rsigma_eval::Engine;
use rsigma_eval::event::JsonEvent;
use rsigma_parser::{Detection, Modifier, SigmaRule, SigmaValue};
use serde_json::{Value, json};
use weir::decode::reader::open;
use weir::decode::{Counts, Input, Options};
use weir::detect::Detector;
use weir::logs;
use weir::rule::{Rule, parse};
use weir::sigma::{Config, Converted, File, convert};
use weir::table::{Batch, Origin};
use weir::time::Timestamp;

use crate::support::{repository, text, weir};

fn files() -> Vec<File> {
    let mut files = Vec::new();
    for entry in fs::read_dir(repository("tests/data/sigma")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yml") {
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            files.push(File { name: path.display().to_string(), stem, text: fs::read_to_string(&path).unwrap() });
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    files
}

fn converted() -> Vec<Converted> {
    let (converted, refused) = convert(&files(), &Config::default());
    assert_eq!(refused, []);
    converted
}

fn rule(converted: &Converted) -> Rule {
    parse(&converted.id, &converted.file, &converted.text).unwrap_or_else(|error| panic!("{error}\n{}", converted.text))
}

/// Every CloudTrail event of `tests/data/cloudtrail`, out of whatever it is wrapped in.
fn events() -> Vec<Value> {
    let mut events = Vec::new();
    for entry in walkdir::WalkDir::new(repository("tests/data/cloudtrail")).sort_by_file_name() {
        let path = entry.unwrap().into_path();
        let name = path.to_string_lossy().into_owned();
        if !name.ends_with(".json") && !name.ends_with(".json.gz") {
            continue;
        }
        let mut bytes = fs::read(&path).unwrap();
        if name.ends_with(".gz") {
            let mut inflated = Vec::new();
            flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut inflated).unwrap();
            bytes = inflated;
        }
        unwrap(&serde_json::from_slice(&bytes).unwrap(), &mut events);
    }
    events
}

fn unwrap(value: &Value, into: &mut Vec<Value>) {
    let inner = ["Records", "detail", "data", "aws", "cloudtrail"].iter().find_map(|key| value.get(key));
    match (value, inner) {
        (Value::Array(all), _) => all.iter().for_each(|one| unwrap(one, into)),
        (_, Some(inner)) => unwrap(inner, into),
        (event, None) if event.get("eventVersion").is_some() => into.push(event.clone()),
        _ => {}
    }
}

fn batches(event: &Value) -> Vec<Batch> {
    let bytes = json!({ "Records": [event] }).to_string();
    let (options, mut rejects, mut counts) = (Options::default(), Vec::new(), Counts::default());
    let mut reader = open(Input::Bytes(bytes.into()), Arc::new(Origin::default()), &options);
    let mut records = Vec::new();
    while let Some(more) = reader.next(&mut rejects, &mut counts).unwrap() {
        records.push(more);
    }
    logs::batches(records, &options, &mut rejects, &mut counts)
}

/// The event with the values that a rule asks for in its selections: one of a list or, where it wants all, all of them;
/// text in place of objects.
fn dressed(event: &Value, rule: &SigmaRule) -> Value {
    let mut event = event.clone();
    let condition = &rule.detection.condition_strings[0];
    for (name, detection) in &rule.detection.named {
        let Detection::AllOf(items) = detection else { continue };
        let wanted = name.starts_with("selection") && !condition.contains(&format!("not {name}"));
        for item in items.iter().filter(|_| wanted) {
            let (Some(field), Some(SigmaValue::String(_))) = (&item.field.name, item.values.first()) else { continue };
            let count = if item.field.has_modifier(Modifier::All) { item.values.len() } else { 1 };
            let value = item.values[..count].iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            let mut place = &mut event;
            for key in field.split('.') {
                if !place.is_object() {
                    *place = json!({});
                }
                place = &mut place[key];
            }
            *place = json!(value);
        }
    }
    event
}

/// Ids of the rules that match one event: here, and by `rsigma-eval`.
struct Both {
    detector: Detector,
    engine: Engine,
    converted: Vec<Converted>,
}

impl Both {
    fn new() -> Both {
        let converted = converted();
        let mut engine = Engine::new();
        for file in files() {
            engine.add_collection(&rsigma_parser::parse_sigma_yaml(&file.text).unwrap()).unwrap();
        }
        let (detector, refused) = Detector::new(logs::TABLES, converted.iter().map(rule));
        assert_eq!(refused, []);
        Both { detector, engine, converted }
    }

    fn matches(&mut self, event: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
        let ours =
            self.detector.observe(&batches(event), Timestamp(0)).into_iter().map(|finding| finding.rule).collect();
        let id = |theirs: &str| {
            let is_same = |one: &&Converted| one.yaml.lines().any(|line| line == format!("id: {theirs}"));
            self.converted.iter().find(is_same).unwrap_or_else(|| panic!("no rule has the id {theirs}")).id.clone()
        };
        let theirs = self.engine.evaluate(&JsonEvent::borrow(event)).into_iter();
        (ours, theirs.map(|result| id(result.header.rule_id.as_ref().unwrap())).collect())
    }
}

#[test]
fn every_rule_agrees_with_rsigma_eval_on_every_event() {
    let (mut both, events) = (Both::new(), events());
    assert!(
        both.converted.len() == 57 && events.len() == 328,
        "{} rules, {} events",
        both.converted.len(),
        events.len()
    );
    let (mut fired, mut matches) = (BTreeSet::new(), 0);
    for event in &events {
        let (ours, theirs) = both.matches(event);
        assert_eq!(ours, theirs, "{event}");
        matches += ours.len();
        fired.extend(ours);
    }
    assert!(matches > 100 && fired.len() >= 15, "{matches} matches of {fired:?} prove little");
}

#[test]
fn every_rule_fires_as_in_rsigma_eval_on_events_made_for_it() {
    let (mut both, events) = (Both::new(), events());
    let mut fired = BTreeSet::new();
    for file in files() {
        let rule = rsigma_parser::parse_sigma_yaml(&file.text).unwrap().rules.remove(0);
        for event in events.iter().step_by(23) {
            let event = dressed(event, &rule);
            let (ours, theirs) = both.matches(&event);
            assert_eq!(ours, theirs, "{}\n{event}", file.name);
            fired.extend(ours);
        }
    }
    let silent: Vec<_> = both.converted.iter().map(|rule| &rule.id).filter(|id| !fired.contains(*id)).collect();
    assert_eq!(silent, Vec::<&String>::new());
}

#[test]
fn rules_are_gated_by_their_conditions() {
    let (detector, refused) = Detector::new(logs::TABLES, converted().iter().map(rule));
    assert_eq!(refused, []);
    let is_open = detector.gates().filter(|(_, columns)| columns.is_empty());
    let open: Vec<&str> = is_open.map(|(rule, _)| rule.id.as_str()).collect();
    assert!(open.is_empty(), "{open:?}");
}

fn ran(rules: &str, folder: &Path) -> Vec<Value> {
    let logs = repository("tests/data/cloudtrail/stratus");
    let arguments =
        ["run", "--from", logs.to_str().unwrap(), "--archive", "none", "--rules", rules, "--format", "ndjson"];
    let output = weir(&arguments, folder);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let findings = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    findings.into_iter().filter(|finding| !finding["evidence"]["sigma_rule"].is_null()).collect()
}

fn done(output: Output) -> String {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn converted_rules_give_the_same_findings() {
    let folder = tempfile::tempdir().unwrap();
    let sigma = repository("tests/data/sigma");
    let sigma = sigma.to_str().unwrap();
    done(weir(&["rules", "convert", sigma, "--to", "sql"], folder.path()));
    assert_eq!(done(weir(&["rules", "check", "sql"], folder.path())), "57 rules: 0 refused, 0 failures\n");
    for command in ["check", "test"] {
        let said = done(weir(&["rules", command, sigma], folder.path()));
        assert!(said.ends_with("\n57 rules: 0 refused, 0 failures\n"), "{said}");
    }
    let (native, converted) = (ran(sigma, folder.path()), ran("sql", folder.path()));
    assert!(native.len() > 10, "{}", native.len());
    assert_eq!(native, converted);
}

#[test]
fn sigma_rules_stand_beside_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("rules")).unwrap();
    let good = fs::read_to_string(repository("tests/data/sigma/aws_root_account_usage.yml")).unwrap();
    fs::write(path("rules/root.yml"), &good).unwrap();
    fs::write(path("rules/bad.yaml"), good.replace("userIdentity.type:", "userIdentity.type|like:")).unwrap();
    let line = good.lines().position(|line| line.contains("userIdentity.type:")).unwrap() + 1;
    let refused = format!("rules/bad.yaml:{line}:27: there is no modifier `like`");

    let list = weir(&["rules", "list", "--rules", "rules"], folder.path());
    assert!(text(&list.stdout).contains("cloudtrail/root "), "{}", text(&list.stdout));
    assert_eq!(text(&list.stderr), format!("weir: rule left out: {refused}\n"));
    assert_eq!(done(weir(&["rules", "show", "cloudtrail/root", "--rules", "rules"], folder.path())), good);

    let check = weir(&["rules", "check", "rules"], folder.path());
    assert_eq!(text(&check.stdout), format!("{refused}\n2 rules: 1 refused, 0 failures\n"));
    assert_eq!(check.status.code(), Some(2));

    let case = |fires: bool, kind: &str| {
        let event = json!({
            "eventVersion": "1.08", "eventTime": "2024-08-01T11:30:23Z", "eventSource": "iam.amazonaws.com",
            "eventName": "GetUser", "eventID": "e", "awsRegion": "us-east-1", "recipientAccountId": "111122223333",
            "eventType": "AwsApiCall", "userIdentity": {"type": kind},
        });
        json!({"fires": fires, "why": kind, "event": event}).to_string()
    };
    fs::write(path("rules/root.cases.jsonl"), [case(true, "Root"), case(false, "IAMUser")].join("\n")).unwrap();
    let cases = done(weir(&["rules", "test", "rules/root.yml"], folder.path()));
    assert_eq!(cases, "1 rule, 2 cases: 0 refused, 0 failures\n");
    fs::write(path("rules/root.cases.jsonl"), [case(true, "IAMUser"), case(false, "Root")].join("\n")).unwrap();
    let cases = weir(&["rules", "test", "rules/root.yml"], folder.path());
    assert!(
        text(&cases.stdout).starts_with("rules/root.cases.jsonl:1: cloudtrail/root IAMUser\n"),
        "{}",
        text(&cases.stdout)
    );

    let convert = weir(&["rules", "convert", "rules/root.yml"], folder.path());
    assert!(text(&convert.stdout).starts_with("-- title "), "{}", text(&convert.stdout));
    assert!(text(&convert.stdout).ends_with(
        "WHERE lower(userIdentity.type) = 'root'\n  AND (lower(eventType) = 'awsserviceevent') IS NOT TRUE\n"
    ));

    // a query file of the same id is the one that counts
    fs::create_dir_all(path("rules/cloudtrail")).unwrap();
    fs::write(path("rules/cloudtrail/root.sql"), &convert.stdout).unwrap();
    let check = text(&weir(&["rules", "check", "rules"], folder.path()).stdout);
    assert!(check.contains("rules/cloudtrail/root.sql gives the rule cloudtrail/root already"), "{check}");
}

#[test]
fn what_is_probably_misspelt_is_told_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let rule = "title: T\nleve: high\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n    s:\n        eventNmae: GetUser\n    condition: s\n";
    fs::write(folder.path().join("x.yml"), rule).unwrap();
    let doubts = [
        "x.yml:2:1: warning: `leve` is no key of Sigma and is passed over: did you mean `level`?",
        "x.yml:6:9: warning: cloudtrail has no column `eventNmae`, which is looked for in what events have beyond their columns; did you mean \
         `eventName`?",
    ];
    let check = done(weir(&["rules", "check", "x.yml"], folder.path()));
    assert_eq!(check, format!("{}\n1 rule: 0 refused, 0 failures\n", doubts.join("\n")));
    let convert = weir(&["rules", "convert", "x.yml"], folder.path());
    assert_eq!(
        (convert.status.code(), text(&convert.stderr)),
        (Some(0), doubts.map(|doubt| format!("weir: {doubt}\n")).concat())
    );
    // of SigmaHQ's rules one asks for a field that CloudTrail's record does not have
    let check = done(weir(&["rules", "check", repository("tests/data/sigma").to_str().unwrap()], folder.path()));
    let warnings: Vec<&str> = check.lines().filter(|line| line.contains(": warning: ")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains(" has no column `status`, "), "{check}");
}

#[test]
fn a_list_of_thousands_of_patterns_is_a_rule() {
    let folder = tempfile::tempdir().unwrap();
    let listed: String = (0..3000).map(|n| format!("            - 'agent-{n}x'\n")).collect();
    let rule = "title: T\nlevel: high\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n    s:\n        userAgent|startswith:\n";
    fs::write(folder.path().join("x.yml"), format!("{rule}{listed}    condition: s\n")).unwrap();
    let event = r#"{"eventVersion":"1.08","eventTime":"2024-08-01T11:30:23Z","eventSource":"iam.amazonaws.com","eventName":"ListUsers","userAgent":"agent-2999x/1.0"}"#;
    fs::write(folder.path().join("in.json"), event).unwrap();
    let run = ["run", "--from", "in.json", "--archive", "none", "--rules", "only:x.yml", "--format", "ndjson"];
    let found: Value = serde_json::from_str(&done(weir(&run, folder.path()))).unwrap();
    assert_eq!(found["evidence"]["sigma_rule"], "T");
}

#[test]
fn placeholders_come_from_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let rule = "title: T\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n    s:\n        userAgent|expand: 'a %tools%'\n    condition: s\n";
    fs::write(folder.path().join("x.yml"), rule).unwrap();
    fs::write(folder.path().join("weir.toml"), "[sigma.placeholders]\ntools = ['x', 'y*']\n").unwrap();
    let without = weir(&["rules", "convert", "x.yml"], folder.path());
    assert_eq!(without.status.code(), Some(2));
    let expected = "weir: not converted: x.yml:5:28: placeholder `%tools%` has no values: list them in weir.toml under [sigma.placeholders]\nweir: 0 rules converted, 1 refused\n";
    assert_eq!(text(&without.stderr), expected);
    let with = done(weir(&["rules", "convert", "x.yml", "-c", "weir.toml"], folder.path()));
    assert!(with.ends_with("WHERE (lower(userAgent) = 'a x' OR lower(userAgent) LIKE 'a y%')\n"), "{with}");
}

#[test]
fn a_correlation_runs_beside_the_rules_of_other_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("rules")).unwrap();
    let base = "title: Secret read\nname: read\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n    s:\n        eventName: GetSecretValue\n    condition: s\n";
    let many = "title: Many secrets read\ncorrelation:\n    type: event_count\n    rules: [read]\n    group-by: [userIdentity.arn]\n    timespan: 5m\n    condition: {gte: 3}\nlevel: high\n";
    fs::write(path("rules/base.yml"), base).unwrap();
    fs::write(path("rules/many.yml"), many).unwrap();
    let event = |time: &str, user: &str| {
        json!({
            "eventVersion": "1.08", "eventTime": time, "eventSource": "secretsmanager.amazonaws.com",
            "eventName": "GetSecretValue", "eventID": format!("{time} {user}"), "awsRegion": "us-east-1",
            "recipientAccountId": "111122223333", "eventType": "AwsApiCall",
            "userIdentity": {"type": "IAMUser", "arn": format!("arn:aws:iam::111122223333:user/{user}")},
        })
    };
    let case = |fires: bool, seconds: u32| {
        let event = event(&format!("{{2024-08-01T12:04:00Z+{seconds}n}}"), "bob");
        let event = event.to_string().replace("\"eventID\":\"", "\"eventID\":\"{n} ");
        let event: Value = serde_json::from_str(&event).unwrap();
        json!({"fires": fires, "why": format!("{seconds} seconds"), "events": [{"times": 3, "event": event}]})
            .to_string()
    };
    fs::write(path("rules/many.cases.jsonl"), [case(true, 150), case(false, 200)].join("\n")).unwrap();
    assert_eq!(done(weir(&["rules", "check", "rules"], folder.path())), "1 rule: 0 refused, 0 failures\n");
    assert_eq!(done(weir(&["rules", "test", "rules"], folder.path())), "1 rule, 2 cases: 0 refused, 0 failures\n");

    let convert = done(weir(&["rules", "convert", "rules"], folder.path()));
    let sql = "WHERE lower(eventName) = 'getsecretvalue'\n\
               GROUP BY userIdentity.arn, hop(eventTime, INTERVAL '25 seconds', INTERVAL '325 seconds')\n\
               HAVING count(*) >= 3\n";
    assert!(convert.starts_with("-- title           = \"Many secrets read\"\n") && convert.ends_with(sql), "{convert}");
    let to =
        done(weir(&["rules", "convert", "rules/base.yml", "rules/many.yml", "rules", "--to", "sql"], folder.path()));
    let written = "sql/cloudtrail/many.sql from rules/many.yml\nsql/cloudtrail/many.cases.jsonl from rules/many.yml\n\
                   1 rule converted, 0 refused: 2 files written, 0 kept that say something else\n";
    assert_eq!(to, written);

    fs::create_dir(path("logs")).unwrap();
    let records: Vec<Value> = ["12:04:00", "12:05:00", "12:06:00"]
        .iter()
        .flat_map(|time| ["bob", "eve"].map(|user| event(&format!("2024-08-01T{time}Z"), user)))
        .chain([event("2024-08-01T12:07:00Z", "eve"), event("2024-08-01T18:00:00Z", "eve")])
        .collect();
    fs::write(path("logs/x.json"), json!({ "Records": records }).to_string()).unwrap();
    let found = |rules: &str| {
        let arguments = ["run", "--from", "logs", "--archive", "none", "--rules", rules, "--format", "ndjson"];
        let output = done(weir(&arguments, folder.path()));
        let findings = output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let ours = findings.filter(|finding| finding["rule"] == "cloudtrail/many");
        let shown =
            |finding: Value| (finding["evidence"]["userIdentity.arn"].to_string(), finding["count"].to_string());
        let mut found: Vec<_> = ours.map(shown).collect();
        found.sort();
        found
    };
    // what somebody edited stays
    let edited = format!("{}-- mine\n", fs::read_to_string(path("sql/cloudtrail/many.sql")).unwrap());
    fs::write(path("sql/cloudtrail/many.sql"), &edited).unwrap();
    let again = weir(&["rules", "convert", "rules", "--to", "sql"], folder.path());
    assert_eq!(again.status.code(), Some(2));
    assert!(
        text(&again.stderr).contains("many.sql is there already, and says something else"),
        "{}",
        text(&again.stderr)
    );
    assert_eq!(fs::read_to_string(path("sql/cloudtrail/many.sql")).unwrap(), edited);
    let kept = "1 rule converted, 0 refused: 0 files written, 1 kept that say something else\n";
    assert_eq!(text(&again.stdout), kept);
    fs::write(path("bad.yml"), base.replace("eventName:", "eventName|like:")).unwrap();
    let bad = weir(&["rules", "convert", "rules", "bad.yml", "--to", "new"], folder.path());
    assert!(
        text(&bad.stdout).ends_with("\n1 rule converted, 1 refused: 2 files written, 0 kept that say something else\n")
    );
    assert_eq!(bad.status.code(), Some(2));

    let expected = [("bob", "3"), ("eve", "4")]
        .map(|(user, count)| (format!("\"arn:aws:iam::111122223333:user/{user}\""), count.to_owned()));
    assert_eq!(found("rules"), expected);
    assert_eq!(found("sql"), expected);

    // without the rule that it names
    let alone = weir(&["rules", "check", "rules/many.yml"], folder.path());
    let refused = "rules/many.yml:4:13: no rule that is here is called `read`\n1 rule: 1 refused, 0 failures\n";
    assert_eq!((text(&alone.stdout), alone.status.code()), (refused.to_owned(), Some(2)));
}
