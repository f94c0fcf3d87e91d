//! Peak memory of one large gzipped object of S3, beside one that is a tenth of it, and beside as many events in ten such: what rules and
//! duplicates remember grows with the events, however they come.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::Options;
use crate::bucket::{self, Bucket};
use crate::child::{self, Running};
use crate::corpus::Delivery;
use crate::disk;
use crate::server::Services;
use crate::worker::{prepare, summary, weir};

/// Peaks differ from run to run: the worst of this many counts.
const ROUNDS: u64 = 3;
/// How much smaller the small one is.
const SMALLER: u64 = 10;
const GOAL_MIB: u64 = 256;
const LOOK: Duration = Duration::from_millis(5);

pub fn run(options: &Options, work: &Path) {
    println!(
        "object: peak memory of a backfill of one gzipped object, all rules and an archive, the worst of {ROUNDS} runs in \
         turn\n\n{:<12} {:>8} {:>8} {:>10} {:>9} {:>6} {:>8} {:>8} {:>13}",
        "", "MB gz", "MB raw", "events", "peak MiB", "goal", "wall s", "CPU s", "stand-in CPU"
    );
    let raw = options.object_mib << 20;
    let mut inputs = [("small", 1, raw / SMALLER), ("ten small", SMALLER, raw / SMALLER), ("large", 1, raw)].map(
        |(name, objects, raw)| {
            let folder = work.join(name);
            let day = folder.join(Delivery::of(options.seed).folder());
            fs::create_dir_all(&day).expect("the folder can be made");
            let paths: Vec<_> = (0..objects).map(|at| day.join(format!("{at}.json.gz"))).collect();
            let sizes = disk::cloudtrail_objects(&paths, options.seed, raw);
            let services = Arc::new(Services::of_bucket(Bucket::of(&folder)));
            (name, sizes, services.serve(), 0, [0.0; 3])
        },
    );
    for _ in 0..ROUNDS {
        for (_, sizes, url, worst, [wall, cpu, served]) in &mut inputs {
            let folder = work.join("out");
            prepare(&folder, url, "");
            let before = child::own_cpu_seconds();
            let worker = Running::start(&mut weir(&["backfill", &format!("s3://{}", bucket::NAME)], &folder));
            while let Some((_, peak)) = child::memory(worker.id()) {
                *worst = peak.max(*worst);
                std::thread::sleep(LOOK);
            }
            let (cost, _) = worker.end();
            summary(&folder, sizes.events);
            *wall += cost.wall_seconds / ROUNDS as f64;
            *cpu += cost.cpu_seconds / ROUNDS as f64;
            *served += (child::own_cpu_seconds() - before) / ROUNDS as f64;
        }
    }
    for (name, sizes, _, worst, [wall, cpu, served]) in &inputs {
        println!(
            "{name:<12} {:>8} {:>8} {:>10} {:>9} {GOAL_MIB:>6} {wall:>8.2} {cpu:>8.2} {served:>13.2}",
            sizes.packed / 1_000_000,
            sizes.raw / 1_000_000,
            sizes.events,
            worst >> 20
        );
    }
    let [(_, small, _, small_peak, _), (_, _, _, many_peak, _), (_, large, _, large_peak, _)] = inputs;
    println!(
        "\n{:.1} times the object takes {:.2}x the memory, and {:.2}x that of as many events in small ones; every event became a \
         row\n",
        large.packed as f64 / small.packed as f64,
        large_peak as f64 / small_peak as f64,
        large_peak as f64 / many_peak as f64
    );
}
