-- title           = "S3 bucket policy was deleted"
-- severity        = "low"
-- tags            = ["attack.defense_evasion", "attack.t1562"]
-- remedy          = "Put the policy back if it denied something: deletion also removes what it forbade."
-- false_positives = "Stacks that are taken down."
SELECT eventTime,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, concat('arn:aws:s3:::', requestParameters ->> 'bucketName')) AS resource,
       -- without it nothing is delivered into a bucket of logs
       CASE WHEN regexp_like(requestParameters ->> 'bucketName', '(?i)trail|audit|flow-?log|access-?log') AND NOT is_infrastructure_tool() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'DeleteBucketPolicy'
  AND errorCode IS NULL
