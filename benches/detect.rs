//! What all rules add to reading CloudTrail, on one core.
//!
//! `cargo bench --bench detect [-- EVENTS]`: medians of CPU time over 9 rounds, decoding and judging in turns, then the
//! rules that cost most. The corpus is that of the `decode` bench.

mod corpus;

use std::sync::Arc;

use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};
use weir::decode::{self, Counts, Input, Options};
use weir::detect::{Detector, library};
use weir::logs;
use weir::table::{Batch, Origin};
use weir::time::Timestamp;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 9;

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn timed<T>(seconds: &mut Vec<f64>, run: impl FnOnce() -> T) -> T {
    let start = cpu_seconds();
    let done = run();
    seconds.push(cpu_seconds() - start);
    done
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn read(object: &Bytes, options: &Options) -> Vec<Batch> {
    let (mut rejects, mut counts, mut records) = (Vec::new(), Counts::default(), Vec::new());
    let mut reader = decode::open(Input::Bytes(object.clone()), Arc::new(Origin::default()), options);
    while let Some(piece) = reader.next(&mut rejects, &mut counts).expect("memory can be read") {
        records.push(piece);
    }
    logs::batches(records, options, &mut rejects, &mut counts)
}

fn main() {
    // cargo hands over `--bench`
    let events = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(60_000);
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("nothing has run yet");
    let object: Bytes = corpus::gzip(&corpus::cloudtrail_file(1, events)).into();
    let options = Options::default();

    let mut planning = Vec::new();
    let (rules, refused) = library::rules(&library::built_in());
    assert_eq!(refused, []);
    let (mut detector, refused) = timed(&mut planning, || Detector::new(logs::TABLES, rules));
    assert_eq!(refused, []);
    let (mut decoding, mut judging, mut expected) = (Vec::new(), Vec::new(), None);
    for _ in 0..ROUNDS {
        let batches = timed(&mut decoding, || read(&object, &options));
        let found = timed(&mut judging, || detector.observe(&batches, Timestamp(0)));
        assert_eq!(*expected.get_or_insert(found.len()), found.len(), "every round finds the same");
    }

    let (decode, judge) = (median(decoding), median(judging));
    let each = |seconds: f64| seconds * 1e9 / events as f64;
    println!("{} rules compiled in {:.0} ms", detector.rules().count(), planning[0] * 1e3);
    println!("{events} events, {} findings", expected.unwrap_or(0));
    println!("gz to Arrow    {:8.0} ns/event", each(decode));
    println!("all rules      {:8.0} ns/event, {:.1}% of gz to Arrow", each(judge), 100.0 * judge / decode);
    let mut costs: Vec<_> = detector.costs().iter().collect();
    costs.sort_by(|a, b| b.1.seconds.total_cmp(&a.1.seconds));
    for (rule, cost) in costs.iter().take(12) {
        let each = each(cost.seconds / ROUNDS as f64);
        println!("  {rule:<52} {each:7.1} ns/event  {} hits", cost.hits / ROUNDS as u64);
    }
}
