//! Gzipped CloudTrail to Parquet and findings by the program itself, questions to that archive, beside DuckDB and chDB, and the memory it takes.
//!
//! `cargo bench --bench end_to_end [-- speed|questions|memory --files N --events N --rounds N --seed N]`. Every contestant is a
//! process of its own, of which the operating system says what it cost; all run in each round, one after the other,
//! each with all cores. The numbers are medians of CPU time, because machines drift and ratios do not; only what a
//! second core brings is wall time, and wants a machine with nothing else to do. Each result is checked.

mod corpus;
#[path = "end_to_end/child.rs"]
mod child;
#[path = "end_to_end/disk.rs"]
mod disk;
#[path = "end_to_end/python.rs"]
mod python;
#[path = "end_to_end/statement.rs"]
mod statement;
#[path = "end_to_end/contestant.rs"]
mod contestant;
#[path = "end_to_end/speed.rs"]
mod speed;
#[path = "end_to_end/questions.rs"]
mod questions;
#[path = "end_to_end/memory.rs"]
mod memory;

use std::ops::Range;

use disk::{Corpus, Sizes};

pub struct Options {
    files: u64,
    /// In each file.
    events: u64,
    rounds: u64,
    seed: u64,
    /// Which to run; all when it names none.
    section: Option<Section>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Speed,
    Questions,
    Memory,
}

impl Options {
    /// One for each file.
    fn seeds(&self) -> Range<u64> {
        self.seed..self.seed + self.files
    }
}

/// The driver must be small, see [`child::Cost::peak_bytes`].
const OWN_BYTES_MAX: u64 = 64 << 20;

fn main() {
    let options = arguments();
    let work = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder can be written");
    let folder = work.path().join("gz");
    let corpus = Corpus::write(folder, options.seeds(), options.events);
    introduce(&options, corpus.sizes());
    let is_asked = |section| options.section.is_none_or(|asked| asked == section);
    if is_asked(Section::Speed) {
        speed::run(&options, &corpus, work.path());
    }
    if is_asked(Section::Questions) {
        questions::run(&options, &corpus, work.path());
    }
    if is_asked(Section::Memory) {
        memory::run(&options, &corpus, work.path());
    }
    assert!(child::own_peak_bytes() < OWN_BYTES_MAX, "the driver's own memory must not count as that of others");
}

fn introduce(options: &Options, sizes: Sizes) {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    println!(
        "machine: {}, {} cores\ncorpus: {} CloudTrail files, {} events of {} bytes, {:.1} MB, gzip {:.1}:1, seed {}\n",
        model.unwrap_or("unknown"),
        child::cpus().len(),
        sizes.files,
        sizes.events,
        sizes.raw / sizes.events,
        sizes.raw as f64 / 1e6,
        sizes.raw as f64 / sizes.packed as f64,
        options.seed
    );
}

fn arguments() -> Options {
    let mut options = Options { files: 240, events: 800, rounds: 9, seed: 1, section: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number =
            || words.next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{word} needs a number"));
        match word.as_str() {
            "--files" => options.files = number(),
            "--events" => options.events = number(),
            "--rounds" => options.rounds = number(),
            "--seed" => options.seed = number(),
            "speed" => options.section = Some(Section::Speed),
            "questions" => options.section = Some(Section::Questions),
            "memory" => options.section = Some(Section::Memory),
            // cargo says so
            "--bench" => {}
            _ => panic!("{word}: there are speed, questions, memory, --files, --events, --rounds and --seed"),
        }
    }
    assert!(options.files > 0 && options.events > 0, "there must be something to read");
    options.rounds = options.rounds.max(7);
    options
}
