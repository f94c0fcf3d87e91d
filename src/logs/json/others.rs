//! An object that no table has → what it is, where that can be told, and what to do.

use memchr::memmem;

/// Texts that all stand in such an object, in its first bytes, and what to say of it.
const KNOWN: &[(&[&str], &str)] = &[
    (
        &["\"class_uid\"", "\"category_uid\""],
        "an event in OCSF, as Security Lake has it, which no table has: read the logs that it was made of",
    ),
    (
        &["\"Event\"", "\"SparkListener"],
        "an entry of a Spark event log, which no table has: read the log of the job's driver",
    ),
    (
        &["\"Event\"", "\"org.apache.spark.sql."],
        "an entry of a Spark event log, which no table has: read the log of the job's driver",
    ),
    (
        &["\"ProductArn\"", "\"AwsAccountId\"", "\"Resources\""],
        "a finding of Security Hub (ASFF), which no table has: read the findings of GuardDuty itself",
    ),
    (&["\"webaclId\"", "\"httpRequest\""], "a log entry of AWS WAF, which no table has"),
    (&["\"query_name\"", "\"query_type\""], "a query log entry of Route 53, which no table has"),
    (&["\"configurationItem"], "a configuration item of AWS Config, which no table has"),
    (&["\"resourcesAffected\"", "\"classificationDetails\""], "a finding of Amazon Macie, which no table has"),
    (&["\"findingArn\"", "\"awsAccountId\"", "\"severity\""], "a finding of Amazon Inspector, which no table has"),
    (&["\"audit.k8s.io/"], "an audit event of Kubernetes, which no table has"),
    (&["\"firewall_name\"", "\"event_timestamp\""], "a log entry of AWS Network Firewall, which no table has"),
    (&["\"SensitiveData:S3Object"], "a finding of Amazon Macie, which no table has"),
    (&["\"eventSource\"", "\"aws:s3\"", "\"s3\""], "a notification of S3 about an object: read the object itself"),
    (&["\"eventSource\"", "\"aws:sqs\"", "\"body\""], "a message of SQS in which no table knows anything"),
    (&["\"metric_name\"", "\"namespace\"", "\"dimensions\""], "a metric of CloudWatch, which no table has"),
    (&["\"_aws\"", "\"CloudWatchMetrics\""], "a metric of CloudWatch, which no table has"),
    (
        &["\"Command\"", "\"ScriptLocation\"", "\"ExecutionProperty\""],
        "the definition of a Glue job, which no table has: read its runs, as `aws glue get-job-runs` gives them",
    ),
    (
        &["\"detail-type\"", "\"aws.glue"],
        "an event of Glue that is about no run of a job (a crawler, the catalog, data quality), which no table has",
    ),
    (&["\"detail-type\"", "\"source\"", "\"detail\""], "an event of EventBridge that no table has"),
];

/// Of an object with a member for each column, in which every row has its number.
pub(super) const BY_COLUMN: &str =
    "rows by column, as DataFrame.to_json() of pandas writes them: write them with orient=\"records\"";

/// Of an object whose members have their types.
pub(super) const OF_DYNAMODB: &str =
    "an item in the JSON of DynamoDB, in which each value has its type: write it as plain JSON";

/// What is known of an object, or of a text that begins as one.
#[cold]
pub(super) fn what_is(object: &[u8]) -> Option<&'static str> {
    /// What tells an object stands before its long values.
    const LOOK: usize = 64 << 10;
    let head = &object[..object.len().min(LOOK)];
    let has = |text: &&str| memmem::find(head, text.as_bytes()).is_some();
    KNOWN.iter().find(|(texts, _)| texts.iter().all(has)).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_object_is_can_be_told() {
        let is = |object: &str, word: &str| what_is(object.as_bytes()).is_some_and(|what| what.contains(word));
        assert!(is(r#"{"Event":"SparkListenerLogStart"}"#, "Spark"));
        assert!(is(r#"{"class_uid":1,"category_uid":2}"#, "OCSF"));
        assert!(is(r#"{"ProductArn":"x","AwsAccountId":"y","Resources":[]}"#, "Security Hub"));
        assert!(is(r#"{"eventSource":"aws:s3","s3":{}}"#, "S3"));
        assert!(is(r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1"}"#, "Kubernetes"));
        assert!(is(r#"{"detail-type":"Glue Crawler State Change","source":"aws.glue","detail":{}}"#, "crawler"));
        assert!(is(r#"{"detail-type":"Data Quality Evaluation","source":"aws.glue-dataquality"}"#, "data quality"));
        assert!(is(r#"{"detail-type":"Scheduled Event","source":"aws.events","detail":{}}"#, "EventBridge"));
        assert!(is(r#"{"namespace":"Glue","metric_name":"x","dimensions":{}}"#, "metric"));
        assert!(is(r#"{"Jobs":[{"Command":{"ScriptLocation":"x"},"ExecutionProperty":{}}]}"#, "get-job-runs"));
        assert_eq!(what_is(br#"{"Event":"x"}"#), None);
    }
}
