//! The Python that has DuckDB and chDB, if there is one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A library of another engine, ready to run a statement.
pub struct Library {
    pub name: &'static str,
    python: PathBuf,
    pub version: String,
}

/// Finds a library; says what to install when it is not there.
pub fn library(name: &'static str, wanted: &str) -> Option<Library> {
    let python = python();
    let ask = format!("import {name}; print({name}.__version__)");
    let answer = Command::new(&python).arg("-c").arg(ask).stderr(Stdio::null()).output();
    match answer {
        Ok(answer) if answer.status.success() => {
            let version = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
            Some(Library { name, python, version })
        }
        Ok(_) | Err(_) => {
            println!(
                "{name} is left out: {} does not have it. Install it with\n  \
                 python3 -m venv .tools/python && .tools/python/bin/python -m pip install {name}=={wanted}\n\
                 or name a Python that has it in WEIR_TEST_PYTHON.",
                python.display()
            );
            None
        }
    }
}

/// What the tests use too.
fn python() -> PathBuf {
    std::env::var_os("WEIR_TEST_PYTHON")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/python/bin/python"), PathBuf::from)
}

impl Library {
    /// A process that runs the statement and prints the seconds of CPU time after which the library stood ready.
    pub fn run(&self, statement: &str) -> Command {
        let mut command = Command::new(&self.python);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/end_to_end/sql.py");
        command.arg(script).arg(self.name).arg(statement);
        command
    }

    /// The same, which prints the rows of the answer behind that, with tabs between columns.
    pub fn ask(&self, question: &str) -> Command {
        let mut command = self.run(question);
        command.arg("rows");
        command
    }
}
