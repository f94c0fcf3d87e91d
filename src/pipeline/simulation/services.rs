//! What a run of [`super::tasks`] is between: a stream, a table of leases, a queue, a bucket, and a bus or Security Hub, all in memory, with what goes
//! wrong with them.

use std::collections::BTreeSet;
use std::fmt;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use axum::body::{Body as AxumBody, Bytes, to_bytes};
use axum::extract::{Request, State as With};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::sink::post::Shared;
use crate::source::kinesis::fake::{self as kinesis_fake, Stream};
use crate::source::kinesis::fake_table::{self, FakeTable, Way as TableWay};
use crate::source::s3::fake::{self as s3_fake, Fake as Cloud};
use crate::wait::simulated::{at_once, elapsed};

/// What workers share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// There is one.
    Nothing,
    /// The stream, by which all records come then, with leases.
    Stream,
    /// The queue, which tells of an object for each record and hides for as long as it is asked to.
    Queue,
}

/// Records that come by the stream where one worker reads it; the others are an object each,
const IN_STREAM: u64 = 7;
/// of which these and those before come with a notice. The last are there from the beginning.
const NOTIFIED: u64 = 10;
const SHARDS_MAX: usize = 6;
/// Nobody takes findings for so long at most.
const OUTAGE_SECONDS: u64 = 60;
/// What Security Hub is called here, whose calls name an address and no operation.
const HUB: &str = "SecurityHub";
/// Seconds for which a process is stopped, beside some.
const STOPPED_SECONDS: u64 = 40;
/// Numbers that the lives of a worker have.
pub const LIVES_OF_WORKER: u64 = 1000;
/// Seconds for which the queue hides a notice where two share it.
pub const HIDDEN_SECONDS: u32 = 8;
/// Where states are that are in a bucket, each below a prefix of its own; all that is written there is of them.
pub const STATES: &str = "s3://state/";

impl Sharing {
    pub fn workers(self) -> u64 {
        if self == Sharing::Nothing { 1 } else { 2 }
    }
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is never made.
    Unreachable,
    /// The service says no.
    Refused,
    /// It is made, and the answer is lost,
    Lost,
    /// or breaks off,
    Torn,
    /// or comes after so long that nobody may wait for it any more; that a commit stands is itself so long on its way.
    Late,
    /// Of its entries, the first is not taken.
    Part,
    /// The process is stopped for some time before it is made: no call of its own is made meanwhile, and no answer comes to it.
    Stopped,
    /// The same behind it.
    StoppedBehind,
}

pub const FAULTS: [Fault; 8] = [
    Fault::Unreachable,
    Fault::Refused,
    Fault::Lost,
    Fault::Torn,
    Fault::Late,
    Fault::Part,
    Fault::Stopped,
    Fault::StoppedBehind,
];

/// The services.
pub struct Services {
    pub seed: u64,
    pub sharing: Sharing,
    stream: Arc<Mutex<Stream>>,
    table: FakeTable,
    /// Settles of commits that are on their way, whoever waits for them by then.
    late: Mutex<Vec<(HeaderMap, Bytes)>>,
    cloud: Cloud,
    inside: Mutex<Inside>,
}

pub struct Inside {
    dice: Dice,
    /// Workers in whose lives nothing fails any more.
    calm: u64,
    is_calm: bool,
    /// Until then nobody takes findings.
    outage: Duration,
    /// Calls of each life, by their operations.
    calls: BTreeMap<(u64, String), u64>,
    /// Records there are so far, and shards there were.
    pub put: u64,
    born: usize,
    /// Notices by their ids.
    notices: BTreeMap<String, String>,
    /// As those of [`World`] are.
    pub taken: Vec<u64>,
    pub excused: Vec<u64>,
    noted: Vec<u64>,
    /// All calls of all lives, one text each, in their order.
    pub trace: Vec<String>,
    pub faults: BTreeMap<Fault, u64>,
    /// When lives first asked for the notices that they had, by number and record;
    had: BTreeMap<(u64, u64), Duration>,
    /// and when they first began to delete them;
    letting_go: BTreeMap<(u64, u64), Duration>,
    /// workers and records whose notices they deleted,
    deleted: BTreeSet<(u64, u64)>,
    /// and those that another may have committed too: who did so first died, or was held up, before it could delete the notice.
    pub in_two: BTreeSet<u64>,
}

impl Inside {
    /// Whether a life was held up between the assurance that it may commit a record and the deletion of its notice.
    fn was_held_up(&self, life: &Life, record: u64) -> bool {
        let of_it = (life.number, record);
        let had = self.had[&of_it];
        let write = life.writes.lock().unwrap().iter().copied().find(|begun| *begun >= had);
        let since = write.into_iter().chain(self.letting_go.get(&of_it).copied()).min();
        life.was_held_up(since.unwrap_or(had))
    }

    /// A service takes a finding.
    fn take(&mut self, json: &str, fault: Option<Fault>) {
        let record = record_of(json);
        self.taken[record] += 1;
        self.trace.push(format!("{:?} {record} taken", elapsed()));
        if matches!(fault, Some(Fault::Lost | Fault::Torn | Fault::Late | Fault::StoppedBehind)) {
            self.excused[record] += 1;
            self.noted[record] = self.taken[record];
        }
    }
}

/// One life of the process.
#[derive(Clone)]
pub struct Life {
    pub number: u64,
    pub fate: Arc<Fate>,
    pub dead: CancellationToken,
    /// One call in so many fails; none in a life that is calm.
    pub fault_every: Option<u64>,
    /// Until then it is stopped.
    stopped: Arc<Mutex<Duration>>,
    /// When it was held up, and calls of its had ended that took longer than a commit and its acknowledgement may.
    held_up: Arc<Mutex<Vec<Duration>>>,
    /// When its writes of a state in the bucket began.
    writes: Arc<Mutex<Vec<Duration>>>,
    /// Until it is known what of that which waits to be sent was sent in a life before.
    pub outbox: Arc<Mutex<Option<Shared>>>,
}

impl Life {
    pub fn new(number: u64, fate: Arc<Fate>, fault_every: Option<u64>) -> Life {
        let dead = CancellationToken::new();
        let (stopped, held_up, writes, outbox) = (Arc::default(), Arc::default(), Arc::default(), Arc::default());
        Life { number, fate, dead, fault_every, stopped, held_up, writes, outbox }
    }

    fn stop(&self, dice: &mut Dice) {
        let until = elapsed() + Duration::from_secs(5 + dice.roll(STOPPED_SECONDS));
        *self.stopped.lock().unwrap() = until;
        self.held_up.lock().unwrap().push(until);
    }

    async fn go_on(&self) {
        loop {
            let left = self.stopped.lock().unwrap().saturating_sub(elapsed());
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }

    /// One more step, which nobody takes who is dead.
    fn step(&self) -> bool {
        let is_alive = self.fate.step();
        if !is_alive {
            self.dead.cancel();
        }
        is_alive
    }

    pub fn worker(&self) -> u64 {
        self.number / LIVES_OF_WORKER
    }

    fn note_time(&self, begun: Duration) {
        if elapsed() - begun > Duration::from_secs(u64::from(HIDDEN_SECONDS) / 4) {
            self.held_up.lock().unwrap().push(elapsed());
        }
    }

    /// Whether it was held up for so long that a notice which it has had since then may be another's.
    pub fn was_held_up(&self, since: Duration) -> bool {
        self.held_up.lock().unwrap().iter().any(|until| *until >= since)
    }

    /// Nobody is there for an answer; a thread that waits for it in place of a task ends.
    async fn nobody(&self, is_thread: bool) -> Result<HttpResponse, ConnectorError> {
        if !is_thread {
            std::future::pending().await
        }
        let body = "<?xml version=\"1.0\"?><Error><Code>Dead</Code><Message>the process is dead</Message></Error>";
        let answer = http::Response::builder().status(400).body(SdkBody::from(body)).expect("it is an answer");
        Ok(HttpResponse::try_from(answer).expect("it is an answer"))
    }
}

/// How one life reaches the services. Tasks of a life that is over may go on, since it is no process, and reach nobody.
#[derive(Clone)]
pub struct Network {
    pub services: Arc<Services>,
    pub life: Life,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

impl HttpConnector for Network {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Network { services, life } = self.clone();
        HttpConnectorFuture::new(async move {
            let begun = elapsed();
            let answer = services.answer(&life, request, begun).await;
            life.note_time(begun);
            answer
        })
    }
}

fn key(record: u64) -> String {
    format!(
        "AWSLogs/111122223333/vpcflowlogs/eu-west-1/2024/08/01/111122223333_vpcflowlogs_eu-west-1_fl-1_20240801T1130Z_{record}.log"
    )
}

/// The record of an object by the name of its partition.
pub fn record_of_key(partition: &str) -> Option<u64> {
    let key = partition.rsplit_once('|')?.0.strip_suffix(".log")?;
    key.rsplit_once("1130Z_")?.1.parse().ok()
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
        (HUB, is_throttled) => {
            let (status, code) =
                if is_throttled { (429, "TooManyRequestsException") } else { (500, "InternalException") };
            let status = StatusCode::from_u16(status).unwrap();
            return (status, json!({ "Code": code, "Message": "no" }).to_string()).into_response();
        }
        ("Kinesis_20131202" | "DynamoDB_20120810", true) => "ProvisionedThroughputExceededException",
        (_, true) => "ThrottlingException",
        (_, false) => "InternalFailure",
    };
    let status = if is_throttled { StatusCode::BAD_REQUEST } else { StatusCode::INTERNAL_SERVER_ERROR };
    (status, json!({ "__type": code, "message": "no" }).to_string()).into_response()
}

impl Services {
    pub fn new(seed: u64, sharing: Sharing) -> Arc<Services> {
        let mut stream = Stream::default();
        stream.born("shardId-0", &[], (0, u128::MAX));
        let inside = Inside {
            dice: Dice(seed ^ 0x5eed),
            calm: 0,
            is_calm: false,
            outage: Duration::ZERO,
            calls: BTreeMap::new(),
            put: 0,
            born: 1,
            notices: BTreeMap::new(),
            taken: vec![0; RECORDS as usize],
            excused: vec![0; RECORDS as usize],
            noted: vec![0; RECORDS as usize],
            trace: Vec::new(),
            faults: BTreeMap::new(),
            had: BTreeMap::new(),
            letting_go: BTreeMap::new(),
            deleted: BTreeSet::new(),
            in_two: BTreeSet::new(),
        };
        let cloud = Cloud::at("http://simulated".into());
        if sharing == Sharing::Queue {
            cloud.world().clock = Some(elapsed);
            cloud.world().takes_any_handle = seed.is_multiple_of(2);
        }
        if sharing == Sharing::Nothing {
            (NOTIFIED..RECORDS).for_each(|record| cloud.put("old", &key(record), flow(record)));
        }
        Arc::new(Services {
            seed,
            sharing,
            stream: Arc::new(Mutex::new(stream)),
            table: FakeTable::default(),
            late: Mutex::default(),
            cloud,
            inside: Mutex::new(inside),
        })
    }

    pub fn inside(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    /// The last life of a worker begins.
    pub fn calm_down(&self) {
        let mut inside = self.inside();
        inside.calm += 1;
        if inside.calm == self.sharing.workers() {
            (inside.is_calm, inside.outage) = (true, Duration::ZERO);
        }
    }

    /// Records that come by the stream, and by it or with a notice.
    fn coming(&self) -> (u64, u64) {
        match self.sharing {
            Sharing::Nothing => (IN_STREAM, NOTIFIED),
            Sharing::Stream => (RECORDS, RECORDS),
            Sharing::Queue => (0, RECORDS),
        }
    }

    async fn answer(
        self: &Arc<Self>,
        life: &Life,
        request: HttpRequest,
        begun: Duration,
    ) -> Result<HttpResponse, ConnectorError> {
        let (head, body) = request.try_into_http1x().expect("it is a request").into_parts();
        let body = Bytes::copy_from_slice(body.bytes().unwrap_or_default());
        let target = head.headers.get("x-amz-target").map(|target| target.to_str().unwrap().to_owned());
        let target = target.unwrap_or_default();
        let is_listing = head.uri.query().is_some_and(|query| query.contains("list-type"));
        let operation = match head.method {
            http::Method::POST => "BatchImportFindings",
            http::Method::PUT => "PutObject",
            http::Method::DELETE => "DeleteObject",
            _ if is_listing => "ListObjectsV2",
            _ => "GetObject",
        };
        let of_none = (if head.method == http::Method::POST { HUB } else { "" }, operation);
        let (service, operation) = target.split_once('.').unwrap_or(of_none);
        // who takes up a state asks whether its last commit stands
        let is_undoing = operation == "UpdateItem" && String::from_utf8_lossy(&body).contains("weirUndone");
        let is_state = head.uri.path().starts_with("/state/") || is_undoing;
        if life.fate.is_dead() {
            return life.nobody(is_state).await;
        }
        if operation == "PutObject" && is_state {
            life.writes.lock().unwrap().push(begun);
        }
        if operation == "DeleteMessageBatch" {
            self.note_letting_go(life, &body, begun);
        }
        let (mut dice, mut fault) = self.happens(life, operation);
        if !is_state {
            self.excuse(life).await;
        }
        let pause = Duration::from_millis(1 + dice.roll(40));
        sleep(pause).await;
        if operation == "ReceiveMessage" {
            self.wait_for_message(&body).await;
        }
        if fault == Some(Fault::Stopped) {
            life.stop(&mut dice);
        }
        life.go_on().await;
        // nothing is waited for from here until it is made: who is dead makes none
        if !life.step() {
            return life.nobody(is_state).await;
        }
        if matches!(service, HUB | "AWSEvents") && elapsed() < self.inside().outage {
            fault = Some(Fault::Refused);
        }
        if operation == "DeleteMessageBatch" && !matches!(fault, Some(Fault::Unreachable | Fault::Refused)) {
            life.note_time(begun);
            self.note_deleted(life, &body);
        }
        let has_none = operation == "ReceiveMessage" && !self.is_any_message_there();
        let answer = match (fault, service) {
            (Some(Fault::Unreachable), _) => return Err(broken()),
            (Some(Fault::Refused), _) => refusal(service, dice.roll(2) == 0),
            (_, "Kinesis_20131202") => kinesis_fake::answer(With(self.stream.clone()), head.headers, body).await,
            (Some(Fault::Late), "DynamoDB_20120810") if operation == "TransactWriteItems" => {
                self.late.lock().unwrap().push((head.headers, body));
                let (services, way) = (self.clone(), Duration::from_secs(dice.roll(90)));
                tokio::spawn(async move {
                    sleep(way).await;
                    services.arrive().await;
                });
                sleep(2 * way).await;
                return Err(broken());
            }
            (_, "DynamoDB_20120810") => {
                let answer = self.ask_table(head.headers, body).await;
                if is_undoing {
                    self.arrive().await;
                }
                answer
            }
            (_, "AWSEvents") => self.put_events(&body, fault),
            (_, HUB) => self.import_findings(&body, fault),
            (_, "AmazonSQS") if has_none => json!({ "Messages": [] }).to_string().into_response(),
            _ => s3_fake::answer(With(self.cloud.clone()), Request::from_parts(head, AxumBody::from(body))).await,
        };
        if !life.step() {
            return life.nobody(is_state).await;
        }
        match fault {
            Some(Fault::Lost) => return Err(broken()),
            Some(Fault::Late) => {
                let late = Duration::from_secs(20 + dice.roll(40));
                life.held_up.lock().unwrap().push(elapsed() + late);
                sleep(late).await;
            }
            Some(Fault::StoppedBehind) => life.stop(&mut dice),
            Some(_) | None => {}
        }
        life.go_on().await;
        if life.fate.is_dead() {
            return life.nobody(is_state).await;
        }
        let (head, body) = answer.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("it is in memory");
        if operation == "ReceiveMessage" {
            self.note_received(life, &bytes, begun);
        }
        let body = match (fault, operation) {
            // the length is in the head, or each message has its own
            (Some(Fault::Torn), "GetObject" | "SubscribeToShard") => {
                SdkBody::from(bytes.slice(..dice.roll(bytes.len() as u64 + 1) as usize))
            }
            // who reads it is told that it cannot be read
            (Some(Fault::Torn), _) => SdkBody::taken(),
            _ => SdkBody::from(bytes),
        };
        let answer = http::Response::from_parts(head, body);
        Ok(HttpResponse::try_from(answer).expect("it is an answer"))
    }

    async fn ask_table(&self, headers: HeaderMap, body: Bytes) -> Response {
        let open = Arc::new(Mutex::new(TableWay::Open));
        fake_table::answer(With((self.table.clone(), open)), headers, body).await
    }

    /// What was on its way arrives: after some time, or where it does most harm, as soon as it was found out that it had not.
    async fn arrive(&self) {
        let late = std::mem::take(&mut *self.late.lock().unwrap());
        for (headers, body) in late {
            self.ask_table(headers, body).await;
        }
    }

    /// What happens with a call: the same with the same of a life, whatever other calls are made.
    fn happens(&self, life: &Life, operation: &str) -> (Dice, Option<Fault>) {
        let mut inside = self.inside();
        let times = inside.calls.entry((life.number, operation.to_owned())).or_default();
        *times += 1;
        let times = *times;
        let name = format!("{} {} {operation} {times}", self.seed, life.number);
        let hash = blake3::hash(name.as_bytes());
        let mut dice = Dice(u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap()));
        let is_faulty = life.fault_every.is_some_and(|every| dice.roll(every) == 0);
        let fault = is_faulty.then(|| FAULTS[dice.roll(FAULTS.len() as u64) as usize]);
        inside.trace.push(format!("{:?} life {}: {operation} {times}, {fault:?}", elapsed(), life.number));
        if let Some(fault) = fault {
            *inside.faults.entry(fault).or_default() += 1;
        }
        (dice, fault)
    }

    /// What was sent before and waits still, since the process died before that was committed, may come again.
    async fn excuse(&self, life: &Life) {
        let Some(outbox) = life.outbox.lock().unwrap().take() else { return };
        let waiting = at_once(move || outbox.waiting()).await.unwrap();
        let mut inside = self.inside();
        for json in waiting {
            let record = record_of(&json);
            inside.excused[record] += u64::from(inside.taken[record] > inside.noted[record]);
            inside.noted[record] = inside.taken[record];
        }
    }

    /// Whatever happens without anybody's call.
    pub async fn go_on(self: Arc<Services>) {
        loop {
            let pause = Duration::from_millis(100 + self.inside().dice.roll(1500));
            sleep(pause).await;
            let mut inside = self.inside();
            if inside.put < self.coming().1 {
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
                5 if inside.dice.roll(4) == 0 => {
                    inside.outage = elapsed() + Duration::from_secs(1 + inside.dice.roll(OUTAGE_SECONDS))
                }
                4 => self.table.lose(inside.dice.roll(SHARDS_MAX as u64) as usize),
                _ => {}
            }
        }
    }

    /// The next record comes.
    fn put(&self, inside: &mut Inside) {
        let record = inside.put;
        inside.put += 1;
        if record < self.coming().0 {
            let mut stream = self.stream.lock().unwrap();
            let open: Vec<&mut kinesis_fake::Shard> =
                stream.shards.values_mut().filter(|shard| !shard.closed).collect();
            let place = inside.dice.roll(open.len() as u64) as usize;
            let sequence = format!("4959033827149025660855969253836157109592157598913{record:06}");
            open.into_iter().nth(place).unwrap().records.push((sequence, flow(record).into_bytes()));
            return;
        }
        let key = key(record);
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

    /// What is hidden is there again, where it is not a matter of time.
    pub fn unhide(&self, inside: &Inside) {
        if self.sharing == Sharing::Queue {
            return;
        }
        let mut cloud = self.cloud.world();
        for handle in std::mem::take(&mut cloud.hidden).into_keys() {
            let id = handle.split('#').next().unwrap();
            cloud.messages.push_back((id.to_owned(), inside.notices[id].clone()));
        }
    }

    fn is_any_message_there(&self) -> bool {
        let mut cloud = self.cloud.world();
        cloud.show();
        !cloud.messages.is_empty()
    }

    /// Waits for a message as long as it is asked to.
    async fn wait_for_message(&self, ask: &[u8]) {
        let ask: Value = serde_json::from_slice(ask).unwrap();
        for _ in 0..ask["WaitTimeSeconds"].as_u64().unwrap_or_default() {
            if self.is_any_message_there() {
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// A worker has notices.
    fn note_received(&self, life: &Life, answer: &[u8], begun: Duration) {
        let Ok(answer) = serde_json::from_slice::<Value>(answer) else { return };
        let mut inside = self.inside();
        for message in answer["Messages"].as_array().into_iter().flatten() {
            let record = message["MessageId"].as_str().unwrap().parse().unwrap();
            inside.had.entry((life.number, record)).or_insert(begun);
        }
    }

    /// A life begins to delete notices: what they told of is committed.
    fn note_letting_go(&self, life: &Life, ask: &[u8], begun: Duration) {
        let ask: Value = serde_json::from_slice(ask).unwrap();
        let mut inside = self.inside();
        for entry in ask["Entries"].as_array().unwrap() {
            let record = entry["ReceiptHandle"].as_str().unwrap().split('#').next().unwrap().parse().unwrap();
            inside.letting_go.entry((life.number, record)).or_insert(begun);
        }
    }

    /// A worker deletes notices; they may be another's by then, where it was held up.
    fn note_deleted(&self, life: &Life, ask: &[u8]) {
        let ask: Value = serde_json::from_slice(ask).unwrap();
        let mut inside = self.inside();
        let mut cloud = self.cloud.world();
        cloud.show();
        for entry in ask["Entries"].as_array().unwrap() {
            let handle = entry["ReceiptHandle"].as_str().unwrap();
            let record = handle.split('#').next().unwrap().parse().unwrap();
            if cloud.is_in_flight(handle) || cloud.deleted.iter().any(|deleted| deleted == handle) {
                inside.deleted.insert((life.worker(), record));
            } else if inside.was_held_up(life, record) {
                inside.in_two.insert(record);
            }
        }
    }

    /// A worker has committed these when its next life begins. Of those that it had not deleted another may be told too, where there
    /// is a reason for it: it was killed, or held up.
    pub fn note_committed(&self, worker: u64, records: impl Iterator<Item = u64>, before: &[(Life, bool)]) {
        let mut inside = self.inside();
        for record in records.filter(|record| !inside.deleted.contains(&(worker, *record))).collect::<Vec<_>>() {
            let had = |life: &Life| inside.had.contains_key(&(life.number, record));
            let is_reason = |life: &Life, was_killed| had(life) && (was_killed || inside.was_held_up(life, record));
            if before.iter().any(|(life, was_killed)| is_reason(life, *was_killed)) {
                inside.in_two.insert(record);
            }
        }
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
            inside.take(entry["Detail"].as_str().unwrap(), fault);
            told.push(json!({ "EventId": "x" }));
        }
        json!({ "FailedEntryCount": failed, "Entries": told }).to_string().into_response()
    }

    fn import_findings(&self, ask: &[u8], fault: Option<Fault>) -> Response {
        let ask: Value = serde_json::from_slice(ask).unwrap();
        let mut inside = self.inside();
        let (mut taken, mut failed) = (0, Vec::new());
        for (place, finding) in ask["Findings"].as_array().unwrap().iter().enumerate() {
            if place == 0 && fault == Some(Fault::Part) {
                failed.push(json!({ "Id": finding["Id"], "ErrorCode": "InternalFailure", "ErrorMessage": "no" }));
                continue;
            }
            inside.take(&finding.to_string(), fault);
            taken += 1;
        }
        let told = json!({ "SuccessCount": taken, "FailedCount": failed.len(), "FailedFindings": failed });
        told.to_string().into_response()
    }

    /// Nothing is left over of the states in the bucket: what is there is what their heads name.
    pub fn holds_states(&self) {
        let cloud = self.cloud.world();
        let prefix = |key: &String| key.strip_suffix("state.weir").map(str::to_owned);
        for (prefix, (head, _)) in cloud.objects.iter().filter_map(|(key, object)| Some((prefix(key)?, object))) {
            let packs = format!("{prefix}state.parts/");
            let there = cloud.objects.keys().filter_map(|key| key.strip_prefix(&packs));
            let named = bucket::packs_of(head);
            let trace = &self.inside().trace;
            assert_eq!(there.collect::<Vec<_>>(), named, "seed {}: left: there; right: named: {trace:#?}", self.seed);
        }
    }

    /// All has come, and all of it has arrived.
    pub fn is_over(&self) -> bool {
        let inside = self.inside();
        let cloud = self.cloud.world();
        let is_queue_empty = cloud.messages.is_empty() && cloud.hidden.is_empty();
        inside.put == self.coming().1 && is_queue_empty && inside.taken.iter().all(|times| *times > 0)
    }
}
