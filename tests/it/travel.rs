//! A rule that waits for a database of places, and says the same of the stream and of the archive once a configuration names one.

use std::fs;

use serde_json::{Value, json};

use crate::support::{code, lines, path, repository, text, weir};

const RULE: &str = "cloudtrail/impossible_travel";

/// The events of the first case: a user in Berlin, and 42 minutes later in Recife.
fn log() -> String {
    let cases = fs::read_to_string(repository("queries/cloudtrail/impossible_travel.cases.jsonl")).unwrap();
    let case: Value = serde_json::from_str(cases.lines().next().unwrap()).unwrap();
    let events: Vec<&Value> = case["events"].as_array().unwrap().iter().map(|one| &one["event"]).collect();
    json!({ "Records": events }).to_string()
}

#[test]
fn it_waits_for_a_database_and_then_tells_the_same_of_stream_and_archive() {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let output = weir(words, folder.path());
        assert_eq!((code(&output), text(&output.stderr).as_str()), (0, ""), "{words:?}");
        output.stdout
    };
    fs::write(folder.path().join("log.json"), log()).unwrap();
    let database = path(&repository("tests/data/geo/documentation.mmdb"));
    fs::write(folder.path().join("weir.toml"), format!("[reference.city]\npath = '{database}'\n")).unwrap();

    let found = |words: &[&str]| {
        let all = ["run", "--from", "log.json", "--format", "ndjson", "--summary", "none"];
        let output = weir(&[&all, words].concat(), folder.path());
        assert_eq!(code(&output), 0, "{}", text(&output.stderr));
        lines(&output.stdout).into_iter().filter(|finding| finding["rule"] == RULE).collect::<Vec<_>>()
    };
    assert_eq!(found(&["--archive", "none"]), [Value::Null; 0]);
    let listed = text(&run(&["rules", "list"]));
    let line = listed.lines().find(|line| line.starts_with(RULE)).unwrap();
    assert!(line.ends_with(" (waits for [reference.city])"), "{line}");
    let waits = format!("{RULE} waits for [reference.city], which the configuration does not have\n");
    assert!(text(&run(&["rules", "check"])).contains(&waits));

    let listed = text(&run(&["rules", "list", "-c", "weir.toml"]));
    assert!(!listed.contains("waits for"), "{listed}");
    assert!(!text(&run(&["rules", "check", "-c", "weir.toml"])).contains("waits for"));
    let [finding] = &found(&["-c", "weir.toml", "--archive", "a"])[..] else { panic!("one finding") };
    let journey = "8135 km in 42 min, from 52.52, 13.4 to -8.05, -34.9";
    assert_eq!(finding["evidence"]["journey"], journey, "{finding}");

    let output = weir(&["backtest", RULE, "--archive", "a"], folder.path());
    let waits = format!("weir: rule left out: {RULE} waits for [reference.city] of the configuration (-c)\n");
    assert!(code(&output) == 2 && text(&output.stderr).starts_with(&waits), "{}", text(&output.stderr));

    let rule = text(&run(&["rules", "show", RULE]));
    let rows = lines(&run(&["sql", &rule, "-c", "weir.toml", "--archive", "a", "--format", "ndjson"]));
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["journey"], journey);
    assert_eq!(rows[0]["km_per_hour"], 11622.0);
}

#[test]
fn distances_are_asked_of_the_archive_too() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("a/_weir")).unwrap();
    let ask = |sql: &str| weir(&["sql", sql, "--archive", "a", "--format", "csv"], folder.path());
    let output =
        ask("SELECT round(great_circle_km(52.52, '13.4', -8, null)) AS a, round(great_circle_km(0, 0, 0, 1)) AS b");
    assert_eq!((text(&output.stderr), text(&output.stdout)), (String::new(), "a,b\n,111.0\n".to_owned()));
    let output = ask("SELECT great_circle_km(1, 2, true, 4)");
    assert!(text(&output.stderr).contains("takes latitude and longitude of one place and of another, in degrees"));
}
