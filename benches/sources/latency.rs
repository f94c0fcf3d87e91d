//! How long it takes from a record at the source to its finding at the sink, under a steady load.

use std::path::Path;
use std::time::Duration;

use crate::Options;
use crate::live::{self, Took, quantile};
use crate::load::{Load, Phase};

const GOAL_SECONDS: f64 = 5.0;
/// The first seconds, in which the worker compiles its rules and opens its connections, are not counted.
const WARM_SECONDS: f64 = 5.0;
/// A prime, so that all shards have some.
const MARK_EVERY: u64 = 101;

pub fn run(options: &Options, work: &Path) {
    let phase = Phase { seconds: WARM_SECONDS + options.seconds as f64, rate: options.rate as f64 };
    let load = Load::new(options.shards, vec![phase], MARK_EVERY, options.seed);
    let (events, bytes, seconds) = (load.events(), load.event_bytes(), load.seconds());
    let seen = live::run(load, &[], work);
    println!(
        "latency: {} events/s of {bytes} bytes over {} shards for {seconds} s, one in {MARK_EVERY} marked; all rules, an archive and an \
         event bus; marks of the first {WARM_SECONDS} s left out\n\n{:<54} {:>6} {:>6} {:>6}",
        options.rate, options.shards, "seconds", "p50", "p99", "most"
    );
    let marks: Vec<Took> =
        seen.marks.iter().filter(|(since, _)| *since >= WARM_SECONDS).map(|(_, took)| *took).collect();
    let line = |what: &str, of: fn(&Took) -> f64| {
        let at = |share| quantile(marks.iter().map(of), share);
        println!("{what:<54} {:>6.2} {:>6.2} {:>6.2}", at(0.5), at(0.99), at(1.0));
        at(0.99)
    };
    line("from the stream until the worker is given the record", |took| took.to_reader);
    line("from there until the event bus has the finding", |took| took.to_sink - took.to_reader);
    let p99 = line("from the stream until the event bus has the finding", |took| took.to_sink);
    let answers = |share| quantile(seen.answers.iter().map(Duration::as_secs_f64), share);
    println!(
        "{:<54} {:>6.3} {:>6.3} {:>6.3}",
        "of which the stand-in makes an answer with records in",
        answers(0.5),
        answers(0.99),
        answers(1.0)
    );
    println!(
        "\np99 {p99:.2} s (goal {GOAL_SECONDS}) of {} marks; {events} events = rows, {} findings accepted, each mark's once\nCPU: \
         worker {:.0}% of a core, stand-in {:.0}%\n",
        marks.len(),
        seen.accepted,
        100.0 * seen.cost.cpu_seconds / seen.cost.wall_seconds,
        100.0 * seen.served_seconds / seen.cost.wall_seconds,
    );
}
