//! A finding → the AWS Security Finding Format, with only the fields that a provider may send.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::hub::Hub;
use super::resource::{Resource, resources};
use super::taxonomy;
use super::text::{Cuts, said};
use crate::finding::Finding;
use crate::rule::Severity;
use crate::time::Timestamp;
use crate::triage::prioritize::explanation;

/// A finding as BatchImportFindings takes it. What analysts own (`Note`, `UserDefinedFields`, `VerificationState`,
/// `Workflow`) is not in it, nor is what they may change at the top level: an import puts its own values for these into
/// `FindingProviderFields`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Asff {
    pub schema_version: &'static str,
    pub id: String,
    pub product_arn: String,
    pub product_name: &'static str,
    pub company_name: &'static str,
    pub generator_id: String,
    pub aws_account_id: String,
    pub created_at: String,
    pub updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_observed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_observed_at: Option<String>,
    pub title: String,
    pub description: String,
    pub finding_provider_fields: FindingProviderFields,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remediation: Option<Remediation>,
    pub resources: Vec<Resource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    pub record_state: RecordState,
    pub product_fields: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FindingProviderFields {
    /// Percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<u8>,
    pub severity: ProviderSeverity,
    pub types: Vec<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProviderSeverity {
    pub label: &'static str,
    /// The priority, 0 to 99.
    pub original: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Remediation {
    pub recommendation: Recommendation,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Recommendation {
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Action {
    pub action_type: &'static str,
    pub aws_api_call_action: AwsApiCallAction,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AwsApiCallAction {
    pub api: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_ip_details: Option<RemoteIpDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain_details: Option<DomainDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RemoteIpDetails {
    pub ip_address_v4: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DomainDetails {
    pub domain: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Network {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ip_v4: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ip_v6: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_ip_v4: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_ip_v6: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_port: Option<u16>,
}

/// Whether the finding holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordState {
    Active,
    /// It no longer holds. An import with [`RecordState::Active`] brings it back.
    Archived,
}

/// What a finding does not say of itself.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Where it is reported: the finding's own hub, or another that stands in for it.
    pub hub: &'a Hub,
    /// When the finding was sent first. Security Hub keeps the value of the first import.
    pub first_sent: Timestamp,
    /// Becomes `UpdatedAt`: an import with a time that is not later than that of the one before changes nothing.
    pub now: Timestamp,
    pub state: RecordState,
}

/// Longest finding, in bytes of JSON: the contract's 240 KB, read as the smaller of its meanings.
pub const FINDING_BYTES_MAX: usize = 240_000;

const PAIRS_MAX: usize = 50;
/// What was cut, the last of the product fields.
const CUT: &str = "weir/cut";

/// Fields that are missing are left out, text that is too long is cut, and `ProductFields` then names both under
/// `weir/cut`. The id depends on nothing but the finding's id: whatever else changes is an update.
pub fn from_finding(finding: &Finding, about: &About) -> Asff {
    let mut cuts = Cuts::default();
    let title = cuts.said("Title", &finding.title, 256).or_else(|| cuts.said("Title", &finding.rule, 256));
    let mut asff = Asff {
        schema_version: "2018-10-08",
        id: format!("weir/{}", finding.id),
        product_arn: about.hub.product_arn(),
        product_name: "Weir",
        company_name: "Weir",
        generator_id: cuts.cut("GeneratorId", format!("weir/{}", said(&finding.rule).unwrap_or_default()), 512),
        aws_account_id: about.hub.account().to_owned(),
        created_at: sent(about.first_sent),
        updated_at: sent(about.now),
        first_observed_at: observed(finding.first_seen),
        last_observed_at: observed(finding.last_seen),
        title: title.unwrap_or_else(|| format!("Finding {}", finding.id)),
        description: cuts.said("Description", &explanation(finding), 1024).expect("an explanation names the account"),
        finding_provider_fields: provider_fields(finding),
        remediation: cuts
            .said("Remediation", &finding.remedy, 512)
            .map(|text| Remediation { recommendation: Recommendation { text } }),
        resources: resources(finding, about.hub, &mut cuts),
        action: action(finding, &mut cuts),
        network: network(finding),
        record_state: about.state,
        product_fields: BTreeMap::new(),
    };
    asff.product_fields = product_fields(finding, about.hub, &mut cuts);
    asff.fit(cuts);
    asff
}

impl Asff {
    /// The finding as one JSON object, at most [`FINDING_BYTES_MAX`] long.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("plain data has a JSON form")
    }

    /// Leaves out the longest product fields until the finding is small enough, and says what was cut. What is left
    /// without them is smaller: 32 resources with names of four-byte characters are 190 KB.
    fn fit(&mut self, mut cuts: Cuts) {
        loop {
            if let Some(line) = cuts.line() {
                let line = Cuts::default().cut(CUT, line, 2048);
                self.product_fields.insert(CUT.to_owned(), line);
            }
            if self.json().len() <= FINDING_BYTES_MAX {
                return;
            }
            let fields = self.product_fields.iter().filter(|(name, _)| *name != CUT);
            let longest = fields.max_by_key(|(_, value)| value.len()).map(|(name, _)| name.clone());
            let longest = longest.expect("a finding without product fields is below the limit");
            self.product_fields.remove(&longest);
            cuts.note("ProductFields (the longest left out)");
        }
    }
}

/// A time of ours. Clocks before 1970 or past 9999 are wrong, and ASFF has no form for the latter.
fn sent(time: Timestamp) -> String {
    Timestamp(time.0.clamp(0, LAST.0)).to_string()
}

/// A time of a log; none for rows that have none, which count as 1970.
fn observed(time: Timestamp) -> Option<String> {
    (time.0 > 0 && time <= LAST).then(|| time.to_string())
}

/// 9999-12-31T23:59:59Z: years have four digits.
const LAST: Timestamp = Timestamp(253_402_300_799_000_000);

fn provider_fields(finding: &Finding) -> FindingProviderFields {
    let table = finding.rule.split('/').next().unwrap_or_default();
    let label = match finding.severity {
        Severity::Informational => "INFORMATIONAL",
        Severity::Low => "LOW",
        Severity::Medium => "MEDIUM",
        Severity::High => "HIGH",
        Severity::Critical => "CRITICAL",
    };
    // log2 odds
    let percent = |bits: f64| (100.0 / (1.0 + (-bits).exp2())).round() as u8;
    FindingProviderFields {
        confidence: finding.terms.iter().find(|term| term.name == "precision").map(|term| percent(term.bits)),
        severity: ProviderSeverity { label, original: finding.priority.to_string() },
        types: taxonomy::types(&finding.tags, table),
    }
}

/// The value of a selected column.
fn evidence<'a>(finding: &'a Finding, name: &str) -> Option<&'a str> {
    finding.evidence.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The API call, where the rule selected its name.
fn action(finding: &Finding, cuts: &mut Cuts) -> Option<Action> {
    let api = cuts.said("Action", evidence(finding, "eventname")?, 128)?;
    let source = finding.source_ip.as_deref().and_then(said);
    let address: Option<IpAddr> = source.as_deref().and_then(|text| text.parse().ok());
    let domain = source.filter(|text| address.is_none() && text.ends_with(".amazonaws.com"));
    let caller_type = address.map(|_| "remoteip").or(domain.as_ref().map(|_| "domain"));
    let call = AwsApiCallAction {
        api,
        service_name: evidence(finding, "eventsource").and_then(|text| cuts.said("Action", text, 128)),
        caller_type,
        remote_ip_details: address.and_then(|address| match address.to_canonical() {
            IpAddr::V4(address) => Some(RemoteIpDetails { ip_address_v4: address.to_string() }),
            IpAddr::V6(_) => None,
        }),
        domain_details: domain.map(|domain| DomainDetails { domain: cuts.cut("Action", domain, 128) }),
        first_seen: observed(finding.first_seen),
        last_seen: observed(finding.last_seen),
    };
    Some(Action { action_type: "AWS_API_CALL", aws_api_call_action: call })
}

/// Both ends of the flow, or where the caller was; none without an address.
fn network(finding: &Finding) -> Option<Network> {
    let address = |text: &str| text.trim().parse::<IpAddr>().ok().map(|address| address.to_canonical());
    let column = |name| evidence(finding, name);
    let source = column("srcaddr").or(finding.source_ip.as_deref()).and_then(address);
    let target = column("dstaddr").and_then(address);
    let port = |name| column(name).and_then(|text| text.parse().ok());
    let v4 = |end: Option<IpAddr>| end.filter(IpAddr::is_ipv4).map(|address| address.to_string());
    let v6 = |end: Option<IpAddr>| end.filter(IpAddr::is_ipv6).map(|address| address.to_string());
    (source.is_some() || target.is_some()).then(|| Network {
        direction: direction(column("flow_direction"), source, target),
        protocol: column("protocol").and_then(|number| match number {
            "1" => Some("ICMP"),
            "6" => Some("TCP"),
            "17" => Some("UDP"),
            _ => None,
        }),
        source_ip_v4: v4(source),
        source_ip_v6: v6(source),
        source_port: port("srcport"),
        destination_ip_v4: v4(target),
        destination_ip_v6: v6(target),
        destination_port: port("dstport"),
    })
}

/// What the log says, or, of a flow between a private and a public address, which end is ours.
fn direction(said: Option<&str>, source: Option<IpAddr>, target: Option<IpAddr>) -> Option<&'static str> {
    match (said, source.map(is_private), target.map(is_private)) {
        (Some("ingress"), ..) | (_, Some(false), Some(true)) => Some("IN"),
        (Some("egress"), ..) | (_, Some(true), Some(false)) => Some("OUT"),
        _ => None,
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_link_local() || address.is_loopback(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local() || address.is_loopback(),
    }
}

/// Our own fields, as `weir/NAME`: what ASFF has no field for, the terms of the priority, then the evidence as far as
/// there is room.
fn product_fields(finding: &Finding, hub: &Hub, cuts: &mut Cuts) -> BTreeMap<String, String> {
    let event_ids: Vec<&str> = finding.events().into_iter().map(|(_, id)| id).collect();
    let mut fields = vec![
        ("rule".to_owned(), finding.rule.clone()),
        ("priority".into(), finding.priority.to_string()),
        ("confidence".into(), finding.confidence.as_str().to_owned()),
        ("count".into(), finding.count.to_string()),
        ("first_seen".into(), observed(finding.first_seen).unwrap_or_default()),
        ("last_seen".into(), observed(finding.last_seen).unwrap_or_default()),
        ("actor".into(), finding.actor.clone().unwrap_or_default()),
        ("sessions".into(), finding.sessions.join(" ")),
        ("assumed_by".into(), finding.assumed_by.join(" ")),
        ("source_ip".into(), finding.source_ip.clone().unwrap_or_default()),
        ("event_ids".into(), event_ids.join(" ")),
        ("tags".into(), finding.tags.join(" ")),
    ];
    // where a hub stands in for the finding's own
    if (finding.account.as_str(), finding.region.as_str()) != (hub.account(), hub.region()) {
        fields.push(("account".into(), finding.account.clone()));
        fields.push(("region".into(), finding.region.clone()));
    }
    let term =
        |term: &crate::finding::Term| (format!("bits.{}", term.name), format!("{:+.1} ({})", term.bits, term.why));
    fields.extend(finding.terms.iter().map(term));
    let evidence = |(name, value): &(String, String)| Some((format!("evidence.{}", said(name)?), value.clone()));
    fields.extend(finding.evidence.iter().filter_map(evidence));

    let mut pairs = BTreeMap::new();
    let mut left_out = 0;
    for (name, value) in fields {
        let Some(value) = cuts.said(&name, &value, 2048) else { continue };
        let name = cuts.cut("ProductFields", format!("weir/{name}"), 128);
        // one pair is kept free for what was cut
        if pairs.len() < PAIRS_MAX - 1 && !pairs.contains_key(&name) {
            pairs.insert(name, value);
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        cuts.note(&format!("ProductFields ({left_out} left out)"));
    }
    pairs
}
