//! Every call that Weir can make of AWS, and the permission that it needs. `tests/it/permissions.rs` records the calls that
//! are made, and compares them with this table and with the policies of `deploy/iam/`.

/// An operation of a service.
#[derive(Debug)]
pub struct Call {
    /// As signatures name it.
    pub service: &'static str,
    pub operation: &'static str,
    /// The permission that it needs; `None` when it needs none.
    pub action: Option<&'static str>,
    /// Files of `deploy/iam/` that allow it.
    pub policies: &'static [&'static str],
}

const fn call(
    service: &'static str,
    operation: &'static str,
    action: &'static str,
    policies: &'static [&'static str],
) -> Call {
    Call { service, operation, action: Some(action), policies }
}

const KINESIS: &[&str] = &["kinesis.json", "kinesis-fan-out.json"];
const LEASES: &[&str] = &["kinesis-leases.json"];
const QUEUE: &[&str] = &["s3-queue.json"];

/// All of them.
pub const CALLS: &[Call] = &[
    Call { service: "sts", operation: "GetCallerIdentity", action: None, policies: &[] },
    call("sts", "AssumeRole", "sts:AssumeRole", &["assume-role.json"]),
    call("s3", "ListObjectsV2", "s3:ListBucket", &["s3-backfill.json", "s3-state.json"]),
    call(
        "s3",
        "GetObject",
        "s3:GetObject",
        &["s3-backfill.json", "s3-queue.json", "s3-state.json", "lambda-queue.json"],
    ),
    call("sqs", "GetQueueUrl", "sqs:GetQueueUrl", QUEUE),
    call("sqs", "GetQueueAttributes", "sqs:GetQueueAttributes", QUEUE),
    call("sqs", "ReceiveMessage", "sqs:ReceiveMessage", QUEUE),
    call("sqs", "DeleteMessageBatch", "sqs:DeleteMessage", QUEUE),
    call("sqs", "ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility", QUEUE),
    call("kinesis", "DescribeStreamSummary", "kinesis:DescribeStreamSummary", KINESIS),
    call("kinesis", "ListShards", "kinesis:ListShards", KINESIS),
    call("kinesis", "GetShardIterator", "kinesis:GetShardIterator", &["kinesis.json"]),
    call("kinesis", "GetRecords", "kinesis:GetRecords", &["kinesis.json"]),
    call("kinesis", "DescribeStreamConsumer", "kinesis:DescribeStreamConsumer", &["kinesis-fan-out.json"]),
    call("kinesis", "RegisterStreamConsumer", "kinesis:RegisterStreamConsumer", &["kinesis-fan-out.json"]),
    call("kinesis", "SubscribeToShard", "kinesis:SubscribeToShard", &["kinesis-fan-out.json"]),
    call("dynamodb", "Scan", "dynamodb:Scan", LEASES),
    call("dynamodb", "UpdateItem", "dynamodb:UpdateItem", LEASES),
    call("dynamodb", "DeleteItem", "dynamodb:DeleteItem", LEASES),
    // a transaction needs what its writes need
    call("dynamodb", "TransactWriteItems", "dynamodb:UpdateItem", LEASES),
    call("securityhub", "BatchImportFindings", "securityhub:BatchImportFindings", &["security-hub.json"]),
    call("securityhub", "GetFindings", "securityhub:GetFindings", &["security-hub-read-back.json"]),
    call("s3", "PutObject", "s3:PutObject", &["s3-findings.json", "s3-state.json", "s3-archive.json"]),
    call("s3", "DeleteObject", "s3:DeleteObject", &["s3-state.json"]),
    call("events", "PutEvents", "events:PutEvents", &["event-bridge.json"]),
    call("sns", "Publish", "sns:Publish", &["sns.json"]),
    call("secretsmanager", "GetSecretValue", "secretsmanager:GetSecretValue", &["secret.json"]),
];

const LAMBDA_STREAM: &[&str] = &["lambda-kinesis.json"];
const LAMBDA_QUEUE: &[&str] = &["lambda-queue.json"];

/// Permissions that services use in our name, so that no call of ours shows them: S3, SQS, Kinesis and Secrets Manager decrypt with it what is
/// encrypted with a KMS key, and SNS and S3 make keys for what they are to encrypt. Lambda reads the stream or the queue, sends
/// on what has failed too often, and writes the log, all in the function's name.
pub const IMPLIED: &[(&str, &[&str])] = &[
    (
        "kms:Decrypt",
        &[
            "s3-backfill.json",
            "s3-queue.json",
            "kinesis.json",
            "kinesis-fan-out.json",
            "sns.json",
            "secret.json",
            "s3-state.json",
            "lambda-kinesis.json",
            "lambda-queue.json",
        ],
    ),
    ("kms:GenerateDataKey", &["sns.json", "s3-findings.json", "s3-state.json", "s3-archive.json"]),
    ("kinesis:DescribeStream", LAMBDA_STREAM),
    ("kinesis:DescribeStreamSummary", LAMBDA_STREAM),
    ("kinesis:ListShards", LAMBDA_STREAM),
    ("kinesis:GetShardIterator", LAMBDA_STREAM),
    ("kinesis:GetRecords", LAMBDA_STREAM),
    ("sqs:SendMessage", LAMBDA_STREAM),
    ("sqs:ReceiveMessage", LAMBDA_QUEUE),
    ("sqs:DeleteMessage", LAMBDA_QUEUE),
    ("sqs:GetQueueAttributes", LAMBDA_QUEUE),
    ("logs:CreateLogStream", &["lambda-logs.json"]),
    ("logs:PutLogEvents", &["lambda-logs.json"]),
];

/// The files of `deploy/iam/` that allow an action.
pub fn policies(action: &str) -> impl Iterator<Item = &'static str> {
    CALLS.iter().filter(move |call| call.action == Some(action)).flat_map(|call| call.policies.iter().copied())
}
