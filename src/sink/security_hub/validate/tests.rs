use std::path::Path;

use serde_json::json;

use super::*;

fn samples() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/asff/samples");
    let mut samples: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, value.pointer("/detail/findings/0").cloned().unwrap_or(value))
        })
        .collect();
    samples.sort_by(|a, b| a.0.cmp(&b.0));
    samples
}

fn sample(name: &str) -> Value {
    samples().into_iter().find(|(known, _)| known == name).unwrap().1
}

/// A real finding with one value changed (null takes it out), and what is then wrong with it.
fn broken(name: &str, pointer: &str, value: Value) -> Vec<String> {
    let mut finding = sample(name);
    let (above, last) = pointer.rsplit_once('/').unwrap();
    match finding.pointer_mut(above).unwrap() {
        Value::Object(map) if value.is_null() => drop(map.remove(last)),
        Value::Object(map) => drop(map.insert(last.to_owned(), value)),
        other => other[last.parse::<usize>().unwrap()] = value,
    }
    violations(&finding).iter().map(Violation::to_string).collect()
}

#[track_caller]
fn check(pointer: &str, value: Value, expected: &[&str]) {
    assert_eq!(broken("afsbp-s3.8", pointer, value), expected);
}

#[test]
fn real_findings_pass() {
    let samples = samples();
    assert_eq!(samples.len(), 8);
    for (name, finding) in samples {
        assert_eq!(violations(&finding), [], "{name}");
    }
}

#[test]
fn required_fields_are_required() {
    for field in [
        "SchemaVersion",
        "Id",
        "ProductArn",
        "GeneratorId",
        "AwsAccountId",
        "CreatedAt",
        "UpdatedAt",
        "Title",
        "Description",
        "Resources",
    ] {
        check(&format!("/{field}"), Value::Null, &[&format!("{field} is missing")]);
    }
    check("/Resources/0/Type", Value::Null, &["Resources[0].Type is missing"]);
    check("/Resources/0/Id", Value::Null, &["Resources[0].Id is missing"]);
}

#[test]
fn texts_have_a_length_and_are_not_blank() {
    let limits = [
        ("/Id", 512),
        ("/GeneratorId", 512),
        ("/Title", 256),
        ("/Description", 1024),
        ("/ProductName", 128),
        ("/CompanyName", 128),
        ("/AwsAccountName", 50),
        ("/Region", 16),
        ("/SourceUrl", 2048),
        ("/Resources/0/Type", 256),
        ("/Resources/0/Region", 16),
        ("/Severity/Original", 64),
        ("/FindingProviderFields/Severity/Original", 64),
        ("/Remediation/Recommendation/Text", 512),
    ];
    for (pointer, most) in limits {
        let path = pointer[1..].replace("/0", "[0]").replace('/', ".");
        // characters, not bytes
        check(pointer, json!("é".repeat(most)), &[]);
        let wrong = format!("{path} has {} characters, and may have {most}", most + 1);
        check(pointer, json!("é".repeat(most + 1)), &[&wrong]);
        for blank in ["", " ", "\u{a0}\n", "\u{feff}"] {
            check(pointer, json!(blank), &[&format!("{path} is blank")]);
        }
    }
    check("/Title", json!(7), &["Title is a number, and must be text"]);
    check("/SourceUrl", json!({}), &["SourceUrl is an object, and must be text"]);
}

#[test]
fn words_are_from_their_lists() {
    check("/SchemaVersion", json!("2018-10-09"), &["SchemaVersion is `2018-10-09`, and may be 2018-10-08"]);
    check("/RecordState", json!("CLOSED"), &["RecordState is `CLOSED`, and may be ACTIVE, ARCHIVED"]);
    check(
        "/FindingProviderFields/Severity/Label",
        json!("High"),
        &["FindingProviderFields.Severity.Label is `High`, and may be INFORMATIONAL, LOW, MEDIUM, HIGH, CRITICAL"],
    );
    check(
        "/Workflow/Status",
        json!("DONE"),
        &["Workflow.Status is `DONE`, and may be NEW, NOTIFIED, RESOLVED, SUPPRESSED"],
    );
    check(
        "/Compliance/Status",
        json!("BAD"),
        &["Compliance.Status is `BAD`, and may be PASSED, WARNING, FAILED, NOT_AVAILABLE"],
    );
    check(
        "/VerificationState",
        json!("MAYBE"),
        &["VerificationState is `MAYBE`, and may be UNKNOWN, TRUE_POSITIVE, FALSE_POSITIVE, BENIGN_POSITIVE"],
    );
    check(
        "/Resources/0/Partition",
        json!("aws-iso"),
        &["Resources[0].Partition is `aws-iso`, and may be aws, aws-cn, aws-us-gov"],
    );
}

#[test]
fn numbers_have_bounds() {
    check("/Confidence", json!(100), &[]);
    check("/Confidence", json!(101), &["Confidence is 101, and may be 0 to 100"]);
    check("/Criticality", json!(-1), &["Criticality is -1, and may be 0 to 100"]);
    check("/Confidence", json!(1.5), &["Confidence is 1.5, and may be 0 to 100"]);
    check("/Confidence", json!("80"), &["Confidence is text, and must be an integer"]);
    check("/Severity/Normalized", json!(101), &["Severity.Normalized is 101, and may be 0 to 100"]);
    check("/Network", json!({"DestinationPort": 65536}), &["Network.DestinationPort is 65536, and may be 0 to 65535"]);
    check("/Sample", json!("yes"), &["Sample is text, and must be a boolean"]);
}

#[test]
fn times_have_seconds_and_a_zone() {
    for fine in [
        "2024-01-02T03:04:05Z",
        "2024-01-02T03:04:05.123456789Z",
        "2024-02-29T23:59:59+00:00",
        "2024-01-04T15:25:10-1759",
        "2024-01-04T15:25:10.1+18:00",
    ] {
        check("/UpdatedAt", json!(fine), &[]);
    }
    for wrong in [
        "2024-01-02",
        "2024-01-02 03:04:05Z",
        "2024-01-02T03:04:05",
        "2024-01-02T03:04Z",
        "2024-01-02T03:04:05.Z",
        "2024-01-02T03:04:05.1234567890Z",
        "2023-02-29T00:00:00Z",
        "2024-01-02T24:00:00Z",
        "2024-01-02T03:04:05+18:01",
        "2024-01-02T03:04:05++1:00",
        "2024-01-02t03:04:05z",
        "+12024-01-02T03:04:05Z",
        "１２０２4-01-02T03:04:05Z",
    ] {
        let expected = format!("CreatedAt is `{wrong}`, and not like 2024-01-02T03:04:05.678Z");
        check("/CreatedAt", json!(wrong), &[&expected]);
    }
    check("/LastObservedAt", json!(1_704_164_645), &["LastObservedAt is a number, and must be text"]);
}

#[test]
fn types_are_of_the_taxonomy() {
    let types = |types: &[&str]| broken("afsbp-s3.8", "/FindingProviderFields/Types", json!(types));
    assert_eq!(types(&["TTPs", "Effects/Data Exfiltration", "TTPs/Initial Access/Phishing"]), [""; 0]);
    assert_eq!(
        types(&["TTPs", "Tactics/Impact"]),
        [
            "FindingProviderFields.Types[1] has the namespace `Tactics`, and may have Software and Configuration Checks, \
          TTPs, Effects, Unusual Behaviors, Sensitive Data Identifications"
        ]
    );
    for wrong in ["TTPs/a/b/c", "TTPs/", "TTPs//b"] {
        let expected = format!("FindingProviderFields.Types[0] is `{wrong}`, and not namespace/category/classifier");
        assert_eq!(types(&[wrong]), [expected]);
    }
    assert_eq!(types(&["TTPs"; 51]), ["FindingProviderFields.Types has 51 members, and may have 0 to 50"]);
}

#[test]
fn severity_and_type_are_needed_in_one_of_two_places() {
    let mut finding = sample("afsbp-s3.8");
    for field in ["Severity", "Types"] {
        finding.as_object_mut().unwrap().remove(field);
    }
    assert_eq!(violations(&finding), []);
    finding["FindingProviderFields"] = json!({"Severity": {"Original": "9"}, "Types": []});
    let found: Vec<_> = violations(&finding).iter().map(Violation::to_string).collect();
    assert_eq!(
        found,
        [
            "has no severity: neither Severity nor FindingProviderFields.Severity has a Label",
            "has no type: neither Types nor FindingProviderFields.Types has a member"
        ]
    );
}

#[test]
fn maps_and_lists_have_sizes() {
    let pairs = |count: usize, name: usize, value: usize| -> Value {
        (0..count).map(|n| (format!("{n:0>name$}"), json!("v".repeat(value)))).collect::<Map<_, _>>().into()
    };
    check("/ProductFields", pairs(50, 128, 2048), &[]);
    check("/ProductFields", pairs(51, 2, 1), &["ProductFields has 51 pairs, and may have 50"]);
    check(
        "/ProductFields",
        pairs(1, 129, 1),
        &[&format!("ProductFields.{} has a name of 129 characters, and may have 128", "0".repeat(129))],
    );
    check("/ProductFields", pairs(1, 1, 2049), &["ProductFields.0 has 2049 characters, and may have 2048"]);
    check("/ProductFields", json!({"a": ""}), &["ProductFields.a is blank"]);
    check("/ProductFields", json!({"a": 1}), &["ProductFields.a is a number, and must be text"]);
    check("/ProductFields", json!({" ": "a"}), &["ProductFields.  has a blank name"]);
    check("/UserDefinedFields", pairs(1, 1, 1025), &["UserDefinedFields.0 has 1025 characters, and may have 1024"]);
    check("/Resources/0/Tags", pairs(1, 1, 257), &["Resources[0].Tags.0 has 257 characters, and may have 256"]);
    check(
        "/Resources/0/Details/Other",
        pairs(1, 1, 1024),
        &["Resources[0].Details.Other.0 has 1024 characters, and may have 1023"],
    );
    let resource = json!({"Type": "Other", "Id": "x"});
    check("/Resources", json!(vec![&resource; 32]), &[]);
    check("/Resources", json!(vec![&resource; 33]), &["Resources has 33 members, and may have 1 to 32"]);
    check("/Resources", json!([]), &["Resources has 0 members, and may have 1 to 32"]);
    let related = json!({"ProductArn": "arn:aws:securityhub:us-east-1::product/aws/guardduty", "Id": "x"});
    check("/RelatedFindings", json!(vec![related; 11]), &["RelatedFindings has 11 members, and may have 1 to 10"]);
    check("/Threats", json!(vec![json!({}); 33]), &["Threats has 33 members, and may have 1 to 32"]);
    check("/Malware", json!(vec![json!({"Name": "x"}); 6]), &["Malware has 6 members, and may have 0 to 5"]);
    check(
        "/ThreatIntelIndicators",
        json!(vec![json!({}); 6]),
        &["ThreatIntelIndicators has 6 members, and may have 1 to 5"],
    );
    check(
        "/Compliance/RelatedRequirements",
        json!(vec!["NIST.800-53.r5 AC-2"; 33]),
        &["Compliance.RelatedRequirements has 33 members, and may have 0 to 32"],
    );
}

#[test]
fn notes_are_whole() {
    let note = |field: &str, value: Value| broken("cis15111", &format!("/Note/{field}"), value);
    assert_eq!(note("UpdatedBy", Value::Null), ["Note.UpdatedBy is missing"]);
    assert_eq!(note("Text", json!("x".repeat(513))), ["Note.Text has 513 characters, and may have 512"]);
}

#[test]
fn the_product_is_of_the_findings_account_and_of_a_known_partition() {
    let default = "arn:aws:securityhub:us-east-1:111111111111:product/111111111111/default";
    let account = sample("afsbp-s3.8")["AwsAccountId"].as_str().unwrap().to_owned();
    assert_eq!(account, "111111111111");
    check("/ProductArn", json!(default), &[]);
    check(
        "/ProductArn",
        json!(default.replace("111111111111", "222222222222")),
        &["AwsAccountId is not that of the product, 222222222222"],
    );
    for wrong in [
        "arn:aws-cn:securityhub:us-east-1::product/aws/guardduty",
        "arn:aws:securityhub:cn-north-1::product/aws/guardduty",
        "arn:aws-iso:securityhub:us-iso-east-1::product/aws/guardduty",
        "arn:aws:securityhub:us-east-1:111111111111:product/222222222222/default",
        "arn:aws:securityhub:us-east-1::product/aws",
        "arn:aws:guardduty:us-east-1::product/aws/guardduty",
    ] {
        let expected = "ProductArn is not arn:PARTITION:securityhub:REGION:ACCOUNT:product/COMPANY/PRODUCT";
        check("/ProductArn", json!(wrong), &[expected]);
    }
    check("/AwsAccountId", json!("1111"), &["AwsAccountId is `1111`, and not 12 digits"]);
}

#[test]
fn unknown_fields_and_nulls_are_told() {
    check("/Titel", json!("x"), &["Titel is no field of ASFF"]);
    check("/Remediation/Recommendation/URL", json!("x"), &["Remediation.Recommendation.URL is no field of ASFF"]);
    check("/Resources/0/Details/AwsGlueJob", json!({}), &["Resources[0].Details.AwsGlueJob is no field of ASFF"]);
    check(
        "/Resources/0/Details/AwsS3Bucket",
        json!({"OwnerId": "", "Name": null}),
        &[
            "Resources[0].Details.AwsS3Bucket.OwnerId is blank",
            "Resources[0].Details.AwsS3Bucket.Name is null, and must be left out",
        ],
    );
    assert_eq!(violations(&json!([]))[0].to_string(), "is a list, and must be an object");
}

#[test]
fn links_addresses_and_actions_are_what_they_say() {
    check(
        "/Remediation/Recommendation/Url",
        json!("http://example.com"),
        &["Remediation.Recommendation.Url does not begin with https://"],
    );
    check(
        "/Network",
        json!({"SourceIpV4": "2001:db8::1", "DestinationIpV6": "192.0.2.1", "Direction": "INGRESS"}),
        &[
            "Network.Direction is `INGRESS`, and may be IN, OUT",
            "Network.SourceIpV4 is not an IPv4 address",
            "Network.DestinationIpV6 is not an IPv6 address",
        ],
    );
    check("/Action", json!({"ActionType": "AWS_API_CALL", "AwsApiCallAction": {"Api": "x"}}), &[]);
    check(
        "/Action",
        json!({"ActionType": "AWS_API_CALL", "DnsRequestAction": {"Domain": "x".repeat(129)}}),
        &[
            "Action.DnsRequestAction.Domain has 129 characters, and may have 128",
            "Action.AwsApiCallAction is missing, and ActionType is AWS_API_CALL",
            "Action.DnsRequestAction is there, and ActionType is not DNS_REQUEST",
        ],
    );
}

#[test]
fn findings_and_calls_have_a_size() {
    let of_size = |bytes: usize, id: &str| {
        let mut finding = sample("afsbp-s3.8");
        finding["Id"] = json!(id);
        finding["NetworkPath"] = json!([""]);
        let rest = finding.to_string().len();
        finding["NetworkPath"] = json!(["x".repeat(bytes - rest)]);
        finding
    };
    assert_eq!(violations(&of_size(240_000, "a")), []);
    assert_eq!(violations(&of_size(240_001, "a"))[0].to_string(), "is 240001 bytes long, and may be 240000");

    let call = |findings: Vec<Value>| -> Vec<String> {
        call_violations(&json!({"Findings": findings})).iter().map(Violation::to_string).collect()
    };
    let small: Vec<Value> = (0..101).map(|n| of_size(4_000, &n.to_string())).collect();
    assert_eq!(call(small[..100].to_vec()), [""; 0]);
    assert_eq!(call(small), ["Findings has 101 findings, and may have 1 to 100"]);
    assert_eq!(call(vec![]), ["Findings has 0 findings, and may have 1 to 100"]);
    let large: Vec<Value> = (0..25).map(|n| of_size(240_000, &n.to_string())).collect();
    assert_eq!(call(large[..24].to_vec()), [""; 0]);
    assert_eq!(call(large), ["is 6000039 bytes long, and may be 6000000"]);
    let mut second = of_size(4_000, "a");
    second["Title"] = json!("");
    assert_eq!(
        call(vec![of_size(4_000, "a"), second]),
        ["Findings[1].Id is that of another finding of the call", "Findings[1].Title is blank"]
    );
    assert_eq!(call_violations(&json!([]))[0].to_string(), "Findings is needed, a list");
}

#[test]
fn what_others_own_is_told_apart() {
    let finding = json!({
        "Title": "x", "Note": {}, "Workflow": {}, "Severity": {}, "Region": "us-east-1",
        "ProductFields": {"aws/securityhub/ProductName": "x", "weir/rule": "y"}
    });
    let found: Vec<_> = not_ours(&finding).iter().map(Violation::to_string).collect();
    assert_eq!(
        found,
        [
            "Note is the analysts'",
            "Workflow is the analysts'",
            "Severity belongs into FindingProviderFields",
            "Region is filled by Security Hub",
            "ProductFields.aws/securityhub/ProductName begins with aws/, which is reserved",
        ]
    );
}
