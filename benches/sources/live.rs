//! A worker that follows a stream under load until it has told of every marked event; and what was seen meanwhile.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::child::{self, Cost, Running};
use crate::load::{Load, RULE_TEXT};
use crate::server::Services;
use crate::stream::{self, Stream};
use crate::worker::{prepare, summary, weir};

/// Between two looks at the worker.
const LOOK: Duration = Duration::from_millis(20);
/// When nothing more is accepted for so long, something is lost.
const PATIENCE: Duration = Duration::from_secs(120);

/// Of a marked event, in seconds.
#[derive(Clone, Copy)]
pub struct Took {
    /// From its arrival at the stream until an answer had it,
    pub to_reader: f64,
    /// and until its finding was accepted.
    pub to_sink: f64,
}

/// What was seen at a moment.
#[derive(Clone, Copy)]
pub struct Sample {
    pub since: f64,
    /// Events that had come, and those that the worker had been given.
    pub come: u64,
    pub given: u64,
    /// Of the shard that is most.
    pub behind_seconds: f64,
    pub resident_bytes: u64,
}

pub struct Seen {
    /// In the order of their arrival, with it in seconds since the load began.
    pub marks: Vec<(f64, Took)>,
    pub samples: Vec<Sample>,
    /// The most memory it had.
    pub peak_bytes: u64,
    pub cost: Cost,
    /// CPU time of this process meanwhile.
    pub served_seconds: f64,
    /// What each answer with records took the stand-in to make.
    pub answers: Vec<Duration>,
    /// Findings of all rules that were accepted.
    pub accepted: u64,
}

/// Runs the worker with all rules and that for marked events, an archive and an event bus. Checks that every event became a
/// row, and that the finding of every mark was accepted once.
pub fn run(load: Load, arguments: &[&str], work: &Path) -> Seen {
    let load = Arc::new(load);
    let services = Arc::new(Services::of_stream(Stream::of(load.clone())));
    let url = services.clone().serve();
    let folder = work.join("out");
    // any number of marks is told of one by one
    prepare(&folder, &url, "[quarantine]\nfindings_per_hour = 0\n[sink.event_bridge]\n");
    let rules = folder.join("rules/cloudtrail");
    fs::create_dir_all(&rules).expect("the folder is ours");
    fs::write(rules.join("marked.sql"), RULE_TEXT).expect("the folder is ours");

    let from = format!("kinesis://{}", stream::NAME);
    let arguments = [&["run", "--from", &from, "--rules", "rules"], arguments].concat();
    let before = child::own_cpu_seconds();
    let mut worker = Running::start(&mut weir(&arguments, &folder));
    let (samples, peak_bytes) = follow(&mut worker, &load, &services);
    worker.stop();
    let (cost, _) = worker.end();
    let served_seconds = child::own_cpu_seconds() - before;

    let summary = summary(&folder, load.events());
    let begun = load.mark(0).0;
    let (accepted, marks) = services.bus.with(|bus| {
        let mut marks: Vec<(f64, Took)> = Vec::new();
        for mark in 0..load.marks_in_all() {
            let (times, accepted) = bus.marks[&mark];
            assert_eq!(times, 1, "the finding of mark {mark} is accepted once");
            let (arrived, given) = load.mark(mark);
            let to = |moment: Instant| moment.duration_since(arrived).as_secs_f64();
            let since = arrived.duration_since(begun).as_secs_f64();
            marks.push((since, Took { to_reader: to(given), to_sink: to(accepted) }));
        }
        (bus.all, marks)
    });
    let sent = &summary.sent["event_bridge"];
    assert_eq!((sent.accepted, sent.refused, sent.waiting), (accepted, 0, 0), "the worker knows what was accepted");
    let answers = services.take_answered();
    Seen { marks, samples, peak_bytes, cost, served_seconds, answers, accepted }
}

/// Looks on until the finding of every mark has been accepted and every event been read.
fn follow(worker: &mut Running, load: &Load, services: &Services) -> (Vec<Sample>, u64) {
    let stream = services.stream.as_ref().expect("it was just made");
    let (mut samples, mut peak, mut told, mut last) = (Vec::new(), 0, 0, Instant::now());
    loop {
        let Some((resident_bytes, most)) = child::memory(worker.id()) else {
            panic!("the worker ended by itself: {}", worker.complaints());
        };
        peak = most.max(peak);
        let (given, behind_seconds) = load.given();
        if let Some(since) = load.since() {
            samples.push(Sample { since, come: load.available(since), given, behind_seconds, resident_bytes });
        }
        let marks = services.bus.with(|bus| bus.marks.len() as u64);
        if told != marks {
            (told, last) = (marks, Instant::now());
        }
        if given < load.events() {
            // shards that had nothing for a moment are not at their end
            stream.rewind();
        } else if marks == load.marks_in_all() && stream.is_drained() {
            return (samples, peak);
        }
        assert!(
            last.elapsed() < PATIENCE,
            "{marks} of {} marks were accepted, {given} of {} events read: {}",
            load.marks_in_all(),
            load.events(),
            worker.complaints()
        );
        std::thread::sleep(LOOK);
    }
}

/// The value that a share of them, 0 to 1, does not exceed.
pub fn quantile(values: impl IntoIterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let place = (values.len() as f64 * share).ceil() as usize;
    values[place.clamp(1, values.len()) - 1]
}
