//! What is written about the program is true of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{code, repository, text, weir};

#[test]
fn generated_pages_are_fresh() {
    for (file, arguments) in [
        ("queries/TABLES.md", &["tables", "--markdown"][..]),
        ("queries/RULES.md", &["rules", "list", "--markdown"]),
        ("queries/COVERAGE.md", &["rules", "coverage"]),
        ("deploy/weir.schema.json", &["config", "schema"]),
    ] {
        let output = weir(arguments, &repository("."));
        let page = fs::read_to_string(repository(file)).unwrap_or_default();
        assert!(page == text(&output.stdout), "{file} is stale: run `just docs`");
    }
}

/// The pages that people write, with their texts. The changelog speaks of what was.
fn pages() -> Vec<(PathBuf, String)> {
    let mut pages = vec![PathBuf::from("README.md"), PathBuf::from("ARCHITECTURE.md")];
    for folder in ["deploy", "queries", "benches"] {
        let files = walkdir::WalkDir::new(repository(folder)).sort_by_file_name().into_iter();
        let files = files.map(|entry| entry.unwrap().into_path());
        let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
        pages.extend(files.map(|path| path.strip_prefix(repository(".")).unwrap().to_owned()));
    }
    pages.into_iter().map(|page| (page.clone(), fs::read_to_string(repository(".").join(page)).unwrap())).collect()
}

#[test]
fn files_that_are_named_are_there() {
    let mut missing = Vec::new();
    for (page, text) in pages() {
        for name in text.split('`').skip(1).step_by(2) {
            let looks_like_a_path =
                ["src/", "queries/", "tests/", "deploy/", "benches/"].iter().any(|top| name.starts_with(top));
            if looks_like_a_path && !name.contains(['<', '*', ' ', '{', '\n']) && !repository(name).exists() {
                missing.push(format!("{}: {name}", page.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn links_lead_to_pages_and_headings_that_are_there() {
    let (mut broken, mut links) = (Vec::new(), 0);
    for (page, text) in pages() {
        let folder = page.parent().unwrap();
        for target in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if target.contains(['\n', ' ', '\'']) || target.starts_with("http") {
                continue;
            }
            links += 1;
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { page.clone() } else { folder.join(file) };
            let there = fs::read_to_string(repository(".").join(&file)).unwrap_or_default();
            let is_there = match heading {
                "" => repository(".").join(&file).exists(),
                heading => anchors(&there).contains(heading),
            };
            if !is_there {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(links > 50, "only {links} links were found: are the pages still read as they are written?");
}

/// What the headings of a page are called in links: small letters, no punctuation, a dash for each space.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings =
        page.lines().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#').trim());
    let letter = |letter: char| match letter {
        ' ' => Some('-'),
        letter if letter.is_alphanumeric() || letter == '-' || letter == '_' => Some(letter.to_ascii_lowercase()),
        _ => None,
    };
    headings.map(|heading| heading.chars().filter_map(letter).collect()).collect()
}

/// Every `weir` command of a block of shell has a subcommand and flags that the program knows.
#[test]
fn commands_that_are_shown_are_known() {
    let (mut wrong, mut commands, mut helps) = (Vec::new(), 0, BTreeMap::new());
    for (page, text) in pages() {
        let blocks = text.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
        for line in blocks.flat_map(str::lines) {
            for command in line.split(" | ").filter_map(|part| part.trim().strip_prefix("weir ")) {
                commands += 1;
                let command = without_quoted(command.split(" #").next().unwrap());
                let words: Vec<&str> = command.split_whitespace().collect();
                let names = if ["rules", "score", "config"].contains(&words[0]) { 2 } else { 1 };
                let names = words[..names].join(" ");
                let help = helps.entry(names.clone()).or_insert_with(|| help(&names));
                for flag in words.iter().filter(|word| word.starts_with('-') && word.len() > 1) {
                    if !help.split([' ', ',', '\n']).any(|known| known == *flag) {
                        wrong.push(format!("{}: weir {names} has no {flag}", page.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(commands > 40, "only {commands} commands were found: are the pages still read as they are written?");
}

fn help(names: &str) -> String {
    let arguments: Vec<&str> = names.split(' ').chain(["--help"]).collect();
    let output = weir(&arguments, Path::new("."));
    assert_eq!(code(&output), 0, "weir {names}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// A command without what stands in quotes, which may have dashes of its own.
fn without_quoted(command: &str) -> String {
    let single: String = command.split('\'').step_by(2).collect();
    single.split('"').step_by(2).collect()
}

#[test]
fn the_readme_counts_the_rules() {
    let files = walkdir::WalkDir::new(repository("queries")).into_iter().map(|entry| entry.unwrap().into_path());
    let rules = files.filter(|path| path.extension().is_some_and(|extension| extension == "sql")).count();
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    for says in [format!("{rules} detection rules"), format!("{rules} SQL rules"), format!("all {rules} rules")] {
        assert!(readme.contains(&says), "README.md should say `{says}`");
    }
}
