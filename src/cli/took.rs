//! `weir rules cost`: what each rule took in a run, the most expensive first.

use std::fs;
use std::io::{Read, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::decode::gzip::Gzip;
use crate::decode::inflate::Compression;
use crate::decode::utf16::Utf16;
use crate::pipeline::summary::{RuleTook, Summary, bytes, counted, grouped};

#[derive(Args)]
pub struct Cost {
    /// What `weir run --summary` wrote; `-` for standard input
    summary: String,
    /// Rules that are shown at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
}

pub fn run(out: &mut impl Write, flags: &Cost) -> Result<ExitCode> {
    let mut text = Vec::new();
    match flags.summary.as_str() {
        "-" => std::io::stdin().read_to_end(&mut text).map(|_| ()).context("reading standard input")?,
        path => text = fs::read(path).with_context(|| format!("reading {path}"))?,
    }
    let summary = summary(&text, &flags.summary)?;
    if summary.rules.is_empty() {
        bail!("no rule looked at anything in the run of {}", flags.summary);
    }
    tell(out, &summary, flags.top)?;
    Ok(ExitCode::SUCCESS)
}

/// What a run wrote, compressed or not.
fn summary(text: &[u8], name: &str) -> Result<Summary> {
    let plain: Box<dyn Read> = match Compression::of(text) {
        Compression::Gzip => Box::new(Gzip::new(text)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(text)?),
        Compression::Utf16(order) => Box::new(Utf16::new(text, order)),
        Compression::None => Box::new(text),
    };
    serde_json::from_reader(plain).with_context(|| format!("{name} is not what `weir run --summary` writes"))
}

fn tell(out: &mut impl Write, summary: &Summary, top: usize) -> Result<()> {
    let mut rules: Vec<(&String, &RuleTook)> = summary.rules.iter().collect();
    rules.sort_by(|(_, a), (_, b)| b.seconds.total_cmp(&a.seconds));
    let all: f64 = rules.iter().map(|(_, took)| took.seconds).sum();
    writeln!(out, "{:<60} {:>10} {:>6} {:>13} {:>11} {:>9}", "RULE", "SECONDS", "SHARE", "ROWS", "MATCHES", "STATE")?;
    for (rule, took) in rules.iter().take(top) {
        writeln!(
            out,
            "{rule:<60} {:>10.6} {:>5.1}% {:>13} {:>11} {:>9}",
            took.seconds,
            100.0 * took.seconds / all.max(f64::MIN_POSITIVE),
            grouped(took.rows),
            grouped(took.matches),
            bytes(took.state_bytes),
        )?;
    }
    let rows = summary.total(|counts| counts.rows);
    writeln!(out, "\n{} took {all:.6} s for {}", counted(rules.len() as u64, "rule"), counted(rows, "row"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_read_compressed_or_not_and_nothing_else_is() {
        let text = serde_json::to_vec(&Summary::default()).unwrap();
        let packed = zstd::bulk::compress(&text, 1).unwrap();
        for bytes in [&text, &packed] {
            assert_eq!(summary(bytes, "s.json").unwrap(), Summary::default());
        }
        let error = summary(b"", "s.json").unwrap_err();
        assert_eq!(error.to_string(), "s.json is not what `weir run --summary` writes");
    }

    #[test]
    fn the_most_expensive_rule_stands_first() {
        let took = |seconds, rows, matches, state_bytes| RuleTook { seconds, rows, matches, state_bytes };
        let mut summary = Summary::default();
        summary.rules.insert("t/cheap".into(), took(0.25, 10, 1, 0));
        summary.rules.insert("t/dear".into(), took(0.75, 12_000, 20, 4_096));
        summary.rules.insert("t/free".into(), took(0.0, 1, 0, 0));
        summary.table("t").rows = 30_000;
        let mut out = Vec::new();
        tell(&mut out, &summary, 2).unwrap();
        let told = String::from_utf8(out).unwrap();
        let lines: Vec<Vec<&str>> = told.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["RULE", "SECONDS", "SHARE", "ROWS", "MATCHES", "STATE"]);
        assert_eq!(lines[1], ["t/dear", "0.750000", "75.0%", "12,000", "20", "4.1", "kB"]);
        assert_eq!(lines[2], ["t/cheap", "0.250000", "25.0%", "10", "1", "0", "B"]);
        assert!(told.ends_with("\n\n3 rules took 1.000000 s for 30,000 rows\n"), "{told}");
    }
}
