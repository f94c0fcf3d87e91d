-- title    = "Lightsail bucket or database was opened, or got new credentials"
-- severity = "medium"
-- key      = ["account", "userIdentity.arn", "eventName"]
-- tags     = ["attack.exfiltration", "attack.t1537", "attack.t1530", "attack.persistence", "attack.t1098.001", "attack.initial_access", "attack.t1190"]
-- remedy   = "Close it again, delete the key or change the password, and see what was read."
SELECT eventTime,
       eventName,
       requestParameters ->> 'readonlyAccessAccounts' AS accounts,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'bucketName', requestParameters ->> 'relationalDatabaseName') AS resource,
       CASE WHEN eventName = 'UpdateBucket' THEN 'Lightsail bucket was opened'
            WHEN eventName = 'CreateBucketAccessKey' THEN 'Access key of a Lightsail bucket was made'
            ELSE 'Lightsail database was opened, or got a new password' END AS title
FROM cloudtrail
WHERE eventSource = 'lightsail.amazonaws.com'
  AND eventName IN ('UpdateBucket', 'CreateBucketAccessKey', 'UpdateRelationalDatabase')
  AND (eventName = 'CreateBucketAccessKey'
       OR requestParameters -> 'accessRules' ->> 'getObject' = 'public'
       OR regexp_like(without_own(requestParameters ->> 'readonlyAccessAccounts', account), '[0-9]{12}')
       OR requestParameters ->> 'publiclyAccessible' = 'true'
       OR json_contains(requestParameters, 'masterUserPassword'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
