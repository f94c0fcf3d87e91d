//! What all built-in rules add to parsing and archiving, and whether they select what each does by itself as a query of DataFusion's.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionConfig;
use weir::archive::{self, Archive};
use weir::decode;
use weir::detect::{Detector, library, session};
use weir::logs;
use weir::logs::cloudtrail::CLOUDTRAIL;
use weir::logs::vpc_flow::VPC_FLOW;
use weir::rule::{Fires, Rule, shorthand};
use weir::table::{Batch, Table};
use weir::time::Timestamp;

use super::{FLOWS, Options, flow_objects, median, objects, read, timed};

pub fn run(options: &Options) {
    of_table(&CLOUDTRAIL, &objects(options), options.total(), options.rounds);
    println!();
    of_table(&VPC_FLOW, &flow_objects(options), options.total() * FLOWS, options.rounds);
}

/// `objects` have `total` records of the table.
fn of_table(table: &'static Table, objects: &[Bytes], total: u64, rounds: u64) {
    let (total, rounds, options) = (total as f64, rounds.max(7), decode::Options::default());
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let settings = archive::Config::default();
    let mut archive = Archive::open(folder.path(), &settings).expect("the folder is new");

    let mut planning = Vec::new();
    let (rules, refused) = library::rules(&library::built_in());
    assert_eq!(refused, []);
    let (mut detector, refused) = timed(&mut planning, || Detector::new(logs::TABLES, rules));
    assert_eq!(refused, []);
    let batches = read(objects, &options);
    assert_eq!(batches.iter().map(|batch| batch.rows.num_rows()).sum::<usize>() as f64, total);

    // what windows find depends on what came before, and here the same events come in each round
    let is_of_rows = |rule: &&Rule| rule.fires == Fires::PerRow;
    let of_rows: BTreeSet<String> = detector.rules().filter(is_of_rows).map(|rule| rule.id.clone()).collect();
    let (mut single, _) = library::rules(&library::built_in());
    single.retain(|rule| of_rows.contains(&rule.id));
    let (mut single, refused) = Detector::new(logs::TABLES, single);
    assert_eq!(refused, []);

    // the first round warms up; the detector knows the values of the logs from then on, as it does in a long run
    let (mut parsing, mut archiving, mut judging, mut expected) = (Vec::new(), Vec::new(), Vec::new(), None);
    let mut judging_single = Vec::new();
    for round in 0..=rounds {
        let batches = timed(&mut parsing, || read(objects, &options));
        let found = timed(&mut judging, || detector.observe(&batches, Timestamp(0)));
        let found_single = timed(&mut judging_single, || single.observe(&batches, Timestamp(0)));
        let written = timed(&mut archiving, || {
            archive.add(batches);
            archive.write(round).expect("the folder can be written")
        });
        assert_eq!(written.iter().map(|object| object.rows).sum::<u64>() as f64, total, "every event is archived");
        archive.sweep().expect("the folder can be emptied");
        let count = found.iter().filter(|finding| of_rows.contains(&finding.rule)).count();
        assert_eq!(*expected.get_or_insert(count), count, "every round finds the same");
        assert_eq!(found_single.len(), count, "these rules find by themselves what they find among all");
        if round == 0 {
            [&mut parsing, &mut archiving, &mut judging, &mut judging_single].into_iter().for_each(Vec::clear);
        }
    }

    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
    let (mut compared, mut left_out) = (0, 0);
    // a query that groups gives windows, not the rows that it selects
    let is_compared = |rule: &&Rule| rule.table == table.name && of_rows.contains(&rule.id);
    for rule in detector.rules().filter(is_compared) {
        let hits = detector.costs()[&rule.id].hits / (rounds + 1);
        match runtime.block_on(selected(rule, table, &batches)) {
            Some(rows) => {
                assert_eq!(hits, rows, "{}: what DataFusion selects", rule.id);
                compared += 1;
            }
            None => left_out += 1,
        }
    }

    let (parse, write, judge, judge_single) =
        (median(parsing), median(archiving), median(judging), median(judging_single));
    let each = |seconds: f64| seconds * 1e9 / total;
    println!("{} rules compiled in {:.0} ms", detector.rules().count(), planning[0] * 1e3);
    println!(
        "{total} rows of {} in {} batches, {} findings of single rows",
        table.name,
        batches.len(),
        expected.unwrap_or(0)
    );
    println!("{compared} of its rules select as many rows as DataFusion alone, which cannot run {left_out} others");
    println!("{rounds} rounds, medians of CPU time\n");
    println!("gz to Arrow      {:8.0} ns/row", each(parse));
    println!("Arrow to Parquet {:8.0} ns/row", each(write));
    println!("all rules        {:8.0} ns/row", each(judge));
    println!("of single rows   {:8.0} ns/row, {} rules by themselves", each(judge_single), of_rows.len());
    let share = |judge: f64| 100.0 * judge / (parse + write);
    println!(
        "\nrules add {:.1}% to parse plus archive, those of single rows {:.1}% (goal 15%)\n",
        share(judge),
        share(judge_single)
    );
    let mut costs: Vec<_> = detector.costs().iter().collect();
    costs.sort_by(|a, b| b.1.seconds.total_cmp(&a.1.seconds));
    for (rule, cost) in costs.iter().take(10) {
        let (nanos, all) = (each(cost.seconds / (rounds + 1) as f64), rounds + 1);
        println!("  {rule:<52} {nanos:7.1} ns/row  {:6} rows  {:5} hits", cost.rows / all, cost.hits / all);
    }
}

/// Rows that a rule selects when DataFusion runs its query over the table, with the condition that leaves out what AWS
/// services do on their own behalf; `None` when it cannot: 55.2 confuses the columns of a lambda in a filter.
async fn selected(rule: &Rule, table: &'static Table, batches: &[Batch]) -> Option<u64> {
    let context = session::session(SessionConfig::new().with_target_partitions(1));
    let rows = batches.iter().map(|batch| batch.rows.clone()).collect();
    let all = MemTable::try_new(table.schema(), vec![rows]).expect("batches have the table's schema");
    context.register_table(table.name, Arc::new(all)).expect("the session is new");
    let statement = session::parse(&rule.text).expect("the rule compiled").pop_front().expect("a rule is a query");
    let sql = match rule.aws_services || table.own.is_empty() {
        true => statement.to_string(),
        false => {
            let text = statement.to_string();
            let (select, condition) = text.split_once(" WHERE ").expect("a rule has a condition");
            format!("{select} WHERE ({condition}) AND NOT coalesce(({}), false)", table.own)
        }
    };
    let mut statement = session::parse(&sql).expect("what was printed parses").pop_front().expect("it is one query");
    shorthand::expand(&mut statement);
    let plan = context.state().statement_to_plan(statement).await.expect("the rule plans");
    let found = context.execute_logical_plan(plan).await.expect("the plan runs").collect().await;
    match found {
        Ok(found) => Some(found.iter().map(|rows| rows.num_rows() as u64).sum()),
        Err(error) if error.to_string().contains("LambdaVariable") => None,
        Err(error) => panic!("{}: {error}", rule.id),
    }
}
