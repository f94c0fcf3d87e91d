//! What is written about the program is true of it.

use std::fs;

use crate::support::{repository, text, weir};

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

#[test]
fn files_that_are_named_are_there() {
    let mut missing = Vec::new();
    for page in ["README.md", "ARCHITECTURE.md"] {
        let text = fs::read_to_string(repository(page)).unwrap();
        for name in text.split('`').skip(1).step_by(2) {
            let looks_like_a_path =
                ["src/", "queries/", "tests/", "deploy/", "benches/"].iter().any(|top| name.starts_with(top));
            if looks_like_a_path && !name.contains(['<', '*', ' ', '{']) && !repository(name).exists() {
                missing.push(format!("{page}: {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
