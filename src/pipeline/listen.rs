//! The task that asks Security Hub what analysts say of findings, and adds it to the verdicts of the archive or of the state
//! in S3, where the worker hears of it as of any other.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::time::MissedTickBehavior;

use super::feedback;
use super::said::Said;
use crate::metrics::METRICS;
use crate::sink::outbox::call::Answer;
use crate::sink::security_hub::{Hub, Hubs};
use crate::sink::way::Way;
use crate::time::Timestamp;
use crate::triage::feedback::{Judgement, Verdict};
use crate::triage::heard::{Look, News, Word};

/// Where verdicts are kept.
pub enum Verdicts {
    /// In the archive in this folder.
    Archive(PathBuf),
    /// Beside a state in a bucket.
    Bucket(Said),
}

impl Verdicts {
    fn text(&self) -> anyhow::Result<String> {
        match self {
            Verdicts::Archive(dir) => feedback::text(dir),
            Verdicts::Bucket(said) => said.text(),
        }
    }

    /// Adds what is news, which is found out anew where somebody else has added to the verdicts.
    fn add(&self, look: &Look) -> anyhow::Result<News> {
        let mut news = look.news(&self.text()?);
        if news.lines.is_empty() {
            return Ok(news);
        }
        let mut lines = |text: &str| {
            news = look.news(text);
            written(&news.lines)
        };
        match self {
            Verdicts::Archive(dir) => feedback::add(dir, &mut lines)?,
            Verdicts::Bucket(said) => said.add_to(&mut lines)?,
        }
        Ok(news)
    }
}

fn written(lines: &[Judgement]) -> String {
    let line = |line| serde_json::to_string(line).expect("plain data has a JSON form") + "\n";
    lines.iter().map(line).collect()
}

/// Listens for as long as its task lives.
pub struct Listener {
    way: Arc<Way>,
    every: Duration,
    verdicts: Arc<Verdicts>,
    clock: fn() -> Timestamp,
    /// When each hub was last asked and answered.
    before: BTreeMap<Hub, Timestamp>,
    /// Why hubs cannot be asked at present.
    troubles: BTreeMap<Hub, String>,
}

impl Listener {
    /// None where the way has nobody to ask, or the configuration does not want it.
    pub fn of(way: Arc<Way>, verdicts: Verdicts, clock: fn() -> Timestamp) -> Option<Listener> {
        let every = way.read_back()?;
        let (verdicts, before, troubles) = (Arc::new(verdicts), BTreeMap::new(), BTreeMap::new());
        Some(Listener { way, every, verdicts, clock, before, troubles })
    }

    pub async fn run(mut self) {
        let mut times = tokio::time::interval(self.every);
        times.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let way = self.way.clone();
        let Way::SecurityHub { hubs, .. } = &*way else { return };
        loop {
            times.tick().await;
            for hub in hubs.all() {
                let begun = (self.clock)();
                let looked = self.look(hubs, &hub, begun).await;
                self.tell(hub, begun, looked);
            }
        }
    }

    /// Asks a hub, and adds what is new.
    async fn look(&self, hubs: &Hubs, hub: &Hub, now: Timestamp) -> anyhow::Result<News> {
        let name = format!("Security Hub {hub}");
        let before = self.before.get(hub).copied();
        let mut words = hubs.words(hub).await.map_err(refused)?;
        let missing = self.with_verdicts((name.clone(), before, now, words.clone()), |verdicts, look| {
            Ok(look.missing(&verdicts.text()?))
        });
        let missing = missing.await?;
        words.extend(hubs.words_of(hub, &missing).await.map_err(refused)?);
        self.with_verdicts((name, before, now, words), Verdicts::add).await
    }

    /// Files and the calls of S3 are waited for on a thread of their own.
    async fn with_verdicts<T: Send + 'static>(
        &self,
        look: (String, Option<Timestamp>, Timestamp, BTreeMap<String, Word>),
        work: impl FnOnce(&Verdicts, &Look) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let verdicts = self.verdicts.clone();
        let done = tokio::task::spawn_blocking(move || {
            let (by, before, now, words) = look;
            work(&verdicts, &Look { by: &by, before, now, words: &words })
        });
        done.await.context("reading back what was said panicked")?
    }

    /// Trouble is told of when it begins and when it ends.
    fn tell(&mut self, hub: Hub, begun: Timestamp, looked: anyhow::Result<News>) {
        let outcome = if looked.is_ok() { "ok" } else { "failed" };
        METRICS.looks.with_label_values(&[self.way.name(), outcome]).inc();
        match looked {
            Ok(News { lines, behind }) => {
                if self.troubles.remove(&hub).is_some() {
                    tracing::info!(%hub, "what analysts say can be read back again");
                }
                let by = format!("Security Hub {hub}");
                for line in lines.iter().filter(|line| line.by.as_ref() == Some(&by)) {
                    let (finding, why) = (&line.finding, line.note.as_deref().unwrap_or_default());
                    tracing::info!(%hub, finding, rule = line.rule, why, "an analyst's verdict was read back");
                    let verdict = match line.verdict {
                        Verdict::Confirmed => "confirmed",
                        Verdict::Dismissed => "dismissed",
                        Verdict::Withdrawn => "withdrawn",
                    };
                    METRICS.heard.with_label_values(&[self.way.name(), verdict]).inc();
                }
                for finding in behind {
                    tracing::warn!(%hub, finding, "a verdict of weir feedback may be newer than the hub's, and stays");
                }
                self.before.insert(hub, begun);
            }
            Err(error) => {
                let why = format!("{error:#}");
                if self.troubles.get(&hub) != Some(&why) {
                    tracing::warn!(%hub, why, "what analysts say cannot be read back");
                }
                self.troubles.insert(hub, why);
            }
        }
    }
}

fn refused(answer: Answer) -> anyhow::Error {
    anyhow::anyhow!("asking GetFindings: {}", answer.why().unwrap_or_default())
}
