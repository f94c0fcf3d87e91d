//! The contract of an ASFF finding as a table: its fields, and what each may hold. From the service model securityhub
//! 2018-10-26 and the API reference of `AwsSecurityFinding`; what [`super::validate`] knows, it knows from here.

/// What a field may hold. Numbers are limits that a value may reach.
pub enum Shape {
    /// Text of so many characters, one of them not blank.
    Text(usize, usize),
    /// One of these words.
    Word(&'static [&'static str]),
    /// RFC 3339 with a zone.
    Time,
    Integer(i64, i64),
    Number,
    Bool,
    /// 12 digits.
    Account,
    /// `arn:PARTITION:securityhub:REGION:ACCOUNT:product/COMPANY/PRODUCT`
    ProductArn,
    /// `namespace`, `namespace/category` or `namespace/category/classifier`.
    FindingType,
    IpV4,
    IpV6,
    /// Text of at most 2048 characters that begins with `https://`.
    Https,
    /// Names and texts: so many pairs, and so many characters in a name and in a text.
    Pairs(usize, usize, usize),
    /// So many of one shape.
    List(usize, usize, &'static Shape),
    /// Members of [`DETAILS`], and `Other`.
    Details,
    /// These fields, and no others.
    Object(&'static [Field]),
    /// What the contract leaves open: no text in it is blank, and nothing is null.
    Open,
}

pub enum Field {
    Needed(&'static str, Shape),
    Optional(&'static str, Shape),
}

use Field::{Needed, Optional};
use Shape::*;

/// Text whose length the contract leaves open.
const ANY_TEXT: Shape = Text(1, usize::MAX);
const ANY_INTEGER: Shape = Integer(i32::MIN as i64, i32::MAX as i64);
const PERCENT: Shape = Integer(0, 100);
const PORT: Shape = Integer(0, 65_535);
const PARTITION: Shape = Word(&["aws", "aws-cn", "aws-us-gov"]);
const LABEL: Shape = Word(&["INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"]);
const TYPES: Shape = List(0, 50, &FindingType);
const RELATED: Shape = List(1, 10, &Object(&[Needed("ProductArn", Text(12, 2048)), Needed("Id", Text(1, 512))]));

pub const NAMESPACES: &[&str] =
    &["Software and Configuration Checks", "TTPs", "Effects", "Unusual Behaviors", "Sensitive Data Identifications"];

pub const FINDING: Shape = Object(&[
    Needed("SchemaVersion", Word(&["2018-10-08"])),
    Needed("Id", Text(1, 512)),
    Needed("ProductArn", ProductArn),
    Needed("GeneratorId", Text(1, 512)),
    Needed("AwsAccountId", Account),
    Needed("CreatedAt", Time),
    Needed("UpdatedAt", Time),
    Needed("Title", Text(1, 256)),
    Needed("Description", Text(1, 1024)),
    Needed("Resources", List(1, 32, &RESOURCE)),
    Optional("ProductName", Text(1, 128)),
    Optional("CompanyName", Text(1, 128)),
    Optional("AwsAccountName", Text(1, 50)),
    Optional("Region", Text(1, 16)),
    Optional("Types", TYPES),
    Optional("FirstObservedAt", Time),
    Optional("LastObservedAt", Time),
    Optional("ProcessedAt", Time),
    Optional("Severity", SEVERITY),
    Optional("Confidence", PERCENT),
    Optional("Criticality", PERCENT),
    Optional("FindingProviderFields", PROVIDER_FIELDS),
    Optional("Remediation", Object(&[Optional("Recommendation", RECOMMENDATION)])),
    Optional("SourceUrl", Text(1, 2048)),
    Optional("ProductFields", Pairs(50, 128, 2048)),
    Optional("UserDefinedFields", Pairs(50, 128, 1024)),
    Optional("Malware", List(0, 5, &MALWARE)),
    Optional("Network", NETWORK),
    Optional("NetworkPath", Open),
    Optional("Process", PROCESS),
    Optional("Threats", List(1, 32, &THREAT)),
    Optional("ThreatIntelIndicators", List(1, 5, &INDICATOR)),
    Optional("Compliance", COMPLIANCE),
    Optional("VerificationState", Word(&["UNKNOWN", "TRUE_POSITIVE", "FALSE_POSITIVE", "BENIGN_POSITIVE"])),
    Optional("WorkflowState", Word(&["NEW", "ASSIGNED", "IN_PROGRESS", "DEFERRED", "RESOLVED"])),
    Optional("Workflow", Object(&[Optional("Status", Word(&["NEW", "NOTIFIED", "RESOLVED", "SUPPRESSED"]))])),
    Optional("RecordState", Word(&["ACTIVE", "ARCHIVED"])),
    Optional("RelatedFindings", RELATED),
    Optional("Note", NOTE),
    Optional("Vulnerabilities", Open),
    Optional("PatchSummary", Open),
    Optional("Action", ACTION),
    Optional("Sample", Bool),
    Optional("GeneratorDetails", Open),
    Optional("Detection", Open),
]);

const SEVERITY: Shape = Object(&[
    Optional("Label", LABEL),
    Optional("Normalized", PERCENT),
    Optional("Product", Number),
    Optional("Original", Text(1, 64)),
]);

const PROVIDER_FIELDS: Shape = Object(&[
    Optional("Confidence", PERCENT),
    Optional("Criticality", PERCENT),
    Optional("RelatedFindings", RELATED),
    Optional("Severity", Object(&[Optional("Label", LABEL), Optional("Original", Text(1, 64))])),
    Optional("Types", TYPES),
]);

const RECOMMENDATION: Shape = Object(&[Optional("Text", Text(1, 512)), Optional("Url", Https)]);

const NOTE: Shape =
    Object(&[Needed("Text", Text(1, 512)), Needed("UpdatedBy", Text(1, 512)), Needed("UpdatedAt", Time)]);

const MALWARE_TYPES: &[&str] = &[
    "ADWARE",
    "BLENDED_THREAT",
    "BOTNET_AGENT",
    "COIN_MINER",
    "EXPLOIT_KIT",
    "KEYLOGGER",
    "MACRO",
    "POTENTIALLY_UNWANTED",
    "SPYWARE",
    "RANSOMWARE",
    "REMOTE_ACCESS",
    "ROOTKIT",
    "TROJAN",
    "VIRUS",
    "WORM",
];

const MALWARE: Shape = Object(&[
    Needed("Name", Text(1, 64)),
    Optional("Type", Word(MALWARE_TYPES)),
    Optional("Path", Text(1, 512)),
    Optional("State", Word(&["OBSERVED", "REMOVAL_FAILED", "REMOVED"])),
]);

const THREAT: Shape = Object(&[
    Optional("Name", Text(1, 128)),
    Optional("Severity", Text(1, 128)),
    Optional("ItemCount", ANY_INTEGER),
    Optional(
        "FilePaths",
        List(
            1,
            5,
            &Object(&[
                Optional("FilePath", Text(1, 128)),
                Optional("FileName", Text(1, 128)),
                Optional("ResourceId", Text(1, 128)),
                Optional("Hash", Text(1, 128)),
            ]),
        ),
    ),
]);

const INDICATOR_TYPES: &[&str] = &[
    "DOMAIN",
    "EMAIL_ADDRESS",
    "HASH_MD5",
    "HASH_SHA1",
    "HASH_SHA256",
    "HASH_SHA512",
    "IPV4_ADDRESS",
    "IPV6_ADDRESS",
    "MUTEX",
    "PROCESS",
    "URL",
];

const INDICATOR_CATEGORIES: &[&str] =
    &["BACKDOOR", "CARD_STEALER", "COMMAND_AND_CONTROL", "DROP_SITE", "EXPLOIT_SITE", "KEYLOGGER"];

const INDICATOR: Shape = Object(&[
    Optional("Type", Word(INDICATOR_TYPES)),
    Optional("Value", Text(1, 512)),
    Optional("Category", Word(INDICATOR_CATEGORIES)),
    Optional("LastObservedAt", Time),
    Optional("Source", Text(1, 64)),
    Optional("SourceUrl", ANY_TEXT),
]);

const PROCESS: Shape = Object(&[
    Optional("Name", Text(1, 64)),
    Optional("Path", Text(1, 512)),
    Optional("Pid", ANY_INTEGER),
    Optional("ParentPid", ANY_INTEGER),
    Optional("LaunchedAt", Time),
    Optional("TerminatedAt", Time),
]);

const NETWORK: Shape = Object(&[
    Optional("Direction", Word(&["IN", "OUT"])),
    Optional("Protocol", Text(1, 16)),
    Optional("OpenPortRange", Object(&[Optional("Begin", PORT), Optional("End", PORT)])),
    Optional("SourceIpV4", IpV4),
    Optional("SourceIpV6", IpV6),
    Optional("SourcePort", PORT),
    Optional("SourceDomain", Text(1, 128)),
    Optional("SourceMac", ANY_TEXT),
    Optional("DestinationIpV4", IpV4),
    Optional("DestinationIpV6", IpV6),
    Optional("DestinationPort", PORT),
    Optional("DestinationDomain", Text(1, 128)),
]);

const COMPLIANCE: Shape = Object(&[
    Optional("Status", Word(&["PASSED", "WARNING", "FAILED", "NOT_AVAILABLE"])),
    Optional("RelatedRequirements", List(0, 32, &ANY_TEXT)),
    Optional(
        "StatusReasons",
        List(0, usize::MAX, &Object(&[Needed("ReasonCode", ANY_TEXT), Optional("Description", ANY_TEXT)])),
    ),
    Optional("SecurityControlId", ANY_TEXT),
    Optional("AssociatedStandards", List(0, usize::MAX, &Object(&[Optional("StandardsId", ANY_TEXT)]))),
    Optional(
        "SecurityControlParameters",
        List(0, usize::MAX, &Object(&[Optional("Name", ANY_TEXT), Optional("Value", List(0, usize::MAX, &ANY_TEXT))])),
    ),
]);

const ACTION: Shape = Object(&[
    Optional("ActionType", Word(&["NETWORK_CONNECTION", "AWS_API_CALL", "DNS_REQUEST", "PORT_PROBE"])),
    Optional("AwsApiCallAction", API_CALL),
    Optional("NetworkConnectionAction", CONNECTION),
    Optional(
        "DnsRequestAction",
        Object(&[Optional("Domain", Text(1, 128)), Optional("Protocol", Text(1, 64)), Optional("Blocked", Bool)]),
    ),
    Optional("PortProbeAction", Object(&[Optional("PortProbeDetails", Open), Optional("Blocked", Bool)])),
]);

/// Where `ActionType` points to.
pub const ACTION_MEMBERS: &[(&str, &str)] = &[
    ("NETWORK_CONNECTION", "NetworkConnectionAction"),
    ("AWS_API_CALL", "AwsApiCallAction"),
    ("DNS_REQUEST", "DnsRequestAction"),
    ("PORT_PROBE", "PortProbeAction"),
];

const REMOTE_IP: Shape = Object(&[
    Optional("IpAddressV4", IpV4),
    Optional("Organization", Open),
    Optional("Country", Open),
    Optional("City", Open),
    Optional("GeoLocation", Open),
]);

const API_CALL: Shape = Object(&[
    Optional("Api", Text(1, 128)),
    Optional("ServiceName", Text(1, 128)),
    Optional("CallerType", ANY_TEXT),
    Optional("RemoteIpDetails", REMOTE_IP),
    Optional("DomainDetails", Object(&[Optional("Domain", Text(1, 128))])),
    Optional("AffectedResources", Pairs(usize::MAX, usize::MAX, usize::MAX)),
    Optional("FirstSeen", Time),
    Optional("LastSeen", Time),
]);

const END: Shape = Object(&[Optional("Port", PORT), Optional("PortName", Text(1, 128))]);

const CONNECTION: Shape = Object(&[
    Optional("ConnectionDirection", Word(&["IN", "OUT"])),
    Optional("RemoteIpDetails", REMOTE_IP),
    Optional("RemotePortDetails", END),
    Optional("LocalPortDetails", END),
    Optional("Protocol", Text(1, 64)),
    Optional("Blocked", Bool),
]);

const RESOURCE: Shape = Object(&[
    Needed("Type", Text(1, 256)),
    Needed("Id", ANY_TEXT),
    Optional("Partition", PARTITION),
    Optional("Region", Text(1, 16)),
    Optional("ResourceRole", ANY_TEXT),
    Optional("Tags", Pairs(50, 128, 256)),
    Optional("DataClassification", Open),
    Optional("Details", Details),
    Optional("ApplicationName", ANY_TEXT),
    Optional("ApplicationArn", ANY_TEXT),
]);

/// `Resource.Details.Other`. The user guide says fewer than 128 characters in a name and fewer than 1,024 in a value.
pub const OTHER_DETAILS: Shape = Pairs(50, 127, 1023);

/// Members of `Resource.Details` besides `Other`; what is inside them is open.
pub const DETAILS: &[&str] = &[
    "AwsAmazonMqBroker",
    "AwsApiGatewayRestApi",
    "AwsApiGatewayStage",
    "AwsApiGatewayV2Api",
    "AwsApiGatewayV2Stage",
    "AwsAppSyncGraphQlApi",
    "AwsAthenaWorkGroup",
    "AwsAutoScalingAutoScalingGroup",
    "AwsAutoScalingLaunchConfiguration",
    "AwsBackupBackupPlan",
    "AwsBackupBackupVault",
    "AwsBackupRecoveryPoint",
    "AwsCertificateManagerCertificate",
    "AwsCloudFormationStack",
    "AwsCloudFrontDistribution",
    "AwsCloudTrailTrail",
    "AwsCloudWatchAlarm",
    "AwsCodeBuildProject",
    "AwsDmsEndpoint",
    "AwsDmsReplicationInstance",
    "AwsDmsReplicationTask",
    "AwsDynamoDbTable",
    "AwsEc2ClientVpnEndpoint",
    "AwsEc2Eip",
    "AwsEc2Instance",
    "AwsEc2LaunchTemplate",
    "AwsEc2NetworkAcl",
    "AwsEc2NetworkInterface",
    "AwsEc2RouteTable",
    "AwsEc2SecurityGroup",
    "AwsEc2Subnet",
    "AwsEc2TransitGateway",
    "AwsEc2Volume",
    "AwsEc2Vpc",
    "AwsEc2VpcEndpointService",
    "AwsEc2VpcPeeringConnection",
    "AwsEc2VpnConnection",
    "AwsEcrContainerImage",
    "AwsEcrRepository",
    "AwsEcsCluster",
    "AwsEcsContainer",
    "AwsEcsService",
    "AwsEcsTask",
    "AwsEcsTaskDefinition",
    "AwsEfsAccessPoint",
    "AwsEksCluster",
    "AwsElasticBeanstalkEnvironment",
    "AwsElasticsearchDomain",
    "AwsElbLoadBalancer",
    "AwsElbv2LoadBalancer",
    "AwsEventSchemasRegistry",
    "AwsEventsEndpoint",
    "AwsEventsEventbus",
    "AwsGuardDutyDetector",
    "AwsIamAccessKey",
    "AwsIamGroup",
    "AwsIamPolicy",
    "AwsIamRole",
    "AwsIamUser",
    "AwsKinesisStream",
    "AwsKmsKey",
    "AwsLambdaFunction",
    "AwsLambdaLayerVersion",
    "AwsMskCluster",
    "AwsNetworkFirewallFirewall",
    "AwsNetworkFirewallFirewallPolicy",
    "AwsNetworkFirewallRuleGroup",
    "AwsOpenSearchServiceDomain",
    "AwsRdsDbCluster",
    "AwsRdsDbClusterSnapshot",
    "AwsRdsDbInstance",
    "AwsRdsDbSecurityGroup",
    "AwsRdsDbSnapshot",
    "AwsRdsEventSubscription",
    "AwsRedshiftCluster",
    "AwsRoute53HostedZone",
    "AwsS3AccessPoint",
    "AwsS3AccountPublicAccessBlock",
    "AwsS3Bucket",
    "AwsS3Object",
    "AwsSageMakerNotebookInstance",
    "AwsSecretsManagerSecret",
    "AwsSnsTopic",
    "AwsSqsQueue",
    "AwsSsmPatchCompliance",
    "AwsStepFunctionStateMachine",
    "AwsWafRateBasedRule",
    "AwsWafRegionalRateBasedRule",
    "AwsWafRegionalRule",
    "AwsWafRegionalRuleGroup",
    "AwsWafRegionalWebAcl",
    "AwsWafRule",
    "AwsWafRuleGroup",
    "AwsWafWebAcl",
    "AwsWafv2RuleGroup",
    "AwsWafv2WebAcl",
    "AwsXrayEncryptionConfig",
    "CodeRepository",
    "Container",
];
