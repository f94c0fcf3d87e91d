-- title           = "S3 bucket was deleted"
-- severity        = "low"
-- tags            = ["attack.impact", "attack.t1485"]
-- remedy          = "Check that its owner meant it; take the name back at once if web sites or clients still use it."
-- false_positives = "Stacks that are taken down."
SELECT eventTime,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, concat('arn:aws:s3:::', requestParameters ->> 'bucketName')) AS resource,
       CASE WHEN regexp_like(requestParameters ->> 'bucketName', '(?i)cloudtrail|aws-?logs|flow-?logs|audit|config-bucket|access-?logs|security') THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'DeleteBucket'
  AND errorCode IS NULL
