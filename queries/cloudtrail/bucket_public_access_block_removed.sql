-- title    = "S3 bucket lost its S3 public access block"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.t1562.001", "cis.2.1.4"]
-- remedy   = "Put all four settings back to true (PutPublicAccessBlock), then look for policies and ACLs that became effective in between."
SELECT eventTime,
       eventName,
       errorCode,
       requestParameters ->> 'PublicAccessBlockConfiguration' AS settings,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, concat('arn:aws:s3:::', requestParameters ->> 'bucketName')) AS resource,
       CASE WHEN errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'S3 bucket lost its S3 public access block'
            ELSE 'Somebody tried to take the S3 public access block off a bucket' END AS title
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('PutBucketPublicAccessBlock', 'DeleteBucketPublicAccessBlock', 'PutPublicAccessBlock', 'DeletePublicAccessBlock')
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
  AND (eventName LIKE 'Delete%'
       OR regexp_like(requestParameters ->> 'PublicAccessBlockConfiguration', '"(BlockPublicAcls|IgnorePublicAcls|BlockPublicPolicy|RestrictPublicBuckets)"\s*:\s*"?false'))
