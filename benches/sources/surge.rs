//! A load, ten times as much for a while, and the load again: memory keeps to its limit, and nothing is lost.

use std::path::Path;

use crate::Options;
use crate::live::{self, Sample, Seen, quantile};
use crate::load::{Load, Phase};

const TIMES: f64 = 10.0;
/// How long it is steady afterwards, in times of the surge.
const AFTER: f64 = 3.0;
/// A prime, so that all shards have some.
const MARK_EVERY: u64 = 199;
/// Lines that tell how it went.
const LINES: f64 = 20.0;
/// From here on the worker has caught up: what it takes without a surge.
const CAUGHT_UP_SECONDS: f64 = 5.0;

pub fn run(options: &Options, work: &Path) {
    let (seconds, rate) = (options.surge_seconds as f64, options.surge_rate as f64);
    let steady = Phase { seconds, rate };
    let phases = vec![steady, Phase { rate: rate * TIMES, ..steady }, Phase { seconds: seconds * AFTER, ..steady }];
    let load = Load::new(options.surge_shards, phases, MARK_EVERY, options.seed);
    let (events, bytes) = (load.events(), load.event_bytes());
    let limit_bytes = options.memory_mib << 20;
    let seen = live::run(load, &["--memory", &format!("{}MiB", options.memory_mib)], work);
    println!(
        "surge: {rate} events/s of {bytes} bytes over {} shards for {seconds} s, then {} for as long, then {rate}; all rules, an \
         archive, an event bus, and --memory {}MiB; a shard gives the worker 2 MB/s at most\n\n{:>7} {:>10} {:>10} {:>9} {:>14} {:>9}",
        options.surge_shards,
        rate * TIMES,
        options.memory_mib,
        "second",
        "come",
        "read",
        "behind s",
        "finding's age s",
        "RSS MiB"
    );
    let last = seen.samples.last().expect("there was a load").since;
    let step = last / LINES;
    for place in 0..LINES as usize {
        let until = step * (place + 1) as f64;
        let upto = seen.samples.iter().take_while(|sample| sample.since <= until).last();
        if let Some(sample) = upto {
            line(sample, age(&seen, until - step..until));
        }
    }
    let most = seen.samples.iter().map(|sample| sample.behind_seconds).fold(0.0, f64::max);
    let oldest = seen.marks.iter().map(|(_, took)| took.to_sink).fold(0.0, f64::max);
    // the last moment at which it was behind by more than a worker is that is not
    let late = seen.samples.iter().rev().find(|sample| sample.behind_seconds > CAUGHT_UP_SECONDS);
    let caught_up = late.map_or(0.0, |sample| (sample.since - 2.0 * seconds).max(0.0));
    let first: Vec<f64> =
        seen.marks.iter().filter(|(since, _)| *since < seconds).map(|(_, took)| took.to_sink).collect();
    println!(
        "\nat most {most:.1} s behind, and a finding {oldest:.1} s after its record (p99 {:.1} before the surge); within \
         {CAUGHT_UP_SECONDS} s again {caught_up:.1} s after the end of the surge\npeak {} MiB of {} MiB; {events} events = rows, {} findings accepted, each of \
         {} marks once\nCPU: worker {:.1} s, stand-in {:.1} s, of {:.1} s\n",
        quantile(first, 0.99),
        seen.peak_bytes >> 20,
        options.memory_mib,
        seen.accepted,
        seen.marks.len(),
        seen.cost.cpu_seconds,
        seen.served_seconds,
        seen.cost.wall_seconds,
    );
    assert!(seen.peak_bytes <= limit_bytes, "memory stays within its limit");
    let end = seen.samples.last().expect("there was a load");
    assert!(end.behind_seconds < CAUGHT_UP_SECONDS, "it catches up");
}

fn line(sample: &Sample, age: Option<f64>) {
    let age = age.map_or("-".to_owned(), |age| format!("{age:.1}"));
    println!(
        "{:>7.0} {:>10} {:>10} {:>9.1} {age:>14} {:>9}",
        sample.since,
        sample.come,
        sample.given,
        sample.behind_seconds,
        sample.resident_bytes >> 20
    );
}

/// The greatest age of the findings that were accepted in these seconds.
fn age(seen: &Seen, within: std::ops::Range<f64>) -> Option<f64> {
    let accepted = seen.marks.iter().filter(|(since, took)| within.contains(&(since + took.to_sink)));
    accepted.map(|(_, took)| took.to_sink).reduce(f64::max)
}
