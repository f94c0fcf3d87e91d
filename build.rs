//! `queries/` and the demo's logs → lists of their files, so that both ship inside the binary.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-env-changed=CARGO_MANIFEST_DIR");
    println!("cargo::rerun-if-changed=queries");
    println!("cargo::rerun-if-changed=tests/data/demo");
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo names the package's folder"));
    let mut files = Vec::new();
    collect(&root.join("queries"), &mut files);
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
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

    let demo = root.join("tests/data/demo");
    let mut files = Vec::new();
    collect(&demo, &mut files);
    files.retain(|path| !path.ends_with("make.py") && !path.ends_with("manifest.json"));
    files.sort();
    let mut list = String::from("[\n");
    for path in files {
        let name = path.strip_prefix(&demo).expect("it was found there").to_string_lossy().replace('\\', "/");
        writeln!(list, "    ({name:?}, include_bytes!({path:?})),").expect("a string takes any text");
    }
    list.push(']');
    fs::write(out.join("demo.rs"), list).expect("the build's folder can be written");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
