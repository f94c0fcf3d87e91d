//! What `COUNT(DISTINCT)` by key costs in windows of more and more panes, beside DataFusion, which adds up each window anew.

use std::sync::Arc;

use datafusion::datasource::MemTable;
use datafusion::prelude::SessionConfig;
use weir::decode;
use weir::detect::{Detector, session};
use weir::logs;
use weir::logs::cloudtrail::CLOUDTRAIL;
use weir::rule;
use weir::table::Batch;
use weir::time::Timestamp;

use super::{Options, median, objects, read, timed};

/// Panes of a window; the last is the one that DataFusion is asked for.
const PANES: [u64; 4] = [5, 10, 60, 240];

/// A rule that no window holds: what is measured is what it takes to know that.
fn query(panes: u64) -> String {
    let window = format!("hop(eventTime, INTERVAL '1 minute', INTERVAL '{panes} minutes')");
    format!(
        "SELECT count(DISTINCT eventName) AS n FROM cloudtrail WHERE true \
         GROUP BY userIdentity.arn, {window} HAVING count(DISTINCT eventName) >= 5000"
    )
}

/// Prints rows a second at each number of panes, and how that compares with its two goals.
pub fn run(options: &Options) {
    let (rounds, batches) = (options.rounds.max(7), read(&objects(options), &decode::Options::default()));
    let batches = &batches[..];
    let rows = batches.iter().map(|batch| batch.rows.num_rows()).sum::<usize>() as f64;
    let header = "-- title = \"t\"\n-- severity = \"low\"\n-- tags = [\"attack.discovery\"]\n-- remedy = \"r\"\n-- aws_services = true\n";
    println!("COUNT(DISTINCT) by key, windows of so many panes, rows/s of CPU time");
    let mut speeds = Vec::new();
    for panes in PANES {
        let text = format!("{header}{}", query(panes));
        let mut seconds = Vec::new();
        for _ in 0..rounds {
            let rule = rule::parse("cloudtrail/windows", "windows.sql", &text).expect("the rule parses");
            let (mut detector, refused) = Detector::new(logs::TABLES, [rule]);
            assert_eq!(refused, []);
            let found = timed(&mut seconds, || detector.observe(batches, Timestamp(0)));
            assert_eq!((found.len(), detector.costs()["cloudtrail/windows"].hits as f64), (0, rows));
        }
        speeds.push(rows / median(seconds));
        println!("  {panes:4} panes  {:12.0}", speeds[speeds.len() - 1]);
    }
    let (first, last) = (speeds[0], speeds[PANES.len() - 1]);
    let mut seconds = Vec::new();
    timed(&mut seconds, || anew(batches, PANES[PANES.len() - 1]));
    let anew = rows / seconds[0];
    println!("  {:4} panes  {anew:12.0}  each window added up anew", PANES[PANES.len() - 1]);
    println!(
        "  240 panes are as fast as 5 to {:.0}% (goal 75%), and {:.0}x adding up anew (goal 30x)",
        100.0 * last / first,
        last / anew
    );
}

fn anew(batches: &[Batch], panes: u64) {
    let context = session::session(SessionConfig::new().with_target_partitions(1));
    let rows = batches.iter().map(|batch| batch.rows.clone()).collect();
    let table = MemTable::try_new(CLOUDTRAIL.schema(), vec![rows]).expect("batches have the table's schema");
    context.register_table(CLOUDTRAIL.name, Arc::new(table)).expect("the session is new");
    let statement = session::parse(&query(panes)).expect("it parses").pop_front().expect("it is a query");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
    let found = runtime.block_on(async {
        let plan = context.state().statement_to_plan(statement).await.expect("it plans");
        context.execute_logical_plan(plan).await.expect("it runs").collect().await.expect("it runs to its end")
    });
    assert_eq!(found.iter().map(|rows| rows.num_rows()).sum::<usize>(), 0);
}
