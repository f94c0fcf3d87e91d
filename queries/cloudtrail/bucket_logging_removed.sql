-- title    = "S3 server access logging was removed"
-- severity = "low"
-- tags     = ["attack.defense_evasion", "attack.t1562.008", "cis.3.4"]
-- remedy   = "Turn server access logging on again (PutBucketLogging with a target bucket), first for buckets that hold trails."
SELECT eventTime,
       requestParameters ->> 'bucketName' AS bucket,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, concat('arn:aws:s3:::', requestParameters ->> 'bucketName')) AS resource,
       CASE WHEN regexp_like(requestParameters ->> 'bucketName', '(?i)trail|audit|log|security')
                 OR is_by_hand_or_script()
                 OR userIdentity.invokedBy IS NULL AND NOT is_infrastructure_tool() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'PutBucketLogging'
  AND errorCode IS NULL
  AND requestParameters -> 'BucketLoggingStatus' ->> 'LoggingEnabled' IS NULL
