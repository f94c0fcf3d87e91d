//! Findings → events on a bus of EventBridge, by PutEvents (awsJson 1.1, service model events 2015-10-07).
//!
//! PutEvents has no ids: a call whose answer was lost is made again, and its events are there twice. `detail.id` names the
//! finding, so that consumers can tell.

use anyhow::{Context, bail};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::defaults::{drain_seconds, repeat_hours};
use super::detail::{self, Detail};
use super::outbox::call::{Answer, Call, Failed, Gather, Limits, Outgoing};
use super::outbox::rate::Pace;
use super::outbox::told::Worth;
use super::security_hub::hub::{is_account, is_region};
use super::signed::{Line, Service, refusal, unreadable};
use super::wire::Reply;
use crate::aws::{self, Aws, Role};
use crate::finding::Finding;
use crate::rule::Severity;
use crate::time::Timestamp;

/// What rules of EventBridge match as `source` and `detail-type`.
pub const SOURCE: &str = "weir";
const DETAIL_TYPE: &str = "Weir Finding";

const SERVICE: Service = Service { name: "events", endpoint_variable: "AWS_ENDPOINT_URL_EVENTBRIDGE", path: "/" };
const HEADERS: [(&str, &str); 2] =
    [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "AWSEvents.PutEvents")];

/// Longest call, as AWS counts the bytes of its entries: 256 KB, read as the smaller of its meanings. One page of AWS's means
/// it of each entry, the service model of all together; this holds both.
const CALL_BYTES_MAX: usize = 256_000;
/// What the time of an entry counts as.
const TIME_BYTES: usize = 14;

/// Ten entries a call; fifty calls a second are an eighth of what the smallest Regions allow.
pub const LIMITS: Limits = Limits {
    waiting_max: 100_000,
    waiting_bytes_max: 64 << 20,
    finding_bytes_max: CALL_BYTES_MAX,
    call_findings_max: 10,
    call_bytes_max: CALL_BYTES_MAX,
    calls_out_max: 10,
    pace: Pace { burst: 50, micros_per_call: 20_000 },
    gather: Gather::Full,
};

/// The `[sink.event_bridge]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Name or ARN of the bus.
    pub bus: String,
    /// Region of the bus, where its ARN does not say it and it is not that of `[aws]`.
    pub region: Option<String>,
    /// Taken on in place of that of `[aws]`.
    pub assume_role: Option<Role>,
    /// Findings below it are not sent.
    pub min_severity: Severity,
    /// A finding is sent when it is new or more severe; one that changes otherwise only this long after, and never with 0.
    pub repeat_hours: u32,
    /// Seconds that the end of a run waits for what is not accepted yet. Later ones wait for the next run.
    pub drain_seconds: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            bus: "default".to_owned(),
            region: None,
            assume_role: None,
            min_severity: Severity::Informational,
            repeat_hours: repeat_hours(),
            drain_seconds: drain_seconds(),
        }
    }
}

/// A bus, and the caller of it, made with the first call.
#[derive(Debug)]
pub struct Bus {
    config: Config,
    region: Option<String>,
    aws: Aws,
    http: SharedHttpConnector,
    line: OnceCell<Line>,
}

impl Bus {
    /// # Errors
    /// When the bus is no name and no ARN of one, or in another Region than the one that is set.
    pub fn new(config: &Config, aws: aws::Config, http: SharedHttpConnector) -> anyhow::Result<Bus> {
        Bus::of(config, &Aws::new(aws), http)
    }

    /// # Errors
    /// Those of [`Bus::new`].
    pub fn of(config: &Config, aws: &Aws, http: SharedHttpConnector) -> anyhow::Result<Bus> {
        let of_arn = region(&config.bus).with_context(|| format!("`{}` is no event bus", config.bus))?;
        let region = match (&config.region, of_arn) {
            (Some(set), Some(of_arn)) if set != of_arn => bail!("`{}` is not in {set}", config.bus),
            (Some(set), _) if !is_region(set) => bail!("`{set}` is no Region"),
            (set, of_arn) => set.clone().or(of_arn.map(str::to_owned)),
        };
        let aws = aws.assuming(config.assume_role.as_ref());
        Ok(Bus { config: config.clone(), region, aws, http, line: OnceCell::new() })
    }

    /// As the configuration has it.
    pub fn name(&self) -> &str {
        &self.config.bus
    }

    pub fn worth(&self) -> Worth {
        Worth { min_severity: self.config.min_severity, repeat_hours: self.config.repeat_hours }
    }

    pub fn drain_seconds(&self) -> u64 {
        self.config.drain_seconds
    }

    /// Puts the findings of a call onto the bus. Every way to fail is an answer.
    pub async fn send(&self, call: &Call) -> Answer {
        let open = || Line::open(&self.aws, SERVICE, self.region.as_deref(), self.http.clone());
        match self.line.get_or_try_init(open).await {
            Ok(line) => line.post(&HEADERS, body(&self.config.bus, call), |reply| read(&reply, call)).await,
            Err(answer) => answer,
        }
    }
}

/// The Region that a bus names in its ARN; an error where it is neither a name nor an ARN.
fn region(bus: &str) -> anyhow::Result<Option<&str>> {
    let is_name = |name: &str| {
        (1..=256).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/.-_".contains(&byte))
    };
    let parts: Vec<&str> = bus.splitn(6, ':').collect();
    match parts.as_slice() {
        [name] if is_name(name) => Ok(None),
        ["arn", partition, "events", region, account, name]
            if partition.starts_with("aws")
                && is_region(region)
                && is_account(account)
                && name.strip_prefix("event-bus/").is_some_and(is_name) =>
        {
            Ok(Some(region))
        }
        _ => bail!("a name, or arn:aws:events:REGION:ACCOUNT:event-bus/NAME"),
    }
}

/// The finding as `detail` has it.
///
/// # Errors
/// When it is too long for an event without its evidence.
pub fn form(finding: &Finding, now: Timestamp) -> Result<Outgoing, String> {
    detail::outgoing(finding, now, CALL_BYTES_MAX, |finding, json| {
        entry_bytes(json, finding.resources.iter().map(|resource| resource.0.as_str()))
    })
}

/// What AWS counts of an entry.
fn entry_bytes<'a>(detail: &str, resources: impl Iterator<Item = &'a str>) -> usize {
    let resources: usize = resources.filter(|name| is_arn(name)).map(str::len).sum();
    TIME_BYTES + SOURCE.len() + DETAIL_TYPE.len() + detail.len() + resources
}

/// Other names have no place among the resources of an event.
fn is_arn(name: &str) -> bool {
    name.starts_with("arn:")
}

/// An entry of PutEvents.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    /// Seconds since 1970.
    time: i64,
    source: &'a str,
    detail_type: &'a str,
    detail: &'a str,
    resources: Vec<String>,
    event_bus_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entries<'a> {
    entries: Vec<Entry<'a>>,
}

fn body(bus: &str, call: &Call) -> String {
    let entry = |detail| {
        let Detail { last_seen, resources, .. } = Detail::read(detail);
        Entry {
            time: Timestamp::parse(&last_seen).unwrap_or_default().0.div_euclid(1_000_000),
            source: SOURCE,
            detail_type: DETAIL_TYPE,
            detail,
            resources: resources.into_iter().filter(|name| is_arn(name)).collect(),
            event_bus_name: bus,
        }
    };
    let entries = call.findings.iter().map(|detail| entry(&**detail)).collect();
    serde_json::to_string(&Entries { entries }).expect("plain data has a JSON form")
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    entries: Vec<PutEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEntry {
    event_id: Option<String>,
    error_code: Option<String>,
    #[serde(default)]
    error_message: String,
}

/// The answer has an entry for each of the call's, in their order.
fn read(reply: &Reply, call: &Call) -> Answer {
    if reply.status != 200 {
        return refusal(reply);
    }
    let put = match serde_json::from_slice::<Put>(&reply.body) {
        Ok(put) => put,
        Err(error) => return unreadable(error),
    };
    if put.entries.len() != call.ids.len() {
        return unreadable(format!("what became of {} events, and {} were sent", put.entries.len(), call.ids.len()));
    }
    let mut failed = Vec::new();
    for (id, entry) in call.ids.iter().zip(put.entries) {
        match (entry.error_code, entry.event_id) {
            (None, Some(_)) => {}
            (code, _) => failed.push(Failed {
                id: id.clone(),
                code: code.unwrap_or_else(|| "InternalFailure".to_owned()),
                message: entry.error_message,
            }),
        }
    }
    match failed.first() {
        // the findings are not to blame
        Some(first) if failed.iter().all(Failed::is_denied) && failed.len() == call.ids.len() => {
            Answer::of_error(&first.code, &first.message)
        }
        _ => Answer::Taken { success_count: call.ids.len() - failed.len(), failed },
    }
}

#[cfg(test)]
mod tests;
