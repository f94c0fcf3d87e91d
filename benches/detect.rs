//! What detection costs on one core: the built-in rules, windows, very many rules, Sigma rules, and very many keys; and scoring.
//!
//! `cargo bench --bench detect [-- --only keys|rules|windows|scale|sigma|score] [--files N --events N --rounds N --seed N]`, with sizes: `--plans N`
//! of scale, whose rules are 10, 1,000 and 10,000; `--sigma N` rules of sigma; `--edges N` of score; `--keys N --snapshots N --flood N --memory MIB` of keys.
//! Speeds are medians of CPU time over the rounds, on the same events in batches of the pipeline's size, after one round that is not
//! counted: the detector knows the values of the logs from then on, as it does in a long run. Each section first checks its own result.

mod corpus;
#[path = "detect/keys.rs"]
mod keys;
#[path = "detect/made.rs"]
mod made;
#[path = "detect/rules.rs"]
mod rules;
#[path = "detect/scale.rs"]
mod scale;
#[path = "detect/score.rs"]
mod score;
#[path = "detect/sigma.rs"]
mod sigma;
#[path = "detect/windows.rs"]
mod windows;

use std::sync::Arc;

use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};
use weir::decode::{self, Counts, Input};
use weir::logs;
use weir::pipeline::GROUP_BYTES;
use weir::table::{Batch, Origin};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub struct Options {
    files: u64,
    /// Of each file.
    events: u64,
    rounds: u64,
    seed: u64,
    /// Rules that are also prepared as plans of DataFusion's; what they take is scaled up from there.
    plans: usize,
    sigma: usize,
    /// Live keys, and how many commits are made of them.
    keys: u64,
    snapshots: usize,
    edges: u64,
    /// Keys of the flood.
    flood: u64,
    /// What holds the live keys.
    memory_mib: u64,
    /// All sections when it names none.
    only: Option<String>,
}

impl Options {
    fn total(&self) -> u64 {
        self.files * self.events
    }
}

type Section = (&'static str, fn(&Options));

/// Keys first: of a process that has done nothing yet, what it takes is what they take.
const SECTIONS: [Section; 6] = [
    ("keys", keys::run),
    ("rules", rules::run),
    ("windows", windows::run),
    ("scale", scale::run),
    ("sigma", sigma::run),
    ("score", score::run),
];

fn main() {
    let options = arguments();
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("nothing has run yet");
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    println!("machine: {}, one core of it", model.unwrap_or("unknown"));
    println!("corpus: synthetic CloudTrail of benches/corpus, {} events, seed {}", options.total(), options.seed);
    for (name, run) in SECTIONS {
        if options.only.as_deref().is_none_or(|only| only == name) {
            println!("\n== {name}");
            run(&options);
        }
    }
}

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

/// The corpus, as CloudTrail delivers it.
fn objects(options: &Options) -> Vec<Bytes> {
    let file = |file| corpus::gzip(&corpus::cloudtrail_file(options.seed + file, options.events as usize)).into();
    (0..options.files).map(file).collect()
}

/// Flows for each event of the corpus: a flow takes about as many bytes fewer.
pub const FLOWS: u64 = 8;

/// VPC flow logs, as they are delivered.
fn flow_objects(options: &Options) -> Vec<Bytes> {
    let flows = (options.events * FLOWS) as usize;
    (0..options.files).map(|file| corpus::gzip(&corpus::vpc_flow_file(options.seed + file, flows)).into()).collect()
}

/// Batches as the pipeline makes them: of groups of records of about [`GROUP_BYTES`].
fn read(objects: &[Bytes], options: &decode::Options) -> Vec<Batch> {
    let (mut rejects, mut counts) = (Vec::new(), Counts::default());
    let (mut batches, mut group, mut bytes) = (Vec::new(), Vec::new(), 0);
    for object in objects {
        let mut reader = decode::open(Input::Bytes(object.clone()), Arc::new(Origin::default()), options);
        while let Some(piece) = reader.next(&mut rejects, &mut counts).expect("memory can be read") {
            bytes += piece.bytes_len();
            group.push(piece);
            if bytes >= GROUP_BYTES {
                batches.extend(logs::batches(std::mem::take(&mut group), options, &mut rejects, &mut counts));
                bytes = 0;
            }
        }
    }
    batches.extend(logs::batches(group, options, &mut rejects, &mut counts));
    assert!(rejects.is_empty(), "the corpus is sound: {:?}", rejects.first());
    batches
}

fn arguments() -> Options {
    let mut options = Options {
        files: 50,
        events: 800,
        rounds: 9,
        seed: 1,
        plans: 1000,
        sigma: 500,
        keys: 1_000_000,
        snapshots: 100,
        edges: 1_000_000,
        flood: 500_000,
        memory_mib: 8192,
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
            "--files" => options.files = number().max(1),
            "--events" => options.events = number().max(1),
            "--rounds" => options.rounds = number().max(1),
            "--seed" => options.seed = number(),
            "--plans" => options.plans = number() as usize,
            "--sigma" => options.sigma = number() as usize,
            "--keys" => options.keys = number().max(1),
            "--snapshots" => options.snapshots = number().max(1) as usize,
            "--edges" => options.edges = number().max(10_000),
            "--flood" => options.flood = number().max(1),
            "--memory" => options.memory_mib = number(),
            "--only" => {
                let names = SECTIONS.map(|(name, _)| name);
                assert!(names.contains(&value.as_str()), "{value}: there are {}", names.join(", "));
                options.only = Some(value);
            }
            _ => panic!("{word}: benches/detect.rs names the flags there are"),
        }
    }
    options
}
