-- title           = "Table lost its protection against deletion or its point-in-time recovery"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1490"]
-- remedy          = "Turn it on again, and see whether the table is still there and whole."
-- false_positives = "Test environments."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'tableName' AS resource
FROM cloudtrail
WHERE eventSource = 'dynamodb.amazonaws.com'
  AND eventName IN ('UpdateContinuousBackups', 'UpdateTable')
  AND (requestParameters -> 'pointInTimeRecoverySpecification' ->> 'pointInTimeRecoveryEnabled' = 'false'
       OR requestParameters ->> 'deletionProtectionEnabled' = 'false')
  AND coalesce(userAgent, '') NOT LIKE '%Terraform%'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
