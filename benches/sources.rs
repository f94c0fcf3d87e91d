//! What the worker makes of S3, SQS and Kinesis: how fast, how soon, how much memory, and whether anything is lost.
//!
//! `cargo bench --bench sources [-- --only throughput|latency|surge|object]`, with sizes: `--files N --events N --rounds N --seed N
//! --shards N` of throughput; `--rate N --seconds N` of latency, which has the same shards; `--surge-rate N --surge-seconds N --surge-shards N
//! --memory MIB` of the surge; `--object MIB` of the object. The worker is the program itself, a process of its own; the services are
//! stand-ins in this process, on the same cores, whose CPU time is told beside. Each result is checked.

#[path = "end_to_end/child.rs"]
mod child;
mod corpus;
#[path = "end_to_end/disk.rs"]
mod disk;
#[path = "sources/server.rs"]
mod server;
#[path = "sources/bucket.rs"]
mod bucket;
#[path = "sources/stream.rs"]
mod stream;
#[path = "sources/load.rs"]
mod load;
#[path = "sources/bus.rs"]
mod bus;
#[path = "sources/worker.rs"]
mod worker;
#[path = "sources/live.rs"]
mod live;
#[path = "sources/throughput.rs"]
mod throughput;
#[path = "sources/latency.rs"]
mod latency;
#[path = "sources/surge.rs"]
mod surge;
#[path = "sources/object.rs"]
mod object;

use std::ops::Range;
use std::path::Path;

use disk::Corpus;

pub struct Options {
    /// Of throughput: files, and events in each.
    files: u64,
    events: u64,
    rounds: u64,
    seed: u64,
    shards: usize,
    /// Of latency: events a second, and seconds.
    rate: u64,
    seconds: u64,
    /// The same of the surge before it comes.
    surge_rate: u64,
    surge_seconds: u64,
    surge_shards: usize,
    memory_mib: u64,
    /// Of the object, inflated.
    object_mib: u64,
    /// All sections when it names none.
    only: Option<String>,
}

impl Options {
    /// One for each file.
    fn seeds(&self) -> Range<u64> {
        self.seed..self.seed + self.files
    }
}

/// What a section runs, in a folder to write to.
type Run = fn(&Options, &Path);

const SECTIONS: [(&str, Run); 4] =
    [("throughput", with_corpus), ("latency", latency::run), ("surge", surge::run), ("object", object::run)];

fn main() {
    let options = arguments();
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    println!("machine: {}, {} cores", model.unwrap_or("unknown"), child::cpus().len());
    println!("corpus: synthetic CloudTrail of benches/corpus, seed {}\n", options.seed);
    for (name, run) in SECTIONS {
        if options.only.as_deref().is_none_or(|only| only == name) {
            let work = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder can be written");
            run(&options, work.path());
        }
    }
}

fn with_corpus(options: &Options, work: &Path) {
    let folder = work.join("gz");
    let corpus = Corpus::write(folder, options.seeds(), options.events);
    let sizes = corpus.sizes();
    println!(
        "{} files, {} events of {} bytes, {:.1} MB, gzip {:.1}:1",
        sizes.files,
        sizes.events,
        sizes.raw / sizes.events,
        sizes.raw as f64 / 1e6,
        sizes.raw as f64 / sizes.packed as f64
    );
    throughput::run(options, &corpus, work);
}

fn arguments() -> Options {
    let mut options = Options {
        files: 240,
        events: 800,
        rounds: 7,
        seed: 1,
        shards: 4,
        rate: 2000,
        seconds: 60,
        surge_rate: 4000,
        surge_seconds: 20,
        surge_shards: 16,
        memory_mib: 512,
        object_mib: 1024,
        only: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--bench" {
            // cargo says so
            continue;
        }
        let value = words.next().unwrap_or_else(|| panic!("{word} needs a value"));
        let number = || value.parse::<u64>().unwrap_or_else(|_| panic!("{word} needs a number"));
        match word.as_str() {
            "--files" => options.files = number(),
            "--events" => options.events = number(),
            "--rounds" => options.rounds = number().max(1),
            "--seed" => options.seed = number(),
            "--shards" => options.shards = number() as usize,
            "--rate" => options.rate = number(),
            "--seconds" => options.seconds = number(),
            "--surge-rate" => options.surge_rate = number(),
            "--surge-seconds" => options.surge_seconds = number(),
            "--surge-shards" => options.surge_shards = number() as usize,
            "--memory" => options.memory_mib = number(),
            "--object" => options.object_mib = number(),
            "--only" => {
                assert!(
                    SECTIONS.iter().any(|(name, _)| *name == value),
                    "{value}: there are throughput, latency, surge and object"
                );
                options.only = Some(value);
            }
            _ => panic!("{word}: benches/sources.rs names the flags there are"),
        }
    }
    let sizes =
        [options.files, options.events, options.rate, options.seconds, options.surge_rate, options.surge_seconds];
    assert!(
        sizes.iter().all(|size| *size > 0) && options.shards > 0 && options.surge_shards > 0,
        "there must be something to read"
    );
    options
}
