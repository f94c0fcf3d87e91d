//! `weir backfill`: what is already in a bucket, by day.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::anyhow;
use clap::Args;

use super::output::{self, Failure};
use super::progress::Shown;
use super::run::{Common, work};
use crate::pipeline::summary::{Summary, counted};
use crate::source::Source;
use crate::source::layout::{Range, Wanted};
use crate::source::plan::Address;
use crate::source::s3::backfill::{Config, Progress};

#[derive(Args)]
pub struct Backfill {
    /// s3://BUCKET/PREFIX: a bucket, a folder above or inside AWSLogs/, a plain folder of logs, or one object
    #[arg(value_name = "URL")]
    address: String,
    /// Only files that may have events from this day or time on (UTC): 2024-08-01 or 2024-08-01T12:00:00Z. Such a file is read whole
    #[arg(long, value_name = "DAY|TIME")]
    since: Option<String>,
    /// Only files that may have events up to this day (and with it) or time (and without it): delivered up to six hours later
    #[arg(long, value_name = "DAY|TIME")]
    until: Option<String>,
    /// Only this account; repeat it for more
    #[arg(long, value_name = "ID")]
    account: Vec<String>,
    /// Only this Region; repeat it for more
    #[arg(long, value_name = "REGION")]
    region: Vec<String>,
    #[command(flatten)]
    common: Common,
}

pub fn run(flags: &Backfill) -> Result<ExitCode, Failure> {
    let config = flags.common.configuration()?;
    let wrong = |why: String| Failure::Usage(anyhow!(why));
    if let Some(account) =
        flags.account.iter().find(|id| id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Err(wrong(format!("--account: `{account}` is not twelve digits")));
    }
    let wanted = Wanted {
        range: Range::parse(flags.since.as_deref(), flags.until.as_deref()).map_err(wrong)?,
        accounts: flags.account.clone(),
        regions: flags.region.clone(),
    };
    let progress = Arc::default();
    let source = Source::Backfill(Config {
        address: Address::parse(&flags.address).map_err(wrong)?,
        wanted,
        settings: config.source.s3.clone(),
        progress: Arc::clone(&progress),
    });
    flags.common.try_outputs(&config)?;
    let outcome = work(&config, vec![source], None, &Shown::Backfill(Arc::clone(&progress)))?;
    let known = progress.folders_known.load(Ordering::Relaxed);
    if known > 0 {
        let folders = counted(known, "folder");
        output::say(format_args!("weir: {folders} of days had been read before: what came there since is not read"));
    }
    if found_nothing(&progress, &outcome.summary) {
        output::say(format_args!(
            "weir: {} has nothing of what is wanted: look at the prefix, --since, --until, --account and --region",
            flags.address
        ));
    }
    let refused = flags.common.show(&outcome)?;
    flags.common.conclude(&outcome, &refused)
}

/// Whether a run came to its end and there was nothing to read, now or before: a misspelt Region looks the same.
fn found_nothing(progress: &Progress, summary: &Summary) -> bool {
    let known = progress.folders_known.load(Ordering::Relaxed);
    let read = summary.files_read + summary.files_already_read + known;
    read == 0 && summary.unreadable.is_empty() && !summary.stopped
}
