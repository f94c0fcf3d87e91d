//! Findings → messages that Slack, and what takes Slack's messages, shows to people: a POST for each, and one for many where
//! there are more than the rate allows.
//!
//! The address is a secret: whoever has it can write there. It comes from the environment or from AWS Secrets Manager, and is in
//! no message of ours.

pub mod slack;

use anyhow::{Context, bail};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_types::body::SdkBody;
use serde::Deserialize;

use super::defaults::{drain_seconds, repeat_hours};
use super::detail::{self, Detail};
use super::outbox::call::{Answer, Call, Gather, Limits, Outgoing};
use super::outbox::rate::Pace;
use super::outbox::told::Worth;
use super::secret::{self, Secret, Text};
use super::wire::{self, Reply};
use crate::aws;
use crate::finding::Finding;
use crate::rule::Severity;
use crate::time::{MICROS_PER_SECOND, Timestamp};
use crate::wait::now;

/// What a finding may take; a message shows a few of its fields.
const FINDING_BYTES_MAX: usize = 64_000;
/// Findings that one message counts at most.
const CALL_FINDINGS_MAX: usize = 10_000;
/// Messages a minute that a configuration may ask for.
const RATE: std::ops::RangeInclusive<u32> = 2..=600;
/// Parts of the address that are as long as this are looked for in what is said of a failure.
const SECRET_CHARS_MIN: usize = 6;

/// The `[sink.webhook]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Environment variable that holds the address, an `https://` URL. `http://` is taken for this machine alone.
    pub url_env: Option<String>,
    /// Secret of AWS Secrets Manager that holds it, in place of that.
    pub url_secret: Option<secret::Config>,
    /// Findings below it are not sent.
    #[serde(default = "min_severity")]
    pub min_severity: Severity,
    /// Messages in any minute at most. Half of them may come at once; the last that may is about all findings that wait.
    #[serde(default = "messages_per_minute")]
    pub messages_per_minute: u32,
    /// A finding is sent when it is new or more severe; one that changes otherwise only this long after, and never with 0.
    #[serde(default = "repeat_hours")]
    pub repeat_hours: u32,
    /// Seconds that the end of a run waits for what is not accepted yet. Later ones wait for the next run.
    #[serde(default = "drain_seconds")]
    pub drain_seconds: u64,
}

fn min_severity() -> Severity {
    Severity::High
}

fn messages_per_minute() -> u32 {
    20
}

impl Config {
    /// The defaults, for an address in this environment variable.
    pub fn of_variable(url_env: &str) -> Config {
        Config {
            url_env: Some(url_env.to_owned()),
            url_secret: None,
            min_severity: min_severity(),
            messages_per_minute: messages_per_minute(),
            repeat_hours: repeat_hours(),
            drain_seconds: drain_seconds(),
        }
    }
}

/// An address that messages are posted to.
#[derive(Debug)]
pub struct Hook {
    config: Config,
    place: Place,
    http: SharedHttpConnector,
}

/// Where the address comes from.
#[derive(Debug)]
enum Place {
    Environment(Address),
    Secret(Box<Secret>),
}

impl Hook {
    /// `http` leads to the webhook; what `aws_http` gives leads to AWS, and is asked for where a secret holds the address.
    ///
    /// # Errors
    /// When the configuration names no place of the address or two, the environment holds none, or the rate is none. The error does not
    /// say the address.
    pub fn new(
        config: &Config,
        http: SharedHttpConnector,
        aws: aws::Config,
        aws_http: impl FnOnce() -> SharedHttpConnector,
    ) -> anyhow::Result<Hook> {
        let place = match (&config.url_env, &config.url_secret) {
            (Some(name), None) => Place::Environment(of_environment(name)?),
            (None, Some(secret)) => {
                let secret = Secret::new(secret, aws, aws_http()).context("url_secret of the webhook")?;
                Place::Secret(Box::new(secret))
            }
            (None, None) => bail!("the webhook has no address: name where it is with `url_env` or `url_secret`"),
            (Some(_), Some(_)) => {
                bail!("the webhook has `url_env` and `url_secret`, of which one is enough: leave one out")
            }
        };
        Hook::at(config, place, http)
    }

    fn at(config: &Config, place: Place, http: SharedHttpConnector) -> anyhow::Result<Hook> {
        if !RATE.contains(&config.messages_per_minute) {
            bail!("messages_per_minute of the webhook can be {} to {}", RATE.start(), RATE.end());
        }
        Ok(Hook { config: config.clone(), place, http })
    }

    /// Whether AWS is asked for the address.
    pub fn calls_aws(&self) -> bool {
        matches!(self.place, Place::Secret(_))
    }

    /// The secret that holds the address, by name or ARN, and whether it does now; `None` where the environment has it.
    pub async fn try_secret(&self) -> Option<(&str, Result<(), Answer>)> {
        match &self.place {
            Place::Environment(_) => None,
            Place::Secret(secret) => {
                let address = secret.fetch().await.and_then(|text| Address::in_secret(secret, &text));
                Some((secret.id(), address.map(|_| ())))
            }
        }
    }

    /// Asks for the address where it is not known yet, so that the log tells what is wrong with it before there is a finding.
    pub async fn prepare(&self) {
        if let Err(answer) = self.address().await {
            let why = answer.why().unwrap_or_default();
            tracing::warn!(why, "the address of the webhook is not known; findings wait");
        }
    }

    async fn address(&self) -> Result<Address, Answer> {
        match &self.place {
            Place::Environment(address) => Ok(address.clone()),
            Place::Secret(secret) => {
                let check = |text: &Text| Address::in_secret(secret, text).map(drop);
                Address::in_secret(secret, &secret.text(now(), check).await?)
            }
        }
    }

    /// The address by now, where that is another than one that was refused.
    async fn renewed(&self, refused: &Address) -> Option<Result<Address, Answer>> {
        match &self.place {
            Place::Environment(_) => None,
            Place::Secret(secret) => {
                let check = |text: &Text| Address::in_secret(secret, text).map(drop);
                let text = secret.renewed(&refused.0, now(), check).await?;
                Some(text.and_then(|text| Address::in_secret(secret, &text)))
            }
        }
    }

    pub fn worth(&self) -> Worth {
        Worth { min_severity: self.config.min_severity, repeat_hours: self.config.repeat_hours }
    }

    pub fn drain_seconds(&self) -> u64 {
        self.config.drain_seconds
    }

    /// One message after the other.
    pub fn limits(&self) -> Limits {
        Limits {
            waiting_max: 100_000,
            waiting_bytes_max: 64 << 20,
            finding_bytes_max: FINDING_BYTES_MAX,
            call_findings_max: CALL_FINDINGS_MAX,
            call_bytes_max: 64 << 20,
            calls_out_max: 1,
            pace: pace(self.config.messages_per_minute),
            gather: Gather::WhenLate,
        }
    }

    /// Posts the message about the findings of a call. Every way to fail is an answer. An address that is refused may have been
    /// rotated: the message goes to the new one then.
    pub async fn send(&self, call: &Call) -> Answer {
        let details: Vec<Detail> = call.findings.iter().map(|json| Detail::read(json)).collect();
        let body = slack::message(&details).to_string();
        let address = match self.address().await {
            Ok(address) => address,
            Err(answer) => return answer,
        };
        let answer = self.post(&address, &body, call).await;
        if !matches!(answer, Answer::Denied { .. }) {
            return answer;
        }
        match self.renewed(&address).await {
            Some(Ok(address)) => {
                tracing::info!("the address of the webhook is another by now");
                self.post(&address, &body, call).await
            }
            Some(Err(answer)) => answer,
            None => answer,
        }
    }

    async fn post(&self, address: &Address, body: &str, call: &Call) -> Answer {
        let answer = wire::within(async {
            let request = http::Request::post(address.0.reveal()).header("content-type", "application/json");
            let request = request.body(SdkBody::from(body))?.try_into()?;
            let reply = wire::exchange(&self.http, request).await?;
            Ok(read(&reply, call))
        });
        address.scrubbed(answer.await)
    }
}

/// The address that an environment variable holds.
fn of_environment(name: &str) -> anyhow::Result<Address> {
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        // it may be the address, which is not shown
        bail!("`url_env` of the webhook is no name of an environment variable, which is to hold the address");
    }
    let url = std::env::var(name).ok().filter(|url| !url.is_empty());
    let url = url.with_context(|| format!("the environment variable `{name}` of the webhook is not set"))?;
    Address::of(&url).with_context(|| format!("in the environment variable `{name}`"))
}

/// In any minute a full bucket and what fills it meanwhile are no more than the messages of a minute.
fn pace(messages_per_minute: u32) -> Pace {
    let messages = i64::from(messages_per_minute);
    let burst = (messages / 2).max(1);
    let micros_per_call = (60 * MICROS_PER_SECOND as u64).div_ceil((messages - burst) as u64);
    Pace { burst, micros_per_call: micros_per_call as i64 }
}

/// The finding as messages are made of it.
///
/// # Errors
/// When it is too long without its evidence.
pub fn form(finding: &Finding, now: Timestamp) -> Result<Outgoing, String> {
    detail::outgoing(finding, now, FINDING_BYTES_MAX, |_, json| json.len())
}

fn read(reply: &Reply, call: &Call) -> Answer {
    let told = reply.text();
    let code = format!("status {}", reply.status);
    match reply.status {
        200..300 => Answer::all(call),
        400 | 413 | 422 => Answer::Invalid { code, message: told },
        // the address is wrong or taken back, the channel archived; where it leads elsewhere nobody follows
        300..400 | 401 | 403 | 404 | 405 | 410 => Answer::Denied { code, message: told },
        _ => {
            let seconds: Option<u32> = reply.retry_after.as_ref().and_then(|text| text.trim().parse().ok());
            let pause = seconds.map(|seconds| i64::from(seconds) * MICROS_PER_SECOND);
            Answer::Unavailable { code, message: told, pause }
        }
    }
}

/// An address that is never shown.
#[derive(Clone, Debug)]
struct Address(Text);

impl Address {
    fn of(text: &str) -> anyhow::Result<Address> {
        let url = text.trim();
        let Ok(parsed) = url.parse::<http::Uri>() else { bail!("there is no URL") };
        match (parsed.scheme_str(), parsed.host()) {
            (Some("https"), Some(_)) | (Some("http"), Some("127.0.0.1" | "localhost" | "[::1]")) => {
                Ok(Address(Text::new(url)))
            }
            _ => bail!("there is no https:// URL"),
        }
    }

    fn in_secret(secret: &Secret, text: &Text) -> Result<Address, Answer> {
        Address::of(text.reveal()).map_err(|why| Answer::Denied {
            code: secret::UNUSABLE.to_owned(),
            message: format!("in the secret {} of Secrets Manager {why}", secret.id()),
        })
    }

    /// The answer without the address, or parts of it that could be told from it.
    fn scrubbed(&self, answer: Answer) -> Answer {
        let scrub = |text: String| {
            let url = self.0.reveal();
            let path = url.splitn(4, '/').nth(3).unwrap_or_default();
            let mut parts: Vec<&str> = path.split(['/', '?', '&', '=', '#']).collect();
            parts.extend([url, path]);
            parts.retain(|part| part.len() >= SECRET_CHARS_MIN);
            // longer ones first: they hold the shorter ones
            parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
            parts.into_iter().fold(text, |text, part| text.replace(part, "(secret)"))
        };
        match answer {
            Answer::Taken { .. } => answer,
            Answer::Invalid { code, message } => Answer::Invalid { code, message: scrub(message) },
            Answer::Denied { code, message } => Answer::Denied { code, message: scrub(message) },
            Answer::Unavailable { code, message, pause } => {
                Answer::Unavailable { code, message: scrub(message), pause }
            }
        }
    }
}

#[cfg(test)]
mod tests;
