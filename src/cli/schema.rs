//! `weir config schema`: `deploy/example.toml`, which has every key with its default and its meaning → a JSON schema of
//! `weir.toml`, for editors and for whoever writes it with a program.

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::output::{Failure, OrFail};
use super::print;

/// Tables whose keys are the user's own, and what the type of each key is.
const FREE: [(&str, &str); 2] = [
    ("sigma.placeholders", r#"{ "type": "array", "items": { "type": "string" } }"#),
    ("aws.s3.bucket_owners", r#"{ "type": "string" }"#),
];

/// A table of tables whose names are the user's own: what one of them has holds for all.
const NAMED: &str = "reference";

const EXAMPLE: &str = include_str!("../../deploy/example.toml");

#[derive(Subcommand)]
pub enum Config {
    /// Print the JSON schema of the configuration file
    #[command(after_help = "Example:\n  weir config schema > weir.schema.json")]
    Schema,
}

pub fn run(command: &Config) -> Result<ExitCode, Failure> {
    match command {
        Config::Schema => {
            let schema = schema(EXAMPLE).or_output()?;
            print(format!("{schema:#}\n").as_bytes())
        }
    }
}

/// Keys that are commented out are optional: they have a meaning and a type, and no default.
fn schema(example: &str) -> anyhow::Result<Value> {
    let mut root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "weir.toml",
        "type": "object",
        "properties": {},
        "additionalProperties": false,
    });
    let (mut path, mut about): (Vec<String>, Vec<&str>) = (Vec::new(), Vec::new());
    let mut listed = false;
    for line in example.lines() {
        let (text, is_set) = match line.strip_prefix("# ") {
            Some(rest) if is_setting(rest) => (rest, false),
            Some(rest) => {
                about.push(rest);
                continue;
            }
            None => (line, true),
        };
        if let Some(name) = text.strip_prefix('[') {
            listed = name.starts_with('[');
            path = name.trim_matches(['[', ']']).split('.').map(str::to_owned).collect();
            let section = section(&mut root, &path, listed);
            describe(section, &about);
            if let Some(of_key) = free(&path) {
                section["additionalProperties"] = serde_json::from_str(of_key)?;
            }
        } else if let Some((key, _)) = text.split_once(" = ") {
            let value: toml::Table = text.parse().with_context(|| format!("in the example: {text}"))?;
            let mut property = typed(&value[key]);
            // the values in a list of tables are examples
            let is_default = is_set && !listed && !is_required(&path);
            if is_default {
                property["default"] = serde_json::to_value(&value[key])?;
            }
            describe(&mut property, &about);
            if free(&path).is_none() {
                section(&mut root, &path, listed)["properties"][key] = property;
            }
        }
        about.clear();
    }
    if let Some(named) = root["properties"].get_mut(NAMED) {
        let examples = named["properties"].take();
        named["additionalProperties"] = examples.as_object().and_then(|tables| tables.values().next()).cloned().into();
        named["properties"] = json!({});
    }
    Ok(root)
}

fn free(path: &[String]) -> Option<&'static str> {
    FREE.iter().find(|(of_user, _)| *of_user == path.join(".")).map(|(_, of_key)| *of_key)
}

/// A commented line that sets a key, rather than to say something.
fn is_setting(text: &str) -> bool {
    let key = text.split_once(" = ").map(|(key, _)| key);
    key.is_some_and(|key| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
}

/// A sink has no defaults for where it is, leases none for their table, and a list none for where it comes from.
fn is_required(path: &[String]) -> bool {
    path.first().is_some_and(|first| first == "sink" || first == NAMED)
        || path.last().is_some_and(|last| last == "leases")
}

/// The schema of the table at a path, which is made when it is new.
fn section<'a>(root: &'a mut Value, path: &[String], listed: bool) -> &'a mut Value {
    let mut at = root;
    for (depth, name) in path.iter().enumerate() {
        let table = json!({ "type": "object", "properties": {}, "additionalProperties": false });
        let is_list = listed && depth + 1 == path.len();
        let properties = at["properties"].as_object_mut().expect("every table has properties");
        let made = if is_list { json!({ "type": "array", "items": table }) } else { table };
        let entry = properties.entry(name.clone()).or_insert(made);
        at = if is_list { &mut entry["items"] } else { entry };
    }
    at
}

fn describe(schema: &mut Value, about: &[&str]) {
    if !about.is_empty() {
        schema["description"] = json!(about.join(" "));
    }
}

/// The type of a value; of tables, those of their values.
fn typed(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(_) => json!({ "type": "string" }),
        toml::Value::Integer(_) => json!({ "type": "integer" }),
        toml::Value::Float(_) => json!({ "type": "number" }),
        toml::Value::Boolean(_) => json!({ "type": "boolean" }),
        toml::Value::Datetime(_) => json!({ "type": "string" }),
        // lists without an example are of texts
        toml::Value::Array(values) => {
            json!({ "type": "array", "items": values.first().map_or(json!({ "type": "string" }), typed) })
        }
        toml::Value::Table(table) => {
            let properties: Map<String, Value> = table.iter().map(|(key, value)| (key.clone(), typed(value))).collect();
            json!({ "type": "object", "properties": properties, "additionalProperties": false })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_types_meanings_and_defaults() {
        let example = "# what to read\nfrom = []\n# never set\n# table = \"x\"\n\n[limits]\n# seconds\n# of waiting\nwait = 3\n\
                       [[suppress]]\n# why\nreason = \"r\"\n[reference.bad]\n# a file\npath = \"p\"\n";
        let schema = schema(example).unwrap();
        let properties = json!({
            "from": { "type": "array", "items": { "type": "string" }, "default": [], "description": "what to read" },
            "table": { "type": "string", "description": "never set" },
            "limits": {
                "type": "object",
                "properties": { "wait": { "type": "integer", "default": 3, "description": "seconds of waiting" } },
                "additionalProperties": false,
            },
            "suppress": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": { "reason": { "type": "string", "description": "why" } },
                    "additionalProperties": false,
                },
            },
            "reference": {
                "type": "object",
                "properties": {},
                "additionalProperties": {
                    "type": "object",
                    "properties": { "path": { "type": "string", "description": "a file" } },
                    "additionalProperties": false,
                },
            },
        });
        assert_eq!(schema["properties"], properties);
    }
}
