-- title           = "KMS key was scheduled for deletion or lost its key material"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1485", "attack.t1486", "cis.4.7"]
-- remedy          = "Call CancelKeyDeletion and EnableKey now, ask questions after; imported material has to be imported again from your copy."
-- false_positives = "Terraform destroying a test stack."
SELECT eventTime,
       eventName,
       requestParameters ->> 'pendingWindowInDays' AS days,
       errorCode,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, responseElements ->> 'keyId', requestParameters ->> 'keyId') AS resource,
       CASE WHEN errorCode IS NOT NULL THEN 'low'
            WHEN eventName = 'DeleteImportedKeyMaterial' THEN 'high'
            ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NOT NULL THEN 'Somebody tried to destroy a KMS key'
            WHEN eventName = 'DeleteImportedKeyMaterial' THEN 'KMS key lost its imported material, and works no more'
            ELSE 'KMS key was scheduled for deletion' END AS title
FROM cloudtrail
WHERE eventSource = 'kms.amazonaws.com'
  AND eventName IN ('ScheduleKeyDeletion', 'DeleteImportedKeyMaterial')
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
