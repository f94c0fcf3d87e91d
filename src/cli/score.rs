//! `weir score`: what is odd in streams of numbers, edges and alerts, each part measured alone.

mod alerts;
mod edges;
mod lines;
mod series;

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};

use super::output::{self, Failure, OrFail};
use crate::decode::gzip::Gzip;
use crate::sink::table::shortened;
use crate::source::file;

#[derive(Subcommand)]
pub enum Score {
    /// Score each row of a metric by how unusual it is, given the rows before it
    ///
    /// In: CSV with the columns `timestamp` (2014-02-14 14:30:00, RFC 3339, seconds, milli-, micro- or nanoseconds since
    /// 1970) and `value`, or names like these; without times rows are numbered. Out: `timestamp,anomaly_score`, a line for
    /// each row in the same order. A score is 1 - p, where p is the chance of something as unusual under what the metric
    /// did so far; an episode scores above 0.9995 once, and then 0.998 at most. The first 150 rows are learnt, and score 0.
    /// Rows that cannot be read score 0; the first 20 of a file are named on standard error.
    #[command(
        after_help = "Examples:\n  weir score series cpu.csv\n  weir score series metrics/ --output scores/\n  tail -f cpu.csv | weir score series -\n  weir score series hosts.csv --value cpu\n\n  $ printf 'timestamp,value\\n2024-08-01 00:00:00,12.5\\n2024-08-01 00:05:00,12.7\\n' | weir score series\n  timestamp,anomaly_score\n  2024-08-01 00:00:00,0\n  2024-08-01 00:05:00,0\n\nExit codes: 0 done, 2 usage, 3 a file could not be read, or none of its rows, 4 output unwritable"
    )]
    Series(series::Series),
    /// Score each edge of a graph by how odd it is, given the edges before it
    ///
    /// In: `src,dst,tick` lines in the order of their ticks, which are minutes, seconds or times; a header may name these
    /// columns (`src_ip`, `time` and the like) in another order, among others. Out: a score for each line, higher the
    /// odder, from bursts, fan-out, fan-in and rarity of the edge and its nodes. Lines that cannot be read score 0; the first
    /// 20 of them are named on standard error. What is remembered takes at most 64 MiB.
    #[command(
        after_help = "Examples:\n  weir score edges flows.csv --output scores.txt\n  printf '10.0.0.1,10.0.0.2,1\\n10.0.0.1,10.0.0.3,1\\n' | weir score edges\n\nExit codes: 0 done, 2 usage, 3 the input could not be read, 4 output unwritable"
    )]
    Edges(InOut),
    /// Join alerts of other systems into incidents, and rank those
    ///
    /// In: CSV with a header that names `id`, `time` or `timestamp` (RFC 3339, or a number since 1970) and `name`, and `ip`,
    /// `host` and `short` where there are such; alerts in the order of their time. Out: `id,incident,priority`, a line for
    /// each alert in the same order; the priority is that of the incident after the alert, in bits: less than 10 for one
    /// thing never seen before, 25 and more for several stages of an attack. What is remembered takes at most 70 MiB.
    #[command(
        after_help = "Examples:\n  weir score alerts alerts.csv --output incidents.csv\n  printf 'id,time,name,ip,host,short\\n1,1722513600,Port scan,192.0.2.7,web-1,scan\\n' | weir score alerts\n\nExit codes: 0 done, 2 usage, 3 the input could not be read, 4 output unwritable"
    )]
    Alerts(InOut),
}

/// One stream in, one out.
#[derive(Args)]
pub struct InOut {
    /// File, plain or gzip, or `-` for standard input
    #[arg(default_value = "-")]
    input: PathBuf,
    /// File of the answers, `-` for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

impl InOut {
    /// Whether somebody may be waiting for each line of the answer.
    fn is_live(&self) -> bool {
        self.input == Path::new("-")
    }

    /// # Errors
    /// When the file cannot be opened.
    fn read(&self) -> anyhow::Result<BufReader<Box<dyn Read>>> {
        let name = || format!("could not read {}", self.input.display());
        let text = match self.is_live() {
            true => text_of(io::stdin()),
            false if self.input.is_dir() => return Err(anyhow!("it is a folder")).with_context(name),
            false => File::open(&self.input).and_then(text_of),
        };
        Ok(BufReader::with_capacity(1 << 16, text.with_context(name)?))
    }

    /// # Errors
    /// When the file is the one that is read, or cannot be made.
    fn write(&self) -> Result<BufWriter<Box<dyn Write>>, Failure> {
        if file::same(&self.input, &self.output) {
            return Err(Failure::Usage(anyhow!("{} is read: the answers need another place", self.input.display())));
        }
        let out: Box<dyn Write> = match self.output == Path::new("-") {
            true => output::open_data("-").or_output()?,
            false => {
                let writing = || format!("writing {}", self.output.display());
                Box::new(File::create(&self.output).with_context(writing).or_output()?)
            }
        };
        Ok(BufWriter::with_capacity(1 << 16, out))
    }
}

/// What an input says, which may be compressed with gzip: no text begins with the byte that gzip does.
///
/// # Errors
/// When the beginning cannot be read.
fn text_of(input: impl Read + 'static) -> io::Result<Box<dyn Read>> {
    let mut input = BufReader::with_capacity(1 << 16, input);
    let is_gzip = input.fill_buf()?.first() == Some(&0x1f);
    Ok(if is_gzip { Box::new(Gzip::new(input)) } else { Box::new(input) })
}

/// Rows of a file that are named. A metric with gaps has thousands that are alike.
const NAMED_MAX: u64 = 20;
/// Letters of what is said of one: a value may be megabytes.
const LETTERS_MAX: usize = 300;

/// Says what is wrong with a row, after `others` of the same file.
fn say_bad(others: u64, row: impl Display) {
    match others {
        ..NAMED_MAX => output::say(shortened(&row.to_string(), LETTERS_MAX)),
        NAMED_MAX => output::say("weir: further ones are counted"),
        _ => {}
    }
}

/// Says what could not be read; the exit code for it.
fn unread(error: &anyhow::Error) -> ExitCode {
    output::say(format_args!("weir: {error:#}"));
    ExitCode::from(3)
}

pub fn run(command: &Score) -> Result<ExitCode, Failure> {
    match command {
        Score::Series(flags) => series::run(flags),
        Score::Edges(flags) => edges::run(flags),
        Score::Alerts(flags) => alerts::run(flags),
    }
}
