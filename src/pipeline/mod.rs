//! The spine: pieces of input → rows, findings and archive, one turn at a time; the only code that knows every stage.

pub mod bucket;
pub mod commit;
pub mod duplicates;
pub mod feedback;
pub mod function;
pub mod holes;
pub mod renewal;
pub mod restored;
pub mod said;
pub mod listen;
mod pace;
mod read;
mod round;
pub mod summary;
mod tell;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::archive::{Archive, Object};
use crate::aws::Aws;
use crate::catalog;
use crate::decode::{self, reuse};
use crate::detect::{self, Detector};
use crate::finding::Finding;
use crate::health::{HEALTH, Phase};
use crate::mark::Mark;
use crate::memory;
use crate::metrics::METRICS;
use crate::position::{Checkpoint, Offset, Position};
use crate::sink::Journal;
use crate::sink::post::{self, Post};
use crate::source::claims::{Claims, random_name};
use crate::source::{self, Event, Source};
use crate::table::Batch;
use crate::time::Timestamp;
use crate::triage::Triage;
use crate::triage::feedback::Feedback;
use crate::wait::{self, clock, now, spawn_blocking};
use commit::{Commit, State};
use duplicates::Seen;
use feedback::Verdicts;
use pace::{Pace, SEND_WAIT};
use renewal::{LOOK_WAIT, Renewal, Renewals};
use restored::{Closed, LookBack};
use round::{Round, gather};
use said::Said;
use summary::{Canary, RuleTook, SoFar, Summary, Suppressed, Unreadable};
use tell::Told;

/// A round is cut at the memory's share of this many inflated bytes: four pieces of a long stream, which end with a whole record a little
/// before 2 MiB. A fifth would be worked on by one thread alone,
const ROUND_BYTES_MAX: usize = (8 << 20) - (64 << 10);
/// As long as rounds come full, rules are asked of several together, up to the memory's share of this many inflated bytes, and to so many
/// rows as they can be asked of together ([`detect::together_max`]): what it costs to ask a rule at all is most of what it costs to ask it of
/// a round. With so many rounds of CloudTrail the archive's buffer is full too.
const TOGETHER_BYTES_MAX: usize = 5 * ROUND_BYTES_MAX;
/// After the last commit, sources get this long to tell their queues.
const ACKNOWLEDGE_WAIT: Duration = Duration::from_secs(10);
/// Between two times that what rules remember is halved for want of memory.
const EASE_WAIT: Duration = Duration::from_secs(1);
/// Before rules are asked and the archive is written, which is when most memory is taken, the pages of the program are let go of where the
/// process takes much, unless that was done so short a time before: what is worked with comes back, and what reading, a commit or a start
/// needed does not.
const LEAVE_WAIT: Duration = Duration::from_millis(30);
/// So often buffers are let go of that nothing was read into meanwhile.
const LET_GO_WAIT: Duration = Duration::from_secs(1);
/// Where rules remember much, packing it takes at most one part in this many of the time: findings wait that much longer.
const PACKING_SHARE: u32 = 10;
/// A commit that nobody waits for may cost one part in this many of the time,
const COMMIT_SHARE: u32 = 20;
/// unless the archive's buffer was written this many times since the last one: what a crash has read again stays little.
const FLUSHES_MAX: usize = 24;
/// Between two looks at which findings do not hold any more, where nothing that says so has changed: suppressions expire.
const TURN_WAIT: Duration = Duration::from_secs(60);
/// Between two looks at which windows were lost for want of room, of days that are over.
const ASK_AGAIN_WAIT: Duration = Duration::from_secs(3600);
/// Records are parsed in groups of about this size: small enough to share among threads.
pub const GROUP_BYTES: usize = 4 << 20;

/// How the pipeline runs.
pub struct Config {
    pub sources: Vec<Source>,
    pub aws: Aws,
    pub decode: decode::Options,
    /// The sources do not end by themselves.
    pub follow: bool,
    /// What is read again while it runs.
    pub renewals: Option<Renewals>,
    /// A commit is made at least this often while rows wait for one; of input that ends less often where commits take long.
    pub commit_every: Duration,
    /// What the same run did before it had to begin again.
    pub so_far: SoFar,
}

/// The stages, and what they know.
pub struct Stages {
    pub detector: Detector,
    pub triage: Triage,
    pub archive: Option<Archive>,
    /// What is committed. An archive needs one; without it nothing is kept.
    pub state: Option<State>,
    /// Where findings go as they come; `None` when they are written at the end.
    pub journal: Option<Journal>,
    /// The ways out to services. They need a state, which keeps what is not accepted yet.
    pub posts: Vec<Post>,
    /// Tells what the stages begin without; `None` where there is no archive to tell it.
    pub look_back: Option<LookBack>,
}

impl Stages {
    /// Rows that no commit has yet.
    fn waiting(&self) -> Vec<Batch> {
        self.archive.as_ref().map_or_else(Vec::new, Archive::waiting)
    }
}

/// Where a run stands, for a progress bar.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    pub files: u64,
    pub bytes_read: u64,
    pub records: u64,
    pub findings: u64,
}

/// What a run leaves.
pub struct Outcome {
    pub summary: Summary,
    /// Every finding of what has been read into the archive so far, most urgent first.
    pub findings: Vec<Finding>,
    /// The rules, and what they remember.
    pub detector: Option<Detector>,
}

/// Runs until the input ends or `stop` is cancelled, and commits what was read.
///
/// # Errors
/// Fails when the archive, the state or the journal cannot be written; what was committed before stays whole, and
/// the next run goes on from there. Input that cannot be read is no error: the summary names it.
pub async fn run(
    config: Config,
    stages: Stages,
    stop: CancellationToken,
    report: impl Fn(Progress) + Send + 'static,
) -> anyhow::Result<Outcome> {
    let (memory, so_far) = (config.decode.memory, config.so_far.clone());
    let (options, follows, every) = (config.decode.clone(), config.follow, config.commit_every);
    let worker = spawn_blocking(move || Worker::new(stages, options, (follows, every), so_far, Box::new(report)));
    let mut worker = worker.await.context("restoring the state panicked")??;
    worker.renewals = config.renewals;
    let committed = worker.committed.subscribe();
    let resume = committed.borrow().clone();
    let name = worker.name.as_str().into();
    worker.summary.has_pipe = config.sources.iter().any(source::Source::has_pipe);
    let mut events = source::start(config.sources, &config.aws, &config.decode, resume, committed, name, stop.clone());
    let worker = Worker { claims: events.claims.clone(), ..worker };
    HEALTH.enter(Phase::Running);
    let round_bytes_max = memory.of(ROUND_BYTES_MAX);
    METRICS.queue_bytes_max.with_label_values(&["round"]).set(round_bytes_max as i64);
    let mut working = spawn_blocking(move || anyhow::Ok(worker));
    let mut let_go = wait::now();
    loop {
        if wait::now() - let_go >= LET_GO_WAIT {
            reuse::let_go();
            let_go = wait::now();
        }
        if memory.is_short() {
            // nothing is taken meanwhile, so that the sources wait
            let mut worker = working.await.context("a turn panicked")??;
            let eased = spawn_blocking(move || HEALTH.during(|| worker.make_room()).map(|()| worker)).await;
            let worker = eased.context("making room panicked")??;
            working = spawn_blocking(move || Ok(worker));
        }
        // while one round is worked on, the next is gathered: never more than two are in memory
        let (round, ended) = gather(&mut events, round_bytes_max, config.follow, &stop).await;
        let mut worker = working.await.context("a turn panicked")??;
        working = spawn_blocking(move || HEALTH.during(|| worker.turn(round)).map(|()| worker));
        if ended {
            HEALTH.enter(Phase::Stopping);
            break;
        }
    }
    let mut worker = working.await.context("a turn panicked")??;
    worker.summary.stopped = stop.is_cancelled();
    events.close();
    let finished = spawn_blocking(move || worker.finish());
    let mut outcome = finished.await.context("finishing the run panicked")??;
    for event in events.acknowledged(ACKNOWLEDGE_WAIT).await {
        if let Event::Unreadable { name, why } | Event::Ended { name, why } = event {
            tracing::error!(name, why, "an input could not be read");
            outcome.summary.note_unreadable(Unreadable { name, why });
        }
    }
    Ok(outcome)
}

type Report = Box<dyn Fn(Progress) + Send>;

/// The stages at work, and what they have done since the last commit.
struct Worker {
    stages: Stages,
    options: decode::Options,
    renewals: Option<Renewals>,
    /// Commits that were made, and until when they wait for a look at the archive.
    commits: u64,
    held: Option<Instant>,
    seen: Seen,
    summary: Summary,
    so_far: SoFar,
    /// What the last commit has, and what the next one will.
    committed: watch::Sender<Arc<Checkpoint>>,
    reached: Checkpoint,
    /// Rows that no rule has been asked of yet, which the archive has, and how many bytes they were made of.
    unjudged: Vec<Batch>,
    unjudged_bytes: usize,
    /// Asked before a commit whether what was read is still ours.
    claims: Claims,
    /// Of this worker, among those that share a source.
    name: String,
    round: u64,
    /// Its input has no end.
    follows: bool,
    commit_every: Duration,
    /// Of the commits that findings bring forward.
    pace: Pace,
    /// When the oldest turn that is not committed was taken.
    waiting_since: Option<Instant>,
    committed_at: Instant,
    /// What the last one took, without what the archive had to do for it.
    commit_took: Duration,
    /// What packing took of it that rules remember.
    packing_took: Duration,
    /// What the archive wrote since, and how many times.
    written: Vec<Object>,
    flushes: usize,
    told: Told,
    /// When what rules remember was last halved, for want of memory.
    eased: Option<Instant>,
    /// When the pages of the program were last let go of.
    left: Instant,
    /// What people find out while it runs: in the archive's file, or beside a state in a bucket.
    verdicts: Option<Verdicts>,
    said: Option<Said>,
    /// When it was last looked which findings do not hold; none where that may have changed.
    turned: Option<Instant>,
    /// When it was last looked which windows were lost.
    asked_again: Option<Instant>,
    report: Report,
}

impl Worker {
    /// Takes up the stages where the last commit left them, for input that goes on and on or ends, and a commit that often.
    fn new(
        mut stages: Stages,
        options: decode::Options,
        (follows, commit_every): (bool, Duration),
        so_far: SoFar,
        report: Report,
    ) -> anyhow::Result<Worker> {
        stages.detector.keep_to(options.memory);
        stages.triage.keep_to(options.memory);
        reuse::keep_to(options.memory);
        let mut summary = Summary { followed: follows, ..so_far.committed() };
        let mut saved = Commit::default();
        let is_remote = stages.state.as_ref().is_some_and(State::is_remote);
        if let Some(state) = &mut stages.state {
            saved = match (state.load()?, &mut stages.journal) {
                (Some(saved), _) => saved,
                // what is appended and never committed is cut off, also when not even one commit was made
                (None, Some(journal)) => {
                    let journal = journal.sync().context("writing findings")?;
                    let first = Commit { journal, worker: random_name(), ..Commit::default() };
                    state.commit(&first)?;
                    first
                }
                (None, None) => Commit::default(),
            };
        }
        if let Some(archive) = &mut stages.archive {
            for gone in saved.objects.extract_if(.., |object| !archive.has(object)) {
                // a state that is elsewhere may have been another machine's, and its files are there
                if !is_remote {
                    let (path, rows) = (gone.path, gone.rows);
                    tracing::warn!(
                        path,
                        rows,
                        "a file of the last commit was removed from the archive, and stays away"
                    );
                }
            }
            archive.publish(&saved.objects).context("finishing the last commit")?;
            archive.sweep()?;
            if saved.round == 0
                && let Some(last) = archive.last_round()?
            {
                let archive = archive.dir().display();
                tracing::warn!(
                    %archive,
                    "the archive has rows, and no state says what they are of: what is read again is in it twice. Put its state back \
                     (_weir/state.redb, or what `state` names), or write into another archive"
                );
                // a file of one name with another would take its place
                saved.round = last;
            }
            summary.archive = Some(archive.dir().display().to_string());
        }
        stages.detector.follow(follows);
        let closed = restored::restore(&mut stages, &saved, &mut summary)?;
        let mut said = stages.state.as_ref().and_then(State::said);
        let mut verdicts =
            stages.archive.as_ref().filter(|_| said.is_none()).map(|archive| Verdicts::of(archive.dir()));
        if let Some(feedback) = heard(&mut verdicts, &mut said) {
            stages.triage.learn(feedback);
        }
        for post in &mut stages.posts {
            let name = post.way().name();
            match saved.outboxes.get(name) {
                Some(outbox) => {
                    let restored = post.restore(outbox, clock());
                    restored.with_context(|| format!("restoring the findings for {name}"))?;
                }
                // what was found before there was a way
                None => post.stage(&stages.triage.findings(), clock()),
            }
        }
        post::tell_of_left(&stages.posts, &saved.outboxes);
        let mut seen = Seen::within(options.memory);
        if stages.state.is_some() {
            seen.restore(&saved.seen);
        }
        renewal::count_rules(&stages);
        let mut worker = Worker {
            renewals: None,
            commits: 0,
            held: None,
            told: Told::new(&stages),
            verdicts,
            said,
            stages,
            seen,
            options,
            summary,
            so_far,
            reached: saved.checkpoint.clone(),
            claims: Claims::default(),
            name: if saved.worker.is_empty() { random_name() } else { saved.worker },
            committed: watch::Sender::new(Arc::new(saved.checkpoint)),
            round: saved.round,
            follows,
            commit_every,
            pace: Pace::new(is_remote),
            waiting_since: None,
            committed_at: now(),
            commit_took: Duration::ZERO,
            packing_took: Duration::ZERO,
            unjudged: Vec::new(),
            unjudged_bytes: 0,
            written: Vec::new(),
            flushes: 0,
            eased: None,
            left: wait::now(),
            turned: None,
            asked_again: None,
            report,
        };
        worker.take_closed(closed)?;
        Ok(worker)
    }

    /// Tells what windows would have told that were lost before, and that they are judged by now.
    fn take_closed(&mut self, closed: Closed) -> anyhow::Result<()> {
        if closed.holes.is_empty() {
            return Ok(());
        }
        let now = clock();
        let mut changed = self.stages.triage.close(closed.holes);
        changed.extend(self.stages.triage.settle(closed.found, now));
        self.told.tell(&self.stages);
        self.waiting_since = Some(wait::now());
        self.hand_on(&changed, now)
    }

    /// Takes up what was said of findings since it was last asked.
    fn learn(&mut self) {
        if let Some(feedback) = heard(&mut self.verdicts, &mut self.said) {
            self.stages.triage.learn(feedback);
            self.turned = None;
        }
    }

    /// Has services hear of findings that do not hold any more, and of those that hold again. What was told of them otherwise
    /// stays as it is.
    fn turn_records(&mut self, now: Timestamp) {
        if self.turned.is_some_and(|turned| wait::now() - turned < TURN_WAIT) {
            return;
        }
        self.turned = Some(wait::now());
        let Stages { triage, posts, .. } = &mut self.stages;
        if !posts.iter().any(|post| post.way().archives()) {
            return;
        }
        let refuted = triage.refuted(now);
        for post in posts {
            let turned = post.turn(&refuted, |id| triage.severity(id));
            post.stage(&triage.ranked(&turned), now);
        }
    }

    /// Takes a round all the way: records to rows, rows to findings and to the archive, and a commit when it is due.
    fn turn(&mut self, round: Round) -> anyhow::Result<()> {
        self.learn();
        let now = clock();
        self.renew()?;
        let (bytes, bytes_max) = (round.bytes, self.options.memory.of(ROUND_BYTES_MAX));
        let (batches, rejects) = self.read(round, now);
        let start = wait::now();
        if let Some(archive) = &mut self.stages.archive {
            archive.add(batches.clone());
            archive.add(catalog::rejects_batch(&rejects, now).into_iter().collect());
        }
        self.spent("archive", start);
        self.unjudged.extend(batches);
        self.unjudged_bytes += bytes;
        let full = self.stages.archive.as_ref().is_some_and(Archive::is_full);
        let rows: usize = self.unjudged.iter().map(|batch| batch.rows.num_rows()).sum();
        let many =
            self.unjudged_bytes >= self.options.memory.of_rows(TOGETHER_BYTES_MAX) || rows >= detect::together_max();
        let comes_full = bytes >= bytes_max && !full && !many;
        // where input ends, time alone tells the rules nothing
        if !comes_full && (self.follows || !self.unjudged.is_empty()) {
            self.judge(now)?;
        }
        let start = wait::now();
        if self.stages.posts.iter().any(Post::is_full) || self.is_commit_due() || (full && !self.can_wait()) {
            self.commit()?;
        } else if full {
            self.flush()?;
        }
        self.ask_again();
        self.spent("archive", start);
        tell::fills(&self.stages, &self.seen, self.options.memory);
        (self.report)(Progress {
            files: self.summary.files_read + self.summary.files_already_read,
            bytes_read: self.summary.bytes_read,
            records: self.summary.total(|counts| counts.records),
            findings: self.stages.triage.len() as u64,
        });
        Ok(())
    }

    /// Takes up what was read again since the turn before. The rows of that turn are judged by what was in force then.
    fn renew(&mut self) -> anyhow::Result<()> {
        let mut came: Vec<Renewal> = self.renewals.iter().flat_map(|renewals| renewals.came.try_iter()).collect();
        let mut closed = Closed::default();
        for judged in came.iter_mut().flat_map(|renewal| renewal.judged.drain(..)) {
            let rule = judged.rule.clone();
            let missing = closed.take(judged, &self.stages.triage, clock());
            tracing::info!(rule, missing, "what was lost for want of room was judged again from the archive");
        }
        self.take_closed(closed)?;
        if came.iter().any(|renewal| renewal.taken.is_some()) {
            self.judge_rest()?;
            (self.turned, self.held) = (None, None);
        }
        renewal::take(came, &mut self.stages, &mut self.summary, self.commits);
        if self.renewals.as_ref().is_some_and(|renewals| renewals.looks.is_asked()) {
            self.commit()?;
            self.held = Some(now() + LOOK_WAIT);
            self.renewals.iter().for_each(|renewals| renewals.looks.grant(self.commits));
        }
        Ok(())
    }

    /// Now and then has the archive asked again what windows would have told that were lost, where it has everything that was counted.
    fn ask_again(&mut self) {
        let Some(renewals) = self.renewals.as_ref().filter(|_| self.stages.archive.is_some()) else { return };
        let is_committed = self.waiting_since.is_none() && self.unjudged.is_empty();
        if !is_committed || self.asked_again.is_some_and(|asked| wait::now() - asked < ASK_AGAIN_WAIT) {
            return;
        }
        self.asked_again = Some(wait::now());
        renewals.lost.ask(holes::lost(&self.stages.detector, &self.stages.triage, clock()));
    }

    /// Rows to matches; and what findings are told with is taken of them meanwhile.
    fn detect(&mut self, batches: &[Batch], now: Timestamp) -> Vec<Finding> {
        let start = wait::now();
        let Stages { detector, triage, .. } = &mut self.stages;
        detector.keep_apart(triage.asks());
        let (found, ()) = rayon::join(|| detector.observe(batches, now), || triage.watch(batches));
        self.spent("detect", start);
        found
    }

    /// What was read and not judged yet, to findings, and these to whoever is told of them.
    fn judge(&mut self, now: Timestamp) -> anyhow::Result<()> {
        self.leave_program();
        let batches = std::mem::take(&mut self.unjudged);
        self.unjudged_bytes = 0;
        let mut found = self.detect(&batches, now);
        let start = wait::now();
        if self.follows {
            found.extend(self.stages.triage.silent(now));
        }
        let changed = self.stages.triage.settle(found, now);
        self.told.tell(&self.stages);
        tell::newest(&batches, now);
        let start = self.spent("triage", start);
        self.hand_on(&changed, now)?;
        self.turn_records(now);
        self.spent("deliver", start);
        Ok(())
    }

    /// The same where anything waits for it.
    fn judge_rest(&mut self) -> anyhow::Result<()> {
        if self.unjudged.is_empty() { Ok(()) } else { self.judge(clock()) }
    }

    fn leave_program(&mut self) {
        if wait::now() - self.left >= LEAVE_WAIT && self.options.memory.takes_much() {
            memory::leave_program();
            self.left = wait::now();
        }
    }

    /// To whoever is told of findings as they come.
    fn hand_on(&mut self, changed: &[Finding], now: Timestamp) -> anyhow::Result<()> {
        if let Some(journal) = &mut self.stages.journal {
            journal.append(changed).context("writing findings")?;
        }
        self.stages.posts.iter_mut().for_each(|post| post.stage(changed, now));
        Ok(())
    }

    /// Too much memory is taken: what waits to be written is written; where that is not enough, what rules remember is halved, by the
    /// order in which it always leaves, at most once a second, since what was freed is seen only a little later.
    fn make_room(&mut self) -> anyhow::Result<()> {
        METRICS.memory_waits.with_label_values(&[] as &[&str]).inc();
        self.judge_rest()?;
        if self.stages.archive.as_ref().is_some_and(|archive| archive.buffered_bytes() > 0) {
            self.commit()?;
        }
        reuse::let_go_of_all();
        memory::trim();
        let is_due = self.eased.is_none_or(|eased| wait::now() - eased >= EASE_WAIT);
        if is_due && self.options.memory.is_short() {
            let now = clock();
            if self.eased.is_none() {
                tracing::warn!("memory is short: reading waits, and rules remember less");
            }
            let found = self.stages.detector.ease(now);
            let changed = self.stages.triage.settle(found, now);
            self.told.tell(&self.stages);
            self.hand_on(&changed, now)?;
            self.eased = Some(wait::now());
            memory::trim();
            memory::leave_program();
        }
        Ok(())
    }

    /// Whether rows have waited long enough, or, following, findings on their way out, or what was accepted for its removal: soon
    /// where it would come twice if the program were killed.
    fn is_commit_due(&self) -> bool {
        let (every, waited) = (self.commit_every, now() - self.committed_at);
        let have_waited = self.waiting_since.is_some_and(|since| now() - since >= every);
        if !self.follows {
            return have_waited && waited >= self.commit_took * COMMIT_SHARE;
        }
        let is_due = |post: &Post| {
            let removal = if post.way().worth().is_some() { self.pace.wait().min(every) } else { every };
            let staged = if post.has_critical_staged() { SEND_WAIT } else { self.pace.wait() };
            (post.has_staged() && waited >= staged) || (waited >= removal && post.is_changed())
        };
        let is_hurried = self.claims.take_hurry();
        let is_early = waited < self.packing_took * PACKING_SHARE;
        let is_waited_for = || have_waited || self.stages.posts.iter().any(is_due);
        is_hurried || (!is_early && !self.is_held() && is_waited_for())
    }

    /// Commits wait for a look at the archive, which lacks what was read since.
    fn is_held(&self) -> bool {
        self.held.is_some_and(|until| now() < until)
    }

    /// Whether the commit may be put off though the archive's buffer is full: it is not due, and each packs what the rules remember
    /// since the one before. While a look at the archive goes on it may not: what was flushed would be neither there nor in the buffer.
    fn can_wait(&self) -> bool {
        !self.is_held() && self.flushes < FLUSHES_MAX && now() - self.committed_at < self.commit_took * COMMIT_SHARE
    }

    /// Has the archive write what it gathered to files that wait for the next commit, and name them by another round.
    fn flush(&mut self) -> anyhow::Result<()> {
        self.flush_beside(|_| ())
    }

    /// The same while other work goes on that asks nothing of the archive.
    fn flush_beside<T>(&mut self, work: impl FnOnce(&mut Worker) -> T) -> anyhow::Result<T> {
        self.leave_program();
        self.round += 1;
        self.flushes += 1;
        let Some(mut archive) = self.stages.archive.take() else { return Ok(work(self)) };
        let (round, mut written) = (self.round, Ok(Vec::new()));
        let done = rayon::in_place_scope(|scope| {
            scope.spawn(|_| written = archive.write(round));
            work(self)
        });
        self.stages.archive = Some(archive);
        self.written.extend(written.context("writing the archive")?);
        Ok(done)
    }

    /// Adds the seconds since `start` to a stage, and starts the next.
    fn spent(&mut self, stage: &str, start: Instant) -> Instant {
        let end = wait::now();
        let seconds = (end - start).as_secs_f64();
        *self.summary.stage_seconds.entry(stage.to_owned()).or_default() += seconds;
        METRICS.stage_seconds.with_label_values(&[stage]).inc_by(seconds);
        end
    }

    /// Makes everything since the last commit permanent: files first, then the one transaction that names them, then
    /// their move into place. A crash between any two of these loses nothing and doubles nothing. Without an archive
    /// only the findings are kept, and what was read is done with when they are on the disk.
    fn commit(&mut self) -> anyhow::Result<()> {
        self.judge_rest()?;
        let for_post = self.stages.posts.iter().any(Post::is_changed);
        if self.waiting_since.is_none() && self.reached == **self.committed.borrow() && !for_post {
            return Ok(());
        }
        let journal = match &mut self.stages.journal {
            Some(journal) => journal.sync().context("writing findings")?,
            None => Mark::default(),
        };
        let permit = self.claims.permit(&self.name, moved(&self.committed.borrow(), &self.reached));
        if self.stages.state.is_some() {
            // what changed is asked for once: where the archive cannot be written the run ends, and the next begins with the last commit
            let (detector, triage, seen) = self.flush_beside(|worker| {
                let start = now();
                let detector = worker.stages.detector.changes();
                worker.packing_took = now() - start;
                (detector, worker.stages.triage.snapshot(), worker.seen.changes())
            })?;
            let start = now();
            let state = self.stages.state.as_mut().expect("it was just there");
            let mut commit = Commit {
                round: self.round,
                checkpoint: self.reached.clone(),
                objects: std::mem::take(&mut self.written),
                detector,
                triage,
                seen,
                outboxes: BTreeMap::new(),
                journal,
                worker: self.name.clone(),
            };
            // nothing is sent that no commit has, and nothing committed that is another worker's
            post::commit(&mut self.stages.posts, self.round, clock(), |outboxes| {
                commit.outboxes = outboxes;
                permit.confirm()?;
                state.commit_if(&commit, &permit)
            })?;
            // the sooner a queue hears of it, the less of the time is over for which it hides the notices
            self.committed.send_replace(Arc::new(self.reached.clone()));
            self.commit_took = self.packing_took + (now() - start);
            self.flushes = 0;
            if let Some(archive) = &mut self.stages.archive {
                archive.publish(&commit.objects).context("moving committed files into place")?;
                archive.compact(&commit.objects).context("merging small files of the archive")?;
            }
            for object in &commit.objects {
                let table = self.summary.table(&object.table);
                table.archived_files += 1;
                table.archived_bytes += object.bytes;
                METRICS.archived_bytes.with_label_values(&[&object.table]).inc_by(object.bytes);
            }
        } else {
            permit.confirm()?;
            self.committed.send_replace(Arc::new(self.reached.clone()));
        }
        self.waiting_since = None;
        self.commits += 1;
        self.pace.committed(now() - self.committed_at);
        self.committed_at = now();
        METRICS.commits.with_label_values(&[] as &[&str]).inc();
        self.so_far.commit(self.tally());
        Ok(())
    }

    /// The summary, with what others count.
    fn tally(&self) -> Summary {
        let sent = self.stages.posts.iter().map(|post| (post.way().name().to_owned(), post.sent())).collect();
        let mut summary = self.summary.clone();
        summary.add(sent, RuleTook::by_rule(&self.stages.detector));
        let costs = || self.stages.detector.costs().values();
        summary.shed_groups += costs().map(|cost| cost.shed).sum::<u64>();
        summary.put_aside += costs().map(|cost| cost.aside).sum::<u64>();
        summary.late_rows += costs().map(|cost| cost.late).sum::<u64>();
        summary
    }

    fn finish(mut self) -> anyhow::Result<Outcome> {
        self.judge_rest()?;
        let start = wait::now();
        let mut changed = Vec::new();
        let written = self.flush_beside(|Worker { stages, told, follows, summary, .. }| {
            if !*follows && !summary.stopped {
                let found = stages.detector.finish();
                changed = stages.triage.settle(found, clock());
                told.tell(stages);
            }
            // what was just settled is told of, so that nothing is here twice
            changed.extend(stages.triage.untold());
        });
        // they are told also where the archive cannot be written
        self.hand_on(&changed, clock())?;
        written?;
        self.turned = None;
        self.turn_records(clock());
        self.commit()?;
        let start = self.spent("archive", start);
        post::drain(&self.stages.posts);
        // what was accepted leaves the outbox
        self.commit()?;
        self.stages.state.iter().for_each(State::wait_for_removals);
        self.spent("send", start);
        self.summary = self.tally();
        let findings = self.stages.triage.findings();
        for finding in &findings {
            *self.summary.findings.entry(finding.severity.to_string()).or_default() += 1;
        }
        self.summary.suppressions = self.stages.triage.suppressions().hidden().map(Suppressed::from).collect();
        self.summary.canaries = self.stages.triage.canaries().told().map(Canary::from).collect();
        self.summary.suppressed = self.summary.suppressions.iter().map(|entry| entry.matches).sum();
        self.summary.seconds = self.so_far.started.elapsed().as_secs_f64();
        Ok(Outcome { summary: self.summary, findings, detector: Some(self.stages.detector) })
    }
}

/// What was said of findings since it was last asked, wherever that is written.
fn heard(verdicts: &mut Option<Verdicts>, said: &mut Option<Said>) -> Option<Feedback> {
    verdicts.as_mut().and_then(Verdicts::changed).or_else(|| said.as_mut().and_then(Said::changed))
}

/// Where a commit brings the partitions that it moves on.
fn moved(committed: &Checkpoint, reached: &Checkpoint) -> Vec<Position> {
    let has_moved = |(partition, offset): &(&Arc<str>, &Offset)| committed.0.get(*partition) != Some(offset);
    let position =
        |(partition, offset): (&Arc<str>, &Offset)| Position { partition: partition.clone(), offset: offset.clone() };
    reached.0.iter().filter(has_moved).map(position).collect()
}

#[cfg(test)]
mod simulation;
