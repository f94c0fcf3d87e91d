//! The findings of a commit → objects of NDJSON in a bucket, by PutObject.
//!
//! An object's key says the day and the round of its commit, and which content it has. It is written where there is none
//! (`If-None-Match`), so that one that is sent again changes nothing.

use anyhow::bail;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::defaults::drain_seconds;
use super::outbox::call::{Answer, Call, Gather, Limits, Outgoing};
use super::outbox::rate::Pace;
use crate::aws::{self, Aws, Kind, Role, Trouble};
use crate::rule::Severity;
use crate::time::{Timestamp, day_text};

/// An object is ended at this many bytes.
const OBJECT_BYTES: usize = 8 << 20;
/// PUTs a second to one prefix are allowed 3,500; a commit makes one object.
pub const LIMITS: Limits = Limits {
    waiting_max: 100_000,
    waiting_bytes_max: 64 << 20,
    finding_bytes_max: usize::MAX,
    call_findings_max: 1,
    call_bytes_max: usize::MAX,
    calls_out_max: 4,
    pace: Pace { burst: 20, micros_per_call: 50_000 },
    gather: Gather::Full,
};

/// The `[sink.s3]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub bucket: String,
    /// What keys begin with, up to a slash that is added.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// Region of the bucket, where it is not that of `[aws]`.
    pub region: Option<String>,
    /// Taken on in place of that of `[aws]`.
    pub assume_role: Option<Role>,
    /// Findings below it are not written.
    #[serde(default = "min_severity")]
    pub min_severity: Severity,
    /// Seconds that the end of a run waits for what is not accepted yet. Later ones wait for the next run.
    #[serde(default = "drain_seconds")]
    pub drain_seconds: u64,
}

fn prefix() -> String {
    "weir/findings".to_owned()
}

fn min_severity() -> Severity {
    Severity::Informational
}

impl Config {
    /// The defaults, for a bucket.
    pub fn of_bucket(bucket: &str) -> Config {
        Config {
            bucket: bucket.to_owned(),
            prefix: prefix(),
            region: None,
            assume_role: None,
            min_severity: min_severity(),
            drain_seconds: drain_seconds(),
        }
    }
}

/// A bucket, and the client for it, made with the first call.
#[derive(Debug)]
pub struct Bucket {
    pub(super) config: Config,
    aws: Aws,
    client: OnceCell<Client>,
}

impl Bucket {
    /// # Errors
    /// When the bucket has no name that a bucket can have.
    pub fn new(config: &Config, mut aws: aws::Config) -> anyhow::Result<Bucket> {
        let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        if !(3..=63).contains(&config.bucket.len()) || !config.bucket.bytes().all(is_part) {
            bail!("`{}` is no name of a bucket", config.bucket);
        }
        aws.region = config.region.clone().or(aws.region);
        let aws = Aws::new(aws).assuming(config.assume_role.as_ref());
        Ok(Bucket { config: config.clone(), aws, client: OnceCell::new() })
    }

    /// Where its objects are.
    pub fn name(&self) -> String {
        format!("s3://{}/{}", self.config.bucket, self.config.prefix.trim_matches('/'))
    }

    /// The objects that hold the lines of a commit's findings, in the order given.
    pub fn objects(&self, lines: Vec<Outgoing>, round: u64, now: Timestamp) -> Vec<Outgoing> {
        let mut objects = Vec::new();
        let mut text = String::new();
        let mut lines = lines.into_iter().peekable();
        while let Some(line) = lines.next() {
            text.push_str(&line.json);
            text.push('\n');
            if text.len() >= OBJECT_BYTES || lines.peek().is_none() {
                objects.push(self.object(std::mem::take(&mut text), round, objects.len(), line.updated_at, now));
            }
        }
        objects
    }

    fn object(&self, text: String, round: u64, part: usize, updated_at: Timestamp, now: Timestamp) -> Outgoing {
        let prefix = self.config.prefix.trim_matches('/');
        let slash = if prefix.is_empty() { "" } else { "/" };
        let day = day_text(now.day());
        // a state that was begun anew counts its rounds from one again
        let hash = &blake3::hash(text.as_bytes()).to_hex()[..16];
        Outgoing {
            id: format!("{prefix}{slash}{day}/{round:012}-{part}-{hash}.ndjson"),
            critical: false,
            priority: 0,
            updated_at,
            call_bytes: text.len(),
            json: text.into(),
        }
    }

    /// Writes an object where there is none. Every way to fail is an answer.
    pub async fn send(&self, call: &Call) -> Answer {
        let client = match self.client.get_or_try_init(|| self.aws.s3()).await {
            Ok(client) => client,
            Err(trouble) => return told(&trouble),
        };
        let [key] = call.ids.as_slice() else { panic!("a call has one object") };
        let owner = self.aws.expected_bucket_owner(&self.config.bucket);
        let put = client
            .put_object()
            .bucket(&self.config.bucket)
            .key(key)
            .if_none_match("*")
            .content_type("application/x-ndjson")
            .set_expected_bucket_owner(owner.map(str::to_owned))
            .body(ByteStream::from(call.findings[0].as_bytes().to_vec()));
        match put.send().await {
            Ok(answer) => aws::written(answer.e_tag()).map_or_else(|trouble| told(&trouble), |()| Answer::all(call)),
            // it is there: an earlier answer was lost
            Err(error) if error.raw_response().is_some_and(|reply| reply.status().as_u16() == 412) => Answer::all(call),
            Err(error) => told(&Trouble::of_bucket("s3:PutObject", &error, owner)),
        }
    }
}

fn told(trouble: &Trouble) -> Answer {
    let (code, message) = (trouble.code.clone().unwrap_or_else(|| format!("{:?}", trouble.kind)), trouble.to_string());
    match trouble.kind {
        Kind::Credentials | Kind::Region | Kind::Denied | Kind::Missing => Answer::Denied { code, message },
        // an object is never wrong
        Kind::Throttled | Kind::Server | Kind::Unreachable | Kind::Other => {
            Answer::Unavailable { code, message, pause: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(json: &str) -> Outgoing {
        Outgoing {
            id: "a".into(),
            critical: false,
            priority: 5,
            updated_at: Timestamp(7),
            json: json.into(),
            call_bytes: json.len(),
        }
    }

    fn bucket(prefix: &str) -> Bucket {
        let config = Config { prefix: prefix.into(), ..Config::of_bucket("findings") };
        Bucket::new(&config, aws::Config::default()).unwrap()
    }

    #[test]
    fn an_object_has_the_lines_of_a_commit_and_a_key_of_its_own() {
        let now = Timestamp::parse("2024-08-01T23:59:59Z").unwrap();
        let [object] = &bucket("/weir/").objects(vec![line("{\"a\":1}"), line("{\"b\":2}")], 12, now)[..] else {
            panic!()
        };
        assert_eq!(&*object.json, "{\"a\":1}\n{\"b\":2}\n");
        let (begin, end) = object.id.split_at("weir/2024-08-01/000000000012-0-".len());
        assert_eq!((begin, end.len()), ("weir/2024-08-01/000000000012-0-", 16 + ".ndjson".len()));
        let again = bucket("weir").objects(vec![line("{\"a\":1}"), line("{\"b\":2}")], 12, now);
        assert_eq!(again[0], *object);
        let other = bucket("weir").objects(vec![line("{\"a\":1}")], 12, now);
        assert_ne!(other[0].id, object.id);
        assert!(bucket("").objects(vec![line("{}")], 1, now)[0].id.starts_with("2024-08-01/000000000001-0-"));
        assert!(bucket("").objects(vec![], 1, now).is_empty());
    }

    #[test]
    fn a_large_commit_becomes_several_objects() {
        let large = "x".repeat(5 << 20);
        let objects = bucket("w").objects((0..5).map(|_| line(&large)).collect(), 1, Timestamp(0));
        let sizes: Vec<usize> = objects.iter().map(|object| object.json.len() >> 20).collect();
        assert_eq!(sizes, [10, 10, 5]);
        assert!(objects[2].id.contains("-2-"));
    }

    #[test]
    fn a_bucket_has_a_name() {
        for wrong in ["", "ab", "A-bucket", "a/b/c", &"x".repeat(64)] {
            assert!(Bucket::new(&Config::of_bucket(wrong), aws::Config::default()).is_err(), "{wrong}");
        }
    }
}
