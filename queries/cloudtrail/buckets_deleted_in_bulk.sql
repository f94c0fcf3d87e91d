-- title           = "Many S3 buckets were deleted by one principal"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1485"]
-- remedy          = "Ask the principal. If it was not meant: revoke its sessions, create the names again at once so that nobody else takes them, and restore from replicas or backups."
-- false_positives = "Test accounts that are cleared; people who tear a project down."
SELECT userIdentity.arn AS who,
       count(DISTINCT requestParameters ->> 'bucketName') AS buckets,
       count(*) FILTER (WHERE errorCode = 'BucketNotEmpty') AS not_empty,
       sample(requestParameters ->> 'bucketName') AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       CASE WHEN count(*) FILTER (WHERE NOT is_person() AND userIdentity.sessionContext.ec2RoleDelivery IS NULL
                                      AND userAgent LIKE '%Terraform%') = count(*) THEN 'medium'
            WHEN count(DISTINCT requestParameters ->> 'bucketName') FILTER (WHERE errorCode IS NULL) >= 20 THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'DeleteBucket'
  AND (errorCode IS NULL OR errorCode = 'BucketNotEmpty')
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(DISTINCT requestParameters ->> 'bucketName') FILTER (WHERE errorCode IS NULL) >= 6
