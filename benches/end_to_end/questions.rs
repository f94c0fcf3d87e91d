//! CPU time of questions to the archive: `weir sql` beside DuckDB and chDB, which read the same Parquet files and have to answer the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::child;
use crate::contestant::{Rules, weir};
use crate::python::{Library, library};
use crate::{Corpus, Options};

/// Makes an archive, and asks it everything in turn, again and again. `work` is a folder to write to.
pub fn run(options: &Options, corpus: &Corpus, work: &Path) {
    let folder = work.join("asked");
    std::fs::create_dir(&folder).expect("the folder is new");
    child::run(&mut weir(&[&corpus.folder], Rules::None, &folder));
    let archive = folder.join("archive");
    let libraries = [library("duckdb", "2.0.0"), library("chdb", "4.4.0")];
    let lanes = || {
        let others = libraries.iter().flatten().map(|library| Lane::new(&archive, Some(library)));
        std::iter::once(Lane::new(&archive, None)).chain(others).collect::<Vec<_>>()
    };
    let names = libraries.iter().flatten().map(|library| format!(" {:>8} {:>6}", library.name, "times"));
    println!(
        "\n{} rounds, medians of CPU milliseconds of the whole process; DuckDB and chDB without what it takes to import \
         them\n\n{:<44} {:>8}{}",
        options.rounds,
        "question to the archive",
        "weir",
        names.collect::<String>()
    );
    for (name, question) in questions(&archive) {
        let mut lanes = lanes();
        for round in 0..=options.rounds {
            let answers: Vec<_> = lanes.iter_mut().map(|lane| lane.ask(&question)).collect();
            assert!(!answers[0].is_empty(), "{name}: there is an answer");
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{name}: {question}: {answers:?}");
            if round == 0 {
                // that was to warm up
                lanes.iter_mut().for_each(|lane| lane.cpu_seconds.clear());
            }
        }
        let medians: Vec<f64> = lanes.iter().map(Lane::median).collect();
        let others = medians[1..].iter().map(|cpu| format!(" {:>8.0} {:>6.2}", cpu * 1e3, cpu / medians[0]));
        println!("{name:<44} {:>8.0}{}", medians[0] * 1e3, others.collect::<String>());
    }
}

/// Who is asked.
struct Lane<'a> {
    archive: &'a Path,
    /// None is Weir.
    library: Option<&'a Library>,
    cpu_seconds: Vec<f64>,
}

impl<'a> Lane<'a> {
    fn new(archive: &'a Path, library: Option<&'a Library>) -> Lane<'a> {
        Lane { archive, library, cpu_seconds: Vec::new() }
    }

    /// The rows of the answer, in order, with tabs between columns.
    fn ask(&mut self, question: &str) -> Vec<String> {
        let question = self.in_words(question);
        let mut command = match self.library {
            Some(library) => library.ask(&question),
            None => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
                command.args(["sql", &question, "--format", "csv", "--archive"]).arg(self.archive);
                command
            }
        };
        let (cost, said) = child::run(command.env("TZ", "UTC"));
        // what a library took to be ready, or names of columns
        let (first, rows) = said.split_once('\n').expect("a line is in front");
        let ready: f64 = if self.library.is_some() { first.parse().expect("sql.py prints seconds") } else { 0.0 };
        self.cpu_seconds.push(cost.cpu_seconds - ready);
        let mut rows: Vec<String> = rows.lines().map(|row| row.replace(',', "\t").replace("\\N", "")).collect();
        rows.sort();
        rows
    }

    /// The question with what each engine calls the table and a text in JSON.
    fn in_words(&self, question: &str) -> String {
        let files: PathBuf = self.archive.join("cloudtrail/**/*.parquet");
        const ROLE: &str = "split_part(useridentity.arn, '/', 2)";
        let (table, bucket, role) = match self.library.map(|library| library.name) {
            None => ("cloudtrail".to_owned(), "json_extract_scalar(requestparameters, '$.bucketName')", ROLE),
            Some("duckdb") => {
                let table = format!("read_parquet('{}', hive_partitioning = true)", files.display());
                (table, "json_extract_string(requestparameters, '$.bucketName')", ROLE)
            }
            Some(_) => {
                let table = format!("file('{}')", files.display());
                (table, "JSONExtractString(requestparameters, 'bucketName')", "splitByChar('/', useridentity.arn)[2]")
            }
        };
        question.replace("<table>", &table).replace("<bucket>", bucket).replace("<role>", role)
    }

    fn median(&self) -> f64 {
        let mut seconds = self.cpu_seconds.clone();
        seconds.sort_by(f64::total_cmp);
        seconds[seconds.len() / 2]
    }
}

/// What people ask, with values that are there.
fn questions(archive: &Path) -> Vec<(&'static str, String)> {
    let one = |column: &str, event: &str| {
        let question = format!("SELECT min({column}) FROM <table> WHERE eventname = '{event}'");
        Lane::new(archive, None).ask(&question).remove(0)
    };
    let key = one("useridentity.accesskeyid", "RunInstances");
    let id = one("eventid", "PutObject");
    let actor = one("useridentity.arn", "GetObject");
    [
        ("how many events", "SELECT count(*) FROM <table>".to_owned()),
        (
            "what an access key did",
            format!("SELECT eventid, eventname, sourceipaddress FROM <table> WHERE useridentity.accesskeyid = '{key}'"),
        ),
        ("an event by its id", format!("SELECT eventname, requestid, awsregion FROM <table> WHERE eventid = '{id}'")),
        (
            "what an actor did on a day",
            format!(
                "SELECT eventname, count(*) FROM <table> WHERE useridentity.arn = '{actor}' AND day = '2024-08-01' GROUP BY 1"
            ),
        ),
        (
            "the most frequent calls",
            "SELECT eventname, count(*) AS n FROM <table> GROUP BY 1 ORDER BY n DESC, 1 LIMIT 10".to_owned(),
        ),
        (
            "the busiest actors, by address",
            "SELECT useridentity.arn, sourceipaddress, count(*) AS n FROM <table> WHERE useridentity.arn IS NOT NULL \
             GROUP BY 1, 2 ORDER BY n DESC, 1, 2 LIMIT 10"
                .to_owned(),
        ),
        (
            "how many addresses and ids there are",
            "SELECT count(DISTINCT sourceipaddress), count(DISTINCT eventid) FROM <table>".to_owned(),
        ),
        (
            "the most frequent buckets, out of JSON",
            "SELECT <bucket>, count(*) AS n FROM <table> WHERE eventsource = 's3.amazonaws.com' AND <bucket> <> '' \
             GROUP BY 1 ORDER BY n DESC, 1 LIMIT 10"
                .to_owned(),
        ),
        (
            "the busiest roles, out of ARNs",
            "SELECT <role>, count(*) AS n FROM <table> WHERE useridentity.type = 'AssumedRole' \
             GROUP BY 1 ORDER BY n DESC, 1 LIMIT 10"
                .to_owned(),
        ),
        (
            "the most events of an hour",
            "SELECT max(n) FROM (SELECT date_trunc('hour', eventtime) AS hour, count(*) AS n FROM <table> GROUP BY 1) AS t"
                .to_owned(),
        ),
        (
            "the first call of each actor",
            "SELECT actor, eventname FROM (SELECT useridentity.arn AS actor, eventname, row_number() OVER (PARTITION BY \
             useridentity.arn ORDER BY eventtime, eventid) AS place FROM <table> WHERE useridentity.arn IS NOT NULL) AS t \
             WHERE place = 1"
                .to_owned(),
        ),
        (
            "who did what from where, each once",
            "SELECT count(*) FROM (SELECT DISTINCT useridentity.arn, eventname, awsregion, sourceipaddress FROM <table> \
             WHERE useridentity.arn IS NOT NULL) AS t"
                .to_owned(),
        ),
        (
            "ten minutes of a Region",
            "SELECT eventname, count(*) FROM <table> WHERE region = 'us-east-1' AND day = '2024-08-01' \
             AND eventtime BETWEEN '2024-08-01 00:10:00' AND '2024-08-01 00:20:00' GROUP BY 1"
                .to_owned(),
        ),
        (
            "two calls with one access key, joined",
            "SELECT count(*) FROM <table> a JOIN <table> b ON a.useridentity.accesskeyid = b.useridentity.accesskeyid \
             WHERE a.eventname = 'RunInstances' AND b.eventname = 'GetRole'"
                .to_owned(),
        ),
    ]
    .into()
}
