//! One way from logs to Parquet: a process for each round, what it cost, and whether it did the work.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use parquet::file::reader::{FileReader, SerializedFileReader};
use weir::pipeline::summary::Summary;
use weir::table::Table;

use crate::child::{self, Cost};
use crate::disk::Sizes;

pub struct Contestant<'a> {
    pub name: String,
    /// What it is given.
    pub work: Sizes,
    /// Makes the command that writes into a folder, which is new and empty.
    command: Box<dyn Fn(&Path) -> Command + 'a>,
    /// Looks at what it wrote, and gives how many findings there are.
    check: Box<dyn Fn(&Path) -> u64 + 'a>,
    costs: Vec<Cost>,
    pub findings: Option<u64>,
}

impl<'a> Contestant<'a> {
    /// Weir itself, over all files of some folders.
    pub fn weir(name: &str, table: &'static Table, work: Sizes, command: impl Fn(&Path) -> Command + 'a) -> Self {
        let check = move |folder: &Path| check_weir(folder, table, work.events);
        Contestant::new(name, work, command, check)
    }

    /// Another program, which is to write a Parquet file with at least so many leaf columns.
    pub fn other(name: &str, work: Sizes, leaves: usize, command: impl Fn(&Path) -> Command + 'a) -> Self {
        let check = move |folder: &Path| {
            let (rows, columns) = parquet(folder);
            assert_eq!(rows, work.events, "every event is a row");
            assert!(columns >= leaves, "{columns} of {leaves} columns");
            0
        };
        Contestant::new(name, work, command, check)
    }

    fn new(
        name: &str,
        work: Sizes,
        command: impl Fn(&Path) -> Command + 'a,
        check: impl Fn(&Path) -> u64 + 'a,
    ) -> Self {
        let (command, check) = (Box::new(command), Box::new(check));
        Contestant { name: name.to_owned(), work, command, check, costs: Vec::new(), findings: None }
    }

    /// Runs it once in `folder`, which is emptied first.
    pub fn round(&mut self, folder: &Path) {
        if folder.exists() {
            fs::remove_dir_all(folder).expect("the folder is ours");
        }
        fs::create_dir_all(folder).expect("the folder can be made");
        let (mut cost, said) = child::run(&mut (self.command)(folder));
        // a library says what it took to be ready, which is taken off; we say nothing
        if !said.is_empty() {
            cost.cpu_seconds -= said.trim().parse::<f64>().expect("sql.py prints seconds");
        }
        let findings = (self.check)(folder);
        assert_eq!(*self.findings.get_or_insert(findings), findings, "{}: each round finds the same", self.name);
        self.costs.push(cost);
    }

    /// Forgets what the rounds so far took.
    pub fn warmed_up(&mut self) {
        self.costs.clear();
    }

    pub fn cpu_seconds(&self) -> f64 {
        self.median(|cost| cost.cpu_seconds)
    }

    pub fn wall_seconds(&self) -> f64 {
        self.median(|cost| cost.wall_seconds)
    }

    /// Most memory that any round took.
    pub fn peak_bytes(&self) -> u64 {
        self.costs.iter().map(|cost| cost.peak_bytes).max().expect("there was a round")
    }

    fn median(&self, seconds: fn(&Cost) -> f64) -> f64 {
        median(self.costs.iter().map(seconds))
    }
}

pub fn median(all: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = all.collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// The rules that Weir runs with.
#[derive(Clone, Copy)]
pub enum Rules {
    All,
    None,
}

/// `weir run` over folders or files, with an archive.
pub fn weir(from: &[&Path], rules: Rules, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.arg("run").arg("--from").args(from).arg("--archive").arg(folder.join("archive"));
    command.arg("--findings").arg(folder.join("findings.ndjson")).arg("--summary").arg(summary(folder));
    match rules {
        Rules::All => &mut command,
        Rules::None => command.args(["--rules", "none"]),
    };
    command
}

fn summary(folder: &Path) -> PathBuf {
    folder.join("summary.json")
}

/// Looks at what `weir` wrote into a folder, and gives how many findings there are.
pub fn check_weir(folder: &Path, table: &Table, events: u64) -> u64 {
    let text = fs::read_to_string(summary(folder)).expect("weir wrote a summary");
    let summary: Summary = serde_json::from_str(&text).expect("a summary is JSON");
    let counts = summary.tables[table.name].clone();
    assert_eq!((counts.records, counts.rows), (events, events), "every event is a row");
    assert_eq!(parquet(&folder.join("archive").join(table.name)).0, events, "every row is archived");
    let findings =
        fs::read_to_string(folder.join("findings.ndjson")).expect("weir wrote findings").lines().count() as u64;
    assert_eq!(summary.findings.values().sum::<u64>(), findings, "the summary counts the findings");
    // which windows leave where there is no room for all depends on the order in which two cores read
    if summary.shed_groups == 0 { findings } else { 0 }
}

/// Rows of all Parquet files below a folder, and the leaf columns of each.
fn parquet(folder: &Path) -> (u64, usize) {
    let (mut rows, mut columns) = (0, 0);
    for entry in walkdir::WalkDir::new(folder) {
        let path = entry.expect("the folder can be read").into_path();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            let file = SerializedFileReader::new(File::open(&path).expect("it was listed")).expect("it is Parquet");
            let metadata = file.metadata().file_metadata();
            rows += metadata.num_rows() as u64;
            columns = metadata.schema_descr().num_columns();
        }
    }
    (rows, columns)
}
