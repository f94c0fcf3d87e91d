-- title           = "Table or user pool lost its protection against deletion or its point-in-time recovery"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1490"]
-- remedy          = "Turn it on again, and see whether the table is still there and whole."
-- false_positives = "Test environments."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'tableName', requestParameters ->> 'userPoolId') AS resource
FROM cloudtrail
WHERE eventSource IN ('dynamodb.amazonaws.com', 'cognito-idp.amazonaws.com')
  AND eventName IN ('UpdateContinuousBackups', 'UpdateTable', 'UpdateUserPool')
  AND (requestParameters -> 'pointInTimeRecoverySpecification' ->> 'pointInTimeRecoveryEnabled' = 'false'
       OR requestParameters ->> 'deletionProtectionEnabled' = 'false'
       OR requestParameters ->> 'deletionProtection' = 'INACTIVE')
  AND coalesce(userAgent, '') NOT LIKE '%Terraform%'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
