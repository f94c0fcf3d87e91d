//! Findings → messages that Slack, and what takes Slack's messages, shows to people: a POST for each, and one for many where
//! there are more than the rate allows.
//!
//! The address is a secret: whoever has it can write there. It comes from the environment, and is in no message of ours.

pub mod slack;

use std::fmt;

use anyhow::{Context, bail};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_types::body::SdkBody;
use serde::Deserialize;

use super::detail::{self, Detail};
use super::outbox::call::{Answer, Call, Gather, Limits, Outgoing};
use super::outbox::rate::Pace;
use super::outbox::told::Worth;
use super::wire::{self, Reply};
use crate::finding::Finding;
use crate::rule::Severity;
use crate::time::{MICROS_PER_SECOND, Timestamp};

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
    pub url_env: String,
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

fn repeat_hours() -> u32 {
    24
}

fn drain_seconds() -> u64 {
    30
}

impl Config {
    /// The defaults, for an address in this environment variable.
    pub fn of_variable(url_env: &str) -> Config {
        Config {
            url_env: url_env.to_owned(),
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
    url: Secret,
    http: SharedHttpConnector,
}

impl Hook {
    /// # Errors
    /// When the environment holds no address, or the rate is none. The error does not say the address.
    pub fn new(config: &Config, http: SharedHttpConnector) -> anyhow::Result<Hook> {
        let name = &config.url_env;
        let url = std::env::var(name).ok().filter(|url| !url.is_empty());
        let url = url.with_context(|| format!("the environment variable `{name}` of the webhook is not set"))?;
        Hook::at(config, Secret::of(url.trim()).with_context(|| format!("in the environment variable `{name}`"))?, http)
    }

    fn at(config: &Config, url: Secret, http: SharedHttpConnector) -> anyhow::Result<Hook> {
        if !RATE.contains(&config.messages_per_minute) {
            bail!("messages_per_minute of the webhook can be {} to {}", RATE.start(), RATE.end());
        }
        Ok(Hook { config: config.clone(), url, http })
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

    /// Posts the message about the findings of a call. Every way to fail is an answer.
    pub async fn send(&self, call: &Call) -> Answer {
        let details: Vec<Detail> = call.findings.iter().map(|json| Detail::read(json)).collect();
        let body = slack::message(&details).to_string();
        let answer = wire::within(async {
            let request = http::Request::post(&self.url.0).header("content-type", "application/json");
            let request = request.body(SdkBody::from(body))?.try_into()?;
            let reply = wire::exchange(&self.http, request).await?;
            Ok(read(&reply, call))
        });
        self.url.scrubbed(answer.await)
    }
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
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Secret {
    fn of(url: &str) -> anyhow::Result<Secret> {
        let Ok(parsed) = url.parse::<http::Uri>() else { bail!("there is no URL") };
        match (parsed.scheme_str(), parsed.host()) {
            (Some("https"), Some(_)) | (Some("http"), Some("127.0.0.1" | "localhost" | "[::1]")) => {
                Ok(Secret(url.to_owned()))
            }
            _ => bail!("there is no https:// URL"),
        }
    }

    /// The answer without the address, or parts of it that could be told from it.
    fn scrubbed(&self, answer: Answer) -> Answer {
        let scrub = |text: String| {
            let path = self.0.splitn(4, '/').nth(3).unwrap_or_default();
            let mut parts: Vec<&str> = path.split(['/', '?', '&', '=', '#']).collect();
            parts.extend([self.0.as_str(), path]);
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
