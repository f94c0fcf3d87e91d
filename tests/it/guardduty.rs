//! GuardDuty's findings through the whole worker: nothing lost, each type judged by one rule, samples by none.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{assert_nothing_is_lost, code, few, judge_by, only, path, repository, text, weir};

/// Types that GuardDuty has or had, by the rule that is to name them.
const TYPES: &[(&str, &[&str])] = &[
    (
        "attack_sequence",
        &[
            "AttackSequence:IAM/CompromisedCredentials",
            "AttackSequence:S3/CompromisedData",
            "AttackSequence:EKS/CompromisedCluster",
            "AttackSequence:ECS/CompromisedCluster",
            "AttackSequence:EC2/CompromisedInstanceGroup",
        ],
    ),
    (
        "instance_credentials_stolen",
        &[
            "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration",
            "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.InsideAWS",
            "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS",
            "UnauthorizedAccess:IAMUser/ResourceCredentialExfiltration.OutsideAWS",
            "UnauthorizedAccess:EC2/MetadataDNSRebind",
            "UnauthorizedAccess:Runtime/MetadataDNSRebind",
        ],
    ),
    (
        "credentials_used_by_stranger",
        &[
            "InitialAccess:IAMUser/AnomalousBehavior",
            "PenTest:IAMUser/KaliLinux",
            "PenTest:IAMUser/ParrotLinux",
            "PenTest:IAMUser/PentooLinux",
            "UnauthorizedAccess:IAMUser/ConsoleLogin",
            "UnauthorizedAccess:IAMUser/ConsoleLoginSuccess.B",
            "UnauthorizedAccess:IAMUser/MaliciousIPCaller",
            "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom",
            "UnauthorizedAccess:IAMUser/TorIPCaller",
            "UnauthorizedAccess:IAMUser/UnusualASNCaller",
        ],
    ),
    (
        "account_explored",
        &[
            "Discovery:IAMUser/AnomalousBehavior",
            "Recon:IAMUser/MaliciousIPCaller",
            "Recon:IAMUser/MaliciousIPCaller.Custom",
            "Recon:IAMUser/TorIPCaller",
            "Recon:IAMUser/NetworkPermissions",
            "Recon:IAMUser/UserPermissions",
        ],
    ),
    (
        "permissions_gained",
        &[
            "Persistence:IAMUser/AnomalousBehavior",
            "PrivilegeEscalation:IAMUser/AnomalousBehavior",
            "PrivilegeEscalation:IAMUser/AdministrativePermissions",
            "Persistence:IAMUser/ResourcePermissions",
        ],
    ),
    (
        "defences_evaded",
        &[
            "DefenseEvasion:IAMUser/AnomalousBehavior",
            "Stealth:IAMUser/CloudTrailLoggingDisabled",
            "Stealth:IAMUser/PasswordPolicyChange",
            "Stealth:IAMUser/S3ServerAccessLoggingDisabled",
            "Stealth:S3/ServerAccessLoggingDisabled",
            "DefenseEvasion:EC2/UnusualDNSResolver",
            "DefenseEvasion:EC2/UnusualDoHActivity",
            "DefenseEvasion:EC2/UnusualDoTActivity",
        ],
    ),
    ("secrets_sought", &["CredentialAccess:IAMUser/AnomalousBehavior"]),
    (
        "data_exfiltrated",
        &[
            "Exfiltration:IAMUser/AnomalousBehavior",
            "Exfiltration:S3/AnomalousBehavior",
            "Exfiltration:S3/MaliciousIPCaller",
            "Exfiltration:S3/ObjectRead.Unusual",
            "Trojan:EC2/DNSDataExfiltration",
        ],
    ),
    (
        "bucket_touched_by_stranger",
        &[
            "Discovery:S3/AnomalousBehavior",
            "Discovery:S3/BucketEnumeration.Unusual",
            "Discovery:S3/MaliciousIPCaller",
            "Discovery:S3/TorIPCaller",
            "PenTest:S3/KaliLinux",
            "UnauthorizedAccess:S3/MaliciousIPCaller.Custom",
            "UnauthorizedAccess:S3/TorIPCaller",
        ],
    ),
    (
        "bucket_opened",
        &[
            "Policy:S3/AccountBlockPublicAccessDisabled",
            "Policy:S3/BucketAnonymousAccessGranted",
            "Policy:S3/BucketBlockPublicAccessDisabled",
            "Policy:S3/BucketPublicAccessGranted",
            "Policy:IAMUser/S3BlockPublicAccessDisabled",
        ],
    ),
    ("root_credentials_used", &["Policy:IAMUser/RootCredentialUsage", "Policy:IAMUser/ShortTermRootCredentialUsage"]),
    (
        "damage_done",
        &[
            "Impact:IAMUser/AnomalousBehavior",
            "Impact:S3/AnomalousBehavior.Delete",
            "Impact:S3/AnomalousBehavior.Permission",
            "Impact:S3/AnomalousBehavior.Write",
            "Impact:S3/MaliciousIPCaller",
            "Impact:S3/ObjectDelete.Unusual",
            "ResourceConsumption:IAMUser/ComputeResources",
        ],
    ),
    (
        "workload_controlled",
        &[
            "Backdoor:EC2/C&CActivity.B",
            "Backdoor:EC2/C&CActivity.B!DNS",
            "Backdoor:Lambda/C&CActivity.B",
            "Backdoor:Runtime/C&CActivity.B!DNS",
            "Impact:EC2/AbusedDomainRequest.Reputation",
            "Impact:EC2/MaliciousDomainRequest.Custom",
            "Impact:EC2/MaliciousDomainRequest.Reputation",
            "Impact:EC2/SuspiciousDomainRequest.Reputation",
            "Impact:Runtime/AbusedDomainRequest.Reputation",
            "Impact:Runtime/SuspiciousDomainRequest.Reputation",
            "Trojan:EC2/BlackholeTraffic!DNS",
            "Trojan:EC2/DGADomainRequest.B",
            "Trojan:EC2/DGADomainRequest.C!DNS",
            "Trojan:EC2/DriveBySourceTraffic!DNS",
            "Trojan:EC2/DropPoint",
            "Trojan:EC2/PhishingDomainRequest!DNS",
            "Trojan:Lambda/DropPoint",
            "Trojan:Runtime/DGADomainRequest.C!DNS",
            "UnauthorizedAccess:EC2/MaliciousIPCaller.Custom",
            "UnauthorizedAccess:EC2/TorClient",
            "UnauthorizedAccess:EC2/TorRelay",
            "UnauthorizedAccess:Lambda/TorRelay",
            "UnauthorizedAccess:Runtime/TorClient",
        ],
    ),
    (
        "coins_mined",
        &[
            "CryptoCurrency:EC2/BitcoinTool.B",
            "CryptoCurrency:EC2/BitcoinTool.B!DNS",
            "CryptoCurrency:Lambda/BitcoinTool.B",
            "CryptoCurrency:Runtime/BitcoinTool.B",
            "Impact:EC2/BitcoinDomainRequest.Reputation",
            "Impact:Runtime/BitcoinDomainRequest.Reputation",
            "Impact:Runtime/CryptoMinerExecuted",
        ],
    ),
    (
        "instance_attacks_others",
        &[
            "Backdoor:EC2/DenialOfService.Dns",
            "Backdoor:EC2/DenialOfService.UnusualProtocol",
            "Backdoor:EC2/Spambot",
            "Behavior:EC2/NetworkPortUnusual",
            "Behavior:EC2/TrafficVolumeUnusual",
            "Impact:EC2/PortSweep",
            "Impact:EC2/WinRMBruteForce",
            "Recon:EC2/Portscan",
        ],
    ),
    (
        "instance_probed",
        &[
            "Recon:EC2/PortProbeEMRUnprotectedPort",
            "Recon:EC2/PortProbeUnprotectedPort",
            "UnauthorizedAccess:EC2/RDPBruteForce",
            "UnauthorizedAccess:EC2/SSHBruteForce",
        ],
    ),
    (
        "cluster_attacked",
        &[
            "CredentialAccess:Kubernetes/MaliciousIPCaller",
            "CredentialAccess:Kubernetes/AnomalousBehavior.SecretsAccessed",
            "DefenseEvasion:Kubernetes/SuccessfulAnonymousAccess",
            "Discovery:Kubernetes/TorIPCaller",
            "Discovery:Kubernetes/AnomalousBehavior.PermissionChecked",
            "Impact:Kubernetes/MaliciousIPCaller.Custom",
        ],
    ),
    (
        "cluster_privileges_gained",
        &[
            "Execution:Kubernetes/AnomalousBehavior.ExecInPod",
            "Execution:Kubernetes/ExecInKubeSystemPod",
            "Persistence:Kubernetes/AnomalousBehavior.WorkloadDeployed!ContainerWithSensitiveMount",
            "Persistence:Kubernetes/ContainerWithSensitiveMount",
            "Persistence:Kubernetes/TorIPCaller",
            "Policy:Kubernetes/AdminAccessToDefaultServiceAccount",
            "Policy:Kubernetes/ExposedDashboard",
            "PrivilegeEscalation:Kubernetes/AnomalousBehavior.RoleBindingCreated",
            "PrivilegeEscalation:Kubernetes/PrivilegedContainer",
        ],
    ),
    (
        "intrusion_at_runtime",
        &[
            "DefenseEvasion:Runtime/FilelessExecution",
            "DefenseEvasion:Runtime/ProcessInjection.Proc",
            "Discovery:Runtime/SuspiciousCommand",
            "Execution:Runtime/MaliciousFileExecuted",
            "Execution:Runtime/NewBinaryExecuted",
            "Execution:Runtime/ReverseShell",
            "Persistence:Runtime/SuspiciousCommand",
            "PrivilegeEscalation:Runtime/ElevationToRoot",
            "PrivilegeEscalation:Runtime/RuncContainerEscape",
        ],
    ),
    (
        "malware_found",
        &[
            "Execution:Container/SuspiciousFile",
            "Execution:EC2/MaliciousFile",
            "Execution:EC2/MaliciousFile!AMI",
            "Execution:ECS/MaliciousFile",
            "Execution:Kubernetes/MaliciousFile",
            "Execution:S3/MaliciousFile!RecoveryPoint",
            "Object:S3/MaliciousFile",
        ],
    ),
    (
        "database_login_suspicious",
        &[
            "CredentialAccess:RDS/AnomalousBehavior.FailedLogin",
            "CredentialAccess:RDS/AnomalousBehavior.SuccessfulBruteForce",
            "CredentialAccess:RDS/MaliciousIPCaller.SuccessfulLogin",
            "Discovery:RDS/TorIPCaller",
        ],
    ),
    ("other_type", &["Sabotage:EC2/Something", "Impact:Lambda/Something", "Custom"]),
];

/// By the rules of the table alone.
fn judge_own(from: &Path) -> (Vec<Value>, Value) {
    let rules = format!("only:{}", path(&repository("queries/guardduty_finding")));
    judge_by(&["--rules", &rules], from)
}

fn finding(id: &str, r#type: &str) -> Value {
    json!({
        "schemaVersion": "2.0", "accountId": "111122223333", "region": "eu-west-1", "partition": "aws", "id": id,
        "arn": format!("arn:aws:guardduty:eu-west-1:111122223333:detector/d/finding/{id}"), "type": r#type,
        "resource": {"resourceType": "AccessKey", "accessKeyDetails": {"accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "principalId": "AIDACKCEVSQ6C2EXAMPLE", "userName": "alice", "userType": "IAMUser"}},
        "service": {"serviceName": "guardduty", "archived": false, "count": 1, "resourceRole": "TARGET"},
        "severity": 5, "createdAt": "2024-08-01T12:00:00.000Z", "updatedAt": "2024-08-01T12:00:00.000Z", "title": format!("t {id}"),
    })
}

#[test]
fn every_type_is_named_by_one_rule() {
    let folder = tempfile::tempdir().unwrap();
    let (mut lines, mut expected) = (String::new(), BTreeMap::new());
    for (rule, types) in TYPES {
        for r#type in *types {
            let id = format!("id-{:06}", expected.len());
            lines += &format!("{}\n", finding(&id, r#type));
            expected.insert(format!("t {id}"), (format!("guardduty_finding/{rule}"), *r#type));
        }
    }
    fs::write(folder.path().join("findings.jsonl"), lines).unwrap();
    let (found, summary) = judge_own(&folder.path().join("findings.jsonl"));
    assert_nothing_is_lost(&summary);
    let mut wrong = Vec::new();
    for (title, (rule, r#type)) in &expected {
        let rules: Vec<&str> = found
            .iter()
            .filter(|finding| finding["title"] == title.as_str())
            .map(|finding| finding["rule"].as_str().unwrap())
            .collect();
        if rules != [rule.as_str()] {
            wrong.push(format!("{type} is named by {rules:?}, not {rule}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn samples_are_rows_and_no_findings() {
    let (found, summary) = judge_own(&repository("tests/data/guardduty_finding/*.json"));
    assert_nothing_is_lost(&summary);
    assert_eq!(summary["tables"]["guardduty_finding"]["records"], 3);
    let shown: Vec<_> =
        found.iter().map(|finding| (&finding["rule"], &finding["title"], &finding["severity"])).collect();
    // the two events were made by CreateSampleFindings
    let title = json!("Unusual user permission reconnaissance activity by testuser.");
    assert_eq!(shown, [(&json!("guardduty_finding/account_explored"), &title, &json!("medium"))]);
}

#[test]
fn a_finding_is_one_however_often_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let early = finding("id-000001", "Recon:IAMUser/TorIPCaller");
    let mut late = early.clone();
    late["updatedAt"] = json!("2024-09-01T12:00:00.000Z");
    late["severity"] = json!(8);
    let mut odd = finding("id-000002", "Recon:IAMUser/TorIPCaller");
    odd["service"] = json!("none");
    odd["severity"] = json!({"score": 1});
    let broken = early.to_string().replace("\"severity\":5", "\"severity\":five");
    // an export, written by gzip: told, told again, the same again, damaged, of another type
    let mut export = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    export.write_all(format!("{early}\n{late}\n{early}\n{broken}\n{odd}\n").as_bytes()).unwrap();
    let exports = "AWSLogs/111122223333/GuardDuty/eu-west-1/2024/08/01";
    fs::create_dir_all(folder.path().join("logs").join(exports)).unwrap();
    fs::write(folder.path().join("logs").join(exports).join("f0.jsonl.gz"), export.finish().unwrap()).unwrap();
    let event = json!({"detail-type": "GuardDuty Finding", "source": "aws.guardduty", "account": "111122223333",
        "region": "eu-west-1", "time": "2024-09-01T12:05:00Z", "detail": late});
    fs::write(folder.path().join("logs/event.json"), event.to_string()).unwrap();

    let (found, summary) = judge_own(&folder.path().join("logs"));
    assert_nothing_is_lost(&summary);
    let counts = &summary["tables"]["guardduty_finding"];
    let counts = ["records", "rows", "rejects", "duplicates"].map(|name| counts[name].as_u64().unwrap());
    assert_eq!(counts, [6, 3, 1, 2]);
    let one: Vec<_> = found.iter().filter(|finding| finding["title"] == "t id-000001").collect();
    assert_eq!(one.len(), 1, "{found:#?}");
    assert_eq!((&one[0]["severity"], &one[0]["count"]), (&json!("high"), &json!(2)));
    assert_eq!(one[0]["actor"], "arn:aws:iam::111122223333:user/alice");

    let run = ["run", "--rules", few(), "--from", "logs", "--archive", "archive"];
    assert_eq!(code(&weir(&run, folder.path())), 0);
    let day = "archive/guardduty_finding/account=111122223333/region=eu-west-1/day=2024-09-01";
    assert!(folder.path().join(day).is_dir(), "{day}");
    let sql = "SELECT id, resource.accessKeyDetails.userName AS who, severity FROM guardduty_finding \
               WHERE resource.accessKeyDetails.accessKeyId = 'AKIAIOSFODNN7EXAMPLE' AND severity > 7";
    let answer =
        weir(&["sql", sql, "--archive", &path(&folder.path().join("archive")), "--format", "ndjson"], folder.path());
    assert_eq!(code(&answer), 0, "{}", text(&answer.stderr));
    assert_eq!(text(&answer.stdout).trim(), r#"{"id":"id-000001","who":"alice","severity":8.0}"#);
}

#[test]
fn a_principal_has_one_name_in_both_logs() {
    let folder = tempfile::tempdir().unwrap();
    let mut stealth = finding("id-000001", "Stealth:IAMUser/CloudTrailLoggingDisabled");
    let call = json!({"actionType": "AWS_API_CALL", "awsApiCallAction": {"api": "StopLogging",
        "serviceName": "cloudtrail.amazonaws.com", "remoteIpDetails": {"ipAddressV4": "198.51.100.7"}}});
    stealth["service"]["action"] = call;
    let event = |identity: Value| {
        json!({"eventVersion": "1.09", "userIdentity": identity, "eventTime": "2024-08-01T11:55:00Z",
            "eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging", "awsRegion": "eu-west-1",
            "sourceIPAddress": "198.51.100.7", "userAgent": "aws-cli/2.17", "requestParameters": {"name": "main"},
            "responseElements": null, "eventID": "11111111-2222-4333-8444-555555555555", "recipientAccountId": "111122223333"})
    };
    let alice = json!({"type": "IAMUser", "principalId": "AIDACKCEVSQ6C2EXAMPLE", "accountId": "111122223333",
        "arn": "arn:aws:iam::111122223333:user/alice", "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "userName": "alice"});
    let role = json!({"type": "AssumedRole", "principalId": "AROACKCEVSQ6C2EXAMPLE:s", "accountId": "111122223333",
        "arn": "arn:aws:sts::111122223333:assumed-role/deploy/s", "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::111122223333:role/deploy", "userName": "deploy"}}});
    let mut of_role = stealth.clone();
    of_role["resource"]["accessKeyDetails"] = json!({"accessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "principalId": "AROACKCEVSQ6C2EXAMPLE:s", "userName": "deploy", "userType": "AssumedRole"});
    let rules = only(&["cloudtrail/trail_stopped", "guardduty_finding/defences_evaded"], &folder.path().join("rules"));
    for (identity, finding) in [(alice, stealth), (role, of_role)] {
        fs::write(folder.path().join("both.json"), format!("{}\n{finding}\n", event(identity))).unwrap();
        let (found, _) = judge_by(&["--rules", &rules], &folder.path().join("both.json"));
        let of = |table: &str| {
            let of_table = |finding: &&Value| finding["rule"].as_str().unwrap().starts_with(table);
            let finding = found.iter().find(of_table).unwrap_or_else(|| panic!("{table} is silent: {found:#?}"));
            (finding["actor"].clone(), finding["source_ip"].clone())
        };
        assert_eq!(of("cloudtrail/"), of("guardduty_finding/"));
    }
}
