//! What a finding is about → ASFF resources, named and typed so that Security Hub shows and links them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::hub::{Hub, is_account, is_region};
use super::text::{Cuts, said};
use crate::finding::Finding;

/// A resource of a finding, as ASFF has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Resource {
    pub r#type: &'static str,
    pub id: String,
    pub partition: &'static str,
    pub region: String,
    /// The member named like the type, or `Other`, and what is known of the resource.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<&'static str, BTreeMap<&'static str, String>>,
}

/// Resources of a finding at most, as ASFF has it.
pub const RESOURCES_MAX: usize = 32;

/// Longest id, in characters. ASFF states none; this holds the ARN of an S3 object whose key is as long as keys may be.
const ID_CHARS_MAX: usize = 1152;
/// Longest name among details, in characters, so that 32 resources stay far below the size of a finding.
const NAME_CHARS_MAX: usize = 256;

/// Services and kinds as ARNs have them, the resource type, and the member of its details that is the name, where there is
/// one. From the members of `ResourceDetails` in the service model.
const TYPES: &[(&str, &str, &str, &str)] = &[
    ("athena", "workgroup", "AwsAthenaWorkGroup", "Name"),
    ("backup", "backup-vault", "AwsBackupBackupVault", "BackupVaultName"),
    ("backup", "recovery-point", "AwsBackupRecoveryPoint", ""),
    ("cloudformation", "stack", "AwsCloudFormationStack", ""),
    ("cloudtrail", "trail", "AwsCloudTrailTrail", "Name"),
    ("cloudwatch", "alarm", "AwsCloudWatchAlarm", "AlarmName"),
    ("dynamodb", "table", "AwsDynamoDbTable", "TableName"),
    ("ec2", "elastic-ip", "AwsEc2Eip", "AllocationId"),
    ("ec2", "instance", "AwsEc2Instance", ""),
    ("ec2", "launch-template", "AwsEc2LaunchTemplate", "Id"),
    ("ec2", "network-acl", "AwsEc2NetworkAcl", "NetworkAclId"),
    ("ec2", "network-interface", "AwsEc2NetworkInterface", "NetworkInterfaceId"),
    ("ec2", "route-table", "AwsEc2RouteTable", "RouteTableId"),
    ("ec2", "security-group", "AwsEc2SecurityGroup", "GroupId"),
    ("ec2", "subnet", "AwsEc2Subnet", "SubnetId"),
    ("ec2", "transit-gateway", "AwsEc2TransitGateway", "Id"),
    ("ec2", "volume", "AwsEc2Volume", "VolumeId"),
    ("ec2", "vpc", "AwsEc2Vpc", ""),
    ("ec2", "vpc-peering-connection", "AwsEc2VpcPeeringConnection", "VpcPeeringConnectionId"),
    ("ecr", "repository", "AwsEcrRepository", "RepositoryName"),
    ("ecs", "cluster", "AwsEcsCluster", "ClusterName"),
    ("ecs", "service", "AwsEcsService", ""),
    ("ecs", "task", "AwsEcsTask", ""),
    ("ecs", "task-definition", "AwsEcsTaskDefinition", ""),
    ("eks", "cluster", "AwsEksCluster", "Name"),
    ("elasticfilesystem", "access-point", "AwsEfsAccessPoint", "AccessPointId"),
    ("es", "domain", "AwsOpenSearchServiceDomain", "DomainName"),
    ("events", "event-bus", "AwsEventsEventbus", "Name"),
    ("guardduty", "detector", "AwsGuardDutyDetector", ""),
    ("iam", "group", "AwsIamGroup", "GroupName"),
    ("iam", "policy", "AwsIamPolicy", "PolicyName"),
    ("iam", "role", "AwsIamRole", "RoleName"),
    ("iam", "user", "AwsIamUser", "UserName"),
    ("kinesis", "stream", "AwsKinesisStream", "Name"),
    ("kms", "key", "AwsKmsKey", "KeyId"),
    ("lambda", "function", "AwsLambdaFunction", "FunctionName"),
    ("lambda", "layer", "AwsLambdaLayerVersion", ""),
    ("rds", "cluster", "AwsRdsDbCluster", "DbClusterIdentifier"),
    ("rds", "cluster-snapshot", "AwsRdsDbClusterSnapshot", "DbClusterSnapshotIdentifier"),
    ("rds", "db", "AwsRdsDbInstance", "DBInstanceIdentifier"),
    ("rds", "snapshot", "AwsRdsDbSnapshot", "DbSnapshotIdentifier"),
    ("redshift", "cluster", "AwsRedshiftCluster", "ClusterIdentifier"),
    ("route53", "hostedzone", "AwsRoute53HostedZone", ""),
    ("s3", "accesspoint", "AwsS3AccessPoint", "Name"),
    ("s3", "bucket", "AwsS3Bucket", "Name"),
    ("s3", "object", "AwsS3Object", ""),
    ("secretsmanager", "secret", "AwsSecretsManagerSecret", ""),
    ("sns", "topic", "AwsSnsTopic", "TopicName"),
    ("sqs", "queue", "AwsSqsQueue", "QueueName"),
    ("states", "stateMachine", "AwsStepFunctionStateMachine", "Name"),
    ("wafv2", "webacl", "AwsWafv2WebAcl", ""),
];

/// Ids of EC2 resources begin with their kind; the rest are hexadecimal digits.
const EC2_IDS: &[(&str, &str)] = &[
    ("acl", "network-acl"),
    ("ami", "image"),
    ("eipalloc", "elastic-ip"),
    ("eni", "network-interface"),
    ("fl", "vpc-flow-log"),
    ("i", "instance"),
    ("lt", "launch-template"),
    ("pcx", "vpc-peering-connection"),
    ("rtb", "route-table"),
    ("sg", "security-group"),
    ("snap", "snapshot"),
    ("subnet", "subnet"),
    ("tgw", "transit-gateway"),
    ("vol", "volume"),
    ("vpc", "vpc"),
];

/// The resources of a finding that is reported to `hub`: distinct, at least one, at most [`RESOURCES_MAX`], with those
/// first that Security Hub knows the type of, because lists show the first. A finding that names no resource is about its
/// actor if that has an ARN, and about the account otherwise.
pub fn resources(finding: &Finding, hub: &Hub, cuts: &mut Cuts) -> Vec<Resource> {
    let own = Hub::of(finding);
    let named = |text: &str| said(text).map(|text| name(&text, finding, own.as_ref()));
    let mut all: Vec<Named> = finding.resources.iter().filter_map(|resource| named(&resource.0)).collect();
    if all.is_empty() {
        let actor = finding.actor.as_deref().and_then(named).filter(|actor| actor.r#type != "Other");
        let account = if is_account(&finding.account) { &finding.account } else { hub.account() };
        all.push(actor.unwrap_or_else(|| Named::account(account)));
    }
    all.sort_by_key(|named| match named.r#type {
        "Other" => 2,
        "AwsAccount" => 1,
        _ => 0,
    });
    let mut seen = BTreeSet::new();
    let mut resources: Vec<Resource> = all.into_iter().map(|named| named.resource(hub, cuts)).collect();
    resources.retain(|resource| seen.insert((resource.r#type, resource.id.clone())));
    if resources.len() > RESOURCES_MAX {
        cuts.note(&format!("Resources ({} left out)", resources.len() - RESOURCES_MAX));
        resources.truncate(RESOURCES_MAX);
    }
    resources
}

/// A resource with its type known.
struct Named {
    r#type: &'static str,
    id: String,
    region: Option<String>,
    partition: Option<&'static str>,
    /// Members of its details.
    details: Vec<(&'static str, String)>,
}

impl Named {
    fn account(account: &str) -> Named {
        Named::plain("AwsAccount", format!("AWS::::Account:{account}"))
    }

    fn plain(r#type: &'static str, id: String) -> Named {
        Named { r#type, id, region: None, partition: None, details: Vec::new() }
    }

    fn resource(self, hub: &Hub, cuts: &mut Cuts) -> Resource {
        let detail = |(member, text): (&'static str, String)| {
            cuts.said("Resources.Details", &text, NAME_CHARS_MAX).map(|text| (member, text))
        };
        let details: BTreeMap<_, _> = self.details.into_iter().filter_map(detail).collect();
        Resource {
            r#type: self.r#type,
            id: cuts.cut("Resources.Id", self.id, ID_CHARS_MAX),
            partition: self.partition.unwrap_or(hub.partition()),
            region: self.region.unwrap_or_else(|| hub.region().to_owned()),
            details: if details.is_empty() { BTreeMap::new() } else { BTreeMap::from([(self.r#type, details)]) },
        }
    }
}

/// Types a resource. What has no ARN in the log gets the one it has in AWS where account and Region say it.
fn name(text: &str, finding: &Finding, own: Option<&Hub>) -> Named {
    if let Some(arn) = Arn::parse(text) {
        return arn.named(text);
    }
    if is_account(text) {
        return Named::account(text);
    }
    if is_access_key(text) {
        let key = Named::plain("AwsIamAccessKey", text.to_owned());
        return Named { details: vec![("AccessKeyId", text.to_owned())], ..key };
    }
    let table = finding.rule.split('/').next().unwrap_or_default();
    let arn = arn_of_queue(text).or_else(|| arn_of_name(text, table, own?));
    match arn.as_deref().and_then(Arn::parse) {
        Some(parsed) => parsed.named(arn.as_deref().unwrap_or_default()),
        None => untyped(text),
    }
}

/// The ARN of what a log calls by its name within an account and Region.
fn arn_of_name(text: &str, table: &str, own: &Hub) -> Option<String> {
    let (partition, region, account) = (own.partition(), own.region(), own.account());
    let is_iam = |kind: &str| text.strip_prefix(kind).is_some_and(is_iam_name);
    match ec2_kind(text) {
        // these are named without an account
        Some(kind @ ("image" | "snapshot")) => Some(format!("arn:{partition}:ec2:{region}::{kind}/{text}")),
        Some(kind) => Some(format!("arn:{partition}:ec2:{region}:{account}:{kind}/{text}")),
        None if ["user/", "role/", "group/"].into_iter().any(is_iam) => {
            Some(format!("arn:{partition}:iam::{account}:{text}"))
        }
        None if table == "glue_job_run" => Some(format!("arn:{partition}:glue:{region}:{account}:job/{text}")),
        None => None,
    }
}

/// The ARN of a queue by its URL, `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`.
fn arn_of_queue(text: &str) -> Option<String> {
    let (region, rest) = text.strip_prefix("https://sqs.")?.split_once(".amazonaws.com")?;
    let (account, queue) = rest.trim_start_matches(".cn").strip_prefix('/')?.split_once('/')?;
    let hub = Hub::new(account, region)?;
    Some(format!("arn:{}:sqs:{region}:{account}:{queue}", hub.partition()))
}

/// A resource known by a bare name: its type where the name itself tells it.
fn untyped(text: &str) -> Named {
    let of_kind = |kind| TYPES.iter().find(|(service, known, ..)| *service == "ec2" && *known == kind);
    match ec2_kind(text).and_then(of_kind) {
        Some((.., r#type, member)) => {
            let details = if member.is_empty() { Vec::new() } else { vec![(*member, text.to_owned())] };
            Named { details, ..Named::plain(r#type, text.to_owned()) }
        }
        None => Named { details: vec![("Name", text.to_owned())], ..Named::plain("Other", text.to_owned()) },
    }
}

fn ec2_kind(text: &str) -> Option<&'static str> {
    let (prefix, digits) = text.split_once('-')?;
    let is_hex = digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    EC2_IDS.iter().find(|(known, _)| is_hex && *known == prefix).map(|(_, kind)| *kind)
}

/// AKIA for users, ASIA for sessions.
fn is_access_key(text: &str) -> bool {
    let id = text.strip_prefix("AKIA").or_else(|| text.strip_prefix("ASIA"));
    id.is_some_and(|id| id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()))
}

/// A name of IAM, paths allowed.
fn is_iam_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-/".contains(&byte))
}

struct Arn<'a> {
    partition: &'a str,
    service: &'a str,
    region: &'a str,
    account: &'a str,
    kind: &'a str,
    name: &'a str,
}

impl<'a> Arn<'a> {
    fn parse(text: &'a str) -> Option<Arn<'a>> {
        let mut parts = text.splitn(6, ':');
        let ["arn", partition, service, region, account, resource] =
            std::array::from_fn(|_| parts.next().unwrap_or(""))
        else {
            return None;
        };
        if resource.is_empty() {
            return None;
        }
        let (kind, name) = match service {
            "s3" if !account.is_empty() => resource.split_once(['/', ':']).unwrap_or((resource, "")),
            "s3" if resource.contains('/') => ("object", resource),
            "s3" => ("bucket", resource),
            // an ARN below that of a topic is a subscription's
            "sns" if !resource.contains(':') => ("topic", resource),
            "sqs" => ("queue", resource),
            "wafv2" => resource.split_once('/').and_then(|(_, rest)| rest.split_once('/')).unwrap_or((resource, "")),
            _ => resource.split_once(['/', ':']).unwrap_or((resource, "")),
        };
        Some(Arn { partition, service, region, account, kind, name })
    }

    fn named(&self, text: &str) -> Named {
        if (self.service, self.kind) == ("iam", "root") && is_account(self.account) {
            return Named::account(self.account);
        }
        let known = TYPES.iter().find(|(service, kind, ..)| *service == self.service && *kind == self.kind);
        let (r#type, details) = match known {
            Some((.., r#type, "")) => (*r#type, Vec::new()),
            Some((.., r#type, member)) => (*r#type, vec![(*member, self.short_name().to_owned())]),
            None => ("Other", vec![("Service", self.service.to_owned()), ("Name", self.last_name().to_owned())]),
        };
        let partition = ["aws", "aws-cn", "aws-us-gov"].into_iter().find(|known| *known == self.partition);
        let region = is_region(self.region).then(|| self.region.to_owned());
        Named { r#type, id: text.to_owned(), region, partition, details }
    }

    /// The name that the service's API takes: IAM's without its path, Lambda's without its version, DynamoDB's without its index.
    fn short_name(&self) -> &'a str {
        match self.service {
            "iam" => self.name.rsplit('/').next().unwrap_or(self.name),
            "lambda" | "dynamodb" => self.name.split([':', '/']).next().unwrap_or(self.name),
            _ => self.name,
        }
    }

    fn last_name(&self) -> &'a str {
        if self.name.is_empty() { self.kind } else { self.name }
    }
}

#[cfg(test)]
mod tests;
