-- title           = "S3 object was written with a KMS key of another account"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1486"]
-- remedy          = "Deny writes with keys that are not yours by a bucket policy; see how many objects were written so and whether versions of them are left."
-- false_positives = "Partners who write into your bucket with their key."
SELECT eventTime,
       eventName,
       requestParameters ->> 'x-amz-server-side-encryption-aws-kms-key-id' AS key_id,
       sourceIPAddress,
       userAgent,
       'arn:aws:s3:::' || (requestParameters ->> 'bucketName') AS resource
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('PutObject', 'CopyObject', 'CreateMultipartUpload')
  AND regexp_like(without_own(requestParameters ->> 'x-amz-server-side-encryption-aws-kms-key-id', account), ':[0-9]{12}:')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
