-- title    = "Lock that keeps S3 objects from deletion was taken off or passed by"
-- severity = "medium"
-- tags     = ["attack.impact", "attack.t1490", "attack.t1485", "attack.defense_evasion", "attack.t1562.001"]
-- remedy   = "Set the default retention again, look which objects lost their lock or were deleted, and restore them from older versions."
SELECT eventTime,
       eventName,
       requestParameters ->> 'key' AS object,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'bucketName' AS resource,
       CASE WHEN eventName IN ('PutBucketObjectLockConfiguration', 'PutObjectLockConfiguration') THEN 'Bucket lost the rule by which its objects are locked'
            WHEN eventName = 'PutObjectLegalHold' THEN 'Legal hold was taken off an object'
            WHEN eventName = 'PutObjectRetention' THEN 'Retention of an object was shortened past its lock'
            ELSE 'Locked object was deleted past its lock' END AS title
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('PutBucketObjectLockConfiguration', 'PutObjectLockConfiguration', 'PutObjectLegalHold', 'PutObjectRetention', 'DeleteObject', 'DeleteObjects')
  AND (eventName IN ('PutBucketObjectLockConfiguration', 'PutObjectLockConfiguration')
           AND NOT json_contains(requestParameters, 'ObjectLockConfiguration', 'Rule')
       OR requestParameters -> 'LegalHold' ->> 'Status' = 'OFF'
       OR requestParameters ->> 'x-amz-bypass-governance-retention' = 'true')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
