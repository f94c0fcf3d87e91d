//! Findings → messages of an SNS topic, by Publish (query protocol, API version 2010-03-31).
//!
//! The message is the finding as NDJSON has it; severity, account and rule are its attributes too, so that subscriptions can
//! filter by them. Publish has no ids: a call whose answer was lost is made again, and its message is there twice (but on a
//! FIFO topic within five minutes).

use std::fmt::Write;

use anyhow::Context;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::defaults::{drain_seconds, repeat_hours};
use super::detail::{self, Detail};
use super::outbox::call::{Answer, Call, Gather, Limits, Outgoing};
use super::outbox::rate::Pace;
use super::outbox::told::Worth;
use super::security_hub::hub::{is_account, is_region};
use super::signed::{Line, Service, refused, unreadable};
use super::wire::Reply;
use crate::aws::{self, Aws, Role};
use crate::finding::Finding;
use crate::rule::Severity;
use crate::time::Timestamp;

const SERVICE: Service = Service { name: "sns", endpoint_variable: "AWS_ENDPOINT_URL_SNS", path: "/" };
const HEADERS: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];

/// Longest message with its attributes: 256 KB, read as the smaller of its meanings.
const MESSAGE_BYTES_MAX: usize = 256_000;
/// Longest subject.
const SUBJECT_CHARS_MAX: usize = 100;

/// A message a call; a hundred a second are a third of what the smallest Regions allow.
pub const LIMITS: Limits = Limits {
    waiting_max: 100_000,
    waiting_bytes_max: 64 << 20,
    finding_bytes_max: MESSAGE_BYTES_MAX,
    call_findings_max: 1,
    call_bytes_max: MESSAGE_BYTES_MAX,
    calls_out_max: 10,
    pace: Pace { burst: 100, micros_per_call: 10_000 },
    gather: Gather::Full,
};

/// The `[sink.sns]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// ARN of the topic.
    pub topic: String,
    /// Taken on in place of that of `[aws]`.
    pub assume_role: Option<Role>,
    /// Findings below it are not sent.
    #[serde(default = "min_severity")]
    pub min_severity: Severity,
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

impl Config {
    /// The defaults, for a topic.
    pub fn of_topic(topic: &str) -> Config {
        Config {
            topic: topic.to_owned(),
            assume_role: None,
            min_severity: min_severity(),
            repeat_hours: repeat_hours(),
            drain_seconds: drain_seconds(),
        }
    }
}

/// A topic, and the caller of it, made with the first call.
#[derive(Debug)]
pub struct Topic {
    config: Config,
    region: String,
    aws: Aws,
    http: SharedHttpConnector,
    line: OnceCell<Line>,
}

impl Topic {
    /// # Errors
    /// When the topic is no ARN of one.
    pub fn new(config: &Config, aws: aws::Config, http: SharedHttpConnector) -> anyhow::Result<Topic> {
        let region = region(&config.topic)
            .with_context(|| format!("`{}` is no topic: arn:aws:sns:REGION:ACCOUNT:NAME", config.topic))?;
        let aws = Aws::new(aws).assuming(config.assume_role.as_ref());
        Ok(Topic { config: config.clone(), region: region.to_owned(), aws, http, line: OnceCell::new() })
    }

    /// Its ARN.
    pub fn name(&self) -> &str {
        &self.config.topic
    }

    pub fn worth(&self) -> Worth {
        Worth { min_severity: self.config.min_severity, repeat_hours: self.config.repeat_hours }
    }

    pub fn drain_seconds(&self) -> u64 {
        self.config.drain_seconds
    }

    /// Publishes the finding of a call. Every way to fail is an answer.
    pub async fn send(&self, call: &Call) -> Answer {
        let open = || Line::open(&self.aws, SERVICE, Some(&self.region), self.http.clone());
        let message = call.findings.first().expect("a call has a finding");
        match self.line.get_or_try_init(open).await {
            Ok(line) => line.post(&HEADERS, body(&self.config.topic, message), |reply| read(&reply, call)).await,
            Err(answer) => answer,
        }
    }
}

fn region(topic: &str) -> Option<&str> {
    let parts: Vec<&str> = topic.split(':').collect();
    let ["arn", partition, "sns", region, account, name] = parts.as_slice() else { return None };
    let plain = name.strip_suffix(".fifo").unwrap_or(name);
    let is_name = (1..=256).contains(&name.len())
        && plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    (partition.starts_with("aws") && is_region(region) && is_account(account) && is_name).then_some(region)
}

/// The finding as the message has it.
///
/// # Errors
/// When it is too long for a message without its evidence.
pub fn form(finding: &Finding, now: Timestamp) -> Result<Outgoing, String> {
    detail::outgoing(finding, now, MESSAGE_BYTES_MAX, |finding, json| {
        let attributes = attributes(finding.severity, &finding.account, &finding.rule);
        let of = |(name, value): (&str, &str)| name.len() + "String".len() + value.len();
        json.len() + attributes.into_iter().map(of).sum::<usize>()
    })
}

/// What subscriptions filter by. SNS takes no empty value.
fn attributes<'a>(severity: Severity, account: &'a str, rule: &'a str) -> Vec<(&'static str, &'a str)> {
    let all = [("severity", severity.as_str()), ("account", account), ("rule", rule)];
    all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// The characters that stay as they are in a form.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn body(topic: &str, message: &str) -> String {
    let Detail { id, rule, title, severity, account, count, .. } = Detail::read(message);
    let mut body = "Action=Publish&Version=2010-03-31".to_owned();
    let mut add = |name: &str, value: &str| {
        write!(body, "&{name}={}", utf8_percent_encode(value, PLAIN)).expect("memory takes it");
    };
    add("TopicArn", topic);
    add("Message", message);
    add("Subject", &subject(severity, &title));
    for (index, (name, value)) in attributes(severity, &account, &rule).into_iter().enumerate() {
        let entry = format!("MessageAttributes.entry.{}", index + 1);
        add(&format!("{entry}.Name"), name);
        add(&format!("{entry}.Value.DataType"), "String");
        add(&format!("{entry}.Value.StringValue"), value);
    }
    if topic.ends_with(".fifo") {
        // what is said of one finding stays in order, and the same is said once
        add("MessageGroupId", &id);
        add("MessageDeduplicationId", &format!("{id}-{severity}-{count}"));
    }
    body
}

/// For subscriptions by mail. SNS takes printable ASCII.
fn subject(severity: Severity, title: &str) -> String {
    let printable = |character: char| if matches!(character, ' '..='~') { character } else { '?' };
    format!("Weir ({severity}): {title}").chars().map(printable).take(SUBJECT_CHARS_MAX).collect()
}

fn read(reply: &Reply, call: &Call) -> Answer {
    let text = String::from_utf8_lossy(&reply.body);
    match (reply.status, element(&text, "MessageId")) {
        (200, Some(_)) => Answer::all(call),
        (200, None) => unreadable("no MessageId"),
        _ => {
            let code = element(&text, "Code").unwrap_or_default();
            refused(reply, &code, element(&text, "Message").unwrap_or_default())
        }
    }
}

/// The text of the first element of this name; the answers that are read have no attributes and no elements inside of it.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    Some(text.replace("&amp;", "&"))
}

#[cfg(test)]
mod tests;
