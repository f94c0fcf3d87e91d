//! Synthetic logs for the benches: the same seed gives the same bytes on every machine.

#![allow(dead_code)]

use std::fmt::Write as _;
use std::io::Write as _;

/// SplitMix64.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }

    /// Small numbers more often: what logs look like.
    fn skewed(&mut self, n: u64) -> u64 {
        let top = self.below(n) + 1;
        self.below(top)
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    fn guid(&mut self) -> String {
        let (a, b) = (self.roll(), self.roll());
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xffff,
            b >> 48,
            b & 0xffff_ffff_ffff
        )
    }

    /// Capital letters and digits.
    fn id(&mut self, length: usize) -> String {
        (0..length).map(|_| b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[self.below(32) as usize] as char).collect()
    }

    fn hex(&mut self, length: usize) -> String {
        (0..length).map(|_| b"0123456789abcdef"[self.below(16) as usize] as char).collect()
    }
}

const REGIONS: &[&str] = &["us-east-1", "eu-west-1", "eu-central-1", "us-west-2", "ap-southeast-2"];

const AGENTS: &[&str] = &[
    "Boto3/1.34.108 md/Botocore#1.34.108 ua/2.0 os/linux#5.10.215-203.850.amzn2.x86_64 md/arch#x86_64 lang/python#3.8.19 md/pyimpl#CPython exec-env/AWS_ECS_FARGATE cfg/retry-mode#standard Botocore/1.34.108",
    "aws-cli/2.15.30 Python/3.11.8 Linux/6.1.84-99.169.amzn2023.x86_64 exe/x86_64.amzn.2023 prompt/off command/s3api.get-object",
    "aws-sdk-go/1.44.298 (go1.20.6; linux; amd64) amazon-ssm-agent/",
    "APN/1.0 HashiCorp/1.0 Terraform/1.5.7 (+https://www.terraform.io) terraform-provider-aws/5.31.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.23.5 os/linux lang/go#1.20.12",
    "[Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36]",
    "cloudformation.amazonaws.com",
];

/// How often among all, service, name, read-only, and the parameters and answer, where `#` stands for a number, `@` for an id.
const CALLS: &[(u64, &str, &str, bool, &str, &str)] = &[
    (
        1400,
        "s3",
        "GetObject",
        true,
        r##"{"bucketName":"prod-data-lake-#","Host":"prod-data-lake-#.s3.eu-west-1.amazonaws.com","key":"curated/orders/year=2024/month=08/part-#-@.snappy.parquet","x-amz-checksum-mode":"ENABLED"}"##,
        "null",
    ),
    (
        600,
        "s3",
        "PutObject",
        false,
        r##"{"bucketName":"prod-data-lake-#","Host":"prod-data-lake-#.s3.eu-west-1.amazonaws.com","key":"raw/events/@.json.gz","x-amz-server-side-encryption":"aws:kms"}"##,
        r##"{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:eu-west-1:111122223333:key/8f2d-#","x-amz-server-side-encryption-bucket-key-enabled":"true"}"##,
    ),
    (
        500,
        "s3",
        "ListObjects",
        true,
        r##"{"list-type":"2","bucketName":"prod-artifacts-#","encoding-type":"url","max-keys":"1000","prefix":"builds/#/","delimiter":"/","Host":"prod-artifacts.s3.amazonaws.com"}"##,
        "null",
    ),
    (
        1200,
        "sts",
        "AssumeRole",
        true,
        r##"{"roleArn":"arn:aws:iam::111122223333:role/service-role-#","roleSessionName":"session-@","durationSeconds":3600,"externalId":"@","tags":[{"key":"team","value":"data"},{"key":"env","value":"prod"}]}"##,
        r##"{"credentials":{"accessKeyId":"ASIA@","sessionToken":"IQoJb3JpZ2luX2VjE#@","expiration":"Aug 1, 2024, 12:30:23 PM"},"assumedRoleUser":{"assumedRoleId":"AROA@:session-@","arn":"arn:aws:sts::111122223333:assumed-role/service-role-#/session"}}"##,
    ),
    (300, "sts", "GetCallerIdentity", true, "null", "null"),
    (
        800,
        "ec2",
        "DescribeInstances",
        true,
        r##"{"maxResults":1000,"instancesSet":{},"filterSet":{"items":[{"name":"tag:Environment","valueSet":{"items":[{"value":"prod"}]}},{"name":"instance-state-name","valueSet":{"items":[{"value":"running"},{"value":"pending"}]}}]}}"##,
        "null",
    ),
    (
        400,
        "ec2",
        "DescribeSecurityGroups",
        true,
        r##"{"securityGroupSet":{},"securityGroupIdSet":{"items":[{"groupId":"sg-0#"},{"groupId":"sg-1#"}]},"filterSet":{}}"##,
        "null",
    ),
    (
        10,
        "ec2",
        "RunInstances",
        false,
        r##"{"instancesSet":{"items":[{"imageId":"ami-0#","minCount":1,"maxCount":2,"keyName":"ops"}]},"instanceType":"m5.large","blockDeviceMapping":{"items":[{"deviceName":"/dev/xvda","ebs":{"volumeSize":100,"deleteOnTermination":true,"volumeType":"gp3","encrypted":true}}]},"monitoring":{"enabled":false},"disableApiTermination":false,"clientToken":"@","tagSpecificationSet":{"items":[{"resourceType":"instance","tags":[{"key":"Name","value":"worker-#"},{"key":"CostCenter","value":"4711"}]}]}}"##,
        r##"{"requestId":"@","reservationId":"r-0#","ownerId":"111122223333","groupSet":{},"instancesSet":{"items":[{"instanceId":"i-0#","imageId":"ami-0#","currentState":{"code":0,"name":"pending"},"privateDnsName":"ip-10-0-1-23.eu-west-1.compute.internal","amiLaunchIndex":0,"productCodes":{},"instanceType":"m5.large","launchTime":1722511823000,"placement":{"availabilityZone":"eu-west-1a","tenancy":"default"},"monitoring":{"state":"disabled"},"subnetId":"subnet-0#","vpcId":"vpc-0#","privateIpAddress":"10.0.1.23","stateReason":{"code":"pending","message":"pending"},"architecture":"x86_64","rootDeviceType":"ebs"}]}}"##,
    ),
    (
        1,
        "ec2",
        "AuthorizeSecurityGroupIngress",
        false,
        r##"{"groupId":"sg-0#","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":443,"toPort":443,"groups":{},"ipRanges":{"items":[{"cidrIp":"10.0.0.0/8","description":"internal"}]},"ipv6Ranges":{},"prefixListIds":{}}]}}"##,
        r##"{"requestId":"@","_return":true}"##,
    ),
    (
        40,
        "ec2",
        "CreateTags",
        false,
        r##"{"resourcesSet":{"items":[{"resourceId":"vol-0#"}]},"tagSet":{"items":[{"key":"backup","value":"daily"},{"key":"owner","value":"team-#"}]}}"##,
        r##"{"requestId":"@","_return":true}"##,
    ),
    (
        1200,
        "kms",
        "Decrypt",
        true,
        r##"{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::prod-data-lake-#"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}"##,
        "null",
    ),
    (
        500,
        "kms",
        "GenerateDataKey",
        true,
        r##"{"keySpec":"AES_256","encryptionContext":{"aws:s3:arn":"arn:aws:s3:::prod-data-lake-#/raw/@"},"keyId":"arn:aws:kms:eu-west-1:111122223333:key/8f2d-#"}"##,
        "null",
    ),
    (200, "iam", "GetRole", true, r##"{"roleName":"service-role-#"}"##, "null"),
    (30, "iam", "ListRoles", true, r##"{"maxItems":100}"##, "null"),
    (
        2,
        "iam",
        "PutRolePolicy",
        false,
        r##"{"roleName":"service-role-#","policyName":"inline-#","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\",\"s3:PutObject\"],\"Resource\":\"arn:aws:s3:::prod-data-lake-#/*\"}]}"}"##,
        "null",
    ),
    (
        1,
        "iam",
        "CreateAccessKey",
        false,
        r##"{"userName":"user-#"}"##,
        r##"{"accessKey":{"userName":"user-#","accessKeyId":"AKIA@","status":"Active","createDate":"Aug 1, 2024, 11:30:23 AM"}}"##,
    ),
    (
        400,
        "logs",
        "CreateLogStream",
        false,
        r##"{"logGroupName":"/aws/lambda/ingest-#","logStreamName":"2024/08/01/[$LATEST]@"}"##,
        "null",
    ),
    (300, "logs", "PutLogEvents", false, r##"{"logGroupName":"/aws/ecs/api-#","logStreamName":"api/api/@"}"##, "null"),
    (
        500,
        "lambda",
        "Invoke",
        false,
        r##"{"functionName":"arn:aws:lambda:eu-west-1:111122223333:function:ingest-#","invocationType":"RequestResponse","clientContext":"@"}"##,
        "null",
    ),
    (50, "lambda", "ListFunctions20150331", true, r##"{"maxItems":50}"##, "null"),
    (
        4,
        "lambda",
        "UpdateFunctionCode20150331v2",
        false,
        r##"{"functionName":"ingest-#","s3Bucket":"prod-artifacts","s3Key":"builds/#/@.zip","publish":true,"dryRun":false}"##,
        r##"{"functionName":"ingest-#","functionArn":"arn:aws:lambda:eu-west-1:111122223333:function:ingest-#","runtime":"python3.12","role":"arn:aws:iam::111122223333:role/service-role-#","handler":"app.handler","codeSize":1048576,"timeout":60,"memorySize":512,"lastModified":"2024-08-01T11:30:23.000+0000","version":"#","vpcConfig":{"subnetIds":[],"securityGroupIds":[],"vpcId":""},"environment":{},"tracingConfig":{"mode":"PassThrough"},"state":"Active"}"##,
    ),
    (200, "dynamodb", "DescribeTable", true, r##"{"tableName":"sessions-#"}"##, "null"),
    (
        400,
        "dynamodb",
        "PutItem",
        false,
        r##"{"tableName":"sessions-#","key":{"pk":"@"},"items":["pk","sk"],"returnConsumedCapacity":"NONE"}"##,
        "null",
    ),
    (200, "glue", "GetTable", true, r##"{"databaseName":"lake","name":"orders_#"}"##, "null"),
    (
        100,
        "glue",
        "GetPartitions",
        true,
        r##"{"databaseName":"lake","tableName":"orders_#","expression":"day >= '2024-07-#'","maxResults":1000,"segment":{"segmentNumber":3,"totalSegments":10}}"##,
        "null",
    ),
    (
        10,
        "glue",
        "StartJobRun",
        false,
        r##"{"jobName":"nightly-#","arguments":{"--enable-metrics":"true","--day":"2024-08-01","--job-bookmark-option":"job-bookmark-enable"},"workerType":"G.1X","numberOfWorkers":10}"##,
        r##"{"jobRunId":"jr_@"}"##,
    ),
    (
        100,
        "secretsmanager",
        "GetSecretValue",
        true,
        r##"{"secretId":"prod/db/orders-#","versionStage":"AWSCURRENT"}"##,
        "null",
    ),
    (200, "ssm", "GetParameter", true, r##"{"name":"/prod/api/config-#","withDecryption":true}"##, "null"),
    (
        300,
        "ssm",
        "UpdateInstanceInformation",
        false,
        r##"{"instanceId":"i-0#","agentVersion":"3.3.131.0","agentStatus":"Active","platformType":"Linux","platformName":"Amazon Linux","platformVersion":"2","iPAddress":"10.0.1.#","computerName":"ip-10-0-1-#.eu-west-1.compute.internal","agentName":"amazon-ssm-agent"}"##,
        "null",
    ),
    (
        4,
        "monitoring",
        "PutMetricAlarm",
        false,
        r##"{"alarmName":"cpu-#","metricName":"CPUUtilization","namespace":"AWS/EC2","statistic":"Average","period":300,"evaluationPeriods":3,"threshold":80.0,"comparisonOperator":"GreaterThanThreshold","dimensions":[{"name":"InstanceId","value":"i-0#"}],"actionsEnabled":true}"##,
        "null",
    ),
];

fn fill(template: &str, dice: &mut Dice, out: &mut String) {
    for part in template.chars() {
        match part {
            '#' => {
                let number = dice.skewed(400);
                write!(out, "{number}").expect("a string takes all");
            }
            '@' => out.push_str(&dice.id(16)),
            other => out.push(other),
        }
    }
}

/// Where and when the events of one file are from: CloudTrail delivers a file for an account, a Region and some five minutes.
#[derive(Clone, Copy)]
pub struct Delivery {
    pub account: u64,
    pub region: &'static str,
    /// Seconds after the first of August 2024 began.
    pub start: u64,
}

impl Delivery {
    const SECONDS: u64 = 300;

    /// An hour of one account and Region after the other, then the next hour of all.
    pub fn of(seed: u64) -> Delivery {
        let (hour, within) = (seed / 240, seed % 240);
        let (place, slice) = (within / 12, within % 12);
        Delivery {
            account: 111_122_223_333 + place / 5 * 1_000_000,
            region: REGIONS[place as usize % 5],
            start: (hour * 12 + slice) * Delivery::SECONDS,
        }
    }

    pub fn next(self) -> Delivery {
        Delivery { start: self.start + Delivery::SECONDS, ..self }
    }

    /// The folder of CloudTrail's layout that the file lies in.
    pub fn folder(&self) -> String {
        format!("AWSLogs/{}/CloudTrail/{}/2024/08/{:02}", self.account, self.region, 1 + self.start / 86_400)
    }
}

fn call(dice: &mut Dice) -> &'static (u64, &'static str, &'static str, bool, &'static str, &'static str) {
    let mut place = dice.below(CALLS.iter().map(|call| call.0).sum());
    let chosen = CALLS.iter().find(|call| {
        let found = place < call.0;
        place = place.saturating_sub(call.0);
        found
    });
    chosen.expect("the place is below the sum of all")
}

/// One CloudTrail event, 1 to 2 KB on average. A role has one key an hour, and calls from three addresses.
fn cloudtrail_event(dice: &mut Dice, delivery: &Delivery, out: &mut String) {
    let &(_, service, name, read_only, request, response) = call(dice);
    let Delivery { account, region, start } = *delivery;
    let second = start + dice.below(Delivery::SECONDS);
    let role = dice.skewed(60);
    let (day, hour) = (1 + second / 86_400, second / 3600 % 24);
    let time = format!("2024-08-{day:02}T{hour:02}:{:02}:{:02}Z", second / 60 % 60, second % 60);
    let agent = AGENTS[(role + dice.skewed(2)) as usize % AGENTS.len()];
    let owner = account ^ role << 40;
    let address = {
        let mut dice = Dice(owner ^ dice.skewed(3) << 50);
        format!("10.{}.{}.{}", dice.skewed(8), dice.skewed(64), dice.below(255))
    };
    let key = Dice(owner ^ hour << 50 ^ day << 56).id(16);
    out.push_str(r#"{"eventVersion":"1.09","userIdentity":{"#);
    let identity = dice.below(20);
    match identity {
        0..14 => {
            let id = 0x5a5a + role;
            write!(out, r#""type":"AssumedRole","principalId":"AROA3XFRBF535PLBIF{id}:i-0a1b2c3d4e5f{role:04}","arn":"arn:aws:sts::{account}:assumed-role/service-role-{role}/i-0a1b2c3d4e5f{role:04}","accountId":"{account}","accessKeyId":"ASIA{key}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROA3XFRBF535PLBIF{id}","arn":"arn:aws:iam::{account}:role/service-role-{role}","accountId":"{account}","userName":"service-role-{role}"}},"webIdFederationData":{{}},"attributes":{{"creationDate":"2024-08-{day:02}T{hour:02}:00:00Z","mfaAuthenticated":"false"}},"ec2RoleDelivery":"2.0"}}"#)
        }
        14..17 => write!(out, r#""type":"IAMUser","principalId":"AIDA3XFRBF535PLBIF{role}","arn":"arn:aws:iam::{account}:user/user-{role}","accountId":"{account}","accessKeyId":"AKIA3XFRBF53{role:08}","userName":"user-{role}""#),
        17..19 => write!(out, r#""type":"AWSService","invokedBy":"{service}.amazonaws.com""#),
        _ => write!(out, r#""type":"AWSAccount","principalId":"AROA3XFRBF535PLBIF{role}:x","accountId":"{account}""#),
    }
    .expect("a string takes all");
    write!(out, r#"}},"eventTime":"{time}","eventSource":"{service}.amazonaws.com","eventName":"{name}","awsRegion":"{region}","sourceIPAddress":"{address}","userAgent":"{agent}","#).expect("a string takes all");
    let failed = dice.below(25) == 0;
    if failed {
        write!(out, r#""errorCode":"AccessDenied","errorMessage":"User: arn:aws:sts::{account}:assumed-role/service-role-{role}/i-0a1b is not authorized to perform: {service}:{name} because no identity-based policy allows the {service}:{name} action","#).expect("a string takes all");
    }
    out.push_str(r#""requestParameters":"#);
    fill(request, dice, out);
    out.push_str(r#","responseElements":"#);
    fill(if failed { "null" } else { response }, dice, out);
    if service == "s3" {
        write!(out, r#","additionalEventData":{{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"{}=","bytesTransferredOut":{}}}"#, dice.id(40), dice.below(100_000)).expect("a string takes all");
    }
    write!(out, r#","requestID":"{}","eventID":"{}","readOnly":{read_only}"#, dice.guid(), dice.guid())
        .expect("a string takes all");
    if matches!(service, "s3" | "kms" | "sts") {
        write!(out, r#","resources":[{{"accountId":"{account}","type":"AWS::{}::Thing","ARN":"arn:aws:{service}:::thing-{role}"}}]"#, service.to_uppercase()).expect("a string takes all");
    }
    let data = matches!(name, "GetObject" | "PutObject" | "Invoke" | "PutItem");
    write!(out, r#","eventType":"AwsApiCall","managementEvent":{},"recipientAccountId":"{account}","eventCategory":"{}","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{service}.{region}.amazonaws.com"}}}}"#, !data, if data { "Data" } else { "Management" }).expect("a string takes all");
}

/// A file as CloudTrail delivers it, not compressed: `{"Records":[...]}` on one line.
pub fn cloudtrail_file(seed: u64, events: usize) -> Vec<u8> {
    let mut out = String::from(r#"{"Records":["#);
    cloudtrail_events(seed, &Delivery::of(seed), events, ',', &mut out);
    out.push_str("]}");
    out.into_bytes()
}

/// The events of [`cloudtrail_file`], each on a line of its own.
pub fn cloudtrail_lines(seed: u64, events: usize) -> Vec<u8> {
    let mut out = String::new();
    cloudtrail_events(seed, &Delivery::of(seed), events, '\n', &mut out);
    out.push('\n');
    out.into_bytes()
}

/// Events of one delivery, with `between` between them.
pub fn cloudtrail_events(seed: u64, delivery: &Delivery, events: usize, between: char, out: &mut String) {
    let mut dice = Dice(seed);
    for n in 0..events {
        if n > 0 {
            out.push(between);
        }
        cloudtrail_event(&mut dice, delivery, out);
    }
}

/// A flow log file of the default format, header line first: ten minutes of one VPC. The next seed has the ten minutes after it.
///
/// 200 hosts speak to some others each, 20,000 clients come to eight of them from outside, all call services outside, and
/// scanners, none of which comes twice, are rejected.
pub fn vpc_flow_file(seed: u64, flows: usize) -> Vec<u8> {
    const SECONDS: u64 = 600;
    let (mut dice, begin) = (Dice(seed), 1_722_470_400 + seed % 4096 * SECONDS);
    let mut out = String::from(
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n",
    );
    let address = |host: u64| format!("10.0.{}.{}", host / 200, host % 200 + 10);
    let outside = |owner: u64| {
        let mut dice = Dice(owner);
        let first = *dice.pick(&[3, 5, 24, 45, 62, 71, 88, 93, 118, 140, 177, 185, 193, 212]);
        format!("{first}.{}.{}.{}", dice.below(256), dice.below(256), dice.below(254) + 1)
    };
    let mut written = 0;
    while written < flows {
        let place = written as u64;
        let start = begin + place * SECONDS / flows as u64;
        let host = dice.below(200);
        let (near, packets) = (address(host), 1 + dice.skewed(80) * dice.skewed(80) / 8);
        let (bytes, port) = (packets * (60 + dice.skewed(1340)), 32_768 + dice.below(28_000));
        let kind = dice.below(100);
        if kind == 0 {
            writeln!(out, "2 111122223333 eni-0a1b2c3d4e5f{host:05} - - - - - - - {start} {} - NODATA", start + 60)
                .expect("a string takes all");
            written += 1;
            continue;
        }
        let mut flow = |interface: u64,
                        way: [&str; 2],
                        ports: [u64; 2],
                        protocol: u64,
                        [packets, bytes]: [u64; 2],
                        action: &str| {
            if written == flows {
                return;
            }
            let ([from, to], [from_port, to_port], end) = (way, ports, start + dice.below(60));
            writeln!(out, "2 111122223333 eni-0a1b2c3d4e5f{interface:05} {from} {to} {from_port} {to_port} {protocol} {packets} {bytes} {start} {end} {action} OK")
                .expect("a string takes all");
            written += 1;
        };
        match kind {
            // both ends of a connection are in the log, each with both ways of it
            1..45 => {
                let mut known = Dice(host * 256 + port % 20);
                let (peer, service) = (known.below(200), *known.pick(&[443, 5432, 6379, 8080, 9092, 3306, 53, 9200]));
                let (far, protocol) = (address(peer), if service == 53 { 17 } else { 6 });
                for interface in [host, peer] {
                    flow(interface, [&near, &far], [port, service], protocol, [packets, bytes], "ACCEPT");
                    flow(interface, [&far, &near], [service, port], protocol, [packets, bytes * 3], "ACCEPT");
                }
            }
            45..75 => {
                let (entry, client) = (host % 8, outside(1_000_000 + port * 31 % 20_000));
                flow(entry, [&client, &address(entry)], [port, 443], 6, [packets, bytes], "ACCEPT");
                flow(entry, [&address(entry), &client], [443, port], 6, [packets, bytes * 5], "ACCEPT");
            }
            75..90 => {
                let service = outside(2_000_000 + port * 31 % 260);
                flow(host, [&near, &service], [port, 443], 6, [packets, bytes], "ACCEPT");
                flow(host, [&service, &near], [443, port], 6, [packets, bytes], "ACCEPT");
            }
            90..97 => {
                let (entry, scanner) = (host % 8, outside(seed << 32 | place));
                let probed = [22, 23, 80, 445, 3389, 6379, 8080, port][port as usize % 8];
                flow(entry, [&scanner, &address(entry)], [port, probed], 6, [1, 40], "REJECT");
            }
            _ => flow(host, [&near, "169.254.169.123"], [123, 123], 17, [1, 76], "ACCEPT"),
        }
    }
    out.into_bytes()
}

/// A flow log file of a custom format with the fields of versions 2 to 8, header line first.
pub fn vpc_flow_wide_file(seed: u64, flows: usize) -> Vec<u8> {
    let mut dice = Dice(seed);
    let mut out = String::from(
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status \
         vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id sublocation-type sublocation-id \
         pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path ecs-cluster-arn ecs-cluster-name \
         ecs-container-instance-arn ecs-container-instance-id ecs-container-id ecs-second-container-id ecs-service-name \
         ecs-task-definition-arn ecs-task-arn ecs-task-id reject-reason\n",
    );
    let ports = [443, 80, 22, 5432, 53, 3306, 6379, 8080];
    for n in 0..flows as u64 {
        let start = 1_722_470_400 + n / 50;
        let eni = dice.skewed(40);
        let (from, to) = (dice.skewed(4_000), dice.skewed(4_000));
        let address = |host: u64| format!("10.{}.{}.{}", host % 4, host / 4 % 32, host / 128);
        let (source, target) = (address(from), address(to));
        let packets = dice.skewed(2000) + 1;
        let egress = dice.below(2) == 0;
        let service = *dice.pick(&["-", "-", "-", "S3", "AMAZON", "EC2"]);
        let task = if dice.below(3) == 0 {
            let task = dice.skewed(12);
            let arn = "arn:aws:ecs:eu-west-1:111122223333";
            format!(
                "{arn}:cluster/prod prod {arn}:container-instance/prod/7d2a{task:04} 7d2a{task:04} c0ffee{task:06} - api {arn}:task-definition/api:{task} {arn}:task/prod/0f1e{task:04} 0f1e{task:04}"
            )
        } else {
            "- - - - - - - - - -".to_owned()
        };
        let refused = dice.below(20) == 0;
        writeln!(
            out,
            "8 111122223333 eni-0a1b2c3d4e5f{eni:05} {source} {target} {} {} {} {packets} {} {start} {} {} OK vpc-0a1b2c3d4e5f60718 subnet-0a1b2c3d4e5f{:05} i-0a1b2c3d4e5f{eni:05} {} IPv4 {source} {target} eu-west-1 euw1-az{} - - {} {} {} {} {task} {}",
            32_768 + dice.below(28_000),
            ports[dice.skewed(8) as usize],
            if dice.below(5) == 0 { 17 } else { 6 },
            packets * (40 + dice.skewed(1400)),
            start + dice.below(60),
            if refused { "REJECT" } else { "ACCEPT" },
            eni % 6,
            [0, 2, 3, 18, 19][dice.below(5) as usize],
            1 + eni % 3,
            if egress { "-" } else { service },
            if egress { service } else { "-" },
            if egress { "egress" } else { "ingress" },
            if egress { "1" } else { "-" },
            if refused && dice.below(4) == 0 { "BPA" } else { "-" },
        )
        .expect("a string takes all");
    }
    out.into_bytes()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}
