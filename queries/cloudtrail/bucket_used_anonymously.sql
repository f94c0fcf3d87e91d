-- title           = "Anonymous caller listed, wrote or deleted objects of a bucket"
-- severity        = "medium"
-- tags            = ["attack.initial_access", "attack.t1190", "attack.collection", "attack.t1530", "attack.t1619", "attack.impact", "attack.t1485"]
-- remedy          = "Block public access of the bucket, unless the whole world is meant to do that, and see what else the address did."
-- false_positives = "Buckets that are meant to be dropped into."
SELECT eventTime,
       eventName,
       requestParameters ->> 'key' AS object,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'bucketName' AS resource,
       userIdentity.accountId AS actor
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('PutObject', 'DeleteObject', 'DeleteObjects', 'PutObjectAcl', 'CompleteMultipartUpload', 'PutBucketPolicy', 'PutBucketAcl', 'ListObjects', 'ListObjectVersions', 'ListObjectsV2')
  AND userIdentity.accountId IN ('anonymous', 'ANONYMOUS_PRINCIPAL')
  AND errorCode IS NULL
