//! The rules of the house that a search can check.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::repository;

fn sources() -> Vec<(PathBuf, String)> {
    walkdir::WalkDir::new(repository("src"))
        .sort_by_file_name()
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| (path.strip_prefix(repository("src")).unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect()
}

/// The top-level modules in reading order.
fn modules() -> Vec<String> {
    let lib = fs::read_to_string(repository("src/lib.rs")).unwrap();
    lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';').map(str::to_owned)).collect()
}

#[test]
fn a_module_uses_only_modules_above_it() {
    let order: BTreeMap<String, usize> = modules().into_iter().enumerate().map(|(place, name)| (name, place)).collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let first = path.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let module = first.trim_end_matches(".rs");
        let Some(own) = order.get(module) else { continue };
        // tests may look down
        if path.ends_with("tests.rs") {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for used in code.split("crate::").skip(1) {
            let name: String = used.chars().take_while(|next| next.is_alphanumeric() || *next == '_').collect();
            if order.get(&name).is_some_and(|place| place > own) {
                wrong.push(format!("{} uses {name}, which stands below {module}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pure_stages_open_nothing_and_read_no_clock() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let name = path.display().to_string();
        if !["decode/", "logs/", "sigma/", "detect/", "triage/", "score/", "rule", "finding"]
            .iter()
            .any(|pure| name.starts_with(pure))
            || name.ends_with("tests.rs")
        {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap();
        for forbidden in [
            "std::net::Tcp",
            "tokio::",
            "fs::read",
            "fs::write",
            "File::open",
            "File::create",
            "Timestamp::now",
            "SystemTime",
        ] {
            if code.contains(forbidden) {
                wrong.push(format!("{name}: {forbidden}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_says_what_it_is_and_nothing_is_left_open() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let name = path.display().to_string();
        if !text.starts_with("//! ") && name != "main.rs" && !name.ends_with("tests.rs") {
            wrong.push(format!("{name} does not open with //!"));
        }
        for open in ["todo!(", "unimplemented!(", "FIXME", "dbg!("] {
            if text.contains(open) {
                wrong.push(format!("{name}: {open}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_table_has_its_folder_of_rules() {
    for table in weir::logs::TABLES {
        assert!(repository("queries").join(table.name).is_dir(), "queries/{} is missing", table.name);
    }
}

#[test]
fn every_metric_that_is_declared_is_set() {
    let metrics = fs::read_to_string(repository("src/metrics.rs")).unwrap();
    let declared = metrics.lines().filter_map(|line| {
        let (name, kind) = line.trim().strip_prefix("pub ")?.split_once(": ")?;
        let is_metric = kind.contains("Counter") || kind.contains("Gauge");
        (is_metric && !name.starts_with("fn ")).then_some(name)
    });
    let declared: Vec<&str> = declared.collect();
    assert!(declared.contains(&"rows") && declared.contains(&"newest_event_seconds"), "{declared:?}");
    let code: String =
        sources().into_iter().filter(|(path, _)| !path.ends_with("metrics.rs")).map(|(_, text)| text).collect();
    let code: String = code.split_whitespace().collect();
    let is_set = |name: &&str| {
        let uses = format!("METRICS.{name}.");
        let sets = |used: &str| {
            let call = used.split(';').next().unwrap();
            ["inc", "set(", "add(", "sub("].iter().any(|set| call.starts_with(set) || call.contains(&format!(".{set}")))
        };
        code.split(&uses).skip(1).any(sets) || code.contains(&format!("Held::new(METRICS.{name}."))
    };
    let unset: Vec<_> = declared.into_iter().filter(|name| !is_set(name)).collect();
    assert!(unset.is_empty(), "declared and never set: {unset:?}");
}

/// Packages built with other features are other builds: whoever has run the demo would build nearly all of them again for a bench.
#[test]
fn the_benches_are_built_with_what_the_program_is() {
    let packages = |edges: &str| -> BTreeSet<String> {
        let arguments = ["tree", "--locked", "--prefix", "none", "--format", "{p} {f}", "--edges", edges];
        let output = Command::new(env!("CARGO")).args(arguments).current_dir(repository(".")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8(output.stdout).unwrap();
        // a package is told of whole once
        lines.lines().map(|line| line.trim_end_matches(" (*)").trim_end().to_owned()).collect()
    };
    let (program, all) = (packages("normal,build"), packages("normal,build,dev"));
    assert!(program.len() > 100, "{program:?}");
    let otherwise: Vec<&String> = program.difference(&all).collect();
    assert!(otherwise.is_empty(), "the packages of tests want other features of these: {otherwise:#?}");
}
