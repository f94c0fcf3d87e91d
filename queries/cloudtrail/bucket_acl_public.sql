-- title    = "S3 bucket was made public by its ACL"
-- severity = "high"
-- tags     = ["attack.exfiltration", "attack.collection", "attack.t1530"]
-- remedy   = "Set the ACL to private (or object ownership to bucket owner enforced) and turn on the public access block; then read the access logs."
SELECT eventTime,
       eventName,
       requestParameters ->> 'x-amz-acl' AS canned_acl,
       requestParameters ->> 'AccessControlPolicy' AS grants,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, concat('arn:aws:s3:::', requestParameters ->> 'bucketName')) AS resource,
       -- a pipeline that makes a web site
       CASE WHEN (userIdentity.invokedBy = 'cloudformation.amazonaws.com'
                  OR NOT is_person() AND userIdentity.sessionContext.ec2RoleDelivery IS NULL
                     AND is_infrastructure_tool()) THEN 'medium' ELSE 'high' END AS severity
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('PutBucketAcl', 'CreateBucket')
  AND errorCode IS NULL
  AND (regexp_like(requestParameters ->> 'x-amz-acl', 'public-read|authenticated-read')
       OR regexp_like(requestParameters ->> 'accessControlList', 'public-read|authenticated-read|groups/global/A')
       OR requestParameters ->> 'AccessControlPolicy' LIKE '%acs.amazonaws.com/groups/global/A%'
       OR regexp_like(coalesce(requestParameters ->> 'x-amz-grant-read', requestParameters ->> 'x-amz-grant-full-control', requestParameters ->> 'x-amz-grant-write'), 'groups/global/A'))
