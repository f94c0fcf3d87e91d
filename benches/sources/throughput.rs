//! The same bytes from files, from S3 and from Kinesis, in turn.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use weir::pipeline::summary::Summary;

use crate::bucket::{self, Bucket};
use crate::child::{self, Cost, Running};
use crate::disk::{self, Sizes};
use crate::server::Services;
use crate::stream::{self, Stored, Stream};
use crate::worker::{prepare, summary, weir};
use crate::{Corpus, Options};

const GOAL: f64 = 0.7;
/// How long to wait before looking again whether a stream is drained.
const LOOK: Duration = Duration::from_millis(2);

/// One way in.
struct Lane {
    name: &'static str,
    arguments: Vec<String>,
    /// Where it reads from, if it is no folder.
    services: Option<(Arc<Services>, String)>,
    rounds: Vec<Round>,
}

struct Round {
    cost: Cost,
    /// CPU time of this process meanwhile, which does nothing but serve.
    served_seconds: f64,
    summary: Summary,
}

/// Runs every lane in each round, one after the other. `work` is a folder to write to.
pub fn run(options: &Options, corpus: &Corpus, work: &Path) {
    let sizes = corpus.sizes();
    let lines = work.join("lines");
    disk::lines(&lines, options.seeds(), options.events);
    let mut lanes = [
        Lane::files("files, gz", &corpus.folder),
        Lane::bucket("S3, backfill", &corpus.folder, &["backfill", &format!("s3://{}", bucket::NAME)]),
        Lane::bucket(
            "S3, notices of SQS",
            &corpus.folder,
            &["run", "--once", "--from", &format!("sqs://{}", bucket::QUEUE)],
        ),
        Lane::stream("Kinesis, a gz file a record", options, &work.join("gz-pages"), gz_records(options, corpus)),
        Lane::files("files, lines", &lines),
        Lane::stream("Kinesis, an event a record", options, &work.join("pages"), line_records(&lines)),
    ];
    let folder = work.join("out");
    for lane in &mut lanes {
        lane.round(&folder, sizes);
        lane.rounds.clear();
    }
    for _ in 0..options.rounds {
        lanes.iter_mut().for_each(|lane| lane.round(&folder, sizes));
    }
    print(options, &lanes, sizes);
}

fn gz_records(options: &Options, corpus: &Corpus) -> impl Iterator<Item = Vec<u8>> {
    options.seeds().map(|seed| fs::read(disk::gz(&corpus.folder, seed)).expect("it was written"))
}

fn line_records(folder: &Path) -> impl Iterator<Item = Vec<u8>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("it was written").map(|entry| entry.expect("it is there").path()).collect();
    files.sort();
    files.into_iter().flat_map(|file| {
        let text = fs::read_to_string(file).expect("it was written");
        text.lines().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>()
    })
}

impl Lane {
    fn files(name: &'static str, folder: &Path) -> Lane {
        let arguments = ["run", "--from", &folder.display().to_string()].map(str::to_owned).to_vec();
        Lane { name, arguments, services: None, rounds: Vec::new() }
    }

    fn bucket(name: &'static str, folder: &Path, arguments: &[&str]) -> Lane {
        Lane::of(name, Services::of_bucket(Bucket::of(folder)), arguments)
    }

    fn stream(name: &'static str, options: &Options, pages: &Path, records: impl Iterator<Item = Vec<u8>>) -> Lane {
        let stored = Stored::write(pages, options.shards, records);
        let from = format!("kinesis://{}", stream::NAME);
        Lane::of(name, Services::of_stream(Stream::of(Arc::new(stored))), &["run", "--from", &from])
    }

    fn of(name: &'static str, services: Services, arguments: &[&str]) -> Lane {
        let services = Arc::new(services);
        let url = services.clone().serve();
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Lane { name, arguments, services: Some((services, url)), rounds: Vec::new() }
    }

    fn round(&mut self, folder: &Path, sizes: Sizes) {
        let url = self.services.as_ref().map_or("http://127.0.0.1:1", |(_, url)| url);
        // the stand-in is not throttled
        prepare(folder, url, "[source.kinesis]\npoll_ms = 0\n");
        let services = self.services.as_ref().map(|(services, _)| services);
        let bucket = services.and_then(|services| services.bucket.as_ref());
        let stream = services.and_then(|services| services.stream.as_ref());
        if let Some(bucket) = bucket {
            bucket.notify();
        }
        if let Some(stream) = stream {
            stream.rewind();
        }
        let before = child::own_cpu_seconds();
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let worker = Running::start(&mut weir(&arguments, folder));
        if let Some(stream) = stream {
            while !stream.is_drained() && child::memory(worker.id()).is_some() {
                std::thread::sleep(LOOK);
            }
            worker.stop();
        }
        let (cost, _) = worker.end();
        let served_seconds = child::own_cpu_seconds() - before;
        let summary = summary(folder, sizes.events);
        if let Some(bucket) = bucket.filter(|_| self.arguments.iter().any(|argument| argument.starts_with("sqs://"))) {
            assert_eq!(
                bucket.queue.deleted() as u64,
                sizes.files,
                "each notice is deleted once its object is committed"
            );
        }
        let told = fs::read_to_string(folder.join("findings.ndjson")).expect("weir wrote findings").lines().count();
        let findings = summary.findings.values().sum::<u64>();
        assert!(told as u64 >= findings && findings > 0, "{told} lines of {findings} findings");
        self.rounds.push(Round { cost, served_seconds, summary });
    }

    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(of).collect())
    }

    /// How many times as fast as another lane it was, round by round: by time, and by CPU time of the worker.
    fn beside(&self, base: &Lane) -> (f64, f64) {
        let ratio = |of: fn(&Round) -> f64| {
            median(base.rounds.iter().zip(&self.rounds).map(|(base, own)| of(base) / of(own)).collect())
        };
        (ratio(|round| round.cost.wall_seconds), ratio(|round| round.cost.cpu_seconds))
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn print(options: &Options, lanes: &[Lane], sizes: Sizes) {
    println!(
        "throughput: {} rounds of all lanes in turn, medians; all rules and an archive; {} shards\n\n{:<30} {:>9} {:>9} {:>7} {:>7} {:>12} {:>9}",
        options.rounds, options.shards, "", "events/s", "MB/s raw", "wall s", "CPU s", "stand-in CPU", "findings"
    );
    for lane in lanes {
        let wall = lane.median(|round| round.cost.wall_seconds);
        println!(
            "{:<30} {:>9.0} {:>9.0} {wall:>7.2} {:>7.2} {:>12.2} {:>9}",
            lane.name,
            sizes.events as f64 / wall,
            sizes.raw as f64 / 1e6 / wall,
            lane.median(|round| round.cost.cpu_seconds),
            lane.median(|round| round.served_seconds),
            lane.rounds[0].summary.findings.values().sum::<u64>(),
        );
    }
    println!("\nwhat the pipeline did in the time of the run; sources read and inflate beside it");
    for lane in lanes {
        let stages = lane.rounds[0].summary.stage_seconds.keys().map(|stage| {
            let seconds = |round: &Round| round.summary.stage_seconds.get(stage).copied().unwrap_or_default();
            format!("{stage} {:.0}%", 100.0 * lane.median(|round| seconds(round) / round.cost.wall_seconds))
        });
        println!("{:<30} {}", lane.name, stages.collect::<Vec<_>>().join(", "));
    }
    println!();
    let mut base = &lanes[0];
    for lane in lanes {
        if lane.services.is_none() {
            base = lane;
            continue;
        }
        let (wall, cpu) = lane.beside(base);
        println!(
            "{:<30} {wall:.2}x {} by time, with the stand-in on the same cores (goal {GOAL}); {cpu:.2}x by the worker's CPU time",
            lane.name, base.name
        );
    }
    println!();
}
