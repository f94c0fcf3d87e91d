//! What judging costs with 10, 1,000 and 10,000 rules, beside prepared plans of DataFusion's, one for each rule.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::datasource::MemTable;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use weir::decode;
use weir::detect::{Detector, session};
use weir::logs;
use weir::logs::cloudtrail::CLOUDTRAIL;
use weir::rule::{self, Rule};
use weir::table::Batch;
use weir::time::Timestamp;

use super::corpus::Dice;
use super::made::{self, Test};
use super::{Options, median, objects, read, timed};

const RULES: [usize; 3] = [10, 1000, 10_000];
const HEADER: &str = "-- title = \"t\"\n-- severity = \"low\"\n-- tags = [\"attack.discovery\"]\n-- remedy = \"r\"\n-- aws_services = true\n";

pub fn run(options: &Options) {
    let batches = read(&objects(options), &decode::Options::default());
    let mut dice = Dice(options.seed);
    let made: Vec<Rule> = (0..RULES[2]).map(|number| made_rule(number, &mut dice)).collect();
    let (mut medians, mut hits) = (Vec::new(), Vec::new());
    for count in RULES {
        let (mut compiling, mut judging) = (Vec::new(), Vec::new());
        let (mut detector, refused) =
            timed(&mut compiling, || Detector::new(logs::TABLES, made[..count].iter().cloned()));
        assert_eq!(refused, [], "all rules compile");
        let gated = detector.gates().filter(|(_, columns)| !columns.is_empty()).count();
        let mut expected = None;
        for _ in 0..=options.rounds {
            let found = timed(&mut judging, || detector.observe(&batches, Timestamp(0)));
            assert_eq!(*expected.get_or_insert(found.len()), found.len(), "every round finds the same");
        }
        judging.remove(0);
        let rounds = options.rounds + 1;
        let told: BTreeMap<String, u64> =
            detector.costs().iter().map(|(rule, cost)| (rule.clone(), cost.hits / rounds)).collect();
        println!(
            "{count:>6} rules: {:8.0} ns/event, {gated} gated, {} of them match {} rows, {} findings; compiled in {:.1} s",
            median(judging.clone()) * 1e9 / options.total() as f64,
            told.values().filter(|hits| **hits > 0).count(),
            told.values().sum::<u64>(),
            expected.unwrap_or(0),
            compiling[0],
        );
        medians.push(median(judging));
        hits.push(told);
    }
    for (rule, told) in &hits[0] {
        assert_eq!(
            (hits[1][rule], hits[2][rule]),
            (*told, *told),
            "{rule}: among many it matches what it does among few"
        );
    }
    println!(
        "1,000 rules cost {:.2}x of 10 (goal 3x), 10,000 cost {:.2}x (goal 10x)",
        medians[1] / medians[0],
        medians[2] / medians[0]
    );
    beside_plans(options, &made, &batches, medians[1], &hits[1]);
}

fn beside_plans(options: &Options, made: &[Rule], batches: &[Batch], routed: f64, hits: &BTreeMap<String, u64>) {
    let count = options.plans.min(RULES[1]);
    if count == 0 {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
    let context = session::session(SessionConfig::new().with_target_partitions(1));
    let rows = batches.iter().map(|batch| batch.rows.clone()).collect();
    let table = MemTable::try_new(CLOUDTRAIL.schema(), vec![rows]).expect("batches have the table's schema");
    context.register_table(CLOUDTRAIL.name, Arc::new(table)).expect("the session is new");
    let mut planning = Vec::new();
    let plans: Vec<_> = timed(&mut planning, || {
        made[..count].iter().map(|rule| (&rule.id, runtime.block_on(prepared(&context, rule)))).collect()
    });
    let mut seconds = Vec::new();
    // the first round warms up
    for _ in 0..=options.rounds.min(3) {
        timed(&mut seconds, || {
            for (rule, plan) in &plans {
                let found = runtime.block_on(collect(plan.clone(), context.task_ctx())).expect("the plan runs");
                let rows: u64 = found.iter().map(|rows| rows.num_rows() as u64).sum();
                assert_eq!(hits[*rule], rows, "{rule}: what DataFusion selects");
            }
        });
    }
    seconds.remove(0);
    let scale = RULES[1] as f64 / count as f64;
    let plans = median(seconds) * scale;
    let scaled = if count < RULES[1] { format!("{count} of them, times {scale:.1}") } else { "all of them".to_owned() };
    println!(
        "1,000 plans of DataFusion's, prepared once ({:.1} s for {count}), each run over all batches at once ({scaled}): {:.0} ns/event, \
         {:.0}x what routing costs (goal 40x); each selects the same rows",
        planning[0],
        plans * 1e9 / options.total() as f64,
        plans / routed,
    );
}

async fn prepared(context: &SessionContext, rule: &Rule) -> Arc<dyn ExecutionPlan> {
    let statement = session::parse(&rule.text).expect("the rule compiled").pop_front().expect("a rule is a query");
    let plan = context.state().statement_to_plan(statement).await.expect("the rule plans");
    let frame = context.execute_logical_plan(plan).await.expect("the plan is a query");
    frame.create_physical_plan().await.expect("it can be run")
}

fn made_rule(number: usize, dice: &mut Dice) -> Rule {
    let conditions: Vec<String> = made::rule(dice).iter().map(sql).collect();
    let text =
        format!("{HEADER}SELECT eventTime, eventName, awsRegion FROM cloudtrail WHERE {}", conditions.join("\n  AND "));
    rule::parse(&format!("cloudtrail/made_{number}"), "made.sql", &text).expect("the rule parses")
}

/// As people write it.
fn sql(test: &Test) -> String {
    match test {
        Test::Is(field, value) => format!("{} = '{value}'", column(field)),
        Test::In(field, values) => format!("{} IN ('{}')", column(field), values.join("', '")),
        Test::Starts(field, value) => format!("{} LIKE '{value}%'", column(field)),
        Test::Ends(field, value) => format!("{} LIKE '%{value}'", column(field)),
        Test::Contains(field, value) => format!("{} LIKE '%{value}%'", column(field)),
        Test::Within(field, network) => format!("cidr_match({}, '{network}')", column(field)),
        Test::Lacks(field) => format!("{} IS NULL", column(field)),
        Test::Not(test) => format!("NOT coalesce({}, false)", sql(test)),
    }
}

/// What is asked for is a column, or a key of one that holds JSON.
fn column(field: &str) -> String {
    match field.strip_prefix("requestParameters.") {
        Some(key) => format!("json_get_str(requestParameters, '{key}')"),
        None => field.to_owned(),
    }
}
