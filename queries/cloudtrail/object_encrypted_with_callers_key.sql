-- title           = "S3 object was written with an encryption key that only the caller has"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1486"]
-- remedy          = "If no application of yours uses SSE-C, this is ransom: deny s3:PutObject with that header by a bucket policy, contain the principal, and restore earlier versions."
-- false_positives = "Applications that bring their own keys."
SELECT eventTime,
       eventName,
       requestParameters ->> 'key' AS key,
       sourceIPAddress,
       userAgent,
       concat('arn:aws:s3:::', requestParameters ->> 'bucketName', '/', requestParameters ->> 'key') AS resource,
       CASE WHEN eventName = 'CopyObject' THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('CopyObject', 'PutObject', 'CreateMultipartUpload')
  AND errorCode IS NULL
  AND (json_contains(requestParameters, 'x-amz-server-side-encryption-customer-algorithm')
       OR additionalEventData ->> 'SSEApplied' = 'SSE_C')
