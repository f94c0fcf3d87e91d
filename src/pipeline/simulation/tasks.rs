//! A run as it is, [`run`] with its sources and the sender's task, in a time of the simulation's own: shards that are split and
//! merged, polled or subscribed to, with leases and without; a queue with its objects; turns, commits, an archive, and a bus. Every
//! call may find nobody, be refused, be made and its answer lost, broken off or late; and each step of a call or of the disk, and each
//! moment between, may be the last of the process. What is there in the end is what an undisturbed run makes of the same records.
//!
//! Of several tasks that can go on, or branches of a `select!`, which is first is the runtime's choice, and not in the seed: a world
//! that failed may have to be made some times until it fails again.

use std::fmt;
use std::path::Path;

use arrow::array::{Array, StringArray};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use axum::body::{Body as AxumBody, Bytes, to_bytes};
use axum::extract::{Request, State as With};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::*;
use crate::archive;
use crate::sink::post::Shared;
use crate::sink::sender::Sender;
use crate::source::claims::Lost;
use crate::source::kinesis::fake::{self as kinesis_fake, Stream};
use crate::source::kinesis::fake_table::{self, FakeTable, Way as TableWay};
use crate::source::kinesis::{self, Leases};
use crate::source::s3::fake::{self as s3_fake, Fake as Cloud};
use crate::source::s3::{self, notices};
use crate::source::shards::Start;
use crate::wait::{simulated, spawn_blocking};

/// Records that come by the stream; the others are an object each.
const IN_STREAM: u64 = 8;
/// Lives that end somehow, at most; the last of a world goes on, undisturbed, until all has arrived.
const LIVES: u64 = 3;
/// Steps within which a life ends that ends by one of them, and seconds within which it ends otherwise.
const STEPS: u64 = 200;
const SECONDS: u64 = 15;
const SEEDS: u64 = 300;
/// Nothing of an undisturbed life takes longer.
const PATIENCE: Duration = Duration::from_secs(600);
/// One call in so many fails.
const FAULT_EVERY: u64 = 10;
const SHARDS_MAX: usize = 6;

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// It is never made.
    Unreachable,
    /// The service says no.
    Refused,
    /// It is made, and the answer is lost,
    Lost,
    /// or breaks off,
    Torn,
    /// or comes after so long that nobody may wait for it any more.
    Late,
    /// Of its entries, the first is not taken.
    Part,
}

const FAULTS: [Fault; 6] = [Fault::Unreachable, Fault::Refused, Fault::Lost, Fault::Torn, Fault::Late, Fault::Part];

/// The services.
struct Services {
    seed: u64,
    stream: Arc<Mutex<Stream>>,
    table: FakeTable,
    cloud: Cloud,
    inside: Mutex<Inside>,
}

struct Inside {
    dice: Dice,
    is_calm: bool,
    /// Calls of this life, by their operations.
    calls: BTreeMap<String, u64>,
    /// Records there are so far, and shards there were.
    put: u64,
    born: usize,
    /// Notices by their ids.
    notices: BTreeMap<String, String>,
    /// As those of [`World`] are.
    taken: Vec<u64>,
    excused: Vec<u64>,
    noted: Vec<u64>,
    called: u64,
    faults: BTreeMap<Fault, u64>,
}

/// One life of the process.
#[derive(Clone)]
struct Life {
    number: u64,
    fate: Arc<Fate>,
    dead: CancellationToken,
    is_calm: bool,
    /// Until it is known what of that which waits to be sent was sent in a life before.
    outbox: Arc<Mutex<Option<Shared>>>,
}

impl Life {
    fn new(number: u64, steps: u64, is_calm: bool) -> Life {
        Life { number, fate: Fate::after(steps), dead: CancellationToken::new(), is_calm, outbox: Arc::default() }
    }

    /// One more step, which nobody takes who is dead.
    async fn step(&self) {
        if !self.fate.step() {
            self.dead.cancel();
            std::future::pending().await
        }
    }
}

/// How one life reaches the services. Tasks of a life that is over may go on, since it is no process, and reach nobody.
#[derive(Clone)]
struct Network {
    services: Arc<Services>,
    life: Life,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

impl HttpConnector for Network {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Network { services, life } = self.clone();
        HttpConnectorFuture::new(async move { services.answer(&life, request).await })
    }
}

fn broken() -> ConnectorError {
    ConnectorError::io("the simulation broke it".into())
}

fn refusal(service: &str, is_throttled: bool) -> Response {
    let code = match (service, is_throttled) {
        ("", _) => {
            let body = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>no</Message></Error>";
            return (StatusCode::SERVICE_UNAVAILABLE, body).into_response();
        }
        ("Kinesis_20131202" | "DynamoDB_20120810", true) => "ProvisionedThroughputExceededException",
        (_, true) => "ThrottlingException",
        (_, false) => "InternalFailure",
    };
    let status = if is_throttled { StatusCode::BAD_REQUEST } else { StatusCode::INTERNAL_SERVER_ERROR };
    (status, json!({ "__type": code, "message": "no" }).to_string()).into_response()
}

impl Services {
    fn new(seed: u64) -> Arc<Services> {
        let mut stream = Stream::default();
        stream.born("shardId-0", &[], (0, u128::MAX));
        let inside = Inside {
            dice: Dice(seed ^ 0x5eed),
            is_calm: false,
            calls: BTreeMap::new(),
            put: 0,
            born: 1,
            notices: BTreeMap::new(),
            taken: vec![0; RECORDS as usize],
            excused: vec![0; RECORDS as usize],
            noted: vec![0; RECORDS as usize],
            called: 0,
            faults: BTreeMap::new(),
        };
        Arc::new(Services {
            seed,
            stream: Arc::new(Mutex::new(stream)),
            table: FakeTable::default(),
            cloud: Cloud::at("http://simulated".into()),
            inside: Mutex::new(inside),
        })
    }

    fn inside(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    async fn answer(&self, life: &Life, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let (head, body) = request.try_into_http1x().expect("it is a request").into_parts();
        let body = Bytes::copy_from_slice(body.bytes().unwrap_or_default());
        let target = head.headers.get("x-amz-target").map(|target| target.to_str().unwrap().to_owned());
        let target = target.unwrap_or_default();
        let (service, operation) = target.split_once('.').unwrap_or_default();
        if life.fate.is_dead() {
            std::future::pending().await
        }
        let (mut dice, fault) = self.happens(life, operation);
        self.excuse(life).await;
        let pause = Duration::from_millis(1 + dice.roll(40));
        sleep(pause).await;
        let has_none = operation == "ReceiveMessage" && !self.is_any_message_there(&body).await;
        // nothing is waited for from here until it is made: who is dead makes none
        life.step().await;
        let answer = match (fault, service) {
            (Some(Fault::Unreachable), _) => return Err(broken()),
            (Some(Fault::Refused), _) => refusal(service, dice.roll(2) == 0),
            (_, "Kinesis_20131202") => kinesis_fake::answer(With(self.stream.clone()), head.headers, body).await,
            (_, "DynamoDB_20120810") => {
                let open = Arc::new(Mutex::new(TableWay::Open));
                fake_table::answer(With((self.table.clone(), open)), head.headers, body).await
            }
            (_, "AWSEvents") => self.put_events(&body, fault),
            (_, "AmazonSQS") if has_none => json!({ "Messages": [] }).to_string().into_response(),
            _ => s3_fake::answer(With(self.cloud.clone()), Request::from_parts(head, AxumBody::from(body))).await,
        };
        life.step().await;
        match fault {
            Some(Fault::Lost) => return Err(broken()),
            Some(Fault::Late) => sleep(Duration::from_secs(20 + dice.roll(40))).await,
            Some(_) | None => {}
        }
        let (head, body) = answer.into_parts();
        let mut bytes = to_bytes(body, usize::MAX).await.expect("it is in memory").to_vec();
        if fault == Some(Fault::Torn) {
            bytes.truncate(dice.roll(bytes.len() as u64 + 1) as usize);
        }
        let answer = http::Response::from_parts(head, SdkBody::from(bytes));
        Ok(HttpResponse::try_from(answer).expect("it is an answer"))
    }

    /// What happens with a call: the same with the same of a life, whatever other calls are made.
    fn happens(&self, life: &Life, operation: &str) -> (Dice, Option<Fault>) {
        let mut inside = self.inside();
        inside.called += 1;
        let times = inside.calls.entry(operation.to_owned()).or_default();
        *times += 1;
        let name = format!("{} {} {operation} {times}", self.seed, life.number);
        let hash = blake3::hash(name.as_bytes());
        let mut dice = Dice(u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap()));
        let is_faulty = dice.roll(FAULT_EVERY) == 0 && !life.is_calm;
        let fault = is_faulty.then(|| FAULTS[dice.roll(FAULTS.len() as u64) as usize]);
        if let Some(fault) = fault {
            *inside.faults.entry(fault).or_default() += 1;
        }
        (dice, fault)
    }

    /// What was sent before and waits still, since the process died before that was committed, may come again.
    async fn excuse(&self, life: &Life) {
        let Some(outbox) = life.outbox.lock().unwrap().take() else { return };
        let waiting = spawn_blocking(move || outbox.waiting()).await.unwrap();
        let mut inside = self.inside();
        for json in waiting {
            let record = record_of(&json);
            inside.excused[record] += u64::from(inside.taken[record] > inside.noted[record]);
            inside.noted[record] = inside.taken[record];
        }
    }

    /// Whatever happens without anybody's call.
    async fn go_on(self: Arc<Services>) {
        loop {
            let pause = Duration::from_millis(100 + self.inside().dice.roll(1500));
            sleep(pause).await;
            let mut inside = self.inside();
            if inside.put < RECORDS {
                self.put(&mut inside);
            }
            match inside.dice.roll(8) {
                _ if inside.is_calm => {}
                0 | 1 => self.reshard(&mut inside),
                2 => {
                    let mut stream = self.stream.lock().unwrap();
                    stream.expired = stream.iterators + 1;
                }
                // SQS gives again what it has given
                3 => self.unhide(&inside),
                _ => {}
            }
        }
    }

    /// The next record comes.
    fn put(&self, inside: &mut Inside) {
        let record = inside.put;
        inside.put += 1;
        if record < IN_STREAM {
            let mut stream = self.stream.lock().unwrap();
            let open: Vec<&mut kinesis_fake::Shard> =
                stream.shards.values_mut().filter(|shard| !shard.closed).collect();
            let place = inside.dice.roll(open.len() as u64) as usize;
            let sequence = format!("4959033827149025660855969253836157109592157598913{record:06}");
            open.into_iter().nth(place).unwrap().records.push((sequence, flow(record)));
            return;
        }
        let key = format!(
            "AWSLogs/111122223333/vpcflowlogs/eu-west-1/2024/08/01/111122223333_vpcflowlogs_eu-west-1_fl-1_20240801T1130Z_{record}.log"
        );
        self.cloud.put("logs", &key, flow(record));
        let told = json!({ "Records": [{ "eventName": "ObjectCreated:Put",
                                         "s3": { "bucket": { "name": "logs" }, "object": { "key": key } } }] });
        self.cloud.send(&record.to_string(), told.to_string());
        inside.notices.insert(record.to_string(), told.to_string());
    }

    /// Splits a shard, or merges two that it was made.
    fn reshard(&self, inside: &mut Inside) {
        if inside.born >= SHARDS_MAX {
            return;
        }
        let mut stream = self.stream.lock().unwrap();
        let open = stream.shards.iter().filter(|(_, shard)| !shard.closed);
        let open: Vec<(String, (u128, u128))> = open.map(|(id, shard)| (id.clone(), shard.range)).collect();
        let mut born = |parents: &[&str], range| {
            stream.born(&format!("shardId-{}", inside.born), parents, range);
            inside.born += 1;
        };
        match &open[..] {
            [(a, first), (b, second)] => {
                born(&[a.as_str(), b.as_str()], (first.0.min(second.0), first.1.max(second.1)))
            }
            [(a, range), ..] => {
                let middle = range.0 + (range.1 - range.0) / 2;
                born(&[a.as_str()], (range.0, middle));
                born(&[a.as_str()], (middle + 1, range.1));
            }
            [] => unreachable!("a stream has an open shard"),
        }
    }

    /// What is hidden is there again.
    fn unhide(&self, inside: &Inside) {
        let mut cloud = self.cloud.world();
        for handle in std::mem::take(&mut cloud.hidden).into_keys() {
            let id = handle.split('#').next().unwrap();
            cloud.messages.push_back((id.to_owned(), inside.notices[id].clone()));
        }
    }

    /// Waits for a message as long as it is asked to.
    async fn is_any_message_there(&self, ask: &[u8]) -> bool {
        let ask: Value = serde_json::from_slice(ask).unwrap();
        for _ in 0..ask["WaitTimeSeconds"].as_u64().unwrap_or_default() {
            if !self.cloud.world().messages.is_empty() {
                return true;
            }
            sleep(Duration::from_secs(1)).await;
        }
        !self.cloud.world().messages.is_empty()
    }

    fn put_events(&self, ask: &[u8], fault: Option<Fault>) -> Response {
        let ask: Value = serde_json::from_slice(ask).unwrap();
        let mut inside = self.inside();
        let (mut told, mut failed) = (Vec::new(), 0);
        for (place, entry) in ask["Entries"].as_array().unwrap().iter().enumerate() {
            if place == 0 && fault == Some(Fault::Part) {
                failed += 1;
                told.push(json!({ "ErrorCode": "InternalFailure", "ErrorMessage": "no" }));
                continue;
            }
            let record = record_of(entry["Detail"].as_str().unwrap());
            inside.taken[record] += 1;
            if matches!(fault, Some(Fault::Lost | Fault::Torn | Fault::Late)) {
                inside.excused[record] += 1;
                inside.noted[record] = inside.taken[record];
            }
            told.push(json!({ "EventId": "x" }));
        }
        json!({ "FailedEntryCount": failed, "Entries": told }).to_string().into_response()
    }

    /// All has come, and all of it has arrived.
    fn is_over(&self) -> bool {
        let inside = self.inside();
        let cloud = self.cloud.world();
        let is_queue_empty = cloud.messages.is_empty() && cloud.hidden.is_empty();
        inside.put == RECORDS && is_queue_empty && inside.taken.iter().all(|times| *times > 0)
    }
}

/// The sender's time: it goes on with the simulation's.
fn clock() -> Timestamp {
    static BEGUN: LazyLock<Timestamp> = LazyLock::new(Timestamp::now);
    Timestamp(BEGUN.0 + simulated::elapsed().as_micros() as i64)
}

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Killed,
    /// It was told to stop, and did.
    Stopped,
    /// A shard was another's by then, or that could not be found out: it begins again.
    Lost,
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
    calls: u64,
    /// Findings that were sent more than once.
    again: u64,
    /// What it took in the simulation.
    time: Duration,
}

struct TaskWorld {
    services: Arc<Services>,
    /// The disk.
    world: World,
    archive: tempfile::TempDir,
    came: Came,
}

impl TaskWorld {
    fn new(seed: u64) -> TaskWorld {
        let services = Services::new(seed);
        // it is flushed at each commit, which memory does not wait for
        let memory = Path::new("/dev/shm");
        let archive = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        TaskWorld { services, world: World::new(seed), archive: archive.unwrap(), came: Came::default() }
    }

    fn stages(&self, fate: &Arc<Fate>, aws: &Aws, network: SharedHttpConnector) -> Result<Stages, Dead> {
        let mut stages = self.world.stages(fate)?;
        // the end of a run waits for nobody
        let config = event_bridge::Config { drain_seconds: 0, ..event_bridge::Config::default() };
        let bus = event_bridge::Bus::of(&config, aws, network).unwrap();
        stages.posts = vec![Post::new(Way::EventBridge(bus), Memory::default(), CancellationToken::new())];
        stages.archive = Some(Archive::open(self.archive.path(), &archive::Config::default()).unwrap());
        Ok(stages)
    }

    fn config(&self, aws: Aws, dice: &mut Dice) -> Config {
        let leases = Leases { table: "leases".to_owned(), expiry_seconds: 10 };
        let settings = kinesis::Settings {
            start: Start::TrimHorizon,
            fan_out: (dice.roll(2) == 0).then(|| "weir".to_owned()),
            leases: (dice.roll(3) == 0).then_some(leases),
            ..kinesis::Settings::default()
        };
        let stream = kinesis::Stream::parse("kinesis://there").unwrap();
        let settings_of_queue = s3::Settings { visibility_seconds: 20, ..s3::Settings::default() };
        let queue = notices::Address::parse("sqs://notices").unwrap();
        Config {
            sources: vec![
                Source::Kinesis(kinesis::Config { stream, settings }),
                Source::Notices(notices::Config { queue, settings: settings_of_queue, until_empty: false }),
            ],
            aws,
            decode: decode::Options::default(),
            follow: true,
            renewals: None,
            commit_every: Duration::from_secs([0, 3, 60][dice.roll(3) as usize]),
            so_far: SoFar::default(),
        }
    }

    async fn live(&mut self, life: Life, dice: &mut Dice) -> End {
        let mut inside = self.services.inside();
        (inside.is_calm, inside.calls) = (life.is_calm, BTreeMap::new());
        drop(inside);
        let network = SharedHttpConnector::new(Network { services: self.services.clone(), life: life.clone() });
        let aws = Aws::answered_by(network.clone());
        let Ok(stages) = self.stages(&life.fate, &aws, network) else { return End::Killed };
        let outbox = stages.posts[0].shared();
        *life.outbox.lock().unwrap() = Some(outbox.clone());
        let stop = CancellationToken::new();
        let sender = tokio::spawn(Sender::new(outbox, clock).run());
        if !life.is_calm && dice.roll(3) == 0 {
            let (stop, time) = (stop.clone(), Duration::from_millis(dice.roll(1000 * SECONDS)));
            tokio::spawn(async move {
                sleep(time).await;
                stop.cancel();
            });
        }
        let (is_calm, services, stopping) = (life.is_calm, self.services.clone(), stop.clone());
        let report = move |_| {
            if is_calm && services.is_over() {
                stopping.cancel();
            }
        };
        let time = if life.is_calm { PATIENCE } else { Duration::from_millis(1000 + dice.roll(1000 * SECONDS)) };
        let ended = tokio::select! {
            biased;
            () = life.dead.cancelled() => None,
            () = sleep(time) => None,
            ended = run(self.config(aws, dice), stages, stop, report) => Some(ended),
        };
        let is_dead = life.fate.is_dead();
        // whatever goes on, nothing of it gets anywhere
        life.fate.is_dead.store(true, Ordering::Relaxed);
        life.dead.cancel();
        sender.abort();
        sleep(Duration::from_millis(1)).await;
        // nobody hides them any longer
        self.services.unhide(&self.services.inside());
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
                assert!(is_dead, "{error:#}");
                End::Killed
            }
        }
    }

    async fn run(mut self, lives: u64) -> Came {
        tokio::spawn(self.services.clone().go_on());
        let mut dice = Dice(self.services.seed);
        for number in 0..lives {
            let steps = if dice.roll(3) == 0 { u64::MAX } else { dice.roll(STEPS) };
            let end = self.live(Life::new(number, steps, false), &mut dice).await;
            *self.came.ends.entry(end).or_default() += 1;
        }
        let last = self.live(Life::new(lives, u64::MAX, true), &mut dice).await;
        let inside = self.services.inside();
        assert!(last == End::Stopped, "{} come, taken {:?}", inside.put, inside.taken);
        for (record, (taken, excused)) in inside.taken.iter().zip(&inside.excused).enumerate() {
            assert!((1..=1 + excused).contains(taken), "{record} came {taken} times, {excused} excused");
        }
        let again = inside.taken.iter().map(|times| times - 1).sum();
        let rows = rows(self.archive.path());
        Came {
            rows,
            faults: inside.faults.clone(),
            calls: inside.called,
            again,
            time: simulated::elapsed(),
            ..self.came
        }
    }
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
    rows.sort();
    rows
}

fn run_world(seed: u64, lives: u64) -> Came {
    simulated::run(async { TaskWorld::new(seed).run(lives).await })
}

#[test]
fn whatever_fails_and_whatever_ends_a_life_the_tasks_come_to_what_an_undisturbed_run_comes_to() {
    let expected = run_world(0, 0);
    assert_eq!(expected.rows, (0..RECORDS).map(interface).collect::<Vec<String>>());
    assert_eq!(expected.counts.values().copied().collect::<Vec<u64>>(), vec![1; RECORDS as usize]);
    let seeds = seeds(SEEDS);
    let worlds = of_seeds(seeds.clone(), |seed| {
        let came = run_world(seed, 1 + seed % LIVES);
        assert_eq!(came.rows, expected.rows);
        assert_eq!(came.counts, expected.counts);
        came
    });
    let (mut ends, mut faults) = (BTreeMap::<End, u64>::new(), BTreeMap::<Fault, u64>::new());
    for came in &worlds {
        came.ends.iter().for_each(|(end, times)| *ends.entry(*end).or_default() += times);
        came.faults.iter().for_each(|(fault, times)| *faults.entry(*fault).or_default() += times);
    }
    let calls: u64 = worlds.iter().map(|came| came.calls).sum();
    let again: u64 = worlds.iter().map(|came| came.again).sum();
    let time: Duration = worlds.iter().map(|came| came.time).sum();
    let count = worlds.len();
    println!(
        "{count} worlds in {} h of theirs: lives ended by {ends:?}; {calls} calls, of which failed {faults:?}; {again} findings came again",
        time.as_secs() / 3600
    );
    if seeds == (0..SEEDS) {
        assert!(ends[&End::Killed] >= SEEDS && ends[&End::Stopped] >= SEEDS / 20 && faults.len() == FAULTS.len());
    }
}
