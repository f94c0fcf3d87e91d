//! One process between stand-ins of SQS, S3, Kinesis, Security Hub and EventBridge, killed again and again while everything
//! around it fails: what arrived and what is archived is, exactly, what an undisturbed run makes of the same input. Its lives
//! take turns to poll the stream, to subscribe to it, and to have its shards by leases.
//!
//! `WEIR_TORTURE_KILLS` and `WEIR_TORTURE_SEED` set how often and when; both are printed.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::hub::{ACCESS_KEY, Hub, SECRET, Trouble as HubTrouble};
use crate::kinesis_fake::Fake as Kinesis;
use crate::out_fake::{Fake as Out, Trouble, Way};
use crate::s3_fake::{Fake as Cloud, Fault};
use crate::support::{code, ended, lines, signal, text, weir, whole_lines};
use crate::table_fake::{Door, FakeTable, Way as TableWay};

const KILLS: usize = 200;
/// Events of an object, and records that come to the stream, in each life of the process.
const OBJECT_EVENTS: usize = 5;
const RECORDS: usize = 6;
/// Every so many events one is a finding.
const MARKED_EVERY: usize = 9;

const PER_ROW: &str = "-- title = \"A marked call\"\n-- severity = \"high\"\n-- key = [\"eventID\"]\n\
                       -- tags = [\"attack.impact\"]\n-- remedy = \"Ask who marked it.\"\n\
                       SELECT eventTime, eventID FROM cloudtrail WHERE eventName = 'Marked'\n";
/// It counts over both sources, and over all lives of the process.
const PER_WINDOW: &str = "-- title = \"Many calls of one name\"\n-- severity = \"medium\"\n\
                          -- tags = [\"attack.impact\"]\n-- remedy = \"Ask who made them.\"\n\
                          SELECT eventName, count(*) AS calls, eventName AS resource FROM cloudtrail\n\
                          WHERE eventName LIKE 'Plain%'\n\
                          GROUP BY eventName, account, tumble(eventTime, INTERVAL '1 hour')\nHAVING count(*) >= 5\n";

/// Numbers that a seed gives: splitmix64.
struct Dice(u64);

impl Dice {
    /// From 0 to `below`, without it.
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }
}

fn event(number: usize) -> String {
    let name = match number.is_multiple_of(MARKED_EVERY) {
        true => "Marked".to_owned(),
        false => format!("Plain{}", number % 20),
    };
    // one hour has all, so that no window is over before the last comes
    let time = format!("2024-08-01T12:{:02}:{:02}Z", number / 60 % 60, number % 60);
    json!({
        "eventVersion": "1.08", "eventName": name, "eventSource": "test.amazonaws.com", "eventTime": time,
        "eventID": format!("event-{number}"), "recipientAccountId": "111122223333", "awsRegion": "eu-west-1",
    })
    .to_string()
}

/// How a life reads the stream: what is counted, and what its configuration says.
const READS: [(&str, &str); 4] = [
    ("lives that poll", ""),
    ("lives that subscribe", "fan_out = 'weir'\n"),
    ("lives with leases", "[source.kinesis.leases]\ntable = 'leases'\nexpiry_seconds = 2\n"),
    (
        "lives with leases that subscribe",
        "fan_out = 'weir'\n[source.kinesis.leases]\ntable = 'leases'\nexpiry_seconds = 2\n",
    ),
];

/// The services, and a folder for one archive.
struct World {
    /// What the configuration says of the state.
    state: &'static str,
    cloud: Cloud,
    kinesis: Kinesis,
    /// Of the table with the leases.
    door: Door,
    hub: Hub,
    out: Out,
    folder: tempfile::TempDir,
    /// Notices by their ids.
    notices: BTreeMap<String, String>,
    next: usize,
    sequence: u64,
}

/// What came of a world: of Security Hub and of EventBridge the ids that arrived, the ids of archived events, sorted, and what
/// each finding counts at the end.
#[derive(Debug, PartialEq)]
struct Came {
    hub: BTreeSet<String>,
    bus: BTreeSet<String>,
    archived: Vec<String>,
    counts: BTreeMap<String, u64>,
}

impl World {
    async fn new(state: &'static str) -> World {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("rules/cloudtrail")).unwrap();
        fs::write(folder.path().join("rules/cloudtrail/marked.sql"), PER_ROW).unwrap();
        fs::write(folder.path().join("rules/cloudtrail/many.sql"), PER_WINDOW).unwrap();
        World {
            state,
            cloud: Cloud::start().await,
            kinesis: Kinesis::start().await,
            door: FakeTable::default().door().await,
            hub: Hub::start(),
            out: Out::start(),
            folder,
            notices: BTreeMap::new(),
            next: 0,
            sequence: 0,
        }
    }

    /// An object with its notice, and records in each open shard.
    fn feed(&mut self) {
        let records: Vec<String> = (self.next..self.next + OBJECT_EVENTS).map(event).collect();
        let key = format!(
            "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/08/01/111122223333_CloudTrail_eu-west-1_20240801T1200Z_{:016}.json",
            self.next
        );
        self.cloud.put("trail", &key, format!("{{\"Records\":[{}]}}", records.join(",")));
        let notice = json!({ "Records": [{ "eventName": "ObjectCreated:Put",
                                           "s3": { "bucket": { "name": "trail" }, "object": { "key": key } } }] });
        let id = format!("notice-{}", self.next);
        self.notices.insert(id.clone(), notice.to_string());
        self.cloud.send(&id, notice.to_string());
        self.next += OBJECT_EVENTS;
        let mut stream = self.kinesis.stream();
        let open: Vec<String> =
            stream.shards.iter().filter(|(_, shard)| !shard.closed).map(|(id, _)| id.clone()).collect();
        for place in 0..RECORDS {
            self.sequence += 1;
            let sequence = format!("4959033827149025660855969253836157109592157598913{:06}", self.sequence);
            let shard = stream.shards.get_mut(&open[place % open.len()]).unwrap();
            shard.records.push((sequence, event(self.next).into_bytes()));
            self.next += 1;
        }
    }

    fn split(&self) {
        self.kinesis.born("shardId-1", &["shardId-0"], (0, u128::MAX / 2));
        self.kinesis.born("shardId-2", &["shardId-0"], (u128::MAX / 2 + 1, u128::MAX));
    }

    /// What the time of hiding does to notices that nobody deleted.
    fn unhide(&self) {
        let mut cloud = self.cloud.world();
        for handle in std::mem::take(&mut cloud.hidden).into_keys() {
            let id = handle.split('#').next().unwrap().to_owned();
            let body = self.notices[&id].clone();
            cloud.messages.push_back((id, body));
        }
    }

    /// Starts the process; where the disk is to be full, no file of it may become longer than so many KiB.
    fn start(&self, read: &str, disk_kib: Option<u64>) -> Child {
        let state = self.state;
        let config = format!(
            "from = ['sqs://notices', 'kinesis://there']\nrules = 'only:rules'\n{state}\
             [aws]\nregion = 'eu-west-1'\n[aws.s3]\nforce_path_style = true\n\
             [archive]\nbuffer_bytes = 20000\n[limits]\ncommit_seconds = 1\n\
             [sink.security_hub]\naccount = '111122223333'\nregion = 'eu-west-1'\n\
             [sink.event_bridge]\nbus = 'findings'\n[source.kinesis]\npoll_ms = 50\n{read}"
        );
        fs::write(self.folder.path().join("weir.toml"), config).unwrap();
        let run = "exec \"$0\" run -c weir.toml --follow --archive a --findings f.ndjson --summary s.json";
        let full =
            disk_kib.map_or(String::new(), |kib| format!("exec 2>/dev/null; trap '' XFSZ; ulimit -f {}; ", kib * 2));
        let stderr = fs::File::options().create(true).append(true).open(self.folder.path().join("stderr")).unwrap();
        Command::new("sh")
            .args(["-c", &format!("{full}{run}"), env!("CARGO_BIN_EXE_weir")])
            .current_dir(self.folder.path())
            .env("AWS_ENDPOINT_URL_S3", &self.cloud.url)
            .env("AWS_ENDPOINT_URL_SQS", &self.cloud.url)
            .env("AWS_ENDPOINT_URL_KINESIS", &self.kinesis.url)
            .env("AWS_ENDPOINT_URL_DYNAMODB", &self.door.url)
            .env("AWS_ENDPOINT_URL_SECURITYHUB", &self.hub.url)
            .env("AWS_ENDPOINT_URL_EVENTBRIDGE", &self.out.url)
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env_remove("AWS_SESSION_TOKEN")
            .env_remove("AWS_PROFILE")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap()
    }

    /// Lets a life go on until it has sent something, and kills it; gives how long that took.
    fn first_life(&mut self) -> Duration {
        self.feed();
        let begun = Instant::now();
        let mut child = self.start("", None);
        while self.calls().1 == 0 {
            let said = || said(self.folder.path());
            assert!(begun.elapsed() < Duration::from_secs(180), "nothing is sent: {}", said());
            assert_eq!(child.try_wait().unwrap(), None, "{}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        self.unhide();
        begun.elapsed()
    }

    /// Has some of the next calls fail, each in one of the ways that there are.
    fn trouble(&self, dice: &mut Dice, counts: &mut BTreeMap<&'static str, usize>) {
        let mut count = |what| *counts.entry(what).or_default() += 1;
        if !self.state.is_empty() && dice.roll(3) == 0 {
            count("state refused, and its answers lost");
            self.cloud.fault("PUT states", [Fault::Refuse(503, "SlowDown", "of the test"), Fault::Cut(0)]);
        }
        for _ in 0..4 {
            match dice.roll(12) {
                0 => {
                    count("kinesis throttles");
                    self.kinesis.fault("GetRecords", &["ProvisionedThroughputExceededException"; 2]);
                }
                1 => {
                    count("kinesis 500s");
                    self.kinesis.fault("GetRecords", &["InternalFailure"]);
                    self.kinesis.fault("ListShards", &["LimitExceededException"]);
                }
                2 => {
                    count("expired iterators");
                    let mut stream = self.kinesis.stream();
                    stream.expired = stream.iterators + 1;
                    stream.cut = true;
                }
                3 => {
                    count("queue 500s and throttles");
                    let fault =
                        |code| Fault::Refuse(if code == "InternalError" { 500 } else { 400 }, code, "of the test");
                    self.cloud.fault("ReceiveMessage", [fault("InternalError"), fault("ThrottlingException")]);
                    self.cloud.fault("DeleteMessageBatch", [fault("InternalError")]);
                }
                4..7 => {
                    let world = self.cloud.world();
                    let objects = world.objects.keys().filter(|name| name.starts_with("trail/"));
                    let objects: Vec<String> = objects.cloned().collect();
                    drop(world);
                    let last = objects.len() - 1;
                    for object in &objects[last.saturating_sub(2)..] {
                        let (what, fault) = match dice.roll(4) {
                            0 => ("broken bodies", Fault::Cut(dice.roll(900) as usize)),
                            1 => ("stalled bodies", Fault::Stall(dice.roll(900) as usize)),
                            2 => ("bucket 500s", Fault::Refuse(500, "InternalError", "of the test")),
                            _ => ("bucket throttles", Fault::Refuse(503, "SlowDown", "of the test")),
                        };
                        count(what);
                        self.cloud.fault(object, [fault]);
                    }
                }
                7 | 8 => {
                    let (what, trouble) = match dice.roll(3) {
                        0 => ("hub throttles", HubTrouble::Throttle),
                        1 => ("hub 503s", HubTrouble::Down),
                        _ => ("hub answers lost", HubTrouble::Lost),
                    };
                    count(what);
                    self.hub.seen().troubles.push_back(trouble);
                }
                9 | 10 => {
                    let (what, trouble) = match dice.roll(3) {
                        0 => ("bus throttles", Trouble::Throttle),
                        1 => ("bus 503s", Trouble::Down),
                        _ => ("bus answers lost", Trouble::Lost),
                    };
                    count(what);
                    self.out.seen().troubles.entry(Way::EventBridge).or_default().push_back(trouble);
                }
                _ => {
                    count("early notices");
                    // the time of hiding is over while somebody still reads
                    self.unhide();
                }
            }
        }
    }

    /// Nothing fails any more.
    fn calm(&self) {
        self.cloud.world().faults.clear();
        self.kinesis.stream().faults.clear();
        self.kinesis.stream().expired = 0;
        self.kinesis.stream().cut = false;
        self.door.is(TableWay::Open);
        self.hub.seen().troubles.clear();
        self.out.seen().troubles.clear();
    }

    /// Calls so far: of who reads, and of who sends.
    fn calls(&self) -> (usize, usize) {
        let bus = self.out.seen().calls.get(&Way::EventBridge).map_or(0, Vec::len);
        (self.kinesis.stream().calls.len() + self.cloud.asked("GET trail").len(), self.hub.seen().calls.len() + bus)
    }

    fn hub_ids(&self) -> BTreeSet<String> {
        let id = |finding: &Value| finding["Id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        self.hub.seen().stored.values().map(|versions| id(&versions[0].finding)).collect()
    }

    fn bus_ids(&self) -> BTreeSet<String> {
        self.out.seen().arrived(Way::EventBridge).into_keys().collect()
    }

    fn archived(&self) -> Vec<String> {
        let sql = ["sql", "SELECT eventid FROM cloudtrail", "--archive", "a", "--format", "ndjson"];
        let output = weir(&sql, self.folder.path());
        let row = |row: Value| row["eventid"].as_str().unwrap().to_owned();
        let mut ids: Vec<String> = lines(&output.stdout).into_iter().map(row).collect();
        ids.sort_unstable();
        ids
    }

    /// Ends the process once all has been read, committed and sent, and gives what came.
    fn end(&self, child: Child) -> Came {
        let begun = Instant::now();
        let (mut counted, mut since) = (self.counts(), Instant::now());
        // complete, and quiet since: an update may still come after the last finding
        while since.elapsed() < Duration::from_secs(4) || self.archived().len() < self.next || !self.is_told() {
            let said = || said(self.folder.path());
            assert!(
                begun.elapsed() < Duration::from_secs(180),
                "{} of {}: {}",
                self.archived().len(),
                self.next,
                said()
            );
            std::thread::sleep(Duration::from_secs(1));
            let now = self.counts();
            if now != counted {
                (counted, since) = (now, Instant::now());
            }
            if begun.elapsed() > Duration::from_secs(20) {
                self.unhide();
            }
        }
        signal(&child, Signal::INT);
        let output = ended(child, Duration::from_secs(120));
        let said = said(self.folder.path());
        assert_eq!(code(&output), 0, "{said}");
        assert!(!said.contains("panicked"), "{said}");
        assert_eq!(self.hub.seen().wrong, Vec::<String>::new());
        assert_eq!(self.out.seen().wrong, Vec::<String>::new());
        Came { hub: self.hub_ids(), bus: self.bus_ids(), archived: self.archived(), counts: self.counts() }
    }

    fn is_told(&self) -> bool {
        let found: BTreeSet<String> = self.counts().into_keys().collect();
        self.hub_ids() == found && self.bus_ids() == found
    }

    /// What each finding counts in its last line.
    fn counts(&self) -> BTreeMap<String, u64> {
        let finding = |line: &Value| (line["id"].as_str().unwrap().to_owned(), line["count"].as_u64().unwrap());
        whole_lines(&self.folder.path().join("f.ndjson")).iter().map(finding).collect()
    }
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_while_all_around_fails_nothing_is_lost_and_nothing_doubled() {
    torture(kills(), "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_its_state_in_s3_nothing_is_lost_and_nothing_doubled_either() {
    torture(kills() / 4, "state = 's3://states/w'\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_leases_that_does_not_answer_at_the_start_is_waited_for() {
    let mut world = World::new("").await;
    let until = |world: &World, what: &str, is_so: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < Duration::from_secs(180), "{what}: {}", said(world.folder.path()));
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let says = |world: &World, what: &str| said(world.folder.path()).contains(what);
    // the first life finds no leases, the second its own commit, of which only the table knows whether it stands
    for (what, events) in
        [("reading leases: trying again", 11), ("asking whether the last commit stands: trying again", 22)]
    {
        world.feed();
        world.door.is(TableWay::Shut);
        let mut child = world.start(READS[2].1, None);
        tokio::task::block_in_place(|| until(&world, what, &|| says(&world, what)));
        world.door.is(TableWay::Open);
        tokio::task::block_in_place(|| until(&world, "archiving", &|| world.archived().len() == events));
        child.kill().unwrap();
        child.wait().unwrap();
        world.unhide();
    }
    let told = said(world.folder.path());
    assert!(!told.contains("unreadable"), "{told}");
    // who is told to stop meanwhile does
    world.door.is(TableWay::Shut);
    let count = || said(world.folder.path()).matches("asking whether the last commit stands").count();
    let before = count();
    let child = world.start(READS[2].1, None);
    tokio::task::block_in_place(|| until(&world, "asking again", &|| count() > before));
    signal(&child, Signal::INT);
    let output = tokio::task::block_in_place(|| ended(child, Duration::from_secs(60)));
    assert_eq!(code(&output), 4, "{}", said(world.folder.path()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_was_taken_to_stand_without_leases_stands_with_them() {
    for state in ["", "state = 's3://states/w'\n"] {
        let mut world = World::new(state).await;
        world.feed();
        let says = |what: &str| said(world.folder.path()).contains(what);
        let is_committed = || says("settling a commit: trying again");
        let is_archived = || says("is taken to stand") && !world.archived().is_empty();
        world.door.is(TableWay::Unsettled);
        // the first is committed, and nobody comes to know that it stands; the second has its files in the archive
        let lives: [(&str, &dyn Fn() -> bool); 2] = [(READS[2].1, &is_committed), ("", &is_archived)];
        for (settings, is_so) in lives {
            let begun = Instant::now();
            let mut child = world.start(settings, None);
            while !is_so() {
                assert!(begun.elapsed() < Duration::from_secs(180), "{}", said(world.folder.path()));
                std::thread::sleep(Duration::from_millis(20));
            }
            child.kill().unwrap();
            child.wait().unwrap();
        }
        world.calm();
        // it would read the stream alone, and write another file: the notices are still hidden
        let came = tokio::task::block_in_place(|| world.end(world.start(READS[2].1, None)));
        assert_eq!(came.archived.len(), world.next, "an event is lost, or archived twice");
    }
}

fn kills() -> usize {
    number("WEIR_TORTURE_KILLS").map_or(KILLS, |kills| kills as usize)
}

async fn torture(kills: usize, state: &'static str) {
    let seed = number("WEIR_TORTURE_SEED").unwrap_or(20_240_801);
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let mut world = World::new(state).await;
    world.hub.seen().flaky.insert("A marked call".into());
    world.out.seen().flaky.insert("A marked call".into());
    let (mut killed, mut by_itself, mut read, mut sent) = (0, 0, 0, 0);
    let mut faults = BTreeMap::new();
    // milliseconds in which a life mostly comes to send: longer where the machine has other work, and where something fails
    let first = world.first_life();
    let mut span = first.as_secs_f64() * 2000.0;
    let longest = (3.0 * span).max(8000.0);
    while killed < kills {
        world.feed();
        if killed + by_itself == kills / 3 {
            world.split();
        }
        world.trouble(&mut dice, &mut faults);
        let disk = (dice.roll(8) == 0).then(|| dice.roll(16));
        let before = world.calls();
        let (what, settings) = READS[dice.roll(READS.len() as u64) as usize];
        *faults.entry(what).or_default() += 1;
        world.door.is(TableWay::Open);
        let mut child = world.start(settings, disk);
        // a third of them in the start, the rest anywhere until some commits have been made
        let is_short = dice.roll(3) == 0;
        let most = if is_short { span / 7.0 } else { span };
        let lives = Duration::from_micros(dice.roll((most * 1000.0) as u64));
        if dice.roll(8) == 0 {
            // as a disk that does not answer for a while
            tokio::time::sleep(lives / 2).await;
            signal(&child, Signal::STOP);
            tokio::time::sleep(Duration::from_millis(dice.roll(200))).await;
            signal(&child, Signal::CONT);
            *faults.entry("stops").or_default() += 1;
        }
        if dice.roll(8) == 0 {
            // the table fails, or its answers are lost
            tokio::time::sleep(lives / 2).await;
            world.door.is(if dice.roll(2) == 0 { TableWay::Shut } else { TableWay::Mute });
            *faults.entry("table failures").or_default() += 1;
        }
        tokio::time::sleep(lives).await;
        child.kill().unwrap();
        let status = child.wait().unwrap();
        match status.signal() {
            Some(_) => killed += 1,
            // only a full disk ends it
            None => {
                assert!(disk.is_some() && status.code() == Some(4), "{status}: {}", said(world.folder.path()));
                by_itself += 1;
            }
        }
        let after = world.calls();
        read += usize::from(after.0 > before.0);
        sent += usize::from(after.1 > before.1);
        span = match after.1 > before.1 {
            true => (span * 0.9).max(1500.0),
            false if is_short => span,
            false => (span * 1.15).min(longest),
        };
        world.unhide();
    }
    world.calm();
    let came = tokio::task::block_in_place(|| world.end(world.start("", None)));

    let mut calm = World::new(state).await;
    let child = calm.start("", None);
    while calm.next < world.next {
        calm.feed();
    }
    let expected = tokio::task::block_in_place(|| calm.end(child));
    println!(
        "the first came to send in {first:.1?}; killed {killed} times, of which it had read in {read} lives and sent in {sent}; ended by a full disk \
         {by_itself} times; {faults:?}"
    );
    println!("{} rows, {} findings", came.archived.len(), came.hub.len());
    let writes = calm.cloud.asked("PUT states/");
    if let Some(object) = writes.last().and_then(|last| last.strip_prefix("PUT ")) {
        let bytes = calm.cloud.world().objects[object].0.len();
        println!("undisturbed it wrote its state {} times, {bytes} bytes in the end", writes.len());
    }
    let all: BTreeSet<String> = (0..world.next).map(|number| format!("event-{number}")).collect();
    assert_eq!(came.archived.iter().cloned().collect::<BTreeSet<_>>(), all, "an event is lost");
    assert_eq!(came.archived.len(), world.next, "an event is archived twice");
    assert_eq!(came, expected);
    assert!(came.hub.len() > world.next / MARKED_EVERY, "{} findings", came.hub.len());
    assert!(read > kills / 4 && sent > kills / 10, "it came to work in {read} lives, and to send in {sent}");
}

fn said(folder: &Path) -> String {
    text(&fs::read(folder.join("stderr")).unwrap())
}
