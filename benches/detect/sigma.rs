//! gz CloudTrail to the findings of Sigma rules, beside `rsigma-eval` on the same events as NDJSON in memory, and beside no rules.

use std::collections::BTreeMap;
use std::fmt::Write;

use rsigma_eval::Engine;
use rsigma_eval::event::JsonEvent;
use serde_json::Value;
use weir::decode;
use weir::detect::Detector;
use weir::logs;
use weir::rule;
use weir::sigma::{Config, File, convert};
use weir::time::Timestamp;

use super::corpus::{self, Dice};
use super::made::{self, Test};
use super::{Options, median, objects, read, timed};

pub fn run(options: &Options) {
    let mut dice = Dice(options.seed ^ 0x5161);
    let files: Vec<File> = (0..options.sigma).map(|number| file(number, &mut dice)).collect();
    let (converted, refused) = convert(&files, &Config::default());
    assert_eq!(refused, [], "all rules are read");
    let rules = converted
        .iter()
        .map(|one| rule::parse(&one.id, &one.file, &one.text).unwrap_or_else(|error| panic!("{error}\n{}", one.text)));
    let (mut detector, refused) = Detector::new(logs::TABLES, rules);
    assert_eq!(refused, [], "all rules compile");
    let mut engine = Engine::new();
    for file in &files {
        let rule = rsigma_parser::parse_sigma_yaml(&file.text).expect("the rule is Sigma's");
        engine.add_collection(&rule).expect("the rule compiles");
    }

    let (objects, decoding) = (objects(options), decode::Options::default());
    let lines: Vec<u8> = (0..options.files)
        .flat_map(|file| corpus::cloudtrail_lines(options.seed + file, options.events as usize))
        .collect();
    let (mut plain, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    let mut matches = BTreeMap::<String, u64>::new();
    // the first round warms up
    for round in 0..=options.rounds {
        let rows: usize =
            timed(&mut plain, || read(&objects, &decoding).iter().map(|batch| batch.rows.num_rows()).sum());
        assert_eq!(rows as u64, options.total());
        timed(&mut ours, || detector.observe(&read(&objects, &decoding), Timestamp(0)));
        // what is counted is counted outside of what is timed
        let found = timed(&mut theirs, || evaluated(&engine, &lines));
        if round == 0 {
            found.into_iter().for_each(|id| *matches.entry(id).or_default() += 1);
        }
    }
    for seconds in [&mut plain, &mut ours, &mut theirs] {
        seconds.remove(0);
    }
    let (mut firing, mut total) = (0, 0);
    for (rule, cost) in detector.costs() {
        let hits = cost.hits / (options.rounds + 1);
        let stem = rule.rsplit('/').next().unwrap_or(rule);
        let number = stem.strip_prefix("made_").and_then(|number| number.parse().ok()).expect("a rule has its number");
        assert_eq!(hits, matches.remove(&id(number)).unwrap_or(0), "{rule}: what rsigma-eval matches");
        (firing, total) = (firing + usize::from(hits > 0), total + hits);
    }
    assert!(matches.is_empty(), "no rule of theirs is another: {matches:?}");
    assert!(firing > 0, "some rules match");

    let rate = |seconds: &Vec<f64>| options.total() as f64 / median(seconds.clone());
    println!("{} rules, of which {firing} match {total} events, each as many as in rsigma-eval", options.sigma);
    println!("gz to Arrow, no rules       {:10.0} events/s", rate(&plain));
    println!("gz to findings              {:10.0} events/s", rate(&ours));
    println!("rsigma-eval, NDJSON in memory {:8.0} events/s", rate(&theirs));
    println!(
        "{:.1}x rsigma-eval (goal 4x), {:.2}x without rules (goal 0.8x)",
        rate(&ours) / rate(&theirs),
        rate(&ours) / rate(&plain)
    );
}

/// Ids of the rules that match, once for each event.
fn evaluated(engine: &Engine, lines: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let event: Value = serde_json::from_slice(line).expect("the corpus is JSON");
        let results = engine.evaluate(&JsonEvent::borrow(&event));
        found.extend(results.into_iter().map(|result| result.header.rule_id.expect("every rule has an id")));
    }
    found
}

fn id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn file(number: usize, dice: &mut Dice) -> File {
    let (mut selection, mut filter) = (String::new(), String::new());
    for test in &made::rule(dice) {
        match test {
            Test::Not(test) => write_item(test, &mut filter),
            test => write_item(test, &mut selection),
        }
    }
    let mut text = format!(
        "title: Made {number}\nid: {}\nstatus: test\nlevel: low\ntags:\n    - attack.discovery\nlogsource:\n    product: aws\n    service: cloudtrail\n\
         detection:\n    selection:\n{selection}",
        id(number)
    );
    if filter.is_empty() {
        text.push_str("    condition: selection\n");
    } else {
        write!(text, "    filter:\n{filter}    condition: selection and not filter\n").expect("a string takes all");
    }
    File { name: format!("made_{number}.yml"), stem: format!("made_{number}"), text }
}

fn write_item(test: &Test, to: &mut String) {
    let (field, modifier, value) = match test {
        Test::Is(field, value) => (field, "", format!("'{value}'")),
        Test::In(field, values) => (field, "", format!("['{}']", values.join("', '"))),
        Test::Starts(field, value) => (field, "|startswith", format!("'{value}'")),
        Test::Ends(field, value) => (field, "|endswith", format!("'{value}'")),
        Test::Contains(field, value) => (field, "|contains", format!("'{value}'")),
        Test::Within(field, network) => (field, "|cidr", format!("'{network}'")),
        Test::Lacks(field) => (field, "", "null".to_owned()),
        Test::Not(_) => unreachable!("nothing is negated twice"),
    };
    // a map has a key once
    let key = format!("        {field}{modifier}: ");
    if !to.contains(&key) {
        writeln!(to, "{key}{value}").expect("a string takes all");
    }
}
