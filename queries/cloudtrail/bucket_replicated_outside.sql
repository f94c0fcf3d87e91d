-- title           = "S3 bucket replicates to another account"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.t1537"]
-- remedy          = "Delete the replication rule (DeleteBucketReplication) if the destination account is not yours; objects written since the rule are there already."
-- false_positives = "A backup account of your own."
SELECT eventTime,
       requestParameters ->> 'ReplicationConfiguration' AS replication,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, concat('arn:aws:s3:::', requestParameters ->> 'bucketName')) AS resource
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'PutBucketReplication'
  AND errorCode IS NULL
  AND regexp_like(without_own(requestParameters ->> 'ReplicationConfiguration', account), '"Account"\s*:\s*"?[0-9]{12}')
