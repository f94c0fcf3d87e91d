use serde_json::{Value, json};

use super::*;
use crate::finding::{self, tests::one_match};
use crate::time::Timestamp;

fn about(rule: &str, names: &[&str]) -> Value {
    let mut finding = one_match(rule, "AIDAEXAMPLE", Timestamp(0), "e");
    finding.resources = names.iter().map(|name| finding::Resource((*name).to_owned())).collect();
    let hub = Hub::new("999988887777", "eu-west-1").unwrap();
    serde_json::to_value(resources(&finding, &hub, &mut Cuts::default())).unwrap()
}

fn check(name: &str, r#type: &str, id: &str, details: Value) {
    let found = &about("cloudtrail/x", &[name])[0];
    assert_eq!((&found["Type"], &found["Id"]), (&json!(r#type), &json!(id)), "{name}");
    assert_eq!(found.get("Details").map_or(Value::Null, |members| members[r#type].clone()), details, "{name}");
}

/// An ARN is its own id.
fn check_arn(arn: &str, r#type: &str, details: Value) {
    check(arn, r#type, arn, details);
}

#[test]
fn arns_tell_the_type_and_the_name() {
    check_arn("arn:aws:iam::111122223333:user/team/eve", "AwsIamUser", json!({"UserName": "eve"}));
    check_arn(
        "arn:aws:iam::aws:policy/AdministratorAccess",
        "AwsIamPolicy",
        json!({"PolicyName": "AdministratorAccess"}),
    );
    check_arn("arn:aws:s3:::logs", "AwsS3Bucket", json!({"Name": "logs"}));
    check_arn("arn:aws:s3:::logs/a:b/c", "AwsS3Object", Value::Null);
    check_arn("arn:aws:s3:us-east-1:111122223333:accesspoint/in", "AwsS3AccessPoint", json!({"Name": "in"}));
    check_arn("arn:aws:lambda:us-east-1:111122223333:function:f:3", "AwsLambdaFunction", json!({"FunctionName": "f"}));
    check_arn("arn:aws:sns:us-east-1:111122223333:t", "AwsSnsTopic", json!({"TopicName": "t"}));
    check_arn("arn:aws:ec2:us-east-1:111122223333:instance/i-0123456789abcdef0", "AwsEc2Instance", Value::Null);
    check_arn("arn:aws:kms:us-east-1:111122223333:key/k", "AwsKmsKey", json!({"KeyId": "k"}));
    check_arn("arn:aws:wafv2:us-east-1:111122223333:regional/webacl/w/1", "AwsWafv2WebAcl", Value::Null);
    check_arn(
        "arn:aws:glue:us-east-1:111122223333:job/nightly",
        "Other",
        json!({"Service": "glue", "Name": "nightly"}),
    );
    check("arn:aws:iam::111122223333:root", "AwsAccount", "AWS::::Account:111122223333", Value::Null);
}

#[test]
fn names_become_the_arns_they_stand_for() {
    let eni = "eni-0123456789abcdef0";
    check(
        eni,
        "AwsEc2NetworkInterface",
        "arn:aws:ec2:us-east-1:111122223333:network-interface/eni-0123456789abcdef0",
        json!({"NetworkInterfaceId": eni}),
    );
    check(
        "snap-0123456789abcdef0",
        "Other",
        "arn:aws:ec2:us-east-1::snapshot/snap-0123456789abcdef0",
        json!({"Service": "ec2", "Name": "snap-0123456789abcdef0"}),
    );
    check("user/eve", "AwsIamUser", "arn:aws:iam::111122223333:user/eve", json!({"UserName": "eve"}));
    check("444455556666", "AwsAccount", "AWS::::Account:444455556666", Value::Null);
    check(
        "AKIAIOSFODNN7EXAMPLE",
        "AwsIamAccessKey",
        "AKIAIOSFODNN7EXAMPLE",
        json!({"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"}),
    );
    check(
        "https://sqs.cn-north-1.amazonaws.com.cn/444455556666/q",
        "AwsSqsQueue",
        "arn:aws-cn:sqs:cn-north-1:444455556666:q",
        json!({"QueueName": "q"}),
    );
    check("all connections", "Other", "all connections", json!({"Name": "all connections"}));
    let job = &about("glue_job_run/run_unencrypted", &["nightly"])[0];
    assert_eq!(job["Id"], "arn:aws:glue:us-east-1:111122223333:job/nightly");
}

#[test]
fn what_a_resource_is_in_is_its_own_or_the_hubs() {
    let found = about("cloudtrail/x", &["arn:aws-cn:kms:cn-north-1:111122223333:key/k", "some name"]);
    assert_eq!((&found[0]["Partition"], &found[0]["Region"]), (&json!("aws-cn"), &json!("cn-north-1")));
    assert_eq!((&found[1]["Partition"], &found[1]["Region"]), (&json!("aws"), &json!("eu-west-1")));
}

#[test]
fn known_types_come_first_and_none_comes_twice() {
    let found = about("cloudtrail/x", &["a name", "user/eve", "arn:aws:iam::111122223333:user/eve", "111122223333"]);
    let types: Vec<_> = found.as_array().unwrap().iter().map(|one| one["Type"].as_str().unwrap()).collect();
    assert_eq!(types, ["AwsIamUser", "AwsAccount", "Other"]);
}

#[test]
fn without_a_resource_it_is_the_actor_or_the_account() {
    let hub = Hub::new("999988887777", "eu-west-1").unwrap();
    let id = |actor: &str, account: &str| {
        let mut finding = one_match("cloudtrail/x", actor, Timestamp(0), "e");
        finding.resources = vec![finding::Resource(" ".into())];
        finding.account = account.into();
        resources(&finding, &hub, &mut Cuts::default())[0].id.clone()
    };
    assert_eq!(id("arn:aws:iam::111122223333:role/ci", "111122223333"), "arn:aws:iam::111122223333:role/ci");
    assert_eq!(id("AIDAEXAMPLE", "111122223333"), "AWS::::Account:111122223333");
    assert_eq!(id("198.51.100.7", "unknown"), "AWS::::Account:999988887777");
}

#[test]
fn too_many_and_too_long_are_cut_and_noted() {
    let names: Vec<String> = (0..40).map(|n| format!("{n:02}{}", "x".repeat(2000))).collect();
    let mut finding = one_match("cloudtrail/x", "a", Timestamp(0), "e");
    finding.resources = names.into_iter().map(finding::Resource).collect();
    let mut cuts = Cuts::default();
    let found = resources(&finding, &Hub::new("999988887777", "eu-west-1").unwrap(), &mut cuts);
    assert_eq!((found.len(), found[0].id.chars().count()), (32, 1152));
    assert_eq!(cuts.line().unwrap(), "Resources.Details, Resources.Id, Resources (8 left out)");
}
