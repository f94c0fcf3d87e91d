//! What goes wrong with a call to Kinesis → what to do about it, and how long to wait before.

use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use aws_sdk_kinesis::config::http::HttpResponse;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};

use crate::aws;
use crate::wait::sleep;

/// Why a call has failed, as far as it matters.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The iterator is older than five minutes.
    Expired,
    /// There is no such shard, or no such stream.
    NotFound,
    /// The place to read from is none.
    Invalid(String),
    /// Too many calls or bytes, or another call for the same shard still holds it.
    Throttled,
    /// The network, the service, the key, or the permission: all of these may be mended while we wait.
    Other(String),
}

impl Trouble {
    /// What a failed call says. `action` is the permission that the call needs.
    pub fn of<E>(action: &str, error: &SdkError<E, HttpResponse>) -> Trouble
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        Trouble::new(error.code(), || aws::Trouble::of(action, error).to_string())
    }

    /// What a subscription says that was cut in the middle.
    pub fn of_cut<E, R>(error: &SdkError<E, R>) -> Trouble
    where
        E: ProvideErrorMetadata,
    {
        Trouble::new(error.code(), || {
            format!("the subscription was cut: {}", error.code().unwrap_or("connection lost"))
        })
    }

    fn new(code: Option<&str>, why: impl Fn() -> String) -> Trouble {
        match code {
            Some("ExpiredIteratorException") => Trouble::Expired,
            Some("ResourceNotFoundException") => Trouble::NotFound,
            Some("InvalidArgumentException") => Trouble::Invalid(why()),
            Some(
                "ProvisionedThroughputExceededException"
                | "LimitExceededException"
                | "KMSThrottlingException"
                | "ThrottlingException"
                | "ResourceInUseException",
            ) => Trouble::Throttled,
            _ => Trouble::Other(why()),
        }
    }

    /// Its name in the metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Trouble::Expired => "expired",
            Trouble::Throttled => "throttled",
            Trouble::NotFound | Trouble::Invalid(_) | Trouble::Other(_) => "failed",
        }
    }
}

/// What a call comes to that is made at the start. For as long as time may mend what is wrong with it, that is told, and the call is made
/// again.
///
/// # Errors
/// What time does not mend: there is no such stream, access is denied.
pub(super) async fn patiently<T, C>(stream: &str, call: impl Fn() -> C) -> anyhow::Result<T>
where
    C: Future<Output = anyhow::Result<T>>,
{
    let mut backoff = Backoff::new(stream);
    loop {
        let error = match call().await {
            Err(error) if may_pass(&error) => error,
            ended => return ended,
        };
        let wait = backoff.next();
        if backoff.is_news() {
            tracing::warn!(stream, error = format!("{error:#}"), "beginning to read a stream: trying again");
        }
        sleep(wait).await;
    }
}

fn may_pass(error: &anyhow::Error) -> bool {
    error.downcast_ref::<aws::Trouble>().is_some_and(aws::Trouble::may_pass)
}

/// How long to wait after something failed: 1 s and twice as long each time, up to 30 s, and up to a quarter more or less
/// so that the readers of many shards do not come back together.
pub(super) struct Backoff {
    tries: u32,
    seed: u64,
}

impl Backoff {
    pub fn new(shard: &str) -> Backoff {
        let mut hasher = DefaultHasher::new();
        shard.hash(&mut hasher);
        Backoff { tries: 0, seed: hasher.finish() }
    }

    pub fn reset(&mut self) {
        self.tries = 0;
    }

    pub fn next(&mut self) -> Duration {
        let seconds = 30.min(1 << self.tries.min(5));
        self.tries += 1;
        // a linear congruential generator: its upper bits are even enough for this
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let between_0_and_1 = (self.seed >> 32) as f64 / f64::from(u32::MAX);
        Duration::from_secs(seconds).mul_f64(0.75 + between_0_and_1 / 2.0)
    }

    /// Whether a person should be told of the failure that [`Backoff::next`] was asked about: the first, the second, the
    /// fourth, ...
    pub fn is_news(&self) -> bool {
        self.tries.is_power_of_two()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_half_a_minute_and_begin_again() {
        let mut backoff = Backoff::new("shardId-000000000000");
        for whole in [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] {
            let wait = backoff.next().as_secs_f64();
            assert!((0.75 * whole..=1.25 * whole).contains(&wait), "{wait} for {whole}");
        }
        backoff.reset();
        assert!(backoff.next().as_secs_f64() <= 1.25);
        assert_ne!(Backoff::new("a").next(), Backoff::new("b").next());
    }
}
