//! CPU time from gzipped CloudTrail to Parquet and findings, beside other engines; and what the second core brings.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::Instant;

use weir::logs::cloudtrail::CLOUDTRAIL;

use crate::child::{self, Running};
use crate::contestant::{Contestant, Rules, check_weir, median, weir};
use crate::disk::{self, Sizes};
use crate::python::library;
use crate::statement::{Nested, chdb_records, duckdb_lines, duckdb_records, leaves};
use crate::{Corpus, Options};

/// DuckDB takes so long for files as they are delivered that it gets one of this many.
const RECORDS_SHARE: usize = 16;

/// Runs everything in turn, again and again. `work` is a folder to write to.
pub fn run(options: &Options, corpus: &Corpus, work: &Path) {
    let lines = work.join("lines");
    disk::lines(&lines, options.seeds(), options.events);
    let mut lanes = Lanes::new(options, corpus, &lines);
    let output = work.join("out");
    lanes.all().for_each(|lane| {
        lane.round(&output);
        lane.warmed_up();
    });
    for _ in 0..options.rounds {
        lanes.all().for_each(|lane| lane.round(&output));
        lanes.cores.iter_mut().for_each(|cores| cores.apart.round(&output));
    }
    lanes.print(options.rounds);
}

struct Lanes<'a> {
    rules: Contestant<'a>,
    plain: Contestant<'a>,
    duckdb: Option<DuckDb<'a>>,
    chdb: Option<Contestant<'a>>,
    cores: Option<Cores<'a>>,
}

/// The same work on one core, on two, and twice at once.
struct Cores<'a> {
    one: Contestant<'a>,
    two: Contestant<'a>,
    apart: Apart<'a>,
}

/// Two processes at once, each with all of the work and a core of its own: more than that no program gets of a second core here.
struct Apart<'a> {
    corpus: &'a Corpus,
    cpus: [usize; 2],
    wall_seconds: Vec<f64>,
}

impl Apart<'_> {
    fn round(&mut self, folder: &Path) {
        let folders = self.cpus.map(|cpu| folder.join(format!("core{cpu}")));
        folders.iter().for_each(|own| fs::create_dir_all(own).expect("the folder can be made"));
        let started = Instant::now();
        let running = [0, 1].map(|at| {
            let command = weir(&[&self.corpus.folder], Rules::All, &folders[at]);
            Running::start(&mut pinned(&self.cpus[at].to_string(), &command))
        });
        running.into_iter().for_each(|running| drop(running.end()));
        self.wall_seconds.push(started.elapsed().as_secs_f64());
        for own in &folders {
            check_weir(own, &CLOUDTRAIL, self.corpus.sizes().events);
        }
    }
}

struct DuckDb<'a> {
    lines: Contestant<'a>,
    lines_text: Contestant<'a>,
    records: Contestant<'a>,
}

impl<'a> Lanes<'a> {
    fn new(options: &Options, corpus: &'a Corpus, lines: &'a Path) -> Lanes<'a> {
        let ours = |name: &str, rules| {
            let from = [corpus.folder.as_path()];
            Contestant::weir(name, &CLOUDTRAIL, corpus.sizes(), move |folder: &Path| weir(&from, rules, folder))
        };
        Lanes {
            rules: ours("weir, gz, all rules", Rules::All),
            plain: ours("weir, gz, no rules", Rules::None),
            duckdb: duckdb(options, corpus, lines),
            chdb: chdb(corpus),
            cores: cores(corpus),
        }
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Contestant<'a>> {
        let duckdb =
            self.duckdb.iter_mut().flat_map(|lanes| [&mut lanes.lines, &mut lanes.lines_text, &mut lanes.records]);
        let ours = [&mut self.rules, &mut self.plain];
        ours.into_iter()
            .chain(duckdb)
            .chain(&mut self.chdb)
            .chain(self.cores.iter_mut().flat_map(|cores| [&mut cores.one, &mut cores.two]))
    }

    fn print(&mut self, rounds: u64) {
        println!(
            "{rounds} rounds, medians of CPU time of the whole process; DuckDB and chDB without what it takes to import \
             them\n\n{:<42} {:>9} {:>8} {:>8} {:>8} {:>8}",
            "", "events/s", "MB/s raw", "CPU s", "wall s", "peak MB"
        );
        for lane in self.all() {
            let seconds = lane.cpu_seconds();
            println!(
                "{:<42} {:>9.0} {:>8.0} {seconds:>8.2} {:>8.2} {:>8.0}",
                lane.name,
                lane.work.events as f64 / seconds,
                lane.work.raw as f64 / 1e6 / seconds,
                lane.wall_seconds(),
                lane.peak_bytes() as f64 / 1e6
            );
        }
        println!("\n{} findings in each round", self.rules.findings.expect("there was a round"));
        let times = |other: &Contestant| {
            let each = |lane: &Contestant| lane.cpu_seconds() / lane.work.events as f64;
            (each(other) / each(&self.plain), each(other) / each(&self.rules))
        };
        let print = |other: &Contestant, goal: &str| {
            let (plain, rules) = times(other);
            println!("gz to Parquet   {plain:.2}x {}{goal}; with all rules {rules:.2}x", other.name);
        };
        if let Some(chdb) = &self.chdb {
            print(chdb, " (goal 3)");
        }
        if let Some(duckdb) = &self.duckdb {
            print(&duckdb.lines, " (goal 2)");
            print(&duckdb.lines_text, "");
            print(&duckdb.records, "");
        }
        if let Some(Cores { one, two, apart }) = &self.cores {
            let (one, two, apart) =
                (one.wall_seconds(), two.wall_seconds(), median(apart.wall_seconds.iter().copied()));
            println!("two cores       {:.2}x one, wall time (goal 1.8)", one / two);
            println!(
                "                {:.2}x: two processes that have nothing in common, a core each",
                2.0 * one / apart
            );
        }
    }
}

fn duckdb<'a>(options: &Options, corpus: &Corpus, lines: &'a Path) -> Option<DuckDb<'a>> {
    let library = Rc::new(library("duckdb", "2.0.0")?);
    let columns = CLOUDTRAIL.columns;
    let from_lines = |nested, form| {
        let (name, library) = (format!("DuckDB {}, lines, {form}", library.version), library.clone());
        Contestant::other(&name, corpus.sizes(), leaves(columns, nested), move |folder: &Path| {
            library.run(&duckdb_lines(columns, nested, lines, &folder.join("out.parquet")))
        })
    };
    let (lines, lines_text) = (from_lines(Nested::Columns, "same columns"), from_lines(Nested::Text, "nested as text"));
    let files: Vec<_> = options.seeds().step_by(RECORDS_SHARE).map(|seed| disk::gz(&corpus.folder, seed)).collect();
    let share: Sizes = corpus.files.iter().step_by(RECORDS_SHARE).copied().sum();
    let name = format!("DuckDB {}, gz, {} files", library.version, share.files);
    let records = Contestant::other(&name, share, leaves(columns, Nested::Columns), move |folder: &Path| {
        library.run(&duckdb_records(columns, &files, &folder.join("out.parquet")))
    });
    Some(DuckDb { lines, lines_text, records })
}

fn chdb(corpus: &Corpus) -> Option<Contestant<'_>> {
    let library = library("chdb", "4.4.0")?;
    let columns = CLOUDTRAIL.columns;
    let name = format!("chDB {}, gz", library.version);
    Some(Contestant::other(&name, corpus.sizes(), leaves(columns, Nested::Columns), move |folder: &Path| {
        library.run(&chdb_records(columns, &corpus.folder, &folder.join("out.parquet")))
    }))
}

/// `taskset` lets the process have no other cores, so it starts as many threads as it has cores.
fn cores(corpus: &Corpus) -> Option<Cores<'_>> {
    let cpus = child::cpus();
    let [first, second, ..] = cpus[..] else {
        println!("one core is not compared with two: there is one");
        return None;
    };
    let on = |name: &str, cpus: String| {
        Contestant::weir(name, &CLOUDTRAIL, corpus.sizes(), move |folder: &Path| {
            pinned(&cpus, &weir(&[&corpus.folder], Rules::All, folder))
        })
    };
    Some(Cores {
        one: on("weir, gz, all rules, taskset to one core", first.to_string()),
        two: on("weir, gz, all rules, taskset to two", format!("{first},{second}")),
        apart: Apart { corpus, cpus: [first, second], wall_seconds: Vec::new() },
    })
}

fn pinned(cpus: &str, command: &Command) -> Command {
    let mut pinned = Command::new("taskset");
    pinned.args(["--cpu-list", cpus]).arg(command.get_program()).args(command.get_args());
    pinned
}
