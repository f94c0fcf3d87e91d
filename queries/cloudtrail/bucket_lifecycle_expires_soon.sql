-- title           = "S3 lifecycle rule was set to delete objects within days"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1485.001"]
-- remedy          = "Remove the rule before midnight UTC, when lifecycle runs; with versioning on, deleted objects can still be restored."
-- false_positives = "Buckets for temporary files."
SELECT eventTime,
       requestParameters -> 'LifecycleConfiguration' ->> 'Rule' AS rules,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, concat('arn:aws:s3:::', requestParameters ->> 'bucketName')) AS resource,
       CASE WHEN regexp_like(requestParameters -> 'LifecycleConfiguration' ->> 'Rule', '"Prefix"\s*:\s*"[^"*]')
                 -- a folder of logs is no folder for temporary files
                 AND NOT regexp_like(requestParameters -> 'LifecycleConfiguration' ->> 'Rule', '"Prefix"\s*:\s*"[^"]*AWSLogs')
                 AND NOT regexp_like(requestParameters ->> 'bucketName', '(?i)trail|audit')
                 -- of what was deleted or written over
                 OR NOT regexp_like(requestParameters -> 'LifecycleConfiguration' ->> 'Rule', '"Expiration"\s*:\s*\{[^}]*"(Days|Date)"\s*:') THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('PutBucketLifecycle', 'PutBucketLifecycleConfiguration')
  AND errorCode IS NULL
  AND (regexp_like(requestParameters -> 'LifecycleConfiguration' ->> 'Rule', '"Expiration"\s*:\s*\{[^}]*("Days"\s*:\s*"?[1-3]"?\s*[,}]|"Date"\s*:)')
       -- who asks for a ransom gives a week
       OR regexp_like(requestParameters -> 'LifecycleConfiguration' ->> 'Rule', '"Expiration"\s*:\s*\{[^}]*"Days"\s*:\s*"?[4-7]"?\s*[,}]')
          AND NOT is_infrastructure_tool()
          AND is_by_hand()
       -- what was deleted or written over cannot be had back
       OR regexp_like(requestParameters -> 'LifecycleConfiguration' ->> 'Rule', '"NoncurrentVersionExpiration"\s*:\s*\{[^}]*"NoncurrentDays"\s*:\s*"?1"?\s*[,}]')
          AND NOT is_infrastructure_tool()
          AND is_by_hand())
