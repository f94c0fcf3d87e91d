//! Stages that a configuration asks for → what they made of the sources, by the time these end or somebody says stop.

use std::future::pending;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Common;
use crate::archive::Archive;
use crate::archive::layout::PRIVATE;
use crate::aws::Aws;
use crate::cli::configured::{compile, decode_options, ways};
use crate::cli::emf;
use crate::cli::output::{self, Failure, OrFail};
use crate::cli::progress::Shown;
use crate::cli::rebuilt::Back;
use crate::cli::watch::{self, Watch};
use crate::config::Config;
use crate::health::{self, HEALTH, Phase};
use crate::memory;
use crate::metrics::METRICS;
use crate::pipeline::bucket;
use crate::pipeline::commit::State;
use crate::pipeline::listen::{Listener, Verdicts};
use crate::pipeline::summary::SoFar;
use crate::pipeline::{self, Outcome, Stages};
use crate::sink::post::Post;
use crate::sink::sender::Sender;
use crate::sink::{Journal, Stdout};
use crate::source::claims::{Lost, Note, random_name};
use crate::source::{Source, kinesis};
use crate::time::Timestamp;
use crate::triage::Triage;
use crate::triage::canary::Canaries;
use crate::triage::suppress::Suppressions;

/// Builds the stages a configuration asks for and runs them. `following` are the flags of a run whose sources do not end by
/// themselves: findings are written as they come, and rules, lists and configuration are read again as they change.
///
/// Where another worker has taken what was read, all that no commit has is dropped, and the run goes on from the last commit,
/// as after a crash.
pub fn work(
    config: &Config,
    sources: Vec<Source>,
    following: Option<&Common>,
    shown: &Shown,
) -> Result<Outcome, Failure> {
    let mut config = config.clone();
    let (stop, so_far) = (CancellationToken::new(), SoFar::default());
    let mut turn = Turn { stop, writer: random_name(), again: false, so_far };
    let stop = turn.stop.clone();
    let signals = tokio::runtime::Builder::new_current_thread().enable_all().build().or_output()?;
    // one for all turns: between two of them nobody else would hear a signal
    let is_service = following.is_some() && !io::stdin().is_terminal() && !io::stderr().is_terminal();
    std::thread::spawn(move || signals.block_on(stop_on_signal(stop, is_service)));
    loop {
        match work_once(&config, sources.clone(), following, shown, &turn) {
            Err(Failure::Output(error)) if error.is::<Lost>() && !turn.stop.is_cancelled() => {
                tracing::warn!(error = format!("{error:#}"), "going on from the last commit");
            }
            // the process ends too: freeing piece by piece what rules remember would take a twentieth of a short run
            ended => {
                return ended.map(|mut outcome| {
                    std::mem::forget(outcome.detector.take());
                    outcome
                });
            }
        }
        HEALTH.enter(Phase::Starting);
        std::thread::sleep(TURN_WAIT);
        turn.again = true;
        if let Some(flags) = following {
            take_up(&mut config, flags);
        }
    }
}

/// What the turns of one run share.
struct Turn {
    stop: CancellationToken,
    /// Names this process where it takes a state.
    writer: String,
    /// Whether it has had the state before.
    again: bool,
    so_far: SoFar,
}

/// Between two turns.
const TURN_WAIT: Duration = Duration::from_secs(1);

/// The sections that a run takes up while it goes on, as they are now; where they are wrong, those of before stay.
fn take_up(config: &mut Config, flags: &Common) {
    let now = flags.reread().and_then(|now| {
        Suppressions::new(now.suppress.clone())?;
        Canaries::new(now.canary.clone())?;
        Ok(now)
    });
    match now {
        Ok(now) => {
            (config.suppress, config.canary, config.assets) = (now.suppress, now.canary, now.assets);
            config.quarantine = now.quarantine;
            (config.rules, config.reference, config.sigma) = (now.rules, now.reference, now.sigma);
            config.own_accounts = now.own_accounts;
        }
        Err(error) => tracing::warn!(error = format!("{error:#}"), "the configuration stays as it was"),
    }
}

fn work_once(
    config: &Config,
    sources: Vec<Source>,
    following: Option<&Common>,
    shown: &Shown,
    turn: &Turn,
) -> Result<Outcome, Failure> {
    let journal = following.map(|flags| flags.findings.as_str());
    let prints_metrics = config.metrics.emf && journal.is_some();
    if prints_metrics && journal == Some("-") {
        return Err(Failure::Usage(anyhow!("metrics.emf wants standard output for itself: give --findings FILE")));
    }
    let decode = decode_options(config).or_usage()?;
    let suppressions = Suppressions::new(config.suppress.clone()).or_usage()?;
    for (rule, day) in suppressions.expired(Timestamp::now()) {
        tracing::warn!(rule, expired = day, "a suppression has expired and hides nothing");
    }
    let canaries = Canaries::new(config.canary.clone()).or_usage()?;
    let ways = ways(config).or_usage()?;
    let stamped = following.map(|flags| watch::stamp(flags, config));
    let mut compiled = compile(config.rules.as_deref(), config).or_usage()?;
    output::say_left_out(&compiled.refused);
    if compiled.sources.is_empty() && !compiled.refused.is_empty() {
        return Err(Failure::Usage(anyhow!("no rule is left: `--rules none` runs without")));
    }
    let reload_every = Duration::from_secs(config.limits.reload_seconds);
    let watch = following.zip(stamped).filter(|_| !reload_every.is_zero());
    let watch =
        watch.map(|(flags, stamped)| Watch::new(flags.clone(), config.clone(), &mut compiled, stamped, decode.memory));
    memory::leave_program();
    let mut detector = compiled.detector;
    detector.limit(config.quarantine);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().or_output()?;
    let archive = match &*config.archive.dir {
        "none" => None,
        dir => Some(Archive::open(Path::new(dir), &config.archive.within(decode.memory)).or_output()?),
    };
    let state = match (&config.state, &archive) {
        (Some(address), _) => {
            bucket::address(address).or_usage()?;
            let (aws, runtime) = (Aws::new(config.aws.clone()), runtime.handle().clone());
            Some(State::take(address, &turn.writer, turn.again, &aws, runtime).or_output()?)
        }
        (None, Some(archive)) => Some(State::open(&archive.dir().join(PRIVATE).join("state.redb")).or_output()?),
        (None, None) => None,
    };
    if let Some(state) = &state {
        let undo = |note: &Note| match &config.source.kinesis.leases {
            Some(leases) => {
                let aws = Aws::new(config.aws.clone());
                runtime.block_on(kinesis::undo_patiently(note, leases, &aws, &turn.stop))
            }
            None => {
                tracing::warn!(
                    "the last commit was made with leases, and is taken to stand: no table says whether it does"
                );
                Ok(false)
            }
        };
        state.settle(undo).or_output()?;
    }
    let stop = turn.stop.child_token();
    detector.keep_to(decode.memory);
    let journal = match journal {
        None => None,
        Some("-") => Some(Journal::Stdout(Stdout::default())),
        Some(name) => {
            let committed = match &state {
                Some(state) => state.load().or_output()?.map(|commit| commit.journal),
                None => None,
            };
            Some(
                Journal::file(Path::new(name), committed.as_ref())
                    .with_context(|| format!("opening {name}"))
                    .or_output()?,
            )
        }
    };
    // what was started for this turn of the work ends with it
    let _ended = stop.clone().drop_guard();
    let posts: Vec<Post> = ways.into_iter().map(|way| Post::new(way, decode.memory, stop.clone())).collect();
    let shared: Vec<_> = posts.iter().map(Post::shared).collect();
    let ids: Vec<&str> = detector.rules().map(|rule| rule.id.as_str()).collect();
    for (name, rule) in canaries.without_rule(&ids) {
        tracing::warn!(canary = name, rule, "no rule is one of a canary's: it will be missed");
    }
    for rule in suppressions.without_rule(&ids) {
        tracing::warn!(rule, "no rule is one of a suppression's: it hides nothing");
    }
    let triage = Triage::new(suppressions, config.assets.clone()).with_canaries(canaries);
    // notices are held until they are committed, and too many are not
    let follow = following.is_some() || sources.iter().any(|source| matches!(source, Source::Notices(_)));
    let back = archive.as_ref().map(|archive| Back {
        archive: archive.dir().to_owned(),
        references: compiled.references,
        limits: config.quarantine,
        follows: follow,
        stop: stop.clone(),
    });
    let stages = Stages { detector, triage, archive, state, journal, posts, look_back: back.map(Back::look) };
    let listeners = shared
        .iter()
        .filter(|_| follow)
        .filter_map(|shared| Listener::of(shared.way(), verdicts_of(&stages)?, Timestamp::now));
    let listeners: Vec<Listener> = listeners.collect();
    let pipeline = pipeline::Config {
        sources,
        aws: Aws::new(config.aws.clone()),
        decode,
        follow,
        renewals: watch.map(|watch| watch.start(reload_every, stop.clone())),
        commit_every: Duration::from_secs(config.limits.commit_seconds),
        so_far: turn.so_far.clone(),
    };
    runtime.block_on(async {
        for shared in shared {
            // it ends with the runtime; before that, the end of the run waits for what it sends
            tokio::spawn(Sender::new(shared, Timestamp::now).run());
        }
        for listener in listeners {
            tokio::spawn(listener.run());
        }
        if let Some(address) = &config.metrics.listen {
            let bound = tokio::net::TcpListener::bind(address).await;
            // whoever has the address may let go of it, and then another try is worth it
            let is_taken = bound.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse);
            let listener = bound.with_context(|| format!("serving metrics on {address}"));
            let listener = if is_taken { listener.or_output()? } else { listener.or_usage()? };
            tracing::info!(%address, "serving metrics");
            tokio::spawn(serve_metrics(listener));
        }
        let metrics = prints_metrics.then(emf::Printer::new);
        let bar = shown.bar();
        let (shown, moved) = (shown.clone(), bar.clone());
        let running = pipeline::run(pipeline, stages, stop, move |progress| shown.at(&moved, progress));
        let outcome = emf::beside(metrics, running).await;
        bar.finish_and_clear();
        outcome.or_output()
    })
}

/// Where what is said of findings is written down; none where nothing is kept.
fn verdicts_of(stages: &Stages) -> Option<Verdicts> {
    let said = stages.state.as_ref().and_then(State::said).map(Verdicts::Bucket);
    said.or_else(|| stages.archive.as_ref().map(|archive| Verdicts::Archive(archive.dir().to_owned())))
}

/// What the first signal makes of the exit code, as a shell has it: 130 or 143; 0 until one comes.
pub static STOPPED_BY: AtomicU8 = AtomicU8::new(0);

/// Who ends a group of processes, as `timeout` does, tells each of them and then all: what comes within this time is one signal.
const ONE_SIGNAL: Duration = Duration::from_millis(100);

/// The first signal ends the run after what has been read is committed; the second ends it at once. SIGHUP, by which services are told
/// to read their configuration again or that a log was rotated, does not end one: systemd would take that for its wish.
async fn stop_on_signal(stop: CancellationToken, is_service: bool) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    let mut hang_up = is_service.then(|| signal(SignalKind::hangup()).ok()).flatten();
    let mut next = async || {
        loop {
            tokio::select! {
                _ = interrupt.recv() => return 130_u8,
                _ = terminate.recv() => return 143,
                () = received(&mut hang_up) => output::say(HUNG_UP),
            }
        }
    };
    STOPPED_BY.store(next().await, Ordering::Relaxed);
    let heard = Instant::now();
    output::say("\nweir: stopping after what has been read; again to stop at once");
    HEALTH.tell_to_stop();
    stop.cancel();
    loop {
        let code = next().await;
        if heard.elapsed() >= ONE_SIGNAL {
            std::process::exit(code.into());
        }
    }
}

const HUNG_UP: &str =
    "weir: SIGHUP changes nothing: rules, lists, suppressions and the file of findings are looked at all the time";

/// Never returns where there is no such signal.
async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => _ = signal.recv().await,
        None => pending().await,
    }
}

/// `/metrics` for Prometheus; `/healthz` and `/readyz` for whoever starts and stops processes, 200 or 503 with a report.
async fn serve_metrics(listener: tokio::net::TcpListener) {
    let told = |(well, report): (bool, health::Report)| {
        let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let body = serde_json::to_string(&report).expect("words and numbers are JSON");
        (status, [(CONTENT_TYPE, "application/json")], body)
    };
    let router = axum::Router::new()
        .route("/metrics", get(async || METRICS.text()))
        .route("/healthz", get(async move || told(HEALTH.alive())))
        .route("/readyz", get(async move || told(HEALTH.ready())));
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "metrics are no longer served");
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        common: Common,
    }

    #[test]
    fn a_run_that_begins_again_has_what_it_took_up_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weir.toml");
        let flags = Flags::parse_from(["weir", "-c", file.to_str().unwrap()]).common;
        let mut config = Config { rules: Some("before".to_owned()), ..Config::default() };
        let mut begun_again = |text: &str| {
            std::fs::write(&file, text).unwrap();
            take_up(&mut config, &flags);
            (config.rules.clone().unwrap(), config.assets.len(), config.own_accounts.len())
        };
        let edited = "rules = 'after'\nown_accounts = ['111122223333']\n[[assets]]\npattern = 'arn:aws:s3:::x'\nworth = 'production'\n";
        assert_eq!(begun_again(edited), ("after".to_owned(), 1, 1));
        assert_eq!(begun_again("rules = 1"), ("after".to_owned(), 1, 1));
    }
}
