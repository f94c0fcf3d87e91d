//! The tables of `deploy/COST.md` follow from its prices and assumptions.

use std::collections::BTreeMap;
use std::fs;

use crate::support::repository;

/// Events a day, and cores and GB of the task for it. The README's demo takes 100,000 events a second on two cores; a tenth of
/// the share of a core is more than five times the average.
const SIZES: [(f64, f64, f64); 3] = [(1e6, 0.25, 1.0), (1e7, 0.5, 1.0), (1e8, 1.0, 2.0)];
/// Memory of the function.
const FUNCTION_GB: f64 = 1769.0 / 1024.0;
const FREE_FINDINGS: f64 = 10_000.0;
const UNIT_BYTES: f64 = 25_000.0;

/// Numbers of a section's table, by their names.
fn numbers(page: &str, section: &str) -> BTreeMap<String, f64> {
    let section = page.split(&format!("## {section}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        Some((cells.next()?.to_owned(), cells.next()?.parse().ok()?))
    });
    let mut numbers = BTreeMap::new();
    for (name, number) in rows {
        assert_eq!(numbers.insert(name.clone(), number), None, "{name} is there twice");
    }
    numbers
}

struct Page {
    prices: BTreeMap<String, f64>,
    assumptions: BTreeMap<String, f64>,
}

impl Page {
    fn price(&self, name: &str) -> f64 {
        *self.prices.get(name).unwrap_or_else(|| panic!("{name} has no price"))
    }

    fn of(&self, name: &str) -> f64 {
        *self.assumptions.get(name).unwrap_or_else(|| panic!("{name} is not assumed"))
    }

    fn task(&self, kind: &str, cores: f64, memory: f64) -> f64 {
        let hour = cores * self.price(&format!("{kind} core")) + memory * self.price(&format!("{kind} memory"));
        hour * self.of("hours")
    }

    /// GB that a day of a million events adds to the archive.
    fn archived_gb(&self) -> f64 {
        1e6 * self.of("archived bytes an event") / 1e9
    }

    /// A line of the table, and what all comes to, on ARM.
    fn line(&self, (events, cores, memory): (f64, f64, f64)) -> (String, f64) {
        let objects = events * self.of("days") / self.of("events an object");
        let fargate = self.task("ARM", cores, memory);
        let day = self.archived_gb() * events / 1e6;
        let (fresh, kept) = (self.of("days on disk"), self.of("days kept"));
        let stored = fresh * self.price("disk") + (kept - fresh) * self.price("old disk");
        // what a day adds goes there a week later
        let disk = day * (stored + self.of("days") * self.price("disk move"));
        let requests = objects * self.of("SQS requests a notice") + self.of("idle SQS requests");
        let sqs = requests / 1e6 * self.price("SQS");
        let (get, kms) = (objects / 1e6 * self.price("S3 GET"), objects / 1e6 * self.price("KMS"));
        let findings = events * self.of("days") / self.of("events a finding");
        let hub = (findings - FREE_FINDINGS).max(0.0) * self.price("finding");
        let watch = self.of("MB logged") / 1e3 * self.price("log") + self.of("alarms") * self.price("alarm");
        let address = self.of("hours") * self.price("address");
        let together = fargate + disk + sqs + get + kms + hub + watch + address;
        let x86 = together - fargate + self.task("x86", cores, memory);
        let bytes = events * self.of("bytes an event");
        let shards = (bytes / 86_400.0 * self.of("peak") / self.of("bytes a shard")).ceil();
        let units = bytes * self.of("days") / UNIT_BYTES / 1e6 * self.price("PUT unit");
        let kinesis = together - sqs - get - kms + shards * self.of("hours") * self.price("shard") + units;
        let dollars: Vec<String> = [fargate, disk, sqs, get, kms, hub, watch, address, together, x86, kinesis]
            .map(|sum| format!("{sum:.2}"))
            .into();
        let events = format!("{} million", events / 1e6);
        let kb = memory * 1024.0;
        (format!("| {events} | {cores} vCPU, {kb} MiB | {} |", dollars.join(" | ")), together)
    }
}

impl Page {
    /// A line of the table for Lambda, and what all comes to.
    fn function(&self, events: f64) -> (String, f64) {
        let objects = events * self.of("days") / self.of("events an object");
        let calls = objects / self.of("objects a call");
        let judged = events * self.of("days") / self.of("events a second");
        let seconds = calls * self.of("seconds a call") + judged;
        let lambda = seconds * FUNCTION_GB * self.price("Lambda second") + calls / 1e6 * self.price("Lambda call");
        let put = objects / 1e6 * self.price("S3 PUT");
        let archive = self.archived_gb() * events / 1e6 * self.of("days kept") * self.price("S3 month");
        let requests = objects * self.of("SQS requests a notice") + self.of("idle SQS requests of Lambda");
        let sqs = requests / 1e6 * self.price("SQS");
        let (get, kms) = (objects / 1e6 * self.price("S3 GET"), objects / 1e6 * self.price("KMS"));
        let findings = events * self.of("days") / self.of("events a finding");
        let hub = (findings - FREE_FINDINGS).max(0.0) * self.price("finding");
        let watch = self.of("MB logged") / 1e3 * self.price("log") + self.of("alarms") * self.price("alarm");
        let together = lambda + put + archive + sqs + get + kms + hub + watch;
        let dollars: Vec<String> =
            [lambda, put, archive, sqs, get, kms, hub, watch, together].map(|sum| format!("{sum:.2}")).into();
        (format!("| {} million | {calls:.0} | {} |", events / 1e6, dollars.join(" | ")), together)
    }
}

/// The parts of a line of the table that say what state in S3 and leases come to.
impl Page {
    fn month(&self) -> f64 {
        self.of("days") * 86_400.0
    }

    fn state(&self) -> f64 {
        let (puts, gets) = (self.month() / self.of("seconds a commit"), self.month() / self.of("seconds a look"));
        // what changed is put once more when it has come to a pack
        let puts = puts * (1.0 + self.of("KB changed") / self.of("KB a pack"));
        puts / 1e6 * self.price("S3 PUT") + gets / 1e6 * self.price("S3 GET")
    }

    fn shards(&self, events: f64) -> f64 {
        let bytes = events * self.of("bytes an event");
        (bytes / 86_400.0 * self.of("peak") / self.of("bytes a shard")).ceil()
    }

    /// For one worker; of each lease a unit is written and read, which is more than they are.
    fn leases(&self, events: f64) -> f64 {
        let shards = self.shards(events);
        // a write of a transaction is two
        let (ticks, commits) =
            (self.month() / self.of("seconds a lease"), self.month() / self.of("seconds a leased commit"));
        let writes = shards * (ticks + 3.0 * commits) + 2.0 * commits;
        writes / 1e6 * self.price("table write") + ticks / 1e6 * self.price("table read")
    }

    /// The same with the state in S3 and no disk; also what it comes to from the queue.
    fn without_disk(&self, size: (f64, f64, f64)) -> (String, f64) {
        let (line, _) = self.line(size);
        let cells: Vec<f64> = line.split(['|']).filter_map(|cell| cell.trim().parse().ok()).collect();
        let (disk, queue, kinesis) = (cells[1], cells[8], cells[10]);
        let (state, leases) = (self.state(), self.leases(size.0));
        let (queue, kinesis) = (queue - disk + state, kinesis - disk + state + leases);
        let events = format!("{} million", size.0 / 1e6);
        (format!("| {events} | {state:.2} | {leases:.2} | {queue:.2} | {kinesis:.2} |"), queue)
    }
}

#[test]
fn the_table_for_lambda_follows_from_prices_and_assumptions() {
    let text = fs::read_to_string(repository("deploy/COST.md")).unwrap();
    let page = Page { prices: numbers(&text, "Prices"), assumptions: numbers(&text, "Assumptions") };
    let lines: Vec<_> = SIZES.into_iter().map(|(events, ..)| page.function(events)).collect();
    let table: Vec<&str> = lines.iter().map(|(line, _)| line.as_str()).collect();
    let table = table.join("\n");
    assert!(text.contains(&table), "deploy/COST.md should have\n{table}");
    let is_cheaper = |(size, (_, together)): (_, &(String, f64))| *together < page.line(size).1;
    assert!(SIZES.into_iter().zip(&lines).all(is_cheaper), "Lambda is not cheaper at all sizes: {table}");
    // by hand: 300,000 objects of ten million events a day in 60,000 calls of half a second, 30,000 seconds of judging,
    // 60,000 seconds in all of 1.7275 GB, and 1.2 cents for the calls
    let (line, _) = page.function(1e7);
    assert!(line.starts_with("| 10 million | 60000 | 1.39 | 1.50 | 0.30 | 0.52 |"), "{line}");
}

#[test]
fn without_a_disk_what_comes_from_s3_stays_below_sixty_dollars() {
    let text = fs::read_to_string(repository("deploy/COST.md")).unwrap();
    let page = Page { prices: numbers(&text, "Prices"), assumptions: numbers(&text, "Assumptions") };
    let lines: Vec<_> = SIZES.into_iter().map(|size| page.without_disk(size)).collect();
    let table: Vec<&str> = lines.iter().map(|(line, _)| line.as_str()).collect();
    let table = table.join("\n");
    assert!(text.contains(&table), "deploy/COST.md should have\n{table}");
    assert!(lines.iter().all(|(_, from_queue)| *from_queue < 60.0), "not all is below $60 any more");
    // 518,400 PUTs at $5, a fortieth more of packs, and 172,800 GETs at 40 cents a million
    assert_eq!(format!("{:.3}", page.state()), "2.724");
    // one shard: 1,036,800 and 432,000 writes at 62.5 cents, 1,036,800 reads at 12.5
    assert_eq!(format!("{:.3}", page.leases(1e6)), "1.048");
}

#[test]
fn the_tables_follow_from_prices_and_assumptions() {
    let text = fs::read_to_string(repository("deploy/COST.md")).unwrap();
    let page = Page { prices: numbers(&text, "Prices"), assumptions: numbers(&text, "Assumptions") };
    let lines: Vec<_> = SIZES.into_iter().map(|size| page.line(size)).collect();
    let table: Vec<&str> = lines.iter().map(|(line, _)| line.as_str()).collect();
    let table = table.join("\n");
    assert!(text.contains(&table), "deploy/COST.md should have\n{table}");
    assert!(lines.iter().all(|(_, together)| *together < 60.0), "not all is below $60 any more");
    let further = page.archived_gb() * page.of("days") * page.price("old disk");
    let further = format!("month of it costs {:.1} cents a month", further * 100.0);
    assert!(text.contains(&further), "deploy/COST.md should have: {further}");
}

/// By hand, so that the formulas themselves are held to something.
#[test]
fn ten_million_events_a_day_by_hand() {
    let text = fs::read_to_string(repository("deploy/COST.md")).unwrap();
    let page = Page { prices: numbers(&text, "Prices"), assumptions: numbers(&text, "Assumptions") };
    // (0.5 * 0.03238 + 1 * 0.00356) * 730
    assert_eq!(format!("{:.4}", page.task("ARM", 0.5, 1.0)), "14.4175");
    let (line, _) = page.line((1e7, 0.5, 1.0));
    let cells: Vec<&str> = line.split(" | ").collect();
    // 0.43 GB a day: 7 days at 0.30 and 23 at 0.025, and 12.9 GB that go to infrequent access at 0.01
    assert_eq!(cells[3], "1.28");
    // 300,000 objects: 660,000 requests and 130,000 more
    assert_eq!(cells[4], "0.32");
    // 3,000 findings are free
    assert_eq!(cells[7], "0.00");
    assert_eq!(cells[9], "3.65");
}
