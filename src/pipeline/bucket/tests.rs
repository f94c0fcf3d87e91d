//! The state over a bucket, and its form.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::layout::Index;
use super::*;
use crate::detect::Parts;
use crate::mark::Mark;
use crate::position::{Offset, Position};
use crate::wait::simulated::Dice;

/// A bucket that takes what its conditions allow; while it is `away` it answers 503, and where it is `mute` it takes the next
/// object and answers so. Of one that is `stuck` nobody hears anything, and the next object that a `guarded` one is given a page of a login
/// answers for.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<World>>);

#[derive(Default)]
struct World {
    /// By key, with the number of the write.
    objects: BTreeMap<String, (u64, Vec<u8>)>,
    writes: u64,
    away: bool,
    mute: bool,
    stuck: bool,
    guarded: bool,
    /// No object may be written whose key has this in it.
    forbidden: Option<&'static str>,
    /// Calls until the process that makes them is dead; its last is made or not.
    calls_left: Option<u64>,
    last_is_made: bool,
    /// Key and bytes of what was put, and keys of what was got.
    put: Vec<(String, usize)>,
    got: Vec<String>,
}

fn refusal(status: StatusCode, code: &str) -> Response {
    (status, format!("<Error><Code>{code}</Code></Error>")).into_response()
}

impl Fake {
    async fn serve(&self) -> String {
        let router = Router::new().fallback(Fake::answer).with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await });
        url
    }

    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// Writes of the head, and its bytes.
    fn head(&self) -> (u64, Vec<u8>) {
        self.world().objects.get("b/w/state.weir").cloned().unwrap_or_default()
    }

    async fn answer(State(fake): State<Fake>, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        if fake.world().stuck {
            return std::future::pending().await;
        }
        let mut world = fake.world();
        match world.calls_left {
            Some(0) => return refusal(StatusCode::BAD_REQUEST, "Dead"),
            Some(1) if !world.last_is_made => {
                world.calls_left = Some(0);
                return refusal(StatusCode::BAD_REQUEST, "Dead");
            }
            Some(left) => world.calls_left = Some(left - 1),
            None => {}
        }
        let answer = world.made(&head, &body);
        if world.calls_left == Some(0) { refusal(StatusCode::BAD_REQUEST, "Dead") } else { answer }
    }
}

impl World {
    fn made(&mut self, head: &axum::http::request::Parts, body: &[u8]) -> Response {
        let key = head.uri.path().trim_start_matches('/').to_owned();
        let version = self.objects.get(&key).map_or(0, |(version, _)| *version);
        match head.method {
            Method::GET if head.uri.query().is_some_and(|query| query.contains("list-type")) => {
                let keys = self.objects.keys().filter(|key| key.starts_with("b/w/state.parts/"));
                let keys: String = keys.map(|key| format!("<Contents><Key>{}</Key></Contents>", &key[2..])).collect();
                format!("<ListBucketResult>{keys}</ListBucketResult>").into_response()
            }
            Method::GET => {
                self.got.push(key.clone());
                match self.objects.get(&key) {
                    None => refusal(StatusCode::NOT_FOUND, "NoSuchKey"),
                    Some((version, body)) => ([("etag", version.to_string())], body.clone()).into_response(),
                }
            }
            Method::DELETE => {
                self.objects.remove(&key);
                StatusCode::NO_CONTENT.into_response()
            }
            _ if self.away => refusal(StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
            _ if std::mem::take(&mut self.guarded) => "<html>Log in</html>".into_response(),
            _ if self.forbidden.is_some_and(|part| key.contains(part)) => {
                refusal(StatusCode::FORBIDDEN, "AccessDenied")
            }
            _ => {
                let is_free = head.headers.get("if-none-match").is_none() || version == 0;
                let is_same = head.headers.get("if-match").is_none_or(|etag| *etag == *version.to_string());
                if !is_free || !is_same {
                    return refusal(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
                }
                self.writes += 1;
                self.objects.insert(key.clone(), (self.writes, body.to_vec()));
                self.put.push((key, body.len()));
                if std::mem::take(&mut self.mute) {
                    return refusal(StatusCode::SERVICE_UNAVAILABLE, "SlowDown");
                }
                ([("etag", self.writes.to_string())], "").into_response()
            }
        }
    }
}

/// All in the head, as before there were packs.
fn pack(epoch: u64, writer: &str, write: &str, commit: Option<&Commit>) -> Vec<u8> {
    let none = Commit::default();
    let values = commit.unwrap_or(&none);
    Kept::default().next(values, values).head(epoch, writer, write, commit).unwrap()
}

fn unpack(object: &[u8]) -> anyhow::Result<(Index, Option<Commit>)> {
    let Head { mut index, values, .. } = layout::read_head(object)?;
    let commit = layout::commit_of(&mut index, values)?;
    Ok((index, commit))
}

/// A worker goes on by itself after a shard was taken from it; it must not take its state back from who has it by then.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_taken_again_only_by_who_still_has_it() {
    let fake = Fake::default();
    let (aws, runtime) = (Aws::of_server(&fake.serve().await), Handle::current());
    let working = tokio::task::spawn_blocking(move || {
        let take = |writer: &str, again| Bucket::take("s3://b/w", writer, again, &aws, runtime.clone());
        let may = || Ok(());
        let commit = |round| Commit { round, ..Commit::default() };
        take("one", false).unwrap().commit(&commit(7), None, &may).unwrap();
        assert_eq!(take("one", true).unwrap().load().unwrap().round, 7);
        let two = take("two", false).unwrap();
        let refused = take("one", true).err().unwrap().to_string();
        assert_eq!(refused, "another worker has taken over the state s3://b/w/state.weir, with epoch 2");
        two.commit(&commit(8), None, &may).unwrap();
    });
    working.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_worker_has_taken_is_not_written_once_the_bucket_is_back() {
    let fake = Fake::default();
    let (aws, runtime) = (Aws::of_server(&fake.serve().await), Handle::current());
    let working = tokio::task::spawn_blocking(move || {
        let state = Bucket::take("s3://b/w", "one", false, &aws, runtime).unwrap();
        fake.world().away = true;
        let lost = || {
            fake.world().away = false;
            Err(Lost::Taken("kinesis:s/1".into()))
        };
        let error = state.commit(&Commit { round: 1, ..Commit::default() }, None, &lost).unwrap_err();
        assert!(error.is::<Lost>(), "{error:#}");
        assert_eq!(fake.head().0, 1, "only the taking over was written");
    });
    working.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_a_commit_does_not_wait_for_s3_without_end() {
    let fake = Fake::default();
    let (aws, runtime) = (Aws::of_server(&fake.serve().await), Handle::current());
    let working = tokio::task::spawn_blocking(move || {
        let mut state = Bucket::take("s3://b/w", "one", false, &aws, runtime).unwrap();
        fake.world().away = true;
        state.told_to_stop = || Some(STOP_WAIT);
        let error = state.commit(&Commit { round: 1, ..Commit::default() }, None, &|| Ok(())).unwrap_err();
        assert!(error.to_string().starts_with("told to stop"), "{error:#}");
        assert_eq!(fake.head().0, 1, "only the taking over was written");
    });
    working.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_an_s3_that_does_not_answer_is_not_waited_for() {
    let fake = Fake::default();
    let (aws, runtime) = (Aws::of_server(&fake.serve().await), Handle::current());
    let working = tokio::task::spawn_blocking(move || {
        let mut state = Bucket::take("s3://b/w", "one", false, &aws, runtime).unwrap();
        fake.world().stuck = true;
        state.told_to_stop = || Some(STOP_WAIT);
        let begun = now();
        let error = state.commit(&Commit { round: 1, ..Commit::default() }, None, &|| Ok(())).unwrap_err();
        assert!(error.to_string().starts_with("told to stop"), "{error:#}");
        // AWS's client waits for half a minute, and then asks again
        assert!(now() - begun < 2 * STOP_WAIT);
    });
    working.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_a_page_of_a_login_answers_for_is_made_again() {
    let fake = Fake::default();
    let (aws, runtime) = (Aws::of_server(&fake.serve().await), Handle::current());
    let working = tokio::task::spawn_blocking(move || {
        let state = Bucket::take("s3://b/w", "one", false, &aws, runtime).unwrap();
        fake.world().guarded = true;
        state.commit(&Commit { round: 7, ..Commit::default() }, None, &|| Ok(())).unwrap();
        assert!(!fake.world().guarded);
        assert_eq!(unpack(&fake.head().1).unwrap().1.map(|commit| commit.round), Some(7));
    });
    working.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_was_lost_is_made_once_and_one_that_comes_late_is_replaced() {
    let fake = Fake::default();
    let (aws, runtime) = (Aws::of_server(&fake.serve().await), Handle::current());
    let working = tokio::task::spawn_blocking(move || {
        let state = Bucket::take("s3://b/w", "one", false, &aws, runtime).unwrap();
        let may = || Ok(());
        let commit = |round, bytes| Commit { round, journal: Mark { bytes, ..Mark::default() }, ..Commit::default() };
        let stands = || {
            let (version, body) = fake.head();
            (version, unpack(&body).unwrap().1.unwrap())
        };
        fake.world().mute = true;
        state.commit(&commit(1, 10), None, &may).unwrap();
        assert_eq!(stands(), (2, commit(1, 10)));
        // a run that had begun again was at the same round before, and was not answered
        let late = pack(1, "one", "late", Some(&commit(2, 11)));
        let mut world = fake.world();
        world.writes += 1;
        let version = world.writes;
        world.objects.insert("b/w/state.weir".to_owned(), (version, late));
        drop(world);
        state.commit(&commit(2, 20), None, &may).unwrap();
        assert_eq!(stands(), (4, commit(2, 20)));
        state.commit(&commit(3, 30), None, &may).unwrap();
        assert_eq!(stands(), (5, commit(3, 30)));
    });
    working.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_commit_does_not_name_stays_as_it_is() {
    let fake = Fake::default();
    let (aws, runtime) = (Aws::of_server(&fake.serve().await), Handle::current());
    let working = tokio::task::spawn_blocking(move || {
        let state = Bucket::take("s3://b/w", "one", false, &aws, runtime.clone()).unwrap();
        let with = |outboxes: &[(&str, &str)], parts: &[(u64, &'static str)]| {
            let outboxes = outboxes.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
            let of_rules = parts.iter().map(|(number, part)| (("a/x".to_owned(), *number), (*part).into()));
            Commit {
                outboxes: outboxes.collect(),
                detector: Parts { shared: "d".into(), of_rules: of_rules.collect() },
                seen: parts.iter().map(|(number, part)| (*number, (*part).into())).collect(),
                ..Commit::default()
            }
        };
        let commit = |made: Commit| state.commit(&made, None, &|| Ok(())).unwrap();
        commit(with(&[("sns", "a"), ("s3", "b")], &[(1, "one"), (2, "two")]));
        // of what rules over windows remember, parts without bytes are to be forgotten
        commit(with(&[("sns", "c")], &[(1, ""), (3, "three")]));
        commit(with(&[], &[]));
        let last = Bucket::take("s3://b/w", "two", false, &aws, runtime).unwrap().load();
        assert_eq!(last, Some(with(&[("sns", "c"), ("s3", "b")], &[(2, "two"), (3, "three")])));
    });
    working.await.unwrap();
}

/// Bytes that do not pack.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut dice = Dice(seed);
    (0..length).map(|_| dice.roll(256) as u8).collect()
}

/// Commits as a detector makes them: one part more in each, in place of the oldest of so many; the first have several.
fn commits(count: u64, parts: u64) -> Vec<Commit> {
    let commit = |round: u64| {
        let part = |number: u64| (("a/x".to_owned(), number), noise(number, 100).into());
        let mut of_rules: BTreeMap<_, _> = match round {
            1 => (1..=parts).map(part).collect(),
            _ => BTreeMap::from([part(parts + round - 1), (("a/x".to_owned(), round - 1), "".into())]),
        };
        of_rules.insert(("a/x".to_owned(), 0), noise(round, 20).into());
        Commit {
            round,
            // of 7 rounds one changes it
            triage: noise(round / 7, 300),
            outboxes: BTreeMap::from([("sns".to_owned(), noise(round / 5, 50))]),
            detector: Parts { shared: noise(round, 30).into(), of_rules },
            ..Commit::default()
        }
    };
    (1..=count).map(commit).collect()
}

/// What all of them together come to.
fn together(commits: &[Commit]) -> Option<Commit> {
    let mut whole = commits.last()?.clone();
    whole.detector = Parts::default();
    commits.iter().for_each(|commit| whole.detector.take(commit.detector.clone()));
    Some(whole)
}

/// Until what is removed without anybody waiting for it is gone: what is there then, besides the head.
fn packs_there(fake: &Fake) -> Vec<String> {
    let keys = || fake.world().objects.keys().filter(|key| key.contains("parts")).cloned().collect::<Vec<_>>();
    let named = || packs_of(&fake.head().1).iter().map(|name| format!("b/w/{PACKS}{name}")).collect::<Vec<_>>();
    for _ in 0..1000 {
        if keys().len() == named().len() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(keys(), named(), "left: there; right: named by the head");
    keys()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_writes_what_changed_and_little_else_and_nearly_all_are_one_request() {
    let fake = Fake::default();
    let (aws, runtime) = (Aws::of_server(&fake.serve().await), Handle::current());
    let working = tokio::task::spawn_blocking(move || {
        let take = |writer: &str| Bucket::take("s3://b/w", writer, false, &aws, runtime.clone()).unwrap();
        let (state, commits) = (take("one"), commits(200, 60));
        let commit = |one: &Commit| {
            let before = fake.world().put.len();
            state.commit(one, None, &|| Ok(())).unwrap();
            let put: Vec<(String, usize)> = fake.world().put[before..].to_vec();
            assert_eq!(put.iter().filter(|(key, _)| key == "b/w/state.weir").count(), 1, "{put:?}");
            put
        };
        let first = commit(&commits[0]);
        assert!(first.len() == 1 && first[0].1 > 6000, "all of it changed: {first:?}");
        let rest: Vec<(String, usize)> = commits[1..].iter().flat_map(commit).collect();
        let packs = packs_there(&fake);
        // 200 times all of it would be 1.3 MB
        let bytes: usize = rest.iter().map(|(_, bytes)| bytes).sum();
        println!("{} requests for 199 commits, {bytes} bytes; {} packs stay", rest.len(), packs.len());
        assert!(bytes < 199 * 2000, "{bytes} bytes");
        assert!(rest.len() < 199 + 199 / 3, "{} requests", rest.len());
        assert!((1..40).contains(&packs.len()), "{packs:?}");
        // where nothing changed there is one request, of less than what may be there again
        let same = Commit { round: 201, detector: Parts::default(), ..commits[199].clone() };
        let same = Commit { detector: Parts { shared: commits[199].detector.shared.clone(), ..same.detector }, ..same };
        commit(&same);
        let last = commit(&Commit { round: 202, ..same.clone() });
        assert!(last.len() == 1 && last[0].1 < 2500, "{last:?}");
        let expected = Commit { round: 202, ..together(&commits).unwrap() };
        let two = take("two");
        assert_eq!(two.load(), Some(expected.clone()));
        packs_there(&fake);
        two.commit(&Commit { round: 203, ..same }, None, &|| Ok(())).unwrap();
        assert_eq!(take("three").load(), Some(Commit { round: 203, ..expected }));
        // who has the state of before is refused, and leaves nothing
        state.commit(&commits[0], None, &|| Ok(())).unwrap_err();
        packs_there(&fake);
    });
    working.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_call_is_the_last_of_a_worker_the_next_goes_on_from_a_commit_and_nothing_is_left_over() {
    let fake = Fake::default();
    let (aws, runtime) = (Aws::of_server(&fake.serve().await), Handle::current());
    let working = tokio::task::spawn_blocking(move || {
        let commits = commits(12, 20);
        let mut lives = 0;
        for (calls, last_is_made) in (0..).flat_map(|calls| [(calls, false), (calls, true)]) {
            *fake.world() = World { calls_left: Some(calls), last_is_made, ..World::default() };
            let take = |writer: &str| Bucket::take("s3://b/w", writer, false, &aws, runtime.clone());
            let (mut made, mut tried) = (0, 0);
            if let Ok(state) = take("one") {
                for commit in &commits {
                    tried += 1;
                    if state.commit(commit, None, &|| Ok(())).is_err() {
                        break;
                    }
                    made = tried;
                }
            }
            // what it removes without waiting for it may come after its end, and counts too
            let is_whole = made == commits.len() && fake.world().calls_left != Some(0);
            fake.world().calls_left = None;
            let two = take("two").unwrap();
            let found = two.load();
            let known = [made, tried].map(|count| together(&commits[..count]));
            assert!(known.contains(&found), "{calls} {last_is_made}: {made} made, {tried} tried, found {found:?}");
            packs_there(&fake);
            let next = Commit { round: 99, ..commits[11].clone() };
            two.commit(&next, None, &|| Ok(())).unwrap();
            let mut expected = found.map(|found| found.detector).unwrap_or_default();
            expected.take(next.detector.clone());
            assert_eq!(take("three").unwrap().load(), Some(Commit { detector: expected, ..next }));
            packs_there(&fake);
            lives += 1;
            if is_whole {
                break;
            }
        }
        println!("{lives} lives");
        assert!(lives > 30, "{lives}");
    });
    working.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_a_state_can_go_back_or_on_from_a_commit_with_a_note_and_nothing_is_left_over() {
    let fake = Fake::default();
    let (aws, runtime) = (Aws::of_server(&fake.serve().await), Handle::current());
    let working = tokio::task::spawn_blocking(move || {
        let mut dice = Dice(7);
        let take = |writer: &str, again| Bucket::take("s3://b/w", writer, again, &aws, runtime.clone()).unwrap();
        let mut made = Vec::new();
        let (mut writer, mut state) = ("0".to_owned(), take("0", false));
        for (number, commit) in commits(60, 20).into_iter().enumerate() {
            let note = Note { worker: "w".to_owned(), commit: number.to_string() };
            let note = Some(note).filter(|_| dice.roll(6) > 0);
            state.commit(&commit, note.as_ref(), &|| Ok(())).unwrap();
            made.push(commit);
            let before = state;
            let again = dice.roll(2) == 0;
            if !again {
                writer = format!("after {number}");
            }
            state = take(&writer, again);
            assert_eq!((state.unsettled(), state.load()), (note.clone(), together(&made)), "{number}");
            let found = dice.roll(3);
            match found {
                0 => {
                    state.undo().unwrap();
                    made.truncate(made.len() - usize::from(note.is_some()));
                    // whose commit it was, elsewhere, commits no more
                    assert!(again || before.commit(&Commit::default(), None, &|| Ok(())).is_err());
                }
                1 => state.stand().unwrap(),
                _ => {}
            }
            if found < 2 {
                // whoever finds it next has nothing to find out
                state = take(&writer, true);
                assert_eq!((state.unsettled(), state.load()), (None, together(&made)), "{number}");
            }
            packs_there(&fake);
        }
    });
    working.await.unwrap();
}

/// As a policy of before there were packs has it.
#[tokio::test(flavor = "multi_thread")]
async fn where_packs_may_not_be_written_all_is_in_the_head() {
    let fake = Fake::default();
    fake.world().forbidden = Some(PACKS);
    let (aws, runtime) = (Aws::of_server(&fake.serve().await), Handle::current());
    let working = tokio::task::spawn_blocking(move || {
        let take = |writer: &str| Bucket::take("s3://b/w", writer, false, &aws, runtime.clone()).unwrap();
        let (state, commits) = (take("one"), commits(8, 20));
        commits.iter().for_each(|commit| state.commit(commit, None, &|| Ok(())).unwrap());
        assert_eq!(unpack(&fake.head().1).unwrap().1, together(&commits));
        fake.world().forbidden = None;
        // it was told once, and does not ask with each commit
        state.commit(&commits[7], None, &|| Ok(())).unwrap();
        assert!(packs_of(&fake.head().1).is_empty());
        let two = take("two");
        two.commit(&commits[7], None, &|| Ok(())).unwrap();
        assert!(!packs_there(&fake).is_empty());
        assert_eq!(take("three").load(), together(&commits));
    });
    working.await.unwrap();
}

/// A pack stays while at least half of it holds.
#[test]
fn a_pack_of_which_little_holds_is_taken_apart() {
    let commit = |changed: u64| {
        let part =
            |number: u64| (("a/x".to_owned(), number), noise(number + 100 * u64::from(number < changed), 100).into());
        Commit { detector: Parts { shared: "".into(), of_rules: (0..10).map(part).collect() }, ..Commit::default() }
    };
    let whole = commit(0);
    let written = Kept::default().next(&whole, &whole).kept();
    let mut layout = written.next(&whole, &whole);
    assert!(layout.wants_pack());
    layout.is_packed("1-0123456789abcdef".to_owned());
    let packed = layout.kept();
    for (changed, packs) in [(0, 1), (5, 1), (6, 0)] {
        let next = commit(changed);
        let layout = packed.next(&next, &next);
        let head = layout.head(1, "one", "", Some(&next)).unwrap();
        assert_eq!((packs_of(&head).len(), layout.kept().packs.len()), (packs, packs), "{changed}");
    }
}

/// Who only looks, between two commits of who has it.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_whose_packs_are_removed_while_it_is_read_is_read_again() {
    let fake = Fake::default();
    let (aws, runtime) = (Aws::of_server(&fake.serve().await), Handle::current());
    let working = tokio::task::spawn_blocking(move || {
        let state = Bucket::take("s3://b/w", "one", false, &aws, runtime.clone()).unwrap();
        let commits = commits(200, 20);
        std::thread::scope(|scope| {
            let writing =
                scope.spawn(|| commits.iter().for_each(|commit| state.commit(commit, None, &|| Ok(())).unwrap()));
            while !writing.is_finished() {
                if let Some(found) = peek("s3://b/w", &aws, runtime.clone()).unwrap() {
                    assert_eq!(Some(&found), together(&commits[..found.round as usize]).as_ref());
                }
            }
        });
        // one that stays away is told of
        let key = packs_there(&fake)[0].clone();
        fake.world().objects.remove(&key);
        let error = format!("{:#}", peek("s3://b/w", &aws, runtime).unwrap_err());
        assert!(error.starts_with("reading the state s3://b/w/state.weir: its part "), "{error}");
    });
    working.await.unwrap();
}

#[test]
fn what_is_packed_is_unpacked() {
    let mut commit =
        Commit { round: 3, journal: Mark { bytes: 9, ..Mark::default() }, worker: "w".into(), ..Commit::default() };
    commit.detector.shared = vec![b'\n'; 100_000].into();
    commit.detector.of_rules = BTreeMap::from([(("cloudtrail/x".into(), 7), "part".into())]);
    commit.triage = b"t".to_vec();
    commit.outboxes = BTreeMap::from([("s3".into(), Vec::new()), ("sns".into(), b"o".to_vec())]);
    commit.checkpoint.advance(Position { partition: "a".into(), offset: Offset::at(5) });
    let object = pack(7, "writer", "w", Some(&commit));
    assert!(object.len() < 1000, "it is compressed");
    let (index, unpacked) = unpack(&object).unwrap();
    assert_eq!((index.epoch, &*index.writer, unpacked), (7, "writer", Some(commit)));
    let (index, none) = unpack(&pack(1, "writer", "w", None)).unwrap();
    assert_eq!((index.epoch, none), (1, None));
    assert!(unpack(b"PK").is_err() && unpack(&object[..object.len() / 2]).is_err());
}

#[test]
fn an_address_names_a_bucket_and_perhaps_a_prefix() {
    let of = |text| address(text).ok();
    assert_eq!(of("s3://b/a/c/"), Some(("b".into(), "a/c/state.weir".into())));
    assert_eq!(of("s3://b"), Some(("b".into(), "state.weir".into())));
    assert_eq!((of("/tmp/state"), of("s3:///a")), (None, None));
}
