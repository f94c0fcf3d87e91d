//! Where a run stands, on standard error, when that is a terminal.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use crate::pipeline::Progress;
use crate::pipeline::summary::{bytes, counted};
use crate::source::s3::backfill;

/// What is shown while a run goes on.
#[derive(Clone, Default)]
pub enum Shown {
    Nothing,
    /// What has been read.
    #[default]
    Spinner,
    /// How much of the folders of days is done, at which rate, and how long the rest will take by the bytes that are known.
    Backfill(Arc<backfill::Progress>),
}

impl Shown {
    pub fn bar(&self) -> ProgressBar {
        let template = match self {
            _ if !std::io::stderr().is_terminal() => return ProgressBar::hidden(),
            Shown::Nothing => return ProgressBar::hidden(),
            Shown::Spinner => "{spinner} {elapsed} {msg}",
            Shown::Backfill(_) => "{bar:20} {pos}/{len} days of accounts and Regions, {elapsed}{msg}",
        };
        let style = ProgressStyle::with_template(template).expect("the template is valid");
        match self {
            Shown::Nothing | Shown::Spinner => ProgressBar::new_spinner().with_style(style),
            Shown::Backfill(_) => ProgressBar::new(0).with_style(style),
        }
    }

    /// Shows where the run stands now.
    pub fn at(&self, bar: &ProgressBar, progress: Progress) {
        let mut text = format!(
            "{}, {} read, {}, {}",
            counted(progress.files, "file"),
            bytes(progress.bytes_read),
            counted(progress.records, "record"),
            counted(progress.findings, "finding")
        );
        if let Shown::Backfill(backfill) = self {
            let value = |value: &AtomicU64| value.load(Ordering::Relaxed);
            bar.set_length(value(&backfill.folders));
            bar.set_position(value(&backfill.folders_done));
            let rate = value(&backfill.bytes_done) as f64 / bar.elapsed().as_secs_f64().max(0.001);
            let left = backfill.left(bar.elapsed());
            let left = left.map_or_else(String::new, |left| format!(", about {} left", HumanDuration(left)));
            text = format!("{left}: {text}, {}/s", bytes(rate as u64));
        }
        bar.set_message(text);
        bar.tick();
    }
}
