//! What it costs to score edges of a graph and the rarity of calls, beside what it costs to read the same.

use std::fmt::Write;

use weir::decode;
use weir::detect::Detector;
use weir::logs;
use weir::rule;
use weir::score::edges::{Columns, Scorer, parse_line};
use weir::table::Batch;
use weir::time::Timestamp;

use super::{Options, median, objects, read, timed};

const RARE: &str = "SELECT count(*) AS times FROM cloudtrail WHERE eventName IS NOT NULL \
     GROUP BY account, userIdentity.arn, concat(eventSource, ':', eventName), tumble(eventTime, INTERVAL '1 hour') \
     HAVING rare(concat(eventSource, ':', eventName), 0.2)";

/// Prints events/s of both, and of reading what is scored.
pub fn run(options: &Options) {
    edges(options);
    rarity(options);
}

/// Clients that talk to few of many servers; within one tick, one of them tries servers that nobody ever tried.
fn lines(options: &Options) -> (String, Vec<bool>) {
    let mut state = options.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) % below
    };
    let (mut text, mut is_scan) = (String::new(), Vec::new());
    for edge in 0..options.edges {
        let tick = edge / 500;
        let scan = tick == options.edges / 1000 && edge % 2 == 0;
        let (client, server) = if scan {
            (7, 1_000_000 + edge)
        } else {
            let client = random(3000);
            let servers = 1 + random(40);
            (client, (client * 31 + random(servers)) % 700)
        };
        writeln!(text, "10.0.{}.{},192.0.{}.{},{tick}", client / 250, client % 250, server / 250, server % 250)
            .expect("a string takes all");
        is_scan.push(scan);
    }
    (text, is_scan)
}

fn edges(options: &Options) {
    let (text, is_scan) = lines(options);
    let count = is_scan.len() as f64;
    let parsed = || text.lines().filter_map(|line| parse_line(line.as_bytes(), Columns::default()).ok());
    let scored = || {
        let mut scorer = Scorer::new();
        parsed().map(|edge| scorer.score(edge.src, edge.dst, edge.tick)).collect::<Vec<f32>>()
    };
    let first = scored();
    let mut ranked: Vec<usize> = (0..first.len()).collect();
    ranked.sort_by(|a, b| first[*b].total_cmp(&first[*a]));
    let scans = is_scan.iter().filter(|scan| **scan).count();
    let found = ranked[..2 * scans].iter().filter(|edge| is_scan[**edge]).count();
    assert!(10 * found > 9 * scans, "{found} of {scans} edges of a scan are among the {} highest scores", 2 * scans);

    let (mut reading, mut scoring) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds.max(7) {
        let read = timed(&mut reading, || parsed().fold(0, |ticks: u64, edge| ticks.wrapping_add(edge.tick)));
        let ticks: u64 = (0..options.edges).map(|edge| edge / 500).sum();
        assert_eq!(std::hint::black_box(read), ticks);
        assert!(timed(&mut scoring, scored) == first, "the same edges have the same scores");
    }
    let (reading, scoring) = (median(reading), median(scoring));
    println!("{} edges of {:.1} MB of CSV, edges/s of CPU time", options.edges, text.len() as f64 / 1e6);
    println!("  read            {:12.0}", count / reading);
    println!("  read and scored {:12.0}  (goal 1,000,000 scored)", count / scoring);
    println!(
        "  scored          {:12.0}  {:.1}x the time of reading",
        count / (scoring - reading),
        scoring / reading - 1.0
    );
    println!("  {found} of {scans} edges of a scan are among the {} highest scores", 2 * scans);
}

fn rarity(options: &Options) {
    let (objects, settings) = (objects(options), decode::Options::default());
    let header = "-- title = \"t\"\n-- severity = \"low\"\n-- tags = [\"attack.discovery\"]\n-- remedy = \"r\"\n-- aws_services = true\n";
    let (mut reading, mut scoring) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds.max(7) {
        let batches: Vec<Batch> = timed(&mut reading, || read(&objects, &settings));
        let rule = rule::parse("cloudtrail/rare", "rare.sql", &format!("{header}{RARE}")).expect("the rule parses");
        let (mut detector, refused) = Detector::new(logs::TABLES, [rule]);
        assert_eq!(refused, []);
        timed(&mut scoring, || {
            detector.observe(&batches, Timestamp(0));
            detector.finish()
        });
        assert_eq!(detector.costs()["cloudtrail/rare"].hits, options.total(), "every event is scored");
    }
    let (reading, scoring) = (median(reading), median(scoring));
    let each = |seconds: f64| options.total() as f64 / seconds;
    println!("rarity of each principal's calls by a rule, events/s of CPU time");
    println!("  gz to Arrow     {:12.0}", each(reading));
    println!(
        "  scored          {:12.0}  (goal 1,000,000)  {:.2}x the time of reading",
        each(scoring),
        scoring / reading
    );
}
