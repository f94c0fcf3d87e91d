//! The ways out to services: what each takes of a finding, how much, and where a call of it goes.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;

use super::outbox::call::{Answer, Call, Limits, Outgoing};
use super::outbox::told::Worth;
use super::security_hub::asff::RecordState;
use super::security_hub::config::Routes;
use super::{detail, event_bridge, s3, security_hub, sns, webhook};
use crate::aws;
use crate::finding::Finding;
use crate::rule::Severity;
use crate::time::Timestamp;

/// A service that findings are sent to, with what the configuration says of it. It looks nothing up before [`Way::prepare`] or the first
/// call.
#[derive(Debug)]
pub enum Way {
    SecurityHub { hubs: security_hub::Hubs, drain_seconds: u64, read_back_seconds: u64 },
    EventBridge(event_bridge::Bus),
    Sns(sns::Topic),
    Webhook(webhook::Hook),
    S3(s3::Bucket),
}

impl Way {
    /// # Errors
    /// When an account, a Region or a role is none.
    pub fn security_hub(
        config: &security_hub::Config,
        aws: aws::Config,
        http: SharedHttpConnector,
    ) -> anyhow::Result<Way> {
        Ok(Way::of_hubs(config, security_hub::Hubs::new(Routes::new(config)?, aws, http)))
    }

    pub fn of_hubs(config: &security_hub::Config, hubs: security_hub::Hubs) -> Way {
        let security_hub::Config { drain_seconds, read_back_seconds, .. } = *config;
        Way::SecurityHub { hubs, drain_seconds, read_back_seconds }
    }

    /// # Errors
    /// When the bus is no name and no ARN of one.
    pub fn event_bridge(
        config: &event_bridge::Config,
        aws: aws::Config,
        http: SharedHttpConnector,
    ) -> anyhow::Result<Way> {
        event_bridge::Bus::new(config, aws, http).map(Way::EventBridge)
    }

    /// # Errors
    /// When the topic is no ARN of one.
    pub fn sns(config: &sns::Config, aws: aws::Config, http: SharedHttpConnector) -> anyhow::Result<Way> {
        sns::Topic::new(config, aws, http).map(Way::Sns)
    }

    /// `http` leads to the webhook, and what `aws_http` gives to AWS.
    ///
    /// # Errors
    /// When the configuration does not say where the address is, the environment holds none, or the rate is none.
    pub fn webhook(
        config: &webhook::Config,
        http: SharedHttpConnector,
        aws: aws::Config,
        aws_http: impl FnOnce() -> SharedHttpConnector,
    ) -> anyhow::Result<Way> {
        webhook::Hook::new(config, http, aws, aws_http).map(Way::Webhook)
    }

    /// # Errors
    /// When the bucket has no name that a bucket can have.
    pub fn s3(config: &s3::Config, aws: aws::Config) -> anyhow::Result<Way> {
        s3::Bucket::new(config, aws).map(Way::S3)
    }

    /// Its key in the configuration, the state, the summary and the metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Way::SecurityHub { .. } => "security_hub",
            Way::EventBridge(_) => "event_bridge",
            Way::Sns(_) => "sns",
            Way::Webhook(_) => "webhook",
            Way::S3(_) => "s3",
        }
    }

    /// The same for people.
    pub fn said(&self) -> &'static str {
        match self {
            Way::SecurityHub { .. } => "security hub",
            Way::EventBridge(_) => "event bridge",
            Way::Sns(_) => "sns",
            Way::Webhook(_) => "webhook",
            Way::S3(_) => "s3",
        }
    }

    /// Whether AWS is called for it.
    pub fn calls_aws(&self) -> bool {
        match self {
            Way::SecurityHub { .. } | Way::EventBridge(_) | Way::Sns(_) | Way::S3(_) => true,
            Way::Webhook(hook) => hook.calls_aws(),
        }
    }

    pub fn limits(&self) -> Limits {
        match self {
            Way::SecurityHub { .. } => security_hub::LIMITS,
            Way::EventBridge(_) => event_bridge::LIMITS,
            Way::Sns(_) => sns::LIMITS,
            Way::Webhook(hook) => hook.limits(),
            Way::S3(_) => s3::LIMITS,
        }
    }

    /// Which changes are told of where a finding that comes again is one more; none where it is an update.
    pub fn worth(&self) -> Option<Worth> {
        match self {
            Way::SecurityHub { .. } | Way::S3(_) => None,
            Way::EventBridge(bus) => Some(bus.worth()),
            Way::Sns(topic) => Some(topic.worth()),
            Way::Webhook(hook) => Some(hook.worth()),
        }
    }

    /// Findings below it are not sent, whatever changes.
    pub fn min_severity(&self) -> Severity {
        match self {
            Way::SecurityHub { .. } => Severity::Informational,
            Way::EventBridge(bus) => bus.worth().min_severity,
            Way::Sns(topic) => topic.worth().min_severity,
            Way::Webhook(hook) => hook.worth().min_severity,
            Way::S3(bucket) => bucket.config.min_severity,
        }
    }

    /// How long the end of a run waits for what is not accepted yet.
    pub fn drain(&self) -> Duration {
        Duration::from_secs(match self {
            Way::SecurityHub { drain_seconds, .. } => *drain_seconds,
            Way::EventBridge(bus) => bus.drain_seconds(),
            Way::Sns(topic) => topic.drain_seconds(),
            Way::Webhook(hook) => hook.drain_seconds(),
            Way::S3(bucket) => bucket.config.drain_seconds,
        })
    }

    /// How often it is asked what people say there of findings; none where nobody asks.
    pub fn read_back(&self) -> Option<Duration> {
        match self {
            Way::SecurityHub { read_back_seconds, .. } => {
                (*read_back_seconds > 0).then(|| Duration::from_secs(*read_back_seconds))
            }
            Way::EventBridge(_) | Way::Sns(_) | Way::Webhook(_) | Way::S3(_) => None,
        }
    }

    /// Whether a finding that does not hold is told of as such.
    pub fn archives(&self) -> bool {
        match self {
            Way::SecurityHub { .. } => true,
            Way::EventBridge(_) | Way::Sns(_) | Way::Webhook(_) | Way::S3(_) => false,
        }
    }

    /// The place that a finding goes to, and its form there, or why it has none. Where [`Way::archives`] says so, the state is
    /// in it.
    pub fn form(&self, finding: &Finding, state: RecordState, now: Timestamp) -> (String, Result<Outgoing, String>) {
        match self {
            Way::SecurityHub { hubs, .. } => hubs.form(finding, state, now),
            Way::EventBridge(_) => ("bus".to_owned(), event_bridge::form(finding, now)),
            Way::Sns(_) => ("topic".to_owned(), sns::form(finding, now)),
            Way::Webhook(_) => ("address".to_owned(), webhook::form(finding, now)),
            Way::S3(_) => ("bucket".to_owned(), detail::outgoing(finding, now, usize::MAX, |_, json| json.len())),
        }
    }

    /// What enters the outbox in the commit of a round, by place, of the forms that were staged: these, but for S3, which gets
    /// them together.
    pub fn pack(
        &self,
        staged: impl Iterator<Item = (String, Outgoing)>,
        round: u64,
        now: Timestamp,
    ) -> Vec<(String, Outgoing)> {
        match self {
            Way::SecurityHub { .. } | Way::EventBridge(_) | Way::Sns(_) | Way::Webhook(_) => staged.collect(),
            Way::S3(bucket) => {
                let objects = bucket.objects(staged.map(|(_, line)| line).collect(), round, now);
                objects.into_iter().map(|object| ("bucket".to_owned(), object)).collect()
            }
        }
    }

    /// Looks up what calls need and nobody knows yet, and logs what is wrong with it.
    pub async fn prepare(&self) {
        match self {
            Way::Webhook(hook) => hook.prepare().await,
            Way::SecurityHub { .. } | Way::EventBridge(_) | Way::Sns(_) | Way::S3(_) => {}
        }
    }

    /// Makes a call for a place. Every way to fail is an answer.
    pub async fn send(&self, place: &str, call: &Call) -> Answer {
        match self {
            Way::SecurityHub { hubs, .. } => hubs.send(place, call).await,
            Way::EventBridge(bus) => bus.send(call).await,
            Way::Sns(topic) => topic.send(call).await,
            Way::Webhook(hook) => hook.send(call).await,
            Way::S3(bucket) => bucket.send(call).await,
        }
    }
}
