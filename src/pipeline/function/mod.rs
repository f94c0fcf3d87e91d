//! A call of a function of AWS Lambda → its items that failed. What was read is judged row by row, the findings are accepted
//! by every service and the rows are in the bucket before the call is answered; nothing is kept for the next.
//!
//! The same items make the same findings, by id, and the same objects, by key and content: a call that is made again
//! replaces what it wrote.

mod ends;
mod logs;
mod queue;
mod stream;
mod unit;

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use self::ends::Ends;
use self::unit::{Unit, name_of};
use super::duplicates::Seen;
use super::summary::{SoFar, Summary};
use super::{ROUND_BYTES_MAX, Round, Stages, Worker};
use crate::archive::Config;
use crate::archive::bucket::Bucket;
use crate::aws::Aws;
use crate::decode;
use crate::finding::FindingId;
use crate::position::Checkpoint;
use crate::sink::post;
use crate::sink::sender::Sender;
use crate::sink::way::Way;
use crate::source;
use crate::source::event::{Event, Message};
use crate::source::own::Own;
use crate::source::s3::named::Named;
use crate::time::Timestamp;
use crate::triage::Triage;
use crate::triage::prioritize::Asset;
use crate::triage::suppress::{Entry, Suppressions};

/// What stays from one call to the next: rules, clients and ways out. Nothing of what was read.
pub struct Function {
    worker: Worker,
    suppress: Vec<Entry>,
    assets: Vec<Asset>,
    objects: Named,
    archive: Option<(Bucket, Config)>,
    own: Own,
    runtime: Handle,
}

/// What a function is made of.
pub struct Setup {
    /// Its rules must judge row by row; its archive and state are none. A journal gets the findings of every call.
    pub stages: Stages,
    pub decode: decode::Options,
    pub suppress: Vec<Entry>,
    pub assets: Vec<Asset>,
    /// Objects are read with it.
    pub aws: Aws,
    /// Where rows are kept, and how.
    pub archive: Option<(Bucket, Config)>,
    /// What it writes into buckets: told of it, it reads none of that.
    pub own: Own,
}

impl Function {
    /// `runtime` must not be the thread's own.
    ///
    /// # Errors
    /// When a suppression is wrong.
    pub fn new(setup: Setup, runtime: Handle) -> anyhow::Result<Function> {
        let Setup { stages, decode, suppress, assets, aws, archive, own } = setup;
        Suppressions::new(suppress.clone())?;
        if archive.is_some()
            && let Err(error) = unit::sweep(&std::env::temp_dir())
        {
            tracing::warn!(%error, "what killed calls left among the temporary files is not removed");
        }
        // it follows, so that no rule waits for an end; no commit is ever due
        let worker = Worker::new(stages, decode, (true, Duration::MAX), SoFar::default(), Box::new(|_| ()))?;
        Ok(Function { worker, suppress, assets, objects: Named::new(aws), archive, own, runtime })
    }

    /// Takes a call all the way; `left` is how long it may take. Gives the identifiers of the items that failed, as AWS wants
    /// them: of a stream the sequence number of the first, of a queue the ids of all.
    ///
    /// # Errors
    /// When the call has failed as a whole: a notice or log events, of which nobody takes items, or nothing can be written at all.
    ///
    /// # Panics
    /// On a thread that runs tasks.
    pub fn call(&mut self, event: Event, left: Duration) -> anyhow::Result<Vec<String>> {
        let begun = Instant::now();
        let ends = Ends::of(begun, left);
        self.begin()?;
        let failed = match event {
            Event::Stream(records) => self.stream(&records, ends)?,
            Event::Queue(messages) => self.queue(&messages, ends)?,
            Event::Logs(logs) => {
                self.logs(logs, ends)?;
                Vec::new()
            }
            Event::Notice(notice) => {
                let failed = self.queue(&[Message { id: name_of(&[&notice.body]), ..notice }], ends)?;
                if !failed.is_empty() {
                    bail!("an object of the notice was not read, or what it holds was not delivered: the log says why");
                }
                failed
            }
        };
        self.tell(&failed, begun);
        Ok(failed)
    }

    /// Forgets the call before.
    fn begin(&mut self) -> anyhow::Result<()> {
        let stages = &mut self.worker.stages;
        stages.triage = Triage::new(Suppressions::new(self.suppress.clone())?, self.assets.clone());
        stages.posts = stages.posts.iter().map(post::Post::anew).collect();
        self.worker.summary = Summary { followed: true, ..Summary::default() };
        self.worker.reached = Checkpoint::default();
        Ok(())
    }

    /// Begins what is archived together. What is told of twice in it counts once.
    fn unit(&mut self, identity: &[&str], at: Timestamp) -> anyhow::Result<Unit> {
        self.worker.seen = Seen::default();
        Unit::new(identity, at, self.archive.as_ref().map(|(_, config)| config))
    }

    /// Adds a piece to a round, and judges it when it is full.
    fn take(&mut self, unit: &mut Unit, round: &mut Round, piece: source::Piece) -> anyhow::Result<()> {
        round.add(source::Event::Piece(piece));
        if round.bytes < ROUND_BYTES_MAX { Ok(()) } else { self.judge(unit, std::mem::take(round)) }
    }

    fn judge(&mut self, unit: &mut Unit, round: Round) -> anyhow::Result<()> {
        let now = Timestamp::now();
        let (batches, rejects) = self.worker.read(round, now);
        let found = self.worker.detect(&batches, now);
        unit.found.extend(found.iter().map(|finding| finding.id));
        self.worker.stages.triage.watch(&batches);
        self.worker.stages.triage.settle(found, now);
        unit.keep(batches, &rejects)?;
        self.worker.options.memory.give_back();
        Ok(())
    }

    /// Sends the findings of the call, which `identity` names and whose items came at `at`. Gives those that were not
    /// accepted by one of the services; what one of them will never take is named in the log, and done with.
    fn deliver(&mut self, identity: &str, at: Timestamp, until: Instant) -> anyhow::Result<BTreeSet<FindingId>> {
        let Stages { triage, posts, journal, .. } = &mut self.worker.stages;
        let findings = triage.findings();
        if findings.is_empty() {
            return Ok(BTreeSet::new());
        }
        if let Some(journal) = journal {
            journal.append(&findings).context("writing findings")?;
        }
        let now = Timestamp::now();
        posts.iter_mut().for_each(|post| post.stage(&findings, now));
        let mut senders = JoinSet::new();
        for post in &*posts {
            senders.spawn_on(Sender::new(post.shared(), Timestamp::now).run(), &self.runtime);
        }
        // objects of findings are named for the round and the day, which must be the same when the call comes again
        let round = u64::from_str_radix(&identity[..9], 16).expect("a name is of hexadecimal digits");
        post::commit(posts, round, at, |_| Ok(()))?;
        post::drain_until(posts, until);
        // what is out is given up: the call comes again, with the same ids
        senders.abort_all();
        let mut failed = BTreeSet::new();
        for post in &*posts {
            let (waiting, sent) = (post.waiting(), post.sent());
            if waiting.is_empty() {
                continue;
            }
            let why = sent.why.unwrap_or_else(|| "the time was over".to_owned());
            tracing::warn!(findings = waiting.len(), why, "{} did not take findings", post.way().said());
            // Security Hub's ids have a prefix
            let ids: HashSet<&str> = waiting.iter().filter_map(|id| id.rsplit('/').next()).collect();
            let together = matches!(post.way(), Way::S3(_));
            let least = post.way().min_severity();
            let is_waiting = |id: &FindingId| together || ids.contains(&*id.to_string());
            let of_way = findings.iter().filter(|finding| finding.severity >= least).map(|finding| finding.id);
            failed.extend(of_way.filter(is_waiting));
        }
        Ok(failed)
    }

    /// One line a call.
    fn tell(&self, failed: &[String], begun: Instant) {
        let summary = &self.worker.summary;
        tracing::info!(
            records = summary.total(|counts| counts.records),
            rows = summary.total(|counts| counts.rows),
            rejects = summary.total(|counts| counts.rejects),
            findings = self.worker.stages.triage.len(),
            failed = failed.len(),
            seconds = begun.elapsed().as_secs_f64(),
            "a call is done"
        );
    }
}
