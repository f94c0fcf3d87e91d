//! `deploy/example.toml` has every key that the program knows, and the schema that is made of it accepts what the program does.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::deploy::python;
use crate::support::{code, path, repository, text, weir};

fn schema() -> Value {
    let output = weir(&["config", "schema"], &repository("."));
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Paths of everything in a schema, such as `aws.assume_role.arn`.
fn paths(schema: &Value, prefix: &str, found: &mut BTreeSet<String>) {
    let schema = schema.get("items").unwrap_or(schema);
    for (key, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = format!("{prefix}{key}");
        paths(schema, &format!("{path}."), found);
        found.insert(path);
    }
}

/// The keys that the program itself names when it finds one that it does not know; none where there is no table.
fn known(path: &[&str]) -> Vec<String> {
    let nest = |innermost: &str| {
        let (last, outer) = path.split_last()?;
        let text =
            outer.iter().rev().fold(format!("{last} = {innermost}"), |text, key| format!("{key} = {{ {text} }}"));
        Some(text)
    };
    let unknown = "no_such_key = 1";
    for text in [nest(&format!("{{ {unknown} }}")), nest(&format!("[{{ {unknown} }}]"))] {
        let error =
            toml::from_str::<weir::config::Config>(&text.unwrap_or(unknown.to_owned())).unwrap_err().to_string();
        if let Some((_, expected)) = error.split_once("unknown field `no_such_key`, expected") {
            return expected.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        }
    }
    Vec::new()
}

fn all_known(path: &[&str], found: &mut BTreeSet<String>) {
    for key in known(path) {
        let path = [path, &[key.as_str()]].concat();
        found.insert(path.join("."));
        all_known(&path, found);
    }
}

#[test]
fn the_example_has_every_key_and_no_other() {
    let (mut in_example, mut in_program) = (BTreeSet::new(), BTreeSet::new());
    paths(&schema(), "", &mut in_example);
    all_known(&[], &mut in_program);
    assert!(in_program.contains("source.kinesis.assume_role.external_id"), "{in_program:?}");
    let missing: Vec<_> = in_program.difference(&in_example).collect();
    let strange: Vec<_> = in_example.difference(&in_program).collect();
    assert!(
        missing.is_empty() && strange.is_empty(),
        "not in the example: {missing:?}; not in the program: {strange:?}"
    );
}

#[test]
fn every_key_has_a_sentence() {
    let schema = schema();
    let lists = |schema: &Value| schema.get("items").unwrap_or(schema).get("properties").cloned();
    let mut wordless = Vec::new();
    for (name, section) in schema["properties"].as_object().unwrap() {
        // what is in a list of tables, or in a table that is a value, is told of above it
        let of_values = ["suppress", "assets"].contains(&name.as_str());
        for (key, property) in lists(section).as_ref().and_then(Value::as_object).into_iter().flatten() {
            let inner = lists(property).filter(|_| property.get("description").is_none());
            let told = |property: &Value| of_values || property.get("description").is_some();
            match inner.as_ref().and_then(Value::as_object) {
                Some(inner) if !inner.is_empty() => {
                    wordless.extend(
                        inner.iter().filter(|(_, one)| !told(one)).map(|(last, _)| format!("{name}.{key}.{last}")),
                    );
                }
                _ if !told(property) => wordless.push(format!("{name}.{key}")),
                _ => {}
            }
        }
    }
    assert!(wordless.is_empty(), "{wordless:?}");
}

#[test]
fn the_schema_judges_as_the_program_does() {
    let Some(python) = python("jsonschema") else { return };
    let folder = tempfile::tempdir().unwrap();
    let example = fs::read_to_string(repository("deploy/example.toml")).unwrap();
    let cases = [
        (example.clone(), true),
        (String::new(), true),
        ("[sigma.placeholders]\nadmins = ['a']\n".to_owned(), true),
        ("[aws]\nassume_role = { arn = 'a', external_id = 'b' }\n".to_owned(), true),
        ("[aws.s3.bucket_owners]\ncentral-trail = '444455556666'\n".to_owned(), true),
        ("[aws.s3.bucket_owners]\ncentral-trail = 444455556666\n".to_owned(), false),
        ("[archive]\ndri = 'x'\n".to_owned(), false),
        ("[limits]\ncommit_seconds = 'soon'\n".to_owned(), false),
        ("[aws]\nassume_role = { arm = 'a' }\n".to_owned(), false),
        ("[sigma.placeholders]\nadmins = 'a'\n".to_owned(), false),
        ("from = 'logs'\n".to_owned(), false),
        ("own_accounts = ['111122223333']\n".to_owned(), true),
        ("own_accounts = [111122223333]\n".to_owned(), false),
    ];
    let script = "import json, sys, tomllib, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
sys.exit(not jsonschema.Draft202012Validator(schema).is_valid(tomllib.load(open(sys.argv[2], 'rb'))))";
    for (config, expected) in cases {
        let file = folder.path().join("weir.toml");
        fs::write(&file, &config).unwrap();
        let schema = path(&repository("deploy/weir.schema.json"));
        let judged = Command::new(&python).args(["-c", script, &schema, &path(&file)]).output().unwrap();
        assert_eq!(judged.status.success(), expected, "{config}: {}", text(&judged.stderr));
        assert_eq!(toml::from_str::<weir::config::Config>(&config).is_ok(), expected, "{config}");
    }
}
