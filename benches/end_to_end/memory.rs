//! Peak memory of inputs that are ten times as large, and of single objects of a gigabyte.

use std::path::Path;

use weir::logs::cloudtrail::CLOUDTRAIL;
use weir::logs::vpc_flow::VPC_FLOW;
use weir::table::Table;

use crate::contestant::{Contestant, Rules, weir};
use crate::disk::{self, Sizes};
use crate::{Corpus, Options};

/// How much larger the large input is.
const TIMES: u64 = 10;
/// Peaks differ from run to run: the worst of this many counts.
const ROUNDS: u64 = 3;
/// Size of the large objects when they are inflated.
const OBJECT_BYTES: u64 = 1 << 30;

const ANY_INPUT_MAX_MIB: u64 = 512;
const OBJECT_MAX_MIB: u64 = 256;
/// Flags that keep to the goal of one object: without a limit what rules remember goes by the memory of the machine.
const LIMIT: &[&str] = &["--memory", "256MiB"];

/// Runs Weir with all rules and an archive over each input. `work` is a folder to write to.
pub fn run(options: &Options, corpus: &Corpus, work: &Path) {
    println!(
        "peak memory with all rules and an archive, the worst of {ROUNDS} runs\n\n{:<36} {:>6} {:>8} {:>10} {:>9} {:>6}",
        "", "files", "MB raw", "events", "peak MiB", "goal"
    );
    let peak = |name: &str, table: &'static Table, sizes: Sizes, from: &[&Path], limit: &[&str], goal: u64| {
        let command = |folder: &Path| {
            let mut command = weir(from, Rules::All, folder);
            command.args(limit);
            command
        };
        let mut lane = Contestant::weir(name, table, sizes, command);
        (0..ROUNDS).for_each(|_| lane.round(&work.join("out")));
        let mib = lane.peak_bytes() as f64 / f64::from(1 << 20);
        let raw = sizes.raw / 1_000_000;
        println!("{name:<36} {:>6} {raw:>8} {:>10} {mib:>9.0} {goal:>6}", sizes.files, sizes.events);
        mib
    };
    let one = peak("files", &CLOUDTRAIL, corpus.sizes(), &[&corpus.folder], &[], ANY_INPUT_MAX_MIB);
    let more = work.join("more");
    let rest = disk::cloudtrail(&more, options.seeds().end..options.seed + TIMES * options.files, options.events);
    let sizes = corpus.files.iter().chain(&rest).copied().sum();
    let ten = peak("ten times as many", &CLOUDTRAIL, sizes, &[&corpus.folder, &more], &[], ANY_INPUT_MAX_MIB);
    let object = work.join("object.gz");
    let object_peaks = |name: &str, table: &'static Table, sizes: Sizes| {
        peak(name, table, sizes, &[&object], &[], ANY_INPUT_MAX_MIB);
        peak("  with --memory 256MiB", table, sizes, &[&object], LIMIT, OBJECT_MAX_MIB);
    };
    let sizes = disk::cloudtrail_object(&object, options.seed, OBJECT_BYTES);
    object_peaks("one CloudTrail object", &CLOUDTRAIL, sizes);
    let sizes = disk::vpc_flow_object(&object, options.seed, OBJECT_BYTES);
    object_peaks("one flow log object", &VPC_FLOW, sizes);
    println!("\nten times the input: {:.2}x the memory", ten / one);
}
