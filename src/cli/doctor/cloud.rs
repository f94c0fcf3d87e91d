//! What only AWS can tell: who we are, how far its clock is from ours, and which of the needed permissions there are.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;

use super::check::{Check, Status};
use crate::aws::identity::{Identity, identity};
use crate::aws::tried::Tried;
use crate::aws::{self, Aws, Role};
use crate::cli::configured::{each_way, sources};
use crate::config::{Config, Sinks};
use crate::pipeline::bucket;
use crate::sink;
use crate::sink::way::Way;
use crate::source::{Source, kinesis, s3};

/// All questions to one service are answered within this time, or it counts as one that does not answer.
const WAIT: Duration = Duration::from_secs(60);
/// AWS refuses signatures that are older or younger than this,
const SKEW_MAX: i64 = 5 * 60;
/// and a clock that is off by so much is not kept by anything.
const SKEW_WARNING: i64 = 60;

type Probe<'a> = Pin<Box<dyn Future<Output = Vec<Tried>> + 'a>>;

/// Asks everyone at the same time. What is wrong with the configuration itself is for others to tell.
pub async fn checks(config: &Config) -> Vec<Check> {
    let of_one = |from: &String| sources(&Config { from: vec![from.clone()], ..config.clone() }, true);
    let sources: Vec<Source> = config.from.iter().filter_map(|from| of_one(from).ok()).flatten().collect();
    let ways: Vec<_> = each_way(config).unwrap_or_default().into_iter().filter_map(Result::ok).collect();
    let aws = Aws::new(config.aws.clone());
    let mut roles = vec![None];
    let mut region = config.sink.security_hub.as_ref().map(|hub| hub.region.clone());
    let mut probes: Vec<(String, Probe)> = Vec::new();
    for source in &sources {
        match source {
            Source::File(_) => {}
            Source::Backfill(s3::backfill::Config { address, settings, .. }) => {
                roles.push(settings.assume_role.as_ref());
                probes.push((address.to_string(), Box::pin(s3::probe::prefix(address, settings, &aws))));
            }
            Source::Notices(s3::notices::Config { queue, settings, .. }) => {
                roles.push(settings.assume_role.as_ref());
                region = region.or(queue.region().map(str::to_owned));
                probes.push((queue.to_string(), Box::pin(s3::probe::queue(queue, settings, &aws))));
            }
            Source::Kinesis(config) => {
                roles.push(config.settings.assume_role.as_ref());
                region = region.or(config.stream.region().map(str::to_owned));
                probes.push((config.stream.to_string(), Box::pin(kinesis::probe::stream(config, &aws))));
            }
        }
    }
    // a topic and a bucket are not tried, and would not tell
    let Sinks { event_bridge, sns, webhook, s3, .. } = &config.sink;
    let of_bus = event_bridge.as_ref().and_then(|bus| bus.assume_role.as_ref());
    let of_topic = sns.as_ref().and_then(|topic| topic.assume_role.as_ref());
    let of_bucket = s3.as_ref().and_then(|bucket| bucket.assume_role.as_ref());
    let secret = webhook.as_ref().and_then(|hook| hook.url_secret.as_ref());
    let of_secret = secret.and_then(|secret| secret.assume_role.as_ref());
    roles.extend([of_bus, of_topic, of_secret, of_bucket].into_iter().filter(Option::is_some));
    if let Some(state) = &config.state {
        probes.push((format!("state {state}"), Box::pin(bucket::probe(state, &aws))));
    }
    let calls_aws = !probes.is_empty() || ways.iter().any(Way::calls_aws);
    for way in &ways {
        probes.push((way.said().to_owned(), Box::pin(sink::probe::way(way))));
    }
    let mut checks = match calls_aws {
        true => logins(&aws, &roles, region.as_deref()).await,
        false => vec![Check::ok("credentials", "none are needed: nothing of AWS is read or sent to")],
    };
    let found: Vec<Vec<Check>> = join_all(probes.into_iter().map(|(name, probe)| within(name, probe))).await;
    checks.extend(found.into_iter().flatten());
    checks
}

async fn within(name: String, probe: Probe<'_>) -> Vec<Check> {
    match timeout(WAIT, probe).await {
        Ok(tried) => tried.into_iter().map(Check::from).collect(),
        Err(_) => vec![Check::failed(name, format!("no answer in {} s: {LOOK_AT}", WAIT.as_secs()))],
    }
}

const LOOK_AT: &str = "check the network, proxies, VPC endpoints and `endpoint_url`";

/// Who we are with the credentials of `[aws]` and with each role that a source or sink takes on in their place.
async fn logins(aws: &Aws, roles: &[Option<&Role>], region: Option<&str>) -> Vec<Check> {
    let mut seen = BTreeSet::new();
    let mut checks = Vec::new();
    let mut ahead = None;
    for role in roles {
        let aws = aws.assuming(*role);
        if !seen.insert(aws.role().map(str::to_owned)) {
            continue;
        }
        let name = aws.role().map_or("credentials".to_owned(), |arn| format!("credentials of {arn}"));
        match timeout(WAIT, identity(&aws, region)).await {
            Ok(Identity { who, ahead_seconds, region }) => {
                ahead = ahead.or(ahead_seconds);
                checks.push(match who {
                    Ok(arn) => Check::ok(name, in_region(&arn, region.as_deref())),
                    Err(trouble) if aws.role().is_some() => Check::failed(name, of_role(&trouble)),
                    Err(trouble) => Check::failed(name, trouble.to_string()),
                });
            }
            Err(_) => checks.push(Check::failed(name, format!("no answer of STS in {} s: {LOOK_AT}", WAIT.as_secs()))),
        }
    }
    checks.push(clock(ahead));
    checks
}

/// With the Region, since AWS says of what is in another one that there is no such thing.
fn in_region(arn: &str, region: Option<&str>) -> String {
    match region {
        Some(region) => format!("{arn}; Region {region} for what names none"),
        None => arn.to_owned(),
    }
}

fn of_role(trouble: &aws::Trouble) -> String {
    format!(
        "{trouble}: the role's trust policy must name us and the external id, and we need sts:AssumeRole (deploy/iam/assume-role.json)"
    )
}

fn clock(ahead_seconds: Option<i64>) -> Check {
    let Some(ahead) = ahead_seconds else {
        return Check::new("clock", Status::Untried, "nobody at AWS has told the time");
    };
    let off = ahead.abs();
    let way = if ahead > 0 { "behind" } else { "ahead of" };
    let mend = "set it, and keep it with chrony or systemd-timesyncd";
    match off {
        0..=2 => Check::ok("clock", "it agrees with AWS's"),
        3..SKEW_WARNING => Check::ok("clock", format!("{off} s {way} AWS's")),
        SKEW_WARNING..SKEW_MAX => Check::new("clock", Status::Warning, format!("{off} s {way} AWS's: {mend}")),
        _ => Check::failed(
            "clock",
            format!("{off} s {way} AWS's, which refuses calls that are off by {SKEW_MAX}: {mend}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_by_five_minutes_fails() {
        let of = |ahead| {
            let check = clock(ahead);
            (check.status, check.says)
        };
        assert_eq!(of(Some(-2)), (Status::Ok, "it agrees with AWS's".to_owned()));
        assert_eq!(of(Some(59)), (Status::Ok, "59 s behind AWS's".to_owned()));
        assert_eq!(of(Some(60)).0, Status::Warning);
        assert_eq!(of(Some(-299)).0, Status::Warning);
        let says = "300 s ahead of AWS's, which refuses calls that are off by 300: set it, and keep it with chrony or \
                    systemd-timesyncd";
        assert_eq!(of(Some(-300)), (Status::Failed, says.to_owned()));
        assert_eq!(of(None).0, Status::Untried);
    }
}
