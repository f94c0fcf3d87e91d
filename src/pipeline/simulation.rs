//! Source → turn → commit → outbox → service in one thread, with a clock, a disk and a service of the simulation's own. Each
//! life of the process ends at one of its steps: before or after a call, in the middle of a write to the disk, before or
//! after a flush, between two turns; or the disk is full. The next goes on with what is on the disk.
//!
//! The tasks that wait between these steps (`gather`, the sender's loop, the readers of sources) are not in it: `tasks` has them,
//! and so has `tests/it/torture.rs`.
//!
//! `WEIR_SIMULATION_SEEDS` says how many worlds there are, each with a few lives: `5000`, or `17..18` for that of one seed, which a
//! failure names.

mod services;
mod tasks;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::thread;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use redb::StorageBackend;

use super::holes::{Judged, Lost};
use super::renewal::{Asked, Looks, Taken};
use super::*;
use crate::archive;
use crate::aws;
use crate::decode::{Body, Lines, Records, Text};
use crate::detect::quarantine::{self, Place};
use crate::finding::tests::one_match;
use crate::logs::{self, vpc_flow::VPC_FLOW};
use crate::memory::Memory;
use crate::position::Position;
use crate::rule::Rule;
use crate::sink::outbox::call::{Answer, Call, Failed};
use crate::sink::way::Way;
use crate::sink::{event_bridge, security_hub, wire};
use crate::source::Piece;
use crate::table::Origin;
use crate::time::{MICROS_PER_DAY, MICROS_PER_SECOND};
use crate::triage::canary::Canaries;
use crate::triage::suppress::Suppressions;
use crate::wait::simulated::Dice;
use crate::wait::sleep;

/// Records of the source.
const RECORDS: u64 = 12;
/// Steps within which most lives end.
const STEPS: u64 = 90;
/// Lives that end so; the last of a world goes on until all has arrived.
const LIVES: u64 = 2;
const SEEDS: u64 = 2000;

/// At which step a life ends.
#[derive(Debug)]
struct Fate {
    steps_left: AtomicU64,
    is_dead: AtomicBool,
    /// How often the disk may be written to until it is full.
    writes_left: AtomicU64,
}

impl Fate {
    fn after(steps: u64) -> Arc<Fate> {
        Fate::of(steps, u64::MAX)
    }

    fn of(steps: u64, writes: u64) -> Arc<Fate> {
        let (steps_left, writes_left) = (AtomicU64::new(steps), AtomicU64::new(writes));
        Arc::new(Fate { steps_left, is_dead: AtomicBool::new(false), writes_left })
    }

    /// One more write; false when the disk is full by then.
    fn write(&self) -> bool {
        let one_less = |writes: u64| writes.checked_sub(1);
        self.writes_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }

    fn has_room(&self) -> bool {
        self.writes_left.load(Ordering::Relaxed) > 0
    }

    /// One more step; false when the process is dead by then.
    fn step(&self) -> bool {
        if self.steps_left.load(Ordering::Relaxed) == 0 {
            self.is_dead.store(true, Ordering::Relaxed);
        } else {
            self.steps_left.fetch_sub(1, Ordering::Relaxed);
        }
        !self.is_dead()
    }

    fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Relaxed)
    }
}

/// The disk as one life has it. What was written is on it, whether it was flushed or not: a process dies here, not a machine.
#[derive(Clone, Debug)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    fate: Arc<Fate>,
}

impl Disk {
    fn step(&self) -> io::Result<()> {
        match self.fate.step() {
            true if self.fate.write() => Ok(()),
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Err(io::Error::other("the process is dead")),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = offset as usize;
        out.copy_from_slice(&self.bytes.lock().unwrap()[start..start + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.step()?;
        self.bytes.lock().unwrap().resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.step()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let can_write = !self.fate.is_dead() && self.fate.has_room();
        let written = self.step();
        // who dies while it writes has written a part
        let part = if written.is_ok() { data.len() } else { data.len() / 2 };
        if can_write {
            self.bytes.lock().unwrap()[offset as usize..][..part].copy_from_slice(&data[..part]);
        }
        written
    }
}

/// What is there between lives.
struct World {
    seed: u64,
    dice: Dice,
    bytes: Arc<Mutex<Vec<u8>>>,
    is_hub: bool,
    now: i64,
    /// How often each record's finding was taken, and how often more than once is no wonder: its answer was lost, or the
    /// process died before it was committed that it was taken. Each time excuses one that comes after it.
    taken: Vec<u64>,
    excused: Vec<u64>,
    /// How often it had been taken when it was last excused.
    noted: Vec<u64>,
    /// Some codes are said once for each record.
    failed_once: Vec<bool>,
    deaths: u64,
}

/// The process is dead.
struct Dead;

fn interface(record: u64) -> String {
    format!("eni-{record:04}x")
}

fn flow(record: u64) -> String {
    let interface = interface(record);
    format!("2 111122223333 {interface} 10.0.0.1 10.0.0.2 40000 22 6 1 44 1722511800 1722511860 ACCEPT OK\n")
}

fn record_of(json: &str) -> usize {
    (0..RECORDS).find(|record| json.contains(&interface(*record))).expect("it names its record") as usize
}

fn rule() -> Rule {
    let text = "-- title = \"A flow\"\n-- severity = \"high\"\n-- key = [\"interface_id\"]\n-- tags = [\"attack.impact\"]\n\
                -- remedy = \"Look.\"\nSELECT interface_id, dstport FROM vpc_flow WHERE dstport = 22\n";
    crate::rule::parse("vpc_flow/x", "x.sql", text).unwrap()
}

// both take long to make
static CONNECTOR: LazyLock<SharedHttpConnector> = LazyLock::new(wire::connector);
thread_local! {
    /// That of the life before: with a rule over rows alone it remembers nothing that the next would have to forget.
    static DETECTOR: RefCell<Option<Detector>> = const { RefCell::new(None) };
}

fn detector() -> Detector {
    if let Some(detector) = DETECTOR.take() {
        return detector;
    }
    let (detector, refused) = Detector::new(logs::TABLES, [rule()]);
    assert_eq!(refused, []);
    detector
}

/// Records from one to another, the second not among them.
fn round(from: u64, to: u64) -> Round {
    let text: String = (from..to).map(flow).collect();
    let lines = Lines { text: Text::new(text.into_bytes()), format: None, separator: None, entries: Vec::new() };
    let origin = Arc::new(Origin { region: Some("eu-west-1".into()), ..Origin::default() });
    let records = Records { table: &VPC_FLOW, origin, offset: from, body: Body::Lines(lines), context: None };
    let position = Some(Position { partition: "log".into(), offset: Offset::at(to) });
    let mut round = Round::default();
    let mut piece = Piece::default();
    (piece.records, piece.position) = (vec![records], position);
    round.add(Event::Piece(piece));
    round
}

fn position(checkpoint: &Checkpoint) -> u64 {
    (0..=RECORDS).find(|at| checkpoint.0.get("log") == Some(&Offset::at(*at))).unwrap_or(0)
}

impl World {
    fn new(seed: u64) -> World {
        let mut dice = Dice(seed);
        let is_hub = dice.roll(2) == 0;
        World {
            seed,
            dice,
            bytes: Arc::default(),
            is_hub,
            now: 1_722_520_000 * MICROS_PER_SECOND,
            taken: vec![0; RECORDS as usize],
            excused: vec![0; RECORDS as usize],
            noted: vec![0; RECORDS as usize],
            failed_once: vec![false; RECORDS as usize],
            deaths: 0,
        }
    }

    fn stages(&self, fate: &Arc<Fate>) -> Result<Stages, Dead> {
        let mut bytes = self.bytes.lock().unwrap();
        if commit::is_unmade(&bytes) {
            // as `State::open` does
            bytes.clear();
        }
        drop(bytes);
        let disk = Disk { bytes: self.bytes.clone(), fate: fate.clone() };
        let state = State::on(disk);
        assert!(state.is_ok() || fate.is_dead() || !fate.has_room(), "seed {}: {:#}", self.seed, state.err().unwrap());
        let state = state.map_err(|_| Dead)?;
        let way = match self.is_hub {
            true => {
                let config = security_hub::Config::of_hub("111122223333/eu-west-1").unwrap();
                Way::security_hub(&config, aws::Config::default(), CONNECTOR.clone())
            }
            false => Way::event_bridge(&event_bridge::Config::default(), aws::Config::default(), CONNECTOR.clone()),
        };
        Ok(Stages {
            detector: detector(),
            triage: Triage::new(Suppressions::default(), Vec::new()),
            archive: None,
            state: Some(state),
            journal: None,
            posts: vec![Post::new(way.unwrap(), Memory::default(), CancellationToken::new())],
            look_back: None,
        })
    }

    /// One life, until `fate` or, without one, until all has arrived.
    fn live(&mut self, fate: &Arc<Fate>, faults: bool) -> Result<(), Dead> {
        let stages = self.stages(fate)?;
        // it commits at each turn, or only when it is hurried
        let every = if self.dice.roll(2) == 0 { Duration::ZERO } else { Duration::from_secs(3600) };
        let report = Box::new(|_| {});
        let worker = Worker::new(stages, decode::Options::default(), (true, every), SoFar::default(), report);
        let mut worker = match worker {
            Ok(worker) => worker,
            Err(error) => {
                assert!(fate.is_dead() || !fate.has_room(), "seed {}: {error:#}", self.seed);
                return Err(Dead);
            }
        };
        let ended = self.work(&mut worker, fate, faults);
        // whatever it would still write is not on the disk
        fate.is_dead.store(true, Ordering::Relaxed);
        DETECTOR.set(Some(worker.stages.detector));
        ended
    }

    fn work(&mut self, worker: &mut Worker, fate: &Fate, faults: bool) -> Result<(), Dead> {
        let post = worker.stages.posts[0].shared();
        let mut read = position(&worker.reached);
        // what a service took is on the disk
        let ahead = self.taken.iter().rposition(|times| *times > 0).map_or(0, |last| last as u64 + 1);
        assert!(ahead <= read, "seed {}: {ahead} were sent and {read} committed", self.seed);
        for json in post.waiting() {
            // taken in the life before, which died before that was committed
            let record = record_of(&json);
            self.excused[record] += u64::from(self.taken[record] > self.noted[record]);
            self.noted[record] = self.taken[record];
        }
        let mut out: Vec<(String, u64, Answer)> = Vec::new();
        for _ in 0..2000 {
            self.now += 1000 * (1 + self.dice.roll(50)) as i64;
            if !fate.step() {
                return Err(Dead);
            }
            match self.dice.roll(4) {
                0 if read < RECORDS => {
                    let to = (read + 1 + self.dice.roll(3)).min(RECORDS);
                    let mut round = round(read, to);
                    if self.dice.roll(2) == 0 {
                        // more waits, so that it may be judged with others
                        round.bytes = ROUND_BYTES_MAX;
                    }
                    self.turn(worker, round, fate)?;
                    read = to;
                }
                0 | 1 => {
                    worker.claims.hurry();
                    self.turn(worker, Round::default(), fate)?;
                }
                _ if !out.is_empty() && self.dice.roll(2) == 0 => {
                    let (place, number, answer) = out.swap_remove(self.dice.roll(out.len() as u64) as usize);
                    post.answered(&place, (number, answer), Timestamp(self.now), 0.5);
                }
                _ => match post.next_call(Timestamp(self.now)) {
                    Ok((place, call)) => {
                        if !fate.step() {
                            return Err(Dead);
                        }
                        let answer = self.answer(&call, position(&worker.committed.borrow()), faults);
                        if !fate.step() {
                            return Err(Dead);
                        }
                        out.push((place, call.number, answer));
                    }
                    Err(Some(time)) => self.now = self.now.max(time.0),
                    Err(None) => {}
                },
            }
            let is_idle = out.is_empty() && worker.stages.posts[0].sent().waiting == 0;
            if !faults && read == RECORDS && is_idle && self.taken.iter().all(|times| *times > 0) {
                return Ok(());
            }
        }
        panic!("seed {}: {read} read, and taken {:?}", self.seed, self.taken);
    }

    fn turn(&mut self, worker: &mut Worker, round: Round, fate: &Fate) -> Result<(), Dead> {
        let before = position(&worker.committed.borrow());
        let turned = worker.turn(round);
        assert!(
            turned.is_ok() || fate.is_dead() || !fate.has_room(),
            "seed {}: {:#}",
            self.seed,
            turned.err().unwrap()
        );
        let after = position(&worker.committed.borrow());
        if turned.is_err() && !fate.is_dead() {
            // the process takes a while to end, and its sender goes on
            self.now += 60 * MICROS_PER_SECOND;
            while let Ok((_, call)) = worker.stages.posts[0].shared().next_call(Timestamp(self.now)) {
                self.answer(&call, after, false);
            }
        }
        assert!(before <= after && after <= position(&worker.reached), "seed {}", self.seed);
        turned.map_err(|_| Dead)
    }

    /// What the service does with a call: of its findings each is of a record that has been committed.
    fn answer(&mut self, call: &Call, committed: u64, faults: bool) -> Answer {
        let unavailable = |code: &str| Answer::Unavailable { code: code.into(), message: "no".into(), pause: None };
        let records: Vec<usize> = call.findings.iter().map(|json| record_of(json)).collect();
        for record in &records {
            assert!(
                (*record as u64) < committed,
                "seed {}: {record} was sent, and {committed} are committed",
                self.seed
            );
        }
        let fault = if faults { self.dice.roll(10) } else { 9 };
        match fault {
            0 => return unavailable("ServiceUnavailable"),
            1 => return unavailable("ThrottlingException"),
            // nobody answers in time
            2 => {
                self.now += 30 * MICROS_PER_SECOND;
                return unavailable("no answer");
            }
            _ => {}
        }
        let mut failed = Vec::new();
        for (record, id) in records.iter().zip(&call.ids) {
            let record = *record;
            if fault == 3 && !std::mem::replace(&mut self.failed_once[record], true) {
                failed.push(Failed { id: id.clone(), code: "InternalFailure".into(), message: "no".into() });
            } else {
                self.taken[record] += 1;
            }
        }
        if fault == 4 || fault == 5 {
            // it was taken, and the answer is lost or comes too late
            self.now += if fault == 4 { 30 * MICROS_PER_SECOND } else { 0 };
            for record in records {
                self.excused[record] += 1;
                self.noted[record] = self.taken[record];
            }
            return unavailable("no answer");
        }
        Answer::Taken { success_count: call.ids.len() - failed.len(), failed }
    }

    /// Some lives with their ends, and one that has none.
    fn run(mut self) -> World {
        for _ in 0..LIVES {
            let steps = self.dice.roll(STEPS);
            let writes = if self.dice.roll(4) == 0 { self.dice.roll(STEPS) } else { u64::MAX };
            let fate = Fate::of(steps, writes);
            if self.live(&fate, true).is_err() {
                self.deaths += 1;
            }
            self.now += MICROS_PER_SECOND;
        }
        let whole = self.live(&Fate::after(u64::MAX), false);
        assert!(whole.is_ok());
        for (record, (taken, excused)) in self.taken.iter().zip(&self.excused).enumerate() {
            let seed = self.seed;
            assert!((1..=1 + excused).contains(taken), "seed {seed}: {record} came {taken} times, {excused} excused");
        }
        self
    }
}

/// The seeds that the environment wants, or else so many.
fn seeds(default: u64) -> Range<u64> {
    let Ok(wanted) = std::env::var("WEIR_SIMULATION_SEEDS") else { return 0..default };
    let (first, end) = wanted.split_once("..").unwrap_or(("0", &wanted));
    first.parse().unwrap()..end.parse().unwrap()
}

/// Makes the worlds of these seeds, on all cores.
fn of_seeds<T: Send>(seeds: Range<u64>, world: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(seeds.start);
    let some = || {
        let mut worlds = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return worlds;
            }
            let made = catch_unwind(AssertUnwindSafe(|| world(seed)));
            worlds.push(made.unwrap_or_else(|panic| {
                println!("again: WEIR_SIMULATION_SEEDS={seed}..{}", seed + 1);
                next.store(seeds.end, Ordering::Relaxed);
                resume_unwind(panic)
            }));
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(some)).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("its panic names the seed")).collect()
    })
}

#[test]
fn whatever_ends_a_life_everything_is_sent_once_it_is_committed_and_nothing_before() {
    let worlds = of_seeds(seeds(SEEDS), |seed| World::new(seed).run());
    let lives = worlds.len() as u64 * LIVES;
    let deaths: u64 = worlds.iter().map(|world| world.deaths).sum();
    let again: u64 = worlds.iter().flat_map(|world| &world.taken).map(|times| times - 1).sum();
    println!("{} seeds: {deaths} lives ended, {again} findings came again", worlds.len());
    assert!(lives < SEEDS || deaths >= lives * 9 / 10, "{deaths} deaths");
}

/// Of input that ends, without a commit before.
const ENDS: (bool, Duration) = (false, Duration::MAX);

#[test]
fn rows_that_were_read_before_rules_changed_are_judged_by_those_that_were_in_force() {
    let (detector, _) = Detector::new(logs::TABLES, [rule()]);
    let triage = Triage::new(Suppressions::default(), Vec::new());
    let stages = Stages { detector, triage, archive: None, state: None, journal: None, posts: vec![], look_back: None };
    let mut worker = Worker::new(stages, decode::Options::default(), ENDS, SoFar::default(), Box::new(|_| {})).unwrap();
    let (tell, told) = std::sync::mpsc::sync_channel(2);
    worker.renewals = Some(Renewals { came: told, looks: Looks::default(), lost: Asked::default() });
    let turn = |worker: &mut Worker, at: u64| {
        let mut full = round(2 * at, 2 * at + 2);
        full.bytes = ROUND_BYTES_MAX;
        worker.turn(full).unwrap();
        worker.stages.triage.len()
    };
    assert_eq!([turn(&mut worker, 0), turn(&mut worker, 1)], [0, 0], "they wait for others");
    // what is only said changes nothing
    tell.send(Renewal { taken: None, refused: vec![], unsaid: vec![], judged: vec![] }).unwrap();
    assert_eq!(turn(&mut worker, 2), 0);
    let (detector, _) = Detector::new(logs::TABLES, []);
    let (suppressions, canaries, assets) = (Suppressions::default(), Canaries::default(), Vec::new());
    let taken = Some(Box::new(Taken { detector, anew: BTreeSet::new(), looked: None, suppressions, canaries, assets }));
    tell.send(Renewal { taken, refused: vec![], unsaid: vec![], judged: vec![] }).unwrap();
    assert_eq!(turn(&mut worker, 3), 6);
    assert_eq!(worker.finish().unwrap().findings.len(), 6, "nor are those behind them judged by what was before");
}

#[test]
fn what_windows_lost_is_judged_again_while_a_run_goes_on() {
    let (detector, _) = Detector::new(logs::TABLES, [rule()]);
    let mut triage = Triage::new(Suppressions::default(), Vec::new());
    let lost = |day: i64| {
        let (account, region) = ("111122223333".to_owned(), "eu-west-1".to_owned());
        let at = Place { time: Timestamp(day * MICROS_PER_DAY), account, region, event_id: None };
        quarantine::lost(&rule(), 3, [1_000_000; 2], at)
    };
    // one of a day that is not over
    let today = i64::from(clock().day());
    triage.settle(vec![lost(19_000), lost(19_001), lost(today)], clock());
    let dir = tempfile::tempdir().unwrap();
    let archive = Some(Archive::open(dir.path(), &archive::Config::default()).unwrap());
    let stages = Stages { detector, triage, archive, state: None, journal: None, posts: vec![], look_back: None };
    let follows = (true, Duration::ZERO);
    let mut worker =
        Worker::new(stages, decode::Options::default(), follows, SoFar::default(), Box::new(|_| {})).unwrap();
    let (tell, told) = std::sync::mpsc::sync_channel(2);
    let asked = Asked::default();
    worker.renewals = Some(Renewals { came: told, looks: Looks::default(), lost: asked.clone() });
    worker.turn(round(0, 1)).unwrap();
    let Ok([one]) = <[Lost; 1]>::try_from(asked.take()) else { panic!("days that touch are judged together") };
    assert_eq!((&*one.rule.id, one.days, one.holes.len()), (&*rule().id, (19_000, 19_001), 2));
    worker.turn(round(1, 2)).unwrap();
    assert_eq!(asked.take().len(), 0, "not at each turn");

    // of one day more was lost since it was asked
    worker.stages.triage.settle(vec![lost(19_001)], clock());
    let missed = one_match("vpc_flow/x", "eve", Timestamp(19_000 * MICROS_PER_DAY), "e");
    let judged = vec![Judged { rule: one.rule.id, holes: one.holes, days: one.days, told: Ok((5, vec![missed])) }];
    let before = worker.stages.triage.len();
    tell.send(Renewal { taken: None, refused: vec![], unsaid: vec![], judged }).unwrap();
    worker.turn(round(2, 2)).unwrap();
    assert_eq!(worker.stages.triage.len(), before + 1);
    let open: Vec<i32> = worker.stages.triage.holes(0).map(|hole| hole.first_seen.day()).collect();
    assert_eq!(open.len(), 2, "{open:?}");
    assert!(!open.contains(&19_000), "{open:?}");
}

#[test]
fn as_long_as_rounds_come_full_they_are_judged_together_and_all_at_the_end() {
    let pairs = "-- title = \"Two\"\n-- severity = \"low\"\n-- tags = [\"attack.impact\"]\n-- remedy = \"Look.\"\n\
                 SELECT dstaddr, count(*) AS flows FROM vpc_flow WHERE dstport = 22 \
                 GROUP BY dstaddr, tumble(\"start\", INTERVAL '1 hour') HAVING count(*) = 12\n";
    let pairs = crate::rule::parse("vpc_flow/y", "y.sql", pairs).unwrap();
    let (detector, refused) = Detector::new(logs::TABLES, [rule(), pairs]);
    assert_eq!(refused, []);
    let triage = Triage::new(Suppressions::default(), Vec::new());
    let stages = Stages { detector, triage, archive: None, state: None, journal: None, posts: vec![], look_back: None };
    let mut worker = Worker::new(stages, decode::Options::default(), ENDS, SoFar::default(), Box::new(|_| {})).unwrap();
    let mut told = Vec::new();
    for at in 0..6 {
        let mut full = round(2 * at, 2 * at + 2);
        full.bytes = ROUND_BYTES_MAX;
        worker.turn(full).unwrap();
        told.push(worker.stages.triage.len());
    }
    assert_eq!((told, worker.unjudged_bytes), (vec![0, 0, 0, 0, 10, 10], ROUND_BYTES_MAX));
    // two findings of rows wait, and that of the window needs their rows
    let outcome = worker.finish().unwrap();
    let of = |rule: &str| outcome.findings.iter().filter(|finding| finding.rule == rule).count();
    assert_eq!((of("vpc_flow/x"), of("vpc_flow/y")), (12, 1));
}
