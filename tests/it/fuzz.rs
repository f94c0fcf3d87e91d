//! The fuzz targets over their seeds: what they hold is true of them, and the crate that runs them for longer has what it compiles.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::repository;

#[path = "../fuzz/src/targets/mod.rs"]
mod targets;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 7] = [
    ("cloudtrail_json", targets::cloudtrail_json::run),
    ("decode", targets::decode::run),
    ("glue_job_run", targets::glue_job_run::run),
    ("glue_log", targets::glue_log::run),
    ("guardduty_finding", targets::guardduty_finding::run),
    ("inflate", targets::inflate::run),
    ("vpc_flow", targets::vpc_flow::run),
];

#[test]
fn every_target_holds_for_its_seeds() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new(repository("tests/fuzz/seeds.sh")).arg(folder.path()).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    for (name, run) in TARGETS {
        let seeds = walkdir::WalkDir::new(folder.path().join(name)).sort_by_file_name();
        let mut count = 0;
        for seed in seeds.into_iter().map(Result::unwrap).filter(|seed| seed.file_type().is_file()) {
            let bytes = fs::read(seed.path()).unwrap();
            let held = std::panic::catch_unwind(|| run(&bytes));
            assert!(held.is_ok(), "{name} does not hold for {}", seed.path().display());
            count += 1;
        }
        assert!(count >= 2, "{name} has {count} seeds");
    }
    let targets: Vec<String> = lines("tests/fuzz/Cargo.toml")
        .iter()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\"").map(str::to_owned))
        .collect();
    let mut here: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    here.sort_by_key(|name| targets.iter().position(|target| target == name));
    assert_eq!(targets, here, "all targets are run here");
}

/// That crate compiles some of the program's modules; it is built by hand, so that nobody sees when it cannot be.
#[test]
fn the_fuzz_crate_has_the_modules_and_packages_of_what_it_compiles() {
    let packages = |manifest: &str| -> BTreeMap<String, String> {
        let lines = lines(manifest);
        let section = lines.iter().skip_while(|line| *line != "[dependencies]").skip(1);
        let section = section.take_while(|line| !line.starts_with('['));
        section.filter_map(|line| line.split_once(" = ")).map(|(name, of)| (name.to_owned(), of.to_owned())).collect()
    };
    let (own, fuzz) = (packages("Cargo.toml"), packages("tests/fuzz/Cargo.toml"));
    let modules: Vec<String> = lines("tests/fuzz/src/lib.rs")
        .iter()
        .filter_map(|line| line.strip_prefix("    pub mod ")?.strip_suffix(';').map(str::to_owned))
        .collect();
    assert!(modules.len() > 5, "{modules:?}");
    let mut wrong = Vec::new();
    for (path, text) in modules.iter().flat_map(|module| files(module)) {
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for used in code.split("crate::").skip(1) {
            let used: String = used.chars().take_while(|next| next.is_alphanumeric() || *next == '_').collect();
            if !modules.contains(&used) {
                wrong.push(format!("{path} uses {used}, which is no module there"));
            }
        }
        for (name, of) in &own {
            // what a package is called in code
            let word = if name == "md-5" { "md5".to_owned() } else { name.replace('-', "_") };
            let is_own = code.contains(&format!("super::{word}")) || code.contains(&format!("super::{{{word}"));
            let is_used = !is_own
                && code.match_indices(&format!("{word}::")).any(|(at, _)| {
                    !code[..at].ends_with(|before: char| before.is_alphanumeric() || "_:".contains(before))
                });
            if is_used && fuzz.get(name) != Some(of) {
                wrong.push(format!("{path} uses {name} = {of}, which is {:?} there", fuzz.get(name)));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The files of a module of the program but its tests.
fn files(module: &str) -> Vec<(String, String)> {
    let found = [repository(&format!("src/{module}.rs")), repository(&format!("src/{module}"))];
    let found = found.iter().filter(|path| path.exists()).flat_map(walkdir::WalkDir::new).map(Result::unwrap);
    let is_source = |path: &Path| path.extension().is_some_and(|extension| extension == "rs");
    let is_test = |path: &Path| path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests");
    found
        .map(walkdir::DirEntry::into_path)
        .filter(|path| is_source(path) && !is_test(path.strip_prefix(repository("src")).unwrap()))
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()))
        .collect()
}

fn lines(path: &str) -> Vec<String> {
    fs::read_to_string(repository(path)).unwrap().lines().map(str::to_owned).collect()
}
