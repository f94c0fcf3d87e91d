//! The `guardduty_finding` table: one row per state of a GuardDuty finding, as GetFindings, EventBridge or an export tells it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::is_not_null;
use arrow::compute::kernels::zip::zip;

use crate::table::{Batch, Column, Kind, Names, Table};

/// Column names are those of the GuardDuty API's Finding, folded to lower case. The API's own answer writes its keys
/// with a capital where events and exports do not; both fill the same columns.
pub static GUARDDUTY_FINDING: Table = Table {
    name: "guardduty_finding",
    about: "findings of Amazon GuardDuty, one row for each state that was reported",
    time: "updatedat",
    id: Some("id"),
    same: &["id", "updatedat"],
    names: Names { actor: ACTOR, session: "", source_ip: SOURCE_IP, resource: RESOURCE },
    own: "",
    lookups: &[
        "id",
        "resource.accesskeydetails.accesskeyid",
        "resource.accesskeydetails.principalid",
        "resource.instancedetails.instanceid",
        "service.action.awsapicallaction.remoteipdetails.ipaddressv4",
        "service.action.networkconnectionaction.remoteipdetails.ipaddressv4",
    ],
    columns: COLUMNS,
};

/// The principal as CloudTrail names it, so that findings of both tables are known to be of one: the ARN of the user or
/// of the role behind a session. A path that the ARN has is not told.
const ACTOR: &str = "CASE \
    WHEN resource.accesskeydetails.usertype = 'Root' \
        THEN concat('arn:', coalesce(partition, 'aws'), ':iam::', accountid, ':root') \
    WHEN resource.accesskeydetails.usertype = 'IAMUser' AND resource.accesskeydetails.username <> '' \
        THEN concat('arn:', coalesce(partition, 'aws'), ':iam::', accountid, ':user/', resource.accesskeydetails.username) \
    WHEN resource.accesskeydetails.usertype IN ('AssumedRole', 'Role') AND resource.accesskeydetails.username <> '' \
        THEN concat('arn:', coalesce(partition, 'aws'), ':iam::', accountid, ':role/', resource.accesskeydetails.username) \
    ELSE coalesce(resource.accesskeydetails.principalid, resource.lambdadetails.role, \
        resource.kubernetesdetails.kubernetesuserdetails.username, resource.rdsdbuserdetails.user) END";

/// Where a call or a connection came from. The far end of a connection that the instance itself opened is no source.
const SOURCE_IP: &str = "coalesce(\
    service.action.awsapicallaction.remoteipdetails.ipaddressv4, \
    service.action.kubernetesapicallaction.remoteipdetails.ipaddressv4, \
    service.action.rdsloginattemptaction.remoteipdetails.ipaddressv4, \
    service.action.portprobeaction.portprobedetails[1].remoteipdetails.ipaddressv4, \
    CASE WHEN service.action.networkconnectionaction.connectiondirection = 'OUTBOUND' THEN NULL \
        ELSE service.action.networkconnectionaction.remoteipdetails.ipaddressv4 END, \
    service.action.awsapicallaction.remoteipdetails.ipaddressv6)";

/// Everything the finding names that other logs name too.
const RESOURCE: &str = "texts(resource.accesskeydetails.accesskeyid, resource.instancedetails.instanceid, \
    resource.s3bucketdetails[1].arn, resource.eksclusterdetails.arn, resource.ecsclusterdetails.arn, \
    resource.rdsdbinstancedetails.dbinstancearn, resource.lambdadetails.functionarn)";

/// Fills in what the records leave open: when their state was reported, and whether they are samples.
pub fn settled(batch: Batch) -> Batch {
    let rows = &batch.rows;
    let schema = rows.schema();
    let columns = schema.fields().iter().zip(rows.columns()).map(|(field, column)| match field.name().as_str() {
        "updatedat" => times(rows, column),
        "sample" => samples(rows),
        _ => column.clone(),
    });
    let columns = columns.collect();
    let rows = RecordBatch::try_new(schema.clone(), columns).expect("the columns keep their kinds");
    Batch { rows, ..batch }
}

/// A finding that does not say when it was updated has the time that it was seen last, else that of its making.
fn times(rows: &RecordBatch, updated: &ArrayRef) -> ArrayRef {
    let last_seen = field(column(rows, "service"), "eventlastseen");
    [&last_seen, column(rows, "createdat")].into_iter().fold(updated.clone(), |time, other| {
        let known = is_not_null(&time).expect("every column can be asked");
        zip(&known, &time, other).expect("both are times")
    })
}

/// CreateSampleFindings marks what it makes in the title, and in `additionalInfo`, whose own member or whose `value`,
/// JSON inside a text, says so.
fn samples(rows: &RecordBatch) -> ArrayRef {
    let titles = column(rows, "title").as_string_view();
    let infos = field(column(rows, "service"), "additionalinfo");
    let infos = infos.as_string_view();
    let text = |row: usize| infos.is_valid(row).then(|| infos.value(row));
    let samples = (0..rows.num_rows()).map(|row| {
        let titled = titles.is_valid(row) && titles.value(row).starts_with("[SAMPLE]");
        Some(titled || text(row).is_some_and(says_sample))
    });
    Arc::new(samples.collect::<BooleanArray>())
}

/// Whether JSON text has a member `sample` that is true, in a text inside it too.
fn says_sample(json: &str) -> bool {
    let is_true = |(at, name): (usize, &str)| {
        let value =
            json[at + name.len()..].trim_start_matches('\\').strip_prefix('"')?.trim_start().strip_prefix(':')?;
        Some(value.trim_start_matches(['\\', '"', ' ', '\t', '\n', '\r']).starts_with("true"))
    };
    json.match_indices("\"sample").any(|found| is_true(found) == Some(true))
}

fn column<'a>(rows: &'a RecordBatch, name: &str) -> &'a ArrayRef {
    rows.column_by_name(name).expect("a column of the table")
}

/// A field of a struct column; null where the struct is.
fn field(column: &ArrayRef, name: &str) -> ArrayRef {
    column.as_struct().column_by_name(name).expect("a field of the column").clone()
}

const COLUMNS: &[Column] = &[
    Column::new("schemaversion", "schemaVersion", Kind::Symbol, "version of the finding format"),
    Column::new("accountid", "accountId", Kind::Symbol, "account in which the activity was"),
    Column::new("partition", "partition", Kind::Symbol, "aws, aws-cn or aws-us-gov"),
    Column::new("id", "id", Kind::Text, "id of the finding; it stays the same when the activity is seen again"),
    Column::new("arn", "arn", Kind::Text, "ARN of the finding"),
    Column::new(
        "type",
        "type",
        Kind::Symbol,
        "what was found: `ThreatPurpose:ResourceAffected/ThreatFamilyName.DetectionMechanism!Artifact`",
    ),
    Column::new("resource", "resource", Kind::Struct(RESOURCES), "resource that the activity was of or against"),
    Column::new("service", "service", Kind::Struct(SERVICE), "what was seen, how often and when"),
    Column::new(
        "severity",
        "severity",
        Kind::Float,
        "1.0 to 3.9 low, 4.0 to 6.9 medium, 7.0 to 8.9 high, 9.0 to 10.0 critical",
    ),
    Column::new("confidence", "confidence", Kind::Float, "confidence that GuardDuty states, where it does"),
    Column::new("createdat", "createdAt", Kind::Time, "when the finding was made"),
    Column::new("updatedat", "updatedAt", Kind::Time, "when this state was reported"),
    Column::new("title", "title", Kind::Text, "what was found, in a line"),
    Column::new("description", "description", Kind::Text, "what was found, in a sentence or more"),
    Column::new(
        "associatedattacksequencearn",
        "associatedAttackSequenceArn",
        Kind::Text,
        "ARN of the attack sequence that the finding is part of",
    ),
    Column::new("sample", "", Kind::Bool, "true for what CreateSampleFindings made, which nobody did"),
    Column::new(
        "unmapped",
        "",
        Kind::Json,
        "fields without a column, or whose value does not fit theirs, as one JSON object",
    ),
];

const RESOURCES: &[Column] = &[
    Column::new(
        "resourcetype",
        "resourceType",
        Kind::Symbol,
        "AccessKey, Instance, S3Bucket, EKSCluster, Container, RDSDBInstance, Lambda and others",
    ),
    Column::new("accesskeydetails", "accessKeyDetails", Kind::Struct(ACCESS_KEY), "credentials that were used"),
    Column::new("instancedetails", "instanceDetails", Kind::Struct(INSTANCE), "EC2 instance"),
    Column::new("s3bucketdetails", "s3BucketDetails", Kind::List(BUCKETS), "S3 buckets"),
    Column::new("eksclusterdetails", "eksClusterDetails", Kind::Struct(EKS_CLUSTER), "EKS cluster"),
    Column::new(
        "kubernetesdetails",
        "kubernetesDetails",
        Kind::Struct(KUBERNETES),
        "user and workload inside a Kubernetes cluster",
    ),
    Column::new("ecsclusterdetails", "ecsClusterDetails", Kind::Struct(ECS_CLUSTER), "ECS cluster"),
    Column::new("containerdetails", "containerDetails", Kind::Struct(CONTAINER), "container"),
    Column::new("rdsdbinstancedetails", "rdsDbInstanceDetails", Kind::Struct(RDS_INSTANCE), "RDS database instance"),
    Column::new("rdsdbuserdetails", "rdsDbUserDetails", Kind::Struct(RDS_USER), "user of a database"),
    Column::new("rdslimitlessdbdetails", "rdsLimitlessDbDetails", Kind::Json, "Aurora limitless database, whole"),
    Column::new("lambdadetails", "lambdaDetails", Kind::Struct(LAMBDA), "Lambda function"),
    Column::new("ebsvolumedetails", "ebsVolumeDetails", Kind::Json, "EBS volumes that were scanned, whole"),
];

const ACCESS_KEY: &[Column] = &[
    Column::new("accesskeyid", "accessKeyId", Kind::Text, "access key: AKIA for long-lived keys, ASIA for sessions"),
    Column::new("principalid", "principalId", Kind::Text, "unique id of the principal"),
    Column::new("username", "userName", Kind::Text, "name of the user or role"),
    Column::new("usertype", "userType", Kind::Symbol, "Root, IAMUser, Role, AssumedRole, FederatedUser and others"),
];

const INSTANCE: &[Column] = &[
    Column::new("instanceid", "instanceId", Kind::Text, "id of the instance"),
    Column::new("instancetype", "instanceType", Kind::Symbol, "type, such as m5.large"),
    Column::new("instancestate", "instanceState", Kind::Symbol, "state of the instance"),
    Column::new("launchtime", "launchTime", Kind::Time, "when it was launched"),
    Column::new("platform", "platform", Kind::Symbol, "windows; null for others"),
    Column::new("availabilityzone", "availabilityZone", Kind::Symbol, "Availability Zone"),
    Column::new("imageid", "imageId", Kind::Symbol, "AMI it was launched from"),
    Column::new("imagedescription", "imageDescription", Kind::Symbol, "description of the AMI"),
    Column::new("iaminstanceprofile", "iamInstanceProfile", Kind::Struct(INSTANCE_PROFILE), "instance profile"),
    Column::new("networkinterfaces", "networkInterfaces", Kind::List(NETWORK_INTERFACES), "network interfaces"),
    Column::new("outpostarn", "outpostArn", Kind::Symbol, "ARN of the Outpost it runs on"),
    Column::new("productcodes", "productCodes", Kind::Json, "product codes, whole"),
    Column::new("tags", "tags", Kind::Json, "tags, whole"),
];

const INSTANCE_PROFILE: &[Column] = &[
    Column::new("arn", "arn", Kind::Text, "ARN of the instance profile"),
    Column::new("id", "id", Kind::Text, "unique id of the instance profile"),
];

const NETWORK_INTERFACES: &[Column] = &[
    Column::new("networkinterfaceid", "networkInterfaceId", Kind::Text, "id of the interface"),
    Column::new("privateipaddress", "privateIpAddress", Kind::Text, "private address"),
    Column::new("publicip", "publicIp", Kind::Text, "public address"),
    Column::new("publicdnsname", "publicDnsName", Kind::Text, "public DNS name"),
    Column::new("subnetid", "subnetId", Kind::Symbol, "subnet"),
    Column::new("vpcid", "vpcId", Kind::Symbol, "VPC"),
    Column::new("securitygroups", "securityGroups", Kind::Json, "security groups, whole"),
];

const BUCKETS: &[Column] = &[
    Column::new("arn", "arn", Kind::Text, "ARN of the bucket"),
    Column::new("name", "name", Kind::Text, "name of the bucket"),
    Column::new("type", "type", Kind::Symbol, "Source or Destination"),
    Column::new("createdat", "createdAt", Kind::Time, "when the bucket was made"),
    Column::new("owner", "owner", Kind::Json, "owner, whole"),
    Column::new("tags", "tags", Kind::Json, "tags, whole"),
    Column::new("defaultserversideencryption", "defaultServerSideEncryption", Kind::Json, "default encryption, whole"),
    Column::new("publicaccess", "publicAccess", Kind::Struct(PUBLIC_ACCESS), "how public the bucket is"),
    Column::new("s3objectdetails", "s3ObjectDetails", Kind::Json, "objects that were scanned, whole"),
];

const PUBLIC_ACCESS: &[Column] = &[
    Column::new("effectivepermission", "effectivePermission", Kind::Symbol, "PUBLIC, NOT_PUBLIC or UNKNOWN"),
    Column::new("permissionconfiguration", "permissionConfiguration", Kind::Json, "settings that decide it, whole"),
];

const EKS_CLUSTER: &[Column] = &[
    Column::new("name", "name", Kind::Symbol, "name of the cluster"),
    Column::new("arn", "arn", Kind::Symbol, "ARN of the cluster"),
    Column::new("vpcid", "vpcId", Kind::Symbol, "VPC of the cluster"),
    Column::new("status", "status", Kind::Symbol, "status of the cluster"),
    Column::new("createdat", "createdAt", Kind::Time, "when the cluster was made"),
    Column::new("tags", "tags", Kind::Json, "tags, whole"),
];

const KUBERNETES: &[Column] = &[
    Column::new("kubernetesuserdetails", "kubernetesUserDetails", Kind::Struct(KUBERNETES_USER), "user"),
    Column::new(
        "kubernetesworkloaddetails",
        "kubernetesWorkloadDetails",
        Kind::Struct(KUBERNETES_WORKLOAD),
        "workload",
    ),
];

const KUBERNETES_USER: &[Column] = &[
    Column::new("username", "username", Kind::Text, "name of the user or service account"),
    Column::new("uid", "uid", Kind::Text, "unique id of the user"),
    Column::new("groups", "groups", Kind::Json, "groups of the user, whole"),
    Column::new("sessionname", "sessionName", Kind::Json, "names of the sessions, whole"),
    Column::new("impersonateduser", "impersonatedUser", Kind::Json, "user that was impersonated, whole"),
];

const KUBERNETES_WORKLOAD: &[Column] = &[
    Column::new("name", "name", Kind::Text, "name of the workload"),
    Column::new("type", "type", Kind::Symbol, "kind of workload, such as pods or deployments"),
    Column::new("uid", "uid", Kind::Text, "unique id of the workload"),
    Column::new("namespace", "namespace", Kind::Symbol, "namespace"),
    Column::new("serviceaccountname", "serviceAccountName", Kind::Symbol, "service account it runs as"),
    Column::new("hostnetwork", "hostNetwork", Kind::Bool, "true when it shares the network of its host"),
    Column::new("hostipc", "hostIPC", Kind::Bool, "true when it shares the IPC namespace of its host"),
    Column::new("hostpid", "hostPID", Kind::Bool, "true when it shares the process namespace of its host"),
    Column::new("containers", "containers", Kind::Json, "containers, whole"),
    Column::new("volumes", "volumes", Kind::Json, "volumes, whole"),
];

const ECS_CLUSTER: &[Column] = &[
    Column::new("name", "name", Kind::Symbol, "name of the cluster"),
    Column::new("arn", "arn", Kind::Symbol, "ARN of the cluster"),
    Column::new("status", "status", Kind::Symbol, "status of the cluster"),
    Column::new("taskdetails", "taskDetails", Kind::Json, "task, whole"),
    Column::new("tags", "tags", Kind::Json, "tags, whole"),
];

const CONTAINER: &[Column] = &[
    Column::new("id", "id", Kind::Text, "id of the container"),
    Column::new("name", "name", Kind::Text, "name of the container"),
    Column::new("image", "image", Kind::Symbol, "image it was made of"),
    Column::new("containerruntime", "containerRuntime", Kind::Symbol, "runtime, such as docker or containerd"),
    Column::new("volumemounts", "volumeMounts", Kind::Json, "mounts, whole"),
    Column::new("securitycontext", "securityContext", Kind::Json, "security context, whole"),
];

const RDS_INSTANCE: &[Column] = &[
    Column::new("dbinstanceidentifier", "dbInstanceIdentifier", Kind::Symbol, "name of the instance"),
    Column::new("dbinstancearn", "dbInstanceArn", Kind::Symbol, "ARN of the instance"),
    Column::new("dbclusteridentifier", "dbClusterIdentifier", Kind::Symbol, "cluster it belongs to"),
    Column::new("dbiresourceid", "dbiResourceId", Kind::Symbol, "unique id of the instance"),
    Column::new("engine", "engine", Kind::Symbol, "database engine"),
    Column::new("engineversion", "engineVersion", Kind::Symbol, "version of the engine"),
    Column::new("tags", "tags", Kind::Json, "tags, whole"),
];

const RDS_USER: &[Column] = &[
    Column::new("user", "user", Kind::Text, "name of the user"),
    Column::new("application", "application", Kind::Text, "application that signed in"),
    Column::new("database", "database", Kind::Text, "database"),
    Column::new("ssl", "ssl", Kind::Symbol, "TLS version of the connection"),
    Column::new("authmethod", "authMethod", Kind::Symbol, "how the user authenticated"),
];

const LAMBDA: &[Column] = &[
    Column::new("functionarn", "functionArn", Kind::Text, "ARN of the function"),
    Column::new("functionname", "functionName", Kind::Symbol, "name of the function"),
    Column::new("functionversion", "functionVersion", Kind::Symbol, "version of the function"),
    Column::new("description", "description", Kind::Text, "description of the function"),
    Column::new("lastmodifiedat", "lastModifiedAt", Kind::Time, "when the function was changed last"),
    Column::new("revisionid", "revisionId", Kind::Text, "id of the revision"),
    Column::new("role", "role", Kind::Text, "ARN of the role it runs as"),
    Column::new("vpcconfig", "vpcConfig", Kind::Json, "VPC settings, whole"),
    Column::new("tags", "tags", Kind::Json, "tags, whole"),
];

const SERVICE: &[Column] = &[
    Column::new("servicename", "serviceName", Kind::Symbol, "guardduty"),
    Column::new("detectorid", "detectorId", Kind::Symbol, "detector that made the finding"),
    Column::new("featurename", "featureName", Kind::Symbol, "protection plan that made the finding"),
    Column::new("action", "action", Kind::Struct(ACTION), "activity that was seen"),
    Column::new("resourcerole", "resourceRole", Kind::Symbol, "TARGET of the activity, or ACTOR in it"),
    Column::new("count", "count", Kind::Int, "times the activity was seen"),
    Column::new("eventfirstseen", "eventFirstSeen", Kind::Time, "when the activity was seen first"),
    Column::new("eventlastseen", "eventLastSeen", Kind::Time, "when the activity was seen last"),
    Column::new("archived", "archived", Kind::Bool, "true when the finding was put away, by hand or by a filter"),
    Column::new("userfeedback", "userFeedback", Kind::Symbol, "feedback that was given to AWS"),
    Column::new("additionalinfo", "additionalInfo", Kind::Json, "further facts, whole"),
    Column::new("evidence", "evidence", Kind::Json, "threat lists that the activity matched, whole"),
    Column::new("detection", "detection", Kind::Json, "anomaly or attack sequence, whole"),
    Column::new("runtimedetails", "runtimeDetails", Kind::Json, "process of a runtime finding, whole"),
    Column::new("ebsvolumescandetails", "ebsVolumeScanDetails", Kind::Json, "malware scan of volumes, whole"),
    Column::new("malwarescandetails", "malwareScanDetails", Kind::Json, "malware scan of an object, whole"),
];

const ACTION: &[Column] = &[
    Column::new(
        "actiontype",
        "actionType",
        Kind::Symbol,
        "AWS_API_CALL, NETWORK_CONNECTION, PORT_PROBE, DNS_REQUEST, KUBERNETES_API_CALL, RDS_LOGIN_ATTEMPT and others",
    ),
    Column::new("awsapicallaction", "awsApiCallAction", Kind::Struct(API_CALL), "call of an AWS API"),
    Column::new("networkconnectionaction", "networkConnectionAction", Kind::Struct(CONNECTION), "network connection"),
    Column::new("portprobeaction", "portProbeAction", Kind::Struct(PORT_PROBE), "probe of open ports"),
    Column::new("dnsrequestaction", "dnsRequestAction", Kind::Struct(DNS_REQUEST), "DNS request"),
    Column::new(
        "kubernetesapicallaction",
        "kubernetesApiCallAction",
        Kind::Struct(KUBERNETES_CALL),
        "call of a Kubernetes API",
    ),
    Column::new(
        "kubernetespermissioncheckeddetails",
        "kubernetesPermissionCheckedDetails",
        Kind::Json,
        "permission that was checked, whole",
    ),
    Column::new(
        "kubernetesrolebindingdetails",
        "kubernetesRoleBindingDetails",
        Kind::Json,
        "role binding that was changed, whole",
    ),
    Column::new("kubernetesroledetails", "kubernetesRoleDetails", Kind::Json, "role that was changed, whole"),
    Column::new("rdsloginattemptaction", "rdsLoginAttemptAction", Kind::Struct(RDS_LOGIN), "sign-in to a database"),
];

const API_CALL: &[Column] = &[
    Column::new("api", "api", Kind::Symbol, "API action"),
    Column::new("servicename", "serviceName", Kind::Symbol, "service called, such as `iam.amazonaws.com`"),
    Column::new("callertype", "callerType", Kind::Symbol, "Remote IP, Domain or another account"),
    Column::new("errorcode", "errorCode", Kind::Symbol, "error of a failed call"),
    Column::new("useragent", "userAgent", Kind::Text, "client that made the call"),
    Column::new("remoteipdetails", "remoteIpDetails", Kind::Struct(REMOTE_IP), "address the call came from"),
    Column::new("domaindetails", "domainDetails", Kind::Json, "AWS service that called, whole"),
    Column::new("remoteaccountdetails", "remoteAccountDetails", Kind::Struct(REMOTE_ACCOUNT), "account that called"),
    Column::new("affectedresources", "affectedResources", Kind::Json, "resources touched by type, whole"),
];

const REMOTE_ACCOUNT: &[Column] = &[
    Column::new("accountid", "accountId", Kind::Symbol, "account that called"),
    Column::new("affiliated", "affiliated", Kind::Bool, "true when it is known to belong to the same organization"),
];

const REMOTE_IP: &[Column] = &[
    Column::new("ipaddressv4", "ipAddressV4", Kind::Text, "IPv4 address"),
    Column::new("ipaddressv6", "ipAddressV6", Kind::Text, "IPv6 address"),
    Column::new("country", "country", Kind::Struct(COUNTRY), "country of the address"),
    Column::new("city", "city", Kind::Struct(CITY), "city of the address"),
    Column::new("geolocation", "geoLocation", Kind::Json, "latitude and longitude, whole"),
    Column::new("organization", "organization", Kind::Struct(ORGANIZATION), "network of the address"),
];

const COUNTRY: &[Column] = &[
    Column::new("countrycode", "countryCode", Kind::Symbol, "code of the country"),
    Column::new("countryname", "countryName", Kind::Symbol, "name of the country"),
];

const CITY: &[Column] = &[Column::new("cityname", "cityName", Kind::Symbol, "name of the city")];

const ORGANIZATION: &[Column] = &[
    Column::new("asn", "asn", Kind::Symbol, "number of the autonomous system"),
    Column::new("asnorg", "asnOrg", Kind::Symbol, "organization of the autonomous system"),
    Column::new("isp", "isp", Kind::Symbol, "internet provider"),
    Column::new("org", "org", Kind::Symbol, "organization that uses the address"),
];

const CONNECTION: &[Column] = &[
    Column::new("connectiondirection", "connectionDirection", Kind::Symbol, "INBOUND, OUTBOUND or UNKNOWN"),
    Column::new("protocol", "protocol", Kind::Symbol, "protocol"),
    Column::new("blocked", "blocked", Kind::Bool, "true when the connection was blocked"),
    Column::new("localportdetails", "localPortDetails", Kind::Struct(PORT), "port of the resource"),
    Column::new("remoteportdetails", "remotePortDetails", Kind::Struct(PORT), "port of the other side"),
    Column::new("localipdetails", "localIpDetails", Kind::Struct(LOCAL_IP), "address of the resource"),
    Column::new("localnetworkinterface", "localNetworkInterface", Kind::Text, "network interface of the resource"),
    Column::new("remoteipdetails", "remoteIpDetails", Kind::Struct(REMOTE_IP), "address of the other side"),
];

const PORT: &[Column] = &[
    Column::new("port", "port", Kind::Int, "number of the port"),
    Column::new("portname", "portName", Kind::Symbol, "name of the port"),
];

const LOCAL_IP: &[Column] = &[
    Column::new("ipaddressv4", "ipAddressV4", Kind::Text, "IPv4 address"),
    Column::new("ipaddressv6", "ipAddressV6", Kind::Text, "IPv6 address"),
];

const PORT_PROBE: &[Column] = &[
    Column::new("blocked", "blocked", Kind::Bool, "true when the probe was blocked"),
    Column::new("portprobedetails", "portProbeDetails", Kind::List(PROBED_PORTS), "ports that were probed"),
];

const PROBED_PORTS: &[Column] = &[
    Column::new("localportdetails", "localPortDetails", Kind::Struct(PORT), "port that was probed"),
    Column::new("localipdetails", "localIpDetails", Kind::Struct(LOCAL_IP), "address that was probed"),
    Column::new("remoteipdetails", "remoteIpDetails", Kind::Struct(REMOTE_IP), "address that probed"),
];

const DNS_REQUEST: &[Column] = &[
    Column::new("domain", "domain", Kind::Text, "domain that was asked for"),
    Column::new("domainwithsuffix", "domainWithSuffix", Kind::Text, "domain with the public suffix it stands under"),
    Column::new("protocol", "protocol", Kind::Symbol, "protocol"),
    Column::new("blocked", "blocked", Kind::Bool, "true when the request was blocked"),
    Column::new("vpcowneraccountid", "vpcOwnerAccountId", Kind::Symbol, "account that owns the VPC"),
];

const KUBERNETES_CALL: &[Column] = &[
    Column::new("requesturi", "requestUri", Kind::Text, "path of the request"),
    Column::new("verb", "verb", Kind::Symbol, "verb of the request"),
    Column::new("statuscode", "statusCode", Kind::Int, "HTTP status of the answer"),
    Column::new("resource", "resource", Kind::Symbol, "kind of object, such as secrets"),
    Column::new("subresource", "subresource", Kind::Symbol, "part of the object, such as exec"),
    Column::new("namespace", "namespace", Kind::Symbol, "namespace of the object"),
    Column::new("resourcename", "resourceName", Kind::Text, "name of the object"),
    Column::new("parameters", "parameters", Kind::Text, "parameters of the request"),
    Column::new("useragent", "userAgent", Kind::Text, "client that made the request"),
    Column::new("sourceips", "sourceIps", Kind::Json, "addresses the request came through, whole"),
    Column::new("remoteipdetails", "remoteIpDetails", Kind::Struct(REMOTE_IP), "address the request came from"),
];

const RDS_LOGIN: &[Column] = &[
    Column::new("remoteipdetails", "remoteIpDetails", Kind::Struct(REMOTE_IP), "address the sign-in came from"),
    Column::new("loginattributes", "loginAttributes", Kind::Json, "users, applications and counts, whole"),
];

#[cfg(test)]
mod tests;
