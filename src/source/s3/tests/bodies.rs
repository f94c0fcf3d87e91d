//! The content of one object, whatever the connection does.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::body::{Body, Patience};
use super::super::bucket::Buckets;
use super::*;
use crate::aws::Trouble;

const PATIENCE: Patience = Patience { stall: Duration::from_millis(300), tries_max: 4 };

async fn open(fake: &Fake, key: &str) -> Result<Body, Trouble> {
    let buckets = Buckets::new(&Aws::of_server(&fake.url)).await.unwrap();
    Body::open(&buckets, "bucket", key, PATIENCE).await
}

/// Content in which every place differs.
fn content(bytes: usize) -> Vec<u8> {
    (0..bytes as u32 / 4 + 1).flat_map(u32::to_le_bytes).take(bytes).collect()
}

#[tokio::test]
async fn a_body_that_breaks_again_and_again_comes_whole_and_once() {
    let fake = Fake::start().await;
    let all = content(100_000);
    fake.put("bucket", "key", all.clone());
    fake.fault(
        "bucket/key",
        [Fault::Cut(10_000), Fault::Stall(5_000), Fault::Refuse(503, "SlowDown", "slow"), Fault::Cut(0)],
    );
    let body = timeout(SOON, open(&fake, "key")).await.unwrap().unwrap();
    assert_eq!(body.length, 100_000);
    assert_eq!(timeout(SOON, body.whole(0)).await.unwrap().unwrap(), all);
    let behind = ["", " bytes=10000-", " bytes=15000-", " bytes=15000-", " bytes=15000-"];
    assert_eq!(fake.asked("GET"), behind.map(|range| format!("GET bucket/key{range}")));
}

#[tokio::test]
async fn a_body_is_given_up_after_tries_without_progress() {
    let fake = Fake::start().await;
    fake.put("bucket", "key", content(1000));
    fake.fault("bucket/key", vec![Fault::Cut(0); 9]);
    let body = open(&fake, "key").await.unwrap();
    let trouble = timeout(SOON, body.whole(0)).await.unwrap().unwrap_err();
    assert!(trouble.to_string().starts_with("the connection broke"), "{trouble}");
    assert!(trouble.may_pass());
    assert_eq!(fake.asked("GET").len(), 4);
}

#[tokio::test]
async fn an_object_that_is_replaced_while_it_is_read_is_not_glued_together() {
    let fake = Fake::start().await;
    fake.put("bucket", "key", content(100_000));
    fake.fault("bucket/key", [Fault::Cut(10_000)]);
    let mut body = open(&fake, "key").await.unwrap();
    let first = body.next().await.unwrap().unwrap();
    fake.put("bucket", "key", content(90_000));
    let error = loop {
        match body.next().await {
            Ok(chunk) => assert!(chunk.is_some(), "it ended behind {}", first.len()),
            Err(error) => break error,
        }
    };
    assert_eq!(error.to_string(), "it was replaced while it was read");
}

#[tokio::test]
async fn a_slow_reader_is_no_broken_connection() {
    let fake = Fake::start().await;
    let all = content(8 << 20);
    fake.put("bucket", "key", all.clone());
    let read = Arc::new(AtomicU64::new(0));
    let (pump, mut stream) = open(&fake, "key").await.unwrap().stream(read.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let mut got = vec![0; 1 << 20];
        stream.read_exact(&mut got).unwrap();
        // more than twice what a silent connection gets, and more than waits in sockets
        std::thread::sleep(PATIENCE.stall * 3);
        stream.read_to_end(&mut got).unwrap();
        got
    });
    let (pumped, got) = timeout(SOON, async { tokio::join!(pump, reading) }).await.unwrap();
    pumped.unwrap();
    assert!(got.unwrap() == all);
    assert_eq!(read.load(Ordering::Relaxed), 8 << 20);
    assert_eq!(fake.asked("GET"), ["GET bucket/key"]);
}

#[tokio::test]
async fn what_is_wrong_with_an_object_is_said_and_what_to_do() {
    let fake = Fake::start().await;
    let kms = "User: arn:aws:sts::1:assumed-role/weir/w is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:1:key/k";
    for (fault, expected) in [
        (
            Fault::Refuse(403, "AccessDenied", kms),
            "it is encrypted with a KMS key that cannot be used: access denied: User: arn:aws:sts::1:assumed-role/weir/w is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:1:key/k; allow kms:Decrypt on the key, in its policy too",
        ),
        (
            Fault::Refuse(400, "KMS.DisabledException", "arn:aws:kms:eu-west-1:1:key/k is disabled."),
            "it is encrypted with a KMS key that cannot be used: KMS.DisabledException: arn:aws:kms:eu-west-1:1:key/k is disabled; allow kms:Decrypt on the key, in its policy too",
        ),
        (
            Fault::Refuse(403, "InvalidObjectState", "The operation is not valid for the object's storage class"),
            "it is archived (Glacier, Deep Archive or an archive tier): restore it, then read it again",
        ),
        (
            Fault::Refuse(404, "NoSuchKey", "The specified key does not exist."),
            "there is no such object: it was deleted, or never there",
        ),
        (Fault::Refuse(404, "NoSuchBucket", "The specified bucket does not exist"), "there is no such bucket"),
        (
            Fault::Refuse(403, "AccessDenied", "Access Denied"),
            "access denied: allow s3:GetObject to the role Weir runs as, and look at the policy of the resource; without s3:ListBucket, S3 says the same of an object that is not there",
        ),
    ] {
        fake.fault("bucket/key", [fault]);
        let Err(trouble) = open(&fake, "key").await else { panic!("{expected}") };
        assert_eq!(trouble.to_string(), expected);
        assert!(!trouble.may_pass(), "{trouble}");
    }
}

#[tokio::test]
async fn a_bucket_of_another_account_than_was_expected_is_said_to_be_one() {
    let fake = Fake::start().await;
    for (bucket, owner) in [("ours", "111122223333"), ("central", "444455556666"), ("squatted", "999999999999")] {
        fake.put(bucket, "key", "x");
        fake.world().owners.insert(bucket.to_owned(), owner);
    }
    let aws = Aws::of_server(&fake.url)
        .with_buckets("expected_bucket_owner = '111122223333'\n[bucket_owners]\ncentral = '444455556666'\n");
    let buckets = Buckets::new(&aws).await.unwrap();
    for bucket in ["ours", "central"] {
        assert!(buckets.get(bucket, "key", None).await.is_ok(), "{bucket}");
        assert!(buckets.list(bucket, "", None, None).await.is_ok(), "{bucket}");
    }
    let not_ours = |action| {
        format!(
            "access denied: the bucket does not belong to account 111122223333, as [aws.s3] says (expected_bucket_owner, bucket_owners), \
             or {action} is not allowed to the role Weir runs as, or by the policy of the bucket"
        )
    };
    let got = buckets.get("squatted", "key", None).await.unwrap_err().to_string();
    assert!(got.starts_with(&not_ours("s3:GetObject")), "{got}");
    assert_eq!(buckets.list("squatted", "", None, None).await.unwrap_err().to_string(), not_ours("s3:ListBucket"));
    // S3 says more where it is no other's
    let policy = "User: arn:aws:sts::1:assumed-role/weir/w is not authorized to perform: s3:GetObject";
    fake.fault("ours/key", [Fault::Refuse(403, "AccessDenied", policy)]);
    let got = buckets.get("ours", "key", None).await.unwrap_err().to_string();
    assert_eq!(got, format!("access denied: {policy}"));
}

#[tokio::test]
async fn a_bucket_in_another_region_is_asked_there() {
    let fake = Fake::start().await;
    fake.put("bucket", "key", "x");
    fake.fault("bucket/key", vec![Fault::Elsewhere("eu-west-1"); 3]);
    let buckets = Buckets::new(&Aws::of_server(&fake.url)).await.unwrap();
    for _ in 0..2 {
        let body = Body::open(&buckets, "bucket", "key", PATIENCE).await.unwrap();
        assert_eq!(body.whole(0).await.unwrap(), "x");
    }
    // refused once
    assert_eq!(fake.asked("GET").len(), 3);
}
