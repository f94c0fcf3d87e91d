//! `weir score`: what is odd in streams of numbers, edges and alerts, each part measured alone.

mod series;

use std::process::ExitCode;

use clap::Subcommand;

use super::output::Failure;

#[derive(Subcommand)]
pub enum Score {
    /// Score each row of a metric by how unusual it is, given the rows before it
    ///
    /// In: CSV with the columns `timestamp` (2014-02-14 14:30:00, RFC 3339, seconds or milliseconds since 1970) and
    /// `value`. Out: `timestamp,anomaly_score`, a line for each row in the same order. A score is 1 - p, where p is the
    /// chance of something as unusual under what the metric did so far; an episode scores high once. A row that cannot be
    /// read is named on standard error and scores 0.
    #[command(
        after_help = "Examples:\n  weir score series cpu.csv\n  weir score series metrics/ --output scores/\n  tail -f cpu.csv | weir score series -\n\n  $ printf 'timestamp,value\\n2024-08-01 00:00:00,12.5\\n2024-08-01 00:05:00,12.7\\n' | weir score series\n  timestamp,anomaly_score\n  2024-08-01 00:00:00,0\n  2024-08-01 00:05:00,0\n\nExit codes: 0 done, 2 usage, 3 a file could not be read, 4 output unwritable"
    )]
    Series(series::Series),
}

pub fn run(command: &Score) -> Result<ExitCode, Failure> {
    match command {
        Score::Series(flags) => series::run(flags),
    }
}
