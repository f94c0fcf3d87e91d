//! A run as it is, [`run`] with its sources and the sender's task, in a time of the simulation's own: shards that are split and
//! merged, polled or subscribed to, with leases and without; a queue with its objects, and a bucket with others; turns, commits,
//! an archive, a bus or Security Hub, an end that waits for these or does not, and the state on the disk or in a bucket. Every call may find nobody, be refused, be made and its answer lost, broken off or late; the disk may be
//! full, a lease another worker's, the process stopped for longer than a lease; and each step of a call or of the disk, and each moment
//! between, may be the last of the process. What is there in the end is what an undisturbed run makes of the same records, also where
//! two workers share the stream, or the queue: then each has a part of it. Of what a queue told of, both may have archived what the one had
//! committed, and not deleted the notices of, when it was killed or held up (`source::s3::held`), and nothing else.
//!
//! Nearly all of it comes from the seed, also which branch of a `select!` is first and how long the work of another thread takes: a
//! world that failed fails again, as a rule.

use std::path::Path;

use arrow::array::{Array, StringArray};
use futures::future::join_all;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tokio::runtime::Handle;

use super::services::{FAULTS, Fault, HIDDEN_SECONDS, LIVES_OF_WORKER, Life, Network, STATES, Services, Sharing};
use super::*;
use crate::archive;
use crate::sink::security_hub::config::Routes;
use crate::sink::sender::Sender;
use crate::source::claims::{Lost, Note};
use crate::source::kinesis::{self, Leases};
use crate::source::layout::Wanted;
use crate::source::own::Own;
use crate::source::plan::Address;
use crate::source::s3::{self, backfill, notices};
use crate::source::shards::Start;
use crate::wait::simulated::{self, at_once};

/// Lives that end somehow, at most; the last of a world goes on, undisturbed, until all has arrived.
const LIVES: u64 = 3;
/// Steps within which a life ends that ends by one of them, and seconds within which it ends otherwise.
const STEPS: u64 = 200;
const SECONDS: u64 = 15;
/// The same where workers share a queue: some outlive a stop, and what the queue hides.
const SECONDS_AT_QUEUE: u64 = 60;
/// Writes after which the disk is full, where it comes to be.
const WRITES: u64 = 80;
/// What the end of a run waits for services, where it does.
const DRAIN_SECONDS: u64 = 30;
const HUB: &str = "111122223333/eu-west-1";
/// One call in so many fails; each life has one of these.
const FAULT_EVERY: [u64; 3] = [3, 10, 30];
const SEEDS: u64 = 400;
/// Nothing of an undisturbed life takes longer.
const PATIENCE: Duration = Duration::from_secs(600);

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Killed,
    /// It was told to stop, and did.
    Stopped,
    /// A shard was another's by then, or that could not be found out: it begins again.
    Lost,
    /// The disk was full.
    Full,
    /// The state could not be taken.
    Away,
}

/// What came of a world.
#[derive(Debug, Default)]
struct Came {
    /// What each finding counts, by its id.
    counts: BTreeMap<String, u64>,
    /// What is archived, one text a row.
    rows: Vec<String>,
    ends: BTreeMap<End, u64>,
    faults: BTreeMap<Fault, u64>,
    /// Its calls and what was taken, one text each, in their order.
    trace: Vec<String>,
    /// Findings that were sent more than once.
    again: u64,
    /// Records that two workers of a queue may both have archived, and that they have.
    may_be_in_two: u64,
    in_two: u64,
    /// What it took in the simulation.
    time: Duration,
}

/// A worker, and what it has.
struct TaskWorld {
    services: Arc<Services>,
    number: u64,
    sharing: Sharing,
    /// The disk.
    world: World,
    archive: tempfile::TempDir,
    /// The state is in a bucket, and not on the disk.
    is_remote: bool,
    /// An end that comes by itself waits until all is sent that waits.
    drains: bool,
    /// Of a life that begins again by itself, who had the state.
    writer: Option<String>,
    /// The lives since the state was last looked at, and whether each was killed: a queue may have told another of what it had just
    /// committed.
    before: Vec<(Life, bool)>,
    came: Came,
}

impl TaskWorld {
    /// One of those that share the stream, or the only one.
    fn new(services: &Arc<Services>, number: u64) -> TaskWorld {
        let seed = services.seed + (number << 32);
        // it is flushed at each commit, which memory does not wait for
        let memory = Path::new("/dev/shm");
        let archive = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let mut dice = Dice(!seed);
        let [is_remote, drains] = [0; 2].map(|_| dice.roll(2) == 0);
        let (world, archive, services) = (World::new(seed), archive.unwrap(), services.clone());
        // who has a part knows only of others when all is over
        let sharing = services.sharing;
        let drains = drains && sharing == Sharing::Nothing;
        let (writer, before, came) = (None, Vec::new(), Came::default());
        TaskWorld { services, number, sharing, world, archive, is_remote, drains, writer, before, came }
    }

    async fn stages(
        &mut self,
        life: &Life,
        aws: &Aws,
        network: SharedHttpConnector,
        shares: Option<Leases>,
    ) -> Result<Stages, End> {
        // what is in a bucket needs no disk
        let fate = if self.is_remote { &Fate::after(u64::MAX) } else { &life.fate };
        let Ok(mut stages) = self.world.stages(fate) else {
            return Err(if life.fate.is_dead() { End::Killed } else { End::Full });
        };
        let again = self.writer.take();
        let mut writer = None;
        if self.is_remote {
            writer = Some(again.clone().unwrap_or_else(|| format!("{}", life.number)));
            let (aws, named, address) = (aws.clone(), writer.clone().unwrap(), format!("{STATES}{}", self.number));
            let taking = at_once(move || State::take(&address, &named, again.is_some(), &aws, Handle::current()));
            let taken = taking.await.unwrap();
            assert!(taken.is_ok() || life.fault_every.is_some(), "{:#}", taken.err().unwrap());
            stages.state = Some(taken.map_err(|_| if life.fate.is_dead() { End::Killed } else { End::Away })?);
        }
        let (state, aws_of_state) = (stages.state.take().unwrap(), aws.clone());
        let settling = at_once(move || {
            let undo = |note: &Note| match &shares {
                Some(leases) => wait::block_on(&Handle::current(), kinesis::undo(note, leases, &aws_of_state)),
                // no table says whether it stands
                None => Ok(false),
            };
            state.settle(undo).map(|()| state)
        });
        let settled = settling.await.unwrap();
        assert!(settled.is_ok() || life.fault_every.is_some(), "{:#}", settled.err().unwrap());
        let has_room = life.fate.has_room();
        let away = if life.fate.is_dead() {
            End::Killed
        } else if has_room {
            End::Away
        } else {
            End::Full
        };
        let state = settled.map_err(|_| away)?;
        if self.sharing == Sharing::Queue {
            let Ok(committed) = state.load() else { return Err(away) };
            let checkpoint = committed.unwrap_or_default().checkpoint;
            let objects = checkpoint.0.keys().filter_map(|partition| services::record_of_key(partition));
            self.services.note_committed(self.number, objects, &std::mem::take(&mut self.before));
        }
        stages.state = Some(state);
        self.writer = writer;
        let drain_seconds = if self.drains { DRAIN_SECONDS } else { 0 };
        let way = if self.world.is_hub {
            let config = security_hub::Config { drain_seconds, ..security_hub::Config::of_hub(HUB).unwrap() };
            Way::of_hubs(&config, security_hub::Hubs::of(Routes::new(&config).unwrap(), aws.clone(), network))
        } else {
            let config = event_bridge::Config { drain_seconds, ..event_bridge::Config::default() };
            Way::EventBridge(event_bridge::Bus::of(&config, aws, network).unwrap())
        };
        stages.posts = vec![Post::new(way, Memory::default(), CancellationToken::new())];
        stages.archive = Some(Archive::open(self.archive.path(), &archive::Config::default()).unwrap());
        Ok(stages)
    }

    fn config(&self, aws: Aws, shares: Option<Leases>, dice: &mut Dice) -> Config {
        let settings = kinesis::Settings {
            start: Start::TrimHorizon,
            fan_out: (dice.roll(2) == 0).then(|| "weir".to_owned()),
            leases: shares,
            ..kinesis::Settings::default()
        };
        let stream = kinesis::Stream::parse("kinesis://there").unwrap();
        let visibility_seconds = if self.sharing == Sharing::Queue { HIDDEN_SECONDS } else { 20 };
        let settings_of_queue = s3::Settings { visibility_seconds, ..s3::Settings::default() };
        let queue = notices::Address::parse("sqs://notices").unwrap();
        let backfill = backfill::Config {
            address: Address::parse("s3://old/AWSLogs/").unwrap(),
            wanted: Wanted::default(),
            settings: s3::Settings::default(),
            progress: Arc::default(),
        };
        let stream = Source::Kinesis(kinesis::Config { stream, settings });
        let queue = Source::Notices(notices::Config {
            queue,
            settings: settings_of_queue,
            until_empty: false,
            own: Own::default(),
        });
        let sources = match self.sharing {
            Sharing::Nothing => vec![stream, queue, Source::Backfill(backfill)],
            Sharing::Stream => vec![stream],
            Sharing::Queue => vec![queue],
        };
        Config {
            sources,
            aws,
            decode: decode::Options::default(),
            follow: true,
            renewals: None,
            commit_every: Duration::from_secs([0, 3, 60][dice.roll(3) as usize]),
            so_far: SoFar::default(),
        }
    }

    async fn live(&mut self, life: Life, dice: &mut Dice) -> End {
        let is_calm = life.fault_every.is_none();
        let network = SharedHttpConnector::new(Network { services: self.services.clone(), life: life.clone() });
        let aws = Aws::answered_by(network.clone());
        // some lives of one that is alone have no leases in their configuration
        let shares = (dice.roll(3) > 0 || self.sharing == Sharing::Stream).then(leases);
        let stages = match self.stages(&life, &aws, network, shares.clone()).await {
            Ok(stages) => stages,
            Err(end) => {
                life.fate.is_dead.store(true, Ordering::Relaxed);
                return end;
            }
        };
        let outbox = stages.posts[0].shared();
        *life.outbox.lock().unwrap() = Some(outbox.clone());
        let seconds = if self.sharing == Sharing::Queue { SECONDS_AT_QUEUE } else { SECONDS };
        let stop = CancellationToken::new();
        let sender = tokio::spawn(Sender::new(outbox, wait::clock).run());
        if !is_calm && dice.roll(3) == 0 {
            let (stop, time) = (stop.clone(), Duration::from_millis(dice.roll(1000 * seconds)));
            tokio::spawn(async move {
                sleep(time).await;
                stop.cancel();
            });
        }
        let (services, stopping) = (self.services.clone(), stop.clone());
        let drains = self.drains;
        let report = move |progress: Progress| {
            // what waits by then is sent in the time that the end has
            let is_over = if drains { progress.findings == RECORDS } else { services.is_over() };
            if is_calm && is_over {
                stopping.cancel();
            }
        };
        let time = if is_calm { PATIENCE } else { Duration::from_millis(1000 + dice.roll(1000 * seconds)) };
        let ended = tokio::select! {
            biased;
            () = life.dead.cancelled() => None,
            () = sleep(time) => None,
            ended = run(self.config(aws, shares, dice), stages, stop, report) => Some(ended),
        };
        let is_dead = life.fate.is_dead();
        // whatever goes on, nothing of it gets anywhere
        life.fate.is_dead.store(true, Ordering::Relaxed);
        life.dead.cancel();
        sender.abort();
        simulated::all_done().await;
        // nobody hides them any longer
        self.services.unhide(&self.services.inside());
        if !matches!(&ended, Some(Err(error)) if error.is::<Lost>()) {
            self.writer = None;
        }
        match ended {
            None => End::Killed,
            Some(Ok(outcome)) => {
                let unreadable = outcome.summary.unreadable;
                assert!(!unreadable.iter().any(|one| one.why.contains("panicked")), "{unreadable:?}");
                let findings = outcome.findings.iter();
                self.came.counts = findings.map(|finding| (finding.id.to_string(), finding.count)).collect();
                End::Stopped
            }
            Some(Err(error)) if error.is::<Lost>() => End::Lost,
            Some(Err(error)) => {
                assert!(is_dead || !life.fate.has_room(), "{error:#}");
                if is_dead { End::Killed } else { End::Full }
            }
        }
    }

    /// Some lives with their ends, and one that has none.
    async fn run(mut self, lives: u64) -> TaskWorld {
        let mut dice = Dice(self.services.seed + (self.number << 32));
        let first = LIVES_OF_WORKER * self.number;
        for number in first..first + lives {
            let steps = if dice.roll(3) == 0 { u64::MAX } else { dice.roll(STEPS) };
            let writes = if dice.roll(3) == 0 { dice.roll(WRITES) } else { u64::MAX };
            let fault_every = FAULT_EVERY[dice.roll(3) as usize];
            let life = Life::new(number, Fate::of(steps, writes), Some(fault_every));
            let end = self.live(life.clone(), &mut dice).await;
            self.before.push((life, matches!(end, End::Killed | End::Full)));
            *self.came.ends.entry(end).or_default() += 1;
        }
        self.services.calm_down();
        let mut last = End::Lost;
        let mut number = first + lives;
        // the others may not be at their last
        while last == End::Lost {
            let life = Life::new(number, Fate::after(u64::MAX), None);
            last = self.live(life.clone(), &mut dice).await;
            self.before.push((life, false));
            number += 1;
        }
        let inside = self.services.inside();
        assert!(last == End::Stopped, "{:#?}, {last:?}: taken {:?}", inside.trace, inside.taken);
        drop(inside);
        self.came.rows = rows(self.archive.path());
        self
    }
}

impl Came {
    /// What has come of workers, all of which have ended.
    async fn of(services: &Services, workers: Vec<TaskWorld>) -> Came {
        // until all is removed that nobody waits for
        sleep(Duration::from_secs(60)).await;
        services.holds_states();
        let inside = services.inside();
        for (record, (taken, excused)) in inside.taken.iter().zip(&inside.excused).enumerate() {
            let trace = &inside.trace;
            let excused = excused + u64::from(inside.in_two.contains(&(record as u64)));
            assert!((1..=1 + excused).contains(taken), "{trace:#?}: {record} came {taken} times, {excused} excused");
        }
        let mut came = Came {
            faults: inside.faults.clone(),
            trace: inside.trace.clone(),
            again: inside.taken.iter().map(|times| times - 1).sum(),
            time: simulated::elapsed(),
            ..Came::default()
        };
        for worker in workers {
            let mut rows = worker.came.rows;
            rows.sort();
            assert!(rows.is_sorted_by(|one, next| one < next), "{:#?}: {rows:?}", inside.trace);
            came.rows.extend(rows);
            worker.came.counts.into_iter().for_each(|(id, count)| *came.counts.entry(id).or_default() += count);
            worker.came.ends.into_iter().for_each(|(end, times)| *came.ends.entry(end).or_default() += times);
        }
        came.rows.sort();
        came
    }

    /// What two workers of a queue have both archived, for which there is a reason, as if one had.
    fn once(mut self, services: &Services) -> Came {
        let inside = services.inside();
        for record in &inside.in_two {
            let row = interface(*record);
            let of_it = self.rows.iter().filter(|other| **other == row).count();
            self.in_two += u64::from(of_it == 2);
        }
        self.may_be_in_two = inside.in_two.len() as u64;
        let is_excused = |row: &String| inside.in_two.iter().any(|record| interface(*record) == *row);
        let times = self.rows.len() as u64;
        let counted: u64 = self.counts.values().sum();
        assert_eq!(times, counted, "{:#?}", inside.trace);
        self.rows.dedup_by(|one, other| one == other && is_excused(one));
        if self.in_two > 0 {
            self.counts.values_mut().for_each(|count| *count = 1);
        }
        self
    }
}

fn leases() -> Leases {
    Leases { table: "leases".to_owned(), expiry_seconds: 10 }
}

/// The interfaces of the archived rows.
fn rows(archive: &Path) -> Vec<String> {
    let mut rows = Vec::new();
    for found in archive::read::files(archive, &VPC_FLOW).unwrap() {
        let file = std::fs::File::open(found.path).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let column = arrow::compute::cast(
                batch.unwrap().column_by_name("interface_id").unwrap(),
                &arrow::datatypes::DataType::Utf8,
            );
            let column = column.unwrap();
            let names = column.as_any().downcast_ref::<StringArray>().unwrap();
            rows.extend(names.iter().map(|name| name.unwrap().to_owned()));
        }
    }
    rows
}

/// A world of one worker or two, with so many lives of each.
fn run_world(seed: u64, sharing: Sharing, lives: u64) -> Came {
    simulated::run(seed, async {
        let services = Services::new(seed, sharing);
        tokio::spawn(services.clone().go_on());
        let all = (0..sharing.workers()).map(|number| TaskWorld::new(&services, number).run(lives));
        let all = join_all(all).await;
        let came = Came::of(&services, all).await;
        if sharing == Sharing::Queue { came.once(&services) } else { came }
    })
}

#[test]
fn whatever_fails_and_whatever_ends_a_life_the_tasks_come_to_what_an_undisturbed_run_comes_to() {
    come_to_the_same(Sharing::Nothing, SEEDS);
}

#[test]
fn whatever_fails_and_whoever_is_stopped_two_workers_come_to_what_an_undisturbed_run_comes_to() {
    come_to_the_same(Sharing::Stream, SEEDS / 2);
}

#[test]
fn whatever_fails_and_whoever_is_stopped_two_workers_on_a_queue_come_to_what_an_undisturbed_run_comes_to() {
    come_to_the_same(Sharing::Queue, SEEDS / 4);
}

fn come_to_the_same(sharing: Sharing, count: u64) {
    let expected = run_world(0, Sharing::Nothing, 0);
    assert_eq!(expected.rows, (0..RECORDS).map(interface).collect::<Vec<String>>());
    assert_eq!(expected.counts.values().copied().collect::<Vec<u64>>(), vec![1; RECORDS as usize]);
    let seeds = seeds(count);
    let worlds = of_seeds(seeds.clone(), |seed| {
        let came = run_world(seed, sharing, 1 + seed % LIVES);
        assert_eq!(came.rows, expected.rows, "{:#?}", came.trace);
        assert_eq!(came.counts, expected.counts, "{:#?}", came.trace);
        came
    });
    let (mut ends, mut faults) = (BTreeMap::<End, u64>::new(), BTreeMap::<Fault, u64>::new());
    for came in &worlds {
        came.ends.iter().for_each(|(end, times)| *ends.entry(*end).or_default() += times);
        came.faults.iter().for_each(|(fault, times)| *faults.entry(*fault).or_default() += times);
    }
    let calls: usize = worlds.iter().map(|came| came.trace.len()).sum();
    let again: u64 = worlds.iter().map(|came| came.again).sum();
    let time: Duration = worlds.iter().map(|came| came.time).sum();
    let may_be_in_two: u64 = worlds.iter().map(|came| came.may_be_in_two).sum();
    let in_two: u64 = worlds.iter().map(|came| came.in_two).sum();
    let made = worlds.len();
    println!(
        "{made} worlds in {} h of theirs: lives ended by {ends:?}; {calls} calls, of which failed {faults:?}; {again} findings came again; of two workers of a queue \
         both archived {in_two} records of {may_be_in_two} that they may",
        time.as_secs() / 3600
    );
    if seeds == (0..count) {
        assert!(ends[&End::Killed] >= count && ends[&End::Stopped] >= count / 20 && ends[&End::Full] >= count / 50);
        assert!(ends.contains_key(&End::Lost) && faults.len() == FAULTS.len());
    }
}
