-- title    = "KMS key was disabled"
-- severity = "medium"
-- tags     = ["attack.impact", "attack.t1485", "cis.4.7"]
-- remedy   = "Enable the key again (EnableKey) unless its owner retires it; everything encrypted with it fails until then."
SELECT eventTime,
       errorCode,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, requestParameters ->> 'keyId') AS resource,
       CASE WHEN errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'KMS key was disabled'
            ELSE 'Somebody tried to disable a KMS key' END AS title
FROM cloudtrail
WHERE eventSource = 'kms.amazonaws.com'
  AND eventName = 'DisableKey'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
