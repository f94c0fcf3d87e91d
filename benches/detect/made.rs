//! Made-up detection content: what rules are about, drawn from a seed, as those who write rules would.
//!
//! Of a hundred rules, 75 name calls that the corpus has none of, as most rules name calls that nobody makes; 20 calls that it has seldom, 4
//! calls that it has all the time, and one names none. Those of calls that happen ask narrowly who makes them or from where, as rules do once they
//! are tuned.

use super::corpus::Dice;

/// Service, and calls of it that the corpus has none of.
const ABSENT: &[(&str, &[&str])] = &[
    ("cloudtrail", &["DeleteTrail", "StopLogging", "UpdateTrail", "PutEventSelectors", "DeleteEventDataStore"]),
    ("guardduty", &["DeleteDetector", "UpdateDetector", "CreateIPSet", "DeleteMembers", "StopMonitoringMembers"]),
    ("config", &["DeleteConfigRule", "StopConfigurationRecorder", "DeleteDeliveryChannel"]),
    ("securityhub", &["DisableSecurityHub", "BatchDisableStandards", "DeleteInsight"]),
    ("iam", &["AttachUserPolicy", "CreateUser", "DeactivateMFADevice", "UpdateAssumeRolePolicy", "CreateLoginProfile"]),
    ("s3", &["PutBucketPolicy", "DeleteBucketPolicy", "PutBucketAcl", "DeleteBucketEncryption", "PutBucketLifecycle"]),
    (
        "ec2",
        &["ModifySnapshotAttribute", "CreateSnapshot", "DeleteFlowLogs", "GetPasswordData", "ModifyImageAttribute"],
    ),
    ("rds", &["ModifyDBSnapshotAttribute", "DeleteDBCluster", "RestoreDBInstanceFromS3", "CreateDBSnapshot"]),
    ("kms", &["DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy", "DeleteImportedKeyMaterial"]),
    ("lambda", &["AddPermission20150331v2", "CreateFunction20150331", "UpdateFunctionConfiguration20150331v2"]),
    ("organizations", &["LeaveOrganization", "RemoveAccountFromOrganization", "DetachPolicy", "DisablePolicyType"]),
    ("ses", &["VerifyEmailIdentity", "UpdateAccountSendingEnabled", "CreateEmailIdentity"]),
    ("eks", &["CreateAccessEntry", "AssociateAccessPolicy", "UpdateClusterConfig", "DeleteCluster"]),
    ("route53", &["DisableDomainTransferLock", "TransferDomain", "ChangeResourceRecordSets"]),
    ("bedrock", &["DeleteModelInvocationLoggingConfiguration", "InvokeModel", "PutFoundationModelEntitlement"]),
];

/// Those that it has seldom, and all the time.
const SELDOM: &[(&str, &[&str])] = &[
    ("ec2", &["RunInstances", "AuthorizeSecurityGroupIngress", "CreateTags"]),
    ("iam", &["PutRolePolicy", "CreateAccessKey", "ListRoles"]),
    ("lambda", &["UpdateFunctionCode20150331v2", "ListFunctions20150331"]),
    ("glue", &["StartJobRun"]),
    ("monitoring", &["PutMetricAlarm"]),
];
const OFTEN: &[(&str, &[&str])] =
    &[("sts", &["AssumeRole"]), ("secretsmanager", &["GetSecretValue"]), ("s3", &["GetObject", "PutObject"])];

const REGIONS: &[&str] = &["us-east-1", "eu-west-1", "eu-central-1", "us-west-2", "ap-southeast-2", "sa-east-1"];
const TOOLS: &[&str] = &["kali", "parrot", "pentoo", "Pacu", "TruffleHog", "ScoutSuite", "python-requests", "curl/7"];

/// A condition on one field.
pub enum Test {
    Is(&'static str, String),
    In(&'static str, Vec<String>),
    Starts(&'static str, String),
    Ends(&'static str, String),
    Contains(&'static str, String),
    /// Of an address.
    Within(&'static str, String),
    /// Nothing is there.
    Lacks(&'static str),
    /// The field has none of these.
    Not(Box<Test>),
}

fn pick<'a, T>(dice: &mut Dice, items: &'a [T]) -> &'a T {
    &items[dice.below(items.len() as u64) as usize]
}

/// The conditions of a rule, all of which must hold.
pub fn rule(dice: &mut Dice) -> Vec<Test> {
    let (calls, narrow) = match dice.below(100) {
        0..75 => (ABSENT, 0),
        75..95 => (SELDOM, 1),
        95..99 => (OFTEN, 2),
        _ => return vec![Test::Contains("userAgent", format!("{}/{}", pick(dice, TOOLS), dice.below(100)))],
    };
    let (service, names) = pick(dice, calls);
    let mut tests = vec![Test::Is("eventSource", format!("{service}.amazonaws.com"))];
    tests.push(match dice.below(4) {
        0 if names.len() > 1 => {
            let first = dice.below(names.len() as u64 - 1) as usize;
            Test::In("eventName", names[first..first + 2].iter().map(ToString::to_string).collect())
        }
        _ => Test::Is("eventName", pick(dice, names).to_string()),
    });
    tests.extend((0..narrow).map(|_| narrowly(dice)));
    for _ in 0..1 + dice.below(2) {
        tests.push(other(dice));
    }
    tests
}

fn narrowly(dice: &mut Dice) -> Test {
    match dice.below(3) {
        0 => Test::Within("sourceIPAddress", format!("10.{}.{}.0/24", dice.below(8), dice.below(64))),
        1 => Test::Ends("userIdentity.arn", format!("/user-{}", dice.below(60))),
        _ => Test::Contains("userIdentity.arn", format!("service-role-{}/", dice.below(60))),
    }
}

fn other(dice: &mut Dice) -> Test {
    let number = dice.below(400);
    match dice.below(10) {
        0 => Test::Lacks("errorCode"),
        1 => Test::In("awsRegion", (0..2).map(|_| (*pick(dice, REGIONS)).to_owned()).collect()),
        2 => Test::Starts("userAgent", "aws-cli/2.".into()),
        3 => Test::Contains("userAgent", "Terraform".into()),
        4 => Test::Contains("userIdentity.arn", format!("service-role-{}/", number % 60)),
        5 => Test::Within("sourceIPAddress", format!("10.{}.0.0/16", number % 8)),
        6 => Test::Is("requestParameters.userName", format!("user-{number}")),
        7 => Test::Starts("requestParameters.roleName", format!("service-role-{}", number % 100)),
        8 => Test::Contains("requestParameters.bucketName", format!("lake-{number}")),
        _ => Test::Not(Box::new(Test::Starts("userIdentity.arn", "arn:aws:sts::".into()))),
    }
}
