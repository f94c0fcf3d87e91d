-- title    = "S3 bucket was set to take objects that are encrypted with the caller's own key"
-- severity = "medium"
-- tags     = ["attack.impact", "attack.t1486", "attack.defense_evasion", "attack.t1562.001"]
-- remedy   = "Block SSE-C again, unless an application of yours needs it: whoever rewrites objects with a key that only they have, has them for ransom. Look for CopyObject and PutObject with such a key."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'bucketName' AS resource
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('PutBucketEncryption', 'CreateBucket')
  AND regexp_like(requestParameters, '"BlockedEncryptionTypes"\s*:\s*[{]\s*"EncryptionType"\s*:\s*\[?\s*"NONE"')
  AND errorCode IS NULL
