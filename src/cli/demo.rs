//! `weir demo`: the worker over the sample logs inside this program.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Args;

use super::output::{self, Failure, OrFail};
use super::progress::Shown;
use super::{configured, run};
use crate::config::Config;
use crate::pipeline::summary::counted;
use crate::sink::table::plain;
use crate::sink::{self, Format};
use crate::time::Timestamp;
use crate::triage::incident::incidents;

/// The files of `tests/data/demo`, by path.
static FILES: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/demo.rs"));

/// A folder with this file is ours, and may be emptied.
const MARK: &str = ".weir-demo";

#[derive(Args)]
pub struct Demo {
    /// Folder for the sample logs and the archive; an earlier demo in it is replaced
    #[arg(long, value_name = "DIR", default_value = "weir-demo")]
    dir: PathBuf,
}

pub fn run(flags: &Demo) -> Result<ExitCode, Failure> {
    let dir = &flags.dir;
    unpack(dir).or_output()?;
    let mut config = Config { from: vec![dir.join("logs").display().to_string()], ..Config::default() };
    config.archive.dir = dir.join("archive").display().to_string();
    let sources = configured::sources(&config, false).or_usage()?;
    let outcome = run::work(&config, sources, None, &Shown::Spinner)?;
    if outcome.summary.stopped {
        output::say("weir: stopped before the end of the sample logs; the next demo begins anew");
    } else {
        show(dir, &outcome).or_output()?;
    }
    Ok(run::verdict(&outcome, &[], None))
}

fn show(dir: &Path, outcome: &crate::pipeline::Outcome) -> anyhow::Result<()> {
    let mut out = output::open("-")?;
    sink::write(Format::Table, &outcome.findings, output::look("-"), Timestamp::now(), &mut out)?;
    writeln!(out)?;
    let incidents = incidents(&outcome.findings);
    if let Some(first) = incidents.first() {
        let (who, title) = (first.who().join(" and "), &first.lead().title);
        let findings = counted(first.size as u64, "finding");
        let first = format!("{who}: {title} ({findings}, {:.1} bits)", first.score);
        writeln!(out, "{}; the first: {}\n", counted(incidents.len() as u64, "incident"), plain(&first))?;
    }
    outcome.summary.show(&mut out)?;
    writeln!(
        out,
        "sample logs: {} (where each came from: {})",
        dir.join("logs").display(),
        dir.join("SOURCE.md").display()
    )?;
    let archive = dir.join("archive").display().to_string();
    let logs = dir.join("logs").display().to_string();
    let first = outcome.findings.first().map(|finding| finding.id.to_string()).unwrap_or_default();
    writeln!(out, "\nTry next:")?;
    writeln!(out, "  weir incidents --archive {archive}")?;
    writeln!(out, "  weir run --from {logs} --archive {archive} --explain {}", first.get(..8).unwrap_or_default())?;
    writeln!(
        out,
        "  weir sql \"SELECT eventName, userIdentity.arn, count(*) AS calls FROM cloudtrail WHERE errorCode IS NOT NULL GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 10\" --archive {archive}"
    )?;
    writeln!(out, "  weir run --from YOUR-LOGS --archive weir-archive")?;
    out.flush()?;
    Ok(())
}

/// Writes the sample logs to `DIR/logs`, in place of an earlier demo.
fn unpack(dir: &Path) -> anyhow::Result<()> {
    let mark = dir.join(MARK);
    let elsewhere = "choose another folder with --dir";
    if dir.exists() {
        let empty =
            fs::read_dir(dir).with_context(|| format!("reading {}: {elsewhere}", dir.display()))?.next().is_none();
        if !empty && !mark.exists() {
            return Err(anyhow!("{} is not an earlier demo and not empty: {elsewhere}", dir.display()));
        }
        for part in ["logs", "archive"] {
            let part = dir.join(part);
            if part.exists() {
                fs::remove_dir_all(&part).with_context(|| format!("removing the earlier demo's {}", part.display()))?;
            }
        }
    }
    fs::create_dir_all(dir).with_context(|| format!("making {}: {elsewhere}", dir.display()))?;
    fs::write(&mark, "made by weir demo, which empties this folder when it runs again\n")
        .with_context(|| format!("writing {}: {elsewhere}", mark.display()))?;
    for (name, bytes) in FILES {
        // the page about the logs is no log
        let path = if *name == "SOURCE.md" { dir.join(name) } else { dir.join("logs").join(name) };
        let folder = path.parent().expect("a file lies in a folder");
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
