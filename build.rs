//! `queries/` → a list of every rule in it, so that rules ship inside the binary.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=queries");
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo names the package's folder"));
    let mut files = Vec::new();
    collect(&root.join("queries"), &mut files);
    files.sort();

    let mut list = String::from("[\n");
    for sql in files {
        let cases = sql.with_extension("cases.jsonl");
        let cases = if cases.exists() { format!("Some(include_str!({cases:?}))") } else { "None".to_owned() };
        let name = sql.strip_prefix(&root).expect("it was found there").to_string_lossy().replace('\\', "/");
        writeln!(list, "    ({name:?}, include_str!({sql:?}), {cases}),").expect("a string takes any text");
    }
    list.push(']');
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo names the build's folder"));
    fs::write(out.join("queries.rs"), list).expect("the build's folder can be written");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("queries/ can be read") {
        let path = entry.expect("queries/ can be read").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "sql") {
            files.push(path);
        }
    }
}
