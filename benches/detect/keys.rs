//! Very many keys in windows: the memory that they take, how long a commit of them stops the work and a restore takes, and what a flood of made-up
//! keys costs that there is no room for.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Instant;

use bytes::Bytes;
use weir::decode;
use weir::detect::Detector;
use weir::detect::quarantine::WINDOWS_SHED;
use weir::finding::{Finding, FindingId};
use weir::logs;
use weir::memory::{self, Memory, Size};
use weir::pipeline::commit::{Commit, State};
use weir::rule;
use weir::table::Batch;
use weir::time::Timestamp;

use super::corpus::Dice;
use super::{Options, read};

const ID: &str = "cloudtrail/secrets_read";
/// One key for each caller, a window of an hour.
const RULE: &str = "-- title = \"t\"\n-- severity = \"low\"\n-- tags = [\"attack.discovery\"]\n-- remedy = \"r\"\n-- aws_services = true\n\
    SELECT userIdentity.arn AS who, count(*) AS calls FROM cloudtrail WHERE eventName = 'GetSecretValue' \
    GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '1 hour') HAVING count(*) >= 5";
/// Calls of a key with which its window fires.
const CALLS: u64 = 5;
/// Events that are judged at a time.
const CHUNK: u64 = 10_000;
/// Rows between two commits, each of any key.
const CHANGED: [u64; 3] = [1_000, 10_000, 100_000];
/// Keys of the flood that are those of attackers, and that call often enough.
const ATTACKERS: u64 = 20;
/// What the allocator may take from one chunk to another while what is remembered stays the same.
const SLACK_BYTES: u64 = 48 << 20;

pub fn run(options: &Options) {
    many(options);
    flood(options);
}

fn detector(limit: Option<u64>) -> Detector {
    let rule = rule::parse(ID, "secrets_read.sql", RULE).expect("the rule parses");
    let (mut detector, refused) = Detector::new(logs::TABLES, [rule]);
    assert_eq!(refused, []);
    if let Some(bytes) = limit {
        detector.keep_to(Memory::of_limit(Size(bytes)).expect("the limit is high enough"));
    }
    detector
}

/// A call of each of these callers, in one hour. No two chunks have the ids of events in common.
fn calls(callers: impl Iterator<Item = u64>, chunk: u64) -> Vec<Batch> {
    let mut text = String::from("{\"Records\":[");
    for (place, caller) in callers.enumerate() {
        let between = if place == 0 { "" } else { "," };
        let (minute, second) = (place / 60 % 60, place % 60);
        write!(
            text,
            r#"{between}{{"eventVersion":"1.09","userIdentity":{{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/service-role/session-{caller:08}"}},"eventTime":"2024-08-01T12:{minute:02}:{second:02}Z","eventSource":"secretsmanager.amazonaws.com","eventName":"GetSecretValue","awsRegion":"eu-west-1","sourceIPAddress":"10.{}.{}.{}","userAgent":"aws-cli/2.15.30","eventID":"{chunk:08x}-0000-4000-8000-{place:012x}","readOnly":true,"eventType":"AwsApiCall","recipientAccountId":"111122223333"}}"#,
            caller >> 16 & 0xff,
            caller >> 8 & 0xff,
            caller & 0xff,
        )
        .expect("a string takes all");
    }
    text.push_str("]}");
    read(&[Bytes::from(text)], &decode::Options::default())
}

/// A million keys or so that are all remembered.
fn many(options: &Options) {
    let limit = options.memory_mib << 20;
    let mut detector = detector(Some(limit));
    // what the program takes by itself is there
    detector.observe(&calls(0..1, 0), Timestamp(0));
    memory::trim();
    let before = resident_bytes();
    let mut chunk = 0;
    while chunk * CHUNK < options.keys {
        let callers = chunk * CHUNK..((chunk + 1) * CHUNK).min(options.keys);
        chunk += 1;
        assert_eq!(detector.observe(&calls(callers, chunk), Timestamp(0)), [], "one call is none too many");
    }
    let counted = detector.state_bytes()[0] as u64;
    assert_eq!(
        detector.costs()[ID].shed,
        0,
        "{counted} bytes of windows are too many for --memory {}",
        options.memory_mib
    );
    memory::trim();
    let taken = resident_bytes().saturating_sub(before);
    let keys = options.keys;
    println!(
        "{keys} live keys: {} MiB resident, {} bytes each; counted as {} MiB of the {} MiB that windows may take with --memory {}MiB",
        taken >> 20,
        taken / keys,
        counted >> 20,
        detector.state_bytes_max()[0] >> 20,
        options.memory_mib
    );

    // the last key is as alive as the first: four more calls of each are findings
    let both: Vec<u64> = [0, keys - 1].into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let again = (1..CALLS).flat_map(|_| both.iter().copied());
    assert_eq!(detector.observe(&calls(again, chunk + 1), Timestamp(0)).len(), both.len(), "every key is remembered");

    let folder = tempfile::tempdir().expect("there is room for a file");
    let state = State::open(&folder.path().join("state.redb")).expect("nobody else has it");
    let [packing, all] = commit(&mut detector, &state).seconds;
    println!("the first commit, which has all of them: {all:.2} s, of which packing them took {packing:.2} s");
    let (mut dice, mut turn) = (Dice(options.seed), chunk + 1);
    for changed in CHANGED.into_iter().filter(|changed| *changed <= keys) {
        let count = (options.snapshots as u64 * CHANGED[0] / changed).max(10);
        let mut commits: Vec<Committed> = (0..count)
            .map(|_| {
                for _ in 0..changed.div_ceil(CHUNK) {
                    turn += 1;
                    let callers: Vec<u64> = (0..changed.min(CHUNK)).map(|_| dice.below(keys)).collect();
                    detector.observe(&calls(callers.into_iter(), turn), Timestamp(0));
                }
                commit(&mut detector, &state)
            })
            .collect();
        commits.sort_by(|one, other| one.seconds[1].total_cmp(&other.seconds[1]));
        let at = |share: f64| commits[((commits.len() as f64 * share).ceil() as usize).clamp(1, commits.len()) - 1];
        let [packing, all] = at(0.5).seconds.map(|seconds| seconds * 1e3);
        println!(
            "a commit of them, {changed} rows later: the work stops for {all:.0} ms (p50, of which packing takes {packing:.0} ms), {:.0} ms (p99 of \
             {}; goal 100 ms of {}); {:.1} MB are written",
            at(0.99).seconds[1] * 1e3,
            commits.len(),
            CHANGED[0],
            at(0.5).bytes as f64 / 1e6,
        );
    }

    memory::trim();
    println!("behind these commits: {} MiB resident", resident_bytes().saturating_sub(before) >> 20);

    let start = Instant::now();
    let saved = state.load().expect("it was just written").expect("there is a commit").detector;
    let mut again = self::detector(Some(limit));
    let restored = again.restore(&saved);
    let seconds = start.elapsed().as_secs_f64();
    assert!(restored.is_whole(), "{restored:?}");
    assert_eq!(again.state_bytes(), detector.state_bytes());
    let more = calls((1..CALLS).flat_map(|_| 1..100.min(keys)), turn + 1);
    let found = again.observe(&more, Timestamp(0));
    assert_eq!(found, detector.observe(&more, Timestamp(0)), "what was restored goes on as what was saved");
    assert!(!found.is_empty() || keys < 2, "and it finds something");
    println!(
        "restored in {seconds:.2} s from {:.1} MB, the rule compiled anew included",
        saved.of_rules.values().map(Bytes::len).sum::<usize>() as f64 / 1e6
    );
}

#[derive(Clone, Copy)]
struct Committed {
    /// Of packing what changed, and of all that the work waits for.
    seconds: [f64; 2],
    bytes: usize,
}

fn commit(detector: &mut Detector, state: &State) -> Committed {
    let start = Instant::now();
    let commit = Commit { detector: detector.changes(), ..Commit::default() };
    let packing = start.elapsed().as_secs_f64();
    state.commit(&commit).expect("there is room on the disk");
    let seconds = [packing, start.elapsed().as_secs_f64()];
    Committed { seconds, bytes: commit.detector.of_rules.values().map(Bytes::len).sum() }
}

/// Keys that somebody makes up, so that there is no room for others.
fn flood(options: &Options) {
    // so that each attacker calls as often as it takes
    let every = (options.flood / CHUNK / CALLS).max(1);
    let chunks = every * CALLS;
    let callers = |chunk: u64| {
        let made_up = (chunk * CHUNK..(chunk + 1) * CHUNK).map(|key| ATTACKERS + key);
        made_up.chain((0..ATTACKERS).filter(move |attacker| attacker % every == chunk % every))
    };
    let mut tight = detector(None);
    let (mut found, mut resident) = (Vec::new(), Vec::new());
    memory::trim();
    for chunk in 0..chunks {
        found.extend(tight.observe(&calls(callers(chunk), chunk), Timestamp(0)));
        assert!(tight.state_bytes()[0] <= tight.state_bytes_max()[0], "windows keep to their room");
        resident.push(resident_bytes());
    }
    let settled = resident[..resident.len().div_ceil(4)].iter().max().expect("there are chunks");
    let most = resident.iter().max().expect("there are chunks");
    assert!(*most <= settled + SLACK_BYTES, "memory holds: {} MiB, then {} MiB", settled >> 20, most >> 20);

    let shed = tight.costs()[ID].shed;
    let holes: Vec<&Finding> = found.iter().filter(|finding| finding.rule == WINDOWS_SHED).collect();
    assert_eq!(holes.iter().map(|hole| hole.count).sum::<u64>(), shed, "every loss is a recorded hole");
    // what the backtest that a hole names says, which has room
    let mut roomy = detector(Some(options.memory_mib << 20));
    let mut all: Vec<Finding> =
        (0..chunks).flat_map(|chunk| roomy.observe(&calls(callers(chunk), chunk), Timestamp(0))).collect();
    assert_eq!(roomy.costs()[ID].shed, 0, "--memory {} is too little for the flood", options.memory_mib);
    all.sort_by_key(|finding| finding.id);
    all.dedup_by_key(|finding| finding.id);
    assert_eq!(all.len() as u64, ATTACKERS, "with room every attacker is found");
    let told: BTreeSet<FindingId> = found.iter().map(|finding| finding.id).collect();
    let missed: Vec<&Finding> = all.iter().filter(|finding| !told.contains(&finding.id)).collect();
    for finding in &missed {
        let is_inside = |hole: &Finding| hole.first_seen <= finding.last_seen && finding.first_seen <= hole.last_seen;
        assert!(holes.iter().any(|hole| is_inside(hole)), "what was missed was in a hole");
    }
    println!(
        "a flood of {} made-up keys in {} MiB of windows: {} MiB resident after a quarter of it, at most {} MiB; {shed} groups left, each in one \
         of {} recorded holes; of {ATTACKERS} attackers in it the stream found {}, and the backtest of the holes the other {}",
        chunks * CHUNK,
        tight.state_bytes_max()[0] >> 20,
        settled >> 20,
        most >> 20,
        holes.len(),
        ATTACKERS as usize - missed.len(),
        missed.len()
    );
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kB") * 1024
}
