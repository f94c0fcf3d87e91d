-- title           = "S3 object was made public by its ACL"
-- severity        = "low"
-- tags            = ["attack.exfiltration", "attack.collection", "attack.t1530"]
-- remedy          = "Set the object's ACL to private; find out what else this principal has opened in the bucket."
-- false_positives = "Public web assets."
SELECT eventTime,
       eventName,
       requestParameters ->> 'key' AS key,
       requestParameters ->> 'x-amz-acl' AS canned_acl,
       sourceIPAddress,
       userAgent,
       concat('arn:aws:s3:::', requestParameters ->> 'bucketName', '/', requestParameters ->> 'key') AS resource,
       CASE WHEN eventName = 'PutObjectAcl' THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('PutObjectAcl', 'PutObject', 'CopyObject', 'CreateMultipartUpload')
  AND errorCode IS NULL
  AND regexp_like(requestParameters, 'public-read|authenticated-read|global.{1,2}A') -- equivalent: what follows needs one of these; most objects are written without, and need not be taken apart
  AND (regexp_like(requestParameters ->> 'x-amz-acl', 'public-read|authenticated-read')
       OR requestParameters ->> 'AccessControlPolicy' LIKE '%acs.amazonaws.com/groups/global/A%'
       OR regexp_like(coalesce(requestParameters ->> 'x-amz-grant-read', requestParameters ->> 'x-amz-grant-full-control', requestParameters ->> 'x-amz-grant-write'), 'groups/global/A'))
