//! `weir rules new`: a rule to begin with, and its cases.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::detect::library;

#[derive(Args)]
pub struct New {
    /// Table and name, the id that the rule will have: cloudtrail/key_made
    #[arg(value_name = "TABLE/NAME")]
    id: String,
    /// Folder of rules to write it into; made when it is not there
    #[arg(long, value_name = "DIR", default_value = "my-rules")]
    dir: PathBuf,
}

/// By table, a rule and its cases.
const SKELETONS: [(&str, &str, &str); 4] = [
    ("cloudtrail", include_str!("skeleton/cloudtrail.sql"), include_str!("skeleton/cloudtrail.cases.jsonl")),
    ("vpc_flow", include_str!("skeleton/vpc_flow.sql"), include_str!("skeleton/vpc_flow.cases.jsonl")),
    ("glue_job_run", include_str!("skeleton/glue_job_run.sql"), include_str!("skeleton/glue_job_run.cases.jsonl")),
    ("glue_log", include_str!("skeleton/glue_log.sql"), include_str!("skeleton/glue_log.cases.jsonl")),
];

pub fn run(out: &mut impl Write, flags: &New) -> Result<ExitCode> {
    let Some((table, name)) = flags.id.split_once('/') else {
        bail!("`{}` is no id: write the table and a name, such as cloudtrail/key_made", flags.id);
    };
    let Some((_, sql, cases)) = SKELETONS.iter().find(|(known, ..)| *known == table) else {
        let tables: Vec<&str> = SKELETONS.iter().map(|(table, ..)| *table).collect();
        bail!("there is no example of a rule over `{table}`; there are {}", tables.join(", "));
    };
    let letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    if name.is_empty() || !name.chars().all(letter) {
        bail!("`{name}` is no name of a rule: it has small letters, digits and `_`");
    }
    if library::built_in().iter().any(|known| known.id == flags.id) {
        bail!("the rule {0} is inside the program, and one of its id replaces it: weir rules show {0}", flags.id);
    }
    let rule = flags.dir.join(table).join(format!("{name}.sql"));
    let beside = rule.with_extension("cases.jsonl");
    // both are looked at before either is written
    if let Some(there) = [&rule, &beside].into_iter().find(|path| path.exists()) {
        bail!("{} is there already: nothing was written", there.display());
    }
    let folder = flags.dir.join(table);
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    write(&rule, sql)?;
    write(&beside, cases)?;
    writeln!(out, "{}\n{}", rule.display(), beside.display())?;
    writeln!(out, "edit them, then: weir rules test {} --mutate", flags.dir.display())?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a file that is not there.
fn write(path: &Path, text: &str) -> Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).open(path);
    let made = made.and_then(|mut file| file.write_all(text.as_bytes()));
    match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!("{} is there already", path.display()),
        made => made.with_context(|| format!("writing {}", path.display())),
    }
}
