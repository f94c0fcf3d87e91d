//! The state over a bucket of one object, and its form.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::*;
use crate::detect::Parts;
use crate::position::{Offset, Position};

/// A bucket with room for one object, which takes what its conditions allow; while it is `away` it answers 503, and where it is
/// `mute` it takes the next one and answers so.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Object>>);

#[derive(Default)]
struct Object {
    version: u64,
    body: Vec<u8>,
    away: bool,
    mute: bool,
}

impl Fake {
    async fn serve(&self) -> String {
        let routes = get(Fake::give).put(Fake::take);
        let router = Router::new().route("/{*path}", routes).with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await });
        url
    }

    async fn give(State(fake): State<Fake>) -> Response {
        let object = fake.0.lock().unwrap();
        match object.version {
            0 => (StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>").into_response(),
            version => ([("etag", version.to_string())], object.body.clone()).into_response(),
        }
    }

    async fn take(State(fake): State<Fake>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
        let mut object = fake.0.lock().unwrap();
        if object.away {
            return (StatusCode::SERVICE_UNAVAILABLE, "<Error><Code>SlowDown</Code></Error>").into_response();
        }
        let is_free = headers.get("if-none-match").is_none() || object.version == 0;
        let is_same = headers.get("if-match").is_none_or(|etag| *etag == *object.version.to_string());
        if !is_free || !is_same {
            return (StatusCode::PRECONDITION_FAILED, "<Error><Code>PreconditionFailed</Code></Error>").into_response();
        }
        (object.version, object.body) = (object.version + 1, body.to_vec());
        if std::mem::take(&mut object.mute) {
            return (StatusCode::SERVICE_UNAVAILABLE, "<Error><Code>SlowDown</Code></Error>").into_response();
        }
        ([("etag", object.version.to_string())], "").into_response()
    }
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
        take("one", false).unwrap().commit(&commit(7), &may).unwrap();
        assert_eq!(take("one", true).unwrap().load().unwrap().round, 7);
        let two = take("two", false).unwrap();
        let refused = take("one", true).err().unwrap().to_string();
        assert_eq!(refused, "another worker has taken over the state s3://b/w/state.weir, with epoch 2");
        two.commit(&commit(8), &may).unwrap();
    });
    working.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_worker_has_taken_is_not_written_once_the_bucket_is_back() {
    let fake = Fake::default();
    let (aws, runtime) = (Aws::of_server(&fake.serve().await), Handle::current());
    let working = tokio::task::spawn_blocking(move || {
        let state = Bucket::take("s3://b/w", "one", false, &aws, runtime).unwrap();
        fake.0.lock().unwrap().away = true;
        let lost = || {
            fake.0.lock().unwrap().away = false;
            Err(Lost::Taken("kinesis:s/1".into()))
        };
        let error = state.commit(&Commit { round: 1, ..Commit::default() }, &lost).unwrap_err();
        assert!(error.is::<Lost>(), "{error:#}");
        assert_eq!(fake.0.lock().unwrap().version, 1, "only the taking over was written");
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
        let commit = |round, journal_bytes| Commit { round, journal_bytes, ..Commit::default() };
        let stands = || {
            let object = fake.0.lock().unwrap();
            (object.version, unpack(&object.body).unwrap().1.unwrap())
        };
        fake.0.lock().unwrap().mute = true;
        state.commit(&commit(1, 10), &may).unwrap();
        assert_eq!(stands(), (2, commit(1, 10)));
        // a run that had begun again was at the same round before, and was not answered
        let late = pack(1, "one", "late", Some(&commit(2, 11))).unwrap();
        let mut object = fake.0.lock().unwrap();
        (object.version, object.body) = (3, late);
        drop(object);
        state.commit(&commit(2, 20), &may).unwrap();
        assert_eq!(stands(), (4, commit(2, 20)));
        state.commit(&commit(3, 30), &may).unwrap();
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
                ..Commit::default()
            }
        };
        let commit = |made: Commit| state.commit(&made, &|| Ok(())).unwrap();
        commit(with(&[("sns", "a"), ("s3", "b")], &[(1, "one"), (2, "two")]));
        // of what rules over windows remember, parts without bytes are to be forgotten
        commit(with(&[("sns", "c")], &[(1, ""), (3, "three")]));
        commit(with(&[], &[]));
        let last = Bucket::take("s3://b/w", "two", false, &aws, runtime).unwrap().load();
        assert_eq!(last, Some(with(&[("sns", "c"), ("s3", "b")], &[(2, "two"), (3, "three")])));
    });
    working.await.unwrap();
}

#[test]
fn what_is_packed_is_unpacked() {
    let mut commit = Commit { round: 3, journal_bytes: 9, worker: "w".into(), ..Commit::default() };
    commit.detector.shared = vec![b'\n'; 100_000].into();
    commit.detector.of_rules = BTreeMap::from([(("cloudtrail/x".into(), 7), "part".into())]);
    commit.triage = b"t".to_vec();
    commit.outboxes = BTreeMap::from([("s3".into(), Vec::new()), ("sns".into(), b"o".to_vec())]);
    commit.checkpoint.advance(Position { partition: "a".into(), offset: Offset::at(5) });
    let object = pack(7, "writer", "w", Some(&commit)).unwrap();
    assert!(object.len() < 1000, "it is compressed");
    let (index, unpacked) = unpack(&object).unwrap();
    assert_eq!((index.epoch, &*index.writer, unpacked), (7, "writer", Some(commit)));
    let (index, none) = unpack(&pack(1, "writer", "w", None).unwrap()).unwrap();
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
