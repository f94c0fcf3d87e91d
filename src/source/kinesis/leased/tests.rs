//! Workers of one process that share a stream by leases, over a stream and a table in memory: whoever is killed, or stopped for long,
//! and whenever, every event comes into one archive, and into no other.

use std::ops::Range;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::*;
use crate::decode::{self, Body};
use crate::source::claims::Permit;
use crate::source::kinesis::fake::Fake;
use crate::source::kinesis::fake_h2::Secure;
use crate::source::kinesis::fake_table::{Door, FakeTable, Way};
use crate::source::kinesis::tests::{names, names_in, put};
use crate::source::kinesis::{Settings, Stream};
use crate::source::{Event, Events, queue};

const EXPIRY: Duration = Duration::from_secs(3);
/// Nothing here may take longer, however busy the machine is; what waits for the next listing of its own accord does.
const PATIENCE: Duration = Duration::from_secs(120);

/// How records are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Calls {
    GetRecords,
    /// Enhanced fan-out, over TLS and HTTP/2.
    SubscribeToShard,
}

const CALLS: [Calls; 2] = [Calls::GetRecords, Calls::SubscribeToShard];

/// A stream with the shards `shardId-1` and `shardId-2`, and a table for its leases.
struct Stage {
    fake: Fake,
    trust: Trust,
    table: FakeTable,
    calls: Calls,
    poll_ms: u64,
    /// Events in the order in which they were archived, by whomever.
    archived: Arc<Mutex<Vec<String>>>,
}

/// What of a worker is there when it has been killed.
#[derive(Default)]
struct Disk {
    name: &'static str,
    archive: Vec<String>,
    checkpoint: Checkpoint,
    /// A commit of which it is not known whether it stands: what it archives, and where it brings the worker.
    unsettled: Option<(Note, Vec<String>, Checkpoint)>,
}

impl Disk {
    /// The commit stands.
    fn stands(&mut self) {
        let (_, mut rows, checkpoint) = self.unsettled.take().unwrap();
        self.archive.append(&mut rows);
        self.checkpoint = checkpoint;
    }
}

/// A worker at work, with a pipeline that commits when the test wants it.
struct Worker {
    disk: Disk,
    /// Read since the last commit,
    read: Vec<String>,
    /// which brings it here.
    reached: Checkpoint,
    events: Events,
    committed: watch::Sender<Arc<Checkpoint>>,
    stop: CancellationToken,
    keeper: JoinHandle<()>,
    door: Door,
    archived: Arc<Mutex<Vec<String>>>,
}

async fn stage(calls: Calls) -> Stage {
    let (fake, trust) = match calls {
        Calls::GetRecords => (Fake::start().await, Trust::default()),
        Calls::SubscribeToShard => {
            let Secure { fake, trust, .. } = Secure::start(100).await;
            (fake, trust)
        }
    };
    fake.stream().shards.clear();
    let half = u128::MAX / 2;
    fake.born("shardId-1", &[], (0, half));
    fake.born("shardId-2", &[], (half + 1, u128::MAX));
    Stage { fake, trust, table: FakeTable::default(), calls, poll_ms: 20, archived: Arc::default() }
}

fn leases() -> crate::source::kinesis::Leases {
    crate::source::kinesis::Leases { table: "leases".to_owned(), expiry_seconds: EXPIRY.as_secs() }
}

fn new(name: &'static str) -> Disk {
    Disk { name, ..Disk::default() }
}

impl Stage {
    fn put(&self, shard: u32, range: Range<u32>) {
        put(&self.fake, &format!("shardId-{shard}"), range);
    }

    /// As a process does that takes up its state.
    async fn take_up(&self, disk: &mut Disk, door: &Door) {
        let Some((note, ..)) = &disk.unsettled else { return };
        let is_undone = self.undo(note, door).await;
        if is_undone {
            disk.unsettled = None;
        } else {
            disk.stands();
        }
    }

    async fn undo(&self, note: &Note, door: &Door) -> bool {
        crate::source::kinesis::undo(note, &leases(), &Aws::of_server(&door.url)).await.unwrap()
    }

    /// What is there in the end of a worker that was killed.
    async fn taken_up(&self, mut disk: Disk) -> Disk {
        self.take_up(&mut disk, &self.table.door().await).await;
        disk
    }

    async fn start(&self, mut disk: Disk) -> Worker {
        let door = self.table.door().await;
        self.take_up(&mut disk, &door).await;
        let stop = CancellationToken::new();
        let resume = Arc::new(disk.checkpoint.clone());
        let committed = watch::Sender::new(resume.clone());
        let (feed, events) = queue(decode::Options::default(), resume, committed.subscribe(), stop.clone());
        let feed = Feed { worker: disk.name.into(), ..feed };
        let fan_out = (self.calls == Calls::SubscribeToShard).then(|| "weir".to_owned());
        let settings = Settings { poll_ms: self.poll_ms, fan_out, ..Settings::default() };
        let config = Config { stream: Stream::parse("kinesis://there").unwrap(), settings };
        let leases = leases();
        let (aws, reader) = (Aws::of_server(&door.url), (self.fake.client.clone(), self.trust.clone()));
        let keeper = tokio::spawn(async move { run(config, &leases, &aws, reader, feed).await });
        let (reached, archived) = (disk.checkpoint.clone(), self.archived.clone());
        Worker { disk, read: Vec::new(), reached, events, committed, stop, keeper, door, archived }
    }

    /// An attribute of the leases, of those that have it.
    fn told(&self, attribute: &str) -> Vec<String> {
        let leases = self.table.leases().into_values();
        leases.filter_map(|lease| Some(lease.get(attribute)?["S"].as_str()?.to_owned())).collect()
    }

    /// How many shards that are not done a worker has, in whatever life of it.
    fn shares(&self, worker: &str) -> usize {
        let leases = self.table.leases().into_values();
        let is_of = |lease: &serde_json::Map<String, serde_json::Value>| {
            lease.get("leaseOwner").and_then(|owner| owner["S"].as_str()?.split('/').next()) == Some(worker)
                && lease["checkpoint"]["S"] != "SHARD_END"
        };
        leases.filter(is_of).count()
    }

    /// `a` and `b` have one shard each, and nobody has to leave one.
    fn is_shared(&self) -> bool {
        (self.shares("a"), self.shares("b")) == (1, 1) && self.told("checkpointOwner").is_empty()
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Stage) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(begun.elapsed() < PATIENCE, "{what}: {:#?}", self.table.leases());
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the table says what a worker has committed.
    async fn until_told(&self, worker: &Worker) {
        let checkpoint = worker.disk.checkpoint.clone();
        self.until("the table is told", |stage| {
            let leases = stage.table.leases();
            checkpoint.0.iter().filter_map(|(name, offset)| Some((name.split_once('/')?.1, offset))).all(
                |(shard, offset)| match offset {
                    Offset::End => leases[shard]["checkpoint"]["S"] == "SHARD_END",
                    Offset::At(at) => leases[shard].get("weirOffset").is_some_and(|told| told["S"] == **at),
                },
            )
        })
        .await;
    }

    /// Begins with a worker `a` that has both shards and has committed the events 0 to 12 of them.
    async fn begin(&self) -> Worker {
        self.put(1, 0..6);
        self.put(2, 6..12);
        let mut a = self.start(new("a")).await;
        a.take(12).await;
        a.commit().await.unwrap();
        self.until_told(&a).await;
        a
    }

    /// ... has read the events 12 to 20 and not committed them, and is asked for a shard by a worker `b`.
    async fn begin_and_ask(&self) -> (Worker, Worker) {
        let mut a = self.begin().await;
        self.put(1, 12..16);
        self.put(2, 16..20);
        a.take(8).await;
        let b = self.start(new("b")).await;
        self.until("a shard is asked for", |stage| !stage.told("checkpointOwner").is_empty()).await;
        (a, b)
    }
}

impl Worker {
    fn note(&mut self, event: Event) {
        let piece = match event {
            Event::Piece(piece) => piece,
            Event::Unreadable { name, why } | Event::Ended { name, why } => panic!("{name}: {why}"),
            Event::AlreadyRead | Event::Reached { .. } => return,
        };
        for records in piece.records {
            let Body::Json(json) = records.body else { panic!("the events are JSON") };
            self.read.extend(names_in(&json.text));
        }
        if let Some(position) = piece.position {
            self.reached.advance(position);
        }
        piece.forget.iter().for_each(|name| self.reached.forget(name));
    }

    /// Reads until so many events wait for a commit.
    async fn take(&mut self, count: usize) {
        while self.read.len() < count {
            let event = timeout(PATIENCE, self.events.next()).await.expect("something comes in time");
            self.note(event.expect("it goes on"));
        }
        assert_eq!(self.read.len(), count, "{:?}", self.read);
    }

    /// Asks, as a pipeline does before a commit, whether it may be made; `None` where there is nothing to commit.
    async fn confirm(&mut self) -> Result<Option<Arc<Permit>>, Lost> {
        while let Ok(event) = self.events.events.try_recv() {
            self.note(event);
        }
        let committed = &self.disk.checkpoint.0;
        let moved = self.reached.0.iter().filter(|(partition, offset)| committed.get(*partition) != Some(*offset));
        let position = |(partition, offset): (&Arc<str>, &Offset)| Position {
            partition: partition.clone(),
            offset: offset.clone(),
        };
        let permit = Arc::new(self.events.claims.permit(self.disk.name, moved.map(position).collect()));
        let (asked, is_news) = (permit.clone(), self.reached != self.disk.checkpoint);
        spawn_blocking(move || asked.confirm()).await.unwrap().map(|()| is_news.then_some(permit))
    }

    /// Makes the commit. Nobody has been told of it.
    fn write(&mut self, permit: &Permit) {
        let none = Note { worker: String::new(), commit: String::new() };
        let note = permit.note().cloned().unwrap_or(none);
        self.disk.unsettled = Some((note, std::mem::take(&mut self.read), self.reached.clone()));
    }

    /// The same, and has it stand.
    async fn settle(&mut self, permit: Arc<Permit>) -> Result<(), Lost> {
        self.write(&permit);
        spawn_blocking(move || permit.settle()).await.unwrap()
    }

    async fn commit(&mut self) -> Result<(), Lost> {
        if let Some(permit) = self.confirm().await? {
            self.settle(permit).await?;
            let (_, rows, _) = self.disk.unsettled.as_ref().unwrap();
            self.archived.lock().unwrap().extend(rows.iter().cloned());
            self.disk.stands();
            self.committed.send_replace(Arc::new(self.disk.checkpoint.clone()));
        }
        Ok(())
    }

    /// SIGKILL: nothing is said to anybody.
    async fn kill(self) -> Disk {
        let Worker { disk, events, keeper, committed, .. } = self;
        keeper.abort();
        drop(events);
        drop(keeper.await);
        drop(committed);
        disk
    }

    /// As at the end of a run: what was read is committed, and the leases are let go.
    async fn end(mut self) -> Disk {
        self.stop.cancel();
        while let Some(event) = timeout(PATIENCE, self.events.next()).await.expect("the readers end") {
            self.note(event);
        }
        self.commit().await.unwrap();
        let Worker { disk, keeper, committed, .. } = self;
        drop(committed);
        timeout(PATIENCE, keeper).await.expect("the leases are let go").unwrap();
        disk
    }
}

/// Has workers commit what they read, until it is so.
async fn work(workers: &mut [&mut Worker], is_so: impl Fn(&[&mut Worker]) -> bool) {
    let begun = Instant::now();
    while !is_so(workers) {
        let archives: Vec<_> = workers.iter().map(|worker| &worker.disk.archive).collect();
        assert!(begun.elapsed() < PATIENCE, "{archives:?}");
        for worker in workers.iter_mut() {
            worker.commit().await.unwrap();
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// Events by number, so that they can be compared with what was put.
fn sorted<'a>(archives: impl IntoIterator<Item = &'a Disk>) -> Vec<u32> {
    let events = archives.into_iter().flat_map(|disk| &disk.archive);
    let mut numbers: Vec<u32> = events.map(|name| name.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

#[tokio::test(flavor = "multi_thread")]
async fn what_time_may_mend_at_the_start_is_waited_for() {
    let stage = stage(Calls::GetRecords).await;
    for operation in ["DescribeStreamSummary", "ListShards"] {
        let throttled = "LimitExceededException";
        stage.fake.fault(operation, &[throttled, "InternalFailure", throttled, "InternalFailure"]);
    }
    stage.put(1, 0..2);
    let mut a = stage.start(new("a")).await;
    a.take(2).await;
    a.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_more_shards_than_one_transaction_takes_each_commit_stands_in_all_that_it_moves() {
    const SHARDS: u32 = 120;
    let mut stage = stage(Calls::GetRecords).await;
    stage.poll_ms = 1000;
    stage.fake.stream().shards.clear();
    let width = u128::MAX / u128::from(SHARDS);
    for number in 0..SHARDS {
        let first = u128::from(number) * width;
        stage.fake.born(&format!("shardId-{number}"), &[], (first, first + width - 1));
        stage.put(number, number..number + 1);
    }
    let mut a = stage.start(new("a")).await;
    let begun = Instant::now();
    let mut commits = Vec::new();
    while a.disk.archive.len() < SHARDS as usize {
        assert!(begun.elapsed() < PATIENCE, "{commits:?}");
        // until nothing more comes
        while let Ok(event) = timeout(2 * Duration::from_millis(stage.poll_ms), a.events.next()).await {
            a.note(event.expect("it goes on"));
        }
        let Some(permit) = a.confirm().await.unwrap() else { continue };
        commits.push(a.read.len());
        a.settle(permit).await.unwrap();
        // before anybody is told of it
        let leases = stage.table.leases();
        for (partition, offset) in &a.reached.0 {
            let (shard, Offset::At(at)) = (partition.split_once('/').unwrap().1, offset) else {
                panic!("none has ended")
            };
            assert_eq!(leases[shard]["weirOffset"]["S"], **at, "{shard}");
        }
        a.disk.stands();
        a.committed.send_replace(Arc::new(a.disk.checkpoint.clone()));
    }
    assert!(commits.len() > 1 && commits.iter().all(|shards| *shards <= SETTLED_MAX), "{commits:?}");
    let a = a.end().await;
    assert_eq!(sorted([&a]), (0..SHARDS).collect::<Vec<u32>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_before_the_commit_leaves_what_was_read_to_another_and_doubles_nothing() {
    for calls in CALLS {
        let stage = stage(calls).await;
        let mut a = stage.begin().await;
        stage.put(1, 12..16);
        a.take(4).await;
        let a = a.kill().await;
        let mut b = stage.start(new("b")).await;
        work(&mut [&mut b], |all| all[0].disk.archive.len() >= 4).await;
        stage.put(2, 16..20);
        work(&mut [&mut b], |all| all[0].disk.archive.len() >= 8).await;
        let b = b.end().await;
        assert_eq!((sorted([&a]), sorted([&b])), ((0..12).collect(), (12..20).collect()));
        assert!(stage.told("leaseOwner").is_empty(), "{:#?}", stage.table.leases());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_who_is_killed_behind_it_stands_once_the_leases_say_so_and_never_before() {
    for (calls, is_settled) in CALLS.into_iter().flat_map(|calls| [(calls, false), (calls, true)]) {
        let stage = stage(calls).await;
        let mut a = stage.begin().await;
        stage.put(1, 12..16);
        a.take(4).await;
        let permit = a.confirm().await.unwrap().unwrap();
        match is_settled {
            true => a.settle(permit).await.unwrap(),
            false => a.write(&permit),
        }
        let a = a.kill().await;
        let mut b = stage.start(new("b")).await;
        stage.put(1, 16..20);
        let of_b = if is_settled { 4 } else { 8 };
        work(&mut [&mut b], |all| all[0].disk.archive.len() >= of_b).await;
        // it comes back, and finds out whether its commit stands
        let mut a = stage.start(a).await;
        work(&mut [&mut a, &mut b], |_| stage.is_shared()).await;
        stage.put(1, 20..24);
        stage.put(2, 24..28);
        work(&mut [&mut a, &mut b], |all| sorted(all.iter().map(|worker| &worker.disk)).len() >= 28).await;
        let (a, b) = (a.end().await, b.end().await);
        assert_eq!(sorted([&a, &b]), Vec::from_iter(0..28), "{calls:?} {is_settled}");
        assert_eq!(a.archive.contains(&"12".to_owned()), is_settled);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_stopped_between_the_assurance_and_its_commit_has_it_undone_when_another_reads_on() {
    let stage = stage(Calls::GetRecords).await;
    let mut a = stage.begin().await;
    stage.put(1, 12..16);
    a.take(4).await;
    let permit = a.confirm().await.unwrap().unwrap();
    a.door.is(Way::Shut);
    let mut b = stage.start(new("b")).await;
    work(&mut [&mut b], |all| all[0].disk.archive.len() >= 4).await;
    a.door.is(Way::Open);
    let lost = a.settle(permit).await.unwrap_err();
    assert!(matches!(lost, Lost::Taken(_)), "{lost}");
    let (a, b) = (stage.taken_up(a.kill().await).await, b.end().await);
    assert_eq!((sorted([&a]), sorted([&b])), ((0..12).collect(), (12..16).collect()));
}

/// The next life has asked, and been told that the commit never stands.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_undone_is_not_settled_by_a_call_that_comes_late() {
    let stage = stage(Calls::GetRecords).await;
    let mut a = stage.begin().await;
    stage.put(1, 12..16);
    a.take(4).await;
    let permit = a.confirm().await.unwrap().unwrap();
    let note = permit.note().unwrap().clone();
    assert!(stage.undo(&note, &a.door).await);
    let before = stage.told("weirOffset");
    let late = tokio::spawn(async move { a.settle(permit).await.map(|()| a) });
    sleep(2 * PAUSE).await;
    assert_eq!(stage.told("weirOffset"), before);
    let mut b = stage.start(new("b")).await;
    work(&mut [&mut b], |all| all[0].disk.archive.len() >= 4).await;
    assert!(matches!(timeout(PATIENCE, late).await.unwrap().unwrap(), Err(Lost::Taken(_))));
    b.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_killed_while_asked_for_a_shard_is_waited_for_as_long_as_the_expiry() {
    for (calls, is_committed) in CALLS.into_iter().flat_map(|calls| [(calls, false), (calls, true)]) {
        let stage = stage(calls).await;
        let (mut a, mut b) = stage.begin_and_ask().await;
        if is_committed {
            // one of the shards is still its own, the other it has yet to leave
            let permit = a.confirm().await.unwrap().unwrap();
            a.settle(permit).await.unwrap();
        }
        let a = stage.taken_up(a.kill().await).await;
        stage.put(1, 20..22);
        stage.put(2, 22..24);
        let of_a: u32 = if is_committed { 20 } else { 12 };
        work(&mut [&mut b], |all| all[0].disk.archive.len() as u32 >= 24 - of_a).await;
        let b = b.end().await;
        let expected = ((0..of_a).collect(), (of_a..24).collect());
        assert_eq!((sorted([&a]), sorted([&b])), expected, "{calls:?} {is_committed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_whose_new_owner_is_killed_before_it_reads_loses_and_doubles_nothing() {
    let stage = stage(Calls::GetRecords).await;
    let (mut a, b) = stage.begin_and_ask().await;
    b.kill().await;
    // who had it commits and leaves it to nobody, and comes to have it again once the other is silent for the expiry
    work(&mut [&mut a], |_| stage.shares("a") == 2).await;
    stage.put(1, 20..22);
    stage.put(2, 22..24);
    work(&mut [&mut a], |all| all[0].disk.archive.len() >= 24).await;
    assert_eq!(sorted([&a.end().await]), Vec::from_iter(0..24));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_life_of_who_asked_for_a_shard_waits_for_who_has_yet_to_leave_it() {
    let stage = stage(Calls::GetRecords).await;
    let (mut a, b) = stage.begin_and_ask().await;
    let is_of_b = |owner: &String| owner.starts_with("b/");
    let before = stage.told("leaseOwner").into_iter().find(is_of_b).unwrap();
    // killed and started again at once, as by an update, it takes up its leases without a wait
    let mut b = stage.start(b.kill().await).await;
    stage
        .until("its new life has the lease", |stage| {
            stage.told("leaseOwner").into_iter().find(is_of_b).is_some_and(|owner| owner != before)
        })
        .await;
    a.commit().await.unwrap();
    work(&mut [&mut a, &mut b], |_| stage.is_shared()).await;
    stage.put(1, 20..22);
    stage.put(2, 22..24);
    work(&mut [&mut a, &mut b], |all| sorted(all.iter().map(|worker| &worker.disk)).len() >= 24).await;
    assert_eq!(sorted([&a.end().await, &b.end().await]), Vec::from_iter(0..24));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_lost_its_lease_commits_nothing_of_it() {
    for calls in CALLS {
        let stage = stage(calls).await;
        let mut a = stage.begin().await;
        stage.put(1, 12..16);
        a.take(4).await;
        a.door.is(Way::Shut);
        let mut b = stage.start(new("b")).await;
        work(&mut [&mut b], |all| all[0].disk.archive.len() >= 4).await;
        a.door.is(Way::Open);
        // it may have another commit under way by the time at which it learns of that
        let lost = a.commit().await.unwrap_err();
        assert!(matches!(lost, Lost::Taken(_)), "{lost}");
        // a run begins anew from the last commit, as the same worker
        let mut a = stage.start(a.kill().await).await;
        work(&mut [&mut a, &mut b], |_| stage.is_shared()).await;
        stage.put(1, 16..18);
        stage.put(2, 18..20);
        work(&mut [&mut a, &mut b], |all| sorted(all.iter().map(|worker| &worker.disk)).len() >= 20).await;
        assert_eq!(sorted([&a.end().await, &b.end().await]), Vec::from_iter(0..20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_was_lost_is_no_lost_lease() {
    let stage = stage(Calls::GetRecords).await;
    let mut a = stage.begin().await;
    stage.put(1, 12..16);
    a.take(4).await;
    a.door.is(Way::Mute);
    let opening = async {
        sleep(Duration::from_millis(700)).await;
        a.door.is(Way::Open);
    };
    let partition = "kinesis:111122223333:us-east-1:there@1500/shardId-1".into();
    let moved = vec![Position { partition, offset: a.reached.0.values().next().unwrap().clone() }];
    let permit = a.events.claims.permit("a", moved);
    let asking = spawn_blocking(move || permit.confirm().and_then(|()| permit.settle()));
    let (settled, ()) = tokio::join!(asking, opening);
    settled.unwrap().unwrap();
    a.commit().await.unwrap();
    assert_eq!(sorted([&a.end().await]), Vec::from_iter(0..16));
}

#[tokio::test(flavor = "multi_thread")]
async fn parents_come_before_children_whoever_reads_them_through_splits_and_a_merge() {
    for calls in CALLS {
        let stage = stage(calls).await;
        let mut a = stage.begin().await;
        let mut b = stage.start(new("b")).await;
        work(&mut [&mut a, &mut b], |_| stage.is_shared()).await;
        let (quarter, half) = (u128::MAX / 4, u128::MAX / 2);
        stage.put(1, 12..14);
        stage.fake.born("shardId-3", &["shardId-1"], (0, quarter));
        stage.fake.born("shardId-4", &["shardId-1"], (quarter + 1, half));
        stage.put(3, 14..16);
        stage.put(4, 16..18);
        stage.put(2, 18..20);
        stage.fake.born("shardId-5", &["shardId-4", "shardId-2"], (quarter + 1, u128::MAX));
        stage.put(5, 20..26);
        work(&mut [&mut a, &mut b], |all| sorted(all.iter().map(|worker| &worker.disk)).len() >= 26).await;
        stage.put(3, 26..28);
        work(&mut [&mut a, &mut b], |all| sorted(all.iter().map(|worker| &worker.disk)).len() >= 28).await;
        let ended = [a.end().await, b.end().await];
        assert_eq!(sorted(&ended), Vec::from_iter(0..28), "{calls:?}");
        let archived = stage.archived.lock().unwrap().clone();
        let places = |range| {
            let of = |name: String| archived.iter().position(|known| *known == name).unwrap();
            names(range).into_iter().map(of).collect::<Vec<usize>>()
        };
        for (parent, child) in [(12..14, 14..16), (12..14, 16..18), (16..18, 20..26), (18..20, 20..26)] {
            let (last, first) = (places(parent.clone()), places(child.clone()));
            assert!(last.iter().max() < first.iter().min(), "{parent:?} before {child:?}: {archived:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_left_the_stream_before_it_was_read_to_its_end_holds_up_no_child() {
    for calls in CALLS {
        let stage = stage(calls).await;
        let a = stage.begin().await;
        let a = a.kill().await;
        // nobody reads for longer than the stream keeps records, and meanwhile it was split
        stage.fake.born("shardId-3", &["shardId-1"], (0, u128::MAX / 2));
        stage.put(3, 12..16);
        stage.fake.stream().shards.remove("shardId-1");
        let trimmed = METRICS.kinesis_trimmed.with_label_values(&[] as &[&str]);
        let before = trimmed.get();
        let mut b = stage.start(new("b")).await;
        work(&mut [&mut b], |all| all[0].disk.archive.len() >= 4).await;
        assert!(trimmed.get() > before, "that records may be lost is counted");
        let b = b.end().await;
        assert_eq!(sorted([&a, &b]), Vec::from_iter(0..16));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_stream_that_is_made_again_every_record_comes_whoever_reads_it() {
    for calls in CALLS {
        let stage = stage(calls).await;
        let mut a = stage.begin().await;
        let mut b = stage.start(new("b")).await;
        work(&mut [&mut a, &mut b], |_| stage.is_shared()).await;
        // what was read of the one that is gone is still to be committed, and sequence numbers begin anew
        stage.put(1, 12..14);
        stage.put(2, 14..16);
        while a.read.len() + b.read.len() < 4 {
            tokio::select! {
                event = a.events.next() => a.note(event.unwrap()),
                event = b.events.next() => b.note(event.unwrap()),
            }
        }
        stage.fake.remade();
        put(&stage.fake, "shardId-0", 16..26);
        work(&mut [&mut a, &mut b], |all| sorted(all.iter().map(|worker| &worker.disk)).len() >= 26).await;
        put(&stage.fake, "shardId-0", 26..28);
        // one worker may have read all of it before the other has come to it: who is stopped then keeps its positions of the first
        let is_of_the_first = |name: &Arc<str>| name.contains("@1500");
        let has_come = |worker: &&mut Worker| !worker.disk.checkpoint.0.keys().any(is_of_the_first);
        work(&mut [&mut a, &mut b], |all| {
            sorted(all.iter().map(|worker| &worker.disk)).len() >= 28 && all.iter().all(has_come)
        })
        .await;
        let ended = [a.end().await, b.end().await];
        assert_eq!(sorted(&ended), Vec::from_iter(0..28), "{calls:?}");
        for disk in &ended {
            assert!(!disk.checkpoint.0.keys().any(is_of_the_first), "{calls:?} {}", disk.name);
        }
    }
}
